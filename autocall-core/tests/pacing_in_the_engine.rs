//! Pacing through engine and memory store: what several campaigns share, what is refused before a
//! start, what is learned and kept, and reviewed machine verdicts.

use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, Status};
use autocall_core::call::{LegFacts, ProviderRef, Verdict};
use autocall_core::campaign::{Campaign, Command, Refused};
use autocall_core::engine::{Engine, EngineError, Lawful, Parts, Permission, Standard};
use autocall_core::id::{AgentId, CallId, CampaignId, LeadId, PoolId, TenantId};
use autocall_core::lead::{Lead, Number, Person};
use autocall_core::memory::MemoryStore;
use autocall_core::pacing::{Mode, Share, Window};
use autocall_core::ports::*;
use autocall_core::script::{Audio, Script};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{Millis, Outcome, Phone, Priority, Private, Timestamp};
use std::sync::{Arc, Mutex};

const TENANT: TenantId = TenantId(1);
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Accepts everything and remembers dials.
#[derive(Default)]
struct Carrier(Mutex<Vec<Line>>);

#[async_trait]
impl Telephony for Carrier {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn dial(&self, _: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        self.0.lock().unwrap().push(dial.line);
        Ok(ProviderRef(format!("CA-{}", dial.line).into()))
    }
    async fn steer(&self, _: Line, _: &ProviderRef, _: &str, _: &Script) -> Result<(), TelephonyError> {
        Ok(())
    }
    async fn lookup(
        &self,
        _: Line,
        _: &str,
        _: Option<&ProviderRef>,
        _: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        Ok(Sighting::Absent)
    }
}

struct Scene {
    store: Arc<MemoryStore>,
    carrier: Arc<Carrier>,
    clock: Arc<ManualClock>,
    engine: Engine,
}

fn pool() -> PoolId {
    PoolId::small(TENANT, 1)
}

fn campaign(n: u64) -> CampaignId {
    CampaignId::small(TENANT, u128::from(n))
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_e164("+14155550100");
    s.caller_ids = vec![Phone::from_e164("+14155550101").unwrap()];
    s.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    s.transfer.pools = vec![pool()];
    s.caps.calls_per_second_max = 100.0;
    s
}

/// An engine on a store; `node` tells one node's ids from another's.
fn engine(scene: &(Arc<MemoryStore>, Arc<Carrier>, Arc<ManualClock>), rate: f64, law: bool, node: u128) -> Engine {
    let permission: Arc<dyn Permission> = if law { Arc::new(Lawful::shipped(Vec::new())) } else { Arc::new(Standard) };
    Engine::new(Parts {
        store: scene.0.clone(),
        telephony: scene.1.clone(),
        notifier: Arc::new(Silent),
        rates: Arc::new(LocalRates::new(rate)),
        clock: scene.2.clone(),
        permission,
        ids: Ids::seeded(node),
    })
    .with_lessons(scene.0.clone())
}

impl Scene {
    fn with(rate: f64, law: bool) -> Scene {
        let parts = (Arc::new(MemoryStore::new()), Arc::new(Carrier::default()), Arc::new(ManualClock::at(START)));
        let engine = engine(&parts, rate, law, 7);
        Scene { store: parts.0, carrier: parts.1, clock: parts.2, engine }
    }

    /// Campaigns with so many leads each, and agents of their common pool who are available.
    async fn fill(&self, campaigns: &[(Settings, u64)], agents: u128) {
        let mut changes = Changes::new(TENANT, START);
        for (n, (settings, leads)) in campaigns.iter().enumerate() {
            let id = campaign(n as u64 + 1);
            changes.campaigns.push(Put { row: Campaign::new(id, "one", settings.clone()), expected: 0 });
            changes.tally(id).leads.open = *leads as i64;
            for l in 0..*leads {
                changes.leads.push(Put { row: lead(id, n as u64 * 1000 + l + 1), expected: 0 });
            }
        }
        for n in 1..=agents {
            let phone = Phone::from_digits(14_155_559_000 + n as u64).unwrap();
            let mut row = Agent::new(AgentId::small(TENANT, n), pool(), "Ann".into(), Address::Phone(phone), START);
            row.status = Status::Available;
            changes.agents.push(Put { row, expected: 0 });
        }
        self.store.commit(&changes).await.unwrap();
        // All run before the first is looked at.
        for n in 0..campaigns.len() {
            drop(self.engine.command(campaign(n as u64 + 1), &Command::Start).await.unwrap());
        }
    }

    async fn look(&self, n: u64) {
        let tasks = self.engine.tick(campaign(n)).await.unwrap();
        self.engine.perform_all(tasks).await;
    }

    async fn open(&self, n: u64) -> i32 {
        self.store.campaign(campaign(n)).await.unwrap().load.dialing
    }

    fn at(&self, ms: i64) -> Timestamp {
        self.clock.set(START + Millis::from_ms(ms));
        self.clock.now()
    }
}

fn lead(campaign: CampaignId, n: u64) -> Lead {
    let phone = Phone::from_digits(14_155_552_000 + n).unwrap();
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign,
        list: None,
        person: Arc::new(Person { first_name: Private::from("John"), ..Person::default() }),
        person_key: n,
        numbers: smallvec::smallvec![Number::new(phone)],
        priority: Priority::Normal,
        order: n as i64,
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
        filed: Default::default(),
    }
}

fn sharing(priority: u8, weight: u32) -> Settings {
    let mut s = settings();
    s.pacing.share = Share { priority, weight };
    s
}

#[tokio::test(flavor = "current_thread")]
async fn agents_of_a_pool_are_shared_by_weight_and_promised_once() {
    let s = Scene::with(100.0, false);
    s.fill(&[(sharing(5, 3), 50), (sharing(5, 1), 50)], 8).await;
    s.look(2).await;
    s.look(1).await;
    assert_eq!((s.open(1).await, s.open(2).await), (6, 2), "three to one, whoever looks first");
    s.at(1000);
    s.look(2).await;
    assert_eq!(s.open(2).await, 2, "eight agents, eight calls");
}

#[tokio::test(flavor = "current_thread")]
async fn the_higher_priority_is_served_first_and_leaves_what_it_cannot_use() {
    let s = Scene::with(100.0, false);
    s.fill(&[(sharing(5, 9), 50), (sharing(8, 1), 3)], 8).await;
    s.look(1).await;
    assert_eq!(s.open(1).await, 0, "the other one could use all eight");
    s.look(2).await;
    assert_eq!(s.open(2).await, 3, "it has three leads");
    s.at(1000);
    s.look(1).await;
    assert_eq!(s.open(1).await, 5, "what it cannot use goes to the first");
}

#[tokio::test(flavor = "current_thread")]
async fn a_campaign_that_cannot_dial_by_itself_keeps_no_agents_from_others() {
    // In preview the agents ask; without money nobody dials until a conversation settles for less.
    let mut preview = sharing(9, 50);
    preview.pacing.mode = Mode::Preview;
    let mut poor = sharing(9, 50);
    poor.cost.budget_micros = Some(poor.cost.reserve_micros(&poor));
    for other in [preview, poor] {
        let s = Scene::with(100.0, false);
        s.fill(&[(sharing(5, 1), 50), (other, 50)], 8).await;
        let mut talk = Changes::new(TENANT, START);
        talk.tally(campaign(2)).load.bridged = 1;
        s.store.commit(&talk).await.unwrap();
        s.look(2).await;
        s.look(1).await;
        assert_eq!((s.open(1).await, s.open(2).await), (8, 0));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_an_agent_asked_for_takes_that_agent_from_others_and_no_second_one() {
    let mut preview = sharing(9, 50);
    preview.pacing.mode = Mode::Preview;
    let s = Scene::with(100.0, false);
    s.fill(&[(sharing(5, 1), 50), (preview, 50)], 8).await;
    let tasks = s.engine.dial_for(campaign(2), AgentId::small(TENANT, 1), None).await.unwrap();
    s.engine.perform_all(tasks).await;
    s.look(1).await;
    assert_eq!((s.open(1).await, s.open(2).await), (7, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_callback_due_takes_precedence_over_every_weight() {
    let s = Scene::with(100.0, false);
    s.fill(&[(sharing(9, 50), 50), (sharing(0, 1), 50)], 4).await;
    let mut due = s.store.lead(LeadId::small(TENANT, 1050)).unwrap();
    let mut changes = Changes::new(TENANT, START);
    due.row.callback = Some(autocall_core::lead::Callback { at: START, agent: None });
    changes.leads.push(Put { row: due.row, expected: due.version });
    s.store.commit(&changes).await.unwrap();
    s.look(1).await;
    assert_eq!(s.open(1).await, 0, "the campaign with an appointment due goes first");
    s.look(2).await;
    let called = s.store.lead(LeadId::small(TENANT, 1050)).unwrap().row;
    assert_eq!(called.attempts, 1, "and the appointment is its first call");
}

#[tokio::test(flavor = "current_thread")]
async fn campaigns_under_one_carrier_limit_take_turns() {
    let s = Scene::with(1.0, false);
    let message = |n: u64| {
        let mut m = sharing(5, 1);
        m.pacing.mode = Mode::Agentless { in_flight_max: 100 };
        m.message = Some(Audio::say("Hello."));
        m.caps.lines_max = 100;
        (m, n)
    };
    s.fill(&[message(60), message(60), message(60)], 0).await;
    for second in 0..30 {
        s.at(second * 1000);
        for n in [1, 2, 3] {
            s.look(n).await;
        }
    }
    let open = [s.open(1).await, s.open(2).await, s.open(3).await];
    assert!(open.iter().sum::<i32>() >= 29, "the rate is used up: {open:?}");
    assert!(open.iter().all(|n| (9..=11).contains(n)), "and shared fairly: {open:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn on_demand_agents_are_refused_where_a_late_connection_counts() {
    let s = Scene::with(100.0, true);
    let mut standing = settings();
    standing.transfer.mode = TransferMode::Standing;
    let mut changes = Changes::new(TENANT, START);
    for (n, settings) in [(1, settings()), (2, standing.clone())] {
        changes.campaigns.push(Put { row: Campaign::new(campaign(n), "one", settings), expected: 0 });
    }
    s.store.commit(&changes).await.unwrap();
    let refused = s.engine.command(campaign(1), &Command::Start).await;
    let Err(EngineError::Refused(Refused::Settings(problems))) = refused else { panic!("{refused:?}") };
    assert_eq!(&*problems[0].field, "transfer.mode");
    assert!(problems[0].remedy.contains("standing"), "{}", problems[0]);
    assert!(s.engine.command(campaign(1), &Command::Schedule).await.is_err());
    assert!(s.engine.command(campaign(2), &Command::Start).await.is_ok());
    let back = Command::Change(Arc::new(settings()));
    assert!(s.engine.command(campaign(2), &back).await.is_err(), "nor can a running one be changed to it");
}

fn facts(answered: Timestamp, verdict: Verdict) -> LegFacts {
    LegFacts { answered_at: Some(answered), verdict: Some((verdict, answered)), ..LegFacts::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_learned_survives_the_node_that_learned_it() {
    let s = Scene::with(100.0, false);
    let mut predictive = settings();
    predictive.pacing.mode = Mode::Predictive { cap: 0.03, target_wait_s: None };
    s.fill(&[(predictive, 200)], 6).await;
    for round in 0..12_i64 {
        s.at(round * 10_000);
        s.look(1).await;
        let lines: Vec<Line> = std::mem::take(&mut *s.carrier.0.lock().unwrap());
        let over = LegFacts {
            end: Some(autocall_core::call::End {
                cause: autocall_core::call::EndCause::NoAnswer,
                at: s.at(round * 10_000 + 9_000),
            }),
            ..LegFacts::default()
        };
        for line in lines {
            let reply = s.engine.hear(line, over.clone(), false).await.unwrap();
            s.engine.perform_all(reply.tasks).await;
        }
    }
    let kept = Lessons::load(&*s.store, campaign(1)).await.unwrap().expect("stored");
    assert!(kept.version >= 5 && kept.learned.len() < 64 * 1024, "{} {}", kept.version, kept.learned.len());
    // Another node takes it up at its first look: nobody picked up, and it knows.
    let parts = (s.store.clone(), s.carrier.clone(), s.clock.clone());
    let other = engine(&parts, 100.0, false, 8);
    s.at(200_000);
    drop(other.tick(campaign(1)).await.unwrap());
    let again = Lessons::load(&*s.store, campaign(1)).await.unwrap().expect("stored");
    assert_eq!(again.version, kept.version + 1);
    let dials = |l: &Lesson| {
        let json: serde_json::Value = serde_json::from_slice(&l.learned).unwrap();
        json["learned"]["dials"][16]["facts"].as_f64().unwrap()
    };
    assert!(dials(&kept) > 30.0 && (dials(&again) - dials(&kept)).abs() < 1.0, "{} {}", dials(&kept), dials(&again));
}

#[tokio::test(flavor = "current_thread")]
async fn a_reviewed_machine_is_counted_once() {
    let s = Scene::with(100.0, false);
    s.fill(&[(settings(), 3)], 3).await;
    s.look(1).await;
    let lines: Vec<Line> = s.carrier.0.lock().unwrap().clone();
    let mut calls: Vec<CallId> = Vec::new();
    for line in lines {
        let Line::Leg(leg) = line else { panic!("{line:?}") };
        let mut machine = facts(s.at(9_000), Verdict::MachineGreeting);
        let reply = s.engine.hear(line, machine.clone(), true).await.unwrap();
        s.engine.perform_all(reply.tasks).await;
        machine.end =
            Some(autocall_core::call::End { cause: autocall_core::call::EndCause::Completed, at: s.at(10_000) });
        let reply = s.engine.hear(line, machine, false).await.unwrap();
        s.engine.perform_all(reply.tasks).await;
        calls.push(leg.call);
    }
    s.at(20_000);
    let tasks = s.engine.step(100).await.unwrap();
    s.engine.perform_all(tasks).await;
    assert!(s.store.records().iter().all(|r| r.outcome == Outcome::Machine), "{:?}", s.store.records());
    s.engine.review(calls[0], true).await.unwrap();
    s.engine.review(calls[0], true).await.unwrap();
    s.engine.review(calls[1], false).await.unwrap();
    assert!(s.engine.review(calls[1], true).await.is_err(), "said once");
    let view = s.store.campaign(campaign(1)).await.unwrap();
    assert_eq!(view.ledger.reviewed(), (2, 1));
    let day = autocall_core::pacing::DayKey::with_offset(s.clock.now(), 0);
    let total = view.ledger.counts(Window::Total, day).unwrap();
    assert_eq!((total.machines, total.live, total.given_up), (3, 0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn in_preview_an_agent_sees_the_lead_first_and_nobody_else_gets_it() {
    let s = Scene::with(100.0, false);
    let mut preview = settings();
    preview.pacing.mode = Mode::Preview;
    s.fill(&[(preview, 3)], 2).await;
    let (ann, bob) = (AgentId::small(TENANT, 1), AgentId::small(TENANT, 2));
    s.look(1).await;
    assert!(s.carrier.0.lock().unwrap().is_empty(), "nothing is dialled unasked");
    let first = s.engine.show_next(campaign(1), ann).await.unwrap();
    assert_eq!(s.engine.show_next(campaign(1), ann).await.unwrap(), first, "asked again, the same");
    let second = s.engine.show_next(campaign(1), bob).await.unwrap();
    assert_ne!(first, second);
    assert!(s.engine.dial_for(campaign(1), bob, Some(first)).await.is_err(), "Ann looks at it");
    // Bob lets his be; it comes up again later, not now.
    s.engine.skip(bob, Millis::from_mins(30)).await.unwrap();
    assert!(s.engine.skip(bob, Millis::from_mins(30)).await.is_err(), "he is shown nothing any more");
    let third = s.engine.show_next(campaign(1), bob).await.unwrap();
    assert!(third != second && third != first);
    // Ann dials hers: one call, reserved for her.
    s.engine.perform_all(s.engine.dial_for(campaign(1), ann, None).await.unwrap()).await;
    let calls = s.store.calls();
    assert_eq!((calls.len(), calls[0].plan.lead, calls[0].plan.for_agent), (1, first, Some(ann)));
    let row = s.store.agents(TENANT).into_iter().find(|a| a.id == ann).unwrap();
    assert!(row.shown.is_none() && !row.is_free());
    // Bob goes for lunch; his lead is free for others when the time is up.
    s.at(autocall_core::engine::SHOWN_FOR.ms() + 1);
    let due = s.store.candidates(campaign(1), s.clock.now(), 9).await.unwrap();
    assert_eq!(due.iter().map(|c| c.lead.row.id).collect::<Vec<_>>(), [third]);
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_is_dialled_for_an_agent_whose_line_is_not_up() {
    let s = Scene::with(100.0, false);
    let mut standing = settings();
    standing.transfer.mode = TransferMode::Standing;
    standing.pacing.mode = Mode::Preview;
    let mut progressive = standing.clone();
    progressive.pacing.mode = Mode::Progressive;
    s.fill(&[(standing, 3), (progressive, 3)], 1).await;
    let ann = AgentId::small(TENANT, 1);
    assert!(s.engine.show_next(campaign(1), ann).await.is_err());
    assert!(s.engine.dial_for(campaign(1), ann, None).await.is_err());
    // Nor for an appointment with her.
    let mut due = s.store.lead(LeadId::small(TENANT, 1001)).unwrap();
    let mut changes = Changes::new(TENANT, START);
    due.row.callback = Some(autocall_core::lead::Callback { at: START, agent: Some(ann) });
    changes.leads.push(Put { row: due.row, expected: due.version });
    s.store.commit(&changes).await.unwrap();
    s.look(2).await;
    assert!(s.carrier.0.lock().unwrap().is_empty());
}
