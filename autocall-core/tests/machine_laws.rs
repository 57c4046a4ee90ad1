//! Laws of the machines, over random facts, events and orders.

use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State, Status};
use autocall_core::call::{
    Call, Context, Effect, End, EndCause, Event, FreeAgent, LegFacts, Onward, Press, Stage, Stop, Verdict,
};
use autocall_core::id::{AgentId, CallId, PoolId, TenantId};
use autocall_core::script::{Audio, Script};
use autocall_core::settings::{AmdMode, OnMachine, Settings, TransferMode};
use autocall_core::{Millis, Outcome, Phone, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

#[path = "shared/plan.rs"]
mod plan;

use plan::plan;

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

fn agent_id(n: u128) -> AgentId {
    AgentId::small(TENANT, n)
}

fn call(mode: TransferMode) -> Call {
    let plan = plan(mode);
    Call::new(CallId::small(TENANT, 1), Arc::new(plan), T0)
}

fn settings() -> Settings {
    let mut s = Settings {
        abandonment: Some(Audio::say("sorry")),
        voicemail: Some(Audio::say("hello")),
        ..Settings::default()
    };
    s.amd.machine = OnMachine::LeaveMessage;
    s
}

prop_compose! {
    fn instant()(s in 0..120i64) -> Timestamp { at(s) }
}

fn end() -> impl Strategy<Value = End> {
    let causes = prop::sample::select(vec![
        EndCause::Canceled,
        EndCause::Failed,
        EndCause::NoAnswer,
        EndCause::Busy,
        EndCause::InvalidNumber,
        EndCause::Refused,
        EndCause::Blocked,
        EndCause::Completed,
    ]);
    (causes, instant()).prop_map(|(cause, at)| End { cause, at })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Unclear,
        Verdict::Fax,
        Verdict::MachineGreeting,
        Verdict::MachineEnded,
        Verdict::MachineBeep,
        Verdict::Human,
    ])
}

prop_compose! {
    fn facts()(
        provider in prop::option::of("[AB]{1,2}"),
        times in prop::collection::vec(prop::option::weighted(0.3, instant()), 12),
        agents in (1..4_u128, 1..4_u128),
        verdict in prop::option::of((verdict(), instant())),
        key in prop::option::of((prop::sample::select(vec!['1', '5', '#']), instant())),
        end in prop::option::of(end()),
    ) -> LegFacts {
        LegFacts {
            provider: provider.map(|p| p.as_str().into()),
            ringing_at: times[0],
            answered_at: times[1],
            verdict,
            greeting_end_at: times[2],
            accepted: key.map(|(key, at)| Press { at, key }),
            declined_at: times[3],
            joined_at: times[4],
            joined_agent_at: times[5],
            left_at: times[6],
            guest: times[10].map(|at| (at, agent_id(agents.0))),
            left: times[11].map(|at| (at, agent_id(agents.1))),
            message_at: times[7],
            message_end_at: times[8],
            opted_out_at: times[9],
            end,
        }
    }
}

fn merged(a: &LegFacts, b: &LegFacts) -> LegFacts {
    let mut out = a.clone();
    out.merge(b);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn merging_facts_is_commutative_associative_idempotent(a in facts(), b in facts(), c in facts()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&a, &a), a.clone());
        prop_assert_eq!(merged(&a, &LegFacts::default()), a);
    }
}

/// One story of a call, as single facts: what happened, in no order.
#[derive(Clone, Debug)]
struct Story {
    /// Events that lead to the state in which reports begin to be shuffled.
    before: Vec<(i64, Event)>,
    /// Reports.
    reports: Vec<Event>,
    free: Vec<FreeAgent>,
}

fn told(leg: u8, f: impl FnOnce(&mut LegFacts)) -> Event {
    let mut facts = LegFacts::default();
    f(&mut facts);
    Event::Facts { leg, facts }
}

/// A call that nobody picked up, or that a machine or person did, without an agent.
fn unattended() -> impl Strategy<Value = Story> {
    let unanswered = prop::sample::select(vec![
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Failed,
        EndCause::InvalidNumber,
        EndCause::Blocked,
    ]);
    let rings = unanswered.prop_map(|cause| {
        vec![told(0, |f| f.ringing_at = Some(at(3))), told(0, move |f| f.end = Some(End { cause, at: at(20) }))]
    });
    let answered = (prop::option::of(verdict()), any::<bool>()).prop_map(|(verdict, message)| {
        let mut all = vec![
            told(0, |f| f.ringing_at = Some(at(3))),
            told(0, |f| f.answered_at = Some(at(8))),
            told(0, |f| f.end = Some(End { cause: EndCause::Completed, at: at(20) })),
        ];
        all.extend(verdict.map(|v| told(0, move |f| f.verdict = Some((v, at(10))))));
        let is_machine = matches!(verdict, Some(Verdict::MachineBeep | Verdict::MachineEnded));
        all.extend((message && is_machine).then(|| told(0, |f| f.message_at = Some(at(12)))));
        all
    });
    let provider = (1, told(0, |f| f.provider = Some("CA0".into())));
    prop_oneof![rings, answered].prop_map(move |reports| Story {
        before: vec![provider.clone()],
        reports,
        free: vec![],
    })
}

/// A person for whom an agent is being asked; how far the agent gets differs.
fn offered() -> impl Strategy<Value = Story> {
    (0..5usize, 15..40i64, 15..40i64).prop_map(|(depth, left, agent_left)| {
        let before = vec![
            (1, told(0, |f| f.provider = Some("CA0".into()))),
            (8, told(0, |f| f.answered_at = Some(at(8)))),
            (9, told(0, |f| f.joined_at = Some(at(9)))),
            (10, told(0, |f| f.verdict = Some((Verdict::Human, at(10))))),
        ];
        let steps = [
            told(1, |f| f.provider = Some("CA1".into())),
            told(1, |f| f.ringing_at = Some(at(11))),
            told(1, |f| f.answered_at = Some(at(12))),
            told(1, |f| f.accepted = Some(Press { at: at(13), key: '1' })),
            told(1, |f| f.joined_at = Some(at(14))),
        ];
        let mut reports: Vec<Event> = steps.into_iter().take(depth + 1).collect();
        reports.push(told(0, move |f| f.end = Some(End { cause: EndCause::Completed, at: at(left) })));
        let cause = if depth >= 2 { EndCause::Completed } else { EndCause::Canceled };
        reports.push(told(1, move |f| f.end = Some(End { cause, at: at(agent_left.max(left)) })));
        Story { before, reports, free: vec![FreeAgent { agent: agent_id(1), standing: true }] }
    })
}

/// Plays a story with its reports in this order, all at one instant, then lets time pass.
fn play(story: &Story, order: &[usize], settings: &Settings) -> Outcome {
    let mut call = call(TransferMode::OnDemand);
    for (s, event) in &story.before {
        call.handle(event, &Context { settings, free: &story.free }, at(*s));
    }
    let quiet = Context { settings, free: &[] };
    for &i in order {
        call.handle(&story.reports[i % story.reports.len()], &quiet, at(50));
    }
    for s in [51, 54, 60, 80, 120] {
        call.handle(&Event::Tick, &quiet, at(s));
    }
    call.outcome().unwrap_or_else(|| panic!("not settled: {call:?}"))
}

fn shuffled(story: impl Strategy<Value = Story>) -> impl Strategy<Value = (Story, Vec<usize>)> {
    story.prop_flat_map(|story| {
        let n = story.reports.len();
        let doubled: Vec<usize> = (0..n).chain(0..n).collect();
        (Just(story), Just(doubled).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn every_order_and_doubling_of_reports_ends_in_the_same_outcome(
        (story, order) in shuffled(prop_oneof![unattended(), offered()])
    ) {
        let settings = settings();
        let in_order: Vec<usize> = (0..story.reports.len()).collect();
        prop_assert_eq!(play(&story, &in_order, &settings), play(&story, &order, &settings), "{:?}", order);
    }
}

#[test]
fn the_stories_of_the_order_law_reach_many_outcomes() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let story = prop_oneof![unattended(), offered()].new_tree(&mut runner).expect("a story").current();
        let order: Vec<usize> = (0..story.reports.len()).collect();
        seen.insert(play(&story, &order, &settings()).to_string());
    }
    for name in ["connected", "machine", "voicemail left", "fax", "busy", "no answer", "invalid number"] {
        assert!(seen.contains(name), "no story ends as {name}: {seen:?}");
    }
    assert!(seen.iter().any(|s| s.starts_with("abandoned")), "{seen:?}");
}

fn onward() -> impl Strategy<Value = Onward> {
    let to = || Address::Phone(Phone::from_e164("+13055550171").expect("a number"));
    prop_oneof![
        (1..4u128, any::<bool>()).prop_map(|(n, standing)| Onward::Agent { agent: agent_id(n), standing }),
        Just(Onward::Outside(to())),
        prop::option::of(1..4u128).prop_map(move |n| Onward::Consult { to: to(), agent: n.map(agent_id) }),
    ]
}

fn any_event() -> impl Strategy<Value = (i64, Event, usize)> {
    let stops = prop::sample::select(vec![Stop::Listed, Stop::Campaign, Stop::Pacing, Stop::Person]);
    let event = prop_oneof![
        4 => (0..4u8, facts()).prop_map(|(leg, facts)| Event::Facts { leg, facts }),
        2 => (0..4u8, facts()).prop_map(|(leg, facts)| Event::Asked { leg, facts }),
        1 => (0..4u8).prop_map(|leg| Event::NotFound { leg }),
        1 => (1..3u128, any::<bool>()).prop_map(|(n, accept)| Event::Answered { agent: agent_id(n), accept }),
        1 => (1..3u128).prop_map(|n| Event::AgentGone { agent: agent_id(n) }),
        1 => stops.prop_map(Event::Stop),
        1 => onward().prop_map(Event::HandOn),
        1 => prop::sample::select(vec![Event::HandOver, Event::DropVoicemail]),
        3 => Just(Event::Tick),
    ];
    (1..20i64, event, 0..3usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Any events in any state: no panic, no leg offered twice, one settlement, agents let go, and
    /// the call comes to an end by itself once nothing more is heard.
    #[test]
    fn whatever_happens_a_call_ends_once(
        standing in any::<bool>(),
        detect in any::<bool>(),
        events in prop::collection::vec(any_event(), 1..25),
    ) {
        let mut settings = settings();
        settings.amd.mode = if detect { AmdMode::Detect } else { AmdMode::Off };
        let mode = if standing { TransferMode::Standing } else { TransferMode::OnDemand };
        let mut call = call(mode);
        let free = [FreeAgent { agent: agent_id(1), standing: true }, FreeAgent { agent: agent_id(2), standing: true }];
        let (mut now, mut offered, mut settled) = (0, 0u8, 0);
        let mut held = std::collections::BTreeSet::new();
        let mut check = |call: &Call, effects: &[Effect]| {
            for effect in effects {
                match effect {
                    Effect::Offer { leg, .. } | Effect::Bring { leg } => {
                        assert!(*leg > offered, "leg {leg} offered twice");
                        offered = *leg;
                    }
                    Effect::Agent { agent, event: AgentEvent::Hold { .. } } => {
                        held.insert(*agent);
                    }
                    Effect::Agent { agent, event: AgentEvent::Release { .. } } => {
                        assert!(held.remove(agent), "released whom it does not hold");
                    }
                    Effect::Settle { .. } => settled += 1,
                    _ => {}
                }
            }
            assert!(call.holds().is_none_or(|agent| held.contains(&agent)));
            assert!(held.len() <= 2 && (call.consulted().is_some() || held.len() == usize::from(call.holds().is_some())));
            assert!(settled <= 1);
        };
        for (pause, event, n) in events {
            now += pause;
            let before = call.clone();
            let effects = call.handle(&event, &Context { settings: &settings, free: &free[..n.min(2)] }, at(now));
            check(&call, &effects);
            if before.is_settled() {
                prop_assert_eq!(&before, &call, "a settled call changed");
            }
            for leg in 0..call.legs.len() as u8 {
                if call.is_settled() {
                    prop_assert_eq!(call.script(leg, &settings), Script::Hangup);
                }
            }
        }
        let mut looks = 0;
        while !call.is_settled() {
            let wake = call.wake_at(&settings, at(now));
            prop_assert!(wake < Timestamp::NEVER, "nothing will ever wake {call:?}");
            now = (now + 1).max((wake - T0).ms().div_euclid(1000) + 1);
            let effects = call.handle(&Event::Tick, &Context { settings: &settings, free: &[] }, at(now));
            check(&call, &effects);
            // The carrier answers look-ups: what it does not know is absent, what it knows is over.
            for effect in effects {
                if let Effect::LookUp { leg } = effect {
                    let over = Some(End { cause: EndCause::Completed, at: at(now) });
                    let known = call.legs[usize::from(leg)].facts.is_proven();
                    let answer = if known { told(leg, |f| f.end = over) } else { Event::NotFound { leg } };
                    let effects = call.handle(&answer, &Context { settings: &settings, free: &[] }, at(now));
                    check(&call, &effects);
                }
            }
            looks += 1;
            prop_assert!(looks < 500, "does not end: {call:?}");
        }
        prop_assert!(call.record().is_some());
        prop_assert_eq!(call.load().live(), 0);
        let still = call.clone();
        call.handle(&Event::Tick, &Context { settings: &settings, free: &free }, at(now + 1_000));
        prop_assert_eq!(still, call);
    }

    /// An agent is never held by two calls, and only their own call moves them.
    #[test]
    fn an_agent_has_one_call(steps in prop::collection::vec((0..6usize, 1..4u128, any::<bool>()), 1..60)) {
        let address = Address::Phone(Phone::from_digits(14_155_550_199).expect("valid"));
        let mut agent = Agent::new(agent_id(1), PoolId::small(TENANT, 1), "Ann".into(), address, T0);
        agent.status = Status::Available;
        for (i, (what, n, missed)) in steps.into_iter().enumerate() {
            let (call, now) = (CallId::small(TENANT, n), at(i as i64));
            let before = agent.clone();
            let event = match what {
                0 => AgentEvent::Hold { call, hold: Hold::Reserved },
                1 => AgentEvent::Hold { call, hold: Hold::Talking },
                2 => AgentEvent::Release { call, missed, wrap_up_ms: 5_000 },
                3 => AgentEvent::Ready,
                4 => AgentEvent::Tick,
                _ => AgentEvent::Status(if missed { Status::Available } else { Status::Offline }),
            };
            agent.handle(&event, now);
            if let State::Held { call: mine, .. } = before.state {
                let moved = agent.state != before.state;
                prop_assert!(!moved || mine == call, "{event:?} of another call moved {before:?}");
            }
        }
    }
}

#[test]
fn a_ring_is_never_cut_short_but_for_a_listing() {
    let settings = settings();
    let ctx = Context { settings: &settings, free: &[] };
    for stop in [Stop::Pacing, Stop::Campaign, Stop::Person, Stop::Listed] {
        let mut it = call(TransferMode::OnDemand);
        it.handle(&told(0, |f| f.provider = Some("CA0".into())), &ctx, at(1));
        it.handle(&told(0, |f| f.ringing_at = Some(at(3))), &ctx, at(3));
        it.handle(&Event::Stop(stop), &ctx, at(10));
        let cut = matches!(it.stage, Stage::Closing { .. });
        assert_eq!(cut, stop == Stop::Listed, "{stop:?} after seven seconds of ringing");
        it.handle(&Event::Tick, &ctx, at(18));
        let cut = matches!(it.stage, Stage::Closing { .. });
        assert_eq!(cut, stop != Stop::Pacing, "{stop:?} after fifteen");
    }
}
