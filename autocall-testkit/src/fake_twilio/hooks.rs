//! Requests from the carrier to us: TwiML documents, and callbacks.
//!
//! A URL's fragment may override timeouts, retries and their policy (`#ct=…&rt=…&tt=…&rc=…&rp=…`).
//! All tries of one request carry the same idempotency token.

use super::sign::sign;
use super::world::{Hook, Shared};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The carrier's ceiling on one request, retries included.
const TOTAL_MS_MAX: u64 = 15_000;

/// One request to us.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) account: String,
    pub(crate) call: Option<String>,
    pub(crate) purpose: &'static str,
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Our answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: bytes::Bytes,
}

/// Connection overrides, with the carrier's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overrides {
    connect_ms: u64,
    read_ms: u64,
    total_ms: u64,
    retries: u32,
    on: Vec<String>,
}

impl Overrides {
    pub(crate) fn of(fragment: &str) -> Overrides {
        let mut o =
            Overrides { connect_ms: 5_000, read_ms: 15_000, total_ms: TOTAL_MS_MAX, retries: 1, on: vec!["ct".into()] };
        for (name, value) in fragment.split('&').filter_map(|p| p.split_once('=')) {
            let ms = |low: u64, high: u64| value.parse::<u64>().ok().map(|v| v.clamp(low, high));
            match name {
                "ct" => o.connect_ms = ms(100, 10_000).unwrap_or(o.connect_ms),
                "rt" => o.read_ms = ms(100, 15_000).unwrap_or(o.read_ms),
                "tt" => o.total_ms = ms(100, 15_000).unwrap_or(o.total_ms),
                "rc" => o.retries = value.parse::<u32>().map_or(o.retries, |v| v.min(5)),
                "rp" => o.on = value.split(',').map(str::to_owned).collect(),
                _ => {}
            }
        }
        o
    }
    fn retries_on(&self, what: &str) -> bool {
        self.on.iter().any(|on| on == what || on == "all")
    }
}

/// The fake speaks only to this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Sends one request, with retries; the answer of the last try, or why there is none.
pub(crate) async fn send(shared: &Arc<Shared>, request: &Request) -> Result<Reply, String> {
    let token = shared.world().sid("");
    send_as(shared, request, &token).await
}

async fn send_as(shared: &Arc<Shared>, request: &Request, token: &str) -> Result<Reply, String> {
    let (url, fragment) = request.url.split_once('#').unwrap_or((&request.url, ""));
    if !is_loopback(url) {
        return Err("11200: the fake speaks only to loopback addresses".into());
    }
    let overrides = Overrides::of(fragment);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(overrides.total_ms);
    let mut last = Err("not tried".into());
    for attempt in 0..=overrides.retries {
        if attempt > 0 && tokio::time::Instant::now() >= deadline {
            break;
        }
        let wait = Duration::from_millis(overrides.read_ms);
        let limit = deadline.min(tokio::time::Instant::now() + wait);
        let tried = tokio::time::timeout_at(limit, once(shared, request, url, token)).await;
        let (reply, retry) = match tried {
            Err(_) => (Err("11200: no answer in time".to_owned()), overrides.retries_on("rt")),
            Ok(Err(e)) => (Err(format!("11200: {e}")), overrides.retries_on("ct")),
            Ok(Ok(reply)) => {
                let class = if reply.status >= 500 { "5xx" } else { "4xx" };
                let retry = reply.status >= 400 && overrides.retries_on(class);
                (Ok(reply), retry)
            }
        };
        last = reply;
        if !retry {
            break;
        }
    }
    report(shared, request, &last);
    last
}

fn report(shared: &Arc<Shared>, request: &Request, last: &Result<Reply, String>) {
    let what = match last {
        Ok(reply) => format!("{} {} -> {}", request.purpose, request.url, reply.status),
        Err(e) => format!("{} {} -> {e}", request.purpose, request.url),
    };
    let now = shared.now_ms();
    let mut world = shared.world();
    if !last.as_ref().is_ok_and(|r| (200..300).contains(&r.status)) {
        world.stats.refused += 1;
    }
    let kind = if request.purpose == "twiml" { "fetch" } else { "callback" };
    world.note(now, kind, request.call.as_deref(), what);
}

async fn once(shared: &Arc<Shared>, request: &Request, url: &str, token: &str) -> Result<Reply, String> {
    let account = shared.config.accounts.iter().find(|a| a.sid == request.account);
    let auth = account.map(|a| a.token.clone()).unwrap_or_default();
    let http = if request.method.eq_ignore_ascii_case("GET") {
        let query = encode(&request.fields);
        let join = if query.is_empty() {
            ""
        } else if url.contains('?') {
            "&"
        } else {
            "?"
        };
        let url = format!("{url}{join}{query}");
        let signature = sign(&auth, &url, &[]);
        shared.client.get(&url).header(&shared.config.signature_header, signature)
    } else {
        let signature = sign(&auth, url, &request.fields);
        shared
            .client
            .post(url)
            .header(&shared.config.signature_header, signature)
            .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(encode(&request.fields))
    };
    let response =
        http.header("I-Twilio-Idempotency-Token", token).header("User-Agent", "TwilioProxy/1.1").send().await.map_err(
            |e| if e.is_connect() { "connection refused".to_owned() } else { "connection broken".to_owned() },
        )?;
    let status = response.status().as_u16();
    let content_type =
        response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let body = response.bytes().await.map_err(|_| "answer broken off".to_owned())?;
    Ok(Reply { status, content_type, body })
}

/// A form body.
pub(crate) fn encode(fields: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        for (i, part) in [name, value].into_iter().enumerate() {
            if i == 1 {
                out.push('=');
            }
            for byte in part.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
                    b' ' => out.push('+'),
                    _ => out.push_str(&format!("%{byte:02X}")),
                }
            }
        }
    }
    out
}

/// Sends a callback in the background, with the faults that the configuration asks for. The
/// callbacks of one call go out one after the other, unless reordering is on.
///
/// `previous` is finished before this one starts (or a second has passed).
pub(crate) fn callback(
    shared: &Arc<Shared>,
    request: Request,
    previous: Option<oneshot::Receiver<()>>,
) -> oneshot::Receiver<()> {
    let (done, next) = oneshot::channel();
    let (lost, twice, late_ms, reorder) = {
        let mut world = shared.world();
        world.stats.callbacks += 1;
        let faults = world.faults.clone();
        let lost = world.chance(faults.lose);
        let twice = world.chance(faults.double);
        let late = if world.chance(faults.delay) { world.up_to(faults.delay_ms_max) } else { 0 };
        if lost {
            world.stats.lost += 1;
            let now = shared.now_ms();
            world.note(now, "fault", request.call.as_deref(), format!("lost: {} {}", request.purpose, request.url));
        }
        (lost, twice, late, faults.reorder)
    };
    let shared = shared.clone();
    tokio::spawn(async move {
        if lost {
            drop(done);
            return;
        }
        if let Some(previous) = previous
            && !reorder
            && late_ms == 0
        {
            let _ = tokio::time::timeout(Duration::from_secs(1), previous).await;
        }
        if late_ms > 0 {
            drop(done);
            shared.pace.sleep_ms(late_ms).await;
            deliver(&shared, &request, twice).await;
        } else {
            deliver(&shared, &request, twice).await;
            drop(done);
        }
    });
    next
}

async fn deliver(shared: &Arc<Shared>, request: &Request, twice: bool) {
    let token = shared.world().sid("");
    let _ = send_as(shared, request, &token).await;
    if twice {
        let _ = send_as(shared, request, &token).await;
    }
}

/// Whether a hook wants this event.
pub(crate) fn wants(hook: &Hook, event: &str) -> bool {
    !hook.url.is_empty() && hook.events.iter().any(|e| e == event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_read_and_kept_in_their_bounds() {
        let o = Overrides::of("ct=1000&rt=99999&rc=9&rp=5xx,ct&e=ashburn");
        assert_eq!((o.connect_ms, o.read_ms, o.retries), (1_000, 15_000, 5));
        assert!(o.retries_on("5xx") && !o.retries_on("4xx") && !o.retries_on("rt"));
        assert!(Overrides::of("rp=all").retries_on("4xx"));
        assert_eq!(Overrides::of("").retries, 1);
    }

    #[test]
    fn only_this_machine_is_spoken_to() {
        for yes in ["http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]:1/a", "http://127.9.9.9/"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in ["http://example.com", "http://10.0.0.1", "file:///etc", "nonsense", "http://127.0.0.1.evil.com"] {
            assert!(!is_loopback(no), "{no}");
        }
    }
}
