//! In steady state the pacer allocates nothing: plans and observations work in room taken once.

use autocall_core::pacing::{
    AgentView, CallView, CountsDelta, DayKey, DialResult, Ledger, LedgerDelta, Limits, Observation, Phase, Settings,
    Transfer, View, strategy,
};
use autocall_core::{Millis, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn plans_and_observations_allocate_nothing() {
    let start = Timestamp::from_secs(1_800_000_000);
    let day = DayKey::with_offset(start, 0);
    let settings = Settings::predictive(0.03);
    let mut pacer = strategy(&settings);
    let mut ledger = Ledger::new(day, &settings.ledger);
    let served = CountsDelta::from(<[i32; 7]>::from(CountsDelta::served()).map(|n| n * 4000));
    ledger.apply(&LedgerDelta { counts: served, ..LedgerDelta::at(day) });
    let agents: Vec<AgentView> = (0..100)
        .map(|i| AgentView {
            phase: if i % 20 == 0 { Phase::Idle } else { Phase::Talking },
            since: start - Millis::from_secs(i * 2),
            share_pct: 100,
        })
        .collect();
    let calls: Vec<CallView> = (0..30).map(|i| CallView::dialed(0, start - Millis::from_secs(i))).collect();
    let mut dialed = 0;
    let mut round = |i: i64| {
        let now = start + Millis::from_ms(i * 700);
        let person = i % 4 == 0;
        let after = Millis::from_secs(if person { 5 + i % 9 } else { 24 });
        let result = if person { DialResult::Person } else { DialResult::Nobody };
        pacer.observe(Observation::Dial { class: 0, result, picked_up_after: person.then_some(after), after }, now);
        pacer.observe(Observation::Talk { class: 0, took: Millis::from_secs(30 + i % 200) }, now);
        let view = View {
            agents: &agents,
            calls: &calls,
            next_classes: &[0, 0],
            limits: Limits::open(),
            ledger: &ledger,
            day,
            transfer: Transfer::Standing,
        };
        dialed += pacer.plan(&view, now).dial;
    };
    (0..200).for_each(&mut round);
    let region = Region::new(ALLOCATOR);
    (200..700).for_each(&mut round);
    let seen = region.change();
    assert!(dialed > 0, "a pacer with budget and free agents dials");
    assert_eq!((seen.allocations, seen.reallocations), (0, 0), "{seen:?}");
}
