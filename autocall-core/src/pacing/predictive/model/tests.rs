//! What is learned, in worlds whose answer is known in closed form.

use super::*;

/// Facts of `dials` dials in a world of these hazards per second, as if each lived through every bin.
fn world(dials: f32, weight: f32, person: impl Fn(usize) -> f32, nobody: impl Fn(usize) -> f32) -> Table {
    let mut t = Table::new(RING_BINS);
    for b in 0..RING_BINS {
        let lived = dials * (RING_EDGES[b + 1] - RING_EDGES[b]) * weight;
        (t.exposure[b], t.hit[b], t.other[b]) = (lived, lived * person(b), lived * nobody(b));
    }
    (t.facts, t.weight) = (dials * weight, weight);
    t
}
/// Talks of that mean in the same way.
fn talks(n: f32, weight: f32, mean_s: f32) -> Table {
    let mut t = Table::new(SPAN_BINS);
    for b in 0..SPAN_BINS {
        let lived = n * (SPAN_EDGES[b + 1] - SPAN_EDGES[b]) * weight;
        (t.exposure[b], t.hit[b]) = (lived, lived / mean_s);
    }
    (t.facts, t.weight) = (n * weight, weight);
    t
}
fn learned(class: &Table, all: &Table, running: &Running<RING_BINS>) -> Curve {
    let mut curve = Curve::new();
    curve.learn(class, all, running);
    curve
}
fn alone(t: &Table) -> Curve {
    learned(t, t, &Running::new())
}
/// The hazard of a person in a bin of the curve.
fn hazard(c: &Curve, b: usize) -> f32 {
    (c.hazard[b + 1] - c.hazard[b]) / (RING_EDGES[b + 1] - RING_EDGES[b])
}
fn close(a: f32, b: f32, within: f32) -> bool {
    (a - b).abs() <= within
}
/// Chance of a person by age `t` where both hazards are constant.
fn person_by(t: f32, person: f32, nobody: f32) -> f32 {
    person / (person + nobody) * (1.0 - (-(person + nobody) * t).exp())
}

#[test]
fn constant_hazards_give_the_exponential_law() {
    for weight in [1.0, 7.0] {
        let c = alone(&world(1e5, weight, |_| 0.03, |_| 0.05));
        for (b, age) in RING_EDGES.into_iter().enumerate() {
            assert!(close(c.hazard[b], 0.03 * age, 1e-4 * age), "{age}");
            assert!(close(c.open[b], (-0.08 * age).exp(), 1e-4), "{age}");
            assert!(close(c.person[b], person_by(age, 0.03, 0.05), 1e-4), "{age}");
        }
        assert!(close(c.answer(), 0.375, 1e-3) && close(c.expected(10.5), 0.315, 1e-4));
        assert!(close(c.expected(500.0), 3.6, 1e-3), "what is older than the last edge counts as that");
    }
}

#[test]
fn people_who_answer_in_some_seconds_only_are_found_there() {
    // Between 5 and 10 seconds a person with hazard 0.2, nobody with 0.01; before and after nothing.
    let during = |hazard: f32| move |b: usize| if (5..10).contains(&b) { hazard } else { 0.0 };
    let c = alone(&world(1e5, 1.0, during(0.2), during(0.01)));
    assert!(close(c.person[5], 0.0, 1e-4) && close(c.open[5], 1.0, 1e-4));
    for age in 5..=10 {
        let t = age as f32 - 5.0;
        assert!(close(c.person[age], person_by(t, 0.2, 0.01), 1e-3), "{age}");
        assert!(close(c.open[age], (-0.21 * t).exp(), 1e-3), "{age}");
    }
    assert!(close(c.answer(), person_by(5.0, 0.2, 0.01), 1e-3));
    // The middles of six equal shares of those who answer.
    for (k, look) in c.looks().into_iter().enumerate() {
        let share = person_by(look - 5.0, 0.2, 0.01) / person_by(5.0, 0.2, 0.01);
        assert!(close(share, (k as f32 + 0.5) / 6.0, 8e-3), "{k}: {look}");
    }
}

#[test]
fn what_is_ahead_of_a_dial_depends_on_its_age() {
    let mut c = alone(&world(1e5, 1.0, |_| 0.02, |_| 0.06));
    let looks = c.looks();
    c.look_ahead(&looks, 1.0);
    for (k, look) in looks.into_iter().enumerate() {
        let wanted = person_by(look, 0.02, 0.06);
        assert!(close(wanted, 0.25 * (k as f32 + 0.5) / 6.0, 2e-3), "{k}: {look}");
        assert!(close(c.fresh[k], wanted, 1e-3));
        // A constant hazard has no memory: an old dial has as much ahead of it.
        for (b, soon) in c.soon.iter().enumerate().take(28) {
            assert!(close(soon[k], wanted, 0.02 * wanted), "{b} {k}: {} {wanted}", soon[k]);
        }
    }
    let before = c.clone();
    c.look_ahead(&looks, 1.5);
    for k in 0..LOOKS {
        assert!(close(c.fresh[k], 1.5 * before.fresh[k], 1e-6) && close(c.soon[9][k], 1.5 * before.soon[9][k], 1e-6));
    }
    c.look_ahead(&looks, 1e6);
    assert!(c.fresh.iter().chain(&c.soon[3]).all(|chance| *chance == 1.0), "a chance is at most one");

    // Everybody who will answer does so between 5 and 10 seconds.
    let mut c = alone(&world(1e5, 1.0, |b| if (5..10).contains(&b) { 0.2 } else { 0.0 }, |_| 0.0));
    c.look_ahead(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0], 1.0);
    let by = |t: f32| 1.0 - (-0.2 * t.clamp(0.0, 5.0)).exp();
    for (k, look) in [2.0, 4.0, 6.0, 8.0, 10.0, 12.0_f32].into_iter().enumerate() {
        assert!(close(c.fresh[k], by(look - 5.0), 2e-3), "{look}");
        assert!(close(c.soon[4][k], by(4.5 + look - 5.0), 6e-3), "{look}");
        // After seven seconds and a half those are left whom the first half did not bring.
        assert!(close(c.soon[7][k], 1.0 - (-0.2 * look.min(2.5)).exp(), 6e-3), "{look}: {}", c.soon[7][k]);
        assert!(close(c.soon[11][k], 0.0, 2e-3), "{look}");
    }
}

#[test]
fn a_class_counts_the_campaign_as_thirty_dials_of_its_own() {
    let none = Running::new();
    let campaign = |dials: f32, weight: f32| world(dials, weight, |_| 0.06, |_| 0.0);
    for weight in [1.0, 4.0] {
        let class = world(10.0, 2.0, |_| 0.0, |_| 0.0);
        // Of 270 dials, 27; of five, which are few themselves, a good two.
        for (dials, lent) in [(270.0, 27.0), (5.0, 75.0 / 35.0)] {
            let c = learned(&class, &campaign(dials, weight), &none);
            let wanted = 0.06 * lent / (10.0 + lent);
            assert!(close(hazard(&c, 3), wanted, 0.004 * wanted), "{dials}: {} {wanted}", hazard(&c, 3));
        }
    }
    // Nobody: the same lent share counts dials that ended so.
    let c = learned(&world(10.0, 1.0, |_| 0.0, |_| 0.0), &world(270.0, 1.0, |_| 0.0, |_| 0.06), &none);
    assert!(close(c.open[1], (-0.06_f32 * 27.0 / 37.0).exp(), 1e-4), "{}", c.open[1]);
}

#[test]
fn of_what_nothing_is_known_little_is_assumed() {
    let nothing = Table::new(RING_BINS);
    let c = alone(&nothing);
    for (b, age) in RING_EDGES.into_iter().enumerate() {
        assert!(close(c.person[b], person_by(age, 0.02, 0.04), 1e-4), "{age}");
    }
    // The assumption weighs as much as the fiftieth part of a dial.
    let c = learned(&world(0.02, 1.0, |_| 0.1, |_| 0.0), &nothing, &Running::new());
    assert!((0..RING_BINS).all(|b| close(hazard(&c, b), 0.06, 1e-4)));
    assert!(close(c.open[1], (-0.08_f32).exp(), 1e-4));
}

#[test]
fn dials_that_still_ring_count_as_time_without_an_answer() {
    let mut running = Running::new();
    (0..100).for_each(|_| running.add(&RING_EDGES, ring_bin(10.5), 10.5, 1.0));
    let class = world(100.0, 1.0, |_| 0.12, |_| 0.0);
    let c = learned(&class, &Table::new(RING_BINS), &running);
    for (b, wanted) in [(0, 0.06), (9, 0.06), (10, 0.08), (11, 0.12), (40, 0.12)] {
        assert!(close(hazard(&c, b), wanted, 1e-3), "{b}: {}", hazard(&c, b));
    }
}

#[test]
fn a_span_ends_by_its_hazard_and_an_unknown_one_by_the_mean_that_is_assumed() {
    let mut span = Span { hazard: [0.0; SPAN_BINS + 1] };
    let ends = |mean: f32, t: f32| 1.0 - (-t / mean).exp();
    span.learn(&Table::new(SPAN_BINS), None, 120.0);
    for (age, t) in [(0.0, 5.0), (7.0, 60.0), (300.0, 33.0)] {
        assert!(close(span.ends(age, t), ends(120.0, t), 1e-4), "{age} {t}");
    }
    for weight in [1.0, 8.0] {
        span.learn(&talks(1e5, weight, 60.0), None, 120.0);
        for (age, t) in [(0.0, 5.0), (1.0, 1.0), (7.0, 60.0), (-3.0, 10.0)] {
            assert!(close(span.ends(age, t), ends(60.0, t - age.min(0.0).abs()), 1e-3), "{age} {t}");
        }
        assert!(close(span.at(3.0), 0.05, 1e-4) && close(span.at(7200.0), 120.0, 0.1));
        assert_eq!(span.at(9000.0), span.at(7200.0), "nothing is known beyond two hours");
    }
    // Two talks, both of a second or so: each bin is lent one event at the mean's own hazard.
    let mut few = Table::new(SPAN_BINS);
    (few.exposure[0], few.hit[0], few.facts) = (2.0, 2.0, 2.0);
    span.learn(&few, None, 100.0);
    let mean = (2.0 + 200.0) / 4.0;
    assert!(close(span.at(2.0), 2.0 * 3.0 / (2.0 + mean), 1e-5));
    assert!(close(span.at(4.0) - span.at(2.0), 2.0 / mean, 1e-5));
    // A talk that goes on for five seconds has lived through two bins and a half.
    let mut running = Running::new();
    running.add(&SPAN_EDGES, span_bin(5.0), 5.0, 1.0);
    span.learn(&few, Some(&running), 100.0);
    let mean = (7.0 + 200.0) / 4.0;
    assert!(close(span.at(2.0), 2.0 * 3.0 / (4.0 + mean), 1e-5));
    assert!(close(span.at(6.0) - span.at(4.0), 2.0 / (1.0 + mean), 1e-5));
}

fn remade(l: &Learned, next: u16, hold_s: f32) -> Model {
    let (dials, spans) = (vec![Running::new(); CLASSES_MAX + 1], Running::new());
    let mut model = Model::new();
    model.remake(l, &RunningNow { dials: &dials, talks: &spans, wraps: &spans }, next, hold_s);
    model
}
fn campaign() -> Learned {
    let mut l = Learned::new();
    l.dials[0] = world(1e5, 1.0, |_| 0.02, |_| 0.06);
    l.dials[CLASSES_MAX] = world(1e5, 2.0, |_| 0.02, |_| 0.06);
    l.talk = talks(1e5, 3.0, 60.0);
    l
}

#[test]
fn agents_are_free_when_talk_and_wrap_up_have_ended() {
    for hold_s in [0.0, 1.5, 30.0] {
        let l = campaign();
        let m = remade(&l, 0, hold_s);
        for k in 0..LOOKS {
            let t = m.looks[k] + hold_s;
            for b in [0, 10, 20] {
                assert!(close(m.talk_frees[b][k], 1.0 - (-t / 60.0).exp(), 2e-3), "{b} {k}");
                assert!(close(m.wrap_frees[b][k], 1.0 - (-t / 5.0).exp(), 2e-3), "five seconds where nobody wraps up");
            }
        }
        let l = Learned { wrap: talks(1e5, 1.0, 10.0), ..l };
        let m = remade(&l, 0, hold_s);
        for k in 0..LOOKS {
            let t = m.looks[k] + hold_s;
            let both = 1.0 - (60.0 * (-t / 60.0_f32).exp() - 10.0 * (-t / 10.0_f32).exp()) / 50.0;
            assert!(close(m.talk_frees[5][k], both, 8e-3), "{k}: {} {both}", m.talk_frees[5][k]);
            assert!(close(m.wrap_frees[5][k], 1.0 - (-t / 10.0).exp(), 2e-3));
        }
        assert!(close(m.handle_s, 70.0, 0.1), "{}", m.handle_s);
    }
}

#[test]
fn a_verdict_delays_every_look() {
    let l = campaign();
    let plain = remade(&l, 0, 0.0);
    let wanted = plain.curve(0).looks();
    assert!(plain.looks.iter().zip(wanted).all(|(a, b)| close(*a, b, 1e-5)));
    let slow = remade(&Learned { verdict_s: 12.0, verdicts: 4.0, ..l }, 0, 0.0);
    assert!(slow.looks.iter().zip(wanted).all(|(a, b)| close(*a, b + 3.0, 1e-5)));
    assert_eq!(slow.curve(0).fresh, plain.curve(0).fresh, "the answer itself comes as soon");
}

#[test]
fn classes_that_were_dialled_have_curves_of_their_own() {
    let mut l = campaign();
    l.dials[2] = world(1e5, 1.0, |_| 0.09, |_| 0.03);
    let m = remade(&l, 2, 0.0);
    assert!(close(m.curve(0).answer(), 0.25, 1e-3) && close(m.curve(2).answer(), 0.75, 1e-3));
    assert!(close(m.curve(1).answer(), 0.25, 1e-3), "class 1 was never dialled");
    assert!(m.curve(1).fresh[5] > 0.15 && m.curve(2).fresh[5] > m.curve(0).fresh[5]);
    // The looks are those of the class that comes next: its people answer sooner.
    assert!(remade(&l, 0, 0.0).looks[5] > m.looks[5] + 1.0);
    // A campaign that never dialled has a curve, too.
    assert!(close(remade(&Learned::new(), 0, 0.0).curve(5).answer(), 1.0 / 3.0, 1e-3));
}

#[test]
fn an_agent_uses_up_a_lead_in_the_time_of_a_dial_and_its_conversations() {
    let mut l = campaign();
    let all = &mut l.dials[CLASSES_MAX];
    // 1000 dials of 30 seconds, of which a quarter of the world's answer.
    let lived: f32 = all.exposure.iter().sum();
    let scale = 30_000.0 * 2.0 / lived;
    for v in all.exposure.iter_mut().chain(&mut all.hit).chain(&mut all.other) {
        *v *= scale;
    }
    all.facts = 1000.0 * 2.0;
    let m = remade(&l, 0, 0.0);
    assert!(close(m.dial_s, 30_020.0 / 1001.0, 1e-2), "{}", m.dial_s);
    assert!(close(m.dial_every_s(), m.dial_s + 0.25 * 60.0, 0.5), "{}", m.dial_every_s());
    let busy = Learned { drift_seen: 100.0, drift_expected: 25.0, ..l.clone() };
    let m = remade(&busy, 0, 0.0);
    assert_eq!(m.drift, 2.0);
    assert!(close(m.dial_every_s(), m.dial_s + 0.5 * 60.0, 1.0), "{}", m.dial_every_s());
    let quick = Model { dial_s: 0.2, handle_s: 0.0, ..Model::new() };
    assert_eq!(quick.dial_every_s(), 1.0, "nobody dials more often than once a second");
}

#[test]
fn a_verdict_is_due_as_often_as_it_was_seen_after_so_long() {
    let mut l = campaign();
    // Ten seconds and more after the pick-up, 300 people and 100 machines.
    (l.detection.hit[5], l.detection.other[5], l.detection.weight) = (600.0, 200.0, 2.0);
    let m = remade(&l, 0, 0.0);
    let share = 301.0 / 402.0;
    assert!(m.looks[0] < 2.0 && m.looks[5] > 12.0, "{:?}", m.looks);
    for (k, look) in m.looks.into_iter().enumerate() {
        // A second after the pick-up.
        let soon = if look + 1.0 >= 10.0 { 300.0 } else { 0.0 };
        assert!(close(m.verdict[0][k], (soon + share) / 401.0, 1e-5), "{look}: {}", m.verdict[0][k]);
        assert!(close(m.verdict[5][k], (300.0 + share) / 401.0, 1e-5));
        assert!(close(m.verdict[6][k], share, 1e-5), "later than any verdict yet: as likely as in all");
    }
}

fn dial(result: DialResult, up_s: Option<f32>, after_s: f32) -> Observation {
    let ms = |s: f32| Millis::from_ms((s * 1000.0) as i64);
    Observation::Dial { class: 3, result, picked_up_after: up_s.map(ms), after: ms(after_s) }
}

#[test]
fn a_dial_is_learned_at_its_pick_up_or_its_end() {
    let mut l = Learned::new();
    l.observe(&dial(DialResult::Person, Some(6.0), 9.0), |_, _| None);
    l.observe(&dial(DialResult::Nobody, None, 26.0), |_, _| None);
    l.observe(&dial(DialResult::Censored, None, 12.0), |_, _| None);
    for class in [3, CLASSES_MAX] {
        let t = &l.dials[class];
        let full = |v: f32| v > 0.9 && v < 1.1;
        assert!(full(t.hit[6]) && full(t.other[26]) && close(t.facts, 3.0, 0.1), "{class}");
        assert!(close(t.hit.iter().chain(&t.other).sum(), 2.0, 0.1), "what we cut short is no ending");
        assert!(close(t.exposure.iter().sum(), 44.0, 0.1));
    }
    assert_eq!(l.dials[2].facts, 0.0);
    // Only what was picked up has a verdict: three seconds later.
    assert!(close(l.detection.hit[span_bin(3.0)], 1.0, 0.01) && close(l.detection.facts, 1.0, 0.01));
    assert_eq!(l.verdict_mean_s(), 3.0);
    l.observe(&dial(DialResult::Nobody, Some(5.0), 5.5), |_, _| None);
    assert_eq!(l.verdict_mean_s(), 3.0, "a machine's verdict is not a person's");
    l.observe(&dial(DialResult::Person, Some(6.0), 11.0), |_, _| None);
    assert!(close(l.verdict_mean_s(), (3.0 * 0.998 + 5.0) / 1.998, 1e-5));
    l.observe(&dial(DialResult::Person, Some(500.0), 400.0), |_, _| None);
    assert!(l.dials[3].hit[RING_BINS - 1] > 0.9 && l.is_sound(), "ages are cut at the last edge");
    let high = Observation::Dial { class: 999, result: DialResult::Nobody, picked_up_after: None, after: Millis::ZERO };
    l.observe(&high, |_, _| None);
    assert!(l.dials[CLASSES_MAX - 1].facts > 0.9, "classes beyond the last share it");
}

#[test]
fn talks_wrap_ups_and_answers_of_agents_are_kept_apart() {
    let mut l = Learned::new();
    let s = Millis::from_secs;
    l.observe(&Observation::Talk { class: 0, took: s(100) }, |_, _| None);
    l.observe(&Observation::Talk { class: 0, took: s(50) }, |_, _| None);
    l.observe(&Observation::WrapUp { took: s(20) }, |_, _| None);
    assert!(close(Learned::mean_s(&l.talk, 7.0), 75.0, 0.1) && close(Learned::mean_s(&l.wrap, 7.0), 20.0, 0.1));
    assert_eq!(Learned::mean_s(&l.connect, 7.0), 7.0, "nobody was asked yet");
    assert!((l.talks() - 2.0).abs() < 0.01 && l.people() == 0.0);
    assert_eq!(l.accept(), 1.0);
    for accepted in [true, false, false, false] {
        l.observe(&Observation::Connect { took: s(4), accepted }, |_, _| None);
    }
    assert!((l.accept() - 5.0 / 8.0).abs() < 1e-3, "{}", l.accept());
    assert!(close(Learned::mean_s(&l.connect, 7.0), 16.0, 0.1), "seconds rung for each yes");
    l.observe(&dial(DialResult::Person, Some(6.0), 9.0), |_, _| None);
    assert!((l.people() - 1.0).abs() < 1e-6);
    assert_eq!((secs(Millis::from_ms(1500)), secs(Millis::from_ms(-5))), (1.5, 0.0));
}

#[test]
fn drift_compares_those_who_answer_with_those_expected() {
    let mut l = Learned::new();
    assert_eq!(l.drift(), 1.0);
    (0..10).for_each(|_| l.observe(&dial(DialResult::Person, Some(6.0), 9.0), |_, _| Some(0.0)));
    assert_eq!((l.drift_seen, l.drift_expected), (10.0, 0.0));
    assert_eq!(l.drift(), f64::from(60.0_f32 / 50.0));
    l.observe(&dial(DialResult::Nobody, None, 20.0), |class, age| {
        assert_eq!((class, age), (3, 20.0));
        Some(30.0)
    });
    assert!(close(l.drift_seen, 8.0, 1e-4) && close(l.drift_expected, 30.0, 1e-4), "a fifth is forgotten");
    l.observe(&dial(DialResult::Nobody, None, 20.0), |_, _| Some(300.0));
    assert!(close(l.drift_seen, 4.0, 1e-4) && close(l.drift_expected, 315.0, 1e-3), "never more than half");
    l.observe(&dial(DialResult::Person, Some(6.0), 9.0), |_, _| None);
    assert!(close(l.drift_seen, 4.0, 1e-4), "not before enough is known");
    let drift = |seen, expected| Learned { drift_seen: seen, drift_expected: expected, ..Learned::new() }.drift();
    assert_eq!((drift(1e6, 0.0), drift(0.0, 1e6)), (5.0, f64::from(0.1_f32)), "bounded both ways");
}

#[test]
fn what_two_nodes_learned_adds_up() {
    let one = |n: usize| {
        let mut l = Learned::new();
        for _ in 0..n {
            l.observe(&dial(DialResult::Person, Some(6.0), 9.0), |_, _| Some(0.5));
            l.observe(&Observation::Talk { class: 0, took: Millis::from_secs(60) }, |_, _| None);
            l.observe(&Observation::WrapUp { took: Millis::from_secs(5) }, |_, _| None);
            l.observe(&Observation::Connect { took: Millis::from_secs(4), accepted: true }, |_, _| None);
        }
        l
    };
    let (mut a, b) = (one(3), one(2));
    a.absorb(&b);
    let facts = |t: &Table| (t.facts / t.weight).round();
    assert_eq!([&a.dials[3], &a.dials[CLASSES_MAX], &a.detection].map(facts), [5.0; 3]);
    assert_eq!([&a.talk, &a.wrap, &a.connect].map(facts), [5.0; 3]);
    assert_eq!(facts(&a.dials[0]), 0.0);
    let (x, y) = (one(3), one(2));
    assert_eq!(a.drift_seen, x.drift_seen + y.drift_seen);
    assert_eq!(a.drift_expected, x.drift_expected + y.drift_expected);
    assert_eq!((a.verdict_s, a.verdicts), (x.verdict_s + y.verdict_s, x.verdicts + y.verdicts));
}

#[test]
fn numbers_that_cannot_be_are_not_taken_up() {
    let spoilt = |change: &dyn Fn(&mut Learned)| {
        let mut l = campaign();
        assert!(l.is_sound());
        change(&mut l);
        !l.is_sound()
    };
    assert!(spoilt(&|l| l.dials.truncate(CLASSES_MAX)));
    assert!(spoilt(&|l| l.dials[5] = Table::new(SPAN_BINS)));
    assert!(spoilt(&|l| l.wrap = Table::new(RING_BINS)));
    assert!(spoilt(&|l| l.connect.hit[3] = f32::INFINITY));
    assert!(spoilt(&|l| l.detection.facts = -1.0));
    assert!(spoilt(&|l| l.talk.weight = 0.0));
    assert!(spoilt(&|l| l.talk.other.truncate(3)));
    assert!(spoilt(&|l| l.talk.exposure.truncate(3)));
    assert!(spoilt(&|l| l.talk.hit.truncate(3)));
    type Change = fn(&mut Learned, f32);
    let changes: [Change; 4] =
        [|l, v| l.drift_seen = v, |l, v| l.drift_expected = v, |l, v| l.verdict_s = v, |l, v| l.verdicts = v];
    for change in changes {
        assert!(spoilt(&|l| change(l, -1.0)) && spoilt(&|l| change(l, f32::NAN)) && !spoilt(&|l| change(l, 0.0)));
    }
}
