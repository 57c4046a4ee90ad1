//! Open hours as people write them: `mon-fri 09:00-18:00; sat 10:00-17:00`.
//!
//! Parts are separated by `;`. A part is days, then one or more stretches separated by commas, or
//! `closed`. Days are `mon` to `sun`, ranges of them, or `daily`. Days that are not named are
//! closed. `24:00` is the end of the day.

use super::hours::{DaySpans, Span, normalise};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Why a text is not a schedule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} in {part:?}")]
pub struct ScheduleError {
    /// The part that is wrong.
    pub part: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn wrong<T>(part: &str, reason: &'static str) -> Result<T, ScheduleError> {
    Err(ScheduleError { part: part.trim().to_owned(), reason })
}

/// Reads a week, Monday first.
pub fn parse_week(text: &str) -> Result<[DaySpans; 7], ScheduleError> {
    let mut week: [Option<DaySpans>; 7] = std::array::from_fn(|_| None);
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let Some((days, spans)) = part.split_once(char::is_whitespace) else {
            return wrong(part, "expected days and then hours");
        };
        let spans = parse_spans(spans)?;
        for day in parse_days(days)? {
            if week[day].replace(spans.clone()).is_some() {
                return wrong(part, "a day is named twice");
            }
        }
    }
    Ok(week.map(Option::unwrap_or_default))
}

/// Reads the stretches of one day: `10:00-13:00, 14:00-20:00`, or `closed`.
pub fn parse_spans(text: &str) -> Result<DaySpans, ScheduleError> {
    if text.trim() == "closed" {
        return Ok(DaySpans::new());
    }
    let mut spans = Vec::new();
    for stretch in text.split(',') {
        let Some((from, to)) = stretch.split_once('-') else {
            return wrong(stretch, "expected from-to");
        };
        let (from_ms, to_ms) = (parse_clock(from)?, parse_clock(to)?);
        if from_ms >= to_ms {
            return wrong(stretch, "the end is not after the start");
        }
        spans.push(Span { from_ms, to_ms });
    }
    Ok(normalise(spans))
}

fn parse_days(text: &str) -> Result<Vec<usize>, ScheduleError> {
    let mut out = Vec::new();
    for item in text.split(',') {
        if item == "daily" {
            out.extend(0..7);
            continue;
        }
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let find = |name: &str| DAYS.iter().position(|d| *d == name.to_ascii_lowercase());
        match (find(first), find(last)) {
            (Some(first), Some(last)) if first <= last => out.extend(first..=last),
            (Some(first), Some(last)) => out.extend((first..7).chain(0..=last)),
            _ => return wrong(item, "unknown day: expected mon, tue, wed, thu, fri, sat, sun or daily"),
        }
    }
    Ok(out)
}

/// Milliseconds after midnight of `HH:MM`.
fn parse_clock(text: &str) -> Result<u32, ScheduleError> {
    let text = text.trim();
    let parsed = text.split_once(':').and_then(|(h, m)| {
        let digits = |s: &str| s.len() <= 2 && !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        (digits(h) && m.len() == 2 && digits(m)).then(|| (h.parse::<u32>().ok(), m.parse::<u32>().ok()))
    });
    match parsed {
        Some((Some(h), Some(m))) if m < 60 && (h < 24 || (h == 24 && m == 0)) => Ok((h * 60 + m) * 60_000),
        _ => wrong(text, "expected a time as HH:MM"),
    }
}

/// One day's spans as text, `closed` if there are none.
pub fn spans_text(spans: &[Span]) -> String {
    if spans.is_empty() {
        return "closed".to_owned();
    }
    let clock = |ms: u32| format!("{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60);
    let stretches: Vec<String> = spans.iter().map(|s| format!("{}-{}", clock(s.from_ms), clock(s.to_ms))).collect();
    stretches.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_reads_as_written() {
        let week = parse_week("mon-fri 10:00-13:00, 14:00-20:00; sat 9:00-12:00").expect("valid");
        assert_eq!(spans_text(&week[0]), "10:00-13:00, 14:00-20:00");
        assert_eq!(week[0], week[4]);
        assert_eq!(spans_text(&week[5]), "09:00-12:00");
        assert_eq!(spans_text(&week[6]), "closed");
        let wrapped = parse_week("sat-mon 08:00-24:00").expect("valid");
        assert!(!wrapped[0].is_empty() && wrapped[1].is_empty() && !wrapped[5].is_empty() && !wrapped[6].is_empty());
        let daily = parse_week("daily 00:00-12:00,12:00-24:00").expect("valid");
        assert_eq!(daily[3].len(), 1, "touching stretches are one");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("mon 9-17", "9"),
            ("mon 17:00-09:00", "17:00-09:00"),
            ("funday 09:00-17:00", "funday"),
            ("mon 09:00-17:00; mon-tue 10:00-11:00", "mon-tue 10:00-11:00"),
            ("mon", "mon"),
            ("mon 09:60-10:00", "09:60"),
            ("mon 09:00-24:01", "24:01"),
            ("mon +9:00-10:00", "+9:00"),
        ] {
            assert_eq!(parse_week(text).expect_err(text).part, part, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read_to_the_minute() {
        let spans = |text: &str| parse_spans(text).map(|s| s.iter().map(|s| (s.from_ms, s.to_ms)).collect::<Vec<_>>());
        assert_eq!(spans("00:00-24:00"), Ok(vec![(0, 86_400_000)]));
        assert_eq!(spans("9:05-23:59"), Ok(vec![(32_700_000, 86_340_000)]));
        assert_eq!(spans(" closed "), Ok(Vec::new()));
        assert_eq!(spans("10:00-11:00,08:00-09:30"), Ok(vec![(28_800_000, 34_200_000), (36_000_000, 39_600_000)]));
        for wrong in [
            "",
            "09:00",
            "09:00-09:00",
            "10:00-09:00",
            "25:00-26:00",
            "24:01-24:02",
            "09:5-10:00",
            "009:00-10:00",
            "a:00-10:00",
            "09:0a-10:00",
            ":00-10:00",
            "09:600-10:00",
            "09:60-11:00",
            "24:30-25:00",
        ] {
            assert!(spans(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(spans_text(&parse_spans("9:05-23:59").expect("valid")), "09:05-23:59");
        let week = parse_week("; SAT,mon 08:00-09:00;; tue-wed closed ;").expect("valid");
        assert_eq!(week.iter().map(|day| day.len()).collect::<Vec<_>>(), [1, 0, 0, 0, 0, 1, 0]);
        let one = parse_week("fri-fri 08:00-09:00").expect("valid");
        assert_eq!(one.iter().map(|day| day.len()).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 0, 0]);
        assert!(parse_week("mon-xyz 08:00-09:00").is_err() && parse_week("xyz-mon 08:00-09:00").is_err());
    }
}
