//! The fake's time: it starts at the machine's time and runs `speed` times as fast.

use jiff::fmt::rfc2822;
use std::time::Duration;
use tokio::time::Instant;

/// A clock that runs faster (or slower) than the machine's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    started: Instant,
    epoch_ms: i64,
    speed: f64,
}

impl Pace {
    pub(crate) fn new(speed: f64) -> Pace {
        let epoch_ms = jiff::Timestamp::now().as_millisecond();
        Pace { started: Instant::now(), epoch_ms, speed: speed.clamp(0.001, 10_000.0) }
    }

    /// Milliseconds since 1970, on the fake's clock.
    pub(crate) fn now_ms(self) -> i64 {
        self.epoch_ms + (self.started.elapsed().as_secs_f64() * 1000.0 * self.speed) as i64
    }

    /// Sleeps this many of the fake's milliseconds.
    pub(crate) async fn sleep_ms(self, ms: i64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_secs_f64(ms as f64 / 1000.0 / self.speed)).await;
        }
    }

    /// Sleeps until this instant of the fake's clock.
    pub(crate) async fn sleep_until_ms(self, at_ms: i64) {
        self.sleep_ms(at_ms - self.now_ms()).await;
    }
}

/// An instant as the carrier writes it: RFC 2822 in UTC.
pub(crate) fn rfc2822(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}
