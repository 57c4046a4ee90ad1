//! API keys: shown once, kept as a hash, holding single rights, revocable.

use super::role::{Right, Rights};
use super::token;
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::ports::catalog::{CatalogError, Document, Entry, EntryKind};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of the documents that describe keys.
pub const KIND: &str = "key";

/// What is known of a key, without its secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// Which.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// Its first characters, so that people can tell keys apart.
    pub begins: String,
    /// The hash by which it is found.
    pub digest: String,
    /// What it may do.
    pub rights: Vec<Right>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Makes a key; its secret is returned once and kept nowhere.
pub async fn create(
    app: &App,
    tenant: TenantId,
    name: String,
    rights: Vec<Right>,
    until: Option<Timestamp>,
) -> Answer<(ApiKey, String)> {
    let secret = token::secret("ack");
    let id = app.new_id::<()>(tenant).key();
    let key = ApiKey {
        id,
        name,
        begins: secret.chars().take(8).collect(),
        digest: token::digest_of(&secret),
        rights,
        until,
        created_at: app.wall.now(),
    };
    let document = Document {
        tenant,
        kind: KIND.into(),
        key: Key(id).to_string().into(),
        body: serde_json::to_value(&key).map_err(Problem::internal)?,
        until,
    };
    // First what people see, then what opens doors: a key that works can always be found and revoked.
    app.catalog.put_document(&Put { row: document, expected: 0 }).await?;
    let entry = Entry {
        kind: EntryKind::Key,
        name: key.digest.as_str().into(),
        tenant,
        body: serde_json::json!({ "key": Key(id).to_string(), "rights": key.rights }),
        until,
    };
    app.directory.put_entry(&Put { row: entry, expected: 0 }).await?;
    Ok((key, secret))
}

/// Reads a key's description.
pub async fn key(app: &App, tenant: TenantId, id: Uuid) -> Answer<Versioned<ApiKey>> {
    let found = app.catalog.document(tenant, KIND, &Key(id).to_string()).await?;
    Ok(Versioned { row: serde_json::from_value(found.row.body).map_err(Problem::internal)?, version: found.version })
}

/// Revokes a key: first the door, then the description.
pub async fn revoke(app: &App, tenant: TenantId, id: Uuid) -> Answer<()> {
    let found = key(app, tenant, id).await?;
    match app.directory.remove_entry(EntryKind::Key, &found.row.digest).await {
        Ok(()) | Err(CatalogError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    app.principals.forget_key(&found.row.digest);
    Ok(app.catalog.remove_document(tenant, KIND, &Key(id).to_string(), found.version).await?)
}

/// Whose a secret is, and what it may do.
pub async fn find(app: &App, digest: &str) -> Answer<Option<(TenantId, Uuid, Rights)>> {
    let found = app.directory.entry(EntryKind::Key, digest, app.wall.now()).await?;
    Ok(found.and_then(|entry| {
        let id = entry.row.body["key"].as_str()?.parse::<Key>().ok()?;
        let rights: Vec<Right> = serde_json::from_value(entry.row.body["rights"].clone()).ok()?;
        Some((entry.row.tenant, id.0, Rights::of(&rights)))
    }))
}
