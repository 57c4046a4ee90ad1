//! Who or what answered: a function of a leg's facts, the policy and the instant.

use super::facts::{LegFacts, Verdict};
use crate::settings::{AmdMode, AmdPolicy, Connect, OnUnclear};
use crate::time::{Millis, Timestamp};

/// Who or what is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody has picked up.
    Unanswered,
    /// Picked up; the detector still listens.
    Listening {
        /// When the policy for unclear answers decides instead.
        until: Timestamp,
    },
    /// A person, or taken for one.
    Person,
    /// A machine.
    Machine {
        /// Its greeting is over: a message can be left now.
        ready: bool,
    },
    /// A fax or modem.
    Fax,
}

/// How much longer than a verdict the end of a machine's greeting is awaited. A detector that waits
/// for it says "human" at once and "machine" only then, by default within 30 s: silence until then
/// is no reason to take a machine for a person, nor the other way round.
const GREETING_EXTRA: Millis = Millis::from_secs(30);

/// Judges a leg.
pub fn judge(facts: &LegFacts, policy: &AmdPolicy, now: Timestamp) -> Judgement {
    let Some(answered_at) = facts.answer_at() else {
        return Judgement::Unanswered;
    };
    if policy.mode == AmdMode::Off {
        return Judgement::Person;
    }
    let until = listen_until(answered_at, policy);
    match facts.verdict.map(|v| v.0) {
        Some(Verdict::Human) => Judgement::Person,
        Some(Verdict::Fax) => Judgement::Fax,
        Some(Verdict::MachineBeep | Verdict::MachineEnded) => Judgement::Machine { ready: true },
        Some(Verdict::MachineGreeting) => Judgement::Machine { ready: now >= until || policy.mode == AmdMode::Detect },
        Some(Verdict::Unclear) => unclear(policy),
        None if policy.connect == Connect::AtAnswer => Judgement::Person,
        None if now < until => Judgement::Listening { until },
        None => unclear(policy),
    }
}

/// Until when the detector is listened to.
fn listen_until(answered_at: Timestamp, policy: &AmdPolicy) -> Timestamp {
    let extra = if policy.mode == AmdMode::DetectMessageEnd { GREETING_EXTRA } else { Millis::ZERO };
    answered_at + Millis::from_ms(i64::from(policy.verdict_ms_max)) + extra
}

/// What the policy makes of an unclear answer.
fn unclear(policy: &AmdPolicy) -> Judgement {
    match policy.unclear {
        OnUnclear::Person => Judgement::Person,
        OnUnclear::Machine => Judgement::Machine { ready: true },
    }
}

/// When the judgement may change without a new fact: the next instant worth looking again.
pub fn next_look(facts: &LegFacts, policy: &AmdPolicy, now: Timestamp) -> Option<Timestamp> {
    let until = listen_until(facts.answer_at()?, policy);
    match judge(facts, policy, now) {
        Judgement::Listening { until } => Some(until),
        Judgement::Machine { ready: false } => Some(until),
        _ => None,
    }
}
