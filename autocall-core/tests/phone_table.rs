//! Telephone numbers as people and spreadsheets write them.

use autocall_core::phone::{Country, LineType, PhoneError, normalise, thorough};

fn country(code: &str) -> Country {
    Country::from_code(code).expect(code)
}

#[track_caller]
fn reads(text: &str, default: &str, e164: &str) {
    let normal = normalise(text, country(default)).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(normal.phone.e164(), e164, "{text:?} in {default}");
    assert_eq!(thorough(text, country(default)), Ok(normal), "{text:?} in {default}: the fast path differs");
}

#[track_caller]
fn refuses(text: &str, default: &str, error: PhoneError) {
    assert_eq!(normalise(text, country(default)).map(|n| n.phone.e164()), Err(error), "{text:?} in {default}");
}

#[test]
fn written_forms_of_one_number() {
    for text in [
        "+14155552671",
        "14155552671",
        "4155552671",
        "(415) 555-2671",
        "415.555.2671",
        "415-555-2671",
        "1 (415) 555 2671",
        "+1 415 555 2671",
        "+1-415-555-2671",
        "  4155552671 ",
        "tel:+1-415-555-2671",
        "0014155552671",
        "011 1 415 555 2671",
        "４１５５５５２６７１",
        "＋１ ４１５ ５５５ ２６７１",
        "\u{202a}+1 415 555 2671\u{202c}",
        "\u{feff}4155552671",
        "4155552671\u{a0}",
        "415\u{2013}555\u{2013}2671",
    ] {
        reads(text, "US", "+14155552671");
    }
}

#[test]
fn what_spreadsheets_do_to_a_number() {
    for text in [
        "=\"+14155552671\"",
        "=\"4155552671\"",
        "=+14155552671",
        "'+14155552671",
        "'4155552671",
        "\"4155552671\"",
        "4155552671.0",
        "14155552671.00",
        "1.4155552671E+10",
        "1,4155552671E+10",
        "1.4155552671e10",
    ] {
        reads(text, "US", "+14155552671");
    }
    for text in ["1.41556E+10", "1,41556E+10", "1.41556e10", "4.15556E+09", "#####", "#REF!", "#N/A", "#NAME?", "1E+10"]
    {
        refuses(text, "US", PhoneError::SpreadsheetDamaged);
    }
}

#[test]
fn national_and_foreign_numbers() {
    for (text, default, e164) in [
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("0044 20 7946 0018", "US", "+442079460018"),
        ("0044 20 7946 0018", "DE", "+442079460018"),
        ("0171/1234567", "DE", "+491711234567"),
        ("030/1234567", "DE", "+49301234567"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("(11) 96123-4567", "BR", "+5511961234567"),
        ("098765 43210", "IN", "+919876543210"),
        ("+91 98765 43210", "US", "+919876543210"),
        ("0412 345 678", "AU", "+61412345678"),
        ("416-555-0134", "CA", "+14165550134"),
        ("876-555-0134", "US", "+18765550134"),
    ] {
        reads(text, default, e164);
    }
}

#[test]
fn numbers_are_refused_with_the_reason() {
    for (text, default, error) in [
        ("", "US", PhoneError::Missing),
        ("   ", "US", PhoneError::Missing),
        ("n/a", "US", PhoneError::Missing),
        ("-", "US", PhoneError::Missing),
        ("0000000000", "US", PhoneError::Missing),
        ("call me", "US", PhoneError::NotANumber),
        ("john@example.com", "US", PhoneError::NotANumber),
        ("41555", "US", PhoneError::TooShort),
        ("555-2671", "US", PhoneError::AreaCodeMissing),
        ("415555267123456", "US", PhoneError::TooLong),
        ("+1 415 555 26711", "US", PhoneError::TooLong),
        ("115-555-2671", "US", PhoneError::Impossible),
        ("1234567890", "US", PhoneError::Impossible),
        ("+999 123 456 789", "US", PhoneError::UnknownCallingCode),
        ("900-234-5678", "US", PhoneError::PremiumRate),
        ("0906 123 4567", "GB", PhoneError::PremiumRate),
        ("0900 1234567", "DE", PhoneError::PremiumRate),
        ("+979 123 456 789", "US", PhoneError::PremiumRate),
        ("911", "US", PhoneError::Emergency),
        ("9-1-1", "US", PhoneError::Emergency),
        ("+1 911", "US", PhoneError::Emergency),
        ("1-911", "US", PhoneError::Emergency),
        ("112", "DE", PhoneError::Emergency),
        ("999", "GB", PhoneError::Emergency),
        ("+44 999", "US", PhoneError::Emergency),
        ("000", "AU", PhoneError::Emergency),
        ("415-555-2671 / 415-555-2672", "US", PhoneError::SeveralNumbers),
        ("4155552671;4155552672", "US", PhoneError::SeveralNumbers),
        ("4155552671 or 4155552672", "US", PhoneError::SeveralNumbers),
        ("07640 123456", "GB", PhoneError::NoPerson),
    ] {
        refuses(text, default, error);
    }
    refuses(&"4".repeat(24), "US", PhoneError::TooLong);
    refuses(&"4".repeat(100_000), "US", PhoneError::NotANumber);
}

#[test]
fn line_type_country_and_extension() {
    let normal = normalise("+1 212 555 0134 ext. 89", Country::US).expect("valid");
    assert_eq!(normal.extension.as_deref(), Some("89"));
    assert_eq!((normal.country, normal.line), (Some(Country::US), LineType::FixedOrMobile));
    for (text, code, line) in [
        ("+442079460018", Some("GB"), LineType::Fixed),
        ("+447400123456", Some("GB"), LineType::Mobile),
        ("+14165550134", Some("CA"), LineType::FixedOrMobile),
        ("+18765550134", Some("JM"), LineType::Mobile),
        ("+18005550134", Some("US"), LineType::TollFree),
        ("+80012345678", None, LineType::TollFree),
        ("+491711234567", Some("DE"), LineType::Mobile),
        ("+443301234567", Some("GB"), LineType::Company),
    ] {
        let normal = normalise(text, Country::US).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(normal.country.map(|c| c.to_string()).as_deref(), code, "{text}");
        assert_eq!(normal.line, line, "{text}");
    }
}

#[test]
fn vanity_letters_are_the_digits_of_the_keypad() {
    reads("1-800-FLOWERS", "US", "+18003569377");
}

#[test]
fn every_error_has_words() {
    for error in PhoneError::ALL {
        assert!(!error.to_string().is_empty() && error.remedy().ends_with('.') && !error.code().is_empty());
    }
}

/// The fast path against the library, over texts that nearly look like numbers of its plan.
mod fast_path {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_differs_on_punctuated_digits(text in "[+]?[-. ()]{0,2}1?[-. ()]{0,2}([0-9][-. ()]{0,1}){9,11}[-. ()]{0,2}", code in "(US|CA|JM|GB|DE|PR)") {
            prop_assert_eq!(normalise(&text, country(&code)), thorough(&text, country(&code)));
        }

        #[test]
        fn never_differs_on_real_area_codes(area in 200u32..999, exchange in 200u32..999, rest in 0u32..9999, form in 0usize..6, code in "(US|CA|JM|GB)") {
            let text = match form {
                0 => format!("+1{area}{exchange}{rest:04}"),
                1 => format!("{area}{exchange}{rest:04}"),
                2 => format!("({area}) {exchange}-{rest:04}"),
                3 => format!("1-{area}-{exchange}-{rest:04}"),
                4 => format!("+1 ({area}) {exchange} {rest:04}"),
                _ => format!("{area}.{exchange}.{rest:04}"),
            };
            prop_assert_eq!(normalise(&text, country(&code)), thorough(&text, country(&code)));
        }

        #[test]
        fn any_text_ends_in_a_number_or_a_reason(text in "\\PC{0,60}", code in "[A-Z]{2}") {
            if let Some(country) = Country::from_code(&code) {
                let normal = normalise(&text, country);
                prop_assert_eq!(&normal, &thorough(&text, country));
                if let Ok(normal) = normal {
                    // What comes out goes in unchanged.
                    let again = normalise(&normal.phone.e164(), Country::US);
                    prop_assert_eq!(again.map(|n| n.phone), Ok(normal.phone));
                }
            }
        }
    }
}
