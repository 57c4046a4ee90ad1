//! What a leg should be hearing, as a projection of the call's state.

use super::record::Sentence;
use super::{Call, Stage, amd};
use crate::private::Private;
use crate::script::{Accept, Audio, MessageKind, RecordingMode, Role, Room, Script};
use crate::settings::Settings;
use crate::time::Timestamp;

/// What one leg should be hearing, in brief.
pub(super) fn sentence(call: &Call, leg: u8, settings: &Settings) -> Sentence {
    let Some(it) = call.legs.get(usize::from(leg)) else {
        return Sentence::Hangup;
    };
    if it.released_at.is_some() || it.facts.is_over() {
        return Sentence::Hangup;
    }
    if leg == 0 { customer(call) } else { agent(call, leg, settings) }
}

fn customer(call: &Call) -> Sentence {
    match call.stage {
        Stage::Dialing if call.plan.agentless => Sentence::Wait,
        Stage::Dialing | Stage::Seeking { .. } => Sentence::JoinCall,
        // An agent on a leg of their own comes to the customer; to one who stands the customer goes.
        Stage::Offering { leg, .. } | Stage::Bridged { leg, .. } => match leg {
            Some(_) => Sentence::JoinCall,
            None => Sentence::JoinAgent,
        },
        Stage::Message { kind, .. } => Sentence::Message(kind),
        Stage::Closing { .. } | Stage::Settled { .. } => Sentence::Hangup,
    }
}

fn agent(call: &Call, leg: u8, settings: &Settings) -> Sentence {
    match call.stage {
        Stage::Bridged { leg: Some(l), .. } if l == leg => Sentence::JoinCall,
        // Somebody whom the agent consults comes to where the agent is.
        Stage::Bridged { leg: with, .. } if call.legs[usize::from(leg)].to.is_some() => match with {
            Some(_) => Sentence::JoinCall,
            None => Sentence::JoinAgent,
        },
        Stage::Offering { leg: Some(l), .. } if l == leg => {
            let accepted =
                call.legs[usize::from(leg)].facts.accepted.is_some() || settings.transfer.accept == Accept::Without;
            if accepted { Sentence::JoinCall } else { Sentence::Whisper }
        }
        _ => Sentence::Hangup,
    }
}

/// What one leg should be hearing, in full.
pub(super) fn script(call: &Call, leg: u8, settings: &Settings) -> Script {
    match sentence(call, leg, settings) {
        Sentence::Wait => Script::Wait,
        Sentence::JoinCall => join(call, settings, Room::Call(call.id), role(call, leg)),
        Sentence::JoinAgent => match call.holds() {
            Some(agent) => join(call, settings, Room::Agent(agent), role(call, leg)),
            None => Script::Hangup,
        },
        Sentence::Whisper => Script::Whisper {
            text: whisper(call, settings),
            accept: settings.transfer.accept,
            wait_ms: settings.transfer.accept_ms_max,
        },
        Sentence::Message(kind) => message(settings, kind),
        Sentence::Hangup => Script::Hangup,
    }
}

fn role(call: &Call, leg: u8) -> Role {
    match call.legs.get(usize::from(leg)) {
        _ if leg == 0 => Role::Customer,
        Some(it) if it.to.is_some() => Role::Third,
        _ => Role::Agent,
    }
}

fn join(call: &Call, settings: &Settings, room: Room, role: Role) -> Script {
    let hold = if role == Role::Customer { settings.hold.clone() } else { Audio::Silence };
    let recording = if role == Role::Customer { call.plan.recording } else { RecordingMode::Off };
    Script::Join { room, role, hold, recording }
}

/// Fills the template. A lead without a name is "a caller".
fn whisper(call: &Call, settings: &Settings) -> Private {
    let name = if call.plan.name.is_empty() { "a caller" } else { call.plan.name.expose() };
    Private::new(settings.transfer.whisper.replace("{campaign}", &settings.subject).replace("{name}", name))
}

fn message(settings: &Settings, kind: MessageKind) -> Script {
    let audio = match kind {
        MessageKind::Voicemail => &settings.voicemail,
        MessageKind::Abandonment => &settings.abandonment,
        MessageKind::Agentless => &settings.message,
    };
    match audio {
        Some(audio) => Script::Message {
            kind,
            audio: audio.clone(),
            opt_out: (kind != MessageKind::Voicemail).then_some(settings.opt_out_key),
        },
        None => Script::Hangup,
    }
}

/// Whether the leg's facts show that it did what it was told.
pub(super) fn is_confirmed(call: &Call, leg: u8, what: Sentence) -> bool {
    let facts = &call.legs[usize::from(leg)].facts;
    match what {
        Sentence::Wait | Sentence::Whisper => true,
        // Whoever comes from an agent's room must be seen to have left it.
        Sentence::JoinCall => {
            let gone = |g: Timestamp| facts.left.is_some_and(|(left, _)| left >= g);
            facts.joined_at.is_some() && facts.guest.is_none_or(|(entered, _)| gone(entered))
        }
        Sentence::JoinAgent => call.holds().is_some_and(|agent| facts.met_standing(agent)),
        Sentence::Message(_) => facts.message_at.is_some() || facts.message_end_at.is_some(),
        Sentence::Hangup => facts.is_over(),
    }
}

/// The judgement on the customer's leg.
pub(super) fn judgement(call: &Call, settings: &Settings, now: crate::time::Timestamp) -> amd::Judgement {
    amd::judge(&call.customer().facts, &settings.amd, now)
}
