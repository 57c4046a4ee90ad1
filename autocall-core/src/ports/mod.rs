//! The three ports: what an embedder implements. Store, telephony, notifier; and the lease of
//! calls per second. What people read and edit is a second store port, [`catalog`].
//!
//! Port modules know machine types; machines know nothing of ports.

mod bus;
pub mod catalog;
mod changes;
mod clock;
mod guard;
mod lessons;
mod notifier;
mod rates;
mod store;
mod telephony;

pub use bus::{Bus, BusError, Ear, WORD_BYTES_MAX, carriable};
pub use changes::{Changes, Check, Committed, Disposed, LeadCounts, Listing, Put, RowKey, Tally};
pub use clock::{Clock, Ids, ManualClock, SystemClock};
pub use guard::{CallerIdGuard, DialsGuard, Guard, GuardKey, GuardValue, NumberGuard, PersonGuard};
pub use lessons::{Lesson, Lessons};
pub use notifier::{Note, Notifier, Silent};
pub use rates::{Lease, LocalRates, Places, Rates, Urgency};
pub use store::{
    AgentBrief, AgentView, CallBrief, CampaignView, Candidate, Due, Lists, PoolView, Sharer, Snapshot, Store,
    StoreError, Versioned,
};
pub use telephony::{
    AmdRequest, Capabilities, Dial, DialError, DialPermit, Expired, Line, Refusal, Sighting, StationId, Telephony,
    TelephonyError,
};
