//! The store port: all the engine needs of a database. Seven methods: six find, one writes.

use super::changes::{Changes, Committed, LeadCounts, RowKey};
use super::guard::Guard;
use crate::agent::Agent;
use crate::call::{Call, Load};
use crate::campaign::Campaign;
use crate::id::{AgentId, CallId, CampaignId, LeadId, PoolId};
use crate::lead::Lead;
use crate::pacing::Ledger;
use crate::planning::caller_id::Shown;
use crate::planning::quota::QuotaCount;
use crate::time::Timestamp;
use async_trait::async_trait;
use smallvec::SmallVec;
use std::sync::Arc;

/// A row and its version.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The row.
    pub row: T,
    /// Its version, from 1.
    pub version: u64,
}

/// A call and everything that its machine and its settling need.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The call.
    pub call: Versioned<Call>,
    /// Its campaign.
    pub campaign: Arc<Campaign>,
    /// Its lead.
    pub lead: Versioned<Lead>,
    /// The agents it holds, let pass, or could have: at most a dozen. Free ones come in the order
    /// in which they should be asked: the longest idle first.
    pub agents: SmallVec<[Versioned<Agent>; 2]>,
    /// The guards of its number and person.
    pub guards: SmallVec<[Guard; 2]>,
}

/// An agent, as pacing and matching see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentBrief {
    /// Who.
    pub id: AgentId,
    /// Whether they chose to be available.
    pub available: bool,
    /// What calls do to them.
    pub state: crate::agent::State,
    /// Since when.
    pub since: Timestamp,
    /// Whether a standing leg of theirs is up.
    pub standing: bool,
}

/// A pool of agents, as one campaign sees it.
#[derive(Clone, Debug)]
pub struct PoolView {
    /// Which.
    pub pool: PoolId,
    /// The version of its guard.
    pub version: u64,
    /// Its agents who are at work (not offline).
    pub agents: Vec<AgentBrief>,
    /// What other campaigns have in flight towards this pool: calls dialling, waiting or offering.
    pub promised: u32,
    /// Those other campaigns: running ones, and any that has calls in flight; by id.
    pub sharers: Vec<Sharer>,
}

/// Another campaign that draws on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// Which.
    pub campaign: CampaignId,
    /// Its part, by its settings.
    pub share: crate::pacing::Share,
    /// Whether it dials more calls than it has free agents for.
    pub ahead: bool,
    /// Whether it is running.
    pub running: bool,
    /// Its calls in flight or waiting.
    pub open: u32,
    /// Lines that are free under its cap; none where it claims no agents
    /// ([`crate::settings::Settings::claimable_lines`]).
    pub room: u32,
    /// Lines under its cap, in use or not; none where it claims no agents.
    pub lines_max: u32,
    /// Its open leads, due or not.
    pub leads: u32,
    /// When it is looked at next: soon where it has something to dial.
    pub wake_at: Timestamp,
    /// When its first open appointment is due.
    pub callback_at: Option<Timestamp>,
}

/// A call before its conversation, as pacing and matching see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallBrief {
    /// Which.
    pub id: CallId,
    /// Class of its lead.
    pub class: u16,
    /// When it was committed.
    pub dialled_at: Timestamp,
    /// When it rang.
    pub ringing_at: Option<Timestamp>,
    /// When it was picked up.
    pub answered_at: Option<Timestamp>,
    /// Since when a person waits with nobody asked.
    pub waiting_since: Option<Timestamp>,
    /// Whether an agent is being asked, or reserved from the start.
    pub agent: Option<AgentId>,
}

/// A campaign and everything that planning needs.
#[derive(Clone, Debug)]
pub struct CampaignView {
    /// The campaign.
    pub campaign: Versioned<Arc<Campaign>>,
    /// The sums of its calls' loads.
    pub load: Load,
    /// Its leads by state.
    pub leads: LeadCounts,
    /// Its abandonment ledger.
    pub ledger: Ledger,
    /// What its settled calls cost, millionths ([`crate::cost`]).
    pub spent_micros: i64,
    /// The guard of its dials.
    pub dials: Guard,
    /// The pools it draws on.
    pub pools: Vec<PoolView>,
    /// Its calls before their conversations, oldest first.
    pub calls: Vec<CallBrief>,
    /// Guards of the numbers it shows, in the order of the settings.
    pub caller_ids: Vec<Guard>,
    /// What calls of the tenant that showed them came to, in the same order.
    pub shown: Vec<Shown>,
    /// How far its quotas are filled, in the order of the settings. Read after the guard of its
    /// dials, so that a batch which commits on that guard counts every dial before it.
    pub quotas: SmallVec<[QuotaCount; 1]>,
    /// When the next open lead is due; `None` where none is open.
    pub next_due: Option<Timestamp>,
    /// When the first open appointment is due.
    pub callback_at: Option<Timestamp>,
}

/// An agent and whom they could serve.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// The agent.
    pub agent: Versioned<Agent>,
    /// Calls in which a person waits and nobody is asked, of the campaigns that draw on the
    /// agent's pool, the longest waiting first; at most eight.
    pub waiting: Vec<CallId>,
    /// Running campaigns that draw on the agent's pool.
    pub campaigns: Vec<CampaignId>,
}

/// What lists say about a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lists {
    /// On the tenant's own do-not-call list, until then.
    pub tenant: Option<Timestamp>,
    /// On the campaign's, until then.
    pub campaign: Option<Timestamp>,
}

impl Lists {
    /// Whether any list holds the number.
    pub fn any(&self) -> bool {
        self.tenant.is_some() || self.campaign.is_some()
    }
}

/// A lead that is due, with everything that the verdict on it depends on.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The lead.
    pub lead: Versioned<Lead>,
    /// The guards of its numbers, its person, and the tenant's epoch.
    pub guards: SmallVec<[Guard; 4]>,
    /// What the lists say, in the order of the lead's numbers.
    pub lists: SmallVec<[Lists; 2]>,
}

/// Something whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// A call's deadline.
    Call(CallId),
    /// A campaign is to be looked at.
    Campaign(CampaignId),
    /// An agent's wrap-up ends.
    Agent(AgentId),
}

/// Why a store could not do it. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// These rows have changed since they were read. Read again and decide again.
    #[error("{} row(s) have changed since they were read", stale.len())]
    Conflict {
        /// Which; at least one, not necessarily all.
        stale: Vec<RowKey>,
    },
    /// There is no such row.
    #[error("there is no such row")]
    NotFound,
    /// The store cannot be reached, or took too long. For a commit: whether it was written is
    /// unknown, so read again before deciding.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store holds something that cannot be read.
    #[error("the store holds a row that cannot be read: {0}")]
    Corrupt(String),
}

/// All the engine needs of a database.
///
/// The store never decides anything: it finds rows by index, compares versions, and writes all or
/// nothing.
#[async_trait]
pub trait Store: Send + Sync {
    /// A call and its surroundings.
    async fn call(&self, id: CallId) -> Result<Snapshot, StoreError>;

    /// A campaign and its surroundings.
    async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError>;

    /// An agent and whom they could serve: what is needed when one comes free. Law: a person who
    /// waits in the store is listed for every agent who could take the call.
    async fn agent(&self, id: AgentId) -> Result<AgentView, StoreError>;

    /// Writes everything, or nothing. Durable when it returns.
    async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError>;

    /// The next open leads that are due, at most `limit`: those of each lane by due time and order,
    /// found by index, and put together by [`crate::planning::lane::choose`].
    async fn candidates(&self, campaign: CampaignId, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError>;

    /// One lead with everything that the verdict on it depends on, due or not.
    async fn candidate(&self, lead: LeadId, now: Timestamp) -> Result<Candidate, StoreError>;

    /// What is due, at most `limit`; each is hidden from further calls until `hidden_until`, or
    /// until a commit writes it.
    async fn due(&self, now: Timestamp, hidden_until: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError>;
}
