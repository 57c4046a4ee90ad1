//! Answers for what no route takes.

use super::problem::Problem;
use axum::http::StatusCode;
use axum::response::IntoResponse;

/// No such path.
pub async fn not_found() -> Problem {
    Problem::not_found()
}

/// The path is there, the method is not.
pub async fn method_not_allowed() -> impl IntoResponse {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path does not take this method")
}
