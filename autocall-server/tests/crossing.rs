//! The tenant-crossing matrix, made from the route table: every route, asked by every role of one
//! tenant, with every kind of id of another. Nothing is seen, nothing is changed, and the answer
//! is that for an id that does not exist.

mod common;

use autocall_core::ports::catalog::{AudioAsset, PageAsk, Recording};
use autocall_core::{CallId, Private};
use autocall_server::app::App;
use autocall_server::http::table::Weight;
use autocall_server::http::values::Key;
use autocall_server::identity::{Role, Rule};
use autocall_server::{http, routes};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use common::{Client, Server, first_id};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

/// An id that nothing has.
const NOTHING: &str = "0123456789abcdef0123456789abcdef";
/// The name of a recording of the other tenant.
const TAPE: &str = "RE00000000000000000000000000000042";

/// What to send, with `ID` for the id in question. A route that takes something and is not named
/// here fails the test: whoever adds it says what a good request is.
fn body(method: &Method, path: &str) -> Option<Vec<Value>> {
    let soon = "2030-01-01T10:00:00Z";
    let phone = "+12125550123";
    let consent = json!({ "class": "express", "source": "agent", "given_at": 1 });
    Some(match (method.as_str(), path) {
        ("GET" | "DELETE", _) => vec![Value::Null],
        ("POST", "/api/campaigns") => vec![
            json!({ "name": "x", "settings": { "transfer": { "pools": ["ID"] } } }),
            json!({ "name": "x", "settings": { "hold": { "file": "ID" } } }),
        ],
        ("PUT", "/api/campaigns/{id}") => {
            vec![json!({ "name": "x" }), json!({ "settings": { "transfer": { "pools": ["ID"] } } })]
        }
        ("POST", "/api/campaigns/{id}/start" | "/api/campaigns/{id}/schedule") => vec![json!({ "confirm": 1 })],
        ("POST", "/api/campaigns/{id}/archive") => vec![json!({ "archived": true })],
        ("POST", "/api/campaigns/{id}/clone") => vec![json!({ "name": "x" })],
        ("POST", "/api/campaigns/{id}/estimate") => vec![json!({ "leads": 10 })],
        ("PUT", "/api/agents/{id}/pin") => vec![json!({ "pin": "825917" })],
        ("POST", "/api/leads") => vec![json!({ "campaign": "ID", "phones": [phone] })],
        ("PUT", "/api/leads/{id}") => vec![
            json!({ "status": "closed" }),
            json!({ "first_name": "Eve" }),
            json!({ "callback": { "at": soon, "agent": "ID" } }),
        ],
        ("POST", "/api/leads/bulk") => vec![json!({ "ids": ["ID"], "status": "closed", "priority": "urgent" })],
        ("POST", "/api/leads/{id}/consents") => vec![json!({ "consent": consent })],
        ("POST", "/api/leads/{id}/consents/revoke") => vec![json!({ "channel": "agent" })],
        ("POST", "/api/console/show") => vec![json!({ "campaign": "ID" })],
        ("POST", "/api/console/skip") => vec![json!({ "again_in_min": 5 })],
        ("POST", "/api/calls/{id}/review") => vec![json!({ "was_person": true })],
        ("POST", "/api/console/next") => vec![json!({ "campaign": "ID" }), json!({ "campaign": "ID", "lead": "ID" })],
        ("POST", "/api/calls/{id}/disposition") => vec![json!({ "code": "success" })],
        ("POST", "/api/calls/{id}/callback") => vec![json!({ "at": soon })],
        ("POST", "/api/calls/{id}/hold" | "/api/calls/{id}/mute") => vec![json!({ "on": true })],
        ("POST", "/api/calls/{id}/transfer") => {
            vec![json!({ "to": { "phone": phone } }), json!({ "agent": "ID" })]
        }
        ("POST", "/api/calls/{id}/recording") => vec![json!({ "action": "start" })],
        ("POST", "/api/calls/{id}/monitor" | "/api/calls/{id}/coach" | "/api/calls/{id}/barge") => {
            vec![json!({ "at": { "phone": phone } })]
        }
        ("POST", "/api/agents") => vec![json!({ "name": "x", "phone": phone, "pool": "ID" })],
        ("PUT", "/api/agents/{id}") => vec![json!({ "name": "x" }), json!({ "pool": "ID" })],
        ("PUT", "/api/agents/{id}/status") => vec![json!({ "status": "away" })],
        ("POST", "/api/pools") | ("PUT", "/api/pools/{id}") => vec![json!({ "name": "x" })],
        ("POST", "/api/dnc" | "/api/dnc/check") => vec![json!({ "phones": [phone], "campaign": "ID" })],
        ("POST", "/api/dnc/remove") => vec![json!({ "phone": phone, "campaign": "ID" })],
        ("POST", "/api/numbers") => vec![json!({ "phone": phone })],
        ("POST", "/api/users") => vec![json!({ "login": "ID@x.example", "role": "agent", "agent": "ID" })],
        ("PUT", "/api/users/{id}") => {
            vec![json!({ "name": "x" }), json!({ "agent": "ID" }), json!({ "role": "agent" })]
        }
        ("POST", "/api/keys") => vec![json!({ "name": "x", "rights": ["campaigns:read"] })],
        ("POST", "/api/webhooks") => vec![json!({ "url": "https://hooks.example.com/" })],
        ("PUT", "/api/webhooks/{id}") => vec![json!({ "active": false })],
        ("POST", "/api/webhooks/{id}/replay") => vec![json!({ "after": 0 })],
        ("PUT", "/api/tenant") => vec![json!({ "price_per_min": 1.0 })],
        ("PUT", "/api/tenant/carrier") => {
            vec![json!({ "account_sid": format!("AC{NOTHING}"), "auth_token": NOTHING })]
        }
        ("POST", "/api/privacy/export" | "/api/privacy/erase") => vec![json!({ "lead": "ID" })],
        // These name no thing of a tenant: only oneself, by a secret.
        ("POST", path) if path.starts_with("/api/auth/") => Vec::new(),
        ("POST" | "PUT", "/api/me/totp" | "/api/me/totp/remove") => Vec::new(),
        // A form with the campaign in it.
        ("POST", "/api/leads/upload") => vec![json!("ID")],
        ("POST", "/api/audio") => vec![json!("no campaign")],
        // No body at all.
        ("POST", path)
            if [
                "/pause",
                "/finish",
                "/hangup",
                "/accept",
                "/decline",
                "/complete",
                "/voicemail",
                "/cancel",
                "/reset",
                "/ready",
                "/stand",
            ]
            .iter()
            .any(|end| path.ends_with(end)) =>
        {
            vec![Value::Null]
        }
        _ => return None,
    })
}

/// Every name that a query takes an id by.
const QUERY: &str = "campaign=ID&lead=ID&agent=ID&pool=ID&list=ID";

/// A request: method, path and body, with `ID` in place of the id.
struct Ask {
    method: Method,
    route: &'static str,
    path: String,
    body: Value,
    rule: Rule,
}

/// Every request that can carry an id. Also fails for routes that nobody described.
fn asks() -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut unknown = Vec::new();
    for route in routes::table().routes() {
        // Streams of events end by themselves only when the server does; `live.rs` looks at them.
        if matches!(route.path, "/api/events" | "/api/ws") {
            continue;
        }
        let Some(bodies) = body(&route.method, route.path) else {
            unknown.push(format!("{} {}", route.method, route.path));
            continue;
        };
        let path = route.path.replace("{id}", "ID").replace("{name}", TAPE);
        for body in bodies {
            let ask = |path: String, body: &Value| Ask {
                method: route.method.clone(),
                route: route.path,
                path,
                body: body.clone(),
                rule: route.rule,
            };
            let query = route.method == Method::GET && !path.contains("ID");
            asks.push(ask(if query { format!("{path}?{QUERY}") } else { path.clone() }, &body));
        }
        assert!(!route.path.contains('{') || path.contains("ID"), "{} has an unknown key", route.path);
        assert!(route.weight != Weight::Stream || route.rule != Rule::Public, "{} streams to anybody", route.path);
    }
    assert!(unknown.is_empty(), "say in `body` what a good request is: {unknown:#?}");
    asks
}

/// The other tenant's things, by kind.
async fn things(server: &Server, owner: &Client) -> BTreeMap<&'static str, String> {
    let mut ids = BTreeMap::new();
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    let list = b"first_name,last_name,phone\nZebulon,Xanthopoulos,+12125550142\nUrsula,Quillfeather,+12125550143\n";
    let mut rows = list.to_vec();
    for n in 0..60 {
        rows.extend(format!("Person,{n},+1415555{n:04}\n").bytes());
    }
    let job = owner.upload(&campaign, rows).await;
    ids.insert("import", job["id"].as_str().expect("an id").to_owned());
    let leads = owner.get("/api/leads?limit=2").await.expect(200);
    ids.insert("lead", first_id(&leads));
    ids.insert("list", leads["items"][0]["list"].as_str().expect("a list").to_owned());
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    owner.until("/api/calls?outcome=connected", |c| c["items"].as_array().is_some_and(|c| !c.is_empty())).await;
    owner.post(&format!("/api/campaigns/{campaign}/pause"), json!({})).await.expect(200);
    owner.until("/api/calls?live=true", |c| c["items"].as_array().is_some_and(Vec::is_empty)).await;
    let idle = |list: &Value| list["items"].as_array().is_some_and(|all| all.iter().all(|a| a["state"] == "idle"));
    owner.until("/api/agents", idle).await;
    ids.insert("call", first_id(&owner.get("/api/calls?outcome=connected").await.expect(200)));
    ids.insert("campaign", campaign);
    ids.insert("agent", first_id(&owner.get("/api/agents").await.expect(200)));
    ids.insert("pool", first_id(&owner.get("/api/pools").await.expect(200)));
    let key = json!({ "name": "reader", "rights": ["campaigns:read"] });
    ids.insert("key", text(&owner.post("/api/keys", key).await.expect(201), "/key/id"));
    let user = json!({ "login": "zeb@other.example", "role": "agent" });
    ids.insert("user", text(&owner.post("/api/users", user).await.expect(201), "/user/id"));
    let hook = json!({ "url": "https://hooks.example.com/zebulon" });
    let hook = text(&owner.post("/api/webhooks", hook).await.expect(201), "/webhook/id");
    owner.put(&format!("/api/webhooks/{hook}"), json!({ "active": false })).await.expect(200);
    ids.insert("webhook", hook);
    let number = json!({ "phone": "+12025550177" });
    ids.insert("number", text(&owner.post("/api/numbers", number).await.expect(201), "/id"));
    ids.insert("sound", sound(&server.app, owner).await);
    tape(&server.app, owner, &ids["call"]).await;
    ids
}

fn text(json: &Value, at: &str) -> String {
    json.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("no {at} in {json}")).to_owned()
}

async fn tenant(app: &App, owner: &Client) -> autocall_core::TenantId {
    let me = owner.get("/api/me").await.expect(200);
    let tenant = autocall_core::TenantId(me["user"]["tenant"].as_u64().expect("a number") as u32);
    assert!(app.catalog.tenant(tenant).await.is_ok());
    tenant
}

async fn sound(app: &App, owner: &Client) -> String {
    let id = app.new_id(tenant(app, owner).await);
    let asset = AudioAsset {
        id,
        name: "zebulon.wav".into(),
        mime: "audio/wav".into(),
        bytes: 3,
        sha256: "x".into(),
        added_at: app.clock.now(),
    };
    app.catalog.add_audio(&asset, b"zeb").await.expect("kept");
    Key::from(id).to_string()
}

async fn tape(app: &App, owner: &Client, call: &str) {
    let call: CallId = call.parse::<Key>().expect("a key").of(tenant(app, owner).await);
    let location = Private::new("https://carrier.example/zebulon");
    let row = Recording { call, provider: TAPE.into(), location, length_ms: 1, made_at: app.clock.now() };
    app.catalog.put_recording(&row).await.expect("kept");
}

/// Everything of a tenant that can be read, to be compared.
async fn everything(owner: &Client) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    for path in [
        "/api/campaigns?archived=true",
        "/api/leads?limit=500",
        "/api/calls?limit=500",
        "/api/agents",
        "/api/pools",
        "/api/dnc",
        "/api/audio",
        "/api/numbers",
        "/api/users",
        "/api/keys",
        "/api/webhooks",
        "/api/imports",
        "/api/audit?limit=500",
        "/api/tenant",
        "/api/tenant/carrier",
        "/api/feed",
        "/api/privacy/kept",
    ] {
        let mut answer = owner.get(path).await;
        // What is kept is read under the eyes of the audit log: our own reading here is none of
        // what is looked for.
        if path.starts_with("/api/audit") {
            let me = owner.get("/api/me").await.expect(200);
            let me = format!("user:{}", me["user"]["id"].as_str().expect("an id"));
            let items = answer.body["items"].as_array_mut().expect("a list");
            items.retain(|entry| entry["action"] != "kept.read" || entry["actor"] != me.as_str());
            answer.text = answer.body.to_string();
        }
        all.insert(path, answer.text);
    }
    all
}

/// The password of every attacker.
const SECRET: &str = "correct horse battery staple";

/// Users of every role in a tenant of their own, by login; the agent among them works as an agent.
async fn attackers(server: &Server) -> Vec<(Role, String)> {
    let secret = SECRET;
    let new = json!({ "login": "eve@eve.example", "password": secret, "tenant": "Eve" });
    let signed = server.nobody().post("/api/auth/register", new).await.expect(201);
    let owner = server.nobody().with(&text(&signed, "/token"));
    let mut all = vec![(Role::Owner, "eve@eve.example".to_owned())];
    for role in Role::ALL.into_iter().filter(|r| *r != Role::Owner) {
        let phone = format!("+1202555018{}", all.len());
        let agent = owner.post("/api/agents", json!({ "name": "Eve", "phone": phone })).await.expect(201);
        let login = format!("{role:?}@eve.example").to_lowercase();
        let user = json!({ "login": &login, "role": role, "agent": agent["id"] });
        let made = owner.post("/api/users", user).await.expect(201);
        let link = json!({ "token": text(&made, "/link/token"), "password": secret });
        server.nobody().post("/api/auth/reset", link).await.expect(200);
        all.push((role, login));
    }
    all
}

/// The answer to a request with this id: status and body, with every id blotted out that was
/// asked with (the attackers' own things keep what they were given).
async fn answer(router: &Router, ask: &Ask, bearer: &str, id: &str, ids: &BTreeMap<&str, String>) -> (u16, String) {
    let mut request = Request::builder().method(&ask.method).uri(ask.path.replace("ID", id));
    request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
    let request = match &ask.body {
        Value::Null => request.body(Body::empty()),
        Value::String(campaign) => {
            let campaign = campaign.replace("ID", id);
            let form = format!(
                "--B\r\nContent-Disposition: form-data; name=\"campaign\"\r\n\r\n{campaign}\r\n--B\r\n\
                 Content-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\nphone\r\n+12125550144\r\n--B--\r\n"
            );
            request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=B").body(Body::from(form))
        }
        json => {
            let json = json.to_string().replace("ID", id);
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(json))
        }
    };
    let response = router.clone().oneshot(request.expect("a request")).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).replace(NOTHING, "ID");
    (status, ids.values().fold(text, |text, id| text.replace(id.as_str(), "ID")))
}

/// Routes whose good answer to their own tenant differs from one request to the next: new ids,
/// times, counters. Their status alone is compared, besides what they show.
fn makes_new(ask: &Ask, status: u16) -> bool {
    status == 201 || status == 202 || matches!(ask.route, "/metrics" | "/api/audit" | "/api/privacy/tenant" | "/readyz")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_role_of_one_tenant_reaches_anything_of_another() {
    let settings = [
        ("TRIAL_SPEED", "10"),
        ("REGISTRATION", "open"),
        ("TENANT_REQUESTS_PER_S", "1000000"),
        ("METRICS_TOKEN", "0123456789abcdef"),
    ];
    let server = Server::start(&settings).await;
    let owner = server.owner().await;
    let ids = things(&server, &owner).await;
    let attackers = attackers(&server).await;
    let owner = server.owner().await;
    let router = http::serve::router(&server.app, None);
    let before = everything(&owner).await;
    let asks = asks();
    let mut asked = 0;
    for (role, login) in &attackers {
        let mut token = String::new();
        let mut since = None;
        for ask in &asks {
            // Tokens end soon: time runs fast here.
            if since.is_none_or(|at: Instant| at.elapsed() > Duration::from_secs(10)) {
                token = server.nobody().sign_in(login, SECRET).await.bearer.expect("a token");
                since = Some(Instant::now());
            }
            let nothing = answer(&router, ask, &token, NOTHING, &ids).await;
            assert!(ask.rule == Rule::Public || nothing.0 != 401, "{role:?} is not signed in: {}", ask.path);
            assert!(nothing.0 < 500, "{role:?} {} {}: {nothing:?}", ask.method, ask.path);
            let admitted = ask.rule.admits(role.rights());
            if !admitted {
                assert_eq!(nothing.0, 403, "{role:?} may not: {} {}", ask.method, ask.path);
            }
            let carries = ask.path.contains("ID") || ask.body.to_string().contains("ID");
            // Whoever is turned away at the door is asked with one kind, not with all.
            let kinds = if !carries {
                0
            } else if admitted {
                ids.len()
            } else {
                1
            };
            for (kind, id) in ids.iter().take(kinds) {
                let theirs = answer(&router, ask, &token, id, &ids).await;
                asked += 1;
                let place = format!("{role:?}, {} {} {} with a {kind}", ask.method, ask.path, ask.body);
                assert_eq!(theirs.0, nothing.0, "{place}\n{}\n{}", theirs.1, nothing.1);
                let limited = theirs.0 == 429;
                assert!(!limited, "{place} was not really asked");
                if !makes_new(ask, theirs.0) {
                    assert_eq!(theirs.1, nothing.1, "{place}");
                }
                for word in ["ebulon", "anthopoulos", "uillfeather", "2125550142", "zeb@other"] {
                    assert!(!theirs.1.contains(word), "{place} shows {word}: {}", theirs.1);
                }
            }
        }
    }
    assert!(asked > 3_000, "{asked}");
    let after = everything(&server.owner().await).await;
    for (path, was) in &before {
        assert_eq!(was, &after[path], "{path} has changed");
    }
    let tenants = server.app.directory.tenant_names(&PageAsk::first(10)).await.expect("listed").items;
    assert_eq!(tenants.len(), 2, "nobody made a tenant by another's id");
    server.stop().await;
}

/// What is served beside the route table, and by which rule it is safe.
#[tokio::test]
async fn nothing_is_served_outside_the_table_but_the_documents() {
    let server = Server::start(&[]).await;
    let router = http::serve::router(&server.app, None);
    for (path, status) in [
        ("/api/openapi.json", 200),
        ("/api/docs/", 200),
        ("/api/docs/swagger-ui.css", 200),
        ("/api/nothing", 404),
        ("/api/../etc/passwd", 404),
        ("/webhooks/twilio/x", 404),
        ("/media/x", 404),
    ] {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    server.stop().await;
}

/// The paths that the project promised, by method.
#[test]
fn the_promised_paths_are_there() {
    let table = routes::table();
    let has = |method: &str, path: &str| table.routes().iter().any(|r| r.method == method && r.path == path);
    for (method, path) in [
        ("POST", "/api/auth/register"),
        ("POST", "/api/auth/login"),
        ("GET", "/api/campaigns"),
        ("POST", "/api/campaigns"),
        ("PUT", "/api/campaigns/{id}"),
        ("POST", "/api/campaigns/{id}/start"),
        ("POST", "/api/campaigns/{id}/pause"),
        ("GET", "/api/leads"),
        ("POST", "/api/leads/upload"),
        ("GET", "/api/leads/template/csv"),
        ("PUT", "/api/leads/{id}"),
        ("GET", "/api/calls"),
        ("GET", "/api/calls/{id}"),
        ("GET", "/api/calls/stats/summary"),
        ("GET", "/api/agents"),
        ("POST", "/api/agents"),
        ("PUT", "/api/agents/{id}/status"),
    ] {
        assert!(has(method, path), "{method} {path}");
    }
}
