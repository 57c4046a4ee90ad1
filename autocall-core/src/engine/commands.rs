//! What people tell the engine: campaigns, agents, calls, lists.

use super::tick::stop_calls;
use super::{CONFLICTS_MAX, Engine, EngineError, Task, decide};
use crate::agent::{AgentEvent, Status};
use crate::call::{Event, PERMIT_TTL, Stop};
use crate::campaign::{Command, Effect};
use crate::id::{AgentId, CallId, CampaignId, TenantId};
use crate::lead::{Callback, LeadEvent};
use crate::phone::Phone;
use crate::ports::{Changes, Dial, Disposed, Line, Listing, Note, Put, StationId, StoreError, Versioned};
use crate::script::{RecordingMode, Script};
use crate::settings::{Settings, Then};
use crate::time::Timestamp;
use std::sync::Arc;

impl Engine {
    /// Commands a campaign.
    pub async fn command(&self, campaign: CampaignId, command: &Command) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.campaign(campaign).await?;
            let now = self.now();
            let mut row = (*view.campaign.row).clone();
            let effects = row.command(command, now)?;
            if row == *view.campaign.row {
                return Ok(Vec::new());
            }
            let mut changes = Changes::new(campaign.tenant(), now);
            changes.campaigns.push(Put { row, expected: view.campaign.version });
            match self.commit(&changes).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            self.notifier.notify(&Note::Campaign { campaign });
            let mut tasks = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Tick => tasks.push(Task::Tick(campaign)),
                    Effect::StopCalls => tasks.extend(stop_calls(&view)),
                }
            }
            return Ok(tasks);
        }
        Err(EngineError::Contended)
    }

    /// Takes an event into an agent's machine.
    pub async fn agent_event(&self, agent: AgentId, event: &AgentEvent) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.agent(agent).await?;
            let now = self.now();
            let before = &view.agent;
            let mut row = before.row.clone();
            if !row.handle(event, now) {
                return Ok(Vec::new());
            }
            let mut changes = Changes::new(agent.tenant(), now);
            changes.agents.push(Put { row: row.clone(), expected: before.version });
            match self.commit(&changes).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            self.notifier.notify(&Note::Agent { agent });
            self.learn_wrap_up(&before.row, &row, now);
            let mut tasks = Vec::new();
            if row.status == Status::Offline {
                tasks.extend(end_station(&before.row));
            }
            if row.is_free() {
                tasks.push(Task::Match(agent));
            }
            return Ok(tasks);
        }
        Err(EngineError::Contended)
    }

    /// Dials an agent's standing leg for a shift, showing `from`.
    pub async fn stand(&self, agent: AgentId, from: Phone, call_ms_max: u32) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.agent(agent).await?;
            if view.agent.row.station.is_some() {
                return Err(EngineError::NotNow("the agent already stands"));
            }
            let now = self.now();
            let mut row = view.agent.row.clone();
            row.handle(&AgentEvent::StationDialled, now);
            let station = StationId { agent, shift: row.shifts };
            let line = Line::Station(station);
            let dial = Dial {
                line,
                to: row.address.clone(),
                from,
                account: agent.tenant().to_string().into(),
                ring_ms_max: 30_000,
                call_ms_max,
                amd: None,
                recording: RecordingMode::Off,
            };
            let mut changes = Changes::new(agent.tenant(), now);
            changes.agents.push(Put { row, expected: view.agent.version });
            changes.permits.push((line, now + PERMIT_TTL));
            match self.commit(&changes).await {
                Ok(committed) => {
                    let permits = committed.permits.into_iter();
                    return Ok(permits.map(|permit| Task::Dial { permit, dial: Box::new(dial.clone()) }).collect());
                }
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// An agent says yes or no to the call offered to them.
    pub async fn answer(&self, call: CallId, agent: AgentId, accept: bool) -> Result<Vec<Task>, EngineError> {
        Ok(self.transact(call, &Event::Answered { agent, accept }).await?.2)
    }

    /// Ends a call by hand.
    pub async fn hang_up(&self, call: CallId) -> Result<Vec<Task>, EngineError> {
        Ok(self.transact(call, &Event::Stop(Stop::Person)).await?.2)
    }

    /// Puts numbers on the tenant's do-not-call list. Once this returns no permit is minted for
    /// them; the tasks end the calls to them that live.
    pub async fn suppress(&self, tenant: TenantId, listings: Vec<Listing>) -> Result<Vec<Task>, EngineError> {
        let mut changes = Changes::new(tenant, self.now());
        changes.listings = listings.into();
        let committed = self.commit(&changes).await?;
        Ok(committed.live.into_iter().map(|call| Task::Stop(call, Stop::Listed)).collect())
    }

    /// An agent says how a call went; the lead follows. The call need not be settled yet.
    pub async fn dispose(
        &self,
        call: CallId,
        agent: Option<AgentId>,
        code: &str,
        callback: Option<Callback>,
    ) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let snap = self.store.call(call).await?;
            let settings = &snap.campaign.settings;
            let known = settings.dispositions.iter().find(|d| *d.code == *code);
            let disposition = known.ok_or(EngineError::NotNow("the campaign has no such disposition"))?;
            let now = self.now();
            let plan = &snap.call.row.plan;
            let mut changes = Changes::new(call.tenant(), now);
            changes.disposed.push(Disposed {
                call,
                agent,
                code: disposition.code.clone(),
                success: disposition.success,
                at: now,
            });
            if disposition.then == Then::DoNotCall {
                changes.listings.push(listing(plan.to, "agent", call));
            }
            let event = LeadEvent::Disposed {
                code: disposition.code.clone(),
                then: disposition.then,
                number_index: plan.number_index,
                callback,
            };
            self.edit(&snap.lead, &event, settings, &mut changes, now);
            match self.commit(&changes).await {
                Ok(committed) => {
                    let done = agent.map(|a| (a, AgentEvent::Ready));
                    let mut tasks: Vec<Task> =
                        committed.live.into_iter().map(|live| Task::Stop(live, Stop::Listed)).collect();
                    if let Some((agent, ready)) = done {
                        tasks.extend(self.agent_event(agent, &ready).await?);
                    }
                    return Ok(tasks);
                }
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Adds a lead's event to changes.
    fn edit(
        &self,
        lead: &Versioned<crate::lead::Lead>,
        event: &LeadEvent,
        settings: &Settings,
        changes: &mut Changes,
        now: Timestamp,
    ) {
        let mut row = lead.row.clone();
        if row.handle(event, settings, now) {
            decide::put_lead(lead, row, changes);
        }
    }

    /// Takes an event of a person's doing into a lead: close, reopen, appoint, list.
    pub async fn lead_event(
        &self,
        lead: &Versioned<crate::lead::Lead>,
        event: &LeadEvent,
        settings: &Arc<Settings>,
    ) -> Result<(), EngineError> {
        let now = self.now();
        let mut changes = Changes::new(lead.row.id.tenant(), now);
        self.edit(lead, event, settings, &mut changes, now);
        if !changes.is_empty() {
            changes.wakes.push((lead.row.campaign, now));
            self.commit(&changes).await?;
        }
        Ok(())
    }

    /// What a strategy has learned about a campaign on this node, to be stored.
    pub fn checkpoint(&self, campaign: CampaignId) -> Option<Vec<u8>> {
        let pacers = self.pacers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pacers.get(&campaign).map(|p| p.strategy.checkpoint())
    }

    /// Takes up what another node or an earlier run has learned about a campaign.
    pub fn restore(&self, campaign: CampaignId, settings: &crate::pacing::Settings, learned: &[u8]) {
        let mut pacers = self.pacers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let pacer = pacers.entry(campaign).or_insert_with(|| super::Pacer {
            settings: settings.clone(),
            strategy: crate::pacing::strategy(settings),
        });
        pacer.strategy.restore(learned);
    }
}

fn listing(phone: Phone, reason: &str, call: CallId) -> Listing {
    Listing { phone, campaign: None, reason: reason.into(), source: format!("call {call}").into(), until: None }
}

/// Hangs up the standing leg of an agent who goes home.
fn end_station(agent: &crate::agent::Agent) -> Option<Task> {
    let station = agent.station.as_ref()?;
    Some(Task::Steer {
        line: Line::Station(StationId { agent: agent.id, shift: station.shift }),
        provider: station.provider.clone()?,
        account: agent.id.tenant().to_string().into(),
        script: Box::new(Script::Hangup),
    })
}
