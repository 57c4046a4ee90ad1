//! Dividing what several campaigns share: free agents of a pool, and a carrier's call rate.
//!
//! Nothing is promised twice: the parts add up to at most the whole. Higher priority goes first;
//! within one priority the parts follow the weights, and what one campaign does not want goes to
//! the others.

use super::Share;
use crate::{Millis, Timestamp};
use std::collections::BTreeMap;

/// One campaign's claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Higher goes first. Callbacks due now are claimed at the highest priority.
    pub priority: u8,
    /// The share within one priority; 0 gets only what nobody else wants.
    pub weight: u32,
    /// The most that the campaign can use.
    pub want: u32,
}

/// Divides `whole` (agents, lines, or dials of a slice of time) among the claims: `parts[i]` is
/// what `claims[i]` gets.
///
/// Units go one by one to the campaign that is furthest behind its weight (the divisor method of
/// Webster and Sainte-Laguë), so parts differ from exact shares by less than one unit. Ties go to
/// the earlier claim; a caller who turns the order with each slice makes ties fair over time.
pub fn divide(whole: u32, claims: &[Claim], parts: &mut Vec<u32>) {
    parts.clear();
    parts.resize(claims.len(), 0);
    let mut left = whole;
    let mut level = claims.iter().map(|c| c.priority).max();
    while let Some(priority) = level {
        for pass in [true, false] {
            left = one_level(left, claims, parts, priority, pass);
        }
        level = claims.iter().map(|c| c.priority).filter(|p| *p < priority).max();
    }
}

/// Serves one priority: those with a weight, then those without.
fn one_level(mut left: u32, claims: &[Claim], parts: &mut [u32], priority: u8, weighted: bool) -> u32 {
    let wants = |i: usize, parts: &[u32]| {
        claims[i].priority == priority && (claims[i].weight > 0) == weighted && parts[i] < claims[i].want
    };
    while left > 0 {
        let mut next: Option<usize> = None;
        for i in 0..claims.len() {
            if wants(i, parts) && next.is_none_or(|best| is_behind(claims, parts, i, best)) {
                next = Some(i);
            }
        }
        let Some(i) = next else { break };
        parts[i] += 1;
        left -= 1;
    }
    left
}

/// Claim `i` is further behind its weight than `best`: compares weight over (2 parts + 1).
fn is_behind(claims: &[Claim], parts: &[u32], i: usize, best: usize) -> bool {
    let weight = |i: usize| u64::from(claims[i].weight.max(1));
    let odd = |i: usize| 2 * u64::from(parts[i]) + 1;
    weight(i) * odd(best) > weight(best) * odd(i)
}

/// A running campaign's claim on a pool of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolClaim {
    /// Higher goes first.
    pub priority: u8,
    /// The share within one priority.
    pub weight: u32,
    /// It has leads to dial now.
    pub hungry: bool,
    /// It dials more calls than it has free agents for, and answers for the difference with its
    /// own ledger.
    pub ahead: bool,
    /// Calls in flight or waiting that will need an agent.
    pub open: u32,
    /// Lines that are free under the campaign's cap: so many calls more can it make.
    pub room: u32,
    /// Lines under its cap, in use or not.
    pub lines_max: u32,
}

/// What a campaign may count on of a pool that several draw on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolPart {
    /// Of the agents free now.
    pub idle: u32,
    /// Of those who become free later, in percent.
    pub share_pct: u8,
}

/// The part of `claims[own]` in a pool with so many `free` agents, of so many at work. Every campaign that sees the
/// claims in the same order sees the same division.
///
/// A campaign with one call for each agent holds an agent for every call that it has open, so
/// those are taken off what the others may count on. One that dials ahead holds its part. One whose
/// lines are in use claims no agent that it could not call for.
pub fn part_of_pool(free: u32, at_work: u32, claims: &[PoolClaim], own: usize) -> PoolPart {
    let of = |whole: u32, most: &dyn Fn(&PoolClaim) -> u32, parts: &mut Vec<u32>| {
        let want = |c: &PoolClaim| if c.hungry { most(c).min(whole) } else { c.open.min(whole) };
        let each: Vec<Claim> =
            claims.iter().map(|c| Claim { priority: c.priority, weight: c.weight, want: want(c) }).collect();
        divide(whole, &each, parts);
    };
    let mut parts = Vec::with_capacity(claims.len());
    // Who becomes free later finds other lines free than now, but never more than there are.
    let later = |c: &PoolClaim| (100 * u64::from(c.lines_max)).div_ceil(u64::from(at_work.max(1))).min(100) as u32;
    of(100, &later, &mut parts);
    let share_pct = parts.get(own).copied().unwrap_or(0) as u8;
    of(free, &|c| c.open.saturating_add(c.room), &mut parts);
    let others = (0..claims.len()).filter(|i| *i != own);
    let held = |i: usize| if claims[i].ahead { claims[i].open.min(parts[i]) } else { claims[i].open };
    let promised = others.map(held).fold(0, u32::saturating_add);
    let idle = parts.get(own).copied().unwrap_or(0).min(free.saturating_sub(promised));
    PoolPart { idle, share_pct }
}

/// The most dials that one look may take where others want some too.
const TURN_MAX: u32 = 1000;

/// How long a wish for dials that was not met counts.
const WISH_STANDS: Millis = Millis::from_secs(3);

/// Whose turn it is at a rate that several campaigns share: start-time fair queueing (Goyal, Vin
/// and Cheng 1996). Who has had least, by weight, goes first; who wants nothing holds nobody up.
#[derive(Debug, Clone)]
pub struct Turns<K> {
    of: BTreeMap<K, Turn>,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    priority: u8,
    weight: u32,
    /// Dials taken, over the weight.
    had: f64,
    /// Dials wished for and not had, and when.
    unmet: u32,
    at: Timestamp,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Turns { of: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Turns<K> {
    /// Of `tokens` dials that may start now, how many `who` may take.
    pub fn may_take(&mut self, who: K, share: Share, tokens: u32, now: Timestamp) -> u32 {
        self.of.retain(|k, t| *k == who || now - t.at <= WISH_STANDS);
        let rivals = self.of.iter().filter(|(k, t)| **k != who && t.unmet > 0);
        let mut queue: Vec<(u8, f64, u32, u32)> =
            rivals.map(|(_, t)| (t.priority, t.had, t.weight.max(1), t.unmet)).collect();
        let least = queue.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
        let turn = self.of.entry(who).or_insert(Turn { priority: 0, weight: 1, had: 0.0, unmet: 0, at: now });
        (turn.priority, turn.weight) = (share.priority, share.weight.max(1));
        if queue.is_empty() {
            return tokens;
        }
        if turn.unmet == 0 {
            // Time in which nothing was wanted is not saved up.
            turn.had = turn.had.max(least);
        }
        let mut own = (turn.priority, turn.had, turn.weight);
        let mut mine = 0;
        for _ in 0..tokens.min(TURN_MAX) {
            let ahead = |t: &&mut (u8, f64, u32, u32)| t.3 > 0 && (t.0 > own.0 || (t.0 == own.0 && t.1 < own.1));
            let first = queue.iter_mut().filter(ahead).min_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
            match first {
                Some(rival) => {
                    rival.3 -= 1;
                    rival.1 += 1.0 / f64::from(rival.2);
                }
                None => {
                    mine += 1;
                    own.1 += 1.0 / f64::from(own.2);
                }
            }
        }
        mine
    }

    /// `who` took so many dials, and wished for `unmet` more.
    pub fn took(&mut self, who: K, dials: u32, unmet: u32, now: Timestamp) {
        if let Some(turn) = self.of.get_mut(&who) {
            turn.had += f64::from(dials) / f64::from(turn.weight);
            (turn.unmet, turn.at) = (unmet, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(priority: u8, weight: u32, open: u32) -> PoolClaim {
        PoolClaim { priority, weight, hungry: true, ahead: false, open, room: u32::MAX, lines_max: u32::MAX }
    }

    #[test]
    fn a_pool_is_shared_by_priority_and_weight() {
        let part = |free, claims: &[PoolClaim], own| {
            let p = part_of_pool(free, free, claims, own);
            (p.idle, p.share_pct)
        };
        let two = [claim(5, 3, 0), claim(5, 1, 0)];
        assert_eq!((part(8, &two, 0), part(8, &two, 1)), ((6, 75), (2, 25)));
        let urgent = [claim(5, 3, 0), claim(9, 1, 0)];
        assert_eq!((part(8, &urgent, 0), part(8, &urgent, 1)), ((0, 0), (8, 100)));
        // One that has nothing to dial keeps only what its open calls may need.
        let done = [claim(5, 1, 0), PoolClaim { hungry: false, ..claim(9, 1, 2) }];
        assert_eq!(part(8, &done, 0), (6, 98));
        // Calls of others hold agents even beyond their part; those who dial ahead hold their part.
        let late = [claim(5, 1, 1), claim(5, 1, 5)];
        assert_eq!(part(6, &late, 0).0, 1);
        let ahead = [claim(5, 1, 1), PoolClaim { ahead: true, ..claim(5, 1, 40) }];
        assert_eq!(part(6, &ahead, 0).0, 3);
        assert_eq!(part(5, &[claim(5, 1, 0); 2], 0).0 + part(5, &[claim(5, 1, 0); 2], 1).0, 5);
        // One whose only line is in use leaves the others the agents that it has no line for.
        let full = [PoolClaim { room: 0, lines_max: 1, ..claim(9, 1, 1) }, claim(5, 1, 1)];
        assert_eq!((part(3, &full, 0), part(3, &full, 1)), ((1, 34), (2, 66)));
        // Nobody is free: of thirty who will be, one can be the urgent campaign's, for its one line.
        let later = |own| part_of_pool(0, 30, &full, own).share_pct;
        assert_eq!((later(0), later(1)), (4, 96));
    }

    /// Dials of each campaign over `seconds` at one call a second.
    fn served(shares: &[Share], stop_at: &[i64], seconds: i64) -> Vec<u32> {
        let (mut turns, mut got) = (Turns::default(), vec![0; shares.len()]);
        for s in 0..seconds {
            let mut tokens = 1;
            // Looks come in the same order each second: whoever is first must not have it all.
            for (i, share) in shares.iter().enumerate() {
                let now = Timestamp::from_ms(s * 1000 + i as i64);
                let want = u32::from(s < stop_at[i]) * 4;
                let may = turns.may_take(i, *share, tokens, now).min(want);
                tokens -= may;
                got[i] += may;
                turns.took(i, may, want - may, now);
            }
        }
        got
    }

    #[test]
    fn a_rate_is_shared_fairly_and_never_left_unused() {
        let share = |priority, weight| Share { priority, weight };
        let got = served(&[share(5, 1), share(5, 1), share(5, 1)], &[600; 3], 600);
        assert!(got.iter().all(|n| (195..=205).contains(n)), "{got:?}");
        let got = served(&[share(5, 3), share(5, 1)], &[600; 2], 600);
        assert!((440..=460).contains(&got[0]) && got[0] + got[1] >= 598, "{got:?}");
        let got = served(&[share(5, 9), share(9, 1)], &[600; 2], 600);
        assert!(got[1] >= 598, "priority goes first: {got:?}");
        // The first one stops after 100 s; what it leaves goes to the other within seconds.
        let got = served(&[share(5, 1), share(5, 1)], &[100, 600], 600);
        assert!((48..=52).contains(&got[0]) && got[1] >= 540, "{got:?}");
    }

    #[test]
    fn a_wish_stands_for_three_seconds_and_nothing_is_saved_up() {
        let (one, now) = (Share { priority: 5, weight: 1 }, Timestamp::from_secs(1_800_000_000));
        let ms = Millis::from_ms;
        let mut turns = Turns::default();
        assert_eq!(turns.may_take('a', one, 7, now), 7, "alone, all of it");
        turns.took('a', 0, 5, now);
        let after = |off: i64| turns.clone().may_take('b', one, 10, now + ms(off));
        assert_eq!((after(0), after(3000), after(3001)), (5, 5, 10));
        turns.took('a', 0, 0, now);
        assert_eq!(turns.clone().may_take('b', one, 10, now), 10, "who wants nothing holds nobody up");
        // Whoever comes new is not owed what the others had before.
        turns.took('a', 100, 8, now);
        assert_eq!(turns.clone().may_take('b', one, 4, now), 2);
        // Who had ten before is behind one who had two, even after a while of his own silence.
        let mut turns = Turns::default();
        turns.may_take('a', one, 10, now);
        turns.took('a', 10, 0, now);
        turns.may_take('b', one, 2, now + ms(2000));
        turns.took('b', 2, 5, now + ms(2000));
        assert_eq!(turns.clone().may_take('a', one, 6, now + ms(4500)), 1);
        // And one who still waits keeps his place.
        turns.took('a', 0, 9, now + ms(2500));
        turns.took('b', 0, 9, now + ms(2500));
        assert_eq!(turns.clone().may_take('b', one, 6, now + ms(2500)), 6);
        assert_eq!(turns.may_take('b', one, 12, now + ms(2500)), 10, "then they take turns");
        assert_eq!(turns.may_take('b', one, 5000, now + ms(2500)), 1000 - 9, "a look takes a thousand at most");
    }

    #[test]
    fn turns_go_by_priority_and_by_what_each_had_for_its_weight() {
        let now = Timestamp::from_secs(1_800_000_000);
        let share = |priority, weight| Share { priority, weight };
        let of = |own: Share, rival: Share, unmet: u32, tokens: u32| {
            let mut turns = Turns::default();
            turns.may_take('r', rival, 1, now);
            turns.took('r', 0, unmet, now);
            turns.may_take('o', own, tokens, now)
        };
        assert_eq!(of(share(5, 1), share(5, 1), 100, 8), 4);
        assert_eq!(of(share(5, 3), share(5, 1), 100, 8), 6);
        assert_eq!(of(share(5, 1), share(5, 3), 100, 8), 2);
        assert_eq!(of(share(5, 0), share(5, 0), 100, 8), 4, "no weight is the least");
        assert_eq!((of(share(6, 1), share(5, 9), 100, 8), of(share(4, 9), share(5, 1), 100, 8)), (8, 0));
        assert_eq!(of(share(4, 9), share(5, 1), 3, 8), 5, "a higher priority takes what it wished for and no more");
        let mut turns = Turns::default();
        turns.may_take('o', share(5, 1), 3, now);
        turns.took('o', 3, 5, now);
        turns.may_take('r', share(5, 4), 8, now);
        turns.took('r', 8, 100, now);
        // Three dials of a weight of one; beside them eight of a weight of four make two.
        assert_eq!(turns.may_take('o', share(5, 1), 6, now), 3);
    }

    fn parts(whole: u32, claims: &[(u8, u32, u32)]) -> Vec<u32> {
        let claims: Vec<Claim> =
            claims.iter().map(|&(priority, weight, want)| Claim { priority, weight, want }).collect();
        let mut out = Vec::new();
        divide(whole, &claims, &mut out);
        out
    }

    #[test]
    fn weights_share_and_priority_goes_first() {
        assert_eq!(parts(10, &[(1, 3, 99), (1, 2, 99)]), [6, 4]);
        assert_eq!(parts(10, &[(1, 3, 2), (1, 2, 99)]), [2, 8], "what one does not want goes to the other");
        assert_eq!(parts(10, &[(1, 5, 99), (2, 1, 7)]), [3, 7], "a callback due takes precedence");
        assert_eq!(parts(5, &[(1, 0, 9), (1, 1, 3)]), [2, 3], "no weight: only what is left");
        assert_eq!(parts(0, &[(1, 1, 1)]), [0]);
        assert_eq!(parts(3, &[]), Vec::<u32>::new());
    }

    proptest! {
        /// Whoever looks next, at one call for each agent, never brings the open calls of all
        /// campaigns above the free agents.
        #[test]
        fn no_agent_is_promised_twice(
            free in 0_u32..12,
            claims in prop::collection::vec((0_u8..3, 1_u32..4, 0_u32..6, any::<bool>()), 1..5),
            own in 0_usize..5,
        ) {
            let claims: Vec<PoolClaim> = claims.iter().map(|c| PoolClaim { hungry: c.3, ..claim(c.0, c.1, c.2) }).collect();
            let own = own % claims.len();
            let open: u32 = claims.iter().map(|c| c.open).sum();
            let dial = part_of_pool(free, free, &claims, own).idle.saturating_sub(claims[own].open);
            prop_assert!(open + dial <= free.max(open), "{} + {} > {}", open, dial, free);
        }

        #[test]
        fn nothing_is_promised_twice_and_nothing_is_wasted(
            whole in 0_u32..80,
            claims in prop::collection::vec((0_u8..3, 0_u32..5, 0_u32..40), 0..6),
        ) {
            let got = parts(whole, &claims);
            let wanted: u32 = claims.iter().map(|c| c.2).sum();
            prop_assert_eq!(got.iter().sum::<u32>(), whole.min(wanted));
            prop_assert!(got.iter().zip(&claims).all(|(g, c)| *g <= c.2));
            for (i, a) in claims.iter().enumerate() {
                for (j, b) in claims.iter().enumerate() {
                    // A lower priority gets nothing while a higher one still wants.
                    prop_assert!(!(a.0 > b.0 && got[i] < a.2 && got[j] > 0));
                    // Within one priority nobody is a whole unit behind another's weight.
                    if a.0 == b.0 && a.1 > 0 && b.1 > 0 && got[i] < a.2 {
                        let (a_share, b_share) = (f64::from(a.1), f64::from(b.1));
                        prop_assert!((f64::from(got[j]) - 1.0) / b_share < (f64::from(got[i]) + 1.0) / a_share);
                    }
                }
            }
        }
    }
}
