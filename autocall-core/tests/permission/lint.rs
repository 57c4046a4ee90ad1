//! The linter: every problem at once, each with the rule and a remedy.

use autocall_core::permission::rule::Pack;
use autocall_core::permission::{CompiledRules, Severity, lint, presets};

pub(crate) fn overlay(text: &str) -> Pack {
    let head = "id = \"mine\"\nversion = \"1\"\ntitle = \"Mine\"\n";
    Pack::parse(&format!("{head}{text}")).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn rule(id: &str, rest: &str) -> String {
    let head = format!("[[rule]]\nid = \"{id}\"\ntitle = \"t\"\n");
    let defaults = [
        ("jurisdiction", "\"US\""),
        ("citation", "\"ours\""),
        ("status", "\"confirmed\""),
        ("verified_on", "\"2026-11-22\""),
    ];
    let given = |key: &str| rest.lines().any(|line| line.starts_with(&format!("{key} =")));
    let defaults = defaults.iter().filter(|(key, _)| !given(key)).map(|(key, value)| format!("{key} = {value}\n"));
    format!("{head}{}{rest}\n", defaults.collect::<String>())
}

/// Problems of an overlay over us-sales, as `severity rule: message`.
fn problems(text: &str) -> Vec<String> {
    let mut packs = presets::packs("us-sales").expect("known");
    packs.push(overlay(text));
    problems_of(&packs)
}

fn problems_of(packs: &[Pack]) -> Vec<String> {
    let word = |s| if s == Severity::Error { "error" } else { "warning" };
    lint(packs).into_iter().map(|p| format!("{} {}: {}", word(p.severity), p.rules.join(","), p.message)).collect()
}

/// Problems of a pack by itself.
fn alone(text: &str) -> Vec<String> {
    problems_of(&[overlay(text)])
}

/// Problems of a pack with this rule over one with the rule that it replaces.
fn replaced(old: &str, new: &str) -> Vec<String> {
    let base = Pack { id: "base".into(), ..overlay(&rule("x", old)) };
    problems_of(&[base, overlay(&rule("x", new))])
}

#[test]
fn each_mistake_is_found_and_named() {
    let hours = |week: &str| format!("is = {{ hours = {{ week = \"{week}\" }} }}");
    for (text, found) in [
        (rule("x", &hours("mon 9-17")), "error x: week: expected a time as HH:MM"),
        (rule("x", &hours("")), "error x: the week is closed on every day"),
        (
            rule("x", "jurisdiction = \"US-XX\"\nis = { min-ring = { ring = \"15s\" } }"),
            "error x: unknown jurisdiction",
        ),
        (rule("x", "citation = \" \"\nis = { min-ring = { ring = \"15s\" } }"), "error x: a rule needs a citation"),
        (
            rule("x", "status = \"unconfirmed\"\nis = { min-ring = { ring = \"15s\" } }"),
            "error x: an unconfirmed rule must say how",
        ),
        (
            rule("x", "status = \"unconfirmed\"\nreading = \"off\"\nis = { min-ring = { ring = \"15s\" } }"),
            "error x: an unconfirmed rule must say so",
        ),
        (
            rule(
                "x",
                "effective_from = \"2026-01-02\"\neffective_to = \"2026-01-01\"\nis = { min-ring = { ring = \"15s\" } }",
            ),
            "error x: it ends on 2026-01-01, before it starts",
        ),
        (
            rule("x", "is = { hours = { week = \"mon 09:00-17:00\", holidays = \"moon\" } }"),
            "error x: no calendar is called",
        ),
        (rule("x", "is = { attempt-cap = { most = 0, per = \"1h\", key = \"number\" } }"), "error x: a cap of 0"),
        (
            rule("x", "is = { attempt-cap = { most = 33, per = \"1h\", key = \"number\" } }"),
            "error x: history keeps 32",
        ),
        (
            rule("x", "is = { attempt-cap = { most = 3, per = \"32d\", key = \"number\" } }"),
            "error x: history keeps 32",
        ),
        (rule("x", "is = { abandon-cap = { rate = 3.0, window = \"day\" } }"), "error x: the rate is a share"),
        (rule("house.revoked", "is = { suppression = { tenant = {} } }"), "error house.revoked: this rule carries out"),
        (rule("house.mine", "is = { suppression = { tenant = {} } }"), "error house.mine: ids that begin with house."),
        (rule("Bad Id", "is = { suppression = { tenant = {} } }"), "error Bad Id: an id is made of"),
        ("[[off]]\nid = \"house.resting\"\nreason = \"no\"\n".into(), "error house.resting: this rule carries out"),
        ("[[off]]\nid = \"us.nothing\"\nreason = \"no\"\n".into(), "error us.nothing: there is no such rule"),
        ("[[off]]\nid = \"us.fl.hours\"\nreason = \" \"\n".into(), "error us.fl.hours: say why"),
        (
            "[[off]]\nid = \"us.fl.hours\"\nreason = \"B2B only\"\n".into(),
            "warning us.fl.hours: switched off: B2B only",
        ),
        (
            rule("us.fl.hours", "jurisdiction = \"US-FL\"\nis = { hours = { week = \"daily 08:00-21:00\" } }"),
            "warning us.fl.hours: replaces the rule of pack us-states and is looser: it opens hours",
        ),
        (
            rule(
                "us.fl.three-a-day",
                "jurisdiction = \"US-FL\"\nis = { attempt-cap = { most = 4, per = \"24h\", key = \"person\" } }",
            ),
            "warning us.fl.three-a-day: replaces the rule of pack us-states and is looser: 4 in 24 hours",
        ),
        (
            rule(
                "x",
                "jurisdiction = \"US-RI\"\nwhen = { purpose = [\"sales\"] }\nis = { hours = { week = \"sun 09:00-17:00\" } }",
            ),
            "warning x,us.ri.hours: together they leave no hour of the week",
        ),
    ] {
        let all = problems(&text);
        assert!(all.iter().any(|p| p.starts_with(found)), "wanted {found}\ngot {all:#?}");
    }
    let stricter = rule("us.fl.hours", "jurisdiction = \"US-FL\"\nis = { hours = { week = \"daily 10:00-18:00\" } }");
    assert_eq!(problems(&stricter), Vec::<String>::new(), "a stricter rule needs no warning");
}

#[test]
fn every_problem_is_returned_and_errors_stop_the_compilation() {
    let text = format!(
        "{}{}",
        rule(
            "a",
            "citation = \"\"\njurisdiction = \"XX9\"\nis = { attempt-cap = { most = 0, per = \"40d\", key = \"person\" } }"
        ),
        rule("b", "is = { abandon-cap = { rate = 0.0, window = \"month\" } }"),
    );
    assert_eq!(problems(&text).len(), 5, "{:#?}", problems(&text));
    let mut packs = presets::packs("us-sales").expect("known");
    packs.push(overlay(&text));
    assert_eq!(CompiledRules::compile(&packs).expect_err("errors").len(), 5);
}

#[test]
fn a_file_with_an_unknown_field_is_refused_with_its_line() {
    let wrong = "id = \"x\"\nversion = \"1\"\ntitle = \"t\"\ncolour = \"red\"\n";
    let error = Pack::parse(wrong).expect_err("unknown field").to_string();
    assert!(error.contains("line 4") && error.contains("colour"), "{error}");
}

#[test]
fn mistakes_in_calendars_lists_and_messages_are_named() {
    let day = "days = [{ is = \"date\", month = 12, day = 25 }]\n";
    let ring = rule("x", "is = { min-ring = { ring = \"15s\" } }");
    for (text, found) in [
        (format!("covers = [\"USA\"]\n{ring}"), "error covers: \"USA\" is not a two-letter country code"),
        (format!("{ring}{ring}"), "error x: the id is used twice"),
        (rule("", "is = { min-ring = { ring = \"15s\" } }"), "error : an id is made of small letters"),
        (format!("[[calendar]]\nname = \"c\"\nwith = \"moon\"\n{day}"), "error c: calendar \"moon\" is not defined"),
        (
            format!("[[calendar]]\nname = \"c\"\n{day}[[calendar]]\nname = \"c\"\n{day}"),
            "error c: the calendar is defined twice",
        ),
        (
            "[[calendar]]\nname = \"c\"\ndays = [{ is = \"date\", month = 2, day = 30 }]\n".to_owned(),
            "error c: a day of the calendar falls in no year",
        ),
        (
            rule("x", "is = { hours = { week = \"mon 09:00-17:00\", of = \"person\" } }"),
            "error x: give a week or `of`, not both",
        ),
        (
            format!(
                "[[calendar]]\nname = \"c\"\n{day}{}",
                rule(
                    "x",
                    "is = { hours = { week = \"mon 09:00-17:00\", holidays = \"c\", holiday_hours = \"9-12\" } }"
                )
            ),
            "error x: holiday_hours: expected a time as HH:MM",
        ),
        (
            rule("x", "is = { hours = { week = \"mon 09:00-17:00\", holiday_hours = \"09:00-12:00\" } }"),
            "error x: holiday_hours without holidays",
        ),
        (
            rule("x", "is = { suppression = { registry = { name = \"\", age_max = \"31d\" } } }"),
            "error x: a registry needs a name",
        ),
        (
            rule("x", "is = { suppression = { registry = { name = \"r\", age_max = \"0d\" } } }"),
            "error x: a registry needs a name",
        ),
        (rule("x", "is = { abandon-cap = { rate = 1.0, window = \"day\" } }"), "error x: the rate is a share"),
        (
            rule(
                "x",
                "when = { voice = [\"voicemail\"] }\nis = { attempt-cap = { most = 1, per = \"1d\", key = \"number\" } }",
            ),
            "warning x: a cap or cool-down for a message inside a call",
        ),
        (
            rule(
                "x",
                "when = { voice = [\"abandonment\"] }\n\
                 is = { cooldown-after = { event = \"attempt\", rest = \"1d\", key = \"number\" } }",
            ),
            "warning x: a cap or cool-down for a message inside a call",
        ),
    ] {
        let all = alone(&text);
        assert!(all.len() == 1 && all[0].starts_with(found), "wanted only {found}\ngot {all:#?}");
    }
}

#[test]
fn what_is_just_within_bounds_is_no_mistake() {
    for text in [
        rule("a-1.b", "is = { attempt-cap = { most = 32, per = \"31d\", key = \"number\" } }"),
        rule(
            "x",
            "effective_from = \"2026-01-01\"\neffective_to = \"2026-01-01\"\nis = { min-ring = { ring = \"15s\" } }",
        ),
        "[[calendar]]\nname = \"leap\"\ndays = [{ is = \"date\", month = 2, day = 29 }]\n".to_owned(),
        "[[calendar]]\nname = \"a\"\ndays = []\n[[calendar]]\nname = \"b\"\nwith = \"a\"\ndays = []\n".to_owned(),
        rule(
            "x",
            "status = \"unconfirmed\"\nreading = \"off\"\nnote = \"ask\"\nis = { min-ring = { ring = \"15s\" } }",
        ),
        rule("x", "when = { voice = [\"voicemail\"] }\nis = { hours = { week = \"daily 09:00-17:00\" } }"),
        rule("x", "is = { hours = { of = \"campaign\" } }"),
        rule("x", "is = { abandon-cap = { rate = 0.03, window = \"day\" } }"),
    ] {
        assert_eq!(alone(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_looser_rule_is_told_from_a_stricter_one() {
    let cap = |most: u8, per: &str| {
        format!("is = {{ attempt-cap = {{ most = {most}, per = \"{per}\", key = \"number\" }} }}")
    };
    let rest = |rest: &str| {
        format!("is = {{ cooldown-after = {{ event = \"attempt\", rest = \"{rest}\", key = \"number\" }} }}")
    };
    let registry =
        |age: &str| format!("is = {{ suppression = {{ registry = {{ name = \"r\", age_max = \"{age}\" }} }} }}");
    let hours = |week: &str| format!("is = {{ hours = {{ week = \"{week}\" }} }}");
    let off = |is: String| format!("status = \"unconfirmed\"\nreading = \"off\"\nnote = \"n\"\n{is}");
    for (old, new, why) in [
        (cap(3, "24h"), cap(4, "24h"), "4 in 24 hours instead of 3 in 24 hours"),
        (cap(3, "24h"), cap(3, "12h"), "3 in 12 hours instead of 3 in 24 hours"),
        (rest("7d"), rest("6d"), "6 days instead of 7 days"),
        (registry("31d"), registry("32d"), "a copy may be 32 days old instead of 31 days"),
        (hours("daily 09:00-17:00"), hours("daily 09:00-17:01"), "it opens hours that were closed"),
        (hours("daily 09:00-17:00"), cap(3, "24h"), "it is attempt-cap instead of hours"),
        (cap(3, "24h"), off(cap(3, "24h")), "it is off"),
    ] {
        let found = replaced(&old, &new);
        let wanted = format!("warning x: replaces the rule of pack base and is looser: {why}");
        assert_eq!(found, [wanted], "{old} -> {new}");
    }
    for (old, new) in [
        (cap(3, "24h"), cap(3, "24h")),
        (cap(3, "24h"), cap(2, "48h")),
        (rest("7d"), rest("7d")),
        (rest("7d"), rest("8d")),
        (registry("31d"), registry("31d")),
        (registry("31d"), registry("30d")),
        (hours("daily 09:00-17:00"), hours("daily 10:00-12:00")),
        (off(cap(3, "24h")), off(cap(3, "24h"))),
        ("is = { suppression = { tenant = {} } }".to_owned(), "is = { suppression = { campaign = {} } }".to_owned()),
    ] {
        assert_eq!(replaced(&old, &new), Vec::<String>::new(), "{old} -> {new}");
    }
}

#[test]
fn hours_conflict_only_where_the_rules_meet() {
    let pair = |places: [&str; 2], whens: [&str; 2], weeks: [&str; 2]| {
        let one = |i: usize| {
            rule(
                ["a", "b"][i],
                &format!(
                    "jurisdiction = \"{}\"\nwhen = {{ {} }}\nis = {{ hours = {{ week = \"{}\" }} }}",
                    places[i], whens[i], weeks[i]
                ),
            )
        };
        !alone(&format!("{}{}", one(0), one(1))).is_empty()
    };
    let apart = ["mon 09:00-12:00", "mon 12:00-17:00"];
    for places in [["US-RI", "US-RI"], ["US", "US-RI"], ["US-RI", "US"], ["*", "US-RI"], ["US-RI", "*"], ["*", "*"]] {
        assert!(pair(places, ["", ""], apart), "{places:?} meet");
    }
    for places in [["US-RI", "US-CT"], ["US", "CA"], ["US", "FR"]] {
        assert!(!pair(places, ["", ""], apart), "{places:?} do not meet");
    }
    let us = ["US", "US"];
    assert!(!pair(us, ["", ""], ["mon 09:00-12:00", "mon 11:59-17:00"]), "a minute is left");
    assert!(pair(us, ["purpose = [\"sales\"]", ""], apart), "of every purpose, sales is one");
    assert!(pair(us, ["", "purpose = [\"sales\"]"], apart));
    assert!(pair(us, ["purpose = [\"sales\", \"survey\"]", "purpose = [\"survey\"]"], apart));
    for (key, one, other) in [
        ("purpose", "sales", "survey"),
        ("party", "consumer", "business"),
        ("line", "mobile", "landline"),
        ("voice", "agent", "agentless"),
        ("dialing", "manual", "automated"),
    ] {
        let when = |value: &str| format!("{key} = [\"{value}\"]");
        assert!(!pair(us, [&when(one), &when(other)], apart), "no call is both {one} and {other}");
        assert!(pair(us, [&when(one), &when(one)], apart));
    }
}

#[test]
fn a_problem_says_how_bad_it_is_and_where() {
    let all = lint(&[overlay(&rule("x", "citation = \"\"\nis = { min-ring = { ring = \"15s\" } }"))]);
    assert!(all.len() == 1 && all[0].is_error());
    assert!(all[0].to_string().starts_with("error: x in pack mine: a rule needs a citation"), "{}", all[0]);
    let mut packs = presets::packs("us-sales").expect("known");
    packs.push(overlay("[[off]]\nid = \"us.fl.hours\"\nreason = \"B2B only\"\n"));
    let all = lint(&packs);
    assert!(all.len() == 1 && !all[0].is_error());
    assert_eq!(all[0].to_string(), "warning: us.fl.hours in pack mine: switched off: B2B only");
    let rules = CompiledRules::compile(&packs).expect("a warning stops nothing");
    assert_eq!(rules.warnings(), all);
    assert_eq!(rules.switched_off().iter().map(|off| off.id.as_str()).collect::<Vec<_>>(), ["us.fl.hours"]);
    assert!(rules.rules().all(|rule| rule.id != "us.fl.hours"), "and the rule is gone");
}
