//! Webhooks: pure parsers, and one `http::Request -> http::Response` function that any framework
//! can mount ([`Webhooks::serve`]).

mod inbound;
mod parse;
mod serve;

pub use inbound::{Caller, Desk, NoDesk, Welcome};
pub use parse::{ConferenceEvent, RecordingEvent, conference, line_facts, recording};
pub use serve::{BODY_BYTES_MAX, Ear, SkipRefused, Unavailable, Validation, Webhooks};

#[cfg(test)]
mod tests;
