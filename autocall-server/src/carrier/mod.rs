//! The carriers that a server can be composed with.

pub mod accounts;
pub mod fence;
pub mod rates;
pub mod simulated;
pub mod twilio;
