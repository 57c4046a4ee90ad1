//! Why is nothing dialling? Counts of leads by what they wait for, kept by differences.
//!
//! Each verdict moves one lead from one bucket to another, in the same commit. Differences
//! commute, so any number of nodes add to one row without conflict, and the sum always equals a
//! full recount.

use crate::permission::RuleId;
use crate::{Millis, Timestamp};
use serde::Serialize;
use smallvec::SmallVec;
use std::collections::BTreeMap;

const HOUR: Millis = Millis::from_hours(1);

/// Where a lead stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bucket {
    /// May be called as far as anybody knows: due, and no rule has denied it since.
    Due,
    /// Waits for its own time: a retry delay or a callback.
    Waiting {
        /// The hour in which it falls due, in hours since 1970.
        hour: i64,
    },
    /// A rule denied it.
    Blocked {
        /// Which.
        rule: RuleId,
        /// The hour in which the denial ends; `None` if only a change can end it.
        hour: Option<i64>,
    },
    /// In a call.
    Calling,
    /// Done.
    Closed,
}

/// The hour that an instant lies in; `None` for never.
fn hour(at: Timestamp) -> Option<i64> {
    (at != Timestamp::NEVER).then(|| at.ms().div_euclid(HOUR.ms()))
}

impl Bucket {
    /// Denied by `rule` until `until`.
    pub fn blocked(rule: RuleId, until: Timestamp) -> Bucket {
        Bucket::Blocked { rule, hour: hour(until) }
    }
    /// Due at `at`, which is in the future.
    pub fn waiting(at: Timestamp) -> Bucket {
        Bucket::Waiting { hour: hour(at).unwrap_or(i64::MAX) }
    }
}

/// Differences of counts. They commute: the order in which they are applied does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FunnelDelta(SmallVec<[(Bucket, i64); 2]>);

impl FunnelDelta {
    /// A new lead.
    pub fn enter(to: Bucket) -> FunnelDelta {
        let mut delta = FunnelDelta::default();
        delta.add(to, 1);
        delta
    }
    /// A lead that moves; nothing if it stays.
    pub fn step(from: Bucket, to: Bucket) -> FunnelDelta {
        let mut delta = FunnelDelta::default();
        delta.add(from, -1);
        delta.add(to, 1);
        delta
    }
    /// Adds to one bucket's difference.
    pub fn add(&mut self, bucket: Bucket, by: i64) {
        match self.0.iter_mut().find(|(known, _)| *known == bucket) {
            Some((_, count)) => *count += by,
            None => self.0.push((bucket, by)),
        }
        self.0.retain(|(_, count)| *count != 0);
    }
    /// Both together: what several leads of one commit change.
    pub fn merge(&mut self, other: FunnelDelta) {
        other.0.into_iter().for_each(|(bucket, by)| self.add(bucket, by));
    }
    /// The changed buckets.
    pub fn iter(&self) -> impl Iterator<Item = &(Bucket, i64)> {
        self.0.iter()
    }
}

/// The counts of a campaign.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Funnel {
    counts: BTreeMap<Bucket, i64>,
    /// When it last changed: its age is shown.
    pub as_of: Timestamp,
}

/// What a rule holds back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Held {
    /// The rule.
    pub rule: RuleId,
    /// Leads that it holds back until some time.
    pub later: i64,
    /// Leads that only a change can free.
    pub never: i64,
    /// The start of the first hour in which it frees any.
    pub first_at: Option<Timestamp>,
    /// How many in that hour.
    pub first: i64,
}

/// The funnel for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FunnelReport {
    /// When the counts last changed.
    pub as_of: Timestamp,
    /// Callable now: due, or the hour of their denial or delay is over.
    pub now: i64,
    /// Waiting for their own time.
    pub waiting: i64,
    /// Held back by rules, the rule with most leads first.
    pub held: Vec<Held>,
    /// In a call.
    pub calling: i64,
    /// Done.
    pub closed: i64,
    /// How many become callable in each of the next 24 hours, this one first.
    pub next_hours: Vec<i64>,
}

impl Funnel {
    /// Applies differences.
    pub fn apply(&mut self, delta: &FunnelDelta, at: Timestamp) {
        for (bucket, by) in delta.iter() {
            let count = self.counts.entry(bucket.clone()).or_default();
            *count += by;
            if *count == 0 {
                self.counts.remove(bucket);
            }
        }
        self.as_of = self.as_of.max(at);
    }
    /// A full recount.
    pub fn recount(leads: impl IntoIterator<Item = Bucket>, at: Timestamp) -> Funnel {
        let mut funnel = Funnel::default();
        leads.into_iter().for_each(|bucket| funnel.apply(&FunnelDelta::enter(bucket), at));
        funnel.as_of = at;
        funnel
    }
    /// The counts by bucket; none is zero.
    pub fn counts(&self) -> &BTreeMap<Bucket, i64> {
        &self.counts
    }
    /// How many leads in all.
    pub fn total(&self) -> i64 {
        self.counts.values().sum()
    }

    /// The funnel for people, as it is at `now`.
    pub fn report(&self, now: Timestamp) -> FunnelReport {
        let this = hour(now).unwrap_or(i64::MAX);
        let mut report = FunnelReport {
            as_of: self.as_of,
            now: 0,
            waiting: 0,
            held: Vec::new(),
            calling: 0,
            closed: 0,
            next_hours: vec![0; 24],
        };
        let mut held: BTreeMap<&RuleId, Held> = BTreeMap::new();
        for (bucket, count) in &self.counts {
            let opens = match bucket {
                Bucket::Waiting { hour } => Some(*hour),
                Bucket::Blocked { hour, .. } => *hour,
                _ => None,
            };
            if let Some(slot) =
                opens.and_then(|h| usize::try_from(h - this).ok()).and_then(|i| report.next_hours.get_mut(i))
            {
                *slot += count;
            }
            match bucket {
                Bucket::Due => report.now += count,
                Bucket::Calling => report.calling += count,
                Bucket::Closed => report.closed += count,
                Bucket::Waiting { hour } | Bucket::Blocked { hour: Some(hour), .. } if *hour < this => {
                    report.now += count
                }
                Bucket::Waiting { .. } => report.waiting += count,
                Bucket::Blocked { rule, hour } => {
                    let own = held.entry(rule).or_insert_with(|| Held {
                        rule: rule.clone(),
                        later: 0,
                        never: 0,
                        first_at: None,
                        first: 0,
                    });
                    // Hours come in order, never last: the first one met is the first to open.
                    match hour {
                        None => own.never += count,
                        Some(hour) => {
                            own.later += count;
                            let at = Timestamp::EPOCH + HOUR * *hour;
                            if own.first_at.is_none_or(|known| at < known) {
                                own.first_at = Some(at);
                                own.first = *count;
                            }
                        }
                    }
                }
            }
        }
        report.held = held.into_values().collect();
        report.held.sort_by_key(|h| (std::cmp::Reverse(h.later + h.never), h.rule.clone()));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(kind: u8, rule: u8, hours: i64) -> Bucket {
        let at = Timestamp::EPOCH + HOUR * (1_000 + hours);
        let rule = RuleId::new(["us.tsr.hours", "us.fl.three-a-day", "house.revoked"][usize::from(rule % 3)]);
        match kind % 6 {
            0 => Bucket::Due,
            1 => Bucket::waiting(at),
            2 => Bucket::blocked(rule, at),
            3 => Bucket::blocked(rule, Timestamp::NEVER),
            4 => Bucket::Calling,
            _ => Bucket::Closed,
        }
    }

    proptest! {
        #[test]
        fn differences_in_any_order_equal_a_full_recount(
            start in prop::collection::vec((any::<u8>(), any::<u8>(), 0i64..50), 1..30),
            steps in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>(), 0i64..50), 0..80),
            rotate in any::<prop::sample::Index>(),
        ) {
            let now = Timestamp::EPOCH + HOUR * 1_010;
            let mut leads: Vec<Bucket> = start.into_iter().map(|(k, r, h)| bucket(k, r, h)).collect();
            let mut deltas: Vec<FunnelDelta> = leads.iter().cloned().map(FunnelDelta::enter).collect();
            for (which, k, r, h) in steps {
                let at = which.index(leads.len());
                let to = bucket(k, r, h);
                deltas.push(FunnelDelta::step(leads[at].clone(), to.clone()));
                leads[at] = to;
            }
            let by = rotate.index(deltas.len());
            deltas.rotate_left(by);
            let mut funnel = Funnel::default();
            let mut merged = FunnelDelta::default();
            for (i, delta) in deltas.iter().enumerate() {
                if i % 2 == 0 { funnel.apply(delta, now) } else { merged.merge(delta.clone()) }
            }
            funnel.apply(&merged, now);
            let recount = Funnel::recount(leads.iter().cloned(), now);
            prop_assert_eq!(&funnel, &recount);
            prop_assert_eq!(funnel.total(), leads.len() as i64);
            let report = funnel.report(now);
            let held: i64 = report.held.iter().map(|h| h.later + h.never).sum();
            prop_assert_eq!(report.now + report.waiting + held + report.calling + report.closed, leads.len() as i64);
        }
    }

    #[test]
    fn a_report_says_what_holds_leads_back_and_when_they_come() {
        let now = Timestamp::EPOCH + HOUR * 1_000 + Millis::from_mins(20);
        let night = RuleId::new("us.tsr.hours");
        let leads = (0..5).map(|_| Bucket::blocked(night.clone(), now + HOUR * 3));
        let leads = leads.chain((0..2).map(|_| Bucket::blocked(night.clone(), now + HOUR * 5)));
        let leads = leads.chain([Bucket::blocked(RuleId::new("house.revoked"), Timestamp::NEVER), Bucket::Due]);
        let leads = leads.chain([Bucket::waiting(now - HOUR), Bucket::waiting(now + HOUR)]);
        let report = Funnel::recount(leads, now).report(now);
        assert_eq!((report.now, report.waiting), (2, 1));
        assert_eq!(report.held[0].rule, night);
        assert_eq!((report.held[0].later, report.held[0].first), (7, 5));
        assert_eq!(report.held[0].first_at, Some(Timestamp::EPOCH + HOUR * 1_003));
        assert_eq!(report.held[1].never, 1);
        assert_eq!(report.next_hours[..6], [0, 1, 0, 5, 0, 2]);
    }
}
