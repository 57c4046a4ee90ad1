//! Delivering: one node at a time holds a webhook by a lease in its own row, reads the feed from
//! its place, sends, and moves the place on. A crash between sending and moving repeats a
//! delivery with the same `webhook-id`; nothing is ever left out.

use super::hook::{self, Hook};
use super::{sign, target};
use crate::app::App;
use crate::http::problem::Answer;
use crate::http::values::Key;
use crate::routes::events::FeedEntry;
use autocall_core::ports::Versioned;
use autocall_core::ports::catalog::PageAsk;
use autocall_core::{Millis, TenantId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// How often webhooks are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// For how long a node holds a webhook.
const LEASE: Millis = Millis::from_secs(60);
/// Deliveries of one turn.
const TURN_MAX: u32 = 50;
/// Most of an answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// A target that fails for so long is switched off, and says so.
const GIVE_UP: Millis = Millis::from_days(5);
/// Webhooks delivered side by side on this node, and of one tenant among them.
const AT_ONCE: usize = 64;
const AT_ONCE_OF_TENANT: usize = 4;

/// Delivers until the server stops.
pub async fn run(app: App) {
    let Ok(client) = target::client(app.config.webhooks_to_loopback) else {
        tracing::error!("outbound webhooks cannot be sent: the TLS library does not start");
        return;
    };
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turns = Turns::default();
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => break,
            Some(ended) = turns.running.join_next(), if !turns.running.is_empty() => {
                turns.ended(ended.ok());
                continue;
            }
            _ = look.tick() => {}
        }
        if let Err(problem) = round(&app, &client, &mut turns).await {
            tracing::debug!(problem = %problem.title, "outbound webhooks wait");
        }
    }
    while turns.running.join_next().await.is_some() {}
}

/// Turns that run: over as many looks as they take, so that a slow target holds up nobody else.
#[derive(Default)]
struct Turns {
    running: tokio::task::JoinSet<(TenantId, Uuid)>,
    of: HashMap<TenantId, HashSet<Uuid>>,
}

impl Turns {
    /// Whether another turn of this webhook may begin.
    fn has_room(&self, tenant: TenantId, hook: Uuid) -> bool {
        let mine = self.of.get(&tenant);
        self.running.len() < AT_ONCE && mine.is_none_or(|m| m.len() < AT_ONCE_OF_TENANT && !m.contains(&hook))
    }
    fn ended(&mut self, ended: Option<(TenantId, Uuid)>) {
        match ended {
            Some((tenant, hook)) => {
                if let Some(mine) = self.of.get_mut(&tenant) {
                    mine.remove(&hook);
                    if mine.is_empty() {
                        self.of.remove(&tenant);
                    }
                }
            }
            // A turn that panicked does not say whose it was: the lease in its row keeps others away.
            None if self.running.is_empty() => self.of.clear(),
            None => {}
        }
    }
}

async fn round(app: &App, client: &reqwest::Client, turns: &mut Turns) -> Answer<()> {
    let mut ask = PageAsk::first(500);
    loop {
        let page = app.directory.tenant_names(&ask).await?;
        for tenant in page.items.into_iter().map(|t| t.tenant) {
            if app.hookless.holds(tenant) {
                continue;
            }
            let hooks = hook::all(app, tenant).await?;
            if hooks.is_empty() {
                app.hookless.add(tenant);
            }
            for found in hooks {
                let (now, id) = (app.clock.now(), found.row.id);
                let waits = found.row.next_at > now || found.row.leased_until > now;
                if found.row.active && !waits && turns.has_room(tenant, id) {
                    begin(app, client, turns, tenant, found);
                }
            }
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return Ok(()),
        }
    }
}

fn begin(app: &App, client: &reqwest::Client, turns: &mut Turns, tenant: TenantId, found: Versioned<Hook>) {
    let (app, client, id) = (app.clone(), client.clone(), found.row.id);
    turns.of.entry(tenant).or_default().insert(id);
    turns.running.spawn(async move {
        if let Err(problem) = turn(&app, &client, tenant, found).await {
            tracing::debug!(problem = %problem.title, "a webhook's turn ended early");
        }
        (tenant, id)
    });
}

/// One webhook's turn.
async fn turn(app: &App, client: &reqwest::Client, tenant: TenantId, found: Versioned<Hook>) -> Answer<()> {
    let waiting = app.catalog.feed(tenant, found.row.place, TURN_MAX).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let Versioned { row: mut hook, mut version } = found;
    hook.leased_until = app.clock.now() + LEASE;
    // Whoever writes first has the lease.
    hook::put(app, tenant, &hook, version).await?;
    version += 1;
    let give_back_at = hook.leased_until - Millis::from_secs(20);
    for item in &waiting {
        let entry = FeedEntry::of(item);
        let wanted = entry.as_ref().is_some_and(|e| hook.events.is_empty() || hook.events.iter().any(|k| k == e.kind));
        let outcome = match (&entry, wanted) {
            (Some(entry), true) => send(app, client, &hook, entry).await,
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => {
                hook.place = item.place;
                (hook.failures, hook.failing_since, hook.problem) = (0, None, None);
                hook.next_at = app.clock.now();
            }
            Err(problem) => {
                failed(app, &mut hook, problem);
                break;
            }
        }
        if app.clock.now() >= give_back_at || app.stopping.is_cancelled() {
            break;
        }
    }
    hook.leased_until = autocall_core::Timestamp::EPOCH;
    hook::put(app, tenant, &hook, version).await
}

fn failed(app: &App, hook: &mut Hook, problem: String) {
    let now = app.clock.now();
    hook.failures = hook.failures.saturating_add(1);
    let since = *hook.failing_since.get_or_insert(now);
    // 5 s, 10 s, … up to an hour, each a little different so that targets are not hit in step.
    let base = 5_000i64 << hook.failures.saturating_sub(1).min(10);
    let spread = i64::from(hook.id.as_bytes()[15]) * base / 1024;
    hook.next_at = now + Millis::from_ms((base + spread).min(3_600_000));
    if now - since > GIVE_UP {
        hook.active = false;
    }
    hook.problem = Some(problem);
    crate::ops::metrics::count("autocall_webhook_failures_total", 1);
}

async fn send(app: &App, client: &reqwest::Client, hook: &Hook, entry: &FeedEntry) -> Result<(), String> {
    let url: url::Url = hook.url.parse().map_err(|_| "the target is not a URL".to_owned())?;
    if let Some(why) = target::refusal(&url, app.config.webhooks_to_loopback) {
        return Err(format!("the target {why}"));
    }
    let at_s = app.wall.now().ms().div_euclid(1000);
    // The same event has the same id at every attempt and at every replay.
    let id = format!("msg_{}_{}", Key(hook.id), entry.place);
    let body = serde_json::json!({ "type": entry.kind, "timestamp": entry.at, "data": entry }).to_string();
    let signature = sign::signature(&hook.secret, &id, at_s, body.as_bytes()).ok_or("the secret is damaged")?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at_s)
        .header("webhook-signature", signature)
        .body(body);
    let mut response = request.send().await.map_err(|error| describe(&error).to_owned())?;
    let status = response.status();
    // A little of the answer is read so that the connection can be used again; never more.
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES_MAX {
            break;
        }
    }
    if status.is_success() {
        crate::ops::metrics::count("autocall_webhook_deliveries_total", 1);
        return Ok(());
    }
    Err(format!("the target answered {}", status.as_u16()))
}

fn describe(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the target took too long"
    } else if error.is_connect() {
        "the target cannot be reached"
    } else {
        "the delivery failed"
    }
}
