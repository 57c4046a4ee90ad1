//! What makes a whole file unreadable, the limits that say so, and the count of its lines.

use super::decode::Encoding;
use crate::Private;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bounds of what a file may hold; each keeps memory and work bounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest cell in bytes of UTF-8. A longer one costs its row.
    pub cell_bytes_max: usize,
    /// Most lines that a quoted cell may span. Beyond it the quote counts as never closed.
    pub cell_lines_max: u64,
    /// Longest record in bytes of UTF-8. A longer one ends the import: nothing tells where it ends.
    pub record_bytes_max: usize,
    /// Most columns of a header. More end the import.
    pub columns_max: usize,
}

impl Default for Limits {
    /// 32 KiB a cell (a spreadsheet holds no more than 32,767 characters), 200 lines a cell,
    /// 1 MiB a record, 512 columns.
    fn default() -> Self {
        Limits { cell_bytes_max: 32 << 10, cell_lines_max: 200, record_bytes_max: 1 << 20, columns_max: 512 }
    }
}

/// Why a file cannot be read on. Rows that were given out before stay valid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileError {
    /// Nothing but blank lines.
    Empty,
    /// A NUL byte: not a text file.
    NulByte {
        /// Where.
        line: u64,
    },
    /// A line that does not end within the limit.
    LineTooLong {
        /// Where.
        line: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// More columns than a list of leads can have.
    TooManyColumns {
        /// Columns of the header.
        columns: u64,
        /// The limit.
        columns_max: u64,
    },
    /// No column is known to hold phone numbers.
    NoPhoneColumn {
        /// The names of the first line, for the person who sent the file. A file without a
        /// header has personal data there, so they are [`Private`].
        columns: Vec<Private>,
    },
}

impl FileError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            FileError::Empty => "file_empty",
            FileError::NulByte { .. } => "nul_byte",
            FileError::LineTooLong { .. } => "line_too_long",
            FileError::TooManyColumns { .. } => "too_many_columns",
            FileError::NoPhoneColumn { .. } => "no_phone_column",
        }
    }

    /// What the person with the list can do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            FileError::Empty => "Send a file with a header line and at least one row.",
            FileError::NulByte { .. } => "Send a text file: export the list as CSV (UTF-8), not as a workbook.",
            FileError::LineTooLong { .. } => "Check the line's quotes and line endings, or export the list again.",
            FileError::TooManyColumns { .. } => "Delete the columns that are not needed.",
            FileError::NoPhoneColumn { .. } => "Name the column that holds the numbers: phone.",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Empty => f.write_str("the file has no rows"),
            FileError::NulByte { line } => write!(f, "line {line} holds a NUL byte: this is not a text file"),
            FileError::LineTooLong { line, bytes_max } => write!(f, "line {line} is longer than {bytes_max} bytes"),
            FileError::TooManyColumns { columns, columns_max } => {
                write!(f, "the header has {columns} columns, more than {columns_max}")
            }
            FileError::NoPhoneColumn { columns } => {
                write!(f, "none of the {} columns is known to hold phone numbers", columns.len())
            }
        }
    }
}
impl std::error::Error for FileError {}

/// What became of a file's lines and rows. Every line is counted once:
/// `lines = preamble + header + blank + lead + rejected`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Lines of the file.
    pub lines: u64,
    /// Lines before the header (titles, `sep=`, blank ones).
    pub preamble_lines: u64,
    /// Lines of the header; 0 if the file has none.
    pub header_lines: u64,
    /// Blank lines between rows.
    pub blank_lines: u64,
    /// Lines of accepted rows.
    pub lead_lines: u64,
    /// Lines of rejected rows.
    pub rejected_lines: u64,
    /// Rows that became leads.
    pub leads: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Accepted rows of which a part was left out.
    pub warnings: u64,
    /// Bytes that had to be guessed because the file mixes encodings.
    pub damaged_bytes: u64,
}

/// How a file is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dialect {
    /// How its bytes were read.
    pub encoding: Encoding,
    /// What stands between cells.
    pub delimiter: char,
    /// Whether it has a header line.
    pub header: bool,
}
