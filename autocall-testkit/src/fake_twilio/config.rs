//! What the fake is told: accounts, speed, seed and faults.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// One of the account's own numbers, for calls that come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnNumber {
    /// The number in E.164.
    pub number: String,
    /// Where the TwiML for a call to it comes from.
    pub voice_url: String,
    /// Where the end of such a call is reported; empty for nowhere.
    pub status_callback: String,
}

/// An account of the carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// `AC` and 32 hexadecimal digits (or any opaque text, as compatible carriers have).
    pub sid: String,
    /// The primary auth token: password for REST, and key of the signatures.
    pub token: String,
    /// API keys: `SK…` and secret. They open REST and never sign.
    pub keys: Vec<(String, String)>,
    /// Outbound calls per second; more are queued.
    pub calls_per_second: f64,
    /// The most calls at once; error 10004 beyond.
    pub concurrent_max: Option<usize>,
    /// Caller ids that are verified; empty accepts every well-formed one.
    pub caller_ids: Vec<String>,
    /// Numbers that people can call.
    pub numbers: Vec<OwnNumber>,
    /// Country prefixes without permission (error 21215), for example `+882`.
    pub blocked_prefixes: Vec<String>,
    /// Test credentials: the magic numbers answer and nothing is dialled.
    pub test: bool,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            sid: format!("AC{}", "a".repeat(32)),
            token: "token".into(),
            keys: Vec::new(),
            calls_per_second: 1_000.0,
            concurrent_max: None,
            caller_ids: Vec::new(),
            numbers: Vec::new(),
            blocked_prefixes: Vec::new(),
            test: false,
        }
    }
}

/// One mishap of one REST request, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestFault {
    /// Nothing goes wrong.
    None,
    /// The connection breaks before the request is carried out.
    ResetBefore,
    /// The request is carried out, and the connection breaks before the answer.
    ResetAfter,
    /// The request is carried out, and no answer comes.
    HangAfter,
    /// 503 without carrying anything out.
    ErrorBefore,
    /// The request is carried out, and the answer is a 502.
    ErrorAfter,
    /// 429, code 20429; nothing is carried out.
    Throttle,
}

/// What goes wrong, as probabilities from 0 to 1 drawn from the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// REST: see [`RestFault::ResetBefore`].
    pub reset_before: f64,
    /// REST: see [`RestFault::ResetAfter`].
    pub reset_after: f64,
    /// REST: see [`RestFault::HangAfter`].
    pub hang_after: f64,
    /// REST: see [`RestFault::ErrorBefore`].
    pub error_before: f64,
    /// REST: see [`RestFault::ErrorAfter`].
    pub error_after: f64,
    /// REST: see [`RestFault::Throttle`].
    pub throttle: f64,
    /// How long a hung answer is held, in milliseconds of real time.
    pub hang_ms: u64,
    /// A callback that never comes.
    pub lose: f64,
    /// A callback that comes twice (two requests, one idempotency token).
    pub double: f64,
    /// A callback that comes late, by up to `delay_ms_max` of the fake's time.
    pub delay: f64,
    /// The longest such delay.
    pub delay_ms_max: i64,
    /// Callbacks that overtake each other: each goes out by itself.
    pub reorder: bool,
    /// A TwiML request that fails before it reaches us (then the fallback URL, if any).
    pub fetch_fail: f64,
    /// What happens to the next creates of a call, one each, before the probabilities apply.
    pub next_creates: VecDeque<RestFault>,
}

/// The configuration of one fake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it listens; must be a loopback address. Port 0 picks a free one.
    pub bind: SocketAddr,
    /// How much faster than real time its clock runs.
    pub speed: f64,
    /// The seed of its identifiers and of its faults.
    pub seed: u64,
    /// The accounts it knows.
    pub accounts: Vec<Account>,
    /// What goes wrong.
    pub faults: Faults,
    /// The most entries that its log keeps; the oldest go first.
    pub log_entries_max: usize,
    /// The header that carries the signature (`X-Twilio-Signature`).
    pub signature_header: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            speed: 1.0,
            seed: 1,
            accounts: vec![Account::default()],
            faults: Faults::default(),
            log_entries_max: 1_000_000,
            signature_header: "X-Twilio-Signature".into(),
        }
    }
}
