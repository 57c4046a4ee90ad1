//! Fuzzing on the stable toolchain: mutated input, kept when it makes the program do something
//! new, until it panics or breaks a law.
//!
//! "Something new" is judged by behaviour: a target says in words what it did (`rejected:short`,
//! `bridged`, …) and an input with a word, or a number of times a word, that was not seen before
//! joins the corpus. This guides the search without instrumenting the program. What it cannot do:
//! it does not see branches, so code whose effect shows in no word is reached by chance only, and
//! it solves no comparisons; the dictionaries of the targets stand in for that.

pub mod csv;
pub mod events;
pub mod mutate;
pub mod webhooks;

use mutate::Mutator;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Inputs kept. Beyond it a new one replaces an old one that is not a seed.
const CORPUS_MAX: usize = 2_000;
/// Longest input.
const INPUT_BYTES_MAX: usize = 16 << 10;
/// Most words that are told apart; far more than any target has.
const WORDS_MAX: usize = 100_000;
/// Attempts at making a failing input smaller.
const SHRINK_TRIES_MAX: usize = 4_000;

/// Something to throw input at.
pub trait Target {
    /// Inputs to begin with.
    fn seeds(&self) -> Vec<Vec<u8>>;
    /// Pieces that mean something to the program.
    fn dictionary(&self) -> &'static [&'static [u8]];
    /// Handles one input and says what happened. Panics when a law is broken.
    fn run(&self, input: &[u8], said: &mut Behaviour);
}

/// What one input made the program do: words, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour(BTreeMap<String, u32>);

impl Behaviour {
    /// Notes a word.
    pub fn note(&mut self, word: impl Into<String>) {
        *self.0.entry(word.into()).or_default() += 1;
    }
    /// The words, each with the power of two that its count reaches.
    fn keys(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(word, count)| (word.as_str(), count.ilog2()))
    }
}

/// An input on which the program panicked, made as small as it was found possible.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The input.
    pub input: Vec<u8>,
    /// The panic's message.
    pub message: String,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub tried: u64,
    /// Inputs kept.
    pub corpus: usize,
    /// Every word that was seen, with how many inputs it was seen in.
    pub words: BTreeMap<String, u64>,
    /// When the last new behaviour came, as a number of inputs.
    pub last_new: u64,
    /// The panic that ended the run, if one did.
    pub crash: Option<Crash>,
}

/// When a run ends, if no panic ends it before.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so many inputs: the same inputs for the same seed.
    Inputs(u64),
    /// After so long.
    Elapsed(Duration),
}

/// Throws input at a target. `progress` is called now and then.
pub fn run(target: &dyn Target, seed: u64, until: Until, mut progress: impl FnMut(&Report)) -> Report {
    let start = Instant::now();
    let mut corpus = target.seeds();
    let seeds = corpus.len();
    let mut mutator = Mutator::new(seed, target.dictionary(), INPUT_BYTES_MAX);
    let mut seen: BTreeMap<(String, u32), ()> = BTreeMap::new();
    let mut report = Report::default();
    for number in 0.. {
        let over = match until {
            Until::Inputs(most) => number >= most,
            Until::Elapsed(most) => number % 64 == 0 && start.elapsed() >= most,
        };
        if over {
            break;
        }
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let input = if index < seeds { corpus[index].clone() } else { mutator.next(&corpus) };
        let mut behaviour = Behaviour::default();
        report.tried += 1;
        if let Err(message) = guarded(target, &input, &mut behaviour) {
            let input = shrink(target, input);
            report.crash = Some(Crash { input, message });
            break;
        }
        let mut new = false;
        for (word, power) in behaviour.keys() {
            *report.words.entry(word.to_owned()).or_default() += 1;
            new |= seen.len() < WORDS_MAX && seen.insert((word.to_owned(), power), ()).is_none();
        }
        if new {
            report.last_new = report.tried;
            if index >= seeds && corpus.len() < CORPUS_MAX {
                corpus.push(input);
            } else if index >= seeds {
                let at = seeds + mutator.below(CORPUS_MAX - seeds);
                corpus[at] = input;
            }
        }
        report.corpus = corpus.len();
        if number % 1024 == 0 {
            progress(&report);
        }
    }
    report
}

/// Runs the target on one input; the message if it panics.
///
/// # Errors
/// The panic's message.
pub fn guarded(target: &dyn Target, input: &[u8], said: &mut Behaviour) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| target.run(input, said))).map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

/// Takes pieces out of a failing input as long as it still fails.
fn shrink(target: &dyn Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut tries = 0;
    let mut piece = input.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && tries < SHRINK_TRIES_MAX {
            tries += 1;
            let mut less = input.clone();
            less.drain(at..(at + piece).min(input.len()));
            if guarded(target, &less, &mut Behaviour::default()).is_err() {
                input = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics on a word that is in no seed and in no dictionary entry as a whole.
    struct Planted;

    impl Target for Planted {
        fn seeds(&self) -> Vec<Vec<u8>> {
            vec![b"hello world".to_vec()]
        }
        fn dictionary(&self) -> &'static [&'static [u8]] {
            &[b"ab", b"cd", b"ef", b"gh"]
        }
        fn run(&self, input: &[u8], said: &mut Behaviour) {
            let has = |word: &[u8]| input.windows(word.len()).any(|w| w == word);
            for word in ["ab", "abcd", "abcdef"] {
                if has(word.as_bytes()) {
                    said.note(word);
                }
            }
            assert!(!has(b"abcdefgh"), "planted");
        }
    }

    #[test]
    fn a_planted_panic_is_found_made_small_and_found_again_with_the_same_seed() {
        let find = || run(&Planted, 7, Until::Inputs(300_000), |_| {});
        let report = find();
        let crash = report.crash.expect("found");
        assert_eq!(crash.input, b"abcdefgh", "made as small as possible");
        assert_eq!(crash.message, "planted");
        assert_eq!(find().tried, report.tried, "the same seed tries the same inputs");
    }

    #[test]
    fn the_parser_and_the_machine_stand_a_little_of_it() {
        // Little, so that it is quick everywhere; `cargo xtask fuzz` does the real amount.
        let hooks = webhooks::Hooks::default();
        let targets = [("csv", &csv::Csv as &dyn Target), ("events", &events::Events), ("webhooks", &hooks)];
        for (name, target) in targets {
            let report = run(target, 1, Until::Inputs(500), |_| {});
            assert!(report.crash.is_none(), "{name}: {:?}", report.crash);
            assert!(report.words.len() > 20, "{name} does something: {:?}", report.words);
        }
    }

    #[test]
    fn without_guidance_the_planted_panic_is_not_found() {
        // What shows that keeping inputs with new behaviour is what finds it.
        struct Mute;
        impl Target for Mute {
            fn seeds(&self) -> Vec<Vec<u8>> {
                Planted.seeds()
            }
            fn dictionary(&self) -> &'static [&'static [u8]] {
                Planted.dictionary()
            }
            fn run(&self, input: &[u8], _: &mut Behaviour) {
                Planted.run(input, &mut Behaviour::default());
            }
        }
        assert!(run(&Mute, 7, Until::Inputs(300_000), |_| {}).crash.is_none());
    }
}
