//! One number: what is permanent about it, and what happens on one call.

use super::profile::{Detector, Kind, Profile};
use crate::dice::{Dice, Spread};
use autocall_core::call::Verdict;
use autocall_core::settings::{AmdMode, AmdPreset};
use autocall_core::{Millis, Timestamp};

/// What stands behind a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing: the number does not exist.
    Invalid,
    /// Something that blocks the call.
    Blocked,
    /// A fax.
    Fax,
    /// A person, perhaps with a machine.
    Person,
}

/// What is permanent about a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    /// What stands behind it.
    pub line: Line,
    /// Which kind of people, as an index into the profile's.
    pub kind: usize,
    /// The chance that the person picks up, before the hour's factor.
    pub answers: f64,
    /// Whether a machine picks up when nobody does.
    pub machine: bool,
}

/// What happens on one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Pickup {
    /// It never rings: the carrier says that there is no such number.
    Invalid,
    /// It never rings: blocked.
    Blocked,
    /// It never rings: it cannot be set up.
    Unreachable {
        /// How long the carrier tries.
        after: Millis,
    },
    /// Busy.
    Busy {
        /// How long until the carrier says so.
        after: Millis,
    },
    /// It rings and nobody comes.
    NoAnswer {
        /// From the dial to the first ring.
        setup: Millis,
    },
    /// A fax.
    Fax {
        /// From the dial to the first ring.
        setup: Millis,
        /// Ring.
        ring: Millis,
    },
    /// A machine.
    Machine {
        /// From the dial to the first ring.
        setup: Millis,
        /// Ring.
        ring: Millis,
        /// The machine.
        machine: Voicemail,
    },
    /// A person.
    Person {
        /// From the dial to the first ring.
        setup: Millis,
        /// Ring.
        ring: Millis,
        /// The person.
        person: Person,
    },
}

/// An answering machine on one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Voicemail {
    /// How long its greeting takes, from the pick-up.
    pub greeting: Millis,
    /// Whether it beeps.
    pub beep: bool,
    /// How long it records before it hangs up.
    pub records: Millis,
    /// What the detector makes of it.
    pub opinion: Opinion,
}

/// A person on one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// From the pick-up to the end of the first words.
    pub greeting: Millis,
    /// How long the person waits from then on for somebody to talk to.
    pub patience: Millis,
    /// How long the person talks with an agent.
    pub talk: Millis,
    /// Whether the person, not the agent, hangs up at the end.
    pub ends: bool,
    /// Whether the person presses the opt-out key in a message that offers one.
    pub opts_out: bool,
    /// What the detector makes of the person.
    pub opinion: Opinion,
}

/// What a detector would say; drawn with the call, so that it does not hang on who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Opinion {
    /// It says so, or so much later with the slower preset.
    Says {
        /// Right or wrong: who it takes it for.
        person: bool,
        /// From the pick-up, with the fast preset.
        fast: Millis,
        /// From the pick-up, with the accurate preset.
        accurate: Millis,
    },
    /// It says that it cannot tell.
    Unclear {
        /// From the pick-up.
        after: Millis,
    },
    /// It says nothing, ever.
    Silent,
}

impl Habits {
    pub(super) fn draw(profile: &Profile, dice: &mut Dice) -> Habits {
        let rest = (1.0 - profile.invalid - profile.blocked - profile.fax).max(0.0);
        let line = match dice.pick(&[profile.invalid, profile.blocked, profile.fax, rest]) {
            0 => Line::Invalid,
            1 => Line::Blocked,
            2 => Line::Fax,
            _ => Line::Person,
        };
        let weights: Vec<f64> = profile.kinds.iter().map(|k| k.weight).collect();
        let kind = dice.pick(&weights);
        let answers = profile.kinds.get(kind).map_or(0.0, |k| Habits::propensity(k, dice));
        Habits { line, kind, answers, machine: dice.chance(profile.machines) }
    }

    /// One person's own chance: gamma around the kind's, cut at certainty.
    fn propensity(kind: &Kind, dice: &mut Dice) -> f64 {
        if kind.answers_cv <= 0.0 {
            return kind.answers.clamp(0.0, 1.0);
        }
        let thousandths = Spread::gamma(kind.answers, kind.answers_cv).throw(dice);
        thousandths.as_secs_f64().clamp(0.0, 1.0)
    }

    /// One call. Throws the same dice in the same order whatever comes of it, so that a change of
    /// one chance leaves the rest of the world as it was.
    pub(super) fn pickup(&self, profile: &Profile, now: Timestamp, dice: &mut Dice) -> Pickup {
        let setup = profile.setup.throw(dice);
        let unreachable = dice.chance(profile.unreachable);
        let busy = dice.chance(profile.busy);
        let answers = dice.chance(self.answers * self.hour_factor(profile, now));
        let person = Person::draw(profile, dice);
        let ring = profile.ring.throw(dice);
        let machine = Voicemail::draw(profile, dice);
        let machine_ring = profile.machine_ring.throw(dice);
        match self.line {
            Line::Invalid => Pickup::Invalid,
            Line::Blocked => Pickup::Blocked,
            _ if unreachable => Pickup::Unreachable { after: setup + Millis::from_secs(4) },
            _ if busy => Pickup::Busy { after: setup },
            Line::Fax => Pickup::Fax { setup, ring: Millis::from_secs(2) + ring / 4 },
            // Whoever would come after the machine finds the machine talking.
            Line::Person if answers && (!self.machine || ring < machine_ring) => Pickup::Person { setup, ring, person },
            Line::Person if self.machine => Pickup::Machine { setup, ring: machine_ring, machine },
            Line::Person => Pickup::NoAnswer { setup },
        }
    }

    fn hour_factor(&self, profile: &Profile, now: Timestamp) -> f64 {
        let local = now + Millis::from_mins(i64::from(profile.utc_offset_min));
        let hour = local.ms().div_euclid(3_600_000).rem_euclid(24) as usize;
        profile.kinds.get(self.kind).and_then(|k| k.by_hour.get(hour)).copied().unwrap_or(1.0)
    }
}

impl Person {
    fn draw(profile: &Profile, dice: &mut Dice) -> Person {
        let greeting = profile.off_hook.throw(dice) + profile.greeting.throw(dice);
        let patience = profile.patience.throw(dice);
        let at_once = dice.chance(profile.hangs_up_at_once);
        Person {
            greeting,
            patience: if at_once { Millis::from_ms(300) } else { patience },
            talk: profile.talk.throw(dice).max(Millis::from_secs(2)),
            ends: dice.chance(profile.person_ends),
            opts_out: dice.chance(profile.opts_out),
            opinion: Opinion::draw(&profile.detector, true, greeting, dice),
        }
    }
}

impl Voicemail {
    fn draw(profile: &Profile, dice: &mut Dice) -> Voicemail {
        let greeting = profile.machine_greeting.throw(dice).max(Millis::from_secs(2));
        Voicemail {
            greeting,
            beep: dice.chance(profile.beeps),
            records: dice.between(Millis::from_secs(30), Millis::from_secs(120)),
            opinion: Opinion::draw(&profile.detector, false, greeting, dice),
        }
    }
}

impl Opinion {
    fn draw(detector: &Detector, person: bool, greeting: Millis, dice: &mut Dice) -> Opinion {
        let mistaken = dice.chance(if person { detector.person_as_machine } else { detector.machine_as_person });
        let unclear = dice.chance(detector.unclear);
        let silent = dice.chance(detector.silent);
        let (fast, accurate) = (detector.fast.throw(dice), detector.accurate.throw(dice));
        let machine = detector.machine.throw(dice);
        if silent {
            return Opinion::Silent;
        }
        if unclear {
            return Opinion::Unclear { after: Millis::from_secs(5) };
        }
        if person != mistaken {
            // "Person" comes after the first words; a machine taken for one paused early.
            let words = if person { greeting } else { greeting.min(Millis::from_ms(1_500)) };
            Opinion::Says { person: true, fast: words + fast, accurate: words + accurate }
        } else {
            Opinion::Says { person: false, fast: machine, accurate: machine }
        }
    }

    /// What the detector says, and when after the pick-up. `machine` is the machine that is
    /// there, if one is: its greeting's end is waited for where a message is to be left.
    pub fn verdict(&self, mode: AmdMode, preset: AmdPreset, machine: Option<&Voicemail>) -> Option<(Verdict, Millis)> {
        match (self, mode) {
            (_, AmdMode::Off) | (Opinion::Silent, _) => None,
            (Opinion::Unclear { after }, _) => Some((Verdict::Unclear, *after)),
            (Opinion::Says { person: true, fast, accurate }, _) => {
                Some((Verdict::Human, if preset == AmdPreset::FastConnect { *fast } else { *accurate }))
            }
            (Opinion::Says { fast, .. }, AmdMode::Detect) => Some((Verdict::MachineGreeting, *fast)),
            (Opinion::Says { fast, .. }, AmdMode::DetectMessageEnd) => match machine {
                Some(m) if m.beep => Some((Verdict::MachineBeep, (*fast).max(m.greeting) + Millis::from_ms(400))),
                Some(m) => Some((Verdict::MachineEnded, (*fast).max(m.greeting) + Millis::from_ms(1_500))),
                // A person taken for a machine falls silent, and that is "the greeting's end".
                None => Some((Verdict::MachineEnded, *fast + Millis::from_ms(1_500))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::People;
    use super::*;
    use autocall_core::Phone;

    fn phone(n: u64) -> Phone {
        Phone::from_digits(14_150_000_000 + n).expect("valid")
    }

    #[test]
    fn a_person_is_a_pure_function_of_seed_number_and_attempt() {
        let people = People::new(Profile::default(), 3);
        let now = Timestamp::from_secs(1_800_000_000);
        for n in 0..200 {
            assert_eq!(people.pickup(phone(n), 2, now), people.clone().pickup(phone(n), 2, now));
            assert_eq!(people.habits(phone(n)), people.habits(phone(n)));
        }
        let other = People::new(Profile::default(), 4);
        assert!((0..200).any(|n| other.pickup(phone(n), 2, now) != people.pickup(phone(n), 2, now)));
        assert!((0..200).any(|n| people.pickup(phone(n), 1, now) != people.pickup(phone(n), 2, now)));
    }

    #[test]
    fn shares_come_out_as_the_profile_says() {
        let mut profile = Profile { unreachable: 0.0, busy: 0.0, ..Profile::default() };
        profile.kinds = vec![Kind { by_hour: vec![1.0; 24], ..Kind::consumers() }];
        let people = People::new(profile, 9);
        let now = Timestamp::from_secs(1_800_000_000);
        let n = 40_000_u32;
        let (mut invalid, mut persons, mut machines) = (0_u32, 0_u32, 0_u32);
        for i in 0..n {
            match people.pickup(phone(u64::from(i)), 1, now) {
                Pickup::Invalid => invalid += 1,
                Pickup::Person { .. } => persons += 1,
                Pickup::Machine { .. } => machines += 1,
                _ => {}
            }
        }
        let share = |k: u32| f64::from(k) / f64::from(n);
        assert!((share(invalid) - 0.02).abs() < 0.003, "{}", share(invalid));
        // 97 % real lines, a quarter answers; a few lose the race against their machine.
        assert!((share(persons) - 0.24).abs() < 0.012, "{}", share(persons));
        assert!((share(machines) - 0.972 * 0.75 * 0.756).abs() < 0.02, "{}", share(machines));
    }

    #[test]
    fn the_hour_changes_who_answers() {
        let people = People::new(Profile::default(), 9);
        let day = 1_800_000_000 / 86_400 * 86_400;
        let answered = |hour: i64| {
            let now = Timestamp::from_secs(day + hour * 3_600);
            (0..20_000).filter(|&i| matches!(people.pickup(phone(i), 1, now), Pickup::Person { .. })).count()
        };
        let (night, evening) = (answered(3), answered(18));
        assert!(evening > 3 * night, "{night} at night, {evening} in the evening");
    }

    #[test]
    fn a_voicemail_verdict_waits_for_the_beep_only_where_asked() {
        let machine = Voicemail {
            greeting: Millis::from_secs(9),
            beep: true,
            records: Millis::from_secs(60),
            opinion: Opinion::Says { person: false, fast: Millis::from_secs(3), accurate: Millis::from_secs(3) },
        };
        let verdict = |mode| machine.opinion.verdict(mode, AmdPreset::FastConnect, Some(&machine));
        assert_eq!(verdict(AmdMode::Off), None);
        assert_eq!(verdict(AmdMode::Detect), Some((Verdict::MachineGreeting, Millis::from_secs(3))));
        assert_eq!(verdict(AmdMode::DetectMessageEnd), Some((Verdict::MachineBeep, Millis::from_ms(9_400))));
    }
}
