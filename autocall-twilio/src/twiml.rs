//! Writing TwiML: a tree of elements, and text made safe for XML 1.0 whatever it holds.

/// The carrier's limit on a document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Longer texts are cut: the carrier speaks at most 4,096 characters.
pub const SPOKEN_CHARS_MAX: usize = 4_000;

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// An element without anything.
    pub fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), text: String::new(), children: Vec::new() }
    }
    /// With an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Element {
        self.attributes.push((name, value.into()));
        self
    }
    /// With text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Element {
        self.text = text.into();
        self
    }
    /// With one more element inside.
    #[must_use]
    pub fn child(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }
    /// With more elements inside.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children);
        self
    }
    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, true, out);
            out.push('"');
        }
        if self.text.is_empty() && self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        escape(&self.text, false, out);
        for child in &self.children {
            child.write(out);
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

/// A document of these verbs.
pub fn document(verbs: impl IntoIterator<Item = Element>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    Element::new("Response").children(verbs).write(&mut out);
    out
}

/// XML 1.0, production 2: other characters cannot stand in a document at all, not even escaped.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn escape(text: &str, in_attribute: bool, out: &mut String) {
    for c in text.chars().filter(|c| is_allowed(*c)) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            // An attribute's blanks would be read as plain ones otherwise.
            '\t' | '\n' | '\r' if in_attribute => out.push_str(&format!("&#{};", c as u32)),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

/// Text as it is spoken: no control characters, blanks run together, not too long.
pub fn spoken(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SPOKEN_CHARS_MAX).collect()
}
