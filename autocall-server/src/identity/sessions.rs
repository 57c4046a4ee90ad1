//! Sessions: a refresh token that changes with each use, and short access tokens beneath it.
//!
//! A refresh token that comes a second time was stolen, or its thief came first: the session ends.

use super::token::{self, REFRESH_S};
use super::users::{self, User};
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::ports::catalog::{CatalogError, Document, Entry, EntryKind};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{Millis, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of the documents that hold sessions.
pub const KIND: &str = "session";

/// A session: one sign-in on one device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Whose.
    pub user: Uuid,
    /// When it began.
    pub since: Timestamp,
    /// When its tokens were last renewed.
    pub renewed_at: Timestamp,
}

/// What a sign-in or a renewal gives.
pub struct Granted {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: User,
    /// The session's id.
    pub session: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// What a page must repeat in `X-CSRF-Token`.
    pub csrf: String,
}

fn document(tenant: TenantId, id: &str, session: &Session) -> Result<Document, Problem> {
    Ok(Document {
        tenant,
        kind: KIND.into(),
        key: id.into(),
        body: serde_json::to_value(session).map_err(Problem::internal)?,
        until: Some(session.renewed_at + Millis::from_secs(REFRESH_S)),
    })
}

/// Begins a session for a user who has proven who they are.
pub async fn begin(app: &App, tenant: TenantId, user: User) -> Answer<Granted> {
    let now = app.wall.now();
    let id = token::hex(&token::random::<16>());
    let session = Session { user: user.id, since: now, renewed_at: now };
    app.catalog.put_document(&Put { row: document(tenant, &id, &session)?, expected: 0 }).await?;
    grant(app, tenant, user, id, now).await
}

async fn grant(app: &App, tenant: TenantId, user: User, session: String, now: Timestamp) -> Answer<Granted> {
    let refresh = token::secret("acr");
    let entry = Entry {
        kind: EntryKind::Refresh,
        name: token::digest_of(&refresh).into(),
        tenant,
        body: serde_json::json!({ "user": Key(user.id).to_string(), "session": session, "used": false }),
        until: Some(now + Millis::from_secs(REFRESH_S)),
    };
    app.directory.put_entry(&Put { row: entry, expected: 0 }).await?;
    let access = app
        .tokens
        .access(&Key(user.id).to_string(), tenant.0, &session, now.ms().div_euclid(1000))
        .ok_or_else(|| Problem::internal("a token could not be signed"))?;
    let csrf = app.tokens.csrf(&session);
    Ok(Granted { tenant, user, session, access, refresh, csrf })
}

/// Renews a session with its refresh token, which is used up by it.
pub async fn renew(app: &App, refresh: &str) -> Answer<Granted> {
    let now = app.wall.now();
    let found = app.directory.entry(EntryKind::Refresh, &token::digest_of(refresh), now).await?;
    let Some(Versioned { row: mut entry, version }) = found else { return Err(Problem::unauthorized()) };
    let tenant = entry.tenant;
    let session = entry.body["session"].as_str().unwrap_or_default().to_owned();
    let user = entry.body["user"].as_str().and_then(|s| s.parse::<Key>().ok()).ok_or_else(Problem::unauthorized)?;
    if entry.body["used"] == true {
        end(app, tenant, &session).await?;
        tracing::warn!(tenant = %tenant, "a used refresh token came again; its session was ended");
        return Err(Problem::unauthorized());
    }
    entry.body["used"] = true.into();
    match app.directory.put_entry(&Put { row: entry, expected: version }).await {
        Ok(()) => {}
        // Two renewals at once with one token: only one of them can be the owner's.
        Err(CatalogError::Changed) => return Err(Problem::unauthorized()),
        Err(error) => return Err(error.into()),
    }
    let present = match app.catalog.document(tenant, KIND, &session).await {
        Ok(present) => present,
        Err(CatalogError::NotFound) => return Err(Problem::unauthorized()),
        Err(error) => return Err(error.into()),
    };
    let user = match users::user(app, tenant, user.0).await {
        Ok(found) if !found.row.disabled => found.row,
        Ok(_) => return Err(Problem::unauthorized()),
        Err(problem) if problem.status == 404 => return Err(Problem::unauthorized()),
        Err(problem) => return Err(problem),
    };
    let mut row: Session = serde_json::from_value(present.row.body).map_err(Problem::internal)?;
    if row.since < user.tokens_from {
        return Err(Problem::unauthorized());
    }
    row.renewed_at = now;
    app.catalog.put_document(&Put { row: document(tenant, &session, &row)?, expected: present.version }).await?;
    grant(app, tenant, user, session, now).await
}

/// Ends a session; its access tokens end with it on this node at once, elsewhere within seconds.
pub async fn end(app: &App, tenant: TenantId, session: &str) -> Answer<()> {
    app.principals.forget_session(tenant, session);
    match app.catalog.document(tenant, KIND, session).await {
        Ok(found) => match app.catalog.remove_document(tenant, KIND, session, found.version).await {
            Ok(()) | Err(CatalogError::NotFound | CatalogError::Changed) => Ok(()),
            Err(error) => Err(error.into()),
        },
        Err(CatalogError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a session stands, and whose it is.
pub async fn stands(app: &App, tenant: TenantId, session: &str) -> Answer<Option<Session>> {
    match app.catalog.document(tenant, KIND, session).await {
        Ok(found) => Ok(serde_json::from_value(found.row.body).ok()),
        Err(CatalogError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
