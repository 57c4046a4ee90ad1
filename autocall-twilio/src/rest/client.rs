//! One HTTP request and what came of it.

use super::error::Fault;
use crate::account::{Account, Auth};
use crate::form::Form;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A source of numbers from 0 up to 1, for the spread of retries. Given from outside.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// From a function that answers numbers from 0 up to 1.
    pub fn new(draw: impl Fn() -> f64 + Send + Sync + 'static) -> Jitter {
        Jitter(Arc::new(draw))
    }
    fn draw(&self) -> f64 {
        (self.0)().clamp(0.0, 1.0)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

/// Limits on one request, retries included.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest that a request may take.
    pub total: Duration,
    /// The longest wait for a connection.
    pub connect: Duration,
    /// How often a 429 is tried again.
    pub retries: u32,
    /// The first wait before that; doubled each time, drawn from zero up ("full jitter").
    pub wait: Duration,
    /// The longest such wait.
    pub wait_max: Duration,
    /// The largest answer that is read.
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            total: Duration::from_secs(8),
            connect: Duration::from_secs(3),
            retries: 3,
            wait: Duration::from_millis(100),
            wait_max: Duration::from_secs(3),
            answer_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// A client of the carrier's REST interface. Cheap to clone; knows no account.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    limits: Limits,
    jitter: Jitter,
}

impl Client {
    /// A client. It follows no redirect and repeats nothing on its own.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(limits: Limits, jitter: Jitter) -> Result<Client, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .pool_max_idle_per_host(64)
            .build()?;
        Ok(Client { http, limits, jitter })
    }

    /// The longest that a request takes.
    pub fn total(&self) -> Duration {
        self.limits.total
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        account: &Account,
        resource: &str,
        form: &Form,
        within: Duration,
    ) -> Result<T, Fault> {
        let body = self.send(account, Method::POST, &account.url(resource), Some(form), within).await?;
        serde_json::from_slice(&body).map_err(|_| Fault::Doubt("the answer is not what was asked for"))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, account: &Account, url: &str) -> Result<T, Fault> {
        let body = self.send(account, Method::GET, url, None, self.limits.total).await?;
        serde_json::from_slice(&body).map_err(|_| Fault::Doubt("the answer is not what was asked for"))
    }

    pub(super) async fn bytes(&self, account: &Account, url: &str) -> Result<Vec<u8>, Fault> {
        self.send(account, Method::GET, url, None, self.limits.total).await
    }

    pub(super) async fn delete(&self, account: &Account, resource: &str) -> Result<(), Fault> {
        self.send(account, Method::DELETE, &account.url(resource), None, self.limits.total).await.map(drop)
    }

    async fn send(
        &self,
        account: &Account,
        method: Method,
        url: &str,
        form: Option<&Form>,
        within: Duration,
    ) -> Result<Vec<u8>, Fault> {
        let deadline = Instant::now() + within.min(self.limits.total);
        let mut attempt = 0;
        loop {
            let mut request = authorised(self.http.request(method.clone(), url), account);
            if let Some(form) = form {
                let kind = "application/x-www-form-urlencoded";
                request = request.header(http::header::CONTENT_TYPE, kind).body(form.encode());
            }
            let fault = match tokio::time::timeout_at(deadline, self.once(request)).await {
                Err(_) => return Err(Fault::Doubt("no answer in time")),
                Ok(Ok(body)) => return Ok(body),
                Ok(Err((fault, limited))) if !limited || attempt >= self.limits.retries => return Err(fault),
                Ok(Err((fault, _))) => fault,
            };
            let ceiling = self.limits.wait.saturating_mul(1 << attempt.min(16)).min(self.limits.wait_max);
            let wait = ceiling.mul_f64(self.jitter.draw());
            attempt += 1;
            if Instant::now() + wait >= deadline {
                return Err(fault);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// One try. The flag tells a 429, the only answer that may be tried again.
    async fn once(&self, request: RequestBuilder) -> Result<Vec<u8>, (Fault, bool)> {
        let mut response = match request.send().await {
            Ok(response) => response,
            // No connection: nothing left us.
            Err(e) if e.is_connect() => return Err((Fault::Later { wait_ms: 1_000 }, false)),
            Err(e) if e.is_timeout() => return Err((Fault::Doubt("no answer in time"), false)),
            Err(_) => return Err((Fault::Doubt("the connection broke"), false)),
        };
        let status = response.status();
        let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.limits.answer_bytes_max => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Err((Fault::Doubt("the answer is too long"), false)),
                Ok(None) => break,
                Err(_) => return Err((Fault::Doubt("the answer broke off"), false)),
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        let limited = status == StatusCode::TOO_MANY_REQUESTS;
        Err((Fault::of_answer(status.as_u16(), &body, retry_after), limited))
    }
}

fn authorised(request: RequestBuilder, account: &Account) -> RequestBuilder {
    match &account.auth {
        Auth::Token(token) => request.basic_auth(&account.id, Some(token.expose_secret())),
        Auth::Key { id, secret } => request.basic_auth(id, Some(secret.expose_secret())),
    }
}
