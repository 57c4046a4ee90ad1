//! What must hold.

use super::hub::Hub;
use super::scene::Scene;
use crate::carrier::{Placed, SimCarrier};
use crate::world::TENANT;
use autocall_core::agent::{Agent, State};
use autocall_core::call::{Call, Stage};
use autocall_core::lead::State as LeadState;
use autocall_core::memory::MemoryStore;
use autocall_core::ports::Line;
use autocall_core::settings::TransferMode;
use autocall_core::{AgentId, CallId, LegId, Millis, Phone, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long a person may wait while an agent is free, once the network is up: a campaign is looked
/// at every second, and a look takes a moment.
const TICK: Millis = Millis::from_ms(2_500);
/// How long free agents and callable leads may go without a dial.
const LIVELY: Millis = Millis::from_secs(75);
/// How long a listed number's call may go on once it can be steered.
const LISTED: Millis = Millis::from_secs(5);
/// How long after the healing things are still allowed to be late: hidden timers come back.
const SETTLING: Millis = Millis::from_secs(20);

/// Looks again and again, and remembers since when things have been wrong.
#[derive(Debug, Default)]
pub(super) struct Watch {
    waits: BTreeMap<(CallId, AgentId), Timestamp>,
    starved_since: Option<Timestamp>,
}

/// What a check looks at.
pub(super) struct Sight<'a> {
    pub(super) store: &'a MemoryStore,
    pub(super) carrier: &'a SimCarrier,
    pub(super) hub: &'a Hub,
    pub(super) scene: &'a Scene,
    pub(super) now: Timestamp,
}

impl Watch {
    /// What must hold at every instant, looked at about once a second.
    pub(super) fn look(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let calls = sight.store.calls();
        let agents = sight.store.agents(TENANT);
        agents_once(&calls)?;
        lines_capped(&calls, sight)?;
        if sight.now < sight.scene.healed_at + SETTLING {
            return Ok(());
        }
        self.nobody_ignored(&calls, &agents, sight)?;
        self.lively(&calls, &agents, sight)
    }

    fn nobody_ignored(&mut self, calls: &[Call], agents: &[Agent], sight: &Sight<'_>) -> Result<(), String> {
        let mut now_waiting = BTreeMap::new();
        for call in calls.iter().filter(|c| matches!(c.stage, Stage::Seeking { .. })) {
            for agent in agents.iter().filter(|a| a.is_free() && !call.passed.contains(&a.id)) {
                let fits = call.plan.mode == TransferMode::OnDemand || agent.is_standing();
                if fits && call.plan.for_agent.is_none_or(|wanted| wanted == agent.id) {
                    let pair = (call.id, agent.id);
                    let since = self.waits.get(&pair).copied().unwrap_or(sight.now);
                    now_waiting.insert(pair, since);
                    if sight.now - since > TICK {
                        return Err(format!(
                            "a person waits in {} since {since} while agent {} is free",
                            call.id, agent.id
                        ));
                    }
                }
            }
        }
        self.waits = now_waiting;
        Ok(())
    }

    /// Free agents, callable leads and room under the caps mean a dial before long.
    fn lively(&mut self, calls: &[Call], agents: &[Agent], sight: &Sight<'_>) -> Result<(), String> {
        let standing = sight.scene.campaigns.iter().any(|(c, _)| c.settings.transfer.mode == TransferMode::Standing);
        let free = agents.iter().any(|a| a.is_free() && (!standing || a.is_standing()));
        let quiet = calls.iter().all(Call::is_settled);
        let hub = sight.hub.lock();
        let runs = |id| {
            let view = crate::world::ready(autocall_core::ports::Store::campaign(sight.store, id));
            view.is_ok_and(|v| v.campaign.row.dials(sight.now))
        };
        // A pause that was said again after a start stands: then nothing has to be dialled.
        let callable = |(campaign, _): &(autocall_core::campaign::Campaign, Vec<autocall_core::lead::Lead>)| {
            runs(campaign.id)
                && sight.store.leads(campaign.id).iter().any(|l| {
                    l.is_open()
                        && l.due_at <= sight.now
                        && l.number().is_some()
                        && l.numbers.iter().all(|n| !hub.listed.contains_key(&n.phone))
                })
        };
        let starved = free && quiet && sight.now < sight.scene.paused_at && sight.scene.campaigns.iter().any(callable);
        drop(hub);
        match (starved, self.starved_since) {
            (false, _) => self.starved_since = None,
            (true, None) => self.starved_since = Some(sight.now),
            (true, Some(since)) if sight.now - since > LIVELY => {
                return Err(format!(
                    "agents are free, leads are due and nothing is dialled since {since}: {}",
                    stand(sight)
                ));
            }
            (true, Some(_)) => {}
        }
        Ok(())
    }
}

/// Where campaigns stand, for whoever has to find out why one of them sleeps.
fn stand(sight: &Sight<'_>) -> String {
    let one = |(campaign, _): &(autocall_core::campaign::Campaign, Vec<autocall_core::lead::Lead>)| {
        let view = crate::world::ready(autocall_core::ports::Store::campaign(sight.store, campaign.id)).ok()?;
        let leads = sight.store.leads(campaign.id);
        let due: Vec<_> =
            leads.iter().filter(|l| l.is_open() && l.due_at <= sight.now).map(|l| &l.blocked_by).collect();
        let row = &view.campaign.row;
        let free = view.pools.iter().flat_map(|p| &p.agents).filter(|a| a.available).count();
        Some(format!(
            "{:?}, {:?}, promised {:?}, {free} agents, due {due:?}",
            row.state,
            view.load,
            view.pools.first().map(|p| p.promised)
        ))
    };
    sight.scene.campaigns.iter().filter_map(one).collect::<Vec<_>>().join("; ")
}

/// An agent is in one call at most.
fn agents_once(calls: &[Call]) -> Result<(), String> {
    let mut held: BTreeMap<AgentId, CallId> = BTreeMap::new();
    for call in calls.iter().filter(|c| !c.is_settled()) {
        if let Some(agent) = call.holds()
            && let Some(other) = held.insert(agent, call.id)
        {
            return Err(format!("agent {agent} is held by {other} and {}", call.id));
        }
    }
    Ok(())
}

/// Calls never take more lines than the campaign allows.
fn lines_capped(calls: &[Call], sight: &Sight<'_>) -> Result<(), String> {
    for (campaign, _) in &sight.scene.campaigns {
        let lines: i32 = calls.iter().filter(|c| c.plan.campaign == campaign.id).map(|c| c.load().lines()).sum();
        if lines > campaign.settings.caps.lines_max as i32 {
            return Err(format!("{lines} lines, {} allowed", campaign.settings.caps.lines_max));
        }
    }
    Ok(())
}

/// What must hold when everything has come to rest.
pub(super) fn at_the_end(sight: &Sight<'_>) -> Result<(), String> {
    let placed = sight.carrier.placed();
    dialled_once(&placed)?;
    one_live_attempt(&placed, sight.now)?;
    listed_ended(&placed, sight)?;
    nothing_stuck(sight)?;
    one_record_each(sight)?;
    attempts_capped(&placed, sight)
}

/// No line was placed twice, by the carrier's own log.
pub(super) fn dialled_once(placed: &[Placed]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match placed.iter().find(|p| !seen.insert(p.line)) {
        Some(twice) => Err(format!("{} was dialled twice", twice.line)),
        None => Ok(()),
    }
}

fn customers(placed: &[Placed]) -> BTreeMap<Phone, Vec<&Placed>> {
    let mut by_phone: BTreeMap<Phone, Vec<&Placed>> = BTreeMap::new();
    for one in placed {
        if let Some(phone) = one.to {
            by_phone.entry(phone).or_default().push(one);
        }
    }
    by_phone
}

/// At most one attempt lives per number, by the carrier's own log.
fn one_live_attempt(placed: &[Placed], now: Timestamp) -> Result<(), String> {
    for attempts in customers(placed).values() {
        for pair in attempts.windows(2) {
            if pair[1].at < pair[0].ended_at.unwrap_or(now) {
                return Err(format!("{} was dialled while {} lived, to one number", pair[1].line, pair[0].line));
            }
        }
    }
    Ok(())
}

/// Calls to a listed number ended soon, where the network was up.
fn listed_ended(placed: &[Placed], sight: &Sight<'_>) -> Result<(), String> {
    let hub = sight.hub.lock();
    for one in placed {
        let Some(listed) = one.to.and_then(|phone| hub.listed.get(&phone)).copied() else { continue };
        let Some(rang) = one.rang_at else { continue };
        let from = listed.max(rang);
        let (begins, ended) = (sight.scene.healed_at + SETTLING, one.ended_at.unwrap_or(sight.now));
        if listed >= begins && one.at >= begins - Millis::from_secs(60) && rang >= begins && ended > from + LISTED {
            return Err(format!("{} went on for {} after its number was listed", one.line, ended - from));
        }
    }
    Ok(())
}

/// Nobody and nothing is stuck.
fn nothing_stuck(sight: &Sight<'_>) -> Result<(), String> {
    if let Some(call) = sight.store.calls().iter().find(|c| !c.is_settled()) {
        return Err(format!(
            "call {} is stuck in {:?} since {}: {:?}",
            call.id, call.stage, call.created_at, call.legs
        ));
    }
    for agent in sight.store.agents(TENANT) {
        if agent.state != State::Idle {
            return Err(format!("agent {} is stuck in {:?}", agent.id, agent.state));
        }
    }
    for (campaign, _) in &sight.scene.campaigns {
        if let Some(lead) = sight.store.leads(campaign.id).iter().find(|l| matches!(l.state, LeadState::Calling { .. }))
        {
            return Err(format!("lead {} is stuck in a call", lead.id));
        }
        let view = crate::world::ready(autocall_core::ports::Store::campaign(sight.store, campaign.id));
        let view = view.map_err(|e| e.to_string())?;
        if view.load.live() != 0 || view.leads.calling != 0 {
            return Err(format!("counts drifted: {:?}, {:?}", view.load, view.leads));
        }
    }
    let live = sight.carrier.live();
    match live.iter().find(|line| matches!(line, Line::Leg(_))) {
        Some(line) => Err(format!("{line} is still up at the carrier")),
        None => Ok(()),
    }
}

/// Every call that was created has one record.
fn one_record_each(sight: &Sight<'_>) -> Result<(), String> {
    let mut recorded = BTreeSet::new();
    for record in sight.store.records() {
        if !recorded.insert(record.call) {
            return Err(format!("call {} has two records", record.call));
        }
    }
    let hub = sight.hub.lock();
    let created = hub.minted.keys().filter_map(|line| match line {
        Line::Leg(leg) if leg.leg == LegId::CUSTOMER => Some(leg.call),
        _ => None,
    });
    match created.into_iter().find(|call| !recorded.contains(call)) {
        Some(call) => Err(format!("call {call} has no record")),
        None => Ok(()),
    }
}

/// No number was called more often than allowed.
fn attempts_capped(placed: &[Placed], sight: &Sight<'_>) -> Result<(), String> {
    let cap = sight.scene.campaigns.iter().map(|(c, _)| c.settings.caps.attempts_per_number_per_day_max).max();
    for (phone, attempts) in customers(placed) {
        if attempts.len() > usize::from(cap.unwrap_or(u8::MAX)) {
            return Err(format!("{phone} was dialled {} times in a day", attempts.len()));
        }
    }
    Ok(())
}
