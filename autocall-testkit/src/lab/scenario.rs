//! Worlds to pace in.

use super::law::{Dice, Law};
use autocall_core::pacing::{LedgerRules, Misjudged, Transfer};

/// A world: agents, leads and a carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The cell's published name.
    pub name: String,
    /// Agents on the roster.
    pub agents: u32,
    /// A working day, seconds.
    pub day_s: u32,
    /// Cut the nights out: the world stands still and goes on next morning.
    pub continuous: bool,
    /// Forget everything learned each morning.
    pub cold: bool,
    /// Restart at noon from the stored checkpoint.
    pub restart: bool,
    /// Share of dials answered by a person, before [`Scenario::drift`].
    pub answer: f64,
    /// Ring time until a person answers.
    pub ring: Law,
    /// What happens to the others: `(share, ring time)` of fast failure, machine, no answer; the
    /// shares add up to one.
    pub others: [(f64, Law); 3],
    /// Conversation.
    pub talk: Law,
    /// Write-up.
    pub wrap: Law,
    /// How the answer share moves.
    pub drift: Drift,
    /// When agents are there.
    pub shift: Shift,
    /// How long a person may be held, milliseconds.
    pub hold_ms: u32,
    /// Machine detection.
    pub amd: Option<Amd>,
    /// Dials per second that the carrier allows.
    pub cps: Option<f64>,
    /// Lines.
    pub lines: Option<u32>,
    /// Leads a day.
    pub leads: Option<u32>,
    /// Events late or lost.
    pub trouble: bool,
    /// Inbound calls per agent and hour, answered by the same agents.
    pub inbound: f64,
    /// How agents are reached, and how long that takes.
    pub transfer: (Transfer, Law),
    /// The ledger that all must hold.
    pub rules: LedgerRules,
    /// Whether ringing calls may be let go.
    pub cancel: bool,
}

/// How the answer share moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drift {
    /// Not at all.
    None,
    /// A sine over the day: up and down by this share.
    Diurnal(f64),
    /// Times this factor from the middle of the day.
    Step(f64),
    /// For six minutes of every forty, times this factor.
    Bursts(f64),
    /// Runs of `run` leads answer alternately at the first and the second factor.
    Clumps {
        /// Leads in a run.
        run: u64,
        /// Factor in odd runs.
        low: f64,
        /// Factor in even runs.
        high: f64,
    },
    /// Two lists mixed lead by lead: class 0 at the first share, class 1 at the second, whose talks
    /// are half as long.
    Classes(f64, f64),
}

/// When agents are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// All day.
    Steady,
    /// They log in over the first hour.
    Staggered,
    /// 40 % leave within a minute at noon for half an hour.
    Lunch,
    /// They leave one by one over the last hour.
    Drain,
    /// Each is gone without notice every hour or so, for five minutes.
    DropOuts,
}

/// Machine detection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amd {
    /// From a person's pick-up to the verdict.
    pub person: Law,
    /// From a machine's pick-up to the verdict.
    pub machine: Law,
    /// Share of people taken for machines.
    pub person_missed: f64,
    /// Share of machines taken for people; an agent finds out in eight seconds.
    pub machine_missed: f64,
}

/// What a dialled lead turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A person.
    Person,
    /// An answering machine.
    Machine,
    /// Nobody: refused, failed, busy or not answered.
    Nobody,
}

/// One lead's fate, drawn from the seed and the lead's number alone (and the hour, for drift).
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// What it is.
    pub nature: Nature,
    /// From dial to pick-up or end, seconds.
    pub ring_s: f64,
    /// From pick-up to verdict, seconds.
    pub verdict_s: f64,
    /// The verdict is wrong.
    pub misjudged: bool,
    /// Conversation, seconds.
    pub talk_s: f64,
    /// Write-up, seconds.
    pub wrap_s: f64,
    /// The end is reported this much late, seconds.
    pub late_s: f64,
    /// Until the agent is on the line, seconds.
    pub join_s: f64,
}

/// The ledger as shipped, in a world where detection makes no mistakes.
pub(super) fn ledger() -> LedgerRules {
    LedgerRules { misjudged: Misjudged::Ignored, ..LedgerRules::default() }
}

impl Scenario {
    /// The exponential world of the exact optimum: no AMD, no hold, no wrap-up, ring mean 12 s,
    /// handling mean 150 s, the cap on the 30-day ledger alone, no call let go.
    pub fn exponential(agents: u32, answer: f64) -> Self {
        let ring = Law::Exp(12.0);
        Scenario {
            name: format!("exp n={agents} p={answer}"),
            agents,
            day_s: 8 * 3600,
            continuous: true,
            cold: false,
            restart: false,
            answer,
            ring,
            others: [(0.0, ring), (0.0, ring), (1.0, ring)],
            talk: Law::Exp(150.0),
            wrap: Law::Fixed(0.0),
            drift: Drift::None,
            shift: Shift::Steady,
            hold_ms: 0,
            amd: None,
            cps: None,
            lines: None,
            leads: None,
            trouble: false,
            inbound: 0.0,
            transfer: (Transfer::Standing, Law::Fixed(0.0)),
            rules: LedgerRules { per_day: false, deadline_ms: 0, ..ledger() },
            cancel: false,
        }
    }

    /// A realistic stationary world: log-normal ring to a person, 12 % fast failures, voicemail
    /// after about 23 s, no answer after 28 s, short and long talks, log-normal wrap-up, two
    /// seconds to hold.
    pub fn realistic(name: &str, agents: u32, answer: f64) -> Self {
        Scenario {
            name: name.to_owned(),
            continuous: false,
            ring: Law::LogNormal { mean: 9.0, cv: 0.55 },
            others: [
                (0.12, Law::Uniform(1.0, 3.0)),
                (0.48, Law::LogNormal { mean: 23.0, cv: 0.15 }),
                (0.40, Law::Fixed(28.0)),
            ],
            talk: Law::Mix { share: 0.35, short: 30.0, long: 168.0, cv: 0.8 },
            wrap: Law::LogNormal { mean: 30.0, cv: 0.6 },
            hold_ms: 2000,
            rules: ledger(),
            cancel: true,
            ..Scenario::exponential(agents, answer)
        }
    }

    /// The class and the answer share of a lead dialled so far into the day.
    pub fn answer_at(&self, lead: u64, into_day_s: f64) -> (u16, f64) {
        let part = into_day_s / f64::from(self.day_s);
        let factor = match self.drift {
            Drift::None => 1.0,
            Drift::Diurnal(swing) => 1.0 + swing * (std::f64::consts::TAU * part).sin(),
            Drift::Step(factor) => {
                if part < 0.5 {
                    1.0
                } else {
                    factor
                }
            }
            Drift::Bursts(factor) => {
                if into_day_s % 2400.0 < 360.0 {
                    factor
                } else {
                    1.0
                }
            }
            Drift::Clumps { run, low, high } => {
                if (lead / run).is_multiple_of(2) {
                    high
                } else {
                    low
                }
            }
            Drift::Classes(a, b) => {
                let second = lead % 2;
                return (second as u16, if second == 0 { a } else { b });
            }
        };
        (0, (self.answer * factor).clamp(0.0, 0.95))
    }

    /// The class of a lead that has not been dialled yet.
    pub fn class_of(&self, lead: u64) -> u16 {
        if matches!(self.drift, Drift::Classes(..)) { (lead % 2) as u16 } else { 0 }
    }

    /// The fate of a lead dialled so far into the day.
    pub fn fate(&self, seed: u64, lead: u64, into_day_s: f64) -> Fate {
        let (class, share) = self.answer_at(lead, into_day_s);
        let mut d = Dice::of(seed, 1, lead);
        let (u, v, w) = (d.unit(), d.unit(), d.unit());
        let mut times = Dice::of(seed, 2, lead);
        let talk_s = self.talk.draw(&mut times) * if class == 1 { 0.5 } else { 1.0 };
        let wrap_s = self.wrap.draw(&mut times);
        let join_s = self.transfer.1.draw(&mut times);
        let late = self.trouble && times.chance(0.1);
        let mut fate = Fate {
            nature: Nature::Nobody,
            ring_s: 0.0,
            verdict_s: 0.0,
            misjudged: false,
            talk_s,
            wrap_s,
            late_s: if late { 30.0 } else { 0.0 },
            join_s,
        };
        if self.trouble && times.chance(0.05) {
            fate.ring_s = 1.0;
            return fate;
        }
        if u < share {
            fate.nature = Nature::Person;
            fate.ring_s = self.ring.draw(&mut times);
            if let Some(amd) = self.amd {
                fate.verdict_s = amd.person.draw(&mut times);
                fate.misjudged = w < amd.person_missed;
            }
            return fate;
        }
        let [(fast, fast_ring), (machine, machine_ring), (_, no_answer)] = self.others;
        if v < fast {
            fate.ring_s = fast_ring.draw(&mut times);
        } else if v < fast + machine {
            fate.ring_s = machine_ring.draw(&mut times);
            fate.nature = Nature::Machine;
            if let Some(amd) = self.amd {
                fate.verdict_s = amd.machine.draw(&mut times);
                fate.misjudged = w < amd.machine_missed;
            }
        } else {
            fate.ring_s = no_answer.draw(&mut times);
        }
        fate
    }
}
