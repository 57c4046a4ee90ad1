//! Plain counters, and the days that they belong to.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// Which day, month and second something belongs to, in the campaign's own time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DayKey {
    /// Civil days since 1970-01-01 in the campaign's zone.
    pub day: i32,
    /// Civil months since January 1970.
    pub month: i32,
    /// Seconds since the epoch, UTC; for the rolling window.
    pub at_s: i64,
}

impl DayKey {
    /// The day of an instant in a zone.
    pub fn at(now: Timestamp, zone: &jiff::tz::TimeZone) -> Self {
        let offset_s = i64::from(zone.to_offset(now.to_jiff()).seconds());
        DayKey::with_offset(now, offset_s)
    }
    /// The day of an instant where clocks are `offset_s` seconds ahead of UTC.
    pub fn with_offset(now: Timestamp, offset_s: i64) -> Self {
        let at_s = now.ms().div_euclid(1000);
        let day = (at_s + offset_s).div_euclid(86_400);
        DayKey { day: day as i32, month: month_of(day), at_s }
    }
}

/// Civil months since January 1970 of a day number (proleptic Gregorian calendar).
fn month_of(day: i64) -> i32 {
    // Years begin in March here, so that the leap day is a year's last; 719 468 days lie between
    // 0000-03-01 and 1970-01-01, 146 097 days make 400 years.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let march_month = (5 * doy + 2) / 153;
    let months_since_0000_03 = (era * 400 + yoe) * 12 + march_month;
    (months_since_0000_03 + 2 - 1970 * 12) as i32
}

/// What is counted in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "[u32; 7]", into = "[u32; 7]")]
pub struct Counts {
    /// Calls picked up by anybody or anything.
    pub connected: u32,
    /// Calls answered live by a person, as far as we could tell.
    pub live: u32,
    /// Of those, people who were to be given to an agent.
    pub queued: u32,
    /// People who got no agent before they hung up or the time was up.
    pub given_up: u32,
    /// People connected after the deadline.
    pub connected_late: u32,
    /// Of both, those that pacing could not avoid: the agent was lost, or accepted late.
    pub unavoidable: u32,
    /// Verdicts "machine", some of them people.
    pub machines: u32,
}

impl From<[u32; 7]> for Counts {
    fn from([connected, live, queued, given_up, connected_late, unavoidable, machines]: [u32; 7]) -> Self {
        Counts { connected, live, queued, given_up, connected_late, unavoidable, machines }
    }
}
impl From<Counts> for [u32; 7] {
    fn from(c: Counts) -> Self {
        [c.connected, c.live, c.queued, c.given_up, c.connected_late, c.unavoidable, c.machines]
    }
}

/// A change of [`Counts`]; negative where an earlier count is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "[i32; 7]", into = "[i32; 7]")]
pub struct CountsDelta {
    /// See [`Counts::connected`].
    pub connected: i32,
    /// See [`Counts::live`].
    pub live: i32,
    /// See [`Counts::queued`].
    pub queued: i32,
    /// See [`Counts::given_up`].
    pub given_up: i32,
    /// See [`Counts::connected_late`].
    pub connected_late: i32,
    /// See [`Counts::unavoidable`].
    pub unavoidable: i32,
    /// See [`Counts::machines`].
    pub machines: i32,
}

impl From<[i32; 7]> for CountsDelta {
    fn from([connected, live, queued, given_up, connected_late, unavoidable, machines]: [i32; 7]) -> Self {
        CountsDelta { connected, live, queued, given_up, connected_late, unavoidable, machines }
    }
}
impl From<CountsDelta> for [i32; 7] {
    fn from(c: CountsDelta) -> Self {
        [c.connected, c.live, c.queued, c.given_up, c.connected_late, c.unavoidable, c.machines]
    }
}

impl CountsDelta {
    /// A person who was connected to an agent in time.
    pub fn served() -> Self {
        CountsDelta { connected: 1, live: 1, queued: 1, ..Self::default() }
    }
    /// A person connected after the deadline; `avoidable` unless an agent was slow or lost.
    pub fn late(avoidable: bool) -> Self {
        CountsDelta { connected_late: 1, unavoidable: i32::from(!avoidable), ..Self::served() }
    }
    /// A person who got no agent; `avoidable` unless an agent was lost on the way.
    pub fn given_up(avoidable: bool) -> Self {
        CountsDelta { given_up: 1, unavoidable: i32::from(!avoidable), ..Self::served() }
    }
    /// A person who hung up before an agent was due: answered, not abandoned.
    pub fn left_at_once() -> Self {
        CountsDelta { connected: 1, live: 1, ..Self::default() }
    }
    /// A pick-up judged to be a machine.
    pub fn machine() -> Self {
        CountsDelta { connected: 1, machines: 1, ..Self::default() }
    }
}

impl Counts {
    /// Adds a change. A negative count can only stand between two deltas that arrive in the wrong
    /// order; wrapping keeps addition commutative there.
    pub(super) fn add(&mut self, d: &CountsDelta) {
        self.connected = self.connected.wrapping_add_signed(d.connected);
        self.live = self.live.wrapping_add_signed(d.live);
        self.queued = self.queued.wrapping_add_signed(d.queued);
        self.given_up = self.given_up.wrapping_add_signed(d.given_up);
        self.connected_late = self.connected_late.wrapping_add_signed(d.connected_late);
        self.unavoidable = self.unavoidable.wrapping_add_signed(d.unavoidable);
        self.machines = self.machines.wrapping_add_signed(d.machines);
    }
    pub(super) fn merge(&mut self, o: &Counts) {
        self.connected = self.connected.wrapping_add(o.connected);
        self.live = self.live.wrapping_add(o.live);
        self.queued = self.queued.wrapping_add(o.queued);
        self.given_up = self.given_up.wrapping_add(o.given_up);
        self.connected_late = self.connected_late.wrapping_add(o.connected_late);
        self.unavoidable = self.unavoidable.wrapping_add(o.unavoidable);
        self.machines = self.machines.wrapping_add(o.machines);
    }
}

/// A counter as a number; one that a reordered correction has put below zero counts as zero.
pub(super) fn figure(n: u32) -> f64 {
    f64::from((n as i32).max(0))
}
