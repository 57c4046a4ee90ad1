//! Exports: CSV and XLSX, read page by page, never whole in memory.

use super::uploads::attachment;
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::Query;
use crate::identity::{Principal, Right, Rule};
use autocall_core::import::write::CsvText;
use autocall_core::ports::catalog::{CatalogError, Cursor, PageAsk};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/calls/export", Rule::Needs(Right::CallsRead), "All calls of a filter as a file.", calls)
        .asks::<Format>()
        .asks::<super::calls::Filter>()
        .gives_raw(200, "text/csv")
        .gives_raw(200, XLSX)
        .streams();
    table
        .get("/api/leads/export", Rule::Needs(Right::LeadsRead), "All leads of a filter as a file.", leads)
        .asks::<Format>()
        .asks::<super::leads::Filter>()
        .gives_raw(200, "text/csv")
        .gives_raw(200, XLSX)
        .streams();
}

/// The media type of a spreadsheet.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Rows of one sheet (the format's own limit is 1,048,576).
const SHEET_ROWS_MAX: u32 = 1_000_000;

/// What kind of file.
#[derive(Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Format {
    /// csv (the default) or xlsx.
    #[serde(default)]
    #[param(inline)]
    pub format: FormatWord,
}

/// What kind of file, as a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FormatWord {
    /// Comma-separated values, UTF-8.
    #[default]
    Csv,
    /// A spreadsheet.
    Xlsx,
}

/// A body made page by page. A store that fails in between breaks the body off, so that nobody
/// takes a part for the whole.
pub fn paged<F, Fut>(app: App, page: F) -> Body
where
    F: Fn(App, PageAsk, bool) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(String, Option<Cursor>), CatalogError>> + Send + 'static,
{
    let begin = Some((PageAsk::first(500), true));
    Body::from_stream(stream::unfold((app, page, begin), |(app, page, at)| async move {
        let (ask, first) = at?;
        match page(app.clone(), ask, first).await {
            Ok((text, next)) => {
                let at = next.map(|next| (PageAsk { after: Some(next), limit: 500 }, false));
                Some((Ok(Bytes::from(text)), (app, page, at)))
            }
            Err(error) => {
                tracing::warn!(error = %error, "an export broke off");
                Some((Err(std::io::Error::other("the export broke off")), (app, page, None)))
            }
        }
    }))
}

/// A table that can be read page by page.
pub type Rows = (Vec<Vec<String>>, Option<Cursor>);

/// Sends a table as a file of the wanted kind.
pub async fn send<F, Fut>(
    app: App,
    format: FormatWord,
    name: &str,
    columns: &'static [&'static str],
    rows: F,
) -> Answer<Response>
where
    F: Fn(App, PageAsk) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Rows, CatalogError>> + Send + 'static,
{
    match format {
        FormatWord::Csv => {
            let body = paged(app, move |app, ask, first| {
                let rows = rows.clone();
                async move {
                    let (rows, next) = rows(app, ask).await?;
                    let mut text = CsvText::new();
                    if first {
                        text.row(columns);
                    }
                    for row in &rows {
                        text.row(row);
                    }
                    Ok((text.into_string(), next))
                }
            });
            Ok(attachment(&format!("{name}.csv"), "text/csv; charset=utf-8", body))
        }
        FormatWord::Xlsx => {
            let file = sheet(app, columns, rows).await?;
            let body = Body::from_stream(tokio_util::io::ReaderStream::new(file));
            Ok(attachment(&format!("{name}.xlsx"), XLSX, body))
        }
    }
}

/// Writes a spreadsheet into a temporary file: rows leave memory as they are written.
async fn sheet<F, Fut>(app: App, columns: &'static [&'static str], rows: F) -> Answer<tokio::fs::File>
where
    F: Fn(App, PageAsk) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Rows, CatalogError>> + Send + 'static,
{
    let (give, mut take) = tokio::sync::mpsc::channel::<Vec<Vec<String>>>(2);
    let writer = tokio::task::spawn_blocking(move || write_sheet(columns, &mut take));
    let mut ask = PageAsk::first(500);
    loop {
        let (part, next) = rows(app.clone(), ask).await?;
        if give.send(part).await.is_err() {
            break;
        }
        match next {
            Some(next) => ask = PageAsk { after: Some(next), limit: 500 },
            None => break,
        }
    }
    drop(give);
    let file = writer.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(tokio::fs::File::from_std(file))
}

fn write_sheet(
    columns: &[&str],
    take: &mut tokio::sync::mpsc::Receiver<Vec<Vec<String>>>,
) -> Result<std::fs::File, Box<dyn std::error::Error + Send + Sync>> {
    use std::io::Seek as _;
    let mut book = rust_xlsxwriter::Workbook::new();
    let mut at = SHEET_ROWS_MAX;
    let mut sheets = 0;
    while let Some(part) = take.blocking_recv() {
        for row in part {
            if at >= SHEET_ROWS_MAX {
                let sheet = book.add_worksheet_with_constant_memory()?;
                for (n, column) in columns.iter().enumerate() {
                    sheet.write_string(0, n as u16, *column)?;
                }
                (at, sheets) = (1, sheets + 1);
            }
            // Cells are written as texts: a spreadsheet runs none of them as a formula.
            let sheet = book.worksheet_from_index(sheets - 1)?;
            for (n, cell) in row.iter().enumerate() {
                sheet.write_string(at, n as u16, cell)?;
            }
            at += 1;
        }
    }
    if sheets == 0 {
        let sheet = book.add_worksheet();
        for (n, column) in columns.iter().enumerate() {
            sheet.write_string(0, n as u16, *column)?;
        }
    }
    let mut file = tempfile::tempfile()?;
    book.save_to_writer(std::io::BufWriter::new(file.try_clone()?))?;
    file.rewind()?;
    Ok(file)
}

fn text<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

async fn calls(
    State(app): State<App>,
    who: Principal,
    Query(format): Query<Format>,
    Query(filter): Query<super::calls::Filter>,
) -> Answer<Response> {
    let filter = filter.read(&who)?;
    super::note_first(&app, &who, "call.export", "calls", serde_json::json!({})).await?;
    let tenant = who.tenant;
    let columns =
        &["id", "campaign", "lead", "to", "dialed_at", "stage", "outcome", "agent", "talk_seconds", "disposition"];
    send(app, format.format, "calls", columns, move |app, ask| {
        let filter = filter.clone();
        async move {
            let page = app.catalog.calls(tenant, &filter, &ask).await?;
            let rows = page.items.into_iter().map(|item| {
                let call = super::calls::CallView::of(item);
                vec![
                    call.id.to_string(),
                    call.campaign.to_string(),
                    call.lead.to_string(),
                    call.to,
                    call.dialed_at.0.to_string(),
                    call.stage,
                    text(&call.outcome),
                    text(&call.agent),
                    format!("{:.1}", call.talk_ms as f64 / 1000.0),
                    text(&call.disposition),
                ]
            });
            Ok((rows.collect(), page.next))
        }
    })
    .await
}

async fn leads(
    State(app): State<App>,
    who: Principal,
    Query(format): Query<Format>,
    Query(filter): Query<super::leads::Filter>,
) -> Answer<Response> {
    let filter = filter.read(&who)?;
    super::note_first(&app, &who, "lead.export", "leads", serde_json::json!({})).await?;
    let tenant = who.tenant;
    let columns = &[
        "id",
        "campaign",
        "first_name",
        "last_name",
        "phone",
        "phone2",
        "phone3",
        "country",
        "type",
        "priority",
        "status",
        "closed",
        "attempts",
        "last_outcome",
        "disposition",
        "due_at",
        "blocked_by",
        "external_id",
        "notes",
    ];
    send(app, format.format, "leads", columns, move |app, ask| {
        let filter = filter.clone();
        async move {
            let page = app.catalog.leads(tenant, &filter, &ask).await?;
            let rows = page.items.into_iter().map(|found| {
                let lead = crate::views::person::LeadView::of(found);
                let phone = |n: usize| lead.phones.get(n).map(|p| p.phone.clone()).unwrap_or_default();
                vec![
                    lead.id.to_string(),
                    lead.campaign.to_string(),
                    lead.first_name.clone(),
                    lead.last_name.clone(),
                    phone(0),
                    phone(1),
                    phone(2),
                    text(&lead.country),
                    text(&lead.kind),
                    lead.priority.to_string(),
                    lead.status.to_owned(),
                    text(&lead.closed),
                    lead.attempts.to_string(),
                    text(&lead.last_outcome),
                    text(&lead.disposition),
                    lead.due_at.map(|w| w.0.to_string()).unwrap_or_default(),
                    text(&lead.blocked_by),
                    text(&lead.external_id),
                    lead.notes.clone(),
                ]
            });
            Ok((rows.collect(), page.next))
        }
    })
    .await
}
