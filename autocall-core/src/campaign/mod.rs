//! The Campaign machine: draft, scheduled, running, paused, finished.

use crate::id::CampaignId;
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being set up; never dials.
    Draft,
    /// Starts by itself at its time.
    Scheduled,
    /// Dials.
    Running,
    /// Dials nobody new; calls that run go on.
    Paused,
    /// Over. Its calls end, but for conversations.
    Finished,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] = [State::Draft, State::Scheduled, State::Running, State::Paused, State::Finished];
}

/// What people do to a campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Start now.
    Start,
    /// Start at the schedule's time.
    Schedule,
    /// Dial nobody new.
    Pause,
    /// The same because of a problem that a person must look at: which, without personal data.
    Halt(Arc<str>),
    /// End for good.
    Finish,
    /// Change the settings.
    Change(Arc<Settings>),
    /// Change the name.
    Rename(Arc<str>),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not from this state.
    #[error("a campaign that is {from:?} cannot be told to {command}")]
    State {
        /// The state.
        from: State,
        /// The command.
        command: &'static str,
    },
    /// The settings have problems.
    #[error("the settings have {} problem(s): {}", .0.len(), .0.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("; "))]
    Settings(Vec<crate::settings::Problem>),
}

/// What the engine must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look at the campaign at once.
    Tick,
    /// Stop calls that run, but for conversations.
    StopCalls,
}

/// A campaign, without its counts (see [`crate::ports::CampaignView`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Which.
    pub id: CampaignId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: State,
    /// What its owner decided.
    pub settings: Arc<Settings>,
    /// When it was first started.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it was finished.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// When to look at it next.
    pub wake_at: Timestamp,
    /// Why it was paused by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<Arc<str>>,
}

impl Campaign {
    /// A draft.
    pub fn new(id: CampaignId, name: &str, settings: Settings) -> Campaign {
        Campaign {
            id,
            name: name.into(),
            state: State::Draft,
            settings: Arc::new(settings),
            started_at: None,
            finished_at: None,
            wake_at: Timestamp::NEVER,
            halted: None,
        }
    }

    /// Carries a command out, or says why not; then nothing has changed.
    pub fn command(&mut self, command: &Command, now: Timestamp) -> Result<Vec<Effect>, Refused> {
        match command {
            Command::Start => self.start(now),
            Command::Schedule => self.schedule(now),
            Command::Pause => self.pause(),
            Command::Halt(why) => {
                let effects = self.pause()?;
                self.halted = Some(why.clone());
                Ok(effects)
            }
            Command::Finish => self.finish(now),
            Command::Change(settings) => self.change(settings, now),
            Command::Rename(name) => {
                self.name = name.clone();
                Ok(Vec::new())
            }
        }
    }

    fn start(&mut self, now: Timestamp) -> Result<Vec<Effect>, Refused> {
        match self.state {
            State::Running => return Ok(Vec::new()),
            State::Finished => return Err(Refused::State { from: self.state, command: "start" }),
            State::Draft | State::Scheduled | State::Paused => {}
        }
        self.ready()?;
        self.state = State::Running;
        self.halted = None;
        self.started_at.get_or_insert(now);
        self.wake_at = now;
        Ok(vec![Effect::Tick])
    }

    fn schedule(&mut self, now: Timestamp) -> Result<Vec<Effect>, Refused> {
        if !matches!(self.state, State::Draft | State::Scheduled | State::Paused) {
            return Err(Refused::State { from: self.state, command: "wait for its time" });
        }
        self.ready()?;
        self.state = State::Scheduled;
        self.wake_at = self.settings.schedule.starts_at.unwrap_or(now);
        Ok(Vec::new())
    }

    fn pause(&mut self) -> Result<Vec<Effect>, Refused> {
        match self.state {
            State::Running | State::Scheduled | State::Paused => {
                self.state = State::Paused;
                // It still ends at its time.
                self.wake_at = self.settings.schedule.ends_at.unwrap_or(Timestamp::NEVER);
                Ok(Vec::new())
            }
            State::Draft | State::Finished => Err(Refused::State { from: self.state, command: "pause" }),
        }
    }

    fn finish(&mut self, now: Timestamp) -> Result<Vec<Effect>, Refused> {
        if self.state == State::Finished {
            return Ok(Vec::new());
        }
        self.state = State::Finished;
        self.finished_at = Some(now);
        self.wake_at = Timestamp::NEVER;
        Ok(vec![Effect::StopCalls])
    }

    /// A campaign that dials is never left with settings that could not start it.
    fn change(&mut self, settings: &Arc<Settings>, now: Timestamp) -> Result<Vec<Effect>, Refused> {
        if self.state == State::Finished {
            return Err(Refused::State { from: self.state, command: "change" });
        }
        if matches!(self.state, State::Running | State::Scheduled) {
            let problems = settings.check();
            if !problems.is_empty() {
                return Err(Refused::Settings(problems));
            }
        }
        self.settings = settings.clone();
        if self.state == State::Scheduled {
            self.wake_at = settings.schedule.starts_at.unwrap_or(now);
        }
        Ok(if self.state == State::Running { vec![Effect::Tick] } else { Vec::new() })
    }

    fn ready(&self) -> Result<(), Refused> {
        let problems = self.settings.check();
        if problems.is_empty() { Ok(()) } else { Err(Refused::Settings(problems)) }
    }

    /// Time has passed: starts or ends by schedule. Returns what must be done.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let schedule = &self.settings.schedule;
        let over = schedule.ends_at.is_some_and(|end| now >= end);
        let begun = schedule.starts_at.is_none_or(|start| now >= start);
        match self.state {
            State::Running | State::Scheduled | State::Paused if over => self.finish(now).unwrap_or_default(),
            State::Scheduled if begun => match self.start(now) {
                Ok(effects) => effects,
                // Lint rules may have tightened since: say so by pausing, never dial on.
                Err(_) => self.pause().unwrap_or_default(),
            },
            _ => Vec::new(),
        }
    }

    /// Whether it dials.
    pub fn dials(&self, now: Timestamp) -> bool {
        let schedule = &self.settings.schedule;
        self.state == State::Running
            && schedule.starts_at.is_none_or(|s| now >= s)
            && schedule.ends_at.is_none_or(|e| now < e)
    }
}

/// How long the engine may leave a running campaign unobserved.
pub const LOOK_MAX: Millis = Millis::from_secs(5);
