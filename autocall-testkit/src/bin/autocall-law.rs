//! `cargo xtask soak law`: the fault simulator with the rule packs on, every dial judged by the
//! independent checker. It says how far it got; go on from there with `--from`.

use autocall_testkit::{faults, need};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const USAGE: &str = "usage: autocall-law [--seeds N] [--from N] [--threads N]
  --seeds N    how many seeds (100000)
  --from N     the first seed (1); go on after a stop with the last number printed
  --threads N  seeds at a time (the number of cores)";

/// Seeds whose dials one checker judges.
const JUDGED_TOGETHER: u64 = 500;

struct Flags {
    seeds: u64,
    from: u64,
    threads: usize,
}

fn flags() -> Result<Flags, String> {
    let mut args = std::env::args().skip(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut flags = Flags { seeds: 100_000, from: 1, threads };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let number = value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a number\n{USAGE}"))?;
        match flag.as_str() {
            "--seeds" => flags.seeds = number,
            "--from" => flags.from = number,
            "--threads" => flags.threads = (number as usize).max(1),
            _ => return Err(format!("unknown flag {flag}\n{USAGE}")),
        }
    }
    Ok(flags)
}

/// What some seeds came to.
#[derive(Default)]
struct Batch {
    log: String,
    dials: u64,
    broken: Vec<String>,
}

fn batch(from: u64, to: u64, threads: usize) -> Batch {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Batch::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return;
            }
            let ran = faults::run_lawful(seed);
            let mut sum = sum.lock().expect("no seed panics while it holds the lock");
            match ran {
                Ok((_, lines)) => {
                    sum.dials += lines.len() as u64 - 1;
                    sum.log.push_str(&lines.join("\n"));
                    sum.log.push('\n');
                }
                Err(found) => sum.broken.push(found.to_string()),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    sum.into_inner().expect("no seed panics while it holds the lock")
}

fn run(flags: &Flags) -> Result<bool, String> {
    let python = need::python("the independent judge", "phonenumbers, tzdata").ok_or("there is no judge")?;
    let end = flags.from.saturating_add(flags.seeds);
    let (mut from, mut dials, mut broken) = (flags.from, 0u64, 0u64);
    while from < end {
        let to = end.min(from.saturating_add(JUDGED_TOGETHER));
        let batch = batch(from, to, flags.threads);
        batch.broken.iter().for_each(|what| println!("{what}"));
        broken += batch.broken.len() as u64;
        dials += batch.dials;
        let (fine, text) = faults::judge(&python, &batch.log).map_err(|e| format!("the judge: {e}"))?;
        if !fine {
            broken += 1;
            println!("seeds {from} to {}: the judge found violations\n{text}", to - 1);
        }
        println!("seed {}: {dials} dials judged, {broken} broken; go on with --from {to}", to - 1);
        from = to;
    }
    println!("{} seeds from {} under the law: {dials} dials judged, {broken} broken", flags.seeds, flags.from);
    Ok(broken == 0 && dials > 0)
}

fn main() -> ExitCode {
    match flags().and_then(|flags| run(&flags)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
