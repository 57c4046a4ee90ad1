//! Every row of the error table, what is retried and what is not, through HTTP.

use super::*;
use crate::account::Account;
use autocall_core::ports::{DialError, Refusal, TelephonyError};
use std::time::Duration;
use wiremock::matchers::{basic_auth, body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ID: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn client() -> Client {
    let limits = Limits { total: Duration::from_millis(900), wait: Duration::from_millis(4), ..Limits::default() };
    Client::new(limits, Jitter::new(|| 0.5)).expect("client")
}

fn account(server: &MockServer) -> Account {
    Account::twilio("default", ID, "secret").at(&server.uri())
}

fn error(status: u16, code: u32) -> ResponseTemplate {
    let body = serde_json::json!({"code": code, "message": "m", "more_info": "i", "status": status});
    ResponseTemplate::new(status).set_body_json(body)
}

async fn create_against(answer: ResponseTemplate) -> (Result<CallResource, Fault>, usize) {
    let server = MockServer::start().await;
    let url = format!("/2010-04-01/Accounts/{ID}/Calls.json");
    Mock::given(method("POST")).and(path(url)).respond_with(answer).mount(&server).await;
    let create = CreateCall::default().with("To", "+14155552671").with("From", "+14155550100");
    let made = client().create_call(&account(&server), &create, Duration::from_secs(5)).await;
    let asked = server.received_requests().await.expect("recording").len();
    (made, asked)
}

#[tokio::test]
async fn every_row_of_the_error_table() {
    use Refusal as R;
    let account = |code: u32| R::Account(format!("carrier code {code}"));
    let request = |code: u32| R::Request(format!("carrier code {code}"));
    let table = [
        (401, 20003, account(20003)),
        (400, 21211, R::InvalidNumber),
        (400, 21217, R::InvalidNumber),
        (400, 13224, R::InvalidNumber),
        (400, 21214, R::Unreachable),
        (400, 21215, R::Country),
        (400, 32205, R::Country),
        (400, 21216, R::Blocked),
        (400, 21210, R::CallerId),
        (400, 21212, R::CallerId),
        (400, 21205, request(21205)),
        (400, 32018, request(32018)),
        (400, 11750, request(11750)),
        (400, 12200, request(12200)),
        (400, 21219, account(21219)),
        (400, 573005, account(573005)),
        (400, 10004, R::Busy { retry_after_ms: 5_000 }),
        (400, 16021, R::Busy { retry_after_ms: 5_000 }),
        (400, 16030, R::Busy { retry_after_ms: 0 }),
        (400, 16020, request(16020)),
        (400, 16025, request(16025)),
        (400, 13240, request(13240)),
        // An opt-out of text messages says nothing about calls; seeing it here is a bug of ours.
        (400, 21610, request(21610)),
    ];
    for (status, code, refusal) in table {
        let (made, asked) = create_against(error(status, code)).await;
        let fault = made.expect_err("an error");
        assert_eq!(fault.into_dial_error(), DialError::Refused(refusal), "{code}");
        assert_eq!(asked, 1, "{code} is never retried");
    }
}

#[tokio::test]
async fn only_429_is_retried_and_only_so_often() {
    let (made, asked) = create_against(error(429, 20429)).await;
    assert_eq!(asked, 4, "once, and three retries");
    assert!(matches!(made.expect_err("still limited").into_dial_error(), DialError::Refused(Refusal::Busy { .. })));
}

#[tokio::test]
async fn a_429_that_passes_is_no_error() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(error(429, 20429)).up_to_n_times(2).mount(&server).await;
    let fine = serde_json::json!({"sid": "CA1", "status": "queued"});
    Mock::given(method("POST"))
        .and(basic_auth(ID, "secret"))
        .and(body_string_contains("To=%2B14155552671"))
        .respond_with(ResponseTemplate::new(201).set_body_json(fine))
        .mount(&server)
        .await;
    let create = CreateCall::default().with("To", "+14155552671");
    let made = client().create_call(&account(&server), &create, Duration::from_secs(5)).await.expect("created");
    assert_eq!(made.sid, "CA1");
}

#[tokio::test]
async fn five_hundreds_timeouts_resets_and_nonsense_are_doubt_and_never_repeated() {
    let slow = ResponseTemplate::new(201).set_delay(Duration::from_secs(3));
    let nonsense = ResponseTemplate::new(201).set_body_string("<html>");
    for answer in
        [error(500, 20500), error(503, 20503), ResponseTemplate::new(502), ResponseTemplate::new(408), slow, nonsense]
    {
        let (made, asked) = create_against(answer).await;
        let fault = made.expect_err("an error");
        assert!(!fault.proves_absence(), "{fault:?}");
        assert!(matches!(fault.into_dial_error(), DialError::InDoubt(_)));
        assert_eq!(asked, 1);
    }
    // A connection that is taken and broken without an answer.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let breaker = tokio::spawn(async move {
        let mut taken = 0;
        while let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::from_millis(500), listener.accept()).await {
            taken += 1;
            stream.readable().await.expect("a request");
            drop(stream);
        }
        taken
    });
    let account = Account::twilio("default", ID, "secret").at(&base);
    let made = client().create_call(&account, &CreateCall::default(), Duration::from_secs(5)).await;
    assert!(matches!(made.expect_err("broken"), Fault::Doubt(_)));
    assert_eq!(breaker.await.expect("joined"), 1, "not repeated");
}

#[tokio::test]
async fn no_connection_is_proof_that_nothing_was_asked() {
    let account = Account::twilio("default", ID, "secret").at("http://127.0.0.1:9");
    let made = client().create_call(&account, &CreateCall::default(), Duration::from_secs(5)).await;
    assert!(made.expect_err("refused").proves_absence());
}

#[tokio::test]
async fn a_request_ends_with_the_time_it_was_given() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(201).set_delay(Duration::from_secs(3));
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    let began = std::time::Instant::now();
    let made = client().create_call(&account(&server), &CreateCall::default(), Duration::from_millis(50)).await;
    assert!(matches!(made.expect_err("late"), Fault::Doubt(_)));
    assert!(began.elapsed() < Duration::from_millis(800));
}

#[tokio::test]
async fn update_of_a_call_that_is_over_says_so() {
    for answer in [error(400, 21220), error(404, 20404)] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let fault = client().end_call(&account(&server), "CA1").await.expect_err("over");
        assert_eq!(fault.into_telephony_error(), TelephonyError::NotUp);
    }
}

#[tokio::test]
async fn pages_are_followed_on_the_same_host_only() {
    let server = MockServer::start().await;
    let page = |rows: &[&str], next: Option<&str>| {
        let rows: Vec<_> = rows.iter().map(|s| serde_json::json!({"sid": s, "status": "queued"})).collect();
        ResponseTemplate::new(200).set_body_json(serde_json::json!({"calls": rows, "next_page_uri": next}))
    };
    let first = format!("/2010-04-01/Accounts/{ID}/Calls.json");
    Mock::given(path(first)).respond_with(page(&["CA1", "CA2"], Some("/two"))).mount(&server).await;
    Mock::given(path("/two")).respond_with(page(&["CA3"], None)).mount(&server).await;
    let all = client().calls(&account(&server), &[("Status", "queued")]).await.expect("pages");
    assert_eq!(all.iter().map(|c| c.sid.as_str()).collect::<Vec<_>>(), ["CA1", "CA2", "CA3"]);
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(page(&[], Some("https://elsewhere.example/x"))).mount(&server).await;
    assert!(client().calls(&account(&server), &[]).await.is_err());
}

#[tokio::test]
async fn a_recording_that_is_gone_counts_as_deleted() {
    let server = MockServer::start().await;
    Mock::given(method("DELETE")).respond_with(error(404, 20404)).mount(&server).await;
    assert_eq!(client().delete_recording(&account(&server), "RE1").await, Ok(()));
}

#[test]
fn dates_are_rfc_2822() {
    let at = instant("Tue, 31 Aug 2010 20:36:28 +0000").expect("a date");
    assert_eq!(at.to_string(), "2010-08-31T20:36:28Z");
    assert_eq!(instant("yesterday"), None);
}
