//! Adding many leads: in batches, each in one transaction with how far its import has got.

use super::{BATCH_MAX, invalid};
use crate::commit::uuids;
use crate::db::{Backend, Conn, Dialect, PutRow, Scope, SqlError, Value};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables::{self, LEAD_NUMBERS, LEADS, QUEUE};
use crate::turns::heavy;
use autocall_core::import::{Reason, Rejection, redact};
use autocall_core::lead::Lead;
use autocall_core::planning::counts::{CountKey, Counts};
use autocall_core::ports::LeadCounts;
use autocall_core::ports::catalog::{Added, CatalogError, ImportStep, LeadBatch};
use autocall_core::{CampaignId, Id, TenantId};
use std::collections::{BTreeMap, BTreeSet};

impl<B: Backend> SqlStore<B> {
    pub(crate) async fn add_batch(&self, batch: &LeadBatch) -> Result<Vec<Added>, CatalogError> {
        check(batch)?;
        let tenant = batch.campaign.tenant();
        let place = self.inner.turns.join(batch.campaign).await;
        let keys = self.keys(tenant).await?;
        // Sealing and hashing happen before the transaction, and before the turn: they hold no lock.
        let rows = heavy(|| seal(&keys, batch));
        let _turn = place.come().await;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        // One import batch of a campaign at a time, so that two files cannot add one number twice. No
        // row is locked for it: dials would wait for one.
        if let Some(sql) = self.dialect().turnstile() {
            let name = batch.campaign.key().as_u128() ^ (u128::from(tenant.0) << 64);
            tx.rows(sql, &[((name ^ (name >> 64)) as u64).into()]).await?;
        }
        let sql = "SELECT 1 FROM campaigns WHERE tenant = $1 AND id = $2";
        tx.row(sql, &[tenant.into(), batch.campaign.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        if let Some(step) = &batch.step
            && !self.step_is_next(&mut *tx, tenant, step).await?
        {
            return Ok(vec![Added::Again; batch.leads.len()]);
        }
        let there = self.there(&mut *tx, tenant, batch).await?;
        let numbers: Vec<Vec<u8>> = rows.iter().map(|r| r.number.clone()).collect();
        let mut known = self.known_in(&mut *tx, batch.campaign, &numbers).await?;
        let mut added = Vec::with_capacity(batch.leads.len());
        let (mut people, mut others, mut queue) = (Vec::new(), Vec::new(), Vec::new());
        let mut counts = LeadCounts::default();
        let mut standing: BTreeMap<CountKey, i64> = BTreeMap::new();
        for (lead, rows) in batch.leads.iter().zip(rows) {
            added.push(if there.contains(&lead.id.key()) {
                Added::Again
            } else if !known.insert(rows.number) {
                Added::Duplicate
            } else {
                people.push(rows.person);
                others.extend(rows.others);
                queue.push(rows.queue);
                counts.add(&LeadCounts::of(lead), 1);
                for (key, n) in Counts::of(lead).iter() {
                    *standing.entry(key.clone()).or_default() += n;
                }
                Added::New
            });
        }
        for (table, rows) in [(&LEADS, people), (&LEAD_NUMBERS, others), (&QUEUE, queue)] {
            if !rows.is_empty() {
                tx.load(table, rows).await?;
            }
        }
        if let Some(step) = &batch.step {
            self.step_done(&mut *tx, tenant, step, &added, batch).await?;
        }
        let sql = "UPDATE campaign_totals SET open = open + $3, calling = calling + $4, closed = closed + $5 \
                   WHERE tenant = $1 AND campaign = $2";
        let of = [counts.open, counts.calling, counts.closed].map(Value::from);
        let mut args: Vec<Value> = vec![tenant.into(), batch.campaign.key().into()];
        args.extend(of);
        tx.run(sql, &args).await?;
        crate::counts::add(&mut *tx, tenant, batch.campaign.key(), &standing, batch.at).await?;
        tx.commit().await?;
        for lead in batch.leads.iter().filter(|l| l.is_open()) {
            self.inner.floors.lower(lead.campaign, tables::lane(lead), (lead.due_at.ms(), lead.order));
        }
        Ok(added)
    }

    /// Which of these numbers (as hashes) the campaign has as somebody's first number.
    pub(crate) async fn known_in(
        &self,
        tx: &mut dyn Conn,
        campaign: CampaignId,
        numbers: &[Vec<u8>],
    ) -> Result<BTreeSet<Vec<u8>>, SqlError> {
        let any = self.dialect().any("number_bx", 3, "bytea");
        let sql = match self.dialect() {
            // One probe for each number, whatever the planner believes of a list that is being filled: it
            // would read the whole campaign for every batch. The last comparison is written so that
            // no index serves it, and only that of the numbers is left.
            Dialect::Postgres => "SELECT n.bx FROM unnest($3::bytea[]) AS n(bx) CROSS JOIN LATERAL \
                 (SELECT 1 FROM leads l WHERE l.tenant = $1 AND l.number_bx = n.bx \
                 AND l.campaign IS NOT DISTINCT FROM $2 LIMIT 1) AS one"
                .to_owned(),
            Dialect::Sqlite => format!("SELECT number_bx FROM leads WHERE tenant = $1 AND campaign = $2 AND {any}"),
        };
        let list = Value::Blobs(numbers.iter().cloned().map(Some).collect());
        let rows = tx.rows(&sql, &[campaign.tenant().into(), campaign.key().into(), list]).await?;
        rows.iter().map(|r| Ok(r.blob(0)?.to_vec())).collect()
    }

    async fn there(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        batch: &LeadBatch,
    ) -> Result<BTreeSet<uuid::Uuid>, SqlError> {
        let sql = format!("SELECT id FROM leads WHERE tenant = $1 AND {}", self.dialect().any("id", 2, "uuid"));
        let rows = tx.rows(&sql, &[tenant.into(), uuids(batch.leads.iter().map(|l| l.id.key()))]).await?;
        rows.iter().map(|r| r.uuid(0)).collect()
    }

    /// Whether the step is the next one; `false` if it was taken already.
    async fn step_is_next(&self, tx: &mut dyn Conn, tenant: TenantId, step: &ImportStep) -> Result<bool, CatalogError> {
        let sql =
            format!("SELECT line_done, state FROM imports WHERE tenant = $1 AND id = $2{}", self.dialect().lock());
        let row = tx.row(&sql, &[tenant.into(), step.import.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        let done = row.count(0)?;
        if done == step.from_line && row.text(1)? == "running" {
            Ok(true)
        } else if done >= step.to_line {
            Ok(false)
        } else {
            Err(CatalogError::Changed)
        }
    }

    async fn step_done(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        step: &ImportStep,
        added: &[Added],
        batch: &LeadBatch,
    ) -> Result<(), SqlError> {
        let count = |what: Added| added.iter().filter(|a| **a == what).count() as u64;
        let mut rejections = step.rejected.clone();
        for ((lead, added), &line) in batch.leads.iter().zip(added).zip(&step.lines) {
            if *added == Added::Duplicate {
                let value = lead.numbers.first().map(|n| redact(&n.phone.e164())).unwrap_or_default();
                let reason = Reason::DuplicateInCampaign;
                rejections.push(Rejection { line, column: "phone".into(), value, reason });
            }
        }
        rejections.sort_by_key(|r| r.line);
        let sql = "UPDATE imports SET line_done = $3, bytes_done = $4, added = added + $5, duplicates = duplicates + $6, \
                   rejected = rejected + $7, version = version + 1 WHERE tenant = $1 AND id = $2 \
                   RETURNING rejected + duplicates";
        let args = [
            tenant.into(),
            step.import.key().into(),
            step.to_line.into(),
            step.bytes_done.into(),
            count(Added::New).into(),
            count(Added::Duplicate).into(),
            (step.rejected.len() as u64).into(),
        ];
        let total = tx.row(sql, &args).await?.map_or(Ok(0), |r| r.count(0))?;
        let first = total.saturating_sub(rejections.len() as u64);
        let table = &REJECTIONS;
        let rows = rejections.iter().zip(first + 1..).map(|(r, n)| PutRow {
            values: vec![tenant.into(), step.import.key().into(), n.into(), Value::Json(serde_json::to_string(r).ok())],
            version: (0, 0),
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() { Ok(()) } else { tx.put(table, rows).await }
    }
}

/// A lead's rows, sealed.
struct Rows {
    number: Vec<u8>,
    person: PutRow,
    others: Vec<PutRow>,
    queue: PutRow,
}

fn seal(keys: &TenantKeys, batch: &LeadBatch) -> Vec<Rows> {
    let rows = |lead: &Lead| Rows {
        number: lead.numbers.first().map(|n| keys.number(n.phone)).unwrap_or_default(),
        person: tables::lead_row(keys, lead, batch.at),
        others: tables::lead_number_rows(keys, lead),
        queue: tables::queue_row(lead, tables::lead_print(keys, lead), batch.at, (0, 1)),
    };
    batch.leads.iter().map(rows).collect()
}

/// What an import refused; redacted before it gets here.
static REJECTIONS: crate::db::Table = crate::db::Table {
    name: "rejections",
    columns: &[("tenant", "bigint"), ("import", "uuid"), ("n", "bigint"), ("body", "jsonb")],
    key: 3,
    versioned: false,
};

fn check(batch: &LeadBatch) -> Result<(), CatalogError> {
    if batch.leads.len() > BATCH_MAX {
        return Err(invalid("at most 10000 leads in one batch"));
    }
    let tenant = batch.campaign.tenant();
    let own = |l: &autocall_core::lead::Lead| l.id.tenant() == tenant && l.campaign == batch.campaign;
    if !batch.leads.iter().all(own) {
        return Err(invalid("every lead of a batch must be the campaign's"));
    }
    if batch.leads.iter().any(|l| l.numbers.is_empty()) {
        return Err(invalid("every lead must have a number"));
    }
    if let Some(step) = &batch.step
        && (step.import.tenant() != tenant || step.lines.len() != batch.leads.len() || step.to_line < step.from_line)
    {
        return Err(invalid("the step does not fit its batch"));
    }
    let ids: BTreeSet<Id<_>> = batch.leads.iter().map(|l| l.id).collect();
    if ids.len() != batch.leads.len() {
        return Err(invalid("two leads of the batch have one id"));
    }
    Ok(())
}
