//! The fault simulator: several engines on one store, polled by hand in one thread.
//!
//! A crash is a future that is dropped where it waits; the wrapped store and carrier wait at
//! points that the seed chooses, before and after their effects. Webhooks are lost, doubled,
//! delayed and reordered; dials refused, in doubt, lost; look-ups wrong; nodes stall past a
//! permit's life and have wrong clocks; the store has outages. Then the world heals, and nothing
//! may be stuck. What must hold is in `check` and `ends`; what a broken engine would do is in [`Sabotage`],
//! and every one of those must be caught.

mod check;
mod deeds;
mod drive;
mod ends;
mod hub;
mod law;
mod sabotage;
mod scene;
mod shaky;

pub use drive::Stats;
pub use law::{judge, run_lawful};
pub use sabotage::Sabotage;

/// What was broken, at which seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: {what}\n  at {at}\n  again: cargo xtask soak faults --from {seed} --seeds 1{}", sabotage.map(|s| format!(" --sabotage {}", s.name())).unwrap_or_default())]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// The invariant, and by what it was broken.
    pub what: String,
    /// When, in simulated time.
    pub at: autocall_core::Timestamp,
    /// What was planted, if anything.
    pub sabotage: Option<Sabotage>,
}

/// Runs one seed to its end.
///
/// # Errors
/// The first invariant that is broken.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Stats, Broken> {
    drive::Drive::new(seed, sabotage).run()
}
