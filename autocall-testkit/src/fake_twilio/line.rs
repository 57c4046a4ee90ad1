//! One call from its creation to its end: queue, ring, answer, script, hang-up.

use super::hooks::{Request, callback, wants};
use super::pace::rfc2822;
use super::people::{Pickup, verdict};
use super::run::{Ended, Line, run};
use super::world::{Command, Dialled, Shared, Source, Status};
use super::{conference, rest_recordings};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the caller of a child leg learns of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Answered, and through its own document: ready to be bridged.
    Ready(String),
    /// Over.
    Over(String, &'static str),
}

/// What a call does once answered.
pub(crate) enum Plan {
    /// Runs the document of its create request.
    Script(Source),
    /// A leg of somebody's `<Dial>`: an optional document first, then it is bridged.
    Child(Option<Source>, mpsc::Sender<News>),
    /// Nothing: a call that came in and is answered by its first verb.
    Inbound(Source),
}

/// Everything that moves one call.
pub(crate) async fn live(
    shared: Arc<Shared>,
    sid: String,
    plan: Plan,
    mut commands: mpsc::Receiver<Command>,
    keys: mpsc::Receiver<String>,
) {
    let news = if let Plan::Child(_, news) = &plan { Some(news.clone()) } else { None };
    let end = if matches!(plan, Plan::Inbound(_)) {
        Some(Status::InProgress)
    } else {
        reach(&shared, &sid, &mut commands, news.is_some()).await
    };
    let status = match end {
        Some(Status::InProgress) => talk(&shared, &sid, plan, &mut commands, keys).await,
        Some(other) => other,
        // Canceled in the queue: the carrier reports nothing.
        None => {
            finish(&shared, &sid, Status::Canceled);
            return;
        }
    };
    conference::leave(&shared, &sid, "participant_hung_up");
    finish(&shared, &sid, status);
    progress(&shared, &sid, "completed", status.text());
    if let Some(news) = news {
        let _ = news.send(News::Over(sid, status.text())).await;
    }
}

/// Queue and ringing. `InProgress` when answered, `None` when canceled in the queue.
async fn reach(shared: &Arc<Shared>, sid: &str, commands: &mut mpsc::Receiver<Command>, child: bool) -> Option<Status> {
    let (queue_ms, person, ring_ms_max) = {
        let world = shared.world();
        let call = world.calls.get(sid)?;
        (call.queue_ms, call.person.clone(), call.ring_ms_max)
    };
    if !child && during(shared, queue_ms, commands).await {
        return None;
    }
    {
        let now = shared.now_ms();
        let mut world = shared.world();
        world.stats.dialled += 1;
        let call = world.calls.get_mut(sid)?;
        call.dialled_ms = Some(now);
        let dialled = Dialled { call: sid.to_owned(), to: call.to.clone(), attempt: call.attempt.clone(), at_ms: now };
        let what = dialled.to.clone();
        world.dialled.push(dialled);
        world.note(now, "dialled", Some(sid), what);
    }
    progress(shared, sid, "initiated", "initiated");
    if during(shared, person.setup_ms, commands).await {
        return Some(Status::Canceled);
    }
    set(shared, sid, Status::Ringing);
    progress(shared, sid, "ringing", "ringing");
    // The carrier adds about five seconds to the ring time that it is asked for.
    let limit = ring_ms_max + 5_000;
    let (wait, then) = match person.pickup {
        Pickup::Answers => (person.ring_ms, Status::InProgress),
        Pickup::Busy => (person.ring_ms, Status::Busy),
        Pickup::Fails => (person.ring_ms, Status::Failed),
        Pickup::NoAnswer => (i64::MAX, Status::NoAnswer),
    };
    let (wait, then) = if wait < limit { (wait, then) } else { (limit, Status::NoAnswer) };
    if during(shared, wait, commands).await {
        return Some(Status::Canceled);
    }
    if let Some(call) = shared.world().calls.get_mut(sid) {
        call.sip_code = match then {
            Status::Failed => Some(404),
            Status::NoAnswer => Some(487),
            Status::Busy => Some(486),
            _ => Some(200),
        };
    }
    Some(then)
}

/// Waits; `true` if somebody asked to hang up meanwhile.
async fn during(shared: &Arc<Shared>, ms: i64, commands: &mut mpsc::Receiver<Command>) -> bool {
    let wait = shared.pace.sleep_ms(ms);
    tokio::pin!(wait);
    loop {
        tokio::select! {
            () = &mut wait => return false,
            command = commands.recv() => match command {
                Some(Command::Hangup) => return true,
                Some(Command::Redirect(_)) => {}
                None => { wait.await; return false }
            }
        }
    }
}

/// From the answer to the hang-up; the final status.
async fn talk(
    shared: &Arc<Shared>,
    sid: &str,
    plan: Plan,
    commands: &mut mpsc::Receiver<Command>,
    keys: mpsc::Receiver<String>,
) -> Status {
    set(shared, sid, Status::InProgress);
    let Some((person, detection, call_ms_max)) = answered(shared, sid) else { return Status::Failed };
    progress(shared, sid, "answered", "in-progress");
    let limit = shared.pace.sleep_ms(call_ms_max);
    let left = person_leaves(shared, sid, &person);
    tokio::pin!(limit, left);
    if let Some(detection) = detection {
        let outcome = verdict(&person, &detection);
        if detection.is_async {
            tokio::spawn(detect(shared.clone(), sid.to_owned(), outcome, detection.callback));
        } else {
            let (what, at) = outcome.unwrap_or_else(|| ("unknown".into(), detection.timeout_ms));
            tokio::select! {
                () = shared.pace.sleep_ms(at) => {}
                () = &mut left => return Status::Completed,
                Some(Command::Hangup) = commands.recv() => return Status::Completed,
            }
            verdict_is(shared, sid, &what);
        }
    }
    let mut line = Line::new(shared.clone(), sid.to_owned(), person.clone(), keys);
    let mut next = plan;
    loop {
        let ended = tokio::select! {
            ended = act(&mut line, next) => ended,
            () = &mut left => Ended::HungUp,
            () = &mut limit => Ended::HungUp,
            command = commands.recv() => match command {
                Some(Command::Redirect(source)) => {
                    conference::leave(shared, sid, "participant_updated_via_api");
                    next = Plan::Script(source);
                    continue;
                }
                Some(Command::Hangup) | None => Ended::HungUp,
            },
        };
        return match ended {
            Ended::Rejected(status) => status,
            Ended::HungUp | Ended::RanOut => Status::Completed,
        };
    }
}

async fn act(line: &mut Line, plan: Plan) -> Ended {
    match plan {
        Plan::Script(source) | Plan::Inbound(source) => run(line, source, true).await,
        Plan::Child(before, news) => {
            if let Some(source) = before
                && run(line, source, false).await != Ended::RanOut
            {
                return Ended::HungUp;
            }
            let _ = news.send(News::Ready(line.sid.clone())).await;
            std::future::pending().await
        }
    }
}

type Answered = (super::people::Person, Option<super::people::Detection>, i64);

fn answered(shared: &Arc<Shared>, sid: &str) -> Option<Answered> {
    let now = shared.now_ms();
    let mut world = shared.world();
    let call = world.calls.get_mut(sid)?;
    call.answered_ms = Some(now);
    call.alone_ms = now;
    let found = (call.person.clone(), call.detection.clone(), call.call_ms_max);
    world.note(now, "answered", Some(sid), format!("{:?}", found.0.voice));
    Some(found)
}

/// Ends when the person hangs up: out of patience while alone, or done talking.
async fn person_leaves(shared: &Arc<Shared>, sid: &str, person: &super::people::Person) {
    let Some(changed) = shared.world().calls.get(sid).map(|c| c.changed.clone()) else { return };
    loop {
        let at = {
            let world = shared.world();
            let Some(call) = world.calls.get(sid) else { return };
            match call.bridged_ms {
                Some(since) => person.talk_ms.map(|ms| since + ms),
                None => person.patience_ms.map(|ms| call.alone_ms + ms),
            }
        };
        let Some(at) = at else {
            changed.notified().await;
            continue;
        };
        tokio::select! {
            () = shared.pace.sleep_until_ms(at) => return,
            () = changed.notified() => {}
        }
    }
}

fn verdict_is(shared: &Arc<Shared>, sid: &str, what: &str) {
    let now = shared.now_ms();
    let mut world = shared.world();
    if let Some(call) = world.calls.get_mut(sid) {
        call.answered_by = Some(what.to_owned());
        call.updated_ms = now;
    }
    world.note(now, "verdict", Some(sid), what);
}

/// The verdict of asynchronous detection, reported if the call still runs.
async fn detect(shared: Arc<Shared>, sid: String, outcome: Option<(String, i64)>, hook: Option<(String, String)>) {
    let Some((what, at)) = outcome else { return };
    shared.pace.sleep_ms(at).await;
    let (account, over) = match shared.world().calls.get(&sid) {
        Some(call) => (call.account.clone(), call.status.is_over()),
        None => return,
    };
    if over {
        return;
    }
    verdict_is(&shared, &sid, &what);
    let Some((url, method)) = hook else { return };
    let fields = vec![
        ("CallSid".into(), sid.clone()),
        ("AccountSid".into(), account.clone()),
        ("AnsweredBy".into(), what),
        ("MachineDetectionDuration".into(), at.to_string()),
    ];
    let request = Request { account, call: Some(sid), purpose: "amd", url, method, fields };
    drop(callback(&shared, request, None));
}

fn set(shared: &Arc<Shared>, sid: &str, status: Status) {
    let now = shared.now_ms();
    if let Some(call) = shared.world().calls.get_mut(sid) {
        call.status = status;
        call.updated_ms = now;
    }
}

fn finish(shared: &Arc<Shared>, sid: &str, status: Status) {
    let now = shared.now_ms();
    let mut world = shared.world();
    let Some(call) = world.calls.get_mut(sid) else { return };
    call.status = status;
    call.ended_ms = Some(now);
    call.updated_ms = now;
    let recording = call.recording.take();
    world.note(now, "ended", Some(sid), status.text());
    drop(world);
    if let Some(recording) = recording {
        rest_recordings::finish(shared, &recording);
    }
}

/// The parameters that every request about a call carries.
pub(crate) fn common_fields(call: &super::world::Call) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = [
        ("CallSid", call.sid.as_str()),
        ("AccountSid", &call.account),
        ("From", &call.from),
        ("To", &call.to),
        ("Caller", &call.from),
        ("Called", &call.to),
        ("CallStatus", call.status.text()),
        ("ApiVersion", "2010-04-01"),
        ("Direction", call.direction),
    ]
    .into_iter()
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .collect();
    for (side, number) in [("From", &call.from), ("To", &call.to)] {
        let country = if number.starts_with("+1") { "US" } else { "" };
        for (part, value) in [("City", ""), ("State", ""), ("Zip", ""), ("Country", country)] {
            fields.push((format!("{side}{part}"), value.to_owned()));
        }
    }
    if let Some(parent) = &call.parent {
        fields.push(("ParentCallSid".into(), parent.clone()));
    }
    if let Some(by) = &call.answered_by {
        fields.push(("AnsweredBy".into(), by.clone()));
    }
    fields
}

/// A status callback, if the call's hook wants this event.
fn progress(shared: &Arc<Shared>, sid: &str, event: &str, status: &str) {
    let (request, previous) = {
        let mut world = shared.world();
        let Some(call) = world.calls.get_mut(sid) else { return };
        let sequence = call.sequence;
        call.sequence += 1;
        if !wants(&call.hook, event) {
            return;
        }
        let mut fields = common_fields(call);
        fields.retain(|(n, _)| n != "CallStatus" && n != "AnsweredBy");
        fields.extend([
            ("CallStatus".into(), status.to_owned()),
            ("Timestamp".into(), rfc2822(shared.now_ms())),
            ("CallbackSource".into(), "call-progress-events".into()),
            ("SequenceNumber".into(), sequence.to_string()),
        ]);
        if event == "completed" {
            let seconds = duration_s(call);
            fields.push(("CallDuration".into(), seconds.to_string()));
            fields.push(("Duration".into(), ((seconds + 59) / 60).to_string()));
            if let Some(code) = call.sip_code {
                fields.push(("SipResponseCode".into(), code.to_string()));
            }
        }
        let request = Request {
            account: call.account.clone(),
            call: Some(sid.to_owned()),
            purpose: "status",
            url: call.hook.url.clone(),
            method: call.hook.method.clone(),
            fields,
        };
        (request, call.last_callback.take())
    };
    let next = callback(shared, request, previous);
    if let Some(call) = shared.world().calls.get_mut(sid) {
        call.last_callback = Some(next);
    }
}

/// Whole seconds from answer to end; a connected call lasts at least one.
pub(crate) fn duration_s(call: &super::world::Call) -> i64 {
    match (call.answered_ms, call.ended_ms) {
        (Some(from), Some(to)) => ((to - from) / 1000).max(1),
        _ => 0,
    }
}
