//! Load over plain sockets: whole requests made beforehand, sent over kept connections, each
//! answered before the next one of its connection goes out. One generator for every server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A whole request: head and body.
pub(super) type Bytes = Arc<[u8]>;

/// A POST of a form, signed.
pub(super) fn request(path: &str, host: &str, signature: &str, body: &str) -> Bytes {
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\
         X-Twilio-Signature: {signature}\r\nUser-Agent: TwilioProxy/1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    text.into_bytes().into()
}

/// What became of a run.
#[derive(Clone, Default)]
pub(super) struct Outcome {
    /// Milliseconds from when each request was due to its answer, by index; negative where it failed.
    pub(super) ms: Vec<f64>,
    /// Status of each.
    pub(super) status: Vec<u16>,
    pub(super) seconds: f64,
}

impl Outcome {
    /// How many were answered 2xx.
    pub(super) fn good(&self) -> usize {
        self.status.iter().filter(|s| (200..300).contains(*s)).count()
    }
    /// The share `q` of the answers came within so many milliseconds.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        quantile(self.ms.iter().copied().filter(|ms| *ms >= 0.0).collect(), q)
    }
    pub(super) fn per_s(&self) -> f64 {
        self.good() as f64 / self.seconds
    }
}

/// The value below which the share `q` lies.
pub(super) fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = ((values.len() as f64 - 1.0) * q).round().max(0.0) as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Sends all requests over so many connections. With `per_s` each is due at its time, and its
/// latency counts from then (a server that stalls is not let off); without, as fast as answers come.
pub(super) async fn send(address: &str, requests: Vec<Bytes>, connections: usize, per_s: Option<f64>) -> Outcome {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..connections {
        let (requests, next, address) = (requests.clone(), next.clone(), address.to_owned());
        workers.push(tokio::spawn(async move { worker(&address, &requests, &next, begun, per_s).await }));
    }
    let mut outcome = Outcome { ms: vec![-1.0; requests.len()], status: vec![0; requests.len()], seconds: 0.0 };
    for worker in workers {
        for (at, ms, status) in worker.await.expect("no panic") {
            (outcome.ms[at], outcome.status[at]) = (ms, status);
        }
    }
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome
}

async fn worker(
    address: &str,
    requests: &[Bytes],
    next: &AtomicUsize,
    begun: Instant,
    per_s: Option<f64>,
) -> Vec<(usize, f64, u16)> {
    let (mut done, mut line) = (Vec::new(), None);
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(at) else { return done };
        let due = match per_s {
            Some(rate) => begun + Duration::from_secs_f64(at as f64 / rate),
            None => Instant::now(),
        };
        tokio::time::sleep_until(due.into()).await;
        let status = exchange(&mut line, address, request).await.unwrap_or(0);
        if status == 0 {
            line = None;
        }
        done.push((at, due.elapsed().as_secs_f64() * 1000.0, status));
    }
}

/// One request and its answer over a kept connection; opened anew where there is none.
async fn exchange(line: &mut Option<TcpStream>, address: &str, request: &[u8]) -> std::io::Result<u16> {
    let stream = match line {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            line.insert(stream)
        }
    };
    stream.write_all(request).await?;
    let (mut answer, mut chunk) = (Vec::with_capacity(512), [0; 4096]);
    loop {
        let n = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut chunk)).await??;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&chunk[..n]);
        if let Some((status, length)) = head(&answer)
            && answer.len() >= length
        {
            return Ok(status);
        }
    }
}

/// The status, and the length of head and body together, once the head is whole.
fn head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    Some((status, end + head.lines().find_map(length).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_once_they_are_whole() {
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\nx: y\r\n"), None);
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"), Some((204, 33)));
        assert_eq!(head(b"HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nab"), Some((503, 42)));
        assert_eq!(quantile(vec![3.0, 1.0, 2.0], 0.5), 2.0);
    }
}
