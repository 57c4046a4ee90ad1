//! `autocall dnc`: makes the registry files that nodes serve, without a server.

use crate::cli::Outcome;
use autocall_core::Timestamp;
use autocall_dnc::{About, Builder, Column, Layout, Progress, Set, Sum, import, read_delta};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to do.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Makes a registry's file from lists of numbers: one number a line, or CSV with --column.
    Build(Build),
    /// Makes the next version from the one in place and a list of changes (CSV: A or D, number).
    Delta(Delta),
    /// Checks a file whole and says what is in it.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// The flags of `build`.
#[derive(clap::Args, Clone, Debug)]
pub struct Build {
    /// The lists.
    #[arg(required = true)]
    pub lists: Vec<PathBuf>,
    /// The registry, as rules call it: us-national, gb-tps, …
    #[arg(long)]
    pub name: String,
    /// The file to make; served from DNC_DIR as `NAME.set`.
    #[arg(long)]
    pub out: PathBuf,
    /// A column that holds the number, or a part of it: its place from 0, or its name. May be given
    /// several times.
    #[arg(long)]
    pub column: Vec<String>,
    /// Replaces a list by one that is more than a tenth shorter.
    #[arg(long)]
    pub accept_smaller: bool,
    /// What is said of the copy.
    #[command(flatten)]
    pub about: Said,
}

/// The flags of `delta`.
#[derive(clap::Args, Clone, Debug)]
pub struct Delta {
    /// The changes.
    pub changes: PathBuf,
    /// The file to change; it is replaced by rename.
    #[arg(long)]
    pub set: PathBuf,
    /// The version that the changes are made for: with another one in place nothing is done.
    #[arg(long)]
    pub from: String,
    /// What is said of the copy.
    #[command(flatten)]
    pub about: Said,
}

/// What is said of a copy.
#[derive(clap::Args, Clone, Debug)]
pub struct Said {
    /// The version, as the registry calls it.
    #[arg(long)]
    pub version: String,
    /// When the registry made it: a date, or an instant such as 2026-11-22T15:00:00Z.
    #[arg(long)]
    pub as_of: String,
    /// The country code of numbers without a plus sign.
    #[arg(long, default_value_t = 1)]
    pub calling_code: u16,
}

/// Does it.
pub fn run(args: Args) -> Outcome {
    match args.command {
        Command::Build(build) => make(&build),
        Command::Delta(delta) => change(&delta),
        Command::Show { file } => show(&file),
    }
}

fn about(name: &str, said: &Said) -> Result<About, String> {
    let instant = said.as_of.parse::<jiff::Timestamp>().ok();
    let date = || said.as_of.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let as_of = instant.or_else(|| date().map(|z| z.timestamp()));
    let as_of = as_of.ok_or("--as-of: expected a date or an instant, as in 2026-11-22 or 2026-11-22T15:00:00Z")?;
    let tomorrow = jiff::Timestamp::now().as_millisecond() + 86_400_000;
    if as_of.as_millisecond() > tomorrow {
        return Err("--as-of: is in the future".into());
    }
    Ok(About { name: name.to_owned(), version: said.version.clone(), as_of: Timestamp::from_jiff(as_of) })
}

fn tell(path: &Path, sum: &Sum) {
    println!("{}: {} number(s), {} line(s) without one", path.display(), sum.accepted, sum.rejected);
    for example in &sum.examples {
        println!("{}:{}: {}", path.display(), example.line, example.reason);
    }
}

fn make(build: &Build) -> Outcome {
    let about = about(&build.name, &build.about)?;
    let column = |text: &String| text.parse().map_or_else(|_| Column::Named(text.clone()), Column::At);
    let layout = match build.column.is_empty() {
        true => Layout::Text,
        false => Layout::Csv(build.column.iter().map(column).collect()),
    };
    let mut builder = Builder::new();
    for path in &build.lists {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let bytes = file.metadata().map(|m| m.len()).unwrap_or(0);
        let progress = |p: Progress| eprintln!("{}: {} lines of {bytes} bytes read", path.display(), p.lines);
        let sum = import(file, &layout, build.about.calling_code, &mut builder, progress)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        tell(path, &sum);
    }
    if let (Ok(old), false) = (Set::open(&build.out), build.accept_smaller) {
        let numbers: u64 = builder.len();
        if numbers < old.len() / 10 * 9 {
            return Err(format!(
                "{}: lists {} number(s), and the new list only {numbers}; nothing was done (--accept-smaller does it all the same)",
                build.out.display(),
                old.len()
            ));
        }
    }
    builder.write(&build.out, about).map_err(|error| format!("{}: {error}", build.out.display()))?;
    show(&build.out)
}

fn change(delta: &Delta) -> Outcome {
    let old = Set::open(&delta.set).map_err(|error| format!("{}: {error}", delta.set.display()))?;
    if old.about().version != delta.from {
        return Err(format!(
            "{}: is version {}, and these changes are for {}; nothing was done",
            delta.set.display(),
            old.about().version,
            delta.from
        ));
    }
    let about = about(&old.about().name, &delta.about)?;
    if about.as_of < old.about().as_of {
        return Err("--as-of: is older than the version in place".into());
    }
    let file = File::open(&delta.changes).map_err(|error| format!("{}: {error}", delta.changes.display()))?;
    let (changes, sum) =
        read_delta(file, delta.about.calling_code).map_err(|error| format!("{}: {error}", delta.changes.display()))?;
    tell(&delta.changes, &sum);
    changes.apply(&old, &delta.set, about).map_err(|error| format!("{}: {error}", delta.set.display()))?;
    show(&delta.set)
}

fn show(path: &Path) -> Outcome {
    let set = Set::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let about = set.about();
    println!(
        "{}: {}, version {}, of {}, {} number(s); every block is whole",
        path.display(),
        about.name,
        about.version,
        about.as_of.to_jiff(),
        set.len()
    );
    Ok(ExitCode::SUCCESS)
}
