//! A registry's copy, mapped into memory and read in place.

use crate::error::OpenError;
use crate::format::{BLOCK_BYTES, EXCHANGES, HEADER_BYTES, Header, PAGE_BYTES, nanp, u32_at};
use crate::others::OthersView;
use autocall_core::Phone;
use std::fs::File;
use std::path::Path;

/// How many look-ups are under way at once in [`Set::contains_each`].
const AHEAD: usize = 32;

/// An exact set of numbers. Cheap to share behind an `Arc`.
pub struct Set {
    map: memmap2::Mmap,
    header: Header,
    /// Where the page of each exchange begins in the file; 0 for none. 4 MB that every look-up
    /// reads: in ordinary memory the system may back them with large pages, unlike a file's.
    directory: Box<[u32]>,
    directory_at: usize,
    others_at: usize,
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Set").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Set {
    /// Opens a file and checks every block of it; a set that is not whole is never served.
    pub fn open(path: &Path) -> Result<Set, OpenError> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only. Our writers never change or shorten a finished file:
        // they write a new one and rename it, and the mapping keeps the old one alive.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        let header = Header::decode(&map)?;
        if header.file_bytes() != map.len() as u64 {
            return Err(OpenError::Length { expected: header.file_bytes(), found: map.len() as u64 });
        }
        let sums_at = header.checksums_at() as usize;
        for (block, bytes) in map[HEADER_BYTES..sums_at].chunks(BLOCK_BYTES).enumerate() {
            if crc32fast::hash(bytes) != u32_at(&map, sums_at + block * 4) {
                return Err(OpenError::Corrupt { block: block + 1 });
            }
        }
        let (directory_at, others_at) = (header.directory_at() as usize, header.others_at() as usize);
        let directory = read_directory(&map[directory_at..sums_at], header.pages)?;
        Ok(Set { map, header, directory, directory_at, others_at })
    }

    /// The page of an exchange; `None` if none of its numbers is listed.
    #[inline]
    fn page(&self, exchange: usize) -> Option<&[u8]> {
        let at = (self.directory[exchange] as usize).checked_mul(PAGE_UNIT)?;
        if at == 0 { None } else { self.map.get(at..at + PAGE_BYTES) }
    }

    /// Whether the number is listed.
    #[inline]
    pub fn contains(&self, phone: Phone) -> bool {
        match nanp(phone.digits()) {
            Some((exchange, bit)) => self.page(exchange).is_some_and(|page| page[bit / 8] & (1 << (bit % 8)) != 0),
            None => self.others().contains(phone.digits()),
        }
    }

    /// [`Set::contains`] for many numbers: the memory's waiting times overlap. `out` gets one
    /// answer for each, as many as both are long.
    pub fn contains_each(&self, phones: &[Phone], out: &mut [bool]) {
        for (phones, out) in phones.chunks(AHEAD).zip(out.chunks_mut(AHEAD)) {
            // The place of each number's byte; 0, which lies in the header, for no page.
            let mut places = [0usize; AHEAD];
            for (phone, place) in phones.iter().zip(&mut places) {
                if let Some((exchange, bit)) = nanp(phone.digits()) {
                    let page = self.directory[exchange] as usize * PAGE_UNIT;
                    *place = if page == 0 { 0 } else { page + bit / 8 };
                }
            }
            for ((phone, place), out) in phones.iter().zip(places).zip(out) {
                let byte = if place == 0 { 0 } else { self.map.get(place).copied().unwrap_or(0) };
                *out = match nanp(phone.digits()) {
                    Some((_, bit)) => byte & (1 << (bit % 8)) != 0,
                    None => self.others().contains(phone.digits()),
                };
            }
        }
    }

    fn others(&self) -> OthersView<'_> {
        OthersView(&self.map[self.others_at..self.directory_at])
    }

    /// The pages, by exchange.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (0..EXCHANGES).filter_map(|exchange| self.page(exchange).map(|page| (exchange, page)))
    }
    /// The numbers outside North America, in order.
    pub(crate) fn other_numbers(&self) -> impl Iterator<Item = u64> {
        self.others().iter()
    }

    /// What the file says about itself.
    pub fn about(&self) -> &crate::About {
        &self.header.about
    }
    /// How many numbers are listed.
    pub fn len(&self) -> u64 {
        self.header.nanp_numbers + self.header.other_numbers
    }
    /// Whether no number is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Places of pages are kept in units of this many bytes: page and header are multiples of it, and a
/// full plan of a million pages still fits 32 bits.
const PAGE_UNIT: usize = 8;

/// Turns the file's directory into places. An entry beyond the last page is refused.
fn read_directory(bytes: &[u8], pages: u64) -> Result<Box<[u32]>, OpenError> {
    let place = |entry: &[u8]| match u32_at(entry, 0) {
        0 => Ok(0),
        page if u64::from(page) <= pages => Ok(((HEADER_BYTES + (page as usize - 1) * PAGE_BYTES) / PAGE_UNIT) as u32),
        _ => Err(OpenError::NotAList),
    };
    bytes.chunks_exact(4).take(EXCHANGES).map(place).collect()
}
