//! The Agent machine.

use super::table::{Row, page as render};
use autocall_core::agent::{Address, Agent, AgentEvent, Hold, State, Status};
use autocall_core::id::{AgentId, CallId, PoolId, TenantId};
use autocall_core::{Millis, Phone, Timestamp};

const TENANT: TenantId = TenantId(1);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn call(n: u128) -> CallId {
    CallId::small(TENANT, n)
}

fn agent(status: Status, state: State) -> Agent {
    let address = Address::Phone(Phone::from_digits(14_155_550_199).expect("valid"));
    let mut agent = Agent::new(AgentId::small(TENANT, 1), PoolId::small(TENANT, 1), "Ann".into(), address, NOW);
    (agent.status, agent.state) = (status, state);
    agent
}

fn events() -> Vec<(&'static str, AgentEvent, Timestamp)> {
    let hold = |n, hold| AgentEvent::Hold { call: call(n), hold };
    let release = |n, missed, wrap_up_ms| AgentEvent::Release { call: call(n), missed, wrap_up_ms };
    let later = NOW + Millis::from_mins(2);
    vec![
        ("chooses available", AgentEvent::Status(Status::Available), NOW),
        ("chooses away", AgentEvent::Status(Status::Away("lunch".into())), NOW),
        ("goes offline", AgentEvent::Status(Status::Offline), NOW),
        ("call 1 reserves", hold(1, Hold::Reserved), NOW),
        ("call 1 rings", hold(1, Hold::Ringing), NOW),
        ("call 1 connects", hold(1, Hold::Talking), NOW),
        ("call 2 reserves", hold(2, Hold::Reserved), NOW),
        ("call 1 lets go, it was missed", release(1, true, 0), NOW),
        ("call 1 ends, 20 s to write up", release(1, false, 20_000), NOW),
        ("call 2 ends", release(2, false, 20_000), NOW),
        ("done writing up", AgentEvent::Ready, NOW),
        ("done writing up call 1", AgentEvent::Written { call: call(1) }, NOW),
        ("done writing up call 2", AgentEvent::Written { call: call(2) }, NOW),
        ("2 minutes pass", AgentEvent::Tick, later),
    ]
}

fn state(agent: &Agent) -> String {
    let what = match agent.state {
        State::Idle => "idle".to_owned(),
        State::Held { hold, .. } => format!("{hold:?}").to_lowercase(),
        State::WrapUp { .. } => "wrap-up".into(),
    };
    let status = match &agent.status {
        Status::Available => "available".to_owned(),
        Status::Away(reason) => format!("away: {reason}"),
        Status::Offline => "offline".into(),
    };
    format!("{what} ({status})")
}

pub(crate) fn page() -> String {
    let held = |hold| State::Held { call: call(1), hold };
    let wrap_up = State::WrapUp { call: call(1), until: NOW + Millis::from_mins(1) };
    let states = [State::Idle, held(Hold::Reserved), held(Hold::Ringing), held(Hold::Talking), wrap_up];
    let mut rows = Vec::new();
    for start in states {
        for (name, event, now) in events() {
            let before = agent(Status::Available, start);
            let mut after = before.clone();
            after.handle(&event, now);
            let missed = if after.missed > before.missed { "one more missed" } else { "" };
            rows.push(Row { from: state(&before), event: name.into(), to: state(&after), effects: missed.into() });
        }
    }
    let words = "*Status* is the person's choice; *state* is what calls do to them. Only the call that holds an agent \
                 can move or release them: a late release of one call never frees an agent from another.";
    render("The Agent machine", words, &rows)
}
