//! Telephone numbers as E.164 (ITU-T Recommendation E.164: at most 15 digits).

mod country;
mod country_names;
mod engine;
mod error;
mod line;
mod nanp;
mod normalise;

pub use country::Country;
pub use engine::Engine;
pub use error::PhoneError;
pub use line::LineType;
pub use normalise::{Normal, normalise, normalise_by, thorough};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A telephone number in E.164, eight bytes, without the plus sign.
///
/// `Debug` and `Display` redact (`+1415•••71`); the digits come out only through [`Phone::e164`]
/// or [`Phone::digits`]. Serialisation writes the full number: where that goes is the caller's
/// duty (a store seals it; a log never sees it).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(u64);

impl Phone {
    /// From digits as a number: `14155552671`. `None` if that cannot be E.164
    /// (fewer than 5 or more than 15 digits).
    pub const fn from_digits(digits: u64) -> Option<Phone> {
        if digits >= 10_000 && digits <= 999_999_999_999_999 { Some(Phone(digits)) } else { None }
    }
    /// From canonical text: a plus sign and digits only. National formats are the business of
    /// the normaliser.
    pub fn from_e164(text: &str) -> Option<Phone> {
        let digits = text.strip_prefix('+')?;
        if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.len() > 15 {
            return None;
        }
        Phone::from_digits(digits.parse().ok()?)
    }
    /// The digits as a number, country code first. Full personal data: never log it.
    pub const fn digits(self) -> u64 {
        self.0
    }
    /// The full number, `+14155552671`. Full personal data: never log it.
    pub fn e164(self) -> String {
        format!("+{}", self.0)
    }
    /// Whether this is a number of the North American Numbering Plan (country code 1).
    pub const fn is_nanp(self) -> bool {
        self.0 >= 12_000_000_000 && self.0 <= 19_999_999_999
    }
    /// The area code (NPA) of a North American number.
    pub const fn area_code(self) -> Option<u16> {
        if self.is_nanp() { Some(((self.0 / 10_000_000) % 1000) as u16) } else { None }
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let head = text.len().saturating_sub(5).min(4);
        let tail = if text.len() > 7 { 2 } else { 0 };
        write!(f, "+{}•••{}", &text[..head], &text[text.len() - tail..])
    }
}
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Phone {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.e164())
    }
}
impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Phone::from_e164(&s).ok_or_else(|| de::Error::custom("not an E.164 number: expected + and 5 to 15 digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_debug_hide_the_middle() {
        let phone = Phone::from_e164("+14155552671").expect("valid");
        assert_eq!(phone.to_string(), "+1415•••71");
        assert_eq!(format!("{phone:?}"), "+1415•••71");
        assert_eq!(phone.e164(), "+14155552671");
        assert_eq!(phone.area_code(), Some(415));
        let short = Phone::from_digits(49_112).expect("short but possible");
        assert!(!short.to_string().contains("49112"));
    }
}
