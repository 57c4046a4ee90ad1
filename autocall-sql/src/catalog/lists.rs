//! Do-not-call upkeep.

use super::{BATCH_MAX, Where, invalid, one_more, page_of};
use crate::commit::list_number;
use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables;
use async_trait::async_trait;
use autocall_core::ports::catalog::{
    CatalogError, Cursor, Page, PageAsk, SuppressTarget, Suppressed, Suppression, SuppressionBook, SuppressionItem,
};
use autocall_core::ports::{Guard, GuardKey, GuardValue, Lists};
use autocall_core::{CampaignId, Id, Phone, TenantId, Timestamp};
use std::collections::BTreeSet;
use uuid::Uuid;

impl<B: Backend> SqlStore<B> {
    /// Advances guards, makes those that are not there, and returns the calls that live on them.
    pub(crate) async fn bump(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        wanted: &BTreeSet<GuardKey>,
    ) -> Result<Vec<autocall_core::CallId>, SqlError> {
        let mut live = Vec::new();
        for key in wanted {
            let (kind, bytes) = tables::guard_key(keys, key);
            let value = Guard::fresh(tenant, key.clone()).value;
            let sql = "INSERT INTO guards (tenant, kind, key, version, value) VALUES ($1, $2, $3, 1, $4) \
                       ON CONFLICT (tenant, kind, key) DO UPDATE SET version = guards.version + 1 RETURNING value";
            let args = [tenant.into(), kind.into(), bytes.into(), Value::Json(serde_json::to_string(&value).ok())];
            if let Some(row) = tx.row(sql, &args).await?
                && let GuardValue::Number(number) = row.json(0)?
            {
                live.extend(number.live);
            }
        }
        Ok(live)
    }
}

fn prefix_is_valid(prefix: &str) -> bool {
    (1..=15).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit()) && !prefix.starts_with('0')
}

#[async_trait]
impl<B: Backend> SuppressionBook for SqlStore<B> {
    async fn suppress(
        &self,
        tenant: TenantId,
        entries: &[Suppression],
        at: Timestamp,
    ) -> Result<Suppressed, CatalogError> {
        if entries.len() > BATCH_MAX {
            return Err(invalid("at most 10000 entries at once"));
        }
        if entries.iter().any(|e| e.campaign.is_some_and(|c| c.tenant() != tenant)) {
            return Err(CatalogError::NotFound);
        }
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let (mut done, mut guards) = (Suppressed::default(), BTreeSet::new());
        for e in entries {
            let until = e.until.unwrap_or(Timestamp::NEVER);
            let campaign = e.campaign.map_or(Uuid::nil(), |c| c.key());
            let new = match &e.target {
                SuppressTarget::Number(phone) => {
                    guards.insert(GuardKey::Number(*phone));
                    list_number(&mut *tx, &keys, tenant, *phone, campaign, (&e.reason, &e.source), until, at).await?
                }
                SuppressTarget::Prefix(prefix) => {
                    if !prefix_is_valid(prefix) {
                        return Err(invalid("a prefix is 1 to 15 digits, country code first, without the plus sign"));
                    }
                    guards.insert(GuardKey::Epoch);
                    let sql = "INSERT INTO dnc_prefixes (tenant, prefix, campaign, reason, source, until, added_at) \
                               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, prefix, campaign) DO NOTHING";
                    let texts = [(&**prefix).into(), campaign.into(), (&*e.reason).into(), (&*e.source).into()];
                    let mut args: Vec<Value> = vec![tenant.into()];
                    args.extend(texts);
                    args.extend([until.into(), at.into()]);
                    tx.run(sql, &args).await? == 1
                }
            };
            done.added += u32::from(new);
        }
        done.live = self.bump(&mut *tx, &keys, tenant, &guards).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn unsuppress(
        &self,
        tenant: TenantId,
        target: &SuppressTarget,
        campaign: Option<CampaignId>,
        _at: Timestamp,
    ) -> Result<(), CatalogError> {
        let keys = self.keys(tenant).await?;
        let campaign: Value = campaign.map_or(Uuid::nil(), |c| c.key()).into();
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let (n, guard) = match target {
            SuppressTarget::Number(phone) => {
                let sql = "DELETE FROM dnc_list WHERE tenant = $1 AND number_bx = $2 AND campaign = $3";
                let n = tx.run(sql, &[tenant.into(), keys.number(*phone).into(), campaign]).await?;
                (n, GuardKey::Number(*phone))
            }
            SuppressTarget::Prefix(prefix) => {
                let sql = "DELETE FROM dnc_prefixes WHERE tenant = $1 AND prefix = $2 AND campaign = $3";
                (tx.run(sql, &[tenant.into(), (&**prefix).into(), campaign]).await?, GuardKey::Epoch)
            }
        };
        if n == 0 {
            return Err(CatalogError::NotFound);
        }
        self.bump(&mut *tx, &keys, tenant, &BTreeSet::from([guard])).await?;
        Ok(tx.commit().await?)
    }

    async fn suppressions(&self, tenant: TenantId, page: &PageAsk) -> Result<Page<SuppressionItem>, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let after = page.after.as_ref().map(|c| c.0.clone());
        let limit = one_more(page);
        let mut items = Vec::new();
        if after.as_deref().is_none_or(|a| a.starts_with('p')) {
            let mut w = Where::new("tenant", tenant);
            if let Some((prefix, campaign)) = after.as_deref().and_then(|a| a[1..].split_once('.')) {
                let campaign =
                    Uuid::try_parse(campaign).map_err(|_| invalid("the cursor is not one of this listing"))?;
                let (p, c) = (w.arg(prefix), w.arg(campaign));
                w.sql.push_str(&format!(" AND (prefix, campaign) > ({p}, {c})"));
            }
            let n = w.arg(limit);
            let sql = format!(
                "SELECT prefix, campaign, reason, source, until, added_at FROM dnc_prefixes WHERE {} \
                 ORDER BY prefix, campaign LIMIT {n}",
                w.sql
            );
            for r in tx.rows(&sql, &w.args).await? {
                let key = format!("p{}.{}", r.text(0)?, r.uuid(1)?.simple());
                items.push(item(tenant, key, Some(SuppressTarget::Prefix(r.text(0)?.into())), &r)?);
            }
        }
        if (items.len() as i64) < limit {
            let mut w = Where::new("tenant", tenant);
            let place = after.as_deref().filter(|a| a.starts_with('n')).and_then(|a| a[1..].split_once('.'));
            if let Some((number, campaign)) = place {
                let parse = |s| Uuid::try_parse(s).map_err(|_| invalid("the cursor is not one of this listing"));
                let (number, campaign) = (parse(number)?, parse(campaign)?);
                let (n, c) = (w.arg(number.as_bytes().to_vec()), w.arg(campaign));
                w.sql.push_str(&format!(" AND (number_bx, campaign) > ({n}, {c})"));
            }
            let n = w.arg(limit - items.len() as i64);
            let sql = format!(
                "SELECT number_bx, campaign, reason, source, until, added_at, sealed FROM dnc_list WHERE {} \
                 ORDER BY number_bx, campaign LIMIT {n}",
                w.sql
            );
            for r in tx.rows(&sql, &w.args).await? {
                let bx = Uuid::from_slice(r.blob(0)?).unwrap_or_default();
                let key = format!("n{}.{}", bx.simple(), r.uuid(1)?.simple());
                let target = number_of(&keys, &r)?.map(SuppressTarget::Number);
                items.push(item(tenant, key, target, &r)?);
            }
        }
        Ok(page_of(items, page, |i| i.key.0.clone()))
    }

    async fn suppressed(
        &self,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        numbers: &[Phone],
        at: Timestamp,
    ) -> Result<Vec<Lists>, CatalogError> {
        if numbers.len() > BATCH_MAX {
            return Err(invalid("at most 10000 numbers at once"));
        }
        let keys = self.keys(tenant).await?;
        let phones: BTreeSet<Phone> = numbers.iter().copied().collect();
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let lists = self.lists_in(&mut *tx, &keys, tenant, campaign, &phones, at).await?;
        Ok(numbers.iter().map(|p| lists.get(p).copied().unwrap_or_default()).collect())
    }
}

fn number_of(keys: &TenantKeys, row: &Row) -> Result<Option<Phone>, SqlError> {
    let Some(sealed) = row.blob_opt(6)? else { return Ok(None) };
    let text = keys.open("dnc_list", row.blob(0)?, sealed)?;
    Ok(std::str::from_utf8(&text).ok().and_then(Phone::from_e164))
}

/// An entry from `_, campaign, reason, source, until, added_at`.
fn item(tenant: TenantId, key: String, target: Option<SuppressTarget>, row: &Row) -> Result<SuppressionItem, SqlError> {
    let campaign = row.uuid(1)?;
    Ok(SuppressionItem {
        key: Cursor(key),
        target,
        campaign: (!campaign.is_nil()).then(|| Id::new(tenant, campaign)),
        reason: row.text(2)?.into(),
        source: row.text(3)?.into(),
        until: Some(row.at(4)?).filter(|&u| u != Timestamp::NEVER),
        added_at: row.at(5)?,
    })
}
