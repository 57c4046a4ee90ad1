//! How agents spend their time.

use autocall_core::agent::{Agent, Hold, State, Status};
use autocall_core::{AgentId, Millis, Timestamp};
use std::collections::BTreeMap;

/// What an agent's time went to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Spent {
    /// Free and waiting for a call, milliseconds.
    pub idle_ms: i64,
    /// With a call that is not a conversation yet, milliseconds.
    pub ringing_ms: i64,
    /// In conversation, milliseconds.
    pub talking_ms: i64,
    /// Writing up, milliseconds.
    pub wrap_up_ms: i64,
    /// On a break, milliseconds.
    pub away_ms: i64,
}

impl Spent {
    /// Time at work, breaks excluded, milliseconds.
    pub fn at_work_ms(&self) -> i64 {
        self.idle_ms + self.ringing_ms + self.talking_ms + self.wrap_up_ms
    }
    /// Share of that time in which the agent was busy; 0 where there was none.
    pub fn occupancy(&self) -> f64 {
        let all = self.at_work_ms();
        if all == 0 { 0.0 } else { 1.0 - self.idle_ms as f64 / all as f64 }
    }
    fn add(&mut self, what: What, span: Millis) {
        let slot = match what {
            What::Idle => &mut self.idle_ms,
            What::Ringing => &mut self.ringing_ms,
            What::Talking => &mut self.talking_ms,
            What::WrapUp => &mut self.wrap_up_ms,
            What::Away => &mut self.away_ms,
            What::Offline => return,
        };
        *slot += span.ms().max(0);
    }
}

/// Everybody's time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// By agent.
    pub of: BTreeMap<AgentId, Spent>,
}

impl Times {
    /// All of them together.
    pub fn total(&self) -> Spent {
        self.of.values().fold(Spent::default(), |sum, one| Spent {
            idle_ms: sum.idle_ms + one.idle_ms,
            ringing_ms: sum.ringing_ms + one.ringing_ms,
            talking_ms: sum.talking_ms + one.talking_ms,
            wrap_up_ms: sum.wrap_up_ms + one.wrap_up_ms,
            away_ms: sum.away_ms + one.away_ms,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Offline,
    Away,
    Idle,
    Ringing,
    Talking,
    WrapUp,
}

fn what(agent: &Agent) -> What {
    match (agent.state, &agent.status) {
        (State::Held { hold: Hold::Talking, .. }, _) => What::Talking,
        (State::Held { .. }, _) => What::Ringing,
        (State::WrapUp { .. }, _) => What::WrapUp,
        (State::Idle, Status::Available) => What::Idle,
        (State::Idle, Status::Away(_)) => What::Away,
        (State::Idle, Status::Offline) => What::Offline,
    }
}

/// Watches agents as they move.
#[derive(Debug, Default)]
pub(super) struct Watch(BTreeMap<AgentId, (What, Timestamp, Spent)>);

impl Watch {
    /// Takes an agent's row in. Returns whether the agent does something else than before.
    pub(super) fn see(&mut self, agent: &Agent, now: Timestamp) -> bool {
        let does = what(agent);
        let (was, since, spent) = self.0.entry(agent.id).or_insert((What::Offline, now, Spent::default()));
        spent.add(*was, now - *since);
        let news = *was != does;
        (*was, *since) = (does, now);
        news
    }
    pub(super) fn times(&self, now: Timestamp) -> Times {
        let until_now = |&(what, since, spent): &(What, Timestamp, Spent)| {
            let mut spent = spent;
            spent.add(what, now - since);
            spent
        };
        Times { of: self.0.iter().map(|(id, entry)| (*id, until_now(entry))).collect() }
    }
}
