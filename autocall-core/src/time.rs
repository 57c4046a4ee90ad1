//! Instants and spans. Both are whole milliseconds; instants are UTC.
//!
//! The core never asks what time it is: every function that needs an instant takes it as an
//! argument.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A span of time in milliseconds; may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(i64);

impl Timestamp {
    /// The epoch, 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// Later than every instant that occurs; "never" in a `due_at` column.
    pub const NEVER: Timestamp = Timestamp(i64::MAX);

    /// The instant `ms` milliseconds after the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Timestamp(ms)
    }
    /// The instant `s` seconds after the epoch.
    pub const fn from_secs(s: i64) -> Self {
        Timestamp(s.saturating_mul(1000))
    }
    /// Milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }
    /// The span from `earlier` to `self`, negative if `earlier` is later.
    pub const fn since(self, earlier: Timestamp) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
    /// As a zone-aware library instant, clamped to the range that library knows.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
    /// From a zone-aware library instant; sub-millisecond digits are cut off.
    pub fn from_jiff(t: jiff::Timestamp) -> Self {
        Timestamp(t.as_millisecond())
    }
}

impl Millis {
    /// No time at all.
    pub const ZERO: Millis = Millis(0);

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Millis(ms)
    }
    /// A span of `s` seconds.
    pub const fn from_secs(s: i64) -> Self {
        Millis(s.saturating_mul(1000))
    }
    /// A span of `m` minutes.
    pub const fn from_mins(m: i64) -> Self {
        Millis(m.saturating_mul(60_000))
    }
    /// A span of `h` hours.
    pub const fn from_hours(h: i64) -> Self {
        Millis(h.saturating_mul(3_600_000))
    }
    /// A span of `d` days of 24 hours.
    pub const fn from_days(d: i64) -> Self {
        Millis(d.saturating_mul(86_400_000))
    }
    /// Whole milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }
    /// Seconds, with fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
    /// Seconds with fraction to the nearest millisecond; saturates, and NaN is zero.
    pub fn from_secs_f64(s: f64) -> Self {
        Millis((s * 1000.0).round() as i64)
    }
}

impl Add<Millis> for Timestamp {
    type Output = Timestamp;
    fn add(self, d: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(d.0))
    }
}
impl AddAssign<Millis> for Timestamp {
    fn add_assign(&mut self, d: Millis) {
        *self = *self + d;
    }
}
impl Sub<Millis> for Timestamp {
    type Output = Timestamp;
    fn sub(self, d: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(d.0))
    }
}
impl Sub<Timestamp> for Timestamp {
    type Output = Millis;
    fn sub(self, earlier: Timestamp) -> Millis {
        self.since(earlier)
    }
}
impl Add for Millis {
    type Output = Millis;
    fn add(self, d: Millis) -> Millis {
        Millis(self.0.saturating_add(d.0))
    }
}
impl AddAssign for Millis {
    fn add_assign(&mut self, d: Millis) {
        *self = *self + d;
    }
}
impl Sub for Millis {
    type Output = Millis;
    fn sub(self, d: Millis) -> Millis {
        Millis(self.0.saturating_sub(d.0))
    }
}
impl SubAssign for Millis {
    fn sub_assign(&mut self, d: Millis) {
        *self = *self - d;
    }
}
impl Mul<i64> for Millis {
    type Output = Millis;
    fn mul(self, n: i64) -> Millis {
        Millis(self.0.saturating_mul(n))
    }
}
impl Div<i64> for Millis {
    type Output = Millis;
    /// Division by zero gives zero: spans are never worth a panic.
    fn div(self, n: i64) -> Millis {
        Millis(self.0.checked_div(n).unwrap_or(0))
    }
}
impl Neg for Millis {
    type Output = Millis;
    fn neg(self) -> Millis {
        Millis(self.0.saturating_neg())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC; `never` for [`Timestamp::NEVER`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Timestamp::NEVER {
            return f.write_str("never");
        }
        fmt::Display::fmt(&self.to_jiff(), f)
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Millis {
    /// `250ms` below a second, otherwise seconds: `12s`, `1.5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.unsigned_abs() < 1000 { write!(f, "{}ms", self.0) } else { write!(f, "{}s", self.as_secs_f64()) }
    }
}
impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
