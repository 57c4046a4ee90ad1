//! Twilio (or what speaks as it does) as the carrier: the account from the configuration, the
//! webhooks mounted, and the hands for what agents and supervisors do in a call.

use super::accounts::TenantAccounts;
use super::fence::Fence;
use super::rates::{AccountRates, DEFAULT};
use crate::app::App;
use crate::config;
use crate::desk::{Desk, Presence, Step, Tape};
use crate::http::problem::{Answer, Problem};
use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::call::{Call, ProviderRef, Stage};
use autocall_core::ports::catalog::{Catalog, Recording};
use autocall_core::ports::{Clock, DialError, Line, Rates as _, Refusal, TelephonyError, Urgency};
use autocall_core::script::Room;
use autocall_core::{AgentId, Millis, Private};
use autocall_twilio::rest::{Client, Jitter, Limits, RecordingState};
use autocall_twilio::urls::is_report;
use autocall_twilio::webhook::{BODY_BYTES_MAX, RecordingEvent, Unavailable};
use autocall_twilio::{
    Account, Accounts as _, EngineEar, Reception, Recordings, Supervision, Twilio, Urls, Validation, Webhooks,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;

/// The carrier, and what its webhooks are verified with.
#[derive(Clone)]
pub struct Link {
    /// The carrier.
    pub twilio: Arc<Twilio>,
    /// Whose account calls.
    pub accounts: Arc<TenantAccounts>,
    base: String,
    validation: Validation,
}

/// Connects to the configured account.
pub fn link(
    twilio: &config::Twilio,
    public_base: &url::Url,
    clock: Arc<dyn Clock>,
    catalog: Arc<dyn Catalog>,
) -> Result<Link, String> {
    let account =
        Account::twilio(DEFAULT, &twilio.account_sid, twilio.auth_token.expose_secret()).at(twilio.api_base.as_str());
    let validation = Validation::skip(twilio.skip_validation, &account).map_err(|e| e.to_string())?;
    let base = account.base_url.to_string();
    let accounts = Arc::new(TenantAccounts::new(account, catalog));
    let jitter = Jitter::new(|| f64::from(u32::from_le_bytes(crate::identity::token::random())) / f64::from(u32::MAX));
    let client = Client::new(Limits::default(), jitter).map_err(|e| format!("the TLS library does not start: {e}"))?;
    let urls = Urls::new(public_base.as_str()).map_err(|e| format!("WEBHOOK_BASE_URL: {e}"))?;
    let now = Arc::new(move || clock.now());
    let twilio = Arc::new(Twilio::new(client, accounts.clone(), urls, now));
    Ok(Link { twilio, accounts, base, validation })
}

/// Notes finished recordings in the catalog.
struct KeepRecordings {
    catalog: Arc<dyn Catalog>,
    accounts: Arc<TenantAccounts>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Recordings for KeepRecordings {
    async fn keep(&self, line: Line, recording: &RecordingEvent) -> Result<(), Unavailable> {
        let Line::Leg(leg) = line else { return Ok(()) };
        // On which account it lies: that may be another one when it is to be deleted.
        let account = self.accounts.named(&leg.call.tenant().to_string()).await.ok_or(Unavailable)?;
        let row = Recording {
            call: leg.call,
            provider: recording.sid.as_str().into(),
            location: Private::new(&*account.id),
            length_ms: i64::from(recording.seconds) * 1000,
            made_at: self.clock.now() - Millis::from_secs(i64::from(recording.seconds)),
        };
        self.catalog.put_recording(&row).await.map_err(|_| Unavailable)
    }
}

impl Link {
    /// The router of the webhooks and of the sounds that the carrier fetches.
    pub fn router(&self, app: &App) -> Router<App> {
        let give = {
            let app = app.clone();
            Arc::new(move |tasks| app.give(tasks))
        };
        let accounts = self.accounts.clone();
        let keep = KeepRecordings { catalog: app.catalog.clone(), accounts, clock: app.clock.clone() };
        let give: autocall_twilio::Give = give;
        let ear = EngineEar::new(app.engine.clone(), self.twilio.clone(), give.clone()).with_recordings(Arc::new(keep));
        let webhooks = Webhooks::new(self.twilio.urls().clone(), self.accounts.clone(), Arc::new(ear), self.validation)
            .with_client(self.twilio.client().clone())
            .with_desk(Arc::new(Reception::new(app.engine.clone(), app.catalog.clone(), give)));
        let webhooks = Arc::new(webhooks);
        let hear = move |State(app): State<App>, request: Request| hear(app, webhooks.clone(), request);
        Router::new()
            .route("/webhooks/twilio/{*path}", axum::routing::any(hear))
            .route("/media/{key}", axum::routing::get(media))
    }

    /// The carrier's address.
    pub fn base(&self) -> String {
        self.base.clone()
    }

    /// The hands for what people do in calls.
    /// They stay within the fence, and take their dials from the same rate as everybody.
    pub fn desk(
        &self,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        rates: Arc<AccountRates>,
        fence: Option<Fence>,
    ) -> Arc<dyn Desk> {
        let (twilio, accounts) = (self.twilio.clone(), self.accounts.clone());
        Arc::new(Hands { twilio, accounts, catalog, clock, rates, fence })
    }
}

/// Longest time that a webhook waits for its turn; then the carrier is told to come again. Who
/// asks has somebody on the line, and a carrier that waits three seconds itself.
const ASKING_WAIT: Duration = Duration::from_secs(2);
const REPORT_WAIT: Duration = Duration::from_secs(3);
/// Longest time that the body of a webhook takes to arrive.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// There is no place now: the carrier comes again.
fn refused(report: bool) -> Response {
    let kind = if report { "report" } else { "asking" };
    metrics::counter!("autocall_webhooks_refused_total", "kind" => kind).increment(1);
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response()
}

async fn hear(app: App, webhooks: Arc<Webhooks>, request: Request) -> Response {
    let started = std::time::Instant::now();
    let method = request.method().clone();
    let report = is_report(request.uri().path());
    let Some(reading) = app.gates.hearing.try_enter() else { return refused(report) };
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_WAIT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    drop(reading);
    // A place is taken before anything is decoded: what is refused must cost next to nothing.
    let place =
        if report { app.gates.reports.enter(REPORT_WAIT).await } else { app.gates.asking.enter(ASKING_WAIT).await };
    let Some(_place) = place else { return refused(report) };
    let span = tracing::info_span!("webhook", status = tracing::field::Empty);
    let answer = webhooks.serve(axum::http::Request::from_parts(parts, body)).instrument(span.clone()).await;
    span.record("status", answer.status().as_u16());
    crate::ops::metrics::request(&method, "/webhooks/twilio", answer.status(), started.elapsed());
    answer.map(Body::from)
}

/// A sound, at an address that nobody can guess. A sound never changes, so it may be kept.
async fn media(State(app): State<App>, Path(key): Path<String>) -> Answer<Response> {
    let id: autocall_core::id::AudioId = key.parse().map_err(|_| Problem::not_found())?;
    let (asset, content) = app.catalog.audio(id).await?;
    let headers = [
        (header::CONTENT_TYPE, asset.mime.to_string()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".into()),
    ];
    Ok((headers, content).into_response())
}

struct Hands {
    twilio: Arc<Twilio>,
    accounts: Arc<TenantAccounts>,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    rates: Arc<AccountRates>,
    fence: Option<Fence>,
}

/// A conversation: its room and who is in it.
struct Talk {
    room: Room,
    customer: ProviderRef,
    agent: ProviderRef,
}

impl Hands {
    async fn talk(&self, call: &Call) -> Answer<Talk> {
        let Stage::Bridged { leg, agent, .. } = call.stage else {
            return Err(Problem::conflict("nobody talks in this call now"));
        };
        let gone = || Problem::conflict("a leg of this call is not known to the carrier");
        let customer = call.customer().facts.provider.clone().ok_or_else(gone)?;
        // An agent on a leg of their own came to the customer; to one who stands the customer went.
        let room = if leg.is_some() { Room::Call(call.id) } else { Room::Agent(agent) };
        let theirs = match leg {
            Some(n) => call.legs.get(usize::from(n)).and_then(|l| l.facts.provider.clone()),
            None => self.station(agent).await?,
        };
        Ok(Talk { room, customer, agent: theirs.ok_or_else(gone)? })
    }

    /// Before a number that a user named is dialed: it must be within the fence, and its turn come.
    async fn may_dial(&self, call: &Call, to: &Address) -> Answer<()> {
        if let (Some(fence), Address::Phone(phone)) = (&self.fence, to)
            && !fence.holds(*phone)
        {
            return Err(Problem::forbidden("DIAL_ONLY does not name this number"));
        }
        let now = self.clock.now();
        let lease = self.rates.lease(&call.plan.account, 1, Urgency::Agent, now).await?;
        if lease.granted == 0 {
            return Err(Problem::unavailable());
        }
        let wait = (lease.place(0) - now).ms().max(0).unsigned_abs();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        Ok(())
    }

    /// The account on which a recording was made.
    async fn account_of(&self, recording: &Recording) -> Answer<Arc<Account>> {
        let tenant = recording.call.tenant();
        let found = match recording.location.expose() {
            "" => self.accounts.named(&tenant.to_string()).await,
            id => self.accounts.by_id(tenant, id).await,
        };
        found.ok_or_else(|| Problem::conflict("the recording lies with a carrier account that is not known any more"))
    }

    async fn station(&self, agent: AgentId) -> Answer<Option<ProviderRef>> {
        Ok(self.catalog.agent(agent).await?.row.station.and_then(|s| s.provider))
    }
}

fn failed(error: TelephonyError) -> Problem {
    match error {
        TelephonyError::NotUp => Problem::conflict("the line is not up any more"),
        TelephonyError::Unavailable(_) => Problem::unavailable(),
        other => Problem::conflict(format!("the carrier would not: {other}")),
    }
}

fn not_dialed(error: DialError) -> Problem {
    match error {
        DialError::Refused(Refusal::Busy { .. }) => Problem::unavailable(),
        DialError::Refused(_) => Problem::conflict("the carrier would not dial this number"),
        DialError::InDoubt(_) => Problem::unavailable(),
    }
}

#[async_trait]
impl Desk for Hands {
    async fn step(&self, call: &Call, step: &Step) -> Answer<()> {
        let now;
        let call = match step {
            // Whoever joins waits for their turn, and joins what is then the talk.
            Step::Join { at, .. } => {
                self.may_dial(call, at).await?;
                now = self.catalog.call_detail(call.id).await?.call.row;
                &now
            }
            _ => call,
        };
        let talk = self.talk(call).await?;
        let (account, twilio) = (&*call.plan.account, &self.twilio);
        match step {
            Step::Hold(on) => twilio.hold(account, talk.room, &talk.customer, *on, None).await.map_err(failed),
            Step::Mute(on) => twilio.mute(account, talk.room, &talk.agent, *on).await.map_err(failed),
            Step::KeepRoom => twilio.keep_room(account, talk.room, &talk.agent).await.map_err(failed),
            Step::Recording(Tape::Start) => {
                let line = Line::Leg(call.leg_id(0));
                twilio.record(account, line, &talk.customer).await.map(drop).map_err(failed)
            }
            Step::Recording(tape) => {
                let state = match tape {
                    Tape::Pause => RecordingState::Paused,
                    Tape::Stop => RecordingState::Stopped,
                    Tape::Start | Tape::Resume => RecordingState::Running,
                };
                twilio.set_recording(account, &talk.customer, state).await.map_err(failed)
            }
            Step::Join { at, presence } => {
                let how = match presence {
                    Presence::Monitor => Supervision::Monitor,
                    Presence::Coach => Supervision::Coach(talk.agent.clone()),
                    Presence::Barge => Supervision::Barge,
                };
                let joined = twilio.supervise(account, talk.room, call.id, at, call.plan.from, &how).await;
                joined.map(drop).map_err(not_dialed)
            }
        }
    }

    async fn listen(&self, recording: &Recording) -> Answer<(Body, String)> {
        let account = self.account_of(recording).await?;
        let sound = self.twilio.client().recording_sound(&account, &recording.provider).await;
        let sound = sound.map_err(|_| Problem::unavailable())?;
        Ok((Body::from(sound), "audio/wav".into()))
    }

    async fn delete(&self, recording: &Recording) -> Answer<()> {
        let account = self.account_of(recording).await?;
        let deleted = self.twilio.client().delete_recording(&account, &recording.provider).await;
        deleted.map_err(|fault| Problem::conflict(format!("the carrier would not delete it: {fault}")))
    }
}
