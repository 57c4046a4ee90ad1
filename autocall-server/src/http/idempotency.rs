//! Idempotency keys: a creation that is sent again gives the first answer and makes nothing new.

use super::problem::{FieldProblem, Problem};
use crate::app::App;
use crate::identity::{Principal, token};
use autocall_core::Millis;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{CatalogError, Document};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const KIND: &str = "idempotency";
/// Answers are kept for a day.
const KEPT: Millis = Millis::from_hours(24);
/// Answers above this are not kept: the repeated request is refused instead.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Runs the request unless its key was seen: then its first answer is given again.
pub async fn once(
    app: &App,
    who: &Principal,
    path: &str,
    key: &HeaderValue,
    parts: Parts,
    body: Bytes,
    next: Next,
) -> Result<Response, Problem> {
    let text = key.to_str().ok().filter(|t| (1..=200).contains(&t.len()));
    let text = text.ok_or_else(|| Problem::bad_request("Idempotency-Key must have 1 to 200 visible characters"))?;
    let name = token::digest_of(&format!("{}\n{path}\n{text}", who.actor));
    let asked = token::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
    let now = app.clock.now();
    let document = |body| Document {
        tenant: who.tenant,
        kind: KIND.into(),
        key: name.as_str().into(),
        body,
        until: Some(now + KEPT),
    };
    let begun = serde_json::json!({ "asked": asked, "at": now.ms() });
    match app.catalog.put_document(&Put { row: document(begun), expected: 0 }).await {
        Ok(()) => {}
        Err(CatalogError::Changed) => return again(app, who, &name, &asked).await,
        Err(error) => return Err(error.into()),
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.status().is_server_error() || response.status() == StatusCode::TOO_MANY_REQUESTS {
        // Nothing was made: the same key may be tried again.
        let _ = app.catalog.remove_document(who.tenant, KIND, &name, 1).await;
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Problem::internal)?;
    let text_of =
        |name| head.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default().to_owned();
    let answer = serde_json::json!({
        "asked": asked,
        "status": head.status.as_u16(),
        "type": text_of(header::CONTENT_TYPE),
        "location": text_of(header::LOCATION),
        "etag": text_of(header::ETAG),
        "body": String::from_utf8_lossy(&body),
    });
    app.catalog.put_document(&Put { row: document(answer), expected: 1 }).await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

async fn again(app: &App, who: &Principal, name: &str, asked: &str) -> Result<Response, Problem> {
    let found = app.catalog.document(who.tenant, KIND, name).await?;
    let first = found.row.body;
    if first["asked"] != asked {
        return Err(Problem::invalid(vec![FieldProblem {
            field: "Idempotency-Key".into(),
            wrong: "was used for another request".into(),
            remedy: "use a new key for a new request".into(),
        }]));
    }
    let Some(status) = first["status"].as_u64().and_then(|s| StatusCode::from_u16(s as u16).ok()) else {
        return Err(Problem::conflict("the first request with this key is still running").after(1));
    };
    let mut response = (status, first["body"].as_str().unwrap_or_default().to_owned()).into_response();
    for (name, from) in [(header::CONTENT_TYPE, "type"), (header::LOCATION, "location"), (header::ETAG, "etag")] {
        response.headers_mut().remove(&name);
        if let Some(value) = first[from].as_str().filter(|v| !v.is_empty()).and_then(|v| HeaderValue::from_str(v).ok())
        {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    Ok(response)
}
