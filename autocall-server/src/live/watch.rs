//! What a reader is told: a snapshot for whoever they are, and deltas in the API's words.

use super::hub::{Heard, Reader, Room};
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use crate::identity::{Principal, Right, principal, sessions, users};
use crate::routes::agents::AgentView;
use crate::routes::campaigns::CampaignView;
use crate::routes::console;
use autocall_core::AgentId;
use autocall_core::campaign::State;
use autocall_core::ports::Note;
use autocall_core::ports::catalog::PageAsk;
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, Interval};

/// How often it is asked again whether the reader still may: sessions end, keys are revoked, roles
/// change while a line is open.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// A reader with what they may see.
pub struct Watch {
    app: App,
    who: Principal,
    reader: Reader,
    /// The agent whose console it is; `None` for those who watch the tenant.
    agent: Option<AgentId>,
    fresh: bool,
    /// What the reader proved itself with.
    headers: HeaderMap,
    ask_again: Interval,
}

/// One message: its cursor and its content.
pub struct Message {
    /// Where to come back to.
    pub cursor: String,
    /// The content.
    pub body: Value,
}

impl Watch {
    /// Begins to watch, from a cursor where one is given.
    pub fn begin(app: &App, who: Principal, headers: HeaderMap, cursor: Option<&str>) -> Answer<Watch> {
        let agent = if who.rights.holds(Right::CampaignsRead) { None } else { Some(who.as_agent()?) };
        let room = agent.map_or(Room::Tenant(who.tenant), Room::Agent);
        let reader = app.hub.read(room, cursor).ok_or_else(Problem::unavailable)?;
        let fresh = reader.fresh;
        let ask_again = tokio::time::interval_at(Instant::now() + ASK_AGAIN, ASK_AGAIN);
        Ok(Watch { app: app.clone(), who, reader, agent, fresh, headers, ask_again })
    }

    /// The next message; `None` when the server stops, or the reader may no longer listen.
    ///
    /// Not to be dropped while it waits: a message that was being made would be lost.
    pub async fn next(&mut self) -> Answer<Option<Message>> {
        if self.fresh {
            self.fresh = false;
            return self.snapshot().await.map(Some);
        }
        loop {
            let heard = tokio::select! {
                () = self.app.stopping.cancelled() => return Ok(None),
                _ = self.ask_again.tick() => {
                    if !self.still().await {
                        return Ok(None);
                    }
                    continue;
                }
                heard = self.reader.next() => heard,
            };
            match heard {
                Heard::Over => return Ok(None),
                Heard::Missed => return self.snapshot().await.map(Some),
                Heard::Event(event, note) => {
                    if let Some(mut body) = self.delta(&note).await? {
                        let cursor = self.reader.cursor(event.seq);
                        body["cursor"] = cursor.as_str().into();
                        return Ok(Some(Message { cursor, body }));
                    }
                }
            }
        }
    }

    async fn snapshot(&self) -> Answer<Message> {
        let cursor = self.reader.here();
        let body = match self.agent {
            Some(agent) => {
                json!({ "type": "snapshot", "cursor": cursor, "console": console::look(&self.app, agent).await? })
            }
            None => {
                let campaigns =
                    self.app.catalog.campaigns(self.who.tenant, Some(State::Running), &PageAsk::first(100)).await?;
                let agents = self.app.catalog.agents(self.who.tenant, None, &PageAsk::first(500)).await?;
                json!({
                    "type": "snapshot",
                    "cursor": cursor,
                    "campaigns": campaigns.items.into_iter().map(CampaignView::of).collect::<Vec<_>>(),
                    "agents": agents.items.into_iter().map(AgentView::of).collect::<Vec<_>>(),
                    "agents_more": agents.next.is_some(),
                })
            }
        };
        Ok(Message { cursor, body })
    }

    /// Whether the principal is still who they were. An access token that ran out meanwhile is no
    /// reason to end: its session is what counts. A store that is away for a moment ends nothing.
    async fn still(&self) -> bool {
        let Some(session) = &self.who.session else {
            return match principal::authenticate(&self.app, &Method::GET, &self.headers).await {
                Ok(found) => found.is_some(),
                Err(problem) => problem.status == 503,
            };
        };
        let since = match sessions::stands(&self.app, self.who.tenant, session).await {
            Ok(None) => return false,
            Ok(Some(session)) => session.since,
            Err(_) => return true,
        };
        let Ok(id) = self.who.as_user() else { return false };
        match users::user(&self.app, self.who.tenant, id).await {
            Ok(found) => {
                let user = found.row;
                let same = Some(user.role) == self.who.role && user.agent == self.who.agent;
                same && !user.disabled && since >= user.tokens_from
            }
            Err(problem) => problem.status == 503,
        }
    }

    async fn delta(&self, note: &Note) -> Answer<Option<Value>> {
        Ok(Some(match note {
            Note::Call { call, campaign, stage } => {
                json!({ "type": "call", "call": Key::from(*call), "campaign": Key::from(*campaign), "stage": stage })
            }
            Note::Agent { agent } | Note::Offer { agent, .. } if self.agent == Some(*agent) => {
                let kind = if matches!(note, Note::Offer { .. }) { "offer" } else { "console" };
                json!({ "type": kind, "console": console::look(&self.app, *agent).await? })
            }
            Note::Agent { agent } => match self.app.catalog.agent(*agent).await {
                Ok(found) => json!({ "type": "agent", "agent": AgentView::of(found) }),
                Err(_) => json!({ "type": "agent_removed", "id": Key::from(*agent) }),
            },
            Note::Offer { agent, call } => {
                json!({ "type": "offer", "agent": Key::from(*agent), "call": Key::from(*call) })
            }
            Note::Campaign { campaign } => {
                let item = self.app.catalog.campaign_item(*campaign).await?;
                json!({ "type": "campaign", "campaign": CampaignView::of(item) })
            }
            Note::Planned { campaign, dialled, why } => {
                json!({ "type": "planned", "campaign": Key::from(*campaign), "dialed": dialled, "why": why })
            }
            Note::Alarm { campaign, what } => {
                json!({ "type": "alarm", "campaign": Key::from(*campaign), "what": what })
            }
            _ => return Ok(None),
        }))
    }
}
