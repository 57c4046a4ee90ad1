//! One call on its way, told event by event.

use autocall_core::agent::{AgentEvent, Hold};
use autocall_core::call::{
    Call, CallPlan, Context, Effect, Effects, End, EndCause, Event, FreeAgent, LegFacts, Press, Record, Verdict,
};
use autocall_core::id::{AgentId, CallId, TenantId};
use autocall_core::script::{Audio, Script};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{Millis, Outcome, Timestamp};
use std::sync::Arc;

pub(crate) const TENANT: TenantId = TenantId(1);
pub(crate) const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

pub(crate) fn agent(n: u128) -> AgentId {
    AgentId::small(TENANT, n)
}

pub(crate) fn press(s: i64) -> Press {
    Press { at: at(s), key: '1' }
}

/// What was done about a leg, and at which second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Told(i64),
    LookedUp(i64),
}

#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) call: Call,
    pub(crate) settings: Settings,
    /// Who is free, until the call takes hold of them.
    pub(crate) free: Vec<FreeAgent>,
}

impl Story {
    pub(crate) fn new(mode: TransferMode) -> Story {
        let plan = crate::plan::plan(mode);
        let settings = Settings {
            abandonment: Some(Audio::say("sorry")),
            voicemail: Some(Audio::say("hello")),
            message: Some(Audio::say("news")),
            ..Settings::default()
        };
        Story { call: Call::new(CallId::small(TENANT, 1), Arc::new(plan), T0), settings, free: Vec::new() }
    }

    pub(crate) fn on_demand() -> Story {
        Story::new(TransferMode::OnDemand)
    }

    pub(crate) fn standing() -> Story {
        Story::new(TransferMode::Standing)
    }

    /// With another plan from the start.
    pub(crate) fn planned(mut self, change: impl FnOnce(&mut CallPlan)) -> Story {
        let mut plan = (*self.call.plan).clone();
        change(&mut plan);
        self.call = Call::new(self.call.id, Arc::new(plan), T0);
        self
    }

    /// With these agents free from now on; a standing leg of theirs is up.
    pub(crate) fn frees(&mut self, agents: &[u128]) {
        self.free = agents.iter().map(|&n| FreeAgent { agent: agent(n), standing: true }).collect();
    }

    pub(crate) fn at_ms(&mut self, now: Timestamp, event: &Event) -> Effects {
        let effects = self.call.handle(event, &Context { settings: &self.settings, free: &self.free }, now);
        let held =
            |a: &FreeAgent| effects.iter().any(|e| matches!(e, Effect::Agent { agent, .. } if *agent == a.agent));
        self.free.retain(|a| !held(a));
        effects
    }

    pub(crate) fn on(&mut self, s: i64, event: Event) -> Effects {
        self.at_ms(at(s), &event)
    }

    pub(crate) fn told(&mut self, s: i64, leg: u8, fill: impl FnOnce(&mut LegFacts)) -> Effects {
        let mut facts = LegFacts::default();
        fill(&mut facts);
        self.on(s, Event::Facts { leg, facts })
    }

    /// The carrier asks what the leg should hear.
    pub(crate) fn asks(&mut self, s: i64, leg: u8, fill: impl FnOnce(&mut LegFacts)) -> Effects {
        let mut facts = LegFacts::default();
        fill(&mut facts);
        self.on(s, Event::Asked { leg, facts })
    }

    pub(crate) fn ended(&mut self, s: i64, leg: u8, cause: EndCause) -> Effects {
        self.told(s, leg, |f| f.end = Some(End { cause, at: at(s) }))
    }

    pub(crate) fn tick(&mut self, s: i64) -> Effects {
        self.on(s, Event::Tick)
    }

    /// Placed, and the carrier's name of the leg is known.
    pub(crate) fn placed(&mut self, s: i64, leg: u8) -> Effects {
        self.told(s, leg, |f| f.provider = Some(format!("CA{leg}").as_str().into()))
    }

    /// Placed at 1, rings at 3.
    pub(crate) fn rings(mut self) -> Story {
        self.placed(1, 0);
        self.told(3, 0, |f| f.ringing_at = Some(at(3)));
        self
    }

    /// Placed at 1, rings at 3, picked up at 8 and asked for its script; the verdict comes at 10.
    pub(crate) fn answered(mut self, verdict: Verdict) -> Story {
        self = self.rings();
        self.asks(8, 0, |f| f.answered_at = Some(at(8)));
        self.told(10, 0, |f| f.verdict = Some((verdict, at(10))));
        self
    }

    /// A person for whom agent 1 is asked at 10, with these agents free.
    pub(crate) fn offered(mut self, agents: &[u128]) -> Story {
        self.frees(agents);
        self = self.answered(Verdict::Human);
        assert_eq!(self.call.holds(), Some(agent(1)));
        self
    }

    /// A person who talks to agent 1 since 14: on the agent's leg, or where the agent stands.
    pub(crate) fn bridged(mut self) -> Story {
        self = self.offered(&[1]);
        match self.call.plan.mode {
            TransferMode::OnDemand => {
                self.placed(11, 1);
                self.asks(12, 1, |f| f.answered_at = Some(at(12)));
                self.asks(13, 1, |f| f.accepted = Some(press(13)));
                self.told(14, 0, |f| f.joined_at = Some(at(14)));
                self.told(14, 1, |f| f.joined_at = Some(at(14)));
            }
            TransferMode::Standing => {
                self.told(14, 0, |f| {
                    f.joined_agent_at = Some(at(14));
                    f.guest = Some((at(14), agent(1)));
                });
            }
        }
        assert_eq!(self.call.stage.name(), "bridged");
        self
    }

    pub(crate) fn stage(&self) -> &'static str {
        self.call.stage.name()
    }

    pub(crate) fn script(&self, leg: u8) -> Script {
        self.call.script(leg, &self.settings)
    }

    /// What the leg should hear, by name.
    pub(crate) fn hears(&self, leg: u8) -> &'static str {
        self.script(leg).name()
    }

    /// The next second at which something must happen by itself.
    pub(crate) fn wakes(&self, now: i64) -> i64 {
        let wake = self.call.wake_at(&self.settings, at(now));
        assert!(wake > at(now), "it does not wake over and over");
        (wake - T0).ms() / 1_000
    }

    /// Lets time pass until `end`, waking when the call says so, and notes what is done about a leg.
    pub(crate) fn watch(&mut self, leg: u8, from: i64, end: i64) -> Vec<Done> {
        self.watch_with(from, end, leg, |_, _| {})
    }

    /// The same; `then` may answer look-ups.
    pub(crate) fn watch_with(
        &mut self,
        from: i64,
        end: i64,
        leg: u8,
        mut then: impl FnMut(&mut Story, i64),
    ) -> Vec<Done> {
        let (mut done, mut now) = (Vec::new(), at(from));
        for _ in 0..20_000 {
            let wake = self.call.wake_at(&self.settings, now);
            assert!(wake > now, "it wakes over and over at {now} in {:?}", self.call.stage);
            if wake > at(end) {
                return done;
            }
            now = wake;
            let s = (now - T0).ms() / 1_000;
            for effect in self.at_ms(now, &Event::Tick) {
                match effect {
                    Effect::Steer { leg: l } if l == leg => done.push(Done::Told(s)),
                    Effect::LookUp { leg: l } if l == leg => {
                        done.push(Done::LookedUp(s));
                        then(self, s);
                    }
                    _ => {}
                }
            }
        }
        panic!("too many wakes");
    }

    /// Lets so much time pass that everything has settled.
    pub(crate) fn record(&mut self) -> Record {
        for s in [3_600, 7_200, 20_000, 40_000] {
            self.tick(s);
        }
        self.call.record().unwrap_or_else(|| panic!("not settled: {:?}", self.call))
    }

    pub(crate) fn outcome(&mut self) -> Outcome {
        self.record().outcome
    }
}

/// When the leg was told something, and when it was looked up.
pub(crate) fn split(done: &[Done]) -> (Vec<i64>, Vec<i64>) {
    let told = done.iter().filter_map(|d| if let Done::Told(s) = d { Some(*s) } else { None });
    let looked = done.iter().filter_map(|d| if let Done::LookedUp(s) = d { Some(*s) } else { None });
    (told.collect(), looked.collect())
}

pub(crate) fn steers(effects: &[Effect], leg: u8) -> bool {
    effects.contains(&Effect::Steer { leg })
}

/// Who is let go, whether they missed it, and how long they may write up.
pub(crate) fn released(effects: &[Effect]) -> Vec<(AgentId, bool, u32)> {
    let of = |e: &Effect| match e {
        Effect::Agent { agent, event: AgentEvent::Release { missed, wrap_up_ms, .. } } => {
            Some((*agent, *missed, *wrap_up_ms))
        }
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

/// Who is taken hold of, and how far.
pub(crate) fn holds(effects: &[Effect]) -> Vec<(AgentId, Hold)> {
    let of = |e: &Effect| match e {
        Effect::Agent { agent, event: AgentEvent::Hold { hold, .. } } => Some((*agent, *hold)),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}
