//! The strategies that need no memory: preview, progressive, power, agentless.

use super::{Bound, LOOK_EVERY, LedgerRules, Observation, Plan, Reason, Strategy, Transfer, View, Why};
use crate::Timestamp;
use smallvec::SmallVec;

/// An agent sees the lead first and decides; nothing is dialled unasked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preview;

/// One call for each free agent: nobody who answers can miss an agent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progressive;

/// A fixed number of calls for each free agent; one for each while the abandonment budget is
/// overdrawn. It does not look ahead: a burst of answers can overdraw the budget first.
#[derive(Debug, Clone)]
pub struct Power {
    /// Calls for each free agent.
    pub ratio: f32,
    /// What counts as abandoned, and the cap.
    pub ledger: LedgerRules,
}

/// Lines and rate only.
#[derive(Debug, Clone, Copy)]
pub struct Agentless {
    /// The most calls in flight.
    pub in_flight_max: u32,
}

/// Cuts a wish down to what the limits allow and says what cut it.
pub(super) fn bounded(view: &View<'_>, now: Timestamp, wish: u32, mut why: Why) -> Plan {
    let l = &view.limits;
    let dial = wish.min(l.dial_max());
    why.wish = wish;
    if !l.may_dial {
        why.reason = Reason::Closed;
    } else if dial < wish {
        why.bound = Some(if l.leads_left == Some(dial) {
            Bound::List
        } else if l.free_lines == dial {
            Bound::Lines
        } else {
            Bound::Rate
        });
    }
    Plan { dial, next_look: now + LOOK_EVERY, why, cancel: SmallVec::new() }
}

/// One call for each free agent, less those that are already on their way.
pub(super) fn one_each(view: &View<'_>) -> u32 {
    view.idle().saturating_sub(view.open_calls())
}

impl Strategy for Preview {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        bounded(view, now, 0, Why::new(Reason::Preview, view))
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}

impl Strategy for Progressive {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        bounded(view, now, one_each(view), Why::new(Reason::Progressive, view))
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}

impl Strategy for Power {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let budget = view.ledger.budget(&self.ledger, view.day);
        let mut why = Why::new(Reason::Power, view);
        (why.budget, why.window) = (budget.left as f32, budget.window);
        if view.transfer == Transfer::OnDemand || budget.left < 0.0 {
            why.reason = if budget.left < 0.0 { Reason::BudgetSpent } else { Reason::Reserving };
            return bounded(view, now, one_each(view), why);
        }
        let lines = (view.idle() as f32 * self.ratio.clamp(1.0, 10.0)).round() as u32;
        bounded(view, now, lines.saturating_sub(view.open_calls()), why)
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}

impl Strategy for Agentless {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let wish = self.in_flight_max.saturating_sub(view.calls.len() as u32);
        bounded(view, now, wish, Why::new(Reason::Agentless, view))
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}
