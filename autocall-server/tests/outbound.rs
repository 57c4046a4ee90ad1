//! Outbound webhooks and the outcome feed: signed, in order, again until taken, replayable, with
//! no gap and no duplicate even where one commit is slow between fast ones.

mod common;

use autocall_testkit::postgres::Cluster;
use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Client, Server, first_id};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a target received: id, timestamp, signatures, body.
type Received = Arc<Mutex<Vec<(String, String, String, String)>>>;

#[derive(Clone, Default)]
struct Target {
    received: Received,
    /// How many more deliveries to fail.
    fails: Arc<Mutex<u32>>,
}

async fn take(State(target): State<Target>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let mut fails = target.fails.lock().expect("no panic holds it");
    if *fails > 0 {
        *fails -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let one = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), body);
    target.received.lock().expect("no panic holds it").push(one);
    StatusCode::NO_CONTENT
}

async fn target() -> (Target, String) {
    let target = Target::default();
    let router = axum::Router::new().route("/hook", axum::routing::post(take)).with_state(target.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (target, url)
}

/// Lets the sample campaign make some calls.
async fn some_calls(owner: &Client) {
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    let mut list = String::from("phone\n");
    (0..60).for_each(|n| list.push_str(&format!("+1415555{n:04}\n")));
    assert_eq!(owner.upload(&campaign, list.into_bytes()).await["state"], "done");
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    owner.until("/api/feed", |f| f["items"].as_array().is_some_and(|i| i.len() >= 12)).await;
    owner.post(&format!("/api/campaigns/{campaign}/pause"), json!({})).await.expect(200);
    owner.until("/api/calls?live=true", |c| c["items"].as_array().is_some_and(Vec::is_empty)).await;
    // Every agent has said how it went: nothing more is committed.
    let idle = |list: &Value| list["items"].as_array().is_some_and(|all| all.iter().all(|a| a["state"] == "idle"));
    owner.until("/api/agents", idle).await;
}

/// Waits until as much is received as the feed has from a place on; what was received.
async fn whole(owner: &Client, target: &Target, after: u64) -> Vec<(String, String, String, String)> {
    let feed = feed(owner, after).await;
    for _ in 0..600 {
        let received = target.received.lock().expect("no panic holds it").clone();
        if received.len() >= feed.len() {
            return received;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("only {} of {} came", target.received.lock().expect("no panic holds it").len(), feed.len());
}

async fn feed(owner: &Client, mut after: u64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let part = owner.get(&format!("/api/feed?after={after}&limit=7")).await.expect(200);
        let items = part["items"].as_array().expect("a list").clone();
        if items.is_empty() {
            return all;
        }
        all.extend(items);
        after = part["after"].as_u64().expect("a place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_arrives_signed_in_order_and_again_until_it_is_taken() {
    let server = Server::start(&[("TRIAL_SPEED", "60"), ("WEBHOOKS_TO_LOOPBACK", "true")]).await;
    let owner = server.owner().await;
    let (target, url) = target().await;
    *target.fails.lock().expect("no panic holds it") = 1;
    let made = owner.post("/api/webhooks", json!({ "url": url })).await.expect(201);
    let hook = format!("/api/webhooks/{}", made["webhook"]["id"].as_str().expect("an id"));
    some_calls(&owner).await;
    let received = whole(&owner, &target, 0).await;
    let feed = feed(&owner, 0).await;
    let places: Vec<u64> = feed.iter().map(|i| i["place"].as_u64().expect("a place")).collect();
    assert!(places.windows(2).all(|w| w[0] < w[1]), "{places:?}");
    let delivered: Vec<u64> = received
        .iter()
        .map(|(.., body)| {
            serde_json::from_str::<Value>(body).expect("json")["data"]["place"].as_u64().expect("a place")
        })
        .collect();
    assert_eq!(delivered, places, "in order, nothing left out, nothing twice, though the first try failed");
    let key = STANDARD.decode(made["secret"].as_str().expect("a secret").strip_prefix("whsec_").expect("a prefix"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.expect("base64"));
    for (id, at, signature, body) in &received {
        let tag = STANDARD.decode(signature.strip_prefix("v1,").expect("version 1")).expect("base64");
        hmac::verify(&key, format!("{id}.{at}.{body}").as_bytes(), &tag).expect("signed");
        assert!(!body.contains("+1415555"), "ids only, no numbers: {body}");
    }
    // Replayed: the same events with the same ids.
    target.received.lock().expect("no panic holds it").clear();
    owner.post(&format!("{hook}/replay"), json!({ "after": 0 })).await.expect(200);
    let again = whole(&owner, &target, 0).await;
    let ids = |all: &[(String, String, String, String)]| all.iter().map(|r| r.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again)[..places.len()], ids(&received)[..places.len()]);
    let view = owner.get(&hook).await.expect(200);
    assert_eq!((view["active"].as_bool(), view["failures"].as_u64()), (Some(true), Some(0)), "{view}");
    // A second webhook begins at the end of the feed.
    let late = owner.post("/api/webhooks", json!({ "url": url })).await.expect(201);
    assert_eq!(late["webhook"]["place"].as_u64(), places.last().copied());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_inside_are_refused() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    for url in ["http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "x"] {
        let refused = owner.post("/api/webhooks", json!({ "url": url })).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], "url", "{url}");
    }
    server.stop().await;
}

/// A commit that takes long, between fast ones, must not be passed over by a reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_commit_leaves_no_gap_in_the_feed() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let server = Server::start(&[("DATABASE_URL", &url), ("TRIAL_SPEED", "60")]).await;
    let owner = server.owner().await.by_key().await;
    // One record in three takes long to commit: between its place and its commit others are made.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                IF get_byte(decode(md5(NEW.call::text), 'hex'), 0) % 3 = 0 THEN PERFORM pg_sleep(0.3); END IF; \
                RETURN NEW; END $$; \
                CREATE TRIGGER slow AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION slow();";
    let name = url.rsplit('/').next().expect("a name");
    let done = cluster.program("psql").args(["-v", "ON_ERROR_STOP=1", "-q", "-d", name, "-c", slow]).output();
    let done = done.expect("psql runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Somebody pulls all the time, from where they were.
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = {
        let (owner, over) = (owner.clone(), over.clone());
        tokio::spawn(async move {
            let (mut seen, mut after, mut quiet) = (Vec::new(), 0, 0);
            while quiet < 50 {
                let part = owner.get(&format!("/api/feed?after={after}")).await.expect(200);
                let items = part["items"].as_array().expect("a list").clone();
                let still = items.is_empty() && over.load(std::sync::atomic::Ordering::Relaxed);
                quiet = if still { quiet + 1 } else { 0 };
                seen.extend(items);
                after = part["after"].as_u64().expect("a place");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            seen
        })
    };
    some_calls(&owner).await;
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let seen = reader.await.expect("no panic");
    let settled: Vec<&Value> = seen.iter().filter(|i| i["type"] == "call.settled").collect();
    let mut calls: Vec<&str> = settled.iter().map(|i| i["call"].as_str().expect("a call")).collect();
    let all = calls.len();
    calls.sort_unstable();
    calls.dedup();
    assert_eq!(calls.len(), all, "something came twice");
    let summary = owner.get("/api/calls/stats/summary").await.expect(200);
    assert_eq!(summary["calls"].as_u64(), Some(all as u64), "every settled call was read once: {summary}");
    server.stop().await;
}
