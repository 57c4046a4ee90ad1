//! The carriers that a server can be composed with.

pub mod fence;
pub mod simulated;
pub mod twilio;
