//! What goes wrong in warm transfers, in both transfer modes, through real HTTP between the
//! adapter and the fake. The letters are those of the list of pitfalls that the project keeps:
//! each is something that integrators got wrong.

mod common;

use autocall_core::Outcome;
use autocall_core::agent::{Address, State};
use autocall_core::call::{ProviderRef, Stage};
use autocall_core::ports::{DialError, Line, Telephony, TelephonyError};
use autocall_core::script::{Audio, MessageKind, Room, Script};
use autocall_core::settings::{AmdMode, OnMachine, TransferMode};
use autocall_core::{LegId, Phone, outcome::Abandonment};
use autocall_testkit::fake_twilio::{Account, Faults, Person, Press, RestFault};
use autocall_twilio::Supervision;
use common::*;
use std::time::Duration;

fn phone(number: &str) -> Phone {
    Phone::from_e164(number).expect("a number")
}

fn is_bridged(b: &Bench) -> bool {
    b.store.calls().iter().any(|c| matches!(c.stage, Stage::Bridged { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_connected_and_everything_ends_with_them() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: Some(10_000), ..Person::human() }]);
        })
        .await;
        b.settled(1).await;
        let record = b.store.records()[0].clone();
        assert_eq!(record.outcome, Outcome::Connected, "{mode:?}");
        assert!(record.talk_ms() > 5_000, "{mode:?}: {}", record.talk_ms());
        b.is_clean().await;
        let whispers = b.said("said").iter().filter(|s| s.contains("Ann & Bob <x>")).count();
        assert_eq!(whispers, usize::from(mode == TransferMode::OnDemand), "{mode:?}");
        if mode == TransferMode::Standing {
            assert!(matches!(b.agent().state, State::Idle | State::WrapUp { .. }), "the agent stands for the next one");
            assert!(b.agent().station.is_some());
        }
    }
}

// (a)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_who_leaves_while_an_agent_rings_listens_or_presses_ends_that_leg_at_once() {
    // Ringing, listening, about to press: the agent is 20 s, 2 s or a moment away.
    let agents = [
        Person { ring_ms: 14_000, ..Person::agent() },
        Person { ring_ms: 1_000, presses: vec![Press { digits: "1".into(), after_ms: 9_000 }], ..Person::agent() },
        Person { ring_ms: 1_000, presses: vec![], ..Person::agent() },
    ];
    for agent in agents {
        let b = Bench::with_fake(Options::new(TransferMode::OnDemand), |f| {
            f.set_person(&lead_number(1), vec![Person { patience_ms: Some(6_000), ..Person::human() }]);
            f.set_person(&agent_number(1), vec![agent]);
        })
        .await;
        b.settled(1).await;
        let outcome = b.store.records()[0].outcome;
        assert_eq!(outcome, Outcome::Abandoned(Abandonment::HungUpDuringOffer));
        b.is_clean().await;
    }
    let b = Bench::with_fake(Options::new(TransferMode::Standing), |f| {
        f.set_person(&lead_number(1), vec![Person { patience_ms: Some(1_500), ..Person::human() }]);
    })
    .await;
    b.settled(1).await;
    b.is_clean().await;
    assert!(b.agent().station.is_some(), "the agent's own leg stays");
}

// (b)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_that_never_comes_or_comes_after_the_end_harms_nobody() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            let verdict = Some(("never".into(), 0));
            f.set_person(&lead_number(1), vec![Person { verdict, talk_ms: Some(5_000), ..Person::human() }]);
        })
        .await;
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}: unclear is taken for a person");
        b.is_clean().await;

        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { patience_ms: Some(2_600), ..Person::human() }]);
            f.set_faults(Faults { delay: 1.0, delay_ms_max: 15_000, ..Faults::default() });
        })
        .await;
        b.settled(1).await;
        b.is_clean().await;
    }
}

// (c)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_found_out_after_an_agent_was_asked_frees_the_agent() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            let verdict = Some(("machine_start".into(), 8_500));
            f.set_person(
                &lead_number(1),
                vec![Person { verdict, patience_ms: Some(25_000), talk_ms: Some(20_000), ..Person::machine() }],
            );
            f.set_person(&agent_number(1), vec![Person { ring_ms: 6_000, ..Person::agent() }]);
        })
        .await;
        b.settled(1).await;
        b.is_clean().await;
        assert_eq!(b.fake.dialled().len(), 2, "{mode:?}: customer and agent, once each");
    }
}

// (d)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_in_any_order_lead_to_the_same_end() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: Some(12_000), ..Person::human() }]);
            f.set_faults(Faults { delay: 0.6, delay_ms_max: 2_500, reorder: true, ..Faults::default() });
        })
        .await;
        b.settled(1).await;
        b.is_clean().await;
        assert_eq!(b.store.records().len(), 1);
    }
}

// (e)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_callback_twice_counts_once() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: Some(6_000), ..Person::human() }]);
            f.set_faults(Faults { double: 1.0, ..Faults::default() });
        })
        .await;
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}");
        b.is_clean().await;
        assert_eq!(b.store.records().len(), 1);
    }
}

// (f)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_was_lost_is_found_and_never_repeated() {
    for mode in BOTH {
        for fault in [RestFault::ResetAfter, RestFault::HangAfter, RestFault::ErrorAfter] {
            let b = Bench::with_fake(Options::new(mode), |f| {
                f.set_person(&lead_number(1), vec![Person { talk_ms: Some(6_000), ..Person::human() }]);
                // In standing mode the first create is the agent's.
                let mut next = vec![RestFault::None; usize::from(mode == TransferMode::Standing)];
                next.push(fault);
                f.set_faults(Faults { next_creates: next.into(), ..Faults::default() });
            })
            .await;
            b.settled(1).await;
            assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?} {fault:?}: a webhook adopts it");
            b.is_clean().await;
        }
    }
    // The same without any webhook: only the look-up can find it.
    let b = Bench::with_fake(Options::new(TransferMode::OnDemand), |f| {
        f.set_person(&lead_number(1), vec![Person::no_answer()]);
        let next = vec![RestFault::ResetAfter].into();
        f.set_faults(Faults { next_creates: next, lose: 1.0, ..Faults::default() });
    })
    .await;
    b.settled(1).await;
    assert_eq!(b.store.records()[0].outcome, Outcome::NoAnswer);
    b.is_clean().await;
}

// (g)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_twice_is_accepting_once_and_the_loser_of_two_is_let_go() {
    let b = Bench::with_fake(Options { leads: 1, agents: 2, ..Options::new(TransferMode::OnDemand) }, |f| {
        f.set_person(&lead_number(1), vec![Person { talk_ms: Some(20_000), ..Person::human() }]);
        // The first agent presses too late; the second is asked meanwhile; both press.
        let late = Press { digits: "1".into(), after_ms: 13_000 };
        f.set_person(&agent_number(1), vec![Person { presses: vec![late.clone(), late], ..Person::agent() }]);
        f.set_person(&agent_number(2), vec![Person::agent()]);
    })
    .await;
    b.until("bridged", || is_bridged(&b)).await;
    // Whoever has it presses again, as if the carrier had sent the key twice.
    let agent = b.agent_sid().expect("an agent's leg");
    b.fake.press(&agent, "1");
    let inside = b.fake.conferences();
    assert!(inside.iter().all(|(_, labels)| labels.len() <= 2), "{inside:?}");
    b.settled(1).await;
    assert_eq!(b.store.records().len(), 1);
    b.is_clean().await;
}

// (h), (i)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_not_established_is_entered_again_without_the_music_that_failed() {
    for mode in BOTH {
        let missing = Options { settings: |s| s.hold = Audio::File("missing".into()), ..Options::new(mode) };
        let b = Bench::with_fake(missing, |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: Some(6_000), ..Person::human() }]);
        })
        .await;
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}");
        if mode == TransferMode::OnDemand {
            assert!(b.said("fault").iter().any(|f| f.contains("wait URL failed")), "the pitfall was there");
        }
        b.is_clean().await;
    }
}

// (h): the agent's document cannot be had at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_not_left_waiting_for_an_agent_whose_leg_failed() {
    let b = Bench::with_fake(Options::new(TransferMode::OnDemand), |f| {
        f.set_person(&lead_number(1), vec![Person { patience_ms: Some(120_000), ..Person::human() }]);
        f.set_person(&agent_number(1), vec![Person::fails()]);
    })
    .await;
    b.settled(1).await;
    let outcome = b.store.records()[0].outcome;
    assert!(!matches!(outcome, Outcome::Connected), "{outcome:?}");
    assert!(b.said("said").iter().any(|s| s.contains("Acme called")), "the apology: {:?}", b.said("said"));
    b.is_clean().await;
}

// (h), standing: the agent's phone is gone, and every report of it was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_joined_to_an_agent_whose_phone_is_gone() {
    let b = Bench::with_fake(Options { leads: 0, ..Options::new(TransferMode::Standing) }, |_| {}).await;
    let station = b.agent_sid().expect("the agent's leg");
    b.fake.set_faults(Faults { lose: 1.0, ..Faults::default() });
    assert!(b.fake.hang_up(&station));
    b.until("the leg is over", || b.fake.call_status(&station) == Some("completed")).await;
    assert!(b.agent().is_standing(), "nobody told us");
    b.until("a look finds out", || !b.agent().is_standing()).await;
}

// (g), standing: two people cannot be sent to one agent, and a join that is told twice is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standing_agent_takes_one_of_two_people_at_a_time() {
    let b = Bench::with_fake(Options { leads: 2, ..Options::new(TransferMode::Standing) }, |f| {
        for n in 1..=2 {
            f.set_person(&lead_number(n), vec![Person { talk_ms: Some(5_000), ..Person::human() }]);
        }
        f.set_faults(Faults { double: 1.0, ..Faults::default() });
    })
    .await;
    for _ in 0..40 {
        let inside = b.fake.conferences();
        assert!(inside.iter().all(|(_, labels)| labels.len() <= 2), "{inside:?}");
        if b.store.records().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    b.settled(2).await;
    b.is_clean().await;
}

// (j)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_holds_one_participant_and_not_the_room() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: None, patience_ms: None, ..Person::human() }]);
        })
        .await;
        b.until("bridged", || is_bridged(&b)).await;
        b.until("both are inside", || b.fake.conferences().iter().any(|(_, l)| l.len() == 2)).await;
        let room = match mode {
            TransferMode::OnDemand => Room::Call(b.call().id),
            TransferMode::Standing => Room::Agent(b.agent().id),
        };
        let customer = ProviderRef(b.customer_sid().expect("a customer").into());
        b.twilio.hold("default", room, &customer, true, None).await.expect("held");
        let inside = b.twilio.participants("default", room).await.expect("participants");
        let on_hold: Vec<&str> = inside.iter().filter(|p| p.hold).map(|p| p.call_sid.as_str()).collect();
        assert_eq!(on_hold, [&*customer.0], "{mode:?}: one, not everybody");
        b.twilio.hold("default", room, &customer, false, None).await.expect("off hold");
        b.twilio.mute("default", room, &customer, true).await.expect("muted");
        let inside = b.twilio.participants("default", room).await.expect("participants");
        assert_eq!(inside.iter().filter(|p| p.muted).count(), 1);
        let show = phone("+14155550101");
        let boss = Address::Phone(phone("+13055550170"));
        let agent = inside.iter().find(|p| p.call_sid != *customer.0).expect("the agent").call_sid.as_str();
        let coach = Supervision::Coach(ProviderRef(agent.into()));
        let supervisor =
            b.twilio.supervise("default", room, b.call().id, &boss, show, &Supervision::Monitor).await.expect("rung");
        b.until("the supervisor is inside", || b.fake.conferences().iter().any(|(_, l)| l.len() == 3)).await;
        b.twilio.supervise_as("default", room, &supervisor, &coach).await.expect("coaches");
        b.twilio.supervise_as("default", room, &supervisor, &Supervision::Barge).await.expect("barges");
        let again = b.twilio.supervise("default", room, b.call().id, &boss, show, &Supervision::Monitor).await;
        assert!(matches!(again, Err(DialError::Refused(_))), "a label is taken once: {again:?}");
        b.give(b.engine.hang_up(b.call().id).await.expect("ended"));
        b.settled(1).await;
        // Whoever listened to this call does not hear the agent's next one.
        b.until("the supervisor is out", || {
            b.fake.conferences().iter().all(|(_, labels)| !labels.iter().any(|l| l.starts_with("supervisor")))
        })
        .await;
    }
}

// (k) is in `onward.rs`: an agent who leaves before the third party answers.

// (l)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_step_dials_nothing_twice_and_settles_everything() {
    for mode in BOTH {
        for after_ms in [20, 120, 350, 600, 900, 1_400] {
            let mut b = Bench::with_fake(Options::new(mode), |f| {
                f.set_person(&lead_number(1), vec![Person { talk_ms: Some(8_000), ..Person::human() }]);
            })
            .await;
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            b.crash().await;
            b.settled(1).await;
            b.is_clean().await;
        }
    }
}

// (m)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_canceled_in_the_carriers_queue_settles_without_a_callback() {
    for mode in BOTH {
        // One call at once, and then one in fifty seconds: the carrier's queue is slower than ours
        // believes. In standing mode the agents' legs come first, undisturbed.
        let slow =
            Account { calls_per_second: if mode == TransferMode::OnDemand { 0.02 } else { 0.2 }, ..Account::default() };
        let options = Options { account: slow, leads: 2, agents: 2, ..Options::new(mode) };
        let b = Bench::with_fake(options, |f| {
            f.set_person(&lead_number(1), vec![Person { ring_ms: 30_000, ..Person::no_answer() }]);
            f.set_person(&lead_number(2), vec![Person { ring_ms: 30_000, ..Person::no_answer() }]);
        })
        .await;
        b.until("one is dialled, and the other has its id and waits", || {
            let calls = b.store.calls();
            let lines = b.fake.dialled();
            let leads = lines.iter().filter(|d| d.to.starts_with("+1415")).count();
            calls.len() == 2 && leads == 1 && calls.iter().all(|c| c.customer().facts.provider.is_some())
        })
        .await;
        let dialled = b.dialled();
        let waits = |c: &autocall_core::call::Call| !dialled.contains_key(&c.leg_id(0).to_string());
        let queued = b.store.calls().into_iter().find(waits).expect("one waits");
        b.give(b.engine.hang_up(queued.id).await.expect("ended"));
        b.until("that call settles", || b.store.records().iter().any(|r| r.call == queued.id)).await;
        let record = b.store.records().into_iter().find(|r| r.call == queued.id).expect("settled");
        assert_eq!(record.outcome, Outcome::Canceled, "{mode:?}");
        let line = queued.leg_id(0).to_string();
        assert!(b.fake.dialled().iter().all(|d| d.attempt.as_deref() != Some(&line)), "it never left the queue");
    }
}

// (n)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_after_our_own_hang_up_change_nothing() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person { talk_ms: None, patience_ms: None, ..Person::human() }]);
        })
        .await;
        b.until("bridged", || is_bridged(&b)).await;
        b.fake.set_faults(Faults { delay: 1.0, delay_ms_max: 20_000, ..Faults::default() });
        b.give(b.engine.hang_up(b.call().id).await.expect("ended"));
        b.settled(1).await;
        let before = b.call();
        tokio::time::sleep(Duration::from_millis(2_300)).await;
        assert_eq!(b.call(), before, "{mode:?}");
        b.is_clean().await;
    }
}

// (o)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steering_a_line_that_is_over_says_so() {
    for mode in BOTH {
        let b = Bench::with_fake(Options::new(mode), |f| {
            f.set_person(&lead_number(1), vec![Person::busy()]);
        })
        .await;
        b.settled(1).await;
        let sid = ProviderRef(b.customer_sid().expect("dialled").into());
        let line = Line::Leg(LegId { call: b.call().id, leg: 0 });
        let message = Script::Message { kind: MessageKind::Voicemail, audio: Audio::say("x"), opt_out: None };
        let room = match mode {
            TransferMode::OnDemand => Room::Call(b.call().id),
            TransferMode::Standing => Room::Agent(b.agent().id),
        };
        let join = Script::Join {
            room,
            role: autocall_core::script::Role::Customer,
            hold: Audio::Silence,
            recording: autocall_core::script::RecordingMode::Off,
        };
        for script in [Script::Hangup, message, join, Script::Wait] {
            let steered = b.twilio.steer(line, &sid, "default", &script).await;
            assert_eq!(steered, Err(TelephonyError::NotUp), "{mode:?} {script:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_gets_its_message_after_the_beep_and_an_agent_is_never_rung() {
    for mode in BOTH {
        let options = Options {
            settings: |s| {
                s.amd.mode = AmdMode::DetectMessageEnd;
                s.amd.machine = OnMachine::LeaveMessage;
                s.voicemail = Some(Audio::say("Please call Acme back"));
            },
            ..Options::new(mode)
        };
        let b = Bench::with_fake(options, |f| f.set_person(&lead_number(1), vec![Person::machine()])).await;
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::VoicemailLeft, "{mode:?}");
        let log = b.fake.log(0);
        let beep = log.iter().find(|e| e.kind == "verdict").expect("a verdict").at_ms;
        let said = log.iter().find(|e| e.kind == "said" && e.what.contains("Acme back")).expect("said").at_ms;
        assert!(said >= beep);
        assert_eq!(
            b.fake.dialled().iter().filter(|d| d.to == agent_number(1)).count(),
            usize::from(mode == TransferMode::Standing)
        );
        b.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_voicemail_never_meets_a_customer() {
    let b = Bench::with_fake(Options::new(TransferMode::OnDemand), |f| {
        f.set_person(&lead_number(1), vec![Person { patience_ms: Some(90_000), ..Person::human() }]);
        f.set_person(&agent_number(1), vec![Person { ring_ms: 2_000, ..Person::agents_voicemail() }]);
    })
    .await;
    b.settled(1).await;
    assert!(!b.said("joined").iter().any(|j| j.contains("-1\"")), "{:?}", b.said("joined"));
    assert_ne!(b.store.records()[0].outcome, Outcome::Connected);
    b.is_clean().await;
}
