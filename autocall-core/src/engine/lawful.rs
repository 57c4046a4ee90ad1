//! Permission by law: the rule packs, asked for every number of a candidate.

use super::permit::{Allowed, Denied, Opinion, Permission, deny, guards};
use crate::call::PERMIT_TTL;
use crate::campaign::Campaign;
use crate::permission::history::History;
use crate::permission::hours::Hours;
use crate::permission::rule::RecordingMode as LawMode;
use crate::permission::schedule::parse_week;
use crate::permission::{
    self, CompiledRules, Dialing, Evidence, Lists, RegistryVerdict, Subject, Verdict, Voice, may_call, may_play,
    pacing_problems, presets,
};
use crate::phone::Phone;
use crate::planning::filing::place;
use crate::ports::Candidate;
use crate::script::RecordingMode;
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};
use crate::zones::Place;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How wrong a node's clock may be: nobody is rung before the hour because one runs fast, nor
/// after it because one runs slow.
pub(super) const CLOCKS_APART: Millis = Millis::from_secs(1);

/// A do-not-call registry that a node serves: a set of numbers with a version and an age.
pub trait Registry: Send + Sync {
    /// Its name, as the rules call it: `us-national`, …
    fn name(&self) -> &str;
    /// Which version is in force, and as of when.
    fn version(&self) -> (Arc<str>, Timestamp);
    /// Whether the number is on it.
    fn contains(&self, phone: Phone) -> bool;
}

/// Lists, rests and caps of the house, then the rule packs that the campaign names.
pub struct Lawful {
    rules: BTreeMap<String, Arc<CompiledRules>>,
    registries: Vec<Arc<dyn Registry>>,
}

impl Lawful {
    /// With every shipped preset, and these registries.
    pub fn shipped(registries: Vec<Arc<dyn Registry>>) -> Lawful {
        let compile = |name: &str| Some((name.to_owned(), Arc::new(presets::compile(name, Vec::new())?.ok()?)));
        Lawful { rules: presets::names().filter_map(compile).collect(), registries }
    }
    /// With no rules yet, and these registries. A campaign whose rules are not there calls nobody.
    pub fn bare(registries: Vec<Arc<dyn Registry>>) -> Lawful {
        Lawful { rules: BTreeMap::new(), registries }
    }
    /// Adds or replaces a named set of rules: a preset with a user's own packs over it.
    pub fn with(mut self, name: &str, rules: impl Into<Arc<CompiledRules>>) -> Lawful {
        self.rules.insert(name.to_owned(), rules.into());
        self
    }
    /// The rules of that name.
    pub fn rules(&self, name: &str) -> Option<&CompiledRules> {
        self.rules.get(name).map(|rules| &**rules)
    }

    /// The registries that this node serves.
    pub fn registries(&self) -> &[Arc<dyn Registry>] {
        &self.registries
    }
    /// The names of the sets of rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    fn judge_number(
        &self,
        candidate: &Candidate,
        campaign: &Campaign,
        index: usize,
        now: Timestamp,
    ) -> Result<Allowed, Denied> {
        super::permit::house(candidate, campaign, index, now)?;
        self.with_subject(candidate, campaign, index, now, |subject, rules, history| {
            match may_call(subject, rules, history, now) {
                Verdict::Allowed(evidence) => {
                    Ok(allowed(subject, &campaign.settings, rules, history, index, evidence, now))
                }
                Verdict::Denied(no) => Err(deny(no.rule.as_str(), no.callable_at.max(now + Millis::from_ms(1)))),
            }
        })?
    }

    /// Puts together what the rules ask about one of a lead's numbers.
    fn with_subject<T>(
        &self,
        candidate: &Candidate,
        campaign: &Campaign,
        index: usize,
        now: Timestamp,
        ask: impl FnOnce(&Subject<'_>, &CompiledRules, History<'_>) -> T,
    ) -> Result<T, Denied> {
        let lead = &candidate.lead.row;
        let phone = lead.numbers[index].phone;
        let (number, person) = guards(candidate, phone, now)?;
        // Fail closed: rules that are not there allow nothing. It is this node that lacks them, so the
        // lead waits only a moment: another node may have them, or this one after a restart.
        let rules = self
            .rules
            .get(&*campaign.settings.rules)
            .ok_or_else(|| deny("rules_unknown", now + Millis::from_mins(1)))?;
        let place = place(&lead.person, phone);
        let hours = Hours::from(&campaign.settings.schedule);
        // Hours that a person asked for and that cannot be read close every hour: fail closed.
        let own = lead.person.dossier.hours.as_deref();
        let own = own.map(|text| Hours { week: parse_week(text).unwrap_or_default(), ..Hours::default() });
        let versions: SmallVec<[(Arc<str>, Timestamp); 2]> = self.registries.iter().map(|r| r.version()).collect();
        let registries: SmallVec<[RegistryVerdict<'_>; 2]> = std::iter::zip(&self.registries, &versions)
            .map(|(r, (version, as_of))| RegistryVerdict {
                name: r.name(),
                version,
                as_of: *as_of,
                listed: r.contains(phone),
            })
            .collect();
        let mut subject = subject(candidate, campaign, phone, &place, &hours, &registries);
        subject.person_hours = own.as_ref();
        let history = History { number: &number.history, person: &person.history };
        Ok(ask(&subject, rules, history))
    }
}

impl Permission for Lawful {
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied> {
        super::permit::first_number(candidate, |index| self.judge_number(candidate, campaign, index, now))
    }

    fn obstacles(&self, settings: &crate::settings::Settings, now: Timestamp) -> Vec<crate::settings::Problem> {
        // Rules that are not there allow no call, and each lead says so.
        self.rules.get(&*settings.rules).map_or_else(Vec::new, |rules| pacing_problems(settings, rules, now))
    }

    fn explain(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Vec<Opinion> {
        let mut all = Vec::new();
        for (index, number) in candidate.lead.row.numbers.iter().enumerate() {
            let opinion = |rule: Arc<str>, citation: Arc<str>, denied_until| Opinion {
                number_index: index as u8,
                rule,
                citation,
                denied_until,
            };
            if number.dropped {
                all.push(opinion("number_dropped".into(), "".into(), Some(Timestamp::NEVER)));
                continue;
            }
            if let Err(no) = super::permit::house(candidate, campaign, index, now) {
                all.push(opinion(no.rule, "".into(), Some(no.until)));
            }
            let findings = self.with_subject(candidate, campaign, index, now, |subject, rules, history| {
                permission::explain(subject, rules, history, now)
            });
            match findings {
                Ok(found) => {
                    all.extend(found.into_iter().map(|f| opinion(f.rule.as_str().into(), f.citation, f.denied_until)));
                }
                Err(no) => all.push(opinion(no.rule, "".into(), Some(no.until))),
            }
        }
        all
    }
}

fn subject<'a>(
    candidate: &'a Candidate,
    campaign: &Campaign,
    phone: Phone,
    place: &'a Place,
    hours: &'a Hours,
    registries: &'a [RegistryVerdict<'a>],
) -> Subject<'a> {
    let settings = &campaign.settings;
    let dossier = &candidate.lead.row.person.dossier;
    // The request may leave as late as its permit lives, and rings after that.
    let ring = PERMIT_TTL + Millis::from_ms(i64::from(settings.caps.ring_ms_max));
    let mut subject = Subject::new(phone, place, settings.purpose, ring);
    subject.clock_error = CLOCKS_APART;
    subject.line = dossier.line.unwrap_or(subject.line);
    subject.party = dossier.party.unwrap_or(subject.party);
    subject.voice = if settings.is_agentless() { Voice::Agentless } else { Voice::Agent };
    subject.dialing = Dialing::Automated;
    subject.consents = &dossier.consents;
    subject.revocations = &dossier.revocations;
    subject.relationship = dossier.relationship;
    subject.reassigned = dossier.reassigned;
    subject.campaign_hours = Some(hours);
    subject.lists = Lists { tenant: None, campaign: None, registries };
    subject
}

fn allowed(
    subject: &Subject<'_>,
    settings: &Settings,
    rules: &CompiledRules,
    history: History<'_>,
    index: usize,
    evidence: Evidence<'_>,
    now: Timestamp,
) -> Allowed {
    let plays = |voice| may_play(subject, rules, history, voice, now).is_allowed();
    Allowed {
        number_index: index as u8,
        to: subject.phone,
        voicemail: plays(Voice::Voicemail),
        abandonment: plays(Voice::Abandonment),
        recording: recording(subject, settings, rules, now),
        evidence: serde_json::to_string(&evidence.render()).ok().map(Arc::from),
    }
}

/// What the law asks of a recording, if there is one: the stricter of the called person's place and the agents'.
fn recording(subject: &Subject<'_>, settings: &Settings, rules: &CompiledRules, now: Timestamp) -> RecordingMode {
    let agents = agents_place(settings);
    // A country that the rules say nothing about, or that nobody knows, may ask for anything.
    if agents.countries.is_empty() || agents.countries.iter().any(|country| !rules.knows(*country)) {
        return RecordingMode::Consent;
    }
    let there = Subject { place: &agents, ..*subject };
    match [subject, &there].map(|end| permission::duties(end, rules, now).recording).into_iter().max() {
        None | Some(LawMode::OneParty) => RecordingMode::Off,
        Some(LawMode::Announce) => RecordingMode::Announce,
        Some(LawMode::Consent) => RecordingMode::Consent,
    }
}

/// Where the agents may sit. If no place is named, or one that nobody knows, anywhere in the country.
fn agents_place(settings: &Settings) -> Place {
    let mut place = Place::default();
    let codes = &settings.agents_at;
    let known = codes.iter().filter(|code| place.add_region(code)).count();
    if codes.is_empty() || known < codes.len() {
        place.add_country(&settings.country);
    }
    place
}
