//! The golden transition tables of every machine. They are the documentation too: `docs/call.md`,
//! `docs/transfer.md`, `docs/amd.md`, `docs/lead.md`, `docs/agent.md`, `docs/campaign.md`.
//!
//! Each table runs the real machine over representative states and every event. A change of
//! behaviour shows as a changed line; `cargo xtask docs` writes the new tables.

// The comparison itself is the testkit's; the core's own tests cannot depend on it, so that planted
// bugs in the machines are judged without building the rest.
#[path = "../../autocall-testkit/src/golden.rs"]
#[allow(dead_code, unreachable_pub, clippy::disallowed_methods, reason = "the whole file is the testkit's")]
mod golden;

#[path = "shared/plan.rs"]
mod plan;

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
    golden::check("docs/call.md", &calls::call_page());
}

#[test]
fn golden_transfer() {
    golden::check("docs/transfer.md", &calls::transfer_page());
}

#[test]
fn golden_amd() {
    golden::check("docs/amd.md", &calls::amd_page());
}

#[test]
fn golden_lead() {
    golden::check("docs/lead.md", &leads::page());
}

#[test]
fn golden_agent() {
    golden::check("docs/agent.md", &agents::page());
}

#[test]
fn golden_campaign() {
    golden::check("docs/campaign.md", &campaigns::page());
}
