//! Choosing the next leads, and how often a verdict is asked for in vain.
//!
//! * The next 100 leads of a list of ten thousand and of ten million, in memory: all of it fresh,
//!   99 % denied until tomorrow, and a filter that lets 1 lead in 10,000 in.
//! * A day of an agentless campaign under all rules, in which 90 % of the leads are blocked all
//!   day: how many verdicts each dial took.

use crate::engine::{Instant as Carrier, now_or_never};
use crate::{Measurement, Opts, Samples};
use autocall_core::call::{End, EndCause, LegFacts};
use autocall_core::campaign::{Campaign, Command};
use autocall_core::engine::{Allowed, Denied, Engine, Lawful, Parts, Permission, Registry};
use autocall_core::id::{CampaignId, LeadId, TenantId};
use autocall_core::lead::{Lead, LeadEvent, Number, Person, State};
use autocall_core::memory::MemoryStore;
use autocall_core::pacing::Mode;
use autocall_core::permission::{Consent, ConsentClass, ConsentSource, Party, Purposes, Reassigned, ReassignedCheck};
use autocall_core::planning::filing::Filing;
use autocall_core::ports::{Candidate, Changes, Ids, Line, LocalRates, ManualClock, Put, Silent, Store};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use autocall_core::{Millis, Phone, Priority, Timestamp};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const TENANT: TenantId = TenantId(1);
/// Tuesday 2026-11-24, 06:00 in New York.
const DAWN: Timestamp = Timestamp::from_secs(1_795_518_000);
const NEXT: u32 = 100;
/// Area codes from the Atlantic to Hawaii.
const CODES: [u64; 8] = [212, 404, 312, 214, 303, 602, 310, 808];

/// Runs the bench.
///
/// # Panics
/// If a look did not find its leads, or the day's dials did not take place.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let large: u64 = opts.get("leads", opts.pick(100_000, 1_000_000, 10_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let looks = opts.pick(50, 300, 1_000);
    let small = look(&List::new(10_000, Kept::Fresh), looks);
    let mut rows = vec![Measurement::lower("planning", "10000 leads, fresh", "next_100_us_median", small, "us")];
    for (name, kept) in [("fresh", Kept::Fresh), ("99 % denied", Kept::Denied), ("filter 1 in 10000", Kept::Filtered)] {
        let us = look(&List::new(large, kept), looks);
        let case = format!("{large} leads, {name}");
        rows.push(Measurement::lower("planning", case.as_str(), "next_100_us_median", us, "us"));
        rows.push(Measurement::lower("planning", case, "ratio_to_10000_fresh", us / small, "").goal(2.0));
    }
    rows.extend(day(opts));
    rows
}

/// What keeps leads of the list from being called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Nothing.
    Fresh,
    /// 99 in 100 are denied until tomorrow.
    Denied,
    /// The filter lets 1 in 10,000 in.
    Filtered,
}

struct List {
    store: MemoryStore,
    campaign: CampaignId,
    /// How many can be found.
    callable: u64,
}

fn bare(n: u64, person: &Arc<Person>) -> Lead {
    let code = CODES[(n % CODES.len() as u64) as usize];
    let phone = 10_000_000_000 + code * 10_000_000 + 2_000_000 + n % 7_900_000;
    Lead {
        id: LeadId::small(TENANT, u128::from(n)),
        campaign: CampaignId::small(TENANT, 1),
        list: None,
        person: person.clone(),
        person_key: n,
        numbers: [Number::new(Phone::from_digits(phone).expect("eleven digits"))].into_iter().collect(),
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

impl List {
    fn new(leads: u64, kept: Kept) -> List {
        let (store, campaign) = (MemoryStore::new(), CampaignId::small(TENANT, 1));
        let settings = settings();
        let mut first = Changes::new(TENANT, DAWN);
        first.campaigns.push(Put { row: Campaign::new(campaign, "bench", settings.clone()), expected: 0 });
        now_or_never(store.commit(&first)).expect("a fresh store");
        let filing = Filing::of(&settings).expect("no expressions");
        let person = Arc::new(Person::default());
        let mut callable = 0;
        let mut n = 0;
        while n < leads {
            let mut changes = Changes::new(TENANT, DAWN);
            for _ in 0..10_000.min(leads - n) {
                n += 1;
                let mut lead = bare(n, &person);
                filing.file(&mut lead);
                lead.filed.parked =
                    kept == Kept::Filtered && !n.is_multiple_of(10_000.min(leads / NEXT.min(100) as u64));
                if kept == Kept::Denied && !n.is_multiple_of(100) {
                    let until = DAWN + Millis::from_hours(26);
                    lead.handle(&LeadEvent::Denied { rule: "us.tsr.hours".into(), until }, &settings, DAWN);
                }
                callable += u64::from(lead.due_at <= DAWN && !lead.is_parked());
                changes.leads.push(Put { row: lead, expected: 0 });
            }
            changes.tally(campaign).leads.open = changes.leads.len() as i64;
            now_or_never(store.commit(&changes)).expect("new leads");
        }
        List { store, campaign, callable }
    }
}

/// Microseconds of one look, the median.
fn look(list: &List, looks: usize) -> f64 {
    let wanted = u64::from(NEXT).min(list.callable) as usize;
    let mut took = Vec::with_capacity(looks);
    for i in 0..looks + 10 {
        let start = Instant::now();
        let found = now_or_never(list.store.candidates(list.campaign, DAWN, NEXT)).expect("memory does not fail");
        let us = start.elapsed().as_secs_f64() * 1e6;
        assert_eq!(black_box(found).len(), wanted, "every look finds its leads");
        if i >= 10 {
            took.push(us);
        }
    }
    Samples::new(took).median()
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.seller.name = "Bench".into();
    s.seller.phone = Phone::from_digits(14_155_550_100);
    s.caller_ids = Phone::from_digits(14_155_550_101).into_iter().collect();
    s.message = Some(Audio::say("Hello from Bench."));
    s.pacing.mode = Mode::Agentless { in_flight_max: 50 };
    s.caps.calls_per_second_max = 10.0;
    s.caps.lines_max = 50;
    s
}

/// Counts how often it is asked.
struct Counting {
    inner: Lawful,
    asked: AtomicU64,
}

impl Permission for Counting {
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.judge(candidate, campaign, now)
    }
}

/// A registry that lists every number ending in 0, 1 or 2.
struct ThreeInTen;

impl Registry for ThreeInTen {
    fn name(&self) -> &str {
        "us-national"
    }
    fn version(&self) -> (Arc<str>, Timestamp) {
        ("1".into(), DAWN - Millis::from_days(2))
    }
    fn contains(&self, phone: Phone) -> bool {
        phone.digits() % 10 < 3
    }
}

/// One lead in ten may be called; three are in the registry, three have not consented to recorded
/// voice, three asked for another day of the week.
fn person(n: u64) -> Person {
    let mut person = Person::default();
    person.dossier.party = Some(Party::Consumer);
    // Consents count with a check of the number's owner only.
    let checked = ReassignedCheck { at: DAWN - Millis::from_days(2), answer: Reassigned::No };
    person.dossier.reassigned = Some(checked);
    let kind = n % 10;
    if kind == 0 || kind > 6 {
        person.dossier.consents.push(Consent {
            class: ConsentClass::Written,
            purposes: Purposes::ALL,
            recorded_voice: true,
            automated: true,
            any_hour: false,
            given_at: DAWN - Millis::from_days(100),
            expires_at: None,
            source: ConsentSource::WebForm,
            proof: None,
        });
    }
    if kind > 6 {
        person.dossier.hours = Some("sat,sun 10:00-18:00".into());
    }
    person
}

/// Eighteen hours of an agentless campaign; how many verdicts each dial took.
fn day(opts: &Opts) -> Vec<Measurement> {
    let leads: u64 = opts.pick(2_000, 20_000, 50_000);
    let counting = Arc::new(Counting { inner: Lawful::shipped(vec![Arc::new(ThreeInTen)]), asked: AtomicU64::new(0) });
    let (store, carrier) = (Arc::new(MemoryStore::new()), Arc::new(Carrier::default()));
    let clock = Arc::new(ManualClock::at(DAWN));
    let engine = Engine::new(Parts {
        store: store.clone(),
        telephony: carrier.clone(),
        notifier: Arc::new(Silent),
        rates: Arc::new(LocalRates::new(100_000.0)),
        clock: clock.clone(),
        permission: counting.clone(),
        ids: Ids::seeded(1),
    });
    let id = CampaignId::small(TENANT, 1);
    let campaign = Campaign::new(id, "bench", settings());
    let filing = Filing::of(&campaign.settings).expect("no expressions");
    let mut changes = Changes::new(TENANT, DAWN);
    changes.campaigns.push(Put { row: campaign.clone(), expected: 0 });
    for n in 1..=leads {
        let mut lead = bare(n, &Arc::new(person(n)));
        // The number's last digit is the lead's kind: 1 to 3 are in the registry, too.
        let digits = lead.numbers[0].phone.digits();
        lead.numbers[0] = Number::new(Phone::from_digits(digits - digits % 10 + (n + 9) % 10).expect("a number"));
        // As an import does: who is denied already waits from the start.
        engine.file(&mut lead, &campaign, &filing, DAWN);
        changes.leads.push(Put { row: lead, expected: 0 });
    }
    changes.tally(id).leads.open = leads as i64;
    now_or_never(store.commit(&changes)).expect("a fresh store");
    now_or_never(engine.command(id, &Command::Start)).map(drop).expect("settings that can start");
    let filed = counting.asked.swap(0, Ordering::Relaxed);
    let mut per_dial = Vec::new();
    let mut owed = 0.0;
    for step in 1..=18 * 720 {
        clock.set(DAWN + Millis::from_secs(step * 5));
        let tasks = now_or_never(engine.step(1_000)).expect("memory does not fail");
        now_or_never(engine.perform_all(tasks));
        owed += counting.asked.swap(0, Ordering::Relaxed) as f64;
        let dials = carrier.take();
        if !dials.is_empty() {
            per_dial.extend(std::iter::repeat_n(owed / dials.len() as f64, dials.len()));
            owed = 0.0;
        }
        for dial in dials {
            let Line::Leg(leg) = dial.line else { continue };
            let now = engine.now();
            let facts = LegFacts {
                ringing_at: Some(now),
                end: Some(End { cause: EndCause::NoAnswer, at: now }),
                ..LegFacts::default()
            };
            let reply = now_or_never(engine.hear(Line::Leg(leg), facts, false)).expect("memory does not fail");
            now_or_never(engine.perform_all(reply.tasks));
        }
    }
    let blocked = store.leads(id).iter().filter(|l| l.attempts == 0).count() as f64 / leads as f64;
    assert!(per_dial.len() as u64 > leads / 10, "every lead that may be called is: {} dials", per_dial.len());
    assert!((0.85..=0.95).contains(&blocked), "{blocked} of the leads are blocked all day");
    let samples = Samples::new(per_dial.iter().copied());
    let case = format!("a day, {leads} leads");
    vec![
        Measurement::higher("planning", case.as_str(), "dials", samples.len() as f64, "dials"),
        Measurement::higher("planning", case.as_str(), "blocked_all_day_share", blocked, ""),
        Measurement::lower("planning", case.as_str(), "verdicts_at_filing_per_lead", filed as f64 / leads as f64, ""),
        Measurement::lower("planning", case.as_str(), "verdicts_per_dial_mean", samples.mean(), ""),
        Measurement::lower("planning", case, "verdicts_per_dial_p99", samples.quantile(0.99), "").goal(5.0),
    ]
}
