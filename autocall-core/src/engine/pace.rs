//! Pacing in the engine: what a strategy is shown of a campaign, what it learns from, and how what
//! it has learned survives restarts and reaches other nodes.

use super::tick::{is_free, live};
use super::{Engine, EngineError};
use crate::agent::{Hold, State};
use crate::id::{CampaignId, PoolId};
use crate::pacing::{
    self, AgentView, CLASSES_MAX, CallView, Class, DayKey, Limits, Observation, Phase, Plan, PoolClaim, PoolPart,
    Share, Strategy, Turns, part_of_pool,
};
use crate::ports::{AgentBrief, CallBrief, CampaignView, Candidate, GuardValue, Lease, PoolView};
use crate::settings::{Schedule, Settings, TransferMode};
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// A campaign that is looked at again within this time has leads to dial; one that has none
/// sleeps longer.
const HUNGRY_WITHIN: Millis = Millis::from_secs(11);

/// How often what was learned is exchanged with the store.
const LESSONS_EVERY: Millis = Millis::from_secs(10);

/// A strategy that nobody asked for so long is forgotten; its lessons are in the store.
const FORGET_AFTER: Millis = Millis::from_hours(1);

/// How many leads ahead a plan knows the classes of.
const AHEAD: usize = 16;

/// The priority of a campaign with an appointment due, above all that can be set.
const CALLBACK_PRIORITY: u8 = 10;

/// A campaign's strategy, the settings that it was made for, and what goes with it.
pub(super) struct Pacer {
    settings: pacing::Settings,
    strategy: Box<dyn Strategy>,
    pools: SmallVec<[PoolId; 2]>,
    /// Classes of the leads that come next, from the last time that leads were looked for.
    next: SmallVec<[Class; AHEAD]>,
    /// How late the carrier's news arrives, lately, milliseconds.
    lag_ms: f32,
    used_at: Timestamp,
    /// The version of the stored lessons that this strategy holds, and when they were exchanged;
    /// `None` before the first time.
    lessons: Option<(u64, Timestamp)>,
}

/// Everything that a node keeps for pacing. Losing it costs sharpness, never a law.
#[derive(Default)]
pub(super) struct Pacers {
    of: BTreeMap<CampaignId, Pacer>,
    /// Whose turn it is at each carrier account's rate.
    turns: BTreeMap<Arc<str>, Turns<CampaignId>>,
}

impl Pacer {
    fn of(settings: &Settings, now: Timestamp) -> Pacer {
        Pacer {
            settings: settings.pacing.clone(),
            strategy: pacing::strategy(&settings.pacing),
            pools: settings.transfer.pools.iter().copied().collect(),
            next: SmallVec::new(),
            lag_ms: 0.0,
            used_at: now,
            lessons: None,
        }
    }
}

impl Pacers {
    /// The campaign's pacer. A change of settings makes a new one that keeps what was learned.
    fn pacer(&mut self, id: CampaignId, settings: &Settings, now: Timestamp) -> &mut Pacer {
        if !self.of.contains_key(&id) {
            self.of.retain(|_, p| now - p.used_at < FORGET_AFTER);
        }
        let pacer = self.of.entry(id).or_insert_with(|| Pacer::of(settings, now));
        if pacer.settings != settings.pacing || pacer.pools[..] != settings.transfer.pools[..] {
            let mut fresh = Pacer::of(settings, now);
            fresh.strategy.restore(&pacer.strategy.checkpoint());
            (fresh.lag_ms, fresh.lessons) = (pacer.lag_ms, pacer.lessons);
            *pacer = fresh;
        }
        pacer.used_at = now;
        pacer
    }

    pub(super) fn observe(&mut self, campaign: CampaignId, seen: &[Observation], now: Timestamp) {
        let Some(pacer) = self.of.get_mut(&campaign) else { return };
        seen.iter().for_each(|o| pacer.strategy.observe(*o, now));
    }

    /// A wrap-up ended, of an agent of this pool: the campaigns that draw on it learn.
    pub(super) fn wrap_up_ended(&mut self, pool: PoolId, took: Millis, now: Timestamp) {
        for pacer in self.of.values_mut().filter(|p| p.pools.contains(&pool)) {
            pacer.strategy.observe(Observation::WrapUp { took }, now);
        }
    }

    /// The carrier's news of a pick-up came so late.
    pub(super) fn news_came(&mut self, campaign: CampaignId, late: Millis) {
        let Some(pacer) = self.of.get_mut(&campaign) else { return };
        let late_ms = late.ms().clamp(0, 60_000) as f32;
        pacer.lag_ms += (late_ms - pacer.lag_ms) * 0.05;
    }
}

impl Engine {
    fn pacers(&self) -> std::sync::MutexGuard<'_, Pacers> {
        self.pacers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the campaign's strategy. What is `leased` of the carrier's rate is at
    /// hand already.
    pub(super) async fn plan(
        &self,
        view: &CampaignView,
        leased: Option<Lease>,
        now: Timestamp,
    ) -> Result<Plan, EngineError> {
        let campaign = &view.campaign.row;
        let settings = &campaign.settings;
        let account = super::plan::account(campaign.id);
        let rate = settings.caps.calls_per_second_max;
        let own = match &view.dials.value {
            GuardValue::Dials(bucket) => bucket.available(rate, now),
            _ => 0,
        };
        let tokens = self.rates.available(&account, now).await?.saturating_add(leased.map_or(0, |l| l.granted));
        let paid = settings.cost.affordable(settings, view.spent_micros, live(view));
        let share = Share { priority: priority(settings.pacing.share, view.callback_at, now), ..settings.pacing.share };
        let parts: SmallVec<[PoolPart; 2]> = view.pools.iter().map(|p| part_of(p, view, share, now)).collect();
        let shared = view.pools.iter().any(|p| !p.sharers.is_empty());
        let agents = agent_views(view, &parts);
        let calls: Vec<CallView> = view.calls.iter().map(call_view).collect();
        let lines = i64::from(settings.caps.lines_max) - i64::from(view.load.lines());
        let count = |n: i64| n.clamp(0, i64::from(u32::MAX)) as u32;
        let mut pacers = self.pacers();
        let turn = pacers.turns.entry(account).or_default().may_take(campaign.id, share, tokens, now);
        let pacer = pacers.pacer(campaign.id, settings, now);
        let limits = Limits {
            may_dial: true,
            free_lines: count(lines),
            dials_now: turn.min(own).min(paid),
            dials_per_s_milli: (rate * 1000.0) as u32,
            leads_left: Some(count(view.leads.open)),
            open_for_s: open_for_s(settings, now),
            promised_idle: shared.then(|| parts.iter().map(|p| p.idle).sum()),
            event_lag_ms: pacer.lag_ms as u32,
        };
        let look = pacing::View {
            agents: &agents,
            calls: &calls,
            next_classes: &pacer.next,
            limits,
            ledger: &view.ledger,
            day: DayKey::at(now, &settings.zone()),
            transfer: match settings.transfer.mode {
                TransferMode::OnDemand => pacing::Transfer::OnDemand,
                TransferMode::Standing => pacing::Transfer::Standing,
            },
        };
        Ok(pacer.strategy.plan(&look, now))
    }

    /// Takes note of what came of a plan: the leads that come next, and dials that were wished for
    /// and not had.
    pub(super) fn looked_at(
        &self,
        campaign: CampaignId,
        plan: &Plan,
        candidates: &[Candidate],
        dialled: u32,
        now: Timestamp,
    ) {
        let mut pacers = self.pacers();
        let unmet = plan.why.wish.saturating_sub(dialled).min(candidates_left(plan, candidates, dialled));
        if let Some(turns) = pacers.turns.get_mut(&super::plan::account(campaign)) {
            turns.took(campaign, dialled, unmet, now);
        }
        let Some(pacer) = pacers.of.get_mut(&campaign) else { return };
        if !candidates.is_empty() {
            let rest = candidates.get(dialled as usize..).filter(|rest| !rest.is_empty()).unwrap_or(candidates);
            pacer.next = rest.iter().take(AHEAD).map(|c| class_of(&c.lead.row)).collect();
        }
    }

    /// Stores what was learned, and takes up what other nodes and earlier runs learned. A failure
    /// costs sharpness only; the next look tries again.
    pub(super) async fn exchange_lessons(&self, campaign: CampaignId, settings: &Settings, now: Timestamp) {
        let Some(store) = &self.lessons else { return };
        let (known, mut delta) = {
            let mut pacers = self.pacers();
            let pacer = pacers.pacer(campaign, settings, now);
            if pacer.lessons.is_some_and(|(_, at)| now - at < LESSONS_EVERY) {
                return;
            }
            (pacer.lessons.map(|(version, _)| version), pacer.strategy.take_delta())
        };
        if delta.is_empty() {
            return;
        }
        let Ok(stored) = store.load(campaign).await else { return };
        let version = stored.as_ref().map_or(0, |s| s.version);
        let learned = {
            let mut pacers = self.pacers();
            let Some(pacer) = pacers.of.get_mut(&campaign) else { return };
            if known != Some(version)
                && let Some(stored) = &stored
            {
                pacer.strategy.restore(&stored.learned);
                pacer.strategy.absorb(&std::mem::take(&mut delta));
            }
            pacer.lessons = Some((version, now));
            pacer.strategy.checkpoint()
        };
        if learned.is_empty() {
            return;
        }
        if let Ok(true) = store.save(campaign, &learned, version, now).await
            && let Some(pacer) = self.pacers().of.get_mut(&campaign)
        {
            pacer.lessons = Some((version + 1, now));
        }
    }
}

/// Leads that were there and not dialled: a wish that the list could not meet is nobody's to give.
fn candidates_left(plan: &Plan, candidates: &[Candidate], dialled: u32) -> u32 {
    if plan.dial == 0 { u32::MAX } else { (candidates.len() as u32).saturating_sub(dialled) }
}

/// The class of a lead for statistics: its own where one was given; else by list, by whether it
/// was tried before, and by the kind of line, which is what answers differ by most.
pub(super) fn class_of(lead: &crate::lead::Lead) -> Class {
    use crate::permission::LineType;

    if lead.class != 0 {
        return lead.class.min(CLASSES_MAX as Class - 1);
    }
    let list = lead.list.map_or(0, |l| (l.key().as_u128() % 4) as Class);
    let tried = Class::from(lead.attempts > 0);
    let mobile = Class::from(lead.person.dossier.line == Some(LineType::Mobile));
    list + 4 * tried + 8 * mobile
}

fn priority(share: Share, callback_at: Option<Timestamp>, now: Timestamp) -> u8 {
    if callback_at.is_some_and(|at| at <= now) { CALLBACK_PRIORITY } else { share.priority }
}

/// What the campaign may count on of a pool.
fn part_of(pool: &PoolView, view: &CampaignView, share: Share, now: Timestamp) -> PoolPart {
    let standing = view.campaign.row.settings.transfer.mode == TransferMode::Standing;
    let usable = || pool.agents.iter().filter(|a| is_usable(a, standing));
    let free = usable().filter(|a| is_free(a)).count() as u32;
    if pool.sharers.is_empty() {
        return PoolPart { idle: free, share_pct: 100 };
    }
    let own = view.campaign.row.id;
    let settings = &view.campaign.row.settings;
    let mine = PoolClaim {
        priority: share.priority,
        weight: share.weight,
        hungry: true,
        ahead: settings.pacing.dials_ahead(),
        open: (view.load.dialing + view.load.waiting).max(0) as u32,
        room: view.load.room(settings.caps.lines_max),
        lines_max: settings.caps.lines_max,
    };
    let mut claims: SmallVec<[(CampaignId, PoolClaim); 4]> = SmallVec::new();
    claims.push((own, mine));
    claims.extend(pool.sharers.iter().map(|s| {
        let hungry = s.running && s.leads > 0 && s.wake_at <= now + HUNGRY_WITHIN;
        let priority = priority(s.share, s.callback_at, now);
        let (weight, ahead, lines_max) = (s.share.weight, s.ahead, s.lines_max);
        // Calls that an agent asked for have that agent already, and those of a message need none.
        let open = if lines_max == 0 { 0 } else { s.open };
        (s.campaign, PoolClaim { priority, weight, hungry, ahead, open, room: s.room, lines_max })
    }));
    claims.sort_unstable_by_key(|c| c.0);
    let at = claims.iter().position(|c| c.0 == own).unwrap_or(0);
    let claims: SmallVec<[PoolClaim; 4]> = claims.into_iter().map(|c| c.1).collect();
    part_of_pool(free, usable().count() as u32, &claims, at)
}

/// Whether the campaign can do anything with the agent: without a leg that stands, an idle one is of no
/// use to one that needs it.
fn is_usable(agent: &AgentBrief, standing: bool) -> bool {
    !standing || agent.standing || agent.state != State::Idle
}

fn agent_views(view: &CampaignView, parts: &[PoolPart]) -> Vec<AgentView> {
    let standing = view.campaign.row.settings.transfer.mode == TransferMode::Standing;
    let of_pool = |(pool, part): (&PoolView, &PoolPart)| -> Vec<AgentView> {
        pool.agents.iter().filter(|a| is_usable(a, standing)).map(|a| agent_view(a, part.share_pct)).collect()
    };
    view.pools.iter().zip(parts).flat_map(of_pool).collect()
}

fn agent_view(agent: &AgentBrief, share_pct: u8) -> AgentView {
    let phase = match agent.state {
        State::Idle => Phase::Idle,
        _ if !agent.available => Phase::Leaving,
        State::Held { hold: Hold::Reserved, .. } => Phase::Reserved,
        State::Held { hold: Hold::Ringing, .. } => Phase::Ringing,
        State::Held { hold: Hold::Talking, .. } => Phase::Talking,
        State::WrapUp { .. } => Phase::WrapUp,
    };
    AgentView { phase, since: agent.since, share_pct }
}

fn call_view(call: &CallBrief) -> CallView {
    CallView {
        class: call.class,
        dialed_at: call.dialled_at,
        ringing_at: call.ringing_at,
        answered_at: call.answered_at,
        waiting_since: call.waiting_since,
        agent_reserved: call.agent.is_some(),
    }
}

/// Seconds until the campaign's own window closes, in its own zone; `None` where it has no
/// windows.
fn open_for_s(settings: &Settings, now: Timestamp) -> Option<u32> {
    let Schedule { windows, ends_at, .. } = &settings.schedule;
    let local = now.to_jiff().to_zoned(settings.zone());
    let weekday = local.weekday().to_monday_one_offset() as u8;
    let second = (i64::from(local.hour()) * 60 + i64::from(local.minute())) * 60 + i64::from(local.second());
    let open = |w: &&crate::settings::DayWindow| {
        w.weekday == weekday && i64::from(w.from_min) * 60 <= second && second < i64::from(w.to_min) * 60
    };
    let window = windows.iter().filter(open).map(|w| i64::from(w.to_min) * 60 - second).max();
    let end = ends_at.map(|end| (end - now).ms() / 1000);
    [window, end].into_iter().flatten().min().map(|s| s.clamp(0, i64::from(u32::MAX)) as u32)
}
