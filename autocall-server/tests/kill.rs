//! Nodes of the server that die at any moment, on one Postgres that is crashed as well, with the
//! carrier (a fake Twilio) in a process of its own, which is never killed: its log is the judge.
//! No attempt is dialled twice, no lead is lost.
//!
//! A few kills in every test run; `cargo xtask soak server` makes two hundred
//! (`AUTOCALL_KILLS` says how many).

mod common;

use autocall_testkit::postgres::Cluster;
use common::process::{Process, RULES, run};
use common::{Client, first_id};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const NODES: usize = 2;
/// Postgres is crashed with every so-manieth kill.
const CRASH_EVERY: u64 = 8;

/// Ports of the nodes that live.
type Ports = Arc<Mutex<Vec<Option<u16>>>>;

/// What stands before the nodes: each connection goes to one that takes it.
async fn balance(listener: TcpListener, ports: Ports) {
    let mut turn = 0;
    loop {
        let Ok((mut inward, _)) = listener.accept().await else { continue };
        turn += 1;
        let ports = ports.clone();
        tokio::spawn(async move {
            for n in 0..NODES {
                let port = ports.lock().expect("no panic holds it")[(turn + n) % NODES];
                let Some(port) = port else { continue };
                if let Ok(mut outward) = TcpStream::connect(("127.0.0.1", port)).await {
                    let _ = tokio::io::copy_bidirectional(&mut inward, &mut outward).await;
                    return;
                }
            }
        });
    }
}

/// Everything that runs.
struct Fleet {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
    nodes: Vec<Option<Process>>,
    ports: Ports,
    /// The client's side of the balancer.
    base: String,
}

impl Fleet {
    async fn new(database: String, twilio: &str) -> Fleet {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let ports: Ports = Arc::new(Mutex::new(vec![None; NODES]));
        tokio::spawn(balance(listener, ports.clone()));
        let pairs = [
            ("DATABASE_URL", database.as_str()),
            ("TWILIO_ACCOUNT_SID", SID),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_NUMBER", "+12025550100"),
            ("TWILIO_API_BASE", twilio),
            ("TWILIO_CALLS_PER_S", "30"),
            ("WEBHOOK_BASE_URL", &base),
            ("TOKEN_SECRET", TOKEN),
            ("SEAL_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("TENANT_REQUESTS_PER_S", "100000"),
            ("RULES_DIR", RULES),
            ("LOG", "warn"),
        ];
        let env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let folder = tempfile::tempdir().expect("a folder");
        Fleet { folder, env, nodes: (0..NODES).map(|_| None).collect(), ports, base }
    }

    fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn start(&mut self, n: usize) {
        let folder = self.folder.path().join(n.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        // The address that it prints is the balancer's; its own port is chosen here.
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let text = port.to_string();
        let mut env = self.env();
        env.push(("PORT", &text));
        let node = Process::serve(&folder, &env);
        self.nodes[n] = Some(node);
        self.ports.lock().expect("no panic holds it")[n] = Some(port);
    }

    fn kill(&mut self, n: usize) {
        self.ports.lock().expect("no panic holds it")[n] = None;
        if let Some(node) = self.nodes[n].take() {
            node.kill();
        }
    }
}

/// What the people do: some talk, some are busy, some are machines, some do not answer.
fn list(leads: usize) -> (String, Vec<String>) {
    let mut text = String::from("first_name,phone\n");
    let mut humans = Vec::new();
    for n in 0..leads {
        let (area, tail) = (212 + n / 80 % 7 * 100, 100 + n % 80);
        let phone = format!("+1{area}5550{tail}");
        if !(120..170).contains(&tail) {
            humans.push(phone.clone());
        }
        text.push_str(&format!("Person {n},{phone}\n"));
    }
    (text, humans)
}

async fn owner(fleet: &Fleet) -> Client {
    let args = ["admin", "add-tenant", "Acme", "--owner", "ann@acme.example"];
    let (good, out, err) = run(fleet.folder.path(), &args, &fleet.env());
    assert!(good, "{err}");
    let token = out.split('#').nth(1).expect("a link").trim().to_owned();
    let nobody = Client { http: common::http_client(), base: fleet.base.clone(), bearer: None };
    let new = json!({ "token": token, "password": "correct horse battery staple" });
    let signed = nobody.post("/api/auth/reset", new).await.expect(200);
    let owner = nobody.with(signed["token"].as_str().expect("a token"));
    // A key outlives the ten minutes of a token.
    let me = owner.get("/api/me").await.expect(200);
    let key = json!({ "name": "soak", "rights": me["rights"] });
    let key = owner.post("/api/keys", key).await.expect(201);
    nobody.with(key["secret"].as_str().expect("a secret"))
}

async fn campaign(owner: &Client, leads: usize, twilio: &Client) -> String {
    for n in 0..8 {
        let agent = json!({ "name": format!("Agent {n}"), "phone": format!("+1{}5550170", 302 + n * 100 % 700) });
        let agent = owner.post("/api/agents", agent).await.expect(201);
        let path = format!("/api/agents/{}/status", agent["id"].as_str().expect("an id"));
        owner.put(&path, json!({ "status": "available" })).await.expect(200);
    }
    let pool = first_id(&owner.get("/api/pools").await.expect(200));
    let settings = json!({
        "purpose": "service",
        "rules": "any-hour",
        "seller": { "name": "Acme", "phone": "+12025550100" },
        "transfer": { "pools": [pool], "wrap_up_ms": 200 },
        // One attempt at each person, so that a second dial is one too many.
        "caps": { "calls_per_second_max": 20.0, "attempts_max": 1 },
        "pacing": { "mode": { "kind": "progressive" } },
        "abandonment": { "say": { "text": "This is Acme, 202 555 0100. Press 9 not to be called again." } },
    });
    let made = owner.post("/api/campaigns", json!({ "name": "Soak", "settings": settings })).await.expect(201);
    let campaign = made["id"].as_str().expect("an id").to_owned();
    let (text, humans) = list(leads);
    let job = owner.upload(&campaign, text.into_bytes()).await;
    assert_eq!(job["added"].as_u64(), Some(leads as u64), "{job}");
    for number in humans {
        let person = json!({ "number": number, "people": [{ "talk_ms": 5_000, "ring_ms": 2_000 }] });
        twilio.post("/fake/people", person).await;
    }
    let consent = json!({ "class": "written", "source": "web_form", "given_at": 1_700_000_000_000i64,
        "automated": true, "any_hour": true, "proof": "form 7" });
    let mut after = String::new();
    loop {
        let page = owner.get(&format!("/api/leads?campaign={campaign}&limit=200{after}")).await.expect(200);
        for lead in page["items"].as_array().expect("a list") {
            let path = format!("/api/leads/{}/consents", lead["id"].as_str().expect("an id"));
            owner.post(&path, json!({ "consent": consent })).await.expect(200);
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let start = format!("/api/campaigns/{campaign}/start");
    owner.post(&start, json!({ "confirm": leads })).await.expect(200);
    campaign
}

/// Asks until somebody answers: a node that dies answers nothing.
async fn ask(client: &Client, path: &str) -> Option<Value> {
    let url = format!("{}{path}", client.base);
    let mut request = client.http.get(url).timeout(Duration::from_secs(10));
    if let Some(bearer) = &client.bearer {
        request = request.bearer_auth(bearer);
    }
    let answer = request.send().await.ok()?;
    if answer.status() != 200 {
        return None;
    }
    answer.json().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_is_dialled_twice_and_no_lead_is_lost_whoever_dies() {
    let kills: u64 = std::env::var("AUTOCALL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let leads = (kills as usize * 6).clamp(36, 560);
    let Some(cluster) = Cluster::own("serve") else { return };
    let place = tempfile::tempdir().expect("a folder");
    let args = ["fake-twilio", "--port", "0", "--speed", "10", "--account-sid", SID, "--auth-token", TOKEN];
    let twilio = Process::start(place.path(), &args, &[], "call:");
    let carrier = twilio.nobody();
    let mut fleet = Fleet::new(cluster.database(), &twilio.base).await;
    (0..NODES).for_each(|n| fleet.start(n));
    let owner = owner(&fleet).await;
    let campaign = campaign(&owner, leads, &carrier).await;
    let begun = Instant::now();
    for kill in 0..kills {
        // Uneven pauses, the same in each run.
        let pause = 300 + kill.wrapping_mul(7_919) % 1_700;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let n = (kill as usize * 5 / 3) % NODES;
        fleet.kill(n);
        if kill % CRASH_EVERY == CRASH_EVERY - 1 {
            cluster.stop(true).expect("crashed");
            cluster.start().expect("started");
        }
        fleet.start(n);
        if kill % 20 == 19 {
            eprintln!("{} of {kills} kills, {:.0} s", kill + 1, begun.elapsed().as_secs_f64());
        }
    }
    let path = format!("/api/campaigns/{campaign}");
    let mut last = Value::Null;
    let settled = loop {
        if let Some(view) = ask(&owner, &path).await {
            last = view["leads"].clone();
            if last["open"] == 0 && last["calling"] == 0 {
                break true;
            }
        }
        if begun.elapsed() > Duration::from_secs(300 + kills * 6) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    judge(&owner, &carrier, &campaign, leads, settled, &last).await;
    logs(&fleet, place.path());
}

async fn judge(owner: &Client, carrier: &Client, campaign: &str, leads: usize, settled: bool, last: &Value) {
    let dials = carrier.get("/fake/dials").await.expect(200);
    let dials = dials.as_array().expect("a list");
    let (mut by_line, mut by_number) = (BTreeMap::new(), BTreeMap::new());
    for dial in dials {
        let line = dial["attempt"].as_str().expect("every dial names its line");
        *by_line.entry(line.to_owned()).or_insert(0) += 1;
        let to = dial["to"].as_str().expect("a number");
        if !to.ends_with("5550170") {
            *by_number.entry(to.to_owned()).or_insert(0) += 1;
        }
    }
    let twice: Vec<_> = by_line.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "dialled twice: {twice:?}");
    let twice: Vec<_> = by_number.iter().filter(|(_, n)| **n > 1).map(|(_, n)| n).collect();
    assert!(twice.is_empty(), "{} people were called more than once", twice.len());
    let explained = owner.get(&format!("/api/campaigns/{campaign}/explain")).await.body;
    assert!(settled, "leads are left over: {last}; {explained}");
    assert_eq!(last["closed"].as_u64(), Some(leads as u64), "every lead is there, and closed");
    let summary = owner.get(&format!("/api/calls/stats/summary?campaign={campaign}")).await.expect(200);
    assert_eq!(summary["calls"].as_u64(), Some(leads as u64), "one settled call for each lead: {summary}");
    assert!(by_number.len() * 10 >= leads * 7, "most people were really called: {} of {leads}", by_number.len());
    let mut after = 0;
    let mut feed = 0;
    loop {
        let part = owner.get(&format!("/api/feed?after={after}&limit=500")).await.expect(200);
        let items = part["items"].as_array().expect("a list");
        feed += items.iter().filter(|i| i["type"] == "call.settled").count();
        if items.is_empty() {
            break;
        }
        after = part["after"].as_u64().expect("a place");
    }
    assert_eq!(feed, leads, "each once in the feed");
    eprintln!("{} lines dialled, {} people, outcomes {}", dials.len(), by_number.len(), summary["outcomes"]);
}

/// What the last nodes complained of is shown where the test is watched.
fn logs(fleet: &Fleet, _place: &Path) {
    for node in fleet.nodes.iter().flatten() {
        let err = node.err.lock().expect("no panic holds it");
        err.lines().rev().take(5).for_each(|line| eprintln!("{line}"));
    }
}
