//! Conferences: who is in, when it starts, when it ends, and what is reported of it.
//!
//! The rules (Twilio: `<Conference>`): it starts when two are in and one of them may start it; it
//! ends when the last one leaves, or one who ends it on exit; the callback and its events are
//! those of the first participant.

use super::hooks::{Request, callback, wants};
use super::pace::rfc2822;
use super::world::{Conference, Hook, Membership, Participant, Shared, World};
use std::sync::Arc;
use tokio::sync::watch;

/// How a participant enters.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) muted: bool,
    pub(crate) start: bool,
    pub(crate) end: bool,
    pub(crate) coach: Option<String>,
    pub(crate) participants_max: usize,
    pub(crate) hook: Hook,
    pub(crate) record: bool,
    pub(crate) recording_hook: Hook,
}

type Fields = Vec<(String, String)>;

/// Lets a call in. Answers the conference's id and a watch on the membership.
///
/// # Errors
/// The carrier's code: 16025 label in use, 16020 full, 13240 nobody to coach.
pub(crate) fn join(
    shared: &Arc<Shared>,
    call: &str,
    account: &str,
    entrance: &Entrance,
) -> Result<(String, watch::Receiver<Membership>), u32> {
    let now = shared.now_ms();
    let mut events: Vec<(&'static str, Fields)> = Vec::new();
    let mut world = shared.world();
    let sid = open(&mut world, account, entrance, now);
    let (tell, watch) = watch::channel(Membership::Waiting);
    let conference = world.conferences.get_mut(&sid).expect("just opened");
    if !entrance.label.is_empty() && conference.participants.iter().any(|p| p.label == entrance.label) {
        return Err(16_025);
    }
    if conference.participants.len() >= conference.participants_max.min(250) {
        return Err(16_020);
    }
    if let Some(coached) = &entrance.coach
        && !conference.participants.iter().any(|p| &p.call == coached)
    {
        return Err(13_240);
    }
    conference.participants.push(Participant {
        call: call.to_owned(),
        label: entrance.label.clone(),
        muted: entrance.muted,
        hold: false,
        coaching: entrance.coach.clone(),
        start: entrance.start,
        end: entrance.end,
        joined_ms: now,
        tell,
    });
    conference.updated_ms = now;
    let me = conference.participants.len() - 1;
    events.push(("participant-join", participant_fields(conference, me)));
    let starts = conference.status == "init"
        && conference.participants.len() >= 2
        && conference.participants.iter().any(|p| p.start);
    if starts {
        conference.status = "in-progress";
        events.push(("conference-start", Vec::new()));
    }
    if let Some(call) = world.calls.get_mut(call) {
        call.conference = Some(sid.clone());
    }
    settle(&mut world, &sid, now);
    world.note(now, "joined", Some(call), format!("{} as {:?}", entrance.name, entrance.label));
    if starts && entrance.record {
        super::rest_recordings::start(
            &mut world,
            now,
            account,
            None,
            Some(&sid),
            "Conference",
            entrance.recording_hook.clone(),
        );
    }
    drop(world);
    report(shared, &sid, events);
    Ok((sid, watch))
}

/// The live conference of this name, or a new one.
fn open(world: &mut World, account: &str, entrance: &Entrance, now: i64) -> String {
    let live = |c: &&Conference| c.account == account && c.name == entrance.name && c.status != "completed";
    if let Some(found) = world.conferences.values().find(live) {
        return found.sid.clone();
    }
    let sid = world.sid("CF");
    world.conference_order.push(sid.clone());
    world.conferences.insert(
        sid.clone(),
        Conference {
            sid: sid.clone(),
            account: account.to_owned(),
            name: entrance.name.clone(),
            status: "init",
            created_ms: now,
            updated_ms: now,
            participants: Vec::new(),
            participants_max: entrance.participants_max,
            hook: entrance.hook.clone(),
            sequence: 0,
            reason: None,
            ended_by: None,
            recording: None,
            last_callback: None,
        },
    );
    sid
}

/// Tells every participant whether the others hear it.
fn settle(world: &mut World, sid: &str, now: i64) {
    let Some(conference) = world.conferences.get(sid) else { return };
    let running = conference.status == "in-progress";
    let heard = conference.participants.iter().filter(|p| !p.hold && p.coaching.is_none()).count();
    let mut talking = Vec::new();
    for participant in &conference.participants {
        let state = if running { Membership::Live } else { Membership::Waiting };
        participant.tell.send_if_modified(|s| std::mem::replace(s, state.clone()) != state);
        talking.push((participant.call.clone(), running && !participant.hold && heard >= 2));
    }
    for (call, talks) in talking {
        world.bridge(&call, now, talks);
    }
}

/// Takes a call out of its conference, for this reason (the carrier's `ReasonParticipantLeft`).
pub(crate) fn leave(shared: &Arc<Shared>, call: &str, reason: &'static str) {
    let now = shared.now_ms();
    let mut world = shared.world();
    let Some(sid) = world.calls.get_mut(call).and_then(|c| c.conference.take()) else { return };
    world.bridge(call, now, false);
    let mut events = Vec::new();
    let Some(conference) = world.conferences.get_mut(&sid) else { return };
    let Some(at) = conference.participants.iter().position(|p| p.call == call) else { return };
    let mut fields = participant_fields(conference, at);
    fields.push(("ReasonParticipantLeft".into(), reason.into()));
    let gone = conference.participants.remove(at);
    conference.updated_ms = now;
    gone.tell.send_replace(Membership::Out(reason));
    events.push(("participant-leave", fields));
    let kicked = reason == "participant_updated_via_api";
    let ends = if gone.end {
        Some(if kicked {
            "participant-with-end-conference-on-exit-kicked"
        } else {
            "participant-with-end-conference-on-exit-left"
        })
    } else if conference.participants.is_empty() {
        Some(if kicked { "last-participant-kicked" } else { "last-participant-left" })
    } else {
        None
    };
    world.note(now, "left", Some(call), reason);
    if let Some(why) = ends {
        end_locked(&mut world, &sid, now, why, Some((call, &gone.label)), &mut events);
    } else {
        settle(&mut world, &sid, now);
    }
    drop(world);
    report(shared, &sid, events);
}

/// Ends a conference by request.
pub(crate) fn end(shared: &Arc<Shared>, sid: &str) {
    let now = shared.now_ms();
    let mut events = Vec::new();
    let mut world = shared.world();
    end_locked(&mut world, sid, now, "conference-ended-via-api", None, &mut events);
    drop(world);
    report(shared, sid, events);
}

fn end_locked(
    world: &mut World,
    sid: &str,
    now: i64,
    why: &'static str,
    by: Option<(&str, &str)>,
    events: &mut Vec<(&'static str, Fields)>,
) {
    let Some(conference) = world.conferences.get_mut(sid) else { return };
    if conference.status == "completed" {
        return;
    }
    conference.status = "completed";
    conference.updated_ms = now;
    conference.reason = Some(why);
    conference.ended_by = by.map(|(call, _)| call.to_owned());
    let reason = if by.is_some() { "moderator_ended_conference" } else { "conference_ended_via_api" };
    let mut out = Vec::new();
    while !conference.participants.is_empty() {
        let mut fields = participant_fields(conference, 0);
        fields.push(("ReasonParticipantLeft".into(), reason.into()));
        events.push(("participant-leave", fields));
        let gone = conference.participants.remove(0);
        gone.tell.send_replace(Membership::Out(reason));
        out.push(gone.call);
    }
    let mut fields: Fields =
        vec![("ReasonConferenceEnded".into(), why.into()), ("Reason".into(), why.replace('-', " "))];
    if let Some((call, label)) = by {
        fields.push(("CallSidEndingConference".into(), call.into()));
        fields.push(("ParticipantLabelEndingConference".into(), label.into()));
    }
    events.push(("conference-end", fields));
    if let Some(recording) = conference.recording.take() {
        super::rest_recordings::stop(world, now, &recording, "completed");
    }
    for call in out {
        world.bridge(&call, now, false);
        if let Some(call) = world.calls.get_mut(&call) {
            call.conference = None;
        }
        world.note(now, "left", Some(&call), reason);
    }
}

/// What a REST update may change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) muted: Option<bool>,
    pub(crate) hold: Option<bool>,
    pub(crate) end: Option<bool>,
    pub(crate) coaching: Option<Option<String>>,
}

/// Changes a participant; `false` if there is none.
pub(crate) fn change(shared: &Arc<Shared>, sid: &str, call: &str, change: &Change) -> bool {
    let now = shared.now_ms();
    let mut events = Vec::new();
    let mut world = shared.world();
    let Some(conference) = world.conferences.get_mut(sid) else { return false };
    let Some(at) = conference.participants.iter().position(|p| p.call == call) else { return false };
    let participant = &mut conference.participants[at];
    if let Some(muted) = change.muted {
        participant.muted = muted;
        events.push(if muted { "participant-mute" } else { "participant-unmute" });
    }
    if let Some(hold) = change.hold {
        participant.hold = hold;
        events.push(if hold { "participant-hold" } else { "participant-unhold" });
    }
    if let Some(end) = change.end {
        participant.end = end;
        events.push("participant-modify");
    }
    if let Some(coaching) = &change.coaching {
        participant.coaching.clone_from(coaching);
        events.push("participant-modify");
    }
    let fields = participant_fields(conference, at);
    conference.updated_ms = now;
    settle(&mut world, sid, now);
    drop(world);
    report(shared, sid, events.into_iter().map(|e| (e, fields.clone())).collect());
    true
}

fn participant_fields(conference: &Conference, at: usize) -> Fields {
    let p = &conference.participants[at];
    let mut fields: Fields = vec![
        ("CallSid".into(), p.call.clone()),
        ("Muted".into(), p.muted.to_string()),
        ("Hold".into(), p.hold.to_string()),
        ("Coaching".into(), p.coaching.is_some().to_string()),
        ("StartConferenceOnEnter".into(), p.start.to_string()),
        ("EndConferenceOnExit".into(), p.end.to_string()),
    ];
    if !p.label.is_empty() {
        fields.push(("ParticipantLabel".into(), p.label.clone()));
    }
    if let Some(coached) = &p.coaching {
        fields.push(("CallSidToCoach".into(), coached.clone()));
    }
    fields
}

/// The name by which a document subscribes to an event.
fn subscription(event: &str) -> &str {
    match event {
        "conference-start" => "start",
        "conference-end" => "end",
        "participant-join" => "join",
        "participant-leave" => "leave",
        "participant-mute" | "participant-unmute" => "mute",
        "participant-hold" | "participant-unhold" => "hold",
        "participant-modify" => "modify",
        other => other,
    }
}

fn report(shared: &Arc<Shared>, sid: &str, events: Vec<(&'static str, Fields)>) {
    for (event, more) in events {
        let (request, previous) = {
            let mut world = shared.world();
            let Some(conference) = world.conferences.get_mut(sid) else { return };
            let sequence = conference.sequence;
            conference.sequence += 1;
            if !wants(&conference.hook, subscription(event)) {
                continue;
            }
            let mut fields: Fields = vec![
                ("ConferenceSid".into(), conference.sid.clone()),
                ("FriendlyName".into(), conference.name.clone()),
                ("AccountSid".into(), conference.account.clone()),
                ("SequenceNumber".into(), sequence.to_string()),
                ("Timestamp".into(), rfc2822(shared.now_ms())),
                ("StatusCallbackEvent".into(), event.into()),
            ];
            let call = more.iter().find(|(n, _)| n == "CallSid").map(|(_, v)| v.clone());
            fields.extend(more);
            let previous = conference.last_callback.take();
            let request = Request {
                account: conference.account.clone(),
                call: call.clone(),
                purpose: event,
                url: conference.hook.url.clone(),
                method: conference.hook.method.clone(),
                fields,
            };
            let mut request = request;
            if event == "participant-leave"
                && let Some(call) = call.and_then(|c| world.calls.get(&c))
            {
                request.fields.push(("ParticipantCallStatus".into(), call.status.text().into()));
            }
            (request, previous)
        };
        let next = callback(shared, request, previous);
        if let Some(conference) = shared.world().conferences.get_mut(sid) {
            conference.last_callback = Some(next);
        }
    }
}
