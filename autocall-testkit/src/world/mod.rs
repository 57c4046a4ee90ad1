//! A whole world in virtual time: engines over one store, the simulated carrier with its people,
//! and agents who come, talk, write up and go home. Runs a campaign to its end as fast as the
//! machine allows.
//!
//! Invariant: the same plan gives the same calls, to the byte.

mod crew;
mod times;

pub use crew::{Crew, Hours};
pub use times::{Spent, Times};

use crate::carrier::{Click, Manners, Report, SimCarrier};
use crate::clock::SimClock;
use crate::people::{People, Profile};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::{Engine, EngineError, Parts, Permission, Standard, Task};
use autocall_core::lead::Lead;
use autocall_core::memory::MemoryStore;
use autocall_core::ports::{Changes, Ids, LeadCounts, LocalRates, Note, Notifier, Put, Store, StoreError};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use autocall_core::{AgentId, CampaignId, Millis, Phone, PoolId, TenantId, Timestamp};
use crew::Desk;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a world is made of.
#[derive(Clone)]
pub struct Plan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// When it begins.
    pub starts_at: Timestamp,
    /// How many engines share the store.
    pub nodes: u32,
    /// Who is called.
    pub profile: Profile,
    /// How the carrier behaves.
    pub manners: Manners,
    /// Who talks to them.
    pub crew: Crew,
    /// Who may be called when.
    pub permission: Arc<dyn Permission>,
}

impl Plan {
    /// One engine, usual people and agents, no law but the campaign's own windows and caps.
    pub fn new(seed: u64, starts_at: Timestamp, agents: u32) -> Plan {
        Plan {
            seed,
            starts_at,
            nodes: 1,
            profile: Profile::default(),
            manners: Manners::default(),
            crew: Crew::of(agents),
            permission: Arc::new(Standard),
        }
    }
}

/// The tenant that owns everything in a world.
pub const TENANT: TenantId = TenantId(1);

/// How often settled calls are forgotten, in records.
const FORGET_EVERY: usize = 20_000;

/// Remembers which agents moved; nothing else matters to a world.
#[derive(Default)]
struct Moved(Mutex<BTreeSet<AgentId>>);

impl Notifier for Moved {
    fn notify(&self, note: &Note) {
        if let Note::Agent { agent } = note {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*agent);
        }
    }
}

/// The world.
pub struct World {
    clock: SimClock,
    store: Arc<MemoryStore>,
    carrier: Arc<SimCarrier>,
    engines: Vec<Engine>,
    moved: Arc<Moved>,
    desk: Desk,
    turns: u64,
    forgotten_at: usize,
}

impl World {
    /// A world in which nothing has happened yet. Its agents belong to [`World::pool`].
    pub fn new(plan: &Plan) -> World {
        let clock = SimClock::at(plan.starts_at);
        let people = People::new(plan.profile.clone(), plan.seed);
        let carrier = Arc::new(SimCarrier::new(clock.clone(), people, plan.manners.clone(), plan.seed));
        let (store, moved) = (Arc::new(MemoryStore::new()), Arc::new(Moved::default()));
        let rates = Arc::new(LocalRates::new(plan.manners.calls_per_second));
        let engine = |node: u32| {
            Engine::new(Parts {
                store: store.clone(),
                telephony: carrier.clone(),
                notifier: moved.clone(),
                rates: rates.clone(),
                clock: Arc::new(clock.clone()),
                permission: plan.permission.clone(),
                ids: Ids::seeded((u128::from(plan.seed) << 32) | u128::from(node)),
            })
        };
        let engines = (0..plan.nodes.max(1)).map(engine).collect();
        let desk = Desk::new(&plan.crew, plan.seed, plan.starts_at);
        let mut world = World { clock, store, carrier, engines, moved, desk, turns: 0, forgotten_at: 0 };
        world.hire(&plan.crew, plan.starts_at);
        world
    }

    /// The pool of the world's agents: name it in a campaign's settings.
    pub fn pool() -> PoolId {
        PoolId::small(TENANT, 1)
    }
    /// Settings that can start a campaign of this world as they are.
    pub fn settings() -> Settings {
        let mut s = Settings::default();
        s.seller.name = "Example Ltd".into();
        s.seller.phone = Phone::from_digits(12_025_550_100);
        s.caller_ids = [12_025_550_101, 12_025_550_102].into_iter().filter_map(Phone::from_digits).collect();
        s.abandonment = Some(Audio::say("Example Ltd called, 202 555 0100. Press 9 and we will not call again."));
        s.transfer.pools = vec![World::pool()];
        s.caps.calls_per_second_max = 10.0;
        s
    }
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// The store.
    pub fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }
    /// The carrier.
    pub fn carrier(&self) -> &Arc<SimCarrier> {
        &self.carrier
    }
    /// An engine, to give commands to; [`World::perform`] what it returns.
    pub fn engine(&self) -> &Engine {
        &self.engines[0]
    }
    /// How agents spent their time up to now.
    pub fn times(&self) -> Times {
        self.desk.times(self.now())
    }

    fn hire(&mut self, crew: &Crew, now: Timestamp) {
        let mut changes = Changes::new(TENANT, now);
        for agent in crew.agents(World::pool(), now) {
            self.carrier.staff(agent.id, &agent.address, crew.temper.clone());
            changes.agents.push(Put { row: agent, expected: 0 });
        }
        ready(self.store.commit(&changes)).expect("a new store takes its first rows");
    }

    /// Adds a campaign with its leads and starts it.
    ///
    /// # Errors
    /// Every problem of its settings, in one text.
    pub fn start(
        &mut self,
        name: &str,
        settings: Settings,
        leads: impl IntoIterator<Item = Lead>,
    ) -> Result<CampaignId, EngineError> {
        let id = CampaignId::small(TENANT, 1);
        let now = self.now();
        self.desk.stands(&settings);
        let mut changes = Changes::new(TENANT, now);
        changes.campaigns.push(Put { row: Campaign::new(id, name, settings), expected: 0 });
        ready(self.store.commit(&changes))?;
        self.add_leads(id, leads)?;
        let tasks = ready(self.engine().command(id, &Command::Start))?;
        self.perform(tasks);
        Ok(id)
    }

    fn add_leads(&self, campaign: CampaignId, leads: impl IntoIterator<Item = Lead>) -> Result<(), StoreError> {
        let mut changes = Changes::new(TENANT, self.now());
        let mut counts = LeadCounts::default();
        for lead in leads {
            counts.add(&LeadCounts::of(&lead), 1);
            changes.leads.push(Put { row: Lead { campaign, ..lead }, expected: 0 });
        }
        changes.tally(campaign).leads = counts;
        ready(self.store.commit(&changes)).map(|_| ())
    }

    /// Performs tasks and what follows from them.
    pub fn perform(&self, tasks: Vec<Task>) {
        ready(self.engine().perform_all(tasks));
    }

    /// Lets happen what is due now. Returns when the next thing is due.
    pub fn turn(&mut self) -> Option<Timestamp> {
        let now = self.now();
        self.turns += 1;
        let engine = &self.engines[(self.turns % self.engines.len() as u64) as usize];
        ready(async {
            self.desk.act(engine, now).await;
            let tasks = relay(&self.carrier, engine).await;
            engine.perform_all(tasks).await;
            if self.store.next_wake(now).is_some_and(|in_| in_ <= Millis::ZERO)
                && let Ok(tasks) = engine.step(256).await
            {
                engine.perform_all(tasks).await;
            }
            let moved = std::mem::take(&mut *self.moved.0.lock().unwrap_or_else(PoisonError::into_inner));
            for agent in moved {
                self.desk.see(&*self.store, agent, now).await;
            }
        });
        let records = self.store.settled();
        if records >= self.forgotten_at + FORGET_EVERY {
            self.forgotten_at = records;
            self.store.forget_settled();
        }
        // Whatever is due again at once is due a millisecond later: time always passes.
        self.next_at().map(|at| at.max(now + Millis::from_ms(1)))
    }

    fn next_at(&self) -> Option<Timestamp> {
        let now = self.now();
        let wake = self.store.next_wake(now).map(|in_| now + in_);
        [self.carrier.next_at(), wake, self.desk.next_at()].into_iter().flatten().min()
    }

    /// Runs until `until`, or until no lead of the campaign is left to call and no call lives.
    /// `watch` is called about once a simulated minute.
    pub fn run(&mut self, campaign: CampaignId, until: Timestamp, mut watch: impl FnMut(&World)) {
        let mut watched = self.now();
        while let Some(next) = self.turn() {
            if self.now() - watched >= Millis::from_mins(1) {
                watched = self.now();
                watch(self);
                if self.is_done(campaign, until) {
                    break;
                }
                self.send_home(campaign);
            }
            if next >= until {
                self.clock.advance_to(until);
                break;
            }
            self.clock.advance_to(next);
        }
        watch(self);
    }

    /// Agents go home while nothing lives and nothing is due for a while.
    fn send_home(&mut self, campaign: CampaignId) {
        let now = self.now();
        let Ok(view) = ready(self.store.campaign(campaign)) else { return };
        let next_due = view.next_due.unwrap_or(Timestamp::NEVER);
        if view.load.live() == 0 && next_due != Timestamp::NEVER && next_due > now + Millis::from_mins(15) {
            ready(self.desk.dismiss(&self.engines[0], next_due, now));
        }
    }

    fn is_done(&self, campaign: CampaignId, until: Timestamp) -> bool {
        let Ok(view) = ready(self.store.campaign(campaign)) else { return true };
        let idle = view.load.live() == 0 && view.leads.calling == 0;
        idle && view.next_due.is_none_or(|due| due >= until)
    }
}

/// Hands what the carrier says to an engine and the answers back. Returns the tasks that follow.
/// Whoever drives a simulated carrier by hand calls this whenever [`SimCarrier::next_at`] is past.
pub async fn relay(carrier: &SimCarrier, engine: &Engine) -> Vec<Task> {
    let mut tasks = Vec::new();
    for report in carrier.step() {
        match report {
            Report::Line { line, facts, asks } => match engine.hear(line, *facts, asks.is_some()).await {
                Ok(reply) => {
                    if let Some(asks) = asks {
                        carrier.answer(line, asks, Some(&reply.script));
                    }
                    tasks.extend(reply.tasks);
                }
                Err(_) => {
                    if let Some(asks) = asks {
                        carrier.answer(line, asks, None);
                    }
                }
            },
            Report::Desk { agent, click } => {
                let done = match click {
                    Click::Accept(call) => engine.answer(call, agent, true).await,
                    Click::HangUp(call) => engine.hang_up(call).await,
                };
                tasks.extend(done.unwrap_or_default());
            }
        }
    }
    tasks
}

/// The value of a future that never waits.
///
/// # Panics
/// If it waits: in a simulated world nothing does.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future waits in a world where nothing does"),
    }
}
