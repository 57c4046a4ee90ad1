//! Trial mode from inside: the console, restarts, live events. The first hour as people have it is
//! in `journey.rs`.

mod common;

use common::{Server, first_id};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_takes_a_call_at_the_console() {
    // Fast enough that somebody answers within the minute that the test waits, whoever it is.
    let server = Server::start(&[("TRIAL_SPEED", "20")]).await;
    let owner = server.owner().await;
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    // The simulated agents go home: every call comes to the person at the console.
    let me = owner.get("/api/me").await.expect(200)["user"]["agent"].as_str().expect("an agent").to_owned();
    for agent in owner.get("/api/agents").await.expect(200)["items"].as_array().expect("a list") {
        let status = if agent["id"] == me.as_str() { "available" } else { "offline" };
        let path = format!("/api/agents/{}/status", agent["id"].as_str().expect("an id"));
        owner.put(&path, json!({ "status": status })).await.expect(200);
    }
    let mut list = String::from("first_name,phone\n");
    for n in 0..400 {
        list.push_str(&format!("Person {n},+1415556{n:04}\n"));
    }
    assert_eq!(owner.upload(&campaign, list.into_bytes()).await["state"], "done");
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    let offer = owner.until("/api/console", |c| c["offered"] == true).await;
    assert!(offer["lead"]["first_name"].as_str().is_some_and(|n| n.starts_with("Person")), "{offer}");
    let call = offer["call"]["id"].as_str().expect("a call").to_owned();
    let accepted = owner.post(&format!("/api/calls/{call}/accept"), json!({})).await;
    assert!(accepted.status == 200 || accepted.status == 409, "{}", accepted.text);
    let talks =
        owner.until("/api/console", |c| c["agent"]["state"] == "talking" || c["call"]["id"] != call.as_str()).await;
    if talks["call"]["id"] == call.as_str() {
        let unknown = owner.post(&format!("/api/calls/{call}/disposition"), json!({ "code": "nonsense" })).await;
        assert_eq!(unknown.status, 422);
        owner.post(&format!("/api/calls/{call}/disposition"), json!({ "code": "success" })).await.expect(200);
        let hold = owner.post(&format!("/api/calls/{call}/hold"), json!({ "on": true })).await;
        assert_eq!(hold.status, 409, "simulated people are not put on hold: {}", hold.text);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_in_stays_so_however_fast_the_trial_runs() {
    let server = Server::start(&[("TRIAL_SPEED", "1000")]).await;
    let owner = server.owner().await;
    // Half an hour of the trial's time, three lives of a token.
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    owner.get("/api/me").await.expect(200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_is_there_after_a_restart() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let made = owner.post("/api/campaigns", json!({ "name": "Kept" })).await.expect(201);
    let server = server.restart(&[]).await;
    // The token is still good: its key was kept, its session too.
    let owner = server.nobody().with(owner.bearer.as_deref().expect("a token"));
    let path = format!("/api/campaigns/{}", made["id"].as_str().expect("an id"));
    assert_eq!(owner.get(&path).await.expect(200)["name"], "Kept");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_a_snapshot_and_deltas_and_resume() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let mut stream = owner
        .http
        .get(format!("{}/api/events", server.base))
        .bearer_auth(owner.bearer.clone().expect("a token"))
        .send()
        .await
        .expect("a stream");
    let snapshot = event(&mut stream).await;
    assert_eq!(snapshot["type"], "snapshot");
    let agent = first_id(&owner.get("/api/agents").await.expect(200));
    owner.put(&format!("/api/agents/{agent}/status"), json!({ "status": "away", "reason": "lunch" })).await.expect(200);
    let delta = event(&mut stream).await;
    assert_eq!((delta["type"].as_str(), delta["agent"]["reason"].as_str()), (Some("agent"), Some("lunch")), "{delta}");
    drop(stream);
    owner.put(&format!("/api/agents/{agent}/status"), json!({ "status": "offline" })).await.expect(200);
    let mut again = owner
        .http
        .get(format!("{}/api/events", server.base))
        .bearer_auth(owner.bearer.clone().expect("a token"))
        .header("last-event-id", delta["cursor"].as_str().expect("a cursor"))
        .send()
        .await
        .expect("a stream");
    let missed = event(&mut again).await;
    assert_eq!(
        (missed["type"].as_str(), missed["agent"]["status"].as_str()),
        (Some("agent"), Some("offline")),
        "{missed}"
    );
    server.stop().await;
}

/// The next event of a stream.
async fn event(stream: &mut reqwest::Response) -> serde_json::Value {
    let mut text = String::new();
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await.expect("in time");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("no error").expect("goes on")));
        if let Some(data) = text.split("\n\n").find_map(|e| e.lines().find_map(|l| l.strip_prefix("data: ")))
            && text.contains("\n\n")
        {
            return serde_json::from_str(data).expect("json");
        }
    }
}
