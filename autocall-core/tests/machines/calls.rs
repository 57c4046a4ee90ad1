//! The Call machine, on demand and standing, and the judgement on who answered.

use super::table::{Row, page};
use autocall_core::agent::{AgentEvent, Hold};
use autocall_core::call::amd::judge;
use autocall_core::call::{
    Call, Context, Effect, Effects, End, EndCause, Event, FreeAgent, LegFacts, Press, Stage, Stop, Verdict,
};
use autocall_core::id::{AgentId, CallId, TenantId};
use autocall_core::script::Audio;
use autocall_core::settings::{AmdMode, OnMachine, OnUnclear, Settings, TransferMode};
use autocall_core::{Millis, Timestamp};
use std::fmt::Write;
use std::sync::Arc;

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn agent(n: u128) -> AgentId {
    AgentId::small(TENANT, n)
}

fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

fn settings(mode: TransferMode) -> Settings {
    let mut s = Settings {
        abandonment: Some(Audio::say("sorry")),
        voicemail: Some(Audio::say("hello")),
        ..Settings::default()
    };
    s.amd.machine = OnMachine::LeaveMessage;
    s.transfer.mode = mode;
    s
}

fn call(mode: TransferMode) -> Call {
    let plan = crate::plan::plan(mode);
    Call::new(CallId::small(TENANT, 1), Arc::new(plan), T0)
}

fn facts(f: impl FnOnce(&mut LegFacts)) -> LegFacts {
    let mut facts = LegFacts::default();
    f(&mut facts);
    facts
}

fn told(leg: u8, f: impl FnOnce(&mut LegFacts)) -> Event {
    Event::Facts { leg, facts: facts(f) }
}

fn ended(cause: EndCause, s: i64) -> impl FnOnce(&mut LegFacts) {
    move |f| f.end = Some(End { cause, at: at(s) })
}

/// A state of the table: its name, and how to get there.
struct Scene {
    name: &'static str,
    call: Call,
    now: i64,
}

/// Runs events one after the other, each at its second, with these agents free.
fn run(mode: TransferMode, free: &[FreeAgent], events: &[(i64, Event)]) -> Call {
    let (settings, mut call) = (settings(mode), call(mode));
    for (s, event) in events {
        call.handle(event, &Context { settings: &settings, free }, at(*s));
    }
    call
}

fn proven() -> (i64, Event) {
    (1, told(0, |f| f.provider = Some("CA0".into())))
}

fn answered() -> (i64, Event) {
    (8, Event::Asked { leg: 0, facts: facts(|f| f.answered_at = Some(at(8))) })
}

fn person() -> (i64, Event) {
    (10, told(0, |f| f.verdict = Some((Verdict::Human, at(10)))))
}

fn free(n: u128) -> FreeAgent {
    FreeAgent { agent: agent(n), standing: true }
}

fn scenes() -> Vec<Scene> {
    let on_demand = TransferMode::OnDemand;
    let ringing = (3, told(0, |f| f.ringing_at = Some(at(3))));
    let waits = (9, told(0, |f| f.joined_at = Some(at(9))));
    let agent_rings = |f: &mut LegFacts| (f.provider, f.ringing_at) = (Some("CA1".into()), Some(at(11)));
    let agent_known = (11, told(1, agent_rings));
    let agent_up = (13, Event::Asked { leg: 1, facts: facts(|f| f.answered_at = Some(at(13))) });
    let pressed = (15, Event::Asked { leg: 1, facts: facts(|f| f.accepted = Some(Press { at: at(15), key: '1' })) });
    let joined = (16, told(1, |f| f.joined_at = Some(at(16))));
    let offered = [proven(), answered(), waits.clone(), person(), agent_known.clone()];
    let mut listening = offered.to_vec();
    listening.push(agent_up.clone());
    let mut accepted = listening.clone();
    accepted.push(pressed);
    let mut bridged = accepted.clone();
    bridged.push(joined);
    let mut closing = bridged.clone();
    closing.push((60, told(0, ended(EndCause::Completed, 60))));
    let one = [free(1)];
    let scene = |name, call, now| Scene { name, call, now };
    vec![
        scene("dialing (nothing heard yet)", run(on_demand, &[], &[]), 2),
        scene("dialing (rings)", run(on_demand, &[], &[proven(), ringing]), 5),
        scene("dialing (picked up, detector listens)", run(on_demand, &[], &[proven(), answered(), waits.clone()]), 9),
        scene("seeking", run(on_demand, &[], &[proven(), answered(), waits.clone(), person()]), 11),
        scene("offering (agent's phone rings)", run(on_demand, &one, &offered), 12),
        scene("offering (agent listens)", run(on_demand, &one, &listening), 14),
        scene("offering (agent said yes)", run(on_demand, &one, &accepted), 15),
        scene("bridged", run(on_demand, &one, &bridged), 30),
        scene("message", run(on_demand, &[], &[proven(), answered(), waits, person(), (13, Event::Tick)]), 14),
        scene("closing", run(on_demand, &one, &closing), 61),
    ]
}

fn standing_scenes() -> Vec<Scene> {
    let mode = TransferMode::Standing;
    let one = [free(1)];
    let start = [proven(), answered(), person()];
    let mut bridged = start.to_vec();
    bridged.push((11, told(0, |f| f.joined_agent_at = Some(at(11)))));
    vec![
        Scene { name: "seeking", call: run(mode, &[], &start), now: 11 },
        Scene { name: "offering", call: run(mode, &one, &start), now: 11 },
        Scene { name: "bridged", call: run(mode, &one, &bridged), now: 30 },
    ]
}

/// Every event, with its name and whether an agent is free while it is handled.
fn events(now: i64) -> Vec<(&'static str, Event, bool)> {
    let t = at(now);
    vec![
        ("the customer's phone rings", told(0, move |f| f.ringing_at = Some(t)), false),
        ("the customer picks up", Event::Asked { leg: 0, facts: facts(|f| f.answered_at = Some(t)) }, false),
        ("detector: person, an agent is free", told(0, move |f| f.verdict = Some((Verdict::Human, t))), true),
        ("detector: person, nobody is free", told(0, move |f| f.verdict = Some((Verdict::Human, t))), false),
        ("detector: machine, after the beep", told(0, move |f| f.verdict = Some((Verdict::MachineBeep, t))), false),
        ("detector: fax", told(0, move |f| f.verdict = Some((Verdict::Fax, t))), false),
        ("detector: unclear", told(0, move |f| f.verdict = Some((Verdict::Unclear, t))), true),
        ("busy", told(0, ended(EndCause::Busy, now)), false),
        ("rang out", told(0, ended(EndCause::NoAnswer, now)), false),
        ("refused by the carrier", told(0, ended(EndCause::Refused, now)), false),
        ("the customer hangs up", told(0, ended(EndCause::Completed, now)), false),
        ("the customer opts out", told(0, move |f| f.opted_out_at = Some(t)), false),
        ("a look-up finds nothing", Event::NotFound { leg: 0 }, false),
        ("an agent comes free", Event::Tick, true),
        ("the agent picks up", Event::Asked { leg: 1, facts: facts(|f| f.answered_at = Some(t)) }, false),
        (
            "the agent presses the key",
            Event::Asked { leg: 1, facts: facts(|f| f.accepted = Some(Press { at: t, key: '1' })) },
            false,
        ),
        ("the agent clicks yes", Event::Answered { agent: agent(1), accept: true }, false),
        ("the agent clicks no", Event::Answered { agent: agent(1), accept: false }, false),
        ("the agent is in the room", told(1, move |f| f.joined_at = Some(t)), false),
        ("the customer is in the agent's room", told(0, move |f| f.joined_agent_at = Some(t)), false),
        ("the agent's leg ends", told(1, ended(EndCause::Completed, now)), false),
        ("the agent's standing leg is gone", Event::AgentGone { agent: agent(1) }, false),
        ("the message has played", told(0, move |f| f.message_end_at = Some(t)), false),
        ("the number is listed", Event::Stop(Stop::Listed), false),
        ("the campaign is ended", Event::Stop(Stop::Campaign), false),
        ("pacing lets go", Event::Stop(Stop::Pacing), false),
        ("somebody hangs up by hand", Event::Stop(Stop::Person), false),
        ("20 seconds pass", Event::Tick, false),
    ]
}

fn rows(mode: TransferMode, scenes: Vec<Scene>) -> Vec<Row> {
    let settings = settings(mode);
    let mut rows = Vec::new();
    for scene in scenes {
        for (name, event, is_free) in events(scene.now) {
            let mut call = scene.call.clone();
            let now = if name.starts_with("20 seconds") { scene.now + 20 } else { scene.now };
            let free: &[FreeAgent] = if is_free { &[free(2)] } else { &[] };
            let effects = call.handle(&event, &Context { settings: &settings, free }, at(now));
            rows.push(Row {
                from: scene.name.into(),
                event: name.into(),
                to: if call.stage.name() == scene.call.stage.name() { scene.name.into() } else { stage(&call.stage) },
                effects: say(&effects),
            });
        }
    }
    rows
}

fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Settled { outcome, .. } => format!("settled: {outcome}"),
        other => other.name().into(),
    }
}

fn say(effects: &Effects) -> String {
    let words = effects.iter().map(|e| match e {
        Effect::Offer { .. } => "dial the agent".into(),
        Effect::Bring { .. } => "dial the one who is brought in".into(),
        Effect::Agent { event: AgentEvent::Hold { hold, .. }, .. } => match hold {
            Hold::Reserved => "agent reserved".into(),
            Hold::Ringing => "agent rings".into(),
            Hold::Talking => "agent talks".into(),
        },
        Effect::Agent { event: AgentEvent::Release { missed, wrap_up_ms, .. }, .. } => match (missed, wrap_up_ms) {
            (true, _) => "agent let it pass".to_owned(),
            (false, 0) => "agent free".into(),
            (false, _) => "agent to wrap-up".into(),
        },
        Effect::Agent { .. } => "agent".into(),
        Effect::Steer { leg } => format!("steer {}", who(*leg)),
        Effect::LookUp { leg } => format!("look up {}", who(*leg)),
        Effect::OptOut => "list the number".into(),
        Effect::Settle { outcome } => format!("settle: {outcome}"),
    });
    words.collect::<Vec<String>>().join(", ")
}

fn who(leg: u8) -> &'static str {
    if leg == 0 { "the customer" } else { "the agent" }
}

pub(crate) fn call_page() -> String {
    let words = "One attempt at one lead. Facts about the legs only merge; the stage and what follows are \
                 decided here. The table shows an on-demand campaign that leaves messages on machines.";
    page("The Call machine", words, &rows(TransferMode::OnDemand, scenes()))
}

pub(crate) fn transfer_page() -> String {
    let words = "From a person on the line to a conversation. On demand, the agent's phone is rung on a leg of its \
                 own, whispers, and joins the customer's room only after a yes: see [call.md](call.md). Standing, \
                 the agent's leg is in a room already and the customer joins it; this table shows that way. A \
                 customer who leaves while an agent is asked frees the agent at once, in both.";
    page("The Transfer machine", words, &rows(TransferMode::Standing, standing_scenes()))
}

pub(crate) fn amd_page() -> String {
    let mut out = String::from(
        "# Who answered\n\n*Generated from the machine by `cargo xtask docs`; a test fails when they differ.*\n\n\
         The judgement is a function of the leg's facts, the campaign's policy and the instant. Unclear is a person by \
         default: dropping a person is the dearer mistake. Seconds count from the answer; the verdict is awaited for 6 s \
         (for a message's sake 36 s, since a detector that waits for the end of a greeting says `machine` only then).\n\n\
         | detection | unclear is | verdict | after 1 s | after 7 s | after 60 s |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let verdicts = [
        None,
        Some(Verdict::Human),
        Some(Verdict::MachineGreeting),
        Some(Verdict::MachineEnded),
        Some(Verdict::MachineBeep),
        Some(Verdict::Fax),
        Some(Verdict::Unclear),
    ];
    for mode in [AmdMode::Off, AmdMode::Detect, AmdMode::DetectMessageEnd] {
        for unclear in [OnUnclear::Person, OnUnclear::Machine] {
            for verdict in verdicts {
                let mut policy = Settings::default().amd;
                (policy.mode, policy.unclear) = (mode, unclear);
                let facts = facts(|f| {
                    f.answered_at = Some(at(0));
                    f.verdict = verdict.map(|v| (v, at(1)));
                });
                let said = |s| {
                    format!("{:?}", judge(&facts, &policy, at(s))).split(" {").next().unwrap_or_default().to_lowercase()
                        + if format!("{:?}", judge(&facts, &policy, at(s))).contains("ready: false") {
                            ", greeting"
                        } else {
                            ""
                        }
                };
                let name = verdict.map_or("none yet".into(), |v| format!("{v:?}"));
                let _ = writeln!(out, "| {mode:?} | {unclear:?} | {name} | {} | {} | {} |", said(1), said(7), said(60));
            }
        }
    }
    out
}
