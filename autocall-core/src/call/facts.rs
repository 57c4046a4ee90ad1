//! What the carrier told us about a leg. Facts only ever merge.
//!
//! Merging is the join of a semilattice: commutative, associative, idempotent. So webhooks that
//! come twice, late or out of order do no harm.

use crate::id::AgentId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The carrier's own name of a leg (Twilio: the CallSid). Opaque.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderRef(pub Arc<str>);

impl From<&str> for ProviderRef {
    fn from(s: &str) -> Self {
        ProviderRef(s.into())
    }
}

/// What answering-machine detection heard. Ordered by what is believed when two verdicts
/// contradict each other: taking a person for a machine is the dearer mistake, so `Human` wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The detector could not tell.
    Unclear,
    /// A fax or modem tone.
    Fax,
    /// A machine; its greeting is still running.
    MachineGreeting,
    /// A machine whose greeting is over, without a beep.
    MachineEnded,
    /// A machine, after its beep.
    MachineBeep,
    /// A person.
    Human,
}

/// Why a leg is over. Ordered: on contradiction the greater one, which says more, is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// We took it back before it was answered.
    Canceled,
    /// It could not be set up; the network or the far end failed.
    Failed,
    /// It rang out.
    NoAnswer,
    /// Busy.
    Busy,
    /// No such number.
    InvalidNumber,
    /// The carrier would not place it: account, caller id or geographic permission.
    Refused,
    /// Blocked for this number.
    Blocked,
    /// It was answered, and is over.
    Completed,
}

/// The end of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub cause: EndCause,
    /// When.
    pub at: Timestamp,
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Press {
    /// When.
    pub at: Timestamp,
    /// Which key: `0`–`9`, `*`, `#`; `!` for a click in the console.
    pub key: char,
}

impl Press {
    /// The key that stands for a click in the console.
    pub const CONSOLE: char = '!';
}

/// All that is known of one leg. `Default` is "nothing".
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LegFacts {
    /// The carrier's name of the leg: it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderRef>,
    /// It rang at the far end (the earliest report).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ringing_at: Option<Timestamp>,
    /// It was picked up (the earliest report).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// What answered, and when the detector said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<(Verdict, Timestamp)>,
    /// When the greeting ended, where the carrier reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_end_at: Option<Timestamp>,
    /// The agent's answer to an offer: the earliest key press or click that accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Press>,
    /// The agent said no, or listened to the end without a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declined_at: Option<Timestamp>,
    /// It entered the room (the earliest report).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamp>,
    /// It entered the room in which an agent stands (the earliest report).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_agent_at: Option<Timestamp>,
    /// It left the agent's room (the latest report). Leaving a waiting room is not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
    /// Whose room it entered last, where the carrier says: a call that is handed on from one
    /// standing agent to the next is in two of them, one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<(Timestamp, AgentId)>,
    /// Whose room it left last, where the carrier says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<(Timestamp, AgentId)>,
    /// A message began to play.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_at: Option<Timestamp>,
    /// A message played to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_end_at: Option<Timestamp>,
    /// The person pressed the opt-out key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opted_out_at: Option<Timestamp>,
    /// It is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// The smaller of two, where nothing is greater than anything.
fn earliest<T: Ord + Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
    if let Some(t) = theirs
        && mine.as_ref().is_none_or(|m| t < m)
    {
        *mine = Some(t.clone());
    }
}

/// The greater of two, where nothing is smaller than anything.
fn latest<T: Ord + Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
    if let Some(t) = theirs
        && mine.as_ref().is_none_or(|m| t > m)
    {
        *mine = Some(t.clone());
    }
}

impl LegFacts {
    /// Learns everything that `other` knows.
    pub fn merge(&mut self, other: &LegFacts) {
        earliest(&mut self.provider, &other.provider);
        earliest(&mut self.ringing_at, &other.ringing_at);
        earliest(&mut self.answered_at, &other.answered_at);
        merge_verdict(&mut self.verdict, other.verdict);
        earliest(&mut self.greeting_end_at, &other.greeting_end_at);
        earliest(&mut self.accepted, &other.accepted);
        earliest(&mut self.declined_at, &other.declined_at);
        earliest(&mut self.joined_at, &other.joined_at);
        earliest(&mut self.joined_agent_at, &other.joined_agent_at);
        latest(&mut self.left_at, &other.left_at);
        latest(&mut self.guest, &other.guest);
        latest(&mut self.left, &other.left);
        earliest(&mut self.message_at, &other.message_at);
        earliest(&mut self.message_end_at, &other.message_end_at);
        earliest(&mut self.opted_out_at, &other.opted_out_at);
        merge_end(&mut self.end, other.end);
    }
    /// Whether anything at all proves that the carrier knows this leg.
    pub fn is_proven(&self) -> bool {
        *self != LegFacts::default()
    }
    /// Whether the leg was picked up, said or implied (a room, a key, a verdict, a completed end
    /// all mean that somebody or something answered).
    pub fn is_answered(&self) -> bool {
        self.answered_at.is_some()
            || self.verdict.is_some()
            || self.joined_at.is_some()
            || self.joined_agent_at.is_some()
            || self.accepted.is_some()
            || self.message_at.is_some()
            || self.end.is_some_and(|e| e.cause == EndCause::Completed)
    }
    /// When it was picked up, as well as is known.
    pub fn answer_at(&self) -> Option<Timestamp> {
        self.answered_at
            .or(self.joined_at)
            .or(self.joined_agent_at)
            .or(self.verdict.map(|v| v.1))
            .or(self.accepted.map(|p| p.at))
            .or(self.message_at)
            .or(self.end.filter(|e| e.cause == EndCause::Completed).map(|e| e.at))
    }
    /// Whether it came into the room in which this agent stands.
    pub fn met_standing(&self, agent: AgentId) -> bool {
        self.guest.map_or(self.joined_agent_at.is_some(), |(_, a)| a == agent)
    }
    /// Whether it left the room in which this agent stands.
    pub fn left_standing(&self, agent: AgentId) -> bool {
        self.left.map_or(self.left_at.is_some(), |(_, a)| a == agent)
    }
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }
    /// Whether it is picked up and not over: it can be steered.
    pub fn is_up(&self) -> bool {
        self.is_answered() && !self.is_over()
    }
}

/// The stronger verdict; of equal ones the earlier.
fn merge_verdict(mine: &mut Option<(Verdict, Timestamp)>, theirs: Option<(Verdict, Timestamp)>) {
    let Some((class, at)) = theirs else { return };
    let better = mine.is_none_or(|(m, m_at)| class > m || (class == m && at < m_at));
    if better {
        *mine = Some((class, at));
    }
}

/// The end that says more; of equal ones the earlier.
fn merge_end(mine: &mut Option<End>, theirs: Option<End>) {
    let Some(end) = theirs else { return };
    let better = mine.is_none_or(|m| end.cause > m.cause || (end.cause == m.cause && end.at < m.at));
    if better {
        *mine = Some(end);
    }
}
