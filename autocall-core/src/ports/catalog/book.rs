//! Campaigns, leads, calls and agents, as people page through them.

use super::work::ImportStep;
use super::{CatalogError, Page, PageAsk};
use crate::agent::Agent;
use crate::call::{Call, Load, Record};
use crate::campaign::{Campaign, State};
use crate::id::{AgentId, CallId, CampaignId, LeadId, ListId, PoolId, TenantId};
use crate::lead::Lead;
use crate::outcome::Outcome;
use crate::phone::Phone;
use crate::planning::funnel::Funnel;
use crate::ports::{Disposed, LeadCounts, Put, Versioned};
use crate::priority::Priority;
use crate::private::Private;
use crate::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A campaign in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignItem {
    /// The campaign.
    pub campaign: Versioned<Arc<Campaign>>,
    /// Its calls in flight.
    pub load: Load,
    /// Its leads by state.
    pub leads: LeadCounts,
    /// What its settled calls cost, millionths ([`crate::cost`]).
    pub spent_micros: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Campaigns, the newest first.
#[async_trait]
pub trait CampaignBook: Send + Sync {
    /// A page of campaigns, of one state where it is named.
    async fn campaigns(
        &self,
        tenant: TenantId,
        state: Option<State>,
        page: &PageAsk,
    ) -> Result<Page<CampaignItem>, CatalogError>;

    /// One campaign with its counts.
    async fn campaign_item(&self, id: CampaignId) -> Result<CampaignItem, CatalogError>;

    /// The campaign's leads by what they wait for, from counters that each commit moves: the cost
    /// does not grow with the list.
    async fn funnel(&self, id: CampaignId) -> Result<Funnel, CatalogError>;

    /// Counts the campaign's leads one by one, which takes long, and puts the counters right where
    /// they differ. They never should: see [`Recount::wrong`].
    async fn recount(&self, id: CampaignId, at: Timestamp) -> Result<Recount, CatalogError>;
}

/// A full recount beside the counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Recount {
    /// What the counters said.
    pub kept: Funnel,
    /// What the leads say.
    pub counted: Funnel,
    /// Counters that differed (of leads by what they wait for, and by lane) and are right now.
    pub wrong: u32,
}

/// Where a lead stands, for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadPhase {
    /// To be called.
    Open,
    /// In a call now.
    Calling,
    /// Not to be called any more.
    Closed,
}

/// Which leads. Every field narrows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeadFilter {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this list.
    pub list: Option<ListId>,
    /// Where they stand.
    pub phase: Option<LeadPhase>,
    /// How urgent.
    pub priority: Option<Priority>,
    /// The last outcome, by [`Outcome::name`].
    pub last: Option<Arc<str>>,
    /// Kept waiting by this rule.
    pub blocked_by: Option<Arc<str>>,
    /// Exactly this number, any of the lead's.
    pub phone: Option<Phone>,
    /// Exactly this first and last name, letter case and spacing aside.
    pub name: Option<Private>,
    /// Exactly this key of the user's own.
    pub external_id: Option<Private>,
    /// A part of a name. Refused with [`CatalogError::Unsearchable`]: names are sealed at rest.
    pub name_part: Option<Private>,
    /// A word of the notes or free fields. Refused likewise.
    pub notes_part: Option<Private>,
}

/// Leads to be added together. At most 10,000; [`CatalogError::Invalid`] above that.
#[derive(Clone, Debug)]
pub struct LeadBatch {
    /// To which campaign; every lead must be its.
    pub campaign: CampaignId,
    /// The leads. For imports, derive each id from the import and the line, so that a line that
    /// comes again after a crash has the same one.
    pub leads: Vec<Lead>,
    /// The import that they come from and how far it has got with them; written in the same
    /// transaction, so an import resumes exactly where it stopped.
    pub step: Option<ImportStep>,
    /// When.
    pub at: Timestamp,
}

/// What became of one lead of a batch, in the batch's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// The same lead (by id) was there already: the batch came again.
    Again,
    /// The campaign, or this batch, already has its first number.
    Duplicate,
}

/// Leads.
#[async_trait]
pub trait LeadBook: Send + Sync {
    /// Adds leads, all or none, skipping those whose first number the campaign already has.
    /// Counts them in the campaign. Idempotent by lead id.
    async fn add_leads(&self, batch: &LeadBatch) -> Result<Vec<Added>, CatalogError>;

    /// One lead.
    async fn lead(&self, id: LeadId) -> Result<Versioned<Lead>, CatalogError>;

    /// A page of leads, in the order of their ids (the oldest first).
    async fn leads(
        &self,
        tenant: TenantId,
        filter: &LeadFilter,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Lead>>, CatalogError>;

    /// Which of these numbers the campaign already has as somebody's first number, in order. At
    /// most 10,000.
    async fn known_numbers(&self, campaign: CampaignId, numbers: &[Phone]) -> Result<Vec<bool>, CatalogError>;

    /// Makes open leads that a rule keeps waiting due at `at`, at most `limit`; returns how many.
    /// For changes that may allow sooner; call it until it returns 0. Leads with an appointment
    /// keep it.
    async fn redate(
        &self,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        rule: &str,
        at: Timestamp,
        limit: u32,
    ) -> Result<u32, CatalogError>;
}

/// Which calls. Every field narrows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CallFilter {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// To this lead.
    pub lead: Option<LeadId>,
    /// Taken by this agent.
    pub agent: Option<AgentId>,
    /// Only calls that live (`true`), only settled ones (`false`).
    pub live: Option<bool>,
    /// Outcome by [`Outcome::name`].
    pub outcome: Option<Arc<str>>,
    /// Exactly this number called.
    pub to: Option<Phone>,
    /// Dialled at or after.
    pub from: Option<Timestamp>,
    /// Dialled before.
    pub until: Option<Timestamp>,
}

/// A call in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct CallItem {
    /// Which.
    pub id: CallId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// To which lead.
    pub lead: LeadId,
    /// The number called.
    pub to: Phone,
    /// When it was dialled.
    pub dialled_at: Timestamp,
    /// The stage's name.
    pub stage: Arc<str>,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// Who took it.
    pub agent: Option<AgentId>,
    /// Time that customer and agent talked, milliseconds.
    pub talk_ms: i64,
    /// What an agent said about it.
    pub disposition: Option<Arc<str>>,
}

/// A call with its legs, its record and what was said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallDetail {
    /// The call: stages, legs, facts.
    pub call: Versioned<Call>,
    /// Its record, once settled.
    pub record: Option<Record>,
    /// What an agent said.
    pub disposed: Option<Disposed>,
    /// Its recordings.
    pub recordings: Vec<Recording>,
}

/// A recording of a call, as kept by the carrier or by an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Of which call.
    pub call: CallId,
    /// The carrier's name of it.
    pub provider: Arc<str>,
    /// Where it can be fetched by the server; never shown to people.
    pub location: Private,
    /// Its length, milliseconds.
    pub length_ms: i64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Something in the outcome feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FeedEvent {
    /// A call settled.
    Settled(Box<Record>),
    /// An agent said something about a call.
    Disposed(Disposed),
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedItem {
    /// The place: strictly growing in one tenant. Nothing is ever committed behind a place that
    /// somebody could already read.
    pub place: u64,
    /// What happened.
    pub event: FeedEvent,
}

/// Calls, the newest first.
#[async_trait]
pub trait CallBook: Send + Sync {
    /// A page of calls.
    async fn calls(
        &self,
        tenant: TenantId,
        filter: &CallFilter,
        page: &PageAsk,
    ) -> Result<Page<CallItem>, CatalogError>;

    /// A call in full.
    async fn call_detail(&self, id: CallId) -> Result<CallDetail, CatalogError>;

    /// What was committed after a place (0: the beginning), in order, at most `limit`. No gap, no
    /// duplicate: a reader that keeps the last place it saw misses nothing.
    async fn feed(&self, tenant: TenantId, after: u64, limit: u32) -> Result<Vec<FeedItem>, CatalogError>;

    /// Remembers a recording; a second one of the same carrier name replaces the first.
    async fn put_recording(&self, recording: &Recording) -> Result<(), CatalogError>;

    /// Forgets a recording, after it was deleted where it lay.
    async fn remove_recording(&self, call: CallId, provider: &str) -> Result<(), CatalogError>;
}

/// A pool of agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPool {
    /// Which.
    pub id: PoolId,
    /// Its name.
    pub name: Arc<str>,
}

/// Agents and pools.
#[async_trait]
pub trait Roster: Send + Sync {
    /// A page of agents, in the order of their ids; of one pool where it is named.
    async fn agents(
        &self,
        tenant: TenantId,
        pool: Option<PoolId>,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Agent>>, CatalogError>;

    /// One agent.
    async fn agent(&self, id: AgentId) -> Result<Versioned<Agent>, CatalogError>;

    /// Removes an agent who is offline and holds no call.
    async fn remove_agent(&self, id: AgentId, version: u64) -> Result<(), CatalogError>;

    /// Every pool of the tenant, by name; a tenant has few.
    async fn pools(&self, tenant: TenantId) -> Result<Vec<Versioned<StoredPool>>, CatalogError>;

    /// Writes a pool. An agent put into a pool that does not exist yet creates it, named by its id.
    async fn put_pool(&self, put: &Put<StoredPool>) -> Result<(), CatalogError>;
}
