//! The telephony port: a carrier.

use crate::agent::Address;
use crate::call::{LegFacts, ProviderRef};
use crate::id::{AgentId, LegId};
use crate::phone::Phone;
use crate::script::{RecordingMode, Script};
use crate::settings::{AmdMode, AmdPreset};
use crate::time::{Millis, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// An agent's standing leg: one shift. The number never comes back for one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StationId {
    /// Whose.
    pub agent: AgentId,
    /// Which shift.
    pub shift: u32,
}

impl fmt::Display for StationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-s{}", self.agent, self.shift)
    }
}

/// Anything that a carrier connects for us; its name travels in every callback URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A leg of a call.
    Leg(LegId),
    /// An agent's standing leg.
    Station(StationId),
}

impl Line {
    /// The tenant that owns it.
    pub fn tenant(self) -> crate::id::TenantId {
        match self {
            Line::Leg(leg) => leg.call.tenant(),
            Line::Station(station) => station.agent.tenant(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Leg(leg) => leg.fmt(f),
            Line::Station(station) => station.fmt(f),
        }
    }
}

impl std::str::FromStr for Line {
    type Err = crate::id::ParseIdError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let Some((agent, shift)) = s.rsplit_once("-s") else {
            return Ok(Line::Leg(s.parse()?));
        };
        let shift: u32 = shift.parse().map_err(|_| crate::id::ParseIdError)?;
        let station = StationId { agent: agent.parse()?, shift };
        // One line has one spelling.
        if station.to_string() == s { Ok(Line::Station(station)) } else { Err(crate::id::ParseIdError) }
    }
}

/// The right to dial one line, once. Not `Clone`; minted only by a commit
/// ([`super::Changes::committed`]); it expires.
#[derive(Debug, PartialEq, Eq)]
pub struct DialPermit {
    line: Line,
    expires_at: Timestamp,
}

/// A permit that was presented too late. The line must not be dialled; a later look-up settles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permit to dial {line} expired at {expires_at}")]
pub struct Expired {
    /// Which line.
    pub line: Line,
    /// When.
    pub expires_at: Timestamp,
}

impl DialPermit {
    pub(super) fn mint(line: Line, expires_at: Timestamp) -> DialPermit {
        DialPermit { line, expires_at }
    }
    /// For which line.
    pub fn line(&self) -> Line {
        self.line
    }
    /// How long it lives from `now` on: the longest time that a dial may take.
    pub fn remaining(&self, now: Timestamp) -> Millis {
        self.expires_at - now
    }
    /// Uses the permit up, at the last moment before the request leaves.
    pub fn redeem(self, now: Timestamp) -> Result<Line, Expired> {
        if now < self.expires_at {
            Ok(self.line)
        } else {
            Err(Expired { line: self.line, expires_at: self.expires_at })
        }
    }
}

/// Answering-machine detection, as asked of the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdRequest {
    /// How. Never [`AmdMode::Off`].
    pub mode: AmdMode,
    /// Thresholds.
    pub preset: AmdPreset,
}

/// A dial, as asked of the carrier.
#[derive(Clone, Debug, PartialEq)]
pub struct Dial {
    /// The line's name: goes into every callback URL.
    pub line: Line,
    /// Whom.
    pub to: Address,
    /// The number shown.
    pub from: Phone,
    /// The carrier account; `default` is the environment's.
    pub account: Arc<str>,
    /// Longest ring, milliseconds.
    pub ring_ms_max: u32,
    /// Longest call, milliseconds.
    pub call_ms_max: u32,
    /// Detection, where wanted.
    pub amd: Option<AmdRequest>,
    /// When it may leave: its place in the account's calls per second. The carrier's adapter waits
    /// until then.
    pub not_before: Timestamp,
    /// Recording from the answer on. Announced recordings start later, by script.
    pub recording: RecordingMode,
}

impl Dial {
    /// Whether a lead is called, and not an agent.
    pub fn is_to_a_lead(&self) -> bool {
        matches!(self.line, Line::Leg(leg) if leg.leg == LegId::CUSTOMER)
    }
}

/// Why a carrier would not place a call: proof that none was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The number cannot exist or is not supported.
    InvalidNumber,
    /// The number cannot be reached.
    Unreachable,
    /// Calls to this number are blocked.
    Blocked,
    /// The account has no permission for the number's country.
    Country,
    /// The number shown is not ours to show.
    CallerId,
    /// The account: credentials, permission, trial limits.
    Account(String),
    /// Not now: rate or concurrency. Nothing was placed.
    Busy {
        /// When to try again, from now.
        retry_after_ms: u32,
    },
    /// We asked wrongly; a bug.
    Request(String),
    /// The permit had expired; nothing left us.
    Expired,
}

/// Why a dial has no [`ProviderRef`]. Exhaustive on purpose: refused or in doubt, nothing between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Certainly not placed.
    #[error("the carrier refused the call: {0:?}")]
    Refused(Refusal),
    /// Perhaps placed: time-out, reset, 5xx. Only ever looked up, never repeated.
    #[error("whether the call was placed is unknown: {0}")]
    InDoubt(String),
}

/// What a look-up found. Exhaustive on purpose.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "lives for one call of a function; a box would only hide it")]
pub enum Sighting {
    /// The line exists; this is what is known of it (its [`ProviderRef`] included).
    Seen(LegFacts),
    /// The carrier does not know it, as of now.
    Absent,
}

/// A carrier that could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TelephonyError {
    /// The line is over, or not there to be steered.
    #[error("the line is not up")]
    NotUp,
    /// Cannot be reached, or answered with an error; may be tried again.
    #[error("the carrier is unavailable: {0}")]
    Unavailable(String),
    /// The carrier rejects the request itself; repeating it will not help.
    #[error("the carrier rejects the request: {0}")]
    Rejected(String),
}

/// What a carrier can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Detects machines while the call goes on.
    pub amd: bool,
    /// Has rooms.
    pub rooms: bool,
    /// How long it may hold a call that it accepted before it dials or drops it. A number whose
    /// call was lost rests that long.
    pub queue_hold: Millis,
    /// A look-up that says "absent" is proof even seconds after the dial.
    pub absence_is_proof: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities { amd: true, rooms: true, queue_hold: Millis::from_hours(24), absence_is_proof: false }
    }
}

/// A carrier.
#[async_trait]
pub trait Telephony: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Places a call. Redeems the permit with its own clock right before the request leaves, and
    /// lets no request outlive the permit. Never repeats a request whose fate is unknown.
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError>;

    /// Makes a line follow a script from now on; [`Script::Hangup`] ends it in any state.
    async fn steer(&self, line: Line, leg: &ProviderRef, account: &str, script: &Script) -> Result<(), TelephonyError>;

    /// What the carrier knows of a line that was dialled at or after `since`.
    async fn lookup(
        &self,
        line: Line,
        account: &str,
        known: Option<&ProviderRef>,
        since: Timestamp,
    ) -> Result<Sighting, TelephonyError>;
}
