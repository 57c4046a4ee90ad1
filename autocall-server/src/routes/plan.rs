//! Before and while a campaign runs: what would be dialed, and why nothing is.

use crate::app::App;
use crate::http::problem::{Answer, FieldProblem, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::agent::State as Doing;
use autocall_core::campaign::Campaign;
use autocall_core::lead::State as LeadStage;
use autocall_core::permission::RuleId;
use autocall_core::ports::CampaignView;
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

/// Leads by what they wait for, from counters that every verdict moves.
#[derive(Serialize, ToSchema)]
struct Funnel {
    /// When the counters last changed.
    as_of: Option<When>,
    /// Callable now, as far as is known: never tried, or the hour of their denial or delay is over.
    now: i64,
    /// Waiting for their own time: a retry or an appointment.
    waiting: i64,
    /// Left out by the campaign's filter.
    filtered: i64,
    /// Held back by rules, the rule with most people first.
    held: Vec<Held>,
    /// In a call.
    calling: i64,
    /// Done, by why.
    closed: BTreeMap<String, i64>,
    /// How many become callable in each of the next 24 hours, this one first.
    next_hours: Vec<i64>,
    /// The start of the first hour in which any become callable.
    next_at: Option<When>,
}

/// What a rule holds back.
#[derive(Serialize, ToSchema)]
struct Held {
    /// The rule.
    rule: String,
    /// The law or reason behind it; absent for the house's own rules.
    citation: Option<String>,
    /// People whom it holds back until some time.
    later: i64,
    /// People whom only a change can free.
    never: i64,
    /// The start of the first hour in which it frees any.
    first_at: Option<When>,
    /// How many in that hour.
    first: i64,
}

async fn funnel(app: &App, campaign: &Campaign) -> Answer<Funnel> {
    let funnel = app.catalog.funnel(campaign.id).await?;
    let report = funnel.report(app.clock.now());
    let held = report.held.into_iter().map(|h| Held {
        citation: citation(app, campaign, h.rule.as_str()),
        rule: h.rule.to_string(),
        later: h.later,
        never: h.never,
        first_at: h.first_at.map(When),
        first: h.first,
    });
    Ok(Funnel {
        as_of: (funnel.as_of != Timestamp::EPOCH).then_some(When(funnel.as_of)),
        now: report.now,
        waiting: report.waiting,
        filtered: report.filtered,
        held: held.collect(),
        calling: report.calling,
        closed: report.closed.into_iter().map(|(why, n)| (why.to_owned(), n)).collect(),
        next_hours: report.next_hours,
        next_at: report.next_at.map(When),
    })
}

/// The law behind a rule of the campaign's set.
fn citation(app: &App, campaign: &Campaign, rule: &str) -> Option<String> {
    let law = app.law.permission();
    let rules = law.rules(&campaign.settings.rules)?;
    rules.rule(&RuleId::new(rule)).map(|rule| rule.citation.clone())
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
    /// People by what they wait for, counted.
    funnel: Funnel,
    /// Of the people who are due, a sample judged one by one, as they would be if it started now.
    sample: Sample,
}

/// A sample of the people who are due, judged by every rule.
#[derive(Serialize, ToSchema)]
struct Sample {
    /// How many were judged; at most 500.
    judged: u64,
    /// Of them callable now.
    now: u64,
    /// The others, by the rule that denies them.
    denied: Vec<SampleDenied>,
    /// How many become callable in each hour to come.
    hours: Vec<SampleHour>,
}

/// People of the sample whom one rule denies.
#[derive(Serialize, ToSchema)]
struct SampleDenied {
    /// The rule.
    rule: String,
    /// The law or reason behind it; absent for the house's own rules.
    citation: Option<String>,
    /// Until some time.
    later: u64,
    /// For good, unless something changes.
    never: u64,
}

/// People of the sample who become callable in one hour.
#[derive(Serialize, ToSchema)]
struct SampleHour {
    /// Its start.
    at: When,
    /// How many.
    people: u64,
}

async fn sample(app: &App, campaign: &Campaign) -> Answer<Sample> {
    let found = app.engine.preflight(campaign.id).await?;
    let denied = found.by_rule.into_iter().map(|(rule, (later, never))| SampleDenied {
        citation: citation(app, campaign, &rule),
        rule: rule.to_string(),
        later,
        never,
    });
    let hour = |(hour, people): (i64, u64)| SampleHour { at: When(Timestamp::from_ms(hour * 3_600_000)), people };
    Ok(Sample {
        judged: found.judged,
        now: found.now,
        denied: denied.collect(),
        hours: found.by_hour.into_iter().map(hour).collect(),
    })
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
    let (funnel, sample) = (funnel(&app, &item.campaign.row).await?, sample(&app, &item.campaign.row).await?);
    let mut problems = Problem::settings(&settings.check()).errors;
    if !app.config.is_trial() && app.law.permission().rules(&settings.rules).is_none() {
        problems.push(warning(
            "rules",
            format!("{:?} is no set of rules; nobody would be called", settings.rules),
            "name a preset, or a pack in RULES_DIR",
        ));
    }
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
    if !app.config.is_trial() {
        let closed = app.law.serving(app.clock.now()).into_iter().filter(|s| s.closed);
        warnings.extend(closed.map(|s| {
            let wrong = format!("the do-not-call registry {} has no copy that its law still allows", s.name);
            warning(
                "DNC_DIR",
                wrong,
                "make one with `autocall dnc build`; until then calls that must ask it are denied",
            )
        }));
    }
    if sample.judged > 0 && sample.now == 0 {
        warnings.push(warning("leads", "none of those who are due may be called now", "see sample for the rules"));
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
        sample,
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
    /// People by what they wait for, counted.
    funnel: Funnel,
}

/// Until when no number can be shown, if none can be now.
fn nothing_to_show(view: &CampaignView, now: Timestamp) -> Option<Timestamp> {
    autocall_core::engine::nothing_to_show_until(view, now)
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
    let funnel = funnel(&app, &campaign).await?;
    let problems = Problem::settings(&campaign.settings.check()).errors;
    let shown_again = nothing_to_show(&view, app.clock.now());
    let dials = campaign.dials(app.clock.now());
    let lines_full = view.load.lines() >= campaign.settings.caps.lines_max as i32;
    let nobody_free = !agents.contains_key("free") && !campaign.settings.is_agentless();
    let because = if !dials {
        format!("the campaign is {:?}", campaign.state).to_lowercase()
    } else if view.leads.open == 0 {
        "no lead is left to be called".into()
    } else if let Some(until) = shown_again {
        format!("every number to show rests or has had its day, until {}", until.to_jiff())
    } else if funnel.now == 0 {
        match funnel.held.first() {
            Some(top) => format!("no lead is due now; most are kept by: {}", top.rule),
            None if funnel.filtered > 0 => "no lead is due now; the filter leaves the others out".into(),
            None => "no lead is due now; they wait for a retry or an appointment".into(),
        }
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
    /// The rule that keeps it from being called now.
    rule: Option<String>,
    /// Until when.
    until: Option<When>,
    /// What every rule says about every number, those that deny longest first.
    opinions: Vec<OpinionView>,
    /// Attempts so far.
    attempts: u16,
    /// The most there may be.
    attempts_max: u16,
}

/// What one rule says about one number.
#[derive(Serialize, ToSchema)]
struct OpinionView {
    /// The number, but for its last digits.
    number: String,
    /// The rule.
    rule: String,
    /// The law or reason behind it; empty for the house's own.
    citation: String,
    /// Whether it denies.
    denies: bool,
    /// Until when; absent where it does not deny, and where only a change helps.
    until: Option<When>,
}

async fn explain_lead(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Json<LeadExplained>> {
    let id: LeadId = key.of(who.tenant);
    let explained = app.engine.explain_lead(id).await?;
    let lead = &explained.lead.row;
    let campaign = app.catalog.campaign_item(lead.campaign).await?.campaign.row;
    let now = app.clock.now();
    let (callable, because) = match (lead.state, &explained.denied) {
        (LeadStage::Calling { .. }, _) => (false, "it is in a call".to_owned()),
        (LeadStage::Closed { why }, _) => (false, format!("it is closed: {why:?}")),
        (LeadStage::Open, _) if lead.is_parked() => (false, "the campaign's filter leaves it out".to_owned()),
        (LeadStage::Open, Some(denied)) => (false, format!("the rule {} denies it", denied.rule)),
        (LeadStage::Open, None) if lead.due_at > now => match (&lead.blocked_by, &lead.callback) {
            (Some(rule), _) => (false, format!("the rule {rule} keeps it waiting")),
            (None, Some(_)) => (false, "it has an appointment".to_owned()),
            (None, None) => (false, "its next attempt is later".to_owned()),
        },
        (LeadStage::Open, None) if !campaign.dials(now) => (false, "its campaign does not dial".to_owned()),
        (LeadStage::Open, None) => (true, "it is due; it is called when an agent and a line are free".to_owned()),
    };
    let mut opinions = explained.opinions.clone();
    opinions.sort_by_key(|o| std::cmp::Reverse(o.denied_until));
    let view = |o: autocall_core::engine::Opinion| OpinionView {
        number: lead.numbers.get(usize::from(o.number_index)).map(|n| n.phone.to_string()).unwrap_or_default(),
        rule: o.rule.to_string(),
        citation: o.citation.to_string(),
        denies: o.denied_until.is_some(),
        until: o.denied_until.and_then(When::or_never),
    };
    let waits = (lead.is_open() && lead.due_at > now).then_some(lead.due_at);
    Ok(Json(LeadExplained {
        callable,
        because,
        rule: explained
            .denied
            .as_ref()
            .map(|d| d.rule.to_string())
            .or_else(|| lead.blocked_by.as_ref().map(|r| r.to_string())),
        until: explained.denied.as_ref().map(|d| d.until).or(waits).and_then(When::or_never),
        opinions: opinions.into_iter().map(view).collect(),
        attempts: lead.attempts,
        attempts_max: campaign.settings.caps.attempts_max,
    }))
}
