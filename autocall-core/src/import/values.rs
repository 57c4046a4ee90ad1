//! The words of a row's cells as values.

use crate::phone::Country;
use jiff::tz::TimeZone;

/// What lists write for true and false, in any case; empty is false. `None` for other words: a
/// guess could dial somebody who asked not to be called.
pub(super) fn flag(text: &str) -> Option<bool> {
    const TRUE: [&str; 12] = ["true", "yes", "y", "1", "t", "x", "on", "dnc", "do not call", "ja", "si", "oui"];
    const FALSE: [&str; 10] = ["", "false", "no", "n", "0", "f", "off", "nein", "non", "-"];
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&FALSE) {
        Some(false)
    } else if is(&TRUE) {
        Some(true)
    } else {
        None
    }
}

/// A country by code, name, or calling code where that is plainly one country's (`+44`, `49`).
pub(super) fn country(text: &str) -> Option<Country> {
    #[rustfmt::skip]
    const CALLING_CODES: [(&str, &str); 26] = [
        ("1", "US"), ("27", "ZA"), ("30", "GR"), ("31", "NL"), ("32", "BE"), ("33", "FR"), ("34", "ES"),
        ("36", "HU"), ("39", "IT"), ("40", "RO"), ("41", "CH"), ("43", "AT"), ("44", "GB"), ("45", "DK"),
        ("46", "SE"), ("47", "NO"), ("48", "PL"), ("49", "DE"), ("52", "MX"), ("55", "BR"), ("61", "AU"),
        ("64", "NZ"), ("65", "SG"), ("81", "JP"), ("91", "IN"), ("353", "IE"),
    ];
    let code = text.trim_start_matches(['+', '0']);
    let by_code = CALLING_CODES.iter().find(|(calling_code, _)| *calling_code == code);
    Country::parse(by_code.map_or(text, |(_, country)| country))
}

/// A time zone as its IANA name. Knows IANA names in any case and the names that people in the
/// United States and Canada use for theirs. `None` for others, also for bare offsets: they are
/// wrong for half of the year.
pub(super) fn timezone(text: &str) -> Option<String> {
    #[rustfmt::skip]
    const COMMON: [(&str, &[&str]); 9] = [
        ("America/New_York", &["et", "est", "edt", "eastern", "eastern time", "eastern standard time"]),
        ("America/Chicago", &["ct", "cst", "cdt", "central", "central time", "central standard time"]),
        ("America/Denver", &["mt", "mst", "mdt", "mountain", "mountain time", "mountain standard time"]),
        ("America/Los_Angeles", &["pt", "pst", "pdt", "pacific", "pacific time", "pacific standard time"]),
        ("America/Anchorage", &["akt", "akst", "akdt", "alaska", "alaska time"]),
        ("Pacific/Honolulu", &["ht", "hst", "hawaii", "hawaii time"]),
        ("America/Halifax", &["at", "ast", "adt", "atlantic", "atlantic time"]),
        ("Europe/London", &["bst", "uk", "london"]),
        ("Europe/Berlin", &["cet", "cest", "mez"]),
    ];
    let common = COMMON.iter().find(|(_, words)| words.iter().any(|word| word.eq_ignore_ascii_case(text)));
    if let Some((name, _)) = common {
        return Some((*name).to_owned());
    }
    // `TimeZone::get` also takes POSIX rules; a name has letters and no comma.
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.contains([',', '<', ' ']) {
        return None;
    }
    let zone = TimeZone::get(text).ok()?;
    zone.iana_name().map(str::to_owned)
}

/// First and last name from one cell: `Last, First`, else the first word and the rest.
pub(super) fn split_name(text: &str) -> (&str, &str) {
    if let Some((last, first)) = text.split_once(',') {
        return (first.trim(), last.trim());
    }
    match text.split_once(char::is_whitespace) {
        Some((first, last)) => (first.trim(), last.trim()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        for text in ["TRUE", "true", "Yes", "1", "X"] {
            assert_eq!(flag(text), Some(true), "{text}");
        }
        for text in ["", "FALSE", "no", "0", "N"] {
            assert_eq!(flag(text), Some(false), "{text}");
        }
        for text in ["maybe", "2", "tru", "WAHR?"] {
            assert_eq!(flag(text), None, "{text}");
        }
    }

    #[test]
    fn countries() {
        for (text, code) in [("US", "US"), ("+1", "US"), ("44", "GB"), ("0049", "DE"), ("germany", "DE")] {
            assert_eq!(country(text).map(|c| c.to_string()).as_deref(), Some(code), "{text}");
        }
        assert_eq!(country("+999"), None);
    }

    #[test]
    fn zones() {
        for (text, name) in [
            ("America/New_York", "America/New_York"),
            ("america/los_angeles", "America/Los_Angeles"),
            ("EST", "America/New_York"),
            ("Pacific Time", "America/Los_Angeles"),
            ("Europe/Berlin", "Europe/Berlin"),
        ] {
            assert_eq!(timezone(text).as_deref(), Some(name), "{text}");
        }
        for text in ["UTC-5", "-05:00", "Mars/Olympus", "EST5EDT,M3.2.0,M11.1.0", "x"] {
            assert_eq!(timezone(text), None, "{text}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(split_name("Doe, John"), ("John", "Doe"));
        assert_eq!(split_name("John van der Berg"), ("John", "van der Berg"));
        assert_eq!(split_name("Cher"), ("Cher", ""));
    }
}
