//! What pacing learns from: facts that came to their end in a transaction.

use super::Engine;
use super::decide::Decision;
use crate::agent::{Agent, State};
use crate::call::{Call, Stage};
use crate::pacing::{DialResult, Observation};
use crate::ports::Snapshot;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::sync::PoisonError;

/// Observations of one transaction; rarely more than one.
type Seen = SmallVec<[Observation; 4]>;

impl Engine {
    /// Lets the campaign's strategy learn from a committed decision.
    pub(super) fn learn(&self, snapshot: &Snapshot, decision: &Decision) {
        if decision.changes.is_none() {
            return;
        }
        let now = self.now();
        let mut seen = Seen::new();
        of_call(&snapshot.call.row, &decision.call, now, &mut seen);
        let campaign = decision.call.plan.campaign;
        let picked_up = |call: &Call| call.customer().facts.answer_at();
        let news = picked_up(&decision.call).filter(|_| picked_up(&snapshot.call.row).is_none());
        if seen.is_empty() && news.is_none() {
            return;
        }
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = news {
            pacers.news_came(campaign, now - at);
        }
        pacers.observe(campaign, &seen, now);
    }

    /// Lets the campaigns that draw on the agent's pool learn that a wrap-up ended.
    pub(super) fn learn_wrap_up(&self, before: &Agent, after: &Agent, now: Timestamp) {
        if !(matches!(before.state, State::WrapUp { .. }) && after.state == State::Idle) {
            return;
        }
        let took = after.since - before.since;
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        pacers.wrap_up_ended(before.pool, took, now);
    }
}

fn of_call(before: &Call, after: &Call, now: Timestamp, seen: &mut Seen) {
    let class = after.plan.class;
    let picked_up_after = after.customer().facts.answer_at().map(|at| at - after.created_at);
    let dial =
        |result, at: Timestamp| Observation::Dial { class, result, picked_up_after, after: at - after.created_at };
    if before.person_at.is_none()
        && let Some(at) = after.person_at
    {
        seen.push(dial(DialResult::Person, at));
    }
    let ends_dialing = matches!(before.stage, Stage::Dialing) && !matches!(after.stage, Stage::Dialing);
    if ends_dialing && after.person_at.is_none() {
        let result = if after.stopped.is_some() { DialResult::Censored } else { DialResult::Nobody };
        seen.push(dial(result, now));
    }
    if let Stage::Bridged { since, .. } = before.stage
        && !matches!(after.stage, Stage::Bridged { .. })
    {
        seen.push(Observation::Talk { class, took: now - since });
    }
    offer(before, after, now, seen);
}

fn offer(before: &Call, after: &Call, now: Timestamp, seen: &mut Seen) {
    let Stage::Offering { since, .. } = before.stage else { return };
    let accepted = matches!(after.stage, Stage::Bridged { .. });
    if accepted || after.passed.len() > before.passed.len() {
        seen.push(Observation::Connect { took: now - since, accepted });
    }
}
