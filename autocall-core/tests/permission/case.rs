//! A call written as text, for tables of cases.

use autocall_core::permission::history::{Happened, NumberHistory, PersonHistory};
use autocall_core::permission::hours::Hours;
use autocall_core::permission::schedule::parse_week;
use autocall_core::permission::{
    Consent, ConsentClass, ConsentSource, Dialing, Lists, PURPOSES, Party, Purpose, Purposes, Reassigned,
    ReassignedCheck, RegistryVerdict, Relationship, Revocation, RevokedFor, Subject, Voice,
};
use autocall_core::zones::{Clues, Place, locate};
use autocall_core::{Millis, Phone, Timestamp};

/// Everything that a [`Subject`] and a history borrow.
pub(crate) struct Case {
    pub(crate) phone: Phone,
    pub(crate) place: Place,
    pub(crate) purpose: Purpose,
    pub(crate) number: NumberHistory,
    pub(crate) person: PersonHistory,
    consents: Vec<Consent>,
    revocations: Vec<Revocation>,
    relationship: Relationship,
    registries: Vec<(String, Timestamp, bool)>,
    reassigned: Option<ReassignedCheck>,
    listed: Option<Timestamp>,
    campaign_listed: Option<Timestamp>,
    campaign_hours: Option<Hours>,
    person_hours: Option<Hours>,
    party: Party,
    voice: Voice,
    dialing: Dialing,
    guaranteed: bool,
    ring: Millis,
}

/// An instant: RFC 3339, or `never`.
pub(crate) fn instant(text: &str) -> Timestamp {
    if text == "never" {
        return Timestamp::NEVER;
    }
    Timestamp::from_jiff(text.parse().unwrap_or_else(|e| panic!("{text}: {e}")))
}

impl Case {
    /// Reads a number and a call such as `sales consent=written ring=0`.
    pub(crate) fn read(number: &str, how: &str) -> Case {
        let phone = Phone::from_e164(number).unwrap_or_else(|| panic!("{number}"));
        let mut words = how.split_whitespace();
        let purpose = words.next().unwrap_or_default();
        let is = |p: &&Purpose| serde_json::to_value(p).expect("a name") == purpose;
        let mut case = Case {
            phone,
            place: locate(&Clues::number(phone)),
            purpose: *PURPOSES.iter().find(is).unwrap_or_else(|| panic!("purpose {purpose}")),
            number: NumberHistory::default(),
            person: PersonHistory::default(),
            consents: Vec::new(),
            revocations: Vec::new(),
            relationship: Relationship::default(),
            registries: Vec::new(),
            reassigned: None,
            listed: None,
            campaign_listed: None,
            campaign_hours: None,
            person_hours: None,
            party: Party::Unknown,
            voice: Voice::Agent,
            dialing: Dialing::Automated,
            guaranteed: false,
            ring: Millis::from_secs(25),
        };
        words.for_each(|word| case.word(word));
        case
    }

    fn word(&mut self, word: &str) {
        if let Some(event) = word.strip_prefix('@') {
            let (at, ending) = event.split_once('=').expect("@instant=ending");
            let (at, ending) = (instant(at), ending.to_owned());
            let happened: Happened = serde_json::from_value(ending.into()).expect("an ending");
            self.number.attempted(at);
            self.number.settled(happened, at, at);
            self.person.attempted(at);
            self.person.settled(happened, at, at);
            return;
        }
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "consumer" => self.party = Party::Consumer,
            "business" => self.party = Party::Business,
            "agentless" => self.voice = Voice::Agentless,
            "voicemail" => self.voice = Voice::Voicemail,
            "abandonment" => self.voice = Voice::Abandonment,
            "manual" => self.dialing = Dialing::Manual,
            "guaranteed" => self.guaranteed = true,
            "ring" => self.ring = Millis::from_ms(value.parse().expect("milliseconds")),
            "listed" => self.listed = Some(instant(value)),
            "campaign-listed" => self.campaign_listed = Some(instant(value)),
            "row" => self.number.list_until(instant(value)),
            "rest" => self.number.rest(instant(value)),
            "purchase" => self.relationship.purchase_at = Some(instant(value)),
            "inquiry" => self.relationship.inquiry_at = Some(instant(value)),
            "campaign-hours" => self.campaign_hours = Some(week(value)),
            "person-hours" => self.person_hours = Some(week(value)),
            "anyhour" => self.consents.push(Consent { any_hour: true, ..consent(ConsentClass::Express) }),
            "consent" => {
                let class = if value.starts_with("written") { ConsentClass::Written } else { ConsentClass::Express };
                let (recorded_voice, automated) = (value.contains("recorded"), value.contains("automated"));
                self.consents.push(Consent { recorded_voice, automated, ..consent(class) });
            }
            "revoked" => self.revocations.push(Revocation {
                at: instant(value),
                what: RevokedFor::Everything,
                channel: "test".into(),
            }),
            "registry" => {
                let parts: Vec<&str> = value.split(',').collect();
                self.registries.push((parts[0].into(), instant(parts[1]), parts[2] == "listed"));
            }
            "reassigned" => {
                let (answer, at) = value.split_once(',').expect("answer,instant");
                let answer = if answer == "yes" { Reassigned::Yes } else { Reassigned::No };
                self.reassigned = Some(ReassignedCheck { at: instant(at), answer });
            }
            _ => panic!("what is {word:?}?"),
        }
    }

    /// Shows `judge` the call and its histories.
    pub(crate) fn with<T>(&self, judge: impl FnOnce(&Subject<'_>) -> T) -> T {
        let registries: Vec<RegistryVerdict<'_>> = self
            .registries
            .iter()
            .map(|(name, as_of, listed)| RegistryVerdict { name, version: "1", as_of: *as_of, listed: *listed })
            .collect();
        judge(&Subject {
            party: self.party,
            voice: self.voice,
            dialing: self.dialing,
            agent_guaranteed: self.guaranteed,
            consents: &self.consents,
            revocations: &self.revocations,
            relationship: self.relationship,
            lists: Lists { tenant: self.listed, campaign: self.campaign_listed, registries: &registries },
            reassigned: self.reassigned,
            campaign_hours: self.campaign_hours.as_ref(),
            person_hours: self.person_hours.as_ref(),
            ..Subject::new(self.phone, &self.place, self.purpose, self.ring)
        })
    }
}

fn week(text: &str) -> Hours {
    Hours { week: parse_week(&text.replace('_', " ")).expect("a week"), ..Hours::default() }
}

/// A consent of 1 January 2026.
fn consent(class: ConsentClass) -> Consent {
    Consent {
        class,
        purposes: Purposes::ALL,
        recorded_voice: false,
        automated: false,
        any_hour: false,
        given_at: instant("2026-01-01T00:00Z"),
        expires_at: None,
        source: ConsentSource::WebForm,
        proof: None,
    }
}
