//! The pure half of a transaction: a snapshot and an event in, changes and effects out.

use super::ledger;
use crate::agent::{Agent, Hold, State};
use crate::call::{Call, Context, Effect, Effects, Event, FreeAgent, Load, PERMIT_TTL, Stop};
use crate::campaign;
use crate::lead::{Lead, LeadEvent};
use crate::outcome::Outcome;
use crate::permission::history::Happened;
use crate::phone::Phone;
use crate::planning::counts::CountKey;
use crate::planning::filing::Filing;
use crate::ports::{Capabilities, Changes, Guard, GuardValue, LeadCounts, Line, Listing, Put, Snapshot, Versioned};
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};
use smallvec::SmallVec;

/// A call is never looked at again sooner than this without an event: a bound on busy loops.
const WAKE_MIN: Millis = Millis::from_ms(100);

/// What was decided.
pub(super) struct Decision {
    /// The call as it shall be.
    pub(super) call: Call,
    /// What follows once it is committed.
    pub(super) effects: Effects,
    /// What must be committed; `None` where the event changed nothing.
    pub(super) changes: Option<Box<Changes>>,
    /// The agents concerned, as they shall be.
    pub(super) agents: SmallVec<[Agent; 2]>,
}

/// Decides what an event does.
pub(super) fn decide(snap: &Snapshot, event: &Event, now: Timestamp, can: Capabilities) -> Decision {
    let settings = &snap.campaign.settings;
    let mut call = snap.call.row.clone();
    // Who is free, or kept free for this very call.
    let may_take =
        |a: &&Versioned<Agent>| a.row.is_free() || a.row.state == (State::Held { call: call.id, hold: Hold::Reserved });
    let free: SmallVec<[FreeAgent; 8]> = snap.agents.iter().filter(may_take).map(|a| free(&a.row)).collect();
    let ctx = Context { settings, free: &free };
    let mut effects = Effects::new();
    if is_to_stop(snap) {
        effects.extend(call.handle(&Event::Stop(Stop::Listed), &ctx, now));
    }
    // Whoever finished the campaign may have missed this call, or crashed before telling it.
    if snap.campaign.state == campaign::State::Finished && call.stopped.is_none() {
        effects.extend(call.handle(&Event::Stop(Stop::Campaign), &ctx, now));
    }
    effects.extend(call.handle(event, &ctx, now));
    let idle = call == snap.call.row && *event != Event::Tick;
    if idle {
        return Decision { call, effects, changes: None, agents: SmallVec::new() };
    }
    let mut changes = Box::new(Changes::new(call.id.tenant(), now));
    let wake_at = call.wake_at(settings, now).max(now + WAKE_MIN);
    changes.calls.push((Put { row: call.clone(), expected: snap.call.version }, wake_at));
    let agents = move_agents(snap, &effects, &mut changes, now);
    ask_permits(&call, &effects, &mut changes, now);
    let mut load = call.load();
    load.add(&snap.call.row.load(), -1);
    let ledger = ledger::differences(&snap.call.row, &call, settings);
    let spent = if call.is_settled() { crate::cost::of_call(&call, settings) } else { 0 };
    if load != Load::default() || !ledger.is_empty() || spent > 0 {
        let tally = changes.tally(call.plan.campaign);
        tally.load = load;
        tally.ledger = ledger;
        tally.spent_micros = i64::try_from(spent).unwrap_or(i64::MAX);
    }
    // At once, and not when the talk is over: an answer rate of settled calls alone would lag.
    if call.customer().facts.is_answered() && !snap.call.row.customer().facts.is_answered() {
        changes.shown.push((call.plan.from, true));
    }
    touch_lead(snap, &call, &effects, &mut changes, now, can);
    Decision { call, effects, changes: Some(changes), agents }
}

/// A person who asked not to be called has refused, whatever the call comes to.
pub(super) fn refused(snap: &Snapshot, changes: &mut Changes, now: Timestamp) {
    let dialled_at = snap.call.row.created_at;
    for guard in &snap.guards {
        let mut value = guard.value.clone();
        match &mut value {
            GuardValue::Number(number) => number.history.settled(Happened::Refused, dialled_at, now),
            GuardValue::Person(person) => person.history.settled(Happened::Refused, dialled_at, now),
            _ => continue,
        }
        changes.guards.push(Put { row: Guard { value, ..guard.clone() }, expected: guard.version });
    }
}

/// Whether the number was listed while the call lives on it, and nobody has acted on that yet.
fn is_to_stop(snap: &Snapshot) -> bool {
    let call = &snap.call.row;
    let marked = |g: &Guard| matches!(&g.value, GuardValue::Number(n) if n.stop == Some(call.id));
    !matches!(call.stopped, Some((Stop::Listed, _))) && snap.guards.iter().any(marked)
}

fn free(agent: &Agent) -> FreeAgent {
    FreeAgent { agent: agent.id, standing: agent.is_standing() }
}

/// Runs the agents' own machines.
fn move_agents(snap: &Snapshot, effects: &Effects, changes: &mut Changes, now: Timestamp) -> SmallVec<[Agent; 2]> {
    let mut moved: SmallVec<[Versioned<Agent>; 2]> = SmallVec::new();
    for effect in effects {
        let Effect::Agent { agent, event } = effect else { continue };
        if !moved.iter().any(|a| a.row.id == *agent) {
            moved.extend(snap.agents.iter().find(|a| a.row.id == *agent).cloned());
        }
        if let Some(it) = moved.iter_mut().find(|a| a.row.id == *agent) {
            it.row.missed_max = snap.campaign.settings.transfer.missed_offers_max;
            it.row.handle(event, now);
        }
    }
    let put = |a: &Versioned<Agent>| Put { row: a.row.clone(), expected: a.version };
    changes.agents.extend(moved.iter().map(put));
    moved.into_iter().map(|a| a.row).collect()
}

fn ask_permits(call: &Call, effects: &Effects, changes: &mut Changes, now: Timestamp) {
    for effect in effects {
        if let Effect::Offer { leg, .. } | Effect::Bring { leg } = effect {
            changes.permits.push((Line::Leg(call.leg_id(*leg)), now + PERMIT_TTL));
        }
    }
}

/// Settles the lead and its guards, and lists a number whose owner opted out.
fn touch_lead(
    snap: &Snapshot,
    call: &Call,
    effects: &Effects,
    changes: &mut Changes,
    now: Timestamp,
    can: Capabilities,
) {
    let settings = &snap.campaign.settings;
    let mut lead = snap.lead.row.clone();
    let mut changed = false;
    for effect in effects {
        match effect {
            // It is the person who does not want to be called, on none of their numbers.
            Effect::OptOut => {
                for phone in every_number(&lead, call.plan.to) {
                    changes.listings.push(opt_out(call, phone));
                    changed |= lead.handle(&LeadEvent::Listed { phone }, settings, now);
                }
            }
            Effect::Settle { outcome } => {
                let rest_until = rest_until(call, *outcome, &can);
                let event = LeadEvent::Settled {
                    call: call.id,
                    outcome: *outcome,
                    number_index: index_of(&lead, call.plan.to),
                    rest_until,
                };
                changed |= lead.handle(&event, settings, now);
                changes.records.extend(call.record());
                count_settled(call, *outcome, settings, changes);
                release_guards(snap, call, *outcome, rest_until, changes);
            }
            _ => {}
        }
    }
    if changed {
        refile(&mut lead, settings);
        put_lead(&snap.lead, lead, changes);
    }
}

/// Judges a lead's place anew where the campaign's expressions ask about calls.
pub(super) fn refile(lead: &mut Lead, settings: &Settings) {
    if settings.filter.is_empty() && settings.quotas.is_empty() {
        return;
    }
    // Expressions that do not compile keep a campaign from starting; here everything stays.
    if let Ok(filing) = Filing::of(settings)
        && filing.follows_calls()
    {
        filing.judge(lead);
    }
}

/// What a settled call counts for: its quotas, and, where nobody answered, the number that it showed.
fn count_settled(call: &Call, outcome: Outcome, settings: &Settings, changes: &mut Changes) {
    for name in &call.plan.quotas {
        let counts = &mut changes.tally(call.plan.campaign).counts;
        counts.add(CountKey::QuotaInFlight(name.clone()), -1);
        let quota = settings.quotas.iter().find(|q| *q.name == **name);
        if quota.is_some_and(|q| q.counts(outcome.name())) {
            counts.add(CountKey::QuotaDone(name.clone()), 1);
        }
    }
    // Only what reached the network says something about the number that was shown.
    let told = !matches!(
        outcome,
        Outcome::Canceled | Outcome::InvalidNumber | Outcome::Unreachable | Outcome::RefusedByCarrier | Outcome::Lost
    );
    if told && !call.customer().facts.is_answered() {
        changes.shown.push((call.plan.from, false));
    }
}

/// Writes a lead and counts its move.
pub(super) fn put_lead(before: &Versioned<Lead>, after: Lead, changes: &mut Changes) {
    let mut leads = LeadCounts::of(&after);
    leads.add(&LeadCounts::of(&before.row), -1);
    if leads != LeadCounts::default() {
        changes.tally(after.campaign).leads.add(&leads, 1);
    }
    changes.leads.push(Put { row: after, expected: before.version });
}

/// After a lost call the number rests for as long as the carrier may still hold it.
fn rest_until(call: &Call, outcome: Outcome, can: &Capabilities) -> Timestamp {
    if outcome == Outcome::Lost && !can.absence_is_proof { call.created_at + can.queue_hold } else { Timestamp::EPOCH }
}

/// Every number of a person, and the one that was called where it has been edited away meanwhile.
pub(super) fn every_number(lead: &Lead, called: Phone) -> SmallVec<[Phone; 4]> {
    let mut numbers: SmallVec<[Phone; 4]> = lead.numbers.iter().map(|n| n.phone).collect();
    if !numbers.contains(&called) {
        numbers.push(called);
    }
    numbers
}

/// Where the called number stands in the lead now; beyond the end where it has been edited away.
pub(super) fn index_of(lead: &Lead, called: Phone) -> u8 {
    let at = lead.numbers.iter().position(|n| n.phone == called);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn opt_out(call: &Call, phone: Phone) -> Listing {
    Listing { phone, campaign: None, reason: "opt-out".into(), source: format!("call {}", call.id).into(), until: None }
}

/// The number and the person are free for another call, and remember how this one ended.
fn release_guards(snap: &Snapshot, call: &Call, outcome: Outcome, rest_until: Timestamp, changes: &mut Changes) {
    let opted_out = call.customer().facts.opted_out_at.is_some();
    let happened = if opted_out { Happened::Refused } else { Happened::from(outcome) };
    let (dialled_at, now) = (call.created_at, changes.at);
    for guard in &snap.guards {
        let mut value = guard.value.clone();
        match &mut value {
            GuardValue::Number(number) if number.live == Some(call.id) => {
                number.live = None;
                number.stop = None;
                number.history.settled(happened, dialled_at, now);
                if rest_until > now {
                    number.history.rest(rest_until);
                }
            }
            GuardValue::Person(person) if person.live == Some(call.id) => {
                person.live = None;
                person.history.settled(happened, dialled_at, now);
            }
            _ => continue,
        }
        changes.guards.push(Put { row: Guard { value, ..guard.clone() }, expected: guard.version });
    }
}
