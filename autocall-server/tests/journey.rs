//! The first hour, over HTTP, with the binary as it is started by people: sign in, upload the
//! sample list, start, watch calls reach agents, read the summary. In trial mode, on Postgres,
//! and on Postgres with a fake Twilio, by environment variables alone.

mod common;

use autocall_testkit::postgres::Cluster;
use common::process::{Process, RULES, run};
use common::{Client, first_id};
use serde_json::{Value, json};
use std::time::Duration;

fn sample() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/leads.csv")).expect("the sample")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hour() {
    first_hour(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hour_on_postgres() {
    let Some(cluster) = Cluster::shared() else { return };
    first_hour(&[("DATABASE_URL", &cluster.database())]).await;
}

async fn first_hour(env: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut env = env.to_vec();
    env.push(("TRIAL_SPEED", "20"));
    let mut server = Process::serve(folder.path(), &env);
    let (login, password) = (server.word_after("login"), server.word_after("password"));
    let banner = server.out.lock().expect("no panic holds it").clone();
    assert!(banner.contains("No real call is made"), "{banner}");
    assert!(server.base.starts_with("http://127.0.0.1:"), "{}", server.base);

    let owner = server.nobody().sign_in(&login, &password).await;
    let me = owner.get("/api/me").await.expect(200);
    assert_eq!((me["trial"].as_bool(), me["user"]["role"].as_str()), (Some(true), Some("owner")));
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    upload(&owner, &campaign).await;

    let preflight = owner.get(&format!("/api/campaigns/{campaign}/preflight")).await.expect(200);
    assert_eq!((preflight["ready"].as_bool(), preflight["real"].as_bool()), (Some(true), Some(false)), "{preflight}");
    let started = owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    assert_eq!(started["state"], "running");
    let talked = |s: &Value| s["connected"].as_u64() >= Some(3) && s["talk_ms"].as_i64() > Some(0);
    let summary = owner.until("/api/calls/stats/summary", talked).await;
    assert!(summary["calls"].as_u64() >= summary["answered"].as_u64(), "{summary}");
    let call = one_talk(&owner).await;
    assert!(call["record"]["connected_at"].is_string() && call["legs"].as_array().map(Vec::len) >= Some(2), "{call}");

    let paused = owner.post(&format!("/api/campaigns/{campaign}/pause"), json!({})).await.expect(200);
    assert_eq!(paused["state"], "paused");
    let explained = owner.get(&format!("/api/campaigns/{campaign}/explain")).await.expect(200);
    assert_eq!(explained["dials"].as_bool(), Some(false), "{explained}");
    secrets_are_closed(folder.path());
    let (status, took, _) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(20), "{status} after {took:?}");
}

/// What was generated in the data folder is readable by its owner alone.
fn secrets_are_closed(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let data = folder.join("autocall-data");
    assert_eq!(mode(data.clone()), 0o700);
    for name in ["seal.key", "token.key"] {
        assert_eq!(mode(data.join(name)), 0o600, "{name}");
    }
}

async fn upload(owner: &Client, campaign: &str) {
    let job = owner.upload(campaign, sample()).await;
    assert_eq!(job["state"], "done", "{job}");
    let added = job["added"].as_u64().expect("a number");
    assert!(added > 300 && job["rejected"].as_u64() > Some(0), "{job}");
    let path = format!("/api/imports/{}/rejections", job["id"].as_str().expect("an id"));
    let rejected = owner.get(&path).await.expect(200);
    assert!(rejected["items"][0]["remedy"].as_str().is_some_and(|r| !r.is_empty()), "{rejected}");
    let file = owner.get(&format!("{path}.csv")).await;
    assert!(file.text.lines().count() as u64 > job["rejected"].as_u64().unwrap_or(0), "{}", file.text);
}

/// A call in which somebody talked, in full.
async fn one_talk(owner: &Client) -> Value {
    let calls = owner.get("/api/calls?outcome=connected&limit=1").await.expect(200);
    owner.get(&format!("/api/calls/{}", first_id(&calls))).await.expect(200)
}

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hour_on_postgres_with_a_fake_twilio() {
    let Some(cluster) = Cluster::shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["fake-twilio", "--port", "0", "--speed", "20", "--account-sid", SID, "--auth-token", TOKEN];
    let twilio = Process::start(folder.path(), &args, &[], "call:");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let (url, own, port) = (cluster.database(), format!("http://127.0.0.1:{port}"), port.to_string());
    let env = [
        ("DATABASE_URL", url.as_str()),
        ("TWILIO_ACCOUNT_SID", SID),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_NUMBER", "+12025550100"),
        ("TWILIO_API_BASE", &twilio.base),
        ("TWILIO_CALLS_PER_S", "30"),
        ("WEBHOOK_BASE_URL", &own),
        ("PORT", &port),
        ("RULES_DIR", RULES),
    ];
    // No tenant yet: the first owner gets a one-time link from the command line.
    let (good, link, err) = run(folder.path(), &["admin", "add-tenant", "Acme", "--owner", "ann@acme.example"], &env);
    assert!(good, "{link}{err}");
    let token = link.split('#').nth(1).expect("a link").trim().to_owned();
    let server = Process::serve(folder.path(), &env);
    let new = json!({ "token": token, "password": "correct horse battery staple" });
    server.nobody().post("/api/auth/reset", new.clone()).await.expect(200);
    assert_eq!(server.nobody().post("/api/auth/reset", new).await.status, 403, "a link works once");
    let owner = server.nobody().sign_in("ann@acme.example", "correct horse battery staple").await;

    let campaign = campaign(&owner).await;
    upload(&owner, &campaign).await;
    consent(&owner, &campaign, 60).await;
    // A first real start wants to know that its owner knows what will happen.
    let path = format!("/api/campaigns/{campaign}/start");
    let asked = owner.post(&path, json!({})).await.expect(409);
    assert_eq!(asked["type"], "confirm_start", "{asked}");
    let people = owner.get(&format!("/api/campaigns/{campaign}")).await.expect(200)["leads"]["open"].clone();
    owner.post(&path, json!({ "confirm": 1 })).await.expect(409);
    assert_eq!(owner.post(&path, json!({ "confirm": people })).await.expect(200)["state"], "running");

    nobody_records_unasked(&server, &owner).await;
    owner.until("/api/calls/stats/summary", |s| s["connected"].as_u64() >= Some(2)).await;
    let call = one_talk(&owner).await;
    assert!(call["record"]["evidence"].is_object(), "why the call was lawful is kept: {call}");
    let dials: Value = twilio.nobody().get("/fake/dials").await.body;
    assert!(dials.as_array().map_or(0, Vec::len) >= 4, "customers and agents were called at the carrier: {dials}");
    owner.post(&format!("/api/campaigns/{campaign}/pause"), json!({})).await.expect(200);
    let (status, took, err) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(45), "{status} after {took:?}\n{err}");
}

/// The campaign records nothing, and its agents may sit in any state: one who talks may not start to.
async fn nobody_records_unasked(server: &Process, owner: &Client) {
    let agent = first_id(&owner.get("/api/agents").await.expect(200));
    let user = json!({ "login": "bob@acme.example", "role": "agent", "agent": agent });
    let user = owner.post("/api/users", user).await.expect(201);
    let password = "correct horse battery staple";
    let link = json!({ "token": user["link"]["token"], "password": password });
    server.nobody().post("/api/auth/reset", link).await.expect(200);
    let me = server.nobody().sign_in("bob@acme.example", password).await;
    // A talk may end before the question arrives; the next one does as well.
    for _ in 0..20 {
        let talks = me.until("/api/console", |c| c["agent"]["state"] == "talking").await;
        let call = talks["call"]["id"].as_str().expect("a call");
        let tape = me.post(&format!("/api/calls/{call}/recording"), json!({ "action": "start" })).await;
        assert!(tape.status >= 400, "recorded, and nobody was asked: {}", tape.text);
        if tape.status == 409 && tape.text.contains("by law") {
            return;
        }
    }
    panic!("no talk lasted long enough");
}

/// Agents whose fake phones press a key, and a campaign that asks them.
async fn campaign(owner: &Client) -> String {
    for n in 0..4 {
        let body = json!({ "name": format!("Agent {n}"), "phone": format!("+1202555017{n}") });
        let agent = owner.post("/api/agents", body).await.expect(201);
        let path = format!("/api/agents/{}/status", agent["id"].as_str().expect("an id"));
        owner.put(&path, json!({ "status": "available" })).await.expect(200);
    }
    let pool = first_id(&owner.get("/api/pools").await.expect(200));
    let settings = json!({
        "purpose": "service",
        "rules": "any-hour",
        "seller": { "name": "Acme", "phone": "+12025550100" },
        "transfer": { "pools": [pool], "wrap_up_ms": 1000 },
        "caps": { "calls_per_second_max": 10.0 },
        "pacing": { "mode": { "kind": "progressive" } },
        "abandonment": { "say": { "text": "This is Acme, 202 555 0100. Press 9 not to be called again." } },
    });
    let made = owner.post("/api/campaigns", json!({ "name": "Renewals", "settings": settings })).await.expect(201);
    assert_eq!(made["settings"]["caller_ids"], json!(["+12025550100"]), "TWILIO_NUMBER is shown where none is named");
    made["id"].as_str().expect("an id").to_owned()
}

/// So many people agreed to be called, at any hour: the test runs at every hour.
async fn consent(owner: &Client, campaign: &str, people: usize) {
    let leads = owner.get(&format!("/api/leads?campaign={campaign}&limit={people}")).await.expect(200);
    let consent = json!({
        "class": "written", "source": "web_form", "given_at": 1_700_000_000_000i64,
        "automated": true, "any_hour": true, "proof": "form 7",
    });
    for lead in leads["items"].as_array().expect("a list") {
        let path = format!("/api/leads/{}/consents", lead["id"].as_str().expect("an id"));
        owner.post(&path, json!({ "consent": consent })).await.expect(200);
    }
}
