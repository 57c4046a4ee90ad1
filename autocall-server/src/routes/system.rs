//! Health, readiness, metrics, and the description of the API itself.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::secure;
use crate::http::table::Table;
use crate::http::take::Json;
use crate::identity::Rule;
use autocall_core::ports::catalog::PageAsk;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/healthz", Rule::Public, "Whether the process lives.", health).gives::<Health>(200).free();
    table.get("/readyz", Rule::Public, "Whether it can work: store, engine.", ready).gives::<Health>(200).free();
    table
        .get("/metrics", Rule::Public, "Prometheus metrics; for this machine, or with METRICS_TOKEN.", metrics)
        .gives_raw(200, "text/plain")
        .may(&[403])
        .free();
}

/// How it is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// ok.
    status: &'static str,
    /// The version of the server.
    version: &'static str,
    /// Whether no real call is made.
    trial: bool,
}

fn fine(app: &App) -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), trial: app.config.is_trial() })
}

async fn health(State(app): State<App>) -> Json<Health> {
    fine(&app)
}

async fn ready(State(app): State<App>) -> Answer<Json<Health>> {
    if app.draining.is_cancelled() || app.stopping.is_cancelled() || !app.is_running() {
        return Err(Problem::unavailable());
    }
    let first = PageAsk::first(1);
    let ask = app.directory.tenant_names(&first);
    match tokio::time::timeout(std::time::Duration::from_secs(2), ask).await {
        Ok(Ok(_)) => Ok(fine(&app)),
        _ => Err(Problem::unavailable()),
    }
}

async fn metrics(State(app): State<App>, extensions: Extensions, headers: HeaderMap) -> Answer<Response> {
    use secrecy::ExposeSecret as _;
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let allowed = match &app.config.metrics_token {
        Some(token) => {
            let wanted = crate::identity::token::digest_of(token.expose_secret());
            bearer.is_some_and(|given| crate::identity::token::digest_of(given) == wanted)
        }
        // What a proxy on this machine passes on does not come from this machine.
        None => !secure::is_forwarded(&headers) && secure::peer(&extensions).is_some_and(|a| a.ip().is_loopback()),
    };
    if !allowed {
        return Err(Problem::forbidden("metrics are read from this machine, or with METRICS_TOKEN"));
    }
    crate::ops::metrics::gates(&app);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], crate::ops::metrics::render()).into_response())
}
