//! One call's life through engine and memory store, step by step.

use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State, Status};
use autocall_core::call::{End, EndCause, LegFacts, Press, ProviderRef, Verdict};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::{Engine, Parts, Standard, Task};
use autocall_core::id::{AgentId, CampaignId, LeadId, PoolId, TenantId};
use autocall_core::lead::{Lead, Number, Person};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::*;
use autocall_core::script::{Audio, Script};
use autocall_core::settings::Settings;
use autocall_core::{Millis, Outcome, Phone, Priority, Private, Timestamp};
use std::sync::{Arc, Mutex};

const TENANT: TenantId = TenantId(1);

/// Accepts every dial and remembers it.
#[derive(Default)]
struct Carrier {
    dials: Mutex<Vec<Dial>>,
    steers: Mutex<Vec<(Line, Script)>>,
    doubt: Mutex<bool>,
}

#[async_trait]
impl Telephony for Carrier {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        assert_eq!(permit.line(), dial.line);
        self.dials.lock().unwrap().push(dial.clone());
        if *self.doubt.lock().unwrap() {
            return Err(DialError::InDoubt("time-out".into()));
        }
        Ok(ProviderRef(format!("CA-{}", dial.line).into()))
    }
    async fn steer(&self, line: Line, _: &ProviderRef, _: &str, script: &Script) -> Result<(), TelephonyError> {
        self.steers.lock().unwrap().push((line, script.clone()));
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
    engine: Engine,
    store: Arc<MemoryStore>,
    carrier: Arc<Carrier>,
    clock: Arc<ManualClock>,
    campaign: CampaignId,
    agent: AgentId,
}

fn settings(pool: PoolId) -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Phone::from_e164("+14155550100");
    s.caller_ids = vec![Phone::from_e164("+14155550101").unwrap()];
    s.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    s.transfer.pools = vec![pool];
    s.caps.calls_per_second_max = 100.0;
    s
}

async fn scene() -> Scene {
    scene_at(100.0).await
}

/// With an account that may start so many calls per second.
async fn scene_at(per_second: f64) -> Scene {
    let now = Timestamp::from_secs(1_800_000_000);
    let (store, carrier) = (Arc::new(MemoryStore::new()), Arc::new(Carrier::default()));
    let clock = Arc::new(ManualClock::at(now));
    let engine = Engine::new(Parts {
        store: store.clone(),
        telephony: carrier.clone(),
        notifier: Arc::new(Silent),
        rates: Arc::new(LocalRates::new(per_second)),
        clock: clock.clone(),
        permission: Arc::new(Standard),
        ids: Ids::seeded(7),
    });
    let (campaign, agent) = (CampaignId::small(TENANT, 1), AgentId::small(TENANT, 1));
    let pool = PoolId::small(TENANT, 1);
    let mut changes = Changes::new(TENANT, now);
    changes.campaigns.push(Put { row: Campaign::new(campaign, "first", settings(pool)), expected: 0 });
    let phone = Phone::from_e164("+14155550199").unwrap();
    let someone = Agent::new(agent, pool, "Ann".into(), Address::Phone(phone), now);
    changes.agents.push(Put { row: someone, expected: 0 });
    let leads: Vec<Lead> = (1..=2).map(|n| lead(campaign, n)).collect();
    changes.tally(campaign).leads.open = leads.len() as i64;
    changes.leads.extend(leads.into_iter().map(|row| Put { row, expected: 0 }));
    store.commit(&changes).await.unwrap();
    engine.perform_all(engine.command(campaign, &Command::Start).await.unwrap()).await;
    Scene { engine, store, carrier, clock, campaign, agent }
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

impl Scene {
    fn at(&self, ms: i64) -> Timestamp {
        self.clock.set(Timestamp::from_secs(1_800_000_000) + Millis::from_ms(ms));
        self.clock.now()
    }
    async fn step(&self) {
        let tasks = self.engine.step(100).await.unwrap();
        self.engine.perform_all(tasks).await;
    }
    async fn hear(&self, line: Line, facts: LegFacts, asked: bool) -> Script {
        let reply = self.engine.hear(line, facts, asked).await.unwrap();
        self.engine.perform_all(reply.tasks).await;
        reply.script
    }
    fn dials(&self) -> Vec<Dial> {
        self.carrier.dials.lock().unwrap().clone()
    }
    async fn available(&self) {
        let tasks = self.engine.agent_event(self.agent, &AgentEvent::Status(Status::Available)).await.unwrap();
        self.engine.perform_all(tasks).await;
    }
}

fn answered(at: Timestamp) -> LegFacts {
    LegFacts { answered_at: Some(at), ..LegFacts::default() }
}

fn over(at: Timestamp) -> LegFacts {
    LegFacts { end: Some(End { cause: EndCause::Completed, at }), ..LegFacts::default() }
}

fn human(at: Timestamp) -> LegFacts {
    LegFacts { verdict: Some((Verdict::Human, at)), ..LegFacts::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn a_person_is_handed_to_an_agent_and_the_lead_is_closed() {
    let s = scene().await;
    s.step().await;
    assert!(s.dials().is_empty(), "nobody is free, nobody is called");
    s.at(1_000);
    s.available().await;
    assert_eq!(s.dials().len(), 1, "progressive: one call for one free agent");
    let customer = s.dials()[0].line;

    let script = s.hear(customer, answered(s.at(8_000)), true).await;
    assert!(matches!(script, Script::Join { .. }), "the customer waits in the room: {script:?}");
    s.hear(customer, human(s.at(10_000)), false).await;
    assert_eq!(s.dials().len(), 2, "the agent is rung");
    let agent_leg = s.dials()[1].line;

    let script = s.hear(agent_leg, answered(s.at(13_000)), true).await;
    let Script::Whisper { text, .. } = script else { panic!("not a whisper: {script:?}") };
    assert_eq!(text.expose(), "Connecting you with John");
    let accepted = LegFacts { accepted: Some(Press { at: s.at(15_000), key: '1' }), ..LegFacts::default() };
    let script = s.hear(agent_leg, accepted, true).await;
    assert!(matches!(script, Script::Join { .. }), "{script:?}");
    let joined = LegFacts { joined_at: Some(s.at(15_500)), ..LegFacts::default() };
    s.hear(agent_leg, joined, false).await;
    let state = s.store.agents(TENANT)[0].state;
    assert!(matches!(state, State::Held { hold: Hold::Talking, .. }), "{state:?}");

    s.hear(customer, over(s.at(95_000)), false).await;
    let script = s.hear(agent_leg, over(s.at(95_300)), true).await;
    assert_eq!(script, Script::Hangup);
    let records = s.store.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].outcome, Outcome::Connected);
    assert_eq!(records[0].talk_ms(), 95_000 - 15_500);
    assert_eq!(s.dials().len(), 2, "the agent is in wrap-up: nobody new is called");
    assert_eq!(s.store.campaign(s.campaign).await.unwrap().load.live(), 0);

    s.at(120_000);
    s.step().await;
    assert_eq!(s.dials().len(), 3, "wrapped up: the next lead is called");
}

#[tokio::test(flavor = "current_thread")]
async fn a_dial_in_doubt_is_looked_up_and_never_repeated() {
    let s = scene().await;
    *s.carrier.doubt.lock().unwrap() = true;
    s.at(1_000);
    s.available().await;
    let first = s.dials()[0].to.clone();
    for second in 2..400 {
        s.at(second * 1_000);
        s.step().await;
        if s.store.records().len() == 1 {
            break;
        }
        assert!(s.dials().iter().skip(1).all(|d| d.to != first), "an attempt in doubt was dialled again");
    }
    let records = s.store.records();
    assert!(records.iter().any(|r| r.outcome == Outcome::Lost), "{records:?}");
    assert!(records[0].settled_at - records[0].dialled_at >= Millis::from_secs(60), "three spaced look-ups");
    let lost = s.store.lead(records[0].lead).unwrap().row;
    assert!(lost.due_at >= records[0].dialled_at + Millis::from_hours(24), "the number rests");
    let again: Vec<Task> = s.engine.tick(s.campaign).await.unwrap();
    assert!(again.iter().all(|t| !matches!(t, Task::Dial { dial, .. } if dial.to == first)));
}

#[tokio::test(flavor = "current_thread")]
async fn an_agent_for_whom_the_account_has_no_place_is_not_rung_and_one_who_stands_is_a_little_later() {
    let s = scene_at(0.1).await;
    s.at(1_000);
    s.available().await;
    let customer = s.dials()[0].line;
    s.engine.perform_all(s.engine.command(s.campaign, &Command::Pause).await.unwrap()).await;
    // The next place on the line is ten seconds after the customer's.
    s.hear(customer, answered(s.at(2_000)), true).await;
    s.hear(customer, human(s.at(3_000)), false).await;
    assert_eq!(s.dials().len(), 1, "the agent's leg would come too late, and is not dialled at all");
    assert_eq!(s.store.agents(TENANT)[0].state, State::Idle, "the agent is free again");
    s.hear(customer, over(s.at(4_000)), false).await;

    let from = Phone::from_e164("+14155550101").unwrap();
    let tasks = s.engine.stand(s.agent, from, 3_600_000).await.unwrap();
    s.engine.perform_all(tasks).await;
    assert_eq!(s.dials().len(), 1);
    assert!(s.store.agents(TENANT)[0].station.is_some(), "the wish to stand is kept");
    for second in 5..30 {
        s.at(second * 1_000);
        s.step().await;
    }
    // At its place: ten seconds after the customer's, which left at 1.
    let place = Timestamp::from_secs(1_800_000_000) + Millis::from_ms(11_000);
    let stations = s.dials().iter().filter(|d| matches!(d.line, Line::Station(_)) && d.not_before >= place).count();
    assert_eq!((s.dials().len(), stations), (2, 1), "{:?}", s.dials());
}

#[tokio::test(flavor = "current_thread")]
async fn a_customer_who_is_handed_on_waits_for_a_place_where_an_offer_would_not() {
    let s = scene_at(0.15).await;
    s.at(1_000);
    s.available().await;
    let customer = s.dials()[0].line;
    s.engine.perform_all(s.engine.command(s.campaign, &Command::Pause).await.unwrap()).await;
    s.hear(customer, answered(s.at(2_000)), true).await;
    s.hear(customer, human(s.at(4_000)), false).await;
    let agent_leg = s.dials()[1].line;
    s.hear(agent_leg, answered(s.at(8_000)), true).await;
    let accepted = LegFacts { accepted: Some(Press { at: s.at(9_000), key: '1' }), ..LegFacts::default() };
    s.hear(agent_leg, accepted, true).await;
    s.hear(agent_leg, LegFacts { joined_at: Some(s.at(9_500)), ..LegFacts::default() }, false).await;
    // The third place is at 14.334: more than four seconds away, and less than eight.
    let Line::Leg(leg) = customer else { panic!("{customer:?}") };
    let now = s.at(10_000);
    let outside = Address::Phone(Phone::from_e164("+14155550188").unwrap());
    s.engine.perform_all(s.engine.hand_on_outside(leg.call, outside.clone(), false).await.unwrap()).await;
    let dials = s.dials();
    assert_eq!((dials.len(), &dials[2].to), (3, &outside));
    let wait = (dials[2].not_before - now).ms();
    assert!((4_001..8_000).contains(&wait), "{wait} ms");
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_free_in_time_is_an_abandonment_with_its_message() {
    let s = scene().await;
    s.at(1_000);
    s.available().await;
    let customer = s.dials()[0].line;
    let away = AgentEvent::Status(Status::Away("lunch".into()));
    s.engine.perform_all(s.engine.agent_event(s.agent, &away).await.unwrap()).await;
    s.hear(customer, answered(s.at(8_000)), true).await;
    s.hear(customer, human(s.at(9_000)), false).await;
    s.at(11_100);
    s.step().await;
    let last = s.carrier.steers.lock().unwrap().last().cloned();
    assert!(matches!(last, Some((line, Script::Message { .. })) if line == customer), "{last:?}");
    let view = s.store.campaign(s.campaign).await.unwrap();
    assert_eq!(view.load.message, 1);
    s.hear(customer, over(s.at(20_000)), false).await;
    s.at(24_000);
    s.step().await;
    let outcome = s.store.records()[0].outcome;
    assert!(outcome.is_abandonment(), "{outcome:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_lead_is_called_only_when_the_law_of_its_place_allows() {
    use autocall_core::engine::{Lawful, Permission};
    use autocall_core::settings::Purpose;
    let s = scene().await;
    let view = s.store.campaign(s.campaign).await.unwrap();
    let mut campaign = (*view.campaign.row).clone();
    let mut settings = (*campaign.settings).clone();
    settings.purpose = Purpose::Service;
    campaign.settings = Arc::new(settings);
    let candidate = s.store.candidates(s.campaign, s.clock.now(), 1).await.unwrap().remove(0);
    let law = Lawful::shipped(Vec::new());
    // Wednesday 2026-11-18, 15:30 UTC: half past seven in San Francisco (area code 415).
    let early = Timestamp::from_secs(1_795_015_800);
    let denied = law.judge(&candidate, &campaign, early).expect_err("before eight");
    assert!(denied.until > early && denied.until <= early + Millis::from_hours(3), "{denied:?}");
    let allowed = law.judge(&candidate, &campaign, denied.until);
    assert!(allowed.is_ok(), "{allowed:?} at {}", denied.until);
    let earlier = law.judge(&candidate, &campaign, denied.until - Millis::from_ms(1));
    assert!(earlier.is_err(), "one millisecond earlier the same rule still denies");
    // Eight o'clock, and a second in which the clock may be fast.
    let eight = Timestamp::from_secs(1_795_017_600);
    assert_eq!(denied.until.ms() % 1_000, 0);
    assert!(law.judge(&candidate, &campaign, eight).is_err() && denied.until >= eight + Millis::from_secs(1));
    assert_eq!((denied.until - Millis::from_secs(1)).ms() % 900_000, 0, "a second after the opening: {}", denied.until);
    let evidence = allowed.unwrap().evidence.expect("evidence is kept");
    assert!(evidence.contains("Los_Angeles"), "{evidence}");
}
