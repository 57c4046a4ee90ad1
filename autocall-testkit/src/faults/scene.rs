//! What one seed's world looks like, and what people do in it.

use crate::carrier::Temper;
use crate::dice::{Dice, Spread};
use crate::people::{Detector, Kind, Profile};
use crate::world::{TENANT, World};
use autocall_core::agent::{Address, Agent};
use autocall_core::campaign::Campaign;
use autocall_core::lead::{Lead, Number, Person, State};
use autocall_core::script::Audio;
use autocall_core::settings::{AmdMode, DayWindow, Disposition, OnMachine, Retry, Settings, Then, TransferMode};
use autocall_core::{AgentId, CampaignId, LeadId, Millis, Phone, Priority, Timestamp};
use std::sync::Arc;

/// Every run begins here: Friday, 15 January 2027, nine in the morning.
pub(super) const START: Timestamp = Timestamp::from_secs(1_800_003_600);
/// The day of the week of [`START`]; 1 is Monday.
const START_WEEKDAY: u8 = 5;
/// The minute of the day of [`START`].
const START_MIN: u16 = 9 * 60;
/// How long faults last at most.
const TROUBLE_MAX: Millis = Millis::from_secs(240);
/// How long the healed world dials on.
const DIALS_ON: Millis = Millis::from_secs(300);
/// How long it then has to come to rest.
const DRAIN: Millis = Millis::from_secs(480);

/// Something that a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Puts a number on the do-not-call list.
    List(Phone),
    /// An agent comes.
    Come(AgentId),
    /// An agent goes.
    Go(AgentId),
    /// A campaign starts or goes on.
    Start(CampaignId),
    /// A campaign pauses.
    Pause(CampaignId),
    /// A campaign is ended for good.
    Finish(CampaignId),
    /// Puts the number of some call that lives on the do-not-call list.
    ListLive,
    /// An agent says how some call went, or goes.
    Dispose,
    /// An agent asks for the next lead.
    Preview(AgentId),
    /// Somebody hangs some call up by hand.
    HangUp,
    /// The carrier and the nodes work again.
    Heal,
    /// The store is away for some seconds.
    Outage,
}

/// A world.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) nodes: usize,
    pub(super) profile: Profile,
    pub(super) temper: Temper,
    pub(super) campaigns: Vec<(Campaign, Vec<Lead>)>,
    pub(super) agents: Vec<Agent>,
    pub(super) deeds: Vec<(Timestamp, Deed)>,
    pub(super) healed_at: Timestamp,
    pub(super) paused_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

impl Scene {
    pub(super) fn throw(dice: &mut Dice, now: Timestamp) -> Scene {
        let agents: Vec<Agent> = (1..=1 + dice.below(4)).map(|n| agent(n, now)).collect();
        let two = dice.chance(0.4);
        let mode = if dice.chance(0.4) { TransferMode::Standing } else { TransferMode::OnDemand };
        let mut campaigns = vec![campaign(1, mode, 4 + dice.below(12), 0, dice)];
        if two {
            // Some numbers are on both lists.
            let shift = dice.below(6);
            campaigns.push(campaign(2, mode, 3 + dice.below(8), shift, dice));
        }
        let healed_at = now + dice.between(Millis::from_secs(60), TROUBLE_MAX);
        let paused_at = healed_at + DIALS_ON;
        let mut scene = Scene {
            nodes: 2 + dice.below(2) as usize,
            profile: profile(dice),
            temper: temper(dice),
            campaigns,
            agents,
            deeds: Vec::new(),
            healed_at,
            paused_at,
            ends_at: paused_at + DRAIN,
        };
        scene.plot(dice, now);
        scene
    }

    /// Whether the campaign's own hours include this instant.
    pub(super) fn is_open(&self, settings: &Settings, at: Timestamp) -> bool {
        let minute = START_MIN as i64 + (at - START).ms().div_euclid(60_000);
        let inside = |w: &DayWindow| (i64::from(w.from_min)..i64::from(w.to_min)).contains(&minute);
        settings.schedule.windows.is_empty() || settings.schedule.windows.iter().any(inside)
    }

    /// Who a lead is.
    pub(super) fn person(&self, lead: LeadId) -> Option<u64> {
        let mut leads = self.campaigns.iter().flat_map(|(_, leads)| leads);
        leads.find(|l| l.id == lead).map(|l| l.person_key)
    }

    /// What people do, and when.
    fn plot(&mut self, dice: &mut Dice, now: Timestamp) {
        let (healed, paused) = (self.healed_at, self.paused_at);
        let within = |dice: &mut Dice, from: Timestamp, to: Timestamp| from + dice.between(Millis::ZERO, to - from);
        for agent in self.agents.iter().map(|a| a.id).collect::<Vec<_>>() {
            self.deeds.push((now + dice.between(Millis::ZERO, Millis::from_secs(20)), Deed::Come(agent)));
            for _ in 0..dice.below(3) {
                let at = within(dice, now, healed);
                self.deeds.push((at, Deed::Go(agent)));
                self.deeds.push((at + dice.between(Millis::from_secs(1), Millis::from_secs(60)), Deed::Come(agent)));
            }
            self.deeds.push((healed + Millis::from_secs(1), Deed::Come(agent)));
        }
        let phones: Vec<Phone> = self
            .campaigns
            .iter()
            .flat_map(|(_, leads)| leads)
            .flat_map(|l| l.numbers.iter().map(|n| n.phone))
            .collect();
        for _ in 0..1 + dice.below(4) {
            let phone = phones[dice.below(phones.len() as u64) as usize];
            let at = if dice.chance(0.5) { within(dice, now, healed) } else { within(dice, healed, paused) };
            self.deeds.push((at, Deed::List(phone)));
        }
        for _ in 0..dice.below(3) {
            self.deeds.push((within(dice, now, paused), Deed::ListLive));
        }
        for _ in 0..dice.below(8) {
            self.deeds.push((within(dice, now, paused), Deed::Dispose));
        }
        for _ in 0..dice.below(2) {
            self.deeds.push((within(dice, now, paused), Deed::HangUp));
        }
        for agent in self.agents.iter().map(|a| a.id).collect::<Vec<_>>() {
            for _ in 0..dice.below(3) {
                self.deeds.push((within(dice, now, paused), Deed::Preview(agent)));
            }
        }
        for id in self.campaigns.iter().map(|(c, _)| c.id).collect::<Vec<_>>() {
            self.deeds.push((now, Deed::Start(id)));
            if dice.chance(0.3) {
                let at = within(dice, now, healed);
                self.deeds.push((at, Deed::Pause(id)));
                self.deeds.push((at + dice.between(Millis::from_secs(2), Millis::from_secs(40)), Deed::Start(id)));
            }
            if dice.chance(0.1) {
                self.deeds.push((within(dice, now, paused), Deed::Finish(id)));
            }
            self.deeds.push((healed + Millis::from_secs(2), Deed::Start(id)));
            self.deeds.push((paused, if dice.chance(0.3) { Deed::Finish(id) } else { Deed::Pause(id) }));
        }
        for _ in 0..dice.below(3) {
            self.deeds.push((within(dice, now, healed), Deed::Outage));
        }
        self.deeds.push((healed, Deed::Heal));
        self.deeds.sort_by_key(|(at, _)| *at);
    }
}

fn agent(n: u64, now: Timestamp) -> Agent {
    let phone = Phone::from_digits(12_015_550_000 + n).expect("eleven digits are a number");
    let id = AgentId::small(TENANT, u128::from(n));
    Agent::new(id, World::pool(), "Agent".into(), Address::Phone(phone), now)
}

fn campaign(n: u128, mode: TransferMode, leads: u64, shift: u64, dice: &mut Dice) -> (Campaign, Vec<Lead>) {
    let id = CampaignId::small(TENANT, n);
    let settings = settings(mode, dice);
    let leads = (1..=leads).map(|i| lead(id, n, i, shift + i, dice)).collect();
    (Campaign::new(id, "faults", settings), leads)
}

fn settings(mode: TransferMode, dice: &mut Dice) -> Settings {
    let mut s = World::settings();
    s.transfer.mode = mode;
    s.transfer.wait_ms_max = [2_000, 8_000, 20_000][dice.below(3) as usize];
    s.transfer.wrap_up_ms = [0, 3_000, 10_000][dice.below(3) as usize];
    s.transfer.missed_offers_max = 0;
    s.caps.lines_max = 1 + dice.below(6) as u32;
    s.caps.calls_per_second_max = [0.25, 1.0, 10.0][dice.below(3) as usize];
    if dice.chance(0.2) {
        s.pacing = autocall_core::pacing::Settings::predictive(0.05);
    }
    if dice.chance(0.25) {
        s.schedule.windows = windows(dice);
    }
    let again = Disposition {
        code: "again".into(),
        label: "Again soon".into(),
        then: Then::RetryAfterMin(1 + dice.below(3) as u32),
        success: false,
    };
    s.dispositions.push(again);
    s.caps.attempts_max = 1 + dice.below(3) as u16;
    s.caps.attempts_per_number_per_day_max = 2 + dice.below(2) as u8;
    s.amd.mode = [AmdMode::Off, AmdMode::Detect, AmdMode::DetectMessageEnd][dice.below(3) as usize];
    if s.amd.mode == AmdMode::DetectMessageEnd {
        s.amd.machine = OnMachine::LeaveMessage;
        s.voicemail = Some(Audio::say("Please call us back."));
    }
    for outcome in autocall_core::Outcome::ALL {
        let delay = 1 + dice.below(2) as u32;
        let retry = Retry { retries_max: 2, delay_min: vec![delay], ..Retry::default() };
        s.retry.0.insert(outcome.name().into(), retry);
    }
    s.retry.0.insert("connected".into(), Retry::never());
    s
}

/// Closed for some minutes of the run, on the day on which every run happens.
fn windows(dice: &mut Dice) -> Vec<DayWindow> {
    let closes = START_MIN + 2 + dice.below(8) as u16;
    let opens = closes + 1 + dice.below(3) as u16;
    let window = |from_min, to_min| DayWindow { weekday: START_WEEKDAY, from_min, to_min };
    vec![window(0, closes), window(opens, 24 * 60)]
}

fn lead(campaign: CampaignId, list: u128, n: u64, number: u64, dice: &mut Dice) -> Lead {
    let phone = |n: u64| Number::new(Phone::from_digits(14_155_550_000 + n).expect("valid"));
    let mut numbers = vec![phone(number)];
    if dice.chance(0.3) {
        numbers.push(phone(100 + number));
    }
    Lead {
        id: LeadId::small(TENANT, list * 1_000 + u128::from(n)),
        campaign,
        list: None,
        person: Arc::new(Person::default()),
        person_key: number,
        numbers: numbers.into_iter().collect(),
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

fn profile(dice: &mut Dice) -> Profile {
    let answers = 0.3 + 0.6 * dice.unit();
    Profile {
        kinds: vec![Kind { weight: 1.0, answers, answers_cv: 0.2, by_hour: vec![1.0; 24] }],
        machines: 0.5,
        machine_ring: Spread::gamma(10.0, 0.3),
        patience: Spread::lognormal(15.0, 1.0),
        talk: Spread::lognormal(12.0, 0.7),
        detector: Detector {
            person_as_machine: 0.05,
            machine_as_person: 0.05,
            unclear: 0.05,
            silent: 0.05,
            ..Detector::default()
        },
        opts_out: 0.1,
        ..Profile::default()
    }
}

fn temper(dice: &mut Dice) -> Temper {
    let mut up_to = |most: f64| most * dice.unit();
    Temper { ignores: up_to(0.2), busy: up_to(0.1), voicemail: up_to(0.1), declines: up_to(0.1), ..Temper::default() }
}
