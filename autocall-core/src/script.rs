//! What a leg should be hearing.
//!
//! A script is a projection of a call's state ([`crate::call::Call::script`]): whoever asks, and
//! however often, gets the same answer. Adapters render it (Twilio: as TwiML).

use crate::id::{AgentId, CallId};
use crate::private::Private;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What to play: an uploaded audio file or spoken text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audio {
    /// An audio asset of the tenant, by its asset key (which names one immutable version).
    File(Arc<str>),
    /// Text for a speech synthesiser.
    Say {
        /// The words.
        text: Arc<str>,
        /// A BCP 47 language tag; the carrier's default if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Arc<str>>,
        /// A voice name of the carrier; its default if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        voice: Option<Arc<str>>,
    },
    /// Nothing.
    Silence,
}

impl Audio {
    /// Spoken text in the carrier's default voice.
    pub fn say(text: &str) -> Audio {
        Audio::Say { text: text.into(), language: None, voice: None }
    }
}

/// Where people meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// The room of one call: the customer waits there, an agent joins (on-demand transfer).
    Call(CallId),
    /// The room in which an agent's leg stands for a shift; the customer joins it (standing
    /// transfer).
    Agent(AgentId),
}

/// Who somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person who was called. Waits until an agent is in; ends the room on leaving.
    Customer,
    /// The agent who takes the call. Starts the room; ends it on leaving.
    Agent,
    /// Somebody whom an agent brought in. Starts the room; leaving it ends it for nobody.
    Third,
    /// An agent's standing leg. Starts the room; outlives the customers who come and go.
    Standing,
}

/// How an agent says yes to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Any key on the phone, or a click in the console.
    AnyKey,
    /// This key only (`0`–`9`, `*`, `#`), or a click in the console.
    Key(char),
    /// Only a click in the console.
    Console,
    /// Answering the phone is accepting. An agent's voicemail would accept too: only for
    /// addresses that no machine answers.
    Without,
}

impl Accept {
    /// Whether pressing `key` accepts.
    pub fn takes(self, key: char) -> bool {
        match self {
            Accept::AnyKey => true,
            Accept::Key(wanted) => wanted == key,
            Accept::Console | Accept::Without => false,
        }
    }
}

/// Which message a customer hears instead of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Left on an answering machine.
    Voicemail,
    /// For a person whom nobody can attend to: seller, number, opt-out (16 CFR 310.4(b)(4)(iii)).
    Abandonment,
    /// The whole point of an agentless campaign.
    Agentless,
}

/// What happens to a call's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    /// Nothing is recorded.
    #[default]
    Off,
    /// Recorded, after an announcement.
    Announce,
    /// Recorded only after the person agreed by key.
    Consent,
}

/// What a leg should be hearing now. Exhaustive on purpose: an adapter renders every one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Stay on the line in silence: nothing is decided yet.
    Wait,
    /// Be in a room.
    Join {
        /// Which room.
        room: Room,
        /// As whom.
        role: Role,
        /// What a customer hears until somebody comes.
        hold: Audio,
        /// Whether the room's sound is recorded, and how that is said.
        recording: RecordingMode,
    },
    /// Speak to the agent alone and ask whether they take the call.
    Whisper {
        /// The words, with the lead's name filled in.
        text: Private,
        /// What counts as yes.
        accept: Accept,
        /// How long to wait for it after the words, milliseconds.
        wait_ms: u32,
    },
    /// Play a message, then hang up.
    Message {
        /// Which message.
        kind: MessageKind,
        /// What to play.
        audio: Audio,
        /// The key that puts the number on the tenant's do-not-call list.
        opt_out: Option<char>,
    },
    /// End the leg.
    Hangup,
}

impl Script {
    /// A stable name, for logs and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Script::Wait => "wait",
            Script::Join { role: Role::Customer, .. } => "join as customer",
            Script::Join { role: Role::Agent, .. } => "join as agent",
            Script::Join { role: Role::Third, .. } => "join as a third",
            Script::Join { role: Role::Standing, .. } => "stand by",
            Script::Whisper { .. } => "whisper",
            Script::Message { kind: MessageKind::Voicemail, .. } => "voicemail message",
            Script::Message { kind: MessageKind::Abandonment, .. } => "abandonment message",
            Script::Message { kind: MessageKind::Agentless, .. } => "message",
            Script::Hangup => "hang up",
        }
    }
}
