//! `cargo xtask soak faults`: the fault simulator over many seeds. It writes down how far it got,
//! and goes on from there when it is started again.

use autocall_testkit::faults::{self, Sabotage, Stats};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const USAGE: &str = "usage: autocall-soak faults [--seeds N] [--from N] [--sabotage NAME] [--threads N] [--state FILE]
  --seeds N        how many seeds (100000)
  --from N         the first seed (1)
  --state FILE     where it is written how far the run got; a run of the same seeds that is started
                   again goes on from there (target/soak/faults.json, if all seeds are run)
  --sabotage NAME  plants a bug, which must be caught
  --threads N      seeds at a time (the number of cores)";

/// Seeds between two writings of the state.
const BLOCK: u64 = 200;
/// A run of fewer seeds keeps no state unless it is told where.
const LONG: u64 = 10_000;

struct Flags {
    seeds: u64,
    from: u64,
    sabotage: Option<Sabotage>,
    threads: usize,
    state: Option<PathBuf>,
}

fn flags() -> Result<Flags, String> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("faults") {
        return Err(USAGE.into());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut flags = Flags { seeds: 100_000, from: 1, sabotage: None, threads, state: None };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a number\n{USAGE}"));
        match flag.as_str() {
            "--seeds" => flags.seeds = number()?,
            "--from" => flags.from = number()?,
            "--threads" => flags.threads = (number()? as usize).max(1),
            "--state" => flags.state = Some(value.into()),
            "--sabotage" => {
                let names = || Sabotage::ALL.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
                flags.sabotage = Some(Sabotage::named(&value).ok_or_else(|| format!("no such sabotage: {}", names()))?);
            }
            _ => return Err(format!("unknown flag {flag}\n{USAGE}")),
        }
    }
    if flags.state.is_none() && flags.sabotage.is_none() && flags.seeds >= LONG {
        flags.state = Some("target/soak/faults.json".into());
    }
    Ok(flags)
}

/// How far a run got.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    from: u64,
    seeds: u64,
    /// The first seed that is not done.
    next: u64,
    broken: BTreeMap<u64, String>,
    did: Stats,
}

impl State {
    /// What was written down, if it is about the same seeds.
    fn load(flags: &Flags) -> State {
        let fresh = State { from: flags.from, seeds: flags.seeds, next: flags.from, ..State::default() };
        let read = flags.state.as_ref().and_then(|path| std::fs::read(path).ok());
        let read = read.and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        read.filter(|s| s.from == flags.from && s.seeds == flags.seeds).unwrap_or(fresh)
    }

    fn save(&self, flags: &Flags) -> Result<(), String> {
        let Some(path) = &flags.state else { return Ok(()) };
        let say = |e: std::io::Error| format!("{}: {e}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(say)?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|e| e.to_string())?;
        let beside = path.with_extension("new");
        std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).map_err(say)
    }
}

/// Runs seeds side by side.
fn block(seeds: std::ops::Range<u64>, flags: &Flags) -> (Stats, BTreeMap<u64, String>) {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((Stats::default(), BTreeMap::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let ran = faults::run(seed, flags.sabotage);
            let mut found = found.lock().expect("no seed panics while it holds the lock");
            match ran {
                Ok(stats) => found.0.add(&stats),
                Err(broken) => {
                    println!("{broken}");
                    found.1.insert(seed, broken.what);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..flags.threads {
            scope.spawn(work);
        }
    });
    found.into_inner().expect("no seed panics while it holds the lock")
}

fn run(flags: &Flags) -> Result<bool, String> {
    let mut state = State::load(flags);
    let end = flags.from.saturating_add(flags.seeds);
    if state.next > flags.from {
        println!("going on with seed {}", state.next);
    }
    let mut shown = std::time::Instant::now();
    while state.next < end {
        let until = (state.next + BLOCK).min(end);
        let (stats, broken) = block(state.next..until, flags);
        state.did.add(&stats);
        state.broken.extend(broken);
        state.next = until;
        state.save(flags)?;
        if shown.elapsed().as_secs() >= 10 {
            shown = std::time::Instant::now();
            println!("{} of {} seeds, {} broken", until - flags.from, flags.seeds, state.broken.len());
        }
    }
    println!("{} seeds from {}, {} broken; {:?}", flags.seeds, flags.from, state.broken.len(), state.did);
    Ok(state.broken.is_empty() == flags.sabotage.is_none())
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
