//! What parts need from the machine: how to see whether it is there, and how to install it.

use crate::place::Place;
use std::cell::Cell;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// A tool that is not part of the Rust toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The test runner. Tests fall back to `cargo test`, so nothing is missing without it.
    Nextest,
    /// Postgres server programs, for a server of the tests' own.
    Postgres,
    /// A NATS server, for the bus between nodes.
    Nats,
    /// A browser and its driver.
    Chromium,
    /// Node and npm.
    Node,
    /// A Python package: the name to import, and what to install.
    Python { import: &'static str, install: &'static str },
    /// An npm package: its name, and what to install.
    Npm { name: &'static str, install: &'static str },
}

impl Need {
    /// Its name, for people.
    pub(crate) fn name(self) -> String {
        match self {
            Need::Nextest => "cargo-nextest".into(),
            Need::Postgres => "postgresql (initdb, postgres)".into(),
            Need::Nats => "nats-server".into(),
            Need::Chromium => "chromium and chromedriver".into(),
            Need::Node => "node and npm".into(),
            Need::Python { install, .. } => format!("Python package {install}"),
            Need::Npm { install, .. } => format!("npm package {install}"),
        }
    }

    /// Whether a part can do without it.
    pub(crate) fn optional(self) -> bool {
        self == Need::Nextest
    }

    /// Whether it is there.
    pub(crate) fn present(self, place: &Place) -> bool {
        let all = |programs: &[&str]| programs.iter().all(|program| place.which(program).is_some());
        match self {
            Need::Nextest => all(&["cargo-nextest"]),
            Need::Postgres => all(&["initdb", "postgres"]),
            Need::Nats => all(&["nats-server"]),
            Need::Chromium => all(&["chromium", "chromedriver"]),
            Need::Node => all(&["node", "npm"]),
            Need::Python { import, .. } => {
                let code = format!("import {import}");
                quiet(place.command(place.python()).args(["-c", &code]))
            }
            Need::Npm { name, .. } => place.npm().join("node_modules").join(name).join("package.json").exists(),
        }
    }
}

/// Installs what is missing and says so; updates the Debian index at most once.
pub(crate) struct Installer<'a> {
    place: &'a Place,
    apt_updated: Cell<bool>,
}

impl<'a> Installer<'a> {
    pub(crate) fn new(place: &'a Place) -> Self {
        Installer { place, apt_updated: Cell::new(false) }
    }

    /// Installs one need. The error says which command failed and where its output is.
    pub(crate) fn install(&self, need: Need) -> Result<(), String> {
        match need {
            Need::Nextest => self.step(self.place.cargo().args(["install", "--locked", "cargo-nextest"])),
            Need::Postgres => self.apt(&["postgresql"]),
            Need::Nats => self.apt(&["nats-server"]),
            Need::Chromium => self.apt(&["chromium", "chromium-driver"]),
            Need::Node => self.apt(&["nodejs", "npm"]),
            Need::Python { install, .. } => self.pip(install),
            Need::Npm { install, .. } => self.npm(install),
        }
    }

    fn apt(&self, packages: &[&str]) -> Result<(), String> {
        let as_root = |args: &[&str]| -> Result<Command, String> {
            let mut command = if is_root() {
                self.place.command("apt-get")
            } else if self.place.which("sudo").is_some() {
                let mut sudo = self.place.command("sudo");
                sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                sudo
            } else {
                return Err(format!("needs root to install {}: run apt-get install yourself", packages.join(" ")));
            };
            command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
            Ok(command)
        };
        if self.place.which("apt-get").is_none() {
            return Err(format!("no apt-get here: install {} yourself", packages.join(" ")));
        }
        if !self.apt_updated.replace(true) {
            self.step(&mut as_root(&["update", "-q"])?)?;
        }
        let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
        args.extend(packages);
        self.step(&mut as_root(&args)?)
    }

    fn pip(&self, package: &str) -> Result<(), String> {
        let py = self.place.py();
        if !py.join("bin/python").exists() {
            // Debian's Python comes without the module that makes environments whole.
            if !quiet(self.place.command("python3").args(["-c", "import venv, ensurepip"])) {
                self.apt(&["python3", "python3-venv"])?;
            }
            self.step(self.place.command("python3").args(["-m", "venv"]).arg(&py))?;
        }
        self.step(self.place.command(py.join("bin/python")).args(["-m", "pip", "install", "-q", package]))
    }

    fn npm(&self, package: &str) -> Result<(), String> {
        if !Need::Node.present(self.place) {
            self.install(Need::Node)?;
        }
        let dir = self.place.npm();
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let mut command = self.place.command("npm");
        command.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"]);
        self.step(command.arg(&dir).arg(package))
    }

    fn step(&self, command: &mut Command) -> Result<(), String> {
        let shown = shown(command);
        println!("installing: {shown}");
        let log = self.place.logs().join("install.log");
        let open = || File::options().create(true).append(true).open(&log);
        let (out, err) = (open(), open());
        let (Ok(out), Ok(err)) = (out, err) else { return Err(format!("cannot write {}", log.display())) };
        match command.stdin(Stdio::null()).stdout(out).stderr(err).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{shown}: {status}; see {}", log.display())),
            Err(problem) => Err(format!("{shown}: {problem}")),
        }
    }
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}
