//! Live events, and the outcome feed to pull.

use super::calls::RecordView;
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Query};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule, principal};
use crate::live::{socket, stream, watch::Watch};
use autocall_core::ports::catalog::{FeedEvent, FeedItem};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const WATCH: Rule = Rule::Either(Right::CampaignsRead, Right::Work);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/events", WATCH, "Live events as server-sent events: a snapshot, then deltas.", events)
        .asks::<Since>()
        .gives_raw(200, "text/event-stream")
        .streams();
    table
        .get("/api/ws", WATCH, "Live events as a WebSocket, for consoles.", ws)
        .asks::<Since>()
        .gives_bare(101, "The socket.")
        .may(&[400, 426])
        .streams();
    table
        .get(
            "/api/feed",
            Rule::Needs(Right::ReportsRead),
            "The outcome feed: committed records in order, no gap, no duplicate.",
            feed,
        )
        .asks::<After>()
        .gives::<Feed>(200);
}

/// From where.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// The cursor of the last message that was seen.
    cursor: Option<String>,
}

fn cursor<'a>(headers: &'a HeaderMap, since: &'a Since) -> Option<&'a str> {
    since.cursor.as_deref().or_else(|| headers.get("last-event-id").and_then(|v| v.to_str().ok()))
}

async fn events(
    State(app): State<App>,
    who: Principal,
    headers: HeaderMap,
    Query(since): Query<Since>,
) -> Answer<Response> {
    stream::begin(&app, who, headers.clone(), cursor(&headers, &since))
}

async fn ws(
    State(app): State<App>,
    who: Principal,
    headers: HeaderMap,
    Query(since): Query<Since>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Answer<Response> {
    // A socket carries cookies wherever it is opened: only our own pages may open one.
    if !principal::same_origin(&app, &headers) {
        return Err(Problem::forbidden("the page that opens this socket is not ours"));
    }
    let upgrade = upgrade.map_err(|_| Problem::bad_request("this is a WebSocket; open it as one"))?;
    let watch = Watch::begin(&app, who, headers.clone(), cursor(&headers, &since))?;
    Ok(upgrade.max_message_size(4 << 10).write_buffer_size(0).on_upgrade(move |ws| socket::serve(ws, watch)))
}

/// From where, and how many.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// The place of the last event that was dealt with; 0 for the beginning.
    #[serde(default)]
    after: u64,
    /// How many at most, 1 to 500; 100 where nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A committed event.
#[derive(Serialize, ToSchema)]
pub struct FeedEntry {
    /// Its place; keep the last one.
    pub place: u64,
    /// call.settled or call.disposed.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The call.
    pub call: Key,
    /// When it happened.
    pub at: When,
    /// The call's campaign, for call.settled.
    pub campaign: Option<Key>,
    /// The call's lead, for call.settled.
    pub lead: Option<Key>,
    /// The agent.
    pub agent: Option<Key>,
    /// The record, for call.settled.
    pub record: Option<RecordView>,
    /// The disposition's code, for call.disposed.
    pub disposition: Option<String>,
    /// Whether the disposition counts as a success.
    pub success: Option<bool>,
}

impl FeedEntry {
    /// Of an item of the feed; `None` for kinds that this version does not know.
    pub fn of(item: &FeedItem) -> Option<FeedEntry> {
        Some(match &item.event {
            FeedEvent::Settled(record) => FeedEntry {
                place: item.place,
                kind: "call.settled",
                call: record.call.into(),
                at: record.settled_at.into(),
                campaign: Some(record.campaign.into()),
                lead: Some(record.lead.into()),
                agent: record.agent.map(Key::from),
                record: Some(RecordView::of(record)),
                disposition: None,
                success: None,
            },
            FeedEvent::Disposed(disposed) => FeedEntry {
                place: item.place,
                kind: "call.disposed",
                call: disposed.call.into(),
                at: disposed.at.into(),
                campaign: None,
                lead: None,
                agent: disposed.agent.map(Key::from),
                record: None,
                disposition: Some(disposed.code.to_string()),
                success: Some(disposed.success),
            },
            _ => return None,
        })
    }
}

/// A part of the feed.
#[derive(Serialize, ToSchema)]
struct Feed {
    /// What was committed, in order.
    items: Vec<FeedEntry>,
    /// The place to go on from.
    after: u64,
}

async fn feed(State(app): State<App>, who: Principal, Query(ask): Query<After>) -> Answer<Json<Feed>> {
    let limit = ask.limit.unwrap_or(100);
    if limit == 0 || limit > 500 {
        return Err(Problem::bad_request("limit must be 1 to 500"));
    }
    if i64::try_from(ask.after).is_err() {
        return Err(Problem::bad_request("after is not a place of this feed"));
    }
    let items = app.catalog.feed(who.tenant, ask.after, limit).await?;
    let after = items.last().map_or(ask.after, |i| i.place);
    Ok(Json(Feed { items: items.iter().filter_map(FeedEntry::of).collect(), after }))
}
