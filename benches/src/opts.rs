//! What a bench is told.

use std::collections::BTreeMap;
use std::str::FromStr;

/// How much work a run does. What that means in rows or days is each bench's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scale {
    /// Minutes at most in sum: shows that the bench works and catches a collapse.
    Short,
    /// The everyday size.
    Normal,
    /// The size that the published figures come from; may take hours.
    Full,
}

/// The options of one run, the same for every bench.
#[derive(Clone, Debug)]
pub struct Opts {
    /// How much work.
    pub scale: Scale,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// How often a timed piece of work is repeated; figures are medians over the repeats.
    pub repeats: usize,
    /// `--set KEY=VALUE` pairs; a bench names its keys in the registry.
    pub set: BTreeMap<String, String>,
}

impl Opts {
    /// Chooses by scale: rows, days or seconds.
    pub fn pick<T>(&self, short: T, normal: T, full: T) -> T {
        match self.scale {
            Scale::Short => short,
            Scale::Normal => normal,
            Scale::Full => full,
        }
    }

    /// The value of a `--set` key, or `default` where it was not given.
    ///
    /// # Errors
    /// Says which key has which unreadable value.
    pub fn get<T: FromStr>(&self, key: &str, default: T) -> Result<T, String> {
        match self.set.get(key) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("--set {key}={text}: the value cannot be read")),
        }
    }
}

impl Default for Opts {
    fn default() -> Self {
        Opts { scale: Scale::Normal, seed: 1, repeats: 5, set: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_value_is_read_or_refused_by_name() {
        let mut opts = Opts::default();
        assert_eq!(opts.get("rows", 7_u32), Ok(7));
        opts.set.insert("rows".into(), "12".into());
        assert_eq!(opts.get("rows", 7_u32), Ok(12));
        opts.set.insert("rows".into(), "many".into());
        assert_eq!(opts.get("rows", 7_u32), Err("--set rows=many: the value cannot be read".to_owned()));
    }

    #[test]
    fn the_scale_picks_the_size() {
        let at = |scale| Opts { scale, ..Opts::default() }.pick(1, 2, 3);
        assert_eq!([at(Scale::Short), at(Scale::Normal), at(Scale::Full)], [1, 2, 3]);
    }
}
