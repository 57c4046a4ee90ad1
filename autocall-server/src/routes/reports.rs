//! Reports: sums by campaign, agent, list, number, hour, verdict, disposition; the abandonment
//! ledger with its evidence; time series.

use super::calls::{Span, Summary};

use super::export::{self, FormatWord};
use super::uploads::attachment;
use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path, Query};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::CampaignId;
use autocall_core::import::write::CsvText;
use autocall_core::ports::catalog::{CallFilter, GroupBy, PageAsk, ReportKey};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const READ: Rule = Rule::Needs(Right::ReportsRead);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get(
            "/api/reports",
            READ,
            "Sums over settled calls, grouped; as JSON, or as a file with format=csv or format=xlsx.",
            report,
        )
        .asks::<Span>()
        .asks::<Grouping>()
        .gives_page::<Row>()
        .gives_raw(200, "text/csv")
        .gives_raw(200, export::XLSX);
    table
        .get("/api/campaigns/{id}/ledger", READ, "The abandonment ledger of a campaign, window by window.", ledger)
        .gives::<Ledger>(200);
    table
        .get("/api/campaigns/{id}/abandoned", READ, "The calls behind the ledger, each with its evidence.", abandoned)
        .asks::<Paging>()
        .gives_page::<Abandoned>();
}

/// By what.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    /// One row for all.
    #[default]
    Nothing,
    /// By campaign.
    Campaign,
    /// By agent.
    Agent,
    /// By number shown.
    Number,
    /// By list.
    List,
    /// By hour, as a time series.
    Hour,
    /// By day, as a time series.
    Day,
    /// By hour of the day.
    HourOfDay,
    /// By what answering-machine detection heard.
    Amd,
    /// By what agents said.
    Disposition,
}

/// How to group.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Grouping {
    /// nothing, campaign, agent, number, list, hour, day, hour_of_day, amd or disposition.
    #[serde(default)]
    #[param(inline)]
    by: By,
    /// Seconds by which the reader's clock is ahead of UTC, for days and hours of the day.
    #[param(minimum = -86400, maximum = 86400)]
    offset_s: Option<i32>,
    /// json (the default), csv or xlsx.
    #[param(value_type = Option<String>)]
    format: Option<FormatAs>,
}

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatAs {
    /// JSON.
    Json,
    /// CSV.
    Csv,
    /// A spreadsheet.
    Xlsx,
}

/// A row of a report.
#[derive(Serialize, ToSchema)]
struct Row {
    /// What it is about: an id, a number, an instant, an hour, or a word; absent for all or none.
    key: Option<String>,
    /// The sums.
    #[serde(flatten)]
    sums: Summary,
}

fn key_text(key: &ReportKey) -> Option<String> {
    match key {
        ReportKey::All => None,
        ReportKey::Campaign(id) => Some(Key::from(*id).to_string()),
        ReportKey::Agent(id) => id.map(|id| Key::from(id).to_string()),
        ReportKey::CallerId(phone) => Some(phone.e164()),
        ReportKey::List(id) => id.map(|id| Key::from(id).to_string()),
        ReportKey::Time(at) => Some(at.to_string()),
        ReportKey::HourOfDay(hour) => Some(hour.to_string()),
        ReportKey::Word(word) => Some(word.to_string()),
    }
}

async fn report(
    State(app): State<App>,
    who: Principal,
    Query(span): Query<Span>,
    Query(grouping): Query<Grouping>,
) -> Answer<Response> {
    let group = match grouping.by {
        By::Nothing => GroupBy::Nothing,
        By::Campaign => GroupBy::Campaign,
        By::Agent => GroupBy::Agent,
        By::Number => GroupBy::CallerId,
        By::List => GroupBy::List,
        By::Hour => GroupBy::Hour,
        By::Day => GroupBy::Day,
        By::HourOfDay => GroupBy::HourOfDay,
        By::Amd => GroupBy::Verdict,
        By::Disposition => GroupBy::Disposition,
    };
    let mut ask = span.ask(&who, app.clock.now(), group)?;
    ask.offset_s = grouping.offset_s.unwrap_or(0);
    if ask.offset_s.unsigned_abs() > 86_400 {
        return Err(Problem::field("offset_s", "is over a day", "use -86400 to 86400"));
    }
    let price = super::tenant::settings(&app, who.tenant).await?.price_per_min;
    let rows = app.catalog.report(who.tenant, &ask).await?;
    let rows: Vec<Row> =
        rows.iter().map(|row| Row { key: key_text(&row.key), sums: Summary::of(&row.figures, price) }).collect();
    match grouping.format {
        None | Some(FormatAs::Json) => Ok(Json(Page::whole(rows)).into_response()),
        Some(FormatAs::Csv) => {
            let mut text = CsvText::new();
            text.row(COLUMNS);
            cells(&rows).for_each(|row| text.row(row));
            Ok(attachment("report.csv", "text/csv; charset=utf-8", text.into_string().into()))
        }
        Some(FormatAs::Xlsx) => {
            let rows: Vec<Vec<String>> = cells(&rows).map(Vec::from).collect();
            let once = move |_: App, _: PageAsk| std::future::ready(Ok((rows.clone(), None)));
            export::send(app, FormatWord::Xlsx, "report", COLUMNS, once).await
        }
    }
}

/// The columns of a report's file.
const COLUMNS: &[&str] = &[
    "key",
    "calls",
    "answered",
    "connected",
    "abandoned",
    "abandonment_rate",
    "successes",
    "talk_seconds",
    "wait_ms_mean",
    "line_seconds",
    "cost_estimate",
];

fn cells(rows: &[Row]) -> impl Iterator<Item = [String; 11]> + '_ {
    rows.iter().map(|row| {
        let sums = &row.sums;
        [
            row.key.clone().unwrap_or_default(),
            sums.calls.to_string(),
            sums.answered.to_string(),
            sums.connected.to_string(),
            sums.abandoned.to_string(),
            format!("{:.4}", sums.abandonment_rate),
            sums.successes.to_string(),
            format!("{:.1}", sums.talk_ms as f64 / 1000.0),
            sums.wait_ms_mean.map(|w| w.to_string()).unwrap_or_default(),
            format!("{:.1}", sums.line_ms as f64 / 1000.0),
            format!("{:.2}", sums.cost_estimate),
        ]
    })
}

/// A campaign's abandonment ledger.
#[derive(Serialize, ToSchema)]
struct Ledger {
    /// Which campaign.
    campaign: Key,
    /// The ledger's windows with their counts, as the pacer keeps them.
    #[schema(value_type = Object)]
    ledger: serde_json::Value,
}

async fn ledger(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Ledger>> {
    let id: CampaignId = key.of(who.tenant);
    let view = app.store.campaign(id).await?;
    let ledger = serde_json::to_value(&view.ledger).map_err(Problem::internal)?;
    Ok(Json(Ledger { campaign: key, ledger }))
}

/// A person who answered and spoke with nobody.
#[derive(Serialize, ToSchema)]
struct Abandoned {
    /// The call.
    call: Key,
    /// The lead.
    lead: Key,
    /// When it was dialed.
    dialed_at: When,
    /// When it was picked up.
    answered_at: Option<When>,
    /// When the greeting ended, as far as the detector said.
    greeting_end_at: Option<When>,
    /// When the person was given up.
    gave_up_at: Option<When>,
    /// When a message began to play.
    message_at: Option<When>,
    /// When it was over.
    ended_at: When,
    /// How many agents let it pass.
    agents_passed: u8,
}

async fn abandoned(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Abandoned>>> {
    let id: CampaignId = key.of(who.tenant);
    app.catalog.campaign_item(id).await?;
    let filter = CallFilter { campaign: Some(id), outcome: Some("abandoned".into()), ..CallFilter::default() };
    let mut ask = paging.ask()?;
    ask.limit = ask.limit.min(100);
    let page = app.catalog.calls(who.tenant, &filter, &ask).await?;
    let mut items = Vec::new();
    for item in &page.items {
        let Some(record) = app.catalog.call_detail(item.id).await?.record else { continue };
        items.push(Abandoned {
            call: item.id.into(),
            lead: item.lead.into(),
            dialed_at: record.dialled_at.into(),
            answered_at: record.answered_at.map(When),
            greeting_end_at: record.greeting_end_at.map(When),
            gave_up_at: record.gave_up_at.map(When),
            message_at: record.message_at.map(When),
            ended_at: record.ended_at.into(),
            agents_passed: record.passed,
        });
    }
    Ok(Json(Page { items, next: page.next.map(|c| c.0) }))
}
