//! From a webhook's fields to facts. Pure: the instant comes in as an argument.

use crate::form::Form;
use crate::rest::instant;
use crate::urls::{Route, is_recorded, labelled, named_room};
use autocall_core::call::{End, EndCause, LegFacts, Press, ProviderRef, Verdict};
use autocall_core::ports::Line;
use autocall_core::script::Room;
use autocall_core::{Millis, Timestamp};

/// A report that is older than this on arrival counts for when it says it happened; a younger one
/// for when it came, because the carrier's dates have whole seconds only.
const LATE: Millis = Millis::from_secs(2);

/// What a line's webhook says about it. `query` is the decoded query of the address that we gave.
pub fn line_facts(route: Route, query: &Form, form: &Form, now: Timestamp) -> LegFacts {
    let provider = form.get("CallSid").filter(|sid| is_sid(sid)).map(|sid| ProviderRef(sid.as_ref().into()));
    let mut facts = LegFacts { provider, ..LegFacts::default() };
    let digits = form.get("Digits").unwrap_or_default();
    let key = digits.chars().next();
    match route {
        Route::Answer | Route::AgentAnswer => {
            facts.answered_at = Some(now);
            facts.verdict = verdict(form).map(|v| (v, now));
        }
        Route::Amd => detection(form, query, now, &mut facts),
        Route::Status => progress(form, now, &mut facts),
        Route::Accept => match key.filter(|k| takes(query, *k)) {
            Some(key) => facts.accepted = Some(Press { at: now, key }),
            None => facts.declined_at = Some(now),
        },
        Route::After => {
            if let Some(agent) = query.get("r").and_then(|r| r.parse().ok()) {
                (facts.left_at, facts.left) = (Some(now), Some((now, agent)));
            }
            // A line that was hung up asks one last time.
            let status = form.get("CallStatus").unwrap_or_default();
            facts.end = end_cause(&status, None).map(|cause| End { cause, at: now });
        }
        Route::MessageEnd => facts.message_end_at = Some(now),
        Route::OptOut => {
            let wanted = query.get("k").and_then(|k| k.chars().next());
            if key.is_some() && key == wanted {
                facts.opted_out_at = Some(now);
            }
        }
        _ => {}
    }
    facts
}

/// Ids are opaque, but not everything is an id.
pub(super) fn is_sid(sid: &str) -> bool {
    (2..=64).contains(&sid.len()) && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether the whisper's address says that this key accepts.
fn takes(query: &Form, key: char) -> bool {
    match query.get("k").as_deref() {
        Some("any") => key.is_ascii_digit() || key == '*' || key == '#',
        Some("none") | None => false,
        Some(wanted) => wanted.chars().eq([key]),
    }
}

fn verdict(form: &Form) -> Option<Verdict> {
    Some(match form.get("AnsweredBy")?.as_ref() {
        "human" => Verdict::Human,
        "machine_start" => Verdict::MachineGreeting,
        "machine_end_beep" => Verdict::MachineBeep,
        "machine_end_silence" | "machine_end_other" => Verdict::MachineEnded,
        "fax" => Verdict::Fax,
        "unknown" => Verdict::Unclear,
        _ => return None,
    })
}

fn detection(form: &Form, query: &Form, now: Timestamp, facts: &mut LegFacts) {
    let Some(verdict) = verdict(form) else { return };
    facts.verdict = Some((verdict, now));
    // The detector waits for silence after a person's greeting before it speaks: so long ago did
    // the greeting end. The threshold that was asked for stands in the address.
    let silence_ms = query.get("e").and_then(|e| e.parse::<i64>().ok()).unwrap_or(0).clamp(0, 5_000);
    match verdict {
        Verdict::Human => facts.greeting_end_at = Some(now - Millis::from_ms(silence_ms)),
        Verdict::MachineBeep | Verdict::MachineEnded => facts.greeting_end_at = Some(now),
        _ => {}
    }
}

fn happened(form: &Form, now: Timestamp) -> Timestamp {
    match form.get("Timestamp").as_deref().and_then(instant) {
        Some(at) if now - at > LATE => at,
        _ => now,
    }
}

fn progress(form: &Form, now: Timestamp, facts: &mut LegFacts) {
    let at = happened(form, now);
    let status = form.get("CallStatus").unwrap_or_default();
    match status.as_ref() {
        "ringing" => facts.ringing_at = Some(at),
        "in-progress" => facts.answered_at = Some(at),
        other => {
            let sip: Option<u16> = form.get("SipResponseCode").and_then(|c| c.parse().ok());
            facts.end = end_cause(other, sip).map(|cause| End { cause, at });
        }
    }
}

/// Why a leg with this status is over; `None` if it is not. SIP 404, 484 and 604 say that there
/// is no such number (RFC 3261, section 21).
pub(crate) fn end_cause(status: &str, sip: Option<u16>) -> Option<EndCause> {
    Some(match status {
        "completed" => EndCause::Completed,
        "busy" => EndCause::Busy,
        "no-answer" => EndCause::NoAnswer,
        "canceled" => EndCause::Canceled,
        "failed" if matches!(sip, Some(404 | 484 | 604)) => EndCause::InvalidNumber,
        "failed" => EndCause::Failed,
        _ => return None,
    })
}

/// What happened in a room to one of our lines.
#[derive(Clone, Debug, PartialEq)]
pub struct ConferenceEvent {
    /// The line.
    pub line: Line,
    /// What that says about it.
    pub facts: LegFacts,
    /// The line came in and is to be recorded from now on.
    pub record: bool,
}

/// Whether a participant left because their call is over.
fn hung_up(form: &Form) -> bool {
    let over = form.get("ParticipantCallStatus").is_some_and(|s| end_cause(&s, None).is_some());
    over || form.get("ReasonParticipantLeft").is_some_and(|why| why == "participant_hung_up")
}

/// A conference callback about `room`. `None` for events that say nothing about a line of ours.
pub fn conference(room: Room, form: &Form, now: Timestamp) -> Option<ConferenceEvent> {
    if named_room(&form.get("FriendlyName")?)? != room {
        return None;
    }
    let label = form.get("ParticipantLabel")?;
    let line = labelled(&label)?;
    let at = happened(form, now);
    let provider = form.get("CallSid").filter(|sid| is_sid(sid)).map(|sid| ProviderRef(sid.as_ref().into()));
    let mut facts = LegFacts { provider, ..LegFacts::default() };
    // A leg of a call in an agent's room is a guest; everybody else is where they belong.
    let host = match (room, line) {
        (Room::Agent(agent), Line::Leg(_)) => Some(agent),
        _ => None,
    };
    let event = form.get("StatusCallbackEvent")?;
    let joined = event == "participant-join";
    match (joined, host) {
        (true, Some(agent)) => (facts.joined_agent_at, facts.guest) = (Some(at), Some((at, agent))),
        (true, None) => facts.joined_at = Some(at),
        (false, Some(agent)) if event == "participant-leave" => {
            (facts.left_at, facts.left) = (Some(at), Some((at, agent)));
        }
        // A standing leg that was hung up: the report of its end may be lost, or none was asked for
        // because the agent called us.
        (false, None) if event == "participant-leave" && matches!(line, Line::Station(_)) && hung_up(form) => {
            facts.end = Some(End { cause: EndCause::Completed, at });
        }
        _ => return None,
    }
    Some(ConferenceEvent { line, facts, record: joined && is_recorded(&label) })
}

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingEvent {
    /// The carrier's id of it.
    pub sid: String,
    /// Its length in seconds.
    pub seconds: u32,
    /// How many channels.
    pub channels: u8,
}

/// A recording callback; `None` unless it says that one is complete.
pub fn recording(form: &Form) -> Option<RecordingEvent> {
    if form.get("RecordingStatus").as_deref() != Some("completed") {
        return None;
    }
    let sid = form.get("RecordingSid").filter(|sid| is_sid(sid))?.into_owned();
    let number = |name: &str| form.get(name).and_then(|v| v.parse::<u32>().ok());
    Some(RecordingEvent {
        sid,
        seconds: number("RecordingDuration").unwrap_or(0),
        channels: u8::try_from(number("RecordingChannels").unwrap_or(1)).unwrap_or(1),
    })
}
