//! May we call this person now? [`may_call`] answers for every call and every millisecond: yes, with
//! the evidence to keep, or no, by which rule, and until when.
//!
//! The function is pure, total and fails closed: what is not known denies. The rules themselves
//! are data ([`rule`], the files in `rules/`), compiled once into [`CompiledRules`].

pub mod calendar;
mod compile;
pub mod compliance;
pub mod describe;
mod dossier;
pub mod duties;
pub mod evidence;
mod glue;
pub mod history;
pub mod hours;
mod judge;
mod ledger;
mod lint;
pub mod lists;
pub mod presets;
pub mod rule;
pub mod schedule;
mod subject;

pub use compile::{CompiledRules, PackVersion, RuleId};
pub use dossier::Dossier;
pub use duties::{Duties, Intent, Obstacle, duties};
pub use evidence::{Evidence, EvidenceRecord};
pub use history::History;
pub use judge::{Finding, explain, may_call, may_play};
pub(crate) use ledger::pacing_problems;
pub use lint::{Problem, Severity, check as lint};
pub use subject::{
    Consent, ConsentClass, ConsentSource, Dialing, Dialings, LineType, LineTypes, Lists, PURPOSES, Parties, Party,
    Purpose, Purposes, Reassigned, ReassignedCheck, RegistryVerdict, Relationship, Revocation, RevokedFor, Subject,
    Voice, Voices,
};

use crate::Timestamp;
use std::sync::Arc;

/// The answer to "may we call now?".
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// Yes. The evidence is rendered only when asked for.
    Allowed(Evidence<'a>),
    /// No.
    Denied(Denied),
}

/// A no, with its reason and its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// The rule that denies longest.
    pub rule: RuleId,
    /// The law or reason behind it.
    pub citation: Arc<str>,
    /// The first instant at which this rule, with nothing else changed, no longer denies: one
    /// millisecond earlier it still does. [`Timestamp::NEVER`] if only a change can lift it.
    pub until: Timestamp,
    /// The first instant at which no rule denies, with nothing else changed: never earlier than
    /// `until`. A lead is due again then, so that nobody looks at it in vain. Where rules open by
    /// turns, never together, for a month or more, it is an instant that far away.
    pub callable_at: Timestamp,
}

impl Verdict<'_> {
    /// Whether the call is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Verdict::Allowed(_))
    }
    /// The denial, if it is one.
    pub fn denied(&self) -> Option<&Denied> {
        match self {
            Verdict::Allowed(_) => None,
            Verdict::Denied(denied) => Some(denied),
        }
    }
}
