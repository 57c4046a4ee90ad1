//! Choose + dial + record: the engine over the store, with a carrier that answers at once. Beside it
//! the dispatcher of the baseline stack (queue, claim, request, record), where it is at hand.

use super::rig::{self, NOW, Rig, T, campaign};
use super::{higher, peers};
use crate::{Measurement, Opts};
use async_trait::async_trait;
use autocall_core::call::{End, EndCause, LegFacts, ProviderRef};
use autocall_core::engine::{Engine, Parts, Standard, Task};
use autocall_core::ports::{
    Capabilities, Clock as _, Dial, DialError, DialPermit, Ids, Line, LocalRates, ManualClock, Sighting, Silent, Store,
    Telephony, TelephonyError,
};
use autocall_core::script::Script;
use autocall_core::{CampaignId, Millis, Timestamp};
use autocall_store_postgres::PostgresStore;
use futures::stream::{self, StreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Clock};

/// Calls a second that the project set itself.
const CALLS_GOAL: f64 = 5_000.0;
/// And against the baseline stack in the same run.
const BASELINE_GOAL: f64 = 3.0;
/// Tasks performed side by side, as the engine's loop does it.
const TASKS: usize = 256;

/// Takes every dial at once, and remembers it.
#[derive(Default)]
pub(super) struct Instant {
    dialled: AtomicU64,
    lines: Mutex<Vec<Line>>,
}

#[async_trait]
impl Telephony for Instant {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        assert_eq!(permit.line(), dial.line);
        let n = self.dialled.fetch_add(1, Ordering::Relaxed);
        self.lines.lock().expect("no panic holds it").push(dial.line);
        Ok(ProviderRef(format!("CA{n:032x}").into()))
    }
    async fn steer(&self, _: Line, _: &ProviderRef, _: &str, _: &Script) -> Result<(), TelephonyError> {
        Ok(())
    }
    async fn lookup(
        &self,
        _: Line,
        _: &str,
        _: Option<&ProviderRef>,
        _: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        Ok(Sighting::Absent)
    }
}

/// A node: its own connections, its own engine.
pub(super) struct Node {
    pub(super) engine: Arc<Engine>,
    pub(super) carrier: Arc<Instant>,
    clock: Arc<ManualClock>,
}

impl Node {
    pub(super) fn new(store: Arc<PostgresStore>, seed: u128) -> Node {
        let carrier = Arc::new(Instant::default());
        let clock = Arc::new(ManualClock::at(NOW));
        let engine = Arc::new(Engine::new(Parts {
            store,
            telephony: carrier.clone(),
            notifier: Arc::new(Silent),
            rates: Arc::new(LocalRates::new(1e9)),
            clock: clock.clone(),
            permission: Arc::new(Standard),
            ids: Ids::seeded(seed),
        }));
        Node { engine, carrier, clock }
    }

    /// Looks at campaigns until `calls` are dialled and recorded, or none has a lead left. How many
    /// were. As in the engine's own loop, the next look does not wait for the dials of the one before.
    pub(super) async fn dial(&self, campaigns: &[CampaignId], calls: u64) -> u64 {
        let (mut found, mut dialled) = (self.look(campaigns).await, 0);
        while !found.is_empty() {
            dialled += found.len() as u64;
            let next = async { if dialled < calls { self.look(campaigns).await } else { Vec::new() } };
            (found, ()) = tokio::join!(next, self.perform(found));
        }
        dialled
    }

    /// The dials that follow from a look at each campaign.
    async fn look(&self, campaigns: &[CampaignId]) -> Vec<Task> {
        let mut found = Vec::new();
        for campaign in campaigns {
            let tasks = self.engine.tick(*campaign).await.expect("a tick");
            found.extend(tasks.into_iter().filter(|t| matches!(t, Task::Dial { .. })));
        }
        found
    }

    async fn perform(&self, dials: Vec<Task>) {
        let done = stream::iter(dials).map(|task| {
            let engine = self.engine.clone();
            async move { tokio::spawn(async move { engine.perform(task).await }).await.expect("no panic") }
        });
        let each = |done: Result<Vec<Task>, _>| async { drop(done.expect("a dial is recorded")) };
        done.buffer_unordered(TASKS).for_each(each).await;
    }

    /// Every call that was dialled turns out busy: it settles, with its record. Then a second has
    /// passed, since a second has only so many places for calls.
    pub(super) async fn settle(&self) -> u64 {
        let lines = std::mem::take(&mut *self.carrier.lines.lock().expect("no panic holds it"));
        let n = lines.len() as u64;
        let now = self.clock.now();
        let over = LegFacts { end: Some(End { cause: EndCause::Busy, at: now }), ..LegFacts::default() };
        let done = stream::iter(lines).map(|line| {
            let (engine, over) = (self.engine.clone(), over.clone());
            async move { tokio::spawn(async move { engine.hear(line, over, false).await }).await.expect("no panic") }
        });
        let each = |heard: Result<_, _>| async { drop(heard.expect("a call settles")) };
        done.buffer_unordered(TASKS).for_each(each).await;
        self.clock.set(now + Millis::from_secs(1));
        n
    }
}

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let calls: u64 = opts.pick(2_000, 30_000, 100_000);
    let (_, url) = rig.database();
    let store = rig.store(&url, 16);
    let id = campaign(T, 1);
    rig.runtime.block_on(rig::furnish(&store, id, 0, calls + calls / 4));
    let node = Node::new(store.clone(), 1);
    let (mut dialling, mut settling, mut done) = (Duration::ZERO, Duration::ZERO, 0);
    rig.runtime.block_on(async {
        // The first calls find empty caches.
        node.dial(&[id], 500).await;
        node.settle().await;
        while done < calls {
            let begun = Clock::now();
            let n = node.dial(&[id], 2_000.min(calls - done)).await;
            dialling += begun.elapsed();
            assert!(n > 0, "leads ran out");
            let begun = Clock::now();
            assert_eq!(node.settle().await, n);
            settling += begun.elapsed();
            done += n;
        }
        let view = store.campaign(id).await.expect("there");
        assert_eq!((view.load.live(), view.leads.calling), (0, 0), "every call settled");
        assert!(view.leads.closed as u64 >= done, "every lead was called");
    });
    let rate = done as f64 / dialling.as_secs_f64();
    let mut found = vec![
        higher("choose + dial + record", "calls_per_s", rate, "calls/s").goal(CALLS_GOAL),
        higher("settle + record", "calls_per_s", done as f64 / settling.as_secs_f64(), "calls/s"),
        higher(
            "whole lives of busy calls",
            "calls_per_s",
            done as f64 / (dialling + settling).as_secs_f64(),
            "calls/s",
        ),
    ];
    if let Some(baseline) = peers::dispatch(rig, opts, calls.min(20_000)) {
        found.push(higher("baseline stack's dispatcher", "calls_per_s", baseline, "calls/s"));
        found.push(higher("dispatch / baseline", "ratio", rate / baseline, "").goal(BASELINE_GOAL));
    }
    found
}
