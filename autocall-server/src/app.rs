//! What every request can reach.

use crate::carrier::rates::AccountRates;
use crate::carrier::twilio;
use crate::config::Config;
use crate::http::gate::Gate;
use crate::identity::lockout::Lockouts;
use crate::identity::password::Hasher;
use crate::identity::principal::Principals;
use crate::identity::throttle::Throttle;
use crate::identity::token::{self, Tokens};
use crate::live::hub::Hub;
use autocall_core::engine::run::Inbox;
use autocall_core::engine::{Engine, Task};
use autocall_core::ports::catalog::{Catalog, Directory};
use autocall_core::ports::{Clock, Ids, Store, SystemClock};
use autocall_core::{Id, TenantId};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many requests of each kind are worked on at once. Under overload pages go first, then
/// reports (the carrier brings them again), and last what somebody listens to.
pub struct Gates {
    /// Pages and reports for people; more are shed at once.
    pub pages: Gate,
    /// The only page at a time while reports of the carrier wait; a few wait a little.
    pub crowded: Gate,
    /// What people do in calls, and what stops dialing; more wait a little.
    pub calls: Gate,
    /// Lines that ask the server what they shall hear; more wait a little. Nobody but the carrier
    /// takes these places.
    pub asking: Gate,
    /// Bodies that are on their way.
    pub reading: Gate,
    /// Bodies of webhooks that are on their way.
    pub hearing: Gate,
    /// Uploads that are on their way.
    pub streams: Gate,
    /// What the carrier reports; more wait, then come again.
    pub reports: Gate,
}

/// Rates, per key.
pub struct RateLimits {
    /// Requests of a tenant.
    pub tenant: Throttle<TenantId>,
    /// Sign-ins from an address.
    pub login_address: Throttle<Option<IpAddr>>,
    /// Proofs of a password by somebody who is signed in, by who they are.
    pub proofs: Throttle<String>,
}

/// The parts that a server is made of.
pub struct Parts {
    /// What it was told.
    pub config: Config,
    /// What people read and edit.
    pub catalog: Arc<dyn Catalog>,
    /// What is found before the tenant is known.
    pub directory: Arc<dyn Directory>,
    /// What the engine reads and writes.
    pub store: Arc<dyn Store>,
    /// Runs the machines.
    pub engine: Arc<Engine>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Live events.
    pub hub: Arc<Hub>,
    /// What can be done to a call that runs.
    pub desk: Arc<dyn crate::desk::Desk>,
    /// The carrier's side, where it is a real one (or a fake of it).
    pub link: Option<twilio::Link>,
    /// Calls per second; closed while the node ends.
    pub rates: Arc<AccountRates>,
    /// The rules and registries that calls obey.
    pub law: Arc<crate::lawbook::LawBook>,
    /// Signs access tokens.
    pub token_secret: [u8; 32],
}

/// What every request can reach. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The inside of an [`App`].
pub struct Inner {
    /// What it was told.
    pub config: Config,
    /// What people read and edit.
    pub catalog: Arc<dyn Catalog>,
    /// What is found before the tenant is known.
    pub directory: Arc<dyn Directory>,
    /// What the engine reads and writes.
    pub store: Arc<dyn Store>,
    /// Runs the machines.
    pub engine: Arc<Engine>,
    /// What time it is where calls are made; in a trial that may pass faster.
    pub clock: Arc<dyn Clock>,
    /// What time it is for those who sign in, whose sessions, keys and codes live in real time.
    pub wall: Arc<dyn Clock>,
    /// Live events.
    pub hub: Arc<Hub>,
    /// What can be done to a call that runs.
    pub desk: Arc<dyn crate::desk::Desk>,
    /// The carrier's side, where it is a real one (or a fake of it).
    pub link: Option<twilio::Link>,
    /// Calls per second; closed while the node ends.
    pub dials: Arc<AccountRates>,
    /// The rules and registries that calls obey.
    pub law: Arc<crate::lawbook::LawBook>,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Signs access tokens.
    pub tokens: Tokens,
    /// Principals looked up a moment ago.
    pub principals: Principals,
    /// How much at once.
    pub gates: Gates,
    /// How often.
    pub rates: RateLimits,
    /// Wrong passwords of late.
    pub lockouts: Lockouts,
    /// Work in the background, awaited at shutdown.
    pub background: TaskTracker,
    /// Told when the node begins to end: it is no longer ready and calls nobody new.
    pub draining: CancellationToken,
    /// Told when the server is to stop.
    pub stopping: CancellationToken,
    /// Tenants without outbound webhooks, as last seen.
    pub hookless: crate::outbound::hook::Hookless,
    inbox: OnceLock<Inbox>,
    ids: Ids,
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// From its parts.
    pub fn new(parts: Parts) -> App {
        let limits = parts.config.limits;
        App(Arc::new(Inner {
            catalog: parts.catalog,
            directory: parts.directory,
            store: parts.store,
            engine: parts.engine,
            clock: parts.clock,
            wall: Arc::new(SystemClock),
            hub: parts.hub,
            desk: parts.desk,
            link: parts.link,
            dials: parts.rates,
            law: parts.law,
            hasher: Hasher::new(2),
            tokens: Tokens::new(&parts.token_secret),
            principals: Principals::default(),
            gates: Gates {
                pages: Gate::new((limits.in_flight_max / 16).max(4), 0),
                crowded: Gate::new(1, 8),
                calls: Gate::new(limits.in_flight_max, limits.in_flight_max * 2),
                asking: Gate::new(limits.in_flight_max, limits.in_flight_max * 2),
                reading: Gate::new(limits.in_flight_max * 4, 0),
                hearing: Gate::new(limits.in_flight_max * 4, 0),
                streams: Gate::new(limits.in_flight_max / 4, 0),
                // Whoever is at work waits in one line for the database, first come, first served: few
                // enough reports stand in it that a question behind them is answered soon, and enough
                // that what they write goes in large groups (docs/benchmarks.md, overload).
                reports: Gate::new((limits.in_flight_max / 4).clamp(4, 1024), limits.in_flight_max),
            },
            rates: RateLimits {
                tenant: Throttle::new(f64::from(limits.tenant_per_s), limits.tenant_per_s.saturating_mul(2)),
                login_address: Throttle::new(0.5, 20),
                proofs: Throttle::new(0.1, 10),
            },
            lockouts: Lockouts::default(),
            background: TaskTracker::new(),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            hookless: crate::outbound::hook::Hookless::default(),
            inbox: OnceLock::new(),
            ids: Ids::seeded(u128::from_le_bytes(token::random())),
            config: parts.config,
        }))
    }

    /// Where tasks go from now on.
    pub fn attach(&self, inbox: Inbox) {
        let _ = self.inbox.set(inbox);
    }

    /// Hands tasks to the loop that performs them. Before the loop runs, timers find them.
    pub fn give(&self, tasks: Vec<Task>) {
        if let Some(inbox) = self.inbox.get() {
            inbox.give(tasks);
        }
    }

    /// A new id. Under an idempotency key it is the same one whenever the request comes again.
    pub fn new_id<K>(&self, tenant: TenantId) -> Id<K> {
        match crate::http::idempotency::seed(std::any::type_name::<K>()) {
            Some((at, random)) => Id::v7(tenant, at, random),
            None => Id::v7(tenant, self.clock.now(), self.ids.next()),
        }
    }

    /// Whether the loop that performs tasks runs.
    pub fn is_running(&self) -> bool {
        self.inbox.get().is_some()
    }
}
