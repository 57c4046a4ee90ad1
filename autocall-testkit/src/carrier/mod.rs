//! A simulated carrier: discrete events on a clock that somebody else moves.
//!
//! It places calls to simulated [`People`] and to simulated agents ([`Temper`]), keeps rooms,
//! queues what comes faster than its calls per second, and says what happened as [`Report`]s. The
//! driver hands each report to an engine and each answer back ([`SimCarrier::answer`]). In virtual
//! time the driver jumps to [`SimCarrier::next_at`]; in real time it waits until then.
//!
//! Invariant: the same seed, dials and answers give the same reports.

mod bill;
mod desk;
mod exchange;
mod lines;
mod rooms;

pub use bill::Usage;
pub use desk::Temper;
pub use lines::Placed;

use crate::clock::SimClock;
use crate::people::People;
use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::call::{LegFacts, ProviderRef};
use autocall_core::ports::{
    Capabilities, Dial, DialError, DialPermit, Line, Refusal, Sighting, Telephony, TelephonyError,
};
use autocall_core::script::Script;
use autocall_core::{AgentId, CallId, Millis, Timestamp};
use exchange::Exchange;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the carrier itself behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Manners {
    /// Calls that it starts per second and account; what comes faster waits in its queue.
    pub calls_per_second: f64,
    /// From an event to its report.
    pub report_after: Millis,
    /// From an answer that says "join" to being in the room.
    pub join_after: Millis,
    /// The chance that it refuses a dial for a reason of its own.
    pub refuses: f64,
    /// Longest time that it keeps a call queued.
    pub queue_hold: Millis,
}

impl Default for Manners {
    fn default() -> Self {
        Manners {
            calls_per_second: 30.0,
            report_after: Millis::from_ms(60),
            join_after: Millis::from_ms(120),
            refuses: 0.0,
            queue_hold: Millis::from_hours(24),
        }
    }
}

/// What an agent does at the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    /// Yes to the call that is offered.
    Accept(CallId),
    /// Ends the call that they are in.
    HangUp(CallId),
}

/// Something that the carrier, or an agent's console, says.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Facts about a line.
    Line {
        /// Which line.
        line: Line,
        /// What is known by this report alone.
        facts: Box<LegFacts>,
        /// Set where the carrier asks what the line should hear; goes back with the answer.
        asks: Option<u32>,
    },
    /// A click.
    Desk {
        /// Whose.
        agent: AgentId,
        /// Which.
        click: Click,
    },
}

/// The carrier.
#[derive(Debug)]
pub struct SimCarrier {
    clock: SimClock,
    inner: Mutex<Exchange>,
}

impl SimCarrier {
    /// A carrier with these people at the other end.
    pub fn new(clock: SimClock, people: People, manners: Manners, seed: u64) -> SimCarrier {
        SimCarrier { clock, inner: Mutex::new(Exchange::new(people, manners, seed)) }
    }
    /// Gives an agent's address a temper and a console.
    pub fn staff(&self, agent: AgentId, address: &Address, temper: Temper) {
        self.lock().staff(agent, address, temper);
    }
    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.lock().next_at()
    }
    /// Lets everything happen that is due now, and says it, in order.
    pub fn step(&self) -> Vec<Report> {
        let now = self.clock.now();
        self.lock().step(now)
    }
    /// The answer to a report that asked; `None` where nobody answered, which ends the line as a
    /// real carrier's "application error" does.
    pub fn answer(&self, line: Line, asks: u32, script: Option<&Script>) {
        let now = self.clock.now();
        self.lock().answered(line, asks, script, now);
    }
    /// Every call that was ever placed, in order; the last word on what was dialled.
    pub fn placed(&self) -> Vec<Placed> {
        self.lock().placed.clone()
    }
    /// How many calls were placed.
    pub fn placed_count(&self) -> usize {
        self.lock().placed.len()
    }
    /// What was used so far, for a bill.
    pub fn usage(&self) -> Usage {
        self.lock().usage.clone()
    }
    /// Lines that are not over.
    pub fn live(&self) -> Vec<Line> {
        self.lock().live()
    }
    /// Places a call without a permit check: what the far side of a lost request sees. For fault
    /// injection only.
    pub fn place(&self, dial: &Dial) -> ProviderRef {
        let now = self.clock.now();
        self.lock().place(dial, now)
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Telephony for SimCarrier {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.queue_hold = self.lock().manners.queue_hold;
        can
    }

    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        let now = self.clock.now();
        permit.redeem(now).map_err(|_| DialError::Refused(Refusal::Expired))?;
        let mut exchange = self.lock();
        if let Some(refusal) = exchange.refusal() {
            return Err(DialError::Refused(refusal));
        }
        Ok(exchange.place(dial, now))
    }

    async fn steer(
        &self,
        line: Line,
        _leg: &ProviderRef,
        _account: &str,
        script: &Script,
    ) -> Result<(), TelephonyError> {
        let now = self.clock.now();
        self.lock().steer(line, script, now)
    }

    async fn lookup(
        &self,
        line: Line,
        _account: &str,
        _known: Option<&ProviderRef>,
        _since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        Ok(self.lock().lookup(line))
    }
}
