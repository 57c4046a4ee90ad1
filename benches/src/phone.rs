//! Telephone numbers: how many per second one core reads and prints.

use crate::probe::repeat;
use crate::{Measurement, Opts};
use autocall_core::Phone;
use std::fmt::Write as _;

/// Runs the bench.
///
/// # Panics
/// If a number was not read or was printed in full.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let count: u64 = opts.get("numbers", opts.pick(10_000, 200_000, 2_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let texts: Vec<String> = (0..count).map(|i| format!("+1415{:07}", i % 10_000_000)).collect();
    let sum: u64 = (0..count).map(|i| 14_150_000_000 + i % 10_000_000).sum();

    let read = repeat(
        opts.repeats,
        || (),
        |()| texts.iter().filter_map(|t| Phone::from_e164(t)).map(Phone::digits).sum::<u64>(),
        |got| assert_eq!(got, sum, "every number is read"),
    );
    let phones: Vec<Phone> = texts.iter().filter_map(|t| Phone::from_e164(t)).collect();
    let printed = repeat(
        opts.repeats,
        || String::with_capacity(16 * phones.len()),
        |mut out| {
            for phone in &phones {
                write!(out, "{phone}").expect("a string takes everything");
            }
            out
        },
        |out| assert_eq!(out.matches("•••").count() as u64, count, "every number is printed redacted"),
    );
    let rate = |seconds: f64| count as f64 / seconds;
    vec![
        Measurement::higher("phone", "E.164 text", "read_per_s", rate(read.median()), "numbers/s"),
        Measurement::higher("phone", "redacted", "printed_per_s", rate(printed.median()), "numbers/s"),
    ]
}
