//! The laboratory: a discrete-event simulation that drives a real [`Strategy`].

mod agents;
mod calls;

use self::agents::{Agent, Doing};
use super::law::{Dice, Law};
use super::scenario::{Fate, Scenario, Shift};
use super::stats::{Day, Stats};
use autocall_core::pacing::{
    AgentView, CallView, Class, CountsDelta, DayKey, DialResult, Ledger, LedgerDelta, Limits, Phase, Strategy,
    Transfer, View,
};
use autocall_core::{Millis, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The first simulated day: day 20 000 after the epoch.
const FIRST_DAY: i64 = 20_000;
const MORNING_S: i64 = 9 * 3600;
const NONE: u32 = u32::MAX;
/// How many leads ahead the view names.
const AHEAD: u64 = 16;

/// What happens next. The second number of a call or agent tells one use of its slot from the
/// next, so that what was let go or has left is not mistaken for its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Somebody or something picked up, or the ring ended.
    RingEnds(u32, u32),
    /// The verdict on a pick-up.
    Verdict(u32, u32),
    /// The end of a call becomes known.
    Reported(u32, u32),
    /// The agent is on the line.
    Joined(u32, u32),
    /// A waiting person's time is up.
    GiveUp(u32, u32),
    TalkEnds(u32, u32),
    WrapEnds(u32, u32),
    Login(u32),
    /// The agent asks to leave (true: at once, without finishing).
    Leave(u32, bool),
    Inbound,
    Look(u64),
}

#[derive(Debug, Clone, Copy)]
struct Call {
    fate: Fate,
    class: Class,
    /// Where its view stands, or [`NONE`] once bridged or ended.
    at: u32,
    agent: u32,
    generation: u32,
    dialed_at: Timestamp,
    picked_up: Option<Timestamp>,
}

/// A world under way.
pub struct Lab<'a> {
    s: &'a Scenario,
    seed: u64,
    now: Timestamp,
    day: i64,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
    looked: u64,
    agents: Vec<Agent>,
    agent_views: Vec<AgentView>,
    agent_of_view: Vec<u32>,
    calls: Vec<Call>,
    free_slots: Vec<u32>,
    call_views: Vec<CallView>,
    call_of_view: Vec<u32>,
    waiting: Vec<u32>,
    next_classes: Vec<Class>,
    lead: u64,
    lead_today: u64,
    tokens: f64,
    tokens_at: Timestamp,
    inbound_dice: Dice,
    /// The ledger as the engine would keep it.
    pub ledger: Ledger,
    /// What was measured.
    pub stats: Stats,
}

impl<'a> Lab<'a> {
    /// A world on its first morning.
    pub fn new(s: &'a Scenario, seed: u64) -> Self {
        let start = morning(0);
        Lab {
            s,
            seed,
            now: start,
            day: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            looked: 0,
            agents: Vec::new(),
            agent_views: Vec::new(),
            agent_of_view: Vec::new(),
            calls: Vec::new(),
            free_slots: Vec::new(),
            call_views: Vec::new(),
            call_of_view: Vec::new(),
            waiting: Vec::new(),
            next_classes: vec![0; AHEAD as usize],
            lead: 0,
            lead_today: 0,
            tokens: 0.0,
            tokens_at: start,
            inbound_dice: Dice::of(seed, 8, 0),
            ledger: Ledger::new(key(start), &s.rules),
            stats: Stats::default(),
        }
    }

    /// Runs whole days under a strategy; `fresh` makes one that knows nothing.
    pub fn run(&mut self, days: u32, strategy: &mut Box<dyn Strategy>, fresh: &dyn Fn() -> Box<dyn Strategy>) {
        for _ in 0..days {
            if self.s.cold {
                *strategy = fresh();
            }
            self.begin_day();
            let noon = self.now + Millis::from_secs(i64::from(self.s.day_s) / 2);
            let night = self.now + Millis::from_secs(i64::from(self.s.day_s));
            if self.s.restart {
                self.until(noon, strategy.as_mut());
                let stored = strategy.checkpoint();
                *strategy = fresh();
                strategy.restore(&stored);
            }
            self.until(night, strategy.as_mut());
            self.end_day(night);
        }
    }

    fn since_morning_s(&self) -> f64 {
        (self.now - morning(self.day)).as_secs_f64()
    }

    fn push(&mut self, at: Timestamp, e: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((at.ms(), self.sequence, e)));
    }

    fn after(&mut self, s: f64, e: Event) {
        self.push(self.now + Millis::from_secs_f64(s), e);
    }

    fn begin_day(&mut self) {
        self.stats.days.push(Day::default());
        if self.s.continuous && self.day > 0 {
            self.after(0.0, Event::Look(self.looked));
            return;
        }
        let n = self.s.agents;
        if self.agents.is_empty() {
            self.agents = vec![Agent::away(self.now); n as usize];
        }
        let day_s = f64::from(self.s.day_s);
        for i in 0..n {
            let mut d = Dice::of(self.seed, 5, (self.day as u64) << 20 | u64::from(i));
            let late = if self.s.shift == Shift::Staggered { d.unit() * 3600.0 } else { 0.0 };
            self.after(late, Event::Login(i));
            match self.s.shift {
                Shift::Lunch if d.chance(0.4) => {
                    let at = day_s / 2.0 + d.unit() * 60.0;
                    self.after(at, Event::Leave(i, false));
                    self.after(at + 1800.0, Event::Login(i));
                }
                Shift::Drain => self.after(day_s - 3600.0 * d.unit(), Event::Leave(i, false)),
                Shift::DropOuts => {
                    let mut at = -3600.0 * d.unit().ln();
                    while at < day_s {
                        self.after(at, Event::Leave(i, true));
                        self.after(at + 300.0, Event::Login(i));
                        at += 300.0 - 3600.0 * d.unit().ln();
                    }
                }
                _ => {}
            }
        }
        if self.s.inbound > 0.0 {
            self.next_inbound();
        }
        self.lead_today = 0;
        self.tokens_at = self.now;
        self.after(0.0, Event::Look(self.looked));
    }

    fn next_inbound(&mut self) {
        let mean = 3600.0 / (self.s.inbound * f64::from(self.s.agents));
        let wait = Law::Exp(mean).draw(&mut self.inbound_dice);
        self.after(wait, Event::Inbound);
    }

    fn until(&mut self, end: Timestamp, strategy: &mut dyn Strategy) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > end.ms() {
                break;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else { break };
            self.now = Timestamp::from_ms(at);
            if self.handle(event, strategy) {
                self.look(strategy);
            }
        }
        self.now = end;
    }

    fn end_day(&mut self, night: Timestamp) {
        self.now = night;
        for i in 0..self.agents.len() {
            self.count_time(i as u32);
        }
        self.day += 1;
        let next = morning(self.day);
        if self.s.continuous {
            // The night is cut out: everything under way moves to the next morning.
            let shift = next - night;
            let moved = std::mem::take(&mut self.queue);
            self.queue = moved.into_iter().map(|Reverse((at, n, e))| Reverse((at + shift.ms(), n, e))).collect();
            self.agent_views.iter_mut().for_each(|a| a.since += shift);
            for a in &mut self.agents {
                a.since_free += shift;
                a.counted_from += shift;
            }
            for c in &mut self.call_views {
                c.dialed_at += shift;
            }
            for c in &mut self.calls {
                c.dialed_at += shift;
            }
        } else {
            self.queue.clear();
            self.agent_views.clear();
            self.agent_of_view.clear();
            self.call_views.clear();
            self.call_of_view.clear();
            self.calls.clear();
            self.free_slots.clear();
            self.waiting.clear();
            let open = self.ledger.open() as i32;
            self.ledger.apply(&LedgerDelta { open: -open, ..LedgerDelta::at(key(night)) });
            for a in &mut self.agents {
                a.at = NONE;
                a.doing = Doing::Idle;
                a.generation += 1;
            }
        }
        self.now = next;
    }

    /// Applies an event; true if the strategy should look.
    fn handle(&mut self, event: Event, strategy: &mut dyn Strategy) -> bool {
        match event {
            Event::RingEnds(c, g) => self.is_open(c, g) && self.ring_ends(c, strategy),
            Event::Verdict(c, g) => self.is_open(c, g) && self.verdict(c, strategy),
            Event::Reported(c, g) => {
                let open = self.is_open(c, g);
                if open {
                    self.drop_call(c, DialResult::Nobody, CountsDelta::default(), strategy);
                }
                open
            }
            Event::GiveUp(c, g) => self.is_open(c, g) && self.give_up(c, strategy),
            Event::Joined(a, g) => self.joined(a, g, strategy),
            Event::TalkEnds(a, g) => self.talk_ends(a, g, strategy),
            Event::WrapEnds(a, g) => self.wrap_ends(a, g, strategy),
            Event::Login(a) => {
                self.login(a);
                true
            }
            Event::Leave(a, without_notice) => {
                self.leave(a, without_notice);
                true
            }
            Event::Inbound => {
                self.next_inbound();
                if let Some(a) = self.longest_idle() {
                    let mut d = Dice::of(self.seed, 11, self.sequence);
                    let (talk, wrap) = (self.s.talk.draw(&mut d), self.s.wrap.draw(&mut d));
                    self.occupy(a, 0.0, talk, wrap);
                }
                true
            }
            Event::Look(n) => n == self.looked,
        }
    }

    fn look(&mut self, strategy: &mut dyn Strategy) {
        let on_demand = self.s.transfer.0 == Transfer::OnDemand;
        if let Some(cps) = self.s.cps {
            let gone = (self.now - self.tokens_at).as_secs_f64();
            self.tokens = (self.tokens + gone * cps).min(cps.max(1.0));
            self.tokens_at = self.now;
        }
        let left = self.s.leads.map(|n| n.saturating_sub(self.lead_today as u32));
        let limits = Limits {
            free_lines: self.s.lines.map_or(u32::MAX, |n| {
                let talking = self.agent_views.iter().filter(|a| matches!(a.phase, Phase::Talking)).count();
                n.saturating_sub((self.call_views.len() + talking) as u32)
            }),
            dials_now: if self.s.cps.is_some() { self.tokens as u32 } else { u32::MAX },
            dials_per_s_milli: self.s.cps.map_or(0, |c| (c * 1000.0) as u32),
            leads_left: left,
            open_for_s: Some((f64::from(self.s.day_s) - self.since_morning_s()).max(0.0) as u32),
            ..Limits::open()
        };
        for i in 0..AHEAD {
            self.next_classes[i as usize] = self.s.class_of(self.lead + i);
        }
        let view = View {
            agents: &self.agent_views,
            calls: &self.call_views,
            next_classes: &self.next_classes,
            limits,
            ledger: &self.ledger,
            day: key(self.now),
            transfer: self.s.transfer.0,
        };
        let plan = strategy.plan(&view, self.now);
        self.stats.today().plans += 1;
        for i in plan.cancel.iter().rev() {
            let c = self.call_of_view[*i as usize];
            self.stats.today().let_go += 1;
            self.drop_call(c, DialResult::Censored, CountsDelta::default(), strategy);
        }
        for _ in 0..plan.dial.min(limits.dial_max()) {
            self.dial(on_demand);
        }
        self.looked += 1;
        self.push(plan.next_look.max(self.now + Millis::from_ms(1)), Event::Look(self.looked));
    }
}

fn morning(day: i64) -> Timestamp {
    Timestamp::from_secs((FIRST_DAY + day) * 86_400 + MORNING_S)
}

fn key(now: Timestamp) -> DayKey {
    DayKey::with_offset(now, 0)
}
