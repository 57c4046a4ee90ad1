//! The one place that knows which libraries read telephone numbers.
//!
//! `rlibphonenumber` agrees with Google's rules on every text of our differential list. The cargo
//! feature `phonenumber-engine` adds the `phonenumber` crate as a second opinion, to be chosen by
//! [`Engine`]; `tests/phone_engines.rs` lists where it differs.
//!
//! Memory: the libraries hold one regular expression per country and line type, and each thread
//! that uses an expression at the same time as another grows a cache of its own (about 40 MB a
//! thread after a list of many countries). Parse lists on one or two threads, not on every worker.

use super::{Country, LineType, Phone, PhoneError};

/// What an engine read, before our own rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parsed {
    /// The number in E.164.
    pub(super) phone: Phone,
    /// The country whose numbering plan has the number; `None` for international services.
    pub(super) country: Option<Country>,
    /// What kind of line it is.
    pub(super) line: LineType,
    /// Digits after `ext.` or alike.
    pub(super) extension: Option<Box<str>>,
}

/// Which library reads the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Engine {
    /// `rlibphonenumber`.
    #[default]
    Rlibphonenumber,
    /// `phonenumber`: wrong about one number in forty of a list of several countries, and slow.
    #[cfg(feature = "phonenumber-engine")]
    Phonenumber,
}

/// Reads `text` as a number of any country, or a national number of `country`.
pub(super) fn parse(engine: Engine, text: &str, country: Country) -> Result<Parsed, PhoneError> {
    match engine {
        Engine::Rlibphonenumber => rlib::parse(text, country),
        #[cfg(feature = "phonenumber-engine")]
        Engine::Phonenumber => second::parse(text, country),
    }
}

/// Country calling code and significant national number, leading zeros counted, as E.164.
fn e164(calling_code: u64, national: u64, leading_zeros: u32) -> Option<Phone> {
    let digits = national.checked_ilog10().map_or(1, |log| log + 1) + leading_zeros;
    let scale = 10u64.checked_pow(digits)?;
    Phone::from_digits(calling_code.checked_mul(scale)?.checked_add(national)?)
}

mod rlib {
    use super::{Country, LineType, Parsed, PhoneError, e164};
    use rlibphonenumber::{
        NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, Region, ValidationError,
    };

    pub(super) fn parse(text: &str, country: Country) -> Result<Parsed, PhoneError> {
        let region = Region::from_code(country.code()).ok();
        let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| match error {
            ParseError::InvalidCountryCode => PhoneError::UnknownCallingCode,
            ParseError::NotANumber(_) => PhoneError::NotANumber,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneError::TooShort,
            ParseError::TooLongNsn => PhoneError::TooLong,
        })?;
        let line = line_type(PHONE_NUMBER_UTIL.get_number_type(&number));
        if line == LineType::Unknown {
            return Err(why_invalid(&number));
        }
        let phone = phone_of(&number).ok_or(PhoneError::Impossible)?;
        let country = PHONE_NUMBER_UTIL
            .get_region_for_number(&number)
            .filter(|region| *region != Region::World)
            .and_then(|region| Country::from_code(region.as_region_str().as_str()));
        let extension = number.extension.filter(|digits| !digits.is_empty()).map(String::into_boxed_str);
        Ok(Parsed { phone, country, line, extension })
    }

    fn phone_of(number: &PhoneNumber) -> Option<crate::Phone> {
        let zeros = match number.italian_leading_zero {
            Some(true) => u32::try_from(number.number_of_leading_zeros.unwrap_or(1)).ok()?,
            _ => 0,
        };
        e164(u64::try_from(number.country_code).ok()?, number.national_number, zeros)
    }

    fn why_invalid(number: &PhoneNumber) -> PhoneError {
        match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
            Ok(NumberLengthType::IsPossibleLocalOnly) => PhoneError::AreaCodeMissing,
            Err(ValidationError::TooShort) => PhoneError::TooShort,
            Err(ValidationError::TooLong) => PhoneError::TooLong,
            Err(ValidationError::InvalidCountryCode) => PhoneError::UnknownCallingCode,
            Ok(NumberLengthType::IsPossible) | Err(ValidationError::InvalidLength) => PhoneError::Impossible,
        }
    }

    fn line_type(kind: PhoneNumberType) -> LineType {
        match kind {
            PhoneNumberType::FixedLine => LineType::Fixed,
            PhoneNumberType::Mobile => LineType::Mobile,
            PhoneNumberType::FixedLineOrMobile => LineType::FixedOrMobile,
            PhoneNumberType::TollFree => LineType::TollFree,
            PhoneNumberType::PremiumRate => LineType::PremiumRate,
            PhoneNumberType::SharedCost => LineType::SharedCost,
            PhoneNumberType::VoIP => LineType::Voip,
            PhoneNumberType::PersonalNumber => LineType::Personal,
            PhoneNumberType::Pager => LineType::Pager,
            PhoneNumberType::UAN => LineType::Company,
            PhoneNumberType::VoiceMail => LineType::Voicemail,
            PhoneNumberType::Unknown => LineType::Unknown,
        }
    }
}

#[cfg(feature = "phonenumber-engine")]
mod second {
    use super::{Country, LineType, Parsed, PhoneError, e164};
    use phonenumber::metadata::DATABASE;
    use phonenumber::{ParseError, Type};

    pub(super) fn parse(text: &str, country: Country) -> Result<Parsed, PhoneError> {
        let region = country.code().parse().ok();
        let number = phonenumber::parse(region, text).map_err(|error| match error {
            ParseError::NoNumber | ParseError::MalformedInteger(_) => PhoneError::NotANumber,
            ParseError::InvalidCountryCode => PhoneError::UnknownCallingCode,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneError::TooShort,
            ParseError::TooLong => PhoneError::TooLong,
        })?;
        if !phonenumber::is_valid(&number) {
            return Err(PhoneError::Impossible);
        }
        let national = number.national();
        let phone = e164(u64::from(number.code().value()), national.value(), u32::from(national.zeros()))
            .ok_or(PhoneError::Impossible)?;
        let line = line_type(number.number_type(&DATABASE));
        let country = number.country().id().and_then(|id| Country::from_code(id.as_ref()));
        let extension = number.extension().map(|extension| extension.to_string().into_boxed_str());
        Ok(Parsed { phone, country, line, extension })
    }

    fn line_type(kind: Type) -> LineType {
        match kind {
            Type::FixedLine => LineType::Fixed,
            Type::Mobile => LineType::Mobile,
            Type::FixedLineOrMobile => LineType::FixedOrMobile,
            Type::TollFree => LineType::TollFree,
            Type::PremiumRate => LineType::PremiumRate,
            Type::SharedCost => LineType::SharedCost,
            Type::Voip => LineType::Voip,
            Type::PersonalNumber => LineType::Personal,
            Type::Pager => LineType::Pager,
            Type::Uan => LineType::Company,
            Type::Voicemail => LineType::Voicemail,
            _ => LineType::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_of_a_national_number_stay() {
        assert_eq!(e164(39, 6_1234_5678, 1).map(Phone::digits), Some(39_0612345678));
        assert_eq!(e164(1, 4_155_552_671, 0).map(Phone::digits), Some(14_155_552_671));
        assert_eq!(e164(999, u64::MAX, 0), None);
        assert_eq!(e164(1, 10u64.pow(15), 0), None);
    }
}
