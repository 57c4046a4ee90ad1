//! What a test does when a tool that it needs is not on the machine.
//!
//! `cargo xtask test` sets `AUTOCALL_PYTHON` (a Python with the packages that the part declares),
//! `AUTOCALL_NPM` (a folder with `node_modules`), a PATH that has the Postgres server's programs,
//! and `AUTOCALL_SKIPS`, a file in which tests note what they left out, so that it shows in the
//! sum. Where nothing may be left out (`CI=true` or `AUTOCALL_REQUIRE_ALL=1`) the note is a panic.

use std::io::Write as _;
use std::path::PathBuf;

/// Says that the calling test leaves something out because a tool is missing; return after it.
///
/// # Panics
/// Where nothing may be left out.
pub fn left_out(what: &str, missing: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    assert!(
        !is("CI", "true") && !is("AUTOCALL_REQUIRE_ALL", "1"),
        "{what}: {missing} is missing, and nothing may be left out here; cargo xtask test --install installs it"
    );
    eprintln!("left out: {what}: {missing} is missing");
    if let Some(path) = std::env::var_os("AUTOCALL_SKIPS")
        && let Ok(mut file) = std::fs::File::options().create(true).append(true).open(path)
    {
        // One write, so that tests that run side by side do not mix their lines.
        let _ = file.write_all(format!("{what}: {missing} is missing\n").as_bytes());
    }
}

/// The Python to use, if it has this module; otherwise notes that `what` is left out.
pub fn python(what: &str, module: &str) -> Option<PathBuf> {
    let python = std::env::var_os("AUTOCALL_PYTHON").map_or_else(default_python, PathBuf::from);
    let mut command = std::process::Command::new(&python);
    command.args(["-c", &format!("import {module}")]);
    let found = command.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        left_out(what, &format!("the Python package {module}"));
    }
    found.then_some(python)
}

/// The virtual environment of `cargo xtask test --install` if it is there, else the system's.
fn default_python() -> PathBuf {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/py/bin/python"));
    if own.exists() { own } else { PathBuf::from("python3") }
}

/// A program on the PATH, or in the folders where Debian keeps the Postgres server's; otherwise
/// notes that `what` is left out.
pub fn program(what: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin"));
    let found = std::env::split_paths(&path).chain(postgres).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        left_out(what, name);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_is_found() {
        let shell = program("this test", "sh").expect("every Unix has one");
        assert!(shell.is_absolute() && shell.ends_with("sh"));
    }

    /// Runs this test program again for one test, with an environment of its own.
    fn again(test: &str, variables: &[(&str, &str)]) -> std::process::Output {
        let mut command = std::process::Command::new(std::env::current_exe().expect("known"));
        command.args(["--exact", test, "--nocapture", "--include-ignored"]);
        command.env_remove("CI").env_remove("AUTOCALL_REQUIRE_ALL").env_remove("AUTOCALL_SKIPS");
        command.env("AUTOCALL_NEED_PROBE", "1").envs(variables.iter().copied()).output().expect("runs")
    }

    /// Does something only when the test below runs it in a process of its own.
    #[test]
    fn probe() {
        if std::env::var_os("AUTOCALL_NEED_PROBE").is_some() {
            assert_eq!(program("the probe", "no-such-program-anywhere"), None);
        }
    }

    #[test]
    fn a_missing_program_is_noted_or_fatal() {
        let skips = std::env::temp_dir().join(format!("autocall-need-{}", std::process::id()));
        let _ = std::fs::remove_file(&skips);
        let noted = again("need::tests::probe", &[("AUTOCALL_SKIPS", skips.to_str().expect("text"))]);
        assert!(noted.status.success());
        let line = std::fs::read_to_string(&skips).expect("written");
        assert_eq!(line, "the probe: no-such-program-anywhere is missing\n");
        std::fs::remove_file(&skips).expect("removable");
        for (name, value) in [("CI", "true"), ("AUTOCALL_REQUIRE_ALL", "1")] {
            let fatal = again("need::tests::probe", &[(name, value)]);
            assert!(!fatal.status.success(), "{name}={value} must be fatal");
        }
    }
}
