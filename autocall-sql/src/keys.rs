//! The store itself, and each tenant's keys.

use crate::commit::Waiting;
use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::floor::Floors;
use crate::lanes::Lanes;
use crate::seal::{Sealing, Secret, TenantKeys, fresh_secret};
use crate::snapshots::Asking;
use crate::turns::Turns;
use autocall_core::campaign::Campaign;
use autocall_core::{CampaignId, TenantId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a tenant's keys are believed. Shorter than [`KEY_REST_MS`]: every node knows a new key
/// before the first row is sealed with it.
const KEYS_TTL: Duration = Duration::from_secs(20);

/// How long a new data key waits before rows are sealed with it, milliseconds.
pub(crate) const KEY_REST_MS: i64 = 60_000;

/// Campaigns remembered, decoded.
const CAMPAIGNS_MAX: usize = 10_000;

/// A store over a database: [`autocall_core::ports::Store`], the catalog and the directory.
pub struct SqlStore<B: Backend> {
    pub(crate) inner: Arc<Inner<B>>,
}

impl<B: Backend> Clone for SqlStore<B> {
    fn clone(&self) -> Self {
        SqlStore { inner: self.inner.clone() }
    }
}

pub(crate) struct Inner<B> {
    pub(crate) db: B,
    pub(crate) sealing: Sealing,
    pub(crate) floors: Floors,
    pub(crate) commits: Lanes<Waiting>,
    pub(crate) reads: Lanes<Asking>,
    pub(crate) turns: Turns,
    keys: Mutex<BTreeMap<TenantId, (Instant, Arc<TenantKeys>)>>,
    campaigns: Mutex<BTreeMap<CampaignId, (u64, Arc<Campaign>)>>,
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

impl<B: Backend> SqlStore<B> {
    /// A store over a database whose schema is in place.
    pub fn new(db: B, sealing: Sealing) -> SqlStore<B> {
        let groups_max = db.dialect().groups_max();
        let inner = Inner {
            db,
            sealing,
            floors: Floors::default(),
            commits: Lanes::new(groups_max),
            reads: Lanes::new(groups_max),
            turns: Turns::default(),
            keys: Mutex::default(),
            campaigns: Mutex::default(),
        };
        SqlStore { inner: Arc::new(inner) }
    }

    /// The database.
    pub fn backend(&self) -> &B {
        &self.inner.db
    }

    /// A tenant's keys; made with the tenant's row when it is first heard of.
    pub(crate) async fn keys(&self, tenant: TenantId) -> Result<Arc<TenantKeys>, SqlError> {
        let cached = {
            let keys = self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.get(&tenant).filter(|(at, _)| at.elapsed() < KEYS_TTL).map(|(_, k)| k.clone())
        };
        if let Some(keys) = cached {
            return Ok(keys);
        }
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let mut rows = key_rows(&mut *tx, tenant).await?;
        drop(tx);
        if rows.is_empty() {
            let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
            self.ensure_tenant(&mut *tx, tenant).await?;
            rows = key_rows(&mut *tx, tenant).await?;
            tx.commit().await?;
        }
        let keys = Arc::new(self.unwrap_keys(tenant, &rows)?);
        if rows.iter().any(|r| r.blob(1).is_ok_and(|wrapped| !self.inner.sealing.is_current(wrapped))) {
            self.wrap_anew(tenant).await?;
        }
        let mut cache = self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(tenant, (Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// Forgets a tenant's keys, so that they are read again.
    pub(crate) fn forget_keys(&self, tenant: TenantId) {
        self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }

    /// Wraps a tenant's keys with the active key-encryption key: after it has changed, and after
    /// sealing was turned on.
    async fn wrap_anew(&self, tenant: TenantId) -> Result<(), SqlError> {
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        self.wrap_anew_in(&mut *tx, tenant).await?;
        tx.commit().await
    }

    pub(crate) async fn wrap_anew_in(&self, tx: &mut dyn Conn, tenant: TenantId) -> Result<(), SqlError> {
        for row in key_rows(tx, tenant).await? {
            if !self.inner.sealing.is_current(row.blob(1)?) {
                let key = self.inner.sealing.unwrap(tenant, row.int(0)?, row.blob(1)?)?;
                let wrapped = self.inner.sealing.wrap(tenant, row.int(0)?, &key);
                let sql = "UPDATE tenant_keys SET wrapped = $3 WHERE tenant = $1 AND number = $2";
                tx.run(sql, &[tenant.into(), row.int(0)?.into(), wrapped.into()]).await?;
            }
        }
        Ok(())
    }

    fn unwrap_keys(&self, tenant: TenantId, rows: &[Row]) -> Result<TenantKeys, SqlError> {
        let (mut index, mut data) = (None, Vec::<(u32, Secret)>::new());
        let now = now_ms();
        let mut resting = Vec::new();
        for row in rows {
            let number = row.int(0)?;
            let key = self.inner.sealing.unwrap(tenant, number, row.blob(1)?)?;
            match number {
                0 => index = Some(key),
                // A key that rests still opens what other nodes sealed: it goes before the active.
                n if row.int(2)? > now && !data.is_empty() => resting.push((n as u32, key)),
                n => data.push((n as u32, key)),
            }
        }
        resting.append(&mut data);
        let index = index.ok_or_else(|| SqlError::Unreadable("the tenant has no index key".into()))?;
        Ok(TenantKeys::new(tenant, index, resting, self.inner.sealing.is_on()))
    }

    /// Makes a tenant's row, marks and keys, where they are not there yet.
    pub(crate) async fn ensure_tenant(&self, tx: &mut dyn Conn, tenant: TenantId) -> Result<(), SqlError> {
        let name = format!("tenant {tenant}");
        tx.run(
            "INSERT INTO tenants (tenant, version, name, active, created_at) VALUES ($1, 1, $2, 1, $3) \
             ON CONFLICT (tenant) DO NOTHING",
            &[tenant.into(), name.into(), now_ms().into()],
        )
        .await?;
        tx.run(
            "INSERT INTO tenant_marks (tenant, feed, audit) VALUES ($1, 0, 0) ON CONFLICT (tenant) DO NOTHING",
            &[tenant.into()],
        )
        .await?;
        // The guard of prefixes is there from the start: a dial that only checks it must meet whoever
        // lists the first prefix.
        tx.run(
            "INSERT INTO guards (tenant, kind, key, version, value) VALUES ($1, 6, $2, 1, $3) \
             ON CONFLICT (tenant, kind, key) DO NOTHING",
            &[tenant.into(), Vec::<u8>::new().into(), Value::Json(Some("\"version\"".into()))],
        )
        .await?;
        for number in [0i64, 1] {
            let wrapped = self.inner.sealing.wrap(tenant, number, &fresh_secret());
            tx.run(
                "INSERT INTO tenant_keys (tenant, number, wrapped, active_at) VALUES ($1, $2, $3, 0) \
                 ON CONFLICT (tenant, number) DO NOTHING",
                &[tenant.into(), number.into(), wrapped.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// A campaign by its version, if it is remembered.
    pub(crate) fn remembered(&self, id: CampaignId, version: u64) -> Option<Arc<Campaign>> {
        let campaigns = self.inner.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        campaigns.get(&id).filter(|(v, _)| *v == version).map(|(_, c)| c.clone())
    }

    /// The version of a campaign that is remembered; 0 for none.
    pub(crate) fn remembered_version(&self, id: CampaignId) -> u64 {
        let campaigns = self.inner.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        campaigns.get(&id).map_or(0, |(v, _)| *v)
    }

    /// Remembers a decoded campaign.
    pub(crate) fn remember(&self, version: u64, campaign: Arc<Campaign>) {
        let mut campaigns = self.inner.campaigns.lock().unwrap_or_else(PoisonError::into_inner);
        if campaigns.len() >= CAMPAIGNS_MAX {
            campaigns.clear();
        }
        campaigns.insert(campaign.id, (version, campaign));
    }
}

async fn key_rows(tx: &mut dyn Conn, tenant: TenantId) -> Result<Vec<Row>, SqlError> {
    let sql = "SELECT number, wrapped, active_at FROM tenant_keys WHERE tenant = $1 ORDER BY number";
    tx.rows(sql, &[Value::from(tenant)]).await
}
