//! Exact sets of numbers outside North America: containers by the number's high bits.
//!
//! In the file: the count of containers (8 bytes), one entry each of high bits (8), place of the
//! data (8) and size (8), then the data. A container holds the low 16 bits of its numbers: a sorted
//! list of 2 bytes each, or a bitmap of 8,192 bytes once the list would be longer.

use crate::format::u64_at;
use std::collections::BTreeMap;

const LIST_MAX: usize = 4_096;
const BITMAP_BYTES: usize = 8_192;
const ENTRY_BYTES: usize = 24;

/// Containers in memory, while a file is built.
#[derive(Default)]
pub(crate) struct Others(BTreeMap<u64, Container>);

enum Container {
    /// Not sorted, may hold a number twice.
    List(Vec<u16>),
    Bitmap(Box<[u8; BITMAP_BYTES]>),
}

impl Container {
    fn insert(&mut self, low: u16) {
        match self {
            Container::Bitmap(bits) => bits[usize::from(low) / 8] |= 1 << (low % 8),
            Container::List(list) => {
                list.push(low);
                if list.len() > 2 * LIST_MAX {
                    list.sort_unstable();
                    list.dedup();
                    if list.len() > LIST_MAX {
                        let mut bits = Box::new([0; BITMAP_BYTES]);
                        list.iter().for_each(|low| bits[usize::from(*low) / 8] |= 1 << (low % 8));
                        *self = Container::Bitmap(bits);
                    }
                }
            }
        }
    }
    fn remove(&mut self, low: u16) {
        match self {
            Container::Bitmap(bits) => bits[usize::from(low) / 8] &= !(1 << (low % 8)),
            Container::List(list) => list.retain(|known| *known != low),
        }
    }
    fn sorted(self) -> Vec<u16> {
        match self {
            Container::List(mut list) => {
                list.sort_unstable();
                list.dedup();
                list
            }
            Container::Bitmap(bits) => (0..=u16::MAX).filter(|low| has(&bits[..], *low)).collect(),
        }
    }
}

fn has(bits: &[u8], low: u16) -> bool {
    bits.get(usize::from(low) / 8).is_some_and(|byte| byte & (1 << (low % 8)) != 0)
}

impl Others {
    pub(crate) fn insert(&mut self, number: u64) {
        let container = self.0.entry(number >> 16).or_insert_with(|| Container::List(Vec::new()));
        container.insert(number as u16);
    }
    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(container) = self.0.get_mut(&(number >> 16)) {
            container.remove(number as u16);
        }
    }
    /// The bytes of the file's part, and how many numbers are in it.
    /// How many numbers there are; one that was added twice may count twice.
    pub(crate) fn added(&self) -> u64 {
        let of = |container: &Container| match container {
            Container::List(list) => list.len() as u64,
            Container::Bitmap(bits) => bits.iter().map(|b| u64::from(b.count_ones())).sum(),
        };
        self.0.values().map(of).sum()
    }
    pub(crate) fn encode(self) -> (Vec<u8>, u64) {
        let mut index = Vec::new();
        let mut data = Vec::new();
        let mut numbers = 0;
        for (high, container) in self.0 {
            let list = container.sorted();
            if list.is_empty() {
                continue;
            }
            numbers += list.len() as u64;
            index.extend(high.to_le_bytes());
            index.extend((data.len() as u64).to_le_bytes());
            index.extend((list.len() as u64).to_le_bytes());
            if list.len() > LIST_MAX {
                let start = data.len();
                data.resize(start + BITMAP_BYTES, 0);
                list.iter().for_each(|low| data[start + usize::from(*low) / 8] |= 1 << (low % 8));
            } else {
                list.iter().for_each(|low| data.extend(low.to_le_bytes()));
            }
        }
        let mut out = ((index.len() / ENTRY_BYTES) as u64).to_le_bytes().to_vec();
        out.append(&mut index);
        out.append(&mut data);
        (out, numbers)
    }
}

/// The part of a file, read in place.
#[derive(Clone, Copy)]
pub(crate) struct OthersView<'a>(pub(crate) &'a [u8]);

impl<'a> OthersView<'a> {
    fn containers(self) -> usize {
        (u64_at(self.0, 0) as usize).min(self.0.len() / ENTRY_BYTES)
    }
    /// High bits, data and size of a container.
    fn container(self, i: usize) -> (u64, &'a [u8], usize) {
        let entry = 8 + i * ENTRY_BYTES;
        let size = (u64_at(self.0, entry + 16) as usize).min(1 << 16);
        let bytes = if size > LIST_MAX { BITMAP_BYTES } else { size * 2 };
        let start = (8 + self.containers() * ENTRY_BYTES).saturating_add(u64_at(self.0, entry + 8) as usize);
        let data = start.checked_add(bytes).and_then(|end| self.0.get(start..end)).unwrap_or_default();
        (u64_at(self.0, entry), data, size)
    }
    pub(crate) fn contains(self, number: u64) -> bool {
        let (high, low) = (number >> 16, number as u16);
        let (mut from, mut to) = (0, self.containers());
        while from < to {
            let middle = from + (to - from) / 2;
            let (found, data, size) = self.container(middle);
            match found.cmp(&high) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
                std::cmp::Ordering::Equal if size > LIST_MAX => return has(data, low),
                std::cmp::Ordering::Equal => return in_list(data, low),
            }
        }
        false
    }
    /// Every number, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u64> + use<'a> {
        (0..self.containers()).flat_map(move |i| {
            let (high, data, size) = self.container(i);
            let lows: Vec<u16> = if size > LIST_MAX {
                (0..=u16::MAX).filter(|low| has(data, *low)).collect()
            } else {
                data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
            };
            lows.into_iter().map(move |low| high << 16 | u64::from(low))
        })
    }
}

/// Binary search in a sorted list of two-byte numbers.
fn in_list(data: &[u8], low: u16) -> bool {
    let (mut from, mut to) = (0, data.len() / 2);
    while from < to {
        let middle = from + (to - from) / 2;
        let found = u16::from_le_bytes([data[2 * middle], data[2 * middle + 1]]);
        match found.cmp(&low) {
            std::cmp::Ordering::Less => from = middle + 1,
            std::cmp::Ordering::Greater => to = middle,
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}
