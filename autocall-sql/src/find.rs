//! Reading for the machines: snapshots, views, candidates. By index, never by scan.

use crate::commit::uuids;
use crate::counts;
use crate::db::{Backend, Conn, Dialect, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables::{self, LEAD_COLUMNS, LEAD_JOIN};
use async_trait::async_trait;
use autocall_core::call::{Call, Load};
use autocall_core::campaign::Campaign;
use autocall_core::lead::Lead;
use autocall_core::pacing::{DayKey, Ledger, Share};
use autocall_core::planning::lane::{Found, Lane, choose};
use autocall_core::ports::{
    AgentBrief, AgentView, CallBrief, CampaignView, Candidate, Changes, Committed, Due, Guard, GuardKey, LeadCounts,
    Lists, PoolView, Sharer, Snapshot, Store, StoreError, Versioned,
};
use autocall_core::{AgentId, CallId, CampaignId, Id, LeadId, Millis, Phone, PoolId, TenantId, Timestamp};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Waiting calls that an agent's view holds.
const WAITING_MAX: i64 = 8;
/// Most calls of one campaign before their conversations that a view holds.
const PENDING_MAX: i64 = 20_000;
/// Lanes that one statement looks through.
const LANES_TOGETHER: usize = 48;
/// Most other campaigns of one pool that a view holds.
const SHARERS_MAX: i64 = 64;
/// When the first open appointment of the campaign `p` is due, of those that the index has first:
/// lanes below 64 hold appointments, each by due time.
const CALLBACK_AT: &str = "(SELECT MIN(f.due_at) FROM (SELECT q.due_at FROM call_queue q WHERE q.tenant = p.tenant \
     AND q.campaign = p.campaign AND q.state = 'open' AND q.lane < 64 ORDER BY q.lane, q.due_at LIMIT 256) f)";
/// Most agents of one pool that a view holds.
const AGENTS_MAX: i64 = 10_000;

/// Counts of a campaign, from `dialing` … `spent_micros` at column `c`.
pub(crate) fn totals(row: &Row, c: usize) -> Result<(Load, LeadCounts, i64), SqlError> {
    let n = |i: usize| row.int(c + i);
    let load = Load {
        dialing: n(0)? as i32,
        waiting: n(1)? as i32,
        offering: n(2)? as i32,
        bridged: n(3)? as i32,
        message: n(4)? as i32,
        closing: n(5)? as i32,
    };
    Ok((load, LeadCounts { open: n(6)?, calling: n(7)?, closed: n(8)? }, n(9)?))
}
/// The columns that [`totals`] reads.
pub(crate) const TOTALS: &str =
    "t.dialing, t.waiting, t.offering, t.bridged, t.message, t.closing, t.open, t.calling, t.closed, t.spent_micros";

#[async_trait]
impl<B: Backend> Store for SqlStore<B> {
    async fn call(&self, id: CallId) -> Result<Snapshot, StoreError> {
        self.snapshot(id).await
    }
    async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        Ok(self.campaign_view(id).await?)
    }
    async fn agent(&self, id: AgentId) -> Result<AgentView, StoreError> {
        Ok(self.agent_view(id).await?)
    }
    async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError> {
        self.commit_one(changes).await
    }
    async fn candidates(&self, campaign: CampaignId, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        Ok(self.find_candidates(campaign, now, limit).await?)
    }
    async fn candidate(&self, lead: LeadId, now: Timestamp) -> Result<Candidate, StoreError> {
        Ok(self.find_candidate(lead, now).await?)
    }
    async fn due(&self, now: Timestamp, hidden_until: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        Ok(self.find_due(now, hidden_until, limit).await?)
    }
}

pub(crate) fn missing(what: &str) -> SqlError {
    SqlError::Missing(what.to_owned())
}

impl<B: Backend> SqlStore<B> {
    pub(crate) fn dialect(&self) -> Dialect {
        self.inner.db.dialect()
    }

    /// A campaign and its version; decoded once per version.
    pub(crate) async fn campaign_in(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        id: CampaignId,
    ) -> Result<(Arc<Campaign>, u64), SqlError> {
        let sql = "SELECT id, CASE WHEN version <> $3 THEN sealed END, version FROM campaigns \
                   WHERE tenant = $1 AND id = $2";
        let args = [id.tenant().into(), id.key().into(), self.remembered_version(id).into()];
        let row = tx.row(sql, &args).await?.ok_or_else(|| missing("campaign"))?;
        let version = row.count(2)?;
        if let Some(campaign) = self.remembered(id, version) {
            return Ok((campaign, version));
        }
        // Forgotten between the two looks at the memory: read it whole.
        let row = if row.blob_opt(1)?.is_some() {
            row
        } else {
            let sql = "SELECT id, sealed, version FROM campaigns WHERE tenant = $1 AND id = $2";
            tx.row(sql, &args[..2]).await?.ok_or_else(|| missing("campaign"))?
        };
        let campaign = Arc::new(tables::campaign_from(keys, &row, 0)?);
        self.remember(row.count(2)?, campaign.clone());
        Ok((campaign, row.count(2)?))
    }

    pub(crate) async fn call_in(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        id: CallId,
    ) -> Result<Versioned<Call>, SqlError> {
        let args = [id.tenant().into(), id.key().into()];
        let live = "SELECT id, version, sealed, body FROM calls_live WHERE tenant = $1 AND id = $2";
        let done = "SELECT id, version, sealed, body FROM calls_done WHERE tenant = $1 AND id = $2";
        // A call that settles between the two looks is found by the third.
        for sql in [live, done, live, done] {
            if let Some(row) = tx.row(sql, &args).await? {
                let (row, version) = tables::call_from(keys, &row, 0)?;
                return Ok(Versioned { row, version });
            }
        }
        Err(missing("call"))
    }

    pub(crate) async fn lead_in(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        key: Uuid,
    ) -> Result<Versioned<Lead>, SqlError> {
        let sql = format!("SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE l.tenant = $1 AND l.id = $2");
        let row = tx.row(&sql, &[tenant.into(), key.into()]).await?.ok_or_else(|| missing("lead"))?;
        let (row, version) = tables::lead_from(keys, tenant, &row, 0)?;
        Ok(Versioned { row, version })
    }

    /// Guards by key; those never written are fresh.
    pub(crate) async fn guards_in(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        wanted: &BTreeSet<GuardKey>,
    ) -> Result<BTreeMap<GuardKey, Guard>, SqlError> {
        let by_key: BTreeMap<(i64, Vec<u8>), &GuardKey> =
            wanted.iter().map(|k| (tables::guard_key(keys, k), k)).collect();
        let (these, more) = tables::guards_named(self.dialect(), by_key.keys(), 2);
        let sql = format!("SELECT kind, key, version, value FROM guards WHERE tenant = $1 AND {these}");
        let args: Vec<Value> = std::iter::once(tenant.into()).chain(more).collect();
        let mut found: BTreeMap<GuardKey, Guard> =
            wanted.iter().map(|k| (k.clone(), Guard::fresh(tenant, k.clone()))).collect();
        for row in tx.rows(&sql, &args).await? {
            if let Some(&key) = by_key.get(&(row.int(0)?, row.blob(1)?.to_vec())) {
                let guard = Guard { tenant, key: key.clone(), version: row.count(2)?, value: row.json(3)? };
                found.insert(key.clone(), guard);
            }
        }
        Ok(found)
    }

    async fn agent_view(&self, id: AgentId) -> Result<AgentView, SqlError> {
        let tenant = id.tenant();
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let sql = "SELECT id, version, sealed FROM agents WHERE tenant = $1 AND id = $2";
        let row = tx.row(sql, &[tenant.into(), id.key().into()]).await?.ok_or_else(|| missing("agent"))?;
        let (row, version) = tables::agent_from(&keys, &row, 0)?;
        let pool: Value = row.pool.key().into();
        let waiting = format!(
            "SELECT c.id FROM calls_live c JOIN campaign_pools p ON p.tenant = c.tenant AND p.campaign = c.campaign \
             WHERE c.tenant = $1 AND p.pool = $2 AND c.waiting_since IS NOT NULL \
             ORDER BY c.waiting_since, c.id LIMIT {WAITING_MAX}"
        );
        let waiting = tx.rows(&waiting, &[tenant.into(), pool.clone()]).await?;
        let running = "SELECT c.id FROM campaign_pools p JOIN campaigns c ON c.tenant = p.tenant AND c.id = p.campaign \
                       WHERE p.tenant = $1 AND p.pool = $2 AND c.state = 'running' ORDER BY c.id LIMIT 1000";
        let running = tx.rows(running, &[tenant.into(), pool]).await?;
        Ok(AgentView {
            agent: Versioned { row, version },
            waiting: ids(tenant, &waiting)?,
            campaigns: ids(tenant, &running)?,
        })
    }

    async fn campaign_view(&self, id: CampaignId) -> Result<CampaignView, SqlError> {
        let tenant = id.tenant();
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let (campaign, version) = self.campaign_in(&mut *tx, &keys, id).await?;
        let args = [tenant.into(), id.key().into()];
        let sql = format!("SELECT {TOTALS}, t.ledger FROM campaign_totals t WHERE t.tenant = $1 AND t.campaign = $2");
        let row = tx.row(&sql, &args).await?.ok_or_else(|| missing("campaign"))?;
        let (load, leads, spent_micros) = totals(&row, 0)?;
        let settings = &campaign.settings;
        let ledger = match row.text_opt(10)? {
            Some(_) => row.json(10)?,
            None => Ledger::new(DayKey::with_offset(Timestamp::EPOCH, 0), &settings.pacing.ledger),
        };
        let pool_ids = &settings.transfer.pools;
        let mut wanted: BTreeSet<GuardKey> = settings.caller_ids.iter().map(|&p| GuardKey::CallerId(p)).collect();
        wanted.insert(GuardKey::Dials(id));
        wanted.extend(pool_ids.iter().map(|&p| GuardKey::Pool(p)));
        let mut guards = self.guards_in(&mut *tx, &keys, tenant, &wanted).await?;
        let version_of = |key: &GuardKey| guards.get(key).map_or(0, |g| g.version);
        let mut pools = Vec::with_capacity(pool_ids.len());
        for &pool in pool_ids {
            let version = version_of(&GuardKey::Pool(pool));
            pools.push(self.pool_view(&mut *tx, &keys, pool, id, version).await?);
        }
        let calls = self.pending(&mut *tx, id).await?;
        let dials = guards.remove(&GuardKey::Dials(id)).unwrap_or_else(|| Guard::fresh(tenant, GuardKey::Dials(id)));
        let caller_ids = settings.caller_ids.iter().filter_map(|&p| guards.remove(&GuardKey::CallerId(p))).collect();
        let shown = self.shown_in(&mut *tx, &keys, tenant, &settings.caller_ids).await?;
        // After the guard of the dials: see [`CampaignView::quotas`].
        let quotas = counts::quotas(&mut *tx, id, settings).await?;
        let next_due = self.next_due(&mut *tx, id).await?;
        let sql = format!("SELECT {CALLBACK_AT} FROM campaign_totals p WHERE p.tenant = $1 AND p.campaign = $2");
        let callback_at = tx.row(&sql, &args).await?.map_or(Ok(None), |r| r.at_opt(0))?;
        let campaign = Versioned { row: campaign, version };
        Ok(CampaignView {
            campaign,
            load,
            leads,
            ledger,
            spent_micros,
            dials,
            pools,
            calls,
            caller_ids,
            shown,
            quotas,
            next_due,
            callback_at,
        })
    }

    async fn pool_view(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        pool: PoolId,
        viewer: CampaignId,
        version: u64,
    ) -> Result<PoolView, SqlError> {
        let tenant = viewer.tenant();
        let sql = format!(
            "SELECT id, version, sealed FROM agents WHERE tenant = $1 AND pool = $2 \
             AND (status = 'available' OR state <> 'idle') ORDER BY id LIMIT {AGENTS_MAX}"
        );
        let mut agents = Vec::new();
        for row in tx.rows(&sql, &[tenant.into(), pool.key().into()]).await? {
            let Some((a, _)) = readable(tables::agent_from(keys, &row, 0), "an agent") else { continue };
            let available = a.status == autocall_core::agent::Status::Available;
            let standing = a.is_standing();
            agents.push(AgentBrief { id: a.id, available, state: a.state, since: a.since, standing });
        }
        let sharers = self.sharers(tx, pool, viewer).await?;
        let promised = sharers.iter().map(|s| s.open).sum();
        Ok(PoolView { pool, version, agents, promised, sharers })
    }

    /// The other campaigns that draw on a pool, by id.
    async fn sharers(&self, tx: &mut dyn Conn, pool: PoolId, viewer: CampaignId) -> Result<Vec<Sharer>, SqlError> {
        let tenant = viewer.tenant();
        let sql = format!(
            "SELECT p.campaign, p.priority, p.weight, p.ahead, t.dialing + t.waiting, t.open, t.due_at, \
             CASE WHEN c.state = 'running' THEN 1 ELSE 0 END, {CALLBACK_AT}, \
             p.lines_max, t.dialing + t.waiting + t.offering + t.bridged + t.message \
             FROM campaign_pools p \
             JOIN campaign_totals t ON t.tenant = p.tenant AND t.campaign = p.campaign \
             JOIN campaigns c ON c.tenant = p.tenant AND c.id = p.campaign \
             WHERE p.tenant = $1 AND p.pool = $2 AND p.campaign <> $3 \
             AND (c.state = 'running' OR t.dialing + t.waiting > 0) ORDER BY p.campaign LIMIT {SHARERS_MAX}"
        );
        let count = |n: i64| n.clamp(0, i64::from(u32::MAX)) as u32;
        let mut sharers = Vec::new();
        for row in tx.rows(&sql, &[tenant.into(), pool.key().into(), viewer.key().into()]).await? {
            sharers.push(Sharer {
                campaign: CampaignId::new(tenant, row.uuid(0)?),
                share: Share { priority: row.int(1)?.clamp(0, 9) as u8, weight: count(row.int(2)?) },
                ahead: row.int(3)? != 0,
                open: count(row.int(4)?),
                leads: count(row.int(5)?),
                wake_at: row.at(6)?,
                running: row.int(7)? != 0,
                callback_at: row.at_opt(8)?,
                room: count(row.int(9)? - row.int(10)?.max(0)),
                lines_max: count(row.int(9)?),
            });
        }
        Ok(sharers)
    }

    /// A campaign's calls before their conversations, oldest first.
    async fn pending(&self, tx: &mut dyn Conn, id: CampaignId) -> Result<Vec<CallBrief>, SqlError> {
        let sql = format!(
            "SELECT id, class, created_at, ringing_at, answered_at, waiting_since, agent FROM calls_live \
             WHERE tenant = $1 AND campaign = $2 AND stage IN ('dialing', 'seeking', 'offering') \
             ORDER BY created_at, id LIMIT {PENDING_MAX}"
        );
        let brief = |row: &Row| {
            Ok(CallBrief {
                id: Id::new(id.tenant(), row.uuid(0)?),
                class: row.int(1)? as u16,
                dialled_at: row.at(2)?,
                ringing_at: row.at_opt(3)?,
                answered_at: row.at_opt(4)?,
                waiting_since: row.at_opt(5)?,
                agent: row.uuid_opt(6)?.map(|k| Id::new(id.tenant(), k)),
            })
        };
        let rows = tx.rows(&sql, &[id.tenant().into(), id.key().into()]).await?;
        rows.iter().map(brief).collect()
    }

    async fn next_due(&self, tx: &mut dyn Conn, id: CampaignId) -> Result<Option<Timestamp>, SqlError> {
        let lanes: Vec<i64> = counts::lanes(tx, id).await?.iter().map(|(lane, _)| i64::from(lane.number())).collect();
        let mut next: Option<Timestamp> = None;
        for lanes in lanes.chunks(LANES_TOGETHER) {
            let floors = self.inner.floors.begin(id, lanes);
            let lane = |(k, lane): (usize, &i64)| {
                format!(
                    "SELECT (SELECT due_at FROM call_queue WHERE tenant = $1 AND campaign = $2 AND state = 'open' \
                     AND lane = {lane} AND (due_at, ord) >= (${}, ${}) ORDER BY due_at, ord, lead LIMIT 1) AS due_at",
                    3 + 2 * k,
                    4 + 2 * k
                )
            };
            let pieces: Vec<String> = lanes.iter().enumerate().map(lane).collect();
            let sql = format!("SELECT MIN(d.due_at) FROM ({}) d", pieces.join(" UNION ALL "));
            let mut args: Vec<Value> = vec![id.tenant().into(), id.key().into()];
            args.extend(floors.into_iter().flat_map(|(at, ord)| [Value::from(at), Value::from(ord)]));
            let first = tx.row(&sql, &args).await?.map_or(Ok(None), |r| r.at_opt(0))?;
            next = [next, first].into_iter().flatten().min();
        }
        Ok(next.filter(|&at| at != Timestamp::NEVER))
    }

    async fn find_candidates(
        &self,
        campaign: CampaignId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Candidate>, SqlError> {
        let tenant = campaign.tenant();
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let (settings, _) = self.campaign_in(&mut *tx, &keys, campaign).await?;
        let leads = self.due_leads(&mut *tx, &keys, &settings, now, limit).await?;
        self.candidates_of(&mut *tx, &keys, &settings, leads, now).await
    }

    async fn find_candidate(&self, lead: LeadId, now: Timestamp) -> Result<Candidate, SqlError> {
        let tenant = lead.tenant();
        let keys = self.keys(tenant).await?;
        let mut tx = self.inner.db.read(Scope::Tenant(tenant)).await?;
        let lead = self.lead_in(&mut *tx, &keys, tenant, lead.key()).await?;
        let (settings, _) = self.campaign_in(&mut *tx, &keys, lead.row.campaign).await?;
        let found = self.candidates_of(&mut *tx, &keys, &settings, vec![lead], now).await?;
        found.into_iter().next().ok_or_else(|| missing("lead"))
    }

    /// Brings along what the verdicts on leads depend on.
    async fn candidates_of(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        campaign: &Campaign,
        leads: Vec<Versioned<Lead>>,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, SqlError> {
        let tenant = campaign.id.tenant();
        if leads.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = BTreeSet::from([GuardKey::Epoch]);
        let mut phones = BTreeSet::new();
        for lead in &leads {
            phones.extend(lead.row.numbers.iter().map(|n| n.phone));
            wanted.insert(person(&lead.row, campaign));
        }
        wanted.extend(phones.iter().map(|&p| GuardKey::Number(p)));
        let guards = self.guards_in(tx, keys, tenant, &wanted).await?;
        let lists = self.lists_in(tx, keys, tenant, Some(campaign.id), &phones, now).await?;
        let candidate = |lead: Versioned<Lead>| {
            let numbers = || lead.row.numbers.iter().map(|n| n.phone);
            let mut of: SmallVec<[Guard; 4]> =
                numbers().filter_map(|p| guards.get(&GuardKey::Number(p)).cloned()).collect();
            of.extend(guards.get(&person(&lead.row, campaign)).cloned());
            of.extend(guards.get(&GuardKey::Epoch).cloned());
            let lists = numbers().map(|p| lists.get(&p).copied().unwrap_or_default()).collect();
            Candidate { guards: of, lists, lead }
        };
        Ok(leads.into_iter().map(candidate).collect())
    }

    /// Open leads that are due: of each lane that holds any the first ones by index, from its floor
    /// on; of those the next ones by the rule of the core; of those the rows.
    async fn due_leads(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        campaign: &Campaign,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Versioned<Lead>>, SqlError> {
        let (id, tenant) = (campaign.id, campaign.id.tenant());
        let open = counts::lanes(tx, id).await?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<Found<Uuid>> = Vec::with_capacity(open.len());
        // The first lanes go first; the rest are looked at only where these do not have enough.
        for lanes in open.chunks(LANES_TOGETHER) {
            found.extend(self.lanes_due(tx, campaign, lanes, now, limit).await?);
            if found.iter().map(|lane| lane.due.len()).sum::<usize>() >= limit as usize {
                break;
            }
        }
        let chosen: Vec<Uuid> = choose(found, &campaign.settings, now, limit as usize);
        self.leads_by_key(tx, keys, tenant, chosen, now).await
    }

    /// The first due leads of some lanes, by one statement with one probe of the index for each.
    async fn lanes_due(
        &self,
        tx: &mut dyn Conn,
        campaign: &Campaign,
        lanes: &[(Lane, i64)],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Found<Uuid>>, SqlError> {
        let (id, tenant) = (campaign.id, campaign.id.tenant());
        let numbers: Vec<i64> = lanes.iter().map(|(lane, _)| i64::from(lane.number())).collect();
        let floors = self.inner.floors.begin(id, &numbers);
        let piece = |(k, lane): (usize, &i64)| {
            format!(
                "SELECT * FROM (SELECT lead, lane, due_at, ord FROM call_queue WHERE tenant = $1 AND campaign = $2 \
                 AND state = 'open' AND lane = {lane} AND due_at <= $3 AND (due_at, ord) >= (${}, ${}) \
                 ORDER BY due_at, ord, lead LIMIT $4) lane{k}",
                5 + 2 * k,
                6 + 2 * k
            )
        };
        let pieces: Vec<String> = numbers.iter().enumerate().map(piece).collect();
        let mut args: Vec<Value> = vec![tenant.into(), id.key().into(), now.into(), limit.into()];
        args.extend(floors.into_iter().flat_map(|(at, ord)| [Value::from(at), Value::from(ord)]));
        let mut due: BTreeMap<i64, Vec<(i64, i64, Uuid)>> = BTreeMap::new();
        for row in tx.rows(&pieces.join(" UNION ALL "), &args).await? {
            due.entry(row.int(1)?).or_default().push((row.int(2)?, row.int(3)?, row.uuid(0)?));
        }
        let mut found = Vec::with_capacity(lanes.len());
        let mut first = Vec::with_capacity(lanes.len());
        let mut short = true;
        for &(lane, open) in lanes {
            let mut keys = due.remove(&i64::from(lane.number())).unwrap_or_default();
            // The union of ordered pieces has no order of its own.
            keys.sort_unstable();
            first.push(keys.first().map(|(due_at, ord, _)| (*due_at, *ord)));
            short &= keys.len() < limit as usize;
            found.push(Found { lane, open, due: keys.into_iter().map(|(_, _, lead)| lead).collect() });
        }
        self.inner.floors.found(id, &numbers, &first, short);
        Ok(found)
    }

    /// Leads by key, in that order; those that are not open and due any more are left out.
    async fn leads_by_key(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        chosen: Vec<Uuid>,
        now: Timestamp,
    ) -> Result<Vec<Versioned<Lead>>, SqlError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let any = self.dialect().any("l.id", 2, "uuid");
        // By key alone, so that no planner thinks of reading all that are open.
        let sql = format!("SELECT {LEAD_COLUMNS} FROM {LEAD_JOIN} WHERE l.tenant = $1 AND {any}");
        let (mut found, mut broken) = (BTreeMap::new(), Vec::new());
        for row in tx.rows(&sql, &[tenant.into(), uuids(chosen.iter().copied())]).await? {
            match readable(tables::lead_from(keys, tenant, &row, 0), "a lead") {
                Some((lead, _)) if !lead.is_open() || lead.due_at > now => {}
                Some((lead, version)) => drop(found.insert(lead.id.key(), Versioned { row: lead, version })),
                None => broken.push(Some(row.uuid(0)?)),
            }
        }
        if !broken.is_empty() {
            self.set_aside(tenant, broken, now).await?;
        }
        Ok(chosen.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// Leads that cannot be read wait an hour, so that they do not stand before the others: altered rows,
    /// or those of a newer autocall during an upgrade.
    async fn set_aside(&self, tenant: TenantId, leads: Vec<Option<Uuid>>, now: Timestamp) -> Result<(), SqlError> {
        let sql = format!(
            "UPDATE call_queue SET due_at = $2, blocked_by = 'unreadable', version = version + 1 \
             WHERE tenant = $1 AND state = 'open' AND {}",
            self.dialect().any("lead", 3, "uuid")
        );
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        tx.run(&sql, &[tenant.into(), (now + Millis::from_hours(1)).into(), Value::Uuids(leads)]).await?;
        tx.commit().await
    }

    /// What the do-not-call lists say about numbers now.
    pub(crate) async fn lists_in(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        phones: &BTreeSet<Phone>,
        now: Timestamp,
    ) -> Result<BTreeMap<Phone, Lists>, SqlError> {
        let mut lists: BTreeMap<Phone, Lists> = BTreeMap::new();
        let mut mark = |phone: Phone, of: Uuid, until: Timestamp| {
            let lists = lists.entry(phone).or_default();
            if of.is_nil() {
                lists.tenant = lists.tenant.max(Some(until));
            } else if campaign.is_some_and(|c| c.key() == of) {
                lists.campaign = lists.campaign.max(Some(until));
            }
        };
        let by_bx: BTreeMap<Vec<u8>, Phone> = phones.iter().map(|&p| (keys.number(p), p)).collect();
        let any = self.dialect().any("number_bx", 2, "bytea");
        let sql = format!("SELECT number_bx, campaign, until FROM dnc_list WHERE tenant = $1 AND {any} AND until > $3");
        let list = Value::Blobs(by_bx.keys().cloned().map(Some).collect());
        for row in tx.rows(&sql, &[tenant.into(), list, now.into()]).await? {
            if let Some(&phone) = by_bx.get(row.blob(0)?) {
                mark(phone, row.uuid(1)?, row.at(2)?);
            }
        }
        let mut by_prefix: BTreeMap<String, Vec<Phone>> = BTreeMap::new();
        for &phone in phones {
            let digits = phone.digits().to_string();
            for n in 1..=digits.len() {
                by_prefix.entry(digits[..n].to_owned()).or_default().push(phone);
            }
        }
        let any = self.dialect().any("prefix", 2, "text");
        let sql =
            format!("SELECT prefix, campaign, until FROM dnc_prefixes WHERE tenant = $1 AND {any} AND until > $3");
        let list = Value::Texts(by_prefix.keys().cloned().map(Some).collect());
        for row in tx.rows(&sql, &[tenant.into(), list, now.into()]).await? {
            for &phone in by_prefix.get(row.text(0)?).into_iter().flatten() {
                mark(phone, row.uuid(1)?, row.at(2)?);
            }
        }
        Ok(lists)
    }
}

fn person(lead: &Lead, campaign: &Campaign) -> GuardKey {
    GuardKey::Person { person: lead.person_key, subject: campaign.settings.subject.clone() }
}

/// A row of many: one that cannot be read is passed over, and said, so that it does not stop the others.
pub(crate) fn readable<T>(row: Result<T, SqlError>, what: &str) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "{what} cannot be read and is passed over")).ok()
}

/// Ids from the first column.
pub(crate) fn ids<K>(tenant: TenantId, rows: &[Row]) -> Result<Vec<Id<K>>, SqlError> {
    rows.iter().map(|r| Ok(Id::new(tenant, r.uuid(0)?))).collect()
}
