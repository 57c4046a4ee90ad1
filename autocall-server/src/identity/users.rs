//! Users: a sealed document each, found by login name through the directory.

use super::role::Role;
use super::token;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::ports::catalog::{CatalogError, Document, Entry, EntryKind};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{AgentId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;

/// The kind of the documents that hold users.
pub const KIND: &str = "user";
/// Wrong codes in a row that lock an account for a while.
pub const MISSES_MAX: u32 = 8;
/// How long a locked account stays so, milliseconds; doubles with each further miss.
const LOCK_MS: i64 = 60_000;

/// A user. `Debug` shows no login name and no secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// Which.
    pub id: Uuid,
    /// The login name, as folded.
    pub login: String,
    /// The name that others see.
    pub name: String,
    /// What they are to the tenant.
    pub role: Role,
    /// The agent that they work as.
    pub agent: Option<AgentId>,
    /// Argon2id as PHC string; absent until they set a password.
    pub password: Option<String>,
    /// The secret of their second factor, once confirmed.
    #[serde(default)]
    pub totp: Option<Vec<u8>>,
    /// A secret that waits for its first code.
    #[serde(default)]
    pub totp_new: Option<Vec<u8>>,
    /// The last time step whose code was used.
    #[serde(default)]
    pub totp_step: i64,
    /// May not sign in.
    #[serde(default)]
    pub disabled: bool,
    /// Wrong codes in a row.
    #[serde(default)]
    pub misses: u32,
    /// Locked until then.
    #[serde(default)]
    pub locked_until: Option<Timestamp>,
    /// Access tokens from before are void: password changed, signed out everywhere.
    #[serde(default)]
    pub tokens_from: Timestamp,
    /// Since when they are there.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "user {} ({:?})", Key(self.id), self.role)
    }
}

impl User {
    /// Remembers a wrong code of the second factor.
    pub fn miss(&mut self, now: Timestamp) {
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES_MAX {
            let doubled = LOCK_MS << (self.misses - MISSES_MAX).min(6);
            self.locked_until = Some(now + autocall_core::Millis::from_ms(doubled));
        }
    }
    /// Seconds for which the account is locked.
    pub fn locked_s(&self, now: Timestamp) -> Option<u64> {
        let left = (self.locked_until? - now).ms();
        (left > 0).then(|| (left as u64).div_ceil(1000))
    }
}

/// A login name in its one spelling; `None` if it cannot be one.
pub fn fold(login: &str) -> Option<String> {
    let folded = login.trim().to_lowercase();
    let good = (3..=200).contains(&folded.len()) && !folded.chars().any(|c| c.is_control() || c.is_whitespace());
    good.then_some(folded)
}

fn document(tenant: TenantId, user: &User) -> Result<Document, Problem> {
    Ok(Document {
        tenant,
        kind: KIND.into(),
        key: Key(user.id).to_string().into(),
        body: serde_json::to_value(user).map_err(Problem::internal)?,
        until: None,
    })
}

/// Reads a user of a tenant.
pub async fn user(app: &App, tenant: TenantId, id: Uuid) -> Answer<Versioned<User>> {
    let found = app.catalog.document(tenant, KIND, &Key(id).to_string()).await?;
    let row = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
    Ok(Versioned { row, version: found.version })
}

/// Finds a user by login name, in whatever tenant.
pub async fn by_login(app: &App, login: &str, now: Timestamp) -> Answer<Option<(TenantId, Versioned<User>)>> {
    let Some(entry) = app.directory.entry(EntryKind::User, login, now).await? else { return Ok(None) };
    let Some(id) = entry.row.body["user"].as_str().and_then(|s| s.parse::<Key>().ok()) else { return Ok(None) };
    match user(app, entry.row.tenant, id.0).await {
        Ok(user) => Ok(Some((entry.row.tenant, user))),
        Err(problem) if problem.status == 404 => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Writes a user of this version.
pub async fn put(app: &App, tenant: TenantId, user: &User, expected: u64) -> Answer<()> {
    app.catalog.put_document(&Put { row: document(tenant, user)?, expected }).await?;
    app.principals.forget_user(tenant, user.id);
    Ok(())
}

/// Changes a user, reading again where somebody else was quicker. At most a few times.
pub async fn change(app: &App, tenant: TenantId, id: Uuid, mut f: impl FnMut(&mut User) -> Answer<()>) -> Answer<User> {
    for _ in 0..8 {
        let mut found = user(app, tenant, id).await?;
        f(&mut found.row)?;
        match put(app, tenant, &found.row, found.version).await {
            Ok(()) => return Ok(found.row),
            Err(problem) if problem.status == 412 => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(Problem::unavailable())
}

/// Makes a user. The login name is taken first, so two can never share one; a name that was taken
/// by somebody who died in between is taken over.
pub async fn create(app: &App, tenant: TenantId, user: &User) -> Answer<()> {
    let now = app.wall.now();
    let present = app.directory.entry(EntryKind::User, &user.login, now).await?;
    if present.is_some() && by_login(app, &user.login, now).await?.is_some() {
        return Err(Problem::conflict("the login name is taken").remedy("choose another one"));
    }
    let entry = Entry {
        kind: EntryKind::User,
        name: user.login.as_str().into(),
        tenant,
        body: serde_json::json!({ "user": Key(user.id).to_string() }),
        until: None,
    };
    match app.directory.put_entry(&Put { row: entry, expected: present.map_or(0, |e| e.version) }).await {
        Ok(()) => {}
        Err(CatalogError::Changed) => return Err(Problem::conflict("the login name is taken")),
        Err(error) => return Err(error.into()),
    }
    put(app, tenant, user, 0).await
}

/// Removes a user: the login name is free again.
pub async fn remove(app: &App, tenant: TenantId, id: Uuid) -> Answer<()> {
    let found = user(app, tenant, id).await?;
    app.catalog.remove_document(tenant, KIND, &Key(id).to_string(), found.version).await?;
    match app.directory.remove_entry(EntryKind::User, &found.row.login).await {
        Ok(()) | Err(CatalogError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    app.principals.forget_user(tenant, id);
    Ok(())
}

/// A one-time link with which a user sets a password. Its secret is shown once.
pub async fn link(app: &App, tenant: TenantId, id: Uuid) -> Answer<String> {
    let secret = token::secret("acl");
    let now = app.wall.now();
    let entry = Entry {
        kind: EntryKind::Invite,
        name: token::digest_of(&secret).into(),
        tenant,
        body: serde_json::json!({ "user": Key(id).to_string(), "at": now.ms() }),
        until: Some(now + autocall_core::Millis::from_secs(token::LINK_S)),
    };
    app.directory.put_entry(&Put { row: entry, expected: 0 }).await?;
    Ok(secret)
}

/// Whose link it is, without using it up. A link from before the present password is void: one that
/// was used, or a password that was changed, ends all others.
pub async fn linked(app: &App, secret: &str) -> Answer<Option<(TenantId, Uuid)>> {
    let name = token::digest_of(secret);
    let Some(entry) = app.directory.entry(EntryKind::Invite, &name, app.wall.now()).await? else { return Ok(None) };
    let (tenant, body) = (entry.row.tenant, &entry.row.body);
    let Some(id) = body["user"].as_str().and_then(|s| s.parse::<Key>().ok()) else { return Ok(None) };
    let made = Timestamp::from_ms(body["at"].as_i64().unwrap_or(0));
    match user(app, tenant, id.0).await {
        Ok(found) => Ok((made >= found.row.tokens_from).then_some((tenant, id.0))),
        Err(problem) if problem.status == 404 => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Uses a one-time link up.
pub async fn redeem(app: &App, secret: &str) -> Answer<Option<(TenantId, Uuid)>> {
    let Some(found) = linked(app, secret).await? else { return Ok(None) };
    // Whoever removes it has it; two at once are told apart here.
    match app.directory.remove_entry(EntryKind::Invite, &token::digest_of(secret)).await {
        Ok(()) => Ok(Some(found)),
        Err(CatalogError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
