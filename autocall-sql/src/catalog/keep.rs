//! Tenants and the audit log.

use super::{Where, after_number, invalid, one_more, page_of};
use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use async_trait::async_trait;
use autocall_core::TenantId;
use autocall_core::ports::catalog::{
    AuditEntry, AuditFilter, Audits, CatalogError, Page, PageAsk, Retention, Tenant, Tenants,
};
use autocall_core::ports::{Put, Versioned};
use serde::{Deserialize, Serialize};

/// What is kept of a tenant as JSON.
#[derive(Default, Serialize, Deserialize)]
struct Body {
    retention: Retention,
    settings: serde_json::Value,
}

#[async_trait]
impl<B: Backend> Tenants for SqlStore<B> {
    async fn tenant(&self, id: TenantId) -> Result<Versioned<Tenant>, CatalogError> {
        let mut tx = self.inner.db.read(Scope::Tenant(id)).await?;
        let sql = "SELECT version, name, active, created_at, body FROM tenants WHERE tenant = $1";
        let r = tx.row(sql, &[id.into()]).await?.ok_or(CatalogError::NotFound)?;
        let body: Body = if r.text_opt(4)?.is_some() { r.json(4)? } else { Body::default() };
        let (name, active, created_at) = (r.text(1)?.into(), r.int(2)? != 0, r.at(3)?);
        let Body { retention, settings } = body;
        Ok(Versioned { row: Tenant { id, name, active, retention, settings, created_at }, version: r.count(0)? })
    }

    async fn put_tenant(&self, put: &Put<Tenant>) -> Result<(), CatalogError> {
        let t = &put.row;
        let body = Body { retention: t.retention, settings: t.settings.clone() };
        let body = Value::Json(serde_json::to_string(&body).ok());
        let mut tx = self.inner.db.write(Scope::Tenant(t.id)).await?;
        let args = [t.id.into(), (&*t.name).into(), t.active.into(), body, t.created_at.into(), put.expected.into()];
        let sql = if put.expected == 0 {
            "INSERT INTO tenants (tenant, version, name, active, body, created_at) VALUES ($1, $6 + 1, $2, $3, $4, $5) \
             ON CONFLICT (tenant) DO NOTHING"
        } else {
            "UPDATE tenants SET version = version + 1, name = $2, active = $3, body = $4, \
             created_at = COALESCE(created_at, $5) WHERE tenant = $1 AND version = $6"
        };
        if tx.run(sql, &args).await? == 0 {
            return Err(CatalogError::Changed);
        }
        self.ensure_tenant(&mut *tx, t.id).await?;
        Ok(tx.commit().await?)
    }
}

pub(crate) fn entry_from(tenant: TenantId, r: &Row) -> Result<AuditEntry, SqlError> {
    Ok(AuditEntry {
        tenant,
        n: r.count(0)?,
        at: r.at(1)?,
        actor: r.text(2)?.into(),
        action: r.text(3)?.into(),
        object: r.text(4)?.into(),
        detail: r.json(5)?,
    })
}

/// Appends an entry; its number is the next one.
pub(crate) async fn write_entry(tx: &mut dyn Conn, e: &AuditEntry) -> Result<(), SqlError> {
    let sql = "UPDATE tenant_marks SET audit = audit + 1 WHERE tenant = $1 RETURNING audit";
    let row = tx.row(sql, &[e.tenant.into()]).await?;
    let n = row.ok_or_else(|| SqlError::Missing("tenant".into()))?.int(0)?;
    let sql = "INSERT INTO audit_log (tenant, n, at, actor, action, object, detail) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = [
        e.tenant.into(),
        n.into(),
        e.at.into(),
        (&*e.actor).into(),
        (&*e.action).into(),
        (&*e.object).into(),
        Value::Json(Some(e.detail.to_string())),
    ];
    tx.run(sql, &args).await.map(drop)
}

#[async_trait]
impl<B: Backend> Audits for SqlStore<B> {
    async fn audit(&self, e: &AuditEntry) -> Result<(), CatalogError> {
        if e.detail.to_string().len() > 64 << 10 {
            return Err(invalid("an audit entry's detail has at most 64 KiB"));
        }
        self.keys(e.tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(e.tenant)).await?;
        write_entry(&mut *tx, e).await?;
        Ok(tx.commit().await?)
    }

    async fn audit_log(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        page: &PageAsk,
    ) -> Result<Page<AuditEntry>, CatalogError> {
        let mut w = Where::new("tenant", tenant);
        w.and("n < {}", after_number(page, i64::MAX)?);
        w.and_some("actor = {}", filter.actor.as_deref());
        w.and_some("action = {}", filter.action.as_deref());
        w.and_some("object = {}", filter.object.as_deref());
        let limit = w.arg(one_more(page));
        let sql = format!(
            "SELECT n, at, actor, action, object, detail FROM audit_log WHERE {} ORDER BY n DESC LIMIT {limit}",
            w.sql
        );
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &w.args).await?;
        let entries = rows.iter().map(|r| entry_from(tenant, r)).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(entries, page, |e| e.n.to_string()))
    }
}
