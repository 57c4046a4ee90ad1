//! What people read and edit: lists, pages, imports, exports, reports, do-not-call upkeep.
//!
//! The second port of a store, in narrow traits; [`Catalog`] is all of them together. The server
//! and the tenant handle use it, the machines never do. Machine rows (campaigns, leads, agents)
//! are *read* here and *written* through [`super::Store::commit`], which alone knows versions and
//! counts; a new campaign or agent is a `Put` with `expected` 0.
//!
//! Every method takes the tenant, inside an id or by itself, and never sees another one's rows.

mod book;
mod directory;
mod keep;
mod lists;
mod report;
mod work;

pub use book::{
    Added, CallBook, CallDetail, CallFilter, CallItem, CampaignBook, CampaignItem, FeedEvent, FeedItem, LeadBatch,
    LeadBook, LeadFilter, LeadPhase, Recording, Recount, Roster, StoredPool,
};
pub use directory::{Directory, Entry, EntryKind, TenantName};
pub use keep::{
    AuditEntry, AuditFilter, Audits, ErasedPerson, Erasure, ExportPart, Keep, Kept, Lifecycle, Retention, Subject,
    Swept, Tenant, Tenants,
};
pub use lists::{SuppressTarget, Suppressed, Suppression, SuppressionBook, SuppressionItem};
pub use report::{Figures, GroupBy, ReportAsk, ReportKey, ReportRow, Reports};
pub use work::{
    AudioAsset, Document, Documents, ImportBook, ImportJob, ImportState, ImportStep, Library, StoredRejection,
};

use super::StoreError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most items on one page, and the most rows of one batch that names none of its own.
pub const PAGE_MAX: u32 = 500;

/// Everything that people read and edit.
pub trait Catalog:
    Tenants
    + CampaignBook
    + LeadBook
    + CallBook
    + Roster
    + SuppressionBook
    + ImportBook
    + Library
    + Documents
    + Reports
    + Audits
    + Lifecycle
{
}
impl<T> Catalog for T where
    T: Tenants
        + CampaignBook
        + LeadBook
        + CallBook
        + Roster
        + SuppressionBook
        + ImportBook
        + Library
        + Documents
        + Reports
        + Audits
        + Lifecycle
        + ?Sized
{
}

/// Why it could not be done. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// There is no such thing for this tenant.
    #[error("there is no such row")]
    NotFound,
    /// It has changed since it was read, or the name is taken.
    #[error("the row has changed since it was read")]
    Changed,
    /// The field is sealed at rest and cannot be searched in that way.
    #[error("{field} cannot be searched that way: {why}")]
    Unsearchable {
        /// Which field.
        field: &'static str,
        /// Why not, and what is possible instead.
        why: &'static str,
    },
    /// What was asked for makes no sense; the text says what was expected. Never personal data.
    #[error("{0}")]
    Invalid(String),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogError {
    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, CatalogError::Store(StoreError::Unavailable(_)))
    }
}

/// A place in a listing. Opaque: give back what a page gave you, to the same listing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which part of a listing is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PageAsk {
    /// After which place; from the beginning where absent.
    pub after: Option<Cursor>,
    /// How many at most; 0 means the store's usual 50. Never more than [`PAGE_MAX`].
    pub limit: u32,
}

impl PageAsk {
    /// The first `limit` items.
    pub fn first(limit: u32) -> PageAsk {
        PageAsk { after: None, limit }
    }
    /// The limit that holds.
    pub fn limit(&self) -> u32 {
        if self.limit == 0 { 50 } else { self.limit.min(PAGE_MAX) }
    }
}

/// A part of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
