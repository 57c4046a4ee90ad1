//! What the checks of the workspace share: its files, and its packages as cargo sees them.

#![allow(dead_code, reason = "each test program uses a part of this")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in a workspace").to_path_buf()
}

/// A text file of the workspace.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let file = root().join(&path);
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Every tracked or addable file, relative to the top; what git ignores is not looked at.
pub(crate) fn files() -> Vec<String> {
    let out = output(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]));
    let mut files: Vec<String> = out.lines().map(str::to_owned).filter(|f| root().join(f).is_file()).collect();
    files.sort();
    files.dedup();
    assert!(files.iter().any(|f| f == "Cargo.toml"), "git lists the workspace");
    files
}

/// The tracked files that end so.
pub(crate) fn files_ending(end: &str) -> Vec<String> {
    files().into_iter().filter(|file| file.ends_with(end)).collect()
}

/// `cargo metadata` without dependencies.
pub(crate) fn packages() -> Vec<Value> {
    let out = output(Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version=1"]));
    let mut metadata: Value = serde_json::from_str(&out).expect("cargo prints JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("cargo lists packages, not {other}"),
    }
}

/// What a command in the top folder prints.
pub(crate) fn output(command: &mut Command) -> String {
    let out = command.current_dir(root()).output().expect("runs");
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("prints text")
}

/// Source text with comments, strings and characters blanked out, line breaks kept, so that a
/// word in a comment is not taken for code.
pub(crate) fn code_only(source: &str) -> String {
    let bytes: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = |n: usize| bytes.get(at + n).copied().unwrap_or('\0');
        let end = match (bytes[at], rest(1)) {
            ('/', '/') => line_end(&bytes, at),
            ('/', '*') => comment_end(&bytes, at),
            ('r', '"' | '#') if !word_before(&bytes, at) => raw_end(&bytes, at),
            ('"', _) => string_end(&bytes, at),
            ('\'', '\\') => string_end(&bytes, at),
            ('\'', _) if rest(2) == '\'' => at + 3,
            _ => at,
        };
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            let end = end.min(bytes.len());
            out.extend(bytes[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn word_before(text: &[char], at: usize) -> bool {
    at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_')
}

fn line_end(text: &[char], at: usize) -> usize {
    (at..text.len()).find(|i| text[*i] == '\n').unwrap_or(text.len())
}

fn comment_end(text: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i + 1 < text.len() {
        match (text[i], text[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') if depth == 1 => return i + 2,
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    text.len()
}

fn string_end(text: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < text.len() {
        match text[i] {
            '\\' => i += 2,
            c if c == text[at] => return i + 1,
            _ => i += 1,
        }
    }
    text.len()
}

/// The end of `r"…"` or `r#"…"#`; `at` itself where it is something else (`r#type`).
fn raw_end(text: &[char], at: usize) -> usize {
    let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
    if text.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut i = at + 2 + hashes;
    while i < text.len() {
        if text[i] == '"' && text[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    text.len()
}
