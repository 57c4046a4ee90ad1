//! The fault simulator over many seeds, and proof that it would notice.

use autocall_testkit::faults::{self, Sabotage, Stats};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds of the ordinary test run; `cargo xtask soak faults` takes more.
const SEEDS: u64 = 2_000;

#[test]
fn no_invariant_breaks_over_two_thousand_seeds() {
    let next = AtomicU64::new(1);
    let (broken, sum) = (Mutex::new(Vec::new()), Mutex::new(Stats::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Ordering::Relaxed)
                    && seed <= SEEDS
                {
                    match faults::run(seed, None) {
                        Ok(stats) => sum.lock().unwrap_or_else(PoisonError::into_inner).add(&stats),
                        Err(found) => broken.lock().unwrap_or_else(PoisonError::into_inner).push(found.to_string()),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        broken.is_empty(),
        "{} seeds broken, for example\n{}",
        broken.len(),
        broken[..broken.len().min(3)].join("\n")
    );
    // A simulator in which nothing happens proves nothing.
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        sum.placed > 10 * SEEDS && sum.connected > SEEDS && sum.dropped > SEEDS && sum.crashes > SEEDS / 10,
        "{sum:?}"
    );
}

#[test]
fn every_sabotage_is_caught_within_the_same_seeds() {
    let mut missed = Vec::new();
    for &sabotage in Sabotage::ALL {
        match (1..=SEEDS).find_map(|seed| faults::run(seed, Some(sabotage)).err()) {
            Some(found) => println!("{}: {found}", sabotage.name()),
            None => missed.push(sabotage.name()),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn the_documentation_names_every_planted_bug() {
    let page = include_str!("../../docs/proof.md");
    let missing: Vec<_> = Sabotage::ALL.iter().filter(|s| !page.contains(&format!("`{}`", s.name()))).collect();
    assert!(missing.is_empty(), "docs/proof.md does not name {missing:?}");
}

#[test]
fn one_seed_is_one_run() {
    for seed in 1..=5 {
        assert_eq!(faults::run(seed, None), faults::run(seed, None));
    }
}
