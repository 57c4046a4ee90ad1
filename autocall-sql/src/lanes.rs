//! Who reads, and who commits, with whom. Few groups of a tenant are under way at a time; what
//! arrives meanwhile waits and goes together in the next one. No timer adds latency: who comes
//! alone goes at once. One group is enough while few wait: large groups cost the database least. A
//! long line has a further one, so that the database works while another group is decided.

use autocall_core::TenantId;
use autocall_core::ports::StoreError;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most in one group: bounds the time that a group of commits holds its locks.
const GROUP_MAX: usize = 256;

/// Most that wait per tenant. Beyond it the store says that it is unavailable: better at once than
/// after the permits have expired.
const WAITING_MAX: usize = 4096;

/// So many wait before a further group is begun beside those under way, for each of them.
const LONG: usize = 4;

struct Lane<W> {
    queue: VecDeque<W>,
    /// Groups under way.
    driven: usize,
}

/// Every tenant's lane for one kind of work.
pub(crate) struct Lanes<W> {
    of: Mutex<BTreeMap<TenantId, Lane<W>>>,
    /// Most groups of a tenant under way.
    groups_max: usize,
}

impl<W> Lanes<W> {
    /// With at most so many groups of a tenant under way.
    pub(crate) fn new(groups_max: usize) -> Self {
        Lanes { of: Mutex::default(), groups_max }
    }

    /// Stands in line. `true`: the caller has to drive a group.
    pub(crate) fn join(&self, tenant: TenantId, waiting: W) -> Result<bool, StoreError> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.entry(tenant).or_insert_with(|| Lane { queue: VecDeque::new(), driven: 0 });
        if lane.queue.len() >= WAITING_MAX {
            return Err(StoreError::Unavailable("too many wait for the database".into()));
        }
        lane.queue.push_back(waiting);
        let more = lane.driven < self.groups_max && lane.queue.len() >= LONG * lane.driven;
        lane.driven += usize::from(more);
        Ok(more)
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
    /// The next group; `None` where nothing waits, or what waits is left to another driver.
    pub(crate) fn next(&mut self) -> Option<Vec<W>> {
        let mut of = self.lanes.of.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = of.get_mut(&self.tenant)?;
        // Few are left to whoever else is at work here: one large group costs less than two small ones.
        if lane.queue.is_empty() || lane.queue.len() < LONG * (lane.driven - 1) {
            leave(&mut of, self.tenant);
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
            leave(&mut self.lanes.of.lock().unwrap_or_else(PoisonError::into_inner), self.tenant);
        }
    }
}

/// One driver less; with the last one the lane ends, and whoever still waits is told.
fn leave<W>(of: &mut BTreeMap<TenantId, Lane<W>>, tenant: TenantId) {
    if let Some(lane) = of.get_mut(&tenant) {
        lane.driven -= 1;
        if lane.driven == 0 {
            of.remove(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_whose_driver_dies_is_started_by_the_next_one() {
        let (lanes, tenant) = (Lanes::new(1), TenantId(1));
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
        let (lanes, tenant) = (Lanes::new(1), TenantId(1));
        (0..WAITING_MAX).for_each(|n| assert!(lanes.join(tenant, n).is_ok()));
        assert!(matches!(lanes.join(tenant, 0), Err(StoreError::Unavailable(_))));
        assert_eq!(lanes.join(TenantId(2), 0), Ok(true), "another tenant's is not");
        assert_eq!(lanes.drive(tenant).next().map(|g| g.len()), Some(GROUP_MAX));
    }

    #[test]
    fn a_long_line_has_a_second_group_under_way_and_no_third() {
        let (lanes, tenant) = (Lanes::new(2), TenantId(1));
        assert_eq!(lanes.join(tenant, 0), Ok(true));
        let mut first = lanes.drive(tenant);
        assert_eq!(first.next(), Some(vec![0]));
        for n in 1..LONG {
            assert_eq!(lanes.join(tenant, n), Ok(false), "few wait: they go together when the first is done");
        }
        assert_eq!(lanes.join(tenant, LONG), Ok(true));
        assert_eq!(lanes.join(tenant, LONG + 1), Ok(false), "two are the most");
        let mut second = lanes.drive(tenant);
        assert_eq!(second.next().map(|g| g.len()), Some(LONG + 1));
        assert_eq!(lanes.join(tenant, 100), Ok(false));
        assert_eq!(second.next(), None, "one alone is left to the first");
        assert_eq!(first.next(), Some(vec![100]));
        // A second one dies: the first serves who waits.
        let joined: Vec<_> = (0..LONG).map(|n| lanes.join(tenant, n)).collect();
        assert_eq!(joined.last(), Some(&Ok(true)));
        drop(lanes.drive(tenant));
        assert_eq!(first.next(), Some((0..LONG).collect()));
        assert_eq!(first.next(), None);
        assert_eq!(lanes.join(tenant, 101), Ok(true), "nobody drives any more");
    }
}
