//! A whole dialer against the fake carrier: engine, memory store, adapter, webhooks over real
//! HTTP, on a clock that runs faster than the machine's.
#![allow(dead_code, unreachable_pub)]

use autocall_core::agent::{Address, Agent, AgentEvent, State, Status};
use autocall_core::call::Call;
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::run::{Pace, Running, run};
use autocall_core::engine::{Engine, Parts, Standard};
use autocall_core::lead::{Lead, Number, Person as LeadPerson};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::{
    Changes, Clock, Ids, Lease, Line, LocalRates, Put, Rates, Silent, Store, StoreError, Urgency,
};
use autocall_core::script::Audio;
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{AgentId, CampaignId, LeadId, Millis, Phone, PoolId, Priority, Private, TenantId, Timestamp};
use autocall_testkit::fake_twilio::{Account as FakeAccount, Config, FakeTwilio, Person};
use autocall_twilio::rest::{Client, Jitter, Limits};
use autocall_twilio::webhook::{Ear, Webhooks};
use autocall_twilio::{Account, EngineEar, FixedAccounts, Twilio, Urls, Validation};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const TENANT: TenantId = TenantId(1);
pub const POOL: PoolId = PoolId::small(TENANT, 1);
pub const CAMPAIGN: CampaignId = CampaignId::small(TENANT, 1);
pub const BOTH: [TransferMode; 2] = [TransferMode::OnDemand, TransferMode::Standing];

/// The machine's clock, faster.
#[derive(Clone)]
pub struct FastClock {
    began: Instant,
    epoch: Timestamp,
    speed: f64,
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.epoch + Millis::from_ms((self.began.elapsed().as_secs_f64() * 1000.0 * self.speed) as i64)
    }
}

/// The account's places in time, and a note of those that were given away, in milliseconds.
pub struct Leased {
    inner: LocalRates,
    pub places: Mutex<Vec<i64>>,
}

#[async_trait::async_trait]
impl Rates for Leased {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        let lease = self.inner.lease(account, want, urgency, now).await?;
        let given = (0..lease.granted as usize).map(|i| lease.place(i).ms());
        self.places.lock().expect("lock").extend(given);
        Ok(lease)
    }
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        self.inner.available(account, now).await
    }
    async fn back_off(&self, account: &str, until: Timestamp) -> Result<(), StoreError> {
        self.inner.back_off(account, until).await
    }
}

pub struct Options {
    pub mode: TransferMode,
    pub leads: u64,
    pub agents: u64,
    pub speed: f64,
    pub account: FakeAccount,
    /// Engines at work on the same store; webhooks go to the first.
    pub nodes: usize,
    /// Calls per second of the account, shared by the nodes.
    pub rate: f64,
    pub settings: fn(&mut Settings),
}

impl Options {
    pub fn new(mode: TransferMode) -> Options {
        Options {
            mode,
            leads: 1,
            agents: 1,
            speed: 10.0,
            account: FakeAccount::default(),
            nodes: 1,
            rate: 1_000.0,
            settings: |_| {},
        }
    }
}

pub struct Bench {
    pub fake: FakeTwilio,
    pub store: Arc<MemoryStore>,
    pub twilio: Arc<Twilio>,
    pub engine: Arc<Engine>,
    pub clock: FastClock,
    pub mode: TransferMode,
    ear: Slot,
    running: Option<Running>,
    others: Vec<Running>,
    pub rates: Arc<Leased>,
    parts: u128,
}

type Slot = Arc<Mutex<Option<Arc<Webhooks>>>>;

pub fn lead_number(n: u64) -> String {
    format!("+1415555{:04}", 2000 + n)
}
pub fn agent_number(n: u64) -> String {
    format!("+1212555{:04}", 3000 + n)
}

pub fn settings(options: &Options) -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_e164("+14155550100");
    s.caller_ids = vec![Phone::from_e164("+14155550101").expect("a number")];
    s.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    s.hold = Audio::Silence;
    s.transfer.pools = vec![POOL];
    s.transfer.mode = options.mode;
    s.transfer.wrap_up_ms = 1_000;
    s.transfer.wait_ms_max = 4_000;
    s.caps.calls_per_second_max = 100.0;
    s.caps.attempts_max = 1;
    (options.settings)(&mut s);
    s
}

pub fn lead(n: u64) -> Lead {
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: CAMPAIGN,
        list: None,
        person: Arc::new(LeadPerson { first_name: Private::from("Ann & Bob <x>"), ..LeadPerson::default() }),
        person_key: n,
        numbers: smallvec::smallvec![Number::new(Phone::from_e164(&lead_number(n)).expect("a number"))],
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: autocall_core::lead::State::Open,
        due_at: Timestamp::EPOCH,
        blocked_by: None,
        attempts: 0,
        tally: smallvec::smallvec![],
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

impl Bench {
    pub async fn new(options: Options) -> Bench {
        Bench::with_fake(options, |_| {}).await
    }

    /// `prepare` scripts the fake before anything is dialled.
    pub async fn with_fake(options: Options, prepare: impl FnOnce(&FakeTwilio)) -> Bench {
        let account = options.account.clone();
        let config = Config { speed: options.speed, accounts: vec![account.clone()], ..Config::default() };
        let fake = FakeTwilio::start(config).await.expect("loopback");
        let now = Timestamp::from_jiff(jiff::Timestamp::now());
        let clock = FastClock { began: Instant::now(), epoch: now, speed: options.speed };
        for n in 1..=options.agents {
            fake.set_person(&agent_number(n), vec![Person::agent()]);
        }
        prepare(&fake);
        let slot: Slot = Arc::default();
        let base = serve(slot.clone()).await;
        let limits = Limits { total: Duration::from_millis(1_500), ..Limits::default() };
        let client = Client::new(limits, Jitter::new(|| 0.5)).expect("client");
        let accounts = FixedAccounts::one(Account::twilio("default", &account.sid, &account.token).at(&fake.url()));
        let urls = Urls::new(&base).expect("a base");
        let ticking = clock.clone();
        let twilio = Arc::new(Twilio::new(client, Arc::new(accounts), urls, Arc::new(move || ticking.now())));
        let store = Arc::new(MemoryStore::new());
        seed(&store, &options, clock.now()).await;
        let rates = Arc::new(Leased { inner: LocalRates::new(options.rate), places: Mutex::default() });
        let mut bench = Bench {
            engine: engine(&store, &twilio, &clock, &rates, 1),
            fake,
            store,
            twilio,
            clock,
            mode: options.mode,
            ear: slot,
            running: None,
            others: Vec::new(),
            rates,
            parts: 1,
        };
        bench.start();
        for n in 1..options.nodes {
            let other = engine(&bench.store, &bench.twilio, &bench.clock, &bench.rates, 100 + n as u128);
            bench.others.push(run(other, pace()));
        }
        for n in 1..=options.agents {
            bench.agent_at_work(AgentId::small(TENANT, u128::from(n))).await;
        }
        bench.give(bench.engine.command(CAMPAIGN, &Command::Start).await.expect("starts"));
        bench
    }

    pub fn give(&self, tasks: Vec<autocall_core::engine::Task>) {
        if let Some(running) = &self.running {
            running.inbox.give(tasks);
        }
    }

    async fn agent_at_work(&self, agent: AgentId) {
        if self.mode == TransferMode::Standing {
            let show = Phone::from_e164("+14155550101").expect("a number");
            let tasks = self.engine.stand(agent, show, 3_600_000).await.expect("stands");
            self.give(tasks);
            self.until("the agent stands", || {
                let agents = self.store.agents(TENANT);
                agents.iter().any(|a| a.id == agent && a.station.as_ref().is_some_and(|s| s.provider.is_some()))
            })
            .await;
        }
        let tasks = self.engine.agent_event(agent, &AgentEvent::Status(Status::Available)).await.expect("available");
        self.give(tasks);
    }

    fn start(&mut self) {
        let running = run(self.engine.clone(), pace());
        let inbox = running.inbox.clone();
        let give: autocall_twilio::Give = Arc::new(move |tasks| inbox.give(tasks));
        let ear: Arc<dyn Ear> = Arc::new(EngineEar::new(self.engine.clone(), self.twilio.clone(), give));
        let accounts = self.accounts();
        let webhooks = Webhooks::new(self.twilio.urls().clone(), accounts, ear, Validation::Required)
            .with_client(self.twilio.client().clone());
        *self.ear.lock().expect("lock") = Some(Arc::new(webhooks));
        self.running = Some(running);
    }

    fn accounts(&self) -> Arc<FixedAccounts> {
        let account = FakeAccount::default();
        Arc::new(FixedAccounts::one(Account::twilio("default", &account.sid, &account.token).at(&self.fake.url())))
    }

    /// The process dies: whatever it was doing is dropped where it stands. Another one starts on
    /// the same store, knowing nothing.
    pub async fn crash(&mut self) {
        *self.ear.lock().expect("lock") = None;
        drop(self.running.take());
        self.parts += 1;
        let client = self.twilio.client().clone();
        let ticking = self.clock.clone();
        let urls = self.twilio.urls().clone();
        self.twilio = Arc::new(Twilio::new(client, self.accounts(), urls, Arc::new(move || ticking.now())));
        self.engine = engine(&self.store, &self.twilio, &self.clock, &self.rates, self.parts);
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.start();
    }

    /// Waits, at most a minute of real time: a call of which every report was lost is looked up
    /// minutes later, of the scene's time.
    pub async fn until(&self, what: &str, is: impl Fn() -> bool) {
        for _ in 0..6_000 {
            if is() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let log: Vec<String> = self
            .fake
            .log(0)
            .into_iter()
            .map(|e| {
                format!("{} {} {} {}", e.at_ms - self.clock.epoch.ms(), e.kind, e.attempt.unwrap_or_default(), e.what)
            })
            .collect();
        panic!("never: {what}\ncalls {:#?}\nlog {:#?}", self.store.calls(), log);
    }

    pub async fn settled(&self, n: usize) {
        self.until("settled", || self.store.records().len() >= n).await;
    }

    pub fn call(&self) -> Call {
        self.store.calls().into_iter().next().expect("a call")
    }
    pub fn agent(&self) -> Agent {
        self.store.agents(TENANT).into_iter().next().expect("an agent")
    }
    /// What was dialled, by line. A line dialled twice fails the test, whatever it is about.
    pub fn dialled(&self) -> BTreeMap<String, String> {
        let mut lines = BTreeMap::new();
        for dialled in self.fake.dialled() {
            let line = dialled.attempt.clone().expect("every dial names its line");
            let before = lines.insert(line.clone(), dialled.call);
            assert_eq!(before, None, "{line} was dialled twice");
        }
        lines
    }
    pub fn customer_sid(&self) -> Option<String> {
        let lines = self.dialled();
        lines.iter().find(|(l, _)| is_customer(l)).map(|(_, sid)| sid.clone())
    }
    pub fn agent_sid(&self) -> Option<String> {
        self.dialled().iter().rev().find(|(l, _)| !is_customer(l)).map(|(_, sid)| sid.clone())
    }
    pub fn said(&self, kind: &str) -> Vec<String> {
        self.fake.log(0).into_iter().filter(|e| e.kind == kind).map(|e| e.what).collect()
    }

    /// What must hold at the end of every story: one outcome a call, nobody held, no leg alive but
    /// standing ones, no line dialled twice, no document at fault, no room left with a customer.
    pub async fn is_clean(&self) {
        self.until("every customer's and offered leg is over", || {
            self.dialled()
                .iter()
                .filter(|(l, _)| !l.contains("-s"))
                .all(|(_, sid)| !matches!(self.fake.call_status(sid), Some("queued" | "ringing" | "in-progress")))
        })
        .await;
        self.until("no agent is held", || {
            self.store.agents(TENANT).iter().all(|a| !matches!(a.state, State::Held { .. }))
        })
        .await;
        let records = self.store.records();
        let calls: std::collections::BTreeSet<_> = records.iter().map(|r| r.call).collect();
        assert_eq!(calls.len(), records.len(), "one record a call");
        assert_eq!(self.store.calls().iter().filter(|c| !c.is_settled()).count(), 0);
        assert!(self.said("fault").iter().all(|f| !f.contains("16025")), "a label was used twice");
        self.dialled();
    }
}

pub fn is_customer(line: &str) -> bool {
    matches!(line.parse::<Line>(), Ok(Line::Leg(leg)) if leg.leg == 0)
}

fn pace() -> Pace {
    Pace { poll: Duration::from_millis(10), ..Pace::default() }
}

fn engine(
    store: &Arc<MemoryStore>,
    twilio: &Arc<Twilio>,
    clock: &FastClock,
    rates: &Arc<Leased>,
    seed: u128,
) -> Arc<Engine> {
    Arc::new(Engine::new(Parts {
        store: store.clone(),
        telephony: twilio.clone(),
        notifier: Arc::new(Silent),
        rates: rates.clone(),
        clock: Arc::new(clock.clone()),
        permission: Arc::new(Standard),
        ids: Ids::seeded(seed),
    }))
}

async fn seed(store: &MemoryStore, options: &Options, now: Timestamp) {
    let mut changes = Changes::new(TENANT, now);
    changes.campaigns.push(Put { row: Campaign::new(CAMPAIGN, "first", settings(options)), expected: 0 });
    for n in 1..=options.agents {
        let phone = Phone::from_e164(&agent_number(n)).expect("a number");
        let id = AgentId::small(TENANT, u128::from(n));
        let row = Agent::new(id, POOL, "Ann".into(), Address::Phone(phone), now);
        changes.agents.push(Put { row, expected: 0 });
    }
    changes.tally(CAMPAIGN).leads.open = options.leads as i64;
    changes.leads.extend((1..=options.leads).map(|n| Put { row: lead(n), expected: 0 }));
    store.commit(&changes).await.expect("seeded");
}

/// A web server with our webhooks and two sounds; answers 503 while there is nobody.
async fn serve(slot: Slot) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let slot = slot.clone();
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |request| answer(slot.clone(), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    base
}

async fn answer(
    slot: Slot,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let webhooks = slot.lock().expect("lock").clone();
    let Some(webhooks) = webhooks else {
        let mut down = hyper::Response::new(Full::new(Bytes::new()));
        *down.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        return Ok(down);
    };
    Ok(webhooks.serve(hyper::Request::from_parts(parts, body)).await.map(Full::new))
}
