//! The embedding example runs, is short, and is what the README shows.

use std::path::Path;
use std::process::Command;

const EXAMPLE: &str = include_str!("../src/bin/embed.rs");

#[test]
fn the_example_is_thirty_lines_or_fewer_and_shown_in_the_readme() {
    assert!(EXAMPLE.lines().count() <= 30, "{} lines", EXAMPLE.lines().count());
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README is there");
    assert!(readme.contains(EXAMPLE.trim_end()), "the README does not show examples/src/bin/embed.rs as it is");
}

#[test]
fn the_example_calls_everybody_whom_the_list_allows() {
    let run = || Command::new(env!("CARGO_BIN_EXE_embed")).output().expect("it runs");
    let output = run();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(text.lines().any(|l| l.contains("line 4") && l.contains("emergency number")), "{text}");
    for number in ["00", "01", "02"] {
        assert!(text.contains(&format!("•••{number}: ")), "nobody called …{number}:\n{text}");
    }
    assert_eq!(output.stdout, run().stdout, "the same seed gives the same bytes");
}
