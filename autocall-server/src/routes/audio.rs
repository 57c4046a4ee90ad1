//! Sounds: hold music, voicemail and abandonment messages. An uploaded sound never changes; a new
//! version is a new one, so that what was played can be proven.

use crate::app::App;
use crate::http::openapi::binary;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, FieldProblem, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Form, Json, Path, Query};
use crate::http::values::{Key, When};
use crate::identity::token::hex;
use crate::identity::{Principal, Right, Rule};
use autocall_core::TenantId;
use autocall_core::id::AudioId;
use autocall_core::ports::catalog::{AudioAsset, CatalogError};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The largest sound, bytes.
const BYTES_MAX: usize = 10 << 20;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    let form = utoipa::openapi::schema::ObjectBuilder::new().property("file", binary()).required("file").build();
    table
        .get("/api/audio", Rule::Needs(Right::CampaignsRead), "Lists sounds, the newest first.", list)
        .asks::<Paging>()
        .gives_page::<Sound>();
    table
        .post("/api/audio", Rule::Needs(Right::CampaignsWrite), "Uploads a sound: WAV or MP3, at most 10 MiB.", upload)
        .takes_raw("multipart/form-data", utoipa::openapi::Schema::Object(form))
        .gives::<Sound>(201)
        .streams();
    table
        .get("/api/audio/{id}/file", Rule::Needs(Right::CampaignsRead), "The sound itself.", file)
        .gives_raw(200, "audio/wav")
        .gives_raw(200, "audio/mpeg");
    table
        .delete("/api/audio/{id}", Rule::Needs(Right::CampaignsWrite), "Removes a sound that no campaign uses.", remove)
        .gives_nothing()
        .may(&[409]);
}

/// A sound.
#[derive(Serialize, ToSchema)]
struct Sound {
    /// Which; name it in campaign settings as `{"file": "<id>"}`.
    id: Key,
    /// Its name.
    name: String,
    /// Its media type.
    mime: String,
    /// Its length, bytes.
    bytes: u64,
    /// SHA-256 of its content: evidence of what was played.
    sha256: String,
    /// When it was uploaded.
    added_at: When,
}

impl Sound {
    fn of(asset: AudioAsset) -> Sound {
        Sound {
            id: asset.id.into(),
            name: asset.name.to_string(),
            mime: asset.mime.to_string(),
            bytes: asset.bytes,
            sha256: asset.sha256.to_string(),
            added_at: asset.added_at.into(),
        }
    }
}

/// What a sound is, by its first bytes: never by what the sender calls it.
fn media(content: &[u8]) -> Option<&'static str> {
    let is_mp3 = content.starts_with(b"ID3") || (content.len() > 1 && content[0] == 0xFF && content[1] & 0xE0 == 0xE0);
    if content.len() > 44 && content.starts_with(b"RIFF") && &content[8..12] == b"WAVE" {
        Some("audio/wav")
    } else if is_mp3 {
        Some("audio/mpeg")
    } else {
        None
    }
}

async fn list(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<Sound>>> {
    Ok(Json(Page::from(app.catalog.audio_list(who.tenant, &paging.ask()?).await?, Sound::of)))
}

async fn upload(State(app): State<App>, who: Principal, Form(mut form): Form) -> Answer<Created<Sound>> {
    let broken = |_| Problem::bad_request("the upload is not a form, or broke off");
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") {
            continue;
        }
        let name: String = field.file_name().unwrap_or("sound").chars().filter(|c| !c.is_control()).take(200).collect();
        let mut content = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if content.len() + chunk.len() > BYTES_MAX {
                let status = axum::http::StatusCode::PAYLOAD_TOO_LARGE;
                return Err(Problem::new(status, "too_large", "the sound is over 10 MiB"));
            }
            content.extend_from_slice(&chunk);
        }
        let mime = media(&content).ok_or_else(|| {
            Problem::field("file", "is neither WAV nor MP3", "convert it, 8 kHz mono is best for calls")
        })?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &content);
        let asset = AudioAsset {
            id: app.new_id(who.tenant),
            name: name.into(),
            mime: mime.into(),
            bytes: content.len() as u64,
            sha256: hex(digest.as_ref()).into(),
            added_at: app.clock.now(),
        };
        app.catalog.add_audio(&asset, &content).await?;
        super::note(&app, &who, "audio.add", Key::from(asset.id), serde_json::json!({ "sha256": *asset.sha256 }))
            .await?;
        let sound = Sound::of(asset);
        return Ok(Created { location: format!("/api/audio/{}/file", sound.id), version: None, body: sound });
    }
    Err(Problem::field("file", "is missing", "send the sound as a file"))
}

async fn file(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Response> {
    let (asset, content) = app.catalog.audio(key.of(who.tenant)).await?;
    let mime = asset.mime.to_string();
    Ok(([(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, "private, max-age=3600".into())], content)
        .into_response())
}

fn files(settings: &Settings) -> Vec<(&'static str, String)> {
    let audios = [
        ("hold", Some(&settings.hold)),
        ("voicemail", settings.voicemail.as_ref()),
        ("abandonment", settings.abandonment.as_ref()),
        ("message", settings.message.as_ref()),
    ];
    let files = audios.into_iter().filter_map(|(field, audio)| match audio {
        Some(Audio::File(name)) => Some((field, name.to_string())),
        _ => None,
    });
    files.collect()
}

/// Files that settings name and that are not there.
pub async fn missing_files(app: &App, tenant: TenantId, settings: &Settings) -> Answer<Vec<FieldProblem>> {
    let mut missing = Vec::new();
    for (field, name) in files(settings) {
        let there = match name.parse::<AudioId>() {
            Ok(id) if id.tenant() == tenant => match app.catalog.audio(id).await {
                Ok(_) => true,
                Err(CatalogError::NotFound) => false,
                Err(error) => return Err(error.into()),
            },
            _ => false,
        };
        if !there {
            missing.push(FieldProblem {
                field: format!("settings.{field}"),
                wrong: "names a sound that is not there".into(),
                remedy: "upload it: POST /api/audio".into(),
            });
        }
    }
    Ok(missing)
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let id: AudioId = key.of(who.tenant);
    app.catalog.audio(id).await?;
    let mut ask = autocall_core::ports::catalog::PageAsk::first(500);
    loop {
        let page = app.catalog.campaigns(who.tenant, None, &ask).await?;
        let uses = |settings: &Settings| files(settings).iter().any(|(_, name)| *name == id.to_string());
        if page.items.iter().any(|item| uses(&item.campaign.row.settings)) {
            return Err(Problem::conflict("a campaign uses this sound").remedy("give it another sound first"));
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    app.catalog.remove_audio(id).await?;
    super::note(&app, &who, "audio.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}
