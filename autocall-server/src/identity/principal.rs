//! The principal: who asks, of which tenant, with which rights.

use super::role::{Rights, Role};
use super::{keys, sessions, token, users};
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::{AgentId, TenantId, Timestamp};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The cookie that holds the access token.
pub const ACCESS_COOKIE: &str = "autocall_access";
/// The cookie that holds the refresh token.
pub const REFRESH_COOKIE: &str = "autocall_refresh";
/// The header in which a page repeats its CSRF value.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// For how long what was looked up about a principal is believed, milliseconds. A revoked key or
/// an ended session is refused after this at the latest, on every node.
const BELIEVED_MS: i64 = 5_000;
/// Principals remembered at most.
const REMEMBERED_MAX: usize = 50_000;

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A user.
    User(Uuid),
    /// An API key.
    Key(Uuid),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::User(id) => write!(f, "user:{}", Key(*id)),
            Actor::Key(id) => write!(f, "key:{}", Key(*id)),
        }
    }
}

/// Who asks. Handlers get it as an argument; only the route table's guard can make one.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub rights: Rights,
    /// Their role; absent for keys.
    pub role: Option<Role>,
    /// The agent that they work as.
    pub agent: Option<AgentId>,
    /// Their session; absent for keys.
    pub session: Option<Arc<str>>,
}

impl Principal {
    /// The agent that they work as, or why not.
    pub fn as_agent(&self) -> Answer<AgentId> {
        self.agent.ok_or_else(|| {
            Problem::forbidden("you do not work as an agent").remedy("link an agent to your user: PUT /api/users/{id}")
        })
    }
    /// Their user, or why not.
    pub fn as_user(&self) -> Answer<Uuid> {
        match self.actor {
            Actor::User(id) => Ok(id),
            Actor::Key(_) => Err(Problem::forbidden("only a signed-in user may do this, not an API key")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Principal>().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// What was looked up, and when.
#[derive(Default)]
pub struct Principals(Mutex<HashMap<Arc<str>, (Timestamp, Principal)>>);

impl Principals {
    fn get(&self, name: &str, now: Timestamp) -> Option<Principal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|(at, _)| (now - *at).ms() < BELIEVED_MS).map(|(_, p)| p.clone())
    }
    fn put(&self, name: &str, principal: &Principal, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, (at, _)| (now - *at).ms() < BELIEVED_MS);
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
        }
        known.insert(name.into(), (now, principal.clone()));
    }
    fn forget(&self, gone: impl Fn(&str, &Principal) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, (_, principal)| !gone(name, principal));
    }
    /// A user has changed.
    pub fn forget_user(&self, tenant: TenantId, id: Uuid) {
        self.forget(|_, p| p.tenant == tenant && p.actor == Actor::User(id));
    }
    /// A session has ended.
    pub fn forget_session(&self, tenant: TenantId, session: &str) {
        self.forget(|_, p| p.tenant == tenant && p.session.as_deref() == Some(session));
    }
    /// A key was revoked.
    pub fn forget_key(&self, digest: &str) {
        self.forget(|name, _| name == digest);
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Finds out who asks; `None` where nothing was presented.
pub async fn authenticate(app: &App, method: &Method, headers: &HeaderMap) -> Answer<Option<Principal>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let bearer = value.to_str().ok().and_then(|v| v.split_once(' '));
        let Some((scheme, secret)) = bearer else { return Err(Problem::unauthorized()) };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized());
        }
        let secret = secret.trim();
        return if secret.starts_with("ack_") { of_key(app, secret).await } else { of_token(app, secret).await }
            .map(Some);
    }
    let Some(access) = cookie(headers, ACCESS_COOKIE) else { return Ok(None) };
    let principal = of_token(app, access).await?;
    if !method.is_safe() {
        let given = headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let session = principal.session.as_deref().unwrap_or_default();
        if !app.tokens.is_csrf(session, given) || !same_origin(app, headers) {
            return Err(Problem::forbidden("the page did not prove that it is ours")
                .remedy("repeat the csrf value of the sign-in in the X-CSRF-Token header"));
        }
    }
    Ok(Some(principal))
}

/// Whether a browser says that the request comes from our own pages. A client that is no browser
/// sends no `Origin`, and has no cookies of ours that it did not ask for itself.
pub fn same_origin(app: &App, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()) else {
        return headers.get("sec-fetch-site").is_none_or(|v| v == "same-origin" || v == "none");
    };
    if origin == app.config.public_base.origin().ascii_serialization() {
        return true;
    }
    // On loopback the page may be reached under several names and ports; its own is in Host.
    let Ok(origin) = url::Url::parse(origin) else { return false };
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let theirs = match (origin.host_str(), origin.port()) {
        (Some(name), Some(port)) => format!("{name}:{port}"),
        (Some(name), None) => name.to_owned(),
        _ => return false,
    };
    crate::config::is_loopback(&origin) && theirs.eq_ignore_ascii_case(host)
}

async fn of_token(app: &App, access: &str) -> Answer<Principal> {
    let now = app.wall.now();
    let claims = app.tokens.read(access, now.ms().div_euclid(1000)).ok_or_else(Problem::unauthorized)?;
    let name = format!("{}:{}", claims.ten, claims.sid);
    let tenant = TenantId(claims.ten);
    let id = claims.sub.parse::<Key>().map_err(|_| Problem::unauthorized())?.0;
    if let Some(principal) = app.principals.get(&name, now) {
        return if principal.actor == Actor::User(id) { Ok(principal) } else { Err(Problem::unauthorized()) };
    }
    let session = sessions::stands(app, tenant, &claims.sid).await?;
    if session.is_none_or(|s| s.user != id) {
        return Err(Problem::unauthorized());
    }
    let user = match users::user(app, tenant, id).await {
        Ok(found) => found.row,
        Err(problem) if problem.status == 404 => return Err(Problem::unauthorized()),
        Err(problem) => return Err(problem),
    };
    if user.disabled || Timestamp::from_secs(claims.iat + 1) <= user.tokens_from {
        return Err(Problem::unauthorized());
    }
    let principal = Principal {
        tenant,
        actor: Actor::User(id),
        rights: user.role.rights(),
        role: Some(user.role),
        agent: user.agent,
        session: Some(claims.sid.into()),
    };
    app.principals.put(&name, &principal, now);
    Ok(principal)
}

async fn of_key(app: &App, secret: &str) -> Answer<Principal> {
    let now = app.wall.now();
    let digest = token::digest_of(secret);
    if let Some(principal) = app.principals.get(&digest, now) {
        return Ok(principal);
    }
    let found = keys::find(app, &digest).await?;
    let (tenant, id, rights) = found.ok_or_else(Problem::unauthorized)?;
    let principal = Principal { tenant, actor: Actor::Key(id), rights, role: None, agent: None, session: None };
    app.principals.put(&digest, &principal, now);
    Ok(principal)
}
