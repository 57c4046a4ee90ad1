//! What people tell the engine: campaigns, agents, calls, lists.

use super::station;
use super::tick::stop_calls;
use super::{CONFLICTS_MAX, Engine, EngineError, Task, decide};
use crate::agent::{Address, Agent, AgentEvent, Status};
use crate::call::{Event, Onward, Stage, Stop};
use crate::campaign::{Campaign, Command, Effect, Refused, State};
use crate::id::{AgentId, CallId, CampaignId, TenantId};
use crate::lead::{Callback, LeadEvent};
use crate::outcome::Outcome;
use crate::phone::Phone;
use crate::planning::counts::CountKey;
use crate::ports::{Changes, Disposed, Listing, Note, Put, StoreError, Versioned};
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
            self.may_become(&view.campaign.row, &row, now)?;
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

    /// Refuses a change after which a campaign dials, or waits for its time, against the rules in
    /// force.
    pub fn may_become(&self, before: &Campaign, after: &Campaign, now: Timestamp) -> Result<(), Refused> {
        let dials = |c: &Campaign| matches!(c.state, State::Running | State::Scheduled);
        let same = dials(before) && before.settings == after.settings;
        if !dials(after) || same {
            return Ok(());
        }
        let problems = self.permission.obstacles(&after.settings, now);
        if problems.is_empty() { Ok(()) } else { Err(Refused::Settings(problems)) }
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
            if !self.put_agent(row.clone(), before.version).await? {
                continue;
            }
            self.learn_wrap_up(&before.row, &row, now);
            let mut tasks = Vec::new();
            if row.status == Status::Offline {
                tasks.extend(station::end(&before.row));
            }
            // A mere look at a standing leg makes nobody free.
            let was = before.row.is_free() && before.row.is_standing() == row.is_standing();
            if row.is_free() && !was {
                tasks.push(Task::Match(agent));
            }
            return Ok(tasks);
        }
        Err(EngineError::Contended)
    }

    /// Takes a free agent out of the calls for something else; `false` if they are not free. They
    /// are away for `reason` until they are given back, or say so themselves.
    pub async fn borrow_agent(&self, agent: AgentId, reason: &str) -> Result<bool, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.agent(agent).await?;
            if !view.agent.row.is_free() {
                return Ok(false);
            }
            let mut row = view.agent.row;
            row.handle(&AgentEvent::Lent(reason.into()), self.now());
            if self.put_agent(row, view.agent.version).await? {
                return Ok(true);
            }
        }
        Err(EngineError::Contended)
    }

    /// Commits an agent as they are now; `false` if somebody else has written them meanwhile.
    pub(super) async fn put_agent(&self, row: Agent, expected: u64) -> Result<bool, EngineError> {
        let agent = row.id;
        let mut changes = Changes::new(agent.tenant(), self.now());
        changes.agents.push(Put { row, expected });
        match self.commit(&changes).await {
            Ok(_) => {
                self.notifier.notify(&Note::Agent { agent });
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives an agent back to the calls, if they are still away for that reason.
    pub async fn give_agent_back(&self, agent: AgentId, reason: &str) -> Result<Vec<Task>, EngineError> {
        let away = Status::Away(reason.into());
        if self.store.agent(agent).await?.agent.row.status != away {
            return Ok(Vec::new());
        }
        self.agent_event(agent, &AgentEvent::Status(Status::Available)).await
    }

    /// An agent says yes or no to the call offered to them.
    pub async fn answer(&self, call: CallId, agent: AgentId, accept: bool) -> Result<Vec<Task>, EngineError> {
        Ok(self.transact(call, &Event::Answered { agent, accept }).await?.2)
    }

    /// The agent who talks hands the customer on to another agent, blind or after asking them.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if nobody talks, somebody is being consulted already, or the other
    /// agent is not free or cannot be asked first because their phone stands in their room.
    pub async fn hand_on_to_agent(
        &self,
        call: CallId,
        agent: AgentId,
        consult: bool,
    ) -> Result<Vec<Task>, EngineError> {
        let other = self.store.agent(agent).await?.agent.row;
        if !other.is_free() {
            return Err(EngineError::NotNow("the other agent is not free"));
        }
        let onward = match (consult, other.is_standing()) {
            (true, true) => return Err(EngineError::NotNow("a standing agent can be given the call, not asked first")),
            (true, false) => Onward::Consult { to: other.address, agent: Some(agent) },
            (false, standing) => Onward::Agent { agent, standing },
        };
        self.hand_on(call, onward, Some(agent)).await
    }

    /// The agent who talks hands the customer on to somebody outside, blind or after asking them.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if nobody talks, or somebody is being consulted already.
    pub async fn hand_on_outside(&self, call: CallId, to: Address, consult: bool) -> Result<Vec<Task>, EngineError> {
        let onward = if consult { Onward::Consult { to, agent: None } } else { Onward::Outside(to) };
        self.hand_on(call, onward, None).await
    }

    async fn hand_on(&self, call: CallId, onward: Onward, agent: Option<AgentId>) -> Result<Vec<Task>, EngineError> {
        if !self.store.call(call).await?.call.row.can_hand_on() {
            return Err(EngineError::NotNow("nobody talks in this call, or somebody is being consulted"));
        }
        Ok(self.transact_with(call, &Event::HandOn(onward), agent).await?.2)
    }

    /// The agent leaves the customer and the one whom they consulted together.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if nobody is being consulted.
    pub async fn hand_over(&self, call: CallId) -> Result<Vec<Task>, EngineError> {
        let consulted = self.store.call(call).await?.call.row.consulted();
        if consulted.is_none() {
            return Err(EngineError::NotNow("nobody is being consulted in this call"));
        }
        Ok(self.transact(call, &Event::HandOver).await?.2)
    }

    /// The agent found a machine on the line: it gets the campaign's voicemail message, and the
    /// agent is free.
    ///
    /// # Errors
    /// [`EngineError::NotNow`] if nobody talks, or the campaign has no such message.
    pub async fn drop_voicemail(&self, call: CallId) -> Result<Vec<Task>, EngineError> {
        let (after, _, tasks) = self.transact(call, &Event::DropVoicemail).await?;
        if after.dropped_at.is_none() {
            return Err(EngineError::NotNow("nobody talks in this call, or the campaign has no voicemail message"));
        }
        Ok(tasks)
    }

    /// Whether a customer and an agent talk in this call; `false` for one that is not known.
    pub async fn talks(&self, call: CallId) -> Result<bool, EngineError> {
        match self.store.call(call).await {
            Ok(found) => Ok(matches!(found.call.row.stage, Stage::Bridged { .. }) && found.call.row.holds().is_some()),
            Err(StoreError::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
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

    /// Somebody listened to a call that was taken for a machine and says whether it was a person.
    /// The campaign's ledger counts it, once: the share found among reviewed calls is the error
    /// rate that [`crate::pacing::Misjudged::Measured`] uses. Review a random part of such calls.
    pub async fn review(&self, call: CallId, was_person: bool) -> Result<(), EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let snap = self.store.call(call).await?;
            let before = &snap.call.row;
            if !matches!(before.outcome(), Some(Outcome::Machine | Outcome::VoicemailLeft | Outcome::Fax)) {
                return Err(EngineError::NotNow("only a call that was taken for a machine can be reviewed"));
            }
            match before.reviewed {
                Some(found) if found == was_person => return Ok(()),
                Some(_) => return Err(EngineError::NotNow("the call has been reviewed")),
                None => {}
            }
            let mut after = before.clone();
            after.reviewed = Some(was_person);
            let mut changes = Changes::new(call.tenant(), self.now());
            let deltas = super::ledger::differences(before, &after, &snap.campaign.settings);
            changes.tally(before.plan.campaign).ledger = deltas;
            changes.calls.push((Put { row: after, expected: snap.call.version }, Timestamp::NEVER));
            match self.commit(&changes).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
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
                let numbers = decide::every_number(&snap.lead.row, plan.to);
                changes.listings.extend(numbers.into_iter().map(|phone| listing(phone, "agent", call)));
                decide::refused(&snap, &mut changes, now);
            }
            let counted = plan
                .quotas
                .iter()
                .filter(|name| settings.quotas.iter().any(|q| *q.name == ***name && q.counts_disposition(code)));
            for name in counted {
                changes.tally(plan.campaign).counts.add(CountKey::QuotaDone(name.clone()), 1);
            }
            let event = LeadEvent::Disposed {
                code: disposition.code.clone(),
                then: disposition.then,
                number_index: decide::index_of(&snap.lead.row, plan.to),
                callback,
            };
            self.edit(&snap.lead, &event, settings, &mut changes, now);
            match self.commit(&changes).await {
                Ok(committed) => {
                    let done = agent.map(|a| (a, AgentEvent::Written { call }));
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
            decide::refile(&mut row, settings);
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
}

fn listing(phone: Phone, reason: &str, call: CallId) -> Listing {
    Listing { phone, campaign: None, reason: reason.into(), source: format!("call {call}").into(), until: None }
}
