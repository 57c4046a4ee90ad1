//! The PINs with which agents who call in prove who they are. Write-only.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json, Path};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use autocall_core::{AgentId, Private};
use autocall_twilio::pins::{self, PinError};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    let rule = Rule::Needs(Right::AgentsWrite);
    table
        .put("/api/agents/{id}/pin", rule, "Sets the PIN with which an agent calls in to stand.", set)
        .takes::<Pin>()
        .gives_nothing();
    table
        .delete("/api/agents/{id}/pin", rule, "Takes an agent's PIN away: they cannot call in.", remove)
        .gives_nothing();
}

/// A PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// Six to eight digits, not all the same and not in a row.
    #[schema(value_type = String, min_length = 6, max_length = 8)]
    pin: Private,
}

async fn set(State(app): State<App>, who: Principal, Path(key): Path<Key>, Json(body): Json<Pin>) -> Answer<Done> {
    let agent: AgentId = key.of(who.tenant);
    app.catalog.agent(agent).await?;
    match pins::set(&*app.catalog, agent, &body.pin).await {
        Ok(()) => {}
        Err(PinError::Catalog(error)) => return Err(error.into()),
        Err(PinError::Hash) => return Err(Problem::unavailable()),
        Err(PinError::Weak) => {
            return Err(Problem::field("pin", "is too easy", "use six to eight digits, not all the same or in a row"));
        }
    }
    super::note(&app, &who, "agent.pin", key, serde_json::json!({})).await?;
    Ok(Done)
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let agent: AgentId = key.of(who.tenant);
    app.catalog.agent(agent).await?;
    pins::remove(&*app.catalog, agent).await?;
    super::note(&app, &who, "agent.pin.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}
