//! Who commits with whom. One group of a tenant is under way at a time; what arrives meanwhile
//! waits and goes together in the next one. No timer adds latency: a lone commit goes at once.

use autocall_core::CallId;
use autocall_core::TenantId;
use autocall_core::ports::{Changes, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// What a caller is told: the calls that live on numbers it listed.
pub(crate) type Answer = Result<Vec<CallId>, StoreError>;

/// Most commits in one group: bounds the time that the group holds its locks.
pub(crate) const GROUP_MAX: usize = 128;

/// Most commits that wait per tenant. Beyond it the store says that it is unavailable: better at
/// once than after the permits have expired.
const WAITING_MAX: usize = 4096;

pub(crate) struct Waiting {
    pub(crate) changes: Changes,
    pub(crate) answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Waiting>,
    busy: bool,
}

/// Every tenant's lane.
#[derive(Default)]
pub(crate) struct Lanes {
    of: Mutex<BTreeMap<TenantId, Lane>>,
}

impl Lanes {
    /// Puts changes in line. `true`: nobody drives the lane, so the caller has to start it.
    pub(crate) fn join(&self, waiting: Waiting) -> Result<bool, StoreError> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.entry(waiting.changes.tenant).or_default();
        if lane.queue.len() >= WAITING_MAX {
            return Err(StoreError::Unavailable("too many commits wait".into()));
        }
        lane.queue.push_back(waiting);
        Ok(!std::mem::replace(&mut lane.busy, true))
    }

    /// The next group; `None` where nothing waits, and then nobody drives the lane any more.
    pub(crate) fn next(&self, tenant: TenantId) -> Option<Vec<Waiting>> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.get_mut(&tenant)?;
        if lane.queue.is_empty() {
            of.remove(&tenant);
            return None;
        }
        let n = lane.queue.len().min(GROUP_MAX);
        Some(lane.queue.drain(..n).collect())
    }
}
