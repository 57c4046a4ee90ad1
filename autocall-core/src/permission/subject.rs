//! What a verdict is about: one call that might be placed to one person, now.

use super::hours::Hours;
pub use crate::settings::Purpose;
use crate::zones::Place;
use crate::{Millis, Phone, Timestamp};
use serde::{Deserialize, Serialize};

/// A set of choices as bits, written as the list of their names.
macro_rules! bit_set {
    ($name:ident, $set:ident, $all:expr) => {
        #[doc = concat!("A set of [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $set(pub(crate) u8);

        impl $set {
            /// Everything.
            pub const ALL: $set = $set(u8::MAX);
            /// These.
            pub fn of(values: &[$name]) -> $set {
                $set(values.iter().fold(0, |bits, v| bits | 1 << *v as u8))
            }
            /// Whether the value is in the set.
            pub const fn contains(self, value: $name) -> bool {
                self.0 & (1 << value as u8) != 0
            }
        }
        impl Default for $set {
            fn default() -> Self {
                $set::ALL
            }
        }
        impl Serialize for $set {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_seq($all.iter().filter(|v| self.contains(**v)))
            }
        }
        impl<'de> Deserialize<'de> for $set {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Ok($set::of(&Vec::<$name>::deserialize(d)?))
            }
        }
    };
}

/// A closed set of choices with their names in rule files, and sets of them.
macro_rules! choice_set {
    ($(#[$doc:meta])* $name:ident, $set:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The name in rule files and reports.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
        bit_set!($name, $set, $name::ALL);
    };
}

/// Every purpose, in the order of reports.
pub const PURPOSES: [Purpose; 6] =
    [Purpose::Sales, Purpose::Service, Purpose::DebtCollection, Purpose::Political, Purpose::Survey, Purpose::Charity];
bit_set!(Purpose, Purposes, PURPOSES);

choice_set! {
    /// Who is called.
    Party, Parties {
        /// Not known: treated as a consumer.
        Unknown = "unknown",
        /// A private person.
        Consumer = "consumer",
        /// A business line.
        Business = "business",
    }
}
choice_set! {
    /// What kind of line the number is.
    LineType, LineTypes {
        /// Not known: every rule for any kind of line applies.
        Unknown = "unknown",
        /// A mobile phone.
        Mobile = "mobile",
        /// A fixed line.
        Landline = "landline",
        /// A line over the internet.
        Voip = "voip",
    }
}
choice_set! {
    /// Whose voice is heard.
    Voice, Voices {
        /// A live agent speaks.
        Agent = "agent",
        /// A message campaign without agents: the recording is the call.
        Agentless = "agentless",
        /// A recording left on a person's voicemail.
        Voicemail = "voicemail",
        /// The recording that a person hears when no agent came in time.
        Abandonment = "abandonment",
    }
}
choice_set! {
    /// Who picks and dials the number.
    Dialing, Dialings {
        /// The dialer.
        Automated = "automated",
        /// An agent, one call at a time, who sees the lead first.
        Manual = "manual",
    }
}

impl Voice {
    /// Whether it is artificial or prerecorded.
    pub const fn is_recorded(self) -> bool {
        !matches!(self, Voice::Agent)
    }
}

/// How good a consent is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentClass {
    /// Given in any form: a number handed over for that kind of call.
    Express,
    /// Given in writing or by electronic signature.
    Written,
}

/// Where a consent came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentSource {
    /// A form on a web page.
    WebForm,
    /// Paper.
    Paper,
    /// Spoken, and recorded.
    Recording,
    /// Spoken to an agent.
    Agent,
    /// Came with an imported list.
    Import,
}

/// One consent of one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// How good it is.
    pub class: ConsentClass,
    /// What calls it is for.
    #[serde(default)]
    pub purposes: Purposes,
    /// Whether it covers artificial or prerecorded voice.
    #[serde(default)]
    pub recorded_voice: bool,
    /// Whether it covers selection and dialling by machine.
    #[serde(default)]
    pub automated: bool,
    /// Whether the person agreed to calls outside the legal hours.
    #[serde(default)]
    pub any_hour: bool,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Where it came from.
    pub source: ConsentSource,
    /// Where the proof is kept: a document id, a URL of the tenant's own.
    #[serde(default)]
    pub proof: Option<String>,
}

/// What a revocation names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedFor {
    /// Every call.
    Everything,
    /// Calls for these purposes.
    Purposes(Purposes),
    /// Artificial or prerecorded voice only.
    RecordedVoice,
}

/// A person took consent back, or objected without ever having given any.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// When. It holds from this instant.
    pub at: Timestamp,
    /// What it names. By default any revocation stops every call (rule `house.revoked`).
    pub what: RevokedFor,
    /// How it came: `keypress`, `agent`, `email`…
    #[serde(default)]
    pub channel: String,
}

/// Dealings with the person that some rules accept in place of consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relationship {
    /// The last purchase, payment or delivery.
    pub purchase_at: Option<Timestamp>,
    /// The last inquiry or application.
    pub inquiry_at: Option<Timestamp>,
}

/// One registry's answer about the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegistryVerdict<'a> {
    /// The registry's name, as rules call it: `us-national`, `gb-tps`…
    pub name: &'a str,
    /// The version of the copy that answered.
    pub version: &'a str,
    /// When that copy was made by the registry.
    pub as_of: Timestamp,
    /// Whether the number is on it.
    pub listed: bool,
}

/// What the do-not-call lists say about the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lists<'a> {
    /// On the tenant's own list until then; [`Timestamp::NEVER`] is for good.
    pub tenant: Option<Timestamp>,
    /// On the campaign's own list until then.
    pub campaign: Option<Timestamp>,
    /// The registries that were asked. A registry that a rule wants and that is not here denies.
    pub registries: &'a [RegistryVerdict<'a>],
}

/// The answer of a reassigned-numbers database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reassigned {
    /// The number has changed hands since the date that was asked about.
    Yes,
    /// It has not.
    No,
    /// The database does not know.
    NoData,
}

/// When a reassigned-numbers database was asked, and what it said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReassignedCheck {
    /// When it was asked.
    pub at: Timestamp,
    /// What it said.
    pub answer: Reassigned,
}

/// One call that might be placed. Everything is borrowed from rows that the caller holds, so a
/// verdict copies nothing.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The number to be dialled.
    pub phone: Phone,
    /// Where the called person may be.
    pub place: &'a Place,
    /// What kind of line it is.
    pub line: LineType,
    /// Who is called.
    pub party: Party,
    /// Why.
    pub purpose: Purpose,
    /// Whose voice the call is made for.
    pub voice: Voice,
    /// Who dials.
    pub dialing: Dialing,
    /// An agent is held for this very call, so that it cannot be abandoned.
    pub agent_guaranteed: bool,
    /// The person's consents.
    pub consents: &'a [Consent],
    /// The person's revocations.
    pub revocations: &'a [Revocation],
    /// Dealings with the person.
    pub relationship: Relationship,
    /// Do-not-call lists.
    pub lists: Lists<'a>,
    /// The last reassigned-number check.
    pub reassigned: Option<ReassignedCheck>,
    /// The campaign's own hours.
    pub campaign_hours: Option<&'a Hours>,
    /// The hours that this person asked for.
    pub person_hours: Option<&'a Hours>,
    /// The longest that the call may ring: it must be allowed from the dial until this later.
    pub ring_max: Millis,
    /// By how much the clock that tells the instant may be wrong, either way: hours must be open from
    /// so much earlier to so much later.
    pub clock_error: Millis,
}

impl<'a> Subject<'a> {
    /// A live, automated call by an agent to an unknown party, with nothing known beyond number,
    /// place and purpose: the strictest reading of everything else.
    pub fn new(phone: Phone, place: &'a Place, purpose: Purpose, ring_max: Millis) -> Subject<'a> {
        Subject {
            phone,
            place,
            line: LineType::Unknown,
            party: Party::Unknown,
            purpose,
            voice: Voice::Agent,
            dialing: Dialing::Automated,
            agent_guaranteed: false,
            consents: &[],
            revocations: &[],
            relationship: Relationship::default(),
            lists: Lists::default(),
            reassigned: None,
            campaign_hours: None,
            person_hours: None,
            ring_max,
            clock_error: Millis::ZERO,
        }
    }
}
