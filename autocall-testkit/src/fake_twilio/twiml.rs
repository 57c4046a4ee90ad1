//! Reading TwiML as the carrier does: a strict XML parser, a tree, and the rules about which
//! verb may hold which noun.

use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;

/// The carrier's limit on a document.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// One element of a TwiML document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The element's name, for example `Say`.
    pub name: String,
    /// Its attributes, decoded.
    pub attributes: BTreeMap<String, String>,
    /// Its text, decoded, without surrounding blanks.
    pub text: String,
    /// The elements inside it.
    pub children: Vec<Node>,
}

impl Node {
    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
    /// A `true`/`false` attribute, `absent` if missing.
    pub fn flag(&self, name: &str, absent: bool) -> bool {
        self.attribute(name).map_or(absent, |v| v == "true")
    }
    /// A whole number of seconds as milliseconds.
    pub fn seconds_as_ms(&self, name: &str, absent: i64) -> i64 {
        self.attribute(name).and_then(|v| v.parse::<i64>().ok()).unwrap_or(absent).saturating_mul(1000)
    }
}

/// What the carrier would report as error 12100 (parse) or 12200 (schema).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {what}")]
pub struct BadTwiml {
    /// The carrier's error code.
    pub code: u32,
    /// What is wrong.
    pub what: String,
}

fn bad(code: u32, what: impl Into<String>) -> BadTwiml {
    BadTwiml { code, what: what.into() }
}

/// Parses and checks a document; answers the verbs inside `<Response>`.
///
/// # Errors
/// The carrier's code for the fault.
pub fn parse(text: &str) -> Result<Vec<Node>, BadTwiml> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(bad(11750, "the document is over 64 KB"));
    }
    let root = tree(text)?;
    if root.name != "Response" {
        return Err(bad(12100, format!("the root is <{}>", root.name)));
    }
    check("Response", &root.children)?;
    Ok(root.children)
}

/// The document as a tree, without the rules about verbs.
///
/// # Errors
/// 12100 if the text is not well-formed XML.
pub fn tree(text: &str) -> Result<Node, BadTwiml> {
    let mut reader = quick_xml::Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Node> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|e| bad(12100, e.to_string()))?;
        match event {
            Event::Start(start) => {
                if root.is_some() || open.len() > 16 {
                    return Err(bad(12100, "a second root, or too deep"));
                }
                open.push(node(&start)?);
            }
            Event::Empty(start) => {
                let node = node(&start)?;
                close(node, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let mut node = open.pop().ok_or_else(|| bad(12100, "an end without a start"))?;
                node.text = node.text.trim().to_owned();
                close(node, &mut open, &mut root)?;
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|e| bad(12100, e.to_string()))?;
                add_text(&text, &mut open)?;
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|e| bad(12100, e.to_string()))?;
                add_text(&text, &mut open)?;
            }
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().map_err(|e| bad(12100, e.to_string()))? {
                    Some(c) => c,
                    None => named(&reference.decode().map_err(|e| bad(12100, e.to_string()))?)?,
                };
                if !is_xml_char(c) {
                    return Err(bad(12100, "a character that XML forbids"));
                }
                add_text(c.encode_utf8(&mut [0; 4]), &mut open)?;
            }
            Event::DocType(_) => return Err(bad(12100, "a document type")),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    if !open.is_empty() {
        return Err(bad(12100, "an element is not closed"));
    }
    root.ok_or_else(|| bad(12100, "no element"))
}

fn named(name: &str) -> Result<char, BadTwiml> {
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(bad(12100, format!("unknown entity {other}"))),
    }
}

/// XML 1.0, production 2 (Char).
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn node(start: &BytesStart<'_>) -> Result<Node, BadTwiml> {
    let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| bad(12100, e.to_string()))?;
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let raw = String::from_utf8_lossy(&attribute.value).into_owned();
        let value = quick_xml::escape::unescape(&raw).map_err(|e| bad(12100, e.to_string()))?.into_owned();
        if raw.contains('<') || !value.chars().all(is_xml_char) {
            return Err(bad(12100, format!("attribute {key} holds a forbidden character")));
        }
        attributes.insert(key, value);
    }
    Ok(Node { name, attributes, ..Node::default() })
}

fn add_text(text: &str, open: &mut [Node]) -> Result<(), BadTwiml> {
    if !text.chars().all(is_xml_char) {
        return Err(bad(12100, "a character that XML forbids"));
    }
    match open.last_mut() {
        Some(node) => node.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(bad(12100, "text outside the root")),
    }
    Ok(())
}

fn close(node: Node, open: &mut [Node], root: &mut Option<Node>) -> Result<(), BadTwiml> {
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None if root.is_none() => *root = Some(node),
        None => return Err(bad(12100, "a second root")),
    }
    Ok(())
}

const VERBS: [&str; 9] = ["Say", "Play", "Pause", "Gather", "Dial", "Redirect", "Hangup", "Record", "Reject"];

fn check(parent: &str, nodes: &[Node]) -> Result<(), BadTwiml> {
    for node in nodes {
        let name = node.name.as_str();
        let fits = match parent {
            "Response" => VERBS.contains(&name),
            "Gather" => ["Say", "Play", "Pause"].contains(&name),
            "Dial" => ["Number", "Sip", "Client", "Conference"].contains(&name),
            _ => false,
        };
        if !fits {
            return Err(bad(12200, format!("<{name}> may not stand in <{parent}>")));
        }
        if let Some(wrong) = node.attributes.keys().find(|a| !known(name, a)) {
            return Err(bad(12200, format!("attribute {wrong} is not legal on <{name}>")));
        }
        check(name, &node.children)?;
    }
    Ok(())
}

/// The attributes that the carrier's schema knows, of the verbs that the fake runs.
fn known(element: &str, attribute: &str) -> bool {
    let callbacks = ["statusCallback", "statusCallbackEvent", "statusCallbackMethod"];
    let recording =
        ["record", "recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent", "trim"];
    let detection = [
        "machineDetection",
        "machineDetectionTimeout",
        "machineDetectionSpeechThreshold",
        "machineDetectionSpeechEndThreshold",
        "machineDetectionSilenceTimeout",
        "amdStatusCallback",
        "amdStatusCallbackMethod",
    ];
    match element {
        "Say" => ["voice", "language", "loop"].contains(&attribute),
        "Play" => ["loop", "digits"].contains(&attribute),
        "Pause" => attribute == "length",
        "Redirect" => attribute == "method",
        "Reject" => attribute == "reason",
        "Hangup" => false,
        "Gather" => [
            "input",
            "numDigits",
            "timeout",
            "finishOnKey",
            "action",
            "method",
            "actionOnEmptyResult",
            "speechTimeout",
            "language",
            "hints",
        ]
        .contains(&attribute),
        "Record" => {
            ["action", "method", "timeout", "finishOnKey", "maxLength", "playBeep", "transcribe"].contains(&attribute)
                || recording.contains(&attribute)
        }
        "Dial" => {
            [
                "action",
                "method",
                "timeout",
                "timeLimit",
                "answerOnBridge",
                "hangupOnStar",
                "callerId",
                "sequential",
                "ringTone",
            ]
            .contains(&attribute)
                || recording.contains(&attribute)
        }
        "Conference" => {
            [
                "muted",
                "beep",
                "startConferenceOnEnter",
                "endConferenceOnExit",
                "participantLabel",
                "jitterBufferSize",
                "waitUrl",
                "waitMethod",
                "maxParticipants",
                "region",
                "coach",
                "eventCallbackUrl",
            ]
            .contains(&attribute)
                || callbacks.contains(&attribute)
                || recording.contains(&attribute)
        }
        "Number" | "Sip" | "Client" => {
            ["url", "method", "sendDigits", "byoc", "username", "password"].contains(&attribute)
                || callbacks.contains(&attribute)
                || detection.contains(&attribute)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say voice=\"a&amp;b\">Tom &amp; &#233;</Say>\
            <Dial action=\"/x?a=1&amp;b=2\"><Conference beep=\"false\">room</Conference></Dial></Response>";
        let verbs = parse(text).expect("good");
        assert_eq!(verbs[0].text, "Tom & é");
        assert_eq!(verbs[0].attribute("voice"), Some("a&b"));
        assert_eq!(verbs[1].attribute("action"), Some("/x?a=1&b=2"));
        assert_eq!(verbs[1].children[0].text, "room");
    }

    #[test]
    fn what_the_carrier_refuses_is_refused() {
        for (text, code) in [
            ("", 12100),
            ("<Response><Say>a</Response>", 12100),
            ("<Response><Say>a & b</Say></Response>", 12100),
            ("<Response><Say>&#7;</Say></Response>", 12100),
            ("<Other/>", 12100),
            ("<Response><Yell/></Response>", 12200),
            ("<Response><Say><Dial/></Say></Response>", 12200),
            ("<Response><Dial><Number asyncAmd=\"true\">1</Number></Dial></Response>", 12200),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><Response/>", 12100),
        ] {
            assert_eq!(parse(text).map_err(|e| e.code), Err(code), "{text}");
        }
        let long = format!("<Response><Say>{}</Say></Response>", "a".repeat(DOCUMENT_BYTES_MAX));
        assert_eq!(parse(&long).map_err(|e| e.code), Err(11750));
    }
}
