//! A store in memory: for tests, simulations and the first look. It keeps every law that the
//! durable stores keep, but durability.

mod commit;
mod find;
mod index;

use crate::agent::Agent;
use crate::call::{Call, Load, Record};
use crate::campaign::Campaign;
use crate::id::{AgentId, CallId, CampaignId, LeadId, PoolId, TenantId};
use crate::lead::Lead;
use crate::pacing::Ledger;
use crate::phone::Phone;
use crate::planning::caller_id::Shown;
use crate::planning::counts::CountKey;
use crate::planning::funnel::Funnel;
use crate::ports::{
    AgentBrief, AgentView, CampaignView, Candidate, Changes, Committed, Disposed, Due, Guard, GuardKey, LeadCounts,
    Lesson, Lessons, Listing, Snapshot, Store, StoreError, Versioned,
};
use crate::time::Timestamp;
use async_trait::async_trait;
use index::{OpenLeads, Timers};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything, behind one lock. Maps are ordered, so that the same steps give the same answers.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: BTreeMap<CallId, Versioned<Call>>,
    leads: BTreeMap<LeadId, Versioned<Lead>>,
    agents: BTreeMap<AgentId, Versioned<Agent>>,
    campaigns: BTreeMap<CampaignId, CampaignRow>,
    guards: BTreeMap<(TenantId, GuardKey), Guard>,
    pools: BTreeMap<PoolId, Pool>,
    open: BTreeMap<CampaignId, OpenLeads>,
    timers: Timers,
    records: Vec<Record>,
    recorded: BTreeSet<CallId>,
    disposed: Vec<Disposed>,
    listings: BTreeMap<(TenantId, Phone), Vec<Listing>>,
    shown: BTreeMap<(TenantId, Phone), Shown>,
    lessons: BTreeMap<CampaignId, Lesson>,
}

/// A campaign with its counts.
#[derive(Debug)]
struct CampaignRow {
    campaign: Versioned<Arc<Campaign>>,
    load: Load,
    leads: LeadCounts,
    spent_micros: i64,
    ledger: Option<Ledger>,
    counts: BTreeMap<CountKey, i64>,
    counted_at: Timestamp,
    /// Calls before their conversation, by age.
    pending: BTreeSet<(Timestamp, CallId)>,
    /// Calls in which a person waits, by how long.
    waiting: BTreeSet<(Timestamp, CallId)>,
}

/// A pool's agents.
#[derive(Debug, Default)]
struct Pool {
    /// Those who are at work, as campaigns see them: a campaign is looked at for every call.
    at_work: BTreeMap<AgentId, AgentBrief>,
    /// Those who could take a call, the longest idle first.
    free: BTreeSet<(Timestamp, AgentId)>,
    /// Campaigns that draw on it.
    campaigns: BTreeSet<CampaignId>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records of settled calls, in the order of their commits.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }
    /// How many calls have settled.
    pub fn settled(&self) -> usize {
        self.lock().records.len()
    }
    /// What agents said, in the order of their commits.
    pub fn dispositions(&self) -> Vec<Disposed> {
        self.lock().disposed.clone()
    }
    /// A lead.
    pub fn lead(&self, id: LeadId) -> Option<Versioned<Lead>> {
        self.lock().leads.get(&id).cloned()
    }
    /// All leads of a campaign, by id.
    pub fn leads(&self, campaign: CampaignId) -> Vec<Lead> {
        self.lock().leads.values().filter(|l| l.row.campaign == campaign).map(|l| l.row.clone()).collect()
    }
    /// The counters of a campaign's leads.
    pub fn funnel(&self, campaign: CampaignId) -> Option<Funnel> {
        let inner = self.lock();
        let row = inner.campaigns.get(&campaign)?;
        Some(Funnel::of(row.counts.iter().map(|(key, n)| (key, *n)), row.counted_at))
    }
    /// How often a number was shown, and answered.
    pub fn shown(&self, tenant: TenantId, from: Phone) -> Shown {
        self.lock().shown.get(&(tenant, from)).copied().unwrap_or_default()
    }
    /// All agents of a tenant, by id.
    pub fn agents(&self, tenant: TenantId) -> Vec<Agent> {
        self.lock().agents.values().filter(|a| a.row.id.tenant() == tenant).map(|a| a.row.clone()).collect()
    }
    /// All calls, by id, settled ones included.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.values().map(|c| c.row.clone()).collect()
    }
    /// Calls that are not settled, by id.
    pub fn live_calls(&self) -> Vec<Call> {
        self.lock().calls.values().filter(|c| !c.row.is_settled()).map(|c| c.row.clone()).collect()
    }
    /// Forgets calls that are settled, so that a long run's memory stays bounded. Their records
    /// stay.
    pub fn forget_settled(&self) {
        self.lock().calls.retain(|_, c| !c.row.is_settled());
    }
    /// The do-not-call entries of a number.
    pub fn listings(&self, tenant: TenantId, phone: Phone) -> Vec<Listing> {
        self.lock().listings.get(&(tenant, phone)).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Lessons for MemoryStore {
    async fn load(&self, campaign: CampaignId) -> Result<Option<Lesson>, StoreError> {
        Ok(self.lock().lessons.get(&campaign).cloned())
    }
    async fn save(
        &self,
        campaign: CampaignId,
        learned: &[u8],
        expected: u64,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        if inner.lessons.get(&campaign).map_or(0, |l| l.version) != expected {
            return Ok(false);
        }
        inner.lessons.insert(campaign, Lesson { version: expected + 1, learned: learned.to_vec() });
        Ok(true)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn call(&self, id: CallId) -> Result<Snapshot, StoreError> {
        self.lock().snapshot(id)
    }
    async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        self.lock().campaign_view(id)
    }
    async fn agent(&self, id: AgentId) -> Result<AgentView, StoreError> {
        self.lock().agent_view(id)
    }
    async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError> {
        self.lock().commit(changes)
    }
    async fn candidates(&self, campaign: CampaignId, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.lock().candidates(campaign, now, limit)
    }
    async fn candidate(&self, lead: LeadId, now: Timestamp) -> Result<Candidate, StoreError> {
        self.lock().candidate(lead, now)
    }
    async fn due(&self, now: Timestamp, hidden_until: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        Ok(self.lock().timers.due(now, hidden_until, limit as usize))
    }
}
