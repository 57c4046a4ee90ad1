//! [`Telephony`] over the carrier's REST interface.

use crate::account::{Account, Accounts};
use crate::render::{Setting, render};
use crate::rest::{CallResource, Client, CreateCall, Fault, instant};
use crate::twiml::SPOKEN_CHARS_MAX;
use crate::urls::{Route, Subject, Urls, is_customer};
use crate::webhook::line_facts;
use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::call::{End, LegFacts, ProviderRef, Verdict};
use autocall_core::ports::{
    AmdRequest, Capabilities, Dial, DialError, DialPermit, Line, Refusal, Sighting, Telephony, TelephonyError,
};
use autocall_core::script::{RecordingMode, Script};
use autocall_core::settings::{AmdMode, AmdPreset};
use autocall_core::{Millis, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines whose carrier ids are remembered, so that look-ups need not ask about them.
const KNOWN_MAX: usize = 50_000;

/// Calls whose create request one look-up asks for at most. More unknown calls than this prove
/// nothing, and the look-up is repeated later.
const EVENTS_MAX: usize = 200;

/// `Twiml` as a parameter may have this many characters.
const INLINE_CHARS_MAX: usize = 4_000;

/// The clock of an adapter: a permit is redeemed by it.
pub type ClockFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A carrier with Twilio's interface.
pub struct Twilio {
    pub(crate) client: Client,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) urls: Urls,
    clock: ClockFn,
    known: Mutex<Known>,
}

/// What this process has seen: which carrier id is which line, and whom lines in doubt called.
/// Only ever an optimisation.
#[derive(Default)]
struct Known {
    lines: BTreeMap<String, Line>,
    order: VecDeque<String>,
    doubts: BTreeMap<Line, String>,
}

impl Known {
    fn learn(&mut self, sid: &str, line: Line) {
        if self.lines.insert(sid.to_owned(), line).is_none() {
            self.order.push_back(sid.to_owned());
        }
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
    }
    fn doubt(&mut self, line: Line, to: String) {
        if self.doubts.len() >= KNOWN_MAX {
            self.doubts.pop_first();
        }
        self.doubts.insert(line, to);
    }
}

/// The detector's thresholds, milliseconds.
struct Thresholds {
    speech: u32,
    speech_end: u32,
    silence: u32,
}

fn thresholds(preset: AmdPreset) -> Thresholds {
    match preset {
        // A verdict 0.9 s after the greeting's end leaves a second for the connection.
        AmdPreset::FastConnect => Thresholds { speech: 1_800, speech_end: 900, silence: 3_000 },
        AmdPreset::Accurate => Thresholds { speech: 2_400, speech_end: 1_200, silence: 5_000 },
    }
}

impl Twilio {
    /// A carrier behind these accounts.
    pub fn new(client: Client, accounts: Arc<dyn Accounts>, urls: Urls, clock: ClockFn) -> Twilio {
        Twilio { client, accounts, urls, clock, known: Mutex::new(Known::default()) }
    }
    /// The addresses that it gives to the carrier.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }
    /// The REST client.
    pub fn client(&self) -> &Client {
        &self.client
    }
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A webhook named this call: a later look-up need not ask which line it is.
    pub fn saw(&self, call: &ProviderRef, line: Line) {
        self.known().learn(&call.0, line);
    }
    pub(crate) async fn account(&self, name: &str) -> Result<Arc<Account>, TelephonyError> {
        let missing = || TelephonyError::Rejected("no such carrier account".into());
        self.accounts.named(name).await.ok_or_else(missing)
    }

    /// The parameters of a create.
    pub(crate) fn create(&self, dial: &Dial, account: &Account) -> CreateCall {
        let line = dial.line;
        let url = self.urls.answer(line, "");
        let seconds = |ms: u32, low: u32, high: u32| (ms / 1000).clamp(low, high).to_string();
        // The carrier lets it ring about five seconds longer than it is told.
        let ring_ms = dial.ring_ms_max.saturating_sub(5_000);
        let mut create = CreateCall::default()
            .with("To", address(&dial.to))
            .with("From", dial.from.e164())
            .with("Url", url)
            .with("FallbackUrl", self.urls.answer(line, "t=1"))
            .with("StatusCallback", self.urls.of(Route::Status, Subject::Line(line), ""))
            .with("Timeout", seconds(ring_ms, 5, 600))
            .with("TimeLimit", seconds(dial.call_ms_max, 60, 14_400));
        for event in ["initiated", "ringing", "answered", "completed"] {
            create = create.with("StatusCallbackEvent", event);
        }
        if let Some(amd) = dial.amd {
            create = self.detection(create, line, amd, account);
        }
        if dial.recording != RecordingMode::Off && !is_customer(line) {
            let callback = self.urls.of(Route::Recording, Subject::Line(line), "");
            create = create.with("Record", "true").with("RecordingStatusCallback", callback);
        }
        create
    }

    fn detection(&self, create: CreateCall, line: Line, amd: AmdRequest, account: &Account) -> CreateCall {
        let mode = match amd.mode {
            AmdMode::Off => return create,
            AmdMode::Detect => "Enable",
            AmdMode::DetectMessageEnd => "DetectMessageEnd",
        };
        let t = thresholds(amd.preset);
        let create = create
            .with("MachineDetection", mode)
            .with("MachineDetectionTimeout", "30")
            .with("MachineDetectionSpeechThreshold", t.speech.to_string())
            .with("MachineDetectionSpeechEndThreshold", t.speech_end.to_string())
            .with("MachineDetectionSilenceTimeout", t.silence.to_string());
        if !account.abilities.async_amd {
            return create;
        }
        let callback = self.urls.of(Route::Amd, Subject::Line(line), &format!("e={}", t.speech_end));
        create.with("AsyncAmd", "true").with("AsyncAmdStatusCallback", callback)
    }

    async fn find(&self, account: &Account, line: Line, since: Timestamp) -> Result<Option<CallResource>, Fault> {
        // The instant of the carrier's clock may be a little behind ours.
        let after = (since - Millis::from_mins(2)).to_string();
        let to = self.known().doubts.get(&line).cloned();
        // A queued call has no start time yet, so the living are found by their status.
        let mut scans: Vec<Vec<(&str, &str)>> =
            ["queued", "ringing", "in-progress"].map(|s| vec![("Status", s)]).into();
        scans.push(vec![("StartTime>", &after)]);
        let mut asked = 0;
        let mut seen = std::collections::BTreeSet::new();
        for mut filters in scans {
            if let Some(to) = &to {
                filters.push(("To", to));
            }
            for call in self.client.calls(account, &filters).await? {
                let is_new = seen.insert(call.sid.clone()) && call.parent_call_sid.is_none();
                let young =
                    call.date_created.as_deref().and_then(instant).is_none_or(|at| at >= since - Millis::from_mins(2));
                if !is_new || !young {
                    continue;
                }
                let known = self.known().lines.get(&call.sid).copied();
                match known {
                    Some(other) if other != line => continue,
                    Some(_) => return Ok(Some(call)),
                    None => {}
                }
                if !account.abilities.events {
                    continue;
                }
                asked += 1;
                if asked > EVENTS_MAX {
                    return Err(Fault::Doubt("too many unknown calls to ask about each"));
                }
                if let Some(found) = self.line_of(account, &call.sid).await? {
                    self.known().learn(&call.sid, found);
                    if found == line {
                        return Ok(Some(call));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The line in the addresses of a call's create request.
    async fn line_of(&self, account: &Account, sid: &str) -> Result<Option<Line>, Fault> {
        let events = self.client.call_events(account, sid).await?;
        Ok(events.iter().find_map(|event| {
            let parameters = event.request.get("parameters")?.as_object()?;
            parameters.values().filter_map(|v| v.as_str()).find_map(|v| self.line_in(v))
        }))
    }

    fn line_in(&self, url: &str) -> Option<Line> {
        let path = url.strip_prefix(self.urls.base())?.split(['?', '#']).next()?;
        match crate::urls::parse(path)? {
            (_, Subject::Line(line)) => Some(line),
            _ => None,
        }
    }

    /// The TwiML of a script, if it fits into a request.
    fn inline(&self, line: Line, script: &Script) -> Option<String> {
        let text = render(script, &Setting::new(&self.urls, line));
        (text.chars().count() <= INLINE_CHARS_MAX.min(SPOKEN_CHARS_MAX)).then_some(text)
    }
}

/// Whom, as the carrier names them.
pub(crate) fn address(to: &Address) -> String {
    match to {
        Address::Phone(phone) => phone.e164(),
        Address::Sip(uri) => uri.expose().to_owned(),
        Address::Client(name) => {
            let name = name.expose();
            if name.starts_with("client:") { name.to_owned() } else { format!("client:{name}") }
        }
    }
}

/// What a call resource says about a leg.
pub(crate) fn facts_of(call: &CallResource, now: Timestamp) -> LegFacts {
    let mut form = vec![("CallSid", call.sid.clone()), ("CallStatus", call.status.clone())];
    if let Some(by) = &call.answered_by {
        form.push(("AnsweredBy", by.clone()));
    }
    let form = crate::form::Form::of(form);
    let mut facts = line_facts(Route::Status, &crate::form::Form::default(), &form, now);
    let heard = line_facts(Route::Amd, &crate::form::Form::default(), &form, now);
    facts.verdict = heard.verdict.filter(|(v, _)| *v != Verdict::Unclear || facts.end.is_none());
    if let Some(End { at, .. }) = &mut facts.end
        && let Some(ended) = call.end_time.as_deref().and_then(instant)
    {
        *at = ended.min(now);
    }
    facts
}

#[async_trait]
impl Telephony for Twilio {
    fn capabilities(&self) -> Capabilities {
        // The carrier queues an accepted call for up to a day; a list that does not show it yet
        // proves nothing.
        Capabilities::default()
    }

    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        let refused = |why: &str| DialError::Refused(Refusal::Account(why.into()));
        let account = self.accounts.named(&dial.account).await.ok_or_else(|| refused("no such carrier account"))?;
        let create = self.create(dial, &account);
        // Whom a line in doubt called narrows the look-up. Written before the request leaves.
        let to = address(&dial.to);
        // Its place in the account's calls per second may be a moment away.
        let now = (self.clock)();
        let early = (dial.not_before - now).min(permit.remaining(now));
        if early > Millis::ZERO {
            tokio::time::sleep(Duration::from_millis(u64::try_from(early.ms()).unwrap_or(0))).await;
        }
        let now = (self.clock)();
        let left = permit.remaining(now);
        let within = Duration::from_millis(u64::try_from(left.ms()).unwrap_or(0));
        permit.redeem(now).map_err(|_| DialError::Refused(Refusal::Expired))?;
        match self.client.create_call(&account, &create, within).await {
            Ok(call) => {
                self.known().learn(&call.sid, dial.line);
                Ok(ProviderRef(call.sid.into()))
            }
            Err(fault) => {
                if !fault.proves_absence() {
                    self.known().doubt(dial.line, to);
                }
                Err(fault.into_dial_error())
            }
        }
    }

    async fn steer(&self, line: Line, leg: &ProviderRef, account: &str, script: &Script) -> Result<(), TelephonyError> {
        let account = self.account(account).await?;
        let done = match script {
            Script::Hangup => self.client.end_call(&account, &leg.0).await,
            // Into a room at once: the words go with the request, and the carrier need not ask.
            Script::Join { .. } if let Some(text) = self.inline(line, script) => {
                self.client.update_call(&account, &leg.0, &[("Twiml", &text)]).await
            }
            // Everything else is asked for: the answer is what holds at that moment.
            _ => {
                let url = self.urls.answer(line, "");
                self.client.update_call(&account, &leg.0, &[("Url", &url), ("Method", "POST")]).await
            }
        };
        done.map(drop).map_err(Fault::into_telephony_error)
    }

    async fn lookup(
        &self,
        line: Line,
        account: &str,
        known: Option<&ProviderRef>,
        since: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        let account = self.account(account).await?;
        let found = match known {
            Some(sid) => match self.client.call(&account, &sid.0).await {
                Ok(call) => Ok(Some(call)),
                Err(Fault::NotUp { .. }) => Ok(None),
                Err(fault) => Err(fault),
            },
            None => self.find(&account, line, since).await,
        };
        let now = (self.clock)();
        match found.map_err(Fault::into_telephony_error)? {
            Some(call) => {
                let mut known = self.known();
                known.learn(&call.sid, line);
                known.doubts.remove(&line);
                Ok(Sighting::Seen(facts_of(&call, now)))
            }
            None => Ok(Sighting::Absent),
        }
    }
}
