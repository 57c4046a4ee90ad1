//! The Agent machine where a table is not enough: missed offers, shifts, when to look again.

use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State, Status};
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
