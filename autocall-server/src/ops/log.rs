//! Logs and traces. What is logged holds no number, no name, no token: those types do not print.

use crate::config::{Config, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard error; a second start changes nothing.
pub fn start(config: &Config) {
    // The SQL and HTTP libraries log statements and headers at debug: never below info.
    let filter = format!("{},sqlx=warn,hyper=warn,reqwest=warn,rustls=warn,h2=warn", config.log);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let _ = match config.log_format {
        LogFormat::Text => registry.with(format.with_target(false)).try_init(),
        LogFormat::Json => registry.with(format.json().flatten_event(true)).try_init(),
    };
}
