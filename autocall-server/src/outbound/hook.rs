//! A webhook as it is kept.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::ports::catalog::Document;
use autocall_core::ports::{Put, Versioned};
use autocall_core::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The kind of the documents that hold webhooks.
pub const KIND: &str = "webhook";

/// A webhook.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hook {
    /// Which.
    pub id: Uuid,
    /// Where it goes.
    pub url: String,
    /// Signs it.
    pub secret: String,
    /// Which kinds of events; all where empty.
    pub events: Vec<String>,
    /// Whether it is delivered.
    pub active: bool,
    /// The place in the feed up to which everything is delivered.
    pub place: u64,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// Since when it fails.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// When to try again.
    #[serde(default)]
    pub next_at: Timestamp,
    /// What went wrong last. No personal data.
    #[serde(default)]
    pub problem: Option<String>,
    /// A node works on it until then.
    #[serde(default)]
    pub leased_until: Timestamp,
    /// Since when it is there.
    pub created_at: Timestamp,
}

/// Reads a webhook.
pub async fn read(app: &App, tenant: TenantId, id: Uuid) -> Answer<Versioned<Hook>> {
    let found = app.catalog.document(tenant, KIND, &Key(id).to_string()).await?;
    Ok(Versioned { row: serde_json::from_value(found.row.body).map_err(Problem::internal)?, version: found.version })
}

/// Writes a webhook of this version.
pub async fn put(app: &App, tenant: TenantId, hook: &Hook, expected: u64) -> Answer<()> {
    let row = Document {
        tenant,
        kind: KIND.into(),
        key: Key(hook.id).to_string().into(),
        body: serde_json::to_value(hook).map_err(Problem::internal)?,
        until: None,
    };
    Ok(app.catalog.put_document(&Put { row, expected }).await?)
}

/// Every webhook of a tenant.
pub async fn all(app: &App, tenant: TenantId) -> Answer<Vec<Versioned<Hook>>> {
    let documents = crate::views::documents(app, tenant, KIND).await?;
    let read = |d: Versioned<Document>| {
        serde_json::from_value(d.row.body).ok().map(|row| Versioned { row, version: d.version })
    };
    Ok(documents.into_iter().filter_map(read).collect())
}

/// For how long a tenant is believed to have no webhook: one that another node made is delivered
/// after this at the latest.
const BELIEVED: Duration = Duration::from_secs(10);

/// Tenants that had no webhook when last asked, so that they are not asked twice a second.
#[derive(Default)]
pub struct Hookless(Mutex<HashMap<TenantId, Instant>>);

impl Hookless {
    /// Whether the tenant had none a moment ago.
    pub fn holds(&self, tenant: TenantId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&tenant).is_some_and(|at| at.elapsed() < BELIEVED)
    }
    /// It has none.
    pub fn add(&self, tenant: TenantId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > 100_000 {
            known.clear();
        }
        known.insert(tenant, Instant::now());
    }
    /// It has one now.
    pub fn forget(&self, tenant: TenantId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}
