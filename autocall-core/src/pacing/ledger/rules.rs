//! What counts as abandoned, against what, in which windows, and how hard the cap is.

use super::counts::{Counts, figure};
use crate::pacing::Problem;
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The rules of one campaign's ledger. They come from the rule pack in force, narrowed by the
/// campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerRules {
    /// The highest share that may be abandoned.
    pub cap: f32,
    /// How hard the cap is.
    pub mode: CapMode,
    /// Count each civil day by itself.
    pub per_day: bool,
    /// Count each successive period of 30 days by itself.
    pub per_period: bool,
    /// Count each civil month by itself.
    pub per_month: bool,
    /// Count a rolling window of this many hours (1 to 168) too.
    pub rolling_hours: Option<u16>,
    /// Against what abandonments are counted.
    pub denominator: Denominator,
    /// From when the deadline to connect runs.
    pub start: StartPoint,
    /// The deadline to connect a person, milliseconds.
    pub deadline_ms: u32,
    /// People connected after the deadline count as abandoned too.
    pub late_counts: bool,
    /// How people misjudged as machines are counted.
    pub misjudged: Misjudged,
}

impl Default for LedgerRules {
    /// The United States' safe harbour, held each day as well.
    fn default() -> Self {
        LedgerRules {
            cap: 0.03,
            mode: CapMode::Guarded { z: 1.0 },
            per_day: true,
            per_period: true,
            per_month: false,
            rolling_hours: None,
            denominator: Denominator::Live,
            start: StartPoint::GreetingEnd,
            deadline_ms: 2000,
            late_counts: true,
            misjudged: Misjudged::Measured { before: 0.01 },
        }
    }
}

/// How hard the cap is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CapMode {
    /// No dial that could ever bring the ratio above the cap, whatever is answered.
    Strict,
    /// Expected abandonments plus `z` standard deviations stay within the budget.
    Guarded {
        /// Standard deviations, 0 to 6.
        z: f32,
    },
}

/// Against what abandonments are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// Calls answered live by a person (United States, United Kingdom).
    #[default]
    Live,
    /// Live people who were to be given to an agent.
    Queued,
    /// Every call that was picked up, machines included.
    Connected,
}

/// From when the deadline to connect runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum StartPoint {
    /// From the pick-up.
    Connected,
    /// From the first word of the person's greeting.
    GreetingStart,
    /// From the end of the person's greeting (16 CFR 310.4(b)(1)(iv)).
    #[default]
    GreetingEnd,
}

/// How people misjudged as machines are counted. Hanging up on them abandons them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Misjudged {
    /// Not at all: no machine detection, or machines are never hung up on.
    #[default]
    Ignored,
    /// This share of the verdicts "machine" were people.
    Configured {
        /// 0 to 1.
        share: f32,
    },
    /// The upper 95 % bound of the share found by review; `before` until 30 were reviewed.
    Measured {
        /// 0 to 1.
        before: f32,
    },
}

/// When a call was picked up and greeted, as far as the carrier tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PickUp {
    /// The pick-up.
    pub connected_at: Timestamp,
    /// The greeting's first word.
    pub greeting_start: Option<Timestamp>,
    /// The greeting's end.
    pub greeting_end: Option<Timestamp>,
}

/// A window of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Since the campaign's first dial. Never a cap of its own.
    Total,
    /// The civil day.
    Day,
    /// The tumbling period of 30 days.
    Period,
    /// The civil month.
    Month,
    /// The rolling window.
    Rolling,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Window::Total => "in all",
            Window::Day => "today",
            Window::Period => "in this 30-day period",
            Window::Month => "this month",
            Window::Rolling => "in the rolling window",
        })
    }
}

/// What may still be abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The window where least is left; `None` if no window counts.
    pub window: Option<Window>,
    /// Abandonments that it can still bear: cap times answers, less those that count.
    pub left: f64,
    /// The answers it counts against.
    pub answers: f64,
}

impl Budget {
    /// No window counts, so nothing may be risked.
    pub(super) const NONE: Budget = Budget { window: None, left: 0.0, answers: 0.0 };

    pub(super) fn of(window: Window, c: &Counts, rules: &LedgerRules, reviewed: (u32, u32)) -> Budget {
        let answers = rules.base(c, reviewed);
        let left = rules.cap_f64() * answers - rules.abandoned(c, reviewed);
        Budget { window: Some(window), left, answers }
    }
}

impl LedgerRules {
    /// The cap in full precision: the nearest millionth, so that 3 % is 0.03 and not the nearest
    /// 32-bit fraction, which lies above it.
    pub fn cap_f64(&self) -> f64 {
        (f64::from(self.cap) * 1e6).round() / 1e6
    }
    /// The windows that carry the cap.
    pub fn windows(&self) -> impl Iterator<Item = Window> + use<> {
        let on = [
            (Window::Day, self.per_day),
            (Window::Period, self.per_period),
            (Window::Month, self.per_month),
            (Window::Rolling, self.rolling_hours.is_some()),
        ];
        on.into_iter().filter(|w| w.1).map(|w| w.0)
    }
    /// Abandonments that count under these rules.
    pub fn abandoned(&self, c: &Counts, reviewed: (u32, u32)) -> f64 {
        let late = if self.late_counts { figure(c.connected_late) } else { 0.0 };
        figure(c.given_up) + late + self.misjudged_people(c, reviewed)
    }
    /// Those of [`LedgerRules::abandoned`] that pacing cannot avoid.
    pub fn unavoidable(&self, c: &Counts, reviewed: (u32, u32)) -> f64 {
        figure(c.unavoidable) + self.misjudged_people(c, reviewed)
    }
    /// What abandonments are counted against.
    pub fn base(&self, c: &Counts, reviewed: (u32, u32)) -> f64 {
        match self.denominator {
            Denominator::Live => figure(c.live) + self.misjudged_people(c, reviewed),
            Denominator::Queued => figure(c.queued),
            Denominator::Connected => figure(c.connected),
        }
    }
    /// The abandoned share of a window; 0 without answers.
    pub fn ratio(&self, c: &Counts, reviewed: (u32, u32)) -> f64 {
        let n = self.base(c, reviewed);
        if n > 0.0 { self.abandoned(c, reviewed) / n } else { 0.0 }
    }
    /// People thought to be among the verdicts "machine".
    pub fn misjudged_people(&self, c: &Counts, (reviewed, people): (u32, u32)) -> f64 {
        let share = match self.misjudged {
            Misjudged::Ignored => 0.0,
            Misjudged::Configured { share } => f64::from(share),
            Misjudged::Measured { before } if reviewed < 30 => f64::from(before),
            Misjudged::Measured { .. } => upper_95(people, reviewed),
        };
        share * figure(c.machines)
    }
    /// The instant after which a person connected is connected late.
    pub fn deadline(&self, p: &PickUp) -> Timestamp {
        let start = match self.start {
            StartPoint::Connected => p.connected_at,
            // Where the carrier tells less, the earlier instant is the stricter reading.
            StartPoint::GreetingStart => p.greeting_start.unwrap_or(p.connected_at),
            StartPoint::GreetingEnd => p.greeting_end.or(p.greeting_start).unwrap_or(p.connected_at),
        };
        start + Millis::from_ms(i64::from(self.deadline_ms))
    }
    /// A person bridged at this instant was connected late.
    pub fn is_late(&self, p: &PickUp, bridged_at: Timestamp) -> bool {
        bridged_at > self.deadline(p)
    }
    /// Everything wrong with these rules.
    pub fn check(&self) -> Vec<Problem> {
        let mut wrong = Vec::new();
        if !(0.0..=0.1).contains(&self.cap) {
            wrong.push(Problem::Cap);
        }
        if self.windows().next().is_none() {
            wrong.push(Problem::NoWindow);
        }
        if self.rolling_hours.is_some_and(|h| !(1..=168).contains(&h)) {
            wrong.push(Problem::Rolling);
        }
        let share = match self.misjudged {
            Misjudged::Ignored => 0.0,
            Misjudged::Configured { share } => share,
            Misjudged::Measured { before } => before,
        };
        if !(0.0..=1.0).contains(&share) {
            wrong.push(Problem::Misjudged);
        }
        if self.deadline_ms > 60_000 {
            wrong.push(Problem::Deadline);
        }
        if !self.mode.is_valid() {
            wrong.push(Problem::Guard);
        }
        wrong
    }
}

/// The upper end of the 95 % interval for a share, after Wilson (1927); one-sided, z = 1.645.
fn upper_95(hits: u32, of: u32) -> f64 {
    let (x, n, z) = (f64::from(hits.min(of)), f64::from(of), 1.645_f64);
    let p = x / n;
    let mid = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((mid + half) / (1.0 + z * z / n)).min(1.0)
}
