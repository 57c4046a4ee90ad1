//! Campaign settings in the API: the core's own form, except that pools are named by their keys.

use crate::app::App;
use crate::http::problem::{Answer, FieldProblem, Problem};
use crate::http::take::read_json;
use crate::http::values::Key;
use autocall_core::id::AudioId;
use autocall_core::settings::Settings;
use autocall_core::{PoolId, TenantId};
use serde_json::Value;

/// Where settings name sounds.
const SOUNDS: [&str; 4] = ["/hold/file", "/voicemail/file", "/abandonment/file", "/message/file"];

/// As the API shows them.
pub fn out(settings: &Settings) -> Value {
    let mut json = serde_json::to_value(settings).unwrap_or_default();
    for place in SOUNDS {
        if let Some(name) = json.pointer_mut(place)
            && let Some(id) = name.as_str().and_then(|t| t.parse::<AudioId>().ok())
        {
            *name = Key::from(id).to_string().into();
        }
    }
    if let Some(pools) = json.pointer_mut("/transfer/pools") {
        *pools = settings.transfer.pools.iter().map(|p| Value::from(Key::from(*p).to_string())).collect();
    }
    json
}

/// From what the API was given; every pool must be the tenant's own.
pub async fn read(app: &App, tenant: TenantId, mut json: Value) -> Answer<Settings> {
    for place in SOUNDS {
        if let Some(name) = json.pointer_mut(place) {
            let wrong = |_| {
                let field = format!("settings{}", place.replace('/', "."));
                Problem::field(&field, "is not an id", "use an id of GET /api/audio")
            };
            let key: Key = name.as_str().unwrap_or_default().parse().map_err(wrong)?;
            let id: AudioId = key.of(tenant);
            *name = id.to_string().into();
        }
    }
    let named = json.pointer_mut("/transfer/pools").map(Value::take);
    if let (Some(_), Some(transfer)) = (&named, json.pointer_mut("/transfer").and_then(Value::as_object_mut)) {
        transfer.remove("pools");
    }
    let bytes = serde_json::to_vec(&json).map_err(Problem::internal)?;
    let mut settings: Settings = read_json(&bytes).map_err(within_settings)?;
    for (n, phone) in settings.caller_ids.iter().enumerate() {
        if !crate::routes::numbers::may_show(app, tenant, *phone).await? {
            let field = format!("settings.caller_ids[{n}]");
            return Err(Problem::field(&field, "is not a number of yours", "use one of GET /api/numbers"));
        }
    }
    if let Some(named) = named {
        settings.transfer.pools = pools(app, tenant, named).await?;
    }
    Ok(settings)
}

async fn pools(app: &App, tenant: TenantId, named: Value) -> Answer<Vec<PoolId>> {
    let wrong = |wrong: &str| {
        Problem::field("settings.transfer.pools", wrong, "list ids of pools, as GET /api/pools shows them")
    };
    let keys: Vec<Key> = serde_json::from_value(named).map_err(|_| wrong("is not a list of ids"))?;
    let known = app.catalog.pools(tenant).await?;
    let mut pools = Vec::new();
    for key in keys {
        let id: PoolId = key.of(tenant);
        if !known.iter().any(|p| p.row.id == id) {
            return Err(wrong("names a pool that does not exist"));
        }
        pools.push(id);
    }
    Ok(pools)
}

fn within_settings(mut problem: Problem) -> Problem {
    for FieldProblem { field, .. } in &mut problem.errors {
        *field = if field.is_empty() { "settings".into() } else { format!("settings.{field}") };
    }
    problem
}
