//! What is remembered of earlier attempts: the guard rows that caps and cool-downs are judged by.
//!
//! A row is small and bounded: the last 32 attempts of the last 31 days, and the newest instant of
//! each kind of ending however old. It is advanced by the commit that dials ([`Attempts::attempted`])
//! and by the one that settles ([`Attempts::settled`]); both are pure.

use crate::{Millis, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smallvec::SmallVec;

/// Attempts that a row keeps; also the highest cap that a rule may set.
pub const ATTEMPTS_KEPT: usize = 32;
/// How long an attempt is kept; also the longest window that a cap may have.
pub const ATTEMPT_KEPT_FOR: Millis = Millis::from_days(31);

/// How an attempt ended, as far as caps and cool-downs tell endings apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// Dialled and not settled yet. Counts as whatever is strictest.
    Pending,
    /// A person and an agent talked.
    Conversation,
    /// A person answered and met no agent in time.
    Abandoned,
    /// A person answered and ended the call before an agent could be offered.
    AnsweredShort,
    /// A machine was taken to have answered; nothing was left.
    Machine,
    /// A message was left on a machine.
    MessageLeft,
    /// A fax or modem.
    Fax,
    /// Rang and was not answered.
    NoAnswer,
    /// Busy.
    Busy,
    /// Never reached the dialled number: invalid, unreachable, refused by the carrier, cancelled
    /// before it rang.
    NotConnected,
    /// The person asked not to be called again.
    Refused,
}

impl Happened {
    /// Every ending, in the order of their codes.
    pub const ALL: [Happened; 11] = [
        Happened::Pending,
        Happened::Conversation,
        Happened::Abandoned,
        Happened::AnsweredShort,
        Happened::Machine,
        Happened::MessageLeft,
        Happened::Fax,
        Happened::NoAnswer,
        Happened::Busy,
        Happened::NotConnected,
        Happened::Refused,
    ];
    /// A small number, stable for ever: it is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// Back from [`Happened::code`].
    pub fn from_code(code: u8) -> Option<Happened> {
        Happened::ALL.get(code as usize).copied()
    }
    /// One bit per ending, for sets.
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of endings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HappenedSet(pub(crate) u16);

impl HappenedSet {
    /// Every ending.
    pub const ALL: HappenedSet = HappenedSet((1 << Happened::ALL.len()) - 1);
    /// These endings. [`Happened::Pending`] is always in: an attempt under way counts.
    pub fn of(endings: &[Happened]) -> HappenedSet {
        HappenedSet(endings.iter().fold(Happened::Pending.bit(), |set, h| set | h.bit()))
    }
    /// Every ending but these.
    pub fn but(endings: &[Happened]) -> HappenedSet {
        HappenedSet(HappenedSet::ALL.0 & !endings.iter().fold(0, |set, h| set | h.bit()) | Happened::Pending.bit())
    }
    /// Whether the ending is in the set.
    pub fn contains(self, ending: Happened) -> bool {
        self.0 & ending.bit() != 0
    }
}

/// One attempt: when it was dialled and how it ended. Serialised as `[ms, code]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When it was dialled.
    pub at: Timestamp,
    /// How it ended.
    pub happened: Happened,
}

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.at, self.happened.code()).serialize(s)
    }
}
impl<'de> Deserialize<'de> for Attempt {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (at, code) = <(Timestamp, u8)>::deserialize(d)?;
        let happened = Happened::from_code(code).ok_or_else(|| de::Error::custom("unknown ending of an attempt"))?;
        Ok(Attempt { at, happened })
    }
}

/// The newest instants of the endings that cool-downs start from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Latest {
    /// End of the last conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Timestamp>,
    /// End of the last abandoned call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<Timestamp>,
    /// End of the last call that a machine was taken to have answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Timestamp>,
    /// When the person last asked not to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Timestamp>,
    /// When an attempt was last dialled or, if that is later, settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Timestamp>,
}

/// The attempts that one row remembers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempts {
    /// Oldest first, by the instant of dialling.
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    list: SmallVec<[Attempt; 4]>,
    /// The newest attempt that was dropped for want of room, not of age. A cap whose window
    /// reaches back to it cannot be counted, and so counts as full.
    #[serde(skip_serializing_if = "Option::is_none")]
    overflow: Option<Timestamp>,
    /// The newest instants by ending.
    latest: Latest,
}

fn later(a: Option<Timestamp>, b: Timestamp) -> Option<Timestamp> {
    Some(a.map_or(b, |a| a.max(b)))
}

impl Attempts {
    /// An attempt is dialled at `at`. Saying so twice is the same as once.
    pub fn attempted(&mut self, at: Timestamp) {
        self.latest.attempt = later(self.latest.attempt, at);
        if self.list.iter().any(|a| a.at == at) {
            return;
        }
        self.forget(at);
        let place = self.list.partition_point(|a| a.at <= at);
        self.list.insert(place, Attempt { at, happened: Happened::Pending });
        if self.list.len() > ATTEMPTS_KEPT {
            let dropped = self.list.remove(0);
            self.overflow = later(self.overflow, dropped.at);
        }
    }

    /// The attempt dialled at `dialled_at` ended at `at`. An attempt that was not recorded is
    /// added: a settlement proves a dial. Saying so twice is the same as once.
    pub fn settled(&mut self, happened: Happened, dialled_at: Timestamp, at: Timestamp) {
        self.attempted(dialled_at);
        if let Some(attempt) = self.list.iter_mut().find(|a| a.at == dialled_at) {
            attempt.happened = happened;
        }
        let at = at.max(dialled_at);
        self.latest.attempt = later(self.latest.attempt, at);
        match happened {
            Happened::Conversation => self.latest.conversation = later(self.latest.conversation, at),
            Happened::Abandoned => self.latest.abandoned = later(self.latest.abandoned, at),
            Happened::Machine | Happened::MessageLeft => self.latest.machine = later(self.latest.machine, at),
            Happened::Refused => {
                self.latest.conversation = later(self.latest.conversation, at);
                self.latest.refused = later(self.latest.refused, at);
            }
            _ => {}
        }
    }

    /// Drops what no cap can count any more.
    fn forget(&mut self, now: Timestamp) {
        let oldest = now - ATTEMPT_KEPT_FOR;
        self.list.retain(|a| a.at > oldest);
        self.overflow = self.overflow.filter(|at| *at > oldest);
    }

    /// The attempts, oldest first.
    pub fn list(&self) -> &[Attempt] {
        &self.list
    }
    /// The newest instants by ending.
    pub fn latest(&self) -> &Latest {
        &self.latest
    }

    /// How many attempts that `counts` holds were dialled in `(now - window, now]`, dials of the
    /// future (another node's clock) included.
    pub fn count(&self, counts: HappenedSet, window: Millis, now: Timestamp) -> usize {
        let after = now - window;
        self.list.iter().rev().take_while(|a| a.at > after).filter(|a| counts.contains(a.happened)).count()
    }

    /// Until when a cap of `cap` attempts per rolling `window` forbids another one; `None` if it
    /// does not. Exact: at the instant returned the count is below the cap.
    pub fn capped_until(&self, cap: usize, counts: HappenedSet, window: Millis, now: Timestamp) -> Option<Timestamp> {
        let after = now - window;
        let unknown = self.overflow.filter(|at| *at > after).map(|at| at + window);
        let counted = match cap {
            0 => Some(Timestamp::NEVER),
            _ => {
                let mut newest = self.list.iter().rev().filter(|a| counts.contains(a.happened));
                newest.nth(cap - 1).filter(|a| a.at > after).map(|a| a.at + window)
            }
        };
        unknown.max(counted)
    }
}

/// The row of one number: every attempt of this tenant at it, whoever's lead it was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberHistory {
    /// The attempts.
    pub attempts: Attempts,
    /// The number must not be called until then (an internal do-not-call entry);
    /// [`Timestamp::NEVER`] is for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// The number rests until then: a dial of unknown fate may still be with the carrier, or the
    /// number proved bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<Timestamp>,
}

/// The row of one person and subject, over all their numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonHistory {
    /// The attempts.
    pub attempts: Attempts,
    /// This person must not be called about this subject until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// This person rests until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<Timestamp>,
}

macro_rules! row {
    ($row:ty) => {
        impl $row {
            /// An attempt is dialled at `at`.
            pub fn attempted(&mut self, at: Timestamp) {
                self.attempts.attempted(at);
            }
            /// The attempt dialled at `dialled_at` ended at `at`.
            pub fn settled(&mut self, happened: Happened, dialled_at: Timestamp, at: Timestamp) {
                self.attempts.settled(happened, dialled_at, at);
            }
            /// Lists it until `until`; [`Timestamp::NEVER`] is for good. An earlier end never
            /// shortens a later one.
            pub fn list_until(&mut self, until: Timestamp) {
                self.listed = later(self.listed, until);
            }
            /// Takes it off the list.
            pub fn unlist(&mut self) {
                self.listed = None;
            }
            /// Lets it rest until `until`, or longer if it already does.
            pub fn rest(&mut self, until: Timestamp) {
                self.rest_until = later(self.rest_until, until);
            }
            /// Ends a rest: the dial whose fate was unknown is proven absent.
            pub fn wake(&mut self) {
                self.rest_until = None;
            }
        }
    };
}
row!(NumberHistory);
row!(PersonHistory);

/// Both rows, borrowed, as the verdict reads them.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Of the number to be dialled.
    pub number: &'a NumberHistory,
    /// Of the person and the campaign's subject.
    pub person: &'a PersonHistory,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::EPOCH + Millis::from_hours(1_000_000 + hours)
    }
    const DAY: Millis = Millis::from_hours(24);

    #[test]
    fn a_cap_opens_exactly_when_the_oldest_counted_attempt_leaves_the_window() {
        let mut row = Attempts::default();
        for h in [0, 5, 9] {
            row.attempted(at(h));
            row.settled(Happened::NoAnswer, at(h), at(h) + Millis::from_secs(40));
        }
        let until = row.capped_until(3, HappenedSet::ALL, DAY, at(10)).expect("three in a day");
        assert_eq!(until, at(24));
        assert!(row.capped_until(3, HappenedSet::ALL, DAY, until - Millis::from_ms(1)).is_some());
        assert_eq!(row.capped_until(3, HappenedSet::ALL, DAY, until), None);
        assert_eq!(row.count(HappenedSet::ALL, DAY, until), 2);
        assert_eq!(row.capped_until(3, HappenedSet::of(&[Happened::Conversation]), DAY, at(10)), None);
    }

    #[test]
    fn an_attempt_under_way_counts_for_every_cap() {
        let mut row = Attempts::default();
        row.attempted(at(0));
        assert!(row.capped_until(1, HappenedSet::of(&[Happened::Conversation]), DAY, at(1)).is_some());
        assert!(row.capped_until(1, HappenedSet::but(&[Happened::NotConnected]), DAY, at(1)).is_some());
        row.settled(Happened::NotConnected, at(0), at(0));
        assert!(row.capped_until(1, HappenedSet::but(&[Happened::NotConnected]), DAY, at(1)).is_none());
    }

    #[test]
    fn more_attempts_than_fit_count_as_full() {
        let mut row = Attempts::default();
        for h in 0..40 {
            row.attempted(at(h));
            row.settled(Happened::NotConnected, at(h), at(h));
        }
        assert_eq!(row.list().len(), ATTEMPTS_KEPT);
        let week = Millis::from_days(7);
        let until = row.capped_until(7, HappenedSet::but(&[Happened::NotConnected]), week, at(40));
        assert_eq!(until, Some(at(7) + week), "the newest attempt that fell out");
        assert_eq!(row.capped_until(7, HappenedSet::but(&[Happened::NotConnected]), week, at(7) + week), None);
    }

    #[test]
    fn saying_it_twice_or_late_changes_nothing() {
        let mut once = NumberHistory::default();
        once.attempted(at(1));
        once.settled(Happened::Abandoned, at(1), at(2));
        once.attempted(at(3));
        let mut again = NumberHistory::default();
        again.attempted(at(3));
        again.settled(Happened::Abandoned, at(1), at(2));
        again.attempted(at(1));
        again.attempted(at(3));
        assert_eq!(once, again);
        let text = serde_json::to_string(&once).expect("plain data");
        assert!(text.len() < 200, "{text}");
        assert_eq!(serde_json::from_str::<NumberHistory>(&text).expect("own text"), once);
        assert_eq!(serde_json::from_str::<NumberHistory>("{}").expect("empty"), NumberHistory::default());
    }

    #[test]
    fn codes_are_stable() {
        for (i, h) in Happened::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(h.code()), i);
            assert_eq!(Happened::from_code(h.code()), Some(h));
        }
    }
}
