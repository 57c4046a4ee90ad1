//! What is known of a leg: which report counts when there are several, and what one alone means.

use super::story::{agent, at, press};
use autocall_core::Timestamp;
use autocall_core::call::{End, EndCause, LegFacts, Verdict};

fn with(fill: impl FnOnce(&mut LegFacts)) -> LegFacts {
    let mut facts = LegFacts::default();
    fill(&mut facts);
    facts
}

/// Both, in the order given.
fn both(a: &LegFacts, b: &LegFacts) -> LegFacts {
    let mut out = a.clone();
    out.merge(b);
    out
}

#[test]
fn of_two_reports_of_one_thing_the_earlier_counts_and_of_two_rooms_the_later() {
    let early = with(|f| {
        (f.ringing_at, f.answered_at, f.joined_at) = (Some(at(1)), Some(at(2)), Some(at(3)));
        (f.left_at, f.guest, f.left) = (Some(at(4)), Some((at(5), agent(1))), Some((at(6), agent(1))));
        f.accepted = Some(press(7));
    });
    let late = with(|f| {
        (f.ringing_at, f.answered_at, f.joined_at) = (Some(at(11)), Some(at(12)), Some(at(13)));
        (f.left_at, f.guest, f.left) = (Some(at(14)), Some((at(15), agent(2))), Some((at(16), agent(2))));
        f.accepted = Some(press(17));
    });
    let known = both(&early, &late);
    assert_eq!(known, both(&late, &early));
    assert_eq!((known.ringing_at, known.answered_at, known.joined_at), (Some(at(1)), Some(at(2)), Some(at(3))));
    assert_eq!(known.accepted, Some(press(7)));
    assert_eq!((known.left_at, known.guest), (Some(at(14)), Some((at(15), agent(2)))));
    assert_eq!(known.left, Some((at(16), agent(2))), "the room that was left last");
}

#[test]
fn a_person_is_believed_before_a_machine_and_of_equal_verdicts_the_first() {
    let says = |verdict, s| with(|f| f.verdict = Some((verdict, at(s))));
    let both = |a: (Verdict, i64), b: (Verdict, i64)| both(&says(a.0, a.1), &says(b.0, b.1)).verdict;
    let (human, beep) = ((Verdict::Human, 9), (Verdict::MachineBeep, 5));
    assert_eq!([both(human, beep), both(beep, human)], [Some((Verdict::Human, at(9))); 2]);
    let again = (Verdict::Human, 12);
    assert_eq!([both(human, again), both(again, human)], [Some((Verdict::Human, at(9))); 2]);
}

#[test]
fn the_end_that_says_more_is_kept_and_of_equal_ones_the_first() {
    let says = |cause, s| with(|f| f.end = Some(End { cause, at: at(s) }));
    let both = |a: (EndCause, i64), b: (EndCause, i64)| both(&says(a.0, a.1), &says(b.0, b.1)).end;
    let (taken_back, complete) = ((EndCause::Canceled, 9), (EndCause::Completed, 12));
    let wanted = Some(End { cause: EndCause::Completed, at: at(12) });
    assert_eq!([both(taken_back, complete), both(complete, taken_back)], [wanted; 2]);
    let again = (EndCause::Completed, 15);
    assert_eq!([both(complete, again), both(again, complete)], [wanted; 2]);
}

#[test]
fn whatever_only_an_answered_leg_can_do_proves_the_answer_and_dates_it() {
    let proofs = [
        with(|f| f.answered_at = Some(at(8))),
        with(|f| f.verdict = Some((Verdict::Unclear, at(8)))),
        with(|f| f.joined_at = Some(at(8))),
        with(|f| f.joined_agent_at = Some(at(8))),
        with(|f| f.accepted = Some(press(8))),
        with(|f| f.message_at = Some(at(8))),
        with(|f| f.end = Some(End { cause: EndCause::Completed, at: at(8) })),
    ];
    for facts in proofs {
        assert_eq!((facts.is_answered(), facts.answer_at()), (true, Some(at(8))), "{facts:?}");
    }
    let no_proof = [
        LegFacts::default(),
        with(|f| (f.provider, f.ringing_at) = (Some("CA0".into()), Some(at(8)))),
        with(|f| f.end = Some(End { cause: EndCause::Busy, at: at(8) })),
        with(|f| f.end = Some(End { cause: EndCause::NoAnswer, at: at(8) })),
    ];
    for facts in no_proof {
        assert_eq!((facts.is_answered(), facts.answer_at()), (false, None), "{facts:?}");
    }
    let reported = with(|f| (f.answered_at, f.joined_at) = (Some(at(9)), Some(at(4))));
    assert_eq!(reported.answer_at(), Some(at(9)), "what the carrier says outright counts first");
}

#[test]
fn whose_room_it_was_is_known_only_where_the_carrier_says_so() {
    type Report = fn(&mut LegFacts, Option<Timestamp>, u128);
    let came: Report = |f, unnamed, n| (f.joined_agent_at, f.guest) = (unnamed, (n > 0).then(|| (at(9), agent(n))));
    let left: Report = |f, unnamed, n| (f.left_at, f.left) = (unnamed, (n > 0).then(|| (at(9), agent(n))));
    for (report, of_first) in [
        (came, LegFacts::met_standing as fn(&LegFacts, autocall_core::id::AgentId) -> bool),
        (left, LegFacts::left_standing),
    ] {
        let says = |unnamed: Option<i64>, n| of_first(&with(|f| report(f, unnamed.map(at), n)), agent(1));
        assert!(!says(None, 0), "nothing was reported");
        assert!(says(Some(9), 0), "a room without a name is the one that was meant");
        assert!(says(Some(9), 1) && says(None, 1));
        assert!(!says(Some(9), 2), "it was another agent's room");
    }
}
