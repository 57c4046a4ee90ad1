//! Claiming leads: finding the next ones and committing calls to them. Its cost must not grow with the
//! list, nor with what a day of work leaves behind, nor under a snapshot that somebody keeps open.

use super::dispatch::Node;
use super::rig::{self, NOW, Rig, T, campaign};
use super::{higher, lower};
use crate::{Measurement, Opts};
use autocall_core::CampaignId;
use autocall_core::ports::Store;
use autocall_store_postgres::PostgresStore;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leads of one look.
const LOOK: u32 = 100;
/// A look at ten million leads against one at a hundred thousand.
const GROWTH_GOAL: f64 = 1.5;
/// Claims under an old snapshot against claims without one.
const SNAPSHOT_GOAL: f64 = 0.5;

/// The median time of a look, milliseconds.
fn look_ms(rig: &Rig, store: &PostgresStore, id: CampaignId, times: usize) -> f64 {
    let mut spent: Vec<f64> = (0..times)
        .map(|_| {
            let begun = Instant::now();
            let found = rig.runtime.block_on(store.candidates(id, NOW, LOOK)).expect("a look");
            assert_eq!(found.len(), LOOK as usize, "leads to be found");
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    spent.sort_by(f64::total_cmp);
    spent[times / 2]
}

/// The median time of the first look of nodes that have just started, milliseconds: unlike later ones,
/// it begins at the head of the list, whatever lies there.
fn first_look_ms(rig: &Rig, url: &str, id: CampaignId) -> f64 {
    let mut spent: Vec<f64> = (0..9).map(|_| look_ms(rig, &rig.store(url, 1), id, 1)).collect();
    spent.sort_by(f64::total_cmp);
    spent[spent.len() / 2]
}

/// Leads per second that are found and committed as calls. The calls settle outside the time.
fn claims(rig: &Rig, node: &Node, store: &PostgresStore, id: CampaignId, leads: u64) -> f64 {
    let (mut spent, mut done) = (Duration::ZERO, 0);
    while done < leads {
        rig.runtime.block_on(async {
            for _ in 0..10 {
                let begun = Instant::now();
                let tasks = node.engine.tick(id).await.expect("a tick");
                spent += begun.elapsed();
                assert!(!tasks.is_empty(), "leads ran out");
                done += tasks.len() as u64;
                node.engine.perform_all(tasks).await;
            }
            node.settle().await;
        });
    }
    let view = rig.runtime.block_on(store.campaign(id)).expect("there");
    assert_eq!(view.load.live(), 0, "every call settled");
    done as f64 / spent.as_secs_f64()
}

/// A transaction of somebody else's that keeps an old snapshot: a report, a dump.
struct Snapshot(std::process::Child);

impl Snapshot {
    fn keep(rig: &Rig, database: &str) -> Snapshot {
        let mut psql = rig.cluster.program("psql");
        psql.args(["-qAtX", "-d", database]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = psql.spawn().expect("psql runs");
        let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants;\n";
        child.stdin.as_mut().expect("piped").write_all(sql.as_bytes()).expect("written");
        std::thread::sleep(Duration::from_millis(500));
        Snapshot(child)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let leads: u64 = opts.pick(3_000, 20_000, 50_000);
    let (database, url) = rig.database();
    let store = rig.store(&url, 16);
    let id = campaign(T, 1);
    rig.runtime.block_on(rig::furnish(&store, id, 0, leads * 3 + 10_000));
    rig.psql(&database, "VACUUM ANALYZE");
    let node = Node::new(store.clone(), 1);
    claims(rig, &node, &store, id, 1_000);
    let free = claims(rig, &node, &store, id, leads);
    let fresh_ms = look_ms(rig, &store, id, 25);
    let snapshot = Snapshot::keep(rig, &database);
    let held = claims(rig, &node, &store, id, leads);
    let held_ms = look_ms(rig, &store, id, 25);
    drop(snapshot);
    vec![
        higher("claim", "leads_per_s", free, "leads/s"),
        higher("claim, a snapshot kept open", "leads_per_s", held, "leads/s"),
        higher("kept open / free", "ratio", held / free, "").goal(SNAPSHOT_GOAL),
        lower("look for 100 leads", "ms_p50", fresh_ms, "ms"),
        lower("look for 100 leads, a snapshot kept open", "ms_p50", held_ms, "ms"),
    ]
}

/// The size of the big list.
const BIG: u64 = 10_000_000;
/// And of the one beside it.
const SMALL: u64 = 100_000;

/// A small list and a big one, the big one also after a day of churn.
pub(super) fn big(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let big: u64 = opts.pick(200_000, 1_000_000, BIG);
    let big: u64 = opts.get("big", big).unwrap_or_else(|e| panic!("{e}"));
    let (database, url) = rig.database();
    let store = rig.store(&url, 16);
    let (small_list, big_list) = (campaign(T, 1), campaign(T, 2));
    // A day's calls, and those that are timed before and after it: the head of the list, made as any
    // leads are. The others are never reached, and are there to be in the way.
    let day: u64 = opts.pick(5_000, 50_000, 200_000);
    let head = day + 60_000;
    assert!(big > head, "the big list has more than the {head} leads that are called");
    rig.runtime.block_on(async {
        rig::furnish(&store, small_list, 0, SMALL).await;
        rig::furnish(&store, big_list, SMALL, SMALL + head).await;
    });
    fill(rig, &database, big - head);
    let mut found = Vec::new();
    let node = Arc::new(Node::new(store.clone(), 1));
    let measure = |id| {
        // What the step before left to be written to the disk is not this one's.
        rig.psql(&database, "CHECKPOINT");
        claims(rig, &node, &store, id, 500);
        let rate = claims(rig, &node, &store, id, opts.pick(2_000, 20_000, 20_000));
        (rate, look_ms(rig, &store, id, 51))
    };
    let (small_rate, small_ms) = measure(small_list);
    let (big_rate, big_ms) = measure(big_list);
    let name = if big >= 1_000_000 { format!("{} million leads", big / 1_000_000) } else { format!("{big} leads") };
    found.push(lower("look, 100 thousand leads", "ms_p50", small_ms, "ms"));
    found.push(lower(format!("look, {name}"), "ms_p50", big_ms, "ms"));
    found.push(lower(format!("look, {name} / 100 thousand"), "ratio", big_ms / small_ms, "").goal(GROWTH_GOAL));
    found.push(higher("claim, 100 thousand leads", "leads_per_s", small_rate, "leads/s"));
    found.push(higher(format!("claim, {name}"), "leads_per_s", big_rate, "leads/s"));
    found.push(lower(format!("claim, {name} / 100 thousand"), "ratio", small_rate / big_rate, "").goal(GROWTH_GOAL));
    let first_ms = first_look_ms(rig, &url, big_list);
    // A day's work: leads claimed at the head of the list, called and closed, with no vacuum but the
    // server's own.
    churn(rig, &node, big_list, day);
    let (churned_rate, churned_ms) = measure(big_list);
    let churned_first_ms = first_look_ms(rig, &url, big_list);
    found.push(lower("first look of a node", "ms_p50", first_ms, "ms"));
    found.push(lower("first look of a node, after a day of churn", "ms_p50", churned_first_ms, "ms"));
    found.push(lower("look, after a day of churn", "ms_p50", churned_ms, "ms"));
    found.push(lower("look, after a day of churn / before", "ratio", churned_ms / big_ms, "").goal(GROWTH_GOAL));
    found.push(lower("claim, after a day of churn / before", "ratio", big_rate / churned_rate, "").goal(GROWTH_GOAL));
    let grown = small_rate / churned_rate;
    found.push(lower("claim, after a day of churn / 100 thousand", "ratio", grown, "").goal(GROWTH_GOAL));
    found
}

/// Makes a list big with leads that come after those at its head: copies of its last one, under keys of
/// their own.
fn fill(rig: &Rig, database: &str, n: u64) {
    const STEP: u64 = 500_000;
    let begun = Instant::now();
    let this = "campaign = (SELECT id FROM campaigns ORDER BY id DESC LIMIT 1)";
    rig.psql(
        database,
        &format!(
            "CREATE UNLOGGED TABLE model AS SELECT l.tenant, l.campaign, l.list, l.country, l.state AS region, \
             l.timezone, l.kind, l.postal_code, l.key_no, l.sealed, l.created_at, q.lane, q.due_at, q.ord, q.priority, \
             q.print, q.changed_at, q.body FROM leads l JOIN call_queue q ON q.tenant = l.tenant AND q.lead = l.id \
             WHERE q.{this} ORDER BY q.ord DESC LIMIT 1"
        ),
    );
    for from in (0..n).step_by(STEP as usize) {
        let to = n.min(from + STEP) - 1;
        rig.psql(
            database,
            &format!(
                "SET session_replication_role = replica; \
                 CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS key, g FROM generate_series({from}, {to}) g; \
                 INSERT INTO leads (tenant, id, campaign, list, number_bx, name_bx, external_bx, country, \
                 state, timezone, kind, postal_code, key_no, sealed, created_at) \
                 SELECT tenant, key, campaign, list, decode(md5(g::text), 'hex'), decode(md5(g::text || 'n'), 'hex'), \
                 decode(md5(g::text || 'e'), 'hex'), country, region, timezone, kind, postal_code, key_no, sealed, \
                 created_at FROM made, model; \
                 INSERT INTO call_queue (tenant, lead, version, campaign, state, lane, due_at, ord, attempts, priority, \
                 print, changed_at, body) SELECT tenant, key, 1, campaign, 'open', lane, due_at, ord + 1 + g, 0, \
                 priority, print, changed_at, body FROM made, model;"
            ),
        );
        eprintln!("store: {} of {n} leads made, {:.0} s", to + 1, begun.elapsed().as_secs_f64());
    }
    rig.psql(
        database,
        &format!(
            "UPDATE campaign_totals SET open = open + {n} WHERE {this}; \
             UPDATE campaign_counts SET n = n + {n} WHERE kind = 2 AND {this}; DROP TABLE model; VACUUM ANALYZE"
        ),
    );
    let there = rig.psql(database, "SELECT count(*) FROM call_queue");
    assert!(there.parse::<u64>().expect("a number") > n, "the leads are there");
}

/// Claims and settles `n` calls.
fn churn(rig: &Rig, node: &Node, id: CampaignId, n: u64) {
    let mut done = 0;
    while done < n {
        rig.runtime.block_on(async {
            let dialled = node.dial(&[id], 2_000).await;
            assert!(dialled > 0, "leads ran out");
            done += dialled;
            node.settle().await;
        });
    }
}
