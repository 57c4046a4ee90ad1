//! What a carrier would bill: whole minutes per leg, rounded up.

use super::lines::{Leg, Phase};
use autocall_core::ports::Line;
use autocall_core::{LegId, Millis, Timestamp};

/// What was used. Minutes are billed minutes: each leg rounded up by itself, sub-second calls
/// included (Twilio's rounding rule).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Customers' legs that were placed.
    pub customer_calls: u64,
    /// Of those, picked up.
    pub customer_answers: u64,
    /// Minutes of customers' legs.
    pub customer_min: u64,
    /// Agents' legs that were placed.
    pub agent_calls: u64,
    /// Minutes of agents' legs, standing ones included.
    pub agent_min: u64,
    /// Minutes of customers and agents in rooms.
    pub room_min: u64,
    /// Legs on which a detector listened.
    pub detections: u64,
    /// Longest time that a call waited in the carrier's queue, milliseconds.
    pub queue_ms_max: u64,
    /// Dials refused.
    pub refused: u64,
}

/// Milliseconds as billed minutes.
fn minutes(span: Millis) -> u64 {
    (span.ms().max(0) as u64).div_ceil(60_000).max(1)
}

impl Usage {
    pub(super) fn placed(&mut self, line: Line, queued: Millis) {
        match line {
            Line::Leg(leg) if leg.leg == LegId::CUSTOMER => self.customer_calls += 1,
            _ => self.agent_calls += 1,
        }
        self.queue_ms_max = self.queue_ms_max.max(queued.ms().max(0) as u64);
    }

    pub(super) fn ended(&mut self, line: Line, leg: &Leg, now: Timestamp) {
        let (Phase::Up, Some(answered_at)) = (leg.phase, leg.facts.answered_at) else { return };
        let billed = minutes(now - answered_at);
        match line {
            Line::Leg(l) if l.leg == LegId::CUSTOMER => {
                self.customer_answers += 1;
                self.customer_min += billed;
                self.detections += u64::from(leg.dial.amd.is_some());
            }
            _ => self.agent_min += billed,
        }
        if leg.facts.joined_at.is_some() || leg.facts.joined_agent_at.is_some() {
            self.room_min += billed;
        }
    }
}
