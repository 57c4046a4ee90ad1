//! The pacing laboratory: worlds under virtual time that drive the library's own pacer.
//!
//! Nothing here paces: the simulation calls [`autocall_core::pacing::Strategy`] as the engine
//! does, keeps the ledger as the engine does, and measures. [`optimum`] solves the exponential
//! world exactly.

pub mod baselines;
pub mod grid;
pub mod law;
pub mod optimum;
pub mod scenario;
pub mod sim;
pub mod stats;

pub use scenario::Scenario;
pub use sim::Lab;
pub use stats::{Day, Stats};
