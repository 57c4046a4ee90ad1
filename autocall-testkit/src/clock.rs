//! The time of a simulated world: stands still until somebody moves it.

use autocall_core::{Millis, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that is moved by hand. Clones show the same time, each with its own error.
#[derive(Clone, Debug)]
pub struct SimClock {
    now_ms: Arc<AtomicI64>,
    skew_ms: i64,
}

impl SimClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> SimClock {
        SimClock { now_ms: Arc::new(AtomicI64::new(now.ms())), skew_ms: 0 }
    }
    /// The same clock as seen by a machine whose clock is wrong by `skew`.
    pub fn skewed(&self, skew: Millis) -> SimClock {
        SimClock { now_ms: self.now_ms.clone(), skew_ms: self.skew_ms + skew.ms() }
    }
    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms.load(Ordering::Relaxed).saturating_add(self.skew_ms))
    }
    /// Moves the shared time; never backwards.
    pub fn advance_to(&self, now: Timestamp) {
        self.now_ms.fetch_max(now.ms(), Ordering::Relaxed);
    }
}

impl autocall_core::ports::Clock for SimClock {
    fn now(&self) -> Timestamp {
        SimClock::now(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time_and_keep_their_error() {
        let clock = SimClock::at(Timestamp::from_secs(100));
        let wrong = clock.skewed(Millis::from_ms(-250));
        clock.advance_to(Timestamp::from_secs(160));
        clock.advance_to(Timestamp::from_secs(120));
        assert_eq!(clock.now(), Timestamp::from_secs(160));
        assert_eq!(wrong.now(), Timestamp::from_ms(159_750));
    }
}
