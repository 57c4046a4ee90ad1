//! Leads.

use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Json, Path, Query, Tagged};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use crate::views::person::{LeadView, PersonInput};
use autocall_core::lead::{Callback, Lead, LeadEvent};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::catalog::{Added, CallFilter, LeadBatch, LeadFilter, LeadPhase, PageAsk};
use autocall_core::ports::{Changes, Put, Versioned};
use autocall_core::{CampaignId, LeadId, Priority, Private};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const READ: Rule = Rule::Needs(Right::LeadsRead);
const WRITE: Rule = Rule::Needs(Right::LeadsWrite);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/leads", READ, "Lists leads, the oldest first.", list)
        .asks::<Paging>()
        .asks::<Filter>()
        .gives_page::<LeadView>();
    table
        .post("/api/leads", WRITE, "Adds one lead to a campaign.", create)
        .takes::<NewLead>()
        .gives::<LeadView>(201)
        .once();
    table.get("/api/leads/{id}", READ, "One lead.", one).gives::<LeadView>(200);
    table
        .put("/api/leads/{id}", WRITE, "Changes a lead: who it is, its status, its appointment.", change)
        .takes::<ChangeLead>()
        .guarded()
        .gives::<LeadView>(200)
        .may(&[409]);
    table
        .post("/api/leads/bulk", WRITE, "Closes, opens or reprioritizes up to 500 leads.", bulk)
        .takes::<Bulk>()
        .gives::<BulkDone>(200);
    table
        .get("/api/leads/{id}/timeline", READ, "Everything that happened to a lead, the newest first.", timeline)
        .asks::<Paging>()
        .gives_page::<Happening>();
}

/// Which leads. Every part narrows.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this campaign.
    #[param(value_type = Option<String>)]
    pub campaign: Option<Key>,
    /// From this list.
    #[param(value_type = Option<String>)]
    pub list: Option<Key>,
    /// open, calling or closed.
    #[param(value_type = Option<String>)]
    pub status: Option<LeadPhase>,
    /// low, normal, high or urgent.
    #[param(value_type = Option<String>)]
    pub priority: Option<Priority>,
    /// The last outcome: connected, no_answer, busy, …
    pub outcome: Option<String>,
    /// Kept waiting by this rule.
    pub blocked_by: Option<String>,
    /// Exactly this number.
    pub phone: Option<String>,
    /// Exactly this first and last name.
    pub name: Option<String>,
    /// Exactly this key of the user's own.
    pub external_id: Option<String>,
}

impl Filter {
    /// As the catalog asks.
    pub fn read(&self, who: &Principal) -> Answer<LeadFilter> {
        let text = |t: &Option<String>| t.as_deref().map(std::sync::Arc::from);
        let phone = match &self.phone {
            None => None,
            Some(phone) => {
                let normal = normalise(phone, Country::US);
                Some(normal.map_err(|e| Problem::field("phone", e.to_string(), e.remedy()))?.phone)
            }
        };
        Ok(LeadFilter {
            campaign: self.campaign.map(|k| k.of(who.tenant)),
            list: self.list.map(|k| k.of(who.tenant)),
            phase: self.status,
            priority: self.priority,
            last: text(&self.outcome),
            blocked_by: text(&self.blocked_by),
            phone,
            name: self.name.clone().map(Private::new),
            external_id: self.external_id.clone().map(Private::new),
            ..LeadFilter::default()
        })
    }
}

/// A lead to be added.
#[derive(Deserialize, ToSchema)]
struct NewLead {
    /// To which campaign.
    campaign: Key,
    /// Who it is; `phones` is needed.
    #[serde(flatten)]
    person: PersonInput,
}

/// An appointment to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCallback {
    /// When.
    pub at: When,
    /// With whom; anybody where absent.
    pub agent: Option<Key>,
}

/// What to do with a lead.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NewStatus {
    /// It is called no more.
    Closed,
    /// It is called again.
    Open,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
struct ChangeLead {
    /// open or closed.
    status: Option<NewStatus>,
    /// An appointment.
    callback: Option<NewCallback>,
    /// Who it is.
    #[serde(flatten)]
    person: PersonInput,
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Query(paging): Query<Paging>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<LeadView>>> {
    let page = app.catalog.leads(who.tenant, &filter.read(&who)?, &paging.ask()?).await?;
    Ok(Json(Page::from(page, LeadView::of)))
}

/// The country of a campaign's numbers.
pub async fn country(app: &App, campaign: CampaignId) -> Answer<Country> {
    let item = app.catalog.campaign_item(campaign).await?;
    Ok(Country::parse(&item.campaign.row.settings.country).unwrap_or(Country::US))
}

async fn create(State(app): State<App>, who: Principal, Json(body): Json<NewLead>) -> Answer<Created<LeadView>> {
    let campaign: CampaignId = body.campaign.of(who.tenant);
    let country = country(&app, campaign).await.map_err(|p| missing(p, "campaign"))?;
    let draft = body.person.draft(country)?;
    let now = app.clock.now();
    let numbers: Vec<_> = draft.phones.iter().map(|p| p.phone).collect();
    let listed = app.catalog.suppressed(who.tenant, Some(campaign), &numbers, now).await?;
    if let Some(at) = listed.iter().position(|l| l.any()) {
        return Err(Problem::field(&format!("phones[{at}]"), "is on a do-not-call list", "do not add this number"));
    }
    let id: LeadId = app.new_id(who.tenant);
    let (row, filing) = crate::jobs::refile::filing(&app, campaign).await?;
    let mut lead = Lead::from_draft(id, campaign, None, &draft, 0, autocall_core::Timestamp::EPOCH);
    app.engine.file(&mut lead, &row, &filing, now);
    let batch = LeadBatch { campaign, leads: vec![lead], step: None, at: now };
    match app.catalog.add_leads(&batch).await?.first() {
        Some(Added::New | Added::Again) => {}
        _ => {
            return Err(Problem::conflict("the campaign already has this number")
                .remedy("find it with GET /api/leads?campaign=…&phone=…"));
        }
    }
    super::note(&app, &who, "lead.create", Key::from(id), serde_json::json!({})).await?;
    let view = LeadView::of(app.catalog.lead(id).await?);
    Ok(Created { location: format!("/api/leads/{}", view.id), version: Some(view.version), body: view })
}

/// A thing that a body names and that does not exist is a wrong field.
pub fn missing(problem: Problem, field: &str) -> Problem {
    if problem.status == 404 {
        Problem::field(field, "names nothing that exists", "use an id that a list gave you")
    } else {
        problem
    }
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<LeadView>> {
    let view = LeadView::of(app.catalog.lead(key.of(who.tenant)).await?);
    Ok(Tagged(view.version, view))
}

async fn change(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<ChangeLead>,
) -> Answer<Tagged<LeadView>> {
    let id: LeadId = key.of(who.tenant);
    let mut found = app.catalog.lead(id).await?;
    wanted.check(found.version)?;
    let settings = app.catalog.campaign_item(found.row.campaign).await?.campaign.row.settings.clone();
    let mut row = found.row.clone();
    body.person.edit(&mut row, Country::parse(&settings.country).unwrap_or(Country::US))?;
    if row != found.row {
        edit_person(&app, &found, row).await?;
        found = app.catalog.lead(id).await?;
    }
    if let Some(callback) = body.callback {
        appoint(&app, &found, &callback).await?;
        found = app.catalog.lead(id).await?;
    }
    if let Some(status) = body.status {
        let event = match status {
            NewStatus::Closed => LeadEvent::Close,
            NewStatus::Open => LeadEvent::Reopen,
        };
        app.engine.lead_event(&found, &event, &settings).await?;
    }
    super::note(&app, &who, "lead.change", key, serde_json::json!({})).await?;
    one(State(app), who, Path(key)).await
}

async fn edit_person(app: &App, found: &Versioned<Lead>, mut row: Lead) -> Answer<()> {
    let id = row.id;
    crate::jobs::refile::filing(app, row.campaign).await?.1.file(&mut row);
    let first = row.numbers[0].phone;
    if first != found.row.numbers[0].phone {
        let known = app.catalog.known_numbers(row.campaign, &[first]).await?;
        if known.first() == Some(&true) {
            return Err(Problem::conflict("the campaign already has this number"));
        }
        let listed = app.catalog.suppressed(id.tenant(), Some(row.campaign), &[first], app.clock.now()).await?;
        if listed.iter().any(|l| l.any()) {
            return Err(Problem::field("phones[0]", "is on a do-not-call list", "use another number"));
        }
    }
    let mut changes = Changes::new(id.tenant(), app.clock.now());
    changes.leads.push(Put { row, expected: found.version });
    app.store.commit(&changes).await?;
    Ok(())
}

/// Makes an appointment with a lead.
pub async fn appoint(app: &App, lead: &Versioned<Lead>, callback: &NewCallback) -> Answer<()> {
    let now = app.clock.now();
    let until = now + autocall_core::Millis::from_days(366);
    if callback.at.0 < now || callback.at.0 > until {
        return Err(Problem::field("callback.at", "is not within the next year", "use a time from now on"));
    }
    let agent = callback.agent.map(|k| k.of(lead.row.id.tenant()));
    if let Some(agent) = agent {
        app.catalog.agent(agent).await.map_err(Problem::from).map_err(|p| missing(p, "callback.agent"))?;
    }
    let settings = app.catalog.campaign_item(lead.row.campaign).await?.campaign.row.settings.clone();
    let event = LeadEvent::Appoint(Callback { at: callback.at.0, agent });
    Ok(app.engine.lead_event(lead, &event, &settings).await?)
}

/// What to do with many leads.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Bulk {
    /// Which; at most 500.
    ids: Vec<Key>,
    /// open or closed.
    status: Option<NewStatus>,
    /// low, normal, high or urgent.
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
}

/// What became of them.
#[derive(Serialize, ToSchema)]
struct BulkDone {
    /// How many were changed.
    changed: u32,
    /// Those that do not exist, or changed at the same moment.
    failed: Vec<Key>,
}

async fn bulk(State(app): State<App>, who: Principal, Json(body): Json<Bulk>) -> Answer<Json<BulkDone>> {
    if body.ids.is_empty() || body.ids.len() > 500 {
        return Err(Problem::field("ids", "must be 1 to 500", "send several requests"));
    }
    let mut done = BulkDone { changed: 0, failed: Vec::new() };
    for key in &body.ids {
        match one_of_many(&app, &who, *key, &body).await {
            Ok(()) => done.changed += 1,
            Err(problem) if matches!(problem.status, 404 | 409 | 412) => done.failed.push(*key),
            Err(problem) => return Err(problem),
        }
    }
    super::note(&app, &who, "lead.bulk", "leads", serde_json::json!({ "changed": done.changed })).await?;
    Ok(Json(done))
}

async fn one_of_many(app: &App, who: &Principal, key: Key, body: &Bulk) -> Answer<()> {
    let id: LeadId = key.of(who.tenant);
    let mut found = app.catalog.lead(id).await?;
    if let Some(priority) = body.priority
        && priority != found.row.priority
    {
        let mut row = found.row.clone();
        row.priority = priority;
        edit_person(app, &found, row).await?;
        found = app.catalog.lead(id).await?;
    }
    if let Some(status) = body.status {
        let settings = app.catalog.campaign_item(found.row.campaign).await?.campaign.row.settings.clone();
        let event = match status {
            NewStatus::Closed => LeadEvent::Close,
            NewStatus::Open => LeadEvent::Reopen,
        };
        app.engine.lead_event(&found, &event, &settings).await?;
    }
    Ok(())
}

/// Something that happened to a lead.
#[derive(Serialize, ToSchema)]
struct Happening {
    /// When.
    at: When,
    /// The call.
    call: Key,
    /// Where it stands, or how it ended.
    what: String,
    /// Who took it.
    agent: Option<Key>,
    /// How long they talked, milliseconds.
    talk_ms: i64,
    /// What the agent said.
    disposition: Option<String>,
}

async fn timeline(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Happening>>> {
    let id: LeadId = key.of(who.tenant);
    app.catalog.lead(id).await?;
    let filter = CallFilter { lead: Some(id), ..CallFilter::default() };
    let ask: PageAsk = paging.ask()?;
    let page = app.catalog.calls(who.tenant, &filter, &ask).await?;
    Ok(Json(Page::from(page, |call| Happening {
        at: call.dialled_at.into(),
        call: call.id.into(),
        what: call.outcome.map_or(call.stage.to_string(), |o| o.name().to_owned()),
        agent: call.agent.map(Key::from),
        talk_ms: call.talk_ms,
        disposition: call.disposition.map(|d| d.to_string()),
    })))
}
