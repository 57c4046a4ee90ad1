//! The schema keeps tenants apart and sealed data sealed, whatever the statements do.

use autocall_core::TenantId;
use autocall_core::ports::catalog::{LeadBatch, LeadBook};
use autocall_store_postgres::{Options, PostgresStore, Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection, Row};

async fn fresh() -> Option<(Cluster, String, PostgresStore)> {
    let Some(cluster) = Cluster::shared() else {
        need::left_out("the schema's laws on Postgres", "a Postgres server");
        return None;
    };
    let url = cluster.database();
    let options = Options { connections_max: 4, ..Options::new(url.clone()) };
    Some((cluster, url, open(&options, Sealing::with(1, [7; 32])).await.expect("opens")))
}

async fn names(conn: &mut PgConnection, sql: &'static str) -> Vec<String> {
    let rows = sqlx::query(sql).fetch_all(conn).await.expect("rows");
    rows.iter().map(|r| r.get::<String, _>(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_and_reference_holds_the_tenant() {
    let Some((_, url, _store)) = fresh().await else { return };
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    let loose = names(
        &mut conn,
        "SELECT c.relname || '.' || i.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid \
         JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND x.indisunique AND c.relname NOT LIKE 'directory%' \
         AND c.relname <> '_sqlx_migrations' AND NOT EXISTS (SELECT 1 FROM pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attnum = ANY (x.indkey) AND a.attname = 'tenant')",
    )
    .await;
    assert!(loose.is_empty(), "unique without the tenant: {loose:?}");
    let loose = names(
        &mut conn,
        "SELECT k.conname::text FROM pg_constraint k WHERE k.contype = 'f' AND NOT EXISTS \
         (SELECT 1 FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) \
         AND a.attname = 'tenant')",
    )
    .await;
    assert!(loose.is_empty(), "reference without the tenant: {loose:?}");
    let open_tables = names(
        &mut conn,
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT c.relrowsecurity \
         AND c.relname NOT LIKE 'directory%' AND c.relname <> '_sqlx_migrations'",
    )
    .await;
    assert!(open_tables.is_empty(), "without row-level security: {open_tables:?}");
    for name in ["tenants", "users", "campaigns", "leads", "agents", "calls", "dnc_list", "call_queue"] {
        let sql = format!("SELECT count(*) FROM {name}");
        conn.execute(sqlx::AssertSqlSafe(sql)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_roles_see_one_tenant_or_the_directory() {
    let Some((_, url, store)) = fresh().await else { return };
    for t in [1, 2] {
        build::seed(&store, TenantId(t), 3).await;
    }
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    conn.execute("SET ROLE autocall_app").await.expect("a member");
    let count = "SELECT count(*)::text FROM leads";
    assert_eq!(names(&mut conn, count).await, ["0"], "no tenant named: nothing seen");
    conn.execute("BEGIN; SET LOCAL autocall.tenant = '1'").await.expect("set");
    assert_eq!(names(&mut conn, count).await, ["3"]);
    let moved = conn.execute("UPDATE campaigns SET name = 'x' WHERE tenant = 2").await.expect("runs");
    assert_eq!(moved.rows_affected(), 0, "another tenant's rows cannot be changed");
    let smuggled = "INSERT INTO pools (tenant, id, version, name) VALUES (2, gen_random_uuid(), 1, 'x')";
    assert!(conn.execute(smuggled).await.is_err(), "nor made");
    conn.execute("ROLLBACK").await.expect("rolled back");
    assert!(conn.execute("SELECT 1 FROM directory_entries").await.is_err(), "the directory is not the app's");
    assert!(conn.execute("DELETE FROM audit_log").await.is_err(), "the audit log is append-only");
    conn.execute("RESET ROLE; SET ROLE autocall_directory").await.expect("a member");
    assert!(conn.execute("SELECT 1 FROM leads").await.is_err(), "leads are not the directory's");
    conn.execute("SELECT 1 FROM directory_entries").await.expect("its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_shows_no_number_and_no_name_and_restores() {
    let Some((cluster, url, store)) = fresh().await else { return };
    let t = TenantId(1);
    build::seed(&store, t, 0).await;
    let leads: Vec<_> = (0..30).map(|n| build::lead(t, n)).collect();
    let batch = LeadBatch { campaign: build::campaign_id(t, 1), leads: leads.clone(), step: None, at: NOW };
    store.add_leads(&batch).await.expect("added");
    let (mut call, mut c) = build::dial(&leads[0], 1, 1);
    let mut plan = (*call.plan).clone();
    plan.evidence = Some("{\"proof\":\"signed-form-4711\"}".into());
    call.plan = std::sync::Arc::new(plan);
    c.calls[0].0.row = call;
    c.agents.push(build::new(build::agent(t, 1, NOW)));
    build::commit(&store, &c).await;
    let out = cluster.program("pg_dump").arg(&url).output().expect("pg_dump runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let dump = String::from_utf8_lossy(&out.stdout);
    assert!(dump.contains("COPY public.leads"), "the dump holds the leads");
    for secret in ["2025550", "Lovelace", "Hopper", "prefers mornings", "crm-", "signed-form-4711"] {
        assert!(!dump.contains(secret), "the dump shows {secret:?}");
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(!dump.contains(&hex), "the dump shows {secret:?} in hexadecimal");
    }
    // The same data where sealing is off: the scan can find something.
    let bare = cluster.database();
    let bare_store =
        open(&Options { connections_max: 2, ..Options::new(bare.clone()) }, Sealing::off()).await.expect("opens");
    build::seed(&bare_store, t, 1).await;
    let out = cluster.program("pg_dump").arg(&bare).output().expect("pg_dump runs");
    let hex: String = "Lovelace".bytes().map(|b| format!("{b:02x}")).collect();
    assert!(String::from_utf8_lossy(&out.stdout).contains(&hex), "the scan is blind");
    // Restored elsewhere, everything is there.
    let again = cluster.database();
    let file = cluster.dir().join(format!("dump-{}.sql", std::process::id()));
    std::fs::write(&file, dump.as_bytes()).expect("written");
    let out = cluster
        .program("psql")
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&file)
        .arg(&again)
        .output()
        .expect("psql");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let restored =
        open(&Options { connections_max: 2, ..Options::new(again) }, Sealing::with(1, [7; 32])).await.expect("opens");
    assert_eq!(LeadBook::lead(&restored, leads[3].id).await.expect("there").row, leads[3]);
    let id = build::call_id(t, 1);
    assert_eq!(
        autocall_core::ports::Store::call(&restored, id).await.expect("there").call.row.plan.to,
        build::phone(0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_reaches_every_sealed_row() {
    use autocall_core::ports::Put;
    use autocall_core::ports::catalog::*;
    let Some((_, url, store)) = fresh().await else { return };
    let t = TenantId(1);
    build::seed(&store, t, 3).await;
    let target = SuppressTarget::Number(build::phone(9));
    let entry = Suppression { target, campaign: None, reason: "x".into(), source: "x".into(), until: None };
    store.suppress(t, &[entry], NOW).await.expect("listed");
    for key in ["one", "two"] {
        let row = Document { tenant: t, kind: "consent".into(), key: key.into(), body: "yes".into(), until: None };
        store.put_document(&Put { row, expected: 0 }).await.expect("kept");
        let recording = Recording {
            call: build::call_id(t, 1),
            provider: key.into(),
            location: "https://example.test/1".into(),
            length_ms: 1,
            made_at: NOW,
        };
        store.put_recording(&recording).await.expect("kept");
    }
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    let sealed = "SELECT table_name::text FROM information_schema.columns c JOIN pg_class p ON p.relname = c.table_name \
                  WHERE c.table_schema = 'public' AND c.column_name = 'sealed' AND NOT p.relispartition ORDER BY 1";
    let mut known: Vec<&str> = autocall_sql::sealed_tables().collect();
    known.sort_unstable();
    assert_eq!(names(&mut conn, sealed).await, known, "tables with sealed rows that a rotation does not know");
    // Long ago, so that the new key need not rest.
    store.rotate_key(t, autocall_core::Timestamp::EPOCH).await.expect("rotated");
    let mut after = None;
    loop {
        after = store.reseal(t, after, 2).await.expect("resealed");
        if after.is_none() {
            break;
        }
    }
    for table in known {
        let sql = format!("SELECT count(*)::text FROM {table} WHERE sealed IS NOT NULL AND key_no <> 2");
        let left: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.expect("a count");
        assert_eq!(left, "0", "rows of {table} are still sealed with the old key");
    }
    let found = store.document(t, "consent", "two").await.expect("opens");
    assert_eq!(found.row.body, serde_json::json!("yes"));
    let listed = store.suppressions(t, &PageAsk::default()).await.expect("a page").items;
    assert_eq!(listed[0].target, Some(SuppressTarget::Number(build::phone(9))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_cannot_be_read_does_not_stop_the_others() {
    use autocall_core::ports::Store;
    let Some((_, url, store)) = fresh().await else { return };
    let t = TenantId(1);
    let leads = build::seed(&store, t, 3).await;
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    let bend = "UPDATE leads SET sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 255) WHERE id = $1";
    sqlx::query(bend).bind(leads[0].id.key()).execute(&mut conn).await.expect("altered");
    let found = store.candidates(build::campaign_id(t, 1), NOW, 1).await.expect("looked");
    assert!(found.is_empty(), "the first one is passed over");
    let found = store.candidates(build::campaign_id(t, 1), NOW, 5).await.expect("looked");
    assert_eq!(found.iter().map(|c| c.lead.row.id).collect::<Vec<_>>(), [leads[1].id, leads[2].id]);
    let why = "SELECT blocked_by FROM call_queue WHERE blocked_by IS NOT NULL";
    assert_eq!(names(&mut conn, why).await, ["unreadable"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_call_needs_and_cannot_be_read_does_not_stop_those_read_with_it() {
    use autocall_core::ports::{Guard, GuardKey, Store, StoreError};
    let Some((_, url, store)) = fresh().await else { return };
    let t = TenantId(1);
    let leads = build::seed(&store, t, 3).await;
    for (n, lead) in (1..).zip(&leads) {
        let (call, mut changes) = build::dial(lead, 1, n);
        if n == 2 {
            changes.guards.push(build::new(Guard::fresh(t, GuardKey::Number(call.plan.to))));
        }
        build::commit(&store, &changes).await;
    }
    // The lead of one call, and the guard of another's number, as a newer version might write them.
    let mut conn = PgConnection::connect(&url).await.expect("connects");
    let bend = "UPDATE leads SET sealed = overlay(sealed placing '\\x00'::bytea from 30) WHERE id = $1";
    sqlx::query(bend).bind(leads[0].id.key()).execute(&mut conn).await.expect("altered");
    let bend = "UPDATE guards SET value = '{\"of\": \"the future\"}' WHERE value ? 'number'";
    let bent = conn.execute(bend).await.expect("altered");
    assert_eq!(bent.rows_affected(), 1);
    for _ in 0..20 {
        let call = |n| store.call(build::call_id(t, n));
        let (one, two, three) = tokio::join!(call(1), call(2), call(3));
        assert!(matches!(one, Err(StoreError::Corrupt(_))), "{one:?}");
        assert!(matches!(two, Err(StoreError::Corrupt(_))), "{two:?}");
        assert_eq!(three.map(|s| s.lead.row.id), Ok(leads[2].id));
    }
    let missing = store.call(build::call_id(t, 99)).await;
    assert_eq!(missing.map(drop), Err(StoreError::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_plans_anew_is_kept() {
    use autocall_sql::{Backend, Scope};
    let Some((_, _, store)) = fresh().await else { return };
    let who = async |write: bool| {
        let scope = Scope::Tenant(TenantId(1));
        let db = store.backend();
        let mut tx = if write { db.write(scope).await } else { db.read(scope).await }.expect("begins");
        let row = tx.row("SELECT pg_backend_pid()", &[]).await.expect("a row").expect("one");
        tx.commit().await.expect("ends");
        row.int(0).expect("a process")
    };
    let first = who(false).await;
    for write in [false, true, false] {
        // Older than its plans may be.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        assert_eq!(who(write).await, first, "the same connection");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_unavailable_and_passes() {
    use autocall_core::ports::{Store, StoreError};
    let Some(cluster) = Cluster::own("outage") else {
        need::left_out("the outage law on Postgres", "a Postgres server");
        return;
    };
    let options = Options { connections_max: 3, ..Options::new(cluster.database()) };
    let store = open(&options, Sealing::off()).await.expect("opens");
    let t = TenantId(1);
    let leads = build::seed(&store, t, 2).await;
    cluster.stop(true).expect("crashes");
    let (_, c) = build::dial(&leads[0], 1, 1);
    let answer = store.commit(&c).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.candidates(build::campaign_id(t, 1), NOW, 5).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.campaign(build::campaign_id(t, 1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.call(build::call_id(t, 1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.agent(build::agent_id(t, 1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.due(NOW, NOW, 5).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let batch = LeadBatch { campaign: build::campaign_id(t, 1), leads: vec![build::lead(t, 9)], step: None, at: NOW };
    let answer = store.add_leads(&batch).await;
    assert!(answer.as_ref().is_err_and(|e| e.is_retryable()), "{answer:?}");
    cluster.start().expect("comes back");
    // Connections that died are replaced: nobody is told of an outage that is over.
    let back = store.candidates(build::campaign_id(t, 1), NOW, 5).await;
    assert_eq!(back.expect("back").len(), 2, "what was committed before the crash is there");
    build::commit(&store, &c).await;
    cluster.stop(true).expect("stops");
}
