//! The adapter and the fake, held against the carrier's published contract and its own client
//! library. Needs Python with `twilio`, Node with Prism, and Twilio's OpenAPI description
//! (`TWILIO_OPENAPI=…/twilio_api_v2010.json`); what is missing is said and left out.

use autocall_core::agent::Address;
use autocall_core::call::ProviderRef;
use autocall_core::ports::{Changes, Dial, Line, Telephony};
use autocall_core::script::{Accept, Audio, MessageKind, RecordingMode, Role, Room, Script};
use autocall_core::settings::{AmdMode, AmdPreset};
use autocall_core::{AgentId, CallId, LegId, Phone, Private, TenantId, Timestamp};
use autocall_testkit::fake_twilio::{self, Config, FakeTwilio, Person, twiml};
use autocall_testkit::need;
use autocall_twilio::form::Form;
use autocall_twilio::render::{Setting, render};
use autocall_twilio::rest::{Client, Jitter, Limits, RecordingState};
use autocall_twilio::signature::{Body, sign, verify};
use autocall_twilio::{Account, FixedAccounts, Supervision, Twilio, Urls};
use rand::{Rng, RngExt, SeedableRng};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

fn here(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contract").join(file)
}

/// The carrier's library, answering questions line by line.
struct Judge {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    fn new(what: &str) -> Option<Judge> {
        let python = need::python(what, "twilio")?;
        let mut child = Command::new(python)
            .arg(here("judge.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let ask = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Some(Judge { child, ask, answers })
    }
    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.ask, "{question}").expect("asked");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("answered");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text of up to `most` characters: letters, marks that need care, and the rest of Unicode.
fn text(rng: &mut impl Rng, most: usize) -> String {
    const CARE: &[char] = &['&', '=', '+', '%', '#', '?', '\'', '"', ' ', '<', 'é', '中', '🙂', '/', ';', '\u{a0}'];
    (0..rng.random_range(0..=most))
        .map(|_| match rng.random_range(0..4) {
            0 => CARE[rng.random_range(0..CARE.len())],
            1 => char::from_u32(rng.random_range(0x20..0xD7FF)).unwrap_or('x'),
            _ => rng.random_range(b'a'..=b'z') as char,
        })
        .collect()
}

#[test]
fn the_carriers_validator_accepts_what_the_fake_signs_and_we_accept_what_it_signs() {
    let Some(mut judge) = Judge::new("the contract of signatures") else { return };
    let mut rng = rand_chacha::ChaCha12Rng::seed_from_u64(6);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..4_000 {
        let token: String = (0..32).map(|_| rng.random_range(b'0'..=b'f') as char).collect();
        let port = if rng.random_bool(0.3) { ":8443" } else { "" };
        let base = format!("https://calls.example.com{port}");
        let mut target = format!("/webhooks/twilio/answer/{}", rng.next_u32());
        if rng.random_bool(0.5) {
            target.push_str(&format!("?k={}&n={}", rng.random_range(0..10), rng.next_u32()));
        }
        let mut fields: Vec<(String, String)> =
            (0..rng.random_range(0..20)).map(|_| (format!("F{}", text(&mut rng, 6)), text(&mut rng, 20))).collect();
        if rng.random_bool(0.3)
            && let Some(again) = fields.first().cloned()
        {
            fields.push((again.0, text(&mut rng, 5)));
        }
        let url = format!("{base}{target}");
        let of_fake = fake_twilio::sign(&token, &url, &fields);
        let verdict = judge.ask(&json!({"token": token, "url": url, "fields": fields, "signature": of_fake}));
        assert_eq!(verdict["valid"], true, "round {round}: the carrier's library refuses what the fake signs");
        let theirs = verdict["signature"].as_str().expect("text").to_owned();
        let form = Form::of(fields.iter().map(|(n, v)| (n, v)));
        assert_eq!(sign(&token, &url, &form), theirs, "round {round}");
        let received = Form::parse(form.encode().as_bytes()).expect("few fields");
        let tokens = [SecretString::from(token.clone())];
        let ours = verify(&tokens, Some(theirs.as_bytes()), &base, &target, Body::Form(&received));
        assert_eq!(ours, Ok(()), "round {round}: we refuse what the carrier's library signs");
        accepted += 1;
        let other = [SecretString::from(format!("{token}0"))];
        refused += u32::from(verify(&other, Some(theirs.as_bytes()), &base, &target, Body::Form(&received)).is_err());
    }
    assert_eq!((accepted, refused), (4_000, 4_000));
}

fn as_json(node: &twiml::Node) -> Value {
    let children: Vec<Value> = node.children.iter().map(as_json).collect();
    json!({"name": node.name, "attributes": node.attributes, "text": node.text, "children": children})
}

#[test]
fn the_carriers_markup_builder_makes_the_same_trees() {
    let Some(mut judge) = Judge::new("the contract of markup") else { return };
    let urls = Urls::new("https://calls.example.com").expect("a base");
    let call = CallId::small(TenantId(7), 9);
    let line = Line::Leg(LegId { call, leg: 0 });
    let rooms = [Room::Call(call), Room::Agent(AgentId::small(TenantId(7), 5))];
    let audios = [Audio::Silence, Audio::say("Hold & wait <now>"), Audio::File("k/1".into())];
    let mut scripts = vec![Script::Wait, Script::Hangup];
    for audio in audios {
        for room in rooms {
            for role in [Role::Customer, Role::Agent, Role::Third, Role::Standing] {
                for recording in [RecordingMode::Off, RecordingMode::Announce, RecordingMode::Consent] {
                    scripts.push(Script::Join { room, role, hold: audio.clone(), recording });
                }
            }
        }
        for opt_out in [None, Some('9'), Some('#')] {
            scripts.push(Script::Message { kind: MessageKind::Abandonment, audio: audio.clone(), opt_out });
        }
    }
    for accept in [Accept::AnyKey, Accept::Key('*'), Accept::Console, Accept::Without] {
        let text = Private::new("Call for \"Zoë\" & <co>\u{7}");
        scripts.push(Script::Whisper { text, accept, wait_ms: 8_000 });
    }
    for script in &scripts {
        let ours = twiml::parse(&render(script, &Setting::new(&urls, line))).expect("well-formed");
        let question = json!({"twiml": ours.iter().map(as_json).collect::<Vec<_>>()});
        let theirs = judge.ask(&question)["text"].as_str().expect("text").to_owned();
        assert_eq!(twiml::parse(&theirs).expect("well-formed"), ours, "{script:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_carriers_client_drives_the_fake() {
    let Some(python) = need::python("the contract of the fake", "twilio") else { return };
    let fake = fake().await;
    let account = fake_twilio::Account::default();
    let run = tokio::process::Command::new(python)
        .arg(here("client.py"))
        .args([fake.url(), account.sid, account.token])
        .output()
        .await
        .expect("python runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.lines().filter(|l| l.starts_with("ok")).count() >= 25, "{said}");
}

async fn fake() -> FakeTwilio {
    let fake = FakeTwilio::start(Config { speed: 30.0, ..Config::default() }).await.expect("loopback");
    let patient = Person { ring_ms: 600, talk_ms: None, patience_ms: None, ..Person::human() };
    fake.set_person("+14155552671", vec![patient.clone()]);
    fake.set_person("+13055550170", vec![patient]);
    fake
}

/// The published description, with the one thing it leaves out: that lists in a form are repeated
/// fields. Without it every `StatusCallbackEvent` would be refused.
fn description() -> Option<Value> {
    let Some(path) = std::env::var_os("TWILIO_OPENAPI") else {
        // Unlike a tool, a published description cannot be installed by us and is not ours to
        // keep here: its absence is said, and counted where that is not fatal.
        eprintln!("left out: the contract of REST: set TWILIO_OPENAPI to twilio_api_v2010.json");
        let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
        if !is("CI", "true")
            && !is("AUTOCALL_REQUIRE_ALL", "1")
            && let Some(path) = std::env::var_os("AUTOCALL_SKIPS")
            && let Ok(mut file) = std::fs::File::options().create(true).append(true).open(path)
        {
            let _ = file.write_all(b"the contract of REST: Twilio's OpenAPI description (TWILIO_OPENAPI) is missing\n");
        }
        return None;
    };
    let text = std::fs::read_to_string(path).expect("TWILIO_OPENAPI can be read");
    let mut spec: Value = serde_json::from_str(&text).expect("JSON");
    let mut patched = 0;
    for path in spec["paths"].as_object_mut().expect("paths").values_mut() {
        for operation in path.as_object_mut().expect("operations").values_mut() {
            let form = operation.pointer_mut("/requestBody/content/application~1x-www-form-urlencoded");
            let Some(form) = form else { continue };
            let Some(properties) = form.pointer("/schema/properties").and_then(Value::as_object).cloned() else {
                continue;
            };
            for (name, schema) in properties {
                if schema["type"] == "array" {
                    form["encoding"][name] = json!({"style": "form", "explode": true});
                    patched += 1;
                }
            }
        }
    }
    assert!(patched >= 5, "the description has changed its shape");
    links_are_relative(&mut spec["paths"]);
    Some(spec)
}

/// The description calls the links between pages absolute addresses; its own examples, like the
/// carrier, have relative ones.
fn links_are_relative(at: &mut Value) {
    match at {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if name.ends_with("uri") && value["format"] == "uri" {
                    value["format"] = json!("uri-reference");
                }
                links_are_relative(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(links_are_relative),
        _ => {}
    }
}

struct Proxy {
    child: Child,
    url: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prism between us and the fake: it refuses requests and answers that break the description.
async fn proxy(spec: &Value, target: &str) -> Option<Proxy> {
    let what = "the contract of REST";
    let folder = std::env::var_os("AUTOCALL_NPM")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/npm"), PathBuf::from);
    let prism = folder.join("node_modules/.bin/prism");
    if !prism.exists() {
        need::left_out(what, "Prism (@stoplight/prism-cli)");
        return None;
    }
    let file = std::env::temp_dir().join(format!("autocall-openapi-{}.json", std::process::id()));
    std::fs::write(&file, spec.to_string()).expect("written");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    // What Prism objects to stands here.
    let log = std::fs::File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/prism.log")).expect("a log");
    let child = Command::new(prism)
        .args(["proxy", "-p", &port.to_string(), "-h", "127.0.0.1", "--errors"])
        .arg(&file)
        .arg(target)
        .stdout(log.try_clone().expect("cloned"))
        .stderr(log)
        .spawn()
        .expect("prism runs");
    let proxy = Proxy { child, url: format!("http://127.0.0.1:{port}") };
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            let _ = std::fs::remove_file(&file);
            return Some(proxy);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("prism does not answer");
}

fn dial(line: Line, recording: RecordingMode, amd: bool) -> Dial {
    Dial {
        line,
        to: Address::Phone(Phone::from_e164("+14155552671").expect("a number")),
        from: Phone::from_e164("+14155550100").expect("a number"),
        account: "default".into(),
        ring_ms_max: 25_000,
        call_ms_max: 3_600_000,
        amd: amd.then_some(autocall_core::ports::AmdRequest {
            mode: AmdMode::DetectMessageEnd,
            preset: AmdPreset::FastConnect,
        }),
        not_before: Timestamp::EPOCH,
        recording,
    }
}

fn permit(line: Line, now: Timestamp) -> autocall_core::ports::DialPermit {
    let mut changes = Changes::new(line.tenant(), now);
    changes.permits.push((line, now + autocall_core::Millis::from_secs(60)));
    changes.committed(Vec::new()).permits.remove(0)
}

/// Every request that the adapter can make, through Prism to the fake and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_and_every_answer_keeps_to_the_published_description() {
    let Some(spec) = description() else { return };
    let fake = fake().await;
    let Some(proxy) = proxy(&spec, &fake.url()).await else { return };
    let ours = fake_twilio::Account::default();
    let account = Account::twilio("default", &ours.sid, &ours.token).at(&proxy.url);
    let limits = Limits { total: Duration::from_secs(15), ..Limits::default() };
    let client = Client::new(limits, Jitter::new(|| 0.5)).expect("client");
    let urls = Urls::new("http://127.0.0.1:9").expect("a base");
    let now = || Timestamp::from_jiff(jiff::Timestamp::now());
    let twilio = Twilio::new(client.clone(), Arc::new(FixedAccounts::one(account.clone())), urls, Arc::new(now));

    // A broken request does not pass: the proxy is really there, and strict.
    let broken = autocall_twilio::rest::CreateCall::default().with("To", "+14155552671").with("Timeout", "soon");
    let fault = client.create_call(&account, &broken, Duration::from_secs(15)).await.expect_err("refused");
    assert!(format!("{fault:?}").contains("422"), "{fault:?}");

    client.try_account(&account).await.expect("the account is open");
    let call = CallId::small(TenantId(7), 9);
    let room = Room::Call(call);
    let mut legs = Vec::new();
    for (n, recording, amd) in [(0, RecordingMode::Off, true), (1, RecordingMode::Announce, false)] {
        let line = Line::Leg(LegId { call, leg: n });
        let sid = twilio.dial(permit(line, now()), &dial(line, recording, amd)).await.expect("dialled");
        legs.push((line, sid));
    }
    for (line, sid) in &legs {
        wait_until(|| fake.call_status(&sid.0) == Some("in-progress") || fake.call_status(&sid.0) == Some("completed"))
            .await;
        twilio.lookup(*line, "default", Some(sid), now()).await.expect("looked up");
        let fresh = Twilio::new(
            client.clone(),
            Arc::new(FixedAccounts::one(account.clone())),
            twilio.urls().clone(),
            Arc::new(now),
        );
        let since = now() - autocall_core::Millis::from_mins(5);
        let seen = fresh.lookup(*line, "default", None, since).await.expect("looked up");
        assert!(format!("{seen:?}").contains(&*sid.0), "found by its addresses: {seen:?}");
    }
    mid_call(&twilio, &client, &account, &fake, room).await;
    names_are_known(&spec, &fake);
}

async fn enter(client: &Client, account: &Account, room: &str, label: &str) -> ProviderRef {
    let add = autocall_twilio::rest::CreateCall::default()
        .with("To", "+13055550170")
        .with("From", "+14155550100")
        .with("Label", label)
        .with("EndConferenceOnExit", "true");
    let made = client.add_participant(account, room, &add, Duration::from_secs(15)).await.expect("rung");
    ProviderRef(made.call_sid.into())
}

async fn mid_call(twilio: &Twilio, client: &Client, account: &Account, fake: &FakeTwilio, room: Room) {
    let show = Phone::from_e164("+14155550100").expect("a number");
    let boss = Address::Phone(Phone::from_e164("+13055550170").expect("a number"));
    let name = autocall_twilio::urls::room_name(room);
    let third = enter(client, account, &name, "third").await;
    let agent = enter(client, account, &name, "agent").await;
    wait_until(|| fake.conferences().iter().any(|(_, l)| l.len() == 2)).await;
    let line = Line::Leg(LegId { call: CallId::small(TenantId(7), 9), leg: 4 });
    let how = Supervision::Coach(agent.clone());
    let boss = twilio.supervise("default", room, CallId::small(TenantId(7), 9), &boss, show, &how).await.expect("rung");
    wait_until(|| fake.conferences().iter().any(|(_, l)| l.len() == 3)).await;
    twilio.supervise_as("default", room, &boss, &Supervision::Barge).await.expect("barges");
    twilio.hold("default", room, &third, true, Some("music")).await.expect("held");
    twilio.mute("default", room, &third, true).await.expect("muted");
    assert_eq!(twilio.participants("default", room).await.expect("participants").len(), 3);
    let recording = twilio.record("default", line, &third).await.expect("recorded");
    for state in [RecordingState::Paused, RecordingState::Running, RecordingState::Stopped] {
        twilio.set_recording("default", &third, state).await.expect("set");
    }
    assert_eq!(client.recordings(account, &third.0).await.expect("listed").len(), 1);
    twilio.delete_recording("default", &recording).await.expect("deleted");
    twilio.delete_recording("default", &recording).await.expect("gone already");
    let conference = client.live_conferences(account, &autocall_twilio::urls::room_name(room)).await.expect("listed");
    client.remove_participant(account, &conference[0].sid, &boss.0).await.expect("removed");
    twilio.keep_room("default", room, &agent).await.expect("kept");
    client.end_call(account, &agent.0).await.expect("out");
    let wait = Script::Wait;
    twilio.steer(line, &ProviderRef(third.0.clone()), "default", &wait).await.expect("redirected");
    let live = client.live_conferences(account, &autocall_twilio::urls::room_name(room)).await.expect("listed");
    for conference in live {
        client.end_conference(account, &conference.sid).await.expect("ended");
    }
    let last = twilio.steer(line, &third, "default", &Script::Hangup).await;
    assert!(last.is_ok() || last == Err(autocall_core::ports::TelephonyError::NotUp), "{last:?}");
}

async fn wait_until(is: impl Fn() -> bool) {
    for _ in 0..500 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came to be");
}

/// Prism lets unknown names pass, so the names that the adapter sent are compared here.
fn names_are_known(spec: &Value, fake: &FakeTwilio) {
    let forms: std::collections::BTreeMap<String, &Value> = spec["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter_map(|(path, operations)| {
            let rest = path.strip_prefix("/2010-04-01/Accounts/{AccountSid}/")?;
            let form = operations.pointer("/post/requestBody/content/application~1x-www-form-urlencoded")?;
            Some((without_names(rest), form))
        })
        .collect();
    let asked = fake.asked();
    for resource in ["Calls.json", "Calls/{}.json", "Calls/{}/Recordings.json", "Conferences/{}/Participants.json"] {
        assert!(asked.contains_key(resource), "{resource} was asked for: {:?}", asked.keys());
    }
    for (resource, names) in asked {
        let form = forms.get(&resource).unwrap_or_else(|| panic!("{resource} is not described"));
        let known = form["schema"]["properties"].as_object().expect("properties");
        for name in names {
            assert!(known.contains_key(&name), "{resource} has no {name}");
        }
    }
}

/// `Calls/{CallSid}/Recordings.json` as `Calls/{}/Recordings.json`.
fn without_names(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '{' => {
                inside = true;
                out.push_str("{}");
            }
            '}' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}
