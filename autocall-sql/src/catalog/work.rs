//! Imports, audio, documents.

use super::{Where, after_time, changed, invalid, one_more, page_of};
use crate::db::{Backend, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use async_trait::async_trait;
use autocall_core::id::{AudioId, ImportId};
use autocall_core::ports::catalog::{
    AudioAsset, CatalogError, Document, Documents, ImportBook, ImportJob, ImportState, Library, Page, PageAsk,
    StoredRejection,
};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{Id, Private, TenantId, Timestamp};

const AUDIO_MAX: usize = 10 << 20;
const DOCUMENT_MAX: usize = 1 << 20;

fn state_word(state: ImportState) -> &'static str {
    match state {
        ImportState::Running => "running",
        ImportState::Done => "done",
        ImportState::Failed => "failed",
        ImportState::Canceled => "canceled",
    }
}

fn state_of(word: &str) -> Result<ImportState, SqlError> {
    match word {
        "running" => Ok(ImportState::Running),
        "done" => Ok(ImportState::Done),
        "failed" => Ok(ImportState::Failed),
        "canceled" => Ok(ImportState::Canceled),
        _ => Err(SqlError::Unreadable("an import has an unknown state".into())),
    }
}

const JOB: &str = "id, campaign, list, state, problem, bytes, digest, bytes_done, line_done, added, duplicates, \
                   rejected, started_at, ended_at, sealed, version";

fn job_from(keys: &TenantKeys, tenant: TenantId, r: &Row) -> Result<Versioned<ImportJob>, SqlError> {
    let key = r.uuid(0)?;
    let name = keys.open("imports", key.as_bytes(), r.blob(14)?)?;
    let row = ImportJob {
        id: Id::new(tenant, key),
        campaign: Id::new(tenant, r.uuid(1)?),
        list: r.uuid_opt(2)?.map(|k| Id::new(tenant, k)),
        name: Private::new(String::from_utf8_lossy(&name)),
        bytes: r.int_opt(5)?.map(|n| n as u64),
        digest: r.text_opt(6)?.map(Into::into),
        state: state_of(r.text(3)?)?,
        problem: r.text_opt(4)?.map(str::to_owned),
        bytes_done: r.count(7)?,
        line_done: r.count(8)?,
        added: r.count(9)?,
        duplicates: r.count(10)?,
        rejected: r.count(11)?,
        started_at: r.at(12)?,
        ended_at: r.at_opt(13)?,
    };
    Ok(Versioned { row, version: r.count(15)? })
}

#[async_trait]
impl<B: Backend> ImportBook for SqlStore<B> {
    async fn put_import(&self, put: &Put<ImportJob>) -> Result<(), CatalogError> {
        let (job, tenant) = (&put.row, put.row.id.tenant());
        if job.campaign.tenant() != tenant {
            return Err(CatalogError::NotFound);
        }
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let n = if put.expected == 0 {
            let sealed = keys.seal("imports", job.id.key().as_bytes(), job.name.expose().as_bytes());
            let args: Vec<Value> = vec![
                tenant.into(),
                job.id.key().into(),
                job.campaign.key().into(),
                job.list.map(|l| l.key()).into(),
                state_word(job.state).into(),
                job.problem.clone().into(),
                job.bytes.map(|b| b as i64).into(),
                job.digest.as_deref().map(str::to_owned).into(),
                job.bytes_done.into(),
                job.line_done.into(),
                job.started_at.into(),
                job.ended_at.into(),
                keys.active().into(),
                sealed.into(),
            ];
            let sql = "INSERT INTO imports (tenant, id, version, campaign, list, state, problem, bytes, digest, \
                       bytes_done, line_done, added, duplicates, rejected, started_at, ended_at, key_no, sealed) \
                       VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, $11, $12, $13, $14)";
            tx.run(sql, &args).await.map_err(changed)?
        } else {
            let sql = "UPDATE imports SET state = $3, problem = $4, ended_at = $5, version = version + 1 \
                       WHERE tenant = $1 AND id = $2 AND version = $6";
            let args = [
                tenant.into(),
                job.id.key().into(),
                state_word(job.state).into(),
                job.problem.clone().into(),
                job.ended_at.into(),
                put.expected.into(),
            ];
            tx.run(sql, &args).await?
        };
        if n == 0 {
            return Err(CatalogError::Changed);
        }
        Ok(tx.commit().await?)
    }

    async fn import(&self, id: ImportId) -> Result<Versioned<ImportJob>, CatalogError> {
        let keys = self.keys(id.tenant()).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let sql = format!("SELECT {JOB} FROM imports WHERE tenant = $1 AND id = $2");
        let row = tx.row(&sql, &[id.tenant().into(), id.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        Ok(job_from(&keys, id.tenant(), &row)?)
    }

    async fn imports(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<Versioned<ImportJob>>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let (at, key) = after_time(page)?;
        let sql = format!(
            "SELECT {JOB} FROM imports WHERE tenant = $1 AND (started_at, id) < ($2, $3) \
             ORDER BY started_at DESC, id DESC LIMIT $4"
        );
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &[tenant.into(), at.into(), key.into(), one_more(page).into()]).await?;
        let jobs = rows.iter().map(|r| job_from(&keys, tenant, r)).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(jobs, page, |j| format!("{}.{}", j.row.started_at.ms(), j.row.id.key().simple())))
    }

    async fn rejections(&self, id: ImportId, page: &PageAsk) -> Result<Page<StoredRejection>, CatalogError> {
        let after = super::after_number(page, 0)?;
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let sql = "SELECT n, body FROM rejections WHERE tenant = $1 AND import = $2 AND n > $3 ORDER BY n LIMIT $4";
        let args = [id.tenant().into(), id.key().into(), after.into(), one_more(page).into()];
        let one = |r: &Row| -> Result<_, SqlError> { Ok(StoredRejection { n: r.count(0)?, rejection: r.json(1)? }) };
        let found = tx.rows(sql, &args).await?.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |r| r.n.to_string()))
    }
}

const AUDIO: &str = "id, name, mime, bytes, sha256, added_at";

fn audio_from(tenant: TenantId, r: &Row) -> Result<AudioAsset, SqlError> {
    Ok(AudioAsset {
        id: Id::new(tenant, r.uuid(0)?),
        name: r.text(1)?.into(),
        mime: r.text(2)?.into(),
        bytes: r.count(3)?,
        sha256: r.text(4)?.into(),
        added_at: r.at(5)?,
    })
}

#[async_trait]
impl<B: Backend> Library for SqlStore<B> {
    async fn add_audio(&self, asset: &AudioAsset, content: &[u8]) -> Result<(), CatalogError> {
        if content.len() > AUDIO_MAX || content.len() as u64 != asset.bytes {
            return Err(invalid("a sound has at most 10 MiB, and the length that it says"));
        }
        let tenant = asset.id.tenant();
        self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let sql = "INSERT INTO audio (tenant, id, name, mime, bytes, sha256, added_at, content) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let args = [
            tenant.into(),
            asset.id.key().into(),
            (&*asset.name).into(),
            (&*asset.mime).into(),
            asset.bytes.into(),
            (&*asset.sha256).into(),
            asset.added_at.into(),
            content.to_vec().into(),
        ];
        tx.run(sql, &args).await.map_err(changed)?;
        Ok(tx.commit().await?)
    }

    async fn audio(&self, id: AudioId) -> Result<(AudioAsset, Vec<u8>), CatalogError> {
        let mut tx = self.inner.db.read(Scope::Tenant(id.tenant())).await?;
        let sql = format!("SELECT {AUDIO}, content FROM audio WHERE tenant = $1 AND id = $2");
        let row = tx.row(&sql, &[id.tenant().into(), id.key().into()]).await?.ok_or(CatalogError::NotFound)?;
        Ok((audio_from(id.tenant(), &row)?, row.blob(6)?.to_vec()))
    }

    async fn audio_list(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<AudioAsset>, CatalogError> {
        let (at, key) = after_time(page)?;
        let sql = format!(
            "SELECT {AUDIO} FROM audio WHERE tenant = $1 AND (added_at, id) < ($2, $3) \
             ORDER BY added_at DESC, id DESC LIMIT $4"
        );
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &[tenant.into(), at.into(), key.into(), one_more(page).into()]).await?;
        let assets = rows.iter().map(|r| audio_from(tenant, r)).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(assets, page, |a| format!("{}.{}", a.added_at.ms(), a.id.key().simple())))
    }

    async fn remove_audio(&self, id: AudioId) -> Result<(), CatalogError> {
        let mut tx = self.inner.db.write(Scope::Tenant(id.tenant())).await?;
        let sql = "DELETE FROM audio WHERE tenant = $1 AND id = $2";
        if tx.run(sql, &[id.tenant().into(), id.key().into()]).await? == 0 {
            return Err(CatalogError::NotFound);
        }
        Ok(tx.commit().await?)
    }
}

fn document_from(keys: &TenantKeys, tenant: TenantId, r: &Row) -> Result<Versioned<Document>, SqlError> {
    let place = format!("{}/{}", r.text(0)?, r.text(1)?);
    let body = keys.open("documents", place.as_bytes(), r.blob(4)?)?;
    let body = serde_json::from_slice(&body).map_err(|e| SqlError::Unreadable(crate::db::brief(&e)))?;
    let until = Some(r.at(3)?).filter(|&u| u != Timestamp::NEVER);
    let row = Document { tenant, kind: r.text(0)?.into(), key: r.text(1)?.into(), body, until };
    Ok(Versioned { row, version: r.count(2)? })
}

#[async_trait]
impl<B: Backend> Documents for SqlStore<B> {
    async fn document(&self, tenant: TenantId, kind: &str, key: &str) -> Result<Versioned<Document>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let sql =
            "SELECT kind, key, version, until, sealed FROM documents WHERE tenant = $1 AND kind = $2 AND key = $3";
        let row = tx.row(sql, &[tenant.into(), kind.into(), key.into()]).await?.ok_or(CatalogError::NotFound)?;
        Ok(document_from(&keys, tenant, &row)?)
    }

    async fn documents(
        &self,
        tenant: TenantId,
        kind: &str,
        page: &PageAsk,
    ) -> Result<Page<Versioned<Document>>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut w = Where::new("tenant", tenant);
        w.and("kind = {}", kind);
        w.and_some("key > {}", page.after.as_ref().map(|c| c.0.clone()));
        let n = w.arg(one_more(page));
        let sql =
            format!("SELECT kind, key, version, until, sealed FROM documents WHERE {} ORDER BY key LIMIT {n}", w.sql);
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(&sql, &w.args).await?;
        let found = rows.iter().map(|r| document_from(&keys, tenant, r)).collect::<Result<Vec<_>, _>>()?;
        Ok(page_of(found, page, |d| d.row.key.to_string()))
    }

    async fn put_document(&self, put: &Put<Document>) -> Result<(), CatalogError> {
        let (d, tenant) = (&put.row, put.row.tenant);
        let body = d.body.to_string();
        if body.len() > DOCUMENT_MAX {
            return Err(invalid("a document has at most 1 MiB"));
        }
        let keys = self.keys(tenant).await?;
        let sealed = keys.seal("documents", format!("{}/{}", d.kind, d.key).as_bytes(), body.as_bytes());
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let args = [
            tenant.into(),
            (&*d.kind).into(),
            (&*d.key).into(),
            put.expected.into(),
            d.until.unwrap_or(Timestamp::NEVER).into(),
            keys.active().into(),
            sealed.into(),
        ];
        let n = if put.expected == 0 {
            let sql = "INSERT INTO documents (tenant, kind, key, version, until, key_no, sealed) \
                       VALUES ($1, $2, $3, $4 + 1, $5, $6, $7)";
            tx.run(sql, &args).await.map_err(changed)?
        } else {
            let sql = "UPDATE documents SET version = version + 1, until = $5, key_no = $6, sealed = $7 \
                       WHERE tenant = $1 AND kind = $2 AND key = $3 AND version = $4";
            tx.run(sql, &args).await?
        };
        if n == 0 {
            return Err(CatalogError::Changed);
        }
        Ok(tx.commit().await?)
    }

    async fn remove_document(&self, tenant: TenantId, kind: &str, key: &str, version: u64) -> Result<(), CatalogError> {
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let sql = "DELETE FROM documents WHERE tenant = $1 AND kind = $2 AND key = $3 AND version = $4";
        if tx.run(sql, &[tenant.into(), kind.into(), key.into(), version.into()]).await? == 0 {
            return Err(CatalogError::Changed);
        }
        Ok(tx.commit().await?)
    }
}
