//! Calls per second by carrier account. The engine asks by tenant; tenants that share an account
//! share its bucket. Closing the gate ends new calls to people on this node, and nothing else.

use async_trait::async_trait;
use autocall_core::ports::{Lease, Rates, StoreError, Urgency};
use autocall_core::{Millis, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a refused dial waits before it asks again while the gate is closed.
const CLOSED_FOR: Millis = Millis::from_secs(60);

/// The name of the environment's account.
pub const DEFAULT: &str = "default";

/// Which bucket an account of the engine draws on.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// The bucket's name.
    async fn bucket(&self, account: &str) -> String;
}

/// One bucket for everybody.
pub struct OneBucket;

#[async_trait]
impl Buckets for OneBucket {
    async fn bucket(&self, _account: &str) -> String {
        DEFAULT.to_owned()
    }
}

/// The rates of a node.
pub struct AccountRates {
    inner: Arc<dyn Rates>,
    buckets: Arc<dyn Buckets>,
    closed: AtomicBool,
}

impl AccountRates {
    /// Over these buckets.
    pub fn new(inner: Arc<dyn Rates>, buckets: Arc<dyn Buckets>) -> AccountRates {
        AccountRates { inner, buckets, closed: AtomicBool::new(false) }
    }
    /// From now on nobody new is called by this node; agents' legs still are.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Rates for AccountRates {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        if self.is_closed() && urgency == Urgency::Lead {
            let at = now + CLOSED_FOR;
            return Ok(Lease { granted: 0, first_us: at.ms().saturating_mul(1000), every_us: 0 });
        }
        self.inner.lease(&self.buckets.bucket(account).await, want, urgency, now).await
    }
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        if self.is_closed() {
            return Ok(0);
        }
        self.inner.available(&self.buckets.bucket(account).await, now).await
    }
    async fn back_off(&self, account: &str, until: Timestamp) -> Result<(), StoreError> {
        self.inner.back_off(&self.buckets.bucket(account).await, until).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::ports::LocalRates;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    #[tokio::test]
    async fn tenants_of_one_account_share_its_rate() {
        let rates = AccountRates::new(Arc::new(LocalRates::new(5.0)), Arc::new(OneBucket));
        let one = rates.lease("1", 4, Urgency::Lead, NOW).await.expect("leased");
        let two = rates.lease("2", 4, Urgency::Lead, NOW).await.expect("leased");
        // Each by itself would have been given all four.
        assert!(one.granted == 4 && two.granted < 4, "{one:?} {two:?}");
    }

    #[tokio::test]
    async fn what_the_carrier_asks_of_an_account_holds_for_all_its_tenants() {
        let rates = AccountRates::new(Arc::new(LocalRates::new(5.0)), Arc::new(OneBucket));
        let until = NOW + autocall_core::Millis::from_secs(30);
        rates.back_off("1", until).await.expect("kept");
        assert_eq!(rates.available("2", until - autocall_core::Millis::from_ms(1)).await, Ok(0));
        assert!(rates.available("2", until).await.is_ok_and(|n| n > 0));
    }

    #[tokio::test]
    async fn a_closed_gate_lets_agents_be_called_and_nobody_else() {
        let rates = AccountRates::new(Arc::new(LocalRates::new(5.0)), Arc::new(OneBucket));
        rates.close();
        assert_eq!(rates.available("1", NOW).await, Ok(0));
        assert_eq!(rates.lease("1", 1, Urgency::Lead, NOW).await.map(|l| l.granted), Ok(0));
        assert_eq!(rates.lease("1", 1, Urgency::Agent, NOW).await.map(|l| l.granted), Ok(1));
    }
}
