//! Piecewise-constant hazards over age, with exposure that counts what is still running.
//!
//! A hazard per bin is events divided by exposure (Nelson 1972, Aalen 1978). Exposure includes
//! calls and talks that have not ended yet, so short ones do not look typical merely because they
//! end first.

use serde::{Deserialize, Serialize};

/// Ages of a dial: every second at first, then wider; seconds.
pub(super) const RING_EDGES: [f32; 46] = [
    0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24.,
    25., 26., 27., 28., 29., 30., 31., 32., 34., 36., 38., 40., 44., 48., 52., 56., 60., 70., 80., 100., 120.,
];
/// Bins of [`RING_EDGES`].
pub(super) const RING_BINS: usize = RING_EDGES.len() - 1;

/// Ages of a talk, a wrap-up or a wait: about a fifth wider each; seconds.
pub(super) const SPAN_EDGES: [f32; 41] = [
    0., 2., 4., 6., 8., 10., 13., 16., 20., 25., 30., 36., 43., 51., 60., 70., 82., 96., 112., 130., 150., 175., 205.,
    240., 280., 330., 390., 460., 540., 640., 760., 900., 1080., 1300., 1550., 1850., 2200., 2700., 3600., 5000.,
    7200.,
];
/// Bins of [`SPAN_EDGES`].
pub(super) const SPAN_BINS: usize = SPAN_EDGES.len() - 1;

/// The bin of an age; ages past the last edge share the last bin.
pub(super) fn ring_bin(age: f32) -> usize {
    if age < 32.0 { age.max(0.0) as usize } else { 32 + above(&RING_EDGES[33..RING_BINS], age) }
}

/// The bin of an age; ages past the last edge share the last bin.
pub(super) fn span_bin(age: f32) -> usize {
    // The edges are whole seconds, so the whole seconds of an age decide.
    usize::from(SPAN_OF[(age.max(0.0) as usize).min(SPAN_OF.len() - 1)])
}

/// The bin of each whole second up to the last bin's beginning: looked up for every agent at every plan.
static SPAN_OF: [u8; SPAN_EDGES[SPAN_BINS - 1] as usize + 1] = {
    let mut bins = [0; SPAN_EDGES[SPAN_BINS - 1] as usize + 1];
    let (mut s, mut bin) = (0, 0);
    while s < bins.len() {
        if s as f32 >= SPAN_EDGES[bin as usize + 1] {
            bin += 1;
        }
        bins[s] = bin;
        s += 1;
    }
    bins
};

/// How many of the ascending `edges` the age has reached.
fn above(edges: &[f32], age: f32) -> usize {
    edges.partition_point(|e| *e <= age)
}

/// How long each age bin was lived through, by running things that are of these ages: adds to
/// `exposure`. Costs one pass over the bins, however many things there are.
pub(super) fn add_running<const B: usize>(edges: &[f32], running: &Running<B>, exposure: &mut [f32; B]) {
    let mut older = 0.0;
    for b in (0..B).rev() {
        exposure[b] += older * (edges[b + 1] - edges[b]) + running.partial[b];
        older += running.count[b];
    }
}

/// Running things by the bin of their age.
#[derive(Debug, Clone)]
pub(super) struct Running<const B: usize> {
    /// How many.
    pub count: [f32; B],
    /// Seconds that they spent in that bin so far, summed.
    pub partial: [f32; B],
}

impl<const B: usize> Running<B> {
    pub(super) fn new() -> Self {
        Running { count: [0.0; B], partial: [0.0; B] }
    }
    pub(super) fn clear(&mut self) {
        self.count.fill(0.0);
        self.partial.fill(0.0);
    }
    /// Adds one thing of this age, of which the part `share` is ours.
    pub(super) fn add(&mut self, edges: &[f32], bin: usize, age: f32, share: f32) {
        self.count[bin] += share;
        self.partial[bin] += share * (age - edges[bin]).clamp(0.0, edges[bin + 1] - edges[bin]);
    }
}

/// Events and exposure of one kind of ending, or two that compete.
///
/// Forgetting: each fact is added with a weight that grows by a fixed factor, which is the same
/// as shrinking all earlier ones, at no cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Table {
    /// Endings of the first kind (a person; the end of a talk) by bin.
    pub hit: Vec<f32>,
    /// Endings of the second kind (nobody) by bin; zero where there is one kind only.
    pub other: Vec<f32>,
    /// Seconds lived through by bin.
    pub exposure: Vec<f32>,
    /// Facts.
    pub facts: f32,
    /// The weight of the latest fact.
    pub weight: f32,
}

/// Above this weight a table is brought back to weight one.
const WEIGHT_MAX: f32 = 1e4;

impl Table {
    pub(super) fn new(bins: usize) -> Self {
        Table { hit: vec![0.0; bins], other: vec![0.0; bins], exposure: vec![0.0; bins], facts: 0.0, weight: 1.0 }
    }

    /// One ending at this age: `Some(true)` of the first kind, `Some(false)` of the second, `None`
    /// cut short. `memory` is how many facts are remembered.
    pub(super) fn add(&mut self, edges: &[f32], bin: usize, age: f32, hit: Option<bool>, memory: f32) {
        self.weight *= 1.0 + 1.0 / memory;
        if self.weight > WEIGHT_MAX {
            self.scale(1.0 / self.weight);
        }
        let w = self.weight;
        for (b, exposure) in self.exposure[..bin].iter_mut().enumerate() {
            *exposure += w * (edges[b + 1] - edges[b]);
        }
        // Past the last edge the age is cut: what is older than two hours tells nothing more.
        self.exposure[bin] += w * (age - edges[bin]).clamp(0.0, edges[bin + 1] - edges[bin]);
        match hit {
            Some(true) => self.hit[bin] += w,
            Some(false) => self.other[bin] += w,
            None => {}
        }
        self.facts += w;
    }

    fn scale(&mut self, by: f32) {
        for v in self.hit.iter_mut().chain(&mut self.other).chain(&mut self.exposure) {
            *v *= by;
        }
        self.facts *= by;
        self.weight *= by;
    }

    /// Adds what another table learned. The order of several such additions does not matter.
    pub(super) fn absorb(&mut self, o: &Table) {
        let by = self.weight / o.weight.max(f32::MIN_POSITIVE);
        let add = |a: &mut [f32], b: &[f32]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b * by);
        add(&mut self.hit, &o.hit);
        add(&mut self.other, &o.other);
        add(&mut self.exposure, &o.exposure);
        self.facts += o.facts * by;
    }

    /// True when this is a table of so many bins with usable numbers.
    pub(super) fn is_sound(&self, bins: usize) -> bool {
        let all = self.hit.iter().chain(&self.other).chain(&self.exposure).chain([&self.facts, &self.weight]);
        self.hit.len() == bins
            && self.other.len() == bins
            && self.exposure.len() == bins
            && self.weight > 0.0
            && all.into_iter().all(|v| v.is_finite() && *v >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bin_of_an_age_is_the_one_whose_edges_are_around_it() {
        for quarter in 0..40_000_u16 {
            let age = f32::from(quarter) / 4.0;
            assert_eq!(span_bin(age), above(&SPAN_EDGES[1..SPAN_BINS], age), "{age}");
            assert_eq!(ring_bin(age), above(&RING_EDGES[1..RING_BINS], age), "{age}");
        }
        assert_eq!((span_bin(-1.0), span_bin(4999.999), span_bin(5000.0)), (0, SPAN_BINS - 2, SPAN_BINS - 1));
    }

    #[test]
    fn what_another_table_learned_is_added_at_this_ones_weight() {
        let mut a = Table::new(SPAN_BINS);
        (a.weight, a.hit[1], a.other[2], a.exposure[3], a.facts) = (2.0, 4.0, 1.0, 5.0, 6.0);
        let mut b = Table::new(SPAN_BINS);
        (b.weight, b.hit[1], b.other[2], b.exposure[3], b.facts) = (0.5, 1.0, 2.0, 3.0, 1.0);
        a.absorb(&b);
        assert_eq!((a.weight, a.hit[1], a.other[2], a.exposure[3], a.facts), (2.0, 8.0, 9.0, 17.0, 10.0));
    }

    #[test]
    fn a_weight_that_grows_too_large_is_brought_back_with_all_that_it_weighs() {
        let mut t = Table::new(SPAN_BINS);
        (t.weight, t.hit[0], t.other[0], t.exposure[0], t.facts) = (1e4, 2e4, 3e4, 4e4, 5e4);
        t.add(&SPAN_EDGES, 1, 3.0, Some(false), 1.0);
        // Doubled to 20,000, then one: everything before is half of what it was beside it.
        let near = |a: f32, b: f32| (a - b).abs() < 1e-5;
        assert!(near(t.weight, 1.0) && near(t.hit[0], 1.0) && near(t.other[0], 1.5) && near(t.other[1], 1.0));
        assert!(near(t.exposure[0], 4.0) && near(t.exposure[1], 1.0) && near(t.facts, 3.5), "{t:?}");
    }

    #[test]
    fn what_runs_has_lived_through_all_earlier_bins() {
        let mut running = Running::<SPAN_BINS>::new();
        running.add(&SPAN_EDGES, span_bin(5.0), 5.0, 1.0);
        running.add(&SPAN_EDGES, span_bin(12.0), 12.0, 0.5);
        running.add(&SPAN_EDGES, span_bin(90_000.0), 90_000.0, 1.0);
        let mut lived = [100.0; SPAN_BINS];
        add_running(&SPAN_EDGES, &running, &mut lived);
        assert_eq!(lived[..6], [105.0, 105.0, 104.0, 103.0, 103.0, 104.0]);
        assert_eq!(lived[SPAN_BINS - 1], 100.0 + 2200.0, "no longer than two hours");
        running.clear();
        assert!(running.count.iter().chain(&running.partial).all(|v| *v == 0.0));
    }
}
