//! Holiday calendars: rules for days, worked out once per year into a bitmap.

use super::hours::{Day, weekday};
use serde::Deserialize;

/// First and last year that a calendar is worked out for. Outside, every day counts as a holiday:
/// a closed day is the safe answer.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// One recurring day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum DayRule {
    /// The same date each year.
    Date {
        /// 1 to 12.
        month: i8,
        /// 1 to 31.
        day: i8,
    },
    /// The n-th weekday of a month; negative counts from the end.
    Nth {
        /// 1 to 12.
        month: i8,
        /// Monday is 0.
        weekday: u8,
        /// 1 to 5, or -1 for the last.
        n: i8,
    },
    /// Days after Easter Sunday of the western churches; negative is before.
    Easter {
        /// Good Friday is -2.
        days: i16,
    },
    /// The last given weekday on or before a date.
    OnOrBefore {
        /// 1 to 12.
        month: i8,
        /// 1 to 31.
        day: i8,
        /// Monday is 0.
        weekday: u8,
    },
}

/// What happens to a holiday that falls on a weekend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// Nothing: only the day itself.
    #[default]
    AsIs,
    /// Saturday is kept on the Friday before, Sunday on the Monday after. The day itself stays a
    /// holiday too: the stricter reading.
    Nearest,
    /// Saturday and Sunday are kept on the next weekday that is not itself a holiday. The day
    /// itself stays a holiday too.
    Next,
}

/// The days of a calendar, as a bitmap over its years.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    name: String,
    first: Day,
    bits: Vec<u64>,
}

/// The day number of a civil date; `None` if there is no such date.
pub fn day_number(year: i32, month: i8, day: i8) -> Option<Day> {
    let date = jiff::civil::Date::new(i16::try_from(year).ok()?, month, day).ok()?;
    let epoch = jiff::civil::Date::new(1970, 1, 1).ok()?;
    epoch.until(date).ok().map(|span| span.get_days())
}

/// Easter Sunday by the Gregorian computus (the "anonymous" algorithm, Nature, 20 April 1876).
pub fn easter(year: i32) -> Option<Day> {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let month = (h + l - 7 * m + 114) / 31;
    let day = (h + l - 7 * m + 114) % 31 + 1;
    day_number(year, month as i8, day as i8)
}

impl DayRule {
    /// The day in that year, if it has one (29 February, a fifth Monday).
    pub fn in_year(self, year: i32) -> Option<Day> {
        match self {
            DayRule::Date { month, day } => day_number(year, month, day),
            DayRule::Easter { days } => easter(year).map(|e| e + Day::from(days)),
            DayRule::OnOrBefore { month, day, weekday: wanted } => {
                let last = day_number(year, month, day)?;
                Some(last - (weekday(last) as Day - Day::from(wanted)).rem_euclid(7))
            }
            DayRule::Nth { month, weekday: wanted, n } => {
                let first = day_number(year, month, 1)?;
                let next_month =
                    if month == 12 { day_number(year + 1, 1, 1)? } else { day_number(year, month + 1, 1)? };
                let day = if n > 0 {
                    first + (Day::from(wanted) - weekday(first) as Day).rem_euclid(7) + 7 * (Day::from(n) - 1)
                } else {
                    let last = next_month - 1;
                    last - (weekday(last) as Day - Day::from(wanted)).rem_euclid(7) + 7 * (Day::from(n) + 1)
                };
                (first <= day && day < next_month).then_some(day)
            }
        }
    }
}

impl Calendar {
    /// Works the rules out for every year.
    pub fn new(name: &str, rules: &[DayRule], observed: Observed) -> Calendar {
        let first = day_number(*YEARS.start(), 1, 1).unwrap_or(0);
        let after = day_number(*YEARS.end() + 1, 1, 1).unwrap_or(first);
        let mut calendar =
            Calendar { name: name.to_owned(), first, bits: vec![0; ((after - first) as usize).div_ceil(64)] };
        let mut kept: Vec<Day> = Vec::new();
        for year in *YEARS.start() - 1..=*YEARS.end() + 1 {
            kept.extend(rules.iter().filter_map(|rule| rule.in_year(year)));
        }
        kept.sort_unstable();
        kept.iter().for_each(|day| calendar.set(*day));
        for day in kept {
            let shifted = match (observed, weekday(day)) {
                (Observed::AsIs, _) | (_, 0..=4) => continue,
                (Observed::Nearest, 5) => day - 1,
                (Observed::Nearest, _) => day + 1,
                (Observed::Next, _) => {
                    let mut next = day + 1;
                    while weekday(next) > 4 || calendar.has(next) {
                        next += 1;
                    }
                    next
                }
            };
            calendar.set(shifted);
        }
        // The last word of bits ends after the last year.
        (after..first + calendar.bits.len() as Day * 64).for_each(|day| calendar.set(day));
        calendar
    }

    /// The name that rules call it by.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Whether the day is a holiday. Days outside the years that are worked out are.
    pub fn contains(&self, day: Day) -> bool {
        let offset = i64::from(day) - i64::from(self.first);
        if offset < 0 || offset >= self.bits.len() as i64 * 64 {
            return true;
        }
        self.has(day)
    }
    fn has(&self, day: Day) -> bool {
        usize::try_from(i64::from(day) - i64::from(self.first))
            .ok()
            .and_then(|i| self.bits.get(i / 64).map(|word| word & (1 << (i % 64)) != 0))
            .unwrap_or(false)
    }
    fn set(&mut self, day: Day) {
        let index = usize::try_from(i64::from(day) - i64::from(self.first)).ok();
        if let Some((i, word)) = index.and_then(|i| self.bits.get_mut(i / 64).map(|word| (i, word))) {
            *word |= 1 << (i % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: i8, day: i8) -> Day {
        day_number(year, month, day).expect("a date")
    }

    #[test]
    fn known_easters() {
        for (year, month, day) in
            [(1999, 4, 4), (2000, 4, 23), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2038, 4, 25)]
        {
            assert_eq!(easter(year), Some(date(year, month, day)), "{year}");
        }
    }

    #[test]
    fn nth_weekdays_and_shifted_holidays() {
        let thanksgiving = DayRule::Nth { month: 11, weekday: 3, n: 4 };
        assert_eq!(thanksgiving.in_year(2026), Some(date(2026, 11, 26)));
        let memorial = DayRule::Nth { month: 5, weekday: 0, n: -1 };
        assert_eq!(memorial.in_year(2026), Some(date(2026, 5, 25)));
        assert_eq!(DayRule::Nth { month: 2, weekday: 0, n: 5 }.in_year(2026), None);
        let victoria = DayRule::OnOrBefore { month: 5, day: 24, weekday: 0 };
        assert_eq!(victoria.in_year(2026), Some(date(2026, 5, 18)));
        assert_eq!(victoria.in_year(2027), Some(date(2027, 5, 24)));

        let july4 = [DayRule::Date { month: 7, day: 4 }];
        let nearest = Calendar::new("t", &july4, Observed::Nearest);
        // 4 July 2026 is a Saturday, 4 July 2027 a Sunday.
        assert!(nearest.contains(date(2026, 7, 3)) && nearest.contains(date(2026, 7, 4)));
        assert!(!nearest.contains(date(2026, 7, 6)));
        assert!(nearest.contains(date(2027, 7, 5)) && !nearest.contains(date(2027, 7, 2)));
        let xmas = [DayRule::Date { month: 12, day: 25 }, DayRule::Date { month: 12, day: 26 }];
        let next = Calendar::new("t", &xmas, Observed::Next);
        // 2026: the 26th is a Saturday, kept on Monday the 28th. 2027: Sat and Sun, kept on 27 and 28.
        assert!(next.contains(date(2026, 12, 28)) && !next.contains(date(2026, 12, 29)));
        assert!(next.contains(date(2027, 12, 27)) && next.contains(date(2027, 12, 28)));
        assert!(!next.contains(date(2027, 12, 29)));
        assert!(!next.contains(date(*YEARS.start(), 1, 2)) && !next.contains(date(*YEARS.end(), 12, 24)));
        let (before, after) = (date(*YEARS.start(), 1, 1), date(*YEARS.end() + 1, 1, 1));
        for day in (before - 100..before).chain(after..after + 100) {
            assert!(next.contains(day), "outside its years every day is closed: {day}");
        }
    }
}
