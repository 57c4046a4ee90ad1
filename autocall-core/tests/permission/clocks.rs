//! Hours and calendars against plain references: the library's clock asked quarter of an hour by quarter of
//! an hour, days counted one by one, and the churches' own table of Easter.

use crate::case::instant;
use autocall_core::permission::calendar::{Calendar, DayRule, Observed, day_number, easter};
use autocall_core::permission::hours::{Clock, Day, DaySpans, Hours, Span, normalise, weekday};
use autocall_core::zones::{DAY_MS, ZoneId};
use autocall_core::{Millis, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

const QUARTER: i64 = 15 * 60_000;

fn zone(name: &str) -> ZoneId {
    ZoneId::named(name).unwrap_or_else(|| panic!("{name}"))
}
fn date(year: i32, month: i8, day: i8) -> Day {
    day_number(year, month, day).expect("a date")
}
/// The civil day number and the milliseconds after local midnight, as the library's clock shows them.
fn local(zone: ZoneId, at: Timestamp) -> (Day, usize, u32) {
    let shown = at.to_jiff().in_tz(zone.name()).expect("a zone of the library");
    let day = date(shown.year().into(), shown.month(), shown.day());
    let ms = i64::from(shown.hour()) * 3_600_000 + i64::from(shown.minute()) * 60_000;
    (day, shown.weekday().to_monday_zero_offset() as usize, ms as u32)
}
fn is_open(hours: &Hours, zone: ZoneId, at: Timestamp) -> bool {
    let (day, weekday, ms) = local(hours.zone.unwrap_or(zone), at);
    let holiday = hours.holidays.as_ref().filter(|(calendar, _)| calendar.contains(day)).map(|(_, spans)| spans);
    let spans = hours.dates.get(&day).or(holiday).unwrap_or(&hours.week[weekday]);
    let within = hours.first_day.is_none_or(|first| first <= day) && hours.last_day.is_none_or(|last| day <= last);
    within && spans.iter().any(|span| (span.from_ms..span.to_ms).contains(&ms))
}
/// The first instant from which all zones are open for `length`, within ten days.
fn first_opening(hours: &Hours, zones: &[ZoneId], from: Timestamp, length: Millis) -> Option<Timestamp> {
    let start = from.ms().div_euclid(QUARTER) * QUARTER;
    let mut since = None;
    for at in (start..start + 10 * DAY_MS).step_by(QUARTER as usize) {
        if zones.iter().all(|zone| is_open(hours, *zone, Timestamp::from_ms(at))) {
            let first = *since.get_or_insert(at.max(from.ms()));
            if at + QUARTER - first > length.ms() {
                return Some(Timestamp::from_ms(first));
            }
        } else {
            since = None;
        }
    }
    None
}

const ZONES: [&str; 6] =
    ["America/Chicago", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];

fn spans() -> impl Strategy<Value = DaySpans> {
    let span = |(a, b): (u32, u32)| Span { from_ms: a.min(b) * QUARTER as u32, to_ms: a.max(b) * QUARTER as u32 };
    let some = prop::collection::vec((0u32..=96, 0u32..=96).prop_map(span), 1..3);
    let whole = normalise([Span { from_ms: 0, to_ms: DAY_MS as u32 }]);
    prop_oneof![3 => some.prop_map(normalise), 2 => Just(whole), 2 => Just(DaySpans::new())]
}

/// Hours, zones, an instant close to a change of the clocks, and how long they must be open.
fn cases() -> impl Strategy<Value = (Hours, Vec<ZoneId>, Timestamp, Millis)> {
    let changes = vec![
        instant("2026-03-08T08:00:00Z"),
        instant("2026-11-01T07:00:00Z"),
        instant("2026-10-25T01:00:00Z"),
        instant("2026-04-04T15:00:00Z"),
        instant("2026-10-03T15:30:00Z"),
    ];
    let at =
        (prop::sample::select(changes), -200_000_000i64..200_000_000, any::<bool>()).prop_map(|(at, off, even)| {
            let ms = at.ms() + off;
            Timestamp::from_ms(if even { ms.div_euclid(QUARTER) * QUARTER } else { ms })
        });
    let length = prop_oneof![Just(0i64), (0i64..120).prop_map(|n| n * QUARTER), 0i64..30 * 3_600_000, 0i64..120_000];
    let name = || prop::sample::select(ZONES.to_vec());
    let days = (prop::option::weighted(0.2, -2i32..4), prop::option::weighted(0.2, 0i32..9));
    let special =
        (prop::collection::btree_map(-1i32..6, spans(), 0..2), prop::option::weighted(0.3, (-1i32..5, spans())));
    (prop::array::uniform7(spans()), (name(), name(), prop::option::weighted(0.2, name())), at, length, days, special)
        .prop_map(|(week, (one, two, fixed), at, length, (first, last), (dates, holiday))| {
            let (today, _, _) = local(zone(one), at);
            let holidays = holiday.map(|(off, spans)| {
                let day = (at + Millis::from_days(off.into())).to_jiff().in_tz(one).expect("a zone");
                let rule = DayRule::Date { month: day.month(), day: day.day() };
                (Arc::new(Calendar::new("c", &[rule], Observed::AsIs)), spans)
            });
            let hours = Hours {
                week,
                holidays,
                dates: dates.into_iter().map(|(off, spans)| (today + off, spans)).collect(),
                first_day: first.map(|off| today + off),
                last_day: last.map(|off| today + off),
                zone: fixed.map(zone),
            };
            (hours, vec![zone(one), zone(two)], at, Millis::from_ms(length))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn the_next_opening_is_the_first_that_the_clock_on_the_wall_shows((hours, zones, from, length) in cases()) {
        let soon = from + Millis::from_days(7);
        let own = &zones[..1];
        match first_opening(&hours, own, from, length) {
            Some(at) => prop_assert_eq!(hours.next_open(zones[0], from, length), at),
            None => prop_assert!(hours.next_open(zones[0], from, length) > soon),
        }
        match first_opening(&hours, &zones, from, length) {
            Some(at) => prop_assert_eq!(hours.next_open_everywhere(&zones, from, length), at),
            None => prop_assert!(hours.next_open_everywhere(&zones, from, length) > soon),
        }
        let clock = Clock::read(zones[0], from, from + length);
        prop_assert_eq!(hours.allows(&clock), first_opening(&hours, own, from, length) == Some(from));
    }
}

#[test]
fn an_opening_is_looked_for_four_hundred_days_ahead() {
    let utc = zone("UTC");
    let from = instant("2026-01-01T00:00:00Z");
    let opens_after = |days: i32| {
        let day = [Span { from_ms: 3_600_000, to_ms: DAY_MS as u32 }];
        let hours = Hours { dates: [(date(2026, 1, 1) + days, normalise(day))].into(), ..Hours::default() };
        hours.next_open(utc, from, Millis::from_mins(1))
    };
    assert_eq!(opens_after(399), from + Millis::from_hours(399 * 24 + 1));
    assert_eq!(opens_after(400), Timestamp::NEVER, "no rule closes for a year");
    assert_eq!(Hours::default().next_open(utc, from, Millis::ZERO), Timestamp::NEVER);
    assert_eq!(Hours::always().next_open(utc, from, Millis::from_days(300)), from);
}

#[test]
fn where_no_instant_suits_everybody_there_is_none() {
    let morning = normalise([Span { from_ms: 9 * 3_600_000, to_ms: 12 * 3_600_000 }]);
    let hours = Hours { week: std::array::from_fn(|_| morning.clone()), ..Hours::default() };
    let from = instant("2026-01-01T00:00:00Z");
    let of = |zones: &[&str]| {
        let zones: Vec<ZoneId> = zones.iter().map(|name| zone(name)).collect();
        hours.next_open_everywhere(&zones, from, Millis::from_mins(1))
    };
    assert_eq!(of(&[]), Timestamp::NEVER, "nobody knows the place");
    assert_eq!(of(&["America/New_York"]), instant("2026-01-01T14:00:00Z"));
    assert_eq!(of(&["America/New_York", "America/Chicago"]), instant("2026-01-01T15:00:00Z"));
    assert_eq!(of(&["America/Los_Angeles", "Asia/Tokyo"]), Timestamp::NEVER);
}

#[test]
fn stretches_of_a_day_are_sorted_joined_and_cut_at_midnight() {
    let of = |spans: &[(u32, u32)]| {
        let spans = spans.iter().map(|(from_ms, to_ms)| Span { from_ms: *from_ms, to_ms: *to_ms });
        normalise(spans).iter().map(|s| (s.from_ms, s.to_ms)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[(50, 60), (10, 20)]), [(10, 20), (50, 60)]);
    assert_eq!(of(&[(10, 20), (20, 30)]), [(10, 30)], "touching ones are one");
    assert_eq!(of(&[(10, 20), (21, 30)]), [(10, 20), (21, 30)]);
    assert_eq!(of(&[(10, 40), (15, 20)]), [(10, 40)], "one within another");
    assert_eq!(of(&[(10, 10), (30, 20)]), []);
    assert_eq!(of(&[(86_399_000, 90_000_000)]), [(86_399_000, 86_400_000)]);
    assert_eq!(of(&[(86_400_000, 90_000_000)]), []);
}

#[test]
fn easter_falls_where_the_churches_table_says() {
    // Days after 21 March, from 1990 to 2100.
    const TABLE: [i32; 111] = [
        25, 10, 29, 21, 13, 26, 17, 9, 22, 14, 33, 25, 10, 30, 21, 6, 26, 18, 2, 22, 14, 34, 18, 10, 30, 15, 6, 26, 11,
        31, 22, 14, 27, 19, 10, 30, 15, 7, 26, 11, 31, 23, 7, 27, 19, 4, 23, 15, 35, 20, 11, 31, 16, 8, 27, 19, 4, 24,
        15, 28, 20, 12, 31, 16, 8, 28, 12, 32, 24, 9, 28, 20, 5, 25, 16, 8, 21, 13, 32, 24, 9, 29, 20, 5, 25, 17, 29,
        21, 13, 33, 17, 9, 29, 14, 5, 25, 10, 30, 21, 13, 26, 18, 9, 22, 14, 34, 25, 10, 30, 22, 7,
    ];
    for (year, days) in (1990..).zip(TABLE) {
        assert_eq!(easter(year), Some(date(year, 3, 21) + days), "{year}");
    }
    // The earliest and the latest that there are, and other centuries.
    for (year, month, day) in [(1600, 4, 2), (1734, 4, 25), (1818, 3, 22), (1943, 4, 25), (2285, 3, 22), (2400, 4, 16)]
    {
        assert_eq!(easter(year), Some(date(year, month, day)), "{year}");
    }
    let friday = DayRule::Easter { days: -2 };
    assert_eq!(friday.in_year(2026), Some(date(2026, 4, 3)));
    assert_eq!(DayRule::Easter { days: 1 }.in_year(2026), Some(date(2026, 4, 6)));
}

#[test]
fn the_nth_weekday_of_a_month_is_found_by_counting() {
    for year in 2023..=2028 {
        for month in 1..=12 {
            for wanted in 0..7u8 {
                let days: Vec<Day> = (1..=31).filter_map(|day| day_number(year, month, day)).collect();
                let fitting: Vec<Day> =
                    days.iter().copied().filter(|day| weekday(*day) == usize::from(wanted)).collect();
                for n in 1..=5i8 {
                    let rule = |n| DayRule::Nth { month, weekday: wanted, n }.in_year(year);
                    let index = n as usize - 1;
                    assert_eq!(rule(n), fitting.get(index).copied(), "{year}-{month} {wanted} {n}");
                    assert_eq!(rule(-n), fitting.iter().rev().nth(index).copied(), "{year}-{month} {wanted} -{n}");
                }
                let before = DayRule::OnOrBefore { month, day: 24, weekday: wanted }.in_year(year).expect("a day");
                let last = date(year, month, 24);
                assert!(weekday(before) == usize::from(wanted) && (last - 6..=last).contains(&before));
            }
        }
    }
}

#[test]
fn a_calendar_holds_its_days_and_no_others() {
    let all = date(1990, 1, 1)..=date(2100, 12, 31);
    let none = Calendar::new("none", &[], Observed::AsIs);
    assert!(all.clone().all(|day| !none.contains(day)));
    assert!(none.contains(*all.start() - 1) && none.contains(date(1890, 5, 5)) && none.contains(date(2200, 5, 5)));
    assert_eq!(none.name(), "none");
    let rules = [DayRule::Date { month: 7, day: 4 }, DayRule::Date { month: 2, day: 29 }];
    let fourth = Calendar::new("fourth", &rules, Observed::AsIs);
    let kept: std::collections::BTreeSet<Day> =
        (1990..=2100).flat_map(|year| [day_number(year, 7, 4), day_number(year, 2, 29)]).flatten().collect();
    assert!(all.clone().all(|day| fourth.contains(day) == kept.contains(&day)));
}

#[test]
fn a_holiday_on_a_weekend_is_kept_on_a_working_day_too_even_across_the_year() {
    let new_years_eve = [DayRule::Date { month: 12, day: 31 }];
    let new_year = [DayRule::Date { month: 1, day: 1 }];
    // 31 December 1989 was a Sunday, 1 January 2101 will be a Saturday.
    assert!(Calendar::new("c", &new_years_eve, Observed::Next).contains(date(1990, 1, 1)));
    assert!(!Calendar::new("c", &new_years_eve, Observed::Next).contains(date(1990, 1, 2)));
    assert!(Calendar::new("c", &new_year, Observed::Nearest).contains(date(2100, 12, 31)));
    assert!(!Calendar::new("c", &new_year, Observed::AsIs).contains(date(2100, 12, 31)));
    let christmas = [DayRule::Date { month: 12, day: 25 }, DayRule::Date { month: 12, day: 26 }];
    let next = Calendar::new("c", &christmas, Observed::Next);
    // 2022: Sunday and Monday, so that the Tuesday is kept; 2024: Wednesday and Thursday.
    assert!(next.contains(date(2022, 12, 27)) && !next.contains(date(2022, 12, 28)));
    assert!((27..=31).all(|day| !next.contains(date(2024, 12, day))));
    // Weekday holidays stay where they are.
    let nearest = Calendar::new("c", &christmas, Observed::Nearest);
    assert!(!nearest.contains(date(2024, 12, 24)) && !nearest.contains(date(2024, 12, 27)));
}
