//! What a tester may ask of the fake, in process and under `/fake/…` (JSON, loopback only):
//!
//! | request | what |
//! |---|---|
//! | `GET /fake/log?since=N` | the log from entry N, at most 10,000 entries |
//! | `GET /fake/dials` | every call that left for the network |
//! | `GET /fake/stats` | counters |
//! | `POST /fake/people` | `{number, people: [Person…]}`: who answers, one a call; the last stays |
//! | `POST /fake/faults` | replaces the faults |
//! | `POST /fake/numbers` | `{number, voice_url, status_callback?}`: one of the first account's own numbers |
//! | `POST /fake/inbound` | `{from, to, person?}`: somebody calls one of our numbers |
//! | `POST /fake/calls/{sid}/press` | `{digits}`: a key in a running gather |
//! | `POST /fake/calls/{sid}/hangup` | the person hangs up |

use super::config::{Faults, OwnNumber};
use super::line::{Plan, live};
use super::people::Person;
use super::rest::{Answer, Ask};
use super::rest_calls::{NewCall, insert};
use super::server::FakeTwilio;
use super::world::{Command, Dialled, Entry, Hook, Shared, Source, Stats};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ENTRIES_MAX: usize = 10_000;

impl FakeTwilio {
    /// Says who answers this number: one person a call, and the last one ever after. An empty
    /// list goes back to what the number itself says.
    pub fn set_person(&self, number: &str, people: Vec<Person>) {
        self.shared.world().people.insert(number.to_owned(), people.into());
    }
    /// Replaces the faults.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.world().faults = faults;
    }
    /// The log from entry `since`, at most 10,000 entries.
    pub fn log(&self, since: u64) -> Vec<Entry> {
        self.shared.world().log_since(since, ENTRIES_MAX)
    }
    /// Every call that left for the network, oldest first.
    pub fn dialled(&self) -> Vec<Dialled> {
        self.shared.world().dialled.clone()
    }
    /// The names of the parameters that were sent with POST, by resource; ids are left out
    /// (`Calls/{}.json`).
    pub fn asked(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.shared.world().asked.clone()
    }
    /// Counters.
    pub fn stats(&self) -> Stats {
        self.shared.world().stats()
    }
    /// Somebody presses keys; `false` if there is no such call.
    pub fn press(&self, call: &str, digits: &str) -> bool {
        press(&self.shared, call, digits)
    }
    /// Somebody hangs up; `false` if there is no such call.
    pub fn hang_up(&self, call: &str) -> bool {
        hang_up(&self.shared, call)
    }
    /// Gives an account a number of its own, or the number another address.
    pub fn set_number(&self, account: &str, number: OwnNumber) {
        set_number(&self.shared, account, number);
    }
    /// Somebody calls one of our numbers; the call's id, or `None` if nobody has that number.
    pub fn inbound(&self, from: &str, to: &str, person: Person) -> Option<String> {
        inbound(&self.shared, from, to, person)
    }
    /// The status of a call, as REST has it.
    pub fn call_status(&self, call: &str) -> Option<&'static str> {
        self.shared.world().calls.get(call).map(|c| c.status.text())
    }
    /// The live conferences: name, and the labels of those inside.
    pub fn conferences(&self) -> Vec<(String, Vec<String>)> {
        let world = self.shared.world();
        let live = world.conferences.values().filter(|c| c.status != "completed");
        live.map(|c| (c.name.clone(), c.participants.iter().map(|p| p.label.clone()).collect())).collect()
    }
}

fn set_number(shared: &Arc<Shared>, account: &str, number: OwnNumber) {
    let mut world = shared.world();
    world.numbers.retain(|(_, n)| n.number != number.number);
    world.numbers.push((account.to_owned(), number));
}

fn press(shared: &Arc<Shared>, call: &str, digits: &str) -> bool {
    shared.world().calls.get(call).is_some_and(|c| c.keys.try_send(digits.to_owned()).is_ok())
}

fn hang_up(shared: &Arc<Shared>, call: &str) -> bool {
    shared.world().calls.get(call).is_some_and(|c| c.commands.try_send(Command::Hangup).is_ok())
}

fn inbound(shared: &Arc<Shared>, from: &str, to: &str, person: Person) -> Option<String> {
    let (account, own) = shared.world().numbers.iter().find(|(_, n)| n.number == to).cloned()?;
    let new = NewCall {
        account,
        to: to.to_owned(),
        from: from.to_owned(),
        direction: "inbound",
        hook: Hook { url: own.status_callback.clone(), method: "POST".into(), events: vec!["completed".into()] },
        call_ms_max: 14_400_000,
        person: Some(person),
        ..NewCall::default()
    };
    let (sid, commands, keys) = insert(shared, new);
    let source = Source::Fetch { url: own.voice_url, method: "POST".into(), fields: Vec::new() };
    tokio::spawn(live(shared.clone(), sid.clone(), Plan::Inbound(source), commands, keys));
    Some(sid)
}

#[derive(Deserialize)]
struct People {
    number: String,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Inbound {
    from: String,
    to: String,
    #[serde(default)]
    person: Person,
}

#[derive(Deserialize)]
struct Keys {
    digits: String,
}

/// Answers `/fake/…`.
pub(crate) fn serve(shared: &Arc<Shared>, ask: &Ask, body: &[u8]) -> Answer {
    let path: Vec<&str> = ask.path.trim_start_matches("/fake/").split('/').collect();
    let done = |fine: bool| {
        if fine { Answer::json(200, &json!({"ok": true})) } else { Answer::json(404, &json!({"ok": false})) }
    };
    match (ask.method.as_str(), path.as_slice()) {
        ("GET", ["log"]) => {
            let since = ask.filter("since").and_then(|s| s.parse().ok()).unwrap_or(0);
            Answer::json(200, &json!(shared.world().log_since(since, ENTRIES_MAX)))
        }
        ("GET", ["dials"]) => Answer::json(200, &json!(shared.world().dialled)),
        ("GET", ["stats"]) => Answer::json(200, &json!(shared.world().stats())),
        ("POST", ["people"]) => read::<People>(body, |p| {
            shared.world().people.insert(p.number, p.people.into());
            done(true)
        }),
        ("POST", ["faults"]) => read::<Faults>(body, |f| {
            shared.world().faults = f;
            done(true)
        }),
        ("POST", ["numbers"]) => read::<OwnNumber>(body, |n| {
            let account = shared.config.accounts.first().map(|a| a.sid.clone()).unwrap_or_default();
            set_number(shared, &account, n);
            done(true)
        }),
        ("POST", ["inbound"]) => read::<Inbound>(body, |i| match inbound(shared, &i.from, &i.to, i.person) {
            Some(sid) => Answer::json(201, &json!({ "sid": sid })),
            None => done(false),
        }),
        ("POST", ["calls", sid, "press"]) => read::<Keys>(body, |k| done(press(shared, sid, &k.digits))),
        ("POST", ["calls", sid, "hangup"]) => done(hang_up(shared, sid)),
        _ => done(false),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8], then: impl FnOnce(T) -> Answer) -> Answer {
    match serde_json::from_slice(body) {
        Ok(value) => then(value),
        Err(e) => Answer::json(400, &json!({ "error": e.to_string() })),
    }
}
