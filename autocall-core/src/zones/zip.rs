//! US ZIP codes: the first three digits tell the state, and the zone where that is sure.

use super::nanp::letters;
use super::{State, ZoneSet};

/// First and last three-digit prefix, state. Ranges may overlap where a prefix serves two states.
const STATES: &[(u16, u16, &str)] = &[
    (5, 5, "NY"),
    (6, 7, "PR"),
    (8, 8, "VI"),
    (9, 9, "PR"),
    (10, 27, "MA"),
    (28, 29, "RI"),
    (30, 38, "NH"),
    (39, 49, "ME"),
    (50, 54, "VT"),
    (55, 55, "MA"),
    (56, 59, "VT"),
    (60, 69, "CT"),
    (63, 63, "NY"),
    (70, 89, "NJ"),
    (100, 149, "NY"),
    (150, 196, "PA"),
    (197, 199, "DE"),
    (200, 200, "DC"),
    (201, 201, "VA"),
    (202, 205, "DC"),
    (206, 219, "MD"),
    (220, 246, "VA"),
    (247, 268, "WV"),
    (270, 289, "NC"),
    (290, 299, "SC"),
    (300, 319, "GA"),
    (320, 339, "FL"),
    (341, 342, "FL"),
    (344, 344, "FL"),
    (346, 347, "FL"),
    (349, 349, "FL"),
    (350, 369, "AL"),
    (370, 385, "TN"),
    (386, 397, "MS"),
    (398, 399, "GA"),
    (400, 427, "KY"),
    (430, 459, "OH"),
    (460, 479, "IN"),
    (480, 499, "MI"),
    (500, 528, "IA"),
    (530, 549, "WI"),
    (550, 567, "MN"),
    (570, 577, "SD"),
    (580, 588, "ND"),
    (590, 599, "MT"),
    (600, 629, "IL"),
    (630, 658, "MO"),
    (660, 679, "KS"),
    (680, 693, "NE"),
    (700, 714, "LA"),
    (716, 729, "AR"),
    (730, 731, "OK"),
    (733, 733, "TX"),
    (734, 749, "OK"),
    (750, 799, "TX"),
    (800, 816, "CO"),
    (820, 831, "WY"),
    (832, 838, "ID"),
    (834, 834, "WY"),
    (840, 847, "UT"),
    (850, 865, "AZ"),
    (870, 884, "NM"),
    (865, 865, "NM"),
    (885, 885, "TX"),
    (889, 898, "NV"),
    (900, 961, "CA"),
    (967, 968, "HI"),
    (969, 969, "GU"),
    (969, 969, "MP"),
    (970, 979, "OR"),
    (980, 994, "WA"),
    (995, 999, "AK"),
];

/// Prefixes of states with two zones that lie in one zone for sure. All others of those states
/// keep every zone of the state.
const SURE: &[(u16, u16, &str)] = &[
    (320, 322, "E"),
    (325, 325, "C"),
    (326, 349, "E"),
    (370, 372, "C"),
    (374, 374, "E"),
    (375, 375, "C"),
    (376, 379, "E"),
    (380, 383, "C"),
    (400, 400, "E"),
    (402, 406, "E"),
    (410, 412, "E"),
    (420, 420, "C"),
    (422, 424, "C"),
    (460, 462, "E"),
    (464, 464, "C"),
    (467, 468, "E"),
    (473, 473, "E"),
    (480, 497, "E"),
    (660, 676, "C"),
    (680, 688, "C"),
    (693, 693, "M"),
    (570, 572, "C"),
    (577, 577, "M"),
    (580, 583, "C"),
    (832, 834, "BM"),
    (836, 837, "BM"),
    (838, 838, "P"),
    (750, 796, "C"),
    (799, 799, "M"),
    (885, 885, "M"),
    (850, 857, "Z"),
    (863, 864, "Z"),
    (889, 891, "P"),
    (894, 897, "P"),
    (970, 978, "P"),
];

/// The states of a ZIP code (five or nine digits; leading zeros may be missing), and its zones where they are narrower than
/// those of the states.
pub(super) fn zip(text: &str) -> Option<(Vec<State>, Option<ZoneSet>)> {
    let text = text.trim();
    let (five, rest) = match text.split_once('-') {
        Some(parts) => parts,
        None if text.len() == 9 && text.is_ascii() => text.split_at(5),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(3..=5).contains(&five.len()) || !digits(five) || !(rest.is_empty() || (rest.len() == 4 && digits(rest))) {
        return None;
    }
    // Spreadsheets eat leading zeros.
    let prefix = (five.parse::<u32>().ok()? / 100) as u16;
    let within = |(first, last, _): &&(u16, u16, &str)| (*first..=*last).contains(&prefix);
    let states: Vec<State> = STATES.iter().filter(within).filter_map(|(_, _, s)| State::from_code(s)).collect();
    if states.is_empty() {
        return None;
    }
    let sure = SURE.iter().find(within).map(|(_, _, zones)| letters(zones));
    Some((states, sure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_code_names_its_state_and_a_sure_zone() {
        let (states, zones) = zip("32501").expect("Pensacola");
        assert_eq!(states, vec![State::from_code("FL").expect("state")]);
        assert_eq!(zones.expect("sure").as_slice()[0].name(), "America/Chicago");
        let (states, zones) = zip("46601-1234").expect("South Bend");
        assert_eq!(states[0].code(), "IN");
        assert!(zones.is_none(), "close to the line: not sure");
        assert!(zip("09012").is_none(), "forces abroad have no known place");
        assert!(zip("12").is_none() && zip("ABCDE").is_none() && zip("12345-1").is_none());
        assert_eq!(zip("2116").expect("Boston, without its zero").0[0].code(), "MA");
        assert_eq!(zip("021161234").expect("nine digits").0[0].code(), "MA");
        assert!(zip("é1234").is_none() && zip("1234é").is_none());
    }

    #[test]
    fn a_sure_zone_is_one_of_the_states_zones() {
        for (first, last, zones) in SURE {
            for prefix in *first..=*last {
                let Some((states, _)) = zip(&format!("{prefix:03}01")) else { continue };
                for zone in letters(zones).as_slice() {
                    assert!(states.iter().any(|s| super::super::nanp::state(*s).contains(*zone)), "{prefix} {zone}");
                }
            }
        }
    }

    #[test]
    fn a_zip_code_is_read_as_people_and_spreadsheets_write_it() {
        let state = |text: &str| zip(text).map(|(states, _)| states[0].code());
        for (text, code) in [
            ("94103", "CA"),
            (" 94103 ", "CA"),
            ("94103-1234", "CA"),
            ("941031234", "CA"),
            ("94103-", "CA"),
            ("501", "NY"),
            ("2116", "MA"),
            ("02116", "MA"),
            ("2116-1234", "MA"),
        ] {
            assert_eq!(state(text), Some(code), "{text}");
        }
        for wrong in ["", "94", "941031", "9410312345", "94103-123", "94103-12345", "94103-12a4", "9410a", "94103 1234"]
        {
            assert_eq!(state(wrong), None, "{wrong:?}");
        }
        assert_eq!(zip("63").map(|z| z.0.len()), None);
        let both = zip("06390").expect("Fishers Island").0;
        assert_eq!(both.iter().map(|s| s.code()).collect::<Vec<_>>(), ["CT", "NY"], "what may be either is both");
    }
}
