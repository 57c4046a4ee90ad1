//! What stands before every handler: security headers, https and proxies, limits, the server's own
//! certificate, metrics, pages.

mod common;

use common::Server;
use reqwest::{Method, StatusCode, header};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers_and_pages_load_nothing_from_elsewhere() {
    let server = Server::start(&[]).await;
    let http = server.nobody().http;
    for path in ["/", "/welcome", "/api/docs/", "/api/campaigns", "/api/nothing", "/healthz"] {
        let answer = http.get(format!("{}{path}", server.base)).send().await.expect("an answer");
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key("server") && !headers.contains_key("strict-transport-security"), "{path}");
    }
    for path in ["/", "/welcome", "/welcome.js", "/style.css", "/api/docs/"] {
        let text = server.nobody().get(path).await.text;
        assert!(text.len() > 100, "{path}");
        let outside = text.match_indices("//").any(|(at, _)| {
            let before = &text[at.saturating_sub(6)..at];
            before.ends_with("https:") || before.ends_with("src=\"") || before.ends_with("href=\"")
        });
        assert!(!outside, "{path} names another host: {text}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_trusted_proxy_is_believed_about_https() {
    let trusted = Server::start(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let stranger = Server::start(&[]).await;
    for (server, secure) in [(&trusted, true), (&stranger, false)] {
        let login = json!({ "login": "owner@trial", "password": server.password });
        let request = server.nobody().http.post(format!("{}/api/auth/login", server.base)).json(&login);
        let answer = request.header("x-forwarded-proto", "https").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let cookies: Vec<_> = answer.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(cookies.len(), 2);
        for cookie in cookies {
            assert_eq!(cookie.to_str().expect("text").contains("; Secure"), secure);
        }
    }
    trusted.stop().await;
    stranger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_public_https_address_is_sent_on_or_refused() {
    let settings = [("TRUSTED_PROXIES", "127.0.0.1"), ("WEBHOOK_BASE_URL", "https://calls.example.com")];
    let server = Server::start(&settings).await;
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let ask = async |method: Method, path: &str, proto: &str| {
        let request = http.request(method, format!("{}{path}", server.base)).header("x-forwarded-proto", proto);
        request.send().await.expect("an answer")
    };
    let page = ask(Method::GET, "/welcome?x=1", "http").await;
    assert_eq!(page.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(page.headers()[header::LOCATION], "https://calls.example.com/welcome?x=1");
    assert_eq!(ask(Method::POST, "/api/auth/login", "http").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::GET, "/healthz", "http").await.status(), StatusCode::OK, "machines inside ask plainly");
    let page = ask(Method::GET, "/welcome", "https").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.headers().contains_key("strict-transport-security"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_or_for_whoever_has_the_token() {
    let server = Server::start(&[]).await;
    let nobody = server.nobody();
    assert_eq!(nobody.get("/healthz").await.status, 200);
    let own = nobody.get("/metrics").await;
    assert_eq!(own.status, 200);
    for name in ["autocall_http_requests_total", "autocall_ready 1", "process_resident_memory_bytes"] {
        assert!(own.text.contains(name), "{name} is not in {}", own.text);
    }
    // What a proxy on this machine passes on comes from elsewhere.
    let passed = nobody.send(Method::GET, "/metrics", None, &[("x-forwarded-for", "203.0.113.9")]).await;
    assert_eq!(passed.status, 403);
    let locked = Server::start(&[("METRICS_TOKEN", "0123456789abcdef")]).await;
    assert_eq!(locked.nobody().get("/metrics").await.status, 403);
    assert_eq!(locked.nobody().with("0123456789abcdef").get("/metrics").await.status, 200);
    server.stop().await;
    locked.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_and_wrong_ones_explained() {
    let server = Server::start(&[("BODY_BYTES_MAX", "2048"), ("UPLOAD_BYTES_MAX", "4096")]).await;
    let owner = server.owner().await;
    let long = json!({ "name": "x".repeat(4_000) });
    assert_eq!(owner.post("/api/campaigns", long).await.status, 413);
    let text = owner.send(Method::POST, "/api/campaigns", None, &[("content-type", "text/plain")]).await;
    assert_eq!(text.status, 415);
    let unknown = owner.post("/api/campaigns", json!({ "name": "x", "naem": 1 })).await.expect(422);
    assert!(unknown["errors"][0]["wrong"].as_str().is_some_and(|w| w.contains("naem")), "{unknown}");
    let campaign = common::first_id(&owner.get("/api/campaigns").await.expect(200));
    let rows = "phone\n".to_owned() + &"+12125550123\n".repeat(1_000);
    let mut body =
        format!("--B\r\nContent-Disposition: form-data; name=\"campaign\"\r\n\r\n{campaign}\r\n--B\r\n").into_bytes();
    body.extend(b"Content-Disposition: form-data; name=\"file\"; filename=\"l.csv\"\r\n\r\n");
    body.extend(rows.bytes());
    body.extend(b"\r\n--B--\r\n");
    let request = owner.http.post(format!("{}/api/leads/upload", server.base)).body(body);
    let request = request.header("content-type", "multipart/form-data; boundary=B");
    let answer = request.bearer_auth(owner.bearer.as_deref().expect("a token")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let jobs = owner.get("/api/imports").await.expect(200);
    assert_eq!(jobs["items"], json!([]), "nothing half-written is left");
    assert_eq!(std::fs::read_dir(server.app.config.data_dir.join("uploads")).expect("there").count(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_certificate_serves_https() {
    let at = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let (cert, key) = (at("cert.pem"), at("key.pem"));
    let server = Server::start(&[("TLS_CERT", &cert), ("TLS_KEY", &key)]).await;
    let pem = std::fs::read(&cert).expect("there");
    let trusted = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().expect("a client");
    let base = server.base.replace("http://127.0.0.1", "https://localhost");
    let login = json!({ "login": "owner@trial", "password": server.password });
    let answer = http.post(format!("{base}/api/auth/login")).json(&login).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("text");
    assert!(cookie.contains("; Secure"), "{cookie}");
    // Plain http on the same port gets nothing.
    assert!(server.nobody().http.get(format!("{}/healthz", server.base)).send().await.is_err());
    server.stop().await;
}

/// Connections that say nothing, and requests that never end, give their places up.
#[tokio::test(flavor = "multi_thread")]
async fn silence_holds_no_place_for_ever() {
    use tokio::io::AsyncWriteExt as _;
    let server = Server::start(&[("CONNECTIONS_MAX", "16"), ("REQUESTS_IN_FLIGHT_MAX", "8")]).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut silent = Vec::new();
    for n in 0..16 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
        if n % 2 == 0 {
            // A head without an end.
            stream.write_all(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n").await.expect("sent");
        }
        silent.push(stream);
    }
    let begun = std::time::Instant::now();
    assert_eq!(server.nobody().get("/healthz").await.status, 200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(45), "{:?}", begun.elapsed());
    // Bodies that never come take no place of those who work.
    for _ in 0..12 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
        let head =
            "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        silent.push(stream);
    }
    server.owner().await.get("/api/campaigns").await.expect(200);
    server.stop().await;
}
