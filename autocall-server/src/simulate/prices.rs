//! What things cost. A carrier's prices change: take these for a plan, not for a bill.

use autocall_testkit::carrier::Usage;
use serde::{Deserialize, Serialize};

/// Prices in US dollars. The defaults are list prices for US calls as found in public sources.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// A minute of a leg to a customer.
    pub customer_min: f64,
    /// A minute of a leg to an agent.
    pub agent_min: f64,
    /// A minute of one participant in a room.
    pub room_min: f64,
    /// A detection.
    pub detection: f64,
    /// An agent's hour at work, breaks excluded; 0 leaves wages out.
    pub agent_hour: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Prices { customer_min: 0.014, agent_min: 0.014, room_min: 0.0018, detection: 0.0075, agent_hour: 0.0 }
    }
}

/// What it comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Legs to customers.
    pub customers: f64,
    /// Legs to agents.
    pub agents: f64,
    /// Rooms.
    pub rooms: f64,
    /// Detection.
    pub detection: f64,
    /// Wages.
    pub wages: f64,
    /// All of it.
    pub total: f64,
}

impl Prices {
    /// Prices what was used.
    pub fn cost(&self, used: &Usage, at_work_ms: i64) -> Cost {
        let times = |n: u64, price: f64| n as f64 * price;
        let mut cost = Cost {
            customers: times(used.customer_min, self.customer_min),
            agents: times(used.agent_min, self.agent_min),
            rooms: times(used.room_min, self.room_min),
            detection: times(used.detections, self.detection),
            wages: at_work_ms as f64 / 3_600_000.0 * self.agent_hour,
            total: 0.0,
        };
        cost.total = cost.customers + cost.agents + cost.rooms + cost.detection + cost.wages;
        cost
    }
}
