//! How urgent a lead is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which leads are dialled first. Orders by urgency: `Low < Urgent`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Priority {
    /// After all others.
    Low,
    /// What a list that says nothing means.
    #[default]
    Normal,
    /// Before normal ones.
    High,
    /// Before all others.
    Urgent,
}

impl Priority {
    /// All of them, least urgent first.
    pub const ALL: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent];

    /// The word that the API and the CSV columns use.
    pub const fn word(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Urgent => "urgent",
        }
    }

    /// From what lists say, in any case. Empty means normal. `None` for a word that we do not
    /// know: a guess could put a lead before those that matter.
    pub fn parse(text: &str) -> Option<Priority> {
        let text = text.trim();
        let is = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
        if text.is_empty() || is(&["normal", "medium", "med", "default", "standard", "average"]) {
            Some(Priority::Normal)
        } else if is(&["low", "lowest", "minor"]) {
            Some(Priority::Low)
        } else if is(&["high", "hi", "important"]) {
            Some(Priority::High)
        } else if is(&["urgent", "critical", "highest", "asap", "immediate"]) {
            Some(Priority::Urgent)
        } else {
            None
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_order_by_urgency() {
        for priority in Priority::ALL {
            assert_eq!(Priority::parse(priority.word()), Some(priority));
            assert_eq!(Priority::parse(&priority.word().to_uppercase()), Some(priority));
            let json = serde_json::to_string(&priority).expect("plain enum");
            assert_eq!(json, format!("\"{priority}\""));
        }
        assert!(Priority::ALL.is_sorted());
    }

    #[test]
    fn synonyms_are_known_and_other_words_are_not() {
        assert_eq!(Priority::parse(" Medium "), Some(Priority::Normal));
        assert_eq!(Priority::parse(""), Some(Priority::Normal));
        assert_eq!(Priority::parse("ASAP"), Some(Priority::Urgent));
        for text in ["1", "yes", "hgih", "normal-ish"] {
            assert_eq!(Priority::parse(text), None, "{text}");
        }
    }
}
