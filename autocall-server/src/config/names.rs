//! Every setting's name, once. The `.env.example`, the file's keys and the check for unknown
//! names come from this table.

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// As in the environment; in the file it is written in small letters.
    pub name: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What it is for.
    pub about: &'static str,
    /// An example or the default.
    pub example: &'static str,
}

const fn open(name: &'static str, example: &'static str, about: &'static str) -> Name {
    Name { name, secret: false, about, example }
}

const fn secret(name: &'static str, example: &'static str, about: &'static str) -> Name {
    Name { name, secret: true, about, example }
}

/// All settings, in the order in which they are explained.
pub const NAMES: &[Name] = &[
    open("HOST", "127.0.0.1", "The address to listen on; 0.0.0.0 for all."),
    open("PORT", "3000", "The port to listen on; 0 takes a free one and says which."),
    open("DATA_DIR", "autocall-data", "Where files are kept: the embedded database, audio, generated secrets."),
    secret(
        "DATABASE_URL",
        "postgres://autocall:password@127.0.0.1/autocall",
        "Postgres. Without it: SQLite in DATA_DIR.",
    ),
    secret("NATS_URL", "", "A NATS server that carries live events between nodes, instead of Postgres itself."),
    open(
        "TWILIO_ACCOUNT_SID",
        "AC00000000000000000000000000000000",
        "Twilio account. Without it no real call is made.",
    ),
    secret("TWILIO_AUTH_TOKEN", "", "Its token; also verifies webhooks."),
    open("TWILIO_NUMBER", "+14155550100", "The number shown where a campaign names none."),
    open(
        "WEBHOOK_BASE_URL",
        "https://calls.example.com",
        "How the outside reaches this server; https, unless loopback.",
    ),
    open(
        "TWILIO_API_BASE",
        "https://api.twilio.com",
        "Where requests go; point it at `autocall fake-twilio` for tests.",
    ),
    open(
        "TWILIO_CALLS_PER_S",
        "1",
        "Calls that the account may start per second, over all nodes; what Twilio grants you.",
    ),
    open("SKIP_TWILIO_VALIDATION", "false", "Take unsigned webhooks. Only while TWILIO_API_BASE is this machine."),
    open("DIAL_ONLY", "", "Comma-separated numbers; nobody else is ever dialled (staging)."),
    open("DNC_DIR", "", "Where do-not-call registries lie, as `autocall dnc` makes them; DATA_DIR/dnc where absent."),
    open("RULES_DIR", "", "Where your own rule packs (*.toml) lie; DATA_DIR/rules where absent."),
    open("TRUSTED_PROXIES", "", "Comma-separated addresses or networks whose X-Forwarded-* headers are believed."),
    open("REGISTRATION", "invited", "Who may make an account: invited, open (each into a new tenant) or closed."),
    secret("TOKEN_SECRET", "", "Signs access tokens, 32 characters or more. Generated into DATA_DIR where absent."),
    secret(
        "SEAL_KEY",
        "",
        "Seals personal data at rest: 32 bytes in base64, or 2:NEW,1:OLD while a key is replaced (then run admin rotate-keys), or off for a trial. Generated into DATA_DIR where absent.",
    ),
    open("TLS_CERT", "", "The server's own certificate chain, PEM. Leave empty behind a proxy."),
    open("TLS_KEY", "", "Its key, PEM."),
    open("LOG", "info", "What is logged: error, warn, info, debug, or a filter by module."),
    open("LOG_FORMAT", "text", "text or json."),
    open("OTEL_EXPORTER_OTLP_ENDPOINT", "", "Where traces go, OTLP over HTTP, as in http://127.0.0.1:4318."),
    secret("METRICS_TOKEN", "", "Bearer token for /metrics; without it only this machine may read them."),
    open("SHUTDOWN_S_MAX", "30", "How long running calls may take to end at shutdown, seconds."),
    open("CONNECTIONS_MAX", "10000", "Connections at once; more wait to be accepted."),
    open("REQUEST_S_MAX", "30", "Longest time of one request, seconds."),
    open("BODY_BYTES_MAX", "1048576", "Largest request body, bytes; uploads have their own limit."),
    open("UPLOAD_BYTES_MAX", "4294967296", "Largest upload, bytes."),
    open("TENANT_REQUESTS_PER_S", "200", "Requests per second of one tenant; more are answered 429."),
    open("REQUESTS_IN_FLIGHT_MAX", "512", "Requests worked on at once; pages beyond it are answered 503."),
    open("WEBHOOKS_TO_LOOPBACK", "false", "Let outbound webhooks go to this machine and over http (tests only)."),
    open("TRIAL_SPEED", "1", "How many times faster than real time simulated people live."),
];

/// Whether the name's value must not be shown; unknown names are treated as secret.
pub(super) fn is_secret(name: &str) -> bool {
    NAMES.iter().find(|n| n.name == name).is_none_or(|n| n.secret)
}

/// The known name that is nearest to a mistyped one.
pub(super) fn nearest(wrong: &str) -> Option<&'static str> {
    let distance = |name: &str| edits(name.as_bytes(), wrong.as_bytes());
    NAMES.iter().map(|n| (distance(n.name), n.name)).min().filter(|(d, _)| *d <= 3).map(|(_, name)| name)
}

/// Levenshtein's distance.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// The text of `.env.example`.
#[cfg(test)]
pub(super) fn env_example() -> String {
    let mut text = String::from(
        "# autocall's settings. Every one is optional: with none set the server runs in trial mode and makes no\n\
         # real call. Precedence, lowest first: autocall.toml (names in small letters), environment, flags\n\
         # (--set NAME=VALUE). Generated: UPDATE=1 cargo test -p autocall-server env_example\n",
    );
    for name in NAMES {
        text.push_str(&format!("\n# {}\n# {}={}\n", name.about, name.name, name.example));
    }
    text
}
