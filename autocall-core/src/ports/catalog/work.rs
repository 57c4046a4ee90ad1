//! Imports, audio, and the server's own small documents.

use super::{CatalogError, Page, PageAsk};
use crate::id::{AudioId, CampaignId, ImportId, ListId, TenantId};
use crate::import::Rejection;
use crate::ports::{Put, Versioned};
use crate::private::Private;
use crate::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Running, or to be resumed.
    Running,
    /// All of it is in.
    Done,
    /// Given up; [`ImportJob::problem`] says why.
    Failed,
    /// Stopped by a person.
    Canceled,
}

/// An import of a file of leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportJob {
    /// Which.
    pub id: ImportId,
    /// Into which campaign.
    pub campaign: CampaignId,
    /// The list that its leads belong to.
    pub list: Option<ListId>,
    /// The file's name.
    pub name: Private,
    /// The file's size in bytes, where known: progress is `bytes_done` of it.
    pub bytes: Option<u64>,
    /// A digest of the file, so that the same file is recognised when it comes again.
    pub digest: Option<Arc<str>>,
    /// Where it stands.
    pub state: ImportState,
    /// Why it failed. Never personal data.
    pub problem: Option<String>,
    /// Bytes of the file that are dealt with.
    pub bytes_done: u64,
    /// The last line of the file that is dealt with.
    pub line_done: u64,
    /// Leads added.
    pub added: u64,
    /// Rows whose number the campaign had already.
    pub duplicates: u64,
    /// Rows rejected for any other reason.
    pub rejected: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// How far an import gets with one batch of leads. Written with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportStep {
    /// Which import.
    pub import: ImportId,
    /// The line that must be the last one dealt with before: a batch that comes again is known by
    /// it and changes nothing.
    pub from_line: u64,
    /// The last line dealt with after it.
    pub to_line: u64,
    /// Bytes dealt with after it.
    pub bytes_done: u64,
    /// Rows rejected on the way. Those of duplicate numbers are added by the store.
    pub rejected: Vec<Rejection>,
    /// For each lead of the batch its line, for the report on duplicates.
    pub lines: Vec<u64>,
}

/// A rejection of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRejection {
    /// Its number within the import, from 1.
    pub n: u64,
    /// What and why.
    pub rejection: Rejection,
}

/// Imports, the newest first.
#[async_trait]
pub trait ImportBook: Send + Sync {
    /// Writes a job: begins it, or changes its state. The counts are only ever moved by
    /// [`super::LeadBook::add_leads`]; what the put says of them is ignored after the first.
    async fn put_import(&self, put: &Put<ImportJob>) -> Result<(), CatalogError>;

    /// One job.
    async fn import(&self, id: ImportId) -> Result<Versioned<ImportJob>, CatalogError>;

    /// A page of jobs.
    async fn imports(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<Versioned<ImportJob>>, CatalogError>;

    /// A page of an import's rejections, in the order in which they were found.
    async fn rejections(&self, id: ImportId, page: &PageAsk) -> Result<Page<StoredRejection>, CatalogError>;
}

/// An uploaded sound. Immutable: a new version is a new asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioAsset {
    /// Which.
    pub id: AudioId,
    /// Its name.
    pub name: Arc<str>,
    /// Its media type.
    pub mime: Arc<str>,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, hexadecimal: evidence of what was played.
    pub sha256: Arc<str>,
    /// When it was uploaded.
    pub added_at: Timestamp,
}

/// The tenant's sounds.
#[async_trait]
pub trait Library: Send + Sync {
    /// Adds a sound; at most 10 MiB.
    async fn add_audio(&self, asset: &AudioAsset, content: &[u8]) -> Result<(), CatalogError>;

    /// A sound and its content.
    async fn audio(&self, id: AudioId) -> Result<(AudioAsset, Vec<u8>), CatalogError>;

    /// A page of sounds without their content, the newest first.
    async fn audio_list(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<AudioAsset>, CatalogError>;

    /// Removes a sound.
    async fn remove_audio(&self, id: AudioId) -> Result<(), CatalogError>;
}

/// Something small that the server keeps per tenant and the store does not understand: a webhook,
/// a pacing checkpoint, a saved filter, a consent.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Whose.
    pub tenant: TenantId,
    /// What kind of thing.
    pub kind: Arc<str>,
    /// Its name among its kind. Never personal data.
    pub key: Arc<str>,
    /// Its content; sealed at rest.
    pub body: serde_json::Value,
    /// When it goes by itself; never where absent.
    pub until: Option<Timestamp>,
}

/// The server's own small documents.
#[async_trait]
pub trait Documents: Send + Sync {
    /// One document.
    async fn document(&self, tenant: TenantId, kind: &str, key: &str) -> Result<Versioned<Document>, CatalogError>;

    /// A page of a kind's documents, by key.
    async fn documents(
        &self,
        tenant: TenantId,
        kind: &str,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Document>>, CatalogError>;

    /// Writes a document if its present version is the expected one; at most 1 MiB.
    async fn put_document(&self, put: &Put<Document>) -> Result<(), CatalogError>;

    /// Removes a document of this version.
    async fn remove_document(&self, tenant: TenantId, kind: &str, key: &str, version: u64) -> Result<(), CatalogError>;
}
