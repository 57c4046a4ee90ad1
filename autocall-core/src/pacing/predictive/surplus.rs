//! The chance that answers outrun free agents.
//!
//! Both sides are sums of independent yes-or-no events with different chances. Their laws are
//! matched by mean and variance in the family `P(j+1) = P(j) (a + b/(j+1))` (Panjer 1981), which
//! holds the binomial, Poisson and negative binomial laws; exact where all chances are equal.

/// Mean and variance of a count.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    pub var: f64,
}

impl Moments {
    /// Adds `n` independent events of this chance.
    pub(super) fn add(&mut self, n: f64, chance: f64) {
        self.mean += n * chance;
        self.var += n * chance * (1.0 - chance);
    }
    /// The same events, this much more (or less) likely.
    pub(super) fn times(self, by: f64) -> Moments {
        Moments { mean: self.mean * by, var: self.var * by }
    }
}

/// The most values kept of one law; beyond it the normal law serves.
const SUPPORT: usize = 384;

/// Probabilities of 0, 1, 2, ... into `out`; how many were written.
fn law(m: Moments, out: &mut [f64; SUPPORT]) -> usize {
    if m.mean <= 1e-12 {
        out[0] = 1.0;
        return 1;
    }
    let ratio = (m.var / m.mean).max(0.02);
    let a = 1.0 - 1.0 / ratio;
    let b = m.mean / ratio - a;
    let ln0 = if (ratio - 1.0).abs() < 1e-6 { -m.mean } else { -m.mean * ratio.ln() / (ratio - 1.0) };
    let last = m.mean + 7.0 * m.var.max(m.mean * 0.1).sqrt() + 8.0;
    let end = (last as usize).min(SUPPORT - 1);
    let mut p = ln0.exp();
    let mut n = 0;
    while n <= end {
        out[n] = p;
        n += 1;
        p *= a + b / n as f64;
        if p <= 0.0 {
            break;
        }
    }
    n
}

/// Room to work in, kept so that planning allocates nothing.
#[derive(Debug, Clone)]
pub(super) struct Laws<const L: usize> {
    freed: Box<[[f64; SUPPORT]; L]>,
    freed_len: [usize; L],
    answers: Box<[f64; SUPPORT]>,
}

impl<const L: usize> Laws<L> {
    pub(super) fn new() -> Self {
        Laws { freed: Box::new([[0.0; SUPPORT]; L]), freed_len: [0; L], answers: Box::new([0.0; SUPPORT]) }
    }

    /// Forgets the laws of freed agents; they are made again when first needed.
    pub(super) fn clear(&mut self) {
        self.freed_len = [0; L];
    }

    /// `P(answers - freed >= need)` at look `k`: the chance that nobody is free for the next
    /// person, where `need` is free agents less waiting people (may be negative). `freed` must be
    /// the same for one `k` until [`Laws::clear`].
    pub(super) fn miss(&mut self, k: usize, answers: Moments, freed: Moments, need: i64) -> f64 {
        if answers.mean > 200.0 || freed.mean > 200.0 {
            return normal_miss(answers, freed, need);
        }
        if self.freed_len[k] == 0 {
            self.freed_len[k] = law(freed, &mut self.freed[k]);
        }
        let na = law(answers, &mut self.answers);
        let pa = &mut self.answers[..na];
        // From the top: tail[j] = P(answers >= j), in place.
        let mut tail = 0.0;
        for p in pa.iter_mut().rev() {
            tail += *p;
            *p = tail;
        }
        let pf = &self.freed[k][..self.freed_len[k]];
        let sure = ((1 - need).max(0) as usize).min(pf.len());
        let mut sum: f64 = pf[..sure].iter().sum();
        for (p, q) in pf[sure..].iter().zip(pa.iter().skip((need + sure as i64).max(0) as usize)) {
            sum += p * q;
        }
        sum.clamp(0.0, 1.0)
    }
}

fn normal_miss(answers: Moments, freed: Moments, need: i64) -> f64 {
    let sd = (answers.var + freed.var).sqrt().max(1e-6);
    let x = (need as f64 - 0.5 - (answers.mean - freed.mean)) / sd;
    upper_normal(x)
}

/// `P(Z > x)` of the standard normal law; absolute error below 1e-7 (Abramowitz and Stegun
/// 26.2.17).
pub(super) fn upper_normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * x * x).exp() * 0.398_942_280_401 * poly;
    if x >= 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact law of a sum of independent events, by convolution.
    fn exact(chances: &[f64]) -> Vec<f64> {
        let mut p = vec![1.0];
        for c in chances {
            let mut q = vec![0.0; p.len() + 1];
            for (j, m) in p.iter().enumerate() {
                q[j] += m * (1.0 - c);
                q[j + 1] += m * c;
            }
            p = q;
        }
        p
    }

    fn miss(answers: Moments, freed: Moments, need: i64) -> f64 {
        Laws::<1>::new().miss(0, answers, freed, need)
    }

    fn moments(chances: &[f64]) -> Moments {
        let mut m = Moments::default();
        chances.iter().for_each(|c| m.add(1.0, *c));
        m
    }

    #[test]
    fn matched_laws_are_close_to_the_exact_one() {
        let calls: Vec<f64> = (0..24).map(|i| 0.02 + 0.012 * f64::from(i)).collect();
        let agents: Vec<f64> = (0..14).map(|i| 0.03 + 0.02 * f64::from(i % 5)).collect();
        let (pc, pa) = (exact(&calls), exact(&agents));
        for need in -1..7_i64 {
            let want: f64 = pa
                .iter()
                .enumerate()
                .map(|(i, m)| m * pc.iter().skip((need + i as i64).max(0) as usize).sum::<f64>())
                .sum();
            let got = miss(moments(&calls), moments(&agents), need);
            assert!((got - want).abs() < 0.004 && (got - want).abs() < 0.15 * want + 1e-9, "{need}: {got} {want}");
        }
    }

    #[test]
    fn equal_chances_are_exact_and_large_counts_go_over_smoothly() {
        let calls = [0.3; 5];
        let got = miss(moments(&calls), Moments::default(), 5);
        assert!((got - 0.3_f64.powi(5)).abs() < 1e-12);
        assert_eq!(miss(Moments::default(), Moments::default(), 0), 1.0);
        assert_eq!(miss(Moments::default(), Moments::default(), 1), 0.0);
        let (a, f) = (Moments { mean: 190.0, var: 170.0 }, Moments { mean: 180.0, var: 150.0 });
        assert!((miss(a, f, 25) - normal_miss(a, f, 25)).abs() < 0.004);
    }

    /// The binomial law.
    fn binomial(n: u32, p: f64) -> Vec<f64> {
        exact(&vec![p; n as usize])
    }
    /// `P(A - F >= need)` of two such laws.
    fn outrun(answers: &[f64], freed: &[f64], need: i64) -> f64 {
        let at_least = |j: i64| answers.iter().skip(j.max(0) as usize).sum::<f64>();
        freed.iter().enumerate().map(|(i, m)| m * at_least(need + i as i64)).sum()
    }

    #[test]
    fn known_laws_are_met_value_by_value() {
        let mut out = [0.0; SUPPORT];
        let mut of = |mean: f64, var: f64| {
            let n = law(Moments { mean, var }, &mut out);
            out[..n].to_vec()
        };
        let close = |got: &[f64], want: &[f64]| got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12);
        let got = of(3.0, 2.1);
        assert!(close(&got, &binomial(10, 0.3)) && got.len() >= 11, "{got:?}");
        // Of the others each probability is the one before times a ratio.
        let terms = |first: f64, ratio: &dyn Fn(f64) -> f64| {
            let mut all = vec![first];
            (0..24).for_each(|n| all.push(all[n] * ratio(n as f64)));
            all
        };
        let got = of(4.0, 4.0);
        assert!(close(&got, &terms((-4.0_f64).exp(), &|n| 4.0 / (n + 1.0))), "Poisson: {got:?}");
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-7);
        // Negative binomial of eight and two thirds: mean 4, variance 6.
        let got = of(4.0, 6.0);
        let p = 2.0_f64 / 3.0;
        assert!(close(&got, &terms(p.powi(8), &|n| (1.0 - p) * (8.0 + n) / (n + 1.0))), "{got:?}");
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert_eq!(of(0.0, 0.0), [1.0], "what cannot happen happens never");
        let wide = of(180.0, 200.0);
        assert!((wide.iter().sum::<f64>() - 1.0).abs() < 1e-6 && wide.len() < SUPPORT);
    }

    #[test]
    fn the_chance_to_meet_nobody_is_exact_where_all_chances_are_equal() {
        let (answers, freed) = (binomial(8, 0.3), binomial(5, 0.4));
        let (a, f) = (moments(&[0.3; 8]), moments(&[0.4; 5]));
        assert!((a.mean - 2.4).abs() < 1e-12 && (a.var - 1.68).abs() < 1e-12);
        let mut laws = Laws::<2>::new();
        for need in -7..=9 {
            let want = outrun(&answers, &freed, need);
            let got = miss(a, f, need);
            assert!((got - want).abs() < 1e-9, "{need}: {got} {want}");
            // The second look keeps its own law of freed agents, until all are forgotten.
            let none = outrun(&answers, &[1.0], need);
            assert!((laws.miss(0, a, f, need) - want).abs() < 1e-9);
            assert!((laws.miss(1, a, Moments::default(), need) - none).abs() < 1e-9);
        }
        laws.clear();
        assert!((laws.miss(0, a, Moments::default(), 2) - outrun(&answers, &[1.0], 2)).abs() < 1e-9);
        let twice = a.times(2.0);
        assert!((twice.mean - 4.8).abs() < 1e-12 && (twice.var - 3.36).abs() < 1e-12);
    }

    #[test]
    fn large_counts_go_by_the_normal_law() {
        for (x, want) in [
            (0.0, 0.5),
            (1.0, 0.158_655_254),
            (1.96, 0.024_997_895),
            (-1.0, 0.841_344_746),
            (3.0, 0.001_349_898),
            (-2.5, 0.993_790_335),
        ] {
            assert!((upper_normal(x) - want).abs() < 1e-7, "{x}: {}", upper_normal(x));
        }
        let m = |mean, var| Moments { mean, var };
        assert!((miss(m(300.0, 210.0), m(290.0, 200.0), 15) - 0.412_063_856).abs() < 1e-6);
        // Many answers alone, or many freed agents alone, are enough to change over.
        let many = miss(m(260.0, 120.0), m(20.0, 15.0), 236);
        assert!((many - upper_normal((235.5 - 240.0) / 135.0_f64.sqrt())).abs() < 1e-9, "{many}");
        let freed = miss(m(20.0, 15.0), m(260.0, 120.0), -236);
        assert!((freed - upper_normal((-236.5 + 240.0) / 135.0_f64.sqrt())).abs() < 1e-9, "{freed}");
        assert_eq!(miss(m(300.0, 0.0), m(0.0, 0.0), 300), 1.0, "what is certain is certain");
        assert_eq!(miss(m(300.0, 0.0), m(0.0, 0.0), 301), 0.0);
    }
}
