//! What a pacer is told: counted facts, borrowed, without names or numbers.

use super::{DayKey, Ledger};
use crate::Timestamp;

/// The class of a lead: a small number that the campaign gives to leads which answer alike
/// (list, hour of day, line type). Classes at or above [`CLASSES_MAX`] share the last one.
pub type Class = u16;

/// How many classes are learned separately.
pub const CLASSES_MAX: usize = 16;

/// Everything counted that a plan needs, at one instant.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The agents who serve this campaign, shared ones included. Agents who are away or offline
    /// are not listed.
    pub agents: &'a [AgentView],
    /// Calls dialled and not yet bridged, given up or ended: ringing, being classified, or
    /// answered and waiting for an agent. Bridged calls are counted through their agents.
    pub calls: &'a [CallView],
    /// The classes of the leads that would be dialled next, in order; may be shorter than the
    /// plan, or empty when unknown.
    pub next_classes: &'a [Class],
    /// What may be used at all.
    pub limits: Limits,
    /// The campaign's abandonment ledger as last committed.
    pub ledger: &'a Ledger,
    /// The day it is in the campaign's own zone: [`DayKey::at`] of the same instant.
    pub day: DayKey,
    /// How agents are reached.
    pub transfer: Transfer,
}

/// One agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentView {
    /// What the agent is doing.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// The part of this agent that the pool promises to this campaign, in percent: 100 for an
    /// agent of its own, less where several campaigns share one.
    pub share_pct: u8,
}

/// What an agent is doing, as far as pacing cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Free to take a person now.
    Idle,
    /// Held for one particular call (reserved on-demand dial, preview, callback).
    Reserved,
    /// The agent's own phone rings, or the whisper plays.
    Ringing,
    /// Talking with a person.
    Talking,
    /// Writing up the last call.
    WrapUp,
    /// Leaves when the present call ends, or asked for a break: brings no more supply.
    Leaving,
}

/// One call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallView {
    /// The lead's class.
    pub class: Class,
    /// When the carrier was asked to dial.
    pub dialed_at: Timestamp,
    /// When it first rang, where the carrier says so.
    pub ringing_at: Option<Timestamp>,
    /// When it was picked up, by a person or a machine.
    pub answered_at: Option<Timestamp>,
    /// When it was found to be a person with nobody free: the call waits since then.
    pub waiting_since: Option<Timestamp>,
    /// An agent is reserved for this very call, so it is never at risk.
    pub agent_reserved: bool,
}

impl CallView {
    /// A call dialled at `dialed_at`, of which nothing more is known.
    pub fn dialed(class: Class, dialed_at: Timestamp) -> Self {
        CallView { class, dialed_at, ringing_at: None, answered_at: None, waiting_since: None, agent_reserved: false }
    }
    /// A person answered and no agent has taken the call.
    pub fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }
}

/// What may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// False outside calling hours, while paused, or without permission: plan nothing.
    pub may_dial: bool,
    /// Lines still free under every cap (campaign, tenant, carrier).
    pub free_lines: u32,
    /// Dials that the leased calls-per-second slice allows right now.
    pub dials_now: u32,
    /// The leased rate, dials per second times 1000; 0 means that no rate is known.
    pub dials_per_s_milli: u32,
    /// Leads left to dial now; `None` when the list is long.
    pub leads_left: Option<u32>,
    /// Seconds until calling closes; `None` where that is not known.
    pub open_for_s: Option<u32>,
    /// Free agents whom the pool's row promises to this campaign; `None` when all its agents are
    /// its own.
    pub promised_idle: Option<u32>,
    /// Measured delay between an event at the carrier and our knowledge of it, milliseconds.
    pub event_lag_ms: u32,
}

impl Limits {
    /// No limit but the list and the agents.
    pub fn open() -> Self {
        Limits {
            may_dial: true,
            free_lines: u32::MAX,
            dials_now: u32::MAX,
            dials_per_s_milli: 0,
            leads_left: None,
            open_for_s: None,
            promised_idle: None,
            event_lag_ms: 0,
        }
    }
    /// The most calls that may be dialled at this instant, whatever a strategy wishes.
    pub fn dial_max(&self) -> u32 {
        if !self.may_dial {
            return 0;
        }
        self.free_lines.min(self.dials_now).min(self.leads_left.unwrap_or(u32::MAX))
    }
}

/// How an answered person reaches an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// Agents are parked on a line for the shift; a person joins at once.
    #[default]
    Standing,
    /// The agent's phone is rung, a whisper plays, the agent accepts: one agent is reserved for
    /// each dial, since nobody can be connected within the legal deadline otherwise.
    OnDemand,
}

impl View<'_> {
    /// Free agents whom this campaign may count on, after the pool's promise.
    pub fn idle(&self) -> u32 {
        let n = self.agents.iter().filter(|a| a.phase == Phase::Idle).count() as u32;
        n.min(self.limits.promised_idle.unwrap_or(u32::MAX))
    }
    /// Calls that will need an agent who is not reserved for them: in flight or waiting.
    pub fn open_calls(&self) -> u32 {
        self.calls.iter().filter(|c| !c.agent_reserved).count() as u32
    }
    /// People answered and waiting for an agent.
    pub fn waiting(&self) -> u32 {
        self.calls.iter().filter(|c| c.is_waiting() && !c.agent_reserved).count() as u32
    }
    /// Calls that may still bring a person who needs an agent.
    pub fn in_flight(&self) -> u32 {
        self.open_calls() - self.waiting()
    }
}
