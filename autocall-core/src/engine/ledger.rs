//! What a call adds to its campaign's abandonment ledger, as a function of its state. Committed
//! as differences, so the ledger is always the sum over all calls, whatever crashed.

use crate::call::{Call, Stage};
use crate::outcome::Outcome;
use crate::pacing::{CountsDelta, DayKey, LedgerDelta, StartPoint};
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;

/// The change from one state of a call to the next.
pub(super) fn differences(before: &Call, after: &Call, settings: &Settings) -> SmallVec<[LedgerDelta; 2]> {
    let (was, is) = (share(before, settings), share(after, settings));
    let mut deltas = SmallVec::new();
    if was == is {
        return deltas;
    }
    if was.key == is.key {
        let reviewed = is.reviewed.saturating_sub(was.reviewed);
        let reviewed_people = is.reviewed_people.saturating_sub(was.reviewed_people);
        let counts = minus(is.counts, was.counts);
        deltas.push(LedgerDelta { counts, open: is.open - was.open, reviewed, reviewed_people, ..is });
    } else {
        deltas.push(LedgerDelta { counts: minus(CountsDelta::default(), was.counts), open: -was.open, ..was });
        deltas.push(is);
    }
    deltas
}

/// What a call adds when it is created.
pub(super) fn opening(call: &Call, settings: &Settings) -> LedgerDelta {
    share(call, settings)
}

/// What a call adds in its present state.
fn share(call: &Call, settings: &Settings) -> LedgerDelta {
    let answered_at = call.customer().facts.answer_at();
    let at_risk = !call.plan.agentless
        && call.plan.for_agent.is_none()
        // Whoever was served and is handed on can no longer be abandoned.
        && call.agent.is_none()
        && matches!(call.stage, Stage::Dialing | Stage::Seeking { .. } | Stage::Offering { .. });
    let key = DayKey::at(answered_at.unwrap_or(call.created_at), &settings.zone());
    LedgerDelta {
        counts: counts(call, settings),
        open: i32::from(at_risk),
        reviewed: u32::from(call.reviewed.is_some()),
        reviewed_people: u32::from(call.reviewed == Some(true)),
        rolling_hours: settings.pacing.ledger.rolling_hours,
        ..LedgerDelta::at(key)
    }
}

fn counts(call: &Call, settings: &Settings) -> CountsDelta {
    match call.outcome() {
        Some(Outcome::Machine | Outcome::VoicemailLeft | Outcome::Fax) => return CountsDelta::machine(),
        Some(outcome) if outcome.is_abandonment() => return CountsDelta::given_up(is_avoidable(call, settings)),
        Some(Outcome::Connected | Outcome::MessagePlayed) | None => {}
        Some(_) => return CountsDelta::default(),
    }
    if !call.person_answered(settings) {
        return CountsDelta::default();
    }
    if call.gave_up_at.is_some() {
        return CountsDelta::given_up(is_avoidable(call, settings));
    }
    match (call.connected_at(), clock_start(call, settings)) {
        (Some(met), Some(start)) if met - start > deadline(settings) => CountsDelta::late(is_avoidable(call, settings)),
        _ => CountsDelta::served(),
    }
}

fn deadline(settings: &Settings) -> Millis {
    Millis::from_ms(i64::from(settings.pacing.ledger.deadline_ms))
}

/// Whether fewer dials would have helped. Not where an agent let the person pass, and not where
/// one was asked in time and was slow to accept.
fn is_avoidable(call: &Call, settings: &Settings) -> bool {
    let asked_in_time = clock_start(call, settings)
        .is_some_and(|start| call.legs.iter().skip(1).any(|leg| leg.dialled_at - start <= deadline(settings)));
    call.passed.is_empty() && !asked_in_time
}

/// From when the wait for an agent counts. Carriers do not say when a greeting began: the pick-up
/// stands for it, which is the stricter reading.
fn clock_start(call: &Call, settings: &Settings) -> Option<Timestamp> {
    let facts = &call.customer().facts;
    let verdict_at = facts.verdict.map(|v| v.1);
    match settings.pacing.ledger.start {
        StartPoint::Connected | StartPoint::GreetingStart => facts.answer_at(),
        _ => facts.greeting_end_at.or(verdict_at).or(facts.answer_at()),
    }
}

fn minus(a: CountsDelta, b: CountsDelta) -> CountsDelta {
    let (a, b): ([i32; 7], [i32; 7]) = (a.into(), b.into());
    std::array::from_fn(|i| a[i] - b[i]).into()
}
