//! Quotas: enough of an outcome, or of a segment, and no more.

use serde::{Deserialize, Serialize};

/// What is counted against a quota.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Its name, for reports.
    pub name: String,
    /// A filter that a lead must match, as [`super::filter`] reads it; empty is every lead.
    #[serde(default)]
    pub segment: String,
    /// Names of outcomes, counted when a call settles, or codes of dispositions, counted when an
    /// agent says so; empty: every attempt counts. A call counts as under way until it settles, so
    /// outcomes never overfill a quota; dispositions may, by as many calls as agents are writing up.
    #[serde(default)]
    pub counts: Vec<String>,
    /// How many.
    pub most: u32,
}

/// How far a quota is filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QuotaCount {
    /// Counted so far.
    pub done: u32,
    /// Calls to the segment under way: each may yet count.
    pub in_flight: u32,
}

/// What a quota says about one more dial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaVerdict {
    /// Dial; at most so many more at once.
    Open {
        /// Dials that cannot overfill it even if all of them count.
        left: u32,
    },
    /// Wait: calls under way may fill it.
    Pending,
    /// Full: the segment's leads are done.
    Full,
}

impl Quota {
    /// Whether a call with this outcome counts.
    pub fn counts(&self, outcome: &str) -> bool {
        self.counts.is_empty() || self.counts.iter().any(|c| c == outcome)
    }
    /// Whether a call of which an agent says this counts.
    pub fn counts_disposition(&self, code: &str) -> bool {
        self.counts.iter().any(|c| c == code)
    }

    /// Whether one more call to the segment may be placed. Never overfilled: each call under way is
    /// taken to count.
    pub fn check(&self, count: QuotaCount) -> QuotaVerdict {
        match self.most.checked_sub(count.done) {
            None | Some(0) => QuotaVerdict::Full,
            Some(open) => match open.saturating_sub(count.in_flight) {
                0 => QuotaVerdict::Pending,
                left => QuotaVerdict::Open { left },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_filled_and_never_overfilled() {
        let quota =
            Quota { name: "men 18-29".into(), segment: String::new(), counts: vec!["complete".into()], most: 10 };
        let check = |done, in_flight| quota.check(QuotaCount { done, in_flight });
        assert_eq!(check(0, 0), QuotaVerdict::Open { left: 10 });
        assert_eq!(check(4, 5), QuotaVerdict::Open { left: 1 });
        assert_eq!(check(4, 6), QuotaVerdict::Pending);
        assert_eq!(check(10, 0), QuotaVerdict::Full);
        assert_eq!(check(11, 3), QuotaVerdict::Full);
        assert!(quota.counts_disposition("complete") && !quota.counts("connected"));
        let every = Quota { counts: Vec::new(), ..quota };
        assert!(every.counts("busy") && !every.counts_disposition("complete"));
    }
}
