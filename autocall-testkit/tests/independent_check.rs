//! A year of random dialling by the permission function, judged by a checker that shares nothing
//! with it: its own transcription of the law in Python, its own zone data.

use autocall_core::permission::history::{Happened, NumberHistory, PersonHistory};
use autocall_core::permission::{
    CompiledRules, Consent, ConsentClass, ConsentSource, History, Lists, Party, Purpose, Purposes, RegistryVerdict,
    Revocation, RevokedFor, Subject, may_call, presets,
};
use autocall_core::zones::{Clues, Place, locate};
use autocall_core::{Millis, Phone, Timestamp};
use autocall_testkit::{faults, need};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_secs(1_790_000_000);
const RING: Millis = Millis::from_secs(25);

struct Person {
    phone: Phone,
    place: Place,
    state: Option<&'static str>,
    purpose: Purpose,
    party: Party,
    consents: Vec<Consent>,
    revocations: Vec<Revocation>,
    listed: bool,
    registry: bool,
    number: NumberHistory,
    person: PersonHistory,
}

fn person(dice: &mut ChaCha8Rng) -> Person {
    let pick = |dice: &mut ChaCha8Rng, from: &[u64]| from[dice.random_range(0..from.len())];
    let codes = [
        305, 850, 448, 405, 410, 207, 206, 214, 915, 203, 401, 205, 504, 601, 605, 701, 808, 907, 928, 270, 364, 415,
        416, 902,
    ];
    let abroad = [442_071_230_000, 33_123_450_000, 49_301_230_000, 61_212_340_000, 81_312_340_000];
    let digits = if dice.random_bool(0.8) {
        10_005_550_000 + pick(dice, &codes) * 10_000_000 + dice.random_range(2_000_000..9_990_000)
    } else {
        pick(dice, &abroad) + dice.random_range(0..10_000)
    };
    let phone = Phone::from_digits(digits).expect("a number");
    let state = phone
        .is_nanp()
        .then(|| [None, None, Some("TX"), Some("FL"), Some("WA")][dice.random_range(0..5usize)])
        .flatten();
    let place = locate(&Clues { state, ..Clues::number(phone) });
    let purposes = [Purpose::Sales, Purpose::Sales, Purpose::DebtCollection, Purpose::Service, Purpose::Charity];
    let day = |dice: &mut ChaCha8Rng, from: i64, to: i64| START + Millis::from_hours(24 * dice.random_range(from..to));
    let consents = (0..dice.random_range(0..2)).map(|_| Consent {
        class: if dice.random_bool(0.6) { ConsentClass::Written } else { ConsentClass::Express },
        purposes: Purposes::ALL,
        recorded_voice: false,
        automated: dice.random_bool(0.8),
        any_hour: dice.random_bool(0.2),
        given_at: day(dice, -300, 30),
        expires_at: dice.random_bool(0.3).then(|| day(dice, -10, 60)),
        source: ConsentSource::WebForm,
        proof: None,
    });
    let consents = consents.collect();
    let revoked = dice.random_bool(0.1).then(|| Revocation {
        at: day(dice, -100, 40),
        what: RevokedFor::Everything,
        channel: String::new(),
    });
    Person {
        phone,
        place,
        state,
        purpose: purposes[dice.random_range(0..purposes.len())],
        party: [Party::Consumer, Party::Consumer, Party::Business, Party::Unknown][dice.random_range(0..4usize)],
        consents,
        revocations: revoked.into_iter().collect(),
        listed: dice.random_bool(0.05),
        registry: dice.random_bool(0.2),
        number: NumberHistory::default(),
        person: PersonHistory::default(),
    }
}

fn allowed(person: &Person, rules: &CompiledRules, as_of: Timestamp, now: Timestamp) -> bool {
    let ask = |name| RegistryVerdict { name, version: "1", as_of, listed: person.registry };
    let registries = ["us-national", "gb-tps", "gb-ctps", "ca-national", "au-national"].map(ask);
    let subject = Subject {
        party: person.party,
        consents: &person.consents,
        revocations: &person.revocations,
        lists: Lists { tenant: person.listed.then_some(Timestamp::NEVER), campaign: None, registries: &registries },
        ..Subject::new(person.phone, &person.place, person.purpose, RING)
    };
    may_call(&subject, rules, History { number: &person.number, person: &person.person }, now).is_allowed()
}

fn line(person: &Person, as_of: Timestamp, at: Timestamp, outcome: Happened, ended: Timestamp, call: usize) -> Value {
    let consent = |c: &Consent| {
        json!({ "class": c.class, "given_ms": c.given_at, "expires_ms": c.expires_at, "any_hour": c.any_hour,
                "automated": c.automated, "recorded": c.recorded_voice })
    };
    let copy = json!({ "as_of_ms": as_of, "listed": person.registry });
    json!({
        "call": call.to_string(), "at_ms": at, "ring_ms": RING, "number": person.phone.e164(), "purpose": person.purpose,
        "person": person.phone.e164(), "party": person.party, "state": person.state,
        "consents": person.consents.iter().map(consent).collect::<Vec<_>>(),
        "revoked_ms": person.revocations.iter().map(|r| r.at).collect::<Vec<_>>(),
        "listed_until_ms": person.listed.then_some(Timestamp::NEVER),
        "registries": { "us-national": copy, "gb-tps": copy },
        "outcome": outcome, "ended_ms": ended,
    })
}

/// Dials at random instants, by the rules or without them, and returns the log.
fn log(seed: u64, tries: usize, lawful: bool) -> (String, usize) {
    let rules = presets::compile("default", Vec::new()).expect("shipped").expect("compiles");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut people: Vec<Person> = (0..120).map(|_| person(&mut dice)).collect();
    let (mut now, mut out, mut dialled) = (START, String::new(), 0);
    let mut copy = START - Millis::from_days(3);
    for _ in 0..tries {
        now += Millis::from_ms(dice.random_range(1..700_000));
        if dice.random_bool(0.000_8) {
            copy = now;
        }
        let which = dice.random_range(0..people.len());
        let person = &mut people[which];
        if lawful && !allowed(person, &rules, copy, now) {
            continue;
        }
        let outcome = Happened::ALL[dice.random_range(1..Happened::ALL.len())];
        let ended = now + Millis::from_secs(dice.random_range(5..200));
        out.push_str(&line(person, copy, now, outcome, ended, dialled).to_string());
        out.push('\n');
        dialled += 1;
        person.number.settled(outcome, now, ended);
        person.person.settled(outcome, now, ended);
    }
    (out, dialled)
}

fn judged(python: &std::path::Path, log: &str) -> (bool, String) {
    faults::judge(python, log).expect("Python was found a moment ago")
}

/// Seeds of the ordinary test run; `cargo xtask soak law` takes more.
const SEEDS: u64 = 150;

#[test]
fn engines_under_faults_and_the_law_place_no_call_that_the_judge_objects_to() {
    let Some(python) = need::python("the fault simulator under the law", "phonenumbers, tzdata") else {
        return;
    };
    let (mut log, mut dials, mut connected) = (String::new(), 0, 0);
    for seed in 1..=SEEDS {
        let (stats, lines) = faults::run_lawful(seed).unwrap_or_else(|found| panic!("{found}"));
        dials += lines.len() - 1;
        connected += stats.connected;
        log.push_str(&lines.join("\n"));
        log.push('\n');
    }
    let (fine, text) = judged(&python, &log);
    assert!(fine, "{}", text.lines().take(20).collect::<Vec<_>>().join("\n"));
    assert!(dials as u64 > SEEDS && connected > SEEDS / 10, "{dials} dials, {connected} connected");
}

#[test]
fn lawful_dialling_has_no_violation_and_lawless_dialling_has_every_kind() {
    let Some(python) = need::python("permission against an independent checker", "phonenumbers, tzdata") else {
        return;
    };
    let mut dials = 0;
    for seed in 1..=3 {
        let (log, dialled) = log(seed, 40_000, true);
        let (fine, text) = judged(&python, &log);
        assert!(fine, "seed {seed}:\n{}", text.lines().take(20).collect::<Vec<_>>().join("\n"));
        dials += dialled;
    }
    assert!(dials > 3_000, "only {dials} dials");

    // The same checker finds every kind of violation when nobody asks the rules.
    let (log, _) = log(9, 12_000, false);
    let (fine, text) = judged(&python, &log);
    assert!(!fine);
    let missed: Vec<&str> = [
        "us-hours",
        "tx-hours",
        "fl-hours",
        "al-hours",
        "ri-hours",
        "gb-hours",
        "fr-hours",
        "ca-hours",
        "au-hours",
        "listed",
        "revoked",
        "fl-written",
        "registry",
        "de-consent",
        "redial",
        "three-a-day",
        "me-8h",
        "reg-f-7",
        "reg-f-talk",
        "wa-year",
        "gb-72h",
        "gb-24h",
        "fr-4",
    ]
    .into_iter()
    .filter(|rule| !text.contains(&format!(": {rule}: ")))
    .collect();
    assert!(missed.is_empty(), "the checker is blind to {missed:?}\n{}", text.lines().last().unwrap_or_default());
}
