//! The figures that a manager asks for.

use super::list::List;
use super::prices::{Cost, Prices};
use autocall_core::call::Record;
use autocall_core::import::Rejection;
use autocall_core::lead::{Closed, State};
use autocall_core::settings::Settings;
use autocall_core::{CampaignId, Outcome, Timestamp};
use autocall_testkit::carrier::Usage;
use autocall_testkit::world::{Spent, World};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What came of a simulated campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many agents worked.
    pub agents: u32,
    /// When it began.
    pub starts_at: Timestamp,
    /// When its last call was settled.
    pub ends_at: Timestamp,
    /// The list.
    pub list: ListPart,
    /// Where the leads stand at the end.
    pub leads: LeadPart,
    /// The calls.
    pub calls: CallPart,
    /// How long people who were connected waited for an agent.
    pub waits: Waits,
    /// How long agents waited between two conversations, in the mean, milliseconds.
    pub agent_wait_ms_mean: i64,
    /// Agents' time, all together.
    pub time: Spent,
    /// Share of agents' time that was busy, 0 to 1.
    pub occupancy: f64,
    /// What agents said, by code.
    pub said: BTreeMap<String, u64>,
    /// What was used at the carrier.
    pub usage: Usage,
    /// What it costs, US dollars.
    pub cost: Cost,
    /// What it costs per conversation; 0 where there was none.
    pub cost_per_conversation: f64,
    /// Rows that were not accepted.
    pub rejections: Vec<Rejection>,
}

/// What became of the list's rows.
#[derive(Clone, Debug, Serialize)]
pub struct ListPart {
    /// Lines of the file.
    pub lines: u64,
    /// Rows that became leads.
    pub accepted: u64,
    /// Rows that did not.
    pub rejected: u64,
    /// Those, by reason.
    pub rejected_by: BTreeMap<String, u64>,
    /// Accepted rows of which a part was left out.
    pub warnings: u64,
}

/// Where leads stand.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LeadPart {
    /// Leads.
    pub all: u64,
    /// Called at least once.
    pub dialled: u64,
    /// Spoke with an agent.
    pub reached: u64,
    /// Those, as a share of the ones that were called, 0 to 1.
    pub contact_rate: f64,
    /// Still to be called.
    pub open: u64,
    /// Closed, by reason.
    pub closed: BTreeMap<String, u64>,
}

/// What became of calls.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallPart {
    /// Attempts.
    pub attempts: u64,
    /// By outcome, in the order of reports.
    pub outcomes: Vec<(String, u64)>,
    /// People who answered.
    pub live_answers: u64,
    /// Of those, connected.
    pub conversations: u64,
    /// Of those, given up on.
    pub abandoned: u64,
    /// Abandoned of live answers, 0 to 1.
    pub abandonment_rate: f64,
    /// Conversations per attempt, 0 to 1.
    pub connect_rate: f64,
    /// Mean conversation, milliseconds.
    pub talk_ms_mean: i64,
}

/// Waiting times.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Waits {
    /// People counted.
    pub people: u64,
    /// Mean, milliseconds.
    pub mean_ms: i64,
    /// Nineteen in twenty waited no longer, milliseconds.
    pub p95_ms: i64,
    /// Longest, milliseconds.
    pub max_ms: i64,
}

impl Report {
    #[allow(clippy::too_many_arguments, reason = "each is a different thing that the report is about")]
    pub(super) fn of(
        world: &World,
        campaign: CampaignId,
        settings: &Settings,
        list: &List,
        prices: &Prices,
        agents: u32,
        seed: u64,
        starts_at: Timestamp,
    ) -> Report {
        let records = world.store().records();
        let time = world.times().total();
        let usage = world.carrier().usage();
        let cost = prices.cost(&usage, time.at_work_ms());
        let calls = calls(&records);
        let conversations = calls.conversations.max(1);
        let mut said = BTreeMap::new();
        for disposed in world.store().dispositions() {
            let label =
                settings.dispositions.iter().find(|d| d.code == disposed.code).map_or(&disposed.code, |d| &d.label);
            *said.entry(label.to_string()).or_insert(0) += 1;
        }
        Report {
            seed,
            agents,
            starts_at,
            ends_at: records.last().map_or(starts_at, |r| r.settled_at),
            list: list_part(list),
            leads: leads(world, campaign, &records),
            waits: waits(&records),
            agent_wait_ms_mean: time.idle_ms / conversations as i64,
            time,
            occupancy: time.occupancy(),
            said,
            usage,
            cost,
            cost_per_conversation: if calls.conversations == 0 { 0.0 } else { cost.total / conversations as f64 },
            calls,
            rejections: list.rejected.clone(),
        }
    }
}

fn list_part(list: &List) -> ListPart {
    let mut rejected_by = BTreeMap::new();
    for rejection in &list.rejected {
        *rejected_by.entry(rejection.reason.code().to_owned()).or_insert(0) += 1;
    }
    ListPart {
        lines: list.tally.lines,
        accepted: list.leads.len() as u64,
        rejected: list.rejected.len() as u64,
        rejected_by,
        warnings: list.warnings.len() as u64,
    }
}

fn leads(world: &World, campaign: CampaignId, records: &[Record]) -> LeadPart {
    let mut part = LeadPart::default();
    for lead in world.store().leads(campaign) {
        part.all += 1;
        match lead.state {
            State::Closed { why } => *part.closed.entry(why_closed(why).to_owned()).or_insert(0) += 1,
            State::Open | State::Calling { .. } => part.open += 1,
        }
    }
    let dialled: BTreeSet<_> = records.iter().map(|r| r.lead).collect();
    let reached: BTreeSet<_> = records.iter().filter(|r| r.outcome == Outcome::Connected).map(|r| r.lead).collect();
    (part.dialled, part.reached) = (dialled.len() as u64, reached.len() as u64);
    part.contact_rate = share(part.reached, part.dialled);
    part
}

fn why_closed(why: Closed) -> &'static str {
    match why {
        Closed::Done => "done",
        Closed::AttemptsUsed => "attempts used",
        Closed::NoNumber => "no number left",
        Closed::DoNotCall => "do not call",
        Closed::ByHand => "by hand",
        _ => "other",
    }
}

fn calls(records: &[Record]) -> CallPart {
    let count = |f: &dyn Fn(&Record) -> bool| records.iter().filter(|r| f(r)).count() as u64;
    let outcomes = Outcome::ALL
        .iter()
        .map(|o| (o.to_string(), count(&|r: &Record| r.outcome == *o)))
        .filter(|(_, n)| *n > 0)
        .collect();
    let mut part = CallPart {
        attempts: records.len() as u64,
        outcomes,
        live_answers: count(&|r| r.outcome.is_live_answer()),
        conversations: count(&|r| r.outcome == Outcome::Connected),
        abandoned: count(&|r| r.outcome.is_abandonment()),
        ..CallPart::default()
    };
    part.abandonment_rate = share(part.abandoned, part.live_answers);
    part.connect_rate = share(part.conversations, part.attempts);
    let talk: i64 = records.iter().filter(|r| r.outcome == Outcome::Connected).map(Record::talk_ms).sum();
    part.talk_ms_mean = talk / part.conversations.max(1) as i64;
    part
}

fn waits(records: &[Record]) -> Waits {
    let mut waits: Vec<i64> = records.iter().filter_map(Record::wait_ms).collect();
    waits.sort_unstable();
    let Some(&max_ms) = waits.last() else { return Waits::default() };
    // The nearest-rank 95th percentile.
    let rank = (waits.len() * 95).div_ceil(100).max(1);
    Waits {
        people: waits.len() as u64,
        mean_ms: waits.iter().sum::<i64>() / waits.len() as i64,
        p95_ms: waits[rank - 1],
        max_ms,
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
