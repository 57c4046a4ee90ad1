//! Webhooks. Laws: no unsigned request is believed, whatever its path, headers and body; a request
//! signed by the carrier is never taken for a forged one; a body over the limit is refused before
//! it is read as a form; what a line is told is a well-formed document within the carrier's limit;
//! nobody is heard about another tenant's line.
//!
//! An input is a byte of choices and a byte that picks route and subject; then the query, a line feed,
//! and the body. Some routes take the first line as the whole target.

use super::{Behaviour, Target};
use async_trait::async_trait;
use autocall_core::call::LegFacts;
use autocall_core::ports::Line;
use autocall_core::script::{Accept, Audio, MessageKind, RecordingMode, Role, Room, Script};
use autocall_core::{AgentId, CallId, LegId, Private, TenantId, Timestamp};
use autocall_testkit::fake_twilio::twiml;
use autocall_twilio::form::Form;
use autocall_twilio::signature::{body_sha256, sign};
use autocall_twilio::twiml::DOCUMENT_BYTES_MAX;
use autocall_twilio::urls::{PREFIX, ROUTES, Route, Subject};
use autocall_twilio::webhook::{BODY_BYTES_MAX, Ear, Unavailable, Webhooks};
use autocall_twilio::{Account, FixedAccounts, Urls, Validation};
use bytes::Bytes;
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};

const BASE: &str = "https://calls.example.com";
const TOKEN: &str = "12345678901234567890123456789012";
const TENANT: TenantId = TenantId(7);

/// The webhook function and its parsers.
pub struct Hooks {
    ear: Arc<Listener>,
    webhooks: Webhooks,
    runtime: tokio::runtime::Runtime,
}

/// Answers with the script that is due and notes what it heard.
#[derive(Default)]
struct Listener {
    script: Mutex<Option<Script>>,
    heard: Mutex<Vec<Line>>,
}

#[async_trait]
impl Ear for Listener {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
    async fn hear(&self, line: Line, _: LegFacts, _: bool) -> Result<Script, Unavailable> {
        self.heard.lock().expect("one thread").push(line);
        self.script.lock().expect("one thread").clone().ok_or(Unavailable)
    }
}

fn call() -> CallId {
    CallId::small(TENANT, 9)
}

fn account_id() -> String {
    format!("AC{}", "a".repeat(32))
}

impl Default for Hooks {
    fn default() -> Hooks {
        let ear = Arc::new(Listener::default());
        let accounts = FixedAccounts::one(Account::twilio("default", &account_id(), TOKEN));
        let urls = Urls::new(BASE).expect("a base");
        let webhooks = Webhooks::new(urls, Arc::new(accounts), ear.clone(), Validation::Required);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Hooks { ear, webhooks, runtime }
    }
}

/// Every kind of script, and none: the store is down.
fn script(choice: u8) -> Option<Script> {
    let audio = || Audio::say("Hold <the> line & wait\u{0}\u{ffff}");
    let join = |room, role| Script::Join { room, role, hold: audio(), recording: RecordingMode::Consent };
    let agent = AgentId::small(TENANT, 5);
    Some(match choice % 8 {
        0 => Script::Wait,
        1 => join(Room::Call(call()), Role::Customer),
        2 => join(Room::Agent(agent), Role::Customer),
        3 => join(Room::Call(call()), Role::Agent),
        4 => Script::Whisper { text: Private::new("Call from \"Zoë\" & co"), accept: Accept::AnyKey, wait_ms: 8_000 },
        5 => Script::Message { kind: MessageKind::Abandonment, audio: audio(), opt_out: Some('9') },
        6 => Script::Hangup,
        _ => return None,
    })
}

impl Hooks {
    fn serve(&self, target: &str, kind: &str, signature: Option<&str>, body: &[u8]) -> Option<(StatusCode, Bytes)> {
        let mut request = Request::post(target).header("content-type", kind);
        if let Some(signature) = signature {
            request = request.header("x-twilio-signature", signature);
        }
        // What is no request at all never reaches us.
        let request = request.body(Bytes::copy_from_slice(body)).ok()?;
        let answer = self.runtime.block_on(self.webhooks.serve(request));
        Some((answer.status(), answer.into_body()))
    }
    fn heard(&self) -> Vec<Line> {
        std::mem::take(&mut *self.ear.heard.lock().expect("one thread"))
    }
}

impl Target for Hooks {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let leg = LegId { call: call(), leg: 0 };
        let sid = format!("AccountSid={}&CallSid=CA0123456789abcdef0123456789abcdef", account_id());
        let bodies = [
            ("", "CallStatus=in-progress"),
            ("e=900", "AnsweredBy=human&MachineDetectionDuration=2100"),
            ("e=900", "AnsweredBy=machine_end_beep"),
            (
                "",
                "CallStatus=completed&SequenceNumber=3&CallDuration=12&SipResponseCode=200\
                 &Timestamp=Tue%2C+31+Aug+2010+20%3A36%3A28+%2B0000",
            ),
            ("k=any", "Digits=1"),
            ("n=0&r=7-00000000000000000000000000000005", "DialCallStatus=completed&CallStatus=completed"),
            ("k=9", "Digits=9"),
            ("say=Please+hold&l=en-US", ""),
            ("", "RecordingSid=RE0123&RecordingStatus=completed&RecordingDuration=9&RecordingChannels=2"),
            ("", "StatusCallbackEvent=participant-join"),
            ("", "StatusCallbackEvent=participant-leave&ReasonParticipantLeft=participant_hung_up"),
            ("n=1&k=9", "From=%2B14155552671&To=%2B14155550100&Digits=9"),
        ];
        let mut seeds = Vec::new();
        for route in 0..ROUTES.len() as u8 {
            for (n, (query, body)) in bodies.iter().enumerate() {
                let names = format!("FriendlyName=call-{}&ParticipantLabel={leg}", call());
                let text = format!("{query}\n{sid}&{names}&{body}");
                seeds.push([&[n as u8, route], text.as_bytes()].concat());
            }
        }
        for target in ["/webhooks/twilio/answer/7-1-0", "/webhooks/twilio/", "/", "/webhooks/twilio/inbound/7?x"] {
            seeds.push([&[0, RAW], target.as_bytes(), b"\n", sid.as_bytes()].concat());
        }
        seeds
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"/webhooks/twilio/",
            b"answer",
            b"agent-answer",
            b"amd",
            b"status",
            b"accept",
            b"after",
            b"conference-status",
            b"recording",
            b"AnsweredBy=",
            b"human",
            b"machine_start",
            b"CallStatus=",
            b"completed",
            b"busy",
            b"Digits=",
            b"AccountSid=",
            b"&",
            b"=",
            b"?",
            b"#",
            b"%00",
            b"%zz",
            b"%27",
            b"'",
            b"+",
            b"bodySHA256=",
            b"ParticipantLabel=",
            b"participant-leave",
            b"-s1",
            b"-room",
            b"99999999999999999999",
            b"\xFF\xFE",
            b"Timestamp=",
        ]
    }

    fn run(&self, input: &[u8], said: &mut Behaviour) {
        let [choice, route, rest @ ..] = input else { return };
        let choice = *choice;
        let at = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let target = target(*route, &String::from_utf8_lossy(&rest[..at]));
        let mut body = rest.get(at + 1..).unwrap_or_default().to_vec();
        if choice & 0x40 != 0 {
            // Long bodies, without a mutator that has to write them.
            body.resize(body.len() + usize::from(choice) * 300, b'a');
        }
        *self.ear.script.lock().expect("one thread") = script(choice);
        let form_kind = "application/x-www-form-urlencoded; charset=utf-8";
        let kind = if choice & 0x20 != 0 { "application/json" } else { form_kind };
        forged(self, &target, kind, &body, said);
        signed(self, &target, kind, &body, said);
    }
}

/// Route bytes from here on take the first line as the whole target.
const RAW: u8 = 0xF0;

/// The target that a route byte and a query make: a known route with a subject of its kind.
fn target(route: u8, query: &str) -> String {
    if route >= RAW {
        return query.to_owned();
    }
    let (route, segment) = ROUTES[usize::from(route) % ROUTES.len()];
    let leg = |n: u8| Subject::Line(Line::Leg(LegId { call: call(), leg: n }));
    let subject = match route {
        Route::Inbound | Route::InboundKeys | Route::InboundEnd => Subject::Tenant(TENANT),
        Route::ConferenceStatus => Subject::Room(Room::Call(call())),
        Route::AgentAnswer | Route::Accept => leg(1),
        _ => leg(0),
    };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{PREFIX}{segment}/{subject}{mark}{query}")
}

/// Nobody is believed without a signature, nor with one that was made for something else.
fn forged(hooks: &Hooks, target: &str, kind: &str, body: &[u8], said: &mut Behaviour) {
    let of_other = sign("another token", &format!("{BASE}{target}"), &Form::default());
    for signature in [None, Some(""), Some(&*of_other), Some("RSOYDt4T1cUTdK1PDd93/VVr8B8="), Some(target)] {
        // A header that cannot be one never reaches us.
        let Some((status, answer)) = hooks.serve(target, kind, signature, body) else { continue };
        said.note(format!("forged:{status}"));
        assert!(status.is_client_error(), "a forged request was answered {status}");
        assert!(answer.is_empty(), "a forged request learns nothing");
        assert!(hooks.heard().is_empty(), "a forged request was heard");
        if body.len() > BODY_BYTES_MAX {
            assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "a long body is refused for its length");
        }
    }
}

/// What the carrier signed is never taken for forged, and its answer is a document.
fn signed(hooks: &Hooks, target: &str, kind: &str, body: &[u8], said: &mut Behaviour) {
    let is_form = kind.starts_with("application/x-www");
    let Some(form) = Form::parse(body) else {
        said.note("too many fields");
        return;
    };
    let (target, signature) = if is_form {
        (target.to_owned(), sign(TOKEN, &format!("{BASE}{}", unfragmented(target)), &form))
    } else {
        let mark = if target.contains('?') { '&' } else { '?' };
        let target = format!("{}{mark}bodySHA256={}", unfragmented(target), body_sha256(body));
        let signature = sign(TOKEN, &format!("{BASE}{target}"), &Form::default());
        (target, signature)
    };
    let Some((status, answer)) = hooks.serve(&target, kind, Some(&signature), body) else { return };
    let heard = hooks.heard();
    said.note(format!("signed:{status} heard:{}", heard.len()));
    // Only routes that exist: every wrong one would be news otherwise, and the search would drown.
    let segment = target.strip_prefix(PREFIX).and_then(|t| t.split('/').next()).unwrap_or_default();
    if ROUTES.iter().any(|(_, known)| *known == segment) {
        said.note(format!("{segment}:{status} {}", heard.len()));
    }
    if let Ok(text) = std::str::from_utf8(&answer) {
        for verb in ["<Gather", "<Dial", "<Say", "<Play", "<Pause", "<Redirect", "<Hangup", "<Conference"] {
            if text.contains(verb) {
                said.note(format!("{segment} says {verb}"));
            }
        }
    }
    assert!(heard.len() <= 2, "one request, one fact (and that a message begins)");
    for line in heard {
        assert!(
            target.contains(&line.to_string()) || target.contains("conference"),
            "a line that the path does not name"
        );
    }
    if status == StatusCode::OK {
        assert!(answer.len() <= DOCUMENT_BYTES_MAX, "a document of {} bytes", answer.len());
        let text = std::str::from_utf8(&answer).expect("UTF-8");
        if let Err(error) = twiml::parse(text) {
            panic!("not a document: {error}");
        }
    }
    let ours = form.get("AccountSid").as_deref() == Some(&account_id());
    let known = ![StatusCode::NOT_FOUND, StatusCode::PAYLOAD_TOO_LARGE].contains(&status);
    // The raw target is what was signed only where the parser of requests keeps it as it is.
    let kept = target.parse::<http::Uri>().is_ok_and(|uri| uri.path_and_query().is_some_and(|p| p.as_str() == target));
    if is_form && ours && known && kept && target.starts_with('/') {
        assert_ne!(status, StatusCode::FORBIDDEN, "the carrier's own request was refused");
    }
}

fn unfragmented(target: &str) -> &str {
    target.split('#').next().unwrap_or_default()
}
