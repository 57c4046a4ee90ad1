//! Reports: sums over records, made by the store and never over all rows in memory.

use super::CatalogError;
use crate::id::{AgentId, CampaignId, ListId, TenantId};
use crate::phone::Phone;
use crate::time::Timestamp;
use async_trait::async_trait;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// By what a report is grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupBy {
    /// One row for all.
    Nothing,
    /// By campaign.
    Campaign,
    /// By the agent who took the call.
    Agent,
    /// By the number shown.
    CallerId,
    /// By the list that the lead came from.
    List,
    /// By hour of dialling.
    Hour,
    /// By day of dialling, UTC shifted by [`ReportAsk::offset_s`].
    Day,
    /// By hour of the day, 0 to 23.
    HourOfDay,
    /// By what answering-machine detection heard.
    Verdict,
    /// By what agents said.
    Disposition,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKey {
    /// Everything.
    All,
    /// A campaign.
    Campaign(CampaignId),
    /// An agent; `None` where nobody took the calls.
    Agent(Option<AgentId>),
    /// A number shown.
    CallerId(Phone),
    /// A list; `None` for leads of no list.
    List(Option<ListId>),
    /// The hour or day that begins then.
    Time(Timestamp),
    /// An hour of the day, 0 to 23.
    HourOfDay(u8),
    /// A word: a verdict (`none` where the detector did not speak) or a disposition's code.
    Word(Arc<str>),
}

/// Which records, and how to group them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportAsk {
    /// Dialled at or after.
    pub from: Timestamp,
    /// Dialled before.
    pub until: Timestamp,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Taken by this agent.
    pub agent: Option<AgentId>,
    /// How to group.
    pub group: GroupBy,
    /// Seconds by which the reader's clock is ahead of UTC, for days and hours of the day.
    pub offset_s: i32,
}

/// Sums over settled calls.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Calls.
    pub calls: u64,
    /// Calls picked up by anybody or anything.
    pub answered: u64,
    /// Calls by [`crate::Outcome::name`].
    pub outcomes: BTreeMap<Arc<str>, u64>,
    /// Calls that an agent's disposition made a success.
    pub successes: u64,
    /// Conversations, milliseconds in all.
    pub talk_ms: i64,
    /// From the greeting's end to the agent, milliseconds in all; of calls that met one.
    pub wait_ms: i64,
    /// Calls connected within two seconds of the greeting's end.
    pub within_two_s: u64,
    /// From dialling to pick-up, milliseconds in all; of answered calls.
    pub ring_ms: i64,
    /// From pick-up to the end, milliseconds in all: what carriers bill.
    pub line_ms: i64,
}

/// A row of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    /// What it is about.
    pub key: ReportKey,
    /// The sums.
    pub figures: Figures,
}

/// Reports.
#[async_trait]
pub trait Reports: Send + Sync {
    /// A report, by key. At most 10,000 rows; [`CatalogError::Invalid`] asks for a shorter span.
    async fn report(&self, tenant: TenantId, ask: &ReportAsk) -> Result<Vec<ReportRow>, CatalogError>;
}
