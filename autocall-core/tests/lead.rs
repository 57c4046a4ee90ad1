//! The Lead machine where a table is not enough: what an agent says before the call has settled,
//! lists, numbers, limits.

use autocall_core::id::{AgentId, CallId, CampaignId, LeadId, TenantId};
use autocall_core::lead::{Callback, Closed, Lead, LeadEvent, Number, Person, State, person_key};
use autocall_core::settings::{NextNumber, Retry, Settings, Then};
use autocall_core::{Millis, Outcome, Phone, Priority, Timestamp};
use std::sync::Arc;

const TENANT: TenantId = TenantId(1);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn call() -> CallId {
    CallId::small(TENANT, 1)
}

fn phone(n: u64) -> Phone {
    Phone::from_digits(14_155_552_000 + n).expect("valid")
}

fn hours(n: i64) -> Timestamp {
    NOW + Millis::from_hours(n)
}

/// A lead with so many numbers, due now.
fn lead(numbers: u64) -> Lead {
    Lead {
        id: LeadId::small(TENANT, 1),
        campaign: CampaignId::small(TENANT, 1),
        list: None,
        person: Arc::new(Person::default()),
        person_key: 1,
        numbers: (1..=numbers).map(|n| Number::new(phone(n))).collect(),
        priority: Priority::Normal,
        order: 1,
        filed: Default::default(),
        class: 0,
        state: State::Open,
        due_at: NOW,
        blocked_by: None,
        attempts: 0,
        tally: Default::default(),
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

fn dialled(numbers: u64) -> Lead {
    let mut it = lead(numbers);
    assert!(it.handle(&LeadEvent::Dialled { call: call() }, &Settings::default(), NOW));
    it
}

fn says(then: Then, callback: Option<Callback>) -> LeadEvent {
    LeadEvent::Disposed { code: "said".into(), then, number_index: 0, callback }
}

fn settled(outcome: Outcome) -> LeadEvent {
    LeadEvent::Settled { call: call(), outcome, number_index: 0, rest_until: Timestamp::EPOCH }
}

/// Handles events one after the other, an hour apart.
fn after(mut lead: Lead, settings: &Settings, events: &[LeadEvent]) -> Lead {
    for (n, event) in events.iter().enumerate() {
        lead.handle(event, settings, hours(n as i64));
    }
    lead
}

#[test]
fn what_an_agent_says_while_the_call_runs_stands_when_it_settles() {
    let settings = Settings::default();
    let at = hours(48);
    let appointment = Callback { at, agent: Some(AgentId::small(TENANT, 3)) };
    let back = after(dialled(1), &settings, &[says(Then::Callback, Some(appointment)), settled(Outcome::Connected)]);
    assert_eq!((back.state, back.due_at, back.callback), (State::Open, at, Some(appointment)));

    let later = after(dialled(1), &settings, &[says(Then::RetryAfterMin(90), None), settled(Outcome::Connected)]);
    assert_eq!((later.state, later.due_at), (State::Open, NOW + Millis::from_mins(90)));

    let wrong = after(dialled(2), &settings, &[says(Then::WrongNumber, None), settled(Outcome::Connected)]);
    assert_eq!((wrong.state, wrong.due_at, wrong.number()), (State::Open, hours(1), Some((1, phone(2)))));

    for (then, why) in [(Then::Close, Closed::Done), (Then::DoNotCall, Closed::DoNotCall)] {
        let shut = after(dialled(1), &settings, &[says(then, None), settled(Outcome::NoAnswer)]);
        assert_eq!(shut.state, State::Closed { why });
        assert_eq!(shut.last, Some(Outcome::NoAnswer), "the outcome is still noted");
    }

    let keep = after(dialled(1), &settings, &[says(Then::Keep, None), settled(Outcome::Connected)]);
    assert_eq!(keep.state, State::Closed { why: Closed::Done });
    assert_eq!(keep.disposition.as_deref(), Some("said"));
}

#[test]
fn the_same_words_after_the_call_lead_to_the_same_end() {
    let settings = Settings::default();
    let at = hours(48);
    let appointment = Some(Callback { at, agent: None });
    let said = says(Then::Callback, appointment);
    let before = after(dialled(1), &settings, &[said.clone(), settled(Outcome::Connected)]);
    let behind = after(dialled(1), &settings, &[settled(Outcome::Connected), said]);
    assert_eq!((before.state, before.due_at, before.callback), (behind.state, behind.due_at, behind.callback));
    let none = after(dialled(1), &settings, &[settled(Outcome::Connected), says(Then::Callback, None)]);
    assert_eq!((none.state, none.due_at, none.callback), (State::Open, hours(25), None), "a day later without a time");
}

#[test]
fn an_appointment_does_not_lift_the_limit_of_attempts() {
    let mut settings = Settings::default();
    settings.caps.attempts_max = 1;
    let appointment = Some(Callback { at: hours(48), agent: None });
    let back = after(dialled(1), &settings, &[says(Then::Callback, appointment), settled(Outcome::Connected)]);
    assert_eq!((back.state, back.callback), (State::Closed { why: Closed::AttemptsUsed }, None));
    let denied = LeadEvent::Denied { rule: "attempts_max".into(), until: Timestamp::NEVER };
    let used = after(lead(1), &settings, &[denied]);
    assert_eq!(used.state, State::Closed { why: Closed::AttemptsUsed });
    assert_eq!(used.blocked_by.as_deref(), Some("attempts_max"));
}

#[test]
fn a_lead_that_must_not_be_called_is_not_opened_by_words_about_a_call() {
    let settings = Settings::default();
    let appointment = Some(Callback { at: hours(48), agent: None });
    for why in [Closed::DoNotCall, Closed::NoNumber, Closed::ByHand] {
        let mut shut = lead(2);
        shut.state = State::Closed { why };
        for then in [Then::Close, Then::RetryAfterMin(5), Then::Callback, Then::WrongNumber, Then::Keep] {
            let it = after(shut.clone(), &settings, &[says(then, appointment)]);
            assert_eq!(it.state, State::Closed { why }, "{then:?}");
            assert_eq!(it.callback, None);
        }
        let it = after(shut, &settings, &[says(Then::DoNotCall, None)]);
        assert_eq!(it.state, State::Closed { why: Closed::DoNotCall });
    }
    for why in [Closed::DoNotCall, Closed::NoNumber] {
        let mut shut = lead(1);
        shut.state = State::Closed { why };
        let it = after(shut, &settings, &[LeadEvent::Appoint(Callback { at: hours(1), agent: None })]);
        assert_eq!((it.state, it.callback), (State::Closed { why }, None));
    }
}

#[test]
fn retries_follow_the_outcome_and_its_count() {
    let mut settings = Settings::default();
    let retry = Retry { retries_max: 2, delay_min: vec![10, 60], next_number: NextNumber::Next, drop_number: false };
    settings.retry.0.insert("busy".into(), retry);
    let mut it = dialled(3);
    it.handle(&settled(Outcome::Busy), &settings, NOW);
    assert_eq!((it.due_at, it.number()), (NOW + Millis::from_mins(10), Some((1, phone(2)))));
    it.handle(&LeadEvent::Dialled { call: call() }, &settings, NOW);
    assert_eq!((it.attempts, it.due_at, it.blocked_by.clone()), (2, Timestamp::NEVER, None));
    it.handle(&settled(Outcome::Busy), &settings, NOW);
    assert_eq!(it.due_at, NOW + Millis::from_mins(60));
    it.handle(&LeadEvent::Dialled { call: call() }, &settings, NOW);
    it.handle(&settled(Outcome::Busy), &settings, NOW);
    assert_eq!(it.state, State::Closed { why: Closed::AttemptsUsed }, "the third time is the last");
    assert_eq!(it.tally.to_vec(), [(Outcome::Busy, 3)]);
}

#[test]
fn a_call_that_never_rang_is_no_attempt() {
    let settings = Settings::default();
    let it = after(dialled(1), &settings, &[settled(Outcome::Canceled)]);
    assert_eq!((it.state, it.attempts, it.due_at), (State::Open, 0, NOW + Millis::from_mins(5)));
    let other = LeadEvent::Settled {
        call: CallId::small(TENANT, 2),
        outcome: Outcome::Canceled,
        number_index: 0,
        rest_until: Timestamp::EPOCH,
    };
    let it = after(dialled(1), &settings, &[other]);
    assert!(matches!(it.state, State::Calling { .. }), "another call's end is not this one's: {it:?}");
    assert_eq!(it.attempts, 1);
}

#[test]
fn a_number_rests_whatever_the_policy_says() {
    let settings = Settings::default();
    let event = LeadEvent::Settled { call: call(), outcome: Outcome::Busy, number_index: 0, rest_until: hours(30) };
    assert_eq!(after(dialled(1), &settings, std::slice::from_ref(&event)).due_at, hours(30));
    let said = after(dialled(1), &settings, &[says(Then::RetryAfterMin(1), None), event]);
    assert_eq!(said.due_at, hours(30), "whatever an agent says, too");
}

#[test]
fn the_last_number_gone_closes_the_lead() {
    let settings = Settings::default();
    let it = after(dialled(1), &settings, &[settled(Outcome::InvalidNumber)]);
    assert_eq!((it.state, it.number()), (State::Closed { why: Closed::NoNumber }, None));
    let it = after(dialled(2), &settings, &[settled(Outcome::InvalidNumber)]);
    assert_eq!((it.state, it.number()), (State::Open, Some((1, phone(2)))));
    let it = after(lead(1), &settings, &[says(Then::WrongNumber, None)]);
    assert_eq!(it.state, State::Closed { why: Closed::NoNumber });
}

#[test]
fn a_listed_number_is_left_out_and_the_last_one_closes_the_lead() {
    let settings = Settings::default();
    let listed = |n| LeadEvent::Listed { phone: phone(n) };
    let it = after(lead(2), &settings, &[listed(1)]);
    assert_eq!((it.state, it.number()), (State::Open, Some((1, phone(2)))));
    let second = after(lead(2), &settings, &[listed(2)]);
    assert_eq!((second.state, second.number(), second.next_number), (State::Open, Some((0, phone(1))), 0));
    let both = after(lead(2), &settings, &[listed(1), listed(2)]);
    assert_eq!((both.state, both.due_at), (State::Closed { why: Closed::DoNotCall }, Timestamp::NEVER));
    let other = after(lead(2), &settings, &[listed(7)]);
    assert_eq!(other, lead(2));
}

#[test]
fn opening_by_hand_skips_dropped_numbers_and_needs_one() {
    let settings = Settings::default();
    let mut it = lead(2);
    (it.state, it.numbers[0].dropped) = (State::Closed { why: Closed::AttemptsUsed }, true);
    it.blocked_by = Some("attempts_max".into());
    let opened = after(it.clone(), &settings, &[LeadEvent::Reopen]);
    assert_eq!((opened.state, opened.due_at, opened.next_number), (State::Open, NOW, 1));
    assert_eq!(opened.blocked_by, None);
    it.numbers[1].dropped = true;
    assert_eq!(after(it.clone(), &settings, &[LeadEvent::Reopen]), it);
    let open = lead(2);
    assert_eq!(after(open.clone(), &settings, &[LeadEvent::Reopen]), open, "an open lead stays as it is");
    let running = dialled(2);
    assert_eq!(after(running.clone(), &settings, &[LeadEvent::Reopen]), running);
}

#[test]
fn numbers_are_taken_round_and_round() {
    let mut it = lead(3);
    it.next_number = 2;
    assert_eq!(it.number(), Some((2, phone(3))));
    it.numbers[2].dropped = true;
    assert_eq!(it.number(), Some((0, phone(1))), "the first that is left");
    it.numbers[0].dropped = true;
    assert_eq!(it.number(), Some((1, phone(2))));
    it.numbers[1].dropped = true;
    assert_eq!(it.number(), None);
}

#[test]
fn a_denial_keeps_an_open_lead_waiting_and_no_other() {
    let settings = Settings::default();
    let denied = |rule: &str, until| LeadEvent::Denied { rule: rule.into(), until };
    let it = after(lead(1), &settings, &[denied("hours", hours(3))]);
    assert_eq!((it.state, it.due_at, it.blocked_by.as_deref()), (State::Open, hours(3), Some("hours")));
    let stays = after(lead(1), &settings, &[denied("do_not_call_tenant", hours(3))]);
    assert_eq!((stays.state, stays.due_at), (State::Open, hours(3)), "a listing that ends");
    for (rule, why) in [("do_not_call_campaign", Closed::DoNotCall), ("no_number", Closed::NoNumber)] {
        let it = after(lead(1), &settings, &[denied(rule, Timestamp::NEVER)]);
        assert_eq!((it.state, it.due_at), (State::Closed { why }, Timestamp::NEVER));
    }
    let waits = after(lead(1), &settings, &[denied("rules_unknown", Timestamp::NEVER)]);
    assert_eq!((waits.state, waits.due_at), (State::Open, Timestamp::NEVER), "only a change can help");
    let running = dialled(1);
    assert_eq!(after(running.clone(), &settings, &[denied("hours", hours(3))]), running);
}

#[test]
fn names_are_joined_without_blanks_at_the_ends() {
    let name = |first: &str, last: &str| {
        let person = Person { first_name: first.into(), last_name: last.into(), ..Person::default() };
        person.name().expose().to_owned()
    };
    assert_eq!(
        (name("Ann", "Lee"), name("Ann", ""), name("", "Lee"), name("", "")),
        ("Ann Lee".into(), "Ann".into(), "Lee".into(), String::new())
    );
}

#[test]
fn a_row_of_a_list_becomes_a_lead_with_all_that_it_says() {
    use autocall_core::import::{ImportRules, Importer, Row};

    let mut importer = Importer::new(ImportRules::default());
    importer.feed(
        b"first_name,last_name,phone,phone2,country,type,priority,notes,timezone,postal_code,state,external_id,plan\n\
          Ann,Lee,2125550123,2125550124,US,broker,high,likes tea,America/New_York,10001,NY,c-7,gold\n",
    );
    importer.finish();
    let Ok(Some(Row::Lead(draft))) = importer.next_row() else { panic!("a lead") };
    let lead = Lead::from_draft(LeadId::small(TENANT, 1), CampaignId::small(TENANT, 1), None, &draft, 5, NOW);
    let person = &lead.person;
    let text = |t: &Option<Arc<str>>| t.as_deref().unwrap_or("none").to_owned();
    assert_eq!((person.first_name.expose(), person.last_name.expose()), ("Ann", "Lee"));
    assert_eq!(person.external_id.as_ref().map(|p| p.expose()), Some("c-7"));
    assert_eq!([text(&person.country), text(&person.state), text(&person.postal_code)], ["US", "NY", "10001"]);
    assert_eq!([text(&person.timezone), text(&person.kind)], ["America/New_York", "broker"]);
    assert_eq!(person.notes.expose(), "likes tea");
    let fields: Vec<_> = person.fields.iter().map(|(k, v)| (k.to_string(), v.expose().to_owned())).collect();
    assert_eq!(fields, [("plan".to_owned(), "gold".to_owned())]);
    assert_eq!((lead.numbers.len(), lead.priority, lead.order, lead.due_at), (2, Priority::High, 5, NOW));
    assert_eq!((lead.filed.place, lead.is_open()), (5, true));
    assert_eq!(lead.person_key, person_key(TENANT, Some("c-7"), lead.numbers[0].phone));
}

/// A lead with three numbers, called this often and answered this often.
fn called(numbers: [(u16, u16); 3]) -> Lead {
    let mut it = dialled(3);
    for (number, (attempts, answers)) in it.numbers.iter_mut().zip(numbers) {
        (number.attempts, number.answers) = (attempts, answers);
    }
    it
}

#[test]
fn the_best_number_is_the_one_that_people_answered_and_of_equals_the_one_called_least() {
    let mut settings = Settings::default();
    let retry = Retry { retries_max: 9, delay_min: vec![10], next_number: NextNumber::Best, drop_number: false };
    settings.retry.0.insert("busy".into(), retry);
    let next = |it: Lead| after(it, &settings, &[settled(Outcome::Busy)]).number().map(|n| n.1);
    assert_eq!(next(called([(5, 0), (5, 1), (5, 2)])), Some(phone(3)), "most answers");
    assert_eq!(next(called([(5, 2), (5, 1), (5, 2)])), Some(phone(3)), "of two the one called less often");
    assert_eq!(next(called([(1, 1), (2, 1), (3, 1)])), Some(phone(1)), "of equals the first");
    assert_eq!(next(called([(9, 0), (2, 1), (2, 1)])), Some(phone(2)));
    let mut without = called([(0, 0), (1, 0), (9, 9)]);
    without.numbers[2].dropped = true;
    assert_eq!(next(without), Some(phone(1)), "one that is not called any more is no choice");
}

#[test]
fn the_next_attempt_can_begin_with_the_first_number_again() {
    let mut settings = Settings::default();
    let retry = Retry { retries_max: 9, delay_min: vec![10], next_number: NextNumber::First, drop_number: false };
    settings.retry.0.insert("busy".into(), retry.clone());
    let mut it = dialled(3);
    it.next_number = 2;
    assert_eq!(after(it.clone(), &settings, &[settled(Outcome::Busy)]).number(), Some((0, phone(1))));
    it.numbers[0].dropped = true;
    assert_eq!(after(it.clone(), &settings, &[settled(Outcome::Busy)]).number(), Some((1, phone(2))));
    settings.retry.0.insert("busy".into(), Retry { next_number: NextNumber::Same, ..retry });
    assert_eq!(after(it, &settings, &[settled(Outcome::Busy)]).number(), Some((2, phone(3))), "or with the same one");
}

#[test]
fn a_number_that_has_had_its_share_of_calls_is_not_called_again() {
    let mut settings = Settings::default();
    settings.caps.attempts_per_number_max = 2;
    let once = after(dialled(2), &settings, &[settled(Outcome::NoAnswer)]);
    assert_eq!((once.numbers[0].attempts, once.numbers[0].answers, once.numbers[0].dropped), (1, 0, false));
    let again = [LeadEvent::Dialled { call: call() }, settled(Outcome::NoAnswer)];
    let twice = after(once.clone(), &settings, &again);
    assert_eq!((twice.numbers[0].attempts, twice.numbers[0].dropped), (2, true));
    assert_eq!((twice.number(), twice.numbers[1].attempts), (Some((1, phone(2))), 0));
    let taken_back = [LeadEvent::Dialled { call: call() }, settled(Outcome::Canceled)];
    assert_eq!(after(once.clone(), &settings, &taken_back).numbers[0].attempts, 1, "a call taken back is none");
    let answered = [LeadEvent::Dialled { call: call() }, settled(Outcome::AgentUnavailable)];
    assert_eq!(after(once.clone(), &settings, &answered).numbers[0].answers, 1);
    settings.caps.attempts_per_number_max = 0;
    assert!(!after(once, &settings, &again).numbers[0].dropped, "without a limit there is none");
}

#[test]
fn a_lead_that_was_reached_is_done_though_its_only_number_had_its_share() {
    let mut settings = Settings::default();
    settings.caps.attempts_per_number_max = 1;
    let it = after(dialled(1), &settings, &[settled(Outcome::Connected)]);
    assert_eq!((it.state, it.numbers[0].dropped), (State::Closed { why: Closed::Done }, true));
    let it = after(dialled(1), &settings, &[settled(Outcome::NoAnswer)]);
    assert_eq!(it.state, State::Closed { why: Closed::NoNumber });
    let two = after(dialled(2), &settings, &[settled(Outcome::NoAnswer)]);
    assert_eq!((two.state, two.number()), (State::Open, Some((1, phone(2)))));
}

#[test]
fn a_message_that_was_heard_is_the_end_where_nothing_follows_it() {
    let mut settings = Settings::default();
    for outcome in [Outcome::MessagePlayed, Outcome::Connected, Outcome::Busy] {
        settings.retry.0.insert(outcome.name().into(), Retry::never());
        let why = if outcome == Outcome::Busy { Closed::AttemptsUsed } else { Closed::Done };
        assert_eq!(after(dialled(1), &settings, &[settled(outcome)]).state, State::Closed { why }, "{outcome}");
    }
}

#[test]
fn the_last_attempt_is_the_last() {
    let mut settings = Settings::default();
    settings.caps.attempts_max = 2;
    let first = after(dialled(1), &settings, &[settled(Outcome::NoAnswer)]);
    assert_eq!((first.state, first.attempts), (State::Open, 1));
    let second = after(first, &settings, &[LeadEvent::Dialled { call: call() }, settled(Outcome::NoAnswer)]);
    assert_eq!(second.state, State::Closed { why: Closed::AttemptsUsed });
}

#[test]
fn outcomes_are_counted_by_name_whatever_their_reason() {
    use autocall_core::outcome::Abandonment::{HungUpWaiting, NobodyFree};
    let settings = Settings::default();
    let mut it = lead(1);
    for outcome in [Outcome::Abandoned(NobodyFree), Outcome::Busy, Outcome::Abandoned(HungUpWaiting)] {
        it = after(it, &settings, &[LeadEvent::Dialled { call: call() }, settled(outcome)]);
    }
    assert_eq!(it.tally.to_vec(), [(Outcome::Abandoned(NobodyFree), 2), (Outcome::Busy, 1)]);
    assert_eq!(it.last, Some(Outcome::Abandoned(HungUpWaiting)));
}

#[test]
fn a_lead_that_is_called_or_closed_is_not_dialled_again() {
    let settings = Settings::default();
    let other = LeadEvent::Dialled { call: CallId::small(TENANT, 2) };
    let running = dialled(1);
    assert_eq!(after(running.clone(), &settings, std::slice::from_ref(&other)), running);
    let closed = after(lead(1), &settings, &[LeadEvent::Close]);
    assert_eq!(closed.state, State::Closed { why: Closed::ByHand });
    assert_eq!(after(closed.clone(), &settings, &[other]), closed);
    assert!(!closed.is_open() && !running.is_open() && lead(1).is_open());
}

#[test]
fn a_lead_that_the_filter_leaves_out_is_parked_until_it_has_an_appointment() {
    let mut it = lead(1);
    assert!(!it.is_parked());
    it.filed.parked = true;
    assert!(it.is_parked());
    it.handle(&LeadEvent::Appoint(Callback { at: hours(3), agent: None }), &Settings::default(), NOW);
    assert!(!it.is_parked(), "appointments stand");
    it.filed.parked = false;
    assert!(!it.is_parked());
}

#[test]
fn who_shares_a_key_of_their_own_is_one_person_and_without_one_the_number_is() {
    let key = |tenant, id, n| person_key(TenantId(tenant), id, phone(n));
    assert_eq!(key(1, Some("c-7"), 1), key(1, Some("c-7"), 2), "two numbers of one person");
    assert_eq!(key(1, Some(" c-7 "), 1), key(1, Some("c-7"), 1), "blanks are no part of it");
    assert_ne!(key(1, Some("c-7"), 1), key(1, Some("c-8"), 1));
    assert_ne!(key(1, Some("c-7"), 1), key(2, Some("c-7"), 1), "another tenant's people are others");
    assert_eq!([key(1, Some(" "), 1), key(1, Some(""), 1)], [key(1, None, 1); 2], "a blank is no key");
    assert_ne!(key(1, None, 1), key(1, None, 2));
    // Stored with leads and calls: it must never change.
    let number = Phone::from_digits(12_125_550_123).expect("valid");
    assert_eq!(person_key(TENANT, Some("c-7"), number), 0x49ca_3a69_22b4_80da);
    assert_eq!(person_key(TENANT, None, number), 0x9f89_0e06_a85e_ab5d);
}
