//! Tasks: the only places where the carrier is spoken to.

use super::{CONFLICTS_MAX, Engine, EngineError, Task};
use crate::agent::AgentEvent;
use crate::call::{End, EndCause, Event, LegFacts, ProviderRef};
use crate::id::{CallId, LegId};
use crate::phone::Phone;
use crate::ports::{
    Changes, Dial, DialError, DialPermit, Guard, GuardKey, GuardValue, Line, Note, Put, Refusal, Sighting, StationId,
    StoreError, TelephonyError, Urgency,
};
use crate::time::{Millis, Timestamp};

impl Engine {
    /// Performs one task. What follows from it comes back.
    pub async fn perform(&self, task: Task) -> Result<Vec<Task>, EngineError> {
        match task {
            Task::Dial { permit, mut dial } => self.dial(permit, &mut dial).await,
            Task::Steer { line, provider, account, script } => {
                match self.telephony.steer(line, &provider, &account, &script).await {
                    // Over already, as it seems: let the carrier say so.
                    Err(TelephonyError::NotUp) => self.look_up_soon(line).await,
                    // Repeated by the call's own timer until facts show that it worked.
                    Ok(()) | Err(_) => Ok(Vec::new()),
                }
            }
            Task::LookUp { line, provider, account, since } => {
                match self.telephony.lookup(line, &account, provider.as_ref(), since).await {
                    Ok(Sighting::Seen(facts)) => self.tell(line, facts).await,
                    Ok(Sighting::Absent) => self.not_found(line).await,
                    Err(_) => Ok(Vec::new()),
                }
            }
            Task::Match(agent) => self.match_agent(agent).await,
            Task::Look(call) => self.look(call).await,
            Task::Stop(call, stop) => Ok(self.transact(call, &Event::Stop(stop)).await?.2),
            Task::Tick(campaign) => self.tick(campaign).await,
            Task::Wake(due) => self.wake(due).await,
        }
    }

    async fn dial(&self, permit: DialPermit, dial: &mut Dial) -> Result<Vec<Task>, EngineError> {
        let line = dial.line;
        // Leads lease before they are committed.
        if !dial.is_to_a_lead() {
            match self.place_for(line, &dial.account).await? {
                Some(at) => dial.not_before = at,
                None => return self.without_place(line).await,
            }
        }
        match self.telephony.dial(permit, dial).await {
            Ok(provider) => self.tell(line, LegFacts { provider: Some(provider), ..LegFacts::default() }).await,
            Err(DialError::Refused(refusal)) => {
                let end = End { cause: end_cause(&refusal), at: self.now() };
                let mut tasks = self.tell(line, LegFacts { end: Some(end), ..LegFacts::default() }).await?;
                tasks.extend(self.learn_refusal(dial, &refusal).await?);
                Ok(tasks)
            }
            // Never repeated: the call's own timer looks it up.
            Err(DialError::InDoubt(_)) => Ok(Vec::new()),
        }
    }

    /// Says of a dial that will not leave that nothing was placed: the permit is used up here, and
    /// the number does not rest as one in doubt would. Other tasks are left to the store's timers.
    pub async fn give_back(&self, task: Task) -> Result<(), EngineError> {
        let Task::Dial { dial, .. } = task else { return Ok(()) };
        self.not_placed(dial.line).await.map(drop)
    }

    /// When a leg that a person waits for may leave; `None` where that is too late.
    async fn place_for(&self, line: Line, account: &str) -> Result<Option<Timestamp>, EngineError> {
        let now = self.now();
        let mut lease = self.rates.lease(account, 1, Urgency::Agent, now).await;
        if matches!(&lease, Ok(lease) if lease.granted == 0)
            && let Line::Leg(leg) = line
            && self.is_brought(leg).await?
        {
            lease = self.rates.lease(account, 1, Urgency::Handover, now).await;
        }
        Ok(match lease {
            Ok(lease) => (lease.granted > 0).then(|| lease.place(0)),
            // A lease that fails is no reason to let a person wait.
            Err(_) => Some(Timestamp::EPOCH),
        })
    }

    /// Whether a leg is that of somebody whom an agent brings into the talk.
    async fn is_brought(&self, leg: LegId) -> Result<bool, EngineError> {
        let call = self.store.call(leg.call).await?.call.row;
        Ok(call.legs.get(usize::from(leg.leg)).is_some_and(|l| l.to.is_some()))
    }

    /// The account has no place in time for a leg: a standing agent's is tried again, an offer passes to
    /// the next agent, a handover has failed.
    async fn without_place(&self, line: Line) -> Result<Vec<Task>, EngineError> {
        match line {
            Line::Station(StationId { agent, shift }) => {
                self.agent_event(agent, &AgentEvent::StationWaits(shift)).await
            }
            Line::Leg(_) => self.not_placed(line).await,
        }
    }

    /// A line that was to be dialled is not.
    async fn not_placed(&self, line: Line) -> Result<Vec<Task>, EngineError> {
        let end = End { cause: EndCause::Canceled, at: self.now() };
        self.tell(line, LegFacts { end: Some(end), ..LegFacts::default() }).await
    }

    /// A refusal that is not about the number called concerns the next calls too.
    async fn learn_refusal(&self, dial: &Dial, refusal: &Refusal) -> Result<Vec<Task>, EngineError> {
        if let Refusal::Busy { retry_after_ms } = refusal {
            let until = self.now() + Millis::from_ms(i64::from(*retry_after_ms));
            // Not worth failing for: the carrier refuses again.
            let _ = self.rates.back_off(&dial.account, until).await;
            return Ok(Vec::new());
        }
        let Line::Leg(leg) = dial.line else { return Ok(Vec::new()) };
        let why = match refusal {
            Refusal::CallerId => return self.rest_caller_id(leg.call, dial.from).await,
            Refusal::Account(what) => format!("the carrier refuses the account: {what}"),
            Refusal::Request(what) => format!("the carrier refuses what we ask: {what}"),
            _ => return Ok(Vec::new()),
        };
        let campaign = self.store.call(leg.call).await?.campaign.id;
        self.halt(campaign, &why).await
    }

    /// The carrier does not let us show this number: it is not shown for a day. A campaign that
    /// has no other pauses.
    async fn rest_caller_id(&self, call: CallId, from: Phone) -> Result<Vec<Task>, EngineError> {
        let campaign = self.store.call(call).await?.campaign.id;
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.campaign(campaign).await?;
            let now = self.now();
            let is_it = |g: &&Guard| g.key == GuardKey::CallerId(from);
            let Some(guard) = view.caller_ids.iter().find(is_it) else { return Ok(Vec::new()) };
            let mut row = guard.clone();
            if let GuardValue::CallerId(shown) = &mut row.value {
                shown.rest(now);
            }
            let mut changes = Changes::new(campaign.tenant(), now);
            changes.guards.push(Put { row, expected: guard.version });
            match self.commit(&changes).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            let what = "the carrier refuses a caller id; it rests for a day".to_owned();
            self.notifier.notify(&Note::Alarm { campaign, what });
            let left = view.caller_ids.iter().filter(|g| !is_it(g)).any(|g| !super::plan::rests(g, now));
            return if left { Ok(Vec::new()) } else { self.halt(campaign, "every caller id is refused").await };
        }
        Err(EngineError::Contended)
    }

    /// Takes facts about a line in.
    async fn tell(&self, line: Line, facts: LegFacts) -> Result<Vec<Task>, EngineError> {
        Ok(self.hear(line, facts, false).await?.tasks)
    }

    async fn not_found(&self, line: Line) -> Result<Vec<Task>, EngineError> {
        match line {
            Line::Leg(leg) => Ok(self.transact(leg.call, &Event::NotFound { leg: leg.leg }).await?.2),
            Line::Station(station) => {
                let gone =
                    LegFacts { end: Some(End { cause: EndCause::Failed, at: self.now() }), ..LegFacts::default() };
                self.tell(Line::Station(station), gone).await
            }
        }
    }

    /// A leg that could not be steered is looked at again; its timer looks it up if it stays quiet.
    async fn look_up_soon(&self, line: Line) -> Result<Vec<Task>, EngineError> {
        let Line::Leg(leg) = line else { return Ok(Vec::new()) };
        let snapshot = self.store.call(leg.call).await?;
        let call = &snapshot.call.row;
        let Some(it) = call.legs.get(usize::from(leg.leg)).filter(|l| !l.is_gone()) else { return Ok(Vec::new()) };
        Ok(vec![Task::LookUp {
            line,
            provider: it.facts.provider.clone(),
            account: call.plan.account.clone(),
            since: it.dialled_at,
        }])
    }

    /// An agent is free: whoever waits longest is offered to them; otherwise their campaigns may
    /// dial.
    async fn match_agent(&self, agent: crate::id::AgentId) -> Result<Vec<Task>, EngineError> {
        let view = self.store.agent(agent).await?;
        if !view.agent.row.is_free() {
            return Ok(Vec::new());
        }
        let mut tasks = Vec::new();
        for call in view.waiting {
            let (after, _, more) = self.transact(call, &Event::Tick).await?;
            tasks.extend(more);
            // Another agent may have been quicker with this one: then the next in line is ours.
            if after.holds() == Some(agent) {
                return Ok(tasks);
            }
        }
        tasks.extend(view.campaigns.into_iter().map(Task::Tick));
        Ok(tasks)
    }
}

/// What a refusal says about the leg. All of these prove that nothing was placed.
fn end_cause(refusal: &Refusal) -> EndCause {
    match refusal {
        Refusal::InvalidNumber => EndCause::InvalidNumber,
        Refusal::Unreachable => EndCause::Failed,
        Refusal::Blocked => EndCause::Blocked,
        Refusal::CallerId | Refusal::Country | Refusal::Account(_) | Refusal::Request(_) => EndCause::Refused,
        Refusal::Busy { .. } | Refusal::Expired => EndCause::Canceled,
    }
}

/// Facts that say only how the carrier names a leg.
impl From<ProviderRef> for LegFacts {
    fn from(provider: ProviderRef) -> Self {
        LegFacts { provider: Some(provider), ..LegFacts::default() }
    }
}
