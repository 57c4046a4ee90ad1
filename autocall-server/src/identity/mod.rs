//! Who is asking: users, sessions, keys, and what they may do.
//!
//! A request carries only keys of things; the tenant comes from the principal found here, never
//! from the request.

pub mod keys;
pub mod lockout;
pub mod password;
pub mod principal;
pub mod role;
pub mod sessions;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod users;

pub use principal::{Actor, Principal};
pub use role::{Right, Rights, Role, Rule};
