//! Which number a lead sees: pools with weights, local presence, one number per lead, daily caps,
//! and rest for numbers that people stop answering.

use crate::settings::Settings;
use crate::zones::{Clues, State, StateSet, locate};
use crate::{Millis, Phone, Timestamp};
use serde::{Deserialize, Serialize};

/// Dials after which the answer rate of a number is judged.
const JUDGED_AFTER: u32 = 100;
/// And for how long they must have been made: a call that is answered is known as such before one
/// that rings out, so the first half minute of a campaign is no fair sample. After a pause as long as
/// this the count begins anew.
const JUDGED_EVERY: Millis = Millis::from_mins(15);
/// The judgement counts only if chance alone would give so large a drop less than once in 740
/// times: three standard errors of the difference of two shares.
const STANDARD_ERRORS: f64 = 3.0;
/// And only if at least this share of the answers is lost.
const DROP_MIN: f64 = 0.3;
/// Dials that the past of a number may weigh, so that it can still learn.
const PAST_MAX: u32 = 2_000;

/// A number that may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallerId {
    /// The number; the user has the right to show it.
    pub phone: Phone,
    /// How often it is chosen beside others, 1 to 1,000; 0 is never.
    pub weight: u16,
    /// Calls that may show it in a day; 0 is no limit.
    pub daily_max: u32,
}

/// A campaign's numbers and how one is chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pool {
    /// The numbers.
    pub numbers: Vec<CallerId>,
    /// Prefer a number with the lead's area code, else one of the lead's state.
    pub local_presence: bool,
    /// A lead that has seen a number sees it again, while that is possible.
    pub sticky: bool,
}

impl Pool {
    /// The numbers of a campaign, in the order of its settings.
    pub fn of(settings: &Settings) -> Pool {
        let limit = |phone| settings.showing.limits.iter().find(|l| l.phone == phone);
        let number = |&phone: &Phone| match limit(phone) {
            Some(l) => CallerId { phone, weight: l.weight, daily_max: l.daily_max },
            None => CallerId { phone, weight: 1, daily_max: 0 },
        };
        Pool {
            numbers: settings.caller_ids.iter().map(number).collect(),
            local_presence: settings.showing.local_presence,
            sticky: settings.showing.sticky,
        }
    }
}

/// A fingerprint of a number that was shown: enough to know it again among a pool's, too little to
/// read it back. Never 0.
pub fn fingerprint(shown: Phone) -> u16 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in shown.digits().to_le_bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ((hash ^ (hash >> 32)) as u16).max(1)
}

/// What happened to a number that was shown, over all its life: two counters that only grow, so
/// every call adds to them without conflict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// Dials that were answered, rang out or were blocked; each counted when that is known.
    pub dials: u64,
    /// Of them answered, by a person or a machine.
    pub answers: u64,
}

/// What is remembered of a number that is shown: the judgement on its answer rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Dials of the past, thinned to `PAST_MAX`.
    pub past_dials: u32,
    /// Of them answered.
    pub past_answers: u32,
    /// What its counters said at the last judgement.
    pub judged: Shown,
    /// From when on dials are counted for the next one.
    pub judged_at: Option<Timestamp>,
    /// The last dial that showed it.
    pub dialled_at: Option<Timestamp>,
    /// Not shown before then.
    pub rest_until: Option<Timestamp>,
    /// How often it had to rest.
    pub rests: u16,
}

impl Health {
    /// Looks at the counters and rests the number when it is answered much less than before. A
    /// first rest is one day, each further one twice as long, at most 32 days.
    #[must_use]
    pub fn look(mut self, shown: Shown, now: Timestamp) -> Health {
        let dials = u32::try_from(shown.dials.saturating_sub(self.judged.dials)).unwrap_or(u32::MAX);
        let answers = u32::try_from(shown.answers.saturating_sub(self.judged.answers)).unwrap_or(u32::MAX).min(dials);
        if dials < JUDGED_AFTER || self.judged_at.is_none_or(|from| now < from + JUDGED_EVERY) {
            return self;
        }
        (self.judged, self.judged_at) = (shown, Some(now));
        if self.has_dropped(dials, answers) {
            // Calls that were under way when it went to rest do not rest it again.
            if self.is_rested(now) {
                self.rest_until = Some(now + Millis::from_days(1 << self.rests.min(5)));
                self.rests = self.rests.saturating_add(1);
            }
            // The past stays as it was: the number must come back to it.
            return self;
        }
        let (all, answered) = (u64::from(self.past_dials) + u64::from(dials), u64::from(self.past_answers + answers));
        let keep = (f64::from(PAST_MAX) / all as f64).min(1.0);
        self.past_dials = (all as f64 * keep).round() as u32;
        self.past_answers = (answered as f64 * keep).round() as u32;
        self
    }

    /// The number is shown by a dial, its counters being `shown`.
    #[must_use]
    pub fn dialled(mut self, shown: Shown, now: Timestamp) -> Health {
        if self.dialled_at.is_none_or(|last| now >= last + JUDGED_EVERY) {
            (self.judged, self.judged_at) = (shown, Some(now));
        }
        self.dialled_at = Some(now);
        self
    }

    /// Whether people answer much less than before: a test of two shares with pooled variance.
    fn has_dropped(&self, dials: u32, answers: u32) -> bool {
        if self.past_dials < JUDGED_AFTER || dials == 0 {
            return false;
        }
        let (n1, n2) = (f64::from(self.past_dials), f64::from(dials));
        let (p1, p2) = (f64::from(self.past_answers) / n1, f64::from(answers) / n2);
        let pooled = (f64::from(self.past_answers) + f64::from(answers)) / (n1 + n2);
        let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
        p1 - p2 > STANDARD_ERRORS * error && p2 < p1 * (1.0 - DROP_MIN)
    }

    /// Whether it may be shown.
    pub fn is_rested(&self, now: Timestamp) -> bool {
        self.rest_until.is_none_or(|until| until <= now)
    }
    /// The share of dials that were answered before the last judgement; `None` before the first.
    pub fn answer_rate(&self) -> Option<f64> {
        (self.past_dials > 0).then(|| f64::from(self.past_answers) / f64::from(self.past_dials))
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
/// the [`fingerprint`] of the number that the lead saw last (0 for none), `draw` is random.
pub fn choose(
    pool: &Pool,
    lead: Phone,
    lead_state: Option<State>,
    seen: u16,
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
    if pool.sticky
        && seen != 0
        && let Some(known) = free.iter().find(|n| fingerprint(n.phone) == seen)
    {
        return Some(known.phone);
    }
    if pool.local_presence {
        let same_code = |n: &&CallerId| lead.area_code().is_some() && n.phone.area_code() == lead.area_code();
        if let Some(found) = by_weight(free.iter().copied().filter(same_code), draw) {
            return Some(found);
        }
        let states = lead_state.map_or_else(|| locate(&Clues::number(lead)).states, StateSet::one);
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
            let chosen = (0..400).filter_map(|draw| choose(&pool, lead, None, 0, today, draw, NOW));
            chosen.filter(|p| *p == phone(which)).count()
        };
        assert_eq!((count(&[], "+12125550100"), count(&[], "+12125550101"), count(&[], "+12125550102")), (300, 100, 0));
        let full = [Today::default(), Today { calls: 5, ..Today::default() }];
        assert_eq!(count(&full, "+12125550101"), 0);
        let resting = Today {
            health: Health { rest_until: Some(NOW + Millis::from_ms(1)), ..Health::default() },
            ..Today::default()
        };
        assert_eq!(choose(&pool, lead, None, 0, &[resting, full[1]], 7, NOW), None, "nothing left to show");
        assert_eq!(choose(&Pool::default(), lead, None, 0, &[], 7, NOW), None);
    }

    #[test]
    fn a_lead_sees_the_number_it_knows_or_one_from_nearby() {
        let mut pool = pool(&[("+12125550100", 1, 0), ("+14155550100", 1, 0), ("+13055550100", 1, 0)]);
        pool.local_presence = true;
        pool.sticky = true;
        let choose = |lead: &str, state: Option<&str>, seen: Option<&str>, today: &[Today]| {
            let state = state.and_then(State::from_code);
            choose(&pool, phone(lead), state, seen.map_or(0, |s| fingerprint(phone(s))), today, 0, NOW)
                .expect("one")
                .e164()
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
        struct Life(Health, Shown, Timestamp);
        let new = || Life(Health::default(), Shown::default(), NOW);
        let run = |life: &mut Life, answers_of_100: u64, hundreds: u64| {
            for _ in 0..hundreds {
                // Dials all the time, and then their counts.
                for _ in 0..3 {
                    life.0 = life.0.dialled(life.1, life.2);
                    life.2 += Millis::from_mins(5);
                }
                life.1 = Shown { dials: life.1.dials + 100, answers: life.1.answers + answers_of_100 };
                life.0 = life.0.look(life.1, life.2);
            }
        };
        let mut life = new();
        run(&mut life, 30, 10);
        assert!(life.0.is_rested(life.2) && life.0.rests == 0);
        assert_eq!(life.0.answer_rate(), Some(0.3));
        let (few, later) = (Shown { dials: life.1.dials + 99, ..life.1 }, life.2 + JUDGED_EVERY);
        assert_eq!(life.0.look(few, later), life.0, "99 dials prove nothing");
        let burst = Shown { dials: life.1.dials + 500, ..life.1 };
        assert_eq!(life.0.look(burst, later - Millis::from_ms(1)), life.0, "those that are answered may still ring");
        run(&mut life, 22, 1);
        assert!(life.0.is_rested(life.2), "a weak quarter of an hour is no flag");
        let past = life.0.past_dials;
        run(&mut life, 8, 1);
        let rested = life.2 + Millis::from_days(1);
        assert_eq!((life.0.rest_until, life.0.past_dials), (Some(rested), past), "it is measured by its own past");
        assert!(!life.0.is_rested(rested - Millis::from_ms(1)) && life.0.is_rested(rested));
        run(&mut life, 8, 1);
        assert_eq!((life.0.rest_until, life.0.rests), (Some(rested), 1), "calls under way do not rest it twice");
        life.2 = rested;
        // The first dials of the morning, of which only the answered ones are known, are no sample.
        life.0 = life.0.dialled(life.1, life.2);
        let morning = Shown { dials: life.1.dials + 150, answers: life.1.answers + 150 };
        assert_eq!(life.0.look(morning, life.2 + Millis::from_secs(20)), life.0);
        run(&mut life, 8, 1);
        assert_eq!((life.0.rest_until, life.0.rests), (Some(life.2 + Millis::from_days(2)), 2));
        let mut low = new();
        run(&mut low, 2, 5);
        assert!(low.0.is_rested(low.2), "always low is not a drop");
        life.2 += Millis::from_days(9);
        run(&mut life, 30, 100);
        assert_eq!(life.0.past_dials, PAST_MAX);
    }

    #[test]
    fn a_fingerprint_knows_a_number_again() {
        let one = fingerprint(phone("+12125550100"));
        assert_eq!(one, fingerprint(phone("+12125550100")));
        assert_ne!(one, fingerprint(phone("+12125550101")));
    }

    #[test]
    fn a_number_has_dropped_when_neither_chance_nor_a_weak_day_explains_it() {
        // The most answers of so many dials that lie three standard errors and three tenths below the past, by
        // the two-proportion test.
        for (past, past_answers, dials, most) in [
            (1000, 300, 100, 15),
            (1000, 300, 1000, 209),
            (2000, 100, 400, 6),
            (100, 60, 100, 38),
            (400, 360, 100, 62),
            (150, 120, 300, 167),
        ] {
            let health = Health { past_dials: past, past_answers, ..Health::default() };
            let dropped = |answers| health.has_dropped(dials, answers);
            assert!(dropped(most) && dropped(most / 2) && !dropped(most + 2), "{past} {past_answers} {dials}");
        }
        let young = Health { past_dials: 99, past_answers: 99, ..Health::default() };
        assert!(!young.has_dropped(1000, 0), "a past of 99 dials proves nothing");
        assert!(Health { past_dials: 100, ..young }.has_dropped(1000, 0));
        assert!(!Health { past_dials: 100, ..young }.has_dropped(0, 0));
    }

    #[test]
    fn each_rest_is_twice_as_long_up_to_a_month() {
        let mut health = Health { past_dials: 1000, past_answers: 500, judged_at: Some(NOW), ..Health::default() };
        let (mut shown, mut now) = (Shown::default(), NOW);
        for (rests, days) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 32)] {
            now += JUDGED_EVERY;
            shown.dials += 100;
            health = health.look(shown, now);
            assert_eq!((health.rests, health.rest_until), (rests, Some(now + Millis::from_days(days))));
            now += Millis::from_days(days);
        }
        assert_eq!(health.past_dials, 1000);
        assert_eq!((health.answer_rate(), Health::default().answer_rate()), (Some(0.5), None));
    }

    #[test]
    fn what_was_judged_joins_a_past_of_two_thousand_dials() {
        let start = Health { past_dials: 900, past_answers: 300, judged_at: Some(NOW), ..Health::default() };
        let look = |health: Health, dials, answers, after| health.look(Shown { dials, answers }, NOW + after);
        assert_eq!(look(start, 99, 40, JUDGED_EVERY), start);
        assert_eq!(look(start, 100, 40, JUDGED_EVERY - Millis::from_ms(1)), start);
        let more = look(start, 100, 40, JUDGED_EVERY);
        assert_eq!((more.past_dials, more.past_answers, more.judged_at), (1000, 340, Some(NOW + JUDGED_EVERY)));
        assert_eq!(more.judged, Shown { dials: 100, answers: 40 });
        let full = look(start, 3100, 900, JUDGED_EVERY);
        assert_eq!((full.past_dials, full.past_answers), (2000, 600), "half of 4000 and of 1200");
        let never = Health { judged_at: None, ..start };
        assert_eq!(look(never, 500, 400, JUDGED_EVERY), never, "not before it was dialled");
        let odd = look(start, 200, 900, JUDGED_EVERY);
        assert_eq!((odd.past_dials, odd.past_answers), (1100, 500), "no more answers than dials");
    }

    #[test]
    fn after_a_pause_a_new_sample_begins() {
        let shown = Shown { dials: 50, answers: 20 };
        let first = Health::default().dialled(shown, NOW);
        assert_eq!((first.judged, first.judged_at, first.dialled_at), (shown, Some(NOW), Some(NOW)));
        let later = Shown { dials: 60, answers: 21 };
        let soon = first.dialled(later, NOW + JUDGED_EVERY - Millis::from_ms(1));
        assert_eq!((soon.judged, soon.judged_at), (shown, Some(NOW)));
        let paused = first.dialled(later, NOW + JUDGED_EVERY);
        assert_eq!((paused.judged, paused.judged_at), (later, Some(NOW + JUDGED_EVERY)));
    }

    #[test]
    fn a_number_far_from_every_plan_is_chosen_by_weight() {
        let mut pool = pool(&[("+442071230000", 1, 0), ("+12125550100", 1, 0), ("+442071234567", 5, 0)]);
        pool.local_presence = true;
        let lead = phone("+442071234567");
        let all: Vec<Phone> = (0..4).filter_map(|draw| choose(&pool, lead, None, 0, &[], draw, NOW)).collect();
        let wanted = ["+442071230000", "+12125550100"].map(phone);
        assert_eq!(all, [wanted, wanted].concat(), "no code is no code in common, and nobody is called by themselves");
        // Whom it knows counts only where that is asked for.
        let known = fingerprint(wanted[1]);
        assert_eq!(choose(&pool, lead, None, known, &[], 0, NOW), Some(wanted[0]));
        pool.sticky = true;
        assert_eq!(choose(&pool, lead, None, known, &[], 0, NOW), Some(wanted[1]));
        assert_eq!(choose(&pool, lead, None, 0, &[], 0, NOW), Some(wanted[0]), "it has seen none yet");
    }

    #[test]
    fn limits_belong_to_the_number_that_they_name() {
        let mut settings =
            Settings { caller_ids: ["+12125550100", "+14155550100"].map(phone).into(), ..Settings::default() };
        let limit = crate::settings::ShowLimit { phone: phone("+14155550100"), weight: 7, daily_max: 9 };
        settings.showing.limits = vec![limit];
        let numbers = Pool::of(&settings).numbers;
        assert_eq!(numbers.iter().map(|n| (n.weight, n.daily_max)).collect::<Vec<_>>(), [(1, 0), (7, 9)]);
    }

    #[test]
    fn a_fingerprint_that_was_kept_with_a_lead_stays_the_same() {
        let kept =
            [("+12125550100", 57_176), ("+12125550101", 5_246), ("+14155550123", 47_592), ("+442071234567", 23_212)];
        for (number, value) in kept {
            assert_eq!(fingerprint(phone(number)), value, "{number}");
        }
    }
}
