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

/// A full scan at least this often.
const FULL_EVERY: Duration = Duration::from_secs(2);
/// And, where the last look found less than it was asked for, this often.
const FULL_WHEN_SHORT: Duration = Duration::from_millis(250);
/// Campaigns remembered; beyond that all is forgotten, which costs one full scan each.
const CAMPAIGNS_MAX: usize = 10_000;

/// A place in a lane: when a lead is due, and its order among those of that time. A list that was
/// loaded at once has one time for all of its leads, so the time alone would be no place.
pub(crate) type Place = (i64, i64);

/// Before every lead.
pub(crate) const START: Place = (i64::MIN, i64::MIN);

struct Bound {
    /// By lane; one that is not there begins at its first entry.
    lanes: BTreeMap<i64, Place>,
    full_at: Instant,
    short: bool,
}

/// The bounds of every campaign's lanes.
#[derive(Default)]
pub(crate) struct Floors {
    of: Mutex<BTreeMap<CampaignId, Bound>>,
}

impl Floors {
    /// Where to begin in each of these lanes.
    pub(crate) fn begin(&self, campaign: CampaignId, lanes: &[i64]) -> Vec<Place> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= CAMPAIGNS_MAX && !of.contains_key(&campaign) {
            of.clear();
        }
        let now = Instant::now();
        let fresh = || Bound { lanes: BTreeMap::new(), full_at: now, short: false };
        let bound = of.entry(campaign).or_insert_with(fresh);
        let patience = if bound.short { FULL_WHEN_SHORT } else { FULL_EVERY };
        if now - bound.full_at >= patience {
            *bound = fresh();
        }
        lanes.iter().map(|lane| bound.lanes.get(lane).copied().unwrap_or(START)).collect()
    }

    /// What a look found: the first place in each of these lanes where it found anything.
    pub(crate) fn found(&self, campaign: CampaignId, lanes: &[i64], first: &[Option<Place>], short: bool) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bound) = of.get_mut(&campaign) else { return };
        bound.short = short;
        for (lane, found) in lanes.iter().zip(first) {
            let lane = bound.lanes.entry(*lane).or_insert(START);
            // Only forwards: a commit may have lowered it since the look began, and then its lead
            // may not have been seen.
            if let Some(found) = found
                && *lane != LOWERED
            {
                *lane = (*lane).max(*found);
            } else if *lane == LOWERED {
                *lane = START;
            }
        }
    }

    /// A lead is put into a lane: before its commit, and again after it.
    pub(crate) fn lower(&self, campaign: CampaignId, lane: i64, place: Place) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = of.get_mut(&campaign) {
            let bound = bound.lanes.entry(lane).or_insert(START);
            // A look that is under way may end after this write and know nothing of it.
            if *bound > place || *bound == START {
                *bound = LOWERED;
            }
        }
    }
}

/// Marks a lane that was lowered while a look may be under way: before every lead, and not overwritten
/// by that look.
const LOWERED: Place = (i64::MIN, i64::MIN + 1);

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::{Id, TenantId};

    #[test]
    fn a_bound_moves_forward_and_is_lowered_by_a_write_behind_it() {
        let floors = Floors::default();
        let campaign = Id::small(TenantId(1), 1);
        let lanes = [7, 1_000];
        assert_eq!(floors.begin(campaign, &lanes), [START; 2]);
        floors.found(campaign, &lanes, &[Some((50, 3)), Some((70, 0))], false);
        assert_eq!(floors.begin(campaign, &lanes), [(50, 3), (70, 0)]);
        floors.lower(campaign, 7, (50, 4));
        assert_eq!(floors.begin(campaign, &lanes)[0], (50, 3), "it lies after the bound anyway");
        floors.lower(campaign, 7, (50, 2));
        assert!(floors.begin(campaign, &lanes)[0] < (50, 2));
        // A look that began before the write comes back after it: its finding must not hide it.
        floors.found(campaign, &lanes, &[Some((50, 3)), Some((70, 0))], false);
        assert!(floors.begin(campaign, &lanes)[0] < (50, 2));
        floors.found(campaign, &lanes, &[Some((50, 2)), Some((70, 0))], false);
        assert_eq!(floors.begin(campaign, &lanes)[0], (50, 2));
        // Nor may the first look of all.
        floors.begin(campaign, &[9]);
        floors.lower(campaign, 9, (10, 0));
        floors.found(campaign, &[9], &[Some((80, 0))], false);
        assert!(floors.begin(campaign, &[9])[0] < (10, 0));
    }
}
