use super::*;
use crate::pacing::Strategy;
use crate::pacing::{AgentView, CallView, Class, CountsDelta, DayKey, DialResult, Ledger, LedgerDelta, Limits};
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Gen;
use std::sync::LazyLock;

mod decides;
mod prices;

const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

fn day() -> DayKey {
    DayKey::with_offset(NOON, 0)
}

/// A pacer that has seen a campaign of about a quarter answers and talks of about two minutes.
fn trained(mode: CapMode) -> Predictive {
    // Taught once: properties ask for hundreds, each in this state.
    static TAUGHT: LazyLock<Predictive> = LazyLock::new(|| taught(&Settings::predictive(0.03)));
    let mut p = TAUGHT.clone();
    p.settings.ledger.mode = mode;
    p
}

fn taught(settings: &Settings) -> Predictive {
    let mut p = Predictive::new(settings);
    for i in 0..800_i64 {
        let person = i % 4 == 0;
        let after = Millis::from_ms(if person { 5000 + i * 37 % 9000 } else { 15_000 + i * 53 % 13_000 });
        let picked_up_after = person.then_some(after);
        let result = if person { DialResult::Person } else { DialResult::Nobody };
        p.observe(Observation::Dial { class: 0, result, picked_up_after, after }, NOON);
        if person {
            let took = Millis::from_secs(20 + i * 7919 % 240);
            p.observe(Observation::Talk { class: 0, took }, NOON);
            p.observe(Observation::WrapUp { took: Millis::from_secs(2 + i % 7) }, NOON);
        }
    }
    p
}

#[derive(Debug, Clone)]
struct Scene {
    agents: Vec<AgentView>,
    calls: Vec<CallView>,
    served: u32,
    given_up: u32,
    limits: Limits,
}

impl Scene {
    fn ledger(&self, rules: &crate::pacing::LedgerRules) -> Ledger {
        let mut l = Ledger::new(day(), rules);
        for (c, n) in [(CountsDelta::served(), self.served), (CountsDelta::given_up(true), self.given_up)] {
            let counts = CountsDelta::from(<[i32; 7]>::from(c).map(|v| v * n as i32));
            l.apply(&LedgerDelta { counts, ..LedgerDelta::at(day()) });
        }
        l
    }
    fn plan(&self, pacer: &Predictive) -> Plan {
        let ledger = self.ledger(&pacer.settings.ledger);
        self.plan_with(&mut pacer.clone(), &ledger)
    }
    fn plan_with(&self, pacer: &mut Predictive, ledger: &Ledger) -> Plan {
        let next: [Class; 4] = [0; 4];
        let view = View {
            agents: &self.agents,
            calls: &self.calls,
            next_classes: &next,
            limits: self.limits,
            ledger,
            day: day(),
            transfer: Transfer::Standing,
        };
        pacer.plan(&view, NOON)
    }
    fn idle(&self) -> u32 {
        self.agents.iter().filter(|a| a.phase == Phase::Idle).count() as u32
    }
}

fn agent() -> impl Gen<Value = AgentView> {
    let phase = prop_oneof![
        3 => Just(Phase::Idle),
        5 => Just(Phase::Talking),
        2 => Just(Phase::WrapUp),
        1 => Just(Phase::Leaving),
        1 => Just(Phase::Reserved)
    ];
    (phase, 0_i64..400_000, prop_oneof![4 => Just(100_u8), 1 => 10_u8..100])
        .prop_map(|(phase, ms, share_pct)| AgentView { phase, since: NOON - Millis::from_ms(ms), share_pct })
}

fn call() -> impl Gen<Value = CallView> {
    (0_u16..3, 0_i64..45_000, 0_u8..12).prop_map(|(class, ms, kind)| {
        let at = NOON - Millis::from_ms(ms);
        let mut c = CallView::dialed(class, at);
        match kind {
            0 => c.answered_at = Some(NOON - Millis::from_ms(ms.min(1500))),
            1 => {
                c.answered_at = Some(at);
                c.waiting_since = Some(NOON);
            }
            2 => c.agent_reserved = true,
            3 => {}
            _ => c.ringing_at = Some(at + Millis::from_ms(1000)),
        }
        c
    })
}

fn scene() -> impl Gen<Value = Scene> {
    let agents = prop::collection::vec(agent(), 0..40);
    let calls = prop::collection::vec(call(), 0..60);
    let limits = (any::<bool>(), 0_u32..60, 0_u32..60, prop::option::of(0_u32..50), prop::option::of(0_u32..20))
        .prop_map(|(tight, lines, now, left, promised)| {
            if !tight {
                return Limits::open();
            }
            Limits { free_lines: lines, dials_now: now, leads_left: left, promised_idle: promised, ..Limits::open() }
        });
    (agents, calls, 0_u32..3000, 0_u32..60, limits).prop_map(|(agents, calls, served, given_up, limits)| Scene {
        agents,
        calls,
        served,
        given_up,
        limits,
    })
}

fn mode() -> impl Gen<Value = CapMode> {
    prop_oneof![Just(CapMode::Strict), (0.0_f32..3.0).prop_map(|z| CapMode::Guarded { z })]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plans_stay_within_every_limit_and_let_go_only_what_may_be(scene in scene(), mode in mode()) {
        let plan = scene.plan(&trained(mode));
        prop_assert!(plan.dial <= scene.limits.dial_max());
        prop_assert!(plan.next_look > NOON && plan.next_look <= NOON + LOOK_EVERY);
        prop_assert!(plan.cancel.windows(2).all(|w| w[0] < w[1]));
        for i in &plan.cancel {
            let c = scene.calls[*i as usize];
            let rang = c.ringing_at.unwrap_or(c.dialed_at);
            prop_assert!(NOON - rang >= Millis::from_secs(15) && c.answered_at.is_none() && !c.agent_reserved);
        }
        prop_assert!(!plan.why.to_string().is_empty());
    }

    #[test]
    fn nothing_outside_permission(mut scene in scene(), mode in mode()) {
        scene.limits.may_dial = false;
        let plan = scene.plan(&trained(mode));
        prop_assert_eq!((plan.dial, plan.cancel.len(), plan.why.reason), (0, 0, Reason::Closed));
    }

    #[test]
    fn the_same_facts_give_the_same_plan(scene in scene(), mode in mode()) {
        let pacer = trained(mode);
        prop_assert_eq!(scene.plan(&pacer), scene.plan(&pacer));
    }

    #[test]
    fn one_more_free_agent_never_means_fewer_calls(scene in scene(), mode in mode()) {
        let pacer = trained(mode);
        let before = scene.plan(&pacer).dial;
        let mut more = scene.clone();
        more.agents.push(AgentView { phase: Phase::Idle, since: NOON, share_pct: 100 });
        prop_assert!(more.plan(&pacer).dial >= before, "{} < {before}", more.plan(&pacer).dial);
    }

    #[test]
    fn never_less_than_one_call_for_each_free_agent(mut scene in scene(), mode in mode()) {
        scene.limits = Limits::open();
        let open = scene.calls.iter().filter(|c| !c.agent_reserved).count() as u32;
        prop_assert!(scene.plan(&trained(mode)).dial >= scene.idle().saturating_sub(open));
    }

    #[test]
    fn never_more_at_risk_than_the_ledger_allows(mut scene in scene(), z in 0.0_f32..3.0) {
        scene.limits = Limits::open();
        let open = scene.calls.iter().filter(|c| !c.agent_reserved).count() as u32;
        let idle = scene.idle();
        let strict = trained(CapMode::Strict);
        let bound = scene.ledger(&strict.settings.ledger).strict_open_max(&strict.settings.ledger, day(), idle);
        let dial = scene.plan(&strict).dial;
        prop_assert!(dial == 0 || open + dial <= bound, "{open} + {dial} > {bound}");

        let guarded = trained(CapMode::Guarded { z });
        let left = scene.ledger(&guarded.settings.ledger).budget(&guarded.settings.ledger, day()).left;
        let dial = scene.plan(&guarded).dial;
        if left < BUDGET_MIN {
            prop_assert_eq!(dial, idle.saturating_sub(open), "nothing may be risked with {} left", left);
        }
    }
}

#[test]
fn it_dials_ahead_of_agents_when_the_ledger_can_bear_it() {
    let agents: Vec<AgentView> = (0..40)
        .map(|i| AgentView {
            phase: if i < 3 { Phase::Idle } else { Phase::Talking },
            since: NOON - Millis::from_secs(i * 6),
            share_pct: 100,
        })
        .collect();
    let scene = Scene { agents, calls: Vec::new(), served: 3000, given_up: 40, limits: Limits::open() };
    let plan = scene.plan(&trained(CapMode::Guarded { z: 1.0 }));
    assert!(plan.dial > 6, "{} {}", plan.dial, plan.why);
    assert_eq!(plan.why.reason, Reason::Price);
    assert!(plan.why.miss > plan.why.price && plan.why.budget > 40.0);
    assert!((0.15..0.4).contains(&plan.why.answer), "{}", plan.why.answer);

    // The same with the budget spent, with too few answers yet, and with misjudged people alone
    // above the cap: one call for each free agent, and it says why.
    for (served, given_up, reason) in [(3000, 93, Reason::BudgetSpent), (5, 0, Reason::WarmingUp)] {
        let plan = Scene { served, given_up, ..scene.clone() }.plan(&trained(CapMode::Guarded { z: 1.0 }));
        assert_eq!((plan.dial, plan.why.reason), (3, reason));
    }
    let mut pacer = trained(CapMode::Guarded { z: 1.0 });
    pacer.settings.ledger.misjudged = crate::pacing::Misjudged::Configured { share: 0.5 };
    let mut ledger = scene.ledger(&pacer.settings.ledger);
    let machines = CountsDelta { machines: 400, ..CountsDelta::default() };
    ledger.apply(&LedgerDelta { counts: machines, ..LedgerDelta::at(day()) });
    let plan = scene.plan_with(&mut pacer, &ledger);
    assert_eq!((plan.dial, plan.why.reason), (3, Reason::Unavoidable));
}

#[test]
fn more_agents_soon_free_mean_more_calls_and_leaving_ones_mean_none() {
    let of = |phase: Phase| {
        let agents = (0..60).map(|i| AgentView {
            phase: if i < 2 { Phase::Idle } else { phase },
            since: NOON - Millis::from_secs(12),
            share_pct: 100,
        });
        let scene =
            Scene { agents: agents.collect(), calls: Vec::new(), served: 5000, given_up: 0, limits: Limits::open() };
        scene.plan(&trained(CapMode::Guarded { z: 1.0 })).dial
    };
    assert!(of(Phase::WrapUp) > of(Phase::Talking), "wrap-ups of 2 to 8 s end sooner than talks");
    assert!(of(Phase::Talking) > of(Phase::Leaving));
}

#[test]
fn a_short_list_is_called_one_by_one() {
    let agents = (0..20).map(|i| AgentView {
        phase: if i < 3 { Phase::Idle } else { Phase::Talking },
        since: NOON - Millis::from_secs(i * 6),
        share_pct: 100,
    });
    let plan = |left: Option<u32>, open_for_s: Option<u32>| {
        let limits = Limits { leads_left: left, open_for_s, ..Limits::open() };
        let scene = Scene { agents: agents.clone().collect(), calls: Vec::new(), served: 3000, given_up: 0, limits };
        scene.plan(&trained(CapMode::Guarded { z: 1.0 }))
    };
    // An agent uses up a lead in about a minute at one call each: 20 agents, 8 hours, 9,000 leads.
    assert_eq!(plan(Some(4000), Some(8 * 3600)).why.reason, Reason::ShortList);
    assert_eq!(plan(Some(4000), Some(8 * 3600)).dial, 3);
    for (left, open_for_s) in
        [(Some(20_000), Some(8 * 3600)), (Some(4000), Some(3600)), (Some(4000), None), (None, None)]
    {
        let plan = plan(left, open_for_s);
        assert!(plan.why.reason == Reason::Price && plan.dial > 3, "{left:?} {open_for_s:?}: {}", plan.why);
    }
    assert_eq!(plan(Some(300), None).why.reason, Reason::ShortList, "the last hour, where closing is not known");
}

#[test]
fn agents_rung_on_demand_are_reserved_and_spares_kept_for_those_who_do_not_answer() {
    let agents = vec![AgentView { phase: Phase::Idle, since: NOON, share_pct: 100 }; 20];
    let plan = |pacer: &mut Predictive, calls: usize| {
        let ledger = Ledger::new(day(), &pacer.settings.ledger);
        let view = View {
            agents: &agents,
            calls: &vec![CallView::dialed(0, NOON); calls],
            next_classes: &[0],
            limits: Limits::open(),
            ledger: &ledger,
            day: day(),
            transfer: Transfer::OnDemand,
        };
        pacer.plan(&view, NOON)
    };
    let mut pacer = trained(CapMode::Guarded { z: 1.0 });
    assert_eq!((plan(&mut pacer, 0).dial, plan(&mut pacer, 5).dial), (20, 15));
    for i in 0..400 {
        let accepted = i % 2 == 0;
        pacer.observe(Observation::Connect { took: Millis::from_secs(if accepted { 4 } else { 15 }), accepted }, NOON);
    }
    // A quarter answer and half the agents let them pass: one spare for every four people.
    let later = plan(&mut pacer, 0);
    assert!((15..=17).contains(&later.dial), "{}", later.dial);
    assert_eq!(later.why.reason, Reason::Reserving);
    assert!((later.why.accept - 0.5).abs() < 0.05 && later.why.connect_s > 4.0, "{}", later.why);
    assert!(later.why.to_string().contains("say yes"), "{}", later.why);
}

#[test]
fn a_late_carrier_leaves_less_time_to_find_an_agent() {
    let agents: Vec<AgentView> = (0..60)
        .map(|i| AgentView { phase: Phase::WrapUp, since: NOON - Millis::from_secs(i % 4), share_pct: 100 })
        .collect();
    let soon = |lag| {
        let limits = Limits { event_lag_ms: lag, ..Limits::open() };
        let scene = Scene { agents: agents.clone(), calls: Vec::new(), served: 3000, given_up: 30, limits };
        scene.plan(&trained(CapMode::Guarded { z: 1.0 })).why.free_soon
    };
    assert!(soon(1500) < soon(0));
    assert_eq!(soon(2000), soon(9000), "nobody is held beyond the deadline");
}

#[test]
fn a_long_ring_is_let_go_when_nobody_will_be_free() {
    let talking = AgentView { phase: Phase::Talking, since: NOON, share_pct: 100 };
    let ringing = |s: i64| {
        let at = NOON - Millis::from_secs(s);
        CallView { ringing_at: Some(at), ..CallView::dialed(0, at) }
    };
    let scene = Scene {
        agents: vec![talking; 3],
        calls: vec![ringing(14), ringing(16), ringing(20)],
        served: 3000,
        given_up: 84,
        limits: Limits::open(),
    };
    let plan = scene.plan(&trained(CapMode::Guarded { z: 1.0 }));
    assert_eq!(plan.cancel.as_slice(), [1, 2]);
    let mut never = trained(CapMode::Guarded { z: 1.0 });
    never.settings.cancel = Cancel::Never;
    assert!(scene.plan(&never).cancel.is_empty());
    let mut free = scene.clone();
    free.agents = vec![AgentView { phase: Phase::Idle, ..talking }; 3];
    assert!(free.plan(&trained(CapMode::Guarded { z: 1.0 })).cancel.is_empty());
}

#[test]
fn what_is_learned_is_small_and_survives_a_restart() {
    let mut pacer = trained(CapMode::Guarded { z: 1.0 });
    let scene = Scene {
        agents: vec![AgentView { phase: Phase::Talking, since: NOON - Millis::from_secs(50), share_pct: 100 }; 30],
        calls: vec![CallView::dialed(0, NOON - Millis::from_secs(4)); 5],
        served: 3000,
        given_up: 10,
        limits: Limits::open(),
    };
    let before = scene.plan(&pacer);
    let bytes = pacer.checkpoint();
    assert!(bytes.len() < 64 * 1024, "{} bytes", bytes.len());
    let mut again = Predictive::new(&pacer.settings);
    assert_ne!(scene.plan(&again), before, "a pacer that knows nothing plans otherwise");
    again.restore(&bytes);
    assert_eq!(scene.plan(&again), before);
    for junk in [&b""[..], b"{}", b"[1,2", &bytes[..bytes.len() / 2]] {
        again.restore(junk);
        again.absorb(junk);
    }
    assert_eq!(scene.plan(&again), before, "bytes that cannot be read change nothing");

    // Two nodes: each takes the other's news; both end up knowing the same.
    let _ = pacer.take_delta();
    let mut other = pacer.clone();
    let news = |p: &mut Predictive, n: i64| {
        for i in 0..n {
            p.observe(Observation::Talk { class: 0, took: Millis::from_secs(i * 13 % 100) }, NOON);
        }
        p.take_delta()
    };
    let (a, b) = (news(&mut pacer, 40), news(&mut other, 25));
    pacer.absorb(&b);
    other.absorb(&a);
    let ends = |p: &Predictive| (p.learned.talks() * 10.0).round();
    assert!((ends(&pacer) - ends(&other)).abs() <= 20.0, "{} {}", ends(&pacer), ends(&other));
    assert!(ends(&pacer) > ends(&trained(CapMode::Strict)) + 500.0);
}

#[test]
fn talks_still_going_on_count_as_exposure() {
    let settings = Settings::predictive(0.03);
    let mut pacer = Predictive::new(&settings);
    // Ten short talks have ended; forty have been going on for five minutes.
    for _ in 0..10 {
        pacer.observe(Observation::Talk { class: 0, took: Millis::from_secs(20) }, NOON);
    }
    let scene = |age_s: i64, n: usize| Scene {
        agents: vec![AgentView { phase: Phase::Talking, since: NOON - Millis::from_secs(age_s), share_pct: 100 }; n],
        calls: Vec::new(),
        served: 1000,
        given_up: 0,
        limits: Limits::open(),
    };
    let freed = |s: &Scene| s.plan(&pacer).why.free_soon / s.agents.len() as f32;
    // Seen alone, a young talk looks as if it ended soon; beside forty old ones it does not.
    let alone = freed(&scene(15, 1));
    let mut crowd = scene(300, 40);
    crowd.agents.push(AgentView { phase: Phase::Talking, since: NOON - Millis::from_secs(15), share_pct: 100 });
    let old_only = freed(&scene(300, 40)) * 40.0;
    let young_in_crowd = freed(&crowd) * 41.0 - old_only;
    assert!(young_in_crowd < 0.5 * alone, "{young_in_crowd} of {alone}");
}

#[test]
fn a_target_wait_holds_the_price_down() {
    let mut settings = Settings::predictive(0.03);
    settings.mode = Mode::Predictive { cap: 0.03, target_wait_s: Some(60.0) };
    let price = |settings: &Settings, idle: u32| {
        let mut p = Price::new();
        for i in 0..600 {
            if let Mode::Predictive { target_wait_s: Some(t), .. } = settings.mode {
                p.ease(NOON + Millis::from_secs(i * 5), idle, 1, f64::from(t));
            }
        }
        (p.price(50.0, price::Stock { target: 50.0, softness: 5.0 }), p.is_eased())
    };
    let (short, eased) = price(&settings, 2);
    assert!(eased && short < 0.002, "agents wait 10 s of 60: {short}");
    let (long, eased) = price(&settings, 20);
    assert!(!eased && long > 0.01, "agents wait 100 s of 60: {long}");
}

fn counted(live: i32) -> Ledger {
    let mut l = Ledger::new(day(), &crate::pacing::LedgerRules::default());
    let counts = CountsDelta { live, ..CountsDelta::default() };
    l.apply(&LedgerDelta { counts, ..LedgerDelta::at(day()) });
    l
}

#[test]
fn the_stock_grows_with_the_window_and_the_price_with_what_is_left_above_it() {
    let rules = crate::pacing::LedgerRules::default();
    let mut p = Price::new();
    // A young window keeps 0.8 and a third of what came in; an old one a stock of its own.
    let young = p.stock(&counted(100), &rules, day(), 0.0);
    assert!((young.target - (0.8 + 0.35 * 3.0)).abs() < 1e-9 && young.softness == 2.0, "{young:?}");
    assert_eq!(p.stock(&counted(100), &rules, day(), 4.0).target, young.target + 4.0);
    let old = p.stock(&counted(9000), &rules, day(), 0.0);
    assert!((old.softness - 4.5).abs() < 1e-9 && (old.target - (4.5 * 1.3 + 1.5)).abs() < 1e-9, "{old:?}");
    let huge = p.stock(&counted(900_000), &rules, day(), 0.0);
    assert_eq!(huge.softness, 12.0);
    // What a day will bring is known from the days before.
    p.day_answers = 9000.0;
    assert!((p.stock(&counted(100), &rules, day(), 0.0).softness - 4.5).abs() < 1e-9);
    let rolling = crate::pacing::LedgerRules { per_day: false, per_period: false, rolling_hours: Some(12), ..rules };
    assert!((p.stock(&counted(100), &rolling, day(), 0.0).softness - 2.25).abs() < 1e-9, "half a day's worth");

    let at = |left: f64| Price::new().price(left, old);
    assert!((at(old.target) - 0.014).abs() < 1e-9, "the level itself where the stock is met");
    assert!((at(old.target + old.softness) / at(old.target) - std::f64::consts::E).abs() < 1e-9);
    assert!(at(0.0) < at(old.target) && at(-500.0) >= 0.0005);
    assert!((at(1e6) / at(old.target) - 3.0_f64.exp()).abs() < 1e-6, "bounded above");
}

#[test]
fn the_level_rises_while_the_budget_is_unspent_and_falls_when_it_is_overspent() {
    let stock = price::Stock { target: 5.0, softness: 2.0 };
    let after = |left: f64, binding: bool| {
        let mut p = Price::new();
        (0..100).for_each(|_| p.learn(left, stock, 3, binding));
        p.ln_level - Price::new().ln_level
    };
    // A softness above the target moves it by one softness's worth in 150 answers per softness.
    assert!((after(7.0, true) - 1.0).abs() < 1e-9, "{}", after(7.0, true));
    assert!((after(3.0, true) + 1.0).abs() < 1e-9);
    assert_eq!(after(7.0, false), 0.0, "unspent for another reason than the price: that teaches nothing");
    assert!(after(3.0, false) < 0.0);
    assert!((after(1e9, true) - ((0.3_f64).ln() - (0.014_f64).ln())).abs() < 1.1, "bounded");

    let mut p = Price::new();
    assert_eq!(p.follow(&counted(40), day()), 40);
    assert_eq!(p.follow(&counted(55), day()), 15);
    let later = |days: i64| DayKey::with_offset(NOON + Millis::from_hours(24 * days), 0);
    let mut l = counted(55);
    let counts = CountsDelta { live: 155, ..CountsDelta::default() };
    l.apply(&LedgerDelta { counts, ..LedgerDelta::at(later(1)) });
    assert_eq!(p.follow(&l, later(1)), 155);
    assert_eq!(p.day_answers, 55.0, "the first day is taken as it was");
    p.follow(&l, later(2));
    assert!((p.day_answers - (0.7 * 55.0 + 0.3 * 155.0)).abs() < 1e-9);
}

#[test]
fn tables_forget_scale_and_add_up() {
    use super::bins::{SPAN_EDGES, Table, add_running};
    let add = |t: &mut Table, age: f32, hit: Option<bool>| t.add(&SPAN_EDGES, span_bin(age), age, hit, 100.0);
    let mut t = Table::new(SPAN_BINS);
    add(&mut t, 5.0, Some(true));
    let w = t.weight;
    assert!((w - 1.01).abs() < 1e-6);
    let exposure = |t: &Table| (0..4).map(|b| t.exposure[b] / t.weight).collect::<Vec<_>>();
    let lived = exposure(&t);
    let want = [2.0, 2.0, 1.0, 0.0];
    assert!(lived.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5), "half of the third bin: {lived:?}");
    assert_eq!((t.hit[2] / t.weight, t.other[2], t.facts / t.weight), (1.0, 0.0, 1.0));
    add(&mut t, 3.0, Some(false));
    add(&mut t, 1.0, None);
    assert!((t.other[1] / t.weight * 1.01 - 1.0).abs() < 1e-5);
    assert!(t.hit[2] / t.weight < 0.99 && t.facts / t.weight > 2.9 && t.facts / t.weight < 3.0);
    // Thousands of facts later the weight has been brought back and nothing is lost.
    (0..5000).for_each(|_| add(&mut t, 5.0, Some(true)));
    assert!(t.weight < 1e4 && t.is_sound(SPAN_BINS));
    assert!((t.facts / t.weight - 101.0).abs() < 1.0, "a hundred are remembered: {}", t.facts / t.weight);
    let (mut a, b) = (Table::new(SPAN_BINS), t.clone());
    a.absorb(&b);
    assert!((a.facts / a.weight - b.facts / b.weight).abs() < 1e-2);
    a.exposure[0] = f32::NAN;
    assert!(!a.is_sound(SPAN_BINS) && !b.is_sound(SPAN_BINS + 1));
    let mut negative = b.clone();
    negative.hit[0] = -1.0;
    assert!(!negative.is_sound(SPAN_BINS));

    let mut running = Running::<SPAN_BINS>::new();
    running.add(&SPAN_EDGES, span_bin(5.0), 5.0, 0.5);
    let mut lived = [0.0; SPAN_BINS];
    add_running(&SPAN_EDGES, &running, &mut lived);
    assert_eq!(lived[..4], [1.0, 1.0, 0.5, 0.0], "half a talk of five seconds");
    for (age, bin) in [
        (-1.0, 0),
        (0.0, 0),
        (0.99, 0),
        (31.0, 31),
        (31.99, 31),
        (32.0, 32),
        (33.9, 32),
        (34.0, 33),
        (119.0, 44),
        (999.0, 44),
    ] {
        assert_eq!(ring_bin(age), bin, "{age}");
    }
    for (age, bin) in [(0.0, 0), (1.9, 0), (2.0, 1), (5000.0, 39), (99_999.0, 39)] {
        assert_eq!(span_bin(age), bin, "{age}");
    }
}

#[test]
fn classes_are_told_apart_and_the_unknown_ones_go_by_all() {
    let mut p = Predictive::new(&Settings::predictive(0.03));
    for i in 0..2000_i64 {
        let class = (i % 2) as Class;
        let person = if class == 0 { i % 20 == 0 } else { i % 5 < 3 };
        let after = Millis::from_ms(if person { 6000 + i * 37 % 1000 } else { 25_000 });
        let result = if person { DialResult::Person } else { DialResult::Nobody };
        p.observe(Observation::Dial { class, result, picked_up_after: person.then_some(after), after }, NOON);
    }
    let answer = |class: Class| {
        let ledger = counted(2000);
        let view = View {
            agents: &[AgentView { phase: Phase::Idle, since: NOON, share_pct: 100 }; 3],
            calls: &[],
            next_classes: &[class],
            limits: Limits::open(),
            ledger: &ledger,
            day: day(),
            transfer: Transfer::Standing,
        };
        p.clone().plan(&view, NOON).why.answer
    };
    assert!((answer(0) - 0.1).abs() < 0.04, "{}", answer(0));
    assert!((answer(1) - 0.6).abs() < 0.06, "{}", answer(1));
    assert!((answer(9) - 0.35).abs() < 0.05, "never dialled: as all together, {}", answer(9));
    assert_eq!(answer(400), answer(15), "classes beyond the last share it");
}

#[test]
fn detection_delays_answers_and_machines_are_not_people() {
    let mut p = Predictive::new(&Settings::predictive(0.03));
    // Half of those who pick up are people; the verdict takes three seconds.
    for i in 0..1200_i64 {
        let result = if i % 2 == 0 { DialResult::Person } else { DialResult::Nobody };
        let up = Millis::from_secs(6);
        p.observe(
            Observation::Dial { class: 0, result, picked_up_after: Some(up), after: up + Millis::from_secs(3) },
            NOON,
        );
    }
    let soon = |answered_s: Option<i64>| {
        let mut call = CallView::dialed(0, NOON - Millis::from_secs(10));
        call.answered_at = answered_s.map(|s| NOON - Millis::from_secs(s));
        let ledger = counted(2000);
        let view = View {
            agents: &[],
            calls: &[call; 10],
            next_classes: &[0],
            limits: Limits::open(),
            ledger: &ledger,
            day: day(),
            transfer: Transfer::Standing,
        };
        p.clone().plan(&view, NOON).why.answers_soon / 10.0
    };
    assert!((soon(Some(1)) - 0.5).abs() < 0.1, "picked up a second ago: even odds, {}", soon(Some(1)));
    assert!(soon(Some(60)) < 0.6, "{}", soon(Some(60)));
    assert_eq!(p.learned.verdict_mean_s().round(), 3.0);
}
