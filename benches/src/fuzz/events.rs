//! Sequences of events thrown at the Call machine: everything that a carrier, an agent, a clock
//! and a user could tell it, in any order, twice or never.
//!
//! Laws: any event is accepted in any state; a settled call does nothing more; it settles exactly
//! once, and always, if only time passes; it holds at most one agent, lets go of whom it held, and
//! never asks one who passed; a fact told twice changes nothing the second time; it survives being
//! stored.

use super::{Behaviour, Target};
use autocall_core::agent::AgentEvent;
use autocall_core::call::{
    Call, CallPlan, Context, Effect, End, EndCause, Event, FreeAgent, LegFacts, Press, ProviderRef, Stage, Stop,
    Verdict,
};
use autocall_core::private::Private;
use autocall_core::script::{Accept, Audio, Script};
use autocall_core::settings::{AmdMode, OnMachine, OnUnclear, Settings, TransferMode};
use autocall_core::{AgentId, CallId, CampaignId, LeadId, Millis, Phone, TenantId, Timestamp};
use std::sync::Arc;

/// The Call machine.
pub struct Events;

const TENANT: TenantId = TenantId(1);
/// When the call begins.
const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Agents who can be free.
const AGENTS: u8 = 6;
/// Ticks after which a call left alone must have settled. A leg causes at most 400 look-ups, a
/// call has at most 32 legs, and each look-up and each deadline is one tick.
const TICKS_MAX: usize = 32 * 500;

impl Target for Events {
    fn seeds(&self) -> Vec<Vec<u8>> {
        // Settings (three bytes), then operations; see `Tape`.
        vec![
            vec![0, 0, 0],
            // On demand: rings, is answered, is a person; an agent rings, accepts, joins; both end.
            vec![
                0,
                0,
                0,
                0,
                0,
                0b0000_0111,
                1,
                0,
                0,
                8,
                5,
                0,
                1,
                0b0000_0011,
                0,
                0,
                1,
                0b0010_0000,
                0,
                0,
                1,
                16,
                2,
                0,
                0,
                128,
                7,
            ],
            // Standing agents.
            vec![1, 0, 63, 0, 0, 0b0000_0111, 1, 0, 0, 8, 5, 0, 0, 0b0100_0000, 0, 6, 0],
            // Agentless, with a message.
            vec![2, 1, 0, 0, 0, 0b0000_0011, 1, 0, 0, 8, 5, 0, 0, 64, 3],
            // A machine with a greeting and a message to leave.
            vec![8, 3, 0, 0, 0, 3, 0, 0, 0, 8, 2, 7, 30, 0, 0, 8, 4, 7, 60],
            // Never heard of.
            vec![0, 0, 0, 2, 0, 7, 200, 2, 0, 7, 200, 2, 0, 7, 255],
            vec![0, 4, 63, 4, 0, 4, 1, 4, 2, 3, 0, 1, 5, 0, 7, 9],
        ]
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            &[0, 0, 3],
            &[0, 0, 7],
            &[0, 0, 8, 5],
            &[0, 1, 3],
            &[0, 1, 16],
            &[0, 1, 32],
            &[0, 0, 128, 7],
            &[2, 0],
            &[2, 1],
            &[3, 1, 1],
            &[4, 0],
            &[4, 1],
            &[4, 2],
            &[5, 0],
            &[6, 0],
            &[6, 63],
            &[7, 1],
            &[7, 30],
            &[7, 255],
        ]
    }

    fn run(&self, input: &[u8], said: &mut Behaviour) {
        let mut tape = Tape(input.iter());
        let (settings, plan) = setting(&mut tape);
        let mut free = free_agents(tape.next(), plan.mode);
        let mut watch = Watch::new(Call::new(CallId::small(TENANT, 1), Arc::new(plan), START), settings);
        while let Some(step) = tape.step() {
            match step {
                Step::Wait(span) => watch.now += span,
                Step::Free(bits) => free = free_agents(bits, watch.call.plan.mode),
                Step::Event(event) => {
                    let legs = watch.call.legs.len();
                    watch.handle(&event, &free, said);
                    watch.stored();
                    // A fact about a leg that was only made by handling it is news the second time.
                    if matches!(*event, Event::Facts { leg, .. } if usize::from(leg) < legs) {
                        watch.again(&event, &free);
                    }
                }
            }
        }
        watch.left_alone(said);
    }
}

/// The input, read as operations. Ends where it ends; every byte string means something.
struct Tape<'a>(std::slice::Iter<'a, u8>);

enum Step {
    Wait(Millis),
    Free(u8),
    Event(Box<Event>),
}

impl Step {
    fn event(event: Event) -> Step {
        Step::Event(Box::new(event))
    }
}

impl Tape<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn step(&mut self) -> Option<Step> {
        let code = *self.0.next()?;
        Some(match code % 8 {
            0 | 1 => {
                let (leg, facts) = (self.next() % 34, self.facts());
                Step::event(if code % 8 == 0 { Event::Facts { leg, facts } } else { Event::Asked { leg, facts } })
            }
            2 => Step::event(Event::NotFound { leg: self.next() % 34 }),
            3 => Step::event(Event::Answered { agent: agent(self.next()), accept: self.next() % 2 == 1 }),
            4 => {
                let stops = [Stop::Listed, Stop::Campaign, Stop::Pacing, Stop::Person];
                Step::event(Event::Stop(stops[usize::from(self.next() % 4)]))
            }
            5 if code >= 128 => Step::event(Event::AgentGone { agent: agent(self.next()) }),
            5 => Step::event(Event::Tick),
            6 => Step::Free(self.next()),
            // Up to four minutes, finely where it is short.
            _ => Step::Wait(Millis::from_ms(i64::from(self.next()).pow(2) * 4)),
        })
    }

    /// Facts by the bits of two bytes; instants around now, some of them before the call.
    fn facts(&mut self) -> LegFacts {
        let bits = u16::from_le_bytes([self.next(), self.next()]);
        let has = |bit: u32| bits >> bit & 1 == 1;
        let mut at = || START + Millis::from_ms(i64::from(self.next()) * 700 - 2_000);
        let mut facts = LegFacts::default();
        if has(0) {
            facts.provider = Some(ProviderRef::from("CA1"));
        }
        facts.ringing_at = has(1).then(&mut at);
        facts.answered_at = has(2).then(&mut at);
        if has(3) {
            let verdicts = [
                Verdict::Unclear,
                Verdict::Fax,
                Verdict::MachineGreeting,
                Verdict::MachineEnded,
                Verdict::MachineBeep,
                Verdict::Human,
            ];
            let when = at();
            facts.verdict = Some((verdicts[usize::from(bits >> 12) % verdicts.len()], when));
        }
        facts.joined_at = has(4).then(&mut at);
        if has(5) {
            facts.accepted = Some(Press { at: at(), key: '1' });
        }
        facts.joined_agent_at = has(6).then(&mut at);
        if has(7) {
            let causes = [
                EndCause::Canceled,
                EndCause::Failed,
                EndCause::NoAnswer,
                EndCause::Busy,
                EndCause::InvalidNumber,
                EndCause::Refused,
                EndCause::Blocked,
                EndCause::Completed,
            ];
            facts.end = Some(End { cause: causes[usize::from(bits >> 12) % causes.len()], at: at() });
        }
        facts.declined_at = has(8).then(&mut at);
        facts.message_at = has(9).then(&mut at);
        facts.message_end_at = has(10).then(&mut at);
        facts.opted_out_at = has(11).then(&mut at);
        facts
    }
}

fn agent(byte: u8) -> AgentId {
    AgentId::small(TENANT, u128::from(byte % AGENTS) + 1)
}

fn free_agents(bits: u8, mode: TransferMode) -> Vec<FreeAgent> {
    let standing = mode == TransferMode::Standing;
    (0..AGENTS).filter(|i| bits >> i & 1 == 1).map(|i| FreeAgent { agent: agent(i), standing }).collect()
}

fn setting(tape: &mut Tape<'_>) -> (Settings, CallPlan) {
    let (a, b) = (tape.next(), tape.next());
    let mut settings = Settings::default();
    settings.amd.mode = [AmdMode::Detect, AmdMode::DetectMessageEnd, AmdMode::Off][usize::from(a >> 2) % 3];
    settings.amd.machine = [OnMachine::HangUp, OnMachine::LeaveMessage, OnMachine::Connect][usize::from(a >> 4) % 3];
    settings.amd.fax = [OnMachine::HangUp, OnMachine::Connect][usize::from(a >> 6) % 2];
    settings.amd.unclear = [OnUnclear::Person, OnUnclear::Machine][usize::from(a >> 7)];
    settings.transfer.accept = [Accept::AnyKey, Accept::Without, Accept::Console][usize::from(b >> 2) % 3];
    settings.transfer.agents_max = b >> 5;
    settings.transfer.wait_ms_max = u32::from(b >> 4 & 7) * 3_000;
    let audio = |bit: u8| (b >> bit & 1 == 1).then(|| Audio::say("hello"));
    settings.message = audio(0);
    settings.voicemail = audio(0);
    settings.abandonment = audio(1);
    let phone = |digits| Phone::from_digits(digits).expect("a number");
    let plan = CallPlan {
        campaign: CampaignId::small(TENANT, 1),
        lead: LeadId::small(TENANT, 1),
        person_key: 1,
        subject: "default".into(),
        attempt: 1,
        to: phone(14_155_552_671),
        number_index: 0,
        from: phone(14_155_550_100),
        account: "main".into(),
        class: 0,
        name: Private::new("Grace"),
        mode: if a & 1 == 1 { TransferMode::Standing } else { TransferMode::OnDemand },
        agentless: a & 2 == 2,
        voicemail_allowed: b & 8 == 0,
        abandonment_allowed: b & 4 == 0,
        for_agent: (b & 16 == 16).then(|| agent(2)),
        ring_ms_max: 25_000,
        recording: Default::default(),
        recording_needs: Default::default(),
        quotas: Default::default(),
        evidence: None,
    };
    settings.transfer.mode = plan.mode;
    (settings, plan)
}

/// A call under watch.
struct Watch {
    call: Call,
    settings: Settings,
    now: Timestamp,
    /// The agent who was told that the call holds them.
    held: Option<AgentId>,
    /// Agents who let it pass.
    passed: Vec<AgentId>,
    settled: u32,
}

impl Watch {
    fn new(call: Call, settings: Settings) -> Watch {
        // Whoever is reserved for the call is told so by the dial's commit, before any event.
        let held = call.holds();
        Watch { call, settings, now: START, held, passed: Vec::new(), settled: 0 }
    }

    fn handle(&mut self, event: &Event, free: &[FreeAgent], said: &mut Behaviour) {
        let before = self.call.clone();
        let effects = self.call.handle(event, &Context { settings: &self.settings, free }, self.now);
        if before.is_settled() {
            assert!(effects.is_empty() && before == self.call, "a settled call does nothing more");
        }
        said.note(format!("{}>{}", before.stage.name(), self.call.stage.name()));
        for effect in &effects {
            self.effect(effect, free, said);
        }
        for agent in &self.call.passed {
            if !self.passed.contains(agent) {
                self.passed.push(*agent);
            }
        }
        self.laws();
    }

    fn effect(&mut self, effect: &Effect, free: &[FreeAgent], said: &mut Behaviour) {
        match effect {
            Effect::Offer { leg, agent } => {
                said.note("offer");
                assert_eq!(usize::from(*leg), self.call.legs.len() - 1, "the new leg is the last one");
                assert!(free.iter().any(|f| f.agent == *agent), "only a free agent is asked");
                assert!(!self.passed.contains(agent), "an agent who passed is not asked again");
            }
            Effect::Agent { agent, event: AgentEvent::Hold { hold, .. } } => {
                said.note(format!("hold {hold:?}"));
                assert!(self.held.is_none_or(|held| held == *agent), "one agent at a time");
                self.held = Some(*agent);
            }
            Effect::Agent { agent, event: AgentEvent::Release { missed, .. } } => {
                said.note(format!("release {missed}"));
                assert_eq!(self.held.take(), Some(*agent), "only whom it held is let go");
            }
            Effect::Agent { event, .. } => panic!("a call does not tell an agent {event:?}"),
            Effect::Steer { leg } => {
                let script = self.call.script(*leg, &self.settings);
                said.note(format!("steer {} {}", if *leg == 0 { "customer" } else { "agent" }, script.name()));
                assert!(!self.call.legs[usize::from(*leg)].facts.is_over(), "a leg that is over is not steered");
            }
            Effect::Bring { .. } => said.note("bring"),
            Effect::LookUp { .. } => said.note("look up"),
            Effect::OptOut => said.note("opt out"),
            Effect::Settle { outcome } => {
                said.note(format!("{outcome:?}"));
                self.settled += 1;
            }
        }
    }

    fn laws(&self) {
        let call = &self.call;
        assert_eq!(self.settled, u32::from(call.is_settled()), "settled exactly once");
        assert_eq!(self.held, call.holds(), "the agent was told what the state says");
        let wake = call.wake_at(&self.settings, self.now);
        assert_eq!(wake == Timestamp::NEVER, call.is_settled(), "only a settled call never wakes");
        if matches!(call.stage, Stage::Closing { .. } | Stage::Settled { .. }) {
            let hang_up = |leg| call.script(leg, &self.settings) == Script::Hangup;
            assert!((0..=call.legs.len() as u8).all(hang_up), "when it closes every leg is told to end");
        }
    }

    /// Stores the call and reads it back.
    fn stored(&self) {
        let text = serde_json::to_string(&self.call).expect("a call can be stored");
        let back: Call = serde_json::from_str(&text).expect("and read");
        assert!(back == self.call, "and is the same afterwards");
    }

    /// The same fact at the same instant once more.
    fn again(&mut self, event: &Event, free: &[FreeAgent]) {
        let before = self.call.clone();
        let effects = self.call.handle(event, &Context { settings: &self.settings, free }, self.now);
        assert!(before == self.call && effects.is_empty(), "told twice, {effects:?}");
    }

    /// Nothing more is heard; only time passes.
    fn left_alone(&mut self, said: &mut Behaviour) {
        for _ in 0..TICKS_MAX {
            if self.call.is_settled() {
                self.stored();
                said.note(format!("ends {}", self.call.outcome().map_or("", |o| o.name())));
                return;
            }
            let wake = self.call.wake_at(&self.settings, self.now);
            self.now = wake.max(self.now + Millis::from_ms(1));
            self.handle(&Event::Tick, &[], said);
        }
        panic!("a call left alone does not settle: {} legs, {:?}", self.call.legs.len(), self.call.stage);
    }
}
