//! A carrier that says nothing, ever: no webhook, no answer to a look-up. The call must not wait
//! for it for ever, because its number, its line and its lead wait with it.

use autocall_core::call::{Call, CallPlan, Context, Effect, Event, LegFacts, ProviderRef, Stage, Stop};
use autocall_core::settings::{Settings, TransferMode};
use autocall_core::{CallId, Millis, Outcome, TenantId, Timestamp};
use std::sync::Arc;

#[path = "shared/plan.rs"]
mod plan;

use plan::plan;

const TENANT: TenantId = TenantId(1);
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

fn call() -> Call {
    let plan = CallPlan { voicemail_allowed: false, abandonment_allowed: false, ..plan(TransferMode::OnDemand) };
    Call::new(CallId::small(TENANT, 1), Arc::new(plan), START)
}

/// Ticks until the call settles; how it ended, after how long, and how often it was looked up.
fn left_alone(mut call: Call) -> (Outcome, Millis, usize) {
    let settings = Settings::default();
    let context = Context { settings: &settings, free: &[] };
    let (mut now, mut looks) = (START, 0);
    for _ in 0..2_000 {
        if let Stage::Settled { at, outcome } = call.stage {
            return (outcome, at - START, looks);
        }
        let wake = call.wake_at(&settings, now);
        assert!(wake != Timestamp::NEVER, "an unsettled call wakes again: {:?}", call.stage);
        now = wake.max(now + Millis::from_ms(1));
        let effects = call.handle(&Event::Tick, &context, now);
        looks += effects.iter().filter(|effect| matches!(effect, Effect::LookUp { .. })).count();
    }
    panic!("the call does not settle");
}

#[test]
fn a_call_that_is_never_heard_of_ends_as_lost() {
    let (outcome, after, looks) = left_alone(call());
    assert_eq!(outcome, Outcome::Lost);
    assert!(looks >= 100 && after < Millis::from_hours(12), "{looks} look-ups in {after}");
}

#[test]
fn a_call_that_falls_silent_after_ringing_ends_as_unanswered() {
    let mut call = call();
    let facts = LegFacts { provider: Some(ProviderRef::from("CA1")), ringing_at: Some(START), ..LegFacts::default() };
    let settings = Settings::default();
    call.handle(&Event::Facts { leg: 0, facts }, &Context { settings: &settings, free: &[] }, START);
    let (outcome, after, looks) = left_alone(call);
    assert_eq!(outcome, Outcome::NoAnswer);
    assert!(looks >= 100 && after < Millis::from_hours(12), "{looks} look-ups in {after}");
}

#[test]
fn the_last_look_up_gets_a_minute_for_its_answer() {
    let (settings, mut call) = (Settings::default(), call());
    let context = Context { settings: &settings, free: &[] };
    let (mut now, mut last) = (START, START);
    while matches!(call.stage, Stage::Dialing) {
        now = call.wake_at(&settings, now).max(now + Millis::from_ms(1));
        let effects = call.handle(&Event::Tick, &context, now);
        if effects.iter().any(|effect| matches!(effect, Effect::LookUp { .. })) {
            last = now;
        }
    }
    assert_eq!(now - last, Millis::from_secs(60));
}

#[test]
fn a_call_that_we_stopped_and_never_hear_of_again_is_no_attempt() {
    let (settings, mut call) = (Settings::default(), call());
    let context = Context { settings: &settings, free: &[] };
    let facts = LegFacts { provider: Some(ProviderRef::from("CA1")), ..LegFacts::default() };
    call.handle(&Event::Facts { leg: 0, facts }, &context, START);
    call.handle(&Event::Stop(Stop::Listed), &context, START);
    let (outcome, after, _) = left_alone(call);
    assert_eq!((outcome, after), (Outcome::Canceled, Millis::from_hours(3)));
}
