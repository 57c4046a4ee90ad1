//! Appointments: whose turn it is when a callback falls due.

use crate::id::AgentId;
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// How callbacks are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallbackPolicy {
    /// A callback that belongs to an agent goes to anybody this long after its time, if its own
    /// agent has not taken it. `None`: it waits for the agent.
    pub move_after: Option<Millis>,
    /// A callback this long after its time has been missed and becomes an ordinary lead again.
    pub missed_after: Millis,
}

impl Default for CallbackPolicy {
    fn default() -> Self {
        CallbackPolicy { move_after: Some(Millis::from_mins(15)), missed_after: Millis::from_days(2) }
    }
}

/// Whose turn a callback is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Not before then.
    Later(Timestamp),
    /// This agent's alone; nobody else's before `until`.
    Own {
        /// Whose.
        agent: AgentId,
        /// When it becomes anybody's; [`Timestamp::NEVER`] if it does not.
        until: Timestamp,
    },
    /// Anybody's, before all ordinary leads.
    Anyone,
    /// Missed: an ordinary lead again.
    Missed,
}

/// Whose turn the callback at `at` is.
pub fn turn(at: Timestamp, owner: Option<AgentId>, policy: &CallbackPolicy, now: Timestamp) -> Turn {
    if now < at {
        return Turn::Later(at);
    }
    if now - at >= policy.missed_after {
        return Turn::Missed;
    }
    match owner {
        None => Turn::Anyone,
        Some(agent) => {
            let until = policy.move_after.map_or(Timestamp::NEVER, |after| at + after);
            if now < until { Turn::Own { agent, until } } else { Turn::Anyone }
        }
    }
}

/// The rank of a lead that is due: callbacks that an agent owns first (while that agent is free),
/// then anybody's callbacks, then ordinary leads. `None`: not to be dialled now.
pub fn rank(turn: Option<Turn>, is_free: impl Fn(AgentId) -> bool) -> Option<u8> {
    match turn {
        Some(Turn::Later(_)) => None,
        Some(Turn::Own { agent, .. }) => is_free(agent).then_some(0),
        Some(Turn::Anyone) => Some(1),
        Some(Turn::Missed) | None => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenantId;

    #[test]
    fn a_callback_passes_from_its_agent_to_anybody_to_the_rest() {
        let policy = CallbackPolicy::default();
        let agent = AgentId::small(TenantId(1), 7);
        let at = Timestamp::from_secs(1_000_000);
        let min = |m| at + Millis::from_mins(m);
        let turn_at = |now| turn(at, Some(agent), &policy, now);
        assert_eq!(turn_at(at - Millis::from_ms(1)), Turn::Later(at));
        assert_eq!(turn_at(at), Turn::Own { agent, until: min(15) });
        assert_eq!(turn_at(min(15) - Millis::from_ms(1)), Turn::Own { agent, until: min(15) });
        assert_eq!(turn_at(min(15)), Turn::Anyone);
        assert_eq!(turn_at(at + Millis::from_days(2)), Turn::Missed);
        assert_eq!(turn(at, None, &policy, at), Turn::Anyone);
        let waits = CallbackPolicy { move_after: None, ..policy };
        assert_eq!(turn(at, Some(agent), &waits, min(600)), Turn::Own { agent, until: Timestamp::NEVER });
    }

    #[test]
    fn owned_callbacks_go_first_and_only_while_their_agent_is_free() {
        let agent = AgentId::small(TenantId(1), 7);
        let own = Some(Turn::Own { agent, until: Timestamp::NEVER });
        assert_eq!(rank(own, |a| a == agent), Some(0));
        assert_eq!(rank(own, |_| false), None);
        assert_eq!(rank(Some(Turn::Anyone), |_| false), Some(1));
        assert_eq!(rank(None, |_| false), Some(2));
        assert_eq!(rank(Some(Turn::Later(Timestamp::NEVER)), |_| true), None);
    }
}
