//! From a person on the line to a conversation: who is asked, for how long, and who is not.

use super::story::{Story, agent, at, holds, press, released, split, steers};
use autocall_core::agent::Hold;
use autocall_core::call::{Effect, EndCause, Event, FreeAgent, Onward, Stage, Verdict};
use autocall_core::script::{Accept, Audio, RecordingMode, Role, Room, Script};
use autocall_core::settings::{AmdMode, Connect, OnMachine};

#[test]
fn a_person_waits_as_long_as_settings_say_and_looks_for_an_agent_every_second() {
    let mut story = Story::on_demand().answered(Verdict::Human);
    assert_eq!((story.stage(), story.wakes(10)), ("seeking", 11));
    story.tick(11);
    assert_eq!((story.stage(), story.wakes(11)), ("seeking", 12));
    story.tick(12);
    assert_eq!(story.stage(), "message", "two seconds, then the apology");
    assert_eq!(story.call.gave_up_at, Some(at(12)));
}

#[test]
fn in_standing_mode_only_agents_who_stand_are_asked() {
    let two = [FreeAgent { agent: agent(1), standing: false }, FreeAgent { agent: agent(2), standing: true }];
    for (mut story, wanted) in [(Story::standing(), 2), (Story::on_demand(), 1)] {
        story.free = two.to_vec();
        let story = story.answered(Verdict::Human);
        assert_eq!(story.call.holds(), Some(agent(wanted)));
    }
}

#[test]
fn a_call_for_one_agent_asks_others_only_when_that_one_let_it_pass() {
    let mut story = Story::on_demand().planned(|plan| plan.for_agent = Some(agent(2)));
    story.frees(&[1, 3]);
    let mut story = story.answered(Verdict::Human);
    assert_eq!(story.stage(), "seeking", "the two who are free are not the one");
    assert_eq!(story.call.holds(), Some(agent(2)), "who is kept for it");
    story.frees(&[1, 2, 3]);
    story.tick(11);
    assert!(matches!(story.call.stage, Stage::Offering { agent: asked, .. } if asked == agent(2)));
    let effects = story.ended(12, 1, EndCause::NoAnswer);
    assert_eq!(released(&effects), [(agent(2), true, 0)]);
    assert!(matches!(story.call.stage, Stage::Offering { agent: asked, .. } if asked == agent(1)));
}

#[test]
fn nobody_is_asked_twice_for_one_call() {
    let mut story = Story::on_demand().offered(&[1]);
    story.settings.transfer.wait_ms_max = 60_000;
    story.ended(12, 1, EndCause::Busy);
    story.frees(&[1]);
    assert_eq!((story.tick(13).len(), story.stage()), (0, "seeking"), "the one who is free has let it pass");
    story.frees(&[1, 2]);
    story.tick(14);
    assert_eq!(story.call.holds(), Some(agent(2)));
}

#[test]
fn a_call_rings_at_most_so_many_phones_however_many_agents_may_be_tried() {
    let mut story = Story::on_demand();
    story.settings.transfer.agents_max = 200;
    let everybody: Vec<u128> = (1..=60).collect();
    let mut story = story.offered(&everybody);
    for leg in 1..60 {
        story.frees(&everybody);
        story.ended(12, leg, EndCause::Busy);
    }
    assert_eq!((story.call.legs.len(), story.call.passed.len()), (32, 31));
    assert_eq!(story.stage(), "message", "the person is not kept waiting for ever");
}

#[test]
fn an_agents_phone_rings_so_long_and_then_the_next_one_is_asked() {
    let mut story = Story::on_demand().offered(&[1, 2]);
    story.told(11, 1, |f| (f.provider, f.ringing_at) = (Some("CA1".into()), Some(at(11))));
    assert_eq!(story.wakes(11), 25, "fifteen seconds after they were asked");
    story.tick(24);
    assert_eq!(story.call.holds(), Some(agent(1)));
    let effects = story.tick(25);
    assert_eq!(released(&effects), [(agent(1), true, 0)]);
    assert!(steers(&effects, 1), "their phone stops ringing");
    assert_eq!(story.call.holds(), Some(agent(2)));
}

#[test]
fn an_agent_who_listens_gets_their_own_time_to_say_yes() {
    let mut story = Story::on_demand();
    story.settings.transfer.accept_ms_max = 20_000;
    let mut story = story.offered(&[1, 2]);
    story.placed(11, 1);
    story.asks(13, 1, |f| f.answered_at = Some(at(13)));
    assert_eq!(story.hears(1), "whisper");
    story.watch(1, 13, 32);
    assert_eq!(story.call.holds(), Some(agent(1)));
    let mut silent = story.clone();
    silent.watch(1, 32, 33);
    assert_eq!((silent.call.holds(), silent.call.passed.to_vec()), (Some(agent(2)), vec![agent(1)]));
    // Who says yes at the last moment has twelve seconds to come into the room.
    story.asks(32, 1, |f| f.accepted = Some(press(32)));
    assert_eq!(story.hears(1), "join as agent");
    assert_eq!(split(&story.watch(1, 32, 43)).0, [] as [i64; 0]);
    assert_eq!(story.call.holds(), Some(agent(1)));
    let effects = story.tick(44);
    assert_eq!((released(&effects), story.call.holds()), (vec![(agent(1), true, 0)], Some(agent(2))));
}

#[test]
fn where_answering_is_accepting_an_agent_has_only_the_time_to_come_in() {
    let mut story = Story::on_demand();
    story.settings.transfer.accept = Accept::Without;
    story.settings.transfer.accept_ms_max = 60_000;
    let mut story = story.offered(&[1, 2]);
    story.placed(11, 1);
    story.asks(13, 1, |f| f.answered_at = Some(at(13)));
    assert_eq!((story.hears(1), story.wakes(13)), ("join as agent", 25));
    story.tick(24);
    assert_eq!(story.call.holds(), Some(agent(1)));
    story.tick(25);
    assert_eq!(story.call.holds(), Some(agent(2)));
}

#[test]
fn who_stands_and_is_not_met_in_time_is_passed_over() {
    let mut story = Story::standing().offered(&[1, 2]);
    assert_eq!(story.hears(0), "join as customer");
    assert!(matches!(story.script(0), Script::Join { room: Room::Agent(a), .. } if a == agent(1)));
    // The one who is in another agent's room has not met this one.
    story.told(12, 0, |f| f.guest = Some((at(12), agent(5))));
    story.watch(0, 12, 21);
    assert_eq!((story.call.holds(), story.stage()), (Some(agent(1)), "offering"));
    assert_eq!(story.wakes(21), 22);
    let effects = story.tick(22);
    assert_eq!(released(&effects), [(agent(1), false, 0)], "nothing rang: nothing was missed");
    assert_eq!(story.call.holds(), Some(agent(2)));
}

#[test]
fn a_click_counts_once_the_phone_is_picked_up() {
    let mut story = Story::on_demand().offered(&[1]);
    story.told(11, 1, |f| (f.provider, f.ringing_at) = (Some("CA1".into()), Some(at(11))));
    story.on(12, Event::Answered { agent: agent(2), accept: true });
    assert_eq!(story.call.legs[1].clicked_at, None, "another agent's click");
    story.on(13, Event::Answered { agent: agent(1), accept: true });
    story.on(14, Event::Answered { agent: agent(1), accept: true });
    assert_eq!(story.call.legs[1].clicked_at, Some(at(13)), "the first counts");
    assert_eq!((story.call.legs[1].facts.accepted, story.wakes(14)), (None, 25), "it still rings");
    story.asks(16, 1, |f| f.answered_at = Some(at(16)));
    assert_eq!(story.call.legs[1].facts.accepted.map(|p| p.at), Some(at(16)));
    assert_eq!(story.hears(1), "join as agent", "no whisper any more");
}

#[test]
fn who_picks_up_without_a_click_is_still_asked() {
    let mut story = Story::on_demand().offered(&[1]);
    story.asks(13, 1, |f| f.answered_at = Some(at(13)));
    story.tick(14);
    assert_eq!((story.hears(1), story.call.legs[1].facts.accepted), ("whisper", None));
    let effects = story.on(15, Event::Answered { agent: agent(1), accept: false });
    assert_eq!(released(&effects), [(agent(1), true, 0)]);
    assert_eq!(story.hears(1), "hang up");
}

#[test]
fn an_agent_is_shown_as_reserved_then_ringing_then_talking() {
    let mut story = Story::on_demand();
    story.frees(&[1]);
    let mut story = story.rings();
    story.asks(8, 0, |f| f.answered_at = Some(at(8)));
    let effects = story.told(10, 0, |f| f.verdict = Some((Verdict::Human, at(10))));
    assert_eq!(holds(&effects), [(agent(1), Hold::Reserved)]);
    assert!(effects.contains(&Effect::Offer { leg: 1, agent: agent(1) }));
    assert_eq!(holds(&story.placed(11, 1)), [], "on its way is not ringing");
    let mut unreported = story;
    // A phone that is picked up has rung, reported or not.
    assert_eq!(holds(&unreported.told(12, 1, |f| f.answered_at = Some(at(12)))), [(agent(1), Hold::Ringing)]);
    assert_eq!(holds(&unreported.told(13, 1, |f| f.ringing_at = Some(at(11)))), [], "they are told once");
    assert_eq!(holds(&unreported.told(14, 1, |f| f.joined_at = Some(at(14)))), [(agent(1), Hold::Talking)]);
}

#[test]
fn an_agent_whose_phone_rings_when_the_customer_hangs_up_has_missed_nothing() {
    let mut story = Story::on_demand().offered(&[1]);
    story.told(11, 1, |f| (f.provider, f.ringing_at) = (Some("CA1".into()), Some(at(11))));
    let effects = story.ended(13, 0, EndCause::Completed);
    assert_eq!(released(&effects), [(agent(1), false, 0)]);
    assert!(steers(&effects, 1));
}

#[test]
fn only_an_agent_who_talked_gets_time_to_write_up() {
    for mut story in [Story::on_demand().bridged(), Story::standing().bridged()] {
        assert_eq!(released(&story.ended(60, 0, EndCause::Completed)), [(agent(1), false, 20_000)]);
    }
}

#[test]
fn a_phone_that_was_given_up_as_lost_stays_out_of_the_conversation() {
    let mut story = Story::on_demand().offered(&[1, 2]);
    for s in [11, 12, 13] {
        story.on(s, Event::NotFound { leg: 1 });
    }
    assert_eq!((story.call.holds(), story.call.passed.to_vec()), (Some(agent(2)), vec![agent(1)]));
    // The carrier had it all the same, and now it is picked up.
    story.asks(14, 1, |f| (f.provider, f.answered_at) = (Some("CA1".into()), Some(at(14))));
    assert_eq!(story.hears(1), "hang up", "while the next agent is asked");
    story.told(15, 2, |f| f.accepted = Some(press(15)));
    story.told(16, 2, |f| f.joined_at = Some(at(16)));
    assert_eq!((story.stage(), story.hears(1), story.hears(2)), ("bridged", "hang up", "join as agent"));
    assert_eq!(story.hears(9), "hang up", "a leg that the call does not have");
}

#[test]
fn the_customer_waits_with_music_and_is_recorded_the_agent_comes_in_silence() {
    let mut story = Story::on_demand().planned(|plan| plan.recording = RecordingMode::Announce);
    story.settings.hold = Audio::File("waltz".into());
    let mut story = story.bridged();
    let room = Room::Call(story.call.id);
    let join = |role, hold, recording| Script::Join { room, role, hold, recording };
    assert_eq!(story.script(0), join(Role::Customer, Audio::File("waltz".into()), RecordingMode::Announce));
    assert_eq!(story.script(1), join(Role::Agent, Audio::Silence, RecordingMode::Off));
    let to = autocall_core::agent::Address::Client("somebody".into());
    story.on(20, Event::HandOn(Onward::Consult { to, agent: None }));
    assert_eq!(story.script(2), join(Role::Third, Audio::Silence, RecordingMode::Off));
}

#[test]
fn a_whisper_names_the_person_and_the_campaign() {
    let mut story = Story::on_demand();
    story.settings.transfer.whisper = "{campaign}: {name}".into();
    story.settings.subject = "spring".into();
    let whisper = |story: Story| match story.offered(&[1]).script(1) {
        Script::Whisper { text, wait_ms, .. } => (text.expose().to_owned(), wait_ms),
        other => panic!("{other:?}"),
    };
    assert_eq!(whisper(story), ("spring: John".into(), 12_000));
    let unnamed = Story::on_demand().planned(|plan| plan.name = "".into());
    assert_eq!(whisper(unnamed).0, "Connecting you with a caller");
}

#[test]
fn where_nobody_waits_for_a_verdict_a_person_is_there_at_once() {
    for (connect, wanted) in [(Connect::AtAnswer, "offering"), (Connect::AtVerdict, "dialing")] {
        let mut story = Story::on_demand();
        story.settings.amd.connect = connect;
        story.frees(&[1]);
        let mut story = story.rings();
        story.asks(8, 0, |f| f.answered_at = Some(at(8)));
        assert_eq!(story.stage(), wanted);
    }
}

#[test]
fn a_verdict_is_awaited_to_the_second() {
    for (mode, until) in [(AmdMode::Detect, 14), (AmdMode::DetectMessageEnd, 44)] {
        let mut story = Story::on_demand();
        story.settings.amd.mode = mode;
        let mut story = story.rings();
        story.asks(8, 0, |f| f.answered_at = Some(at(8)));
        let mut wake = 8;
        while wake < until {
            story.tick(wake);
            assert_eq!(story.stage(), "dialing", "{mode:?} at {wake}");
            wake = story.wakes(wake);
        }
        assert_eq!(wake, until);
        story.tick(until);
        assert_eq!(story.stage(), "seeking", "then whoever is there is taken for a person");
    }
}

#[test]
fn a_greeting_that_is_not_said_to_end_is_not_waited_for_for_ever() {
    let mut story = Story::on_demand();
    story.settings.amd.mode = AmdMode::DetectMessageEnd;
    story.settings.amd.machine = OnMachine::LeaveMessage;
    let mut story = story.answered(Verdict::MachineGreeting);
    assert_eq!(story.stage(), "dialing");
    story.watch(0, 10, 43);
    assert_eq!((story.stage(), story.wakes(43)), ("dialing", 44));
    story.tick(44);
    assert_eq!(story.stage(), "message");
}

/// What becomes of somebody who waits when the verdict changes to this one.
fn turns_out(verdict: Verdict, machine: OnMachine, fax: OnMachine, while_asking: bool) -> &'static str {
    let mut story = Story::on_demand();
    (story.settings.amd.machine, story.settings.amd.fax) = (machine, fax);
    story.settings.transfer.wait_ms_max = 60_000;
    story.frees(if while_asking { &[1] } else { &[] });
    let mut story = story.answered(Verdict::Unclear);
    story.told(11, 0, |f| f.verdict = Some((verdict, at(11))));
    story.stage()
}

#[test]
fn who_turns_out_to_be_a_machine_or_a_fax_is_dealt_with_as_one() {
    use OnMachine::{Connect, HangUp, LeaveMessage};
    let beep = Verdict::MachineBeep;
    for (asking, stays) in [(false, "seeking"), (true, "offering")] {
        assert_eq!(turns_out(beep, HangUp, Connect, asking), "closing");
        assert_eq!(turns_out(beep, LeaveMessage, HangUp, asking), "message");
        assert_eq!(turns_out(beep, Connect, HangUp, asking), stays);
        assert_eq!(turns_out(Verdict::Fax, Connect, HangUp, asking), "closing");
        assert_eq!(turns_out(Verdict::Fax, HangUp, LeaveMessage, asking), "message");
        assert_eq!(turns_out(Verdict::Fax, HangUp, Connect, asking), stays);
    }
}

#[test]
fn whoever_has_talked_to_an_agent_is_a_person_whatever_the_detector_says_later() {
    let mut story = Story::on_demand().bridged();
    story.on(20, Event::HandOn(Onward::Agent { agent: agent(2), standing: false }));
    story.told(21, 0, |f| f.verdict = Some((Verdict::Human, at(21))));
    let mut unclear = Story::on_demand();
    unclear.frees(&[1]);
    let mut unclear = unclear.answered(Verdict::Unclear);
    unclear.told(13, 1, |f| f.accepted = Some(press(13)));
    unclear.told(14, 1, |f| f.joined_at = Some(at(14)));
    unclear.on(20, Event::HandOn(Onward::Agent { agent: agent(2), standing: false }));
    unclear.told(21, 0, |f| f.verdict = Some((Verdict::MachineBeep, at(21))));
    assert_eq!((unclear.stage(), unclear.call.holds()), ("offering", Some(agent(2))));
}
