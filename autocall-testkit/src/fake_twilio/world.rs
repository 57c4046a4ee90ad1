//! What the fake knows: calls, conferences, recordings, people, and the log.

use super::config::{Config, Faults, OwnNumber, RestFault};
use super::pace::Pace;
use super::people::{Detection, Person};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// How long a call may wait in the carrier's queue.
pub(crate) const QUEUE_MS_MAX: i64 = 24 * 3_600_000;

/// Everything that the tasks of one fake share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pace: Pace,
    pub(crate) client: reqwest::Client,
    world: Mutex<World>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Shared {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::limited(5))
            .no_proxy()
            .pool_max_idle_per_host(64)
            .build()
            .expect("a client without TLS roots always builds");
        let pace = Pace::new(config.speed);
        Shared { pace, client, world: Mutex::new(World::new(&config)), config }
    }
    /// The state, locked. Never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub(crate) fn now_ms(&self) -> i64 {
        self.pace.now_ms()
    }
}

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts from 0.
    pub n: u64,
    /// On the fake's clock.
    pub at_ms: i64,
    /// What kind of thing: `accepted`, `dialled`, `answered`, `ended`, `fetch`, `callback`,
    /// `said`, `played`, `joined`, `left`, `verdict`, `pressed`, `rest`, `fault`.
    pub kind: &'static str,
    /// The call.
    pub call: Option<String>,
    /// The leg id found in the URLs of the request that created the call.
    pub attempt: Option<String>,
    /// The particulars.
    pub what: String,
}

/// One call that really left for the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dialled {
    /// The carrier's id.
    pub call: String,
    /// The number that was called.
    pub to: String,
    /// The leg id found in the URLs of the request, if any.
    pub attempt: Option<String>,
    /// When, on the fake's clock.
    pub at_ms: i64,
}

/// Counters for tests and for people who watch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Calls accepted by REST.
    pub accepted: u64,
    /// Calls that left for the network.
    pub dialled: u64,
    /// The longest time that a call had to wait in the queue.
    pub queue_ms_max: i64,
    /// Callbacks tried, repeated ones included.
    pub callbacks: u64,
    /// Callbacks that were lost on purpose.
    pub lost: u64,
    /// Answers by us other than 2xx to a callback or a TwiML request.
    pub refused: u64,
    /// TwiML documents at fault.
    pub bad_twiml: u64,
    /// Calls that are not over.
    pub live: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Ringing => "ringing",
            Status::InProgress => "in-progress",
            Status::Completed => "completed",
            Status::Busy => "busy",
            Status::Failed => "failed",
            Status::NoAnswer => "no-answer",
            Status::Canceled => "canceled",
        }
    }
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Status::Queued | Status::Ringing | Status::InProgress)
    }
}

/// Where a call's script comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Inline { text: String, base: String },
    Fetch { url: String, method: String, fields: Vec<(String, String)> },
}

/// What somebody outside asks of a call.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Hangup,
    Redirect(Source),
}

/// Where callbacks go, and which.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) events: Vec<String>,
}

pub(crate) struct Call {
    pub(crate) sid: String,
    pub(crate) account: String,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) parent: Option<String>,
    pub(crate) direction: &'static str,
    pub(crate) status: Status,
    pub(crate) queue_ms: i64,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) dialled_ms: Option<i64>,
    pub(crate) answered_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) answered_by: Option<String>,
    pub(crate) attempt: Option<String>,
    pub(crate) requests: Vec<serde_json::Value>,
    pub(crate) hook: Hook,
    pub(crate) fallback: Option<(String, String)>,
    pub(crate) sequence: u32,
    pub(crate) person: Person,
    pub(crate) detection: Option<Detection>,
    pub(crate) ring_ms_max: i64,
    pub(crate) call_ms_max: i64,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) keys: mpsc::Sender<String>,
    pub(crate) changed: Arc<Notify>,
    pub(crate) bridged_ms: Option<i64>,
    pub(crate) alone_ms: i64,
    pub(crate) conference: Option<String>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) last_callback: Option<oneshot::Receiver<()>>,
    pub(crate) recording: Option<String>,
}

/// Whether a participant waits, hears the others, or is out (with the reason).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Waiting,
    Live,
    Out(&'static str),
}

pub(crate) struct Participant {
    pub(crate) call: String,
    pub(crate) label: String,
    pub(crate) muted: bool,
    pub(crate) hold: bool,
    pub(crate) coaching: Option<String>,
    pub(crate) start: bool,
    pub(crate) end: bool,
    pub(crate) joined_ms: i64,
    pub(crate) tell: watch::Sender<Membership>,
}

pub(crate) struct Conference {
    pub(crate) sid: String,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) participants: Vec<Participant>,
    pub(crate) participants_max: usize,
    pub(crate) hook: Hook,
    pub(crate) sequence: u32,
    pub(crate) reason: Option<&'static str>,
    pub(crate) ended_by: Option<String>,
    pub(crate) recording: Option<String>,
    pub(crate) last_callback: Option<oneshot::Receiver<()>>,
}

pub(crate) struct Recording {
    pub(crate) sid: String,
    pub(crate) account: String,
    pub(crate) call: Option<String>,
    pub(crate) conference: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) source: &'static str,
    pub(crate) channels: u32,
    pub(crate) created_ms: i64,
    pub(crate) recorded_ms: i64,
    pub(crate) running_since: Option<i64>,
    pub(crate) hook: Hook,
    pub(crate) deleted: bool,
}

/// The carrier's pace of new calls: one at a time at the account's rate, with one second's
/// worth in advance.
#[derive(Default)]
pub(crate) struct Bucket {
    next_ms: f64,
}

impl Bucket {
    /// How long a call created now has to wait.
    pub(crate) fn take(&mut self, now_ms: i64, per_second: f64) -> i64 {
        let each = 1_000.0 / per_second.max(0.001);
        let ahead = (1_000.0 - each).max(0.0);
        self.next_ms = self.next_ms.max(now_ms as f64);
        let wait = (self.next_ms - ahead - now_ms as f64).max(0.0);
        self.next_ms += each;
        wait as i64
    }
}

pub(crate) struct World {
    pub(crate) calls: BTreeMap<String, Call>,
    pub(crate) call_order: Vec<String>,
    pub(crate) conferences: BTreeMap<String, Conference>,
    pub(crate) conference_order: Vec<String>,
    pub(crate) recordings: BTreeMap<String, Recording>,
    pub(crate) recording_order: Vec<String>,
    pub(crate) people: BTreeMap<String, VecDeque<Person>>,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) numbers: Vec<(String, OwnNumber)>,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    pub(crate) dialled: Vec<Dialled>,
    /// The names of the parameters that were sent, by resource.
    pub(crate) asked: BTreeMap<String, BTreeSet<String>>,
    log: VecDeque<Entry>,
    log_max: usize,
    logged: u64,
    rng: ChaCha12Rng,
}

impl World {
    fn new(config: &Config) -> World {
        let numbers =
            config.accounts.iter().flat_map(|a| a.numbers.iter().map(|n| (a.sid.clone(), n.clone()))).collect();
        World {
            calls: BTreeMap::new(),
            call_order: Vec::new(),
            conferences: BTreeMap::new(),
            conference_order: Vec::new(),
            recordings: BTreeMap::new(),
            recording_order: Vec::new(),
            people: BTreeMap::new(),
            buckets: BTreeMap::new(),
            numbers,
            faults: config.faults.clone(),
            stats: Stats::default(),
            dialled: Vec::new(),
            asked: BTreeMap::new(),
            log: VecDeque::new(),
            log_max: config.log_entries_max,
            logged: 0,
            rng: ChaCha12Rng::seed_from_u64(config.seed),
        }
    }

    /// A new identifier: two letters and 32 hexadecimal digits.
    pub(crate) fn sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// Whether something of this probability happens now.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random::<f64>() < probability
    }

    /// A number from 0 up to `max`.
    pub(crate) fn up_to(&mut self, max: i64) -> i64 {
        if max <= 0 { 0 } else { self.rng.random_range(0..=max) }
    }

    pub(crate) fn note(&mut self, at_ms: i64, kind: &'static str, call: Option<&str>, what: impl Into<String>) {
        let attempt = call.and_then(|sid| self.calls.get(sid)).and_then(|c| c.attempt.clone());
        let call = call.map(str::to_owned);
        if self.log.len() >= self.log_max.max(1) {
            self.log.pop_front();
        }
        self.log.push_back(Entry { n: self.logged, at_ms, kind, call, attempt, what: what.into() });
        self.logged += 1;
    }

    pub(crate) fn log_since(&self, n: u64, limit: usize) -> Vec<Entry> {
        let first = self.log.front().map_or(0, |e| e.n);
        let skip = usize::try_from(n.saturating_sub(first)).unwrap_or(usize::MAX);
        self.log.iter().skip(skip).take(limit).cloned().collect()
    }

    /// The person who answers the next call to this number.
    pub(crate) fn person(&mut self, to: &str) -> Person {
        match self.people.get_mut(to) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap_or_default(),
            Some(queue) if !queue.is_empty() => queue[0].clone(),
            _ => Person::of_number(to),
        }
    }

    /// What happens to this REST request.
    pub(crate) fn rest_fault(&mut self, is_create: bool) -> RestFault {
        if is_create && let Some(next) = self.faults.next_creates.pop_front() {
            return next;
        }
        let faults = self.faults.clone();
        for (probability, fault) in [
            (faults.reset_before, RestFault::ResetBefore),
            (faults.reset_after, RestFault::ResetAfter),
            (faults.hang_after, RestFault::HangAfter),
            (faults.error_before, RestFault::ErrorBefore),
            (faults.error_after, RestFault::ErrorAfter),
            (faults.throttle, RestFault::Throttle),
        ] {
            if self.chance(probability) {
                return fault;
            }
        }
        RestFault::None
    }

    pub(crate) fn stats(&self) -> Stats {
        let live = self.calls.values().filter(|c| !c.status.is_over()).count() as u64;
        Stats { live, ..self.stats.clone() }
    }

    /// Marks the two sides of a call as talking to each other (or not).
    pub(crate) fn bridge(&mut self, call: &str, now_ms: i64, talking: bool) {
        if let Some(call) = self.calls.get_mut(call)
            && call.bridged_ms.is_some() != talking
        {
            call.bridged_ms = talking.then_some(now_ms);
            call.alone_ms = now_ms;
            call.changed.notify_one();
        }
    }
}
