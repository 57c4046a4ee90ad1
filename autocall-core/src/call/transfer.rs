//! From a person on the line to a conversation: seek, offer, whisper, accept, bridge, next agent,
//! give up.
//!
//! On demand, the agent's phone is rung on a leg of its own, outside the room, so that an agent's
//! voicemail never meets a customer. Standing, the customer joins the room in which the agent's
//! leg already is.

use super::amd::Judgement;
use super::handle::Context;
use super::{Call, Leg, Press, Stage, onward, script};
use crate::agent::Hold;
use crate::id::AgentId;
use crate::script::Accept;
use crate::settings::{OnMachine, Settings, TransferMode};
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;

/// How long an agent who accepted has to appear in the room.
const JOIN_MAX: Millis = Millis::from_secs(12);

/// Legs of one call; an id never comes back, so the count is bounded.
pub(super) const LEGS_MAX: usize = 32;

/// Until when a person who waits is kept waiting.
pub(super) fn wait_until(settings: &Settings, since: Timestamp) -> Timestamp {
    since + Millis::from_ms(i64::from(settings.transfer.wait_ms_max))
}

/// A person is there and nobody has been asked yet, or the last one let it pass.
pub(super) fn seeking(call: &mut Call, since: Timestamp, ctx: &Context<'_>, now: Timestamp) {
    if call.customer().is_gone() || left_to_a_machine(call, ctx.settings, now) {
        return on_customer_lost(call, ctx.settings, now);
    }
    if call.passed.len() >= usize::from(ctx.settings.transfer.agents_max) || call.legs.len() >= LEGS_MAX {
        return call.give_up(ctx.settings, now);
    }
    if let Some(agent) = pick(call, ctx) {
        return offer(call, agent, now);
    }
    if now >= wait_until(ctx.settings, since) {
        call.give_up(ctx.settings, now);
    }
}

/// The first free agent who has not let this call pass and can take it in this mode.
fn pick(call: &Call, ctx: &Context<'_>) -> Option<AgentId> {
    let fits = |f: &&super::FreeAgent| {
        !is_past(call, f.agent)
            && (call.plan.mode == TransferMode::OnDemand || f.standing)
            && call.plan.for_agent.is_none_or(|wanted| wanted == f.agent || is_past(call, wanted))
    };
    ctx.free.iter().find(fits).map(|f| f.agent)
}

/// Whether an agent was asked and let it pass, or had the call and handed it on.
fn is_past(call: &Call, agent: AgentId) -> bool {
    call.passed.contains(&agent) || call.givers.contains(&agent)
}

fn offer(call: &mut Call, agent: AgentId, now: Timestamp) {
    let leg = match call.plan.mode {
        TransferMode::OnDemand => {
            let leg = call.legs.len() as u8;
            call.legs.push(Leg::new(Some(agent), now));
            Some(leg)
        }
        TransferMode::Standing => None,
    };
    call.stage = Stage::Offering { leg, agent, since: now };
}

/// Whether the detector changed its mind while the person had to wait.
fn left_to_a_machine(call: &Call, settings: &Settings, now: Timestamp) -> bool {
    // Whoever has talked to an agent is a person, whatever the detector makes of it.
    if call.agent.is_some() {
        return false;
    }
    match script::judgement(call, settings, now) {
        Judgement::Machine { .. } => settings.amd.machine != OnMachine::Connect,
        Judgement::Fax => settings.amd.fax != OnMachine::Connect,
        _ => false,
    }
}

/// The customer hung up, or turns out to be a machine.
fn on_customer_lost(call: &mut Call, settings: &Settings, now: Timestamp) {
    if call.customer().is_gone() {
        return call.close(now);
    }
    for leg in call.legs.iter_mut().skip(1) {
        leg.release(now);
    }
    let ready = matches!(script::judgement(call, settings, now), Judgement::Machine { ready: true });
    let policy = match script::judgement(call, settings, now) {
        Judgement::Fax => settings.amd.fax,
        _ => settings.amd.machine,
    };
    call.machine(policy, ready, settings, now);
    if !ready && !matches!(call.stage, Stage::Closing { .. }) {
        // The message waits for the end of the greeting; until then nobody is asked.
        call.stage = Stage::Dialing;
    }
}

/// Until when the offer stands as things are.
pub(super) fn offer_until(call: &Call, leg: Option<u8>, since: Timestamp, settings: &Settings) -> Timestamp {
    let transfer = &settings.transfer;
    let Some(leg) = leg.map(|l| &call.legs[usize::from(l)]) else {
        return since + JOIN_MAX;
    };
    let facts = &leg.facts;
    if let Some(press) = facts.accepted {
        return press.at + JOIN_MAX;
    }
    match facts.answer_at() {
        Some(at) if transfer.accept == Accept::Without => at + JOIN_MAX,
        Some(at) => at + Millis::from_ms(i64::from(transfer.accept_ms_max)),
        None => since + Millis::from_ms(i64::from(transfer.ring_ms_max)),
    }
}

/// An agent was asked.
pub(super) fn offering(
    call: &mut Call,
    leg: Option<u8>,
    agent: AgentId,
    since: Timestamp,
    settings: &Settings,
    now: Timestamp,
) {
    if call.customer().is_gone() {
        return call.close(now);
    }
    let met = match leg {
        Some(l) => call.legs[usize::from(l)].facts.joined_at.is_some(),
        None => call.customer().facts.met_standing(agent),
    };
    if met {
        call.agent = Some(agent);
        call.stage = Stage::Bridged { leg, agent, since: now };
        return;
    }
    if left_to_a_machine(call, settings, now) {
        return on_customer_lost(call, settings, now);
    }
    let Some(l) = leg else {
        if now >= since + JOIN_MAX {
            pass(call, agent, now);
        }
        return;
    };
    let it = &mut call.legs[usize::from(l)];
    if it.facts.accepted.is_none() && it.facts.is_answered() && it.clicked_at.is_some() {
        it.facts.accepted = Some(Press { at: now, key: Press::CONSOLE });
    }
    if it.is_gone() || it.facts.declined_at.is_some() || now >= offer_until(call, leg, since, settings) {
        call.legs[usize::from(l)].release(now);
        pass(call, agent, now);
    }
}

/// The agent let it pass: the person waits for the next one.
fn pass(call: &mut Call, agent: AgentId, now: Timestamp) {
    call.passed.push(agent);
    call.stage = Stage::Seeking { since: now };
}

/// They talk.
pub(super) fn bridged(
    call: &mut Call,
    leg: Option<u8>,
    agent: AgentId,
    since: Timestamp,
    settings: &Settings,
    now: Timestamp,
) {
    let customer = &call.customer().facts;
    let customer_left = customer.is_over() || (leg.is_none() && customer.left_standing(agent));
    let other = leg.map(|l| &call.legs[usize::from(l)]);
    let agent_left = other.is_some_and(Leg::is_gone);
    let never_came = other.is_some_and(|l| l.is_outside() && l.facts.joined_at.is_none());
    if agent_left && !customer_left {
        // An agent who hangs up on somebody whom they consult leaves the two together.
        if onward::hand_over(call, now) {
            return;
        }
        // The one to whom the customer was handed on never came.
        if never_came {
            return call.give_up(settings, now);
        }
    }
    let too_long = now >= since + Millis::from_ms(i64::from(settings.caps.call_ms_max));
    if customer_left || agent_left || too_long {
        call.close(now);
    }
}

/// The standing leg of an agent went away.
pub(super) fn agent_gone(call: &mut Call, agent: AgentId, now: Timestamp) {
    match call.stage {
        Stage::Offering { leg: None, agent: a, .. } if a == agent => pass(call, agent, now),
        // The one for whom the call was made: whoever answers does not wait for them.
        Stage::Dialing | Stage::Seeking { .. } if call.plan.for_agent == Some(agent) && !is_past(call, agent) => {
            call.passed.push(agent);
        }
        Stage::Bridged { leg: None, agent: a, .. } if a == agent => {
            let stays = onward::hand_over(call, now);
            if !stays {
                call.close(now);
            }
        }
        _ => {}
    }
}

/// The agents whom a call holds: the one who is asked or talks, and one whom that one consults.
pub(super) type Held = SmallVec<[(AgentId, Hold); 2]>;

/// Whom the call holds, and how far it has got with them.
pub(super) fn held(call: &Call) -> Held {
    let consulted = onward::consulted(call).and_then(|l| call.legs[usize::from(l)].agent);
    taking(call).into_iter().chain(consulted.map(|agent| (agent, Hold::Talking))).collect()
}

/// The agent who is asked or talks.
fn taking(call: &Call) -> Option<(AgentId, Hold)> {
    match call.stage {
        Stage::Offering { leg: Some(leg), agent, .. } => {
            let facts = &call.legs[usize::from(leg)].facts;
            let rings = facts.ringing_at.is_some() || facts.is_answered();
            Some((agent, if rings { Hold::Ringing } else { Hold::Reserved }))
        }
        Stage::Offering { leg: None, agent, .. } => Some((agent, Hold::Reserved)),
        // Handed on to somebody outside: the agent is free.
        Stage::Bridged { leg: Some(l), .. } if call.legs[usize::from(l)].is_outside() => None,
        Stage::Bridged { agent, .. } => Some((agent, Hold::Talking)),
        Stage::Dialing | Stage::Seeking { .. } => {
            let reserved = call.plan.for_agent.filter(|agent| !is_past(call, *agent))?;
            Some((reserved, Hold::Reserved))
        }
        _ => None,
    }
}
