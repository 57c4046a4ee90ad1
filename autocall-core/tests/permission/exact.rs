//! One rule by itself, judged to the millisecond at the edges of what it asks.

use crate::case::instant;
use crate::lint::{overlay, rule};
use autocall_core::permission::history::{Happened, NumberHistory, PersonHistory};
use autocall_core::permission::{
    CompiledRules, Consent, ConsentClass, ConsentSource, History, Lists, Purpose, Purposes, Reassigned,
    ReassignedCheck, RegistryVerdict, Relationship, Revocation, RevokedFor, RuleId, Subject, Verdict, Voice, duties,
    explain, may_call, may_play,
};
use autocall_core::zones::{Clues, Place, locate};
use autocall_core::{Millis, Phone, Timestamp};

const MS: Millis = Millis::from_ms(1);
const HOUR: Millis = Millis::from_hours(1);

fn phone() -> Phone {
    Phone::from_e164("+12145550123").expect("a number")
}
fn dallas() -> Place {
    locate(&Clues::number(phone()))
}
fn now() -> Timestamp {
    instant("2026-11-24T12:00:00-06:00")
}
/// The only rule that there is.
fn only(rest: &str) -> CompiledRules {
    CompiledRules::compile(&[overlay(&rule("x", rest))]).unwrap_or_else(|wrong| panic!("{rest}: {wrong:?}"))
}
fn nothing() -> (NumberHistory, PersonHistory) {
    Default::default()
}
fn sales(place: &Place) -> Subject<'_> {
    Subject::new(phone(), place, Purpose::Sales, Millis::ZERO)
}
/// Until when the rules deny the call; `None` if they allow it.
fn until(rules: &CompiledRules, subject: &Subject<'_>, at: Timestamp) -> Option<Timestamp> {
    let (number, person) = nothing();
    let verdict = may_call(subject, rules, History { number: &number, person: &person }, at);
    assert_eq!(verdict.is_allowed(), verdict.denied().is_none());
    verdict.denied().map(|denied| denied.until)
}
fn consent(class: ConsentClass, given_at: Timestamp) -> Consent {
    Consent {
        class,
        purposes: Purposes::ALL,
        recorded_voice: false,
        automated: false,
        any_hour: false,
        given_at,
        expires_at: None,
        source: ConsentSource::WebForm,
        proof: None,
    }
}
fn revocation(at: Timestamp, what: RevokedFor) -> Revocation {
    Revocation { at, what, channel: "test".into() }
}

#[test]
fn a_rule_is_in_force_wherever_its_days_may_be() {
    let dates = "effective_from = \"2026-01-02\"\neffective_to = \"2026-01-03\"";
    let rules = only(&format!("{dates}\nis = {{ suppression = {{ tenant = {{}} }} }}"));
    let place = dallas();
    let listed = Subject { lists: Lists { tenant: Some(Timestamp::NEVER), ..Lists::default() }, ..sales(&place) };
    // The day begins first on Kiribati and ends last on Howland Island.
    let (first, end) = (instant("2026-01-01T10:00:00Z"), instant("2026-01-04T12:00:00Z"));
    assert_eq!(until(&rules, &listed, first - MS), None);
    assert_eq!(until(&rules, &listed, first), Some(end));
    assert_eq!(until(&rules, &listed, end - MS), Some(end));
    assert_eq!(until(&rules, &listed, end), None);
    let duty = only(&format!("{dates}\nis = {{ min-ring = {{ ring = \"15s\" }} }}"));
    let ring = |at| duties(&listed, &duty, at).ring_min;
    assert_eq!((ring(first - MS), ring(first)), (Millis::ZERO, Millis::from_secs(15)));
    assert_eq!((ring(end - MS), ring(end)), (Millis::from_secs(15), Millis::ZERO));
}

#[test]
fn a_revocation_stops_what_it_names_where_the_rule_reads_it_so() {
    let narrow = only("is = { suppression = { revoked = { read = \"what-it-names\" } } }");
    let wide = only("is = { suppression = { revoked = {} } }");
    let place = dallas();
    let surveys = RevokedFor::Purposes(Purposes::of(&[Purpose::Survey]));
    let own = RevokedFor::Purposes(Purposes::of(&[Purpose::Survey, Purpose::Sales]));
    for (what, voice, stops) in [
        (RevokedFor::Everything, Voice::Agent, true),
        (RevokedFor::RecordedVoice, Voice::Agent, false),
        (RevokedFor::RecordedVoice, Voice::Agentless, true),
        (surveys, Voice::Agent, false),
        (own, Voice::Agent, true),
    ] {
        let said = [revocation(now(), what)];
        let subject = Subject { revocations: &said, voice, ..sales(&place) };
        assert_eq!(until(&narrow, &subject, now()).is_some(), stops, "{what:?} {voice:?}");
        assert_eq!(until(&wide, &subject, now()), Some(Timestamp::NEVER), "any word stops every call");
        assert_eq!(until(&wide, &subject, now() - MS), None, "not before it was said");
    }
}

#[test]
fn only_a_consent_given_after_the_last_revocation_opens_again() {
    let rules = only("is = { suppression = { revoked = {} } }");
    let place = dallas();
    let said = [revocation(now() - HOUR * 3, RevokedFor::Everything), revocation(now() - HOUR, RevokedFor::Everything)];
    let with = |given: Timestamp, purposes: Purposes| {
        let consents = [Consent { purposes, ..consent(ConsentClass::Express, given) }];
        until(&rules, &Subject { revocations: &said, consents: &consents, ..sales(&place) }, now())
    };
    assert_eq!(with(now() - HOUR + MS, Purposes::ALL), None);
    assert_eq!(with(now() - HOUR, Purposes::ALL), Some(Timestamp::NEVER), "at the same instant the no counts");
    assert_eq!(with(now() - HOUR * 2, Purposes::ALL), Some(Timestamp::NEVER), "an old consent was taken back");
    assert_eq!(with(now(), Purposes::ALL), None);
    assert_eq!(with(now() + HOUR, Purposes::ALL), Some(now() + HOUR), "one that begins later opens then");
    assert_eq!(with(now(), Purposes::of(&[Purpose::Survey])), Some(Timestamp::NEVER), "for other calls");
}

#[test]
fn a_consent_counts_if_it_is_good_enough_and_from_its_beginning_to_its_end() {
    use ConsentClass::{Express, Written};
    let place = dallas();
    let needs = |what: &str| only(&format!("is = {{ consent-required = {{ {what} }} }}"));
    let judge = |rules: &CompiledRules, given: Consent| {
        let consents = [given];
        until(rules, &Subject { consents: &consents, ..sales(&place) }, now())
    };
    let (express, written) = (needs("class = \"express\""), needs("class = \"written\""));
    let ago = now() - HOUR;
    assert_eq!(until(&express, &sales(&place), now()), Some(Timestamp::NEVER));
    assert_eq!(judge(&express, consent(Express, ago)), None);
    assert_eq!(judge(&express, consent(Written, ago)), None);
    assert_eq!(judge(&written, consent(Express, ago)), Some(Timestamp::NEVER));
    assert_eq!(judge(&written, consent(Written, ago)), None);
    for (what, recorded_voice, automated, enough) in [
        ("class = \"express\", recorded_voice = true", false, true, false),
        ("class = \"express\", recorded_voice = true", true, false, true),
        ("class = \"express\", automated = true", true, false, false),
        ("class = \"express\", automated = true", false, true, true),
    ] {
        let given = Consent { recorded_voice, automated, ..consent(Express, ago) };
        assert_eq!(judge(&needs(what), given).is_none(), enough, "{what} {recorded_voice} {automated}");
    }
    assert_eq!(judge(&express, consent(Express, now())), None);
    assert_eq!(judge(&express, consent(Express, now() + MS)), Some(now() + MS));
    let ends = |given, end| judge(&express, Consent { expires_at: Some(end), ..consent(Express, given) });
    assert_eq!(ends(ago, now() + MS), None);
    assert_eq!(ends(ago, now()), Some(Timestamp::NEVER), "it has ended");
    assert_eq!(ends(now() + HOUR * 2, now() + HOUR), Some(Timestamp::NEVER), "it ends before it begins");
    assert_eq!(ends(now() + HOUR, now() + HOUR), Some(Timestamp::NEVER));
    let other = Consent { purposes: Purposes::of(&[Purpose::Survey]), ..consent(Express, ago) };
    assert_eq!(judge(&express, other), Some(Timestamp::NEVER), "for other calls");

    let survey = RevokedFor::Purposes(Purposes::of(&[Purpose::Survey]));
    for (at, what, stands) in [
        (ago - MS, RevokedFor::Everything, true),
        (ago, RevokedFor::Everything, false),
        (now(), RevokedFor::Everything, false),
        (now() + MS, RevokedFor::Everything, true),
        (now(), survey, true),
        (now(), RevokedFor::RecordedVoice, true),
    ] {
        let (consents, revocations) = ([consent(Express, ago)], [revocation(at, what)]);
        let subject = Subject { consents: &consents, revocations: &revocations, ..sales(&place) };
        assert_eq!(until(&express, &subject, now()).is_none(), stands, "{at:?} {what:?}");
    }
}

#[test]
fn what_lifts_a_rule_lifts_it_exactly_as_long_as_it_holds() {
    let place = dallas();
    let listed = || Subject { lists: Lists { tenant: Some(Timestamp::NEVER), ..Lists::default() }, ..sales(&place) };
    let unless = |what: &str| only(&format!("unless = {{ {what} }}\nis = {{ suppression = {{ tenant = {{}} }} }}"));
    let (written, any_hour) = (unless("consent = \"written\""), unless("any_hour = true"));
    let with = |rules: &CompiledRules, given: Consent| {
        let consents = [given];
        until(rules, &Subject { consents: &consents, ..listed() }, now())
    };
    assert_eq!(with(&written, consent(ConsentClass::Express, now())), Some(Timestamp::NEVER));
    assert_eq!(with(&written, consent(ConsentClass::Written, now())), None);
    assert_eq!(with(&written, consent(ConsentClass::Written, now() + HOUR)), Some(now() + HOUR));
    assert_eq!(with(&any_hour, consent(ConsentClass::Written, now())), Some(Timestamp::NEVER));
    assert_eq!(with(&any_hour, Consent { any_hour: true, ..consent(ConsentClass::Express, now()) }), None);

    let (bought, asked) = (unless("purchase_within = \"30d\""), unless("inquiry_within = \"30d\""));
    let dealt = |at| {
        (
            Relationship { purchase_at: Some(at), inquiry_at: None },
            Relationship { purchase_at: None, inquiry_at: Some(at) },
        )
    };
    let after = |rules: &CompiledRules, relationship| until(rules, &Subject { relationship, ..listed() }, now());
    let (late, soon) = (now() - Millis::from_days(30), now() - Millis::from_days(30) + MS);
    for (rules, pick) in [(&bought, 0), (&asked, 1)] {
        let of = |at| if pick == 0 { dealt(at).0 } else { dealt(at).1 };
        let other = |at| if pick == 0 { dealt(at).1 } else { dealt(at).0 };
        assert_eq!(after(rules, of(soon)), None);
        assert_eq!(after(rules, of(late)), Some(Timestamp::NEVER), "thirty days are over");
        assert_eq!(after(rules, of(now() + HOUR)), Some(now() + HOUR), "dealings that are still to come");
        assert_eq!(after(rules, other(soon)), Some(Timestamp::NEVER));
    }
    let guaranteed = unless("agent_guaranteed = true");
    assert_eq!(until(&guaranteed, &listed(), now()), Some(Timestamp::NEVER));
    assert_eq!(until(&guaranteed, &Subject { agent_guaranteed: true, ..listed() }, now()), None);
    let plain = only("is = { suppression = { tenant = {} } }");
    assert_eq!(until(&plain, &Subject { agent_guaranteed: true, ..listed() }, now()), Some(Timestamp::NEVER));
}

#[test]
fn a_copy_or_a_check_counts_until_it_is_too_old() {
    let place = dallas();
    let registry = only("is = { suppression = { registry = { name = \"r\", age_max = \"31d\" } } }");
    let copy = |name: &'static str, as_of: Timestamp, listed: bool| {
        let registries = [RegistryVerdict { name, version: "1", as_of, listed }];
        let lists = Lists { registries: &registries, ..Lists::default() };
        let subject = Subject { lists, ..sales(&place) };
        let (number, person) = nothing();
        let verdict = may_call(&subject, &registry, History { number: &number, person: &person }, now());
        verdict.denied().map(|denied| denied.rule.to_string())
    };
    let old = now() - Millis::from_days(31);
    assert_eq!(copy("r", old, false), None);
    assert_eq!(copy("r", old - MS, false).as_deref(), Some("x/copy"));
    assert_eq!(copy("r", now() - HOUR, false), None, "a copy of today");
    assert_eq!(copy("r", now() + HOUR * 24, false), None, "clocks and dates may differ by a day");
    assert_eq!(copy("r", now() + HOUR * 24 + MS, false).as_deref(), Some("x/copy"));
    assert_eq!(copy("r", now() - HOUR, true).as_deref(), Some("x"));
    assert_eq!(copy("other", now() - HOUR, false).as_deref(), Some("x/copy"));
    assert_eq!(registry.rule(&RuleId::new("x/copy")).map(|r| r.id.as_str()), Some("x"));
    assert!(registry.rule(&RuleId::new("y")).is_none());

    let fresh = only("is = { suppression = { reassigned = { age_max = \"1d\" } } }");
    let any = only("is = { suppression = { reassigned = {} } }");
    let check = |rules: &CompiledRules, at, answer| {
        until(rules, &Subject { reassigned: Some(ReassignedCheck { at, answer }), ..sales(&place) }, now())
    };
    let day = now() - HOUR * 24;
    for answer in [Reassigned::No, Reassigned::NoData] {
        assert_eq!(check(&fresh, day, answer), None);
        assert_eq!(check(&fresh, day - MS, answer), Some(Timestamp::NEVER));
        assert_eq!(check(&any, day - MS, answer), None);
    }
    assert_eq!(check(&any, day, Reassigned::Yes), Some(Timestamp::NEVER));
    assert_eq!(until(&fresh, &sales(&place), now()), Some(Timestamp::NEVER), "nobody asked");
    assert_eq!(until(&any, &sales(&place), now()), None);
}

#[test]
fn caps_and_rests_are_counted_for_the_number_or_for_the_person() {
    let place = dallas();
    let mut number = NumberHistory::default();
    for minutes in [0, 10] {
        let at = now() - HOUR * 2 + Millis::from_mins(minutes);
        number.attempted(at);
        number.settled(Happened::Conversation, at, at + Millis::from_mins(1));
    }
    let person = PersonHistory::default();
    let denied = |rest: &str| {
        let rules = only(rest);
        let verdict =
            may_call(&sales(&place), &rules, History { number: &number, person: &person }, now()).denied().cloned();
        verdict.map(|denied| denied.until)
    };
    let cap = |key: &str| format!("is = {{ attempt-cap = {{ most = 2, per = \"3h\", key = \"{key}\" }} }}");
    assert_eq!(denied(&cap("number")), Some(now() + HOUR));
    assert_eq!(denied(&cap("person")), None);
    for (event, key, stops) in [
        ("conversation", "number", true),
        ("conversation", "person", false),
        ("attempt", "number", true),
        ("abandoned", "number", false),
        ("machine", "number", false),
        ("refused", "number", false),
    ] {
        let rest = format!("is = {{ cooldown-after = {{ event = \"{event}\", rest = \"3h\", key = \"{key}\" }} }}");
        let wanted = stops.then(|| now() + HOUR + Millis::from_mins(11));
        assert_eq!(denied(&rest), wanted, "{event} {key}");
    }
}

#[test]
fn an_unknown_place_is_never_within_hours() {
    let rules = only("jurisdiction = \"*\"\nis = { hours = { week = \"daily 00:00-24:00\" } }");
    let nowhere = Place::default();
    assert_eq!(until(&rules, &sales(&nowhere), now()), Some(Timestamp::NEVER));
    assert_eq!(until(&rules, &sales(&dallas()), now()), None);
    let elsewhere = only("jurisdiction = \"else\"\nis = { suppression = { unknown-place = {} } }");
    assert_eq!(until(&elsewhere, &sales(&nowhere), now()), Some(Timestamp::NEVER));
}

#[test]
fn a_states_own_hours_stand_for_its_country() {
    let world = rule("world", "jurisdiction = \"else\"\nis = { hours = { week = \"mon-fri 09:00-10:00\" } }");
    let texas = rule("texas", "jurisdiction = \"US-TX\"\nis = { hours = { week = \"daily 08:00-21:00\" } }");
    let florida = rule("florida", "jurisdiction = \"US-FL\"\nis = { hours = { week = \"daily 08:00-21:00\" } }");
    let place = dallas();
    let judged = |text: String| {
        let rules = CompiledRules::compile(&[overlay(&format!("covers = [\"US\"]\n{text}"))]).expect("fine");
        let (number, person) = nothing();
        let history = History { number: &number, person: &person };
        let found = explain(&sales(&place), &rules, history, now());
        found.into_iter().map(|f| (f.rule.to_string(), f.denied_until.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(judged(format!("{world}{texas}")), [("texas".to_owned(), false)]);
    assert_eq!(judged(format!("{world}{florida}")), [("world".to_owned(), true)], "another state's are no help");
}

#[test]
fn the_evidence_of_a_played_message_is_of_that_voice_and_instant() {
    let rules = only("when = { voice = [\"voicemail\"] }\nis = { hours = { week = \"daily 08:00-21:00\" } }");
    let place = dallas();
    let subject = Subject { ring_max: Millis::from_secs(25), ..sales(&place) };
    let (number, person) = nothing();
    let history = History { number: &number, person: &person };
    let Verdict::Allowed(evidence) = may_play(&subject, &rules, history, Voice::Voicemail, now()) else {
        panic!("noon")
    };
    assert_eq!(evidence.at(), now());
    let record = evidence.render();
    assert_eq!((record.voice, record.rules.len()), (Voice::Voicemail, 1));
    assert_eq!(record.local_times[0].from, "2026-11-24 12:00:00 -06:00");
    assert_eq!(record.local_times[0].to, "2026-11-24 12:00:25 -06:00");
    let night = instant("2026-11-24T22:00:00-06:00");
    assert!(!may_play(&subject, &rules, history, Voice::Voicemail, night).is_allowed());
    let Verdict::Allowed(call) = may_call(&subject, &rules, history, night) else { panic!("the rule is for messages") };
    assert_eq!((call.render().voice, call.render().rules.len()), (Voice::Agent, 0));
}

#[test]
fn each_ending_starts_the_rest_that_it_names() {
    let (dialled, ended) = (now() - HOUR, now() - HOUR + Millis::from_mins(2));
    for happened in Happened::ALL {
        let mut row = NumberHistory::default();
        row.settled(happened, dialled, ended);
        let latest = row.attempts.latest();
        let is = |event: Option<Timestamp>| event == Some(ended);
        assert!(is(latest.attempt), "{happened:?}");
        let talked = matches!(happened, Happened::Conversation | Happened::Refused);
        assert_eq!((is(latest.conversation), latest.conversation.is_some()), (talked, talked), "{happened:?}");
        let machine = matches!(happened, Happened::Machine | Happened::MessageLeft);
        assert_eq!((is(latest.machine), latest.machine.is_some()), (machine, machine), "{happened:?}");
        assert_eq!(is(latest.abandoned), happened == Happened::Abandoned);
        assert_eq!(is(latest.refused), happened == Happened::Refused);
        // An end that is said to lie before the dial counts from the dial.
        row.settled(happened, now(), dialled);
        assert_eq!(row.attempts.latest().attempt, Some(now()));
    }
}

#[test]
fn attempts_are_forgotten_after_a_month() {
    let month = Millis::from_days(31);
    let kept = |age: Millis| {
        let mut row = NumberHistory::default();
        row.attempted(now() - age);
        row.attempted(now());
        row.attempts.list().len()
    };
    assert_eq!((kept(month - MS), kept(month)), (2, 1));
    // Of more than fit, the newest that fell out is remembered as long.
    let mut row = NumberHistory::default();
    for minute in 0..33 {
        row.attempted(now() + Millis::from_mins(minute));
    }
    let all = autocall_core::permission::history::HappenedSet::ALL;
    let capped = |row: &NumberHistory, at| row.attempts.capped_until(40, all, month, at);
    assert_eq!(capped(&row, now() + HOUR), Some(now() + month));
    let mut later = row.clone();
    later.attempted(now() + month - MS);
    assert_eq!(capped(&later, now() + HOUR), Some(now() + Millis::from_mins(1) + month), "one more fell out");
    row.attempted(now() + month + Millis::from_mins(40));
    assert_eq!((row.attempts.list().len(), capped(&row, now() + HOUR)), (1, None));
    assert_eq!(row.attempts.capped_until(0, all, month, now()), Some(Timestamp::NEVER), "a cap of none");
    assert_eq!(row.attempts.count(all, month, now() + month + HOUR), 1);
}
