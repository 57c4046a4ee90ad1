//! The changes of a day: numbers that came to a registry and numbers that left it.

use crate::error::ImportError;
use crate::format::{About, PAGE_BYTES, nanp};
use crate::import::{REJECTED_KEPT, Rejected, Sum, number};
use crate::others::Others;
use crate::set::Set;
use crate::write::{Page, Writer};
use autocall_core::Phone;
use std::io::{self, Read};
use std::path::Path;

/// Changes, in the order in which they happened: of two about one number the later holds.
#[derive(Clone, Default, Debug)]
pub struct Delta {
    changes: Vec<(Phone, bool)>,
}

impl Delta {
    /// The number was put on the list.
    pub fn add(&mut self, phone: Phone) {
        self.changes.push((phone, true));
    }
    /// The number was taken off the list.
    pub fn remove(&mut self, phone: Phone) {
        self.changes.push((phone, false));
    }
    /// How many changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Writes `old` with these changes as a new file under `path`, which may be the old one's: a
    /// mapping of that stays valid. Takes memory for the changes only.
    pub fn apply(mut self, old: &Set, path: &Path, about: About) -> io::Result<()> {
        // Stable: changes of one number keep their order.
        self.changes.sort_by_key(|(phone, _)| phone.digits());
        let mut writer = Writer::create(path)?;
        let first_after = self.changes.partition_point(|(phone, _)| phone.digits() < 20_000_000_000);
        let first_nanp = self.changes.partition_point(|(phone, _)| phone.digits() < 10_000_000_000);
        let mut nanp_changes = Changes { rest: &self.changes[first_nanp..first_after] };
        for (exchange, page) in old.pages() {
            while let Some(new) = nanp_changes.next_before(exchange) {
                let mut fresh = [0; PAGE_BYTES];
                let number = nanp_changes.patch(new, &mut fresh);
                writer.page(number, &fresh)?;
            }
            let mut patched: Page = [0; PAGE_BYTES];
            patched.copy_from_slice(page);
            nanp_changes.patch(exchange, &mut patched);
            writer.page(exchange, &patched)?;
        }
        while let Some(new) = nanp_changes.next_before(usize::MAX) {
            let mut fresh = [0; PAGE_BYTES];
            nanp_changes.patch(new, &mut fresh);
            writer.page(new, &fresh)?;
        }
        let mut others = Others::default();
        old.other_numbers().for_each(|number| others.insert(number));
        for (phone, listed) in self.changes[..first_nanp].iter().chain(&self.changes[first_after..]) {
            if *listed { others.insert(phone.digits()) } else { others.remove(phone.digits()) }
        }
        let (bytes, numbers) = others.encode();
        writer.finish(about, &bytes, numbers)
    }
}

/// The North American changes that are left, by number.
struct Changes<'a> {
    rest: &'a [(Phone, bool)],
}

impl Changes<'_> {
    fn exchange(&self) -> Option<usize> {
        self.rest.first().and_then(|(phone, _)| nanp(phone.digits())).map(|(exchange, _)| exchange)
    }
    /// The next exchange with changes, if it comes before `limit`.
    fn next_before(&self, limit: usize) -> Option<usize> {
        self.exchange().filter(|exchange| *exchange < limit)
    }
    /// Carries the changes of this exchange out and drops them.
    fn patch(&mut self, exchange: usize, page: &mut Page) -> usize {
        while self.exchange() == Some(exchange) {
            if let Some(((phone, listed), rest)) = self.rest.split_first() {
                let bit = (phone.digits() % 10_000) as usize;
                if *listed {
                    page[bit / 8] |= 1 << (bit % 8)
                } else {
                    page[bit / 8] &= !(1 << (bit % 8))
                }
                self.rest = rest;
            }
        }
        exchange
    }
}

/// Reads changes from CSV: an action (`A`, `add`, `+`, or `D`, `del`, `delete`, `-`), a number.
pub fn read_delta(from: impl Read, calling_code: u16) -> Result<(Delta, Sum), ImportError> {
    let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).quoting(false).from_reader(from);
    let mut record = csv::ByteRecord::new();
    let (mut delta, mut sum) = (Delta::default(), Sum::default());
    loop {
        let line = csv.position().line();
        match csv.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return sum.trusted().map(|sum| (delta, sum)),
            Err(_) => return Err(ImportError::Csv { line }),
        }
        let action = record.get(0).map(|a| crate::import::unquoted(a).to_ascii_lowercase());
        let listed = match action.as_deref() {
            Some(b"a" | b"add" | b"+") => Some(true),
            Some(b"d" | b"del" | b"delete" | b"-") => Some(false),
            _ => None,
        };
        match (listed, record.get(1).and_then(|n| number(n, calling_code))) {
            (Some(listed), Some(phone)) => {
                delta.changes.push((phone, listed));
                sum.accepted += 1;
            }
            (listed, _) => {
                let reason = if listed.is_none() { "the first column is neither A nor D" } else { "not a number" };
                sum.rejected += 1;
                if sum.examples.len() < REJECTED_KEPT {
                    sum.examples.push(Rejected { line, reason });
                }
            }
        }
    }
}
