//! From one conversation to the next: an agent hands the customer on to another agent or to
//! somebody outside, at once or after asking them.
//!
//! Blind, the agent is let go and the customer waits in the call's own room: for another agent as
//! in any offer, for somebody outside until they come or do not. Consulting, somebody is dialled
//! to where the agent is, and the agent leaves when they like. The customer is never let go
//! because the agent went first.

use super::{Call, Leg, Stage, transfer};
use crate::agent::Address;
use crate::id::AgentId;
use crate::script::MessageKind;
use crate::settings::Settings;
use crate::time::Timestamp;

/// To whom a customer is handed on, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum Onward {
    /// To another agent of ours, blind: they are offered the call like any other.
    Agent {
        /// Whom.
        agent: AgentId,
        /// Whether a standing leg of theirs is up: then the customer goes to them at once.
        standing: bool,
    },
    /// To somebody outside, blind.
    Outside(Address),
    /// Somebody is brought in to talk to the agent first: one of ours, or not.
    Consult {
        /// Whom to dial.
        to: Address,
        /// Who that is, if an agent of ours.
        agent: Option<AgentId>,
    },
}

/// Whether an agent of ours talks, nobody is being consulted, and there is room for a leg.
pub(super) fn can_hand_on(call: &Call) -> bool {
    let Stage::Bridged { leg, .. } = call.stage else { return false };
    let ours = leg.is_none_or(|l| !call.legs[usize::from(l)].is_outside());
    ours && consulted(call).is_none() && call.legs.len() < transfer::LEGS_MAX && !call.customer().is_gone()
}

/// Somebody whom the agent consults, and who is not gone.
pub(super) fn consulted(call: &Call) -> Option<u8> {
    let Stage::Bridged { leg: with, .. } = call.stage else { return None };
    let asked = |(i, l): (usize, &Leg)| {
        let i = i as u8;
        (l.to.is_some() && with != Some(i) && l.released_at.is_none() && !l.is_gone()).then_some(i)
    };
    call.legs.iter().enumerate().rev().find_map(asked)
}

/// Hands the customer on, or brings somebody in. Nothing happens where that cannot be.
pub(super) fn hand_on(call: &mut Call, onward: &Onward, now: Timestamp) {
    let Stage::Bridged { leg: from, agent: giver, .. } = call.stage else { return };
    if !can_hand_on(call) {
        return;
    }
    match onward {
        Onward::Agent { agent, standing } if *agent != giver => {
            let leg = (!standing).then(|| add(call, Some(*agent), None, now));
            leave(call, from, giver, now);
            call.stage = Stage::Offering { leg, agent: *agent, since: now };
        }
        Onward::Agent { .. } => {}
        Onward::Outside(to) => {
            let leg = add(call, None, Some(to.clone()), now);
            leave(call, from, giver, now);
            call.stage = Stage::Bridged { leg: Some(leg), agent: giver, since: now };
        }
        Onward::Consult { to, agent } if *agent != Some(giver) => {
            add(call, *agent, Some(to.clone()), now);
        }
        Onward::Consult { .. } => {}
    }
}

/// Leaves the customer and the one who is consulted together. `false` if there is nobody.
pub(super) fn hand_over(call: &mut Call, now: Timestamp) -> bool {
    let (Stage::Bridged { leg: from, agent: giver, .. }, Some(leg)) = (call.stage, consulted(call)) else {
        return false;
    };
    if call.customer().is_gone() {
        return false;
    }
    leave(call, from, giver, now);
    let agent = call.legs[usize::from(leg)].agent;
    if agent.is_some() {
        call.agent = agent;
    }
    call.stage = Stage::Bridged { leg: Some(leg), agent: agent.unwrap_or(giver), since: now };
    true
}

/// The agent leaves a machine to the voicemail message. Nothing happens where there is none.
pub(super) fn drop_voicemail(call: &mut Call, settings: &Settings, now: Timestamp) {
    let Stage::Bridged { leg, agent, .. } = call.stage else { return };
    let outside = leg.is_some_and(|l| call.legs[usize::from(l)].is_outside());
    if outside || settings.voicemail.is_none() || call.customer().is_gone() {
        return;
    }
    for leg in call.legs.iter_mut().skip(1) {
        leg.release(now);
    }
    call.givers.push(agent);
    call.dropped_at = Some(now);
    call.stage = Stage::Message { kind: MessageKind::Voicemail, since: now };
}

/// The agent who gave the call away is let go, and not asked again. One who stands goes on
/// standing.
fn leave(call: &mut Call, leg: Option<u8>, agent: AgentId, now: Timestamp) {
    if let Some(leg) = leg {
        call.legs[usize::from(leg)].release(now);
    }
    call.givers.push(agent);
}

fn add(call: &mut Call, agent: Option<AgentId>, to: Option<Address>, now: Timestamp) -> u8 {
    let leg = call.legs.len() as u8;
    call.legs.push(Leg { to, ..Leg::new(agent, now) });
    leg
}
