//! The exact set of the numbers of a file, eight bytes each.

use crate::Phone;

/// Numbers up to which their first line is remembered as well.
const LINES_MAX: usize = 1 << 20;

/// What [`Seen::insert`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Insert {
    New,
    /// Already there; its first line if it is still known.
    Old {
        first_line: Option<u64>,
    },
    /// The set is full and does not hold the number.
    Full,
}

/// A hash set of numbers with open addressing: exact, never lossy, bounded.
pub(super) struct Seen {
    /// 0 is free: no number is 0.
    slots: Vec<u64>,
    /// First lines, beside the slots, while there are few.
    lines: Vec<u32>,
    len: usize,
    len_max: usize,
}

impl Seen {
    /// Holds at most `len_max` numbers.
    pub(super) fn new(len_max: usize) -> Self {
        Seen { slots: vec![0; 1024], lines: vec![0; 1024], len: 0, len_max }
    }

    pub(super) fn insert(&mut self, phone: Phone, line: u64) -> Insert {
        let mut at = self.place(phone.digits());
        if self.slots[at] != 0 {
            let first_line = self.lines.get(at).map(|line| u64::from(*line));
            return Insert::Old { first_line };
        }
        if self.len == self.len_max {
            return Insert::Full;
        }
        // At most two thirds full.
        if (self.len + 1) * 3 > self.slots.len() * 2 {
            self.double();
            at = self.place(phone.digits());
        }
        self.len += 1;
        self.slots[at] = phone.digits();
        if let Some(slot) = self.lines.get_mut(at) {
            *slot = u32::try_from(line).unwrap_or(u32::MAX);
        }
        Insert::New
    }

    /// Where the number is, or the free slot where it belongs.
    fn place(&self, digits: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = mix(digits) as usize & mask;
        while self.slots[at] != 0 && self.slots[at] != digits {
            at = (at + 1) & mask;
        }
        at
    }

    fn double(&mut self) {
        let size = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        let keep_lines = self.len < LINES_MAX && !self.lines.is_empty();
        let old_lines = std::mem::replace(&mut self.lines, vec![0; if keep_lines { size } else { 0 }]);
        for (index, digits) in old.into_iter().enumerate().filter(|(_, digits)| *digits != 0) {
            let at = self.place(digits);
            self.slots[at] = digits;
            if let (Some(slot), Some(line)) = (self.lines.get_mut(at), old_lines.get(index)) {
                *slot = *line;
            }
        }
    }
}

/// Spreads numbers that differ in their last digits over the table (the finaliser of MurmurHash3).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(n: u64) -> Phone {
        Phone::from_digits(12_000_000_000 + n).expect("E.164")
    }

    #[test]
    fn is_exact_beyond_several_doublings() {
        let mut seen = Seen::new(usize::MAX);
        for n in 0..50_000 {
            assert_eq!(seen.insert(phone(n * 7), n + 2), Insert::New);
        }
        for n in 0..50_000 {
            assert_eq!(seen.insert(phone(n * 7), 9), Insert::Old { first_line: Some(n + 2) });
            if n % 7 != 0 {
                assert_eq!(seen.insert(phone(500_000 + n), 9), Insert::New);
            }
        }
    }

    #[test]
    fn lines_are_forgotten_and_numbers_are_not() {
        let mut seen = Seen::new(usize::MAX);
        let many = LINES_MAX as u64 * 3 / 2;
        for n in 0..many {
            assert_eq!(seen.insert(phone(n), n), Insert::New);
        }
        assert_eq!(seen.insert(phone(0), 9), Insert::Old { first_line: None });
        assert_eq!(seen.insert(phone(many - 1), 9), Insert::Old { first_line: None });
    }

    #[test]
    fn full_still_knows_what_it_holds() {
        let mut seen = Seen::new(2);
        assert_eq!(seen.insert(phone(1), 1), Insert::New);
        assert_eq!(seen.insert(phone(2), 2), Insert::New);
        assert_eq!(seen.insert(phone(3), 3), Insert::Full);
        assert_eq!(seen.insert(phone(1), 4), Insert::Old { first_line: Some(1) });
    }
}
