//! Laws of the import: nothing panics, no line is lost, what goes out comes back in.

use autocall_core::import::write::CsvText;
use autocall_core::import::{Check, ImportRules, Importer, LeadDraft, Limits, Rejection, Row, Tally, Verdict};
use autocall_core::{Phone, Private};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

struct Read {
    leads: Vec<LeadDraft>,
    rejected: Vec<Rejection>,
    tally: Tally,
    refused: bool,
}

fn read(bytes: &[u8], chunk: usize, limits: Limits) -> Read {
    let mut importer = Importer::new(ImportRules { limits, ..ImportRules::default() });
    let mut read = Read { leads: vec![], rejected: vec![], tally: Tally::default(), refused: false };
    let mut chunks = bytes.chunks(chunk.max(1));
    let mut last = false;
    while !last && !read.refused {
        match chunks.next() {
            Some(chunk) => importer.feed(chunk),
            None => {
                importer.finish();
                last = true;
            }
        }
        loop {
            match importer.next_row() {
                Ok(Some(Row::Lead(lead))) => read.leads.push(*lead),
                Ok(Some(Row::Rejected(rejection))) => read.rejected.push(rejection),
                Ok(Some(Row::Warned(_))) => {}
                Ok(None) => break,
                Err(_) => {
                    read.refused = true;
                    break;
                }
            }
        }
    }
    read.tally = importer.tally();
    read
}

/// Lines as an editor counts them: LF, CR and CRLF end one.
fn lines_of(text: &str) -> u64 {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.lines().count() as u64
}

fn accounted(tally: &Tally) -> u64 {
    tally.preamble_lines + tally.header_lines + tally.blank_lines + tally.lead_lines + tally.rejected_lines
}

/// Text that is nearly a list: the tokens of lists in any order.
fn nearly_csv() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        8 => Just(","), 3 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r"), 4 => Just("\""), 2 => Just("\"\""),
        1 => Just(";"), 1 => Just("\t"), 1 => Just("|"), 1 => Just(" "), 1 => Just("sep=;\n"),
        6 => Just("2025550123"), 3 => Just("+442079460018"), 2 => Just("phone,first_name,notes\n"), 1 => Just("phone"),
        1 => Just("x"), 1 => Just("é"), 1 => Just("="), 1 => Just("'"), 1 => Just("1.41556E+10"), 1 => Just("\u{feff}"),
    ];
    vec(token, 0..120).prop_map(|tokens| tokens.concat())
}

/// A cell that survives: no blanks at its ends, no NUL.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Zéß' ,;|\t\"\r\n=+@0-9-]{0,24}",
        1 => "\\PC{0,16}",
    ]
    .prop_map(|text| text.trim().to_owned())
    .prop_filter("the formula that stands for its text", |text| !text.starts_with("=\""))
}

/// A cell of one line: a line break in a name counts as a stray quote.
fn name() -> impl Strategy<Value = String> {
    cell().prop_map(|text| text.replace(['\r', '\n'], "").trim().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes panic, and how they are cut into chunks makes no difference.
    #[test]
    fn any_bytes_in_any_chunks(bytes in vec(any::<u8>(), 0..600), a in 1usize..40, b in 1usize..700) {
        let (one, two) = (read(&bytes, a, Limits::default()), read(&bytes, b, Limits::default()));
        prop_assert_eq!((one.leads, one.rejected, one.refused), (two.leads, two.rejected, two.refused));
    }

    /// Every line of a file that is not refused is preamble, header, blank, a lead's or a rejection's.
    #[test]
    fn every_line_is_accounted_for(text in nearly_csv(), header in any::<bool>(), chunk in 1usize..200) {
        let text = if header { format!("phone,first_name,notes\n{text}") } else { text };
        let found = read(text.as_bytes(), chunk, Limits::default());
        if !found.refused {
            prop_assert_eq!(found.tally.lines, lines_of(text.strip_prefix('\u{feff}').unwrap_or(&text)));
            prop_assert_eq!(accounted(&found.tally), found.tally.lines);
            let whole = read(text.as_bytes(), usize::MAX, Limits::default());
            prop_assert_eq!((whole.leads, whole.rejected, whole.tally), (found.leads, found.rejected, found.tally));
        }
    }

    /// The same under limits so tight that every one of them is met.
    #[test]
    fn tight_limits_lose_no_line_either(text in nearly_csv(), chunk in 1usize..200) {
        let text = format!("phone,first_name,notes\n{text}");
        let limits = Limits { cell_bytes_max: 12, cell_lines_max: 3, record_bytes_max: 90, columns_max: 6 };
        let found = read(text.as_bytes(), chunk, limits);
        prop_assert!(accounted(&found.tally) <= lines_of(&text));
        if !found.refused {
            prop_assert_eq!((found.tally.lines, accounted(&found.tally)), (lines_of(&text), lines_of(&text)));
        }
    }

    /// A list that we write comes back as it was, formulas and all.
    #[test]
    fn what_goes_out_comes_back_in(rows in vec((0u32..10_000, name(), name(), cell(), cell(), any::<bool>()), 0..30), chunk in 1usize..300) {
        let mut csv = CsvText::new();
        csv.row(["phone", "first_name", "last_name", "notes", "Colour", "do_not_call"]);
        for (n, first, last, notes, colour, flag) in &rows {
            let phone = format!("+1415555{n:04}");
            csv.row([phone.as_str(), first, last, notes, colour, if *flag { "true" } else { "false" }]);
        }
        let found = read(csv.into_string().as_bytes(), chunk, Limits::default());
        prop_assert!(found.rejected.is_empty(), "{:?}", found.rejected);
        prop_assert_eq!(found.leads.len(), rows.len());
        for (lead, (n, first, last, notes, colour, flag)) in found.leads.iter().zip(&rows) {
            prop_assert_eq!(lead.phone().e164(), format!("+1415555{n:04}"));
            prop_assert_eq!(lead.first_name.expose(), first);
            prop_assert_eq!(lead.last_name.expose(), last);
            prop_assert_eq!(lead.notes.expose(), notes);
            prop_assert_eq!(lead.extra.first().map_or("", |(_, value)| value.expose()), colour.as_str());
            prop_assert_eq!(lead.do_not_call, *flag);
        }
    }

    /// On text without mistakes our cells are those of the csv crate. The letters spell no column's
    /// name: a row that reads as a header in another dialect (`;tel;`) is an honest question.
    #[test]
    fn clean_text_reads_as_the_csv_crate_reads_it(rows in vec(vec("[bdfgk0-9 ,;\"\n]{1,12}", 3..4), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["phone", "a", "b", "c"]).expect("memory");
        for row in &rows {
            writer.write_record(std::iter::once("2025550123").chain(row.iter().map(String::as_str))).expect("memory");
        }
        let text = writer.into_inner().expect("memory");
        let found = read(&text, 64, Limits::default());
        let mut reader = csv::Reader::from_reader(&text[..]);
        let theirs: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.expect("clean").iter().skip(1).map(|cell| cell.trim().to_owned()).collect())
            .collect();
        let ours: Vec<Vec<String>> = found
            .leads
            .iter()
            .map(|lead| {
                let cells: BTreeMap<&str, &Private> = lead.extra.iter().map(|(name, value)| (&**name, value)).collect();
                ["a", "b", "c"].map(|name| cells.get(name).map_or("", |value| value.expose()).to_owned()).to_vec()
            })
            .collect();
        prop_assert_eq!(ours, theirs);
    }

    /// Whatever the batches, whatever fits in memory: the store ends up with each number once, every
    /// row is accepted or rejected, and each number that a row flags reaches the do-not-call list.
    #[test]
    fn check_finds_every_duplicate(
        rows in vec((0u64..40, any::<bool>()), 0..120),
        batch in 1usize..20,
        seen_max in 0usize..50,
        listed in proptest::collection::btree_set(0u64..40, 0..8),
    ) {
        let number = |n: u64| Phone::from_digits(14_155_550_100 + n).expect("E.164");
        let listed: BTreeSet<Phone> = listed.into_iter().map(number).collect();
        let mut text = "phone,do_not_call\n".to_owned();
        for (n, flag) in &rows {
            text.push_str(&format!("{},{flag}\n", number(*n).e164()));
        }
        let leads = read(text.as_bytes(), 4096, Limits::default()).leads;
        let (mut stored, mut flagged): (Vec<Phone>, BTreeSet<Phone>) = Default::default();
        let mut rejected = 0;
        let mut check = Check::with_seen_max(batch, seen_max);
        let mut ask = |check: &mut Check, rejected: &mut usize| {
            let verdict = |phone: &Phone| {
                if listed.contains(phone) {
                    Verdict::DoNotCall { list: "internal".to_owned() }
                } else if stored.contains(phone) {
                    Verdict::InCampaign
                } else {
                    Verdict::Clear
                }
            };
            let verdicts: Vec<Verdict> = check.phones().iter().map(verdict).collect();
            let checked = check.answer(&verdicts);
            *rejected += checked.rejected.len();
            stored.extend(checked.accepted.iter().map(LeadDraft::phone));
            flagged.extend(checked.do_not_call);
        };
        for lead in leads {
            rejected += check.push(lead).into_iter().len();
            if check.is_full() {
                ask(&mut check, &mut rejected);
            }
        }
        ask(&mut check, &mut rejected);
        prop_assert!(check.is_empty());
        let wanted: BTreeSet<Phone> = rows.iter().map(|(n, _)| number(*n)).filter(|p| !listed.contains(p)).collect();
        prop_assert_eq!(stored.len() + rejected, rows.len());
        prop_assert_eq!(stored.len(), wanted.len());
        prop_assert_eq!(stored.iter().copied().collect::<BTreeSet<_>>(), wanted);
        let asked: BTreeSet<Phone> = rows.iter().filter(|(_, flag)| *flag).map(|(n, _)| number(*n)).collect();
        prop_assert_eq!(flagged, asked);
    }
}

/// A verdict on a second number takes that number off; one on the first rejects the lead.
#[test]
fn verdicts_on_second_numbers() {
    let text = "phone,phone2,phone3\n2025550101,2025550102,2025550103\n2025550104,2025550105,\n";
    let mut check = Check::new(10);
    for lead in read(text.as_bytes(), 100, Limits::default()).leads {
        assert_eq!(check.push(lead), None);
    }
    let list = || Verdict::DoNotCall { list: "state".to_owned() };
    let checked = check.answer(&[Verdict::Clear, list(), Verdict::Clear, list(), Verdict::Clear]);
    let phones: Vec<String> = checked.accepted[0].phones.iter().map(|phone| phone.phone.e164()).collect();
    assert_eq!(phones, ["+12025550101", "+12025550103"]);
    let warning = &checked.warnings[0].0;
    assert_eq!((warning.line, warning.column.as_str(), warning.reason.code()), (2, "phone2", "do_not_call"));
    assert_eq!((checked.rejected[0].line, checked.rejected[0].reason.code()), (3, "do_not_call"));
    assert!(!format!("{:?}", checked.rejected).contains("5550104"));
}

/// Verdicts that are missing accept nothing: the lead is asked about again.
#[test]
fn a_lead_without_verdicts_waits() {
    let mut check = Check::new(10);
    for lead in read(b"phone,phone2\n2025550101,2025550102\n2025550103,\n", 100, Limits::default()).leads {
        check.push(lead);
    }
    assert_eq!(check.answer(&[Verdict::Clear]).accepted.len(), 0);
    assert_eq!(check.phones().len(), 3);
    assert_eq!(check.answer(&vec![Verdict::Clear; 3]).accepted.len(), 2);
    assert!(check.is_empty());
}
