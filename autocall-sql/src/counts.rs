//! A campaign's counters: moved by every commit, read by planning, proven by a recount.

use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use autocall_core::permission::RuleId;
use autocall_core::planning::caller_id::Shown;
use autocall_core::planning::counts::{Bucket, CountKey, hour_of};
use autocall_core::planning::funnel::Funnel;
use autocall_core::planning::lane::Lane;
use autocall_core::planning::quota::QuotaCount;
use autocall_core::ports::catalog::{CatalogError, Recount};
use autocall_core::settings::Settings;
use autocall_core::{CampaignId, Phone, TenantId, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Rows that one statement writes.
const CHUNK: usize = 16;

fn kind(key: &CountKey) -> i64 {
    match key {
        CountKey::Bucket(_) => 1,
        CountKey::Lane(_) => 2,
        CountKey::QuotaDone(_) | CountKey::QuotaInFlight(_) => 3,
    }
}

/// Adds differences. Keys come in their order, so that two nodes never wait for each other in a
/// circle.
pub(crate) async fn add(
    tx: &mut dyn Conn,
    tenant: TenantId,
    campaign: Uuid,
    counts: &BTreeMap<CountKey, i64>,
    at: Timestamp,
) -> Result<(), SqlError> {
    let changed: Vec<(&CountKey, i64)> = counts.iter().map(|(k, n)| (k, *n)).filter(|(_, n)| *n != 0).collect();
    for chunk in changed.chunks(CHUNK) {
        let mut args: Vec<Value> = vec![tenant.into(), campaign.into(), at.into()];
        let mut rows = Vec::with_capacity(chunk.len());
        for (key, n) in chunk {
            let p = args.len();
            rows.push(format!("($1, $2, $3, ${}, ${}, ${})", p + 1, p + 2, p + 3));
            args.extend([kind(key).into(), key.to_string().into(), (*n).into()]);
        }
        let sql = format!(
            "INSERT INTO campaign_counts (tenant, campaign, at, kind, key, n) VALUES {} \
             ON CONFLICT (tenant, campaign, kind, key) DO UPDATE SET n = campaign_counts.n + excluded.n, \
             at = CASE WHEN excluded.at > campaign_counts.at THEN excluded.at ELSE campaign_counts.at END",
            rows.join(", ")
        );
        tx.run(&sql, &args).await?;
    }
    Ok(())
}

/// Adds to what is known of numbers that were shown; each by its keyed hash.
pub(crate) async fn add_shown(
    tx: &mut dyn Conn,
    tenant: TenantId,
    shown: BTreeMap<Vec<u8>, Shown>,
) -> Result<(), SqlError> {
    for (number, shown) in shown {
        let sql = "INSERT INTO caller_counts (tenant, number_bx, dials, answers) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (tenant, number_bx) DO UPDATE SET dials = caller_counts.dials + excluded.dials, \
                   answers = caller_counts.answers + excluded.answers";
        tx.run(sql, &[tenant.into(), number.into(), shown.dials.into(), shown.answers.into()]).await?;
    }
    Ok(())
}

/// The lanes of a campaign that hold open leads, and how many; those that its filter leaves out
/// aside.
pub(crate) async fn lanes(tx: &mut dyn Conn, id: CampaignId) -> Result<Vec<(Lane, i64)>, SqlError> {
    let sql = "SELECT key, n FROM campaign_counts WHERE tenant = $1 AND campaign = $2 AND kind = 2 AND n > 0";
    let mut found = Vec::new();
    for row in tx.rows(sql, &[id.tenant().into(), id.key().into()]).await? {
        if let Ok(CountKey::Lane(lane)) = row.text(0)?.parse()
            && lane != Lane::PARKED
        {
            found.push((lane, row.int(1)?));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// How far a campaign's quotas are filled, in the order of its settings.
pub(crate) async fn quotas(
    tx: &mut dyn Conn,
    id: CampaignId,
    settings: &Settings,
) -> Result<smallvec::SmallVec<[QuotaCount; 1]>, SqlError> {
    if settings.quotas.is_empty() {
        return Ok(smallvec::SmallVec::new());
    }
    let sql = "SELECT key, n FROM campaign_counts WHERE tenant = $1 AND campaign = $2 AND kind = 3";
    let mut of: BTreeMap<String, QuotaCount> = BTreeMap::new();
    for row in tx.rows(sql, &[id.tenant().into(), id.key().into()]).await? {
        let n = row.count(1)?.min(u64::from(u32::MAX)) as u32;
        match row.text(0)?.parse() {
            Ok(CountKey::QuotaDone(name)) => of.entry(name.to_string()).or_default().done = n,
            Ok(CountKey::QuotaInFlight(name)) => of.entry(name.to_string()).or_default().in_flight = n,
            _ => {}
        }
    }
    Ok(settings.quotas.iter().map(|q| of.get(&q.name).copied().unwrap_or_default()).collect())
}

impl<B: Backend> SqlStore<B> {
    /// What calls that showed these numbers came to, in order.
    pub(crate) async fn shown_in(
        &self,
        tx: &mut dyn Conn,
        keys: &crate::seal::TenantKeys,
        tenant: TenantId,
        numbers: &[Phone],
    ) -> Result<Vec<Shown>, SqlError> {
        let hashes: Vec<Vec<u8>> = numbers.iter().map(|&p| keys.number(p)).collect();
        let any = self.dialect().any("number_bx", 2, "bytea");
        let sql = format!("SELECT number_bx, dials, answers FROM caller_counts WHERE tenant = $1 AND {any}");
        let list = Value::Blobs(hashes.iter().cloned().map(Some).collect());
        let mut of: BTreeMap<Vec<u8>, Shown> = BTreeMap::new();
        for row in tx.rows(&sql, &[tenant.into(), list]).await? {
            of.insert(row.blob(0)?.to_vec(), Shown { dials: row.count(1)?, answers: row.count(2)? });
        }
        Ok(hashes.iter().map(|bx| of.get(bx).copied().unwrap_or_default()).collect())
    }

    pub(crate) async fn funnel_of(&self, id: CampaignId) -> Result<Funnel, CatalogError> {
        self.keys(id.tenant()).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let args = [id.tenant().into(), id.key().into()];
        let there = "SELECT 1 FROM campaigns WHERE tenant = $1 AND id = $2";
        tx.row(there, &args).await?.ok_or(CatalogError::NotFound)?;
        let sql = "SELECT key, n, at FROM campaign_counts WHERE tenant = $1 AND campaign = $2 AND kind = 1";
        let (mut counts, mut as_of) = (BTreeMap::new(), Timestamp::EPOCH);
        for row in tx.rows(sql, &args).await? {
            as_of = as_of.max(row.at(2)?);
            if let Ok(key) = row.text(0)?.parse::<CountKey>() {
                counts.insert(key, row.int(1)?);
            }
        }
        Ok(Funnel::of(counts.iter().map(|(key, n)| (key, *n)), as_of))
    }

    /// Counts leads one by one and puts the counters right. Both are read by one statement, and what
    /// is put right is a difference: commits that come in between are not lost.
    pub(crate) async fn recount_of(&self, id: CampaignId, at: Timestamp) -> Result<Recount, CatalogError> {
        let tenant = id.tenant();
        self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let sql = format!(
            "SELECT CAST(0 AS bigint), key, CAST(NULL AS text), CAST(0 AS bigint), CAST(0 AS bigint), n \
             FROM campaign_counts WHERE tenant = $1 AND campaign = $2 AND kind IN (1, 2) AND n <> 0 \
             UNION ALL SELECT CAST(1 AS bigint), {STANDING}, COUNT(*) \
             FROM call_queue WHERE tenant = $1 AND campaign = $2 GROUP BY 1, 2, 3, 4, 5"
        );
        let (mut kept, mut counted) = (BTreeMap::new(), BTreeMap::new());
        for row in tx.rows(&sql, &[tenant.into(), id.key().into()]).await? {
            let n = row.int(5)?;
            if row.int(0)? == 0 {
                if let Ok(key) = row.text(1)?.parse::<CountKey>() {
                    *kept.entry(key).or_default() += n;
                }
                continue;
            }
            for key in standing(&row, 1)? {
                *counted.entry(key).or_insert(0i64) += n;
            }
        }
        let mut wrong: BTreeMap<CountKey, i64> = counted.clone();
        for (key, n) in &kept {
            *wrong.entry(key.clone()).or_default() -= *n;
        }
        wrong.retain(|_, n| *n != 0);
        add(&mut *tx, tenant, id.key(), &wrong, at).await?;
        let gone = "DELETE FROM campaign_counts WHERE tenant = $1 AND campaign = $2 AND n = 0";
        tx.run(gone, &[tenant.into(), id.key().into()]).await?;
        tx.commit().await?;
        let funnel = |counts: &BTreeMap<CountKey, i64>| Funnel::of(counts.iter().map(|(k, n)| (k, *n)), at);
        Ok(Recount { kept: funnel(&kept), counted: funnel(&counted), wrong: wrong.len() as u32 })
    }
}

/// What a lead counts for.
pub(crate) type Standing = smallvec::SmallVec<[CountKey; 2]>;

/// The columns of `call_queue` that [`standing`] reads: state, reason or rule, lane, and the hour in
/// which the lead is due (NULL for never, -1 for at once).
pub(crate) const STANDING: &str = "state, CASE WHEN state = 'closed' THEN body->'state'->>'why' ELSE blocked_by END, \
     lane, CASE WHEN due_at = 9223372036854775807 THEN NULL WHEN due_at <= 0 THEN -1 ELSE due_at / 3600000 END";

/// What a lead counts for, from [`STANDING`] at column `c`.
pub(crate) fn standing(row: &Row, c: usize) -> Result<Standing, SqlError> {
    let lane = Lane::from_number(row.count(c + 2)? as u16).unwrap_or(Lane::PARKED);
    let state = row.text(c)?;
    let mut keys = Standing::new();
    keys.push(CountKey::Bucket(bucket(state, row.text_opt(c + 1)?, lane, row.int_opt(c + 3)?)));
    if state == "open" {
        keys.push(CountKey::Lane(lane));
    }
    Ok(keys)
}

/// As [`Bucket::of`] sees the lead.
fn bucket(state: &str, word: Option<&str>, lane: Lane, hour: Option<i64>) -> Bucket {
    let closed = |word| match format!("closed:{word}").parse() {
        Ok(CountKey::Bucket(bucket)) => bucket,
        _ => Bucket::Closed { why: autocall_core::lead::Closed::ByHand },
    };
    match (state, word) {
        ("calling", _) => Bucket::Calling,
        ("closed", word) => closed(word.unwrap_or("by_hand")),
        _ if lane == Lane::PARKED => Bucket::Filtered,
        (_, Some(rule)) => Bucket::Blocked { rule: RuleId::new(rule), hour: hour.map(|h| h.max(0)) },
        (_, None) if hour == Some(-1) => Bucket::Fresh,
        (_, None) => Bucket::Waiting { hour },
    }
}

/// What changes when a lead that a rule keeps waiting is made due at `at`.
pub(crate) fn redated(lane: Lane, rule: &str, due_at: Timestamp, at: Timestamp) -> Vec<(CountKey, i64)> {
    if lane == Lane::PARKED {
        return Vec::new();
    }
    let before = Bucket::Blocked { rule: RuleId::new(rule), hour: hour_of(due_at) };
    let after = if at <= Timestamp::EPOCH { Bucket::Fresh } else { Bucket::Waiting { hour: hour_of(at) } };
    vec![(CountKey::Bucket(before), -1), (CountKey::Bucket(after), 1)]
}
