//! Recordings: played only through here, to those who may, with an entry in the audit log.

use crate::app::App;
use crate::http::page::Page;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json, Path};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::CallId;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

const LISTEN: Rule = Rule::Needs(Right::RecordingsListen);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/calls/{id}/recordings", LISTEN, "The recordings of a call.", list).gives_page::<RecordingView>();
    table
        .get("/api/calls/{id}/recordings/{name}", LISTEN, "Plays a recording; the audit log keeps who listened.", play)
        .gives_raw(200, "audio/wav")
        .may(&[409])
        .streams();
    table
        .delete(
            "/api/calls/{id}/recordings/{name}",
            Rule::Needs(Right::Privacy),
            "Deletes a recording, at the carrier too.",
            remove,
        )
        .gives_nothing()
        .may(&[409]);
}

/// A recording.
#[derive(Serialize, ToSchema)]
struct RecordingView {
    /// Its name.
    name: String,
    /// Its length, milliseconds.
    length_ms: i64,
    /// When it was made.
    made_at: When,
}

async fn list(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Page<RecordingView>>> {
    let id: CallId = key.of(who.tenant);
    let recordings = app.catalog.call_detail(id).await?.recordings;
    let views = recordings.into_iter().map(|r| RecordingView {
        name: r.provider.to_string(),
        length_ms: r.length_ms,
        made_at: r.made_at.into(),
    });
    Ok(Json(Page::whole(views.collect())))
}

/// The key and the name in the path.
struct KeyAndName(Key, String);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for KeyAndName {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, state).await;
        let (key, name) = path.map_err(|_| Problem::not_found())?.0;
        Ok(KeyAndName(key.parse()?, name))
    }
}

async fn find(app: &App, who: &Principal, path: &KeyAndName) -> Answer<autocall_core::ports::catalog::Recording> {
    let id: CallId = path.0.of(who.tenant);
    let recordings = app.catalog.call_detail(id).await?.recordings;
    recordings.into_iter().find(|r| *r.provider == *path.1).ok_or_else(Problem::not_found)
}

async fn play(State(app): State<App>, who: Principal, path: KeyAndName) -> Answer<Response> {
    let recording = find(&app, &who, &path).await?;
    // First the entry, then the sound: nobody listens unseen.
    super::note_first(&app, &who, "recording.play", path.0, serde_json::json!({ "recording": path.1 })).await?;
    let (body, media) = app.desk.listen(&recording).await?;
    Ok(([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-store".into())], body).into_response())
}

async fn remove(State(app): State<App>, who: Principal, path: KeyAndName) -> Answer<Done> {
    let recording = find(&app, &who, &path).await?;
    app.desk.delete(&recording).await?;
    app.catalog.remove_recording(recording.call, &recording.provider).await?;
    super::note(&app, &who, "recording.delete", path.0, serde_json::json!({ "recording": path.1 })).await?;
    Ok(Done)
}
