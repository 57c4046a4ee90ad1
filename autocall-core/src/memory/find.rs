//! Reading.

use super::{Inner, MemoryStore};
use crate::agent::Agent;
use crate::call::{Call, Stage};
use crate::id::{AgentId, CallId, CampaignId, LeadId, PoolId, TenantId};
use crate::lead::Lead;
use crate::pacing::{DayKey, Ledger};
use crate::planning::caller_id::Shown;
use crate::ports::{
    AgentBrief, AgentView, CallBrief, CampaignView, Candidate, Due, Guard, GuardKey, Lists, PoolView, Sharer, Snapshot,
    StoreError, Versioned,
};
use crate::settings::TransferMode;
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;
use std::sync::Arc;

/// Free agents that a snapshot brings along.
const FREE_MAX: usize = 4;

/// Waiting calls that an agent's view brings along.
const WAITING_MAX: usize = 8;

impl Inner {
    pub(super) fn guard(&self, tenant: TenantId, key: GuardKey) -> Guard {
        let at = (tenant, key);
        self.guards.get(&at).cloned().unwrap_or_else(|| Guard::fresh(at.0, at.1))
    }

    pub(super) fn snapshot(&self, id: CallId) -> Result<Snapshot, StoreError> {
        let call = self.calls.get(&id).ok_or(StoreError::NotFound)?;
        let campaign = self.campaigns.get(&call.row.plan.campaign).ok_or(StoreError::NotFound)?;
        let lead = self.leads.get(&call.row.plan.lead).ok_or(StoreError::NotFound)?;
        let campaign = campaign.campaign.row.clone();
        let (person, subject) = (call.row.plan.person_key, call.row.plan.subject.clone());
        let mut guards = SmallVec::new();
        guards.push(self.guard(id.tenant(), GuardKey::Number(call.row.plan.to)));
        guards.push(self.guard(id.tenant(), GuardKey::Person { person, subject }));
        let agents = self.agents_for(&call.row, &campaign.settings.transfer.pools);
        Ok(Snapshot { call: call.clone(), campaign, lead: lead.clone(), agents, guards })
    }

    /// The agent whom the call holds, and those who could take it.
    fn agents_for(&self, call: &Call, pools: &[PoolId]) -> SmallVec<[Versioned<Agent>; 2]> {
        let mut found = SmallVec::new();
        let mut ids: SmallVec<[AgentId; 8]> = call.holds().into_iter().collect();
        let seeks = matches!(call.stage, Stage::Dialing | Stage::Seeking { .. } | Stage::Offering { .. });
        if seeks && !call.plan.agentless {
            self.free_ids(call, pools, &mut ids);
        }
        for id in ids {
            found.extend(self.agents.get(&id).cloned());
        }
        found
    }

    fn free_ids(&self, call: &Call, pools: &[PoolId], ids: &mut SmallVec<[AgentId; 8]>) {
        let fits = |id: &AgentId| {
            let standing =
                call.plan.mode == TransferMode::OnDemand || self.agents.get(id).is_some_and(|a| a.row.is_standing());
            standing && !call.passed.contains(id)
        };
        // Others are asked once the one for whom the call was made has let it pass.
        if let Some(id) = call.plan.for_agent.filter(|id| !call.passed.contains(id)) {
            if self.agents.get(&id).is_some_and(|a| a.row.is_free()) && fits(&id) && !ids.contains(&id) {
                ids.push(id);
            }
            return;
        }
        let mut free: SmallVec<[(Timestamp, AgentId); 8]> = SmallVec::new();
        for pool in pools.iter().filter_map(|p| self.pools.get(p)) {
            free.extend(pool.free.iter().filter(|(_, id)| fits(id)).take(FREE_MAX).copied());
        }
        free.sort_unstable();
        for (_, id) in free.into_iter().take(FREE_MAX) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }

    pub(super) fn agent_view(&self, id: AgentId) -> Result<AgentView, StoreError> {
        let agent = self.agents.get(&id).ok_or(StoreError::NotFound)?;
        let empty = super::Pool::default();
        let pool = self.pools.get(&agent.row.pool).unwrap_or(&empty);
        let rows = || pool.campaigns.iter().filter_map(|c| self.campaigns.get(c));
        let mut waiting: Vec<(Timestamp, CallId)> =
            rows().flat_map(|row| row.waiting.iter().take(WAITING_MAX).copied()).collect();
        waiting.sort_unstable();
        waiting.truncate(WAITING_MAX);
        let running = |row: &&super::CampaignRow| row.campaign.row.state == crate::campaign::State::Running;
        Ok(AgentView {
            agent: agent.clone(),
            waiting: waiting.into_iter().map(|(_, id)| id).collect(),
            campaigns: rows().filter(running).map(|row| row.campaign.row.id).collect(),
        })
    }

    pub(super) fn campaign_view(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        let row = self.campaigns.get(&id).ok_or(StoreError::NotFound)?;
        let settings = &row.campaign.row.settings;
        let tenant = id.tenant();
        let ledger = row
            .ledger
            .clone()
            .unwrap_or_else(|| Ledger::new(DayKey::with_offset(Timestamp::EPOCH, 0), &settings.pacing.ledger));
        Ok(CampaignView {
            campaign: row.campaign.clone(),
            load: row.load,
            leads: row.leads,
            ledger,
            spent_micros: row.spent_micros,
            dials: self.guard(tenant, GuardKey::Dials(id)),
            pools: settings.transfer.pools.iter().map(|&p| self.pool_view(p, id)).collect(),
            calls: row.pending.iter().filter_map(|(_, c)| self.calls.get(c)).map(|c| brief(&c.row)).collect(),
            caller_ids: settings.caller_ids.iter().map(|&from| self.guard(tenant, GuardKey::CallerId(from))).collect(),
            shown: settings.caller_ids.iter().map(|&from| self.shown(tenant, from)).collect(),
            quotas: settings.quotas.iter().map(|q| row.quota(&q.name)).collect(),
            next_due: self.open.get(&id).and_then(|o| o.next_due()),
            callback_at: self.callback_at(id),
        })
    }

    fn pool_view(&self, pool: PoolId, viewer: CampaignId) -> PoolView {
        let version = self.guard(viewer.tenant(), GuardKey::Pool(pool)).version;
        let Some(row) = self.pools.get(&pool) else {
            return PoolView { pool, version, agents: Vec::new(), promised: 0, sharers: Vec::new() };
        };
        let others = row.campaigns.iter().filter(|&&c| c != viewer).filter_map(|c| self.campaigns.get(c));
        let sharers: Vec<Sharer> = others.map(|c| self.sharer(c)).filter(|s| s.running || s.open > 0).collect();
        PoolView {
            pool,
            version,
            agents: row.at_work.values().copied().collect(),
            promised: sharers.iter().map(|s| s.open).sum(),
            sharers,
        }
    }

    fn callback_at(&self, id: CampaignId) -> Option<Timestamp> {
        self.open.get(&id).and_then(|o| o.callback_at())
    }

    fn sharer(&self, row: &super::CampaignRow) -> Sharer {
        let campaign = &row.campaign.row;
        let count = |n: i64| n.clamp(0, i64::from(u32::MAX)) as u32;
        Sharer {
            campaign: campaign.id,
            share: campaign.settings.pacing.share,
            ahead: campaign.settings.pacing.dials_ahead(),
            running: campaign.state == crate::campaign::State::Running,
            open: count(i64::from(row.load.dialing + row.load.waiting)),
            room: row.load.room(campaign.settings.claimable_lines()),
            lines_max: campaign.settings.claimable_lines(),
            leads: count(row.leads.open),
            wake_at: self.timers.at(Due::Campaign(campaign.id)),
            callback_at: self.callback_at(campaign.id),
        }
    }

    pub(super) fn candidates(
        &self,
        campaign: CampaignId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let row = self.campaigns.get(&campaign).ok_or(StoreError::NotFound)?;
        let settings = &row.campaign.row.settings;
        let ids = self.open.get(&campaign).map(|o| o.due(settings, now, limit as usize)).unwrap_or_default();
        Ok(ids.into_iter().filter_map(|id| self.candidate_of(id, &settings.subject, now)).collect())
    }

    pub(super) fn candidate(&self, id: LeadId, now: Timestamp) -> Result<Candidate, StoreError> {
        let lead = self.leads.get(&id).ok_or(StoreError::NotFound)?;
        let row = self.campaigns.get(&lead.row.campaign).ok_or(StoreError::NotFound)?;
        self.candidate_of(id, &row.campaign.row.settings.subject, now).ok_or(StoreError::NotFound)
    }

    fn shown(&self, tenant: TenantId, from: crate::Phone) -> Shown {
        self.shown.get(&(tenant, from)).copied().unwrap_or_default()
    }

    fn candidate_of(&self, id: LeadId, subject: &Arc<str>, now: Timestamp) -> Option<Candidate> {
        let lead = self.leads.get(&id)?.clone();
        let tenant = id.tenant();
        let mut guards: SmallVec<[Guard; 4]> =
            lead.row.numbers.iter().map(|n| self.guard(tenant, GuardKey::Number(n.phone))).collect();
        let person = GuardKey::Person { person: lead.row.person_key, subject: subject.clone() };
        guards.push(self.guard(tenant, person));
        guards.push(self.guard(tenant, GuardKey::Epoch));
        let lists = lead.row.numbers.iter().map(|n| self.lists(&lead.row, n.phone, now)).collect();
        Some(Candidate { lead, guards, lists })
    }

    fn lists(&self, lead: &Lead, phone: crate::phone::Phone, now: Timestamp) -> Lists {
        let Some(entries) = self.listings.get(&(lead.id.tenant(), phone)) else { return Lists::default() };
        let in_force = entries.iter().map(|e| (e.campaign, e.until.unwrap_or(Timestamp::NEVER)));
        let until = |of| in_force.clone().filter(|(c, until)| *c == of && now < *until).map(|(_, until)| until).max();
        Lists { tenant: until(None), campaign: until(Some(lead.campaign)) }
    }
}

/// Listed for pacing: chosen to be there, or still with a call.
pub(super) fn is_at_work(agent: &Agent) -> bool {
    agent.status == crate::agent::Status::Available || agent.state != crate::agent::State::Idle
}

pub(super) fn agent_brief(agent: &Agent) -> AgentBrief {
    AgentBrief {
        id: agent.id,
        available: agent.status == crate::agent::Status::Available,
        state: agent.state,
        since: agent.since,
        standing: agent.is_standing(),
    }
}

pub(super) fn brief(call: &Call) -> CallBrief {
    let facts = &call.customer().facts;
    CallBrief {
        id: call.id,
        class: call.plan.class,
        dialled_at: call.created_at,
        ringing_at: facts.ringing_at,
        answered_at: facts.answer_at(),
        waiting_since: waiting_since(call),
        agent: call.holds().or(call.plan.for_agent),
    }
}

/// Since when a person waits in this call with nobody asked.
pub(super) fn waiting_since(call: &Call) -> Option<Timestamp> {
    match call.stage {
        Stage::Seeking { since } => Some(call.person_at.unwrap_or(since)),
        _ => None,
    }
}

impl MemoryStore {
    /// How long until the next thing is due, from `now`; `None` where nothing is timed.
    pub fn next_wake(&self, now: Timestamp) -> Option<Millis> {
        self.lock().timers.next().map(|at| at - now)
    }
}
