//! Outbound webhooks.

use crate::app::App;
use crate::http::etag::IfMatch;
use crate::http::page::Page;
use crate::http::problem::{Answer, Problem};
use crate::http::table::Table;
use crate::http::take::{Created, Done, Json, Path, Tagged};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use crate::outbound::hook::{self, Hook};
use crate::outbound::{sign, target};
use autocall_core::Timestamp;
use autocall_core::ports::Versioned;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const ADMIN: Rule = Rule::Needs(Right::IntegrationsAdmin);
/// Webhooks of one tenant at most.
const HOOKS_MAX: usize = 20;
/// The kinds of events.
const KINDS: [&str; 2] = ["call.settled", "call.disposed"];

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/api/webhooks", ADMIN, "Lists outbound webhooks.", list).gives_page::<HookView>();
    table
        .post("/api/webhooks", ADMIN, "Creates a webhook; its signing secret is shown here and nowhere else.", create)
        .takes::<NewHook>()
        .gives::<MadeHook>(201)
        .may(&[409]);
    table.get("/api/webhooks/{id}", ADMIN, "One webhook and how it fares.", one).gives::<HookView>(200);
    table
        .put("/api/webhooks/{id}", ADMIN, "Changes a webhook, or switches it on again.", change)
        .takes::<ChangeHook>()
        .guarded()
        .gives::<HookView>(200);
    table.delete("/api/webhooks/{id}", ADMIN, "Removes a webhook.", remove).gives_nothing();
    table
        .post("/api/webhooks/{id}/replay", ADMIN, "Delivers everything after a place again, with the same ids.", replay)
        .takes::<Replay>()
        .gives::<HookView>(200);
}

/// A webhook to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewHook {
    /// Where it goes; https.
    url: String,
    /// call.settled, call.disposed; all where empty.
    #[serde(default)]
    events: Vec<String>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeHook {
    /// Where it goes; https.
    url: Option<String>,
    /// Which kinds of events; all where empty.
    events: Option<Vec<String>>,
    /// Whether it is delivered.
    active: Option<bool>,
}

/// From where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// The place in the feed after which everything is delivered again; 0 for all.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    after: u64,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
struct HookView {
    /// Which.
    id: Key,
    /// Where it goes.
    url: String,
    /// Which kinds of events; all where empty.
    events: Vec<String>,
    /// Whether it is delivered.
    active: bool,
    /// The place in the feed up to which everything is delivered.
    place: u64,
    /// Failures in a row.
    failures: u32,
    /// What went wrong last.
    problem: Option<String>,
    /// When it is tried again.
    next_at: Option<When>,
    /// Since when it is there.
    created_at: When,
    /// Its version; the ETag.
    version: u64,
}

impl HookView {
    fn of(found: Versioned<Hook>) -> HookView {
        let hook = found.row;
        HookView {
            id: Key(hook.id),
            url: hook.url,
            events: hook.events,
            active: hook.active,
            place: hook.place,
            failures: hook.failures,
            problem: hook.problem,
            next_at: (hook.failures > 0).then_some(When(hook.next_at)),
            created_at: hook.created_at.into(),
            version: found.version,
        }
    }
}

/// A new webhook with its secret.
#[derive(Serialize, ToSchema)]
struct MadeHook {
    /// The webhook.
    webhook: HookView,
    /// Verifies it: Standard Webhooks, `whsec_…`.
    secret: String,
}

fn url_of(app: &App, text: &str) -> Answer<String> {
    let remedy = "use a public https address";
    let url: url::Url = text.trim().parse().map_err(|_| Problem::field("url", "is not a URL", remedy))?;
    match target::refusal(&url, app.config.webhooks_to_loopback) {
        Some(why) => Err(Problem::field("url", why, remedy)),
        None => Ok(url.into()),
    }
}

fn events_of(events: Vec<String>) -> Answer<Vec<String>> {
    match events.iter().find(|e| !KINDS.contains(&e.as_str())) {
        Some(_) => Err(Problem::field("events", "names an unknown kind", "use call.settled and call.disposed")),
        None => Ok(events),
    }
}

async fn list(State(app): State<App>, who: Principal) -> Answer<Json<Page<HookView>>> {
    Ok(Json(Page::whole(hook::all(&app, who.tenant).await?.into_iter().map(HookView::of).collect())))
}

/// The next place that something has.
async fn place_after(app: &App, who: &Principal, place: u64) -> Answer<Option<u64>> {
    Ok(app.catalog.feed(who.tenant, place, 1).await?.first().map(|item| item.place))
}

/// The end of the feed: a new webhook begins with what comes from now on. Found by halving, in
/// some sixty questions at most, however long the feed is.
async fn end_of_feed(app: &App, who: &Principal) -> Answer<u64> {
    let mut end = 0;
    let mut step = 1u64;
    while let Some(next) = place_after(app, who, end + step - 1).await? {
        (end, step) = (next, step.saturating_mul(2).min(1 << 40));
    }
    while step > 1 {
        step /= 2;
        if let Some(next) = place_after(app, who, end + step - 1).await? {
            end = next;
        }
    }
    while let Some(next) = place_after(app, who, end).await? {
        end = next;
    }
    Ok(end)
}

async fn create(State(app): State<App>, who: Principal, Json(body): Json<NewHook>) -> Answer<Created<MadeHook>> {
    let url = url_of(&app, &body.url)?;
    let events = events_of(body.events)?;
    if hook::all(&app, who.tenant).await?.len() >= HOOKS_MAX {
        return Err(Problem::conflict("there are 20 webhooks already").remedy("remove one first"));
    }
    let secret = sign::secret();
    let row = Hook {
        id: app.new_id::<()>(who.tenant).key(),
        url,
        secret: secret.clone(),
        events,
        active: true,
        place: end_of_feed(&app, &who).await?,
        failures: 0,
        failing_since: None,
        next_at: Timestamp::EPOCH,
        problem: None,
        leased_until: Timestamp::EPOCH,
        created_at: app.clock.now(),
    };
    hook::put(&app, who.tenant, &row, 0).await?;
    app.hookless.forget(who.tenant);
    super::note(&app, &who, "webhook.create", Key(row.id), serde_json::json!({})).await?;
    let view = HookView::of(Versioned { row, version: 1 });
    Ok(Created {
        location: format!("/api/webhooks/{}", view.id),
        version: Some(1),
        body: MadeHook { webhook: view, secret },
    })
}

async fn one(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Tagged<HookView>> {
    let view = HookView::of(hook::read(&app, who.tenant, key.0).await?);
    Ok(Tagged(view.version, view))
}

/// Changes a webhook. A delivery moves its place meanwhile: without If-Match it is tried again.
async fn edit(
    app: &App,
    who: &Principal,
    key: Key,
    wanted: IfMatch,
    f: impl Fn(&mut Hook) -> Answer<()>,
) -> Answer<()> {
    for _ in 0..20 {
        let mut found = hook::read(app, who.tenant, key.0).await?;
        wanted.check(found.version)?;
        f(&mut found.row)?;
        match hook::put(app, who.tenant, &found.row, found.version).await {
            Err(problem) if problem.status == 412 && wanted.0.is_none() => {}
            other => return other,
        }
    }
    Err(Problem::unavailable())
}

async fn change(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    wanted: IfMatch,
    Json(body): Json<ChangeHook>,
) -> Answer<Tagged<HookView>> {
    let url = body.url.as_deref().map(|u| url_of(&app, u)).transpose()?;
    let events = body.events.map(events_of).transpose()?;
    edit(&app, &who, key, wanted, |hook| {
        hook.url = url.clone().unwrap_or_else(|| hook.url.clone());
        hook.events = events.clone().unwrap_or_else(|| hook.events.clone());
        hook.active = body.active.unwrap_or(hook.active);
        (hook.failures, hook.failing_since, hook.next_at) = (0, None, Timestamp::EPOCH);
        Ok(())
    })
    .await?;
    super::note(&app, &who, "webhook.change", key, serde_json::json!({})).await?;
    one(State(app), who, Path(key)).await
}

async fn remove(State(app): State<App>, who: Principal, Path(key): Path<Key>) -> Answer<Done> {
    let found = hook::read(&app, who.tenant, key.0).await?;
    app.catalog.remove_document(who.tenant, hook::KIND, &key.to_string(), found.version).await?;
    super::note(&app, &who, "webhook.remove", key, serde_json::json!({})).await?;
    Ok(Done)
}

async fn replay(
    State(app): State<App>,
    who: Principal,
    Path(key): Path<Key>,
    Json(body): Json<Replay>,
) -> Answer<Tagged<HookView>> {
    edit(&app, &who, key, IfMatch(None), |hook| {
        if body.after > hook.place {
            return Err(Problem::field("after", "is not delivered yet", "use an earlier place"));
        }
        hook.place = body.after;
        (hook.failures, hook.failing_since, hook.next_at) = (0, None, Timestamp::EPOCH);
        Ok(())
    })
    .await?;
    super::note(&app, &who, "webhook.replay", key, serde_json::json!({ "after": body.after })).await?;
    one(State(app), who, Path(key)).await
}
