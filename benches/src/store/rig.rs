//! A Postgres server of the bench's own, and what every case needs.

use autocall_core::campaign::{Campaign, State};
use autocall_core::lead::{self, Lead, Number, Person};
use autocall_core::pacing::Mode;
use autocall_core::ports::catalog::{Added, LeadBatch, LeadBook};
use autocall_core::ports::{Changes, Put, Store};
use autocall_core::script::Audio;
use autocall_core::settings::{Retry, Settings};
use autocall_core::{CampaignId, LeadId, Millis, Outcome, Phone, Priority, TenantId, Timestamp};
use autocall_store_postgres::{Options, PostgresStore, Sealing, open};
use autocall_testkit::postgres::Cluster;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Runtime;

/// The bench's present.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
/// The usual tenant.
pub(super) const T: TenantId = TenantId(1);

pub(super) struct Rig {
    pub(super) cluster: Cluster,
    pub(super) runtime: Runtime,
}

impl Rig {
    /// `None` where Postgres' programs are not installed.
    pub(super) fn start() -> Option<Rig> {
        let cluster = Cluster::own("bench")?;
        let settings = "shared_buffers = 1GB\nmax_wal_size = 16GB\ncheckpoint_timeout = 15min";
        cluster.set(settings).expect("settings");
        cluster.stop(false).and_then(|()| cluster.start()).expect("starts again");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
        Some(Rig { cluster, runtime })
    }

    /// A new database; its name and address.
    pub(super) fn database(&self) -> (String, String) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = self.cluster.database_named(&format!("bench_{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let url = self.cluster.url(&name);
        (name, url)
    }

    /// A store, as a node opens it.
    pub(super) fn store(&self, url: &str, connections: u32) -> Arc<PostgresStore> {
        let options = Options { connections_max: connections, ..Options::new(url) };
        Arc::new(self.runtime.block_on(open(&options, Sealing::with(1, [7; 32]))).expect("opens"))
    }

    /// Runs SQL as the owner; what it printed.
    pub(super) fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.cluster.program("psql");
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = psql.spawn().expect("psql runs");
        child.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("written");
        let out = child.wait_with_output().expect("psql ends");
        assert!(out.status.success(), "psql failed on {sql}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// Transactions per second of a pgbench script, in the role that the store works in.
    pub(super) fn pgbench(&self, database: &str, script: &str, clients: u32, seconds: u32) -> f64 {
        let file = self.cluster.dir().join("script.sql");
        std::fs::write(&file, script).expect("written");
        let mut pgbench = self.cluster.program("pgbench");
        pgbench.env("PGOPTIONS", "-c role=autocall_app");
        pgbench.args(["-n", "-M", "prepared", "-j", "1", "-c", &clients.to_string(), "-T", &seconds.to_string()]);
        let out = pgbench.arg("-f").arg(&file).arg(database).output().expect("pgbench runs");
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&out.stderr));
        let failed = text.lines().any(|l| l.starts_with("number of failed transactions: 0 "));
        assert!(failed, "pgbench had failures: {text}");
        let line = text.lines().find(|l| l.starts_with("tps = ")).expect("a rate");
        line[6..].split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
    }
}

/// A campaign that dials as fast as it may, without agents.
pub(super) fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Bench".into();
    s.seller.phone = Phone::from_digits(14_155_550_100);
    s.caller_ids = (0..4).filter_map(|n| Phone::from_digits(14_155_550_101 + n)).collect();
    s.message = Some(Audio::say("Hello."));
    s.pacing.mode = Mode::Agentless { in_flight_max: 100_000 };
    s.caps.calls_per_second_max = 1_000_000.0;
    s.caps.lines_max = 1_000_000;
    for outcome in Outcome::ALL {
        s.retry.0.insert(outcome.name().into(), Retry::never());
    }
    s
}

pub(super) fn campaign(tenant: TenantId, n: u128) -> CampaignId {
    CampaignId::small(tenant, n)
}

/// A lead like those of real lists: a name, a few fields, a note.
pub(super) fn lead(campaign: CampaignId, n: u64) -> Lead {
    let tenant = campaign.tenant();
    let person = Person {
        first_name: "Ada".into(),
        last_name: format!("Lovelace {n}").into(),
        external_id: Some(format!("crm-{n}").into()),
        country: Some("US".into()),
        state: Some("CA".into()),
        ..Person::default()
    };
    Lead {
        id: LeadId::v7(tenant, NOW + Millis::from_ms(n as i64 / 64), u128::from(n) << 32 | campaign.key().as_u128()),
        campaign,
        list: None,
        person: Arc::new(person),
        person_key: n,
        numbers: [Number::new(Phone::from_digits(12_010_000_000 + n).expect("valid"))].into_iter().collect(),
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: lead::State::Open,
        due_at: NOW,
        blocked_by: None,
        attempts: 0,
        tally: Default::default(),
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

/// A running campaign with leads `from..to`.
pub(super) async fn furnish(store: &PostgresStore, id: CampaignId, from: u64, to: u64) {
    let mut row = Campaign::new(id, "bench", settings());
    (row.state, row.wake_at) = (State::Running, NOW);
    let mut changes = Changes::new(id.tenant(), NOW);
    changes.campaigns.push(Put { row, expected: 0 });
    store.commit(&changes).await.expect("a campaign");
    add(store, id, from, to).await;
}

/// Adds leads `from..to` to a campaign.
pub(super) async fn add(store: &PostgresStore, id: CampaignId, from: u64, to: u64) {
    let all: Vec<u64> = (from..to).collect();
    for some in all.chunks(5_000) {
        let leads = some.iter().map(|n| lead(id, *n)).collect();
        let batch = LeadBatch { campaign: id, leads, step: None, at: NOW };
        let added = store.add_leads(&batch).await.expect("added");
        assert!(added.iter().all(|a| *a == Added::New), "every lead is new");
    }
}
