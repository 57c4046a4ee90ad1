//! Countries by ISO 3166-1 code or by the names that people write in lists.

use super::country_names::{NAMES, SYNONYMS};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::sync::OnceLock;

/// A country as its ISO 3166-1 alpha-2 code, two bytes.
///
/// Only codes of the standard exist as values, plus `XK` (Kosovo), `AC` (Ascension Island) and
/// `TA` (Tristan da Cunha), which have telephone numbers but no code of the standard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The United States, the default of every list that names no country.
    pub const US: Country = Country(*b"US");
    /// Canada.
    pub const CA: Country = Country(*b"CA");
    /// The United Kingdom.
    pub const GB: Country = Country(*b"GB");

    /// From an alpha-2 code in either case: `US`, `gb`. `None` if no country has it.
    pub fn from_code(code: &str) -> Option<Country> {
        let [a, b] = code.as_bytes() else { return None };
        let wanted = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
        let found = NAMES.binary_search_by(|(alpha2, _, _)| alpha2.as_bytes().cmp(&wanted[..]));
        found.ok().map(|_| Country(wanted))
    }

    /// From whatever a list says: an alpha-2 or alpha-3 code or a name, in any case, with or
    /// without dots, spaces and accents (`US`, `usa`, `U.S.A.`, `United Kingdom`, `Deutschland`).
    /// `None` if it names no country that we know, or is empty.
    pub fn parse(text: &str) -> Option<Country> {
        let text = text.trim();
        if let Some(country) = Country::from_code(text) {
            return Some(country);
        }
        let folded = fold(text);
        let index = names();
        let found = index.binary_search_by(|(name, _)| name.as_str().cmp(&folded)).ok()?;
        Some(index[found].1)
    }

    /// The alpha-2 code in upper case.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// The English name.
    pub fn name(&self) -> &'static str {
        match NAMES.binary_search_by(|(alpha2, _, _)| alpha2.as_bytes().cmp(&self.0[..])) {
            Ok(at) => NAMES[at].2,
            Err(_) => "",
        }
    }

    /// Every country, by code.
    pub fn all() -> impl Iterator<Item = Country> {
        NAMES.iter().filter_map(|(alpha2, _, _)| Country::from_code(alpha2))
    }
}

/// Folded names and codes, sorted for binary search.
fn names() -> &'static [(String, Country)] {
    static INDEX: OnceLock<Vec<(String, Country)>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let official = NAMES.iter().flat_map(|(alpha2, alpha3, name)| [(*alpha3, *alpha2), (*name, *alpha2)]);
        let all = official.chain(SYNONYMS.iter().copied());
        let mut index: Vec<_> =
            all.filter_map(|(name, alpha2)| Some((fold(name), Country::from_code(alpha2)?))).collect();
        index.sort();
        index.dedup();
        index
    })
}

/// Letters only, lower case, without the accents that keyboards drop.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => folded.push('a'),
            'è' | 'é' | 'ê' | 'ë' => folded.push('e'),
            'ì' | 'í' | 'î' | 'ï' => folded.push('i'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => folded.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => folded.push('u'),
            'ç' => folded.push('c'),
            'ñ' => folded.push('n'),
            '&' => folded.push_str("and"),
            c if c.is_alphabetic() => folded.push(c),
            _ => {}
        }
    }
    match folded.strip_prefix("the") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => folded,
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl Serialize for Country {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Country::from_code(&text).ok_or_else(|| de::Error::custom("not an ISO 3166-1 alpha-2 country code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_of_one_country_agree() {
        for (alpha2, alpha3, name) in NAMES {
            let country = Country::from_code(alpha2).expect(alpha2);
            assert_eq!(Country::parse(alpha3), Some(country), "{alpha3}");
            assert_eq!(Country::parse(name), Some(country), "{name}");
            assert_eq!(Country::parse(&name.to_uppercase()), Some(country), "{name}");
            assert_eq!(country.name(), *name);
        }
        for (synonym, alpha2) in SYNONYMS {
            assert_eq!(Country::parse(synonym), Country::from_code(alpha2), "{synonym}");
        }
        assert_eq!(Country::all().count(), NAMES.len());
    }

    #[test]
    fn no_folded_name_means_two_countries() {
        let index = names();
        for pair in index.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{:?} and {:?}", pair[0], pair[1]);
        }
    }

    #[test]
    fn table_is_sorted_by_code() {
        assert!(NAMES.windows(2).all(|w| w[0].0 < w[1].0));
    }

    #[test]
    fn spellings_found_in_lists() {
        for (text, code) in [
            (" us ", "US"),
            ("U.S.A.", "US"),
            ("united states", "US"),
            ("Great Britain", "GB"),
            ("UK", "GB"),
            ("DEU", "DE"),
            ("Österreich", "AT"),
            ("The Netherlands", "NL"),
            ("Cote d'Ivoire", "CI"),
            ("Trinidad & Tobago", "TT"),
        ] {
            assert_eq!(Country::parse(text).map(|c| c.code().to_owned()).as_deref(), Some(code), "{text}");
        }
        for text in ["", "  ", "ZZ", "Atlantis", "1", "US CA", "the"] {
            assert_eq!(Country::parse(text), None, "{text}");
        }
    }
}
