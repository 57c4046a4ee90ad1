//! What a call's machine needs, read for many calls in one transaction: reports of a tenant's calls
//! arrive together, and a journey to the database costs more than a further row.

use crate::commit::{between, ends, uuids};
use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::find::{missing, readable};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables::{self, LEAD_COLUMNS, LEAD_JOIN};
use autocall_core::agent::Agent;
use autocall_core::call::{Call, Stage};
use autocall_core::campaign::Campaign;
use autocall_core::lead::Lead;
use autocall_core::ports::{GuardKey, Snapshot, StoreError, Versioned};
use autocall_core::settings::TransferMode;
use autocall_core::{AgentId, CallId, CampaignId, Id, LeadId, PoolId, TenantId};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Free agents that a snapshot brings along.
const FREE_MAX: usize = 8;
/// Agents and their versions, by id.
type Agents = BTreeMap<AgentId, Versioned<Agent>>;
/// Of whom a call can have a free agent: pools, and whether standing ones only.
type Source = (Vec<PoolId>, bool);

/// Somebody who waits for a snapshot.
pub(crate) struct Asking {
    call: CallId,
    answer: oneshot::Sender<Result<Snapshot, SqlError>>,
}

impl<B: Backend> SqlStore<B> {
    /// A call's snapshot, no older than the question.
    pub(crate) async fn snapshot(&self, id: CallId) -> Result<Snapshot, StoreError> {
        let (answer, told) = oneshot::channel();
        if self.inner.reads.join(id.tenant(), Asking { call: id, answer })? {
            let (store, tenant) = (self.clone(), id.tenant());
            // A task of its own: the group is not one caller's, so no caller's end may drop it.
            tokio::spawn(async move {
                let mut lane = store.inner.reads.drive(tenant);
                // Those who come at the same moment go together.
                tokio::task::yield_now().await;
                while let Some(group) = lane.next() {
                    store.answer(tenant, group).await;
                }
            });
        }
        Ok(told.await.map_err(|_| StoreError::Unavailable("the reading was dropped".into()))??)
    }

    async fn answer(&self, tenant: TenantId, group: Vec<Asking>) {
        let calls: BTreeSet<CallId> = group.iter().map(|a| a.call).collect();
        let mut found = BTreeMap::new();
        match self.read_together(tenant, &calls).await {
            Ok(all) => found = all,
            Err(SqlError::Gone(why)) => {
                found.extend(calls.iter().map(|id| (*id, Err(SqlError::Gone(why.clone())))));
            }
            // Something that one of them needs cannot be read: the others are not to suffer.
            Err(_) => {
                for id in &calls {
                    match self.read_together(tenant, &BTreeSet::from([*id])).await {
                        Ok(one) => found.extend(one),
                        Err(error) => drop(found.insert(*id, Err(error))),
                    }
                }
            }
        }
        for asking in group {
            let answer = found.get(&asking.call).cloned().unwrap_or_else(|| Err(missing("call")));
            // A caller who went away needs no answer.
            let _ = asking.answer.send(answer);
        }
    }

    /// All of one moment. A call or lead that cannot be read is its own call's answer alone.
    async fn read_together(
        &self,
        tenant: TenantId,
        ids: &BTreeSet<CallId>,
    ) -> Result<BTreeMap<CallId, Result<Snapshot, SqlError>>, SqlError> {
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Keyed(tenant)).await?;
        let mut answers = BTreeMap::new();
        let mut calls: BTreeMap<CallId, Versioned<Call>> = BTreeMap::new();
        for (id, call) in self.calls_by_id(&mut *tx, &keys, tenant, ids).await? {
            match call {
                Ok(call) => drop(calls.insert(id, call)),
                Err(error) => drop(answers.insert(id, Err(error))),
            }
        }
        let campaigns = self.campaigns_for(&mut *tx, &keys, &calls).await?;
        let leads = self.leads_for(&mut *tx, &keys, tenant, &calls).await?;
        let named = self.named_agents(&mut *tx, &keys, tenant, &calls).await?;
        let free = self.free_agents(&mut *tx, &keys, tenant, &calls, &campaigns).await?;
        let wanted = calls.values().flat_map(|c| guards_of(&c.row)).collect();
        let guards = self.guards_in(&mut *tx, &keys, tenant, &wanted).await?;
        tx.commit().await?;
        for (id, call) in calls {
            let Some(campaign) = campaigns.get(&call.row.plan.campaign).cloned() else {
                answers.insert(id, Err(missing("campaign")));
                continue;
            };
            let lead = match leads.get(&call.row.plan.lead) {
                Some(Ok(lead)) => lead.clone(),
                Some(Err(error)) => {
                    answers.insert(id, Err(error.clone()));
                    continue;
                }
                None => {
                    answers.insert(id, Err(missing("lead")));
                    continue;
                }
            };
            let agents = agents_of(&call.row, &campaign, &named, &free);
            let guards = guards_of(&call.row).iter().filter_map(|k| guards.get(k).cloned()).collect();
            answers.insert(id, Ok(Snapshot { call, campaign, lead, agents, guards }));
        }
        Ok(answers)
    }

    async fn calls_by_id(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        ids: &BTreeSet<CallId>,
    ) -> Result<BTreeMap<CallId, Result<Versioned<Call>, SqlError>>, SqlError> {
        let any = self.dialect().any("id", 2, "uuid");
        let mut found = BTreeMap::new();
        for table in ["calls_live", "calls_done"] {
            let left: BTreeSet<CallId> = ids.iter().filter(|id| !found.contains_key(*id)).copied().collect();
            let sql = format!(
                "SELECT id, version, sealed, body FROM {table} WHERE tenant = $1 AND {any} AND {}",
                between("id")
            );
            let args = [tenant.into(), uuids(left.iter().map(|id| id.key()))];
            let args: Vec<Value> = args.into_iter().chain(ends(&left)).collect();
            for row in tx.rows(&sql, &args).await? {
                let call = tables::call_from(keys, &row, 0).map(|(row, version)| Versioned { row, version });
                found.insert(Id::new(tenant, row.uuid(0)?), call);
            }
            if found.len() == ids.len() {
                break;
            }
        }
        Ok(found)
    }

    async fn campaigns_for(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        calls: &BTreeMap<CallId, Versioned<Call>>,
    ) -> Result<BTreeMap<CampaignId, Arc<Campaign>>, SqlError> {
        let ids: BTreeSet<CampaignId> = calls.values().map(|c| c.row.plan.campaign).collect();
        let mut campaigns = BTreeMap::new();
        for id in ids {
            campaigns.insert(id, self.campaign_in(tx, keys, id).await?.0);
        }
        Ok(campaigns)
    }

    async fn leads_for(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        calls: &BTreeMap<CallId, Versioned<Call>>,
    ) -> Result<BTreeMap<LeadId, Result<Versioned<Lead>, SqlError>>, SqlError> {
        let ids: BTreeSet<LeadId> = calls.values().map(|c| c.row.plan.lead).collect();
        let any = self.dialect().any("l.id", 2, "uuid");
        let sql = format!("SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE l.tenant = $1 AND {any}");
        let mut leads = BTreeMap::new();
        for row in tx.rows(&sql, &[tenant.into(), uuids(ids.iter().map(|id| id.key()))]).await? {
            let lead = tables::lead_from(keys, tenant, &row, 0).map(|(row, version)| Versioned { row, version });
            leads.insert(Id::new(tenant, row.uuid(0)?), lead);
        }
        Ok(leads)
    }

    /// The agents whom calls hold, and those for whom they were made.
    async fn named_agents(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        calls: &BTreeMap<CallId, Versioned<Call>>,
    ) -> Result<Agents, SqlError> {
        let ids: BTreeSet<AgentId> =
            calls.values().flat_map(|c| [c.row.holds(), wanted_agent(&c.row)]).flatten().collect();
        if ids.is_empty() {
            return Ok(Agents::new());
        }
        let any = self.dialect().any("id", 2, "uuid");
        let sql = format!("SELECT id, version, sealed FROM agents WHERE tenant = $1 AND {any}");
        let rows = tx.rows(&sql, &[tenant.into(), uuids(ids.iter().map(|id| id.key()))]).await?;
        Ok(agents_from(keys, &rows).map(|a| (a.row.id, a)).collect())
    }

    /// Free agents for the calls that seek one, the longest idle first: enough for all of them.
    async fn free_agents(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        calls: &BTreeMap<CallId, Versioned<Call>>,
        campaigns: &BTreeMap<CampaignId, Arc<Campaign>>,
    ) -> Result<BTreeMap<Source, Vec<Versioned<Agent>>>, SqlError> {
        let mut most: BTreeMap<Source, usize> = BTreeMap::new();
        for call in calls.values().map(|c| &c.row) {
            if let Some(from) = campaigns.get(&call.plan.campaign).and_then(|c| seeks_from(call, c)) {
                *most.entry(from).or_insert(FREE_MAX) += 1 + call.passed.len();
            }
        }
        let mut free = BTreeMap::new();
        for (from, most) in most {
            let any = self.dialect().any("pool", 2, "uuid");
            // Few different statements, each with its limit in its plan.
            let most = most.next_power_of_two();
            let sql = format!(
                "SELECT id, version, sealed FROM agents WHERE tenant = $1 AND free = 1 AND standing >= $3 AND {any} \
                 ORDER BY since, id LIMIT {most}"
            );
            let pools = uuids(from.0.iter().map(|p| p.key()));
            let rows = tx.rows(&sql, &[tenant.into(), pools, i64::from(from.1).into()]).await?;
            let agents: Vec<_> = agents_from(keys, &rows).collect();
            free.insert(from, agents);
        }
        Ok(free)
    }
}

fn agents_from<'a>(keys: &'a TenantKeys, rows: &'a [Row]) -> impl Iterator<Item = Versioned<Agent>> + 'a {
    rows.iter().filter_map(|row| {
        let (row, version) = readable(tables::agent_from(keys, row, 0), "an agent")?;
        Some(Versioned { row, version })
    })
}

fn guards_of(call: &Call) -> [GuardKey; 2] {
    let plan = &call.plan;
    [GuardKey::Number(plan.to), GuardKey::Person { person: plan.person_key, subject: plan.subject.clone() }]
}

fn seeks(call: &Call) -> bool {
    !call.plan.agentless && matches!(call.stage, Stage::Dialing | Stage::Seeking { .. } | Stage::Offering { .. })
}

/// The agent for whom a call was made; others are asked once they have let it pass.
fn wanted_agent(call: &Call) -> Option<AgentId> {
    call.plan.for_agent.filter(|id| seeks(call) && !call.passed.contains(id))
}

fn seeks_from(call: &Call, campaign: &Campaign) -> Option<Source> {
    let pools = &campaign.settings.transfer.pools;
    let any = seeks(call) && wanted_agent(call).is_none() && !pools.is_empty();
    any.then(|| (pools.clone(), call.plan.mode == TransferMode::Standing))
}

/// The agent whom the call holds, and those who could take it.
fn agents_of(
    call: &Call,
    campaign: &Campaign,
    named: &Agents,
    free: &BTreeMap<Source, Vec<Versioned<Agent>>>,
) -> SmallVec<[Versioned<Agent>; 2]> {
    let held = call.holds();
    let mut agents: SmallVec<_> = held.and_then(|id| named.get(&id)).cloned().into_iter().collect();
    if let Some(wanted) = wanted_agent(call).filter(|&id| held != Some(id)).and_then(|id| named.get(&id)) {
        let stands = call.plan.mode != TransferMode::Standing || wanted.row.is_standing();
        agents.extend((wanted.row.is_free() && stands).then(|| wanted.clone()));
    }
    let free = seeks_from(call, campaign).and_then(|from| free.get(&from));
    let able = free.into_iter().flatten().filter(|a| held != Some(a.row.id) && !call.passed.contains(&a.row.id));
    agents.extend(able.take(FREE_MAX).cloned());
    agents
}
