//! Pools: groups of agents that campaigns draw on.

use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::Page;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Json, Path, Tagged};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use autocall_core::PoolId;
use autocall_core::ports::catalog::StoredPool;
use autocall_core::ports::{Put, Versioned};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/pools", Rule::Needs(Right::CampaignsRead), "Lists pools of agents.", list).gives_page::<PoolView>();
    table
        .post("/api/pools", Rule::Needs(Right::AgentsWrite), "Creates a pool.", create)
        .takes::<PoolInput>()
        .gives::<PoolView>(201)
        .once();
    table
        .put("/api/pools/{id}", Rule::Needs(Right::AgentsWrite), "Renames a pool.", rename)
        .takes::<PoolInput>()
        .guarded()
        .gives::<PoolView>(200);
}

/// A pool's name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PoolInput {
    /// 1 to 100 characters.
    name: String,
}

/// A pool of agents.
#[derive(Serialize, ToSchema)]
struct PoolView {
    /// Which.
    id: Key,
    /// Its name.
    name: String,
    /// Its version; the ETag.
    version: u64,
}

impl PoolView {
    fn of(found: Versioned<StoredPool>) -> PoolView {
        PoolView { id: found.row.id.into(), name: found.row.name.to_string(), version: found.version }
    }
}

fn name_of(name: &str) -> Answer<std::sync::Arc<str>> {
    let name = name.trim();
    let good = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good { Ok(name.into()) } else { Err(Problem::field("name", "cannot be a name", "use 1 to 100 characters")) }
}

async fn list(State(app): State<App>, who: Principal) -> Answer<Json<Page<PoolView>>> {
    Ok(Json(Page::whole(app.catalog.pools(who.tenant).await?.into_iter().map(PoolView::of).collect())))
}

async fn create(State(app): State<App>, who: Principal, Json(body): Json<PoolInput>) -> Answer<Created<PoolView>> {
    let row = StoredPool { id: app.new_id(who.tenant), name: name_of(&body.name)? };
    app.catalog.put_pool(&Put { row: row.clone(), expected: 0 }).await?;
    super::note(&app, &who, "pool.create", Key::from(row.id), serde_json::json!({})).await?;
    let view = PoolView::of(Versioned { row, version: 1 });
    Ok(Created { location: format!("/api/pools/{}", view.id), version: Some(1), body: view })
}

async fn rename(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<PoolInput>,
) -> Answer<Tagged<PoolView>> {
    let id: PoolId = key.of(who.tenant);
    let known = app.catalog.pools(who.tenant).await?;
    let found = known.into_iter().find(|p| p.row.id == id).ok_or_else(Problem::not_found)?;
    wanted.check(found.version)?;
    let row = StoredPool { id, name: name_of(&body.name)? };
    app.catalog.put_pool(&Put { row: row.clone(), expected: found.version }).await?;
    super::note(&app, &who, "pool.change", key, serde_json::json!({})).await?;
    Ok(Tagged(found.version + 1, PoolView::of(Versioned { row, version: found.version + 1 })))
}
