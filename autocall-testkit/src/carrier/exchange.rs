//! The carrier's heart: what happens when.

use super::desk::{Mood, Temper, address_key, number_of};
use super::lines::{Leg, Party, Phase, Placed};
use super::rooms::Rooms;
use super::{Click, Manners, Report, Usage};
use crate::dice::Dice;
use crate::people::{People, Pickup, purpose};
use autocall_core::agent::Address;
use autocall_core::call::{End, EndCause, LegFacts, Press, ProviderRef};
use autocall_core::ports::{Dial, Line, Refusal, Sighting, TelephonyError};
use autocall_core::script::{Accept, Audio, Script};
use autocall_core::{AgentId, LegId, Millis, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Something that will happen on a line, unless the line has moved on (`turn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    /// Leaves the queue and is set up.
    SetUp,
    /// Begins to ring, or fails.
    Ring,
    /// Has rung long enough.
    RingOut,
    /// Is picked up.
    PickUp,
    /// The detector speaks.
    Verdict,
    /// The person, or the recording machine, hangs up.
    HangUp,
    /// Is in the room that it was sent to.
    Enter,
    /// The conversation is over.
    TalkEnds,
    /// The agent says yes.
    Yes,
    /// The whisper is over and nobody said yes.
    NoKey,
    /// Presses the opt-out key.
    OptOut,
    /// The message is over.
    Played,
    /// The longest time of a call is up.
    TooLong,
}

/// An event with its place in time; ties happen in the order in which they were planned.
type Planned = Reverse<(Timestamp, u64, Line, Act, u32)>;

/// How many lines that are over are remembered for look-ups.
const OVER_MAX: usize = 100_000;

/// The carrier's state.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) manners: Manners,
    people: People,
    seed: u64,
    dice: Dice,
    pub(super) lines: BTreeMap<Line, Leg>,
    over: VecDeque<Line>,
    plans: BinaryHeap<Planned>,
    planned: u64,
    said: VecDeque<(Timestamp, Report)>,
    pub(super) rooms: Rooms,
    staff: BTreeMap<(u8, String), (AgentId, Temper)>,
    rings: BTreeMap<(u8, String), u32>,
    slots: BTreeMap<String, Timestamp>,
    pub(super) placed: Vec<Placed>,
    pub(super) usage: Usage,
}

impl Exchange {
    pub(super) fn new(people: People, manners: Manners, seed: u64) -> Exchange {
        Exchange {
            manners,
            people,
            seed,
            dice: Dice::named(seed, purpose::CARRIER, 0, 0),
            lines: BTreeMap::new(),
            over: VecDeque::new(),
            plans: BinaryHeap::new(),
            planned: 0,
            said: VecDeque::new(),
            rooms: Rooms::default(),
            staff: BTreeMap::new(),
            rings: BTreeMap::new(),
            slots: BTreeMap::new(),
            placed: Vec::new(),
            usage: Usage::default(),
        }
    }

    pub(super) fn staff(&mut self, agent: AgentId, address: &Address, temper: Temper) {
        self.staff.insert(address_key(address), (agent, temper));
    }

    pub(super) fn live(&self) -> Vec<Line> {
        self.lines.iter().filter(|(_, leg)| leg.phase != Phase::Over).map(|(line, _)| *line).collect()
    }

    pub(super) fn refusal(&mut self) -> Option<Refusal> {
        if self.manners.refuses > 0.0 && self.dice.chance(self.manners.refuses) {
            self.usage.refused += 1;
            return Some(Refusal::Busy { retry_after_ms: 1_000 });
        }
        None
    }

    /// Takes a call. It starts when the account's calls per second allow.
    pub(super) fn place(&mut self, dial: &Dial, now: Timestamp) -> ProviderRef {
        // A dial is given before its place in time, and leaves then.
        let leaves_at = now.max(dial.not_before);
        let slot = self.slots.entry(dial.account.to_string()).or_insert(now);
        let starts_at = (*slot).max(leaves_at);
        *slot = starts_at + Millis::from_secs_f64(1.0 / self.manners.calls_per_second.max(0.001));
        self.usage.placed(dial.line, starts_at - leaves_at);
        let provider = ProviderRef(format!("SIM{:08}", self.placed.len()).into());
        let party = self.party(dial, starts_at);
        let to = match (&dial.to, dial.line) {
            (Address::Phone(phone), Line::Leg(leg)) if leg.leg == LegId::CUSTOMER => Some(*phone),
            _ => None,
        };
        let log = self.placed.len();
        let placed = Placed { line: dial.line, to, at: now, provider: provider.clone(), ended_at: None, rang_at: None };
        self.placed.push(placed);
        // A second dial of one line is what the log exists to show; the line itself stays one.
        if self.lines.contains_key(&dial.line) {
            return provider;
        }
        let facts = LegFacts { provider: Some(provider.clone()), ..LegFacts::default() };
        let leg = Leg {
            dial: dial.clone(),
            log,
            party,
            phase: Phase::Queued,
            facts,
            script: None,
            room: None,
            turn: 0,
            talks_since: None,
            has_talked: false,
        };
        self.lines.insert(dial.line, leg);
        self.plan(starts_at, dial.line, Act::SetUp);
        provider
    }

    fn party(&mut self, dial: &Dial, now: Timestamp) -> Party {
        let key = address_key(&dial.to);
        let nth = self.rings.entry(key.clone()).or_insert(0);
        *nth += 1;
        match (&dial.to, dial.line) {
            (Address::Phone(phone), Line::Leg(leg)) if leg.leg == LegId::CUSTOMER => {
                Party::Customer(self.people.pickup(*phone, *nth, now))
            }
            _ => {
                let mut dice = Dice::named(self.seed, purpose::AGENT, number_of(&key), u64::from(*nth));
                let temper = self.staff.get(&key).map_or_else(Temper::default, |(_, t)| t.clone());
                Party::Agent(temper.mood(&mut dice))
            }
        }
    }

    /// Plans an act on a line as it is now.
    pub(super) fn plan(&mut self, at: Timestamp, line: Line, act: Act) {
        let turn = self.lines.get(&line).map_or(0, |l| l.turn);
        self.planned += 1;
        self.plans.push(Reverse((at, self.planned, line, act, turn)));
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let plan = self.plans.peek().map(|Reverse((at, ..))| *at);
        let said = self.said.front().map(|(at, _)| *at);
        [plan, said].into_iter().flatten().min()
    }

    /// Acts until `now`, then hands out the reports that are due.
    pub(super) fn step(&mut self, now: Timestamp) -> Vec<Report> {
        while let Some(Reverse((at, _, line, act, turn))) = self.plans.peek().copied() {
            if at > now {
                break;
            }
            self.plans.pop();
            self.act(at, line, act, turn);
        }
        let mut due = Vec::new();
        while self.said.front().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.said.pop_front().map(|(_, report)| report));
        }
        due
    }

    /// Says something about a line; a little later, as reports go.
    pub(super) fn say(&mut self, now: Timestamp, line: Line, facts: LegFacts, asks: bool) {
        let Some(leg) = self.lines.get(&line) else { return };
        let report = Report::Line { line, facts: Box::new(leg.say(facts)), asks: asks.then_some(leg.turn) };
        self.said.push_back((now + self.manners.report_after, report));
    }

    fn act(&mut self, now: Timestamp, line: Line, act: Act, turn: u32) {
        let Some(leg) = self.lines.get(&line) else { return };
        // What belongs to the line itself happens whatever it hears.
        let lasting = matches!(act, Act::SetUp | Act::Ring | Act::RingOut | Act::PickUp | Act::Verdict | Act::TooLong);
        if leg.phase == Phase::Over || (!lasting && leg.turn != turn) {
            return;
        }
        match act {
            Act::SetUp => self.set_up(line, now),
            Act::Ring => self.ring(line, now),
            Act::RingOut if leg.phase == Phase::Ringing => self.end(line, EndCause::NoAnswer, now),
            Act::PickUp if leg.phase == Phase::Ringing => self.pick_up(line, now),
            Act::Verdict => self.verdict(line, now),
            Act::HangUp if leg.talks_since.is_none() => self.end(line, EndCause::Completed, now),
            Act::Enter => self.enter(line, now),
            Act::TalkEnds => self.talk_ends(line, now),
            Act::Yes => self.say_yes(line, now),
            Act::NoKey => self.say(now, line, LegFacts { declined_at: Some(now), ..LegFacts::default() }, true),
            Act::OptOut => self.say(now, line, LegFacts { opted_out_at: Some(now), ..LegFacts::default() }, true),
            Act::Played => self.played(line, now),
            Act::TooLong => self.end(line, EndCause::Completed, now),
            Act::RingOut | Act::PickUp | Act::HangUp => {}
        }
    }

    fn set_up(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        match &leg.party {
            Party::Customer(Pickup::Invalid) => self.end(line, EndCause::InvalidNumber, now),
            Party::Customer(Pickup::Blocked) => self.end(line, EndCause::Blocked, now),
            Party::Customer(
                Pickup::Unreachable { after: setup }
                | Pickup::Busy { after: setup }
                | Pickup::NoAnswer { setup }
                | Pickup::Fax { setup, .. }
                | Pickup::Machine { setup, .. }
                | Pickup::Person { setup, .. },
            ) => {
                let at = now + *setup;
                self.plan(at, line, Act::Ring);
            }
            Party::Agent(_) => self.plan(now + Millis::from_ms(500), line, Act::Ring),
        }
    }

    fn ring(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        let ring = match &leg.party {
            Party::Customer(Pickup::Unreachable { .. }) => return self.end(line, EndCause::Failed, now),
            Party::Customer(Pickup::Busy { .. }) | Party::Agent(Mood::Busy) => {
                return self.end(line, EndCause::Busy, now);
            }
            Party::Customer(Pickup::Fax { ring, .. } | Pickup::Machine { ring, .. } | Pickup::Person { ring, .. })
            | Party::Agent(Mood::Takes { ring, .. } | Mood::Declines { ring, .. } | Mood::Voicemail { ring }) => {
                Some(*ring)
            }
            Party::Customer(_) | Party::Agent(Mood::Ignores) => None,
        };
        leg.phase = Phase::Ringing;
        leg.facts.ringing_at = Some(now);
        let log = leg.log;
        let ring_max = Millis::from_ms(i64::from(leg.dial.ring_ms_max));
        self.placed[log].rang_at = Some(now);
        self.say(now, line, LegFacts { ringing_at: Some(now), ..LegFacts::default() }, false);
        match ring.filter(|r| *r < ring_max) {
            Some(ring) => self.plan(now + ring, line, Act::PickUp),
            None => self.plan(now + ring_max, line, Act::RingOut),
        }
    }

    fn pick_up(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        leg.phase = Phase::Up;
        leg.facts.answered_at = Some(now);
        let too_long = now + Millis::from_ms(i64::from(leg.dial.call_ms_max));
        self.say(now, line, LegFacts { answered_at: Some(now), ..LegFacts::default() }, true);
        self.plan(too_long, line, Act::TooLong);
        self.plan_verdict(line, now);
        self.alone(line, now, None);
    }

    fn plan_verdict(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        let (Some(amd), Party::Customer(pickup)) = (leg.dial.amd, &leg.party) else { return };
        let verdict = match pickup {
            Pickup::Person { person, .. } => person.opinion.verdict(amd.mode, amd.preset, None),
            Pickup::Machine { machine, .. } => machine.opinion.verdict(amd.mode, amd.preset, Some(machine)),
            Pickup::Fax { .. } => Some((autocall_core::call::Verdict::Fax, Millis::from_ms(2_500))),
            _ => None,
        };
        if let Some((class, after)) = verdict {
            let at = now + after;
            if let Some(leg) = self.lines.get_mut(&line) {
                // Kept aside until the detector speaks.
                leg.facts.verdict = Some((class, at));
            }
            self.plan(at, line, Act::Verdict);
        }
    }

    fn verdict(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        let greeting_end_at = match &leg.party {
            Party::Customer(Pickup::Person { person, .. }) => leg.facts.answered_at.map(|at| at + person.greeting),
            _ => None,
        };
        let verdict = leg.facts.verdict;
        self.say(now, line, LegFacts { verdict, greeting_end_at, ..LegFacts::default() }, false);
    }

    /// Plans when somebody who hears nobody hangs up; `last` where they have just been left.
    pub(super) fn alone(&mut self, line: Line, now: Timestamp, last: Option<Millis>) {
        let Some(leg) = self.lines.get(&line) else { return };
        let answered_at = leg.facts.answered_at.unwrap_or(now);
        let until = match &leg.party {
            Party::Customer(Pickup::Person { person, .. }) => {
                last.map_or(answered_at + person.greeting + person.patience, |d| now + d)
            }
            Party::Customer(Pickup::Machine { machine, .. }) => answered_at + machine.greeting + machine.records,
            Party::Customer(Pickup::Fax { .. }) => answered_at + Millis::from_secs(40),
            _ => return,
        };
        self.plan(until.max(now), line, Act::HangUp);
    }

    fn say_yes(&mut self, line: Line, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        let Some(Script::Whisper { accept, .. }) = &leg.script else { return };
        let key = match accept {
            Accept::AnyKey => '1',
            Accept::Key(key) => *key,
            Accept::Console | Accept::Without => {
                let at_desk = self.staff.get(&address_key(&leg.dial.to)).map(|(agent, _)| *agent);
                if let (Some(agent), Line::Leg(leg)) = (at_desk, line) {
                    self.click(now, agent, Click::Accept(leg.call));
                }
                return;
            }
        };
        self.say(now, line, LegFacts { accepted: Some(Press { at: now, key }), ..LegFacts::default() }, true);
    }

    pub(super) fn click(&mut self, now: Timestamp, agent: AgentId, click: Click) {
        self.said.push_back((now + self.manners.report_after, Report::Desk { agent, click }));
    }

    fn played(&mut self, line: Line, now: Timestamp) {
        if let Some(leg) = self.lines.get_mut(&line) {
            leg.facts.message_end_at = Some(now);
        }
        self.say(now, line, LegFacts { message_end_at: Some(now), ..LegFacts::default() }, true);
    }

    /// A line is over: it leaves its room, is billed, and says so.
    pub(super) fn end(&mut self, line: Line, cause: EndCause, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        if leg.phase == Phase::Over {
            return;
        }
        let end = End { cause, at: now };
        self.usage.ended(line, leg, now);
        leg.facts.end = Some(end);
        leg.phase = Phase::Over;
        leg.turn += 1;
        let log = leg.log;
        self.placed[log].ended_at = Some(now);
        self.leave(line, now);
        self.say(now, line, LegFacts { end: Some(end), ..LegFacts::default() }, false);
        self.over.push_back(line);
        if self.over.len() > OVER_MAX
            && let Some(old) = self.over.pop_front()
        {
            self.lines.remove(&old);
        }
    }

    /// The answer to a question, unless the line has moved on since.
    pub(super) fn answered(&mut self, line: Line, asks: u32, script: Option<&Script>, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        if leg.turn != asks || leg.phase == Phase::Over {
            return;
        }
        match script {
            Some(script) => self.follow(line, script, now),
            None => self.end(line, EndCause::Completed, now),
        }
    }

    pub(super) fn steer(&mut self, line: Line, script: &Script, now: Timestamp) -> Result<(), TelephonyError> {
        let leg = self.lines.get(&line).filter(|l| l.phase != Phase::Over).ok_or(TelephonyError::NotUp)?;
        if *script == Script::Hangup {
            self.hang_up(line, now);
            return Ok(());
        }
        if !leg.is_up() {
            return Err(TelephonyError::NotUp);
        }
        self.follow(line, script, now);
        Ok(())
    }

    fn hang_up(&mut self, line: Line, now: Timestamp) {
        let up = self.lines.get(&line).is_some_and(Leg::is_up);
        self.end(line, if up { EndCause::Completed } else { EndCause::Canceled }, now);
    }

    /// The line does as it is told from now on.
    fn follow(&mut self, line: Line, script: &Script, now: Timestamp) {
        let Some(leg) = self.lines.get_mut(&line) else { return };
        if !leg.is_up() {
            return if *script == Script::Hangup {
                self.hang_up(line, now)
            };
        }
        if let (Script::Join { room, .. }, Some((inside, _))) = (script, leg.room)
            && *room == inside
        {
            // Told again what it does already: it says so again, and nothing else changes.
            return self.say_joined(line, now);
        }
        leg.turn += 1;
        leg.script = Some(script.clone());
        self.leave(line, now);
        match script {
            Script::Wait => self.alone(line, now, None),
            Script::Join { .. } => {
                self.plan(now + self.manners.join_after, line, Act::Enter);
                self.alone(line, now, None);
            }
            Script::Whisper { text, wait_ms, .. } => {
                let words = spoken(text.expose());
                self.whispered(line, words, Millis::from_ms(i64::from(*wait_ms)), now);
            }
            Script::Message { audio, opt_out, .. } => self.message(line, audio, *opt_out, now),
            Script::Hangup => self.hang_up(line, now),
        }
    }

    fn whispered(&mut self, line: Line, words: Millis, wait: Millis, now: Timestamp) {
        let Some(leg) = self.lines.get(&line) else { return };
        match &leg.party {
            Party::Agent(Mood::Takes { accept, .. }) if *accept < words + wait => {
                let at = now + *accept;
                self.plan(at, line, Act::Yes);
            }
            Party::Agent(Mood::Declines { after, .. }) => {
                let at = now + *after;
                self.plan(at, line, Act::HangUp);
            }
            _ => self.plan(now + words + wait, line, Act::NoKey),
        }
    }

    fn message(&mut self, line: Line, audio: &Audio, opt_out: Option<char>, now: Timestamp) {
        let length = match audio {
            Audio::File(_) => Millis::from_secs(15),
            Audio::Say { text, .. } => spoken(text),
            Audio::Silence => Millis::from_secs(1),
        };
        let Some(leg) = self.lines.get_mut(&line) else { return };
        leg.facts.message_at = Some(now);
        let presses = match &leg.party {
            Party::Customer(Pickup::Person { person, .. }) => person.opts_out && opt_out.is_some(),
            _ => false,
        };
        self.say(now, line, LegFacts { message_at: Some(now), ..LegFacts::default() }, false);
        if presses {
            self.plan(now + length / 2, line, Act::OptOut);
        }
        self.plan(now + length, line, Act::Played);
    }

    pub(super) fn lookup(&self, line: Line) -> Sighting {
        match self.lines.get(&line) {
            None => Sighting::Absent,
            Some(leg) => {
                let mut facts = leg.facts.clone();
                // A verdict that is still to come is nobody's knowledge yet.
                facts.verdict = facts.verdict.filter(|_| self.spoken_already(line));
                Sighting::Seen(facts)
            }
        }
    }

    fn spoken_already(&self, line: Line) -> bool {
        !self.plans.iter().any(|Reverse((_, _, l, act, _))| *l == line && *act == Act::Verdict)
    }

    /// How long the agent at the end of this line needs to see that a machine is talking.
    pub(super) fn spots_machine(&mut self, agent_line: Line) -> Millis {
        let key = self.lines.get(&agent_line).map(|l| address_key(&l.dial.to));
        let temper = key.and_then(|k| self.staff.get(&k)).map_or_else(Temper::default, |(_, t)| t.clone());
        temper.spots_machine.throw(&mut self.dice)
    }
}

/// How long a text takes to say: about fifteen characters a second.
fn spoken(text: &str) -> Millis {
    Millis::from_ms((text.chars().count() as i64 * 66).max(1_000))
}
