//! What can go wrong with a file.

use std::io;

/// Why a file is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    /// It is not a list of ours, or was never finished.
    #[error("not a finished do-not-call file")]
    NotAList,
    /// It was written by a newer autocall.
    #[error("the file has format {found}, this autocall reads format {known}")]
    Format {
        /// The format of the file.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// It has another length than it says.
    #[error("the file has {found} bytes and should have {expected}")]
    Length {
        /// As its header says.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// It is another registry's, or an older copy than the one in force.
    #[error("the file is of another registry or older than the copy in force")]
    NotNewer,
    /// A block does not match its checksum.
    #[error("block {block} of the file is corrupt")]
    Corrupt {
        /// Which block; 0 is the header.
        block: usize,
    },
}

/// Why a list of numbers could not be read or a file not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Reading or writing failed.
    #[error("reading or writing failed")]
    Io(#[from] io::Error),
    /// The text is not CSV.
    #[error("line {line} is not CSV")]
    Csv {
        /// The line.
        line: u64,
    },
    /// There is no such column.
    #[error("there is no column {0:?}")]
    NoColumn(String),
    /// More lines were rejected than accepted: this is not a list of numbers.
    #[error("{rejected} lines rejected and {accepted} accepted: this is not a list of numbers")]
    NotNumbers {
        /// Lines that held no number.
        rejected: u64,
        /// Lines that did.
        accepted: u64,
    },
}
