//! Whole files, as real lists are written.

use autocall_core::import::{
    Dialect, Encoding, FileError, ImportRules, Importer, LeadDraft, Limits, Reason, Rejection, Row, Tally, Warning,
};
use autocall_core::phone::{Country, PhoneError};
use autocall_core::{Priority, import};

/// What a file became.
#[derive(Debug, Default)]
struct Read {
    leads: Vec<LeadDraft>,
    rejected: Vec<Rejection>,
    warned: Vec<Warning>,
    tally: Tally,
    dialect: Option<Dialect>,
    refused: Option<FileError>,
}

fn read_chunks(bytes: &[u8], size: usize, rules: ImportRules) -> Read {
    let mut importer = Importer::new(rules);
    let mut read = Read::default();
    let mut chunks = bytes.chunks(size);
    loop {
        let chunk = chunks.next();
        match chunk {
            Some(chunk) => importer.feed(chunk),
            None => importer.finish(),
        }
        loop {
            match importer.next_row() {
                Ok(Some(Row::Lead(lead))) => read.leads.push(*lead),
                Ok(Some(Row::Rejected(rejection))) => read.rejected.push(rejection),
                Ok(Some(Row::Warned(warning))) => read.warned.push(warning),
                Ok(None) => break,
                Err(error) => {
                    read.refused = Some(error);
                    break;
                }
            }
        }
        if chunk.is_none() || read.refused.is_some() {
            break;
        }
    }
    read.tally = importer.tally();
    read.dialect = Some(importer.dialect());
    let counted = read.tally;
    if read.refused.is_none() {
        let parts = counted.preamble_lines
            + counted.header_lines
            + counted.blank_lines
            + counted.lead_lines
            + counted.rejected_lines;
        assert_eq!(parts, counted.lines, "{counted:?}");
    }
    assert_eq!((counted.leads, counted.rejected), (read.leads.len() as u64, read.rejected.len() as u64));
    read
}

fn read(text: &str) -> Read {
    let read = read_chunks(text.as_bytes(), 64 << 10, ImportRules::default());
    let in_crumbs = read_chunks(text.as_bytes(), 3, ImportRules::default());
    assert_eq!((&read.leads, &read.rejected, read.tally), (&in_crumbs.leads, &in_crumbs.rejected, in_crumbs.tally));
    read
}

/// The numbers and first names of the leads.
fn people(read: &Read) -> Vec<(String, String)> {
    read.leads.iter().map(|lead| (lead.phone().e164(), lead.first_name.expose().to_owned())).collect()
}

const TWO: [(&str, &str); 2] = [("+12025550123", "Ann"), ("+442079460018", "Bob")];

#[track_caller]
fn two_leads(read: &Read) {
    let wanted: Vec<_> = TWO.iter().map(|(phone, name)| ((*phone).to_owned(), (*name).to_owned())).collect();
    assert_eq!(people(read), wanted, "{:?} {:?}", read.rejected, read.refused);
    assert!(read.rejected.is_empty());
}

#[test]
fn the_documented_columns() {
    let read = read(
        "first_name,last_name,phone,country,type,priority,do_not_call,notes\n\
         John,Doe,+14155552671,US,broker,high,false,\"VIP customer\"\n",
    );
    let lead = &read.leads[0];
    assert_eq!((lead.line, lead.phone().e164().as_str()), (2, "+14155552671"));
    assert_eq!((lead.first_name.expose(), lead.last_name.expose()), ("John", "Doe"));
    assert_eq!((lead.country, lead.kind.as_str()), (Some(Country::US), "broker"));
    assert_eq!((lead.priority, lead.do_not_call, lead.notes.expose()), (Priority::High, false, "VIP customer"));
    let debug = format!("{lead:?}");
    assert!(!debug.contains("Doe") && !debug.contains("5552671") && !debug.contains("VIP"), "{debug}");
}

#[test]
fn delimiters_line_endings_and_declarations() {
    let cases = [
        ("phone,first_name\n+12025550123,Ann\n+442079460018,Bob\n", ','),
        ("phone;first_name\r\n+12025550123;Ann\r\n+442079460018;Bob\r\n", ';'),
        ("phone\tfirst_name\r+12025550123\tAnn\r+442079460018\tBob", '\t'),
        ("phone|first_name\n+12025550123|Ann\n\n+442079460018|Bob", '|'),
        ("sep=;\r\nphone;first_name\r\n+12025550123;Ann\r\n+442079460018;Bob\r\n", ';'),
        ("\"sep=\t\"\nphone\tfirst_name\n+12025550123\tAnn\n+442079460018\tBob\n", '\t'),
        ("SEP=,\nphone,first_name\n+12025550123,Ann\n+442079460018,Bob\n", ','),
        ("Leads; March, 2026\n\nexported by CRM\nPhone,First Name\n+12025550123,Ann\n+442079460018,Bob\n", ','),
        ("\u{feff}PHONE , \"FIRST NAME\"\n +12025550123 , \"Ann\" \n+442079460018,Bob\n", ','),
        ("Mobile;Vorname\n(202) 555-0123;Ann\n0044 20 7946 0018;Bob\n", ';'),
        // A cell with the other delimiter in every row does not mislead.
        ("phone;first_name;notes\n+12025550123;Ann;a,b,c\n+442079460018;Bob;d,e,f\n", ';'),
    ];
    for (text, delimiter) in cases {
        let read = read(text);
        two_leads(&read);
        let dialect = read.dialect.expect("read");
        assert_eq!((dialect.delimiter, dialect.header), (delimiter, true), "{text}");
    }
}

#[test]
fn encodings() {
    let text = "phone,first_name,notes\r\n+12025550123,Ann,Zoë café €5\r\n+442079460018,Bob,x\r\n";
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let le: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let be: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let windows: Vec<u8> =
        text.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).expect("Latin-1") }).collect();
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), Encoding::Utf8),
        ([b"\xef\xbb\xbf", text.as_bytes()].concat(), Encoding::Utf8),
        ([b"\xff\xfe", &le[..]].concat(), Encoding::Utf16Le),
        ([b"\xfe\xff", &be[..]].concat(), Encoding::Utf16Be),
        (le, Encoding::Utf16Le),
        (windows, Encoding::Windows1252),
    ] {
        for size in [1, 5, 65536] {
            let read = read_chunks(&bytes, size, ImportRules::default());
            two_leads(&read);
            assert_eq!(read.leads[0].notes.expose(), "Zoë café €5");
            assert_eq!(read.dialect.as_ref().map(|d| d.encoding), Some(encoding));
        }
    }
}

#[test]
fn a_file_without_a_header_has_its_phone_column_found() {
    two_leads(&read("Ann,+12025550123\nBob,+442079460018\n").named_by("column_1"));
    let single = read("202-555-0123\n202-555-0124\nnot a number\n");
    assert_eq!((single.leads.len(), single.rejected.len()), (2, 1));
    assert_eq!(single.dialect.map(|d| d.header), Some(false));
}

#[test]
fn a_row_whose_cell_names_a_column_is_no_header() {
    let read = read("Ann,+12025550123,Home\nBob,+442079460018,Mobile\nCid,,Mobile\nDee,202-555-0125,Cell\n");
    assert_eq!(read.dialect.as_ref().map(|d| d.header), Some(false));
    let phones: Vec<String> = read.leads.iter().map(|lead| lead.phone().e164()).collect();
    assert_eq!(phones, ["+12025550123", "+442079460018", "+12025550125"], "no row before it vanishes");
    assert_eq!((read.rejected.len(), read.tally.preamble_lines), (1, 0));
}

impl Read {
    /// Takes the free field `column` for the first name.
    fn named_by(mut self, column: &str) -> Read {
        for lead in &mut self.leads {
            let at = lead.extra.iter().position(|(name, _)| &**name == column).expect(column);
            lead.first_name = lead.extra.remove(at).1;
        }
        self
    }
}

#[test]
fn free_fields_are_kept_in_order() {
    let read = read("phone,Company,first_name,Shoe Size\n2025550123,\"ACME, Inc.\",Ann,\n2025550124,,Bob,44\n");
    let extra: Vec<Vec<(&str, &str)>> = read
        .leads
        .iter()
        .map(|lead| lead.extra.iter().map(|(name, value)| (&**name, value.expose())).collect())
        .collect();
    assert_eq!(extra, [vec![("Company", "ACME, Inc.")], vec![("Shoe Size", "44")]]);
}

#[test]
fn optional_columns() {
    let read = read(
        "External ID,Phone,Phone 2,phone3,Time Zone,ZIP,State,Full Name\n\
         A-1,2025550123,2025550124,(202) 555-0123,Eastern,=\"02134\",MA,\"Doe, Jane\"\n",
    );
    let lead = &read.leads[0];
    let phones: Vec<String> = lead.phones.iter().map(|p| p.phone.e164()).collect();
    assert_eq!(phones, ["+12025550123", "+12025550124"], "a number once");
    assert_eq!(lead.timezone.as_deref(), Some("America/New_York"));
    assert_eq!(lead.postal_code.as_ref().map(|p| p.expose()), Some("02134"));
    assert_eq!(lead.external_id.as_ref().map(|p| p.expose()), Some("A-1"));
    assert_eq!((lead.first_name.expose(), lead.last_name.expose()), ("Jane", "Doe"));
    assert_eq!(lead.state.as_deref(), Some("MA"));
}

#[test]
fn a_row_with_one_good_number_is_a_lead() {
    let read = read("phone,phone2\n,2025550123\n911,2025550124\n2025550125,12\nbad,worse\n,\"\"\n,x\n");
    let phones: Vec<String> = read.leads.iter().map(|lead| lead.phone().e164()).collect();
    assert_eq!(phones, ["+12025550123", "+12025550124", "+12025550125"]);
    let warned: Vec<_> = read.warned.iter().map(|w| (w.0.line, w.0.column.as_str(), w.0.reason.clone())).collect();
    assert_eq!(
        warned,
        [(3, "phone", Reason::Phone(PhoneError::Emergency)), (4, "phone2", Reason::Phone(PhoneError::TooShort)),]
    );
    assert_eq!(read.tally.warnings, 2);
    let lines: Vec<_> = read.rejected.iter().map(|r| (r.line, r.column.as_str())).collect();
    assert_eq!(lines, [(5, "phone"), (7, "phone2")]);
}

#[test]
fn rejections_say_line_column_value_reason_and_remedy() {
    let read = read(
        "first_name,phone,country,priority,do_not_call,timezone\n\
         A,1.41556E+10,,,,\n\
         B,,,,,\n\
         C,2025550123,Atlantis,,,\n\
         D,2025550123,,sometimes,,\n\
         E,2025550123,,,perhaps,\n\
         F,2025550123,,,,UTC-5\n\
         G,2025550123,,,,,surplus\n\
         H\n\
         I,2025550123,,,,,,,\n\
         J,2025550124\n\
         K,900-234-5678,,,,\n\
         \"Smith, John 2025550177\",oops John,,,,\n",
    );
    let found: Vec<_> =
        read.rejected.iter().map(|r| (r.line, r.column.as_str(), r.value.as_str(), r.reason.clone())).collect();
    let phone = Reason::Phone;
    assert_eq!(
        found,
        [
            (2, "phone", "1.415••E+10", phone(PhoneError::SpreadsheetDamaged)),
            (3, "phone", "", phone(PhoneError::Missing)),
            (4, "country", "A•••••••", Reason::UnknownValue),
            (5, "priority", "s••••••••", Reason::UnknownValue),
            (6, "do_not_call", "p••••••", Reason::UnknownValue),
            (7, "timezone", "U••-5", Reason::UnknownValue),
            (8, "", "", Reason::TooManyCells { cells: 7, columns: 6 }),
            (9, "", "", Reason::TooFewCells { cells: 1, columns: 6 }),
            (12, "phone", "900-2••-••78", phone(PhoneError::PremiumRate)),
            (13, "phone", "o••• J•••", phone(PhoneError::NotANumber)),
        ]
    );
    assert_eq!(read.leads.len(), 2, "surplus delimiters and missing cells at the end do no harm");
    let text = read.rejected[0].to_string();
    assert!(text.starts_with("line 2, phone \"") && text.contains("rounded"), "{text}");
}

#[test]
fn words_of_flags_priorities_and_countries() {
    let read = read(
        "phone,dnc,priority,country\n2025550123,TRUE,HIGH,United States\n2025550124,yes,Medium,usa\n\
         2025550125,1,urgent,\n020 7946 0018,FALSE,,United Kingdom\n030 1234567,,low,deutschland\n",
    );
    let found: Vec<_> = read
        .leads
        .iter()
        .map(|l| (l.do_not_call, l.priority, l.country.map(|c| c.to_string()).unwrap_or_default()))
        .collect();
    let text = |code: &str| code.to_owned();
    assert_eq!(
        found,
        [
            (true, Priority::High, text("US")),
            (true, Priority::Normal, text("US")),
            (true, Priority::Urgent, text("")),
            (false, Priority::Normal, text("GB")),
            (false, Priority::Low, text("DE")),
        ]
    );
}

#[test]
fn the_campaigns_country_reads_national_numbers() {
    let rules = ImportRules { country: Country::GB, ..ImportRules::default() };
    let read = read_chunks(b"phone\n020 7946 0018\n", 100, rules);
    assert_eq!(read.leads[0].phone().e164(), "+442079460018");
}

#[test]
fn quotes() {
    let read = read(
        "phone,first_name,notes\n\
         2025550123,\"Ann \"\"Annie\"\"\",\"two\r\nlines\"\n\
         2025550124,Bob \"the\" builder,5\" pipe\n\
         2025550125,\"Carl\" Smith,x\n\
         2025550126,\"\",\"\"\"\"\n",
    );
    let found: Vec<_> = read.leads.iter().map(|l| (l.line, l.first_name.expose(), l.notes.expose())).collect();
    assert_eq!(
        found,
        [
            (2, "Ann \"Annie\"", "two\r\nlines"),
            (4, "Bob \"the\" builder", "5\" pipe"),
            (5, "\"Carl\" Smith", "x"),
            (6, "", "\""),
        ]
    );
    assert!(read.rejected.is_empty(), "{:?}", read.rejected);
}

/// The rows behind a quote that is never closed are all there; only its own row is lost.
#[test]
fn an_open_quote_does_not_swallow_the_file() {
    let rows = |n: u32| (0..n).map(|i| format!("2025550{:03},x,y\n", 100 + i % 100)).collect::<String>();
    for broken in ["2025550123,\"Ann,z\n", "\"2025550123,Ann,z\n", "2025550123,Ann,\"z\n", "2025550123,\"Ann\n"] {
        for (before, behind) in [(2, 3), (0, 1000), (5, 0), (3, 20_000)] {
            let text = format!("phone,first_name,notes\n{}{broken}{}", rows(before), rows(behind));
            let read = read_chunks(text.as_bytes(), 64 << 10, ImportRules::default());
            assert_eq!(read.leads.len() as u32, before + behind, "{broken:?} {before} {behind}");
            let rejected: Vec<_> = read.rejected.iter().map(|r| (r.line, r.reason.code())).collect();
            let line = u64::from(before) + 2;
            assert!(rejected.len() == 1 && rejected[0].0 == line, "{broken:?} {rejected:?}");
        }
    }
    // Two stray quotes that pair up over two rows: the record has too few cells.
    let read = read("phone,first_name,notes\n2025550123,\"Ann,x\n2025550124,Bob\",y\n2025550125,Carl,z\n");
    assert_eq!(people(&read)[0].1, "Bob\"");
    assert_eq!((read.leads.len(), read.rejected[0].line), (2, 2));
}

#[test]
fn hostile_files_are_refused() {
    let nul = read("phone\n2025550123\n202555\u{0}0124\n2025550125\n");
    assert_eq!((nul.leads.len(), nul.refused), (1, Some(FileError::NulByte { line: 3 })));
    let workbook = read_chunks(b"PK\x03\x04\x14\x00\x06\x00\x08\x00", 4, ImportRules::default());
    assert_eq!(workbook.refused, Some(FileError::NulByte { line: 1 }));

    let wide: String = (0..10_000).map(|i| format!("c{i},")).collect::<String>() + "phone\n";
    let refused = read(&wide).refused;
    assert!(matches!(refused, Some(FileError::TooManyColumns { columns_max: 512, .. })), "{refused:?}");

    let wide_row = format!("phone,first_name\n2025550123,Ann\n{}\n2025550124,Bob\n", "x,".repeat(10_000));
    let read_wide = read_chunks(wide_row.as_bytes(), 65536, ImportRules::default());
    assert_eq!((read_wide.leads.len(), read_wide.rejected.len()), (2, 1));

    for text in ["", "\n\n", "   ,  \n"] {
        assert_eq!(read(text).refused, Some(FileError::Empty), "{text:?}");
    }
    match read("first_name,last_name\nAnn,Doe\n").refused {
        Some(FileError::NoPhoneColumn { columns }) => assert_eq!(columns[1].expose(), "last_name"),
        other => panic!("{other:?}"),
    }
}

/// A gigabyte without a line ending, fed without ever holding it.
#[test]
fn an_endless_cell_ends_the_import_in_bounded_memory() {
    for begin in ["phone,notes\n2025550123,ok\n2025550124,", "phone,notes\n2025550123,ok\n2025550124,\""] {
        let mut importer = Importer::new(ImportRules::default());
        importer.feed(begin.as_bytes());
        let chunk = [b'x'; 64 << 10];
        let (mut fed, mut leads) = (0, 0);
        let error = loop {
            importer.feed(&chunk);
            fed += chunk.len();
            match importer.next_row() {
                Ok(Some(Row::Lead(_))) => leads += 1,
                Ok(_) => {}
                Err(error) => break error,
            }
            assert!(fed < 4 << 20, "read {fed} bytes of an endless cell");
        };
        assert_eq!((leads, &error), (1, &FileError::LineTooLong { line: 3, bytes_max: 1 << 20 }));
        assert_eq!(importer.next_row(), Err(error), "the refusal stays");
    }
}

#[test]
fn a_cell_above_the_limit_costs_its_row_only() {
    let text = format!("phone,notes\n2025550123,{}\n2025550124,ok\n", "x".repeat(40_000));
    let read = read_chunks(text.as_bytes(), 65536, ImportRules::default());
    assert_eq!((read.leads.len(), read.rejected[0].reason.code()), (1, "cell_too_long"));
    let tight = Limits { cell_bytes_max: 12, ..Limits::default() };
    let rules = ImportRules { limits: tight, ..ImportRules::default() };
    let read = read_chunks(b"phone,notes\n2025550123,0123456789ab\n2025550124,0123456789abc\n", 9, rules);
    assert_eq!((read.leads.len(), read.rejected.len()), (1, 1));
}

#[test]
fn the_template_is_a_list_that_imports() {
    let read = read(&import::write::template());
    assert_eq!((read.leads.len(), read.rejected.len()), (1, 0));
    assert_eq!(read.leads[0].priority, Priority::High);
    assert!(read.leads[0].extra.is_empty());
}

#[test]
fn the_report_of_rejections_is_a_list_without_numbers() {
    let read = read("phone,notes\n=2+3,x\n2025550123x99999999999,y\n+1 (900) 234-5678,z\n");
    let report = import::write::rejections(&read.rejected);
    assert_eq!(report.lines().count(), 1 + read.rejected.len());
    assert!(!report.contains("2345678") && !report.contains("234-5678"));
    assert!(report.lines().all(|line| !line.split(',').any(|cell| cell.starts_with('='))), "{report}");
}
