//! The fast path: numbers of the United States and Canada, decided by their area code.
//!
//! Most lists that meet this code hold numbers of one plan. Inside an area code listed here every
//! exchange 200-999 has the same answer in the library, so no regular expression is needed. Area
//! codes whose exchanges differ, and those of the Caribbean, take the thorough path.
//! `tests/phone_fast_path.rs` compares every area code and exchange with the library and prints
//! the lists anew when they differ.

use super::{Country, LineType, Normal, Phone};

/// What every number of an area code is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Other,
    UnitedStates,
    Canada,
}

#[rustfmt::skip]
const UNITED_STATES: &[u16] = &[
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 220, 223, 224, 225,
    227, 228, 229, 231, 234, 235, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 272, 274,
    276, 279, 281, 283, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319,
    320, 321, 323, 324, 325, 326, 327, 329, 330, 331, 332, 334, 336, 337, 339, 341, 346, 347, 350, 351, 352,
    353, 360, 361, 363, 364, 369, 380, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414,
    415, 417, 419, 423, 424, 425, 430, 432, 434, 435, 440, 442, 443, 445, 447, 448, 458, 463, 464, 469, 470,
    472, 475, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518,
    520, 530, 531, 534, 539, 540, 541, 551, 557, 559, 561, 562, 563, 564, 567, 570, 571, 572, 573, 574, 575,
    580, 582, 585, 586, 601, 602, 603, 605, 606, 607, 608, 609, 610, 612, 614, 615, 616, 617, 618, 619, 620,
    623, 626, 628, 629, 630, 631, 636, 640, 641, 645, 646, 650, 651, 656, 657, 659, 660, 661, 662, 667, 669,
    678, 680, 681, 682, 686, 689, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719,
    720, 724, 725, 726, 727, 728, 730, 731, 732, 734, 737, 738, 740, 743, 747, 748, 754, 757, 760, 762, 763,
    765, 769, 770, 771, 772, 773, 774, 775, 779, 781, 785, 786, 801, 802, 803, 804, 805, 806, 808, 810, 812,
    813, 814, 815, 816, 817, 818, 820, 821, 826, 828, 830, 831, 832, 835, 838, 839, 840, 843, 845, 847, 848,
    850, 854, 856, 857, 858, 859, 860, 862, 863, 864, 865, 870, 872, 878, 901, 903, 904, 906, 907, 908, 909,
    910, 912, 913, 914, 915, 916, 917, 918, 919, 920, 925, 928, 929, 930, 931, 934, 936, 937, 938, 940, 941,
    943, 945, 947, 948, 949, 951, 952, 954, 956, 959, 970, 971, 972, 973, 975, 978, 979, 980, 984, 985, 986, 989,
];

#[rustfmt::skip]
const CANADA: &[u16] = &[
    204, 226, 236, 249, 250, 257, 263, 273, 289, 306, 343, 354, 365, 367, 368, 382, 403, 416, 418, 428, 431,
    437, 438, 450, 468, 474, 506, 514, 519, 548, 579, 581, 584, 587, 604, 613, 639, 647, 672, 683, 705, 709,
    742, 753, 778, 780, 782, 807, 819, 825, 867, 873, 879, 902, 905, 942,
];

const AREAS: [Area; 1000] = {
    let mut areas = [Area::Other; 1000];
    let mut i = 0;
    while i < UNITED_STATES.len() {
        areas[UNITED_STATES[i] as usize] = Area::UnitedStates;
        i += 1;
    }
    i = 0;
    while i < CANADA.len() {
        areas[CANADA[i] as usize] = Area::Canada;
        i += 1;
    }
    areas
};

/// The answer, if the text is plainly a number of the United States or Canada: digits with
/// blanks, dots, hyphens or brackets, and `+1` or `1` or nothing before the area code.
pub(super) fn fast(text: &[u8], country: Country) -> Option<Normal> {
    const TEXT_BYTES_MAX: usize = 24;
    if text.len() < 10 || text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (text, plus) = match text {
        [b'+', rest @ ..] => (rest, true),
        _ => (text, false),
    };
    if !plus && country != Country::US && country != Country::CA {
        return None;
    }
    let (mut digits, mut count) = (0u64, 0u32);
    for b in text {
        match b {
            b'0'..=b'9' if count < 11 => {
                digits = digits * 10 + u64::from(b - b'0');
                count += 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' => {}
            _ => return None,
        }
    }
    match (count, plus) {
        (11, _) if digits / 10_000_000_000 == 1 => {}
        (10, false) if digits >= 2_000_000_000 => digits += 10_000_000_000,
        _ => return None,
    }
    let area_code = (digits / 10_000_000 % 1000) as usize;
    let exchange = digits / 10_000 % 1000;
    if exchange < 200 {
        return None;
    }
    let country = match AREAS[area_code] {
        Area::Other => return None,
        Area::UnitedStates => Country::US,
        Area::Canada => Country::CA,
    };
    let phone = Phone::from_digits(digits)?;
    Some(Normal { phone, country: Some(country), line: LineType::FixedOrMobile, extension: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::thorough;

    /// One answer for every exchange of an area code, or `None` where they differ.
    fn uniform(area_code: u16) -> Option<Country> {
        let country_of = |exchange: u64| {
            let subscriber = (exchange * 7919 + u64::from(area_code) * 104_729) % 10_000;
            let digits = 10_000_000_000 + u64::from(area_code) * 10_000_000 + exchange * 10_000 + subscriber;
            let normal = thorough(&format!("+{digits}"), Country::US).ok()?;
            assert_eq!(normal.phone.digits(), digits);
            (normal.line == LineType::FixedOrMobile).then_some(normal.country?)
        };
        let first = country_of(200)?;
        (201..=999).all(|exchange| country_of(exchange) == Some(first)).then_some(first)
    }

    /// Every area code and every exchange against the library.
    #[test]
    fn area_codes_are_those_that_the_library_answers_uniformly() {
        let mut united_states = Vec::new();
        let mut canada = Vec::new();
        for area_code in 200..=999 {
            match uniform(area_code) {
                Some(Country::US) => united_states.push(area_code),
                Some(Country::CA) => canada.push(area_code),
                _ => {}
            }
        }
        assert_eq!(united_states, UNITED_STATES, "replace UNITED_STATES by the left list");
        assert_eq!(canada, CANADA, "replace CANADA by the left list");
    }
}
