//! Signing in and out.

use crate::app::App;
use crate::config::Registration;
use crate::http::problem::{Answer, Problem};
use crate::http::secure;
use crate::http::table::Table;
use crate::http::take::{Done, Json};
use crate::http::values::Key;
use crate::identity::principal::{ACCESS_COOKIE, REFRESH_COOKIE, cookie, same_origin};
use crate::identity::sessions::{self, Granted};
use crate::identity::users::{self, User};
use crate::identity::{Principal, Role, Rule, password, token, totp};
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{CatalogError, Retention, Tenant};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .post(
            "/api/auth/register",
            Rule::Public,
            "Makes an account: by invitation, or openly into a new tenant.",
            register,
        )
        .takes::<Register>()
        .gives::<SignedIn>(201)
        .may(&[403, 409]);
    table
        .post("/api/auth/login", Rule::Public, "Signs in; sets cookies and returns an access token.", login)
        .takes::<Login>()
        .gives::<SignedIn>(200)
        .may(&[401, 423]);
    table
        .post("/api/auth/refresh", Rule::Public, "Renews the access token; the refresh token is used up.", refresh)
        .takes::<Refresh>()
        .gives::<SignedIn>(200)
        .may(&[401]);
    table.post("/api/auth/logout", Rule::SignedIn, "Ends this session.", logout).gives_nothing();
    table
        .post(
            "/api/auth/password",
            Rule::SignedIn,
            "Changes one's own password; all sessions end and a new one begins.",
            change,
        )
        .takes::<ChangePassword>()
        .gives::<SignedIn>(200);
    table
        .post("/api/auth/reset", Rule::Public, "Sets a password with a one-time link.", reset)
        .takes::<Reset>()
        .gives::<SignedIn>(200)
        .may(&[403, 423]);
}

/// What a registration needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Login name, often a mail address.
    login: String,
    /// At least 12 characters.
    password: String,
    /// The name that others see.
    #[serde(default)]
    name: String,
    /// The new tenant's name (open registration).
    tenant: Option<String>,
    /// The invitation's secret (by invitation).
    invitation: Option<String>,
}

/// What a sign-in needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Login name.
    login: String,
    /// Password.
    password: String,
    /// The six digits of the second factor, where one is set up.
    code: Option<String>,
}

/// A refresh token; browsers send theirs as a cookie instead.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The refresh token of the last sign-in or renewal.
    refresh_token: Option<String>,
}

/// What a change of password needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present one.
    old: String,
    /// The new one, at least 12 characters.
    new: String,
}

/// What a reset needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The one-time link's secret.
    token: String,
    /// The new password, at least 12 characters.
    password: String,
    /// The six digits of the second factor, where one is set up.
    code: Option<String>,
}

/// Signed in. The same tokens are set as cookies that scripts cannot read.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// For `Authorization: Bearer …`, ten minutes.
    token: String,
    /// Seconds for which it holds.
    expires_in: i64,
    /// Renews it, once.
    refresh_token: String,
    /// To be repeated in `X-CSRF-Token` by pages that use the cookies.
    csrf: String,
    /// Who signed in.
    user: Me,
}

/// A user, to themselves.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// Which.
    pub id: Key,
    /// The tenant's number.
    pub tenant: u32,
    /// The name that others see.
    pub name: String,
    /// The login name.
    pub login: String,
    /// Their role.
    pub role: Role,
    /// What they may do.
    pub rights: Vec<crate::identity::Right>,
    /// The agent that they work as.
    pub agent: Option<Key>,
    /// Whether a second factor is set up.
    pub totp: bool,
}

impl Me {
    /// Of a user.
    pub fn of(tenant: autocall_core::TenantId, user: &User) -> Me {
        Me {
            id: Key(user.id),
            tenant: tenant.0,
            name: user.name.clone(),
            login: user.login.clone(),
            role: user.role,
            rights: user.role.rights().list(),
            agent: user.agent.map(Key::from),
            totp: user.totp.is_some(),
        }
    }
}

/// Whether the client is reached over https: then cookies go over nothing else.
struct Secure(bool);

impl FromRequestParts<App> for Secure {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Secure(secure::is_https(app, secure::peer(&parts.extensions), &parts.headers)))
    }
}

fn signed_in(secure: &Secure, status: StatusCode, granted: Granted) -> Response {
    let secure = if secure.0 { "; Secure" } else { "" };
    let cookies = [
        format!(
            "{ACCESS_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
            granted.access,
            token::ACCESS_S
        ),
        format!(
            "{REFRESH_COOKIE}={}; Path=/api/auth; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
            granted.refresh,
            token::REFRESH_S
        ),
    ];
    let me = Me::of(granted.tenant, &granted.user);
    let body = SignedIn {
        token: granted.access,
        expires_in: token::ACCESS_S,
        refresh_token: granted.refresh,
        csrf: granted.csrf,
        user: me,
    };
    let mut response = (status, Json(body)).into_response();
    for cookie in cookies {
        if let Ok(value) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// Checks a new password.
pub fn strong(field: &str, password: &str, login: &str) -> Answer<()> {
    match password::weakness(password, login) {
        Some(why) => Err(Problem::field(field, why, "use a sentence of at least 12 characters")),
        None => Ok(()),
    }
}

fn login_name(login: &str) -> Answer<String> {
    users::fold(login)
        .ok_or_else(|| Problem::field("login", "cannot be a login name", "use 3 to 200 characters without spaces"))
}

/// The refusal when too many hashings wait.
pub fn busy(_: password::Busy) -> Problem {
    Problem::unavailable()
}

async fn register(
    State(app): State<App>,
    secure: Secure,
    extensions: Extensions,
    headers: HeaderMap,
    Json(body): Json<Register>,
) -> Answer<Response> {
    slow_down(&app, &extensions, &headers)?;
    let login = login_name(&body.login)?;
    strong("password", &body.password, &login)?;
    if let Some(invitation) = &body.invitation {
        return invited(&app, &secure, invitation, &login, &body).await;
    }
    if app.config.registration != Registration::Open {
        return Err(Problem::forbidden("accounts are made by invitation").remedy("ask an owner for an invitation"));
    }
    let name = body.tenant.as_deref().map(str::trim).filter(|n| (2..=100).contains(&n.chars().count()));
    let name =
        name.ok_or_else(|| Problem::field("tenant", "is missing", "name the new tenant, 2 to 100 characters"))?;
    let password = app.hasher.hash(&body.password).await.map_err(busy)?;
    if users::by_login(&app, &login, app.wall.now()).await?.is_some() {
        return Err(Problem::conflict("the login name is taken"));
    }
    // Nobody calls at the expense of whoever runs the server without having been let.
    let tenant = new_tenant(&app, name, !app.config.is_trial()).await?;
    let user = new_user(&app, tenant, login, &body.name, Role::Owner, Some(password));
    users::create(&app, tenant, &user).await?;
    Ok(signed_in(&secure, StatusCode::CREATED, sessions::begin(&app, tenant, user).await?))
}

/// Takes an invitation up: the invited user exists already and waits for a name and a password.
async fn invited(app: &App, secure: &Secure, secret: &str, login: &str, body: &Register) -> Answer<Response> {
    if app.config.registration == Registration::Closed {
        return Err(Problem::forbidden("no accounts are made here"));
    }
    let refused = || Problem::forbidden("the invitation is not valid").remedy("ask for a new one");
    let password = app.hasher.hash(&body.password).await.map_err(busy)?;
    let (tenant, id) = users::linked(app, secret).await?.ok_or_else(refused)?;
    let found = users::user(app, tenant, id).await.map_err(|_| refused())?;
    if found.row.login != login || found.row.password.is_some() {
        return Err(refused());
    }
    users::redeem(app, secret).await?.ok_or_else(refused)?;
    let now = app.wall.now();
    let user = users::change(app, tenant, id, |user| {
        user.password = Some(password.clone());
        // Other links to this account are void from now on.
        user.tokens_from = now;
        if !body.name.trim().is_empty() {
            user.name = body.name.trim().chars().take(100).collect();
        }
        Ok(())
    })
    .await?;
    Ok(signed_in(secure, StatusCode::CREATED, sessions::begin(app, tenant, user).await?))
}

/// Makes a tenant; `own_carrier_only` where it may not call on the server's own carrier account.
pub async fn new_tenant(app: &App, name: &str, own_carrier_only: bool) -> Answer<autocall_core::TenantId> {
    let now = app.wall.now();
    let id = match app.directory.name_tenant(&name.to_lowercase(), now).await {
        Ok(id) => id,
        Err(CatalogError::Changed) => {
            return Err(Problem::conflict("there is a tenant of this name").remedy("choose another name"));
        }
        Err(error) => return Err(error.into()),
    };
    let row = Tenant {
        id,
        name: name.into(),
        active: true,
        retention: Retention::default(),
        settings: if own_carrier_only {
            serde_json::json!({ "own_carrier_only": true })
        } else {
            serde_json::json!({})
        },
        created_at: now,
    };
    match app.catalog.put_tenant(&Put { row: row.clone(), expected: 0 }).await {
        // Some task met the new name and needed the tenant's keys: then the store has made the row.
        Err(CatalogError::Changed) => {
            let found = app.catalog.tenant(id).await?;
            app.catalog.put_tenant(&Put { row, expected: found.version }).await?;
        }
        other => other?,
    }
    Ok(id)
}

/// A user who is not stored yet.
pub fn new_user(
    app: &App,
    tenant: autocall_core::TenantId,
    login: String,
    name: &str,
    role: Role,
    password: Option<String>,
) -> User {
    let name = name.trim();
    User {
        id: app.new_id::<()>(tenant).key(),
        name: if name.is_empty() { login.clone() } else { name.chars().take(100).collect() },
        login,
        role,
        agent: None,
        password,
        totp: None,
        totp_new: None,
        totp_step: 0,
        disabled: false,
        misses: 0,
        locked_until: None,
        tokens_from: autocall_core::Timestamp::EPOCH,
        created_at: app.wall.now(),
    }
}

/// Where the request comes from; slows down who asks often.
fn slow_down(app: &App, extensions: &Extensions, headers: &HeaderMap) -> Answer<Option<IpAddr>> {
    let address = secure::client_ip(app, secure::peer(extensions), headers);
    app.rates.login_address.take(address, app.wall.now().ms()).map_err(Problem::too_many)?;
    Ok(address)
}

fn locked(seconds: u64) -> Problem {
    Problem::new(StatusCode::LOCKED, "locked", "too many wrong passwords; the account rests for you").after(seconds)
}

async fn login(
    State(app): State<App>,
    secure: Secure,
    extensions: Extensions,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Answer<Response> {
    // The same answer for a wrong name and a wrong password.
    let wrong = || {
        Problem::new(StatusCode::UNAUTHORIZED, "wrong_login", "login name, password or code is wrong")
            .remedy("an owner can give you a one-time link for a new password")
    };
    let Some(login) = users::fold(&body.login) else { return Err(wrong()) };
    let address = slow_down(&app, &extensions, &headers)?;
    let now = app.wall.now();
    if let Some(seconds) = app.lockouts.locked_s(&login, address, now.ms()) {
        return Err(locked(seconds));
    }
    let found = users::by_login(&app, &login, now).await?;
    let phc = found.as_ref().and_then(|(_, user)| user.row.password.as_deref());
    let password: String = body.password.chars().take(password::BYTES_MAX).collect();
    let fits = app.hasher.fits(&password, phc).await.map_err(busy)?;
    let Some((tenant, user)) = found.filter(|(_, user)| fits && !user.row.disabled) else {
        app.lockouts.miss(&login, address, now.ms());
        return Err(wrong());
    };
    app.lockouts.hit(&login, address);
    let user = if user.row.totp.is_some() {
        // Whoever comes as far as this has the password: guesses at the code lock the account.
        if let Some(seconds) = user.row.locked_s(now) {
            return Err(locked(seconds));
        }
        second_factor(&app, tenant, user.row.id, body.code.as_deref()).await?.ok_or_else(wrong)?
    } else {
        user.row
    };
    Ok(signed_in(&secure, StatusCode::OK, sessions::begin(&app, tenant, user).await?))
}

/// Checks the second factor, where there is one, and forgets wrong codes.
async fn second_factor(
    app: &App,
    tenant: autocall_core::TenantId,
    id: uuid::Uuid,
    code: Option<&str>,
) -> Answer<Option<User>> {
    let now = app.wall.now();
    let mut passed = false;
    let user = users::change(app, tenant, id, |user| {
        let step = match &user.totp {
            None => Some(user.totp_step),
            Some(secret) => totp::step(secret, code.unwrap_or_default(), now.ms().div_euclid(1000), user.totp_step),
        };
        passed = step.is_some();
        match step {
            Some(step) => {
                user.totp_step = step;
                user.misses = 0;
                user.locked_until = None;
            }
            None => user.miss(now),
        }
        Ok(())
    })
    .await?;
    Ok(passed.then_some(user))
}

async fn refresh(
    State(app): State<App>,
    secure: Secure,
    headers: HeaderMap,
    Json(body): Json<Refresh>,
) -> Answer<Response> {
    if body.refresh_token.is_none() && !same_origin(&app, &headers) {
        return Err(Problem::unauthorized());
    }
    let token = body.refresh_token.as_deref().or_else(|| cookie(&headers, REFRESH_COOKIE));
    let token = token.ok_or_else(Problem::unauthorized)?;
    let granted = sessions::renew(&app, token).await?;
    Ok(signed_in(&secure, StatusCode::OK, granted))
}

async fn logout(State(app): State<App>, who: Principal) -> Answer<Response> {
    let session =
        who.session.clone().ok_or_else(|| Problem::forbidden("an API key has no session; revoke it instead"))?;
    sessions::end(&app, who.tenant, &session).await?;
    let mut response = Done.into_response();
    for (name, path) in [(ACCESS_COOKIE, "/"), (REFRESH_COOKIE, "/api/auth")] {
        if let Ok(value) = HeaderValue::try_from(format!("{name}=; Path={path}; HttpOnly; SameSite=Strict; Max-Age=0"))
        {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

async fn change(
    State(app): State<App>,
    secure: Secure,
    who: Principal,
    Json(body): Json<ChangePassword>,
) -> Answer<Response> {
    let id = who.as_user()?;
    let now = app.wall.now();
    app.rates.proofs.take(format!("change {}", who.actor), now.ms()).map_err(Problem::too_many)?;
    let found = users::user(&app, who.tenant, id).await?;
    strong("new", &body.new, &found.row.login)?;
    if !app.hasher.fits(&body.old, found.row.password.as_deref()).await.map_err(busy)? {
        return Err(Problem::field("old", "is not the present password", "type the present one, or ask for a link"));
    }
    let user = set_password(&app, who.tenant, id, &body.new).await?;
    super::note(&app, &who, "user.password", Key(id), serde_json::json!({})).await?;
    Ok(signed_in(&secure, StatusCode::OK, sessions::begin(&app, who.tenant, user).await?))
}

/// Sets a password; every session and access token from before is void.
async fn set_password(app: &App, tenant: autocall_core::TenantId, id: uuid::Uuid, password: &str) -> Answer<User> {
    let phc = app.hasher.hash(password).await.map_err(busy)?;
    let now = app.wall.now();
    users::change(app, tenant, id, |user| {
        user.password = Some(phc.clone());
        user.tokens_from = now;
        user.misses = 0;
        user.locked_until = None;
        Ok(())
    })
    .await
}

async fn reset(
    State(app): State<App>,
    secure: Secure,
    extensions: Extensions,
    headers: HeaderMap,
    Json(body): Json<Reset>,
) -> Answer<Response> {
    slow_down(&app, &extensions, &headers)?;
    strong("password", &body.password, "")?;
    let refused = || Problem::forbidden("the link is not valid").remedy("ask an owner for a new one");
    // The link stands for the password alone: a second factor is still asked for, before it is used up.
    let (tenant, id) = users::linked(&app, &body.token).await?.ok_or_else(refused)?;
    let user = users::user(&app, tenant, id).await.map_err(|p| if p.status == 404 { refused() } else { p })?.row;
    if user.disabled {
        return Err(refused());
    }
    if user.totp.is_some() {
        if let Some(seconds) = user.locked_s(app.wall.now()) {
            return Err(locked(seconds));
        }
        let passed = second_factor(&app, tenant, id, body.code.as_deref()).await?;
        passed.ok_or_else(|| {
            Problem::field("code", "is not the code of this moment", "type the six digits of your app")
        })?;
    }
    users::redeem(&app, &body.token).await?.ok_or_else(refused)?;
    let user = set_password(&app, tenant, id, &body.password).await?;
    Ok(signed_in(&secure, StatusCode::OK, sessions::begin(&app, tenant, user).await?))
}
