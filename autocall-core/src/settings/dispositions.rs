//! What an agent can say about a call afterwards, and what follows.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What follows from a disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The lead is closed.
    Close,
    /// The lead is called again after so many minutes.
    RetryAfterMin(u32),
    /// The agent agrees a time with the person.
    Callback,
    /// The number goes on the tenant's do-not-call list, the lead is closed.
    DoNotCall,
    /// This number is not called again for this lead; another one may be.
    WrongNumber,
    /// Nothing: the outcome's own rule stands.
    Keep,
}

/// One thing that an agent can say about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    /// A short stable code.
    pub code: Arc<str>,
    /// What the agent reads.
    pub label: Arc<str>,
    /// What follows.
    pub then: Then,
    /// Whether reports count it as a success.
    #[serde(default)]
    pub success: bool,
}

impl Disposition {
    /// A set to start with.
    pub fn usual() -> Vec<Disposition> {
        let one = |code: &str, label: &str, then, success| Disposition {
            code: code.into(),
            label: label.into(),
            then,
            success,
        };
        vec![
            one("success", "Success", Then::Close, true),
            one("callback", "Call back", Then::Callback, false),
            one("not_interested", "Not interested", Then::Close, false),
            one("later", "Not now, try later", Then::RetryAfterMin(2 * 24 * 60), false),
            one("wrong_number", "Wrong number", Then::WrongNumber, false),
            one("machine", "It was a machine", Then::RetryAfterMin(24 * 60), false),
            one("do_not_call", "Do not call again", Then::DoNotCall, false),
        ]
    }
}
