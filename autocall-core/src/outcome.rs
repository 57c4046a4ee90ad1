//! How a call ended, in the words that people who dial for a living use.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a person who answered was not connected to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Abandonment {
    /// No agent came free within the longest wait.
    NobodyFree,
    /// The person hung up while waiting for an agent.
    HungUpWaiting,
    /// The person hung up while an agent was being rung, listened or pressed.
    HungUpDuringOffer,
    /// The campaign was stopped, or the number suppressed, while the person waited.
    Stopped,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "reason")]
#[non_exhaustive]
pub enum Outcome {
    /// A person answered and spoke with an agent.
    Connected,
    /// A person answered and spoke with nobody.
    Abandoned(Abandonment),
    /// A person answered; every agent who was offered the call let it pass.
    AgentUnavailable,
    /// A person heard the message of an agentless campaign.
    MessagePlayed,
    /// A machine answered and the recorded message was left on it.
    VoicemailLeft,
    /// A machine answered; nothing was left.
    Machine,
    /// A fax or modem answered.
    Fax,
    /// The line was busy.
    Busy,
    /// It rang and nobody answered; also where we let go of it after it had rung for fifteen seconds.
    NoAnswer,
    /// No such number.
    InvalidNumber,
    /// The number exists and cannot be reached now.
    Unreachable,
    /// The carrier would not place the call (account, caller id, permission).
    RefusedByCarrier,
    /// The called side or the carrier blocks calls to this number.
    Blocked,
    /// Taken back by us before it had rung for fifteen seconds, or not placed. Not an attempt.
    Canceled,
    /// Nobody can say whether the call was placed. Treated as placed.
    Lost,
}

impl Outcome {
    /// Every outcome, in the order of reports.
    pub const ALL: [Outcome; 18] = [
        Outcome::Connected,
        Outcome::Abandoned(Abandonment::NobodyFree),
        Outcome::Abandoned(Abandonment::HungUpWaiting),
        Outcome::Abandoned(Abandonment::HungUpDuringOffer),
        Outcome::Abandoned(Abandonment::Stopped),
        Outcome::AgentUnavailable,
        Outcome::MessagePlayed,
        Outcome::VoicemailLeft,
        Outcome::Machine,
        Outcome::Fax,
        Outcome::Busy,
        Outcome::NoAnswer,
        Outcome::InvalidNumber,
        Outcome::Unreachable,
        Outcome::RefusedByCarrier,
        Outcome::Blocked,
        Outcome::Canceled,
        Outcome::Lost,
    ];

    /// The outcome without its reason, as settings and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Connected => "connected",
            Outcome::Abandoned(_) => "abandoned",
            Outcome::AgentUnavailable => "agent_unavailable",
            Outcome::MessagePlayed => "message_played",
            Outcome::VoicemailLeft => "voicemail_left",
            Outcome::Machine => "machine",
            Outcome::Fax => "fax",
            Outcome::Busy => "busy",
            Outcome::NoAnswer => "no_answer",
            Outcome::InvalidNumber => "invalid_number",
            Outcome::Unreachable => "unreachable",
            Outcome::RefusedByCarrier => "refused_by_carrier",
            Outcome::Blocked => "blocked",
            Outcome::Canceled => "canceled",
            Outcome::Lost => "lost",
        }
    }
    /// Whether a person answered, the denominator of the abandonment rate.
    pub fn is_live_answer(self) -> bool {
        matches!(self, Outcome::Connected | Outcome::Abandoned(_) | Outcome::AgentUnavailable | Outcome::MessagePlayed)
    }
    /// Whether a person answered and was given up on.
    pub fn is_abandonment(self) -> bool {
        matches!(self, Outcome::Abandoned(_) | Outcome::AgentUnavailable)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Outcome::Abandoned(Abandonment::NobodyFree) => " (nobody free)",
            Outcome::Abandoned(Abandonment::HungUpWaiting) => " (hung up waiting)",
            Outcome::Abandoned(Abandonment::HungUpDuringOffer) => " (hung up during an offer)",
            Outcome::Abandoned(Abandonment::Stopped) => " (stopped)",
            _ => "",
        };
        write!(f, "{}{}", self.name().replace('_', " "), reason)
    }
}
