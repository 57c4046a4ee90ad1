//! The tenant's own carrier account: brought along, tried before it is kept, never shown again.

use crate::app::App;
use crate::carrier::accounts::{self, Own};
use crate::carrier::twilio::Link;
use crate::http::etag::IfMatch;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json, Tagged};
use crate::identity::{Principal, Right, Rule};
use autocall_core::campaign::State as CampaignState;
use autocall_core::ports::catalog::{CallFilter, PageAsk};
use autocall_twilio::rest::Fault;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/tenant/carrier", Rule::Needs(Right::SettingsRead), "Whose carrier account calls.", one)
        .gives::<CarrierView>(200);
    table
        .put(
            "/api/tenant/carrier",
            Rule::Needs(Right::SettingsWrite),
            "Brings the tenant's own carrier account; it is tried first. No call may be running.",
            change,
        )
        .takes::<NewCarrier>()
        .guarded()
        .gives::<CarrierView>(200)
        .may(&[409]);
    table
        .delete(
            "/api/tenant/carrier",
            Rule::Needs(Right::SettingsWrite),
            "Gives the tenant's own account up; the server's calls again.",
            remove,
        )
        .gives_nothing()
        .may(&[404, 409]);
}

/// A carrier account. Its token is never shown.
#[derive(Serialize, ToSchema)]
struct CarrierView {
    /// twilio, or simulated where no real call is made.
    carrier: &'static str,
    /// Whether it is the tenant's own; otherwise it is the server's.
    own: bool,
    /// The carrier's name of the tenant's own account.
    account_sid: Option<String>,
    /// Its version; the ETag.
    version: u64,
}

/// An account to be brought.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCarrier {
    /// `AC` and 32 hexadecimal digits.
    account_sid: String,
    /// Its auth token: opens the interface and verifies webhooks.
    auth_token: String,
}

async fn one(State(app): State<App>, who: Principal) -> Answer<Tagged<CarrierView>> {
    let own = accounts::own(&*app.catalog, who.tenant).await?;
    let view = CarrierView {
        carrier: if app.link.is_some() { "twilio" } else { "simulated" },
        own: own.is_some(),
        account_sid: own.as_ref().map(|o| o.row.account_sid.clone()),
        version: own.map_or(0, |o| o.version),
    };
    Ok(Tagged(view.version, view))
}

fn link(app: &App) -> Answer<&Link> {
    app.link.as_ref().ok_or_else(|| Problem::not_by_carrier("use an account: its people are simulated"))
}

/// A call is steered on the account that dialed it, and every node believes an account for some
/// seconds: so no campaign may make new ones meanwhile.
async fn no_call_runs(app: &App, who: &Principal) -> Answer<()> {
    let running = app.catalog.campaigns(who.tenant, Some(CampaignState::Running), &PageAsk::first(1)).await?;
    if !running.items.is_empty() {
        return Err(Problem::conflict("a campaign is running").remedy("pause it first, and let its calls end"));
    }
    let live = CallFilter { live: Some(true), ..CallFilter::default() };
    if app.catalog.calls(who.tenant, &live, &PageAsk::first(1)).await?.items.is_empty() {
        return Ok(());
    }
    Err(Problem::conflict("calls are running on the present account").remedy("pause campaigns and let calls end"))
}

async fn change(
    State(app): State<App>,
    who: Principal,
    wanted: IfMatch,
    Json(body): Json<NewCarrier>,
) -> Answer<Tagged<CarrierView>> {
    let link = link(&app)?;
    if !crate::config::is_sid(&body.account_sid) {
        return Err(Problem::field("account_sid", "is not an account", "use AC and 32 hexadecimal digits"));
    }
    let good = (16..=128).contains(&body.auth_token.len()) && body.auth_token.bytes().all(|b| b.is_ascii_graphic());
    if !good {
        return Err(Problem::field("auth_token", "is not a token", "copy it from the carrier's console"));
    }
    no_call_runs(&app, &who).await?;
    let before = accounts::own(&*app.catalog, who.tenant).await?;
    let version = before.as_ref().map_or(0, |b| b.version);
    wanted.check(version)?;
    let own = succeed(before.map(|b| b.row), body);
    let account = own.account(who.tenant, &link.base());
    match link.twilio.client().try_account(&account).await {
        Ok(()) => {}
        Err(Fault::Refused { .. } | Fault::NotUp { .. }) => {
            return Err(Problem::field(
                "auth_token",
                "does not open this account",
                "copy both from the carrier's console",
            ));
        }
        Err(_) => return Err(Problem::unavailable()),
    }
    accounts::put(&*app.catalog, who.tenant, &own, version).await?;
    link.accounts.forget(who.tenant);
    super::note(&app, &who, "carrier.change", who.tenant, serde_json::json!({})).await?;
    one(State(app), who).await
}

/// The new account with what is still needed of the one before.
fn succeed(before: Option<Own>, new: NewCarrier) -> Own {
    let mut own = Own { account_sid: new.account_sid, auth_token: new.auth_token, token_before: None, former: None };
    match before {
        Some(before) if before.account_sid == own.account_sid => {
            let changed = before.auth_token != own.auth_token;
            own.token_before = if changed { Some(before.auth_token) } else { before.token_before };
            own.former = before.former;
        }
        Some(before) => own.former = Some(Box::new(Own { former: None, ..before })),
        None => {}
    }
    own
}

async fn remove(State(app): State<App>, who: Principal) -> Answer<Done> {
    let own = accounts::own(&*app.catalog, who.tenant).await?.ok_or_else(Problem::not_found)?;
    no_call_runs(&app, &who).await?;
    accounts::remove(&*app.catalog, who.tenant, own.version).await?;
    if let Some(link) = &app.link {
        link.accounts.forget(who.tenant);
    }
    super::note(&app, &who, "carrier.remove", who.tenant, serde_json::json!({})).await?;
    Ok(Done)
}
