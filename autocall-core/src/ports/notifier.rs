//! The notifier port: tells people that something changed. Notes only wake; whoever needs to be
//! exact reads committed rows.

use crate::id::{AgentId, CallId, CampaignId};
use crate::pacing::Why;

/// Something changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A call moved.
    Call {
        /// Which.
        call: CallId,
        /// Of which campaign.
        campaign: CampaignId,
        /// Its stage now.
        stage: &'static str,
    },
    /// An agent moved.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// An agent is being asked to take a call: the console shows the lead.
    Offer {
        /// Who.
        agent: AgentId,
        /// Which call.
        call: CallId,
    },
    /// A campaign changed.
    Campaign {
        /// Which.
        campaign: CampaignId,
    },
    /// A campaign was planned.
    Planned {
        /// Which.
        campaign: CampaignId,
        /// How many calls were dialled.
        dialled: u32,
        /// Why so many.
        why: Why,
    },
    /// Something needs a person's attention.
    Alarm {
        /// Which campaign.
        campaign: CampaignId,
        /// What; never personal data.
        what: String,
    },
}

/// Tells people. Infallible, never blocks; losing a note is allowed.
pub trait Notifier: Send + Sync {
    /// Something changed.
    fn notify(&self, note: &Note);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Notifier for Silent {
    fn notify(&self, _note: &Note) {}
}
