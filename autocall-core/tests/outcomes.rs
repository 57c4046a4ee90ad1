//! One story for every outcome that a call can have, and what its record says.

use autocall_core::agent::AgentEvent;
use autocall_core::call::{
    Call, CallPlan, Context, Effect, End, EndCause, Event, FreeAgent, LegFacts, Press, Record, Stage, Stop, Verdict,
};
use autocall_core::id::{AgentId, CallId, TenantId};
use autocall_core::outcome::{Abandonment, Outcome};
use autocall_core::script::{Accept, Audio, MessageKind, RecordingMode, Role, Room, Script};
use autocall_core::settings::{AmdMode, OnMachine, Settings, TransferMode};
use autocall_core::{Millis, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

#[path = "shared/plan.rs"]
mod plan;

use plan::plan;

const TENANT: TenantId = TenantId(1);
const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

fn at(s: i64) -> Timestamp {
    T0 + Millis::from_secs(s)
}

fn agent(n: u128) -> AgentId {
    AgentId::small(TENANT, n)
}

/// A call on its way, with what the campaign says.
struct Story {
    call: Call,
    settings: Settings,
    free: Vec<FreeAgent>,
}

impl Story {
    fn new(mode: TransferMode, agentless: bool) -> Story {
        let plan = CallPlan { attempt: 2, agentless, evidence: Some("because".into()), ..plan(mode) };
        let settings = Settings {
            abandonment: Some(Audio::say("sorry")),
            voicemail: Some(Audio::say("hello")),
            message: Some(Audio::say("news")),
            ..Settings::default()
        };
        Story { call: Call::new(CallId::small(TENANT, 1), Arc::new(plan), T0), settings, free: Vec::new() }
    }

    fn on_demand() -> Story {
        Story::new(TransferMode::OnDemand, false)
    }

    /// With these agents free from now on.
    fn free(mut self, agents: &[u128]) -> Story {
        self.free = agents.iter().map(|&n| FreeAgent { agent: agent(n), standing: true }).collect();
        self
    }

    fn on(mut self, s: i64, event: Event) -> Story {
        let free = std::mem::take(&mut self.free);
        let effects = self.call.handle(&event, &Context { settings: &self.settings, free: &free }, at(s));
        // Whom the call holds is not free any more.
        let held =
            |a: &FreeAgent| effects.iter().any(|e| matches!(e, Effect::Agent { agent, .. } if *agent == a.agent));
        self.free = free.into_iter().filter(|a| !held(a)).collect();
        self
    }

    fn told(self, s: i64, leg: u8, fill: impl FnOnce(&mut LegFacts)) -> Story {
        let mut facts = LegFacts::default();
        fill(&mut facts);
        self.on(s, Event::Facts { leg, facts })
    }

    /// Placed, rings at 3, is picked up at 8 and heard out until 10.
    fn answered(self, verdict: Verdict) -> Story {
        self.told(1, 0, |f| f.provider = Some("CA0".into()))
            .told(3, 0, |f| f.ringing_at = Some(at(3)))
            .told(8, 0, |f| f.answered_at = Some(at(8)))
            .told(10, 0, |f| f.verdict = Some((verdict, at(10))))
    }

    fn ended(self, s: i64, leg: u8, cause: EndCause) -> Story {
        self.told(s, leg, |f| f.end = Some(End { cause, at: at(s) }))
    }

    fn tick(self, s: i64) -> Story {
        self.on(s, Event::Tick)
    }

    /// Lets so much time pass that everything has settled.
    fn record(self) -> Record {
        let story = self.tick(3_600).tick(7_200).tick(20_000).tick(40_000);
        story.call.record().unwrap_or_else(|| panic!("not settled: {:?}", story.call))
    }
}

fn unanswered(cause: EndCause) -> Story {
    Story::on_demand()
        .told(1, 0, |f| f.provider = Some("CA0".into()))
        .told(3, 0, |f| f.ringing_at = Some(at(3)))
        .ended(12, 0, cause)
}

/// A person, whom agent 1 has taken up.
fn connected() -> Story {
    Story::on_demand()
        .free(&[1])
        .answered(Verdict::Human)
        .told(12, 1, |f| f.answered_at = Some(at(12)))
        .told(13, 1, |f| f.accepted = Some(Press { at: at(13), key: '1' }))
        .told(14, 1, |f| f.joined_at = Some(at(14)))
}

fn stories() -> Vec<(Outcome, Story)> {
    let mut leaves_messages = Story::on_demand();
    leaves_messages.settings.amd.machine = OnMachine::LeaveMessage;
    let rung = || Story::on_demand().told(1, 0, |f| f.provider = Some("CA0".into()));
    vec![
        (Outcome::Connected, connected().ended(60, 0, EndCause::Completed).ended(60, 1, EndCause::Completed)),
        (
            Outcome::Connected,
            Story::new(TransferMode::Standing, false)
                .free(&[1])
                .answered(Verdict::Human)
                .told(11, 0, |f| f.joined_agent_at = Some(at(11)))
                .ended(60, 0, EndCause::Completed),
        ),
        (
            Outcome::Abandoned(Abandonment::NobodyFree),
            Story::on_demand().answered(Verdict::Human).tick(12).ended(20, 0, EndCause::Completed),
        ),
        (
            Outcome::Abandoned(Abandonment::HungUpWaiting),
            Story::on_demand().answered(Verdict::Human).ended(11, 0, EndCause::Completed),
        ),
        (
            Outcome::Abandoned(Abandonment::HungUpDuringOffer),
            Story::on_demand().free(&[1]).answered(Verdict::Human).ended(13, 0, EndCause::Completed).ended(
                14,
                1,
                EndCause::Canceled,
            ),
        ),
        (
            Outcome::Abandoned(Abandonment::Stopped),
            Story::on_demand().answered(Verdict::Human).on(11, Event::Stop(Stop::Listed)).ended(
                12,
                0,
                EndCause::Completed,
            ),
        ),
        (
            Outcome::AgentUnavailable,
            Story::on_demand()
                .free(&[1, 2, 3, 4])
                .answered(Verdict::Human)
                .ended(12, 1, EndCause::Busy)
                .ended(13, 2, EndCause::NoAnswer)
                .ended(14, 3, EndCause::Canceled)
                .ended(30, 0, EndCause::Completed),
        ),
        (
            Outcome::MessagePlayed,
            Story::new(TransferMode::OnDemand, true)
                .answered(Verdict::Human)
                .told(25, 0, |f| f.message_end_at = Some(at(25)))
                .ended(26, 0, EndCause::Completed),
        ),
        (
            Outcome::VoicemailLeft,
            leaves_messages.answered(Verdict::MachineBeep).told(11, 0, |f| f.message_at = Some(at(11))).ended(
                40,
                0,
                EndCause::Completed,
            ),
        ),
        (Outcome::Machine, Story::on_demand().answered(Verdict::MachineGreeting).ended(12, 0, EndCause::Completed)),
        (Outcome::Fax, Story::on_demand().answered(Verdict::Fax).ended(12, 0, EndCause::Completed)),
        (Outcome::Busy, unanswered(EndCause::Busy)),
        (Outcome::NoAnswer, unanswered(EndCause::NoAnswer)),
        (Outcome::InvalidNumber, unanswered(EndCause::InvalidNumber)),
        (Outcome::Unreachable, unanswered(EndCause::Failed)),
        (Outcome::RefusedByCarrier, unanswered(EndCause::Refused)),
        (Outcome::Blocked, unanswered(EndCause::Blocked)),
        (Outcome::Canceled, rung().on(2, Event::Stop(Stop::Person)).ended(3, 0, EndCause::Canceled)),
        (
            Outcome::Lost,
            (0..3).fold(Story::on_demand(), |story, n| {
                story.tick(20 + n * 60).on(21 + n * 60, Event::NotFound { leg: 0 })
            }),
        ),
    ]
}

#[test]
fn every_outcome_has_a_story_that_ends_so() {
    let mut reached = BTreeSet::new();
    for (wanted, story) in stories() {
        let record = story.record();
        assert_eq!(record.outcome, wanted);
        assert_eq!((record.attempt, record.evidence.as_deref()), (2, Some("because")));
        assert_eq!(record.dialled_at, T0);
        reached.insert(wanted);
    }
    let missing: Vec<_> = Outcome::ALL.iter().filter(|o| !reached.contains(o)).collect();
    assert!(missing.is_empty(), "no story ends as {missing:?}");
}

#[test]
fn the_record_of_a_conversation_has_its_times() {
    let record = connected().ended(60, 0, EndCause::Completed).ended(61, 1, EndCause::Completed).record();
    assert_eq!((record.ringing_at, record.answered_at), (Some(at(3)), Some(at(8))));
    assert_eq!((record.verdict_at, record.connected_at, record.ended_at), (Some(at(10)), Some(at(14)), at(60)));
    assert_eq!((record.agent, record.passed), (Some(agent(1)), 0));
    assert_eq!((record.wait_ms(), record.talk_ms()), (Some(4_000), 46_000));
    assert_eq!(record.settled_at, at(61), "a conversation is certain: nothing is waited for");
}

#[test]
fn a_phone_that_has_rung_for_fifteen_seconds_was_not_answered_whoever_let_go() {
    let story = |stopped: i64| {
        Story::on_demand()
            .told(1, 0, |f| f.provider = Some("CA0".into()))
            .told(3, 0, |f| f.ringing_at = Some(at(3)))
            .on(stopped, Event::Stop(Stop::Listed))
            .ended(stopped, 0, EndCause::Canceled)
            .record()
            .outcome
    };
    assert_eq!(story(17), Outcome::Canceled);
    assert_eq!(story(18), Outcome::NoAnswer);
    // Pacing waits for the fifteen seconds by itself.
    let paced = Story::on_demand()
        .told(1, 0, |f| f.provider = Some("CA0".into()))
        .told(3, 0, |f| f.ringing_at = Some(at(3)))
        .on(10, Event::Stop(Stop::Pacing));
    assert_eq!(paced.call.stage.name(), "dialing");
    let paced = paced.on(18, Event::Stop(Stop::Pacing));
    assert_eq!(paced.call.stage.name(), "closing");
    assert_eq!(paced.ended(19, 0, EndCause::Canceled).record().outcome, Outcome::NoAnswer);
}

#[test]
fn the_next_agent_is_asked_until_so_many_have_let_it_pass() {
    let story = Story::on_demand().free(&[1, 2, 3, 4]).answered(Verdict::Human);
    assert_eq!(story.call.holds(), Some(agent(1)));
    let story = story.ended(12, 1, EndCause::Busy);
    assert_eq!(story.call.holds(), Some(agent(2)));
    let story = story.on(13, Event::Answered { agent: agent(2), accept: false });
    assert_eq!(story.call.holds(), Some(agent(3)));
    let story = story.ended(14, 3, EndCause::NoAnswer);
    assert_eq!((story.call.holds(), story.call.stage.name()), (None, "message"), "three were asked, as settings say");
    assert_eq!(story.call.passed.to_vec(), [agent(1), agent(2), agent(3)]);
    assert_eq!(story.ended(20, 0, EndCause::Completed).ended(20, 2, EndCause::Completed).record().passed, 3);
}

/// What the agent who let an offer pass is told: whether it was missed.
fn missed(story: Story, event: impl FnOnce(&mut LegFacts)) -> Vec<bool> {
    let mut facts = LegFacts::default();
    event(&mut facts);
    let mut call = story.call;
    let effects =
        call.handle(&Event::Facts { leg: 1, facts }, &Context { settings: &story.settings, free: &[] }, at(14));
    let releases = effects.iter().filter_map(|e| match e {
        Effect::Agent { event: AgentEvent::Release { missed, .. }, .. } => Some(*missed),
        _ => None,
    });
    releases.collect()
}

#[test]
fn an_offer_that_never_reached_the_agent_is_not_missed_by_them() {
    let asked = || Story::on_demand().free(&[1]).answered(Verdict::Human);
    let rings = || asked().told(11, 1, |f| f.ringing_at = Some(at(11)));
    let ended = |cause| move |f: &mut LegFacts| f.end = Some(End { cause, at: at(14) });
    for cause in [EndCause::Canceled, EndCause::Refused, EndCause::Failed] {
        assert_eq!(missed(asked(), ended(cause)), [false], "{cause:?}");
        assert_eq!(missed(rings(), ended(cause)), [true], "{cause:?}");
    }
    for cause in [EndCause::NoAnswer, EndCause::Busy, EndCause::Completed] {
        assert_eq!(missed(asked(), ended(cause)), [true], "{cause:?}");
    }
    assert_eq!(missed(asked(), |f| f.declined_at = Some(at(14))), [true], "who says no has heard it");
}

#[test]
fn an_agent_hands_nobody_on_to_themselves() {
    use autocall_core::call::Onward;

    let other = connected().on(20, Event::HandOn(Onward::Agent { agent: agent(2), standing: false }));
    assert_ne!(other.call.stage, connected().call.stage, "to somebody else it goes");
    for onward in [
        Onward::Agent { agent: agent(1), standing: false },
        Onward::Agent { agent: agent(1), standing: true },
        Onward::Consult { to: autocall_core::agent::Address::Client("two".into()), agent: Some(agent(1)) },
    ] {
        let talks = connected();
        let (stage, legs) = (talks.call.stage, talks.call.legs.len());
        let after = talks.on(20, Event::HandOn(onward.clone()));
        assert_eq!((after.call.stage, after.call.legs.len()), (stage, legs), "{onward:?}");
    }
}

#[test]
fn a_person_is_known_to_have_answered_once_the_verdict_or_the_end_says_so() {
    let detects = || {
        let mut story = Story::on_demand();
        story.settings.amd.mode = AmdMode::Detect;
        story.told(1, 0, |f| f.provider = Some("CA0".into()))
    };
    let known = |story: &Story| story.call.person_answered(&story.settings);
    assert!(!known(&detects()), "it is not picked up yet");
    let picked_up = detects().told(8, 0, |f| f.answered_at = Some(at(8)));
    assert!(!known(&picked_up), "the verdict is not there yet");
    assert!(known(&detects().answered(Verdict::Human)));
    assert!(!known(&detects().answered(Verdict::MachineGreeting)));
    // Whoever hung up before the verdict was a person.
    let gone = detects().told(8, 0, |f| f.answered_at = Some(at(8))).ended(9, 0, EndCause::Completed);
    assert!(known(&gone));
    let mut without = Story::on_demand();
    without.settings.amd.mode = autocall_core::settings::AmdMode::Off;
    let without = without.told(1, 0, |f| f.provider = Some("CA0".into()));
    assert!(known(&without.told(8, 0, |f| f.answered_at = Some(at(8)))), "nobody judges: everybody is a person");
}

#[test]
fn an_agent_records_only_where_enough_was_said() {
    use RecordingMode::{Announce, Consent, Off};
    let (mut may, story) = (Vec::new(), Story::on_demand());
    for recording in [Off, Announce, Consent] {
        for needs in [Off, Announce, Consent] {
            let plan = CallPlan { recording, recording_needs: needs, ..(*story.call.plan).clone() };
            if plan.may_record_now() {
                may.push((recording, needs));
            }
        }
    }
    // Who was asked for a yes may have said no.
    assert_eq!(may, [(Off, Off), (Announce, Off), (Announce, Announce)]);
}

#[test]
fn a_leg_can_be_steered_from_its_pick_up_to_its_end() {
    let mut facts = LegFacts { ringing_at: Some(at(1)), ..LegFacts::default() };
    assert!(!facts.is_up(), "it only rings");
    facts.answered_at = Some(at(5));
    assert!(facts.is_up());
    facts.end = Some(End { cause: EndCause::Completed, at: at(9) });
    assert!(!facts.is_up());
}

#[test]
fn every_script_has_a_name_of_its_own() {
    let room = Room::Call(CallId::small(TENANT, 1));
    let join = |role| Script::Join { room, role, hold: Audio::Silence, recording: RecordingMode::Off };
    let message = |kind| Script::Message { kind, audio: Audio::Silence, opt_out: None };
    let whisper = Script::Whisper { text: "a caller".into(), accept: Accept::AnyKey, wait_ms: 1 };
    let scripts = [Script::Wait, whisper, Script::Hangup]
        .into_iter()
        .chain([Role::Customer, Role::Agent, Role::Third, Role::Standing].map(join))
        .chain([MessageKind::Voicemail, MessageKind::Abandonment, MessageKind::Agentless].map(message));
    let names: BTreeSet<&str> = scripts.map(|s| s.name()).collect();
    assert_eq!(names.len(), 10, "{names:?}");
    assert!(names.contains("wait") && names.contains("hang up"));
}

#[test]
fn a_call_for_one_agent_holds_them_until_they_are_gone() {
    let mut story = Story::new(TransferMode::Standing, false);
    let plan = CallPlan { for_agent: Some(agent(1)), ..(*story.call.plan).clone() };
    story.call = Call::new(story.call.id, Arc::new(plan), T0);
    assert_eq!(story.call.holds(), Some(agent(1)));
    let story = story.on(1, Event::AgentGone { agent: agent(2) });
    assert_eq!(story.call.holds(), Some(agent(1)), "another one's going is nothing to it");
    let story = story.on(2, Event::AgentGone { agent: agent(1) });
    assert_eq!(story.call.holds(), None);
    assert_eq!(story.on(3, Event::AgentGone { agent: agent(1) }).call.passed.len(), 1, "once is enough");
}

#[test]
fn a_machine_found_during_an_offer_waits_for_its_beep_and_asks_nobody() {
    let mut story = Story::on_demand();
    story.settings.amd.machine = OnMachine::LeaveMessage;
    story.settings.amd.mode = AmdMode::DetectMessageEnd;
    let story = story.free(&[1]).answered(Verdict::Unclear);
    assert!(matches!(story.call.stage, Stage::Offering { .. }), "{:?}", story.call.stage);
    let story = story.told(11, 0, |f| f.verdict = Some((Verdict::MachineGreeting, at(11))));
    assert_eq!(story.call.stage, Stage::Dialing, "the greeting still plays");
    let story = story.told(15, 0, |f| f.verdict = Some((Verdict::MachineBeep, at(15))));
    assert!(matches!(story.call.stage, Stage::Message { .. }), "{:?}", story.call.stage);
}

#[test]
fn reports_name_every_outcome_in_plain_words() {
    let words: Vec<String> = Outcome::ALL.iter().map(|o| o.to_string()).collect();
    assert_eq!(
        words,
        [
            "connected",
            "abandoned (nobody free)",
            "abandoned (hung up waiting)",
            "abandoned (hung up during an offer)",
            "abandoned (stopped)",
            "agent unavailable",
            "message played",
            "voicemail left",
            "machine",
            "fax",
            "busy",
            "no answer",
            "invalid number",
            "unreachable",
            "refused by carrier",
            "blocked",
            "canceled",
            "lost",
        ]
    );
}

#[test]
fn the_abandonment_rate_counts_people_who_answered_and_those_who_met_nobody() {
    let names = |of: fn(Outcome) -> bool| -> BTreeSet<&str> {
        Outcome::ALL.into_iter().filter(|o| of(*o)).map(Outcome::name).collect()
    };
    let answered = ["abandoned", "agent_unavailable", "connected", "message_played"];
    assert_eq!(names(Outcome::is_live_answer), answered.into());
    assert_eq!(names(Outcome::is_abandonment), ["abandoned", "agent_unavailable"].into());
}

#[test]
fn a_key_says_yes_only_where_keys_do() {
    let takes = |accept: Accept| ['1', '5', '#'].map(|key| accept.takes(key));
    assert_eq!(takes(Accept::AnyKey), [true; 3]);
    assert_eq!(takes(Accept::Key('5')), [false, true, false]);
    assert_eq!(takes(Accept::Console), [false; 3], "only a click does");
    assert_eq!(takes(Accept::Without), [false; 3], "picking up was the yes");
}

#[test]
fn of_a_stored_call_that_says_nothing_about_recording_the_strictest_is_assumed() {
    let plan = &Story::on_demand().call.plan;
    let mut stored = serde_json::to_value(&**plan).expect("JSON");
    stored.as_object_mut().expect("an object").remove("recording_needs");
    let read: CallPlan = serde_json::from_value(stored).expect("a plan");
    assert_eq!(read.recording_needs, RecordingMode::Consent);
    assert!(!read.may_record_now());
}

#[test]
fn legs_are_named_after_their_call() {
    let call = Story::on_demand().call;
    assert_eq!((call.leg_id(3).call, call.leg_id(3).leg), (call.id, 3));
}
