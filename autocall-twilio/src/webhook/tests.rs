//! Parsers and the one function, without a carrier.

use super::*;
use crate::account::{Account, FixedAccounts};
use crate::form::Form;
use crate::signature::sign;
use crate::urls::{Route, Urls};
use async_trait::async_trait;
use autocall_core::call::{EndCause, LegFacts, Press, Verdict};
use autocall_core::ports::Line;
use autocall_core::script::{Audio, MessageKind, RecordingMode, Role, Room, Script};
use autocall_core::{AgentId, CallId, LegId, Millis, TenantId, Timestamp};
use bytes::Bytes;
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};

const BASE: &str = "https://calls.example.com";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ID: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn call() -> CallId {
    CallId::small(TenantId(7), 9)
}
fn leg(n: u8) -> Line {
    Line::Leg(LegId { call: call(), leg: n })
}

#[derive(Default)]
struct Heard {
    facts: Mutex<Vec<(Line, LegFacts, bool)>>,
    script: Mutex<Option<Script>>,
}

#[async_trait]
impl Ear for Heard {
    fn now(&self) -> Timestamp {
        NOW
    }
    async fn hear(&self, line: Line, facts: LegFacts, asked: bool) -> Result<Script, Unavailable> {
        self.facts.lock().expect("lock").push((line, facts, asked));
        self.script.lock().expect("lock").clone().ok_or(Unavailable)
    }
}

struct Bench {
    ear: Arc<Heard>,
    webhooks: Webhooks,
}

fn bench(accounts: FixedAccounts, validation: Validation) -> Bench {
    let ear = Arc::new(Heard::default());
    *ear.script.lock().expect("lock") = Some(Script::Hangup);
    let urls = Urls::new(BASE).expect("good");
    Bench { webhooks: Webhooks::new(urls, Arc::new(accounts), ear.clone(), validation), ear }
}

fn plain_bench() -> Bench {
    bench(FixedAccounts::one(Account::twilio("default", ID, "token")), Validation::Required)
}

fn request(target: &str, fields: &[(&str, &str)], token: &str) -> Request<Bytes> {
    let mut form: Vec<(&str, &str)> = vec![("AccountSid", ID), ("CallSid", "CA0123456789abcdef0123456789abcdef")];
    form.retain(|(n, _)| !fields.iter().any(|(m, _)| m == n));
    form.extend(fields);
    let form = Form::of(form);
    let signature = sign(token, &format!("{BASE}{target}"), &form);
    Request::post(target)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-twilio-signature", signature)
        .body(Bytes::from(form.encode()))
        .expect("a request")
}

fn line_target(route: &str, line: Line, query: &str) -> String {
    format!("/webhooks/twilio/{route}/{line}{query}")
}

#[tokio::test]
async fn a_signed_webhook_is_heard_and_a_forged_one_is_not() {
    let b = plain_bench();
    let target = line_target("answer", leg(0), "");
    let good = b.webhooks.serve(request(&target, &[], "token")).await;
    assert_eq!(good.status(), StatusCode::OK);
    assert_eq!(good.headers()["content-type"], "text/xml; charset=utf-8");
    let forged = b.webhooks.serve(request(&target, &[], "guess")).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let mut unsigned = request(&target, &[], "token");
    unsigned.headers_mut().remove("x-twilio-signature");
    assert_eq!(b.webhooks.serve(unsigned).await.status(), StatusCode::FORBIDDEN);
    // Signed for another leg, played back at this one.
    let mut moved = request(&target, &[], "token");
    *moved.uri_mut() = line_target("answer", leg(1), "").parse().expect("uri");
    assert_eq!(b.webhooks.serve(moved).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(b.ear.facts.lock().expect("lock").len(), 1);
}

#[tokio::test]
async fn every_tenant_is_called_back_by_its_own_account_only() {
    let own = Account::twilio("7", "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "own");
    let accounts = FixedAccounts::one(Account::twilio("default", ID, "token")).with(TenantId(7), own);
    let b = bench(accounts, Validation::Required);
    let target = line_target("status", leg(0), "");
    let status = |account: &'static str, token: &'static str| {
        b.webhooks.serve(request(&target, &[("AccountSid", account), ("CallStatus", "ringing")], token))
    };
    assert_eq!(status("ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "own").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(status(ID, "token").await.status(), StatusCode::FORBIDDEN, "the default account is another's");
    assert_eq!(status(ID, "own").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(status("ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "token").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn size_method_path_and_type_are_checked_first() {
    let b = plain_bench();
    let target = line_target("answer", leg(0), "");
    let long = Request::post(&target).body(Bytes::from(vec![b'a'; BODY_BYTES_MAX + 1])).expect("a request");
    assert_eq!(b.webhooks.serve(long).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let get = Request::get(&target).body(Bytes::new()).expect("a request");
    assert_eq!(b.webhooks.serve(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let lost = Request::post("/webhooks/twilio/nothing/1").body(Bytes::new()).expect("a request");
    assert_eq!(b.webhooks.serve(lost).await.status(), StatusCode::NOT_FOUND);
    let many = Request::post(&target).header("content-type", "application/x-www-form-urlencoded");
    let many = many.body(Bytes::from("a&".repeat(1_000))).expect("a request");
    assert_eq!(b.webhooks.serve(many).await.status(), StatusCode::FORBIDDEN);
    assert!(b.ear.facts.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn validation_is_skipped_only_for_a_fake_on_this_machine_and_nothing_passed_on() {
    let real = Account::twilio("default", ID, "token");
    assert_eq!(Validation::skip(true, &real), Err(SkipRefused));
    assert_eq!(Validation::skip(false, &real), Ok(Validation::Required));
    let near = real.clone().at("https://127.0.0.1.example.com");
    assert_eq!(Validation::skip(true, &near), Err(SkipRefused));
    let fake = real.clone().at("http://127.0.0.1:4020");
    assert_eq!(Validation::skip(true, &fake), Ok(Validation::Skipped));
    let b = bench(FixedAccounts::one(fake), Validation::Skipped);
    let target = line_target("answer", leg(0), "");
    let unsigned = || {
        let mut r = request(&target, &[], "whatever");
        r.headers_mut().remove("x-twilio-signature");
        r
    };
    assert_eq!(b.webhooks.serve(unsigned()).await.status(), StatusCode::OK);
    for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        let mut passed_on = unsigned();
        passed_on.headers_mut().insert(header, "1.2.3.4".parse().expect("value"));
        assert_eq!(b.webhooks.serve(passed_on).await.status(), StatusCode::FORBIDDEN, "{header}");
    }
    // A tenant with a real account of its own is checked all the same.
    let own = Account::twilio("7", ID, "token");
    let accounts =
        FixedAccounts::one(Account::twilio("default", ID, "x").at("http://127.0.0.1:1")).with(TenantId(7), own);
    let b = bench(accounts, Validation::Skipped);
    assert_eq!(b.webhooks.serve(unsigned()).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn while_the_store_is_down_a_line_asks_again_and_a_report_is_repeated() {
    let b = plain_bench();
    *b.ear.script.lock().expect("lock") = None;
    let answer = b.webhooks.serve(request(&line_target("answer", leg(0), ""), &[], "token")).await;
    let text = String::from_utf8(answer.body().to_vec()).expect("text");
    assert!(text.contains("<Pause") && text.contains("?t=1"), "{text}");
    let last = b.webhooks.serve(request(&line_target("answer", leg(0), "?t=8"), &[], "token")).await;
    assert!(String::from_utf8_lossy(last.body()).contains("<Hangup/>"));
    let report = request(&line_target("status", leg(0), ""), &[("CallStatus", "completed")], "token");
    assert_eq!(b.webhooks.serve(report).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_message_is_said_to_have_begun_and_a_line_does_not_come_back_for_ever() {
    let b = plain_bench();
    let message = Script::Message { kind: MessageKind::Voicemail, audio: Audio::say("Hi"), opt_out: None };
    *b.ear.script.lock().expect("lock") = Some(message);
    b.webhooks.serve(request(&line_target("answer", leg(0), ""), &[], "token")).await;
    let heard = b.ear.facts.lock().expect("lock").clone();
    assert_eq!(heard.len(), 2);
    assert_eq!((heard[1].1.message_at, heard[1].2), (Some(NOW), false));
    let room = Room::Call(call());
    let join = Script::Join { room, role: Role::Customer, hold: Audio::Silence, recording: RecordingMode::Off };
    *b.ear.script.lock().expect("lock") = Some(join);
    let after = |n: u8| b.webhooks.serve(request(&line_target("after", leg(0), &format!("?n={n}")), &[], "token"));
    let text = |a: http::Response<Bytes>| String::from_utf8(a.into_body().to_vec()).expect("text");
    assert!(text(after(0).await).contains(".1\""), "another label each time");
    assert!(text(after(6).await).contains("<Hangup/>"));
}

fn facts(route: Route, query: &str, fields: &[(&str, &str)]) -> LegFacts {
    let query = Form::parse(query.as_bytes()).expect("few");
    line_facts(route, &query, &Form::of(fields.iter().copied()), NOW)
}

#[test]
fn answers_and_verdicts() {
    let answer = facts(Route::Answer, "", &[("CallSid", "CA1"), ("CallStatus", "in-progress")]);
    assert_eq!(answer.answered_at, Some(NOW));
    assert_eq!(answer.provider.expect("sid").0.as_ref(), "CA1");
    assert_eq!(facts(Route::Answer, "", &[("AnsweredBy", "human")]).verdict, Some((Verdict::Human, NOW)));
    for (by, verdict) in [
        ("human", Some(Verdict::Human)),
        ("machine_start", Some(Verdict::MachineGreeting)),
        ("machine_end_beep", Some(Verdict::MachineBeep)),
        ("machine_end_silence", Some(Verdict::MachineEnded)),
        ("machine_end_other", Some(Verdict::MachineEnded)),
        ("fax", Some(Verdict::Fax)),
        ("unknown", Some(Verdict::Unclear)),
        ("something_new", None),
    ] {
        assert_eq!(facts(Route::Amd, "e=900", &[("AnsweredBy", by)]).verdict.map(|v| v.0), verdict, "{by}");
    }
    let human = facts(Route::Amd, "e=900", &[("AnsweredBy", "human")]);
    assert_eq!(human.greeting_end_at, Some(NOW - Millis::from_ms(900)));
    assert_eq!(
        facts(Route::Amd, "e=99999999", &[("AnsweredBy", "human")]).greeting_end_at,
        Some(NOW - Millis::from_secs(5))
    );
}

#[test]
fn progress_and_ends() {
    let status = |s: &str, sip: &str| facts(Route::Status, "", &[("CallStatus", s), ("SipResponseCode", sip)]);
    assert_eq!(status("ringing", "").ringing_at, Some(NOW));
    assert_eq!(status("in-progress", "").answered_at, Some(NOW));
    for (s, sip, cause) in [
        ("completed", "200", EndCause::Completed),
        ("busy", "486", EndCause::Busy),
        ("no-answer", "487", EndCause::NoAnswer),
        ("canceled", "", EndCause::Canceled),
        ("failed", "404", EndCause::InvalidNumber),
        ("failed", "503", EndCause::Failed),
    ] {
        assert_eq!(status(s, sip).end.map(|e| e.cause), Some(cause), "{s} {sip}");
    }
    for s in ["queued", "initiated", "whatever"] {
        assert_eq!(status(s, "").end, None);
    }
    let late = [("CallStatus", "completed"), ("Timestamp", "Fri, 15 Jan 2027 07:59:00 +0000")];
    assert_eq!(facts(Route::Status, "", &late).end.map(|e| e.at), Some(Timestamp::from_secs(1_799_999_940)));
    let ahead = [("CallStatus", "completed"), ("Timestamp", "Fri, 15 Jan 2027 09:59:00 +0000")];
    assert_eq!(facts(Route::Status, "", &ahead).end.map(|e| e.at), Some(NOW), "never in our future");
}

#[test]
fn keys() {
    let accept = |query: &str, digits: &str| facts(Route::Accept, query, &[("Digits", digits)]);
    assert_eq!(accept("k=any", "5").accepted, Some(Press { at: NOW, key: '5' }));
    assert_eq!(accept("k=%23", "#").accepted, Some(Press { at: NOW, key: '#' }));
    for (query, digits) in [("k=any", ""), ("k=1", "2"), ("k=none", "1"), ("", "1"), ("k=any", "x"), ("k=any", "!")] {
        let got = accept(query, digits);
        assert_eq!((got.accepted, got.declined_at), (None, Some(NOW)), "{query} {digits}");
    }
    assert_eq!(facts(Route::OptOut, "k=9", &[("Digits", "9")]).opted_out_at, Some(NOW));
    assert_eq!(facts(Route::OptOut, "k=9", &[("Digits", "8")]).opted_out_at, None);
    assert_eq!(facts(Route::OptOut, "", &[]).opted_out_at, None);
    assert_eq!(facts(Route::MessageEnd, "", &[]).message_end_at, Some(NOW));
    let agent = AgentId::small(TenantId(7), 5);
    assert_eq!(facts(Route::After, &format!("n=0&r={agent}"), &[]).left, Some((NOW, agent)));
    assert!(facts(Route::After, "n=0", &[("CallStatus", "completed")]).is_over());
    assert!(!facts(Route::After, "n=0", &[("CallStatus", "in-progress")]).is_over());
    assert_eq!(facts(Route::After, "n=0", &[]).left_at, None);
}

#[test]
fn rooms() {
    let agent = Room::Agent(AgentId::small(TenantId(7), 5));
    let event = |room: Room, name: &str, event: &str, label: &str| {
        let form =
            [("FriendlyName", name), ("StatusCallbackEvent", event), ("ParticipantLabel", label), ("CallSid", "CA1")];
        conference(room, &Form::of(form), NOW)
    };
    let of_call = crate::urls::room_name(Room::Call(call()));
    let of_agent = crate::urls::room_name(agent);
    let customer = leg(0).to_string();
    let joined = event(Room::Call(call()), &of_call, "participant-join", &customer).expect("an event");
    assert_eq!((joined.facts.joined_at, joined.facts.joined_agent_at), (Some(NOW), None));
    let guest = event(agent, &of_agent, "participant-join", &format!("{customer}.0r")).expect("an event");
    assert_eq!((guest.facts.joined_agent_at, guest.record), (Some(NOW), true));
    let left = event(agent, &of_agent, "participant-leave", &customer).expect("an event");
    assert_eq!(left.facts.left_at, Some(NOW));
    assert_eq!(
        event(Room::Call(call()), &of_call, "participant-leave", &customer),
        None,
        "a waiting room is left unreported"
    );
    assert_eq!(event(Room::Call(call()), &of_agent, "participant-join", &customer), None, "another room");
    assert_eq!(event(agent, &of_agent, "conference-start", ""), None);
}

#[test]
fn recordings() {
    let form = [
        ("RecordingStatus", "completed"),
        ("RecordingSid", "RE1"),
        ("RecordingDuration", "12"),
        ("RecordingChannels", "2"),
    ];
    assert_eq!(recording(&Form::of(form)), Some(RecordingEvent { sid: "RE1".into(), seconds: 12, channels: 2 }));
    assert_eq!(recording(&Form::of([("RecordingStatus", "in-progress"), ("RecordingSid", "RE1")])), None);
    assert_eq!(recording(&Form::of([("RecordingStatus", "completed"), ("RecordingSid", "../x")])), None);
}
