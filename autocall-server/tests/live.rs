//! Live events over a WebSocket, over server-sent events, and between nodes.

mod common;

use autocall_testkit::postgres::Cluster;
use common::{Client, Server, first_id};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket as a program does, with its token in a header.
async fn open(client: &Client, cursor: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let address = format!("{}/api/ws{cursor}", client.base.replace("http://", "ws://"));
    let mut request = address.into_client_request()?;
    if let Some(bearer) = &client.bearer {
        request.headers_mut().insert("authorization", format!("Bearer {bearer}").parse().expect("a header"));
    }
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    Ok(connect_async(request).await?.0)
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("in time");
        match message.expect("open").expect("no error") {
            Message::Text(text) => return serde_json::from_str(&text).expect("json"),
            Message::Close(_) => panic!("closed"),
            _ => {}
        }
    }
}

/// The next message of this type.
async fn wait(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = next(socket).await;
        if message["type"] == kind {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_gives_a_snapshot_then_deltas_and_goes_on_from_its_cursor() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let mut socket = open(&owner, "", &[]).await.expect("open");
    let snapshot = next(&mut socket).await;
    assert_eq!((&snapshot["type"], snapshot["agents"].as_array().map(Vec::len)), (&json!("snapshot"), Some(5)));
    let agent = first_id(&owner.get("/api/agents").await.expect(200));
    let path = format!("/api/agents/{agent}/status");
    owner.put(&path, json!({ "status": "away", "reason": "lunch" })).await.expect(200);
    let delta = wait(&mut socket, "agent").await;
    assert_eq!(delta["agent"]["reason"], "lunch");
    socket.close(None).await.expect("closed");
    owner.put(&path, json!({ "status": "offline" })).await.expect(200);
    let cursor = delta["cursor"].as_str().expect("a cursor");
    let mut again = open(&owner, &format!("?cursor={cursor}"), &[]).await.expect("open");
    assert_eq!(next(&mut again).await["agent"]["status"], "offline", "what was missed, and no snapshot");
    let mut stranger = open(&owner, "?cursor=another-life-7", &[]).await.expect("open");
    assert_eq!(next(&mut stranger).await["type"], "snapshot");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_pages_open_sockets_and_no_token_goes_in_the_address() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let status = |error: Error| match error {
        Error::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    };
    let evil = open(&owner, "", &[("origin", "https://evil.example")]).await.map(drop);
    assert_eq!(status(evil.expect_err("refused")), 403);
    open(&owner, "", &[("origin", &server.base)]).await.expect("our own page");
    let token = owner.bearer.clone().expect("a token");
    let nobody = server.nobody();
    for query in ["token", "access_token", "authorization", "autocall_access"] {
        let refused = open(&nobody, &format!("?{query}={token}"), &[]).await.map(drop);
        assert_eq!(status(refused.expect_err("refused")), 401, "{query}");
    }
    let cookie = format!("autocall_access={token}");
    open(&nobody, "", &[("cookie", &cookie), ("origin", &server.base)]).await.expect("a page with its cookie");
    server.stop().await;
}

/// A campaign whose calls all come to the owner's console; returns the owner's agent.
async fn console(owner: &Client) -> (String, String) {
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    let me = owner.get("/api/me").await.expect(200)["user"]["agent"].as_str().expect("an agent").to_owned();
    for agent in owner.get("/api/agents").await.expect(200)["items"].as_array().expect("a list") {
        let status = if agent["id"] == me.as_str() { "available" } else { "offline" };
        let path = format!("/api/agents/{}/status", agent["id"].as_str().expect("an id"));
        owner.put(&path, json!({ "status": status })).await.expect(200);
    }
    let mut list = String::from("first_name,phone\n");
    (0..400).for_each(|n| list.push_str(&format!("Person {n},+1415556{n:04}\n")));
    assert_eq!(owner.upload(&campaign, list.into_bytes()).await["state"], "done");
    (campaign, me)
}

/// A user who works as this agent and may do nothing else.
async fn worker(server: &Server, owner: &Client, agent: &str) -> Client {
    let user = json!({ "login": "ann@trial", "role": "agent", "agent": agent });
    let made = owner.post("/api/users", user).await.expect(201);
    let link = json!({ "token": made["link"]["token"], "password": "correct horse battery" });
    let signed = server.nobody().post("/api/auth/reset", link).await.expect(200);
    server.nobody().with(signed["token"].as_str().expect("a token"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_comes_to_the_agents_own_socket_with_the_lead() {
    let server = Server::start(&[("TRIAL_SPEED", "40")]).await;
    let owner = server.owner().await;
    let (campaign, me) = console(&owner).await;
    let ann = worker(&server, &owner, &me).await;
    let mut socket = open(&ann, "", &[]).await.expect("open");
    let first = next(&mut socket).await;
    assert!(first["console"].is_object() && first["campaigns"].is_null(), "an agent sees their console: {first}");
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    let offer = wait(&mut socket, "offer").await;
    let console = &offer["console"];
    assert!(console["offered"] == true || console["agent"]["state"] != "idle", "{offer}");
    assert!(console["lead"]["first_name"].as_str().is_some_and(|n| n.starts_with("Person")), "{offer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_falls_behind_gets_a_snapshot_and_holds_nobody_up() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let mut socket = open(&owner, "", &[]).await.expect("open");
    next(&mut socket).await;
    let tenant = autocall_core::TenantId(1);
    let begun = Instant::now();
    for n in 0..100_000u128 {
        let call = autocall_core::CallId::small(tenant, n);
        let campaign = autocall_core::CampaignId::small(tenant, 1);
        server.app.hub.publish(&autocall_core::ports::Note::Call { call, campaign, stage: "dialing" });
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "publishing waits for nobody");
    let mut kinds = Vec::new();
    while kinds.last() != Some(&"snapshot".to_owned()) {
        kinds.push(next(&mut socket).await["type"].as_str().expect("a type").to_owned());
        assert!(kinds.len() < 20_000, "no snapshot among {} messages", kinds.len());
    }
    // It hears what comes after: by itself, or within a later snapshot where it fell behind again
    // while the notes were still being published.
    let agent = first_id(&owner.get("/api/agents").await.expect(200));
    owner.put(&format!("/api/agents/{agent}/status"), json!({ "status": "offline" })).await.expect(200);
    let is_offline = |a: &Value| a["id"] == agent.as_str() && a["status"] == "offline";
    let heard = async {
        loop {
            let message = next(&mut socket).await;
            let snapshot = message["agents"].as_array().is_some_and(|all| all.iter().any(is_offline));
            if snapshot || is_offline(&message["agent"]) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.expect("the change is heard of");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_one_node_reaches_a_console_on_another() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let secret = "0123456789abcdef0123456789abcdef";
    let seal = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let settings = [("DATABASE_URL", url.as_str()), ("TOKEN_SECRET", secret), ("SEAL_KEY", seal)];
    let one = Server::start(&settings).await;
    let two = Server::start(&settings).await;
    let owner = one.owner().await;
    // The same session is good on the other node: they share the secret.
    let there = two.nobody().with(owner.bearer.as_deref().expect("a token"));
    let mut socket = open(&there, "", &[]).await.expect("open");
    next(&mut socket).await;
    let agent = first_id(&owner.get("/api/agents").await.expect(200));
    let mut last = Duration::MAX;
    // The bus may still be opening: then the status is set again.
    for turn in 0..20 {
        let begun = Instant::now();
        let reason = format!("turn {turn}");
        let away = json!({ "status": "away", "reason": reason });
        owner.put(&format!("/api/agents/{agent}/status"), away).await.expect(200);
        let heard = tokio::time::timeout(Duration::from_secs(2), async {
            while wait(&mut socket, "agent").await["agent"]["reason"] != reason.as_str() {}
        });
        if heard.await.is_ok() {
            last = begun.elapsed();
            break;
        }
    }
    assert!(last < Duration::from_secs(2), "nothing came over");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_thrown_out_hears_no_more() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let made = owner.post("/api/keys", json!({ "name": "watch", "rights": ["campaigns:read"] })).await.expect(201);
    let key = server.nobody().with(made["secret"].as_str().expect("a secret"));
    let mut socket = open(&key, "", &[]).await.expect("open");
    next(&mut socket).await;
    owner.delete(&format!("/api/keys/{}", made["key"]["id"].as_str().expect("an id"))).await.expect(204);
    // It is asked again every twenty seconds.
    let ended = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
            let _ = socket.send(Message::Pong(Vec::new().into())).await;
        }
    });
    ended.await.expect("the socket ends");
    server.stop().await;
}
