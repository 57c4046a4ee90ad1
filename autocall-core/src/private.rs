//! Text that must not reach a log.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Personal text (a name, a note, a free field): `Debug` prints `•••`, there is no `Display`,
/// and the value comes out only through [`Private::expose`].
///
/// Serialisation writes the value: where that goes is the caller's duty (a store seals it).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    /// Wraps personal text.
    pub fn new(text: impl Into<String>) -> Self {
        Private(text.into())
    }
    /// The text itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "•••" })
    }
}
impl From<&str> for Private {
    fn from(s: &str) -> Self {
        Private::new(s)
    }
}
impl From<String> for Private {
    fn from(s: String) -> Self {
        Private(s)
    }
}
