//! The streaming parser: bytes in, rows out, bounded memory.

use super::decode::Decode;
use super::dialect::{self, HEAD_BYTES};
use super::draft::LeadDraft;
use super::file::{Dialect, FileError, Limits, Tally};
use super::header::Header;
use super::records::{Records, Step};
use super::reject::{Reason, Rejection, Warning};
use super::row::ReadRow;
use crate::phone::{Country, Engine};
use std::io::Read;

/// What the caller decides about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImportRules {
    /// The country of numbers whose row names none: the campaign's, else the United States.
    pub country: Country,
    /// Bounds of what a file may hold.
    pub limits: Limits,
    /// The library that reads the numbers.
    pub engine: Engine,
}

impl Default for ImportRules {
    fn default() -> Self {
        ImportRules { country: Country::US, limits: Limits::default(), engine: Engine::default() }
    }
}

/// What became of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// A lead. Duplicates and do-not-call lists are not looked at yet: see [`super::Check`].
    Lead(Box<LeadDraft>),
    /// The row was not accepted.
    Rejected(Rejection),
    /// A part of the next lead was left out.
    Warned(Warning),
}

/// Reads a list of leads as it arrives.
///
/// [`feed`](Importer::feed) bytes, take rows with [`next_row`](Importer::next_row) until it gives
/// `None`, feed on; after the last bytes call [`finish`](Importer::finish) and take the rest.
/// Memory: the bytes of one feed, one record, and the first 64 KiB of the file.
pub struct Importer {
    rules: ImportRules,
    decode: Decode,
    records: Records,
    header: Option<Header>,
    dialect: Dialect,
    rows: ReadRow,
    warnings: Vec<Warning>,
    /// The lead that its warnings precede.
    lead: Option<Box<LeadDraft>>,
    nul: bool,
    refused: Option<FileError>,
    tally: Tally,
}

impl Importer {
    /// For one file.
    pub fn new(rules: ImportRules) -> Self {
        Importer {
            rules,
            decode: Decode::new(),
            records: Records::new(rules.limits),
            header: None,
            dialect: Dialect { encoding: Default::default(), delimiter: ',', header: false },
            rows: ReadRow::new(rules.country, rules.engine),
            warnings: Vec::new(),
            lead: None,
            nul: false,
            refused: None,
            tally: Tally::default(),
        }
    }

    /// Takes the next bytes of the file; chunks of 16 to 256 KiB are best. Take all rows first.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.text(bytes, false);
    }

    /// No more bytes will come.
    pub fn finish(&mut self) {
        if !self.records.is_closed() {
            self.text(b"", true);
            self.records.close();
        }
    }

    fn text(&mut self, bytes: &[u8], last: bool) {
        if self.nul || self.records.is_closed() || self.refused.is_some() {
            return;
        }
        let buffer = self.records.grow();
        let before = buffer.len();
        self.decode.feed(bytes, last, buffer);
        // The lines before a NUL byte are still read; the one that holds it is not, not even in part.
        let new = &buffer.as_bytes()[before..];
        // `contains` looks at many bytes at once; only a file with a NUL pays for the search.
        if new.contains(&0)
            && let Some(at) = new.iter().position(|b| *b == 0)
        {
            let line = buffer[..before + at].rfind(['\n', '\r']).map_or(0, |end| end + 1);
            buffer.truncate(line);
            self.nul = true;
            self.records.close();
        }
        self.tally.damaged_bytes = self.decode.damaged();
    }

    /// The next row, or `None` if more bytes are needed or, after [`finish`](Importer::finish),
    /// the file is at its end.
    ///
    /// # Errors
    /// [`FileError`] if the file cannot be read on, now and at every later call. Rows given out
    /// before stay valid.
    pub fn next_row(&mut self) -> Result<Option<Row>, FileError> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let row = self.advance();
        self.tally.lines = self.records.line() - 1;
        row.inspect_err(|error| self.refused = Some(error.clone()))
    }

    fn advance(&mut self) -> Result<Option<Row>, FileError> {
        if let Some(warning) = self.warnings.pop() {
            return Ok(Some(Row::Warned(warning)));
        }
        if let Some(lead) = self.lead.take() {
            return Ok(Some(Row::Lead(lead)));
        }
        if self.header.is_none() && !self.begin()? {
            return Ok(None);
        }
        let Some(header) = &self.header else { return Ok(None) };
        loop {
            let step = self.records.next()?;
            let line = self.records.line();
            let rejected = match step {
                Step::More => return Ok(None),
                Step::End if self.nul => return Err(FileError::NulByte { line }),
                Step::End => return Ok(None),
                Step::Blank => {
                    self.tally.blank_lines += self.records.lines();
                    continue;
                }
                Step::Unterminated => broken(line - 1, Reason::UnterminatedQuote),
                Step::CellTooLong => {
                    let bytes_max = u32::try_from(self.rules.limits.cell_bytes_max).unwrap_or(u32::MAX);
                    broken(line - 1, Reason::CellTooLong { bytes_max })
                }
                Step::Record => match self.rows.read(&self.records, header, &mut self.warnings) {
                    _ if broken_line(&self.records, header) => {
                        self.warnings.clear();
                        self.records.reread();
                        broken(self.records.line() - 1, Reason::UnterminatedQuote)
                    }
                    Ok(lead) => return Ok(Some(self.accept(lead))),
                    Err(_) if self.records.lines() > 1 && self.records.len() != header.columns => {
                        self.records.reread();
                        broken(self.records.line() - 1, Reason::UnterminatedQuote)
                    }
                    Err(rejection) => {
                        self.tally.rejected_lines += self.records.lines();
                        self.tally.rejected += 1;
                        return Ok(Some(Row::Rejected(rejection)));
                    }
                },
            };
            self.tally.rejected_lines += 1;
            self.tally.rejected += 1;
            return Ok(Some(Row::Rejected(rejected)));
        }
    }

    fn accept(&mut self, lead: LeadDraft) -> Row {
        self.tally.lead_lines += self.records.lines();
        self.tally.leads += 1;
        let lead = Box::new(lead);
        self.warnings.reverse();
        match self.warnings.pop() {
            None => Row::Lead(lead),
            Some(warning) => {
                self.tally.warnings += 1;
                self.lead = Some(lead);
                Row::Warned(warning)
            }
        }
    }

    /// Decides the dialect as soon as the head is there; `false` while it is not.
    fn begin(&mut self) -> Result<bool, FileError> {
        let rest = self.records.rest();
        if !self.records.is_closed() && rest.len() < HEAD_BYTES {
            return Ok(false);
        }
        let mut end = rest.len().min(HEAD_BYTES);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let found = match dialect::detect(&rest[..end], self.rules.country, self.rules.limits) {
            Ok(found) => found,
            Err(_) if self.nul => return Err(FileError::NulByte { line: 1 + self.records.lines_left() }),
            Err(error) => return Err(error),
        };
        self.records.set_delimiter(found.delimiter);
        self.dialect = Dialect {
            encoding: self.decode.encoding(),
            delimiter: char::from(found.delimiter),
            header: found.header_lines > 0,
        };
        self.tally.preamble_lines = found.preamble_lines;
        self.tally.header_lines = found.header_lines;
        self.records.skip_lines(found.preamble_lines + found.header_lines);
        self.header = Some(found.header);
        Ok(true)
    }

    /// How the file is written, as far as it is known.
    pub fn dialect(&self) -> Dialect {
        // The encoding may change from UTF-8 to Windows-1252 at the first byte that tells.
        Dialect { encoding: self.decode.encoding(), ..self.dialect.clone() }
    }

    /// What became of the lines so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

fn broken(line: u64, reason: Reason) -> Rejection {
    Rejection { line, column: String::new(), value: String::new(), reason }
}

/// Whether a cell that is one line in every list (a number, a name, a flag) spans several: a stray
/// quote has then swallowed the rows behind it.
fn broken_line(records: &Records, header: &Header) -> bool {
    let one_line = header.fields.iter().filter(|(_, field)| field.is_one_line()).map(|(column, _)| column);
    records.lines() > 1
        && header.phones.iter().chain(one_line).any(|column| records.cell(*column).trim().contains(['\n', '\r']))
}

/// Why reading a list from a file or a socket failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The source failed.
    Io(std::io::Error),
    /// The content cannot be read on.
    File(FileError),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ReadError::Io(_) => "the list could not be read",
            ReadError::File(_) => "the list was refused",
        })
    }
}
impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            ReadError::File(error) => Some(error),
        }
    }
}

/// Reads a whole list and gives each row to `take`. Returns the count and how the file is written.
///
/// # Errors
/// [`ReadError`]; the rows given out before stay valid.
pub fn read_all(
    mut source: impl Read,
    rules: ImportRules,
    mut take: impl FnMut(Row),
) -> Result<(Tally, Dialect), ReadError> {
    const CHUNK_BYTES: usize = 64 << 10;
    let mut importer = Importer::new(rules);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match source.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read.map_err(ReadError::Io)?,
        };
        if read == 0 {
            importer.finish();
        } else {
            importer.feed(&chunk[..read]);
        }
        while let Some(row) = importer.next_row().map_err(ReadError::File)? {
            take(row);
        }
        if read == 0 {
            return Ok((importer.tally(), importer.dialect()));
        }
    }
}
