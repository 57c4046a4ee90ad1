//! The one write primitive's argument: everything that changes together.

use super::guard::{Guard, GuardKey, GuardValue};
use super::telephony::{DialPermit, Line};
use crate::agent::Agent;
use crate::call::{Call, Load, Record};
use crate::campaign::Campaign;
use crate::id::{AgentId, CallId, CampaignId, LeadId, TenantId};
use crate::lead::Lead;
use crate::pacing::LedgerDelta;
use crate::phone::Phone;
use crate::planning::counts::Counts;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::sync::Arc;

/// A row to write: it is written only if its present version is `expected` (0: there is none),
/// and has version `expected + 1` afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Put<T> {
    /// The row as it shall be.
    pub row: T,
    /// The version that it must have now.
    pub expected: u64,
}

/// Names a row that a commit may find stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A call.
    Call(CallId),
    /// A lead.
    Lead(LeadId),
    /// An agent.
    Agent(AgentId),
    /// A campaign.
    Campaign(CampaignId),
    /// A guard.
    Guard(GuardKey),
}

/// A row that is only read: the commit fails if its version is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which row.
    pub key: RowKey,
    /// The version that it must have.
    pub version: u64,
}

/// Leads by state; in a [`Tally`] as differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LeadCounts {
    /// Waiting to be called.
    pub open: i64,
    /// In a call.
    pub calling: i64,
    /// Not to be called any more.
    pub closed: i64,
}

impl LeadCounts {
    /// What one lead counts for.
    pub fn of(lead: &Lead) -> LeadCounts {
        match lead.state {
            crate::lead::State::Open => LeadCounts { open: 1, ..LeadCounts::default() },
            crate::lead::State::Calling { .. } => LeadCounts { calling: 1, ..LeadCounts::default() },
            crate::lead::State::Closed { .. } => LeadCounts { closed: 1, ..LeadCounts::default() },
        }
    }
    /// Adds `other`, `times` over.
    pub fn add(&mut self, other: &LeadCounts, times: i64) {
        self.open += other.open * times;
        self.calling += other.calling * times;
        self.closed += other.closed * times;
    }
}

/// Differences of a campaign's counts. They commute, so they carry no version: any number of
/// nodes add to one row without conflict. They are never computed from a reading of the sum.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tally {
    /// Calls in flight.
    pub load: Load,
    /// Leads by state.
    pub leads: LeadCounts,
    /// The abandonment ledger.
    pub ledger: SmallVec<[LedgerDelta; 2]>,
    /// What settled calls cost, millionths ([`crate::cost`]).
    pub spent_micros: i64,
    /// What quotas have counted. (Leads by what they wait for and by lane are counted by the store
    /// itself, from the rows that it writes.)
    pub counts: Counts,
}

/// A number to be put on a tenant's own do-not-call list. The store writes the entry, then (after
/// any guard written by the same commit) marks and advances the number's guard with
/// [`Listing::mark`], so that no permit can be minted on an older reading; and makes the call that
/// lives on it, if one was marked, due at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The number.
    pub phone: Phone,
    /// Only for this campaign; for the whole tenant where absent.
    pub campaign: Option<CampaignId>,
    /// Why: `opt-out`, `agent`, `upload`, …
    pub reason: Arc<str>,
    /// From where it came: a call, a file, a person.
    pub source: Arc<str>,
    /// Until when; for ever where absent.
    pub until: Option<Timestamp>,
}

impl Listing {
    /// Marks a number's guard. `campaign_of` tells to which campaign a call belongs. Returns the
    /// call that lives on the number and must end: the store makes it due and reports it in
    /// [`Committed::live`].
    pub fn mark(&self, guard: &mut Guard, campaign_of: impl FnOnce(CallId) -> Option<CampaignId>) -> Option<CallId> {
        let GuardValue::Number(number) = &mut guard.value else { return None };
        let live = number.live?;
        let applies = self.campaign.is_none() || self.campaign == campaign_of(live);
        if applies {
            number.stop = Some(live);
        }
        applies.then_some(live)
    }
}

/// What an agent said about a settled call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposed {
    /// Which call.
    pub call: CallId,
    /// Who said it.
    pub agent: Option<AgentId>,
    /// The disposition's code.
    pub code: Arc<str>,
    /// Whether it counts as a success.
    pub success: bool,
    /// When.
    pub at: Timestamp,
}

/// Everything that changes together: all of it is written, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// Whose rows; every row must be this tenant's.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// Calls, each with when to look at it next.
    pub calls: SmallVec<[(Put<Call>, Timestamp); 1]>,
    /// Leads.
    pub leads: SmallVec<[Put<Lead>; 1]>,
    /// Agents.
    pub agents: SmallVec<[Put<Agent>; 1]>,
    /// Campaigns.
    pub campaigns: SmallVec<[Put<Campaign>; 1]>,
    /// Guards; `row.version` is ignored, `expected` counts.
    pub guards: SmallVec<[Put<Guard>; 2]>,
    /// Rows that must not have changed.
    pub checks: SmallVec<[Check; 2]>,
    /// Differences of campaigns' counts.
    pub tallies: SmallVec<[(CampaignId, Tally); 1]>,
    /// Numbers that settled calls have shown, and whether anybody or anything picked up. Sums that
    /// commute, over all campaigns of the tenant.
    pub shown: SmallVec<[(Phone, bool); 1]>,
    /// Records of calls that settle with this commit. A second record of one call is a conflict.
    pub records: SmallVec<[Record; 1]>,
    /// What agents said.
    pub disposed: SmallVec<[Disposed; 1]>,
    /// Numbers to list.
    pub listings: SmallVec<[Listing; 1]>,
    /// When to look at campaigns again. Carries no version: it decides nothing.
    pub wakes: SmallVec<[(CampaignId, Timestamp); 1]>,
    /// Lines that may be dialled once this is committed, and until when.
    pub permits: SmallVec<[(Line, Timestamp); 1]>,
}

impl Changes {
    /// Nothing yet.
    pub fn new(tenant: TenantId, at: Timestamp) -> Changes {
        Changes {
            tenant,
            at,
            calls: SmallVec::new(),
            leads: SmallVec::new(),
            agents: SmallVec::new(),
            campaigns: SmallVec::new(),
            guards: SmallVec::new(),
            checks: SmallVec::new(),
            tallies: SmallVec::new(),
            shown: SmallVec::new(),
            records: SmallVec::new(),
            disposed: SmallVec::new(),
            listings: SmallVec::new(),
            wakes: SmallVec::new(),
            permits: SmallVec::new(),
        }
    }
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.leads.is_empty()
            && self.agents.is_empty()
            && self.campaigns.is_empty()
            && self.guards.is_empty()
            && self.tallies.is_empty()
            && self.shown.is_empty()
            && self.records.is_empty()
            && self.disposed.is_empty()
            && self.listings.is_empty()
            && self.wakes.is_empty()
    }
    /// The tally of a campaign, made if there is none yet.
    pub fn tally(&mut self, campaign: CampaignId) -> &mut Tally {
        if let Some(i) = self.tallies.iter().position(|(c, _)| *c == campaign) {
            return &mut self.tallies[i].1;
        }
        self.tallies.push((campaign, Tally::default()));
        let last = self.tallies.len() - 1;
        &mut self.tallies[last].1
    }
    /// What the caller of a commit gets. For stores: call it once, after the changes are durable,
    /// with the calls that live on numbers listed by this commit. The only place where permits
    /// are minted.
    pub fn committed(&self, live: Vec<CallId>) -> Committed {
        let permits = self.permits.iter().map(|&(line, expires_at)| DialPermit::mint(line, expires_at)).collect();
        Committed { permits, live }
    }
}

/// What a commit returns.
#[derive(Debug, Default)]
pub struct Committed {
    /// One permit for each line asked for, in order.
    pub permits: Vec<DialPermit>,
    /// Calls that live on numbers which this commit listed.
    pub live: Vec<CallId>,
}
