//! Looking at a campaign: match who waits, plan, find leads, commit, hand out dials.

use super::permit::Denied;
use super::plan::{Added, Batch, customer_dial};
use super::{CONFLICTS_MAX, Engine, EngineError, Task};
use crate::agent::{Agent, State};
use crate::call::Stop;
use crate::campaign::Effect;
use crate::id::{AgentId, CallId, CampaignId, LeadId};
use crate::pacing::Plan;
use crate::planning::callback::{self, CallbackPolicy, Turn};
use crate::ports::{
    AgentBrief, CampaignView, Candidate, Changes, GuardValue, Lease, Note, Put, RowKey, StoreError, Urgency, Versioned,
};
use crate::settings::TransferMode;
use crate::time::{Millis, Timestamp};

/// The most leads looked at in one tick.
pub(super) const CANDIDATES_MAX: u32 = 500;

/// The most calls created by one commit.
const BATCH_MAX: u32 = 250;

/// How long a campaign with nothing due may sleep before it looks again.
const SLEEP_MAX: Millis = Millis::from_mins(1);

impl Engine {
    /// Looks at a campaign and dials what should be dialled.
    pub async fn tick(&self, campaign: CampaignId) -> Result<Vec<Task>, EngineError> {
        let mut tasks = Vec::new();
        let mut leased = None;
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
            // Before the plan: no permit to dial waits for it.
            self.exchange_lessons(campaign, &view.campaign.row.settings, now).await;
            let plan = self.plan(&view, leased, now).await?;
            tasks.extend(
                plan.cancel.iter().filter_map(|&i| view.calls.get(i as usize).map(|c| Task::Stop(c.id, Stop::Pacing))),
            );
            match self.dial_planned(&view, &plan, &mut leased, now).await {
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
        if live(view) > 0 || !is_out_of_money(view) {
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
        let mut effects = row.tick(now);
        if row == *view.campaign.row {
            return Ok(None);
        }
        if row.state == crate::campaign::State::Running && !self.permission.obstacles(&row.settings, now).is_empty() {
            // Rules may have come into force since the campaign was scheduled: say so by pausing.
            effects = row.command(&crate::campaign::Command::Pause, now).unwrap_or_default();
            let what = "not started: its settings break rules in force".to_owned();
            self.notifier.notify(&Note::Alarm { campaign: row.id, what });
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

    /// Finds leads for the plan and commits the calls.
    async fn dial_planned(
        &self,
        view: &CampaignView,
        plan: &Plan,
        leased: &mut Option<Lease>,
        now: Timestamp,
    ) -> Result<Vec<Task>, EngineError> {
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
            // A few more than are dialled: some are denied. Where many are, the next look follows at once.
            let limit = wanted.saturating_add(wanted / 4).saturating_add(8).min(CANDIDATES_MAX);
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
            // What a conversation does not use comes back when it settles, and that is a look. Until then
            // no agent of a shared pool is kept from other campaigns.
            None if view.calls.is_empty() && is_out_of_money(view) => now + SLEEP_MAX,
            Some(until) => until.max(now + Millis::from_secs(1)).min(now + SLEEP_MAX),
            None => next_look(view, plan, wanted, dialled, denied, found, now),
        };
        batch.changes.wakes.push((campaign, next));
        self.looked_at(campaign, plan, &candidates, dialled, now);
        let tasks = self.commit_batch(batch, view, leased, now).await?;
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
        let mode = view.campaign.row.settings.transfer.mode;
        let for_agent = match wanted_agent(candidate, owners, policy, mode, now) {
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
    /// leads is decided again by the caller on a fresh reading; what was `leased` for it stands.
    async fn commit_batch(
        &self,
        mut batch: Batch<'_>,
        view: &CampaignView,
        leased: &mut Option<Lease>,
        now: Timestamp,
    ) -> Result<Vec<Task>, EngineError> {
        batch.seal();
        if !batch.calls.is_empty() {
            let account = super::plan::account(view.campaign.row.id);
            let want = batch.calls.len() as u32;
            if leased.is_none_or(|l| l.granted < want) {
                *leased = Some(self.rates.lease(&account, want, Urgency::Lead, now).await?);
            }
            if leased.is_none_or(|l| l.granted < want) {
                return Err(StoreError::Conflict { stale: vec![RowKey::Campaign(view.campaign.row.id)] }.into());
            }
        }
        let committed = self.commit(&batch.changes).await?;
        let lease = if batch.calls.is_empty() { None } else { leased.take() };
        let settings = &view.campaign.row.settings;
        let dials = committed.permits.into_iter().zip(&batch.calls);
        let place = |i: usize| lease.map_or(now, |l| l.place(i));
        let task = |(i, (permit, call))| Task::Dial { permit, dial: Box::new(customer_dial(call, settings, place(i))) };
        Ok(dials.enumerate().map(task).collect())
    }

    /// Dials one lead for one agent: preview, or a click on a lead. The agent gets the call when a
    /// person answers. With `lead` absent, the one that the agent is shown
    /// ([`Engine::show_next`]), else the next one that may be called. A lead that another agent
    /// looks at is not dialled.
    pub async fn dial_for(
        &self,
        campaign: CampaignId,
        agent: AgentId,
        lead: Option<LeadId>,
    ) -> Result<Vec<Task>, EngineError> {
        let mut leased = None;
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.campaign(campaign).await?;
            let now = self.now();
            let reserved = self.store.agent(agent).await?.agent;
            super::preview::fits(&view, &reserved.row, now)?;
            if is_out_of_money(&view) {
                return Err(EngineError::NotNow("the budget allows no further call"));
            }
            if !may_dial_one(&view, now) {
                return Err(EngineError::NotNow("every line is in use, or calls per second are used up"));
            }
            let candidates = match lead.or(reserved.row.shown_at(now)) {
                Some(lead) => vec![self.one_candidate(&view, lead, now).await?],
                None => self.store.candidates(campaign, now, CANDIDATES_MAX).await?,
            };
            if candidates.iter().any(|c| super::preview::is_anothers(c, &reserved, now)) {
                return Err(EngineError::NotNow("another agent looks at the lead"));
            }
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
            match self.commit_batch(batch, &view, &mut leased, now).await {
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

/// Whether the budget allows no further call, what those in flight may cost being set aside.
fn is_out_of_money(view: &CampaignView) -> bool {
    let settings = &view.campaign.row.settings;
    settings.cost.affordable(settings, view.spent_micros, live(view)) == 0
}

/// Calls in flight.
pub(super) fn live(view: &CampaignView) -> u32 {
    u32::try_from(view.load.live()).unwrap_or(0)
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
    mode: TransferMode,
    now: Timestamp,
) -> Result<Option<&'a Versioned<Agent>>, Denied> {
    let owner = candidate.lead.row.callback.and_then(|c| c.agent).and_then(|agent| owners.get(&agent));
    if let Some(owner) = owner.filter(|a| super::preview::can_take(&a.row, mode)) {
        return Ok(Some(owner));
    }
    match turn_of(candidate, policy, now) {
        Some(Turn::Own { until, .. }) => {
            Err(Denied { rule: "callback_agent_busy".into(), until: until.min(now + Millis::from_secs(20)) })
        }
        _ => Ok(None),
    }
}

/// When to look again: at once where the batch was cut short by denials or by its own size, at the
/// next due lead where none was due, otherwise as the pacer says.
fn next_look(
    view: &CampaignView,
    plan: &Plan,
    wanted: u32,
    dialled: u32,
    denied: u32,
    found: u32,
    now: Timestamp,
) -> Timestamp {
    let by_size = plan.dial > BATCH_MAX && dialled == BATCH_MAX;
    if by_size || (wanted > dialled && denied > 0) {
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

pub(super) fn is_free(agent: &AgentBrief) -> bool {
    agent.available && agent.state == State::Idle
}
