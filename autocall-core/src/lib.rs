//! The pure core of autocall: machines, pacing, permission, and the engine that runs them.
//!
//! Machine modules are synchronous and total: `handle(state, event, now) -> effects`. They read
//! no clock, no dice and no socket. Port modules are the traits an embedder implements; the
//! engine knows both.

pub mod agent;
pub mod call;
pub mod campaign;
pub mod cost;
pub mod engine;
pub mod id;
pub mod import;
pub mod lead;
pub mod memory;
pub mod outcome;
pub mod pacing;
pub mod permission;
pub mod phone;
pub mod planning;
pub mod ports;
pub mod priority;
pub mod private;
pub mod script;
pub mod settings;
pub mod time;
pub mod zones;

pub use id::{AgentId, CallId, CampaignId, Id, LeadId, LegId, PoolId, TenantId};
pub use outcome::Outcome;
pub use phone::{Country, Phone};
pub use priority::Priority;
pub use private::Private;
pub use time::{Millis, Timestamp};
