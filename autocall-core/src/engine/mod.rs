//! The engine: runs the machines over a store and a carrier.
//!
//! It holds no timer and spawns nothing. Each method does one piece of work and returns the
//! [`Task`]s that follow from it; whoever drives the engine performs them, at once or side by
//! side. A task that is dropped (a crash) is found again through the store's timers. Only
//! [`run`] touches a runtime.
//!
//! Invariant: a dial leaves only with a permit, a permit exists only after a commit.

mod commands;
mod decide;
mod file;
mod lawful;
mod ledger;
mod observe;
mod pace;
mod perform;
mod permit;
mod plan;
mod preview;
#[cfg(feature = "run")]
pub mod run;
mod station;
mod tick;
mod transact;

pub use file::{LeadExplained, PREFLIGHT_MAX, Preflight};
pub use lawful::{Lawful, Registry};
pub use permit::{Allowed, Denied, Opinion, Permission, Standard};
pub use plan::nothing_to_show_until;
pub use preview::SHOWN_FOR;

use crate::campaign::Refused;
use crate::id::{AgentId, CallId, CampaignId};
use crate::ports::{Clock, Dial, DialPermit, Due, Ids, Lessons, Line, Notifier, Rates, Store, StoreError, Telephony};
use crate::script::Script;
use crate::time::{Millis, Timestamp};
use std::sync::{Arc, Mutex};

/// How often a decision is made anew when rows changed under it.
const CONFLICTS_MAX: u32 = 12;

/// For how long a due row is hidden from other nodes while one works on it.
pub const HIDE: Millis = Millis::from_secs(10);

/// The most tasks that one driver's queue may hold; more are left to the store's timers.
pub const TASKS_MAX: usize = 4096;

/// Runs machines over ports. Cheap to share behind an [`Arc`]; any number of engines may work on
/// one store.
pub struct Engine {
    store: Arc<dyn Store>,
    telephony: Arc<dyn Telephony>,
    notifier: Arc<dyn Notifier>,
    rates: Arc<dyn Rates>,
    clock: Arc<dyn Clock>,
    permission: Arc<dyn Permission>,
    ids: Ids,
    lessons: Option<Arc<dyn Lessons>>,
    pacers: Mutex<pace::Pacers>,
}

/// What an engine needs.
pub struct Parts {
    /// Where rows live.
    pub store: Arc<dyn Store>,
    /// Who connects calls.
    pub telephony: Arc<dyn Telephony>,
    /// Who is told.
    pub notifier: Arc<dyn Notifier>,
    /// Who hands out calls per second.
    pub rates: Arc<dyn Rates>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether a lead may be called.
    pub permission: Arc<dyn Permission>,
    /// Where new ids come from; another seed for every node.
    pub ids: Ids,
}

/// A piece of work that follows from a commit.
#[derive(Debug)]
#[must_use = "a task that is not performed is only found again by a timer"]
pub enum Task {
    /// Dial a line, with the permit for it.
    Dial {
        /// The right to do so.
        permit: DialPermit,
        /// What to ask of the carrier.
        dial: Box<Dial>,
    },
    /// Make a line follow its script.
    Steer {
        /// Which leg.
        line: Line,
        /// The carrier's name of it.
        provider: crate::call::ProviderRef,
        /// The account that it runs on.
        account: Arc<str>,
        /// The script.
        script: Box<Script>,
    },
    /// Ask the carrier about a line.
    LookUp {
        /// Which.
        line: Line,
        /// The carrier's name of it, where known.
        provider: Option<crate::call::ProviderRef>,
        /// The account that it runs on.
        account: Arc<str>,
        /// When it was dialled.
        since: Timestamp,
    },
    /// An agent came free: see whether somebody waits.
    Match(AgentId),
    /// A call may have something to decide.
    Look(CallId),
    /// A call is to be stopped.
    Stop(CallId, crate::call::Stop),
    /// A campaign may have something to dial.
    Tick(CampaignId),
    /// Something's time has come.
    Wake(Due),
}

impl Task {
    /// Whether a person on a line waits for it, or must not be on it any longer.
    pub fn is_urgent(&self) -> bool {
        use crate::call::Stop;
        match self {
            Task::Dial { dial, .. } => !dial.is_to_a_lead(),
            Task::Stop(_, stop) => matches!(stop, Stop::Listed | Stop::Person),
            Task::Steer { .. } | Task::Match(_) | Task::Look(_) => true,
            Task::LookUp { .. } | Task::Tick(_) | Task::Wake(_) => false,
        }
    }
}

/// Why the engine could not do it. Nothing is half done: what was not committed did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same rows changed again and again while we decided.
    #[error("gave up after {CONFLICTS_MAX} decisions on rows that kept changing")]
    Contended,
    /// A command that the machine refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A command about something that is not in a state for it.
    #[error("not possible now: {0}")]
    NotNow(&'static str),
}

impl EngineError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, EngineError::Store(StoreError::Unavailable(_)) | EngineError::Contended)
    }
}

impl Engine {
    /// An engine over these parts.
    pub fn new(parts: Parts) -> Engine {
        Engine {
            store: parts.store,
            telephony: parts.telephony,
            notifier: parts.notifier,
            rates: parts.rates,
            clock: parts.clock,
            permission: parts.permission,
            ids: parts.ids,
            lessons: None,
            pacers: Mutex::default(),
        }
    }

    /// With a place where what pacing learns is kept over restarts and shared between nodes.
    #[must_use]
    pub fn with_lessons(mut self, lessons: Arc<dyn Lessons>) -> Engine {
        self.lessons = Some(lessons);
        self
    }

    /// What time the engine takes it to be.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Finds what is due, at most `limit` things, and works on each. One that fails stays due and
    /// does not hold up the others.
    pub async fn step(&self, limit: u32) -> Result<Vec<Task>, EngineError> {
        let (mut tasks, mut failed) = (Vec::new(), None);
        for due in self.due(limit).await? {
            match self.wake(due).await {
                Ok(more) => tasks.extend(more),
                Err(error) if error.is_retryable() => {}
                Err(EngineError::Store(StoreError::NotFound)) => {}
                Err(error) => failed = Some(error),
            }
        }
        // What the others gave must be performed, permits to dial among it.
        match failed {
            Some(error) if tasks.is_empty() => Err(error),
            _ => Ok(tasks),
        }
    }

    /// Finds what is due, at most `limit` things, and hides it from others for [`HIDE`].
    pub async fn due(&self, limit: u32) -> Result<Vec<Due>, EngineError> {
        let now = self.now();
        Ok(self.store.due(now, now + HIDE, limit).await?)
    }

    /// Works on one thing whose time has come.
    pub async fn wake(&self, due: Due) -> Result<Vec<Task>, EngineError> {
        match due {
            Due::Call(call) => self.look(call).await,
            Due::Campaign(campaign) => self.tick(campaign).await,
            Due::Agent(agent) => self.agent_wake(agent).await,
        }
    }

    /// Performs tasks and all that follow from them, one after the other. For simulations and
    /// small embedders; a server performs them side by side ([`run`]).
    pub async fn perform_all(&self, tasks: Vec<Task>) {
        let mut queue: std::collections::VecDeque<Task> = tasks.into();
        let mut done = 0;
        while let Some(task) = queue.pop_front() {
            // A task that fails is found again by a timer.
            if let Ok(more) = self.perform(task).await {
                for task in more {
                    // One look at a campaign serves everybody who asks for one meanwhile.
                    let same = |t: &Task| matches!((t, &task), (Task::Tick(a), Task::Tick(b)) if a == b);
                    if !queue.iter().any(same) {
                        queue.push_back(task);
                    }
                }
            }
            done += 1;
            if done >= TASKS_MAX {
                break;
            }
        }
    }
}
