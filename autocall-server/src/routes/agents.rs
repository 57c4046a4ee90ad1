//! Agents.

use super::leads::missing;
use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Json, Path, Query, Tagged};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State as Doing, Status};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::catalog::StoredPool;
use autocall_core::ports::{Changes, Put, Versioned};
use autocall_core::{AgentId, PoolId, Private};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const READ: Rule = Rule::Needs(Right::CampaignsRead);
const WRITE: Rule = Rule::Needs(Right::AgentsWrite);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/agents", READ, "Lists agents.", list).asks::<Paging>().asks::<ByPool>().gives_page::<AgentView>();
    table
        .post("/api/agents", WRITE, "Creates an agent, offline at first.", create)
        .takes::<NewAgent>()
        .gives::<AgentView>(201)
        .once();
    table.get("/api/agents/{id}", READ, "One agent.", one).gives::<AgentView>(200);
    table
        .put("/api/agents/{id}", WRITE, "Changes an agent's name, address or pool.", change)
        .takes::<ChangeAgent>()
        .guarded()
        .gives::<AgentView>(200);
    table
        .delete("/api/agents/{id}", WRITE, "Removes an agent who is offline and holds no call.", remove)
        .guarded()
        .gives_nothing()
        .may(&[409]);
    table
        .put(
            "/api/agents/{id}/status",
            Rule::Either(Right::Work, Right::Supervise),
            "Sets what an agent is ready for. Agents set their own, supervisors anybody's.",
            set_status,
        )
        .takes::<NewStatus>()
        .gives::<AgentView>(200)
        .urgent();
}

/// Of which pool.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ByPool {
    /// Only agents of this pool.
    #[param(value_type = Option<String>)]
    pool: Option<Key>,
}

/// Where an agent is reached: one of the three.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressInput {
    /// A telephone number.
    Phone(String),
    /// A SIP address, `sip:name@host`.
    Sip(String),
    /// A softphone's name at the carrier.
    Client(String),
}

impl AddressInput {
    /// As the core has it.
    pub fn read(&self, field: &str) -> Answer<Address> {
        match self {
            AddressInput::Phone(text) => {
                let normal =
                    normalise(text, Country::US).map_err(|e| Problem::field(field, e.to_string(), e.remedy()))?;
                Ok(Address::Phone(normal.phone))
            }
            AddressInput::Sip(text) => {
                let good = text.starts_with("sip:")
                    && text.contains('@')
                    && text.len() <= 200
                    && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\".contains(&b));
                if good {
                    Ok(Address::Sip(Private::new(text.as_str())))
                } else {
                    Err(Problem::field(field, "is not a SIP address", "write it as sip:name@host"))
                }
            }
            AddressInput::Client(text) => {
                let good =
                    (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if good {
                    Ok(Address::Client(Private::new(text.as_str())))
                } else {
                    Err(Problem::field(field, "is not a softphone's name", "use letters, digits and underscores"))
                }
            }
        }
    }
}

/// An agent to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAgent {
    /// Their name.
    name: String,
    /// Their telephone number; short for `address.phone`.
    phone: Option<String>,
    /// Where they are reached.
    address: Option<AddressInput>,
    /// Their pool; the tenant's first one where absent.
    pool: Option<Key>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAgent {
    /// Their name.
    name: Option<String>,
    /// Where they are reached.
    address: Option<AddressInput>,
    /// Their pool.
    pool: Option<Key>,
}

/// What an agent is ready for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    /// available, away or offline.
    status: StatusWord,
    /// Why they are away.
    reason: Option<String>,
}

/// What an agent is ready for, as a word.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    /// For calls.
    Available,
    /// Not now.
    Away,
    /// Not at work.
    Offline,
}

/// An agent.
#[derive(Serialize, ToSchema)]
pub struct AgentView {
    /// Who.
    pub id: Key,
    /// Their name.
    pub name: String,
    /// Their pool.
    pub pool: Key,
    /// phone, sip or client.
    pub reached_by: &'static str,
    /// Where they are reached; a telephone number is shown in part.
    pub address: String,
    /// available, away or offline.
    pub status: &'static str,
    /// Why they are away.
    pub reason: Option<String>,
    /// idle, reserved, ringing, talking or wrap_up.
    pub state: &'static str,
    /// Since when.
    pub since: When,
    /// The call that they are with, or wrote up last.
    pub call: Option<Key>,
    /// When the wrap-up ends by itself.
    pub wrap_up_until: Option<When>,
    /// Whether their standing leg is up.
    pub standing: bool,
    /// Their version; the ETag.
    pub version: u64,
}

impl AgentView {
    /// Of an agent.
    pub fn of(found: Versioned<Agent>) -> AgentView {
        let agent = found.row;
        let (reached_by, address) = match &agent.address {
            Address::Phone(phone) => ("phone", phone.to_string()),
            Address::Sip(sip) => ("sip", sip.expose().to_owned()),
            Address::Client(client) => ("client", client.expose().to_owned()),
        };
        let (status, reason) = match &agent.status {
            Status::Available => ("available", None),
            Status::Away(reason) => ("away", Some(reason.to_string())),
            Status::Offline => ("offline", None),
        };
        let (state, until) = match agent.state {
            Doing::Idle => ("idle", None),
            Doing::Held { hold: Hold::Reserved, .. } => ("reserved", None),
            Doing::Held { hold: Hold::Ringing, .. } => ("ringing", None),
            Doing::Held { hold: Hold::Talking, .. } => ("talking", None),
            Doing::WrapUp { until, .. } => ("wrap_up", Some(When(until))),
        };
        AgentView {
            id: agent.id.into(),
            name: agent.name.expose().to_owned(),
            pool: agent.pool.into(),
            reached_by,
            address,
            status,
            reason,
            state,
            since: agent.since.into(),
            call: agent.call().map(Key::from),
            wrap_up_until: until,
            standing: agent.is_standing(),
            version: found.version,
        }
    }
}

async fn list(
    State(app): State<App>,
    who: Principal,
    Query(paging): Query<Paging>,
    Query(by): Query<ByPool>,
) -> Answer<Json<Page<AgentView>>> {
    let page = app.catalog.agents(who.tenant, by.pool.map(|k| k.of(who.tenant)), &paging.ask()?).await?;
    Ok(Json(Page::from(page, AgentView::of)))
}

/// The pool of that key, or the tenant's first one; made where there is none.
pub async fn pool(app: &App, who: &Principal, key: Option<Key>) -> Answer<PoolId> {
    let known = app.catalog.pools(who.tenant).await?;
    if let Some(key) = key {
        let id: PoolId = key.of(who.tenant);
        let there = known.iter().any(|p| p.row.id == id);
        return if there { Ok(id) } else { Err(missing(Problem::not_found(), "pool")) };
    }
    if let Some(first) = known.first() {
        return Ok(first.row.id);
    }
    let row = StoredPool { id: app.new_id(who.tenant), name: "Agents".into() };
    let id = row.id;
    app.catalog.put_pool(&Put { row, expected: 0 }).await?;
    Ok(id)
}

fn name_of(name: &str) -> Answer<Private> {
    let name = name.trim();
    let good = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good {
        Ok(Private::new(name))
    } else {
        Err(Problem::field("name", "cannot be a name", "use 1 to 200 characters"))
    }
}

async fn create(State(app): State<App>, who: Principal, Json(body): Json<NewAgent>) -> Answer<Created<AgentView>> {
    let address = match (&body.address, &body.phone) {
        (Some(address), None) => address.read("address")?,
        (None, Some(phone)) => AddressInput::Phone(phone.clone()).read("phone")?,
        _ => return Err(Problem::field("phone", "is missing", "give either phone or address")),
    };
    let name = name_of(&body.name)?;
    let pool = pool(&app, &who, body.pool).await?;
    let id: AgentId = app.new_id(who.tenant);
    let now = app.clock.now();
    let mut changes = Changes::new(who.tenant, now);
    changes.agents.push(Put { row: Agent::new(id, pool, name, address, now), expected: 0 });
    app.store.commit(&changes).await?;
    super::note(&app, &who, "agent.create", Key::from(id), serde_json::json!({})).await?;
    let view = AgentView::of(app.catalog.agent(id).await?);
    Ok(Created { location: format!("/api/agents/{}", view.id), version: Some(view.version), body: view })
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<AgentView>> {
    let view = AgentView::of(app.catalog.agent(key.of(who.tenant)).await?);
    Ok(Tagged(view.version, view))
}

async fn change(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<ChangeAgent>,
) -> Answer<Tagged<AgentView>> {
    let found = app.catalog.agent(key.of(who.tenant)).await?;
    wanted.check(found.version)?;
    let mut row = found.row.clone();
    if let Some(name) = &body.name {
        row.name = name_of(name)?;
    }
    if let Some(address) = &body.address {
        row.address = address.read("address")?;
    }
    if body.pool.is_some() {
        row.pool = pool(&app, &who, body.pool).await?;
    }
    if row != found.row {
        let mut changes = Changes::new(who.tenant, app.clock.now());
        changes.agents.push(Put { row, expected: found.version });
        app.store.commit(&changes).await?;
        super::note(&app, &who, "agent.change", key, serde_json::json!({})).await?;
    }
    one(State(app), who, Path(key)).await
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>, wanted: IfMatch) -> Answer<Done> {
    let id: AgentId = key.of(who.tenant);
    let found = app.catalog.agent(id).await?;
    wanted.check(found.version)?;
    if found.row.status != Status::Offline || found.row.state != Doing::Idle {
        return Err(Problem::conflict("the agent is at work").remedy("set them to offline and let their call end"));
    }
    app.catalog.remove_agent(id, found.version).await?;
    super::note(&app, &who, "agent.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}

async fn set_status(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<NewStatus>,
) -> Answer<Tagged<AgentView>> {
    let id: AgentId = key.of(who.tenant);
    app.catalog.agent(id).await?;
    if who.agent != Some(id) && !who.rights.holds(Right::Supervise) {
        return Err(Problem::not_found());
    }
    let reason = body.reason.as_deref().map(str::trim).filter(|r| !r.is_empty()).unwrap_or("away");
    if reason.chars().count() > 100 {
        return Err(Problem::field("reason", "is longer than 100 characters", "shorten it"));
    }
    let status = match body.status {
        StatusWord::Available => Status::Available,
        StatusWord::Away => Status::Away(reason.into()),
        StatusWord::Offline => Status::Offline,
    };
    let tasks = app.engine.agent_event(id, &AgentEvent::Status(status)).await?;
    app.give(tasks);
    one(State(app), who, Path(key)).await
}
