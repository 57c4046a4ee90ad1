//! Calls per second, over several nodes that share an account.

mod common;

use autocall_core::settings::TransferMode;
use autocall_testkit::fake_twilio::{Account, Person};
use common::*;

/// Several nodes share an account of 10 calls per second, with agents' legs among the leads'. The
/// carrier counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_keep_to_the_rate_of_their_account() {
    const RATE: f64 = 10.0;
    for mode in BOTH {
        let account = Account { calls_per_second: RATE, ..Account::default() };
        let leads = 20;
        let options = Options {
            leads,
            agents: 20,
            speed: 1.0,
            account,
            nodes: 3,
            rate: RATE,
            settings: quick,
            ..Options::new(mode)
        };
        let b = Bench::with_fake(options, |f| {
            for n in 1..=leads {
                let brief = Person { ring_ms: 400, greeting_ms: 300, talk_ms: Some(700), ..Person::human() };
                f.set_person(&lead_number(n), vec![brief]);
            }
            for n in 1..=20 {
                f.set_person(&agent_number(n), vec![Person { ring_ms: 200, ..Person::agent() }]);
            }
        })
        .await;
        b.settled(leads as usize).await;
        // The law: no second holds more places than the rate.
        let crowd = |mut at: Vec<i64>| {
            at.sort_unstable();
            at.iter().map(|&from| at.iter().filter(|&&t| (from..from + 1_000).contains(&t)).count()).max().unwrap_or(0)
        };
        let given = crowd(b.rates.places.lock().expect("lock").clone());
        assert!(given <= RATE as usize, "{mode:?}: {given} places in one second");
        // What the carrier saw of it; on a busy machine requests come later than their places, and
        // together. That is no business of a test, so it is said and not judged.
        let dialled = b.fake.dialled();
        let seen = crowd(dialled.iter().map(|d| d.at_ms).collect());
        let wait_ms = b.fake.stats().queue_ms_max;
        println!(
            "{mode:?}: {} dials; in a second at most {given} places, {seen} dials; queue {wait_ms} ms",
            dialled.len()
        );
        assert!(given >= RATE as usize - 1, "{mode:?}: the rate was met: {given}");
        if mode == TransferMode::OnDemand {
            assert!(dialled.len() > leads as usize, "agents were rung too");
        }
        b.is_clean().await;
    }
}

fn quick(s: &mut autocall_core::settings::Settings) {
    s.transfer.wrap_up_ms = 0;
    s.transfer.wait_ms_max = 20_000;
    s.amd.verdict_ms_max = 4_000;
}
