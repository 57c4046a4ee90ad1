//! Calls, their records, and the feed.

use super::{Where, after_time, one_more, page_of};
use crate::db::{Backend, Row, Scope, SqlError};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables;
use async_trait::async_trait;
use autocall_core::call::Stage;
use autocall_core::ports::Disposed;
use autocall_core::ports::catalog::{
    CallBook, CallDetail, CallFilter, CallItem, CatalogError, FeedEvent, FeedItem, Page, PageAsk, Recording,
};
use autocall_core::{CallId, Id, Outcome, Private, TenantId};

/// The columns of a call in a list, of a table of calls `c`, a record `r`, a disposition `d`.
fn item_sql(table: &str, condition: &str) -> String {
    format!(
        "SELECT c.id, c.version, c.sealed, c.body, c.created_at, r.talk_ms, d.code FROM {table} c \
         LEFT JOIN records r ON r.tenant = c.tenant AND r.call = c.id \
         LEFT JOIN dispositions d ON d.tenant = c.tenant AND d.call = c.id WHERE {condition} \
         ORDER BY c.created_at DESC, c.id DESC"
    )
}

fn item_from(keys: &TenantKeys, row: &Row) -> Result<CallItem, SqlError> {
    let (call, _) = tables::call_from(keys, row, 0)?;
    let outcome: Option<Outcome> = match call.stage {
        Stage::Settled { outcome, .. } => Some(outcome),
        _ => None,
    };
    Ok(CallItem {
        id: call.id,
        campaign: call.plan.campaign,
        lead: call.plan.lead,
        to: call.plan.to,
        dialled_at: call.created_at,
        stage: call.stage.name().into(),
        outcome,
        agent: call.agent.or(call.holds()),
        talk_ms: row.int_opt(5)?.unwrap_or(0),
        disposition: row.text_opt(6)?.map(Into::into),
    })
}

pub(crate) fn disposed_from(tenant: TenantId, row: &Row, c: usize) -> Result<Disposed, SqlError> {
    Ok(Disposed {
        call: Id::new(tenant, row.uuid(c)?),
        agent: row.uuid_opt(c + 1)?.map(|k| Id::new(tenant, k)),
        code: row.text(c + 2)?.into(),
        success: row.int(c + 3)? != 0,
        at: row.at(c + 4)?,
    })
}

pub(crate) fn recording_from(keys: &TenantKeys, tenant: TenantId, row: &Row) -> Result<Recording, SqlError> {
    let key = row.uuid(0)?;
    let place = keys.open("recordings", key.as_bytes(), row.blob(4)?)?;
    Ok(Recording {
        call: Id::new(tenant, key),
        provider: row.text(1)?.into(),
        location: Private::new(String::from_utf8_lossy(&place)),
        length_ms: row.int(2)?,
        made_at: row.at(3)?,
    })
}

#[async_trait]
impl<B: Backend> CallBook for SqlStore<B> {
    async fn calls(
        &self,
        tenant: TenantId,
        filter: &CallFilter,
        page: &PageAsk,
    ) -> Result<Page<CallItem>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut w = Where::new("c.tenant", tenant);
        w.and_some("c.campaign = {}", filter.campaign.map(|c| c.key()));
        w.and_some("c.lead = {}", filter.lead.map(|c| c.key()));
        w.and_some("c.agent = {}", filter.agent.map(|c| c.key()));
        w.and_some("c.to_bx = {}", filter.to.map(|p| keys.number(p)));
        w.and_some("c.created_at >= {}", filter.from);
        w.and_some("c.created_at < {}", filter.until);
        w.and_some("r.outcome = {}", filter.outcome.as_deref());
        let (at, key) = after_time(page)?;
        let (at, key) = (w.arg(at), w.arg(key));
        let limit = w.arg(one_more(page));
        let condition = format!("{} AND (c.created_at, c.id) < ({at}, {key})", w.sql);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let mut items = Vec::new();
        // A call is in one of two tables; each gives a page, the newest of both are the page.
        for (table, live) in [("calls_live", true), ("calls_done", false)] {
            if filter.live.is_none_or(|wanted| wanted == live) {
                let sql = format!("{} LIMIT {limit}", item_sql(table, &condition));
                let rows = tx.rows(&sql, &w.args).await?;
                items.extend(rows.iter().map(|r| item_from(&keys, r)).collect::<Result<Vec<_>, _>>()?);
            }
        }
        items.sort_by_key(|i: &CallItem| std::cmp::Reverse((i.dialled_at, i.id)));
        items.dedup_by_key(|i| i.id);
        Ok(page_of(items, page, |i| format!("{}.{}", i.dialled_at.ms(), i.id.key().simple())))
    }

    async fn call_detail(&self, id: CallId) -> Result<CallDetail, CatalogError> {
        let tenant = id.tenant();
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let args = [tenant.into(), id.key().into()];
        let call = self.call_in(&mut *tx, &keys, id).await?;
        let record = tx.row("SELECT call, sealed FROM records WHERE tenant = $1 AND call = $2", &args).await?;
        let record = record.map(|r| tables::record_from(&keys, &r, 0)).transpose()?;
        let sql = "SELECT call, agent, code, success, at FROM dispositions WHERE tenant = $1 AND call = $2";
        let disposed = tx.row(sql, &args).await?.map(|r| disposed_from(tenant, &r, 0)).transpose()?;
        let sql = "SELECT call, provider, length_ms, made_at, sealed FROM recordings WHERE tenant = $1 AND call = $2 \
                   AND made_at > 0 ORDER BY made_at, provider LIMIT 100";
        let rows = tx.rows(sql, &args).await?;
        let recordings = rows.iter().map(|r| recording_from(&keys, tenant, r)).collect::<Result<_, _>>()?;
        Ok(CallDetail { call, record, disposed, recordings })
    }

    async fn feed(&self, tenant: TenantId, after: u64, limit: u32) -> Result<Vec<FeedItem>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let args = [tenant.into(), after.into(), limit.min(1000).into()];
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        // Both reads must see one moment: a place between them would be passed over for ever.
        let mark = tx.row("SELECT feed FROM tenant_marks WHERE tenant = $1", &args[..1]).await?;
        let mark = mark.map_or(Ok(0), |r| r.int(0))?;
        let mut items = Vec::new();
        let sql = format!(
            "SELECT place, call, sealed FROM records WHERE tenant = $1 AND place > $2 AND place <= {mark} \
             ORDER BY place LIMIT $3"
        );
        for row in tx.rows(&sql, &args).await? {
            let event = FeedEvent::Settled(Box::new(tables::record_from(&keys, &row, 1)?));
            items.push(FeedItem { place: row.count(0)?, event });
        }
        let sql = format!(
            "SELECT place, call, agent, code, success, at FROM dispositions WHERE tenant = $1 AND place > $2 \
             AND place <= {mark} ORDER BY place LIMIT $3"
        );
        for row in tx.rows(&sql, &args).await? {
            let event = FeedEvent::Disposed(disposed_from(tenant, &row, 1)?);
            items.push(FeedItem { place: row.count(0)?, event });
        }
        items.sort_by_key(|i| i.place);
        items.truncate(limit as usize);
        Ok(items)
    }

    async fn put_recording(&self, recording: &Recording) -> Result<(), CatalogError> {
        let (id, tenant) = (recording.call, recording.call.tenant());
        let keys = self.keys(tenant).await?;
        let sealed = keys.seal("recordings", id.key().as_bytes(), recording.location.expose().as_bytes());
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        // An erasure writes the call: it comes before this, or waits and then sees the recording.
        let sql = format!("SELECT 1 FROM calls_done WHERE tenant = $1 AND id = $2{}", self.dialect().lock());
        tx.rows(&sql, &[tenant.into(), id.key().into()]).await?;
        // Of a person who was erased meanwhile: to be deleted with the others.
        tx.run(
            "INSERT INTO recordings (tenant, call, provider, length_ms, made_at, key_no, sealed) \
             VALUES ($1, $2, $3, $4, CASE WHEN EXISTS (SELECT 1 FROM calls_done WHERE tenant = $1 AND id = $2 \
             AND to_bx IS NULL) THEN 0 ELSE $5 END, $6, $7) ON CONFLICT (tenant, call, provider) DO UPDATE SET \
             length_ms = excluded.length_ms, key_no = excluded.key_no, sealed = excluded.sealed",
            &[
                tenant.into(),
                id.key().into(),
                (&*recording.provider).into(),
                recording.length_ms.into(),
                recording.made_at.into(),
                keys.active().into(),
                sealed.into(),
            ],
        )
        .await?;
        Ok(tx.commit().await?)
    }

    async fn remove_recording(&self, call: CallId, provider: &str) -> Result<(), CatalogError> {
        let mut tx = self.inner.db.write(Scope::Tenant(call.tenant())).await?;
        let sql = "DELETE FROM recordings WHERE tenant = $1 AND call = $2 AND provider = $3";
        if tx.run(sql, &[call.tenant().into(), call.key().into(), provider.into()]).await? == 0 {
            return Err(CatalogError::NotFound);
        }
        Ok(tx.commit().await?)
    }
}
