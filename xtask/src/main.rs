//! The project's own chores: `cargo xtask test | bench | soak | fuzz | contract | docs | mutants`.
//!
//! Nothing here decides anything about calls; it finds tools, runs the project's programs and
//! adds up what they say. It depends on a command-line parser and JSON only, so it builds in
//! seconds.

mod checks;
mod chores;
mod need;
mod parts;
mod place;
mod tally;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs every test part, in order, with times.
    Test(test::Options),
    /// Builds the benches with optimization and runs some; without a name lists them.
    Bench(chores::Rest),
    /// Runs the fault simulator over many seeds.
    Soak(chores::Rest),
    /// Throws mutated input at a parser or a machine for some seconds: csv, events, webhooks.
    Fuzz(chores::Rest),
    /// Holds the carrier adapter against the carrier's published contract and client libraries.
    Contract(chores::Contract),
    /// Rewrites the documentation that is generated from the code.
    Docs,
    /// Plants bugs in one part's modules and counts how many its tests catch.
    Mutants(chores::Mutants),
}

fn main() -> ExitCode {
    let outcome = place::Place::find().and_then(|place| match Cli::parse().chore {
        Chore::Test(options) => test::run(&place, &options),
        Chore::Bench(rest) => chores::bench(&place, &rest),
        Chore::Soak(rest) => chores::soak(&place, &rest),
        Chore::Fuzz(rest) => chores::fuzz(&place, &rest),
        Chore::Contract(options) => chores::contract(&place, &options),
        Chore::Docs => chores::docs(&place),
        Chore::Mutants(options) => chores::mutants(&place, &options),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::from(2)
        }
    }
}
