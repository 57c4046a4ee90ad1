//! Running it: metrics, logs, health, shutdown, secrets on disk.

pub mod log;
pub mod metrics;
pub mod secrets;
