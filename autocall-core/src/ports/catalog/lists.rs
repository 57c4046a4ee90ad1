//! The tenant's own do-not-call list.

use super::{CatalogError, Cursor, Page, PageAsk};
use crate::id::{CallId, CampaignId, TenantId};
use crate::phone::Phone;
use crate::ports::Lists;
use crate::time::Timestamp;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// What an entry keeps from being called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressTarget {
    /// A number.
    Number(Phone),
    /// Every number that begins with these digits, country code first, without the plus sign.
    Prefix(Arc<str>),
}

impl fmt::Debug for SuppressTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SuppressTarget::Number(phone) => phone.fmt(f),
            SuppressTarget::Prefix(digits) => write!(f, "{} digit prefix", digits.len()),
        }
    }
}

/// An entry to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// What.
    pub target: SuppressTarget,
    /// Only for this campaign; for the whole tenant where absent.
    pub campaign: Option<CampaignId>,
    /// Why: `opt-out`, `agent`, `upload`, …
    pub reason: Arc<str>,
    /// From where it came: a call, a file, a person.
    pub source: Arc<str>,
    /// Until when; for ever where absent.
    pub until: Option<Timestamp>,
}

/// An entry as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionItem {
    /// Which entry: the same text for as long as it stands.
    pub key: Cursor,
    /// What; `None` for the number of an erased person, of which only a keyed hash is left.
    pub target: Option<SuppressTarget>,
    /// Only for this campaign.
    pub campaign: Option<CampaignId>,
    /// Why.
    pub reason: Arc<str>,
    /// From where it came.
    pub source: Arc<str>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Since when.
    pub added_at: Timestamp,
}

/// What adding entries did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Suppressed {
    /// Entries that were new.
    pub added: u32,
    /// Calls to listed numbers that live now, for the caller to stop.
    pub live: Vec<CallId>,
}

/// Do-not-call upkeep. A number's guard is advanced in the transaction that lists it, a prefix
/// advances the tenant's epoch: no permit can be minted on an older reading.
#[async_trait]
pub trait SuppressionBook: Send + Sync {
    /// Adds entries, all or none; one that stands already keeps its date and takes the later end.
    /// At most 10,000.
    async fn suppress(
        &self,
        tenant: TenantId,
        entries: &[Suppression],
        at: Timestamp,
    ) -> Result<Suppressed, CatalogError>;

    /// Removes an entry. The leads that it kept waiting are to be re-dated by the caller
    /// ([`super::LeadBook::redate`]).
    async fn unsuppress(
        &self,
        tenant: TenantId,
        target: &SuppressTarget,
        campaign: Option<CampaignId>,
        at: Timestamp,
    ) -> Result<(), CatalogError>;

    /// A page of entries, in a stable order.
    async fn suppressions(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<SuppressionItem>, CatalogError>;

    /// What the lists say about these numbers now, in order; the campaign's own list counts where
    /// a campaign is named. At most 10,000.
    async fn suppressed(
        &self,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        numbers: &[Phone],
        at: Timestamp,
    ) -> Result<Vec<Lists>, CatalogError>;
}
