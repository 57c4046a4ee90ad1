//! Erasing a person: what named them goes, figures stay, and so does the duty not to call.

use super::invalid;
use super::keep::write_entry;
use crate::commit::uuids;
use crate::db::{Backend, Conn, PutRow, Scope, SqlError, Value};
use crate::keys::SqlStore;
use crate::seal::{Field, TenantKeys};
use crate::tables::{self, CALLS_DONE, LEAD_COLUMNS, LEAD_JOIN};
use autocall_core::lead::Lead;
use autocall_core::planning::counts::{CountKey, Counts};
use autocall_core::ports::catalog::{AuditEntry, CatalogError, ErasedPerson, Erasure, Keep, Kept, Subject};
use autocall_core::ports::{GuardKey, LeadCounts, Versioned};
use autocall_core::{Phone, TenantId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Most leads of one person.
const LEADS_MAX: usize = 1000;
/// Most calls of one person that one erasure rewrites.
const CALLS_MAX: usize = 10_000;

/// Stands where an erased number stood: too short to be anybody's.
pub(crate) const NOBODY: Phone = match Phone::from_digits(10_000) {
    Some(phone) => phone,
    None => panic!("five digits are enough"),
};

/// What a token says: keyed hashes, so that it names nobody without the tenant's key.
#[derive(Serialize, Deserialize)]
struct Token {
    numbers: Vec<String>,
    externals: Vec<String>,
    keeps: Vec<Keep>,
}

/// Whom an erasure is about, as hashes.
#[derive(Default)]
struct Whom {
    numbers: BTreeSet<Vec<u8>>,
    externals: BTreeSet<Vec<u8>>,
    lead: Option<Uuid>,
}

fn pack(hashes: &BTreeSet<Vec<u8>>) -> Vec<String> {
    hashes.iter().map(|h| URL_SAFE_NO_PAD.encode(h)).collect()
}

fn unpack(texts: &[String]) -> Result<BTreeSet<Vec<u8>>, CatalogError> {
    let one = |t: &String| URL_SAFE_NO_PAD.decode(t).map_err(|_| invalid("not an erasure's token"));
    texts.iter().map(one).collect()
}

fn blobs(list: &BTreeSet<Vec<u8>>) -> Value {
    Value::Blobs(list.iter().cloned().map(Some).collect())
}

impl<B: Backend> SqlStore<B> {
    fn whom(&self, keys: &TenantKeys, tenant: TenantId, subject: &Subject) -> Result<Whom, CatalogError> {
        let mut whom = Whom::default();
        match subject {
            Subject::Number(phone) => drop(whom.numbers.insert(keys.number(*phone))),
            Subject::External(e) => {
                whom.externals.insert(keys.blind(Field::External, e.expose().trim().as_bytes()));
            }
            Subject::Lead(id) if id.tenant() == tenant => whom.lead = Some(id.key()),
            Subject::Lead(_) => return Err(CatalogError::NotFound),
        }
        Ok(whom)
    }

    /// The person's leads: those with the number, the key, or the id.
    async fn leads_of(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        whom: &Whom,
    ) -> Result<Vec<Versioned<Lead>>, SqlError> {
        let d = self.dialect();
        let sql = format!(
            "SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE l.tenant = $1 AND l.id IN \
             (SELECT id FROM leads WHERE tenant = $1 AND {} UNION SELECT id FROM leads WHERE tenant = $1 AND {} \
             UNION SELECT lead FROM lead_numbers WHERE tenant = $1 AND {} \
             UNION SELECT id FROM leads WHERE tenant = $1 AND id = $4) ORDER BY l.id LIMIT {LEADS_MAX}",
            d.any("number_bx", 2, "bytea"),
            d.any("external_bx", 3, "bytea"),
            d.any("number_bx", 2, "bytea")
        );
        let args = [tenant.into(), blobs(&whom.numbers), blobs(&whom.externals), whom.lead.into()];
        super::book::leads_from(keys, tenant, &tx.rows(&sql, &args).await?)
    }

    /// The person's settled calls, by lead or by number.
    async fn calls_of(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        leads: &[Versioned<Lead>],
        numbers: &BTreeSet<Vec<u8>>,
    ) -> Result<Vec<Uuid>, SqlError> {
        let d = self.dialect();
        let sql = format!(
            "SELECT id FROM calls_done WHERE tenant = $1 AND {} UNION \
             SELECT id FROM calls_done WHERE tenant = $1 AND {} ORDER BY id LIMIT {CALLS_MAX}",
            d.any("lead", 2, "uuid"),
            d.any("to_bx", 3, "bytea")
        );
        let args = [tenant.into(), uuids(leads.iter().map(|l| l.row.id.key())), blobs(numbers)];
        tx.rows(&sql, &args).await?.iter().map(|r| r.uuid(0)).collect()
    }

    pub(crate) async fn person_json(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<serde_json::Value, CatalogError> {
        let keys = self.keys(tenant).await?;
        let mut whom = self.whom(&keys, tenant, subject)?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let leads = self.leads_of(&mut *tx, &keys, tenant, &whom).await?;
        whom.numbers.extend(leads.iter().flat_map(|l| &l.row.numbers).map(|n| keys.number(n.phone)));
        let (mut calls, mut records) = (Vec::new(), Vec::new());
        for key in self.calls_of(&mut *tx, tenant, &leads, &whom.numbers).await? {
            let args = [tenant.into(), key.into()];
            let sql = "SELECT id, version, sealed, body FROM calls_done WHERE tenant = $1 AND id = $2";
            if let Some(row) = tx.row(sql, &args).await? {
                calls.push(tables::call_from(&keys, &row, 0)?.0);
            }
            let sql = "SELECT call, sealed FROM records WHERE tenant = $1 AND call = $2";
            if let Some(row) = tx.row(sql, &args).await? {
                records.push(tables::record_from(&keys, &row, 0)?);
            }
        }
        let any = self.dialect().any("number_bx", 2, "bytea");
        let sql = format!("SELECT reason, source, added_at, until FROM dnc_list WHERE tenant = $1 AND {any}");
        let mut listed = Vec::new();
        for r in tx.rows(&sql, &[tenant.into(), blobs(&whom.numbers)]).await? {
            let (reason, source) = (r.text(0)?, r.text(1)?);
            listed.push(
                serde_json::json!({ "reason": reason, "source": source, "added_at": r.at(2)?, "until": r.at(3)? }),
            );
        }
        let leads: Vec<&Lead> = leads.iter().map(|l| &l.row).collect();
        Ok(serde_json::json!({ "leads": leads, "calls": calls, "records": records, "suppressions": listed }))
    }

    pub(crate) async fn erase_person(&self, tenant: TenantId, e: &Erasure) -> Result<ErasedPerson, CatalogError> {
        let keys = self.keys(tenant).await?;
        let whom = self.whom(&keys, tenant, &e.subject)?;
        self.erase_whom(tenant, &keys, whom, &e.keeps, e.at, Some(&e.actor)).await
    }

    pub(crate) async fn replay(
        &self,
        tenant: TenantId,
        token: &str,
        at: Timestamp,
    ) -> Result<ErasedPerson, CatalogError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid("not an erasure's token"))?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| invalid("not an erasure's token"))?;
        let keys = self.keys(tenant).await?;
        let whom = Whom { numbers: unpack(&token.numbers)?, externals: unpack(&token.externals)?, lead: None };
        self.erase_whom(tenant, &keys, whom, &token.keeps, at, None).await
    }

    /// `actor` is whoever asks; absent where an erasure is replayed.
    async fn erase_whom(
        &self,
        tenant: TenantId,
        keys: &TenantKeys,
        mut whom: Whom,
        keeps: &[Keep],
        at: Timestamp,
        actor: Option<&Arc<str>>,
    ) -> Result<ErasedPerson, CatalogError> {
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        // Held from here on, as commits hold them: before guards, in the order of their keys.
        let found = self.leads_of(&mut *tx, keys, tenant, &whom).await?;
        let any = self.dialect().any("lead", 2, "uuid");
        let sql =
            format!("SELECT lead FROM call_queue WHERE tenant = $1 AND {any} ORDER BY lead{}", self.dialect().lock());
        tx.rows(&sql, &[tenant.into(), uuids(found.iter().map(|l| l.row.id.key()))]).await?;
        let leads = self.leads_of(&mut *tx, keys, tenant, &whom).await?;
        if actor.is_some() && leads.is_empty() && whom.numbers.is_empty() {
            return Err(CatalogError::NotFound);
        }
        let phones: BTreeSet<Phone> = leads.iter().flat_map(|l| &l.row.numbers).map(|n| n.phone).collect();
        whom.numbers.extend(phones.iter().map(|&p| keys.number(p)));
        let external = |l: &Versioned<Lead>| l.row.person.external_id.clone();
        let externals = leads.iter().filter_map(external);
        whom.externals.extend(externals.map(|e| keys.blind(Field::External, e.expose().trim().as_bytes())));
        let ids = uuids(leads.iter().map(|l| l.row.id.key()));
        let any = self.dialect().any("lead", 2, "uuid");
        let sql = format!("SELECT 1 FROM calls_live WHERE tenant = $1 AND {any} LIMIT 1");
        if tx.row(&sql, &[tenant.into(), ids.clone()]).await?.is_some() {
            return Err(CatalogError::Changed);
        }
        let mut done = ErasedPerson::default();
        let calls = self.calls_of(&mut *tx, tenant, &leads, &whom.numbers).await?;
        done.kept = keep_some(&mut *tx, keys, tenant, keeps, &leads, &calls, at).await?;
        done.calls = calls.len() as u64;
        for key in calls {
            done.recordings.extend(erase_call(&mut *tx, keys, tenant, key).await?);
        }
        suppress_hashes(&mut *tx, tenant, &whom.numbers, at).await?;
        done.suppressed = whom.numbers.len() as u64;
        self.bump(&mut *tx, keys, tenant, &phones.iter().map(|&p| GuardKey::Number(p)).collect(), &[], at).await?;
        remove_leads(&mut *tx, tenant, &leads, at).await?;
        done.leads = leads.len() as u64;
        let token = Token { numbers: pack(&whom.numbers), externals: pack(&whom.externals), keeps: keeps.to_vec() };
        done.token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default());
        if let Some(actor) = actor {
            let sql = "INSERT INTO erasures (tenant, n, at, token) SELECT $1, COALESCE(MAX(n), 0) + 1, $2, $3 \
                       FROM erasures WHERE tenant = $1";
            tx.run(sql, &[tenant.into(), at.into(), done.token.clone().into()]).await?;
            let detail = serde_json::json!({ "leads": done.leads, "calls": done.calls, "kept": done.kept });
            let (actor, action, object) = (actor.clone(), "person.erase".into(), "person".into());
            write_entry(&mut *tx, &AuditEntry { tenant, n: 0, at, actor, action, object, detail }).await?;
        }
        tx.commit().await?;
        Ok(done)
    }
}

/// The list keeps a hash of each number, and forgets the number itself.
async fn suppress_hashes(
    tx: &mut dyn Conn,
    tenant: TenantId,
    numbers: &BTreeSet<Vec<u8>>,
    at: Timestamp,
) -> Result<(), SqlError> {
    for number in numbers {
        let args = [tenant.into(), number.clone().into(), Uuid::nil().into(), at.into(), Timestamp::NEVER.into()];
        let sql = "INSERT INTO dnc_list (tenant, number_bx, campaign, reason, source, until, added_at, key_no, times) \
                   VALUES ($1, $2, $3, 'erased', 'erasure', $5, $4, 0, 1) \
                   ON CONFLICT (tenant, number_bx, campaign) DO UPDATE SET until = excluded.until";
        tx.run(sql, &args).await?;
        let sql = "UPDATE dnc_list SET sealed = NULL WHERE tenant = $1 AND number_bx = $2";
        tx.run(sql, &args[..2]).await?;
    }
    Ok(())
}

/// Takes leads out, and out of their campaigns' counts.
pub(crate) async fn remove_leads(
    tx: &mut dyn Conn,
    tenant: TenantId,
    leads: &[Versioned<Lead>],
    at: Timestamp,
) -> Result<(), SqlError> {
    let mut counts: BTreeMap<Uuid, LeadCounts> = BTreeMap::new();
    let mut standing: BTreeMap<Uuid, BTreeMap<CountKey, i64>> = BTreeMap::new();
    for lead in leads {
        let sql = "DELETE FROM leads WHERE tenant = $1 AND id = $2";
        tx.run(sql, &[tenant.into(), lead.row.id.key().into()]).await?;
        counts.entry(lead.row.campaign.key()).or_default().add(&LeadCounts::of(&lead.row), 1);
        let standing = standing.entry(lead.row.campaign.key()).or_default();
        for (key, n) in Counts::of(&lead.row).iter() {
            *standing.entry(key.clone()).or_default() -= n;
        }
    }
    for (campaign, n) in counts {
        let sql = "UPDATE campaign_totals SET open = open - $3, calling = calling - $4, closed = closed - $5 \
                   WHERE tenant = $1 AND campaign = $2";
        let args = [tenant.into(), campaign.into(), n.open.into(), n.calling.into(), n.closed.into()];
        tx.run(sql, &args).await?;
    }
    for (campaign, changed) in standing {
        crate::counts::add(tx, tenant, campaign, &changed, at).await?;
    }
    Ok(())
}

/// Rewrites a settled call and its record without the person. The names of its recordings, which
/// nobody sees from now on: as old as can be, the next sweep has them deleted where they lie.
async fn erase_call(
    tx: &mut dyn Conn,
    keys: &TenantKeys,
    tenant: TenantId,
    key: Uuid,
) -> Result<Vec<Arc<str>>, SqlError> {
    let args = [tenant.into(), key.into()];
    let sql = "SELECT id, version, sealed, body FROM calls_done WHERE tenant = $1 AND id = $2";
    if let Some(row) = tx.row(sql, &args).await? {
        let (mut call, version) = tables::call_from(keys, &row, 0)?;
        let plan = Arc::make_mut(&mut call.plan);
        (plan.to, plan.name, plan.evidence) = (NOBODY, "".into(), None);
        for leg in &mut call.legs {
            (leg.facts.provider, leg.to) = (None, None);
        }
        let mut row: PutRow = tables::done_row(keys, &call, (version, version + 1));
        row.values[7] = Value::Blob(None);
        tx.put(&CALLS_DONE, vec![row]).await?;
    }
    let sql = "SELECT call, sealed FROM records WHERE tenant = $1 AND call = $2";
    if let Some(row) = tx.row(sql, &args).await? {
        let mut record = tables::record_from(keys, &row, 0)?;
        (record.to, record.provider, record.evidence) = (NOBODY, None, None);
        let sealed = keys.seal("records", key.as_bytes(), &tables::stamped(&record));
        let sql = "UPDATE records SET sealed = $3, key_no = $4, to_bx = NULL WHERE tenant = $1 AND call = $2";
        tx.run(sql, &[tenant.into(), key.into(), sealed.into(), keys.active().into()]).await?;
    }
    let sql = "UPDATE recordings SET made_at = 0 WHERE tenant = $1 AND call = $2 AND made_at > 0 RETURNING provider";
    tx.rows(sql, &args).await?.iter().map(|r| Ok(r.text(0)?.into())).collect()
}

/// Locks away what rules oblige to keep, each until its own end.
async fn keep_some(
    tx: &mut dyn Conn,
    keys: &TenantKeys,
    tenant: TenantId,
    keeps: &[Keep],
    leads: &[Versioned<Lead>],
    calls: &[Uuid],
    at: Timestamp,
) -> Result<Vec<Kept>, SqlError> {
    let mut kept = Vec::new();
    for keep in keeps {
        let mut items: Vec<(serde_json::Value, Timestamp)> = Vec::new();
        if &*keep.what == "leads" {
            let of = |l: &Versioned<Lead>| (serde_json::to_value(&l.row).unwrap_or_default(), at + keep.keep_ms);
            items.extend(leads.iter().map(of));
        } else {
            for &key in calls {
                let sql = "SELECT call, sealed FROM records WHERE tenant = $1 AND call = $2";
                if let Some(row) = tx.row(sql, &[tenant.into(), key.into()]).await? {
                    let record = tables::record_from(keys, &row, 0)?;
                    let until = record.ended_at + keep.keep_ms;
                    items.push((serde_json::to_value(&record).unwrap_or_default(), until));
                }
            }
        }
        items.retain(|(_, until)| *until > at);
        for (item, until) in &items {
            let id = Uuid::from_u128(rand::random());
            let sealed = keys.seal("kept", id.as_bytes(), item.to_string().as_bytes());
            let sql = "INSERT INTO kept (tenant, id, what, citation, until, key_no, sealed) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let args = [
                tenant.into(),
                id.into(),
                (&*keep.what).into(),
                (&*keep.citation).into(),
                (*until).into(),
                keys.active().into(),
                sealed.into(),
            ];
            tx.run(sql, &args).await?;
        }
        if let Some(until) = items.iter().map(|i| i.1).max() {
            let rows = items.len() as u64;
            kept.push(Kept { what: keep.what.clone(), rows, citation: keep.citation.clone(), until });
        }
    }
    Ok(kept)
}
