//! What people are drawn from. The defaults are the figures of public measurements, each named.

use crate::dice::Spread;
use serde::{Deserialize, Serialize};

/// A kind of people: one class of leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kind {
    /// How many of all, as a weight.
    pub weight: f64,
    /// The chance that a person picks up, in the mean over numbers and hours.
    pub answers: f64,
    /// How differently people of the kind behave: standard deviation over mean of that chance.
    pub answers_cv: f64,
    /// The chance by hour of the local day, as factors on `answers`; 24 of them.
    pub by_hour: Vec<f64>,
}

impl Default for Kind {
    fn default() -> Self {
        Kind::consumers()
    }
}

impl Kind {
    /// People at home and on mobiles: one in four picks up (US collections, 25–30 %, CPUC 2002),
    /// more in the late afternoon and evening.
    pub fn consumers() -> Kind {
        let by_hour = (0..24).map(|h| match h {
            0..=7 => 0.3,
            8..=9 => 0.8,
            10..=11 => 0.95,
            12..=13 => 0.9,
            14..=16 => 1.0,
            17..=20 => 1.35,
            _ => 0.6,
        });
        Kind { weight: 0.7, answers: 0.25, answers_cv: 0.6, by_hour: by_hour.collect() }
    }
    /// Firms: fewer connects (cold B2B 5–10 %), best in the morning, worst at lunch (−22 %).
    pub fn firms() -> Kind {
        let by_hour = (0..24).map(|h| match h {
            8..=9 => 1.2,
            10..=11 => 1.35,
            12..=13 => 0.78,
            14..=15 => 1.0,
            16..=17 => 1.1,
            _ => 0.1,
        });
        Kind { weight: 0.3, answers: 0.1, answers_cv: 0.5, by_hour: by_hour.collect() }
    }
}

/// How well machines are told from people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detector {
    /// The chance that a person is taken for a machine.
    pub person_as_machine: f64,
    /// The chance that a machine is taken for a person.
    pub machine_as_person: f64,
    /// The chance that the detector says it cannot tell.
    pub unclear: f64,
    /// The chance that it never says anything.
    pub silent: f64,
    /// Silence after the greeting before it says "person", with the fast preset.
    pub fast: Spread,
    /// The same with the carrier's own thresholds (Twilio: 1200 ms, about 4 s in all).
    pub accurate: Spread,
    /// From the pick-up to "machine", where the greeting need not be waited for.
    pub machine: Spread,
}

impl Default for Detector {
    fn default() -> Self {
        Detector {
            person_as_machine: 0.03,
            machine_as_person: 0.05,
            unclear: 0.02,
            silent: 0.002,
            fast: Spread::gamma(0.95, 0.15),
            accurate: Spread::gamma(1.5, 0.2),
            machine: Spread::gamma(3.4, 0.2),
        }
    }
}

/// What everybody is drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The kinds of people.
    pub kinds: Vec<Kind>,
    /// Minutes that the people's clocks are ahead of UTC.
    pub utc_offset_min: i32,
    /// Share of numbers that do not exist.
    pub invalid: f64,
    /// Share of numbers where a fax answers.
    pub fax: f64,
    /// Share of numbers that block calls.
    pub blocked: f64,
    /// Share of numbers with an answering machine.
    pub machines: f64,
    /// The chance of a busy line, per call.
    pub busy: f64,
    /// The chance that a call cannot be set up, per call.
    pub unreachable: f64,
    /// From set-up to the first ring.
    pub setup: Spread,
    /// Ring until a person picks up (mobiles: mean 8.67 s, tawkon 2013).
    pub ring: Spread,
    /// Ring until a machine picks up (network default 20–30 s).
    pub machine_ring: Spread,
    /// From pick-up to the first word (1.44 s, CPUC).
    pub off_hook: Spread,
    /// A person's greeting ("hello": below 1.5 s).
    pub greeting: Spread,
    /// A machine's greeting.
    pub machine_greeting: Spread,
    /// Share of machines that beep.
    pub beeps: f64,
    /// How long a person waits for somebody to talk to, from the end of the greeting.
    pub patience: Spread,
    /// The chance that a person hangs up at once on hearing nobody.
    pub hangs_up_at_once: f64,
    /// Conversations (mean 2:03, PhoneBurner 2022: short refusals and long successes).
    pub talk: Spread,
    /// The chance that the person, not the agent, hangs up at the end.
    pub person_ends: f64,
    /// The chance that somebody who hears a message presses the opt-out key.
    pub opts_out: f64,
    /// The detector.
    pub detector: Detector,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            kinds: vec![Kind::consumers(), Kind::firms()],
            utc_offset_min: 0,
            invalid: 0.02,
            fax: 0.005,
            blocked: 0.003,
            machines: 0.75,
            busy: 0.03,
            unreachable: 0.01,
            setup: Spread::gamma(1.8, 0.5),
            ring: Spread::lognormal(8.67, 0.5),
            machine_ring: Spread::gamma(22.0, 0.15),
            off_hook: Spread::gamma(0.6, 0.4),
            greeting: Spread::gamma(1.0, 0.35),
            machine_greeting: Spread::lognormal(9.0, 0.6),
            beeps: 0.9,
            patience: Spread::Mixture { of: vec![(0.3, Spread::gamma(3.0, 0.5)), (0.7, Spread::lognormal(22.0, 0.8))] },
            hangs_up_at_once: 0.03,
            talk: Spread::Mixture {
                of: vec![
                    (0.45, Spread::lognormal(38.0, 0.6)),
                    (0.35, Spread::lognormal(102.0, 0.7)),
                    (0.20, Spread::lognormal(345.0, 0.5)),
                ],
            },
            person_ends: 0.6,
            opts_out: 0.02,
            detector: Detector::default(),
        }
    }
}

impl Profile {
    /// Everybody answers within a second, is told from a machine without error, and talks
    /// briefly: for tests that need many conversations.
    pub fn eager() -> Profile {
        let kind = Kind { weight: 1.0, answers: 1.0, answers_cv: 0.0, by_hour: vec![1.0; 24] };
        Profile {
            kinds: vec![kind],
            invalid: 0.0,
            fax: 0.0,
            blocked: 0.0,
            busy: 0.0,
            unreachable: 0.0,
            ring: Spread::fixed(1.0),
            hangs_up_at_once: 0.0,
            patience: Spread::fixed(120.0),
            talk: Spread::fixed(30.0),
            detector: Detector {
                person_as_machine: 0.0,
                machine_as_person: 0.0,
                unclear: 0.0,
                silent: 0.0,
                ..Detector::default()
            },
            ..Profile::default()
        }
    }
}
