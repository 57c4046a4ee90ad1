//! CSV out: cells that a spreadsheet would run as formulas are neutralised in every export.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula to the
//! spreadsheet that opens it (OWASP, "CSV Injection"). We put an apostrophe before it, and take
//! it off again on import. Plain numbers (`+14155552671`, `-5`) run nothing and stay as they are.

use super::file::FileError;
use super::reject::Rejection;
use std::borrow::Cow;

/// The columns of the template, in the order of the documentation.
pub const COLUMNS: [&str; 14] = [
    "first_name",
    "last_name",
    "phone",
    "country",
    "type",
    "priority",
    "do_not_call",
    "notes",
    "phone2",
    "phone3",
    "timezone",
    "postal_code",
    "state",
    "external_id",
];

/// The template that people fill in: our columns and one example row (a number that is set aside
/// for fiction).
pub fn template() -> String {
    let mut csv = CsvText::new();
    csv.row(COLUMNS);
    let example = ["John", "Doe", "+12025550123", "US", "broker", "high", "false", "VIP customer"];
    let more = ["", "", "America/New_York", "20001", "DC", "CRM-1001"];
    csv.row(example.into_iter().chain(more));
    csv.into_string()
}

/// The rejected rows as a CSV file: line, column, value (redacted), reason, explanation, remedy.
pub fn rejections<'a>(rejections: impl IntoIterator<Item = &'a Rejection>) -> String {
    let mut csv = CsvText::new();
    csv.row(["line", "column", "value", "reason", "explanation", "remedy"]);
    for rejection in rejections {
        let (line, explanation) = (rejection.line.to_string(), rejection.reason.to_string());
        let reason = rejection.reason.code();
        csv.row([&line, &rejection.column, &rejection.value, reason, &explanation, rejection.remedy()]);
    }
    csv.into_string()
}

/// A refused file in one sentence with its remedy.
pub fn refusal(error: &FileError) -> String {
    format!("{error}. {}", error.remedy())
}

/// Builds CSV text (RFC 4180, CRLF) cell by cell, formulas neutralised. Take what is there with
/// [`CsvText::take`] from time to time to write a long file in bounded memory.
#[derive(Default)]
pub struct CsvText {
    text: String,
}

impl CsvText {
    /// Empty.
    pub fn new() -> Self {
        CsvText::default()
    }

    /// Appends one row.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut first = true;
        let before = self.text.len();
        for cell in cells {
            if !first {
                self.text.push(',');
            }
            first = false;
            self.cell(cell.as_ref());
        }
        if self.text.len() == before {
            // A lone empty cell would be a blank line, which readers skip.
            self.text.push_str("\"\"");
        }
        self.text.push_str("\r\n");
    }

    fn cell(&mut self, cell: &str) {
        let cell = neutral(cell);
        let blank_at_ends = cell.starts_with([' ', '\t']) || cell.ends_with([' ', '\t']);
        if !blank_at_ends && !cell.contains(['"', ',', ';', '\t', '|', '\n', '\r']) {
            return self.text.push_str(&cell);
        }
        self.text.push('"');
        for (index, part) in cell.split('"').enumerate() {
            if index > 0 {
                self.text.push_str("\"\"");
            }
            self.text.push_str(part);
        }
        self.text.push('"');
    }

    /// The text so far; continues empty.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.text
    }
}

/// A cell that no spreadsheet runs: formulas get an apostrophe in front.
pub fn neutral(cell: &str) -> Cow<'_, str> {
    if is_formula(cell.trim_start_matches('\'')) && !is_number(cell) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// A sign and digits, with at most one point: a spreadsheet computes nothing from it.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or("");
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// A cell as it was meant: without blanks around it, without the apostrophe of [`neutral`], and
/// without the `="…"` by which people keep Excel from reading digits as a number.
pub(super) fn plain(cell: &str) -> &str {
    // Nearly every cell begins and ends with a letter or a digit, and is what it is.
    if let [first, .., last] = cell.as_bytes()
        && first.is_ascii_alphanumeric()
        && last.is_ascii_graphic()
    {
        return cell;
    }
    let cell = cell.trim();
    match cell.as_bytes() {
        [b'\'', ..] if is_formula(cell.trim_start_matches('\'')) => &cell[1..],
        [b'=', b'"', .., b'"'] if cell.len() > 3 && !cell[2..cell.len() - 1].contains('"') => {
            cell[2..cell.len() - 1].trim()
        }
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_neutralised_and_come_back() {
        for cell in
            ["=HYPERLINK(\"x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "'=1", "''=1", "'+x", "+49 30 1", "-"]
        {
            let safe = neutral(cell);
            assert!(safe.starts_with('\''), "{cell}");
            assert_eq!(plain(&safe), cell);
        }
        for cell in ["+14155552671", "-5", "1-2", "a=b", "'quoted'", "", "O'Neil", "-1.5"] {
            assert_eq!(neutral(cell), cell);
            assert_eq!(plain(cell), cell);
        }
        assert_eq!(neutral("\t=1"), "'\t=1");
        assert_eq!(neutral("+1.2.3"), "'+1.2.3");
    }

    #[test]
    fn excel_text_formulas_are_their_text() {
        assert_eq!(plain(" =\"02134\" "), "02134");
        assert_eq!(plain("=\"a\"&\"b\""), "=\"a\"&\"b\"");
        assert_eq!(plain("=\""), "=\"");
        assert_eq!(plain("=\"\""), "=\"\"");
    }

    #[test]
    fn rows_quote_what_needs_it() {
        let mut csv = CsvText::new();
        csv.row(["a", "b,c", "d\"e", "f\ng", " h", ""]);
        csv.row([""]);
        assert_eq!(csv.into_string(), "a,\"b,c\",\"d\"\"e\",\"f\ng\",\" h\",\r\n\"\"\r\n");
    }
}
