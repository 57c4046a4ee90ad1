//! Guard rows: small rows on which a verdict depends. A dial advances them in the commit that
//! creates its call, so two nodes can never act on the same reading.

use crate::id::{CallId, CampaignId, PoolId, TenantId};
use crate::permission::history::{NumberHistory, PersonHistory};
use crate::phone::Phone;
use crate::planning::caller_id::Health;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a guard is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardKey {
    /// A telephone number, over all campaigns of the tenant.
    Number(Phone),
    /// A person and a subject, over all of the person's numbers.
    Person {
        /// [`crate::lead::Lead::person_key`].
        person: u64,
        /// The campaign's subject.
        subject: Arc<str>,
    },
    /// A number shown.
    CallerId(Phone),
    /// A pool of agents: advanced by every dial that counts on its agents.
    Pool(PoolId),
    /// A campaign's dials: advanced by every batch of them.
    Dials(CampaignId),
    /// The tenant's do-not-call ranges and prefixes: advanced by every change of one.
    Epoch,
}

/// What is remembered of a number.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberGuard {
    /// The call to it that lives now.
    pub live: Option<CallId>,
    /// That call, once the number was listed while it lived: its next look ends it, whoever looks
    /// and whatever crashed in between.
    pub stop: Option<CallId>,
    /// Its attempts, for caps and cool-downs; whether it rests.
    pub history: NumberHistory,
}

/// What is remembered of a person on a subject.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonGuard {
    /// The call to them that lives now, on this subject.
    pub live: Option<CallId>,
    /// Their attempts, for caps and cool-downs.
    pub history: PersonHistory,
}

/// What is remembered of a number shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallerIdGuard {
    /// The day that is counted, in days since the epoch, UTC.
    pub day: i32,
    /// Calls that showed it on that day.
    pub calls: u32,
    /// The carrier refused to show it: it rests until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<Timestamp>,
    /// How it is answered.
    pub health: Health,
}

impl CallerIdGuard {
    /// Calls that showed it today.
    pub fn today(&self, now: Timestamp) -> u32 {
        if self.day == day_of(now) { self.calls } else { 0 }
    }
    /// The carrier refused to show it: it is not shown for a day, and then tried again.
    pub fn rest(&mut self, now: Timestamp) {
        self.rests_until = Some(now + Millis::from_days(1));
    }
    /// Whether it must not be shown now.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }
    /// Counts a call.
    pub fn shown(&mut self, now: Timestamp) {
        self.calls = self.today(now) + 1;
        self.day = day_of(now);
    }
}

fn day_of(now: Timestamp) -> i32 {
    now.ms().div_euclid(86_400_000) as i32
}

/// A campaign's own calls per second: a bucket that every batch of dials draws on, so that any
/// number of nodes together keep the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DialsGuard {
    /// Thousandths of dials that were left at `at`.
    pub milli: i64,
    /// When that was; the epoch for a bucket that was never drawn on, which is full.
    pub at: Timestamp,
}

impl DialsGuard {
    /// What the bucket holds at `now`, in thousandths, at `rate` dials per second. It never holds
    /// more than one second's worth, or one dial where that is less.
    fn holds(&self, rate: f64, now: Timestamp) -> i64 {
        let full = (rate.max(1.0) * 1000.0) as i64;
        if self.at == Timestamp::EPOCH {
            return full;
        }
        let gained = ((now - self.at).ms().max(0) as f64 * rate) as i64;
        self.milli.saturating_add(gained).min(full)
    }
    /// Whole dials that may start at `now`.
    pub fn available(&self, rate: f64, now: Timestamp) -> u32 {
        (self.holds(rate, now) / 1000).clamp(0, i64::from(u32::MAX)) as u32
    }
    /// Draws `dials` on it.
    pub fn draw(&mut self, dials: u32, rate: f64, now: Timestamp) {
        self.milli = self.holds(rate, now) - i64::from(dials) * 1000;
        self.at = self.at.max(now);
    }
}

/// A guard's content; a row that was never written has the default of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardValue {
    /// Of [`GuardKey::Number`].
    Number(NumberGuard),
    /// Of [`GuardKey::Person`].
    Person(PersonGuard),
    /// Of [`GuardKey::CallerId`].
    CallerId(CallerIdGuard),
    /// Of [`GuardKey::Dials`].
    Dials(DialsGuard),
    /// Of the keys that only count versions.
    Version,
}

/// A guard row.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Whose.
    pub tenant: TenantId,
    /// About what.
    pub key: GuardKey,
    /// Its version; 0 for a row that was never written.
    pub version: u64,
    /// Its content.
    pub value: GuardValue,
}

impl Guard {
    /// The row as it is before it is first written.
    pub fn fresh(tenant: TenantId, key: GuardKey) -> Guard {
        let value = match key {
            GuardKey::Number(_) => GuardValue::Number(NumberGuard::default()),
            GuardKey::Person { .. } => GuardValue::Person(PersonGuard::default()),
            GuardKey::CallerId(_) => GuardValue::CallerId(CallerIdGuard::default()),
            GuardKey::Dials(_) => GuardValue::Dials(DialsGuard::default()),
            GuardKey::Pool(_) | GuardKey::Epoch => GuardValue::Version,
        };
        Guard { tenant, key, version: 0, value }
    }
}
