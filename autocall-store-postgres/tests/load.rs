//! What only shows under load: plans that must not scan, old snapshots, nodes that meet.

use autocall_core::TenantId;
use autocall_core::ports::catalog::{LeadBatch, LeadBook, LeadFilter, Lifecycle, PageAsk, Subject};
use autocall_core::ports::{Bus, Due, Guard, GuardKey, Store, StoreError};
use autocall_core::{Millis, ports::Changes};
use autocall_store_postgres::{Options, PostgresBus, PostgresStore, Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection};
use std::collections::BTreeSet;
use std::time::Duration;

const T: TenantId = TenantId(1);

async fn database(what: &str) -> Option<(String, PostgresStore)> {
    let Some(cluster) = Cluster::shared() else {
        need::left_out(what, "a Postgres server");
        return None;
    };
    let url = tokio::task::spawn_blocking(move || cluster.database()).await.expect("a database");
    let store = node(&url).await;
    Some((url, store))
}

async fn node(url: &str) -> PostgresStore {
    let options = Options { connections_max: 4, ..Options::new(url) };
    open(&options, Sealing::with(1, [7; 32])).await.expect("opens")
}

async fn number(conn: &mut PgConnection, sql: &'static str) -> i64 {
    // Sessions hand in their counts about once a second, and a session remembers what it read.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    conn.execute("SELECT pg_stat_clear_snapshot()").await.expect("cleared");
    sqlx::query_scalar(sql).fetch_one(conn).await.expect("a number")
}

async fn add(store: &PostgresStore, from: u128, to: u128) {
    let leads = (from..to).map(|n| build::lead(T, n)).collect();
    let batch = LeadBatch { campaign: build::campaign_id(T, 1), leads, step: None, at: NOW };
    store.add_leads(&batch).await.expect("added");
}

/// Tables that grow are never read from end to end, neither by webhooks nor by dials nor by a search for
/// a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_grows_is_scanned() {
    let Some((url, store)) = database("the plans on Postgres").await else { return };
    build::seed(&store, T, 0).await;
    add(&store, 0, 3_000).await;
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    conn.execute(
        "INSERT INTO guards SELECT 1, 1, decode(md5(g::text), 'hex'), 1, '{\"number\":{}}' FROM generate_series(1, 60000) g; \
         INSERT INTO dnc_list (tenant, number_bx, campaign, reason, source, until, added_at, key_no, times) \
         SELECT 1, decode(md5(g::text), 'hex'), '00000000-0000-0000-0000-000000000000', 'x', 'x', 9223372036854775807, 0, 0, 1 \
         FROM generate_series(1, 30000) g; ANALYZE;",
    )
    .await
    .expect("rows");
    // Tables with a few rows are rightly read whole, so only those that were filled are watched.
    let scans = "SELECT COALESCE(SUM(seq_scan), 0)::bigint FROM pg_stat_user_tables \
                 WHERE relname IN ('guards', 'leads', 'call_queue', 'dnc_list')";
    let before = number(&mut conn, scans).await;
    for n in 0..20 {
        let found = store.candidates(build::campaign_id(T, 1), NOW, 1).await.expect("found").remove(0);
        let (call, mut c) = build::dial(&found.lead.row, found.lead.version, n);
        for guard in &found.guards {
            let write = matches!(guard.key, GuardKey::Number(_) | GuardKey::Person { .. });
            if write {
                c.guards.push(build::at(guard.clone(), guard.version));
            }
        }
        build::commit(&store, &c).await;
        store.call(call.id).await.expect("there");
        store.campaign(build::campaign_id(T, 1)).await.expect("there");
        store.due(NOW, NOW + Millis::from_secs(1), 10).await.expect("looked");
    }
    let filter = LeadFilter { phone: Some(build::phone(7)), ..LeadFilter::default() };
    assert_eq!(store.leads(T, &filter, &PageAsk::default()).await.expect("a page").items.len(), 1);
    store.export_person(T, &Subject::Number(build::phone(8))).await.expect("exported");
    assert_eq!(number(&mut conn, scans).await, before, "a table that grows was read from end to end");
}

/// A report or a dump keeps an old snapshot open, so that vacuum and index clean-up can remove nothing:
/// looks must not walk over what is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_snapshot_does_not_slow_the_looks() {
    let Some((url, store)) = database("the old snapshot on Postgres").await else { return };
    build::seed(&store, T, 0).await;
    add(&store, 0, 4_000).await;
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    conn.execute("ANALYZE").await.expect("analysed");
    let read = "SELECT idx_tup_read::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'call_queue_due'";
    let free = claim(&store, &mut conn, read, 1_500).await;
    let mut old = PgConnection::connect(&url).await.expect("connects");
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM leads").await.expect("a snapshot");
    let begun = std::time::Instant::now();
    let held = claim(&store, &mut conn, read, 1_500).await;
    old.close().await.expect("closed");
    // Every two seconds a look begins at the start, to find what other nodes put there.
    let whole = (begun.elapsed().as_secs() as i64 / 2 + 1) * 3_000;
    let most = free * 2 + whole;
    assert!(held <= most, "entries read by the looks: {free} without an old snapshot, {held} with one, {most} allowed");
}

/// Claims leads twenty at a time; how many entries of the index were read for it.
async fn claim(store: &PostgresStore, conn: &mut PgConnection, read: &'static str, leads: usize) -> i64 {
    let before = number(conn, read).await;
    let mut done = 0;
    while done < leads {
        let found = store.candidates(build::campaign_id(T, 1), NOW, 20).await.expect("found");
        let mut all = Changes::new(T, NOW);
        for candidate in &found {
            let n = candidate.lead.row.order as u128;
            let (_, c) = build::dial(&candidate.lead.row, candidate.lead.version, n);
            all.calls.extend(c.calls);
            all.leads.extend(c.leads);
        }
        build::commit(store, &all).await;
        done += found.len();
    }
    number(conn, read).await - before
}

/// The races of the suite meet in one node's queue; here two nodes race on one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_both_win() {
    let Some((url, one)) = database("two nodes on Postgres").await else { return };
    let two = node(&url).await;
    let leads = build::seed(&one, T, 120).await;
    let (mut won, mut lost) = (0, 0);
    let mut tasks = Vec::new();
    for (n, lead) in leads.iter().enumerate() {
        for (k, store) in [&one, &two].into_iter().enumerate() {
            // Two calls to one lead, and to one number whose guard does not exist yet.
            let (_, mut c) = build::dial(lead, 1, (n * 2 + k) as u128);
            c.guards.push(build::new(Guard::fresh(T, GuardKey::Number(build::phone(n as u64)))));
            let store = store.clone();
            tasks.push(tokio::spawn(async move { store.commit(&c).await.map(|done| done.permits.len()) }));
        }
    }
    for task in tasks {
        match task.await.expect("a commit") {
            Ok(permits) => won += permits,
            Err(StoreError::Conflict { stale }) => {
                assert!(!stale.is_empty());
                lost += 1;
            }
            Err(e) => panic!("neither written nor a conflict: {e}"),
        }
    }
    assert_eq!((won, lost), (120, 120), "each lead is dialled by one of them");
    let view = two.campaign(build::campaign_id(T, 1)).await.expect("there");
    assert_eq!((view.load.dialing, view.leads.calling, view.leads.open), (120, 120, 0));
    let mut seen = BTreeSet::new();
    let later = NOW + Millis::from_mins(10);
    for _ in 0..20 {
        let (a, b) = tokio::join!(
            one.due(later, later + Millis::from_mins(5), 15),
            two.due(later, later + Millis::from_mins(5), 15)
        );
        for due in a.expect("looked").into_iter().chain(b.expect("looked")) {
            if matches!(due, Due::Call(_)) {
                assert!(seen.insert(due), "handed out twice: {due:?}");
            }
        }
    }
    assert_eq!(seen.len(), 120);
}

/// Nodes check the same rows side by side, and an import holds up nobody: all of it ends well before a
/// lock would time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_does_not_hold_up_the_calls() {
    let Some((url, store)) = database("an import beside calls on Postgres").await else { return };
    let leads = build::seed(&store, T, 1).await;
    // Somebody else's batch that is written for a long time: it holds what an import holds.
    let mut other = PgConnection::connect(&url).await.expect("connects");
    other.execute("BEGIN; SELECT 1 FROM campaigns FOR KEY SHARE").await.expect("an import's lock on its campaign");
    let mut import = PgConnection::connect(&url).await.expect("connects");
    let name = build::campaign_id(T, 1).key().as_u128() ^ (u128::from(T.0) << 64);
    let name = (name ^ (name >> 64)) as u64 as i64;
    import.execute("BEGIN").await.expect("begun");
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(name).execute(&mut import).await.expect("its turn");
    let (_, mut c) = build::dial(&leads[0], 1, 1);
    let key = autocall_core::ports::RowKey::Campaign(build::campaign_id(T, 1));
    c.checks.push(autocall_core::ports::Check { key, version: 1 });
    build::commit(&store, &c).await;
    let waits = tokio::spawn({
        let store = store.clone();
        async move { add(&store, 1, 5).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waits.is_finished(), "two batches of one campaign are written at once");
    import.execute("ROLLBACK").await.expect("over");
    waits.await.expect("added");
    assert_eq!(store.campaign(build::campaign_id(T, 1)).await.expect("there").leads.open, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_hears_every_word() {
    let Some((url, _store)) = database("the bus on Postgres").await else { return };
    let (one, two) = (PostgresBus::open(&url).await.expect("opens"), PostgresBus::open(&url).await.expect("opens"));
    let (mut mine, mut yours) = (one.listen().await.expect("hears"), two.listen().await.expect("hears"));
    for n in 0..50 {
        one.say(&n.to_string()).await.expect("said");
    }
    for n in 0..50 {
        assert_eq!(mine.next().await, Ok(Some(n.to_string())));
        assert_eq!(yours.next().await, Ok(Some(n.to_string())));
    }
    assert!(one.say(&"x".repeat(8_000)).await.is_err(), "too long");
}
