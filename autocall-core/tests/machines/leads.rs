//! The Lead machine.

use super::table::Row;
use autocall_core::id::{CallId, CampaignId, LeadId, TenantId};
use autocall_core::lead::{Callback, Closed, Lead, LeadEvent, Number, Person, State};
use autocall_core::outcome::Abandonment;
use autocall_core::settings::{Settings, Then};
use autocall_core::{Millis, Outcome, Phone, Priority, Timestamp};
use std::sync::Arc;

const TENANT: TenantId = TenantId(1);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn phone(n: u64) -> Phone {
    Phone::from_digits(14_155_552_000 + n).expect("valid")
}

fn lead(state: State) -> Lead {
    let number = |n| Number::new(phone(n));
    Lead {
        id: LeadId::small(TENANT, 1),
        campaign: CampaignId::small(TENANT, 1),
        list: None,
        person: Arc::new(Person::default()),
        person_key: 1,
        numbers: [number(1), number(2)].into_iter().collect(),
        priority: Priority::Normal,
        order: 1,
        filed: Default::default(),
        class: 0,
        state,
        due_at: NOW,
        blocked_by: None,
        attempts: 1,
        tally: Default::default(),
        next_number: 0,
        last: None,
        last_at: None,
        callback: None,
        disposition: None,
    }
}

fn call() -> CallId {
    CallId::small(TENANT, 1)
}

fn tomorrow() -> Callback {
    Callback { at: NOW + Millis::from_days(1), agent: None }
}

fn events() -> Vec<(String, LeadEvent)> {
    let mut all = vec![("dialled".to_owned(), LeadEvent::Dialled { call: call() })];
    let outcomes = Outcome::ALL.iter().filter(|o| !matches!(o, Outcome::Abandoned(a) if *a != Abandonment::NobodyFree));
    for &outcome in outcomes {
        let rest_until = Timestamp::EPOCH;
        all.push((
            format!("settled: {outcome}"),
            LeadEvent::Settled { call: call(), outcome, number_index: 0, rest_until },
        ));
    }
    let until = NOW + Millis::from_hours(3);
    all.push(("denied for 3 h".into(), LeadEvent::Denied { rule: "hours".into(), until }));
    let never = LeadEvent::Denied { rule: "do_not_call_tenant".into(), until: Timestamp::NEVER };
    all.push(("denied for good: on a do-not-call list".into(), never));
    let callback = tomorrow();
    let thens = [
        ("close", Then::Close),
        ("retry after 2 h", Then::RetryAfterMin(120)),
        ("call back tomorrow", Then::Callback),
        ("do not call", Then::DoNotCall),
        ("wrong number", Then::WrongNumber),
        ("keep", Then::Keep),
    ];
    for (name, then) in thens {
        let event = LeadEvent::Disposed { code: name.into(), then, number_index: 0, callback: Some(callback) };
        all.push((format!("agent says: {name}"), event));
    }
    all.push(("its first number is listed".into(), LeadEvent::Listed { phone: phone(1) }));
    all.push(("closed by hand".into(), LeadEvent::Close));
    all.push(("opened by hand".into(), LeadEvent::Reopen));
    all.push(("an appointment is made".into(), LeadEvent::Appoint(callback)));
    all
}

fn state(lead: &Lead) -> String {
    match lead.state {
        State::Open => "open".into(),
        State::Calling { .. } => "calling".into(),
        State::Closed { why } => format!("closed: {}", format!("{why:?}").to_lowercase()),
    }
}

fn what(before: &Lead, after: &Lead) -> String {
    let mut words = Vec::new();
    if after.is_open() && after.due_at != before.due_at {
        let minutes = (after.due_at - NOW).ms() / 60_000;
        words.push(match minutes {
            0 => "due at once".into(),
            m if m % 60 == 0 => format!("due in {} h", m / 60),
            m => format!("due in {m} min"),
        });
    } else if matches!(after.state, State::Calling { .. }) && after.due_at != before.due_at {
        words.push(
            if after.due_at == Timestamp::NEVER { "the outcome decides" } else { "opens again after the call" }.into(),
        );
    }
    if after.next_number != before.next_number {
        words.push("next number".into());
    }
    if after.numbers.iter().filter(|n| n.dropped).count() > before.numbers.iter().filter(|n| n.dropped).count() {
        words.push("number dropped".into());
    }
    if after.callback != before.callback {
        words.push(if after.callback.is_some() { "appointment".into() } else { "appointment taken up".to_owned() });
    }
    if after.attempts != before.attempts {
        words.push(format!("{} attempts", after.attempts));
    }
    if after.blocked_by != before.blocked_by {
        words.push(format!("blocked by {}", after.blocked_by.as_deref().unwrap_or("nothing")));
    }
    words.join(", ")
}

pub(crate) fn page_rows() -> Vec<Row> {
    let settings = Settings::default();
    let dialled = || {
        let mut lead = lead(State::Open);
        lead.attempts = 0;
        lead.handle(&LeadEvent::Dialled { call: call() }, &settings, NOW);
        lead
    };
    let spoken_for = || {
        let mut lead = dialled();
        lead.handle(&LeadEvent::Appoint(tomorrow()), &settings, NOW);
        lead
    };
    let starts = [
        ("open", lead(State::Open)),
        ("calling", dialled()),
        ("calling (an agent said: call back tomorrow)", spoken_for()),
        ("closed: done", lead(State::Closed { why: Closed::Done })),
        ("closed: donotcall", lead(State::Closed { why: Closed::DoNotCall })),
        ("closed: byhand", lead(State::Closed { why: Closed::ByHand })),
    ];
    let mut rows = Vec::new();
    for (from, before) in starts {
        for (name, event) in events() {
            let mut after = before.clone();
            after.handle(&event, &settings, NOW);
            let to = if after.state == before.state { from.to_owned() } else { state(&after) };
            rows.push(Row { from: from.into(), event: name, to, effects: what(&before, &after) });
        }
    }
    rows
}

pub(crate) fn page() -> String {
    let words = "Somebody to be called, with two numbers, one attempt made, and the retry policy that settings begin \
                 with. A lead is settled once per call; what an agent said, or somebody decided by hand, while the \
                 call ran stands over the outcome's rule. What an agent says about a call never opens a lead that \
                 must not be called, or that somebody closed by hand.";
    super::table::page("The Lead machine", words, &page_rows())
}
