//! Moving lower bounds for index scans that always start at the smallest entry.
//!
//! A queue in an index is eaten from its head. While some long transaction holds an old snapshot
//! (a report, a dump), the database cannot remove the dead entries there, and each look walks over
//! all of them again. So each look starts where the last one found something. Entries put in
//! behind the bound are found because the writer lowers it (own commits) or because a full scan
//! comes soon (commits of other nodes).

use autocall_core::CampaignId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::tables::LANES;

const LANES_USIZE: usize = LANES as usize;

/// A full scan at least this often.
const FULL_EVERY: Duration = Duration::from_secs(2);
/// And, where the last look found less than it was asked for, this often.
const FULL_WHEN_SHORT: Duration = Duration::from_millis(250);
/// Campaigns remembered; beyond that all is forgotten, which costs one full scan each.
const CAMPAIGNS_MAX: usize = 10_000;

#[derive(Clone, Copy)]
struct Bound {
    lanes: [i64; LANES_USIZE],
    full_at: Instant,
    short: bool,
}

/// The bounds of every campaign's lanes.
#[derive(Default)]
pub(crate) struct Floors {
    of: Mutex<BTreeMap<CampaignId, Bound>>,
}

impl Floors {
    /// Where to begin in each lane.
    pub(crate) fn begin(&self, campaign: CampaignId) -> [i64; LANES_USIZE] {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= CAMPAIGNS_MAX && !of.contains_key(&campaign) {
            of.clear();
        }
        let now = Instant::now();
        let fresh = Bound { lanes: [i64::MIN; LANES_USIZE], full_at: now, short: false };
        let bound = of.entry(campaign).or_insert(fresh);
        let patience = if bound.short { FULL_WHEN_SHORT } else { FULL_EVERY };
        if now - bound.full_at >= patience {
            *bound = fresh;
        }
        bound.lanes
    }

    /// What a look found: the smallest due time in each lane where it found anything.
    pub(crate) fn found(&self, campaign: CampaignId, smallest: [Option<i64>; LANES_USIZE], short: bool) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bound) = of.get_mut(&campaign) else { return };
        bound.short = short;
        for (lane, found) in bound.lanes.iter_mut().zip(smallest) {
            // Only forwards: a commit may have lowered it since the look began, and then its lead
            // may not have been seen.
            if let Some(found) = found
                && *lane != LOWERED
            {
                *lane = (*lane).max(found);
            } else if *lane == LOWERED {
                *lane = i64::MIN;
            }
        }
    }

    /// A lead is put into a lane: before its commit, and again after it.
    pub(crate) fn lower(&self, campaign: CampaignId, lane: i64, due_at: i64) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = of.get_mut(&campaign)
            && let Some(bound) = bound.lanes.get_mut(lane as usize)
            && *bound > due_at
        {
            *bound = LOWERED;
        }
    }
}

/// Marks a lane that was lowered while a look may be under way: smaller than every due time, and
/// not overwritten by that look.
const LOWERED: i64 = i64::MIN + 1;

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::{Id, TenantId};

    #[test]
    fn a_bound_moves_forward_and_is_lowered_by_a_write_behind_it() {
        let floors = Floors::default();
        let campaign = Id::small(TenantId(1), 1);
        assert_eq!(floors.begin(campaign), [i64::MIN; LANES_USIZE]);
        floors.found(campaign, [None, None, Some(50), Some(70), None], false);
        assert_eq!(floors.begin(campaign)[2..4], [50, 70]);
        floors.lower(campaign, 2, 60);
        assert_eq!(floors.begin(campaign)[2], 50, "it lies before the bound's end anyway");
        floors.lower(campaign, 2, 40);
        assert!(floors.begin(campaign)[2] < 40);
        // A look that began before the write comes back after it: its finding must not hide it.
        floors.found(campaign, [None, None, Some(50), Some(70), None], false);
        assert!(floors.begin(campaign)[2] < 40);
        floors.found(campaign, [None, None, Some(40), Some(70), None], false);
        assert_eq!(floors.begin(campaign)[2], 40);
    }
}
