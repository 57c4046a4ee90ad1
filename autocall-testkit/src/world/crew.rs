//! Simulated agents' days: they come, take breaks, write up their calls, say how they went, and
//! go home.

use super::TENANT;
use super::times::{Times, Watch};
use crate::carrier::Temper;
use crate::dice::{Dice, Spread};
use crate::people::purpose;
use autocall_core::agent::{Address, Agent, AgentEvent, State, Status};
use autocall_core::engine::Engine;
use autocall_core::lead::Callback;
use autocall_core::ports::Store;
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{AgentId, CallId, Millis, Phone, PoolId, Private, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When agents work, on every weekday, in minutes of the local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// From.
    pub from_min: u16,
    /// To.
    pub to_min: u16,
}

/// A team of agents.
#[derive(Clone, Debug, PartialEq)]
pub struct Crew {
    /// How many.
    pub agents: u32,
    /// How they treat offers.
    pub temper: Temper,
    /// When they work; round the clock where absent.
    pub hours: Option<Hours>,
    /// Minutes that their clocks are ahead of UTC.
    pub utc_offset_min: i32,
    /// How long they write up.
    pub wrap_up: Spread,
    /// Chance of a break after a call.
    pub breaks: f64,
    /// How long a break takes.
    pub break_for: Spread,
    /// What they say about a call: weights and disposition codes. Codes that the campaign does not
    /// know are not said.
    pub says: Vec<(f64, Arc<str>)>,
}

impl Crew {
    /// So many usual agents, nine to five.
    pub fn of(agents: u32) -> Crew {
        let says = [
            (0.12, "success"),
            (0.10, "callback"),
            (0.58, "not_interested"),
            (0.12, "later"),
            (0.06, "wrong_number"),
            (0.02, "do_not_call"),
        ];
        Crew {
            agents,
            temper: Temper::default(),
            hours: Some(Hours { from_min: 9 * 60, to_min: 17 * 60 }),
            utc_offset_min: 0,
            wrap_up: Spread::gamma(16.0, 0.6),
            breaks: 0.02,
            break_for: Spread::gamma(600.0, 0.4),
            says: says.into_iter().map(|(w, code)| (w, code.into())).collect(),
        }
    }
    /// Agents who are always there and never hesitate.
    pub fn steady(agents: u32) -> Crew {
        Crew { temper: Temper::steady(), hours: None, breaks: 0.0, says: Vec::new(), ..Crew::of(agents) }
    }

    pub(super) fn agents(&self, pool: PoolId, now: Timestamp) -> impl Iterator<Item = Agent> + use<> {
        (0..u64::from(self.agents)).map(move |n| {
            let id = AgentId::small(TENANT, u128::from(n) + 1);
            let address = match Phone::from_digits(12_015_550_000 + n) {
                Some(phone) => Address::Phone(phone),
                None => Address::Client(Private::new(format!("agent-{n}"))),
            };
            Agent::new(id, pool, Private::new(format!("Agent {}", n + 1)), address, now)
        })
    }
}

/// What an agent is about to do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Comes,
    Goes,
    Returns,
    /// Is done writing up this call.
    Writes(CallId),
    /// Takes up the standing leg again.
    Stands,
}

/// All agents' desks.
#[derive(Debug)]
pub(super) struct Desk {
    crew: Crew,
    seed: u64,
    diary: BTreeMap<(Timestamp, u64), (AgentId, Act)>,
    count: u64,
    watch: Watch,
    present: BTreeMap<AgentId, bool>,
    stands: Option<(Phone, u32)>,
}

impl Desk {
    pub(super) fn new(crew: &Crew, seed: u64, now: Timestamp) -> Desk {
        let mut desk = Desk {
            crew: crew.clone(),
            seed,
            diary: BTreeMap::new(),
            count: 0,
            watch: Watch::default(),
            present: BTreeMap::new(),
            stands: None,
        };
        for n in 0..crew.agents {
            let agent = AgentId::small(TENANT, u128::from(n) + 1);
            let at = desk.next_begin(agent, now);
            desk.note(at, agent, Act::Comes);
        }
        desk
    }

    /// Learns how the campaign reaches its agents.
    pub(super) fn stands(&mut self, settings: &Settings) {
        if settings.transfer.mode == TransferMode::Standing {
            self.stands = settings.caller_ids.first().map(|from| (*from, settings.caps.call_ms_max));
        }
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.diary.keys().next().map(|(at, _)| *at)
    }
    pub(super) fn times(&self, now: Timestamp) -> Times {
        self.watch.times(now)
    }

    fn note(&mut self, at: Timestamp, agent: AgentId, act: Act) {
        self.count += 1;
        self.diary.insert((at, self.count), (agent, act));
    }

    fn dice(&self, agent: AgentId, at: Timestamp) -> Dice {
        Dice::named(self.seed, purpose::SHIFT, agent.key().as_u128() as u64, at.ms() as u64)
    }

    /// When the agent's next working day begins, some minutes late.
    fn next_begin(&self, agent: AgentId, now: Timestamp) -> Timestamp {
        let Some(hours) = self.crew.hours else { return now };
        let offset = Millis::from_mins(i64::from(self.crew.utc_offset_min));
        let local = now + offset;
        let mut day = local.ms().div_euclid(86_400_000);
        loop {
            let begins = Timestamp::from_ms(day * 86_400_000) + Millis::from_mins(i64::from(hours.from_min));
            // 1970-01-01 was a Thursday: days 2 and 3 of every week of seven are the week-end.
            let week_end = matches!(day.rem_euclid(7), 2 | 3);
            if !week_end && begins >= local {
                let late = self.dice(agent, begins).between(Millis::ZERO, Millis::from_mins(4));
                return begins - offset + late;
            }
            day += 1;
        }
    }

    fn end_of_day(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = self.crew.hours?;
        let offset = Millis::from_mins(i64::from(self.crew.utc_offset_min));
        let day = (now + offset).ms().div_euclid(86_400_000);
        Some(Timestamp::from_ms(day * 86_400_000) + Millis::from_mins(i64::from(hours.to_min)) - offset)
    }

    /// Does what agents have planned for now.
    pub(super) async fn act(&mut self, engine: &Engine, now: Timestamp) {
        while let Some(entry) = self.diary.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (agent, act) = entry.remove();
            match act {
                Act::Comes if self.is_present(agent) => {}
                Act::Comes => {
                    self.present.insert(agent, true);
                    if let Some(end) = self.end_of_day(now) {
                        self.note(end, agent, Act::Goes);
                    }
                    self.choose(engine, agent, Status::Available).await;
                    self.stand(engine, agent).await;
                }
                Act::Returns if self.is_present(agent) => self.choose(engine, agent, Status::Available).await,
                Act::Goes if !self.is_present(agent) => {}
                Act::Goes => {
                    self.present.insert(agent, false);
                    let again = self.next_begin(agent, now);
                    self.note(again, agent, Act::Comes);
                    self.choose(engine, agent, Status::Offline).await;
                }
                Act::Writes(call) => self.write_up(engine, agent, call, now).await,
                Act::Stands if self.is_present(agent) => self.stand(engine, agent).await,
                Act::Returns | Act::Stands => {}
            }
        }
    }

    /// Sends everybody home until there is something to call again: nobody pays agents to look at
    /// an empty list.
    pub(super) async fn dismiss(&mut self, engine: &Engine, next_due: Timestamp, now: Timestamp) {
        let here: Vec<AgentId> = self.present.iter().filter(|(_, here)| **here).map(|(id, _)| *id).collect();
        for agent in here {
            self.present.insert(agent, false);
            self.choose(engine, agent, Status::Offline).await;
            let at_work = self.end_of_day(next_due).is_none_or(|end| next_due < end)
                && self.next_begin(agent, next_due - Millis::from_days(1)) <= next_due;
            let back = if at_work { next_due } else { self.next_begin(agent, next_due) };
            self.note(back.max(now + Millis::from_mins(1)), agent, Act::Comes);
        }
    }

    fn is_present(&self, agent: AgentId) -> bool {
        self.present.get(&agent).copied().unwrap_or(false)
    }

    async fn choose(&mut self, engine: &Engine, agent: AgentId, status: Status) {
        if let Ok(tasks) = engine.agent_event(agent, &AgentEvent::Status(status)).await {
            engine.perform_all(tasks).await;
        }
    }

    async fn stand(&mut self, engine: &Engine, agent: AgentId) {
        let Some((from, call_ms_max)) = self.stands else { return };
        if let Ok(tasks) = engine.stand(agent, from, call_ms_max).await {
            engine.perform_all(tasks).await;
        }
    }

    /// Says how the call went, and is ready, or takes a break.
    async fn write_up(&mut self, engine: &Engine, agent: AgentId, call: CallId, now: Timestamp) {
        let mut dice = self.dice(agent, now);
        let weights: Vec<f64> = self.crew.says.iter().map(|(w, _)| *w).collect();
        let code = self.crew.says.get(dice.pick(&weights)).map(|(_, code)| code.clone());
        let at = now + dice.between(Millis::from_hours(2), Millis::from_hours(48));
        let callback = Some(Callback { at, agent: dice.chance(0.5).then_some(agent) });
        if dice.chance(self.crew.breaks) && self.is_present(agent) {
            self.choose(engine, agent, Status::Away("break".into())).await;
            let back = now + self.crew.break_for.throw(&mut dice);
            self.note(back, agent, Act::Returns);
        }
        let said = match code {
            Some(code) => engine.dispose(call, Some(agent), &code, callback).await,
            None => engine.agent_event(agent, &AgentEvent::Ready).await,
        };
        match said {
            Ok(tasks) => engine.perform_all(tasks).await,
            // The call is gone already, or knows no such word: being ready is what matters.
            Err(_) => {
                if let Ok(tasks) = engine.agent_event(agent, &AgentEvent::Ready).await {
                    engine.perform_all(tasks).await;
                }
            }
        }
    }

    /// Sees what became of an agent.
    pub(super) async fn see(&mut self, store: &dyn Store, agent: AgentId, now: Timestamp) {
        let Ok(view) = store.agent(agent).await else { return };
        let row = &view.agent.row;
        let news = self.watch.see(row, now);
        if let State::WrapUp { call, until } = row.state
            && news
        {
            let takes = self.crew.wrap_up.throw(&mut self.dice(agent, now));
            self.note((now + takes).min(until), agent, Act::Writes(call));
        }
        let set_away = matches!(&row.status, Status::Away(why) if &**why == Status::MISSED);
        if set_away && self.is_present(agent) && news {
            self.note(now + Millis::from_mins(3), agent, Act::Returns);
        }
        if self.stands.is_some() && row.station.is_none() && self.is_present(agent) {
            self.note(now + Millis::from_secs(2), agent, Act::Stands);
        }
    }
}
