//! Which number a lead sees: pools with weights, local presence, one number per lead, daily caps,
//! and rest for numbers that people stop answering.

use crate::zones::{Clues, State, locate};
use crate::{Millis, Phone, Timestamp};
use serde::{Deserialize, Serialize};

/// Dials after which the answer rate of a number is judged.
const JUDGED_AFTER: u32 = 100;
/// The judgement counts only if chance alone would give so large a drop less than once in 740
/// times: three standard errors of the difference of two shares.
const STANDARD_ERRORS: f64 = 3.0;
/// And only if at least this share of the answers is lost.
const DROP_MIN: f64 = 0.3;
/// Dials that the past of a number may weigh, so that it can still learn.
const PAST_MAX: u32 = 2_000;

/// A number that may be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerId {
    /// The number; the user has the right to show it.
    pub phone: Phone,
    /// How often it is chosen beside others, 1 to 1,000; 0 is never.
    #[serde(default = "one")]
    pub weight: u16,
    /// Calls that may show it in a day; 0 is no limit.
    #[serde(default)]
    pub daily_max: u32,
}

fn one() -> u16 {
    1
}

/// How a pool is used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// The numbers.
    pub numbers: Vec<CallerId>,
    /// Prefer a number with the lead's area code, else one of the lead's state.
    pub local_presence: bool,
    /// A lead that has seen a number sees it again, while that is possible.
    pub sticky: bool,
}

/// What is remembered of a number that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Dials of the past, thinned to `PAST_MAX`.
    pub past_dials: u32,
    /// Of them answered by a person or a machine.
    pub past_answers: u32,
    /// Dials since the last judgement.
    pub dials: u32,
    /// Of them answered.
    pub answers: u32,
    /// Not shown before then.
    pub rest_until: Option<Timestamp>,
    /// How often it had to rest.
    pub rests: u16,
}

impl Health {
    /// Remembers a dial that rang out, was answered or was blocked, and rests the number when it
    /// is answered much less than before. A first rest is one day, each further one twice as
    /// long, at most 32 days.
    #[must_use]
    pub fn dialled(mut self, answered: bool, now: Timestamp) -> Health {
        self.dials += 1;
        self.answers += u32::from(answered);
        if self.dials < JUDGED_AFTER {
            return self;
        }
        if self.has_dropped() {
            self.rest_until = Some(now + Millis::from_days(1 << self.rests.min(5)));
            self.rests = self.rests.saturating_add(1);
            // The past stays as it was: the number must come back to it.
        } else {
            self.past_dials += self.dials;
            self.past_answers += self.answers;
            if self.past_dials > PAST_MAX {
                let keep = f64::from(PAST_MAX) / f64::from(self.past_dials);
                self.past_answers = (f64::from(self.past_answers) * keep).round() as u32;
                self.past_dials = PAST_MAX;
            }
        }
        self.dials = 0;
        self.answers = 0;
        self
    }

    /// Whether people answer much less than before: a test of two shares with pooled variance.
    fn has_dropped(&self) -> bool {
        if self.past_dials < JUDGED_AFTER || self.dials == 0 {
            return false;
        }
        let (n1, n2) = (f64::from(self.past_dials), f64::from(self.dials));
        let (p1, p2) = (f64::from(self.past_answers) / n1, f64::from(self.answers) / n2);
        let pooled = f64::from(self.past_answers + self.answers) / (n1 + n2);
        let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
        p1 - p2 > STANDARD_ERRORS * error && p2 < p1 * (1.0 - DROP_MIN)
    }

    /// Whether it may be shown.
    pub fn is_rested(&self, now: Timestamp) -> bool {
        self.rest_until.is_none_or(|until| until <= now)
    }
    /// The share of dials that were answered, over all that is remembered; `None` before any.
    pub fn answer_rate(&self) -> Option<f64> {
        let dials = self.past_dials + self.dials;
        (dials > 0).then(|| f64::from(self.past_answers + self.answers) / f64::from(dials))
    }
}

/// What the choice looks at for each number of the pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Today {
    /// Calls that showed it today.
    pub calls: u32,
    /// How it is answered.
    pub health: Health,
}

/// Chooses the number to show for a lead; `None` if every number rests or has had its day.
///
/// `today` belongs to the pool's numbers in their order (missing ones count as unused), `seen` is
/// the number that the lead saw last, `draw` is random.
pub fn choose(
    pool: &Pool,
    lead: Phone,
    lead_state: Option<State>,
    seen: Option<Phone>,
    today: &[Today],
    draw: u64,
    now: Timestamp,
) -> Option<Phone> {
    let free = |i: usize, number: &CallerId| {
        let today = today.get(i).copied().unwrap_or_default();
        number.weight > 0
            && (number.daily_max == 0 || today.calls < number.daily_max)
            && today.health.is_rested(now)
            // Nobody is called by themselves.
            && number.phone != lead
    };
    let free: Vec<&CallerId> = pool.numbers.iter().enumerate().filter(|(i, n)| free(*i, n)).map(|(_, n)| n).collect();
    if let Some(seen) = seen.filter(|_| pool.sticky)
        && free.iter().any(|n| n.phone == seen)
    {
        return Some(seen);
    }
    if pool.local_presence {
        let same_code = |n: &&CallerId| lead.area_code().is_some() && n.phone.area_code() == lead.area_code();
        if let Some(found) = by_weight(free.iter().copied().filter(same_code), draw) {
            return Some(found);
        }
        let states = lead_state.map_or_else(|| locate(&Clues::number(lead)).states, crate::zones::StateSet::one);
        let same_state = |n: &&CallerId| locate(&Clues::number(n.phone)).states.iter().any(|s| states.contains(s));
        if let Some(found) = by_weight(free.iter().copied().filter(same_state), draw) {
            return Some(found);
        }
    }
    by_weight(free.into_iter(), draw)
}

fn by_weight<'a>(numbers: impl Iterator<Item = &'a CallerId> + Clone, draw: u64) -> Option<Phone> {
    let total: u64 = numbers.clone().map(|n| u64::from(n.weight)).sum();
    let mut place = draw.checked_rem(total)?;
    for number in numbers {
        match place.checked_sub(u64::from(number.weight)) {
            Some(rest) => place = rest,
            None => return Some(number.phone),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        Phone::from_e164(text).expect("a number")
    }
    fn pool(numbers: &[(&str, u16, u32)]) -> Pool {
        let numbers = numbers.iter().map(|(p, weight, daily_max)| CallerId {
            phone: phone(p),
            weight: *weight,
            daily_max: *daily_max,
        });
        Pool { numbers: numbers.collect(), local_presence: false, sticky: false }
    }
    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn weights_are_kept_and_daily_caps_are_hard() {
        let pool = pool(&[("+12125550100", 3, 0), ("+12125550101", 1, 5), ("+12125550102", 0, 0)]);
        let lead = phone("+13055550123");
        let count = |today: &[Today], which: &str| {
            let chosen = (0..400).filter_map(|draw| choose(&pool, lead, None, None, today, draw, NOW));
            chosen.filter(|p| *p == phone(which)).count()
        };
        assert_eq!((count(&[], "+12125550100"), count(&[], "+12125550101"), count(&[], "+12125550102")), (300, 100, 0));
        let full = [Today::default(), Today { calls: 5, ..Today::default() }];
        assert_eq!(count(&full, "+12125550101"), 0);
        let resting = Today {
            health: Health { rest_until: Some(NOW + Millis::from_ms(1)), ..Health::default() },
            ..Today::default()
        };
        assert_eq!(choose(&pool, lead, None, None, &[resting, full[1]], 7, NOW), None, "nothing left to show");
        assert_eq!(choose(&Pool::default(), lead, None, None, &[], 7, NOW), None);
    }

    #[test]
    fn a_lead_sees_the_number_it_knows_or_one_from_nearby() {
        let mut pool = pool(&[("+12125550100", 1, 0), ("+14155550100", 1, 0), ("+13055550100", 1, 0)]);
        pool.local_presence = true;
        pool.sticky = true;
        let choose = |lead: &str, state: Option<&str>, seen: Option<&str>, today: &[Today]| {
            let state = state.and_then(State::from_code);
            choose(&pool, phone(lead), state, seen.map(phone), today, 0, NOW).expect("one").e164()
        };
        assert_eq!(choose("+14155550123", None, None, &[]), "+14155550100", "same area code");
        assert_eq!(choose("+17865550123", None, None, &[]), "+13055550100", "same state");
        assert_eq!(choose("+17025550123", Some("CA"), None, &[]), "+14155550100", "the address's state");
        assert_eq!(choose("+14155550123", None, Some("+12125550100"), &[]), "+12125550100", "seen before");
        let full =
            Today { health: Health { rest_until: Some(Timestamp::NEVER), ..Health::default() }, ..Today::default() };
        assert_eq!(choose("+14155550123", None, Some("+12125550100"), &[full]), "+14155550100", "that one rests");
    }

    #[test]
    fn a_number_that_people_stop_answering_rests_and_one_with_bad_luck_does_not() {
        let run = |mut health: Health, answers_of_100: u32, hundreds: u32| {
            for i in 0..hundreds * 100 {
                health = health.dialled(i % 100 < answers_of_100, NOW);
            }
            health
        };
        let good = run(Health::default(), 30, 10);
        assert!(good.is_rested(NOW) && good.rests == 0);
        assert!((good.answer_rate().expect("dialled") - 0.3).abs() < 0.01);
        assert!(run(good, 22, 1).is_rested(NOW), "a weak day is no flag");
        let flagged = run(good, 8, 1);
        assert_eq!(flagged.rest_until, Some(NOW + Millis::from_days(1)));
        assert_eq!((flagged.past_dials, flagged.dials), (good.past_dials, 0), "it is measured by its own past");
        assert_eq!(run(flagged, 8, 1).rest_until, Some(NOW + Millis::from_days(2)));
        assert!(run(Health::default(), 2, 5).is_rested(NOW), "always low is not a drop");
        assert!(run(good, 30, 100).past_dials <= PAST_MAX);
    }
}
