//! Area codes of the North American Numbering Plan: state, province or country, and zones.
//!
//! Our own table of facts. Codes joined by `/` serve one area (an overlay and what it lies over)
//! and share every zone of it: a new overlay number may be anywhere in the old code's area.
//! Where an independent library names a zone that we would not, the zone is in: one plausible
//! zone more only shortens the day. `tests/zones_contain.rs` holds the table against that library.

use super::{Country, State, StateSet, ZoneId, ZoneSet};
use std::sync::LazyLock;

/// Zones by letter.
const LETTERS: &[(char, &str)] = &[
    ('E', "America/New_York"),
    ('C', "America/Chicago"),
    ('M', "America/Denver"),
    ('P', "America/Los_Angeles"),
    ('B', "America/Boise"),
    ('Z', "America/Phoenix"),
    ('D', "America/North_Dakota/Center"),
    ('K', "America/Anchorage"),
    ('J', "America/Juneau"),
    ('A', "America/Adak"),
    ('H', "Pacific/Honolulu"),
    ('t', "America/Toronto"),
    ('w', "America/Winnipeg"),
    ('a', "America/Atikokan"),
    ('r', "America/Regina"),
    ('e', "America/Edmonton"),
    ('v', "America/Vancouver"),
    ('f', "America/Fort_Nelson"),
    ('c', "America/Creston"),
    ('y', "America/Whitehorse"),
    ('h', "America/Halifax"),
    ('b', "America/Blanc-Sablon"),
    ('g', "America/Goose_Bay"),
    ('s', "America/St_Johns"),
    ('p', "America/Puerto_Rico"),
];

/// US area codes: state, zones, codes.
const US: &[(&str, &str, &str)] = &[
    ("AK", "KJAH", "907"),
    ("AL", "C", "205/659 251 256/938 334"),
    ("AR", "C", "479 501 870/327"),
    ("AZ", "Z", "480/602/623 520"),
    ("AZ", "ZM", "928"),
    (
        "CA",
        "P",
        "209/350 213/323/738 310/424 408/669 415/628 442/760 510/341 530/837 559/357 562 619/858 626 650 657/714 661 \
         707/369 747/818 805/820 831 840/909 916/279 925 949 951",
    ),
    ("CO", "M", "303/720/983 719 970/748"),
    ("CT", "E", "203/475 860/959"),
    ("DC", "E", "202/771"),
    ("DE", "E", "302"),
    ("FL", "E", "239 305/786/645 352 386 561/728 727 754/954 772 813/656 863 904/324 941"),
    // 448/850 is split; a library gives Chicago to all of 689.
    ("FL", "EC", "448/850 321/407/689"),
    ("GA", "E", "229 404/470/678/770/943 478 706/762 912/565"),
    ("HI", "H", "808"),
    ("IA", "C", "319 515 563 641 712"),
    ("ID", "BMP", "208/986"),
    ("IL", "C", "217/447 309/861 312/773/872 331/630 464/708 618/730 779/815 224/847"),
    ("IN", "E", "260 317/463 765"),
    ("IN", "EC", "219 574 812/930"),
    ("KS", "C", "316 913"),
    ("KS", "CM", "620 785"),
    ("KY", "E", "502 859"),
    ("KY", "EC", "270/364 606"),
    ("LA", "C", "225 318 337 504 985"),
    ("MA", "E", "339/781 351/978 413 508/774 617/857"),
    ("MD", "E", "227/240/301 410/443/667"),
    ("ME", "E", "207"),
    ("MI", "E", "231 248/947 269 313/679 517 586 616 734 810 989"),
    ("MI", "EC", "906"),
    ("MN", "C", "218 320 507/924 612 651 763 952"),
    ("MO", "C", "314/557 417 573/235 636 660 816/975"),
    ("MS", "C", "228 601/769 662/471"),
    ("MT", "M", "406"),
    ("NC", "E", "252 336/743 704/980 828 910/472 919/984"),
    ("ND", "CMD", "701"),
    ("NE", "C", "402/531"),
    ("NE", "CM", "308"),
    ("NH", "E", "603"),
    ("NJ", "E", "201/551 609/640 732/848 856 862/973 908"),
    ("NM", "M", "505 575"),
    ("NV", "P", "702/725"),
    ("NV", "PBM", "775"),
    ("NY", "E", "212/332/646/917/347/718/929 315/680 363/516 518/838 585 607 631/934 716/624 845/329 914"),
    ("OH", "E", "216 220/740 234/330 283/513 326/937 380/614 419/567 436/440"),
    ("OK", "C", "405/572 539/918 580"),
    ("OR", "P", "503/971"),
    ("OR", "PMB", "458/541"),
    ("PA", "E", "215/267/445 223/717 272/570 412/724/878 484/610/835 582/814"),
    ("RI", "E", "401"),
    ("SC", "E", "803/839 821/864 843/854"),
    ("SD", "CMD", "605"),
    ("TN", "C", "615/629 731 901 931"),
    ("TN", "E", "865"),
    ("TN", "EC", "423"),
    (
        "TX",
        "C",
        "210/726 214/469/945/972 254 281/346/621/713/832 325 361 409 430/903 512/737 682/817 806 830 936 940 956 979",
    ),
    ("TX", "CM", "432"),
    ("TX", "M", "915"),
    ("UT", "M", "385/801 435"),
    ("VA", "E", "276 434 540/826 571/703 686/804 757/948"),
    ("VT", "E", "802"),
    ("WA", "P", "206/253/360/425/564 509"),
    ("WI", "C", "262 274/920 353/608 414 534/715"),
    ("WV", "E", "304/681"),
    ("WY", "M", "307"),
];

/// Canadian area codes: province or provinces, zones, codes.
const CANADA: &[(&str, &str, &str)] = &[
    ("AB", "e", "368/403/587/780/825"),
    // One complex: 236, 672, 778 and 257 lie over both 250 (with the Peace and the Kootenays) and 604.
    ("BC", "vefc", "236/250/257/604/672/778"),
    ("MB", "w", "204/431/584"),
    ("NB", "h", "428/506"),
    ("NL", "shgp", "709/879"),
    ("NS PE", "h", "782/902"),
    ("ON", "t", "226/382/519/548 249/683/705 289/365/742/905 343/613/753 416/437/647/942"),
    ("ON", "twa", "807"),
    ("QC", "t", "263/438/514 354/450/579 468/819/873"),
    ("QC", "thb", "273/367/418/581"),
    // Lloydminster keeps Alberta's time; a library gives Winnipeg to all of 474.
    ("SK", "rew", "306/474/639"),
    ("YT NT NU", "ewtvfy", "867"),
];

/// The other countries and territories of the plan: ISO code, zone, codes.
const OTHERS: &[(&str, &str, &str)] = &[
    ("AG", "America/Antigua", "268"),
    ("AI", "America/Anguilla", "264"),
    ("AS", "Pacific/Pago_Pago", "684"),
    ("BB", "America/Barbados", "246"),
    ("BM", "Atlantic/Bermuda", "441"),
    ("BS", "America/Nassau", "242"),
    ("DM", "America/Dominica", "767"),
    ("DO", "America/Santo_Domingo", "809 829 849"),
    ("GD", "America/Grenada", "473"),
    ("GU", "Pacific/Guam", "671"),
    ("JM", "America/Jamaica", "658 876"),
    ("KN", "America/St_Kitts", "869"),
    ("KY", "America/Cayman", "345"),
    ("LC", "America/St_Lucia", "758"),
    ("MP", "Pacific/Saipan", "670"),
    ("MS", "America/Montserrat", "664"),
    ("PR", "America/Puerto_Rico", "787 939"),
    ("SX", "America/Lower_Princes", "721"),
    ("TC", "America/Grand_Turk", "649"),
    ("TT", "America/Port_of_Spain", "868"),
    ("VC", "America/St_Vincent", "784"),
    ("VG", "America/Tortola", "284"),
    ("VI", "America/St_Thomas", "340"),
];

/// What an area code says.
#[derive(Clone, Debug)]
pub(super) struct Area {
    pub(super) country: Country,
    pub(super) states: StateSet,
    pub(super) zones: ZoneSet,
}

/// US territories have a country code of their own in ISO 3166 and are under US rules.
pub(super) fn us_territory(code: &str) -> Option<State> {
    matches!(code, "AS" | "GU" | "MP" | "PR" | "VI").then(|| State::from_code(code)).flatten()
}

pub(super) fn letters(letters: &str) -> ZoneSet {
    letters
        .chars()
        .filter_map(|letter| LETTERS.iter().find(|(l, _)| *l == letter))
        .filter_map(|(_, name)| ZoneId::named(name))
        .collect()
}

static AREAS: LazyLock<Vec<Option<Area>>> = LazyLock::new(|| {
    let mut areas: Vec<Option<Area>> = vec![None; 1000];
    let mut put = |codes: &str, area: &Area| {
        for code in codes.split([' ', '/']).filter_map(|c| c.parse::<usize>().ok()) {
            areas[code] = Some(area.clone());
        }
    };
    for (state, zones, codes) in US {
        let states = State::from_code(state).map_or(StateSet::NONE, StateSet::one);
        put(codes, &Area { country: Country::US, states, zones: letters(zones) });
    }
    for (_, zones, codes) in CANADA {
        put(codes, &Area { country: Country::CA, states: StateSet::NONE, zones: letters(zones) });
    }
    for (iso, zone, codes) in OTHERS {
        let states = us_territory(iso).map_or(StateSet::NONE, StateSet::one);
        let country = if states.is_empty() { Country::from_code(iso) } else { Some(Country::US) };
        let zones: ZoneSet = ZoneId::named(zone).into_iter().collect();
        if let Some(country) = country {
            put(codes, &Area { country, states, zones });
        }
    }
    areas
});

/// What an area code says; `None` for toll-free, personal and unassigned codes.
pub(super) fn area(code: u16) -> Option<&'static Area> {
    AREAS.get(usize::from(code))?.as_ref()
}

/// Every area code of the table.
pub fn area_codes() -> impl Iterator<Item = u16> {
    (200..1000u16).filter(|code| area(*code).is_some())
}

/// The zones of a Canadian province or territory by its postal abbreviation, over all its codes.
pub(super) fn province(code: &str) -> Option<ZoneSet> {
    let code = code.trim().to_ascii_uppercase();
    let rows = CANADA.iter().filter(|(provinces, _, _)| provinces.split(' ').any(|p| p == code));
    let zones: ZoneSet = rows.flat_map(|(_, zones, _)| letters(zones).as_slice().to_vec()).collect();
    (!zones.is_unknown()).then_some(zones)
}

/// The zones of a US state over all its area codes.
pub(super) fn state(state: State) -> ZoneSet {
    let rows = US.iter().filter(|(code, _, _)| *code == state.code());
    let mut zones: ZoneSet = rows.flat_map(|(_, zones, _)| letters(zones).as_slice().to_vec()).collect();
    let own = OTHERS.iter().filter(|(iso, _, _)| us_territory(iso) == Some(state));
    zones.extend(own.filter_map(|(_, zone, _)| ZoneId::named(zone)));
    zones
}

/// Every zone of the fifty states.
pub(super) fn all_us() -> ZoneSet {
    let rows = US.iter().flat_map(|(_, zones, _)| letters(zones).as_slice().to_vec());
    rows.collect()
}

/// Every zone of Canada.
pub(super) fn all_ca() -> ZoneSet {
    CANADA.iter().flat_map(|(_, zones, _)| letters(zones).as_slice().to_vec()).collect()
}

/// The zones of a country that shares the calling code 1, other than the United States and Canada.
pub(super) fn country(country: Country) -> Option<ZoneSet> {
    let own = OTHERS.iter().filter(|(iso, _, _)| Country::from_code(iso) == Some(country));
    let zones: ZoneSet = own.filter_map(|(_, zone, _)| ZoneId::named(zone)).collect();
    (!zones.is_unknown()).then_some(zones)
}

/// The zones of a Canadian postal code by its first letter, which names the province.
pub(super) fn canadian_postal(text: &str) -> Option<ZoneSet> {
    let text: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'-').collect();
    let form = |(i, b): (usize, &u8)| if i % 2 == 0 { b.is_ascii_alphabetic() } else { b.is_ascii_digit() };
    if !matches!(text.len(), 3 | 6) || !text.iter().enumerate().all(form) {
        return None;
    }
    let provinces: &[&str] = match text[0].to_ascii_uppercase() {
        b'A' => &["NL"],
        b'B' => &["NS"],
        b'C' => &["PE"],
        b'E' => &["NB"],
        b'G' | b'H' | b'J' => &["QC"],
        b'K' | b'L' | b'M' | b'N' | b'P' => &["ON"],
        b'R' => &["MB"],
        b'S' => &["SK"],
        b'T' => &["AB"],
        b'V' => &["BC"],
        b'X' => &["NT", "NU"],
        b'Y' => &["YT"],
        _ => return None,
    };
    let zones: ZoneSet = provinces.iter().filter_map(|p| province(p)).flat_map(|z| z.as_slice().to_vec()).collect();
    (!zones.is_unknown()).then_some(zones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_and_name_is_a_zone_and_every_state_is_known() {
        for (letter, name) in LETTERS {
            assert!(ZoneId::named(name).is_some(), "{name}");
            assert_eq!(LETTERS.iter().filter(|(l, _)| l == letter).count(), 1);
        }
        for (_, zones, codes) in US.iter().chain(CANADA) {
            assert_eq!(letters(zones).len(), zones.len(), "{codes}: a letter without a zone");
        }
        for s in State::all() {
            assert!(!state(s).is_unknown(), "{s}");
        }
        for (iso, zone, _) in OTHERS {
            assert!(ZoneId::named(zone).is_some() && Country::from_code(iso).is_some(), "{iso}");
        }
    }

    #[test]
    fn no_code_is_named_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, _, codes) in US.iter().chain(CANADA).chain(OTHERS) {
            for code in codes.split([' ', '/']).filter(|c| !c.is_empty()) {
                assert!(code.len() == 3 && code.parse::<u16>().is_ok(), "{code}");
                assert!(seen.insert(code), "{code} is named twice");
            }
        }
    }

    #[test]
    fn split_codes_and_their_overlays_have_two_offsets_or_more() {
        // The traps of libphonenumber's own table: codes split in truth, overlays that do not inherit.
        for code in [208, 986, 219, 250, 270, 364, 308, 418, 423, 541, 458, 574, 605, 606, 620, 701, 709, 775, 785, 807]
            .into_iter()
            .chain([812, 930, 850, 448, 867, 879, 906, 907])
        {
            let zones = &area(code).expect("known").zones;
            let winter = crate::Timestamp::from_secs(1_768_000_000);
            let offsets: std::collections::BTreeSet<i64> =
                zones.as_slice().iter().map(|z| z.offset_ms(winter)).collect();
            assert!(offsets.len() >= 2, "{code}: {zones:?}");
        }
        // The Navajo Nation differs from the rest of Arizona only in summer.
        let summer = crate::Timestamp::from_secs(1_783_000_000);
        let navajo = &area(928).expect("known").zones;
        let offsets: std::collections::BTreeSet<i64> = navajo.as_slice().iter().map(|z| z.offset_ms(summer)).collect();
        assert_eq!(offsets.len(), 2);
    }

    #[test]
    fn a_canadian_postal_code_begins_with_its_provinces_letter() {
        for (first, provinces) in [
            ('A', &["NL"][..]),
            ('B', &["NS"]),
            ('C', &["PE"]),
            ('E', &["NB"]),
            ('G', &["QC"]),
            ('H', &["QC"]),
            ('J', &["QC"]),
            ('K', &["ON"]),
            ('L', &["ON"]),
            ('M', &["ON"]),
            ('N', &["ON"]),
            ('P', &["ON"]),
            ('R', &["MB"]),
            ('S', &["SK"]),
            ('T', &["AB"]),
            ('V', &["BC"]),
            ('X', &["NT", "NU"]),
            ('Y', &["YT"]),
        ] {
            let zones: ZoneSet =
                provinces.iter().filter_map(|p| province(p)).flat_map(|z| z.as_slice().to_vec()).collect();
            for text in [format!("{first}1A"), format!("{first}1A 1A1"), format!("{first}1a-1a1").to_lowercase()] {
                assert_eq!(canadian_postal(&text).as_ref(), Some(&zones), "{text}");
            }
        }
        for wrong in
            ["", "V", "V6", "VA1", "V66", "66A", "V6B 1A", "V6B 11A", "V6B 1A12", "D1A", "Z1A", "W1A 1A1", "V6É"]
        {
            assert_eq!(canadian_postal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn provinces_states_and_islands_have_the_zones_of_their_codes() {
        let names = |zones: Option<ZoneSet>| {
            zones.map_or(Vec::new(), |z| z.as_slice().iter().map(|zone| zone.name()).collect::<Vec<_>>())
        };
        assert_eq!(names(province(" qc ")), ["America/Blanc-Sablon", "America/Halifax", "America/Toronto"]);
        assert_eq!(names(province("PE")), ["America/Halifax"]);
        assert_eq!(province("XX"), None);
        assert_eq!(names(Some(state(State::from_code("PR").expect("territory")))), ["America/Puerto_Rico"]);
        assert_eq!(names(Some(state(State::from_code("HI").expect("state")))), ["Pacific/Honolulu"]);
        assert_eq!(names(country(Country::from_code("JM").expect("Jamaica"))), ["America/Jamaica"]);
        assert_eq!(country(Country::from_code("FR").expect("France")), None, "not of this plan");
        assert_eq!(us_territory("GU"), State::from_code("GU"));
        assert_eq!(us_territory("TX"), None);
        assert_eq!((area(212).is_some(), area(211).is_some(), area(5).is_some()), (true, false, false));
        let codes: Vec<u16> = area_codes().collect();
        assert!(codes.len() > 350 && codes.contains(&201) && codes.contains(&989) && codes.is_sorted());
    }
}
