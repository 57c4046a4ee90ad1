//! The sample list: about 640 rows with the mess that real lists have.
//!
//! Every number is set aside for fiction: 555-01xx in North America, the drama numbers of the
//! regulators of the United Kingdom (Ofcom), Germany (Bundesnetzagentur), France (ARCEP) and
//! Australia (ACMA). The list is for the simulated carrier; nobody is to be dialled from it.

use super::people::{CANADA, FIRST_NAMES, LAST_NAMES, PLACES, Place};
use super::random::Random;

/// Rows before faults are added.
const ROWS: usize = 600;

/// The sample and what an import must find in it.
pub struct Sample {
    /// The file: UTF-8 with a byte order mark, CRLF, two lines before the header.
    pub text: String,
    /// Rows that become leads, before duplicates are taken out.
    pub leads: usize,
    /// Rows whose number is on an earlier row.
    pub duplicates: usize,
    /// Rows that are rejected, duplicates not counted.
    pub rejected: usize,
    /// Leads that the file itself says must not be called.
    pub do_not_call: usize,
}

/// One row, cell by cell, before it is written.
#[derive(Clone, Default)]
struct Cells {
    first: String,
    last: String,
    phone: String,
    phone2: String,
    country: String,
    kind: String,
    priority: String,
    do_not_call: String,
    notes: String,
    state: String,
    postal_code: String,
    timezone: String,
    external_id: String,
    company: String,
}

/// Makes the sample.
pub fn sample(seed: u64) -> Sample {
    let mut random = Random::new(seed);
    let mut sample = Sample { text: String::new(), leads: 0, duplicates: 0, rejected: 0, do_not_call: 0 };
    sample.text.push_str("\u{feff}Spring campaign 2026: fictitious leads\r\n\r\n");
    sample.text.push_str(
        "First Name,Last Name,Phone,Phone 2,Country,Type,Priority,Do Not Call,Notes,State,ZIP,Time Zone,External ID,Company\r\n",
    );
    let mut earlier: Vec<Cells> = Vec::new();
    for n in 0..ROWS {
        let mut cells = lead(&mut random, n);
        if n % 25 == 24 {
            // The same person again, written otherwise.
            let again = earlier[random.below(earlier.len())].clone();
            cells.phone = digits_only(&again.phone);
            (cells.country, cells.phone2) = (again.country, String::new());
            sample.duplicates += 1;
        } else {
            earlier.push(cells.clone());
        }
        sample.leads += 1;
        if matches!(cells.do_not_call.as_str(), "TRUE" | "yes" | "1") {
            sample.do_not_call += 1;
        }
        write(&mut sample.text, &cells);
        if n % 13 == 7 {
            fault(&mut random, &mut sample, n);
        }
        if n % 97 == 50 {
            sample.text.push_str("\r\n");
        }
    }
    sample
}

/// A row that is a lead.
fn lead(random: &mut Random, n: usize) -> Cells {
    let mut cells = Cells {
        first: random.of(&FIRST_NAMES).to_owned(),
        last: random.of(&LAST_NAMES).to_owned(),
        kind: random.of(&["broker", "carrier", "shipper", "partner", ""]).to_owned(),
        priority: random.of(&["low", "normal", "High", "URGENT", "medium", "", "normal"]).to_owned(),
        do_not_call: random.of(&["", "", "", "", "FALSE", "no", "0", "false", "FALSE", ""]).to_owned(),
        external_id: if random.percent(60) { format!("CRM-{}", 1000 + n) } else { String::new() },
        company: random.of(&["Acme Freight", "\"Blue\" Logistics", "Carter, Dunn & Co.", "", ""]).to_owned(),
        notes: note(random),
        ..Cells::default()
    };
    if random.percent(4) {
        cells.do_not_call = random.of(&["TRUE", "yes", "1"]).to_owned();
    }
    number(random, n, &mut cells);
    if random.percent(8) {
        let place = &PLACES[random.below(PLACES.len())];
        // Numbers 50-99 of an exchange are second numbers only, so that they repeat no first one.
        cells.phone2 = format!("+1 {} 555 01{:02}", place.area_code, 50 + random.below(50));
    } else if random.percent(3) {
        cells.phone2 = random.of(&["n/a", "see notes", "12345", "911"]).to_owned();
    }
    cells
}

fn note(random: &mut Random) -> String {
    match random.below(24) {
        0 => "Asked for a quote,\r\ncall after lunch".to_owned(),
        1 => "said \"maybe later\"".to_owned(),
        2 => "=HYPERLINK(\"http://example.com\",\"click\")".to_owned(),
        3 => "+2 trucks, -1 driver".to_owned(),
        4 => "prefers mornings; Spanish".to_owned(),
        5 => "@home on Fridays".to_owned(),
        6 => "€500 budget – renewed".to_owned(),
        7..=11 => "VIP customer".to_owned(),
        _ => String::new(),
    }
}

/// A number that no earlier row has (`n` is the row), in one of the forms that lists use.
fn number(random: &mut Random, n: usize, cells: &mut Cells) {
    let nanp = |places: &[Place], cells: &mut Cells, random: &mut Random| {
        let place = &places[n % places.len()];
        let line = format!("01{:02}", n / places.len() % if places.len() > 5 { 50 } else { 100 });
        cells.phone = north_american(random, place.area_code, &line);
        if random.percent(55) {
            cells.state = place.state.to_owned();
        }
        if random.percent(45) {
            cells.postal_code = match random.percent(50) {
                true => format!("=\"{}\"", place.postal_code),
                false => place.postal_code.to_owned(),
            };
        }
        if random.percent(30) {
            cells.timezone = place.timezone.to_owned();
        }
    };
    let country = |names: &[&str], random: &mut Random| names[random.below(names.len())].to_owned();
    match random.below(20) {
        0 => {
            nanp(&CANADA, cells, random);
            cells.country = country(&["CA", "Canada", "can"], random);
        }
        1 | 2 => {
            let area = ["020 7946 0", "0161 496 0", "0131 496 0", "0121 496 0"][n % 4];
            cells.phone = abroad(random, "44", &format!("{area}{:03}", n % 1000));
            cells.country = country(&["GB", "UK", "United Kingdom", "gb"], random);
            cells.timezone = country(&["", "Europe/London"], random);
        }
        3 => {
            let area = ["030 23125 ", "069 90009 ", "040 66969 ", "089 99998 "][n % 4];
            cells.phone = abroad(random, "49", &format!("{area}{:03}", n % 1000));
            cells.country = country(&["DE", "Germany", "Deutschland"], random);
        }
        4 => {
            cells.phone = abroad(random, "33", &format!("01 99 00 {:02} {:02}", n / 100, n % 100));
            cells.country = country(&["FR", "France"], random);
        }
        5 => {
            cells.phone = abroad(random, "61", &format!("02 5550 {:04}", n % 10_000));
            cells.country = country(&["AU", "Australia", "AUS"], random);
            cells.timezone = country(&["", "Australia/Sydney"], random);
        }
        _ => {
            nanp(&PLACES, cells, random);
            cells.country = country(&["US", "", "", "USA", "United States", "us"], random);
        }
    }
}

fn north_american(random: &mut Random, area: u16, line: &str) -> String {
    match random.below(12) {
        0 | 1 => format!("+1{area}555{line}"),
        2 | 3 => format!("({area}) 555-{line}"),
        4 => format!("{area}-555-{line}"),
        5 => format!("{area}.555.{line}"),
        6 => format!("1 {area} 555 {line}"),
        7 => format!("=\"+1{area}555{line}\""),
        8 => format!("'+1{area}555{line}"),
        9 => format!("1{area}555{line}.0"),
        10 => format!(" {area}\u{a0}555\u{a0}{line}"),
        _ => format!("{area}-555-{line} ext. 7"),
    }
}

/// A national number as it is, or international with 00 or a plus sign.
fn abroad(random: &mut Random, calling_code: &str, national: &str) -> String {
    let rest = national.trim_start_matches('0');
    match random.below(4) {
        0 => national.to_owned(),
        1 => format!("+{calling_code} {rest}"),
        2 => format!("00{calling_code} {rest}"),
        _ => format!("+{calling_code} (0) {rest}"),
    }
}

/// The digits of a number, with a plus sign where they begin with a country code.
fn digits_only(phone: &str) -> String {
    let number = phone.split(" ext").next().unwrap_or_default().replace("(0)", "");
    let number = number.strip_suffix(".0").unwrap_or(&number);
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None if number.contains('+') => format!("+{digits}"),
        None => digits,
    }
}

/// A row that is rejected, of each kind in turn.
fn fault(random: &mut Random, sample: &mut Sample, n: usize) {
    let mut cells = lead(random, 1000 + n);
    (cells.country, cells.phone2) = ("US".to_owned(), String::new());
    (cells.state, cells.timezone, cells.notes) = (String::new(), String::new(), String::new());
    cells.phone = "+12125550100".to_owned();
    sample.rejected += 1;
    match n / 13 % 20 {
        0 => cells.phone = "1.41556E+10".to_owned(),
        1 => cells.phone = String::new(),
        2 => cells.phone = "555-0142".to_owned(),
        3 => cells.phone = "21255501".to_owned(),
        4 => cells.phone = "212-555-014299".to_owned(),
        5 => cells.phone = "900-555-0142".to_owned(),
        6 => cells.phone = "911".to_owned(),
        7 => cells.phone = "call the office".to_owned(),
        8 => cells.phone = "212-555-0142 / 212-555-0143".to_owned(),
        9 => cells.phone = "#####".to_owned(),
        10 => cells.phone = "115-555-0142".to_owned(),
        11 => cells.phone = "+999 555 0142".to_owned(),
        12 => cells.priority = "sometimes".to_owned(),
        13 => cells.country = "Atlantis".to_owned(),
        14 => cells.do_not_call = "maybe".to_owned(),
        15 => cells.timezone = "UTC-5".to_owned(),
        16 => return sample.text.push_str("Ann,Baker\r\n"),
        17 => {
            return sample
                .text
                .push_str("Bob,Carter,2125550142,,US,broker,low,,a note, with a comma,NY,10001,,,Acme,x\r\n");
        }
        18 => return sample.text.push_str("Eve,Ellis,2125550142,,US,broker,low,,\"a quote never closed\r\n"),
        _ => cells.phone = "n/a".to_owned(),
    }
    write(&mut sample.text, &cells);
}

/// Writes a row as a spreadsheet would: quotes only where they are needed, formulas as they are.
fn write(text: &mut String, cells: &Cells) {
    let row = [
        &cells.first,
        &cells.last,
        &cells.phone,
        &cells.phone2,
        &cells.country,
        &cells.kind,
        &cells.priority,
        &cells.do_not_call,
        &cells.notes,
        &cells.state,
        &cells.postal_code,
        &cells.timezone,
        &cells.external_id,
        &cells.company,
    ];
    for (at, cell) in row.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let excel_text = cell.starts_with("=\"") && !cell.contains(',');
        if !excel_text && cell.contains([',', '"', '\r', '\n']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::import::{Check, ImportRules, Row, Verdict, read_all};
    use std::collections::BTreeSet;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/leads.csv");

    #[test]
    fn the_sample_imports_as_it_was_made() {
        let made = sample(1);
        let (mut check, mut duplicates, mut flagged) = (Check::new(usize::MAX), 0, 0);
        let mut reasons: BTreeSet<&'static str> = BTreeSet::new();
        let mut countries: BTreeSet<String> = BTreeSet::new();
        let mut rejections = Vec::new();
        let (tally, dialect) = read_all(made.text.as_bytes(), ImportRules::default(), |row| match row {
            Row::Lead(lead) => {
                flagged += usize::from(lead.do_not_call);
                countries.extend(lead.phones[0].country.map(|country| country.to_string()));
                duplicates += usize::from(check.push(*lead).is_some());
            }
            Row::Rejected(rejection) => {
                reasons.insert(rejection.reason.code());
                rejections.push(rejection);
            }
            Row::Warned(_) => {}
        })
        .expect("readable");
        let shown: Vec<String> = rejections.iter().map(ToString::to_string).collect();
        assert_eq!((tally.leads as usize, tally.rejected as usize), (made.leads, made.rejected), "{shown:#?}");
        assert_eq!((duplicates, flagged), (made.duplicates, made.do_not_call));
        assert!(duplicates > 10 && flagged > 10 && tally.warnings > 5 && tally.blank_lines > 3);
        assert!(reasons.len() >= 12, "{reasons:?}");
        assert_eq!(countries, ["AU", "CA", "DE", "FR", "GB", "US"].map(str::to_owned).into());
        assert_eq!((dialect.delimiter, tally.preamble_lines), (',', 2));
        let verdicts = vec![Verdict::Clear; check.phones().len()];
        assert!(check.answer(&verdicts).accepted.len() >= 500);
    }

    /// The committed file is what the generator makes; `cargo run -p autocall-benches --bin
    /// autocall-sample` writes it anew.
    #[test]
    fn the_committed_sample_is_the_generated_one() {
        let committed = std::fs::read_to_string(FILE).expect("examples/leads.csv");
        assert!(committed == sample(1).text, "examples/leads.csv differs from its generator");
    }

    /// Ranges that regulators set aside for fiction.
    #[test]
    fn every_number_is_fictitious() {
        let made = sample(1);
        read_all(made.text.as_bytes(), ImportRules::default(), |row| {
            let Row::Lead(lead) = row else { return };
            for phone in &lead.phones {
                let e164 = phone.phone.e164();
                let fiction = e164.starts_with("+1") && e164[5..].starts_with("55501")
                    || ["+442079460", "+441614960", "+441314960", "+441214960"].iter().any(|r| e164.starts_with(r))
                    || ["+493023125", "+496990009", "+494066969", "+498999998"].iter().any(|r| e164.starts_with(r))
                    || e164.starts_with("+3319900")
                    || e164.starts_with("+6125550");
                assert!(fiction, "line {}", lead.line);
            }
        })
        .expect("readable");
    }
}
