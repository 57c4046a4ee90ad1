//! The Call machine: one attempt at one lead.
//!
//! A call is facts and decisions. Facts ([`facts`]) are what the carrier told us about each leg;
//! they only merge. Decisions (the stage, the offers) are ours; [`Call::handle`] makes them. What
//! a leg should be hearing is a projection of both ([`Call::script`]), and so is when to look
//! again ([`Call::wake_at`]).

pub mod amd;
pub mod facts;
mod handle;
mod lines;
mod onward;
mod record;
mod script;
mod settle;
mod transfer;

pub use facts::{End, EndCause, LegFacts, Press, ProviderRef, Verdict};
pub use handle::{Context, Event, FreeAgent, Stop};
pub use onward::Onward;
pub use record::{Load, Record, Sentence};

use crate::agent::{Address, AgentEvent};
use crate::id::{AgentId, CallId, CampaignId, LeadId, LegId};
use crate::outcome::Outcome;
use crate::phone::Phone;
use crate::private::Private;
use crate::script::{MessageKind, RecordingMode, Script};
use crate::settings::TransferMode;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::sync::Arc;

/// How long a permit to dial lives. The first look-up comes later than this, so whoever still
/// holds the permit by then finds it dead.
pub const PERMIT_TTL: Millis = Millis::from_secs(10);

/// How many spaced negative look-ups make an unproven leg lost.
pub const NEGATIVES_MAX: u8 = 3;

/// What was decided before the call began. Never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallPlan {
    /// The campaign.
    pub campaign: CampaignId,
    /// The lead.
    pub lead: LeadId,
    /// The person, as they were known when the call was allowed.
    pub person_key: u64,
    /// What it is about: with the person, whose guard remembers the call.
    pub subject: Arc<str>,
    /// Which attempt at the lead this is, from 1.
    pub attempt: u16,
    /// The number to call.
    pub to: Phone,
    /// Which of the lead's numbers that is.
    pub number_index: u8,
    /// The number shown.
    pub from: Phone,
    /// The carrier account that pays.
    pub account: Arc<str>,
    /// The class of lead for which pacing keeps statistics apart.
    pub class: u16,
    /// What the agent is told in the whisper.
    pub name: Private,
    /// How a person gets to an agent.
    pub mode: TransferMode,
    /// No agents: the message is the call.
    pub agentless: bool,
    /// Whether a recorded message may be left on a machine.
    pub voicemail_allowed: bool,
    /// Whether a recorded message may be played to a person who is given up.
    pub abandonment_allowed: bool,
    /// The agent who is reserved for the call from the dial on: preview, or a callback of theirs.
    /// Others are asked only when this one let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_agent: Option<AgentId>,
    /// Longest ring, milliseconds.
    pub ring_ms_max: u32,
    /// How it is recorded: what the campaign asks for, or more where the person's law does.
    #[serde(default)]
    pub recording: RecordingMode,
    /// What the law asks of a recording, whether there is to be one or not.
    #[serde(default = "consent")]
    pub recording_needs: RecordingMode,
    /// The quotas that it may come to count for, by name.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub quotas: SmallVec<[Arc<str>; 1]>,
    /// Why the call was allowed, as stored with the attempt (JSON).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Arc<str>>,
}

/// Of a call about which nothing is known: the strictest.
fn consent() -> RecordingMode {
    RecordingMode::Consent
}

impl CallPlan {
    /// Whether an agent may start a recording in the middle of the talk: where the law asks for no
    /// more than what the person was told when they were put through. Nobody records who was asked
    /// and may have said no.
    pub fn may_record_now(&self) -> bool {
        self.recording < RecordingMode::Consent && self.recording_needs <= self.recording
    }
}

/// What a leg was last told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What.
    pub what: Sentence,
    /// To whose room it was sent, where it was to join a standing agent. Absent in what was written
    /// before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<AgentId>,
    /// When last.
    pub at: Timestamp,
    /// It asked and got this for an answer: nothing needs to show that it arrived.
    #[serde(default)]
    pub asked: bool,
    /// How often it has been repeated since facts failed to show it.
    pub repeats: u8,
}

/// One leg: what is known, and what was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// What the carrier told us.
    pub facts: LegFacts,
    /// The agent to whom the call is offered on this leg; `None` is the customer.
    pub agent: Option<AgentId>,
    /// Somebody whom an agent brings into the call: whom to dial. Without [`Leg::agent`] they are
    /// no agent of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// When the leg was committed to be dialled.
    pub dialled_at: Timestamp,
    /// When we decided that it should end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// When the agent said yes in the console; counts once their phone is picked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clicked_at: Option<Timestamp>,
    /// What it was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Look-ups that did not find it.
    #[serde(default)]
    pub negatives: u8,
    /// Look-ups asked for.
    #[serde(default)]
    pub looks: u16,
    /// When the last look-up was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
}

impl Leg {
    fn new(agent: Option<AgentId>, dialled_at: Timestamp) -> Leg {
        Leg {
            facts: LegFacts::default(),
            agent,
            to: None,
            dialled_at,
            released_at: None,
            clicked_at: None,
            told: None,
            negatives: 0,
            looks: 0,
            looked_at: None,
        }
    }
    /// Whether nothing more can happen on it: over, or proven absent as far as that goes.
    pub fn is_gone(&self) -> bool {
        self.facts.is_over() || self.is_lost()
    }
    /// Whether it belongs to somebody who is no agent of ours, brought in by one.
    pub fn is_outside(&self) -> bool {
        self.to.is_some() && self.agent.is_none()
    }
    /// Whether it was never seen, in so many look-ups.
    pub fn is_lost(&self) -> bool {
        !self.facts.is_proven() && self.negatives >= NEGATIVES_MAX
    }
    fn release(&mut self, now: Timestamp) {
        if self.released_at.is_none() && !self.is_gone() {
            self.released_at = Some(now);
        }
    }
}

/// What we decided to do with the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// The customer's leg is on its way, rings, or is being listened to by the detector.
    Dialing,
    /// A person is there; an agent is sought.
    Seeking {
        /// Since when.
        since: Timestamp,
    },
    /// An agent was picked and is being rung, whispered to, or joined.
    Offering {
        /// The agent's leg; `None` where the agent's standing room is joined.
        leg: Option<u8>,
        /// Who.
        agent: AgentId,
        /// Since when.
        since: Timestamp,
    },
    /// Customer and agent talk; or the agent has handed the customer on to somebody outside, who
    /// is being rung or talks ([`Leg::is_outside`]).
    Bridged {
        /// The agent's leg; `None` where the agent stands.
        leg: Option<u8>,
        /// Who.
        agent: AgentId,
        /// Since when.
        since: Timestamp,
    },
    /// The customer hears a message.
    Message {
        /// Which.
        kind: MessageKind,
        /// Since when.
        since: Timestamp,
    },
    /// Every leg is told to end; stragglers and late facts are awaited.
    Closing {
        /// Since when.
        since: Timestamp,
    },
    /// Over, with one outcome. Nothing changes any more.
    Settled {
        /// When.
        at: Timestamp,
        /// How it ended.
        outcome: Outcome,
    },
}

impl Stage {
    /// A stable name, as stored and shown.
    pub fn name(&self) -> &'static str {
        match self {
            Stage::Dialing => "dialing",
            Stage::Seeking { .. } => "seeking",
            Stage::Offering { .. } => "offering",
            Stage::Bridged { .. } => "bridged",
            Stage::Message { .. } => "message",
            Stage::Closing { .. } => "closing",
            Stage::Settled { .. } => "settled",
        }
    }
}

/// One attempt at one lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which call.
    pub id: CallId,
    /// What was decided before it began.
    pub plan: Arc<CallPlan>,
    /// When the dial was committed.
    pub created_at: Timestamp,
    /// What we decided.
    pub stage: Stage,
    /// The legs; the first is the customer's.
    pub legs: SmallVec<[Leg; 2]>,
    /// Agents who let the call pass.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub passed: SmallVec<[AgentId; 3]>,
    /// Agents who talked and handed the call on.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub givers: SmallVec<[AgentId; 1]>,
    /// When an agent found a machine on the line and left it to the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_at: Option<Timestamp>,
    /// When a person was first known to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_at: Option<Timestamp>,
    /// The agent who got the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// When the person was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up_at: Option<Timestamp>,
    /// Why we stopped the call ourselves, if we did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<(Stop, Timestamp)>,
    /// A stop that waits until the phone has rung long enough to be let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stop>,
    /// What somebody found who listened to a call that was taken for a machine: true, a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<bool>,
}

/// What the engine must do. Exhaustive on purpose.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Dial an agent. The leg exists from now on; the commit mints its permit.
    Offer {
        /// The new leg.
        leg: u8,
        /// Whom.
        agent: AgentId,
    },
    /// Dial somebody whom an agent brings in ([`Leg::to`]). The leg exists from now on; the commit
    /// mints its permit.
    Bring {
        /// The new leg.
        leg: u8,
    },
    /// Tell an agent's own machine.
    Agent {
        /// Whom.
        agent: AgentId,
        /// What.
        event: AgentEvent,
    },
    /// Make the carrier follow the leg's script.
    Steer {
        /// Which leg.
        leg: u8,
    },
    /// Ask the carrier what it knows of a leg.
    LookUp {
        /// Which leg.
        leg: u8,
    },
    /// The person asked not to be called again: list the number.
    OptOut,
    /// The call is over; settle the lead, the guards and the record.
    Settle {
        /// How it ended.
        outcome: Outcome,
    },
}

/// The effects of one event, in order.
pub type Effects = SmallVec<[Effect; 4]>;

impl Call {
    /// A call whose dial has just been decided.
    pub fn new(id: CallId, plan: Arc<CallPlan>, now: Timestamp) -> Call {
        let mut legs = SmallVec::new();
        legs.push(Leg::new(None, now));
        Call {
            id,
            plan,
            created_at: now,
            stage: Stage::Dialing,
            legs,
            passed: SmallVec::new(),
            givers: SmallVec::new(),
            dropped_at: None,
            person_at: None,
            agent: None,
            gave_up_at: None,
            stopped: None,
            stopping: None,
            reviewed: None,
        }
    }
    /// The customer's leg.
    pub fn customer(&self) -> &Leg {
        &self.legs[0]
    }
    /// The id of a leg of this call.
    pub fn leg_id(&self, leg: u8) -> LegId {
        LegId { call: self.id, leg }
    }
    /// Whether the call is over.
    pub fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Settled { .. })
    }
    /// How it ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Settled { outcome, .. } => Some(outcome),
            _ => None,
        }
    }
    /// The agent whom the call holds at this moment.
    pub fn holds(&self) -> Option<AgentId> {
        transfer::held(self).first().map(|(agent, _)| *agent)
    }
    /// Whether the agent who talks can hand the customer on, or bring somebody in.
    pub fn can_hand_on(&self) -> bool {
        onward::can_hand_on(self)
    }
    /// The leg of somebody whom the agent consults at this moment.
    pub fn consulted(&self) -> Option<u8> {
        onward::consulted(self)
    }
    /// What `leg` should be hearing; [`Script::Hangup`] for a leg that the call does not have.
    pub fn script(&self, leg: u8, settings: &crate::settings::Settings) -> Script {
        script::script(self, leg, settings)
    }
}
