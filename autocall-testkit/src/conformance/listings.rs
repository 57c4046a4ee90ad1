//! Laws of do-not-call listings that come with a commit.

use super::build::*;
use autocall_core::ports::{Due, Guard, GuardKey, GuardValue, Listing, NumberGuard, RowKey, Store};
use autocall_core::{Millis, TenantId, Timestamp};

const LATER: Millis = Millis::from_secs(60);

/// Listing a number advances its guard, so that no dial on an older reading commits, and returns
/// the call to it that lives.
pub async fn listing_advances_the_guard_and_names_the_live_call<S: Store>(store: &S) {
    let t = TenantId(22);
    let leads = seed(store, t, 3).await;
    let key = GuardKey::Number(phone(0));
    let (a_call, mut c) = dial(&leads[0], 1, 1);
    let live = NumberGuard { live: Some(a_call.id), ..NumberGuard::default() };
    c.guards.push(new(Guard { value: GuardValue::Number(live), ..Guard::fresh(t, key.clone()) }));
    commit(store, &c).await;
    let listing = |n: u64, campaign, until| Listing {
        phone: phone(n),
        campaign,
        reason: "opt-out".into(),
        source: "call".into(),
        until,
    };
    let mut c = changes(t);
    c.listings.push(listing(0, None, None));
    c.listings.push(listing(1, Some(campaign_id(t, 1)), None));
    c.listings.push(listing(2, None, Some(NOW + LATER)));
    assert_eq!(commit(store, &c).await.live, vec![a_call.id]);
    let mut stale = changes(t);
    stale.guards.push(at(Guard::fresh(t, key.clone()), 1));
    assert_eq!(conflict(store, &stale).await, vec![RowKey::Guard(key)]);
    let snapshot = store.call(a_call.id).await.expect("there");
    assert_eq!(snapshot.guards[0].version, 2);
    assert!(
        matches!(&snapshot.guards[0].value, GuardValue::Number(n) if n.live == Some(a_call.id) && n.stop == n.live),
        "the mark tells whoever looks next"
    );
    let due = store.due(NOW, NOW + LATER, 1000).await.expect("due");
    assert!(due.contains(&Due::Call(a_call.id)), "its call is due at once, whatever time it was told");
    let lists = |now: Timestamp| async move {
        let found = store.candidates(campaign_id(t, 1), now, 10).await.expect("candidates");
        found.iter().map(|c| (c.lists[0].tenant.is_some(), c.lists[0].campaign.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(lists(NOW).await, [(false, true), (true, false)]);
    assert_eq!(lists(NOW + LATER).await, [(false, true), (false, false)], "an entry ends at its time");
}

/// A listing for one campaign ends that campaign's calls only; one in the commit that dials ends
/// the call as well.
pub async fn a_listing_ends_only_the_calls_it_covers<S: Store>(store: &S) {
    let t = TenantId(23);
    let leads = seed(store, t, 2).await;
    let listing = |n: u64, campaign| Listing {
        phone: phone(n),
        campaign,
        reason: "opt-out".into(),
        source: "call".into(),
        until: None,
    };
    let dialled = |n: usize| {
        let (a_call, mut c) = dial(&leads[n], 1, n as u128);
        let live = NumberGuard { live: Some(a_call.id), ..NumberGuard::default() };
        let key = GuardKey::Number(phone(n as u64));
        c.guards.push(new(Guard { value: GuardValue::Number(live), ..Guard::fresh(t, key) }));
        (a_call.id, c)
    };
    let (first, c) = dialled(0);
    commit(store, &c).await;
    let mut c = changes(t);
    c.listings.push(listing(0, Some(campaign_id(t, 2))));
    assert_eq!(commit(store, &c).await.live, [], "another campaign's list");
    let mut c = changes(t);
    c.listings.push(listing(0, Some(campaign_id(t, 1))));
    assert_eq!(commit(store, &c).await.live, [first], "its own campaign's");
    let (second, mut c) = dialled(1);
    c.listings.push(listing(1, Some(campaign_id(t, 1))));
    assert_eq!(commit(store, &c).await.live, [second], "dialled and listed in one commit");
    let due = store.due(NOW, NOW + LATER, 1000).await.expect("due");
    assert!(due.contains(&Due::Call(first)) && due.contains(&Due::Call(second)), "{due:?}");
}
