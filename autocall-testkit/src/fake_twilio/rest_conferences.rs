//! Conferences and participants over REST.

use super::conference::{self, Change};
use super::config::Account;
use super::line::{Plan, live};
use super::pace::rfc2822;
use super::rest::{Answer, Ask};
use super::rest_calls::{NewCall, admit, detection, hook_of, insert, invalid, within};
use super::world::{Conference, Participant, Shared, Source, World};
use serde_json::{Value, json};
use std::sync::Arc;

fn body(c: &Conference) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Conferences/{}", c.account, c.sid);
    let mut body = json!({
        "sid": c.sid, "account_sid": c.account, "friendly_name": c.name, "status": c.status,
        "date_created": rfc2822(c.created_ms), "date_updated": rfc2822(c.updated_ms),
        "api_version": "2010-04-01", "region": "us1", "uri": format!("{uri}.json"),
        "subresource_uris": { "participants": format!("{uri}/Participants.json") },
    });
    // There only once it has ended: the published description does not let it be null.
    if let Some(reason) = c.reason {
        body["reason_conference_ended"] = json!(reason);
        body["call_sid_ending_conference"] = json!(c.ended_by);
    }
    body
}

fn participant_body(c: &Conference, p: &Participant) -> Value {
    json!({
        "account_sid": c.account, "call_sid": p.call, "label": if p.label.is_empty() { Value::Null } else { json!(p.label) },
        "call_sid_to_coach": p.coaching, "coaching": p.coaching.is_some(), "conference_sid": c.sid,
        "date_created": rfc2822(p.joined_ms), "date_updated": rfc2822(c.updated_ms),
        "end_conference_on_exit": p.end, "muted": p.muted, "hold": p.hold, "start_conference_on_enter": p.start,
        "status": "connected", "queue_time": "0",
        "uri": format!("/2010-04-01/Accounts/{}/Conferences/{}/Participants/{}.json", c.account, c.sid, p.call),
    })
}

/// By id, or by the name of one that is live.
fn find<'a>(world: &'a World, account: &Account, named: &str) -> Option<&'a Conference> {
    let mine = |c: &&Conference| c.account == account.sid;
    world
        .conferences
        .get(named)
        .filter(mine)
        .or_else(|| world.conferences.values().filter(mine).find(|c| c.name == named && c.status != "completed"))
}

pub(crate) fn list(shared: &Arc<Shared>, account: &Account, ask: &Ask) -> Answer {
    let world = shared.world();
    let rows = world
        .conference_order
        .iter()
        .rev()
        .filter_map(|sid| find(&world, account, sid))
        .filter(|c| ask.filter("FriendlyName").is_none_or(|n| c.name == n))
        .filter(|c| ask.filter("Status").is_none_or(|s| c.status == s))
        .filter(|c| within(ask, "DateCreated", Some(c.created_ms)) && within(ask, "DateUpdated", Some(c.updated_ms)))
        .map(body)
        .collect();
    Answer::json(200, &super::page::page(&ask.path, "conferences", &ask.query, rows))
}

pub(crate) fn fetch(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    match find(&shared.world(), account, sid) {
        Some(conference) => Answer::json(200, &body(conference)),
        None => Answer::not_found(&ask.path),
    }
}

pub(crate) fn update(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    let Some((sid, over)) = find(&shared.world(), account, sid).map(|c| (c.sid.clone(), c.status == "completed"))
    else {
        return Answer::not_found(&ask.path);
    };
    match ask.field("Status") {
        Some("completed") if over => return Answer::error(400, 20001, "The conference is over"),
        Some("completed") => conference::end(shared, &sid),
        Some(_) => return Answer::error(400, 20001, "Status must be completed"),
        None => {}
    }
    fetch(shared, account, ask, &sid)
}

pub(crate) fn participants(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    let world = shared.world();
    let Some(c) = find(&world, account, sid) else { return Answer::not_found(&ask.path) };
    let flag = |name: &str, value: bool| ask.filter(name).is_none_or(|v| v == value.to_string());
    let rows = c
        .participants
        .iter()
        .filter(|p| flag("Muted", p.muted) && flag("Hold", p.hold) && flag("Coaching", p.coaching.is_some()))
        .map(|p| participant_body(c, p))
        .collect();
    Answer::json(200, &super::page::page(&ask.path, "participants", &ask.query, rows))
}

/// Dials somebody who joins on answer, without a document of his own.
pub(crate) fn add(shared: &Arc<Shared>, account: &Account, ask: &Ask, named: &str) -> Answer {
    if let Some(wrong) = invalid(account, ask) {
        return wrong;
    }
    let label = ask.field("Label").unwrap_or_default();
    let name = {
        let world = shared.world();
        let found = find(&world, account, named);
        let is_id = named.starts_with("CF") && named.len() == 34;
        match found {
            None if is_id => return Answer::not_found(&ask.path),
            Some(c) if c.status == "completed" => return Answer::not_found(&ask.path),
            Some(c) if !label.is_empty() && c.participants.iter().any(|p| p.label == label) => {
                return Answer::error(400, 16025, "The participant label is in use");
            }
            Some(c) if c.participants.len() >= c.participants_max.min(250) => {
                return Answer::error(400, 16020, "The conference is full");
            }
            Some(c) => c.name.clone(),
            None => named.to_owned(),
        }
    };
    let queue_ms = match admit(shared, account) {
        Ok(wait) => wait,
        Err(refused) => return refused,
    };
    let text = joining(ask, &name);
    let new = NewCall {
        account: account.sid.clone(),
        to: ask.field("To").unwrap_or_default().to_owned(),
        from: ask.field("From").unwrap_or_default().to_owned(),
        direction: "outbound-api",
        queue_ms,
        params: ask.form.clone(),
        hook: hook_of(ask, "StatusCallback", "StatusCallbackEvent", &["completed"]),
        detection: detection(|name| match name {
            "AsyncAmd" => Some("true".into()),
            "AsyncAmdStatusCallback" => ask.field("AmdStatusCallback").map(str::to_owned),
            other => ask.field(other).map(str::to_owned),
        }),
        ring_ms_max: ask.field("Timeout").and_then(|t| t.parse().ok()).unwrap_or(60) * 1_000,
        call_ms_max: ask.field("TimeLimit").and_then(|t| t.parse().ok()).unwrap_or(14_400) * 1_000,
        ..NewCall::default()
    };
    let (sid, commands, keys) = insert(shared, new);
    let now = shared.now_ms();
    shared.world().note(now, "accepted", Some(&sid), ask.field("To").unwrap_or_default());
    let source = Source::Inline { text, base: String::new() };
    tokio::spawn(live(shared.clone(), sid.clone(), Plan::Script(source), commands, keys));
    let flag = |name: &str, absent: bool| ask.field(name).map_or(absent, |v| v == "true");
    let conference = find(&shared.world(), account, &name).map(|c| c.sid.clone());
    Answer::json(
        201,
        &json!({
            "account_sid": account.sid, "call_sid": sid, "label": if label.is_empty() { Value::Null } else { json!(label) },
            "call_sid_to_coach": ask.field("CallSidToCoach"), "coaching": flag("Coaching", false),
            "conference_sid": conference, "date_created": rfc2822(now), "date_updated": rfc2822(now),
            "end_conference_on_exit": flag("EndConferenceOnExit", false), "muted": flag("Muted", false), "hold": false,
            "start_conference_on_enter": flag("StartConferenceOnEnter", true), "status": "queued",
            "queue_time": queue_ms.to_string(), "uri": format!("{}/{sid}.json", ask.path.trim_end_matches(".json")),
        }),
    )
}

/// The document that a dialled participant runs: into the conference, and nothing else.
fn joining(ask: &Ask, name: &str) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut out = String::from("<Response><Dial><Conference");
    for (field, attribute) in [
        ("Muted", "muted"),
        ("Beep", "beep"),
        ("StartConferenceOnEnter", "startConferenceOnEnter"),
        ("EndConferenceOnExit", "endConferenceOnExit"),
        ("Label", "participantLabel"),
        ("JitterBufferSize", "jitterBufferSize"),
        ("WaitUrl", "waitUrl"),
        ("WaitMethod", "waitMethod"),
        ("MaxParticipants", "maxParticipants"),
        ("CallSidToCoach", "coach"),
        ("ConferenceStatusCallback", "statusCallback"),
        ("ConferenceStatusCallbackMethod", "statusCallbackMethod"),
    ] {
        if let Some(value) = ask.field(field) {
            out.push_str(&format!(" {attribute}=\"{}\"", escape(value)));
        }
    }
    let mut events = ask.fields("ConferenceStatusCallbackEvent").join(" ");
    if events.is_empty() {
        events = "start end".into();
    }
    out.push_str(&format!(" statusCallbackEvent=\"{}\"", escape(&events)));
    out.push_str(&format!(">{}</Conference></Dial></Response>", escape(name)));
    out
}

pub(crate) fn participant(
    shared: &Arc<Shared>,
    account: &Account,
    ask: &Ask,
    method: &str,
    named: &str,
    who: &str,
) -> Answer {
    let found = {
        let world = shared.world();
        find(&world, account, named).and_then(|c| {
            c.participants.iter().find(|p| p.call == who || p.label == who).map(|p| (c.sid.clone(), p.call.clone()))
        })
    };
    let Some((sid, call)) = found else { return Answer::not_found(&ask.path) };
    match method {
        "GET" => {}
        "DELETE" => {
            kick(shared, &call);
            return Answer::empty();
        }
        "POST" => {
            let flag = |name: &str| ask.field(name).map(|v| v == "true");
            let coaching = match (flag("Coaching"), ask.field("CallSidToCoach")) {
                (Some(false), _) => Some(None),
                (_, Some(coached)) => Some(Some(coached.to_owned())),
                _ => None,
            };
            if let Some(Some(coached)) = &coaching {
                let world = shared.world();
                let inside =
                    world.conferences.get(&sid).is_some_and(|c| c.participants.iter().any(|p| &p.call == coached));
                if !inside {
                    return Answer::error(400, 13240, "The call to coach is not in the conference");
                }
            }
            let change =
                Change { muted: flag("Muted"), hold: flag("Hold"), end: flag("EndConferenceOnExit"), coaching };
            conference::change(shared, &sid, &call, &change);
            if let Some(url) = ask.field("HoldUrl").or(ask.field("AnnounceUrl")) {
                let now = shared.now_ms();
                shared.world().note(now, "played", Some(&call), format!("{url} on request"));
            }
        }
        _ => return Answer::error(405, 20004, "Method not allowed"),
    }
    let world = shared.world();
    let shown = world
        .conferences
        .get(&sid)
        .and_then(|c| c.participants.iter().find(|p| p.call == call).map(|p| participant_body(c, p)));
    match shown {
        Some(body) => Answer::json(200, &body),
        None => Answer::not_found(&ask.path),
    }
}

/// Out of the conference; the call goes on with the rest of its document.
fn kick(shared: &Arc<Shared>, call: &str) {
    conference::leave(shared, call, "participant_updated_via_api");
}
