//! Planted bugs. Each is a fault of a kind that real dialers have had; each is planted around the
//! ports, so that production code has no switch for it.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// A dial whose answer was lost is sent again.
    RedialOnDoubt,
    /// Permits are handed out before the commit is durable.
    EffectsBeforeCommit,
    /// Rows are written whatever version they have.
    NoVersionCheck,
    /// A permit is good for ever.
    ImmortalPermit,
    /// One look-up that finds nothing proves that there is nothing.
    SingleNegativeLookup,
    /// Agents are not written with the calls that hold them.
    AgentDoubleBooked,
    /// The time at which a call is to be looked at is forgotten.
    WakeUpLost,
    /// A webhook of a settled call is answered with hold music.
    SettledHold,
    /// The guard of a number is not read again when its call is committed.
    NumberUnguarded,
    /// Nobody looks at do-not-call lists.
    ListUnread,
    /// Counts of calls in flight are written from a reading, not as differences: they drift.
    CountsDrift,
}

impl Sabotage {
    /// Every one.
    pub const ALL: [Sabotage; 11] = [
        Sabotage::RedialOnDoubt,
        Sabotage::EffectsBeforeCommit,
        Sabotage::NoVersionCheck,
        Sabotage::ImmortalPermit,
        Sabotage::SingleNegativeLookup,
        Sabotage::AgentDoubleBooked,
        Sabotage::WakeUpLost,
        Sabotage::SettledHold,
        Sabotage::NumberUnguarded,
        Sabotage::ListUnread,
        Sabotage::CountsDrift,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Sabotage::RedialOnDoubt => "redial-on-doubt",
            Sabotage::EffectsBeforeCommit => "effects-before-commit",
            Sabotage::NoVersionCheck => "no-version-check",
            Sabotage::ImmortalPermit => "immortal-permit",
            Sabotage::SingleNegativeLookup => "single-negative-lookup",
            Sabotage::AgentDoubleBooked => "agent-double-booked",
            Sabotage::WakeUpLost => "wake-up-lost",
            Sabotage::SettledHold => "settled-hold",
            Sabotage::NumberUnguarded => "number-unguarded",
            Sabotage::ListUnread => "list-unread",
            Sabotage::CountsDrift => "counts-drift",
        }
    }
    /// The one of that name.
    pub fn named(name: &str) -> Option<Sabotage> {
        Sabotage::ALL.into_iter().find(|s| s.name() == name)
    }
}
