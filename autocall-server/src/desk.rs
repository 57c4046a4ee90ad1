//! What can be done to a call that runs, beyond the core's own steps: hold, listen in, pause a
//! recording. Each carrier does what it can.

use crate::http::problem::{Answer, Problem};
use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::call::Call;
use autocall_core::ports::catalog::Recording;

/// What a supervisor does in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Hears both, is heard by none.
    Monitor,
    /// Hears both, is heard by the agent.
    Coach,
    /// Hears both, is heard by both.
    Barge,
}

/// What an agent does in their call.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Puts the customer on hold, or takes them back.
    Hold(bool),
    /// Mutes themselves, or not.
    Mute(bool),
    /// Keeps the room going when the agent leaves it in a moment: a comfort, not a condition.
    KeepRoom,
    /// Starts, pauses (or goes on with) or stops the recording.
    Recording(Tape),
    /// A supervisor joins.
    Join {
        /// Their telephone, SIP address or client.
        at: Address,
        /// How.
        presence: Presence,
    },
}

/// What happens to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tape {
    /// It begins.
    Start,
    /// It waits.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Stop,
}

/// A carrier's hands.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Does it, or says why not.
    async fn step(&self, call: &Call, step: &Step) -> Answer<()>;
    /// The sound of a recording and its media type.
    async fn listen(&self, recording: &Recording) -> Answer<(axum::body::Body, String)>;
    /// Deletes a recording where it lies.
    async fn delete(&self, recording: &Recording) -> Answer<()>;
}

/// The desk of a carrier that has no hands: simulated people.
pub struct NoDesk;

#[async_trait]
impl Desk for NoDesk {
    async fn step(&self, _call: &Call, step: &Step) -> Answer<()> {
        Err(Problem::not_by_carrier(match step {
            Step::Hold(_) => "put people on hold",
            Step::Mute(_) => "mute agents",
            Step::KeepRoom => "keep a room",
            Step::Recording(_) => "record",
            Step::Join { .. } => "let others join",
        }))
    }
    async fn listen(&self, _recording: &Recording) -> Answer<(axum::body::Body, String)> {
        Err(Problem::not_by_carrier("play recordings"))
    }
    async fn delete(&self, _recording: &Recording) -> Answer<()> {
        Ok(())
    }
}
