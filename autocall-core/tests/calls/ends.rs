//! How a call ends: how long late reports are awaited, and what they say about the person.

use super::story::{Story, agent, at};
use autocall_core::call::{End, EndCause, Event, Stop, Verdict};
use autocall_core::outcome::{Abandonment, Outcome};

#[test]
fn late_reports_are_awaited_only_where_they_could_change_something() {
    let mut busy = Story::on_demand().rings();
    busy.ended(12, 0, EndCause::Busy);
    assert_eq!(busy.call.outcome(), Some(Outcome::Busy), "it was never picked up");
    let mut waited = Story::on_demand().answered(Verdict::Human);
    waited.ended(11, 0, EndCause::Completed);
    assert_eq!((waited.stage(), waited.wakes(11)), ("closing", 14), "somebody may have met them");
    waited.tick(13);
    assert_eq!(waited.call.outcome(), None);
    waited.tick(14);
    assert_eq!(waited.call.outcome(), Some(Outcome::Abandoned(Abandonment::HungUpWaiting)));
    let mut talked = Story::standing().bridged();
    talked.ended(60, 0, EndCause::Completed);
    assert_eq!(talked.call.outcome(), Some(Outcome::Connected), "a conversation is known");
    // Reports that contradict each other leave it open who is right.
    let mut odd = Story::on_demand().rings();
    odd.asks(8, 0, |f| f.answered_at = Some(at(8)));
    odd.ended(9, 0, EndCause::Failed);
    assert_eq!((odd.call.outcome(), odd.wakes(9)), (None, 12));
}

#[test]
fn a_leg_of_which_no_end_is_heard_keeps_a_call_for_three_hours_at_most() {
    let mut story = Story::on_demand().bridged();
    story.ended(60, 0, EndCause::Completed);
    let last = 60 + 3 * 3_600;
    story.watch(1, 60, last - 1);
    assert_eq!((story.stage(), story.wakes(last - 1)), ("closing", last));
    story.tick(last);
    assert_eq!(story.call.outcome(), Some(Outcome::Connected));
}

#[test]
fn what_rang_out_is_no_answer_even_if_we_were_about_to_stop_it() {
    let mut story = Story::on_demand().rings();
    story.on(10, Event::Stop(Stop::Listed));
    story.ended(12, 0, EndCause::NoAnswer);
    assert_eq!(story.outcome(), Outcome::NoAnswer);
}

#[test]
fn who_left_before_we_stopped_or_gave_up_left_by_themselves() {
    // Both are reported only after we had acted.
    let left_at_11 = |story: &mut Story, s| {
        story.told(s, 0, |f| f.end = Some(End { cause: EndCause::Completed, at: at(11) }));
        story.outcome()
    };
    let waiting = Outcome::Abandoned(Abandonment::HungUpWaiting);
    let mut stopped = Story::on_demand().answered(Verdict::Human);
    stopped.settings.transfer.wait_ms_max = 60_000;
    stopped.on(12, Event::Stop(Stop::Person));
    assert_eq!(left_at_11(&mut stopped, 13), waiting);
    let mut given_up = Story::on_demand().answered(Verdict::Human);
    given_up.tick(12);
    assert_eq!(left_at_11(&mut given_up, 13), waiting);
    // At the very moment, it was we.
    let mut at_once = Story::on_demand().answered(Verdict::Human);
    at_once.settings.transfer.wait_ms_max = 60_000;
    at_once.on(11, Event::Stop(Stop::Person));
    assert_eq!(left_at_11(&mut at_once, 13), Outcome::Abandoned(Abandonment::Stopped));
}

#[test]
fn who_picked_up_as_pacing_let_go_was_not_stopped() {
    let mut story = Story::on_demand().rings();
    story.on(18, Event::Stop(Stop::Pacing));
    story.told(19, 0, |f| f.answered_at = Some(at(18)));
    story.ended(20, 0, EndCause::Completed);
    assert_eq!(story.outcome(), Outcome::Abandoned(Abandonment::HungUpWaiting));
}

#[test]
fn somebody_who_hears_the_apology_is_still_abandoned() {
    let mut story = Story::on_demand().answered(Verdict::Human);
    story.tick(12);
    story.asks(13, 0, |_| {});
    story.told(30, 0, |f| f.message_end_at = Some(at(30)));
    story.ended(31, 0, EndCause::Completed);
    assert_eq!(story.outcome(), Outcome::Abandoned(Abandonment::NobodyFree));
}

#[test]
fn a_message_was_played_if_its_begin_or_its_end_was_seen() {
    let outcome = |fill: fn(&mut autocall_core::call::LegFacts)| {
        let mut story = Story::on_demand().planned(|plan| plan.agentless = true).answered(Verdict::Human);
        story.told(12, 0, fill);
        story.ended(40, 0, EndCause::Completed);
        story.outcome()
    };
    assert_eq!(outcome(|f| f.message_at = Some(at(12))), Outcome::MessagePlayed);
    assert_eq!(outcome(|f| f.message_end_at = Some(at(39))), Outcome::MessagePlayed);
    assert_eq!(outcome(|_| {}), Outcome::Abandoned(Abandonment::HungUpWaiting));
    let on_a_machine = |fill: fn(&mut autocall_core::call::LegFacts)| {
        let mut story = Story::on_demand();
        story.settings.amd.machine = autocall_core::settings::OnMachine::LeaveMessage;
        let mut story = story.answered(Verdict::MachineBeep);
        story.told(12, 0, fill);
        story.ended(40, 0, EndCause::Completed);
        story.outcome()
    };
    assert_eq!(on_a_machine(|f| f.message_at = Some(at(12))), Outcome::VoicemailLeft);
    assert_eq!(on_a_machine(|f| f.message_end_at = Some(at(39))), Outcome::VoicemailLeft);
    assert_eq!(on_a_machine(|_| {}), Outcome::Machine);
}

#[test]
fn hanging_up_counts_as_during_an_offer_only_while_one_was_open() {
    use Abandonment::{HungUpDuringOffer, HungUpWaiting};
    /// Agent 1 is asked at 10; the offer ends as `over` says, and the customer left at `left`.
    fn outcome(over: impl FnOnce(&mut Story), left: i64) -> Outcome {
        let mut story = Story::on_demand();
        story.settings.transfer.wait_ms_max = 600_000;
        let mut story = story.offered(&[1]);
        over(&mut story);
        story.told(40, 0, |f| f.end = Some(End { cause: EndCause::Completed, at: at(left) }));
        story.outcome()
    }
    let declines = |story: &mut Story| {
        story.told(13, 1, |f| f.declined_at = Some(at(13)));
    };
    let rings_out = |story: &mut Story| {
        story.ended(16, 1, EndCause::NoAnswer);
    };
    let is_let_go = |story: &mut Story| {
        story.tick(25);
    };
    for (over, at_last) in [(&declines as &dyn Fn(&mut Story), 13), (&rings_out, 16), (&is_let_go, 25)] {
        for (left, wanted) in [
            (9, HungUpWaiting),
            (10, HungUpDuringOffer),
            (at_last - 1, HungUpDuringOffer),
            (at_last, HungUpWaiting),
            (at_last + 1, HungUpWaiting),
        ] {
            assert_eq!(outcome(over, left), Outcome::Abandoned(wanted), "left at {left}, offered until {at_last}");
        }
    }
    assert_eq!(outcome(|_| {}, 20), Outcome::Abandoned(HungUpDuringOffer));
}

#[test]
fn a_person_is_known_without_a_verdict_once_the_detector_had_its_time() {
    let mut story = Story::on_demand().rings();
    story.asks(8, 0, |f| f.answered_at = Some(at(8)));
    story.tick(14);
    assert_eq!((story.stage(), story.call.person_at), ("seeking", Some(at(14))));
    assert!(story.call.person_answered(&story.settings));
}

#[test]
fn the_record_knows_who_took_the_call_and_how_many_did_not() {
    let mut story = Story::on_demand().offered(&[1, 2]);
    story.ended(12, 1, EndCause::Busy);
    story.told(14, 2, |f| f.joined_at = Some(at(14)));
    story.told(15, 0, |f| f.joined_at = Some(at(15)));
    story.ended(60, 2, EndCause::Completed);
    story.ended(61, 0, EndCause::Completed);
    let record = story.record();
    assert_eq!((record.agent, record.passed), (Some(agent(2)), 1));
    assert_eq!((record.connected_at, record.ended_at), (Some(at(15)), at(61)), "they met when the second came in");
    assert_eq!((record.wait_ms(), record.talk_ms()), (Some(5_000), 46_000));
}
