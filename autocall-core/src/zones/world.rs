//! Calling codes outside North America: countries and every zone in them.
//!
//! One row a calling code. Where countries share a code (`+7`, `+44`, `+61`…) all their zones are
//! plausible, because a number moves with its owner.

use super::{Country, ZoneId, ZoneSet};
use smallvec::SmallVec;
use std::sync::LazyLock;

#[rustfmt::skip]
const CODES: &[(u16, &str, &str)] = &[
    (7, "RU KZ", "Europe/Kaliningrad Europe/Bucharest Europe/Moscow Europe/Samara Asia/Yekaterinburg Asia/Omsk Asia/Novosibirsk Asia/Krasnoyarsk Asia/Irkutsk Asia/Yakutsk Asia/Vladivostok Asia/Sakhalin Asia/Magadan Asia/Kamchatka Asia/Anadyr Asia/Almaty Asia/Aqtobe"),
    (20, "EG", "Africa/Cairo"), (27, "ZA", "Africa/Johannesburg"), (30, "GR", "Europe/Athens"), (31, "NL", "Europe/Amsterdam"),
    (32, "BE", "Europe/Brussels"), (33, "FR", "Europe/Paris"), (34, "ES", "Europe/Madrid Atlantic/Canary"), (36, "HU", "Europe/Budapest"),
    (39, "IT VA", "Europe/Rome Europe/Vatican"), (40, "RO", "Europe/Bucharest"), (41, "CH", "Europe/Zurich"), (43, "AT", "Europe/Vienna"),
    (44, "GB GG IM JE", "Europe/London Europe/Guernsey Europe/Isle_of_Man Europe/Jersey"), (45, "DK", "Europe/Copenhagen"),
    (46, "SE", "Europe/Stockholm"), (47, "NO SJ", "Europe/Oslo Arctic/Longyearbyen"), (48, "PL", "Europe/Warsaw"), (49, "DE", "Europe/Berlin"),
    (51, "PE", "America/Lima"),
    (52, "MX", "America/Mexico_City America/Cancun America/Mazatlan America/Tijuana America/Hermosillo America/Ciudad_Juarez America/Ojinaga America/Matamoros America/New_York"),
    (53, "CU", "America/Havana"), (54, "AR", "America/Buenos_Aires"), (55, "BR", "America/Sao_Paulo America/Manaus America/Noronha America/Rio_Branco"),
    (56, "CL", "America/Santiago America/Punta_Arenas Pacific/Easter"), (57, "CO", "America/Bogota"), (58, "VE", "America/Caracas"),
    (60, "MY", "Asia/Kuala_Lumpur Asia/Kuching"),
    (61, "AU CC CX", "Australia/Sydney Australia/Brisbane Australia/Adelaide Australia/Darwin Australia/Perth Australia/Eucla Australia/Lord_Howe Indian/Christmas Indian/Cocos"),
    (62, "ID", "Asia/Jakarta Asia/Makassar Asia/Jayapura"), (63, "PH", "Asia/Manila"), (64, "NZ", "Pacific/Auckland Pacific/Chatham"),
    (65, "SG", "Asia/Singapore"), (66, "TH", "Asia/Bangkok"), (81, "JP", "Asia/Tokyo"), (82, "KR", "Asia/Seoul"), (84, "VN", "Asia/Ho_Chi_Minh"),
    (86, "CN", "Asia/Shanghai"), (90, "TR", "Europe/Istanbul"), (91, "IN", "Asia/Calcutta"), (92, "PK", "Asia/Karachi"), (93, "AF", "Asia/Kabul"),
    (94, "LK", "Asia/Colombo"), (95, "MM", "Asia/Rangoon"), (98, "IR", "Asia/Tehran"),
    (211, "SS", "Africa/Juba Africa/Nairobi"), (212, "MA EH", "Africa/Casablanca Africa/El_Aaiun Atlantic/Canary"), (213, "DZ", "Africa/Algiers Europe/Paris"),
    (216, "TN", "Africa/Tunis"), (218, "LY", "Africa/Tripoli Europe/Bucharest"), (220, "GM", "Africa/Banjul"), (221, "SN", "Africa/Dakar"),
    (222, "MR", "Africa/Nouakchott"), (223, "ML", "Africa/Bamako"), (224, "GN", "Africa/Conakry"), (225, "CI", "Africa/Abidjan"),
    (226, "BF", "Africa/Ouagadougou"), (227, "NE", "Africa/Niamey"), (228, "TG", "Africa/Lome"), (229, "BJ", "Africa/Porto-Novo"),
    (230, "MU", "Indian/Mauritius"), (231, "LR", "Africa/Monrovia Atlantic/Reykjavik"), (232, "SL", "Africa/Freetown"), (233, "GH", "Africa/Accra"),
    (234, "NG", "Africa/Lagos"), (235, "TD", "Africa/Ndjamena"), (236, "CF", "Africa/Bangui"), (237, "CM", "Africa/Douala"),
    (238, "CV", "Atlantic/Cape_Verde"), (239, "ST", "Africa/Sao_Tome"), (240, "GQ", "Africa/Malabo"), (241, "GA", "Africa/Libreville"),
    (242, "CG", "Africa/Brazzaville"), (243, "CD", "Africa/Kinshasa Africa/Lubumbashi"), (244, "AO", "Africa/Luanda"),
    (245, "GW", "Africa/Bissau Atlantic/Reykjavik"), (246, "IO", "Indian/Chagos"), (247, "AC", "Atlantic/St_Helena"), (248, "SC", "Indian/Mahe"),
    (249, "SD", "Africa/Khartoum"), (250, "RW", "Africa/Kigali"), (251, "ET", "Africa/Addis_Ababa"), (252, "SO", "Africa/Mogadishu"),
    (253, "DJ", "Africa/Djibouti"), (254, "KE", "Africa/Nairobi"), (255, "TZ", "Africa/Dar_es_Salaam"), (256, "UG", "Africa/Kampala"),
    (257, "BI", "Africa/Bujumbura"), (258, "MZ", "Africa/Maputo"), (260, "ZM", "Africa/Lusaka"), (261, "MG", "Indian/Antananarivo"),
    (262, "RE YT", "Indian/Reunion Indian/Mayotte"), (263, "ZW", "Africa/Harare"), (264, "NA", "Africa/Windhoek"), (265, "MW", "Africa/Blantyre"),
    (266, "LS", "Africa/Maseru"), (267, "BW", "Africa/Gaborone"), (268, "SZ", "Africa/Mbabane"), (269, "KM", "Indian/Comoro"),
    (290, "SH TA", "Atlantic/St_Helena"), (291, "ER", "Africa/Asmera"), (297, "AW", "America/Aruba"), (298, "FO", "Atlantic/Faeroe"),
    (299, "GL", "America/Godthab America/Scoresbysund America/Thule America/Danmarkshavn"),
    (350, "GI", "Europe/Gibraltar"), (351, "PT", "Europe/Lisbon Atlantic/Azores Atlantic/Madeira"), (352, "LU", "Europe/Luxembourg"),
    (353, "IE", "Europe/Dublin Europe/London Europe/Guernsey Europe/Isle_of_Man"), (354, "IS", "Atlantic/Reykjavik"), (355, "AL", "Europe/Tirane"),
    (356, "MT", "Europe/Malta"), (357, "CY", "Asia/Nicosia Asia/Famagusta"), (358, "FI AX", "Europe/Helsinki Europe/Mariehamn"), (359, "BG", "Europe/Sofia"),
    (370, "LT", "Europe/Vilnius Europe/Bucharest"), (371, "LV", "Europe/Riga Europe/Bucharest"), (372, "EE", "Europe/Tallinn Europe/Bucharest"),
    (373, "MD", "Europe/Chisinau"), (374, "AM", "Asia/Yerevan"), (375, "BY", "Europe/Minsk Europe/Moscow"), (376, "AD", "Europe/Andorra"),
    (377, "MC", "Europe/Monaco"), (378, "SM", "Europe/San_Marino"), (380, "UA", "Europe/Kyiv"), (381, "RS", "Europe/Belgrade"), (382, "ME", "Europe/Podgorica"),
    (383, "XK", "Europe/Belgrade"), (385, "HR", "Europe/Zagreb"), (386, "SI", "Europe/Ljubljana"), (387, "BA", "Europe/Sarajevo"), (389, "MK", "Europe/Skopje"),
    (420, "CZ", "Europe/Prague"), (421, "SK", "Europe/Bratislava"), (423, "LI", "Europe/Vaduz"),
    (500, "FK", "Atlantic/Stanley"), (501, "BZ", "America/Belize"), (502, "GT", "America/Guatemala"), (503, "SV", "America/El_Salvador"),
    (504, "HN", "America/Tegucigalpa"), (505, "NI", "America/Managua America/Chicago"), (506, "CR", "America/Costa_Rica"), (507, "PA", "America/Panama"),
    (508, "PM", "America/Miquelon"), (509, "HT", "America/Port-au-Prince"), (590, "GP BL MF", "America/Guadeloupe"), (591, "BO", "America/La_Paz"),
    (592, "GY", "America/Guyana"), (593, "EC", "America/Guayaquil Pacific/Galapagos"), (594, "GF", "America/Cayenne"), (595, "PY", "America/Asuncion"),
    (596, "MQ", "America/Martinique"), (597, "SR", "America/Paramaribo"), (598, "UY", "America/Montevideo"), (599, "CW BQ", "America/Curacao America/Kralendijk"),
    (670, "TL", "Asia/Dili"), (672, "NF", "Pacific/Norfolk Antarctica/Casey Antarctica/Davis Antarctica/Mawson"), (673, "BN", "Asia/Brunei"), (674, "NR", "Pacific/Nauru"),
    (675, "PG", "Pacific/Port_Moresby Pacific/Bougainville"), (676, "TO", "Pacific/Tongatapu"), (677, "SB", "Pacific/Guadalcanal"), (678, "VU", "Pacific/Efate"),
    (679, "FJ", "Pacific/Fiji"), (680, "PW", "Pacific/Palau"), (681, "WF", "Pacific/Wallis"), (682, "CK", "Pacific/Rarotonga"), (683, "NU", "Pacific/Niue"),
    (685, "WS", "Pacific/Apia"), (686, "KI", "Pacific/Tarawa Pacific/Enderbury Pacific/Kiritimati"), (687, "NC", "Pacific/Noumea"), (688, "TV", "Pacific/Funafuti"),
    (689, "PF", "Pacific/Tahiti Pacific/Gambier Pacific/Marquesas"), (690, "TK", "Pacific/Fakaofo"), (691, "FM", "Pacific/Ponape Pacific/Truk Pacific/Kosrae"),
    (692, "MH", "Pacific/Majuro Pacific/Kwajalein"),
    (850, "KP", "Asia/Pyongyang Asia/Seoul"), (852, "HK", "Asia/Hong_Kong"), (853, "MO", "Asia/Macau Asia/Shanghai"), (855, "KH", "Asia/Phnom_Penh"),
    (856, "LA", "Asia/Vientiane"), (880, "BD", "Asia/Dhaka"), (886, "TW", "Asia/Taipei"), (960, "MV", "Indian/Maldives"), (961, "LB", "Asia/Beirut"),
    (962, "JO", "Asia/Amman"), (963, "SY", "Asia/Damascus"), (964, "IQ", "Asia/Baghdad"), (965, "KW", "Asia/Kuwait"), (966, "SA", "Asia/Riyadh"),
    (967, "YE", "Asia/Aden"), (968, "OM", "Asia/Muscat"), (970, "PS", "Asia/Gaza Asia/Hebron Europe/Bucharest"), (971, "AE", "Asia/Dubai"),
    (972, "IL PS", "Asia/Jerusalem Asia/Gaza Asia/Hebron"), (973, "BH", "Asia/Bahrain"), (974, "QA", "Asia/Qatar"), (975, "BT", "Asia/Thimphu"),
    (976, "MN", "Asia/Ulaanbaatar Asia/Hovd Asia/Choibalsan"), (977, "NP", "Asia/Katmandu"), (992, "TJ", "Asia/Dushanbe"), (993, "TM", "Asia/Ashgabat"),
    (994, "AZ", "Asia/Baku"), (995, "GE", "Asia/Tbilisi"), (996, "KG", "Asia/Bishkek"), (998, "UZ", "Asia/Tashkent"),
];

/// What a calling code says.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) countries: SmallVec<[Country; 2]>,
    pub(super) zones: ZoneSet,
}

static BY_CODE: LazyLock<Vec<Option<Code>>> = LazyLock::new(|| {
    let mut table = vec![None; 1000];
    for (code, countries, zones) in CODES {
        let countries = countries.split(' ').filter_map(Country::from_code).collect();
        let zones = zones.split(' ').filter_map(ZoneId::named).collect();
        table[usize::from(*code)] = Some(Code { countries, zones });
    }
    table
});

/// What the calling code at the front of an E.164 number says; `None` for codes without a place.
pub(super) fn calling_code(digits: u64) -> Option<&'static Code> {
    let length = digits.checked_ilog10()? + 1;
    // No calling code is the beginning of another one.
    (1..=3u32).find_map(|n| {
        let head = digits / 10u64.pow(length.checked_sub(n)?);
        BY_CODE.get(head as usize)?.as_ref()
    })
}

/// The zones of a country by its own calling code.
pub(super) fn country(country: Country) -> Option<ZoneSet> {
    let mut zones = ZoneSet::unknown();
    for code in BY_CODE.iter().flatten().filter(|code| code.countries.contains(&country)) {
        zones.extend(code.zones.as_slice().iter().copied());
    }
    (!zones.is_unknown()).then_some(zones)
}

/// Every calling code of the table.
pub fn calling_codes() -> impl Iterator<Item = u16> {
    CODES.iter().map(|(code, _, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_is_known_and_no_code_begins_another() {
        for (code, countries, zones) in CODES {
            for zone in zones.split(' ') {
                assert!(ZoneId::named(zone).is_some(), "{code}: {zone}");
            }
            for country in countries.split(' ') {
                assert!(Country::from_code(country).is_some(), "{code}: {country}");
            }
            for (other, _, _) in CODES.iter().filter(|(other, _, _)| other > code) {
                assert!(!other.to_string().starts_with(&code.to_string()), "{code} begins {other}");
            }
        }
    }

    #[test]
    fn a_calling_code_is_read_from_the_front_of_a_number() {
        let zones = |digits: u64| {
            calling_code(digits)
                .map_or(Vec::new(), |code| code.zones.as_slice().iter().map(|zone| zone.name()).collect::<Vec<_>>())
        };
        assert_eq!(zones(81_312_345_678), ["Asia/Tokyo"]);
        assert_eq!(zones(353_123_456)[0], "Europe/Dublin");
        assert_eq!(zones(81), ["Asia/Tokyo"], "nothing but the code");
        assert!(calling_code(0).is_none() && calling_code(99_912_345).is_none());
        let of = |code: &str| country(Country::from_code(code).expect("a country"));
        assert_eq!(of("JP").map(|z| z.len()), Some(1));
        // The Palestinians have two codes.
        assert_eq!(of("PS").map(|z| z.len()), Some(4));
        assert_eq!(of("JM"), None, "Jamaica is of the American plan");
        let codes: Vec<u16> = calling_codes().collect();
        assert!(codes.len() > 180 && codes.contains(&44) && codes.contains(&998));
    }
}
