//! API keys.

use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Json, Path, Query};
use crate::http::values::{Key, When};
use crate::identity::keys::{self, ApiKey};
use crate::identity::{Principal, Right, Rights, Rule};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const ADMIN: Rule = Rule::Needs(Right::IntegrationsAdmin);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/keys", ADMIN, "Lists API keys, without their secrets.", list)
        .asks::<Paging>()
        .gives_page::<KeyView>();
    table
        .post("/api/keys", ADMIN, "Makes an API key; its secret is shown here and nowhere else.", create)
        .takes::<NewKey>()
        .gives::<MadeKey>(201);
    table.delete("/api/keys/{id}", ADMIN, "Revokes an API key.", revoke).gives_nothing();
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// What it is for.
    name: String,
    /// What it may do; never more than oneself may.
    rights: Vec<Right>,
    /// When it ends by itself.
    expires_at: Option<When>,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
struct KeyView {
    /// Which.
    id: Key,
    /// What it is for.
    name: String,
    /// Its first characters.
    begins: String,
    /// What it may do.
    rights: Vec<Right>,
    /// When it ends by itself.
    expires_at: Option<When>,
    /// When it was made.
    created_at: When,
}

impl KeyView {
    fn of(key: &ApiKey) -> KeyView {
        KeyView {
            id: Key(key.id),
            name: key.name.clone(),
            begins: key.begins.clone(),
            rights: key.rights.clone(),
            expires_at: key.until.map(When),
            created_at: key.created_at.into(),
        }
    }
}

/// A new key with its secret.
#[derive(Serialize, ToSchema)]
struct MadeKey {
    /// The key.
    key: KeyView,
    /// For `Authorization: Bearer …`.
    secret: String,
}

async fn list(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<KeyView>>> {
    let page = app.catalog.documents(who.tenant, keys::KIND, &paging.ask()?).await?;
    let mut items = Vec::new();
    for found in page.items {
        let key: ApiKey = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
        items.push(KeyView::of(&key));
    }
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}

async fn create(State(app): State<App>, who: Principal, Json(body): Json<NewKey>) -> Answer<Created<MadeKey>> {
    let name = body.name.trim();
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Problem::field("name", "cannot be a name", "use 1 to 100 characters"));
    }
    if body.rights.is_empty() {
        return Err(Problem::field("rights", "is empty", "say what the key may do"));
    }
    if !who.rights.holds_all(Rights::of(&body.rights)) {
        return Err(Problem::forbidden("the key would do more than you may"));
    }
    let until = body.expires_at.map(|w| w.0);
    if until.is_some_and(|at| at <= app.wall.now()) {
        return Err(Problem::field("expires_at", "is past", "use a later time, or none"));
    }
    let (key, secret) = keys::create(&app, who.tenant, name.to_owned(), body.rights, until).await?;
    super::note(&app, &who, "key.create", Key(key.id), serde_json::json!({ "rights": key.rights })).await?;
    let view = KeyView::of(&key);
    Ok(Created { location: format!("/api/keys/{}", view.id), version: None, body: MadeKey { key: view, secret } })
}

async fn revoke(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    keys::revoke(&app, who.tenant, key.0).await?;
    super::note(&app, &who, "key.revoke", key, serde_json::json!({})).await?;
    Ok(Done)
}
