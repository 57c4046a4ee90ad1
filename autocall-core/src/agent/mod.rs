//! The Agent machine. *Status* is the person's choice; *state* is what calls do to them.

use crate::id::{AgentId, CallId, PoolId};
use crate::phone::Phone;
use crate::private::Private;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where an agent is reached.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A telephone.
    Phone(Phone),
    /// A SIP URI, `sip:name@host`.
    Sip(Private),
    /// A softphone identity of the carrier.
    Client(Private),
}

/// What the person chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "reason")]
pub enum Status {
    /// Ready for calls.
    Available,
    /// Not now, for a reason.
    Away(Arc<str>),
    /// Not at work.
    Offline,
}

impl Status {
    /// The reason that is set when an agent let too many offers pass.
    pub const MISSED: &'static str = "missed offers";
}

/// How far a call has got with an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Promised; nothing rings yet.
    Reserved,
    /// Their phone rings or whispers.
    Ringing,
    /// They talk.
    Talking,
}

/// What calls do to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// No call.
    Idle,
    /// With a call.
    Held {
        /// Which.
        call: CallId,
        /// How far.
        hold: Hold,
    },
    /// After a call, writing up.
    WrapUp {
        /// Which call was it.
        call: CallId,
        /// When it ends by itself.
        until: Timestamp,
    },
}

/// An agent's standing leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// Which of the agent's shifts; with the agent's id it names the leg, and never comes back.
    pub shift: u32,
    /// The carrier's name of the leg, once known.
    pub provider: Option<crate::call::ProviderRef>,
    /// When it came up; calls go only to a station that is up.
    pub up_at: Option<Timestamp>,
    /// When it was committed to be dialled.
    pub dialled_at: Timestamp,
}

/// How long a standing leg may take to come up. One that answers later finds itself hung up: the
/// shift is over.
const STATION_MAX: Millis = Millis::from_secs(90);

/// A human agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Who.
    pub id: AgentId,
    /// The pool they belong to.
    pub pool: PoolId,
    /// Their name.
    pub name: Private,
    /// Where they are reached.
    pub address: Address,
    /// Their choice.
    pub status: Status,
    /// The calls' effect.
    pub state: State,
    /// Since when the state holds.
    pub since: Timestamp,
    /// Offers in a row that they let pass.
    #[serde(default)]
    pub missed: u8,
    /// How many may pass before they are set to away; 0 for any number.
    #[serde(default)]
    pub missed_max: u8,
    /// Their standing leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<Station>,
    /// The number of their last shift.
    #[serde(default)]
    pub shifts: u32,
}

/// What happens to an agent.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// They chose a status.
    Status(Status),
    /// A call takes hold of them.
    Hold {
        /// Which.
        call: CallId,
        /// How far.
        hold: Hold,
    },
    /// A call lets them go.
    Release {
        /// Which.
        call: CallId,
        /// They let it pass.
        missed: bool,
        /// Time to write up, milliseconds; 0 where they did not talk.
        wrap_up_ms: u32,
    },
    /// They are done writing up.
    Ready,
    /// Their standing leg is to be dialled.
    StationDialled,
    /// Their standing leg came up.
    StationUp(crate::call::ProviderRef),
    /// Their standing leg is gone.
    StationDown,
    /// Time has passed.
    Tick,
}

impl Agent {
    /// An agent who is not at work yet.
    pub fn new(id: AgentId, pool: PoolId, name: Private, address: Address, now: Timestamp) -> Agent {
        Agent {
            id,
            pool,
            name,
            address,
            status: Status::Offline,
            state: State::Idle,
            since: now,
            missed: 0,
            missed_max: 2,
            station: None,
            shifts: 0,
        }
    }

    /// Takes an event in. Returns whether anything changed. A call can only move or release an
    /// agent whom it holds: a late release of one call never frees an agent from another.
    pub fn handle(&mut self, event: &AgentEvent, now: Timestamp) -> bool {
        let before = self.clone();
        match event {
            AgentEvent::Status(status) => self.choose(status.clone()),
            AgentEvent::Hold { call, hold } => self.hold(*call, *hold, now),
            AgentEvent::Release { call, missed, wrap_up_ms } => self.release(*call, *missed, *wrap_up_ms, now),
            AgentEvent::Ready => {
                if matches!(self.state, State::WrapUp { .. }) {
                    self.enter(State::Idle, now);
                }
            }
            AgentEvent::StationDialled => {
                self.shifts += 1;
                self.station = Some(Station { shift: self.shifts, provider: None, up_at: None, dialled_at: now });
            }
            AgentEvent::StationUp(provider) => {
                if let Some(station) = &mut self.station {
                    station.provider.get_or_insert_with(|| provider.clone());
                    station.up_at.get_or_insert(now);
                }
            }
            AgentEvent::StationDown => self.station = None,
            AgentEvent::Tick => {
                let silent = |s: &Station| s.up_at.is_none() && now >= s.dialled_at + STATION_MAX;
                if self.station.as_ref().is_some_and(silent) {
                    self.station = None;
                }
                if let State::WrapUp { until, .. } = self.state
                    && now >= until
                {
                    self.enter(State::Idle, until);
                }
            }
        }
        *self != before
    }

    fn choose(&mut self, status: Status) {
        if status == Status::Available {
            self.missed = 0;
        }
        self.status = status;
    }

    fn hold(&mut self, call: CallId, hold: Hold, now: Timestamp) {
        let free = match self.state {
            State::Idle => true,
            State::Held { call: mine, hold: had } => mine == call && had != hold,
            State::WrapUp { .. } => false,
        };
        if free {
            self.enter(State::Held { call, hold }, now);
        }
        if hold == Hold::Talking {
            self.missed = 0;
        }
    }

    fn release(&mut self, call: CallId, missed: bool, wrap_up_ms: u32, now: Timestamp) {
        if self.call() != Some(call) || matches!(self.state, State::WrapUp { .. }) {
            return;
        }
        if missed {
            self.missed = self.missed.saturating_add(1);
            if self.missed_max > 0 && self.missed >= self.missed_max && self.status == Status::Available {
                self.status = Status::Away(Status::MISSED.into());
            }
        }
        let until = now + Millis::from_ms(i64::from(wrap_up_ms));
        self.enter(if wrap_up_ms > 0 { State::WrapUp { call, until } } else { State::Idle }, now);
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
    }

    /// The call they are with, or wrote up last.
    pub fn call(&self) -> Option<CallId> {
        match self.state {
            State::Idle => None,
            State::Held { call, .. } | State::WrapUp { call, .. } => Some(call),
        }
    }
    /// Whether a call may be offered to them.
    pub fn is_free(&self) -> bool {
        self.status == Status::Available && self.state == State::Idle
    }
    /// Whether a standing leg of theirs is up.
    pub fn is_standing(&self) -> bool {
        self.station.as_ref().is_some_and(|s| s.up_at.is_some())
    }
    /// When something must happen by itself; `NEVER` otherwise.
    pub fn wake_at(&self) -> Timestamp {
        let wrap_up = match self.state {
            State::WrapUp { until, .. } => until,
            _ => Timestamp::NEVER,
        };
        let station = self.station.as_ref().filter(|s| s.up_at.is_none());
        wrap_up.min(station.map_or(Timestamp::NEVER, |s| s.dialled_at + STATION_MAX))
    }
}
