use super::*;
use crate::{Millis, Timestamp};
use proptest::prelude::*;

fn key(day: i64, s: i64) -> DayKey {
    DayKey::with_offset(Timestamp::from_secs(day * 86_400 + s), 0)
}

#[test]
fn months_follow_the_calendar() {
    for (day, month) in [(0, 0), (30, 0), (31, 1), (58, 1), (59, 2), (364, 11), (365, 12), (11_016, 361), (11_017, 362)]
    {
        assert_eq!(key(day, 0).month, month, "day {day}");
    }
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    // 2026-03-01 04:30 UTC is still February in New York.
    let t = "2026-03-01T04:30:00Z".parse::<jiff::Timestamp>().unwrap();
    let k = DayKey::at(Timestamp::from_jiff(t), &zone);
    assert_eq!(k.month, (2026 - 1970) * 12 + 1);
    assert_eq!(i64::from(k.day) + 1, t.as_second() / 86_400);
}

#[test]
fn windows_tumble_and_the_two_figures_stay_apart() {
    let rules = LedgerRules { rolling_hours: Some(24), per_month: true, ..LedgerRules::default() };
    let mut l = Ledger::new(key(100, 0), &rules);
    l.apply(&LedgerDelta::settled(key(100, 0), CountsDelta::given_up(true)));
    l.apply(&LedgerDelta::settled(key(129, 0), CountsDelta::late(false)));
    l.apply(&LedgerDelta::settled(key(130, 10), CountsDelta::served()));
    let at = |w| l.counts(w, key(130, 20)).unwrap();
    assert_eq!(at(Window::Day), Counts { connected: 1, live: 1, queued: 1, ..Counts::default() });
    assert_eq!(at(Window::Period).live, 1, "day 130 begins the second period");
    assert_eq!(
        (at(Window::Total).given_up, at(Window::Total).connected_late, at(Window::Total).unavoidable),
        (1, 1, 1)
    );
    assert_eq!(at(Window::Rolling).live, 2, "the last 24 hours and the part that is passing");
    assert_eq!(l.counts(Window::Rolling, key(132, 0)).unwrap().live, 0);
    assert_eq!(l.counts(Window::Period, key(160, 0)).unwrap().live, 0, "a period without counts is empty");
    assert_eq!(l.open(), 0);
}

#[test]
fn the_rules_choose_what_counts_and_from_when() {
    let mut rules = LedgerRules { late_counts: false, misjudged: Misjudged::Ignored, ..LedgerRules::default() };
    let c =
        Counts { connected: 200, live: 100, queued: 80, given_up: 2, connected_late: 3, unavoidable: 1, machines: 100 };
    assert_eq!(rules.ratio(&c, (0, 0)), 0.02);
    rules.late_counts = true;
    assert_eq!(rules.ratio(&c, (0, 0)), 0.05);
    rules.denominator = Denominator::Queued;
    assert_eq!(rules.ratio(&c, (0, 0)), 5.0 / 80.0);
    rules.denominator = Denominator::Connected;
    assert_eq!(rules.ratio(&c, (0, 0)), 5.0 / 200.0);
    rules.denominator = Denominator::Live;
    rules.misjudged = Misjudged::Configured { share: 0.25 };
    assert_eq!(rules.ratio(&c, (0, 0)), 30.0 / 125.0);
    rules.misjudged = Misjudged::Measured { before: 0.5 };
    assert_eq!(rules.abandoned(&c, (29, 0)), 55.0);
    let measured = rules.misjudged_people(&c, (1000, 20));
    assert!((2.0..3.0).contains(&measured), "{measured}");

    let t = |ms| Timestamp::from_ms(ms);
    let p = PickUp { connected_at: t(0), greeting_start: Some(t(500)), greeting_end: Some(t(1400)) };
    for (start, late_from) in
        [(StartPoint::Connected, 2000), (StartPoint::GreetingStart, 2500), (StartPoint::GreetingEnd, 3400)]
    {
        rules.start = start;
        assert!(!rules.is_late(&p, t(late_from)) && rules.is_late(&p, t(late_from) + Millis::from_ms(1)), "{start:?}");
    }
    let bare = PickUp { greeting_start: None, greeting_end: None, ..p };
    assert_eq!(rules.deadline(&bare), t(2000));
}

#[test]
fn what_pacing_cannot_avoid_is_recognised() {
    let rules = LedgerRules::default();
    let mut l = Ledger::new(key(1, 0), &rules);
    for _ in 0..33 {
        l.apply(&LedgerDelta::settled(key(1, 0), CountsDelta::served()));
    }
    l.apply(&LedgerDelta::settled(key(1, 1), CountsDelta::given_up(true)));
    assert_eq!(l.unavoidable_reaches_cap(&rules, key(1, 2)), None);
    l.apply(&LedgerDelta::settled(key(1, 1), CountsDelta::given_up(false)));
    l.apply(&LedgerDelta::settled(key(1, 1), CountsDelta::given_up(false)));
    assert_eq!(l.unavoidable_reaches_cap(&rules, key(1, 2)), Some(Window::Day));
    assert!(l.budget(&rules, key(1, 2)).left < 0.0);
}

#[test]
fn a_rolling_window_switched_on_later_holds_from_the_first() {
    let mut rules = LedgerRules { per_day: false, per_period: false, per_month: true, ..LedgerRules::default() };
    let mut l = Ledger::new(key(100, 0), &rules);
    for s in 0..40 {
        l.apply(&LedgerDelta::settled(key(100, 30_000 + s), CountsDelta::served()));
    }
    for _ in 0..3 {
        l.apply(&LedgerDelta::settled(key(100, 31_000), CountsDelta::given_up(true)));
    }
    rules.rolling_hours = Some(24);
    let before = l.budget(&rules, key(100, 32_000));
    assert!((before.left - (0.03 * 43.0 - 3.0)).abs() < 1e-9, "the day stands for it: {before:?}");
    let on = LedgerDelta { rolling_hours: Some(24), ..LedgerDelta::settled(key(100, 33_000), CountsDelta::served()) };
    l.apply(&on);
    let at = |l: &Ledger, s| l.counts(Window::Rolling, key(100, s)).unwrap();
    assert_eq!((at(&l, 34_000).live, at(&l, 34_000).given_up), (44, 3));
    // Changed to one hour: it begins with the day again, and two hours later is empty.
    l.apply(&LedgerDelta { rolling_hours: Some(1), ..LedgerDelta::at(key(100, 35_000)) });
    assert_eq!(at(&l, 35_001).live, 44);
    assert_eq!(at(&l, 35_000 + 7_300).live, 0);
}

#[test]
fn it_is_small_and_reads_back() {
    let rules = LedgerRules { rolling_hours: Some(24), ..LedgerRules::default() };
    let mut l = Ledger::new(key(20_000, 0), &rules);
    for h in 0..48 {
        let mut d = LedgerDelta::settled(key(20_000, h * 3600), CountsDelta::served());
        d.counts = CountsDelta::from([99_999, 20_001, 20_001, 600, 44, 12, 79_998]);
        l.apply(&d);
    }
    let json = serde_json::to_vec(&l).unwrap();
    assert!(json.len() < 1024, "{} bytes", json.len());
    assert!(std::mem::size_of::<Ledger>() < 1024);
    assert_eq!(serde_json::from_slice::<Ledger>(&json).unwrap(), l);
}

fn any_delta() -> impl Strategy<Value = LedgerDelta> {
    (100_i64..170, 0_i64..86_400, 0_u8..6, 0_u32..3).prop_map(|(day, s, kind, n)| {
        let k = key(day, s);
        match kind {
            0 => LedgerDelta::dialed(k, n),
            1 => LedgerDelta::settled(k, CountsDelta::given_up(n > 0)),
            2 => LedgerDelta::settled(k, CountsDelta::late(n > 0)),
            3 => LedgerDelta::settled(k, CountsDelta::machine()),
            4 => LedgerDelta { reviewed: n, reviewed_people: n / 2, ..LedgerDelta::at(k) },
            _ => LedgerDelta::settled(k, CountsDelta::served()),
        }
    })
}

proptest! {
    #[test]
    fn deltas_commute(mut ds in prop::collection::vec(any_delta(), 1..60), seed in any::<u64>()) {
        let rules = LedgerRules { rolling_hours: Some(48), per_month: true, ..LedgerRules::default() };
        let run = |ds: &[LedgerDelta]| {
            let mut l = Ledger::new(key(100, 0), &rules);
            ds.iter().for_each(|d| l.apply(d));
            l
        };
        let once = run(&ds);
        let mut r = seed;
        for i in (1..ds.len()).rev() {
            r = r.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ds.swap(i, (r >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(once, run(&ds));
    }

    /// However many of the open calls are answered, the strict bound keeps the cap.
    #[test]
    fn strict_bound_holds_on_every_path(served in 0_u32..2000, gone in 0_u32..40, idle in 0_u32..30, answered in 0_u32..400) {
        let rules = LedgerRules { mode: CapMode::Strict, ..LedgerRules::default() };
        let k = key(5, 0);
        let mut l = Ledger::new(k, &rules);
        let count = |l: &mut Ledger, c: CountsDelta, n: u32| {
            let c = CountsDelta::from(<[i32; 7]>::from(c).map(|v| v * n as i32));
            l.apply(&LedgerDelta { counts: c, ..LedgerDelta::at(k) });
        };
        count(&mut l, CountsDelta::served(), served);
        count(&mut l, CountsDelta::given_up(true), gone);
        let before = rules.ratio(&l.counts(Window::Day, k).unwrap(), (0, 0));
        prop_assume!(before <= 0.03);
        let open = l.strict_open_max(&rules, k, idle);
        prop_assert!(open >= idle);
        let j = answered.min(open);
        count(&mut l, CountsDelta::served(), j.min(idle));
        count(&mut l, CountsDelta::given_up(true), j.saturating_sub(idle));
        let after = rules.ratio(&l.counts(Window::Day, k).unwrap(), (0, 0));
        prop_assert!(after <= 0.03 + 1e-12, "{after}");
        // And it is the largest: one more, all answered, would break it.
        let c = l.counts(Window::Day, k).unwrap();
        if j == open && open > idle {
            let x = f64::from(c.given_up) + 1.0;
            prop_assert!(x / (f64::from(c.live) + 1.0) > 0.03);
        }
    }
}
