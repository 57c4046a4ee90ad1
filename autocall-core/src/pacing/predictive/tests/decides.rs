//! How much risk is seen, how much is taken, and which calls are let go.

use super::*;
use crate::pacing::LedgerRules;
use crate::pacing::predictive::model::LOOKS;

/// The binomial law.
fn binomial(n: u32, chance: f64) -> Vec<f64> {
    let mut law = vec![1.0];
    for _ in 0..n {
        let mut next = vec![0.0; law.len() + 1];
        for (j, p) in law.iter().enumerate() {
            next[j] += p * (1.0 - chance);
            next[j + 1] += p * chance;
        }
        law = next;
    }
    law
}
/// `P(answers - freed >= need)`.
fn outrun(answers: &[f64], freed: &[f64], need: i64) -> f64 {
    let at_least = |j: i64| answers.iter().skip(j.max(0) as usize).sum::<f64>();
    freed.iter().enumerate().map(|(i, m)| m * at_least(need + i as i64)).sum()
}
/// `calls` calls in flight and five agents at work, each look further than the one before; a new dial is like
/// those in flight.
fn outlook(calls: f64, need: i64) -> Outlook {
    let mut o = Outlook { need, ..Outlook::default() };
    for k in 0..LOOKS {
        let more = (k + 1) as f64;
        o.answers[k].add(calls, 0.05 * more);
        o.freed[k].add(5.0, 0.04 * more);
        o.next[k] = 0.05 * more;
    }
    o
}
/// The same risk from whole laws: the chance that the next dial meets nobody, and the people lost in flight.
fn exact_risk(calls: u32, need: i64) -> (f64, f64) {
    let (mut miss, mut loss, mut before) = (0.0, 0.0, 0.0);
    for k in 1..=LOOKS {
        let m = outrun(&binomial(calls, 0.05 * k as f64), &binomial(5, 0.04 * k as f64), need);
        let due = f64::from(calls) * 0.05 * k as f64;
        (miss, loss, before) = (miss + m, loss + (due - before) * m, due);
    }
    (miss / LOOKS as f64, loss)
}
fn agents(phase: Phase, n: usize, since_s: i64) -> Vec<AgentView> {
    vec![AgentView { phase, since: NOON - Millis::from_secs(since_s), share_pct: 100 }; n]
}
fn view<'a>(agents: &'a [AgentView], calls: &'a [CallView], ledger: &'a Ledger) -> View<'a> {
    let (limits, transfer) = (Limits::open(), Transfer::Standing);
    View { agents, calls, next_classes: &[0], limits, ledger, day: day(), transfer }
}
fn guarded() -> Predictive {
    trained(CapMode::Guarded { z: 1.0 })
}

#[test]
fn the_risk_is_that_of_the_whole_laws() {
    let mut laws = Laws::new();
    for need in [-1, 0, 2, 4] {
        laws.clear();
        for more in [0, 1, 5] {
            let r = outlook(6.0, need).risk(more, 1.0, &mut laws);
            let (miss, loss) = exact_risk(6 + more, need);
            assert!((r.miss - miss).abs() < 1e-9 && (r.loss - loss).abs() < 1e-9, "{need} {more}: {r:?}");
        }
    }
    laws.clear();
    let r = outlook(6.0, 2).risk(5, 0.001, &mut laws);
    assert!(r.miss > 0.001 && r.miss <= exact_risk(11, 2).0, "it stops once that is too much: {r:?}");
}

#[test]
fn the_wish_is_the_most_that_price_and_ledger_bear() {
    for mode in [CapMode::Guarded { z: 2.0 }, CapMode::Guarded { z: 0.5 }, CapMode::Strict] {
        let z = if let CapMode::Guarded { z } = mode { f64::from(z) } else { 0.0 };
        let mut pacer = trained(mode);
        let risks: Vec<(f64, f64)> = (0..=41).map(|more| exact_risk(6 + more, 3)).collect();
        for (price, left) in [(0.01, 50.0), (0.1, 50.0), (0.3, 50.0), (0.3, 0.5), (0.9, 1.5), (0.9, 4.0), (1.0, 1e9)] {
            let o = outlook(6.0, 3);
            let bears = |m: u32| {
                let (miss, loss) = risks[m as usize - 1];
                let loss = loss + o.next[LOOKS - 1] * miss;
                if miss > price {
                    Err(Reason::Price)
                } else if loss + z * loss.sqrt() > left {
                    Err(Reason::Ledger)
                } else {
                    Ok(())
                }
            };
            for (floor, most) in [(0, 40), (2, 40), (0, 4), (3, 3)] {
                pacer.laws.clear();
                let (wish, reason, miss) = pacer.wish(&o, floor, most, price, left);
                let wanted = (floor + 1..=most).find(|m| bears(*m).is_err()).map_or(most, |m| m - 1);
                assert_eq!(wish, wanted, "{mode:?} {price} {left} {floor}..={most}");
                match bears(wish + 1) {
                    Err(why) if wish < most => {
                        assert_eq!(reason, why, "{mode:?} {price} {left}");
                        assert!(why == Reason::Ledger || miss > price);
                    }
                    _ => assert_eq!(wish, most),
                }
            }
        }
    }
}

#[test]
fn a_person_is_held_as_long_as_the_deadline_leaves() {
    let ledger = counted(0);
    let hold = |verdict_s: f32, lag: u32| {
        let mut p = Predictive::new(&Settings::predictive(0.03));
        (p.learned.verdict_s, p.learned.verdicts) = (verdict_s * 4.0, 4.0);
        let mut v = view(&[], &[], &ledger);
        v.limits.event_lag_ms = lag;
        p.hold_s(&v)
    };
    assert_eq!((hold(0.0, 0), hold(0.0, 500)), (2.0, 1.5));
    assert_eq!((hold(0.5, 500), hold(3.0, 0)), (1.0, 0.8), "a slow verdict is taken off up to 1.2 seconds");
    assert_eq!(hold(1.0, 5000), 0.0);
}

#[test]
fn a_list_is_short_when_one_call_for_each_agent_gets_through_it() {
    let ledger = counted(0);
    let pacer = Predictive::new(&Settings::predictive(0.03));
    let is_short = |agents: &[AgentView], left: Option<u32>, open_for_s: Option<u32>| {
        let mut v = view(agents, &[], &ledger);
        (v.limits.leads_left, v.limits.open_for_s) = (left, open_for_s);
        pacer.is_short(&v)
    };
    // Nothing is known yet: a lead is used up every 20 seconds, so that ten agents do 450 in 900 of 1000 seconds.
    let mut ten = agents(Phase::Talking, 10, 5);
    assert!(is_short(&ten, Some(449), Some(1000)) && !is_short(&ten, Some(450), Some(1000)));
    assert!(is_short(&ten, Some(1619), None) && !is_short(&ten, Some(1620), None), "an hour where nobody says");
    assert!(!is_short(&ten, None, Some(1000)));
    ten.extend(agents(Phase::Leaving, 10, 5));
    assert!(!is_short(&ten, Some(450), Some(1000)), "who leaves calls nobody any more");
    ten.extend(agents(Phase::Idle, 2, 5).iter().map(|a| AgentView { share_pct: 50, ..*a }));
    assert!(is_short(&ten, Some(494), Some(1000)) && !is_short(&ten, Some(495), Some(1000)), "two halves are one");
    ten.iter_mut().for_each(|a| a.share_pct = 250);
    assert!(!is_short(&ten, Some(540), Some(1000)), "nobody is more than one");
}

#[test]
fn the_tables_are_made_again_every_quarter_of_a_minute() {
    let ledger = counted(0);
    let ringing = CallView::dialed(2, NOON - Millis::from_secs(4));
    let answered = CallView { answered_at: Some(NOON), ..ringing };
    let talking = [agents(Phase::Talking, 2, 100), agents(Phase::WrapUp, 1, 3), agents(Phase::Idle, 1, 3)].concat();
    let mut p = guarded();
    p.refresh(&view(&talking, &[ringing, ringing, answered], &ledger), NOON);
    let count = |r: &Running<RING_BINS>| r.count.iter().sum::<f32>();
    assert_eq!([2, CLASSES_MAX, 0].map(|c| count(&p.dials[c])), [2.0, 2.0, 0.0], "picked up: no dial any more");
    assert_eq!((p.dials[2].count[4], p.dials[2].partial[4]), (2.0, 0.0), "four seconds old");
    let known = p.people;
    assert!(known > 150.0 && p.talks_seen > 150.0);
    let learn = |p: &mut Predictive| p.learned.dials[CLASSES_MAX].hit[7] *= 2.0;
    for (later_ms, again) in [(0, false), (14_999, false), (15_000, true), (-1, true)] {
        let mut q = p.clone();
        learn(&mut q);
        q.refresh(&view(&talking, &[], &ledger), NOON + Millis::from_ms(later_ms));
        assert_eq!(q.people != known, again, "{later_ms}");
        assert_eq!(count(&q.dials[2]) == 0.0, again, "{later_ms}");
        // Agents are looked at each time.
        assert_eq!((q.talks.count.iter().sum::<f32>(), q.wraps.count.iter().sum::<f32>()), (2.0, 1.0));
    }
    let shared: Vec<AgentView> =
        [50, 250].map(|share_pct| AgentView { share_pct, ..agents(Phase::Talking, 1, 100)[0] }).into();
    p.refresh(&view(&shared, &[], &ledger), NOON);
    assert_eq!(p.talks.count[span_bin(100.0)], 1.5);
}

#[test]
fn the_outlook_counts_whoever_may_answer_or_be_freed_and_doubts_what_is_little_known() {
    let ledger = counted(0);
    let at = |s: i64| NOON - Millis::from_secs(s);
    let ringing = CallView::dialed(0, at(4));
    let calls = [
        ringing,
        CallView { answered_at: Some(at(1)), ..ringing },
        CallView { agent_reserved: true, ..ringing },
        CallView { answered_at: Some(at(1)), waiting_since: Some(NOON), ..ringing },
    ];
    let all = [agents(Phase::Talking, 3, 100), agents(Phase::WrapUp, 2, 1), agents(Phase::Idle, 4, 9)].concat();
    let mut p = guarded();
    let mut v = view(&all, &calls, &ledger);
    v.next_classes = &[0, 7, 0, 7];
    p.refresh(&v, NOON);
    (p.people, p.talks_seen) = (96.0, 221.0);
    let o = p.outlook(&v, NOON);
    assert_eq!(o.need, 3, "four free, one waiting");
    for k in 0..LOOKS {
        let m = &p.model;
        let (soon, verdict) = (f64::from(m.curve(0).soon[4][k]), f64::from(m.verdict[span_bin(1.0)][k]));
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        // A standard error and a half of 100 and of 225.
        assert!(close(o.answers[k].mean, 1.15 * (soon + verdict)), "{k}");
        let var = soon * (1.0 - soon) + verdict * (1.0 - verdict);
        assert!(close(o.answers[k].var, 1.15 * var), "{k}");
        let (talk, wrap) = (f64::from(m.talk_frees[span_bin(100.0)][k]), f64::from(m.wrap_frees[span_bin(1.0)][k]));
        assert!(close(o.freed[k].mean, 0.9 * (3.0 * talk + 2.0 * wrap)), "{k}");
        assert!(close(o.next[k], (1.15 * f64::from(m.curve(0).fresh[k])).min(1.0)), "class 7 goes by all: {k}");
    }
    v.next_classes = &[];
    assert_eq!(p.outlook(&v, NOON).next, o.next, "where the next is not known, as all together");
    p.people = 0.0;
    assert!(p.outlook(&v, NOON).next.iter().all(|c| *c <= 1.0));
}

#[test]
fn only_as_many_calls_are_let_go_as_would_meet_nobody() {
    let ledger = counted(0);
    let at = |ms: i64| NOON - Millis::from_ms(ms);
    let ringing = |ms: i64| CallView { ringing_at: Some(at(ms)), ..CallView::dialed(0, at(ms)) };
    let let_go = |calls: &[CallView], o: &Outlook, price: f64, left: Option<u32>| {
        let mut p = guarded();
        let ten = agents(Phase::Talking, 10, 5);
        let mut v = view(&ten, calls, &ledger);
        v.limits.leads_left = left;
        p.refresh(&v, NOON);
        let mut plan = bounded(&v, NOON, 0, Why::new(Reason::Price, &v));
        p.let_go(&v, NOON, o, price, &mut plan);
        plan.cancel.to_vec()
    };
    // Answers by the second look: that the one free agent is outrun has this chance.
    let due = |chance: f64| {
        let mut o = Outlook { need: 1, ..Outlook::default() };
        o.answers[1].add(1.0, chance);
        o
    };
    let old = [ringing(20_000)];
    assert_eq!(let_go(&old, &due(0.51), 0.01, None), [0]);
    assert!(let_go(&old, &due(0.49), 0.01, None).is_empty(), "more likely than not there is somebody");
    assert!(let_go(&old, &due(0.75), 0.01, Some(5)).is_empty(), "of a short list nobody is given up so soon");
    assert_eq!(let_go(&old, &due(0.85), 0.01, Some(5)), [0]);
    assert!(let_go(&old, &due(0.75), 0.2, None).is_empty(), "a high price bears as much");
    assert_eq!(let_go(&old, &due(0.85), 0.2, None), [0]);
    let sure = due(1.0);
    // Fifteen seconds of ringing; where the carrier does not say when it rang, six more.
    assert!(let_go(&[ringing(14_999)], &sure, 0.01, None).is_empty());
    assert_eq!(let_go(&[ringing(15_000)], &sure, 0.01, None), [0]);
    assert!(let_go(&[CallView::dialed(0, at(20_999))], &sure, 0.01, None).is_empty());
    assert_eq!(let_go(&[CallView::dialed(0, at(21_000))], &sure, 0.01, None), [0]);
    let kept = [
        CallView { answered_at: Some(NOON), ..old[0] },
        CallView { agent_reserved: true, ..old[0] },
        ringing(3_000),
        old[0],
    ];
    assert_eq!(let_go(&kept, &sure, 0.01, None), [3]);
    let mut hopeless = Outlook { need: -50, ..Outlook::default() };
    hopeless.answers[1].add(40.0, 0.5);
    let many: Vec<u32> = (0..16).collect();
    assert_eq!(let_go(&[old[0]; 20], &hopeless, 0.01, None), many, "no more than sixteen in one look");
    // Each that is let go takes its own chance of an answer off.
    let mut crowd = Outlook { need: 2, ..Outlook::default() };
    let chance = {
        let mut p = guarded();
        p.refresh(&view(&[], &[], &ledger), NOON);
        f64::from(p.model.curve(0).soon[ring_bin(20.0)][1])
    };
    crowd.answers[1].add(12.0, 0.2);
    let gone = let_go(&[old[0]; 12], &crowd, 0.01, None).len();
    let still = |gone: usize| {
        let off = gone as f64 * chance;
        let left = Moments { mean: crowd.answers[1].mean - off, var: crowd.answers[1].var - off };
        Laws::<LOOKS>::new().miss(1, left, Moments::default(), 2)
    };
    assert!(gone == 12 || still(gone) < 0.5, "{gone}");
    assert!(gone > 0 && still(gone - 1) >= 0.5, "{gone} {}", still(gone - 1));
}

#[test]
fn spare_agents_are_kept_for_each_person_whom_the_first_one_lets_pass() {
    let ledger = counted(0);
    let dial = |idle: usize, accept: [usize; 2], calls: usize| {
        let mut p = guarded();
        for (n, accepted) in accept.into_iter().zip([true, false]) {
            for _ in 0..n {
                p.observe(Observation::Connect { took: Millis::from_secs(4), accepted }, NOON);
            }
        }
        let (free, calls) = (agents(Phase::Idle, idle, 5), vec![CallView::dialed(0, NOON); calls]);
        let plan = p.plan(&View { transfer: Transfer::OnDemand, ..view(&free, &calls, &ledger) }, NOON);
        (plan.dial, plan.why)
    };
    let (_, why) = dial(100, [200, 200], 0);
    let (answer, accept) = (f64::from(why.answer), f64::from(why.accept));
    let wanted = (100.0 / (1.0 + answer * (1.0 - accept) / accept)) as u32;
    assert_eq!(dial(100, [200, 200], 0).0, wanted);
    assert_eq!(dial(100, [200, 200], 30).0, wanted - 30);
    assert!((7.5..8.5).contains(&why.connect_s), "each yes takes two rings of four seconds: {}", why.connect_s);
    // Hardly anybody says yes: the answer rate is divided by a twentieth at least.
    let (few, why) = dial(100, [0, 2000], 0);
    let wanted = (100.0 / (1.0 + f64::from(why.answer) * (1.0 - f64::from(why.accept)) / 0.05)) as u32;
    assert_eq!(few, wanted);
    assert_eq!(dial(1, [0, 2000], 0).0, 1, "one agent gets a call all the same");
    assert_eq!((dial(1, [0, 2000], 1).0, dial(0, [0, 0], 0).0), (0, 0));
}

#[test]
fn calls_beyond_free_agents_stay_in_proportion_to_budget_and_knowledge() {
    // Two hundred agents are about to be free, so that neither price nor guard binds.
    let all = [agents(Phase::Idle, 2, 5), agents(Phase::WrapUp, 200, 1)].concat();
    let dial = |people: u32, live: i32| {
        let mut p = Predictive::new(&Settings::predictive(0.03));
        for _ in 0..people {
            let up = Millis::from_secs(8);
            let seen = Observation::Dial { class: 0, result: DialResult::Person, picked_up_after: Some(up), after: up };
            p.observe(seen, NOON);
        }
        for _ in 0..300 {
            p.observe(Observation::WrapUp { took: Millis::from_secs(2) }, NOON);
        }
        let ledger = counted(live);
        p.plan(&view(&all, &[], &ledger), NOON).dial
    };
    // Of 100 answers three may be abandoned, and one is lent.
    assert_eq!(dial(0, 100), 2 + 4);
    assert_eq!(dial(0, 200), 2 + 7);
    assert_eq!(dial(5, 100), 2 + 7, "five people seen are worth another budget: a hair less, as they fade");
}

#[test]
fn a_strict_ledger_is_never_passed_and_its_stock_is_learned_slowly() {
    let all = [agents(Phase::Idle, 5, 5), agents(Phase::WrapUp, 40, 1)].concat();
    let calls = vec![CallView::dialed(0, NOON - Millis::from_secs(3)); 4];
    let plan = |live: i32, open: u32| {
        let mut p = trained(CapMode::Strict);
        let mut ledger = counted(live);
        ledger.apply(&LedgerDelta::dialed(day(), open));
        let plan = p.plan(&view(&all, &calls, &ledger), NOON);
        (plan, p.strict_need)
    };
    let (wide, need) = plan(100_000, 0);
    assert!(wide.dial > 20 && wide.why.reason != Reason::Ledger, "{}", wide.why);
    assert!((need - 0.002 * (4.0 + f64::from(wide.dial) - 5.0)).abs() < 1e-9, "{need}");
    // What was learned before moves by the five hundredth part of the difference.
    let (mut p, ledger) = (trained(CapMode::Strict), counted(100_000));
    p.strict_need = 100.0;
    let dial = p.plan(&view(&all, &calls, &ledger), NOON).dial;
    assert!((p.strict_need - (100.0 + 0.002 * (f64::from(dial) - 1.0 - 100.0))).abs() < 1e-9, "{}", p.strict_need);
    // Twelve answers' worth of budget: (12 + 5) / 0.97 calls may be open, on whichever node.
    let (tight, _) = plan(400, 0);
    assert_eq!((tight.dial, tight.why.reason), (17 - 4, Reason::Ledger));
    assert_eq!(plan(400, 10).0.dial, 17 - 10, "other nodes' calls count");
    assert_eq!(plan(400, 60).0.dial, 1, "never below one call for each free agent");
}

#[test]
fn the_next_look_comes_when_the_carrier_takes_another_call() {
    let all = agents(Phase::Idle, 9, 5);
    let ledger = counted(1000);
    let next = |rate: u32, now: u32| {
        let mut v = view(&all, &[], &ledger);
        (v.limits.dials_per_s_milli, v.limits.dials_now) = (rate, now);
        (guarded().plan(&v, NOON).next_look - NOON).ms()
    };
    assert_eq!((next(2000, 1), next(4000, 0)), (500, 250));
    assert_eq!((next(500, 1), next(0, 1)), (1000, 1000), "once a second all the same");
    assert_eq!(next(200_000, 1), 10, "not more often than a hundred times a second");
    assert_eq!(next(2000, 900), 1000, "nothing is held back");
}

#[test]
fn differences_from_the_tables_count_once_enough_people_were_seen() {
    let ledger = counted(1000);
    let drift_after = |people: f64| {
        let mut p = guarded();
        p.plan(&view(&[], &[], &ledger), NOON);
        p.people = people;
        (p.learned.drift_expected, p.fresh.drift_expected) = (0.0, 0.0);
        let seen = Observation::Dial {
            class: 0,
            result: DialResult::Nobody,
            picked_up_after: None,
            after: Millis::from_secs(20),
        };
        p.observe(seen, NOON);
        let due = p.model.curve(0).expected(20.0);
        assert!(due > 0.1 && (p.learned.drift_expected == 0.0 || p.learned.drift_expected == due));
        assert_eq!(p.learned.drift_expected, p.fresh.drift_expected);
        p.learned.drift_expected
    };
    assert_eq!(drift_after(24.9), 0.0);
    assert!(drift_after(25.0) > 0.0);
}

#[test]
fn a_price_that_a_target_wait_holds_down_does_not_raise_the_level() {
    let all = [agents(Phase::Idle, 1, 5), agents(Phase::Talking, 60, 40)].concat();
    let run = |target_wait_s: Option<f32>| {
        let mut p = guarded();
        p.settings.mode = Mode::Predictive { cap: 0.03, target_wait_s };
        let before = p.price.ln_level;
        let mut last = Reason::Progressive;
        for i in 1..=150 {
            let ledger = counted(2000 + 5 * i);
            last = p.plan(&view(&all, &[], &ledger), NOON + Millis::from_secs(i64::from(i))).why.reason;
        }
        (p.price.ln_level - before, last)
    };
    let (free, reason) = run(None);
    assert!(free > 0.2 && reason == Reason::Price, "{free} {reason:?}");
    let (held, reason) = run(Some(600.0));
    assert!(held < 0.7 * free && reason == Reason::TargetWait, "{held} {reason:?}");
}

#[test]
fn a_checkpoint_is_taken_up_within_bounds_and_only_if_it_is_sound() {
    let mut p = guarded();
    (p.price.ln_level, p.price.day_answers) = (-3.0, 500.0);
    let saved = String::from_utf8(p.checkpoint()).expect("text");
    let restored = |from: &str, to: &str| {
        assert!(saved.contains(from), "{from}");
        let mut q = Predictive::new(&Settings::predictive(0.03));
        q.fresh.verdicts = 5.0;
        q.made_at = Some(NOON);
        let cold = q.price.ln_level;
        q.restore(saved.replace(from, to).as_bytes());
        (q.price.ln_level != cold).then_some((q.price.ln_level, q.price.day_answers, q.fresh.verdicts, q.made_at))
    };
    assert_eq!(restored("{", "{"), Some((-3.0, 500.0, 0.0, None)));
    assert_eq!(restored("\"ln_level\":-3.0", "\"ln_level\":-30.0").map(|r| r.0), Some(-8.0));
    assert_eq!(restored("\"ln_level\":-3.0", "\"ln_level\":3.0").map(|r| r.0), Some(0.0));
    assert_eq!(restored("\"ln_level\":-3.0", "\"ln_level\":null"), None);
    assert_eq!(restored("\"day_answers\":500.0", "\"day_answers\":-1.0"), None);
    assert_eq!(restored("\"day_answers\":500.0", "\"day_answers\":1e9"), None);
    assert_eq!(restored("\"day_answers\":500.0", "\"day_answers\":0.0").map(|r| r.1), Some(0.0));
    assert_eq!(restored("\"verdicts\":", "\"verdicts\":-"), None, "less than nothing was learned");

    let delta = p.take_delta();
    let mut q = Predictive::new(&Settings::predictive(0.03));
    q.made_at = Some(NOON);
    q.absorb(&delta);
    assert!(q.made_at.is_none() && q.learned.talks() > 150.0);
    q.made_at = Some(NOON);
    q.absorb(String::from_utf8(delta).expect("text").replace("\"verdicts\":", "\"verdicts\":-").as_bytes());
    assert!(q.made_at.is_some(), "what is not sound is not taken up");
    assert_eq!(p.fresh.talks(), 0.0, "news are told once");
}

#[test]
fn a_campaign_narrows_the_cap_of_the_rules_and_never_widens_it() {
    let cap = |mode: f32, rules: f32| {
        let mut s = Settings::predictive(mode);
        s.ledger = LedgerRules { cap: rules, ..s.ledger };
        Predictive::new(&s).settings.ledger.cap
    };
    assert_eq!((cap(0.02, 0.03), cap(0.05, 0.03)), (0.02, 0.03));
}

#[test]
fn the_answer_rate_that_is_told_is_that_of_today() {
    let (all, ledger) = (agents(Phase::Idle, 3, 5), counted(1000));
    let told = |transfer: Transfer| {
        let mut p = guarded();
        (p.learned.drift_seen, p.learned.drift_expected) = (100.0, 25.0);
        let why = p.plan(&View { transfer, ..view(&all, &[], &ledger) }, NOON).why;
        (why.answer, 2.0 * p.model.curve(0).answer())
    };
    for transfer in [Transfer::Standing, Transfer::OnDemand] {
        let (answer, wanted) = told(transfer);
        assert!((answer - wanted).abs() < 1e-6 && answer > 0.4, "twice as many answer as the tables say: {answer}");
    }
}

#[test]
fn a_budget_of_a_fifth_of_an_abandonment_may_be_risked() {
    let all = [agents(Phase::Idle, 2, 5), agents(Phase::Talking, 20, 90)].concat();
    let reason = |answers: i32, lost: i32| {
        let mut settings = Settings::predictive(0.02);
        settings.ledger.misjudged = crate::pacing::Misjudged::Ignored;
        let mut ledger = counted(answers);
        let counts = CountsDelta { given_up: lost, ..CountsDelta::default() };
        ledger.apply(&LedgerDelta { counts, ..LedgerDelta::at(day()) });
        Predictive::new(&settings).plan(&view(&all, &[], &ledger), NOON).why.reason
    };
    assert_eq!(reason(9, 0), Reason::WarmingUp);
    assert!(!matches!(reason(10, 0), Reason::WarmingUp | Reason::BudgetSpent), "{:?}", reason(10, 0));
    assert_eq!((reason(9, 1), reason(10, 1)), (Reason::WarmingUp, Reason::BudgetSpent));
}
