//! What must hold when everything has come to rest, mostly by the carrier's own log.

use super::check::{SETTLING, Sight};
use super::hub::{Drawn, SKEW_MAX};
use crate::carrier::Placed;
use crate::world::{TENANT, ready};
use autocall_core::agent::State;
use autocall_core::campaign::Campaign;
use autocall_core::lead::{Closed, State as LeadState};
use autocall_core::ports::{Line, Store};
use autocall_core::{LegId, Millis, Outcome, Phone, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long a listed number's call may go on once it can be steered.
const LISTED: Millis = Millis::from_secs(5);
/// How long the carrier's queue may hold a call back.
const QUEUE: Millis = Millis::from_ms(1_500);

/// Looks at everything once.
pub(super) fn at_the_end(sight: &Sight<'_>) -> Result<(), String> {
    counters_right(sight)?;
    let placed = sight.carrier.placed();
    dialled_once(&placed)?;
    one_live_attempt(&placed, sight.now)?;
    listed_ended(&placed, sight)?;
    nothing_stuck(sight)?;
    one_record_each(sight)?;
    numbers_capped(&placed, sight)?;
    leads_capped(sight)?;
    within_hours(&placed, sight)?;
    within_rate(sight)?;
    words_kept(sight)
}

/// No line was placed twice, by the carrier's own log.
fn dialled_once(placed: &[Placed]) -> Result<(), String> {
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
    let begins = sight.scene.healed_at + SETTLING;
    for one in placed {
        let Some(listed) = one.to.and_then(|phone| hub.listed.get(&phone)).copied() else { continue };
        let Some(rang) = one.rang_at else { continue };
        let from = listed.max(rang);
        let ended = one.ended_at.unwrap_or(sight.now);
        if listed >= begins && one.at >= begins - Millis::from_secs(60) && rang >= begins && ended > from + LISTED {
            return Err(format!("{} went on for {} after its number was listed", one.line, ended - from));
        }
    }
    Ok(())
}

/// Nobody and nothing is stuck.
fn nothing_stuck(sight: &Sight<'_>) -> Result<(), String> {
    if let Some(call) = sight.store.live_calls().first() {
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
        let view = ready(Store::campaign(sight.store, campaign.id)).map_err(|e| e.to_string())?;
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

/// No number was called more often in a day than allowed.
fn numbers_capped(placed: &[Placed], sight: &Sight<'_>) -> Result<(), String> {
    let cap = sight.scene.campaigns.iter().map(|(c, _)| c.settings.caps.attempts_per_number_per_day_max).max();
    for (phone, attempts) in customers(placed) {
        if attempts.len() > usize::from(cap.unwrap_or(u8::MAX)) {
            return Err(format!("{phone} was dialled {} times in a day", attempts.len()));
        }
    }
    Ok(())
}

/// No lead was tried more often than allowed.
fn leads_capped(sight: &Sight<'_>) -> Result<(), String> {
    let mut attempts: BTreeMap<_, usize> = BTreeMap::new();
    for record in sight.store.records().iter().filter(|r| r.outcome != Outcome::Canceled) {
        *attempts.entry((record.campaign, record.lead)).or_default() += 1;
    }
    for (campaign, _) in &sight.scene.campaigns {
        let max = usize::from(campaign.settings.caps.attempts_max);
        if let Some(((_, lead), n)) = attempts.iter().find(|((c, _), n)| *c == campaign.id && **n > max) {
            return Err(format!("lead {lead} was tried {n} times, {max} allowed"));
        }
    }
    Ok(())
}

/// No phone began to ring, and none could ring on, while the campaign was closed.
fn within_hours(placed: &[Placed], sight: &Sight<'_>) -> Result<(), String> {
    for (campaign, line, at) in customer_lines(placed, sight) {
        let settings = &campaign.settings;
        let ring = Millis::from_ms(i64::from(settings.caps.ring_ms_max));
        // Clocks that are apart are no excuse.
        let begins = sight.scene.is_open(settings, at);
        let ends = sight.scene.is_open(settings, at + ring - QUEUE);
        if !(begins && ends) {
            return Err(format!("{line} was dialled at {at}, outside the campaign's hours"));
        }
    }
    Ok(())
}

fn customer_lines<'a>(
    placed: &'a [Placed],
    sight: &'a Sight<'_>,
) -> impl Iterator<Item = (&'a Campaign, Line, Timestamp)> {
    let by_call: BTreeMap<_, _> = sight.store.records().iter().map(|r| (r.call, r.campaign)).collect();
    placed.iter().filter_map(move |one| {
        let Line::Leg(leg) = one.line else { return None };
        let campaign = by_call.get(&leg.call).filter(|_| leg.leg == LegId::CUSTOMER)?;
        let (campaign, _) = sight.scene.campaigns.iter().find(|(c, _)| c.id == *campaign)?;
        Some((campaign, one.line, one.at))
    })
}

/// Dials never come faster than the campaign's rate: no stretch of time has more of them than one
/// second's worth and what came in since, by the clocks of the nodes that decided.
fn within_rate(sight: &Sight<'_>) -> Result<(), String> {
    let hub = sight.hub.lock();
    for (campaign, _) in &sight.scene.campaigns {
        let rate = campaign.settings.caps.calls_per_second_max;
        let mut drawn: Vec<Drawn> = hub.drawn.iter().filter(|d| d.campaign == campaign.id).copied().collect();
        drawn.sort_by_key(|d| d.at);
        for from in 0..drawn.len() {
            let mut dials = 0;
            for one in &drawn[from..] {
                dials += one.dials;
                let span = one.at - drawn[from].at + SKEW_MAX;
                let most = rate.max(1.0) + span.as_secs_f64() * rate;
                if f64::from(dials) > most + 1e-6 {
                    return Err(format!("{dials} dials in {span}, {rate} per second allowed"));
                }
            }
        }
    }
    Ok(())
}

/// What an agent said about a call is not forgotten: a lead that is to be called again is not done.
fn words_kept(sight: &Sight<'_>) -> Result<(), String> {
    let hub = sight.hub.lock();
    for (campaign, _) in &sight.scene.campaigns {
        for lead in sight.store.leads(campaign.id) {
            let Some(promised) = hub.promised.get(&lead.id) else { continue };
            if lead.state == (LeadState::Closed { why: Closed::Done }) {
                return Err(format!("lead {} was to be called again at {promised}: {:?}", lead.id, lead.state));
            }
        }
    }
    Ok(())
}

/// The counters that commits moved equal a full recount of the leads.
fn counters_right(sight: &Sight<'_>) -> Result<(), String> {
    use autocall_core::planning::funnel::Funnel;
    for (campaign, _) in &sight.scene.campaigns {
        let leads = sight.store.leads(campaign.id);
        let kept = sight.store.funnel(campaign.id).unwrap_or_default();
        let counted = Funnel::recount(&leads, sight.now);
        if kept.counts() != counted.counts() {
            return Err(format!("counters say {:?}, the leads {:?}", kept.counts(), counted.counts()));
        }
    }
    Ok(())
}
