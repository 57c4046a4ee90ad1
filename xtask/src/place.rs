//! Where things are, and the environment that the project's programs get.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace and the folders that the chores use in it.
pub(crate) struct Place {
    /// The top of the workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Place {
    /// Finds the workspace from the folder this crate was compiled in.
    pub(crate) fn find() -> Result<Place, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?.to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        Ok(Place { root, target })
    }

    /// The virtual environment for Python packages.
    pub(crate) fn py(&self) -> PathBuf {
        self.target.join("py")
    }

    /// The Python that tests use: that of the virtual environment once it exists.
    pub(crate) fn python(&self) -> PathBuf {
        let own = self.py().join("bin/python");
        if own.exists() { own } else { PathBuf::from("python3") }
    }

    /// The folder that npm packages are installed in.
    pub(crate) fn npm(&self) -> PathBuf {
        self.target.join("npm")
    }

    /// Logs of the parts.
    pub(crate) fn logs(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// The file in which tests note what they had to leave out.
    pub(crate) fn skips(&self) -> PathBuf {
        self.logs().join("skips.txt")
    }

    /// A command in the workspace with the tools' environment.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command.env("AUTOCALL_PYTHON", self.python());
        command.env("AUTOCALL_NPM", self.npm());
        command.env("AUTOCALL_SKIPS", self.skips());
        command.env("PATH", self.path());
        command
    }

    /// Cargo, the one that runs us.
    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// PATH, followed by the folders where Debian keeps the Postgres server's programs.
    fn path(&self) -> OsString {
        let old = env::var_os("PATH").unwrap_or_default();
        let mut dirs: Vec<PathBuf> = env::split_paths(&old).collect();
        dirs.extend(postgres_dirs());
        env::join_paths(dirs).unwrap_or(old)
    }

    /// Finds a program on the PATH that commands get.
    pub(crate) fn which(&self, program: &str) -> Option<PathBuf> {
        env::split_paths(&self.path()).map(|dir| dir.join(program)).find(|file| file.is_file())
    }
}

/// `/usr/lib/postgresql/*/bin`, newest version first.
fn postgres_dirs() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// Whether a part that cannot run is a failure: under continuous integration, or on request.
pub(crate) fn require_all() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("AUTOCALL_REQUIRE_ALL", "1")
}
