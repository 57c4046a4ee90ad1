//! Why a row was not accepted, in words for the person who has to mend the list.

use crate::phone::PhoneError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a row was not accepted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The phone number cannot be dialled.
    Phone(PhoneError),
    /// The same number is on an earlier line of this file.
    DuplicateInFile {
        /// The earlier line, where it is still known.
        first_line: Option<u64>,
    },
    /// The campaign already has this number.
    DuplicateInCampaign,
    /// The number is on a do-not-call list.
    DoNotCall {
        /// The list's name.
        list: String,
    },
    /// A word that this column does not know (priority, country, do_not_call, timezone).
    UnknownValue,
    /// More cells than the header has columns, so the cells after a stray delimiter are shifted.
    TooManyCells {
        /// Cells of the row.
        cells: u32,
        /// Columns of the header.
        columns: u32,
    },
    /// The row ends before its phone column.
    TooFewCells {
        /// Cells of the row.
        cells: u32,
        /// Columns of the header.
        columns: u32,
    },
    /// A quote that is opened and never closed properly.
    UnterminatedQuote,
    /// A cell above the limit.
    CellTooLong {
        /// The limit in bytes.
        bytes_max: u32,
    },
}

impl Reason {
    /// A stable word for programs, e.g. `duplicate_in_file`.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Phone(error) => error.code(),
            Reason::DuplicateInFile { .. } => "duplicate_in_file",
            Reason::DuplicateInCampaign => "duplicate_in_campaign",
            Reason::DoNotCall { .. } => "do_not_call",
            Reason::UnknownValue => "unknown_value",
            Reason::TooManyCells { .. } => "too_many_cells",
            Reason::TooFewCells { .. } => "too_few_cells",
            Reason::UnterminatedQuote => "unterminated_quote",
            Reason::CellTooLong { .. } => "cell_too_long",
        }
    }

    /// What the person with the list can do about it. `column` is the rejection's column.
    pub fn remedy(&self, column: &str) -> &'static str {
        match self {
            Reason::Phone(error) => error.remedy(),
            Reason::DuplicateInFile { .. } => "Delete one of the two rows.",
            Reason::DuplicateInCampaign => "Nothing to do: the lead is already there.",
            Reason::DoNotCall { .. } => "Delete the row: this number must not be called.",
            Reason::UnknownValue => match column {
                "priority" => "Use low, normal, high or urgent, or leave the cell empty.",
                "do_not_call" => "Use true or false, or leave the cell empty.",
                "country" => "Use a two-letter code such as US, or the country's English name.",
                "timezone" => "Use a name such as America/New_York, or leave the cell empty.",
                _ => "Use one of the values that this column knows, or leave the cell empty.",
            },
            Reason::TooManyCells { .. } => "Put the cell that holds the delimiter in double quotes.",
            Reason::TooFewCells { .. } => "Add the missing cells; a line break inside a cell needs double quotes.",
            Reason::UnterminatedQuote => "Close the quote, or write a quote inside a cell twice.",
            Reason::CellTooLong { .. } => "Shorten the cell.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Phone(error) => error.fmt(f),
            Reason::DuplicateInFile { first_line: Some(line) } => write!(f, "the same number is on line {line}"),
            Reason::DuplicateInFile { first_line: None } => f.write_str("the same number is on an earlier line"),
            Reason::DuplicateInCampaign => f.write_str("the campaign already has this number"),
            Reason::DoNotCall { list } => write!(f, "the number is on the do-not-call list {list}"),
            Reason::UnknownValue => f.write_str("the value is not known"),
            Reason::TooManyCells { cells, columns } => {
                write!(f, "the row has {cells} cells, the header has {columns} columns")
            }
            Reason::TooFewCells { cells, columns } => {
                write!(f, "the row has {cells} of {columns} cells and ends before the phone number")
            }
            Reason::UnterminatedQuote => f.write_str("a quote is opened and never closed"),
            Reason::CellTooLong { bytes_max } => write!(f, "a cell is longer than {bytes_max} bytes"),
        }
    }
}

/// A row that was not accepted. Holds no full number and no name, so it may be shown and logged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rejection {
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// Our name of the column (`phone`, `priority`, …), or empty if the whole row is meant.
    pub column: String,
    /// The cell with its digits and letters hidden: see [`redact`].
    pub value: String,
    /// Why.
    pub reason: Reason,
}

impl Rejection {
    /// What the person with the list can do about it.
    pub fn remedy(&self) -> &'static str {
        self.reason.remedy(&self.column)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", {}", self.column)?;
        }
        if !self.value.is_empty() {
            write!(f, " \"{}\"", self.value)?;
        }
        write!(f, ": {}. {}", self.reason, self.remedy())
    }
}

/// A part of an accepted row that was left out: the lead is there, its second number is not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warning(pub Rejection);

/// A cell that may be shown: its shape without its content.
///
/// Of more than seven digits the first four and the last two stay (`+1 415-•••-••71`);
/// of every word the first letter stays. At most 24 characters.
pub fn redact(cell: &str) -> String {
    const CHARS_MAX: usize = 24;
    let digits = cell.chars().filter(|c| c.is_numeric()).count();
    let (head, tail) = if digits > 7 {
        (4, 2)
    } else if digits > 3 {
        (1, 0)
    } else {
        (digits, 0)
    };
    let (mut seen, mut in_word) = (0, false);
    let mut shown = String::new();
    for (at, c) in cell.trim().chars().enumerate() {
        if at == CHARS_MAX {
            shown.push('…');
            break;
        }
        let hidden = if c.is_numeric() {
            seen += 1;
            seen > head && seen + tail <= digits
        } else {
            c.is_alphabetic() && in_word
        };
        in_word = c.is_alphabetic();
        shown.push(if hidden {
            '•'
        } else if c.is_control() {
            ' '
        } else {
            c
        });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_shows_the_shape_only() {
        for (cell, shown) in [
            ("+1 (415) 555-2671", "+1 (415) •••-••71"),
            ("1.41556E+10", "1.415••E+10"),
            ("911", "911"),
            ("5552671", "5••••••"),
            ("John Smith", "J••• S••••"),
            ("", ""),
            ("４１５５５５２６７１", "４１５５••••７１"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(redact(cell), shown);
        }
        assert_eq!(redact(&"x".repeat(1000)).chars().count(), 25);
        assert!(!redact("tel: 4155552671 call").contains("4155552671"));
    }
}
