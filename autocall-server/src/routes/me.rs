//! One's own account.

use super::auth::{Me, busy};
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json};
use crate::identity::{Principal, Rule, token, totp, users};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/me", Rule::SignedIn, "Who one is and what one may do.", me).gives::<WhoAmI>(200);
    table
        .post("/api/me/totp", Rule::SignedIn, "Begins to set up a second factor.", begin_totp)
        .takes::<Password>()
        .gives::<NewTotp>(200)
        .may(&[409]);
    table
        .put("/api/me/totp", Rule::SignedIn, "Confirms the second factor with its first code.", confirm_totp)
        .takes::<Code>()
        .gives_nothing()
        .may(&[409]);
    table
        .post("/api/me/totp/remove", Rule::SignedIn, "Removes the second factor.", remove_totp)
        .takes::<Password>()
        .gives_nothing();
}

/// Who asks.
#[derive(Serialize, ToSchema)]
struct WhoAmI {
    /// The user; absent for API keys.
    user: Option<Me>,
    /// What may be done.
    rights: Vec<crate::identity::Right>,
    /// To be repeated in `X-CSRF-Token` by pages that use the cookies.
    csrf: Option<String>,
    /// Whether this server makes no real call.
    trial: bool,
}

async fn me(State(app): State<App>, who: Principal) -> Answer<Json<WhoAmI>> {
    let user = match who.as_user() {
        Ok(id) => Some(Me::of(who.tenant, &users::user(&app, who.tenant, id).await?.row)),
        Err(_) => None,
    };
    Ok(Json(WhoAmI {
        user,
        rights: who.rights.list(),
        csrf: who.session.as_deref().map(|s| app.tokens.csrf(s)),
        trial: app.config.is_trial(),
    }))
}

/// One's present password, to prove that it is still oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Password {
    /// The present password.
    password: String,
}

/// A code of the authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// Six digits.
    code: String,
}

/// A second factor to be set up.
#[derive(Serialize, ToSchema)]
struct NewTotp {
    /// For typing into an authenticator app.
    secret: String,
    /// For a QR code.
    address: String,
}

async fn prove(app: &App, who: &Principal, password: &str) -> Answer<users::User> {
    let id = who.as_user()?;
    app.rates.proofs.take(format!("prove {}", who.actor), app.wall.now().ms()).map_err(Problem::too_many)?;
    let found = users::user(app, who.tenant, id).await?.row;
    if app.hasher.fits(password, found.password.as_deref()).await.map_err(busy)? {
        Ok(found)
    } else {
        Err(Problem::field("password", "is not the present password", "type the present one"))
    }
}

async fn begin_totp(State(app): State<App>, who: Principal, Json(body): Json<Password>) -> Answer<Json<NewTotp>> {
    let user = prove(&app, &who, &body.password).await?;
    if user.totp.is_some() {
        return Err(Problem::conflict("there is a second factor already").remedy("remove it first"));
    }
    let secret = token::random::<20>();
    let user = users::change(&app, who.tenant, user.id, |user| {
        user.totp_new = Some(secret.to_vec());
        Ok(())
    })
    .await?;
    Ok(Json(NewTotp { secret: totp::base32(&secret), address: totp::address(&secret, &user.login) }))
}

async fn confirm_totp(State(app): State<App>, who: Principal, Json(body): Json<Code>) -> Answer<Done> {
    let id = who.as_user()?;
    let now_s = app.wall.now().ms().div_euclid(1000);
    app.rates.proofs.take(format!("totp {}", who.actor), app.wall.now().ms()).map_err(Problem::too_many)?;
    users::change(&app, who.tenant, id, |user| {
        let secret = user.totp_new.clone().ok_or_else(|| Problem::conflict("no second factor is being set up"))?;
        let step = totp::step(&secret, &body.code, now_s, user.totp_step).ok_or_else(|| {
            Problem::field("code", "is not the code of this moment", "type the six digits the app shows")
        })?;
        user.totp = Some(secret);
        user.totp_new = None;
        user.totp_step = step;
        Ok(())
    })
    .await?;
    super::note(&app, &who, "user.totp", crate::http::values::Key(id), serde_json::json!({ "on": true })).await?;
    Ok(Done)
}

async fn remove_totp(State(app): State<App>, who: Principal, Json(body): Json<Password>) -> Answer<Done> {
    let user = prove(&app, &who, &body.password).await?;
    users::change(&app, who.tenant, user.id, |user| {
        user.totp = None;
        user.totp_new = None;
        Ok(())
    })
    .await?;
    super::note(&app, &who, "user.totp", crate::http::values::Key(user.id), serde_json::json!({ "on": false })).await?;
    Ok(Done)
}
