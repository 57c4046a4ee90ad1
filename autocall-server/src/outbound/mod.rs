//! Outbound webhooks: committed records, signed by the Standard Webhooks scheme, delivered in
//! order, again and again until they are taken.

pub mod deliver;
pub mod hook;
pub mod sign;
pub mod target;
