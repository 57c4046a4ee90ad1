//! `autocall simulate`, as its user runs it.

use std::path::Path;
use std::process::{Command, Output};

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_autocall")).arg("simulate").args(args).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_sample_list_is_dialled_to_its_end_and_the_same_seed_gives_the_same_bytes() {
    let (first, second) = (simulate(&["--json"]), simulate(&["--json"]));
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_eq!(first.stdout, second.stdout);
    assert_ne!(first.stdout, simulate(&["--json", "--seed", "2"]).stdout);
    let report: serde_json::Value = serde_json::from_slice(&first.stdout).expect("JSON");
    let n = |path: &str| report.pointer(path).and_then(serde_json::Value::as_u64).unwrap_or_else(|| panic!("{path}"));
    assert!(n("/list/accepted") >= 500);
    assert_eq!(n("/list/rejected"), report["rejections"].as_array().expect("rows").len() as u64);
    assert!(n("/calls/conversations") > 100);
    assert_eq!(n("/usage/customer_calls"), n("/calls/attempts"), "every attempt is one call at the carrier");
    let outcomes = report["calls"]["outcomes"].as_array().expect("outcomes");
    let sum: u64 = outcomes.iter().filter_map(|pair| pair[1].as_u64()).sum();
    assert_eq!(sum, n("/calls/attempts"));
}

#[test]
fn the_report_names_what_a_manager_asks_and_the_calls_are_written() {
    let calls = std::env::temp_dir().join(format!("autocall-calls-{}.csv", std::process::id()));
    let output = simulate(&["--agents", "2", "--days", "2", "--calls", calls.to_str().expect("a path")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    for asked in
        ["rejected rows", "attempts", "contact rate", "abandoned", "occupancy", "95 % within", "per conversation"]
    {
        assert!(report.contains(asked), "{asked} is missing in\n{report}");
    }
    let rows = std::fs::read_to_string(&calls).expect("written");
    std::fs::remove_file(&calls).expect("removable");
    let attempts: usize = report
        .lines()
        .find_map(|l| l.trim().strip_prefix("attempts"))
        .and_then(|n| n.trim().parse().ok())
        .expect("a number of attempts");
    assert_eq!(rows.lines().count(), attempts + 1, "a header and a row for every call");
}

#[test]
fn wrong_settings_are_all_named_at_once() {
    let file = std::env::temp_dir().join(format!("autocall-wrong-{}.toml", std::process::id()));
    std::fs::write(&file, "country = \"usa\"\n[caps]\nlines_max = 0\n").expect("writable");
    let output = simulate(&["--settings", file.to_str().expect("a path")]);
    std::fs::remove_file(&file).expect("removable");
    assert!(!output.status.success());
    let said = text(&output.stderr);
    for field in ["seller.name", "caller_ids", "country", "caps.lines_max"] {
        assert!(said.contains(field), "{field} is missing in\n{said}");
    }
    assert!(!simulate(&["no-such-file.csv"]).status.success());
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/campaign.toml").exists());
}
