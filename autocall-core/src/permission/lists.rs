//! The internal do-not-call lists: numbers, ranges and prefixes with reason, source and end.
//!
//! Stores hold the rows and find single numbers by index; ranges and prefixes are few and are read
//! as one [`Patterns`], which answers in a bounded number of steps.

use crate::id::CampaignId;
use crate::{Phone, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Digits of the longest E.164 number.
const DIGITS_MAX: u32 = 15;

/// Which numbers an entry names. Text form: `+14155550123`, `+14155550100-+14155550199`, `+1900*`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// One number.
    Number(Phone),
    /// Every number from the first to the last, both included; they have equally many digits.
    Range(Phone, Phone),
    /// Every number whose digits begin with these (at least one).
    Prefix(u64),
}

/// A text that is no pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// Not E.164.
    #[error("expected +14155550123, +14155550100-+14155550199 or +1900*")]
    Form,
    /// The last number is before the first, or has another count of digits.
    #[error("the range ends before it begins, or its ends differ in length")]
    Range,
}

impl Pattern {
    /// Whether the number is named.
    pub fn covers(self, phone: Phone) -> bool {
        match self {
            Pattern::Number(own) => own == phone,
            Pattern::Range(first, last) => first <= phone && phone <= last,
            Pattern::Prefix(digits) => prefixes(phone).any(|p| p == digits),
        }
    }
}

/// Every beginning of the number's digits, shortest first: the keys under which a prefix is found.
pub fn prefixes(phone: Phone) -> impl Iterator<Item = u64> {
    let length = phone.digits().checked_ilog10().map_or(1, |n| n + 1);
    (1..=length).map(move |n| phone.digits() / 10u64.pow(length - n))
}

impl FromStr for Pattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let phone = |text: &str| Phone::from_e164(text.trim()).ok_or(PatternError::Form);
        if let Some(prefix) = text.strip_suffix('*') {
            let digits = prefix.strip_prefix('+').ok_or(PatternError::Form)?;
            let fits = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            return match digits.parse() {
                Ok(digits) if fits && digits < 10u64.pow(DIGITS_MAX) => Ok(Pattern::Prefix(digits)),
                _ => Err(PatternError::Form),
            };
        }
        let Some((first, last)) = text.split_once('-') else { return phone(text).map(Pattern::Number) };
        let (first, last) = (phone(first)?, phone(last)?);
        if last < first || last.digits().ilog10() != first.digits().ilog10() {
            return Err(PatternError::Range);
        }
        Ok(Pattern::Range(first, last))
    }
}
impl Pattern {
    /// The text form, with full numbers: for stores and exports, never for a log.
    pub fn text(self) -> String {
        match self {
            Pattern::Number(phone) => phone.e164(),
            Pattern::Range(first, last) => format!("{}-{}", first.e164(), last.e164()),
            Pattern::Prefix(digits) => format!("+{digits}*"),
        }
    }
}
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Number(phone) => fmt::Debug::fmt(phone, f),
            Pattern::Range(first, last) => write!(f, "{first:?}-{last:?}"),
            // A long prefix is close to a number.
            Pattern::Prefix(digits) if *digits < 10_000_000 => write!(f, "+{digits}*"),
            Pattern::Prefix(_) => f.write_str("+•••*"),
        }
    }
}
impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text())
    }
}
impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One row of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Which numbers.
    pub pattern: Pattern,
    /// Only for this campaign; for the whole tenant where absent.
    #[serde(default)]
    pub campaign: Option<CampaignId>,
    /// Why: `opt-out`, `litigator`, `upload`…
    pub reason: Arc<str>,
    /// Where it came from: a call, a file, a person.
    pub source: Arc<str>,
    /// When it was added; it holds from then on.
    pub added_at: Timestamp,
    /// Until when; for good where absent.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl Entry {
    /// Until when it forbids; [`Timestamp::NEVER`] is for good.
    pub fn ends(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::NEVER)
    }
}

/// The shortest prefixes that cover every number from `first` to `last` and no other of that length;
/// `None` where the two have not one length or stand the wrong way round. At most 18 for each digit.
pub fn covering_prefixes(first: Phone, last: Phone) -> Option<Vec<u64>> {
    let (mut from, to) = (first.digits(), last.digits());
    if from > to || from.ilog10() != to.ilog10() {
        return None;
    }
    let mut out = Vec::new();
    while from <= to {
        // The largest power of ten that begins at `from` and ends at or before `to`.
        let mut size = 1;
        while from % (size * 10) == 0 && from + size * 10 - 1 <= to && from / (size * 10) > 0 {
            size *= 10;
        }
        out.push(from / size);
        from += size;
    }
    Some(out)
}

/// Ranges and prefixes (and numbers) of one list, cut into stretches that do not overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patterns {
    /// First number, last number, until when. Sorted and apart from each other.
    stretches: Vec<(u64, u64, Timestamp)>,
    prefixes: BTreeMap<u64, Timestamp>,
}

impl Patterns {
    /// From entries in any order; where several name a number the one that ends last holds.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Patterns {
        let mut out = Patterns::default();
        let mut raw = Vec::new();
        for entry in entries {
            match entry.pattern {
                Pattern::Number(phone) => raw.push((phone.digits(), phone.digits(), entry.ends())),
                Pattern::Range(first, last) => raw.push((first.digits(), last.digits(), entry.ends())),
                Pattern::Prefix(digits) => {
                    let until = out.prefixes.entry(digits).or_insert(entry.ends());
                    *until = (*until).max(entry.ends());
                }
            }
        }
        out.stretches = cut(raw);
        out
    }

    /// Until when the number is listed; `None` if it is not at `now`. At most 15 look-ups and one
    /// binary search.
    pub fn listed_until(&self, phone: Phone, now: Timestamp) -> Option<Timestamp> {
        let digits = phone.digits();
        let place = self.stretches.partition_point(|(first, _, _)| *first <= digits);
        let stretch = place.checked_sub(1).map(|i| self.stretches[i]).filter(|(_, last, _)| digits <= *last);
        let prefix = prefixes(phone).filter_map(|p| self.prefixes.get(&p).copied()).max();
        stretch.map(|(_, _, until)| until).max(prefix).filter(|until| *until > now)
    }
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty() && self.prefixes.is_empty()
    }
}

/// Cuts overlapping stretches apart; each part keeps the latest end of those over it.
fn cut(raw: Vec<(u64, u64, Timestamp)>) -> Vec<(u64, u64, Timestamp)> {
    // Ends begin and stop to count at these numbers; a multiset of those that count now.
    let mut edges: Vec<(u64, bool, Timestamp)> = Vec::with_capacity(raw.len() * 2);
    for (first, last, until) in raw {
        edges.push((first, true, until));
        edges.push((last + 1, false, until));
    }
    edges.sort_unstable();
    let mut counting: BTreeMap<Timestamp, usize> = BTreeMap::new();
    let mut out: Vec<(u64, u64, Timestamp)> = Vec::new();
    let mut from = 0;
    for (at, begins, until) in edges {
        if let (true, Some((latest, _))) = (at > from, counting.last_key_value()) {
            match out.last_mut() {
                Some((_, last, known)) if *last + 1 == from && known == latest => *last = at - 1,
                _ => out.push((from, at - 1, *latest)),
            }
        }
        from = at;
        if begins {
            *counting.entry(until).or_default() += 1;
        } else if let Some(count) = counting.get_mut(&until) {
            *count -= 1;
            if *count == 0 {
                counting.remove(&until);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(text: &str, until: Option<i64>) -> Entry {
        Entry {
            pattern: text.parse().unwrap_or_else(|e| panic!("{text}: {e}")),
            campaign: None,
            reason: "test".into(),
            source: "test".into(),
            added_at: Timestamp::EPOCH,
            until: until.map(Timestamp::from_secs),
        }
    }

    #[test]
    fn patterns_read_back_and_hide_numbers() {
        for text in ["+14155550123", "+14155550100-+14155550199", "+1900*"] {
            let pattern: Pattern = text.parse().expect("a pattern");
            assert_eq!(pattern.text(), text);
            assert!(!format!("{pattern:?}").contains("555"), "{pattern:?}");
        }
        assert_eq!(format!("{:?}", "+14155550*".parse::<Pattern>().expect("a prefix")), "+•••*");
        for wrong in ["*", "+*", "+0*", "14155550123", "+1415a*", "+14155550199-+14155550100", "+1415555-+14155550100"]
        {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_covered_exactly() {
        let phone = |digits| Phone::from_digits(digits).expect("a number");
        let cover = |from, to| covering_prefixes(phone(from), phone(to));
        assert_eq!(cover(14_155_550_100, 14_155_550_199), Some(vec![141_555_501]));
        assert_eq!(cover(14_155_550_100, 14_155_550_100), Some(vec![14_155_550_100]));
        assert_eq!(cover(14_155_550_199, 14_155_550_100), None);
        assert_eq!(cover(14_155_550_100, 441_234_567_890), None, "lengths differ");
        for (from, to) in [(14_155_550_098, 14_155_551_203), (14_155_549_999, 14_155_550_000)] {
            let prefixes = cover(from, to).expect("a range");
            assert!(prefixes.len() < 40, "{prefixes:?}");
            let covered = |n: u64| prefixes.iter().any(|p| n.to_string().starts_with(&p.to_string()));
            for n in from - 300..to + 300 {
                assert_eq!(covered(n), (from..=to).contains(&n), "{n}");
            }
        }
    }

    #[test]
    fn an_entry_ends_when_it_says() {
        let patterns = Patterns::new(&[entry("+1900*", None), entry("+14155550100-+14155550199", Some(100))]);
        let phone = |text| Phone::from_e164(text).expect("a number");
        let at = Timestamp::from_secs;
        assert_eq!(patterns.listed_until(phone("+19005550123"), at(5)), Some(Timestamp::NEVER));
        assert_eq!(patterns.listed_until(phone("+14155550150"), at(99)), Some(at(100)));
        assert_eq!(patterns.listed_until(phone("+14155550150"), at(100)), None);
        assert_eq!(patterns.listed_until(phone("+14155550200"), at(5)), None);
    }

    proptest! {
        #[test]
        fn patterns_answer_like_their_entries(
            raw in prop::collection::vec((0u64..60, 0u64..12, prop::option::of(0i64..40), 0u8..4), 0..25),
            now in 0i64..40,
        ) {
            let entries: Vec<Entry> = raw.into_iter().map(|(first, more, until, kind)| {
                let first = 14_155_550_100 + first;
                let text = match kind {
                    0 => format!("+{first}"),
                    1 => format!("+{}*", first / 10),
                    _ => format!("+{first}-+{}", first + more),
                };
                entry(&text, until)
            }).collect();
            let patterns = Patterns::new(&entries);
            let now = Timestamp::from_secs(now);
            for digits in 14_155_550_090..14_155_550_190u64 {
                let phone = Phone::from_digits(digits).expect("a number");
                let wanted = entries.iter().filter(|e| e.pattern.covers(phone) && e.ends() > now).map(Entry::ends).max();
                prop_assert_eq!(patterns.listed_until(phone, now), wanted);
            }
        }
    }

    #[test]
    fn patterns_cover_exactly_what_they_say() {
        let phone = |text: &str| Phone::from_e164(text).expect("a number");
        let covers = |pattern: &str, number: &str| pattern.parse::<Pattern>().expect(pattern).covers(phone(number));
        let range = "+14155550100-+14155550199";
        assert!(covers("+14155550123", "+14155550123") && !covers("+14155550123", "+14155550124"));
        assert!(covers(range, "+14155550100") && covers(range, "+14155550199"));
        assert!(!covers(range, "+14155550099") && !covers(range, "+14155550200"));
        assert!(covers("+1415*", "+14155550123") && covers("+14155550123*", "+14155550123"));
        assert!(!covers("+1415*", "+14165550123") && !covers("+4155*", "+14155550123"));
        assert!(covers("+1*", "+14155550123") && !covers("+44*", "+14155550123"));
        assert_eq!(prefixes(phone("+14155550123")).take(4).collect::<Vec<_>>(), [1, 14, 141, 1415]);
        assert_eq!(prefixes(phone("+14155550123")).last(), Some(14_155_550_123));
        let one: Pattern = "+14155550123-+14155550123".parse().expect("a range of one");
        assert!(one.covers(phone("+14155550123")));
        for wrong in ["+1000000000000000*", "+14155550123-+441234567890", "+1 415*", "+٤*"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
        assert!("+999999999999999*".parse::<Pattern>().is_ok(), "fifteen digits");
        assert_eq!(format!("{:?}", "+9999999*".parse::<Pattern>().expect("seven digits")), "+9999999*");
        assert_eq!(format!("{:?}", "+10000000*".parse::<Pattern>().expect("eight digits")), "+•••*");
        let text = serde_json::to_string(&one).expect("plain data");
        assert_eq!(serde_json::from_str::<Pattern>(&text).expect("own text"), one);
    }

    #[test]
    fn stretches_that_touch_and_end_together_are_one() {
        let of = |texts: &[(&str, Option<i64>)]| {
            let entries: Vec<Entry> = texts.iter().map(|(text, until)| entry(text, *until)).collect();
            Patterns::new(&entries)
        };
        let joined = of(&[("+14155550100-+14155550109", Some(9)), ("+14155550110-+14155550119", Some(9))]);
        assert_eq!(joined, of(&[("+14155550100-+14155550119", Some(9))]));
        let apart = of(&[("+14155550100-+14155550109", Some(9)), ("+14155550111-+14155550119", Some(9))]);
        assert_eq!(apart.stretches.len(), 2);
        let shorter = of(&[("+14155550100-+14155550109", Some(9)), ("+14155550110-+14155550119", Some(8))]);
        assert_eq!(shorter.stretches.len(), 2);
        let nested = of(&[("+14155550100-+14155550109", Some(9)), ("+14155550104", Some(5))]);
        assert_eq!(nested.stretches.len(), 1, "a shorter end within a longer one says nothing");
        assert!(of(&[]).is_empty() && !joined.is_empty() && !of(&[("+1900*", None)]).is_empty());
        let both = of(&[("+1900*", Some(5)), ("+1900*", Some(9)), ("+1900*", Some(7))]);
        let number = Phone::from_e164("+19005550123").expect("a number");
        assert_eq!(both.listed_until(number, Timestamp::from_secs(1)), Some(Timestamp::from_secs(9)));
    }

    #[test]
    fn a_range_is_covered_by_as_few_prefixes_as_there_are() {
        let cover = |from: u64, to: u64| {
            let phone = |digits| Phone::from_digits(digits).expect("a number");
            covering_prefixes(phone(from), phone(to)).expect("a range")
        };
        assert_eq!(cover(14_155_550_100, 14_155_551_099), (141_555_501..=141_555_510).collect::<Vec<u64>>());
        assert_eq!(cover(14_155_550_000, 14_155_559_999), [1_415_555]);
        assert_eq!(cover(10_000_000_000, 19_999_999_999), [1], "a whole calling code");
        assert_eq!(cover(14_155_550_099, 14_155_550_110), [14_155_550_099, 1_415_555_010, 14_155_550_110]);
    }
}
