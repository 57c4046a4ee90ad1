//! How a person who answered gets to an agent.

use crate::id::PoolId;
use crate::script::Accept;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Two ways to reach agents behind one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferMode {
    /// Ring the agent's phone when a person is there, whisper, wait for yes, bridge.
    #[default]
    OnDemand,
    /// The agent's leg stands in a room for the shift; the person joins it at once. The only way
    /// for a phone agent to meet a two-second rule.
    Standing,
}

/// How a person who answered gets to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferPolicy {
    /// The pools of agents that take this campaign's calls; at most eight.
    pub pools: Vec<PoolId>,
    /// Which way.
    pub mode: TransferMode,
    /// How long an agent's phone rings, milliseconds.
    pub ring_ms_max: u32,
    /// What an agent must do to take the call.
    pub accept: Accept,
    /// How long after answering an agent may take to accept, milliseconds (the whisper included).
    pub accept_ms_max: u32,
    /// How many agents are tried before the person is given up.
    pub agents_max: u8,
    /// How long a person waits while nobody is free, milliseconds. Two seconds is what US sales
    /// rules allow from the end of the greeting (16 CFR 310.4(b)(1)(iv)).
    pub wait_ms_max: u32,
    /// What the agent hears first; `{name}` and `{campaign}` are filled in.
    pub whisper: Arc<str>,
    /// How long an agent has after a call before the next one, milliseconds.
    pub wrap_up_ms: u32,
    /// After so many offers in a row that an agent let pass, the agent is set to away. 0: never.
    pub missed_offers_max: u8,
}

impl Default for TransferPolicy {
    fn default() -> Self {
        TransferPolicy {
            pools: Vec::new(),
            mode: TransferMode::default(),
            ring_ms_max: 15_000,
            accept: Accept::AnyKey,
            accept_ms_max: 12_000,
            agents_max: 3,
            wait_ms_max: 2_000,
            whisper: "Connecting you with {name}".into(),
            wrap_up_ms: 20_000,
            missed_offers_max: 2,
        }
    }
}
