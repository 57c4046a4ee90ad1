//! The bench runner: `autocall-bench NAME... [--short | --full] [--json FILE]`.

use autocall_benches::registry::{BENCHES, Bench, find};
use autocall_benches::{Measurement, Opts, Scale, report};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs benches, prints a table of figures for each, and writes them as JSON.
#[derive(Parser)]
#[command(name = "autocall-bench")]
struct Cli {
    /// Which benches; `all` runs every one. Without a name they are listed.
    names: Vec<String>,
    /// Little work: shows that the bench runs.
    #[arg(long, conflicts_with = "full")]
    short: bool,
    /// The size of the published figures; may take hours.
    #[arg(long)]
    full: bool,
    /// Writes every figure into this file, as one JSON array.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often timed work is repeated; figures are medians.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// A bench's own option (listed with its name).
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Ends with an error when a goal is missed.
    #[arg(long)]
    gate: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Cli {
    fn opts(&self) -> Opts {
        let scale = match (self.short, self.full) {
            (true, _) => Scale::Short,
            (_, true) => Scale::Full,
            _ => Scale::Normal,
        };
        Opts { scale, seed: self.seed, repeats: self.repeats, set: self.set.iter().cloned().collect() }
    }

    fn chosen(&self) -> Result<Vec<&'static Bench>, String> {
        let mut chosen: Vec<&'static Bench> = Vec::new();
        for name in &self.names {
            match find(name) {
                _ if name == "all" => chosen.extend(BENCHES),
                Some(bench) => chosen.push(bench),
                None => return Err(format!("no bench is named {name}\n{}", listing())),
            }
        }
        for (key, _) in &self.set {
            if !chosen.iter().any(|bench| bench.keys.iter().any(|(known, _)| known == key)) {
                return Err(format!("--set {key}: no chosen bench knows this key\n{}", listing()));
            }
        }
        Ok(chosen)
    }
}

fn listing() -> String {
    let mut out = String::from("benches:\n");
    for bench in BENCHES {
        out.push_str(&format!("  {:<12} {}\n", bench.name, bench.about));
        for (key, about) in bench.keys {
            out.push_str(&format!("  {:<12}   --set {key}=…: {about}\n", ""));
        }
    }
    out
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.names.is_empty() {
        print!("{}", listing());
        return ExitCode::SUCCESS;
    }
    let chosen = match cli.chosen() {
        Ok(chosen) => chosen,
        Err(problem) => {
            eprint!("{problem}");
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) {
        eprintln!("note: built without optimization; use cargo xtask bench for figures that mean something");
    }
    let opts = cli.opts();
    let mut all: Vec<Measurement> = Vec::new();
    for bench in chosen {
        println!("{}: {} (seed {})", bench.name, bench.about, opts.seed);
        let rows = (bench.run)(&opts);
        println!("{}", report::table(&rows));
        all.extend(rows);
        // Written after each bench: a later one that fails does not take the figures with it.
        if let Some(path) = &cli.json
            && let Err(problem) = report::write_json(path, &all)
        {
            eprintln!("cannot write {}: {problem}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if cli.gate && all.iter().any(|row| row.met == Some(false)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
