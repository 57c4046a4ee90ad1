//! Configuration: read from a file, the environment and flags, checked as a whole.
//!
//! Precedence, lowest first: built-in default, file, environment, flag. A setting has one name
//! everywhere: `WEBHOOK_BASE_URL` in the environment is `webhook_base_url` in the file and
//! `--set WEBHOOK_BASE_URL=…` as a flag. Every wrong value is reported, all at once, with what was
//! expected; values of secrets are never shown.

mod names;
mod read;
mod sources;
#[cfg(test)]
mod tests;

pub use names::{NAMES, Name};
pub use read::Wrong;
pub use sources::{Flags, Source, Value, Values};

use autocall_core::Phone;
use read::Reader;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where rows are kept.
#[derive(Clone, Debug)]
pub enum StoreChoice {
    /// One SQLite file in the data folder.
    Sqlite,
    /// A Postgres.
    Postgres(SecretString),
}

/// Who places the calls.
#[derive(Clone, Debug)]
pub enum CarrierChoice {
    /// Simulated people; no real call is made.
    Simulated,
    /// Twilio, or something that speaks as it does.
    Twilio(Twilio),
}

/// The environment's Twilio account.
#[derive(Clone, Debug)]
pub struct Twilio {
    /// `AC…`.
    pub account_sid: String,
    /// Signs webhooks, and requests where no API key is given.
    pub auth_token: SecretString,
    /// The number shown where a campaign names none.
    pub number: Phone,
    /// Where REST requests go.
    pub api_base: url::Url,
    /// Calls per second that the account may start, over all nodes.
    pub calls_per_s: f64,
    /// Unsigned webhooks are taken; only ever with a carrier on loopback.
    pub skip_validation: bool,
}

/// Who may make an account by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Only who was invited.
    Invited,
    /// Anybody, each into a new tenant.
    Open,
    /// Nobody.
    Closed,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The server's own certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM, the chain.
    pub cert: PathBuf,
    /// PEM, the key.
    pub key: PathBuf,
}

/// Limits of the HTTP side.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Longest time a request may take, seconds; uploads and exports excepted.
    pub request_s_max: u64,
    /// Largest body, bytes; uploads excepted.
    pub body_bytes_max: usize,
    /// Largest upload, bytes.
    pub upload_bytes_max: u64,
    /// Requests per second of one tenant.
    pub tenant_per_s: u32,
    /// Requests that may be worked on at once; more are shed.
    pub in_flight_max: usize,
}

/// Everything that the server was told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where files are kept: database, audio, secrets.
    pub data_dir: PathBuf,
    /// Where rows are kept.
    pub store: StoreChoice,
    /// A NATS server between the nodes; Postgres itself where absent.
    pub nats_url: Option<SecretString>,
    /// Who places the calls.
    pub carrier: CarrierChoice,
    /// How the outside reaches the server.
    pub public_base: url::Url,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Net>,
    /// Only these numbers are dialled; `None` means any.
    pub dial_only: Option<Vec<Phone>>,
    /// Where do-not-call registries lie; `dnc` in the data folder where absent.
    pub dnc_dir: Option<PathBuf>,
    /// Where the user's own rule packs lie; `rules` in the data folder where absent.
    pub rules_dir: Option<PathBuf>,
    /// Who may make an account.
    pub registration: Registration,
    /// Signs access tokens; generated and kept in the data folder where absent.
    pub token_secret: Option<SecretString>,
    /// Seals personal data; 32 bytes in base64. Generated and kept where absent.
    pub seal_key: Option<SecretString>,
    /// What is logged, in the words of `RUST_LOG`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where traces go.
    pub otlp_endpoint: Option<url::Url>,
    /// The server's own certificate.
    pub tls: Option<Tls>,
    /// How long running calls may take to end at shutdown, seconds.
    pub shutdown_s_max: u64,
    /// Whether outbound webhooks may go to plain http and to this machine; for tests.
    pub webhooks_to_loopback: bool,
    /// How many times faster than real time simulated people live.
    pub trial_speed: f64,
    /// Needed to read `/metrics` from elsewhere than loopback.
    pub metrics_token: Option<SecretString>,
    /// Limits of the HTTP side.
    pub limits: Limits,
}

/// A network, as in `10.0.0.0/8`; a lone address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    /// Whether the network holds the address.
    pub fn holds(&self, address: IpAddr) -> bool {
        let (mine, theirs) = (widen(self.address), widen(address));
        let bits = u32::from(self.bits) + if self.address.is_ipv4() { 96 } else { 0 };
        let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
        (mine ^ theirs) & mask == 0
    }
}

/// Both kinds of address on one scale (RFC 4291, 2.5.5.2).
fn widen(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

impl std::str::FromStr for Net {
    type Err = ();
    fn from_str(s: &str) -> Result<Net, ()> {
        let (address, bits) = s.split_once('/').map_or((s, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.trim().parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |b| b.trim().parse().map_err(|_| ()))?;
        if bits <= most { Ok(Net { address, bits }) } else { Err(()) }
    }
}

impl Config {
    /// Reads and checks; every wrong value is in the error.
    pub fn load(flags: &Flags) -> Result<Config, Vec<Wrong>> {
        let (values, wrong) = Values::gather(flags, |name| std::env::var(name).ok());
        Config::from_values(&values, wrong)
    }

    /// Checks values, and adds to what was found wrong before.
    pub fn from_values(values: &Values, wrong: Vec<Wrong>) -> Result<Config, Vec<Wrong>> {
        let mut read = Reader::new(values, wrong);
        let host: IpAddr =
            read.or("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST), "an address such as 127.0.0.1 or 0.0.0.0", parse);
        let port = read.or("PORT", 3000u16, "a port number, 0 to 65535", parse);
        let listen = SocketAddr::new(host, port);
        let tls = tls(&mut read);
        let public_base = public_base(&mut read, listen, tls.is_some());
        let carrier = carrier(&mut read, &public_base);
        let config = Config {
            listen,
            data_dir: read.or("DATA_DIR", PathBuf::from("autocall-data"), "a folder", |s| Some(s.into())),
            store: store(&mut read),
            nats_url: read.maybe("NATS_URL", "a URL such as nats://127.0.0.1:4222", |s| {
                let known = s.starts_with("nats://") || s.starts_with("tls://");
                known.then(|| SecretString::from(s))
            }),
            carrier,
            public_base,
            trusted_proxies: read.or(
                "TRUSTED_PROXIES",
                Vec::new(),
                "addresses or networks, as in 10.0.0.0/8,::1",
                |s| list(s, parse),
            ),
            dial_only: read.maybe("DIAL_ONLY", "numbers in E.164, as in +14155552671,+442079460000", |s| {
                list(s, Phone::from_e164)
            }),
            dnc_dir: read.maybe("DNC_DIR", "a folder", |s| Some(s.into())),
            rules_dir: read.maybe("RULES_DIR", "a folder", |s| Some(s.into())),
            registration: read.or("REGISTRATION", Registration::Invited, "invited, open or closed", |s| match s {
                "invited" => Some(Registration::Invited),
                "open" => Some(Registration::Open),
                "closed" => Some(Registration::Closed),
                _ => None,
            }),
            token_secret: read.maybe("TOKEN_SECRET", "at least 32 characters", |s| (s.len() >= 32).then(|| s.into())),
            seal_key: read.maybe(
                "SEAL_KEY",
                "32 bytes in base64, NUMBER:KEY pairs with the active one first, or off",
                |s| is_seal_key(s).then(|| s.into()),
            ),
            log: read.or("LOG", "info".to_owned(), "a filter such as info or autocall_server=debug", |s| {
                tracing_subscriber::EnvFilter::try_new(s).ok().map(|_| s.to_owned())
            }),
            log_format: read.or("LOG_FORMAT", LogFormat::Text, "text or json", |s| match s {
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            }),
            otlp_endpoint: read.maybe("OTEL_EXPORTER_OTLP_ENDPOINT", "a URL such as http://127.0.0.1:4318", parse),
            tls,
            shutdown_s_max: read.or("SHUTDOWN_S_MAX", 30, "seconds", parse),
            webhooks_to_loopback: read.or("WEBHOOKS_TO_LOOPBACK", false, "true or false", yes_or_no),
            trial_speed: read.or("TRIAL_SPEED", 1.0, "a number from 0.1 to 1000", |s| {
                s.parse().ok().filter(|speed| (0.1..=1000.0).contains(speed))
            }),
            metrics_token: read.maybe("METRICS_TOKEN", "at least 16 characters", |s| (s.len() >= 16).then(|| s.into())),
            limits: Limits {
                connections_max: read.or("CONNECTIONS_MAX", 10_000, "a number from 16 to 1000000", |s| {
                    within(s, 16, 1_000_000).map(|n| n as usize)
                }),
                request_s_max: read.or("REQUEST_S_MAX", 30, "seconds, 1 to 300", |s| within(s, 1, 300)),
                body_bytes_max: read.or("BODY_BYTES_MAX", 1 << 20, "bytes, 1024 to 67108864", |s| {
                    within(s, 1024, 64 << 20).map(|n| n as usize)
                }),
                upload_bytes_max: read
                    .or("UPLOAD_BYTES_MAX", 4 << 30, "bytes, 1024 to 1099511627776", |s| within(s, 1024, 1 << 40)),
                tenant_per_s: read.or("TENANT_REQUESTS_PER_S", 200, "a number from 1 to 1000000", |s| {
                    within(s, 1, 1_000_000).map(|n| n as u32)
                }),
                in_flight_max: read.or("REQUESTS_IN_FLIGHT_MAX", 512, "a number from 8 to 100000", |s| {
                    within(s, 8, 100_000).map(|n| n as usize)
                }),
            },
        };
        read.done(config)
    }

    /// Where do-not-call registries lie.
    pub fn dnc_dir(&self) -> PathBuf {
        self.dnc_dir.clone().unwrap_or_else(|| self.data_dir.join("dnc"))
    }
    /// Where the user's own rule packs lie.
    pub fn rules_dir(&self) -> PathBuf {
        self.rules_dir.clone().unwrap_or_else(|| self.data_dir.join("rules"))
    }
    /// Whether no real call can be made.
    pub fn is_trial(&self) -> bool {
        matches!(self.carrier, CarrierChoice::Simulated)
    }

    /// Calls per second of one carrier account, over all nodes.
    pub fn calls_per_s(&self) -> f64 {
        match &self.carrier {
            CarrierChoice::Twilio(twilio) => twilio.calls_per_s,
            CarrierChoice::Simulated => 30.0,
        }
    }

    /// Whether cookies may be sent over an unencrypted connection: only to this machine itself.
    pub fn is_https(&self) -> bool {
        self.public_base.scheme() == "https"
    }
}

fn store(read: &mut Reader<'_>) -> StoreChoice {
    let url = read.maybe("DATABASE_URL", "a URL such as postgres://user:password@host/database", |s| {
        let known = s.starts_with("postgres://") || s.starts_with("postgresql://");
        known.then(|| SecretString::from(s))
    });
    url.map_or(StoreChoice::Sqlite, StoreChoice::Postgres)
}

fn tls(read: &mut Reader<'_>) -> Option<Tls> {
    let cert: Option<PathBuf> = read.maybe("TLS_CERT", "a PEM file", |s| Some(s.into()));
    let key: Option<PathBuf> = read.maybe("TLS_KEY", "a PEM file", |s| Some(s.into()));
    match (cert, key) {
        (Some(cert), Some(key)) => Some(Tls { cert, key }),
        (None, None) => None,
        (Some(_), None) => read.missing("TLS_KEY", "a PEM file, because TLS_CERT is set"),
        (None, Some(_)) => read.missing("TLS_CERT", "a PEM file, because TLS_KEY is set"),
    }
}

fn public_base(read: &mut Reader<'_>, listen: SocketAddr, tls: bool) -> url::Url {
    let scheme = if tls { "https" } else { "http" };
    let host = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    let own = format!("{scheme}://{}", SocketAddr::new(host, listen.port()));
    let own = own.parse().unwrap_or_else(|_| url::Url::parse("http://127.0.0.1:3000").expect("a constant"));
    read.or(
        "WEBHOOK_BASE_URL",
        own,
        "the public https address, as in https://calls.example.com (http: loopback only)",
        |s| {
            let url: url::Url = s.trim_end_matches('/').parse().ok()?;
            let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
            (bare && safe && url.has_host()).then_some(url)
        },
    )
}

fn carrier(read: &mut Reader<'_>, public_base: &url::Url) -> CarrierChoice {
    let sid = read.maybe("TWILIO_ACCOUNT_SID", "AC and 32 hex digits", |s| is_sid(s).then(|| s.to_owned()));
    let token = read.maybe("TWILIO_AUTH_TOKEN", "32 characters", |s| (s.len() >= 16).then(|| SecretString::from(s)));
    let number = read.maybe("TWILIO_NUMBER", "a number in E.164, as in +14155552671", Phone::from_e164);
    let api_base = read.or(
        "TWILIO_API_BASE",
        url::Url::parse("https://api.twilio.com").expect("a constant"),
        "a URL such as https://api.twilio.com",
        |s| s.parse().ok().filter(|url: &url::Url| url.scheme() == "https" || is_loopback(url)),
    );
    let calls_per_s = read.or("TWILIO_CALLS_PER_S", 1.0, "a number from 0.1 to 1000", |s| {
        s.parse().ok().filter(|rate| (0.1..=1000.0).contains(rate))
    });
    let skip_validation = read.or("SKIP_TWILIO_VALIDATION", false, "true or false", yes_or_no);
    if skip_validation && !is_loopback(&api_base) {
        read.wrong("SKIP_TWILIO_VALIDATION", "false, unless TWILIO_API_BASE is this machine itself");
    }
    if sid.is_none() && token.is_none() && number.is_none() {
        return CarrierChoice::Simulated;
    }
    if !is_loopback(&api_base) && is_loopback(public_base) {
        read.wrong("WEBHOOK_BASE_URL", "a public https address: Twilio must reach it");
    }
    match (sid, token, number) {
        (Some(account_sid), Some(auth_token), Some(number)) => {
            CarrierChoice::Twilio(Twilio { account_sid, auth_token, number, api_base, calls_per_s, skip_validation })
        }
        (sid, token, number) => {
            let why = "because another TWILIO_… setting is there";
            if sid.is_none() {
                read.missing::<()>("TWILIO_ACCOUNT_SID", &format!("AC and 32 hex digits, {why}"));
            }
            if token.is_none() {
                read.missing::<()>("TWILIO_AUTH_TOKEN", &format!("32 characters, {why}"));
            }
            if number.is_none() {
                read.missing::<()>("TWILIO_NUMBER", &format!("a number in E.164, {why}"));
            }
            CarrierChoice::Simulated
        }
    }
}

/// Whether a URL leads to this machine itself.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
        Some(url::Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
    }
}

/// Whether the text can be an account of the carrier.
pub fn is_sid(s: &str) -> bool {
    s.len() == 34 && s.starts_with("AC") && s.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

/// One key, several with numbers, or `off`.
fn is_seal_key(s: &str) -> bool {
    let pair =
        |p: &str| p.split_once(':').is_some_and(|(n, key)| n.trim().parse::<u32>().is_ok() && is_key(key.trim()));
    s == "off" || is_key(s) || s.split(',').all(pair)
}

fn is_key(s: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(s).is_ok_and(|bytes| bytes.len() == 32)
}

fn parse<T: std::str::FromStr>(s: &str) -> Option<T> {
    s.parse().ok()
}

fn within(s: &str, from: u64, to: u64) -> Option<u64> {
    s.parse().ok().filter(|n| (from..=to).contains(n))
}

fn list<T>(s: &str, one: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    s.split(',').map(str::trim).filter(|s| !s.is_empty()).map(one).collect()
}

fn yes_or_no(s: &str) -> Option<bool> {
    match s.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}
