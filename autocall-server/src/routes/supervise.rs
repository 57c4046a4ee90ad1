//! What supervisors do in calls: monitor, coach, barge.

use super::agents::AddressInput;
use crate::app::App;
use crate::desk::{Presence, Step};
use crate::http::problem::Answer;
use crate::http::table::Table;
use crate::http::take::{Done, Json, Path};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use autocall_core::CallId;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

const SUPERVISE: Rule = Rule::Needs(Right::Supervise);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .post("/api/calls/{id}/monitor", SUPERVISE, "Listens to a call; heard by nobody.", monitor)
        .takes::<Where>()
        .gives_nothing()
        .may(&[409]);
    table
        .post("/api/calls/{id}/coach", SUPERVISE, "Speaks to the agent alone.", coach)
        .takes::<Where>()
        .gives_nothing()
        .may(&[409]);
    table
        .post("/api/calls/{id}/barge", SUPERVISE, "Joins the conversation.", barge)
        .takes::<Where>()
        .gives_nothing()
        .may(&[409]);
    table
        .post(
            "/api/calls/{id}/review",
            SUPERVISE,
            "Says whether a call taken for a machine was a person; the ledger counts it.",
            review,
        )
        .takes::<Heard>()
        .gives_nothing()
        .may(&[409]);
}

/// What somebody heard who listened to a call.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Heard {
    /// Whether it was a person.
    was_person: bool,
}

async fn review(State(app): State<App>, who: Principal, Path(key): Path<Key>, Json(body): Json<Heard>) -> Answer<Done> {
    app.engine.review(key.of(who.tenant), body.was_person).await?;
    super::note(&app, &who, "call.review", key, serde_json::json!({ "was_person": body.was_person })).await?;
    Ok(Done)
}

/// Where the supervisor is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Where {
    /// Their telephone, SIP address or softphone.
    at: AddressInput,
}

async fn join(
    app: &App,
    who: &Principal,
    key: Key,
    body: &Where,
    presence: Presence,
    action: &'static str,
) -> Answer<Done> {
    let at = body.at.read("at")?;
    let id: CallId = key.of(who.tenant);
    let call = app.store.call(id).await?.call.row;
    app.desk.step(&call, &Step::Join { at, presence }).await?;
    super::note(app, who, action, key, serde_json::json!({})).await?;
    Ok(Done)
}

async fn monitor(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Where>,
) -> Answer<Done> {
    join(&app, &who, key, &body, Presence::Monitor, "call.monitor").await
}

async fn coach(State(app): State<App>, who: Principal, Path(key): Path<Key>, Json(body): Json<Where>) -> Answer<Done> {
    join(&app, &who, key, &body, Presence::Coach, "call.coach").await
}

async fn barge(State(app): State<App>, who: Principal, Path(key): Path<Key>, Json(body): Json<Where>) -> Answer<Done> {
    join(&app, &who, key, &body, Presence::Barge, "call.barge").await
}
