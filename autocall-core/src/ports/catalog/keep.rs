//! Tenants, audit, and the life of data: how long it is kept, what goes out, what is erased.

use super::{CatalogError, Cursor, Page, PageAsk};
use crate::id::{LeadId, TenantId};
use crate::phone::Phone;
use crate::ports::{Put, Versioned};
use crate::private::Private;
use crate::time::{Millis, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How long each kind of data is kept after its last use; for ever where absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Recordings, milliseconds.
    pub recordings_ms: Option<Millis>,
    /// Settled calls and their records, milliseconds.
    pub calls_ms: Option<Millis>,
    /// Closed leads, milliseconds.
    pub leads_ms: Option<Millis>,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// Which.
    pub id: TenantId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it may work. Reads stay possible.
    pub active: bool,
    /// How long its data is kept.
    pub retention: Retention,
    /// What else the server keeps of it; opaque to the store.
    pub settings: serde_json::Value,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Tenants. Which exist is the directory's business ([`super::Directory`]); this is one of them.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// One tenant.
    async fn tenant(&self, id: TenantId) -> Result<Versioned<Tenant>, CatalogError>;

    /// Writes a tenant; `expected` 0 makes it, with a data key of its own.
    async fn put_tenant(&self, put: &Put<Tenant>) -> Result<(), CatalogError>;
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Whose.
    pub tenant: TenantId,
    /// Its number in the tenant's log, from 1; ignored on append.
    pub n: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a user's or a key's name for itself. Not a person's name.
    pub actor: Arc<str>,
    /// What: `campaign.start`, `lead.erase`, `recording.play`, …
    pub action: Arc<str>,
    /// On what: an id or a name of a thing.
    pub object: Arc<str>,
    /// More; never personal data.
    pub detail: serde_json::Value,
}

/// Which entries.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// By this actor.
    pub actor: Option<Arc<str>>,
    /// Of this action.
    pub action: Option<Arc<str>>,
    /// On this thing.
    pub object: Option<Arc<str>>,
}

/// The audit log: append-only.
#[async_trait]
pub trait Audits: Send + Sync {
    /// Appends an entry.
    async fn audit(&self, entry: &AuditEntry) -> Result<(), CatalogError>;

    /// A page of entries, the newest first.
    async fn audit_log(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageAsk,
    ) -> Result<Page<AuditEntry>, CatalogError>;
}

/// Whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whoever has this number.
    Number(Phone),
    /// Whoever has this key of the user's own.
    External(Private),
    /// Whoever this lead is.
    Lead(LeadId),
}

/// Something that a rule obliges the user to keep in spite of an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// What is kept: `calls`, `consents`, …
    pub what: Arc<str>,
    /// The rule's citation.
    pub citation: Arc<str>,
    /// For how long after the event, milliseconds.
    pub keep_ms: Millis,
}

/// A request to erase a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whom.
    pub subject: Subject,
    /// Who asked for it, as the audit log names them.
    pub actor: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What rules oblige to keep.
    pub keeps: Vec<Keep>,
}

/// Something kept, in the answer to an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What.
    pub what: Arc<str>,
    /// How many rows.
    pub rows: u64,
    /// Why.
    pub citation: Arc<str>,
    /// Until when; then it goes by itself.
    pub until: Timestamp,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErasedPerson {
    /// Leads erased.
    pub leads: u64,
    /// Calls whose personal data was erased; their figures stay in reports.
    pub calls: u64,
    /// Numbers put on the do-not-call list as a keyed hash.
    pub suppressed: u64,
    /// Carrier names of recordings that are to be deleted: the next [`Lifecycle::sweep`] names them.
    pub recordings: Vec<Arc<str>>,
    /// What is locked to auditors for now.
    pub kept: Vec<Kept>,
    /// A token for [`Lifecycle::replay_erasure`] after a restore. Names nobody.
    pub token: String,
}

/// What a sweep removed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Swept {
    /// Leads removed.
    pub leads: u64,
    /// Calls and records removed.
    pub calls: u64,
    /// Recordings that the caller must delete where they lie, and then forget.
    pub recordings: Vec<super::Recording>,
    /// Kept things whose time is over.
    pub kept: u64,
    /// Documents and other things whose time is over.
    pub documents: u64,
}

impl Swept {
    /// Whether there was nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Swept::default()
    }
}

/// Which part of a tenant's data to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportPart {
    /// The tenant's own row.
    Tenant,
    /// Campaigns.
    Campaigns,
    /// Leads.
    Leads,
    /// Records of calls.
    Records,
    /// Agents.
    Agents,
    /// The do-not-call list.
    Suppressions,
    /// The audit log.
    Audit,
}

impl ExportPart {
    /// Every part, in the order of an export.
    pub const ALL: [ExportPart; 7] = [
        ExportPart::Tenant,
        ExportPart::Campaigns,
        ExportPart::Leads,
        ExportPart::Records,
        ExportPart::Agents,
        ExportPart::Suppressions,
        ExportPart::Audit,
    ];
}

/// How long data lives, and what goes out.
#[async_trait]
pub trait Lifecycle: Send + Sync {
    /// Removes what the tenant's retention no longer allows, at most `limit` rows of each kind, and
    /// names the recordings whose time is over, those of erased persons first. Call it until it
    /// removes nothing.
    async fn sweep(&self, tenant: TenantId, now: Timestamp, limit: u32) -> Result<Swept, CatalogError>;

    /// Everything on one person, as JSON.
    async fn export_person(&self, tenant: TenantId, subject: &Subject) -> Result<serde_json::Value, CatalogError>;

    /// A page of a tenant's data, each item one JSON object.
    async fn export_tenant(
        &self,
        tenant: TenantId,
        part: ExportPart,
        page: &PageAsk,
    ) -> Result<Page<serde_json::Value>, CatalogError>;

    /// Erases a person: leads and the personal data of calls go, statistics and the duty to
    /// suppress stay. [`CatalogError::Changed`] while a call to the person lives: stop it first.
    async fn erase(&self, tenant: TenantId, erasure: &Erasure) -> Result<ErasedPerson, CatalogError>;

    /// Tokens of every erasure, oldest first, to be kept outside the database's back-up.
    async fn erasures(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<String>, CatalogError>;

    /// Repeats an erasure after a restore. Doing it twice does no harm.
    async fn replay_erasure(&self, tenant: TenantId, token: &str, at: Timestamp) -> Result<ErasedPerson, CatalogError>;

    /// What is kept in spite of erasures, for auditors: a page of JSON objects with citation and
    /// end. The caller checks the role and writes the audit entry.
    async fn kept(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<serde_json::Value>, CatalogError>;

    /// Gives the tenant a new data key; rows are sealed with it from now on.
    async fn rotate_key(&self, tenant: TenantId, at: Timestamp) -> Result<(), CatalogError>;

    /// Seals rows of older keys anew, at most `limit`, from a place on; `None` at the end.
    async fn reseal(&self, tenant: TenantId, after: Option<Cursor>, limit: u32)
    -> Result<Option<Cursor>, CatalogError>;
}
