//! Calls per second, over several nodes, measured at the carrier: its own queue stays empty.

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
        let leads = 30;
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
        let mut at: Vec<i64> = b.fake.dialled().iter().map(|d| d.at_ms).collect();
        at.sort_unstable();
        let crowd = at.iter().map(|&from| at.iter().filter(|&&t| (from..from + 1_000).contains(&t)).count()).max();
        let wait_ms = b.fake.stats().queue_ms_max;
        println!(
            "{mode:?}: {} dials, at most {crowd:?} in a second, the longest wait in the queue {wait_ms} ms",
            at.len()
        );
        // The carrier starts no more than its rate by queueing; that it hardly had to is ours. What
        // remains is what a busy machine delays a request, and the next one does not know.
        assert!(wait_ms <= 100, "{mode:?}: a call waited {wait_ms} ms in the carrier's queue");
        assert!(crowd <= Some(RATE as usize + 3), "{mode:?}: {crowd:?} calls in one second");
        if mode == TransferMode::OnDemand {
            assert!(at.len() > leads as usize, "agents were rung too");
        }
        b.is_clean().await;
    }
}

fn quick(s: &mut autocall_core::settings::Settings) {
    s.transfer.wrap_up_ms = 0;
    s.transfer.wait_ms_max = 20_000;
    s.amd.verdict_ms_max = 4_000;
}
