//! Laws under contention: many callers at once.

use super::build::*;
use autocall_core::ports::{Changes, Due, Guard, GuardKey, Store, StoreError};
use autocall_core::{Millis, TenantId};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// Runs many futures at once in one task: they interleave wherever the store waits.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<(Option<Pin<Box<_>>>, Option<T>)> =
        futures.into_iter().map(|f| (Some(Box::pin(f)), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, done) in &mut waiting {
            if let Some(f) = future {
                match f.as_mut().poll(cx) {
                    Poll::Ready(value) => (*future, *done) = (None, Some(value)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

async fn commit_all<S: Store>(store: &S, all_changes: Vec<Changes>) -> (usize, usize) {
    let results = all(all_changes.iter().map(|c| store.commit(c)).collect()).await;
    let (mut won, mut lost) = (0, 0);
    for result in results {
        match result {
            Ok(_) => won += 1,
            Err(StoreError::Conflict { stale }) => {
                assert!(!stale.is_empty());
                lost += 1;
            }
            Err(e) => panic!("neither written nor a conflict: {e}"),
        }
    }
    (won, lost)
}

/// Of 300 commits on one version exactly one wins, round after round.
pub async fn one_of_many_wins_a_version<S: Store>(store: &S) {
    let t = TenantId(31);
    let leads = seed(store, t, 1).await;
    for round in 1..=3 {
        let rivals = (0..300).map(|n| {
            let mut c = changes(t);
            let mut row = leads[0].clone();
            row.order = n;
            c.leads.push(at(row, round));
            c
        });
        assert_eq!(commit_all(store, rivals.collect()).await, (1, 299), "round {round}");
    }
}

/// 300 commits on rows of their own all succeed, and every call is dialled once.
pub async fn unrelated_commits_all_succeed<S: Store>(store: &S) {
    let t = TenantId(32);
    let leads = seed(store, t, 300).await;
    let dials: Vec<Changes> = leads.iter().enumerate().map(|(n, l)| dial(l, 1, n as u128).1).collect();
    assert_eq!(commit_all(store, dials.clone()).await, (300, 0));
    assert_eq!(commit_all(store, dials).await, (0, 300), "the same again: all stale");
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    assert_eq!((view.load.dialing, view.leads.open, view.leads.calling), (300, 0, 300));
    assert_eq!(view.calls.len(), 300);
}

/// A row that many create at once is created once.
pub async fn a_new_row_is_made_once<S: Store>(store: &S) {
    let t = TenantId(33);
    let leads = seed(store, t, 1).await;
    let rivals = (0..200).map(|n| {
        let mut c = changes(t);
        let mut row = call(&leads[0], 1);
        row.created_at = NOW + Millis::from_ms(n);
        c.calls.push((new(row), NOW));
        c
    });
    assert_eq!(commit_all(store, rivals.collect()).await, (1, 199));
}

/// So is a guard, whose row does not exist before its first writer.
pub async fn a_new_guard_is_made_once<S: Store>(store: &S) {
    let t = TenantId(34);
    seed(store, t, 0).await;
    for n in 0..5 {
        let rival = || {
            let mut c = changes(t);
            c.guards.push(new(Guard::fresh(t, GuardKey::Number(phone(n)))));
            c
        };
        assert_eq!(commit_all(store, (0..60).map(|_| rival()).collect()).await, (1, 59), "number {n}");
    }
}

/// Sums do not depend on who comes first, and none is lost.
pub async fn tallies_of_many_add_up<S: Store>(store: &S) {
    let t = TenantId(35);
    seed(store, t, 0).await;
    let adds = (0..400).map(|n| {
        let mut c = changes(t);
        let tally = c.tally(campaign_id(t, 1));
        tally.load.dialing = 1;
        tally.leads.open = n % 7;
        c
    });
    assert_eq!(commit_all(store, adds.collect()).await, (400, 0));
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    assert_eq!((view.load.dialing, view.leads.open), (400, (0..400).map(|n| n % 7).sum()));
}

/// Many nodes look for due work at once: each piece goes to one of them.
pub async fn no_due_item_is_handed_out_twice<S: Store>(store: &S) {
    let t = TenantId(36);
    let leads = seed(store, t, 100).await;
    for (n, row) in leads.iter().enumerate() {
        let (_, mut c) = dial(row, 1, n as u128);
        c.calls[0].1 = NOW;
        commit(store, &c).await;
    }
    let mut seen = BTreeSet::new();
    // Others' locks may hide rows from a look, so a few rounds are needed; none may repeat one.
    for _ in 0..20 {
        let looks = (0..16).map(|_| store.due(NOW, NOW + Millis::from_secs(60), 10)).collect();
        for due in all(looks).await {
            for item in due.expect("due") {
                if matches!(item, Due::Call(id) if id.tenant() == t) {
                    assert!(seen.insert(item), "handed out twice: {item:?}");
                }
            }
        }
    }
    assert_eq!(seen.len(), 100, "every one was handed out");
}
