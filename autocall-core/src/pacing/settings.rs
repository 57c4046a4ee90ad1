//! What a campaign says about pacing.

use super::{CapMode, LedgerRules};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a campaign is paced. Part of the campaign's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The way of pacing.
    pub mode: Mode,
    /// What is counted as abandoned, against what, and how hard the cap is.
    pub ledger: LedgerRules,
    /// Whether calls that rang for [`RING_MIN_S`] seconds may be let go when nobody will be free.
    pub cancel: Cancel,
    /// The campaign's part of what it shares with others: agents of a pool, the carrier's rate.
    pub share: Share,
}

/// A campaign's part of what several campaigns share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Share {
    /// 0 to 9; a higher one is served first, whatever the weights. A campaign with a callback due
    /// now goes before all of them.
    pub priority: u8,
    /// 1 to 100; campaigns of one priority share in proportion to it.
    pub weight: u32,
}

impl Default for Share {
    fn default() -> Self {
        Share { priority: 5, weight: 1 }
    }
}

/// The shortest ring after which an unanswered call may be let go: 15 seconds, 16 CFR
/// 310.4(b)(4)(ii) and 47 CFR 64.1200(a)(6).
pub const RING_MIN_S: u32 = 15;

/// The way of pacing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mode {
    /// An agent sees the lead first and decides; nothing is dialled unasked.
    Preview,
    /// One call for each free agent.
    #[default]
    Progressive,
    /// A fixed number of calls for each free agent.
    Power {
        /// Calls for each free agent, 1 to 10.
        ratio: f32,
    },
    /// As many as agents will be free for, within the cap on abandoned calls.
    Predictive {
        /// The highest share of live answers that may be abandoned, 0 to 0.1 (default 0.03).
        cap: f32,
        /// The average wait between two calls that agents should have, seconds; pacing does not
        /// press further once agents wait less than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target_wait_s: Option<f32>,
    },
    /// A message campaign without agents: lines and rate only.
    Agentless {
        /// The most calls in flight.
        in_flight_max: u32,
    },
}

/// Whether ringing calls may be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    /// Never.
    Never,
    /// When nobody will be free and the call has rung for at least the legal minimum.
    #[default]
    WhenNobodyFree,
}

impl Settings {
    /// Predictive pacing with this cap and everything else as shipped.
    pub fn predictive(cap: f32) -> Self {
        let mut s = Settings { mode: Mode::Predictive { cap, target_wait_s: None }, ..Settings::default() };
        s.ledger.cap = cap;
        s
    }
    /// Whether more calls are dialled than there are free agents.
    pub fn dials_ahead(&self) -> bool {
        matches!(self.mode, Mode::Predictive { .. } | Mode::Power { .. })
    }
    /// Whether the campaign dials for free agents without being asked: in preview they ask for each
    /// call, and a message campaign needs none. Others who share the agents leave it none then.
    pub fn claims_agents(&self) -> bool {
        !matches!(self.mode, Mode::Preview | Mode::Agentless { .. })
    }
    /// Everything wrong with these settings; empty when they can be used.
    pub fn check(&self) -> Vec<Problem> {
        let mut wrong = Vec::new();
        match self.mode {
            Mode::Preview | Mode::Progressive => {}
            Mode::Power { ratio } => {
                if !(1.0..=10.0).contains(&ratio) {
                    wrong.push(Problem::Ratio);
                }
            }
            Mode::Predictive { cap, target_wait_s } => {
                if !(0.0..=0.1).contains(&cap) {
                    wrong.push(Problem::Cap);
                }
                if target_wait_s.is_some_and(|s| !(0.0..=600.0).contains(&s)) {
                    wrong.push(Problem::TargetWait);
                }
            }
            Mode::Agentless { in_flight_max } => {
                if in_flight_max == 0 {
                    wrong.push(Problem::NoLines);
                }
            }
        }
        if self.share.priority > 9 || !(1..=100).contains(&self.share.weight) {
            wrong.push(Problem::Share);
        }
        wrong.extend(self.ledger.check());
        wrong
    }
}

/// One thing wrong with pacing settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// A power ratio outside 1 to 10.
    Ratio,
    /// A cap outside 0 to 10 %.
    Cap,
    /// A target wait outside 0 to 600 seconds.
    TargetWait,
    /// A message campaign that may have no call in flight.
    NoLines,
    /// No window counts: the cap would bind nowhere.
    NoWindow,
    /// A rolling window outside 1 to 168 hours.
    Rolling,
    /// An error rate of machine detection outside 0 to 1.
    Misjudged,
    /// A connect deadline outside 0 to 60 seconds.
    Deadline,
    /// A guard outside 0 to 6 standard deviations.
    Guard,
    /// A priority above 9, or a weight outside 1 to 100.
    Share,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Ratio => "the power ratio must lie between 1 and 10 calls per free agent",
            Problem::Cap => "the abandonment cap must lie between 0 and 10 %",
            Problem::TargetWait => "the target wait must lie between 0 and 600 seconds",
            Problem::NoLines => "a message campaign needs at least one line",
            Problem::NoWindow => "predictive pacing needs at least one window in which abandonments are counted",
            Problem::Rolling => "the rolling window must lie between 1 and 168 hours",
            Problem::Misjudged => "the share of people misjudged as machines must lie between 0 and 1",
            Problem::Deadline => "the deadline to connect must lie between 0 and 60 seconds",
            Problem::Guard => "the guard must lie between 0 and 6 standard deviations",
            Problem::Share => "the priority must lie between 0 and 9 and the weight between 1 and 100",
        })
    }
}

impl CapMode {
    /// True when the guard is a usable number.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            CapMode::Strict => true,
            CapMode::Guarded { z } => (0.0..=6.0).contains(&z),
        }
    }
}
