//! Orderings that find rows without scanning.

use crate::id::LeadId;
use crate::lead::Lead;
use crate::planning::lane::{Found, Lane, choose};
use crate::ports::Due;
use crate::settings::Settings;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A campaign's open leads in the order in which they are to be called.
#[derive(Debug, Default)]
pub(super) struct OpenLeads {
    lanes: BTreeMap<Lane, BTreeSet<(Timestamp, i64, LeadId)>>,
}

impl OpenLeads {
    pub(super) fn insert(&mut self, lead: &Lead) {
        if lead.is_open() {
            self.lanes.entry(Lane::of(lead)).or_default().insert((lead.due_at, lead.order, lead.id));
        }
    }
    pub(super) fn remove(&mut self, lead: &Lead) {
        if let Some(lane) = self.lanes.get_mut(&Lane::of(lead)).filter(|_| lead.is_open()) {
            lane.remove(&(lead.due_at, lead.order, lead.id));
        }
    }
    /// The first `limit` that are due.
    pub(super) fn due(&self, settings: &Settings, now: Timestamp, limit: usize) -> Vec<LeadId> {
        let lanes = self.lanes.iter().filter(|(lane, _)| **lane != Lane::PARKED);
        let found = lanes.map(|(lane, leads)| Found {
            lane: *lane,
            open: leads.len() as i64,
            due: leads.iter().take_while(|(due, _, _)| *due <= now).map(|&(_, _, id)| id).take(limit).collect(),
        });
        choose(found.collect(), settings, now, limit)
    }
    /// When the first appointment is due.
    pub(super) fn callback_at(&self) -> Option<Timestamp> {
        let appointments = self.lanes.iter().filter(|(lane, _)| lane.class() == 0);
        appointments.filter_map(|(_, leads)| leads.first()).map(|&(due, _, _)| due).min()
    }
    /// When the next one is due; `None` where all wait for a change.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let lanes = self.lanes.iter().filter(|(lane, _)| **lane != Lane::PARKED);
        lanes.filter_map(|(_, l)| l.first()).map(|&(due, _, _)| due).filter(|&d| d != Timestamp::NEVER).min()
    }
}

/// When to look at what.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Timestamp, Due)>,
    of: BTreeMap<Due, Timestamp>,
}

impl Timers {
    /// Sets the time of one thing; `NEVER` forgets it.
    pub(super) fn set(&mut self, what: Due, at: Timestamp) {
        if let Some(old) = self.of.remove(&what) {
            self.by_time.remove(&(old, what));
        }
        if at != Timestamp::NEVER {
            self.of.insert(what, at);
            self.by_time.insert((at, what));
        }
    }
    /// The time of one thing; `NEVER` where none is set.
    pub(super) fn at(&self, what: Due) -> Timestamp {
        self.of.get(&what).copied().unwrap_or(Timestamp::NEVER)
    }
    /// The earliest time set.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|&(at, _)| at)
    }
    /// Takes what is due and hides it until `hidden_until`.
    pub(super) fn due(&mut self, now: Timestamp, hidden_until: Timestamp, limit: usize) -> Vec<Due> {
        let due: Vec<Due> =
            self.by_time.iter().take_while(|(at, _)| *at <= now).map(|&(_, what)| what).take(limit).collect();
        for &what in &due {
            self.set(what, hidden_until);
        }
        due
    }
}
