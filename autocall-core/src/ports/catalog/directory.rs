//! What must be found before the tenant is known: tenant names, login names, hashes of keys and
//! refresh tokens. A small thing of its own, outside tenant security, with its own database role.

use super::{CatalogError, Page, PageAsk};
use crate::id::TenantId;
use crate::ports::{Put, Versioned};
use crate::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A user, found by login name.
    User,
    /// An API key, found by the hash of its secret.
    Key,
    /// A refresh token, found by its hash.
    Refresh,
    /// An invitation or a reset link, found by its hash.
    Invite,
    /// A number of ours that people ring back, found by its digits' hash.
    Number,
    /// A carrier account, found by the carrier's name for it.
    Account,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 6] =
        [EntryKind::User, EntryKind::Key, EntryKind::Refresh, EntryKind::Invite, EntryKind::Number, EntryKind::Account];
    /// A stable word, as stored.
    pub const fn word(self) -> &'static str {
        match self {
            EntryKind::User => "user",
            EntryKind::Key => "key",
            EntryKind::Refresh => "refresh",
            EntryKind::Invite => "invite",
            EntryKind::Number => "number",
            EntryKind::Account => "account",
        }
    }
}

/// An entry. What it means is the server's business.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// What kind of thing.
    pub kind: EntryKind,
    /// The name by which it is found, unique among its kind over all tenants: fold it first.
    pub name: Arc<str>,
    /// To which tenant it leads.
    pub tenant: TenantId,
    /// Its content.
    pub body: serde_json::Value,
    /// When it goes by itself.
    pub until: Option<Timestamp>,
}

impl fmt::Debug for Entry {
    /// Names and bodies are secrets or login names: neither is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entry of tenant {}", self.kind.word(), self.tenant)
    }
}

/// A tenant's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantName {
    /// Which tenant.
    pub tenant: TenantId,
    /// Its short name, unique.
    pub name: Arc<str>,
}

/// The directory.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Takes a name and a free number for a new tenant. [`CatalogError::Changed`] if the name is
    /// taken. The tenant's own row is made by [`super::Tenants::put_tenant`].
    async fn name_tenant(&self, name: &str, at: Timestamp) -> Result<TenantId, CatalogError>;

    /// The tenant of a name.
    async fn tenant_named(&self, name: &str) -> Result<Option<TenantId>, CatalogError>;

    /// A page of tenants, by number.
    async fn tenant_names(&self, page: &PageAsk) -> Result<Page<TenantName>, CatalogError>;

    /// Finds an entry. Those whose time is over are not found.
    async fn entry(
        &self,
        kind: EntryKind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Versioned<Entry>>, CatalogError>;

    /// Writes an entry if its present version is the expected one (0: there is none).
    async fn put_entry(&self, put: &Put<Entry>) -> Result<(), CatalogError>;

    /// Removes an entry; [`CatalogError::NotFound`] if there is none.
    async fn remove_entry(&self, kind: EntryKind, name: &str) -> Result<(), CatalogError>;

    /// A page of a tenant's entries of a kind, by name.
    async fn entries(
        &self,
        tenant: TenantId,
        kind: EntryKind,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Entry>>, CatalogError>;

    /// Removes entries whose time is over, at most `limit`; returns how many.
    async fn sweep_entries(&self, now: Timestamp, limit: u32) -> Result<u64, CatalogError>;
}
