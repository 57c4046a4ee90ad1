//! Test doubles for autocall: fake and simulated carriers, fault simulator, conformance suites, pacing laboratory.

pub mod carrier;
pub mod clock;
pub mod conformance;
pub mod dice;
pub mod fake;
#[cfg(feature = "fake-twilio")]
pub mod fake_twilio;
pub mod faults;
pub mod golden;
pub mod lab;
#[cfg(feature = "leak")]
pub mod leak;
pub mod need;
pub mod people;
#[cfg(feature = "postgres-fixture")]
pub mod postgres;
pub mod world;
