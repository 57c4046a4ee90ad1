//! The loop of a server: what becomes of tasks when it stops, is full, or is asked too often.

use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, Status};
use autocall_core::call::{LegFacts, Verdict};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::run::{Pace, run};
use autocall_core::engine::{Engine, Parts, Standard, TASKS_MAX, Task};
use autocall_core::lead::{Lead, Number, Person, State};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::*;
use autocall_core::{AgentId, CallId, CampaignId, LeadId, Outcome, Phone, Priority, Timestamp};
use autocall_testkit::clock::SimClock;
use autocall_testkit::fake::FakeTelephony;
use autocall_testkit::world::{TENANT, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_secs(1_800_003_600);
const AGENTS: u64 = 5;

/// A store in memory that counts how often a campaign was read.
#[derive(Default)]
struct Counted {
    inner: MemoryStore,
    campaigns: AtomicUsize,
}

#[async_trait]
impl Store for Counted {
    async fn call(&self, id: CallId) -> Result<Snapshot, StoreError> {
        self.inner.call(id).await
    }
    async fn campaign(&self, id: CampaignId) -> Result<CampaignView, StoreError> {
        self.campaigns.fetch_add(1, Ordering::Relaxed);
        self.inner.campaign(id).await
    }
    async fn agent(&self, id: AgentId) -> Result<AgentView, StoreError> {
        self.inner.agent(id).await
    }
    async fn commit(&self, changes: &Changes) -> Result<Committed, StoreError> {
        self.inner.commit(changes).await
    }
    async fn candidate(&self, lead: LeadId, now: Timestamp) -> Result<Candidate, StoreError> {
        self.inner.candidate(lead, now).await
    }
    async fn candidates(&self, campaign: CampaignId, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.inner.candidates(campaign, now, limit).await
    }
    async fn due(&self, now: Timestamp, hidden_until: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        self.inner.due(now, hidden_until, limit).await
    }
}

struct Scene {
    engine: Arc<Engine>,
    store: Arc<Counted>,
    carrier: Arc<FakeTelephony>,
    campaign: CampaignId,
}

fn lead(n: u64, campaign: CampaignId) -> Lead {
    let number = Number::new(Phone::from_digits(14_155_550_000 + n).expect("valid"));
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign,
        list: None,
        person: Arc::new(Person::default()),
        person_key: n,
        numbers: [number].into_iter().collect(),
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: State::Open,
        due_at: Timestamp::EPOCH,
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

/// A campaign that runs, with a lead for every agent, and the dials of its first look.
async fn scene() -> (Scene, Vec<Task>) {
    let clock = SimClock::at(NOW);
    let (store, carrier) = (Arc::new(Counted::default()), Arc::new(FakeTelephony::new(clock.clone())));
    let engine = Arc::new(Engine::new(Parts {
        store: store.clone(),
        telephony: carrier.clone(),
        notifier: Arc::new(Silent),
        rates: Arc::new(LocalRates::new(100.0)),
        clock: Arc::new(clock),
        permission: Arc::new(Standard),
        ids: Ids::seeded(1),
    }));
    let campaign = CampaignId::small(TENANT, 1);
    let mut changes = Changes::new(TENANT, NOW);
    changes.campaigns.push(Put { row: Campaign::new(campaign, "run", World::settings()), expected: 0 });
    for n in 1..=AGENTS {
        let phone = Phone::from_digits(12_015_550_000 + n).expect("valid");
        let id = AgentId::small(TENANT, u128::from(n));
        let mut row = Agent::new(id, World::pool(), "Agent".into(), Address::Phone(phone), NOW);
        row.status = Status::Available;
        changes.agents.push(Put { row, expected: 0 });
        changes.leads.push(Put { row: lead(n, campaign), expected: 0 });
    }
    changes.tally(campaign).leads.open = AGENTS as i64;
    store.commit(&changes).await.expect("a new store");
    drop(engine.command(campaign, &Command::Start).await.expect("settings that can start"));
    let tasks = engine.tick(campaign).await.expect("memory does not fail");
    assert_eq!(tasks.iter().filter(|t| matches!(t, Task::Dial { .. })).count() as u64, AGENTS);
    (Scene { engine, store, carrier, campaign }, tasks)
}

fn pace() -> Pace {
    Pace { poll: Duration::from_secs(3_600), drain: Duration::from_secs(5), ..Pace::default() }
}

async fn settle_down() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    // The first poll comes with the clock's next millisecond.
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_shutdown_gives_back_the_dials_that_have_not_left() {
    let (s, tasks) = scene().await;
    let running = run(s.engine.clone(), pace());
    let inbox = running.inbox.clone();
    inbox.give(tasks);
    running.shut_down().await;
    assert!(s.carrier.dialled().is_empty());
    let records = s.store.inner.records();
    assert_eq!(records.len() as u64, AGENTS);
    assert!(records.iter().all(|r| r.outcome == Outcome::Canceled), "known not to have left, not lost: {records:?}");
    for lead in s.store.inner.leads(s.campaign) {
        assert_eq!((lead.state, lead.attempts), (State::Open, 0), "and no attempt");
    }

    // What comes in after the end is given back too.
    for lead in s.store.inner.leads(s.campaign) {
        let row = Lead { due_at: NOW, ..lead };
        let version = s.store.inner.lead(row.id).expect("stored").version;
        let mut changes = Changes::new(TENANT, NOW);
        changes.leads.push(Put { row, expected: version });
        s.store.commit(&changes).await.expect("fresh");
    }
    inbox.give(s.engine.tick(s.campaign).await.expect("memory does not fail"));
    settle_down().await;
    assert!(s.store.inner.records().len() as u64 > AGENTS);
    assert!(s.store.inner.live_calls().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn what_runs_when_the_stop_comes_is_finished() {
    let (s, tasks) = scene().await;
    let running = run(s.engine.clone(), pace());
    running.inbox.give(tasks);
    settle_down().await;
    running.shut_down().await;
    assert_eq!(s.carrier.dialled().len() as u64, AGENTS);
    assert_eq!(s.store.inner.live_calls().len() as u64, AGENTS, "calls go on at the carrier");
}

#[tokio::test(flavor = "current_thread")]
async fn an_agents_leg_goes_before_leads() {
    let (s, mut tasks) = scene().await;
    let first = tasks.remove(tasks.iter().position(|t| matches!(t, Task::Dial { .. })).expect("a dial"));
    let Task::Dial { dial, .. } = &first else { unreachable!("chosen so") };
    let line = dial.line;
    drop(s.engine.perform(first).await.expect("placed"));
    let answered = LegFacts { answered_at: Some(NOW), verdict: Some((Verdict::Human, NOW)), ..LegFacts::default() };
    let reply = s.engine.hear(line, answered, true).await.expect("known");
    assert!(reply.tasks.iter().any(|t| matches!(t, Task::Dial { dial, .. } if !dial.is_to_a_lead())));

    let running = run(s.engine.clone(), Pace { tasks_max: 1, ..pace() });
    running.inbox.give(tasks);
    running.inbox.give(reply.tasks);
    settle_down().await;
    let dialled: Vec<bool> = s.carrier.dialled().iter().skip(1).map(Dial::is_to_a_lead).collect();
    assert_eq!(dialled.len() as u64, AGENTS);
    assert_eq!(dialled.iter().position(|to_a_lead| !to_a_lead), Some(0), "{dialled:?}");
    running.shut_down().await;
}

#[tokio::test(flavor = "current_thread")]
async fn one_look_at_a_campaign_serves_everybody_who_asks_meanwhile() {
    let (s, _) = scene().await;
    let before = s.store.campaigns.load(Ordering::Relaxed);
    let running = run(s.engine.clone(), pace());
    running.inbox.give((0..500).map(|_| Task::Tick(s.campaign)).collect());
    settle_down().await;
    let looks = s.store.campaigns.load(Ordering::Relaxed) - before;
    assert!((1..=20).contains(&looks), "{looks} looks for 500 requests");
    // One that comes afterwards is looked after.
    running.inbox.give(vec![Task::Tick(s.campaign)]);
    settle_down().await;
    assert!(s.store.campaigns.load(Ordering::Relaxed) - before > looks);
    running.shut_down().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_dial_for_which_the_queue_has_no_room_is_given_back() {
    let (s, tasks) = scene().await;
    let running = run(s.engine.clone(), pace());
    let nobody = CampaignId::small(TENANT, 99);
    running.inbox.give((0..TASKS_MAX).map(|_| Task::Tick(nobody)).collect());
    running.inbox.give(tasks);
    settle_down().await;
    assert!(s.carrier.dialled().is_empty());
    let records = s.store.inner.records();
    assert!(records.len() as u64 == AGENTS && records.iter().all(|r| r.outcome == Outcome::Canceled), "{records:?}");
    running.shut_down().await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_due_is_found_by_the_poll() {
    let (s, tasks) = scene().await;
    // The dials are lost with the node that had them; the calls' own timers are not due yet, the
    // campaign's is.
    drop(tasks);
    let mut changes = Changes::new(TENANT, NOW);
    changes.wakes.push((s.campaign, NOW));
    s.store.commit(&changes).await.expect("fresh");
    let before = s.store.campaigns.load(Ordering::Relaxed);
    let running = run(s.engine.clone(), pace());
    settle_down().await;
    assert!(s.store.campaigns.load(Ordering::Relaxed) > before);
    running.shut_down().await;
}
