//! Where an engine gets its instants and its ids from. Nothing in the machines does.

use crate::time::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place of the core that reads a clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_ms(since.map_or(0, |d| d.as_millis() as i64))
    }
}

/// A clock that stands until it is set: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> ManualClock {
        ManualClock(AtomicI64::new(now.ms()))
    }
    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.ms(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
}

/// A stream of 128-bit numbers for new ids, from a seed. Give every node a seed of its own, from
/// the operating system's randomness; tests give fixed ones.
#[derive(Debug)]
pub struct Ids {
    seed: u128,
    next: AtomicU64,
}

impl Ids {
    /// The stream of this seed.
    pub fn seeded(seed: u128) -> Ids {
        Ids { seed, next: AtomicU64::new(0) }
    }
    /// The next number.
    pub fn next(&self) -> u128 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let low = mix(self.seed as u64 ^ mix(n));
        let high = mix((self.seed >> 64) as u64 ^ mix(n ^ 0x9E37_79B9_7F4A_7C15) ^ low.rotate_left(32));
        (u128::from(high) << 64) | u128::from(low)
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood, 2014): a bijection that spreads every bit.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
