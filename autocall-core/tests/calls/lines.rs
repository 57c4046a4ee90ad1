//! What is done about a leg that does not do what it was told, or of which nothing is heard.

use super::story::{Story, agent, at, split, steers};
use autocall_core::Outcome;
use autocall_core::agent::Address;
use autocall_core::call::{EndCause, Event, Onward, PERMIT_TTL, Stop, Verdict};
use autocall_core::script::MessageKind;

fn outside() -> Address {
    Address::Client("somebody".into())
}

#[test]
fn a_call_that_the_carrier_does_not_know_is_looked_up_three_times_ever_later() {
    let mut story = Story::on_demand();
    let unknown = |story: &mut Story, s| {
        story.on(s, Event::NotFound { leg: 0 });
    };
    let done = story.watch_with(0, 1_000, 0, unknown);
    let (told, looked) = split(&done);
    assert_eq!((told, looked), (vec![], vec![15, 55, 115]), "each refusal earns it a longer wait");
    assert!(at(15) > at(0) + PERMIT_TTL, "nobody can dial it any more by then");
    let record = story.call.record().expect("settled");
    assert_eq!((record.outcome, record.settled_at), (Outcome::Lost, at(115)), "nothing more is waited for");
}

#[test]
fn a_look_up_that_is_not_answered_is_repeated() {
    let mut story = Story::on_demand();
    assert_eq!(split(&story.watch(0, 0, 60)).1, [15, 35, 55]);
}

#[test]
fn a_phone_that_rings_too_long_is_looked_up_some_time_after_it_should_have_rung_out() {
    let mut story = Story::on_demand().rings();
    // 25 seconds of ringing from 3 on, and 12 more.
    assert_eq!(split(&story.watch(0, 3, 110)), (vec![], vec![40, 70, 100]));
    // One of which no ringing was reported rings since it was dialled.
    let mut silent = Story::on_demand();
    silent.placed(1, 0);
    assert_eq!(split(&silent.watch(0, 1, 70)), (vec![], vec![37, 67]));
    // Somebody whom the agent calls in rings as long as agents do: 15 seconds, and 12 more.
    let mut third = Story::on_demand().bridged();
    third.on(20, Event::HandOn(Onward::Consult { to: outside(), agent: None }));
    third.placed(21, 2);
    third.told(22, 2, |f| f.ringing_at = Some(at(22)));
    assert_eq!(split(&third.watch(2, 22, 80)), (vec![], vec![49, 79]));
}

#[test]
fn who_has_been_picked_up_and_does_not_ask_is_told_after_five_seconds() {
    let mut story = Story::on_demand().rings();
    let effects = story.told(8, 0, |f| f.answered_at = Some(at(8)));
    assert!(!steers(&effects, 0), "the carrier asks by itself");
    assert_eq!(story.wakes(8), 13);
    assert!(!steers(&story.tick(12), 0));
    assert!(steers(&story.tick(13), 0));
}

#[test]
fn a_leg_is_told_to_end_at_once_and_again_at_growing_intervals_but_not_for_ever() {
    let mut story = Story::on_demand().rings();
    let effects = story.on(20, Event::Stop(Stop::Listed));
    assert!(steers(&effects, 0), "though it only rings");
    let (told, looked) = split(&story.watch(0, 20, 700));
    assert_eq!(told, [24, 32, 48, 80, 144, 272]);
    assert_eq!(looked[..4], [30, 60, 90, 120], "ten seconds after it was let go, then twice a minute");
}

#[test]
fn a_leg_without_a_name_is_told_to_end_as_soon_as_it_has_one() {
    let mut story = Story::on_demand();
    let effects = story.on(2, Event::Stop(Stop::Person));
    assert!(!steers(&effects, 0), "there is nothing to tell it by");
    assert!(steers(&story.placed(5, 0), 0));
}

#[test]
fn an_answer_that_ends_a_leg_may_have_been_lost_and_is_said_again() {
    let mut story = Story::on_demand().rings();
    story.on(4, Event::Stop(Stop::Listed));
    let effects = story.asks(5, 0, |f| f.answered_at = Some(at(5)));
    assert!(!steers(&effects, 0), "the answer itself says it");
    assert_eq!(split(&story.watch(0, 5, 20)).0, [9, 17]);
}

/// A person who waits long for an agent and was pushed into the waiting room at 13.
fn pushed() -> Story {
    let mut story = Story::on_demand().rings();
    story.settings.transfer.wait_ms_max = 900_000;
    story.told(8, 0, |f| f.answered_at = Some(at(8)));
    story.told(10, 0, |f| f.verdict = Some((Verdict::Human, at(10))));
    assert!(steers(&story.tick(13), 0));
    story
}

#[test]
fn somebody_is_sent_to_a_room_again_only_after_a_look_up_has_not_found_them_there() {
    let mut story = pushed();
    let (told, looked) = split(&story.watch(0, 13, 150));
    assert_eq!(told, [21, 37, 69, 133], "ever later");
    assert_eq!(looked[..5], [17, 25, 41, 61, 73], "soon after it was told, then three times a minute");
}

#[test]
fn whoever_is_seen_in_the_room_is_left_alone() {
    let mut story = pushed();
    story.told(14, 0, |f| f.joined_at = Some(at(14)));
    assert_eq!(split(&story.watch(0, 14, 80)), (vec![], vec![28, 48, 68]));
}

#[test]
fn an_answer_that_somebody_asked_for_is_taken_for_heard() {
    let mut story = Story::on_demand();
    story.settings.transfer.wait_ms_max = 900_000;
    let mut story = story.answered(Verdict::Human);
    assert_eq!(split(&story.watch(0, 10, 100)), (vec![], vec![28, 48, 68, 88]));
}

#[test]
fn the_answer_to_a_late_look_up_is_awaited_before_somebody_is_sent_again() {
    let mut story = pushed();
    let effects = story.tick(22);
    assert!(!steers(&effects, 0), "nothing has been looked up since");
    assert!(!steers(&story.tick(24), 0), "the answer may be on its way");
    assert!(steers(&story.tick(25), 0));
}

#[test]
fn a_look_up_that_was_asked_for_before_somebody_was_told_proves_nothing() {
    let mut story = Story::standing().rings();
    story.settings.transfer.wait_ms_max = 900_000;
    story.told(8, 0, |f| f.answered_at = Some(at(8)));
    story.told(10, 0, |f| f.verdict = Some((Verdict::Human, at(10))));
    story.tick(13);
    story.tick(17);
    assert_eq!(story.call.customer().looked_at, Some(at(17)));
    story.frees(&[1]);
    assert!(steers(&story.tick(17), 0), "to the room where the agent stands");
    assert_eq!(split(&story.watch(0, 17, 28)).0, [] as [i64; 0]);
}

#[test]
fn people_who_talk_are_not_sent_to_their_room_again() {
    let mut story = pushed();
    story.frees(&[1]);
    story.tick(14);
    story.placed(15, 1);
    story.asks(16, 1, |f| f.answered_at = Some(at(16)));
    story.asks(17, 1, |f| f.accepted = Some(super::story::press(17)));
    // That the customer came in was never reported.
    story.told(18, 1, |f| f.joined_at = Some(at(18)));
    assert_eq!(story.stage(), "bridged");
    assert_eq!(split(&story.watch(0, 18, 300)).0, [] as [i64; 0]);
}

#[test]
fn people_who_talk_are_looked_up_every_two_minutes() {
    let mut story = Story::on_demand().bridged();
    assert_eq!(split(&story.watch(0, 14, 400)), (vec![], vec![128, 248, 368]));
}

/// A machine that was told at 13 to hear a message; nothing shows that it plays.
fn message_pushed() -> Story {
    let mut story = Story::on_demand().rings();
    story.settings.amd.machine = autocall_core::settings::OnMachine::LeaveMessage;
    story.told(8, 0, |f| f.answered_at = Some(at(8)));
    story.told(10, 0, |f| f.verdict = Some((Verdict::MachineBeep, at(10))));
    assert_eq!(story.stage(), "message");
    assert!(steers(&story.tick(13), 0));
    story
}

#[test]
fn a_message_that_does_not_begin_is_played_again_and_what_follows_it_is_counted_anew() {
    let mut story = message_pushed();
    assert_eq!(split(&story.watch(0, 13, 60)), (vec![17, 25, 41], vec![28, 48]));
    assert!(steers(&story.on(60, Event::Stop(Stop::Person)), 0), "another instruction, at once");
    assert_eq!(split(&story.watch(0, 60, 80)).0, [64, 72], "and again as soon as any other");
}

#[test]
fn a_message_that_has_begun_is_not_played_again() {
    let mut story = message_pushed();
    story.told(14, 0, |f| f.message_at = Some(at(14)));
    assert_eq!(split(&story.watch(0, 14, 100)).0, [] as [i64; 0]);
    assert!(matches!(
        story.script(0),
        autocall_core::script::Script::Message { kind: MessageKind::Voicemail, opt_out: None, .. }
    ));
}

#[test]
fn a_leg_that_is_over_is_neither_told_nor_looked_up() {
    let mut story = Story::on_demand().bridged();
    let effects = story.ended(60, 0, EndCause::Completed);
    assert!(!steers(&effects, 0) && steers(&effects, 1), "only the agent is still there");
    let (told, looked) = split(&story.watch(0, 60, 400));
    assert_eq!((told, looked), (vec![], vec![]));
    assert_eq!(story.hears(0), "hang up");
}

#[test]
fn after_handing_over_the_customer_is_brought_out_of_the_agents_room() {
    let mut story = Story::standing().bridged();
    story.on(20, Event::HandOn(Onward::Consult { to: outside(), agent: None }));
    story.placed(21, 1);
    story.asks(22, 1, |f| f.answered_at = Some(at(22)));
    story.told(23, 1, |f| {
        (f.joined_agent_at, f.guest) = (Some(at(23)), Some((at(23), agent(1))));
    });
    assert_eq!((story.hears(0), story.hears(1)), ("join as customer", "join as a third"));
    let effects = story.on(30, Event::HandOver);
    assert!(steers(&effects, 0) && steers(&effects, 1), "both come to the call's own room");
    // The customer has come, but is not known to have left the agent.
    story.told(31, 0, |f| f.joined_at = Some(at(31)));
    assert_eq!(split(&story.watch(0, 31, 40)), (vec![38], vec![34]), "sent again though they may talk");
    story.told(41, 0, |f| {
        (f.left_at, f.left) = (Some(at(41)), Some((at(41), agent(1))));
    });
    assert_eq!(story.stage(), "bridged", "leaving the one who handed over ends nothing");
    assert_eq!(split(&story.watch(0, 41, 300)).0, [] as [i64; 0]);
}
