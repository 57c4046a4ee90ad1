//! One verdict: may this person be called now? All US rules compiled, every input in memory.

use crate::{Measurement, Opts, Samples};
use autocall_core::permission::history::{Happened, NumberHistory, PersonHistory};
use autocall_core::permission::{
    CompiledRules, Consent, ConsentClass, ConsentSource, History, Lists, Party, Purpose, Purposes, RegistryVerdict,
    Subject, explain, may_call, presets,
};
use autocall_core::zones::{Clues, Place, area_codes, locate};
use autocall_core::{Millis, Phone, Timestamp};
use rand::{RngExt as _, SeedableRng as _};
use std::hint::black_box;
use std::time::Instant;

/// Tuesday 2026-11-24 at noon in New York: the whole of the United States is awake.
const NOON: Timestamp = Timestamp::from_secs(1_795_539_600);
/// The same day at 02:00.
const NIGHT: Timestamp = Timestamp::from_secs(1_795_503_600);

struct Person {
    phone: Phone,
    place: Place,
    number: NumberHistory,
    person: PersonHistory,
    consents: Vec<Consent>,
    purpose: Purpose,
    listed: bool,
}

fn people(count: usize, seed: u64) -> Vec<Person> {
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let codes: Vec<u16> = area_codes().collect();
    let mut one = || {
        let code = u64::from(codes[dice.random_range(0..codes.len())]);
        let phone = 10_000_000_000 + code * 10_000_000 + dice.random_range(2_000_000..9_999_999);
        let phone = Phone::from_digits(phone).expect("eleven digits");
        let (mut number, mut person) = (NumberHistory::default(), PersonHistory::default());
        for _ in 0..dice.random_range(0..9) {
            let at = NIGHT - Millis::from_mins(dice.random_range(60..40 * 24 * 60));
            let ending = Happened::ALL[dice.random_range(1..Happened::ALL.len())];
            number.settled(ending, at, at + Millis::from_secs(30));
            person.settled(ending, at, at + Millis::from_secs(30));
        }
        let consent = Consent {
            class: ConsentClass::Written,
            purposes: Purposes::ALL,
            recorded_voice: true,
            automated: true,
            any_hour: false,
            given_at: NIGHT - Millis::from_days(200),
            expires_at: None,
            source: ConsentSource::WebForm,
            proof: None,
        };
        let purpose = [Purpose::Sales, Purpose::Sales, Purpose::DebtCollection, Purpose::Service];
        Person {
            phone,
            place: locate(&Clues::number(phone)),
            number,
            person,
            consents: if dice.random_bool(0.7) { vec![consent] } else { Vec::new() },
            purpose: purpose[dice.random_range(0..purpose.len())],
            listed: dice.random_bool(0.2),
        }
    };
    (0..count).map(|_| one()).collect()
}

fn judge<T>(person: &Person, now: Timestamp, ask: impl FnOnce(&Subject<'_>, History<'_>) -> T) -> T {
    let registries = [RegistryVerdict {
        name: "us-national",
        version: "1",
        as_of: now - Millis::from_days(2),
        listed: person.listed,
    }];
    let subject = Subject {
        party: Party::Consumer,
        consents: &person.consents,
        lists: Lists { tenant: None, campaign: None, registries: &registries },
        ..Subject::new(person.phone, &person.place, person.purpose, Millis::from_secs(25))
    };
    ask(&subject, History { number: &person.number, person: &person.person })
}

/// Runs the bench.
///
/// # Panics
/// If fewer verdicts were given than asked for, or all were the same.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let count: usize = opts.get("people", opts.pick(5_000, 100_000, 1_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let rules = presets::compile("us-collections", Vec::new()).expect("shipped").expect("compiles");
    let people = people(count, opts.seed);
    let mut rows = vec![Measurement::higher("permission", "rules", "in_force", rules.rules().count() as f64, "rules")];
    rows.extend(timed("noon", &people, &rules, NOON, opts.repeats));
    rows.extend(timed("night", &people, &rules, NIGHT, opts.repeats));
    let applied: usize =
        people.iter().take(1_000).map(|p| judge(p, NOON, |s, h| explain(s, &rules, h, NOON).len())).sum();
    rows.push(Measurement::higher("permission", "rules", "asked_per_verdict", applied as f64 / 1_000.0, "rules"));
    rows
}

fn timed(case: &str, people: &[Person], rules: &CompiledRules, now: Timestamp, repeats: usize) -> Vec<Measurement> {
    let (mut yes, mut no) = (Vec::new(), Vec::new());
    for _ in 0..=repeats {
        yes.clear();
        no.clear();
        for person in people {
            judge(person, now, |subject, history| {
                let start = Instant::now();
                let verdict = black_box(may_call(black_box(subject), rules, history, now));
                let ns = start.elapsed().as_nanos() as f64;
                if verdict.is_allowed() { yes.push(ns) } else { no.push(ns) }
            });
        }
    }
    assert_eq!(yes.len() + no.len(), people.len(), "every verdict is given");
    assert!(!no.is_empty() && (case != "noon" || yes.len() > people.len() / 10), "yes {} no {}", yes.len(), no.len());
    let share = yes.len() as f64 / people.len() as f64;
    let all = Samples::new(yes.iter().chain(&no).copied());
    let mut rows = vec![
        Measurement::lower("permission", case, "verdict_ns_median", all.median(), "ns").goal(1_000.0),
        Measurement::lower("permission", case, "verdict_ns_p99", all.quantile(0.99), "ns"),
        Measurement::higher("permission", case, "allowed_share", share, ""),
    ];
    for (name, samples) in [("allowed", yes), ("denied", no)] {
        if !samples.is_empty() {
            let samples = Samples::new(samples);
            rows.push(Measurement::lower(
                "permission",
                format!("{case}, {name}"),
                "verdict_ns_median",
                samples.median(),
                "ns",
            ));
        }
    }
    rows
}
