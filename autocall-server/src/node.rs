//! A node: everything that one process runs, put together from the configuration.
//!
//! This is the file to read for how the crates are composed.

use crate::app::{App, Parts};
use crate::carrier::fence::Fence;
use crate::carrier::rates::{AccountRates, OneBucket};
use crate::carrier::{simulated, twilio};
use crate::config::{CarrierChoice, Config, StoreChoice};
use crate::desk::{Desk, NoDesk};
use crate::identity::token;
use crate::lawbook::LawBook;
use crate::live::hub::Hub;
use crate::ops::secrets;
use crate::{jobs, live, outbound};
use autocall_core::engine::run::Pace;
use autocall_core::engine::{Engine, Permission, Standard, run};
use autocall_core::ports::catalog::{Catalog, Directory};
use autocall_core::ports::{Bus, Clock, Ids, Lessons, LocalRates, Rates, Store, SystemClock, Telephony};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// A store, as the three ports that it serves.
#[derive(Clone)]
pub struct Stores {
    /// For the engine.
    pub store: Arc<dyn Store>,
    /// For people.
    pub catalog: Arc<dyn Catalog>,
    /// For what is found before the tenant is known.
    pub directory: Arc<dyn Directory>,
    /// Calls per second, leased between nodes.
    pub rates: Arc<dyn Rates>,
    /// Where nodes tell each other what changed; absent where there is only one.
    pub bus: Option<Arc<dyn Bus>>,
    /// What pacing has learned.
    pub lessons: Arc<dyn Lessons>,
}

/// Opens the configured store and brings its schema up to date.
pub async fn open_stores(config: &Config) -> Result<Stores, String> {
    secrets::folder(&config.data_dir)?;
    let sealing = sealing(config)?;
    let per_s = config.calls_per_s();
    match &config.store {
        StoreChoice::Sqlite => {
            let path = config.data_dir.join("autocall.db");
            let store = autocall_store_sqlite::open(&path, sealing).await.map_err(|e| causes(&e))?;
            let store = Arc::new(store);
            // One file, one node: its rate needs no row.
            let rates = Arc::new(LocalRates::new(per_s));
            let (catalog, directory, lessons) = (store.clone(), store.clone(), store.clone());
            Ok(Stores { store, catalog, directory, rates, bus: None, lessons })
        }
        StoreChoice::Postgres(url) => {
            let options = autocall_store_postgres::Options::new(url.expose_secret());
            let store = autocall_store_postgres::open(&options, sealing).await.map_err(|e| causes(&e))?;
            let rates = Arc::new(autocall_sql::SharedRates::new(store.clone(), per_s));
            let store = Arc::new(store);
            let bus = Some(open_bus(config, url).await?);
            let (catalog, directory, lessons) = (store.clone(), store.clone(), store.clone());
            Ok(Stores { store, catalog, directory, rates, bus, lessons })
        }
    }
}

/// How the nodes of one database tell each other what changed.
async fn open_bus(config: &Config, database: &SecretString) -> Result<Arc<dyn Bus>, String> {
    #[cfg(feature = "nats")]
    if let Some(url) = &config.nats_url {
        let bus = live::nats::NatsBus::open(url.expose_secret(), "autocall").await.map_err(|e| e.to_string())?;
        return Ok(Arc::new(bus));
    }
    #[cfg(not(feature = "nats"))]
    if config.nats_url.is_some() {
        return Err("NATS_URL: this build has no NATS (feature nats)".into());
    }
    let bus = autocall_store_postgres::PostgresBus::open(database.expose_secret()).await.map_err(|e| causes(&e))?;
    Ok(Arc::new(bus))
}

/// An error with everything beneath it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn sealing(config: &Config) -> Result<autocall_store_sqlite::Sealing, String> {
    use autocall_store_sqlite::Sealing;
    let Some(text) = &config.seal_key else {
        return Ok(Sealing::with(1, secrets::key(&config.data_dir, "seal.key")?));
    };
    let text = text.expose_secret().trim();
    if text == "off" {
        tracing::warn!("SEAL_KEY=off: names and numbers are stored in plain");
        return Ok(Sealing::off());
    }
    // One key without a number is the first.
    let text = if text.contains(':') { text.to_owned() } else { format!("1:{text}") };
    Sealing::from_text(&text).map_err(|e| format!("SEAL_KEY: {e}"))
}

fn token_secret(config: &Config) -> Result<[u8; 32], String> {
    match &config.token_secret {
        Some(text) => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.expose_secret().as_bytes());
            digest.as_ref().try_into().map_err(|_| "a digest has 32 bytes".to_owned())
        }
        None => secrets::key(&config.data_dir, "token.key"),
    }
}

/// A node that runs.
pub struct Node {
    /// What requests reach.
    pub app: App,
    /// The engine's loop; absent for a node that only reads and writes.
    running: Option<run::Running>,
    bus: Option<Arc<dyn Bus>>,
}

/// Who places calls, and what comes with them.
struct Carrier {
    telephony: Arc<dyn Telephony>,
    desk: Arc<dyn Desk>,
    permission: Arc<dyn Permission>,
    clock: Arc<dyn Clock>,
    rates: Arc<AccountRates>,
    simulated: Option<simulated::World>,
    link: Option<twilio::Link>,
}

fn carrier(config: &Config, stores: &Stores, law: &LawBook) -> Result<Carrier, String> {
    let catalog = &stores.catalog;
    Ok(match &config.carrier {
        CarrierChoice::Simulated => {
            let clock = Arc::new(simulated::ScaledClock::new(config.trial_speed));
            let world = simulated::carrier(&clock);
            Carrier {
                telephony: world.carrier.clone(),
                desk: Arc::new(NoDesk),
                // Simulated people may be called at any hour; the house's own rules still hold.
                permission: Arc::new(Standard),
                clock,
                rates: Arc::new(AccountRates::new(stores.rates.clone(), Arc::new(OneBucket))),
                simulated: Some(world),
                link: None,
            }
        }
        CarrierChoice::Twilio(account) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let link = twilio::link(account, &config.public_base, clock.clone(), catalog.clone())?;
            let rates = Arc::new(AccountRates::new(stores.rates.clone(), link.accounts.clone()));
            let fence = config.dial_only.as_deref().map(Fence::new);
            Carrier {
                telephony: link.twilio.clone(),
                desk: link.desk(catalog.clone(), clock.clone(), rates.clone(), fence),
                permission: law.permission(),
                clock,
                rates,
                simulated: None,
                link: Some(link),
            }
        }
    })
}

impl Node {
    /// Puts a node together and starts its loops.
    pub async fn start(config: Config) -> Result<Node, String> {
        let stores = open_stores(&config).await?;
        let (mut node, world) = Node::assemble(config, stores)?;
        node.run(world).await;
        Ok(node)
    }

    /// A node for a command: it reads and writes, and neither dials nor settles anything.
    pub async fn quiet(config: Config) -> Result<Node, String> {
        let stores = open_stores(&config).await?;
        Ok(Node::assemble(config, stores)?.0)
    }

    /// Puts a node together over stores that are open; nothing runs yet.
    pub fn assemble(config: Config, stores: Stores) -> Result<(Node, Option<simulated::World>), String> {
        secrets::folder(&config.data_dir)?;
        secrets::folder(&config.data_dir.join("uploads"))?;
        crate::ops::metrics::install();
        let hub = Arc::new(Hub::new(token::hex(&token::random::<8>())));
        let law = Arc::new(LawBook::open(&config)?);
        let mut carrier = carrier(&config, &stores, &law)?;
        if let Some(numbers) = &config.dial_only {
            let fence = Fence::new(numbers);
            carrier.telephony = fence.telephony(carrier.telephony);
            carrier.permission = fence.permission(carrier.permission);
        }
        let rates = carrier.rates;
        let engine = Engine::new(autocall_core::engine::Parts {
            store: stores.store.clone(),
            telephony: carrier.telephony,
            notifier: hub.clone(),
            rates: rates.clone(),
            clock: carrier.clock.clone(),
            permission: carrier.permission,
            ids: Ids::seeded(u128::from_le_bytes(token::random())),
        });
        let engine = Arc::new(engine.with_lessons(stores.lessons));
        let token_secret = token_secret(&config)?;
        let app = App::new(Parts {
            catalog: stores.catalog,
            directory: stores.directory,
            store: stores.store,
            engine: engine.clone(),
            clock: carrier.clock,
            hub,
            desk: carrier.desk,
            link: carrier.link,
            rates,
            law,
            token_secret,
            config,
        });
        Ok((Node { app, running: None, bus: stores.bus }, carrier.simulated))
    }

    /// Starts the loops.
    pub async fn run(&mut self, world: Option<simulated::World>) {
        let app = &self.app;
        let poll = Duration::from_secs_f64((0.1 / app.config.trial_speed.max(1.0)).max(0.01));
        let drain = Duration::from_secs(app.config.shutdown_s_max);
        let running = run::run(app.engine.clone(), Pace { poll, drain, ..Pace::default() });
        app.attach(running.inbox.clone());
        if let Some(world) = world {
            app.background.spawn(simulated::drive(app.clone(), world));
        }
        if let Some(bus) = &self.bus {
            let (hub, bus, node) = (app.hub.clone(), bus.clone(), token::hex(&token::random::<8>()));
            app.background.spawn(live::relay::run(hub, bus, node, app.stopping.clone()));
        }
        app.background.spawn(jobs::upkeep::run(app.clone()));
        app.background.spawn(app.law.clone().watch(app.clone()));
        app.background.spawn(outbound::deliver::run(app.clone()));
        jobs::import::resume(app).await;
        self.running = Some(running);
    }

    /// Calls nobody new, and goes on serving until nobody waits on the line for this server's
    /// next word: no call is being dialed, sought an agent for or offered. Conversations and
    /// messages go on at the carrier without us. Bounded by `SHUTDOWN_S_MAX`; simulated people
    /// are not waited for.
    pub async fn drain(&self) {
        let app = &self.app;
        app.draining.cancel();
        app.dials.close();
        if app.config.is_trial() {
            return;
        }
        let limit = Duration::from_secs(app.config.shutdown_s_max);
        let quiet = async {
            // A store that cannot be asked is waited for as well.
            while !matches!(somebody_waits(app).await, Ok(false)) {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        if tokio::time::timeout(limit, quiet).await.is_err() {
            tracing::warn!("people are still on the line; other nodes, or the next start, attend to them");
        }
    }

    /// Stops: no new work, what runs ends within its bound. Calls go on at the carrier and are
    /// taken up by other nodes, or by this one when it comes back.
    pub async fn stop(self) {
        let limit = Duration::from_secs(self.app.config.shutdown_s_max);
        self.app.stopping.cancel();
        if let Some(running) = self.running {
            running.shut_down().await;
        }
        self.app.background.close();
        let _ = tokio::time::timeout(limit, self.app.background.wait()).await;
    }
}

/// Whether anybody's next step is ours to say.
async fn somebody_waits(app: &App) -> crate::http::problem::Answer<bool> {
    use autocall_core::ports::catalog::{CallFilter, PageAsk};
    let filter = CallFilter { live: Some(true), ..CallFilter::default() };
    let mut ask = PageAsk::first(500);
    loop {
        let page = app.directory.tenant_names(&ask).await?;
        for tenant in &page.items {
            let live = app.catalog.calls(tenant.tenant, &filter, &PageAsk::first(500)).await?;
            if live.items.iter().any(|call| matches!(&*call.stage, "dialing" | "seeking" | "offering")) {
                return Ok(true);
            }
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return Ok(false),
        }
    }
}

impl Node {
    /// The carrier's webhooks, where it has some.
    pub fn webhooks(&self) -> Option<axum::Router<App>> {
        self.app.link.as_ref().map(|link| link.router(&self.app))
    }
}
