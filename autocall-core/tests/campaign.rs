//! The Campaign machine where a table is not enough: times, settings, who wakes it.

use autocall_core::campaign::{Campaign, Command, Effect, Refused, State};
use autocall_core::id::{CampaignId, PoolId, TenantId};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use autocall_core::{Millis, Phone, Timestamp};
use std::sync::Arc;

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_digits(14_155_550_100);
    s.caller_ids = Phone::from_digits(14_155_550_101).into_iter().collect();
    s.abandonment = Some(Audio::say("Acme called. Call 415 555 0100, or press 9 not to be called again."));
    s.transfer.pools = vec![PoolId::small(TENANT, 1)];
    assert_eq!(s.check(), []);
    s
}

fn campaign(starts: Option<i64>, ends: Option<i64>) -> Campaign {
    let mut s = settings();
    (s.schedule.starts_at, s.schedule.ends_at) = (starts.map(at), ends.map(at));
    Campaign::new(CampaignId::small(TENANT, 1), "spring", s)
}

#[test]
fn a_start_is_looked_at_at_once_and_remembered_once() {
    let mut it = campaign(None, None);
    assert_eq!((it.state, it.wake_at, it.dials(T0)), (State::Draft, Timestamp::NEVER, false));
    assert_eq!(it.command(&Command::Start, at(1)), Ok(vec![Effect::Tick]));
    assert_eq!((it.state, it.wake_at, it.started_at), (State::Running, at(1), Some(at(1))));
    assert_eq!(it.command(&Command::Start, at(2)), Ok(vec![]), "it runs already");
    assert_eq!(it.command(&Command::Pause, at(3)), Ok(vec![]));
    assert_eq!((it.state, it.wake_at, it.dials(at(3))), (State::Paused, Timestamp::NEVER, false));
    assert_eq!(it.command(&Command::Start, at(4)), Ok(vec![Effect::Tick]));
    assert_eq!((it.started_at, it.wake_at), (Some(at(1)), at(4)), "its first start counts");
}

#[test]
fn a_schedule_starts_and_ends_it() {
    let mut it = campaign(Some(100), Some(200));
    assert_eq!(it.command(&Command::Schedule, T0), Ok(vec![]));
    assert_eq!((it.state, it.wake_at), (State::Scheduled, at(100)));
    assert_eq!((it.tick(at(99)), it.state), (vec![], State::Scheduled));
    assert_eq!((it.tick(at(100)), it.state), (vec![Effect::Tick], State::Running));
    assert!(it.dials(at(100)) && it.dials(at(199)) && !it.dials(at(200)) && !it.dials(at(99)));
    assert_eq!((it.tick(at(199)), it.state), (vec![], State::Running));
    assert_eq!((it.tick(at(200)), it.state), (vec![Effect::StopCalls], State::Finished));
    assert_eq!((it.finished_at, it.wake_at), (Some(at(200)), Timestamp::NEVER));
    let mut soon = campaign(None, None);
    soon.command(&Command::Schedule, at(5)).expect("ready");
    assert_eq!(soon.wake_at, at(5), "without a time it starts at once");
}

#[test]
fn a_paused_campaign_still_ends_at_its_time() {
    let mut it = campaign(None, Some(200));
    it.command(&Command::Start, T0).expect("ready");
    it.command(&Command::Pause, at(10)).expect("running");
    assert_eq!(it.wake_at, at(200));
    assert_eq!((it.tick(at(200)), it.state), (vec![Effect::StopCalls], State::Finished));
}

#[test]
fn settings_with_problems_start_nothing_and_change_nothing_that_dials() {
    let bad = Arc::new(Settings::default());
    let mut draft = Campaign::new(CampaignId::small(TENANT, 1), "spring", Settings::default());
    for command in [Command::Start, Command::Schedule] {
        match draft.command(&command, T0) {
            Err(Refused::Settings(problems)) => assert!(problems.len() >= 4, "{problems:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(draft.state, State::Draft);
    }
    assert_eq!(draft.command(&Command::Change(bad.clone()), T0), Ok(vec![]), "a draft may be half done");
    for state in [State::Running, State::Scheduled] {
        let mut it = campaign(Some(100), None);
        it.state = state;
        let before = it.clone();
        assert!(matches!(it.command(&Command::Change(bad.clone()), T0), Err(Refused::Settings(_))));
        assert_eq!(it, before);
    }
    // What could not start any more is paused when its time comes, and never dials.
    let mut it = campaign(Some(100), None);
    it.command(&Command::Schedule, T0).expect("ready");
    it.settings = bad;
    assert_eq!((it.tick(at(100)), it.state), (vec![], State::Paused));
}

#[test]
fn a_change_takes_effect_at_once() {
    let mut it = campaign(Some(100), None);
    it.command(&Command::Schedule, T0).expect("ready");
    let mut later = settings();
    later.schedule.starts_at = Some(at(500));
    assert_eq!(it.command(&Command::Change(Arc::new(later)), at(1)), Ok(vec![]));
    assert_eq!(it.wake_at, at(500));
    it.command(&Command::Start, at(600)).expect("ready");
    assert_eq!(it.command(&Command::Change(Arc::new(settings())), at(601)), Ok(vec![Effect::Tick]));
    assert_eq!(it.command(&Command::Rename("autumn".into()), at(602)), Ok(vec![]));
    assert_eq!(&*it.name, "autumn");
}

#[test]
fn a_finished_campaign_stays_finished() {
    let mut it = campaign(None, Some(5));
    it.command(&Command::Start, T0).expect("ready");
    assert_eq!(it.command(&Command::Finish, at(1)), Ok(vec![Effect::StopCalls]));
    let after = it.clone();
    assert_eq!(it.command(&Command::Finish, at(2)), Ok(vec![]));
    let named = [
        (Command::Start, "start"),
        (Command::Schedule, "wait for its time"),
        (Command::Pause, "pause"),
        (Command::Change(Arc::new(settings())), "change"),
    ];
    for (command, named) in named {
        assert_eq!(it.command(&command, at(3)), Err(Refused::State { from: State::Finished, command: named }));
    }
    assert_eq!((it.tick(at(9)), it), (vec![], after));
    let mut draft = campaign(None, None);
    assert_eq!(draft.command(&Command::Pause, T0), Err(Refused::State { from: State::Draft, command: "pause" }));
}
