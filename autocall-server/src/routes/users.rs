//! Users and invitations.

use super::auth::new_user;
use super::leads::missing;
use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Json, Path, Query, Tagged};
use crate::http::values::{Key, When};
use crate::identity::users::{self, User};
use crate::identity::{Principal, Right, Role, Rule};
use autocall_core::ports::Versioned;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const ADMIN: Rule = Rule::Needs(Right::UsersAdmin);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/users", ADMIN, "Lists users.", list).asks::<Paging>().gives_page::<UserView>();
    table
        .post("/api/users", ADMIN, "Invites a user; the one-time link is shown here and nowhere else.", invite)
        .takes::<NewUser>()
        .gives::<Invited>(201)
        .may(&[409]);
    table.get("/api/users/{id}", ADMIN, "One user.", one).gives::<UserView>(200);
    table
        .put("/api/users/{id}", ADMIN, "Changes a user's name, role, agent, or whether they may sign in.", change)
        .takes::<ChangeUser>()
        .guarded()
        .gives::<UserView>(200)
        .may(&[409]);
    table.delete("/api/users/{id}", ADMIN, "Removes a user.", remove).gives_nothing().may(&[409]);
    table
        .post("/api/users/{id}/reset", ADMIN, "Makes a one-time link with which the user sets a new password.", reset)
        .gives::<Link>(200);
}

/// A user to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// Login name, often a mail address.
    login: String,
    /// The name that others see.
    #[serde(default)]
    name: String,
    /// Their role.
    role: Role,
    /// The agent that they work as.
    agent: Option<Key>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// The name that others see.
    name: Option<String>,
    /// Their role.
    role: Option<Role>,
    /// The agent that they work as.
    agent: Option<Key>,
    /// Whether they may not sign in.
    disabled: Option<bool>,
}

/// A user.
#[derive(Serialize, ToSchema)]
struct UserView {
    /// Which.
    id: Key,
    /// Login name.
    login: String,
    /// The name that others see.
    name: String,
    /// Their role.
    role: Role,
    /// The agent that they work as.
    agent: Option<Key>,
    /// Whether they may not sign in.
    disabled: bool,
    /// Whether they have set a password.
    active: bool,
    /// Whether a second factor is set up.
    totp: bool,
    /// Since when.
    created_at: When,
    /// Their version; the ETag.
    version: u64,
}

impl UserView {
    fn of(found: Versioned<User>) -> UserView {
        let user = found.row;
        UserView {
            id: Key(user.id),
            login: user.login,
            name: user.name,
            role: user.role,
            agent: user.agent.map(Key::from),
            disabled: user.disabled,
            active: user.password.is_some(),
            totp: user.totp.is_some(),
            created_at: user.created_at.into(),
            version: found.version,
        }
    }
}

/// An invited user and their link.
#[derive(Serialize, ToSchema)]
struct Invited {
    /// The user.
    user: UserView,
    /// The invitation.
    link: Link,
}

/// A one-time link. Hand it over yourself: the server sends no mail.
#[derive(Serialize, ToSchema)]
pub struct Link {
    /// The secret, for `invitation` of register or `token` of reset.
    pub token: String,
    /// The page that takes it.
    pub url: String,
    /// Seconds for which it holds.
    pub expires_in: i64,
}

/// The page that takes a one-time link. The secret sits behind the `#`, so no server logs it.
pub async fn link_for(app: &App, tenant: autocall_core::TenantId, id: uuid::Uuid) -> Answer<Link> {
    let token = users::link(app, tenant, id).await?;
    let base = app.config.public_base.as_str().trim_end_matches('/').to_owned();
    Ok(Link { url: format!("{base}/welcome#{token}"), token, expires_in: crate::identity::token::LINK_S })
}

async fn list(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<UserView>>> {
    let page = app.catalog.documents(who.tenant, users::KIND, &paging.ask()?).await?;
    let mut items = Vec::new();
    for found in page.items {
        let row: User = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
        items.push(UserView::of(Versioned { row, version: found.version }));
    }
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}

async fn agent(app: &App, who: &Principal, key: Option<Key>) -> Answer<Option<autocall_core::AgentId>> {
    let Some(key) = key else { return Ok(None) };
    let id = key.of(who.tenant);
    app.catalog.agent(id).await.map_err(Problem::from).map_err(|p| missing(p, "agent"))?;
    Ok(Some(id))
}

async fn invite(State(app): State<App>, who: Principal, Json(body): Json<NewUser>) -> Answer<Created<Invited>> {
    let login = users::fold(&body.login)
        .ok_or_else(|| Problem::field("login", "cannot be a login name", "use 3 to 200 characters without spaces"))?;
    may_give(&who, body.role)?;
    let mut user = new_user(&app, who.tenant, login, &body.name, body.role, None);
    user.agent = agent(&app, &who, body.agent).await?;
    users::create(&app, who.tenant, &user).await?;
    let link = link_for(&app, who.tenant, user.id).await?;
    super::note(&app, &who, "user.invite", Key(user.id), serde_json::json!({ "role": body.role })).await?;
    let view = UserView::of(Versioned { row: user, version: 1 });
    Ok(Created { location: format!("/api/users/{}", view.id), version: Some(1), body: Invited { user: view, link } })
}

/// Nobody gives away more than they have: an API key with `users:admin` alone makes no owner.
fn may_give(who: &Principal, role: Role) -> Answer<()> {
    if who.rights.holds_all(role.rights()) {
        Ok(())
    } else {
        Err(Problem::forbidden("the role may do more than you may"))
    }
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<UserView>> {
    let view = UserView::of(users::user(&app, who.tenant, key.0).await?);
    Ok(Tagged(view.version, view))
}

/// A tenant must not lock itself out.
async fn another_owner(app: &App, who: &Principal, but: uuid::Uuid) -> Answer<()> {
    let all = crate::views::documents(app, who.tenant, users::KIND).await?;
    let owners = all.into_iter().filter_map(|d| serde_json::from_value::<User>(d.row.body).ok());
    let mut others = owners.filter(|u| u.id != but && u.role == Role::Owner && !u.disabled && u.password.is_some());
    match others.next() {
        Some(_) => Ok(()),
        None => Err(Problem::conflict("this is the last owner").remedy("make somebody else an owner first")),
    }
}

async fn change(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<ChangeUser>,
) -> Answer<Tagged<UserView>> {
    let found = users::user(&app, who.tenant, key.0).await?;
    wanted.check(found.version)?;
    let mut user = found.row;
    may_give(&who, user.role)?;
    let was_owner = user.role == Role::Owner && !user.disabled;
    if let Some(name) = &body.name {
        user.name = name.trim().chars().take(100).collect();
    }
    if let Some(role) = body.role {
        may_give(&who, role)?;
        user.role = role;
    }
    if body.agent.is_some() {
        user.agent = agent(&app, &who, body.agent).await?;
    }
    user.disabled = body.disabled.unwrap_or(user.disabled);
    if was_owner && (user.role != Role::Owner || user.disabled) {
        another_owner(&app, &who, user.id).await?;
    }
    users::put(&app, who.tenant, &user, found.version).await?;
    super::note(&app, &who, "user.change", key, serde_json::json!({ "role": user.role, "disabled": user.disabled }))
        .await?;
    one(State(app), who, Path(key)).await
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let user = users::user(&app, who.tenant, key.0).await?.row;
    may_give(&who, user.role)?;
    if user.role == Role::Owner {
        another_owner(&app, &who, user.id).await?;
    }
    users::remove(&app, who.tenant, key.0).await?;
    super::note(&app, &who, "user.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}

async fn reset(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Link>> {
    let user = users::user(&app, who.tenant, key.0).await?.row;
    may_give(&who, user.role)?;
    let link = link_for(&app, who.tenant, key.0).await?;
    super::note(&app, &who, "user.reset", key, serde_json::json!({})).await?;
    Ok(Json(link))
}
