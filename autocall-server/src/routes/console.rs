//! The agent's console: what is offered, and what an agent does with it.

use super::agents::{AddressInput, AgentView};
use super::calls::{CallInFull, view};
use super::leads::NewCallback;
use crate::app::App;
use crate::desk::{Step, Tape};
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json, MaybeJson, Path, Tagged};
use crate::http::values::Key;
use crate::identity::{Principal, Right, Rule};
use crate::views::person::LeadView;
use autocall_core::agent::{AgentEvent, State as Doing};
use autocall_core::lead::Callback;
use autocall_core::settings::Then;
use autocall_core::{AgentId, CallId};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const WORK: Rule = Rule::Needs(Right::Work);

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/console", WORK, "What the agent sees: themselves, their call, its lead.", console)
        .gives::<Console>(200)
        .may(&[404])
        .urgent();
    table.post("/api/console/ready", WORK, "Ends the wrap-up.", ready).gives::<Console>(200).may(&[404, 409]).urgent();
    table
        .post("/api/console/stand", WORK, "Has the agent's phone called to stand for a shift.", stand)
        .gives::<Console>(200)
        .may(&[404, 409]);
    table
        .post("/api/console/next", WORK, "Preview: dials the next lead, or the one named, for this agent.", next)
        .takes::<NextLead>()
        .gives_nothing()
        .may(&[404, 409])
        .urgent();
    table
        .post(
            "/api/console/show",
            WORK,
            "Preview: shows the next lead that may be called; the same one until it is dialed or skipped.",
            show,
        )
        .takes::<OfCampaign>()
        .gives::<LeadView>(200)
        .may(&[404, 409])
        .urgent();
    table
        .post("/api/console/skip", WORK, "Preview: lets the lead that is shown be; it comes up again later.", skip)
        .takes::<Skip>()
        .gives_nothing()
        .may(&[404, 409])
        .urgent();
    table
        .post("/api/calls/{id}/accept", WORK, "Takes the offered call.", accept)
        .gives::<CallInFull>(200)
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/decline", WORK, "Lets the offered call pass.", decline)
        .gives::<CallInFull>(200)
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/disposition", WORK, "Says how the call went.", disposition)
        .takes::<Disposition>()
        .gives::<CallInFull>(200)
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/callback", WORK, "Makes an appointment with the lead of a call.", callback)
        .takes::<NewCallback>()
        .gives_nothing()
        .may(&[409]);
    table
        .post("/api/calls/{id}/hold", WORK, "Puts the customer on hold, or takes them back.", hold)
        .takes::<OnOff>()
        .gives_nothing()
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/mute", WORK, "Mutes the agent, or not.", mute)
        .takes::<OnOff>()
        .gives_nothing()
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/transfer", WORK, "Hands the customer on to a number or another agent.", transfer)
        .takes::<Transfer>()
        .gives_nothing()
        .may(&[409])
        .urgent();
    table
        .post(
            "/api/calls/{id}/transfer/complete",
            WORK,
            "Leaves the consulted person and the customer together.",
            complete,
        )
        .gives_nothing()
        .may(&[409])
        .urgent();
    table
        .post(
            "/api/calls/{id}/voicemail",
            WORK,
            "Drops the campaign's message on the machine that answered.",
            voicemail,
        )
        .gives_nothing()
        .may(&[409])
        .urgent();
    table
        .post("/api/calls/{id}/recording", WORK, "Starts, pauses, resumes or stops the recording.", recording)
        .takes::<Recording>()
        .gives_nothing()
        .may(&[409])
        .urgent();
}

/// What an agent may say about the call.
#[derive(Serialize, ToSchema)]
pub struct Choice {
    /// The code to send.
    pub code: String,
    /// What the agent reads.
    pub label: String,
    /// Whether it wants a time.
    pub wants_time: bool,
}

/// What the agent sees.
#[derive(Serialize, ToSchema)]
pub struct Console {
    /// Themselves.
    pub agent: AgentView,
    /// Their call.
    pub call: Option<CallInFull>,
    /// Its lead.
    pub lead: Option<LeadView>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// Whether an answer is awaited: accept or decline.
    pub offered: bool,
    /// What may be said about the call afterwards.
    pub dispositions: Vec<Choice>,
}

/// What an agent sees at this moment.
pub async fn look(app: &App, agent: AgentId) -> Answer<Console> {
    let found = app.catalog.agent(agent).await?;
    let state = found.row.state;
    let mut console = Console {
        agent: AgentView::of(found),
        call: None,
        lead: None,
        campaign: None,
        offered: false,
        dispositions: Vec::new(),
    };
    let (Doing::Held { call, .. } | Doing::WrapUp { call, .. }) = state else { return Ok(console) };
    let detail = app.catalog.call_detail(call).await?;
    console.offered =
        matches!(detail.call.row.stage, autocall_core::call::Stage::Offering { agent: whom, .. } if whom == agent);
    let plan = detail.call.row.plan.clone();
    console.call = Some(CallInFull::of(detail));
    let snapshot = app.store.call(call).await?;
    console.lead = Some(LeadView::of(snapshot.lead));
    let campaign = &snapshot.campaign;
    debug_assert_eq!(campaign.id, plan.campaign);
    console.campaign = Some(campaign.name.to_string());
    console.dispositions = campaign
        .settings
        .dispositions
        .iter()
        .map(|d| Choice { code: d.code.to_string(), label: d.label.to_string(), wants_time: d.then == Then::Callback })
        .collect();
    Ok(console)
}

/// The agent of the principal, if the call is theirs: held now, taken or handed on by them. Who let it
/// pass has no say in it any more.
pub async fn own_call(app: &App, who: &Principal, call: CallId) -> Answer<AgentId> {
    let agent = who.as_agent()?;
    let row = app.store.call(call).await?.call.row;
    let taken = row.agent == Some(agent) && row.holds().is_none();
    let mine = row.holds() == Some(agent) || row.givers.contains(&agent) || taken;
    if mine { Ok(agent) } else { Err(Problem::not_found()) }
}

async fn console(State(app): State<App>, who: Principal) -> Answer<Json<Console>> {
    Ok(Json(look(&app, who.as_agent()?).await?))
}

async fn ready(State(app): State<App>, who: Principal) -> Answer<Json<Console>> {
    let agent = who.as_agent()?;
    app.give(app.engine.agent_event(agent, &AgentEvent::Ready).await?);
    Ok(Json(look(&app, agent).await?))
}

async fn stand(State(app): State<App>, who: Principal) -> Answer<Json<Console>> {
    let agent = who.as_agent()?;
    let from = super::numbers::default_caller(&app, who.tenant).await?;
    let from = from.ok_or_else(|| {
        Problem::conflict("no number of the tenant can be shown").remedy("add one: POST /api/numbers")
    })?;
    app.give(app.engine.stand(agent, from, 4 * 3_600_000).await?);
    Ok(Json(look(&app, agent).await?))
}

/// Which lead to dial.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NextLead {
    /// Of which campaign.
    campaign: Key,
    /// Which lead; the next one that may be called where absent.
    lead: Option<Key>,
}

/// Of which campaign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OfCampaign {
    /// Its id.
    campaign: Key,
}

/// For how long the lead is let be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// Minutes until it comes up again.
    #[schema(minimum = 1, maximum = 10080)]
    again_in_min: u32,
}

async fn show(State(app): State<App>, who: Principal, Json(body): Json<OfCampaign>) -> Answer<Json<LeadView>> {
    let agent = who.as_agent()?;
    let lead = app.engine.show_next(body.campaign.of(who.tenant), agent).await?;
    Ok(Json(LeadView::of(app.catalog.lead(lead).await?)))
}

async fn skip(State(app): State<App>, who: Principal, Json(body): Json<Skip>) -> Answer<Done> {
    let agent = who.as_agent()?;
    if !(1..=10_080).contains(&body.again_in_min) {
        return Err(Problem::field("again_in_min", "is not 1 to 10080", "give minutes, a week at most"));
    }
    app.engine.skip(agent, autocall_core::Millis::from_mins(i64::from(body.again_in_min))).await?;
    Ok(Done)
}

async fn next(State(app): State<App>, who: Principal, Json(body): Json<NextLead>) -> Answer<Done> {
    let agent = who.as_agent()?;
    let campaign = body.campaign.of(who.tenant);
    let lead = body.lead.map(|k| k.of(who.tenant));
    app.give(app.engine.dial_for(campaign, agent, lead).await?);
    Ok(Done)
}

async fn answer(app: &App, who: &Principal, key: Key, yes: bool) -> Answer<Tagged<CallInFull>> {
    let call: CallId = key.of(who.tenant);
    let agent = who.as_agent()?;
    let row = app.store.call(call).await?.call.row;
    if row.holds() != Some(agent) {
        let gone = row.passed.contains(&agent) || row.agent == Some(agent);
        return Err(if gone {
            Problem::conflict("the call is not offered to you any more")
        } else {
            Problem::not_found()
        });
    }
    app.give(app.engine.answer(call, agent, yes).await?);
    view(app, call).await
}

async fn accept(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CallInFull>> {
    answer(&app, &who, key, true).await
}

async fn decline(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<CallInFull>> {
    answer(&app, &who, key, false).await
}

/// How a call went.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Disposition {
    /// One of the campaign's dispositions.
    code: String,
    /// The appointment, where the disposition wants one.
    callback: Option<NewCallback>,
}

async fn disposition(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Disposition>,
) -> Answer<Tagged<CallInFull>> {
    let call: CallId = key.of(who.tenant);
    let agent = own_call(&app, &who, call).await?;
    let snapshot = app.store.call(call).await?;
    if !snapshot.campaign.settings.dispositions.iter().any(|d| *d.code == *body.code) {
        return Err(Problem::field("code", "is not a disposition of the campaign", "GET /api/console lists them"));
    }
    let callback = match body.callback {
        Some(c) if c.at.0 <= app.clock.now() => {
            return Err(Problem::field("callback.at", "is past", "use a later time"));
        }
        Some(c) => Some(Callback { at: c.at.0, agent: c.agent.map(|k| k.of(who.tenant)) }),
        None => None,
    };
    if let Some(agent) = callback.and_then(|c| c.agent) {
        app.catalog
            .agent(agent)
            .await
            .map_err(Problem::from)
            .map_err(|p| super::leads::missing(p, "callback.agent"))?;
    }
    app.give(app.engine.dispose(call, Some(agent), &body.code, callback).await?);
    view(&app, call).await
}

async fn callback(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<NewCallback>,
) -> Answer<Done> {
    let call: CallId = key.of(who.tenant);
    own_call(&app, &who, call).await?;
    let lead = app.store.call(call).await?.lead;
    super::leads::appoint(&app, &lead, &body).await?;
    Ok(Done)
}

/// On or off.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OnOff {
    /// True for on.
    on: bool,
}

/// To whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Transfer {
    /// Another agent.
    agent: Option<Key>,
    /// A number or an address.
    to: Option<AddressInput>,
    /// Whether the agent stays to talk first.
    #[serde(default)]
    consult: bool,
}

/// What happens to the recording.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Recording {
    /// start, pause, resume or stop.
    action: TapeWord,
}

/// What happens to the recording, as a word.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TapeWord {
    /// It begins.
    Start,
    /// It waits.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Stop,
}

/// The call in which this agent talks.
async fn own_talk(app: &App, who: &Principal, key: Key) -> Answer<CallId> {
    let id: CallId = key.of(who.tenant);
    let agent = own_call(app, who, id).await?;
    let call = talk(app, id).await?;
    let talks = matches!(call.stage, autocall_core::call::Stage::Bridged { agent: whom, .. } if whom == agent);
    if !talks || call.holds() != Some(agent) {
        return Err(Problem::conflict("you are not talking in this call"));
    }
    Ok(id)
}

async fn talk(app: &App, id: CallId) -> Answer<autocall_core::call::Call> {
    Ok(app.store.call(id).await?.call.row)
}

async fn step(app: &App, who: &Principal, key: Key, step: Step) -> Answer<Done> {
    let id = own_talk(app, who, key).await?;
    app.desk.step(&talk(app, id).await?, &step).await?;
    Ok(Done)
}

async fn hold(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    MaybeJson(b): MaybeJson<OnOff>,
) -> Answer<Done> {
    step(&app, &who, key, Step::Hold(b.on)).await
}

async fn mute(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    MaybeJson(b): MaybeJson<OnOff>,
) -> Answer<Done> {
    step(&app, &who, key, Step::Mute(b.on)).await
}

async fn transfer(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Transfer>,
) -> Answer<Done> {
    let id = own_talk(&app, &who, key).await?;
    let other = match (body.agent, &body.to) {
        (Some(agent), None) => {
            let agent: AgentId = agent.of(who.tenant);
            let found = app.catalog.agent(agent).await.map_err(Problem::from);
            found.map_err(|p| super::leads::missing(p, "agent"))?;
            Err(agent)
        }
        (None, Some(to)) => Ok(to.read("to")?),
        _ => return Err(Problem::field("to", "is missing", "give either agent or to")),
    };
    if body.consult {
        // The customer hears music while the agent asks; who cannot be held is not left to listen.
        app.desk.step(&talk(&app, id).await?, &Step::Hold(true)).await?;
    }
    let handed = match other {
        Err(agent) => app.engine.hand_on_to_agent(id, agent, body.consult).await,
        Ok(to) => app.engine.hand_on_outside(id, to, body.consult).await,
    };
    match handed {
        Ok(tasks) => {
            app.give(tasks);
            Ok(Done)
        }
        Err(error) => {
            if body.consult
                && let Ok(call) = talk(&app, id).await
            {
                let _ = app.desk.step(&call, &Step::Hold(false)).await;
            }
            Err(error.into())
        }
    }
}

async fn complete(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let id = own_talk(&app, &who, key).await?;
    let call = talk(&app, id).await?;
    // Comforts: without them the customer and the other are put together a moment later.
    let _ = app.desk.step(&call, &Step::Hold(false)).await;
    let _ = app.desk.step(&call, &Step::KeepRoom).await;
    app.give(app.engine.hand_over(id).await?);
    Ok(Done)
}

async fn voicemail(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let id = own_talk(&app, &who, key).await?;
    app.give(app.engine.drop_voicemail(id).await?);
    Ok(Done)
}

async fn recording(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Recording>,
) -> Answer<Done> {
    let tape = match body.action {
        TapeWord::Start => Tape::Start,
        TapeWord::Pause => Tape::Pause,
        TapeWord::Resume => Tape::Resume,
        TapeWord::Stop => Tape::Stop,
    };
    let id = own_talk(&app, &who, key).await?;
    let call = talk(&app, id).await?;
    if tape == Tape::Start && !call.plan.may_record_now() {
        let why = "by law this person has not been told enough, or they were asked and may have said no";
        return Err(Problem::conflict(why).remedy("let the campaign record: it announces or asks first"));
    }
    app.desk.step(&call, &Step::Recording(tape)).await?;
    Ok(Done)
}
