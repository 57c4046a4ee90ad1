//! Dividing what several campaigns share: free agents of a pool, and a carrier's call rate.
//!
//! Nothing is promised twice: the parts add up to at most the whole. Higher priority goes first;
//! within one priority the parts follow the weights, and what one campaign does not want goes to
//! the others.

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
