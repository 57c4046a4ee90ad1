//! Consoles on WebSockets: from the commit that offers a call to an agent, to the offer in their
//! console.

use super::load::quantile;
use super::place::{Client, Server, text};
use crate::{Measurement, Opts};
use autocall_testkit::postgres::Cluster;
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// The project's goal.
const P99_MS: f64 = 100.0;
/// The password of every agent.
const PASSWORD: &str = "correct horse battery staple";

/// Runs the case.
pub(super) async fn run(opts: &Opts, binary: &Path, cluster: &Cluster) -> Vec<Measurement> {
    let consoles: usize = opts.get("consoles", opts.pick(20, 200, 1_000)).unwrap_or_else(|e| panic!("{e}"));
    let seconds = opts.pick(25, 40, 60);
    let server = Server::trial(binary, &cluster.database()).await;
    let (campaign, agents) = staff(&server, consoles).await;
    let delays = Arc::new(Mutex::new(Vec::new()));
    let mut open = JoinSet::new();
    for agent in agents {
        open.spawn(console(agent, delays.clone()));
        // A thousand handshakes at once are another bench.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut list = String::from("first_name,phone\n");
    (0..20_000).for_each(|n| list.push_str(&format!("Ann,+1212{:07}\n", 2_010_000 + n)));
    assert_eq!(server.owner.import(&campaign, list.as_bytes()).await, 20_000);
    server.owner.post(&format!("/api/campaigns/{campaign}/start"), &json!({})).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(open.try_join_next().is_none(), "a console was closed");
    }
    let delays = delays.lock().expect("no panic holds it").clone();
    assert!(delays.len() as u64 > seconds / 2, "only {} offers came", delays.len());
    let case = format!("{consoles} consoles");
    let mut found = vec![
        Measurement::higher("server", &*case, "offers", delays.len() as f64, ""),
        Measurement::lower("server", &*case, "offer_ms_p50", quantile(delays.clone(), 0.5), "ms"),
        Measurement::lower("server", &*case, "offer_ms_p99", quantile(delays, 0.99), "ms").goal(P99_MS),
    ];
    if let Some(bytes) = server.process.resident() {
        found.push(Measurement::lower("server", &*case, "resident_mb", bytes / 1e6, "MB"));
    }
    found
}

/// Agents whose phones are softphones that wait for a click, each with a user who is signed in.
async fn staff(server: &Server, consoles: usize) -> (String, Vec<Client>) {
    let owner = &server.owner;
    let pool = owner.post("/api/pools", &json!({ "name": "Floor" })).await;
    let pool = text(&pool["id"]).to_owned();
    let settings = json!({
        "seller": { "name": "Bench", "phone": "+12025550100" },
        "caller_ids": ["+12025550100"],
        "transfer": { "pools": [pool] },
        "caps": { "calls_per_second_max": 30.0, "lines_max": 2_000 },
        "pacing": { "mode": { "kind": "progressive" } },
        "abandonment": { "say": { "text": "This is Bench, 202 555 0100. Press 9 not to be called again." } },
    });
    let campaign = owner.post("/api/campaigns", &json!({ "name": "Floor", "settings": settings })).await;
    let campaign = text(&campaign["id"]).to_owned();
    let mut tasks = JoinSet::new();
    let mut agents = Vec::new();
    for n in 0..consoles {
        if tasks.len() >= 4 {
            agents.push(tasks.join_next().await.expect("some").expect("no panic"));
        }
        tasks.spawn(hire(owner.clone(), Client::nobody(&server.base).from(n + 1000), pool.clone(), n));
    }
    while let Some(done) = tasks.join_next().await {
        agents.push(done.expect("no panic"));
    }
    // Simulated phones are handed out every two seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    (campaign, agents)
}

async fn hire(owner: Client, nobody: Client, pool: String, n: usize) -> Client {
    let agent = json!({ "name": format!("Agent {n}"), "pool": pool, "address": { "client": format!("console_{n}") } });
    let agent = owner.post("/api/agents", &agent).await;
    let id = text(&agent["id"]);
    let user = json!({ "login": format!("agent{n}@bench.example"), "role": "agent", "agent": id });
    let user = owner.post("/api/users", &user).await;
    let link = json!({ "token": user["link"]["token"], "password": PASSWORD });
    let signed = nobody.post("/api/auth/reset", &link).await;
    let me = nobody.with(text(&signed["token"]));
    me.put(&format!("/api/agents/{id}/status"), &json!({ "status": "available" })).await;
    me
}

/// Listens, notes how old each offer is, and takes it.
async fn console(me: Client, delays: Arc<Mutex<Vec<f64>>>) {
    let address = me.base.replace("http://", "ws://") + "/api/ws";
    let mut request = address.into_client_request().expect("an address");
    let bearer = format!("Bearer {}", me.bearer.as_deref().unwrap_or_default());
    request.headers_mut().insert("authorization", bearer.parse().expect("a header"));
    let (mut socket, _) = connect_async(request).await.expect("a socket");
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0;
        let message: Value = serde_json::from_str(&text).expect("json");
        if message["type"] != "offer" {
            continue;
        }
        let console = &message["console"];
        let since = console["agent"]["since"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        if let (Some(since), Some(call)) = (since, console["call"]["id"].as_str()) {
            delays.lock().expect("no panic holds it").push(now - since.as_millisecond() as f64);
            let url = format!("{}/api/calls/{call}/accept", me.base);
            // The person may have hung up meanwhile: that is no failure of ours.
            let _ = me.http.post(url).bearer_auth(me.bearer.as_deref().unwrap_or_default()).send().await;
        }
    }
}
