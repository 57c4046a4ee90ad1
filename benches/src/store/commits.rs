//! Commits per second, beside a pgbench script that writes the same rows: each commit alone, and many
//! callers' commits in one transaction.

use super::higher;
use super::rig::{self, NOW, Rig, campaign, lead};
use crate::{Measurement, Opts};
use autocall_core::call::{Call, CallPlan};
use autocall_core::lead::LeadEvent;
use autocall_core::ports::{Changes, LeadCounts, Put, Store, StoreError};
use autocall_core::{CallId, Millis, TenantId, Timestamp};
use autocall_store_postgres::PostgresStore;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One commit at a time, against pgbench.
const SINGLE_GOAL: f64 = 0.7;
/// Many callers of one tenant, against pgbench with as many clients.
const GROUP_GOAL: f64 = 2.0;
/// Callers at once.
const CLIENTS: u32 = 16;
/// Calls that live, per tenant.
const CALLS: u64 = 500;

/// The call of a lead, as dialled.
fn call(tenant: TenantId, n: u64) -> Call {
    let lead = lead(campaign(tenant, 1), n);
    let plan = CallPlan {
        campaign: lead.campaign,
        lead: lead.id,
        person_key: lead.person_key,
        subject: "bench".into(),
        attempt: 1,
        to: lead.numbers[0].phone,
        number_index: 0,
        from: rig::settings().caller_ids[0],
        account: "main".into(),
        class: 0,
        name: lead.person.name(),
        mode: autocall_core::settings::TransferMode::OnDemand,
        agentless: true,
        voicemail_allowed: true,
        abandonment_allowed: true,
        for_agent: None,
        ring_ms_max: 25_000,
        recording: Default::default(),
        recording_needs: Default::default(),
        quotas: Default::default(),
        evidence: None,
    };
    Call::new(CallId::v7(tenant, NOW, u128::from(n) << 8), Arc::new(plan), NOW)
}

/// A tenant with calls that live.
async fn furnish(store: &PostgresStore, tenant: TenantId) {
    rig::furnish(store, campaign(tenant, 1), 0, CALLS).await;
    let all: Vec<u64> = (0..CALLS).collect();
    for some in all.chunks(100) {
        let mut changes = Changes::new(tenant, NOW);
        for &n in some {
            let row = call(tenant, n);
            let before = lead(campaign(tenant, 1), n);
            let mut after = before.clone();
            after.handle(&LeadEvent::Dialled { call: row.id }, &rig::settings(), NOW);
            let tally = changes.tally(campaign(tenant, 1));
            tally.load.add(&row.load(), 1);
            tally.leads.add(&LeadCounts::of(&after), 1);
            tally.leads.add(&LeadCounts::of(&before), -1);
            changes.leads.push(Put { row: after, expected: 1 });
            changes.calls.push((Put { row, expected: 0 }, NOW + Millis::from_secs(30)));
        }
        store.commit(&changes).await.expect("calls");
    }
}

/// What a webhook writes: its call, and its campaign's counts.
fn change(tenant: TenantId, n: u64, version: u64, at: Timestamp) -> Changes {
    let mut changes = Changes::new(tenant, at);
    let mut row = call(tenant, n);
    row.legs[0].facts.ringing_at = Some(at);
    changes.calls.push((Put { row, expected: version }, at + Millis::from_secs(30)));
    changes.tally(campaign(tenant, 1)).load.dialing = 0;
    changes
}

/// Commits of one caller on calls of its own until the end. How many, and how many conflicts it was
/// told of.
async fn caller(store: Arc<PostgresStore>, tenant: TenantId, mine: Vec<u64>, until: Instant) -> (u64, u64) {
    let mut versions = vec![1u64; mine.len()];
    let (mut done, mut conflicts) = (0u64, 0u64);
    while Instant::now() < until {
        let i = (done as usize) % mine.len();
        // Now and then a caller is wrong about a version: it alone must be told.
        let stale = done % 64 == 63;
        let expected = if stale { versions[i] + 7 } else { versions[i] };
        match store.commit(&change(tenant, mine[i], expected, NOW + Millis::from_ms(done as i64))).await {
            Ok(_) => {
                assert!(!stale, "a stale commit was written");
                versions[i] += 1;
                done += 1;
            }
            Err(StoreError::Conflict { .. }) => {
                assert!(stale, "somebody else's conflict");
                conflicts += 1;
                done += 1;
            }
            Err(e) => panic!("a commit failed: {e}"),
        }
    }
    (done - conflicts, conflicts)
}

/// The bare statements of the same writes, each client on any of as many tenants.
const SCRIPT: &str = "\\set t random(1, 16)\n\
    \\set n random(0, 499)\n\
    BEGIN;\n\
    SELECT set_config('autocall.tenant', :t::text, true);\n\
    UPDATE calls_live SET version = version + 1, stage = 'dialing', due_at = 1800000030000 + (random() * 1000)::bigint, \
    class = 0, ringing_at = 1800000000000, answered_at = NULL, waiting_since = NULL, agent = NULL, to_bx = to_bx, \
    key_no = 1, sealed = sealed || ''::bytea, body = body WHERE tenant = :t AND id = \
    (SELECT id FROM bench_ids WHERE t = :t AND n = :n) AND version > 0;\n\
    UPDATE campaign_totals SET dialing = dialing + 0, waiting = waiting + 0, offering = offering + 0 \
    WHERE tenant = :t;\n\
    END;\n";

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let seconds: u32 = opts.pick(1, 6, 15);
    let (database, url) = rig.database();
    let store = rig.store(&url, CLIENTS + 2);
    let tenants: Vec<TenantId> = (1..=CLIENTS).map(TenantId).collect();
    rig.runtime.block_on(async {
        for tenant in &tenants {
            furnish(&store, *tenant).await;
        }
    });
    rig.psql(
        &database,
        "CREATE TABLE bench_ids (t bigint, n int, id uuid, PRIMARY KEY (t, n)); \
         INSERT INTO bench_ids SELECT tenant, row_number() OVER (PARTITION BY tenant ORDER BY id) - 1, id FROM calls_live; \
         GRANT SELECT ON bench_ids TO autocall_app; VACUUM ANALYZE;",
    );
    let span = Duration::from_secs(u64::from(seconds));
    // Alone: every caller has a tenant, and so a transaction, of its own.
    let alone = callers(rig, &store, &tenants, span);
    let bare = rig.pgbench(&database, SCRIPT, CLIENTS, seconds);
    // Together: all callers are one tenant's, as many as pgbench has clients; then many more.
    let fresh = TenantId(900);
    rig.runtime.block_on(furnish(&store, fresh));
    let together = callers(rig, &store, &vec![fresh; CLIENTS as usize], span);
    let many = TenantId(901);
    rig.runtime.block_on(furnish(&store, many));
    let crowd = callers(rig, &store, &vec![many; 250], span);
    vec![
        higher("pgbench, the same rows, 16 clients", "commits_per_s", bare, "commits/s"),
        higher("each commit alone, 16 callers", "commits_per_s", alone, "commits/s"),
        higher("alone / pgbench", "ratio", alone / bare, "").goal(SINGLE_GOAL),
        higher("group commit, 16 callers of a tenant", "commits_per_s", together, "commits/s"),
        higher("group commit / pgbench, 16 callers", "ratio", together / bare, "").goal(GROUP_GOAL),
        higher("group commit, 250 callers of a tenant", "commits_per_s", crowd, "commits/s"),
        higher("group commit / pgbench, 250 callers", "ratio", crowd / bare, ""),
    ]
}

fn callers(rig: &Rig, store: &Arc<PostgresStore>, tenants: &[TenantId], span: Duration) -> f64 {
    let shared = tenants.iter().all(|t| *t == tenants[0]);
    let n = tenants.len() as u64;
    let (begun, until) = (Instant::now(), Instant::now() + span);
    let work = tenants.iter().enumerate().map(|(k, &tenant)| {
        // Callers of one tenant have calls of their own: this measures commits, not quarrels.
        let mine: Vec<u64> = (0..CALLS).filter(|c| !shared || c % n == k as u64).collect();
        rig.runtime.spawn(caller(store.clone(), tenant, mine, until))
    });
    let work: Vec<_> = work.collect();
    let mut sum = (0, 0);
    for task in work {
        let (done, conflicts) = rig.runtime.block_on(task).expect("a caller");
        sum = (sum.0 + done, sum.1 + conflicts);
    }
    assert!(sum.0 < 64 * n || sum.1 > 0, "conflicts were to be met");
    sum.0 as f64 / begun.elapsed().as_secs_f64()
}
