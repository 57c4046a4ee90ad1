//! Extractors that answer in problem documents.

use super::problem::{FieldProblem, Problem};
use super::values::Key;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer, Serialize};

/// A JSON body, in and out.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| {
            let media = v.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case("application/json") || media.ends_with("+json")
        });
        if !is_json {
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", "the body is not JSON");
            return Err(problem.remedy("send Content-Type: application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| body_problem(rejection.status()))?;
        read_json(&bytes).map(Json)
    }
}

/// A JSON body that may be absent: then it is the default.
#[derive(Clone, Debug)]
pub struct MaybeJson<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| body_problem(rejection.status()))?;
        if bytes.is_empty() { Ok(MaybeJson(T::default())) } else { read_json(&bytes).map(MaybeJson) }
    }
}

/// Reads an object within a body, never a list: serde would take one for the fields in their order.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let found = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(from)?;
    found.map(|map| serde_json::from_value(map.into())).transpose().map_err(serde::de::Error::custom)
}

/// Parses JSON; a wrong field is named by its path.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // No request is a bare list; serde would take one for an object whose fields come in order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("", "is a list", "send an object; see /api/docs for what is expected"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::invalid(vec![FieldProblem {
                field: if field == "." { String::new() } else { field },
                wrong: without_values(&inner.to_string()),
                remedy: "see /api/docs for what is expected".into(),
            }]),
            _ => {
                Problem::bad_request(format!("the body is not JSON (line {}, column {})", inner.line(), inner.column()))
            }
        }
    })?;
    deserializer.end().map_err(|_| Problem::bad_request("there is something after the JSON"))?;
    Ok(value)
}

/// The message of a type error quotes the value, which may be personal.
fn without_values(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match (message.strip_prefix("invalid type: "), message.strip_prefix("invalid value: ")) {
        (Some(rest), _) | (_, Some(rest)) => rest
            .split_once(", expected ")
            .map_or_else(|| "is of the wrong type".to_owned(), |(_, expected)| format!("expected {expected}")),
        _ => message.to_owned(),
    }
}

fn body_problem(status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(status, "too_large", "the body is too large")
    } else {
        Problem::bad_request("the body did not arrive whole")
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let mut response = body.into_response();
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

/// An upload's form.
pub struct Form(pub Multipart);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Multipart::from_request(request, state).await.map(Form).map_err(|_| {
            Problem::bad_request("the upload is not a form")
                .remedy("send multipart/form-data with the boundary that is between its parts")
        })
    }
}

/// A query string.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let wrong = |error: axum::extract::rejection::QueryRejection| {
            let text = without_values(&error.body_text());
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text).to_owned();
            Problem::bad_request(format!("the query string is not right: {text}"))
        };
        axum::extract::Query::try_from_uri(&parts.uri).map(|q| Query(q.0)).map_err(wrong)
    }
}

/// The keys in the path, in order.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync> FromRequestParts<S> for Path<Key> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        text.map_err(|_| Problem::not_found())?.0.parse().map(Path)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Path<String> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        text.map(|t| Path(t.0)).map_err(|_| Problem::not_found())
    }
}

/// An answer that made something: 201, with where it is and its version.
pub struct Created<T> {
    /// Where it is.
    pub location: String,
    /// Its version, if it has one.
    pub version: Option<u64>,
    /// It.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.body)).into_response();
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Some(version) = self.version {
            response.headers_mut().insert(header::ETAG, super::etag::value(version));
        }
        response
    }
}

/// An answer with a version.
pub struct Tagged<T>(pub u64, pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        response.headers_mut().insert(header::ETAG, super::etag::value(self.0));
        response
    }
}

/// Done; nothing to say.
pub struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[allow(dead_code)]
    struct Inner {
        n: u8,
    }
    #[derive(serde::Deserialize, Debug)]
    #[allow(dead_code)]
    struct Outer {
        inner: Inner,
    }

    #[test]
    fn a_wrong_field_is_named_and_its_value_is_not_repeated() {
        let problem = read_json::<Outer>(br#"{"inner":{"n":"+14155552671"}}"#).expect_err("wrong");
        assert_eq!((problem.status, problem.errors[0].field.as_str()), (422, "inner.n"));
        assert!(!format!("{problem:?}").contains("4155552671"), "{problem:?}");
        assert_eq!(read_json::<Outer>(b"{").expect_err("wrong").status, 400);
        assert_eq!(read_json::<Outer>(br#"{"inner":{"n":1}} x"#).expect_err("wrong").status, 400);
        assert_eq!(read_json::<Outer>(br#" [{"n":1}]"#).expect_err("a list").status, 422);
    }
}
