//! The law of dialling at most once, over HTTP, with a carrier and a network that misbehave.

mod common;

use autocall_core::campaign::Command;
use autocall_core::settings::TransferMode;
use autocall_testkit::fake_twilio::{Faults, Person};
use common::*;

/// 5 % of creates are carried out and never answered, 5 % break before, 5 % are answered 5xx, 10 %
/// of callbacks are lost and 10 % come twice.
fn misfortune() -> Faults {
    Faults {
        hang_after: 0.05,
        hang_ms: 2_000,
        reset_before: 0.05,
        error_before: 0.025,
        error_after: 0.025,
        lose: 0.10,
        double: 0.10,
        delay: 0.10,
        delay_ms_max: 3_000,
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attempt_is_dialled_twice_and_every_call_settles() {
    for mode in [TransferMode::OnDemand, TransferMode::Standing] {
        let leads = 24;
        let options = Options { leads, agents: 6, speed: 15.0, ..Options::new(mode) };
        let mut b = Bench::with_fake(options, |f| {
            for n in 1..=leads {
                let person = match n % 6 {
                    0 => Person::machine(),
                    1 => Person::busy(),
                    2 => Person::no_answer(),
                    _ => Person { talk_ms: Some(6_000), ..Person::human() },
                };
                f.set_person(&lead_number(n), vec![person]);
            }
            // Agents come to work undisturbed; the misfortune begins with the dialling.
        })
        .await;
        b.fake.set_faults(misfortune());
        // And now and then the process dies.
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
            b.crash().await;
        }
        for _ in 0..12 {
            if b.store.records().len() >= leads as usize {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2_000)).await;
        }
        b.fake.set_faults(Faults::default());
        // No further call begins meanwhile.
        b.give(b.engine.command(CAMPAIGN, &Command::Pause).await.expect("pauses"));
        b.until("every call settles", || b.store.calls().iter().all(autocall_core::call::Call::is_settled)).await;
        let calls = b.store.calls().len();
        let dialled = b.dialled();
        assert!(dialled.len() >= 12, "something was dialled: {}", dialled.len());
        println!("{mode:?}: {} lines dialled, {} of {calls} calls settled", dialled.len(), b.store.records().len());
    }
}
