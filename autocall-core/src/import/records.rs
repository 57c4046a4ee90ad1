//! Records of delimited text, with line numbers, limits, and a way back out of a broken quote.
//!
//! RFC 4180 with the tolerance that real lists need: any line ending, blanks around quotes, stray
//! quotes inside a cell. A quote that is never closed must not swallow the rows behind it, so
//! the begin of a record stays in the buffer until the next is asked for, and a reader that finds
//! the record implausible can go back to the line after its first ([`Records::reread`]).

use super::file::{FileError, Limits};

/// Where a cell's text is.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// In `unescaped` rather than in the buffer.
    unescaped: bool,
}

/// What [`Records::next`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// No complete record is there: feed more.
    More,
    /// Nothing is left.
    End,
    /// A record with at least one cell that is not blank.
    Record,
    /// A line of blanks and delimiters only.
    Blank,
    /// The line opens a quote that is not closed within the limits. Only the line is consumed.
    Unterminated,
    /// The line holds a cell above the limit. Only the line is consumed.
    CellTooLong,
}

/// A buffer of text and the record that was read last.
pub(super) struct Records {
    buffer: String,
    /// Where the next record begins.
    at: usize,
    /// Line number of `at`.
    line: u64,
    last: bool,
    delimiter: u8,
    limits: Limits,
    /// Do not try again with less text than this behind `at`: keeps tiny chunks from quadratic work.
    try_from: usize,
    spans: Vec<Span>,
    unescaped: String,
    /// Cells of the record, also those beyond the limit, which are counted and not kept.
    cells: usize,
    /// Begin of the record, its line, and the end of its first line.
    begin: usize,
    begin_line: u64,
    first_line_end: usize,
}

impl Records {
    pub(super) fn new(limits: Limits) -> Self {
        Records {
            buffer: String::new(),
            at: 0,
            line: 1,
            last: false,
            delimiter: b',',
            limits,
            try_from: 0,
            spans: Vec::new(),
            unescaped: String::new(),
            cells: 0,
            begin: 0,
            begin_line: 1,
            first_line_end: 0,
        }
    }

    /// Text of a file's head, to try delimiters on.
    pub(super) fn of_head(head: &str, delimiter: u8, limits: Limits) -> Self {
        let mut records = Records::new(limits);
        records.buffer.push_str(head);
        records.last = true;
        records.delimiter = delimiter;
        records
    }

    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// Room for more text. What was read before is dropped first.
    pub(super) fn grow(&mut self) -> &mut String {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.spans.clear();
        &mut self.buffer
    }

    /// No more text will come.
    pub(super) fn close(&mut self) {
        self.last = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.last
    }

    /// Text that is not read yet.
    pub(super) fn rest(&self) -> &str {
        &self.buffer[self.at..]
    }

    /// Goes on behind the next `lines` lines, whatever they hold.
    pub(super) fn skip_lines(&mut self, lines: u64) {
        for _ in 0..lines {
            self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
            let ending = if self.rest().starts_with("\r\n") { 2 } else { 1 };
            self.at = (self.at + ending).min(self.buffer.len());
            self.line += 1;
        }
    }

    /// Complete lines in the text that is not read yet.
    pub(super) fn lines_left(&self) -> u64 {
        let rest = self.rest().as_bytes();
        let ends = |(at, b): (usize, &u8)| *b == b'\n' || *b == b'\r' && rest.get(at + 1) != Some(&b'\n');
        rest.iter().enumerate().filter(|pair| ends(*pair)).count() as u64
    }

    /// The line that is read next, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The line on which the record begins.
    pub(super) fn begin_line(&self) -> u64 {
        self.begin_line
    }

    /// How many lines the record spans.
    pub(super) fn lines(&self) -> u64 {
        self.line - self.begin_line
    }

    /// How many cells the record has.
    pub(super) fn len(&self) -> usize {
        self.cells
    }

    /// A cell of the record, or empty beyond its end. Blanks are still around it.
    pub(super) fn cell(&self, index: usize) -> &str {
        match self.spans.get(index) {
            Some(span) if span.unescaped => &self.unescaped[span.start..span.end],
            Some(span) => &self.buffer[span.start..span.end],
            None => "",
        }
    }

    /// Forgets the record and continues on the line after its first.
    pub(super) fn reread(&mut self) {
        self.at = self.first_line_end;
        self.line = self.begin_line + 1;
        self.spans.clear();
    }

    /// Reads the next record.
    pub(super) fn next(&mut self) -> Result<Step, FileError> {
        let rest = self.buffer.len() - self.at;
        if rest == 0 {
            return Ok(if self.last { Step::End } else { Step::More });
        }
        if !self.last && rest < self.try_from {
            return Ok(Step::More);
        }
        self.spans.clear();
        self.unescaped.clear();
        self.cells = 0;
        (self.begin, self.begin_line) = (self.at, self.line);
        let step = self.read()?;
        self.try_from = if step == Step::More { rest * 2 } else { 0 };
        Ok(step)
    }

    fn read(&mut self) -> Result<Step, FileError> {
        let mut at = self.begin;
        let (mut lines, mut blank) = (1, true);
        self.first_line_end = 0;
        loop {
            let cell = match self.open_quote(at) {
                Some(quote) => self.quoted(quote, &mut lines),
                None => self.plain(at),
            };
            let (span, end) = match cell {
                Cell::Done(span, end) => (span, end),
                Cell::More => return self.more(),
                Cell::Broken => return self.broken(Step::Unterminated),
            };
            if span.end - span.start > self.limits.cell_bytes_max {
                return self.broken(Step::CellTooLong);
            }
            blank = blank && self.is_blank(span);
            self.cells += 1;
            if self.spans.len() < self.limits.columns_max {
                self.spans.push(span);
            }
            match self.line_end(end) {
                LineEnd::None => at = end + 1,
                LineEnd::Maybe => return self.more(),
                LineEnd::At(next) => {
                    if lines == 1 {
                        self.first_line_end = next;
                    }
                    self.at = next;
                    self.line = self.begin_line + lines;
                    return Ok(if blank { Step::Blank } else { Step::Record });
                }
            }
        }
    }

    /// Position of a quote that opens the cell at `at`, if one does; blanks may stand before it.
    fn open_quote(&self, at: usize) -> Option<usize> {
        let bytes = &self.buffer.as_bytes()[at..];
        let blanks = match bytes {
            [b'"', ..] => 0,
            [b' ', ..] => bytes.iter().take_while(|b| **b == b' ').count(),
            _ => return None,
        };
        (bytes.get(blanks) == Some(&b'"')).then_some(at + blanks)
    }

    fn plain(&self, start: usize) -> Cell {
        let delimiter = self.delimiter;
        let bytes = &self.buffer.as_bytes()[start..];
        match bytes.iter().position(|b| *b == delimiter || *b == b'\n' || *b == b'\r') {
            Some(length) => Cell::Done(Span { start, end: start + length, unescaped: false }, start + length),
            None if self.last => {
                let end = self.buffer.len();
                Cell::Done(Span { start, end, unescaped: false }, end)
            }
            None => Cell::More,
        }
    }

    /// A cell that begins with the quote at `quote`.
    fn quoted(&mut self, quote: usize, lines: &mut u64) -> Cell {
        let bytes = self.buffer.as_bytes();
        let first_line = *lines;
        let (mut at, mut doubled) = (quote + 1, false);
        loop {
            let Some(found) = bytes[at..].iter().position(|b| matches!(b, b'"' | b'\n' | b'\r')) else {
                // Without an end of the line this is a long line; with one, an open quote.
                let too_long = *lines > 1 && bytes.len() - quote > self.limits.cell_bytes_max;
                return if self.last || too_long { Cell::Broken } else { Cell::More };
            };
            at += found;
            if bytes[at] != b'"' {
                let pair = bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
                if bytes[at] == b'\r' && at + 1 == bytes.len() && !self.last {
                    return Cell::More;
                }
                at += if pair { 2 } else { 1 };
                if *lines == 1 {
                    self.first_line_end = at;
                }
                *lines += 1;
                if *lines - first_line >= self.limits.cell_lines_max || at - quote > self.limits.cell_bytes_max {
                    return Cell::Broken;
                }
                continue;
            }
            match bytes.get(at + 1) {
                Some(b'"') => {
                    doubled = true;
                    at += 2;
                }
                None if !self.last => return Cell::More,
                _ => break,
            }
        }
        let after = bytes[at + 1..].iter().take_while(|b| **b == b' ').count();
        let end = at + 1 + after;
        match bytes.get(end) {
            None if !self.last => Cell::More,
            None => self.close_quote(quote, at, end, doubled),
            Some(b) if *b == self.delimiter || *b == b'\n' || *b == b'\r' => self.close_quote(quote, at, end, doubled),
            // Text behind the closing quote: on one line it is part of the cell (`"Bob" Smith`),
            // over several lines the quote was never meant to be open.
            Some(_) if *lines > first_line => Cell::Broken,
            Some(_) => self.plain(quote),
        }
    }

    fn close_quote(&mut self, quote: usize, close: usize, end: usize, doubled: bool) -> Cell {
        if !doubled {
            return Cell::Done(Span { start: quote + 1, end: close, unescaped: false }, end);
        }
        let start = self.unescaped.len();
        for (index, part) in self.buffer[quote + 1..close].split("\"\"").enumerate() {
            if index > 0 {
                self.unescaped.push('"');
            }
            self.unescaped.push_str(part);
        }
        Cell::Done(Span { start, end: self.unescaped.len(), unescaped: true }, end)
    }

    fn is_blank(&self, span: Span) -> bool {
        let text = if span.unescaped { &self.unescaped } else { &self.buffer };
        text.as_bytes()[span.start..span.end].iter().all(|b| matches!(b, b' ' | b'\t'))
    }

    /// Whether the record ends at `end`, which is a delimiter, a line ending, or the end of all.
    fn line_end(&self, end: usize) -> LineEnd {
        match self.buffer.as_bytes()[end..] {
            [] | [b'\n', ..] => LineEnd::At((end + 1).min(self.buffer.len())),
            [b'\r', b'\n', ..] => LineEnd::At(end + 2),
            [b'\r'] if !self.last => LineEnd::Maybe,
            [b'\r', ..] => LineEnd::At(end + 1),
            _ => LineEnd::None,
        }
    }

    fn more(&self) -> Result<Step, FileError> {
        if self.buffer.len() - self.begin > self.limits.record_bytes_max {
            return Err(FileError::LineTooLong {
                line: self.begin_line,
                bytes_max: self.limits.record_bytes_max as u64,
            });
        }
        Ok(Step::More)
    }

    /// Consumes the first line only.
    fn broken(&mut self, step: Step) -> Result<Step, FileError> {
        if self.first_line_end == 0 {
            let bytes = &self.buffer.as_bytes()[self.begin..];
            match bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
                Some(at) => match self.line_end(self.begin + at) {
                    LineEnd::At(next) => self.first_line_end = next,
                    _ => return self.more(),
                },
                None if self.last => self.first_line_end = self.buffer.len(),
                None => return self.more(),
            }
        }
        self.reread();
        Ok(step)
    }
}

enum Cell {
    /// The text, and where the cell ends in the buffer: at a delimiter, a line ending or the end.
    Done(Span, usize),
    More,
    Broken,
}

enum LineEnd {
    None,
    /// A carriage return is the last character so far: a line feed may follow.
    Maybe,
    /// The next line begins here.
    At(usize),
}
