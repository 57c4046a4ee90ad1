//! VICIdial's adaptive levels.
//!
//! Every second agents ready, calls waiting and agents logged in are sampled, 15 kept. Every 15
//! seconds the level is multiplied by one plus (ready less waiting) over agents; over the drop
//! limit it falls to one (hard), is halved (average) or tapered towards the end of the day. Every
//! 2.5 seconds the level times the counted agents, less calls there, is placed. Drop percentages
//! are refreshed each minute.

use super::{Ticker, count, plan};
use autocall_core::pacing::{Observation, Phase, Plan, Strategy, View, Window};
use autocall_core::{Millis, Timestamp};

/// What happens above the drop limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapt {
    /// The level falls to one.
    Hard,
    /// The level is halved.
    Average,
    /// The level shrinks towards the end of the calling day (21:00).
    Tapered,
}

const SAMPLES: usize = 15;

/// One campaign on one server.
#[derive(Debug, Clone)]
pub struct Vicidial {
    adapt: Adapt,
    /// Count only agents who are ready, not those in a call ("available only").
    available_only: bool,
    level_max: f64,
    level: f64,
    samples: [(f64, f64, f64); SAMPLES],
    sampled: usize,
    second: Ticker,
    minute: Ticker,
    quarter: Ticker,
    place: Ticker,
    calls_today: u32,
    calls_at_minute: u32,
    drops_at_minute: u32,
    calls_1min: u32,
    drop_pct_1min: f64,
    drop_pct_today: f64,
    day: i32,
}

impl Vicidial {
    /// With a drop limit of 3 %, no intensity, level difference 0: as shipped.
    pub fn new(adapt: Adapt, available_only: bool, level_max: f64) -> Self {
        Vicidial {
            adapt,
            available_only,
            level_max,
            level: 1.0,
            samples: [(0.0, 0.0, 0.0); SAMPLES],
            sampled: 0,
            second: Ticker::every_ms(1000),
            minute: Ticker::every_ms(60_000),
            quarter: Ticker::every_ms(15_000),
            place: Ticker::every_ms(2500),
            calls_today: 0,
            calls_at_minute: 0,
            drops_at_minute: 0,
            calls_1min: 0,
            drop_pct_1min: 0.0,
            drop_pct_today: 0.0,
            day: i32::MIN,
        }
    }

    fn sample(&mut self, view: &View<'_>) {
        let at = self.sampled % SAMPLES;
        let ready = count(view, Phase::Idle);
        self.samples[at] = (f64::from(ready), f64::from(view.waiting()), view.agents.len() as f64);
        self.sampled += 1;
    }

    fn drop_stats(&mut self, view: &View<'_>) {
        let c = view.ledger.counts(Window::Day, view.day).unwrap_or_default();
        self.drop_pct_today = if c.live > 0 { 100.0 * f64::from(c.given_up) / f64::from(c.live) } else { 0.0 };
        self.calls_1min = self.calls_today.saturating_sub(self.calls_at_minute);
        let drops = c.given_up.saturating_sub(self.drops_at_minute);
        self.drop_pct_1min =
            if self.calls_1min > 0 { 100.0 * f64::from(drops) / f64::from(self.calls_1min) } else { 0.0 };
        (self.calls_at_minute, self.drops_at_minute) = (self.calls_today, c.given_up);
    }

    fn update_level(&mut self, now: Timestamp) {
        let n = self.sampled.clamp(1, SAMPLES) as f64;
        let sum = self.samples.iter().fold((0.0, 0.0, 0.0), |s, x| (s.0 + x.0, s.1 + x.1, s.2 + x.2));
        let (ready, waiting, agents) = (sum.0 / n, sum.1 / n, sum.2 / n);
        let x = ready - waiting;
        let m = if agents > 0.0 { x / agents } else { 0.0 };
        let mut level = (self.level * (1.0 + m) * 1000.0).round() / 1000.0;
        level = level.clamp(1.0, self.level_max);
        if self.calls_1min > 20 && self.drop_pct_1min > 50.0 {
            level /= 2.0;
        }
        if self.calls_today > 50 && self.drop_pct_today > 3.0 {
            level = match self.adapt {
                Adapt::Hard => 1.0,
                Adapt::Average => level / 2.0,
                Adapt::Tapered => {
                    // The product subtracts clock readings as whole numbers: 2100 - 930 = 1170.
                    let s = now.ms().div_euclid(1000).rem_euclid(86_400);
                    let h = 2100 - (s / 3600 * 100 + s % 3600 / 60);
                    if h < 0 { 1.0 } else { level * (h as f64 / 1000.0).min(1.0) }
                }
            };
        }
        self.level = level.max(1.0);
    }
}

impl Strategy for Vicidial {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        if self.day != view.day.day {
            self.day = view.day.day;
            (self.calls_today, self.calls_at_minute, self.drops_at_minute) = (0, 0, 0);
            (self.drop_pct_1min, self.drop_pct_today) = (0.0, 0.0);
        }
        if self.second.is_due(now) {
            self.sample(view);
        }
        if self.minute.is_due(now) {
            self.drop_stats(view);
        }
        if self.quarter.is_due(now) {
            self.update_level(now);
        }
        let mut dial = 0.0;
        if self.place.is_due(now) {
            let (ready, in_call) = (f64::from(count(view, Phase::Idle)), f64::from(count(view, Phase::Talking)));
            let existing = f64::from(view.open_calls());
            dial = if self.available_only {
                (self.level * ready).round() - existing
            } else {
                (self.level * (ready + in_call)).round() - in_call - existing
            };
        }
        let next = self.second.next(now).min(self.place.next(now)).max(now + Millis::from_ms(1));
        let plan = plan(view, dial, next);
        self.calls_today += plan.dial;
        plan
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}
