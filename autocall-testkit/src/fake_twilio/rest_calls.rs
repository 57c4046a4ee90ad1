//! Calls over REST: create, fetch, update, list, events; and the magic numbers of test accounts.

use super::config::Account;
use super::line::{Plan, duration_s, live};
use super::pace::rfc2822;
use super::people::{Detection, Person};
use super::rest::{Answer, Ask, is_e164, is_url};
use super::world::{Call, Command, Hook, QUEUE_MS_MAX, Shared, Source, Status};
use autocall_core::ports::Line;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// What a call needs to exist.
#[derive(Default)]
pub(crate) struct NewCall {
    pub(crate) account: String,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) parent: Option<String>,
    pub(crate) direction: &'static str,
    pub(crate) queue_ms: i64,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) hook: Hook,
    pub(crate) fallback: Option<(String, String)>,
    pub(crate) detection: Option<Detection>,
    pub(crate) ring_ms_max: i64,
    pub(crate) call_ms_max: i64,
    pub(crate) person: Option<Person>,
}

/// Puts a call into the world; its task is the caller's to start.
pub(crate) fn insert(shared: &Arc<Shared>, new: NewCall) -> (String, mpsc::Receiver<Command>, mpsc::Receiver<String>) {
    let (commands, commands_in) = mpsc::channel(64);
    let (keys, keys_in) = mpsc::channel(16);
    let now = shared.now_ms();
    let mut world = shared.world();
    let sid = world.sid("CA");
    let person = new.person.unwrap_or_else(|| world.person(&new.to));
    let attempt = new.params.iter().find_map(|(n, v)| {
        if n.ends_with("Url") || n.ends_with("Callback") || n == "Twiml" { leg_in(v) } else { None }
    });
    let request = json!({
        "method": "POST",
        "url": format!("/2010-04-01/Accounts/{}/Calls.json", new.account),
        "parameters": new.params.iter().map(|(n, v)| (snake(n), Value::from(v.as_str()))).collect::<serde_json::Map<_, _>>(),
    });
    world.calls.insert(
        sid.clone(),
        Call {
            sid: sid.clone(),
            account: new.account,
            to: new.to,
            from: new.from,
            parent: new.parent,
            direction: new.direction,
            status: Status::Queued,
            queue_ms: new.queue_ms,
            created_ms: now,
            updated_ms: now,
            dialled_ms: None,
            answered_ms: None,
            ended_ms: None,
            answered_by: None,
            attempt,
            requests: vec![request],
            hook: new.hook,
            fallback: new.fallback,
            sequence: 0,
            person,
            detection: new.detection,
            ring_ms_max: new.ring_ms_max,
            call_ms_max: new.call_ms_max,
            commands,
            keys,
            changed: Arc::new(Notify::new()),
            bridged_ms: None,
            alone_ms: now,
            conference: None,
            sip_code: None,
            last_callback: None,
            recording: None,
        },
    );
    world.call_order.push(sid.clone());
    world.stats.queue_ms_max = world.stats.queue_ms_max.max(new.queue_ms);
    (sid, commands_in, keys_in)
}

/// The line's id in a URL's path (or a document), if there is one.
pub(crate) fn leg_in(text: &str) -> Option<String> {
    text.split(['/', '?', '#', '&', '=', '"', '<', '>']).find(|s| s.parse::<Line>().is_ok()).map(str::to_owned)
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The detection settings, from parameters by their REST names.
pub(crate) fn detection(get: impl Fn(&str) -> Option<String>) -> Option<Detection> {
    let mode = get("MachineDetection")?;
    if get("SendDigits").is_some_and(|d| !d.is_empty()) || !["Enable", "DetectMessageEnd"].contains(&mode.as_str()) {
        return None;
    }
    let number = |name: &str, absent: i64| get(name).and_then(|v| v.parse().ok()).unwrap_or(absent);
    let method = get("AsyncAmdStatusCallbackMethod").unwrap_or_else(|| "POST".into());
    Some(Detection {
        to_message_end: mode == "DetectMessageEnd",
        is_async: get("AsyncAmd").as_deref() == Some("true"),
        timeout_ms: number("MachineDetectionTimeout", 30).saturating_mul(1_000),
        speech_ms: number("MachineDetectionSpeechThreshold", 2_400),
        speech_end_ms: number("MachineDetectionSpeechEndThreshold", 1_200),
        silence_ms: number("MachineDetectionSilenceTimeout", 5_000),
        callback: get("AsyncAmdStatusCallback").map(|url| (url, method)),
    })
}

/// Parameters with a range, and their bounds.
const RANGES: [(&str, i64, i64); 6] = [
    ("Timeout", 1, 600),
    ("TimeLimit", 1, 14_400),
    ("MachineDetectionTimeout", 3, 59),
    ("MachineDetectionSpeechThreshold", 1_000, 6_000),
    ("MachineDetectionSpeechEndThreshold", 500, 5_000),
    ("MachineDetectionSilenceTimeout", 2_000, 10_000),
];

/// What is wrong with the fields that every call shares, if anything.
pub(crate) fn invalid(account: &Account, ask: &Ask) -> Option<Answer> {
    let to = ask.field("To").unwrap_or_default();
    let from = ask.field("From").unwrap_or_default();
    if to.is_empty() {
        return Some(Answer::error(400, 21201, "No 'To' number is specified"));
    }
    if from.is_empty() {
        return Some(Answer::error(400, 21213, "No 'From' number is specified"));
    }
    let named = to.starts_with("client:") || to.starts_with("sip:");
    if !named && !is_e164(to) {
        return Some(Answer::error(400, 21211, "The phone number you are attempting to call is not valid"));
    }
    if !is_e164(from) && !from.starts_with("client:") {
        return Some(Answer::error(400, 21212, "The source phone number provided is not valid"));
    }
    if !account.caller_ids.is_empty() && !account.caller_ids.iter().any(|n| n == from) {
        return Some(Answer::error(400, 21210, "The source phone number is not verified for this account"));
    }
    if account.blocked_prefixes.iter().any(|p| to.starts_with(p.as_str())) {
        return Some(Answer::error(400, 21215, "Geo permission is not enabled for this destination"));
    }
    for (name, low, high) in RANGES {
        if let Some(value) = ask.field(name)
            && !value.parse::<i64>().is_ok_and(|v| (low..=high).contains(&v))
        {
            return Some(Answer::error(400, 20001, &format!("{name} must be {low} to {high}")));
        }
    }
    let urls = ["Url", "FallbackUrl", "StatusCallback", "AsyncAmdStatusCallback", "RecordingStatusCallback"];
    for name in urls {
        if ask.field(name).is_some_and(|url| !url.is_empty() && !is_url(url)) {
            return Some(Answer::error(400, 21205, &format!("{name} is not a valid URL")));
        }
    }
    None
}

fn script_of(ask: &Ask) -> Result<Option<Source>, Answer> {
    let url = ask.field("Url").filter(|u| !u.is_empty());
    let twiml = ask.field("Twiml").filter(|t| !t.is_empty());
    match (url, twiml) {
        (Some(_), Some(_)) => Err(Answer::error(400, 21220, "Url and Twiml exclude each other")),
        (Some(url), None) => {
            let method = ask.field("Method").unwrap_or("POST").to_owned();
            Ok(Some(Source::Fetch { url: url.to_owned(), method, fields: Vec::new() }))
        }
        (None, Some(text)) if text.chars().count() > 4_000 => {
            Err(Answer::error(400, 32018, "Twiml must be at most 4000 characters"))
        }
        (None, Some(text)) => match super::twiml::parse(text) {
            Ok(_) => Ok(Some(Source::Inline { text: text.to_owned(), base: String::new() })),
            Err(e) => Err(Answer::error(400, e.code, &e.what)),
        },
        (None, None) => Ok(None),
    }
}

pub(crate) fn hook_of(ask: &Ask, url: &str, events: &str, absent: &[&str]) -> Hook {
    // Several values come as a repeated field; a list with spaces is taken as well.
    let mut wanted: Vec<String> =
        ask.fields(events).iter().flat_map(|v| v.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    if wanted.is_empty() {
        wanted = absent.iter().map(|s| (*s).to_owned()).collect();
    }
    let method = ask.field(&format!("{url}Method")).unwrap_or("POST").to_owned();
    Hook { url: ask.field(url).unwrap_or_default().to_owned(), method, events: wanted }
}

/// How long a new call of this account has to wait, or why it may not exist.
pub(crate) fn admit(shared: &Arc<Shared>, account: &Account) -> Result<i64, Answer> {
    let now = shared.now_ms();
    let mut world = shared.world();
    if let Some(most) = account.concurrent_max {
        let live = world.calls.values().filter(|c| c.account == account.sid && !c.status.is_over()).count();
        if live >= most {
            return Err(Answer::error(400, 10004, "Call concurrency limit exceeded"));
        }
    }
    let wait = world.buckets.entry(account.sid.clone()).or_default().take(now, account.calls_per_second);
    if wait > QUEUE_MS_MAX {
        return Err(Answer::error(400, 10004, "The queue is full"));
    }
    world.stats.accepted += 1;
    Ok(wait)
}

pub(crate) fn create(shared: &Arc<Shared>, account: &Account, ask: &Ask) -> Answer {
    if let Some(wrong) = invalid(account, ask) {
        return wrong;
    }
    let source = match script_of(ask) {
        Ok(Some(source)) => source,
        Ok(None) => return Answer::error(400, 21205, "Url, Twiml or ApplicationSid is required"),
        Err(wrong) => return wrong,
    };
    let queue_ms = match admit(shared, account) {
        Ok(wait) => wait,
        Err(refused) => return refused,
    };
    let new = NewCall {
        account: account.sid.clone(),
        to: ask.field("To").unwrap_or_default().to_owned(),
        from: ask.field("From").unwrap_or_default().to_owned(),
        direction: "outbound-api",
        queue_ms,
        params: ask.form.clone(),
        hook: hook_of(ask, "StatusCallback", "StatusCallbackEvent", &["completed"]),
        fallback: ask
            .field("FallbackUrl")
            .map(|u| (u.to_owned(), ask.field("FallbackMethod").unwrap_or("POST").to_owned())),
        detection: detection(|name| ask.field(name).map(str::to_owned)),
        ring_ms_max: ask.field("Timeout").and_then(|t| t.parse().ok()).unwrap_or(60) * 1_000,
        call_ms_max: ask.field("TimeLimit").and_then(|t| t.parse().ok()).unwrap_or(14_400) * 1_000,
        ..NewCall::default()
    };
    let (sid, commands, keys) = insert(shared, new);
    let now = shared.now_ms();
    shared.world().note(now, "accepted", Some(&sid), ask.field("To").unwrap_or_default());
    if ask.field("Record") == Some("true") {
        let hook = hook_of(ask, "RecordingStatusCallback", "RecordingStatusCallbackEvent", &["completed"]);
        let mut world = shared.world();
        let recording =
            super::rest_recordings::start(&mut world, now, &account.sid, Some(&sid), None, "OutboundAPI", hook);
        if let Some(call) = world.calls.get_mut(&sid) {
            call.recording = Some(recording);
        }
    }
    tokio::spawn(live(shared.clone(), sid.clone(), Plan::Script(source), commands, keys));
    answer(shared, 201, &sid)
}

/// A create under test credentials: the magic numbers, and nothing is dialled.
pub(crate) fn create_test(shared: &Arc<Shared>, account: &Account, ask: &Ask) -> Answer {
    let refused = match (ask.field("From").unwrap_or_default(), ask.field("To").unwrap_or_default()) {
        ("+15005550001", _) => Some((21212, "The source phone number provided is not valid")),
        (from, _) if from != "+15005550006" => Some((21210, "The source phone number is not verified")),
        (_, "+15005550001") => Some((21217, "Phone number does not appear to be valid")),
        (_, "+15005550002") => Some((21214, "'To' phone number cannot be reached")),
        (_, "+15005550003") => Some((21215, "Account not allowed to call this number")),
        (_, "+15005550004") => Some((21216, "Account not allowed to call this number")),
        _ => None,
    };
    if let Some((code, message)) = refused {
        return Answer::error(400, code, message);
    }
    if let Some(wrong) = invalid(account, ask) {
        return wrong;
    }
    match script_of(ask) {
        Ok(Some(_)) => {}
        Ok(None) => return Answer::error(400, 21205, "Url, Twiml or ApplicationSid is required"),
        Err(wrong) => return wrong,
    }
    let new = NewCall {
        account: account.sid.clone(),
        to: ask.field("To").unwrap_or_default().to_owned(),
        from: ask.field("From").unwrap_or_default().to_owned(),
        direction: "outbound-api",
        params: ask.form.clone(),
        ..NewCall::default()
    };
    let (sid, _, _) = insert(shared, new);
    answer(shared, 201, &sid)
}

fn answer(shared: &Arc<Shared>, status: u16, sid: &str) -> Answer {
    match shared.world().calls.get(sid) {
        Some(call) => Answer::json(status, &body(call)),
        None => Answer::not_found(sid),
    }
}

fn body(call: &Call) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Calls/{}", call.account, call.sid);
    let at = |ms: Option<i64>| ms.map_or(Value::Null, |ms| Value::from(rfc2822(ms)));
    let duration = call.ended_ms.map(|_| duration_s(call).to_string());
    json!({
        "sid": call.sid, "account_sid": call.account, "parent_call_sid": call.parent,
        "to": call.to, "to_formatted": call.to, "from": call.from, "from_formatted": call.from,
        "phone_number_sid": null, "status": call.status.text(),
        "date_created": rfc2822(call.created_ms), "date_updated": rfc2822(call.updated_ms),
        "start_time": at(call.dialled_ms), "end_time": at(call.ended_ms), "duration": duration,
        "price": null, "price_unit": "USD", "direction": call.direction, "answered_by": call.answered_by,
        "api_version": "2010-04-01", "forwarded_from": null, "group_sid": null, "caller_name": null,
        "queue_time": call.queue_ms.to_string(), "trunk_sid": null, "uri": format!("{uri}.json"),
        "subresource_uris": {
            "events": format!("{uri}/Events.json"), "recordings": format!("{uri}/Recordings.json"),
        },
    })
}

fn owned(shared: &Arc<Shared>, account: &Account, sid: &str) -> bool {
    shared.world().calls.get(sid).is_some_and(|c| c.account == account.sid)
}

pub(crate) fn fetch(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    if owned(shared, account, sid) { answer(shared, 200, sid) } else { Answer::not_found(&ask.path) }
}

pub(crate) fn delete(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    if !owned(shared, account, sid) {
        return Answer::not_found(&ask.path);
    }
    let mut world = shared.world();
    if !world.calls.get(sid).is_some_and(|c| c.status.is_over()) {
        return Answer::error(409, 20009, "The call is in progress");
    }
    world.calls.remove(sid);
    world.call_order.retain(|s| s != sid);
    Answer::empty()
}

pub(crate) fn update(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    if !owned(shared, account, sid) {
        return Answer::not_found(&ask.path);
    }
    let source = match script_of(ask) {
        Ok(source) => source,
        Err(wrong) => return wrong,
    };
    let not_in_progress = || Answer::error(400, 21220, "Call is not in-progress. Cannot redirect.");
    let now = shared.now_ms();
    {
        let mut world = shared.world();
        let Some(call) = world.calls.get_mut(sid) else { return Answer::not_found(&ask.path) };
        call.updated_ms = now;
        let command = match (ask.field("Status"), source) {
            (Some("canceled"), _) if matches!(call.status, Status::Queued | Status::Ringing) => Command::Hangup,
            (Some("canceled"), _) => return not_in_progress(),
            (Some("completed"), _) if call.status.is_over() => return not_in_progress(),
            (Some("completed"), _) => Command::Hangup,
            (Some(_), _) => return Answer::error(400, 20001, "Status must be canceled or completed"),
            (None, Some(source)) if call.status == Status::InProgress => Command::Redirect(source),
            (None, Some(_)) => return not_in_progress(),
            (None, None) => return answer_unlocked(call),
        };
        if matches!(command, Command::Hangup) && call.status != Status::InProgress {
            call.status = Status::Canceled;
        }
        if call.commands.try_send(command).is_err() {
            return not_in_progress();
        }
        let what = format!("{:?}", ask.field("Status"));
        world.note(now, "rest", Some(sid), format!("update {what}"));
    }
    if ask.field("Status") == Some("completed") {
        // The carrier answers when the call has ended; our task needs a moment for it.
        let mut world = shared.world();
        if let Some(call) = world.calls.get_mut(sid)
            && call.status == Status::InProgress
        {
            call.status = Status::Completed;
        }
    }
    answer(shared, 200, sid)
}

fn answer_unlocked(call: &Call) -> Answer {
    Answer::json(200, &body(call))
}

pub(crate) fn list(shared: &Arc<Shared>, account: &Account, ask: &Ask) -> Answer {
    if ask.filter("PageSize").is_some_and(|s| !s.parse::<u32>().is_ok_and(|n| (1..=1_000).contains(&n))) {
        return Answer::error(400, 20001, "PageSize must be 1 to 1000");
    }
    let world = shared.world();
    let rows = world
        .call_order
        .iter()
        .rev()
        .filter_map(|sid| world.calls.get(sid))
        .filter(|c| c.account == account.sid)
        .filter(|c| ask.filter("To").is_none_or(|to| c.to == to))
        .filter(|c| ask.filter("From").is_none_or(|from| c.from == from))
        .filter(|c| ask.filter("Status").is_none_or(|status| c.status.text() == status))
        .filter(|c| ask.filter("ParentCallSid").is_none_or(|sid| c.parent.as_deref() == Some(sid)))
        .filter(|c| within(ask, "StartTime", c.dialled_ms) && within(ask, "EndTime", c.ended_ms))
        .map(body)
        .collect();
    Answer::json(200, &super::page::page(&ask.path, "calls", &ask.query, rows))
}

/// The date filters: `Name`, `Name<` and `Name>`, a day or an instant, bounds included.
pub(crate) fn within(ask: &Ask, name: &str, at: Option<i64>) -> bool {
    let bound = |suffix: &str| ask.filter(&format!("{name}{suffix}")).map(|v| (parse_instant(v), v.len() == 10));
    let day = 86_400_000;
    let exact = bound("").is_none_or(|(from, _)| at.is_some_and(|at| at >= from && at < from + day));
    let after = bound(">").is_none_or(|(from, _)| at.is_some_and(|at| at >= from));
    let before = bound("<").is_none_or(|(to, is_day)| {
        let to = if is_day { to + day } else { to };
        at.is_some_and(|at| at <= to)
    });
    exact && after && before
}

fn parse_instant(text: &str) -> i64 {
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
}

pub(crate) fn events(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    if !owned(shared, account, sid) {
        return Answer::not_found(&ask.path);
    }
    let world = shared.world();
    let Some(call) = world.calls.get(sid) else { return Answer::not_found(&ask.path) };
    let rows = call
        .requests
        .iter()
        .map(|request| json!({ "request": request, "response": { "response_code": 201, "date_created": rfc2822(call.created_ms) } }))
        .collect();
    Answer::json(200, &super::page::page(&ask.path, "events", &ask.query, rows))
}
