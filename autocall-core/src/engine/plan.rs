//! From allowed candidates to calls: building what one commit writes.

use super::permit::{Allowed, Denied, advanced};
use super::{decide, ledger};
use crate::agent::{Address, Agent, AgentEvent, Hold};
use crate::call::{Call, CallPlan, PERMIT_TTL};
use crate::id::{AgentId, CallId, CampaignId, LegId};
use crate::lead::LeadEvent;
use crate::phone::Phone;
use crate::ports::{
    AmdRequest, CampaignView, Candidate, Changes, Check, Dial, Guard, GuardKey, GuardValue, Line, Put, RowKey,
    Versioned,
};
use crate::settings::{AmdMode, Settings};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

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
    shown: Vec<(Guard, bool)>,
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
            shown: view.caller_ids.iter().map(|g| (g.clone(), false)).collect(),
        }
    }

    /// Keeps a lead waiting.
    pub(super) fn deny(&mut self, candidate: &Candidate, denied: Denied) {
        let mut lead = candidate.lead.row.clone();
        let event = LeadEvent::Denied { rule: denied.rule, until: denied.until };
        if lead.handle(&event, &self.settings, self.now) {
            decide::put_lead(&candidate.lead, lead, &mut self.changes);
        }
    }

    /// Adds a call. Returns false where another call of this batch already goes to the same number
    /// or person; the lead is then left for the next look.
    ///
    /// An agent for whom the call is made is reserved by the same commit.
    pub(super) fn add(
        &mut self,
        id: CallId,
        candidate: &Candidate,
        allowed: &Allowed,
        for_agent: Option<&Versioned<Agent>>,
    ) -> bool {
        let guards: Vec<&Guard> = advanced(candidate, allowed.to).collect();
        if guards.iter().any(|g| self.touched.contains(&g.key)) {
            return false;
        }
        let Some(from) = self.caller_id() else { return false };
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
        decide::put_lead(&candidate.lead, lead, &mut self.changes);
        self.count(&call);
        self.calls.push(call);
        true
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
            class: lead.class,
            name: lead.person.name(),
            mode: self.settings.transfer.mode,
            agentless: self.settings.is_agentless(),
            voicemail_allowed: allowed.voicemail,
            abandonment_allowed: allowed.abandonment,
            for_agent,
            ring_ms_max: self.settings.caps.ring_ms_max,
            evidence: allowed.evidence.clone(),
        }
    }

    /// The number to show: the one that was shown least today.
    fn caller_id(&mut self) -> Option<Phone> {
        let now = self.now;
        let today = |g: &Guard| match &g.value {
            GuardValue::CallerId(shown) => shown.today(now),
            _ => u32::MAX,
        };
        let (guard, changed) = self.shown.iter_mut().filter(|(g, _)| !rests(g, now)).min_by_key(|(g, _)| today(g))?;
        if let GuardValue::CallerId(shown) = &mut guard.value {
            shown.shown(now);
        }
        *changed = true;
        match guard.key {
            GuardKey::CallerId(from) => Some(from),
            _ => None,
        }
    }

    /// Adds what every dial depends on: that the campaign still runs with these settings, and that
    /// nobody else has counted on the same lines and agents meanwhile.
    pub(super) fn seal(&mut self) {
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
        let shown = self.shown.iter().filter(|(_, changed)| *changed);
        self.changes.guards.extend(shown.map(|(g, _)| Put { row: g.clone(), expected: g.version }));
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
        recording: settings.recording,
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
        recording: crate::script::RecordingMode::Off,
    }
}
