//! Looking at a campaign: match who waits, plan, find leads, commit, hand out dials.

use super::permit::Denied;
use super::plan::{Added, Batch, customer_dial};
use super::{CONFLICTS_MAX, Engine, EngineError, Pacer, Task};
use crate::agent::{Agent, Hold, State};
use crate::call::Stop;
use crate::campaign::Effect;
use crate::id::{AgentId, CallId, CampaignId, LeadId};
use crate::pacing::{self, AgentView, CallView, DayKey, Limits, Phase, Plan};
use crate::planning::callback::{self, CallbackPolicy, Turn};
use crate::ports::{
    AgentBrief, CampaignView, Candidate, Changes, GuardValue, Note, PoolView, Put, RowKey, StoreError, Urgency,
    Versioned,
};
use crate::settings::TransferMode;
use crate::time::{Millis, Timestamp};
use std::sync::PoisonError;

/// The most leads looked at in one tick.
const CANDIDATES_MAX: u32 = 500;

/// The most calls created by one commit.
const BATCH_MAX: u32 = 100;

/// How long a campaign with nothing due may sleep before it looks again.
const SLEEP_MAX: Millis = Millis::from_mins(1);

impl Engine {
    /// Looks at a campaign and dials what should be dialled.
    pub async fn tick(&self, campaign: CampaignId) -> Result<Vec<Task>, EngineError> {
        let mut tasks = Vec::new();
        for _ in 0..CONFLICTS_MAX {
            let view = match self.store.campaign(campaign).await {
                Ok(view) => view,
                Err(StoreError::NotFound) => return Ok(tasks),
                Err(error) => return Err(error.into()),
            };
            let now = self.now();
            if let Some(more) = self.turn(&view, now).await? {
                tasks.extend(more);
                continue;
            }
            tasks.extend(self.match_waiting(&view));
            if !view.campaign.row.dials(now) {
                return Ok(tasks);
            }
            if let Some(halted) = self.out_of_money(&view).await? {
                tasks.extend(halted);
                return Ok(tasks);
            }
            let plan = self.plan(&view, now).await?;
            tasks.extend(
                plan.cancel.iter().filter_map(|&i| view.calls.get(i as usize).map(|c| Task::Stop(c.id, Stop::Pacing))),
            );
            match self.dial_planned(&view, &plan, now).await {
                Ok(more) => {
                    tasks.extend(more);
                    return Ok(tasks);
                }
                Err(EngineError::Store(StoreError::Conflict { .. })) => continue,
                Err(error) => return Err(error),
            }
        }
        // Others are at work on the same campaign; whoever wins dials.
        Ok(tasks)
    }

    /// Pauses a campaign whose budget allows no further call. While calls are in flight it only
    /// waits: what they do not use comes back.
    async fn out_of_money(&self, view: &CampaignView) -> Result<Option<Vec<Task>>, EngineError> {
        let settings = &view.campaign.row.settings;
        if live(view) > 0 || settings.cost.affordable(settings, view.spent_micros, 0) > 0 {
            return Ok(None);
        }
        self.halt(view.campaign.row.id, "the budget is spent").await.map(Some)
    }

    /// Pauses a campaign that has a problem which a person must look at.
    pub(super) async fn halt(&self, campaign: CampaignId, why: &str) -> Result<Vec<Task>, EngineError> {
        self.notifier.notify(&Note::Alarm { campaign, what: why.to_owned() });
        match self.command(campaign, &crate::campaign::Command::Halt(why.into())).await {
            // Over, or paused by somebody meanwhile: it does not dial either way.
            Err(EngineError::Refused(_)) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Starts or ends a campaign whose time has come. `None` where it stays as it is.
    async fn turn(&self, view: &CampaignView, now: Timestamp) -> Result<Option<Vec<Task>>, EngineError> {
        let mut row = (*view.campaign.row).clone();
        let effects = row.tick(now);
        if row == *view.campaign.row {
            return Ok(None);
        }
        let mut changes = Changes::new(row.id.tenant(), now);
        let id = row.id;
        changes.campaigns.push(Put { row, expected: view.campaign.version });
        match self.commit(&changes).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(Some(Vec::new())),
            Err(error) => return Err(error.into()),
        }
        self.notifier.notify(&Note::Campaign { campaign: id });
        let stop = effects.contains(&Effect::StopCalls);
        Ok(Some(if stop { stop_calls(view) } else { Vec::new() }))
    }

    /// People who wait while somebody is free.
    fn match_waiting(&self, view: &CampaignView) -> Vec<Task> {
        let standing = view.campaign.row.settings.transfer.mode == TransferMode::Standing;
        let free = view.pools.iter().flat_map(|p| &p.agents).filter(|a| is_free(a) && (!standing || a.standing));
        let waiting = view.calls.iter().filter(|c| c.waiting_since.is_some());
        waiting.zip(free).map(|(call, _)| Task::Look(call.id)).collect()
    }

    /// Asks the campaign's strategy.
    async fn plan(&self, view: &CampaignView, now: Timestamp) -> Result<Plan, EngineError> {
        let campaign = &view.campaign.row;
        let settings = &campaign.settings;
        let account = super::plan::account(campaign.id);
        let rate = settings.caps.calls_per_second_max;
        let own = match &view.dials.value {
            GuardValue::Dials(bucket) => bucket.available(rate, now),
            _ => 0,
        };
        let paid = settings.cost.affordable(settings, view.spent_micros, live(view));
        let dials_now = self.rates.available(&account, now).await?.min(own).min(paid);
        let agents = agent_views(view);
        let calls: Vec<CallView> = view.calls.iter().map(call_view).collect();
        let lines = i64::from(settings.caps.lines_max) - i64::from(view.load.lines());
        let limits = Limits {
            may_dial: true,
            free_lines: lines.clamp(0, i64::from(u32::MAX)) as u32,
            dials_now,
            dials_per_s_milli: (settings.caps.calls_per_second_max * 1000.0) as u32,
            leads_left: Some(view.leads.open.clamp(0, i64::from(u32::MAX)) as u32),
            promised_idle: promised_idle(view),
            event_lag_ms: 0,
        };
        let look = pacing::View {
            agents: &agents,
            calls: &calls,
            next_classes: &[],
            limits,
            ledger: &view.ledger,
            day: DayKey::at(now, &settings.zone()),
            transfer: match settings.transfer.mode {
                TransferMode::OnDemand => pacing::Transfer::OnDemand,
                TransferMode::Standing => pacing::Transfer::Standing,
            },
        };
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        let pacer = pacers.entry(campaign.id).or_insert_with(|| Pacer::of(&settings.pacing));
        if pacer.settings != settings.pacing {
            *pacer = Pacer::of(&settings.pacing);
        }
        Ok(pacer.strategy.plan(&look, now))
    }

    /// Finds leads for the plan and commits the calls.
    async fn dial_planned(&self, view: &CampaignView, plan: &Plan, now: Timestamp) -> Result<Vec<Task>, EngineError> {
        let campaign = view.campaign.row.id;
        let mut wanted = plan.dial.min(BATCH_MAX);
        let mut batch = Batch::new(view, now);
        let nothing_to_show = batch.nothing_to_show_until();
        if nothing_to_show.is_some() {
            wanted = 0;
        }
        let mut candidates = if wanted == 0 {
            Vec::new()
        } else {
            let limit = wanted.saturating_mul(2).saturating_add(8).min(CANDIDATES_MAX);
            self.store.candidates(campaign, now, limit).await?
        };
        let found = candidates.len() as u32;
        let owners = self.owners(&candidates, view).await?;
        // Appointments whose own agent is free, then anybody's, then ordinary leads as they come.
        candidates.sort_by_key(|c| turn_rank(c, &owners, &view.campaign.row.settings.callbacks, now));
        for candidate in &candidates {
            if batch.calls.len() as u32 >= wanted {
                break;
            }
            self.consider(&mut batch, view, candidate, &owners, now);
        }
        let dialled = batch.calls.len() as u32;
        let denied = batch.changes.leads.len() as u32 - dialled;
        let next = match nothing_to_show {
            Some(until) => until.max(now + Millis::from_secs(1)).min(now + SLEEP_MAX),
            None => next_look(view, plan, wanted, dialled, denied, found, now),
        };
        batch.changes.wakes.push((campaign, next));
        let tasks = self.commit_batch(batch, view, now).await?;
        self.notifier.notify(&Note::Planned { campaign, dialled, why: plan.why });
        Ok(tasks)
    }

    fn consider(
        &self,
        batch: &mut Batch<'_>,
        view: &CampaignView,
        candidate: &Candidate,
        owners: &Owners,
        now: Timestamp,
    ) {
        let taken = |id: AgentId| batch.calls.iter().any(|c| c.plan.for_agent == Some(id));
        let policy = &view.campaign.row.settings.callbacks;
        let for_agent = match wanted_agent(candidate, owners, policy, now) {
            Ok(Some(agent)) if taken(agent.row.id) => {
                let until = now + Millis::from_secs(20);
                return batch.deny(candidate, Denied { rule: "callback_agent_busy".into(), until });
            }
            Ok(agent) => agent,
            Err(denied) => return batch.deny(candidate, denied),
        };
        if let Some(denied) = batch.quota_denies(&candidate.lead.row) {
            return batch.deny(candidate, denied);
        }
        match self.permission.judge(candidate, &view.campaign.row, now) {
            Ok(allowed) => {
                let id = CallId::v7(candidate.lead.row.id.tenant(), now, self.ids.next());
                let (rule, wait) = match batch.add(id, candidate, &allowed, for_agent) {
                    Added::Call => return,
                    Added::Busy => ("in_a_call", Millis::from_mins(1)),
                    Added::NoCallerId => ("no_number_to_show", Millis::from_mins(15)),
                };
                batch.deny(candidate, Denied { rule: rule.into(), until: now + wait });
            }
            Err(denied) => batch.deny(candidate, denied),
        }
    }

    /// Leases the rate, commits, and turns permits into dials. A batch that loses a race on single
    /// leads is decided again by the caller on a fresh reading.
    async fn commit_batch(
        &self,
        mut batch: Batch<'_>,
        view: &CampaignView,
        now: Timestamp,
    ) -> Result<Vec<Task>, EngineError> {
        batch.seal();
        let mut lease = None;
        if !batch.calls.is_empty() {
            let account = super::plan::account(view.campaign.row.id);
            let want = batch.calls.len() as u32;
            let granted = self.rates.lease(&account, want, Urgency::Lead, now).await?;
            if granted.granted < want {
                return Err(StoreError::Conflict { stale: vec![RowKey::Campaign(view.campaign.row.id)] }.into());
            }
            lease = Some(granted);
        }
        let committed = self.commit(&batch.changes).await?;
        let settings = &view.campaign.row.settings;
        let dials = committed.permits.into_iter().zip(&batch.calls);
        let place = |i: usize| lease.map_or(now, |l| l.place(i));
        let task = |(i, (permit, call))| Task::Dial { permit, dial: Box::new(customer_dial(call, settings, place(i))) };
        Ok(dials.enumerate().map(task).collect())
    }

    /// Dials one lead for one agent: preview, or a click on a lead. The agent gets the call when a
    /// person answers. With `lead` absent, the next one that may be called.
    pub async fn dial_for(
        &self,
        campaign: CampaignId,
        agent: AgentId,
        lead: Option<LeadId>,
    ) -> Result<Vec<Task>, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.campaign(campaign).await?;
            let now = self.now();
            if !view.campaign.row.dials(now) {
                return Err(EngineError::NotNow("the campaign does not dial"));
            }
            let reserved = self.store.agent(agent).await?.agent;
            let ours = view.pools.iter().any(|p| p.pool == reserved.row.pool);
            let settings = &view.campaign.row.settings;
            if settings.cost.affordable(settings, view.spent_micros, live(&view)) == 0 {
                return Err(EngineError::NotNow("the budget allows no further call"));
            }
            if !reserved.row.is_free() || !ours {
                return Err(EngineError::NotNow("the agent is not free for this campaign"));
            }
            if !may_dial_one(&view, now) {
                return Err(EngineError::NotNow("every line is in use, or calls per second are used up"));
            }
            let candidates = match lead {
                Some(lead) => vec![self.one_candidate(&view, lead, now).await?],
                None => self.store.candidates(campaign, now, CANDIDATES_MAX).await?,
            };
            let mut batch = Batch::new(&view, now);
            for candidate in &candidates {
                if let Some(denied) = batch.quota_denies(&candidate.lead.row) {
                    batch.deny(candidate, denied);
                    continue;
                }
                match self.permission.judge(candidate, &view.campaign.row, now) {
                    Ok(allowed) => {
                        let id = CallId::v7(campaign.tenant(), now, self.ids.next());
                        if batch.add(id, candidate, &allowed, Some(&reserved)) == Added::Call {
                            break;
                        }
                    }
                    Err(denied) => batch.deny(candidate, denied),
                }
            }
            let nothing = batch.calls.is_empty();
            match self.commit_batch(batch, &view, now).await {
                Ok(_) if nothing => return Err(EngineError::NotNow("no lead may be called now")),
                Ok(tasks) => return Ok(tasks),
                Err(EngineError::Store(StoreError::Conflict { .. })) => continue,
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::Contended)
    }
}

/// Whether the campaign's own lines and rate have room for one more call.
fn may_dial_one(view: &CampaignView, now: Timestamp) -> bool {
    let caps = &view.campaign.row.settings.caps;
    let rate_allows = match &view.dials.value {
        GuardValue::Dials(bucket) => bucket.available(caps.calls_per_second_max, now) > 0,
        _ => false,
    };
    rate_allows && i64::from(view.load.lines()) < i64::from(caps.lines_max)
}

impl Engine {
    /// A lead that somebody chose by hand: due or not, but open and of this campaign.
    async fn one_candidate(&self, view: &CampaignView, lead: LeadId, now: Timestamp) -> Result<Candidate, EngineError> {
        let candidate = self.store.candidate(lead, now).await?;
        if candidate.lead.row.campaign != view.campaign.row.id || !candidate.lead.row.is_open() {
            return Err(EngineError::NotNow("the lead is not open in this campaign"));
        }
        Ok(candidate)
    }
}

/// Agents to whom callbacks in a batch belong.
type Owners = std::collections::BTreeMap<AgentId, Versioned<Agent>>;

/// The most owners read for one batch.
const OWNERS_MAX: usize = 16;

impl Engine {
    /// Reads the agents to whom due callbacks belong and who seem free.
    async fn owners(&self, candidates: &[Candidate], view: &CampaignView) -> Result<Owners, EngineError> {
        let mut owners = Owners::new();
        for id in candidates.iter().filter_map(|c| c.lead.row.callback?.agent) {
            let seems_free = view.pools.iter().flat_map(|p| &p.agents).any(|a| a.id == id && is_free(a));
            if seems_free && owners.len() < OWNERS_MAX && !owners.contains_key(&id) {
                owners.insert(id, self.store.agent(id).await?.agent);
            }
        }
        Ok(owners)
    }
}

/// Calls in flight.
fn live(view: &CampaignView) -> u32 {
    u32::try_from(view.load.live()).unwrap_or(0)
}

impl Pacer {
    fn of(settings: &pacing::Settings) -> Pacer {
        Pacer { settings: settings.clone(), strategy: pacing::strategy(settings) }
    }
}

/// Whose turn a lead's appointment is, if it has one.
fn turn_of(candidate: &Candidate, policy: &CallbackPolicy, now: Timestamp) -> Option<Turn> {
    candidate.lead.row.callback.map(|c| callback::turn(c.at, c.agent, policy, now))
}

/// Who goes first: see [`callback::rank`]. Those that nobody may take now come last.
fn turn_rank(candidate: &Candidate, owners: &Owners, policy: &CallbackPolicy, now: Timestamp) -> u8 {
    let is_free = |agent| owners.get(&agent).is_some_and(|a: &Versioned<Agent>| a.row.is_free());
    callback::rank(turn_of(candidate, policy, now), is_free).unwrap_or(u8::MAX)
}

/// The agent to whom an appointment belongs, where it waits for that agent or the agent is free.
fn wanted_agent<'a>(
    candidate: &Candidate,
    owners: &'a Owners,
    policy: &CallbackPolicy,
    now: Timestamp,
) -> Result<Option<&'a Versioned<Agent>>, Denied> {
    let owner = candidate.lead.row.callback.and_then(|c| c.agent).and_then(|agent| owners.get(&agent));
    if let Some(owner) = owner.filter(|a| a.row.is_free()) {
        return Ok(Some(owner));
    }
    match turn_of(candidate, policy, now) {
        Some(Turn::Own { until, .. }) => {
            Err(Denied { rule: "callback_agent_busy".into(), until: until.min(now + Millis::from_secs(20)) })
        }
        _ => Ok(None),
    }
}

/// When to look again: at once where the batch was cut short by denials, at the next due lead
/// where none was due, otherwise as the pacer says.
fn next_look(
    view: &CampaignView,
    plan: &Plan,
    wanted: u32,
    dialled: u32,
    denied: u32,
    found: u32,
    now: Timestamp,
) -> Timestamp {
    if wanted > dialled && denied > 0 {
        return now + Millis::from_ms(200);
    }
    if wanted > 0 && found == 0 {
        let due = view.next_due.unwrap_or(Timestamp::NEVER);
        return due.max(now + Millis::from_secs(1)).min(now + SLEEP_MAX);
    }
    // Nobody at work and nothing in flight: whoever comes wakes the campaign ([`Task::Match`]).
    if view.calls.is_empty()
        && view.pools.iter().all(|p| p.agents.is_empty())
        && !view.campaign.row.settings.is_agentless()
    {
        return now + SLEEP_MAX;
    }
    plan.next_look.max(now + Millis::from_ms(200)).min(now + crate::campaign::LOOK_MAX)
}

/// Calls of a campaign that was ended.
pub(super) fn stop_calls(view: &CampaignView) -> Vec<Task> {
    view.calls.iter().map(|c: &crate::ports::CallBrief| Task::Stop(c.id, Stop::Campaign)).collect()
}

fn is_free(agent: &AgentBrief) -> bool {
    agent.available && agent.state == State::Idle
}

/// Free agents of shared pools that other campaigns do not count on; `None` where no pool is
/// shared.
fn promised_idle(view: &CampaignView) -> Option<u32> {
    if view.pools.iter().all(|p| p.promised == 0) {
        return None;
    }
    let left = |p: &PoolView| (p.agents.iter().filter(|a| is_free(a)).count() as u32).saturating_sub(p.promised);
    Some(view.pools.iter().map(left).sum())
}

fn agent_views(view: &CampaignView) -> Vec<AgentView> {
    let standing = view.campaign.row.settings.transfer.mode == TransferMode::Standing;
    let usable = |a: &&AgentBrief| !standing || a.standing || a.state != State::Idle;
    view.pools.iter().flat_map(|p| &p.agents).filter(usable).map(agent_view).collect()
}

fn agent_view(agent: &AgentBrief) -> AgentView {
    let phase = match agent.state {
        State::Idle => Phase::Idle,
        _ if !agent.available => Phase::Leaving,
        State::Held { hold: Hold::Reserved, .. } => Phase::Reserved,
        State::Held { hold: Hold::Ringing, .. } => Phase::Ringing,
        State::Held { hold: Hold::Talking, .. } => Phase::Talking,
        State::WrapUp { .. } => Phase::WrapUp,
    };
    AgentView { phase, since: agent.since, share_pct: 100 }
}

fn call_view(call: &crate::ports::CallBrief) -> CallView {
    CallView {
        class: call.class,
        dialed_at: call.dialled_at,
        ringing_at: call.ringing_at,
        answered_at: call.answered_at,
        waiting_since: call.waiting_since,
        agent_reserved: call.agent.is_some(),
    }
}
