//! A set being built from numbers in any order.

use crate::format::{About, EXCHANGES, PAGE_BYTES, nanp};
use crate::others::Others;
use crate::write::{Page, Writer};
use autocall_core::Phone;
use std::io;
use std::path::Path;

/// Collects numbers in any order and writes them as one file. Takes about 1.2 kB for each exchange
/// with a number (at most 800 assigned area codes: 1 GB), 2 bytes or less for each other number.
pub struct Builder {
    directory: Vec<u32>,
    // Boxed, because a growing vector of whole pages would need twice their memory for a moment.
    #[allow(clippy::vec_box)]
    pages: Vec<Box<Page>>,
    others: Others,
}

impl Default for Builder {
    fn default() -> Self {
        Builder { directory: vec![0; EXCHANGES], pages: Vec::new(), others: Others::default() }
    }
}

impl Builder {
    /// Without numbers.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Adds a number; one that is there already changes nothing.
    pub fn insert(&mut self, phone: Phone) {
        match nanp(phone.digits()) {
            Some((exchange, bit)) => {
                let place = &mut self.directory[exchange];
                if *place == 0 {
                    self.pages.push(Box::new([0; PAGE_BYTES]));
                    *place = self.pages.len() as u32;
                }
                self.pages[*place as usize - 1][bit / 8] |= 1 << (bit % 8);
            }
            None => self.others.insert(phone.digits()),
        }
    }

    /// How many numbers it holds; those outside North America count as often as they were added.
    pub fn len(&self) -> u64 {
        let bits = |page: &Page| page.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        self.pages.iter().map(|page| bits(page)).sum::<u64>() + self.others.added()
    }
    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the file and puts it in the place of the old one, which stays in force until then.
    pub fn write(self, path: &Path, about: About) -> io::Result<()> {
        let mut writer = Writer::create(path)?;
        for (exchange, place) in self.directory.iter().enumerate().filter(|(_, place)| **place != 0) {
            writer.page(exchange, &self.pages[*place as usize - 1][..])?;
        }
        let (others, numbers) = self.others.encode();
        writer.finish(about, &others, numbers)
    }
}
