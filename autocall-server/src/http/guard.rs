//! What stands before every handler: shedding, rates, identity, the rule, time and size limits,
//! and idempotency keys.

use super::idempotency;
use super::problem::Problem;
use super::table::Weight;
use crate::app::App;
use crate::identity::{Principal, Rule, principal};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Longest time that a request with somebody listening waits for its turn before it is refused,
/// so that the carrier tries again or another node.
const CALL_WAIT: Duration = Duration::from_secs(4);

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
    let response = match admit(&pass, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    crate::ops::metrics::request(&method, pass.path, response.status(), started.elapsed());
    response
}

async fn admit(pass: &Pass, mut request: Request, next: Next) -> Result<Response, Problem> {
    let app = &pass.app;
    let _place = match pass.weight {
        Weight::Page | Weight::Stream => app.gates.pages.try_acquire().map_err(|_| Problem::unavailable())?,
        Weight::Call => tokio::time::timeout(CALL_WAIT, app.gates.calls.acquire())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(Problem::unavailable)?,
    };
    let who = principal::authenticate(app, request.method(), request.headers()).await;
    let principal = match (pass.rule, who) {
        // Whoever signs in with an outdated cookie is not turned away for it.
        (Rule::Public, who) => who.ok().flatten(),
        (_, Ok(Some(principal))) => Some(principal),
        (_, Ok(None)) => return Err(Problem::unauthorized()),
        (_, Err(problem)) => return Err(problem),
    };
    if let Some(principal) = &principal {
        if !pass.rule.admits(principal.rights) {
            return Err(Problem::forbidden("your role does not allow this"));
        }
        app.rates.tenant.take(principal.tenant, app.clock.now().ms()).map_err(Problem::too_many)?;
        request.extensions_mut().insert(principal.clone());
    }
    serve(pass, principal, request, next).await
}

async fn serve(pass: &Pass, who: Option<Principal>, request: Request, next: Next) -> Result<Response, Problem> {
    let limits = &pass.app.config.limits;
    if pass.weight == Weight::Stream {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large or broke off");
    let work = async {
        let body = axum::body::to_bytes(body, limits.body_bytes_max).await.map_err(too_large)?;
        match (pass.idempotent, who, parts.headers.get("idempotency-key").cloned()) {
            (true, Some(who), Some(key)) => {
                idempotency::once(&pass.app, &who, pass.path, &key, parts, body, next).await
            }
            _ => Ok(next.run(Request::from_parts(parts, Body::from(body))).await),
        }
    };
    tokio::time::timeout(Duration::from_secs(limits.request_s_max), work)
        .await
        .unwrap_or_else(|_| Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "it took too long").after(2)))
}
