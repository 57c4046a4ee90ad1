//! Preview: an agent sees the next lead, and dials it or lets it be. Nobody else is shown or
//! dialled for the lead meanwhile.

use super::permit::Denied;
use super::plan::Batch;
use super::tick::CANDIDATES_MAX;
use super::{CONFLICTS_MAX, Engine, EngineError, decide};
use crate::agent::{Agent, Shown};
use crate::campaign::Campaign;
use crate::id::{AgentId, CampaignId, LeadId};
use crate::lead::LeadEvent;
use crate::ports::{CampaignView, Candidate, Changes, Put, StoreError, Versioned};
use crate::settings::TransferMode;
use crate::time::{Millis, Timestamp};

/// How long a lead stays with the agent who looks at it.
pub const SHOWN_FOR: Millis = Millis::from_mins(3);

/// Why a lead that somebody looks at is not dialled for others.
const RULE: &str = "preview";

impl Engine {
    /// Shows an agent the next lead of a campaign that may be called. Asked again, it is the same
    /// lead until it was dialled ([`Engine::dial_for`]), skipped, or [`SHOWN_FOR`] has passed.
    pub async fn show_next(&self, campaign: CampaignId, agent: AgentId) -> Result<LeadId, EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let view = self.store.campaign(campaign).await?;
            let now = self.now();
            let found = self.store.agent(agent).await?.agent;
            fits(&view, &found.row, now)?;
            if let Some(shown) = found.row.shown_at(now)
                && self.store.candidate(shown, now).await.is_ok_and(|c| c.lead.row.campaign == campaign)
            {
                return Ok(shown);
            }
            let candidates = self.store.candidates(campaign, now, CANDIDATES_MAX).await?;
            let mut batch = Batch::new(&view, now);
            let next = candidates.iter().find(|c| self.may_show(&mut batch, &view.campaign.row, c, agent, now));
            let lead = next.map(|c| c.lead.row.id);
            if let Some(candidate) = next {
                let until = now + SHOWN_FOR;
                batch.deny(candidate, Denied { rule: RULE.into(), until });
                let shown = Some(Shown { lead: candidate.lead.row.id, until });
                let row = Agent { shown, ..found.row.clone() };
                batch.changes.agents.push(Put { row, expected: found.version });
            }
            if batch.changes.is_empty() {
                return Err(EngineError::NotNow("no lead may be called now"));
            }
            match self.commit(&batch.changes).await {
                Ok(_) => return lead.ok_or(EngineError::NotNow("no lead may be called now")),
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Whether the lead may be called, by this agent; a verdict against it is kept.
    fn may_show(
        &self,
        batch: &mut Batch<'_>,
        campaign: &Campaign,
        candidate: &Candidate,
        agent: AgentId,
        now: Timestamp,
    ) -> bool {
        // An appointment with somebody else is theirs to keep.
        if candidate.lead.row.callback.and_then(|c| c.agent).is_some_and(|own| own != agent) {
            return false;
        }
        let denied = batch.quota_denies(&candidate.lead.row);
        let denied = denied.or_else(|| self.permission.judge(candidate, campaign, now).err());
        let may = denied.is_none();
        if let Some(denied) = denied {
            batch.deny(candidate, denied);
        }
        may
    }

    /// The agent lets the lead that they are shown be; it comes up again after `again_in`.
    pub async fn skip(&self, agent: AgentId, again_in: Millis) -> Result<(), EngineError> {
        for _ in 0..CONFLICTS_MAX {
            let now = self.now();
            let found = self.store.agent(agent).await?.agent;
            let Some(shown) = found.row.shown_at(now) else {
                return Err(EngineError::NotNow("the agent is not shown a lead"));
            };
            let lead = self.store.candidate(shown, now).await?.lead;
            let settings = self.store.campaign(lead.row.campaign).await?.campaign.row.settings.clone();
            let mut changes = Changes::new(agent.tenant(), now);
            let mut row = lead.row.clone();
            let until = now + again_in.max(Millis::from_secs(1));
            if row.is_open() && row.handle(&LeadEvent::Denied { rule: "skipped".into(), until }, &settings, now) {
                decide::put_lead(&lead, row, &mut changes);
            }
            changes.agents.push(Put { row: Agent { shown: None, ..found.row.clone() }, expected: found.version });
            match self.commit(&changes).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }
}

/// Whether the agent may work in this campaign now.
pub(super) fn fits(view: &CampaignView, agent: &Agent, now: Timestamp) -> Result<(), EngineError> {
    if !view.campaign.row.dials(now) {
        return Err(EngineError::NotNow("the campaign does not dial"));
    }
    let ours = view.pools.iter().any(|p| p.pool == agent.pool);
    if !agent.is_free() || !ours {
        return Err(EngineError::NotNow("the agent is not free for this campaign"));
    }
    if !can_take(agent, view.campaign.row.settings.transfer.mode) {
        return Err(EngineError::NotNow("the agent's line is not up"));
    }
    Ok(())
}

/// Whether a call could be put through to the agent: free, and standing where agents must stand.
pub(super) fn can_take(agent: &Agent, mode: TransferMode) -> bool {
    agent.is_free() && (mode == TransferMode::OnDemand || agent.is_standing())
}

/// Whether somebody else is looking at the lead.
pub(super) fn is_anothers(candidate: &Candidate, agent: &Versioned<Agent>, now: Timestamp) -> bool {
    let lead = &candidate.lead.row;
    let locked = lead.blocked_by.as_deref() == Some(RULE) && now < lead.due_at;
    locked && agent.row.shown_at(now) != Some(lead.id)
}
