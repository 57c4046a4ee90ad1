//! What a reader is told: a snapshot for whoever they are, and deltas in the API's words.

use super::hub::{Event, Heard, Reader, Room};
use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use crate::identity::{Principal, Right};
use crate::routes::agents::AgentView;
use crate::routes::campaigns::CampaignView;
use crate::routes::console;
use autocall_core::AgentId;
use autocall_core::campaign::State;
use autocall_core::ports::Note;
use autocall_core::ports::catalog::PageAsk;
use serde_json::{Value, json};

/// A reader with what they may see.
pub struct Watch {
    app: App,
    who: Principal,
    reader: Reader,
    /// The agent whose console it is; `None` for those who watch the tenant.
    agent: Option<AgentId>,
    fresh: bool,
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
    pub fn begin(app: &App, who: Principal, cursor: Option<&str>) -> Answer<Watch> {
        let agent = if who.rights.holds(Right::CampaignsRead) { None } else { Some(who.as_agent()?) };
        let room = agent.map_or(Room::Tenant(who.tenant), Room::Agent);
        let reader = app.hub.read(room, cursor).ok_or_else(Problem::unavailable)?;
        let fresh = reader.fresh;
        Ok(Watch { app: app.clone(), who, reader, agent, fresh })
    }

    /// Whether the principal still may: sessions end, keys are revoked while a socket lives.
    pub fn who(&self) -> &Principal {
        &self.who
    }

    /// The next message; `None` when the server stops.
    pub async fn next(&mut self) -> Answer<Option<Message>> {
        if self.fresh {
            self.fresh = false;
            return self.snapshot().await.map(Some);
        }
        loop {
            let heard = tokio::select! {
                () = self.app.stopping.cancelled() => return Ok(None),
                heard = self.reader.next() => heard,
            };
            match heard {
                Heard::Over => return Ok(None),
                Heard::Missed => return self.snapshot().await.map(Some),
                Heard::Event(event) => {
                    if let Some(mut body) = self.delta(&event).await? {
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

    async fn delta(&self, event: &Event) -> Answer<Option<Value>> {
        Ok(Some(match &event.note {
            Note::Call { call, campaign, stage } => {
                json!({ "type": "call", "call": Key::from(*call), "campaign": Key::from(*campaign), "stage": stage })
            }
            Note::Agent { agent } | Note::Offer { agent, .. } if self.agent == Some(*agent) => {
                let kind = if matches!(event.note, Note::Offer { .. }) { "offer" } else { "console" };
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
