//! How a file is written: its delimiter, the lines before its header, and the header.
//!
//! Decided on the head of the file. Every delimiter is tried; the record with the most column
//! names that we know, one of them for phones, is the header. What stands before it is preamble.

use super::file::{FileError, Limits};
use super::header::{self, Header};
use super::records::{Records, Step};
use crate::Private;
use crate::phone::{Country, normalise};

/// Characters of a file that are looked at before its dialect is decided.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// The header stands among the first records.
const HEAD_RECORDS_MAX: usize = 40;
/// Records without a header that must agree on the phone column.
const SAMPLE_RECORDS: usize = 10;

const DELIMITERS: [u8; 4] = *b",;\t|";

/// The decision.
pub(super) struct Found {
    pub(super) delimiter: u8,
    pub(super) header: Header,
    /// Lines before the header.
    pub(super) preamble_lines: u64,
    /// Lines of the header; 0 if there is none.
    pub(super) header_lines: u64,
}

/// Decides on the first text of a file. `country` reads the numbers of files without a header.
pub(super) fn detect(head: &str, country: Country, limits: Limits) -> Result<Found, FileError> {
    let declared = declared_delimiter(head);
    let delimiters = match &declared {
        Some(delimiter) => std::slice::from_ref(delimiter),
        None => &DELIMITERS[..],
    };
    let mut best: Option<(usize, usize, Found)> = None;
    for delimiter in delimiters {
        if let Some((likeness, cells, found)) = header_with(head, *delimiter, country, limits)?
            && best.as_ref().is_none_or(|(most, width, _)| (likeness, cells) > (*most, *width))
        {
            best = Some((likeness, cells, found));
        }
    }
    match best {
        Some((_, _, found)) => Ok(found),
        None => without_header(head, delimiters, declared.is_some(), country, limits),
    }
}

/// The delimiter that a first line `sep=;` declares (Excel writes and reads it).
fn declared_delimiter(head: &str) -> Option<u8> {
    let line = head.split(['\n', '\r']).next()?.trim_matches([' ', '"']);
    let (name, value) = line.split_at_checked(4)?;
    match value.as_bytes() {
        [delimiter, ..] if name.eq_ignore_ascii_case("sep=") && DELIMITERS.contains(delimiter) => Some(*delimiter),
        _ => None,
    }
}

/// The best header with this delimiter: how many names it knows, how many cells it has. A record
/// that holds a number, or stands below one of its own width that does, is data: a cell of it may
/// well say "Mobile".
fn header_with(
    head: &str,
    delimiter: u8,
    country: Country,
    limits: Limits,
) -> Result<Option<(usize, usize, Found)>, FileError> {
    let mut records = Records::of_head(head, delimiter, limits);
    let mut best: Option<(usize, usize, Found)> = None;
    let mut data_widths: Vec<usize> = Vec::new();
    for _ in 0..HEAD_RECORDS_MAX {
        match records.next() {
            Ok(Step::Record) => {}
            Ok(Step::End | Step::More) | Err(_) => break,
            Ok(_) => continue,
        }
        let width = records.len();
        if (0..width).any(|i| normalise(records.cell(i), country).is_ok()) {
            data_widths.push(width);
        }
        if data_widths.contains(&width) {
            continue;
        }
        let likeness = header::likeness((0..width).map(|i| records.cell(i)));
        if likeness > best.as_ref().map_or(0, |(most, _, _)| *most) {
            let header = Header::from_names((0..records.len()).map(|i| records.cell(i)), &limits)?;
            let (preamble_lines, header_lines) = (records.begin_line() - 1, records.lines());
            let found = Found { delimiter, header, preamble_lines, header_lines };
            best = Some((likeness, records.len(), found));
        }
    }
    Ok(best)
}

/// A file that begins with data: the column that holds a number in most of the first rows.
fn without_header(
    head: &str,
    delimiters: &[u8],
    declared: bool,
    country: Country,
    limits: Limits,
) -> Result<Found, FileError> {
    let mut first = Vec::new();
    let mut best: Option<(usize, Found)> = None;
    for delimiter in delimiters {
        let mut records = Records::of_head(head, *delimiter, limits);
        let mut numbers: Vec<usize> = Vec::new();
        let (mut rows, mut columns, mut preamble_lines) = (0, 0, 0);
        while rows < SAMPLE_RECORDS {
            match records.next() {
                Ok(Step::Record) if declared && records.begin_line() == 1 => continue,
                Ok(Step::Record) => rows += 1,
                Ok(Step::End | Step::More) | Err(_) => break,
                Ok(_) => continue,
            }
            if rows == 1 {
                preamble_lines = records.begin_line() - 1;
                columns = records.len();
                if columns > limits.columns_max {
                    let (columns, columns_max) = (columns as u64, limits.columns_max as u64);
                    return Err(FileError::TooManyColumns { columns, columns_max });
                }
                numbers = vec![0; columns];
                if columns > first.len() {
                    first = (0..columns).map(|i| Private::from(records.cell(i).trim())).collect();
                }
            }
            for (column, count) in numbers.iter_mut().enumerate() {
                // The first row must hold a number: else it is a header that we cannot read.
                if (rows == 1 || *count > 0) && normalise(records.cell(column), country).is_ok() {
                    *count += 1;
                }
            }
        }
        let phone = (0..columns).rev().max_by_key(|column| numbers[*column]).unwrap_or(0);
        let count = numbers.get(phone).copied().unwrap_or(0);
        let wins = best.as_ref().is_none_or(|(most, found)| (count, columns) > (*most, found.header.columns));
        if count * 2 > rows && wins {
            let header = Header::without_names(columns, phone);
            best = Some((count, Found { delimiter: *delimiter, header, preamble_lines, header_lines: 0 }));
        }
    }
    match best {
        Some((_, found)) => Ok(found),
        None if !head.contains(char::is_alphanumeric) => Err(FileError::Empty),
        None => Err(FileError::NoPhoneColumn { columns: first }),
    }
}
