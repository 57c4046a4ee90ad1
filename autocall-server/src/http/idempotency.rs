//! Idempotency keys: a creation that is sent again gives the first answer and makes nothing new.
//!
//! Where the first request died, or failed in a way that does not say whether it was carried out,
//! the same key may be tried again. Ids are derived from the key then as before, so what the first
//! request did make cannot be made twice.

use super::problem::{FieldProblem, Problem};
use crate::app::App;
use crate::identity::{Principal, token};
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{CatalogError, Document};
use autocall_core::{Millis, Timestamp};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::cell::RefCell;
use std::collections::BTreeMap;

const KIND: &str = "idempotency";
/// Answers are kept for a day.
const KEPT: Millis = Millis::from_hours(24);
/// A request that began so much longer ago than one may take died in between: its key is free.
const DEAD_AFTER: Millis = Millis::from_secs(30);
/// Answers above this are not kept: the repeated request is refused instead.
const ANSWER_BYTES_MAX: usize = 256 << 10;

tokio::task_local! {
    /// When the first request with this key began, what ids are made from, and how many of each kind
    /// were made: a request that comes again may find some of its things there already.
    static SEED: (Timestamp, [u8; 32], RefCell<BTreeMap<&'static str, u32>>);
}

/// The instant and the randomness of the next id of a kind, where the request has a key.
pub(crate) fn seed(kind: &'static str) -> Option<(Timestamp, u128)> {
    SEED.try_with(|(at, seed, made)| {
        let mut made = made.borrow_mut();
        let n = made.entry(kind).or_insert(0);
        let bytes = [&seed[..], kind.as_bytes(), &n.to_le_bytes()].concat();
        *n += 1;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let mut half = [0; 16];
        half.copy_from_slice(&digest.as_ref()[..16]);
        (*at, u128::from_le_bytes(half))
    })
    .ok()
}

/// One request with a key.
struct Once<'a> {
    app: &'a App,
    who: &'a Principal,
    /// Who, which method, which path with its ids and query, which key; hashed.
    name: String,
    /// The body, hashed.
    asked: String,
}

/// Runs the request unless its key was seen: then its first answer is given again.
pub async fn once(
    app: &App,
    who: &Principal,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let text = key.to_str().ok().filter(|t| (1..=200).contains(&t.len()));
    let text = text.ok_or_else(|| Problem::bad_request("Idempotency-Key must have 1 to 200 visible characters"))?;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |p| p.as_str());
    let name = token::digest_of(&format!("{}\n{} {path}\n{text}", who.actor, parts.method));
    let body = axum::body::to_bytes(body, app.config.limits.body_bytes_max).await.map_err(Problem::internal)?;
    let asked = token::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
    let once = Once { app, who, name, asked };
    let now = app.wall.now();
    let (began, version, again) = match once.begin(now).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::First => (now, 1, false),
        Begun::Again { began, version } => (began, version, true),
    };
    let guarded = parts.headers.contains_key(header::IF_MATCH);
    let seed = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, once.name.as_bytes());
    let seed: [u8; 32] = seed.as_ref().try_into().map_err(Problem::internal)?;
    let run = next.run(Request::from_parts(parts, Body::from(body)));
    let response = SEED.scope((began, seed, RefCell::default()), run).await;
    if again && !guarded && response.status() == StatusCode::PRECONDITION_FAILED {
        // The row is there already: the first request got as far as that.
        return Err(Problem::conflict("the first request with this key was carried out")
            .remedy("look for what it made; use a new key for a new request"));
    }
    once.end(response, began, version).await
}

/// What stands under a key.
enum Begun {
    /// Nothing did: this is the first request.
    First,
    /// The first one is answered.
    Answered(Response),
    /// The first one died, or does not know how it ended; its row has this version.
    Again { began: Timestamp, version: u64 },
}

fn running() -> Problem {
    Problem::conflict("the first request with this key is still running").after(1)
}

impl Once<'_> {
    async fn put(&self, body: serde_json::Value, now: Timestamp, expected: u64) -> Result<(), CatalogError> {
        let (tenant, key) = (self.who.tenant, self.name.as_str().into());
        let row = Document { tenant, kind: KIND.into(), key, body, until: Some(now + KEPT) };
        self.app.catalog.put_document(&Put { row, expected }).await
    }

    async fn begin(&self, now: Timestamp) -> Result<Begun, Problem> {
        let begun = |at: Timestamp| serde_json::json!({ "asked": self.asked, "at": at.ms(), "last": now.ms() });
        match self.put(begun(now), now, 0).await {
            Ok(()) => return Ok(Begun::First),
            Err(CatalogError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
        let found = self.app.catalog.document(self.who.tenant, KIND, &self.name).await?;
        let (first, version) = (found.row.body, found.version);
        if first["asked"] != self.asked.as_str() {
            return Err(Problem::invalid(vec![FieldProblem {
                field: "Idempotency-Key".into(),
                wrong: "was used for another request".into(),
                remedy: "use a new key for a new request".into(),
            }]));
        }
        if let Some(status) = first["status"].as_u64().and_then(|s| StatusCode::from_u16(s as u16).ok()) {
            return Ok(Begun::Answered(replay(status, &first)));
        }
        let instant = |name: &str| Timestamp::from_ms(first[name].as_i64().unwrap_or(0));
        let longest = Millis::from_secs(self.app.config.limits.request_s_max as i64) + DEAD_AFTER;
        if first["failed"] != true && now - instant("last") <= longest {
            return Err(running());
        }
        // Whoever takes the dead request's place is told from others by the version.
        match self.put(begun(instant("at")), now, version).await {
            Ok(()) => Ok(Begun::Again { began: instant("at"), version: version + 1 }),
            Err(CatalogError::Changed) => Err(running()),
            Err(error) => Err(error.into()),
        }
    }

    async fn end(&self, response: Response, began: Timestamp, version: u64) -> Result<Response, Problem> {
        let now = self.app.wall.now();
        if response.status().is_server_error() || response.status() == StatusCode::TOO_MANY_REQUESTS {
            let failed = serde_json::json!({ "asked": self.asked, "at": began.ms(), "last": now.ms(), "failed": true });
            let _ = self.put(failed, now, version).await;
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body: Bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Problem::internal)?;
        let text_of =
            |name| head.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default().to_owned();
        let answer = serde_json::json!({
            "asked": self.asked,
            "status": head.status.as_u16(),
            "type": text_of(header::CONTENT_TYPE),
            "location": text_of(header::LOCATION),
            "etag": text_of(header::ETAG),
            "body": String::from_utf8_lossy(&body),
        });
        // It was carried out, whether or not that can be remembered: the answer is given. A repeat
        // that finds it forgotten meets its own ids.
        if let Err(error) = self.put(answer, now, version).await {
            tracing::warn!(%error, "an answer could not be kept for its idempotency key");
        }
        Ok(Response::from_parts(head, Body::from(body)))
    }
}

fn replay(status: StatusCode, first: &serde_json::Value) -> Response {
    let mut response = (status, first["body"].as_str().unwrap_or_default().to_owned()).into_response();
    for (name, from) in [(header::CONTENT_TYPE, "type"), (header::LOCATION, "location"), (header::ETAG, "etag")] {
        response.headers_mut().remove(&name);
        if let Some(value) = first[from].as_str().filter(|v| !v.is_empty()).and_then(|v| HeaderValue::from_str(v).ok())
        {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    response
}
