//! What happens to calls: ring, verdict, agent or none.

use super::{Call, Event, Lab, NONE, key};
use crate::lab::scenario::Nature;
use autocall_core::pacing::{CallView, CountsDelta, DialResult, LedgerDelta, Observation, Phase, Strategy};

impl Lab<'_> {
    pub(super) fn ring_ends(&mut self, c: u32, strategy: &mut dyn Strategy) -> bool {
        let call = &mut self.calls[c as usize];
        if call.fate.nature == Nature::Nobody {
            let late = call.fate.late_s;
            if late > 0.0 {
                let g = call.generation;
                self.after(late, Event::Reported(c, g));
                return false;
            }
            self.drop_call(c, DialResult::Nobody, CountsDelta::default(), strategy);
            return true;
        }
        call.picked_up = Some(self.now);
        if call.fate.verdict_s > 0.0 {
            self.call_views[call.at as usize].answered_at = Some(self.now);
            let (s, g) = (call.fate.verdict_s, call.generation);
            self.after(s, Event::Verdict(c, g));
            return true;
        }
        self.verdict(c, strategy)
    }

    pub(super) fn verdict(&mut self, c: u32, strategy: &mut dyn Strategy) -> bool {
        let call = self.calls[c as usize];
        let person = call.fate.nature == Nature::Person;
        if person == call.fate.misjudged {
            let today = self.stats.today();
            today.misjudged += u32::from(person);
            self.drop_call(c, DialResult::Nobody, CountsDelta::machine(), strategy);
            return true;
        }
        self.call_views[call.at as usize].answered_at = Some(self.now);
        let agent = if call.agent != NONE { Some(call.agent) } else { self.longest_idle() };
        if let Some(a) = agent {
            self.connect(c, a, strategy);
        } else if self.s.hold_ms > 0 {
            self.call_views[call.at as usize].waiting_since = Some(self.now);
            self.waiting.push(c);
            let generation = call.generation;
            self.after(f64::from(self.s.hold_ms) / 1000.0, Event::GiveUp(c, generation));
        } else {
            self.abandon(c, strategy);
        }
        true
    }

    pub(super) fn is_open(&self, c: u32, generation: u32) -> bool {
        let call = &self.calls[c as usize];
        call.generation == generation && call.at != NONE
    }

    pub(super) fn give_up(&mut self, c: u32, strategy: &mut dyn Strategy) -> bool {
        self.waiting.retain(|w| *w != c);
        self.abandon(c, strategy);
        true
    }

    fn abandon(&mut self, c: u32, strategy: &mut dyn Strategy) {
        let person = self.calls[c as usize].fate.nature == Nature::Person;
        let counts = if person { CountsDelta::given_up(true) } else { CountsDelta::machine() };
        self.stats.answer(person, person);
        self.drop_call(c, if person { DialResult::Person } else { DialResult::Nobody }, counts, strategy);
    }

    /// A person (or what was taken for one) meets an agent.
    pub(super) fn connect(&mut self, c: u32, a: u32, strategy: &mut dyn Strategy) {
        let call = self.calls[c as usize];
        let waited = self.now - self.agents[a as usize].since_free;
        let person = call.fate.nature == Nature::Person;
        let late = call.fate.join_s * 1000.0 > f64::from(self.s.rules.deadline_ms) && self.s.rules.deadline_ms > 0;
        if person {
            self.stats.served(waited.as_secs_f64());
            self.stats.today().late += u32::from(late);
        }
        let counts = match (person, late) {
            (true, false) => CountsDelta::served(),
            (true, true) => CountsDelta::late(false),
            (false, _) => CountsDelta::machine(),
        };
        self.calls[c as usize].agent = NONE;
        self.drop_call(c, DialResult::Person, counts, strategy);
        // An agent finds out about a machine in eight seconds.
        let (talk, wrap) = if person { (call.fate.talk_s, call.fate.wrap_s) } else { (8.0, 0.0) };
        self.occupy(a, call.fate.join_s, talk, wrap);
    }

    /// A call leaves the view: bridged, given up, ended or let go.
    pub(super) fn drop_call(&mut self, c: u32, result: DialResult, counts: CountsDelta, strategy: &mut dyn Strategy) {
        let call = self.calls[c as usize];
        let at = call.at as usize;
        self.calls[c as usize].at = NONE;
        self.calls[c as usize].generation += 1;
        self.free_slots.push(c);
        let at_risk = !self.call_views[at].agent_reserved;
        self.call_views.swap_remove(at);
        self.call_of_view.swap_remove(at);
        if let Some(moved) = self.call_of_view.get(at) {
            self.calls[*moved as usize].at = at as u32;
        }
        if call.agent != NONE {
            self.release(call.agent);
        }
        let mut delta = LedgerDelta::settled(key(self.now), counts);
        delta.open = -i32::from(at_risk);
        self.ledger.apply(&delta);
        let seen = Observation::Dial {
            class: call.class,
            result,
            picked_up_after: call.picked_up.map(|t| t - call.dialed_at),
            after: self.now - call.dialed_at,
        };
        strategy.observe(seen, self.now);
    }

    fn release(&mut self, a: u32) {
        let at = self.agents[a as usize].at;
        if at != NONE {
            self.agent_views[at as usize].phase = Phase::Idle;
        }
    }

    pub(super) fn dial(&mut self, on_demand: bool) {
        let lead = self.lead;
        self.lead += 1;
        self.lead_today += 1;
        self.tokens -= 1.0;
        let fate = self.s.fate(self.seed, lead, self.since_morning_s());
        let agent = if on_demand { self.longest_idle() } else { None };
        if let Some(a) = agent {
            self.agent_views[self.agents[a as usize].at as usize].phase = Phase::Reserved;
        }
        let call = Call {
            fate,
            class: self.s.class_of(lead),
            at: self.call_views.len() as u32,
            agent: agent.unwrap_or(NONE),
            generation: 0,
            dialed_at: self.now,
            picked_up: None,
        };
        let c = match self.free_slots.pop() {
            Some(c) => {
                let generation = self.calls[c as usize].generation;
                self.calls[c as usize] = Call { generation, ..call };
                c
            }
            None => {
                self.calls.push(call);
                self.calls.len() as u32 - 1
            }
        };
        let mut v = CallView::dialed(self.s.class_of(lead), self.now);
        v.ringing_at = Some(self.now);
        v.agent_reserved = agent.is_some();
        self.call_views.push(v);
        self.call_of_view.push(c);
        self.stats.today().dials += 1;
        if agent.is_none() {
            self.ledger.apply(&LedgerDelta::dialed(key(self.now), 1));
        }
        let g = self.calls[c as usize].generation;
        self.after(fate.ring_s, Event::RingEnds(c, g));
    }
}
