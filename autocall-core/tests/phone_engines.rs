//! Our numbers against Google's: 20,000 texts in all written forms, answered by the Python package
//! `phonenumbers` (Google's own rules and metadata) and by us.
//!
//! A disagreement is a number on which we would dial somebody else, or refuse a customer. Each must
//! have an [`Explained`] cause; any other fails the test. Needs Python and `phonenumbers` 9.0.42 or
//! newer (`pip install phonenumbers`); without them the test says so, and fails if
//! `AUTOCALL_REQUIRE_ALL=1`. `AUTOCALL_PYTHON` names the interpreter.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test may ask the machine")]

use autocall_core::phone::{Country, LineType, Normal, PhoneError, normalise};
#[cfg(feature = "phonenumber-engine")]
use autocall_core::phone::{Engine, normalise_by};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

const TEXTS: usize = 20_000;

/// A small generator of the test's own (SplitMix64), so that the texts never change.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// Country, calling code, trunk prefix, and shapes of national numbers (`x` is any digit).
#[rustfmt::skip]
const PLANS: &[(&str, &str, &str, &[&str])] = &[
    ("US", "1", "1", &["212xxxxxxx", "415555xxxx", "305xxxxxxx", "800xxxxxxx", "900xxxxxxx", "xxxxxxxxxx"]),
    ("US", "1", "1", &["702xxxxxxx", "31255501xx", "646xxxxxxx", "xxx555xxxx"]),
    ("CA", "1", "1", &["416xxxxxxx", "604xxxxxxx", "51455501xx", "867xxxxxxx"]),
    ("JM", "1", "1", &["876xxxxxxx", "658xxxxxxx"]),
    ("PR", "1", "1", &["787xxxxxxx", "939xxxxxxx"]),
    ("GB", "44", "0", &["207946xxxx", "7400xxxxxx", "7911xxxxxx", "161496xxxx", "1204xxxxx", "906xxxxxxx", "843xxxxxxx", "76xxxxxxxx", "70xxxxxxxx"]),
    ("DE", "49", "0", &["30xxxxxxx", "30xxxxxxxx", "151xxxxxxxx", "171xxxxxxx", "89xxxxxx", "4941xxxxxx", "900xxxxxxx", "49xxxxxxx", "180xxxxxxx"]),
    ("FR", "33", "0", &["1xxxxxxxx", "6xxxxxxxx", "7xxxxxxxx", "899xxxxxx"]),
    ("IT", "39", "", &["06xxxxxxxx", "02xxxxxxx", "34xxxxxxxx", "0xxxxxxxx", "899xxxxxx"]),
    ("ES", "34", "", &["6xxxxxxxx", "91xxxxxxx", "803xxxxxx"]),
    ("BR", "55", "0", &["119xxxxxxxx", "21xxxxxxxx", "859xxxxxxxx"]),
    ("IN", "91", "0", &["98xxxxxxxx", "7xxxxxxxxx", "22xxxxxxxx", "1860xxxxxxx"]),
    ("AU", "61", "0", &["2xxxxxxxx", "4xxxxxxxx", "8xxxxxxxx", "1300xxxxxx", "190xxxxxxx"]),
    ("NZ", "64", "0", &["21xxxxxxx", "9xxxxxxx"]),
    ("MX", "52", "", &["55xxxxxxxx", "33xxxxxxxx"]),
    ("JP", "81", "0", &["3xxxxxxxx", "90xxxxxxxx", "990xxxxxx"]),
    ("CN", "86", "0", &["13xxxxxxxxx", "10xxxxxxxx"]),
    ("NL", "31", "0", &["6xxxxxxxx", "20xxxxxxx", "900xxxx"]),
    ("BE", "32", "0", &["47xxxxxxx", "2xxxxxxx"]),
    ("CH", "41", "0", &["79xxxxxxx", "44xxxxxxx", "900xxxxxx"]),
    ("AT", "43", "0", &["664xxxxxxx", "1xxxxxxx", "900xxxxxx"]),
    ("SE", "46", "0", &["70xxxxxxx", "8xxxxxxx"]),
    ("NO", "47", "", &["4xxxxxxx", "2xxxxxxx", "829xxxxx"]),
    ("PL", "48", "", &["5xxxxxxxx", "22xxxxxxx"]),
    ("IE", "353", "0", &["85xxxxxxx", "1xxxxxxx"]),
    ("ZA", "27", "0", &["82xxxxxxx", "11xxxxxxx"]),
    ("AE", "971", "0", &["50xxxxxxx", "4xxxxxxx"]),
    ("SG", "65", "", &["8xxxxxxx", "6xxxxxxx"]),
    ("PH", "63", "0", &["917xxxxxxx", "2xxxxxxxx"]),
    ("NG", "234", "0", &["803xxxxxxx", "1xxxxxxx"]),
    ("AR", "54", "0", &["11xxxxxxxx", "9115xxxxxxx"]),
    ("RU", "7", "8", &["9xxxxxxxxx", "495xxxxxxx"]),
    ("KZ", "7", "8", &["701xxxxxxx"]),
    ("GG", "44", "0", &["1481xxxxxx"]),
];

const FORMS: usize = 26;

/// Groups of digits with `separator` between them.
fn grouped(digits: &str, separator: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = digits;
    while rest.len() > 4 {
        let (part, tail) = rest.split_at(3);
        parts.push(part);
        rest = tail;
    }
    parts.push(rest);
    parts.join(separator)
}

fn full_width(text: &str) -> String {
    text.chars().map(|c| c.to_digit(10).and_then(|d| char::from_u32('０' as u32 + d)).unwrap_or(c)).collect()
}

/// A text and the country of the row that it stands in.
fn text(random: &mut Random) -> (Country, String) {
    let plan = &PLANS[random.below(PLANS.len())];
    let (code, calling, trunk, shapes) = *plan;
    let national: String = random
        .of(shapes)
        .chars()
        .map(|c| if c == 'x' { char::from(b'0' + random.below(10) as u8) } else { c })
        .collect();
    let domestic = format!("{trunk}{national}");
    let (short, _) = national.split_at(national.len() - 1 - random.below(2));
    let text = match random.below(FORMS) {
        0 => format!("+{calling}{national}"),
        1 => domestic,
        2 => national,
        3 => format!("+{calling} {}", grouped(&national, " ")),
        4 => format!("+{calling}-{}", grouped(&national, "-")),
        5 => grouped(&domestic, " "),
        6 => grouped(&domestic, "."),
        7 => format!("({}) {}", &national[..3], grouped(&national[3..], "-")),
        8 => format!("+{calling} ({trunk}) {}", grouped(&national, " ")),
        9 => format!("00{calling}{national}"),
        10 => format!("00 {calling} {}", grouped(&national, " ")),
        11 => format!("011 {calling} {}", grouped(&national, " ")),
        12 => format!("tel:+{calling}-{national}"),
        13 => format!("tel:+{calling}-{national};ext=12"),
        14 => format!("{} ext. {}", grouped(&domestic, "-"), random.below(9999)),
        15 => format!("+{calling} {national} x{}", random.below(999)),
        16 => full_width(&format!("+{calling}{national}")),
        17 => full_width(&domestic),
        18 => format!("{calling}{national}"),
        19 => format!("{short} "),
        20 => format!("+{calling}{national}{}", random.below(100)),
        21 => format!("{}/{}", &national[..3], &national[3..]),
        22 => format!("  +{calling}\u{a0}{}\u{200b}", grouped(&national, "\u{2011}")),
        23 => format!("Tel. {}", grouped(&domestic, " ")),
        24 => damaged(random, calling, &national),
        _ => format!("{}{}", random.of(&["+", "++", "(", "1-", "0"]), national),
    };
    // The row's country is mostly right.
    let country = if random.below(12) == 0 { "US" } else { code };
    (Country::from_code(country).expect("in the table"), text)
}

/// What spreadsheets and people add.
fn damaged(random: &mut Random, calling: &str, national: &str) -> String {
    match random.below(8) {
        0 => format!("={calling}{national}"),
        1 => format!("=\"+{calling}{national}\""),
        2 => format!("'+{calling}{national}"),
        3 => format!("{calling}{national}.0"),
        4 => format!("{}.{}E+{:02}", &calling[..1], &national[..5], calling.len() + national.len() - 1),
        5 => format!("+{calling}{national} / +{calling}{national}"),
        6 => format!("{national};{national}"),
        _ => format!("call {national} please"),
    }
}

/// What Google's rules say of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    Valid { e164: String, kind: String, region: String, extension: String },
    Invalid(String),
}

/// Why an answer of ours may differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Explained {
    /// Valid, and never dialled: premium-rate numbers.
    Premium,
    /// Valid, and nobody answers: pagers, voicemail access.
    NoPerson,
    /// One cell, two numbers: the library takes the first, we ask.
    TwoNumbers,
    /// Digits lost to a spreadsheet: the library reads what is left as a number.
    SpreadsheetDamage,
    /// `4155552671.0`: the library reads eleven digits, we drop the fraction.
    SpreadsheetFloat,
    /// 00 for the plus sign, where the row's country does not use it.
    International00,
    /// A row of zeros or alike, which means no number.
    Placeholder,
    /// More than the 15 digits of E.164; the library accepts some in Germany.
    BeyondE164,
}

/// Compares; `Err` for a difference that nothing explains.
fn compare(text: &str, answer: &Answer, ours: &Result<Normal, PhoneError>) -> Result<Option<Explained>, String> {
    let say = || format!("{text:?}: Google {answer:?}, we {:?}", ours.as_ref().map(|n| (n.phone.e164(), n.line)));
    match (answer, ours) {
        (Answer::Valid { kind, .. }, Err(PhoneError::PremiumRate)) if kind == "premium_rate" => {
            Ok(Some(Explained::Premium))
        }
        (Answer::Valid { kind, .. }, Err(PhoneError::NoPerson)) if kind == "pager" || kind == "voicemail" => {
            Ok(Some(Explained::NoPerson))
        }
        (_, Ok(normal)) if matches!(normal.line, LineType::PremiumRate | LineType::Pager | LineType::Voicemail) => {
            Err(say())
        }
        (Answer::Valid { e164, kind, region, extension }, Ok(normal)) => {
            let same = *e164 == normal.phone.e164()
                && kind_of(kind) == normal.line
                && *region == normal.country.map_or("001".to_owned(), |c| c.to_string())
                && extension.as_str() == normal.extension.as_deref().unwrap_or("");
            if same {
                Ok(None)
            } else if text.ends_with(".0") {
                Ok(Some(Explained::SpreadsheetFloat))
            } else {
                Err(say())
            }
        }
        (Answer::Invalid(_), Err(_)) => Ok(None),
        (Answer::Invalid(_), Ok(_)) if text.trim_start().starts_with("00") => Ok(Some(Explained::International00)),
        (Answer::Invalid(_), Ok(_)) if text.ends_with(".0") => Ok(Some(Explained::SpreadsheetFloat)),
        (Answer::Valid { .. }, Err(PhoneError::SeveralNumbers)) => Ok(Some(Explained::TwoNumbers)),
        (Answer::Valid { .. }, Err(PhoneError::SpreadsheetDamaged)) => Ok(Some(Explained::SpreadsheetDamage)),
        (Answer::Valid { e164, .. }, Err(PhoneError::Impossible)) if e164.len() > 16 => Ok(Some(Explained::BeyondE164)),
        (Answer::Valid { .. }, Err(PhoneError::Missing)) => Ok(Some(Explained::Placeholder)),
        _ => Err(say()),
    }
}

fn kind_of(kind: &str) -> LineType {
    match kind {
        "fixed_line" => LineType::Fixed,
        "mobile" => LineType::Mobile,
        "fixed_line_or_mobile" => LineType::FixedOrMobile,
        "toll_free" => LineType::TollFree,
        "premium_rate" => LineType::PremiumRate,
        "shared_cost" => LineType::SharedCost,
        "voip" => LineType::Voip,
        "personal_number" => LineType::Personal,
        "pager" => LineType::Pager,
        "uan" => LineType::Company,
        "voicemail" => LineType::Voicemail,
        _ => LineType::Unknown,
    }
}

/// Notes that the test is left out; a panic where nothing may be. (The core cannot use the
/// testkit's own version of this: the testkit is built on the core.)
fn left_out(what: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    assert!(!is("CI", "true") && !is("AUTOCALL_REQUIRE_ALL", "1"), "{what}; cargo xtask test --install installs it");
    eprintln!("left out: {what}");
    if let Some(path) = std::env::var_os("AUTOCALL_SKIPS")
        && let Ok(mut file) = std::fs::File::options().create(true).append(true).open(path)
    {
        let _ = file.write_all(format!("{what}\n").as_bytes());
    }
}

/// Asks Python; `None`, with a line that names what is missing, if it cannot be asked.
fn ask(texts: &[(Country, String)]) -> Option<(String, Vec<Answer>)> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/py/bin/python").to_owned();
    let default = if std::path::Path::new(&own).exists() { own } else { "python3".to_owned() };
    let python = std::env::var("AUTOCALL_PYTHON").unwrap_or(default);
    let has = Command::new(&python).args(["-c", "import phonenumbers"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        left_out("phone numbers against Google's rules: the Python package phonenumbers is missing");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/phone_answers.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python was there a moment ago");
    let input: String = texts.iter().map(|(country, text)| format!("{country}\t{text}\n")).collect();
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    writer.join().expect("no panic").expect("python reads all");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines = stdout.lines();
    let version = lines.next().expect("a version").to_owned();
    let answers: Vec<Answer> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            match cells[..] {
                ["ok", e164, kind, region, extension] => Answer::Valid {
                    e164: e164.to_owned(),
                    kind: kind.to_owned(),
                    region: region.to_owned(),
                    extension: extension.to_owned(),
                },
                ["no", reason] => Answer::Invalid(reason.to_owned()),
                _ => panic!("not an answer: {line}"),
            }
        })
        .collect();
    Some((version, answers))
}

#[test]
fn googles_rules_and_ours() {
    let mut random = Random(20_261_122);
    let texts: Vec<_> = (0..TEXTS).map(|_| text(&mut random)).collect();
    let Some((version, answers)) = ask(&texts) else { return };
    assert_eq!(answers.len(), TEXTS);
    let valid = answers.iter().filter(|answer| matches!(answer, Answer::Valid { .. })).count();
    assert!(valid * 2 > TEXTS, "only {valid} of {TEXTS} texts are numbers: the list proves little");
    println!("phonenumbers {version}: {TEXTS} texts, {valid} valid");
    let unexplained = differences(&texts, &answers, normalise);
    assert!(unexplained.is_empty(), "{} differ: {:#?}", unexplained.len(), &unexplained[..unexplained.len().min(40)]);
    #[cfg(feature = "phonenumber-engine")]
    second_opinion(&texts[..SECOND_TEXTS], &answers[..SECOND_TEXTS]);
}

/// Texts for the second library, which needs milliseconds for each in a build for tests.
#[cfg(feature = "phonenumber-engine")]
const SECOND_TEXTS: usize = 1_500;

/// The second library's differences, by what they would cost. Known causes: it does not read
/// full-width digits (most of them), loses extensions, drops the leading 49 of German numbers, knows
/// no area codes that are younger than its metadata, and often no line type in Italy.
#[cfg(feature = "phonenumber-engine")]
fn second_opinion(texts: &[(Country, String)], answers: &[Answer]) {
    let mut costs: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for ((country, text), answer) in texts.iter().zip(answers) {
        let second = normalise_by(Engine::Phonenumber, text, *country);
        let Err(difference) = compare(text, answer, &second) else { continue };
        let cost = match (answer, &second) {
            (Answer::Valid { e164, .. }, Ok(normal)) if *e164 != normal.phone.e164() => "another number",
            (Answer::Valid { .. }, Ok(_)) => "line type, country or extension",
            (Answer::Valid { .. }, Err(_)) => "refused",
            (Answer::Invalid(_), _) => "accepted",
        };
        costs.entry(cost).or_insert((0, difference)).0 += 1;
    }
    println!("the second library, {} texts: {costs:#?}", texts.len());
    let of = |cost: &str| costs.get(cost).map_or(0, |(count, _)| *count);
    let all: usize = costs.values().map(|(count, _)| count).sum();
    // Fewer would mean that the comparison no longer looks, more that the library has a new fault.
    assert!((20..texts.len() * 15 / 100).contains(&all), "{all} differ");
    assert!(of("another number") < texts.len() / 100, "{} strangers would be dialled", of("another number"));
}

/// Prints the explained differences, returns the others.
fn differences(
    texts: &[(Country, String)],
    answers: &[Answer],
    ours: impl Fn(&str, Country) -> Result<Normal, PhoneError>,
) -> Vec<String> {
    let mut explained: BTreeMap<Explained, (usize, &str)> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for ((country, text), answer) in texts.iter().zip(answers) {
        match compare(text, answer, &ours(text, *country)) {
            Ok(None) => {}
            Ok(Some(cause)) => explained.entry(cause).or_insert((0, text)).0 += 1,
            Err(difference) => unexplained.push(format!("{country} {difference}")),
        }
    }
    println!("explained: {explained:?}");
    unexplained
}
