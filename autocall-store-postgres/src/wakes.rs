//! Which tenants to look at. A small row per tenant in the directory says when somebody must look
//! at it at the latest; each node remembers the exact times of what it committed itself.
//!
//! A node's own deadlines are found to the millisecond from its memory; those of a node that died
//! at the latest [`LOOK_MS`] after they were due, from the directory. A tenant with nothing to wait
//! for is put to sleep only after [`QUIET_LOOKS`] looks in a row found nothing, which takes longer
//! than any commit may: a commit that announced itself before cannot be missed.

use autocall_core::TenantId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a tenant that is awake may go unlooked at, milliseconds.
pub(crate) const LOOK_MS: i64 = 5_000;
/// Looks that must find nothing before a tenant is put to sleep.
pub(crate) const QUIET_LOOKS: i64 = 14;
/// How long a node believes that a tenant which it woke is awake. With the longest commit (30 s)
/// less than the looks take.
const AWAKE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Known {
    /// The earliest time that this node knows of.
    next: Option<i64>,
    woken: Option<Instant>,
}

/// What this node knows.
#[derive(Default)]
pub(crate) struct Wakes {
    of: Mutex<BTreeMap<TenantId, Known>>,
}

impl Wakes {
    /// Something will be due. Whether the directory must be told.
    pub(crate) fn will(&self, tenant: TenantId, at: i64) -> bool {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let known = of.entry(tenant).or_default();
        known.next = Some(known.next.map_or(at, |n| n.min(at)));
        known.woken.is_none_or(|w| w.elapsed() > AWAKE)
    }
    /// The directory was told.
    pub(crate) fn told(&self, tenant: TenantId) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.entry(tenant).or_default().woken = Some(Instant::now());
    }
    /// A look found that the next thing is due then. A commit may have announced an earlier one
    /// meanwhile, and is not yet seen: its time is kept until it has passed.
    pub(crate) fn looked(&self, tenant: TenantId, now: i64, next: i64) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = of.get_mut(&tenant)
            && known.next.is_some_and(|n| n <= now)
        {
            known.next = (next < i64::MAX).then_some(next);
        }
    }
    /// A share of what is due was taken: the tenant goes behind those who had none.
    pub(crate) fn took(&self, tenant: TenantId, now: i64) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.entry(tenant).or_default().next = Some(now);
    }
    /// Tenants whose time has come, the most overdue first.
    pub(crate) fn due(&self, now: i64, limit: usize) -> Vec<TenantId> {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due: Vec<(i64, TenantId)> =
            of.iter().filter_map(|(t, k)| Some((k.next.filter(|n| *n <= now)?, *t))).collect();
        due.sort_unstable();
        due.into_iter().take(limit).map(|(_, t)| t).collect()
    }
}
