//! What people do, as they would do it through an engine.

use crate::dice::Dice;
use crate::world::TENANT;
use autocall_core::agent::{AgentEvent, Status};
use autocall_core::engine::{Engine, EngineError, Task};
use autocall_core::lead::Callback;
use autocall_core::ports::Listing;
use autocall_core::{AgentId, Millis, Phone, Timestamp};

type Done = Result<Vec<Task>, EngineError>;

/// Puts a number on the tenant's list.
pub(super) async fn list(engine: &Engine, phone: Phone) -> Done {
    let listing = Listing { phone, campaign: None, reason: "test".into(), source: "test".into(), until: None };
    engine.suppress(TENANT, vec![listing]).await
}

/// An agent comes, and has their standing leg dialled where the campaign needs one.
pub(super) async fn come(engine: &Engine, agent: AgentId, stands: Option<(Phone, u32)>) -> Done {
    let mut tasks = engine.agent_event(agent, &AgentEvent::Status(Status::Available)).await?;
    if let Some((from, call_ms_max)) = stands {
        match engine.stand(agent, from, call_ms_max).await {
            Ok(more) => tasks.extend(more),
            Err(EngineError::NotNow(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(tasks)
}

/// What an agent says about a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) code: &'static str,
    at: Timestamp,
    mine: bool,
}

impl Word {
    pub(super) fn draw(dice: &mut Dice, now: Timestamp) -> Word {
        let codes = ["callback", "callback", "again", "again", "success", "wrong_number", "do_not_call"];
        let code = codes[dice.below(codes.len() as u64) as usize];
        let at = now + dice.between(Millis::from_secs(20), Millis::from_secs(180));
        Word { code, at, mine: dice.chance(0.5) }
    }
    /// The appointment, with the agent who makes it or with anybody.
    pub(super) fn callback(self, agent: Option<AgentId>) -> Callback {
        Callback { at: self.at, agent: agent.filter(|_| self.mine) }
    }
}
