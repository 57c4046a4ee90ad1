//! The trial's carrier: simulated people in real time (or so many times faster), and simulated
//! agents who take calls and say how they went. No real call is made.

use crate::app::App;
use crate::live::hub::{Heard, Room};
use autocall_core::agent::{Address, AgentEvent, State};
use autocall_core::ports::catalog::PageAsk;
use autocall_core::ports::{Clock, Note};
use autocall_core::settings::Then;
use autocall_core::{AgentId, CallId, Millis, TenantId, Timestamp};
use autocall_testkit::carrier::{Manners, SimCarrier, Temper};
use autocall_testkit::clock::SimClock;
use autocall_testkit::people::{People, Profile};
use autocall_testkit::world::relay;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A clock that runs so many times faster than real time.
pub struct ScaledClock {
    speed: f64,
    began: Instant,
    at: Timestamp,
}

impl ScaledClock {
    /// From the present on.
    pub fn new(speed: f64) -> ScaledClock {
        ScaledClock { speed, began: Instant::now(), at: autocall_core::ports::SystemClock.now() }
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        self.at + Millis::from_secs_f64(self.began.elapsed().as_secs_f64() * self.speed)
    }
}

/// The carrier on a clock's time.
pub fn carrier(clock: &ScaledClock) -> World {
    let now = clock.now();
    let seed = now.ms() as u64;
    let people = People::new(Profile::default(), seed);
    let clock = SimClock::at(now);
    let carrier = Arc::new(SimCarrier::new(clock.clone(), people, Manners::default(), seed));
    World { carrier, clock }
}

/// The simulated world, and the hand of its clock.
pub struct World {
    /// The carrier.
    pub carrier: Arc<SimCarrier>,
    clock: SimClock,
}

/// How often the simulated world moves on.
const STEP: Duration = Duration::from_millis(20);
/// How often new agents are looked for.
const STAFF: Duration = Duration::from_secs(2);

/// Moves the simulated world until the server stops.
pub async fn drive(app: App, world: World) {
    let sim = world.carrier;
    let mut step = tokio::time::interval(STEP);
    step.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut staff = tokio::time::interval(STAFF);
    let mut known = HashSet::new();
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            _ = step.tick() => {
                world.clock.advance_to(app.clock.now());
                let due = sim.next_at().is_some_and(|at| at <= app.clock.now());
                if due {
                    let tasks = relay(&sim, &app.engine).await;
                    app.give(tasks);
                }
            }
            _ = staff.tick() => {
                if let Err(problem) = hire(&app, &sim, &mut known).await {
                    tracing::debug!(problem = %problem.title, "simulated agents wait");
                }
            }
        }
    }
}

/// The prefix of the names of softphones that the simulation works for people: they ring, and
/// whoever sits at the console accepts.
pub const CONSOLE_PHONE: &str = "console";

async fn hire(app: &App, sim: &SimCarrier, known: &mut HashSet<AgentId>) -> crate::http::problem::Answer<()> {
    let mut ask = PageAsk::first(500);
    loop {
        let tenants = app.directory.tenant_names(&ask).await?;
        for tenant in tenants.items {
            let agents = app.catalog.agents(tenant.tenant, None, &PageAsk::first(500)).await?;
            for agent in agents.items.into_iter().map(|a| a.row).filter(|a| known.insert(a.id)) {
                let by_person =
                    matches!(&agent.address, Address::Client(name) if name.expose().starts_with(CONSOLE_PHONE));
                // A person's phone is picked up for them at once; the yes is theirs to give.
                let temper = if by_person { console_temper() } else { Temper::default() };
                sim.staff(agent.id, &agent.address, temper);
            }
            work(app, tenant.tenant);
        }
        match tenants.next {
            Some(next) => ask.after = Some(next),
            None => return Ok(()),
        }
    }
}

fn console_temper() -> Temper {
    Temper { accept: autocall_testkit::dice::Spread::fixed(3_600.0), ..Temper::steady() }
}

/// Tenants whose simulated agents are at work on this node.
static AT_WORK: std::sync::Mutex<Option<HashSet<(usize, TenantId)>>> = std::sync::Mutex::new(None);

/// Lets a tenant's simulated agents say how their calls went, once per tenant.
fn work(app: &App, tenant: TenantId) {
    let node = Arc::as_ptr(&app.hub) as usize;
    let mut at_work = AT_WORK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !at_work.get_or_insert_default().insert((node, tenant)) {
        return;
    }
    let app = app.clone();
    app.clone().background.spawn(async move {
        let Some(mut reader) = app.hub.read(Room::Tenant(tenant), None) else { return };
        loop {
            let heard = tokio::select! {
                () = app.stopping.cancelled() => return,
                heard = reader.next() => heard,
            };
            let Heard::Event(_, note) = heard else { continue };
            if let Note::Agent { agent } = note {
                write_up(&app, agent).await;
            }
        }
    });
}

async fn write_up(app: &App, agent: AgentId) {
    let Ok(found) = app.catalog.agent(agent).await else { return };
    let State::WrapUp { call, until } = found.row.state else { return };
    let by_person = matches!(&found.row.address, Address::Client(name) if name.expose().starts_with(CONSOLE_PHONE));
    if by_person {
        return;
    }
    let app = app.clone();
    app.clone().background.spawn(async move {
        let half = (until - app.clock.now()).ms().max(0) as f64 / 2.0 / app.config.trial_speed.max(0.1);
        tokio::time::sleep(Duration::from_millis(half as u64)).await;
        if say(&app, call, agent).await.is_none() {
            let _ = app.engine.agent_event(agent, &AgentEvent::Ready).await.map(|tasks| app.give(tasks));
        }
    });
}

/// One of the campaign's dispositions, chosen by the call's own id.
async fn say(app: &App, call: CallId, agent: AgentId) -> Option<()> {
    let snapshot = app.store.call(call).await.ok()?;
    let known = &snapshot.campaign.settings.dispositions;
    let chance = call.key().as_bytes()[15] % 100;
    let wanted = match chance {
        0..15 => Then::Close,
        15..75 => Then::Keep,
        _ => Then::RetryAfterMin(0),
    };
    let fits = |then: Then| std::mem::discriminant(&then) == std::mem::discriminant(&wanted);
    let usual = if chance < 15 { "success" } else { "not_interested" };
    let chosen = known.iter().find(|d| *d.code == *usual).or_else(|| known.iter().find(|d| fits(d.then)))?;
    let tasks = app.engine.dispose(call, Some(agent), &chosen.code, None).await.ok()?;
    app.give(tasks);
    Some(())
}
