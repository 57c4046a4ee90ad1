//! Checks that need no test runner: dependencies against `deny.toml`, and the README's command.

use crate::place::Place;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What `cargo metadata` says, as far as the chores look at it.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package, ours or a dependency.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) license: Option<String>,
    /// `None` for the workspace's own packages.
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
}

/// What a package says that it uses.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    name: String,
    /// `dev` where only its tests use it.
    #[serde(default)]
    kind: Option<String>,
}

/// A library, program or test of a package.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Package {
    /// Whether it uses another, other than in its tests.
    fn uses(&self, other: &str) -> bool {
        self.dependencies.iter().any(|used| used.name == other && used.kind.as_deref() != Some("dev"))
    }
}

impl Target {
    /// Whether it is of this kind: `lib`, `bin`, `test`…
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

/// The workspace's own packages.
pub(crate) fn members(place: &Place) -> Result<Vec<Package>, String> {
    Ok(metadata(place, &["--no-deps"])?.packages)
}

fn metadata(place: &Place, args: &[&str]) -> Result<Metadata, String> {
    let mut cargo = place.cargo();
    cargo.args(["metadata", "--format-version=1"]).args(args);
    let out = cargo.stdin(Stdio::null()).output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !out.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&out.stderr)));
    }
    serde_json::from_slice(&out.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// The part of `deny.toml` that can be checked without cargo-deny.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    package: String,
    /// Who may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

/// Licenses, bans and sources of every dependency, by the rules in `deny.toml`; and all of
/// `cargo deny` where that is installed (security advisories need its database, which is not a
/// package and so is not installed here).
pub(crate) fn dependencies(place: &Place) -> Result<String, String> {
    let text = fs::read_to_string(place.root.join("deny.toml")).map_err(|e| format!("deny.toml: {e}"))?;
    let deny: Deny = toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))?;
    let metadata = metadata(place, &["--all-features"])?;
    let problems = judge(&deny, &metadata);
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let mut said = format!("{} packages, all licenses and sources as deny.toml allows\n", metadata.packages.len());
    if place.which("cargo-deny").is_some() {
        let mut cargo = place.cargo();
        let out = cargo.args(["deny", "check", "bans", "licenses", "sources"]).output();
        let out = out.map_err(|e| format!("cargo deny: {e}"))?;
        let text = String::from_utf8_lossy(&out.stderr);
        if !out.status.success() {
            return Err(format!("cargo deny:\n{text}"));
        }
        let _ = write!(said, "cargo deny:\n{text}");
    }
    Ok(said)
}

fn judge(deny: &Deny, metadata: &Metadata) -> Vec<String> {
    let allowed: BTreeSet<&str> = deny.licenses.allow.iter().map(String::as_str).collect();
    let mut problems = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let shown = format!("{} {}", package.name, package.version);
        let extra = deny.licenses.exceptions.iter().filter(|e| e.package == package.name).flat_map(|e| &e.allow);
        let allowed: BTreeSet<&str> = allowed.iter().copied().chain(extra.map(String::as_str)).collect();
        match &package.license {
            None => problems.push(format!("{shown}: no license given")),
            Some(license) if !permits(license, &allowed) => problems.push(format!("{shown}: license {license}")),
            Some(_) => {}
        }
        if let Some(ban) = deny.bans.deny.iter().find(|ban| ban.package == package.name) {
            let users = metadata.packages.iter().filter(|p| p.uses(&package.name));
            let users: Vec<&str> =
                users.map(|p| p.name.as_str()).filter(|p| !ban.wrappers.iter().any(|w| w == p)).collect();
            if !users.is_empty() {
                problems.push(format!("{shown}: banned for {}: {}", users.join(", "), ban.reason));
            }
        }
        if !package.source.as_deref().is_some_and(|source| source.starts_with("registry+")) {
            problems.push(format!("{shown}: does not come from the package registry"));
        }
    }
    problems
}

/// Whether an SPDX expression can be satisfied by the allowed licenses. Understands `OR`, `AND`,
/// `WITH`, brackets, and the old `/` for `OR`.
fn permits(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = any_of(&tokens, &mut at, allowed);
    verdict && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut verdict = all_of(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        verdict |= all_of(tokens, at, allowed);
    }
    verdict
}

fn all_of(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut verdict = single(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        verdict &= single(tokens, at, allowed);
    }
    verdict
}

fn single(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let verdict = any_of(tokens, at, allowed);
        *at += 1;
        return verdict;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allowed.contains(format!("{token} WITH {exception}").as_str());
    }
    allowed.contains(token)
}

/// The commands of the README's set-up section, in order: the lines of its `sh` blocks.
pub(crate) fn readme_commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let (mut section, mut block) = (false, false);
    for line in readme.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title == "Set up";
        } else if section && line.starts_with("```") {
            block = line == "```sh";
        } else if section && block && !line.trim().is_empty() {
            commands.push(line.trim().to_owned());
        }
    }
    commands
}

/// How long the server of the README's main command may take to say where it is, once it is built.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end after it was asked to.
const END_LIMIT: Duration = Duration::from_secs(40);

/// What the server must say when it starts with nothing set.
const MAIN_SAYS: &[&str] = &["no real call is made", "login", "password"];

/// Builds and starts the README's main command as a newcomer would, in an empty folder and on a
/// free port; signs in with what it prints; asks it to end.
pub(crate) fn readme_main(place: &Place) -> Result<String, String> {
    let main = main_command(place)?;
    let words: Vec<&str> = main.split_whitespace().collect();
    let ["cargo", "run", rest @ ..] = &words[..] else {
        return Err(format!("the README's main command does not begin with cargo run: {main}"));
    };
    let own: Vec<&str> = rest.iter().copied().skip_while(|word| *word != "--").skip(1).collect();
    let build: Vec<&str> = rest.iter().copied().take_while(|word| *word != "--").collect();
    let built = place.cargo().arg("build").args(&build).output().map_err(|e| format!("cargo build: {e}"))?;
    if !built.status.success() {
        return Err(format!("{main}: does not build\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    let folder = place.logs().join("readme-main");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let log = place.logs().join("readme-main.txt");
    let out = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let err = out.try_clone().map_err(|e| e.to_string())?;
    let mut child = place
        .command(place.target.join("release/autocall"))
        .args(&own)
        .current_dir(&folder)
        .env("PORT", "0")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|e| format!("{main}: {e}"))?;
    let start = Instant::now();
    let looked = look_around(&log, &mut child);
    let ended = looked.and_then(|ready| end(&mut child).map(|()| ready));
    let _ = child.kill();
    let _ = child.wait();
    let said = fs::read_to_string(&log).unwrap_or_default();
    let ready = ended.map_err(|problem| format!("{main}: {problem}\n{said}"))?;
    Ok(format!(
        "{main}: ready after {:.1} s, ended after {:.1} s\n{said}",
        ready.as_secs_f64(),
        start.elapsed().as_secs_f64()
    ))
}

/// The first of the README's two commands; the second is the test command.
fn main_command(place: &Place) -> Result<String, String> {
    let readme = fs::read_to_string(place.root.join("README.md")).map_err(|e| format!("README.md: {e}"))?;
    let commands = readme_commands(&readme);
    let [main, test] = &commands[..] else {
        return Err(format!("the README's set-up section has not exactly two commands: {commands:?}"));
    };
    if test != "cargo xtask test --install" {
        return Err(format!("the README's second command is not the test command: {test}"));
    }
    Ok(main.clone())
}

/// Waits until the server says where it is, and signs in there with what it printed.
fn look_around(log: &std::path::Path, child: &mut std::process::Child) -> Result<Duration, String> {
    let start = Instant::now();
    let said = loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        if word_after(&said, "password").is_some() {
            break said;
        }
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Err(format!("ended by itself: {status}"));
        }
        if start.elapsed() > START_LIMIT {
            return Err(format!("says no password within {} s", START_LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let ready = start.elapsed();
    let lower = said.to_lowercase();
    if let Some(silent) = MAIN_SAYS.iter().find(|word| !lower.contains(**word)) {
        return Err(format!("does not say: {silent}"));
    }
    let word = |name: &str| word_after(&said, name).ok_or_else(|| format!("says no {name}"));
    let (open, login, password) = (word("open")?, word("login")?, word("password")?);
    let address = open.strip_prefix("http://").ok_or("is not at a plain local address")?.trim_end_matches('/');
    let body = format!("{{\"login\":\"{login}\",\"password\":\"{password}\"}}");
    let ready_answer = ask(address, "GET", "/readyz", "")?;
    let signed = ask(address, "POST", "/api/auth/login", &body)?;
    for (what, answer) in [("/readyz", &ready_answer), ("signing in", &signed)] {
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("{what} answers {}", answer.lines().next().unwrap_or_default()));
        }
    }
    if signed.contains("\"token\"") { Ok(ready) } else { Err("signing in gives no token".into()) }
}

/// The word that a line gives after another one.
fn word_after(text: &str, word: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|w| *w != word);
        words.next()?;
        words.next().map(str::to_owned)
    })
}

/// One HTTP request without a client library.
fn ask(address: &str, method: &str, path: &str, body: &str) -> Result<String, String> {
    use std::io::{Read as _, Write as _};
    let say = |error: std::io::Error| format!("{method} {path}: {error}");
    let mut stream = std::net::TcpStream::connect(address).map_err(say)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(say)?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(format!("{head}{kind}").as_bytes()).map_err(say)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(say)?;
    Ok(answer)
}

/// Asks the server to end, as a service manager does.
fn end(child: &mut std::process::Child) -> Result<(), String> {
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    if !sent.is_ok_and(|status| status.success()) {
        return Err("cannot be asked to end".into());
    }
    let start = Instant::now();
    while start.elapsed() < END_LIMIT {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return if status.success() { Ok(()) } else { Err(format!("ended badly: {status}")) };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("does not end within {} s", END_LIMIT.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn license_expressions_are_judged() {
        let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]);
        let ok = [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ];
        let bad = ["GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR", "", "(MIT", "MIT WITH Other-exception", "MIT MIT"];
        assert_eq!(ok.map(|e| permits(e, &allowed)), [true; 5]);
        assert_eq!(bad.map(|e| permits(e, &allowed)), [false; 7]);
    }

    #[test]
    fn a_bad_dependency_is_named_with_its_reason() {
        let deny: Deny = toml::from_str(
            "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [{ crate = \"left-pad\", wrappers = [\"good\"], reason = \"we can count\" }]\n",
        )
        .expect("valid");
        let package = |name: &str, license: Option<&str>, source: Option<&str>, uses: &[&str]| Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(Into::into),
            source: source.map(Into::into),
            dependencies: uses.iter().map(|name| Dependency { name: (*name).to_owned(), kind: None }).collect(),
            ..Package::default()
        };
        let registry = Some("registry+index");
        let metadata = Metadata {
            packages: vec![
                package("ours", None, None, &["left-pad", "good"]),
                package("good", Some("MIT"), registry, &["left-pad"]),
                package("left-pad", Some("MIT"), registry, &[]),
                package("closed", None, registry, &[]),
                package("viral", Some("GPL-3.0"), Some("git+somewhere"), &[]),
            ],
        };
        let expected = [
            "left-pad 1.0.0: banned for ours: we can count",
            "closed 1.0.0: no license given",
            "viral 1.0.0: license GPL-3.0",
            "viral 1.0.0: does not come from the package registry",
        ];
        assert_eq!(judge(&deny, &metadata), expected);
    }

    #[test]
    fn set_up_commands_are_those_of_one_section() {
        let readme =
            "# x\n```sh\nno\n```\n## Set up\nRun\n```sh\none\n```\nthen\n```sh\ntwo\n\n```\n## More\n```sh\nno\n```\n";
        assert_eq!(readme_commands(readme), ["one", "two"]);
    }
}
