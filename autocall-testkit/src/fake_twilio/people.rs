//! Who answers, and how: the people, machines and phones that the fake can reach.
//!
//! A number's behaviour is, in this order: what a test has set for it, what its last digits say
//! (`+1 NPA 555 01xx`, the numbers kept free for fiction), or a human.

use serde::{Deserialize, Serialize};

/// What happens when the phone rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pickup {
    /// Somebody or something answers.
    Answers,
    /// The line is busy.
    Busy,
    /// Nobody answers.
    NoAnswer,
    /// The network has no such line (SIP 404).
    Fails,
}

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// A person, who says a greeting.
    Human,
    /// A machine, which plays a greeting and then beeps.
    Machine,
    /// A machine without a beep.
    SilentMachine,
    /// A fax tone.
    Fax,
    /// Nothing that can be told from silence.
    Silence,
}

/// One key press, in answer to one `<Gather>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The keys, for example `1`.
    pub digits: String,
    /// How long after the gather begins.
    pub after_ms: i64,
}

/// One phone and whoever holds it. Times are milliseconds on the fake's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// From the start of dialling to the first ring.
    pub setup_ms: i64,
    /// How long it rings before `pickup`.
    pub ring_ms: i64,
    /// What happens then.
    pub pickup: Pickup,
    /// What answers.
    pub voice: Voice,
    /// From the answer to the first sound.
    pub silence_ms: i64,
    /// The length of the greeting.
    pub greeting_ms: i64,
    /// From the end of the greeting to the beep, of a machine.
    pub beep_ms: i64,
    /// Hangs up so long after the answer, unless bridged by then.
    pub patience_ms: Option<i64>,
    /// Hangs up so long after being bridged with somebody.
    pub talk_ms: Option<i64>,
    /// Key presses, one for each `<Gather>` in turn; hangs up after `hang_up_at_gather` gathers.
    pub presses: Vec<Press>,
    /// Hangs up when the gather of this index (from 0) begins.
    pub hang_up_at_gather: Option<usize>,
    /// A verdict of the machine detection instead of the modelled one: value and milliseconds
    /// after the answer. The value `never` sends none.
    pub verdict: Option<(String, i64)>,
}

impl Default for Person {
    fn default() -> Self {
        Person {
            setup_ms: 300,
            ring_ms: 4_000,
            pickup: Pickup::Answers,
            voice: Voice::Human,
            silence_ms: 300,
            greeting_ms: 900,
            beep_ms: 700,
            patience_ms: Some(60_000),
            talk_ms: Some(90_000),
            presses: Vec::new(),
            hang_up_at_gather: None,
            verdict: None,
        }
    }
}

impl Person {
    /// A person who says a short hello.
    pub fn human() -> Person {
        Person::default()
    }
    /// An answering machine with a greeting and a beep; it records for two minutes.
    pub fn machine() -> Person {
        let patience_ms = Some(120_000);
        // Its tape is full after a while, whoever talks to it.
        let talk_ms = Some(120_000);
        Person { voice: Voice::Machine, greeting_ms: 8_000, patience_ms, talk_ms, ..Person::default() }
    }
    /// A busy line.
    pub fn busy() -> Person {
        Person { pickup: Pickup::Busy, ring_ms: 500, ..Person::default() }
    }
    /// A phone that rings out.
    pub fn no_answer() -> Person {
        Person { pickup: Pickup::NoAnswer, ..Person::default() }
    }
    /// A number that the network does not know.
    pub fn fails() -> Person {
        Person { pickup: Pickup::Fails, ring_ms: 100, ..Person::default() }
    }
    /// A fax.
    pub fn fax() -> Person {
        Person { voice: Voice::Fax, greeting_ms: 3_000, patience_ms: Some(30_000), ..Person::default() }
    }
    /// Somebody of whom the detection makes nothing.
    pub fn unclear() -> Person {
        Person { voice: Voice::Silence, greeting_ms: 0, ..Person::default() }
    }
    /// An agent's phone: answers and presses `1` at the whisper.
    pub fn agent() -> Person {
        Person {
            ring_ms: 2_000,
            patience_ms: None,
            talk_ms: None,
            presses: vec![Press { digits: "1".into(), after_ms: 800 }],
            ..Person::default()
        }
    }
    /// An agent who hangs up at the whisper.
    pub fn declines() -> Person {
        Person { presses: Vec::new(), hang_up_at_gather: Some(0), ..Person::agent() }
    }
    /// An agent's voicemail: answers and presses nothing.
    pub fn agents_voicemail() -> Person {
        Person { ring_ms: 5_000, ..Person::machine() }
    }

    /// The behaviour that a number's last four digits ask for; a human for any other number.
    pub fn of_number(to: &str) -> Person {
        let tail = to.len().checked_sub(7).and_then(|at| to.get(at..)).unwrap_or_default();
        match tail.get(..6) {
            Some("555011") => Person { greeting_ms: 1_700, silence_ms: 500, ..Person::human() },
            Some("555012") => Person::machine(),
            Some("555013") if to.ends_with('9') => Person::fails(),
            Some("555013") => Person::busy(),
            Some("555014") => Person::no_answer(),
            Some("555015") => Person::fax(),
            Some("555016") => Person::unclear(),
            Some("555017") => Person::agent(),
            Some("555018") => Person::declines(),
            Some("555019") => Person::agents_voicemail(),
            _ => Person::human(),
        }
    }
}

/// The settings of the machine detection of one call. Milliseconds, with the carrier's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detection {
    pub(crate) to_message_end: bool,
    pub(crate) is_async: bool,
    pub(crate) timeout_ms: i64,
    pub(crate) speech_ms: i64,
    pub(crate) speech_end_ms: i64,
    pub(crate) silence_ms: i64,
    pub(crate) callback: Option<(String, String)>,
}

/// What the detection says of this person, and how many milliseconds after the answer.
///
/// The model is that of the carrier's guide: a verdict needs the greeting's end plus the
/// speech-end threshold, or speech as long as the speech threshold, whichever comes first.
pub(crate) fn verdict(person: &Person, detection: &Detection) -> Option<(String, i64)> {
    if let Some((value, after_ms)) = &person.verdict {
        return (value != "never").then(|| (value.clone(), *after_ms));
    }
    let said = |what: &str, at: i64| (what.to_owned(), at);
    let greeting_end = person.silence_ms + person.greeting_ms;
    let long = person.greeting_ms >= detection.speech_ms;
    let machine_known = person.silence_ms + detection.speech_ms;
    let (what, at) = match person.voice {
        Voice::Fax => said("fax", person.silence_ms + 1_200),
        Voice::Silence => said("unknown", detection.silence_ms),
        _ if person.silence_ms >= detection.silence_ms => said("unknown", detection.silence_ms),
        _ if !long => said("human", greeting_end + detection.speech_end_ms),
        _ if !detection.to_message_end => said("machine_start", machine_known),
        Voice::Machine => said("machine_end_beep", greeting_end + person.beep_ms + 200),
        Voice::SilentMachine | Voice::Human => said("machine_end_silence", greeting_end + detection.speech_end_ms),
    };
    if at <= detection.timeout_ms {
        return Some((what, at));
    }
    // The timeout ends a wait for the beep as "other", and everything else as "unknown".
    let late = if detection.to_message_end && long { "machine_end_other" } else { "unknown" };
    Some(said(late, detection.timeout_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(to_message_end: bool) -> Detection {
        Detection {
            to_message_end,
            is_async: true,
            timeout_ms: 30_000,
            speech_ms: 2_400,
            speech_end_ms: 1_200,
            silence_ms: 5_000,
            callback: None,
        }
    }

    #[test]
    fn numbers_speak_for_themselves() {
        assert_eq!(Person::of_number("+14155550123").voice, Voice::Machine);
        assert_eq!(Person::of_number("+12125550131").pickup, Pickup::Busy);
        assert_eq!(Person::of_number("+12125550139").pickup, Pickup::Fails);
        assert_eq!(Person::of_number("+12125550170").presses.len(), 1);
        assert_eq!(Person::of_number("+14155552671"), Person::human());
        assert_eq!(Person::of_number("client:ä"), Person::human());
    }

    #[test]
    fn a_human_is_known_after_the_greeting_and_the_threshold() {
        assert_eq!(verdict(&Person::human(), &detection(false)), Some(("human".into(), 300 + 900 + 1_200)));
        let fast = Detection { speech_end_ms: 800, ..detection(true) };
        assert_eq!(verdict(&Person::human(), &fast), Some(("human".into(), 300 + 900 + 800)));
    }

    #[test]
    fn a_machine_is_known_early_or_at_its_beep() {
        let machine = Person::machine();
        assert_eq!(verdict(&machine, &detection(false)), Some(("machine_start".into(), 2_700)));
        assert_eq!(verdict(&machine, &detection(true)), Some(("machine_end_beep".into(), 9_200)));
        let silent = Person { voice: Voice::SilentMachine, ..machine.clone() };
        assert_eq!(verdict(&silent, &detection(true)), Some(("machine_end_silence".into(), 9_500)));
        let short = Detection { timeout_ms: 3_000, ..detection(true) };
        assert_eq!(verdict(&machine, &short), Some(("machine_end_other".into(), 3_000)));
        let chatty = Person { greeting_ms: 3_000, ..Person::human() };
        assert_eq!(verdict(&chatty, &detection(false)), Some(("machine_start".into(), 2_700)), "a human misjudged");
    }

    #[test]
    fn fax_silence_and_scripted_verdicts() {
        assert_eq!(verdict(&Person::fax(), &detection(true)).map(|v| v.0), Some("fax".into()));
        assert_eq!(verdict(&Person::unclear(), &detection(false)), Some(("unknown".into(), 5_000)));
        let never = Person { verdict: Some(("never".into(), 0)), ..Person::human() };
        assert_eq!(verdict(&never, &detection(true)), None);
    }
}
