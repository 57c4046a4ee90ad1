//! The abandonment ledger: exact counts per window, small enough to sit in the campaign's row.
//!
//! Every change is a [`LedgerDelta`], and deltas commute: whatever order nodes commit them in,
//! the same ledger results. Each window remembers only its latest period; a delta of an older
//! period is dropped there, one of a newer period starts it afresh. "Given up" (no agent before
//! hang-up or time-out) and "connected late" (after the deadline of the rule in force) are two
//! figures and stay two figures; [`LedgerRules`] say which of them count.

mod counts;
mod rules;

pub use counts::{Counts, CountsDelta, DayKey};
pub use rules::{Budget, CapMode, Denominator, LedgerRules, Misjudged, PickUp, StartPoint, Window};

use serde::{Deserialize, Serialize};

/// How many parts the rolling window is kept in; one more holds the part that is passing.
const ROLLING_PARTS: i64 = 12;
const ROLLING_SLOTS: usize = ROLLING_PARTS as usize + 1;

/// Days in one tumbling period: 16 CFR 310.4(b)(4)(i), "each successive 30-day period".
pub const PERIOD_DAYS: i32 = 30;

/// Abandoned and live-answered calls of one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The day of the campaign's first dial; tumbling periods count from it.
    first_day: i32,
    /// Since the first dial.
    total: Counts,
    day: Slot,
    period: Slot,
    month: Slot,
    /// The rolling window, if the rules ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolling: Option<Rolling>,
    /// Calls dialled at risk and not yet settled, over all nodes.
    open: i32,
    /// Machine verdicts that somebody reviewed.
    reviewed: u32,
    /// Of those, people.
    reviewed_people: u32,
}

/// One window's latest period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "(i64, Counts)", into = "(i64, Counts)")]
struct Slot {
    key: i64,
    counts: Counts,
}

impl From<(i64, Counts)> for Slot {
    fn from((key, counts): (i64, Counts)) -> Self {
        Slot { key, counts }
    }
}
impl From<Slot> for (i64, Counts) {
    fn from(s: Slot) -> Self {
        (s.key, s.counts)
    }
}

impl Slot {
    /// Adds to the period `key`: older is dropped, newer starts afresh.
    fn add(&mut self, key: i64, delta: &CountsDelta) {
        if key > self.key {
            *self = Slot { key, counts: Counts::default() };
        }
        if key == self.key {
            self.counts.add(delta);
        }
    }
    /// The counts if the period `key` is still the present one.
    fn at(&self, key: i64) -> Counts {
        if key <= self.key { self.counts } else { Counts::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rolling {
    hours: u16,
    parts: [Slot; ROLLING_SLOTS],
}

impl Rolling {
    fn new(hours: u16) -> Self {
        Rolling { hours: hours.clamp(1, 168), parts: [Slot::default(); ROLLING_SLOTS] }
    }
    /// The running number of the part that `at_s` (seconds since the epoch) falls into.
    fn part(&self, at_s: i64) -> i64 {
        at_s.div_euclid(i64::from(self.hours) * 3600 / ROLLING_PARTS)
    }
    fn add(&mut self, at_s: i64, delta: &CountsDelta) {
        let part = self.part(at_s);
        self.parts[part.rem_euclid(ROLLING_SLOTS as i64) as usize].add(part, delta);
    }
    /// The sum over the last full window and the part that is passing: never shorter than asked.
    fn at(&self, now_s: i64) -> Counts {
        let newest = self.part(now_s);
        let mut sum = Counts::default();
        for slot in &self.parts {
            if slot.key > newest - ROLLING_SLOTS as i64 {
                sum.merge(&slot.counts);
            }
        }
        sum
    }
}

/// What one commit changes in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerDelta {
    /// When the counted thing happened (an abandonment counts when its person answered).
    pub key: DayKey,
    /// Changes of the counts.
    pub counts: CountsDelta,
    /// Change of the calls dialled at risk and not yet settled.
    pub open: i32,
    /// Machine verdicts reviewed.
    pub reviewed: u32,
    /// Of those, people.
    pub reviewed_people: u32,
    /// The rolling window that the rules in force ask for, hours; `None` leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling_hours: Option<u16>,
}

impl LedgerDelta {
    /// Nothing, at this time; to be filled in.
    pub fn at(key: DayKey) -> Self {
        LedgerDelta {
            key,
            counts: CountsDelta::default(),
            open: 0,
            reviewed: 0,
            reviewed_people: 0,
            rolling_hours: None,
        }
    }
    /// `n` calls dialled that may meet no agent.
    pub fn dialed(key: DayKey, n: u32) -> Self {
        LedgerDelta { open: n as i32, ..LedgerDelta::at(key) }
    }
    /// One such call ended as `counts` say.
    pub fn settled(key: DayKey, counts: CountsDelta) -> Self {
        LedgerDelta { open: -1, counts, ..LedgerDelta::at(key) }
    }
}

impl Ledger {
    /// An empty ledger of a campaign whose first dial is on this day.
    pub fn new(first: DayKey, rules: &LedgerRules) -> Self {
        Ledger {
            first_day: first.day,
            total: Counts::default(),
            day: Slot::default(),
            period: Slot::default(),
            month: Slot::default(),
            rolling: rules.rolling_hours.map(Rolling::new),
            open: 0,
            reviewed: 0,
            reviewed_people: 0,
        }
    }

    /// Applies one change. Order does not matter.
    pub fn apply(&mut self, d: &LedgerDelta) {
        self.roll(d);
        self.total.add(&d.counts);
        self.day.add(i64::from(d.key.day), &d.counts);
        self.period.add(self.period_of(d.key.day), &d.counts);
        self.month.add(i64::from(d.key.month), &d.counts);
        if let Some(r) = &mut self.rolling {
            r.add(d.key.at_s, &d.counts);
        }
        self.open = self.open.saturating_add(d.open);
        self.reviewed = self.reviewed.saturating_add(d.reviewed);
        self.reviewed_people = self.reviewed_people.saturating_add(d.reviewed_people);
    }

    /// Keeps the rolling window that is asked for. One that is switched on, or changed, begins with
    /// what the day has counted, so that its cap holds from the first.
    fn roll(&mut self, d: &LedgerDelta) {
        let kept = self.rolling.as_ref().map(|r| r.hours);
        if let Some(hours) = d.rolling_hours.map(|h| h.clamp(1, 168)).filter(|h| kept != Some(*h)) {
            let mut fresh = Rolling::new(hours);
            let today = self.day.at(i64::from(d.key.day));
            let part = fresh.part(d.key.at_s);
            fresh.parts[part.rem_euclid(ROLLING_SLOTS as i64) as usize] = Slot { key: part, counts: today };
            self.rolling = Some(fresh);
        }
    }

    fn period_of(&self, day: i32) -> i64 {
        i64::from((day - self.first_day).div_euclid(PERIOD_DAYS))
    }

    /// Calls dialled at risk and not yet settled.
    pub fn open(&self) -> u32 {
        self.open.max(0) as u32
    }
    /// Machine verdicts reviewed, and how many of them were people.
    pub fn reviewed(&self) -> (u32, u32) {
        (self.reviewed, self.reviewed_people)
    }
    /// The counts of one window at this time; `None` for a rolling window that is not kept.
    pub fn counts(&self, window: Window, now: DayKey) -> Option<Counts> {
        Some(match window {
            Window::Total => self.total,
            Window::Day => self.day.at(i64::from(now.day)),
            Window::Period => self.period.at(self.period_of(now.day)),
            Window::Month => self.month.at(i64::from(now.month)),
            Window::Rolling => self.rolling.as_ref()?.at(now.at_s),
        })
    }

    /// The counts of a window; of the day where a rolling window was switched on and nothing has
    /// been counted since.
    fn counts_or_day(&self, window: Window, now: DayKey) -> Counts {
        self.counts(window, now).unwrap_or_else(|| self.day.at(i64::from(now.day)))
    }

    /// What may still be abandoned at this time, in the window where that is least.
    pub fn budget(&self, rules: &LedgerRules, now: DayKey) -> Budget {
        let mut least: Option<Budget> = None;
        for window in rules.windows() {
            let c = self.counts_or_day(window, now);
            let b = Budget::of(window, &c, rules, self.reviewed());
            if least.is_none_or(|l| b.left < l.left) {
                least = Some(b);
            }
        }
        least.unwrap_or(Budget::NONE)
    }

    /// True if, in some window with enough answers to judge, what pacing cannot avoid reaches the
    /// cap by itself.
    pub fn unavoidable_reaches_cap(&self, rules: &LedgerRules, now: DayKey) -> Option<Window> {
        rules.windows().find(|&w| {
            let c = self.counts_or_day(w, now);
            let n = rules.base(&c, self.reviewed());
            // Fewer answers than one permitted abandonment needs tell nothing yet.
            n * rules.cap_f64() >= 1.0 && rules.unavoidable(&c, self.reviewed()) >= rules.cap_f64() * n
        })
    }

    /// The most calls that may be open at risk (in flight or waiting, nobody reserved) in strict
    /// mode, with `idle` free agents who stay.
    ///
    /// Were all of them answered, `open - idle` people would miss an agent; the worst ratio
    /// `(x + j - idle) / (n + j)` grows with the answers `j`, so if it holds for `j = open` it
    /// holds whatever is answered. Up to `idle` calls are never at risk.
    pub fn strict_open_max(&self, rules: &LedgerRules, now: DayKey, idle: u32) -> u32 {
        let left = self.budget(rules, now).left;
        let cap = rules.cap_f64();
        if cap >= 1.0 {
            return u32::MAX;
        }
        // The smallest slack keeps a ratio of exactly the cap allowed in spite of rounding.
        let most = ((left + f64::from(idle)) / (1.0 - cap) + 1e-9).floor();
        (most.max(0.0) as u32).max(idle)
    }
}

#[cfg(test)]
mod tests;
