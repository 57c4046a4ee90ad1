//! What calls cost: a price book, an estimate before a campaign starts, and the cost of a call
//! once it is over.
//!
//! The rules are those of carriers like Twilio: every leg is billed by itself and rounded up to
//! whole minutes ("Rounding"), a call of less than a second counts as one; a conference costs each
//! participant minutes on top; detection costs per answered call; ringing costs nothing. Prices
//! change and differ by country: they are configuration, and the defaults are list prices for
//! calls to US numbers as found in public sources. Take the result for a plan, not for a bill.

use crate::call::{Call, LegFacts};
use crate::script::RecordingMode;
use crate::settings::{AmdMode, Settings, TransferMode};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Prices, in millionths of a unit of the currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceBook {
    /// ISO 4217.
    pub currency: Arc<str>,
    /// A minute of a called person's leg.
    pub customer_min_micros: u64,
    /// A minute of an agent's leg.
    pub agent_min_micros: u64,
    /// A minute of one participant in a conference, on top of the leg.
    pub room_min_micros: u64,
    /// Detection of machines, per answered call.
    pub detection_micros: u64,
    /// A recorded minute.
    pub recording_min_micros: u64,
    /// A number, per month.
    pub number_month_micros: u64,
}

impl Default for PriceBook {
    fn default() -> Self {
        PriceBook {
            currency: "USD".into(),
            customer_min_micros: 14_000,
            agent_min_micros: 14_000,
            room_min_micros: 1_800,
            detection_micros: 7_500,
            recording_min_micros: 2_500,
            number_month_micros: 1_150_000,
        }
    }
}

/// What a campaign may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CostPolicy {
    /// What things cost.
    pub prices: PriceBook,
    /// What the campaign may spend, millionths; without it there is no limit. It pauses before
    /// more is spent.
    pub budget_micros: Option<u64>,
    /// Minutes of conversation that are set aside for every call in flight. With the longest call
    /// here the budget holds whatever happens; with less, unusually long conversations that run
    /// when the money ends may exceed it.
    pub reserve_min: u32,
}

impl Default for CostPolicy {
    fn default() -> Self {
        CostPolicy { prices: PriceBook::default(), budget_micros: None, reserve_min: 10 }
    }
}

impl CostPolicy {
    /// What one call in flight may come to, as far as the budget sets money aside for it.
    pub fn reserve_micros(&self, settings: &Settings) -> u64 {
        let p = &self.prices;
        let minutes = u64::from(self.reserve_min.max(1));
        let agent = if has_agent_leg(settings) { p.agent_min_micros } else { 0 };
        let rooms = if settings.is_agentless() { 0 } else { 2 * p.room_min_micros };
        let recording = if settings.recording == RecordingMode::Off { 0 } else { p.recording_min_micros };
        let detection = if settings.amd.mode == AmdMode::Off { 0 } else { p.detection_micros };
        minutes * (p.customer_min_micros + agent + rooms + recording) + detection
    }

    /// How many more calls the budget allows, `live` being in flight. Without a budget, any number.
    pub fn affordable(&self, settings: &Settings, spent_micros: i64, live: u32) -> u32 {
        let Some(budget) = self.budget_micros else { return u32::MAX };
        let each = self.reserve_micros(settings).max(1);
        let spent = u64::try_from(spent_micros).unwrap_or(0);
        let left = budget.saturating_sub(spent).saturating_sub(each.saturating_mul(u64::from(live)));
        u32::try_from(left / each).unwrap_or(u32::MAX)
    }
}

fn has_agent_leg(settings: &Settings) -> bool {
    !settings.is_agentless() && settings.transfer.mode == TransferMode::OnDemand
}

/// Minutes as they are billed: begun ones count whole.
pub fn billed_min(lasted: Millis) -> u64 {
    let ms = u64::try_from(lasted.ms()).unwrap_or(0);
    ms.div_ceil(60_000).max(1)
}

/// What a settled call cost, in millionths. Standing legs are the shift's cost, not the call's.
pub fn of_call(call: &Call, settings: &Settings) -> u64 {
    let p = &settings.cost.prices;
    let customer = &call.customer().facts;
    let mut cost = 0;
    for (i, leg) in call.legs.iter().enumerate() {
        let Some(lasted) = lasted(&leg.facts, call) else { continue };
        let per_min = if i == 0 { p.customer_min_micros } else { p.agent_min_micros };
        cost += billed_min(lasted) * per_min;
        let entered = [leg.facts.joined_at, leg.facts.joined_agent_at].into_iter().flatten().min();
        if let (Some(entered), Some(end)) = (entered, end(&leg.facts, call)) {
            cost += billed_min(end - entered) * p.room_min_micros;
        }
    }
    if customer.is_answered() && settings.amd.mode != AmdMode::Off {
        cost += p.detection_micros;
    }
    if settings.recording != RecordingMode::Off
        && let (Some(met), Some(end)) = (call.connected_at(), end(customer, call))
    {
        cost += billed_min(end - met) * p.recording_min_micros;
    }
    cost
}

fn end(facts: &LegFacts, call: &Call) -> Option<crate::Timestamp> {
    let settled = match call.stage {
        crate::call::Stage::Settled { at, .. } => Some(at),
        _ => None,
    };
    facts.end.map(|e| e.at).or(settled)
}

fn lasted(facts: &LegFacts, call: &Call) -> Option<Millis> {
    Some(end(facts, call)? - facts.answer_at()?)
}

/// What is assumed of a campaign's calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assumptions {
    /// Attempts at one lead, on average.
    pub attempts_per_lead: f64,
    /// Share of attempts that a person answers.
    pub person_share: f64,
    /// Share of attempts that a machine answers.
    pub machine_share: f64,
    /// Share of the people who get to an agent.
    pub connected_share: f64,
    /// How long a conversation lasts, seconds, on average (taken as exponential).
    pub talk_s: f64,
    /// How long a person waits for an agent, seconds.
    pub wait_s: f64,
    /// How long a machine is listened to, or spoken to, seconds.
    pub machine_s: f64,
}

impl Default for Assumptions {
    fn default() -> Self {
        // Typical of outbound lists: a fifth answers, two fifths are machines.
        Assumptions {
            attempts_per_lead: 2.0,
            person_share: 0.2,
            machine_share: 0.4,
            connected_share: 0.95,
            talk_s: 150.0,
            wait_s: 5.0,
            machine_s: 12.0,
        }
    }
}

/// What a campaign will cost, as far as assumptions hold. Millionths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Attempts.
    pub attempts: f64,
    /// Legs of called people and machines.
    pub customer_micros: f64,
    /// Legs of agents.
    pub agent_micros: f64,
    /// Conference minutes.
    pub room_micros: f64,
    /// Detection.
    pub detection_micros: f64,
    /// Recording.
    pub recording_micros: f64,
    /// All of it.
    pub total_micros: f64,
    /// The same per attempt.
    pub per_attempt_micros: f64,
    /// The numbers that are shown, per month; not in the total.
    pub numbers_month_micros: u64,
    /// In which currency.
    pub currency: Arc<str>,
}

/// Billed minutes of something that lasts an exponential time with this mean on top of `fixed_s`,
/// on average: the sum over whole minutes of the chance that another one begins.
fn mean_billed_min(fixed_s: f64, mean_s: f64) -> f64 {
    if mean_s <= 0.0 {
        return (fixed_s / 60.0).ceil().max(1.0);
    }
    // Minutes that the fixed part fills, and the part of a minute that is left to it.
    let begun = (fixed_s / 60.0).ceil().max(if fixed_s > 0.0 { 1.0 } else { 0.0 });
    let left_s = begun * 60.0 - fixed_s;
    begun + (-left_s / mean_s).exp() / (1.0 - (-60.0 / mean_s).exp())
}

/// Estimates what calling `leads` people will cost with these settings.
pub fn estimate(settings: &Settings, leads: u64, assume: &Assumptions) -> Estimate {
    let p = &settings.cost.prices;
    let share = |v: f64| if v.is_finite() { v.clamp(0.0, 1.0) } else { 0.0 };
    let positive = |v: f64| if v.is_finite() { v.max(0.0) } else { 0.0 };
    let attempts = leads as f64 * positive(assume.attempts_per_lead).max(1.0);
    let people = attempts * share(assume.person_share);
    let machines = attempts * share(assume.machine_share).min(1.0 - share(assume.person_share));
    let met = if settings.is_agentless() { 0.0 } else { people * share(assume.connected_share) };
    let (talk_s, wait_s) = (positive(assume.talk_s), positive(assume.wait_s));
    let talked = mean_billed_min(wait_s, talk_s);
    let alone = mean_billed_min(wait_s.max(1.0), 0.0);
    let machine = mean_billed_min(positive(assume.machine_s).max(1.0), 0.0);
    let customer = (met * talked + (people - met) * alone + machines * machine) * p.customer_min_micros as f64;
    let agents = if has_agent_leg(settings) { met * talked * p.agent_min_micros as f64 } else { 0.0 };
    let in_rooms = if settings.is_agentless() { 0.0 } else { met * 2.0 * talked + (people - met) * alone };
    let room = in_rooms * p.room_min_micros as f64;
    let detects = settings.amd.mode != AmdMode::Off;
    let detection = if detects { (people + machines) * p.detection_micros as f64 } else { 0.0 };
    let records = settings.recording != RecordingMode::Off;
    let recording = if records { met * mean_billed_min(0.0, talk_s) * p.recording_min_micros as f64 } else { 0.0 };
    let total = customer + agents + room + detection + recording;
    Estimate {
        attempts,
        customer_micros: customer,
        agent_micros: agents,
        room_micros: room,
        detection_micros: detection,
        recording_micros: recording,
        total_micros: total,
        per_attempt_micros: if attempts > 0.0 { total / attempts } else { 0.0 },
        numbers_month_micros: p.number_month_micros * settings.caller_ids.len() as u64,
        currency: p.currency.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begun_minutes_count_whole() {
        for (ms, minutes) in [(0, 1), (1, 1), (60_000, 1), (60_001, 2), (80_000, 2), (-5, 1)] {
            assert_eq!(billed_min(Millis::from_ms(ms)), minutes, "{ms}");
        }
    }

    #[test]
    fn the_mean_of_billed_minutes_is_what_drawing_many_gives() {
        for (fixed, mean) in [(0.0, 150.0), (5.0, 150.0), (70.0, 30.0)] {
            let n = 200_000;
            let drawn: f64 = (0..n)
                .map(|i| {
                    let u = (f64::from(i) + 0.5) / f64::from(n);
                    ((fixed - mean * (1.0 - u).ln()) / 60.0).ceil()
                })
                .sum();
            let mean_min = mean_billed_min(fixed, mean);
            assert!((drawn / f64::from(n) - mean_min).abs() < 0.01, "{fixed} {mean}: {mean_min}");
        }
    }

    #[test]
    fn an_estimate_counts_both_legs_detection_and_rooms() {
        let mut settings = Settings::default();
        settings.transfer.mode = TransferMode::OnDemand;
        let assume = Assumptions {
            attempts_per_lead: 1.0,
            person_share: 1.0,
            connected_share: 1.0,
            wait_s: 0.0,
            ..Assumptions::default()
        };
        let got = estimate(&settings, 1_000, &assume);
        let minutes = mean_billed_min(0.0, 150.0) * 1_000.0;
        assert!((got.customer_micros - minutes * 14_000.0).abs() < 1.0);
        assert!((got.agent_micros - minutes * 14_000.0).abs() < 1.0, "the leg that naive tables leave out");
        assert!((got.room_micros - minutes * 2.0 * 1_800.0).abs() < 1.0);
        assert!((got.detection_micros - 1_000.0 * 7_500.0).abs() < 1.0);
        settings.transfer.mode = TransferMode::Standing;
        assert_eq!(estimate(&settings, 1_000, &assume).agent_micros, 0.0, "a standing leg is the shift's cost");
    }

    #[test]
    fn a_budget_sets_money_aside_for_every_call_in_flight() {
        let settings = Settings::default();
        let mut cost = CostPolicy::default();
        assert_eq!(cost.affordable(&settings, i64::MAX, 9), u32::MAX, "no budget, no limit");
        let each = cost.reserve_micros(&settings);
        cost.budget_micros = Some(each * 10);
        assert_eq!(cost.affordable(&settings, 0, 0), 10);
        assert_eq!(cost.affordable(&settings, 0, 4), 6);
        assert_eq!(cost.affordable(&settings, (each * 5) as i64, 4), 1);
        assert_eq!(cost.affordable(&settings, (each * 5) as i64, 5), 0);
        assert_eq!(cost.affordable(&settings, (each * 50) as i64, 0), 0);
    }
}
