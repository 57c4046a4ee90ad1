//! Giving leads their places before they are called, and saying what would become of them.

use super::permit::{Denied, Opinion};
use super::{CONFLICTS_MAX, Engine, EngineError, decide};
use crate::campaign::Campaign;
use crate::id::{CampaignId, LeadId};
use crate::lead::{Lead, LeadEvent};
use crate::planning::counts::hour_of;
use crate::planning::filing::Filing;
use crate::ports::{Candidate, Changes, Guard, GuardKey, Lists, RowKey, StoreError, Versioned};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most leads that one pre-flight judges.
pub const PREFLIGHT_MAX: u32 = 500;

/// Leads of a refiling that one commit writes.
const REFILE_BATCH: usize = 200;

/// What the rules say about a lead.
#[derive(Clone, Debug)]
pub struct LeadExplained {
    /// The lead.
    pub lead: Versioned<Lead>,
    /// Which of its numbers would be called now; `None` where none may be.
    pub number_index: Option<u8>,
    /// The denial that ends first over its numbers, if it may not be called now.
    pub denied: Option<Denied>,
    /// What every rule says, number by number.
    pub opinions: Vec<Opinion>,
}

/// What would be dialled, of the leads that are due: a sample, judged one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preflight {
    /// Leads judged.
    pub judged: u64,
    /// Of them callable now.
    pub now: u64,
    /// The others by the rule that denies them: how many until some time, how many for good.
    pub by_rule: BTreeMap<Arc<str>, (u64, u64)>,
    /// How many become callable in each hour, in hours since 1970.
    pub by_hour: BTreeMap<i64, u64>,
}

impl Engine {
    /// Gives a lead that is about to be added its place. One that the rules deny already, whatever
    /// its history may turn out to be, waits until they do not: nobody looks at it in vain.
    pub fn file(&self, lead: &mut Lead, campaign: &Campaign, filing: &Filing, now: Timestamp) {
        filing.file(lead);
        if !lead.is_open() || lead.is_parked() || lead.due_at > now {
            return;
        }
        if let Err(denied) = self.permission.judge(&untried(lead, campaign), campaign, now) {
            let event = LeadEvent::Denied { rule: denied.rule, until: denied.until };
            lead.handle(&event, &campaign.settings, now);
        }
    }

    /// Gives leads their places anew after a change of the settings. A lead that somebody else
    /// writes meanwhile is read again. Returns how many have another place now.
    ///
    /// Leads that a rule, a quota or the filter kept waiting, and that have no other time of their
    /// own, are due again: the next look judges them by the new settings.
    pub async fn refile(&self, leads: Vec<Versioned<Lead>>, campaign: &Campaign) -> Result<u32, EngineError> {
        let filing = Filing::of(&campaign.settings)
            .map_err(|_| EngineError::NotNow("the campaign's expressions do not compile"))?;
        let mut moved = 0;
        for chunk in leads.chunks(REFILE_BATCH) {
            moved += self.refile_chunk(chunk.to_vec(), campaign, &filing).await?;
        }
        Ok(moved)
    }

    async fn refile_chunk(
        &self,
        mut leads: Vec<Versioned<Lead>>,
        campaign: &Campaign,
        filing: &Filing,
    ) -> Result<u32, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let now = self.now();
            let mut changes = Changes::new(campaign.id.tenant(), now);
            for lead in &leads {
                let mut row = lead.row.clone();
                filing.file(&mut row);
                let free = row.is_open() && row.blocked_by.is_some() && row.due_at > now;
                if free && !row.is_parked() && row.callback.is_none() {
                    row.blocked_by = None;
                    row.due_at = now;
                }
                if row != lead.row {
                    decide::put_lead(lead, row, &mut changes);
                }
            }
            if changes.is_empty() {
                return Ok(0);
            }
            changes.wakes.push((campaign.id, now));
            let moved = changes.leads.len() as u32;
            match self.commit(&changes).await {
                Ok(_) => return Ok(moved),
                Err(StoreError::Conflict { stale }) => {
                    for lead in leads.iter_mut().filter(|l| stale.contains(&RowKey::Lead(l.row.id))) {
                        *lead = self.store.candidate(lead.row.id, now).await?.lead;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Whether a lead may be called at this moment, and what every rule says about it. Nothing is
    /// written.
    pub async fn explain_lead(&self, lead: LeadId) -> Result<LeadExplained, EngineError> {
        let now = self.now();
        let candidate = self.store.candidate(lead, now).await?;
        let campaign = self.store.campaign(candidate.lead.row.campaign).await?.campaign.row;
        let verdict = self.permission.judge(&candidate, &campaign, now);
        Ok(LeadExplained {
            number_index: verdict.as_ref().ok().map(|allowed| allowed.number_index),
            denied: verdict.err(),
            opinions: self.permission.explain(&candidate, &campaign, now),
            lead: candidate.lead,
        })
    }

    /// Judges the leads that are due, at most [`PREFLIGHT_MAX`] of them, as they would be if the
    /// campaign started now. Nothing is written.
    pub async fn preflight(&self, campaign: CampaignId) -> Result<Preflight, EngineError> {
        let now = self.now();
        let view = self.store.campaign(campaign).await?;
        let mut out = Preflight::default();
        for candidate in self.store.candidates(campaign, now, PREFLIGHT_MAX).await? {
            out.judged += 1;
            match self.permission.judge(&candidate, &view.campaign.row, now) {
                Ok(_) => out.now += 1,
                Err(denied) => {
                    let (later, never) = out.by_rule.entry(denied.rule).or_default();
                    match hour_of(denied.until) {
                        Some(hour) => {
                            *later += 1;
                            *out.by_hour.entry(hour).or_default() += 1;
                        }
                        None => *never += 1,
                    }
                }
            }
        }
        Ok(out)
    }
}

/// A lead as if neither its numbers nor its person had ever been called, and on no list.
fn untried(lead: &Lead, campaign: &Campaign) -> Candidate {
    let tenant = lead.id.tenant();
    let person = GuardKey::Person { person: lead.person_key, subject: campaign.settings.subject.clone() };
    let numbers = lead.numbers.iter().map(|n| GuardKey::Number(n.phone));
    Candidate {
        guards: numbers.chain([person, GuardKey::Epoch]).map(|key| Guard::fresh(tenant, key)).collect(),
        lists: lead.numbers.iter().map(|_| Lists::default()).collect(),
        lead: Versioned { row: lead.clone(), version: 0 },
    }
}
