//! The order of leads within a priority, as one number that an index sorts by: smaller is sooner.
//!
//! The key depends only on the lead and the strategy, so choosing the next leads never looks at
//! another lead. A change of strategy re-keys in a background job.

use crate::Timestamp;
use crate::id::LeadId;
use serde::{Deserialize, Serialize};

/// How leads of one priority follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// First in, first called.
    #[default]
    Oldest,
    /// Last in, first called.
    Newest,
    /// Shuffled; the same seed gives the same order.
    Random {
        /// The seed.
        seed: u64,
    },
    /// Lists take turns by weight: of two lists with weights 3 and 1, three leads of the first are
    /// called for one of the second, from the first lead on.
    Mix,
}

/// What of a lead the key depends on.
#[derive(Clone, Copy, Debug)]
pub struct Lead {
    /// Which lead.
    pub id: LeadId,
    /// When it came in.
    pub created_at: Timestamp,
    /// Its place in its list, from 0.
    pub place: u32,
    /// The weight of its list, 1 to 1,000.
    pub weight: u16,
}

/// Space between two leads of a list of weight 1; every weight up to 1,000 divides it to a
/// whole that still tells places apart.
const STRIDE: i64 = 1_000_000;

impl Order {
    /// The key of a lead: smaller is sooner.
    pub fn key(self, lead: &Lead) -> i64 {
        match self {
            Order::Oldest => came(lead),
            Order::Newest => -came(lead),
            Order::Random { seed } => {
                let key = lead.id.key().as_u128();
                (mix(mix(seed ^ (key >> 64) as u64) ^ key as u64) >> 1) as i64
            }
            Order::Mix => {
                let weight = i64::from(lead.weight.clamp(1, 1_000));
                // Half a stride ahead, so that two lists of equal weight alternate fairly and a
                // heavy one is not always first.
                (2 * i64::from(lead.place) + 1) * (STRIDE / 2) / weight
            }
        }
    }
}

/// When a lead came, to the second, and its place among those of one list. Fits until 2038, and counts as then afterwards.
fn came(lead: &Lead) -> i64 {
    let seconds = lead.created_at.ms().div_euclid(1_000).clamp(0, i64::from(i32::MAX));
    (seconds << 32) | i64::from(lead.place)
}

/// A step of SplitMix64 (Steele, Lea and Flood, 2014): scatters any input.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenantId;

    fn lead(n: u128, place: u32, weight: u16) -> Lead {
        Lead { id: LeadId::small(TenantId(1), n), created_at: Timestamp::from_secs(n as i64), place, weight }
    }
    fn sorted(order: Order, leads: &[Lead]) -> Vec<u128> {
        let mut all: Vec<_> = leads.iter().map(|l| (order.key(l), l.id.key().as_u128())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, n)| n).collect()
    }

    #[test]
    fn oldest_newest_and_random() {
        let leads: Vec<Lead> = (0..50).map(|n| lead(n, n as u32, 1)).collect();
        assert_eq!(sorted(Order::Oldest, &leads), (0..50).collect::<Vec<_>>());
        assert_eq!(sorted(Order::Newest, &leads), (0..50).rev().collect::<Vec<_>>());
        let one = sorted(Order::Random { seed: 1 }, &leads);
        assert_eq!(one, sorted(Order::Random { seed: 1 }, &leads));
        assert_ne!(one, sorted(Order::Random { seed: 2 }, &leads));
        assert!(leads.iter().all(|l| Order::Random { seed: 9 }.key(l) >= 0));
        let displaced = one.iter().enumerate().filter(|(i, n)| *i as u128 != **n).count();
        assert!(displaced > 40, "shuffled indeed");
    }

    #[test]
    fn lists_mix_by_weight_from_the_start_and_throughout() {
        let heavy = (0..300).map(|n| lead(n, n as u32, 3));
        let light = (0..100).map(|n| lead(1_000 + n, n as u32, 1));
        let all: Vec<Lead> = heavy.chain(light).collect();
        let order = sorted(Order::Mix, &all);
        for window in order.chunks(40) {
            let from_light = window.iter().filter(|n| **n >= 1_000).count();
            assert!((9..=11).contains(&from_light), "{from_light} of 40");
        }
    }

    #[test]
    fn a_shuffle_that_was_kept_with_the_leads_stays_the_same() {
        // SplitMix64 of the seed and both halves of the key.
        for (seed, key, value) in [
            (0, 0, 6_017_775_124_710_473_527),
            (1, 7, 4_290_643_040_882_735_833),
            (42, (5_u128 << 64) | 9, 735_849_641_383_608_497),
            (42, 0x0192_a1b2_c3d4_7e5f_8a9b_acbd_cedf_e0f1, 3_123_826_067_873_577_865),
        ] {
            assert_eq!(Order::Random { seed }.key(&lead(key, 0, 1)), value, "{seed} {key}");
        }
    }

    #[test]
    fn leads_of_one_second_follow_their_places_and_weights_divide_the_stride() {
        let at = |ms: i64, place: u32| Lead { created_at: Timestamp::from_ms(ms), ..lead(1, place, 1) };
        let key = |ms, place| Order::Oldest.key(&at(ms, place));
        assert_eq!((key(999, 5), key(1000, 5)), (5, (1 << 32) + 5));
        assert!(key(1000, u32::MAX) < key(2000, 0), "a second outweighs every place");
        assert_eq!(key(-5000, 3), 3, "nobody came before 1970");
        assert_eq!(Order::Newest.key(&at(1000, 5)), -key(1000, 5));
        let mix = |place, weight| Order::Mix.key(&lead(1, place, weight));
        assert_eq!((mix(0, 1), mix(1, 1), mix(0, 2), mix(3, 1000)), (500_000, 1_500_000, 250_000, 3_500));
        assert_eq!((mix(0, 0), mix(0, 2000)), (500_000, 500));
    }
}
