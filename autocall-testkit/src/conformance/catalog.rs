//! Laws of the catalog and the directory.

use super::build::*;
use autocall_core::call::Stage;
use autocall_core::id::Id;
use autocall_core::outcome::Outcome;
use autocall_core::ports::catalog::*;
use autocall_core::ports::{Disposed, Due, Guard, GuardKey, GuardValue, NumberGuard, Put, Store};
use autocall_core::{Millis, Private, TenantId, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;

fn batch(t: TenantId, leads: Vec<autocall_core::lead::Lead>) -> LeadBatch {
    LeadBatch { campaign: campaign_id(t, 1), leads, step: None, at: NOW }
}

/// A call to the lead, settled with an outcome at a time; its commit.
async fn settle<S: Store>(store: &S, t: TenantId, n: u128, outcome: Outcome) -> autocall_core::call::Record {
    let (mut a_call, c) = dial(&lead(t, n), 1, n);
    commit(store, &c).await;
    a_call.legs[0].facts.answered_at = Some(NOW + Millis::from_secs(5));
    a_call.stage = Stage::Settled { at: NOW + Millis::from_secs(60), outcome };
    let record = a_call.record().expect("settled");
    let mut c = changes(t);
    c.calls.push((at(a_call, 1), Timestamp::NEVER));
    let mut after = lead(t, n);
    after.state = autocall_core::lead::State::Closed { why: autocall_core::lead::Closed::Done };
    c.leads.push(at(after, 2));
    let tally = c.tally(campaign_id(t, 1));
    (tally.load.dialing, tally.leads.calling, tally.leads.closed) = (-1, -1, 1);
    c.records.push(record.clone());
    commit(store, &c).await;
    record
}

/// Leads are added once: by id, and by first number within the campaign and the batch.
pub async fn leads_are_added_once<S: Store + Catalog>(store: &S) {
    let t = TenantId(41);
    seed(store, t, 0).await;
    let mut twin = lead(t, 9);
    twin.numbers = lead(t, 1).numbers;
    let first = batch(t, vec![lead(t, 1), lead(t, 2), twin.clone()]);
    let added = store.add_leads(&first).await.expect("added");
    assert_eq!(added, [Added::New, Added::New, Added::Duplicate]);
    let again = store.add_leads(&first).await.expect("added");
    assert_eq!(again, [Added::Again, Added::Again, Added::Duplicate]);
    let item = store.campaign_item(campaign_id(t, 1)).await.expect("there");
    assert_eq!(item.leads.open, 2);
    assert_eq!(store.candidates(campaign_id(t, 1), NOW, 10).await.expect("found").len(), 2);
    let known = store.known_numbers(campaign_id(t, 1), &[phone(1), phone(3), phone(2)]).await.expect("known");
    assert_eq!(known, [true, false, true]);
    let stranger = batch(t, vec![lead(TenantId(42), 1)]);
    assert!(matches!(store.add_leads(&stranger).await, Err(CatalogError::Invalid(_))));
}

/// Exact number, folded name, external id and the plain fields find leads; other searches say why
/// not.
pub async fn leads_are_found_by_what_is_declared<S: Store + Catalog>(store: &S) {
    let t = TenantId(43);
    seed(store, t, 0).await;
    let mut two = lead(t, 2);
    two.numbers.push(autocall_core::lead::Number::new(phone(33)));
    store.add_leads(&batch(t, vec![lead(t, 1), two, lead(t, 3)])).await.expect("added");
    let find = |f: LeadFilter| async move {
        let page = store.leads(t, &f, &PageAsk::first(10)).await.expect("a page");
        page.items.iter().map(|l| l.row.id.key().as_u128() - 1000).collect::<Vec<_>>()
    };
    assert_eq!(find(LeadFilter { phone: Some(phone(1)), ..LeadFilter::default() }).await, [1]);
    assert_eq!(find(LeadFilter { phone: Some(phone(33)), ..LeadFilter::default() }).await, [2], "a second number");
    let named = |n: &str| LeadFilter { name: Some(Private::new(n)), ..LeadFilter::default() };
    assert_eq!(find(named("  ADA   lovelace 3 ")).await, [3]);
    assert_eq!(find(named("ada")).await, [] as [u128; 0], "a part is not the whole");
    let external = LeadFilter { external_id: Some("crm-2".into()), ..LeadFilter::default() };
    assert_eq!(find(external).await, [2]);
    let open = LeadFilter { phase: Some(LeadPhase::Open), campaign: Some(campaign_id(t, 1)), ..LeadFilter::default() };
    assert_eq!(find(open).await, [1, 2, 3]);
    for f in [
        LeadFilter { name_part: Some("ad".into()), ..LeadFilter::default() },
        LeadFilter { notes_part: Some("morning".into()), ..LeadFilter::default() },
    ] {
        let refused = store.leads(t, &f, &PageAsk::default()).await;
        assert!(matches!(refused, Err(CatalogError::Unsearchable { .. })), "{refused:?}");
    }
}

/// Pages have no gap and no duplicate.
pub async fn pages_cover_everything_once<S: Store + Catalog>(store: &S) {
    let t = TenantId(44);
    seed(store, t, 0).await;
    store.add_leads(&batch(t, (0..25).map(|n| lead(t, n)).collect())).await.expect("added");
    let (mut seen, mut ask, mut pages) = (BTreeSet::new(), PageAsk::first(7), 0);
    loop {
        let page = store.leads(t, &LeadFilter::default(), &ask).await.expect("a page");
        for l in page.items {
            assert!(seen.insert(l.row.id));
        }
        pages += 1;
        let Some(next) = page.next else { break };
        ask.after = Some(next);
    }
    assert_eq!((seen.len(), pages), (25, 4));
    let wrong = PageAsk { after: Some(Cursor("nonsense".into())), limit: 5 };
    assert!(matches!(store.leads(t, &LeadFilter::default(), &wrong).await, Err(CatalogError::Invalid(_))));
}

/// A batch and its import's progress are one: sent again after a crash, it changes nothing.
pub async fn imports_resume_where_they_stopped<S: Store + Catalog>(store: &S) {
    let t = TenantId(45);
    seed(store, t, 0).await;
    let id = Id::small(t, 60);
    let job = ImportJob {
        id,
        campaign: campaign_id(t, 1),
        list: None,
        name: "ada-lovelace.csv".into(),
        bytes: Some(1000),
        digest: None,
        state: ImportState::Running,
        problem: None,
        bytes_done: 0,
        line_done: 0,
        added: 0,
        duplicates: 0,
        rejected: 0,
        started_at: NOW,
        ended_at: None,
    };
    store.put_import(&Put { row: job.clone(), expected: 0 }).await.expect("begun");
    let mut twin = lead(t, 9);
    twin.numbers = lead(t, 1).numbers;
    let step =
        ImportStep { import: id, from_line: 0, to_line: 3, bytes_done: 300, rejected: vec![], lines: vec![1, 2, 3] };
    let one = LeadBatch { step: Some(step.clone()), ..batch(t, vec![lead(t, 1), lead(t, 2), twin]) };
    assert_eq!(store.add_leads(&one).await.expect("added"), [Added::New, Added::New, Added::Duplicate]);
    assert_eq!(store.add_leads(&one).await.expect("again"), [Added::Again; 3]);
    let skipped = ImportStep { from_line: 7, to_line: 8, lines: vec![8], ..step };
    let gap = LeadBatch { step: Some(skipped), ..batch(t, vec![lead(t, 8)]) };
    assert_eq!(store.add_leads(&gap).await, Err(CatalogError::Changed));
    let now = store.import(id).await.expect("there");
    assert_eq!((now.row.line_done, now.row.bytes_done, now.row.added, now.row.duplicates), (3, 300, 2, 1));
    let rejections = store.rejections(id, &PageAsk::default()).await.expect("a page").items;
    assert_eq!((rejections.len(), rejections[0].n, rejections[0].rejection.line), (1, 1, 3));
    let done = ImportJob { state: ImportState::Done, ended_at: Some(NOW), ..job };
    store.put_import(&Put { row: done, expected: now.version }).await.expect("ended");
    let page = store.imports(t, &PageAsk::default()).await.expect("a page");
    assert_eq!((page.items.len(), page.items[0].row.added, page.items[0].row.state), (1, 2, ImportState::Done));
}

/// Calls are listed, live and settled ones, and shown in full.
pub async fn calls_and_details_are_listed<S: Store + Catalog>(store: &S) {
    let t = TenantId(46);
    seed(store, t, 3).await;
    let record = settle(store, t, 0, Outcome::Busy).await;
    let (live, c) = dial(&lead(t, 1), 1, 1);
    commit(store, &c).await;
    let list = |f: CallFilter| async move {
        let page = store.calls(t, &f, &PageAsk::default()).await.expect("a page");
        page.items.iter().map(|c| c.id).collect::<Vec<_>>()
    };
    assert_eq!(list(CallFilter::default()).await.len(), 2);
    assert_eq!(list(CallFilter { live: Some(true), ..CallFilter::default() }).await, [live.id]);
    assert_eq!(list(CallFilter { to: Some(phone(0)), ..CallFilter::default() }).await, [record.call]);
    assert_eq!(list(CallFilter { outcome: Some("busy".into()), ..CallFilter::default() }).await, [record.call]);
    assert_eq!(list(CallFilter { until: Some(NOW), ..CallFilter::default() }).await, []);
    let recording = Recording {
        call: record.call,
        provider: "RE1".into(),
        location: "https://carrier.example/RE1".into(),
        length_ms: 1000,
        made_at: NOW,
    };
    store.put_recording(&recording).await.expect("kept");
    let detail = store.call_detail(record.call).await.expect("there");
    assert_eq!((detail.record, detail.recordings), (Some(record.clone()), vec![recording]));
    store.remove_recording(record.call, "RE1").await.expect("removed");
    assert_eq!(store.remove_recording(record.call, "RE1").await, Err(CatalogError::NotFound));
}

/// The feed gives every record and disposition once, in the order of their places.
pub async fn the_feed_has_no_gap_and_no_duplicate<S: Store + Catalog>(store: &S) {
    let t = TenantId(47);
    seed(store, t, 5).await;
    for n in 0..5 {
        settle(store, t, n, Outcome::NoAnswer).await;
    }
    let said = Disposed { call: call_id(t, 2), agent: None, code: "later".into(), success: false, at: NOW };
    let mut c = changes(t);
    c.disposed.push(said.clone());
    commit(store, &c).await;
    let (mut place, mut items) = (0, Vec::new());
    loop {
        let more = store.feed(t, place, 2).await.expect("the feed");
        let Some(last) = more.last() else { break };
        place = last.place;
        items.extend(more);
    }
    assert_eq!(items.iter().map(|i| i.place).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(items[5].event, FeedEvent::Disposed(said));
    let calls: BTreeSet<_> = items[..5]
        .iter()
        .map(|i| match &i.event {
            FeedEvent::Settled(r) => r.call,
            other => panic!("a record was expected, not {other:?}"),
        })
        .collect();
    assert_eq!(calls.len(), 5);
}

fn number(n: u64) -> Suppression {
    let target = SuppressTarget::Number(phone(n));
    Suppression { target, campaign: None, reason: "upload".into(), source: "file".into(), until: None }
}

/// A number on the list shows at its candidates, and its guard has moved on.
pub async fn suppressions_stop_candidates<S: Store + Catalog>(store: &S) {
    let t = TenantId(48);
    seed(store, t, 3).await;
    let done = store.suppress(t, &[number(0), number(1), number(0)], NOW).await.expect("listed");
    assert_eq!((done.added, done.live.len()), (2, 0));
    let found = store.candidates(campaign_id(t, 1), NOW, 9).await.expect("found");
    let listed: Vec<_> = found.iter().map(|c| (c.lists[0].tenant.is_some(), c.guards[0].version)).collect();
    assert_eq!(listed, [(true, 1), (true, 1), (false, 0)]);
    let lists = store.suppressed(t, None, &[phone(2), phone(1)], NOW).await.expect("checked");
    assert_eq!((lists[0].any(), lists[1].any()), (false, true));
    let target = SuppressTarget::Number(phone(0));
    store.unsuppress(t, &target, None, NOW).await.expect("removed");
    assert_eq!(store.unsuppress(t, &target, None, NOW).await, Err(CatalogError::NotFound));
    let found = store.candidates(campaign_id(t, 1), NOW, 1).await.expect("found");
    assert_eq!((found[0].lists[0].tenant.is_some(), found[0].guards[0].version), (false, 2));
    let page = store.suppressions(t, &PageAsk::default()).await.expect("a page");
    assert_eq!(
        page.items.iter().map(|i| i.target.clone()).collect::<Vec<_>>(),
        [Some(SuppressTarget::Number(phone(1)))]
    );
}

/// A number that is listed while a call to it lives: the call is named, marked and due at once.
pub async fn suppressing_ends_the_call_that_lives<S: Store + Catalog>(store: &S) {
    let t = TenantId(61);
    let leads = seed(store, t, 1).await;
    let (live, mut c) = dial(&leads[0], 1, 1);
    let guard = NumberGuard { live: Some(live.id), ..NumberGuard::default() };
    c.guards.push(new(Guard { value: GuardValue::Number(guard), ..Guard::fresh(t, GuardKey::Number(phone(0))) }));
    commit(store, &c).await;
    let other = Suppression { campaign: Some(campaign_id(t, 2)), ..number(0) };
    assert_eq!(store.suppress(t, &[other], NOW).await.expect("listed").live, [], "another campaign's list");
    let done = store.suppress(t, &[number(0), number(1)], NOW).await.expect("listed");
    assert_eq!((done.added, done.live), (2, vec![live.id]));
    let snapshot = store.call(live.id).await.expect("there");
    assert!(matches!(&snapshot.guards[0].value, GuardValue::Number(n) if n.stop == Some(live.id)), "marked");
    let due = store.due(NOW, NOW + Millis::from_secs(60), 1000).await.expect("due");
    assert!(due.contains(&Due::Call(live.id)), "due at once");
}

/// A prefix covers its numbers and advances the tenant's epoch.
pub async fn prefixes_move_the_epoch<S: Store + Catalog>(store: &S) {
    let t = TenantId(49);
    seed(store, t, 1).await;
    let prefix = |p: &str| Suppression { target: SuppressTarget::Prefix(p.into()), ..number(0) };
    let epoch_of = |c: &autocall_core::ports::Candidate| {
        c.guards.iter().find(|g| g.key == GuardKey::Epoch).expect("the epoch").version
    };
    let found = store.candidates(campaign_id(t, 1), NOW, 1).await.expect("found");
    let before = epoch_of(&found[0]);
    assert_eq!(store.suppress(t, &[prefix("1202555")], NOW).await.expect("listed").added, 1);
    let found = store.candidates(campaign_id(t, 1), NOW, 1).await.expect("found");
    assert_eq!((found[0].lists[0].any(), epoch_of(&found[0])), (true, before + 1));
    for wrong in ["", "+1202", "012", "12x"] {
        assert!(matches!(store.suppress(t, &[prefix(wrong)], NOW).await, Err(CatalogError::Invalid(_))), "{wrong}");
    }
}

/// Sums are the sums of the records, however they are grouped.
pub async fn reports_add_up<S: Store + Catalog>(store: &S) {
    let t = TenantId(50);
    seed(store, t, 3).await;
    settle(store, t, 0, Outcome::Busy).await;
    settle(store, t, 1, Outcome::Busy).await;
    settle(store, t, 2, Outcome::Machine).await;
    let groups = [
        GroupBy::Nothing,
        GroupBy::Campaign,
        GroupBy::Agent,
        GroupBy::CallerId,
        GroupBy::List,
        GroupBy::Hour,
        GroupBy::Day,
        GroupBy::HourOfDay,
        GroupBy::Verdict,
        GroupBy::Disposition,
    ];
    for group in groups {
        let ask = ReportAsk {
            from: NOW,
            until: NOW + Millis::from_days(1),
            campaign: None,
            agent: None,
            group,
            offset_s: 3600,
        };
        let rows = store.report(t, &ask).await.expect("a report");
        assert_eq!(rows.len(), 1, "{group:?}");
        let f = &rows[0].figures;
        assert_eq!((f.calls, f.answered, f.ring_ms, f.line_ms), (3, 3, 15_000, 165_000), "{group:?}");
        assert_eq!((f.outcomes["busy"], f.outcomes["machine"]), (2, 1));
        let key = &rows[0].key;
        let right = match group {
            GroupBy::CallerId => *key == ReportKey::CallerId(phone(90)),
            GroupBy::Campaign => *key == ReportKey::Campaign(campaign_id(t, 1)),
            GroupBy::List => *key == ReportKey::List(Some(Id::small(t, 7))),
            GroupBy::Hour => *key == ReportKey::Time(NOW),
            GroupBy::Day => *key == ReportKey::Time(NOW - Millis::from_hours(9)),
            GroupBy::HourOfDay => *key == ReportKey::HourOfDay(9),
            _ => true,
        };
        assert!(right, "{group:?} {key:?}");
    }
    let before = ReportAsk {
        from: Timestamp::EPOCH,
        until: NOW,
        campaign: None,
        agent: None,
        group: GroupBy::Nothing,
        offset_s: 0,
    };
    assert_eq!(store.report(t, &before).await.expect("a report"), []);
}

/// Documents are versioned, sounds immutable.
pub async fn documents_and_audio_keep_their_versions<S: Store + Catalog>(store: &S) {
    let t = TenantId(51);
    let doc = |n| Document { tenant: t, kind: "hook".into(), key: "a".into(), body: json!({ "n": n }), until: None };
    store.put_document(&Put { row: doc(1), expected: 0 }).await.expect("new");
    assert_eq!(store.put_document(&Put { row: doc(2), expected: 0 }).await, Err(CatalogError::Changed));
    store.put_document(&Put { row: doc(2), expected: 1 }).await.expect("changed");
    let found = store.document(t, "hook", "a").await.expect("there");
    assert_eq!((found.row, found.version), (doc(2), 2));
    assert_eq!(store.documents(t, "hook", &PageAsk::default()).await.expect("a page").items.len(), 1);
    assert_eq!(store.remove_document(t, "hook", "a", 1).await, Err(CatalogError::Changed));
    store.remove_document(t, "hook", "a", 2).await.expect("removed");
    let asset = AudioAsset {
        id: Id::small(t, 5),
        name: "hold".into(),
        mime: "audio/wav".into(),
        bytes: 3,
        sha256: "00".into(),
        added_at: NOW,
    };
    store.add_audio(&asset, b"abc").await.expect("added");
    assert_eq!(store.add_audio(&asset, b"xyz").await, Err(CatalogError::Changed));
    assert_eq!(store.audio(asset.id).await.expect("there"), (asset.clone(), b"abc".to_vec()));
    assert_eq!(store.audio_list(t, &PageAsk::default()).await.expect("a page").items, std::slice::from_ref(&asset));
    store.remove_audio(asset.id).await.expect("removed");
    assert_eq!(store.audio(asset.id).await.err(), Some(CatalogError::NotFound));
}

/// Entries of the audit log are numbered and stay.
pub async fn the_audit_log_only_grows<S: Store + Catalog>(store: &S) {
    let t = TenantId(52);
    for n in 0..3 {
        let entry = AuditEntry {
            tenant: t,
            n: 0,
            at: NOW,
            actor: if n == 1 { "key 7".into() } else { "user 1".into() },
            action: "campaign.start".into(),
            object: "c".into(),
            detail: json!({ "n": n }),
        };
        store.audit(&entry).await.expect("appended");
    }
    let all = store.audit_log(t, &AuditFilter::default(), &PageAsk::first(2)).await.expect("a page");
    assert_eq!(all.items.iter().map(|e| e.n).collect::<Vec<_>>(), [3, 2]);
    let rest = PageAsk { after: all.next, limit: 2 };
    let rest = store.audit_log(t, &AuditFilter::default(), &rest).await.expect("a page");
    assert_eq!(rest.items.iter().map(|e| e.n).collect::<Vec<_>>(), [1]);
    let filter = AuditFilter { actor: Some("key 7".into()), ..AuditFilter::default() };
    assert_eq!(store.audit_log(t, &filter, &PageAsk::default()).await.expect("a page").items.len(), 1);
}

/// Retention takes what is old enough and of its kind, and nothing that lives.
pub async fn retention_sweeps_and_spares<S: Store + Catalog>(store: &S) {
    let t = TenantId(53);
    seed(store, t, 3).await;
    settle(store, t, 0, Outcome::Busy).await;
    let (live, c) = dial(&lead(t, 1), 1, 1);
    commit(store, &c).await;
    let recording = Recording {
        call: call_id(t, 0),
        provider: "RE1".into(),
        location: "https://carrier.example/RE1".into(),
        length_ms: 1000,
        made_at: NOW,
    };
    store.put_recording(&recording).await.expect("kept");
    assert!(store.sweep(t, NOW + Millis::from_days(999), 100).await.expect("swept").is_empty(), "kept for ever");
    let mut tenant = store.tenant(t).await.expect("there");
    let day = Some(Millis::from_days(1));
    tenant.row.retention = Retention { recordings_ms: None, calls_ms: day, leads_ms: day };
    store.put_tenant(&Put { row: tenant.row, expected: tenant.version }).await.expect("set");
    assert!(store.sweep(t, NOW + Millis::from_hours(23), 100).await.expect("swept").is_empty());
    let swept = store.sweep(t, NOW + Millis::from_days(2), 100).await.expect("swept");
    assert_eq!((swept.leads, swept.calls), (1, 1));
    // A recording is not kept longer than its call, without which nobody could erase it.
    let swept = store.sweep(t, NOW + Millis::from_days(2), 100).await.expect("swept");
    assert_eq!(swept.recordings.iter().map(|r| &*r.provider).collect::<Vec<_>>(), ["RE1"]);
    store.remove_recording(call_id(t, 0), "RE1").await.expect("removed");
    assert!(store.sweep(t, NOW + Millis::from_days(2), 100).await.expect("swept").is_empty());
    assert!(store.call(live.id).await.is_ok());
    let view = store.campaign(campaign_id(t, 1)).await.expect("there");
    assert_eq!((view.leads.open, view.leads.calling, view.leads.closed), (1, 1, 0));
}

fn erasure(subject: Subject) -> Erasure {
    Erasure { subject, actor: "user 1".into(), at: NOW, keeps: vec![] }
}

/// Export tells all, erasure leaves statistics and the duty to suppress.
pub async fn a_person_can_be_exported_and_erased<S: Store + Catalog>(store: &S) {
    let t = TenantId(54);
    seed(store, t, 2).await;
    settle(store, t, 0, Outcome::Connected).await;
    let (live, c) = dial(&lead(t, 1), 1, 1);
    commit(store, &c).await;
    let subject = Subject::External("crm-0".into());
    let all = store.export_person(t, &subject).await.expect("exported");
    assert_eq!((all["leads"].as_array().map(Vec::len), all["records"].as_array().map(Vec::len)), (Some(1), Some(1)));
    assert!(all.to_string().contains("Lovelace 0"));
    let busy = store.erase(t, &erasure(Subject::Number(phone(1)))).await;
    assert_eq!(busy, Err(CatalogError::Changed), "a call to them lives");
    assert!(store.call(live.id).await.is_ok());
    let recording = |name: &str| Recording {
        call: call_id(t, 0),
        provider: name.into(),
        location: "https://carrier.example/RE".into(),
        length_ms: 1000,
        made_at: NOW,
    };
    store.put_recording(&recording("RE1")).await.expect("kept");
    let erased = store.erase(t, &erasure(subject.clone())).await.expect("erased");
    assert_eq!((erased.leads, erased.calls, erased.suppressed), (1, 1, 1));
    // One comes when the call is forgotten already: to be deleted like the other.
    store.put_recording(&recording("RE2")).await.expect("kept");
    assert_eq!(erased.recordings, ["RE1".into()]);
    assert_eq!(store.call_detail(call_id(t, 0)).await.expect("there").recordings, [], "nobody hears them again");
    // However long others are kept, even longer than since the beginning of time.
    let mut tenant = store.tenant(t).await.expect("there");
    tenant.row.retention.recordings_ms = Some(Millis::from_days(36_500));
    store.put_tenant(&Put { row: tenant.row, expected: tenant.version }).await.expect("set");
    let swept = store.sweep(t, NOW, 10).await.expect("swept").recordings;
    let found: Vec<_> = swept.iter().map(|r| (&*r.provider, r.location.expose().to_owned())).collect();
    let there = || "https://carrier.example/RE".to_owned();
    assert_eq!(found, [("RE1", there()), ("RE2", there())]);
    assert_eq!(store.erase(t, &erasure(subject.clone())).await, Err(CatalogError::NotFound));
    let left = store.export_person(t, &subject).await.expect("exported").to_string();
    assert!(!left.contains("Lovelace 0"), "{left}");
    assert!(store.suppressed(t, None, &[phone(0)], NOW).await.expect("checked")[0].any());
    let entry = store.suppressions(t, &PageAsk::default()).await.expect("a page").items.remove(0);
    assert_eq!(entry.target, None, "only a hash is left");
    let ask = ReportAsk {
        from: NOW,
        until: NOW + Millis::from_days(1),
        campaign: None,
        agent: None,
        group: GroupBy::Nothing,
        offset_s: 0,
    };
    assert_eq!(store.report(t, &ask).await.expect("a report")[0].figures.calls, 1, "figures stay");
    let detail = store.call_detail(call_id(t, 0)).await.expect("there");
    assert!(detail.call.row.plan.name.is_empty() && detail.call.row.plan.to != phone(0));
    let log = store.audit_log(t, &AuditFilter::default(), &PageAsk::default()).await.expect("a page");
    assert_eq!(&*log.items[0].action, "person.erase");
}

/// After a restore the erasures' tokens erase again, and twice does no harm.
pub async fn erasures_replay<S: Store + Catalog>(store: &S) {
    let t = TenantId(55);
    seed(store, t, 1).await;
    let erased = store.erase(t, &erasure(Subject::Number(phone(0)))).await.expect("erased");
    assert_eq!(
        store.erasures(t, &PageAsk::default()).await.expect("a page").items,
        std::slice::from_ref(&erased.token)
    );
    assert!(!erased.token.contains("2025550100"));
    // The back-up that is restored still has the person.
    let mut c = changes(t);
    c.leads.push(new(lead(t, 0)));
    commit(store, &c).await;
    assert_eq!(store.replay_erasure(t, &erased.token, NOW).await.expect("replayed").leads, 1);
    assert_eq!(store.replay_erasure(t, &erased.token, NOW).await.expect("replayed").leads, 0);
    assert!(matches!(store.replay_erasure(t, "nonsense", NOW).await, Err(CatalogError::Invalid(_))));
}

/// What a rule obliges to keep is locked away with its citation, and goes by itself at its end.
pub async fn what_must_be_kept_is_kept_and_then_goes<S: Store + Catalog>(store: &S) {
    let t = TenantId(56);
    seed(store, t, 1).await;
    settle(store, t, 0, Outcome::Connected).await;
    let keep = Keep { what: "calls".into(), citation: "16 CFR 310.5".into(), keep_ms: Millis::from_days(5 * 365) };
    let request = Erasure { keeps: vec![keep], ..erasure(Subject::Number(phone(0))) };
    let erased = store.erase(t, &request).await.expect("erased");
    assert_eq!((erased.kept.len(), erased.kept[0].rows), (1, 1));
    let until = erased.kept[0].until;
    let kept = store.kept(t, &PageAsk::default()).await.expect("a page").items;
    assert_eq!((kept.len(), kept[0]["citation"].as_str()), (1, Some("16 CFR 310.5")));
    assert_eq!(store.sweep(t, until - Millis::from_ms(1), 100).await.expect("swept").kept, 0);
    assert_eq!(store.sweep(t, until, 100).await.expect("swept").kept, 1);
    assert_eq!(store.kept(t, &PageAsk::default()).await.expect("a page").items.len(), 0);
}

/// Agents and pools are listed; only an agent who is offline and free can be removed.
pub async fn agents_and_pools_are_kept<S: Store + Catalog>(store: &S) {
    let t = TenantId(57);
    let mut c = changes(t);
    let mut off = agent(t, 2, NOW);
    off.status = autocall_core::agent::Status::Offline;
    c.agents.extend([new(agent(t, 1, NOW)), new(off.clone())]);
    commit(store, &c).await;
    let pools = store.pools(t).await.expect("pools");
    assert_eq!((pools.len(), pools[0].row.id), (1, pool(t)));
    let named = StoredPool { id: pool(t), name: "evening".into() };
    store.put_pool(&Put { row: named.clone(), expected: pools[0].version }).await.expect("named");
    assert_eq!(store.pools(t).await.expect("pools")[0].row, named);
    let page = store.agents(t, Some(pool(t)), &PageAsk::default()).await.expect("a page");
    assert_eq!(page.items.iter().map(|a| a.row.id).collect::<Vec<_>>(), [agent_id(t, 1), agent_id(t, 2)]);
    assert_eq!(Roster::agent(store, agent_id(t, 2)).await.expect("there").row, off);
    assert_eq!(store.remove_agent(agent_id(t, 1), 1).await, Err(CatalogError::Changed));
    store.remove_agent(agent_id(t, 2), 1).await.expect("removed");
    assert_eq!(store.remove_agent(agent_id(t, 2), 1).await, Err(CatalogError::NotFound));
}

/// Keys rotate while everything stays readable and findable.
pub async fn keys_rotate<S: Store + Catalog>(store: &S) {
    let t = TenantId(58);
    seed(store, t, 0).await;
    store.add_leads(&batch(t, (0..20).map(|n| lead(t, n)).collect())).await.expect("added");
    store.rotate_key(t, Timestamp::EPOCH).await.expect("rotated");
    let (mut after, mut rounds) = (None, 0);
    loop {
        after = store.reseal(t, after, 8).await.expect("resealed");
        rounds += 1;
        if after.is_none() {
            break;
        }
    }
    assert!(rounds > 3, "20 leads and a campaign in batches of 8: {rounds}");
    let f = LeadFilter { phone: Some(phone(7)), ..LeadFilter::default() };
    assert_eq!(store.leads(t, &f, &PageAsk::default()).await.expect("a page").items[0].row, lead(t, 7));
    assert_eq!(*store.campaign(campaign_id(t, 1)).await.expect("there").campaign.row, campaign(t, 1));
}

/// Logins, keys and names are found without a tenant; names are taken once.
pub async fn the_directory_finds_before_the_tenant_is_known<S: Store + Catalog + Directory>(store: &S) {
    let one = store.name_tenant("acme-roofs", NOW).await.expect("named");
    let two = store.name_tenant("acme-solar", NOW).await.expect("named");
    assert_ne!(one, two);
    assert_eq!(store.name_tenant("acme-roofs", NOW).await, Err(CatalogError::Changed));
    assert_eq!(store.tenant_named("acme-solar").await, Ok(Some(two)));
    assert_eq!(store.tenant_named("nobody").await, Ok(None));
    let entry = |name: &str, until| Entry {
        kind: EntryKind::Key,
        name: name.into(),
        tenant: one,
        body: json!({ "scopes": ["read"] }),
        until,
    };
    store.put_entry(&Put { row: entry("hash-1", None), expected: 0 }).await.expect("new");
    assert_eq!(store.put_entry(&Put { row: entry("hash-1", None), expected: 0 }).await, Err(CatalogError::Changed));
    let end = NOW + Millis::from_secs(1);
    store.put_entry(&Put { row: entry("hash-2", Some(end)), expected: 0 }).await.expect("new");
    let found = store.entry(EntryKind::Key, "hash-2", NOW).await.expect("looked").expect("there");
    assert_eq!((found.row.tenant, found.version), (one, 1));
    assert_eq!(store.entry(EntryKind::Key, "hash-2", end).await, Ok(None), "its time is over");
    assert_eq!(store.entry(EntryKind::User, "hash-1", NOW).await, Ok(None), "another kind");
    assert_eq!(store.entries(one, EntryKind::Key, &PageAsk::default()).await.expect("a page").items.len(), 2);
    assert_eq!(store.entries(two, EntryKind::Key, &PageAsk::default()).await.expect("a page").items.len(), 0);
    assert!(store.sweep_entries(end, 100).await.expect("swept") >= 1);
    store.remove_entry(EntryKind::Key, "hash-1").await.expect("removed");
    assert_eq!(store.remove_entry(EntryKind::Key, "hash-1").await, Err(CatalogError::NotFound));
}

/// What one tenant has, another cannot find through any method.
pub async fn no_catalog_method_crosses_tenants<S: Store + Catalog>(store: &S) {
    let (a, b) = (TenantId(59), TenantId(60));
    seed(store, a, 2).await;
    settle(store, a, 0, Outcome::Busy).await;
    store.suppress(a, &[number(1)], NOW).await.expect("listed");
    let mut c = changes(a);
    c.agents.push(new(agent(a, 1, NOW)));
    commit(store, &c).await;
    let page = PageAsk::default();
    assert!(store.campaigns(b, None, &page).await.expect("a page").items.is_empty());
    assert_eq!(store.campaign_item(campaign_id(b, 1)).await.err(), Some(CatalogError::NotFound));
    assert!(store.leads(b, &LeadFilter::default(), &page).await.expect("a page").items.is_empty());
    let smuggled = LeadFilter { campaign: Some(campaign_id(a, 1)), phone: Some(phone(1)), ..LeadFilter::default() };
    assert!(store.leads(b, &smuggled, &page).await.expect("a page").items.is_empty());
    assert_eq!(LeadBook::lead(store, lead_id(b, 1)).await.err(), Some(CatalogError::NotFound));
    assert_eq!(store.known_numbers(campaign_id(b, 1), &[phone(1)]).await, Ok(vec![false]));
    assert!(store.calls(b, &CallFilter::default(), &page).await.expect("a page").items.is_empty());
    assert_eq!(store.call_detail(call_id(b, 0)).await.err(), Some(CatalogError::NotFound));
    assert!(store.feed(b, 0, 100).await.expect("the feed").is_empty());
    assert!(store.agents(b, None, &page).await.expect("a page").items.is_empty());
    assert!(store.pools(b).await.expect("pools").is_empty());
    assert!(!store.suppressed(b, None, &[phone(1)], NOW).await.expect("checked")[0].any());
    assert!(store.suppressions(b, &page).await.expect("a page").items.is_empty());
    let ask = ReportAsk {
        from: NOW,
        until: NOW + Millis::from_days(1),
        campaign: None,
        agent: None,
        group: GroupBy::Nothing,
        offset_s: 0,
    };
    assert!(store.report(b, &ask).await.expect("a report").is_empty());
    for part in ExportPart::ALL {
        if part != ExportPart::Tenant {
            assert!(store.export_tenant(b, part, &page).await.expect("a page").items.is_empty(), "{part:?}");
        }
    }
    let nobody = store.erase(b, &erasure(Subject::Lead(lead_id(b, 0)))).await;
    assert_eq!(nobody, Err(CatalogError::NotFound));
    assert_eq!(store.redate(b, None, "any", NOW, 10).await, Ok(0));
    assert!(LeadBook::lead(store, lead_id(a, 0)).await.is_ok());
}

/// Listing a prefix ends the calls to its numbers that live, as listing each number would.
pub async fn a_prefix_ends_live_calls<S: Store + Catalog>(store: &S) {
    let t = TenantId(64);
    let leads = seed(store, t, 2).await;
    let mut calls = Vec::new();
    for (n, row) in leads.iter().enumerate() {
        let (call, mut c) = dial(row, 1, n as u128 + 1);
        let key = GuardKey::Number(row.numbers[0].phone);
        let number = autocall_core::ports::NumberGuard { live: Some(call.id), ..Default::default() };
        let value = autocall_core::ports::GuardValue::Number(number);
        c.guards.push(new(autocall_core::ports::Guard { value, ..autocall_core::ports::Guard::fresh(t, key) }));
        commit(store, &c).await;
        calls.push(call.id);
    }
    let entry = Suppression {
        target: SuppressTarget::Prefix(leads[1].numbers[0].phone.digits().to_string().into()),
        campaign: None,
        reason: "test".into(),
        source: "test".into(),
        until: None,
    };
    let done = store.suppress(t, &[entry], NOW).await.expect("listed");
    assert_eq!((done.added, done.live), (1, vec![calls[1]]));
    let snapshot = store.call(calls[1]).await.expect("there");
    let marked = |g: &autocall_core::ports::Guard| matches!(&g.value, autocall_core::ports::GuardValue::Number(n) if n.stop == Some(calls[1]));
    assert!(snapshot.guards.iter().any(marked), "whoever looks next ends it");
}

/// The counters of leads that commits, imports, re-dating and erasure move equal a full recount,
/// and a recount finds nothing wrong.
pub async fn counters_equal_a_recount<S: Store + Catalog>(store: &S) {
    use autocall_core::lead::LeadEvent;
    use autocall_core::planning::funnel::Funnel;
    use autocall_core::settings::Settings;
    let t = TenantId(63);
    seed(store, t, 6).await;
    let id = campaign_id(t, 1);
    let denied = |n: u128, rule: &str, until: Timestamp| {
        let mut row = lead(t, n);
        row.handle(&LeadEvent::Denied { rule: rule.into(), until }, &Settings::default(), NOW);
        row
    };
    let mut c = changes(t);
    c.leads.push(at(denied(0, "us.tsr.hours", NOW + Millis::from_hours(9)), 1));
    c.leads.push(at(denied(1, "us.tsr.hours", NOW + Millis::from_hours(9)), 1));
    c.leads.push(at(denied(2, "house.revoked", Timestamp::NEVER), 1));
    c.leads.push(at(denied(3, "do_not_call_tenant", Timestamp::NEVER), 1));
    let mut parked = lead(t, 4);
    parked.filed.parked = true;
    c.leads.push(at(parked, 1));
    commit(store, &c).await;
    let (_, c) = dial(&lead(t, 5), 1, 1);
    commit(store, &c).await;
    let mut fresh = lead(t, 20);
    fresh.due_at = Timestamp::EPOCH;
    let batch = LeadBatch { campaign: id, leads: vec![fresh, lead(t, 21)], step: None, at: NOW };
    store.add_leads(&batch).await.expect("added");
    assert_eq!(store.redate(t, Some(id), "us.tsr.hours", NOW, 1).await, Ok(1));
    let whom = Subject::Lead(lead_id(t, 21));
    store.erase(t, &erasure(whom)).await.expect("erased");

    let (filter, ask) = (LeadFilter { campaign: Some(id), ..LeadFilter::default() }, PageAsk::first(100));
    let page = store.leads(t, &filter, &ask);
    let rows: Vec<_> = page.await.expect("leads").items.into_iter().map(|l| l.row).collect();
    let kept = store.funnel(id).await.expect("counted");
    assert_eq!(kept.counts(), Funnel::recount(&rows, NOW).counts());
    assert_eq!(kept.as_of, NOW);
    let report = kept.report(NOW);
    assert_eq!((report.now, report.filtered, report.calling, report.closed["do_not_call"]), (1, 1, 1, 1), "{report:?}");
    let done = store.recount(id, NOW).await.expect("recounted");
    assert_eq!((done.wrong, done.kept.counts()), (0, done.counted.counts()));
    assert_eq!(done.counted.counts(), kept.counts());
    assert!(matches!(store.funnel(campaign_id(t, 9)).await, Err(CatalogError::NotFound)));
}
