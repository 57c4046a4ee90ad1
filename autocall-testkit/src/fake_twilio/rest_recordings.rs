//! Recordings: made by a call, a conference or a verb; paused, stopped, fetched and deleted.

use super::config::Account;
use super::hooks::{Request, callback, wants};
use super::pace::rfc2822;
use super::rest::{Answer, Ask};
use super::rest_calls::{hook_of, within};
use super::world::{Hook, Recording, Shared, Status, World};
use serde_json::{Value, json};
use std::sync::Arc;

/// Begins a recording and answers its id.
pub(crate) fn start(
    world: &mut World,
    now: i64,
    account: &str,
    call: Option<&str>,
    conference: Option<&str>,
    source: &'static str,
    hook: Hook,
) -> String {
    let sid = world.sid("RE");
    world.recording_order.push(sid.clone());
    world.recordings.insert(
        sid.clone(),
        Recording {
            sid: sid.clone(),
            account: account.to_owned(),
            call: call.map(str::to_owned),
            conference: conference.map(str::to_owned),
            status: "in-progress",
            source,
            channels: 1,
            created_ms: now,
            recorded_ms: 0,
            running_since: Some(now),
            hook,
            deleted: false,
        },
    );
    if let Some(conference) = conference.and_then(|c| world.conferences.get_mut(c)) {
        conference.recording = Some(sid.clone());
    }
    sid
}

/// Pauses, resumes or ends a recording.
pub(crate) fn stop(world: &mut World, now: i64, sid: &str, status: &'static str) {
    if let Some(recording) = world.recordings.get_mut(sid)
        && !["completed", "stopped"].contains(&recording.status)
    {
        if let Some(since) = recording.running_since.take() {
            recording.recorded_ms += now - since;
        }
        if status == "in-progress" {
            recording.running_since = Some(now);
        }
        recording.status = status;
    }
}

/// Completes a recording and reports it.
pub(crate) fn finish(shared: &Arc<Shared>, sid: &str) {
    let now = shared.now_ms();
    let request = {
        let mut world = shared.world();
        stop(&mut world, now, sid, "completed");
        let Some(recording) = world.recordings.get(sid) else { return };
        if !wants(&recording.hook, "completed") {
            return;
        }
        let mut fields = vec![
            ("AccountSid".to_owned(), recording.account.clone()),
            ("RecordingSid".to_owned(), recording.sid.clone()),
            (
                "RecordingUrl".to_owned(),
                format!(
                    "http://{}/2010-04-01/Accounts/{}/Recordings/{}",
                    shared.config.bind, recording.account, recording.sid
                ),
            ),
            ("RecordingStatus".to_owned(), "completed".to_owned()),
            ("RecordingDuration".to_owned(), (recording.recorded_ms / 1000).max(1).to_string()),
            ("RecordingChannels".to_owned(), recording.channels.to_string()),
            ("RecordingStartTime".to_owned(), rfc2822(recording.created_ms)),
            ("RecordingSource".to_owned(), recording.source.to_owned()),
        ];
        if let Some(call) = &recording.call {
            fields.push(("CallSid".to_owned(), call.clone()));
        }
        if let Some(conference) = &recording.conference {
            fields.push(("ConferenceSid".to_owned(), conference.clone()));
        }
        Request {
            account: recording.account.clone(),
            call: recording.call.clone(),
            purpose: "recording",
            url: recording.hook.url.clone(),
            method: recording.hook.method.clone(),
            fields,
        }
    };
    drop(callback(shared, request, None));
}

fn body(recording: &Recording, now: i64) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/Recordings/{}.json", recording.account, recording.sid);
    let ms = recording.recorded_ms + recording.running_since.map_or(0, |since| now - since);
    json!({
        "sid": recording.sid, "account_sid": recording.account, "api_version": "2010-04-01",
        "call_sid": recording.call, "conference_sid": recording.conference,
        "date_created": rfc2822(recording.created_ms), "date_updated": rfc2822(now),
        "start_time": rfc2822(recording.created_ms), "duration": (ms / 1000).to_string(),
        "price": null, "price_unit": "USD", "status": if recording.deleted { "deleted" } else { recording.status },
        "channels": recording.channels, "source": recording.source, "error_code": null, "uri": uri,
        "encryption_details": null,
    })
}

fn find<'a>(world: &'a World, account: &Account, sid: &str) -> Option<&'a Recording> {
    world.recordings.get(sid).filter(|r| r.account == account.sid)
}

pub(crate) fn create(shared: &Arc<Shared>, account: &Account, ask: &Ask, call: &str) -> Answer {
    let now = shared.now_ms();
    let mut world = shared.world();
    match world.calls.get(call).filter(|c| c.account == account.sid) {
        None => return Answer::not_found(&ask.path),
        Some(call) if call.status != Status::InProgress => {
            return Answer::error(400, 21220, "Requested resource is not eligible for recording");
        }
        Some(_) => {}
    }
    let hook = hook_of(ask, "RecordingStatusCallback", "RecordingStatusCallbackEvent", &["completed"]);
    let sid = start(&mut world, now, &account.sid, Some(call), None, "StartCallRecordingAPI", hook);
    if let Some(call) = world.calls.get_mut(call) {
        call.recording = Some(sid.clone());
    }
    world.note(now, "rest", Some(call), "recording started");
    match find(&world, account, &sid) {
        Some(recording) => Answer::json(201, &body(recording, now)),
        None => Answer::not_found(&ask.path),
    }
}

pub(crate) fn update(shared: &Arc<Shared>, account: &Account, ask: &Ask, call: &str, sid: &str) -> Answer {
    let now = shared.now_ms();
    let sid = {
        let mut world = shared.world();
        // `Twilio.CURRENT` names the recording that runs.
        let sid = match sid {
            "Twilio.CURRENT" => world.calls.get(call).and_then(|c| c.recording.clone()).unwrap_or_default(),
            other => other.to_owned(),
        };
        if find(&world, account, &sid).is_none() {
            return Answer::not_found(&ask.path);
        }
        let status = match ask.field("Status") {
            Some("paused") => "paused",
            Some("in-progress") => "in-progress",
            Some("stopped") => "stopped",
            _ => return Answer::error(400, 20001, "Status must be paused, in-progress or stopped"),
        };
        stop(&mut world, now, &sid, status);
        world.note(now, "rest", Some(call), format!("recording {status}"));
        if status != "stopped" {
            return match find(&world, account, &sid) {
                Some(recording) => Answer::json(200, &body(recording, now)),
                None => Answer::not_found(&ask.path),
            };
        }
        if let Some(call) = world.calls.get_mut(call) {
            call.recording = None;
        }
        sid
    };
    finish(shared, &sid);
    match find(&shared.world(), account, &sid) {
        Some(recording) => Answer::json(200, &body(recording, now)),
        None => Answer::not_found(&ask.path),
    }
}

pub(crate) fn list(shared: &Arc<Shared>, account: &Account, ask: &Ask, call: Option<&str>) -> Answer {
    let now = shared.now_ms();
    let with_deleted = ask.filter("IncludeSoftDeleted") == Some("true");
    let world = shared.world();
    let wanted = call.or(ask.filter("CallSid"));
    let rows = world
        .recording_order
        .iter()
        .rev()
        .filter_map(|sid| find(&world, account, sid))
        .filter(|r| with_deleted || !r.deleted)
        .filter(|r| wanted.is_none_or(|sid| r.call.as_deref() == Some(sid)))
        .filter(|r| ask.filter("ConferenceSid").is_none_or(|sid| r.conference.as_deref() == Some(sid)))
        .filter(|r| within(ask, "DateCreated", Some(r.created_ms)))
        .map(|r| body(r, now))
        .collect();
    Answer::json(200, &super::page::page(&ask.path, "recordings", &ask.query, rows))
}

pub(crate) fn fetch(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    let now = shared.now_ms();
    match find(&shared.world(), account, sid).filter(|r| !r.deleted) {
        Some(recording) => Answer::json(200, &body(recording, now)),
        None => Answer::not_found(&ask.path),
    }
}

/// Deletes the sound; the metadata stays behind `IncludeSoftDeleted`.
pub(crate) fn delete(shared: &Arc<Shared>, account: &Account, ask: &Ask, sid: &str) -> Answer {
    let mut world = shared.world();
    match world.recordings.get_mut(sid).filter(|r| r.account == account.sid && !r.deleted) {
        Some(recording) => {
            recording.deleted = true;
            Answer::empty()
        }
        None => Answer::not_found(&ask.path),
    }
}

/// The sound: silence of the recording's length, 8 kHz, 8 bit, at most a minute.
pub(crate) fn media(shared: &Arc<Shared>, account: &Account, ask: &Ask, name: &str) -> Answer {
    let sid = name.split('.').next().unwrap_or_default();
    let ms = match find(&shared.world(), account, sid).filter(|r| !r.deleted) {
        Some(recording) => recording.recorded_ms.clamp(100, 60_000),
        None => return Answer::not_found(&ask.path),
    };
    Answer { status: 200, content_type: "audio/wav", body: silence(ms) }
}

/// A WAV file of silence: 8,000 samples a second, one channel, 8 bit.
pub(crate) fn silence(ms: i64) -> Vec<u8> {
    let samples = u32::try_from(ms.max(0) * 8).unwrap_or(0);
    let mut out = Vec::with_capacity(44 + samples as usize);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + samples).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    for (value, bytes) in [(16u32, 4), (1, 2), (1, 2), (8_000, 4), (8_000, 4), (1, 2), (8, 2)] {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&samples.to_le_bytes());
    out.resize(44 + samples as usize, 0x80);
    out
}
