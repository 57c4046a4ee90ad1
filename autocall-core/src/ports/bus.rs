//! The bus port: words between the nodes of a fleet. At most once; a word may be lost. For waking and
//! for showing, never for anything that must be exact: that is read from committed rows.

use async_trait::async_trait;

/// The longest word, bytes: what every bus can carry (Postgres takes less than 8,000).
pub const WORD_BYTES_MAX: usize = 7_900;

/// A bus that cannot be reached, or a word that it cannot carry. Texts never hold the word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bus between nodes: {0}")]
pub struct BusError(pub String);

/// Says words to every node that listens, this one included.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Says a word of at most [`WORD_BYTES_MAX`] bytes. Whoever has much to say joins words first:
    /// each one costs a journey.
    async fn say(&self, word: &str) -> Result<(), BusError>;

    /// Begins to listen.
    async fn listen(&self) -> Result<Box<dyn Ear>, BusError>;
}

/// An open ear.
#[async_trait]
pub trait Ear: Send {
    /// The next word, in the order in which each node said its own. `None` where words may have been
    /// missed; the next call goes on. Safe to drop while it waits.
    async fn next(&mut self) -> Result<Option<String>, BusError>;
}

/// Refuses words that some bus could not carry.
///
/// # Errors
/// The word is too long.
pub fn carriable(word: &str) -> Result<(), BusError> {
    if word.len() > WORD_BYTES_MAX {
        Err(BusError(format!("a word of {} bytes is too long", word.len())))
    } else {
        Ok(())
    }
}
