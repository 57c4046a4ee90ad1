//! Calls to our numbers, through the server and the fake carrier: an agent who calls in to stand, a
//! person who rings back, and strangers.

mod common;

use autocall_core::agent::{Address, Agent, AgentEvent, Status};
use autocall_core::campaign::Campaign;
use autocall_core::lead::{Lead, Number, Person as LeadPerson};
use autocall_core::ports::{Changes, Put};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{AgentId, CampaignId, LeadId, Phone, PoolId, Priority, TenantId, Timestamp};
use autocall_testkit::fake_twilio::{Account, Config, FakeTwilio, OwnNumber, Person, Press};
use autocall_twilio::pins;
use common::Server;
use std::time::Duration;

const TENANT: TenantId = TenantId(1);
const OURS: &str = "+14155550100";
const AGENT: &str = "+12125553001";
const LEAD: &str = "+14155552001";
const PIN: &str = "482915";

struct Scene {
    server: Server,
    fake: FakeTwilio,
    agent: AgentId,
}

fn phone(number: &str) -> Phone {
    Phone::from_e164(number).expect("a number")
}

async fn scene(mode: TransferMode) -> Scene {
    let account = Account { token: "t".repeat(32), ..Account::default() };
    let config = Config { speed: 10.0, accounts: vec![account.clone()], ..Config::default() };
    let fake = FakeTwilio::start(config).await.expect("loopback");
    let api = fake.url();
    let server = Server::start(&[
        ("TWILIO_API_BASE", &api),
        ("TWILIO_ACCOUNT_SID", &account.sid),
        ("TWILIO_AUTH_TOKEN", &account.token),
        ("TWILIO_NUMBER", OURS),
    ])
    .await;
    let voice_url = format!("{}/webhooks/twilio/inbound/{}", server.base, TENANT);
    fake.set_number(&account.sid, OwnNumber { number: OURS.into(), voice_url, ..OwnNumber::default() });
    let pool = PoolId::small(TENANT, 77);
    let agent = AgentId::small(TENANT, 77);
    let campaign = CampaignId::small(TENANT, 77);
    let now = server.app.clock.now();
    let mut settings = Settings::default();
    settings.seller.name = "Acme".into();
    settings.seller.phone = Some(phone(OURS));
    settings.subject = "your quote".into();
    settings.caller_ids = vec![phone(OURS)];
    settings.transfer.pools = vec![pool];
    settings.transfer.mode = mode;
    let mut changes = Changes::new(TENANT, now);
    changes.campaigns.push(Put { row: Campaign::new(campaign, "inbound", settings), expected: 0 });
    let row = Agent::new(agent, pool, "Ann".into(), Address::Phone(phone(AGENT)), now);
    changes.agents.push(Put { row, expected: 0 });
    changes.tally(campaign).leads.open = 1;
    changes.leads.push(Put { row: called_before(campaign, now), expected: 0 });
    server.app.store.commit(&changes).await.expect("seeded");
    Scene { server, fake, agent }
}

/// A lead whom we have called.
fn called_before(campaign: CampaignId, now: Timestamp) -> Lead {
    Lead {
        id: LeadId::small(TENANT, 77),
        campaign,
        list: None,
        person: std::sync::Arc::new(LeadPerson::default()),
        person_key: 77,
        numbers: smallvec::smallvec![Number::new(phone(LEAD))],
        priority: Priority::Normal,
        order: 1,
        filed: Default::default(),
        class: 0,
        state: autocall_core::lead::State::Open,
        due_at: Timestamp::NEVER,
        blocked_by: None,
        attempts: 1,
        tally: smallvec::smallvec![],
        next_number: 0,
        last: Some(autocall_core::Outcome::NoAnswer),
        last_at: Some(now),
        callback: None,
        disposition: None,
    }
}

impl Scene {
    fn said(&self, words: &str) -> bool {
        self.fake.log(0).iter().any(|e| e.kind == "said" && e.what.contains(words))
    }
    async fn agent(&self) -> Agent {
        self.server.app.catalog.agent(self.agent).await.expect("there").row
    }
    async fn until<F: Future<Output = bool>>(&self, what: &str, is: impl Fn() -> F) {
        for _ in 0..1_000 {
            if is().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}\n{:#?}", self.fake.log(0));
    }
    async fn over(&self, call: &str) {
        self.until("the call is over", || async { self.fake.call_status(call) == Some("completed") }).await;
    }
    async fn available(&self) {
        let status = AgentEvent::Status(Status::Available);
        self.server.app.engine.agent_event(self.agent, &status).await.expect("available");
    }
    async fn set_pin(&self) {
        pins::set(&*self.server.app.catalog, self.agent, &PIN.into()).await.expect("set");
    }
    async fn is_listed(&self, number: &str) -> bool {
        let (numbers, now) = ([phone(number)], self.server.app.clock.now());
        let found = self.server.app.catalog.suppressed(TENANT, None, &numbers, now).await.expect("asked");
        found[0].tenant.is_some()
    }
}

fn presses(keys: &[&str]) -> Person {
    let press = |k: &&str| Press { digits: (*k).to_owned(), after_ms: 500 };
    Person { presses: keys.iter().map(press).collect(), patience_ms: Some(60_000), talk_ms: None, ..Person::human() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_calls_in_with_their_pin_and_stands() {
    let s = scene(TransferMode::Standing).await;
    s.set_pin().await;
    // A wrong PIN first, then the right one.
    let call = s.fake.inbound(AGENT, OURS, presses(&["999000", PIN])).expect("a number of ours");
    s.until("the agent stands", || async { s.agent().await.is_standing() }).await;
    assert_eq!(s.agent().await.status, Status::Available, "who calls in is at work");
    assert!(s.fake.conferences().iter().any(|(_, labels)| labels.len() == 1), "in a room of their own");
    s.fake.hang_up(&call);
    s.until("the agent stands no more", || async { !s.agent().await.is_standing() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_pins_are_counted_over_calls_and_then_not_even_the_right_one_is_taken() {
    let s = scene(TransferMode::Standing).await;
    s.set_pin().await;
    for _ in 0..2 {
        let call = s.fake.inbound(AGENT, OURS, presses(&["000001", "000002", "000003"])).expect("a number of ours");
        s.over(&call).await;
    }
    let call = s.fake.inbound(AGENT, OURS, presses(&[PIN])).expect("a number of ours");
    s.over(&call).await;
    assert!(!s.agent().await.is_standing(), "locked");
    // Somebody who only shows the agent's number, and has no PIN, stands neither.
    pins::remove(&*s.server.app.catalog, s.agent).await.expect("removed");
    let call = s.fake.inbound(AGENT, OURS, presses(&[PIN])).expect("a number of ours");
    s.over(&call).await;
    assert!(!s.agent().await.is_standing());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_rings_back_reaches_a_free_agent_who_takes_no_other_call_meanwhile() {
    let s = scene(TransferMode::OnDemand).await;
    s.fake.set_person(AGENT, vec![Person { ring_ms: 1_000, talk_ms: None, ..Person::agent() }]);
    s.available().await;
    let call = s.fake.inbound(LEAD, OURS, presses(&[])).expect("a number of ours");
    s.until("the agent is rung", || async { s.fake.dialled().iter().any(|d| d.to == AGENT) }).await;
    assert!(!s.agent().await.is_free(), "no call is offered to them");
    tokio::time::sleep(Duration::from_millis(400)).await;
    s.fake.hang_up(&call);
    s.until("the agent is free again", || async { s.agent().await.is_free() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_rings_back_joins_an_agent_who_stands() {
    let s = scene(TransferMode::Standing).await;
    s.set_pin().await;
    s.fake.inbound(AGENT, OURS, presses(&[PIN])).expect("a number of ours");
    s.until("the agent stands", || async { s.agent().await.is_standing() }).await;
    let call = s.fake.inbound(LEAD, OURS, presses(&[])).expect("a number of ours");
    s.until("both are inside", || async { s.fake.conferences().iter().any(|(_, l)| l.len() == 2) }).await;
    assert!(!s.agent().await.is_free());
    s.fake.hang_up(&call);
    s.until("the agent is free again, and stands", || async {
        let agent = s.agent().await;
        agent.is_free() && agent.is_standing()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_free_agent_they_hear_who_called_and_can_stop_it() {
    let s = scene(TransferMode::OnDemand).await;
    let call = s.fake.inbound(LEAD, OURS, presses(&["9"])).expect("a number of ours");
    s.over(&call).await;
    assert!(s.said("This is Acme. We called you about your quote."), "{:#?}", s.fake.log(0));
    assert!(s.said("You will not be called again"));
    assert!(s.is_listed(LEAD).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_hears_the_message_of_whoever_shows_the_number() {
    let s = scene(TransferMode::OnDemand).await;
    s.available().await;
    let stranger = "+13055550179";
    let call = s.fake.inbound(stranger, OURS, presses(&["5"])).expect("a number of ours");
    s.over(&call).await;
    assert!(s.said("This is Acme"));
    assert!(s.fake.dialled().is_empty(), "nobody is rung for a stranger");
    assert!(!s.is_listed(stranger).await, "another key stops nothing");
}
