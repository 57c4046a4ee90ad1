//! The life of data: retention, export, keys.

use super::{Where, after_key, after_number, one_more, page_of};
use crate::commit::uuids;
use crate::db::{Backend, Conn, Row, Scope, SqlError};
use crate::keys::{KEY_REST_MS, SqlStore};
use crate::seal::{TenantKeys, fresh_secret};
use crate::tables::{self, LEAD_COLUMNS, LEAD_JOIN};
use async_trait::async_trait;
use autocall_core::ports::catalog::{
    Audits, CampaignBook, CatalogError, Cursor, ErasedPerson, Erasure, ExportPart, Lifecycle, Page, PageAsk, Recording,
    Roster, Subject, SuppressTarget, SuppressionBook, Swept, Tenants,
};
use autocall_core::{Millis, TenantId, Timestamp};
use serde_json::json;
use uuid::Uuid;

fn value<T: serde::Serialize>(row: &T) -> serde_json::Value {
    serde_json::to_value(row).unwrap_or_default()
}

impl<B: Backend> SqlStore<B> {
    async fn sweep_leads(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, SqlError> {
        let sql = format!(
            "SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE l.tenant = $1 AND q.state = 'closed' AND q.changed_at < $2 \
             AND NOT EXISTS (SELECT 1 FROM calls_live c WHERE c.tenant = l.tenant AND c.lead = l.id) \
             ORDER BY q.changed_at LIMIT $3{}",
            self.dialect().lock_q()
        );
        let rows = tx.rows(&sql, &[tenant.into(), before.into(), limit.into()]).await?;
        let leads = super::book::leads_from(keys, tenant, &rows)?;
        super::erase::remove_leads(tx, tenant, &leads, before).await?;
        Ok(leads.len() as u64)
    }

    async fn sweep_calls(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, SqlError> {
        let sql = "SELECT id FROM calls_done WHERE tenant = $1 AND created_at < $2 ORDER BY created_at LIMIT $3";
        let rows = tx.rows(sql, &[tenant.into(), before.into(), limit.into()]).await?;
        let keys: Vec<Uuid> = rows.iter().map(|r| r.uuid(0)).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Ok(0);
        }
        // A recording whose call nobody can find could be erased for nobody any more.
        let sql = format!(
            "UPDATE recordings SET made_at = 0 WHERE tenant = $1 AND {}",
            self.dialect().any("call", 2, "uuid")
        );
        tx.run(&sql, &[tenant.into(), uuids(keys.iter().copied())]).await?;
        for (table, key) in [("records", "call"), ("dispositions", "call"), ("calls_done", "id")] {
            let sql = format!("DELETE FROM {table} WHERE tenant = $1 AND {}", self.dialect().any(key, 2, "uuid"));
            tx.run(&sql, &[tenant.into(), uuids(keys.iter().copied())]).await?;
        }
        Ok(keys.len() as u64)
    }

    async fn old_recordings(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        made: std::ops::Range<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Recording>, SqlError> {
        let sql = "SELECT call, provider, length_ms, made_at, sealed FROM recordings WHERE tenant = $1 \
                   AND made_at >= $2 AND made_at < $3 ORDER BY made_at LIMIT $4";
        let rows = tx.rows(sql, &[tenant.into(), made.start.into(), made.end.into(), limit.into()]).await?;
        rows.iter().map(|r| super::calls::recording_from(keys, tenant, r)).collect()
    }

    async fn export_leads(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<serde_json::Value>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut w = Where::new("l.tenant", tenant);
        w.and("l.id > {}", after_key(page)?);
        let n = w.arg(one_more(page));
        let sql = format!("SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE {} ORDER BY l.id LIMIT {n}", w.sql);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let leads = super::book::leads_from(&keys, tenant, &tx.rows(&sql, &w.args).await?)?;
        Ok(page_of(leads, page, |l| l.row.id.key().simple().to_string()).map(|l| value(&l.row)))
    }

    async fn export_records(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<serde_json::Value>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let sql = "SELECT place, call, sealed FROM records WHERE tenant = $1 AND place > $2 ORDER BY place LIMIT $3";
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &[tenant.into(), after_number(page, 0)?.into(), one_more(page).into()]).await?;
        let one = |r: &Row| -> Result<_, SqlError> { Ok((r.int(0)?, tables::record_from(&keys, r, 1)?)) };
        let found = rows.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |(place, _)| place.to_string()).map(|(_, r)| value(&r)))
    }
}

#[async_trait]
impl<B: Backend> Lifecycle for SqlStore<B> {
    async fn sweep(&self, tenant: TenantId, now: Timestamp, limit: u32) -> Result<Swept, CatalogError> {
        let retention = self.tenant(tenant).await?.row.retention;
        let keys = self.keys(tenant).await?;
        let before = |span: Option<Millis>| span.map(|s| now - s);
        let limit = limit.min(10_000);
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let mut swept = Swept::default();
        if let Some(before) = before(retention.leads_ms) {
            swept.leads = self.sweep_leads(&mut *tx, &keys, tenant, before, limit).await?;
        }
        if let Some(before) = before(retention.calls_ms) {
            swept.calls = self.sweep_calls(&mut *tx, tenant, before, limit).await?;
        }
        // Those of erased persons first, however long the others are kept; apart, so that one that
        // cannot be deleted yet does not stand before the others.
        let doomed = Timestamp::EPOCH..Timestamp::from_ms(1);
        swept.recordings = self.old_recordings(&mut *tx, &keys, tenant, doomed, limit).await?;
        if let Some(before) = before(retention.recordings_ms) {
            let old = Timestamp::from_ms(1)..before;
            swept.recordings.extend(self.old_recordings(&mut *tx, &keys, tenant, old, limit).await?);
        }
        for (table, n) in [("kept", &mut swept.kept), ("documents", &mut swept.documents)] {
            let sql = format!("DELETE FROM {table} WHERE tenant = $1 AND until <= $2");
            *n = tx.run(&sql, &[tenant.into(), now.into()]).await?;
        }
        tx.commit().await?;
        Ok(swept)
    }

    async fn export_person(&self, tenant: TenantId, subject: &Subject) -> Result<serde_json::Value, CatalogError> {
        self.person_json(tenant, subject).await
    }

    async fn export_tenant(
        &self,
        tenant: TenantId,
        part: ExportPart,
        page: &PageAsk,
    ) -> Result<Page<serde_json::Value>, CatalogError> {
        Ok(match part {
            ExportPart::Tenant if page.after.is_none() => {
                Page { items: vec![value(&self.tenant(tenant).await?.row)], next: None }
            }
            ExportPart::Tenant => Page { items: Vec::new(), next: None },
            ExportPart::Campaigns => self.campaigns(tenant, None, page).await?.map(|c| value(&*c.campaign.row)),
            ExportPart::Leads => self.export_leads(tenant, page).await?,
            ExportPart::Records => self.export_records(tenant, page).await?,
            ExportPart::Agents => self.agents(tenant, None, page).await?.map(|a| value(&a.row)),
            ExportPart::Suppressions => self.suppressions(tenant, page).await?.map(|s| {
                let target = match &s.target {
                    Some(SuppressTarget::Number(phone)) => json!({ "number": phone.e164() }),
                    Some(SuppressTarget::Prefix(digits)) => json!({ "prefix": digits }),
                    None => json!({ "erased": s.key }),
                };
                json!({ "target": target, "campaign": s.campaign, "reason": s.reason, "source": s.source,
                        "until": s.until, "added_at": s.added_at })
            }),
            ExportPart::Audit => self.audit_log(tenant, &Default::default(), page).await?.map(|e| value(&e)),
        })
    }

    async fn erase(&self, tenant: TenantId, erasure: &Erasure) -> Result<ErasedPerson, CatalogError> {
        self.erase_person(tenant, erasure).await
    }

    async fn erasures(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<String>, CatalogError> {
        let sql = "SELECT n, token FROM erasures WHERE tenant = $1 AND n > $2 ORDER BY n LIMIT $3";
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &[tenant.into(), after_number(page, 0)?.into(), one_more(page).into()]).await?;
        let one = |r: &Row| -> Result<_, SqlError> { Ok((r.int(0)?, r.text(1)?.to_owned())) };
        let found = rows.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |(n, _)| n.to_string()).map(|(_, token)| token))
    }

    async fn replay_erasure(&self, tenant: TenantId, token: &str, at: Timestamp) -> Result<ErasedPerson, CatalogError> {
        self.replay(tenant, token, at).await
    }

    async fn kept(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<serde_json::Value>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let sql =
            "SELECT id, what, citation, until, sealed FROM kept WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &[tenant.into(), after_key(page)?.into(), one_more(page).into()]).await?;
        let one = |r: &Row| -> Result<_, SqlError> {
            let data = keys.open("kept", r.uuid(0)?.as_bytes(), r.blob(4)?)?;
            let data: serde_json::Value = serde_json::from_slice(&data).unwrap_or_default();
            let item = json!({ "what": r.text(1)?, "citation": r.text(2)?, "until": r.at(3)?, "data": data });
            Ok((r.uuid(0)?, item))
        };
        let found = rows.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |(key, _)| key.simple().to_string()).map(|(_, item)| item))
    }

    async fn rotate_key(&self, tenant: TenantId, at: Timestamp) -> Result<(), CatalogError> {
        self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let last = tx.row("SELECT MAX(number) FROM tenant_keys WHERE tenant = $1", &[tenant.into()]).await?;
        let number = last.map_or(Ok(0), |r| r.int(0))? + 1;
        let wrapped = self.inner.sealing.wrap(tenant, number, &fresh_secret());
        let sql = "INSERT INTO tenant_keys (tenant, number, wrapped, active_at) VALUES ($1, $2, $3, $4)";
        let active_at = at + Millis::from_ms(KEY_REST_MS);
        tx.run(sql, &[tenant.into(), number.into(), wrapped.into(), active_at.into()]).await.map_err(super::changed)?;
        self.wrap_anew_in(&mut *tx, tenant).await?;
        tx.commit().await?;
        self.forget_keys(tenant);
        Ok(())
    }

    async fn reseal(
        &self,
        tenant: TenantId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Option<Cursor>, CatalogError> {
        self.reseal_some(tenant, after, limit.clamp(1, 10_000)).await
    }
}
