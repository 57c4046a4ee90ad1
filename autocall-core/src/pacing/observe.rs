//! What a pacer learns from: facts about calls and agents that have come to their end.
//!
//! Observations only sharpen estimates. Losing, repeating or reordering a few is harmless; what
//! must be exact is in the ledger.

use super::Class;
use crate::Millis;

/// One fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// A dial came to its end, or was let go.
    Dial {
        /// The lead's class.
        class: Class,
        /// How it ended.
        result: DialResult,
        /// From the dial to the pick-up, by a person or a machine; `None` if nobody picked up.
        picked_up_after: Option<Millis>,
        /// From the dial to the moment that pacing feels: a person is ready to be given to an
        /// agent (detection included), a machine is recognised, or the line is free again.
        after: Millis,
    },
    /// An agent's talk ended.
    Talk {
        /// The lead's class.
        class: Class,
        /// From bridge to end.
        took: Millis,
    },
    /// An agent's wrap-up ended.
    WrapUp {
        /// From end of talk to free.
        took: Millis,
    },
    /// An agent was asked to take a person: from ring or join to the bridge.
    Connect {
        /// How long it took, or how long it was tried.
        took: Millis,
        /// The agent accepted.
        accepted: bool,
    },
}

/// How a dial ended, for pacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialResult {
    /// A person who needs an agent.
    Person,
    /// Anything else: machine, fax, no answer, busy, refused, failed.
    Nobody,
    /// Cut short by us: counts as exposure only.
    Censored,
}
