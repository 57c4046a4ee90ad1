//! Rules as data: what a pack file may say.

use super::calendar::{DayRule, Observed};
use super::history::Happened;
use super::subject::{ConsentClass, Dialing, LineType, Party, Purpose, Voice};
use crate::Millis;
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// How sure we are of a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The text of the rule itself was read.
    Confirmed,
    /// Read in a secondary source: a regulator's guide, a law firm, a vendor.
    Secondary,
    /// Not confirmed.
    Unconfirmed,
}

/// How an unconfirmed rule ships.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// In force, in its strictest reading.
    Strictest,
    /// Not in force until a user turns it on.
    Off,
}

/// A span of time as rules write it: `15s`, `60m`, `24h`, `7d`, `5y` (a year is 366 days).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Millis);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let unit = text.chars().last().unwrap_or(' ');
        let ms = match unit {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'y' => 366 * 86_400_000,
            _ => 0,
        };
        let n: Option<i64> = text.strip_suffix(unit).and_then(|n| n.parse().ok());
        match n {
            Some(n) if ms > 0 && (0..=1_000_000).contains(&n) => Ok(Span(Millis::from_ms(n * ms))),
            _ => Err(de::Error::custom(format!("{text:?} is not a span: expected 15s, 60m, 24h, 7d or 5y"))),
        }
    }
}
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.ms();
        let units = [(366 * 86_400_000, "years"), (86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes")];
        for (size, name) in units {
            // A single day is written as 24 hours: that is how the rules put it.
            if ms >= size && ms % size == 0 && (name, ms) != ("days", size) {
                return write!(f, "{} {name}", ms / size);
            }
        }
        write!(f, "{} seconds", self.0.as_secs_f64())
    }
}
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which row of history a cap or a cool-down reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The number, whoever's lead it is.
    Number,
    /// The person and the campaign's subject (a debt, for collections), over all numbers.
    Person,
}

/// What a cool-down starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The end of a conversation.
    Conversation,
    /// The end of an abandoned call.
    Abandoned,
    /// The end of a call that a machine was taken to have answered.
    Machine,
    /// The person asked not to be called.
    Refused,
    /// The last dial or its end, whatever came of it.
    Attempt,
}

/// How strictly revocations are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReading {
    /// Any revocation stops every call.
    #[default]
    Everything,
    /// A revocation stops what it names.
    WhatItNames,
}

/// A list or another source of a standing no.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum List {
    /// A registry's copy, by name; older than `age_max` it denies everything.
    Registry {
        /// The name: `us-national`.
        name: String,
        /// The legal age of the copy.
        age_max: Span,
    },
    /// The tenant's own list, and the number's guard row.
    Tenant {},
    /// The campaign's own list, and the person's guard row.
    Campaign {},
    /// Revoked consent and objections.
    Revoked {
        /// How a revocation of one kind of call is read.
        #[serde(default)]
        read: RevocationReading,
    },
    /// The reassigned-numbers database.
    Reassigned {
        /// With this, a check that is missing or older denies; without, only a "yes" denies.
        age_max: Option<Span>,
    },
    /// A rest that the engine set: a dial of unknown fate, a bad number.
    Resting {},
    /// The place is not known.
    UnknownPlace {},
}

/// Who must have what consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentNeeded {
    /// At least this class.
    pub class: ConsentClass,
    /// The consent must name recorded voice.
    #[serde(default)]
    pub recorded_voice: bool,
    /// The consent must name automated calls.
    #[serde(default)]
    pub automated: bool,
}

/// Whose hours a rule of kind `hours` enforces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoursOf {
    /// The campaign's own schedule.
    Campaign,
    /// The hours that the person asked for.
    Person,
}

/// How an abandonment window is cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbandonWindow {
    /// Each local day.
    Day,
    /// Successive periods of 30 days or a part of one.
    #[serde(rename = "tumbling-30d")]
    Tumbling30d,
    /// Each calendar month.
    Month,
}

/// What a recording of the call needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingMode {
    /// Nothing: one party's knowledge is enough.
    #[default]
    OneParty,
    /// An announcement, which must be on the recording.
    Announce,
    /// An explicit yes.
    Consent,
}

/// The twelve kinds of rule.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// When calls may be placed, on the called person's clock.
    Hours {
        /// The week, as [`super::schedule`] reads it.
        #[serde(default)]
        week: String,
        /// A calendar of days with hours of their own.
        holidays: Option<String>,
        /// The hours of those days; closed if not given.
        holiday_hours: Option<String>,
        /// A fixed clock instead of the person's own.
        zone: Option<crate::zones::ZoneId>,
        /// Instead of a week: the campaign's or the person's own hours.
        of: Option<HoursOf>,
    },
    /// At most so many attempts in a rolling window.
    AttemptCap {
        /// How many.
        most: u8,
        /// The window.
        per: Span,
        /// Counted over what.
        key: Key,
        /// Endings that do not count.
        #[serde(default)]
        not_counted: Vec<Happened>,
    },
    /// A rest after something happened.
    CooldownAfter {
        /// What.
        event: Event,
        /// How long.
        rest: Span,
        /// Of the number or the person.
        key: Key,
    },
    /// A list or another standing no.
    Suppression(List),
    /// No call without a consent.
    ConsentRequired(ConsentNeeded),
    /// At most this share of the calls that people answered may be abandoned.
    AbandonCap {
        /// The share, `0.03`.
        rate: f64,
        /// The window in which it is counted.
        window: AbandonWindow,
        /// Whether people misjudged as machines count as abandoned.
        #[serde(default)]
        misjudged_count: bool,
        /// Whether a connection after the deadline counts as abandoned.
        #[serde(default)]
        late_counts: bool,
    },
    /// An unanswered call rings at least this long.
    MinRing {
        /// From the carrier's ringing event.
        ring: Span,
    },
    /// An agent must be connected in this time.
    ConnectDeadline {
        /// After the completed greeting.
        within: Span,
    },
    /// What a person hears when no agent came.
    AbandonMessage {
        /// How soon it starts.
        within: Span,
        /// What it must say: `seller`, `number`, `purpose`, `opt-out`.
        must_say: Vec<String>,
        /// The opt-out must work at once, by key or voice.
        #[serde(default)]
        interactive_opt_out: bool,
    },
    /// What the agent must have said by when.
    DisclosureTimer {
        /// After the connection.
        within: Span,
        /// What: `name`, `company`, `purpose`.
        must_say: Vec<String>,
        /// How soon to hang up when asked.
        end_within: Option<Span>,
    },
    /// What a recording needs.
    RecordingMode {
        /// The mode.
        mode: RecordingMode,
    },
    /// How long records are kept.
    Retention {
        /// Of what: `call`, `consent`, `recording`, `do-not-call`.
        record: String,
        /// How long.
        keep: Span,
    },
}

impl Kind {
    /// The name of the kind in rule files.
    pub const fn name(&self) -> &'static str {
        match self {
            Kind::Hours { .. } => "hours",
            Kind::AttemptCap { .. } => "attempt-cap",
            Kind::CooldownAfter { .. } => "cooldown-after",
            Kind::Suppression(_) => "suppression",
            Kind::ConsentRequired(_) => "consent-required",
            Kind::AbandonCap { .. } => "abandon-cap",
            Kind::MinRing { .. } => "min-ring",
            Kind::ConnectDeadline { .. } => "connect-deadline",
            Kind::AbandonMessage { .. } => "abandon-message",
            Kind::DisclosureTimer { .. } => "disclosure-timer",
            Kind::RecordingMode { .. } => "recording-mode",
            Kind::Retention { .. } => "retention",
        }
    }
    /// Whether it can deny a call; the others are duties.
    pub const fn decides(&self) -> bool {
        matches!(
            self,
            Kind::Hours { .. }
                | Kind::AttemptCap { .. }
                | Kind::CooldownAfter { .. }
                | Kind::Suppression(_)
                | Kind::ConsentRequired(_)
        )
    }
}

/// What a call must be like for the rule to apply; an empty list is "any".
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Why it is made.
    pub purpose: Vec<Purpose>,
    /// To whom. An unknown party is a consumer.
    pub party: Vec<Party>,
    /// To what kind of line. An unknown line is every kind.
    pub line: Vec<LineType>,
    /// In whose voice. Empty means calls, whoever speaks, but not messages left during one.
    pub voice: Vec<Voice>,
    /// Dialled how.
    pub dialing: Vec<Dialing>,
}

/// What lifts the rule.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unless {
    /// A consent in force of at least this class for the purpose.
    pub consent: Option<ConsentClass>,
    /// A consent in force to calls at any hour.
    pub any_hour: bool,
    /// A purchase within this time.
    pub purchase_within: Option<Span>,
    /// An inquiry within this time.
    pub inquiry_within: Option<Span>,
    /// An agent is guaranteed for the call.
    pub agent_guaranteed: bool,
}

/// A civil date in a rule file, as text: `2026-11-22`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Date(pub jiff::civil::Date);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map(Date).map_err(|_| de::Error::custom(format!("{text:?} is not a date: expected 2026-11-22")))
    }
}
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One rule.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name for ever, `us.tsr.hours`.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Where it holds: `*` everywhere, `US`, `US-FL`, or `else` where no pack covers the country.
    pub jurisdiction: String,
    /// The law or the reason.
    pub citation: String,
    /// How sure we are.
    pub status: Status,
    /// How it ships when unconfirmed.
    pub reading: Option<Reading>,
    /// What a user should know.
    pub note: Option<String>,
    /// When we last held it against its source.
    pub verified_on: Date,
    /// First day in force.
    pub effective_from: Option<Date>,
    /// Last day in force.
    pub effective_to: Option<Date>,
    /// To which calls it applies.
    #[serde(default)]
    pub when: When,
    /// What lifts it.
    #[serde(default)]
    pub unless: Unless,
    /// What it says.
    pub is: Kind,
}

impl Rule {
    /// Whether it is in force at all: an unconfirmed rule may ship switched off.
    pub fn is_on(&self) -> bool {
        self.reading != Some(Reading::Off)
    }
}

/// A calendar of a pack.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarData {
    /// The name that rules use.
    pub name: String,
    /// Takes over the days of another calendar of the same pack, defined above it.
    pub with: Option<String>,
    /// What happens to holidays on a weekend.
    #[serde(default)]
    pub observed: Observed,
    /// The days.
    pub days: Vec<DayRule>,
}

/// A rule that a user's overlay switches off.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchedOff {
    /// The rule.
    pub id: String,
    /// Why: it is kept with every verdict's evidence.
    pub reason: String,
}

/// A pack file.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its name.
    pub id: String,
    /// Its version, newest last in text order.
    pub version: String,
    /// One line for people.
    pub title: String,
    /// Countries for which it replaces the rules of `else`.
    #[serde(default)]
    pub covers: Vec<String>,
    /// Its calendars.
    #[serde(default, rename = "calendar")]
    pub calendars: Vec<CalendarData>,
    /// Its rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// Rules of other packs that this overlay switches off.
    #[serde(default, rename = "off")]
    pub off: Vec<SwitchedOff>,
}

impl Pack {
    /// Reads a pack file. The error names line and column.
    pub fn parse(text: &str) -> Result<Pack, toml::de::Error> {
        toml::from_str(text)
    }
}
