//! What is learned, and the look-up tables made from it.

use super::bins::{RING_BINS, RING_EDGES, Running, SPAN_BINS, SPAN_EDGES, Table, add_running, ring_bin, span_bin};
use crate::Millis;
use crate::pacing::{CLASSES_MAX, DialResult, Observation};
use serde::{Deserialize, Serialize};

/// At how many instants of the next call's possible answer the surplus is looked at.
pub(super) const LOOKS: usize = 6;

/// Facts remembered by a table of dials.
const DIALS_REMEMBERED: f32 = 6000.0;
/// Facts remembered by a table of talks or wrap-ups.
const SPANS_REMEMBERED: f32 = 2500.0;
/// Dials of the whole campaign that stand in for a class of which little is known.
const CLASS_PRIOR: f32 = 30.0;
/// Expected answers over which the present drift is judged.
const DRIFT_MEMORY: f32 = 150.0;
/// Expected answers that hold the drift at one.
const DRIFT_PRIOR: f32 = 50.0;

/// All facts learned: sums, so that several nodes' sums add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Dials until pick-up or end, by class; the last is all classes together.
    pub dials: Vec<Table>,
    /// From pick-up to the verdict person or nobody.
    pub detection: Table,
    /// Talks.
    pub talk: Table,
    /// Wrap-ups.
    pub wrap: Table,
    /// From an agent's ring (or join) to yes, or to the end of the try.
    pub connect: Table,
    /// People seen lately, and expected by the tables: their ratio is the present drift.
    pub drift_seen: f32,
    pub drift_expected: f32,
    /// Seconds from pick-up to a person's verdict, summed, and how many.
    pub verdict_s: f32,
    pub verdicts: f32,
}

impl Learned {
    pub(super) fn new() -> Self {
        Learned {
            dials: (0..=CLASSES_MAX).map(|_| Table::new(RING_BINS)).collect(),
            detection: Table::new(SPAN_BINS),
            talk: Table::new(SPAN_BINS),
            wrap: Table::new(SPAN_BINS),
            connect: Table::new(SPAN_BINS),
            drift_seen: 0.0,
            drift_expected: 0.0,
            verdict_s: 0.0,
            verdicts: 0.0,
        }
    }

    /// Adds what another node learned in the meantime.
    pub(super) fn absorb(&mut self, o: &Learned) {
        self.dials.iter_mut().zip(&o.dials).for_each(|(a, b)| a.absorb(b));
        self.detection.absorb(&o.detection);
        self.talk.absorb(&o.talk);
        self.wrap.absorb(&o.wrap);
        self.connect.absorb(&o.connect);
        self.drift_seen += o.drift_seen;
        self.drift_expected += o.drift_expected;
        self.verdict_s += o.verdict_s;
        self.verdicts += o.verdicts;
    }

    pub(super) fn is_sound(&self) -> bool {
        let rest = [self.drift_seen, self.drift_expected, self.verdict_s, self.verdicts];
        self.dials.len() == CLASSES_MAX + 1
            && self.dials.iter().all(|t| t.is_sound(RING_BINS))
            && [&self.detection, &self.talk, &self.wrap, &self.connect].iter().all(|t| t.is_sound(SPAN_BINS))
            && rest.iter().all(|v| v.is_finite() && *v >= 0.0)
    }

    /// How much more (or less) people answer now than the tables say.
    pub(super) fn drift(&self) -> f64 {
        let ratio = (self.drift_seen + DRIFT_PRIOR) / (self.drift_expected + DRIFT_PRIOR);
        f64::from(ratio.clamp(0.1, 5.0))
    }

    /// People seen, as far as they are remembered.
    pub(super) fn people(&self) -> f64 {
        let t = &self.dials[CLASSES_MAX];
        f64::from(t.hit.iter().sum::<f32>() / t.weight)
    }

    /// Ends of talks seen, as far as they are remembered.
    pub(super) fn talks(&self) -> f64 {
        f64::from(self.talk.hit.iter().sum::<f32>() / self.talk.weight)
    }

    /// Mean seconds from pick-up to a person's verdict.
    pub(super) fn verdict_mean_s(&self) -> f32 {
        if self.verdicts > 0.0 { self.verdict_s / self.verdicts } else { 0.0 }
    }

    /// The share of asked agents who say yes; near one until some did not.
    pub(super) fn accept(&self) -> f64 {
        let sum = |v: &[f32]| f64::from(v.iter().sum::<f32>() / self.connect.weight);
        (sum(&self.connect.hit) + 4.0) / (sum(&self.connect.hit) + sum(&self.connect.other) + 4.0)
    }

    /// Mean of a talk or wrap-up, from its hazards.
    pub(super) fn mean_s(table: &Table, unknown: f32) -> f32 {
        let hits: f32 = table.hit.iter().sum();
        if hits < 1.0 { unknown } else { table.exposure.iter().sum::<f32>() / hits }
    }

    /// Learns from one fact. `expected` gives the people expected of a dial of this class up to this
    /// age, once enough is known to call a difference drift.
    pub(super) fn observe(&mut self, seen: &Observation, expected: impl Fn(usize, f32) -> Option<f32>) {
        match *seen {
            Observation::Dial { class, result, picked_up_after, after } => {
                let class = usize::from(class).min(CLASSES_MAX - 1);
                let end = secs(picked_up_after.unwrap_or(after)).min(RING_EDGES[RING_BINS]);
                let hit = match result {
                    DialResult::Person => Some(true),
                    DialResult::Nobody => Some(false),
                    DialResult::Censored => None,
                };
                for c in [class, CLASSES_MAX] {
                    self.dials[c].add(&RING_EDGES, ring_bin(end), end, hit, DIALS_REMEMBERED);
                }
                if let Some(due) = expected(class, end) {
                    let keep = 1.0 - (due / DRIFT_MEMORY).min(0.5);
                    self.drift_seen = self.drift_seen * keep + f32::from(hit == Some(true));
                    self.drift_expected = self.drift_expected * keep + due;
                }
                if picked_up_after.is_some() {
                    let took = (secs(after) - end).max(0.0);
                    self.detection.add(&SPAN_EDGES, span_bin(took), took, hit, SPANS_REMEMBERED);
                    if hit == Some(true) {
                        let keep = 1.0 - 1.0 / 500.0;
                        self.verdict_s = self.verdict_s * keep + took;
                        self.verdicts = self.verdicts * keep + 1.0;
                    }
                }
            }
            Observation::Talk { took, .. } => span(&mut self.talk, took),
            Observation::WrapUp { took } => span(&mut self.wrap, took),
            Observation::Connect { took, accepted } => {
                let age = secs(took);
                self.connect.add(&SPAN_EDGES, span_bin(age), age, Some(accepted), SPANS_REMEMBERED);
            }
        }
    }
}

fn span(table: &mut Table, took: Millis) {
    let age = secs(took);
    table.add(&SPAN_EDGES, span_bin(age), age, Some(true), SPANS_REMEMBERED);
}

/// Whole and part seconds, never negative.
pub(super) fn secs(d: Millis) -> f32 {
    (d.ms().max(0) as f32) / 1000.0
}

/// Survival and cumulated answers of one class of dials, at the edges of the bins.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    /// Cumulated hazard of a person.
    hazard: [f32; RING_BINS + 1],
    /// Chance that the dial is still open.
    open: [f32; RING_BINS + 1],
    /// Chance that a person has answered.
    person: [f32; RING_BINS + 1],
    /// By bin of the dial's present age, the chance of a person within each look.
    pub soon: [[f32; LOOKS]; RING_BINS],
    /// A new dial's chance of a person within each look.
    pub fresh: [f32; LOOKS],
}

impl Curve {
    pub(super) fn new() -> Self {
        Curve {
            hazard: [0.0; RING_BINS + 1],
            open: [1.0; RING_BINS + 1],
            person: [0.0; RING_BINS + 1],
            soon: [[0.0; LOOKS]; RING_BINS],
            fresh: [0.0; LOOKS],
        }
    }

    /// The chance that a dial ends in a person at all.
    pub(super) fn answer(&self) -> f32 {
        self.person[RING_BINS]
    }

    /// The people expected of a dial observed up to this age.
    pub(super) fn expected(&self, age: f32) -> f32 {
        along(&self.hazard, age)
    }

    /// From the facts of the class, those of all classes, and what is running.
    fn learn(&mut self, class: &Table, all: &Table, running: &Running<RING_BINS>) {
        let mut exposure = [0.0; RING_BINS];
        for (b, e) in exposure.iter_mut().enumerate() {
            *e = class.exposure[b] / class.weight;
        }
        add_running(&RING_EDGES, running, &mut exposure);
        // The campaign as a whole lends a class the weight of a few dials. The fiftieth part of an
        // invented dial keeps bins that nothing is known of away from nought by nought.
        let lend = CLASS_PRIOR / (all.facts / all.weight + CLASS_PRIOR) / all.weight
            * (all.facts / all.weight / 10.0).min(1.0);
        for b in 0..RING_BINS {
            let width = RING_EDGES[b + 1] - RING_EDGES[b];
            let e = exposure[b] + all.exposure[b] * lend + 0.02 * width;
            let hit = (class.hit[b] / class.weight + all.hit[b] * lend + 0.02 * width * 0.02) / e;
            let other = (class.other[b] / class.weight + all.other[b] * lend + 0.02 * width * 0.04) / e;
            let stay = (-(hit + other) * width).exp();
            let here = self.open[b];
            self.open[b + 1] = here * stay;
            self.person[b + 1] = self.person[b] + here * (1.0 - stay) * hit / (hit + other);
            self.hazard[b + 1] = self.hazard[b] + hit * width;
        }
    }

    /// Ages at which a new dial's person answers: the middles of [`LOOKS`] equal shares.
    fn looks(&self) -> [f32; LOOKS] {
        let p = self.answer().max(1e-9);
        std::array::from_fn(|k| {
            let want = p * (k as f32 + 0.5) / LOOKS as f32;
            let b = self.person.partition_point(|v| *v < want).clamp(1, RING_BINS);
            let (lo, hi) = (self.person[b - 1], self.person[b]);
            let part = if hi > lo { (want - lo) / (hi - lo) } else { 0.5 };
            RING_EDGES[b - 1] + part * (RING_EDGES[b] - RING_EDGES[b - 1])
        })
    }

    /// Fills the look-ahead tables for these looks.
    fn look_ahead(&mut self, looks: &[f32; LOOKS], drift: f32) {
        for b in 0..RING_BINS {
            let age = (RING_EDGES[b] + RING_EDGES[b + 1]) / 2.0;
            let open = along(&self.open, age).max(1e-6);
            let so_far = along(&self.person, age);
            for (k, t) in looks.iter().enumerate() {
                let chance = (along(&self.person, age + t) - so_far) / open;
                self.soon[b][k] = (chance * drift).clamp(0.0, 1.0);
            }
        }
        for (k, t) in looks.iter().enumerate() {
            self.fresh[k] = (along(&self.person, *t) * drift).clamp(0.0, 1.0);
        }
    }
}

/// A curve over the ring edges at an age, straight between edges.
fn along(curve: &[f32; RING_BINS + 1], age: f32) -> f32 {
    if age >= RING_EDGES[RING_BINS] {
        return curve[RING_BINS];
    }
    let b = ring_bin(age);
    let part = (age.max(0.0) - RING_EDGES[b]) / (RING_EDGES[b + 1] - RING_EDGES[b]);
    curve[b] + part * (curve[b + 1] - curve[b])
}

/// Cumulated hazard of a talk or wrap-up at the edges.
#[derive(Debug, Clone)]
struct Span {
    hazard: [f32; SPAN_BINS + 1],
}

impl Span {
    fn learn(&mut self, table: &Table, running: Option<&Running<SPAN_BINS>>, unknown_s: f32) {
        let mut exposure = [0.0; SPAN_BINS];
        for (b, e) in exposure.iter_mut().enumerate() {
            *e = table.exposure[b] / table.weight;
        }
        if let Some(r) = running {
            add_running(&SPAN_EDGES, r, &mut exposure);
        }
        let (events, lived): (f32, f32) = (table.hit.iter().sum::<f32>() / table.weight, exposure.iter().sum::<f32>());
        let mean = (lived + 2.0 * unknown_s) / (events + 2.0);
        for b in 0..SPAN_BINS {
            let width = SPAN_EDGES[b + 1] - SPAN_EDGES[b];
            // Each bin is lent one event at the mean's own hazard.
            let hazard = (table.hit[b] / table.weight + 1.0) / (exposure[b] + mean);
            self.hazard[b + 1] = self.hazard[b] + hazard * width;
        }
    }
    fn at(&self, age: f32) -> f32 {
        if age >= SPAN_EDGES[SPAN_BINS] {
            return self.hazard[SPAN_BINS];
        }
        let b = span_bin(age);
        let part = (age.max(0.0) - SPAN_EDGES[b]) / (SPAN_EDGES[b + 1] - SPAN_EDGES[b]);
        self.hazard[b] + part * (self.hazard[b + 1] - self.hazard[b])
    }
    fn aged(&self, age: f32) -> Aged<'_> {
        Aged { span: self, age, hazard: self.at(age) }
    }
    /// The chance that something of this age ends within `t`.
    fn ends(&self, age: f32, t: f32) -> f32 {
        self.aged(age).ends(t)
    }
}

/// A talk or wrap-up that has lasted for so long.
struct Aged<'a> {
    span: &'a Span,
    age: f32,
    hazard: f32,
}

impl Aged<'_> {
    /// The chance that it ends within `t`.
    fn ends(&self, t: f32) -> f32 {
        1.0 - (self.hazard - self.span.at(self.age + t)).exp()
    }
}

/// Everything the planner looks up, remade every few seconds.
#[derive(Debug, Clone)]
pub(super) struct Model {
    curves: Vec<Curve>,
    /// Which classes have been dialled; the others use the campaign's own curve.
    known: [bool; CLASSES_MAX],
    talk: Span,
    wrap: Span,
    /// By bin of the talk's age, the chance to be free (wrap-up included) within each look.
    pub talk_frees: [[f32; LOOKS]; SPAN_BINS],
    /// The same for wrap-ups.
    pub wrap_frees: [[f32; LOOKS]; SPAN_BINS],
    /// By bin of the time since pick-up, the chance of the verdict person within each look.
    pub verdict: [[f32; LOOKS]; SPAN_BINS],
    /// The looks, seconds from now.
    pub looks: [f32; LOOKS],
    /// Mean talk plus wrap-up, seconds.
    pub handle_s: f32,
    /// Mean time until a dial is picked up or ends, seconds.
    pub dial_s: f32,
    /// How much more people answer now than the tables say.
    pub drift: f32,
}

/// What runs at this instant, by age.
pub(super) struct RunningNow<'a> {
    /// By class; the last is all classes together.
    pub dials: &'a [Running<RING_BINS>],
    pub talks: &'a Running<SPAN_BINS>,
    pub wraps: &'a Running<SPAN_BINS>,
}

impl Model {
    pub(super) fn new() -> Self {
        Model {
            curves: vec![Curve::new(); CLASSES_MAX + 1],
            known: [false; CLASSES_MAX],
            talk: Span { hazard: [0.0; SPAN_BINS + 1] },
            wrap: Span { hazard: [0.0; SPAN_BINS + 1] },
            talk_frees: [[0.0; LOOKS]; SPAN_BINS],
            wrap_frees: [[0.0; LOOKS]; SPAN_BINS],
            verdict: [[0.0; LOOKS]; SPAN_BINS],
            looks: [5.0; LOOKS],
            handle_s: 120.0,
            dial_s: 20.0,
            drift: 1.0,
        }
    }

    /// The curve of a class; of the whole campaign where the class was never dialled.
    pub(super) fn curve(&self, class: u16) -> &Curve {
        let c = usize::from(class).min(CLASSES_MAX - 1);
        &self.curves[if self.known[c] { c } else { CLASSES_MAX }]
    }

    /// How often an agent uses up a lead at one call for each free agent, seconds: the dial, and
    /// the conversation where it brings one.
    pub(super) fn dial_every_s(&self) -> f32 {
        let answer = (self.curves[CLASSES_MAX].answer() * self.drift).clamp(0.0, 1.0);
        (self.dial_s + answer * self.handle_s).max(1.0)
    }

    /// Remakes the tables. `next` is the class that will be dialled next, `hold_s` how long a
    /// person may be held for an agent.
    pub(super) fn remake(&mut self, l: &Learned, now: &RunningNow<'_>, next: u16, hold_s: f32) {
        self.drift = l.drift() as f32;
        let all = &l.dials[CLASSES_MAX];
        for c in 0..=CLASSES_MAX {
            let known = l.dials[c].facts > 0.0;
            if c < CLASSES_MAX {
                self.known[c] = known;
            }
            if known || c == CLASSES_MAX {
                self.curves[c].learn(&l.dials[c], all, &now.dials[c]);
            }
        }
        let looks = self.curve(next).looks();
        let verdict_s = l.verdict_mean_s();
        // A dial's person is ready only after the verdict: answers later, agents freed meanwhile.
        self.looks = looks.map(|t| t + verdict_s);
        for c in 0..=CLASSES_MAX {
            if c == CLASSES_MAX || self.known[c] {
                self.curves[c].look_ahead(&looks, self.drift);
            }
        }
        self.talk.learn(&l.talk, Some(now.talks), 120.0);
        self.wrap.learn(&l.wrap, Some(now.wraps), 5.0);
        let wrap_mean = Learned::mean_s(&l.wrap, 0.0);
        self.handle_s = Learned::mean_s(&l.talk, 120.0) + wrap_mean;
        self.dial_s = (all.exposure.iter().sum::<f32>() + 20.0 * all.weight) / (all.facts + all.weight);
        self.free_ahead(hold_s, wrap_mean > 0.0);
        self.verdict_ahead(&l.detection);
    }

    fn free_ahead(&mut self, hold_s: f32, wraps: bool) {
        const STEPS: usize = 4;
        // The talk ends in some part of the time, the wrap-up within the rest: by look and part, the
        // chance of the second, which no talk's age changes.
        let within = |k: usize| self.looks[k] + hold_s;
        let part = |k: usize| within(k) / STEPS as f32;
        let rest: [[f32; STEPS]; LOOKS] = std::array::from_fn(|k| {
            std::array::from_fn(|s| self.wrap.ends(0.0, within(k) - part(k) * (s as f32 + 0.5)))
        });
        for b in 0..SPAN_BINS {
            let age = (SPAN_EDGES[b] + SPAN_EDGES[b + 1]) / 2.0;
            let (talk, wrap) = (self.talk.aged(age), self.wrap.aged(age));
            for k in 0..LOOKS {
                self.wrap_frees[b][k] = wrap.ends(within(k));
                self.talk_frees[b][k] = if wraps {
                    let (mut before, mut sum) = (0.0, 0.0);
                    for (s, rest) in rest[k].iter().enumerate() {
                        let ended = talk.ends(part(k) * (s + 1) as f32);
                        sum += (ended - before) * rest;
                        before = ended;
                    }
                    sum
                } else {
                    talk.ends(within(k))
                };
            }
        }
    }

    fn verdict_ahead(&mut self, t: &Table) {
        // From each bin on, people's verdicts and all verdicts.
        let (mut people, mut all) = ([0.0; SPAN_BINS + 1], [0.0; SPAN_BINS + 1]);
        for b in (0..SPAN_BINS).rev() {
            people[b] = people[b + 1] + t.hit[b] / t.weight;
            all[b] = all[b + 1] + (t.hit[b] + t.other[b]) / t.weight;
        }
        let share = (people[0] + 1.0) / (all[0] + 2.0);
        for b in 0..SPAN_BINS {
            let age = (SPAN_EDGES[b] + SPAN_EDGES[b + 1]) / 2.0;
            for k in 0..LOOKS {
                let soon = people[b] - people[(span_bin(age + self.looks[k]) + 1).max(b)];
                self.verdict[b][k] = ((soon + share) / (all[b] + 1.0)).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
