//! A server for tests: in this process, on a free port, with a data folder of its own.
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

pub mod process;

use autocall_server::app::App;
use autocall_server::config::{Config, Flags, Values};
use autocall_server::node::Node;
use autocall_server::{http, listen, trial};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A running server.
pub struct Server {
    pub base: String,
    pub app: App,
    pub password: String,
    node: Option<Node>,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<Result<(), String>>>,
    folder: tempfile::TempDir,
}

impl Server {
    /// A trial server with these settings beside.
    pub async fn start(settings: &[(&str, &str)]) -> Server {
        Server::begin(settings, tempfile::tempdir().expect("a folder")).await
    }

    async fn begin(settings: &[(&str, &str)], folder: tempfile::TempDir) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let base = format!("http://{address}");
        let mut flags = Flags {
            host: Some("127.0.0.1".into()),
            port: Some(address.port().to_string()),
            data_dir: Some(folder.path().to_string_lossy().into_owned()),
            config: None,
            set: vec![format!("WEBHOOK_BASE_URL={base}"), "LOG=warn".into()],
        };
        flags.set.extend(settings.iter().map(|(name, value)| format!("{name}={value}")));
        let (values, wrong) = Values::gather(&flags, |_| None);
        let config = Config::from_values(&values, wrong).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let node = Node::start(config).await.expect("starts");
        let first = trial::seed(&node.app).await.expect("seeded");
        let router = http::serve::router(&node.app, node.webhooks());
        let stop = CancellationToken::new();
        let (app, told) = (node.app.clone(), stop.clone());
        let served = tokio::spawn(async move { listen::serve(&app, listener, router, told).await });
        Server {
            base,
            app: node.app.clone(),
            password: first.map(|f| f.password).unwrap_or_default(),
            node: Some(node),
            stop,
            served: Some(served),
            folder,
        }
    }

    /// Stops it in an orderly way; the data folder stays.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.app.stopping.cancel();
        self.stop.cancel();
        self.served.take().expect("runs").await.expect("no panic").expect("ends well");
        self.node.take().expect("runs").stop().await;
        std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"))
    }

    /// Starts again over the same data.
    pub async fn restart(self, settings: &[(&str, &str)]) -> Server {
        let password = self.password.clone();
        let folder = self.stop().await;
        let mut server = Server::begin(settings, folder).await;
        server.password = password;
        server
    }

    /// A client without credentials.
    pub fn nobody(&self) -> Client {
        Client { http: http_client(), base: self.base.clone(), bearer: None }
    }

    /// The trial's owner.
    pub async fn owner(&self) -> Client {
        self.nobody().sign_in(trial::OWNER, &self.password).await
    }
}

pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client")
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
    pub bearer: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub text: String,
    pub etag: Option<String>,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl Client {
    pub fn with(&self, bearer: &str) -> Client {
        Client { bearer: Some(bearer.to_owned()), ..self.clone() }
    }

    pub async fn sign_in(&self, login: &str, password: &str) -> Client {
        let answer = self.post("/api/auth/login", json!({ "login": login, "password": password })).await.expect(200);
        self.with(answer["token"].as_str().expect("a token"))
    }

    /// The same person by an API key with every right: tokens soon end where time runs fast.
    pub async fn by_key(&self) -> Client {
        let me = self.get("/api/me").await.expect(200);
        let new = json!({ "name": "everything", "rights": me["rights"] });
        let key = self.post("/api/keys", new).await.expect(201);
        self.with(key["secret"].as_str().expect("a secret"))
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.expect("an answer")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body), &[]).await
    }
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Uploads a list and waits until it is in.
    pub async fn upload(&self, campaign: &str, file: Vec<u8>) -> Value {
        // By hand, so that the boundary and the parts are what a browser sends.
        let mut body = format!(
            "--B\r\nContent-Disposition: form-data; name=\"campaign\"\r\n\r\n{campaign}\r\n--B\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"leads.csv\"\r\n\r\n"
        )
        .into_bytes();
        body.extend(file);
        body.extend(b"\r\n--B--\r\n");
        let request = self.http.post(format!("{}/api/leads/upload", self.base)).body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=B");
        let request = request.bearer_auth(self.bearer.clone().expect("signed in"));
        let job = read(request.send().await.expect("an answer")).await.expect(202);
        let path = format!("/api/imports/{}", job["id"].as_str().expect("an id"));
        self.until(&path, |job| job["state"] != "running").await
    }

    /// Asks again and again until the answer is as wanted; at most a minute.
    #[track_caller]
    pub fn until<'a>(
        &'a self,
        path: &'a str,
        wanted: impl Fn(&Value) -> bool + 'a,
    ) -> impl Future<Output = Value> + 'a {
        let asked_from = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                let answer = self.get(path).await.expect(200);
                if wanted(&answer) {
                    return answer;
                }
                assert!(begun.elapsed() < Duration::from_secs(60), "{path} asked from {asked_from} stays {answer}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let status = response.status();
    let etag = response.headers().get("etag").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let media = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(media, "application/problem+json", "{status}");
    }
    let text = response.text().await.unwrap_or_default();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: status.as_u16(), body, text, etag }
}

/// The id of the first item of a list.
pub fn first_id(list: &Value) -> String {
    list["items"][0]["id"].as_str().expect("an item").to_owned()
}
