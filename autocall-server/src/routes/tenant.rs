//! The tenant's own settings: name, retention, prices, and its carrier account.

use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{self, Json, Tagged};
use crate::identity::{Principal, Right, Rule};
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{Retention, Tenant};
use autocall_core::{Millis, TenantId};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/tenant", Rule::Needs(Right::SettingsRead), "The tenant's settings.", one).gives::<TenantView>(200);
    table
        .put(
            "/api/tenant",
            Rule::Needs(Right::SettingsWrite),
            "Changes the tenant's settings; what is absent stays.",
            change,
        )
        .takes::<TenantInput>()
        .guarded()
        .gives::<TenantView>(200);
}

/// What the server keeps of a tenant beside its row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What a minute costs, for estimates, in the tenant's own currency.
    pub price_per_min: f64,
    /// Whether it calls only on a carrier account that it brought itself: so does a tenant that
    /// nobody who runs the server has seen.
    pub own_carrier_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        // Twilio's list price for calls to US numbers, per minute and leg (seed: cost estimates).
        Settings { price_per_min: 0.014, own_carrier_only: false }
    }
}

/// The tenant's settings as the server keeps them.
pub async fn settings(app: &App, tenant: TenantId) -> Answer<Settings> {
    Ok(serde_json::from_value(app.catalog.tenant(tenant).await?.row.settings).unwrap_or_default())
}

/// How long data is kept, in days; for ever where absent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RetentionDays {
    /// Recordings.
    #[schema(minimum = 1, maximum = 36500)]
    recordings: Option<u32>,
    /// Calls and their records.
    #[schema(minimum = 1, maximum = 36500)]
    calls: Option<u32>,
    /// Closed leads.
    #[schema(minimum = 1, maximum = 36500)]
    leads: Option<u32>,
}

/// A tenant.
#[derive(Serialize, ToSchema)]
struct TenantView {
    /// Its number.
    id: u32,
    /// Its name.
    name: String,
    /// How long data is kept, days.
    retention_days: RetentionDays,
    /// What a minute costs, for estimates.
    price_per_min: f64,
    /// Whether real calls are made.
    real_calls: bool,
    /// Its version; the ETag.
    version: u64,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantInput {
    /// Its name.
    name: Option<String>,
    /// How long data is kept, days.
    #[serde(default, deserialize_with = "take::object")]
    retention_days: Option<RetentionDays>,
    /// What a minute costs, for estimates.
    #[schema(minimum = 0, maximum = 1000)]
    price_per_min: Option<f64>,
}

fn days(span: Option<Millis>) -> Option<u32> {
    span.map(|m| (m.ms() / 86_400_000) as u32)
}

fn span(days: Option<u32>, field: &str) -> Answer<Option<Millis>> {
    match days {
        Some(days) if days == 0 || days > 36_500 => Err(Problem::field(
            &format!("retention_days.{field}"),
            "is not 1 to 36500",
            "leave it out to keep for ever",
        )),
        days => Ok(days.map(|d| Millis::from_days(i64::from(d)))),
    }
}

fn view(app: &App, version: u64, row: &Tenant) -> Tagged<TenantView> {
    let settings: Settings = serde_json::from_value(row.settings.clone()).unwrap_or_default();
    let view = TenantView {
        id: row.id.0,
        name: row.name.to_string(),
        retention_days: RetentionDays {
            recordings: days(row.retention.recordings_ms),
            calls: days(row.retention.calls_ms),
            leads: days(row.retention.leads_ms),
        },
        price_per_min: settings.price_per_min,
        real_calls: !app.config.is_trial(),
        version,
    };
    Tagged(version, view)
}

async fn one(State(app): State<App>, who: Principal) -> Answer<Tagged<TenantView>> {
    let found = app.catalog.tenant(who.tenant).await?;
    Ok(view(&app, found.version, &found.row))
}

async fn change(
    State(app): State<App>,
    who: Principal,
    wanted: IfMatch,
    Json(body): Json<TenantInput>,
) -> Answer<Tagged<TenantView>> {
    let found = app.catalog.tenant(who.tenant).await?;
    let mut row = found.row;
    if let Some(name) = &body.name {
        let name = name.trim();
        if !(2..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Problem::field("name", "cannot be a name", "use 2 to 100 characters"));
        }
        row.name = name.into();
    }
    if let Some(days) = body.retention_days {
        row.retention = Retention {
            recordings_ms: span(days.recordings, "recordings")?,
            calls_ms: span(days.calls, "calls")?,
            leads_ms: span(days.leads, "leads")?,
        };
    }
    if let Some(price) = body.price_per_min {
        if !price.is_finite() || !(0.0..=1000.0).contains(&price) {
            return Err(Problem::field("price_per_min", "is not 0 to 1000", "give the price of a minute"));
        }
        let mut settings: Settings = serde_json::from_value(row.settings.clone()).unwrap_or_default();
        settings.price_per_min = price;
        row.settings = serde_json::to_value(settings).map_err(Problem::internal)?;
    }
    // Last: what is wrong in itself is said first.
    wanted.check(found.version)?;
    app.catalog.put_tenant(&Put { row: row.clone(), expected: found.version }).await?;
    super::note(&app, &who, "tenant.change", who.tenant, serde_json::json!({})).await?;
    Ok(view(&app, found.version + 1, &row))
}
