//! Files of leads. Laws: the same rows however the bytes are cut; every line counted once; no
//! full number in what is said about a rejected row; no cell that a spreadsheet would run in what
//! is written back; what is accepted is E.164 that reads as itself; the check stage loses no row;
//! an exported lead comes back as it was.

use super::{Behaviour, Target};
use autocall_core::Country;
use autocall_core::import::{Check, FileError, ImportRules, Importer, LeadDraft, Limits, Row, Verdict, write};
use autocall_core::phone::thorough;
use autocall_testkit::leak::has_phone;

/// The CSV parser and the writer of rejections.
pub struct Csv;

/// Small enough that the limits are met by inputs of a few kilobytes.
const LIMITS: Limits = Limits { cell_bytes_max: 512, cell_lines_max: 8, record_bytes_max: 4096, columns_max: 24 };

/// So small that nearly every input meets them.
const TIGHT: Limits = Limits { cell_bytes_max: 24, cell_lines_max: 3, record_bytes_max: 200, columns_max: 9 };

impl Target for Csv {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let text = [
            "first_name,last_name,phone,country,type,priority,do_not_call,notes\nJohn,Doe,+14155552671,US,broker,high,false,\"VIP, really\"\n",
            "sep=;\r\nPhone;First Name;Zip\r\n(415) 555-2671;Ann;94103\r\n=\"+14155552672\";Bo;10001\r\n",
            "Leads of May\n\nmobile\tcountry\ttimezone\n4155552671\tUnited States\tAmerica/New_York\n1.41556E+10\tUS\t\n",
            "phone|phone2|phone3|external_id\n4155552671|+442071838750||7\n911||\n4155552671|\n",
            "phone,notes\n+14155552671,\"two\nlines\"\n+14155552672,=HYPERLINK(1)\n+14155552673,\"never closed\n+14155552674,x\n",
            "+14155552671\n+14155552672\n",
        ];
        let mut seeds: Vec<Vec<u8>> = text.iter().map(|t| t.as_bytes().to_vec()).collect();
        let utf16 = |t: &str| [0xFF, 0xFE].into_iter().chain(t.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        seeds.push(utf16("phone\tnotes\r\n4155552671\tMüller\r\n"));
        seeds.push(b"\xEF\xBB\xBFphone,last_name\r\n4155552671,M\xC3\xBCller\r\n".to_vec());
        seeds.push(b"phone,last_name\r\n4155552671,M\xFCller\r\n".to_vec());
        seeds
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"phone",
            b"phone2",
            b"first_name",
            b"country",
            b"priority",
            b"do_not_call",
            b"timezone",
            b"state",
            b",",
            b";",
            b"\t",
            b"|",
            b"\"",
            b"\"\"",
            b"\r\n",
            b"\n",
            b"\r",
            b"sep=;",
            b"sep=,",
            b"=\"",
            b"=",
            b"@",
            b"TRUE",
            b"yes",
            b"urgent",
            b"US",
            b"GB",
            b"Germany",
            b"+1415555",
            b"2671",
            b"+442071838750",
            b"911",
            b"1.41556E+10",
            b"\xFF\xFE",
            b"\xFE\xFF",
            b"\xEF\xBB\xBF",
            b"\0",
            b"\xFC",
            b"\xE2\x80\x93",
            b"ext. 12",
            b"(415) 555-2671",
        ]
    }

    fn run(&self, input: &[u8], said: &mut Behaviour) {
        let whole = read(input, usize::MAX, LIMITS);
        let cut = 1 + usize::from(input.first().copied().unwrap_or(0)) % 61;
        for limits in [LIMITS, Limits::default(), TIGHT] {
            let pieces = read(input, cut, limits);
            assert_eq!(read(input, usize::MAX, limits), pieces, "the same rows in pieces of {cut} bytes");
        }

        let (rows, refused) = &whole;
        let (mut rejections, mut leads) = (Vec::new(), Vec::new());
        let mut before = "begin";
        for row in rows {
            let kind = match row {
                Row::Lead(_) => "lead",
                Row::Rejected(rejection) => rejection.reason.code(),
                Row::Warned(warning) => warning.0.reason.code(),
            };
            said.note(format!("{before} then {kind}"));
            before = kind;
            match row {
                Row::Lead(lead) => {
                    note_lead(lead, said);
                    leads.push(&**lead);
                }
                Row::Rejected(rejection) => {
                    said.note(format!("rejected:{}", rejection.reason.code()));
                    said.note(format!("rejected in {}", rejection.column.len().min(1)));
                    rejections.push(rejection);
                }
                Row::Warned(warning) => said.note(format!("warned:{}", warning.0.reason.code())),
            }
        }
        if let Some(error) = refused {
            said.note(format!("refused:{}", error.code()));
            assert!(!has_phone(&write::refusal(error)), "a refusal shows a number in full");
        }
        check_loses_nothing(&leads, cut);
        exports_come_back(&leads);
        let written = write::rejections(rejections.iter().copied());
        spreadsheet_safe(&written);
        for rejection in rejections {
            let shown = format!("{rejection} {rejection:?}");
            assert!(!has_phone(&shown), "a rejection shows a number in full: {shown}");
        }
    }
}

/// Says what kind of lead it is; its numbers must read as themselves.
fn note_lead(lead: &LeadDraft, said: &mut Behaviour) {
    said.note("lead");
    said.note(format!("phones:{}", lead.phones.len()));
    said.note(format!("priority:{} flagged:{}", lead.priority, lead.do_not_call));
    said.note(format!("free fields:{}", lead.extra.len()));
    said.note(format!("lines in notes:{}", lead.notes.expose().lines().count().min(3)));
    for phone in &lead.phones {
        let country = phone.country.map(|country| country.to_string());
        said.note(format!("number:{country:?} {:?} {}", phone.line, phone.extension.is_some()));
        let again = thorough(&phone.phone.e164(), Country::US).map(|normal| normal.phone);
        assert_eq!(again, Ok(phone.phone), "line {}: E.164 does not read as itself", lead.line);
    }
}

/// Accepts and rejections of the check stage add up to the leads, whatever the batch.
fn check_loses_nothing(leads: &[&LeadDraft], batch_max: usize) {
    let (mut check, mut rows) = (Check::with_seen_max(batch_max, 8), 0);
    let answer = |check: &mut Check, verdict: Verdict| {
        let checked = check.answer(&vec![verdict; check.phones().len()]);
        checked.accepted.len() + checked.rejected.len()
    };
    for lead in leads {
        rows += usize::from(check.push((*lead).clone()).is_some());
        if check.is_full() {
            rows += answer(&mut check, Verdict::Clear);
        }
    }
    rows += answer(&mut check, Verdict::InCampaign);
    assert_eq!(rows, leads.len(), "the check stage lost a row");
}

/// What is written as CSV and imported again is the same people.
fn exports_come_back(leads: &[&LeadDraft]) {
    let mut csv = write::CsvText::new();
    csv.row(["phone", "first_name", "notes"]);
    for lead in leads {
        csv.row([&lead.phone().e164(), lead.first_name.expose(), lead.notes.expose()]);
    }
    let (rows, _) = read(csv.into_string().as_bytes(), usize::MAX, Limits::default());
    let person = |lead: &LeadDraft| (lead.phone(), lead.first_name.clone(), lead.notes.clone());
    let again = rows.iter().filter_map(|row| if let Row::Lead(lead) = row { Some(person(lead)) } else { None });
    assert!(again.eq(leads.iter().map(|lead| person(lead))), "an export does not come back as it was");
}

/// Reads a file in pieces, checking the count of its lines.
fn read(input: &[u8], piece: usize, limits: Limits) -> (Vec<Row>, Option<FileError>) {
    let mut importer = Importer::new(ImportRules { limits, ..ImportRules::default() });
    let mut rows = Vec::new();
    for bytes in input.chunks(piece.min(input.len().max(1))) {
        importer.feed(bytes);
        if let Some(error) = drain(&mut importer, &mut rows) {
            return (rows, Some(error));
        }
    }
    importer.finish();
    if let Some(error) = drain(&mut importer, &mut rows) {
        return (rows, Some(error));
    }
    let t = importer.tally();
    let counted = t.preamble_lines + t.header_lines + t.blank_lines + t.lead_lines + t.rejected_lines;
    assert_eq!(t.lines, counted, "every line is counted once: {t:?}");
    let leads = rows.iter().filter(|row| matches!(row, Row::Lead(_))).count() as u64;
    let rejected = rows.iter().filter(|row| matches!(row, Row::Rejected(_))).count() as u64;
    assert_eq!((t.leads, t.rejected), (leads, rejected), "the count of rows is that of the rows");
    (rows, None)
}

fn drain(importer: &mut Importer, rows: &mut Vec<Row>) -> Option<FileError> {
    loop {
        match importer.next_row() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => return None,
            Err(error) => {
                assert_eq!(importer.next_row(), Err(error.clone()), "a refused file stays refused");
                return Some(error);
            }
        }
    }
}

/// Nothing in the text is run by a spreadsheet, and it can be read back.
fn spreadsheet_safe(text: &str) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.expect("what we write can be read");
        for cell in &record {
            let plain_number = cell.bytes().skip(1).all(|b| b.is_ascii_digit() || b == b'.');
            let runs = cell.starts_with(['=', '@', '\t', '\r']) || (cell.starts_with(['+', '-']) && !plain_number);
            assert!(!runs, "a spreadsheet would run {cell:?}");
        }
    }
}
