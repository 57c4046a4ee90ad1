//! The end: waiting for stragglers, and the one outcome, as a function of facts.

use super::amd::{self, Judgement};
use super::facts::{EndCause, LegFacts};
use super::handle::{RING_MIN, Stop};
use super::lines::LOOKS_MAX;
use super::{Call, Leg, Stage};
use crate::outcome::{Abandonment, Outcome};
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};

/// How long after the last leg ended late facts are still taken in. Callbacks of one call are
/// separate requests and overtake each other by a second or two.
pub(super) const GRACE: Millis = Millis::from_secs(3);

/// After this long in `Closing` the call is settled whatever its legs do.
const CLOSING_MAX: Millis = Millis::from_hours(3);

/// When a closing call can be settled, as things are; while a leg is still awaited, the latest instant.
pub(super) fn settle_at(call: &Call, since: Timestamp) -> Timestamp {
    let last = since + CLOSING_MAX;
    if !call.legs.iter().all(is_done) {
        return last;
    }
    if is_certain(call) { since } else { (since + GRACE).min(last) }
}

/// Whether the leg needs no more waiting.
fn is_done(leg: &Leg) -> bool {
    leg.is_gone() || leg.looks >= LOOKS_MAX
}

/// Whether no late fact could change the outcome: the customer's leg was never picked up, or the
/// conversation is already known.
fn is_certain(call: &Call) -> bool {
    let customer = &call.customer().facts;
    let never_answered = customer.end.is_some_and(|e| e.cause != EndCause::Completed) && !customer.is_answered();
    never_answered || call.customer().is_lost() || call.agent.is_some()
}

/// Every leg was told to end.
pub(super) fn closing(call: &mut Call, since: Timestamp, settings: &Settings, now: Timestamp) {
    if now >= settle_at(call, since) {
        let outcome = outcome(call, settings);
        call.stage = Stage::Settled { at: now, outcome };
    }
}

/// How the call ended, from its facts and the instants of our decisions.
fn outcome(call: &Call, settings: &Settings) -> Outcome {
    let facts = &call.customer().facts;
    if call.dropped_at.is_some() {
        // An agent knows a machine when they hear one.
        let played = facts.message_at.is_some() || facts.message_end_at.is_some();
        return if played { Outcome::VoicemailLeft } else { Outcome::Machine };
    }
    if has_met(call) {
        return Outcome::Connected;
    }
    if !facts.is_proven() {
        return Outcome::Lost;
    }
    if !facts.is_answered() {
        return unanswered(call, facts);
    }
    // Judged as of the end, long after every deadline: nothing is pending any more.
    match at_the_end(facts, settings) {
        Judgement::Machine { .. } if facts.message_at.is_some() || facts.message_end_at.is_some() => {
            Outcome::VoicemailLeft
        }
        Judgement::Machine { .. } => Outcome::Machine,
        Judgement::Fax => Outcome::Fax,
        _ if call.plan.agentless && (facts.message_at.is_some() || facts.message_end_at.is_some()) => {
            Outcome::MessagePlayed
        }
        _ => person(call, facts),
    }
}

/// Whether customer and agent were ever together: decided so, or shown by facts that came later.
fn has_met(call: &Call) -> bool {
    call.agent.is_some() || call.connected_at().is_some()
}

/// The judgement once everything is known.
pub(super) fn at_the_end(facts: &LegFacts, settings: &Settings) -> Judgement {
    amd::judge(facts, &settings.amd, Timestamp::NEVER)
}

fn unanswered(call: &Call, facts: &LegFacts) -> Outcome {
    let by_us = call.stopped.is_some();
    match facts.end.map(|e| e.cause) {
        Some(EndCause::Busy) => Outcome::Busy,
        Some(EndCause::InvalidNumber) => Outcome::InvalidNumber,
        Some(EndCause::Refused) => Outcome::RefusedByCarrier,
        Some(EndCause::Blocked) => Outcome::Blocked,
        Some(EndCause::Failed) => Outcome::Unreachable,
        Some(EndCause::NoAnswer) => Outcome::NoAnswer,
        // Let go by us after it had rung as long as a phone must: nobody answered.
        Some(EndCause::Canceled) if has_rung_long(facts) => Outcome::NoAnswer,
        // Taken back by us, or refused for the moment: nobody's phone was answered, none is blamed.
        Some(EndCause::Canceled) => Outcome::Canceled,
        _ if by_us => Outcome::Canceled,
        // Never heard of again: treat as rung.
        _ => Outcome::NoAnswer,
    }
}

/// Whether the phone rang for as long as one that nobody answers must.
fn has_rung_long(facts: &LegFacts) -> bool {
    facts.ringing_at.zip(facts.end).is_some_and(|(rang, end)| end.at >= rang + RING_MIN)
}

/// A person was there and met nobody.
fn person(call: &Call, facts: &LegFacts) -> Outcome {
    let left_at = facts.end.map_or(Timestamp::NEVER, |e| e.at);
    if let Some((stop, at)) = call.stopped
        && at <= left_at
        && matches!(stop, Stop::Listed | Stop::Campaign | Stop::Person)
    {
        return Outcome::Abandoned(Abandonment::Stopped);
    }
    if let Some(at) = call.gave_up_at
        && at <= left_at
    {
        return if call.passed.is_empty() {
            Outcome::Abandoned(Abandonment::NobodyFree)
        } else {
            Outcome::AgentUnavailable
        };
    }
    if call.legs.iter().skip(1).any(|leg| leg.dialled_at <= left_at && left_at < offer_end(leg)) {
        return Outcome::Abandoned(Abandonment::HungUpDuringOffer);
    }
    Outcome::Abandoned(Abandonment::HungUpWaiting)
}

/// When the offer on an agent's leg was over, by facts where there are any.
fn offer_end(leg: &Leg) -> Timestamp {
    let by_fact = [leg.facts.declined_at, leg.facts.end.map(|e| e.at)].into_iter().flatten().min();
    by_fact.or(leg.released_at).unwrap_or(Timestamp::NEVER)
}
