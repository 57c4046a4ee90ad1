//! Fairness between time zones that are about to close: leads whose day ends soon go first, but
//! nobody waits for ever.

use crate::{Millis, Timestamp};

/// Leads that share a closing time: usually a zone, or a set of zones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane {
    /// Leads that are due and callable.
    pub waiting: u64,
    /// When their window closes today.
    pub closes_at: Timestamp,
}

/// A lane that closes sooner than this counts as closing then: its share is large, not endless.
const SHORTEST: Millis = Millis::from_mins(1);

/// How `slots` dials are shared out: in proportion to the rate that each lane needs to get through
/// before it closes (leads over time left). Every lane with leads gets a dial when there are
/// enough; a lane never gets more than it has; what one cannot use goes to the others. Equal
/// shares fall to the lane that closes first, then to the one named first.
pub fn share(lanes: &[Lane], now: Timestamp, slots: u32) -> Vec<u32> {
    let mut out = vec![0u32; lanes.len()];
    let open = |lane: &Lane| lane.waiting > 0 && lane.closes_at > now;
    let need = |lane: &Lane| lane.waiting as f64 / (lane.closes_at - now).max(SHORTEST).ms() as f64;
    // Closest to closing first: they get their first dial even when there are too few for all.
    let mut turn: Vec<usize> = (0..lanes.len()).filter(|i| open(&lanes[*i])).collect();
    turn.sort_by_key(|i| (lanes[*i].closes_at, *i));
    let mut left = slots;
    for i in &turn {
        if left > 0 {
            out[*i] = 1;
            left -= 1;
        }
    }
    // Each round fills at least one lane or is the last.
    for _ in 0..=lanes.len() {
        let hungry: Vec<usize> = turn.iter().copied().filter(|i| u64::from(out[*i]) < lanes[*i].waiting).collect();
        let total: f64 = hungry.iter().map(|i| need(&lanes[*i])).sum();
        if left == 0 || hungry.is_empty() {
            break;
        }
        let round = left;
        for i in &hungry {
            let wanted = (f64::from(round) * need(&lanes[*i]) / total).floor() as u64;
            let room = lanes[*i].waiting - u64::from(out[*i]);
            let given = wanted.min(room).min(u64::from(left)) as u32;
            out[*i] += given;
            left -= given;
        }
        if hungry.iter().all(|i| u64::from(out[*i]) < lanes[*i].waiting) {
            // Rounding leaves fewer than there are lanes: one each, closest to closing first.
            for i in hungry.iter().take(left as usize) {
                out[*i] += 1;
            }
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lane(waiting: u64, closes_min: i64) -> Lane {
        Lane { waiting, closes_at: Timestamp::EPOCH + Millis::from_mins(closes_min) }
    }

    #[test]
    fn who_closes_sooner_gets_more_and_nobody_nothing() {
        let shares = share(&[lane(1_000, 60), lane(1_000, 240), lane(0, 10), lane(50, 0)], Timestamp::EPOCH, 50);
        assert_eq!(shares.iter().sum::<u32>(), 50);
        assert_eq!((shares[2], shares[3]), (0, 0), "empty and closed lanes get nothing");
        assert!(shares[0] >= 3 * shares[1] && shares[1] > 0, "{shares:?}");
        assert_eq!(share(&[lane(9, 600), lane(9, 5)], Timestamp::EPOCH, 1), [0, 1]);
        assert_eq!(share(&[lane(2, 5), lane(9, 600)], Timestamp::EPOCH, 8), [2, 6], "what one cannot use goes on");
    }

    proptest! {
        #[test]
        fn shares_are_whole_and_within_what_is_there(
            lanes in prop::collection::vec((0u64..500, -10i64..600), 0..12), slots in 0u32..400,
        ) {
            let lanes: Vec<Lane> = lanes.into_iter().map(|(waiting, min)| lane(waiting, min)).collect();
            let shares = share(&lanes, Timestamp::EPOCH, slots);
            let open: u64 = lanes.iter().filter(|l| l.closes_at > Timestamp::EPOCH).map(|l| l.waiting).sum();
            prop_assert_eq!(shares.iter().map(|s| u64::from(*s)).sum::<u64>(), open.min(u64::from(slots)));
            for (lane, share) in lanes.iter().zip(&shares) {
                prop_assert!(u64::from(*share) <= lane.waiting);
                prop_assert!(*share == 0 || lane.closes_at > Timestamp::EPOCH);
            }
        }
    }

    #[test]
    fn shares_follow_what_is_waiting_and_how_soon_it_ends() {
        let now = Timestamp::EPOCH + Millis::from_mins(1_000);
        let lane = |waiting, closes_s: i64| Lane { waiting, closes_at: now + Millis::from_secs(closes_s) };
        // Ten a minute and five a minute: a first one each, then 28 by two to one.
        assert_eq!(share(&[lane(600, 3600), lane(600, 7200)], now, 30), [20, 10]);
        assert_eq!(share(&[lane(600, 7200), lane(600, 3600)], now, 30), [10, 20]);
        assert_eq!(share(&[lane(900, 3600), lane(300, 3600)], now, 22), [16, 6]);
        assert_eq!(share(&[lane(10, 5), lane(10, 60)], now, 6), [3, 3], "less than a minute counts as one");
        assert_eq!(share(&[lane(10, 0), lane(10, 1)], now, 6), [0, 6], "closed is closed");
        assert_eq!(share(&[lane(3, 60), lane(1, 60), lane(9, 60)], now, 3), [1, 1, 1]);
        assert_eq!(share(&[lane(3, 60), lane(1, 60)], now, 50), [3, 1], "no more than there are");
        assert_eq!(share(&[lane(3, 90), lane(1, 60)], now, 0), [0, 0]);
        assert_eq!(share(&[lane(100, 600), lane(100, 300), lane(100, 300)], now, 6), [1, 3, 2], "what rounding leaves");
    }
}
