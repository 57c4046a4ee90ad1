//! Rules in words: for `docs/compliance.md`, the console and reports.

use super::rule::{AbandonWindow, Event, HoursOf, Key, Kind, List, RecordingMode, RevocationReading, Rule, Span};
use super::schedule::{parse_spans, parse_week, spans_text};
use super::subject::{ConsentClass, Voice};

/// What a rule of this kind says, in one line.
pub fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Hours { of: Some(HoursOf::Campaign), .. } => "the campaign's own hours".into(),
        Kind::Hours { of: Some(HoursOf::Person), .. } => "the hours that the person asked for".into(),
        Kind::Hours { week: text, holidays, holiday_hours, zone, of: None } => {
            let mut out = week(text);
            if let Some(calendar) = holidays {
                let hours = holiday_hours.as_deref().and_then(|h| parse_spans(h).ok()).unwrap_or_default();
                out.push_str(&format!("; holidays ({calendar}) {}", spans_text(&hours)));
            }
            if let Some(zone) = zone {
                out.push_str(&format!("; on the clock of {zone}"));
            }
            out
        }
        Kind::AttemptCap { most, per, key, not_counted } => {
            let mut out = format!("at most {most} attempts per {} in any {per}", self::key(*key));
            if !not_counted.is_empty() {
                let names: Vec<String> = not_counted.iter().map(|h| word(h).replace('_', " ")).collect();
                out.push_str(&format!(", not counting {}", names.join(", ")));
            }
            out
        }
        Kind::CooldownAfter { event, rest, key } => {
            format!("{rest} of rest for the {} after {}", self::key(*key), self::event(*event))
        }
        Kind::Suppression(of) => list(of),
        Kind::ConsentRequired(needed) => {
            let class = match needed.class {
                ConsentClass::Express => "express",
                ConsentClass::Written => "written",
            };
            let mut out = format!("no call without {class} consent");
            if needed.recorded_voice {
                out.push_str(" to recorded voice");
            }
            if needed.automated {
                out.push_str(" to automated calls");
            }
            out
        }
        Kind::AbandonCap { .. }
        | Kind::MinRing { .. }
        | Kind::ConnectDeadline { .. }
        | Kind::AbandonMessage { .. }
        | Kind::DisclosureTimer { .. }
        | Kind::RecordingMode { .. }
        | Kind::Retention { .. } => duty(kind),
    }
}

fn duty(kind: &Kind) -> String {
    match kind {
        Kind::AbandonCap { rate, window, misjudged_count, late_counts } => {
            let window = match window {
                AbandonWindow::Day => "day",
                AbandonWindow::Tumbling30d => "30 days",
                AbandonWindow::Month => "calendar month",
            };
            let percent = (rate * 10_000.0).round() / 100.0;
            let mut out = format!("at most {percent} % of answered calls, per {window}");
            if *late_counts {
                out.push_str("; late connections count");
            }
            if *misjudged_count {
                out.push_str("; people misjudged as machines count");
            }
            out
        }
        Kind::MinRing { ring } => format!("at least {ring}"),
        Kind::ConnectDeadline { within } => format!("an agent within {within}"),
        Kind::AbandonMessage { within, must_say, interactive_opt_out } => {
            let tail = if *interactive_opt_out { "; the opt-out works at once" } else { "" };
            format!("a message within {within} that says {}{tail}", must_say.join(", "))
        }
        Kind::DisclosureTimer { within, must_say, end_within } => {
            let tail = end_within.map_or(String::new(), |end| format!("; hang up within {end} when asked"));
            format!("{} within {within}{tail}", must_say.join(", "))
        }
        Kind::RecordingMode { mode } => match mode {
            RecordingMode::OneParty => "one party suffices".into(),
            RecordingMode::Announce => "an announcement".into(),
            RecordingMode::Consent => "an explicit yes".into(),
        },
        Kind::Retention { record, keep } => format!("{record} records for {keep}"),
        _ => String::new(),
    }
}

fn list(list: &List) -> String {
    match list {
        List::Registry { name, age_max } => {
            format!("not if listed in {name}; not at all without a copy of it at most {age_max} old")
        }
        List::Tenant {} => "not if on the tenant's own list".into(),
        List::Campaign {} => "not if on the campaign's own list".into(),
        List::Revoked { read: RevocationReading::Everything } => "not after any revocation or objection".into(),
        List::Revoked { read: RevocationReading::WhatItNames } => "not after a revocation that names such calls".into(),
        List::Reassigned { age_max: None } => "not if a reassigned-number check said yes".into(),
        List::Reassigned { age_max: Some(age) } => {
            format!("not without a reassigned-number check of the last {age} that did not say yes")
        }
        List::Resting {} => "not while the number or person rests".into(),
        List::UnknownPlace {} => "not if the time zone is not known".into(),
    }
}

/// A week as people read it; days with the same hours together.
fn week(text: &str) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let Ok(week) = parse_week(text) else { return text.to_owned() };
    let mut parts: Vec<String> = Vec::new();
    let mut day = 0;
    while day < 7 {
        let same = (day..7).take_while(|next| week[*next] == week[day]).count();
        let days = if same == 1 { DAYS[day].to_owned() } else { format!("{}-{}", DAYS[day], DAYS[day + same - 1]) };
        parts.push(format!("{days} {}", spans_text(&week[day])));
        day += same;
    }
    parts.join("; ")
}

fn key(key: Key) -> &'static str {
    match key {
        Key::Number => "number",
        Key::Person => "person and subject",
    }
}

fn event(event: Event) -> &'static str {
    match event {
        Event::Conversation => "a conversation",
        Event::Abandoned => "an abandoned call",
        Event::Machine => "a call that a machine answered",
        Event::Refused => "a refusal",
        Event::Attempt => "an attempt",
    }
}

/// To which calls a rule applies and what lifts it, in one line; empty if to all.
pub fn scope(rule: &Rule) -> String {
    let when = &rule.when;
    let mut parts = Vec::new();
    let names = |words: Vec<String>| words.join(", ").replace('_', " ");
    if !when.purpose.is_empty() {
        parts.push(names(when.purpose.iter().map(word).collect()));
    }
    if !when.party.is_empty() {
        parts.push(format!("to {}", names(when.party.iter().map(word).collect())));
    }
    if !when.line.is_empty() {
        parts.push(format!("on {} lines", names(when.line.iter().map(word).collect())));
    }
    if !when.voice.is_empty() {
        let voices = when.voice.iter().map(|v| match v {
            Voice::Agent => "live agent",
            Voice::Agentless => "message campaign",
            Voice::Voicemail => "voicemail message",
            Voice::Abandonment => "abandonment message",
        });
        parts.push(voices.collect::<Vec<_>>().join(", "));
    }
    if !when.dialing.is_empty() {
        parts.push(names(when.dialing.iter().map(word).collect()));
    }
    let unless = &rule.unless;
    let mut lifted = Vec::new();
    if let Some(class) = unless.consent {
        lifted.push(format!("{} consent", word(&class)));
    }
    if unless.any_hour {
        lifted.push("consent to calls at any hour".to_owned());
    }
    let within = |what: &str, span: Option<Span>| span.map(|s| format!("{what} within {s}"));
    lifted.extend(within("a purchase", unless.purchase_within));
    lifted.extend(within("an inquiry", unless.inquiry_within));
    if unless.agent_guaranteed {
        lifted.push("an agent who is guaranteed".to_owned());
    }
    if !lifted.is_empty() {
        parts.push(format!("unless {}", lifted.join(" or ")));
    }
    parts.join("; ")
}

/// The name of a value as rule files write it.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
