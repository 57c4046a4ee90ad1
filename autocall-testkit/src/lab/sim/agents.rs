//! What agents do, and how their time is counted.

use super::{Event, Lab, NONE};
use autocall_core::Timestamp;
use autocall_core::pacing::{AgentView, Observation, Phase, Strategy};

/// What an agent really does; the view may say `Leaving` meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Idle,
    Joining,
    Talk,
    Wrap,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Agent {
    /// Where the agent's view stands, or [`NONE`] while away.
    pub at: u32,
    pub doing: Doing,
    pub since_free: Timestamp,
    /// Tells one occupation from the next.
    pub generation: u32,
    pub talk_s: f64,
    pub wrap_s: f64,
    pub counted_from: Timestamp,
}

impl Agent {
    pub(super) fn away(now: Timestamp) -> Self {
        Agent {
            at: NONE,
            doing: Doing::Idle,
            since_free: now,
            generation: 0,
            talk_s: 0.0,
            wrap_s: 0.0,
            counted_from: now,
        }
    }
}

impl Lab<'_> {
    /// Settles an agent's time up to now under what the agent has been doing.
    pub(super) fn count_time(&mut self, a: u32) {
        let agent = &mut self.agents[a as usize];
        if agent.at == NONE {
            return;
        }
        let s = (self.now - agent.counted_from).as_secs_f64();
        agent.counted_from = self.now;
        let today = self.stats.today();
        today.paid_s += s;
        match agent.doing {
            Doing::Idle | Doing::Joining => {}
            Doing::Talk => {
                today.talk_s += s;
                today.busy_s += s;
            }
            Doing::Wrap => today.busy_s += s,
        }
    }

    fn does(&mut self, a: u32, doing: Doing) {
        self.count_time(a);
        let agent = &mut self.agents[a as usize];
        agent.doing = doing;
        let v = &mut self.agent_views[agent.at as usize];
        v.since = self.now;
        v.phase = match doing {
            _ if v.phase == Phase::Leaving && doing != Doing::Idle => Phase::Leaving,
            Doing::Idle => Phase::Idle,
            Doing::Joining => Phase::Ringing,
            Doing::Talk => Phase::Talking,
            Doing::Wrap => Phase::WrapUp,
        };
    }

    /// The agent is given a person: joins if that takes time, then talks, then writes up.
    pub(super) fn occupy(&mut self, a: u32, join_s: f64, talk_s: f64, wrap_s: f64) {
        let agent = &mut self.agents[a as usize];
        (agent.talk_s, agent.wrap_s) = (talk_s, wrap_s);
        agent.generation += 1;
        let generation = agent.generation;
        if join_s > 0.0 {
            self.does(a, Doing::Joining);
            self.after(join_s, Event::Joined(a, generation));
        } else {
            self.does(a, Doing::Talk);
            self.after(talk_s, Event::TalkEnds(a, generation));
        }
    }

    fn is_stale(&self, a: u32, generation: u32) -> bool {
        let agent = &self.agents[a as usize];
        agent.generation != generation || agent.at == NONE
    }

    pub(super) fn joined(&mut self, a: u32, generation: u32, strategy: &mut dyn Strategy) -> bool {
        if self.is_stale(a, generation) {
            return false;
        }
        let took = self.now - self.agent_views[self.agents[a as usize].at as usize].since;
        strategy.observe(Observation::Connect { took, accepted: true }, self.now);
        self.does(a, Doing::Talk);
        let s = self.agents[a as usize].talk_s;
        self.after(s, Event::TalkEnds(a, generation));
        true
    }

    pub(super) fn talk_ends(&mut self, a: u32, generation: u32, strategy: &mut dyn Strategy) -> bool {
        if self.is_stale(a, generation) {
            return false;
        }
        let agent = self.agents[a as usize];
        let took = self.now - self.agent_views[agent.at as usize].since;
        strategy.observe(Observation::Talk { class: 0, took }, self.now);
        if agent.wrap_s > 0.0 {
            self.does(a, Doing::Wrap);
            self.after(agent.wrap_s, Event::WrapEnds(a, generation));
        } else {
            self.becomes_free(a, strategy);
        }
        true
    }

    pub(super) fn wrap_ends(&mut self, a: u32, generation: u32, strategy: &mut dyn Strategy) -> bool {
        if self.is_stale(a, generation) {
            return false;
        }
        let took = self.now - self.agent_views[self.agents[a as usize].at as usize].since;
        strategy.observe(Observation::WrapUp { took }, self.now);
        self.becomes_free(a, strategy);
        true
    }

    fn becomes_free(&mut self, a: u32, strategy: &mut dyn Strategy) {
        let leaving = self.agent_views[self.agents[a as usize].at as usize].phase == Phase::Leaving;
        self.does(a, Doing::Idle);
        if leaving {
            self.remove_agent(a);
            return;
        }
        self.agents[a as usize].since_free = self.now;
        if !self.waiting.is_empty() {
            let c = self.waiting.remove(0);
            self.connect(c, a, strategy);
        }
    }

    pub(super) fn longest_idle(&self) -> Option<u32> {
        let mut best: Option<(Timestamp, u32)> = None;
        for (v, a) in self.agent_views.iter().zip(&self.agent_of_view) {
            if v.phase == Phase::Idle && best.is_none_or(|b| (v.since, *a) < b) {
                best = Some((v.since, *a));
            }
        }
        best.map(|b| b.1)
    }

    pub(super) fn login(&mut self, a: u32) {
        if self.agents[a as usize].at != NONE {
            return;
        }
        let agent = &mut self.agents[a as usize];
        agent.at = self.agent_views.len() as u32;
        agent.doing = Doing::Idle;
        agent.counted_from = self.now;
        agent.since_free = self.now;
        self.agent_views.push(AgentView { phase: Phase::Idle, since: self.now, share_pct: 100 });
        self.agent_of_view.push(a);
    }

    /// The agent asks to leave: at once when idle (or without notice), else after this person.
    pub(super) fn leave(&mut self, a: u32, without_notice: bool) {
        let agent = self.agents[a as usize];
        if agent.at == NONE {
            return;
        }
        let v = &mut self.agent_views[agent.at as usize];
        match v.phase {
            Phase::Idle => self.remove_agent(a),
            Phase::WrapUp if without_notice => self.remove_agent(a),
            Phase::Talking | Phase::WrapUp if !without_notice => v.phase = Phase::Leaving,
            _ => {}
        }
    }

    fn remove_agent(&mut self, a: u32) {
        self.count_time(a);
        let at = std::mem::replace(&mut self.agents[a as usize].at, NONE) as usize;
        self.agents[a as usize].generation += 1;
        self.agent_views.swap_remove(at);
        self.agent_of_view.swap_remove(at);
        if let Some(moved) = self.agent_of_view.get(at) {
            self.agents[*moved as usize].at = at as u32;
        }
    }
}
