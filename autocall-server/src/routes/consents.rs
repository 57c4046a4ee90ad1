//! Consent: what a person agreed to, how that is proven, and what they took back. Permission reads
//! it from the lead's dossier at every verdict.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path, read_json};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use autocall_core::LeadId;
use autocall_core::call::Stop;
use autocall_core::engine::Task;
use autocall_core::permission::{Consent, Revocation, RevokedFor};
use autocall_core::ports::catalog::{SuppressTarget, Suppression};
use autocall_core::ports::{Changes, Put, StoreError};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Consents and revocations of one lead at most, each.
const RECORDS_MAX: usize = 100;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get(
            "/api/leads/{id}/consents",
            Rule::Needs(Right::LeadsRead),
            "What the person of a lead agreed to, and took back.",
            list,
        )
        .gives::<Consents>(200);
    table
        .post("/api/leads/{id}/consents", Rule::Needs(Right::LeadsWrite), "Records a consent with its proof.", add)
        .takes::<NewConsent>()
        .gives::<Consents>(200)
        .may(&[409])
        .once();
    table
        .post(
            "/api/leads/{id}/consents/revoke",
            Rule::Needs(Right::LeadsWrite),
            "Records that a person took consent back, or objected.",
            revoke,
        )
        .takes::<NewRevocation>()
        .gives::<Consents>(200)
        .may(&[409]);
}

/// A consent in the core's own form: `class` (express, written), `source` (web_form, paper,
/// recording, agent, import), `given_at` (milliseconds since the epoch), and optionally
/// `recorded_voice`, `automated`, `any_hour`, `expires_at`, `purposes`, `proof`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConsent {
    /// The consent.
    #[schema(value_type = Object)]
    consent: serde_json::Value,
}

/// A revocation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRevocation {
    /// What is taken back: `"everything"` (the default), `"recorded_voice"`, or purposes.
    #[schema(value_type = Option<Object>)]
    what: Option<serde_json::Value>,
    /// How it came: email, agent, letter.
    #[serde(default)]
    channel: String,
}

/// What is on record.
#[derive(Serialize, ToSchema)]
struct Consents {
    /// Consents given.
    #[schema(value_type = Vec<Object>)]
    consents: Vec<Consent>,
    /// Consents taken back, and objections.
    #[schema(value_type = Vec<Object>)]
    revocations: Vec<Revocation>,
}

async fn view(app: &App, id: LeadId) -> Answer<Json<Consents>> {
    let dossier = app.catalog.lead(id).await?.row.person.dossier.clone();
    Ok(Json(Consents { consents: dossier.consents, revocations: dossier.revocations }))
}

async fn list(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Consents>> {
    view(&app, key.of(who.tenant)).await
}

type Dossier = autocall_core::permission::Dossier;

/// Changes a lead's dossier; tried again where a call changes the lead meanwhile.
async fn edit(app: &App, id: LeadId, f: impl Fn(&mut Dossier) -> Answer<()>) -> Answer<()> {
    for _ in 0..8 {
        let found = app.catalog.lead(id).await?;
        let mut row = found.row;
        let mut person = (*row.person).clone();
        f(&mut person.dossier)?;
        row.person = Arc::new(person);
        // What the lead waited for may be there now: the next look judges it anew.
        if row.is_open() && row.blocked_by.is_some() && row.callback.is_none() {
            row.blocked_by = None;
            row.due_at = row.due_at.min(app.clock.now());
        }
        let campaign = row.campaign;
        let mut changes = Changes::new(id.tenant(), app.clock.now());
        changes.leads.push(Put { row, expected: found.version });
        changes.wakes.push((campaign, app.clock.now()));
        match app.store.commit(&changes).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable())
}

fn too_many() -> Problem {
    Problem::conflict("this lead has too many records of consent")
}

async fn add(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<NewConsent>,
) -> Answer<Json<Consents>> {
    let bytes = serde_json::to_vec(&body.consent).map_err(Problem::internal)?;
    let consent: Consent = read_json(&bytes).map_err(|mut problem| {
        for error in &mut problem.errors {
            error.field = format!("consent.{}", error.field);
        }
        problem
    })?;
    if consent.given_at > app.clock.now() {
        return Err(Problem::field("consent.given_at", "is in the future", "use the time at which it was given"));
    }
    if consent.proof.as_ref().is_some_and(|p| p.len() > 2_000) {
        return Err(Problem::field("consent.proof", "is over 2000 bytes", "name where the proof is kept"));
    }
    let id: LeadId = key.of(who.tenant);
    edit(&app, id, |dossier| {
        if dossier.consents.len() >= RECORDS_MAX {
            return Err(too_many());
        }
        dossier.consents.push(consent.clone());
        Ok(())
    })
    .await?;
    // What consent allows may be allowed sooner than the lead's due time says.
    redate(&app, &who, id).await?;
    super::note(&app, &who, "consent.add", key, serde_json::json!({ "class": consent.class })).await?;
    view(&app, id).await
}

async fn redate(app: &App, who: &Principal, id: LeadId) -> Answer<()> {
    let lead = app.catalog.lead(id).await?.row;
    if let Some(rule) = &lead.blocked_by {
        app.catalog.redate(who.tenant, Some(lead.campaign), rule, app.clock.now(), 500).await?;
    }
    Ok(())
}

async fn revoke(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<NewRevocation>,
) -> Answer<Json<Consents>> {
    let what: RevokedFor = match body.what {
        None => RevokedFor::Everything,
        Some(json) => serde_json::from_value(json)
            .map_err(|_| Problem::field("what", "is not known", "use everything or recorded_voice"))?,
    };
    if body.channel.len() > 100 {
        return Err(Problem::field("channel", "is over 100 bytes", "a word is enough"));
    }
    let id: LeadId = key.of(who.tenant);
    let at = app.clock.now();
    edit(&app, id, |dossier| {
        if dossier.revocations.len() >= RECORDS_MAX {
            return Err(too_many());
        }
        dossier.revocations.push(Revocation { at, what, channel: body.channel.clone() });
        Ok(())
    })
    .await?;
    if what == RevokedFor::Everything {
        // The no is the person's, not this list's: their numbers are listed, which holds for every
        // campaign and ends calls that ring.
        let lead = app.catalog.lead(id).await?.row;
        let entries: Vec<Suppression> = lead
            .numbers
            .iter()
            .map(|n| Suppression {
                target: SuppressTarget::Number(n.phone),
                campaign: None,
                reason: "revoked".into(),
                source: format!("lead {key}").into(),
                until: None,
            })
            .collect();
        let done = app.catalog.suppress(who.tenant, &entries, at).await?;
        app.give(done.live.iter().map(|call| Task::Stop(*call, Stop::Listed)).collect());
    }
    super::note(&app, &who, "consent.revoke", key, serde_json::json!({})).await?;
    view(&app, id).await
}
