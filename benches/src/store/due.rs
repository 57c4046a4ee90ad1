//! Finding what is due, among many things that are not.

use super::rig::{self, NOW, Rig, T, campaign};
use super::{higher, lower};
use crate::{Measurement, Opts};
use autocall_core::ports::{Due, Store};
use autocall_core::{Millis, TenantId};
use std::collections::BTreeSet;
use std::time::Instant;

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let calls: u64 = opts.pick(2_000, 20_000, 50_000);
    let (_, url) = rig.database();
    let store = rig.store(&url, 8);
    let node = super::dispatch::Node::new(store.clone(), 1);
    let id = campaign(T, 1);
    rig.runtime.block_on(async {
        rig::furnish(&store, id, 0, calls).await;
        assert_eq!(node.dial(&[id], calls).await, calls, "every lead has a call that lives");
        for tenant in 2..=50 {
            rig::furnish(&store, campaign(TenantId(tenant), 1), 0, 1).await;
        }
    });
    // Nothing is due yet: a look by a node that has nothing to do.
    let before = NOW - Millis::from_mins(5);
    let looks = 200;
    let begun = Instant::now();
    rig.runtime.block_on(async {
        for _ in 0..looks {
            let found = store.due(before, before + Millis::from_secs(10), 100).await.expect("a look");
            assert!(found.is_empty(), "nothing is due");
        }
    });
    let idle_ms = begun.elapsed().as_secs_f64() * 1e3 / f64::from(looks);
    let (later, mut seen) = (NOW + Millis::from_mins(10), BTreeSet::new());
    let begun = Instant::now();
    rig.runtime.block_on(async {
        while seen.len() < calls as usize {
            let found = store.due(later, later + Millis::from_hours(1), 256).await.expect("a look");
            assert!(!found.is_empty(), "{} of {calls} were found", seen.len());
            for due in found {
                if matches!(due, Due::Call(_)) {
                    assert!(seen.insert(due), "handed out twice");
                }
            }
        }
    });
    vec![
        higher("due calls found and hidden", "calls_per_s", calls as f64 / begun.elapsed().as_secs_f64(), "calls/s"),
        lower("a look where nothing is due, 50 tenants", "ms", idle_ms, "ms"),
    ]
}
