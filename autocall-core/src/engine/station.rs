//! Agents' standing legs: dialled or dialled in, looked up now and then, and begun anew before the
//! carrier ends a call that has lasted too long.

use super::transact::Reply;
use super::{CONFLICTS_MAX, Engine, EngineError, Task};
use crate::agent::{Agent, AgentEvent, State, StationDue};
use crate::call::{Event, LegFacts, PERMIT_TTL, ProviderRef};
use crate::id::AgentId;
use crate::phone::Phone;
use crate::ports::{AgentView, Changes, Dial, Line, Note, Put, StationId, StoreError};
use crate::script::{Audio, RecordingMode, Role, Room, Script};
use crate::time::Timestamp;

/// How long the phone of an agent who shall stand rings, milliseconds.
const RING_MS_MAX: u32 = 30_000;

impl Engine {
    /// Dials an agent's standing leg for a shift, showing `from`. `call_ms_max` is the carrier's
    /// limit on one call; the leg is begun anew before it.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if the agent stands already, or is being rung.
    pub async fn stand(&self, agent: AgentId, from: Phone, call_ms_max: u32) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.agent(agent).await?;
            if view.agent.row.station.is_some() {
                return Err(EngineError::NotNow("the agent already stands"));
            }
            let mut row = view.agent.row.clone();
            row.handle(&AgentEvent::StationDialled { from, call_ms_max }, self.now());
            if let Some(tasks) = self.dial_station(&view, row).await? {
                return Ok(tasks);
            }
        }
        Err(EngineError::Contended)
    }

    /// An agent has called us, at `from`, to stand. What the line hears is the reply's script; an older
    /// standing leg of theirs is ended.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if a call holds the agent: they are on another line.
    pub async fn stand_in(
        &self,
        agent: AgentId,
        provider: ProviderRef,
        from: Option<Phone>,
    ) -> Result<(StationId, Reply), EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.agent(agent).await?;
            let before = &view.agent.row;
            if matches!(before.state, State::Held { .. }) {
                return Err(EngineError::NotNow("a call holds the agent"));
            }
            let mut row = before.clone();
            row.handle(&AgentEvent::StationCame { provider: provider.clone(), from }, self.now());
            let station = StationId { agent, shift: row.shifts };
            let free = row.is_free();
            if !self.put_agent(row, view.agent.version).await? {
                continue;
            }
            let mut tasks: Vec<Task> = end(before).into_iter().collect();
            if free {
                tasks.push(Task::Match(agent));
            }
            return Ok((station, Reply { script: stand_by(station), tasks }));
        }
        Err(EngineError::Contended)
    }

    /// Time has passed for an agent: wrap-up, and what their standing leg needs.
    pub(super) async fn agent_wake(&self, agent: AgentId) -> Result<Vec<Task>, EngineError> {
        let view = self.store.agent(agent).await?;
        let before = view.agent.row.clone();
        match before.station_due(self.now()) {
            Some(StationDue::Redial) => {
                let mut row = before;
                row.handle(&AgentEvent::StationRedialled, self.now());
                // Whoever wrote the row meanwhile has set its next instant anew.
                Ok(self.dial_station(&view, row).await?.unwrap_or_default())
            }
            Some(StationDue::Rotate) => {
                let mut row = before.clone();
                row.handle(&AgentEvent::Tick, self.now());
                // On the row that was read, or a call that was offered meanwhile would be cut off. Whoever
                // wrote it has set its next instant anew.
                if !self.put_agent(row, view.agent.version).await? {
                    return Ok(Vec::new());
                }
                // Of a leg that cannot be dialled again, nothing but its end tells that it is gone.
                let look = look_up(&before).filter(|_| before.station.as_ref().is_some_and(|s| s.from.is_none()));
                Ok(end(&before).into_iter().chain(look).collect())
            }
            Some(StationDue::Look) => {
                let tasks = self.agent_event(agent, &AgentEvent::Tick).await?;
                Ok(look_up(&before).into_iter().chain(tasks).collect())
            }
            None => self.agent_event(agent, &AgentEvent::Tick).await,
        }
    }

    /// Commits an agent whose station is to be dialled. `None` if the agent changed meanwhile.
    async fn dial_station(&self, view: &AgentView, row: Agent) -> Result<Option<Vec<Task>>, EngineError> {
        let (agent, now) = (row.id, self.now());
        let Some((station, from)) = row.station.as_ref().and_then(|s| Some((s.clone(), s.from?))) else {
            return Ok(Some(Vec::new()));
        };
        let line = Line::Station(StationId { agent, shift: station.shift });
        let dial = Dial {
            line,
            to: row.address.clone(),
            from,
            account: agent.tenant().to_string().into(),
            ring_ms_max: RING_MS_MAX,
            call_ms_max: station.call_ms_max,
            amd: None,
            not_before: Timestamp::EPOCH,
            recording: RecordingMode::Off,
        };
        let mut changes = Changes::new(agent.tenant(), now);
        changes.agents.push(Put { row, expected: view.agent.version });
        changes.permits.push((line, now + PERMIT_TTL));
        match self.commit(&changes).await {
            Ok(committed) => {
                self.notifier.notify(&Note::Agent { agent });
                let permits = committed.permits.into_iter();
                Ok(Some(permits.map(|permit| Task::Dial { permit, dial: Box::new(dial.clone()) }).collect()))
            }
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The carrier told us something about a standing leg.
    pub(super) async fn hear_station(&self, station: StationId, facts: LegFacts) -> Result<Reply, EngineError> {
        let view = match self.store.agent(station.agent).await {
            Ok(view) => view,
            Err(StoreError::NotFound) => return Ok(Reply::hang_up()),
            Err(error) => return Err(error.into()),
        };
        let current = view.agent.row.station.as_ref().is_some_and(|s| s.shift == station.shift);
        if !current {
            return Ok(Reply::hang_up());
        }
        let mut tasks = Vec::new();
        if facts.is_over() {
            tasks.extend(self.agent_event(station.agent, &AgentEvent::StationDown(station.shift)).await?);
            if let State::Held { call, .. } = view.agent.row.state {
                let gone = Event::AgentGone { agent: station.agent };
                tasks.extend(self.transact(call, &gone).await?.2);
            }
            return Ok(Reply { script: Script::Hangup, tasks });
        }
        if facts.is_answered()
            && let Some(provider) = facts.provider
        {
            tasks.extend(self.agent_event(station.agent, &AgentEvent::StationUp(provider)).await?);
        }
        Ok(Reply { script: stand_by(station), tasks })
    }
}

/// Hangs up an agent's standing leg.
pub(super) fn end(agent: &Agent) -> Option<Task> {
    let station = agent.station.as_ref()?;
    Some(Task::Steer {
        line: Line::Station(StationId { agent: agent.id, shift: station.shift }),
        provider: station.provider.clone()?,
        account: agent.id.tenant().to_string().into(),
        script: Box::new(Script::Hangup),
    })
}

fn look_up(agent: &Agent) -> Option<Task> {
    let station = agent.station.as_ref()?;
    Some(Task::LookUp {
        line: Line::Station(StationId { agent: agent.id, shift: station.shift }),
        provider: Some(station.provider.clone()?),
        account: agent.id.tenant().to_string().into(),
        since: station.dialled_at,
    })
}

/// What an agent's standing leg hears.
fn stand_by(station: StationId) -> Script {
    Script::Join {
        room: Room::Agent(station.agent),
        role: Role::Standing,
        hold: Audio::Silence,
        recording: RecordingMode::Off,
    }
}
