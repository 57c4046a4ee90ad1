//! Counters of a campaign that every commit moves: leads by what they wait for, leads by lane, and
//! how far quotas are filled.
//!
//! A lead counts for what its row says, and for nothing else: no clock is asked. So the difference
//! that a commit makes is the row after less the row before; differences commute, any number of
//! nodes add to one counter without conflict, and the sums always equal a full recount.

use super::lane::Lane;
use crate::lead::{Closed, Lead, State};
use crate::permission::RuleId;
use crate::{Millis, Timestamp};
use smallvec::SmallVec;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const HOUR: Millis = Millis::from_hours(1);

/// The hour that an instant lies in, in hours since 1970; `None` for never.
pub fn hour_of(at: Timestamp) -> Option<i64> {
    (at != Timestamp::NEVER).then(|| at.ms().div_euclid(HOUR.ms()))
}

/// Where a lead stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bucket {
    /// Never tried and held back by nothing that is known yet.
    Fresh,
    /// Waits for its own time: a retry delay or a callback.
    Waiting {
        /// The hour in which it falls due; `None` if only a change makes it due.
        hour: Option<i64>,
    },
    /// A rule denied it.
    Blocked {
        /// Which.
        rule: RuleId,
        /// The hour in which the denial ends; `None` if only a change can end it.
        hour: Option<i64>,
    },
    /// The campaign's filter leaves it out.
    Filtered,
    /// In a call.
    Calling,
    /// Done.
    Closed {
        /// Why.
        why: Closed,
    },
}

impl Bucket {
    /// Where a lead stands by its row.
    pub fn of(lead: &Lead) -> Bucket {
        match lead.state {
            State::Calling { .. } => Bucket::Calling,
            State::Closed { why } => Bucket::Closed { why },
            State::Open if lead.is_parked() => Bucket::Filtered,
            State::Open => match &lead.blocked_by {
                Some(rule) => Bucket::Blocked { rule: RuleId::new(rule), hour: hour_of(lead.due_at) },
                None if lead.due_at <= Timestamp::EPOCH => Bucket::Fresh,
                None => Bucket::Waiting { hour: hour_of(lead.due_at) },
            },
        }
    }
}

/// What is counted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CountKey {
    /// Leads that stand so.
    Bucket(Bucket),
    /// Open leads in a lane, due or not.
    Lane(Lane),
    /// What a quota has counted.
    QuotaDone(Arc<str>),
    /// Calls under way that a quota may yet count.
    QuotaInFlight(Arc<str>),
}

const CLOSED: [(Closed, &str); 5] = [
    (Closed::Done, "done"),
    (Closed::AttemptsUsed, "attempts_used"),
    (Closed::NoNumber, "no_number"),
    (Closed::DoNotCall, "do_not_call"),
    (Closed::ByHand, "by_hand"),
];

/// The word of a closing's reason, as the counters and the lead's JSON spell it.
pub fn closed_word(why: Closed) -> &'static str {
    CLOSED.iter().find(|(known, _)| *known == why).map_or("done", |(_, word)| word)
}

impl fmt::Display for CountKey {
    /// The name under which stores keep it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hour = |hour: &Option<i64>| hour.map_or("never".to_owned(), |h| h.to_string());
        match self {
            CountKey::Bucket(Bucket::Fresh) => f.write_str("fresh"),
            CountKey::Bucket(Bucket::Waiting { hour: h }) => write!(f, "wait:{}", hour(h)),
            CountKey::Bucket(Bucket::Blocked { rule, hour: h }) => write!(f, "block:{}:{rule}", hour(h)),
            CountKey::Bucket(Bucket::Filtered) => f.write_str("filtered"),
            CountKey::Bucket(Bucket::Calling) => f.write_str("calling"),
            CountKey::Bucket(Bucket::Closed { why }) => write!(f, "closed:{}", closed_word(*why)),
            CountKey::Lane(lane) => write!(f, "lane:{}", lane.number()),
            CountKey::QuotaDone(name) => write!(f, "quota:done:{name}"),
            CountKey::QuotaInFlight(name) => write!(f, "quota:flight:{name}"),
        }
    }
}

/// A counter's name that we do not know: another version wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the name of a counter")]
pub struct UnknownCount;

impl FromStr for CountKey {
    type Err = UnknownCount;
    fn from_str(text: &str) -> Result<CountKey, UnknownCount> {
        let hour = |text: &str| match text {
            "never" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| UnknownCount),
        };
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        Ok(match word {
            "fresh" => CountKey::Bucket(Bucket::Fresh),
            "filtered" => CountKey::Bucket(Bucket::Filtered),
            "calling" => CountKey::Bucket(Bucket::Calling),
            "wait" => CountKey::Bucket(Bucket::Waiting { hour: hour(rest)? }),
            "block" => {
                let (h, rule) = rest.split_once(':').ok_or(UnknownCount)?;
                CountKey::Bucket(Bucket::Blocked { rule: RuleId::new(rule), hour: hour(h)? })
            }
            "closed" => {
                let (why, _) = CLOSED.iter().find(|(_, word)| *word == rest).ok_or(UnknownCount)?;
                CountKey::Bucket(Bucket::Closed { why: *why })
            }
            "lane" => CountKey::Lane(rest.parse().ok().and_then(Lane::from_number).ok_or(UnknownCount)?),
            "quota" => match rest.split_once(':') {
                Some(("done", name)) => CountKey::QuotaDone(name.into()),
                Some(("flight", name)) => CountKey::QuotaInFlight(name.into()),
                _ => return Err(UnknownCount),
            },
            _ => return Err(UnknownCount),
        })
    }
}

/// Differences of counters. They commute: the order in which they are applied does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts(SmallVec<[(CountKey, i64); 4]>);

impl Counts {
    /// Everything that one lead counts for.
    pub fn of(lead: &Lead) -> Counts {
        let mut counts = Counts::default();
        counts.add(CountKey::Bucket(Bucket::of(lead)), 1);
        if lead.is_open() {
            counts.add(CountKey::Lane(Lane::of(lead)), 1);
        }
        counts
    }
    /// What changes when a lead's row does.
    pub fn step(before: &Lead, after: &Lead) -> Counts {
        let mut counts = Counts::of(after);
        counts.merge(&Counts::of(before), -1);
        counts
    }
    /// Adds to one counter's difference.
    pub fn add(&mut self, key: CountKey, by: i64) {
        match self.0.iter().position(|(known, _)| *known == key) {
            Some(i) => {
                self.0[i].1 += by;
                if self.0[i].1 == 0 {
                    self.0.swap_remove(i);
                }
            }
            None if by != 0 => self.0.push((key, by)),
            None => {}
        }
    }
    /// Adds other differences, `times` over.
    pub fn merge(&mut self, other: &Counts, times: i64) {
        other.0.iter().for_each(|(key, by)| self.add(key.clone(), by * times));
    }
    /// The changed counters.
    pub fn iter(&self) -> impl Iterator<Item = &(CountKey, i64)> {
        self.0.iter()
    }
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counters_name_reads_back() {
        let rule = RuleId::new("us.tsr.hours:odd");
        let keys = [
            CountKey::Bucket(Bucket::Fresh),
            CountKey::Bucket(Bucket::Filtered),
            CountKey::Bucket(Bucket::Calling),
            CountKey::Bucket(Bucket::Waiting { hour: Some(-3) }),
            CountKey::Bucket(Bucket::Waiting { hour: None }),
            CountKey::Bucket(Bucket::Blocked { rule: rule.clone(), hour: Some(498_000) }),
            CountKey::Bucket(Bucket::Blocked { rule, hour: None }),
            CountKey::Lane(Lane::PARKED),
            CountKey::QuotaDone("men: 18-29".into()),
            CountKey::QuotaInFlight("x".into()),
        ];
        let closed = CLOSED.map(|(why, _)| CountKey::Bucket(Bucket::Closed { why }));
        for key in keys.into_iter().chain(closed) {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for wrong in ["", "lane:9999", "lane:x", "block:5", "block:x:y", "wait:", "closed:", "quota:x:y", "quota", "z"]
        {
            assert_eq!(wrong.parse::<CountKey>(), Err(UnknownCount), "{wrong}");
        }
        // The store's recount spells the reason as the lead's JSON does.
        for (why, word) in CLOSED {
            assert_eq!(serde_json::to_value(why).ok(), Some(word.into()));
        }
    }

    #[test]
    fn differences_that_cancel_leave_nothing() {
        let mut counts = Counts::default();
        counts.add(CountKey::Bucket(Bucket::Fresh), 2);
        let mut other = Counts::default();
        other.add(CountKey::Bucket(Bucket::Fresh), 1);
        other.add(CountKey::Lane(Lane::PARKED), 1);
        counts.merge(&other, -2);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [&(CountKey::Lane(Lane::PARKED), -2)]);
    }
}
