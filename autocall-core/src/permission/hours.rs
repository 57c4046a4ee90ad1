//! Windows of local time: whether an instant lies inside, and when the next one opens.
//!
//! All arithmetic is on whole milliseconds and exact across changes of the clocks: a window is
//! the set of instants whose *local* date and time it names. An hour that the clocks skip is not
//! there, an hour that they repeat is there twice.

use super::calendar::Calendar;
use crate::zones::{DAY_MS, ZoneId};
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far ahead an opening is looked for. A window that opens later is treated as never opening:
/// no rule closes for a year.
const HORIZON_DAYS: i64 = 400;
/// Steps that one search may take; a day has at most 4 windows and a zone few changes.
const STEPS_MAX: usize = 4_000;

/// A stretch of one local day, `[from_ms, to_ms)` in milliseconds after local midnight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// First millisecond inside.
    pub from_ms: u32,
    /// First millisecond after; at most 86,400,000.
    pub to_ms: u32,
}

/// The open stretches of one day: sorted, apart from each other, none empty.
pub type DaySpans = SmallVec<[Span; 2]>;

/// The days since 1970-01-01 of a civil date.
pub type Day = i32;

/// Open hours by weekday, with holidays, single dates and a first and last day.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hours {
    /// Monday first.
    pub week: [DaySpans; 7],
    /// On days of this calendar, these spans replace the weekday's.
    pub holidays: Option<(Arc<Calendar>, DaySpans)>,
    /// Spans of single dates; they replace both of the above.
    pub dates: BTreeMap<Day, DaySpans>,
    /// Closed before this day.
    pub first_day: Option<Day>,
    /// Closed after this day.
    pub last_day: Option<Day>,
    /// The clock that the hours are read on; `None` is the called person's own.
    pub zone: Option<ZoneId>,
}

/// Sorts, drops empty spans and joins those that touch.
pub fn normalise(spans: impl IntoIterator<Item = Span>) -> DaySpans {
    let mut all: SmallVec<[Span; 8]> = spans
        .into_iter()
        .map(|s| Span { from_ms: s.from_ms, to_ms: s.to_ms.min(DAY_MS as u32) })
        .filter(|s| s.from_ms < s.to_ms)
        .collect();
    all.sort_unstable();
    let mut out = DaySpans::new();
    for span in all {
        match out.last_mut() {
            Some(last) if span.from_ms <= last.to_ms => last.to_ms = last.to_ms.max(span.to_ms),
            _ => out.push(span),
        }
    }
    out
}

/// Weekday of a day number, Monday is 0. (1970-01-01 was a Thursday.)
pub const fn weekday(day: Day) -> usize {
    (day as i64 + 3).rem_euclid(7) as usize
}

/// What one zone's clocks show from one instant to another with no change between: the short
/// cut of [`Hours::allows`], worked out once per zone and used for every rule.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zone: ZoneId,
    from: Timestamp,
    to: Timestamp,
    day: Day,
    from_ms: u32,
    /// `to` in milliseconds after the midnight of `day`; `None` if the clocks change before it.
    to_ms: Option<i64>,
}

impl Clock {
    /// Reads the clocks of `zone` at `from` and `to`.
    pub fn read(zone: ZoneId, from: Timestamp, to: Timestamp) -> Clock {
        let offset = zone.offset_ms(from);
        let local = from.ms().saturating_add(offset);
        let day = local.div_euclid(DAY_MS).clamp(i64::from(Day::MIN), i64::from(Day::MAX)) as Day;
        let from_ms = local.rem_euclid(DAY_MS);
        let steady = zone.offset_ms(to) == offset && to.since(from) < Millis::from_days(1);
        let to_ms = steady.then(|| from_ms + to.since(from).ms());
        Clock { zone, from, to, day, from_ms: from_ms as u32, to_ms }
    }
}

impl Hours {
    /// Open at every instant.
    pub fn always() -> Hours {
        let all = normalise([Span { from_ms: 0, to_ms: DAY_MS as u32 }]);
        Hours { week: std::array::from_fn(|_| all.clone()), ..Hours::default() }
    }

    /// The open spans of a day.
    pub fn on(&self, day: Day) -> &[Span] {
        if self.first_day.is_some_and(|first| day < first) || self.last_day.is_some_and(|last| day > last) {
            return &[];
        }
        if let Some(spans) = self.dates.get(&day) {
            return spans;
        }
        if let Some((calendar, spans)) = &self.holidays
            && calendar.contains(day)
        {
            return spans;
        }
        &self.week[weekday(day)]
    }

    /// Whether every instant that `clock` was read for lies inside, ends included.
    pub fn allows(&self, clock: &Clock) -> bool {
        let clock = match self.zone {
            Some(fixed) if fixed != clock.zone => Clock::read(fixed, clock.from, clock.to),
            _ => *clock,
        };
        let Some(to_ms) = clock.to_ms else {
            return self.next_open(clock.zone, clock.from, clock.to.since(clock.from)) == clock.from;
        };
        match self.on(clock.day).iter().find(|s| s.from_ms <= clock.from_ms && clock.from_ms < s.to_ms) {
            None => false,
            Some(span) if to_ms < i64::from(span.to_ms) => true,
            // The stretch runs past this span: only midnight can continue it.
            Some(span) if i64::from(span.to_ms) == DAY_MS => {
                self.next_open(clock.zone, clock.from, clock.to.since(clock.from)) == clock.from
            }
            Some(_) => false,
        }
    }

    /// The earliest instant `t >= from` such that all of `[t, t + length]` lies inside on the
    /// clocks of `zone` (or of the hours' own zone); [`Timestamp::NEVER`] if there is none within
    /// 400 days.
    pub fn next_open(&self, zone: ZoneId, from: Timestamp, length: Millis) -> Timestamp {
        let zone = self.zone.unwrap_or(zone);
        let length = length.max(Millis::ZERO);
        let limit = from + Millis::from_days(HORIZON_DAYS);
        let mut run: Option<(Timestamp, Timestamp)> = None;
        let mut found = Timestamp::NEVER;
        self.open_spans(zone, from, limit, |start, end| {
            let joined = match run {
                Some((first, last)) if last == start => (first, end),
                _ => (start, end),
            };
            run = Some(joined);
            if joined.1.since(joined.0) > length {
                found = joined.0;
            }
            found == Timestamp::NEVER
        });
        found
    }

    /// [`Hours::next_open`] for somebody who may be in any of `zones`: the earliest instant that
    /// suits them all. No zone at all is never.
    pub fn next_open_everywhere(&self, zones: &[ZoneId], from: Timestamp, length: Millis) -> Timestamp {
        if zones.is_empty() {
            return Timestamp::NEVER;
        }
        let limit = from + Millis::from_days(HORIZON_DAYS);
        let mut at = from;
        // Each round moves to a later opening of some zone, of which a day has few.
        for _ in 0..STEPS_MAX {
            let next = zones.iter().fold(at, |t, zone| t.max(self.next_open(*zone, at.max(t), length)));
            if next == at || next == Timestamp::NEVER {
                return next;
            }
            if next > limit {
                return Timestamp::NEVER;
            }
            at = next;
        }
        Timestamp::NEVER
    }

    /// Walks the open stretches of `zone` from `from` to `limit` in order, cut at midnights and at
    /// changes of the clocks, until `visit` says stop.
    fn open_spans(
        &self,
        zone: ZoneId,
        from: Timestamp,
        limit: Timestamp,
        mut visit: impl FnMut(Timestamp, Timestamp) -> bool,
    ) {
        let mut at = from;
        let mut steps = 0;
        while at < limit {
            let offset = zone.offset_ms(at);
            let change = zone.next_change(at).min(limit);
            let mut day = (at.ms() + offset).div_euclid(DAY_MS);
            loop {
                steps += 1;
                let midnight = day * DAY_MS - offset;
                if midnight >= change.ms() || steps > STEPS_MAX {
                    break;
                }
                let Ok(number) = Day::try_from(day) else { return };
                if self.last_day.is_some_and(|last| number > last) {
                    return;
                }
                for span in self.on(number) {
                    let start = at.max(Timestamp::from_ms(midnight + i64::from(span.from_ms)));
                    let end = change.min(Timestamp::from_ms(midnight + i64::from(span.to_ms)));
                    if start < end && !visit(start, end) {
                        return;
                    }
                }
                day += 1;
            }
            if steps > STEPS_MAX {
                return;
            }
            at = change;
        }
    }
}
