//! `rules.txt`: every shipped rule with its citation, judged by itself.

use crate::case::{Case, instant};
use autocall_core::permission::rule::Reading;
use autocall_core::permission::{CompiledRules, History, RuleId, describe, duties, explain, may_call, presets};
use autocall_core::{Millis, Timestamp};
use std::collections::BTreeSet;

struct Row<'a> {
    rule: &'a str,
    citation: &'a str,
    number: &'a str,
    how: &'a str,
    at: Timestamp,
    answer: &'a str,
    line: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let lines = include_str!("rules.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [rule, citation, number, how, at, answer] = cells[..] else { panic!("six cells: {line}") };
            Row { rule, citation, number, how, at: instant(at), answer, line }
        })
        .collect()
}

fn everything() -> CompiledRules {
    presets::compile("safe-national", Vec::new()).expect("known").expect("compiles")
}

/// What the rule answers, in the words of the table.
fn answer(rules: &CompiledRules, case: &Case, rule: &str, at: Timestamp) -> String {
    case.with(|subject| {
        let history = History { number: &case.number, person: &case.person };
        let copy = format!("{rule}/copy");
        let findings = explain(subject, rules, history, at);
        if let Some(found) = findings.iter().find(|f| f.rule.as_str() == rule || f.rule.as_str() == copy) {
            let tail = if found.rule.as_str() == copy { " /copy" } else { "" };
            return match found.denied_until {
                None => "yes".into(),
                Some(until) => format!("no until {until}{tail}"),
            };
        }
        let asked = duties(subject, rules, at);
        let source = rules.rule(&RuleId::new(rule));
        match source.filter(|_| asked.rules.iter().any(|(id, _)| id.as_str() == rule)) {
            Some(source) => format!("duty {}", describe::kind(&source.is)),
            None => "silent".into(),
        }
    })
}

#[test]
fn every_rule_answers_as_the_table_says() {
    let rules = everything();
    let mut wrong = Vec::new();
    for row in rows() {
        let case = Case::read(row.number, row.how);
        let got = answer(&rules, &case, row.rule, row.at);
        let wanted = match row.answer.strip_prefix("no until ") {
            Some(rest) => {
                let (until, tail) = rest.split_once(' ').map_or((rest, ""), |(until, _)| (until, " /copy"));
                format!("no until {}{tail}", instant(until))
            }
            None => row.answer.to_owned(),
        };
        if got != wanted {
            wrong.push(format!("{}\n    got {got}", row.line));
        }
        let source = rules.rule(&RuleId::new(row.rule)).unwrap_or_else(|| panic!("no rule {}", row.rule));
        assert_eq!(source.citation, row.citation, "{}", row.rule);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_end_is_exact_to_the_millisecond() {
    let rules = everything();
    let mut checked = 0;
    for row in rows() {
        let Some(until) = row.answer.strip_prefix("no until ").map(|rest| rest.split(' ').next().unwrap_or(rest))
        else {
            continue;
        };
        let until = instant(until);
        if until == Timestamp::NEVER {
            continue;
        }
        let case = Case::read(row.number, row.how);
        let before = answer(&rules, &case, row.rule, until - Millis::from_ms(1));
        assert_eq!(before, format!("no until {until}"), "{}", row.line);
        assert_eq!(answer(&rules, &case, row.rule, until), "yes", "{}", row.line);
        checked += 1;
    }
    assert!(checked > 130, "only {checked}");
}

#[test]
fn every_shipped_rule_is_in_the_table_or_off() {
    let rows = rows();
    let tested: BTreeSet<&str> = rows.iter().map(|row| row.rule).collect();
    let mut off = Vec::new();
    for pack in presets::shipped() {
        for rule in pack.rules {
            if rule.reading == Some(Reading::Off) {
                off.push(rule.id);
                continue;
            }
            assert!(tested.contains(rule.id.as_str()), "{} has no case", rule.id);
            if rule.is.decides() {
                let says = |what: &str| rows.iter().any(|r| r.rule == rule.id && r.answer.starts_with(what));
                assert!(says("no until"), "{} never denies in the table", rule.id);
                assert!(says("yes"), "{} never allows in the table", rule.id);
            }
        }
    }
    assert_eq!(off, ["us.tcpa.autodialer", "us.pa.saturday"]);
}

#[test]
fn a_whole_verdict_names_the_longest_denial_and_when_all_agree() {
    let rules = everything();
    // Tuesday 22:00 in Dallas after two tries in the last hour: hours deny until 10:00 (safe-national).
    let case = Case::read("+12145550123", "service @2026-11-24T21:30-06:00=no_answer @2026-11-24T21:40-06:00=machine");
    case.with(|subject| {
        let history = History { number: &case.number, person: &case.person };
        let at = instant("2026-11-24T22:00:00-06:00");
        let verdict = may_call(subject, &rules, history, at);
        let denied = verdict.denied().expect("night");
        assert_eq!(denied.rule.as_str(), "safe.us.hours");
        assert_eq!(denied.until, instant("2026-11-25T10:00:00-06:00"));
        assert_eq!(denied.callable_at, denied.until);
        let allowed = may_call(subject, &rules, history, denied.callable_at);
        let autocall_core::permission::Verdict::Allowed(evidence) = allowed else { panic!("{allowed:?}") };
        let record = evidence.render();
        assert_eq!(record.local_times[0].from, "2026-11-25 10:00:00 -06:00");
        assert_eq!((record.number.h24, record.person.d7), (2, 2));
        assert!(record.rules.iter().any(|r| r.as_str() == "us.fcc.redial"));
        assert!(record.packs.iter().any(|p| p.id == "us-federal"));
        let text = serde_json::to_string(&record).expect("plain data");
        assert!(!text.contains("2145550123"), "the evidence holds no number");
    });
    // A cap that opens at night is not the end of the wait.
    let case = Case::read(
        "+13055550123",
        "sales manual registry=us-national,2026-11-20T00:00Z,clear @2026-11-23T22:30-05:00=no_answer \
         @2026-11-24T15:00-05:00=no_answer @2026-11-24T16:00-05:00=no_answer",
    );
    case.with(|subject| {
        let history = History { number: &case.number, person: &case.person };
        let verdict = may_call(subject, &rules, history, instant("2026-11-24T17:00:00-05:00"));
        let denied = verdict.denied().expect("three a day");
        assert_eq!(denied.rule.as_str(), "us.fl.three-a-day", "of equals the state's own");
        assert_eq!(denied.until, instant("2026-11-24T22:30:00-05:00"));
        assert_eq!(denied.callable_at, instant("2026-11-25T10:00:00-05:00"));
    });
}

#[test]
fn a_covered_country_whose_pack_is_silent_gets_the_conservative_hours() {
    let rules = presets::compile("us-sales", Vec::new()).expect("known").expect("compiles");
    let service = Case::read("+12145550123", "service ring=0");
    let sunday = instant("2026-11-29T12:00:00-06:00");
    assert_eq!(
        answer(&rules, &service, "world.hours", sunday),
        format!("no until {}", instant("2026-11-30T09:00:00-06:00"))
    );
    let sales = Case::read("+12145550123", "sales ring=0");
    assert_eq!(answer(&rules, &sales, "world.hours", sunday), "silent");
    // And a country that no pack of the preset covers gets the rest of the conservative rules too.
    let london = Case::read("+442071234567", "sales ring=0 @2026-11-28T12:00+00:00=abandoned");
    assert!(answer(&rules, &london, "world.after-abandoned", sunday).starts_with("no until"));
}
