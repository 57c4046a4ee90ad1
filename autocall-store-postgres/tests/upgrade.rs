//! Every released schema, with data in it, becomes the present one. A fixture is a dump of a database of
//! its time; once committed it never changes, and neither does any migration before it.
//!
//! For a release: `AUTOCALL_FIXTURE=0.2.0 cargo test -p autocall-store-postgres --test upgrade` adds one.

use autocall_core::TenantId;
use autocall_core::ports::Store;
use autocall_core::ports::catalog::{CallBook, LeadBook, LeadFilter, PageAsk};
use autocall_store_postgres::{Options, Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;
use std::path::PathBuf;

const T: TenantId = TenantId(1);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

async fn node(url: &str) -> autocall_store_postgres::PostgresStore {
    let options = Options { connections_max: 2, ..Options::new(url) };
    open(&options, Sealing::with(1, [7; 32])).await.expect("opens, and brings the schema up to date")
}

/// What every fixture holds: five leads, and a call to the first that lives.
async fn fill(url: &str) {
    let store = node(url).await;
    let leads = build::seed(&store, T, 5).await;
    let (_, c) = build::dial(&leads[0], 1, 1);
    build::commit(&store, &c).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_released_schema_is_brought_up_to_date_with_its_data() {
    let Some(cluster) = Cluster::shared() else {
        need::left_out("the upgrades on Postgres", "a Postgres server");
        return;
    };
    // The server's roles belong to no database, and so to no dump.
    let fresh = cluster.database();
    fill(&fresh).await;
    if let Ok(version) = std::env::var("AUTOCALL_FIXTURE") {
        let out = cluster.program("pg_dump").args(["--no-owner"]).arg(&fresh).output().expect("pg_dump runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        std::fs::create_dir_all(folder()).expect("a folder");
        std::fs::write(folder().join(format!("{version}.sql")), out.stdout).expect("written");
    }
    let mut read = 0;
    for entry in std::fs::read_dir(folder()).expect("fixtures") {
        let file = entry.expect("readable").path();
        let url = cluster.database();
        // The server's user may not be able to read this folder.
        let dump = std::fs::File::open(&file).expect("readable");
        let mut psql = cluster.program("psql");
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]).arg(&url).stdin(dump);
        let out = psql.output().expect("psql runs");
        assert!(out.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
        let store = node(&url).await;
        let found = store.leads(T, &LeadFilter::default(), &PageAsk::default()).await.expect("a page").items;
        assert_eq!(found.len(), 5, "{}", file.display());
        assert_eq!(found[1].row.person.name().expose(), "Ada Lovelace 1");
        let call = store.call(build::call_id(T, 1)).await.expect("the call that lived");
        assert_eq!(call.call.row.plan.to, build::phone(0));
        let page = store.calls(T, &Default::default(), &PageAsk::default()).await.expect("a page");
        assert_eq!(page.items.len(), 1);
        let view = store.campaign(build::campaign_id(T, 1)).await.expect("there");
        assert_eq!((view.leads.open, view.leads.calling, view.load.dialing), (4, 1, 1));
        // And it goes on from there.
        let next = store.candidates(build::campaign_id(T, 1), NOW, 5).await.expect("found").remove(0);
        let (_, c) = build::dial(&next.lead.row, next.lead.version, 2);
        build::commit(&store, &c).await;
        read += 1;
    }
    assert!(read > 0, "there is no fixture");
}

/// What a migration must not do to a big table: hold up dials while it works. (The first ones make the
/// tables; nothing is in them yet.)
#[test]
fn no_migration_locks_a_big_table_for_long() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for entry in std::fs::read_dir(folder).expect("migrations") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if name.as_str() < "0003" {
            continue;
        }
        let sql = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(slow(&sql), Vec::<String>::new(), "{name}");
    }
    let bad = [
        "CREATE INDEX a ON leads (b)",
        "UPDATE leads SET b = 1",
        "ALTER TABLE leads ALTER COLUMN b TYPE text",
        "ALTER TABLE leads ADD CHECK (b > 0)",
        "ALTER TABLE leads ADD COLUMN b text DEFAULT random()::text",
    ];
    for statement in bad {
        assert_eq!(slow(statement).len(), 1, "{statement}");
    }
    let good = "CREATE INDEX CONCURRENTLY a ON leads (b); ALTER TABLE leads ADD COLUMN c bigint NOT NULL DEFAULT 0; \
                ALTER TABLE leads ADD CONSTRAINT d CHECK (c >= 0) NOT VALID; ALTER TABLE leads VALIDATE CONSTRAINT d";
    assert_eq!(slow(good), Vec::<String>::new());
}

/// Statements that rewrite a table, or read all of it under a lock that dials wait for.
fn slow(sql: &str) -> Vec<String> {
    let code: String = sql.lines().filter(|l| !l.trim_start().starts_with("--")).collect::<Vec<_>>().join(" ");
    let is_slow = |s: &String| {
        let has = |what: &str| s.contains(what);
        (has("CREATE INDEX") || has("CREATE UNIQUE INDEX")) && !has("CONCURRENTLY")
            || s.starts_with("UPDATE ")
            || s.starts_with("DELETE ")
            || has("ALTER COLUMN") && has(" TYPE ")
            || has("SET NOT NULL")
            || has(" ADD ") && (has("CHECK") || has("FOREIGN KEY")) && !has("NOT VALID")
            || has("ADD COLUMN") && has("DEFAULT") && has("(")
    };
    code.split(';').map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase()).filter(is_slow).collect()
}
