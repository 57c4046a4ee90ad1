//! Rates: a bounded table of buckets (the generic cell rate algorithm: one instant per key).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Keys remembered at most. Beyond it, buckets that are full again are forgotten first; if none
/// is, everybody waits a little.
const KEYS_MAX: usize = 100_000;

/// So many per second on average, so many at once, per key.
pub struct Throttle<K> {
    /// Milliseconds between two.
    gap_ms: f64,
    /// How far ahead of the clock a key may be.
    burst_ms: f64,
    ahead: Mutex<HashMap<K, f64>>,
}

impl<K: Hash + Eq> Throttle<K> {
    /// `per_s` on average, `burst` at once.
    pub fn new(per_s: f64, burst: u32) -> Throttle<K> {
        let gap_ms = 1000.0 / per_s.max(1e-6);
        Throttle { gap_ms, burst_ms: gap_ms * f64::from(burst.max(1)), ahead: Mutex::new(HashMap::new()) }
    }

    /// Takes one. `Err` says how many seconds to wait.
    pub fn take(&self, key: K, now_ms: i64) -> Result<(), u64> {
        let now = now_ms as f64;
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.len() >= KEYS_MAX && !ahead.contains_key(&key) {
            ahead.retain(|_, full_at| *full_at > now);
            if ahead.len() >= KEYS_MAX {
                return Err(1);
            }
        }
        let full_at = ahead.entry(key).or_insert(now);
        let next = full_at.max(now) + self.gap_ms;
        if next - now > self.burst_ms + 1e-6 {
            return Err((((next - now - self.burst_ms) / 1000.0).ceil() as u64).max(1));
        }
        *full_at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_average_and_keys_apart() {
        let throttle = Throttle::new(2.0, 3);
        for _ in 0..3 {
            assert_eq!(throttle.take("a", 0), Ok(()));
        }
        assert_eq!(throttle.take("a", 0), Err(1));
        assert_eq!(throttle.take("b", 0), Ok(()));
        assert_eq!(throttle.take("a", 500), Ok(()));
        assert_eq!(throttle.take("a", 500), Err(1));
        assert_eq!(throttle.take("a", 100_000), Ok(()), "time heals");
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new(1.0, 1);
        for key in 0..KEYS_MAX {
            assert_eq!(throttle.take(key, 0), Ok(()));
        }
        assert_eq!(throttle.take(KEYS_MAX, 0), Err(1), "full of busy keys");
        assert_eq!(throttle.take(KEYS_MAX, 2_000), Ok(()), "idle ones are forgotten");
    }
}
