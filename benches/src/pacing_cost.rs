//! What one decision costs, and how large the state is.

use crate::{Measurement, Opts};
use autocall_core::pacing::{
    AgentView, CallView, CountsDelta, DayKey, DialResult, Ledger, LedgerDelta, LedgerRules, Limits, Observation, Phase,
    Settings, Strategy, Transfer, View, strategy,
};
use autocall_core::{Millis, Timestamp};
use autocall_testkit::lab::law::Dice;
use std::hint::black_box;
use std::time::Instant;

const BENCH: &str = "pacing";
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Times plans over a crowd of agents and calls whose ages move on.
pub(crate) fn run(opts: &Opts) -> Vec<Measurement> {
    let mut rows = Vec::new();
    for (agents, goal_us) in [(10, 20.0), (100, 20.0), (1000, 200.0)] {
        let (median_us, checkpoint) = cost(agents, opts);
        let case = format!("decision n={agents}");
        rows.push(Measurement::lower(BENCH, &case, "decision_us", median_us, "µs").goal(goal_us));
        if agents == 1000 {
            rows.push(Measurement::lower(BENCH, "state", "checkpoint_bytes", checkpoint, "B").goal(65_536.0));
        }
    }
    let ledger = ledger();
    let bytes = serde_json::to_vec(&ledger).expect("plain data").len() as f64;
    rows.push(Measurement::lower(BENCH, "state", "ledger_bytes", bytes, "B").goal(1024.0));
    rows
}

fn day() -> DayKey {
    DayKey::with_offset(START, 0)
}

fn ledger() -> Ledger {
    let rules = LedgerRules { rolling_hours: Some(24), ..LedgerRules::default() };
    let mut l = Ledger::new(day(), &rules);
    let served = CountsDelta::from(<[i32; 7]>::from(CountsDelta::served()).map(|v| v * 60_000));
    let lost = CountsDelta::from(<[i32; 7]>::from(CountsDelta::given_up(true)).map(|v| v * 1790));
    l.apply(&LedgerDelta { counts: served, ..LedgerDelta::at(day()) });
    l.apply(&LedgerDelta { counts: lost, ..LedgerDelta::at(day()) });
    l
}

/// Median microseconds of a plan, and the checkpoint's bytes.
fn cost(agents: u32, opts: &Opts) -> (f64, f64) {
    let mut d = Dice::of(opts.seed, 77, u64::from(agents));
    let mut pacer = strategy(&Settings::predictive(0.03));
    teach(pacer.as_mut(), &mut d);
    let ledger = ledger();
    let mut agent_views: Vec<AgentView> = (0..agents)
        .map(|i| AgentView {
            phase: if i % 25 == 0 {
                Phase::Idle
            } else if i % 6 == 0 {
                Phase::WrapUp
            } else {
                Phase::Talking
            },
            since: START - Millis::from_ms((d.unit() * 200_000.0) as i64),
            share_pct: 100,
        })
        .collect();
    // One call in flight for three agents: a quarter answer, after about nine seconds.
    let call_views: Vec<CallView> =
        (0..agents / 3).map(|_| CallView::dialed(0, START - Millis::from_ms((d.unit() * 20_000.0) as i64))).collect();
    let rounds = opts.pick(400, 2000, 10_000);
    let mut times = Vec::with_capacity(rounds);
    let mut dialed = 0_u64;
    for i in 0..rounds {
        let now = START + Millis::from_ms(i as i64 * 150);
        let at = (d.unit() * f64::from(agents)) as usize % agent_views.len();
        agent_views[at].since = now;
        let view = View {
            agents: &agent_views,
            calls: &call_views,
            next_classes: &[0; 16],
            limits: Limits::open(),
            ledger: &ledger,
            day: day(),
            transfer: Transfer::Standing,
        };
        let t = Instant::now();
        let plan = black_box(pacer.plan(black_box(&view), now));
        times.push(t.elapsed().as_nanos() as f64 / 1000.0);
        dialed += u64::from(plan.dial);
    }
    assert!(dialed > 0, "a pacer with budget and free agents dials");
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], pacer.checkpoint().len() as f64)
}

fn teach(pacer: &mut dyn Strategy, d: &mut Dice) {
    for i in 0..6000 {
        let person = d.chance(0.25);
        let after = Millis::from_ms(if person { 4000 + (d.unit() * 9000.0) as i64 } else { 28_000 });
        let result = if person { DialResult::Person } else { DialResult::Nobody };
        let seen =
            Observation::Dial { class: (i % 16) as u16, result, picked_up_after: person.then_some(after), after };
        pacer.observe(seen, START);
        if person {
            pacer.observe(Observation::Talk { class: 0, took: Millis::from_ms((d.unit() * 240_000.0) as i64) }, START);
            pacer.observe(Observation::WrapUp { took: Millis::from_ms((d.unit() * 60_000.0) as i64) }, START);
        }
    }
}
