//! The lease of calls per second. A carrier queues what comes too fast, and then an agent's leg
//! waits behind leads while a person listens to hold music. So the engine stays below the limit.

use super::StoreError;
use crate::time::{Millis, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Who waits for the dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A person is on the line: an agent's leg.
    Agent,
    /// Nobody waits yet: a lead.
    Lead,
}

/// A lease: so many dials, from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Dials granted; may be fewer than wanted.
    pub granted: u32,
    /// When more can be had.
    pub next_at: Timestamp,
}

/// Leases of calls per second, per carrier account.
#[async_trait]
pub trait Rates: Send + Sync {
    /// Asks for `want` dials on an account. Agents' legs are granted at once, since a person waits;
    /// what they overdraw, leads pay back by waiting.
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError>;

    /// How many leads' dials could be leased now, without leasing them.
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError>;
}

/// A token bucket in memory: right for one node. Several nodes share rows of their store.
#[derive(Debug)]
pub struct LocalRates {
    per_second: f64,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl LocalRates {
    /// Every account may start `per_second` calls a second, averaged over one second.
    pub fn new(per_second: f64) -> LocalRates {
        LocalRates { per_second: per_second.max(0.001), buckets: Mutex::new(BTreeMap::new()) }
    }

    /// The most tokens saved up: one second's worth, at least one.
    fn burst(&self) -> f64 {
        self.per_second.max(1.0)
    }

    fn refill(&self, buckets: &mut BTreeMap<String, Bucket>, account: &str, now: Timestamp) -> Bucket {
        let full = Bucket { tokens: self.burst(), at: now };
        let Some(bucket) = buckets.get_mut(account) else {
            buckets.insert(account.to_owned(), full);
            return full;
        };
        let passed = (now - bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst());
        bucket.at = bucket.at.max(now);
        *bucket
    }
}

#[async_trait]
impl Rates for LocalRates {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = self.refill(&mut buckets, account, now);
        let granted = match urgency {
            Urgency::Agent => want,
            Urgency::Lead => want.min(bucket.tokens.max(0.0) as u32),
        };
        let left = bucket.tokens - f64::from(granted);
        if let Some(b) = buckets.get_mut(account) {
            b.tokens = left;
        }
        let wait_s = ((1.0 - left) / self.per_second).max(0.0);
        Ok(Lease { granted, next_at: now + Millis::from_secs_f64(wait_s) })
    }

    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.refill(&mut buckets, account, now).tokens.max(0.0) as u32)
    }
}
