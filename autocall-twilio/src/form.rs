//! `application/x-www-form-urlencoded` bodies, as bytes: a carrier may send anything, and a
//! signature covers the decoded bytes, not what a string library makes of them.

use std::borrow::Cow;

/// More fields than any webhook of the carrier has (about 40); a body with more is refused.
pub const FIELDS_MAX: usize = 256;

/// The decoded fields of one form, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Form {
    /// Names only: the values hold telephone numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

impl Form {
    /// Decodes a body. `None` if it has more than [`FIELDS_MAX`] fields. Broken percent escapes
    /// are kept as they stand, as browsers do.
    pub fn parse(body: &[u8]) -> Option<Form> {
        let mut fields = Vec::new();
        for pair in body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return None;
            }
            let (name, value) = match pair.iter().position(|&b| b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            fields.push((decode(name), decode(value)));
        }
        Some(Form { fields })
    }

    /// A form of these fields; for tests and for signing.
    pub fn of<N: AsRef<str>, V: AsRef<str>>(fields: impl IntoIterator<Item = (N, V)>) -> Form {
        let bytes = |(n, v): (N, V)| (n.as_ref().as_bytes().to_vec(), v.as_ref().as_bytes().to_vec());
        Form { fields: fields.into_iter().map(bytes).collect() }
    }

    /// The first value of a field, with bytes that are not UTF-8 replaced. `None` if absent.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| String::from_utf8_lossy(v))
    }

    /// The fields in the order in which they came.
    pub fn fields(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.fields
    }

    /// The body that decodes to this form.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.fields {
            if !out.is_empty() {
                out.push('&');
            }
            encode_into(name, &mut out);
            out.push('=');
            encode_into(value, &mut out);
        }
        out
    }
}

fn encode_into(bytes: &[u8], out: &mut String) {
    for &b in bytes {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(b as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
        match bytes[i] {
            b'+' => out.push(b' '),
            b'%' => match (hex(i + 1), hex(i + 2)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    i += 2;
                }
                _ => out.push(b'%'),
            },
            other => out.push(other),
        }
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_what_browsers_send_and_keeps_broken_escapes() {
        let form = Form::parse(b"a=1+2&b=%C3%A9&c&d=%zz%4&&e=x=y").expect("few fields");
        assert_eq!(form.get("a").as_deref(), Some("1 2"));
        assert_eq!(form.get("b").as_deref(), Some("é"));
        assert_eq!(form.get("c").as_deref(), Some(""));
        assert_eq!(form.get("d").as_deref(), Some("%zz%4"));
        assert_eq!(form.get("e").as_deref(), Some("x=y"));
        assert_eq!(form.get("f"), None);
        assert!(!format!("{form:?}").contains("x=y"), "values stay out of logs");
    }

    #[test]
    fn a_form_with_too_many_fields_is_refused() {
        let body = "a=1&".repeat(FIELDS_MAX);
        assert!(Form::parse(body.as_bytes()).is_some());
        assert!(Form::parse((body + "a=1").as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(fields in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..9), prop::collection::vec(any::<u8>(), 0..20)), 0..9)) {
            let form = Form { fields };
            prop_assert_eq!(Form::parse(form.encode().as_bytes()), Some(form));
        }
    }
}
