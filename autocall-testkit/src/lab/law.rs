//! Laws of times, and a small counter-based generator: the n-th lead of a day has the same fate
//! under every policy (common random numbers).

/// A stream of random numbers made from a seed; splitmix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of `(seed, what, which)`.
    pub fn of(seed: u64, what: u64, which: u64) -> Self {
        let mut d = Dice(seed ^ what.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        d.next();
        d.0 ^= which.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        d.next();
        d
    }
    /// 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "a generator, not an iterator: it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Uniform on (0, 1), never the ends.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
    /// True with this chance.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    fn normal(&mut self) -> f64 {
        let (u, v) = (self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

/// The law of a time, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Always this.
    Fixed(f64),
    /// Exponential with this mean.
    Exp(f64),
    /// Log-normal.
    LogNormal {
        /// Mean.
        mean: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Gamma with a whole shape.
    Erlang {
        /// Shape.
        k: u32,
        /// Mean.
        mean: f64,
    },
    /// One of two log-normals.
    Mix {
        /// Chance of the first.
        share: f64,
        /// Mean of the first.
        short: f64,
        /// Mean of the second.
        long: f64,
        /// Standard deviation over mean, of both.
        cv: f64,
    },
    /// Pareto from a third of the mean, shape 1.5: a heavy tail, cut at an hour.
    Heavy {
        /// Mean before the cut.
        mean: f64,
    },
    /// Log-normal, cut at `cap`: an automatic end.
    Capped {
        /// Mean before the cut.
        mean: f64,
        /// Standard deviation over mean, before the cut.
        cv: f64,
        /// The longest.
        cap: f64,
    },
    /// Uniform.
    Uniform(f64, f64),
}

impl Law {
    /// One draw.
    pub fn draw(self, d: &mut Dice) -> f64 {
        match self {
            Law::Fixed(s) => s,
            Law::Exp(mean) => -mean * d.unit().ln(),
            Law::LogNormal { mean, cv } => log_normal(mean, cv, d),
            Law::Erlang { k, mean } => (0..k).map(|_| -mean / f64::from(k) * d.unit().ln()).sum(),
            Law::Mix { share, short, long, cv } => {
                let mean = if d.chance(share) { short } else { long };
                log_normal(mean, cv, d)
            }
            Law::Heavy { mean } => (mean / 3.0 * d.unit().powf(-1.0 / 1.5)).min(3600.0),
            Law::Capped { mean, cv, cap } => log_normal(mean, cv, d).min(cap),
            Law::Uniform(lo, hi) => lo + (hi - lo) * d.unit(),
        }
    }
}

fn log_normal(mean: f64, cv: f64, d: &mut Dice) -> f64 {
    let s2 = (1.0 + cv * cv).ln();
    (mean.ln() - s2 / 2.0 + s2.sqrt() * d.normal()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_as_named() {
        for (law, mean) in [
            (Law::Exp(12.0), 12.0),
            (Law::LogNormal { mean: 9.0, cv: 0.55 }, 9.0),
            (Law::Erlang { k: 3, mean: 8.0 }, 8.0),
            (Law::Mix { share: 0.35, short: 30.0, long: 168.0, cv: 0.8 }, 0.35 * 30.0 + 0.65 * 168.0),
            (Law::Uniform(2.0, 6.0), 4.0),
        ] {
            let mut d = Dice::of(1, 2, 3);
            let n = 40_000;
            let got = (0..n).map(|_| law.draw(&mut d)).sum::<f64>() / f64::from(n);
            assert!((got - mean).abs() < 0.02 * mean, "{law:?}: {got}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_fate_and_another_seed_another() {
        let draw = |seed, which| Dice::of(seed, 7, which).next();
        assert_eq!(draw(1, 9), draw(1, 9));
        assert_ne!(draw(1, 9), draw(2, 9));
        assert_ne!(draw(1, 9), draw(1, 10));
    }
}
