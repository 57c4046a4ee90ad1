//! Pacing: how many calls to dial now.
//!
//! A [`Strategy`] is a pure function of counted facts with a memory that only sharpens it:
//! `plan(view, now)` answers how many to dial, when to look again, and why. What must be exact
//! (the [`Ledger`], calls in flight) comes in through the [`View`]; what is learned can be saved
//! as a checkpoint and lost without harm. No clock, no dice, no allocation in steady state.

#[cfg(test)]
mod laws;
mod ledger;
mod observe;
mod plan;
mod predictive;
mod settings;
mod share;
mod simple;
#[cfg(test)]
mod tests;
mod view;

pub use ledger::*;
pub use observe::*;
pub use plan::*;
pub use predictive::Predictive;
pub use settings::*;
pub use share::{Claim, PoolClaim, PoolPart, Turns, divide, part_of_pool};
pub use simple::{Agentless, Power, Preview, Progressive};
pub use view::*;

use crate::{Millis, Timestamp};

/// A way of pacing: the pattern of a congestion controller.
pub trait Strategy: Send {
    /// Decides for this instant. Same inputs, same answer.
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan;
    /// Learns from one fact.
    fn observe(&mut self, seen: Observation, now: Timestamp);
    /// What has been learned, as bytes to store; under 64 KB.
    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Takes up what [`Strategy::checkpoint`] wrote, here or on another node. Bytes that cannot
    /// be read leave the strategy as it was: a cold start is always safe.
    fn restore(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
    /// What was learned since the last call of this method, for other nodes to
    /// [`Strategy::absorb`].
    fn take_delta(&mut self) -> Vec<u8> {
        Vec::new()
    }
    /// Adds what another node learned ([`Strategy::take_delta`]). Order does not matter; bytes
    /// that cannot be read are ignored.
    fn absorb(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// The strategy that these settings ask for.
pub fn strategy(settings: &Settings) -> Box<dyn Strategy> {
    match settings.mode {
        Mode::Preview => Box::new(Preview),
        Mode::Progressive => Box::new(Progressive),
        Mode::Power { ratio } => Box::new(Power { ratio, ledger: settings.ledger.clone() }),
        Mode::Predictive { .. } => Box::new(Predictive::new(settings)),
        Mode::Agentless { in_flight_max } => Box::new(Agentless { in_flight_max }),
    }
}

/// How long a plan stands when nothing happens.
pub(crate) const LOOK_EVERY: Millis = Millis::from_secs(1);
