//! The loop that a server runs: the only part of the core that touches a runtime.

use super::{Engine, TASKS_MAX, Task};
use crate::id::CampaignId;
use crate::ports::Due;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;

/// How the loop runs.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often the store is asked what is due.
    pub poll: Duration,
    /// Due things taken at once.
    pub due_max: u32,
    /// Tasks performed side by side.
    pub tasks_max: usize,
    /// How long running tasks may take to finish after a stop was asked for.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { poll: Duration::from_millis(200), due_max: 256, tasks_max: 256, drain: Duration::from_secs(10) }
    }
}

/// Where webhooks and commands hand in the tasks that follow from them.
#[derive(Clone)]
pub struct Inbox {
    urgent: mpsc::Sender<Task>,
    usual: mpsc::Sender<Task>,
    engine: Arc<Engine>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("room", &self.usual.capacity()).finish_non_exhaustive()
    }
}

impl Inbox {
    /// Hands tasks in; must be called within the runtime. What a person on a line waits for goes
    /// first. Where the queue is full, tasks are dropped, for timers find them again; but a dial
    /// that will not leave is given back, so that its number does not rest as if it were in doubt.
    pub fn give(&self, tasks: Vec<Task>) {
        let dials = self.offer(tasks);
        if !dials.is_empty() {
            let engine = self.engine.clone();
            tokio::spawn(async move { give_back(&engine, dials).await });
        }
    }

    /// Hands tasks in and returns the dials for which there is no room.
    fn offer(&self, tasks: Vec<Task>) -> Vec<Task> {
        let mut dials = Vec::new();
        for task in tasks {
            let queue = if task.is_urgent() { &self.urgent } else { &self.usual };
            if let Err(TrySendError::Full(task) | TrySendError::Closed(task)) = queue.try_send(task)
                && matches!(task, Task::Dial { .. })
            {
                dials.push(task);
            }
        }
        dials
    }
}

async fn give_back(engine: &Engine, dials: Vec<Task>) {
    for dial in dials {
        // Where even this fails, the call's own timer looks the line up.
        let _ = engine.give_back(dial).await;
    }
}

/// A running loop.
#[derive(Debug)]
pub struct Running {
    /// Where tasks are handed in.
    pub inbox: Inbox,
    stop: tokio::sync::watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops taking up work, waits for what runs and for what a person waits for (bounded by
    /// [`Pace::drain`]), gives dials back that have not left, and returns. Calls go on at the
    /// carrier; other nodes, or this one later, take them up from the store.
    pub async fn shut_down(self) {
        let _ = self.stop.send(true);
        let _ = self.done.await;
    }
}

/// Starts the loop.
pub fn run(engine: Arc<Engine>, pace: Pace) -> Running {
    let (urgent, take_urgent) = mpsc::channel(TASKS_MAX);
    let (usual, take_usual) = mpsc::channel(TASKS_MAX);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let inbox = Inbox { urgent, usual, engine };
    let drive = Drive { pace, inbox: inbox.clone(), running: JoinSet::new(), ticking: BTreeMap::new() };
    let done = tokio::spawn(drive.run(take_urgent, take_usual, stopped));
    Running { inbox, stop, done }
}

/// What a job of the loop was.
enum Job {
    Poll,
    Tick(CampaignId),
    Other,
}

struct Drive {
    pace: Pace,
    inbox: Inbox,
    running: JoinSet<Job>,
    /// Campaigns that are being looked at, and whether somebody asked again meanwhile: one look
    /// serves all who ask for one before it ends.
    ticking: BTreeMap<CampaignId, bool>,
}

impl Drive {
    async fn run(
        mut self,
        mut urgent: mpsc::Receiver<Task>,
        mut usual: mpsc::Receiver<Task>,
        mut stopped: tokio::sync::watch::Receiver<bool>,
    ) {
        let mut poll = tokio::time::interval(self.pace.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut polling = false;
        loop {
            let room = self.running.len() < self.pace.tasks_max.max(2);
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                Some(done) = self.running.join_next(), if !self.running.is_empty() => match done {
                    Ok(Job::Poll) => polling = false,
                    Ok(Job::Tick(campaign)) => self.ticked(campaign),
                    Ok(Job::Other) => {}
                    // A job that panicked may have been any of them: let everything be asked again.
                    Err(_) => {
                        polling = false;
                        self.ticking.clear();
                    }
                },
                _ = poll.tick(), if !polling => {
                    polling = true;
                    self.poll();
                }
                Some(task) = urgent.recv(), if room => self.perform(task),
                Some(task) = usual.recv(), if room => self.perform(task),
            }
        }
        self.drain(urgent, usual).await;
    }

    /// Asks the store what is due. An outage of the store is no reason to end: the next poll asks
    /// again.
    fn poll(&mut self) {
        let (inbox, due_max) = (self.inbox.clone(), self.pace.due_max);
        self.running.spawn(async move {
            if let Ok(due) = inbox.engine.due(due_max).await {
                inbox.offer(due.into_iter().map(Task::Wake).collect());
            }
            Job::Poll
        });
    }

    fn perform(&mut self, task: Task) {
        let job = match task {
            Task::Tick(campaign) | Task::Wake(Due::Campaign(campaign)) => {
                if let Some(again) = self.ticking.get_mut(&campaign) {
                    *again = true;
                    return;
                }
                self.ticking.insert(campaign, false);
                Job::Tick(campaign)
            }
            _ => Job::Other,
        };
        let inbox = self.inbox.clone();
        self.running.spawn(async move {
            // What fails is found again by a timer.
            if let Ok(more) = inbox.engine.perform(task).await {
                let dials = inbox.offer(more);
                give_back(&inbox.engine, dials).await;
            }
            job
        });
    }

    fn ticked(&mut self, campaign: CampaignId) {
        if self.ticking.remove(&campaign) == Some(true) {
            self.perform(Task::Tick(campaign));
        }
    }

    /// Ends: what a person waits for is still done, dials of leads are given back, the rest is
    /// found by timers.
    async fn drain(mut self, mut urgent: mpsc::Receiver<Task>, mut usual: mpsc::Receiver<Task>) {
        let ends_at = tokio::time::Instant::now() + self.pace.drain;
        // Nobody can hand in more from here on: a dial that comes now is given back.
        urgent.close();
        usual.close();
        while let Ok(task) = urgent.try_recv() {
            self.perform(task);
        }
        let mut dials = Vec::new();
        while let Ok(task) = usual.try_recv() {
            dials.extend(matches!(task, Task::Dial { .. }).then_some(task));
        }
        let engine = self.inbox.engine.clone();
        self.running.spawn(async move {
            give_back(&engine, dials).await;
            Job::Other
        });
        let all = async { while self.running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(ends_at, all).await;
    }
}
