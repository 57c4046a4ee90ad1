//! What must hold at every instant. What must hold once everything has come to rest is in `ends`.

use super::hub::Hub;
use super::scene::Scene;
use crate::carrier::SimCarrier;
use crate::world::{TENANT, ready};
use autocall_core::agent::Agent;
use autocall_core::call::{Call, Stage};
use autocall_core::campaign::Campaign;
use autocall_core::lead::Lead;
use autocall_core::memory::MemoryStore;
use autocall_core::pacing::Mode;
use autocall_core::ports::{CampaignView, Store};
use autocall_core::settings::TransferMode;
use autocall_core::{AgentId, CallId, LeadId, Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How often one looks.
pub(super) const LOOK_EVERY: Millis = Millis::from_ms(500);
/// How long a person may wait while an agent is free, once the network is up: one look of the
/// campaign, which comes every second while somebody waits, and the moment that it takes.
const TICK: Millis = Millis::from_ms(1_500);
/// How long free agents and callable leads may go without a dial.
const LIVELY: Millis = Millis::from_secs(75);
/// How long a call that has not come to a conversation may go on once its campaign is finished: a
/// phone rings out, a look-up finds it.
const FINISHED: Millis = Millis::from_secs(90);
/// How long after the healing things are still allowed to be late: hidden timers come back.
pub(super) const SETTLING: Millis = Millis::from_secs(20);

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

impl Sight<'_> {
    fn view(&self, campaign: &Campaign) -> Option<CampaignView> {
        ready(Store::campaign(self.store, campaign.id)).ok()
    }
}

impl Watch {
    /// What must hold at every instant.
    pub(super) fn look(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let calls = sight.store.live_calls();
        let agents = sight.store.agents(TENANT);
        agents_once(&calls)?;
        leads_once(&calls, sight)?;
        lines_capped(&calls, sight)?;
        if sight.now < sight.scene.healed_at + SETTLING {
            return Ok(());
        }
        finished_ends(&calls, sight)?;
        self.nobody_ignored(&calls, &agents, sight)?;
        self.lively(&calls, &agents, sight)
    }

    /// Nobody waits, and nobody is given up, while somebody who could talk to them is free for
    /// longer than a tick.
    fn nobody_ignored(&mut self, calls: &[Call], agents: &[Agent], sight: &Sight<'_>) -> Result<(), String> {
        let mut waiting = BTreeMap::new();
        for call in calls.iter().filter(|c| matches!(c.stage, Stage::Seeking { .. })) {
            for agent in agents.iter().filter(|a| suits(a, call)) {
                let pair = (call.id, agent.id);
                let since = self.waits.get(&pair).copied().unwrap_or(sight.now);
                waiting.insert(pair, since);
                if sight.now - since > TICK {
                    return Err(format!(
                        "a person waits in {} since {since} while agent {} is free",
                        call.id, agent.id
                    ));
                }
            }
        }
        // Whoever was seen twice with a free agent, and is given up now.
        let given_up: BTreeSet<CallId> = calls.iter().filter(|c| c.gave_up_at.is_some()).map(|c| c.id).collect();
        for ((call, agent), since) in &self.waits {
            let ignored = given_up.contains(call) && agents.iter().any(|a| a.id == *agent && a.is_free());
            if ignored && sight.now - *since > TICK {
                return Err(format!("the person in {call} was given up though agent {agent} was free since {since}"));
            }
        }
        self.waits = waiting;
        Ok(())
    }

    /// More free agents than calls on their way to them, callable leads and room under the caps
    /// mean a dial before long.
    fn lively(&mut self, calls: &[Call], agents: &[Agent], sight: &Sight<'_>) -> Result<(), String> {
        let starved = sight.now < sight.scene.paused_at && is_starved(calls, agents, sight);
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

fn suits(agent: &Agent, call: &Call) -> bool {
    let stands = call.plan.mode == TransferMode::OnDemand || agent.is_standing();
    let wanted = call.plan.for_agent.is_none_or(|wanted| wanted == agent.id || call.passed.contains(&wanted));
    agent.is_free() && stands && wanted && !call.passed.contains(&agent.id)
}

/// Whether a dial is missing: judged campaign by campaign, with what all of them have under way.
fn is_starved(calls: &[Call], agents: &[Agent], sight: &Sight<'_>) -> bool {
    let standing = sight.scene.campaigns.iter().any(|(c, _)| c.settings.transfer.mode == TransferMode::Standing);
    let free = agents.iter().filter(|a| a.is_free() && (!standing || a.is_standing())).count();
    let coming = calls.iter().filter(|c| matches!(c.stage, Stage::Dialing | Stage::Seeking { .. })).count();
    free > coming && sight.scene.campaigns.iter().any(|(campaign, _)| has_work(campaign, calls, sight))
}

/// Whether the campaign runs, has a free line, is within its hours, and has a lead who can be
/// called. A pause that was said again after a start stands: then nothing has to be dialled.
fn has_work(campaign: &Campaign, calls: &[Call], sight: &Sight<'_>) -> bool {
    let Some(view) = sight.view(campaign) else { return false };
    let settings = &view.campaign.row.settings;
    let open_long = sight.scene.is_open(settings, sight.now) && sight.scene.is_open(settings, sight.now + LIVELY);
    let lines = view.load.lines() < settings.caps.lines_max as i32;
    if !(view.campaign.row.dials(sight.now) && lines && open_long && settings.pacing.mode == Mode::Progressive) {
        return false;
    }
    let hub = sight.hub.lock();
    let callable = |lead: &Lead| {
        let clear = lead.numbers.iter().all(|n| !hub.listed.contains_key(&n.phone));
        let quiet = calls.iter().all(|c| lead.numbers.iter().all(|n| n.phone != c.plan.to));
        lead.is_open() && lead.due_at <= sight.now && lead.number().is_some() && clear && quiet
    };
    sight.store.leads(campaign.id).iter().any(callable)
}

/// Where campaigns stand, for whoever has to find out why one of them sleeps.
fn stand(sight: &Sight<'_>) -> String {
    let one = |(campaign, _): &(Campaign, Vec<Lead>)| {
        let view = sight.view(campaign)?;
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
    for call in calls {
        if let Some(agent) = call.holds()
            && let Some(other) = held.insert(agent, call.id)
        {
            return Err(format!("agent {agent} is held by {other} and {}", call.id));
        }
    }
    Ok(())
}

/// A lead is in one call at most, and so is a person: whatever the number, whatever the campaign.
fn leads_once(calls: &[Call], sight: &Sight<'_>) -> Result<(), String> {
    let mut leads: BTreeMap<LeadId, CallId> = BTreeMap::new();
    let mut people: BTreeMap<u64, CallId> = BTreeMap::new();
    for call in calls {
        if let Some(other) = leads.insert(call.plan.lead, call.id) {
            return Err(format!("lead {} is in {other} and {}", call.plan.lead, call.id));
        }
        let Some(person) = sight.scene.person(call.plan.lead) else { continue };
        if let Some(other) = people.insert(person, call.id) {
            return Err(format!("person {person} is in {other} and {}", call.id));
        }
    }
    Ok(())
}

/// Once a campaign is finished, nobody is called, sought for or offered any more before long.
fn finished_ends(calls: &[Call], sight: &Sight<'_>) -> Result<(), String> {
    let begun = |c: &&Call| matches!(c.stage, Stage::Dialing | Stage::Seeking { .. } | Stage::Offering { .. });
    for call in calls.iter().filter(begun) {
        let Some((campaign, _)) = sight.scene.campaigns.iter().find(|(c, _)| c.id == call.plan.campaign) else {
            continue;
        };
        let finished = sight.view(campaign).and_then(|view| view.campaign.row.finished_at);
        let from = finished.map(|at| at.max(sight.scene.healed_at + SETTLING));
        if from.is_some_and(|from| sight.now - from > FINISHED) {
            return Err(format!("{} goes on in {:?} though its campaign is finished", call.id, call.stage));
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
