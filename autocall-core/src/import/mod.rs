//! Lists of leads as CSV: bytes in, leads and rejections out.
//!
//! The parser is pure and streams: [`Importer::feed`] takes bytes, [`Importer::next_row`] gives
//! rows, memory stays bounded whatever the file. The check stage ([`check::Check`]) asks the
//! store in batches for what a file cannot know (numbers of the campaign, do-not-call lists).

pub mod check;
mod decode;
mod dialect;
mod draft;
mod file;
mod header;
mod importer;
mod records;
mod reject;
mod row;
mod seen;
mod values;
pub mod write;

pub use check::{Check, Checked, Verdict};
pub use decode::Encoding;
pub use draft::{DraftPhone, LeadDraft};
pub use file::{Dialect, FileError, Limits, Tally};
pub use importer::{ImportRules, Importer, ReadError, Row, read_all};
pub use reject::{Reason, Rejection, Warning, redact};
