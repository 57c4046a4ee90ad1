//! Calls that we end ourselves: which, when, and what the person hears.

use super::story::{Story, at, split};
use autocall_core::call::{Effect, EndCause, Event, Stop, Verdict};
use autocall_core::script::{Audio, MessageKind, Script};
use autocall_core::settings::{AmdMode, OnMachine};

#[test]
fn a_listing_overrides_a_milder_stop_and_the_first_of_each_counts() {
    let mut story = Story::on_demand().answered(Verdict::Human);
    story.on(11, Event::Stop(Stop::Person));
    story.on(12, Event::Stop(Stop::Campaign));
    assert_eq!(story.call.stopped, Some((Stop::Person, at(11))));
    story.on(13, Event::Stop(Stop::Listed));
    story.on(14, Event::Stop(Stop::Listed));
    assert_eq!(story.call.stopped, Some((Stop::Listed, at(13))));
}

#[test]
fn ending_a_campaign_leaves_those_alone_who_are_attended_to() {
    let message = || {
        let mut story = Story::on_demand().answered(Verdict::Human);
        story.tick(12);
        assert_eq!(story.stage(), "message");
        story
    };
    for mut story in [Story::on_demand().bridged(), Story::on_demand().offered(&[1]), message()] {
        let before = story.call.stage;
        story.on(20, Event::Stop(Stop::Campaign));
        assert_eq!((story.call.stage, story.call.stopped), (before, None));
        story.on(21, Event::Stop(Stop::Person));
        assert_eq!(story.stage(), "closing", "a person's word ends it");
    }
    // Who waits for an agent gets the apology; who was just picked up is let go.
    let mut waits = Story::on_demand().answered(Verdict::Human);
    waits.on(11, Event::Stop(Stop::Campaign));
    assert_eq!((waits.stage(), waits.call.gave_up_at), ("message", Some(at(11))));
    let mut by_hand = Story::on_demand().answered(Verdict::Human);
    by_hand.on(11, Event::Stop(Stop::Person));
    assert_eq!((by_hand.stage(), by_hand.call.gave_up_at), ("closing", None));
    let mut picked_up = Story::on_demand().rings();
    picked_up.asks(8, 0, |f| f.answered_at = Some(at(8)));
    picked_up.on(9, Event::Stop(Stop::Campaign));
    assert_eq!((picked_up.stage(), picked_up.call.gave_up_at), ("closing", None));
}

#[test]
fn pacing_lets_go_only_of_phones_that_ring() {
    let mut placed = Story::on_demand();
    placed.placed(1, 0);
    let mut answered = Story::on_demand().answered(Verdict::Human);
    answered.settings.transfer.wait_ms_max = 60_000;
    for story in [&mut placed, &mut answered] {
        let before = story.call.stage;
        story.on(30, Event::Stop(Stop::Pacing));
        assert_eq!((story.call.stage, story.call.stopped), (before, None));
    }
    let mut rings = Story::on_demand().rings();
    rings.on(10, Event::Stop(Stop::Pacing));
    assert_eq!((rings.stage(), rings.call.stopping), ("dialing", None), "pacing asks again if it still wants to");
    rings.on(18, Event::Stop(Stop::Pacing));
    assert_eq!(rings.stage(), "closing");
}

#[test]
fn a_stop_that_came_too_early_waits_for_the_fifteenth_second_of_ringing() {
    let mut story = Story::on_demand().rings();
    story.on(5, Event::Stop(Stop::Campaign));
    assert_eq!((story.stage(), story.wakes(5)), ("dialing", 18));
    story.tick(17);
    assert_eq!(story.stage(), "dialing");
    story.tick(18);
    assert_eq!((story.stage(), story.call.stopped), ("closing", Some((Stop::Campaign, at(18)))));
    // Whoever picks up meanwhile is a person on the line.
    let mut picked_up = Story::on_demand().rings();
    picked_up.on(5, Event::Stop(Stop::Person));
    picked_up.asks(8, 0, |f| f.answered_at = Some(at(8)));
    assert_eq!(picked_up.wakes(8), 14, "only the verdict is awaited");
    picked_up.told(10, 0, |f| f.verdict = Some((Verdict::Human, at(10))));
    assert_eq!((picked_up.stage(), picked_up.call.stopped), ("seeking", None));
}

#[test]
fn a_phone_that_does_not_ring_yet_is_stopped_at_once() {
    for stop in [Stop::Campaign, Stop::Person, Stop::Listed] {
        let mut story = Story::on_demand();
        story.placed(1, 0);
        story.on(2, Event::Stop(stop));
        assert_eq!((story.stage(), story.call.stopped), ("closing", Some((stop, at(2)))));
    }
}

#[test]
fn a_message_ends_by_itself_by_a_key_or_after_three_minutes() {
    let plays = || {
        let mut story = Story::on_demand().answered(Verdict::Human);
        story.tick(12);
        story.asks(13, 0, |_| {});
        assert_eq!(story.stage(), "message");
        story
    };
    let mut silent = plays();
    assert_eq!(split(&silent.watch(0, 13, 191)).0, [] as [i64; 0]);
    assert_eq!((silent.stage(), silent.wakes(191)), ("message", 192));
    silent.tick(192);
    assert_eq!(silent.stage(), "closing");
    let mut heard = plays();
    heard.told(20, 0, |f| f.message_end_at = Some(at(20)));
    assert_eq!(heard.stage(), "closing");
    let mut opted_out = plays();
    let effects = opted_out.told(20, 0, |f| f.opted_out_at = Some(at(20)));
    assert!(effects.contains(&Effect::OptOut));
    assert_eq!(opted_out.stage(), "closing");
    let effects = opted_out.told(21, 0, |f| f.opted_out_at = Some(at(20)));
    assert!(!effects.contains(&Effect::OptOut), "the number is listed once");
    let mut gone = plays();
    gone.ended(20, 0, EndCause::Completed);
    assert_eq!(gone.stage(), "closing");
}

#[test]
fn a_message_that_the_carrier_came_for_has_played() {
    let mut story = Story::on_demand();
    story.settings.amd.machine = OnMachine::LeaveMessage;
    let mut story = story.answered(Verdict::MachineBeep);
    story.asks(11, 0, |_| {});
    assert_eq!(story.call.customer().facts.message_at, Some(at(11)));
    story.ended(40, 0, EndCause::Completed);
    let record = story.record();
    assert_eq!((record.outcome, record.message_at), (autocall_core::Outcome::VoicemailLeft, Some(at(11))));
}

#[test]
fn only_a_message_that_exists_and_is_allowed_is_played() {
    let apology = |there: bool, allowed: bool| {
        let mut story = Story::on_demand().planned(|plan| plan.abandonment_allowed = allowed);
        story.settings.abandonment = there.then(|| Audio::say("sorry"));
        let mut story = story.answered(Verdict::Human);
        story.tick(12);
        assert_eq!(story.call.gave_up_at, Some(at(12)));
        story.stage()
    };
    assert_eq!([apology(true, true), apology(true, false), apology(false, true)], ["message", "closing", "closing"]);
    // On a machine it is known from the first word of its greeting that nothing will be left.
    let voicemail = |there: bool, allowed: bool, verdict| {
        let mut story = Story::on_demand().planned(|plan| plan.voicemail_allowed = allowed);
        story.settings.voicemail = there.then(|| Audio::say("hello"));
        story.settings.amd.machine = OnMachine::LeaveMessage;
        story.settings.amd.mode = AmdMode::DetectMessageEnd;
        story.answered(verdict).stage()
    };
    let (greets, beeps) = (Verdict::MachineGreeting, Verdict::MachineBeep);
    assert_eq!((voicemail(true, true, greets), voicemail(true, true, beeps)), ("dialing", "message"));
    for verdict in [greets, beeps] {
        assert_eq!((voicemail(true, false, verdict), voicemail(false, true, verdict)), ("closing", "closing"));
    }
}

#[test]
fn a_call_without_agents_waits_in_silence_and_then_speaks() {
    let agentless = || Story::on_demand().planned(|plan| plan.agentless = true);
    let mut story = agentless().rings();
    story.asks(8, 0, |f| f.answered_at = Some(at(8)));
    assert_eq!(story.hears(0), "wait", "there is no room to wait in");
    story.told(10, 0, |f| f.verdict = Some((Verdict::Human, at(10))));
    let key = story.settings.opt_out_key;
    assert!(matches!(
        story.script(0),
        Script::Message { kind: MessageKind::Agentless, opt_out: Some(k), .. } if k == key
    ));
    // A machine cannot be given to an agent where there is none.
    for (mut story, wanted) in [(agentless(), "closing"), (Story::on_demand(), "seeking")] {
        story.settings.amd.machine = OnMachine::Connect;
        assert_eq!(story.answered(Verdict::MachineBeep).stage(), wanted);
    }
    let mut waits = Story::on_demand().rings();
    waits.asks(8, 0, |f| f.answered_at = Some(at(8)));
    assert_eq!(waits.hears(0), "join as customer", "with agents the person waits in the room");
}

#[test]
fn the_apology_can_be_answered_with_a_key_and_a_voicemail_cannot() {
    let mut story = Story::on_demand().answered(Verdict::Human);
    story.tick(12);
    assert!(matches!(
        story.script(0),
        Script::Message { kind: MessageKind::Abandonment, audio, opt_out: Some(_) } if audio == Audio::say("sorry")
    ));
    let mut machine = Story::on_demand();
    machine.settings.amd.machine = OnMachine::LeaveMessage;
    let machine = machine.answered(Verdict::MachineBeep);
    assert!(matches!(
        machine.script(0),
        Script::Message { kind: MessageKind::Voicemail, audio, opt_out: None } if audio == Audio::say("hello")
    ));
}
