//! Upkeep: what no longer may be kept goes, in bounded steps.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use autocall_core::TenantId;
use autocall_core::ports::catalog::{CatalogError, PageAsk, Recording};
use std::collections::BTreeSet;
use std::time::Duration;

/// Runs upkeep until the server stops: every ten minutes, tenant after tenant.
pub async fn run(app: App) {
    let mut pause = tokio::time::interval(Duration::from_secs(600));
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            _ = pause.tick() => {}
        }
        if let Err(problem) = round(&app).await {
            tracing::warn!(problem = %problem.title, "upkeep");
        }
    }
}

async fn round(app: &App) -> Answer<()> {
    let now = app.clock.now();
    keep_partitions(app, now).await;
    while app.directory.sweep_entries(app.wall.now(), 1000).await? > 0 && !app.stopping.is_cancelled() {}
    let mut ask = PageAsk::first(100);
    loop {
        let page = app.directory.tenant_names(&ask).await?;
        for tenant in &page.items {
            // One tenant's trouble is not the others'.
            if let Err(problem) = self::tenant(app, tenant.tenant).await {
                tracing::warn!(tenant = %tenant.tenant, problem = %problem.title, "upkeep of a tenant");
            }
        }
        match page.next {
            Some(next) if !app.stopping.is_cancelled() => ask.after = Some(next),
            _ => return Ok(()),
        }
    }
}

/// Makes the months ahead in which calls and records are kept. Nothing is dropped here: retention
/// sweeps row by row, and whole months are the operator's decision.
async fn keep_partitions(app: &App, now: autocall_core::Timestamp) {
    use secrecy::ExposeSecret as _;
    let crate::config::StoreChoice::Postgres(url) = &app.config.store else { return };
    if let Err(error) = autocall_store_postgres::keep_partitions(url.expose_secret(), now, None).await {
        tracing::warn!(%error, "the next months' partitions could not be made");
    }
}

async fn tenant(app: &App, tenant: TenantId) -> Answer<()> {
    super::refile::follow_rules(app, tenant).await?;
    super::refile::run(app, tenant).await?;
    super::refile::recount(app, tenant).await?;
    let mut kept = BTreeSet::new();
    for _ in 0..1000 {
        // In real time, in which sessions and idempotency keys live; a trial's own rows only stay longer.
        let swept = app.catalog.sweep(tenant, app.wall.now(), 500).await?;
        let mut forgotten = 0;
        for recording in swept.recordings {
            if kept.contains(&recording.provider) {
                continue;
            }
            if forget(app, &recording).await? {
                forgotten += 1;
            } else {
                // Asking again at once would be asking in vain; the next round does.
                kept.insert(recording.provider);
            }
        }
        let progress = forgotten + swept.leads + swept.calls + swept.kept + swept.documents;
        if progress == 0 || app.stopping.is_cancelled() {
            break;
        }
    }
    Ok(())
}

/// Has a recording deleted at the carrier and forgets it then. `false` if it is not deleted yet.
async fn forget(app: &App, recording: &Recording) -> Result<bool, Problem> {
    if app.desk.delete(recording).await.is_err() {
        tracing::warn!(call = %recording.call, "a recording cannot be deleted at the carrier yet; the next round tries again");
        return Ok(false);
    }
    match app.catalog.remove_recording(recording.call, &recording.provider).await {
        // Another node was faster.
        Ok(()) | Err(CatalogError::NotFound) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
