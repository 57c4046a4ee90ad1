//! Twilio as a carrier for autocall: REST, call script as TwiML, signed webhooks.
//!
//! * [`Twilio`] implements the telephony port over REST.
//! * [`webhook::Webhooks::serve`] is one `http::Request -> http::Response` function.
//! * [`render`] writes every [`autocall_core::script::Script`] as TwiML; parsing webhooks is pure
//!   too ([`webhook::line_facts`]).
//!
//! Compatible carriers differ in their [`account::Account`]: base address, credentials, signature
//! header, abilities.

pub mod account;
mod ear;
pub mod form;
mod midcall;
pub mod pins;
pub mod reception;
pub mod render;
pub mod rest;
pub mod signature;
mod telephony;
pub mod twiml;
pub mod urls;
pub mod webhook;

pub use account::{Account, Accounts, Auth, FixedAccounts};
pub use ear::{EngineEar, Give, Recordings};
pub use midcall::{Recording, Supervision};
pub use reception::Reception;
pub use telephony::{ClockFn, Twilio};
pub use urls::Urls;
pub use webhook::{Validation, Webhooks};
