//! From the detector's verdict to the agent's ear, our own share: the verdict's webhook comes in,
//! the machine decides, the commit is written, and the carrier is asked to let the person into the
//! room of a standing agent. Everything over HTTP, against the fake carrier on this machine; only
//! the verdicts are sent by the bench, at a fixed rate, whether or not we keep up.

use crate::{Measurement, Opts};
use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, AgentEvent, Status};
use autocall_core::call::{ProviderRef, Stage};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::run::{Pace, Running, run as drive};
use autocall_core::engine::{Engine, Parts, Standard, Task};
use autocall_core::lead::{Lead, Number, Person as LeadPerson};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::{
    Capabilities, Changes, Clock, Dial, DialError, DialPermit, Ids, Line, LocalRates, Put, Sighting, Silent, Store,
    SystemClock, Telephony, TelephonyError,
};
use autocall_core::script::{Audio, Script};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{AgentId, CampaignId, LeadId, Phone, PoolId, Priority, Private, TenantId, Timestamp};
use autocall_testkit::fake_twilio::{Account as FakeAccount, Config, FakeTwilio, Person};
use autocall_twilio::form::Form;
use autocall_twilio::rest::{Client, Jitter, Limits};
use autocall_twilio::signature::sign;
use autocall_twilio::webhook::{Ear, Webhooks};
use autocall_twilio::{Account, EngineEar, FixedAccounts, Twilio, Urls, Validation};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const TENANT: TenantId = TenantId(1);
const POOL: PoolId = PoolId::small(TENANT, 1);
const CAMPAIGN: CampaignId = CampaignId::small(TENANT, 1);

/// How long one thing may take to come about before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs it.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let rate: u32 = opts.get("rate", 100).expect("--set rate=N");
    let seconds: u32 = opts.get("seconds", opts.pick(2, 10, 30)).expect("--set seconds=N");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(rate.max(1), rate.max(1) * seconds.max(1)))
}

/// When what happened to a line.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    came_in: Option<Instant>,
    went_out: Option<Instant>,
    answered: Option<Instant>,
}

/// Notes instants by line.
#[derive(Default)]
struct Watch(Mutex<BTreeMap<String, Seen>>);

impl Watch {
    fn note(&self, line: &str, set: impl FnOnce(&mut Seen)) {
        let mut seen = self.0.lock().expect("no panic holds it");
        if let Some(it) = seen.get_mut(line) {
            set(it);
        }
    }
}

/// The adapter, with a watch on what it is asked to do.
struct Watched {
    twilio: Arc<Twilio>,
    watch: Arc<Watch>,
}

#[async_trait]
impl Telephony for Watched {
    fn capabilities(&self) -> Capabilities {
        self.twilio.capabilities()
    }
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        self.twilio.dial(permit, dial).await
    }
    async fn steer(&self, line: Line, leg: &ProviderRef, account: &str, script: &Script) -> Result<(), TelephonyError> {
        let name = line.to_string();
        self.watch.note(&name, |s| s.went_out = Some(Instant::now()));
        let done = self.twilio.steer(line, leg, account, script).await;
        self.watch.note(&name, |s| s.answered = Some(Instant::now()));
        done
    }
    async fn lookup(
        &self,
        line: Line,
        account: &str,
        known: Option<&ProviderRef>,
        since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        self.twilio.lookup(line, account, known, since).await
    }
}

struct Scene {
    fake: FakeTwilio,
    store: Arc<MemoryStore>,
    engine: Arc<Engine>,
    running: Running,
    watch: Arc<Watch>,
    urls: Urls,
}

async fn measure(rate: u32, count: u32) -> Vec<Measurement> {
    let scene = Scene::new(count).await;
    scene.agents_stand(count).await;
    scene.people_listen(count).await;
    let calls = scene.store.calls();
    let late = scene.send_verdicts(&calls, rate).await;
    let bridged = || scene.store.calls().iter().filter(|c| matches!(c.stage, Stage::Bridged { .. })).count();
    scene.until("everybody is connected", || bridged() == count as usize).await;
    let together = scene.fake.conferences().iter().filter(|(_, labels)| labels.len() == 2).count();
    assert_eq!(together, count as usize, "every person is in the room of an agent");
    let seen = scene.watch.0.lock().expect("no panic holds it").clone();
    let ms = |from: Option<Instant>, to: Option<Instant>| {
        let (from, to) = (from.expect("came in"), to.expect("went out"));
        (to - from).as_secs_f64() * 1000.0
    };
    let out: Vec<f64> = seen.values().map(|s| ms(s.came_in, s.went_out)).collect();
    let done: Vec<f64> = seen.values().map(|s| ms(s.came_in, s.answered)).collect();
    let case = format!("standing, {rate} verdicts/s");
    let row = |metric: &str, value: f64| Measurement::lower("twilio", case.clone(), metric, value, "ms");
    vec![
        row("verdict_to_request_ms_p50", percentile(&out, 0.50)),
        row("verdict_to_request_ms_p99", percentile(&out, 0.99)).goal(50.0),
        row("verdict_to_request_ms_max", percentile(&out, 1.0)),
        row("verdict_to_carriers_answer_ms_p50", percentile(&done, 0.50)),
        row("verdict_to_carriers_answer_ms_p99", percentile(&done, 0.99)),
        Measurement::higher("twilio", case.clone(), "verdicts", f64::from(count), ""),
        row("sent_late_ms_max", late),
    ]
}

/// The smallest value that this share does not exceed.
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(at - 1).copied().unwrap_or(f64::NAN)
}

fn number(prefix: &str, n: u32) -> String {
    format!("{prefix}{:07}", 2_000_000 + n)
}

fn phone(number: &str) -> Phone {
    Phone::from_e164(number).expect("a number")
}

fn settings(count: u32) -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_e164("+14155550100");
    s.caller_ids = vec![phone("+14155550101")];
    s.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    s.hold = Audio::Silence;
    s.transfer.pools = vec![POOL];
    s.transfer.mode = TransferMode::Standing;
    s.transfer.wait_ms_max = 60_000;
    s.amd.verdict_ms_max = 60_000;
    s.caps.calls_per_second_max = 100.0;
    s.caps.lines_max = count;
    s
}

fn lead(n: u32) -> Lead {
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: CAMPAIGN,
        list: None,
        person: Arc::new(LeadPerson { first_name: Private::from("Ann"), ..LeadPerson::default() }),
        person_key: u64::from(n),
        numbers: smallvec::smallvec![Number::new(phone(&number("+1415", n)))],
        priority: Priority::Normal,
        order: i64::from(n),
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

async fn seed(store: &MemoryStore, count: u32, now: Timestamp) {
    let mut changes = Changes::new(TENANT, now);
    changes.campaigns.push(Put { row: Campaign::new(CAMPAIGN, "bench", settings(count)), expected: 0 });
    for n in 1..=count {
        let id = AgentId::small(TENANT, u128::from(n));
        let row = Agent::new(id, POOL, "Ann".into(), Address::Phone(phone(&number("+1212", n))), now);
        changes.agents.push(Put { row, expected: 0 });
    }
    changes.tally(CAMPAIGN).leads.open = i64::from(count);
    changes.leads.extend((1..=count).map(|n| Put { row: lead(n), expected: 0 }));
    store.commit(&changes).await.expect("seeded");
}

impl Scene {
    async fn new(count: u32) -> Scene {
        let fake = FakeTwilio::start(Config::default()).await.expect("loopback");
        // Nobody says anything until the bench does, and nobody hangs up.
        let silent = Person {
            setup_ms: 20,
            ring_ms: 200,
            patience_ms: None,
            talk_ms: None,
            verdict: Some(("never".into(), 0)),
            ..Person::human()
        };
        let at_hand = Person { setup_ms: 20, ring_ms: 100, ..Person::agent() };
        for n in 1..=count {
            fake.set_person(&number("+1415", n), vec![silent.clone()]);
            fake.set_person(&number("+1212", n), vec![at_hand.clone()]);
        }
        let slot: Slot = Arc::default();
        let watch = Arc::new(Watch::default());
        let base = serve(slot.clone(), watch.clone()).await;
        let client = Client::new(Limits::default(), Jitter::new(|| 0.5)).expect("client");
        let account = FakeAccount::default();
        let accounts = Account::twilio("default", &account.sid, &account.token).at(&fake.url());
        let accounts = Arc::new(FixedAccounts::one(accounts));
        let urls = Urls::new(&base).expect("a base");
        let now = Arc::new(|| SystemClock.now());
        let twilio = Arc::new(Twilio::new(client, accounts.clone(), urls.clone(), now));
        let store = Arc::new(MemoryStore::new());
        seed(&store, count, SystemClock.now()).await;
        let engine = Arc::new(Engine::new(Parts {
            store: store.clone(),
            telephony: Arc::new(Watched { twilio: twilio.clone(), watch: watch.clone() }),
            notifier: Arc::new(Silent),
            // The rate of calls is not what is measured.
            rates: Arc::new(LocalRates::new(100_000.0)),
            clock: Arc::new(SystemClock),
            permission: Arc::new(Standard),
            ids: Ids::seeded(1),
        }));
        let running = drive(engine.clone(), Pace::default());
        let inbox = running.inbox.clone();
        let give: autocall_twilio::Give = Arc::new(move |tasks| inbox.give(tasks));
        let ear: Arc<dyn Ear> = Arc::new(EngineEar::new(engine.clone(), twilio, give));
        let webhooks = Webhooks::new(urls.clone(), accounts, ear, Validation::Required);
        let _ = slot.set(webhooks);
        Scene { fake, store, engine, running, watch, urls }
    }

    fn give(&self, tasks: Vec<Task>) {
        self.running.inbox.give(tasks);
    }

    async fn until(&self, what: &str, is: impl Fn() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn agents_stand(&self, count: u32) {
        let show = phone("+14155550101");
        let standing = || self.store.agents(TENANT).iter().filter(|a| a.is_standing()).count();
        // In groups, so that no permit to dial waits for its turn until it expires.
        for n in 1..=count {
            let agent = AgentId::small(TENANT, u128::from(n));
            self.give(self.engine.stand(agent, show, 4 * 3_600_000).await.expect("stands"));
            if n % 50 == 0 || n == count {
                self.until("every agent stands", || standing() == n as usize).await;
            }
        }
        for n in 1..=count {
            let available = AgentEvent::Status(Status::Available);
            let tasks = self.engine.agent_event(AgentId::small(TENANT, u128::from(n)), &available).await;
            self.give(tasks.expect("available"));
        }
    }

    async fn people_listen(&self, count: u32) {
        self.give(self.engine.command(CAMPAIGN, &Command::Start).await.expect("starts"));
        let listening = || {
            let calls = self.store.calls();
            calls.iter().filter(|c| c.customer().facts.joined_at.is_some()).count()
        };
        self.until("everybody has picked up", || listening() == count as usize).await;
        // Whatever is still on its way is over before the clock starts.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// Sends the verdicts at their instants. Returns by how much the latest was late, ms.
    async fn send_verdicts(&self, calls: &[autocall_core::call::Call], rate: u32) -> f64 {
        let client = reqwest_client();
        let account = FakeAccount::default();
        let began = Instant::now() + Duration::from_millis(100);
        let mut late: f64 = 0.0;
        let mut sent = tokio::task::JoinSet::new();
        for (i, call) in calls.iter().enumerate() {
            let line = Line::Leg(call.leg_id(0)).to_string();
            self.watch.0.lock().expect("no panic holds it").insert(line.clone(), Seen::default());
            let sid = call.customer().facts.provider.clone().expect("known").0;
            let url = format!("{}/webhooks/twilio/amd/{line}?e=900", self.urls.base());
            let form = Form::of([
                ("CallSid", &*sid),
                ("AccountSid", &account.sid),
                ("AnsweredBy", "human"),
                ("MachineDetectionDuration", "2100"),
            ]);
            let signature = sign(&account.token, &url, &form);
            let at = began + Duration::from_secs_f64(i as f64 / f64::from(rate));
            tokio::time::sleep_until(at.into()).await;
            late = late.max(at.elapsed().as_secs_f64() * 1000.0);
            let request = client
                .post(&url)
                .header("x-twilio-signature", signature)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.encode());
            sent.spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) });
        }
        while let Some(answer) = sent.join_next().await {
            assert_eq!(answer.expect("joined").expect("an answer"), 204, "a verdict is taken in");
        }
        late
    }
}

fn reqwest_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(64).build().expect("a client")
}

type Slot = Arc<OnceLock<Webhooks>>;

/// A web server with our webhooks. It notes when a verdict has come in.
async fn serve(slot: Slot, watch: Arc<Watch>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (slot, watch) = (slot.clone(), watch.clone());
            let service = service_fn(move |request| answer(slot.clone(), watch.clone(), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    base
}

async fn answer(
    slot: Slot,
    watch: Arc<Watch>,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let came_in = Instant::now();
    let (parts, body) = request.into_parts();
    if let Some(line) = parts.uri.path().strip_prefix("/webhooks/twilio/amd/") {
        watch.note(line, |seen| seen.came_in = Some(came_in));
    }
    let body = body.collect().await?.to_bytes();
    let Some(webhooks) = slot.get() else {
        let mut down = hyper::Response::new(Full::new(Bytes::new()));
        *down.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        return Ok(down);
    };
    Ok(webhooks.serve(hyper::Request::from_parts(parts, body)).await.map(Full::new))
}
