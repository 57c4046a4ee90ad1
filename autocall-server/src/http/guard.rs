//! What stands before every handler: shedding, rates, identity, the rule, time and size limits,
//! and idempotency keys.

use super::idempotency;
use super::problem::Problem;
use super::table::Weight;
use crate::app::App;
use crate::identity::{Principal, Rule, principal};
use axum::body::Body;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tracing::Instrument as _;

/// Longest time that a request with somebody listening waits for its turn before it is refused,
/// so that the carrier tries again or another node.
const CALL_WAIT: Duration = Duration::from_secs(2);
/// Longest time that a page waits for the only place that there is while reports wait.
const PAGE_WAIT: Duration = Duration::from_secs(1);

/// Longest time that a body takes to arrive.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// What one route's guard knows.
#[derive(Clone)]
pub struct Pass {
    pub(super) app: App,
    pub(super) rule: Rule,
    pub(super) weight: Weight,
    pub(super) idempotent: bool,
    pub(super) path: &'static str,
}

/// Lets a request through to its handler, or answers it.
pub async fn guard(State(pass): State<Pass>, request: Request, next: Next) -> Response {
    let started = std::time::Instant::now();
    let method = request.method().clone();
    // The route's pattern, never the path: keys of things say nothing, texts in paths might.
    let span = tracing::info_span!("request", method = %method, route = pass.path, status = tracing::field::Empty);
    let response = async {
        match admit(&pass, request, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }
    .instrument(span.clone())
    .await;
    span.record("status", response.status().as_u16());
    crate::ops::metrics::request(&method, pass.path, response.status(), started.elapsed());
    response
}

async fn admit(pass: &Pass, request: Request, next: Next) -> Result<Response, Problem> {
    let app = &pass.app;
    // The body first: a place is for work, not for waiting until somebody has sent it.
    let (parts, body) = receive(pass, request).await?;
    let place = match pass.weight {
        Weight::Free => None,
        Weight::Page if app.gates.reports.is_crowded() => Some(app.gates.crowded.enter(PAGE_WAIT).await),
        Weight::Page => Some(app.gates.pages.try_enter()),
        Weight::Stream => Some(app.gates.streams.try_enter()),
        Weight::Call => Some(app.gates.calls.enter(CALL_WAIT).await),
    };
    let _place = place.map(|found| found.ok_or_else(Problem::unavailable)).transpose()?;
    let who = principal::authenticate(app, &parts.method, &parts.headers).await;
    let principal = match (pass.rule, who) {
        // Whoever signs in with an outdated cookie is not turned away for it.
        (Rule::Public, who) => who.ok().flatten(),
        (_, Ok(Some(principal))) => Some(principal),
        (_, Ok(None)) => return Err(Problem::unauthorized()),
        (_, Err(problem)) => return Err(problem),
    };
    let mut request = Request::from_parts(parts, body);
    if let Some(principal) = &principal {
        if !pass.rule.admits(principal.rights) {
            return Err(Problem::forbidden("your role does not allow this"));
        }
        app.rates.tenant.take(principal.tenant, app.wall.now().ms()).map_err(Problem::too_many)?;
        request.extensions_mut().insert(principal.clone());
    }
    serve(pass, principal, request, next).await
}

/// The request with its body whole, bounded in size and time; streams read their own.
async fn receive(pass: &Pass, request: Request) -> Result<(Parts, Body), Problem> {
    let app = &pass.app;
    let (parts, body) = request.into_parts();
    if pass.weight == Weight::Stream {
        return Ok((parts, body));
    }
    if pass.weight == Weight::Free || body.is_end_stream() {
        return Ok((parts, Body::empty()));
    }
    let _place = app.gates.reading.try_enter().ok_or_else(Problem::unavailable)?;
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large or broke off");
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long to arrive");
    let bytes = axum::body::to_bytes(body, app.config.limits.body_bytes_max);
    let bytes = tokio::time::timeout(BODY_WAIT, bytes).await.map_err(slow)?.map_err(too_large)?;
    Ok((parts, Body::from(bytes)))
}

async fn serve(pass: &Pass, who: Option<Principal>, request: Request, next: Next) -> Result<Response, Problem> {
    let limits = &pass.app.config.limits;
    if pass.weight == Weight::Stream {
        return Ok(next.run(request).await);
    }
    let key = request.headers().get("idempotency-key").cloned();
    let work = async {
        match (pass.idempotent, who, key) {
            (true, Some(who), Some(key)) => idempotency::once(&pass.app, &who, &key, request, next).await,
            _ => Ok(next.run(request).await),
        }
    };
    tokio::time::timeout(Duration::from_secs(limits.request_s_max), work)
        .await
        .unwrap_or_else(|_| Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "it took too long").after(2)))
}
