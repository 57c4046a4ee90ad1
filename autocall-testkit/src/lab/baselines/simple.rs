//! Issabel, WombatDialer and the threshold policy of the Montréal contact-centre simulator.

use super::{Ticker, count, plan};
use autocall_core::pacing::{DialResult, Observation, Phase, Plan, Strategy, View};
use autocall_core::{Millis, Timestamp};

/// Issabel's predictor: every five seconds, free agents plus busy ones whose call has by its own
/// mean almost surely ended, less calls there; divided by the success rate of half an hour.
#[derive(Debug, Clone)]
pub struct Issabel {
    tick: Ticker,
    talk_s: (f64, u32),
    answer_s: (f64, u32),
    /// Attempts and people in each minute of the last half hour, with the minute's number.
    minutes: [(i64, u32, u32); 30],
}

impl Default for Issabel {
    fn default() -> Self {
        Issabel { tick: Ticker::every_ms(5000), talk_s: (0.0, 0), answer_s: (0.0, 0), minutes: [(i64::MIN, 0, 0); 30] }
    }
}

fn mean((sum, n): (f64, u32)) -> f64 {
    if n > 0 { sum / f64::from(n) } else { 0.0 }
}

impl Strategy for Issabel {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let mut dial = 0.0;
        if self.tick.is_due(now) {
            let mut n = f64::from(count(view, Phase::Idle));
            if self.talk_s.1 >= 10 {
                let (talk, answer) = (mean(self.talk_s).max(1.0), mean(self.answer_s));
                let done = |s: f64| 1.0 - (-(s + answer) / talk).exp() >= 0.97;
                let busy = view.agents.iter().filter(|a| a.phase == Phase::Talking);
                n += busy.filter(|a| done((now - a.since).as_secs_f64())).count() as f64;
            }
            n -= f64::from(view.open_calls());
            let minute = now.ms() / 60_000;
            let recent = self.minutes.iter().filter(|m| minute - m.0 < 30);
            let (tries, people) = recent.fold((0, 0), |s, m| (s.0 + m.1, s.1 + m.2));
            if tries >= 10 && n > 0.0 {
                n /= (f64::from(people) / f64::from(tries)).max(0.2);
            }
            dial = n.round();
        }
        plan(view, dial, self.tick.next(now).max(now + Millis::from_ms(1)))
    }

    fn observe(&mut self, seen: Observation, now: Timestamp) {
        match seen {
            Observation::Dial { result, after, .. } if result != DialResult::Censored => {
                let minute = now.ms() / 60_000;
                let slot = &mut self.minutes[minute.rem_euclid(30) as usize];
                if slot.0 != minute {
                    *slot = (minute, 0, 0);
                }
                let person = result == DialResult::Person;
                slot.1 += 1;
                slot.2 += u32::from(person);
                if person {
                    self.answer_s = (self.answer_s.0 + after.as_secs_f64(), self.answer_s.1 + 1);
                }
            }
            Observation::Talk { took, .. } => {
                self.talk_s = (self.talk_s.0 + took.as_secs_f64(), self.talk_s.1 + 1);
            }
            _ => {}
        }
    }
}

/// WombatDialer: a boost times available agents; nothing while more than two people wait.
#[derive(Debug, Clone)]
pub struct Wombat {
    /// The boost factor.
    pub boost: f64,
}

impl Strategy for Wombat {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let lines = (self.boost * f64::from(count(view, Phase::Idle))).round() - f64::from(view.open_calls());
        let dial = if view.waiting() > 2 { 0.0 } else { lines };
        plan(view, dial, now + Millis::from_secs(1))
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}

/// Dial only when at least `free_min` agents are free: `kappa` lines for each, plus `extra`.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// The least number of free agents.
    pub free_min: u32,
    /// Lines for each.
    pub kappa: f64,
    /// Lines besides.
    pub extra: f64,
}

impl Strategy for Threshold {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let free = count(view, Phase::Idle);
        let lines = (self.kappa * f64::from(free)).round() + self.extra - f64::from(view.open_calls());
        plan(view, if free >= self.free_min { lines } else { 0.0 }, now + Millis::from_secs(1))
    }
    fn observe(&mut self, _seen: Observation, _now: Timestamp) {}
}
