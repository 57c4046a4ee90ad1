//! Do-not-call lists.

use crate::app::App;
use crate::http::page::{Page, Paging};
use crate::http::problem::{Answer, FieldProblem, Problem};
use crate::http::table::Table;
use crate::http::take::{Done, Json, Query};
use crate::http::values::{Key, When};
use crate::identity::{Principal, Right, Rule};
use autocall_core::TenantId;
use autocall_core::call::Stop;
use autocall_core::engine::Task;
use autocall_core::lead::{Lead, LeadEvent};
use autocall_core::permission::lists::{Pattern, covering_prefixes};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::catalog::{LeadFilter, LeadPhase, PageAsk, SuppressTarget, Suppression, SuppressionItem};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table
        .get("/api/dnc", Rule::Needs(Right::ListsRead), "Lists who is not to be called.", list)
        .asks::<Paging>()
        .gives_page::<Entry>();
    table
        .get(
            "/api/dnc/registries",
            Rule::Needs(Right::ListsRead),
            "The do-not-call registries that this node serves, with version and age.",
            registries,
        )
        .gives::<Vec<RegistryView>>(200);
    table
        .post("/api/dnc", Rule::Needs(Right::ListsWrite), "Adds numbers; calls to them that live are ended.", add)
        .takes::<NewEntries>()
        .gives::<Added>(200)
        .urgent();
    table
        .post("/api/dnc/check", Rule::Needs(Right::ListsRead), "Says which of up to 10,000 numbers are listed.", check)
        .takes::<Numbers>()
        .gives::<Checked>(200);
    table
        .post(
            "/api/dnc/remove",
            Rule::Needs(Right::ListsRemove),
            "Takes a number or prefix off; leads that it kept are due again.",
            remove,
        )
        .takes::<Remove>()
        .gives_nothing()
        .may(&[404]);
}

/// An entry.
#[derive(Serialize, ToSchema)]
struct Entry {
    /// The number; absent for a prefix, and for an erased person's, of which a keyed hash is left.
    phone: Option<String>,
    /// The prefix: digits after the plus sign.
    prefix: Option<String>,
    /// Only for this campaign.
    campaign: Option<Key>,
    /// Why.
    reason: String,
    /// From where it came.
    source: String,
    /// Until when.
    until: Option<When>,
    /// Since when.
    since: When,
}

impl Entry {
    fn of(item: SuppressionItem) -> Entry {
        let (phone, prefix) = match &item.target {
            Some(SuppressTarget::Number(phone)) => (Some(phone.e164()), None),
            Some(SuppressTarget::Prefix(prefix)) => (None, Some(prefix.to_string())),
            None => (None, None),
        };
        Entry {
            phone,
            prefix,
            campaign: item.campaign.map(Key::from),
            reason: item.reason.to_string(),
            source: item.source.to_string(),
            until: item.until.map(When),
            since: item.added_at.into(),
        }
    }
}

/// Numbers to be listed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEntries {
    /// Numbers, at most 10,000 together with prefixes.
    #[serde(default)]
    phones: Vec<String>,
    /// Digits after the plus sign: every number that begins so.
    #[serde(default)]
    prefixes: Vec<String>,
    /// From one number to another, as in +14155550100-+14155550199. Kept as the prefixes that cover
    /// it exactly; at most 100 ranges.
    #[serde(default)]
    ranges: Vec<String>,
    /// Only for this campaign.
    campaign: Option<Key>,
    /// Why, in a word or two.
    reason: Option<String>,
    /// Until when; for ever where absent.
    until: Option<When>,
}

/// What was added.
#[derive(Serialize, ToSchema)]
struct Added {
    /// Entries that were new.
    added: u32,
    /// Calls that were ended.
    ended: usize,
}

/// Numbers to ask about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Numbers {
    /// At most 10,000.
    phones: Vec<String>,
    /// The campaign's own list counts as well.
    campaign: Option<Key>,
}

/// Which are listed, in order.
#[derive(Serialize, ToSchema)]
struct Checked {
    /// One for each number.
    listed: Vec<bool>,
}

/// What to take off: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Remove {
    /// A number.
    phone: Option<String>,
    /// A prefix.
    prefix: Option<String>,
    /// From this campaign's list only.
    campaign: Option<Key>,
}

async fn list(State(app): State<App>, who: Principal, Query(paging): Query<Paging>) -> Answer<Json<Page<Entry>>> {
    let page = app.catalog.suppressions(who.tenant, &paging.ask()?).await?;
    Ok(Json(Page::from(page, Entry::of)))
}

fn phones(texts: &[String]) -> Answer<Vec<autocall_core::Phone>> {
    let (mut phones, mut errors) = (Vec::with_capacity(texts.len()), Vec::new());
    for (i, text) in texts.iter().enumerate() {
        match normalise(text, Country::US) {
            Ok(normal) => phones.push(normal.phone),
            Err(error) if errors.len() < 100 => errors.push(FieldProblem {
                field: format!("phones[{i}]"),
                wrong: error.to_string(),
                remedy: error.remedy().into(),
            }),
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(phones) } else { Err(Problem::invalid(errors)) }
}

fn prefix(text: &str, field: &str) -> Answer<SuppressTarget> {
    let digits = text.trim().trim_start_matches('+');
    let good =
        (1..=14).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if good {
        Ok(SuppressTarget::Prefix(digits.into()))
    } else {
        Err(Problem::field(field, "is not a prefix", "use 1 to 14 digits, country code first"))
    }
}

/// A range as the numbers and prefixes that cover it exactly.
fn range(text: &str, field: &str) -> Answer<Vec<SuppressTarget>> {
    let wrong =
        || Problem::field(field, "is not a range", "use two numbers of one length, as in +14155550100-+14155550199");
    let (first, last) = match text.parse::<Pattern>() {
        Ok(Pattern::Range(first, last)) => (first, last),
        Ok(Pattern::Number(one)) => (one, one),
        _ => return Err(wrong()),
    };
    let cover = covering_prefixes(first, last).ok_or_else(wrong)?;
    let whole = first.digits().to_string().len();
    let target = |digits: u64| match autocall_core::Phone::from_digits(digits) {
        Some(phone) if digits.to_string().len() == whole => SuppressTarget::Number(phone),
        _ => SuppressTarget::Prefix(digits.to_string().into()),
    };
    Ok(cover.into_iter().map(target).collect())
}

async fn add(State(app): State<App>, who: Principal, Json(body): Json<NewEntries>) -> Answer<Json<Added>> {
    if body.ranges.len() > 100 {
        return Err(Problem::field("ranges", "are more than 100", "send several requests"));
    }
    let count = body.phones.len() + body.prefixes.len() + body.ranges.len();
    if count == 0 || count > 10_000 {
        return Err(Problem::field("phones", "must be 1 to 10,000", "send several requests"));
    }
    let reason = body.reason.as_deref().map(str::trim).filter(|r| !r.is_empty()).unwrap_or("by hand");
    if reason.chars().count() > 100 {
        return Err(Problem::field("reason", "is longer than 100 characters", "shorten it"));
    }
    let campaign = body.campaign.map(|k| k.of(who.tenant));
    if let Some(campaign) = campaign {
        let found = app.catalog.campaign_item(campaign).await.map_err(Problem::from);
        found.map_err(|p| super::leads::missing(p, "campaign"))?;
    }
    let mut targets: Vec<SuppressTarget> = phones(&body.phones)?.into_iter().map(SuppressTarget::Number).collect();
    for (i, text) in body.prefixes.iter().enumerate() {
        targets.push(prefix(text, &format!("prefixes[{i}]"))?);
    }
    for (i, text) in body.ranges.iter().enumerate() {
        targets.extend(range(text, &format!("ranges[{i}]"))?);
    }
    let source: std::sync::Arc<str> = who.actor.to_string().into();
    let entries: Vec<Suppression> = targets
        .into_iter()
        .map(|target| Suppression {
            target,
            campaign,
            reason: reason.into(),
            source: source.clone(),
            until: body.until.map(|w| w.0),
        })
        .collect();
    let done = app.catalog.suppress(who.tenant, &entries, app.clock.now()).await?;
    app.give(done.live.iter().map(|call| Task::Stop(*call, Stop::Listed)).collect());
    super::note(&app, &who, "dnc.add", "dnc", serde_json::json!({ "entries": count, "added": done.added })).await?;
    Ok(Json(Added { added: done.added, ended: done.live.len() }))
}

async fn check(State(app): State<App>, who: Principal, Json(body): Json<Numbers>) -> Answer<Json<Checked>> {
    if body.phones.len() > 10_000 {
        return Err(Problem::field("phones", "has more than 10,000", "send several requests"));
    }
    let numbers = phones(&body.phones)?;
    let campaign = body.campaign.map(|k| k.of(who.tenant));
    let lists = app.catalog.suppressed(who.tenant, campaign, &numbers, app.clock.now()).await?;
    Ok(Json(Checked { listed: lists.iter().map(|l| l.any()).collect() }))
}

/// Leads that were closed because the number was listed when their turn came are open again.
async fn reopen(app: &App, tenant: TenantId, phone: autocall_core::Phone) -> Answer<()> {
    let filter = LeadFilter { phone: Some(phone), phase: Some(LeadPhase::Closed), ..LeadFilter::default() };
    let page = app.catalog.leads(tenant, &filter, &PageAsk::first(500)).await?;
    let by_list = |l: &Lead| l.blocked_by.as_deref().is_some_and(|rule| rule.starts_with("do_not_call"));
    for lead in page.items.iter().filter(|l| by_list(&l.row)) {
        let settings = app.catalog.campaign_item(lead.row.campaign).await?.campaign.row.settings.clone();
        app.engine.lead_event(lead, &LeadEvent::Reopen, &settings).await?;
    }
    Ok(())
}

/// A registry as this node serves it.
#[derive(Serialize, ToSchema)]
struct RegistryView {
    /// The registry, as rules call it.
    name: String,
    /// The version in force; absent where there has never been a whole copy.
    version: Option<String>,
    /// When the registry made it.
    as_of: Option<When>,
    /// How many numbers it lists.
    numbers: u64,
    /// Its age in days.
    age_days: Option<f64>,
    /// The age in days at which the law ends its use.
    age_days_max: f64,
    /// Whether calls that must ask it are denied: no copy, or one that is too old.
    closed: bool,
    /// Why the newest file was refused.
    problem: Option<String>,
}

async fn registries(State(app): State<App>, _who: Principal) -> Json<Vec<RegistryView>> {
    let now = app.clock.now();
    let days = |span: autocall_core::Millis| span.ms() as f64 / 86_400_000.0;
    let view = |s: crate::lawbook::Serving| RegistryView {
        name: s.name,
        version: s.version.map(|v| v.to_string()),
        as_of: s.as_of.map(When),
        numbers: s.numbers,
        age_days: s.as_of.map(|at| days(now - at)),
        age_days_max: days(s.age_max),
        closed: s.closed,
        problem: s.problem,
    };
    Json(app.law.serving(now).into_iter().map(view).collect())
}

async fn remove(State(app): State<App>, who: Principal, Json(body): Json<Remove>) -> Answer<Done> {
    let target = match (&body.phone, &body.prefix) {
        (Some(phone), None) => SuppressTarget::Number(phones(std::slice::from_ref(phone))?[0]),
        (None, Some(text)) => prefix(text, "prefix")?,
        _ => return Err(Problem::field("phone", "is missing", "give either phone or prefix")),
    };
    let campaign = body.campaign.map(|k| k.of(who.tenant));
    let now = app.clock.now();
    app.catalog.unsuppress(who.tenant, &target, campaign, now).await?;
    super::note(&app, &who, "dnc.remove", "dnc", serde_json::json!({})).await?;
    if let SuppressTarget::Number(phone) = &target {
        reopen(&app, who.tenant, *phone).await?;
    }
    let (app, tenant) = (app.clone(), who.tenant);
    // What may be called sooner now is looked at again, in bounded steps and not in the request.
    app.clone().background.spawn(async move {
        for rule in ["do_not_call_tenant", "do_not_call_campaign"] {
            while !app.stopping.is_cancelled() {
                match app.catalog.redate(tenant, campaign, rule, now, 1000).await {
                    Ok(0) => break,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => {
                        tracing::warn!(error = %error, "re-dating leads");
                        break;
                    }
                }
            }
        }
    });
    Ok(Done)
}
