//! Before and while a campaign runs: what would be dialed, and why nothing is.

use crate::app::App;
use crate::http::problem::{Answer, FieldProblem, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::agent::State as Doing;
use autocall_core::lead::State as LeadStage;
use autocall_core::ports::catalog::{LeadFilter, LeadPhase, PageAsk};
use autocall_core::{CampaignId, LeadId, Timestamp};
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get(
            "/api/campaigns/{id}/preflight",
            Rule::Needs(Right::CampaignsRead),
            "What would be dialed, when, and what keeps the campaign from it.",
            preflight,
        )
        .gives::<Preflight>(200);
    table
        .get(
            "/api/campaigns/{id}/explain",
            Rule::Needs(Right::CampaignsRead),
            "Why a campaign dials, or why not, at this moment.",
            explain,
        )
        .gives::<Explained>(200);
    table
        .get(
            "/api/leads/{id}/explain",
            Rule::Needs(Right::LeadsRead),
            "Whether a lead may be called now, by which rule not, and until when.",
            explain_lead,
        )
        .gives::<LeadExplained>(200);
}

/// How many leads are looked at one by one for the funnel.
const SAMPLE_MAX: usize = 10_000;

/// Leads by what keeps them, over at most 10,000 of them.
#[derive(Default, Serialize, ToSchema)]
struct Funnel {
    /// How many were looked at.
    looked_at: u64,
    /// Whether these are all open leads.
    whole: bool,
    /// Due now, and kept by nothing that is known yet.
    now: u64,
    /// Later, by the rule that keeps them.
    later: BTreeMap<String, u64>,
    /// Later because of a retry or an appointment.
    waiting: u64,
    /// The first of the later ones.
    next_at: Option<When>,
}

async fn funnel(app: &App, campaign: CampaignId) -> Answer<Funnel> {
    let now = app.clock.now();
    let filter = LeadFilter { campaign: Some(campaign), phase: Some(LeadPhase::Open), ..LeadFilter::default() };
    let mut funnel = Funnel { whole: true, ..Funnel::default() };
    let mut ask = PageAsk::first(500);
    let mut next: Option<Timestamp> = None;
    loop {
        let page = app.catalog.leads(campaign.tenant(), &filter, &ask).await?;
        for found in &page.items {
            let lead = &found.row;
            funnel.looked_at += 1;
            if lead.due_at <= now {
                funnel.now += 1;
                continue;
            }
            next = Some(next.map_or(lead.due_at, |n| n.min(lead.due_at)));
            match &lead.blocked_by {
                Some(rule) => *funnel.later.entry(rule.to_string()).or_default() += 1,
                None => funnel.waiting += 1,
            }
        }
        ask.after = page.next;
        if ask.after.is_none() {
            break;
        }
        if funnel.looked_at as usize >= SAMPLE_MAX {
            funnel.whole = false;
            break;
        }
    }
    funnel.next_at = next.and_then(When::or_never);
    Ok(funnel)
}

/// A check before the start.
#[derive(Serialize, ToSchema)]
struct Preflight {
    /// Whether it can start.
    ready: bool,
    /// What keeps it from starting.
    problems: Vec<FieldProblem>,
    /// What is worth knowing before it starts.
    warnings: Vec<FieldProblem>,
    /// People to be called.
    people: i64,
    /// Calls that they may take at most, by the campaign's caps.
    attempts_max: i64,
    /// What those calls may cost at most, by the tenant's price of a minute and a minute each.
    cost_estimate: f64,
    /// Agents of its pools who are available now.
    agents_available: usize,
    /// Whether real calls will be made.
    real: bool,
    /// Leads by what keeps them.
    funnel: Funnel,
}

fn warning(field: &str, wrong: impl Into<String>, remedy: &str) -> FieldProblem {
    FieldProblem { field: field.into(), wrong: wrong.into(), remedy: remedy.into() }
}

async fn preflight(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Preflight>> {
    let id: CampaignId = key.of(who.tenant);
    let item = app.catalog.campaign_item(id).await?;
    let settings = item.campaign.row.settings.clone();
    let view = app.store.campaign(id).await?;
    let free = |a: &&autocall_core::ports::AgentBrief| a.available;
    let available = view.pools.iter().flat_map(|p| &p.agents).filter(free).count();
    let funnel = funnel(&app, id).await?;
    let mut problems = Problem::settings(&settings.check()).errors;
    problems.extend(super::audio::missing_files(&app, who.tenant, &settings).await?);
    let mut warnings = Vec::new();
    if item.leads.open == 0 {
        warnings.push(warning("leads", "nobody is to be called", "upload a list: POST /api/leads/upload"));
    }
    if available == 0 && !settings.is_agentless() {
        warnings.push(warning("agents", "nobody is available", "set agents to available; nothing is dialed before"));
    }
    if let Some(numbers) = &app.config.dial_only {
        warnings.push(warning(
            "DIAL_ONLY",
            format!("only {} number(s) are ever dialed", numbers.len()),
            "unset it for real work",
        ));
    }
    let attempts_max = item.leads.open.saturating_mul(i64::from(settings.caps.attempts_max));
    let price = super::tenant::settings(&app, who.tenant).await?.price_per_min;
    Ok(Json(Preflight {
        ready: problems.is_empty(),
        problems,
        warnings,
        people: item.leads.open,
        attempts_max,
        cost_estimate: attempts_max as f64 * price,
        agents_available: available,
        real: !app.config.is_trial(),
        funnel,
    }))
}

/// Why a campaign dials, or not.
#[derive(Serialize, ToSchema)]
struct Explained {
    /// One sentence.
    because: String,
    /// Where it stands.
    state: String,
    /// Whether it dials at this moment as far as its state and schedule go.
    dials: bool,
    /// What keeps it from starting.
    problems: Vec<FieldProblem>,
    /// Agents of its pools, by what they do.
    agents: BTreeMap<String, u64>,
    /// Lines in use, and the most there may be.
    lines: i32,
    /// The most there may be.
    lines_max: u32,
    /// Leads by what keeps them.
    funnel: Funnel,
}

async fn explain(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<Explained>> {
    let id: CampaignId = key.of(who.tenant);
    let view = app.store.campaign(id).await?;
    let campaign = view.campaign.row.clone();
    let mut agents: BTreeMap<String, u64> = BTreeMap::new();
    for agent in view.pools.iter().flat_map(|p| &p.agents) {
        let word = match agent.state {
            Doing::Idle if agent.available => "free",
            Doing::Idle => "away",
            Doing::Held { .. } => "with a call",
            Doing::WrapUp { .. } => "writing up",
        };
        *agents.entry(word.into()).or_default() += 1;
    }
    let funnel = funnel(&app, id).await?;
    let problems = Problem::settings(&campaign.settings.check()).errors;
    let dials = campaign.dials(app.clock.now());
    let lines_full = view.load.lines() >= campaign.settings.caps.lines_max as i32;
    let nobody_free = !agents.contains_key("free") && !campaign.settings.is_agentless();
    let because = if !dials {
        format!("the campaign is {:?}", campaign.state).to_lowercase()
    } else if funnel.looked_at == 0 {
        "no lead is left to be called".into()
    } else if funnel.now == 0 {
        let top = funnel.later.iter().max_by_key(|(_, n)| **n).map_or("waiting for a retry", |(rule, _)| rule.as_str());
        format!("no lead is due now; most are kept by: {top}")
    } else if lines_full {
        "every line is in use".into()
    } else if nobody_free {
        "no agent is free".into()
    } else {
        "it dials".into()
    };
    Ok(Json(Explained {
        because,
        state: format!("{:?}", campaign.state).to_lowercase(),
        dials,
        problems,
        agents,
        lines: view.load.lines(),
        lines_max: campaign.settings.caps.lines_max,
        funnel,
    }))
}

/// Whether a lead may be called now.
#[derive(Serialize, ToSchema)]
struct LeadExplained {
    /// Whether it would be called as soon as somebody is free.
    callable: bool,
    /// One sentence.
    because: String,
    /// The rule that keeps it waiting.
    rule: Option<String>,
    /// Until when.
    until: Option<When>,
    /// Numbers that the tenant's lists forbid.
    listed: Vec<String>,
    /// Attempts so far.
    attempts: u16,
    /// The most there may be.
    attempts_max: u16,
}

async fn explain_lead(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<LeadExplained>> {
    let id: LeadId = key.of(who.tenant);
    let lead = app.catalog.lead(id).await?.row;
    let item = app.catalog.campaign_item(lead.campaign).await?;
    let now = app.clock.now();
    let numbers: Vec<_> = lead.numbers.iter().map(|n| n.phone).collect();
    let verdicts = app.catalog.suppressed(who.tenant, Some(lead.campaign), &numbers, now).await?;
    let listed: Vec<String> =
        numbers.iter().zip(&verdicts).filter(|(_, l)| l.tenant || l.campaign).map(|(n, _)| n.to_string()).collect();
    let campaign = &item.campaign.row;
    let (callable, because) = match lead.state {
        LeadStage::Calling { .. } => (false, "it is in a call".to_owned()),
        LeadStage::Closed { why } => (false, format!("it is closed: {why:?}")),
        LeadStage::Open if !listed.is_empty() && listed.len() == numbers.len() => {
            (false, "every number is on a do-not-call list".to_owned())
        }
        LeadStage::Open if lead.due_at > now => match (&lead.blocked_by, &lead.callback) {
            (Some(rule), _) => (false, format!("the rule {rule} keeps it waiting")),
            (None, Some(_)) => (false, "it has an appointment".to_owned()),
            (None, None) => (false, "its next attempt is later".to_owned()),
        },
        LeadStage::Open if !campaign.dials(now) => (false, "its campaign does not dial".to_owned()),
        LeadStage::Open => (true, "it is due; it is called when an agent and a line are free".to_owned()),
    };
    Ok(Json(LeadExplained {
        callable,
        because,
        rule: lead.blocked_by.as_ref().map(|r| r.to_string()),
        until: (lead.due_at > now).then(|| When::or_never(lead.due_at)).flatten(),
        listed,
        attempts: lead.attempts,
        attempts_max: campaign.settings.caps.attempts_max,
    }))
}
