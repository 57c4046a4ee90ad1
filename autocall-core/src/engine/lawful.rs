//! Permission by law: the rule packs, asked for every number of a candidate.

use super::permit::{Allowed, Denied, Permission, deny, guards};
use crate::call::PERMIT_TTL;
use crate::campaign::Campaign;
use crate::permission::history::History;
use crate::permission::hours::Hours;
use crate::permission::{
    CompiledRules, Dialing, Evidence, Lists, RegistryVerdict, Subject, Verdict, Voice, may_call, may_play, presets,
};
use crate::phone::Phone;
use crate::ports::Candidate;
use crate::time::{Millis, Timestamp};
use crate::zones::{Clues, Country, Place, locate};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    rules: BTreeMap<String, CompiledRules>,
    registries: Vec<Arc<dyn Registry>>,
}

impl Lawful {
    /// With every shipped preset, and these registries.
    pub fn shipped(registries: Vec<Arc<dyn Registry>>) -> Lawful {
        let compile = |name: &str| Some((name.to_owned(), presets::compile(name, Vec::new())?.ok()?));
        Lawful { rules: presets::names().filter_map(compile).collect(), registries }
    }
    /// Adds or replaces a named set of rules: a preset with a user's own packs over it.
    pub fn with(mut self, name: &str, rules: CompiledRules) -> Lawful {
        self.rules.insert(name.to_owned(), rules);
        self
    }
    /// The rules of that name.
    pub fn rules(&self, name: &str) -> Option<&CompiledRules> {
        self.rules.get(name)
    }

    fn judge_number(
        &self,
        candidate: &Candidate,
        campaign: &Campaign,
        index: usize,
        now: Timestamp,
    ) -> Result<Allowed, Denied> {
        let lead = &candidate.lead.row;
        let phone = lead.numbers[index].phone;
        let (number, person) = guards(candidate, phone, now)?;
        super::permit::house(candidate, campaign, index, now)?;
        // Fail closed: rules that are not there allow nothing.
        let rules = self.rules.get(&*campaign.settings.rules).ok_or_else(|| deny("rules_unknown", Timestamp::NEVER))?;
        let place = place(candidate, phone);
        let hours = Hours::from(&campaign.settings.schedule);
        let versions: SmallVec<[(Arc<str>, Timestamp); 2]> = self.registries.iter().map(|r| r.version()).collect();
        let registries: SmallVec<[RegistryVerdict<'_>; 2]> = std::iter::zip(&self.registries, &versions)
            .map(|(r, (version, as_of))| RegistryVerdict {
                name: r.name(),
                version,
                as_of: *as_of,
                listed: r.contains(phone),
            })
            .collect();
        let subject = subject(candidate, campaign, phone, &place, &hours, &registries);
        let history = History { number: &number.history, person: &person.history };
        match may_call(&subject, rules, history, now) {
            Verdict::Allowed(evidence) => Ok(allowed(&subject, rules, history, index, phone, evidence, now)),
            Verdict::Denied(no) => Err(deny(no.rule.as_str(), no.callable_at.max(now + Millis::from_ms(1)))),
        }
    }
}

impl Permission for Lawful {
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied> {
        super::permit::first_number(candidate, |index| self.judge_number(candidate, campaign, index, now))
    }
}

/// Where the person may be, from the number and what the row says.
fn place(candidate: &Candidate, phone: Phone) -> Place {
    let person = &candidate.lead.row.person;
    locate(&Clues {
        phone,
        country: person.country.as_deref().and_then(Country::from_code),
        state: person.state.as_deref(),
        postal: person.postal_code.as_deref(),
        zone: person.timezone.as_deref(),
        trust_zone: person.dossier.trust_zone,
    })
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
    rules: &CompiledRules,
    history: History<'_>,
    index: usize,
    phone: Phone,
    evidence: Evidence<'_>,
    now: Timestamp,
) -> Allowed {
    let plays = |voice| may_play(subject, rules, history, voice, now).is_allowed();
    Allowed {
        number_index: index as u8,
        to: phone,
        voicemail: plays(Voice::Voicemail),
        abandonment: plays(Voice::Abandonment),
        evidence: serde_json::to_string(&evidence.render()).ok().map(Arc::from),
    }
}
