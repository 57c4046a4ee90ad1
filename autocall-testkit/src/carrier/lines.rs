//! One line at the carrier: its facts, who is at its end, and what it is doing.

use super::desk::Mood;
use crate::people::Pickup;
use autocall_core::call::{LegFacts, ProviderRef};
use autocall_core::ports::{Dial, Line};
use autocall_core::script::{Role, Room, Script};
use autocall_core::{Phone, Timestamp};

/// A call that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which line.
    pub line: Line,
    /// The number, for a customer's leg.
    pub to: Option<Phone>,
    /// When the request came in.
    pub at: Timestamp,
    /// The carrier's name of it.
    pub provider: ProviderRef,
    /// When it was over; none while it lives.
    pub ended_at: Option<Timestamp>,
    /// When the line could first be steered: the carrier had named it to us, or it was answered.
    pub rang_at: Option<Timestamp>,
}

/// How far a line has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the carrier's queue, or being set up.
    Queued,
    /// Rings.
    Ringing,
    /// Picked up.
    Up,
    /// Over.
    Over,
}

/// Who is at the end of a line.
#[derive(Clone, Debug)]
pub(super) enum Party {
    /// Somebody who was called.
    Customer(Pickup),
    /// An agent.
    Agent(Mood),
}

/// One line.
#[derive(Debug)]
pub(super) struct Leg {
    /// What was asked for.
    pub(super) dial: Dial,
    /// Its place in the log.
    pub(super) log: usize,
    /// Who is there.
    pub(super) party: Party,
    /// How far it has got.
    pub(super) phase: Phase,
    /// What has happened.
    pub(super) facts: LegFacts,
    /// What it hears.
    pub(super) script: Option<Script>,
    /// In which room it is.
    pub(super) room: Option<(Room, Role)>,
    /// Advances with everything that it is told, so that older plans lapse.
    pub(super) turn: u32,
    /// In conversation since.
    pub(super) talks_since: Option<Timestamp>,
    /// The one conversation that its person had in them is over.
    pub(super) has_talked: bool,
}

impl Leg {
    /// Whether it can be heard.
    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }
    /// A report that names the line and says one more thing.
    pub(super) fn say(&self, more: LegFacts) -> LegFacts {
        LegFacts { provider: self.facts.provider.clone(), ..more }
    }
}
