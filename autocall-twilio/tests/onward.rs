//! Handing a customer on, in both transfer modes, through real HTTP: blind and after asking, to
//! somebody outside and to another agent. The customer is never hung up because an agent left.

mod common;

use autocall_core::Outcome;
use autocall_core::agent::{Address, State};
use autocall_core::call::Stage;
use autocall_core::script::Audio;
use autocall_core::settings::TransferMode;
use autocall_core::{AgentId, Phone};
use autocall_testkit::fake_twilio::Person;
use common::*;

const OUTSIDE: &str = "+13055550171";

fn outside() -> Address {
    Address::Phone(Phone::from_e164(OUTSIDE).expect("a number"))
}

/// A customer who stays as long as somebody talks to them.
fn stays() -> Person {
    Person { talk_ms: None, patience_ms: Some(60_000), ..Person::human() }
}

fn is_bridged(b: &Bench) -> bool {
    b.store.calls().iter().any(|c| matches!(c.stage, Stage::Bridged { .. }))
}

async fn talking(mode: TransferMode, other: Person, agents: u64) -> Bench {
    let b = Bench::with_fake(Options { agents, ..Options::new(mode) }, |f| {
        f.set_person(&lead_number(1), vec![stays()]);
        f.set_person(OUTSIDE, vec![other]);
    })
    .await;
    b.until("they talk", || is_bridged(&b)).await;
    b.until("both are inside", || in_one_room(&b, &["-0"], 2)).await;
    b
}

/// Whether one room holds so many, and legs with all of these ends of their names.
fn in_one_room(b: &Bench, legs: &[&str], count: usize) -> bool {
    b.fake.conferences().iter().any(|(_, labels)| {
        let has = |end: &&str| labels.iter().any(|l| l.split('.').next().unwrap_or_default().ends_with(*end));
        labels.len() == count && legs.iter().all(has)
    })
}

fn customer_lives(b: &Bench) -> bool {
    b.customer_sid().is_some_and(|sid| b.fake.call_status(&sid) == Some("in-progress"))
}

fn giver(b: &Bench) -> AgentId {
    b.call().holds().expect("somebody talks")
}

fn is_free_of_calls(b: &Bench, agent: AgentId) -> bool {
    b.store.agents(TENANT).iter().any(|a| a.id == agent && !matches!(a.state, State::Held { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blind_to_somebody_outside_frees_the_agent_and_connects_the_two() {
    for mode in BOTH {
        let b = talking(mode, Person { ring_ms: 3_000, talk_ms: Some(9_000), ..Person::human() }, 1).await;
        let agent = giver(&b);
        b.give(b.engine.hand_on_outside(b.call().id, outside(), false).await.expect("handed on"));
        b.until("the agent is free", || is_free_of_calls(&b, agent)).await;
        b.until("customer and the other are together", || in_one_room(&b, &["-0"], 2) && customer_lives(&b)).await;
        assert!(b.store.records().is_empty(), "{mode:?}: the call goes on");
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}");
        assert_eq!(b.store.records()[0].agent, Some(agent));
        b.is_clean().await;
        if mode == TransferMode::Standing {
            assert!(b.agent().is_standing(), "the agent stands for the next call");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_outside_who_does_not_come_leaves_the_customer_an_apology_not_silence() {
    for mode in BOTH {
        let b = talking(mode, Person::busy(), 1).await;
        b.give(b.engine.hand_on_outside(b.call().id, outside(), false).await.expect("handed on"));
        b.settled(1).await;
        assert!(b.said("said").iter().any(|s| s.contains("Acme called")), "{mode:?}: {:?}", b.said("said"));
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}: they had talked to an agent");
        assert_eq!(b.store.records()[0].gave_up_at, None, "{mode:?}: that is no abandonment");
        b.is_clean().await;
    }
}

// Pitfall (k): leaving before the third party answers must not end it for everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_may_leave_before_or_after_the_consulted_one_answers() {
    for mode in BOTH {
        for early in [true, false] {
            let b = talking(mode, Person { ring_ms: 4_000, talk_ms: Some(12_000), ..Person::human() }, 1).await;
            let agent = giver(&b);
            b.give(b.engine.hand_on_outside(b.call().id, outside(), true).await.expect("brought in"));
            b.until("the other is rung", || b.fake.dialled().iter().any(|d| d.to == OUTSIDE)).await;
            if !early {
                b.until("three are inside", || in_one_room(&b, &["-0"], 3)).await;
            }
            assert_eq!(b.call().holds(), Some(agent), "{mode:?}: asking somebody gives nothing away");
            b.give(b.engine.hand_over(b.call().id).await.expect("handed over"));
            b.until("the agent is free", || is_free_of_calls(&b, agent)).await;
            b.until("the two are together", || in_one_room(&b, &["-0"], 2)).await;
            assert!(customer_lives(&b), "{mode:?} early {early}");
            b.settled(1).await;
            b.is_clean().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_who_hangs_up_while_consulting_leaves_the_two_together() {
    let b =
        talking(TransferMode::OnDemand, Person { ring_ms: 1_000, talk_ms: Some(15_000), ..Person::human() }, 1).await;
    b.give(b.engine.hand_on_outside(b.call().id, outside(), true).await.expect("brought in"));
    b.until("three are inside", || in_one_room(&b, &["-0"], 3)).await;
    let agent = b.dialled().into_iter().find(|(line, _)| line.ends_with("-1")).expect("the agent's leg").1;
    assert!(b.fake.hang_up(&agent));
    b.until("the agent is gone", || b.fake.call_status(&agent) == Some("completed")).await;
    b.until("the two are together", || in_one_room(&b, &["-0", "-2"], 2)).await;
    assert!(customer_lives(&b));
    b.settled(1).await;
    assert_eq!(b.store.records()[0].outcome, Outcome::Connected);
    b.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consulted_one_who_says_no_leaves_agent_and_customer_as_they_were() {
    for mode in BOTH {
        let b = talking(mode, Person::busy(), 1).await;
        b.give(b.engine.hand_on_outside(b.call().id, outside(), true).await.expect("brought in"));
        b.until("they were rung, in vain", || b.call().legs.iter().any(|l| l.is_outside() && l.is_gone())).await;
        assert!(in_one_room(&b, &["-0"], 2) && customer_lives(&b), "{mode:?}");
        assert!(b.engine.hand_over(b.call().id).await.is_err(), "there is nobody to leave the customer with");
        b.give(b.engine.hang_up(b.call().id).await.expect("ended"));
        b.settled(1).await;
        b.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_agent_takes_over_from_the_first() {
    for mode in BOTH {
        let b = talking(mode, Person::human(), 2).await;
        let first = giver(&b);
        let second = AgentId::small(TENANT, if first == AgentId::small(TENANT, 1) { 2 } else { 1 });
        b.give(b.engine.hand_on_to_agent(b.call().id, second, false).await.expect("handed on"));
        b.until("the second talks", || {
            b.call().holds() == Some(second) && matches!(b.call().stage, Stage::Bridged { .. })
        })
        .await;
        b.until("the first is free", || is_free_of_calls(&b, first)).await;
        b.until("the two are together", || in_one_room(&b, &["-0"], 2)).await;
        assert!(customer_lives(&b), "{mode:?}");
        b.give(b.engine.hang_up(b.call().id).await.expect("ended"));
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::Connected, "{mode:?}");
        assert_eq!(b.store.records()[0].agent, Some(second), "{mode:?}");
        b.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_an_agent_hears_gets_the_message_by_their_button() {
    for mode in BOTH {
        let options =
            Options { settings: |s| s.voicemail = Some(Audio::say("Please call Acme back")), ..Options::new(mode) };
        let b = Bench::with_fake(options, |f| {
            let machine = Person { verdict: Some(("human".into(), 1_500)), ..Person::machine() };
            f.set_person(&lead_number(1), vec![machine]);
        })
        .await;
        b.until("they talk", || is_bridged(&b)).await;
        let agent = giver(&b);
        b.give(b.engine.drop_voicemail(b.call().id).await.expect("dropped"));
        b.until("the agent is free", || is_free_of_calls(&b, agent)).await;
        b.settled(1).await;
        assert_eq!(b.store.records()[0].outcome, Outcome::VoicemailLeft, "{mode:?}");
        assert!(b.said("said").iter().any(|s| s.contains("Acme back")), "{mode:?}");
        b.is_clean().await;
    }
}
