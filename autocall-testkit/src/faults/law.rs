//! The fault simulator under the law: worlds in which the rule packs decide, at the edges of the
//! day, with numbers of many places. What was dialled is written down for a judge that shares
//! nothing with the engine.

use super::drive::Drive;
use super::scene::Scene;
use super::{Broken, Stats};
use crate::dice::Dice;
use crate::world::TENANT;
use autocall_core::call::PERMIT_TTL;
use autocall_core::engine::{Lawful, Registry};
use autocall_core::lead::{Lead, Number};
use autocall_core::permission::history::Happened;
use autocall_core::permission::{
    CompiledRules, Consent, ConsentClass, ConsentSource, Party, Purposes, Revocation, RevokedFor, presets,
};
use autocall_core::ports::{Line, Listing};
use autocall_core::settings::{Purpose, Settings};
use autocall_core::zones::{Clues, locate};
use autocall_core::{LeadId, Millis, Phone, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Area codes of one zone, of several, of overlays, and of states with rules of their own.
const CODES: [u64; 28] = [
    305, 850, 448, 405, 410, 207, 206, 214, 915, 203, 401, 205, 504, 601, 605, 701, 808, 907, 928, 270, 364, 415, 416,
    902, 212, 312, 303, 702,
];
/// The beginnings of numbers elsewhere.
const ABROAD: [u64; 5] = [442_071_230_000, 33_123_450_000, 49_301_230_000, 61_212_340_000, 81_312_340_000];
/// Registries that the default rules ask.
const REGISTRIES: [&str; 6] = ["us-national", "gb-tps", "gb-ctps", "ca-national", "au-national", "in-dnd"];

/// A registry's copy in one world.
struct Copy {
    name: &'static str,
    as_of: Timestamp,
    listed: BTreeSet<Phone>,
}

impl Registry for Copy {
    fn name(&self) -> &str {
        self.name
    }
    fn version(&self) -> (Arc<str>, Timestamp) {
        ("1".into(), self.as_of)
    }
    fn contains(&self, phone: Phone) -> bool {
        self.listed.contains(&phone)
    }
}

/// What the law is in one world.
pub(super) struct Law {
    dice: Dice,
    /// When the world begins.
    pub(super) start: Timestamp,
    copies: Vec<Arc<Copy>>,
}

fn rules() -> Arc<CompiledRules> {
    static RULES: OnceLock<Arc<CompiledRules>> = OnceLock::new();
    let compile = || presets::compile("default", Vec::new()).and_then(Result::ok).expect("the shipped rules compile");
    RULES.get_or_init(|| Arc::new(compile())).clone()
}

impl Law {
    pub(super) fn throw(seed: u64) -> Law {
        // Dice of their own: the world without the law is the same world.
        let mut dice = Dice::seeded(seed ^ 0x6c61_7721);
        let start = begins(&mut dice);
        Law { dice, start, copies: Vec::new() }
    }

    /// Gives the leads numbers, places and papers, and the campaigns their purposes.
    pub(super) fn furnish(&mut self, scene: &mut Scene) {
        let mut moved: BTreeMap<Phone, Phone> = BTreeMap::new();
        for (campaign, leads) in &mut scene.campaigns {
            let mut settings: Settings = (*campaign.settings).clone();
            settings.rules = "default".into();
            settings.schedule = Default::default();
            let purposes = [
                Purpose::Sales,
                Purpose::Sales,
                Purpose::Service,
                Purpose::DebtCollection,
                Purpose::Charity,
                Purpose::Survey,
            ];
            settings.purpose = purposes[self.dice.below(purposes.len() as u64) as usize];
            campaign.settings = Arc::new(settings);
            for lead in leads {
                self.settle(lead, &mut moved);
            }
        }
        for (_, deed) in &mut scene.deeds {
            if let super::scene::Deed::List(phone) = deed {
                *phone = moved.get(phone).copied().unwrap_or(*phone);
            }
        }
        let phones: Vec<Phone> = moved.values().copied().collect();
        for name in REGISTRIES {
            let days = if self.dice.chance(0.9) { self.dice.below(20) } else { 20 + self.dice.below(20) } as i64;
            let listed = phones.iter().copied().filter(|_| self.dice.chance(0.1)).collect();
            self.copies.push(Arc::new(Copy { name, as_of: self.start - Millis::from_days(days), listed }));
        }
    }

    fn settle(&mut self, lead: &mut Lead, moved: &mut BTreeMap<Phone, Phone>) {
        let dice = &mut self.dice;
        for number in &mut lead.numbers {
            let new = *moved.entry(number.phone).or_insert_with(|| somewhere(dice));
            *number = Number::new(new);
        }
        let mut person = (*lead.person).clone();
        if dice.chance(0.3) && lead.numbers[0].phone.is_nanp() {
            person.state = Some(["TX", "FL", "WA", "MS", "RI"][dice.below(5) as usize].into());
        }
        let day = |dice: &mut Dice, from: i64, to: i64| {
            let hours = (to - from) * 24;
            Millis::from_hours(from * 24 + dice.below(hours as u64) as i64)
        };
        if dice.chance(0.8) {
            let given_at = self.start + day(dice, -300, 0);
            person.dossier.consents.push(Consent {
                class: if dice.chance(0.7) { ConsentClass::Written } else { ConsentClass::Express },
                purposes: Purposes::ALL,
                recorded_voice: dice.chance(0.3),
                automated: dice.chance(0.9),
                any_hour: dice.chance(0.1),
                given_at,
                expires_at: dice.chance(0.2).then(|| self.start + day(dice, -5, 5)),
                source: ConsentSource::WebForm,
                proof: None,
            });
        }
        if dice.chance(0.05) {
            let at = self.start + day(dice, -100, 1);
            person.dossier.revocations.push(Revocation { at, what: RevokedFor::Everything, channel: String::new() });
        }
        person.dossier.party =
            [Some(Party::Consumer), Some(Party::Consumer), Some(Party::Business), None][dice.below(4) as usize];
        lead.person = Arc::new(person);
    }

    pub(super) fn permission(&self) -> Arc<Lawful> {
        let copies = self.copies.iter().map(|c| c.clone() as Arc<dyn Registry>).collect();
        Arc::new(Lawful::bare(copies).with("default", rules()))
    }
}

/// A number of some place.
fn somewhere(dice: &mut Dice) -> Phone {
    let digits = if dice.chance(0.85) {
        10_000_000_000 + CODES[dice.below(CODES.len() as u64) as usize] * 10_000_000 + 2_000_000 + dice.below(7_900_000)
    } else {
        ABROAD[dice.below(ABROAD.len() as u64) as usize] + dice.below(10_000)
    };
    Phone::from_digits(digits).expect("a number of its country's form")
}

/// A beginning: mostly where somebody's day opens or closes within the world's quarter of an hour,
/// on any day of two years, changes of the clocks and holidays among them.
fn begins(dice: &mut Dice) -> Timestamp {
    const FIRST: Timestamp = Timestamp::from_secs(1_780_272_000);
    let special = [69, 160, 33, 193, 208, 214, 280, 398, 524];
    let day = if dice.chance(0.3) { special[dice.below(9) as usize] } else { dice.below(730) as i64 };
    let noon = FIRST + Millis::from_days(day) + Millis::from_hours(18);
    let place = locate(&Clues::number(somewhere(dice)));
    let Some(zone) = place.zones.as_slice().first() else { return noon };
    let edges = [8, 9, 10, 12, 13, 14, 17, 18, 20, 21];
    let hour = edges[dice.below(edges.len() as u64) as usize];
    let local_midnight = FIRST + Millis::from_days(day) - Millis::from_ms(zone.offset_ms(noon));
    let edge = local_midnight + Millis::from_hours(hour);
    if dice.chance(0.7) {
        edge - Millis::from_secs(dice.below(1_000) as i64)
    } else {
        noon + Millis::from_mins(dice.below(240) as i64)
    }
}

/// Runs one seed under the law. Besides the invariants of every run the calls are returned that the
/// carrier placed, one JSON object each, in order; the first one says that a new world begins.
///
/// # Errors
/// The first invariant that is broken; also a call that was placed without its evidence.
pub fn run_lawful(seed: u64) -> Result<(Stats, Vec<String>), Broken> {
    let (stats, world) = Drive::lawful(seed).finish_lawful()?;
    let mut lines = vec![json!({ "fresh": seed }).to_string()];
    lines.extend(world.into_iter().map(|line| line.to_string()));
    Ok((stats, lines))
}

/// What the carrier placed, with what the store knows of it.
pub(super) fn log(drive: &Drive, law: &Law) -> Result<Vec<Value>, String> {
    let calls: BTreeMap<_, _> = drive.store().calls().into_iter().map(|c| (c.id, c)).collect();
    let records: BTreeMap<_, _> = drive.store().records().into_iter().map(|r| (r.call, r)).collect();
    let leads: BTreeMap<LeadId, Lead> =
        drive.scene().campaigns.iter().flat_map(|(c, _)| drive.store().leads(c.id)).map(|l| (l.id, l)).collect();
    let mut placed = drive.placed();
    placed.sort_by_key(|p| p.at);
    let mut out = Vec::new();
    for one in placed {
        let (Line::Leg(leg), Some(to)) = (one.line, one.to) else { continue };
        let Some(call) = calls.get(&leg.call).filter(|_| leg.leg == 0) else { continue };
        let settings = drive.scene().campaigns.iter().find(|(c, _)| c.id == call.plan.campaign);
        let (Some((campaign, _)), Some(lead)) = (settings, leads.get(&call.plan.lead)) else { continue };
        if call.plan.evidence.is_none() {
            return Err(format!("{} was placed and its evidence is not stored", one.line));
        }
        let record = records.get(&leg.call);
        let opted_out = call.customer().facts.opted_out_at.is_some();
        let outcome = match record {
            Some(_) if opted_out => Happened::Refused,
            Some(record) => Happened::from(record.outcome),
            None => Happened::Pending,
        };
        let dossier = &lead.person.dossier;
        let consents = dossier.consents.iter().map(|c| {
            json!({ "class": c.class, "given_ms": c.given_at, "expires_ms": c.expires_at, "any_hour": c.any_hour,
                    "automated": c.automated, "recorded": c.recorded_voice })
        });
        let copies = law
            .copies
            .iter()
            .map(|c| (c.name.to_owned(), json!({ "as_of_ms": c.as_of, "listed": c.listed.contains(&to) })));
        // A dial that was permitted just before its number was listed may still go out; its call is
        // ended, which the other invariants see to.
        let listed = listed_at(drive, to).is_some_and(|at| one.at > at + PERMIT_TTL);
        out.push(json!({
            "call": format!("{} of seed {}", leg.call, drive.seed()),
            "at_ms": one.at,
            "ring_ms": call.plan.ring_ms_max,
            "number": to.e164(),
            "purpose": campaign.settings.purpose,
            "person": format!("{}/{}", lead.person_key, campaign.settings.subject),
            "party": dossier.party.map_or(json!("unknown"), |p| json!(p)),
            "state": lead.person.state,
            "consents": consents.collect::<Vec<_>>(),
            "revoked_ms": dossier.revocations.iter().map(|r| r.at).collect::<Vec<_>>(),
            "listed_until_ms": listed.then_some(Timestamp::NEVER),
            "registries": copies.collect::<serde_json::Map<_, _>>(),
            "outcome": outcome,
            "ended_ms": record.map_or(one.at, |r| r.ended_at),
        }));
    }
    Ok(out)
}

fn listed_at(drive: &Drive, phone: Phone) -> Option<Timestamp> {
    let entries: Vec<Listing> = drive.store().listings(TENANT, phone);
    (!entries.is_empty()).then(|| drive.listed_at(phone)).flatten()
}

/// Hands a log to the independent checker. Whether it found nothing, and what it said.
///
/// # Errors
/// The checker cannot be started or fed.
pub fn judge(python: &std::path::Path, log: &str) -> std::io::Result<(bool, String)> {
    use std::io::Write as _;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent_checker.py");
    let mut child = std::process::Command::new(python)
        .args([script, "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    // Fed from a thread: neither side waits for the other's pipe.
    let fed = std::thread::scope(|scope| {
        let feed = scope.spawn(move || stdin.map_or(Ok(()), |mut to| to.write_all(log.as_bytes())));
        let output = child.wait_with_output();
        let fed = feed.join().unwrap_or_else(|_| Err(std::io::Error::other("the feeding thread panicked")));
        fed.and(output)
    })?;
    Ok((fed.status.success(), String::from_utf8_lossy(&fed.stdout).into_owned()))
}
