//! Why is nothing dialling? The counters of leads, read for people.

use super::counts::{Bucket, CountKey, Counts, closed_word};
use crate::permission::RuleId;
use crate::{Millis, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

const HOUR: Millis = Millis::from_hours(1);

/// The counters of a campaign's leads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Funnel {
    counts: BTreeMap<Bucket, i64>,
    /// When they last changed: their age is shown.
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
    /// Callable now as far as is known: never tried, or the hour of their denial or delay is over.
    pub now: i64,
    /// Waiting for their own time.
    pub waiting: i64,
    /// Left out by the campaign's filter.
    pub filtered: i64,
    /// Held back by rules, the rule with most leads first.
    pub held: Vec<Held>,
    /// In a call.
    pub calling: i64,
    /// Done, by why.
    pub closed: BTreeMap<&'static str, i64>,
    /// How many become callable in each of the next 24 hours, this one first.
    pub next_hours: Vec<i64>,
    /// The start of the first later hour in which any become callable; `None` if none ever do.
    pub next_at: Option<Timestamp>,
}

impl Funnel {
    /// From a campaign's counters; those of other kinds are left out, and so are zeros.
    pub fn of<'a>(counts: impl IntoIterator<Item = (&'a CountKey, i64)>, as_of: Timestamp) -> Funnel {
        let mut funnel = Funnel { as_of, ..Funnel::default() };
        counts.into_iter().for_each(|(key, by)| funnel.add(key, by));
        funnel
    }
    /// A full recount of leads.
    pub fn recount<'a>(leads: impl IntoIterator<Item = &'a crate::lead::Lead>, at: Timestamp) -> Funnel {
        let mut funnel = Funnel { as_of: at, ..Funnel::default() };
        for lead in leads {
            Counts::of(lead).iter().for_each(|(key, by)| funnel.add(key, *by));
        }
        funnel
    }
    fn add(&mut self, key: &CountKey, by: i64) {
        let CountKey::Bucket(bucket) = key else { return };
        let count = self.counts.entry(bucket.clone()).or_default();
        *count += by;
        if *count == 0 {
            self.counts.remove(bucket);
        }
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
        let this = now.ms().div_euclid(HOUR.ms());
        let mut report = FunnelReport {
            as_of: self.as_of,
            now: 0,
            waiting: 0,
            filtered: 0,
            held: Vec::new(),
            calling: 0,
            closed: BTreeMap::new(),
            next_hours: vec![0; 24],
            next_at: None,
        };
        let mut held: BTreeMap<&RuleId, Held> = BTreeMap::new();
        for (bucket, &count) in &self.counts {
            let opens = match bucket {
                Bucket::Waiting { hour } | Bucket::Blocked { hour, .. } => *hour,
                _ => None,
            };
            if let Some(hour) = opens.filter(|h| *h >= this) {
                if let Some(slot) = usize::try_from(hour - this).ok().and_then(|i| report.next_hours.get_mut(i)) {
                    *slot += count;
                }
                let at = Timestamp::EPOCH + HOUR * hour;
                report.next_at = Some(report.next_at.map_or(at, |known| known.min(at)));
            }
            match bucket {
                Bucket::Fresh => report.now += count,
                Bucket::Calling => report.calling += count,
                Bucket::Filtered => report.filtered += count,
                Bucket::Closed { why } => *report.closed.entry(closed_word(*why)).or_default() += count,
                Bucket::Waiting { hour: Some(hour) } | Bucket::Blocked { hour: Some(hour), .. } if *hour < this => {
                    report.now += count;
                }
                Bucket::Waiting { .. } => report.waiting += count,
                Bucket::Blocked { rule, hour } => {
                    let own = held.entry(rule).or_insert_with(|| Held::none(rule));
                    own.add(hour.map(|h| Timestamp::EPOCH + HOUR * h), count);
                }
            }
        }
        report.held = held.into_values().collect();
        report.held.sort_by_key(|h| (std::cmp::Reverse(h.later + h.never), h.rule.clone()));
        report
    }
}

impl Held {
    fn none(rule: &RuleId) -> Held {
        Held { rule: rule.clone(), later: 0, never: 0, first_at: None, first: 0 }
    }
    fn add(&mut self, frees_at: Option<Timestamp>, count: i64) {
        let Some(at) = frees_at else {
            self.never += count;
            return;
        };
        self.later += count;
        if self.first_at.is_none_or(|known| at < known) {
            self.first_at = Some(at);
            self.first = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::Closed;
    use proptest::prelude::*;

    fn bucket(kind: u8, rule: u8, hour: i64) -> Bucket {
        let rule = RuleId::new(["us.tsr.hours", "us.fl.three-a-day", "house.revoked"][usize::from(rule % 3)]);
        match kind % 7 {
            0 => Bucket::Fresh,
            1 => Bucket::Waiting { hour: Some(hour) },
            2 => Bucket::Blocked { rule, hour: Some(hour) },
            3 => Bucket::Blocked { rule, hour: None },
            4 => Bucket::Calling,
            5 => Bucket::Filtered,
            _ => Bucket::Closed { why: Closed::Done },
        }
    }
    fn funnel(buckets: impl IntoIterator<Item = Bucket>) -> Funnel {
        let keys: Vec<CountKey> = buckets.into_iter().map(CountKey::Bucket).collect();
        Funnel::of(keys.iter().map(|k| (k, 1)), Timestamp::EPOCH)
    }

    proptest! {
        #[test]
        fn differences_in_any_order_equal_a_full_recount_and_nobody_is_left_out(
            start in prop::collection::vec((any::<u8>(), any::<u8>(), 1_000i64..1_050), 1..30),
            steps in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>(), 1_000i64..1_050), 0..80),
            rotate in any::<prop::sample::Index>(),
        ) {
            let mut leads: Vec<Bucket> = start.into_iter().map(|(k, r, h)| bucket(k, r, h)).collect();
            let mut moves: Vec<(CountKey, i64)> = leads.iter().map(|b| (CountKey::Bucket(b.clone()), 1)).collect();
            for (which, k, r, h) in steps {
                let at = which.index(leads.len());
                let to = bucket(k, r, h);
                moves.push((CountKey::Bucket(leads[at].clone()), -1));
                moves.push((CountKey::Bucket(to.clone()), 1));
                leads[at] = to;
            }
            let by = rotate.index(moves.len());
            moves.rotate_left(by);
            let kept = Funnel::of(moves.iter().map(|(k, n)| (k, *n)), Timestamp::EPOCH);
            prop_assert_eq!(&kept, &funnel(leads.iter().cloned()));
            prop_assert_eq!(kept.total(), leads.len() as i64);
            let report = kept.report(Timestamp::EPOCH + HOUR * 1_010);
            let held: i64 = report.held.iter().map(|h| h.later + h.never).sum();
            let closed: i64 = report.closed.values().sum();
            prop_assert_eq!(report.now + report.waiting + report.filtered + held + report.calling + closed, leads.len() as i64);
        }
    }

    #[test]
    fn a_report_says_what_holds_leads_back_and_when_they_come() {
        let now = Timestamp::EPOCH + HOUR * 1_000 + Millis::from_mins(20);
        let night = RuleId::new("us.tsr.hours");
        let blocked = |hour| Bucket::Blocked { rule: night.clone(), hour };
        let leads = (0..5).map(|_| blocked(Some(1_003))).chain((0..2).map(|_| blocked(Some(1_005))));
        let never = Bucket::Blocked { rule: RuleId::new("house.revoked"), hour: None };
        let leads = leads.chain([never, Bucket::Fresh, Bucket::Filtered, Bucket::Closed { why: Closed::ByHand }]);
        let leads = leads.chain([999, 1_001].map(|hour| Bucket::Waiting { hour: Some(hour) }));
        let report = funnel(leads).report(now);
        assert_eq!((report.now, report.waiting, report.filtered, report.closed["by_hand"]), (2, 1, 1, 1));
        assert_eq!(report.held[0].rule, night);
        assert_eq!((report.held[0].later, report.held[0].first), (7, 5));
        assert_eq!(report.held[0].first_at, Some(Timestamp::EPOCH + HOUR * 1_003));
        assert_eq!(report.held[1].never, 1);
        assert_eq!(report.next_hours[..6], [0, 1, 0, 5, 0, 2]);
        assert_eq!(report.next_at, Some(Timestamp::EPOCH + HOUR * 1_001));
        assert_eq!(funnel([Bucket::Fresh]).report(now).next_at, None);
    }
}
