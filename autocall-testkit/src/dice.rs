//! Seeded chance: one stream of dice per purpose, and the distributions that durations follow.

use autocall_core::Millis;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A stream of dice. The same name gives the same throws, on every machine.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream named by a seed and three more numbers (what for, for whom, which time).
    pub fn named(seed: u64, purpose: u64, whom: u64, nth: u64) -> Dice {
        let mut name = [0_u8; 32];
        for (part, word) in name.chunks_exact_mut(8).zip([seed, purpose, whom, nth]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        Dice(ChaCha8Rng::from_seed(name))
    }
    /// The stream of a whole run.
    pub fn seeded(seed: u64) -> Dice {
        Dice::named(seed, 0, 0, 0)
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
    /// A number in [0, 1), with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// A number below `n`; 0 where `n` is 0. Off from even by less than `n` in 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }
    /// Whether something of this chance happens. Always throws once, so that runs with different
    /// chances stay comparable.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    /// A duration between two, evenly.
    pub fn between(&mut self, from: Millis, to: Millis) -> Millis {
        let span = (to - from).ms().max(0) as u64;
        from + Millis::from_ms(self.below(span + 1) as i64)
    }
    /// The index of a weight, with chances in proportion to the weights; the last one where all
    /// are zero.
    pub fn pick(&mut self, weights: &[f64]) -> usize {
        let mut at = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            if at < *weight {
                return index;
            }
            at -= weight;
        }
        weights.len().saturating_sub(1)
    }
    /// A standard normal number, by the polar method of Marsaglia and Bray (1964).
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                return x * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }
    /// A gamma number of this shape and scale 1, by Marsaglia and Tsang (2000); shapes below 1 by
    /// their boost.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v <= 0.0 {
                continue;
            }
            let u = 1.0 - self.unit();
            if u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }
}

/// How long something takes: seconds in, durations out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Spread {
    /// Always the same.
    Fixed {
        /// Seconds.
        mean_s: f64,
    },
    /// Exponential: no memory.
    Exp {
        /// Mean, seconds.
        mean_s: f64,
    },
    /// Log-normal: what talk times look like (Brown et al., 2005).
    LogNormal {
        /// Mean, seconds.
        mean_s: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Gamma: sums of steps, so less wild than the log-normal.
    Gamma {
        /// Mean, seconds.
        mean_s: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// One of several, by weight: short refusals and long conversations.
    Mixture {
        /// Weights and what they weigh.
        of: Vec<(f64, Spread)>,
    },
}

impl Spread {
    /// Always so many seconds.
    pub const fn fixed(mean_s: f64) -> Spread {
        Spread::Fixed { mean_s }
    }
    /// Log-normal.
    pub const fn lognormal(mean_s: f64, cv: f64) -> Spread {
        Spread::LogNormal { mean_s, cv }
    }
    /// Gamma.
    pub const fn gamma(mean_s: f64, cv: f64) -> Spread {
        Spread::Gamma { mean_s, cv }
    }
    /// A throw; never negative.
    pub fn throw(&self, dice: &mut Dice) -> Millis {
        Millis::from_secs_f64(self.seconds(dice).clamp(0.0, 1e9))
    }
    fn seconds(&self, dice: &mut Dice) -> f64 {
        match self {
            Spread::Fixed { mean_s } => *mean_s,
            Spread::Exp { mean_s } => -mean_s * (1.0 - dice.unit()).ln(),
            Spread::LogNormal { mean_s, cv } => {
                // Mean and cv fix both parameters: s² = ln(1 + cv²), m = ln(mean) − s²/2.
                let s2 = (1.0 + cv * cv).ln();
                mean_s * (s2.sqrt() * dice.normal() - s2 / 2.0).exp()
            }
            Spread::Gamma { mean_s, cv } => {
                let shape = 1.0 / (cv * cv).max(1e-6);
                mean_s / shape * dice.gamma(shape)
            }
            Spread::Mixture { of } => {
                let weights: Vec<f64> = of.iter().map(|(w, _)| *w).collect();
                match of.get(dice.pick(&weights)) {
                    Some((_, spread)) => spread.seconds(dice),
                    None => 0.0,
                }
            }
        }
    }
    /// The mean, seconds.
    pub fn mean_s(&self) -> f64 {
        match self {
            Spread::Fixed { mean_s }
            | Spread::Exp { mean_s }
            | Spread::LogNormal { mean_s, .. }
            | Spread::Gamma { mean_s, .. } => *mean_s,
            Spread::Mixture { of } => {
                let all: f64 = of.iter().map(|(w, _)| w).sum();
                if all > 0.0 { of.iter().map(|(w, s)| w * s.mean_s()).sum::<f64>() / all } else { 0.0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_same_throws_and_another_name_others() {
        let throws = |mut d: Dice| (0..8).map(|_| d.bits()).collect::<Vec<_>>();
        assert_eq!(throws(Dice::named(1, 2, 3, 4)), throws(Dice::named(1, 2, 3, 4)));
        assert_ne!(throws(Dice::named(1, 2, 3, 4)), throws(Dice::named(1, 2, 4, 3)));
    }

    #[test]
    fn spreads_have_the_mean_and_the_deviation_that_they_say() {
        let mixed = Spread::Mixture { of: vec![(3.0, Spread::fixed(10.0)), (1.0, Spread::Exp { mean_s: 50.0 })] };
        assert!((mixed.mean_s() - 20.0).abs() < 1e-9);
        let cases = [
            (Spread::Exp { mean_s: 20.0 }, 1.0),
            (Spread::lognormal(20.0, 0.8), 0.8),
            (Spread::gamma(20.0, 0.5), 0.5),
            (Spread::gamma(20.0, 1.5), 1.5),
            // Variance of the mixture: E[x²] − 20² = 0.75·100 + 0.25·2·2500 − 400 = 925.
            (mixed, 925.0_f64.sqrt() / 20.0),
        ];
        for (spread, cv) in cases {
            let mut dice = Dice::seeded(11);
            let n = 200_000;
            let throws: Vec<f64> = (0..n).map(|_| spread.throw(&mut dice).as_secs_f64()).collect();
            let mean = throws.iter().sum::<f64>() / f64::from(n);
            let variance = throws.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / f64::from(n);
            assert!((mean - 20.0).abs() < 0.4, "{spread:?}: mean {mean}");
            assert!(
                (variance.sqrt() / mean - cv).abs() < 0.05 * cv.max(0.5),
                "{spread:?}: cv {}",
                variance.sqrt() / mean
            );
        }
    }

    #[test]
    fn picks_follow_their_weights() {
        let mut dice = Dice::seeded(5);
        let mut seen = [0_u32; 3];
        for _ in 0..60_000 {
            seen[dice.pick(&[1.0, 0.0, 2.0])] += 1;
        }
        assert!((19_000..21_000).contains(&seen[0]), "{seen:?}");
        assert_eq!(seen[1], 0);
        assert_eq!(dice.below(0), 0);
    }
}
