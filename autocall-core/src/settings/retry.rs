//! What happens to a lead after each outcome.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which of a lead's numbers the next attempt uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextNumber {
    /// The same again.
    #[default]
    Same,
    /// The next one, round and round.
    Next,
    /// The lead's first one.
    First,
    /// The one that people have answered most often; of equals the one called least.
    Best,
}

/// What happens after one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How often a lead is tried again after this outcome. 0 closes the lead the first time.
    pub retries_max: u16,
    /// Minutes until the next attempt: the first entry after the first such outcome, the second
    /// after the second, the last one for all that follow.
    pub delay_min: Vec<u32>,
    /// Which number next.
    pub next_number: NextNumber,
    /// Whether this number is not called again for this lead.
    pub drop_number: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { retries_max: 2, delay_min: vec![60], next_number: NextNumber::Same, drop_number: false }
    }
}

impl Retry {
    /// Never again.
    pub fn never() -> Retry {
        Retry { retries_max: 0, delay_min: Vec::new(), ..Retry::default() }
    }
    /// The delay after the `nth` (from 1) such outcome, `None` where the lead is closed instead.
    pub fn delay_after(&self, nth: u16) -> Option<Millis> {
        if nth > self.retries_max {
            return None;
        }
        let last = self.delay_min.len().checked_sub(1)?;
        let index = usize::from(nth.saturating_sub(1)).min(last);
        Some(Millis::from_mins(i64::from(self.delay_min[index])))
    }
}

/// What happens after each outcome, by the outcome's name ([`crate::Outcome::name`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RetryPolicy(pub BTreeMap<String, Retry>);

impl Default for RetryPolicy {
    fn default() -> Self {
        let after = |retries_max, delay_min: &[u32], next_number| Retry {
            retries_max,
            delay_min: delay_min.to_vec(),
            next_number,
            drop_number: false,
        };
        let drop =
            || Retry { retries_max: u16::MAX, delay_min: vec![0], next_number: NextNumber::Next, drop_number: true };
        let day = 24 * 60;
        RetryPolicy(BTreeMap::from([
            ("connected".into(), Retry::never()),
            ("message_played".into(), Retry::never()),
            // UK practice: an abandoned number rests 72 hours; a machine 24 (rules.md UK2).
            ("abandoned".into(), after(1, &[3 * day], NextNumber::Same)),
            ("agent_unavailable".into(), after(1, &[3 * day], NextNumber::Same)),
            ("voicemail_left".into(), after(1, &[2 * day], NextNumber::Same)),
            ("machine".into(), after(3, &[day], NextNumber::Next)),
            ("no_answer".into(), after(3, &[4 * 60, day], NextNumber::Next)),
            ("busy".into(), after(5, &[60], NextNumber::Same)),
            ("unreachable".into(), after(2, &[day], NextNumber::Next)),
            ("fax".into(), drop()),
            ("invalid_number".into(), drop()),
            ("blocked".into(), drop()),
            ("refused_by_carrier".into(), after(2, &[day], NextNumber::Same)),
            ("canceled".into(), after(u16::MAX, &[5], NextNumber::Same)),
            ("lost".into(), after(1, &[day], NextNumber::Same)),
        ]))
    }
}

impl RetryPolicy {
    /// The rule for an outcome. One that is not listed closes the lead: never call on a guess.
    pub fn rule(&self, outcome: &str) -> Retry {
        self.0.get(outcome).cloned().unwrap_or_else(Retry::never)
    }
}
