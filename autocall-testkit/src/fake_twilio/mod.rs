//! A Twilio that runs on a laptop: an HTTP server on loopback that *is* Twilio as far as the
//! adapter, the official client libraries, or a tester's own code can tell.
//!
//! It has accounts with tokens and keys, a calls-per-second queue, calls that ring, are answered
//! and hang up on a clock that may run faster than ours, a TwiML interpreter, conferences,
//! machine detection of simulated people, recordings, and signed callbacks with sequence
//! numbers, retries and a fallback. It can lose, double, delay and reorder callbacks, and lose
//! the answer to a request that it carried out. What was really dialled stands in an append-only
//! log. It never calls anything but loopback addresses.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use autocall_testkit::fake_twilio::{Config, FakeTwilio, Person};
//! let twilio = FakeTwilio::start(Config { speed: 20.0, ..Config::default() }).await?;
//! twilio.set_person("+14155552671", vec![Person::machine()]);
//! println!("point a client at {}", twilio.url());
//! # Ok(()) }
//! ```
//!
//! The same by hand: `/fake/log`, `/fake/dials`, `/fake/people`, `/fake/faults`, `/fake/stats`,
//! `/fake/inbound`, `/fake/calls/{sid}/press` and `/fake/calls/{sid}/hangup` (see [`control`]).

mod conference;
mod config;
pub mod control;
mod hooks;
mod line;
mod pace;
mod page;
mod people;
mod rest;
mod rest_calls;
mod rest_conferences;
mod rest_recordings;
mod run;
mod server;
mod sign;
pub mod twiml;
mod world;

pub use config::{Account, Config, Faults, OwnNumber, RestFault};
pub use people::{Person, Pickup, Press, Voice};
pub use server::{FakeTwilio, serve};
pub use sign::sign;
pub use world::{Dialled, Entry, Stats};

#[cfg(test)]
mod tests;
