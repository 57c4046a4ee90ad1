//! OMniDialer's predictive pacer: free and soon-free agents, less expected answers, over an
//! answer rate that forgets fast, damped as a fast-forgetting drop rate nears its limit.

use super::{Fresh, Ticker, count, plan};
use autocall_core::pacing::{DialResult, Observation, Phase, Plan, Strategy, View};
use autocall_core::{Millis, Timestamp};

/// One campaign.
#[derive(Debug, Clone)]
pub struct OmniDialer {
    tick: Ticker,
    /// The product's default is one call a second; none where this is `None`.
    cps: Option<f64>,
    person: f64,
    drops: f64,
    ring_s: f64,
    talk_s: f64,
    wrap_s: f64,
    handled: u32,
    over: u32,
    latched: bool,
    fresh: Fresh,
}

const LIMIT: f64 = 0.03;
/// All averages forget a tenth with each event.
const KEEP: f64 = 0.9;

impl OmniDialer {
    /// A campaign that has handled nothing yet.
    pub fn new(cps: Option<f64>) -> Self {
        OmniDialer {
            tick: Ticker::every_ms(1000),
            cps,
            person: 0.3,
            drops: 0.0,
            ring_s: 12.0,
            talk_s: 120.0,
            wrap_s: 20.0,
            handled: 0,
            over: 0,
            latched: false,
            fresh: Fresh::default(),
        }
    }

    fn wish(&mut self, view: &View<'_>, now: Timestamp) -> f64 {
        let (live, gone) = self.fresh.since(view);
        for i in 0..live {
            self.drops = KEEP * self.drops + (1.0 - KEEP) * f64::from(u8::from(i < gone));
        }
        self.handled += live - gone;
        let strict = f64::from(count(view, Phase::Idle)) - f64::from(view.open_calls());
        self.over = if self.drops >= LIMIT { self.over + 1 } else { 0 };
        self.latched = self.over >= 5 || (self.latched && self.drops >= 0.8 * LIMIT);
        if self.handled < 50 || self.latched {
            return strict;
        }
        let damp = if self.drops <= LIMIT / 2.0 {
            1.0
        } else {
            (1.0 - 0.8 * (self.drops - LIMIT / 2.0) / (LIMIT / 2.0)).max(0.2)
        };
        let soon: f64 = view
            .agents
            .iter()
            .map(|a| {
                let mean = match a.phase {
                    Phase::Talking => self.talk_s,
                    Phase::WrapUp => self.wrap_s,
                    _ => return 0.0,
                };
                let left = (mean - (now - a.since).as_secs_f64()).max(1.0);
                1.0 - (-self.ring_s / left).exp()
            })
            .sum();
        let p = self.person.max(0.05);
        let ringing = f64::from(view.in_flight());
        ((f64::from(count(view, Phase::Idle)) + soon - ringing * p) / p * damp).floor()
    }
}

impl Strategy for OmniDialer {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let mut dial = 0.0;
        if self.tick.is_due(now) {
            dial = self.wish(view, now).min(self.cps.unwrap_or(f64::INFINITY));
        }
        plan(view, dial, self.tick.next(now).max(now + Millis::from_ms(1)))
    }

    fn observe(&mut self, seen: Observation, _now: Timestamp) {
        match seen {
            Observation::Dial { result, after, .. } if result != DialResult::Censored => {
                let hit = result == DialResult::Person;
                self.person = KEEP * self.person + (1.0 - KEEP) * f64::from(u8::from(hit));
                if hit {
                    self.ring_s = KEEP * self.ring_s + (1.0 - KEEP) * after.as_secs_f64();
                }
            }
            Observation::Talk { took, .. } => self.talk_s = KEEP * self.talk_s + (1.0 - KEEP) * took.as_secs_f64(),
            Observation::WrapUp { took } => self.wrap_s = KEEP * self.wrap_s + (1.0 - KEEP) * took.as_secs_f64(),
            _ => {}
        }
    }
}
