//! The audit log: who did what.

use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::Answer;
use crate::http::table::Table;
use crate::http::take::{Json, Query};
use crate::http::values::When;
use crate::identity::{Principal, Right, Rule};
use autocall_core::ports::catalog::{AuditEntry, AuditFilter};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/audit", Rule::Needs(Right::AuditRead), "The audit log, the newest first.", list)
        .asks::<Paging>()
        .asks::<Filter>()
        .gives_page::<Entry>();
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// By this actor: `user:<id>` or `key:<id>`.
    actor: Option<String>,
    /// Of this action, such as `campaign.start`.
    action: Option<String>,
    /// On this thing.
    object: Option<String>,
}

/// Who did what.
#[derive(Serialize, ToSchema)]
struct Entry {
    /// Its number, from 1.
    n: u64,
    /// When.
    at: When,
    /// Who.
    actor: String,
    /// What.
    action: String,
    /// On what.
    object: String,
    /// More.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl Entry {
    fn of(entry: AuditEntry) -> Entry {
        Entry {
            n: entry.n,
            at: entry.at.into(),
            actor: entry.actor.to_string(),
            action: entry.action.to_string(),
            object: entry.object.to_string(),
            detail: entry.detail,
        }
    }
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Query(paging): Query<Paging>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Entry>>> {
    let text = |t: Option<String>| t.map(Into::into);
    let filter = AuditFilter { actor: text(filter.actor), action: text(filter.action), object: text(filter.object) };
    Ok(Json(Page::from(app.catalog.audit_log(who.tenant, &filter, &paging.ask()?).await?, Entry::of)))
}
