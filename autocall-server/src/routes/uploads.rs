//! Uploads of lists: spooled to disk, then imported in the background.

use super::leads::missing;
use crate::app::App;
use crate::http::openapi::binary;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Form, Json, Path, Query};
use crate::http::values::{Key, When};
use crate::identity::token::hex;
use crate::identity::{Principal, Right, Rule};
use crate::jobs::import;
use autocall_core::id::ImportId;
use autocall_core::import::write;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{ImportJob, ImportState, PageAsk};
use autocall_core::{CampaignId, Private};
use axum::body::Body;
use axum::extract::{Multipart, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use utoipa::ToSchema;

const WRITE: Rule = Rule::Needs(Right::LeadsWrite);
const READ: Rule = Rule::Needs(Right::LeadsRead);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    let form = utoipa::openapi::schema::ObjectBuilder::new()
        .property("campaign", <Key as utoipa::PartialSchema>::schema())
        .property("file", binary())
        .required("campaign")
        .required("file")
        .build();
    table
        .post("/api/leads/upload", WRITE, "Uploads a CSV list into a campaign; imported in the background.", upload)
        .takes_raw("multipart/form-data", utoipa::openapi::Schema::Object(form))
        .gives::<ImportView>(202)
        .streams();
    table
        .get("/api/leads/template/csv", Rule::Public, "The CSV template, with its columns.", template)
        .gives_raw(200, "text/csv");
    table
        .get("/api/imports", READ, "Lists imports, the newest first.", list)
        .asks::<Paging>()
        .gives_page::<ImportView>();
    table.get("/api/imports/{id}", READ, "One import and how far it has got.", one).gives::<ImportView>(200);
    table
        .get(
            "/api/imports/{id}/rejections",
            READ,
            "Rows that were not accepted, each with line, column, reason and remedy.",
            rejections,
        )
        .asks::<Paging>()
        .gives_page::<RejectionView>();
    table
        .get("/api/imports/{id}/rejections.csv", READ, "The same as a file.", rejections_csv)
        .gives_raw(200, "text/csv")
        .streams();
    table
        .post("/api/imports/{id}/cancel", WRITE, "Stops an import; what is in stays.", cancel)
        .gives::<ImportView>(200)
        .may(&[409]);
}

/// An import.
#[derive(Serialize, ToSchema)]
pub struct ImportView {
    /// Which.
    pub id: Key,
    /// Into which campaign.
    pub campaign: Key,
    /// The list that its leads belong to.
    pub list: Option<Key>,
    /// The file's name.
    pub name: String,
    /// running, done, failed or canceled.
    #[schema(value_type = String)]
    pub state: ImportState,
    /// Why it failed.
    pub problem: Option<String>,
    /// Its size, bytes.
    pub bytes: Option<u64>,
    /// How much of it is dealt with, bytes.
    pub bytes_done: u64,
    /// Leads added.
    pub added: u64,
    /// Rows whose number the campaign had already.
    pub duplicates: u64,
    /// Rows rejected for any other reason.
    pub rejected: u64,
    /// When it began.
    pub started_at: When,
    /// When it was over.
    pub ended_at: Option<When>,
}

impl ImportView {
    /// Of a job.
    pub fn of(job: ImportJob) -> ImportView {
        ImportView {
            id: job.id.into(),
            campaign: job.campaign.into(),
            list: job.list.map(Key::from),
            name: job.name.expose().to_owned(),
            state: job.state,
            problem: job.problem,
            bytes: job.bytes,
            bytes_done: job.bytes_done,
            added: job.added,
            duplicates: job.duplicates,
            rejected: job.rejected,
            started_at: job.started_at.into(),
            ended_at: job.ended_at.map(When),
        }
    }
}

/// A row that was not accepted.
#[derive(Serialize, ToSchema)]
struct RejectionView {
    /// The line of the file, from 1.
    line: u64,
    /// The column.
    column: String,
    /// The cell, with digits and letters hidden.
    value: String,
    /// A stable word.
    code: &'static str,
    /// Why.
    reason: String,
    /// What to do.
    remedy: &'static str,
}

/// What arrived on disk.
struct Spooled {
    name: String,
    bytes: u64,
    digest: String,
}

async fn upload(State(app): State<App>, who: Principal, Form(mut form): Form) -> Answer<Response> {
    let id: ImportId = app.new_id(who.tenant);
    let path = import::file(&app, id);
    let kept = receive(&app, &who, &mut form, &path).await;
    let (campaign, spooled) = match kept {
        Ok(kept) => kept,
        Err(problem) => {
            let _ = tokio::fs::remove_file(&path).await;
            return Err(problem);
        }
    };
    let job = ImportJob {
        id,
        campaign,
        list: Some(app.new_id(who.tenant)),
        name: Private::new(spooled.name),
        bytes: Some(spooled.bytes),
        digest: Some(spooled.digest.into()),
        state: ImportState::Running,
        problem: None,
        bytes_done: 0,
        line_done: 0,
        added: 0,
        duplicates: 0,
        rejected: 0,
        started_at: app.clock.now(),
        ended_at: None,
    };
    app.catalog.put_import(&Put { row: job.clone(), expected: 0 }).await?;
    super::note(&app, &who, "lead.upload", Key::from(id), serde_json::json!({ "bytes": spooled.bytes })).await?;
    import::start(&app, id);
    let mut response = (StatusCode::ACCEPTED, Json(ImportView::of(job))).into_response();
    if let Ok(location) = format!("/api/imports/{}", Key::from(id)).parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn broken(_: axum::extract::multipart::MultipartError) -> Problem {
    Problem::bad_request("the upload is not a form, or broke off")
}

async fn receive(
    app: &App,
    who: &Principal,
    form: &mut Multipart,
    path: &std::path::Path,
) -> Answer<(CampaignId, Spooled)> {
    let (mut campaign, mut spooled) = (None, None);
    for _ in 0..16 {
        let Some(mut field) = form.next_field().await.map_err(broken)? else { break };
        match field.name().unwrap_or_default() {
            "campaign" | "campaign_id" => {
                let text = field.text().await.map_err(broken)?;
                let wrong = |_| Problem::field("campaign", "is not an id", "use an id of GET /api/campaigns");
                let id: CampaignId = text.trim().parse::<Key>().map_err(wrong)?.of(who.tenant);
                app.catalog.campaign_item(id).await.map_err(Problem::from).map_err(|p| missing(p, "campaign"))?;
                campaign = Some(id);
            }
            "file" if spooled.is_none() => {
                let name: String = field.file_name().unwrap_or("leads.csv").chars().take(200).collect();
                spooled = Some(spool(app, &mut field, name, path).await?);
            }
            _ => {}
        }
    }
    let campaign =
        campaign.ok_or_else(|| Problem::field("campaign", "is missing", "send the campaign's id as a field"))?;
    let spooled = spooled.ok_or_else(|| Problem::field("file", "is missing", "send the list as a file"))?;
    Ok((campaign, spooled))
}

async fn spool(
    app: &App,
    field: &mut axum::extract::multipart::Field<'_>,
    name: String,
    path: &std::path::Path,
) -> Answer<Spooled> {
    let disk = |error: std::io::Error| {
        tracing::error!(kind = ?error.kind(), "an upload cannot be kept");
        Problem::unavailable()
    };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await.map_err(disk)?;
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut bytes = 0u64;
    // A sender who falls silent gives its place up.
    let silence = std::time::Duration::from_secs(30);
    while let Some(chunk) = tokio::time::timeout(silence, field.chunk())
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the upload fell silent"))?
        .map_err(broken)?
    {
        bytes += chunk.len() as u64;
        if bytes > app.config.limits.upload_bytes_max {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the list is too large")
                .remedy("split it, or raise UPLOAD_BYTES_MAX"));
        }
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.sync_all().await.map_err(disk)?;
    if bytes == 0 {
        return Err(Problem::field("file", "is empty", "send a list with a header and rows"));
    }
    Ok(Spooled { name, bytes, digest: hex(digest.finish().as_ref()) })
}

/// An answer that browsers keep as a file.
pub fn attachment(name: &str, media: &'static str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response()
}

async fn template() -> Response {
    attachment("leads.csv", "text/csv; charset=utf-8", Body::from(write::template()))
}

async fn list(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<ImportView>>> {
    let page = app.catalog.imports(who.tenant, &paging.ask()?).await?;
    Ok(Json(Page::from(page, |job| ImportView::of(job.row))))
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<ImportView>> {
    Ok(Json(ImportView::of(app.catalog.import(key.of(who.tenant)).await?.row)))
}

async fn rejections(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<RejectionView>>> {
    let id: ImportId = key.of(who.tenant);
    app.catalog.import(id).await?;
    let page = app.catalog.rejections(id, &paging.ask()?).await?;
    Ok(Json(Page::from(page, |stored| {
        let rejection = stored.rejection;
        RejectionView {
            line: rejection.line,
            code: rejection.reason.code(),
            reason: rejection.reason.to_string(),
            remedy: rejection.remedy(),
            column: rejection.column,
            value: rejection.value,
        }
    })))
}

async fn rejections_csv(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Response> {
    let id: ImportId = key.of(who.tenant);
    app.catalog.import(id).await?;
    let body = super::export::paged(app, move |app: App, ask: PageAsk, first: bool| async move {
        let page = app.catalog.rejections(id, &ask).await?;
        let text = write::rejections(page.items.iter().map(|s| &s.rejection));
        // Every part begins with the header; only the first one keeps it.
        let text = if first {
            text
        } else {
            text.split_once("\r\n").or(text.split_once('\n')).map_or(String::new(), |t| t.1.into())
        };
        Ok((text, page.next))
    });
    Ok(attachment("rejected.csv", "text/csv; charset=utf-8", body))
}

async fn cancel(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<ImportView>> {
    let id: ImportId = key.of(who.tenant);
    for _ in 0..8 {
        let mut found = app.catalog.import(id).await?;
        if found.row.state != ImportState::Running {
            return Err(Problem::conflict("the import is over"));
        }
        found.row.state = ImportState::Canceled;
        found.row.ended_at = Some(app.clock.now());
        match app.catalog.put_import(&Put { row: found.row, expected: found.version }).await {
            Ok(()) => {
                super::note(&app, &who, "import.cancel", key, serde_json::json!({})).await?;
                return one(State(app), who, Path(key)).await;
            }
            Err(autocall_core::ports::catalog::CatalogError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable())
}
