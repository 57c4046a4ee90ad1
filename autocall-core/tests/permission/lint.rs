//! The linter: every problem at once, each with the rule and a remedy.

use autocall_core::permission::rule::Pack;
use autocall_core::permission::{CompiledRules, Severity, lint, presets};

fn overlay(text: &str) -> Pack {
    let head = "id = \"mine\"\nversion = \"1\"\ntitle = \"Mine\"\n";
    Pack::parse(&format!("{head}{text}")).unwrap_or_else(|e| panic!("{e}"))
}

fn rule(id: &str, rest: &str) -> String {
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
    let word = |s| if s == Severity::Error { "error" } else { "warning" };
    lint(&packs).into_iter().map(|p| format!("{} {}: {}", word(p.severity), p.rules.join(","), p.message)).collect()
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
