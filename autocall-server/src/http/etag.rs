//! Versions as ETags: a change that was made on an old reading is refused.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};

/// A version as a strong ETag.
pub fn value(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"v{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"v0\""))
}

/// The version that the client read, from `If-Match`; `None` where it does not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<u64>);

impl IfMatch {
    /// Refuses if the client read another version than the present one.
    pub fn check(self, present: u64) -> Result<(), Problem> {
        match self.0 {
            Some(read) if read != present => Err(Problem::stale()),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(text) = parts.headers.get(header::IF_MATCH) else { return Ok(IfMatch(None)) };
        let text = text.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(None));
        }
        // A tag that we never gave cannot be the present one. That is said after the body has been
        // read: a wrong body is the first thing to mend.
        let version = text.strip_prefix("\"v").and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
        Ok(IfMatch(Some(version.unwrap_or(u64::MAX))))
    }
}
