//! Campaigns, leads and agents.

use super::{Where, after_key, after_time, changed, one_more, page_of};
use crate::db::{Backend, Row, Scope, SqlError, Value};
use crate::find::{TOTALS, totals};
use crate::keys::SqlStore;
use crate::seal::{Field, TenantKeys};
use crate::tables::{self, LEAD_COLUMNS, LEAD_JOIN};
use async_trait::async_trait;
use autocall_core::agent::Agent;
use autocall_core::campaign::State;
use autocall_core::lead::Lead;
use autocall_core::planning::counts::CountKey;
use autocall_core::planning::funnel::Funnel;
use autocall_core::planning::lane::Lane;
use autocall_core::ports::catalog::{
    Added, CampaignBook, CampaignItem, CatalogError, LeadBatch, LeadBook, LeadFilter, LeadPhase, Page, PageAsk,
    Recount, Roster, StoredPool,
};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{AgentId, CampaignId, Id, LeadId, Phone, PoolId, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl<B: Backend> SqlStore<B> {
    fn campaign_item_from(&self, keys: &TenantKeys, tenant: TenantId, row: &Row) -> Result<CampaignItem, SqlError> {
        let (id, version) = (Id::new(tenant, row.uuid(0)?), row.count(2)?);
        let campaign = match self.remembered(id, version) {
            Some(campaign) => campaign,
            None => Arc::new(tables::campaign_from(keys, row, 0)?),
        };
        let (load, leads, spent_micros) = totals(row, 4)?;
        let campaign = Versioned { row: campaign, version };
        Ok(CampaignItem { campaign, load, leads, spent_micros, created_at: row.at(3)? })
    }
}

fn campaign_sql(condition: &str) -> String {
    format!(
        "SELECT c.id, c.sealed, c.version, t.created_at, {TOTALS} FROM campaigns c \
         JOIN campaign_totals t ON t.tenant = c.tenant AND t.campaign = c.id WHERE {condition}"
    )
}

#[async_trait]
impl<B: Backend> CampaignBook for SqlStore<B> {
    async fn campaigns(
        &self,
        tenant: TenantId,
        state: Option<State>,
        page: &PageAsk,
    ) -> Result<Page<CampaignItem>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let (at, key) = after_time(page)?;
        let mut w = Where::new("c.tenant", tenant);
        let word = state.and_then(|s| serde_json::to_value(s).ok()).and_then(|s| s.as_str().map(str::to_owned));
        w.and_some("c.state = {}", word);
        let (at, key) = (w.arg(at), w.arg(key));
        let limit = w.arg(one_more(page));
        let sql = campaign_sql(&format!(
            "{} AND (t.created_at, c.id) < ({at}, {key}) ORDER BY t.created_at DESC, c.id DESC LIMIT {limit}",
            w.sql
        ));
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &w.args).await?;
        let items: Vec<CampaignItem> =
            rows.iter().map(|r| self.campaign_item_from(&keys, tenant, r)).collect::<Result<_, _>>()?;
        Ok(page_of(items, page, |i| format!("{}.{}", i.created_at.ms(), i.campaign.row.id.key().simple())))
    }

    async fn campaign_item(&self, id: CampaignId) -> Result<CampaignItem, CatalogError> {
        let keys = self.keys(id.tenant()).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let sql = campaign_sql("c.tenant = $1 AND c.id = $2");
        let row = tx.row(&sql, &[id.tenant().into(), id.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        Ok(self.campaign_item_from(&keys, id.tenant(), &row)?)
    }

    async fn funnel(&self, id: CampaignId) -> Result<Funnel, CatalogError> {
        self.funnel_of(id).await
    }

    async fn recount(&self, id: CampaignId, at: Timestamp) -> Result<Recount, CatalogError> {
        self.recount_of(id, at).await
    }
}

/// Says why a sealed field cannot be searched.
fn searchable(filter: &LeadFilter) -> Result<(), CatalogError> {
    if filter.name_part.is_some() {
        let why = "names are sealed at rest and only a keyed hash of the whole name is kept; search for the full name";
        return Err(CatalogError::Unsearchable { field: "name", why });
    }
    if filter.notes_part.is_some() {
        let why =
            "notes and free fields are sealed at rest and nothing of them is kept for search; export and search there";
        return Err(CatalogError::Unsearchable { field: "notes", why });
    }
    Ok(())
}

fn lead_where(keys: &TenantKeys, tenant: TenantId, f: &LeadFilter) -> Where {
    let mut w = Where::new("l.tenant", tenant);
    w.and_some("l.campaign = {}", f.campaign.map(|c| c.key()));
    w.and_some("l.list = {}", f.list.map(|c| c.key()));
    let phase = |p| match p {
        LeadPhase::Open => "open",
        LeadPhase::Calling => "calling",
        LeadPhase::Closed => "closed",
    };
    w.and_some("q.state = {}", f.phase.map(phase));
    w.and_some("q.priority = {}", f.priority.map(|p| p as i64));
    w.and_some("q.last = {}", f.last.as_deref());
    w.and_some("q.blocked_by = {}", f.blocked_by.as_deref());
    if let Some(phone) = f.phone {
        let number = keys.number(phone);
        // Each half by its own index; joined by OR neither could be used.
        let tenant = w.arg(tenant);
        let theirs = format!(
            "l.id IN (SELECT id FROM leads WHERE tenant = {tenant} AND number_bx = {{}} \
             UNION SELECT lead FROM lead_numbers WHERE tenant = {tenant} AND number_bx = {{}})"
        );
        w.and(&theirs, number);
    }
    if let Some(name) = &f.name {
        w.and("l.name_bx = {}", keys.name(name.expose()).unwrap_or_default());
    }
    if let Some(external) = &f.external_id {
        w.and("l.external_bx = {}", keys.blind(Field::External, external.expose().trim().as_bytes()));
    }
    w
}

pub(crate) fn leads_from(keys: &TenantKeys, tenant: TenantId, rows: &[Row]) -> Result<Vec<Versioned<Lead>>, SqlError> {
    let one = |r: &Row| tables::lead_from(keys, tenant, r, 0).map(|(row, version)| Versioned { row, version });
    rows.iter().map(one).collect()
}

#[async_trait]
impl<B: Backend> LeadBook for SqlStore<B> {
    async fn add_leads(&self, batch: &LeadBatch) -> Result<Vec<Added>, CatalogError> {
        self.add_batch(batch).await
    }

    async fn lead(&self, id: LeadId) -> Result<Versioned<Lead>, CatalogError> {
        let keys = self.keys(id.tenant()).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        Ok(self.lead_in(&mut *tx, &keys, id.tenant(), id.key()).await?)
    }

    async fn leads(
        &self,
        tenant: TenantId,
        filter: &LeadFilter,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Lead>>, CatalogError> {
        searchable(filter)?;
        let keys = self.keys(tenant).await?;
        let mut w = lead_where(&keys, tenant, filter);
        w.and("l.id > {}", after_key(page)?);
        let limit = w.arg(one_more(page));
        let sql = format!("SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE {} ORDER BY l.id LIMIT {limit}", w.sql);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let leads = leads_from(&keys, tenant, &tx.rows(&sql, &w.args).await?)?;
        Ok(page_of(leads, page, |l| l.row.id.key().simple().to_string()))
    }

    async fn known_numbers(&self, campaign: CampaignId, numbers: &[Phone]) -> Result<Vec<bool>, CatalogError> {
        if numbers.len() > super::BATCH_MAX {
            return Err(super::invalid("at most 10000 numbers at once"));
        }
        let tenant = campaign.tenant();
        let keys = self.keys(tenant).await?;
        let wanted: Vec<Vec<u8>> = numbers.iter().map(|&p| keys.number(p)).collect();
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let known = self.known_in(&mut *tx, campaign, &wanted).await?;
        Ok(wanted.iter().map(|bx| known.contains(bx)).collect())
    }

    async fn redate(
        &self,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        rule: &str,
        at: Timestamp,
        limit: u32,
    ) -> Result<u32, CatalogError> {
        let mut w = Where::new("tenant", tenant);
        w.and("blocked_by = {}", rule);
        w.and("due_at > {}", at);
        w.and_some("campaign = {}", campaign.map(|c| c.key()));
        let limit = w.arg(limit.min(10_000));
        let d = self.dialect();
        let sql = format!(
            "SELECT lead, campaign, lane, due_at, callback_at FROM call_queue WHERE {} AND state = 'open' \
             AND (callback_at IS NULL OR due_at > callback_at) ORDER BY lead LIMIT {limit}{}",
            w.sql,
            d.lock()
        );
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &w.args).await?;
        let mut leads = Vec::with_capacity(rows.len());
        let mut lanes: BTreeSet<(CampaignId, i64)> = BTreeSet::new();
        let mut moved: BTreeMap<uuid::Uuid, BTreeMap<CountKey, i64>> = BTreeMap::new();
        for row in &rows {
            leads.push(Some(row.uuid(0)?));
            lanes.insert((Id::new(tenant, row.uuid(1)?), row.int(2)?));
            let lane = Lane::from_number(row.count(2)? as u16).unwrap_or(Lane::PARKED);
            let counts = moved.entry(row.uuid(1)?).or_default();
            for (key, n) in crate::counts::redated(lane, rule, row.at(3)?, at.max(row.at_opt(4)?.unwrap_or(at))) {
                *counts.entry(key).or_default() += n;
            }
        }
        if leads.is_empty() {
            return Ok(0);
        }
        let n = leads.len() as u32;
        let any = d.any("lead", 3, "uuid");
        let sql = format!(
            "UPDATE call_queue SET due_at = CASE WHEN callback_at > $2 THEN callback_at ELSE $2 END, blocked_by = NULL, \
             version = version + 1 WHERE tenant = $1 AND {any}"
        );
        tx.run(&sql, &[tenant.into(), at.into(), Value::Uuids(leads)]).await?;
        for (campaign, counts) in &moved {
            crate::counts::add(&mut *tx, tenant, *campaign, counts, at).await?;
        }
        tx.commit().await?;
        for (campaign, lane) in lanes {
            self.inner.floors.lower(campaign, lane, (at.ms(), i64::MIN));
        }
        Ok(n)
    }
}

#[async_trait]
impl<B: Backend> Roster for SqlStore<B> {
    async fn agents(
        &self,
        tenant: TenantId,
        pool: Option<PoolId>,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Agent>>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut w = Where::new("tenant", tenant);
        w.and_some("pool = {}", pool.map(|p| p.key()));
        w.and("id > {}", after_key(page)?);
        let limit = w.arg(one_more(page));
        let sql = format!("SELECT id, version, sealed FROM agents WHERE {} ORDER BY id LIMIT {limit}", w.sql);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let one = |r: &Row| tables::agent_from(&keys, r, 0).map(|(row, version)| Versioned { row, version });
        let agents = tx.rows(&sql, &w.args).await?.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(agents, page, |a| a.row.id.key().simple().to_string()))
    }

    async fn agent(&self, id: AgentId) -> Result<Versioned<Agent>, CatalogError> {
        let keys = self.keys(id.tenant()).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let sql = "SELECT id, version, sealed FROM agents WHERE tenant = $1 AND id = $2";
        let row = tx.row(sql, &[id.tenant().into(), id.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        let (row, version) = tables::agent_from(&keys, &row, 0)?;
        Ok(Versioned { row, version })
    }

    async fn remove_agent(&self, id: AgentId, version: u64) -> Result<(), CatalogError> {
        let mut tx = self.inner.db.write(Scope::Tenant(id.tenant())).await?;
        let sql = "DELETE FROM agents WHERE tenant = $1 AND id = $2 AND version = $3 AND status = 'offline' \
                   AND state = 'idle'";
        let n = tx.run(sql, &[id.tenant().into(), id.key().into(), version.into()]).await?;
        if n == 0 {
            let there = "SELECT 1 FROM agents WHERE tenant = $1 AND id = $2";
            let there = tx.row(there, &[id.tenant().into(), id.key().into()]).await?;
            return Err(if there.is_some() { CatalogError::Changed } else { CatalogError::NotFound });
        }
        Ok(tx.commit().await?)
    }

    async fn pools(&self, tenant: TenantId) -> Result<Vec<Versioned<StoredPool>>, CatalogError> {
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let sql = "SELECT id, name, version FROM pools WHERE tenant = $1 ORDER BY name, id LIMIT 10000";
        let one = |r: &Row| -> Result<_, SqlError> {
            let row = StoredPool { id: Id::new(tenant, r.uuid(0)?), name: r.text(1)?.into() };
            Ok(Versioned { row, version: r.count(2)? })
        };
        Ok(tx.rows(sql, &[tenant.into()]).await?.iter().map(one).collect::<Result<_, _>>()?)
    }

    async fn put_pool(&self, put: &Put<StoredPool>) -> Result<(), CatalogError> {
        let (id, tenant) = (put.row.id, put.row.id.tenant());
        self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let args = [tenant.into(), id.key().into(), (&*put.row.name).into(), put.expected.into()];
        let n = if put.expected == 0 {
            let sql = "INSERT INTO pools (tenant, id, name, version) VALUES ($1, $2, $3, $4 + 1)";
            tx.run(sql, &args).await.map_err(changed)?
        } else {
            let sql =
                "UPDATE pools SET name = $3, version = version + 1 WHERE tenant = $1 AND id = $2 AND version = $4";
            tx.run(sql, &args).await?
        };
        if n == 0 {
            return Err(CatalogError::Changed);
        }
        Ok(tx.commit().await?)
    }
}
