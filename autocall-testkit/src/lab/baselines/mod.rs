//! Other dialers' pacing, from their published formulas, as strategies of the same laboratory.
//!
//! Each is written from a description of what the product does, not from its code, and sees the
//! same view as our pacer. Their clocks tick as theirs do: between ticks they plan nothing.

mod omni;
mod simple;
mod vicidial;

pub use omni::OmniDialer;
pub use simple::{Issabel, Threshold, Wombat};
pub use vicidial::{Adapt, Vicidial};

use autocall_core::pacing::{Phase, Plan, Reason, View, Why};
use autocall_core::{Millis, Timestamp};

/// A clock that ticks at a fixed step.
#[derive(Debug, Clone)]
struct Ticker {
    every: Millis,
    next: Option<Timestamp>,
}

impl Ticker {
    fn every_ms(ms: i64) -> Self {
        Ticker { every: Millis::from_ms(ms), next: None }
    }
    /// True once per step; a gap (a night) is skipped.
    fn is_due(&mut self, now: Timestamp) -> bool {
        match self.next {
            Some(t) if now < t => false,
            Some(t) if now - t < self.every => {
                self.next = Some(t + self.every);
                true
            }
            _ => {
                self.next = Some(now + self.every);
                true
            }
        }
    }
    fn next(&self, now: Timestamp) -> Timestamp {
        self.next.unwrap_or(now + self.every)
    }
}

fn plan(view: &View<'_>, dial: f64, next_look: Timestamp) -> Plan {
    let wish = dial.max(0.0) as u32;
    let mut why = Why::new(Reason::Power, view);
    why.wish = wish;
    Plan { dial: wish.min(view.limits.dial_max()), next_look, why, cancel: Default::default() }
}

fn count(view: &View<'_>, phase: Phase) -> u32 {
    view.agents.iter().filter(|a| a.phase == phase).count() as u32
}

/// New answers and abandonments since the last look at a ledger.
#[derive(Debug, Clone, Copy, Default)]
struct Fresh {
    live: u32,
    given_up: u32,
}

impl Fresh {
    /// Answers and abandonments since last time.
    fn since(&mut self, view: &View<'_>) -> (u32, u32) {
        let c = view.ledger.counts(autocall_core::pacing::Window::Total, view.day).unwrap_or_default();
        let new = (c.live - self.live, c.given_up - self.given_up);
        (self.live, self.given_up) = (c.live, c.given_up);
        new
    }
}
