//! Laws of planning: which leads a store finds, in which lanes, and what it counts.

use super::build::*;
use autocall_core::ports::{Listing, Store, StoreError};
use autocall_core::{Millis, Priority, TenantId, Timestamp};

/// A lead is found by itself, due or not, with what its verdict depends on.
pub async fn a_lead_is_a_candidate_by_itself<S: Store>(store: &S) {
    let t = TenantId(60);
    seed(store, t, 0).await;
    let mut later = lead(t, 1);
    later.due_at = NOW + Millis::from_days(9);
    let mut c = changes(t);
    c.leads.push(new(later.clone()));
    c.listings.push(Listing {
        phone: phone(1),
        campaign: None,
        reason: "test".into(),
        source: "test".into(),
        until: Some(NOW + Millis::from_hours(1)),
    });
    commit(store, &c).await;
    let found = store.candidate(later.id, NOW).await.expect("there");
    assert_eq!((found.lead.row.id, found.lead.version), (later.id, 1));
    assert_eq!(found.lists[0].tenant, Some(NOW + Millis::from_hours(1)), "with the end of its listing");
    assert_eq!(found.guards.len(), 3);
    let after = store.candidate(later.id, NOW + Millis::from_hours(1)).await.expect("there");
    assert_eq!(after.lists[0].tenant, None);
    assert!(matches!(store.candidate(lead_id(t, 99), NOW).await, Err(StoreError::NotFound)));
}

/// Who was tried goes before who was not; groups of zones share; whom the filter leaves out is
/// never found, and found again once it does not.
pub async fn lanes_share_and_the_parked_are_left_alone<S: Store>(store: &S) {
    let t = TenantId(61);
    seed(store, t, 0).await;
    let mut c = changes(t);
    for n in 1..=60u128 {
        let mut l = lead(t, n);
        l.due_at = Timestamp::EPOCH;
        l.filed.group = if n % 2 == 0 { 20 } else { 14 };
        l.filed.parked = n > 50;
        l.attempts = u16::from(n == 7);
        c.leads.push(new(l));
    }
    commit(store, &c).await;
    let number = |c: &autocall_core::ports::Candidate| c.lead.row.id.key().as_u128() - 1000;
    let found = store.candidates(campaign_id(t, 1), NOW, 100).await.expect("candidates");
    let mut all: Vec<u128> = found.iter().map(number).collect();
    assert_eq!(all[0], 7, "who was tried before");
    all.sort_unstable();
    assert_eq!(all, (1..=50).collect::<Vec<_>>());
    let few = store.candidates(campaign_id(t, 1), NOW, 11).await.expect("candidates");
    let east = few.iter().filter(|c| c.lead.row.filed.group == 20).count();
    assert!((1..=10).contains(&east), "both groups have their turn: {east} of 11");
    let mut c = changes(t);
    let mut back = lead(t, 55);
    (back.due_at, back.filed.group) = (Timestamp::EPOCH, 14);
    c.leads.push(at(back, 1));
    commit(store, &c).await;
    let found = store.candidates(campaign_id(t, 1), NOW, 100).await.expect("candidates");
    assert!(found.len() == 51 && found.iter().any(|c| number(c) == 55));
}

/// However many lanes hold leads that are not due yet, a lead in the last one is found.
pub async fn the_last_of_many_lanes_is_found<S: Store>(store: &S) {
    let t = TenantId(65);
    seed(store, t, 0).await;
    let mut c = changes(t);
    for n in 0..70u128 {
        let mut l = lead(t, n);
        l.due_at = NOW + Millis::from_days(1);
        l.filed.group = (n % 35) as u8 + 1;
        l.priority = if n < 35 { Priority::Urgent } else { Priority::High };
        c.leads.push(new(l));
    }
    let mut last = lead(t, 90);
    (last.priority, last.filed.group) = (Priority::Low, 63);
    c.leads.push(new(last.clone()));
    commit(store, &c).await;
    let found = store.candidates(campaign_id(t, 1), NOW, 5).await.expect("candidates");
    assert_eq!(found.iter().map(|c| c.lead.row.id).collect::<Vec<_>>(), [last.id]);
    assert_eq!(store.campaign(campaign_id(t, 1)).await.expect("there").next_due, Some(NOW));
    let tomorrow = store.candidates(campaign_id(t, 1), NOW + Millis::from_days(1), 100).await.expect("candidates");
    assert_eq!(tomorrow.len(), 71);
}

/// What quotas have counted and how often numbers were shown are sums of differences.
pub async fn quotas_and_numbers_shown_add_up<S: Store>(store: &S) {
    use autocall_core::planning::counts::CountKey;
    let t = TenantId(62);
    let mut first = changes(t);
    let mut row = autocall_core::campaign::Campaign::clone(&campaign(t, 1));
    let mut settings = (*row.settings).clone();
    let quota = |name: &str| autocall_core::planning::quota::Quota {
        name: name.into(),
        segment: String::new(),
        counts: Vec::new(),
        most: 9,
    };
    settings.quotas = vec![quota("one"), quota("two")];
    row.settings = std::sync::Arc::new(settings);
    first.campaigns.push(new(row));
    commit(store, &first).await;
    for n in 0..5 {
        let mut c = changes(t);
        let counts = &mut c.tally(campaign_id(t, 1)).counts;
        counts.add(CountKey::QuotaInFlight("two".into()), if n < 3 { 1 } else { -1 });
        counts.add(CountKey::QuotaDone("two".into()), i64::from(n >= 3));
        c.shown.push((phone(90), n % 2 == 0));
        c.shown.push((phone(91), false));
        commit(store, &c).await;
    }
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    let counts: Vec<_> = view.quotas.iter().map(|q| (q.done, q.in_flight)).collect();
    assert_eq!(counts, [(0, 0), (2, 1)]);
    assert_eq!(view.shown.iter().map(|s| (s.dials, s.answers)).collect::<Vec<_>>(), [(5, 3)]);
}
