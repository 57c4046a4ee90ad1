//! Processes that die at any moment. Nodes (processes of their own) work on one Postgres; they are
//! killed with SIGKILL, and Postgres is crashed in between. The carrier is this process, which is
//! never killed: its log is the judge.
//!
//! A node here is the store's side of dialling (candidates, commit, permit, dial, settle, due);
//! the engine's own faults are the simulator's business. It runs by its own command,
//! `cargo xtask soak stores`, with 200 kills; `AUTOCALL_KILLS=8` makes it short.

use autocall_core::call::Stage;
use autocall_core::lead::{Closed, State};
use autocall_core::ports::catalog::{CallBook, LeadBatch, LeadBook};
use autocall_core::ports::{Due, Guard, GuardKey, GuardValue, LeadCounts, Line, NumberGuard, Store, StoreError};
use autocall_core::{Id, Millis, Outcome, TenantId, Timestamp};
use autocall_store_postgres::{Options, PostgresStore, Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const T: TenantId = TenantId(1);
/// How long an unproven dial waits before somebody settles it as lost.
const PROOF: Millis = Millis::from_secs(2);

/// The law's clock: as fast as the real one, from [`NOW`] on.
fn now(began_ms: i64) -> Timestamp {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64;
    NOW + Millis::from_ms(real - began_ms)
}

/// Not a test of its own: the program of a node, started by the test below.
#[test]
fn node() {
    let Ok(told) = std::env::var("AUTOCALL_KILL_NODE") else { return };
    let mut parts = told.split('|');
    let mut part = || parts.next().expect("three parts").to_owned();
    let (url, carrier, began) = (part(), part(), part().parse().expect("a time"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    runtime.block_on(run_node(&url, &carrier, began));
}

async fn run_node(url: &str, carrier: &str, began: i64) {
    let options = Options { connections_max: 4, migrate: false, ..Options::new(url) };
    let store = loop {
        match open(&options, Sealing::with(1, [7; 32])).await {
            Ok(store) => break store,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let campaign = build::campaign_id(T, 1);
    loop {
        let at = now(began);
        if let Ok(due) = store.due(at, at + PROOF, 50).await {
            for item in due {
                if let Due::Call(id) = item {
                    // Unproven, and its permit long dead: it is looked up, never dialled again.
                    let _ = settle(&store, id, Outcome::Lost, now(began)).await;
                }
            }
        }
        let found = store.candidates(campaign, at, 16).await;
        let Ok(found) = found else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if found.is_empty() {
            let view = store.campaign(campaign).await;
            if view.is_ok_and(|v| v.leads.open + v.leads.calling == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let work = found.into_iter().map(|candidate| {
            let (store, carrier) = (store.clone(), carrier.to_owned());
            tokio::spawn(async move { attempt(&store, &carrier, candidate, began).await })
        });
        for task in work.collect::<Vec<_>>() {
            let _ = task.await;
        }
    }
}

async fn attempt(store: &PostgresStore, carrier: &str, candidate: autocall_core::ports::Candidate, began: i64) {
    let lead = candidate.lead.row;
    let random = u128::from(std::process::id()) << 64 | now(began).ms() as u128;
    let (mut call, mut c) = build::dial(&lead, candidate.lead.version, 0);
    call.id = Id::v7(T, now(began), random ^ lead.id.key().as_u128());
    c.calls[0] = (build::new(call.clone()), now(began) + PROOF);
    c.leads[0].row.state = State::Calling { call: call.id };
    let guard = &candidate.guards[0];
    let live = NumberGuard { live: Some(call.id), ..NumberGuard::default() };
    let value = GuardValue::Number(live);
    c.guards.push(build::at(Guard { value, ..Guard::fresh(T, guard.key.clone()) }, guard.version));
    c.permits[0] = (Line::Leg(call.leg_id(0)), now(began) + Millis::from_secs(1));
    let Ok(committed) = store.commit(&c).await else { return };
    for permit in committed.permits {
        if permit.redeem(now(began)).is_ok() {
            let line = format!("{} {} {}\n", lead.id, call.plan.attempt, call.id);
            let carrier = carrier.to_owned();
            let sent = tokio::task::spawn_blocking(move || dial(&carrier, &line)).await;
            if sent.is_ok_and(|s| s.is_ok()) {
                let _ = settle(store, call.id, Outcome::Busy, now(began)).await;
            }
        }
    }
}

fn dial(carrier: &str, line: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(carrier)?;
    stream.write_all(line.as_bytes())?;
    let mut answer = [0; 1];
    stream.read_exact(&mut answer)
}

async fn settle(
    store: &PostgresStore,
    id: autocall_core::CallId,
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), StoreError> {
    let snapshot = store.call(id).await?;
    let mut call = snapshot.call.row;
    if call.is_settled() {
        return Ok(());
    }
    call.stage = Stage::Settled { at, outcome };
    let mut lead = snapshot.lead.row;
    lead.state = State::Closed { why: Closed::Done };
    let mut c = build::changes(T);
    c.records.extend(call.record());
    c.calls.push((build::at(call, snapshot.call.version), Timestamp::NEVER));
    c.leads.push(build::at(lead, snapshot.lead.version));
    let number = &snapshot.guards[0];
    c.guards.push(build::at(Guard::fresh(T, number.key.clone()), number.version));
    let tally = c.tally(build::campaign_id(T, 1));
    tally.load.dialing = -1;
    tally.leads = LeadCounts { open: 0, calling: -1, closed: 1 };
    store.commit(&c).await.map(drop)
}

/// The carrier: writes down every dial, then answers.
fn carrier(log: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let log = log.clone();
            std::thread::spawn(move || {
                let mut line = String::new();
                let mut reader = BufReader::new(stream);
                if reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
                    log.lock().expect("the log").push(line.trim().to_owned());
                    std::thread::sleep(Duration::from_millis(10));
                    let _ = reader.get_mut().write_all(b"k");
                }
            });
        }
    });
    address
}

fn spawn(told: &str) -> Child {
    let me = std::env::current_exe().expect("a program");
    let mut command = Command::new(me);
    command.args(["--exact", "node", "--nocapture"]).env("AUTOCALL_KILL_NODE", told);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by cargo xtask soak stores"]
async fn nothing_is_lost_or_dialled_twice_when_nodes_and_postgres_die() {
    let Some(cluster) = Cluster::own("kill") else {
        need::left_out("the kill test on Postgres", "a Postgres server");
        return;
    };
    let kills: u32 = std::env::var("AUTOCALL_KILLS").ok().and_then(|k| k.parse().ok()).unwrap_or(8);
    let n = u128::from(kills) * 600;
    let options = Options { connections_max: 3, ..Options::new(cluster.database()) };
    let store = open(&options, Sealing::with(1, [7; 32])).await.expect("opens");
    build::seed(&store, T, 0).await;
    for from in (0..n).step_by(5000) {
        let leads = (from..n.min(from + 5000)).map(|k| build::lead(T, k)).collect();
        let batch = LeadBatch { campaign: build::campaign_id(T, 1), leads, step: None, at: NOW };
        store.add_leads(&batch).await.expect("added");
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let began = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let told = format!("{}|{}|{began}", options.url, carrier(log.clone()));
    let mut nodes = [spawn(&told), spawn(&told)];
    let mut seed: u64 = 12345;
    let mut dice = move |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    let mut at_work = 0;
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(300 + dice(700)));
        if store.campaign(build::campaign_id(T, 1)).await.is_ok_and(|v| v.leads.open > 0) {
            at_work += 1;
        }
        if kill % 4 == 3 {
            cluster.stop(true).expect("crashes");
            std::thread::sleep(Duration::from_millis(dice(300)));
            cluster.start().expect("comes back");
        } else {
            let node = &mut nodes[dice(2) as usize];
            node.kill().expect("killed");
            node.wait().expect("gone");
            *node = spawn(&told);
        }
    }
    assert!(at_work * 2 > kills, "only {at_work} of {kills} kills met a campaign at work");
    let until = Instant::now() + Duration::from_secs(120);
    for node in &mut nodes {
        while node.try_wait().expect("asked").is_none() {
            if Instant::now() > until {
                node.kill().expect("killed");
                panic!("the campaign does not end: a lead or a call is stuck");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let said = log.lock().expect("the log").clone();
    judge(&store, &said, n).await;
    cluster.stop(true).expect("stops");
}

async fn judge(store: &PostgresStore, log: &[String], n: u128) {
    let mut attempts = BTreeSet::new();
    let mut calls = BTreeSet::new();
    for line in log {
        let (attempt, call) = line.rsplit_once(' ').expect("three words");
        assert!(attempts.insert(attempt), "dialled twice: {attempt}");
        calls.insert(call.parse::<autocall_core::CallId>().expect("an id"));
    }
    // What was settled is in the feed, each call once; a dial without a committed call is a ghost.
    let (mut place, mut settled) = (0, BTreeSet::new());
    loop {
        let items = store.feed(T, place, 1000).await.expect("the feed");
        let Some(last) = items.last() else { break };
        place = last.place;
        for item in items {
            if let autocall_core::ports::catalog::FeedEvent::Settled(record) = item.event {
                assert!(settled.insert(record.call), "settled twice: {}", record.call);
            }
        }
    }
    assert!(calls.is_subset(&settled), "a dial that no record knows");
    assert_eq!(settled.len() as u128, n, "one call for each lead");
    let view = store.campaign(build::campaign_id(T, 1)).await.expect("there");
    assert_eq!((view.leads.open, view.leads.calling, view.leads.closed), (0, 0, n as i64), "no lead lost");
    assert_eq!((view.load.live(), view.calls.len()), (0, 0), "every call settled");
    let probe = GuardKey::Number(build::phone(0));
    let mut check = build::changes(T);
    check.checks.push(autocall_core::ports::Check { key: autocall_core::ports::RowKey::Guard(probe), version: 2 });
    build::commit(store, &check).await;
    println!("{n} leads, each settled once; {} dials in the carrier's log", log.len());
}
