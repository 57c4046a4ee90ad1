//! From one conversation to the next: handing on, consulting, handing over, leaving a machine.

use super::story::{Story, agent, at, holds, press, released, steers};
use autocall_core::agent::{Address, Hold};
use autocall_core::call::{Effect, EndCause, Event, Onward, Stage};
use autocall_core::script::{Room, Script};
use autocall_core::settings::AmdMode;
use autocall_core::{Outcome, call::End};

fn outside() -> Address {
    Address::Client("somebody".into())
}

fn consult(agent: Option<u128>) -> Event {
    Event::HandOn(Onward::Consult { to: outside(), agent: agent.map(super::story::agent) })
}

fn to_agent(n: u128, standing: bool) -> Event {
    Event::HandOn(Onward::Agent { agent: agent(n), standing })
}

#[test]
fn an_agent_who_does_not_stand_is_rung_and_one_who_does_gets_the_customer_at_once() {
    let mut rung = Story::on_demand().bridged();
    let effects = rung.on(20, to_agent(2, false));
    assert!(effects.contains(&Effect::Offer { leg: 2, agent: agent(2) }));
    assert_eq!(released(&effects), [(agent(1), false, 20_000)], "the one who gave it away writes up");
    assert_eq!(holds(&effects), [(agent(2), Hold::Reserved)]);
    assert!(steers(&effects, 1) && !steers(&effects, 0), "the customer waits where they are");
    assert!(matches!(rung.call.stage, Stage::Offering { leg: Some(2), .. }));

    let mut sent = Story::standing().bridged();
    let effects = sent.on(20, to_agent(2, true));
    assert!(!effects.iter().any(|e| matches!(e, Effect::Offer { .. })), "nobody's phone rings");
    assert!(steers(&effects, 0), "the customer is sent from one room to the other");
    assert!(matches!(sent.call.stage, Stage::Offering { leg: None, .. }));
    assert!(matches!(sent.script(0), Script::Join { room: Room::Agent(a), .. } if a == agent(2)));
    // That they were in the first agent's room does not mean that they came into the second's.
    sent.tick(21);
    assert_eq!(sent.stage(), "offering");
    sent.told(22, 0, |f| f.guest = Some((at(22), agent(2))));
    assert_eq!((sent.stage(), sent.call.agent), ("bridged", Some(agent(2))));
    sent.told(23, 0, |f| f.left = Some((at(21), agent(1))));
    assert_eq!(sent.stage(), "bridged", "that they left the first one's room ends nothing");
    sent.told(40, 0, |f| f.left = Some((at(40), agent(2))));
    assert_eq!(sent.stage(), "closing", "leaving the second one's does");
}

#[test]
fn a_customer_who_was_sent_to_an_agent_by_an_answer_is_sent_on_to_the_next_as_well() {
    let mut story = Story::standing();
    story.settings.amd.mode = AmdMode::Off;
    let mut story = story.rings();
    story.frees(&[1]);
    // Without detection the request for a script is answered with the agent's room.
    story.asks(8, 0, |f| f.answered_at = Some(at(8)));
    assert!(matches!(story.script(0), Script::Join { room: Room::Agent(a), .. } if a == agent(1)));
    story.told(9, 0, |f| f.guest = Some((at(9), agent(1))));
    assert_eq!(story.stage(), "bridged");
    assert!(steers(&story.on(20, to_agent(2, true)), 0));
    // Sent once: a second time would take them out of the room again.
    assert!(!steers(&story.tick(21), 0));
    story.told(22, 0, |f| f.guest = Some((at(22), agent(2))));
    assert_eq!((story.stage(), story.call.holds()), ("bridged", Some(agent(2))));
    assert!(!steers(&story.tick(60), 0));
}

#[test]
fn who_gave_a_call_away_is_not_asked_to_take_it_back() {
    let mut story = Story::on_demand().bridged();
    story.settings.transfer.wait_ms_max = 60_000;
    story.on(20, to_agent(2, false));
    story.frees(&[1, 3]);
    story.ended(22, 2, EndCause::Busy);
    assert_eq!(story.call.holds(), Some(agent(3)));
}

#[test]
fn a_customer_who_was_handed_on_and_finds_nobody_is_not_abandoned() {
    let mut story = Story::on_demand().bridged();
    story.on(20, to_agent(2, false));
    story.ended(22, 2, EndCause::Busy);
    story.tick(24);
    assert_eq!((story.stage(), story.call.gave_up_at), ("message", None));
    story.ended(30, 0, EndCause::Completed);
    assert_eq!(story.outcome(), Outcome::Connected);
}

#[test]
fn while_somebody_is_consulted_the_agent_talks_on_and_calls_nobody_else() {
    let mut story = Story::on_demand().bridged();
    assert_eq!((story.call.can_hand_on(), story.call.consulted()), (true, None));
    let effects = story.on(20, consult(None));
    assert!(effects.contains(&Effect::Bring { leg: 2 }));
    assert_eq!(released(&effects), []);
    assert_eq!((story.call.can_hand_on(), story.call.consulted()), (false, Some(2)));
    for event in [consult(None), to_agent(2, false), Event::HandOn(Onward::Outside(outside()))] {
        story.on(21, event);
        assert_eq!((story.call.legs.len(), story.call.holds()), (3, Some(agent(1))));
    }
    story.tick(22);
    assert_eq!(story.stage(), "bridged", "nobody is left alone with anybody unasked");
    assert_eq!(story.call.consulted(), Some(2));
    // One who does not come is forgotten, and another can be called.
    story.ended(30, 2, EndCause::NoAnswer);
    assert_eq!((story.call.can_hand_on(), story.call.consulted()), (true, None));
    assert_eq!((story.stage(), story.hears(2)), ("bridged", "hang up"));
    story.on(31, consult(Some(3)));
    assert_eq!(story.call.consulted(), Some(3));
}

#[test]
fn an_agent_who_is_consulted_is_held_and_takes_the_call_over() {
    let mut story = Story::on_demand().bridged();
    let effects = story.on(20, consult(Some(2)));
    assert_eq!(holds(&effects), [(agent(2), Hold::Talking)]);
    assert_eq!(story.call.holds(), Some(agent(1)), "the call is still the first one's");
    let effects = story.on(30, Event::HandOver);
    assert_eq!(released(&effects), [(agent(1), false, 20_000)]);
    assert!(steers(&effects, 1), "the first one's phone is let go");
    assert_eq!((story.call.agent, story.call.holds(), story.stage()), (Some(agent(2)), Some(agent(2)), "bridged"));
    story.told(31, 2, |f| f.joined_at = Some(at(31)));
    assert_eq!(released(&story.ended(60, 2, EndCause::Completed)), [(agent(2), false, 20_000)]);
    assert_eq!(story.stage(), "closing");
}

#[test]
fn handing_over_to_nobody_changes_nothing() {
    let mut story = Story::on_demand().bridged();
    let before = story.call.stage;
    story.on(20, Event::HandOver);
    assert_eq!((story.call.stage, story.call.givers.len()), (before, 0));
}

#[test]
fn an_agent_who_hangs_up_leaves_the_customer_with_the_one_who_is_consulted() {
    let mut story = Story::on_demand().bridged();
    story.on(20, consult(None));
    let effects = story.ended(30, 1, EndCause::Completed);
    assert_eq!(released(&effects), [(agent(1), false, 20_000)]);
    assert_eq!((story.stage(), story.call.holds()), ("bridged", None), "no agent of ours is in it");
    assert_eq!((story.hears(0), story.hears(2)), ("join as customer", "join as a third"));
    assert!(!story.call.can_hand_on(), "nobody is there to hand it on");
    // Both hang up: nothing is left.
    let mut alone = Story::on_demand().bridged();
    alone.ended(30, 1, EndCause::Completed);
    assert_eq!(alone.stage(), "closing");
}

#[test]
fn an_agent_whose_standing_leg_goes_leaves_the_customer_with_the_one_who_is_consulted() {
    let mut story = Story::standing().bridged();
    story.on(20, consult(None));
    story.on(25, Event::AgentGone { agent: agent(2) });
    assert_eq!(story.call.holds(), Some(agent(1)), "another agent's going is nothing to this call");
    story.on(30, Event::AgentGone { agent: agent(1) });
    assert_eq!((story.stage(), story.call.holds()), ("bridged", None));
    let mut alone = Story::standing().bridged();
    alone.on(30, Event::AgentGone { agent: agent(1) });
    assert_eq!(alone.stage(), "closing", "with nobody there the call is over");
}

#[test]
fn a_standing_agent_who_goes_before_they_are_met_has_let_it_pass() {
    let mut story = Story::standing().offered(&[1, 2]);
    story.on(11, Event::AgentGone { agent: agent(3) });
    assert_eq!(story.call.holds(), Some(agent(1)));
    story.on(12, Event::AgentGone { agent: agent(1) });
    assert_eq!((story.call.holds(), story.call.passed.to_vec()), (Some(agent(2)), vec![agent(1)]));
}

#[test]
fn somebody_outside_who_never_comes_leaves_the_customer_with_an_apology() {
    let mut story = Story::on_demand().bridged();
    let effects = story.on(20, Event::HandOn(Onward::Outside(outside())));
    assert!(effects.contains(&Effect::Bring { leg: 2 }));
    assert_eq!(released(&effects), [(agent(1), false, 20_000)]);
    story.tick(21);
    assert_eq!((story.stage(), story.call.holds()), ("bridged", None), "they are rung");
    story.ended(40, 2, EndCause::NoAnswer);
    assert_eq!(story.stage(), "message");
}

#[test]
fn somebody_outside_who_came_and_left_ends_the_call() {
    let mut story = Story::on_demand().bridged();
    story.on(20, Event::HandOn(Onward::Outside(outside())));
    story.told(25, 2, |f| f.joined_at = Some(at(25)));
    story.on(26, Event::DropVoicemail);
    assert_eq!(story.stage(), "bridged", "no agent is there to leave a machine");
    story.ended(40, 2, EndCause::Completed);
    assert_eq!(story.stage(), "closing");
}

#[test]
fn a_consulted_agent_who_drops_out_before_coming_in_ends_the_call_that_was_left_to_them() {
    let mut story = Story::on_demand().bridged();
    story.on(20, consult(Some(2)));
    story.on(22, Event::HandOver);
    story.ended(25, 2, EndCause::Failed);
    assert_eq!(story.stage(), "closing");
}

#[test]
fn a_call_has_room_for_so_many_legs_and_no_more() {
    let mut story = Story::on_demand().bridged();
    for leg in 2..31 {
        story.on(20, consult(None));
        story.ended(20, leg, EndCause::Busy);
    }
    assert_eq!((story.call.legs.len(), story.call.can_hand_on()), (31, true));
    story.on(21, consult(None));
    story.ended(21, 31, EndCause::Busy);
    assert_eq!((story.call.legs.len(), story.call.can_hand_on()), (32, false));
    story.on(22, consult(None));
    assert_eq!(story.call.legs.len(), 32);
}

#[test]
fn a_machine_that_an_agent_found_gets_the_message_and_the_agent_is_free() {
    let mut story = Story::on_demand().bridged();
    let effects = story.on(20, Event::DropVoicemail);
    assert_eq!(released(&effects), [(agent(1), false, 20_000)]);
    assert!(steers(&effects, 0) && steers(&effects, 1));
    assert_eq!((story.stage(), story.hears(0), story.hears(1)), ("message", "voicemail message", "hang up"));

    let mut without = Story::on_demand().bridged();
    without.settings.voicemail = None;
    without.on(20, Event::DropVoicemail);
    assert_eq!((without.stage(), without.call.dropped_at), ("bridged", None), "there is no message");
}

#[test]
fn what_an_agent_left_to_a_message_is_a_voicemail_only_if_it_played() {
    let left = |fill: fn(&mut autocall_core::call::LegFacts)| {
        let mut story = Story::on_demand().bridged();
        story.on(20, Event::DropVoicemail);
        story.told(21, 0, fill);
        story.ended(40, 0, EndCause::Completed);
        story.outcome()
    };
    assert_eq!(left(|f| f.message_at = Some(at(21))), Outcome::VoicemailLeft);
    assert_eq!(left(|f| f.message_end_at = Some(at(35))), Outcome::VoicemailLeft);
    assert_eq!(left(|_| {}), Outcome::Machine);
}

#[test]
fn a_conversation_lasts_as_long_as_a_call_may_and_no_longer() {
    let mut story = Story::on_demand();
    story.settings.caps.call_ms_max = 60_000;
    let mut story = story.bridged();
    assert_eq!(story.wakes(14), 74);
    story.tick(73);
    assert_eq!(story.stage(), "bridged");
    story.tick(74);
    assert_eq!(story.stage(), "closing");
}

#[test]
fn who_left_before_the_agent_came_in_has_met_nobody_until_reports_say_otherwise() {
    let mut story = Story::on_demand().offered(&[1]);
    story.told(11, 1, |f| f.accepted = Some(press(11)));
    story.ended(13, 0, EndCause::Completed);
    let mut late = Story::on_demand().offered(&[1]);
    late.told(11, 1, |f| f.accepted = Some(press(11)));
    late.ended(13, 0, EndCause::Completed);
    late.told(14, 1, |f| {
        (f.joined_at, f.end) = (Some(at(12)), Some(End { cause: EndCause::Completed, at: at(14) }));
    });
    assert_eq!(late.outcome(), Outcome::Connected, "they met a second before");
    story.told(15, 1, |f| {
        (f.joined_at, f.end) = (Some(at(14)), Some(End { cause: EndCause::Completed, at: at(15) }));
    });
    assert_ne!(story.outcome(), Outcome::Connected, "the agent came into an empty room");
}
