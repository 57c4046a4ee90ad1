//! How the price follows budget, answers and a target wait.

use super::price::{Price, Stock};
use super::*;
use crate::pacing::LedgerRules;

const STOCK: Stock = Stock { target: 5.0, softness: 2.0 };

/// What a target wait takes off the price, as a logarithm.
fn eased(p: &Price) -> f64 {
    (p.price(5.0, STOCK) / Price::new().price(5.0, STOCK)).ln()
}
fn at(s: i64) -> Timestamp {
    NOON + Millis::from_secs(s)
}
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn each_answer_moves_the_price_towards_the_target_wait() {
    let mut p = Price::new();
    p.ease(at(0), 5, 0, 60.0);
    assert_eq!(eased(&p), 0.0, "no answer, no step");
    // Ten seconds with two agents free and one answer: a wait of 20 of 60 seconds.
    p.ease(at(10), 2, 1, 60.0);
    assert!(close(eased(&p), 0.03 * (20.0 / 60.0 - 1.0)), "{}", eased(&p));
    // Then a minute of four free agents (no longer counts) and two answers: 260 seconds of three.
    let before = eased(&p);
    p.ease(at(500), 4, 2, 100.0);
    let wait = (20.0 + 240.0) / 3.0;
    assert!(close(eased(&p) - before, 0.03 * 2.0 * (wait / 100.0 - 1.0)), "{}", eased(&p) - before);
    // A wait that is far too long gives back a step of one at most, and never more than was taken.
    let before = eased(&p);
    p.ease(at(510), 90, 1, 10.0);
    assert!(close(eased(&p) - before, (0.03_f64).min(-before)), "{before} {}", eased(&p));
    (0..50).for_each(|i| p.ease(at(520 + i), 500, 3, 1.0));
    assert_eq!(eased(&p), 0.0);
    assert!(!p.is_eased());
    // A clock that goes backwards adds no time.
    let mut p = Price::new();
    p.ease(at(100), 1, 0, 60.0);
    p.ease(at(0), 50, 1, 60.0);
    assert!(close(eased(&p), -0.03), "{}", eased(&p));
}

#[test]
fn the_wait_is_that_of_the_last_answers() {
    let mut p = Price::new();
    p.ease(at(0), 0, 0, 60.0);
    // Sixty answers without a wait, one more, and half of it is forgotten.
    p.ease(at(1), 0, 60, 60.0);
    p.ease(at(2), 61, 1, 60.0);
    let before = eased(&p);
    // 30.5 seconds of 30.5 answers; 36.5 more, and 6 answers: 67 of 36.5.
    p.ease(at(3), 36, 6, 2.0);
    let wait = (30.5 + 36.0) / 36.5;
    assert!(close(eased(&p) - before, 0.03 * 6.0 * (wait / 2.0 - 1.0)), "{}", eased(&p) - before);
}

#[test]
fn a_target_wait_is_held_down_by_a_factor_of_a_thousand_at_most() {
    let mut p = Price::new();
    for (answers, is_eased) in [(6, false), (1, true)] {
        p.ease(at(0), 0, answers, 60.0);
        assert_eq!(p.is_eased(), is_eased, "{}", eased(&p));
    }
    (0..100).for_each(|_| p.ease(at(0), 0, 10, 60.0));
    p.ln_level = 0.0;
    assert!(close(p.price(500.0, STOCK).ln(), 3.0 - 7.0), "{}", p.price(500.0, STOCK));
    let mut q = Price::new();
    q.ease(at(0), 0, 1, 0.0);
    assert!(close(eased(&q), -0.03), "a target of nothing is a tenth of a second");
}

#[test]
fn the_level_moves_by_small_steps_within_bounds() {
    let after = |left: f64, answers: u32, times: usize, binding: bool| {
        let mut p = Price::new();
        (0..times).for_each(|_| p.learn(left, STOCK, answers, binding));
        p.ln_level - (0.014_f64).ln()
    };
    // Answers, over 150 for each softness; what is left counts as two softnesses at most.
    assert!(close(after(6.0, 3, 1, true), 3.0 * 0.5 / 300.0));
    assert!(close(after(900.0, 3, 1, true), 3.0 * 2.0 / 300.0) && close(after(-900.0, 3, 1, true), -0.02));
    assert!(close(after(7.0, 900, 1, true), 0.1) && close(after(3.0, 900, 1, true), -0.1));
    assert!(close(after(7.0, 900, 100, true), (0.3_f64 / 0.014).ln()));
    assert!(close(after(3.0, 900, 100, false), (0.002_f64 / 0.014).ln()));
    assert_eq!((after(5.0, 900, 1, true), after(7.0, 0, 1, true), after(5.1, 900, 1, false)), (0.0, 0.0, 0.0));
}

#[test]
fn the_price_stays_within_bounds_and_the_stock_within_reason() {
    let price = |level: f64, left: f64| {
        let mut p = Price::new();
        p.ln_level = level;
        p.price(left, STOCK)
    };
    assert_eq!((price(-50.0, 5.0), price(50.0, 5.0)), (0.0005, 0.6));
    assert!(close(price(-1.0, -1e9), 0.0005) && close(price(-4.0, 6.0), (-3.5_f64).exp()));

    let rules = LedgerRules::default();
    let p = Price::new();
    let stock = |live: i32, rules: &LedgerRules| p.stock(&counted(live), rules, day(), 0.0);
    // 3 % of 6000 is 180 abandonments, a sixtieth of which is 3.
    assert!(close(stock(6000, &rules).softness, 3.0) && close(stock(6000, &rules).target, 3.0 * 1.3 + 1.5));
    assert!(close(stock(0, &rules).target, 0.8) && close(stock(0, &rules).softness, 2.0));
    // The tightest window decides: a day of which little is known beside a month.
    let mut known = Price::new();
    known.day_answers = 1000.0;
    let monthly = LedgerRules { per_day: false, per_period: false, per_month: true, ..rules.clone() };
    let of = |rules: &LedgerRules| known.stock(&counted(100_000), rules, day(), 0.0).softness;
    assert!(close(of(&monthly), 12.0));
    let fresh = |rules: &LedgerRules| known.stock(&counted(10), rules, day(), 0.0).softness;
    // Twenty-one days of a thousand answers: 630 abandonments; one day: 30; a week by the clock: 210.
    assert!(close(fresh(&monthly), 10.5) && close(fresh(&rules), 2.0));
    let weekly = LedgerRules { rolling_hours: Some(168), per_month: false, ..monthly };
    assert!(close(fresh(&weekly), 3.5), "{}", fresh(&weekly));
}

#[test]
fn answers_are_counted_once_and_days_are_averaged() {
    let mut p = Price::new();
    assert_eq!((p.follow(&counted(7), day()), p.follow(&counted(7), day())), (7, 0));
    assert_eq!(p.follow(&counted(3), day()), 0, "a ledger of before takes nothing back");
    assert_eq!(p.follow(&counted(5), day()), 2);
    assert_eq!(p.day_answers, 0.0, "the day is not over");
    let tomorrow = DayKey::with_offset(NOON + Millis::from_hours(24), 0);
    p.follow(&counted(5), tomorrow);
    assert_eq!(p.day_answers, 5.0);
    let later = DayKey::with_offset(NOON + Millis::from_hours(48), 0);
    p.follow(&counted(5), later);
    assert_eq!(p.day_answers, 5.0, "a day without an answer says nothing");
}
