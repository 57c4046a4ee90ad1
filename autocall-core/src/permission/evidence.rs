//! What is kept of an "allowed": enough to show, years later, why the call was lawful.

use super::compile::{CompiledRules, PackVersion, RuleId};
use super::history::{Happened, HappenedSet, History};
use super::subject::{
    Consent, Dialing, LineType, Party, Purpose, ReassignedCheck, Relationship, Revocation, Subject, Voice,
};
use crate::zones::{Country, StateSet, ZoneId};
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// The facts behind an "allowed", borrowed: making it costs nothing, [`Evidence::render`] does.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    subject: &'a Subject<'a>,
    rules: &'a CompiledRules,
    history: History<'a>,
    voice: Voice,
    at: Timestamp,
}

/// One plausible zone and what its clocks showed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LocalTime {
    /// The zone.
    pub zone: ZoneId,
    /// When the call could ring first.
    pub from: String,
    /// When it could be answered last.
    pub to: String,
}

/// A registry's copy that was asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegistryAsked {
    /// The registry.
    pub name: String,
    /// The version of the copy.
    pub version: String,
    /// When the registry made it.
    pub as_of: Timestamp,
    /// Whether the number was on it (an exemption may have allowed the call all the same).
    pub listed: bool,
}

/// Attempts before this one, in three rolling windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// In 24 hours.
    pub h24: u16,
    /// In 7 days.
    pub d7: u16,
    /// In 30 days.
    pub d30: u16,
    /// Of the last 30 days, those that were abandoned.
    pub abandoned_d30: u16,
}

/// The record to keep with the attempt. It holds no number and no name: the attempt has those.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// When the verdict was given.
    pub at: Timestamp,
    /// The packs in force.
    pub packs: Vec<PackVersion>,
    /// Rules of these packs that the user switched off.
    pub switched_off: Vec<String>,
    /// The rules that were asked and did not deny.
    pub rules: Vec<RuleId>,
    /// Why the call is made.
    pub purpose: Purpose,
    /// To whom.
    pub party: Party,
    /// To what kind of line.
    pub line: LineType,
    /// In whose voice.
    pub voice: Voice,
    /// Dialled how.
    pub dialing: Dialing,
    /// Whether an agent was held for it.
    pub agent_guaranteed: bool,
    /// The longest ring that was allowed for.
    pub ring_max: Millis,
    /// By how much the clock might have been wrong: hours were open from so much before to so much after.
    #[serde(default)]
    pub clock_error: Millis,
    /// Every plausible zone with its local time.
    pub local_times: Vec<LocalTime>,
    /// Every plausible country.
    pub countries: Vec<Country>,
    /// Every plausible US state.
    pub states: StateSet,
    /// The release of the time-zone database.
    pub zone_database: String,
    /// The registries that were asked.
    pub registries: Vec<RegistryAsked>,
    /// Consents on file.
    pub consents: Vec<Consent>,
    /// Revocations on file (older than a consent that allows).
    pub revocations: Vec<Revocation>,
    /// Dealings with the person.
    pub relationship: Relationship,
    /// The reassigned-number check.
    pub reassigned: Option<ReassignedCheck>,
    /// Earlier attempts at the number.
    pub number: Counts,
    /// Earlier attempts at the person about the subject.
    pub person: Counts,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(
        subject: &'a Subject<'a>,
        rules: &'a CompiledRules,
        history: History<'a>,
        voice: Voice,
        at: Timestamp,
    ) -> Evidence<'a> {
        Evidence { subject, rules, history, voice, at }
    }
    /// When the verdict was given.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The record to keep.
    pub fn render(&self) -> EvidenceRecord {
        let subject = Subject { voice: self.voice, ..self.subject.clone() };
        let end = self.at + subject.ring_max.max(Millis::ZERO);
        let registries = subject.lists.registries.iter().map(|r| RegistryAsked {
            name: r.name.to_owned(),
            version: r.version.to_owned(),
            as_of: r.as_of,
            listed: r.listed,
        });
        let clock = |zone: &ZoneId| LocalTime { zone: *zone, from: zone.local_text(self.at), to: zone.local_text(end) };
        EvidenceRecord {
            at: self.at,
            packs: self.rules.packs().to_vec(),
            switched_off: self.rules.switched_off().iter().map(|off| off.id.clone()).collect(),
            rules: super::explain(&subject, self.rules, self.history, self.at).into_iter().map(|f| f.rule).collect(),
            purpose: subject.purpose,
            party: subject.party,
            line: subject.line,
            voice: self.voice,
            dialing: subject.dialing,
            agent_guaranteed: subject.agent_guaranteed,
            ring_max: subject.ring_max,
            clock_error: subject.clock_error,
            local_times: subject.place.zones.as_slice().iter().map(clock).collect(),
            countries: subject.place.countries.to_vec(),
            states: subject.place.states,
            zone_database: ZoneId::database_version().to_owned(),
            registries: registries.collect(),
            consents: subject.consents.to_vec(),
            revocations: subject.revocations.to_vec(),
            relationship: subject.relationship,
            reassigned: subject.reassigned,
            number: counts(&self.history.number.attempts, self.at),
            person: counts(&self.history.person.attempts, self.at),
        }
    }
}

fn counts(attempts: &super::history::Attempts, now: Timestamp) -> Counts {
    let count = |set, days| u16::try_from(attempts.count(set, Millis::from_days(days), now)).unwrap_or(u16::MAX);
    Counts {
        h24: count(HappenedSet::ALL, 1),
        d7: count(HappenedSet::ALL, 7),
        d30: count(HappenedSet::ALL, 30),
        abandoned_d30: count(HappenedSet(Happened::Abandoned.bit()), 30),
    }
}
