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

#[test]
fn every_day_of_two_centuries_is_in_its_month() {
    let (mut date, last) = (jiff::civil::date(1890, 1, 1), jiff::civil::date(2110, 12, 31));
    let mut day = jiff::civil::date(1970, 1, 1).until(date).unwrap().get_days();
    while date <= last {
        let month = (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1;
        let found = key(i64::from(day), 86_399);
        assert_eq!((found.day, found.month), (day, month), "{date}");
        (date, day) = (date.tomorrow().unwrap(), day + 1);
    }
    // Half a second before midnight, on clocks an hour ahead and an hour behind.
    let late = Timestamp::from_ms(86_400_000 - 500);
    assert_eq!([-3600, 0, 3600].map(|offset| DayKey::with_offset(late, offset).day), [0, 0, 1]);
    assert_eq!(DayKey::with_offset(Timestamp::from_ms(-1), 0), DayKey { day: -1, month: -1, at_s: -1 });
}

#[test]
fn each_ending_counts_what_it_is() {
    for (delta, counts) in [
        (CountsDelta::served(), [1, 1, 1, 0, 0, 0, 0]),
        (CountsDelta::late(true), [1, 1, 1, 0, 1, 0, 0]),
        (CountsDelta::late(false), [1, 1, 1, 0, 1, 1, 0]),
        (CountsDelta::given_up(true), [1, 1, 1, 1, 0, 0, 0]),
        (CountsDelta::given_up(false), [1, 1, 1, 1, 0, 1, 0]),
        (CountsDelta::left_at_once(), [1, 1, 0, 0, 0, 0, 0]),
        (CountsDelta::machine(), [1, 0, 0, 0, 0, 0, 1]),
    ] {
        assert_eq!(<[i32; 7]>::from(delta), counts);
        let mut l = Ledger::new(key(1, 0), &LedgerRules { rolling_hours: Some(12), ..LedgerRules::default() });
        l.apply(&LedgerDelta::dialed(key(1, 0), 3));
        assert_eq!(l.open(), 3);
        l.apply(&LedgerDelta::settled(key(1, 5), delta));
        l.apply(&LedgerDelta { counts: delta, ..LedgerDelta::at(key(1, 9 * 3600)) });
        assert_eq!(l.open(), 2, "one of three has ended");
        for window in [Window::Total, Window::Day, Window::Period, Window::Month, Window::Rolling] {
            let found = l.counts(window, key(1, 10 * 3600)).unwrap();
            assert_eq!(<[u32; 7]>::from(found).map(|n| n as i32), counts.map(|n| 2 * n), "{window}");
        }
    }
    let mut l = Ledger::new(key(1, 0), &LedgerRules::default());
    l.apply(&LedgerDelta::settled(key(1, 0), CountsDelta::served()));
    assert_eq!(l.open(), 0, "a settlement that arrives before its dial leaves nothing open");
    assert_eq!(l.counts(Window::Rolling, key(1, 0)), None);
    assert_eq!(l.counts(Window::Day, key(0, 0)).unwrap().live, 1, "a node whose clock is behind sees today");
    l.apply(&LedgerDelta::settled(key(0, 0), CountsDelta::served()));
    assert_eq!(
        (l.counts(Window::Day, key(1, 0)).unwrap().live, l.counts(Window::Total, key(1, 0)).unwrap().live),
        (1, 2)
    );
    l.apply(&LedgerDelta { reviewed: 5, reviewed_people: 2, ..LedgerDelta::at(key(1, 0)) });
    l.apply(&LedgerDelta { reviewed: 5, reviewed_people: 2, ..LedgerDelta::at(key(1, 0)) });
    assert_eq!(l.reviewed(), (10, 4));
}

#[test]
fn a_rolling_window_is_never_shorter_than_asked() {
    // Twelve hours are kept in parts of one hour.
    let rules = LedgerRules { rolling_hours: Some(12), ..LedgerRules::default() };
    let start = key(100, 0).at_s;
    let at = |s: i64| DayKey::with_offset(Timestamp::from_secs(start + s), 0);
    let mut l = Ledger::new(at(0), &rules);
    l.apply(&LedgerDelta::settled(at(0), CountsDelta::served()));
    l.apply(&LedgerDelta::settled(at(3599), CountsDelta::served()));
    let live = |l: &Ledger, s: i64| l.counts(Window::Rolling, at(s)).unwrap().live;
    assert_eq!((live(&l, 3600), live(&l, 13 * 3600 - 1), live(&l, 13 * 3600)), (2, 2, 0));
    (1..40).for_each(|hour| l.apply(&LedgerDelta::settled(at(hour * 3600), CountsDelta::served())));
    assert_eq!((live(&l, 39 * 3600), live(&l, 40 * 3600 + 5), live(&l, 51 * 3600)), (13, 12, 1));
    // Asking again for the same window keeps it.
    let before = l.clone();
    l.apply(&LedgerDelta { rolling_hours: Some(12), ..LedgerDelta::at(at(39 * 3600)) });
    assert_eq!(l, before);
    l.apply(&LedgerDelta { rolling_hours: Some(500), ..LedgerDelta::at(at(39 * 3600)) });
    assert_ne!(l, before);
    assert_eq!(live(&l, 39 * 3600 + 168 * 3600), live(&l, 39 * 3600), "a week at most");
    assert_eq!(live(&l, 39 * 3600 + 183 * 3600), 0);
}

#[test]
fn the_tightest_window_tells_the_budget_and_the_unavoidable_needs_enough_answers() {
    let counted = |served: i32, lost: i32, cap: f32| {
        let rules = LedgerRules { cap, ..LedgerRules::default() };
        let mut l = Ledger::new(key(1, 0), &rules);
        for (c, n) in [(CountsDelta::served(), served), (CountsDelta::given_up(false), lost)] {
            let counts = CountsDelta::from(<[i32; 7]>::from(c).map(|v| v * n));
            l.apply(&LedgerDelta { counts, ..LedgerDelta::at(key(1, 0)) });
        }
        (l, rules)
    };
    let (mut l, rules) = counted(98, 2, 0.03);
    let b = l.budget(&rules, key(1, 0));
    assert_eq!((b.window, b.answers), (Some(Window::Day), 100.0), "of equals the first");
    assert!((b.left - 1.0).abs() < 1e-9);
    assert_eq!(l.budget(&rules, key(2, 0)).window, Some(Window::Day), "a new day has earned nothing");
    l.apply(&LedgerDelta::settled(key(2, 0), CountsDelta::served()));
    let mut more = l.clone();
    (0..5).for_each(|_| more.apply(&LedgerDelta::settled(key(2, 0), CountsDelta::given_up(true))));
    assert!(more.budget(&rules, key(2, 0)).left < -4.0);
    let none = LedgerRules { per_day: false, per_period: false, ..rules };
    assert_eq!(l.budget(&none, key(1, 0)).window, None);

    let reached = |served, lost, cap| {
        let (l, rules) = counted(served, lost, cap);
        l.unavoidable_reaches_cap(&rules, key(1, 1))
    };
    assert_eq!(reached(9, 1, 0.03), None, "of ten answers one is no judgement");
    assert_eq!(reached(24, 1, 0.04), Some(Window::Day), "of twenty-five it is exactly the cap");
    assert_eq!((reached(23, 1, 0.04), reached(49, 1, 0.04)), (None, None));
}

#[test]
fn a_ratio_of_exactly_the_cap_is_allowed() {
    // 19 answers for each abandonment at 5 %.
    for k in 1..40_u32 {
        let rules = LedgerRules { cap: 0.05, mode: CapMode::Strict, ..LedgerRules::default() };
        let mut l = Ledger::new(key(1, 0), &rules);
        let counts = CountsDelta { live: 19 * k as i32, ..CountsDelta::default() };
        l.apply(&LedgerDelta { counts, ..LedgerDelta::at(key(1, 0)) });
        assert_eq!(l.strict_open_max(&rules, key(1, 0), 0), k);
        assert_eq!(l.strict_open_max(&rules, key(1, 0), 19), k + 20);
    }
}

#[test]
fn reviewed_verdicts_bound_the_share_of_people_among_machines() {
    let rules = LedgerRules { misjudged: Misjudged::Measured { before: 0.5 }, ..LedgerRules::default() };
    let c = Counts { machines: 1000, live: 100, unavoidable: 3, ..Counts::default() };
    // The upper ends of Wilson's interval at 1.645 standard deviations, from his formula.
    for (people, reviewed, share) in
        [(0, 30, 0.082_737_814), (3, 30, 0.225_516_392), (20, 1000, 0.028_682_739), (500, 1000, 0.525_974_614)]
    {
        let found = rules.misjudged_people(&c, (reviewed, people));
        assert!((found - 1000.0 * share).abs() < 1e-4, "{people} of {reviewed}: {found}");
    }
    assert_eq!(rules.misjudged_people(&c, (29, 0)), 500.0, "too few were reviewed");
    assert_eq!(rules.misjudged_people(&c, (30, 99)), 1000.0, "all of them at most");
    let share = LedgerRules { misjudged: Misjudged::Configured { share: 0.25 }, ..rules.clone() };
    assert_eq!((share.unavoidable(&c, (0, 0)), share.base(&c, (0, 0))), (253.0, 350.0));
    let ignored = LedgerRules { misjudged: Misjudged::Ignored, ..rules };
    assert_eq!((ignored.unavoidable(&c, (0, 0)), ignored.base(&c, (0, 0))), (3.0, 100.0));
    assert_eq!(ignored.ratio(&Counts::default(), (0, 0)), 0.0, "nothing of nothing");
    // A correction that arrives before what it corrects counts as nothing.
    let early = Counts { given_up: u32::MAX, connected_late: 2, live: 10, ..Counts::default() };
    assert_eq!(ignored.abandoned(&early, (0, 0)), 2.0);
    assert_eq!(LedgerRules { cap: 0.03, ..ignored }.cap_f64(), 0.03);
}

#[test]
fn rules_out_of_range_are_named() {
    let wrong = |change: &dyn Fn(&mut LedgerRules)| {
        let mut rules = LedgerRules::default();
        change(&mut rules);
        rules.check()
    };
    use crate::pacing::Problem;
    assert_eq!(wrong(&|_| {}), []);
    assert_eq!(wrong(&|r| r.deadline_ms = 60_000), []);
    assert_eq!(wrong(&|r| r.deadline_ms = 60_001), [Problem::Deadline]);
    assert_eq!(wrong(&|r| r.misjudged = Misjudged::Configured { share: 1.0 }), []);
    assert_eq!(wrong(&|r| (r.per_day, r.per_period, r.per_month) = (false, false, true)), []);
    assert_eq!(wrong(&|r| (r.per_day, r.per_period, r.rolling_hours) = (false, false, Some(5))), []);
    let windows = |r: LedgerRules| r.windows().collect::<Vec<_>>();
    let all = LedgerRules { per_month: true, rolling_hours: Some(5), ..LedgerRules::default() };
    assert_eq!(windows(all), [Window::Day, Window::Period, Window::Month, Window::Rolling]);
    assert_eq!(windows(LedgerRules::default()), [Window::Day, Window::Period]);
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
