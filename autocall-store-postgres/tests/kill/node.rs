//! The program of a node: the engine with its loop, the store, and a server for webhooks.

use crate::network::{ask, serve};
use crate::scene::{Clockwork, PER_SECOND, SPEED};
use async_trait::async_trait;
use autocall_core::call::{LegFacts, ProviderRef};
use autocall_core::engine::run::{Pace, run as run_loop};
use autocall_core::engine::{Engine, Parts, Standard};
use autocall_core::ports::{
    Capabilities, Dial, DialError, DialPermit, Ids, Line, Refusal, Sighting, Silent, Telephony, TelephonyError,
};
use autocall_core::script::Script;
use autocall_core::{AgentId, CallId, Millis, Timestamp};
use autocall_sql::SharedRates;
use autocall_store_postgres::{Options, Sealing, open};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The variable that tells a node what it must know.
pub(crate) const TOLD: &str = "AUTOCALL_KILL_NODE";

/// The carrier, in another process.
struct FarCarrier {
    address: String,
    clock: Clockwork,
}

impl FarCarrier {
    async fn ask(&self, question: Value, patience: Duration) -> Result<Value, TelephonyError> {
        let answer = ask(&self.address, &question, patience).await;
        answer.map_err(|e| TelephonyError::Unavailable(e.kind().to_string()))
    }
}

#[async_trait]
impl Telephony for FarCarrier {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.queue_hold = Millis::from_secs(5);
        can
    }

    async fn dial(&self, permit: DialPermit, dial: &Dial) -> Result<ProviderRef, DialError> {
        let place = dial.not_before - self.clock.now();
        if place > Millis::ZERO {
            tokio::time::sleep(Duration::from_millis(place.ms() as u64) / SPEED).await;
        }
        let now = self.clock.now();
        let patience = Duration::from_millis(permit.remaining(now).ms().max(0) as u64) / SPEED;
        permit.redeem(now).map_err(|_| DialError::Refused(Refusal::Expired))?;
        let question = json!({ "dial": { "line": dial.line, "to": dial.to, "from": dial.from, "account": dial.account,
            "ring_ms_max": dial.ring_ms_max, "call_ms_max": dial.call_ms_max, "amd": dial.amd.is_some() } });
        let told = self.ask(question, patience).await.map_err(|e| DialError::InDoubt(e.to_string()))?;
        serde_json::from_value(told["provider"].clone()).map_err(|e| DialError::InDoubt(e.to_string()))
    }

    async fn steer(&self, line: Line, _: &ProviderRef, _: &str, script: &Script) -> Result<(), TelephonyError> {
        let told = self.ask(json!({ "steer": line, "script": script }), Duration::from_secs(2)).await?;
        if told["up"] == true { Ok(()) } else { Err(TelephonyError::NotUp) }
    }

    async fn lookup(
        &self,
        line: Line,
        _: &str,
        _: Option<&ProviderRef>,
        _: Timestamp,
    ) -> Result<Sighting, TelephonyError> {
        let told = self.ask(json!({ "look_up": line }), Duration::from_secs(2)).await?;
        let facts: Option<LegFacts> =
            serde_json::from_value(told["facts"].clone()).map_err(|e| TelephonyError::Unavailable(e.to_string()))?;
        Ok(facts.map_or(Sighting::Absent, Sighting::Seen))
    }
}

/// Runs until it is killed.
pub(crate) async fn run(told: &str) {
    let mut parts = told.split('|');
    let mut part = || parts.next().expect("four parts");
    let (number, url, carrier, clock) = (part(), part(), part().to_owned(), Clockwork::told_by(part()));
    let options = Options { connections_max: 6, migrate: false, ..Options::new(url) };
    let store = loop {
        match open(&options, Sealing::with(1, [7; 32])).await {
            Ok(store) => break store,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let seed = u128::from(std::process::id()) << 64 | clock.now().ms() as u128;
    let engine = Arc::new(Engine::new(Parts {
        store: Arc::new(store.clone()),
        telephony: Arc::new(FarCarrier { address: carrier.clone(), clock }),
        notifier: Arc::new(Silent),
        rates: Arc::new(SharedRates::new(store, PER_SECOND)),
        clock: Arc::new(clock),
        permission: Arc::new(Standard),
        ids: Ids::seeded(seed),
    }));
    let running = run_loop(engine.clone(), Pace { poll: Duration::from_millis(50), ..Pace::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let inbox = running.inbox.clone();
    serve(listener, move |webhook| {
        let (engine, inbox) = (engine.clone(), inbox.clone());
        async move {
            match hear(&engine, webhook).await {
                Some((answer, tasks)) => {
                    inbox.give(tasks);
                    answer
                }
                None => json!({ "failed": true }),
            }
        }
    });
    // The carrier is told where this node listens, until it has understood.
    let hello = json!({ "hello": address, "node": number });
    while ask(&carrier, &hello, Duration::from_secs(1)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::future::pending::<()>().await;
}

/// A webhook or a click. `None` where the engine could not take it in.
async fn hear(engine: &Engine, webhook: Value) -> Option<(Value, Vec<autocall_core::engine::Task>)> {
    let field = |name: &str| webhook[name].clone();
    if let Ok(agent) = serde_json::from_value::<AgentId>(field("agent")) {
        let call: CallId = serde_json::from_value(field("call")).ok()?;
        let done = if webhook["accepts"] == true {
            engine.answer(call, agent, true).await
        } else {
            engine.hang_up(call).await
        };
        return Some((json!({}), done.ok()?));
    }
    let line: Line = serde_json::from_value(field("line")).ok()?;
    let facts: LegFacts = serde_json::from_value(field("facts")).ok()?;
    let reply = engine.hear(line, facts, webhook["asks"] == true).await.ok()?;
    Some((json!({ "script": reply.script }), reply.tasks))
}
