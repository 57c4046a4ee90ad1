//! Reading a registry's own files: millions of lines, one number each, in bounded memory.

use crate::build::Builder;
use crate::error::ImportError;
use autocall_core::Phone;
use std::io::{BufRead, BufReader, Read};

/// Rejected lines that are kept as examples.
pub(crate) const REJECTED_KEPT: usize = 100;
/// Lines between two reports of progress.
const REPORT_EVERY: u64 = 1 << 16;
/// A longer line of text is rejected without being kept.
const LINE_BYTES_MAX: u64 = 256;

/// Where the number is in a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Layout {
    /// The line is the number.
    Text,
    /// CSV: the digits of these columns, joined (some registries give area code and number apart).
    Csv(Vec<Column>),
}

/// A column of a CSV file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Column {
    /// By place, from 0, in a file without a header line.
    At(usize),
    /// By the name in the header line, in any case.
    Named(String),
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Lines read.
    pub lines: u64,
    /// Numbers accepted.
    pub accepted: u64,
    /// Lines without a number.
    pub rejected: u64,
}

/// A line without a number. The text is not kept: it may be somebody's number all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Which line, from 1.
    pub line: u64,
    /// Why.
    pub reason: &'static str,
}

/// What came of an import.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// Numbers accepted, duplicates included.
    pub accepted: u64,
    /// Lines without a number.
    pub rejected: u64,
    /// The first 100 of them.
    pub examples: Vec<Rejected>,
}

impl Sum {
    fn reject(&mut self, line: u64, reason: &'static str) {
        self.rejected += 1;
        if self.examples.len() < REJECTED_KEPT {
            self.examples.push(Rejected { line, reason });
        }
    }
    fn progress(&self, lines: u64) -> Progress {
        Progress { lines, accepted: self.accepted, rejected: self.rejected }
    }
}

/// Of a hundred lines that a list may hold without a number (a title, a sum): more is no list.
const REJECTED_SHARE: u64 = 1;

impl Sum {
    /// Refuses what is no list of numbers: nothing in it, more lines without a number than with one,
    /// or more than a line in a hundred (and more than three) without. An empty registry would allow
    /// everybody to be called.
    pub(crate) fn trusted(self) -> Result<Sum, ImportError> {
        let lines = self.accepted + self.rejected;
        let many = self.rejected > 3.max(lines * REJECTED_SHARE / 100);
        if self.accepted == 0 || self.rejected > self.accepted || many {
            return Err(ImportError::NotNumbers { rejected: self.rejected, accepted: self.accepted });
        }
        Ok(self)
    }
}

/// Reads a list into a builder. Numbers without a plus sign are national numbers of
/// `calling_code`. Refuses a file that is empty or in which more than a line in a hundred is no
/// number.
pub fn import(
    from: impl Read,
    layout: &Layout,
    calling_code: u16,
    into: &mut Builder,
    mut progress: impl FnMut(Progress),
) -> Result<Sum, ImportError> {
    let sum = match layout {
        Layout::Text => import_text(from, calling_code, into, &mut progress)?,
        Layout::Csv(columns) => import_csv(from, columns, calling_code, into, &mut progress)?,
    };
    progress(sum.progress(sum.accepted + sum.rejected));
    sum.trusted()
}

fn import_text(
    from: impl Read,
    calling_code: u16,
    into: &mut Builder,
    progress: &mut impl FnMut(Progress),
) -> Result<Sum, ImportError> {
    let mut reader = BufReader::with_capacity(1 << 20, from);
    let mut line = Vec::new();
    let (mut sum, mut lines) = (Sum::default(), 0);
    loop {
        line.clear();
        if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(sum);
        }
        lines += 1;
        if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            reader.skip_until(b'\n')?;
            sum.reject(lines, "the line is too long");
        } else if !line.trim_ascii().is_empty() {
            accept(number(&line, calling_code), lines, into, &mut sum);
        }
        if lines % REPORT_EVERY == 0 {
            progress(sum.progress(lines));
        }
    }
}

fn accept(number: Option<Phone>, line: u64, into: &mut Builder, sum: &mut Sum) {
    match number {
        Some(phone) => {
            into.insert(phone);
            sum.accepted += 1;
        }
        None => sum.reject(line, "not a number"),
    }
}

fn import_csv(
    from: impl Read,
    columns: &[Column],
    calling_code: u16,
    into: &mut Builder,
    progress: &mut impl FnMut(Progress),
) -> Result<Sum, ImportError> {
    let named = columns.iter().any(|c| matches!(c, Column::Named(_)));
    let mut csv = csv::ReaderBuilder::new().has_headers(named).flexible(true).quoting(false).from_reader(from);
    let places = match named {
        true => find_columns(csv.byte_headers().map_err(|_| ImportError::Csv { line: 1 })?, columns)?,
        false => find_columns(&csv::ByteRecord::new(), columns)?,
    };
    let mut record = csv::ByteRecord::new();
    let (mut sum, mut lines) = (Sum::default(), u64::from(named));
    let mut joined = Vec::new();
    while csv.read_byte_record(&mut record).map_err(|_| ImportError::Csv { line: lines + 1 })? {
        lines += 1;
        joined.clear();
        // Quotes are only ornament here: a stray one must not swallow the lines that follow.
        let cells = places.iter().filter_map(|place| record.get(*place));
        cells.for_each(|cell| joined.extend(cell.iter().filter(|b| **b != b'"')));
        accept(number(&joined, calling_code), lines, into, &mut sum);
        if lines % REPORT_EVERY == 0 {
            progress(sum.progress(lines));
        }
    }
    Ok(sum)
}

fn find_columns(head: &csv::ByteRecord, columns: &[Column]) -> Result<Vec<usize>, ImportError> {
    let find = |column: &Column| match column {
        Column::At(place) => Ok(*place),
        Column::Named(name) => head
            .iter()
            .position(|cell| unquoted(cell).eq_ignore_ascii_case(name.as_bytes()))
            .ok_or_else(|| ImportError::NoColumn(name.clone())),
    };
    columns.iter().map(find).collect()
}

pub(crate) fn unquoted(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    cell.strip_prefix(b"\"").and_then(|c| c.strip_suffix(b"\"")).unwrap_or(cell)
}

/// A number from digits with the usual marks between them.
pub(crate) fn number(text: &[u8], calling_code: u16) -> Option<Phone> {
    let text = unquoted(text);
    let (plus, text) = match text {
        [b'+', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut digits, mut count) = (0u64, 0u32);
    for byte in text {
        match byte {
            b'0'..=b'9' if count < 15 => {
                // The trunk zero of most national numbers.
                if !plus && calling_code != 1 && count == 0 && *byte == b'0' {
                    continue;
                }
                digits = digits * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' | b'"' => {}
            _ => return None,
        }
    }
    let digits = match (plus, calling_code, count) {
        (true, _, _) => digits,
        (false, 1, 10) => 10_000_000_000 + digits,
        (false, 1, 11) if digits / 10_000_000_000 == 1 => digits,
        (false, 1, _) => return None,
        (false, code, 4..=12) => u64::from(code) * 10u64.pow(count) + digits,
        _ => return None,
    };
    // A North American number has 11 digits, and neither area code nor exchange begins with 0 or 1.
    let nanp_like = digits.to_string().starts_with('1');
    let fits = !nanp_like
        || ((10_000_000_000..20_000_000_000).contains(&digits)
            && digits / 1_000_000_000 % 10 >= 2
            && digits / 1_000_000 % 10 >= 2);
    Phone::from_digits(digits).filter(|_| fits)
}
