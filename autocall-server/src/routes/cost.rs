//! What calling costs: an estimate before a campaign starts, what was spent after, and the budget.
//!
//! Amounts are millionths of the currency of the campaign's price book (`settings.cost`).

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use autocall_core::CampaignId;
use autocall_core::cost::{self, Assumptions};
use autocall_core::ports::catalog::{CampaignItem, PageAsk};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get(
            "/api/campaigns/{id}/cost",
            Rule::Needs(Right::CampaignsRead),
            "What a campaign has spent, and what its budget still allows.",
            of_campaign,
        )
        .gives::<Cost>(200);
    table
        .post(
            "/api/campaigns/{id}/estimate",
            Rule::Needs(Right::CampaignsRead),
            "What calling the campaign's leads will cost, as far as assumptions hold.",
            estimate,
        )
        .takes::<Ask>()
        .gives::<Estimate>(200);
    table
        .get(
            "/api/cost",
            Rule::Needs(Right::ReportsRead),
            "What the tenant's campaigns have spent, by currency.",
            of_tenant,
        )
        .gives::<TenantCost>(200);
}

/// What a campaign has spent.
#[derive(Serialize, ToSchema)]
struct Cost {
    /// Which currency, ISO 4217.
    currency: String,
    /// What settled calls cost, by the price book; not a bill.
    spent_micros: i64,
    /// Set aside for calls in flight.
    reserved_micros: u64,
    /// What may be spent; without it there is no limit.
    budget_micros: Option<u64>,
    /// How many more calls the budget allows now.
    calls_left: Option<u32>,
}

/// What the tenant's campaigns have spent.
#[derive(Serialize, ToSchema)]
struct TenantCost {
    /// By currency, millionths.
    spent_micros: BTreeMap<String, i64>,
}

/// What is assumed of the calls. What is absent is taken as usual.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Ask {
    /// How many people; the campaign's open leads where absent.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    leads: Option<u64>,
    /// Attempts at one person, on average.
    #[schema(minimum = 1, maximum = 100)]
    attempts_per_lead: Option<f64>,
    /// Share of attempts that a person answers.
    #[schema(minimum = 0, maximum = 1)]
    person_share: Option<f64>,
    /// Share of attempts that a machine answers.
    #[schema(minimum = 0, maximum = 1)]
    machine_share: Option<f64>,
    /// Share of those people who get to an agent.
    #[schema(minimum = 0, maximum = 1)]
    connected_share: Option<f64>,
    /// Length of a conversation, seconds, on average.
    #[schema(minimum = 0, maximum = 14400)]
    talk_s: Option<f64>,
    /// Wait for an agent, seconds.
    #[schema(minimum = 0, maximum = 600)]
    wait_s: Option<f64>,
    /// How long a machine is listened or spoken to, seconds.
    #[schema(minimum = 0, maximum = 600)]
    machine_s: Option<f64>,
}

/// An estimate. Millionths; a plan, not a bill.
#[derive(Serialize, ToSchema)]
struct Estimate {
    /// Which currency, ISO 4217.
    currency: String,
    /// Attempts.
    attempts: u64,
    /// Legs of called people and machines.
    customer_micros: u64,
    /// Legs of agents who are rung for each call. Standing legs are the shift's cost.
    agent_micros: u64,
    /// Conference minutes.
    room_micros: u64,
    /// Detection of machines.
    detection_micros: u64,
    /// Recording.
    recording_micros: u64,
    /// All of these.
    total_micros: u64,
    /// The numbers that are shown, per month; not in the total.
    numbers_month_micros: u64,
}

fn live(item: &CampaignItem) -> u32 {
    u32::try_from(item.load.live()).unwrap_or(0)
}

async fn of_campaign(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Cost>> {
    let id: CampaignId = key.of(who.tenant);
    let item = app.catalog.campaign_item(id).await?;
    let settings = &item.campaign.row.settings;
    let policy = &settings.cost;
    let calls_left = policy.affordable(settings, item.spent_micros, live(&item));
    Ok(Json(Cost {
        currency: policy.prices.currency.to_string(),
        spent_micros: item.spent_micros,
        reserved_micros: policy.reserve_micros(settings).saturating_mul(u64::from(live(&item))),
        budget_micros: policy.budget_micros,
        calls_left: policy.budget_micros.map(|_| calls_left),
    }))
}

async fn estimate(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(ask): Json<Ask>,
) -> Answer<Json<Estimate>> {
    let id: CampaignId = key.of(who.tenant);
    let item = app.catalog.campaign_item(id).await?;
    let usual = Assumptions::default();
    let assume = Assumptions {
        attempts_per_lead: within("attempts_per_lead", ask.attempts_per_lead, usual.attempts_per_lead, 1.0, 100.0)?,
        person_share: within("person_share", ask.person_share, usual.person_share, 0.0, 1.0)?,
        machine_share: within("machine_share", ask.machine_share, usual.machine_share, 0.0, 1.0)?,
        connected_share: within("connected_share", ask.connected_share, usual.connected_share, 0.0, 1.0)?,
        talk_s: within("talk_s", ask.talk_s, usual.talk_s, 0.0, 14_400.0)?,
        wait_s: within("wait_s", ask.wait_s, usual.wait_s, 0.0, 600.0)?,
        machine_s: within("machine_s", ask.machine_s, usual.machine_s, 0.0, 600.0)?,
    };
    let leads = ask.leads.unwrap_or(u64::try_from(item.leads.open).unwrap_or(0));
    if leads > 1_000_000_000 {
        return Err(Problem::field("leads", "is over a thousand million", "estimate fewer people"));
    }
    let e = cost::estimate(&item.campaign.row.settings, leads, &assume);
    let whole = |v: f64| v.round().max(0.0) as u64;
    Ok(Json(Estimate {
        currency: e.currency.to_string(),
        attempts: whole(e.attempts),
        customer_micros: whole(e.customer_micros),
        agent_micros: whole(e.agent_micros),
        room_micros: whole(e.room_micros),
        detection_micros: whole(e.detection_micros),
        recording_micros: whole(e.recording_micros),
        total_micros: whole(e.total_micros),
        numbers_month_micros: e.numbers_month_micros,
    }))
}

fn within(field: &str, given: Option<f64>, usual: f64, low: f64, high: f64) -> Answer<f64> {
    match given {
        None => Ok(usual),
        Some(value) if (low..=high).contains(&value) => Ok(value),
        Some(_) => Err(Problem::field(field, format!("is not {low} to {high}"), "leave it out for the usual value")),
    }
}

async fn of_tenant(State(app): State<App>, who: Principal) -> Answer<Json<TenantCost>> {
    let mut spent: BTreeMap<String, i64> = BTreeMap::new();
    let mut ask = PageAsk::first(500);
    loop {
        let page = app.catalog.campaigns(who.tenant, None, &ask).await?;
        for item in &page.items {
            *spent.entry(item.campaign.row.settings.cost.prices.currency.to_string()).or_default() += item.spent_micros;
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return Ok(Json(TenantCost { spent_micros: spent })),
        }
    }
}
