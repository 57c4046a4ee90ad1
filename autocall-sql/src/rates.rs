//! Calls per second of a carrier account, shared by every node: one row per account in the
//! directory, which holds the first place in time that nobody has ([`Places`]).

use crate::db::{Backend, Scope, SqlError, Value};
use crate::keys::SqlStore;
use async_trait::async_trait;
use autocall_core::Timestamp;
use autocall_core::ports::{Lease, Places, Rates, StoreError, Urgency};

/// Leases over a store's directory.
pub struct SharedRates<B: Backend> {
    store: SqlStore<B>,
    every_us: i64,
}

impl<B: Backend> SharedRates<B> {
    /// Every account may start `per_second` calls a second, over all nodes.
    pub fn new(store: SqlStore<B>, per_second: f64) -> SharedRates<B> {
        SharedRates { store, every_us: Places::every_us(per_second) }
    }

    /// Changes an account's line under its lock. The row holds the first free place as whole
    /// milliseconds (`at`); `tokens` holds the microseconds beyond them and, in thousands, until when
    /// leads are held.
    async fn with<T>(&self, account: &str, act: impl FnOnce(&mut Places) -> T + Send) -> Result<T, SqlError> {
        let db = &self.store.inner.db;
        let mut tx = db.write(Scope::Directory).await?;
        let sql =
            "INSERT INTO directory_leases (account, tokens, at) VALUES ($1, 0, 0) ON CONFLICT (account) DO NOTHING";
        tx.run(sql, &[account.into()]).await?;
        let sql = format!("SELECT tokens, at FROM directory_leases WHERE account = $1{}", db.dialect().lock());
        let row = tx.row(&sql, &[account.into()]).await?.ok_or_else(|| SqlError::Missing("account".into()))?;
        let mut places = places(row.int(0)?, row.int(1)?);
        let result = act(&mut places);
        let args: [Value; 3] = [account.into(), tokens(&places).into(), places.free_us.div_euclid(1000).into()];
        tx.run("UPDATE directory_leases SET tokens = $2, at = $3 WHERE account = $1", &args).await?;
        tx.commit().await?;
        Ok(result)
    }

    async fn held(&self, account: &str, now: Timestamp) -> Result<u32, SqlError> {
        let mut tx = self.store.inner.db.read(Scope::Directory).await?;
        let sql = "SELECT tokens, at FROM directory_leases WHERE account = $1";
        let places = match tx.row(sql, &[account.into()]).await? {
            Some(row) => places(row.int(0)?, row.int(1)?),
            None => Places::default(),
        };
        Ok(places.available(self.every_us, now))
    }
}

fn places(tokens: i64, ms: i64) -> Places {
    let (held_ms, us) = (tokens.div_euclid(1000), tokens.rem_euclid(1000));
    Places { free_us: ms.saturating_mul(1000).saturating_add(us), held_ms }
}

fn tokens(places: &Places) -> i64 {
    places.held_ms.saturating_mul(1000).saturating_add(places.free_us.rem_euclid(1000))
}

#[async_trait]
impl<B: Backend> Rates for SharedRates<B> {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        Ok(self.with(account, |line| line.take(self.every_us, want, urgency, now)).await?)
    }
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        Ok(self.held(account, now).await?)
    }
    async fn back_off(&self, account: &str, until: Timestamp) -> Result<(), StoreError> {
        Ok(self.with(account, |line| line.back_off(until)).await?)
    }
}
