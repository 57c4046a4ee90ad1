//! Who reads, and who commits, with whom. One group of a tenant is under way at a time; what
//! arrives meanwhile waits and goes together in the next one. No timer adds latency: who comes
//! alone goes at once.

use autocall_core::TenantId;
use autocall_core::ports::StoreError;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most in one group: bounds the time that a group of commits holds its locks.
const GROUP_MAX: usize = 256;

/// Most that wait per tenant. Beyond it the store says that it is unavailable: better at once than
/// after the permits have expired.
const WAITING_MAX: usize = 4096;

struct Lane<W> {
    queue: VecDeque<W>,
    busy: bool,
}

/// Every tenant's lane for one kind of work.
pub(crate) struct Lanes<W> {
    of: Mutex<BTreeMap<TenantId, Lane<W>>>,
}

impl<W> Default for Lanes<W> {
    fn default() -> Self {
        Lanes { of: Mutex::default() }
    }
}

impl<W> Lanes<W> {
    /// Stands in line. `true`: nobody drives the lane, so the caller has to start it.
    pub(crate) fn join(&self, tenant: TenantId, waiting: W) -> Result<bool, StoreError> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.entry(tenant).or_insert_with(|| Lane { queue: VecDeque::new(), busy: false });
        if lane.queue.len() >= WAITING_MAX {
            return Err(StoreError::Unavailable("too many wait for the database".into()));
        }
        lane.queue.push_back(waiting);
        Ok(!std::mem::replace(&mut lane.busy, true))
    }

    /// For whoever was told to start.
    pub(crate) fn drive(&self, tenant: TenantId) -> Driving<'_, W> {
        Driving { lanes: self, tenant, ended: false }
    }
}

/// Drives a lane to its end. Dropped before (by a panic), whoever waits is told so, and the next
/// one to come starts the lane anew.
pub(crate) struct Driving<'a, W> {
    lanes: &'a Lanes<W>,
    tenant: TenantId,
    ended: bool,
}

impl<W> Driving<'_, W> {
    /// The next group; `None` where nothing waits, and then nobody drives the lane any more.
    pub(crate) fn next(&mut self) -> Option<Vec<W>> {
        let mut of = self.lanes.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.get_mut(&self.tenant)?;
        if lane.queue.is_empty() {
            of.remove(&self.tenant);
            self.ended = true;
            return None;
        }
        let n = lane.queue.len().min(GROUP_MAX);
        Some(lane.queue.drain(..n).collect())
    }
}

impl<W> Drop for Driving<'_, W> {
    fn drop(&mut self) {
        if !self.ended {
            self.lanes.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_whose_driver_dies_is_started_by_the_next_one() {
        let (lanes, tenant) = (Lanes::default(), TenantId(1));
        assert_eq!(lanes.join(tenant, 1), Ok(true));
        assert_eq!(lanes.join(tenant, 2), Ok(false), "somebody drives");
        let mut driving = lanes.drive(tenant);
        assert_eq!(driving.next(), Some(vec![1, 2]));
        assert_eq!(lanes.join(tenant, 3), Ok(false));
        drop(driving);
        assert_eq!(lanes.join(tenant, 4), Ok(true), "the lane is free again");
        let mut driving = lanes.drive(tenant);
        assert_eq!((driving.next(), driving.next()), (Some(vec![4]), None));
        assert_eq!(lanes.join(tenant, 5), Ok(true), "a lane that came to its end");
    }

    #[test]
    fn a_lane_that_is_full_says_so_at_once() {
        let (lanes, tenant) = (Lanes::default(), TenantId(1));
        (0..WAITING_MAX).for_each(|n| assert!(lanes.join(tenant, n).is_ok()));
        assert!(matches!(lanes.join(tenant, 0), Err(StoreError::Unavailable(_))));
        assert_eq!(lanes.join(TenantId(2), 0), Ok(true), "another tenant's is not");
        assert_eq!(lanes.drive(tenant).next().map(|g| g.len()), Some(GROUP_MAX));
    }
}
