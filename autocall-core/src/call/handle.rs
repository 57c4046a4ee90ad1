//! Events in, effects out.

use super::amd::Judgement;
use super::facts::{EndCause, LegFacts};
use super::record::Sentence;
use super::{Call, Effect, Effects, Stage, Told, onward, script, settle, transfer};
use crate::agent::AgentEvent;
use crate::id::AgentId;
use crate::script::MessageKind;
use crate::settings::{OnMachine, Settings};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// Why we stop a call ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The number was put on a do-not-call list: end it, whatever it is doing.
    Listed,
    /// The campaign was ended by hand: end it unless somebody is being attended to, by an agent or
    /// by a message.
    Campaign,
    /// Nobody will be free for it: let go of a phone that has rung long enough.
    Pacing,
    /// An agent or supervisor hung up.
    Person,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The carrier told us something about a leg.
    Facts {
        /// Which leg.
        leg: u8,
        /// What.
        facts: LegFacts,
    },
    /// The carrier asks what the leg should hear; the answer is its script.
    Asked {
        /// Which leg.
        leg: u8,
        /// What it told us by asking.
        facts: LegFacts,
    },
    /// A look-up did not find the leg.
    NotFound {
        /// Which leg.
        leg: u8,
    },
    /// An agent said yes or no in the console.
    Answered {
        /// Who.
        agent: AgentId,
        /// Yes or no.
        accept: bool,
    },
    /// The standing leg of the agent who holds the call is gone.
    AgentGone {
        /// Who.
        agent: AgentId,
    },
    /// The agent who talks hands the customer on, or brings somebody in to ask them first.
    HandOn(super::Onward),
    /// The agent leaves the customer and the one whom they consulted together.
    HandOver,
    /// The agent found a machine on the line: it gets the voicemail message, and the agent is free.
    DropVoicemail,
    /// End it.
    Stop(Stop),
    /// Time has passed, or agents came free.
    Tick,
}

/// An agent who could take a call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeAgent {
    /// Who.
    pub agent: AgentId,
    /// Whether a standing leg of theirs is up.
    pub standing: bool,
}

/// What the machine may read besides its own state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The campaign's settings.
    pub settings: &'a Settings,
    /// Agents who could take the call, in the order in which they should be asked.
    pub free: &'a [FreeAgent],
}

/// Longest time a message plays before the leg is ended anyway.
const MESSAGE_MAX: Millis = Millis::from_secs(180);

/// A ringing phone is never let go earlier, counted from the carrier's ringing event
/// (16 CFR 310.4(b)(4)(ii): fifteen seconds or four rings).
pub(super) const RING_MIN: Millis = Millis::from_secs(15);

/// How often a person who waits looks for a free agent by themselves. Whoever comes free looks for
/// them as well; this finds the one whom a crash kept from doing so.
const SEEK_EVERY: Millis = Millis::from_secs(1);

/// Steps of one event; more than any event needs.
const STEPS_MAX: usize = 16;

impl Call {
    /// Takes an event in and says what must be done. Total: any event in any state is fine.
    pub fn handle(&mut self, event: &Event, ctx: &Context<'_>, now: Timestamp) -> Effects {
        let mut effects = Effects::new();
        if self.is_settled() {
            return effects;
        }
        let before = Before::of(self);
        self.learn(event, ctx.settings, now);
        for _ in 0..STEPS_MAX {
            if !self.step(ctx, now) {
                break;
            }
        }
        if let Event::Asked { leg, .. } = event {
            self.told_now(*leg, ctx.settings, now);
        }
        before.changes(self, ctx.settings, &mut effects);
        self.follow_up(ctx.settings, now, &mut effects);
        effects
    }

    /// Takes in what the event says; decides nothing but what the event itself commands.
    fn learn(&mut self, event: &Event, settings: &Settings, now: Timestamp) {
        match event {
            Event::Facts { leg, facts } | Event::Asked { leg, facts } => {
                if let Some(it) = self.legs.get_mut(usize::from(*leg)) {
                    it.facts.merge(facts);
                }
            }
            Event::NotFound { leg } => self.not_found(*leg),
            Event::Answered { agent, accept } => self.answered(*agent, *accept, now),
            Event::AgentGone { agent } => transfer::agent_gone(self, *agent, now),
            Event::HandOn(onward) => onward::hand_on(self, onward, now),
            Event::HandOver => {
                onward::hand_over(self, now);
            }
            Event::DropVoicemail => onward::drop_voicemail(self, settings, now),
            Event::Stop(stop) => self.stop(*stop, settings, now),
            Event::Tick => {}
        }
    }

    fn not_found(&mut self, leg: u8) {
        if let Some(it) = self.legs.get_mut(usize::from(leg))
            && !it.facts.is_proven()
        {
            it.negatives = it.negatives.saturating_add(1);
        }
    }

    /// A click in the console counts for the leg on which the agent is being asked.
    fn answered(&mut self, agent: AgentId, accept: bool, now: Timestamp) {
        let Stage::Offering { leg: Some(leg), agent: asked, .. } = self.stage else { return };
        if asked != agent {
            return;
        }
        let leg = &mut self.legs[usize::from(leg)];
        if accept {
            leg.clicked_at.get_or_insert(now);
        } else {
            leg.facts.merge(&LegFacts { declined_at: Some(now), ..LegFacts::default() });
        }
    }

    /// Decides whether the command to stop applies, and remembers the first that did.
    fn stop(&mut self, stop: Stop, settings: &Settings, now: Timestamp) {
        // A listing overrides an earlier, milder stop.
        let listed = stop == Stop::Listed && !matches!(self.stopped, Some((Stop::Listed, _)));
        if self.stopped.is_some() && !listed {
            return;
        }
        let unanswered = !self.customer().facts.is_answered();
        let attended = matches!(self.stage, Stage::Bridged { .. } | Stage::Offering { .. } | Stage::Message { .. });
        if unanswered && stop != Stop::Listed && self.rings_short(now) {
            // Whoever picks up meanwhile is a person on the line, and no longer stopped.
            if stop != Stop::Pacing {
                self.stopping = Some(stop);
            }
            return;
        }
        let applies = match stop {
            Stop::Listed | Stop::Person => true,
            Stop::Campaign => !attended,
            Stop::Pacing => unanswered && self.customer().facts.ringing_at.is_some(),
        };
        if !applies {
            return;
        }
        self.stopped = Some((stop, now));
        let waiting = matches!(self.stage, Stage::Seeking { .. });
        if waiting && stop == Stop::Campaign {
            self.give_up(settings, now);
        } else {
            self.close(now);
        }
    }

    /// Whether the customer's phone rings, and has not rung long enough to be let go.
    fn rings_short(&self, now: Timestamp) -> bool {
        self.customer().facts.ringing_at.is_some_and(|at| now < at + RING_MIN)
    }

    /// One decision. Returns whether another may follow at once.
    fn step(&mut self, ctx: &Context<'_>, now: Timestamp) -> bool {
        let before = self.stage;
        match self.stage {
            Stage::Dialing => self.dialing(ctx.settings, now),
            Stage::Seeking { since } => transfer::seeking(self, since, ctx, now),
            Stage::Offering { leg, agent, since } => transfer::offering(self, leg, agent, since, ctx.settings, now),
            Stage::Bridged { leg, agent, since } => transfer::bridged(self, leg, agent, since, ctx.settings, now),
            Stage::Message { since, .. } => self.message(since, now),
            Stage::Closing { since } => settle::closing(self, since, ctx.settings, now),
            Stage::Settled { .. } => {}
        }
        self.stage != before
    }

    /// From the dial to the judgement on who answered.
    fn dialing(&mut self, settings: &Settings, now: Timestamp) {
        if self.customer().is_gone() || self.silent_at().is_some_and(|at| now >= at) {
            return self.close(now);
        }
        match script::judgement(self, settings, now) {
            Judgement::Unanswered => {
                if let Some(stop) = self.stopping.filter(|_| !self.rings_short(now)) {
                    self.stop(stop, settings, now);
                }
            }
            Judgement::Listening { .. } => {}
            Judgement::Person if self.plan.agentless => self.speak(MessageKind::Agentless, settings, now),
            Judgement::Person => self.seek(now),
            Judgement::Machine { ready } => self.machine(settings.amd.machine, ready, settings, now),
            Judgement::Fax => self.machine(settings.amd.fax, true, settings, now),
        }
    }

    /// A person is there: an agent is sought from now on.
    fn seek(&mut self, now: Timestamp) {
        self.person_at.get_or_insert(now);
        self.stage = Stage::Seeking { since: now };
    }

    /// A machine is there, and the policy says what to do.
    pub(super) fn machine(&mut self, policy: OnMachine, ready: bool, settings: &Settings, now: Timestamp) {
        match policy {
            OnMachine::Connect if !self.plan.agentless => self.seek(now),
            OnMachine::LeaveMessage if settings.voicemail.is_some() && self.plan.voicemail_allowed => {
                if ready {
                    self.speak(MessageKind::Voicemail, settings, now);
                }
            }
            _ => self.close(now),
        }
    }

    /// Nobody can attend to the person: the abandonment message where there may be one, or the end.
    pub(super) fn give_up(&mut self, settings: &Settings, now: Timestamp) {
        // Whoever has talked to an agent and was handed on is not abandoned.
        if self.agent.is_none() {
            self.gave_up_at.get_or_insert(now);
        }
        self.speak(MessageKind::Abandonment, settings, now);
    }

    /// Plays a message if there is one and a recorded voice may speak to this person; else ends.
    fn speak(&mut self, kind: MessageKind, settings: &Settings, now: Timestamp) {
        let may_play = match kind {
            MessageKind::Voicemail => settings.voicemail.is_some() && self.plan.voicemail_allowed,
            MessageKind::Abandonment => settings.abandonment.is_some() && self.plan.abandonment_allowed,
            // An agentless call is allowed as such, or not dialled at all.
            MessageKind::Agentless => settings.message.is_some(),
        };
        if may_play {
            self.stage = Stage::Message { kind, since: now };
        } else {
            self.close(now);
        }
    }

    fn message(&mut self, since: Timestamp, now: Timestamp) {
        let facts = &self.customer().facts;
        let heard = facts.message_end_at.is_some() || facts.opted_out_at.is_some();
        if facts.is_over() || heard || now >= since + MESSAGE_MAX {
            self.close(now);
        }
    }

    /// Tells every leg to end, and the agent that it is over.
    pub(super) fn close(&mut self, now: Timestamp) {
        for leg in &mut self.legs {
            leg.release(now);
        }
        self.stage = Stage::Closing { since: now };
    }

    /// Remembers that the leg has just been given its script.
    fn told_now(&mut self, leg: u8, settings: &Settings, now: Timestamp) {
        let what = script::sentence(self, leg, settings);
        let host = self.host(what);
        if let Some(it) = self.legs.get_mut(usize::from(leg)) {
            it.told = Some(Told { what, host, at: now, asked: true, repeats: 0 });
            if matches!(what, Sentence::Message(_)) {
                // The carrier has the message in hand: it plays.
                it.facts.merge(&LegFacts { message_at: Some(now), ..LegFacts::default() });
            }
        }
    }

    /// The next instant at which something must happen without a new event; `NEVER` once settled.
    pub fn wake_at(&self, settings: &Settings, now: Timestamp) -> Timestamp {
        let stage = match self.stage {
            Stage::Dialing => {
                let facts = &self.customer().facts;
                let judged = super::amd::next_look(facts, &settings.amd, now);
                let stopping = self.stopping.and(facts.ringing_at).filter(|_| !facts.is_answered());
                let stopping = stopping.map(|at| at + RING_MIN);
                [judged, stopping, self.silent_at()].into_iter().flatten().min().unwrap_or(Timestamp::NEVER)
            }
            Stage::Seeking { since } => transfer::wait_until(settings, since).min(now + SEEK_EVERY),
            Stage::Offering { leg, since, .. } => transfer::offer_until(self, leg, since, settings),
            Stage::Bridged { since, .. } => since + Millis::from_ms(i64::from(settings.caps.call_ms_max)),
            Stage::Message { since, .. } => since + MESSAGE_MAX,
            Stage::Closing { since } => settle::settle_at(self, since),
            Stage::Settled { .. } => return Timestamp::NEVER,
        };
        (0..self.legs.len()).fold(stage, |at, leg| at.min(self.leg_wake_at(leg, settings)))
    }
}

/// What effects are derived from: the state before the event.
struct Before {
    held: transfer::Held,
    legs: usize,
    passed: usize,
    opted_out: bool,
}

impl Before {
    fn of(call: &Call) -> Before {
        Before {
            held: transfer::held(call),
            legs: call.legs.len(),
            passed: call.passed.len(),
            opted_out: call.customer().facts.opted_out_at.is_some(),
        }
    }

    /// Says what has changed since. Agents first: the engine reserves before it dials.
    fn changes(&self, call: &Call, settings: &Settings, effects: &mut Effects) {
        let held = transfer::held(call);
        for &(agent, _) in self.held.iter().filter(|(a, _)| !held.iter().any(|h| h.0 == *a)) {
            let talked = call.agent == Some(agent) || call.givers.contains(&agent);
            let wrap_up_ms = if talked { settings.transfer.wrap_up_ms } else { 0 };
            let missed = call.passed[self.passed..].contains(&agent) && was_heard(call, agent);
            effects.push(Effect::Agent { agent, event: AgentEvent::Release { call: call.id, missed, wrap_up_ms } });
        }
        for &(agent, hold) in held.iter().filter(|h| !self.held.contains(h)) {
            effects.push(Effect::Agent { agent, event: AgentEvent::Hold { call: call.id, hold } });
        }
        for leg in self.legs..call.legs.len() {
            match (&call.legs[leg].to, call.legs[leg].agent) {
                (Some(_), _) => effects.push(Effect::Bring { leg: leg as u8 }),
                (None, Some(agent)) => effects.push(Effect::Offer { leg: leg as u8, agent }),
                (None, None) => {}
            }
        }
        if !self.opted_out && call.customer().facts.opted_out_at.is_some() {
            effects.push(Effect::OptOut);
        }
        if let Some(outcome) = call.outcome() {
            effects.push(Effect::Settle { outcome });
        }
    }
}

/// Whether the offer reached the agent: their phone rang, or they said no. One that the carrier
/// refused, or that a crash kept from leaving, is not theirs to have missed.
fn was_heard(call: &Call, agent: AgentId) -> bool {
    let asked = call.legs.iter().rev().find(|leg| leg.agent == Some(agent));
    asked.is_some_and(|leg| {
        let facts = &leg.facts;
        let by_end = facts.end.is_some_and(|e| matches!(e.cause, EndCause::NoAnswer | EndCause::Busy));
        facts.ringing_at.is_some() || facts.is_answered() || facts.declined_at.is_some() || by_end
    })
}
