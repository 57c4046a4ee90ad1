//! The carrier, its people, and the campaign that calls them. Time runs faster than the real one,
//! for everybody alike.

use crate::network::{ask, serve};
use autocall_core::agent::{Address, Agent, Status};
use autocall_core::call::ProviderRef;
use autocall_core::campaign::{Campaign, State};
use autocall_core::lead::{Lead, Number, Person};
use autocall_core::pacing::Mode;
use autocall_core::ports::catalog::{LeadBatch, LeadBook};
use autocall_core::ports::{AmdRequest, Changes, Clock, Dial, Line, Put, Sighting, Store, Telephony};
use autocall_core::script::{RecordingMode, Script};
use autocall_core::settings::{AmdMode, AmdPreset, Retry};
use autocall_core::{
    AgentId, CampaignId, Id, LeadId, Millis, Phone, Priority, TenantId, Timestamp, lead::State as LeadState,
};
use autocall_store_postgres::PostgresStore;
use autocall_testkit::carrier::{Click, Manners, Placed, Report, SimCarrier, Temper};
use autocall_testkit::clock::SimClock;
use autocall_testkit::dice::Spread;
use autocall_testkit::people::{Kind, People, Profile};
use autocall_testkit::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// Whose campaign it is.
pub(crate) const TENANT: TenantId = TenantId(1);
/// Seconds that pass in a real one.
pub(crate) const SPEED: u32 = 8;
/// Calls per second that the account starts, of all nodes together.
pub(crate) const PER_SECOND: f64 = 20.0;
/// Agents.
const AGENTS: u64 = 40;

/// The campaign.
pub(crate) fn campaign() -> CampaignId {
    Id::small(TENANT, 1)
}

/// The time that every process agrees on.
#[derive(Clone, Copy)]
pub(crate) struct Clockwork {
    began_ms: i64,
}

fn real_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64
}

impl Clockwork {
    pub(crate) fn begin() -> Clockwork {
        Clockwork { began_ms: real_ms() }
    }
    pub(crate) fn told(self) -> String {
        self.began_ms.to_string()
    }
    pub(crate) fn told_by(text: &str) -> Clockwork {
        Clockwork { began_ms: text.parse().expect("a time") }
    }
    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_ms(self.began_ms + (real_ms() - self.began_ms) * i64::from(SPEED))
    }
}

impl Clock for Clockwork {
    fn now(&self) -> Timestamp {
        Clockwork::now(*self)
    }
}

fn agent(n: u64, now: Timestamp) -> Agent {
    let phone = Phone::from_digits(12_015_550_000 + n).expect("eleven digits are a number");
    let id = AgentId::small(TENANT, u128::from(n));
    let mut agent = Agent::new(id, World::pool(), "Agent".into(), Address::Phone(phone), now);
    agent.status = Status::Available;
    agent
}

fn lead(n: u64, now: Timestamp) -> Lead {
    let phone = Phone::from_digits(14_150_000_000 + n).expect("eleven digits are a number");
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: campaign(),
        list: None,
        person: Arc::new(Person { first_name: "Ada".into(), ..Person::default() }),
        person_key: n,
        numbers: [Number::new(phone)].into_iter().collect(),
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: LeadState::Open,
        due_at: now,
        blocked_by: None,
        attempts: 0,
        tally: Default::default(),
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

/// A running campaign with its agents and `n` leads, each to be called once.
pub(crate) async fn furnish(store: &PostgresStore, n: u64, now: Timestamp) {
    let mut s = World::settings();
    s.pacing.mode = Mode::Power { ratio: 5.0 };
    s.caps.calls_per_second_max = PER_SECOND;
    s.caps.lines_max = 300;
    s.transfer.wrap_up_ms = 2_000;
    s.transfer.missed_offers_max = 0;
    s.amd.mode = AmdMode::Detect;
    for outcome in autocall_core::Outcome::ALL {
        s.retry.0.insert(outcome.name().into(), Retry::never());
    }
    let mut row = Campaign::new(campaign(), "kill", s);
    row.state = State::Running;
    row.wake_at = now;
    let mut changes = Changes::new(TENANT, now);
    changes.campaigns.push(Put { row, expected: 0 });
    changes.agents.extend((0..AGENTS).map(|k| Put { row: agent(k, now), expected: 0 }));
    store.commit(&changes).await.expect("a new store takes its first rows");
    let all: Vec<u64> = (0..n).collect();
    for some in all.chunks(1_000) {
        let leads: Vec<Lead> = some.iter().map(|k| lead(*k, now)).collect();
        let batch = LeadBatch { campaign: campaign(), leads, step: None, at: now };
        // On a machine that is busy with other things a batch may take too long; it adds nothing twice.
        while let Err(error) = store.add_leads(&batch).await {
            assert!(error.is_retryable(), "{error}");
        }
    }
}

fn profile() -> Profile {
    Profile {
        kinds: vec![Kind { weight: 1.0, answers: 0.25, answers_cv: 0.3, by_hour: vec![1.0; 24] }],
        machines: 0.5,
        ring: Spread::gamma(4.0, 0.4),
        machine_ring: Spread::gamma(6.0, 0.3),
        talk: Spread::lognormal(12.0, 0.7),
        ..Profile::default()
    }
}

/// The carrier's side: it takes dials, lets people answer, and calls the nodes back.
pub(crate) struct Exchange {
    carrier: Arc<SimCarrier>,
    clock: Clockwork,
    address: String,
    nodes: Nodes,
}

/// Where each node listens now.
type Nodes = Arc<Mutex<BTreeMap<String, String>>>;

impl Exchange {
    pub(crate) async fn open(clock: Clockwork, seed: u64) -> Exchange {
        let sim = SimClock::at(clock.now());
        let manners = Manners { calls_per_second: 100.0, queue_hold: Millis::from_secs(5), ..Manners::default() };
        let carrier = Arc::new(SimCarrier::new(sim.clone(), People::new(profile(), seed), manners, seed));
        for n in 0..AGENTS {
            let agent = agent(n, clock.now());
            carrier.staff(agent.id, &agent.address, Temper::default());
        }
        let nodes = Nodes::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (known, asked) = (nodes.clone(), carrier.clone());
        serve(listener, move |question| {
            let (known, asked) = (known.clone(), asked.clone());
            async move { answer(&asked, &known, &question).await }
        });
        let (known, spoken) = (nodes.clone(), carrier.clone());
        tokio::spawn(async move {
            loop {
                sim.advance_to(clock.now());
                for report in spoken.step() {
                    tokio::spawn(deliver(spoken.clone(), known.clone(), report));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Exchange { carrier, clock, address, nodes }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
    pub(crate) fn placed(&self) -> usize {
        self.carrier.placed_count()
    }
    /// The carrier's log.
    pub(crate) fn log(&self) -> Vec<Placed> {
        self.carrier.placed()
    }
    pub(crate) fn live(&self) -> Vec<Line> {
        self.carrier.live()
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
    pub(crate) async fn until_a_node_listens(&self) {
        while self.nodes.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    /// Waits until so many calls were placed, or for a real span.
    pub(crate) async fn until_dialled(&self, calls: usize, most: Duration) {
        let until = tokio::time::Instant::now() + most;
        while self.placed() < calls && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    /// Waits for a span of the campaign's time.
    pub(crate) async fn let_pass(&self, span: Duration) {
        tokio::time::sleep(span / SPEED).await;
    }
}

/// What a node asks of the carrier.
async fn answer(carrier: &SimCarrier, nodes: &Nodes, question: &Value) -> Value {
    let line = |name: &str| serde_json::from_value::<Line>(question[name].clone());
    if let Some(address) = question["hello"].as_str() {
        let node = question["node"].as_str().expect("a node has a number").to_owned();
        nodes.lock().unwrap_or_else(PoisonError::into_inner).insert(node, address.to_owned());
        return json!({});
    }
    if question["dial"].is_object() {
        return json!({ "provider": carrier.place(&dial(&question["dial"])) });
    }
    if let Ok(line) = line("steer") {
        let script: Script = serde_json::from_value(question["script"].clone()).expect("a script");
        let up = carrier.steer(line, &ProviderRef("".into()), "", &script).await.is_ok();
        return json!({ "up": up });
    }
    let line = line("look_up").expect("a question that the carrier knows");
    match carrier.lookup(line, "", None, Timestamp::EPOCH).await {
        Ok(Sighting::Seen(facts)) => json!({ "facts": facts }),
        _ => json!({ "facts": null }),
    }
}

fn dial(told: &Value) -> Dial {
    let field = |name: &str| told[name].clone();
    let amd = AmdRequest { mode: AmdMode::Detect, preset: AmdPreset::default() };
    Dial {
        line: serde_json::from_value(field("line")).expect("a line"),
        to: serde_json::from_value(field("to")).expect("an address"),
        from: serde_json::from_value(field("from")).expect("a number"),
        account: serde_json::from_value(field("account")).expect("an account"),
        ring_ms_max: serde_json::from_value(field("ring_ms_max")).expect("a span"),
        call_ms_max: serde_json::from_value(field("call_ms_max")).expect("a span"),
        amd: (told["amd"] == true).then_some(amd),
        // The node has waited for it already.
        not_before: Timestamp::EPOCH,
        recording: RecordingMode::Off,
    }
}

/// Calls a node back; another one where that fails, a few times. Whoever asked and heard nothing is
/// cut off, as a real carrier does it.
async fn deliver(carrier: Arc<SimCarrier>, nodes: Nodes, report: Report) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let (webhook, waits) = match &report {
        Report::Line { line, facts, asks } => {
            (json!({ "line": line, "facts": facts, "asks": asks.is_some() }), asks.map(|a| (*line, a)))
        }
        Report::Desk { agent, click } => match click {
            Click::Accept(call) => (json!({ "agent": agent, "call": call, "accepts": true }), None),
            Click::HangUp(call) => (json!({ "agent": agent, "call": call, "accepts": false }), None),
        },
    };
    for _ in 0..4 {
        let known: Vec<String> = nodes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let node = &known[TURN.fetch_add(1, Ordering::Relaxed) % known.len()];
        let told = ask(node, &webhook, Duration::from_secs(15) / SPEED).await;
        if let Ok(told) = told
            && told["failed"] != true
        {
            if let Some((line, asks)) = waits {
                let script: Option<Script> = serde_json::from_value(told["script"].clone()).ok();
                carrier.answer(line, asks, script.as_ref());
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some((line, asks)) = waits {
        carrier.answer(line, asks, None);
    }
}
