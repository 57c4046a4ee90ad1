//! A guard against personal data in logs.
//!
//! [`LeakGuard`] is a `tracing` layer that looks at every event and span field and remembers
//! those that hold a full telephone number, or one of the names and secrets that a test told it
//! about. A test ends with [`LeakScope`] going out of scope, which panics if anything leaked.
//!
//! ```
//! use autocall_testkit::leak::LeakGuard;
//!
//! let guard = LeakGuard::new().secret("auth token", "9f3bc6d2e1");
//! let _scope = guard.here();
//! tracing::info!(phone = "+1415•••71", "dialing"); // redacted: fine
//! ```
//!
//! It sees what `tracing` sees. Text that goes elsewhere (a log file, a database dump, an answer)
//! is checked with [`LeakGuard::look`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// A plus sign and this many digits are a telephone number. The shortest full numbers in use
/// have eight, country code included; shorter ones are too like other figures.
const PHONE_DIGITS_MIN: usize = 8;
/// The shortest text worth registering: anything shorter turns up by chance.
const SECRET_CHARS_MIN: usize = 4;
/// How many leaks are kept. One is a failure already.
const KEPT_MAX: usize = 100;

/// What leaked, and where. Does not hold the leaked text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The kind: `phone number`, or what the secret was registered as.
    pub kind: String,
    /// Where: the event's or span's target and line, and the field.
    pub place: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.kind, self.place)
    }
}

#[derive(Default)]
struct State {
    /// Kind and text, in lower case.
    secrets: Vec<(String, String)>,
    leaks: Vec<Leak>,
    fields_seen: u64,
}

/// Looks for personal data in what is logged. Cloning gives another handle on the same guard.
#[derive(Clone, Default)]
pub struct LeakGuard(Arc<Mutex<State>>);

impl LeakGuard {
    /// A guard that knows what a telephone number looks like, and nothing else yet.
    pub fn new() -> LeakGuard {
        LeakGuard::default()
    }

    /// The guard of this process, installed for all threads when first asked for. For tests that
    /// start a runtime with threads of its own.
    ///
    /// # Panics
    /// If another subscriber is already installed for all threads.
    pub fn global() -> LeakGuard {
        static GLOBAL: OnceLock<LeakGuard> = OnceLock::new();
        let install = || {
            let guard = LeakGuard::new();
            let subscriber = Registry::default().with(guard.layer());
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber is installed");
            guard
        };
        GLOBAL.get_or_init(install).clone()
    }

    /// Registers a text that must not be logged: a name, a token, a password. Found in any case of
    /// letters, also inside a longer text.
    ///
    /// # Panics
    /// If the text has fewer than four characters: it would be found by chance.
    #[must_use = "the guard goes on with the secret"]
    pub fn secret(self, kind: &str, text: &str) -> LeakGuard {
        assert!(text.chars().count() >= SECRET_CHARS_MIN, "a {kind} of fewer than four characters turns up by chance");
        self.state().secrets.push((kind.to_owned(), text.to_lowercase()));
        self
    }

    /// Registers a number, so that its digits are found without the plus sign too, also where
    /// they are logged as a number.
    #[must_use = "the guard goes on with the number"]
    pub fn phone(self, phone: autocall_core::Phone) -> LeakGuard {
        self.secret("phone number", &phone.digits().to_string())
    }

    /// The layer, for a subscriber of the test's own.
    pub fn layer(&self) -> LeakLayer {
        LeakLayer(self.clone())
    }

    /// Guards this thread until the scope ends; then panics if anything leaked.
    pub fn here(&self) -> LeakScope {
        let subscriber = Registry::default().with(self.layer());
        LeakScope { guard: self.clone(), _default: Some(tracing::subscriber::set_default(subscriber)) }
    }

    /// Panics at the end of the scope if anything leaked; for a guard that is installed elsewhere.
    pub fn scope(&self) -> LeakScope {
        LeakScope { guard: self.clone(), _default: None }
    }

    /// Looks at a text that did not come by way of `tracing`; `place` says where it is from.
    pub fn look(&self, place: &str, text: &str) {
        let mut state = self.state();
        state.fields_seen += 1;
        if let Some(kind) = find(&state.secrets, text) {
            state.keep(Leak { kind, place: place.to_owned() });
        }
    }

    /// What leaked so far, the first hundred.
    pub fn leaks(&self) -> Vec<Leak> {
        self.state().leaks.clone()
    }

    /// How many fields and texts were looked at: a test that expects none has shown nothing.
    pub fn fields_seen(&self) -> u64 {
        self.state().fields_seen
    }

    /// The state; a panic elsewhere does not make it wrong.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, leak: Leak) {
        if self.leaks.len() < KEPT_MAX {
            self.leaks.push(leak);
        }
    }
}

/// Ends a guarded stretch of a test: panics on drop if anything leaked.
#[must_use = "the stretch ends when this is dropped"]
pub struct LeakScope {
    guard: LeakGuard,
    _default: Option<DefaultGuard>,
}

impl Drop for LeakScope {
    fn drop(&mut self) {
        let leaks = self.guard.leaks();
        if !leaks.is_empty() && !std::thread::panicking() {
            let list: Vec<String> = leaks.iter().map(Leak::to_string).collect();
            panic!("personal data was logged:\n{}", list.join("\n"));
        }
    }
}

/// The layer of a [`LeakGuard`].
pub struct LeakLayer(LeakGuard);

impl<S: Subscriber> Layer<S> for LeakLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        attributes.record(&mut Look { guard: &self.0, metadata: Some(attributes.metadata()) });
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut Look { guard: &self.0, metadata: None });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Look { guard: &self.0, metadata: Some(event.metadata()) });
    }
}

struct Look<'a> {
    guard: &'a LeakGuard,
    metadata: Option<&'a Metadata<'a>>,
}

impl Look<'_> {
    fn at(&self, field: &Field, text: &str) {
        let place = match self.metadata {
            Some(m) => format!("{} line {}, field {field}", m.target(), m.line().unwrap_or(0)),
            None => format!("a span, field {field}"),
        };
        self.guard.look(&place, text);
    }
}

impl Visit for Look<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.at(field, &format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.at(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.at(field, &text);
    }
}

/// The kind of the first thing in the text that must not be there.
fn find(secrets: &[(String, String)], text: &str) -> Option<String> {
    if has_phone(text) {
        return Some("phone number".to_owned());
    }
    let lower = text.to_lowercase();
    secrets.iter().find(|(_, secret)| lower.contains(secret.as_str())).map(|(kind, _)| kind.clone())
}

/// Whether the text holds an international number: a plus sign (or `%2B`, as in an address) and
/// eight digits or more, with at most two of the usual separators between two digits. A redacted
/// number has bullets among its digits and so is none.
pub fn has_phone(text: &str) -> bool {
    let plus = text.match_indices('+').map(|(at, sign)| at + sign.len());
    let encoded = text.match_indices("%2").filter_map(|(at, sign)| {
        let next = at + sign.len();
        matches!(text.as_bytes().get(next), Some(b'B' | b'b')).then_some(next + 1)
    });
    plus.chain(encoded).any(|start| digits_from(&text[start..]) >= PHONE_DIGITS_MIN)
}

/// How many digits follow, separators aside. A date and a time of day after a plus sign are told
/// from a number by the colon, which is no separator.
fn digits_from(text: &str) -> usize {
    let (mut digits, mut gap) = (0, 0);
    for c in text.chars() {
        match c {
            '0'..='9' => (digits, gap) = (digits + 1, 0),
            ' ' | '-' | '.' | '(' | ')' | '/' if gap < 2 => gap += 1,
            _ => break,
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::Phone;
    use tracing::{info, info_span};

    /// What a guard finds while `work` logs.
    fn leaks_of(guard: LeakGuard, work: impl FnOnce()) -> Vec<String> {
        tracing::subscriber::with_default(Registry::default().with(guard.layer()), work);
        guard
            .leaks()
            .iter()
            .map(|leak| format!("{} | {}", leak.kind, leak.place.rsplit(", ").next().unwrap_or("")))
            .collect()
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for text in [
            "+14155552671",
            "call +1 (415) 555-2671 now",
            "to=%2B14155552671",
            "to=%2b442071838750",
            "+44 20.7183.8750",
        ] {
            assert!(has_phone(text), "{text}");
        }
        for text in [
            "+1415•••71",
            "2026-11-22T21:03:22+01:00",
            "a+b+12345",
            "+1 555 12",
            "14155552671",
            "+12 : 345678",
            "1e+10",
        ] {
            assert!(!has_phone(text), "{text}");
        }
    }

    #[test]
    fn events_spans_and_late_fields_are_looked_at() {
        let found = leaks_of(LeakGuard::new(), || {
            info!("dialing +14155552671");
            info!(to = "+14155552671", "dialing");
            info!(to = ?Some("+14155552671"), "dialing");
            let span = info_span!("call", to = "+14155552671", from = tracing::field::Empty);
            span.record("from", "+442071838750");
        });
        let expected = ["field message", "field to", "field to", "field to", "field from"];
        assert_eq!(
            found
                .iter()
                .map(|f| f.trim_start_matches("phone number | ").trim_start_matches("a span, "))
                .collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_project_types_do_not_leak() {
        let phone = Phone::from_e164("+14155552671").expect("valid");
        let name = autocall_core::Private::new("Grace Hopper");
        let guard = LeakGuard::new().phone(phone).secret("name", "Hopper");
        let seen = guard.clone();
        let found = leaks_of(guard, || info!(%phone, ?name, "dialing {phone:?}"));
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(seen.fields_seen(), 3);
    }

    #[test]
    fn registered_secrets_are_found_in_any_case_and_as_numbers() {
        let phone = Phone::from_e164("+14155552671").expect("valid");
        let guard = LeakGuard::new().phone(phone).secret("name", "Hopper").secret("token", "s3cr3t-t0ken");
        let found = leaks_of(guard, || {
            info!("lead GRACE HOPPER answered");
            info!(digits = phone.digits(), "dialing");
            info!(header = "Bearer s3cr3t-t0ken", "request");
        });
        assert_eq!(found, ["name | field message", "phone number | field digits", "token | field header"]);
    }

    #[test]
    fn causes_of_an_error_are_looked_at() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dial failed")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let problem = Outer(std::io::Error::other("no route to +14155552671"));
        let found = leaks_of(LeakGuard::new(), || {
            let error: &(dyn std::error::Error + 'static) = &problem;
            info!(error, "carrier");
        });
        assert_eq!(found, ["phone number | field error"]);
    }

    #[test]
    #[should_panic(expected = "personal data was logged:\nphone number in")]
    fn a_scope_panics_at_its_end() {
        let guard = LeakGuard::new();
        let _scope = guard.here();
        info!("dialing +14155552671");
    }

    #[test]
    fn a_scope_without_a_leak_ends_quietly_and_the_report_shows_no_secret() {
        let guard = LeakGuard::new().secret("token", "s3cr3t-t0ken");
        {
            let _scope = guard.here();
            info!("nothing to see");
        }
        guard.look("a dump", "x s3cr3t-t0ken y");
        assert_eq!(guard.leaks(), [Leak { kind: "token".into(), place: "a dump".into() }]);
        assert!(!format!("{:?}", guard.leaks()).contains("s3cr3t"));
    }

    #[test]
    #[should_panic(expected = "turns up by chance")]
    fn a_secret_too_short_to_search_for_is_refused() {
        let _ = LeakGuard::new().secret("name", "Al");
    }

    #[test]
    fn the_global_guard_sees_other_threads() {
        let guard = LeakGuard::global();
        std::thread::spawn(|| info!("from elsewhere: +14155552671")).join().expect("ends");
        assert!(guard.leaks().iter().any(|leak| leak.kind == "phone number"));
    }
}
