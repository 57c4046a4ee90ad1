//! Laws of the store port.

use super::build::*;
use autocall_core::agent::{AgentEvent, Status};
use autocall_core::call::{LegFacts, ProviderRef, Stage};
use autocall_core::lead::Callback;
use autocall_core::outcome::Outcome;
use autocall_core::ports::{
    Check, Due, Guard, GuardKey, GuardValue, Lesson, Lessons, Listing, NumberGuard, RowKey, Store, StoreError,
};
use autocall_core::{Millis, Priority, TenantId, Timestamp};
use std::sync::Arc;

const LATER: Millis = Millis::from_secs(60);

/// Each kind of row is written only at the version expected, and a check counts like a write.
pub async fn versions_guard_every_kind_of_row<S: Store>(store: &S) {
    let t = TenantId(11);
    let leads = seed(store, t, 2).await;
    let mut c = changes(t);
    c.agents.push(new(agent(t, 1, NOW)));
    let key = GuardKey::Number(phone(0));
    c.guards.push(new(Guard::fresh(t, key.clone())));
    let a_call = call(&leads[1], 1);
    c.calls.push((new(a_call.clone()), NOW));
    commit(store, &c).await;
    type Add = fn(&mut autocall_core::ports::Changes, u64, TenantId);
    let kinds: [(RowKey, Add); 5] = [
        (RowKey::Campaign(campaign_id(t, 1)), |c, v, t| c.campaigns.push(at(campaign(t, 1), v))),
        (RowKey::Lead(lead_id(t, 0)), |c, v, t| c.leads.push(at(lead(t, 0), v))),
        (RowKey::Agent(agent_id(t, 1)), |c, v, t| c.agents.push(at(agent(t, 1, NOW), v))),
        (RowKey::Guard(key), |c, v, t| c.guards.push(at(Guard::fresh(t, GuardKey::Number(phone(0))), v))),
        (RowKey::Call(a_call.id), |c, v, t| c.calls.push((at(call(&lead(t, 1), 1), v), NOW))),
    ];
    for (row, add) in kinds {
        for wrong in [0, 2, 7] {
            let mut c = changes(t);
            add(&mut c, wrong, t);
            assert_eq!(conflict(store, &c).await, vec![row.clone()], "version {wrong}");
            let mut c = changes(t);
            c.checks.push(Check { key: row.clone(), version: wrong });
            c.campaigns.push(new(campaign(t, 77)));
            assert_eq!(conflict(store, &c).await, vec![row.clone()], "check of version {wrong}");
        }
        let mut c = changes(t);
        c.checks.push(Check { key: row.clone(), version: 1 });
        add(&mut c, 1, t);
        commit(store, &c).await;
        let mut c = changes(t);
        add(&mut c, 1, t);
        assert_eq!(conflict(store, &c).await, vec![row.clone()], "the version has moved on");
    }
}

/// If one row is stale, no row of the commit is written.
pub async fn a_commit_is_all_or_nothing<S: Store>(store: &S) {
    let t = TenantId(12);
    let leads = seed(store, t, 2).await;
    let (a_call, mut c) = dial(&leads[0], 1, 1);
    c.leads.push(at(leads[1].clone(), 9));
    c.agents.push(new(agent(t, 1, NOW)));
    c.guards.push(new(Guard::fresh(t, GuardKey::Number(phone(0)))));
    c.listings.push(Listing {
        phone: phone(1),
        campaign: None,
        reason: "test".into(),
        source: "test".into(),
        until: None,
    });
    c.wakes.push((campaign_id(t, 1), NOW));
    assert_eq!(conflict(store, &c).await, vec![RowKey::Lead(lead_id(t, 1))]);
    assert_eq!(store.call(a_call.id).await.err(), Some(StoreError::NotFound));
    assert!(matches!(store.agent(agent_id(t, 1)).await, Err(StoreError::NotFound)));
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    assert_eq!((view.leads.open, view.leads.calling, view.load.dialing), (2, 0, 0));
    let found = store.candidates(campaign_id(t, 1), NOW, 10).await.expect("candidates");
    assert_eq!(found.len(), 2);
    for candidate in &found {
        assert_eq!(candidate.lead.version, 1);
        assert!(candidate.guards.iter().all(|g| g.version == 0 || g.key == GuardKey::Epoch));
        assert!(candidate.lists.iter().all(|l| !l.any()));
    }
    let due = store.due(NOW, NOW + LATER, 100).await.expect("due");
    assert!(!due.contains(&Due::Campaign(campaign_id(t, 1))));
}

/// A commit that fails mints nothing; one that succeeds mints one permit per line, in order.
pub async fn permits_come_only_with_a_commit<S: Store>(store: &S) {
    let t = TenantId(13);
    let leads = seed(store, t, 2).await;
    let (_, stale) = dial(&leads[0], 5, 1);
    assert!(store.commit(&stale).await.is_err());
    let (one, mut both) = dial(&leads[0], 1, 1);
    let (two, more) = dial(&leads[1], 1, 2);
    both.calls.extend(more.calls);
    both.leads.extend(more.leads);
    both.permits.extend(more.permits);
    let permits = commit(store, &both).await.permits;
    let lines: Vec<String> = permits.iter().map(|p| p.line().to_string()).collect();
    assert_eq!(lines, [one.leg_id(0).to_string(), two.leg_id(0).to_string()]);
    for permit in permits {
        assert_eq!(permit.remaining(NOW), autocall_core::call::PERMIT_TTL);
        assert!(permit.redeem(NOW).is_ok());
    }
}

/// A snapshot holds the call, its campaign, lead and guards, and the agents who could take it, the
/// longest idle first.
pub async fn a_snapshot_holds_what_the_call_needs<S: Store>(store: &S) {
    let t = TenantId(14);
    let leads = seed(store, t, 1).await;
    let (mut a_call, mut c) = dial(&leads[0], 1, 1);
    for (n, since) in [(1, 300), (2, 100), (3, 200), (4, 50)] {
        let mut a = agent(t, n, NOW - Millis::from_secs(since));
        if n == 4 {
            a.status = Status::Away("lunch".into());
        }
        c.agents.push(new(a));
    }
    commit(store, &c).await;
    let snapshot = store.call(a_call.id).await.expect("there");
    assert_eq!((&snapshot.call.row, snapshot.call.version), (&a_call, 1));
    assert_eq!(*snapshot.campaign, campaign(t, 1));
    assert_eq!((snapshot.lead.row.id, snapshot.lead.version), (leads[0].id, 2));
    assert_eq!(snapshot.lead.row.state, autocall_core::lead::State::Calling { call: a_call.id });
    let agents: Vec<_> = snapshot.agents.iter().map(|a| a.row.id).collect();
    assert_eq!(agents, [agent_id(t, 1), agent_id(t, 3), agent_id(t, 2)], "free ones, the longest idle first");
    let keys: Vec<_> = snapshot.guards.iter().map(|g| (g.key.clone(), g.version)).collect();
    let person = GuardKey::Person { person: leads[0].person_key, subject: "roofs".into() };
    assert_eq!(keys, [(GuardKey::Number(phone(0)), 0), (person, 0)]);
    // One passes, one is held by the call: the held one comes first, the other not at all.
    a_call.passed.push(agent_id(t, 1));
    a_call.stage = Stage::Offering { leg: None, agent: agent_id(t, 2), since: NOW };
    let mut held = agent(t, 2, NOW);
    held.handle(&AgentEvent::Hold { call: a_call.id, hold: autocall_core::agent::Hold::Ringing }, NOW);
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 1), NOW));
    c.agents.push(at(held, 1));
    commit(store, &c).await;
    let snapshot = store.call(a_call.id).await.expect("there");
    let agents: Vec<_> = snapshot.agents.iter().map(|a| (a.row.id, a.version)).collect();
    assert_eq!(agents, [(agent_id(t, 2), 2), (agent_id(t, 3), 1)]);
    assert!(matches!(store.call(call_id(t, 99)).await, Err(StoreError::NotFound)));
}

/// A settled call stays readable, whatever time it was told to wake, and takes no more deadlines.
pub async fn a_settled_call_can_be_read_and_is_not_due<S: Store>(store: &S) {
    let t = TenantId(15);
    let leads = seed(store, t, 1).await;
    let (mut a_call, c) = dial(&leads[0], 1, 1);
    commit(store, &c).await;
    a_call.legs[0].facts.merge(&LegFacts { provider: Some(ProviderRef::from("CA1")), ..LegFacts::default() });
    a_call.stage = Stage::Settled { at: NOW, outcome: Outcome::Busy };
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 1), NOW));
    c.records.push(a_call.record().expect("settled"));
    commit(store, &c).await;
    let snapshot = store.call(a_call.id).await.expect("still there");
    assert_eq!((snapshot.call.row, snapshot.call.version), (a_call.clone(), 2));
    assert!(!store.due(NOW, NOW + LATER, 100).await.expect("due").contains(&Due::Call(a_call.id)));
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 1), NOW));
    assert_eq!(conflict(store, &c).await, vec![RowKey::Call(a_call.id)]);
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 2), NOW));
    commit(store, &c).await;
    assert_eq!(store.call(a_call.id).await.expect("there").call.version, 3);
}

/// Appointments, then priority, due time, order; only due and open ones; no more than asked.
pub async fn candidates_come_in_order_and_no_more_than_asked<S: Store>(store: &S) {
    let t = TenantId(16);
    seed(store, t, 0).await;
    let mut other = changes(t);
    other.campaigns.push(new(campaign(t, 2)));
    commit(store, &other).await;
    let ago = |s: i64| NOW - Millis::from_secs(s);
    let mut c = changes(t);
    let mut add = |n: u128, change: &dyn Fn(&mut autocall_core::lead::Lead)| {
        let mut l = lead(t, n);
        change(&mut l);
        c.leads.push(new(l));
    };
    add(1, &|l| l.order = 2);
    add(2, &|l| l.order = 1);
    add(3, &|l| l.due_at = ago(5));
    add(4, &|l| l.priority = Priority::Low);
    add(5, &|l| l.priority = Priority::Urgent);
    add(6, &|l| l.priority = Priority::High);
    add(7, &|l| {
        l.callback = Some(Callback { at: ago(1), agent: None });
        l.priority = Priority::Low;
        l.due_at = ago(1);
    });
    add(8, &|l| l.due_at = NOW + Millis::from_ms(1));
    add(9, &|l| l.state = autocall_core::lead::State::Closed { why: autocall_core::lead::Closed::Done });
    add(10, &|l| l.campaign = campaign_id(t, 2));
    add(11, &|l| l.due_at = Timestamp::NEVER);
    commit(store, &c).await;
    let order = |found: Vec<autocall_core::ports::Candidate>| -> Vec<u128> {
        found.iter().map(|c| c.lead.row.id.key().as_u128() - 1000).collect()
    };
    let wanted = [7, 5, 6, 3, 2, 1, 4];
    for limit in [0u32, 1, 3, 7, 50] {
        let found = store.candidates(campaign_id(t, 1), NOW, limit).await.expect("candidates");
        assert_eq!(order(found), &wanted[..wanted.len().min(limit as usize)], "limit {limit}");
    }
    let found = store.candidates(campaign_id(t, 1), NOW + Millis::from_ms(1), 50).await.expect("candidates");
    assert_eq!(order(found), [7, 5, 6, 3, 2, 1, 8, 4], "due at the very instant");
    // A lead that goes back to an earlier time is found at once.
    let mut c = changes(t);
    let mut back = lead(t, 8);
    back.due_at = ago(100);
    c.leads.push(at(back, 1));
    commit(store, &c).await;
    assert_eq!(order(store.candidates(campaign_id(t, 1), NOW, 4).await.expect("candidates")), [7, 5, 6, 8]);
    assert_eq!(store.campaign(campaign_id(t, 1)).await.expect("there").next_due, Some(ago(100)));
    let nobody = store.candidates(campaign_id(t, 9), NOW, 5).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)));
}

/// A candidate comes with the guards of all its numbers, its person and the epoch.
pub async fn candidates_bring_guards_and_lists<S: Store>(store: &S) {
    let t = TenantId(17);
    seed(store, t, 0).await;
    let mut two = lead(t, 1);
    two.numbers.push(autocall_core::lead::Number { dropped: true, ..autocall_core::lead::Number::new(phone(2)) });
    let person = GuardKey::Person { person: two.person_key, subject: "roofs".into() };
    let mut c = changes(t);
    c.leads.push(new(two.clone()));
    commit(store, &c).await;
    // A store may make the epoch's guard with the tenant.
    let found = store.candidates(campaign_id(t, 1), NOW, 5).await.expect("candidates");
    let epoch = found[0].guards.last().expect("the epoch").version;
    let mut c = changes(t);
    let live = NumberGuard { live: Some(call_id(t, 1)), ..NumberGuard::default() };
    let guard = Guard { value: GuardValue::Number(live), ..Guard::fresh(t, GuardKey::Number(phone(2))) };
    c.guards.push(new(guard.clone()));
    c.guards.push(at(Guard::fresh(t, GuardKey::Epoch), epoch));
    commit(store, &c).await;
    let found = store.candidates(campaign_id(t, 1), NOW, 5).await.expect("candidates");
    assert_eq!(found[0].lead.row, two);
    let got: Vec<_> = found[0].guards.iter().map(|g| (g.key.clone(), g.version)).collect();
    let number = |n| GuardKey::Number(phone(n));
    assert_eq!(got, [(number(1), 0), (number(2), 1), (person, 0), (GuardKey::Epoch, epoch + 1)]);
    assert_eq!(found[0].guards[1].value, guard.value);
    assert_eq!(found[0].lists.len(), 2);
}

/// What is due is found once, then hidden until the time given or until a commit writes it.
pub async fn what_is_due_is_hidden_until_its_time<S: Store>(store: &S) {
    let t = TenantId(18);
    let leads = seed(store, t, 2).await;
    let (a_call, mut c) = dial(&leads[0], 1, 1);
    c.calls[0].1 = NOW;
    let mut busy = agent(t, 1, NOW);
    busy.state = autocall_core::agent::State::WrapUp { call: a_call.id, until: NOW + Millis::from_secs(1) };
    c.agents.push(new(busy));
    commit(store, &c).await;
    let mine = |due: Vec<Due>| -> Vec<Due> {
        let of = |d: &Due| match d {
            Due::Call(id) => id.tenant(),
            Due::Campaign(id) => id.tenant(),
            Due::Agent(id) => id.tenant(),
        };
        due.into_iter().filter(|d| of(d) == t).collect()
    };
    let hidden = NOW + Millis::from_secs(10);
    let look =
        |now: Timestamp| async move { mine(store.due(now, now + Millis::from_secs(10), 100).await.expect("due")) };
    assert_eq!(look(NOW - Millis::from_ms(1)).await, []);
    assert_eq!(look(NOW).await, [Due::Call(a_call.id)]);
    assert_eq!(look(NOW).await, [], "hidden");
    assert_eq!(look(NOW + Millis::from_secs(1)).await, [Due::Agent(agent_id(t, 1))]);
    assert_eq!(look(hidden).await, [Due::Call(a_call.id)], "nobody dealt with it, so it comes again");
    // A commit sets a time of its own.
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 1), NOW));
    commit(store, &c).await;
    assert_eq!(look(NOW).await, [Due::Call(a_call.id)]);
}

/// A wake sets a campaign's time without knowing its version.
pub async fn wakes_carry_no_version<S: Store>(store: &S) {
    let t = TenantId(19);
    seed(store, t, 0).await;
    let id = campaign_id(t, 1);
    for n in 0..3 {
        let mut c = changes(t);
        c.wakes.push((id, NOW + Millis::from_secs(n)));
        commit(store, &c).await;
    }
    let due = |now| async move { store.due(now, now + LATER, 100).await.expect("due").contains(&Due::Campaign(id)) };
    assert!(!due(NOW + Millis::from_secs(1)).await, "the last wake counts");
    assert!(due(NOW + Millis::from_secs(2)).await);
    assert_eq!(store.campaign(id).await.expect("there").campaign.version, 1);
}

/// Tallies add up in any order and never conflict.
pub async fn tallies_commute<S: Store>(store: &S) {
    use autocall_core::pacing::{CountsDelta, DayKey, LedgerDelta};
    let t = TenantId(20);
    seed(store, t, 0).await;
    let mut both = changes(t);
    both.campaigns.push(new(campaign(t, 2)));
    commit(store, &both).await;
    let mut tallies = Vec::new();
    for n in 0..20i64 {
        let mut tally = autocall_core::ports::Tally::default();
        tally.load.dialing = 1 + (n % 3) as i32;
        tally.load.closing = -1;
        tally.leads.open = -n;
        tally.leads.closed = n;
        let key = DayKey::with_offset(NOW + Millis::from_hours(n * 5), 0);
        tally.ledger.push(LedgerDelta::dialed(key, 2));
        tally.ledger.push(LedgerDelta::settled(key, CountsDelta::given_up(n % 2 == 0)));
        tallies.push(tally);
    }
    // The first dial of a campaign fixes the day that its periods count from.
    let write = |campaign: u128, tally: autocall_core::ports::Tally| async move {
        let mut c = changes(t);
        c.tallies.push((campaign_id(t, campaign), tally));
        commit(store, &c).await;
    };
    for campaign in [1, 2] {
        write(campaign, tallies[0].clone()).await;
    }
    for tally in &tallies[1..] {
        write(1, tally.clone()).await;
    }
    for tally in tallies[1..].iter().rev() {
        write(2, tally.clone()).await;
    }
    let (one, two) = (store.campaign(campaign_id(t, 1)).await, store.campaign(campaign_id(t, 2)).await);
    let (one, two) = (one.expect("there"), two.expect("there"));
    assert_eq!((one.load, one.leads, &one.ledger), (two.load, two.leads, &two.ledger));
    assert_eq!((one.load.dialing, one.load.closing, one.leads.open), (39, -20, -190));
    assert_eq!(one.ledger.open(), 20);
}

/// A second record of one call is a conflict.
pub async fn one_record_per_call<S: Store>(store: &S) {
    let t = TenantId(21);
    let leads = seed(store, t, 1).await;
    let (mut a_call, c) = dial(&leads[0], 1, 1);
    commit(store, &c).await;
    a_call.stage = Stage::Settled { at: NOW, outcome: Outcome::NoAnswer };
    let mut c = changes(t);
    c.calls.push((at(a_call.clone(), 1), NOW));
    c.records.push(a_call.record().expect("settled"));
    commit(store, &c).await;
    c.calls[0].0.expected = 2;
    assert_eq!(conflict(store, &c).await, vec![RowKey::Call(a_call.id)]);
}

/// A campaign's view: counts, pending calls oldest first, agents at work, what others promised.
pub async fn a_campaign_view_counts<S: Store>(store: &S) {
    let t = TenantId(23);
    let leads = seed(store, t, 3).await;
    for n in 0..3u128 {
        let (mut a_call, mut c) = dial(&leads[n as usize], 1, n);
        a_call.created_at = NOW - Millis::from_secs(n as i64);
        a_call.legs[0].facts.ringing_at = Some(NOW);
        if n == 1 {
            a_call.stage = Stage::Seeking { since: NOW };
            a_call.person_at = Some(NOW - Millis::from_secs(1));
        }
        c.calls[0].0.row = a_call;
        commit(store, &c).await;
    }
    let mut c = changes(t);
    c.campaigns.push(new(campaign(t, 2)));
    for n in 1..4 {
        c.agents.push(new(agent(t, n, NOW)));
    }
    c.agents[1].row.status = Status::Offline;
    c.agents[2].row.status = Status::Away("meeting".into());
    c.agents[2].row.state = autocall_core::agent::State::WrapUp { call: call_id(t, 0), until: NOW + LATER };
    c.guards.push(new(Guard::fresh(t, GuardKey::Pool(pool(t)))));
    c.guards.push(new(Guard::fresh(t, GuardKey::CallerId(phone(90)))));
    commit(store, &c).await;
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    assert_eq!((view.load.dialing, view.leads.open, view.leads.calling), (3, 0, 3));
    assert_eq!((view.campaign.version, view.dials.version, view.next_due), (1, 0, None));
    let calls: Vec<_> = view.calls.iter().map(|c| (c.id, c.waiting_since)).collect();
    let second = Some(NOW - Millis::from_secs(1));
    assert_eq!(calls, [(call_id(t, 2), None), (call_id(t, 1), second), (call_id(t, 0), None)]);
    assert!(view.calls.iter().all(|c| c.class == 3 && c.ringing_at == Some(NOW) && c.answered_at.is_none()));
    assert_eq!((view.caller_ids.len(), view.caller_ids[0].version), (1, 1));
    let own = &view.pools[0];
    assert_eq!((own.pool, own.version, own.promised), (pool(t), 1, 0));
    let at_work: Vec<_> = own.agents.iter().map(|a| (a.id, a.available)).collect();
    assert_eq!(at_work, [(agent_id(t, 1), true), (agent_id(t, 3), false)]);
    let other = store.campaign(campaign_id(t, 2)).await.expect("there");
    assert_eq!(other.pools[0].promised, 3, "what campaign 1 has in flight");
    let sharer = other.pools[0].sharers[0];
    assert_eq!((other.pools[0].sharers.len(), sharer.campaign), (1, campaign_id(t, 1)));
    assert_eq!((sharer.open, sharer.leads, sharer.running, sharer.ahead), (3, 0, true, false));
    assert_eq!(sharer.room, campaign(t, 1).settings.caps.lines_max - 3, "lines that its cap leaves");
    assert_eq!(sharer.lines_max, campaign(t, 1).settings.caps.lines_max);
    assert_eq!((sharer.share, sharer.callback_at), (autocall_core::pacing::Share::default(), None));
    assert_eq!((own.sharers.len(), other.callback_at), (1, None), "campaign 2 runs as well");
}

/// The lines that a campaign leaves free count calls of every stage, and are never less than none.
pub async fn a_sharer_counts_every_line<S: Store>(store: &S) {
    let t = TenantId(98);
    let leads = seed(store, t, 6).await;
    let agent = agent_id(t, 1);
    let stages = [
        Stage::Dialing,
        Stage::Seeking { since: NOW },
        Stage::Offering { leg: None, agent, since: NOW },
        Stage::Bridged { leg: None, agent, since: NOW },
        Stage::Message { kind: autocall_core::script::MessageKind::Voicemail, since: NOW },
        Stage::Closing { since: NOW },
    ];
    for (n, stage) in stages.into_iter().enumerate() {
        let (mut a_call, mut c) = dial(&leads[n], 1, n as u128);
        let load = &mut c.tally(a_call.plan.campaign).load;
        load.add(&a_call.load(), -1);
        a_call.stage = stage;
        load.add(&a_call.load(), 1);
        c.calls[0].0.row = a_call;
        commit(store, &c).await;
    }
    let mut c = changes(t);
    c.campaigns.push(new(campaign(t, 2)));
    commit(store, &c).await;
    for lines_max in [9, 5, 3] {
        let view = store.campaign(campaign_id(t, 1)).await.expect("there");
        let mut row = (*view.campaign.row).clone();
        let mut settings = (*row.settings).clone();
        settings.caps.lines_max = lines_max;
        row.settings = std::sync::Arc::new(settings);
        let mut c = changes(t);
        c.campaigns.push(at(row, view.campaign.version));
        commit(store, &c).await;
        let other = store.campaign(campaign_id(t, 2)).await.expect("there");
        let sharer = other.pools[0].sharers[0];
        assert_eq!((sharer.room, sharer.lines_max), (lines_max.saturating_sub(5), lines_max));
    }
}

/// What pacing has learned is kept by version: who comes second is told so and writes nothing.
pub async fn lessons_are_kept_by_version<S: Store + Lessons>(store: &S) {
    let t = TenantId(97);
    seed(store, t, 1).await;
    let (one, other) = (campaign_id(t, 1), campaign_id(t, 2));
    let kept = |version, learned: &[u8]| Some(Lesson { version, learned: learned.to_vec() });
    assert_eq!(Lessons::load(store, one).await, Ok(None));
    assert_eq!(store.save(one, b"first", 0, NOW).await, Ok(true));
    assert_eq!(store.save(one, b"also first", 0, NOW).await, Ok(false));
    assert_eq!(store.save(one, b"second", 1, NOW).await, Ok(true));
    assert_eq!(store.save(one, b"late", 1, NOW).await, Ok(false));
    assert_eq!(Lessons::load(store, one).await, Ok(kept(2, b"second")));
    assert_eq!(Lessons::load(store, other).await, Ok(None));
    let large = vec![7_u8; 64 * 1024];
    assert_eq!(store.save(one, &large, 2, NOW).await, Ok(true));
    assert_eq!(Lessons::load(store, one).await, Ok(kept(3, &large)));
}

/// A person who waits is listed for every agent who could take the call, the longest waiting first.
pub async fn an_agents_view_finds_who_waits<S: Store>(store: &S) {
    let t = TenantId(24);
    let leads = seed(store, t, 12).await;
    for n in 0..12u128 {
        let (mut a_call, mut c) = dial(&leads[n as usize], 1, n);
        if n > 0 {
            a_call.stage = Stage::Seeking { since: NOW - Millis::from_secs(n as i64) };
        }
        c.calls[0].0.row = a_call;
        commit(store, &c).await;
    }
    let mut c = changes(t);
    c.agents.push(new(agent(t, 1, NOW)));
    c.campaigns.push(new(campaign(t, 2)));
    c.campaigns[0].row.state = autocall_core::campaign::State::Paused;
    commit(store, &c).await;
    let view = store.agent(agent_id(t, 1)).await.expect("there");
    let wanted: Vec<_> = (4..12).rev().map(|n| call_id(t, n)).collect();
    assert_eq!(view.waiting, wanted, "at most eight");
    assert_eq!(view.campaigns, [campaign_id(t, 1)], "only running ones");
    assert_eq!(view.agent.row, agent(t, 1, NOW));
}

/// Two tenants whose rows have equal keys never see, change or count each other's.
pub async fn tenants_never_meet<S: Store>(store: &S) {
    let (a, b) = (TenantId(25), TenantId(26));
    let leads = seed(store, a, 2).await;
    let (a_call, mut c) = dial(&leads[0], 1, 1);
    c.agents.push(new(agent(a, 1, NOW)));
    c.guards.push(new(Guard::fresh(a, GuardKey::Number(phone(1)))));
    c.guards.push(new(Guard::fresh(a, GuardKey::Pool(pool(a)))));
    let listing = Listing { phone: phone(1), campaign: None, reason: "x".into(), source: "x".into(), until: None };
    c.listings.push(listing);
    commit(store, &c).await;
    assert!(matches!(store.call(call_id(b, 1)).await, Err(StoreError::NotFound)));
    assert!(matches!(store.campaign(campaign_id(b, 1)).await, Err(StoreError::NotFound)));
    assert!(matches!(store.agent(agent_id(b, 1)).await, Err(StoreError::NotFound)));
    assert!(matches!(store.candidates(campaign_id(b, 1), NOW, 9).await, Err(StoreError::NotFound)));
    // The other tenant makes the same rows, all new to it.
    let rows = seed(store, b, 2).await;
    let view = store.campaign(campaign_id(b, 1)).await.expect("there");
    assert_eq!((view.load.dialing, view.leads.open, view.calls.len()), (0, 2, 0));
    assert_eq!((view.pools[0].agents.len(), view.pools[0].version, view.pools[0].promised), (0, 0, 0));
    let found = store.candidates(campaign_id(b, 1), NOW, 9).await.expect("candidates");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(
        |c| c.lists.iter().all(|l| !l.any()) && c.guards.iter().all(|g| g.version == 0 || g.key == GuardKey::Epoch)
    ));
    let (same, c) = dial(&rows[0], 1, 1);
    commit(store, &c).await;
    let snapshot = store.call(same.id).await.expect("there");
    assert_eq!((snapshot.agents.len(), snapshot.call.row.id.tenant()), (0, b));
    assert_eq!(store.call(a_call.id).await.expect("there").agents.len(), 1);
    // A's row moves on; b's stays.
    let mut c = changes(a);
    c.campaigns.push(at(campaign(a, 1), 1));
    commit(store, &c).await;
    assert_eq!(store.campaign(campaign_id(b, 1)).await.expect("there").campaign.version, 1);
}

/// A commit that names another tenant's row writes nothing.
pub async fn anothers_row_is_refused<S: Store>(store: &S) {
    let (a, b) = (TenantId(27), TenantId(28));
    let leads = seed(store, a, 1).await;
    let (_, mut c) = dial(&leads[0], 1, 1);
    c.leads.push(new(lead(b, 1)));
    assert!(matches!(store.commit(&c).await, Err(StoreError::Corrupt(_))));
    let mut c = changes(a);
    c.tally(campaign_id(b, 1)).load.dialing = 1;
    assert!(matches!(store.commit(&c).await, Err(StoreError::Corrupt(_))));
    let mut c = changes(a);
    c.guards.push(new(Guard::fresh(b, GuardKey::Epoch)));
    assert!(matches!(store.commit(&c).await, Err(StoreError::Corrupt(_))));
    let view = store.campaign(campaign_id(a, 1)).await.expect("there");
    assert_eq!((view.leads.open, view.load.dialing), (1, 0));
}

/// Names, notes and free fields come back as they were, whatever they hold, and edits stick.
pub async fn personal_data_comes_back_whole<S: Store>(store: &S) {
    let t = TenantId(29);
    seed(store, t, 0).await;
    let mut odd = lead(t, 1);
    let mut person = (*odd.person).clone();
    person.first_name = "Zoë \u{0} \"quoted\" \\ 🦀".into();
    person.last_name = "O'Brien; DROP TABLE leads; --".into();
    person.notes = "x".repeat(20_000).into();
    person.fields.insert("Favourite colour".into(), "señal".into());
    odd.person = Arc::new(person.clone());
    let mut c = changes(t);
    c.leads.push(new(odd.clone()));
    commit(store, &c).await;
    let read = |_: ()| async { store.candidates(campaign_id(t, 1), NOW, 1).await.expect("found").remove(0).lead };
    assert_eq!(read(()).await.row, odd);
    person.notes = "shorter".into();
    odd.person = Arc::new(person);
    odd.numbers[0].phone = phone(77);
    let mut c = changes(t);
    c.leads.push(at(odd.clone(), 1));
    commit(store, &c).await;
    let lead = read(()).await;
    assert_eq!((lead.row, lead.version), (odd, 2));
}
