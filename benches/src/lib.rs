//! Benchmarks of autocall. Run one with `cargo xtask bench NAME [--short | --full] [--json FILE]`.
//!
//! To add a bench: write `src/NAME.rs` with `pub fn run(opts: &Opts) -> Vec<Measurement>`, name
//! the module below and add one line to [`registry::BENCHES`]. A bench asserts that the work it
//! timed was done: a fast loop over an empty table measures nothing.

pub mod dnc;
pub mod engine;
pub mod fuzz;
pub mod import;
pub mod lists;
pub mod opts;
pub mod pacing;
mod pacing_cost;
mod pacing_draw;
pub mod permission;
pub mod phone;
pub mod planning;
pub mod probe;
pub mod registry;
pub mod report;
pub mod server;
pub mod store;
pub mod twilio;

pub use opts::{Opts, Scale};
pub use probe::{Samples, Timed, time};
pub use report::{Better, Measurement};
