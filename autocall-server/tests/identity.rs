//! Signing in, staying in, being thrown out.

mod common;

use common::Server;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_tells_nothing_and_locks_in_the_end() {
    let server = Server::start(&[]).await;
    let nobody = server.nobody();
    let unknown = nobody.post("/api/auth/login", json!({ "login": "nobody@trial", "password": "wrong" })).await;
    let wrong = nobody.post("/api/auth/login", json!({ "login": "owner@trial", "password": "wrong" })).await;
    assert_eq!((unknown.status, &unknown.body), (401, &wrong.body), "a name that exists is not told apart");
    let mut last = wrong.status;
    for _ in 0..12 {
        last = nobody.post("/api/auth/login", json!({ "login": "owner@trial", "password": "wrong" })).await.status;
        if last == 423 || last == 429 {
            break;
        }
    }
    assert!(last == 423 || last == 429, "{last}");
    let right = nobody.post("/api/auth/login", json!({ "login": "owner@trial", "password": server.password })).await;
    assert!(right.status == 423 || right.status == 429, "the right password does not open a locked account");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_used_once_and_a_second_use_ends_the_session() {
    let server = Server::start(&[]).await;
    let nobody = server.nobody();
    let login = json!({ "login": "owner@trial", "password": server.password });
    let first = nobody.post("/api/auth/login", login).await.expect(200);
    let stolen = json!({ "refresh_token": first["refresh_token"] });
    let second = nobody.post("/api/auth/refresh", stolen.clone()).await.expect(200);
    let access = nobody.with(second["token"].as_str().expect("a token"));
    access.get("/api/me").await.expect(200);
    assert_eq!(nobody.post("/api/auth/refresh", stolen).await.status, 401);
    let next = json!({ "refresh_token": second["refresh_token"] });
    assert_eq!(nobody.post("/api/auth/refresh", next).await.status, 401, "the owner's session ended as well");
    assert_eq!(access.get("/api/me").await.status, 401, "and its access tokens");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_need_the_csrf_value_and_our_own_origin() {
    let server = Server::start(&[]).await;
    let nobody = server.nobody();
    let login = json!({ "login": "owner@trial", "password": server.password });
    let response =
        nobody.http.post(format!("{}/api/auth/login", server.base)).json(&login).send().await.expect("an answer");
    let cookies: Vec<String> =
        response.headers().get_all("set-cookie").iter().map(|v| v.to_str().expect("text").to_owned()).collect();
    assert!(cookies.iter().all(|c| c.contains("HttpOnly") && c.contains("SameSite=Strict")), "{cookies:?}");
    let cookie = cookies.iter().map(|c| c.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("; ");
    let body: serde_json::Value = response.json().await.expect("json");
    let csrf = body["csrf"].as_str().expect("a value");
    let make = |headers: Vec<(&'static str, String)>| {
        let (nobody, cookie) = (nobody.clone(), cookie.clone());
        async move {
            let mut all: Vec<(&str, &str)> = vec![("cookie", &cookie)];
            all.extend(headers.iter().map(|(n, v)| (*n, v.as_str())));
            nobody.send(Method::POST, "/api/pools", Some(json!({ "name": "P" })), &all).await.status
        }
    };
    assert_eq!(make(vec![]).await, 403, "no csrf value");
    assert_eq!(make(vec![("x-csrf-token", csrf.into()), ("origin", "https://evil.example".into())]).await, 403);
    assert_eq!(make(vec![("x-csrf-token", csrf.into()), ("origin", server.base.clone())]).await, 201);
    assert_eq!(nobody.send(Method::GET, "/api/me", None, &[("cookie", &cookie)]).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_taken_up_once_and_gives_its_role() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let invite = json!({ "login": "sue@trial", "role": "supervisor" });
    let made = owner.post("/api/users", invite.clone()).await.expect(201);
    assert_eq!(owner.post("/api/users", invite).await.status, 409);
    let token = made["link"]["token"].as_str().expect("a token");
    let nobody = server.nobody();
    let weak = json!({ "login": "sue@trial", "password": "short", "invitation": token });
    assert_eq!(nobody.post("/api/auth/register", weak).await.status, 422);
    let other = json!({ "login": "eve@trial", "password": "correct horse battery", "invitation": token });
    assert_eq!(nobody.post("/api/auth/register", other).await.status, 403, "it is not for somebody else");
    let again = owner.post(&format!("/api/users/{}/reset", made["user"]["id"].as_str().unwrap()), json!({})).await;
    let token = again.expect(200)["token"].as_str().expect("a token").to_owned();
    let sue = json!({ "login": "sue@trial", "password": "correct horse battery", "invitation": token });
    let signed = nobody.post("/api/auth/register", sue.clone()).await.expect(201);
    assert_eq!(nobody.post("/api/auth/register", sue).await.status, 403, "a link works once");
    let sue = nobody.with(signed["token"].as_str().expect("a token"));
    assert_eq!(sue.get("/api/campaigns").await.status, 200);
    assert_eq!(sue.post("/api/campaigns", json!({ "name": "x" })).await.status, 403);
    assert_eq!(sue.get("/api/users").await.status, 403);
    let strangers = json!({ "login": "new@trial", "password": "correct horse battery", "tenant": "New" });
    assert_eq!(nobody.post("/api/auth/register", strangers).await.status, 403, "by invitation only");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_registration_makes_a_new_tenant() {
    let server = Server::start(&[("REGISTRATION", "open")]).await;
    let nobody = server.nobody();
    let new = json!({ "login": "new@else", "password": "correct horse battery", "tenant": "Trial" });
    assert_eq!(nobody.post("/api/auth/register", new).await.status, 409, "never into a tenant that exists");
    let new = json!({ "login": "new@else", "password": "correct horse battery", "tenant": "Else" });
    let signed = nobody.post("/api/auth/register", new).await.expect(201);
    let other = nobody.with(signed["token"].as_str().expect("a token"));
    assert_eq!(other.get("/api/campaigns").await.expect(200)["items"].as_array().map(Vec::len), Some(0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_it_may_until_it_is_revoked() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let made = owner.post("/api/keys", json!({ "name": "reader", "rights": ["campaigns:read"] })).await.expect(201);
    let key = owner.with(made["secret"].as_str().expect("a secret"));
    key.get("/api/campaigns").await.expect(200);
    assert_eq!(key.get("/api/leads").await.status, 403);
    assert_eq!(key.post("/api/keys", json!({ "name": "more", "rights": ["leads:read"] })).await.status, 403);
    let listed = owner.get("/api/keys").await;
    assert!(!listed.text.contains(made["secret"].as_str().unwrap()), "secrets are shown once");
    owner.delete(&format!("/api/keys/{}", made["key"]["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(key.get("/api/campaigns").await.status, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_sent_again_makes_nothing_new_and_an_old_reading_changes_nothing() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let body = json!({ "name": "Once" });
    let key = [("idempotency-key", "abc")];
    let first = owner.send(Method::POST, "/api/campaigns", Some(body.clone()), &key).await;
    let again = owner.send(Method::POST, "/api/campaigns", Some(body), &key).await;
    assert_eq!((first.status, &first.body), (201, &again.body));
    let other = owner.send(Method::POST, "/api/campaigns", Some(json!({ "name": "Other" })), &key).await;
    assert_eq!(other.status, 422);
    let path = format!("/api/campaigns/{}", first.body["id"].as_str().expect("an id"));
    let etag = owner.get(&path).await.etag.expect("a tag");
    let rename = |name: &str| Some(json!({ "name": name }));
    let changed = owner.send(Method::PUT, &path, rename("A"), &[("if-match", &etag)]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(owner.send(Method::PUT, &path, rename("B"), &[("if-match", &etag)]).await.status, 412);
    assert_eq!(owner.get(&path).await.expect(200)["name"], "A");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_on_two_paths_is_two_requests() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let campaign = common::first_id(&owner.get("/api/campaigns").await.expect(200));
    owner.upload(&campaign, b"phone\n+12125550101\n+12125550102\n".to_vec()).await;
    let leads = owner.get("/api/leads").await.expect(200);
    let consent = json!({ "consent": { "class": "express", "source": "agent", "given_at": 1 } });
    for n in 0..2 {
        let path = format!("/api/leads/{}/consents", leads["items"][n]["id"].as_str().expect("an id"));
        for _ in 0..2 {
            let answer = owner.send(Method::POST, &path, Some(consent.clone()), &[("idempotency-key", "same")]).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let kept = owner.get(&path).await.expect(200);
        assert_eq!(kept["consents"].as_array().map(Vec::len), Some(1), "lead {n}: {kept}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_locked_out_from_afar() {
    let server = Server::start(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let nobody = server.nobody();
    let ask = async |password: &str, from: &str| {
        let body = json!({ "login": "owner@trial", "password": password });
        nobody.send(Method::POST, "/api/auth/login", Some(body), &[("x-forwarded-for", from)]).await.status
    };
    let mut last = 0;
    for _ in 0..9 {
        last = ask("not the password", "203.0.113.9").await;
    }
    assert_eq!(last, 423);
    assert_eq!(ask(&server.password, "203.0.113.9").await, 423);
    assert_eq!(ask(&server.password, "203.0.113.10").await, 200, "the owner is elsewhere");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_used_ends_the_others() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let made = owner.post("/api/users", json!({ "login": "sue@trial", "role": "agent" })).await.expect(201);
    let first = made["link"]["token"].clone();
    let reset = format!("/api/users/{}/reset", made["user"]["id"].as_str().expect("an id"));
    let second = owner.post(&reset, json!({})).await.expect(200)["token"].clone();
    let nobody = server.nobody();
    let with = |token: &serde_json::Value| json!({ "token": token, "password": "correct horse battery" });
    nobody.post("/api/auth/reset", with(&second)).await.expect(200);
    assert_eq!(nobody.post("/api/auth/reset", with(&first)).await.status, 403);
    server.stop().await;
}
