//! Planning: which lead next, on which of its numbers, from which caller id, and why nothing is
//! dialled. Pure parts only; stores keep the keys and counters and find rows by them.
//!
//! * [`filing`] gives a lead its place: filter, quotas' segments, order, group of zones.
//! * [`lane`] is that place as an index knows it, and how lanes share the next dials.
//! * [`counts`] are the counters that each commit moves; [`funnel`] reads them for people.

pub mod callback;
pub mod caller_id;
pub mod counts;
pub mod fairness;
pub mod filing;
pub mod filter;
pub mod funnel;
pub mod lane;
pub mod order;
pub mod quota;
