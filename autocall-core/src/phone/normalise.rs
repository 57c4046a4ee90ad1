//! From what people write to E.164, or a typed reason.
//!
//! Order: the fast path for numbers of the United States and Canada; then what spreadsheets do to
//! numbers; then the library behind [`super::engine`]; then what we never dial.

use super::engine::{self, Engine, Parsed};
use super::{Country, LineType, Phone, PhoneError, nanp};

/// Longest text that can hold one number, in bytes; anything longer is not a number.
const TEXT_BYTES_MAX: usize = 250;

/// A number that may be dialled.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Normal {
    /// The number in E.164.
    pub phone: Phone,
    /// The country whose numbering plan has it; `None` for international services (`+800…`).
    pub country: Option<Country>,
    /// What kind of line it is, as far as its digits tell.
    pub line: LineType,
    /// Digits to send after the answer (`ext. 12`), if the text had any.
    pub extension: Option<Box<str>>,
}

/// Reads a telephone number as people and spreadsheets write it.
///
/// `country` is the one that a number without a country code belongs to.
/// Never panics, whatever the text.
///
/// # Errors
/// [`PhoneError`] says why the text cannot be dialled; premium-rate and emergency numbers are
/// refused here, so no later stage can dial them by mistake.
pub fn normalise(text: &str, country: Country) -> Result<Normal, PhoneError> {
    match nanp::fast(text.as_bytes(), country) {
        Some(normal) => Ok(normal),
        None => thorough(text, country),
    }
}

/// [`normalise`] without its fast path. The fast path must never differ from this; tests compare.
///
/// # Errors
/// As [`normalise`].
pub fn thorough(text: &str, country: Country) -> Result<Normal, PhoneError> {
    normalise_by(Engine::default(), text, country)
}

/// [`thorough`] with a library of the caller's choice.
///
/// # Errors
/// As [`normalise`].
pub fn normalise_by(engine: Engine, text: &str, country: Country) -> Result<Normal, PhoneError> {
    let text = unwrap_cell(text);
    if text.is_empty() || is_placeholder(text) {
        return Err(PhoneError::Missing);
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(PhoneError::NotANumber);
    }
    if let Some(recovered) = spreadsheet_number(text)? {
        return dialled(engine::parse(engine, &recovered, country)?);
    }
    if is_emergency(text) {
        return Err(PhoneError::Emergency);
    }
    if holds_several(text) {
        return Err(PhoneError::SeveralNumbers);
    }
    match engine::parse(engine, text, country) {
        Ok(parsed) => dialled(parsed),
        Err(error) => match international_00(text).map(|plus| engine::parse(engine, &plus, country)) {
            Some(Ok(parsed)) => dialled(parsed),
            _ => Err(error),
        },
    }
}

/// Our own rules on top of the library's: what must never be dialled.
fn dialled(parsed: Parsed) -> Result<Normal, PhoneError> {
    match parsed.line {
        LineType::PremiumRate => Err(PhoneError::PremiumRate),
        LineType::Pager | LineType::Voicemail => Err(PhoneError::NoPerson),
        line => Ok(Normal { phone: parsed.phone, country: parsed.country, line, extension: parsed.extension }),
    }
}

/// Takes off blanks, invisible marks, and what spreadsheets put around text: `="…"`, `'…`, `"…"`.
fn unwrap_cell(text: &str) -> &str {
    let mut text = trim(text);
    if let Some(formula) = text.strip_prefix('=') {
        text = trim(formula);
    }
    if let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        text = trim(inner);
    }
    text.strip_prefix('\'').map_or(text, trim)
}

/// Blanks, zero-width characters and direction marks at both ends (contacts apps add them).
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    })
}

/// Words and signs that people put where there is no number.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 14] =
        ["n/a", "na", "none", "null", "nil", "no", "-", "--", "---", ".", "?", "unknown", "no phone", "tbd"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) || text.bytes().all(|b| b == b'0') && text.len() > 3
}

/// What a spreadsheet made of a number: `Some` digits where none are lost, an error where some are.
fn spreadsheet_number(text: &str) -> Result<Option<String>, PhoneError> {
    if text.starts_with('#') && !text.bytes().any(|b| b.is_ascii_digit()) {
        return Err(PhoneError::SpreadsheetDamaged);
    }
    let plus = text.starts_with('+');
    let body = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let digits_only = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return Ok(None);
    }
    let sign = if plus { "+" } else { "" };
    let Some(exponent) = exponent else {
        let is_float = whole.len() >= 7 && !fraction.is_empty() && fraction.bytes().all(|b| b == b'0');
        return Ok(is_float.then(|| format!("{sign}{whole}")));
    };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    if exponent.is_empty() || !digits_only(exponent) || whole.len() != 1 {
        return Ok(None);
    }
    // 1.4155552671E+10 still has its eleven digits; with fewer, the rest was rounded away.
    match exponent.parse::<usize>() {
        Ok(exponent) if exponent == fraction.len() && exponent >= 7 => Ok(Some(format!("{sign}{whole}{fraction}"))),
        _ => Err(PhoneError::SpreadsheetDamaged),
    }
}

/// Emergency numbers, alone or behind a prefix that people write: `911`, `+1 911`, `1-911`.
///
/// The list: ITU-T E.161.1 recommends 112 and 911; the others are national ones in wide use.
fn is_emergency(text: &str) -> bool {
    const NUMBERS: [&str; 14] =
        ["911", "112", "999", "000", "111", "110", "118", "119", "113", "115", "190", "191", "192", "193"];
    let mut digits = [0u8; 5];
    let mut count = 0;
    for b in text.bytes() {
        match b {
            b'0'..=b'9' if count < digits.len() => {
                digits[count] = b;
                count += 1;
            }
            b'0'..=b'9' => return false,
            b'+' | b'-' | b'.' | b' ' | b'(' | b')' | b'/' => {}
            _ => return false,
        }
    }
    let digits = &digits[..count];
    let is = |digits: &[u8]| NUMBERS.iter().any(|number| number.as_bytes() == digits);
    match digits {
        [_, _, _] => is(digits),
        // A calling code before it: +1 911, +44 999.
        [b'1', rest @ ..] if rest.len() == 3 => is(rest),
        [_, _, rest @ ..] if rest.len() == 3 && text.starts_with('+') => is(rest),
        _ => false,
    }
}

/// Whether two parts of the text are numbers by themselves: `415-555-2671 / 415-555-2672`.
fn holds_several(text: &str) -> bool {
    const PART_DIGITS_MIN: usize = 7;
    if text.bytes().filter(u8::is_ascii_digit).count() < 2 * PART_DIGITS_MIN || text.starts_with("tel:") {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let parts = lower.split([';', '/', ',', '|', '\n', '&']).flat_map(|part| part.split(" or "));
    parts.filter(|part| part.bytes().filter(u8::is_ascii_digit).count() >= PART_DIGITS_MIN).count() > 1
}

/// `0044 20…` as `+44 20…`. Europe writes 00 for the plus sign; the library understands it only
/// where the row's own country does. No national number of any plan that lacks it begins with 00,
/// and this is tried only after the plain reading has failed.
fn international_00(text: &str) -> Option<String> {
    let rest = text.strip_prefix("00").or_else(|| text.strip_prefix("(00)"))?;
    let rest = rest.trim_start_matches([' ', '-', '.']);
    rest.starts_with(|c: char| matches!(c, '1'..='9')).then(|| format!("+{rest}"))
}
