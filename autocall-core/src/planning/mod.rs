//! Planning: which lead next, on which of its numbers, from which caller id, and why nothing is
//! dialled. Pure parts only; stores keep the keys and counters and find rows by them.

pub mod callback;
pub mod caller_id;
pub mod fairness;
pub mod filter;
pub mod funnel;
pub mod order;
pub mod quota;
pub mod rotation;
