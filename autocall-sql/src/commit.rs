//! Writing: a group of one tenant's commits in one transaction, each judged by itself.

use crate::counts::{self, Standing};
use crate::db::{Backend, Conn, PutRow, Scope, SqlError, Value};
use crate::fold::{Fold, Names, Present, Sum, Writes};
use crate::keys::SqlStore;
use crate::seal::TenantKeys;
use crate::tables::{self, AGENTS, CALLS_DONE, CALLS_LIVE, CAMPAIGNS, GUARDS, LEAD_NUMBERS, LEADS, QUEUE, RECORDS};
use autocall_core::pacing::Ledger;
use autocall_core::planning::counts::{CountKey, Counts};
use autocall_core::ports::{Changes, Committed, GuardKey, GuardValue, StoreError};
use autocall_core::{CallId, CampaignId, Id, LeadId, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;

/// How often a group that met somebody else's transaction is tried again.
pub(crate) const TRIES: u32 = 10;

/// What a caller is told: the calls that live on numbers it listed.
type Answer = Result<Vec<CallId>, StoreError>;

/// Somebody's changes, waiting for the group that takes them.
pub(crate) struct Waiting {
    changes: Changes,
    answer: oneshot::Sender<Answer>,
}

/// What was loaded beside [`Present`].
#[derive(Default)]
pub(crate) struct Beside {
    /// Fingerprints of leads' persons.
    prints: BTreeMap<LeadId, i64>,
    /// Calls that are settled already.
    done: BTreeSet<CallId>,
    /// What leads counted for before.
    standing: BTreeMap<LeadId, Standing>,
}

impl<B: Backend> SqlStore<B> {
    pub(crate) async fn commit_one(&self, changes: &Changes) -> Result<Committed, StoreError> {
        let (answer, told) = oneshot::channel();
        if self.inner.commits.join(changes.tenant, Waiting { changes: changes.clone(), answer })? {
            let (store, tenant) = (self.clone(), changes.tenant);
            // A task of its own: the group is not one caller's, so no caller's end may drop it.
            tokio::spawn(async move { store.drive(tenant).await });
        }
        let live = told.await.map_err(|_| StoreError::Unavailable("the commit was dropped".into()))??;
        Ok(changes.committed(live))
    }

    async fn drive(&self, tenant: TenantId) {
        let mut lane = self.inner.commits.drive(tenant);
        // Those who come at the same moment go together.
        tokio::task::yield_now().await;
        while let Some(group) = lane.next() {
            let changes: Vec<&Changes> = group.iter().map(|w| &w.changes).collect();
            let answers = self.commit_group(tenant, &changes).await;
            for (waiting, answer) in group.into_iter().zip(answers) {
                // A caller who went away reads again later.
                let _ = waiting.answer.send(answer);
            }
        }
    }

    /// Commits a group; one whose statements fail is split, so that each caller is told of its own
    /// failure only.
    async fn commit_group(&self, tenant: TenantId, group: &[&Changes]) -> Vec<Answer> {
        match self.try_group(tenant, group).await {
            Ok(answers) => answers,
            Err(SqlError::Gone(why)) => vec![Err(StoreError::Unavailable(why)); group.len()],
            Err(e) if group.len() == 1 => vec![Err(e.into())],
            Err(_) => {
                let mut answers = Vec::with_capacity(group.len());
                for one in group {
                    match self.try_group(tenant, &[one]).await {
                        Ok(mut answer) => answers.append(&mut answer),
                        Err(e) => answers.push(Err(e.into())),
                    }
                }
                answers
            }
        }
    }

    async fn try_group(&self, tenant: TenantId, group: &[&Changes]) -> Result<Vec<Answer>, SqlError> {
        let keys = self.keys(tenant).await?;
        let names = Names::of(group.iter().copied());
        let mut tries = 0;
        loop {
            match self.group_once(tenant, &keys, &names, group).await {
                Err(SqlError::Clash(_)) if tries < TRIES => {
                    tries += 1;
                    // Spread by what differs between nodes anyway; no clock decides anything here.
                    let spread = u64::from(rand::random::<u8>()) / 16;
                    tokio::time::sleep(Duration::from_millis(u64::from(tries) + spread)).await;
                }
                other => return other,
            }
        }
    }

    async fn group_once(
        &self,
        tenant: TenantId,
        keys: &TenantKeys,
        names: &Names,
        group: &[&Changes],
    ) -> Result<Vec<Answer>, SqlError> {
        let mut tx = self.inner.db.write(Scope::Keyed(tenant)).await?;
        let (present, beside) = self.load(&mut *tx, keys, tenant, names).await?;
        let mut fold = Fold::new(tenant, present);
        let answers: Vec<Answer> = group.iter().map(|c| fold.take(c)).collect();
        if answers.iter().all(Result::is_err) {
            return Ok(answers);
        }
        let writes = fold.writes;
        let earliest = writes.earliest();
        if let Some(at) = earliest {
            self.inner.db.will_wake(tenant, at.ms()).await?;
        }
        self.lower_floors(&writes);
        self.write(&mut *tx, keys, tenant, &writes, &beside).await?;
        let committed = tx.commit().await;
        // Even where the answer is lost: it may have been written.
        if let Some(at) = earliest {
            self.inner.db.woke(tenant, at.ms());
        }
        committed?;
        self.lower_floors(&writes);
        Ok(answers)
    }

    fn lower_floors(&self, writes: &Writes) {
        for write in writes.leads.values().filter(|w| w.row.is_open()) {
            let lead = &write.row;
            self.inner.floors.lower(lead.campaign, tables::lane(lead), (lead.due_at.ms(), lead.order));
        }
    }

    /// Locks and loads what a group names. Kinds come in one order everywhere, rows by key, so
    /// that two nodes never wait for each other in a circle.
    async fn load(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        names: &Names,
    ) -> Result<(Present, Beside), SqlError> {
        let (mut present, mut beside) = (Present::default(), Beside::default());
        let (dialect, lock) = (self.inner.db.dialect(), self.inner.db.dialect().lock());
        if !names.leads.is_empty() {
            let any = dialect.any("lead", 2, "uuid");
            let sql = format!(
                "SELECT lead, version, print, {} FROM call_queue WHERE tenant = $1 AND {any} ORDER BY lead{lock}",
                counts::STANDING
            );
            for row in tx.rows(&sql, &[tenant.into(), uuids(names.leads.iter().map(|i| i.key()))]).await? {
                let id = Id::new(tenant, row.uuid(0)?);
                present.leads.insert(id, row.count(1)?);
                beside.prints.insert(id, row.int(2)?);
                beside.standing.insert(id, counts::standing(&row, 3)?);
            }
        }
        if !names.calls.is_empty() {
            let any = dialect.any("id", 2, "uuid");
            let sql = format!("SELECT id, version FROM calls_live WHERE tenant = $1 AND {any} ORDER BY id{lock}");
            let args = [tenant.into(), uuids(names.calls.iter().map(|i| i.key()))];
            for row in tx.rows(&sql, &args).await? {
                present.calls.insert(Id::new(tenant, row.uuid(0)?), row.count(1)?);
            }
            if present.calls.len() < names.calls.len() {
                let sql = format!(
                    "SELECT id, version FROM calls_done WHERE tenant = $1 AND {any} AND {} ORDER BY id{lock}",
                    between("id")
                );
                let args: Vec<Value> = args.into_iter().chain(ends(&names.calls)).collect();
                for row in tx.rows(&sql, &args).await? {
                    let id = Id::new(tenant, row.uuid(0)?);
                    present.calls.insert(id, row.count(1)?);
                    beside.done.insert(id);
                }
            }
        }
        if !names.agents.is_empty() {
            let any = dialect.any("id", 2, "uuid");
            let sql = format!("SELECT id, version FROM agents WHERE tenant = $1 AND {any} ORDER BY id{lock}");
            for row in tx.rows(&sql, &[tenant.into(), uuids(names.agents.iter().map(|i| i.key()))]).await? {
                present.agents.insert(Id::new(tenant, row.uuid(0)?), row.count(1)?);
            }
        }
        // What is only checked is locked against change alone: groups that check the same row side by
        // side do not wait for each other. One statement for both, so that they come in one order.
        let campaigns: BTreeSet<CampaignId> = names.campaigns.union(&names.checked_campaigns).copied().collect();
        if !campaigns.is_empty() {
            let lock = if names.campaigns.is_empty() { dialect.lock_share() } else { lock };
            let any = dialect.any("id", 2, "uuid");
            let sql = format!("SELECT id, version FROM campaigns WHERE tenant = $1 AND {any} ORDER BY id{lock}");
            for row in tx.rows(&sql, &[tenant.into(), uuids(campaigns.iter().map(|i| i.key()))]).await? {
                present.campaigns.insert(Id::new(tenant, row.uuid(0)?), row.count(1)?);
            }
        }
        self.load_guards(tx, keys, tenant, &names.guards, lock, &mut present).await?;
        self.load_guards(tx, keys, tenant, &names.checked_guards, dialect.lock_share(), &mut present).await?;
        if names.lists {
            self.load_campaigns_of(tx, tenant, &mut present).await?;
        }
        if !names.records.is_empty() {
            let any = dialect.any("call", 2, "uuid");
            let sql = format!("SELECT call FROM records WHERE tenant = $1 AND {any} AND {}", between("call"));
            let args = [tenant.into(), uuids(names.records.iter().map(|i| i.key()))];
            let args: Vec<Value> = args.into_iter().chain(ends(&names.records)).collect();
            for row in tx.rows(&sql, &args).await? {
                present.records.insert(Id::new(tenant, row.uuid(0)?));
            }
        }
        Ok((present, beside))
    }

    pub(crate) async fn load_guards(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        names: &BTreeSet<GuardKey>,
        lock: &str,
        present: &mut Present,
    ) -> Result<(), SqlError> {
        if names.is_empty() {
            return Ok(());
        }
        let by_key: BTreeMap<(i64, Vec<u8>), &GuardKey> =
            names.iter().map(|k| (tables::guard_key(keys, k), k)).collect();
        let (these, more) = tables::guards_named(self.dialect(), by_key.keys(), 2);
        let sql = format!(
            "SELECT kind, key, version, value FROM guards WHERE tenant = $1 AND {these} ORDER BY kind, key{lock}"
        );
        let args: Vec<Value> = std::iter::once(tenant.into()).chain(more).collect();
        for row in tx.rows(&sql, &args).await? {
            if let Some(&key) = by_key.get(&(row.int(0)?, row.blob(1)?.to_vec())) {
                present.guards.insert(key.clone(), (row.count(2)?, row.json(3)?));
            }
        }
        Ok(())
    }

    /// To which campaigns the calls belong that live on numbers which are to be listed.
    async fn load_campaigns_of(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        present: &mut Present,
    ) -> Result<(), SqlError> {
        let live = present.guards.values().filter_map(|(_, value)| match value {
            GuardValue::Number(number) => number.live,
            _ => None,
        });
        present.campaigns_of = self.campaigns_of(tx, tenant, live.collect()).await?;
        Ok(())
    }

    /// The campaigns of calls that live.
    pub(crate) async fn campaigns_of(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        calls: Vec<CallId>,
    ) -> Result<BTreeMap<CallId, CampaignId>, SqlError> {
        if calls.is_empty() {
            return Ok(BTreeMap::new());
        }
        let any = self.inner.db.dialect().any("id", 2, "uuid");
        let sql = format!("SELECT id, campaign FROM calls_live WHERE tenant = $1 AND {any}");
        let rows = tx.rows(&sql, &[tenant.into(), uuids(calls.iter().map(|c| c.key()))]).await?;
        rows.iter().map(|r| Ok((Id::new(tenant, r.uuid(0)?), Id::new(tenant, r.uuid(1)?)))).collect()
    }

    /// Makes calls due that nobody writes: whoever looks finds their numbers listed.
    pub(crate) async fn look_soon(
        &self,
        tx: &mut dyn Conn,
        tenant: TenantId,
        calls: impl IntoIterator<Item = (CallId, Timestamp)>,
    ) -> Result<(), SqlError> {
        let mut by_time: BTreeMap<Timestamp, Vec<Option<Uuid>>> = BTreeMap::new();
        for (call, at) in calls {
            by_time.entry(at).or_default().push(Some(call.key()));
        }
        // Commits lock calls before guards, so nobody may wait for a call here; whoever holds one is
        // at work on it.
        let dialect = self.inner.db.dialect();
        let sql = format!(
            "UPDATE calls_live SET due_at = $2 WHERE tenant = $1 AND id IN \
             (SELECT id FROM calls_live WHERE tenant = $1 AND {}{})",
            dialect.any("id", 3, "uuid"),
            dialect.lock_skip()
        );
        for (at, calls) in by_time {
            tx.run(&sql, &[tenant.into(), at.into(), Value::Uuids(calls)]).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
        beside: &Beside,
    ) -> Result<(), SqlError> {
        self.write_campaigns(tx, keys, tenant, writes).await?;
        self.write_agents(tx, keys, tenant, writes).await?;
        self.write_leads(tx, keys, tenant, writes, beside).await?;
        self.write_calls(tx, keys, tenant, writes, beside).await?;
        self.look_soon(tx, tenant, writes.looks.iter().map(|(call, at)| (*call, *at))).await?;
        let guards = writes.guards.iter().map(|(key, w)| tables::guard_row(keys, tenant, key, &w.row, w.version));
        put(tx, &GUARDS, guards.collect()).await?;
        for (listing, at) in &writes.listings {
            let campaign = listing.campaign.map_or(Uuid::nil(), |c| c.key());
            let until = listing.until.unwrap_or(Timestamp::NEVER);
            let texts = (&*listing.reason, &*listing.source);
            list_number(tx, keys, tenant, listing.phone, campaign, texts, until, *at).await?;
        }
        self.write_totals(tx, keys, tenant, writes, beside).await?;
        self.write_records(tx, keys, tenant, writes).await
    }

    async fn write_campaigns(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
    ) -> Result<(), SqlError> {
        let rows = writes.campaigns.values().map(|w| tables::campaign_row(keys, &w.row, w.version)).collect();
        put(tx, &CAMPAIGNS, rows).await?;
        for (id, w) in &writes.campaigns {
            if w.version.0 == 0 {
                tx.run(
                    "INSERT INTO campaign_totals (tenant, campaign, due_at, created_at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (tenant, campaign) DO NOTHING",
                    &[tenant.into(), id.key().into(), w.row.wake_at.into(), w.at.into()],
                )
                .await?;
            }
            let args = [tenant.into(), id.key().into()];
            tx.run("DELETE FROM campaign_pools WHERE tenant = $1 AND campaign = $2", &args).await?;
            for pool in &w.row.settings.transfer.pools {
                let pacing = &w.row.settings.pacing;
                let (priority, weight) = (i64::from(pacing.share.priority), i64::from(pacing.share.weight));
                let (ahead, lines) = (i64::from(pacing.dials_ahead()), i64::from(w.row.settings.claimable_lines()));
                let [one, two, three] = [tenant.into(), id.key().into(), pool.key().into()];
                tx.run(
                    "INSERT INTO campaign_pools (tenant, campaign, pool, priority, weight, ahead, lines_max) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, pool, campaign) DO NOTHING",
                    &[one, two, three, priority.into(), weight.into(), ahead.into(), lines.into()],
                )
                .await?;
            }
        }
        Ok(())
    }

    async fn write_agents(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
    ) -> Result<(), SqlError> {
        let new: BTreeSet<Uuid> =
            writes.agents.values().filter(|w| w.version.0 == 0).map(|w| w.row.pool.key()).collect();
        for pool in new {
            tx.run(
                "INSERT INTO pools (tenant, id, version, name) VALUES ($1, $2, 1, $3) ON CONFLICT (tenant, id) DO NOTHING",
                &[tenant.into(), pool.into(), pool.simple().to_string().into()],
            )
            .await?;
        }
        let rows = writes.agents.values().map(|w| tables::agent_row(keys, &w.row, w.version)).collect();
        put(tx, &AGENTS, rows).await
    }

    async fn write_leads(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
        beside: &Beside,
    ) -> Result<(), SqlError> {
        let (mut people, mut numbers, mut queue) = (Vec::new(), Vec::new(), Vec::new());
        for (id, w) in &writes.leads {
            let print = tables::lead_print(keys, &w.row);
            if beside.prints.get(id) != Some(&print) {
                people.push(tables::lead_row(keys, &w.row, w.at));
                numbers.extend(tables::lead_number_rows(keys, &w.row));
                if w.version.0 > 0 {
                    let args = [tenant.into(), id.key().into()];
                    tx.run("DELETE FROM lead_numbers WHERE tenant = $1 AND lead = $2", &args).await?;
                }
            }
            queue.push(tables::queue_row(&w.row, print, w.at, w.version));
        }
        put(tx, &LEADS, people).await?;
        put(tx, &LEAD_NUMBERS, numbers).await?;
        put(tx, &QUEUE, queue).await
    }

    async fn write_calls(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
        beside: &Beside,
    ) -> Result<(), SqlError> {
        let (mut live, mut done, mut over) = (Vec::new(), Vec::new(), Vec::new());
        for (id, w) in &writes.calls {
            let was_done = beside.done.contains(id);
            if w.row.0.is_settled() || was_done {
                let from = if was_done { w.version.0 } else { 0 };
                done.push(tables::done_row(keys, &w.row.0, (from, w.version.1)));
                if w.version.0 > 0 && !was_done {
                    over.push(Some(id.key()));
                }
            } else {
                live.push(tables::live_row(keys, &w.row.0, w.row.1, w.version));
            }
        }
        if !over.is_empty() {
            let any = self.inner.db.dialect().any("id", 2, "uuid");
            let sql = format!("DELETE FROM calls_live WHERE tenant = $1 AND {any}");
            tx.run(&sql, &[tenant.into(), Value::Uuids(over)]).await?;
        }
        put(tx, &CALLS_LIVE, live).await?;
        put(tx, &CALLS_DONE, done).await
    }

    /// The campaigns' sums: last, because every node adds to the same few rows.
    async fn write_totals(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
        beside: &Beside,
    ) -> Result<(), SqlError> {
        for (campaign, sum) in &writes.totals {
            let ledger = self.ledger_after(tx, keys, tenant, *campaign, sum).await?;
            let (load, leads) = (&sum.load, &sum.leads);
            let mut args: Vec<Value> = vec![tenant.into(), campaign.key().into()];
            let loads = [load.dialing, load.waiting, load.offering, load.bridged, load.message, load.closing];
            args.extend(loads.map(|n| Value::from(i64::from(n))));
            args.extend([leads.open, leads.calling, leads.closed].map(Value::from));
            args.push(sum.wake_at.into());
            args.push(Value::Json(ledger));
            args.push(sum.spent_micros.into());
            tx.run(
                "UPDATE campaign_totals SET dialing = dialing + $3, waiting = waiting + $4, \
                 offering = offering + $5, bridged = bridged + $6, message = message + $7, closing = closing + $8, \
                 open = open + $9, calling = calling + $10, closed = closed + $11, \
                 due_at = COALESCE($12, due_at), ledger = COALESCE($13, ledger), \
                 spent_micros = spent_micros + $14 \
                 WHERE tenant = $1 AND campaign = $2",
                &args,
            )
            .await?;
        }
        for (campaign, (moved, at)) in counted(writes, beside) {
            counts::add(tx, tenant, campaign.key(), &moved, at).await?;
        }
        let shown = writes.shown.iter().map(|(&from, shown)| (keys.number(from), *shown));
        counts::add_shown(tx, tenant, shown.collect()).await
    }

    async fn ledger_after(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        campaign: CampaignId,
        sum: &Sum,
    ) -> Result<Option<String>, SqlError> {
        let Some(first) = sum.ledger.first() else { return Ok(None) };
        let sql = format!(
            "SELECT ledger FROM campaign_totals WHERE tenant = $1 AND campaign = $2{}",
            self.inner.db.dialect().lock()
        );
        let Some(row) = tx.row(&sql, &[tenant.into(), campaign.key().into()]).await? else { return Ok(None) };
        let mut ledger: Ledger = if row.text_opt(0)?.is_some() {
            row.json(0)?
        } else {
            let (campaign, _) = self.campaign_in(tx, keys, campaign).await?;
            Ledger::new(first.key, &campaign.settings.pacing.ledger)
        };
        for delta in &sum.ledger {
            ledger.apply(delta);
        }
        Ok(serde_json::to_string(&ledger).ok())
    }

    /// Records and dispositions take places in the feed. The row that counts them stays locked
    /// until the commit, so places become readable in their order.
    async fn write_records(
        &self,
        tx: &mut dyn Conn,
        keys: &TenantKeys,
        tenant: TenantId,
        writes: &Writes,
    ) -> Result<(), SqlError> {
        let n = (writes.records.len() + writes.disposed.len()) as u64;
        if n == 0 {
            return Ok(());
        }
        let sql = "UPDATE tenant_marks SET feed = feed + $2 WHERE tenant = $1 RETURNING feed";
        let last = match tx.row(sql, &[tenant.into(), n.into()]).await? {
            Some(row) => row.count(0)?,
            None => return Err(SqlError::Missing("tenant".into())),
        };
        let mut place = last - n;
        let mut rows = Vec::with_capacity(writes.records.len());
        for (record, extra) in &writes.records {
            place += 1;
            rows.push(tables::record_row(keys, record, extra, place));
        }
        put(tx, &RECORDS, rows).await?;
        for d in &writes.disposed {
            place += 1;
            tx.run(
                "INSERT INTO dispositions (tenant, call, place, agent, code, success, at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (tenant, call) DO UPDATE SET place = excluded.place, agent = excluded.agent, \
                 code = excluded.code, success = excluded.success, at = excluded.at",
                &[
                    tenant.into(),
                    d.call.key().into(),
                    place.into(),
                    d.agent.map(|a| a.key()).into(),
                    (&*d.code).into(),
                    d.success.into(),
                    d.at.into(),
                ],
            )
            .await?;
        }
        Ok(())
    }
}

/// How the group moves each campaign's counters: what its leads count for afterwards less what
/// they counted for before, and what its calls say about quotas.
fn counted(writes: &Writes, beside: &Beside) -> BTreeMap<CampaignId, (BTreeMap<CountKey, i64>, Timestamp)> {
    let mut all: BTreeMap<CampaignId, (BTreeMap<CountKey, i64>, Timestamp)> = BTreeMap::new();
    let mut add = |campaign, key: &CountKey, n: i64, at: Timestamp| {
        let (counts, last) = all.entry(campaign).or_insert_with(|| (BTreeMap::new(), Timestamp::EPOCH));
        *counts.entry(key.clone()).or_default() += n;
        *last = (*last).max(at);
    };
    for (id, write) in &writes.leads {
        for (key, n) in Counts::of(&write.row).iter() {
            add(write.row.campaign, key, *n, write.at);
        }
        for key in beside.standing.get(id).into_iter().flatten() {
            add(write.row.campaign, key, -1, write.at);
        }
    }
    for (campaign, sum) in &writes.totals {
        sum.counts.iter().for_each(|(key, n)| add(*campaign, key, *n, sum.counted_at));
    }
    all
}

async fn put(tx: &mut dyn Conn, table: &'static crate::db::Table, rows: Vec<PutRow>) -> Result<(), SqlError> {
    if rows.is_empty() { Ok(()) } else { tx.put(table, rows).await }
}

/// Puts a number on the list; an entry that stands keeps its date and takes the later end. Whether
/// it is new.
#[allow(clippy::too_many_arguments)]
pub(crate) async fn list_number(
    tx: &mut dyn Conn,
    keys: &TenantKeys,
    tenant: TenantId,
    phone: autocall_core::Phone,
    campaign: Uuid,
    (reason, source): (&str, &str),
    until: Timestamp,
    at: Timestamp,
) -> Result<bool, SqlError> {
    let number = keys.number(phone);
    let sealed = keys.seal("dnc_list", &number, phone.e164().as_bytes());
    let row = tx
        .row(
            "INSERT INTO dnc_list (tenant, number_bx, campaign, reason, source, until, added_at, key_no, sealed, times) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1) \
             ON CONFLICT (tenant, number_bx, campaign) DO UPDATE SET times = dnc_list.times + 1, \
             until = CASE WHEN excluded.until > dnc_list.until THEN excluded.until ELSE dnc_list.until END \
             RETURNING times",
            &[
                tenant.into(),
                number.into(),
                campaign.into(),
                reason.into(),
                source.into(),
                until.into(),
                at.into(),
                keys.active().into(),
                sealed.into(),
            ],
        )
        .await?;
    Ok(row.map(|r| r.int(0)).transpose()? == Some(1))
}

/// Bounds on the column by which a table is divided by time, as the third and fourth parameter. A plan
/// that is kept does not know what a list holds; with these it passes over the partitions that cannot
/// hold any of it.
pub(crate) fn between(column: &str) -> String {
    format!("{column} BETWEEN $3 AND $4")
}

/// The least and the greatest of some calls, for [`between`].
pub(crate) fn ends(calls: &BTreeSet<CallId>) -> [Value; 2] {
    [calls.first(), calls.last()].map(|id| Value::Uuid(id.map(|id| id.key())))
}

/// A list of keys as a parameter.
pub(crate) fn uuids(keys: impl Iterator<Item = Uuid>) -> Value {
    Value::Uuids(keys.map(Some).collect())
}
