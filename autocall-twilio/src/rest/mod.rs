//! The carrier's REST interface: requests, answers, and what errors mean.
//!
//! There is no idempotency key for creating a call. So only a 429 ("never processed") is retried;
//! a timeout, a reset and a 5xx leave the fate of a create unknown ([`Fault::Doubt`]), and the
//! caller looks the call up instead.

mod calls;
mod client;
mod conferences;
mod error;
mod recordings;
mod resources;

pub use calls::CreateCall;
pub use client::{Client, Jitter, Limits};
pub use conferences::{AddParticipant, ChangeParticipant};
pub use error::{Blame, Fault};
pub use recordings::RecordingState;
pub use resources::{
    CallEvent, CallResource, ConferenceResource, Page, ParticipantResource, RecordingResource, instant,
};

#[cfg(test)]
mod tests;
