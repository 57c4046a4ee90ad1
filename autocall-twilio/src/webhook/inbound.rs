//! People who call our numbers: agents who dial in to stand, people who ring back, anybody else.
//!
//! Who is who is the desk's business ([`crate::reception`]); how it is said is this module's.

use super::serve::Unavailable;
use crate::form::Form;
use crate::render::{Setting, render as render_script, say};
use crate::telephony::address;
use crate::twiml::{Element, document};
use crate::urls::{Route, Subject, Urls, room_name};
use async_trait::async_trait;
use autocall_core::agent::Address;
use autocall_core::ports::Line;
use autocall_core::script::{Audio, Room, Script};
use autocall_core::{AgentId, Phone, Private, TenantId};
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
    /// The key that the message they heard offered, to stop further calls.
    pub offered: Option<char>,
    /// How often they have been asked, from 0.
    pub asked: u8,
}

/// What a caller hears.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Welcome {
    /// An agent's phone: ask for the PIN.
    AskPin,
    /// An agent with the right PIN: their standing leg, and what it hears.
    Stand(Line, Script),
    /// A person whom an agent can take, who is rung.
    Connect {
        /// Said first.
        greeting: Audio,
        /// Where the agent is reached.
        to: Address,
        /// How long it rings, in seconds.
        ring_s: u16,
        /// The number shown to them.
        show: Option<Phone>,
        /// Who that is.
        agent: AgentId,
    },
    /// A person whom a standing agent can take: into that agent's room.
    Join {
        /// Said first.
        greeting: Audio,
        /// Which room.
        room: Room,
        /// Whose.
        agent: AgentId,
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
    /// They asked not to be called again, but show no number.
    Withheld,
    /// Nothing.
    Goodbye,
}

/// Knows who calls. Limits attempts at a PIN.
#[async_trait]
pub trait Desk: Send + Sync {
    /// What this caller hears. A caller with keys has answered a question.
    ///
    /// # Errors
    /// The store cannot say; the caller is asked to wait a moment.
    async fn receive(&self, caller: Caller) -> Result<Welcome, Unavailable>;

    /// The caller whom this agent took, with the carrier's id of their call, has left, or was never
    /// connected. Reported more than once.
    ///
    /// # Errors
    /// Nothing was taken in; the carrier is told to report again.
    async fn done(&self, agent: AgentId, call: &str) -> Result<(), Unavailable> {
        let _ = (agent, call);
        Ok(())
    }
}

/// Nobody is at the desk: every caller is rung off.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDesk;

#[async_trait]
impl Desk for NoDesk {
    async fn receive(&self, _caller: Caller) -> Result<Welcome, Unavailable> {
        Ok(Welcome::Goodbye)
    }
}

/// The label of a caller in the room of a standing agent. One at a time: the agent is away.
pub(crate) const GUEST: &str = "caller";

/// The most questions that one caller is asked.
pub(crate) const ASKED_MAX: u8 = 3;

/// What a caller hears, as TwiML.
pub(crate) fn render(welcome: &Welcome, caller: &Caller, urls: &Urls) -> String {
    let subject = Subject::Tenant(caller.tenant);
    let hangup = || Element::new("Hangup");
    let ended = |agent: &AgentId| urls.of(Route::InboundEnd, subject, &format!("a={agent}&c={}", caller.call));
    document(match welcome {
        Welcome::AskPin if caller.asked < ASKED_MAX => {
            let action = urls.of(Route::InboundKeys, subject, &format!("n={}", caller.asked.saturating_add(1)));
            let words = say("Please enter your PIN, then the hash key.", None, None);
            vec![gather("8", action, Some(words)), hangup()]
        }
        Welcome::AskPin | Welcome::Goodbye => vec![hangup()],
        Welcome::Stand(line, script) => return render_script(script, &Setting::new(urls, *line)),
        Welcome::Connect { greeting, to, ring_s, show, agent } => {
            let mut dial =
                Element::new("Dial").attribute("timeout", ring_s.to_string()).attribute("action", ended(agent));
            if let Some(show) = show {
                dial = dial.attribute("callerId", show.e164());
            }
            // A caller who hangs up first may end the dial without its action; the agent's own leg
            // reports its end in any case.
            let noun = noun(to).attribute("statusCallback", ended(agent)).attribute("statusCallbackEvent", "completed");
            sound(greeting, urls).into_iter().chain([dial.child(noun), hangup()]).collect()
        }
        Welcome::Join { greeting, room, agent } => {
            let conference = Element::new("Conference")
                .attribute("startConferenceOnEnter", "true")
                .attribute("endConferenceOnExit", "false")
                .attribute("beep", "false")
                .attribute("participantLabel", GUEST)
                .attribute("jitterBufferSize", "small")
                .attribute("waitUrl", "")
                .attribute("statusCallback", urls.of(Route::ConferenceStatus, Subject::Room(*room), ""))
                .attribute("statusCallbackEvent", "start end join leave")
                .text(room_name(*room));
            let dial = Element::new("Dial").attribute("action", ended(agent)).child(conference);
            sound(greeting, urls).into_iter().chain([dial, hangup()]).collect()
        }
        Welcome::Message { audio, opt_out } => {
            let query = Form::of([("n", caller.asked.saturating_add(1).to_string()), ("k", opt_out.to_string())]);
            let action = urls.of(Route::InboundKeys, subject, &query.encode());
            vec![gather("1", action, sound(audio, urls)), hangup()]
        }
        Welcome::Withheld => {
            let words = "Your number is withheld, so we cannot tell whom not to call. \
                         Please call again and show your number. Goodbye.";
            vec![say(words, None, None), hangup()]
        }
        Welcome::OptedOut => vec![say("You will not be called again. Goodbye.", None, None), hangup()],
    })
}

/// What a caller hears while our store is down: a moment of quiet, and the same question again.
pub(crate) fn try_later(urls: &Urls, tenant: TenantId, tries: u8) -> String {
    let again = urls.of(Route::Inbound, Subject::Tenant(tenant), &format!("t={}", tries.saturating_add(1)));
    document([Element::new("Pause").attribute("length", "2"), Element::new("Redirect").text(again)])
}

fn gather(digits: &str, action: String, inner: Option<Element>) -> Element {
    // One key needs no hash after it, and the hash may be the key.
    let finish = if digits == "1" { "" } else { "#" };
    Element::new("Gather")
        .attribute("numDigits", digits)
        .attribute("finishOnKey", finish)
        .attribute("timeout", "8")
        .attribute("action", action)
        .children(inner)
}

fn sound(audio: &Audio, urls: &Urls) -> Option<Element> {
    match audio {
        Audio::File(key) => Some(Element::new("Play").text(urls.sound(key))),
        Audio::Say { text, language, voice } => Some(say(text, language.as_deref(), voice.as_deref())),
        Audio::Silence => None,
    }
}

fn noun(to: &Address) -> Element {
    let text = address(to);
    match to {
        Address::Sip(_) => Element::new("Sip").text(text),
        Address::Client(_) => Element::new("Client").text(text.trim_start_matches("client:")),
        Address::Phone(_) => Element::new("Number").text(text),
    }
}
