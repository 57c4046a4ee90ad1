//! The sample tenant's agents and campaign.

use crate::app::App;
use crate::carrier::simulated::CONSOLE_PHONE;
use crate::http::problem::Answer;
use autocall_core::agent::{Address, Agent, AgentEvent, Status};
use autocall_core::campaign::Campaign;
use autocall_core::ports::catalog::StoredPool;
use autocall_core::ports::{Changes, Put};
use autocall_core::script::Audio;
use autocall_core::settings::Settings;
use autocall_core::{AgentId, CampaignId, Phone, PoolId, Private, TenantId};

/// Simulated agents.
const AGENTS: u64 = 4;

/// Makes a pool, agents who are available, and a campaign that can start. Returns the agent that
/// the owner works as: their softphone is simulated, accepting is theirs.
pub async fn fill(app: &App, tenant: TenantId) -> Answer<AgentId> {
    let pool = StoredPool { id: app.new_id(tenant), name: "Agents".into() };
    app.catalog.put_pool(&Put { row: pool.clone(), expected: 0 }).await?;
    let now = app.clock.now();
    let mut changes = Changes::new(tenant, now);
    for n in 0..AGENTS {
        let phone = Phone::from_digits(12_025_550_101 + n).map_or(Address::Client("agent".into()), Address::Phone);
        let mut agent = Agent::new(app.new_id(tenant), pool.id, Private::new(format!("Agent {}", n + 1)), phone, now);
        agent.handle(&AgentEvent::Status(Status::Available), now);
        changes.agents.push(Put { row: agent, expected: 0 });
    }
    let you: AgentId = app.new_id(tenant);
    let address = Address::Client(Private::new(format!("{CONSOLE_PHONE}_owner")));
    changes.agents.push(Put { row: Agent::new(you, pool.id, "You".into(), address, now), expected: 0 });
    let campaign: CampaignId = app.new_id(tenant);
    changes.campaigns.push(Put { row: Campaign::new(campaign, "Sample campaign", settings(pool.id)), expected: 0 });
    app.store.commit(&changes).await?;
    Ok(you)
}

/// Settings with which a campaign can start.
pub fn settings(pool: PoolId) -> Settings {
    let mut settings = Settings::default();
    settings.seller.name = "Sample Seller".into();
    settings.seller.phone = Phone::from_e164("+12025550100");
    settings.caller_ids = Phone::from_e164("+12025550100").into_iter().collect();
    settings.transfer.pools = vec![pool];
    settings.caps.calls_per_second_max = 5.0;
    settings.abandonment = Some(Audio::say(
        "This is Sample Seller. We are sorry, nobody is free. Call us at 202 555 0100, or press 9 not to be called again.",
    ));
    settings
}
