//! The fake by itself, through HTTP, with a small application on the other side.

use super::sign::sign;
use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TO: &str = "+14155552671";
const FROM: &str = "+14155550100";

/// One request that the application got.
#[derive(Clone, Debug)]
struct Got {
    path: String,
    fields: Vec<(String, String)>,
    signature: String,
    token: String,
}

impl Got {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
}

/// A web application with fixed answers, which remembers what it was asked.
#[derive(Clone, Default)]
struct Application {
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    got: Arc<Mutex<Vec<Got>>>,
    url: String,
}

impl Application {
    async fn start() -> Application {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let app =
            Application { url: format!("http://{}", listener.local_addr().expect("bound")), ..Default::default() };
        let served = app.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let app = served.clone();
                let service = service_fn(move |r| answer(app.clone(), r));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        app
    }
    fn answers(&self, path: &str, body: &str) {
        self.answers.lock().expect("lock").insert(path.into(), (200, format!("<Response>{body}</Response>")));
    }
    fn fails(&self, path: &str, status: u16) {
        self.answers.lock().expect("lock").insert(path.into(), (status, "no".into()));
    }
    fn got(&self, path: &str) -> Vec<Got> {
        self.got.lock().expect("lock").iter().filter(|g| g.path == path).cloned().collect()
    }
    /// Waits (in real time, at most 10 s) until a path was asked `n` times.
    async fn wait(&self, path: &str, n: usize) -> Vec<Got> {
        for _ in 0..1_000 {
            let got = self.got(path);
            if got.len() >= n {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} was asked {} times, not {n}: {:?}", self.got(path).len(), self.got.lock().expect("lock"));
    }
}

async fn answer(
    app: Application,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |n: &str| parts.headers.get(n).map(|v| v.to_str().expect("ascii").to_owned()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let text = String::from_utf8_lossy(&body).into_owned();
    let fields = reqwest::Url::parse(&format!("http://x/?{text}")).expect("form").query_pairs().into_owned().collect();
    let got = Got {
        path: path.clone(),
        fields,
        signature: header("x-twilio-signature"),
        token: header("i-twilio-idempotency-token"),
    };
    app.got.lock().expect("lock").push(got);
    let (status, body) = app.answers.lock().expect("lock").get(&path).cloned().unwrap_or((204, String::new()));
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("status");
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/xml"));
    Ok(response)
}

struct Bench {
    fake: FakeTwilio,
    app: Application,
    client: reqwest::Client,
}

impl Bench {
    async fn new(config: Config) -> Bench {
        let config = Config { speed: 40.0, ..config };
        let fake = FakeTwilio::start(config).await.expect("loopback");
        Bench {
            fake,
            app: Application::start().await,
            client: reqwest::Client::builder().no_proxy().build().expect("client"),
        }
    }
    fn path(&self, rest: &str) -> String {
        format!("{}/2010-04-01/Accounts/AC{}/{rest}", self.fake.url(), "a".repeat(32))
    }
    async fn post(&self, rest: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let fields: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = self
            .client
            .post(self.path(rest))
            .basic_auth(format!("AC{}", "a".repeat(32)), Some("token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(super::hooks::encode(&fields));
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }
    async fn get(&self, rest: &str) -> (u16, Value) {
        let request = self.client.get(self.path(rest)).basic_auth(format!("AC{}", "a".repeat(32)), Some("token"));
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }
    /// Dials `to` with the usual callbacks and answers the id.
    async fn dial(&self, to: &str, path: &str, more: &[(&str, &str)]) -> String {
        let url = format!("{}{path}", self.app.url);
        let status = format!("{}/status", self.app.url);
        let amd = format!("{}/amd", self.app.url);
        let mut fields = vec![
            ("To", to),
            ("From", FROM),
            ("Url", &url),
            ("StatusCallback", &status),
            ("AsyncAmdStatusCallback", &amd),
        ];
        fields.extend(["initiated", "ringing", "answered", "completed"].map(|e| ("StatusCallbackEvent", e)));
        fields.extend(more);
        let (code, body) = self.post("Calls.json", &fields).await;
        assert_eq!(code, 201, "{body}");
        body["sid"].as_str().expect("sid").to_owned()
    }
}

#[tokio::test]
async fn a_call_rings_is_answered_runs_its_document_and_ends_with_signed_callbacks_in_order() {
    let b = Bench::new(Config::default()).await;
    b.app.answers("/voice", "<Say>Hello</Say>");
    let sid = b.dial(TO, "/voice", &[]).await;
    let status = b.app.wait("/status", 4).await;
    let told: Vec<_> = status.iter().map(|g| (g.field("CallStatus"), g.field("SequenceNumber"))).collect();
    assert_eq!(told, [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")]);
    assert!(status[3].field("CallDuration").parse::<i64>().expect("seconds") >= 1);
    let voice = &b.app.wait("/voice", 1).await[0];
    assert_eq!(voice.field("CallSid"), sid);
    assert_eq!(voice.signature, sign("token", &format!("{}/voice", b.app.url), &voice.fields));
    assert!(!voice.token.is_empty());
    let (code, call) = b.get(&format!("Calls/{sid}.json")).await;
    assert_eq!((code, call["status"].as_str()), (200, Some("completed")));
    assert_eq!(b.fake.dialled().len(), 1);
}

#[tokio::test]
async fn detection_reports_people_and_machines() {
    let b = Bench::new(Config::default()).await;
    b.app.answers("/voice", "<Pause length=\"30\"/>");
    b.dial(TO, "/voice", &[("MachineDetection", "Enable"), ("AsyncAmd", "true")]).await;
    assert_eq!(b.app.wait("/amd", 1).await[0].field("AnsweredBy"), "human");
    b.dial("+14155550120", "/voice", &[("MachineDetection", "DetectMessageEnd"), ("AsyncAmd", "true")]).await;
    let got = &b.app.wait("/amd", 2).await[1];
    assert_eq!((got.field("AnsweredBy"), got.field("MachineDetectionDuration")), ("machine_end_beep", "9200"));
    // Synchronous: the document waits for the verdict, and is told.
    b.dial(TO, "/sync", &[("MachineDetection", "Enable")]).await;
    assert_eq!(b.app.wait("/sync", 1).await[0].field("AnsweredBy"), "human");
}

#[tokio::test]
async fn busy_no_answer_failed_and_canceled_while_ringing() {
    let b = Bench::new(Config::default()).await;
    for (to, status) in [("+14155550130", "busy"), ("+14155550140", "no-answer"), ("+14155550139", "failed")] {
        let sid = b.dial(to, "/voice", &[("Timeout", "10")]).await;
        for _ in 0..500 {
            if b.fake.call_status(&sid) == Some(status) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(b.fake.call_status(&sid), Some(status));
    }
    let sid = b.dial("+14155550141", "/voice", &[]).await;
    b.app.wait("/status", 11).await;
    let (code, body) = b.post(&format!("Calls/{sid}.json"), &[("Status", "completed")]).await;
    assert_eq!((code, body["status"].as_str()), (200, Some("canceled")));
    let all = b.app.wait("/status", 12).await;
    assert_eq!(all.last().expect("some").field("CallStatus"), "canceled");
    let (code, body) = b.post(&format!("Calls/{sid}.json"), &[("Status", "completed")]).await;
    assert_eq!((code, body["code"].as_u64()), (400, Some(21220)));
}

#[tokio::test]
async fn a_full_second_is_queued_and_canceling_in_the_queue_is_silent() {
    let account = Account { calls_per_second: 1.0, ..Account::default() };
    let b = Bench::new(Config { accounts: vec![account], ..Config::default() }).await;
    b.app.answers("/voice", "<Pause length=\"1\"/>");
    b.dial(TO, "/voice", &[]).await;
    for _ in 0..60 {
        b.dial(TO, "/voice", &[]).await;
    }
    let last = b.dial("+14155550199", "/quiet", &[]).await;
    let (_, call) = b.get(&format!("Calls/{last}.json")).await;
    assert_eq!(call["status"], "queued");
    let queued: i64 = call["queue_time"].as_str().expect("text").parse().expect("ms");
    assert!(queued > 30_000, "{queued}");
    let (code, body) = b.post(&format!("Calls/{last}.json"), &[("Status", "canceled")]).await;
    assert_eq!((code, body["status"].as_str()), (200, Some("canceled")));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let about = |g: &&Got| g.field("CallSid") == last;
    assert_eq!(b.app.got("/status").iter().filter(about).count(), 0, "no callback for a call canceled in the queue");
    assert!(b.fake.dialled().iter().all(|d| d.call != last));
}

#[tokio::test]
async fn a_warm_transfer_in_a_conference() {
    let b = Bench::new(Config::default()).await;
    let events = "statusCallbackEvent=\"start end join leave\"";
    let hook = format!("statusCallback=\"{}/conference\" {events}", b.app.url);
    b.app.answers("/wait", "<Play>/missing.mp3</Play><Pause length=\"2\"/><Redirect/>");
    b.app.answers(
        "/lead",
        &format!(
            "<Dial action=\"/after-lead\"><Conference startConferenceOnEnter=\"false\" endConferenceOnExit=\"true\" \
         participantLabel=\"lead\" waitUrl=\"/wait\" {hook}>xfer</Conference></Dial>"
        ),
    );
    b.app.answers(
        "/whisper",
        "<Gather numDigits=\"1\" finishOnKey=\"\" timeout=\"8\" action=\"/accept\"><Say>Press</Say></Gather><Hangup/>",
    );
    b.app.answers("/accept", "<Dial action=\"/after-agent\"><Conference endConferenceOnExit=\"true\" participantLabel=\"agent\">xfer</Conference></Dial>");
    b.app.answers("/after-lead", "<Hangup/>");
    b.app.answers("/after-agent", "<Hangup/>");
    b.fake.set_person(TO, vec![Person { talk_ms: Some(20_000), ..Person::human() }]);
    let lead = b.dial(TO, "/lead", &[]).await;
    b.app.wait("/conference", 1).await;
    b.app.wait("/wait", 2).await;
    b.dial("+14155550170", "/whisper", &[]).await;
    assert_eq!(b.app.wait("/accept", 1).await[0].field("Digits"), "1");
    let got = b.app.wait("/conference", 6).await;
    let told: Vec<_> = got
        .iter()
        .map(|g| (g.field("StatusCallbackEvent").to_owned(), g.field("ParticipantLabel").to_owned()))
        .collect();
    let expect = [
        ("participant-join", "lead"),
        ("participant-join", "agent"),
        ("conference-start", ""),
        ("participant-leave", "lead"),
        ("participant-leave", "agent"),
        ("conference-end", ""),
    ];
    assert_eq!(told, expect.map(|(e, l)| (e.to_owned(), l.to_owned())));
    assert_eq!(got[5].field("CallSidEndingConference"), lead);
    assert_eq!(got[5].field("ReasonConferenceEnded"), "participant-with-end-conference-on-exit-left");
    b.app.wait("/after-agent", 1).await;
}

#[tokio::test]
async fn when_the_wait_url_fails_there_is_no_conference() {
    let b = Bench::new(Config::default()).await;
    b.app.fails("/wait", 500);
    b.app.answers("/lead", "<Dial action=\"/after\"><Conference waitUrl=\"/wait\">room</Conference></Dial>");
    b.dial(TO, "/lead", &[]).await;
    assert_eq!(b.app.wait("/after", 1).await[0].field("DialCallStatus"), "failed");
}

#[tokio::test]
async fn faults_of_rest_happen_as_told_and_the_log_knows_what_was_dialled() {
    let b = Bench::new(Config::default()).await;
    let leg = "7-0123456789abcdef0123456789abcdef-0";
    let url = format!("{}/voice/{leg}#rc=3", b.app.url);
    let plan = [
        RestFault::ResetBefore,
        RestFault::ResetAfter,
        RestFault::ErrorBefore,
        RestFault::ErrorAfter,
        RestFault::Throttle,
    ];
    b.fake.set_faults(Faults { next_creates: plan.to_vec().into(), ..Faults::default() });
    let fields = [("To", TO), ("From", FROM), ("Url", &url)];
    let mut codes = Vec::new();
    for _ in 0..plan.len() {
        let form: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = b.client.post(b.path("Calls.json")).basic_auth(format!("AC{}", "a".repeat(32)), Some("token"));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(super::hooks::encode(&form));
        codes.push(request.send().await.map(|r| r.status().as_u16()).unwrap_or(0));
    }
    assert_eq!(codes, [0, 0, 503, 502, 429]);
    b.app.wait(&format!("/voice/{leg}"), 2).await;
    let dialled = b.fake.dialled();
    assert_eq!(dialled.len(), 2, "only what was accepted is dialled");
    assert!(dialled.iter().all(|d| d.attempt.as_deref() == Some(leg)));
    let (_, list) = b.get("Calls.json").await;
    let sid = list["calls"][0]["sid"].as_str().expect("sid");
    let (_, events) = b.get(&format!("Calls/{sid}/Events.json")).await;
    assert_eq!(events["events"][0]["request"]["parameters"]["url"], url);
}

#[tokio::test]
async fn wrong_credentials_wrong_account_and_the_magic_numbers() {
    let test = Account { sid: format!("AC{}", "b".repeat(32)), token: "test".into(), test: true, ..Account::default() };
    let b = Bench::new(Config { accounts: vec![Account::default(), test], ..Config::default() }).await;
    let base = format!("{}/2010-04-01/Accounts/AC{}", b.fake.url(), "b".repeat(32));
    let ask = |from: &str, to: &str| {
        let fields: Vec<(String, String)> = [("From", from), ("To", to), ("Url", "http://127.0.0.1:9/x")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .to_vec();
        b.client
            .post(format!("{base}/Calls.json"))
            .basic_auth(format!("AC{}", "b".repeat(32)), Some("test"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(super::hooks::encode(&fields))
            .send()
    };
    let good = "+15005550006";
    for (from, to, code) in [
        ("+15005550001", TO, 21212),
        ("+15005550007", TO, 21210),
        (good, "+15005550001", 21217),
        (good, "+15005550002", 21214),
        (good, "+15005550003", 21215),
        (good, "+15005550004", 21216),
    ] {
        let body: Value = ask(from, to).await.expect("answer").json().await.expect("json");
        assert_eq!(body["code"].as_u64(), Some(code), "{from} {to}");
    }
    assert_eq!(ask(good, TO).await.expect("answer").status().as_u16(), 201);
    assert!(b.fake.dialled().is_empty(), "test credentials dial nothing");
    let list = b
        .client
        .get(format!("{base}/Calls.json"))
        .basic_auth(format!("AC{}", "b".repeat(32)), Some("test"))
        .send()
        .await
        .expect("answer");
    assert_eq!(list.status().as_u16(), 403);
    let wrong = b.client.get(format!("{base}.json")).basic_auth("nobody", Some("x")).send().await.expect("answer");
    assert_eq!(wrong.status().as_u16(), 401);
    let other = b
        .client
        .get(format!("{base}.json"))
        .basic_auth(format!("AC{}", "a".repeat(32)), Some("token"))
        .send()
        .await
        .expect("answer");
    assert_eq!(other.status().as_u16(), 401, "an account opens only its own path");
}

#[tokio::test]
async fn callbacks_are_lost_and_doubled_with_one_token_and_retried_by_override() {
    let b = Bench::new(Config::default()).await;
    b.app.answers("/voice", "<Hangup/>");
    b.fake.set_faults(Faults { double: 1.0, ..Faults::default() });
    b.dial(TO, "/voice", &[]).await;
    let got = b.app.wait("/status", 8).await;
    assert_eq!(got.iter().filter(|g| g.token == got[0].token).count(), 2);
    b.fake.set_faults(Faults { lose: 1.0, ..Faults::default() });
    b.dial(TO, "/voice", &[]).await;
    b.app.wait("/voice", 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(b.app.got("/status").len(), 8);
    assert!(b.fake.stats().lost >= 4);
    b.fake.set_faults(Faults::default());
    b.app.fails("/bad", 500);
    b.app.answers("/fallback", "<Hangup/>");
    let url = format!("{}/bad#rc=2&rp=5xx", b.app.url);
    let fallback = format!("{}/fallback", b.app.url);
    let (code, _) =
        b.post("Calls.json", &[("To", TO), ("From", FROM), ("Url", &url), ("FallbackUrl", &fallback)]).await;
    assert_eq!(code, 201);
    let got = b.app.wait("/bad", 3).await;
    assert!(got.iter().all(|g| g.token == got[0].token));
    assert_eq!(b.app.wait("/fallback", 1).await[0].field("ErrorCode"), "11200");
}

#[tokio::test]
async fn dialling_numbers_bridges_the_first_that_answers_and_ends_the_child_with_the_parent() {
    let b = Bench::new(Config::default()).await;
    b.app.answers("/lead", "<Dial action=\"/after\"><Number url=\"/screen\">+14155550170</Number></Dial>");
    b.app.answers("/screen", "<Gather numDigits=\"1\" action=\"/ok\"><Say>Press</Say></Gather><Hangup/>");
    b.app.answers("/ok", "");
    b.fake.set_person(TO, vec![Person { talk_ms: Some(10_000), ..Person::human() }]);
    let lead = b.dial(TO, "/lead", &[]).await;
    b.app.wait("/ok", 1).await;
    b.app.wait("/status", 4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (_, children) = b.get(&format!("Calls.json?ParentCallSid={lead}")).await;
    assert_eq!(children["calls"].as_array().map(Vec::len), Some(1));
    assert_eq!(children["calls"][0]["status"], "completed");
    assert_eq!(children["calls"][0]["direction"], "outbound-dial");
}

#[tokio::test]
async fn participants_are_added_held_coached_kicked_and_the_label_is_unique() {
    let b = Bench::new(Config::default()).await;
    b.fake.set_person(TO, vec![Person::agent()]);
    let add = |label: &'static str| {
        b.post(
            "Conferences/room/Participants.json",
            Box::leak(Box::new([("To", TO), ("From", FROM), ("Label", label)])),
        )
    };
    let (code, first) = add("a").await;
    assert_eq!((code, first["status"].as_str()), (201, Some("queued")));
    let (_, _) = add("b").await;
    for _ in 0..500 {
        if b.fake.conferences().iter().any(|(_, l)| l.len() == 2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (code, again) = add("a").await;
    assert_eq!((code, again["code"].as_u64()), (400, Some(16025)));
    let (code, held) = b.post("Conferences/room/Participants/a.json", &[("Hold", "true")]).await;
    assert_eq!((code, held["hold"].as_bool()), (200, Some(true)));
    let (code, body) =
        b.post("Conferences/room/Participants/b.json", &[("Coaching", "true"), ("CallSidToCoach", "CAnobody")]).await;
    assert_eq!((code, body["code"].as_u64()), (400, Some(13240)));
    let (_, list) = b.get("Conferences.json?FriendlyName=room&Status=in-progress").await;
    let sid = list["conferences"][0]["sid"].as_str().expect("sid").to_owned();
    let (code, ended) = b.post(&format!("Conferences/{sid}.json"), &[("Status", "completed")]).await;
    assert_eq!((code, ended["reason_conference_ended"].as_str()), (200, Some("conference-ended-via-api")));
    assert!(b.fake.conferences().is_empty());
}

#[tokio::test]
async fn people_call_our_numbers() {
    let app = Application::start().await;
    app.answers("/in", "<Gather numDigits=\"4\" action=\"/pin\"><Say>PIN</Say></Gather>");
    let own = OwnNumber { number: FROM.into(), voice_url: format!("{}/in", app.url), status_callback: String::new() };
    let account = Account { numbers: vec![own], ..Account::default() };
    let b = Bench::new(Config { accounts: vec![account], ..Config::default() }).await;
    let person = Person { presses: vec![Press { digits: "4711".into(), after_ms: 500 }], ..Person::human() };
    assert!(b.fake.inbound(TO, "+14155550101", person.clone()).is_none());
    b.fake.inbound(TO, FROM, person).expect("our number");
    let got = &app.wait("/pin", 1).await[0];
    assert_eq!((got.field("Digits"), got.field("Direction"), got.field("From")), ("4711", "inbound", TO));
}

#[tokio::test]
async fn recordings_run_pause_stop_and_are_deleted() {
    let b = Bench::new(Config::default()).await;
    b.app.answers("/voice", "<Pause length=\"60\"/>");
    let sid = b.dial(TO, "/voice", &[]).await;
    b.app.wait("/voice", 1).await;
    let hook = format!("{}/recording", b.app.url);
    let (code, made) = b.post(&format!("Calls/{sid}/Recordings.json"), &[("RecordingStatusCallback", &hook)]).await;
    assert_eq!(code, 201, "{made}");
    let recording = made["sid"].as_str().expect("sid").to_owned();
    for status in ["paused", "in-progress", "stopped"] {
        let (code, body) = b.post(&format!("Calls/{sid}/Recordings/Twilio.CURRENT.json"), &[("Status", status)]).await;
        assert_eq!(code, 200, "{status} {body}");
    }
    assert_eq!(b.app.wait("/recording", 1).await[0].field("RecordingSid"), recording);
    let delete = || {
        b.client
            .delete(b.path(&format!("Recordings/{recording}.json")))
            .basic_auth(format!("AC{}", "a".repeat(32)), Some("token"))
            .send()
    };
    assert_eq!(delete().await.expect("answer").status().as_u16(), 204);
    assert_eq!(delete().await.expect("answer").status().as_u16(), 404);
    let (_, list) = b.get("Recordings.json?IncludeSoftDeleted=true").await;
    assert_eq!(list["recordings"][0]["status"], "deleted");
}
