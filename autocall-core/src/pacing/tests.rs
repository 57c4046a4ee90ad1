//! Settings that are refused, and what plans say.

use super::*;
use crate::Timestamp;

#[test]
fn every_setting_out_of_range_is_named() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut s = Settings::predictive(0.03);
        change(&mut s);
        s.check()
    };
    type Change = &'static dyn Fn(&mut Settings);
    let wrong: [(Problem, [Change; 2]); 10] = [
        (Problem::Ratio, [&|s| s.mode = Mode::Power { ratio: 0.9 }, &|s| s.mode = Mode::Power { ratio: 10.1 }]),
        (
            Problem::TargetWait,
            [&|s| s.mode = Mode::Predictive { cap: 0.03, target_wait_s: Some(-1.0) }, &|s| {
                s.mode = Mode::Predictive { cap: 0.03, target_wait_s: Some(601.0) }
            }],
        ),
        (
            Problem::NoLines,
            [&|s| s.mode = Mode::Agentless { in_flight_max: 0 }, &|s| s.mode = Mode::Agentless { in_flight_max: 0 }],
        ),
        (Problem::Cap, [&|s| s.ledger.cap = 0.11, &|s| s.ledger.cap = -0.01]),
        (Problem::Rolling, [&|s| s.ledger.rolling_hours = Some(0), &|s| s.ledger.rolling_hours = Some(169)]),
        (
            Problem::Misjudged,
            [&|s| s.ledger.misjudged = Misjudged::Configured { share: 1.1 }, &|s| {
                s.ledger.misjudged = Misjudged::Measured { before: -0.1 }
            }],
        ),
        (Problem::Deadline, [&|s| s.ledger.deadline_ms = 60_001, &|s| s.ledger.deadline_ms = u32::MAX]),
        (
            Problem::Guard,
            [&|s| s.ledger.mode = CapMode::Guarded { z: 6.1 }, &|s| s.ledger.mode = CapMode::Guarded { z: f32::NAN }],
        ),
        (Problem::Share, [&|s| s.share.priority = 10, &|s| s.share.weight = 0]),
        (
            Problem::NoWindow,
            [&|s| (s.ledger.per_day, s.ledger.per_period) = (false, false), &|s| {
                (s.ledger.per_day, s.ledger.per_period) = (false, false)
            }],
        ),
    ];
    for (problem, changes) in wrong {
        for change in changes {
            assert_eq!(with(change), [problem], "{problem}");
        }
        assert!(problem.to_string().len() > 20);
    }
    let cap = with(&|s| s.mode = Mode::Predictive { cap: 0.2, target_wait_s: None });
    assert_eq!(cap, [Problem::Cap]);
    let fine: [Change; 8] = [
        &|_| {},
        &|s| s.mode = Mode::Power { ratio: 1.0 },
        &|s| s.mode = Mode::Power { ratio: 10.0 },
        &|s| s.mode = Mode::Predictive { cap: 0.1, target_wait_s: Some(600.0) },
        &|s| s.ledger.rolling_hours = Some(168),
        &|s| s.ledger.deadline_ms = 60_000,
        &|s| (s.share.priority, s.share.weight) = (9, 100),
        &|s| s.ledger.mode = CapMode::Strict,
    ];
    for change in fine {
        assert_eq!(with(change), []);
    }
    assert_eq!(with(&|s| s.share.weight = 101), [Problem::Share]);
    let ahead = [Mode::Power { ratio: 2.0 }, Mode::Predictive { cap: 0.03, target_wait_s: None }];
    assert!(ahead.iter().all(|m| Settings { mode: *m, ..Settings::default() }.dials_ahead()));
    assert!(!Settings::default().dials_ahead());
}

/// A call waiting, four in flight, two agents free.
fn why(reason: Reason) -> Why {
    Why {
        reason,
        bound: None,
        wish: 7,
        idle: 2,
        in_flight: 4,
        waiting: 0,
        free_soon: 1.44,
        answers_soon: 1.9,
        miss: 0.021,
        price: 0.016,
        budget: 6.31,
        window: Some(Window::Day),
        answer: 0.25,
        accept: 0.0,
        connect_s: 0.0,
    }
}

#[test]
fn every_reason_is_a_sentence_with_its_numbers() {
    let say = |w: Why| w.to_string();
    assert_eq!(
        say(why(Reason::Price)),
        "the next person would meet no agent with chance 2.1 %, accepted up to 1.6 %: 2 free, 1.4 freed soon, 1.9 \
         answers due from 4 in flight; 6.3 abandonments left today"
    );
    assert_eq!(
        say(Why { waiting: 3, ..why(Reason::Ledger) }),
        "4 in flight with 2 free is as much as a budget of 6.3 abandonments bears; 3 waiting"
    );
    assert_eq!(say(why(Reason::Closed)), "no permission to dial now");
    let rung = Why { accept: 0.8, connect_s: 4.25, window: None, ..why(Reason::Reserving) };
    assert_eq!(say(rung), "one call per agent: agents are rung on demand, 80 % say yes after 4.2 s; 2 free");
    // Who does not learn what agents say does not claim that nobody says yes.
    let rung = Why { window: None, ..why(Reason::Reserving) };
    assert_eq!(say(rung), "one call per agent: each agent is rung on demand");
    let bounds = [
        (Bound::Lines, "; 7 wished, no free line"),
        (Bound::Rate, "; 7 wished, the carrier's rate is used up"),
        (Bound::List, "; 7 wished, the list is at its end"),
    ];
    for (bound, end) in bounds {
        let text = say(Why { bound: Some(bound), ..why(Reason::Progressive) });
        assert!(text.starts_with("one call for each free agent: 2 free, 4 in flight") && text.ends_with(end), "{text}");
    }
    let all = [
        Reason::Preview,
        Reason::Power,
        Reason::Agentless,
        Reason::WarmingUp,
        Reason::BudgetSpent,
        Reason::Unavoidable,
        Reason::ShortList,
        Reason::TargetWait,
    ];
    let texts: std::collections::BTreeSet<String> = all.into_iter().map(|r| say(why(r))).collect();
    assert_eq!(texts.len(), all.len());
    let windows = [Window::Total, Window::Day, Window::Period, Window::Month, Window::Rolling];
    let named: std::collections::BTreeSet<String> = windows.iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), windows.len());
}

#[test]
fn a_view_counts_what_needs_an_agent() {
    let now = Timestamp::from_secs(1_800_000_000);
    let agents =
        [Phase::Idle, Phase::Idle, Phase::Talking].map(|phase| AgentView { phase, since: now, share_pct: 100 });
    let mut calls = [CallView::dialed(0, now); 5];
    calls[0].waiting_since = Some(now);
    calls[1].agent_reserved = true;
    (calls[2].agent_reserved, calls[2].waiting_since) = (true, Some(now));
    let rules = LedgerRules::default();
    let day = DayKey::with_offset(now, 0);
    let ledger = Ledger::new(day, &rules);
    let mut view = View {
        agents: &agents,
        calls: &calls,
        next_classes: &[],
        limits: Limits::open(),
        ledger: &ledger,
        day,
        transfer: Transfer::Standing,
    };
    assert_eq!((view.idle(), view.open_calls(), view.waiting(), view.in_flight()), (2, 3, 1, 2));
    view.limits.promised_idle = Some(1);
    assert_eq!(view.idle(), 1);
    let limits = Limits { free_lines: 9, dials_now: 8, leads_left: Some(7), ..Limits::open() };
    assert_eq!((limits.dial_max(), Limits { may_dial: false, ..limits }.dial_max()), (7, 0));
    assert_eq!(Limits { leads_left: None, ..limits }.dial_max(), 8);
    assert_eq!(Limits { dials_now: 99, leads_left: None, ..limits }.dial_max(), 9);
}

#[test]
fn a_fixed_ratio_holds_until_the_budget_is_overdrawn() {
    let now = Timestamp::from_secs(1_800_000_000);
    let day = DayKey::with_offset(now, 0);
    let agents = [AgentView { phase: Phase::Idle, since: now, share_pct: 100 }; 4];
    let plan = |served: i32, lost: i32, transfer: Transfer| {
        let rules = LedgerRules::default();
        let mut ledger = Ledger::new(day, &rules);
        for (c, n) in [(CountsDelta::served(), served), (CountsDelta::given_up(true), lost)] {
            let counts = CountsDelta::from(<[i32; 7]>::from(c).map(|v| v * n));
            ledger.apply(&LedgerDelta { counts, ..LedgerDelta::at(day) });
        }
        let (limits, ledger) = (Limits::open(), &ledger);
        let view = View { agents: &agents, calls: &[], next_classes: &[], limits, ledger, day, transfer };
        let plan = Power { ratio: 2.0, ledger: rules }.plan(&view, now);
        (plan.dial, plan.why.reason, plan.why.window, plan.why.budget)
    };
    let today = Some(Window::Day);
    assert_eq!(plan(97, 3, Transfer::Standing), (8, Reason::Power, today, 0.0), "spent to the last, not overdrawn");
    let (dial, reason, ..) = plan(96, 4, Transfer::Standing);
    assert_eq!((dial, reason), (4, Reason::BudgetSpent));
    let (dial, reason, ..) = plan(96, 4, Transfer::OnDemand);
    assert_eq!((dial, reason), (4, Reason::BudgetSpent));
    let (dial, reason, ..) = plan(97, 3, Transfer::OnDemand);
    assert_eq!((dial, reason), (4, Reason::Reserving));
}

#[test]
fn the_shipped_predictive_settings_are_those_of_the_cap() {
    let s = Settings::predictive(0.02);
    assert_eq!(s.mode, Mode::Predictive { cap: 0.02, target_wait_s: None });
    assert_eq!((s.ledger.cap, s.check()), (0.02, Vec::new()));
    assert!(s.dials_ahead());
}
