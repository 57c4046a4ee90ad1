//! What a run needs around it: a database of its own that writes through to the disk, the server
//! as a process, somebody signed in.

use autocall_testkit::postgres::Cluster;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The carrier's account in every run.
pub(super) const SID: &str = "AC00000000000000000000000000000000";
/// Its token.
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Benches run at every hour: the folder with the rules that allow it.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/rules");
/// A password that is long enough.
const PASSWORD: &str = "correct horse battery staple";
/// Who owns the tenant.
const OWNER: &str = "ann@bench.example";

/// The server's binary, built beside this one by `cargo xtask bench`.
pub(super) fn binary() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?.parent()?.join("autocall");
    if own.is_file() {
        return Some(own);
    }
    println!("server: {} is not there; cargo xtask bench builds it", own.display());
    None
}

/// A program that ends with its owner.
pub(super) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (give, lines) = mpsc::channel();
        let out = child.stdout.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = give.send(line);
            }
        });
        Running { child, lines }
    }

    /// The word after another one, in a line that it prints.
    pub(super) fn word_after(&self, word: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("it does not say {word}"));
            let mut words = line.split_whitespace().skip_while(|w| *w != word);
            if let (Some(_), Some(found)) = (words.next(), words.next()) {
                return found.trim_end_matches(['/', ';']).to_owned();
            }
        }
    }

    /// Memory that it holds now, bytes.
    pub(super) fn resident(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let kb = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse::<f64>();
        Some(kb.ok()? * 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free port.
pub(super) fn port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The server on a Postgres, with somebody who owns the tenant.
pub(super) struct Server {
    pub(super) process: Running,
    pub(super) base: String,
    pub(super) owner: Client,
    _folder: tempfile::TempDir,
}

fn env<'a>(database: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut env = vec![
        ("DATABASE_URL", database),
        ("TENANT_REQUESTS_PER_S", "1000000"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("LOG", "error"),
    ];
    env.extend(more);
    env
}

fn command(binary: &Path, folder: &Path, env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(env.iter().copied());
    command
}

impl Server {
    /// In trial mode: simulated people, the sample tenant.
    pub(super) async fn trial(binary: &Path, database: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let env = env(database, &[("PORT", "0")]);
        let process = Running::start(&mut command(binary, folder.path(), &env));
        let base = process.word_after("open");
        let (login, password) = (process.word_after("login"), process.word_after("password"));
        let owner = Client::nobody(&base).sign_in(&login, &password).await;
        Server { process, base, owner, _folder: folder }
    }

    /// With a Twilio at this address.
    pub(super) async fn twilio(binary: &Path, database: &str, twilio: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let port = port().to_string();
        let base = format!("http://127.0.0.1:{port}");
        let carrier = [
            ("PORT", port.as_str()),
            ("WEBHOOK_BASE_URL", &base),
            ("TWILIO_ACCOUNT_SID", SID),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_NUMBER", "+12025550100"),
            ("TWILIO_API_BASE", twilio),
            ("TWILIO_CALLS_PER_S", "1000"),
            ("RULES_DIR", RULES),
        ];
        let env = env(database, &carrier);
        let admin = ["admin", "add-tenant", "Bench", "--owner", OWNER];
        let out = command(binary, folder.path(), &env).args(admin).output().expect("autocall runs");
        let out = String::from_utf8_lossy(&out.stdout).into_owned();
        let token = out.split('#').nth(1).expect("a one-time link").trim().to_owned();
        let process = Running::start(&mut command(binary, folder.path(), &env));
        process.word_after("serves");
        let signed =
            Client::nobody(&base).post("/api/auth/reset", &json!({ "token": token, "password": PASSWORD })).await;
        let owner = Client::nobody(&base).with(signed["token"].as_str().expect("a token"));
        Server { process, base, owner, _folder: folder }
    }

    /// The owner signs in anew: what they hold lasts some minutes.
    pub(super) async fn renew(&mut self) {
        self.owner = Client::nobody(&self.base).sign_in(OWNER, PASSWORD).await;
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.base.trim_start_matches("http://").to_owned()
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) bearer: Option<String>,
    from: String,
}

impl Client {
    pub(super) fn nobody(base: &str) -> Client {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(600)).build().expect("a client");
        Client { http, base: base.to_owned(), bearer: None, from: "10.0.0.1".into() }
    }
    pub(super) fn with(&self, bearer: &str) -> Client {
        Client { bearer: Some(bearer.to_owned()), ..self.clone() }
    }
    /// As if it came from elsewhere, by a trusted proxy's word: rates by address are not in question.
    pub(super) fn from(&self, n: usize) -> Client {
        Client { from: format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255), ..self.clone() }
    }
    async fn sign_in(&self, login: &str, password: &str) -> Client {
        let signed = self.post("/api/auth/login", &json!({ "login": login, "password": password })).await;
        self.with(signed["token"].as_str().expect("a token"))
    }
    /// The answer, which must be a good one.
    pub(super) async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).header("x-forwarded-for", &self.from);
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
    pub(super) async fn get(&self, path: &str) -> Value {
        self.send(reqwest::Method::GET, path, None).await
    }
    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(reqwest::Method::POST, path, Some(body)).await
    }
    pub(super) async fn put(&self, path: &str, body: &Value) -> Value {
        self.send(reqwest::Method::PUT, path, Some(body)).await
    }
    /// Uploads a list under these field names; the answer's body.
    pub(super) async fn upload(&self, campaign_field: &str, campaign: &str, file: &[u8]) -> Value {
        let mut body = format!(
            "--B\r\nContent-Disposition: form-data; name=\"{campaign_field}\"\r\n\r\n{campaign}\r\n--B\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"leads.csv\"\r\nContent-Type: text/csv\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--B--\r\n");
        let request = self.http.post(format!("{}/api/leads/upload", self.base)).body(body);
        let mut request = request.header("content-type", "multipart/form-data; boundary=B");
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "upload: {}", answer.status());
        answer.json().await.expect("json")
    }
    /// Uploads and waits until the import is over; leads added.
    pub(super) async fn import(&self, campaign: &str, file: &[u8]) -> u64 {
        let job = self.upload("campaign", campaign, file).await;
        let path = format!("/api/imports/{}", text(&job["id"]));
        loop {
            let job = self.get(&path).await;
            if job["state"] != "running" {
                assert_eq!(job["state"], "done", "{job}");
                return job["added"].as_u64().expect("a number");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A text that must be there.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Runs SQL, or a file of it, in a database.
pub(super) fn psql(cluster: &Cluster, database: &str, args: &[&str]) -> Result<String, String> {
    let name = database.rsplit('/').next().unwrap_or_default();
    let mut psql = cluster.program("psql");
    let out = psql.args(["-v", "ON_ERROR_STOP=1", "-q", "-A", "-t", "-d", name]).args(args).output();
    let out = out.map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}
