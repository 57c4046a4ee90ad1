//! The commands beside `serve`, as a shell sees them.

mod common;

use common::process::run;
use serde_json::Value;

#[test]
fn everything_wrong_is_said_at_once_with_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [("PORT", "seventy"), ("DIAL_ONLY", "me"), ("TWILIO_AUTH_TOKEN", "hunter2hunter2hunter2")];
    for args in [&["check"][..], &["serve"][..], &[][..]] {
        let (good, _, err) = run(folder.path(), args, &env);
        assert!(!good, "{args:?}");
        for part in ["PORT", "0 to 65535", "DIAL_ONLY", "E.164", "TWILIO_ACCOUNT_SID"] {
            assert!(err.contains(part), "{args:?} does not say {part}: {err}");
        }
        assert!(!err.contains("hunter2"), "{err}");
    }
    assert!(!folder.path().join("autocall-data").exists(), "nothing is made before everything is right");
}

#[test]
fn the_file_is_beaten_by_the_environment_and_that_by_a_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("autocall.toml"), "port = 4001\n").expect("written");
    let listens = |args: &[&str], env: &[(&str, &str)]| {
        let (good, out, err) = run(folder.path(), args, env);
        assert!(good, "{err}");
        out.lines().find(|l| l.contains("listens on")).expect("a line").trim().to_owned()
    };
    assert!(listens(&["check"], &[]).ends_with(":4001"));
    assert!(listens(&["check"], &[("PORT", "4002")]).ends_with(":4002"));
    assert!(listens(&["check", "--port", "4003"], &[("PORT", "4002")]).ends_with(":4003"));
}

#[test]
fn settings_of_a_campaign_are_checked_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/campaign.toml");
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "country = \"usa\"\ncaller_ids = []\n").expect("written");
    let (good, _, err) = run(folder.path(), &["check", "--settings", bad.to_str().expect("text")], &[]);
    assert!(!good && err.contains("country") && err.contains("caller_ids") && err.contains("seller"), "{err}");
    // The example lacks only the pool, which every installation names itself.
    let (_, out, err) = run(folder.path(), &["check", "--settings", example], &[]);
    let problems: Vec<&str> = err.lines().filter(|l| l.contains("campaign.toml")).collect();
    assert!(problems.iter().all(|p| p.contains("transfer.pools")), "{out}{err}");
}

#[test]
fn tenants_users_and_keys_are_looked_after_without_a_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let admin = |args: &[&str]| {
        let all: Vec<&str> = ["admin"].iter().chain(args).copied().collect();
        run(folder.path(), &all, &[])
    };
    assert!(run(folder.path(), &["migrate"], &[]).0);
    let (good, out, err) = admin(&["add-tenant", "Acme", "--owner", "ann@acme.example"]);
    assert!(good && out.contains("/welcome#acl_"), "{out}{err}");
    let (good, _, err) = admin(&["add-tenant", "Other", "--owner", "ANN@acme.example"]);
    assert!(!good && err.contains("taken"), "{err}");
    let (_, out, _) = admin(&["tenants"]);
    assert!(out.contains("acme"), "{out}");
    let (_, out, _) = admin(&["users", "--tenant", "1"]);
    assert!(out.contains("ann@acme.example") && out.contains("Owner"), "{out}");
    let (good, out, _) = admin(&["reset-password", "ann@acme.example"]);
    assert!(good && out.contains("/welcome#acl_"), "{out}");
    let (good, out, err) = admin(&["add-key", "--tenant", "1", "crm"]);
    assert!(good && out.starts_with("ack_"), "{out}{err}");
    let (_, out, _) = admin(&["keys", "--tenant", "1"]);
    let id = out.split_whitespace().next().expect("a key").to_owned();
    assert!(out.contains("crm"), "{out}");
    assert!(admin(&["revoke-key", "--tenant", "1", &id]).0);
    assert_eq!(admin(&["keys", "--tenant", "1"]).1, "");
    let (good, out, err) = admin(&["add-user", "--tenant", "1", "bob@acme.example", "--role", "read-only"]);
    assert!(good && out.contains("/welcome#acl_"), "{out}{err}");
    let (good, _, err) = admin(&["add-user", "--tenant", "1", "bo@acme.example", "--role", "king"]);
    assert!(!good && err.contains("supervisor"), "{err}");
    assert!(!admin(&["reset-password", "nobody@acme.example"]).0);
    assert!(!admin(&["add-key", "--tenant", "9", "crm"]).0, "no such tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_imported_from_the_command_line_with_its_rejections() {
    let server = common::Server::start(&[]).await;
    let owner = server.owner().await;
    let campaign = common::first_id(&owner.get("/api/campaigns").await.expect(200));
    let folder = server.stop().await;
    let list = folder.path().join("list.csv");
    std::fs::write(&list, "first_name,phone\nAnn,+12125550101\nBob,911\nCid,+12125550101\n").expect("written");
    let rejected = folder.path().join("rejected.csv");
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let data = text(folder.path());
    let args = ["import", &text(&list), "--campaign", &format!("1-{campaign}"), "--rejected", &text(&rejected)];
    let env = [("DATA_DIR", data.as_str())];
    let (good, out, err) = run(folder.path(), &args, &env);
    assert!(good && out.contains("1 added"), "{out}{err}");
    let rows = std::fs::read_to_string(&rejected).expect("written");
    assert!(rows.lines().count() >= 2, "{rows}");
    let (good, _, err) = run(folder.path(), &["import", "nothing.csv", "--campaign", &format!("1-{campaign}")], &env);
    assert!(!good && err.contains("nothing.csv"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_carrier_says_how_to_reach_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let twilio = common::process::Process::start(folder.path(), &["fake-twilio", "--port", "0"], &[], "call:");
    let stats: Value = twilio.nobody().get("/fake/stats").await.expect(200);
    assert!(stats.is_object(), "{stats}");
    assert!(twilio.out.lock().expect("no panic holds it").contains("TWILIO_API_BASE=http://127.0.0.1:"));
}
