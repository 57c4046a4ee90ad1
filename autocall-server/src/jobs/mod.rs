//! Work in the background.

pub mod import;
pub mod refile;
pub mod upkeep;
