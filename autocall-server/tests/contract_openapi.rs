//! The OpenAPI document under fire: schemathesis makes thousands of requests from it, good ones
//! and bad ones. No answer is a 5xx, and none has a status, a media type or a shape that the
//! document does not name.

mod common;

use autocall_testkit::need;
use common::Server;
use std::process::Command;

/// Cases for each operation, besides those that cover its schema systematically.
const EXAMPLES: &str = "12";
/// At least so many requests must have been made for the test to have shown anything.
const CASES_MIN: u64 = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_from_the_document_meets_an_undocumented_answer() {
    let Some(python) = need::python("schemathesis over the OpenAPI document", "schemathesis") else { return };
    let settings =
        [("TENANT_REQUESTS_PER_S", "1000000"), ("TRIAL_SPEED", "1"), ("LOG", "error"), ("REGISTRATION", "open")];
    let server = Server::start(&settings).await;
    let owner = server.owner().await;
    let token = owner.bearer.clone().expect("a token");
    let base = server.base.clone();
    let out = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("a folder");
        Command::new(python)
            .current_dir(folder.path())
            .args(["-m", "schemathesis.cli", "run", &format!("{base}/api/openapi.json")])
            .args(["-H", &format!("Authorization: Bearer {token}")])
            .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
            .args(["--checks", "response_schema_conformance,negative_data_rejection"])
            .args(["--phases", "examples,coverage,fuzzing", "--mode", "all"])
            .args(["--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--no-shrink"])
            // Streams do not end by themselves; the others end the session that asks.
            .args(["--exclude-path", "/api/events", "--exclude-path", "/api/ws"])
            .args(["--exclude-path", "/api/auth/logout", "--exclude-path", "/api/users/{id}/reset"])
            .args(["--request-timeout", "30", "--suppress-health-check", "all", "--continue-on-failure"])
            .args(["--generation-database", "none", "--warnings", "off", "--no-color"])
            .output()
            .expect("python runs")
    })
    .await
    .expect("no panic");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}");
    let cases = cases(&said);
    assert!(cases >= CASES_MIN, "{cases} cases only\n{said}");
    println!("{cases} cases");
    // The server is as well as before, and whoever asked was signed in to the end.
    owner.get("/api/me").await.expect(200);
    owner.get("/readyz").await.expect(200);
    server.stop().await;
}

/// The number of test cases in the summary.
fn cases(said: &str) -> u64 {
    let line = said.lines().find(|line| line.contains("generated")).unwrap_or_default();
    let digits = |word: &str| word.replace([',', '_'], "").parse().ok();
    line.split_whitespace().find_map(digits).unwrap_or(0)
}
