//! The fuzz runner: `autocall-fuzz csv | events | webhooks [--seconds N]`.

use autocall_benches::fuzz::{self, Behaviour, Target, Until};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Throws mutated input at a part of autocall until it panics, or the time is over.
#[derive(Parser)]
#[command(name = "autocall-fuzz")]
struct Cli {
    /// At what.
    target: Name,
    /// For how long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// For how many inputs instead; the same seed then tries the same inputs.
    #[arg(long, conflicts_with = "seconds")]
    inputs: Option<u64>,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs this one input and nothing else.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Where a failing input is written.
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    out: PathBuf,
    /// Lists every word of behaviour that was seen.
    #[arg(long)]
    words: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Files of leads.
    Csv,
    /// Events of a call, in any order.
    Events,
    /// The carrier's webhooks.
    Webhooks,
}

impl Name {
    fn target(self) -> Box<dyn Target> {
        match self {
            Name::Csv => Box::new(fuzz::csv::Csv),
            Name::Events => Box::new(fuzz::events::Events),
            Name::Webhooks => Box::new(fuzz::webhooks::Hooks::default()),
        }
    }
    fn text(self) -> &'static str {
        match self {
            Name::Csv => "csv",
            Name::Events => "events",
            Name::Webhooks => "webhooks",
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let target = cli.target.target();
    if let Some(file) = &cli.replay {
        return replay(target.as_ref(), file);
    }
    // A panic is caught and reported once; its usual text would only come a thousand times over.
    std::panic::set_hook(Box::new(|_| {}));
    let until = match cli.inputs {
        Some(inputs) => Until::Inputs(inputs),
        None => Until::Elapsed(Duration::from_secs(cli.seconds)),
    };
    let start = Instant::now();
    let mut shown = Instant::now();
    let report = fuzz::run(target.as_ref(), cli.seed, until, |report| {
        if shown.elapsed() > Duration::from_secs(10) {
            shown = Instant::now();
            println!("{} inputs, {} kept, {} words", report.tried, report.corpus, report.words.len());
        }
    });
    if cli.words {
        for (word, inputs) in &report.words {
            println!("{inputs:>10}  {word}");
        }
    }
    let rate = report.tried as f64 / start.elapsed().as_secs_f64();
    println!(
        "{} (seed {}): {} inputs, {rate:.0} per second, {} kept, {} words of behaviour, the last new one after {} inputs",
        cli.target.text(),
        cli.seed,
        report.tried,
        report.corpus,
        report.words.len(),
        report.last_new
    );
    let Some(crash) = report.crash else {
        println!("no panic");
        return ExitCode::SUCCESS;
    };
    let file = cli.out.join(format!("{}-{}.bin", cli.target.text(), cli.seed));
    let written = std::fs::create_dir_all(&cli.out).and_then(|()| std::fs::write(&file, &crash.input));
    println!("panic: {}", crash.message);
    println!("input, {} bytes: {}", crash.input.len(), crash.input.escape_ascii());
    match written {
        Ok(()) => println!("again: cargo xtask fuzz {} --replay {}", cli.target.text(), file.display()),
        Err(problem) => println!("the input could not be written to {}: {problem}", file.display()),
    }
    ExitCode::FAILURE
}

fn replay(target: &dyn Target, file: &Path) -> ExitCode {
    let input = match std::fs::read(file) {
        Ok(input) => input,
        Err(problem) => {
            eprintln!("{}: {problem}", file.display());
            return ExitCode::from(2);
        }
    };
    let mut behaviour = Behaviour::default();
    let outcome = fuzz::guarded(target, &input, &mut behaviour);
    println!("{behaviour:?}");
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
