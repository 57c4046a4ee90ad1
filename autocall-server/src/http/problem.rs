//! Errors as RFC 9457 problem documents that name the field and the remedy.

use autocall_core::engine::EngineError;
use autocall_core::ports::StoreError;
use autocall_core::ports::catalog::CatalogError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field, as a path: `settings.transfer.pools`.
    pub field: String,
    /// What is wrong with it.
    pub wrong: String,
    /// What to do about it.
    pub remedy: String,
}

/// What every answer of status 400 or above holds (`application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// A sentence for people.
    pub title: Cow<'static, str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Cow<'static, str>>,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Seconds after which the same request may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// What handlers return.
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem with this status, word and sentence.
    pub fn new(status: StatusCode, kind: &'static str, title: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            status: status.as_u16(),
            kind: kind.into(),
            title: title.into(),
            remedy: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }
    /// With what to do about it.
    pub fn remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Problem {
        self.remedy = Some(remedy.into());
        self
    }
    /// With a wait.
    pub fn after(mut self, seconds: u64) -> Problem {
        self.retry_after_s = Some(seconds.max(1));
        self
    }
    /// The syntax of the request is wrong.
    pub fn bad_request(title: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", title)
    }
    /// There is no such thing; also said of things of other tenants.
    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing")
    }
    /// Who asks is not known.
    pub fn unauthorized() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first")
            .remedy("send a bearer token or an API key in the Authorization header, or sign in")
    }
    /// Who asks is known and may not.
    pub fn forbidden(title: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", title)
    }
    /// Not in the present state.
    pub fn conflict(title: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "conflict", title)
    }
    /// The `If-Match` version is not the present one.
    pub fn stale() -> Problem {
        Problem::new(StatusCode::PRECONDITION_FAILED, "changed", "it has changed since it was read")
            .remedy("read it again and send its new ETag in If-Match")
    }
    /// Fields are wrong.
    pub fn invalid(errors: Vec<FieldProblem>) -> Problem {
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "some fields are not right");
        problem.errors = errors;
        problem
    }
    /// One field is wrong.
    pub fn field(field: &str, wrong: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem::invalid(vec![FieldProblem { field: field.into(), wrong: wrong.into(), remedy: remedy.into() }])
    }
    /// Too many requests.
    pub fn too_many(seconds: u64) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many requests").after(seconds)
    }
    /// Overloaded, or the store is away.
    pub fn unavailable() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not possible at this moment").after(1)
    }
    /// A bug, or a store that holds what it must not. The details are in the log alone.
    pub fn internal(what: impl std::fmt::Display) -> Problem {
        tracing::error!(what = %what, "internal error");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here")
    }
    /// Something that this carrier cannot do.
    pub fn not_by_carrier(what: &'static str) -> Problem {
        Problem::conflict(format!("the carrier in use cannot {what}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::NotFound => Problem::not_found(),
            StoreError::Conflict { .. } => Problem::stale(),
            StoreError::Unavailable(_) => {
                tracing::warn!(error = %error, "store");
                Problem::unavailable()
            }
            other => Problem::internal(other),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Problem {
        match error {
            CatalogError::NotFound => Problem::not_found(),
            CatalogError::Changed => Problem::stale(),
            CatalogError::Unsearchable { field, why } => Problem::field(field, "cannot be searched in that way", why),
            CatalogError::Invalid(what) => {
                let mut problem = Problem::invalid(Vec::new());
                problem.title = what.into();
                problem
            }
            CatalogError::Store(error) => error.into(),
            other => Problem::internal(other),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Problem {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Contended => Problem::unavailable(),
            EngineError::Refused(refused) => refused.into(),
            EngineError::NotNow(why) => Problem::conflict(why),
            other => Problem::internal(other),
        }
    }
}

impl From<autocall_core::campaign::Refused> for Problem {
    fn from(refused: autocall_core::campaign::Refused) -> Problem {
        use autocall_core::campaign::Refused;
        match refused {
            Refused::Settings(problems) => Problem::settings(&problems),
            other => Problem::conflict(other.to_string()),
        }
    }
}

impl Problem {
    /// What the linter of campaign settings found.
    pub fn settings(problems: &[autocall_core::settings::Problem]) -> Problem {
        Problem::invalid(
            problems
                .iter()
                .map(|p| FieldProblem {
                    field: format!("settings.{}", p.field),
                    wrong: p.wrong.clone(),
                    remedy: p.remedy.clone(),
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_names_field_and_remedy_and_the_wait() {
        let problem = Problem::field("settings.caps", "is 0", "allow one line").after(7);
        let response = problem.into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
        let json: serde_json::Value = serde_json::from_slice(&body).expect("json");
        assert_eq!(json["errors"][0]["remedy"], "allow one line");
        assert_eq!(json["type"], "invalid");
    }
}
