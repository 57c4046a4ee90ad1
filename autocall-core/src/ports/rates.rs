//! The lease of calls per second. A carrier queues what comes too fast, and then an agent's leg
//! waits behind leads while a person listens to hold music. So the engine stays below the limit.

use super::StoreError;
use crate::time::{Millis, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Who waits for the dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A person is on the line: an agent's leg.
    Agent,
    /// A customer is being handed on: the leg of whoever shall have them. There is no other way to serve
    /// them, so it may come later than an offer.
    Handover,
    /// Nobody waits yet: a lead.
    Lead,
}

/// A lease: so many dials, each with a place in time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Dials granted; may be fewer than wanted.
    pub granted: u32,
    /// When the first of them may leave, microseconds since the epoch. Finer than a [`Timestamp`], so
    /// that places of several leases are rounded once, not twice.
    pub first_us: i64,
    /// From one to the next, microseconds.
    pub every_us: i64,
}

impl Lease {
    /// When the dial of this number, from 0, may leave.
    pub fn place(&self, number: usize) -> Timestamp {
        let us = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(self.every_us);
        // Up, never down: a place must not come early.
        up(self.first_us.saturating_add(us))
    }
}

/// The instant that is not before these microseconds since the epoch.
fn up(us: i64) -> Timestamp {
    Timestamp::from_ms(us.saturating_add(999) / 1000)
}

/// How far ahead leads may take places. An agent's leg waits no longer than this behind them.
const AHEAD: Millis = Millis::from_secs(1);

/// The latest place that an agent's leg gets: an offer rings only for seconds. Agents who want more are
/// refused, and their callers served in another way.
const FAR: Millis = Millis::from_secs(4);

/// The latest place that anybody gets: within what a permit to dial lives.
const FARTHEST: Millis = Millis::from_secs(8);

/// How far the nodes' clocks may differ. A line that is full for longer than [`FARTHEST`] and this
/// was filled by a clock that is wrong, and begins anew.
const SKEW: Millis = Millis::from_secs(1);

/// The places of one account on its line in time: one every so many microseconds, handed out in
/// order. Whoever keeps to them starts no more calls in any second than the rate allows, however
/// many nodes share the line, as far as their clocks agree. Pure; a store keeps the two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Places {
    /// The first place that nobody has, microseconds since the epoch.
    pub free_us: i64,
    /// No lead is called before this, milliseconds since the epoch: the carrier asked us to wait.
    pub held_ms: i64,
}

impl Places {
    /// The space between two places at this rate: rounded up, so that a second never holds one too
    /// many.
    pub fn every_us(per_second: f64) -> i64 {
        (1_000_000.0 / per_second.clamp(0.001, 100_000.0)).ceil() as i64
    }

    /// The first place that can be had at `now`.
    fn first_us(&self, every_us: i64, now: Timestamp) -> i64 {
        let now_us = now.ms().saturating_mul(1000);
        let believable = now_us.saturating_add((FARTHEST + SKEW).ms() * 1000).saturating_add(every_us);
        if self.free_us > believable { now_us } else { self.free_us.max(now_us) }
    }

    /// How many places leads may take at `now`.
    pub fn available(&self, every_us: i64, now: Timestamp) -> u32 {
        if now.ms() < self.held_ms {
            return 0;
        }
        let now_us = now.ms().saturating_mul(1000);
        let first = self.first_us(every_us, now);
        let room = (now_us.saturating_add(AHEAD.ms() * 1000) - first) / every_us;
        // A slow line has its next place now, or later than leads look ahead.
        room.max(i64::from(first == now_us)).max(0) as u32
    }

    /// Takes places: for agents those of the next four seconds and for handovers of the next eight,
    /// since a person waits, whatever the carrier asked of us; for leads only near ones.
    pub fn take(&mut self, every_us: i64, want: u32, urgency: Urgency, now: Timestamp) -> Lease {
        let first_us = self.first_us(every_us, now);
        let granted = match urgency {
            Urgency::Agent => want.min(places_until(now + FAR, first_us, every_us)),
            Urgency::Handover => want.min(places_until(now + FARTHEST, first_us, every_us)),
            Urgency::Lead => want.min(self.available(every_us, now)),
        };
        if granted > 0 {
            self.free_us = first_us.saturating_add(i64::from(granted).saturating_mul(every_us));
        }
        Lease { granted, first_us, every_us }
    }

    /// No lead is called before `until`.
    pub fn back_off(&mut self, until: Timestamp) {
        self.held_ms = self.held_ms.max(until.ms());
    }
}

/// How many places there are from `first_us` to `end`, both included.
fn places_until(end: Timestamp, first_us: i64, every_us: i64) -> u32 {
    let room = (end.ms().saturating_mul(1000) - first_us).div_euclid(every_us) + 1;
    u32::try_from(room.max(0)).unwrap_or(u32::MAX)
}

/// Leases of calls per second, per carrier account.
#[async_trait]
pub trait Rates: Send + Sync {
    /// Asks for `want` dials on an account. Agents' legs are granted as long as they can leave within
    /// four seconds, handovers within eight, since a person waits; each dial must leave no earlier than its place
    /// ([`Lease::place`]).
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError>;

    /// How many leads' dials could be leased now, without leasing them.
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError>;

    /// The carrier refused a call for now: nobody starts one on this account before `until`.
    async fn back_off(&self, account: &str, until: Timestamp) -> Result<(), StoreError>;
}

/// Places in memory: right for one node. Several nodes share rows of their store.
#[derive(Debug)]
pub struct LocalRates {
    every_us: i64,
    lines: Mutex<BTreeMap<String, Places>>,
}

impl LocalRates {
    /// Every account may start `per_second` calls a second.
    pub fn new(per_second: f64) -> LocalRates {
        LocalRates { every_us: Places::every_us(per_second), lines: Mutex::new(BTreeMap::new()) }
    }
    fn with<T>(&self, account: &str, act: impl FnOnce(&mut Places) -> T) -> T {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(account) {
            return act(line);
        }
        act(lines.entry(account.to_owned()).or_default())
    }
}

#[async_trait]
impl Rates for LocalRates {
    async fn lease(&self, account: &str, want: u32, urgency: Urgency, now: Timestamp) -> Result<Lease, StoreError> {
        Ok(self.with(account, |line| line.take(self.every_us, want, urgency, now)))
    }
    async fn available(&self, account: &str, now: Timestamp) -> Result<u32, StoreError> {
        Ok(self.with(account, |line| line.available(self.every_us, now)))
    }
    async fn back_off(&self, account: &str, until: Timestamp) -> Result<(), StoreError> {
        self.with(account, |line| line.back_off(until));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes that ask in any order, for leads and agents, with clocks that differ.
    #[test]
    fn no_second_holds_more_places_than_the_rate_whoever_asks() {
        for (rate, seed) in [(1.0, 1_u64), (3.0, 2), (30.0, 3), (7.5, 4), (0.5, 5)] {
            let every = Places::every_us(rate);
            let (mut line, mut x, mut now) = (Places::default(), seed, 1_000_000_i64);
            let mut places = Vec::new();
            for _ in 0..2_000 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now += (x >> 33) as i64 % 120;
                let skew = (x >> 40) as i64 % 50;
                // Now and then more agents at once than the next seconds hold.
                let is_agent = x % (1 + (40.0 / rate) as u64) == 0;
                let (urgency, want) = if is_agent {
                    let urgency = if x & 1 << 45 == 0 { Urgency::Agent } else { Urgency::Handover };
                    (urgency, 1 + (x >> 55) as u32 % 12)
                } else {
                    (Urgency::Lead, (x >> 50) as u32 % 4)
                };
                let lease = line.take(every, want, urgency, Timestamp::from_ms(now - skew));
                places.extend((0..lease.granted as usize).map(|i| lease.place(i).ms()));
            }
            assert!(places.windows(2).all(|w| w[0] <= w[1]), "in order");
            let span_ms = if rate < 1.0 { (1000.0 / rate) as i64 } else { 1000 };
            let most = (rate.floor() as usize).max(1);
            for (i, &from) in places.iter().enumerate() {
                let inside = places[i..].iter().take_while(|&&at| at < from + span_ms).count();
                assert!(inside <= most + usize::from(rate.fract() != 0.0 && rate > 1.0), "{inside} at {rate}/s");
            }
            assert!(places.len() > 20, "and they are handed out: {}", places.len());
        }
    }

    #[test]
    fn leads_look_only_a_second_ahead_and_agents_before_them() {
        let every = Places::every_us(10.0);
        let now = Timestamp::from_ms(5_000);
        let mut line = Places::default();
        let leads = line.take(every, 100, Urgency::Lead, now);
        assert_eq!((leads.granted, leads.place(0)), (10, now));
        assert_eq!(line.take(every, 5, Urgency::Lead, now).granted, 0);
        let agent = line.take(every, 1, Urgency::Agent, now);
        assert_eq!((agent.granted, agent.place(0)), (1, Timestamp::from_ms(6_000)));
        // What comes too late for an offer is refused, and what a permit does not live to see.
        assert_eq!(line.take(every, 1_000, Urgency::Agent, now).granted, 30);
        assert_eq!(line.take(every, 1, Urgency::Agent, now).granted, 0);
        assert_eq!(line.take(every, 1_000, Urgency::Handover, now).granted, 40);
        assert_eq!(line.take(every, 1, Urgency::Handover, now).granted, 0);
        line.back_off(Timestamp::from_ms(20_000));
        assert_eq!(line.available(every, Timestamp::from_ms(15_000)), 0);
        assert_eq!(line.take(every, 1, Urgency::Agent, Timestamp::from_ms(15_000)).place(0).ms(), 15_000);
        assert!(line.available(every, Timestamp::from_ms(20_000)) > 0);
    }

    #[test]
    fn a_clock_that_is_wrong_delays_no_agents_leg_beyond_its_permit() {
        let every = Places::every_us(10.0);
        let mut line = Places::default();
        // A node that is ten minutes ahead fills the line.
        line.take(every, 10, Urgency::Lead, Timestamp::from_ms(600_000));
        let now = Timestamp::from_ms(1_000);
        let agent = line.take(every, 1, Urgency::Agent, now);
        assert!(agent.place(0) <= now + FAR);
        assert!(FAR < FARTHEST && FARTHEST < crate::call::PERMIT_TTL);
        // And leads are called again a moment later.
        assert!(line.available(every, now + FAR + AHEAD) > 0);
    }
}
