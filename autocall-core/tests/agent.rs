//! The Agent machine where a table is not enough: missed offers, shifts, when to look again.

use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State, StationDue, Status};
use autocall_core::call::ProviderRef;
use autocall_core::id::{AgentId, CallId, PoolId, TenantId};
use autocall_core::{Millis, Phone, Timestamp};

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

fn call(n: u128) -> CallId {
    CallId::small(TENANT, n)
}

fn agent() -> Agent {
    let address = Address::Phone(Phone::from_digits(14_155_550_199).expect("valid"));
    let mut agent = Agent::new(AgentId::small(TENANT, 1), PoolId::small(TENANT, 1), "Ann".into(), address, T0);
    assert!(!agent.is_free(), "nobody is at work before they say so");
    assert!(agent.handle(&AgentEvent::Status(Status::Available), T0));
    agent
}

fn hold(n: u128, hold: Hold) -> AgentEvent {
    AgentEvent::Hold { call: call(n), hold }
}

fn release(n: u128, missed: bool, wrap_up_ms: u32) -> AgentEvent {
    AgentEvent::Release { call: call(n), missed, wrap_up_ms }
}

#[test]
fn too_many_missed_offers_set_an_agent_to_away() {
    let mut it = agent();
    for (n, wanted) in [(1, Status::Available), (2, Status::Away(Status::MISSED.into()))] {
        it.handle(&hold(n, Hold::Ringing), at(10));
        it.handle(&release(n, true, 0), at(20));
        assert_eq!((&it.status, it.state), (&wanted, State::Idle), "offer {n}");
    }
    assert_eq!(it.missed, 2);
    assert!(!it.is_free());
    it.handle(&AgentEvent::Status(Status::Available), at(30));
    assert_eq!((it.missed, it.is_free()), (0, true), "who comes back begins anew");
}

#[test]
fn a_conversation_forgives_missed_offers_and_zero_forgives_all() {
    let mut it = agent();
    it.handle(&hold(1, Hold::Ringing), at(1));
    it.handle(&release(1, true, 0), at(2));
    it.handle(&hold(2, Hold::Reserved), at(3));
    it.handle(&hold(2, Hold::Talking), at(4));
    assert_eq!(it.missed, 0);
    it.handle(&release(2, false, 0), at(9));
    it.missed_max = 0;
    for n in 3..9 {
        it.handle(&hold(n, Hold::Ringing), at(10));
        it.handle(&release(n, true, 0), at(11));
    }
    assert_eq!((it.status.clone(), it.missed), (Status::Available, 6));
    // Who has chosen to be away for a reason of their own keeps it.
    let mut away = agent();
    away.missed_max = 1;
    away.handle(&hold(1, Hold::Ringing), at(1));
    away.handle(&AgentEvent::Status(Status::Away("lunch".into())), at(2));
    away.handle(&release(1, true, 0), at(3));
    assert_eq!(away.status, Status::Away("lunch".into()));
}

#[test]
fn only_the_call_that_holds_an_agent_moves_them() {
    let mut it = agent();
    it.handle(&hold(1, Hold::Reserved), at(1));
    let before = it.clone();
    for event in [hold(2, Hold::Talking), release(2, true, 5_000), AgentEvent::Ready, hold(1, Hold::Reserved)] {
        assert!(!it.handle(&event, at(2)), "{event:?}");
        assert_eq!(it, before);
    }
    assert_eq!((it.call(), it.since), (Some(call(1)), at(1)));
    it.handle(&hold(1, Hold::Talking), at(5));
    assert_eq!((it.state, it.since), (State::Held { call: call(1), hold: Hold::Talking }, at(5)));
}

#[test]
fn wrap_up_ends_by_itself_at_its_time_or_when_it_is_said() {
    let mut it = agent();
    it.handle(&hold(1, Hold::Talking), at(1));
    it.handle(&release(1, false, 20_000), at(60));
    assert_eq!((it.state, it.wake_at()), (State::WrapUp { call: call(1), until: at(80) }, at(80)));
    assert_eq!(it.call(), Some(call(1)));
    assert!(!it.handle(&AgentEvent::Tick, at(79)));
    assert!(!it.handle(&release(1, false, 20_000), at(70)), "it is released once");
    assert!(!it.handle(&hold(2, Hold::Reserved), at(70)));
    let mut said = it.clone();
    assert!(it.handle(&AgentEvent::Tick, at(80)));
    assert_eq!((it.state, it.since, it.wake_at()), (State::Idle, at(80), Timestamp::NEVER));
    assert!(!said.handle(&AgentEvent::Written { call: call(9) }, at(65)), "what is said about another call");
    assert!(said.handle(&AgentEvent::Written { call: call(1) }, at(65)));
    assert_eq!((said.state, said.since, said.call()), (State::Idle, at(65), None));
    let mut none = agent();
    none.handle(&hold(1, Hold::Talking), at(1));
    none.handle(&release(1, false, 0), at(2));
    assert_eq!(none.state, State::Idle, "no wrap-up where none is set");
}

#[test]
fn a_standing_leg_comes_up_once_and_is_given_up_when_it_never_does() {
    let from = Phone::from_digits(14_155_550_101).expect("valid");
    let dialled = AgentEvent::StationDialled { from, call_ms_max: 4 * 3_600_000 };
    let mut it = agent();
    it.handle(&dialled, at(10));
    assert_eq!((it.shifts, it.is_standing()), (1, false));
    assert_eq!(it.wake_at(), at(100));
    assert!(!it.handle(&AgentEvent::Tick, at(99)));
    let mut silent = it.clone();
    assert!(silent.handle(&AgentEvent::Tick, at(100)));
    assert_eq!(silent.station, None);
    it.handle(&AgentEvent::StationUp(ProviderRef::from("CA1")), at(20));
    it.handle(&AgentEvent::StationUp(ProviderRef::from("CA2")), at(30));
    let station = it.station.clone().expect("it stands");
    assert_eq!((station.shift, station.up_at, station.provider), (1, Some(at(20)), Some(ProviderRef::from("CA1"))));
    assert!(it.is_standing());
    it.handle(&AgentEvent::Tick, at(1_000));
    assert!(it.is_standing());
    it.handle(&AgentEvent::StationDown(1), at(2_000));
    assert!(!it.is_standing() && !it.handle(&AgentEvent::StationUp(ProviderRef::from("CA3")), at(2_001)));
    it.handle(&dialled, at(3_000));
    assert_eq!(it.station.as_ref().map(|s| s.shift), Some(2), "a shift's number never comes back");
}

#[test]
fn who_called_in_to_stand_and_cannot_be_rung_is_let_go_before_the_carrier_would_cut_them_off() {
    let mut it = agent();
    it.handle(&AgentEvent::StationCame { provider: "CA9".into(), from: None }, at(10));
    let station = it.station.clone().expect("it is up");
    assert_eq!((station.provider, station.from), (Some(ProviderRef::from("CA9")), None));
    // Nobody can ring them again. Half an hour without calls would be worse than calling in again, but
    // no conversation is cut.
    let late = at(4 * 3_600);
    let mut talking = it.clone();
    talking.handle(&hold(1, Hold::Talking), at(3_600));
    assert_ne!(talking.station_due(late), Some(StationDue::Rotate));
    assert_eq!(it.station_due(late), Some(StationDue::Rotate), "the leg is hung up");
    assert!(it.handle(&AgentEvent::Tick, late));
    assert_eq!((it.is_standing(), it.shifts), (false, 1), "and is not dialled anew");
    let again = late + Millis::from_secs(60);
    assert_eq!((it.wake_at(), it.station_due(late)), (again, None));
    assert_eq!(it.station_due(again), Some(StationDue::Rotate), "hung up again, should the first request be lost");
    assert!(it.handle(&AgentEvent::StationDown(1), again));
    assert_eq!((it.station.clone(), it.wake_at()), (None, Timestamp::NEVER));
    let mut rung = agent();
    let from = Phone::from_digits(14_155_550_123);
    rung.handle(&AgentEvent::StationCame { provider: "CA9".into(), from }, at(10));
    assert_eq!(rung.station.as_ref().and_then(|s| s.from), from);
    assert_eq!(rung.station_due(late), Some(StationDue::Rotate), "whoever has a number is rung anew");
}

#[test]
fn an_agent_who_is_lent_keeps_a_tired_leg_and_loses_it_when_they_are_back() {
    let from = Phone::from_digits(14_155_550_101).expect("valid");
    let mut it = agent();
    it.handle(&AgentEvent::StationDialled { from, call_ms_max: 3_600_000 }, at(0));
    it.handle(&AgentEvent::StationUp(ProviderRef::from("CA1")), at(5));
    let late = at(5 + 3_600 - 400);
    let mut lunch = it.clone();
    lunch.handle(&AgentEvent::Status(Status::Away("lunch".into())), at(60));
    assert_eq!(lunch.station_due(late), Some(StationDue::Rotate), "nobody talks: it would be cut off at noon");
    // To a person who called back: they talk on that very leg.
    it.handle(&AgentEvent::Lent("a returned call".into()), at(60));
    assert_eq!(it.status, Status::Away("a returned call".into()));
    it.handle(&AgentEvent::Tick, late);
    assert_eq!((it.station_due(late), it.wake_at()), (None, late + Millis::from_secs(60)), "only looked at");
    assert!(it.is_standing());
    it.handle(&AgentEvent::Status(Status::Available), late);
    assert!(it.is_free() && !it.is_standing(), "no call slips in");
    assert_eq!(it.station_due(late), Some(StationDue::Rotate));
    assert!(it.wake_at() <= late, "at once");
}

#[test]
fn a_long_talk_does_not_wake_anybody_over_a_tired_leg() {
    let from = Phone::from_digits(14_155_550_101).expect("valid");
    let mut it = agent();
    it.handle(&AgentEvent::StationDialled { from, call_ms_max: 3_600_000 }, at(0));
    it.handle(&AgentEvent::StationUp(ProviderRef::from("CA1")), at(5));
    it.handle(&hold(1, Hold::Talking), at(60));
    // Tired seven and a half minutes before the hour.
    let late = at(5 + 3_600 - 400);
    it.handle(&AgentEvent::Tick, late);
    assert_eq!((it.station_due(late), it.wake_at()), (None, late + Millis::from_secs(60)), "only looked at");
}

#[test]
fn a_leg_that_is_up_does_not_wait_to_be_dialled() {
    let from = Phone::from_digits(14_155_550_101).expect("valid");
    let mut it = agent();
    it.handle(&AgentEvent::StationDialled { from, call_ms_max: 4 * 3_600_000 }, at(0));
    let mut up = it.clone();
    up.handle(&AgentEvent::StationUp(ProviderRef::from("CA1")), at(5));
    assert!(!up.handle(&AgentEvent::StationWaits(1), at(6)));
    assert!(up.is_standing());
    assert!(it.handle(&AgentEvent::StationWaits(1), at(6)));
    assert_eq!(it.station.as_ref().map(|s| (s.shift, s.from, s.redial_at)), Some((2, Some(from), Some(at(9)))));
    assert_eq!((it.station_due(at(8)), it.station_due(at(9))), (None, Some(StationDue::Redial)));
}

#[test]
fn being_free_takes_the_will_and_an_empty_line() {
    let mut it = agent();
    assert!(it.is_free());
    it.handle(&hold(1, Hold::Reserved), at(1));
    assert!(!it.is_free());
    it.handle(&release(1, false, 5_000), at(2));
    assert!(!it.is_free(), "writing up");
    it.handle(&AgentEvent::Ready, at(3));
    assert!(it.is_free());
    it.handle(&AgentEvent::Status(Status::Away("lunch".into())), at(4));
    assert!(!it.is_free());
    assert!(!it.handle(&AgentEvent::Ready, at(5)), "there is nothing to write up");
}

#[test]
fn a_call_that_does_not_hold_the_agent_forgives_no_missed_offers() {
    let mut it = agent();
    it.handle(&hold(1, Hold::Ringing), at(1));
    it.handle(&release(1, true, 0), at(2));
    it.handle(&hold(2, Hold::Reserved), at(3));
    assert!(!it.handle(&hold(3, Hold::Talking), at(4)));
    assert_eq!((it.missed, it.call()), (1, Some(call(2))));
    it.handle(&hold(2, Hold::Talking), at(5));
    assert_eq!(it.missed, 0, "whoever talks has taken a call");
}

#[test]
fn who_gets_a_call_is_shown_no_preview_any_more() {
    let mut it = agent();
    let lead = autocall_core::id::LeadId::small(TENANT, 3);
    it.shown = Some(autocall_core::agent::Shown { lead, until: at(100) });
    it.handle(&hold(1, Hold::Reserved), at(1));
    assert_eq!(it.shown_at(at(1)), None);
}
