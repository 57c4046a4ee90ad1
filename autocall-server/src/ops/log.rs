//! Logs and traces. What is logged holds no number, no name, no token: those types do not print.

use crate::config::{Config, LogFormat};
use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// How long one export may take.
const EXPORT_MAX: Duration = Duration::from_secs(10);

/// Sends spans; kept so that the last ones can be sent at the end.
static SPANS: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Starts logging to standard error, and traces to where the configuration says; a second start
/// changes nothing.
pub fn start(config: &Config) {
    let filter = |level: &str| EnvFilter::try_new(directives(level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let text = match config.log_format {
        LogFormat::Text => text.with_target(false).with_filter(filter(&config.log)).boxed(),
        LogFormat::Json => text.json().flatten_event(true).with_filter(filter(&config.log)).boxed(),
    };
    let spans = config.otlp_endpoint.as_ref().and_then(provider).map(|provider| {
        let tracer = provider.tracer("autocall");
        let _ = SPANS.set(provider);
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_filter(filter("info"))
    });
    let _ = tracing_subscriber::registry().with(text).with(spans).try_init();
}

/// What is logged at which level. Libraries log statements, headers, form fields and whole phone
/// numbers at debug and trace: a level alone is for our own crates, and the talkative ones never
/// go below a warning, whatever is asked.
fn directives(level: &str) -> String {
    let quiet = "sqlx=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn,tungstenite=warn,\
                 opentelemetry=warn,multer=warn,rlibphonenumber=warn,async_nats=warn";
    match level.trim().to_ascii_lowercase().as_str() {
        level @ ("debug" | "trace") => format!("info,autocall={level},{quiet}"),
        _ => format!("{level},{quiet}"),
    }
}

/// Sends what was not sent yet. Blocks for some seconds at most.
pub fn flush() {
    if let Some(provider) = SPANS.get() {
        let _ = provider.shutdown_with_timeout(EXPORT_MAX);
    }
}

fn provider(endpoint: &url::Url) -> Option<SdkTracerProvider> {
    let traces = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let client = Client::start().ok()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(traces)
        .with_timeout(EXPORT_MAX)
        .build()
        .ok()?;
    let about = Resource::builder()
        .with_service_name("autocall")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(about).build())
}

/// An HTTP client with a small runtime of its own: the exporter works on a thread without one.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    fn start() -> Result<Client, HttpError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = reqwest::Client::builder().timeout(EXPORT_MAX).build()?;
        Ok(Client { client, runtime })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let answer = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = answer.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}
