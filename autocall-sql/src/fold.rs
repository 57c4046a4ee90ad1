//! Group commit's judge: many callers' changes of one tenant, each judged by itself against the
//! rows as they are and as the changes before it leave them. Pure; the stores lock, load, fold,
//! write.

use crate::tables::RecordExtra;
use autocall_core::agent::Agent;
use autocall_core::call::{Call, Load, Record};
use autocall_core::campaign::Campaign;
use autocall_core::lead::Lead;
use autocall_core::pacing::LedgerDelta;
use autocall_core::planning::caller_id::Shown;
use autocall_core::planning::counts::CountKey;
use autocall_core::ports::{Changes, Disposed, Guard, GuardKey, GuardValue, LeadCounts, Listing, RowKey, StoreError};
use autocall_core::{AgentId, CallId, CampaignId, LeadId, Phone, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Every row that a group names, to be locked and loaded.
#[derive(Debug, Default)]
pub struct Names {
    /// Calls.
    pub calls: BTreeSet<CallId>,
    /// Leads.
    pub leads: BTreeSet<LeadId>,
    /// Agents.
    pub agents: BTreeSet<AgentId>,
    /// Campaigns.
    pub campaigns: BTreeSet<CampaignId>,
    /// Guards.
    pub guards: BTreeSet<GuardKey>,
    /// Calls whose record may be there already.
    pub records: BTreeSet<CallId>,
    /// Whether numbers are listed.
    pub lists: bool,
    /// Campaigns that are only checked: they are read, not written.
    pub checked_campaigns: BTreeSet<CampaignId>,
    /// Guards that are only checked.
    pub checked_guards: BTreeSet<GuardKey>,
}

impl Names {
    /// What these changes name.
    pub fn of<'a>(group: impl IntoIterator<Item = &'a Changes>) -> Names {
        let mut names = Names::default();
        for c in group {
            names.calls.extend(c.calls.iter().map(|(p, _)| p.row.id));
            names.leads.extend(c.leads.iter().map(|p| p.row.id));
            names.agents.extend(c.agents.iter().map(|p| p.row.id));
            names.campaigns.extend(c.campaigns.iter().map(|p| p.row.id));
            names.guards.extend(c.guards.iter().map(|p| p.row.key.clone()));
            names.guards.extend(c.listings.iter().map(|l| GuardKey::Number(l.phone)));
            names.lists |= !c.listings.is_empty();
            names.records.extend(c.records.iter().map(|r| r.call));
            for check in &c.checks {
                match &check.key {
                    RowKey::Call(id) => drop(names.calls.insert(*id)),
                    RowKey::Lead(id) => drop(names.leads.insert(*id)),
                    RowKey::Agent(id) => drop(names.agents.insert(*id)),
                    RowKey::Campaign(id) => drop(names.checked_campaigns.insert(*id)),
                    RowKey::Guard(key) => drop(names.checked_guards.insert(key.clone())),
                }
            }
        }
        names.checked_campaigns.retain(|id| !names.campaigns.contains(id));
        names.checked_guards.retain(|key| !names.guards.contains(key));
        names
    }
}

/// The rows as they are: versions (absent: 0), and the guards' values.
#[derive(Debug, Default)]
pub struct Present {
    /// Versions.
    pub calls: BTreeMap<CallId, u64>,
    /// Versions.
    pub leads: BTreeMap<LeadId, u64>,
    /// Versions.
    pub agents: BTreeMap<AgentId, u64>,
    /// Versions.
    pub campaigns: BTreeMap<CampaignId, u64>,
    /// Versions and values.
    pub guards: BTreeMap<GuardKey, (u64, GuardValue)>,
    /// Calls that have a record.
    pub records: BTreeSet<CallId>,
    /// The campaigns of calls that live on numbers which are to be listed.
    pub campaigns_of: BTreeMap<CallId, CampaignId>,
}

/// A row to write, with its present and its new version.
#[derive(Clone, Debug)]
pub struct Write<T> {
    /// The row.
    pub row: T,
    /// Its version in the database (0: none), and afterwards.
    pub version: (u64, u64),
    /// When.
    pub at: Timestamp,
}

/// The sum of a group's tallies of one campaign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    /// Calls in flight.
    pub load: Load,
    /// Leads by state.
    pub leads: LeadCounts,
    /// What settled calls cost, millionths.
    pub spent_micros: i64,
    /// The ledger's changes, in the order of the commits.
    pub ledger: Vec<LedgerDelta>,
    /// Leads by what they wait for, by lane, and what quotas have counted.
    pub counts: BTreeMap<CountKey, i64>,
    /// When the last of them changed.
    pub counted_at: Timestamp,
    /// When to look at the campaign again.
    pub wake_at: Option<Timestamp>,
}

/// What a group writes, each row once.
#[derive(Debug, Default)]
pub struct Writes {
    /// Calls, each with when it is due.
    pub calls: BTreeMap<CallId, Write<(Call, Timestamp)>>,
    /// Leads.
    pub leads: BTreeMap<LeadId, Write<Lead>>,
    /// Agents.
    pub agents: BTreeMap<AgentId, Write<Agent>>,
    /// Campaigns.
    pub campaigns: BTreeMap<CampaignId, Write<Campaign>>,
    /// Guards.
    pub guards: BTreeMap<GuardKey, Write<GuardValue>>,
    /// Totals.
    pub totals: BTreeMap<CampaignId, Sum>,
    /// Numbers that were shown.
    pub shown: BTreeMap<Phone, Shown>,
    /// Records.
    pub records: Vec<(Record, RecordExtra)>,
    /// What agents said.
    pub disposed: Vec<Disposed>,
    /// Numbers listed, and when.
    pub listings: Vec<(Listing, Timestamp)>,
    /// Calls that nobody writes here but that are to be looked at: they live on listed numbers.
    pub looks: BTreeMap<CallId, Timestamp>,
}

impl Writes {
    /// The earliest time at which something written here is due.
    pub fn earliest(&self) -> Option<Timestamp> {
        let calls = self.calls.values().map(|w| w.row.1);
        let agents = self.agents.values().map(|w| w.row.wake_at());
        let campaigns = self.campaigns.values().map(|w| w.row.wake_at);
        let wakes = self.totals.values().filter_map(|s| s.wake_at);
        let looks = self.looks.values().copied();
        calls.chain(agents).chain(campaigns).chain(wakes).chain(looks).min().filter(|&at| at != Timestamp::NEVER)
    }
}

/// A group being folded.
#[derive(Debug)]
pub struct Fold {
    tenant: TenantId,
    base: Present,
    now: Present,
    /// What is to be written.
    pub writes: Writes,
}

impl Fold {
    /// From the rows as they are.
    pub fn new(tenant: TenantId, present: Present) -> Fold {
        let now = Present {
            calls: present.calls.clone(),
            leads: present.leads.clone(),
            agents: present.agents.clone(),
            campaigns: present.campaigns.clone(),
            guards: present.guards.clone(),
            records: present.records.clone(),
            campaigns_of: present.campaigns_of.clone(),
        };
        Fold { tenant, base: present, now, writes: Writes::default() }
    }

    /// Takes one caller's changes in, all or nothing. Returns the calls that live on numbers which
    /// they list.
    pub fn take(&mut self, c: &Changes) -> Result<Vec<CallId>, StoreError> {
        if !own_rows_only(c) || c.tenant != self.tenant {
            return Err(StoreError::Corrupt("a commit names another tenant's row".into()));
        }
        let stale = self.stale(c);
        if !stale.is_empty() {
            return Err(StoreError::Conflict { stale });
        }
        self.rows(c);
        self.guards(c);
        self.sums(c);
        self.records(c);
        self.writes.disposed.extend(c.disposed.iter().cloned());
        Ok(c.listings.iter().filter_map(|l| self.list(l, c.at)).collect())
    }

    fn version(&self, key: &RowKey) -> u64 {
        let found = match key {
            RowKey::Call(id) => self.now.calls.get(id),
            RowKey::Lead(id) => self.now.leads.get(id),
            RowKey::Agent(id) => self.now.agents.get(id),
            RowKey::Campaign(id) => self.now.campaigns.get(id),
            RowKey::Guard(key) => self.now.guards.get(key).map(|g| &g.0),
        };
        found.copied().unwrap_or(0)
    }

    fn stale(&self, c: &Changes) -> Vec<RowKey> {
        let mut stale = Vec::new();
        let mut expect = |key: RowKey, version: u64| {
            if self.version(&key) != version {
                stale.push(key);
            }
        };
        for (put, _) in &c.calls {
            expect(RowKey::Call(put.row.id), put.expected);
        }
        for put in &c.leads {
            expect(RowKey::Lead(put.row.id), put.expected);
        }
        for put in &c.agents {
            expect(RowKey::Agent(put.row.id), put.expected);
        }
        for put in &c.campaigns {
            expect(RowKey::Campaign(put.row.id), put.expected);
        }
        for put in &c.guards {
            expect(RowKey::Guard(put.row.key.clone()), put.expected);
        }
        for check in &c.checks {
            expect(check.key.clone(), check.version);
        }
        let again = c.records.iter().filter(|r| self.now.records.contains(&r.call));
        stale.extend(again.map(|r| RowKey::Call(r.call)));
        stale
    }

    fn rows(&mut self, c: &Changes) {
        for (put, due_at) in &c.calls {
            let (id, to) = (put.row.id, put.expected + 1);
            let due_at = if put.row.is_settled() { Timestamp::NEVER } else { *due_at };
            let version = (self.base.calls.get(&id).copied().unwrap_or(0), to);
            self.now.calls.insert(id, to);
            self.now.campaigns_of.insert(id, put.row.plan.campaign);
            self.writes.looks.remove(&id);
            self.writes.calls.insert(id, Write { row: (put.row.clone(), due_at), version, at: c.at });
        }
        for put in &c.leads {
            let (id, to) = (put.row.id, put.expected + 1);
            let version = (self.base.leads.get(&id).copied().unwrap_or(0), to);
            self.now.leads.insert(id, to);
            self.writes.leads.insert(id, Write { row: put.row.clone(), version, at: c.at });
        }
        for put in &c.agents {
            let (id, to) = (put.row.id, put.expected + 1);
            let version = (self.base.agents.get(&id).copied().unwrap_or(0), to);
            self.now.agents.insert(id, to);
            self.writes.agents.insert(id, Write { row: put.row.clone(), version, at: c.at });
        }
        for put in &c.campaigns {
            let (id, to) = (put.row.id, put.expected + 1);
            let version = (self.base.campaigns.get(&id).copied().unwrap_or(0), to);
            self.now.campaigns.insert(id, to);
            self.writes.campaigns.insert(id, Write { row: put.row.clone(), version, at: c.at });
            self.writes.totals.entry(id).or_default().wake_at = Some(put.row.wake_at);
        }
    }

    fn guards(&mut self, c: &Changes) {
        for put in &c.guards {
            self.guard(put.row.key.clone(), put.row.value.clone(), put.expected + 1, c.at);
        }
    }

    fn guard(&mut self, key: GuardKey, value: GuardValue, to: u64, at: Timestamp) {
        let version = (self.base.guards.get(&key).map_or(0, |g| g.0), to);
        self.now.guards.insert(key.clone(), (to, value.clone()));
        self.writes.guards.insert(key, Write { row: value, version, at });
    }

    fn sums(&mut self, c: &Changes) {
        for (campaign, tally) in &c.tallies {
            let sum = self.writes.totals.entry(*campaign).or_default();
            sum.load.add(&tally.load, 1);
            sum.leads.add(&tally.leads, 1);
            sum.spent_micros += tally.spent_micros;
            sum.ledger.extend(tally.ledger.iter().copied());
            for (key, n) in tally.counts.iter() {
                *sum.counts.entry(key.clone()).or_default() += n;
                sum.counted_at = sum.counted_at.max(c.at);
            }
        }
        for &(from, answered) in &c.shown {
            let shown = self.writes.shown.entry(from).or_default();
            shown.dials += 1;
            shown.answers += u64::from(answered);
        }
        for &(campaign, at) in &c.wakes {
            self.writes.totals.entry(campaign).or_default().wake_at = Some(at);
        }
    }

    fn records(&mut self, c: &Changes) {
        for record in &c.records {
            self.now.records.insert(record.call);
            let call = c.calls.iter().find(|(p, _)| p.row.id == record.call);
            let lead = c.leads.iter().find(|p| p.row.id == record.lead);
            let extra = RecordExtra {
                verdict: call.and_then(|(p, _)| p.row.customer().facts.verdict).map(|v| v.0),
                list: lead.and_then(|p| p.row.list).map(|l| l.key()),
            };
            self.writes.records.push((record.clone(), extra));
        }
    }

    /// Lists a number, marks and advances its guard. Returns the call to it that lives and must end;
    /// it is due at once.
    fn list(&mut self, listing: &Listing, at: Timestamp) -> Option<CallId> {
        self.writes.listings.push((listing.clone(), at));
        let key = GuardKey::Number(listing.phone);
        let mut guard = Guard::fresh(self.tenant, key.clone());
        if let Some((version, value)) = self.now.guards.get(&key) {
            (guard.version, guard.value) = (*version, value.clone());
        }
        let live = listing.mark(&mut guard, |call| self.now.campaigns_of.get(&call).copied());
        self.guard(key, guard.value, guard.version + 1, at);
        if let Some(call) = live {
            match self.writes.calls.get_mut(&call) {
                Some(write) if write.row.0.is_settled() => {}
                Some(write) => write.row.1 = at,
                None => drop(self.writes.looks.insert(call, at)),
            }
        }
        live
    }
}

/// A commit touches one tenant's rows.
fn own_rows_only(c: &Changes) -> bool {
    let tenant = c.tenant;
    c.calls.iter().all(|(p, _)| p.row.id.tenant() == tenant)
        && c.leads.iter().all(|p| p.row.id.tenant() == tenant)
        && c.agents.iter().all(|p| p.row.id.tenant() == tenant)
        && c.campaigns.iter().all(|p| p.row.id.tenant() == tenant)
        && c.guards.iter().all(|p| p.row.tenant == tenant)
        && c.tallies.iter().all(|(id, _)| id.tenant() == tenant)
        && c.records.iter().all(|r| r.call.tenant() == tenant)
        && c.wakes.iter().all(|(id, _)| id.tenant() == tenant)
        && c.disposed.iter().all(|d| d.call.tenant() == tenant)
}
