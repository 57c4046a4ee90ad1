//! The directory, and the lease of calls per second.

use super::{Where, changed, invalid, one_more, page_of};
use crate::db::{Backend, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use async_trait::async_trait;
use autocall_core::ports::catalog::{CatalogError, Directory, Entry, EntryKind, Page, PageAsk, TenantName};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{TenantId, Timestamp};

fn kind_of(word: &str) -> Result<EntryKind, SqlError> {
    let known = EntryKind::ALL.into_iter().find(|k| k.word() == word);
    known.ok_or_else(|| SqlError::Unreadable("a directory entry has an unknown kind".into()))
}

/// An entry from `kind, name, tenant, until, body, version`.
fn entry_from(r: &Row) -> Result<Versioned<Entry>, SqlError> {
    let row = Entry {
        kind: kind_of(r.text(0)?)?,
        name: r.text(1)?.into(),
        tenant: TenantId(r.int(2)? as u32),
        until: Some(r.at(3)?).filter(|&u| u != Timestamp::NEVER),
        body: r.json(4)?,
    };
    Ok(Versioned { row, version: r.count(5)? })
}

const ENTRY: &str = "kind, name, tenant, until, body, version";

#[async_trait]
impl<B: Backend> Directory for SqlStore<B> {
    async fn name_tenant(&self, name: &str, at: Timestamp) -> Result<TenantId, CatalogError> {
        if name.is_empty() || name.len() > 100 {
            return Err(invalid("a tenant's name has 1 to 100 bytes"));
        }
        for _ in 0..10 {
            let mut tx = self.inner.db.write(Scope::Directory).await?;
            let taken = tx.row("SELECT tenant FROM directory_tenants WHERE name = $1", &[name.into()]).await?;
            if taken.is_some() {
                return Err(CatalogError::Changed);
            }
            let last = tx.row("SELECT COALESCE(MAX(tenant), 0) FROM directory_tenants", &[]).await?;
            let next = last.map_or(Ok(0), |r| r.int(0))? + 1;
            let sql = "INSERT INTO directory_tenants (tenant, name, named_at) VALUES ($1, $2, $3)";
            match tx.run(sql, &[next.into(), name.into(), at.into()]).await {
                Ok(_) => {
                    tx.commit().await?;
                    return Ok(TenantId(next as u32));
                }
                // Somebody took the number at the same time, or the name: look again.
                Err(SqlError::Clash(_)) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(CatalogError::Changed)
    }

    async fn tenant_named(&self, name: &str) -> Result<Option<TenantId>, CatalogError> {
        let mut tx = self.inner.db.read(Scope::Directory).await?;
        let row = tx.row("SELECT tenant FROM directory_tenants WHERE name = $1", &[name.into()]).await?;
        Ok(row.map(|r| r.int(0)).transpose()?.map(|n| TenantId(n as u32)))
    }

    async fn tenant_names(&self, page: &PageAsk) -> Result<Page<TenantName>, CatalogError> {
        let after = super::after_number(page, -1)?;
        let mut tx = self.inner.db.read(Scope::Directory).await?;
        let sql = "SELECT tenant, name FROM directory_tenants WHERE tenant > $1 ORDER BY tenant LIMIT $2";
        let one = |r: &Row| -> Result<_, SqlError> {
            Ok(TenantName { tenant: TenantId(r.int(0)? as u32), name: r.text(1)?.into() })
        };
        let rows = tx.rows(sql, &[after.into(), one_more(page).into()]).await?;
        let names = rows.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(names, page, |n| n.tenant.to_string()))
    }

    async fn entry(
        &self,
        kind: EntryKind,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Versioned<Entry>>, CatalogError> {
        let mut tx = self.inner.db.read(Scope::Directory).await?;
        let sql = format!("SELECT {ENTRY} FROM directory_entries WHERE kind = $1 AND name = $2 AND until > $3");
        let row = tx.row(&sql, &[kind.word().into(), name.into(), now.into()]).await?;
        Ok(row.map(|r| entry_from(&r)).transpose()?)
    }

    async fn put_entry(&self, put: &Put<Entry>) -> Result<(), CatalogError> {
        let e = &put.row;
        let mut tx = self.inner.db.write(Scope::Directory).await?;
        let args = [
            e.kind.word().into(),
            (&*e.name).into(),
            e.tenant.into(),
            e.until.unwrap_or(Timestamp::NEVER).into(),
            Value::Json(Some(e.body.to_string())),
            put.expected.into(),
        ];
        let n = if put.expected == 0 {
            let sql = "INSERT INTO directory_entries (kind, name, tenant, until, body, version) \
                       VALUES ($1, $2, $3, $4, $5, $6 + 1)";
            tx.run(sql, &args).await.map_err(changed)?
        } else {
            let sql = "UPDATE directory_entries SET tenant = $3, until = $4, body = $5, version = version + 1 \
                       WHERE kind = $1 AND name = $2 AND version = $6";
            tx.run(sql, &args).await?
        };
        if n == 0 {
            return Err(CatalogError::Changed);
        }
        Ok(tx.commit().await?)
    }

    async fn remove_entry(&self, kind: EntryKind, name: &str) -> Result<(), CatalogError> {
        let mut tx = self.inner.db.write(Scope::Directory).await?;
        let sql = "DELETE FROM directory_entries WHERE kind = $1 AND name = $2";
        if tx.run(sql, &[kind.word().into(), name.into()]).await? == 0 {
            return Err(CatalogError::NotFound);
        }
        Ok(tx.commit().await?)
    }

    async fn entries(
        &self,
        tenant: TenantId,
        kind: EntryKind,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Entry>>, CatalogError> {
        let mut w = Where::new("tenant", tenant);
        w.and("kind = {}", kind.word());
        w.and_some("name > {}", page.after.as_ref().map(|c| c.0.clone()));
        let n = w.arg(one_more(page));
        let sql = format!("SELECT {ENTRY} FROM directory_entries WHERE {} ORDER BY name LIMIT {n}", w.sql);
        let mut tx = self.inner.db.read(Scope::Directory).await?;
        let found = tx.rows(&sql, &w.args).await?.iter().map(entry_from).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |e| e.row.name.to_string()))
    }

    async fn sweep_entries(&self, now: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        let mut tx = self.inner.db.write(Scope::Directory).await?;
        let sql = "DELETE FROM directory_entries WHERE (kind, name) IN (SELECT kind, name FROM directory_entries \
                   WHERE until <= $1 ORDER BY until LIMIT $2)";
        let n = tx.run(sql, &[now.into(), limit.into()]).await?;
        tx.commit().await?;
        Ok(n)
    }
}
