//! `autocall check`: is the configuration right, and would these settings start a campaign?

use crate::cli::Outcome;
use crate::config::{CarrierChoice, Config, Flags, StoreChoice};
use autocall_core::settings::Settings;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of `check`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Campaign settings (TOML or JSON) to check as well.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Configuration.
    #[command(flatten)]
    pub config: Flags,
}

/// Prints what is right and what is not; fails if anything is not.
pub fn run(args: Args) -> Outcome {
    let mut good = true;
    match super::configure(&args.config) {
        Ok(config) => {
            println!("{}", describe(&config));
            match rules(&config) {
                Ok(text) => print!("{text}"),
                Err(wrong) => {
                    eprintln!("{wrong}");
                    good = false;
                }
            }
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            good = false;
        }
    }
    if let Some(path) = &args.settings {
        let problems = lint(path)?;
        for problem in &problems {
            eprintln!("{}: {problem}", path.display());
        }
        if problems.is_empty() {
            println!("{}: a campaign can start with these settings", path.display());
        }
        good &= problems.is_empty();
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(config: &Config) -> String {
    let store = match &config.store {
        StoreChoice::Sqlite => format!("SQLite in {}", config.data_dir.display()),
        StoreChoice::Postgres(_) => "Postgres".to_owned(),
    };
    let carrier = match &config.carrier {
        CarrierChoice::Simulated => "simulated people; no real call is made".to_owned(),
        CarrierChoice::Twilio(twilio) => format!("Twilio at {}", twilio.api_base),
    };
    let only = config.dial_only.as_ref().map_or(String::new(), |numbers| format!(", {} number(s) only", numbers.len()));
    format!(
        "configuration: fine\n  listens on  {}\n  public at   {}\n  rows in     {store}\n  calls by    {carrier}{only}",
        config.listen, config.public_base
    )
}

/// The user's own sets of rules with what the linter has to say about them, and the registries.
fn rules(config: &Config) -> Result<String, String> {
    let mut text = String::new();
    for (name, rules) in crate::lawbook::overlays(&config.rules_dir())? {
        text.push_str(&format!("  rules       {name}\n"));
        for warning in rules.warnings() {
            text.push_str(&format!("    {warning}\n"));
        }
    }
    let now = autocall_core::Timestamp::from_jiff(jiff::Timestamp::now());
    for s in crate::lawbook::LawBook::open(config)?.serving(now) {
        let state = match (&s.version, s.closed) {
            (None, _) => "no copy: calls that must ask it are denied".to_owned(),
            (Some(v), true) => format!("version {v} is too old: calls that must ask it are denied"),
            (Some(v), false) => format!("version {v}, {} number(s)", s.numbers),
        };
        text.push_str(&format!("  registry    {}: {state}\n", s.name));
    }
    Ok(text)
}

fn lint(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let settings: Result<Settings, String> = if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned())
    };
    Ok(match settings {
        Ok(settings) => settings.check().iter().map(ToString::to_string).collect(),
        Err(error) => vec![error],
    })
}
