//! The command line: one binary, `autocall`, with a subcommand for each thing that it does.

use crate::commands::{admin, check, dnc, fake_twilio, import, migrate, serve};
use crate::simulate;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Calls the people on a list, tells persons from voicemail, and connects those who answer to an
/// agent.
#[derive(Parser, Debug)]
#[command(name = "autocall", version, about, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `serve`.
    #[command(flatten)]
    pub serve: serve::Args,
}

/// What the binary does.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Runs the server (the default). With no configuration: trial mode, no real call is made.
    Serve(serve::Args),
    /// Dials a list against simulated people and agents, and prints the report.
    Simulate(simulate::Args),
    /// Imports a CSV file of leads into a campaign of the configured database.
    Import(import::Args),
    /// Brings the database's schema up to date and ends.
    Migrate(migrate::Args),
    /// Runs a Twilio that places no real call, for testing.
    FakeTwilio(fake_twilio::Args),
    /// Looks after tenants, users and keys, without mail and without a browser.
    Admin(admin::Args),
    /// Makes and checks the do-not-call registries that nodes serve.
    Dnc(dnc::Args),
    /// Checks the configuration, and campaign settings where a file is given.
    Check(check::Args),
}

/// Runs the command line to its end.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Import(args) => import::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::FakeTwilio(args) => fake_twilio::run(args),
        Command::Admin(args) => admin::run(args),
        Command::Dnc(args) => dnc::run(args),
        Command::Check(args) => check::run(args),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("autocall: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What a command ends with: an exit code, or a sentence for the person who typed it.
pub type Outcome = Result<ExitCode, String>;

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    Ok(runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_subcommand_it_serves() {
        let cli = Cli::try_parse_from(["autocall", "--port", "0"]).expect("parses");
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.config.port.as_deref(), Some("0"));
        assert!(Cli::try_parse_from(["autocall", "--port", "0", "check"]).is_err(), "flags belong to one command");
    }
}
