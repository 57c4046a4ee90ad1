//! The call script as TwiML: a pure function of the script and of where things are.

use crate::form::Form;
use crate::twiml::{Element, document, spoken};
use crate::urls::{Route, Subject, Urls, label, room_name};
use autocall_core::ports::Line;
use autocall_core::script::{Accept, Audio, RecordingMode, Role, Room, Script};

/// What the carrier is told of one request, besides the script.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Where things are.
    pub urls: &'a Urls,
    /// Whose script it is.
    pub line: Line,
    /// How often the line has come back from its room; tells labels apart.
    pub again: u8,
    /// Without the hold music: the room could not be established with it.
    pub silent: bool,
    /// Whether the person has been asked about recording, and agreed.
    pub consent: Option<bool>,
    /// What the jitter buffer of a room is: `small` adds the least delay.
    pub jitter_buffer: &'static str,
    /// What is said before a recording starts.
    pub recording_notice: &'a str,
    /// What is said to ask for consent; key 1 agrees.
    pub consent_question: &'a str,
}

/// What is said before a recording starts, by default.
pub const RECORDING_NOTICE: &str = "This call may be recorded.";
/// The question for consent, by default.
pub const CONSENT_QUESTION: &str =
    "We would like to record this call. Press 1 if you agree. Otherwise it is not recorded.";

impl<'a> Setting<'a> {
    /// The plain setting of a line.
    pub fn new(urls: &'a Urls, line: Line) -> Setting<'a> {
        Setting {
            urls,
            line,
            again: 0,
            silent: false,
            consent: None,
            jitter_buffer: "small",
            recording_notice: RECORDING_NOTICE,
            consent_question: CONSENT_QUESTION,
        }
    }
    fn url(&self, route: Route, query: &str) -> String {
        self.urls.of(route, Subject::Line(self.line), query)
    }
}

/// Renders a script.
pub fn render(script: &Script, at: &Setting<'_>) -> String {
    document(match script {
        Script::Wait => vec![pause(20), redirect(at.urls.answer(at.line, ""))],
        Script::Join { room, role, hold, recording } => join(*room, *role, hold, *recording, at),
        Script::Whisper { text, accept, wait_ms } => whisper(text.expose(), *accept, *wait_ms, at),
        Script::Message { audio, opt_out, .. } => message(audio, *opt_out, at),
        Script::Hangup => vec![Element::new("Hangup")],
    })
}

/// What a line hears while our store is down: a pause, and the same question again.
pub fn try_later(urls: &Urls, line: Line, tries: u8) -> String {
    let query = format!("t={}", tries.saturating_add(1));
    document([pause(2), redirect(urls.answer(line, &query))])
}

/// What a caller hears whom nothing more can be done for.
pub fn hang_up() -> String {
    document([Element::new("Hangup")])
}

fn pause(seconds: u32) -> Element {
    Element::new("Pause").attribute("length", seconds.to_string())
}

fn redirect(url: String) -> Element {
    Element::new("Redirect").text(url)
}

/// Spoken text.
pub fn say(text: &str, language: Option<&str>, voice: Option<&str>) -> Element {
    let mut say = Element::new("Say").text(spoken(text));
    if let Some(voice) = voice {
        say = say.attribute("voice", voice);
    }
    if let Some(language) = language {
        say = say.attribute("language", language);
    }
    say
}

fn sound(audio: &Audio, urls: &Urls) -> Option<Element> {
    match audio {
        Audio::File(key) => Some(Element::new("Play").text(urls.sound(key))),
        Audio::Say { text, language, voice } => Some(say(text, language.as_deref(), voice.as_deref())),
        Audio::Silence => None,
    }
}

fn join(room: Room, role: Role, hold: &Audio, recording: RecordingMode, at: &Setting<'_>) -> Vec<Element> {
    let mut verbs = Vec::new();
    let asks = role == Role::Customer && at.again == 0;
    match recording {
        RecordingMode::Consent if asks && at.consent.is_none() => {
            let gather = Element::new("Gather")
                .attribute("numDigits", "1")
                .attribute("finishOnKey", "")
                .attribute("timeout", "6")
                .attribute("actionOnEmptyResult", "true")
                .attribute("action", at.url(Route::Consent, ""))
                .child(say(at.consent_question, None, None));
            return vec![gather];
        }
        RecordingMode::Announce if asks => verbs.push(say(at.recording_notice, None, None)),
        _ => {}
    }
    let recorded = match recording {
        RecordingMode::Off => false,
        RecordingMode::Announce => true,
        RecordingMode::Consent => at.consent == Some(true),
    };
    let (starts, ends) = match (role, room) {
        // Alone in the room until an agent comes; the room ends with the call.
        (Role::Customer, Room::Call(_)) => (false, true),
        // A guest in the agent's room, which outlives every guest.
        // Leaving ends nothing for those who stay.
        (Role::Customer, Room::Agent(_)) | (Role::Standing | Role::Third, _) => (true, false),
        (Role::Agent, _) => (true, true),
    };
    // The address says whose room it left.
    let whose = match room {
        Room::Agent(agent) => format!("&r={agent}"),
        Room::Call(_) => String::new(),
    };
    let action = at.url(Route::After, &format!("n={}{whose}", at.again));
    // In a room of a call the room is recorded; in an agent's room the customer's leg is, so that
    // a shift is never one recording. The webhook that sees it join starts that.
    let on_join = recorded && matches!(room, Room::Agent(_)) && role == Role::Customer;
    let mut conference = Element::new("Conference")
        .attribute("startConferenceOnEnter", starts.to_string())
        .attribute("endConferenceOnExit", ends.to_string())
        .attribute("beep", "false")
        .attribute("participantLabel", label(at.line, at.again, on_join))
        .attribute("jitterBufferSize", at.jitter_buffer)
        .attribute("statusCallback", at.urls.of(Route::ConferenceStatus, Subject::Room(room), ""))
        .attribute("statusCallbackEvent", "start end join leave")
        .text(room_name(room));
    conference = hold_music(conference, hold, at);
    if recorded && matches!(room, Room::Call(_)) && role == Role::Customer {
        conference = conference
            .attribute("record", "record-from-start")
            .attribute("recordingStatusCallback", at.url(Route::Recording, ""));
    }
    verbs.push(Element::new("Dial").attribute("action", action).child(conference));
    verbs
}

/// If the wait address fails the conference is not established, so a second try has none.
fn hold_music(conference: Element, hold: &Audio, at: &Setting<'_>) -> Element {
    match hold {
        _ if at.silent => conference.attribute("waitUrl", ""),
        Audio::Silence => conference.attribute("waitUrl", ""),
        Audio::File(key) => conference.attribute("waitUrl", at.urls.sound(key)).attribute("waitMethod", "GET"),
        Audio::Say { text, language, voice } => {
            let text: String = spoken(text).chars().take(600).collect();
            let mut fields = vec![("say", text)];
            fields.extend(language.as_deref().map(|l| ("l", l.to_owned())));
            fields.extend(voice.as_deref().map(|v| ("v", v.to_owned())));
            conference.attribute("waitUrl", at.url(Route::Wait, &Form::of(fields).encode()))
        }
    }
}

/// What is heard while waiting: the words once, then quiet, then again.
pub fn wait(text: &str, language: Option<&str>, voice: Option<&str>) -> String {
    document([say(text, language, voice), pause(15), Element::new("Redirect")])
}

fn whisper(text: &str, accept: Accept, wait_ms: u32, at: &Setting<'_>) -> Vec<Element> {
    let seconds = wait_ms.div_ceil(1000).clamp(1, 60);
    let words = say(text, None, None);
    let takes = match accept {
        Accept::AnyKey => "any".to_owned(),
        Accept::Key(key) => Form::of([("", key.to_string())]).encode().trim_start_matches('=').to_owned(),
        Accept::Console | Accept::Without => "none".to_owned(),
    };
    let action = at.url(Route::Accept, &format!("k={takes}"));
    if takes == "none" {
        return vec![words, pause(seconds), redirect(action)];
    }
    let gather = Element::new("Gather")
        .attribute("numDigits", "1")
        .attribute("finishOnKey", "")
        .attribute("timeout", seconds.to_string())
        .attribute("actionOnEmptyResult", "true")
        .attribute("action", action)
        .child(words);
    vec![gather, Element::new("Hangup")]
}

fn message(audio: &Audio, opt_out: Option<char>, at: &Setting<'_>) -> Vec<Element> {
    let sound = sound(audio, at.urls);
    let end = redirect(at.url(Route::MessageEnd, ""));
    let Some(key) = opt_out else { return sound.into_iter().chain([end]).collect() };
    let action = at.url(Route::OptOut, &Form::of([("k", key.to_string())]).encode());
    let gather = Element::new("Gather")
        .attribute("numDigits", "1")
        .attribute("finishOnKey", "")
        .attribute("timeout", "3")
        .attribute("action", action)
        .children(sound);
    vec![gather, end]
}

/// What somebody hears who asked not to be called again.
pub fn opted_out() -> String {
    document([say("You will not be called again. Goodbye.", None, None), Element::new("Hangup")])
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
