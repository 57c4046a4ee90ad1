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
    /// The earliest time that looks which have begun knew of.
    next: Option<i64>,
    /// The earliest time announced since the last look began: that look may not have seen it.
    fresh: Option<i64>,
    woken: Option<Instant>,
}

impl Known {
    fn earliest(&self) -> Option<i64> {
        [self.next, self.fresh].into_iter().flatten().min()
    }
    fn announce(&mut self, at: i64) {
        self.fresh = Some(self.fresh.map_or(at, |f| f.min(at)));
    }
}

/// What this node knows.
#[derive(Default)]
pub(crate) struct Wakes {
    of: Mutex<BTreeMap<TenantId, Known>>,
}

impl Wakes {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<TenantId, Known>) -> T) -> T {
        act(&mut self.of.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Before a commit: something will be due. Whether the directory must be told.
    pub(crate) fn will(&self, tenant: TenantId, at: i64) -> bool {
        self.with(|of| {
            let known = of.entry(tenant).or_default();
            known.announce(at);
            known.woken.is_none_or(|w| w.elapsed() > AWAKE)
        })
    }
    /// After that commit: a look that began before it forgot the time if it came sooner than the row.
    pub(crate) fn written(&self, tenant: TenantId, at: i64) {
        self.with(|of| of.entry(tenant).or_default().announce(at));
    }
    /// The directory was told.
    pub(crate) fn told(&self, tenant: TenantId) {
        self.with(|of| of.entry(tenant).or_default().woken = Some(Instant::now()));
    }
    /// A look found that the next thing is due then. What was announced since it began stands.
    pub(crate) fn looked(&self, tenant: TenantId, now: i64, next: i64) {
        self.with(|of| {
            if let Some(known) = of.get_mut(&tenant)
                && known.next.is_some_and(|n| n <= now)
            {
                known.next = (next < i64::MAX).then_some(next);
            }
        });
    }
    /// A share of what is due was taken: the tenant goes behind those who had none.
    pub(crate) fn took(&self, tenant: TenantId, now: i64) {
        self.with(|of| of.entry(tenant).or_default().next = Some(now));
    }
    /// Tenants whose time has come, the most overdue first: looks at them begin.
    pub(crate) fn due(&self, now: i64, limit: usize) -> Vec<TenantId> {
        self.with(|of| {
            let at = |k: &Known| k.earliest().filter(|n| *n <= now);
            let mut due: Vec<(i64, TenantId)> = of.iter().filter_map(|(t, k)| Some((at(k)?, *t))).collect();
            due.sort_unstable();
            due.truncate(limit);
            for (at, tenant) in &due {
                if let Some(known) = of.get_mut(tenant) {
                    (known.next, known.fresh) = (Some(*at), None);
                }
            }
            due.into_iter().map(|(_, t)| t).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TenantId = TenantId(7);

    #[test]
    fn what_is_announced_while_a_look_is_under_way_is_not_forgotten() {
        let wakes = Wakes::default();
        wakes.will(T, 100);
        assert_eq!(wakes.due(99, 9), []);
        assert_eq!(wakes.due(100, 9), [T]);
        // The look reads before the commit that moves the row to 300, and sees it hidden until 10,100.
        wakes.will(T, 300);
        wakes.looked(T, 110, 10_100);
        wakes.written(T, 300);
        assert_eq!(wakes.due(299, 9), []);
        assert_eq!(wakes.due(300, 9), [T]);
    }

    #[test]
    fn a_commit_that_lasts_longer_than_its_deadline_is_found_once_it_is_written() {
        let wakes = Wakes::default();
        wakes.will(T, 300);
        // A look comes when the time has, and the row is not there yet.
        assert_eq!(wakes.due(310, 9), [T]);
        wakes.looked(T, 310, i64::MAX);
        assert_eq!(wakes.due(500, 9), []);
        wakes.written(T, 300);
        assert_eq!(wakes.due(510, 9), [T]);
        wakes.looked(T, 510, i64::MAX);
        assert_eq!(wakes.due(i64::MAX, 9), []);
    }

    #[test]
    fn the_most_overdue_comes_first_and_whoever_had_a_share_goes_behind() {
        let wakes = Wakes::default();
        let (one, two) = (TenantId(1), TenantId(2));
        wakes.will(one, 10);
        wakes.will(two, 5);
        assert_eq!(wakes.due(20, 1), [two]);
        wakes.took(two, 20);
        assert_eq!(wakes.due(20, 9), [one, two]);
        // A look that found nothing due moves on; one that was never asked for changes nothing.
        wakes.looked(one, 20, 40);
        wakes.looked(one, 20, 30);
        assert_eq!(wakes.due(39, 9), [two]);
        assert_eq!(wakes.due(40, 9), [two, one]);
    }
}
