//! `DIAL_ONLY`: nobody but the listed numbers is ever dialed. Two fences: a lead that is not
//! listed is denied before it becomes a call, and a dial that comes all the same is refused.

use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::call::ProviderRef;
use autocall_core::campaign::Campaign;
use autocall_core::engine::{Allowed, Denied, Permission};
use autocall_core::ports::{
    Candidate, Capabilities, Dial, DialError, DialPermit, Line, Refusal, Sighting, Telephony, TelephonyError,
};
use autocall_core::script::Script;
use autocall_core::settings::{Problem, Settings};
use autocall_core::{Millis, Phone, Timestamp};
use std::sync::Arc;

/// The listed numbers.
#[derive(Clone)]
pub struct Fence(Arc<[Phone]>);

impl Fence {
    /// Around these numbers.
    pub fn new(numbers: &[Phone]) -> Fence {
        Fence(numbers.into())
    }
    /// Whether this number may be dialed.
    pub fn holds(&self, phone: Phone) -> bool {
        self.0.contains(&phone)
    }
}

/// A permission within the fence.
pub struct FencedPermission {
    fence: Fence,
    inner: Arc<dyn Permission>,
}

/// A carrier within the fence.
pub struct FencedTelephony {
    fence: Fence,
    inner: Arc<dyn Telephony>,
}

impl Fence {
    /// Fences a permission in.
    pub fn permission(&self, inner: Arc<dyn Permission>) -> Arc<dyn Permission> {
        Arc::new(FencedPermission { fence: self.clone(), inner })
    }
    /// Fences a carrier in.
    pub fn telephony(&self, inner: Arc<dyn Telephony>) -> Arc<dyn Telephony> {
        Arc::new(FencedTelephony { fence: self.clone(), inner })
    }
}

impl Permission for FencedPermission {
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied> {
        let allowed = self.inner.judge(candidate, campaign, now)?;
        if self.fence.holds(allowed.to) {
            return Ok(allowed);
        }
        Err(Denied { rule: "dial_only".into(), until: now + Millis::from_days(1) })
    }

    fn obstacles(&self, settings: &Settings, now: Timestamp) -> Vec<Problem> {
        self.inner.obstacles(settings, now)
    }
}

#[async_trait]
impl Telephony for FencedTelephony {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        match dial.to {
            Address::Phone(phone) if !self.fence.holds(phone) => Err(DialError::Refused(Refusal::Blocked)),
            _ => self.inner.dial(permit, dial).await,
        }
    }
    async fn steer(&self, line: Line, leg: &ProviderRef, account: &str, script: &Script) -> Result<(), TelephonyError> {
        self.inner.steer(line, leg, account, script).await
    }
    async fn lookup(
        &self,
        line: Line,
        account: &str,
        known: Option<&ProviderRef>,
        since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        self.inner.lookup(line, account, known, since).await
    }
}
