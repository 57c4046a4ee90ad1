//! Calls per second of a carrier account, shared by every node: one row per account in the
//! directory. A node takes what it needs for its next look, never more than a second's worth.

use crate::db::{Backend, Scope, SqlError, Value};
use crate::keys::SqlStore;
use async_trait::async_trait;
use autocall_core::ports::{Lease, Rates, StoreError, Urgency};
use autocall_core::{Millis, Timestamp};

/// Leases over a store's directory.
pub struct SharedRates<B: Backend> {
    store: SqlStore<B>,
    /// Thousandths of a dial per second.
    milli_per_s: i64,
}

impl<B: Backend> SharedRates<B> {
    /// Every account may start `per_second` calls a second, over all nodes.
    pub fn new(store: SqlStore<B>, per_second: f64) -> SharedRates<B> {
        SharedRates { store, milli_per_s: ((per_second * 1000.0) as i64).max(1) }
    }

    /// The most that is saved up: one second's worth, at least one dial.
    fn full(&self) -> i64 {
        self.milli_per_s.max(1000)
    }

    /// What a bucket holds now, in thousandths of a dial.
    fn holds(&self, tokens: i64, at: i64, now: Timestamp) -> i64 {
        let passed = (now.ms() - at).clamp(0, 1_000_000);
        (tokens + passed * self.milli_per_s / 1000).min(self.full())
    }

    async fn draw(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, SqlError> {
        let db = &self.store.inner.db;
        let mut tx = db.write(Scope::Directory).await?;
        let sql = "INSERT INTO directory_leases (account, tokens, at) VALUES ($1, $2, $3) \
                   ON CONFLICT (account) DO NOTHING";
        tx.run(sql, &[account.into(), self.full().into(), now.into()]).await?;
        let sql = format!("SELECT tokens, at FROM directory_leases WHERE account = $1{}", db.dialect().lock());
        let row = tx.row(&sql, &[account.into()]).await?.ok_or_else(|| SqlError::Missing("account".into()))?;
        let holds = self.holds(row.int(0)?, row.int(1)?, now);
        // An agent's leg goes at once, since a person waits; leads pay it back by waiting.
        let granted = match urgency {
            Urgency::Agent => want,
            Urgency::Lead => want.min((holds / 1000).clamp(0, i64::from(u32::MAX)) as u32),
        };
        let left = holds - i64::from(granted) * 1000;
        let at = now.ms().max(row.int(1)?);
        let args: [Value; 3] = [account.into(), left.into(), at.into()];
        tx.run("UPDATE directory_leases SET tokens = $2, at = $3 WHERE account = $1", &args).await?;
        tx.commit().await?;
        let wait_ms = ((1000 - left).max(0) * 1000 + self.milli_per_s - 1) / self.milli_per_s;
        Ok(Lease { granted, next_at: now + Millis::from_ms(wait_ms) })
    }

    async fn held(&self, account: &str, now: Timestamp) -> Result<u32, SqlError> {
        let mut tx = self.store.inner.db.read(Scope::Directory).await?;
        let sql = "SELECT tokens, at FROM directory_leases WHERE account = $1";
        let holds = match tx.row(sql, &[account.into()]).await? {
            Some(row) => self.holds(row.int(0)?, row.int(1)?, now),
            None => self.full(),
        };
        Ok((holds / 1000).clamp(0, i64::from(u32::MAX)) as u32)
    }
}

#[async_trait]
impl<B: Backend> Rates for SharedRates<B> {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        Ok(self.draw(account, want, urgency, now).await?)
    }
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        Ok(self.held(account, now).await?)
    }
}
