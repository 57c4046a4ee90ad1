//! New inputs from old ones.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes inputs; the same seed and corpus give the same ones.
pub struct Mutator {
    rng: ChaCha8Rng,
    dictionary: &'static [&'static [u8]],
    bytes_max: usize,
}

impl Mutator {
    /// With a dictionary of pieces that mean something to the target.
    pub fn new(seed: u64, dictionary: &'static [&'static [u8]], bytes_max: usize) -> Mutator {
        Mutator { rng: ChaCha8Rng::seed_from_u64(seed), dictionary, bytes_max }
    }

    /// A number below `n`; 0 if `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.rng.random_range(0..n) }
    }

    /// An input of the corpus, changed in one to sixteen places.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = match self.below(corpus.len()) {
            _ if corpus.is_empty() => Vec::new(),
            at => corpus[at].clone(),
        };
        let changes = 1 << self.below(5);
        for _ in 0..changes {
            self.change(&mut input, corpus);
        }
        input.truncate(self.bytes_max);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.rng.random_range(0..8);
                }
            }
            1 => {
                let byte = self.rng.random();
                if let Some(old) = input.get_mut(at) {
                    *old = byte;
                }
            }
            2 => input.insert(at, self.rng.random()),
            3 => {
                let end = (at + 1 + self.below(8)).min(input.len());
                input.drain(at..end);
            }
            4 => {
                let end = (at + 1 + self.below(64)).min(input.len());
                let piece = input[at..end].to_vec();
                let to = self.below(input.len() + 1);
                self.insert(input, to, &piece);
            }
            5 | 6 if !self.dictionary.is_empty() => {
                let word = self.dictionary[self.below(self.dictionary.len())];
                self.insert(input, at, word);
            }
            7 if !corpus.is_empty() => {
                // The head of this one, the tail of another.
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                // A digit or a letter more or less: numbers and dates grow and shrink.
                if let Some(byte) = input.get_mut(at) {
                    *byte = byte.wrapping_add(if self.rng.random() { 1 } else { 255 });
                }
            }
        }
    }

    fn insert(&self, input: &mut Vec<u8>, at: usize, piece: &[u8]) {
        if input.len() + piece.len() <= self.bytes_max {
            input.splice(at..at, piece.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_stay_within_their_bound_and_differ() {
        let corpus = vec![vec![b'x'; 90], b"short".to_vec()];
        let mut mutator = Mutator::new(3, &[b"longer than most"], 100);
        let inputs: Vec<Vec<u8>> = (0..2_000).map(|_| mutator.next(&corpus)).collect();
        assert!(inputs.iter().all(|input| input.len() <= 100));
        let distinct: std::collections::BTreeSet<&Vec<u8>> = inputs.iter().collect();
        assert!(distinct.len() > 1_500, "{} of 2000 differ", distinct.len());
    }
}
