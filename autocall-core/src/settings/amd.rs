//! Answering-machine detection, as policy.

use serde::{Deserialize, Serialize};

/// Whether and how machines are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmdMode {
    /// No detection: everything that answers is treated as a person.
    Off,
    /// A verdict as soon as the detector has one.
    #[default]
    Detect,
    /// People at once; a machine only after its greeting, so that a message can be left.
    DetectMessageEnd,
}

/// How long the detector listens before it calls somebody a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmdPreset {
    /// Short silence after the greeting: meets two-second rules, takes more machines for people.
    #[default]
    FastConnect,
    /// The carrier's own thresholds: fewer mistakes, a later connection.
    Accurate,
}

/// What to do when a machine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMachine {
    /// Hang up.
    #[default]
    HangUp,
    /// Leave the recorded message.
    LeaveMessage,
    /// Treat it as a person: an agent will deal with it.
    Connect,
}

/// What to do when the detector cannot tell in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnclear {
    /// Treat it as a person. The default: dropping a person is the dearer mistake.
    #[default]
    Person,
    /// Treat it as a machine.
    Machine,
}

/// When a person is connected to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connect {
    /// Once the detector has spoken: agents hear no machines.
    #[default]
    AtVerdict,
    /// As soon as the phone is picked up: nobody waits for a verdict, and agents hear the machines
    /// whose verdict comes after they were joined.
    AtAnswer,
}

/// What to do about machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmdPolicy {
    /// Whether and how to detect.
    pub mode: AmdMode,
    /// Detector thresholds.
    pub preset: AmdPreset,
    /// Whether the verdict is awaited.
    pub connect: Connect,
    /// How long after the answer the verdict is awaited, milliseconds. Then the policy for
    /// unclear answers decides.
    pub verdict_ms_max: u32,
    /// When a machine answers.
    pub machine: OnMachine,
    /// When a fax answers.
    pub fax: OnMachine,
    /// When nobody can tell.
    pub unclear: OnUnclear,
}

impl Default for AmdPolicy {
    fn default() -> Self {
        AmdPolicy {
            mode: AmdMode::default(),
            preset: AmdPreset::default(),
            connect: Connect::default(),
            verdict_ms_max: 6_000,
            machine: OnMachine::default(),
            fax: OnMachine::HangUp,
            unclear: OnUnclear::default(),
        }
    }
}
