//! The loop that a server runs: the only part of the core that touches a runtime.

use super::{Engine, TASKS_MAX, Task};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
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
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Task>);

impl Inbox {
    /// Hands tasks in. Where the queue is full they are dropped: timers find them again.
    pub fn give(&self, tasks: Vec<Task>) {
        for task in tasks {
            let _ = self.0.try_send(task);
        }
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
    /// Stops taking up work, waits for what runs (bounded), and returns. Calls go on at the
    /// carrier; other nodes, or this one later, take them up from the store.
    pub async fn shut_down(self) {
        let _ = self.stop.send(true);
        let _ = self.done.await;
    }
}

/// Starts the loop.
pub fn run(engine: Arc<Engine>, pace: Pace) -> Running {
    let (give, take) = mpsc::channel(TASKS_MAX);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let inbox = Inbox(give);
    let done = tokio::spawn(drive(engine, pace, take, inbox.clone(), stopped));
    Running { inbox, stop, done }
}

async fn drive(
    engine: Arc<Engine>,
    pace: Pace,
    mut take: mpsc::Receiver<Task>,
    inbox: Inbox,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(pace.tasks_max.max(1)));
    let mut running = JoinSet::new();
    let mut poll = tokio::time::interval(pace.poll);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            _ = poll.tick() => {
                // An outage of the store is no reason to end: the next poll asks again.
                if let Ok(tasks) = engine.step(pace.due_max).await {
                    inbox.give(tasks);
                }
            }
            Some(task) = take.recv() => {
                let Ok(place) = places.clone().acquire_owned().await else { break };
                let (engine, inbox) = (engine.clone(), inbox.clone());
                running.spawn(async move {
                    if let Ok(more) = engine.perform(task).await {
                        inbox.give(more);
                    }
                    drop(place);
                });
            }
            Some(_) = running.join_next(), if !running.is_empty() => {}
        }
    }
    let drained = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(pace.drain, drained).await;
}
