//! Reads typed values and collects everything that is wrong with them.

use super::names::is_secret;
use super::sources::{Source, Values};
use std::fmt;

/// Something that keeps the server from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which setting.
    pub name: String,
    /// From where.
    pub source: Source,
    /// Its value as given; `None` for secrets and for what is missing.
    pub value: Option<String>,
    /// What would have been right.
    pub expected: String,
}

impl Wrong {
    pub(super) fn new(name: &str, source: Source, expected: impl Into<String>) -> Wrong {
        Wrong { name: name.to_owned(), source, value: None, expected: expected.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.source)?;
        if let Some(value) = &self.value {
            write!(f, " is {value:?}")?;
        }
        write!(f, ": expected {}", self.expected)
    }
}

pub(super) struct Reader<'a> {
    values: &'a Values,
    wrong: Vec<Wrong>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(values: &'a Values, wrong: Vec<Wrong>) -> Reader<'a> {
        Reader { values, wrong }
    }

    /// The value, or nothing where it was not given or is wrong.
    pub(super) fn maybe<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.values.0.get(name)?;
        let text = value.text.trim();
        if text.is_empty() {
            return None;
        }
        let parsed = parse(text);
        if parsed.is_none() {
            self.wrong(name, expected);
        }
        parsed
    }

    /// The value, or the default where it was not given.
    pub(super) fn or<T>(&mut self, name: &str, default: T, expected: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        self.maybe(name, expected, parse).unwrap_or(default)
    }

    /// Says that a value is wrong.
    pub(super) fn wrong(&mut self, name: &str, expected: &str) {
        let given = self.values.0.get(name);
        let source = given.map_or(Source::Nowhere, |v| v.source.clone());
        let value = given.filter(|_| !is_secret(name)).map(|v| v.text.clone());
        self.wrong.push(Wrong { name: name.to_owned(), source, value, expected: expected.to_owned() });
    }

    /// Says that a value is missing.
    pub(super) fn missing<T>(&mut self, name: &str, expected: &str) -> Option<T> {
        self.wrong(name, expected);
        None
    }

    pub(super) fn done<T>(self, config: T) -> Result<T, Vec<Wrong>> {
        if self.wrong.is_empty() { Ok(config) } else { Err(self.wrong) }
    }
}
