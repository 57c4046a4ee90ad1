//! The price: the highest chance of an abandonment that the next dial may carry.
//!
//! To keep as many agents busy as possible within a share of abandoned answers, dial while the
//! next dial's chance of meeting no agent is at most one fixed price (measured: within 0.1 % of
//! the exact optimum of the exponential world). The price that spends the budget is not known
//! beforehand, so it follows the budget: an exponential barrier around a set stock of unused
//! abandonments, and a slow integral that finds the level.

use crate::Timestamp;
use crate::pacing::{DayKey, Ledger, LedgerRules, Window};

/// Prices are kept between these.
const PRICE_MIN: f64 = 0.0005;
const PRICE_MAX: f64 = 0.6;

/// How many working days a 30-day period has, for a first guess of its answers.
const WORKING_DAYS: f64 = 21.0;

/// Tracks the ledger and sets the price.
#[derive(Debug, Clone)]
pub(super) struct Price {
    /// Logarithm of the level that the integral has found.
    pub ln_level: f64,
    /// Answers expected in a day, from the days before; 0 at the start.
    pub day_answers: f64,
    day: i32,
    today: f64,
    total_seen: u32,
    /// Logarithm of what a target wait takes off the price; 0 without a target.
    ln_ease: f64,
    /// Idle agent-seconds and answers lately: their ratio is the wait between two calls.
    idle_s: f64,
    answered: f64,
    eased_at: Option<Timestamp>,
}

/// The stock of unused abandonments to keep, and how softly to hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stock {
    pub target: f64,
    pub softness: f64,
}

impl Price {
    pub(super) fn new() -> Self {
        Price {
            ln_level: (0.014_f64).ln(),
            day_answers: 0.0,
            day: i32::MIN,
            today: 0.0,
            total_seen: 0,
            ln_ease: 0.0,
            idle_s: 0.0,
            answered: 0.0,
            eased_at: None,
        }
    }

    /// Takes note of the ledger; answers that were counted since the last look.
    pub(super) fn follow(&mut self, ledger: &Ledger, day: DayKey) -> u32 {
        if self.day != day.day {
            if self.today > 0.0 {
                let keep = if self.day_answers > 0.0 { 0.7 } else { 0.0 };
                self.day_answers = keep * self.day_answers + (1.0 - keep) * self.today;
            }
            self.day = day.day;
        }
        self.today = ledger.counts(Window::Day, day).map_or(0.0, |c| f64::from(c.live));
        let total = ledger.counts(Window::Total, day).map_or(0, |c| c.live);
        let fresh = total.saturating_sub(self.total_seen);
        self.total_seen = total;
        fresh
    }

    /// What a whole window may cost in abandonments, as far as can be told; the least over the
    /// windows that count.
    fn window_budget(&self, ledger: &Ledger, rules: &LedgerRules, day: DayKey) -> f64 {
        let mut least = f64::INFINITY;
        for w in rules.windows() {
            let so_far = ledger.counts(w, day).map_or(0.0, |c| f64::from(c.live));
            let days = match w {
                Window::Day => 1.0,
                Window::Rolling => f64::from(rules.rolling_hours.unwrap_or(24)) / 24.0,
                Window::Period | Window::Month | Window::Total => WORKING_DAYS,
            };
            least = least.min(rules.cap_f64() * so_far.max(days * self.day_answers));
        }
        least
    }

    /// How much to keep unused: enough to ride out bursts, little beside the whole budget.
    pub(super) fn stock(&self, ledger: &Ledger, rules: &LedgerRules, day: DayKey, strict_need: f64) -> Stock {
        let whole = self.window_budget(ledger, rules, day);
        let softness = (whole * tuning::SOFT_SHARE).clamp(tuning::SOFT_MIN, tuning::SOFT_MAX);
        // A young window has had little time to save: spend part of what comes in from the start.
        let so_far = rules.windows().filter_map(|w| ledger.counts(w, day)).map(|c| f64::from(c.live));
        let young = tuning::YOUNG_FLOOR + tuning::YOUNG_SHARE * rules.cap_f64() * so_far.fold(f64::INFINITY, f64::min);
        let target = (softness * tuning::TARGET + tuning::FLOOR).min(young);
        Stock { target: target + strict_need, softness }
    }

    /// The price at this budget.
    pub(super) fn price(&self, left: f64, stock: Stock) -> f64 {
        let x = ((left - stock.target) / stock.softness).clamp(-12.0, 3.0);
        (self.ln_level + x + self.ln_ease).exp().clamp(PRICE_MIN, PRICE_MAX)
    }

    /// Lowers the price while agents wait less than `target_s` between two calls, and gives it back
    /// when they wait longer.
    pub(super) fn ease(&mut self, now: Timestamp, idle: u32, answers: u32, target_s: f64) {
        let gone = self.eased_at.map_or(0.0, |t| (now - t).as_secs_f64().clamp(0.0, 60.0));
        self.eased_at = Some(now);
        self.idle_s += gone * f64::from(idle);
        self.answered += f64::from(answers);
        if self.answered > 60.0 {
            (self.idle_s, self.answered) = (self.idle_s / 2.0, self.answered / 2.0);
        }
        if answers > 0 {
            let wait_s = self.idle_s / self.answered;
            let step = 0.03 * f64::from(answers) * (wait_s / target_s.max(0.1) - 1.0).clamp(-1.0, 1.0);
            self.ln_ease = (self.ln_ease + step).clamp(-7.0, 0.0);
        }
    }

    /// A target wait holds the price down.
    pub(super) fn is_eased(&self) -> bool {
        self.ln_ease < -0.2
    }

    /// Moves the level, by the answers counted since the last look.
    pub(super) fn learn(&mut self, left: f64, stock: Stock, answers: u32, binding: bool) {
        let x = ((left - stock.target) / stock.softness).clamp(-2.0, 2.0);
        if x > 0.0 && !binding {
            return;
        }
        let step = f64::from(answers) * x / (tuning::INTEGRAL * stock.softness);
        self.ln_level = (self.ln_level + step.clamp(-0.1, 0.1)).clamp((0.002_f64).ln(), (0.3_f64).ln());
    }
}

/// Settings found by the pacing laboratory.
mod tuning {
    /// Softness of the barrier, as a share of what the whole window may cost.
    pub(super) const SOFT_SHARE: f64 = 1.0 / 60.0;
    /// Its least and largest value, abandonments.
    pub(super) const SOFT_MIN: f64 = 2.0;
    pub(super) const SOFT_MAX: f64 = 12.0;
    /// The stock to keep, in softnesses, and abandonments besides.
    pub(super) const TARGET: f64 = 1.3;
    pub(super) const FLOOR: f64 = 1.5;
    /// In a young window: abandonments to keep, and the share to keep of what came in so far.
    pub(super) const YOUNG_FLOOR: f64 = 0.8;
    pub(super) const YOUNG_SHARE: f64 = 0.35;
    /// Answers, per softness, in which the level moves by one softness's worth.
    pub(super) const INTEGRAL: f64 = 150.0;
}
