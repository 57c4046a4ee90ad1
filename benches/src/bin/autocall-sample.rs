//! Writes the sample list: `autocall-sample [FILE]` (default `examples/leads.csv`).

use std::process::ExitCode;

fn main() -> ExitCode {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/leads.csv");
    let path = std::env::args().nth(1).unwrap_or_else(|| default.to_owned());
    let sample = autocall_benches::lists::sample(1);
    match std::fs::write(&path, &sample.text) {
        Ok(()) => {
            println!(
                "{path}: {} leads ({} duplicates, {} not to be called), {} rows to reject",
                sample.leads, sample.duplicates, sample.do_not_call, sample.rejected
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
