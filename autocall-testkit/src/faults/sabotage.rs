//! Planted bugs. Each is a fault of a kind that real dialers have had; each is planted around the
//! ports and the driver, so that production code has no switch for it. Together they break nearly every
//! invariant that is looked at: `docs/proof.md` says which breaks which.

macro_rules! sabotages {
    ($($(#[$about:meta])+ $name:ident = $text:literal,)+) => {
        /// A bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sabotage {
            $($(#[$about])+ $name,)+
        }

        impl Sabotage {
            /// Every one.
            pub const ALL: &[Sabotage] = &[$(Sabotage::$name,)+];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Sabotage::$name => $text,)+
                }
            }
        }
    };
}

sabotages! {
    /// A dial whose answer was lost is sent again.
    RedialOnDoubt = "redial-on-doubt",
    /// Permits are handed out before the commit is durable.
    EffectsBeforeCommit = "effects-before-commit",
    /// Rows are written whatever version they have.
    NoVersionCheck = "no-version-check",
    /// A permit is good for ever.
    ImmortalPermit = "immortal-permit",
    /// One look-up that finds nothing proves that there is nothing.
    SingleNegativeLookup = "single-negative-lookup",
    /// Agents are not written with the calls that hold them.
    AgentDoubleBooked = "agent-double-booked",
    /// The time at which a call is to be looked at is forgotten.
    WakeUpLost = "wake-up-lost",
    /// A webhook of a settled call is answered with hold music.
    SettledHold = "settled-hold",
    /// The guard of a number is not read again when its call is committed.
    NumberUnguarded = "number-unguarded",
    /// The guard of a person is not written: nobody remembers that they are being called.
    PersonUnguarded = "person-unguarded",
    /// Nobody looks at do-not-call lists.
    ListUnread = "list-unread",
    /// Calls in flight to a number that is listed go on.
    ListedCallGoesOn = "listed-call-goes-on",
    /// Counts of calls in flight are written from a reading, not as differences: they drift.
    CountsDrift = "counts-drift",
    /// Records of settled calls are lost now and then.
    RecordLost = "record-lost",
    /// Nobody counts how often a lead was tried.
    AttemptsUncounted = "attempts-uncounted",
    /// The campaign's calls per second are not drawn on.
    RateUndrawn = "rate-undrawn",
    /// The campaign's hours are not asked.
    WindowsIgnored = "windows-ignored",
    /// Lines in use are not counted.
    LinesUncounted = "lines-uncounted",
    /// Nobody sees who is free.
    AgentsUnseen = "agents-unseen",
    /// A campaign that found nothing to do is never looked at again.
    CampaignSleeps = "campaign-sleeps",
    /// What an agent said about a call does not reach its lead.
    WordsForgotten = "words-forgotten",
    /// An appointment is taken for "at once".
    AppointmentIgnored = "appointment-ignored",
}

impl Sabotage {
    /// The one of that name.
    pub fn named(name: &str) -> Option<Sabotage> {
        Sabotage::ALL.iter().copied().find(|s| s.name() == name)
    }
}
