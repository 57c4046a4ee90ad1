//! The Agent machine. *Status* is the person's choice; *state* is what calls do to them.

use crate::id::{AgentId, CallId, LeadId, PoolId};
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
    /// The number shown when it is dialled; absent for one that came by itself and cannot be rung
    /// anew: once it has lasted too long it is hung up, and the agent calls in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Phone>,
    /// The longest that the carrier lets one call last, milliseconds.
    #[serde(default = "four_hours_ms")]
    pub call_ms_max: u32,
    /// When the carrier was last asked whether it is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// When it is to be dialled again, between two legs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redial_at: Option<Timestamp>,
    /// It has lasted too long to take another call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tired: bool,
}

fn four_hours_ms() -> u32 {
    4 * 3_600_000
}

impl Station {
    fn new(shift: u32, now: Timestamp) -> Station {
        Station {
            shift,
            provider: None,
            up_at: None,
            dialled_at: now,
            from: None,
            call_ms_max: four_hours_ms(),
            looked_at: None,
            redial_at: None,
            tired: false,
        }
    }
    /// From when on the leg takes no further call and is begun anew: so long before the carrier
    /// would end it that a usual conversation still fits.
    fn tired_at(&self) -> Option<Timestamp> {
        let reserve_ms = (self.call_ms_max / 8).min(30 * 60_000);
        Some(self.up_at? + Millis::from_ms(i64::from(self.call_ms_max - reserve_ms)))
    }
    fn is_tired(&self, now: Timestamp) -> bool {
        self.tired || self.tired_at().is_some_and(|at| now >= at)
    }
    fn look_at(&self) -> Option<Timestamp> {
        Some(self.looked_at.or(self.up_at)? + STATION_LOOK)
    }
}

/// What a standing leg needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StationDue {
    /// The carrier is asked whether it is still there: a report of its end may be lost, and people
    /// would be joined to an empty room.
    Look,
    /// It is hung up, to be dialled again a moment later where it can be.
    Rotate,
    /// It is dialled again.
    Redial,
}

/// How often the carrier is asked about a leg that stands.
const STATION_LOOK: Millis = Millis::from_secs(60);

/// How long a phone gets to be on the hook between two legs.
const STATION_PAUSE: Millis = Millis::from_secs(3);

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
    /// The lead that they are looking at, before they dial it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// They are away because they were lent, and may be talking on their standing leg.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lent: bool,
}

/// A lead shown to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which.
    pub lead: LeadId,
    /// Until when it is theirs.
    pub until: Timestamp,
}

/// What happens to an agent.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// They chose a status.
    Status(Status),
    /// They are taken out of the calls for something else on their line: away for this reason, until
    /// another status is chosen.
    Lent(Arc<str>),
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
    /// They are done writing up, whichever call it was.
    Ready,
    /// They are done writing up this call; what they say about an earlier one ends nothing.
    Written {
        /// Which.
        call: CallId,
    },
    /// Their standing leg is to be dialled.
    StationDialled {
        /// The number shown.
        from: Phone,
        /// The longest that the carrier lets one call last, milliseconds.
        call_ms_max: u32,
    },
    /// Their standing leg is dialled again, after a rotation.
    StationRedialled,
    /// The leg of this shift was not dialled, since the account's calls per second are used up: it is
    /// tried again in a moment.
    StationWaits(u32),
    /// They called us to stand; the leg is up.
    StationCame {
        /// The carrier's name of the leg.
        provider: crate::call::ProviderRef,
        /// The number that they called, to ring them from later.
        from: Option<Phone>,
    },
    /// Their standing leg came up.
    StationUp(crate::call::ProviderRef),
    /// The standing leg of this shift is gone.
    StationDown(u32),
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
            shown: None,
            lent: false,
        }
    }

    /// The lead that they are shown at this time.
    pub fn shown_at(&self, now: Timestamp) -> Option<LeadId> {
        self.shown.filter(|s| now < s.until).map(|s| s.lead)
    }

    /// Takes an event in. Returns whether anything changed. A call can only move or release an
    /// agent whom it holds: a late release of one call never frees an agent from another.
    pub fn handle(&mut self, event: &AgentEvent, now: Timestamp) -> bool {
        let before = self.clone();
        match event {
            AgentEvent::Status(status) => self.choose(status.clone(), now),
            AgentEvent::Lent(reason) => {
                self.choose(Status::Away(reason.clone()), now);
                self.lent = true;
            }
            AgentEvent::Hold { call, hold } => self.hold(*call, *hold, now),
            AgentEvent::Release { call, missed, wrap_up_ms } => self.release(*call, *missed, *wrap_up_ms, now),
            AgentEvent::Ready => {
                if matches!(self.state, State::WrapUp { .. }) {
                    self.enter(State::Idle, now);
                }
            }
            AgentEvent::Written { call } => {
                if matches!(self.state, State::WrapUp { call: mine, .. } if mine == *call) {
                    self.enter(State::Idle, now);
                }
            }
            AgentEvent::StationDialled { from, call_ms_max } => {
                self.shifts += 1;
                let fresh = Station::new(self.shifts, now);
                self.station = Some(Station { from: Some(*from), call_ms_max: *call_ms_max, ..fresh });
            }
            AgentEvent::StationRedialled => {
                if let Some(station) = &mut self.station {
                    (station.dialled_at, station.redial_at) = (now, None);
                }
            }
            AgentEvent::StationWaits(shift) => {
                if self.station.as_ref().is_some_and(|s| s.shift == *shift && s.up_at.is_none()) {
                    self.begin_anew(now);
                }
            }
            AgentEvent::StationCame { provider, from } => {
                self.shifts += 1;
                let fresh = Station::new(self.shifts, now);
                self.station =
                    Some(Station { provider: Some(provider.clone()), up_at: Some(now), from: *from, ..fresh });
                if self.status == Status::Offline {
                    self.choose(Status::Available, now);
                }
            }
            AgentEvent::StationUp(provider) => {
                if let Some(station) = &mut self.station {
                    station.provider.get_or_insert_with(|| provider.clone());
                    station.up_at.get_or_insert(now);
                }
            }
            AgentEvent::StationDown(shift) => self.station = self.station.take().filter(|s| s.shift != *shift),
            AgentEvent::Tick => {
                self.tend_station(now);
                if let State::WrapUp { until, .. } = self.state
                    && now >= until
                {
                    self.enter(State::Idle, until);
                }
            }
        }
        *self != before
    }

    /// What the standing leg needs at `now`, besides giving up one that never came.
    pub fn station_due(&self, now: Timestamp) -> Option<StationDue> {
        let station = self.station.as_ref()?;
        if let Some(at) = station.redial_at {
            return (now >= at).then_some(StationDue::Redial);
        }
        let look = station.look_at().is_some_and(|at| now >= at);
        // One that cannot be dialled again is hung up at every look until it is gone.
        if self.is_quiet() && station.is_tired(now) && (station.from.is_some() || look) {
            return Some(StationDue::Rotate);
        }
        look.then_some(StationDue::Look)
    }

    fn tend_station(&mut self, now: Timestamp) {
        let due = self.station_due(now);
        let Some(station) = &mut self.station else { return };
        match due {
            Some(StationDue::Look) => station.looked_at = Some(now),
            Some(StationDue::Rotate) => self.begin_anew(now),
            Some(StationDue::Redial) => {}
            None if station.up_at.is_none() && now >= station.dialled_at + STATION_MAX => self.station = None,
            None => {}
        }
    }

    /// The standing leg is dialled in a moment, under a name of its own; one that cannot be dialled
    /// only takes no call any more.
    fn begin_anew(&mut self, now: Timestamp) {
        let Some(old) = self.station.take() else { return };
        if old.from.is_none() {
            self.station = Some(Station { tired: true, looked_at: Some(now), ..old });
            return;
        }
        self.shifts += 1;
        let fresh = Station::new(self.shifts, now);
        let redial_at = Some(now + STATION_PAUSE);
        self.station = Some(Station { from: old.from, call_ms_max: old.call_ms_max, redial_at, ..fresh });
    }

    fn choose(&mut self, status: Status, now: Timestamp) {
        if status == Status::Available {
            self.missed = 0;
        }
        self.status = status;
        self.lent = false;
        self.tire(now);
    }

    /// Whether nobody talks on their standing leg.
    fn is_quiet(&self) -> bool {
        self.state == State::Idle && !self.lent
    }

    /// Whether the leg takes another call is decided with what makes it quiet, so that no call slips
    /// in before the rotation.
    fn tire(&mut self, now: Timestamp) {
        let quiet = self.is_quiet();
        if let Some(station) = &mut self.station {
            station.tired |= quiet && station.is_tired(now);
        }
    }

    fn hold(&mut self, call: CallId, hold: Hold, now: Timestamp) {
        let free = match self.state {
            State::Idle => true,
            State::Held { call: mine, hold: had } => mine == call && had != hold,
            State::WrapUp { .. } => false,
        };
        if !free {
            return;
        }
        self.enter(State::Held { call, hold }, now);
        self.shown = None;
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
        self.tire(now);
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
    /// Whether a standing leg of theirs is up and takes calls.
    pub fn is_standing(&self) -> bool {
        self.station.as_ref().is_some_and(|s| s.up_at.is_some() && !s.tired)
    }
    fn station_wake_at(&self) -> Timestamp {
        let Some(station) = &self.station else { return Timestamp::NEVER };
        if let Some(at) = station.redial_at {
            return at;
        }
        if station.up_at.is_none() {
            return station.dialled_at + STATION_MAX;
        }
        let tired_at = station.tired_at().filter(|_| self.is_quiet() && station.from.is_some());
        [tired_at, station.look_at()].into_iter().flatten().min().unwrap_or(Timestamp::NEVER)
    }
    /// When something must happen by itself; `NEVER` otherwise.
    pub fn wake_at(&self) -> Timestamp {
        let wrap_up = match self.state {
            State::WrapUp { until, .. } => until,
            _ => Timestamp::NEVER,
        };
        wrap_up.min(self.station_wake_at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;

    const T: TenantId = TenantId(1);
    const HOURS: i64 = 3_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000 + ms)
    }
    fn phone() -> Phone {
        Phone::from_e164("+14155550101").expect("a number")
    }
    fn standing() -> Agent {
        let address = Address::Phone(phone());
        let mut agent = Agent::new(AgentId::small(T, 1), PoolId::small(T, 1), "Ann".into(), address, at(0));
        agent.handle(&AgentEvent::Status(Status::Available), at(0));
        agent.handle(&AgentEvent::StationDialled { from: phone(), call_ms_max: four_hours_ms() }, at(0));
        agent.handle(&AgentEvent::StationUp("CA1".into()), at(5_000));
        agent
    }

    #[test]
    fn a_standing_leg_is_begun_anew_before_the_carrier_ends_it_and_takes_no_call_meanwhile() {
        let mut agent = standing();
        assert!(agent.is_standing());
        let tired = at(5_000 + 3 * HOURS + HOURS / 2);
        // It is looked at every minute until then.
        let mut now = at(5_000);
        while agent.station_due(now) != Some(StationDue::Rotate) {
            let wake = agent.wake_at();
            assert!(wake > now && wake <= now + Millis::from_secs(60), "looked at every minute");
            now = wake;
            agent.handle(&AgentEvent::Tick, now);
            if agent.station.as_ref().is_some_and(|s| s.redial_at.is_some()) {
                break;
            }
        }
        assert!(now >= tired && now < tired + Millis::from_secs(61), "{now}");
        assert!(!agent.is_standing(), "between two legs nobody is sent to it");
        let shift = agent.shifts;
        assert_eq!(shift, 2, "the new leg has a name of its own");
        assert_eq!(agent.station_due(now), None, "the phone gets a moment");
        let redial = agent.wake_at();
        assert_eq!(agent.station_due(redial), Some(StationDue::Redial));
        agent.handle(&AgentEvent::StationRedialled, redial);
        assert!(!agent.handle(&AgentEvent::StationWaits(1), redial), "an older leg's fate changes nothing");
        agent.handle(&AgentEvent::StationWaits(2), redial);
        assert_eq!((agent.shifts, agent.wake_at()), (3, redial + STATION_PAUSE), "tried again, under a new name");
        agent.handle(&AgentEvent::StationRedialled, redial);
        agent.handle(&AgentEvent::StationDown(1), redial);
        assert!(agent.station.is_some(), "the end of the old leg is not the new one's");
        agent.handle(&AgentEvent::StationUp("CA2".into()), redial + Millis::from_secs(4));
        assert!(agent.is_standing());
    }

    #[test]
    fn a_shorter_longest_call_tires_a_leg_sooner() {
        let mut agent = standing();
        agent.handle(&AgentEvent::StationDialled { from: phone(), call_ms_max: 600_000 }, at(10_000));
        agent.handle(&AgentEvent::StationUp("CA2".into()), at(20_000));
        // An eighth of the ten minutes before their end.
        assert_ne!(agent.station_due(at(544_999)), Some(StationDue::Rotate));
        assert_eq!(agent.station_due(at(545_000)), Some(StationDue::Rotate));
        let long = Station { up_at: Some(at(0)), ..Station::new(1, at(0)) };
        assert_eq!(long.tired_at(), Some(at(3 * HOURS + HOURS / 2)), "half an hour at most");
    }

    #[test]
    fn a_preview_is_shown_until_its_time() {
        let mut agent = standing();
        let lead = LeadId::small(T, 3);
        agent.shown = Some(Shown { lead, until: at(7_000) });
        assert_eq!([at(6_999), at(7_000), at(7_001)].map(|now| agent.shown_at(now)), [Some(lead), None, None]);
    }

    #[test]
    fn a_conversation_is_not_cut_by_the_rotation_and_no_other_begins_after_it() {
        let mut agent = standing();
        let call = CallId::small(T, 9);
        agent.handle(&AgentEvent::Hold { call, hold: Hold::Talking }, at(HOURS));
        agent.handle(&AgentEvent::Release { call, missed: false, wrap_up_ms: 0 }, at(2 * HOURS));
        assert!(agent.is_standing(), "an early talk tires no leg");
        agent.handle(&AgentEvent::Hold { call, hold: Hold::Talking }, at(3 * HOURS));
        let late = at(3 * HOURS + HOURS * 3 / 4);
        assert_ne!(agent.station_due(late), Some(StationDue::Rotate), "they talk");
        agent.handle(&AgentEvent::Release { call, missed: false, wrap_up_ms: 0 }, late);
        assert!(agent.is_free() && !agent.is_standing(), "free, but nobody is sent to the old leg");
        assert_eq!(agent.station_due(late), Some(StationDue::Rotate));
        assert!(agent.wake_at() <= late, "at once");
    }

    #[test]
    fn who_calls_in_to_stand_comes_to_work_unless_they_chose_to_be_away() {
        let came = AgentEvent::StationCame { provider: "CA9".into(), from: None };
        for (before, after) in [
            (Status::Offline, Status::Available),
            (Status::Away("lunch".into()), Status::Away("lunch".into())),
            (Status::Available, Status::Available),
        ] {
            let address = Address::Phone(phone());
            let mut agent = Agent::new(AgentId::small(T, 1), PoolId::small(T, 1), "Ann".into(), address, at(0));
            agent.handle(&AgentEvent::Status(before), at(0));
            agent.handle(&came, at(1_000));
            assert_eq!(agent.status, after);
            let station = agent.station.expect("it is up");
            assert_eq!((station.up_at, station.call_ms_max), (Some(at(1_000)), 14_400_000));
            assert_eq!((station.shift, agent.shifts), (1, 1), "a leg of its own name");
        }
    }

    #[test]
    fn a_leg_that_never_comes_is_given_up() {
        let mut agent = standing();
        agent.handle(&AgentEvent::StationDown(1), at(6_000));
        agent.handle(&AgentEvent::StationDialled { from: phone(), call_ms_max: four_hours_ms() }, at(10_000));
        agent.handle(&AgentEvent::Tick, at(50_000));
        assert!(agent.station.is_some());
        assert_eq!(agent.wake_at(), at(100_000));
        agent.handle(&AgentEvent::Tick, at(100_000));
        assert!(agent.station.is_none());
    }
}
