//! People who call our numbers: agents who dial in to stand, people who ring back, anybody else.
//!
//! Who is who is the desk's business (a store knows); what they hear is ours.

use crate::render::say;
use crate::twiml::{Element, document};
use crate::urls::{Route, Subject, Urls, room_name};
use async_trait::async_trait;
use autocall_core::ports::Line;
use autocall_core::script::{Audio, Room};
use autocall_core::{Phone, Private, TenantId};
use std::sync::Arc;

/// Somebody who calls one of a tenant's numbers.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose number was called.
    pub tenant: TenantId,
    /// The carrier's id of the call.
    pub call: Arc<str>,
    /// Who calls; `None` if the number is withheld.
    pub from: Option<Phone>,
    /// Which number they called.
    pub to: Option<Phone>,
    /// The keys that they pressed, after a question.
    pub keys: Option<Private>,
    /// How often they have been asked, from 0.
    pub asked: u8,
}

/// What a caller hears.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Welcome {
    /// An agent's phone: ask for the PIN.
    AskPin,
    /// An agent with the right PIN: into the room in which they stand.
    Stand(Line, Room),
    /// A person whom an agent can take: into that agent's room, or the agent is dialled.
    Connect {
        /// Said first.
        greeting: Audio,
        /// The numbers and addresses to ring, at most three, in this order.
        ring: Vec<Private>,
        /// How long, in seconds.
        ring_s: u16,
        /// The number shown to them.
        show: Phone,
    },
    /// A message that says who called and why, with a key that stops further calls.
    Message {
        /// What is played.
        audio: Audio,
        /// The key.
        opt_out: char,
    },
    /// They asked not to be called again, and are not.
    OptedOut,
    /// Nothing.
    Goodbye,
}

/// Knows who calls. Limits attempts at a PIN.
#[async_trait]
pub trait Desk: Send + Sync {
    /// What this caller hears. A caller with keys has answered a question.
    async fn receive(&self, caller: Caller) -> Welcome;
}

/// Nobody is at the desk: every caller is rung off.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDesk;

#[async_trait]
impl Desk for NoDesk {
    async fn receive(&self, _caller: Caller) -> Welcome {
        Welcome::Goodbye
    }
}

/// The most questions that one caller is asked.
pub(crate) const ASKED_MAX: u8 = 3;

/// What a caller hears, as TwiML.
pub(crate) fn render(welcome: &Welcome, caller: &Caller, urls: &Urls) -> String {
    let keys = |asked: u8| urls.of(Route::InboundKeys, Subject::Tenant(caller.tenant), &format!("n={asked}"));
    let hangup = Element::new("Hangup");
    let gather = |digits: &str, inner: Vec<Element>| {
        Element::new("Gather")
            .attribute("numDigits", digits)
            .attribute("timeout", "8")
            .attribute("action", keys(caller.asked.saturating_add(1)))
            .children(inner)
    };
    let sound = |audio: &Audio| match audio {
        Audio::File(key) => Some(Element::new("Play").text(urls.sound(key))),
        Audio::Say { text, language, voice } => Some(say(text, language.as_deref(), voice.as_deref())),
        Audio::Silence => None,
    };
    document(match welcome {
        Welcome::AskPin if caller.asked < ASKED_MAX => {
            vec![gather("8", vec![say("Please enter your PIN, then the hash key.", None, None)]), hangup]
        }
        Welcome::AskPin | Welcome::Goodbye => vec![hangup],
        Welcome::Stand(line, room) => vec![stand(urls, *line, *room), hangup],
        Welcome::Connect { greeting, ring, ring_s, show } => {
            let mut dial = Element::new("Dial")
                .attribute("callerId", show.e164())
                .attribute("timeout", ring_s.to_string())
                .attribute("sequential", "true");
            for address in ring.iter().take(3) {
                dial = dial.child(noun(address.expose()));
            }
            sound(greeting).into_iter().chain([dial, hangup]).collect()
        }
        Welcome::Message { audio, opt_out } => {
            let _ = opt_out;
            vec![gather("1", sound(audio).into_iter().collect()), hangup]
        }
        Welcome::OptedOut => vec![say("You will not be called again. Goodbye.", None, None), hangup],
    })
}

fn noun(address: &str) -> Element {
    if address.starts_with("sip:") {
        return Element::new("Sip").text(address);
    }
    match address.strip_prefix("client:") {
        Some(identity) => Element::new("Client").text(identity),
        None => Element::new("Number").text(address),
    }
}

fn stand(urls: &Urls, line: Line, room: Room) -> Element {
    let conference = Element::new("Conference")
        .attribute("startConferenceOnEnter", "true")
        .attribute("endConferenceOnExit", "false")
        .attribute("beep", "false")
        .attribute("participantLabel", line.to_string())
        .attribute("jitterBufferSize", "small")
        .attribute("waitUrl", "")
        .attribute("statusCallback", urls.of(Route::ConferenceStatus, Subject::Room(room), ""))
        .attribute("statusCallbackEvent", "start end join leave")
        .text(room_name(room));
    Element::new("Dial").attribute("action", urls.of(Route::After, Subject::Line(line), "n=0")).child(conference)
}
