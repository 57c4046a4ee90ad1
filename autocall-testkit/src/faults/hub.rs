//! What everything in one run shares: dice, the true time, how bad things are, and what was seen.

use super::Sabotage;
use crate::clock::SimClock;
use crate::dice::Dice;
use autocall_core::lead::{Lead, State};
use autocall_core::ports::Line;
use autocall_core::{CampaignId, LeadId, Millis, Phone, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// How far two nodes' clocks are apart at most.
pub(super) const SKEW_MAX: Millis = Millis::from_ms(900);

/// How likely each fault is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) lose: f64,
    pub(super) double: f64,
    pub(super) delay: f64,
    pub(super) yields: f64,
    pub(super) stall: f64,
    pub(super) crash_job: f64,
    pub(super) crash_node: f64,
    pub(super) store_fails: f64,
    pub(super) refuse: f64,
    pub(super) doubt: f64,
    pub(super) wrong_lookup: f64,
    pub(super) unavailable: f64,
}

impl Trouble {
    /// Nothing fails; things still take turns.
    pub(super) const CALM: Trouble = Trouble {
        lose: 0.0,
        double: 0.0,
        delay: 0.0,
        yields: 0.2,
        stall: 0.0,
        crash_job: 0.0,
        crash_node: 0.0,
        store_fails: 0.0,
        refuse: 0.0,
        doubt: 0.0,
        wrong_lookup: 0.0,
        unavailable: 0.0,
    };

    /// Each run is bad in its own way.
    pub(super) fn throw(dice: &mut Dice) -> Trouble {
        let mut up_to = |most: f64| if dice.chance(0.3) { 0.0 } else { most * dice.unit() };
        Trouble {
            lose: up_to(0.15),
            double: up_to(0.2),
            delay: up_to(0.3),
            yields: 0.1 + up_to(0.6),
            stall: up_to(0.02),
            crash_job: up_to(0.02),
            crash_node: up_to(0.003),
            store_fails: up_to(0.05),
            refuse: up_to(0.1),
            doubt: up_to(0.2),
            wrong_lookup: up_to(0.3),
            unavailable: up_to(0.1),
        }
    }
}

/// A permit that was minted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Minted {
    pub(super) at: Timestamp,
}

/// Dials that one commit created for a campaign, by the clock of the node that decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) campaign: CampaignId,
    pub(super) at: Timestamp,
    pub(super) dials: u32,
}

/// Shared by everything.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dice: Dice,
    pub(super) clock: SimClock,
    pub(super) trouble: Trouble,
    pub(super) sabotage: Option<Sabotage>,
    /// Set by whoever waits: when the job that is being polled wants to go on.
    pub(super) park: Option<Timestamp>,
    pub(super) store_down_until: Timestamp,
    pub(super) minted: BTreeMap<Line, Minted>,
    /// When each number's listing was committed.
    pub(super) listed: BTreeMap<Phone, Timestamp>,
    /// Every batch of dials.
    pub(super) drawn: Vec<Drawn>,
    /// When each lead is to be called again by what an agent said, until it is dialled.
    pub(super) promised: BTreeMap<LeadId, Timestamp>,
    /// The first invariant that was broken inside a wrapper.
    pub(super) broken: Option<String>,
    pub(super) commits: u64,
}

impl Shared {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
    pub(super) fn break_(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// No permit is minted for a number once its listing has committed.
    pub(super) fn judge_number(&mut self, phone: Phone, line: Line) {
        if let Some(listed) = self.listed.get(&phone) {
            let what = format!("permit for {line} to a number listed at {listed}");
            self.break_(what);
        }
    }

    /// A lead is not called before the time that an agent named. `at` is the deciding node's.
    pub(super) fn judge_promise(&mut self, lead: LeadId, at: Timestamp) {
        if let Some(promised) = self.promised.remove(&lead)
            && at + SKEW_MAX < promised
        {
            self.break_(format!("lead {lead} is called at {at}, though an agent said {promised}"));
        }
    }

    /// Remembers when a lead is to be called again by what an agent has just said.
    pub(super) fn promise(&mut self, lead: &Lead) {
        if matches!(lead.state, State::Closed { .. }) || lead.due_at == Timestamp::NEVER {
            self.promised.remove(&lead.id);
        } else {
            self.promised.insert(lead.id, lead.due_at);
        }
    }
}

/// A handle on it.
#[derive(Clone, Debug)]
pub(super) struct Hub(Arc<Mutex<Shared>>);

impl Hub {
    pub(super) fn new(shared: Shared) -> Hub {
        Hub(Arc::new(Mutex::new(shared)))
    }
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Whether a fault of this chance happens now.
    pub(super) fn fault(&self, chance: impl Fn(&Trouble) -> f64) -> bool {
        let mut hub = self.lock();
        let p = chance(&hub.trouble);
        hub.dice.chance(p)
    }
    /// Waits at a point where the job may be dropped; sometimes for long.
    pub(super) fn point(&self) -> Pause {
        let mut hub = self.lock();
        let (yields, stalls) = (hub.trouble.yields, hub.trouble.stall);
        let waits = hub.dice.chance(yields);
        let stalls = hub.dice.chance(stalls);
        let span = if stalls {
            hub.dice.between(Millis::from_secs(3), Millis::from_secs(45))
        } else {
            hub.dice.between(Millis::ZERO, Millis::from_ms(60))
        };
        let until = (waits || stalls).then(|| hub.now() + span);
        Pause { hub: self.clone(), until }
    }
}

/// A point at which a job waits.
pub(super) struct Pause {
    hub: Hub,
    until: Option<Timestamp>,
}

impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Ready(()) };
        let mut hub = self.hub.lock();
        if hub.now() > until {
            drop(hub);
            self.until = None;
            return Poll::Ready(());
        }
        hub.park = Some(until + Millis::from_ms(1));
        Poll::Pending
    }
}
