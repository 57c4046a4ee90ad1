//! A carrier that does exactly what a test says.
//!
//! Each dial takes the first [`Line`] script that fits it: how the dial
//! itself is answered, what is then reported and when, and what look-ups say. Everything that was
//! asked of it is in its log.

use crate::clock::SimClock;
use async_trait::async_trait;
use autocall_core::call::{End, EndCause, LegFacts, Press, ProviderRef, Verdict};
use autocall_core::ports::{
    Capabilities, Dial, DialError, DialPermit, Line, Refusal, Sighting, Telephony, TelephonyError,
};
use autocall_core::script::Script;
use autocall_core::{LegId, Millis, Phone, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that happens on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It rings.
    Ring,
    /// It is picked up, and asks what it should hear.
    PickUp,
    /// The detector speaks.
    Verdict(Verdict),
    /// A key accepts the offer; the line asks.
    Press(char),
    /// The whisper is over without a key; the line asks.
    Decline,
    /// It is in the call's room.
    Join,
    /// It is in the agent's room.
    JoinAgent,
    /// It left the agent's room; the line asks.
    Leave,
    /// A message begins.
    MessageBegins,
    /// A message is over; the line asks.
    MessageEnds,
    /// The opt-out key; the line asks.
    OptOut,
    /// It is over.
    End(EndCause),
}

impl Step {
    fn facts(self, at: Timestamp) -> LegFacts {
        let none = LegFacts::default();
        match self {
            Step::Ring => LegFacts { ringing_at: Some(at), ..none },
            Step::PickUp => LegFacts { answered_at: Some(at), ..none },
            Step::Verdict(verdict) => LegFacts { verdict: Some((verdict, at)), ..none },
            Step::Press(key) => LegFacts { accepted: Some(Press { at, key }), ..none },
            Step::Decline => LegFacts { declined_at: Some(at), ..none },
            Step::Join => LegFacts { joined_at: Some(at), ..none },
            Step::JoinAgent => LegFacts { joined_agent_at: Some(at), ..none },
            Step::Leave => LegFacts { left_at: Some(at), ..none },
            Step::MessageBegins => LegFacts { message_at: Some(at), ..none },
            Step::MessageEnds => LegFacts { message_end_at: Some(at), ..none },
            Step::OptOut => LegFacts { opted_out_at: Some(at), ..none },
            Step::End(cause) => LegFacts { end: Some(End { cause, at }), ..none },
        }
    }
    fn asks(self) -> bool {
        matches!(self, Step::PickUp | Step::Press(_) | Step::Decline | Step::Leave | Step::MessageEnds | Step::OptOut)
    }
}

/// How the dial itself is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Placed, and said so.
    Placed,
    /// Not placed, and said so.
    Refused(Refusal),
    /// Placed, and the answer is lost.
    PlacedInDoubt,
    /// Not placed, and the answer is lost.
    LostInDoubt,
}

/// What one look-up says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The truth.
    Right,
    /// "Absent", whatever is true.
    Absent,
    /// Nothing: the carrier cannot be reached.
    Unavailable,
}

/// What a dial meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// How the dial is answered.
    pub answer: Answer,
    /// What happens then, each so long after the dial.
    pub steps: Vec<(Millis, Step)>,
    /// What look-ups say, in order; after the last one, the truth.
    pub looks: Vec<Look>,
}

impl Plot {
    /// Placed; then these steps, each so many milliseconds after the dial.
    pub fn steps(steps: &[(i64, Step)]) -> Plot {
        let steps = steps.iter().map(|&(ms, step)| (Millis::from_ms(ms), step)).collect();
        Plot { answer: Answer::Placed, steps, looks: Vec::new() }
    }
    /// The same with another answer to the dial.
    pub fn answered(mut self, answer: Answer) -> Plot {
        self.answer = answer;
        self
    }
    /// The same with look-ups that say this.
    pub fn looked_up(mut self, looks: &[Look]) -> Plot {
        self.looks = looks.to_vec();
        self
    }
}

/// Which dials a plot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    /// A customer at this number.
    Customer(Phone),
    /// Any customer.
    AnyCustomer,
    /// Any agent's leg of a call.
    AnyAgent,
    /// Any standing leg.
    AnyStation,
}

impl Meets {
    fn fits(self, dial: &Dial) -> bool {
        let customer = matches!(dial.line, Line::Leg(leg) if leg.leg == LegId::CUSTOMER);
        match self {
            Meets::Customer(phone) => customer && dial.to == autocall_core::agent::Address::Phone(phone),
            Meets::AnyCustomer => customer,
            Meets::AnyAgent => !customer && matches!(dial.line, Line::Leg(_)),
            Meets::AnyStation => matches!(dial.line, Line::Station(_)),
        }
    }
}

/// What was asked of the carrier.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// A dial, at this instant.
    Dial(Timestamp, Dial),
    /// A steer.
    Steer(Timestamp, Line, Script),
    /// A look-up.
    LookUp(Timestamp, Line),
}

/// Something the carrier says.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// About which line.
    pub line: Line,
    /// What.
    pub facts: LegFacts,
    /// Whether it asks what the line should hear.
    pub asks: bool,
}

#[derive(Debug, Default)]
struct State {
    plots: Vec<(Meets, VecDeque<Plot>)>,
    log: Vec<Asked>,
    known: BTreeMap<Line, LegFacts>,
    looks: BTreeMap<Line, VecDeque<Look>>,
    coming: BTreeMap<(Timestamp, u64), (Line, Step)>,
    count: u64,
}

/// The fake carrier.
#[derive(Debug)]
pub struct FakeTelephony {
    clock: SimClock,
    state: Mutex<State>,
}

impl FakeTelephony {
    /// A carrier that places every dial and reports nothing.
    pub fn new(clock: SimClock) -> FakeTelephony {
        FakeTelephony { clock, state: Mutex::default() }
    }
    /// Scripts dials: the first that fits meets the first plot, and so on; the last one stays.
    pub fn script(&self, meets: Meets, plots: impl IntoIterator<Item = Plot>) {
        self.lock().plots.push((meets, plots.into_iter().collect()));
    }
    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.lock().coming.keys().next().map(|(at, _)| *at)
    }
    /// What has happened by now and was not said yet, in order.
    pub fn said(&self) -> Vec<Said> {
        let now = self.clock.now();
        let mut state = self.lock();
        let mut said = Vec::new();
        while let Some(entry) = state.coming.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), (line, step)) = entry.remove_entry();
            let Some(known) = state.known.get_mut(&line).filter(|k| !k.is_over()) else { continue };
            known.merge(&step.facts(at));
            let facts = LegFacts { provider: known.provider.clone(), ..step.facts(at) };
            said.push(Said { line, facts, asks: step.asks() });
        }
        said
    }
    /// Everything that was asked of it, in order.
    pub fn log(&self) -> Vec<Asked> {
        self.lock().log.clone()
    }
    /// Every dial, in order.
    pub fn dialled(&self) -> Vec<Dial> {
        let dial = |asked: &Asked| if let Asked::Dial(_, dial) = asked { Some(dial.clone()) } else { None };
        self.lock().log.iter().filter_map(dial).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn plot(&mut self, dial: &Dial) -> Plot {
        let fitting = self.plots.iter_mut().find(|(meets, plots)| meets.fits(dial) && !plots.is_empty());
        match fitting {
            Some((_, plots)) if plots.len() > 1 => plots.pop_front(),
            Some((_, plots)) => plots.front().cloned(),
            None => None,
        }
        .unwrap_or_else(|| Plot::steps(&[]))
    }

    fn place(&mut self, dial: &Dial, plot: &Plot, now: Timestamp) -> ProviderRef {
        let provider = ProviderRef(format!("FAKE{}", self.log.len()).into());
        self.known.insert(dial.line, LegFacts { provider: Some(provider.clone()), ..LegFacts::default() });
        for (after, step) in &plot.steps {
            self.count += 1;
            self.coming.insert((now + *after, self.count), (dial.line, *step));
        }
        provider
    }
}

#[async_trait]
impl Telephony for FakeTelephony {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        let now = self.clock.now();
        permit.redeem(now).map_err(|_| DialError::Refused(Refusal::Expired))?;
        let mut state = self.lock();
        state.log.push(Asked::Dial(now, dial.clone()));
        let plot = state.plot(dial);
        state.looks.insert(dial.line, plot.looks.iter().copied().collect());
        match &plot.answer {
            Answer::Placed => Ok(state.place(dial, &plot, now)),
            Answer::Refused(refusal) => Err(DialError::Refused(refusal.clone())),
            Answer::PlacedInDoubt => {
                state.place(dial, &plot, now);
                Err(DialError::InDoubt("the answer was lost".into()))
            }
            Answer::LostInDoubt => Err(DialError::InDoubt("the request was lost".into())),
        }
    }

    async fn steer(
        &self,
        line: Line,
        _leg: &ProviderRef,
        _account: &str,
        script: &Script,
    ) -> Result<(), TelephonyError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.log.push(Asked::Steer(now, line, script.clone()));
        let up = state.known.get(&line).is_some_and(|k| !k.is_over());
        if !up {
            return Err(TelephonyError::NotUp);
        }
        if *script == Script::Hangup {
            state.coming.retain(|_, (l, _)| *l != line);
            state.count += 1;
            let at = (now, state.count);
            state.coming.insert(at, (line, Step::End(EndCause::Completed)));
        }
        Ok(())
    }

    async fn lookup(
        &self,
        line: Line,
        _account: &str,
        _known: Option<&ProviderRef>,
        _since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.log.push(Asked::LookUp(now, line));
        match state.looks.get_mut(&line).and_then(VecDeque::pop_front).unwrap_or(Look::Right) {
            Look::Right => Ok(state.known.get(&line).map_or(Sighting::Absent, |k| Sighting::Seen(k.clone()))),
            Look::Absent => Ok(Sighting::Absent),
            Look::Unavailable => Err(TelephonyError::Unavailable("scripted".into())),
        }
    }
}
