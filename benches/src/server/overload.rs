//! Three times what the server can do: who has somebody listening is answered, reports are
//! committed or refused and come again, pages go first, memory stays, and at the end nothing is
//! lost.

use super::load::{self, Bytes, Outcome};
use super::place::{SID, Server, TOKEN};
use super::webhooks::{all_settled, calls, requests, silent_carrier};
use crate::{Measurement, Opts};
use autocall_testkit::postgres::Cluster;
use autocall_twilio::form::Form;
use autocall_twilio::signature::sign;
use std::path::Path;
use std::time::{Duration, Instant};

const BENCH: &str = "overload";
/// Connections of the carrier: more than the server has places.
const CONNECTIONS: usize = 512;
/// How often the carrier brings a refused report again, and how long it waits before.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_secs(1);

const ASKING_P99_MS: f64 = 1_000.0;
const REFUSED_P99_MS: f64 = 5_000.0;

/// Runs it.
pub(super) async fn run(opts: &Opts, binary: &Path, cluster: &Cluster) -> Vec<Measurement> {
    let seconds = opts.pick(10u64, 60, 600);
    let twilio = silent_carrier().await;
    let mut server = Server::twilio(binary, &cluster.database(), &twilio.url()).await;
    let (address, base) = (server.address(), server.base.clone());
    // What it can do, in a short run.
    let some = opts.pick(150, 1_500, 3_000);
    let first = calls(&server, &twilio, 212, some).await;
    let able = load::send(&address, requests(&first, &base, &address), 64, None).await.per_s();
    let mut settled = some;
    let memory_before = server.process.resident().unwrap_or(f64::NAN);
    println!("overload: {able:.0} reports a second are its capacity; three times as many follow");
    let (mut asked, mut reported, mut paged) = (Outcome::default(), Outcome::default(), Outcome::default());
    let mut memory = memory_before;
    let (begun, mut round, mut loaded) = (Instant::now(), 0u32, 0.0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        round += 1;
        server.renew().await;
        // As many calls as take about five seconds at that pace, each reported on four times.
        let count = ((able * 3.0 * 5.0 / 4.0) as usize).clamp(100, 20_000);
        let live = calls(&server, &twilio, 300 + round % 600, count).await;
        let reports = requests(&live, &base, &address);
        let (asks, pages) = (asks(&live, &base, &address), pages(&server, 2_000, &address));
        let (rate, span) = (able * 3.0, reports.len() as f64 / (able * 3.0));
        let (ask_rate, page_rate) = (asks.len() as f64 / span, pages.len() as f64 / span);
        let (r, a, p) = tokio::join!(
            load::send(&address, reports.clone(), CONNECTIONS, Some(rate)),
            load::send(&address, asks, 128, Some(ask_rate)),
            load::send(&address, pages, 64, Some(page_rate)),
        );
        loaded += r.seconds;
        memory = memory.max(server.process.resident().unwrap_or(0.0));
        again(&address, &reports, &r).await;
        settled += count;
        all_settled(&server, settled).await;
        asked.extend(a);
        reported.extend(r);
        paged.extend(p);
    }
    let mut found = figures(&asked, &reported, &paged, memory_before, memory);
    // The calls of each round are dialed before it, which takes most of the time.
    found.push(Measurement::higher(BENCH, "load", "seconds", loaded, "s"));
    found
}

impl Outcome {
    fn extend(&mut self, other: Outcome) {
        self.ms.extend(other.ms);
        self.status.extend(other.status);
        self.seconds += other.seconds;
    }
    /// Latency of the answers with this status.
    fn of(&self, status: u16) -> Vec<f64> {
        std::iter::zip(&self.ms, &self.status).filter(|(_, s)| **s == status).map(|(ms, _)| *ms).collect()
    }
    fn share(&self, status: u16) -> f64 {
        self.of(status).len() as f64 / self.status.len().max(1) as f64
    }
}

/// What was refused is brought again, as the carrier does, until it is taken.
async fn again(address: &str, reports: &[Bytes], first: &Outcome) {
    let refused = |outcome: &Outcome, all: &[Bytes]| -> Vec<Bytes> {
        let failed = std::iter::zip(all, &outcome.status).filter(|(_, s)| !(200..300).contains(*s));
        failed.map(|(r, _)| r.clone()).collect()
    };
    let mut left = refused(first, reports);
    for _ in 0..TRIES {
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        let outcome = load::send(address, left.clone(), 64, None).await;
        left = refused(&outcome, &left);
    }
    panic!("{} reports were never taken", left.len());
}

/// Somebody picked up and the carrier asks what they shall hear.
fn asks(live: &[(String, String, String)], base: &str, host: &str) -> Vec<Bytes> {
    let one = |(sid, to, path): &(String, String, String)| {
        let path = path.replace("/status/", "/answer/");
        let fields = [("CallSid", sid.as_str()), ("AccountSid", SID), ("To", to), ("CallStatus", "in-progress")];
        let form = Form::of(fields);
        load::request(&path, host, &sign(TOKEN, &format!("{base}{path}"), &form), &form.encode())
    };
    live.iter().step_by(4).map(one).collect()
}

/// Somebody looks at lists.
fn pages(server: &Server, count: usize, host: &str) -> Vec<Bytes> {
    let bearer = server.owner.bearer.as_deref().unwrap_or_default();
    let text = format!("GET /api/calls?limit=50 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {bearer}\r\n\r\n");
    vec![text.into_bytes().into(); count]
}

fn figures(asked: &Outcome, reported: &Outcome, paged: &Outcome, before: f64, memory: f64) -> Vec<Measurement> {
    let quantile = |values: Vec<f64>| if values.is_empty() { 0.0 } else { load::quantile(values, 0.99) };
    assert!(reported.good() > 0 && asked.good() > 0, "nothing was answered");
    vec![
        Measurement::higher(BENCH, "somebody listens", "answered", asked.good() as f64 / asked.status.len() as f64, ""),
        Measurement::lower(BENCH, "somebody listens", "ms_p99", asked.quantile(0.99), "ms").goal(ASKING_P99_MS),
        Measurement::higher(BENCH, "reports", "committed_per_s", reported.per_s(), "/s"),
        Measurement::lower(BENCH, "reports", "refused", reported.share(503), ""),
        Measurement::lower(BENCH, "reports", "refused_ms_p99", quantile(reported.of(503)), "ms").goal(REFUSED_P99_MS),
        Measurement::lower(BENCH, "reports", "lost", 0.0, "").goal(0.0),
        Measurement::lower(BENCH, "pages", "refused", paged.share(503), ""),
        Measurement::lower(BENCH, "memory", "grown_mb", (memory - before) / 1e6, "MB"),
    ]
}
