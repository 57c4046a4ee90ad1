//! Prometheus metrics. Labels hold routes, statuses and kinds of things, never tenants or persons.

use autocall_core::ports::Note;
use axum::http::{Method, StatusCode};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, once per process.
pub fn install() -> Option<&'static PrometheusHandle> {
    HANDLE
        .get_or_init(|| {
            let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            let builder = PrometheusBuilder::new().set_buckets(&buckets).ok()?;
            builder.install_recorder().ok()
        })
        .as_ref()
}

/// The text that Prometheus reads.
pub fn render() -> String {
    install().map(PrometheusHandle::render).unwrap_or_default()
}

/// A request was answered.
pub fn request(method: &Method, path: &'static str, status: StatusCode, took: Duration) {
    let class = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "1xx",
    };
    let method = match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    };
    metrics::counter!("autocall_http_requests_total", "method" => method, "route" => path, "status" => class)
        .increment(1);
    metrics::histogram!("autocall_http_request_seconds", "route" => path).record(took.as_secs_f64());
}

/// Something happened, by its name.
pub fn count(name: &'static str, n: u64) {
    metrics::counter!(name).increment(n);
}

/// Something stands at a value now.
pub fn gauge(name: &'static str, value: f64) {
    metrics::gauge!(name).set(value);
}

/// Something changed in the dialer. Counts what this node did, never who.
pub fn note(note: &Note) {
    match note {
        Note::Call { stage, .. } => metrics::counter!("autocall_call_moves_total", "stage" => *stage).increment(1),
        Note::Offer { .. } => metrics::counter!("autocall_offers_total").increment(1),
        Note::Planned { dialled, .. } => {
            metrics::counter!("autocall_plans_total").increment(1);
            metrics::counter!("autocall_dials_total").increment(u64::from(*dialled));
        }
        Note::Alarm { .. } => metrics::counter!("autocall_alarms_total").increment(1),
        _ => {}
    }
}

/// How many requests of each weight wait or run, from the gates.
pub fn gates(app: &crate::app::App) {
    let all = &app.gates;
    let gates = [
        ("pages", &all.pages),
        ("calls", &all.calls),
        ("asking", &all.asking),
        ("reports", &all.reports),
        ("reading", &all.reading),
        ("streams", &all.streams),
    ];
    for (kind, gate) in gates {
        metrics::gauge!("autocall_requests_in_flight", "kind" => kind).set(gate.taken() as f64);
    }
    gauge("autocall_live_readers", app.hub.readers() as f64);
    gauge("autocall_ready", f64::from(u8::from(app.is_running() && !app.draining.is_cancelled())));
    if let Some(bytes) = resident_bytes() {
        gauge("process_resident_memory_bytes", bytes as f64);
    }
}

/// Memory that the process holds, where the system says so.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb * 1024)
}

/// How a do-not-call registry is served: the age of its copy in seconds (-1 for none), and whether
/// it is closed.
pub fn registry(name: &str, age_s: f64, closed: bool) {
    metrics::gauge!("autocall_registry_age_seconds", "registry" => name.to_owned()).set(age_s);
    metrics::gauge!("autocall_registry_closed", "registry" => name.to_owned()).set(f64::from(u8::from(closed)));
}
