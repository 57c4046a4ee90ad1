//! The linter of rule packs: everything that is wrong or worth knowing, not just the first thing.

use super::compile::Jurisdiction;
use super::history::{ATTEMPT_KEPT_FOR, ATTEMPTS_KEPT};
use super::hours::DaySpans;
use super::rule::{Kind, List, Pack, Reading, Rule, Status};
use super::schedule::{parse_spans, parse_week};
use super::subject::Voice;
use crate::zones::Country;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Works, but a person should know.
    Warning,
    /// The packs cannot be used.
    Error,
}

/// One finding of the linter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The pack that it is in.
    pub pack: String,
    /// The rules that it is about.
    pub rules: Vec<String>,
    /// What is the matter and what to do.
    pub message: String,
}

impl Problem {
    /// Whether the packs cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_error() { "error" } else { "warning" };
        write!(f, "{word}: {} in pack {}: {}", self.rules.join(", "), self.pack, self.message)
    }
}

/// Rules that nothing may switch off or replace: they carry out the people's own no.
const UNTOUCHABLE: &str = "house.";
/// The pack in which they are defined.
pub(super) const HOUSE: &str = "house";

struct Lint<'a> {
    out: Vec<Problem>,
    pack: &'a Pack,
}

impl Lint<'_> {
    fn say(&mut self, severity: Severity, rules: &[&str], message: impl Into<String>) {
        self.out.push(Problem {
            severity,
            pack: self.pack.id.clone(),
            rules: rules.iter().map(|r| (*r).to_owned()).collect(),
            message: message.into(),
        });
    }
    fn error(&mut self, rule: &str, message: impl Into<String>) {
        self.say(Severity::Error, &[rule], message);
    }
    fn warn(&mut self, rule: &str, message: impl Into<String>) {
        self.say(Severity::Warning, &[rule], message);
    }
}

/// Checks packs as a whole, in the order in which they override each other.
pub fn check(packs: &[Pack]) -> Vec<Problem> {
    let mut out = Vec::new();
    let mut known: BTreeMap<&str, (&Rule, &Pack)> = BTreeMap::new();
    let mut calendar_names: BTreeSet<String> = BTreeSet::new();
    for pack in packs {
        let mut lint = Lint { out: Vec::new(), pack };
        check_pack(&mut lint, &mut calendar_names);
        for rule in &pack.rules {
            check_rule(&mut lint, rule, &calendar_names);
        }
        check_overrides(&mut lint, &known);
        for rule in &pack.rules {
            if pack.rules.iter().filter(|r| r.id == rule.id).count() == 1 {
                known.insert(&rule.id, (rule, pack));
            }
        }
        for off in &pack.off {
            known.remove(off.id.as_str());
        }
        out.append(&mut lint.out);
    }
    check_conflicts(&known, &mut out);
    if known.len() > usize::from(u16::MAX) {
        out.push(Problem {
            severity: Severity::Error,
            pack: String::new(),
            rules: Vec::new(),
            message: "more than 65,535 rules".to_owned(),
        });
    }
    out
}

fn check_pack(lint: &mut Lint<'_>, calendars: &mut BTreeSet<String>) {
    for covered in &lint.pack.covers {
        if Country::from_code(covered).is_none() {
            lint.error("covers", format!("{covered:?} is not a two-letter country code"));
        }
    }
    let mut seen = BTreeSet::new();
    for rule in &lint.pack.rules {
        if !seen.insert(&rule.id) {
            lint.error(&rule.id, "the id is used twice in one pack; keep one of the two");
        }
    }
    let mut names = BTreeSet::new();
    for calendar in &lint.pack.calendars {
        if let Some(base) = &calendar.with
            && !calendars.contains(base)
        {
            lint.error(&calendar.name, format!("calendar {base:?} is not defined above it"));
        }
        calendars.insert(calendar.name.clone());
        if !names.insert(&calendar.name) {
            lint.error(&calendar.name, "the calendar is defined twice");
        }
        if calendar.days.iter().any(|day| day.in_year(2024).is_none() && day.in_year(2027).is_none()) {
            lint.error(&calendar.name, "a day of the calendar falls in no year");
        }
    }
}

fn check_rule(lint: &mut Lint<'_>, rule: &Rule, calendars: &BTreeSet<String>) {
    let id = rule.id.as_str();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if id.is_empty() || !id.chars().all(fits) {
        lint.error(id, "an id is made of small letters, digits, dots and dashes");
    }
    if Jurisdiction::parse(&rule.jurisdiction).is_none() {
        lint.error(id, format!("unknown jurisdiction {:?}: expected *, else, US, US-TX…", rule.jurisdiction));
    }
    if rule.citation.trim().is_empty() {
        lint.error(id, "a rule needs a citation: the law, or the reason in your own words");
    }
    match (rule.status, rule.reading) {
        (Status::Unconfirmed, None) => {
            lint.error(id, "an unconfirmed rule must say how it ships: reading = \"strictest\" or \"off\"");
        }
        (Status::Unconfirmed, Some(_)) if rule.note.is_none() => {
            lint.error(id, "an unconfirmed rule must say so to its user in a note");
        }
        _ => {}
    }
    if let (Some(from), Some(to)) = (rule.effective_from, rule.effective_to)
        && to < from
    {
        lint.error(id, format!("it ends on {to}, before it starts on {from}"));
    }
    if rule.when.voice.iter().any(|v| matches!(v, Voice::Voicemail | Voice::Abandonment))
        && matches!(rule.is, Kind::AttemptCap { .. } | Kind::CooldownAfter { .. })
    {
        lint.warn(id, "a cap or cool-down for a message inside a call does not stop the call itself");
    }
    check_kind(lint, rule, calendars);
}

fn check_kind(lint: &mut Lint<'_>, rule: &Rule, calendars: &BTreeSet<String>) {
    let id = rule.id.as_str();
    match &rule.is {
        Kind::Hours { week, holidays, holiday_hours, of, .. } => {
            match (of, parse_week(week)) {
                (Some(_), _) if !week.is_empty() => lint.error(id, "give a week or `of`, not both"),
                (None, Err(wrong)) => lint.error(id, format!("week: {wrong}")),
                (None, Ok(week)) if week.iter().all(|day| day.is_empty()) => {
                    lint.error(id, "the week is closed on every day; use a suppression to forbid calls");
                }
                _ => {}
            }
            if let Some(name) = holidays.as_ref().filter(|name| !calendars.contains(*name)) {
                lint.error(id, format!("no calendar is called {name:?}"));
            }
            if let Some(Err(wrong)) = holiday_hours.as_deref().map(parse_spans) {
                lint.error(id, format!("holiday_hours: {wrong}"));
            }
            if holiday_hours.is_some() && holidays.is_none() {
                lint.error(id, "holiday_hours without holidays");
            }
        }
        Kind::AttemptCap { most, per, .. } => {
            if *most == 0 {
                lint.error(id, "a cap of 0 forbids every call; use a suppression");
            }
            if usize::from(*most) > ATTEMPTS_KEPT || per.0 > ATTEMPT_KEPT_FOR {
                lint.error(id, format!("history keeps {ATTEMPTS_KEPT} attempts of 31 days; this cap needs more"));
            }
        }
        Kind::Suppression(List::Registry { age_max, name }) if age_max.0.ms() == 0 || name.is_empty() => {
            lint.error(id, "a registry needs a name and a copy's greatest age");
        }
        Kind::AbandonCap { rate, .. } if !(*rate > 0.0 && *rate < 1.0) => {
            lint.error(id, "the rate is a share between 0 and 1, such as 0.03");
        }
        _ => {}
    }
}

fn check_overrides(lint: &mut Lint<'_>, known: &BTreeMap<&str, (&Rule, &Pack)>) {
    let pack = lint.pack;
    for rule in &pack.rules {
        if let Some((old, from)) = known.get(rule.id.as_str()) {
            if rule.id.starts_with(UNTOUCHABLE) {
                lint.error(&rule.id, "this rule carries out a person's own no and cannot be replaced");
            } else if let Some(why) = looser(rule, old) {
                let message = format!("replaces the rule of pack {} and is looser: {why}", from.id);
                lint.warn(&rule.id, message);
            }
        } else if rule.id.starts_with(UNTOUCHABLE) && pack.id != HOUSE {
            lint.error(&rule.id, "ids that begin with house. are reserved");
        }
    }
    for off in &pack.off {
        if off.id.starts_with(UNTOUCHABLE) {
            lint.error(&off.id, "this rule carries out a person's own no and cannot be switched off");
        } else if !known.contains_key(off.id.as_str()) {
            lint.error(&off.id, "there is no such rule to switch off");
        } else if off.reason.trim().is_empty() {
            lint.error(&off.id, "say why the rule is switched off: the reason is kept with the evidence");
        } else {
            lint.warn(&off.id, format!("switched off: {}", off.reason));
        }
    }
}

/// Why the new rule may allow what the old one did not; `None` if it cannot tell.
fn looser(new: &Rule, old: &Rule) -> Option<String> {
    if new.reading == Some(Reading::Off) && old.is_on() {
        return Some("it is off".to_owned());
    }
    match (&new.is, &old.is) {
        (Kind::Hours { week: new, .. }, Kind::Hours { week: old, .. }) => {
            let (new, old) = (parse_week(new).ok()?, parse_week(old).ok()?);
            let opens = (0..7).any(|day| intersect(&new[day], &old[day]) != new[day]);
            opens.then(|| "it opens hours that were closed".to_owned())
        }
        (Kind::AttemptCap { most: new, per: new_per, .. }, Kind::AttemptCap { most: old, per: old_per, .. }) => {
            (new > old || new_per < old_per).then(|| format!("{new} in {new_per} instead of {old} in {old_per}"))
        }
        (Kind::CooldownAfter { rest: new, .. }, Kind::CooldownAfter { rest: old, .. }) => {
            (new < old).then(|| format!("{new} instead of {old}"))
        }
        (
            Kind::Suppression(List::Registry { age_max: new, .. }),
            Kind::Suppression(List::Registry { age_max: old, .. }),
        ) => (new > old).then(|| format!("a copy may be {new} old instead of {old}")),
        (new, old) if new.name() != old.name() => Some(format!("it is {} instead of {}", new.name(), old.name())),
        _ => None,
    }
}

fn intersect(a: &DaySpans, b: &DaySpans) -> DaySpans {
    super::hours::normalise(a.iter().flat_map(|x| {
        b.iter().map(move |y| super::hours::Span { from_ms: x.from_ms.max(y.from_ms), to_ms: x.to_ms.min(y.to_ms) })
    }))
}

/// Hours rules of one place that leave no time in the week, together with those above it.
fn check_conflicts(known: &BTreeMap<&str, (&Rule, &Pack)>, out: &mut Vec<Problem>) {
    let hours: Vec<(&Rule, &Pack, [DaySpans; 7])> = known
        .values()
        .filter(|(rule, _)| rule.is_on())
        .filter_map(|(rule, pack)| match &rule.is {
            Kind::Hours { week, of: None, .. } => parse_week(week).ok().map(|week| (*rule, *pack, week)),
            _ => None,
        })
        .collect();
    for (i, (rule, pack, week)) in hours.iter().enumerate() {
        for (other, _, their_week) in &hours[..i] {
            let together = places_meet(&rule.jurisdiction, &other.jurisdiction) && whens_meet(rule, other);
            if together && (0..7).all(|day| intersect(&week[day], &their_week[day]).is_empty()) {
                out.push(Problem {
                    severity: Severity::Warning,
                    pack: pack.id.clone(),
                    rules: vec![rule.id.clone(), other.id.clone()],
                    message: "together they leave no hour of the week: such calls are never placed".to_owned(),
                });
            }
        }
    }
}

fn places_meet(a: &str, b: &str) -> bool {
    let within = |inner: &str, outer: &str| outer == "*" || inner == outer || inner.starts_with(&format!("{outer}-"));
    within(a, b) || within(b, a)
}

fn whens_meet(a: &Rule, b: &Rule) -> bool {
    fn meet<T: PartialEq>(a: &[T], b: &[T]) -> bool {
        a.is_empty() || b.is_empty() || a.iter().any(|x| b.contains(x))
    }
    meet(&a.when.purpose, &b.when.purpose)
        && meet(&a.when.party, &b.when.party)
        && meet(&a.when.line, &b.when.line)
        && meet(&a.when.voice, &b.when.voice)
        && meet(&a.when.dialing, &b.when.dialing)
}
