//! One function from request to response.
//!
//! Order matters: size, method and path come before anything is decoded; the signature comes
//! before anything is believed.

use super::inbound::{Caller, Desk, GUEST, NoDesk, render as render_welcome, try_later};
use super::parse;
use crate::account::{Account, Accounts};
use crate::form::Form;
use crate::render::{self, Setting, render};
use crate::rest::{Client, Fault};
use crate::signature::{Body, verify};
use crate::urls::{self, Route, Subject, Urls};
use async_trait::async_trait;
use autocall_core::call::LegFacts;
use autocall_core::ports::Line;
use autocall_core::script::Script;
use autocall_core::{AgentId, CallId, Phone, Private, TenantId, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use std::sync::Arc;

/// A larger body is refused. Real ones have a few kilobytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How often a line is told to ask again while our store is down.
const TRIES_MAX: u8 = 8;

/// How often a line comes back from its room before it is let go.
const AGAIN_MAX: u8 = 6;

/// The store, or the engine, cannot say at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unavailable; ask again")]
pub struct Unavailable;

/// Who listens to what webhooks say: the engine.
#[async_trait]
pub trait Ear: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;
    /// Takes facts about a line in and answers what the line should be hearing. `asked` is true
    /// where that is what it will hear. A line that nobody knows gets [`Script::Hangup`].
    ///
    /// # Errors
    /// Nothing was taken in; the carrier is told to ask again.
    async fn hear(&self, line: Line, facts: LegFacts, asked: bool) -> Result<Script, Unavailable>;
    /// Whether a customer and an agent talk in this call.
    ///
    /// # Errors
    /// The store cannot say.
    async fn talks(&self, call: CallId) -> Result<bool, Unavailable> {
        let _ = call;
        Ok(true)
    }
    /// A recording of a line is complete.
    ///
    /// # Errors
    /// Nothing was taken in; the carrier is told to report again.
    async fn recorded(&self, line: Line, recording: &parse::RecordingEvent) -> Result<(), Unavailable> {
        let _ = (line, recording);
        Ok(())
    }
}

/// Whether webhooks must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Validation {
    /// Yes.
    #[default]
    Required,
    /// No, because the carrier is a fake on this machine ([`Validation::skip`]).
    Skipped,
}

/// Skipping was asked for with a carrier that is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "SKIP_TWILIO_VALIDATION works only while the carrier's base URL is a loopback address; \
     unset it, or point TWILIO_BASE_URL at a fake on this machine"
)]
pub struct SkipRefused;

impl Validation {
    /// What `SKIP_TWILIO_VALIDATION` comes to with this default account. A server that gets the
    /// error does not start.
    ///
    /// # Errors
    /// The carrier is a real one.
    pub fn skip(asked: bool, account: &Account) -> Result<Validation, SkipRefused> {
        match (asked, account.is_loopback()) {
            (false, _) => Ok(Validation::Required),
            (true, true) => Ok(Validation::Skipped),
            (true, false) => Err(SkipRefused),
        }
    }
}

/// Headers that show that somebody passed the request on: then it did not come from this machine.
const FORWARDING: [&str; 7] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "cf-connecting-ip"];

/// The webhooks of a carrier.
pub struct Webhooks {
    urls: Urls,
    accounts: Arc<dyn Accounts>,
    ear: Arc<dyn Ear>,
    desk: Arc<dyn Desk>,
    validation: Validation,
    client: Option<Client>,
}

type Answer = Response<Bytes>;

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

fn twiml(text: String) -> Answer {
    let mut answer = Response::new(Bytes::from(text));
    let kind = header::HeaderValue::from_static("text/xml; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

impl Webhooks {
    /// Webhooks that report to `ear`.
    pub fn new(urls: Urls, accounts: Arc<dyn Accounts>, ear: Arc<dyn Ear>, validation: Validation) -> Webhooks {
        Webhooks { urls, accounts, ear, desk: Arc::new(NoDesk), validation, client: None }
    }
    /// With somebody who receives callers.
    #[must_use]
    pub fn with_desk(mut self, desk: Arc<dyn Desk>) -> Webhooks {
        self.desk = desk;
        self
    }
    /// With a REST client, to start recordings when a line joins.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Webhooks {
        self.client = Some(client);
        self
    }

    /// Answers one webhook. Never panics; never believes an unsigned request.
    pub async fn serve(&self, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        if body.len() > BODY_BYTES_MAX {
            return plain(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if parts.method != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some((route, subject)) = urls::parse(parts.uri.path()) else { return plain(StatusCode::NOT_FOUND) };
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let Some(form) = Form::parse(&body) else { return plain(StatusCode::FORBIDDEN) };
        let Some(account) = self.authentic(subject.tenant(), &parts.headers, target, &form, &body).await else {
            return plain(StatusCode::FORBIDDEN);
        };
        if !is_form(&parts.headers) {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
        match subject {
            Subject::Line(line) => self.about_line(route, line, &query, &form).await,
            Subject::Room(room) => self.about_room(room, &form, &account).await,
            Subject::Tenant(tenant) => self.about_caller(route, tenant, &query, &form).await,
        }
    }

    /// The account that this request verifiably comes from.
    async fn authentic(
        &self,
        tenant: TenantId,
        headers: &HeaderMap,
        target: &str,
        form: &Form,
        body: &[u8],
    ) -> Option<Arc<Account>> {
        let sid = form.get("AccountSid");
        for account in self.accounts.of_tenant(tenant).await {
            // A callback about another account's call is not this tenant's, whoever signed it.
            if is_form(headers) && sid.as_deref() != Some(&*account.id) {
                continue;
            }
            if self.validation == Validation::Skipped && account.is_loopback() {
                return (!FORWARDING.iter().any(|h| headers.contains_key(*h))).then_some(account);
            }
            let signature = headers.get(account.signature.header()).map(header::HeaderValue::as_bytes);
            let signed = if is_form(headers) { Body::Form(form) } else { Body::Raw(body) };
            if verify(&account.signing, signature, self.urls.base(), target, signed).is_ok() {
                return Some(account);
            }
        }
        None
    }

    async fn about_line(&self, route: Route, line: Line, query: &Form, form: &Form) -> Answer {
        let now = self.ear.now();
        if route == Route::Recording {
            let Some(recording) = parse::recording(form) else { return plain(StatusCode::NO_CONTENT) };
            return self.receipt(self.ear.recorded(line, &recording).await);
        }
        if route == Route::Wait {
            let text = query.get("say").unwrap_or_default();
            return twiml(render::wait(&text, query.get("l").as_deref(), query.get("v").as_deref()));
        }
        let facts = parse::line_facts(route, query, form, now);
        if !route.is_asking() {
            return self.receipt(self.ear.hear(line, facts, false).await.map(drop));
        }
        let opted_out = facts.opted_out_at.is_some();
        match self.ear.hear(line, facts, true).await {
            Ok(_) if opted_out => twiml(render::opted_out()),
            Ok(script) => self.tell(route, line, query, form, script).await,
            Err(Unavailable) => self.ask_again(line, query),
        }
    }

    fn receipt(&self, heard: Result<(), Unavailable>) -> Answer {
        // The overrides in the address make the carrier report again after a 5xx.
        plain(if heard.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE })
    }

    fn ask_again(&self, line: Line, query: &Form) -> Answer {
        let tries: u8 = query.get("t").and_then(|t| t.parse().ok()).unwrap_or(0);
        let text = if tries < TRIES_MAX { render::try_later(&self.urls, line, tries) } else { render::hang_up() };
        twiml(text)
    }

    async fn tell(&self, route: Route, line: Line, query: &Form, form: &Form, script: Script) -> Answer {
        let mut at = Setting::new(&self.urls, line);
        if route == Route::After {
            let before: u8 = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(0);
            if before >= AGAIN_MAX {
                return twiml(render::hang_up());
            }
            at.again = before + 1;
            // If the wait address fails the conference is not established; a second return for
            // whatever reason is taken for the same.
            let failed = form.get("DialCallStatus").is_some_and(|s| s == "failed");
            at.silent = failed || at.again > 1;
        }
        if route == Route::Consent {
            at.consent = Some(form.get("Digits").as_deref() == Some("1"));
        }
        if matches!(script, Script::Message { .. }) && route != Route::MessageEnd {
            // It begins as soon as the carrier has our answer. If this is lost nothing is: its
            // end is reported by itself.
            let began = LegFacts { message_at: Some(self.ear.now()), ..LegFacts::default() };
            let _ = self.ear.hear(line, began, false).await;
        }
        twiml(render(&script, &at))
    }

    async fn about_room(&self, room: autocall_core::script::Room, form: &Form, account: &Arc<Account>) -> Answer {
        let tenant = Subject::Room(room).tenant();
        let left = form.get("StatusCallbackEvent").is_some_and(|e| e == "participant-leave");
        if let autocall_core::script::Room::Agent(agent) = room
            && left
            && form.get("ParticipantLabel").is_some_and(|l| l == GUEST)
        {
            let call = form.get("CallSid").unwrap_or_default();
            return self.receipt(self.desk.done(agent, &call).await);
        }
        let label = form.get("ParticipantLabel").unwrap_or_default();
        if let Some(call) = urls::supervised(&label).filter(|call| call.tenant() == tenant) {
            // One who picks up after the call is over would hear the agent's next one.
            return match self.ear.talks(call).await {
                Ok(true) => plain(StatusCode::NO_CONTENT),
                Ok(false) => {
                    self.put_supervisor_out(call, form, account);
                    plain(StatusCode::NO_CONTENT)
                }
                Err(Unavailable) => plain(StatusCode::SERVICE_UNAVAILABLE),
            };
        }
        let event = parse::conference(room, form, self.ear.now()).filter(|e| e.line.tenant() == tenant);
        let Some(event) = event else { return plain(StatusCode::NO_CONTENT) };
        if let Line::Leg(leg) = event.line
            && event.facts.left.is_some()
            && urls::is_customer(event.line)
        {
            self.put_supervisor_out(leg.call, form, account);
        }
        if event.record
            && let (Some(client), Some(provider)) = (&self.client, &event.facts.provider)
        {
            let (client, account, provider) = (client.clone(), account.clone(), provider.clone());
            let callback = self.urls.of(Route::Recording, Subject::Line(event.line), "");
            tokio::spawn(async move {
                if let Err(fault) = client.start_recording(&account, &provider.0, &callback).await {
                    tracing::warn!(%fault, "a recording did not start");
                }
            });
        }
        self.receipt(self.ear.hear(event.line, event.facts, false).await.map(drop))
    }

    /// A customer who leaves a standing agent's room leaves nobody behind who listened to their call:
    /// they would hear the next one.
    fn put_supervisor_out(&self, call: CallId, form: &Form, account: &Arc<Account>) {
        let Some(client) = self.client.clone() else { return };
        let Some(conference) = form.get("ConferenceSid").filter(|sid| parse::is_sid(sid)) else { return };
        let (account, conference) = (account.clone(), conference.into_owned());
        let label = urls::supervisor_label(call);
        tokio::spawn(async move {
            // Usually there is none.
            match client.remove_participant(&account, &conference, &label).await {
                Ok(()) | Err(Fault::NotUp { .. }) => {}
                Err(fault) => tracing::warn!(%fault, "a supervisor was not put out of a room"),
            }
        });
    }

    async fn about_caller(&self, route: Route, tenant: TenantId, query: &Form, form: &Form) -> Answer {
        if route == Route::InboundEnd {
            let agent: Option<AgentId> = query.get("a").and_then(|a| a.parse().ok());
            let Some(agent) = agent.filter(|a| a.tenant() == tenant) else { return twiml(render::hang_up()) };
            // The carrier asks again; the person has nothing more to hear either way.
            let call = query.get("c").unwrap_or_default();
            return match self.desk.done(agent, &call).await {
                Ok(()) => twiml(render::hang_up()),
                Err(Unavailable) => plain(StatusCode::SERVICE_UNAVAILABLE),
            };
        }
        let phone = |name: &str| form.get(name).and_then(|n| Phone::from_e164(&n));
        let caller = Caller {
            tenant,
            call: form.get("CallSid").filter(|sid| parse::is_sid(sid)).unwrap_or_default().as_ref().into(),
            from: phone("From"),
            to: phone("To"),
            keys: form.get("Digits").map(|d| Private::new(d.into_owned())),
            offered: query.get("k").and_then(|k| k.chars().next()),
            asked: query.get("n").and_then(|n| n.parse().ok()).unwrap_or(0),
        };
        match self.desk.receive(caller.clone()).await {
            Ok(welcome) => twiml(render_welcome(&welcome, &caller, &self.urls)),
            Err(Unavailable) => {
                let tries = query.get("t").and_then(|t| t.parse().ok()).unwrap_or(0);
                let text = if tries < TRIES_MAX { try_later(&self.urls, tenant, tries) } else { render::hang_up() };
                twiml(text)
            }
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
