//! Calls.

use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Json, Path, Query, Tagged};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::call::{Leg, Record};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::catalog::{CallDetail, CallFilter, CallItem, Figures, GroupBy, ReportAsk};
use autocall_core::{CallId, Millis, Timestamp};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

const READ: Rule = Rule::Needs(Right::CallsRead);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/calls", READ, "Lists calls, the newest first.", list)
        .asks::<Paging>()
        .asks::<Filter>()
        .gives_page::<CallView>();
    table.get("/api/calls/{id}", READ, "One call, with its legs and its record.", one).gives::<CallInFull>(200);
    table
        .get(
            "/api/calls/stats/summary",
            Rule::Either(Right::ReportsRead, Right::CallsRead),
            "Sums over settled calls.",
            summary,
        )
        .asks::<Span>()
        .gives::<Summary>(200);
    table
        .post("/api/calls/{id}/hangup", Rule::Either(Right::Work, Right::Supervise), "Ends a call.", hang_up)
        .gives::<CallInFull>(200)
        .may(&[409])
        .urgent();
}

/// Which calls. Every part narrows.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this campaign.
    #[param(value_type = Option<String>)]
    pub campaign: Option<Key>,
    /// To this lead.
    #[param(value_type = Option<String>)]
    pub lead: Option<Key>,
    /// Taken by this agent.
    #[param(value_type = Option<String>)]
    pub agent: Option<Key>,
    /// Only calls that live (true), only settled ones (false).
    pub live: Option<bool>,
    /// The outcome: connected, no_answer, busy, …
    pub outcome: Option<String>,
    /// Exactly this number called.
    pub to: Option<String>,
    /// Dialed at or after, RFC 3339.
    #[param(value_type = Option<String>)]
    pub from: Option<When>,
    /// Dialed before, RFC 3339.
    #[param(value_type = Option<String>)]
    pub until: Option<When>,
}

impl Filter {
    /// As the catalog asks.
    pub fn read(&self, who: &Principal) -> Answer<CallFilter> {
        let to = match &self.to {
            None => None,
            Some(text) => {
                let normal =
                    normalise(text, Country::US).map_err(|e| Problem::field("to", e.to_string(), e.remedy()))?;
                Some(normal.phone)
            }
        };
        Ok(CallFilter {
            campaign: self.campaign.map(|k| k.of(who.tenant)),
            lead: self.lead.map(|k| k.of(who.tenant)),
            agent: self.agent.map(|k| k.of(who.tenant)),
            live: self.live,
            outcome: self.outcome.as_deref().map(Into::into),
            to,
            from: self.from.map(|w| w.0),
            until: self.until.map(|w| w.0),
        })
    }
}

/// A call in a list.
#[derive(Serialize, ToSchema)]
pub struct CallView {
    /// Which.
    pub id: Key,
    /// Of which campaign.
    pub campaign: Key,
    /// To which lead.
    pub lead: Key,
    /// The number called.
    pub to: String,
    /// When it was dialed.
    pub dialed_at: When,
    /// dialing, seeking, offering, bridged, message, closing or settled.
    pub stage: String,
    /// How it ended.
    pub outcome: Option<&'static str>,
    /// Who took it.
    pub agent: Option<Key>,
    /// How long customer and agent talked, milliseconds.
    pub talk_ms: i64,
    /// What the agent said about it.
    pub disposition: Option<String>,
}

impl CallView {
    /// Of an item of the catalog.
    pub fn of(item: CallItem) -> CallView {
        CallView {
            id: item.id.into(),
            campaign: item.campaign.into(),
            lead: item.lead.into(),
            to: item.to.e164(),
            dialed_at: item.dialled_at.into(),
            stage: item.stage.to_string(),
            outcome: item.outcome.map(|o| o.name()),
            agent: item.agent.map(Key::from),
            talk_ms: item.talk_ms,
            disposition: item.disposition.map(|d| d.to_string()),
        }
    }
}

/// One leg of a call.
#[derive(Serialize, ToSchema)]
pub struct LegView {
    /// 0 is the customer.
    pub leg: u8,
    /// The agent on it.
    pub agent: Option<Key>,
    /// When it was committed to be dialed.
    pub dialed_at: When,
    /// When it rang.
    pub ringing_at: Option<When>,
    /// When it was picked up.
    pub answered_at: Option<When>,
    /// When it joined the conversation.
    pub joined_at: Option<When>,
    /// When it was over.
    pub ended_at: Option<When>,
    /// The carrier's name of it.
    pub provider: Option<String>,
}

impl LegView {
    fn of(n: usize, leg: &Leg) -> LegView {
        let facts = &leg.facts;
        LegView {
            leg: n as u8,
            agent: leg.agent.map(Key::from),
            dialed_at: leg.dialled_at.into(),
            ringing_at: facts.ringing_at.map(When),
            answered_at: facts.answer_at().map(When),
            joined_at: facts.joined_at.or(facts.joined_agent_at).map(When),
            ended_at: facts.end.map(|e| When(e.at)),
            provider: facts.provider.as_ref().map(|p| p.0.to_string()),
        }
    }
}

/// What is left of a settled call.
#[derive(Serialize, ToSchema)]
pub struct RecordView {
    /// How it ended.
    pub outcome: &'static str,
    /// Agents who let it pass.
    pub agents_passed: u8,
    /// When it was picked up.
    pub answered_at: Option<When>,
    /// When the detector spoke.
    pub verdict_at: Option<When>,
    /// When the greeting ended.
    pub greeting_end_at: Option<When>,
    /// When customer and agent met.
    pub connected_at: Option<When>,
    /// When the person was given up.
    pub gave_up_at: Option<When>,
    /// When it was over.
    pub ended_at: When,
    /// From the greeting's end to the agent, milliseconds.
    pub wait_ms: Option<i64>,
    /// How long they talked, milliseconds.
    pub talk_ms: i64,
    /// Why the call was allowed, as stored with the attempt.
    #[schema(value_type = Option<Object>)]
    pub evidence: Option<serde_json::Value>,
}

impl RecordView {
    /// Of a record.
    pub fn of(record: &Record) -> RecordView {
        RecordView {
            outcome: record.outcome.name(),
            agents_passed: record.passed,
            answered_at: record.answered_at.map(When),
            verdict_at: record.verdict_at.map(When),
            greeting_end_at: record.greeting_end_at.map(When),
            connected_at: record.connected_at.map(When),
            gave_up_at: record.gave_up_at.map(When),
            ended_at: record.ended_at.into(),
            wait_ms: record.wait_ms(),
            talk_ms: record.talk_ms(),
            evidence: record.evidence.as_deref().and_then(|e| serde_json::from_str(e).ok()),
        }
    }
}

/// A call in full.
#[derive(Serialize, ToSchema)]
pub struct CallInFull {
    /// Which.
    pub id: Key,
    /// Of which campaign.
    pub campaign: Key,
    /// To which lead.
    pub lead: Key,
    /// Which attempt at the lead, from 1.
    pub attempt: u16,
    /// The number called.
    pub to: String,
    /// The number shown.
    pub from: String,
    /// When it was committed to be dialed.
    pub dialed_at: When,
    /// Where it stands.
    pub stage: &'static str,
    /// Who took it.
    pub agent: Option<Key>,
    /// Its legs.
    pub legs: Vec<LegView>,
    /// Its record, once settled.
    pub record: Option<RecordView>,
    /// What the agent said about it.
    pub disposition: Option<String>,
    /// Its recordings.
    pub recordings: Vec<String>,
    /// Its version; the ETag.
    pub version: u64,
}

impl CallInFull {
    /// Of a call of the catalog.
    pub fn of(detail: CallDetail) -> CallInFull {
        let call = detail.call.row;
        CallInFull {
            id: call.id.into(),
            campaign: call.plan.campaign.into(),
            lead: call.plan.lead.into(),
            attempt: call.plan.attempt,
            to: call.plan.to.e164(),
            from: call.plan.from.e164(),
            dialed_at: call.created_at.into(),
            stage: call.stage.name(),
            agent: call.agent.map(Key::from),
            legs: call.legs.iter().enumerate().map(|(n, leg)| LegView::of(n, leg)).collect(),
            record: detail.record.as_ref().map(RecordView::of),
            disposition: detail.disposed.map(|d| d.code.to_string()),
            recordings: detail.recordings.iter().map(|r| r.provider.to_string()).collect(),
            version: detail.call.version,
        }
    }
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Query(paging): Query<Paging>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<CallView>>> {
    let page = app.catalog.calls(who.tenant, &filter.read(&who)?, &paging.ask()?).await?;
    Ok(Json(Page::from(page, CallView::of)))
}

/// A call as the API shows it.
pub async fn view(app: &App, id: CallId) -> Answer<Tagged<CallInFull>> {
    let view = CallInFull::of(app.catalog.call_detail(id).await?);
    Ok(Tagged(view.version, view))
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CallInFull>> {
    view(&app, key.of(who.tenant)).await
}

async fn hang_up(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CallInFull>> {
    let id: CallId = key.of(who.tenant);
    if !who.rights.holds(Right::Supervise) {
        // Only whoever has it now: who handed it on, or let it pass, does not end a colleague's call.
        let agent = super::console::own_call(&app, &who, id).await?;
        if app.store.call(id).await?.call.row.holds() != Some(agent) {
            return Err(Problem::conflict("the call is not yours any more"));
        }
    }
    app.give(app.engine.hang_up(id).await?);
    super::note(&app, &who, "call.hangup", key, serde_json::json!({})).await?;
    view(&app, id).await
}

/// A span of time.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// Dialed at or after, RFC 3339; 24 hours ago where absent.
    #[param(value_type = Option<String>)]
    pub from: Option<When>,
    /// Dialed before, RFC 3339; now where absent.
    #[param(value_type = Option<String>)]
    pub until: Option<When>,
    /// Of this campaign.
    #[param(value_type = Option<String>)]
    pub campaign: Option<Key>,
    /// Taken by this agent.
    #[param(value_type = Option<String>)]
    pub agent: Option<Key>,
}

impl Span {
    /// As reports ask; at most 400 days.
    pub fn ask(&self, who: &Principal, now: Timestamp, group: GroupBy) -> Answer<ReportAsk> {
        let until = self.until.map_or(now + Millis::from_ms(1), |w| w.0);
        let from = self.from.map_or(until - Millis::from_days(1), |w| w.0);
        if from >= until || (until - from) > Millis::from_days(400) {
            return Err(Problem::field(
                "from",
                "is not before until, or over 400 days before",
                "ask for a shorter span",
            ));
        }
        Ok(ReportAsk {
            from,
            until,
            campaign: self.campaign.map(|k| k.of(who.tenant)),
            agent: self.agent.map(|k| k.of(who.tenant)),
            group,
            offset_s: 0,
        })
    }
}

/// Sums over settled calls.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Summary {
    /// Calls.
    pub calls: u64,
    /// Calls picked up by anybody or anything.
    pub answered: u64,
    /// Calls in which a person spoke with an agent.
    pub connected: u64,
    /// People who answered and spoke with nobody.
    pub abandoned: u64,
    /// Abandoned calls per call that a person answered, 0 to 1.
    pub abandonment_rate: f64,
    /// Calls by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Calls that an agent's disposition made a success.
    pub successes: u64,
    /// How long customers and agents talked, milliseconds in all.
    pub talk_ms: i64,
    /// From the greeting's end to the agent, milliseconds on average.
    pub wait_ms_mean: Option<i64>,
    /// Calls connected within two seconds of the greeting's end.
    pub within_two_s: u64,
    /// What carriers bill: from pick-up to the end, milliseconds in all.
    pub line_ms: i64,
    /// What these calls cost as far as the tenant's price of a minute goes.
    pub cost_estimate: f64,
}

impl Summary {
    /// Of sums of the catalog, at a price of a minute.
    pub fn of(figures: &Figures, price_per_min: f64) -> Summary {
        let count = |name: &str| figures.outcomes.get(name).copied().unwrap_or(0);
        let (connected, abandoned) = (count("connected"), count("abandoned") + count("agent_unavailable"));
        let live = connected + abandoned + count("message_played");
        Summary {
            calls: figures.calls,
            answered: figures.answered,
            connected,
            abandoned,
            abandonment_rate: if live == 0 { 0.0 } else { abandoned as f64 / live as f64 },
            outcomes: figures.outcomes.iter().map(|(k, v)| (k.to_string(), *v)).collect(),
            successes: figures.successes,
            talk_ms: figures.talk_ms,
            wait_ms_mean: (connected > 0).then(|| figures.wait_ms / connected as i64),
            within_two_s: figures.within_two_s,
            line_ms: figures.line_ms,
            cost_estimate: figures.line_ms as f64 / 60_000.0 * price_per_min,
        }
    }
}

async fn summary(State(app): State<App>, who: Principal, Query(span): Query<Span>) -> Answer<Json<Summary>> {
    let ask = span.ask(&who, app.clock.now(), GroupBy::Nothing)?;
    let rows = app.catalog.report(who.tenant, &ask).await?;
    let price = super::tenant::settings(&app, who.tenant).await?.price_per_min;
    Ok(Json(rows.first().map_or_else(Summary::default, |row| Summary::of(&row.figures, price))))
}
