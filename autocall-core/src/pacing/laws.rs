//! Laws that every way of pacing keeps.

use super::*;
use crate::{Millis, Timestamp};
use proptest::prelude::{
    Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest,
};
use proptest::strategy::Strategy as Gen;

const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

#[derive(Debug, Clone)]
struct Scene {
    idle: usize,
    talking: usize,
    calls: usize,
    waiting: usize,
    served: i32,
    lost: i32,
    limits: Limits,
    transfer: Transfer,
}

fn mode() -> impl Gen<Value = Mode> {
    prop_oneof![
        Just(Mode::Preview),
        Just(Mode::Progressive),
        (1.0_f32..10.0).prop_map(|ratio| Mode::Power { ratio }),
        Just(Mode::Predictive { cap: 0.03, target_wait_s: None }),
        Just(Mode::Predictive { cap: 0.03, target_wait_s: Some(20.0) }),
        (1_u32..40).prop_map(|in_flight_max| Mode::Agentless { in_flight_max }),
    ]
}

fn scene() -> impl Gen<Value = Scene> {
    let limits = (any::<bool>(), 0_u32..30, 0_u32..30, prop::option::of(0_u32..30), prop::option::of(0_u32..12));
    let counts = (0_usize..12, 0_usize..20, 0_usize..30, 0_usize..4, 0_i32..400, 0_i32..20);
    (counts, limits, any::<bool>()).prop_map(|((idle, talking, calls, waiting, served, lost), l, demand)| {
        let mut limits = Limits::open();
        if l.0 {
            (limits.free_lines, limits.dials_now, limits.leads_left, limits.promised_idle) = (l.1, l.2, l.3, l.4);
        }
        let transfer = if demand { Transfer::OnDemand } else { Transfer::Standing };
        Scene { idle, talking, calls, waiting, served, lost, limits, transfer }
    })
}

fn plan(scene: &Scene, mode: Mode) -> Plan {
    let settings = Settings { mode, ..Settings::default() };
    let day = DayKey::with_offset(NOON, 0);
    let mut ledger = Ledger::new(day, &settings.ledger);
    for (c, n) in [(CountsDelta::served(), scene.served), (CountsDelta::given_up(true), scene.lost)] {
        let counts = CountsDelta::from(<[i32; 7]>::from(c).map(|v| v * n));
        ledger.apply(&LedgerDelta { counts, ..LedgerDelta::at(day) });
    }
    let agent = |phase, n| {
        (0..n).map(move |i| AgentView { phase, since: NOON - Millis::from_secs(i as i64 * 7), share_pct: 100 })
    };
    let agents: Vec<AgentView> = agent(Phase::Idle, scene.idle).chain(agent(Phase::Talking, scene.talking)).collect();
    let calls: Vec<CallView> = (0..scene.calls)
        .map(|i| {
            let mut c = CallView::dialed(0, NOON - Millis::from_secs(i as i64 % 25));
            if i < scene.waiting {
                (c.answered_at, c.waiting_since) = (Some(NOON), Some(NOON));
            }
            c
        })
        .collect();
    let view = View {
        agents: &agents,
        calls: &calls,
        next_classes: &[0, 1],
        limits: scene.limits,
        ledger: &ledger,
        day,
        transfer: scene.transfer,
    };
    let mut pacer = strategy(&settings);
    for i in 0..400 {
        let person = i % 4 == 0;
        let after = Millis::from_secs(if person { 5 + i % 9 } else { 26 });
        let result = if person { DialResult::Person } else { DialResult::Nobody };
        pacer.observe(Observation::Dial { class: 0, result, picked_up_after: person.then_some(after), after }, NOON);
        pacer.observe(Observation::Talk { class: 0, took: Millis::from_secs(20 + i % 150) }, NOON);
    }
    pacer.plan(&view, NOON)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_mode_stays_within_its_limits_and_says_why(scene in scene(), mode in mode()) {
        let plan = plan(&scene, mode);
        prop_assert!(plan.dial <= scene.limits.dial_max());
        prop_assert_eq!(plan.dial < plan.why.wish, plan.why.bound.is_some());
        prop_assert!(plan.next_look > NOON && plan.next_look <= NOON + LOOK_EVERY);
        prop_assert!(!plan.why.to_string().is_empty());
        if let Some(bound) = plan.why.bound {
            let limit = match bound {
                Bound::Lines => Some(scene.limits.free_lines),
                Bound::Rate => Some(scene.limits.dials_now),
                Bound::List => scene.limits.leads_left,
            };
            prop_assert_eq!(Some(plan.dial), limit, "{:?}", bound);
        }
    }

    #[test]
    fn no_mode_dials_without_permission(mut scene in scene(), mode in mode()) {
        scene.limits.may_dial = false;
        let plan = plan(&scene, mode);
        prop_assert_eq!((plan.dial, plan.why.reason, plan.why.bound), (0, Reason::Closed, None));
        prop_assert!(plan.cancel.is_empty());
    }

    #[test]
    fn every_mode_is_deterministic_and_monotone_in_free_agents(scene in scene(), mode in mode()) {
        let before = plan(&scene, mode);
        prop_assert_eq!(&before, &plan(&scene, mode));
        let more = plan(&Scene { idle: scene.idle + 1, ..scene.clone() }, mode);
        prop_assert!(more.dial >= before.dial, "{} < {}", more.dial, before.dial);
    }

    /// With nobody at risk there is nothing to abandon: on demand, in preview, and where the budget
    /// is overdrawn, there are never more open calls than free agents.
    #[test]
    fn never_more_open_calls_than_agents_where_none_may_be_risked(mut scene in scene(), mode in mode()) {
        prop_assume!(!matches!(mode, Mode::Agentless { .. }));
        let overdrawn = scene.lost as f64 > 0.03 * f64::from(scene.served + scene.lost);
        prop_assume!(scene.transfer == Transfer::OnDemand || matches!(mode, Mode::Preview | Mode::Progressive) || overdrawn);
        scene.limits = Limits { promised_idle: scene.limits.promised_idle, ..Limits::open() };
        let plan = plan(&scene, mode);
        let idle = (scene.idle as u32).min(scene.limits.promised_idle.unwrap_or(u32::MAX));
        prop_assert!(plan.dial == 0 || plan.dial + scene.calls as u32 <= idle, "{} {}", plan.dial, plan.why);
    }
}

#[test]
fn power_and_agentless_do_what_they_say() {
    let scene = Scene {
        idle: 4,
        talking: 6,
        calls: 3,
        waiting: 0,
        served: 100,
        lost: 0,
        limits: Limits::open(),
        transfer: Transfer::Standing,
    };
    let dial = |scene: &Scene, mode| plan(scene, mode).dial;
    assert_eq!(dial(&scene, Mode::Power { ratio: 2.5 }), 7, "two and a half for each of four, less three there");
    assert_eq!(dial(&scene, Mode::Power { ratio: 99.0 }), 37, "at most ten for each");
    let spent = Scene { lost: 9, ..scene.clone() };
    assert_eq!(plan(&spent, Mode::Power { ratio: 2.5 }).why.reason, Reason::BudgetSpent);
    assert_eq!(dial(&spent, Mode::Power { ratio: 2.5 }), 1);
    let fresh = Scene { served: 0, ..scene.clone() };
    assert_eq!(dial(&fresh, Mode::Power { ratio: 2.5 }), 7, "nobody has been abandoned yet");
    assert_eq!(dial(&scene, Mode::Agentless { in_flight_max: 10 }), 7);
    assert_eq!(dial(&scene, Mode::Preview), 0);
    assert_eq!(dial(&scene, Mode::Progressive), 1);
}
