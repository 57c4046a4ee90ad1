//! From pack files to the tables that a verdict reads.

use super::calendar::Calendar;
use super::history::HappenedSet;
use super::hours::Hours;
use super::lint::{self, Problem};
use super::rule::{ConsentNeeded, Event, HoursOf, Key, Kind, List, Pack, RevocationReading, Rule, Unless};
use super::schedule::{parse_spans, parse_week};
use super::subject::{Dialings, LineType, LineTypes, Parties, Party, Purposes, Subject, Voice, Voices};
use crate::zones::{Country, State};
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The name of a rule, such as `us.tsr.hours`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// From a name.
    pub fn new(name: &str) -> RuleId {
        RuleId(Arc::from(name))
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a deciding rule checks, with everything looked up that can be.
#[derive(Clone, Debug)]
pub(super) enum Check {
    Hours(Box<Hours>),
    HoursOf(HoursOf),
    Cap {
        most: usize,
        per: Millis,
        key: Key,
        counts: HappenedSet,
    },
    Cooldown {
        event: Event,
        rest: Millis,
        key: Key,
    },
    Registry {
        name: Arc<str>,
        age_max: Millis,
        copy: RuleId,
    },
    Tenant,
    Campaign,
    Revoked(RevocationReading),
    Reassigned {
        age_max: Option<Millis>,
    },
    Resting,
    UnknownPlace,
    Consent(ConsentNeeded),
    /// A duty: decides nothing.
    Duty,
}

/// One rule, ready to be judged by.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) id: RuleId,
    pub(super) citation: Arc<str>,
    pub(super) source: Arc<Rule>,
    purposes: Purposes,
    parties: Parties,
    lines: LineTypes,
    voices: Voices,
    dialings: Dialings,
    /// In force from here…
    pub(super) from: Timestamp,
    /// …until just before here.
    pub(super) to: Timestamp,
    pub(super) check: Check,
}

impl Compiled {
    /// Whether the rule is about such calls, dates and exemptions apart.
    pub(super) fn concerns(&self, subject: &Subject<'_>, voice: Voice) -> bool {
        self.purposes.contains(subject.purpose)
            && self.voices.contains(voice)
            && self.parties.contains(subject.party)
            && self.lines.contains(subject.line)
            && self.dialings.contains(subject.dialing)
    }
    pub(super) fn unless(&self) -> &Unless {
        &self.source.unless
    }
}

/// The rules of one place, by index: those that decide and those that oblige.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    pub(super) decide: Vec<u16>,
    pub(super) duties: Vec<u16>,
}

/// A pack that took part, for the evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PackVersion {
    /// The pack.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// Rule packs compiled for judging. Build once, share, never change.
#[derive(Clone, Debug)]
pub struct CompiledRules {
    pub(super) rules: Vec<Compiled>,
    pub(super) everywhere: Local,
    pub(super) countries: BTreeMap<Country, Local>,
    pub(super) states: Vec<Local>,
    pub(super) otherwise: Local,
    packs: Vec<PackVersion>,
    warnings: Vec<Problem>,
    off: Vec<super::rule::SwitchedOff>,
}

impl CompiledRules {
    /// Compiles packs, later ones overriding rules of earlier ones by id. Every problem is
    /// returned, not the first; warnings alone do not prevent the result.
    pub fn compile(packs: &[Pack]) -> Result<CompiledRules, Vec<Problem>> {
        let problems = lint::check(packs);
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let merged = merge(packs);
        let mut out = CompiledRules {
            rules: Vec::new(),
            everywhere: Local::default(),
            countries: BTreeMap::new(),
            states: vec![Local::default(); State::COUNT],
            otherwise: Local::default(),
            packs: packs.iter().map(|p| PackVersion { id: p.id.clone(), version: p.version.clone() }).collect(),
            warnings: problems,
            off: packs.iter().flat_map(|p| p.off.iter().cloned()).collect(),
        };
        for country in packs.iter().flat_map(|p| &p.covers).filter_map(|c| Country::from_code(c)) {
            out.countries.entry(country).or_default();
        }
        for (rule, calendars) in merged {
            out.add(rule, &calendars);
        }
        Ok(out)
    }

    fn add(&mut self, rule: Rule, calendars: &BTreeMap<String, Arc<Calendar>>) {
        let index = self.rules.len() as u16;
        let decides = rule.is.decides();
        let jurisdiction = Jurisdiction::parse(&rule.jurisdiction).unwrap_or(Jurisdiction::Everywhere);
        let local = match jurisdiction {
            Jurisdiction::Everywhere => &mut self.everywhere,
            Jurisdiction::Otherwise => &mut self.otherwise,
            Jurisdiction::Country(country) => self.countries.entry(country).or_default(),
            Jurisdiction::State(state) => &mut self.states[state.index()],
        };
        if decides { &mut local.decide } else { &mut local.duties }.push(index);
        self.rules.push(compile_rule(rule, calendars));
    }

    /// The packs and versions that this was made of.
    pub fn packs(&self) -> &[PackVersion] {
        &self.packs
    }
    /// What the linter wants a person to know.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
    /// The rules that an overlay switched off, with the reasons given.
    pub fn switched_off(&self) -> &[super::rule::SwitchedOff] {
        &self.off
    }
    /// The source of a rule by its id; `/copy` ids lead to their registry's rule.
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        let name = id.as_str().strip_suffix(COPY_SUFFIX).unwrap_or(id.as_str());
        self.rules.iter().find(|r| r.id.as_str() == name).map(|r| &*r.source)
    }
    /// Every rule in force, in the order of the packs.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|r| &*r.source)
    }
    /// Whether any rule is of this country.
    pub(crate) fn knows(&self, country: Country) -> bool {
        self.countries.contains_key(&country)
    }
    /// The rules that hold at these places: everywhere, then the countries', then the states'.
    pub(super) fn locals<'a>(&'a self, place: &'a crate::zones::Place) -> impl Iterator<Item = &'a Local> {
        let national = place.countries.iter().map(|c| self.countries.get(c).unwrap_or(&self.otherwise));
        let unknown = place.countries.is_empty().then_some(&self.otherwise);
        let states = place.states.iter().map(|s| &self.states[s.index()]);
        std::iter::once(&self.everywhere).chain(national).chain(unknown).chain(states)
    }
}

/// What is added to the id of a registry's rule when the copy is missing or too old: those leads
/// wait for a file, not for a person.
pub(super) const COPY_SUFFIX: &str = "/copy";

/// Where a rule holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Jurisdiction {
    Everywhere,
    Otherwise,
    Country(Country),
    State(State),
}

impl Jurisdiction {
    pub(super) fn parse(text: &str) -> Option<Jurisdiction> {
        match text {
            "*" => Some(Jurisdiction::Everywhere),
            "else" => Some(Jurisdiction::Otherwise),
            _ => match text.split_once('-') {
                Some(("US", state)) => State::from_code(state).filter(|s| s.code() == state).map(Jurisdiction::State),
                Some(_) => None,
                None => Country::from_code(text).filter(|c| c.code() == text).map(Jurisdiction::Country),
            },
        }
    }
}

/// Days of every calendar so far, by name: what a later calendar may build on.
pub(super) type KnownDays = BTreeMap<String, Vec<super::calendar::DayRule>>;

/// The calendars of one pack by name; `known` grows by them.
pub(super) fn calendars(pack: &Pack, known: &mut KnownDays) -> BTreeMap<String, Arc<Calendar>> {
    let mut out = BTreeMap::new();
    for data in &pack.calendars {
        let mut all = data.with.as_ref().and_then(|base| known.get(base).cloned()).unwrap_or_default();
        all.extend(&data.days);
        out.insert(data.name.clone(), Arc::new(Calendar::new(&data.name, &all, data.observed)));
        known.insert(data.name.clone(), all);
    }
    out
}

type Calendars = Arc<BTreeMap<String, Arc<Calendar>>>;

/// Rules of all packs, overridden by id and without those that are off.
fn merge(packs: &[Pack]) -> Vec<(Rule, Calendars)> {
    let mut all: Vec<(Rule, Calendars)> = Vec::new();
    let mut shared: BTreeMap<String, Arc<Calendar>> = BTreeMap::new();
    let mut known = KnownDays::new();
    for pack in packs {
        // An overlay may use the calendars of the packs before it.
        shared.extend(calendars(pack, &mut known));
        let calendars = Arc::new(shared.clone());
        all.retain(|(rule, _)| !pack.off.iter().any(|off| off.id == rule.id));
        for rule in &pack.rules {
            match all.iter_mut().find(|(known, _)| known.id == rule.id) {
                Some(place) => *place = (rule.clone(), calendars.clone()),
                None => all.push((rule.clone(), calendars.clone())),
            }
        }
    }
    all.retain(|(rule, _)| rule.is_on());
    all
}

fn compile_rule(rule: Rule, calendars: &BTreeMap<String, Arc<Calendar>>) -> Compiled {
    let id = RuleId::new(&rule.id);
    let when = &rule.when;
    let or_all = |empty: bool, set: u8| if empty { u8::MAX } else { set };
    let mut parties = Parties(or_all(when.party.is_empty(), Parties::of(&when.party).0));
    if parties.contains(Party::Consumer) {
        parties = Parties(parties.0 | Parties::of(&[Party::Unknown]).0);
    }
    let unknown_line = LineTypes::of(&[LineType::Unknown]).0;
    let calls = Voices::of(&[Voice::Agent, Voice::Agentless]);
    let starts = |date: jiff::civil::Date| utc_midnight(date) - Millis::from_hours(14);
    let ends = |date: jiff::civil::Date| utc_midnight(date) + Millis::from_hours(24 + 12);
    Compiled {
        citation: Arc::from(rule.citation.as_str()),
        purposes: Purposes(or_all(when.purpose.is_empty(), Purposes::of(&when.purpose).0)),
        parties,
        lines: LineTypes(or_all(when.line.is_empty(), LineTypes::of(&when.line).0) | unknown_line),
        voices: if when.voice.is_empty() { calls } else { Voices::of(&when.voice) },
        dialings: Dialings(or_all(when.dialing.is_empty(), Dialings::of(&when.dialing).0)),
        // A date begins first at UTC+14 and ends last at UTC-12: in force wherever it may be.
        from: rule.effective_from.map_or(Timestamp::from_ms(i64::MIN), |d| starts(d.0)),
        to: rule.effective_to.map_or(Timestamp::NEVER, |d| ends(d.0)),
        check: compile_check(&id, &rule.is, calendars),
        source: Arc::new(rule),
        id,
    }
}

fn utc_midnight(date: jiff::civil::Date) -> Timestamp {
    let days = super::calendar::day_number(i32::from(date.year()), date.month(), date.day()).unwrap_or(0);
    Timestamp::EPOCH + Millis::from_days(i64::from(days))
}

fn compile_check(id: &RuleId, kind: &Kind, calendars: &BTreeMap<String, Arc<Calendar>>) -> Check {
    match kind {
        Kind::Hours { of: Some(of), .. } => Check::HoursOf(*of),
        Kind::Hours { week, holidays, holiday_hours, zone, of: None } => {
            // The linter has read these texts; what it would refuse is closed here.
            let spans = holiday_hours.as_deref().map(parse_spans).and_then(Result::ok).unwrap_or_default();
            Check::Hours(Box::new(Hours {
                week: parse_week(week).unwrap_or_default(),
                holidays: holidays.as_ref().and_then(|name| calendars.get(name).cloned()).map(|c| (c, spans)),
                zone: *zone,
                ..Hours::default()
            }))
        }
        Kind::AttemptCap { most, per, key, not_counted } => {
            Check::Cap { most: usize::from(*most), per: per.0, key: *key, counts: HappenedSet::but(not_counted) }
        }
        Kind::CooldownAfter { event, rest, key } => Check::Cooldown { event: *event, rest: rest.0, key: *key },
        Kind::Suppression(list) => match list {
            List::Registry { name, age_max } => Check::Registry {
                name: Arc::from(name.as_str()),
                age_max: age_max.0,
                copy: RuleId::new(&format!("{id}{COPY_SUFFIX}")),
            },
            List::Tenant {} => Check::Tenant,
            List::Campaign {} => Check::Campaign,
            List::Revoked { read } => Check::Revoked(*read),
            List::Reassigned { age_max } => Check::Reassigned { age_max: age_max.map(|a| a.0) },
            List::Resting {} => Check::Resting,
            List::UnknownPlace {} => Check::UnknownPlace,
        },
        Kind::ConsentRequired(needed) => Check::Consent(*needed),
        _ => Check::Duty,
    }
}
