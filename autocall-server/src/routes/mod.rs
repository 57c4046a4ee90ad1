//! Every route, one module per resource. Routes translate; the crates decide.

pub mod agents;
pub mod audio;
pub mod audit;
pub mod auth;
pub mod calls;
pub mod campaigns;
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
        privacy::routes,
        audit::routes,
        system::routes,
    ] {
        add(&mut table);
    }
    table
}

/// Writes who did what into the audit log.
pub(crate) async fn note(
    app: &App,
    who: &Principal,
    action: &'static str,
    object: impl std::fmt::Display,
    detail: serde_json::Value,
) -> Answer<()> {
    let entry = AuditEntry {
        tenant: who.tenant,
        n: 0,
        at: app.clock.now(),
        actor: who.actor.to_string().into(),
        action: action.into(),
        object: object.to_string().into(),
        detail,
    };
    Ok(app.catalog.audit(&entry).await?)
}
