//! From allowed candidates to calls: building what one commit writes.

use super::permit::{Allowed, Denied, advanced};
use super::{decide, ledger};
use crate::agent::{Address, Agent, AgentEvent, Hold};
use crate::call::{Call, CallPlan, PERMIT_TTL};
use crate::id::{AgentId, CallId, CampaignId, LegId};
use crate::lead::{Lead, LeadEvent};
use crate::phone::Phone;
use crate::planning::caller_id::{CallerId, Health, Pool, Shown, Today, choose, fingerprint};
use crate::planning::counts::CountKey;
use crate::planning::quota::{Quota, QuotaCount, QuotaVerdict};
use crate::ports::{
    AmdRequest, CampaignView, Candidate, Changes, Check, Dial, Guard, GuardKey, GuardValue, Line, Put, RowKey,
    Versioned,
};
use crate::script::RecordingMode;
use crate::settings::{AmdMode, Settings};
use crate::time::{Millis, Timestamp};
use crate::zones::State;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a lead waits whose quota may be filled by calls that are under way.
const QUOTA_PENDING: Millis = Millis::from_secs(30);

/// The calls and verdicts of one commit.
pub(super) struct Batch<'a> {
    view: &'a CampaignView,
    settings: Arc<Settings>,
    campaign: CampaignId,
    now: Timestamp,
    /// What the commit will write.
    pub(super) changes: Changes,
    /// The calls that it creates.
    pub(super) calls: Vec<Call>,
    touched: BTreeSet<GuardKey>,
    pool: Pool,
    shown: Vec<(Guard, bool)>,
    quotas: SmallVec<[QuotaCount; 1]>,
}

/// What became of a lead that may be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    /// A call is made to it.
    Call,
    /// Another call of this batch already goes to the same number or person.
    Busy,
    /// No number can be shown to it now.
    NoCallerId,
}

impl<'a> Batch<'a> {
    /// An empty batch on a reading of the campaign.
    pub(super) fn new(view: &'a CampaignView, now: Timestamp) -> Batch<'a> {
        let campaign = view.campaign.row.id;
        Batch {
            view,
            settings: view.campaign.row.settings.clone(),
            campaign,
            now,
            changes: Changes::new(campaign.tenant(), now),
            calls: Vec::new(),
            touched: BTreeSet::new(),
            pool: Pool::of(&view.campaign.row.settings),
            shown: view.caller_ids.iter().enumerate().map(|(i, g)| looked_at(g, view.shown.get(i), now)).collect(),
            quotas: view.quotas.clone(),
        }
    }

    /// When a number can be shown again, if none can be now: each rests or has had its day.
    pub(super) fn nothing_to_show_until(&self) -> Option<Timestamp> {
        let free_at = |(number, (guard, _)): (&CallerId, &(Guard, bool))| {
            let GuardValue::CallerId(shown) = &guard.value else { return Timestamp::NEVER };
            if number.weight == 0 {
                return Timestamp::NEVER;
            }
            let rested = shown.health.rest_until.max(shown.rests_until).unwrap_or(self.now).max(self.now);
            let spent = number.daily_max > 0 && shown.today(self.now) >= number.daily_max;
            if spent { rested.max(next_day(self.now)) } else { rested }
        };
        let first = self.pool.numbers.iter().zip(&self.shown).map(free_at).min();
        first.filter(|at| *at > self.now)
    }

    /// Whether a quota keeps the lead from being called, and until when.
    pub(super) fn quota_denies(&self, lead: &Lead) -> Option<Denied> {
        for (quota, count) in self.of_lead(lead) {
            let until = match quota.check(*count) {
                QuotaVerdict::Open { .. } => continue,
                QuotaVerdict::Pending => self.now + QUOTA_PENDING,
                QuotaVerdict::Full => Timestamp::NEVER,
            };
            return Some(Denied { rule: format!("quota:{}", quota.name).into(), until });
        }
        None
    }

    fn of_lead(&self, lead: &Lead) -> impl Iterator<Item = (&Quota, &QuotaCount)> {
        let bits = lead.filed.segments;
        let counts = self.settings.quotas.iter().zip(&self.quotas).enumerate();
        counts.filter(move |(i, _)| *i < 16 && bits & (1 << i) != 0).map(|(_, both)| both)
    }

    /// Keeps a lead waiting.
    pub(super) fn deny(&mut self, candidate: &Candidate, denied: Denied) {
        let mut lead = candidate.lead.row.clone();
        let event = LeadEvent::Denied { rule: denied.rule, until: denied.until };
        if lead.handle(&event, &self.settings, self.now) {
            decide::put_lead(&candidate.lead, lead, &mut self.changes);
        }
    }

    /// Adds a call.
    ///
    /// An agent for whom the call is made is reserved by the same commit.
    pub(super) fn add(
        &mut self,
        id: CallId,
        candidate: &Candidate,
        allowed: &Allowed,
        for_agent: Option<&Versioned<Agent>>,
    ) -> Added {
        let guards: Vec<&Guard> = advanced(candidate, allowed.to).collect();
        if guards.iter().any(|g| self.touched.contains(&g.key)) {
            return Added::Busy;
        }
        let Some(from) = self.caller_id(candidate, allowed.to, id) else { return Added::NoCallerId };
        let plan = self.call_plan(candidate, allowed, from, for_agent.map(|a| a.row.id));
        if let Some(agent) = for_agent {
            let mut row = agent.row.clone();
            row.handle(&AgentEvent::Hold { call: id, hold: Hold::Reserved }, self.now);
            self.changes.agents.push(Put { row, expected: agent.version });
        }
        let call = Call::new(id, Arc::new(plan), self.now);
        for guard in guards {
            self.touched.insert(guard.key.clone());
            self.changes.guards.push(advance(guard, id, self.now));
        }
        let epoch = candidate.guards.iter().filter(|g| g.key == GuardKey::Epoch);
        self.changes.checks.extend(epoch.take(1).map(|g| check(g.key.clone(), g.version)));
        let mut lead = candidate.lead.row.clone();
        lead.handle(&LeadEvent::Dialled { call: id }, &self.settings, self.now);
        lead.filed.shown = fingerprint(from);
        decide::put_lead(&candidate.lead, lead, &mut self.changes);
        self.count(&call);
        self.calls.push(call);
        Added::Call
    }

    fn count(&mut self, call: &Call) {
        let wake_at = call.wake_at(&self.settings, self.now);
        let line = Line::Leg(call.leg_id(LegId::CUSTOMER));
        self.changes.calls.push((Put { row: call.clone(), expected: 0 }, wake_at));
        self.changes.permits.push((line, self.now + PERMIT_TTL));
        let opening = ledger::opening(call, &self.settings);
        let tally = self.changes.tally(self.campaign);
        tally.load.add(&call.load(), 1);
        tally.ledger.push(opening);
        for name in &call.plan.quotas {
            tally.counts.add(CountKey::QuotaInFlight(name.clone()), 1);
            let place = self.settings.quotas.iter().position(|q| *q.name == **name);
            if let Some(count) = place.and_then(|i| self.quotas.get_mut(i)) {
                count.in_flight += 1;
            }
        }
    }

    fn call_plan(&self, candidate: &Candidate, allowed: &Allowed, from: Phone, for_agent: Option<AgentId>) -> CallPlan {
        let lead = &candidate.lead.row;
        CallPlan {
            campaign: self.campaign,
            lead: lead.id,
            person_key: lead.person_key,
            subject: self.settings.subject.clone(),
            attempt: lead.attempts.saturating_add(1),
            to: allowed.to,
            number_index: allowed.number_index,
            from,
            account: account(self.campaign),
            class: super::pace::class_of(lead),
            name: lead.person.name(),
            mode: self.settings.transfer.mode,
            agentless: self.settings.is_agentless(),
            voicemail_allowed: allowed.voicemail,
            abandonment_allowed: allowed.abandonment,
            for_agent,
            ring_ms_max: self.settings.caps.ring_ms_max,
            recording: recording(&self.settings, allowed),
            recording_needs: allowed.recording,
            quotas: self.of_lead(lead).map(|(quota, _)| Arc::from(quota.name.as_str())).collect(),
            evidence: allowed.evidence.clone(),
        }
    }

    /// The number to show to this lead, counted for today.
    fn caller_id(&mut self, candidate: &Candidate, to: Phone, id: CallId) -> Option<Phone> {
        let now = self.now;
        let lead = &candidate.lead.row;
        let today = |(g, _): &(Guard, bool)| match &g.value {
            GuardValue::CallerId(shown) => {
                // A number that the carrier refused rests like one that nobody answers.
                let rest_until = shown.health.rest_until.max(shown.rests_until);
                Today { calls: shown.today(now), health: Health { rest_until, ..shown.health } }
            }
            _ => Today { calls: u32::MAX, ..Today::default() },
        };
        let today: SmallVec<[Today; 8]> = self.shown.iter().map(today).collect();
        let state = lead.person.state.as_deref().and_then(State::from_code);
        // The low bits of a call's id are random.
        let draw = id.key().as_u128() as u64 & 0xFFFF_FFFF_FFFF;
        let from = choose(&self.pool, to, state, lead.filed.shown, &today, draw, now)?;
        let place = self.shown.iter().position(|(g, _)| g.key == GuardKey::CallerId(from))?;
        let counters = self.view.shown.get(place).copied().unwrap_or_default();
        let (guard, changed) = &mut self.shown[place];
        if let GuardValue::CallerId(shown) = &mut guard.value {
            shown.shown(now);
            shown.health = shown.health.dialled(counters, now);
        }
        *changed = true;
        Some(from)
    }

    /// Adds what every dial depends on: that the campaign still runs with these settings, and that
    /// nobody else has counted on the same lines and agents meanwhile.
    pub(super) fn seal(&mut self) {
        let shown = self.shown.iter().filter(|(_, changed)| *changed);
        self.changes.guards.extend(shown.map(|(g, _)| Put { row: g.clone(), expected: g.version }));
        if self.calls.is_empty() {
            return;
        }
        let tenant = self.campaign.tenant();
        let campaign = Check { key: RowKey::Campaign(self.campaign), version: self.view.campaign.version };
        self.changes.checks.push(campaign);
        let mut dials = self.view.dials.clone();
        if let GuardValue::Dials(bucket) = &mut dials.value {
            bucket.draw(self.calls.len() as u32, self.settings.caps.calls_per_second_max, self.now);
        }
        self.changes.guards.push(Put { expected: dials.version, row: dials });
        for pool in &self.view.pools {
            let row = Guard { version: pool.version, ..Guard::fresh(tenant, GuardKey::Pool(pool.pool)) };
            self.changes.guards.push(Put { row, expected: pool.version });
        }
    }
}

/// Until when a campaign has no number to show, if it has none now: each rests or has had its day.
pub fn nothing_to_show_until(view: &CampaignView, now: Timestamp) -> Option<Timestamp> {
    Batch::new(view, now).nothing_to_show_until()
}

/// A number's guard with the judgement that its counters ask for, and whether that changed it.
fn looked_at(guard: &Guard, counters: Option<&Shown>, now: Timestamp) -> (Guard, bool) {
    let mut guard = guard.clone();
    let mut changed = false;
    if let (GuardValue::CallerId(shown), Some(counters)) = (&mut guard.value, counters) {
        let health = shown.health.look(*counters, now);
        changed = health != shown.health;
        shown.health = health;
    }
    (guard, changed)
}

/// The next midnight, UTC: the end of a number's day.
fn next_day(now: Timestamp) -> Timestamp {
    let day = Millis::from_days(1).ms();
    Timestamp::from_ms((now.ms().div_euclid(day) + 1) * day)
}

/// A campaign that records does so in the stricter of its own way and the law's.
fn recording(settings: &Settings, allowed: &Allowed) -> RecordingMode {
    match settings.recording {
        RecordingMode::Off => RecordingMode::Off,
        asked => asked.max(allowed.recording),
    }
}

/// Whether the carrier refused to show the number a short while ago.
pub(super) fn rests(guard: &Guard, now: Timestamp) -> bool {
    matches!(&guard.value, GuardValue::CallerId(shown) if shown.rests(now))
}

/// The carrier account that pays: the tenant's own where the adapter knows one, by this key.
pub(super) fn account(campaign: CampaignId) -> Arc<str> {
    campaign.tenant().to_string().into()
}

fn check(key: GuardKey, version: u64) -> Check {
    Check { key: RowKey::Guard(key), version }
}

fn advance(guard: &Guard, call: CallId, now: Timestamp) -> Put<Guard> {
    let mut row = guard.clone();
    match &mut row.value {
        GuardValue::Number(number) => {
            number.live = Some(call);
            number.stop = None;
            number.history.attempted(now);
        }
        GuardValue::Person(person) => {
            person.live = Some(call);
            person.history.attempted(now);
        }
        GuardValue::CallerId(_) | GuardValue::Dials(_) | GuardValue::Version => {}
    }
    Put { row, expected: guard.version }
}

/// What is asked of the carrier for a customer's leg.
pub(super) fn customer_dial(call: &Call, settings: &Settings, not_before: Timestamp) -> Dial {
    let amd = match settings.amd.mode {
        AmdMode::Off => None,
        mode => Some(AmdRequest { mode, preset: settings.amd.preset }),
    };
    Dial {
        line: Line::Leg(call.leg_id(LegId::CUSTOMER)),
        to: Address::Phone(call.plan.to),
        from: call.plan.from,
        account: call.plan.account.clone(),
        ring_ms_max: call.plan.ring_ms_max,
        call_ms_max: settings.caps.call_ms_max,
        amd,
        not_before,
        recording: call.plan.recording,
    }
}

/// What is asked of the carrier for an agent's leg.
pub(super) fn agent_dial(call: &Call, leg: u8, to: Address, settings: &Settings) -> Dial {
    Dial {
        line: Line::Leg(call.leg_id(leg)),
        to,
        from: call.plan.from,
        account: call.plan.account.clone(),
        ring_ms_max: settings.transfer.ring_ms_max,
        call_ms_max: settings.caps.call_ms_max,
        amd: None,
        // Leased when it is performed.
        not_before: Timestamp::EPOCH,
        recording: RecordingMode::Off,
    }
}
