//! The baseline stack: what a competent team would build from the usual parts. It is not ours and not
//! in this repository; `--set peers=DIR` or `AUTOCALL_PEERS` says where it is.

use super::rig::Rig;
use crate::Opts;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Stops what was started.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder(opts: &Opts) -> Option<PathBuf> {
    let told = opts.set.get("peers").map(PathBuf::from);
    let folder = told.or_else(|| std::env::var_os("AUTOCALL_PEERS").map(PathBuf::from));
    let Some(folder) = folder else {
        eprintln!("store: the baseline stack is left out; --set peers=DIR says where it is");
        return None;
    };
    let whole = folder.join("seedstack/worker.js").is_file() && folder.join("seedstack/node_modules").is_dir();
    if !whole {
        eprintln!("store: the baseline stack in {} is not whole (npm install in seedstack?)", folder.display());
    }
    whole.then_some(folder)
}

fn start(command: &mut Command) -> Option<Guard> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok().map(Guard)
}

/// Jobs per second of its dispatcher: a queue in Redis, a claim, a request to a carrier that answers
/// at once, the carrier's name recorded.
pub(super) fn dispatch(rig: &Rig, opts: &Opts, jobs: u64) -> Option<f64> {
    let peers = folder(opts)?;
    let redis = start(Command::new("redis-server").args(["--port", "6399", "--save", "", "--bind", "127.0.0.1"]));
    if redis.is_none() {
        eprintln!("store: the baseline stack is left out; it needs redis-server");
    }
    let redis = redis?;
    let carrier = start(Command::new("node").arg(peers.join("load/faketwilio.js")))?;
    std::thread::sleep(Duration::from_secs(1));
    let name = rig.cluster.database_named("baseline");
    let schema = std::fs::read_to_string(peers.join("seedstack/schema.sql")).ok()?;
    rig.psql(&name, &schema);
    rig.psql(
        &name,
        &format!(
            "INSERT INTO leads(tenant_id, campaign_id, phone, status) SELECT 1, 1, '+1415' || lpad(g::text, 7, '0'), \
             'queued' FROM generate_series(1, {jobs}) g; ANALYZE;"
        ),
    );
    let rate = worker(rig, &peers, &name, jobs);
    let done = rig.psql(&name, "SELECT count(*) FROM calls WHERE call_sid IS NOT NULL");
    assert_eq!(done, jobs.to_string(), "the baseline stack did its work");
    drop((carrier, redis));
    rate
}

fn worker(rig: &Rig, peers: &Path, database: &str, jobs: u64) -> Option<f64> {
    let url = format!("postgresql:///{database}?host={}&user=autocall", rig.cluster.dir().display());
    let mut node = Command::new("node");
    node.arg("worker.js").current_dir(peers.join("seedstack")).env("DATABASE_URL", url).env("N", jobs.to_string());
    node.env("HTTP", "raw").env("CONC", "50").env("PGUSER", "autocall");
    node.env("TWILIO_ACCOUNT_SID", format!("AC{}", "0".repeat(32))).env("TWILIO_AUTH_TOKEN", "0".repeat(32));
    let out = node.output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let told = text.lines().rev().find_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    if told.is_none() {
        eprintln!("store: the baseline stack failed: {}", String::from_utf8_lossy(&out.stderr));
    }
    told?.get("jobs_per_s")?.as_f64()
}
