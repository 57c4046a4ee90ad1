//! What the API shows of the core's things, and how it reads them back.

pub mod campaign_settings;
pub mod person;

pub use autocall_core::settings::Settings;

use crate::app::App;
use crate::http::problem::Answer;
use autocall_core::TenantId;
use autocall_core::ports::Versioned;
use autocall_core::ports::catalog::{CatalogError, Document};

/// A document, if it is there.
pub async fn document(app: &App, tenant: TenantId, kind: &str, key: &str) -> Answer<Option<Versioned<Document>>> {
    match app.catalog.document(tenant, kind, key).await {
        Ok(found) => Ok(Some(found)),
        Err(CatalogError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every document of a kind; a tenant has few of those that are asked for so.
pub async fn documents(app: &App, tenant: TenantId, kind: &str) -> Answer<Vec<Versioned<Document>>> {
    let mut all = Vec::new();
    let mut ask = autocall_core::ports::catalog::PageAsk::first(500);
    for _ in 0..20 {
        let page = app.catalog.documents(tenant, kind, &ask).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    Ok(all)
}
