//! Every script, and every name.

use super::*;
use autocall_core::script::MessageKind;
use autocall_core::{AgentId, CallId, LegId, Private, TenantId};
use autocall_testkit::fake_twilio::twiml::{Node, parse};
use proptest::prelude::*;

fn urls() -> Urls {
    Urls::new("https://calls.example.com").expect("good")
}

fn leg(n: u8) -> Line {
    Line::Leg(LegId { call: CallId::small(TenantId(7), 9), leg: n })
}

/// Renders, and reads it back with the fake's strict parser.
fn verbs(script: &Script, line: Line) -> Vec<Node> {
    let urls = urls();
    let text = render(script, &Setting::new(&urls, line));
    parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn names(verbs: &[Node]) -> Vec<&str> {
    verbs.iter().map(|v| v.name.as_str()).collect()
}

fn join(room: Room, role: Role) -> Script {
    Script::Join { room, role, hold: Audio::Silence, recording: RecordingMode::Off }
}

#[test]
fn a_customer_waits_alone_and_ends_the_room_an_agent_starts_it() {
    let call = Room::Call(CallId::small(TenantId(7), 9));
    for (role, line, start, end) in [(Role::Customer, leg(0), "false", "true"), (Role::Agent, leg(1), "true", "true")] {
        let dial = &verbs(&join(call, role), line)[0];
        let room = &dial.children[0];
        assert_eq!(room.attribute("startConferenceOnEnter"), Some(start));
        assert_eq!(room.attribute("endConferenceOnExit"), Some(end));
        assert_eq!(room.attribute("jitterBufferSize"), Some("small"));
        assert_eq!(room.attribute("beep"), Some("false"));
        assert_eq!(room.attribute("participantLabel"), Some(line.to_string().as_str()));
        assert_eq!(room.attribute("waitUrl"), Some(""));
        assert!(dial.attribute("action").expect("action").contains("/after/"));
    }
}

#[test]
fn the_room_in_which_an_agent_stands_outlives_its_guests() {
    let agent = Room::Agent(AgentId::small(TenantId(7), 5));
    for (role, line) in [(Role::Customer, leg(0)), (Role::Standing, leg(1))] {
        let dial = &verbs(&join(agent, role), line)[0];
        assert_eq!(dial.children[0].attribute("endConferenceOnExit"), Some("false"));
        assert_eq!(dial.children[0].attribute("startConferenceOnEnter"), Some("true"));
    }
}

#[test]
fn every_leg_of_a_room_gives_the_same_callback_because_only_the_first_counts() {
    let call = Room::Call(CallId::small(TenantId(7), 9));
    let hook = |role, line| {
        let dial = &verbs(&join(call, role), line)[0];
        let room = dial.children[0].clone();
        (room.attribute("statusCallback").map(str::to_owned), room.attribute("statusCallbackEvent").map(str::to_owned))
    };
    assert_eq!(hook(Role::Customer, leg(0)), hook(Role::Agent, leg(4)));
}

#[test]
fn a_whisper_asks_for_one_key_and_hangs_up_without_it() {
    let whisper = |accept| Script::Whisper { text: Private::new("Call from Ann & Bob <x>"), accept, wait_ms: 8_000 };
    let it = verbs(&whisper(Accept::AnyKey), leg(1));
    assert_eq!(names(&it), ["Gather", "Hangup"]);
    let gather = &it[0];
    assert_eq!(gather.attribute("numDigits"), Some("1"));
    assert_eq!(gather.attribute("finishOnKey"), Some(""));
    assert_eq!(gather.attribute("timeout"), Some("8"));
    assert_eq!(gather.attribute("actionOnEmptyResult"), Some("true"));
    assert_eq!(gather.children[0].text, "Call from Ann & Bob <x>");
    assert!(gather.attribute("action").expect("action").contains("?k=any#"));
    let hash = verbs(&whisper(Accept::Key('#')), leg(1));
    assert!(hash[0].attribute("action").expect("action").contains("?k=%23#"), "{hash:?}");
    assert_eq!(names(&verbs(&whisper(Accept::Console), leg(1))), ["Say", "Pause", "Redirect"]);
}

#[test]
fn messages_play_and_the_opt_out_key_is_asked_for_where_there_is_one() {
    let message = |opt_out, audio| Script::Message { kind: MessageKind::Abandonment, audio, opt_out };
    let plain = verbs(&message(None, Audio::File("abc/../x y".into())), leg(0));
    assert_eq!(names(&plain), ["Play", "Redirect"]);
    assert_eq!(plain[0].text, "https://calls.example.com/media/abc%2F%2E%2E%2Fx%20y");
    let keyed = verbs(&message(Some('9'), Audio::say("Hello")), leg(0));
    assert_eq!(names(&keyed), ["Gather", "Redirect"]);
    assert_eq!(keyed[0].children[0].text, "Hello");
    assert!(keyed[0].attribute("action").expect("action").contains("/opt-out/"));
}

#[test]
fn hold_music_comes_from_a_file_or_is_spoken_and_not_where_it_kept_the_room_from_being() {
    let call = Room::Call(CallId::small(TenantId(7), 9));
    let script = |hold| Script::Join { room: call, role: Role::Customer, hold, recording: RecordingMode::Off };
    let file = verbs(&script(Audio::File("key".into())), leg(0));
    let room = &file[0].children[0];
    assert_eq!(room.attribute("waitUrl"), Some("https://calls.example.com/media/key"));
    assert_eq!(room.attribute("waitMethod"), Some("GET"));
    let spoken = verbs(&script(Audio::say("One moment & thank you")), leg(0));
    assert!(spoken[0].children[0].attribute("waitUrl").expect("url").contains("?say=One+moment+%26+thank+you#"));
    let urls = urls();
    let again = Setting { again: 1, ..Setting::new(&urls, leg(0)) };
    let text = render(&script(Audio::File("key".into())), &again);
    // Whoever is handed on comes back to music.
    assert!(text.contains("waitUrl=\"https://calls.example.com/media/key\"") && text.contains(".1\""), "{text}");
    let text = render(&script(Audio::File("key".into())), &Setting { silent: true, ..again });
    assert!(text.contains("waitUrl=\"\""), "{text}");
}

#[test]
fn recording_is_announced_or_asked_for_and_a_shift_is_never_one_recording() {
    let call = Room::Call(CallId::small(TenantId(7), 9));
    let agent = Room::Agent(AgentId::small(TenantId(7), 5));
    let script = |room, recording| Script::Join { room, role: Role::Customer, hold: Audio::Silence, recording };
    let announced = verbs(&script(call, RecordingMode::Announce), leg(0));
    assert_eq!(names(&announced), ["Say", "Dial"]);
    assert_eq!(announced[1].children[0].attribute("record"), Some("record-from-start"));
    let asked = verbs(&script(call, RecordingMode::Consent), leg(0));
    assert_eq!(names(&asked), ["Gather"]);
    let urls = urls();
    for (agreed, recorded) in [(true, true), (false, false)] {
        let at = Setting { consent: Some(agreed), ..Setting::new(&urls, leg(0)) };
        let text = render(&script(call, RecordingMode::Consent), &at);
        assert_eq!(text.contains("record-from-start"), recorded, "{text}");
    }
    let standing = verbs(&script(agent, RecordingMode::Announce), leg(0));
    let room = &standing[1].children[0];
    assert_eq!(room.attribute("record"), None);
    assert!(crate::urls::is_recorded(room.attribute("participantLabel").expect("label")));
}

#[test]
fn waiting_and_hanging_up() {
    assert_eq!(names(&verbs(&Script::Wait, leg(0))), ["Pause", "Redirect"]);
    assert_eq!(names(&verbs(&Script::Hangup, leg(0))), ["Hangup"]);
    let urls = urls();
    let later = parse(&try_later(&urls, leg(0), 3)).expect("good");
    assert!(later[1].text.contains("?t=4#"));
    for text in [wait("a & b", Some("de-DE"), None), opted_out(), hang_up()] {
        parse(&text).expect("good");
    }
}

proptest! {
    #[test]
    fn any_name_is_safe_and_is_spoken_as_it_stands(name in "\\PC{0,60}", rough in prop::collection::vec(any::<char>(), 0..80)) {
        for text in [name.clone(), rough.iter().collect::<String>()] {
            let script = Script::Whisper { text: Private::new(text.clone()), accept: Accept::AnyKey, wait_ms: 1_000 };
            let it = verbs(&script, leg(1));
            prop_assert_eq!(names(&it), ["Gather", "Hangup"]);
            let kept: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
            let expect = kept.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(it[0].children[0].text.split_whitespace().collect::<Vec<_>>().join(" "), expect);
        }
    }

    #[test]
    fn any_audio_key_and_voice_is_safe_in_attributes(key in prop::collection::vec(any::<char>(), 0..40)) {
        let key: String = key.into_iter().collect();
        let audio = Audio::Say { text: "x".into(), language: Some(key.as_str().into()), voice: Some(key.as_str().into()) };
        for audio in [audio, Audio::File(key.as_str().into())] {
            let room = Room::Call(CallId::small(TenantId(7), 9));
            verbs(&Script::Message { kind: MessageKind::Agentless, audio: audio.clone(), opt_out: Some('9') }, leg(0));
            verbs(&Script::Join { room, role: Role::Customer, hold: audio, recording: RecordingMode::Off }, leg(0));
        }
    }
}
