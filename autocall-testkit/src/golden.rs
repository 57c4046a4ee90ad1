//! Documents that are generated from the code and kept in the repository.
//!
//! A test whose name contains `golden` renders the document and hands it to [`check`]. If the
//! file differs the test fails and shows the first difference; `cargo xtask docs` runs the same
//! tests with `AUTOCALL_BLESS=1`, and then the file is written instead.

use std::path::{Path, PathBuf};

/// Compares a document with the file of that path, relative to the top of the workspace; writes
/// the file instead where the environment variable `AUTOCALL_BLESS` is `1`.
///
/// # Panics
/// If they differ, or if the file cannot be written.
pub fn check(path: &str, rendered: &str) {
    check_in(&workspace(), path, rendered, std::env::var("AUTOCALL_BLESS").is_ok_and(|v| v == "1"));
}

/// Compares, or writes, one part of a document: what stands between the lines
/// `<!-- generated: NAME -->` and `<!-- end: NAME -->`. The rest is a person's.
///
/// # Panics
/// As [`check`], and if the file has no such lines.
pub fn check_part(path: &str, name: &str, rendered: &str) {
    let root = workspace();
    let file = root.join(path);
    let old = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (open, close) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end: {name} -->"));
    let start = old.find(&open).unwrap_or_else(|| panic!("{path} has no line {}", open.trim_end())) + open.len();
    let end = start + old[start..].find(&close).unwrap_or_else(|| panic!("{path} has no line {close}"));
    check(path, &format!("{}{}\n{}", &old[..start], rendered.trim_end_matches('\n'), &old[end..]));
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace").to_path_buf()
}

fn check_in(root: &Path, path: &str, rendered: &str, bless: bool) {
    let file = root.join(path);
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    if old == rendered {
        return;
    }
    if bless {
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
        std::fs::write(&file, rendered).unwrap_or_else(|e| panic!("{path}: {e}"));
        return;
    }
    let line = old.lines().zip(rendered.lines()).take_while(|(a, b)| a == b).count();
    let shown = |text: &str| text.lines().nth(line).unwrap_or("(ends here)").to_owned();
    panic!(
        "{path} differs from the code at line {}\n  file: {}\n  code: {}\nrun: cargo xtask docs",
        line + 1,
        shown(&old),
        shown(rendered)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("autocall-document-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn blessing_writes_what_a_check_then_accepts() {
        let dir = scratch("bless");
        check_in(&dir, "docs/a.md", "one\ntwo\n", true);
        check_in(&dir, "docs/a.md", "one\ntwo\n", false);
        assert_eq!(std::fs::read_to_string(dir.join("docs/a.md")).expect("written"), "one\ntwo\n");
        std::fs::remove_dir_all(dir).expect("removable");
    }

    #[test]
    #[should_panic(
        expected = "docs/a.md differs from the code at line 2\n  file: two\n  code: 2\nrun: cargo xtask docs"
    )]
    fn a_difference_is_shown_with_its_line() {
        let dir = scratch("differ");
        check_in(&dir, "docs/a.md", "one\ntwo\n", true);
        check_in(&dir, "docs/a.md", "one\n2\n", false);
    }

    #[test]
    #[should_panic(expected = "docs/none.md differs from the code at line 1\n  file: (ends here)\n  code: one")]
    fn a_file_that_is_not_there_differs() {
        check_in(&scratch("none"), "docs/none.md", "one\n", false);
    }
}
