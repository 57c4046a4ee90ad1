//! Why a text is not a number that may be dialled, in words for the person who has to mend it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text cannot be dialled. Never holds the text itself: a phone number is personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PhoneError {
    /// No text.
    Missing,
    /// Text without a number in it.
    NotANumber,
    /// A spreadsheet has replaced digits: `1.41556E+10`, `#####`, `#REF!`. They cannot be recovered.
    SpreadsheetDamaged,
    /// Two or more numbers in one cell.
    SeveralNumbers,
    /// Begins with a country calling code that does not exist, or no country is known.
    UnknownCallingCode,
    /// Fewer digits than any number of the country.
    TooShort,
    /// A local number without its area code.
    AreaCodeMissing,
    /// More digits than any number of the country.
    TooLong,
    /// The right length, but no such number is in use: a wrong digit.
    Impossible,
    /// The called party is paid by the caller: never dialled.
    PremiumRate,
    /// An emergency service: never dialled.
    Emergency,
    /// A pager or a voicemail access number: no person answers.
    NoPerson,
}

impl PhoneError {
    /// All of them, for tables and documentation.
    pub const ALL: [PhoneError; 12] = [
        PhoneError::Missing,
        PhoneError::NotANumber,
        PhoneError::SpreadsheetDamaged,
        PhoneError::SeveralNumbers,
        PhoneError::UnknownCallingCode,
        PhoneError::TooShort,
        PhoneError::AreaCodeMissing,
        PhoneError::TooLong,
        PhoneError::Impossible,
        PhoneError::PremiumRate,
        PhoneError::Emergency,
        PhoneError::NoPerson,
    ];

    /// A stable word for programs, e.g. `spreadsheet_damaged`.
    pub const fn code(self) -> &'static str {
        match self {
            PhoneError::Missing => "phone_missing",
            PhoneError::NotANumber => "not_a_number",
            PhoneError::SpreadsheetDamaged => "spreadsheet_damaged",
            PhoneError::SeveralNumbers => "several_numbers",
            PhoneError::UnknownCallingCode => "unknown_calling_code",
            PhoneError::TooShort => "too_short",
            PhoneError::AreaCodeMissing => "area_code_missing",
            PhoneError::TooLong => "too_long",
            PhoneError::Impossible => "impossible",
            PhoneError::PremiumRate => "premium_rate",
            PhoneError::Emergency => "emergency",
            PhoneError::NoPerson => "no_person",
        }
    }

    /// What the person with the list can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            PhoneError::Missing => "Fill in the phone number, or delete the row.",
            PhoneError::NotANumber => "Put a phone number in this column; move other text to notes.",
            PhoneError::SpreadsheetDamaged => {
                "Its last digits are lost. Format the column as text in the original list and export it again."
            }
            PhoneError::SeveralNumbers => "Keep one number here and put the others in phone2 and phone3.",
            PhoneError::UnknownCallingCode => {
                "Write the number with + and its country code, or fill in the country column."
            }
            PhoneError::TooShort => "Digits are missing. Check the number against its source.",
            PhoneError::AreaCodeMissing => "Add the area code.",
            PhoneError::TooLong => "Check the number, and the country column.",
            PhoneError::Impossible => "Check it for a wrong digit, and the country column.",
            PhoneError::PremiumRate => "Ask for an ordinary number: premium-rate numbers are never dialled.",
            PhoneError::Emergency => "Delete the row: emergency numbers are never dialled.",
            PhoneError::NoPerson => "Ask for another number: no person answers these.",
        }
    }
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PhoneError::Missing => "the phone number is missing",
            PhoneError::NotANumber => "this is not a phone number",
            PhoneError::SpreadsheetDamaged => "a spreadsheet has rounded the phone number or hidden its digits",
            PhoneError::SeveralNumbers => "there are several phone numbers in one cell",
            PhoneError::UnknownCallingCode => "the phone number's country calling code is unknown",
            PhoneError::TooShort => "the phone number is too short",
            PhoneError::AreaCodeMissing => "the phone number has no area code",
            PhoneError::TooLong => "the phone number is too long",
            PhoneError::Impossible => "no such phone number is in use",
            PhoneError::PremiumRate => "this is a premium-rate number",
            PhoneError::Emergency => "this is an emergency number",
            PhoneError::NoPerson => "this is a pager or a voicemail access number",
        })
    }
}
impl std::error::Error for PhoneError {}
