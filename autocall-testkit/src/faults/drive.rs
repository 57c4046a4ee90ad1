//! The run: time passes, things are delivered late or never, jobs are polled or dropped.

use super::check::{self, Sight, Watch};
use super::hub::{Hub, Shared, Trouble};
use super::law::{self, Law};
use super::scene::{Deed, START, Scene};
use super::shaky::{ShakyCarrier, ShakyStore};
use super::{Broken, Sabotage, deeds, ends};
use crate::carrier::{Click, Manners, Report, SimCarrier};
use crate::clock::SimClock;
use crate::dice::{Dice, Spread};
use crate::people::People;
use crate::world::{TENANT, ready};
use autocall_core::agent::{AgentEvent, Status};
use autocall_core::call::{Call, LegFacts, Stop};
use autocall_core::campaign::Command;
use autocall_core::engine::{Engine, EngineError, Parts, Permission, Standard, Task};
use autocall_core::memory::MemoryStore;
use autocall_core::ports::*;
use autocall_core::script::Script;
use autocall_core::settings::TransferMode;
use autocall_core::{Millis, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Turns of the loop after which a run is taken to hang.
const TURNS_MAX: u64 = 400_000;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// Calls placed at the carrier.
    pub placed: u64,
    /// Records written.
    pub records: u64,
    /// Conversations.
    pub connected: u64,
    /// Commits that were written.
    pub commits: u64,
    /// Jobs dropped where they waited.
    pub dropped: u64,
    /// Nodes that crashed.
    pub crashes: u64,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Stats) {
        self.placed += other.placed;
        self.records += other.records;
        self.connected += other.connected;
        self.commits += other.commits;
        self.dropped += other.dropped;
        self.crashes += other.crashes;
    }
}

/// What a job leaves behind.
enum Done {
    Tasks(Vec<Task>),
    Answer { line: Line, asks: u32, script: Script, settled: bool, tasks: Vec<Task> },
    Failed(Mail),
    Nothing,
}

/// Something on its way to a node.
#[derive(Clone, Debug)]
enum Mail {
    Line { line: Line, facts: Box<LegFacts>, asks: Option<u32>, tries: u8 },
    Deed(Deed),
    Click(Report),
    Nothing,
}

type Work = Pin<Box<dyn Future<Output = Done>>>;

struct Job {
    node: usize,
    mail: Mail,
    work: Work,
}

struct Node {
    engine: Arc<Engine>,
    skew: Millis,
    down_until: Timestamp,
    poll_at: Timestamp,
    starts: u64,
}

/// One run.
pub(super) struct Drive {
    seed: u64,
    sabotage: Option<Sabotage>,
    start: Timestamp,
    law: Option<Law>,
    hub: Hub,
    clock: SimClock,
    scene: Scene,
    store: Arc<MemoryStore>,
    carrier: Arc<SimCarrier>,
    rates: Arc<LocalRates>,
    nodes: Vec<Node>,
    jobs: BTreeMap<(Timestamp, u64), Job>,
    mail: BTreeMap<(Timestamp, u64), Mail>,
    count: u64,
    stats: Stats,
}

impl Drive {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>) -> Drive {
        Drive::with(seed, sabotage, None)
    }

    /// A world in which the rule packs decide.
    pub(super) fn lawful(seed: u64) -> Drive {
        Drive::with(seed, None, Some(Law::throw(seed)))
    }

    fn with(seed: u64, sabotage: Option<Sabotage>, mut law: Option<Law>) -> Drive {
        let start = law.as_ref().map_or(START, |l| l.start);
        let clock = SimClock::at(start);
        let mut dice = Dice::seeded(seed);
        let mut scene = Scene::throw(&mut dice, start);
        if let Some(law) = &mut law {
            law.furnish(&mut scene);
        }
        let trouble = Trouble::throw(&mut dice);
        let people = People::new(scene.profile.clone(), seed);
        let manners = Manners { calls_per_second: 5.0, ..Manners::default() };
        let carrier = Arc::new(SimCarrier::new(clock.clone(), people, manners, seed));
        let skews: Vec<Millis> =
            (0..scene.nodes).map(|_| dice.between(Millis::from_ms(-400), Millis::from_ms(400))).collect();
        let hub = Hub::new(Shared {
            dice,
            clock: clock.clone(),
            trouble,
            sabotage,
            park: None,
            store_down_until: Timestamp::EPOCH,
            minted: BTreeMap::new(),
            listed: BTreeMap::new(),
            drawn: Vec::new(),
            promised: BTreeMap::new(),
            broken: None,
            commits: 0,
        });
        let mut drive = Drive {
            seed,
            sabotage,
            start,
            law,
            hub,
            clock,
            scene,
            store: Arc::new(MemoryStore::new()),
            carrier,
            rates: Arc::new(LocalRates::new(5.0)),
            nodes: Vec::new(),
            jobs: BTreeMap::new(),
            mail: BTreeMap::new(),
            count: 0,
            stats: Stats::default(),
        };
        for (n, skew) in skews.into_iter().enumerate() {
            let engine = drive.engine(n, skew, 0);
            drive.nodes.push(Node { engine, skew, down_until: Timestamp::EPOCH, poll_at: start, starts: 0 });
        }
        drive.furnish();
        drive
    }

    /// A node's engine, as it is after its `starts`-th start: it remembers nothing.
    fn engine(&self, node: usize, skew: Millis, starts: u64) -> Arc<Engine> {
        let clock = self.clock.skewed(skew);
        let telephony = ShakyCarrier { inner: self.carrier.clone(), hub: self.hub.clone(), clock: clock.clone() };
        let permission: Arc<dyn Permission> = match &self.law {
            Some(law) => law.permission(),
            None => Arc::new(Standard),
        };
        Arc::new(Engine::new(Parts {
            store: Arc::new(ShakyStore { inner: self.store.clone(), hub: self.hub.clone() }),
            telephony: Arc::new(telephony),
            notifier: Arc::new(Silent),
            rates: self.rates.clone(),
            clock: Arc::new(clock),
            permission,
            ids: Ids::seeded((u128::from(self.seed) << 64) | u128::from(starts << 8) | node as u128),
        }))
    }

    fn furnish(&mut self) {
        let mut changes = Changes::new(TENANT, self.start);
        for agent in &self.scene.agents {
            self.carrier.staff(agent.id, &agent.address, self.scene.temper.clone());
            changes.agents.push(Put { row: agent.clone(), expected: 0 });
        }
        for (campaign, leads) in &self.scene.campaigns {
            changes.campaigns.push(Put { row: campaign.clone(), expected: 0 });
            changes.tally(campaign.id).leads.open = leads.len() as i64;
            changes.leads.extend(leads.iter().map(|row| Put { row: row.clone(), expected: 0 }));
        }
        ready(self.store.commit(&changes)).expect("a new store takes its first rows");
        for (at, deed) in self.scene.deeds.clone() {
            self.post(at, Mail::Deed(deed));
        }
    }

    fn post(&mut self, at: Timestamp, mail: Mail) {
        self.count += 1;
        self.mail.insert((at, self.count), mail);
    }

    pub(super) fn run(mut self) -> Result<Stats, Broken> {
        self.play()
    }

    /// Runs a lawful world and writes down what was placed.
    pub(super) fn finish_lawful(mut self) -> Result<(Stats, Vec<serde_json::Value>), Broken> {
        let stats = self.play()?;
        let log = self.law.as_ref().map_or(Ok(Vec::new()), |law| law::log(&self, law));
        let log = log.map_err(|what| self.broken(what, self.clock.now()))?;
        Ok((stats, log))
    }

    pub(super) fn store(&self) -> &MemoryStore {
        &self.store
    }
    pub(super) fn scene(&self) -> &Scene {
        &self.scene
    }
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }
    pub(super) fn placed(&self) -> Vec<crate::carrier::Placed> {
        self.carrier.placed()
    }
    /// When a number was put on the list, as the listing was committed.
    pub(super) fn listed_at(&self, phone: autocall_core::Phone) -> Option<Timestamp> {
        self.hub.lock().listed.get(&phone).copied()
    }

    fn play(&mut self) -> Result<Stats, Broken> {
        let mut watch = Watch::default();
        let mut look_at = self.start;
        for turn in 0.. {
            let now = self.clock.now();
            self.turn(now);
            let broken = self.hub.lock().broken.take();
            let mut found = broken.map_or(Ok(()), Err);
            if found.is_ok() && now >= look_at {
                look_at = now + check::LOOK_EVERY;
                found = watch.look(&self.sight(now));
            }
            if turn > TURNS_MAX {
                found = Err("the run does not come to an end".into());
            }
            if found.is_ok() && now >= self.scene.ends_at {
                return match ends::at_the_end(&self.sight(now)) {
                    Ok(()) => Ok(self.total()),
                    Err(what) => Err(self.broken(what, now)),
                };
            }
            found.map_err(|what| self.broken(what, now))?;
            let next = self.next_at().min(look_at).min(self.scene.ends_at);
            self.clock.advance_to(next.max(now + Millis::from_ms(1)));
        }
        unreachable!("the loop ends by itself")
    }

    fn sight(&self, now: Timestamp) -> Sight<'_> {
        Sight { store: &self.store, carrier: &self.carrier, hub: &self.hub, scene: &self.scene, now }
    }

    fn broken(&self, what: String, at: Timestamp) -> Broken {
        Broken { seed: self.seed, what, at, sabotage: self.sabotage }
    }

    fn total(&self) -> Stats {
        let records = self.store.records();
        Stats {
            placed: self.carrier.placed_count() as u64,
            records: records.len() as u64,
            connected: records.iter().filter(|r| r.outcome == autocall_core::Outcome::Connected).count() as u64,
            commits: self.hub.lock().commits,
            ..self.stats
        }
    }

    fn next_at(&self) -> Timestamp {
        let now = self.clock.now();
        let wake = self.store.next_wake(now).map_or(Timestamp::NEVER, |in_| now + in_);
        let polls = self.nodes.iter().map(|n| n.poll_at.max(n.down_until).max(wake)).min().unwrap_or(Timestamp::NEVER);
        let jobs = self.jobs.keys().next().map_or(Timestamp::NEVER, |(at, _)| *at);
        let mail = self.mail.keys().next().map_or(Timestamp::NEVER, |(at, _)| *at);
        polls.min(jobs).min(mail).min(self.carrier.next_at().unwrap_or(Timestamp::NEVER))
    }

    fn turn(&mut self, now: Timestamp) {
        for report in self.carrier.step() {
            self.send(report, now);
        }
        while let Some(entry) = self.mail.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let mail = entry.remove();
            self.deliver(mail, now);
        }
        self.poll_nodes(now);
        while let Some(entry) = self.jobs.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let job = entry.remove();
            self.go_on(job, now);
        }
    }

    /// A report goes into the network.
    fn send(&mut self, report: Report, now: Timestamp) {
        let (mail, asks) = match report {
            Report::Line { line, facts, asks } => (Mail::Line { line, facts, asks, tries: 0 }, asks.is_some()),
            click @ Report::Desk { .. } => (Mail::Click(click), false),
        };
        if self.hub.fault(|t| t.lose) {
            // Who asks and hears nothing asks once more, elsewhere.
            if let (true, Mail::Line { line, facts, asks, .. }) = (asks, mail) {
                self.post(now + Millis::from_secs(2), Mail::Line { line, facts, asks, tries: 1 });
            }
            return;
        }
        let late = || {
            let delayed = self.hub.fault(|t| t.delay);
            let mut hub = self.hub.lock();
            let span =
                Spread::Mixture { of: vec![(4.0, Spread::Exp { mean_s: 1.0 }), (1.0, Spread::Exp { mean_s: 15.0 })] };
            if delayed { span.throw(&mut hub.dice) } else { Millis::ZERO }
        };
        let (first, second) = (late(), late());
        if self.hub.fault(|t| t.double) {
            self.post(now + second, mail.clone());
        }
        self.post(now + first, mail);
    }

    /// Something arrives at some node that is up.
    fn deliver(&mut self, mail: Mail, now: Timestamp) {
        if let Mail::Deed(Deed::Heal) = mail {
            return self.heal();
        }
        if let Mail::Deed(Deed::Outage) = mail {
            let mut hub = self.hub.lock();
            let span = hub.dice.between(Millis::from_secs(1), Millis::from_secs(15));
            hub.store_down_until = now + span;
            return;
        }
        let up: Vec<usize> = (0..self.nodes.len()).filter(|&n| self.nodes[n].down_until <= now).collect();
        if up.is_empty() {
            return self.fail(mail, now);
        }
        let node = up[self.hub.lock().dice.below(up.len() as u64) as usize];
        let engine = self.nodes[node].engine.clone();
        let work: Work = match mail.clone() {
            Mail::Line { line, facts, asks, tries } => {
                Box::pin(hear(engine, self.store.clone(), line, facts, asks, tries))
            }
            Mail::Click(Report::Desk { agent, click }) => Box::pin(async move {
                let done = match click {
                    Click::Accept(call) => engine.answer(call, agent, true).await,
                    Click::HangUp(call) => engine.hang_up(call).await,
                };
                done.map_or(Done::Nothing, Done::Tasks)
            }),
            Mail::Deed(deed) => Box::pin(self.deed(engine, deed)),
            Mail::Click(_) | Mail::Nothing => return,
        };
        self.spawn(now, Job { node, mail, work });
    }

    fn spawn(&mut self, at: Timestamp, job: Job) {
        self.count += 1;
        self.jobs.insert((at, self.count), job);
    }

    /// From now on everything works; what was parked goes on soon.
    fn heal(&mut self) {
        let mut hub = self.hub.lock();
        hub.trouble = Trouble::CALM;
        hub.store_down_until = Timestamp::EPOCH;
        drop(hub);
        let now = self.clock.now();
        for node in &mut self.nodes {
            node.down_until = node.down_until.min(now + Millis::from_secs(2));
        }
    }

    /// What a person does. Whoever is told that it failed does it again.
    fn deed(&self, engine: Arc<Engine>, deed: Deed) -> impl Future<Output = Done> + use<> {
        let stands = self.scene.campaigns.iter().find(|(c, _)| c.settings.transfer.mode == TransferMode::Standing);
        let stands = stands
            .and_then(|(c, _)| c.settings.caller_ids.first().copied().map(|from| (from, c.settings.caps.call_ms_max)));
        let campaign = self.scene.campaigns[0].0.id;
        let some_call = self.some_call(deed);
        let word = self.some_word();
        async move {
            let again = Done::Failed(Mail::Deed(deed));
            let done = match (deed, some_call) {
                (Deed::List(phone), _) => deeds::list(&engine, phone).await,
                (Deed::ListLive, Some(call)) => deeds::list(&engine, call.plan.to).await,
                (Deed::Dispose, Some(call)) => {
                    engine.dispose(call.id, call.agent, word.code, Some(word.callback(call.agent))).await
                }
                (Deed::HangUp, Some(call)) => engine.hang_up(call.id).await,
                (Deed::Preview(agent), _) => engine.dial_for(campaign, agent, None).await,
                (Deed::Come(agent), _) => deeds::come(&engine, agent, stands).await,
                (Deed::Go(agent), _) => engine.agent_event(agent, &AgentEvent::Status(Status::Offline)).await,
                (Deed::Start(campaign), _) => engine.command(campaign, &Command::Start).await,
                (Deed::Pause(campaign), _) => engine.command(campaign, &Command::Pause).await,
                (Deed::Finish(campaign), _) => engine.command(campaign, &Command::Finish).await,
                (Deed::ListLive | Deed::Dispose | Deed::HangUp, None) | (Deed::Heal | Deed::Outage, _) => {
                    return Done::Nothing;
                }
            };
            match done {
                Ok(tasks) => Done::Tasks(tasks),
                Err(EngineError::Refused(_) | EngineError::NotNow(_)) => Done::Nothing,
                Err(_) => again,
            }
        }
    }

    /// The call that a deed is about, drawn from those that it can be about.
    fn some_call(&self, deed: Deed) -> Option<Call> {
        let fits = |call: &Call| match deed {
            Deed::ListLive | Deed::HangUp => !call.is_settled(),
            Deed::Dispose => call.agent.is_some(),
            _ => false,
        };
        let mut calls = self.store.calls();
        calls.retain(fits);
        let n = self.hub.lock().dice.below(calls.len().max(1) as u64) as usize;
        calls.into_iter().nth(n)
    }

    fn some_word(&self) -> deeds::Word {
        let now = self.clock.now();
        let mut hub = self.hub.lock();
        deeds::Word::draw(&mut hub.dice, now)
    }

    /// Nodes that are up look for what is due.
    fn poll_nodes(&mut self, now: Timestamp) {
        if self.store.next_wake(now).is_none_or(|in_| in_ > Millis::ZERO) {
            return;
        }
        for node in 0..self.nodes.len() {
            let it = &mut self.nodes[node];
            if it.down_until > now || it.poll_at > now {
                continue;
            }
            it.poll_at = now + self.hub.lock().dice.between(Millis::from_ms(150), Millis::from_ms(400));
            let engine = it.engine.clone();
            let work = Box::pin(async move { engine.step(64).await.map_or(Done::Nothing, Done::Tasks) });
            self.spawn(now, Job { node, mail: Mail::Nothing, work });
        }
    }

    /// Polls a job once, unless it dies here.
    fn go_on(&mut self, mut job: Job, now: Timestamp) {
        if self.nodes[job.node].down_until > now {
            return self.fail(job.mail, now);
        }
        if self.hub.fault(|t| t.crash_node) {
            self.crash(job.node, now);
            return self.fail(job.mail, now);
        }
        if self.hub.fault(|t| t.crash_job) {
            self.stats.dropped += 1;
            return self.fail(job.mail, now);
        }
        self.hub.lock().park = None;
        match job.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => {
                let at = self.hub.lock().park.take().unwrap_or(now).max(now + Millis::from_ms(1));
                self.spawn(at, job);
            }
            Poll::Ready(done) => self.finish(job.node, done, now),
        }
    }

    fn finish(&mut self, node: usize, done: Done, now: Timestamp) {
        let tasks = match done {
            Done::Nothing => return,
            Done::Failed(mail) => return self.fail(mail, now),
            Done::Tasks(tasks) => tasks,
            Done::Answer { line, asks, mut script, settled, tasks } => {
                if settled && self.sabotage == Some(Sabotage::SettledHold) {
                    script = Script::Wait;
                }
                if settled && script != Script::Hangup {
                    let what = format!("{line} of a settled call was told to {}", script.name());
                    self.hub.lock().break_(what);
                }
                self.carrier.answer(line, asks, Some(&script));
                tasks
            }
        };
        for task in tasks {
            if self.forgets(&task) {
                continue;
            }
            let engine = self.nodes[node].engine.clone();
            let work = Box::pin(async move { engine.perform(task).await.map_or(Done::Nothing, Done::Tasks) });
            self.spawn(now, Job { node, mail: Mail::Nothing, work });
        }
    }

    /// Whether the planted bug loses this task.
    fn forgets(&self, task: &Task) -> bool {
        match self.sabotage {
            Some(Sabotage::ListedCallGoesOn) => matches!(task, Task::Stop(_, Stop::Listed)),
            _ => false,
        }
    }

    /// A node dies with all its jobs and comes back empty.
    fn crash(&mut self, node: usize, now: Timestamp) {
        self.stats.crashes += 1;
        let lost: Vec<(Timestamp, u64)> = self.jobs.iter().filter(|(_, j)| j.node == node).map(|(k, _)| *k).collect();
        for key in lost {
            if let Some(job) = self.jobs.remove(&key) {
                self.stats.dropped += 1;
                self.fail(job.mail, now);
            }
        }
        let back = now + self.hub.lock().dice.between(Millis::from_ms(500), Millis::from_secs(20));
        let (skew, starts) = (self.nodes[node].skew, self.nodes[node].starts + 1);
        let engine = self.engine(node, skew, starts);
        self.nodes[node] = Node { engine, skew, down_until: back, poll_at: back, starts };
    }

    /// What a sender does who got no answer.
    fn fail(&mut self, mail: Mail, now: Timestamp) {
        match mail {
            Mail::Line { line, facts, asks: Some(asks), tries: 0 } => {
                self.post(now + Millis::from_secs(1), Mail::Line { line, facts, asks: Some(asks), tries: 1 });
            }
            Mail::Line { line, asks: Some(asks), .. } => self.carrier.answer(line, asks, None),
            Mail::Deed(deed) => self.post(now + Millis::from_secs(1), Mail::Deed(deed)),
            Mail::Line { .. } | Mail::Click(_) | Mail::Nothing => {}
        }
    }
}

/// A webhook at a node.
async fn hear(
    engine: Arc<Engine>,
    store: Arc<MemoryStore>,
    line: Line,
    facts: Box<LegFacts>,
    asks: Option<u32>,
    tries: u8,
) -> Done {
    let settled = match line {
        Line::Leg(leg) => ready(Store::call(&*store, leg.call)).is_ok_and(|s| s.call.row.is_settled()),
        Line::Station(_) => false,
    };
    match (engine.hear(line, (*facts).clone(), asks.is_some()).await, asks) {
        (Ok(reply), Some(asks)) => Done::Answer { line, asks, script: reply.script, settled, tasks: reply.tasks },
        (Ok(reply), None) => Done::Tasks(reply.tasks),
        (Err(_), _) => Done::Failed(Mail::Line { line, facts, asks, tries }),
    }
}
