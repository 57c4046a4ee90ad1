//! What pacing has learned, one row for each campaign.

use crate::db::{Backend, Scope, SqlError};
use crate::keys::SqlStore;
use async_trait::async_trait;
use autocall_core::ports::{Lesson, Lessons, StoreError};
use autocall_core::{CampaignId, Timestamp};

impl<B: Backend> SqlStore<B> {
    async fn lesson(&self, campaign: CampaignId) -> Result<Option<Lesson>, SqlError> {
        let tenant = campaign.tenant();
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let sql = "SELECT version, learned FROM campaign_lessons WHERE tenant = $1 AND campaign = $2";
        let row = tx.row(sql, &[tenant.into(), campaign.key().into()]).await?;
        row.map(|r| Ok(Lesson { version: r.count(0)?, learned: r.blob(1)?.to_vec() })).transpose()
    }

    async fn learn(
        &self,
        campaign: CampaignId,
        learned: &[u8],
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, SqlError> {
        let tenant = campaign.tenant();
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let sql = if expected == 0 {
            "INSERT INTO campaign_lessons (tenant, campaign, version, at, learned) VALUES ($1, $2, $3 + 1, $4, $5) \
             ON CONFLICT (tenant, campaign) DO NOTHING"
        } else {
            "UPDATE campaign_lessons SET version = $3 + 1, at = $4, learned = $5 \
             WHERE tenant = $1 AND campaign = $2 AND version = $3"
        };
        let version = i64::try_from(expected).map_err(|_| SqlError::Missing("lesson".into()))?;
        let args = [tenant.into(), campaign.key().into(), version.into(), now.into(), learned.to_vec().into()];
        let written = tx.run(sql, &args).await?;
        tx.commit().await?;
        Ok(written == 1)
    }
}

#[async_trait]
impl<B: Backend> Lessons for SqlStore<B> {
    async fn load(&self, campaign: CampaignId) -> Result<Option<Lesson>, StoreError> {
        Ok(self.lesson(campaign).await?)
    }

    async fn save(
        &self,
        campaign: CampaignId,
        learned: &[u8],
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.learn(campaign, learned, expected, now).await?)
    }
}
