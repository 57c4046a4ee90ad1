//! Whole campaigns in virtual time.

use autocall_core::lead::{Closed, Lead, Number, Person, State};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{LeadId, Millis, Outcome, Phone, Priority, Timestamp};
use autocall_testkit::people::Profile;
use autocall_testkit::world::{Crew, Plan, TENANT, World};
use std::sync::Arc;

/// A Tuesday, nine in the morning UTC.
const START: Timestamp = Timestamp::from_secs(1_800_003_600 - 1_800_003_600 % 86_400 + 9 * 3_600);

fn leads(n: u64) -> Vec<Lead> {
    let lead = |n: u64| Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: autocall_core::CampaignId::small(TENANT, 1),
        list: None,
        person: Arc::new(Person::default()),
        person_key: n,
        numbers: [Number::new(Phone::from_digits(14_155_000_000 + n).expect("valid"))].into_iter().collect(),
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: State::Open,
        due_at: Timestamp::EPOCH,
        blocked_by: None,
        attempts: 0,
        tally: Default::default(),
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    };
    (1..=n).map(lead).collect()
}

fn run(plan: &Plan, settings: Settings, n: u64, days: i64) -> World {
    let mut world = World::new(plan);
    let campaign = world.start("test", settings, leads(n)).expect("starts");
    world.run(campaign, plan.starts_at + Millis::from_days(days), |_| {});
    world
}

#[test]
fn eager_people_all_meet_an_agent_at_the_first_attempt() {
    for mode in [TransferMode::OnDemand, TransferMode::Standing] {
        let mut settings = World::settings();
        settings.transfer.mode = mode;
        let plan = Plan { profile: Profile::eager(), crew: Crew::steady(4), ..Plan::new(1, START, 4) };
        let world = run(&plan, settings, 60, 1);
        let records = world.store().records();
        assert_eq!(records.len(), 60, "{mode:?}");
        for record in &records {
            assert_eq!(record.outcome, Outcome::Connected, "{mode:?}");
            assert!(record.talk_ms() > 25_000, "{mode:?}: {record:?}");
            assert!(record.wait_ms().is_some_and(|w| w < 12_000), "{mode:?}: {:?}", record.wait_ms());
        }
        let closed = world.store().leads(records[0].campaign);
        assert!(closed.iter().all(|l| l.state == State::Closed { why: Closed::Done }), "{mode:?}");
        assert_eq!(world.carrier().live().len(), if mode == TransferMode::Standing { 4 } else { 0 }, "{mode:?}");
        let spent = world.times().total();
        assert!(spent.talking_ms >= 60 * 29_000, "{mode:?}: {spent:?}");
        assert!(spent.occupancy() > 0.3, "{mode:?}: {spent:?}");
    }
}

#[test]
fn usual_people_over_a_week_leave_nothing_open_in_between_and_nothing_dialled_twice() {
    for mode in [TransferMode::OnDemand, TransferMode::Standing] {
        let mut settings = World::settings();
        settings.transfer.mode = mode;
        let plan = Plan { nodes: 3, ..Plan::new(7, START, 6) };
        let world = run(&plan, settings, 400, 21);
        let campaign = autocall_core::CampaignId::small(TENANT, 1);
        let closed = world.store().leads(campaign);
        let open: Vec<_> = closed.iter().filter(|l| !matches!(l.state, State::Closed { .. })).collect();
        assert!(open.is_empty(), "{mode:?}: {open:?}");
        let placed = world.carrier().placed();
        let mut lines: Vec<_> = placed.iter().map(|p| p.line).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), placed.len(), "{mode:?}");
        let records = world.store().records();
        let outcome = |wanted: &str| records.iter().filter(|r| r.outcome.name() == wanted).count();
        assert!(outcome("connected") > 60, "{mode:?}: {}", outcome("connected"));
        for usual in ["no_answer", "machine", "busy", "invalid_number"] {
            assert!(outcome(usual) > 0, "{mode:?}: no {usual}");
        }
        assert_eq!(outcome("lost"), 0, "{mode:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_seed_others() {
    let records = |seed| {
        let world = run(&Plan { nodes: 2, ..Plan::new(seed, START, 3) }, World::settings(), 80, 2);
        serde_json::to_string(&world.store().records()).expect("serialisable")
    };
    assert_eq!(records(5), records(5));
    assert_ne!(records(5), records(6));
}
