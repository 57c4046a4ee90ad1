//! Server-sent events, for integrators and for pages that only listen.

use super::watch::Watch;
use crate::app::App;
use crate::http::problem::Answer;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::convert::Infallible;
use std::time::Duration;

/// Streams a watch.
pub fn stream(watch: Watch) -> Response {
    let events = stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        match watch.next().await {
            Ok(Some(message)) => {
                let event = Event::default().id(message.cursor).data(message.body.to_string());
                Some((Ok::<_, Infallible>(event), Some(watch)))
            }
            Ok(None) => None,
            Err(problem) => {
                let retry = Event::default().retry(Duration::from_secs(2)).comment(&problem.kind);
                Some((Ok(retry), None))
            }
        }
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(events).keep_alive(alive).into_response()
}

/// Begins a stream for a principal.
pub fn begin(
    app: &App,
    who: crate::identity::Principal,
    headers: axum::http::HeaderMap,
    cursor: Option<&str>,
) -> Answer<Response> {
    Ok(stream(Watch::begin(app, who, headers, cursor)?))
}
