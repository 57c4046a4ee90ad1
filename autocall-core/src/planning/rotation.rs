//! Which of a lead's numbers is dialled next.

use crate::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers that a lead may have; more are never looked at.
pub const NUMBERS_MAX: usize = 16;

/// Where to go after an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The same number again.
    #[default]
    Same,
    /// The next one in the lead's order, round and round.
    Next,
    /// The lead's first number.
    First,
    /// Never this number again; the next one.
    Drop,
    /// The number that people have answered most often; of equals the one dialled least.
    Best,
}

/// How numbers take turns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// By the outcome's name; what is not named uses `otherwise`.
    pub after: BTreeMap<String, Step>,
    /// For outcomes that are not named.
    pub otherwise: Step,
    /// Attempts that one number gets in the life of a lead; 0 is no limit.
    pub attempts_per_number_max: u16,
}

impl Default for Rotation {
    fn default() -> Self {
        let step = |names: &[&str], step| names.iter().map(move |name| ((*name).to_owned(), step)).collect::<Vec<_>>();
        let after = [
            step(&["no_answer", "machine", "voicemail_left", "unreachable"], Step::Next),
            step(&["invalid_number", "fax", "blocked"], Step::Drop),
        ];
        Rotation { after: after.into_iter().flatten().collect(), otherwise: Step::Same, attempts_per_number_max: 0 }
    }
}

/// What is remembered of one number of a lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberUse {
    /// Dialled so often.
    pub attempts: u16,
    /// A person answered so often.
    pub answers: u16,
    /// Never again.
    pub dropped: bool,
}

impl NumberUse {
    /// Remembers an attempt.
    pub fn settled(&mut self, outcome: Outcome, rotation: &Rotation) {
        self.attempts = self.attempts.saturating_add(1);
        self.answers = self.answers.saturating_add(u16::from(outcome.is_live_answer()));
        self.dropped |= rotation.step(outcome) == Step::Drop;
    }
}

impl Rotation {
    /// The step after an outcome.
    pub fn step(&self, outcome: Outcome) -> Step {
        self.after.get(outcome.name()).copied().unwrap_or(self.otherwise)
    }

    /// Whether a number has attempts left.
    pub fn usable(&self, number: &NumberUse) -> bool {
        !number.dropped && (self.attempts_per_number_max == 0 || number.attempts < self.attempts_per_number_max)
    }

    /// The number to dial after `last` ended so; the first usable one if nothing was dialled yet.
    /// `None` if no number is left.
    pub fn next(&self, numbers: &[NumberUse], last: Option<(usize, Outcome)>) -> Option<usize> {
        let numbers = &numbers[..numbers.len().min(NUMBERS_MAX)];
        let count = numbers.len();
        let usable = |i: &usize| numbers.get(*i).is_some_and(|n| self.usable(n));
        let from = |start: usize| (0..count).map(move |step| (start + step) % count.max(1)).find(usable);
        let Some((last, outcome)) = last else { return from(0) };
        match self.step(outcome) {
            Step::Same => from(last),
            Step::Next => from(last + 1),
            Step::First => from(0),
            Step::Drop => (0..count).map(|step| (last + 1 + step) % count.max(1)).find(|i| *i != last && usable(i)),
            Step::Best => (0..count)
                .filter(usable)
                .min_by_key(|i| (std::cmp::Reverse(numbers[*i].answers), numbers[*i].attempts, *i)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(attempts: u16, answers: u16) -> NumberUse {
        NumberUse { attempts, answers, dropped: false }
    }

    #[test]
    fn numbers_take_turns_by_outcome() {
        let rotation = Rotation::default();
        let three = [NumberUse::default(); 3];
        assert_eq!(rotation.next(&three, None), Some(0));
        assert_eq!(rotation.next(&three, Some((0, Outcome::NoAnswer))), Some(1));
        assert_eq!(rotation.next(&three, Some((2, Outcome::Machine))), Some(0), "round and round");
        assert_eq!(rotation.next(&three, Some((1, Outcome::Busy))), Some(1));
        assert_eq!(rotation.next(&three, Some((1, Outcome::InvalidNumber))), Some(2));
        assert_eq!(rotation.next(&[], None), None);
    }

    #[test]
    fn a_dropped_or_used_up_number_never_comes_back() {
        let mut rotation = Rotation { attempts_per_number_max: 2, ..Rotation::default() };
        let mut numbers = [NumberUse::default(); 2];
        numbers[0].settled(Outcome::InvalidNumber, &rotation);
        assert!(numbers[0].dropped);
        assert_eq!(rotation.next(&numbers, Some((0, Outcome::InvalidNumber))), Some(1));
        numbers[1].settled(Outcome::NoAnswer, &rotation);
        numbers[1].settled(Outcome::NoAnswer, &rotation);
        assert_eq!(rotation.next(&numbers, Some((1, Outcome::NoAnswer))), None);
        rotation.attempts_per_number_max = 0;
        assert_eq!(rotation.next(&numbers, Some((1, Outcome::NoAnswer))), Some(1));
        let alone = [NumberUse::default()];
        assert_eq!(rotation.next(&alone, Some((0, Outcome::Fax))), None, "dropped even before it is marked");
    }

    #[test]
    fn the_best_number_is_the_one_that_people_answer() {
        let rotation = Rotation { otherwise: Step::Best, after: BTreeMap::new(), attempts_per_number_max: 0 };
        assert_eq!(rotation.next(&[used(5, 0), used(3, 1), used(1, 1)], Some((0, Outcome::NoAnswer))), Some(2));
    }
}
