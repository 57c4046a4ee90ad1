//! Live events: a snapshot, then deltas, resumable by cursor.
//!
//! Events only wake and show; whoever must be exact reads the outcome feed. A reader that falls
//! behind is not waited for: it gets a fresh snapshot.

pub mod hub;
#[cfg(feature = "nats")]
pub mod nats;
pub mod relay;
pub mod socket;
pub mod stream;
pub mod watch;
