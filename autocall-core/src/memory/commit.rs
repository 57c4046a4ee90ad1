//! Writing: everything or nothing.

use super::find::{agent_brief, is_at_work, waiting_since};
use super::{CampaignRow, Inner};
use crate::agent::Agent;
use crate::call::{Call, Stage};
use crate::campaign::Campaign;
use crate::id::{CallId, TenantId};
use crate::lead::Lead;
use crate::pacing::Ledger;
use crate::planning::counts::{CountKey, Counts};
use crate::planning::quota::QuotaCount;
use crate::ports::{Changes, Committed, Due, Guard, GuardKey, Listing, Put, RowKey, StoreError, Tally, Versioned};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Inner {
    pub(super) fn commit(&mut self, changes: &Changes) -> Result<Committed, StoreError> {
        own_rows_only(changes)?;
        let stale = self.stale(changes);
        if !stale.is_empty() {
            return Err(StoreError::Conflict { stale });
        }
        for put in &changes.campaigns {
            self.put_campaign(put);
        }
        for put in &changes.agents {
            self.put_agent(put);
        }
        for put in &changes.leads {
            self.put_lead(put, changes.at);
        }
        for (put, wake_at) in &changes.calls {
            self.put_call(put, *wake_at);
        }
        for put in &changes.guards {
            let row = Guard { version: put.expected + 1, ..put.row.clone() };
            self.guards.insert((row.tenant, row.key.clone()), row);
        }
        for (campaign, tally) in &changes.tallies {
            self.add(*campaign, tally, changes.at);
        }
        for &(from, answered) in &changes.shown {
            let shown = self.shown.entry((changes.tenant, from)).or_default();
            shown.dials += 1;
            shown.answers += u64::from(answered);
        }
        for record in &changes.records {
            self.recorded.insert(record.call);
            self.records.push(record.clone());
        }
        self.disposed.extend(changes.disposed.iter().cloned());
        let live = changes.listings.iter().filter_map(|l| self.list(changes.tenant, l, changes.at)).collect();
        for &(campaign, at) in &changes.wakes {
            self.timers.set(Due::Campaign(campaign), at);
        }
        Ok(changes.committed(live))
    }

    /// Every row that is not at the version expected.
    fn stale(&self, changes: &Changes) -> Vec<RowKey> {
        let mut stale = Vec::new();
        let mut expect = |key: RowKey, version: u64| {
            if self.version(changes.tenant, &key) != version {
                stale.push(key);
            }
        };
        for (put, _) in &changes.calls {
            expect(RowKey::Call(put.row.id), put.expected);
        }
        for put in &changes.leads {
            expect(RowKey::Lead(put.row.id), put.expected);
        }
        for put in &changes.agents {
            expect(RowKey::Agent(put.row.id), put.expected);
        }
        for put in &changes.campaigns {
            expect(RowKey::Campaign(put.row.id), put.expected);
        }
        for put in &changes.guards {
            expect(RowKey::Guard(put.row.key.clone()), put.expected);
        }
        for check in &changes.checks {
            expect(check.key.clone(), check.version);
        }
        stale.extend(changes.records.iter().filter(|r| self.recorded.contains(&r.call)).map(|r| RowKey::Call(r.call)));
        stale
    }

    fn version(&self, tenant: TenantId, key: &RowKey) -> u64 {
        match key {
            RowKey::Call(id) => self.calls.get(id).map_or(0, |r| r.version),
            RowKey::Lead(id) => self.leads.get(id).map_or(0, |r| r.version),
            RowKey::Agent(id) => self.agents.get(id).map_or(0, |r| r.version),
            RowKey::Campaign(id) => self.campaigns.get(id).map_or(0, |r| r.campaign.version),
            RowKey::Guard(key) => self.guards.get(&(tenant, key.clone())).map_or(0, |g| g.version),
        }
    }

    fn put_call(&mut self, put: &Put<Call>, wake_at: Timestamp) {
        let call = &put.row;
        let old = self.calls.get(&call.id).map(|c| (c.row.created_at, waiting_since(&c.row)));
        if let Some(row) = self.campaigns.get_mut(&call.plan.campaign) {
            if let Some((created_at, waiting)) = old {
                row.pending.remove(&(created_at, call.id));
                if let Some(since) = waiting {
                    row.waiting.remove(&(since, call.id));
                }
            }
            if matches!(call.stage, Stage::Dialing | Stage::Seeking { .. } | Stage::Offering { .. }) {
                row.pending.insert((call.created_at, call.id));
            }
            if let Some(since) = waiting_since(call) {
                row.waiting.insert((since, call.id));
            }
        }
        self.timers.set(Due::Call(call.id), if call.is_settled() { Timestamp::NEVER } else { wake_at });
        self.calls.insert(call.id, Versioned { row: call.clone(), version: put.expected + 1 });
    }

    fn put_lead(&mut self, put: &Put<Lead>, at: Timestamp) {
        let open = self.open.entry(put.row.campaign).or_default();
        let mut counts = Counts::of(&put.row);
        if let Some(old) = self.leads.get(&put.row.id) {
            open.remove(&old.row);
            counts.merge(&Counts::of(&old.row), -1);
        }
        open.insert(&put.row);
        if let Some(row) = self.campaigns.get_mut(&put.row.campaign) {
            row.count(&counts, at);
        }
        self.leads.insert(put.row.id, Versioned { row: put.row.clone(), version: put.expected + 1 });
    }

    fn put_agent(&mut self, put: &Put<Agent>) {
        let agent = &put.row;
        if let Some(old) = self.agents.get(&agent.id)
            && let Some(pool) = self.pools.get_mut(&old.row.pool)
        {
            pool.free.remove(&(old.row.since, agent.id));
            pool.at_work.remove(&agent.id);
        }
        let pool = self.pools.entry(agent.pool).or_default();
        if is_at_work(agent) {
            pool.at_work.insert(agent.id, agent_brief(agent));
        }
        if agent.is_free() {
            pool.free.insert((agent.since, agent.id));
        }
        self.timers.set(Due::Agent(agent.id), agent.wake_at());
        self.agents.insert(agent.id, Versioned { row: agent.clone(), version: put.expected + 1 });
    }

    fn put_campaign(&mut self, put: &Put<Campaign>) {
        let campaign = &put.row;
        for pool in self.pools.values_mut() {
            pool.campaigns.remove(&campaign.id);
        }
        for &pool in &campaign.settings.transfer.pools {
            self.pools.entry(pool).or_default().campaigns.insert(campaign.id);
        }
        self.timers.set(Due::Campaign(campaign.id), campaign.wake_at);
        let new = Versioned { row: Arc::new(campaign.clone()), version: put.expected + 1 };
        if let Some(row) = self.campaigns.get_mut(&campaign.id) {
            row.campaign = new;
        } else {
            self.campaigns.insert(campaign.id, CampaignRow::new(new));
        }
    }

    fn add(&mut self, campaign: crate::id::CampaignId, tally: &Tally, at: Timestamp) {
        let Some(row) = self.campaigns.get_mut(&campaign) else { return };
        row.load.add(&tally.load, 1);
        row.leads.add(&tally.leads, 1);
        row.spent_micros += tally.spent_micros;
        row.count(&tally.counts, at);
        let rules = &row.campaign.row.settings.pacing.ledger;
        for delta in &tally.ledger {
            row.ledger.get_or_insert_with(|| Ledger::new(delta.key, rules)).apply(delta);
        }
    }

    /// Lists a number and advances its guard. Returns the call to it that lives.
    fn list(&mut self, tenant: TenantId, listing: &Listing, at: Timestamp) -> Option<CallId> {
        self.listings.entry((tenant, listing.phone)).or_default().push(listing.clone());
        let key = GuardKey::Number(listing.phone);
        let mut guard = self.guard(tenant, key.clone());
        guard.version += 1;
        let live = listing.mark(&mut guard, |call| self.calls.get(&call).map(|c| c.row.plan.campaign));
        self.guards.insert((tenant, key), guard);
        if let Some(call) = live {
            self.timers.set(Due::Call(call), at);
        }
        live
    }
}

impl CampaignRow {
    fn count(&mut self, counts: &Counts, at: Timestamp) {
        for (key, by) in counts.iter() {
            let count = self.counts.entry(key.clone()).or_default();
            *count += by;
            if *count == 0 {
                self.counts.remove(key);
            }
            self.counted_at = self.counted_at.max(at);
        }
    }

    /// How far a quota is filled.
    pub(super) fn quota(&self, name: &str) -> QuotaCount {
        let of = |key: &CountKey| self.counts.get(key).map_or(0, |n| (*n).clamp(0, i64::from(u32::MAX)) as u32);
        QuotaCount { done: of(&CountKey::QuotaDone(name.into())), in_flight: of(&CountKey::QuotaInFlight(name.into())) }
    }

    fn new(campaign: Versioned<Arc<Campaign>>) -> CampaignRow {
        CampaignRow {
            campaign,
            load: Default::default(),
            leads: Default::default(),
            spent_micros: 0,
            ledger: None,
            counts: BTreeMap::new(),
            counted_at: Timestamp::EPOCH,
            pending: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }
}

/// A commit touches one tenant's rows.
fn own_rows_only(changes: &Changes) -> Result<(), StoreError> {
    let tenant = changes.tenant;
    let own = changes.calls.iter().all(|(p, _)| p.row.id.tenant() == tenant)
        && changes.leads.iter().all(|p| p.row.id.tenant() == tenant)
        && changes.agents.iter().all(|p| p.row.id.tenant() == tenant)
        && changes.campaigns.iter().all(|p| p.row.id.tenant() == tenant)
        && changes.guards.iter().all(|p| p.row.tenant == tenant)
        && changes.tallies.iter().all(|(c, _)| c.tenant() == tenant)
        && changes.records.iter().all(|r| r.call.tenant() == tenant)
        && changes.wakes.iter().all(|(c, _)| c.tenant() == tenant);
    if own { Ok(()) } else { Err(StoreError::Corrupt("a commit names another tenant's row".into())) }
}
