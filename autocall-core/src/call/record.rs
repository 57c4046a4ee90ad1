//! What is left of a call: the record that reports, feeds and people read. And what a call counts
//! for while it lives.

use super::amd::Judgement;
use super::{Call, Stage, settle};
use crate::id::{AgentId, CallId, CampaignId, LeadId};
use crate::outcome::Outcome;
use crate::phone::Phone;
use crate::script::MessageKind;
use crate::settings::{AmdMode, Settings};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a leg is told, in brief: the script without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentence {
    /// Stay on the line.
    Wait,
    /// Be in the call's own room.
    JoinCall,
    /// Be in the room where the agent stands.
    JoinAgent,
    /// Listen and accept.
    Whisper,
    /// Hear a message.
    Message(MessageKind),
    /// End.
    Hangup,
}

impl Sentence {
    /// Whether it is about being in a room.
    pub fn is_join(self) -> bool {
        matches!(self, Sentence::JoinCall | Sentence::JoinAgent)
    }
}

/// What a call counts for in its campaign while it lives. Sums of these are the campaign's
/// in-flight figures; they are committed as differences, so they cannot drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    /// Customer legs that may ring somebody or be picked up.
    pub dialing: i32,
    /// People who wait for an agent.
    pub waiting: i32,
    /// People who wait while an agent is asked.
    pub offering: i32,
    /// Conversations.
    pub bridged: i32,
    /// Messages being heard.
    pub message: i32,
    /// Calls whose legs are ending.
    pub closing: i32,
}

impl Load {
    /// Customer legs that occupy a line.
    pub fn lines(&self) -> i32 {
        self.dialing + self.waiting + self.offering + self.bridged + self.message
    }
    /// Lines that are free, of so many.
    pub fn room(&self, lines_max: u32) -> u32 {
        lines_max.saturating_sub(self.lines().max(0) as u32)
    }
    /// Calls that live.
    pub fn live(&self) -> i32 {
        self.lines() + self.closing
    }
    /// Adds `other`, `times` over.
    pub fn add(&mut self, other: &Load, times: i32) {
        self.dialing += other.dialing * times;
        self.waiting += other.waiting * times;
        self.offering += other.offering * times;
        self.bridged += other.bridged * times;
        self.message += other.message * times;
        self.closing += other.closing * times;
    }
}

/// What is known of a settled call. One per call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which call.
    pub call: CallId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// To which lead.
    pub lead: LeadId,
    /// Which attempt.
    pub attempt: u16,
    /// The number called.
    pub to: Phone,
    /// The number shown.
    pub from: Phone,
    /// Class of lead, for pacing.
    pub class: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Who took it.
    pub agent: Option<AgentId>,
    /// Agents who let it pass.
    pub passed: u8,
    /// When the dial was committed.
    pub dialled_at: Timestamp,
    /// When it rang at the far end.
    pub ringing_at: Option<Timestamp>,
    /// When it was picked up.
    pub answered_at: Option<Timestamp>,
    /// When the detector spoke.
    pub verdict_at: Option<Timestamp>,
    /// When the greeting ended.
    pub greeting_end_at: Option<Timestamp>,
    /// When customer and agent met.
    pub connected_at: Option<Timestamp>,
    /// When the person was given up.
    pub gave_up_at: Option<Timestamp>,
    /// When a message began to play.
    pub message_at: Option<Timestamp>,
    /// When the customer's leg was over.
    pub ended_at: Timestamp,
    /// When the record was made.
    pub settled_at: Timestamp,
    /// The carrier's name of the customer's leg.
    pub provider: Option<super::ProviderRef>,
    /// Why the call was allowed, as decided before it.
    pub evidence: Option<std::sync::Arc<str>>,
}

impl Record {
    /// Time from the greeting's end (or the answer, where nobody reported it) to the agent, in
    /// milliseconds; what two-second rules count.
    pub fn wait_ms(&self) -> Option<i64> {
        let from = self.greeting_end_at.or(self.verdict_at).or(self.answered_at)?;
        Some((self.connected_at? - from).ms().max(0))
    }
    /// Time that customer and agent talked, milliseconds.
    pub fn talk_ms(&self) -> i64 {
        self.connected_at.map_or(0, |at| (self.ended_at - at).ms().max(0))
    }
}

impl Call {
    /// What the call counts for now.
    pub fn load(&self) -> Load {
        let mut load = Load::default();
        match self.stage {
            Stage::Dialing => load.dialing = 1,
            Stage::Seeking { .. } => load.waiting = 1,
            Stage::Offering { .. } => load.offering = 1,
            Stage::Bridged { .. } => load.bridged = 1,
            Stage::Message { .. } => load.message = 1,
            Stage::Closing { .. } => load.closing = 1,
            Stage::Settled { .. } => {}
        }
        load
    }

    /// When customer and agent met, by facts. Whoever comes into the room after the customer has
    /// left meets nobody.
    pub fn connected_at(&self) -> Option<Timestamp> {
        let customer = &self.customer().facts;
        let agent_leg = self.legs.iter().skip(1).filter_map(|l| l.facts.joined_at).min();
        let met = [agent_leg, customer.joined_agent_at].into_iter().flatten().min()?;
        // The agent may be in first, never the other way round in a gated room.
        let met = customer.joined_at.map_or(met, |c| c.max(met));
        let in_time = customer.end.is_none_or(|end| met <= end.at);
        (in_time || self.agent.is_some()).then_some(met)
    }

    /// The record of a settled call; `None` while it lives.
    pub fn record(&self) -> Option<Record> {
        let Stage::Settled { at, outcome } = self.stage else { return None };
        let facts = &self.customer().facts;
        Some(Record {
            call: self.id,
            campaign: self.plan.campaign,
            lead: self.plan.lead,
            attempt: self.plan.attempt,
            to: self.plan.to,
            from: self.plan.from,
            class: self.plan.class,
            outcome,
            agent: self.agent,
            passed: self.passed.len() as u8,
            dialled_at: self.created_at,
            ringing_at: facts.ringing_at,
            answered_at: facts.answer_at(),
            verdict_at: facts.verdict.map(|v| v.1),
            greeting_end_at: facts.greeting_end_at,
            connected_at: self.connected_at(),
            gave_up_at: self.gave_up_at,
            message_at: facts.message_at,
            ended_at: facts.end.map_or(at, |e| e.at),
            settled_at: at,
            provider: facts.provider.clone(),
            evidence: self.plan.evidence.clone(),
        })
    }

    /// Whether a person is known to have answered, as far as facts go now; the denominator of the
    /// abandonment rate grows with it.
    pub fn person_answered(&self, settings: &Settings) -> bool {
        let facts = &self.customer().facts;
        if !facts.is_answered() {
            return false;
        }
        if facts.verdict.is_none() && settings.amd.mode != AmdMode::Off && !facts.is_over() && self.person_at.is_none()
        {
            return false;
        }
        matches!(settle::at_the_end(facts, settings), Judgement::Person)
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn loads_add_up_state_by_state() {
        let one = Load { dialing: 1, waiting: 2, offering: 3, bridged: 4, message: 5, closing: 6 };
        let mut sum = one;
        sum.add(&one, 2);
        assert_eq!(sum, Load { dialing: 3, waiting: 6, offering: 9, bridged: 12, message: 15, closing: 18 });
        sum.add(&one, -3);
        assert_eq!(sum, Load::default());
        assert_eq!((one.lines(), one.live(), one.room(20), one.room(3)), (15, 21, 5, 0));
    }
}
