//! Several nodes on one database, and many tenants on one node. All of it runs on one machine, so this
//! shows what nodes cost each other, not how they scale.

use super::dispatch::Node;
use super::higher;
use super::rig::{self, Rig, campaign};
use crate::{Measurement, Opts};
use autocall_core::{CampaignId, TenantId};
use std::sync::Arc;
use std::time::Instant;

/// Two and four nodes together against one.
const TOGETHER_GOAL: f64 = 0.85;
/// Campaigns that the nodes share.
const CAMPAIGNS: u128 = 8;

/// Calls per second of `nodes` nodes that share every campaign.
fn nodes(rig: &Rig, n: usize, calls: u64) -> f64 {
    let (database, url) = rig.database();
    let first = rig.store(&url, 16);
    let tenant = TenantId(1);
    let campaigns: Vec<CampaignId> = (0..CAMPAIGNS).map(|c| campaign(tenant, c + 1)).collect();
    rig.runtime.block_on(async {
        for (c, id) in campaigns.iter().enumerate() {
            let from = c as u64 * 1_000_000;
            rig::furnish(&first, *id, from, from + calls / CAMPAIGNS as u64).await;
        }
    });
    rig.psql(&database, "VACUUM ANALYZE");
    let nodes: Vec<Arc<Node>> =
        (0..n).map(|k| Arc::new(Node::new(rig.store(&url, (16 / n as u32).max(4)), k as u128 + 1))).collect();
    let begun = Instant::now();
    let work: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(k, node)| {
            let (node, mut campaigns) = (node.clone(), campaigns.clone());
            // A campaign's turn comes to whichever node looks; each begins elsewhere.
            let turn = k * campaigns.len() / n;
            campaigns.rotate_left(turn);
            rig.runtime.spawn(async move {
                let mut done = 0;
                loop {
                    let dialled = node.dial(&campaigns, 400).await;
                    node.settle().await;
                    done += dialled;
                    if dialled == 0 {
                        return done;
                    }
                }
            })
        })
        .collect();
    let done: u64 = work.into_iter().map(|w| rig.runtime.block_on(w).expect("a node")).sum();
    let spent = begun.elapsed();
    let leads = calls / CAMPAIGNS as u64 * CAMPAIGNS as u64;
    assert_eq!(done, leads, "every lead was dialled once, by one node");
    done as f64 / spent.as_secs_f64()
}

/// Calls per second of one node for many tenants.
fn tenants(rig: &Rig, n: u32, calls: u64) -> f64 {
    let (database, url) = rig.database();
    let store = rig.store(&url, 16);
    let each = calls / u64::from(n);
    let ids: Vec<CampaignId> = (1..=n).map(|t| campaign(TenantId(t), 1)).collect();
    rig.runtime.block_on(async {
        for id in &ids {
            rig::furnish(&store, *id, 0, each).await;
        }
    });
    rig.psql(&database, "VACUUM ANALYZE");
    let node = Arc::new(Node::new(store, 1));
    let begun = Instant::now();
    // Tenants side by side, as the engine's loop takes them.
    let places = Arc::new(tokio::sync::Semaphore::new(16));
    let work: Vec<_> = ids
        .chunks(ids.len().div_ceil(16))
        .map(|some| {
            let (node, some, places) = (node.clone(), some.to_vec(), places.clone());
            rig.runtime.spawn(async move {
                let _place = places.acquire().await.expect("open");
                let mut done = 0;
                for id in some {
                    done += node.dial(&[id], each).await;
                }
                done
            })
        })
        .collect();
    for task in work {
        rig.runtime.block_on(task).expect("tenants");
    }
    let dialled = begun.elapsed();
    let begun = Instant::now();
    let settled = rig.runtime.block_on(node.settle());
    assert_eq!(settled, each * u64::from(n), "every lead of every tenant was dialled");
    settled as f64 / (dialled + begun.elapsed()).as_secs_f64()
}

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let calls: u64 = opts.pick(1_600, 16_000, 40_000);
    let rates = [1, 2, 4].map(|n| nodes(rig, n, calls));
    let (one, many) = (tenants(rig, 1, calls), tenants(rig, 200, calls));
    vec![
        higher("whole lives, one node", "calls_per_s", rates[0], "calls/s"),
        higher("whole lives, two nodes", "calls_per_s", rates[1], "calls/s"),
        higher("whole lives, four nodes", "calls_per_s", rates[2], "calls/s"),
        higher("two nodes / one", "ratio", rates[1] / rates[0], "").goal(TOGETHER_GOAL),
        higher("four nodes / one", "ratio", rates[2] / rates[0], "").goal(TOGETHER_GOAL),
        higher("whole lives, one tenant", "calls_per_s", one, "calls/s"),
        higher("whole lives, 200 tenants", "calls_per_s", many, "calls/s"),
        higher("200 tenants / one", "ratio", many / one, ""),
    ]
}
