//! `autocall migrate`.

use crate::cli::Outcome;
use crate::config::Flags;
use std::process::ExitCode;

/// The flags of `migrate`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Configuration.
    #[command(flatten)]
    pub config: Flags,
}

/// Brings the schema up to date.
pub fn run(args: Args) -> Outcome {
    let config = super::configure(&args.config)?;
    crate::ops::log::start(&config);
    crate::cli::block_on(crate::node::open_stores(&config))??;
    println!("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
