//! The judge: the carrier's own log against what the store says.

use crate::scene::{Exchange, TENANT, campaign};
use autocall_core::agent::State;
use autocall_core::call::Record;
use autocall_core::ports::catalog::{CallBook, CallFilter, FeedEvent, PageAsk, Roster};
use autocall_core::ports::{Line, Store};
use autocall_core::{LegId, Outcome};
use autocall_store_postgres::PostgresStore;
use std::collections::{BTreeMap, BTreeSet};

/// Whether leads are still to be called.
pub(crate) async fn is_at_work(store: &PostgresStore) -> bool {
    store.campaign(campaign()).await.is_ok_and(|v| v.leads.open > 0)
}

/// Whether everything has come to rest; otherwise how many leads are closed, and what has not.
pub(crate) async fn is_over(store: &PostgresStore, n: u64) -> Result<(), (i64, String)> {
    let view = store.campaign(campaign()).await.map_err(|e| (0, e.to_string()))?;
    let agents = store.agents(TENANT, None, &PageAsk::first(500)).await.map_err(|e| (0, e.to_string()))?;
    let busy = agents.items.iter().filter(|a| a.row.state != State::Idle).count();
    let rest = view.leads.open == 0 && view.leads.calling == 0 && view.leads.closed == n as i64;
    if rest && view.load.live() == 0 && busy == 0 {
        return Ok(());
    }
    Err((view.leads.closed, format!("{:?}, {:?}, {busy} agents busy", view.leads, view.load)))
}

async fn records(store: &PostgresStore) -> Vec<Record> {
    let (mut place, mut all) = (0, Vec::new());
    loop {
        let items = store.feed(TENANT, place, 1000).await.expect("the feed");
        let Some(last) = items.last() else { return all };
        place = last.place;
        all.extend(items.into_iter().filter_map(|item| match item.event {
            FeedEvent::Settled(record) => Some(*record),
            _ => None,
        }));
    }
}

/// Judges a campaign that has come to rest. What it was like, in words.
pub(crate) async fn judge(store: &PostgresStore, exchange: &Exchange, n: u64) -> String {
    let log = exchange.log();
    let mut lines = BTreeSet::new();
    for placed in &log {
        assert!(lines.insert(placed.line), "dialled twice: {}", placed.line);
    }
    let mut by_number: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for placed in &log {
        if let Some(to) = placed.to {
            by_number.entry(to).or_default().push(placed);
        }
    }
    for attempts in by_number.values() {
        for pair in attempts.windows(2) {
            let ended = pair[0].ended_at.unwrap_or(exchange.now());
            assert!(pair[1].at >= ended, "{} was dialled while {} lived", pair[1].line, pair[0].line);
        }
    }
    let records = records(store).await;
    let mut settled = BTreeSet::new();
    let mut leads = BTreeSet::new();
    for record in &records {
        assert!(settled.insert(record.call), "settled twice: {}", record.call);
        leads.insert(record.lead);
    }
    assert_eq!(leads.len() as u64, n, "every lead has a call");
    let dialled = |line: &Line| match line {
        Line::Leg(leg) => Some(leg.call),
        Line::Station(_) => None,
    };
    for call in lines.iter().filter_map(dialled) {
        assert!(settled.contains(&call), "no record knows of {call}, which was dialled");
    }
    // A call that settled without a dial is one whose node died before it dialled: looked up, lost.
    let customers: BTreeSet<_> = log
        .iter()
        .filter_map(|p| match p.line {
            Line::Leg(leg) if leg.leg == LegId::CUSTOMER => Some(leg.call),
            _ => None,
        })
        .collect();
    for record in records.iter().filter(|r| !customers.contains(&r.call)) {
        let never = matches!(record.outcome, Outcome::Lost | Outcome::Canceled) || record.answered_at.is_none();
        assert!(never, "{} says {} and was never dialled", record.call, record.outcome.name());
    }
    let live = CallFilter { live: Some(true), ..CallFilter::default() };
    let live = store.calls(TENANT, &live, &PageAsk::default()).await.expect("a page").items;
    assert!(live.is_empty(), "calls that never settle: {live:?}");
    let up: Vec<Line> = exchange.live();
    assert!(up.is_empty(), "still up at the carrier: {up:?}");
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for record in &records {
        *outcomes.entry(record.outcome.name()).or_default() += 1;
    }
    format!(
        "{n} leads, {} dials in the carrier's log, {} calls settled, {} never dialled, {outcomes:?}",
        log.len(),
        records.len(),
        records.len() - customers.len()
    )
}
