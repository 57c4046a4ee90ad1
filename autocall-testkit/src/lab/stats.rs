//! What is measured, day by day.

use serde::{Deserialize, Serialize};

/// The window of the worst stretch: 500 answers.
const STRETCH: usize = 500;
/// Bins of the wait histogram: half seconds up to ten minutes.
const WAIT_BINS: usize = 1200;

/// One day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// Calls dialled.
    pub dials: u32,
    /// People who answered and wanted an agent.
    pub live: u32,
    /// Of those, people who got none.
    pub given_up: u32,
    /// People connected after the deadline.
    pub late: u32,
    /// People taken for machines.
    pub misjudged: u32,
    /// Ringing calls let go.
    pub let_go: u32,
    /// Agents' time with people, wrap-up included, seconds.
    pub busy_s: f64,
    /// Of that, talking.
    pub talk_s: f64,
    /// Agents' time logged in.
    pub paid_s: f64,
    /// Idle time before each person served, summed.
    pub wait_s: f64,
    /// Looks of the strategy.
    pub plans: u64,
}

impl Day {
    /// Busy share of logged-in time.
    pub fn utilisation(&self) -> f64 {
        if self.paid_s > 0.0 { self.busy_s / self.paid_s } else { 0.0 }
    }
    /// Talk minutes in an agent's hour.
    pub fn talk_min_per_hour(&self) -> f64 {
        if self.paid_s > 0.0 { 60.0 * self.talk_s / self.paid_s } else { 0.0 }
    }
    /// Abandoned share of live answers (what pacing could avoid).
    pub fn abandoned(&self) -> f64 {
        if self.live > 0 { f64::from(self.given_up) / f64::from(self.live) } else { 0.0 }
    }
    /// Adds another day.
    pub fn add(&mut self, o: &Day) {
        self.dials += o.dials;
        self.live += o.live;
        self.given_up += o.given_up;
        self.late += o.late;
        self.misjudged += o.misjudged;
        self.let_go += o.let_go;
        self.busy_s += o.busy_s;
        self.talk_s += o.talk_s;
        self.paid_s += o.paid_s;
        self.wait_s += o.wait_s;
        self.plans += o.plans;
    }
}

/// All days of a run.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Day by day.
    pub days: Vec<Day>,
    /// Answers, true where abandoned: the last [`STRETCH`].
    stretch: Vec<bool>,
    stretch_at: usize,
    stretch_lost: u32,
    /// The most abandoned in any 500 successive answers.
    pub worst_stretch: u32,
    waits: Vec<u32>,
    /// Counting of abandonments begins after so many answers; the earlier ones are apart.
    pub answers: u64,
}

impl Stats {
    /// The day under way.
    pub fn today(&mut self) -> &mut Day {
        if self.days.is_empty() {
            self.days.push(Day::default());
        }
        let last = self.days.len() - 1;
        &mut self.days[last]
    }

    pub(super) fn served(&mut self, waited_s: f64) {
        self.today().wait_s += waited_s;
        if self.waits.is_empty() {
            self.waits = vec![0; WAIT_BINS];
        }
        self.waits[((waited_s * 2.0) as usize).min(WAIT_BINS - 1)] += 1;
        self.answer(true, false);
    }

    /// One live answer, abandoned or not.
    pub(super) fn answer(&mut self, live: bool, lost: bool) {
        if !live {
            return;
        }
        self.answers += 1;
        let today = self.today();
        today.live += 1;
        today.given_up += u32::from(lost);
        if self.stretch.len() < STRETCH {
            self.stretch.push(lost);
        } else {
            self.stretch_lost -= u32::from(self.stretch[self.stretch_at]);
            self.stretch[self.stretch_at] = lost;
            self.stretch_at = (self.stretch_at + 1) % STRETCH;
        }
        self.stretch_lost += u32::from(lost);
        self.worst_stretch = self.worst_stretch.max(self.stretch_lost);
    }

    /// All days together.
    pub fn sum(&self) -> Day {
        let mut sum = Day::default();
        self.days.iter().for_each(|d| sum.add(d));
        sum
    }
    /// Mean idle seconds before a person.
    pub fn wait_mean_s(&self) -> f64 {
        let s = self.sum();
        s.wait_s / f64::from((s.live - s.given_up).max(1))
    }
    /// The idle time that 95 % of people's agents did not exceed, seconds.
    pub fn wait_p95_s(&self) -> f64 {
        let n: u64 = self.waits.iter().map(|c| u64::from(*c)).sum();
        let mut below = 0;
        for (b, c) in self.waits.iter().enumerate() {
            below += u64::from(*c);
            if below * 100 >= n * 95 {
                return (b as f64 + 1.0) / 2.0;
            }
        }
        0.0
    }
    /// The largest abandoned share of a day with at least `answers_min` answers; 0 if none.
    pub fn worst_day(&self, answers_min: u32) -> f64 {
        self.days.iter().filter(|d| d.live >= answers_min).map(Day::abandoned).fold(0.0, f64::max)
    }
}
