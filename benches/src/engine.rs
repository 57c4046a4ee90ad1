//! The engine on one core: complete call lives per second with the store in memory and a carrier
//! that answers at once; bytes per live call; instructions per decision.

use crate::probe::{repeat, rss_bytes};
use crate::{Measurement, Opts};
use async_trait::async_trait;
use autocall_core::agent::{Address, Agent, Status};
use autocall_core::call::{Call, CallPlan, Context, End, EndCause, Event, LegFacts, Press, ProviderRef, Verdict};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::{Engine, Parts, Standard};
use autocall_core::id::{AgentId, CallId, CampaignId, LeadId, LegId, PoolId, TenantId};
use autocall_core::lead::{Lead, Number, Person, State};
use autocall_core::memory::MemoryStore;
use autocall_core::pacing::{self, AgentView, CallView, DayKey, Ledger, Limits, Phase, View};
use autocall_core::ports::{
    Capabilities, Changes, Dial, DialError, DialPermit, Ids, Line, LocalRates, ManualClock, Put, Sighting, Silent,
    Store, Telephony, TelephonyError,
};
use autocall_core::script::{Audio, Script};
use autocall_core::settings::{RetryPolicy, Settings, TransferMode};
use autocall_core::{Millis, Phone, Priority, Timestamp};
use std::future::Future;
use std::pin::pin;
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::task::{Context as Poll, Poll as Polled, Waker};

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Lives per second on one core that the project set itself.
const LIVES_GOAL: f64 = 20_000.0;

/// Runs the bench.
///
/// # Panics
/// If a call was not settled.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    if let Some(probe) = opts.set.get("probe") {
        return probed(probe);
    }
    let leads: usize = opts.get("leads", opts.pick(500, 20_000, 200_000)).unwrap_or_else(|e| panic!("{e}"));
    let mut found = Vec::new();
    for (case, fates) in [("usual mix", Fates::Usual), ("every call connected", Fates::Connected)] {
        let seconds =
            repeat(opts.repeats, || Bench::new(leads, fates), |bench| bench.run(), |done| assert_eq!(done, leads));
        let lives = Measurement::higher("engine", case, "lives_per_s", leads as f64 / seconds.median(), "calls/s");
        found.push(if fates == Fates::Usual { lives.goal(LIVES_GOAL) } else { lives });
    }
    found.extend(memory(opts));
    found.extend(instructions());
    found
}

/// Polls a future that never waits.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Poll::from_waker(Waker::noop())) {
        Polled::Ready(value) => value,
        Polled::Pending => panic!("nothing here ever waits"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fates {
    /// A quarter people, a quarter machines, the rest busy or not answered.
    Usual,
    /// Only people, all handed to an agent: the longest life.
    Connected,
}

/// Takes every dial and keeps it for the driver.
#[derive(Default)]
pub(crate) struct Instant {
    dials: Mutex<Vec<Dial>>,
}

impl Instant {
    /// The dials since the last time.
    pub(crate) fn take(&self) -> Vec<Dial> {
        std::mem::take(&mut *self.dials.lock().expect("no panic holds it"))
    }
}

#[async_trait]
impl Telephony for Instant {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        assert_eq!(permit.line(), dial.line);
        self.dials.lock().expect("no panic holds it").push(dial.clone());
        Ok(ProviderRef("CA0".into()))
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

struct Bench {
    engine: Engine,
    store: Arc<MemoryStore>,
    carrier: Arc<Instant>,
    clock: Arc<ManualClock>,
    fates: Fates,
    leads: usize,
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Bench".into();
    s.seller.phone = Phone::from_digits(14_155_550_100);
    s.caller_ids = Phone::from_digits(14_155_550_101).into_iter().collect();
    s.abandonment = Some(Audio::say("Bench called, 415 555 0100. Press 9 to opt out."));
    s.transfer.pools = vec![PoolId::small(TENANT, 1)];
    s.transfer.wrap_up_ms = 0;
    s.caps.calls_per_second_max = 1_000.0;
    s.caps.lines_max = 1_000;
    // One attempt each: the bench counts lives, not patience.
    s.retry = RetryPolicy(Default::default());
    s
}

fn lead(n: u64) -> Lead {
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: CampaignId::small(TENANT, 1),
        list: None,
        person: Arc::new(Person { first_name: "John".into(), ..Person::default() }),
        person_key: n,
        numbers: [Number::new(Phone::from_digits(12_000_000_000 + n).expect("valid"))].into_iter().collect(),
        priority: Priority::Normal,
        order: n as i64,
        filed: Default::default(),
        class: 0,
        state: State::Open,
        due_at: T0,
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

impl Bench {
    fn new(leads: usize, fates: Fates) -> Bench {
        let (store, carrier) = (Arc::new(MemoryStore::new()), Arc::new(Instant::default()));
        let clock = Arc::new(ManualClock::at(T0));
        let engine = Engine::new(Parts {
            store: store.clone(),
            telephony: carrier.clone(),
            notifier: Arc::new(Silent),
            rates: Arc::new(LocalRates::new(100_000.0)),
            clock: clock.clone(),
            permission: Arc::new(Standard),
            ids: Ids::seeded(1),
        });
        let campaign = CampaignId::small(TENANT, 1);
        let mut changes = Changes::new(TENANT, T0);
        changes.campaigns.push(Put { row: Campaign::new(campaign, "bench", settings()), expected: 0 });
        for n in 1..=100 {
            let address = Address::Phone(Phone::from_digits(14_155_560_000 + n).expect("valid"));
            let id = AgentId::small(TENANT, u128::from(n));
            let mut row = Agent::new(id, PoolId::small(TENANT, 1), "Ann".into(), address, T0);
            row.status = Status::Available;
            changes.agents.push(Put { row, expected: 0 });
        }
        changes.tally(campaign).leads.open = leads as i64;
        changes.leads.extend((1..=leads as u64).map(|n| Put { row: lead(n), expected: 0 }));
        now_or_never(store.commit(&changes)).expect("a fresh store");
        now_or_never(engine.command(campaign, &Command::Start)).map(drop).expect("settings that can start");
        Bench { engine, store, carrier, clock, fates, leads }
    }

    /// Runs every lead to its end; returns how many calls settled.
    fn run(self) -> usize {
        let mut second = 0;
        loop {
            second += 1;
            self.clock.set(T0 + Millis::from_secs(second));
            let tasks = now_or_never(self.engine.step(10_000)).expect("memory does not fail");
            now_or_never(self.engine.perform_all(tasks));
            self.answer_dials();
            let settled = self.store.settled();
            if settled >= self.leads {
                return settled;
            }
            assert!(second < 100_000, "{settled} of {} settled: {:?}", self.leads, self.view());
        }
    }

    fn view(&self) -> autocall_core::ports::CampaignView {
        now_or_never(self.store.campaign(CampaignId::small(TENANT, 1))).expect("it is there")
    }

    fn answer_dials(&self) {
        loop {
            let dials = self.carrier.take();
            if dials.is_empty() {
                return;
            }
            for dial in dials {
                let Line::Leg(leg) = dial.line else { continue };
                if leg.leg == LegId::CUSTOMER { self.customer(leg, &dial.to) } else { self.agent(leg) }
            }
        }
    }

    fn hear(&self, leg: LegId, asked: bool, fill: impl FnOnce(&mut LegFacts)) {
        let mut facts = LegFacts::default();
        fill(&mut facts);
        let reply = now_or_never(self.engine.hear(Line::Leg(leg), facts, asked)).expect("memory does not fail");
        now_or_never(self.engine.perform_all(reply.tasks));
    }

    fn customer(&self, leg: LegId, to: &Address) {
        let now = self.engine.now();
        let Address::Phone(phone) = to else { return };
        self.hear(leg, false, |f| f.ringing_at = Some(now));
        let fate = if self.fates == Fates::Connected { 0 } else { phone.digits() % 4 };
        let over = |cause| move |f: &mut LegFacts| f.end = Some(End { cause, at: now });
        match fate {
            0 => {
                self.hear(leg, true, |f| f.answered_at = Some(now));
                self.hear(leg, false, |f| f.joined_at = Some(now));
                self.hear(leg, false, |f| f.verdict = Some((Verdict::Human, now)));
            }
            1 => {
                self.hear(leg, true, |f| f.answered_at = Some(now));
                self.hear(leg, false, |f| f.verdict = Some((Verdict::MachineGreeting, now)));
                self.hear(leg, false, over(EndCause::Completed));
            }
            2 => self.hear(leg, false, over(EndCause::Busy)),
            _ => self.hear(leg, false, over(EndCause::NoAnswer)),
        }
    }

    fn agent(&self, leg: LegId) {
        let now = self.engine.now();
        let customer = LegId { leg: LegId::CUSTOMER, ..leg };
        self.hear(leg, false, |f| f.ringing_at = Some(now));
        self.hear(leg, true, |f| f.answered_at = Some(now));
        self.hear(leg, true, |f| f.accepted = Some(Press { at: now, key: '1' }));
        self.hear(leg, false, |f| f.joined_at = Some(now));
        let over = Some(End { cause: EndCause::Completed, at: now });
        self.hear(customer, false, |f| f.end = over);
        self.hear(leg, false, |f| f.end = over);
    }
}

fn fresh_call(n: u64) -> Call {
    let plan = CallPlan {
        campaign: CampaignId::small(TENANT, 1),
        lead: LeadId::small(TENANT, u128::from(n)),
        person_key: n,
        subject: "default".into(),
        attempt: 1,
        to: Phone::from_digits(12_000_000_000 + n).expect("valid"),
        number_index: 0,
        from: Phone::from_digits(14_155_550_101).expect("valid"),
        account: "1".into(),
        class: 0,
        name: "John".into(),
        mode: TransferMode::OnDemand,
        agentless: false,
        voicemail_allowed: true,
        abandonment_allowed: true,
        for_agent: None,
        ring_ms_max: 25_000,
        recording: Default::default(),
        recording_needs: Default::default(),
        quotas: Default::default(),
        evidence: None,
    };
    Call::new(CallId::small(TENANT, u128::from(n)), Arc::new(plan), T0)
}

/// Resident bytes that one more live call takes in the store, indexes included.
fn memory(opts: &Opts) -> Vec<Measurement> {
    let calls: u64 = opts.pick(20_000, 100_000, 500_000);
    let store = MemoryStore::new();
    let Some(before) = rss_bytes() else { return Vec::new() };
    for n in 1..=calls {
        let mut changes = Changes::new(TENANT, T0);
        changes.calls.push((Put { row: fresh_call(n), expected: 0 }, T0 + Millis::from_secs(15)));
        now_or_never(store.commit(&changes)).expect("a fresh row");
    }
    let grown = rss_bytes().unwrap_or(before).saturating_sub(before);
    assert_eq!(store.calls().len() as u64, calls);
    vec![Measurement::lower("engine", "live calls", "bytes_per_live_call", grown as f64 / calls as f64, "B")]
}

/// Counts instructions by running this bench's probes under callgrind, with `n` and with `2n`
/// rounds: the difference leaves start-up out.
fn instructions() -> Vec<Measurement> {
    let mut found = Vec::new();
    for probe in ["handle", "plan"] {
        match (collected(probe, 1_000), collected(probe, 2_000)) {
            (Some(one), Some(two)) => {
                let each = (two - one) as f64 / 1_000.0;
                found.push(Measurement::lower("engine", probe, "instructions", each, "instr"));
            }
            _ => {
                println!("engine: valgrind is not installed (Debian package valgrind): no instruction count of {probe}")
            }
        }
    }
    found
}

fn collected(probe: &str, rounds: u32) -> Option<u64> {
    let out = Process::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["engine", "--set", &format!("probe={probe}:{rounds}")])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&out.stderr);
    let line = text.lines().find(|l| l.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// What runs under callgrind: so many rounds of one decision.
fn probed(probe: &str) -> Vec<Measurement> {
    let (what, rounds) = probe.split_once(':').expect("probe=NAME:ROUNDS");
    let rounds: u32 = rounds.parse().expect("a number of rounds");
    let done = match what {
        "handle" => probe_handle(rounds),
        _ => probe_plan(rounds),
    };
    assert_eq!(done, rounds);
    vec![Measurement::higher("engine", what, "rounds", f64::from(done), "rounds")]
}

/// `Call::handle`, one report of a ringing phone.
fn probe_handle(rounds: u32) -> u32 {
    let (settings, mut done) = (settings(), 0);
    let ctx = Context { settings: &settings, free: &[] };
    let fresh = fresh_call(1);
    let event = Event::Facts { leg: 0, facts: LegFacts { ringing_at: Some(T0), ..LegFacts::default() } };
    for _ in 0..rounds {
        let mut call = fresh.clone();
        call.handle(&event, &ctx, T0);
        done += u32::from(call.customer().facts.ringing_at.is_some());
    }
    done
}

/// `Strategy::plan` of the predictive pacer, with a hundred agents and fifty calls.
fn probe_plan(rounds: u32) -> u32 {
    let settings = pacing::Settings::predictive(0.03);
    let mut strategy = pacing::strategy(&settings);
    let phase = |n: i64| if n % 4 == 0 { Phase::Idle } else { Phase::Talking };
    let agents: Vec<AgentView> =
        (0..100).map(|n| AgentView { phase: phase(n), since: T0 - Millis::from_secs(n), share_pct: 100 }).collect();
    let calls: Vec<CallView> = (0..50).map(|n| CallView::dialed(0, T0 - Millis::from_ms(n * 300))).collect();
    let day = DayKey::with_offset(T0, 0);
    let ledger = Ledger::new(day, &settings.ledger);
    let view = View {
        agents: &agents,
        calls: &calls,
        next_classes: &[],
        limits: Limits::open(),
        ledger: &ledger,
        day,
        transfer: pacing::Transfer::Standing,
    };
    (0..rounds).map(|n| strategy.plan(&view, T0 + Millis::from_ms(i64::from(n)))).filter(|p| p.next_look > T0).count()
        as u32
}
