//! Persons' rights: everything on one person, a tenant's whole data, erasure.

use super::export::paged;
use super::uploads::attachment;
use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Query};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::Private;
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::catalog::{CatalogError, Erasure, ExportPart, Keep, PageAsk, Subject};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const PRIVACY: Rule = Rule::Needs(Right::Privacy);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .post("/api/privacy/export", PRIVACY, "Everything on one person.", export_person)
        .takes::<Person>()
        .gives::<Everything>(200)
        .may(&[404]);
    table
        .post(
            "/api/privacy/erase",
            PRIVACY,
            "Erases a person; the number stays on the do-not-call list as a keyed hash.",
            erase,
        )
        .takes::<Person>()
        .gives::<Erased>(200)
        .may(&[404, 409]);
    table
        .get("/api/privacy/tenant", PRIVACY, "All data of the tenant, one JSON object per line.", export_tenant)
        .gives_raw(200, "application/x-ndjson")
        .streams();
    table
        .get(
            "/api/privacy/kept",
            Rule::Needs(Right::AuditRead),
            "What is kept in spite of erasures, with citation and end.",
            kept,
        )
        .asks::<Paging>()
        .gives_page::<Everything>();
}

/// Whom it is about: one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Person {
    /// Whoever has this number.
    phone: Option<String>,
    /// Whoever has this key of the user's own.
    external_id: Option<String>,
    /// Whoever this lead is.
    lead: Option<Key>,
}

/// Any JSON object.
#[derive(Serialize, ToSchema)]
struct Everything {
    /// The data.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    data: serde_json::Map<String, serde_json::Value>,
}

impl Everything {
    fn of(json: serde_json::Value) -> Everything {
        let data = match json {
            serde_json::Value::Object(data) => data,
            other => serde_json::Map::from_iter([("value".to_owned(), other)]),
        };
        Everything { data }
    }
}

fn subject(who: &Principal, body: &Person) -> Answer<Subject> {
    match (&body.phone, &body.external_id, body.lead) {
        (Some(phone), None, None) => {
            let normal =
                normalise(phone, Country::US).map_err(|e| Problem::field("phone", e.to_string(), e.remedy()))?;
            Ok(Subject::Number(normal.phone))
        }
        (None, Some(id), None) => Ok(Subject::External(Private::new(id.as_str()))),
        (None, None, Some(lead)) => Ok(Subject::Lead(lead.of(who.tenant))),
        _ => Err(Problem::field("phone", "is missing", "give one of phone, external_id and lead")),
    }
}

async fn export_person(State(app): State<App>, who: Principal, Json(body): Json<Person>) -> Answer<Json<Everything>> {
    let subject = subject(&who, &body)?;
    super::note_first(&app, &who, "person.export", "person", serde_json::json!({})).await?;
    Ok(Json(Everything::of(app.catalog.export_person(who.tenant, &subject).await?)))
}

/// Something kept in spite of the erasure.
#[derive(Serialize, ToSchema)]
struct KeptView {
    /// What.
    what: String,
    /// How many rows.
    rows: u64,
    /// The rule that obliges to keep it.
    citation: String,
    /// Until when; then it goes by itself.
    until: When,
}

/// What an erasure did.
#[derive(Serialize, ToSchema)]
struct Erased {
    /// Leads erased.
    leads: u64,
    /// Calls whose personal data was erased.
    calls: u64,
    /// Numbers that stay on the do-not-call list as keyed hashes.
    suppressed: u64,
    /// Recordings that are still to be deleted at the carrier; tried again until it confirms.
    recordings_pending: usize,
    /// What is locked to auditors for now.
    kept: Vec<KeptView>,
    /// Repeats the erasure after a restore; keep it outside the back-up. Names nobody.
    token: String,
}

/// What rules oblige callers to keep (16 CFR 310.5: five years).
fn keeps() -> Vec<Keep> {
    vec![Keep {
        what: "calls".into(),
        citation: "16 CFR 310.5(a)".into(),
        keep_ms: autocall_core::Millis::from_days(5 * 365 + 1),
    }]
}

async fn erase(State(app): State<App>, who: Principal, Json(body): Json<Person>) -> Answer<Json<Erased>> {
    let subject = subject(&who, &body)?;
    let erasure = Erasure { subject, actor: who.actor.to_string().into(), at: app.clock.now(), keeps: keeps() };
    let done = match app.catalog.erase(who.tenant, &erasure).await {
        Ok(done) => done,
        Err(CatalogError::Changed) => {
            return Err(Problem::conflict("the person is in a call").remedy("end the call first").after(5));
        }
        Err(error) => return Err(error.into()),
    };
    super::note(&app, &who, "person.erase", "person", serde_json::json!({ "leads": done.leads, "calls": done.calls }))
        .await?;
    Ok(Json(Erased {
        leads: done.leads,
        calls: done.calls,
        suppressed: done.suppressed,
        recordings_pending: done.recordings.len(),
        kept: done
            .kept
            .into_iter()
            .map(|k| KeptView {
                what: k.what.to_string(),
                rows: k.rows,
                citation: k.citation.to_string(),
                until: k.until.into(),
            })
            .collect(),
        token: done.token,
    }))
}

async fn export_tenant(State(app): State<App>, who: Principal) -> Answer<Response> {
    super::note_first(&app, &who, "tenant.export", "tenant", serde_json::json!({})).await?;
    let tenant = who.tenant;
    let body = paged(app, move |app: App, ask: PageAsk, _first| async move {
        // The cursor of the whole: the part's number, and the part's own cursor behind it.
        let text = ask.after.as_ref().map(|c| c.0.clone()).unwrap_or_else(|| "0 ".into());
        let (part, inner) = text.split_once(' ').unwrap_or(("0", ""));
        let n: usize = part.parse().unwrap_or(0);
        let Some(part) = ExportPart::ALL.get(n).copied() else { return Ok((String::new(), None)) };
        let after = (!inner.is_empty()).then(|| autocall_core::ports::catalog::Cursor(inner.to_owned()));
        let page = app.catalog.export_tenant(tenant, part, &PageAsk { after, limit: ask.limit }).await?;
        let name = format!("{part:?}").to_lowercase();
        let mut lines = String::new();
        for item in page.items {
            lines.push_str(&serde_json::json!({ "kind": name, "data": item }).to_string());
            lines.push('\n');
        }
        let next = match page.next {
            Some(next) => Some(format!("{n} {}", next.0)),
            None if n + 1 < ExportPart::ALL.len() => Some(format!("{} ", n + 1)),
            None => None,
        };
        Ok((lines, next.map(autocall_core::ports::catalog::Cursor)))
    });
    Ok(attachment("tenant.ndjson", "application/x-ndjson", body))
}

async fn kept(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<Everything>>> {
    super::note_first(&app, &who, "kept.read", "kept", serde_json::json!({})).await?;
    Ok(Json(Page::from(app.catalog.kept(who.tenant, &paging.ask()?).await?, Everything::of)))
}
