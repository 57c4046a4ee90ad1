//! Refiling: after a change of a campaign's filter, quotas or order its leads get their places
//! anew, in bounded steps that a crash does not lose. And the nightly recount of the funnel.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use autocall_core::campaign::Campaign;
use autocall_core::planning::filing::Filing;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{CatalogError, Cursor, Document, LeadFilter, LeadPhase, PageAsk};
use autocall_core::settings::Settings;
use autocall_core::{CampaignId, Id, TenantId};
use std::sync::Arc;

/// The kind of the marks on campaigns whose leads are being refiled: how far it has got.
const REFILE: &str = "refile";
/// The kind of the marks that say when a campaign was last recounted.
const RECOUNT: &str = "recount";

/// A campaign and what gives its leads their places. Settings whose expressions do not compile (a
/// draft's may not) file everybody in the order of their coming.
pub async fn filing(app: &App, campaign: CampaignId) -> Answer<(Arc<Campaign>, Filing)> {
    let row = app.catalog.campaign_item(campaign).await?.campaign.row;
    let filing = Filing::of(&row.settings).or_else(|_| Filing::of(&Settings::default()));
    Ok((row, filing.map_err(|_| Problem::internal("the default settings do not compile"))?))
}

/// Whether the change of settings moves leads.
pub fn moves(before: &Settings, after: &Settings) -> bool {
    before.filter != after.filter
        || before.quotas != after.quotas
        || before.order != after.order
        || before.list_weights != after.list_weights
        || before.rules != after.rules
        || before.purpose != after.purpose
        || before.subject != after.subject
        || before.schedule != after.schedule
}

/// Has a campaign's leads refiled from the first one on.
pub async fn ask(app: &App, campaign: CampaignId) -> Answer<()> {
    let tenant = campaign.tenant();
    let key: Arc<str> = campaign.key().simple().to_string().into();
    for _ in 0..8 {
        let expected = match app.catalog.document(tenant, REFILE, &key).await {
            Ok(found) => found.version,
            Err(CatalogError::NotFound) => 0,
            Err(error) => return Err(error.into()),
        };
        let row = Document { tenant, kind: REFILE.into(), key: key.clone(), body: serde_json::json!({}), until: None };
        match app.catalog.put_document(&Put { row, expected }).await {
            Ok(()) => {
                let app = app.clone();
                app.clone().background.spawn(async move {
                    if let Err(problem) = run(&app, tenant).await {
                        tracing::warn!(problem = %problem.title, "refiling is taken up later");
                    }
                });
                return Ok(());
            }
            Err(CatalogError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable())
}

/// Goes on with whatever refiling of a tenant is not done.
pub async fn run(app: &App, tenant: TenantId) -> Answer<()> {
    for mark in crate::views::documents(app, tenant, REFILE).await? {
        let Ok(key) = uuid::Uuid::try_parse(&mark.row.key) else { continue };
        one(app, Id::new(tenant, key)).await?;
    }
    Ok(())
}

async fn one(app: &App, campaign: CampaignId) -> Answer<()> {
    let tenant = campaign.tenant();
    let key = campaign.key().simple().to_string();
    let filter = LeadFilter { campaign: Some(campaign), phase: Some(LeadPhase::Open), ..LeadFilter::default() };
    while !app.stopping.is_cancelled() {
        let mut mark = match app.catalog.document(tenant, REFILE, &key).await {
            Ok(mark) => mark,
            // Another node has done it.
            Err(CatalogError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let after = mark.row.body.get("after").and_then(|a| a.as_str()).map(|a| Cursor(a.to_owned()));
        let page = app.catalog.leads(tenant, &filter, &PageAsk { after, limit: 500 }).await?;
        let row = app.catalog.campaign_item(campaign).await?.campaign.row;
        app.engine.refile(page.items, &row).await?;
        let put = match page.next {
            None => app.catalog.remove_document(tenant, REFILE, &key, mark.version).await,
            Some(next) => {
                mark.row.body = serde_json::json!({ "after": next.0 });
                app.catalog.put_document(&Put { row: mark.row, expected: mark.version }).await
            }
        };
        match put {
            // Somebody asked anew, or another node was quicker: go by the mark as it is now.
            Ok(()) | Err(CatalogError::Changed | CatalogError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Recounts the leads of every campaign of a tenant that was not recounted within a day.
pub async fn recount(app: &App, tenant: TenantId) -> Answer<()> {
    let mut ask = PageAsk::first(100);
    loop {
        let page = app.catalog.campaigns(tenant, None, &ask).await?;
        for item in &page.items {
            if app.stopping.is_cancelled() {
                return Ok(());
            }
            recount_one(app, item.campaign.row.id).await?;
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn recount_one(app: &App, campaign: CampaignId) -> Answer<()> {
    let (tenant, now) = (campaign.tenant(), app.clock.now());
    let key: Arc<str> = campaign.key().simple().to_string().into();
    match app.catalog.document(tenant, RECOUNT, &key).await {
        Ok(_) => return Ok(()),
        Err(CatalogError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    // The mark goes by itself after a day; whoever sets it recounts.
    let until = Some(now + autocall_core::Millis::from_days(1));
    let row = Document { tenant, kind: RECOUNT.into(), key, body: serde_json::json!({}), until };
    match app.catalog.put_document(&Put { row, expected: 0 }).await {
        Ok(()) => {}
        Err(CatalogError::Changed) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let done = app.catalog.recount(campaign, now).await?;
    if done.wrong > 0 {
        tracing::error!(campaign = %campaign, wrong = done.wrong, "counters of leads were wrong and are right now");
        crate::ops::metrics::count("autocall_counters_wrong_total", u64::from(done.wrong));
    }
    Ok(())
}

/// A registry's copy is in force: leads that these rules kept waiting for it are looked at again, in
/// bounded steps, tenant after tenant.
pub async fn copy_came(app: &App, rules: &[String]) -> Answer<()> {
    let mut ask = PageAsk::first(100);
    loop {
        let page = app.directory.tenant_names(&ask).await?;
        for tenant in &page.items {
            for rule in rules {
                while !app.stopping.is_cancelled()
                    && app.catalog.redate(tenant.tenant, None, rule, app.clock.now(), 1_000).await? > 0
                {
                    tokio::task::yield_now().await;
                }
            }
        }
        match page.next {
            Some(next) if !app.stopping.is_cancelled() => ask.after = Some(next),
            _ => return Ok(()),
        }
    }
}

/// The kind of the mark that says under which rules a tenant's leads were filed.
const RULES: &str = "rules-print";

/// Has the leads of a tenant refiled if the rules are others than when they were filed: a new
/// version of a pack, or an overlay that changed, may allow what the old one denied.
pub async fn follow_rules(app: &App, tenant: TenantId) -> Answer<()> {
    let print = app.law.print();
    let mark = crate::views::document(app, tenant, RULES, "all").await?;
    if mark.as_ref().is_some_and(|m| m.row.body.get("print").and_then(|p| p.as_str()) == Some(print.as_str())) {
        return Ok(());
    }
    let mut ask_for = PageAsk::first(100);
    loop {
        let page = app.catalog.campaigns(tenant, None, &ask_for).await?;
        for item in &page.items {
            let campaign = &item.campaign.row;
            if campaign.state != autocall_core::campaign::State::Finished && item.leads.open > 0 {
                ask(app, campaign.id).await?;
            }
        }
        match page.next {
            Some(next) => ask_for.after = Some(next),
            None => break,
        }
    }
    let body = serde_json::json!({ "print": print });
    let row = Document { tenant, kind: RULES.into(), key: "all".into(), body, until: None };
    match app.catalog.put_document(&Put { row, expected: mark.map_or(0, |m| m.version) }).await {
        Ok(()) | Err(CatalogError::Changed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
