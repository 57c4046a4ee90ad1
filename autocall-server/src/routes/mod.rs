//! Every route, one module per resource. Routes translate; the crates decide.

pub mod agents;
pub mod audio;
pub mod audit;
pub mod auth;
pub mod calls;
pub mod campaigns;
pub mod carrier;
pub mod consents;
pub mod console;
pub mod cost;
pub mod events;
pub mod export;
pub mod hooks;
pub mod keys;
pub mod leads;
pub mod lists;
pub mod me;
pub mod numbers;
pub mod pages;
pub mod pins;
pub mod plan;
pub mod pools;
pub mod privacy;
pub mod recordings;
pub mod reports;
pub mod supervise;
pub mod system;
pub mod tenant;
pub mod uploads;
pub mod users;

use crate::app::App;
use crate::http::problem::Answer;
use crate::http::table::Table;
use crate::identity::Principal;
use autocall_core::ports::catalog::AuditEntry;

/// The route table.
pub fn table() -> Table {
    let mut table = Table::default();
    for add in [
        auth::routes,
        me::routes,
        campaigns::routes,
        plan::routes,
        cost::routes,
        leads::routes,
        uploads::routes,
        consents::routes,
        calls::routes,
        console::routes,
        supervise::routes,
        agents::routes,
        pins::routes,
        pools::routes,
        lists::routes,
        audio::routes,
        numbers::routes,
        recordings::routes,
        reports::routes,
        export::routes,
        events::routes,
        hooks::routes,
        users::routes,
        keys::routes,
        tenant::routes,
        carrier::routes,
        privacy::routes,
        audit::routes,
        system::routes,
        pages::routes,
    ] {
        add(&mut table);
    }
    table
}

/// Writes who did what into the audit log. It was done already: a log that is away for a moment is
/// tried again in the background, and does not make a success look like a failure.
pub(crate) async fn note(
    app: &App,
    who: &Principal,
    action: &'static str,
    object: impl std::fmt::Display,
    detail: serde_json::Value,
) -> Answer<()> {
    let entry = entry(app, who, action, object, detail);
    if app.catalog.audit(&entry).await.is_err() {
        let app = app.clone();
        app.clone().background.spawn(async move {
            for pause in [1u64, 2, 4, 8, 16, 32] {
                tokio::time::sleep(std::time::Duration::from_secs(pause)).await;
                if app.catalog.audit(&entry).await.is_ok() {
                    return;
                }
            }
            tracing::error!(action, "an entry of the audit log was lost");
        });
    }
    Ok(())
}

/// The same before something that must not happen unseen: where it cannot be written, it does not
/// happen.
pub(crate) async fn note_first(
    app: &App,
    who: &Principal,
    action: &'static str,
    object: impl std::fmt::Display,
    detail: serde_json::Value,
) -> Answer<()> {
    Ok(app.catalog.audit(&entry(app, who, action, object, detail)).await?)
}

fn entry(
    app: &App,
    who: &Principal,
    action: &'static str,
    object: impl std::fmt::Display,
    detail: serde_json::Value,
) -> AuditEntry {
    AuditEntry {
        tenant: who.tenant,
        n: 0,
        at: app.clock.now(),
        actor: who.actor.to_string().into(),
        action: action.into(),
        object: object.to_string().into(),
        detail,
    }
}
