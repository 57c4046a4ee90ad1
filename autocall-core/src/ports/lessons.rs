//! Where what pacing has learned is kept. Losing it costs a cold start, so it stands apart from
//! what must be exact.

use super::StoreError;
use crate::id::CampaignId;
use crate::time::Timestamp;
use async_trait::async_trait;

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Its version, from 1.
    pub version: u64,
    /// What a strategy's checkpoint wrote; under 64 KB.
    pub learned: Vec<u8>,
}

/// Lessons of campaigns, one row each.
#[async_trait]
pub trait Lessons: Send + Sync {
    /// What is stored about a campaign.
    async fn load(&self, campaign: CampaignId) -> Result<Option<Lesson>, StoreError>;

    /// Stores it if the stored version is still `expected` (0: nothing stored), as version
    /// `expected + 1`. False, and nothing is written, where another node was faster.
    async fn save(
        &self,
        campaign: CampaignId,
        learned: &[u8],
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
