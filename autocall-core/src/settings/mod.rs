//! What a campaign's owner decides. Typed, with careful defaults, and linted as a whole:
//! [`Settings::check`] returns every problem, not the first.

mod amd;
mod check;
mod dispositions;
mod retry;
mod schedule;
mod transfer;

pub use amd::{AmdMode, AmdPolicy, AmdPreset, Connect, OnMachine, OnUnclear};
pub use check::Problem;
pub use dispositions::{Disposition, Then};
pub use retry::{NextNumber, Retry, RetryPolicy};
pub use schedule::{DayWindow, Schedule};
pub use transfer::{TransferMode, TransferPolicy};

use crate::cost::CostPolicy;
use crate::phone::Phone;
use crate::planning::callback::CallbackPolicy;
use crate::planning::order::Order;
use crate::planning::quota::Quota;
use crate::script::{Audio, RecordingMode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// On whose behalf the calls are made (16 CFR 310.2: the seller).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seller {
    /// The name that people are told.
    pub name: Arc<str>,
    /// The number that people can call back.
    pub phone: Option<Phone>,
}

/// Why people are called; rules differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To sell something. The strictest rules, hence the default.
    #[default]
    Sales,
    /// About something the person already has.
    Service,
    /// To collect a debt.
    DebtCollection,
    /// Political.
    Political,
    /// A survey.
    Survey,
    /// For a charity.
    Charity,
}

/// How heavy a list is beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListWeight {
    /// The list.
    pub list: crate::id::ListId,
    /// 1 to 1,000.
    pub weight: u16,
}

/// How the number to show is chosen among a campaign's.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Showing {
    /// Prefer a number with the lead's area code, else one of the lead's state.
    pub local_presence: bool,
    /// A lead that has seen a number sees it again, while that is possible.
    pub sticky: bool,
    /// Weights and daily caps of single numbers; a number that is not named weighs 1 and has no
    /// cap.
    pub limits: Vec<ShowLimit>,
}

/// The weight and cap of one number shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowLimit {
    /// The number.
    pub phone: Phone,
    /// How often it is chosen beside others, 1 to 1,000; 0 is never.
    #[serde(default = "one")]
    pub weight: u16,
    /// Calls that may show it in a day (UTC); 0 is no limit.
    #[serde(default)]
    pub daily_max: u32,
}

fn one() -> u16 {
    1
}

/// Hard limits of a campaign. The engine never exceeds one, however many nodes dial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Most customer legs at once.
    pub lines_max: u32,
    /// Most calls per second that this campaign starts (the account's own limit applies besides).
    pub calls_per_second_max: f64,
    /// Most attempts at one lead, over all its numbers and outcomes.
    pub attempts_max: u16,
    /// Most attempts at one number in the life of a lead; 0 is no limit.
    pub attempts_per_number_max: u16,
    /// Most attempts at one number in a rolling 24 hours, over all campaigns of the tenant.
    pub attempts_per_number_per_day_max: u8,
    /// Longest time a customer's phone rings, milliseconds. Never below 15 s (16 CFR
    /// 310.4(b)(4)(ii)).
    pub ring_ms_max: u32,
    /// Longest call, milliseconds.
    pub call_ms_max: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            lines_max: 100,
            calls_per_second_max: 1.0,
            attempts_max: 6,
            attempts_per_number_max: 0,
            attempts_per_number_per_day_max: 3,
            ring_ms_max: 25_000,
            call_ms_max: 4 * 3_600_000,
        }
    }
}

/// Everything that a campaign's owner decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// On whose behalf.
    pub seller: Seller,
    /// Why.
    pub purpose: Purpose,
    /// What about: state caps count attempts per person *and subject*.
    pub subject: Arc<str>,
    /// Country for phone numbers whose row names none; ISO 3166-1 alpha-2.
    pub country: Arc<str>,
    /// How fast to dial.
    pub pacing: crate::pacing::Settings,
    /// What to do about machines.
    pub amd: AmdPolicy,
    /// How a person gets to an agent.
    pub transfer: TransferPolicy,
    /// What a waiting person hears.
    pub hold: Audio,
    /// What is left on a machine; nothing is left where absent.
    pub voicemail: Option<Audio>,
    /// What a person hears whom nobody can attend to.
    pub abandonment: Option<Audio>,
    /// The message of an agentless campaign.
    pub message: Option<Audio>,
    /// The key with which a listener opts out of further calls.
    pub opt_out_key: char,
    /// Numbers shown to the called person; one is chosen per attempt.
    pub caller_ids: Vec<Phone>,
    /// How the choice among them is made.
    pub showing: Showing,
    /// Recording.
    pub recording: RecordingMode,
    /// Where the agents sit, as `US-TX` or `FR`: a recording obeys the stricter law of both ends.
    /// Empty: anywhere in the campaign's country.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents_at: Vec<Arc<str>>,
    /// When the campaign may dial, besides what the law says.
    pub schedule: Schedule,
    /// The rules that the calls obey, by name: a preset of [`crate::permission::presets`] or a set
    /// that the embedder added.
    pub rules: Arc<str>,
    /// The zone in which the campaign's days begin and end: ledgers, reports. An IANA name.
    pub timezone: Arc<str>,
    /// Which leads are called, as an expression ([`crate::planning::filter`]); empty is all. Kept
    /// with each lead; a change takes hold as a background job passes over them.
    pub filter: Arc<str>,
    /// Enough of an outcome or a segment, and no more; at most 16.
    pub quotas: Vec<Quota>,
    /// How leads that are due together follow each other.
    pub order: Order,
    /// Weights of lists, for [`Order::Mix`]; a list that is not named weighs 1.
    pub list_weights: Vec<ListWeight>,
    /// How appointments are kept.
    pub callbacks: CallbackPolicy,
    /// What happens to a lead after each outcome.
    pub retry: RetryPolicy,
    /// What an agent can say about a call afterwards.
    pub dispositions: Vec<Disposition>,
    /// Hard limits.
    pub caps: Caps,
    /// Prices, and what may be spent.
    pub cost: CostPolicy,
}

impl Settings {
    /// Lines on which free agents of a shared pool can be claimed.
    pub fn claimable_lines(&self) -> u32 {
        if self.pacing.claims_agents() { self.caps.lines_max } else { 0 }
    }

    /// The zone of the campaign's own days; UTC where the name is not known (the linter says so).
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.timezone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            seller: Seller::default(),
            purpose: Purpose::default(),
            subject: "default".into(),
            country: "US".into(),
            pacing: crate::pacing::Settings::default(),
            amd: AmdPolicy::default(),
            transfer: TransferPolicy::default(),
            hold: Audio::say("Please hold the line."),
            voicemail: None,
            abandonment: None,
            message: None,
            opt_out_key: '9',
            caller_ids: Vec::new(),
            showing: Showing::default(),
            recording: RecordingMode::Off,
            agents_at: Vec::new(),
            schedule: Schedule::default(),
            rules: "default".into(),
            timezone: "UTC".into(),
            filter: "".into(),
            quotas: Vec::new(),
            order: Order::default(),
            list_weights: Vec::new(),
            callbacks: CallbackPolicy::default(),
            retry: RetryPolicy::default(),
            dispositions: Disposition::usual(),
            caps: Caps::default(),
            cost: CostPolicy::default(),
        }
    }
}
