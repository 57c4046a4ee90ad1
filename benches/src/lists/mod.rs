//! Lists of leads made from a seed: the sample in `examples/leads.csv`, and long ones for benches.

mod messy;
mod people;
mod random;

pub use messy::{Sample, sample};
pub use random::Random;

use people::{FIRST_NAMES, LAST_NAMES};

/// What kind of numbers a long list holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Numbers of the United States and Canada in E.164.
    Nanp,
    /// The same as people write them.
    NanpWritten,
    /// Five countries, half of the rows of the United States, national and international forms.
    Countries,
}

/// A list of `rows` rows with the documented columns; every row is a valid lead, numbers may repeat.
pub fn long(seed: u64, rows: usize, mix: Mix) -> Vec<u8> {
    const AREA_CODES: [u32; 20] =
        [212, 213, 305, 312, 404, 415, 416, 503, 512, 602, 604, 617, 702, 713, 720, 801, 813, 817, 919, 971];
    let mut random = Random::new(seed);
    let mut text = String::with_capacity(rows * 90);
    text.push_str("first_name,last_name,phone,country,type,priority,do_not_call,notes\n");
    for row in 0..rows {
        let area = AREA_CODES[random.below(AREA_CODES.len())];
        let (exchange, rest) = (200 + random.below(800), random.below(10_000));
        let (phone, country) = match mix {
            Mix::Nanp => (format!("+1{area}{exchange}{rest:04}"), "US"),
            Mix::NanpWritten => (written(&mut random, area, exchange, rest), "US"),
            Mix::Countries => abroad(&mut random, area, exchange, rest),
        };
        let (first, last) = (random.of(&FIRST_NAMES), random.of(&LAST_NAMES));
        let kind = random.of(&["broker", "carrier", "shipper", "partner"]);
        let priority = random.of(&["low", "normal", "normal", "high"]);
        let notes = if row % 9 == 0 { "\"called before, wants prices\"" } else { "from the spring fair" };
        let cells = [first, last, &phone, country, kind, priority, "false", notes];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text.into_bytes()
}

fn written(random: &mut Random, area: u32, exchange: usize, rest: usize) -> String {
    match random.below(5) {
        0 => format!("({area}) {exchange}-{rest:04}"),
        1 => format!("{area}-{exchange}-{rest:04}"),
        2 => format!("{area}.{exchange}.{rest:04}"),
        3 => format!("1 {area} {exchange} {rest:04}"),
        _ => format!("{area}{exchange}{rest:04}"),
    }
}

fn abroad(random: &mut Random, area: u32, exchange: usize, rest: usize) -> (String, &'static str) {
    match random.below(12) {
        0 => (format!("020 7946 {rest:04}"), "GB"),
        1 => (format!("+44 7400 {exchange}{:03}", rest % 1000), "GB"),
        2 => (format!("+4930{exchange}{rest:04}"), "DE"),
        3 => (format!("0171 {exchange}{rest:04}"), "DE"),
        4 => (format!("06 12 {:02} {:02} {:02}", exchange % 100, rest / 100, rest % 100), "FR"),
        5 => (format!("+9198{exchange}{rest:04}0"), "IN"),
        _ => (written(random, area, exchange, rest), "US"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::import::{ImportRules, Row, read_all};

    #[test]
    fn long_lists_hold_leads_only() {
        for mix in [Mix::Nanp, Mix::NanpWritten, Mix::Countries] {
            let list = long(7, 2_000, mix);
            assert_eq!(list, long(7, 2_000, mix), "the same seed, the same bytes");
            let (tally, _) = read_all(&list[..], ImportRules::default(), |row| {
                assert!(matches!(row, Row::Lead(_)), "{row:?}");
            })
            .expect("readable");
            assert_eq!(tally.leads, 2_000);
        }
    }
}
