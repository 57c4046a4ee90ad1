//! Do-not-call upkeep.

use super::{BATCH_MAX, Where, invalid, one_more, page_of};
use crate::commit::{TRIES, list_number};
use crate::db::{Backend, Conn, Row, Scope, SqlError, Value};
use crate::fold::Present;
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables::{self, GUARDS};
use async_trait::async_trait;
use autocall_core::ports::catalog::{
    CatalogError, Cursor, Page, PageAsk, SuppressTarget, Suppressed, Suppression, SuppressionBook, SuppressionItem,
};
use autocall_core::ports::{Guard, GuardKey, GuardValue, Listing, Lists};
use autocall_core::{CallId, CampaignId, Id, Phone, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl<B: Backend> SqlStore<B> {
    /// Advances guards, and makes those that are not there. `listings` mark the numbers' guards.
    /// Returns the calls that live on listed numbers and must end; they are due at once.
    ///
    /// Guards are locked in the order in which commits lock them.
    pub(crate) async fn bump(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        wanted: &BTreeSet<GuardKey>,
        listings: &[Listing],
        at: Timestamp,
    ) -> Result<Vec<CallId>, SqlError> {
        let mut present = Present::default();
        self.load_guards(tx, keys, tenant, wanted, self.dialect().lock(), &mut present).await?;
        let live = present.guards.values().filter_map(|(_, value)| match value {
            GuardValue::Number(number) => number.live,
            _ => None,
        });
        let campaigns = self.campaigns_of(tx, tenant, live.collect()).await?;
        let mut guards: BTreeMap<&GuardKey, Guard> = BTreeMap::new();
        for key in wanted {
            let mut guard = Guard::fresh(tenant, key.clone());
            if let Some((version, value)) = present.guards.remove(key) {
                (guard.version, guard.value) = (version, value);
            }
            guards.insert(key, guard);
        }
        let mut stop = BTreeSet::new();
        for listing in listings {
            if let Some(guard) = guards.get_mut(&GuardKey::Number(listing.phone)) {
                stop.extend(listing.mark(guard, |call| campaigns.get(&call).copied()));
            }
        }
        let row = |g: &Guard| tables::guard_row(keys, tenant, &g.key, &g.value, (g.version, g.version + 1));
        let rows: Vec<_> = guards.values().map(row).collect();
        if !rows.is_empty() {
            tx.put(&GUARDS, rows).await?;
        }
        if !stop.is_empty() {
            self.inner.db.will_wake(tenant, at.ms()).await?;
            self.look_soon(tx, tenant, stop.iter().map(|call| (*call, at))).await?;
        }
        Ok(stop.into_iter().collect())
    }

    async fn suppress_once(
        &self,
        tenant: TenantId,
        entries: &[Suppression],
        at: Timestamp,
    ) -> Result<Suppressed, SqlError> {
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let (mut done, mut guards, mut listings) = (Suppressed::default(), BTreeSet::new(), Vec::new());
        for e in entries {
            let new = match &e.target {
                SuppressTarget::Number(phone) => {
                    guards.insert(GuardKey::Number(*phone));
                    listings.push(Listing {
                        phone: *phone,
                        campaign: e.campaign,
                        reason: e.reason.clone(),
                        source: e.source.clone(),
                        until: e.until,
                    });
                    continue;
                }
                SuppressTarget::Prefix(prefix) => {
                    guards.insert(GuardKey::Epoch);
                    list_prefix(&mut *tx, tenant, prefix, e, at).await?
                }
            };
            done.added += u32::from(new);
        }
        // Guards first, as commits do it. Once the epoch is ours no dial that read an older one can be
        // committed, so the calls that live now are all that a prefix must end.
        let mut marks = listings.clone();
        if guards.remove(&GuardKey::Epoch) {
            self.bump(&mut *tx, &keys, tenant, &BTreeSet::from([GuardKey::Epoch]), &[], at).await?;
            marks.extend(live_under(&mut *tx, &keys, tenant, entries).await?);
            guards.extend(marks.iter().map(|m| GuardKey::Number(m.phone)));
        }
        done.live = self.bump(&mut *tx, &keys, tenant, &guards, &marks, at).await?;
        for listing in &listings {
            let campaign = listing.campaign.map_or(Uuid::nil(), |c| c.key());
            let until = listing.until.unwrap_or(Timestamp::NEVER);
            let texts = (&*listing.reason, &*listing.source);
            let new = list_number(&mut *tx, &keys, tenant, listing.phone, campaign, texts, until, at).await?;
            done.added += u32::from(new);
        }
        let committed = tx.commit().await;
        if !done.live.is_empty() {
            self.inner.db.woke(tenant, at.ms());
        }
        committed.map(|()| done)
    }
}

/// The numbers of calls that live now and begin with a prefix that is being listed, as if each were
/// listed by itself.
async fn live_under(
    tx: &mut dyn Conn,
    keys: &TenantKeys,
    tenant: TenantId,
    entries: &[Suppression],
) -> Result<Vec<Listing>, SqlError> {
    let sql = "SELECT id, version, sealed, body FROM calls_live WHERE tenant = $1 ORDER BY id";
    let mut found = Vec::new();
    for row in tx.rows(sql, &[tenant.into()]).await? {
        let (call, _) = tables::call_from(keys, &row, 0)?;
        let digits = call.plan.to.digits().to_string();
        for e in entries {
            if let SuppressTarget::Prefix(prefix) = &e.target
                && digits.starts_with(&**prefix)
            {
                found.push(Listing {
                    phone: call.plan.to,
                    campaign: e.campaign,
                    reason: e.reason.clone(),
                    source: e.source.clone(),
                    until: e.until,
                });
            }
        }
    }
    Ok(found)
}

/// Puts a prefix on the list. Whether it is new.
async fn list_prefix(
    tx: &mut dyn Conn,
    tenant: TenantId,
    prefix: &str,
    e: &Suppression,
    at: Timestamp,
) -> Result<bool, SqlError> {
    let sql = "INSERT INTO dnc_prefixes (tenant, prefix, campaign, reason, source, until, added_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, prefix, campaign) DO NOTHING";
    let args = [
        tenant.into(),
        prefix.into(),
        e.campaign.map_or(Uuid::nil(), |c| c.key()).into(),
        (&*e.reason).into(),
        (&*e.source).into(),
        e.until.unwrap_or(Timestamp::NEVER).into(),
        at.into(),
    ];
    Ok(tx.run(sql, &args).await? == 1)
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
        let bad = |e: &Suppression| matches!(&e.target, SuppressTarget::Prefix(p) if !prefix_is_valid(p));
        if entries.iter().any(bad) {
            return Err(invalid("a prefix is 1 to 15 digits, country code first, without the plus sign"));
        }
        for _ in 0..TRIES {
            match self.suppress_once(tenant, entries, at).await {
                // A dial was committed at the same time: mark what it left.
                Err(SqlError::Clash(_)) => {}
                other => return Ok(other?),
            }
        }
        Err(CatalogError::Changed)
    }

    async fn unsuppress(
        &self,
        tenant: TenantId,
        target: &SuppressTarget,
        campaign: Option<CampaignId>,
        at: Timestamp,
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
        self.bump(&mut *tx, &keys, tenant, &BTreeSet::from([guard]), &[], at).await?;
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
