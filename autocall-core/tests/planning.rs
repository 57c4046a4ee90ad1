//! Planning as the engine does it: filters, quotas, numbers shown, appointments, and the answers to
//! "why is nothing dialling?".

use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, AgentEvent, Status};
use autocall_core::call::{End, EndCause, LegFacts, ProviderRef};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::{Engine, Lawful, Parts, Permission, Standard};
use autocall_core::id::{AgentId, CampaignId, LeadId, PoolId};
use autocall_core::lead::{Callback, Lead, Number, Person};
use autocall_core::memory::MemoryStore;
use autocall_core::pacing::Mode;
use autocall_core::permission::history::Happened;
use autocall_core::permission::{Consent, ConsentClass, ConsentSource, Purposes, Reassigned, ReassignedCheck};
use autocall_core::planning::caller_id::fingerprint;
use autocall_core::planning::filing::Filing;
use autocall_core::planning::funnel::Funnel;
use autocall_core::planning::order::Order;
use autocall_core::planning::quota::Quota;
use autocall_core::ports::{
    Capabilities, Changes, Clock, Dial, DialError, DialPermit, GuardValue, Ids, Line, LocalRates, ManualClock, Put,
    Sighting, Silent, Store, Telephony, TelephonyError, Versioned,
};
use autocall_core::script::{Audio, RecordingMode, Script};
use autocall_core::settings::{Purpose, Settings, ShowLimit};
use autocall_core::{Millis, Phone, Priority, TenantId, Timestamp};
use std::sync::{Arc, Mutex};

#[path = "planning/filed.rs"]
mod filed;

const TENANT: TenantId = TenantId(1);
/// Wednesday 2026-11-18, 18:00 UTC: ten in San Francisco.
const NOW: Timestamp = Timestamp::from_secs(1_795_024_800);

#[derive(Default)]
struct Carrier(Mutex<Vec<Dial>>);

#[async_trait]
impl Telephony for Carrier {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn dial(&self, _: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        self.0.lock().unwrap().push(dial.clone());
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
    engine: Engine,
    store: Arc<MemoryStore>,
    carrier: Arc<Carrier>,
    clock: Arc<ManualClock>,
    id: CampaignId,
}

fn phone(text: &str) -> Phone {
    Phone::from_e164(text).unwrap()
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Acme".into();
    s.seller.phone = Some(phone("+14155550100"));
    s.caller_ids = vec![phone("+12125550101"), phone("+14155550102"), phone("+13055550103")];
    s.message = Some(Audio::say("Hello from Acme."));
    s.pacing.mode = Mode::Agentless { in_flight_max: 1_000 };
    s.caps.lines_max = 1_000;
    s.caps.calls_per_second_max = 1_000.0;
    s.caps.attempts_per_number_per_day_max = 20;
    s.purpose = Purpose::Service;
    s
}

fn lead(id: CampaignId, n: u64, digits: u64) -> Lead {
    let mut person = Person { state: Some(if n.is_multiple_of(2) { "CA" } else { "NY" }.into()), ..Person::default() };
    person.dossier.consents.push(Consent {
        class: ConsentClass::Written,
        purposes: Purposes::ALL,
        recorded_voice: true,
        automated: true,
        any_hour: false,
        given_at: NOW - Millis::from_days(9),
        expires_at: None,
        source: ConsentSource::WebForm,
        proof: None,
    });
    person.dossier.reassigned = Some(ReassignedCheck { at: NOW - Millis::from_days(1), answer: Reassigned::No });
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: id,
        list: None,
        person: Arc::new(person),
        person_key: n,
        numbers: smallvec::smallvec![Number::new(Phone::from_digits(digits).unwrap())],
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

/// `leads` leads in San Francisco.
async fn scene(settings: Settings, leads: u64, permission: Arc<dyn Permission>) -> Scene {
    let (store, carrier) = (Arc::new(MemoryStore::new()), Arc::new(Carrier::default()));
    let clock = Arc::new(ManualClock::at(NOW));
    let engine = Engine::new(Parts {
        store: store.clone(),
        telephony: carrier.clone(),
        notifier: Arc::new(Silent),
        rates: Arc::new(LocalRates::new(100_000.0)),
        clock: clock.clone(),
        permission,
        ids: Ids::seeded(7),
    });
    let id = CampaignId::small(TENANT, 1);
    let campaign = Campaign::new(id, "first", settings);
    let filing = Filing::of(&campaign.settings).unwrap();
    let mut changes = Changes::new(TENANT, NOW);
    changes.campaigns.push(Put { row: campaign.clone(), expected: 0 });
    for n in 1..=leads {
        let mut row = lead(id, n, 14_155_552_000 + n);
        engine.file(&mut row, &campaign, &filing, NOW);
        changes.leads.push(Put { row, expected: 0 });
    }
    changes.tally(id).leads.open = leads as i64;
    store.commit(&changes).await.unwrap();
    Scene { engine, store, carrier, clock, id }
}

impl Scene {
    async fn start(&self) {
        self.engine.perform_all(self.engine.command(self.id, &Command::Start).await.unwrap()).await;
    }
    async fn step(&self, at: Timestamp) {
        self.clock.set(at);
        self.engine.perform_all(self.engine.step(100).await.unwrap()).await;
    }
    fn take(&self) -> Vec<Dial> {
        std::mem::take(&mut *self.carrier.0.lock().unwrap())
    }
    async fn hear(&self, line: Line, facts: LegFacts) {
        let reply = self.engine.hear(line, facts, false).await.unwrap();
        self.engine.perform_all(reply.tasks).await;
    }
    /// Ends every dial that was made; nobody answered, or somebody did and hung up.
    async fn end_all(&self, answered: bool) -> usize {
        let dials = self.take();
        let now = self.clock.now();
        let cause = if answered { EndCause::Completed } else { EndCause::NoAnswer };
        for dial in &dials {
            let answered_at = answered.then_some(now);
            let end = Some(End { cause, at: now + Millis::from_secs(1) });
            self.hear(dial.line, LegFacts { ringing_at: Some(now), answered_at, end, ..LegFacts::default() }).await;
        }
        dials.len()
    }
    async fn change(&self, change: impl Fn(&mut Settings)) {
        let mut settings = (*self.store.campaign(self.id).await.unwrap().campaign.row.settings).clone();
        change(&mut settings);
        let tasks = self.engine.command(self.id, &Command::Change(Arc::new(settings))).await.unwrap();
        self.engine.perform_all(tasks).await;
    }
    /// Refiles every lead, as the background job does.
    async fn refile(&self) -> u32 {
        let leads = self.store.leads(self.id);
        let leads = leads.iter().filter_map(|l| self.store.lead(l.id)).collect();
        let row = self.store.campaign(self.id).await.unwrap().campaign.row;
        self.engine.refile(leads, &row).await.unwrap()
    }
    fn check_counts(&self) {
        let leads = self.store.leads(self.id);
        let counted = Funnel::recount(&leads, self.clock.now());
        assert_eq!(self.store.funnel(self.id).unwrap().counts(), counted.counts());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_filter_keeps_leads_out_until_it_is_changed_and_appointments_stand() {
    let s = scene(Settings { filter: "state == 'CA'".into(), ..settings() }, 10, Arc::new(Standard)).await;
    let id = LeadId::small(TENANT, 3);
    let view = s.store.campaign(s.id).await.unwrap();
    let event = autocall_core::lead::LeadEvent::Appoint(Callback { at: NOW, agent: None });
    s.engine.lead_event(&s.store.lead(id).unwrap(), &event, &view.campaign.row.settings).await.unwrap();
    s.start().await;
    let called = s.take();
    assert_eq!(called.len(), 6, "five in California and one appointment");
    assert_eq!(s.store.funnel(s.id).unwrap().report(NOW).filtered, 4);
    s.check_counts();
    s.change(|s| s.filter = "state == 'NY' or state == 'CA'".into()).await;
    assert!(s.take().is_empty(), "places are kept until the job has passed");
    assert_eq!(s.refile().await, 5, "the four, and what is noted with the appointment");
    assert_eq!(s.refile().await, 0, "done is done");
    s.step(NOW + Millis::from_secs(2)).await;
    assert_eq!(s.take().len(), 4);
    s.check_counts();
}

#[tokio::test(flavor = "current_thread")]
async fn a_quota_is_never_overfilled_and_counts_what_it_names() {
    let quota = |most| Quota {
        name: "reached in California".into(),
        segment: "state == 'CA'".into(),
        counts: vec!["no_answer".into()],
        most,
    };
    let s = scene(Settings { quotas: vec![quota(3)], ..settings() }, 20, Arc::new(Standard)).await;
    s.start().await;
    let dials = s.take();
    let in_ca = |d: &Dial| matches!(d.to, Address::Phone(p) if p.digits() % 2 == 0);
    assert_eq!(dials.iter().filter(|d| in_ca(d)).count(), 3, "each call under way may fill it");
    assert_eq!(dials.iter().filter(|d| !in_ca(d)).count(), 10, "others are not concerned");
    let view = s.store.campaign(s.id).await.unwrap();
    assert_eq!((view.quotas[0].done, view.quotas[0].in_flight), (0, 3));
    // One does not count, two do.
    for (n, dial) in dials.iter().filter(|d| in_ca(d)).enumerate() {
        let cause = if n == 0 { EndCause::Busy } else { EndCause::NoAnswer };
        s.hear(dial.line, LegFacts { end: Some(End { cause, at: NOW }), ..LegFacts::default() }).await;
    }
    let view = s.store.campaign(s.id).await.unwrap();
    assert_eq!((view.quotas[0].done, view.quotas[0].in_flight), (2, 0));
    s.step(NOW + Millis::from_secs(40)).await;
    let more = s.take();
    assert_eq!(more.iter().filter(|d| in_ca(d)).count(), 1);
    let end = Some(End { cause: EndCause::NoAnswer, at: NOW });
    s.hear(more.iter().find(|d| in_ca(d)).unwrap().line, LegFacts { end, ..LegFacts::default() }).await;
    for second in [80, 120, 5_000] {
        s.step(NOW + Millis::from_secs(second)).await;
        assert!(s.take().iter().all(|d| !in_ca(d)), "full is full");
    }
    let report = s.store.funnel(s.id).unwrap().report(s.clock.now());
    let held = report.held.iter().find(|h| h.rule.as_str() == "quota:reached in California").expect("it says so");
    assert!(held.never >= 6, "{held:?}");
    // A larger quota frees them.
    s.change(|s| s.quotas = vec![quota(5)]).await;
    s.refile().await;
    s.step(NOW + Millis::from_secs(5_010)).await;
    assert_eq!(s.take().iter().filter(|d| in_ca(d)).count(), 2);
    s.check_counts();
}

#[tokio::test(flavor = "current_thread")]
async fn numbers_are_shown_by_place_and_memory_within_their_caps() {
    let mut wanted = settings();
    wanted.showing.local_presence = true;
    wanted.showing.sticky = true;
    let local = phone("+14155550102");
    wanted.showing.limits = vec![ShowLimit { phone: local, weight: 1, daily_max: 4 }];
    wanted
        .retry
        .0
        .insert("no_answer".into(), autocall_core::settings::Retry { delay_min: vec![1], ..Default::default() });
    let s = scene(wanted, 6, Arc::new(Standard)).await;
    s.start().await;
    let first = s.carrier.0.lock().unwrap().clone();
    let from: Vec<Phone> = first.iter().map(|d| d.from).collect();
    assert_eq!(from.iter().filter(|f| **f == local).count(), 4, "the local number has its day's cap");
    assert_eq!(from.len(), 6, "then others");
    s.end_all(false).await;
    // Next day each lead sees the number that it knows.
    s.step(NOW + Millis::from_hours(24)).await;
    let again = s.take();
    assert_eq!(again.len(), 6);
    for dial in &again {
        let Line::Leg(leg) = dial.line else { panic!() };
        let call = s.store.call(leg.call).await.unwrap();
        assert_eq!(call.lead.row.filed.shown, fingerprint(dial.from));
        let known = first.iter().find(|d| d.to == dial.to).unwrap();
        assert_eq!(dial.from, known.from, "sticky");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_number_that_people_stop_answering_rests_and_explain_says_so() {
    let mut wanted = settings();
    wanted.caller_ids.truncate(1);
    wanted.pacing.mode = Mode::Agentless { in_flight_max: 100 };
    let s = scene(wanted, 800, Arc::new(Standard)).await;
    s.start().await;
    let mut now = NOW;
    for answered in [true, true, false] {
        let mut ended = 0;
        for _ in 0..10 {
            ended += s.end_all(answered).await;
            now += Millis::from_secs(2);
            if ended >= 100 {
                break;
            }
            s.step(now).await;
        }
        assert!(ended >= 100, "{ended}");
        now += Millis::from_mins(15);
        s.step(now).await;
    }
    let view = s.store.campaign(s.id).await.unwrap();
    let GuardValue::CallerId(guard) = &view.caller_ids[0].value else { panic!() };
    assert!(guard.health.rest_until.is_some_and(|until| until > now), "{guard:?} {:?}", view.shown);
    let until = autocall_core::engine::nothing_to_show_until(&view, now).expect("nothing to show");
    s.end_all(true).await;
    s.step(now + Millis::from_secs(90)).await;
    assert!(s.take().is_empty(), "nothing is dialled while the only number rests");
    s.step(until).await;
    s.step(until + Millis::from_mins(2)).await;
    assert!(!s.take().is_empty(), "it comes back");
}

#[tokio::test(flavor = "current_thread")]
async fn explain_and_preflight_judge_by_the_law_and_write_nothing() {
    let s = scene(settings(), 4, Arc::new(Lawful::shipped(Vec::new()))).await;
    let id = LeadId::small(TENANT, 2);
    s.clock.set(NOW + Millis::from_hours(12));
    let explained = s.engine.explain_lead(id).await.unwrap();
    let denied = explained.denied.expect("ten at night");
    assert!(denied.until > s.clock.now() && explained.number_index.is_none());
    let by = explained.opinions.iter().find(|o| o.rule == denied.rule).expect("the rule is among the opinions");
    assert!(!by.citation.is_empty() && by.denied_until.is_some());
    assert!(explained.opinions.iter().any(|o| o.denied_until.is_none()), "rules that do not deny are shown too");
    let found = s.engine.preflight(s.id).await.unwrap();
    assert_eq!((found.judged, found.now), (4, 0));
    let (later, never) = found.by_rule[&denied.rule];
    assert_eq!((later, never, found.by_hour.values().sum::<u64>()), (4, 0, 4));
    assert_eq!(s.store.lead(id).unwrap().version, 1, "nothing was written");
    s.clock.set(NOW);
    assert_eq!(s.engine.preflight(s.id).await.unwrap().now, 4);
    assert_eq!(s.engine.explain_lead(id).await.unwrap().number_index, Some(0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_lead_that_the_law_denies_is_filed_until_it_may_be_called() {
    let s = scene(settings(), 0, Arc::new(Lawful::shipped(Vec::new()))).await;
    let row = s.store.campaign(s.id).await.unwrap().campaign.row;
    let filing = Filing::of(&row.settings).unwrap();
    let night = NOW + Millis::from_hours(12);
    let mut sleeper = lead(s.id, 1, 14_155_552_001);
    s.engine.file(&mut sleeper, &row, &filing, night);
    assert!(sleeper.due_at > night && sleeper.blocked_by.is_some() && sleeper.filed.group > 0, "{sleeper:?}");
    let mut awake = lead(s.id, 1, 14_155_552_001);
    s.engine.file(&mut awake, &row, &filing, NOW);
    assert_eq!((awake.due_at, awake.blocked_by), (Timestamp::EPOCH, None));
}

/// What a campaign of that country, which records with an announcement, owes somebody in Texas.
async fn asked_of_a_texan(country: &str, agents_at: &[&str], expected: RecordingMode) {
    let agents_at = agents_at.iter().copied().map(Arc::from).collect();
    let settings = Settings { recording: RecordingMode::Announce, agents_at, country: country.into(), ..settings() };
    let s = scene(settings, 0, Arc::new(Lawful::shipped(Vec::new()))).await;
    let campaign = s.store.campaign(s.id).await.unwrap().campaign.row;
    let mut changes = Changes::new(TENANT, NOW);
    changes.leads.push(Put { row: lead(s.id, 9, 12_145_552_009), expected: 0 });
    s.store.commit(&changes).await.unwrap();
    let texan = s.store.candidate(LeadId::small(TENANT, 9), NOW).await.unwrap();
    let rules = Lawful::shipped(Vec::new());
    let allowed = rules.judge(&texan, &campaign, NOW).expect("noon in Texas");
    let asked = RecordingMode::Announce.max(allowed.recording);
    assert_eq!(asked, expected, "{country}, {:?}", campaign.settings.agents_at);
}

#[tokio::test(flavor = "current_thread")]
async fn a_recording_follows_the_stricter_of_campaign_and_law() {
    let recorded = Settings { recording: RecordingMode::Announce, ..settings() };
    let s = scene(recorded, 1, Arc::new(Lawful::shipped(Vec::new()))).await;
    s.start().await;
    assert_eq!(s.take()[0].recording, RecordingMode::Consent, "California asks for everybody's consent");
    // Of a lead in Texas, where one party's knowledge is enough, the agents' place decides.
    for (agents_at, expected) in [
        (vec![], RecordingMode::Consent),
        (vec!["US"], RecordingMode::Consent),
        (vec!["US-TX", "US-CA"], RecordingMode::Consent),
        (vec!["US-WA"], RecordingMode::Announce),
        (vec!["FR"], RecordingMode::Announce),
        (vec!["DE"], RecordingMode::Consent),
        (vec!["US-TX"], RecordingMode::Announce),
        (vec!["US-TX", "nowhere"], RecordingMode::Consent),
        // Canada asks for an announcement; California, which may be meant, for a yes.
        (vec!["CA"], RecordingMode::Consent),
        (vec!["us"], RecordingMode::Consent),
        // No pack speaks of Brazil.
        (vec!["BR"], RecordingMode::Consent),
    ] {
        asked_of_a_texan("US", &agents_at, expected).await;
    }
    asked_of_a_texan("CA", &[], RecordingMode::Announce).await;
    asked_of_a_texan("XX", &[], RecordingMode::Consent).await;
    let silent = scene(settings(), 1, Arc::new(Lawful::shipped(Vec::new()))).await;
    silent.start().await;
    let dial = silent.take().remove(0);
    assert_eq!(dial.recording, RecordingMode::Off, "nothing is recorded that nobody asked for");
    let Line::Leg(leg) = dial.line else { panic!("a customer's leg") };
    let call = silent.store.call(leg.call).await.unwrap().call.row;
    assert_eq!(call.plan.recording_needs, RecordingMode::Consent, "an agent who would like to asks this");
    assert!(!call.plan.may_record_now());
}

#[tokio::test(flavor = "current_thread")]
async fn an_opt_out_is_remembered_as_a_refusal() {
    let s = scene(settings(), 1, Arc::new(Standard)).await;
    s.start().await;
    let dial = s.take().remove(0);
    s.hear(dial.line, LegFacts { answered_at: Some(NOW), opted_out_at: Some(NOW), ..LegFacts::default() }).await;
    s.hear(dial.line, LegFacts { end: Some(End { cause: EndCause::Completed, at: NOW }), ..LegFacts::default() }).await;
    s.step(NOW + Millis::from_mins(1)).await;
    let candidate = s.store.candidate(LeadId::small(TENANT, 1), NOW).await.unwrap();
    let person = candidate.guards.iter().find_map(|g| match &g.value {
        GuardValue::Person(person) => Some(person.history.clone()),
        _ => None,
    });
    let person = person.unwrap();
    assert_eq!(person.attempts.list()[0].happened, Happened::Refused);
    assert!(person.attempts.latest().refused >= Some(NOW));
    assert!(candidate.lists[0].tenant.is_some());
}

#[tokio::test(flavor = "current_thread")]
async fn a_listing_that_ends_keeps_a_lead_waiting_and_does_not_close_it() {
    let s = scene(settings(), 1, Arc::new(Standard)).await;
    let listing = autocall_core::ports::Listing {
        phone: phone("+14155552001"),
        campaign: None,
        reason: "holiday".into(),
        source: "test".into(),
        until: Some(NOW + Millis::from_days(2)),
    };
    let _ = s.engine.suppress(TENANT, vec![listing]).await.unwrap();
    s.start().await;
    assert!(s.take().is_empty());
    let row = s.store.leads(s.id).remove(0);
    assert!(row.is_open() && row.due_at == NOW + Millis::from_days(2), "{row:?}");
    s.step(NOW + Millis::from_days(2) - Millis::from_ms(1)).await;
    assert!(s.take().is_empty());
    s.step(NOW + Millis::from_days(2) + Millis::from_mins(1)).await;
    assert_eq!(s.take().len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_click_dials_a_lead_far_down_the_list() {
    let mut wanted = settings();
    wanted.pacing.mode = Mode::Preview;
    wanted.abandonment = Some(Audio::say("Acme called, 415 555 0100. Press 9 to opt out."));
    let pool = PoolId::small(TENANT, 1);
    wanted.transfer.pools = vec![pool];
    wanted.order = Order::Oldest;
    let s = scene(wanted, 900, Arc::new(Standard)).await;
    let agent = AgentId::small(TENANT, 1);
    let mut changes = Changes::new(TENANT, NOW);
    let row = Agent::new(agent, pool, "Ann".into(), Address::Phone(phone("+14155550199")), NOW);
    changes.agents.push(Put { row, expected: 0 });
    s.store.commit(&changes).await.unwrap();
    s.start().await;
    let tasks = s.engine.agent_event(agent, &AgentEvent::Status(Status::Available)).await.unwrap();
    s.engine.perform_all(tasks).await;
    let last = LeadId::small(TENANT, 900);
    let tasks = s.engine.dial_for(s.id, agent, Some(last)).await.unwrap();
    s.engine.perform_all(tasks).await;
    let dials = s.take();
    assert_eq!((dials.len(), &dials[0].to), (1, &Address::Phone(phone("+14155552900"))));
    let Versioned { row, .. } = s.store.lead(last).unwrap();
    assert_eq!(row.attempts, 1);
}
