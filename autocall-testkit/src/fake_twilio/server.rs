//! The socket: HTTP/1.1 on loopback, with the power to break a connection without an answer.

use super::config::Config;
use super::control;
use super::rest::{self, Answer, Ask, Outcome};
use super::world::Shared;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest request body that is read.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A running fake. It stops listening when dropped; calls in progress go on until their tasks end.
pub struct FakeTwilio {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    listener: JoinHandle<()>,
}

impl Drop for FakeTwilio {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl FakeTwilio {
    /// Listens and serves in the background.
    ///
    /// # Errors
    /// The address is not loopback, or cannot be had.
    pub async fn start(mut config: Config) -> io::Result<FakeTwilio> {
        if !config.bind.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the fake listens on loopback only"));
        }
        let listener = TcpListener::bind(config.bind).await?;
        let address = listener.local_addr()?;
        config.bind = address;
        let shared = Arc::new(Shared::new(config));
        let listener = tokio::spawn(accept(listener, shared.clone()));
        Ok(FakeTwilio { shared, address, listener })
    }

    /// The base URL, for example `http://127.0.0.1:4020`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves until the task is dropped: the body of `autocall fake-twilio`.
///
/// # Errors
/// The address is not loopback, or cannot be had.
pub async fn serve(config: Config, ready: impl FnOnce(&str)) -> io::Result<()> {
    let fake = FakeTwilio::start(config).await?;
    ready(&fake.url());
    std::future::pending::<()>().await;
    Ok(())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An error here makes the connection end without an answer.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    let broken = || io::Error::new(io::ErrorKind::ConnectionReset, "on purpose");
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(respond(Answer::error(413, 20001, "The request is too large")));
    };
    let body = body.to_bytes();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let is_form = header("content-type").starts_with("application/x-www-form-urlencoded");
    let ask = Ask {
        method: parts.method.to_string(),
        path: percent_decode(parts.uri.path()),
        query: parse_form(parts.uri.query().unwrap_or_default().as_bytes()),
        form: if is_form { parse_form(&body) } else { Vec::new() },
        authorization: header("authorization"),
    };
    if ask.path.starts_with("/fake/") {
        return Ok(respond(control::serve(&shared, &ask, &body)));
    }
    match rest::serve(&shared, &ask).await {
        Outcome::Answer(answer) => Ok(respond(answer)),
        Outcome::Break => Err(broken()),
    }
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    let kind = hyper::header::HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}

fn percent_decode(text: &str) -> String {
    // A plus is itself in a path.
    decode(text.as_bytes(), false)
}

fn parse_form(body: &[u8]) -> Vec<(String, String)> {
    body.split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            (decode(&pair[..at], true), decode(pair.get(at + 1..).unwrap_or_default(), true))
        })
        .collect()
}

fn decode(bytes: &[u8], plus_is_blank: bool) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |b: &u8| (*b as char).to_digit(16);
                digit(high).zip(digit(low)).map(|(h, l)| (h * 16 + l) as u8)
            }
            _ => None,
        };
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(if *first == b'+' && plus_is_blank { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
