//! `cargo xtask soak faults`: the fault simulator over many seeds, resumable.

use autocall_testkit::faults::{self, Sabotage, Stats};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

const USAGE: &str = "usage: autocall-soak faults [--seeds N] [--from N] [--sabotage NAME] [--threads N]
  --seeds N        how many seeds (100000)
  --from N         the first seed (1); go on after a stop with the last number printed
  --sabotage NAME  plants a bug, which must be caught
  --threads N      seeds at a time (the number of cores)";

struct Flags {
    seeds: u64,
    from: u64,
    sabotage: Option<Sabotage>,
    threads: usize,
}

fn flags() -> Result<Flags, String> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("faults") {
        return Err(USAGE.into());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut flags = Flags { seeds: 100_000, from: 1, sabotage: None, threads };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a number\n{USAGE}"));
        match flag.as_str() {
            "--seeds" => flags.seeds = number()?,
            "--from" => flags.from = number()?,
            "--threads" => flags.threads = (number()? as usize).max(1),
            "--sabotage" => {
                let names = || Sabotage::ALL.map(Sabotage::name).join(", ");
                flags.sabotage = Some(Sabotage::named(&value).ok_or_else(|| format!("no such sabotage: {}", names()))?);
            }
            _ => return Err(format!("unknown flag {flag}\n{USAGE}")),
        }
    }
    Ok(flags)
}

fn main() -> ExitCode {
    let flags = match flags() {
        Ok(flags) => flags,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let next = AtomicU64::new(flags.from);
    let end = flags.from.saturating_add(flags.seeds);
    let (broken, sum) = (Mutex::new(Vec::new()), Mutex::new(Stats::default()));
    std::thread::scope(|scope| {
        for _ in 0..flags.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    match faults::run(seed, flags.sabotage) {
                        Ok(stats) => sum.lock().unwrap_or_else(PoisonError::into_inner).add(&stats),
                        Err(found) => {
                            println!("{found}");
                            broken.lock().unwrap_or_else(PoisonError::into_inner).push(seed);
                        }
                    }
                    if seed.is_multiple_of(1_000) {
                        println!("seed {seed}: go on with --from {seed}");
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{} seeds from {}, {} broken; {sum:?}", flags.seeds, flags.from, broken.len());
    if broken.is_empty() == flags.sabotage.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
