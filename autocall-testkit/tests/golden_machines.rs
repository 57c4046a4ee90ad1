//! The golden transition tables of every machine. They are the documentation too: `docs/call.md`,
//! `docs/transfer.md`, `docs/amd.md`, `docs/lead.md`, `docs/agent.md`, `docs/campaign.md`.
//!
//! Each table runs the real machine over representative states and every event. A change of
//! behaviour shows as a changed line; `cargo xtask docs` writes the new tables.

mod machines {
    pub(crate) mod agents;
    pub(crate) mod calls;
    pub(crate) mod campaigns;
    pub(crate) mod leads;
    pub(crate) mod table;
}

use machines::{agents, calls, campaigns, leads};

#[test]
fn golden_call() {
    autocall_testkit::golden::check("docs/call.md", &calls::call_page());
}

#[test]
fn golden_transfer() {
    autocall_testkit::golden::check("docs/transfer.md", &calls::transfer_page());
}

#[test]
fn golden_amd() {
    autocall_testkit::golden::check("docs/amd.md", &calls::amd_page());
}

#[test]
fn golden_lead() {
    autocall_testkit::golden::check("docs/lead.md", &leads::page());
}

#[test]
fn golden_agent() {
    autocall_testkit::golden::check("docs/agent.md", &agents::page());
}

#[test]
fn golden_campaign() {
    autocall_testkit::golden::check("docs/campaign.md", &campaigns::page());
}
