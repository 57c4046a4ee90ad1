//! The store and the carrier as a node in trouble sees them.

use super::Sabotage;
use super::hub::{Drawn, Hub, Minted};
use crate::carrier::SimCarrier;
use crate::clock::SimClock;
use async_trait::async_trait;
use autocall_core::call::{Call, End, EndCause, LegFacts, Load, ProviderRef};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::*;
use autocall_core::script::Script;
use autocall_core::{CallId, CampaignId, LegId, Millis, Timestamp};
use std::sync::Arc;

/// The store, far away and sometimes gone.
pub(super) struct ShakyStore {
    pub(super) inner: Arc<MemoryStore>,
    pub(super) hub: Hub,
}

impl ShakyStore {
    async fn before(&self) -> Result<(), StoreError> {
        self.hub.point().await;
        let down = {
            let hub = self.hub.lock();
            hub.now() < hub.store_down_until
        };
        if down || self.hub.fault(|t| t.store_fails) {
            return Err(StoreError::Unavailable("injected".into()));
        }
        Ok(())
    }

    fn sabotaged(&self, which: Sabotage) -> bool {
        self.hub.lock().sabotage == Some(which)
    }

    /// What a broken engine would have asked for instead.
    fn twist(&self, changes: &mut Changes) {
        let Some(sabotage) = self.hub.lock().sabotage else { return };
        match sabotage {
            Sabotage::AgentDoubleBooked => changes.agents.retain(|p| p.expected == 0),
            Sabotage::WakeUpLost => {
                for (put, wake_at) in &mut changes.calls {
                    if put.expected > 0 {
                        *wake_at = Timestamp::NEVER;
                    }
                }
            }
            Sabotage::NumberUnguarded => changes.guards.retain(|p| !matches!(p.row.key, GuardKey::Number(_))),
            Sabotage::PersonUnguarded => changes.guards.retain(|p| !matches!(p.row.key, GuardKey::Person { .. })),
            Sabotage::RateUndrawn => changes.guards.retain(|p| !matches!(p.row.key, GuardKey::Dials(_))),
            Sabotage::RecordLost if self.hub.lock().dice.chance(0.1) => changes.records.clear(),
            Sabotage::AttemptsUncounted => changes.leads.iter_mut().for_each(|p| p.row.attempts = 0),
            Sabotage::CampaignSleeps => changes.wakes.iter_mut().for_each(|(_, at)| *at = Timestamp::NEVER),
            Sabotage::WordsForgotten if !changes.disposed.is_empty() => changes.leads.clear(),
            Sabotage::AppointmentIgnored if !changes.disposed.is_empty() => {
                changes.leads.iter_mut().filter(|p| p.row.is_open()).for_each(|p| p.row.due_at = changes.at);
            }
            Sabotage::CountsDrift if changes.records.is_empty() && self.hub.lock().dice.chance(0.1) => {
                changes.tallies.clear();
            }
            _ => {}
        }
    }

    /// Writes; the sabotage that looks at no version writes until it fits.
    async fn write(&self, changes: &mut Changes) -> Result<Committed, StoreError> {
        let blind = self.sabotaged(Sabotage::NoVersionCheck);
        for _ in 0..400 {
            match self.inner.commit(changes).await {
                Err(StoreError::Conflict { stale }) if blind => force(changes, &stale),
                done => return done,
            }
        }
        Err(StoreError::Unavailable("could not be forced".into()))
    }

    /// Remembers what the invariants are judged by. `wanted` is what the engine asked for, before
    /// a planted bug changed it.
    fn note(&self, wanted: &Changes) {
        let mut hub = self.hub.lock();
        let now = hub.now();
        hub.commits += 1;
        let mut dials: Option<Drawn> = None;
        for (line, _) in &wanted.permits {
            if let Some(call) = dialled(wanted, *line) {
                hub.judge_number(call.plan.to, *line);
                hub.judge_promise(call.plan.lead, wanted.at);
                let campaign = call.plan.campaign;
                dials.get_or_insert(Drawn { campaign, at: wanted.at, dials: 0 }).dials += 1;
            }
            if hub.minted.insert(*line, Minted { at: now }).is_some() {
                let what = format!("two permits for {line}");
                hub.break_(what);
            }
        }
        hub.drawn.extend(dials);
        for listing in &wanted.listings {
            hub.listed.entry(listing.phone).or_insert(now);
        }
        if !wanted.disposed.is_empty() {
            wanted.leads.iter().for_each(|put| hub.promise(&put.row));
        }
    }
}

/// The call whose customer's leg a permit is for.
fn dialled(changes: &Changes, line: Line) -> Option<&Call> {
    let Line::Leg(leg) = line else { return None };
    let calls = changes.calls.iter().map(|(put, _)| &put.row);
    if leg.leg == LegId::CUSTOMER { calls.into_iter().find(|call| call.id == leg.call) } else { None }
}

/// A view as it would be for who looks at no hours and counts no lines.
fn blind(view: &mut CampaignView, sabotage: Option<Sabotage>) {
    match sabotage {
        Some(Sabotage::WindowsIgnored) => {
            let mut campaign = (*view.campaign.row).clone();
            let mut settings = (*campaign.settings).clone();
            settings.schedule.windows.clear();
            campaign.settings = Arc::new(settings);
            view.campaign.row = Arc::new(campaign);
        }
        Some(Sabotage::LinesUncounted) => view.load = Load::default(),
        _ => {}
    }
}

/// A candidate as it would be if no list said anything.
fn unlist(candidate: &mut Candidate) {
    candidate.lists.iter_mut().for_each(|l| *l = Lists::default());
    for guard in &mut candidate.guards {
        if let GuardValue::Number(number) = &mut guard.value {
            number.history.listed = None;
        }
    }
}

/// A reading as it would be for who overlooks a part of it.
fn forget(snapshot: &mut Snapshot, sabotage: Option<Sabotage>) {
    match sabotage {
        Some(Sabotage::ListedCallGoesOn) => snapshot.guards.iter_mut().for_each(unmark),
        Some(Sabotage::AgentsUnseen) => snapshot.agents.retain(|a| !a.row.is_free()),
        _ => {}
    }
}

/// A guard as it would be if nobody had marked the call that lives on its number.
fn unmark(guard: &mut Guard) {
    if let GuardValue::Number(number) = &mut guard.value {
        number.stop = None;
    }
}

/// Expects whatever version a row has: one more each time it was too few.
fn force(changes: &mut Changes, stale: &[RowKey]) {
    for key in stale {
        match key {
            RowKey::Call(id) => {
                changes.calls.iter_mut().filter(|(p, _)| p.row.id == *id).for_each(|(p, _)| p.expected += 1)
            }
            RowKey::Lead(id) => changes.leads.iter_mut().filter(|p| p.row.id == *id).for_each(|p| p.expected += 1),
            RowKey::Agent(id) => changes.agents.iter_mut().filter(|p| p.row.id == *id).for_each(|p| p.expected += 1),
            RowKey::Campaign(id) => {
                changes.campaigns.iter_mut().filter(|p| p.row.id == *id).for_each(|p| p.expected += 1)
            }
            RowKey::Guard(guard) => {
                changes.guards.iter_mut().filter(|p| p.row.key == *guard).for_each(|p| p.expected += 1);
            }
        }
    }
    changes.checks.clear();
    let settled: Vec<CallId> =
        stale.iter().filter_map(|k| if let RowKey::Call(id) = k { Some(*id) } else { None }).collect();
    changes.records.retain(|r| !settled.contains(&r.call));
}

#[async_trait]
impl Store for ShakyStore {
    async fn call(&self, id: CallId) -> Result<Snapshot, StoreError> {
        self.before().await?;
        let mut read = self.inner.call(id).await;
        let sabotage = self.hub.lock().sabotage;
        if let Ok(snapshot) = &mut read {
            forget(snapshot, sabotage);
        }
        self.hub.point().await;
        read
    }
    async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        self.before().await?;
        let mut read = self.inner.campaign(id).await;
        let sabotage = self.hub.lock().sabotage;
        if let Ok(view) = &mut read {
            blind(view, sabotage);
        }
        self.hub.point().await;
        read
    }
    async fn agent(&self, id: autocall_core::AgentId) -> Result<AgentView, StoreError> {
        self.before().await?;
        let read = self.inner.agent(id).await;
        self.hub.point().await;
        read
    }
    async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError> {
        self.before().await?;
        let wanted = changes;
        let mut changes = changes.clone();
        self.twist(&mut changes);
        if self.sabotaged(Sabotage::EffectsBeforeCommit) && !changes.permits.is_empty() {
            // The permits are out; whether the rows follow is another matter.
            let permits = changes.committed(Vec::new());
            if !self.hub.fault(|t| t.store_fails * 4.0) {
                let _ = self.inner.commit(&changes).await;
            }
            return Ok(permits);
        }
        let committed = self.write(&mut changes).await?;
        self.note(wanted);
        self.hub.point().await;
        if self.hub.fault(|t| t.store_fails) {
            return Err(StoreError::Unavailable("injected after the write".into()));
        }
        Ok(committed)
    }
    async fn candidate(&self, lead: autocall_core::LeadId, now: Timestamp) -> Result<Candidate, StoreError> {
        self.before().await?;
        let mut read = self.inner.candidate(lead, now).await;
        if self.sabotaged(Sabotage::ListUnread)
            && let Ok(candidate) = &mut read
        {
            unlist(candidate);
        }
        self.hub.point().await;
        read
    }
    async fn candidates(&self, campaign: CampaignId, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.before().await?;
        let mut read = self.inner.candidates(campaign, now, limit).await;
        if self.sabotaged(Sabotage::ListUnread)
            && let Ok(candidates) = &mut read
        {
            candidates.iter_mut().for_each(unlist);
        }
        self.hub.point().await;
        read
    }
    async fn due(&self, now: Timestamp, hidden_until: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        self.before().await?;
        let read = self.inner.due(now, hidden_until, limit).await;
        self.hub.point().await;
        read
    }
}

/// The carrier behind a bad network.
pub(super) struct ShakyCarrier {
    pub(super) inner: Arc<SimCarrier>,
    pub(super) hub: Hub,
    /// The node's own clock, with its error.
    pub(super) clock: SimClock,
}

impl ShakyCarrier {
    fn sabotaged(&self, which: Sabotage) -> bool {
        self.hub.lock().sabotage == Some(which)
    }

    /// A permit that was redeemed too late, judged by the true time.
    fn judge_permit(&self, line: Line) {
        let mut hub = self.hub.lock();
        let now = hub.now();
        let life = autocall_core::call::PERMIT_TTL + Millis::from_secs(2);
        match hub.minted.get(&line).copied() {
            Some(minted) if now - minted.at > life => {
                let what = format!("{line} was dialled {} after its permit was minted", now - minted.at);
                hub.break_(what);
            }
            Some(_) => {}
            None => {
                let what = format!("{line} was dialled before anything was committed");
                hub.break_(what);
            }
        }
    }
}

#[async_trait]
impl Telephony for ShakyCarrier {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        self.hub.point().await;
        if !self.sabotaged(Sabotage::ImmortalPermit) {
            permit.redeem(self.clock.now()).map_err(|_| DialError::Refused(Refusal::Expired))?;
        }
        if self.hub.fault(|t| t.refuse) {
            return Err(DialError::Refused(Refusal::Busy { retry_after_ms: 1_000 }));
        }
        let doubt = self.hub.fault(|t| t.doubt);
        if doubt && self.hub.fault(|_| 0.5) {
            return Err(DialError::InDoubt("the request was lost".into()));
        }
        self.judge_permit(dial.line);
        let provider = self.inner.place(dial);
        self.hub.point().await;
        if doubt {
            if self.sabotaged(Sabotage::RedialOnDoubt) {
                return Ok(self.inner.place(dial));
            }
            return Err(DialError::InDoubt("the answer was lost".into()));
        }
        Ok(provider)
    }

    async fn steer(&self, line: Line, leg: &ProviderRef, account: &str, script: &Script) -> Result<(), TelephonyError> {
        self.hub.point().await;
        if self.hub.fault(|t| t.unavailable) {
            return Err(TelephonyError::Unavailable("injected".into()));
        }
        let done = self.inner.steer(line, leg, account, script).await;
        self.hub.point().await;
        if self.hub.fault(|t| t.unavailable) {
            return Err(TelephonyError::Unavailable("injected after it was done".into()));
        }
        done
    }

    async fn lookup(
        &self,
        line: Line,
        account: &str,
        known: Option<&ProviderRef>,
        since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        self.hub.point().await;
        if self.hub.fault(|t| t.unavailable) {
            return Err(TelephonyError::Unavailable("injected".into()));
        }
        let wrong = self.hub.fault(|t| t.wrong_lookup);
        let seen = if wrong { Sighting::Absent } else { self.inner.lookup(line, account, known, since).await? };
        self.hub.point().await;
        if seen == Sighting::Absent && self.sabotaged(Sabotage::SingleNegativeLookup) {
            let end = End { cause: EndCause::Failed, at: self.clock.now() };
            return Ok(Sighting::Seen(LegFacts { end: Some(end), ..LegFacts::default() }));
        }
        Ok(seen)
    }
}
