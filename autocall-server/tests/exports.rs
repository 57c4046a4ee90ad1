//! Reports and exports: of any size, whole or broken off, never a formula.

mod common;

use common::{Client, Server, first_id};
use serde_json::json;

async fn bytes(owner: &Client, path: &str) -> Vec<u8> {
    let request = owner.http.get(format!("{}{path}", owner.base));
    let answer = request.bearer_auth(owner.bearer.as_deref().expect("a token")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    let disposition = answer.headers()["content-disposition"].to_str().expect("text").to_owned();
    assert!(disposition.starts_with("attachment; filename="), "{disposition}");
    answer.bytes().await.expect("a whole body").to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_hold_every_row_and_no_formula() {
    let server = Server::start(&[]).await;
    let owner = server.owner().await;
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    let mut list = String::from("first_name,phone,notes\n");
    for n in 0..3_000 {
        list.push_str(&format!("Person {n},+1212{:07},\"=HYPERLINK(\"\"http://x\"\")\"\n", 2_010_000 + n));
    }
    assert_eq!(owner.upload(&campaign, list.into_bytes()).await["added"], 3_000);
    let csv = String::from_utf8(bytes(&owner, "/api/leads/export").await).expect("text");
    assert_eq!(csv.lines().count(), 3_001);
    assert!(
        csv.lines().nth(1).is_some_and(|row| !row.contains(",=HYPERLINK") && row.contains("HYPERLINK")),
        "{csv:.300}"
    );
    let sheet = bytes(&owner, "/api/leads/export?format=xlsx").await;
    assert!(sheet.starts_with(b"PK") && sheet.len() > 30_000, "{} bytes", sheet.len());
    let some = String::from_utf8(bytes(&owner, "/api/leads/export?phone=%2B12122010007").await).expect("text");
    assert_eq!(some.lines().count(), 2, "{some}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_add_up_in_every_grouping_and_every_form() {
    let server = Server::start(&[("TRIAL_SPEED", "60")]).await;
    let owner = server.owner().await;
    let campaign = first_id(&owner.get("/api/campaigns").await.expect(200));
    let mut list = String::from("phone\n");
    (0..80).for_each(|n| list.push_str(&format!("+1415555{n:04}\n")));
    owner.upload(&campaign, list.into_bytes()).await;
    owner.post(&format!("/api/campaigns/{campaign}/start"), json!({})).await.expect(200);
    owner.until("/api/calls/stats/summary", |s| s["calls"].as_u64() >= Some(20)).await;
    owner.post(&format!("/api/campaigns/{campaign}/pause"), json!({})).await.expect(200);
    owner.until("/api/calls?live=true", |c| c["items"].as_array().is_some_and(Vec::is_empty)).await;
    let all = owner.get("/api/calls/stats/summary").await.expect(200);
    for by in ["nothing", "campaign", "agent", "number", "list", "hour", "day", "hour_of_day", "amd"] {
        let report = owner.get(&format!("/api/reports?by={by}")).await.expect(200);
        let rows = report["items"].as_array().expect("a list");
        let sum: u64 = rows.iter().map(|r| r["calls"].as_u64().expect("a number")).sum();
        assert_eq!(Some(sum), all["calls"].as_u64(), "by {by}: {report}");
        let csv = String::from_utf8(bytes(&owner, &format!("/api/reports?by={by}&format=csv")).await).expect("text");
        assert_eq!(csv.lines().count(), rows.len() + 1, "by {by}: {csv}");
    }
    assert!(bytes(&owner, "/api/reports?by=agent&format=xlsx").await.starts_with(b"PK"));
    let calls = String::from_utf8(bytes(&owner, "/api/calls/export").await).expect("text");
    assert_eq!(calls.lines().count() as u64, all["calls"].as_u64().unwrap_or(0) + 1);
    let ledger = owner.get(&format!("/api/campaigns/{campaign}/ledger")).await.expect(200);
    assert!(ledger["ledger"].is_object() || ledger["ledger"].is_array(), "{ledger}");
    let abandoned = owner.get(&format!("/api/campaigns/{campaign}/abandoned")).await.expect(200);
    let shown = abandoned["items"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(Some(shown), all["outcomes"]["abandoned"].as_u64().or(Some(0)), "{abandoned}");
    server.stop().await;
}
