//! The tenant's own numbers: shown to the called, rung back by them.

use crate::app::App;
use crate::http::page::Page;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Json, Path};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule, token};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{CatalogError, Document, Entry, EntryKind, GroupBy, ReportAsk, ReportKey};
use autocall_core::{Millis, Phone, TenantId};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of the documents that hold numbers.
const KIND: &str = "number";

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/numbers", Rule::Needs(Right::CampaignsRead), "Lists the tenant's numbers with their health.", list)
        .gives_page::<NumberView>();
    table
        .post("/api/numbers", Rule::Needs(Right::SettingsWrite), "Adds a number that the tenant may show.", add)
        .takes::<NewNumber>()
        .gives::<NumberView>(201)
        .may(&[403, 409])
        .once();
    table.delete("/api/numbers/{id}", Rule::Needs(Right::SettingsWrite), "Removes a number.", remove).gives_nothing();
}

#[derive(Serialize, Deserialize)]
struct Stored {
    phone: Phone,
    label: String,
    since: autocall_core::Timestamp,
}

/// A number to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNumber {
    /// E.164.
    phone: String,
    /// What it is for.
    #[serde(default)]
    label: String,
}

/// A number of the tenant.
#[derive(Serialize, ToSchema)]
struct NumberView {
    /// Which.
    id: Key,
    /// E.164.
    phone: String,
    /// What it is for.
    label: String,
    /// Since when.
    since: When,
    /// Calls that showed it in the last seven days.
    calls: u64,
    /// How many of them were picked up, 0 to 1: a fall is a sign of a flagged number.
    answer_rate: Option<f64>,
}

async fn stored(app: &App, tenant: TenantId) -> Answer<Vec<(Key, Stored)>> {
    let all = crate::views::documents(app, tenant, KIND).await?;
    Ok(all
        .into_iter()
        .filter_map(|d| Some((d.row.key.parse::<Key>().ok()?, serde_json::from_value(d.row.body).ok()?)))
        .collect())
}

/// The number that is shown where nothing else is said.
pub async fn default_caller(app: &App, tenant: TenantId) -> Answer<Option<Phone>> {
    if let Some((_, first)) = stored(app, tenant).await?.into_iter().next() {
        return Ok(Some(first.phone));
    }
    Ok(match &app.config.carrier {
        crate::config::CarrierChoice::Twilio(twilio) => Some(twilio.number),
        crate::config::CarrierChoice::Simulated => Phone::from_e164("+14155550100"),
    })
}

async fn list(State(app): State<App>, who: Principal) -> Answer<Json<Page<NumberView>>> {
    let now = app.clock.now();
    let ask = ReportAsk {
        from: now - Millis::from_days(7),
        until: now,
        campaign: None,
        agent: None,
        group: GroupBy::CallerId,
        offset_s: 0,
    };
    let report = app.catalog.report(who.tenant, &ask).await?;
    let figures = |phone: Phone| report.iter().find(|r| r.key == ReportKey::CallerId(phone)).map(|r| &r.figures);
    let numbers = stored(&app, who.tenant).await?.into_iter().map(|(id, number)| {
        let seen = figures(number.phone);
        let rate = seen.filter(|f| f.calls > 0).map(|f| f.answered as f64 / f.calls as f64);
        NumberView {
            id,
            phone: number.phone.e164(),
            label: number.label,
            since: number.since.into(),
            calls: seen.map_or(0, |f| f.calls),
            answer_rate: rate,
        }
    });
    Ok(Json(Page::whole(numbers.collect())))
}

async fn add(State(app): State<App>, who: Principal, Json(body): Json<NewNumber>) -> Answer<Created<NumberView>> {
    let normal = normalise(&body.phone, Country::US).map_err(|e| Problem::field("phone", e.to_string(), e.remedy()))?;
    if body.label.chars().count() > 100 {
        return Err(Problem::field("label", "is longer than 100 characters", "shorten it"));
    }
    // On the server's own account only whoever runs the server knows which number is whose; on its
    // own account a tenant is held to it by the carrier, which refuses numbers of others.
    if uses_servers_account(&app, who.tenant).await? {
        return Err(Problem::forbidden("numbers of the server's carrier account are given out by whoever runs it")
            .remedy("ask for it (autocall admin add-number), or bring your own account: PUT /api/tenant/carrier"));
    }
    let (key, stored) = keep(&app, who.tenant, normal.phone, body.label).await?;
    super::note(&app, &who, "number.add", key, serde_json::json!({})).await?;
    let body = NumberView {
        id: key,
        phone: stored.phone.e164(),
        label: stored.label,
        since: stored.since.into(),
        calls: 0,
        answer_rate: None,
    };
    Ok(Created { location: format!("/api/numbers/{key}"), version: None, body })
}

/// Whether a real carrier calls for the tenant on the account of the server.
async fn uses_servers_account(app: &App, tenant: TenantId) -> Answer<bool> {
    Ok(app.link.is_some() && crate::carrier::accounts::own(&*app.catalog, tenant).await?.is_none())
}

/// Whether the tenant may show this number to the people it calls. Simulated people are shown
/// anything.
pub async fn may_show(app: &App, tenant: TenantId, phone: Phone) -> Answer<bool> {
    let crate::config::CarrierChoice::Twilio(twilio) = &app.config.carrier else { return Ok(true) };
    if stored(app, tenant).await?.iter().any(|(_, number)| number.phone == phone) {
        return Ok(true);
    }
    Ok(phone == twilio.number && uses_servers_account(app, tenant).await?)
}

/// Gives a number to a tenant.
async fn keep(app: &App, tenant: TenantId, phone: Phone, label: String) -> Answer<(Key, Stored)> {
    let now = app.clock.now();
    let id: autocall_core::Id<()> = app.new_id(tenant);
    let key = Key(id.key());
    // One number belongs to one tenant: who rings it back must be led to the right one.
    let entry = Entry {
        kind: EntryKind::Number,
        name: token::digest_of(&phone.e164()).into(),
        tenant,
        body: serde_json::json!({ "number": key.to_string() }),
        until: None,
    };
    match app.directory.put_entry(&Put { row: entry, expected: 0 }).await {
        Ok(()) => {}
        Err(CatalogError::Changed) => return Err(Problem::conflict("the number is in use already")),
        Err(error) => return Err(error.into()),
    }
    let stored = Stored { phone, label, since: now };
    let row = Document {
        tenant,
        kind: KIND.into(),
        key: key.to_string().into(),
        body: serde_json::to_value(&stored).map_err(Problem::internal)?,
        until: None,
    };
    app.catalog.put_document(&Put { row, expected: 0 }).await?;
    Ok((key, stored))
}

/// Gives a number to a tenant, by whoever runs the server.
pub async fn give(app: &App, tenant: TenantId, phone: &str) -> Answer<()> {
    app.catalog.tenant(tenant).await?;
    let normal = normalise(phone, Country::US).map_err(|e| Problem::bad_request(e.to_string()).remedy(e.remedy()))?;
    keep(app, tenant, normal.phone, String::new()).await.map(drop)
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let name = key.to_string();
    let found = app.catalog.document(who.tenant, KIND, &name).await?;
    let stored: Stored = serde_json::from_value(found.row.body).map_err(Problem::internal)?;
    match app.directory.remove_entry(EntryKind::Number, &token::digest_of(&stored.phone.e164())).await {
        Ok(()) | Err(CatalogError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    app.catalog.remove_document(who.tenant, KIND, &name, found.version).await?;
    super::note(&app, &who, "number.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}
