//! Logs and traces of a whole run, at the most talkative level, hold no number, no name, no
//! password and no token.

mod common;

use autocall_testkit::leak::LeakGuard;
use axum::body::Bytes;
use common::first_id;
use common::process::Process;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A collector of traces: keeps what it is sent.
async fn collector() -> (Arc<Mutex<Vec<u8>>>, String) {
    let kept: Arc<Mutex<Vec<u8>>> = Arc::default();
    let into = kept.clone();
    let take = move |body: Bytes| {
        let into = into.clone();
        async move { into.lock().expect("no panic holds it").extend_from_slice(&body) }
    };
    let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (kept, url)
}

const LIST: &str = "first_name,last_name,phone,notes,external_id\n\
    Zebulon,Xanthopoulos,+12125550142,likes otters,CRM-77001\n\
    Ursula,Quillfeather,(617) 555-0143,moved to Wolverhampton,CRM-77002\n\
    Broken,Vandersloot,+1212555,never mind,CRM-77003\n";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_and_nothing_secret_is_logged_or_traced() {
    let (traces, collector) = collector().await;
    let folder = tempfile::tempdir().expect("a folder");
    let env = [
        ("LOG", "trace"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()),
        ("TRIAL_SPEED", "30"),
        ("WEBHOOKS_TO_LOOPBACK", "true"),
    ];
    let mut server = Process::serve(folder.path(), &env);
    let (login, password) = (server.word_after("login"), server.word_after("password"));
    let mut secrets = vec![("password", password.clone()), ("password", "hunter2-wrong-one".to_owned())];
    let nobody = server.nobody();
    let wrong = json!({ "login": login, "password": "hunter2-wrong-one" });
    nobody.post("/api/auth/login", wrong).await.expect(401);
    let signed = nobody.post("/api/auth/login", json!({ "login": login, "password": password })).await.expect(200);
    let mut keep = |kind: &'static str, json: &Value| {
        secrets.push((kind, json.as_str().expect("a text").to_owned()));
    };
    keep("access token", &signed["token"]);
    keep("refresh token", &signed["refresh_token"]);
    keep("csrf value", &signed["csrf"]);
    let owner = nobody.with(signed["token"].as_str().expect("a token"));
    let key = owner.post("/api/keys", json!({ "name": "all", "rights": ["leads:read"] })).await.expect(201);
    keep("key", &key["secret"]);
    nobody.with(key["secret"].as_str().expect("a secret")).get("/api/leads").await.expect(200);
    let hook = owner.post("/api/webhooks", json!({ "url": "http://127.0.0.1:9/zebra-hook" })).await.expect(201);
    keep("signing secret", &hook["secret"]);
    let user = json!({ "login": "winifred@trial.example", "role": "agent" });
    let user = owner.post("/api/users", user).await.expect(201);
    keep("link", &user["link"]["token"]);

    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    owner.upload(&campaign, LIST.as_bytes().to_vec()).await;
    owner.get("/api/leads?phone=%2B12125550142").await.expect(200);
    owner.get("/api/leads?name=Zebulon%20Xanthopoulos").await.expect(200);
    owner.get("/api/leads?phone=zebulon").await.expect(422);
    owner.post("/api/leads", json!({ "campaign": campaign, "phones": ["Zebulon"], "notes": 7 })).await.expect(422);
    owner.post("/api/dnc", json!({ "phones": ["+16175550143"] })).await.expect(200);
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    owner.until("/api/calls?live=false", |c| c["items"].as_array().is_some_and(|c| !c.is_empty())).await;
    owner.get("/api/calls/export?format=xlsx").await.expect(200);
    owner.post("/api/privacy/export", json!({ "phone": "+12125550142" })).await.expect(200);
    let refresh = json!({ "refresh_token": signed["refresh_token"] });
    let renewed = nobody.post("/api/auth/refresh", refresh.clone()).await.expect(200);
    secrets.push(("access token", renewed["token"].as_str().expect("a token").to_owned()));
    nobody.post("/api/auth/refresh", refresh).await.expect(401);
    let metrics = nobody.get("/metrics").await.text;
    assert!(metrics.contains("autocall_http_requests_total"), "{metrics}");

    let out = server.out.lock().expect("no panic holds it").clone();
    let (status, _, err) = server.terminate();
    assert!(status.success());
    let mut guard = LeakGuard::new();
    for (kind, secret) in &secrets {
        guard = guard.secret(kind, secret);
    }
    for name in ["Zebulon", "Xanthopoulos", "Ursula", "Quillfeather", "Vandersloot", "otters", "Wolverhampton"] {
        guard = guard.secret("name", name);
    }
    for name in ["winifred@", "CRM-7700", "2125550142", "6175550143", "555-0143"] {
        guard = guard.secret("personal data", name);
    }
    // The one-time password is printed for whoever starts the trial, and logged nowhere.
    let out: Vec<&str> = out.lines().filter(|line| !line.contains(&password)).collect();
    guard.look("standard output", &out.join("\n"));
    guard.look("metrics", &metrics);
    err.lines().for_each(|line| guard.look("the log", line));
    let traces = traces.lock().expect("no panic holds it").clone();
    let traces = String::from_utf8_lossy(&traces).into_owned();
    guard.look("traces", &traces);
    assert_eq!(guard.leaks(), Vec::new());
    // Something was looked at; the libraries, which name numbers when they may, said nothing.
    assert!(err.contains("stopping") && !err.contains("TRACE"), "{err}");
    assert!(traces.contains("/api/auth/login") && traces.contains("/api/leads/upload"), "{} bytes", traces.len());
}
