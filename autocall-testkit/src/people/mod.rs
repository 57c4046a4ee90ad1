//! Simulated people: who picks up, when, what they say first, how long they wait and talk.
//!
//! A person's behaviour is a pure function of the seed, the number and how many times the number
//! has been called, so two runs that dial differently still meet the same people. What is
//! permanent about a number (invalid, a fax, has a machine, who is at home when) hangs on seed
//! and number alone.

mod habits;
mod profile;

pub use habits::{Habits, Line, Opinion, Person, Pickup, Voicemail};
pub use profile::{Detector, Kind, Profile};

use crate::dice::Dice;
use autocall_core::{Phone, Timestamp};

/// What the dice are thrown for.
pub(crate) mod purpose {
    /// What is permanent about a number.
    pub(crate) const NUMBER: u64 = 1;
    /// One call to a number.
    pub(crate) const CALL: u64 = 2;
    /// One call to an agent.
    pub(crate) const AGENT: u64 = 3;
    /// The carrier's own moods.
    pub(crate) const CARRIER: u64 = 4;
    /// An agent's day.
    pub(crate) const SHIFT: u64 = 5;
}

/// Everybody who can be called.
#[derive(Clone, Debug)]
pub struct People {
    profile: Profile,
    seed: u64,
}

impl People {
    /// People of this profile, drawn with this seed.
    pub fn new(profile: Profile, seed: u64) -> People {
        People { profile, seed }
    }
    /// What they are drawn from.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
    /// What is permanent about a number.
    pub fn habits(&self, phone: Phone) -> Habits {
        Habits::draw(&self.profile, &mut Dice::named(self.seed, purpose::NUMBER, phone.digits(), 0))
    }
    /// What happens when the number is called for the `nth` time (from 1) at `now`.
    pub fn pickup(&self, phone: Phone, nth: u32, now: Timestamp) -> Pickup {
        let mut dice = Dice::named(self.seed, purpose::CALL, phone.digits(), u64::from(nth));
        self.habits(phone).pickup(&self.profile, now, &mut dice)
    }
}
