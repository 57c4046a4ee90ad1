//! The REST interface: who asks, for what, and the error bodies.

use super::config::{Account, RestFault};
use super::world::Shared;
use super::{rest_calls, rest_conferences, rest_recordings};
use base64::Engine as _;
use serde_json::{Value, json};
use std::sync::Arc;

/// A request, read whole.
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) authorization: String,
}

impl Ask {
    /// The last value of a field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// All values of a repeated field.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        self.form.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
    }
    pub(crate) fn filter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }
}

/// An answer: status, and JSON or bytes of some type.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, value: &Value) -> Answer {
        Answer { status, content_type: "application/json", body: value.to_string().into_bytes() }
    }
    pub(crate) fn empty() -> Answer {
        Answer { status: 204, content_type: "application/json", body: Vec::new() }
    }
    /// The carrier's error body.
    pub(crate) fn error(status: u16, code: u32, message: &str) -> Answer {
        let body = json!({
            "code": code,
            "message": message,
            "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            "status": status,
        });
        Answer::json(status, &body)
    }
    pub(crate) fn not_found(path: &str) -> Answer {
        Answer::error(404, 20404, &format!("The requested resource {path} was not found"))
    }
}

/// What to do with the connection.
pub(crate) enum Outcome {
    Answer(Answer),
    /// Break the connection without an answer.
    Break,
}

/// Answers one REST request, with whatever mishap is due.
pub(crate) async fn serve(shared: &Arc<Shared>, ask: &Ask) -> Outcome {
    let is_create = ask.method == "POST" && ask.path.ends_with("/Calls.json");
    let fault = shared.world().rest_fault(is_create);
    if fault != RestFault::None {
        let now = shared.now_ms();
        shared.world().note(now, "fault", None, format!("{fault:?} {} {}", ask.method, ask.path));
    }
    match fault {
        RestFault::ResetBefore => return Outcome::Break,
        RestFault::ErrorBefore => {
            return Outcome::Answer(Answer::error(503, 20503, "Service unavailable"));
        }
        RestFault::Throttle => return Outcome::Answer(Answer::error(429, 20429, "Too Many Requests")),
        _ => {}
    }
    let answer = respond(shared, ask).await;
    match fault {
        RestFault::ResetAfter => Outcome::Break,
        RestFault::HangAfter => {
            let ms = match shared.world().faults.hang_ms {
                0 => 30_000,
                ms => ms,
            };
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
            Outcome::Break
        }
        RestFault::ErrorAfter => Outcome::Answer(Answer::error(502, 20500, "Bad gateway")),
        _ => Outcome::Answer(answer),
    }
}

async fn respond(shared: &Arc<Shared>, ask: &Ask) -> Answer {
    let Some(account) = authorised(shared, &ask.authorization) else {
        return Answer::error(401, 20003, "Authenticate");
    };
    let segments: Vec<&str> = ask.path.trim_start_matches('/').split('/').collect();
    let Some(at) = segments.iter().position(|s| *s == "Accounts") else { return Answer::not_found(&ask.path) };
    if !segments[..at].ends_with(&["2010-04-01"]) {
        return Answer::not_found(&ask.path);
    }
    let rest = &segments[at + 1..];
    let Some((&named, rest)) = rest.split_first() else { return Answer::not_found(&ask.path) };
    if named.trim_end_matches(".json") != account.sid {
        return Answer::error(401, 20003, "Authenticate");
    }
    let now = shared.now_ms();
    shared.world().note(now, "rest", None, format!("{} {}", ask.method, ask.path));
    remember_names(shared, ask, rest);
    if account.test {
        return match (ask.method.as_str(), rest) {
            ("POST", ["Calls.json"]) => rest_calls::create_test(shared, &account, ask),
            _ => Answer::error(403, 20008, "Resource not accessible with Test Account Credentials"),
        };
    }
    route(shared, &account, ask, rest).await
}

/// Remembers which parameters were sent to which resource, with ids left out: `Calls/{}.json`.
fn remember_names(shared: &Arc<Shared>, ask: &Ask, rest: &[&str]) {
    if ask.method != "POST" {
        return;
    }
    let is_id = |i: usize| i > 0 && !rest[i - 1].ends_with(".json") && i % 2 == 1;
    let part = |(i, segment): (usize, &&str)| match segment.ends_with(".json") {
        true if is_id(i) => "{}.json".to_owned(),
        false if is_id(i) => "{}".to_owned(),
        _ => (*segment).to_owned(),
    };
    let resource = rest.iter().enumerate().map(part).collect::<Vec<_>>().join("/");
    let mut world = shared.world();
    let names = world.asked.entry(resource).or_default();
    names.extend(ask.form.iter().map(|(name, _)| name.clone()));
}

async fn route(shared: &Arc<Shared>, account: &Account, ask: &Ask, rest: &[&str]) -> Answer {
    let id = |s: &str| s.trim_end_matches(".json").to_owned();
    match (ask.method.as_str(), rest) {
        ("GET", []) => account_body(account),
        ("POST", ["Calls.json"]) => rest_calls::create(shared, account, ask),
        ("GET", ["Calls.json"]) => rest_calls::list(shared, account, ask),
        ("GET", ["Calls", sid]) => rest_calls::fetch(shared, account, ask, &id(sid)),
        ("POST", ["Calls", sid]) => rest_calls::update(shared, account, ask, &id(sid)),
        ("DELETE", ["Calls", sid]) => rest_calls::delete(shared, account, ask, &id(sid)),
        ("GET", ["Calls", sid, "Events.json"]) => rest_calls::events(shared, account, ask, sid),
        ("POST", ["Calls", sid, "Recordings.json"]) => rest_recordings::create(shared, account, ask, sid),
        ("GET", ["Calls", sid, "Recordings.json"]) => rest_recordings::list(shared, account, ask, Some(sid)),
        ("POST", ["Calls", sid, "Recordings", recording]) => {
            rest_recordings::update(shared, account, ask, sid, &id(recording))
        }
        ("GET", ["Recordings.json"]) => rest_recordings::list(shared, account, ask, None),
        ("GET", ["Recordings", sid]) if sid.ends_with(".wav") || sid.ends_with(".mp3") => {
            rest_recordings::media(shared, account, ask, sid)
        }
        ("GET", ["Recordings", sid]) => rest_recordings::fetch(shared, account, ask, &id(sid)),
        ("DELETE", ["Recordings", sid]) => rest_recordings::delete(shared, account, ask, &id(sid)),
        ("GET", ["Conferences.json"]) => rest_conferences::list(shared, account, ask),
        ("GET", ["Conferences", sid]) => rest_conferences::fetch(shared, account, ask, &id(sid)),
        ("POST", ["Conferences", sid]) => rest_conferences::update(shared, account, ask, &id(sid)),
        ("POST", ["Conferences", sid, "Participants.json"]) => rest_conferences::add(shared, account, ask, sid),
        ("GET", ["Conferences", sid, "Participants.json"]) => rest_conferences::participants(shared, account, ask, sid),
        (method, ["Conferences", sid, "Participants", who]) => {
            rest_conferences::participant(shared, account, ask, method, sid, &id(who))
        }
        _ => Answer::not_found(&ask.path),
    }
}

fn account_body(account: &Account) -> Answer {
    Answer::json(
        200,
        &json!({
            "sid": account.sid, "friendly_name": "fake", "status": "active", "type": "Full",
            "owner_account_sid": account.sid, "auth_token": null,
            "date_created": super::pace::rfc2822(0), "date_updated": super::pace::rfc2822(0),
            "uri": format!("/2010-04-01/Accounts/{}.json", account.sid), "subresource_uris": {},
        }),
    )
}

/// The account whose token or key this is.
fn authorised(shared: &Arc<Shared>, header: &str) -> Option<Account> {
    let encoded = header.strip_prefix("Basic ")?;
    let text = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (user, password) = text.split_once(':')?;
    let opens =
        |a: &&Account| (a.sid == user && a.token == password) || a.keys.iter().any(|(k, s)| k == user && s == password);
    shared.config.accounts.iter().find(opens).cloned()
}

/// A number as the carrier takes it: plus and 8 to 15 digits.
pub(crate) fn is_e164(number: &str) -> bool {
    number
        .strip_prefix('+')
        .is_some_and(|d| (8..=15).contains(&d.len()) && !d.starts_with('0') && d.bytes().all(|b| b.is_ascii_digit()))
}

/// An absolute web address with a host the carrier takes.
pub(crate) fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.host_str().is_some_and(|h| !h.contains('_')))
}
