//! Signed status webhooks to a committed change, beside what the database itself can write and
//! beside the baseline stack.

use super::load::{self, Bytes, Outcome};
use super::place::{self, Running, SID, Server, TOKEN, psql, text};
use crate::{Measurement, Opts};
use autocall_testkit::fake_twilio::{Account, Config, FakeTwilio, Faults, Person};
use autocall_testkit::postgres::Cluster;
use autocall_twilio::form::Form;
use autocall_twilio::signature::sign;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BENCH: &str = "server";
/// Connections of the carrier.
const CONNECTIONS: usize = 64;
/// Calls that the server starts a second before a run; more than a small machine can start would
/// outlive their permits and be tried again later.
const DIALS_PER_S: f64 = 400.0;
/// What is reported of each call, in this order.
const STATUSES: [&str; 4] = ["initiated", "ringing", "in-progress", "completed"];
/// At most so many calls later each further status of a call comes: statuses are mixed, as they
/// are on a carrier's line, and a call's own stay in order.
const APART: usize = 200;

/// The goals of the project.
const OVER_PGBENCH: f64 = 0.6;
const OVER_BASELINE: f64 = 5.0;
const P99_MS: f64 = 25.0;

/// What the carrier says of both ends.
const PLACES: [(&str, &str); 16] = [
    ("FromCity", "SAN FRANCISCO"),
    ("FromState", "CA"),
    ("FromZip", "94105"),
    ("FromCountry", "US"),
    ("ToCity", ""),
    ("ToState", "CA"),
    ("ToZip", ""),
    ("ToCountry", "US"),
    ("CalledCity", ""),
    ("CalledState", "CA"),
    ("CalledZip", ""),
    ("CalledCountry", "US"),
    ("CallerCity", "SAN FRANCISCO"),
    ("CallerState", "CA"),
    ("CallerZip", "94105"),
    ("CallerCountry", "US"),
];

/// The fields of a status callback, as many as the carrier sends.
fn form(sid: &str, to: &str, sequence: usize) -> Form {
    let (number, status) = (sequence.to_string(), STATUSES[sequence]);
    let mut fields = vec![
        ("CallSid", sid),
        ("AccountSid", SID),
        ("From", "+12025550100"),
        ("To", to),
        ("Called", to),
        ("Caller", "+12025550100"),
        ("CallStatus", status),
        ("ApiVersion", "2010-04-01"),
        ("Direction", "outbound-api"),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", &number),
        ("Timestamp", "Tue, 03 Jun 2025 15:04:00 +0000"),
    ];
    fields.extend(PLACES);
    if status == "completed" {
        fields.extend([("CallDuration", "37"), ("Duration", "1")]);
    }
    Form::of(fields)
}

/// Requests for calls of (carrier's id, number, path).
pub(super) fn requests(calls: &[(String, String, String)], base: &str, host: &str) -> Vec<Bytes> {
    let one = |(sid, to, path): &(String, String, String), sequence| {
        let form = form(sid, to, sequence);
        let signature = sign(TOKEN, &format!("{base}{path}"), &form);
        load::request(path, host, &signature, &form.encode())
    };
    let apart = APART.min(calls.len() / 8).max(1);
    let turns = calls.len() + apart * (STATUSES.len() - 1);
    let due = |turn: usize| (0..STATUSES.len()).filter_map(move |s| Some((turn.checked_sub(s * apart)?, s)));
    let all = (0..turns).flat_map(due).filter_map(|(call, s)| Some(one(calls.get(call)?, s)));
    all.collect()
}

/// Calls that are on their way: dialed by the server itself, at a carrier that says nothing.
pub(super) async fn calls(
    server: &Server,
    twilio: &FakeTwilio,
    area: u32,
    count: usize,
) -> Vec<(String, String, String)> {
    let before = twilio.dialled().len();
    let (list, numbers) = list(area, count);
    // They ring for as long as they are let.
    for number in &numbers {
        twilio.set_person(number, vec![Person { ring_ms: 100_000_000, ..Person::no_answer() }]);
    }
    let owner = &server.owner;
    let settings = json!({
        "purpose": "service",
        "rules": "any-hour",
        "seller": { "name": "Bench", "phone": "+12025550100" },
        "caps": { "calls_per_second_max": DIALS_PER_S, "lines_max": 100_000, "ring_ms_max": 120_000 },
        "pacing": { "mode": { "kind": "agentless", "in_flight_max": 100_000 } },
        "message": { "say": { "text": "This is Bench, 202 555 0100. Press 9 not to be called again." } },
    });
    let campaign = owner.post("/api/campaigns", &json!({ "name": area.to_string(), "settings": settings })).await;
    let campaign = text(&campaign["id"]).to_owned();
    assert_eq!(owner.import(&campaign, list.as_bytes()).await as usize, count);
    consent(server, &campaign, count).await;
    owner.post(&format!("/api/campaigns/{campaign}/start"), &json!({ "confirm": count })).await;
    let begun = Instant::now();
    while twilio.dialled().len() < before + count {
        if begun.elapsed().as_secs_f64() > 60.0 + 3.0 * count as f64 / DIALS_PER_S {
            let why = owner.get(&format!("/api/campaigns/{campaign}/explain")).await;
            panic!("only {} of {count} calls are dialed: {why}", twilio.dialled().len() - before);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("server: {count} calls dialed in {:.1} s", begun.elapsed().as_secs_f64());
    let path = |line: &str| format!("/webhooks/twilio/status/{line}");
    let dialled = twilio.dialled().split_off(before);
    dialled.into_iter().map(|d| (d.call, d.to, path(&d.attempt.expect("a line")))).collect()
}

fn list(area: u32, count: usize) -> (String, Vec<String>) {
    let mut text = String::from("first_name,phone\n");
    let numbers: Vec<String> = (0..count).map(|n| format!("+1{area}{:07}", 2_010_000 + n)).collect();
    numbers.iter().for_each(|n| text.push_str(&format!("Ann,{n}\n")));
    (text, numbers)
}

/// Everybody agreed to be called, at any hour: the bench runs at every hour.
async fn consent(server: &Server, campaign: &str, count: usize) {
    let body = json!({ "consent": { "class": "written", "source": "web_form", "given_at": 1_700_000_000_000i64,
        "automated": true, "recorded_voice": true, "any_hour": true, "proof": "bench" } });
    let mut ids = Vec::with_capacity(count);
    let mut after = String::new();
    loop {
        let page = server.owner.get(&format!("/api/leads?campaign={campaign}&limit=500{after}")).await;
        ids.extend(page["items"].as_array().expect("a list").iter().map(|l| text(&l["id"]).to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for part in ids.chunks(ids.len().div_ceil(32)).map(<[String]>::to_vec) {
        let (owner, body) = (server.owner.clone(), body.clone());
        tasks.spawn(async move {
            for id in part {
                owner.post(&format!("/api/leads/{id}/consents"), &body).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
}

/// A carrier that dials and reports nothing: the load generator reports.
pub(super) async fn silent_carrier() -> FakeTwilio {
    let account = Account { sid: SID.into(), token: TOKEN.into(), calls_per_second: 5_000.0, ..Account::default() };
    let faults = Faults { lose: 1.0, ..Faults::default() };
    let config = Config { accounts: vec![account], faults, ..Config::default() };
    FakeTwilio::start(config).await.expect("the fake carrier starts")
}

/// Runs the case.
pub(super) async fn run(opts: &Opts, binary: &Path, cluster: &Cluster) -> Vec<Measurement> {
    let count = opts.pick(200, 6_000, 20_000);
    let twilio = silent_carrier().await;
    let server = Server::twilio(binary, &cluster.database(), &twilio.url()).await;
    let (whole, p99_at_half) = ours(&server, &twilio, count).await;
    let limit = pgbench(opts, binary, cluster);
    let peer = baseline(opts, cluster, count).await;
    let mut found = vec![
        Measurement::higher(BENCH, "webhooks", "webhooks_per_s", whole.per_s(), "/s"),
        Measurement::lower(BENCH, "webhooks", "ms_p50", whole.quantile(0.5), "ms"),
        Measurement::lower(BENCH, "webhooks", "ms_p95", whole.quantile(0.95), "ms"),
        Measurement::lower(BENCH, "webhooks", "ms_p99", whole.quantile(0.99), "ms"),
        Measurement::lower(BENCH, "webhooks at half load", "ms_p50", p99_at_half.quantile(0.5), "ms"),
        Measurement::lower(BENCH, "webhooks at half load", "ms_p95", p99_at_half.quantile(0.95), "ms"),
        Measurement::lower(BENCH, "webhooks at half load", "ms_p99", p99_at_half.quantile(0.99), "ms").goal(P99_MS),
    ];
    if let Some(limit) = limit {
        found.push(Measurement::higher(BENCH, "pgbench, same writes", "tx_per_s", limit, "/s"));
        let ratio = Measurement::higher(BENCH, "webhooks", "over_pgbench", whole.per_s() / limit, "");
        found.push(ratio.goal(OVER_PGBENCH));
    }
    if let Some(peer) = peer {
        found.push(Measurement::higher(BENCH, "baseline stack", "webhooks_per_s", peer.per_s(), "/s"));
        found.push(Measurement::lower(BENCH, "baseline stack", "ms_p99", peer.quantile(0.99), "ms"));
        let ratio = Measurement::higher(BENCH, "webhooks", "over_baseline", whole.per_s() / peer.per_s(), "");
        found.push(ratio.goal(OVER_BASELINE));
    }
    found
}

/// At full speed, then at half of that.
async fn ours(server: &Server, twilio: &FakeTwilio, count: usize) -> (Outcome, Outcome) {
    let (address, base) = (server.address(), server.base.clone());
    let first = requests(&calls(server, twilio, 212, count).await, &base, &address);
    let whole = load::send(&address, first, CONNECTIONS, None).await;
    settled(server, count, &whole).await;
    let second = requests(&calls(server, twilio, 415, count).await, &base, &address);
    let half = load::send(&address, second, CONNECTIONS, Some(whole.per_s() / 2.0)).await;
    settled(server, count * 2, &half).await;
    (whole, half)
}

/// Every answer was good, and every call has settled: the work was really done.
async fn settled(server: &Server, calls: usize, outcome: &Outcome) {
    assert_eq!(outcome.good(), outcome.status.len(), "every webhook was acknowledged");
    all_settled(server, calls).await;
}

/// Waits until so many calls have settled. One that was answered stays open a little for what the
/// carrier may still have to say of it.
pub(super) async fn all_settled(server: &Server, calls: usize) {
    let begun = Instant::now();
    loop {
        let summary: Value = server.owner.get("/api/calls/stats/summary").await;
        if summary["calls"].as_u64() == Some(calls as u64) {
            return;
        }
        if begun.elapsed() > Duration::from_secs(120) {
            let some = server.owner.get("/api/calls?limit=1").await;
            let one = server.owner.get(&format!("/api/calls/{}", text(&some["items"][0]["id"]))).await;
            panic!("not every one of {calls} calls has settled: {summary}\none of them: {one}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The same writes by the database's own tool, on the same tables: three times a report that
/// changes a call, once the end that settles it.
fn pgbench(opts: &Opts, binary: &Path, cluster: &Cluster) -> Option<f64> {
    let database = cluster.database();
    let folder = tempfile::tempdir().ok()?;
    let made = Command::new(binary).arg("migrate").current_dir(folder.path()).env("DATABASE_URL", &database).output();
    let made = made.ok()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    if let Err(problem) = psql(cluster, &database, &["-c", include_str!("pgbench_seed.sql")]) {
        println!("server: no pgbench figure: {problem}");
        return None;
    }
    // The user that runs the database's programs must be able to read them.
    let (report, settle) = (include_str!("pgbench_report.sql"), include_str!("pgbench_settle.sql"));
    let (report, settle) = (write("report.sql", report), write("settle.sql", settle));
    for path in [folder.path().to_string_lossy().as_ref(), &report, &settle] {
        let _ = Command::new("chmod").args(["a+rx", path]).status();
    }
    let seconds = opts.pick("2", "8", "20");
    let name = database.rsplit('/').next()?;
    let mut pgbench = cluster.program("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-c", "16", "-j", "1", "-T", seconds]);
    let out = pgbench.args(["-f", &format!("{report}@3"), "-f", &format!("{settle}@1"), name]).output().ok()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = said.lines().find(|l| l.starts_with("tps = "));
    let rate = line.and_then(|l| l.split_whitespace().nth(2)?.parse().ok());
    if rate.is_none() {
        println!("server: no pgbench figure: {said}{}", String::from_utf8_lossy(&out.stderr));
    }
    let done = psql(cluster, &database, &["-c", "SELECT count(*) FROM records"]).unwrap_or_default();
    assert!(rate.is_none() || done.parse::<u64>().is_ok_and(|n| n > 0), "pgbench settled nothing");
    rate
}

/// The folder of the baseline stack, where somebody said which.
pub(super) fn baseline_folder(opts: &Opts) -> Option<PathBuf> {
    let told = opts.set.get("baseline").cloned().or_else(|| std::env::var("AUTOCALL_BASELINE").ok());
    let Some(folder) = told.map(PathBuf::from) else {
        println!("server: no baseline stack: say where with --set baseline=FOLDER or AUTOCALL_BASELINE");
        return None;
    };
    if folder.join("app.js").is_file() && folder.join("node_modules").is_dir() {
        return Some(folder);
    }
    println!("server: no baseline stack: {} has no app.js with its packages installed", folder.display());
    None
}

/// The baseline stack, started on a database of its own.
pub(super) fn start_baseline(folder: &Path, cluster: &Cluster) -> (Running, String, String) {
    let database = cluster.database();
    for file in ["schema.sql", "seed.sql"] {
        let sql = std::fs::read_to_string(folder.join(file)).expect("the baseline's tables");
        // One statement at a time: VACUUM stands alone.
        for statement in sql.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            psql(cluster, &database, &["-c", statement]).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
    }
    let port = place::port();
    let mut node = Command::new("node");
    node.arg("app.js").current_dir(folder).stderr(Stdio::null());
    node.env("DATABASE_URL", &database).env("PORT", port.to_string()).env("TWILIO_AUTH_TOKEN", TOKEN);
    node.env("WEBHOOK_BASE_URL", "https://hooks.example.test");
    let running = Running::start(&mut node);
    let address = format!("127.0.0.1:{port}");
    for _ in 0..200 {
        if std::net::TcpStream::connect(&address).is_ok() {
            return (running, address, database);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the baseline stack does not listen");
}

async fn baseline(opts: &Opts, cluster: &Cluster, count: usize) -> Option<Outcome> {
    let folder = baseline_folder(opts)?;
    let (_running, address, database) = start_baseline(&folder, cluster);
    let calls: Vec<(String, String, String)> = (1..=count.min(50_000))
        .map(|n| (format!("CA{n:032x}"), format!("+1415{n:07}"), "/webhooks/twilio/status".to_owned()))
        .collect();
    let requests = requests(&calls, "https://hooks.example.test", "hooks.example.test");
    let outcome = load::send(&address, requests, CONNECTIONS, None).await;
    let done = psql(cluster, &database, &["-c", "SELECT count(*) FROM calls WHERE rank = 4"]).expect("counted");
    assert_eq!(done.parse::<usize>(), Ok(calls.len()), "the baseline did its work");
    Some(outcome)
}
