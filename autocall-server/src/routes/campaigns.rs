//! Campaigns.

use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Json, MaybeJson, Path, Query, Tagged};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use crate::views::{Settings, campaign_settings};
use autocall_core::CampaignId;
use autocall_core::campaign::{Campaign, Command, Effect, State as Stage};
use autocall_core::engine::Task;
use autocall_core::ports::catalog::CampaignItem;
use autocall_core::ports::{Changes, Put};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

const READ: Rule = Rule::Needs(Right::CampaignsRead);
const WRITE: Rule = Rule::Needs(Right::CampaignsWrite);
const RUN: Rule = Rule::Needs(Right::CampaignsRun);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/campaigns", READ, "Lists campaigns, the newest first.", list)
        .asks::<Paging>()
        .asks::<ByState>()
        .gives_page::<CampaignView>();
    table
        .post("/api/campaigns", WRITE, "Creates a campaign as a draft.", create)
        .takes::<NewCampaign>()
        .gives::<CampaignView>(201)
        .once();
    table.get("/api/campaigns/{id}", READ, "One campaign.", one).gives::<CampaignView>(200);
    table
        .put("/api/campaigns/{id}", WRITE, "Changes a campaign's name or settings.", change)
        .takes::<ChangeCampaign>()
        .guarded()
        .gives::<CampaignView>(200)
        .may(&[409]);
    table
        .post("/api/campaigns/{id}/start", RUN, "Starts dialing. The first real start asks for confirmation.", start)
        .takes_maybe::<Start>()
        .gives::<CampaignView>(200)
        .may(&[409]);
    table
        .post("/api/campaigns/{id}/schedule", RUN, "Starts dialing at the time in its schedule.", schedule)
        .takes_maybe::<Start>()
        .gives::<CampaignView>(200)
        .may(&[409]);
    table
        .post("/api/campaigns/{id}/pause", RUN, "Dials nobody new; calls that run go on.", pause)
        .gives::<CampaignView>(200)
        .may(&[409])
        .urgent();
    table
        .post("/api/campaigns/{id}/finish", RUN, "Ends a campaign for good; conversations go on.", finish)
        .gives::<CampaignView>(200)
        .may(&[409])
        .urgent();
    table
        .post("/api/campaigns/{id}/archive", WRITE, "Hides a finished campaign from lists, or shows it again.", archive)
        .takes::<Archive>()
        .gives_nothing()
        .may(&[409]);
    table
        .post("/api/campaigns/{id}/clone", WRITE, "A new draft with the same settings and no leads.", clone)
        .takes::<Rename>()
        .gives::<CampaignView>(201)
        .once();
}

/// Which campaigns.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ByState {
    /// Only those in this state: draft, scheduled, running, paused, finished.
    state: Option<Stage_>,
    /// Also archived ones.
    #[serde(default)]
    archived: bool,
}

/// A campaign's state, as a word.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CampaignState)]
enum Stage_ {
    Draft,
    Scheduled,
    Running,
    Paused,
    Finished,
}

impl From<Stage_> for Stage {
    fn from(s: Stage_) -> Stage {
        match s {
            Stage_::Draft => Stage::Draft,
            Stage_::Scheduled => Stage::Scheduled,
            Stage_::Running => Stage::Running,
            Stage_::Paused => Stage::Paused,
            Stage_::Finished => Stage::Finished,
        }
    }
}

/// A campaign to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCampaign {
    /// Its name, 1 to 200 characters.
    name: String,
    /// What its owner decides; the defaults where nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Value>,
}

/// What to change. What is absent stays; settings are replaced as a whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeCampaign {
    /// Its name.
    name: Option<String>,
    /// Its settings.
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Value>,
}

/// Confirms a first real start.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Start {
    /// How many people will be called, as the refusal said.
    confirm: Option<i64>,
}

/// Whether it is archived.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Archive {
    /// True to hide it.
    archived: bool,
}

/// A name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// 1 to 200 characters.
    name: String,
}

/// Leads by state.
#[derive(Serialize, ToSchema)]
pub struct LeadSums {
    /// Waiting to be called.
    pub open: i64,
    /// In a call.
    pub calling: i64,
    /// Not to be called any more.
    pub closed: i64,
}

/// Calls in flight.
#[derive(Serialize, ToSchema)]
pub struct LoadSums {
    /// On their way, ringing, or being listened to by the detector.
    pub dialing: i32,
    /// People who wait for an agent.
    pub waiting: i32,
    /// People who wait while an agent is asked.
    pub offering: i32,
    /// Conversations.
    pub bridged: i32,
    /// Messages being heard.
    pub message: i32,
}

/// A campaign.
#[derive(Serialize, ToSchema)]
pub struct CampaignView {
    /// Which.
    pub id: Key,
    /// Its name.
    pub name: String,
    /// draft, scheduled, running, paused or finished.
    #[schema(value_type = String)]
    pub state: Stage,
    /// Leads by state.
    pub leads: LeadSums,
    /// Why it was paused by itself, where it was.
    pub halted: Option<String>,
    /// What its settled calls cost, millionths; see the campaign's cost.
    pub spent_micros: i64,
    /// Calls in flight.
    pub calls: LoadSums,
    /// What its owner decided.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    /// What keeps it from starting.
    pub problems: Vec<crate::http::problem::FieldProblem>,
    /// Its version; the ETag.
    pub version: u64,
    /// When it was created.
    pub created_at: When,
    /// When it was first started.
    pub started_at: Option<When>,
    /// When it was finished.
    pub finished_at: Option<When>,
}

impl CampaignView {
    /// Of an item of the catalog.
    pub fn of(item: CampaignItem) -> CampaignView {
        let row = &item.campaign.row;
        CampaignView {
            id: row.id.into(),
            name: row.name.to_string(),
            state: row.state,
            halted: row.halted.as_deref().map(str::to_owned),
            spent_micros: item.spent_micros,
            leads: LeadSums { open: item.leads.open, calling: item.leads.calling, closed: item.leads.closed },
            calls: LoadSums {
                dialing: item.load.dialing,
                waiting: item.load.waiting,
                offering: item.load.offering,
                bridged: item.load.bridged,
                message: item.load.message,
            },
            settings: campaign_settings::out(&row.settings),
            problems: Problem::settings(&row.settings.check()).errors,
            version: item.campaign.version,
            created_at: item.created_at.into(),
            started_at: row.started_at.map(When),
            finished_at: row.finished_at.map(When),
        }
    }
}

async fn view(app: &App, id: CampaignId) -> Answer<Tagged<CampaignView>> {
    let view = CampaignView::of(app.catalog.campaign_item(id).await?);
    Ok(Tagged(view.version, view))
}

fn name_of(name: &str) -> Answer<Arc<str>> {
    let name = name.trim();
    let good = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good { Ok(name.into()) } else { Err(Problem::field("name", "cannot be a name", "use 1 to 200 characters")) }
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Query(paging): Query<Paging>,
    Query(by): Query<ByState>,
) -> Answer<Json<Page<CampaignView>>> {
    let page = app.catalog.campaigns(who.tenant, by.state.map(Stage::from), &paging.ask()?).await?;
    let hidden = if by.archived { Vec::new() } else { archived(&app, &who).await? };
    let page = Page::from(page, CampaignView::of);
    let items = page.items.into_iter().filter(|c| !hidden.contains(&c.id)).collect();
    Ok(Json(Page { items, next: page.next }))
}

/// The kind of the marks on archived campaigns.
const ARCHIVED: &str = "archived-campaign";

async fn archived(app: &App, who: &Principal) -> Answer<Vec<Key>> {
    let page = autocall_core::ports::catalog::PageAsk::first(500);
    let marks = app.catalog.documents(who.tenant, ARCHIVED, &page).await?;
    Ok(marks.items.iter().filter_map(|d| d.row.key.parse().ok()).collect())
}

async fn create(
    State(app): State<App>,
    who: Principal,
    Json(body): Json<NewCampaign>,
) -> Answer<Created<CampaignView>> {
    let settings = match body.settings {
        Some(json) => campaign_settings::read(&app, who.tenant, json).await?,
        None => Settings::default(),
    };
    make(&app, &who, &body.name, settings).await
}

async fn make(app: &App, who: &Principal, name: &str, mut settings: Settings) -> Answer<Created<CampaignView>> {
    // A campaign that names no number shows the tenant's own, or the environment's.
    if settings.caller_ids.is_empty() {
        settings.caller_ids.extend(super::numbers::default_caller(app, who.tenant).await?);
    }
    let id: CampaignId = app.new_id(who.tenant);
    let row = Campaign::new(id, &name_of(name)?, settings);
    let mut changes = Changes::new(who.tenant, app.clock.now());
    changes.campaigns.push(Put { row, expected: 0 });
    app.store.commit(&changes).await?;
    super::note(app, who, "campaign.create", Key::from(id), serde_json::json!({})).await?;
    let Tagged(version, body) = view(app, id).await?;
    Ok(Created { location: format!("/api/campaigns/{}", Key::from(id)), version: Some(version), body })
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CampaignView>> {
    view(&app, key.of(who.tenant)).await
}

/// Commands a campaign, against the version that was read.
async fn command(
    app: &App,
    who: &Principal,
    id: CampaignId,
    commands: &[Command],
    wanted: IfMatch,
    action: &'static str,
) -> Answer<Tagged<CampaignView>> {
    for attempt in 0.. {
        let found = app.catalog.campaign_item(id).await?.campaign;
        wanted.check(found.version)?;
        let now = app.clock.now();
        let mut row = (*found.row).clone();
        let mut effects = Vec::new();
        for command in commands {
            effects.extend(row.command(command, now)?);
        }
        app.engine.may_become(&found.row, &row, now)?;
        if row == *found.row {
            break;
        }
        let mut changes = Changes::new(id.tenant(), now);
        changes.campaigns.push(Put { row, expected: found.version });
        match app.store.commit(&changes).await {
            Ok(_) => {
                if effects.contains(&Effect::StopCalls) {
                    // The engine ends the calls with the same command, which changes nothing more.
                    stop_calls(app, id).await?;
                }
                app.give(vec![Task::Tick(id)]);
                autocall_core::ports::Notifier::notify(
                    &*app.hub,
                    &autocall_core::ports::Note::Campaign { campaign: id },
                );
                super::note(app, who, action, Key::from(id), serde_json::json!({})).await?;
                break;
            }
            // The engine writes campaigns as well: without If-Match that is no reason to refuse.
            Err(autocall_core::ports::StoreError::Conflict { .. }) if wanted.0.is_none() && attempt < 8 => {}
            Err(error) => return Err(error.into()),
        }
    }
    view(app, id).await
}

async fn stop_calls(app: &App, id: CampaignId) -> Answer<()> {
    let running = app.store.campaign(id).await?;
    let stop = |c: &autocall_core::ports::CallBrief| Task::Stop(c.id, autocall_core::call::Stop::Campaign);
    app.give(running.calls.iter().map(stop).collect());
    Ok(())
}

async fn change(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<ChangeCampaign>,
) -> Answer<Tagged<CampaignView>> {
    let id: CampaignId = key.of(who.tenant);
    let mut commands = Vec::new();
    if let Some(name) = &body.name {
        commands.push(Command::Rename(name_of(name)?));
    }
    let mut refile = false;
    if let Some(json) = body.settings {
        let settings = campaign_settings::read(&app, who.tenant, json).await?;
        let before = app.catalog.campaign_item(id).await?.campaign.row.settings.clone();
        refile = crate::jobs::refile::moves(&before, &settings);
        commands.push(Command::Change(Arc::new(settings)));
    }
    let changed = command(&app, &who, id, &commands, wanted, "campaign.change").await?;
    if refile {
        crate::jobs::refile::ask(&app, id).await?;
    }
    Ok(changed)
}

/// The first start with a real carrier must be confirmed with the number of people.
async fn confirmed(app: &App, id: CampaignId, start: &Start) -> Answer<()> {
    use autocall_twilio::Accounts as _;
    if let Some(link) = &app.link
        && link.accounts.named(&id.tenant().to_string()).await.is_none()
    {
        return Err(Problem::conflict("there is no carrier account to call on")
            .remedy("bring your own: PUT /api/tenant/carrier; or ask whoever runs the server"));
    }
    let item = app.catalog.campaign_item(id).await?;
    if app.config.is_trial() || item.campaign.row.started_at.is_some() {
        return Ok(());
    }
    let people = match &app.config.dial_only {
        Some(numbers) => (numbers.len() as i64).min(item.leads.open),
        None => item.leads.open,
    };
    if start.confirm == Some(people) {
        return Ok(());
    }
    let mut problem = Problem::conflict(format!("{people} people will be called for real"));
    problem.kind = "confirm_start".into();
    problem.errors =
        Problem::field("confirm", format!("is not {people}"), format!("send {{\"confirm\": {people}}}")).errors;
    Err(problem)
}

async fn start(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    MaybeJson(body): MaybeJson<Start>,
) -> Answer<Tagged<CampaignView>> {
    confirmed(&app, key.of(who.tenant), &body).await?;
    command(&app, &who, key.of(who.tenant), &[Command::Start], IfMatch(None), "campaign.start").await
}

async fn schedule(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    MaybeJson(body): MaybeJson<Start>,
) -> Answer<Tagged<CampaignView>> {
    confirmed(&app, key.of(who.tenant), &body).await?;
    command(&app, &who, key.of(who.tenant), &[Command::Schedule], IfMatch(None), "campaign.schedule").await
}

async fn pause(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CampaignView>> {
    command(&app, &who, key.of(who.tenant), &[Command::Pause], IfMatch(None), "campaign.pause").await
}

async fn finish(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CampaignView>> {
    command(&app, &who, key.of(who.tenant), &[Command::Finish], IfMatch(None), "campaign.finish").await
}

async fn archive(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Archive>,
) -> Answer<crate::http::take::Done> {
    let item = app.catalog.campaign_item(key.of(who.tenant)).await?;
    if body.archived && item.campaign.row.state != Stage::Finished {
        return Err(Problem::conflict("only a finished campaign can be archived").remedy("finish it first"));
    }
    let name = key.to_string();
    let present = crate::views::document(&app, who.tenant, ARCHIVED, &name).await?;
    match (body.archived, present) {
        (true, None) => {
            let row = autocall_core::ports::catalog::Document {
                tenant: who.tenant,
                kind: ARCHIVED.into(),
                key: name.into(),
                body: serde_json::json!({}),
                until: None,
            };
            app.catalog.put_document(&Put { row, expected: 0 }).await?;
        }
        (false, Some(mark)) => app.catalog.remove_document(who.tenant, ARCHIVED, &name, mark.version).await?,
        _ => {}
    }
    super::note(&app, &who, "campaign.archive", key, serde_json::json!({ "archived": body.archived })).await?;
    Ok(crate::http::take::Done)
}

async fn clone(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Rename>,
) -> Answer<Created<CampaignView>> {
    let item = app.catalog.campaign_item(key.of(who.tenant)).await?;
    make(&app, &who, &body.name, (*item.campaign.row.settings).clone()).await
}
