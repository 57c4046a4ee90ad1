//! Simulated agents: what they do when their phone rings.

use crate::dice::{Dice, Spread};
use autocall_core::Millis;
use autocall_core::agent::Address;

/// How an agent treats offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Temper {
    /// Ring until they pick up.
    pub ring: Spread,
    /// From the whisper's begin to their yes.
    pub accept: Spread,
    /// Chance that they let it ring.
    pub ignores: f64,
    /// Chance that their line is busy.
    pub busy: f64,
    /// Chance that their voicemail picks up.
    pub voicemail: f64,
    /// Chance that they hang up on the whisper.
    pub declines: f64,
    /// How long they need to see that they were given a machine.
    pub spots_machine: Spread,
}

impl Default for Temper {
    fn default() -> Self {
        Temper {
            ring: Spread::gamma(3.0, 0.4),
            accept: Spread::gamma(2.2, 0.3),
            ignores: 0.01,
            busy: 0.003,
            voicemail: 0.005,
            declines: 0.005,
            spots_machine: Spread::gamma(5.0, 0.3),
        }
    }
}

impl Temper {
    /// Always there, always quick.
    pub fn steady() -> Temper {
        Temper {
            ring: Spread::fixed(1.0),
            accept: Spread::fixed(1.0),
            ignores: 0.0,
            busy: 0.0,
            voicemail: 0.0,
            declines: 0.0,
            spots_machine: Spread::fixed(4.0),
        }
    }
}

/// What an agent does with one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Picks up and says yes.
    Takes {
        /// Ring.
        ring: Millis,
        /// From the whisper to the yes.
        accept: Millis,
    },
    /// Picks up and hangs up.
    Declines {
        /// Ring.
        ring: Millis,
        /// From the whisper to the end.
        after: Millis,
    },
    /// A voicemail picks up: it never presses a key.
    Voicemail {
        /// Ring.
        ring: Millis,
    },
    /// It rings out.
    Ignores,
    /// Busy.
    Busy,
}

impl Temper {
    pub(super) fn mood(&self, dice: &mut Dice) -> Mood {
        let (ring, accept) = (self.ring.throw(dice), self.accept.throw(dice));
        let takes = (1.0 - self.ignores - self.busy - self.voicemail - self.declines).max(0.0);
        match dice.pick(&[self.ignores, self.busy, self.voicemail, self.declines, takes]) {
            0 => Mood::Ignores,
            1 => Mood::Busy,
            2 => Mood::Voicemail { ring: ring + Millis::from_secs(5) },
            3 => Mood::Declines { ring, after: accept },
            _ => Mood::Takes { ring, accept },
        }
    }
}

/// An address as a key, and as a name for dice.
pub(super) fn address_key(address: &Address) -> (u8, String) {
    match address {
        Address::Phone(phone) => (0, phone.digits().to_string()),
        Address::Sip(name) => (1, name.expose().to_owned()),
        Address::Client(name) => (2, name.expose().to_owned()),
    }
}

/// A number from a text, the same on every machine: FNV-1a with 64 bits.
pub(super) fn number_of(key: &(u8, String)) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(key.0);
    key.1.bytes().fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
