//! The autocall reference server: an HTTP API, live events and reports around the core.
//!
//! Thin on purpose: routes translate, the crates decide. Integrators read it as the example of how
//! the crates are composed; the console is its first client.

pub mod app;
pub mod carrier;
pub mod cli;
pub mod commands;
pub mod config;
pub mod desk;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod lawbook;
pub mod listen;
pub mod live;
pub mod node;
pub mod ops;
pub mod outbound;
pub mod routes;
pub mod simulate;
pub mod trial;
pub mod views;
