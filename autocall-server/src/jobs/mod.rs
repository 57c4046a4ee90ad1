//! Work in the background.

pub mod import;
pub mod upkeep;
