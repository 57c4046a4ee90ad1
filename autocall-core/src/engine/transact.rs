//! One event on one call: read, decide, commit; again if rows changed in between.

use super::decide::{Decision, decide};
use super::{CONFLICTS_MAX, Engine, EngineError, Task};
use crate::call::{Call, Effect, Event, LegFacts, Stage};
use crate::id::{AgentId, CallId};
use crate::ports::{Changes, Committed, Line, Note, Snapshot, StoreError};
use crate::script::Script;

/// What a webhook is answered with, and the work that follows. Answer first, then perform the
/// tasks: a person listens to silence until the answer is there.
#[derive(Debug)]
pub struct Reply {
    /// What the line should hear.
    pub script: Script,
    /// What follows.
    pub tasks: Vec<Task>,
}

impl Reply {
    pub(super) fn hang_up() -> Reply {
        Reply { script: Script::Hangup, tasks: Vec::new() }
    }
}

impl Engine {
    /// The carrier told us something about a line and may be asking what it should hear.
    ///
    /// `asked` is true where the answer is what the line will hear (a request for a script), false
    /// for mere reports. A line that nobody knows, and a leg of a settled call, is answered with
    /// [`Script::Hangup`]: late ghosts end themselves.
    pub async fn hear(&self, line: Line, facts: LegFacts, asked: bool) -> Result<Reply, EngineError> {
        match line {
            Line::Leg(leg) => {
                let event =
                    if asked { Event::Asked { leg: leg.leg, facts } } else { Event::Facts { leg: leg.leg, facts } };
                match self.transact(leg.call, &event).await {
                    Ok((after, script, tasks)) => {
                        let script = script(&after, leg.leg);
                        Ok(Reply { script, tasks })
                    }
                    Err(EngineError::Store(StoreError::NotFound)) => Ok(Reply::hang_up()),
                    Err(error) => Err(error),
                }
            }
            Line::Station(station) => self.hear_station(station, facts).await,
        }
    }

    /// Time has passed for a call, or agents came free.
    pub(super) async fn look(&self, call: CallId) -> Result<Vec<Task>, EngineError> {
        Ok(self.transact(call, &Event::Tick).await?.2)
    }

    /// Takes an event into a call. Returns the call as it is now, how to project a script from it,
    /// and the tasks that follow.
    pub(super) async fn transact(
        &self,
        call: CallId,
        event: &Event,
    ) -> Result<(Call, impl Fn(&Call, u8) -> Script + use<>, Vec<Task>), EngineError> {
        self.transact_with(call, event, None).await
    }

    /// The same with an agent whom the call's snapshot may not bring along.
    pub(super) async fn transact_with(
        &self,
        call: CallId,
        event: &Event,
        agent: Option<AgentId>,
    ) -> Result<(Call, impl Fn(&Call, u8) -> Script + use<>, Vec<Task>), EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let mut snapshot = self.store.call(call).await?;
            if let Some(agent) = agent.filter(|a| !snapshot.agents.iter().any(|b| b.row.id == *a)) {
                snapshot.agents.push(self.store.agent(agent).await?.agent);
            }
            let decision = decide(&snapshot, event, self.now(), self.telephony.capabilities());
            let committed = match &decision.changes {
                None => Committed::default(),
                Some(changes) => match self.store.commit(changes).await {
                    Ok(committed) => committed,
                    Err(StoreError::Conflict { .. }) => continue,
                    Err(error) => return Err(error.into()),
                },
            };
            self.learn(&snapshot, &decision);
            let campaign = snapshot.campaign.clone();
            let tasks = self.follow(&snapshot, &decision, committed);
            let script = move |call: &Call, leg| call.script(leg, &campaign.settings);
            return Ok((decision.call, script, tasks));
        }
        Err(EngineError::Contended)
    }

    /// Turns effects into tasks.
    fn follow(&self, snapshot: &Snapshot, decision: &Decision, committed: Committed) -> Vec<Task> {
        let mut tasks = Vec::new();
        let mut permits = committed.permits.into_iter();
        let call = &decision.call;
        for effect in &decision.effects {
            match effect {
                Effect::Offer { leg, agent } => {
                    let address = decision.agents.iter().find(|a| a.id == *agent).map(|a| a.address.clone());
                    if let (Some(permit), Some(to)) = (permits.next(), address) {
                        let dial = super::plan::agent_dial(call, *leg, to, &snapshot.campaign.settings);
                        tasks.push(Task::Dial { permit, dial: Box::new(dial) });
                        self.notifier.notify(&Note::Offer { agent: *agent, call: call.id });
                    }
                }
                Effect::Bring { leg } => {
                    let to = call.legs.get(usize::from(*leg)).and_then(|l| l.to.clone());
                    if let (Some(permit), Some(to)) = (permits.next(), to) {
                        let dial = super::plan::agent_dial(call, *leg, to, &snapshot.campaign.settings);
                        tasks.push(Task::Dial { permit, dial: Box::new(dial) });
                    }
                }
                Effect::Agent { agent, .. } => {
                    self.notifier.notify(&Note::Agent { agent: *agent });
                    if decision.agents.iter().any(|a| a.id == *agent && a.is_free()) {
                        tasks.push(Task::Match(*agent));
                    }
                }
                Effect::Steer { leg } => tasks.extend(steer(call, *leg, snapshot)),
                Effect::LookUp { leg } => tasks.extend(look_up(call, *leg)),
                Effect::OptOut => {}
                Effect::Settle { .. } => tasks.push(Task::Tick(call.plan.campaign)),
            }
        }
        // Somebody may have come free between the reading and the commit, and then has looked before
        // this person could be seen waiting. So the person looks once more.
        let seeks = |call: &Call| matches!(call.stage, Stage::Seeking { .. });
        if seeks(call) && !seeks(&snapshot.call.row) {
            tasks.push(Task::Look(call.id));
        }
        if call.stage.name() != snapshot.call.row.stage.name() {
            let stage = call.stage.name();
            self.notifier.notify(&Note::Call { call: call.id, campaign: call.plan.campaign, stage });
        }
        tasks.extend(committed.live.into_iter().map(|live| Task::Stop(live, crate::call::Stop::Listed)));
        tasks
    }

    /// Commits changes that do not concern one call.
    pub(super) async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError> {
        self.store.commit(changes).await
    }
}

fn steer(call: &Call, leg: u8, snapshot: &Snapshot) -> Option<Task> {
    let provider = call.legs.get(usize::from(leg))?.facts.provider.clone()?;
    Some(Task::Steer {
        line: Line::Leg(call.leg_id(leg)),
        provider,
        account: call.plan.account.clone(),
        script: Box::new(call.script(leg, &snapshot.campaign.settings)),
    })
}

fn look_up(call: &Call, leg: u8) -> Option<Task> {
    let it = call.legs.get(usize::from(leg))?;
    Some(Task::LookUp {
        line: Line::Leg(call.leg_id(leg)),
        provider: it.facts.provider.clone(),
        account: call.plan.account.clone(),
        since: it.dialled_at,
    })
}
