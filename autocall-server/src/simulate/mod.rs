//! `autocall simulate`: dials a list against simulated people and agents, faster than time, and
//! prints what a manager asks. The same list, settings and seed give the same bytes.

mod list;
mod prices;
mod report;
mod text;

pub use prices::Prices;
pub use report::Report;

use crate::cli::Outcome;
use autocall_core::import::write::{CsvText, rejections};
use autocall_core::ports::{Listing, Store};
use autocall_core::settings::Settings;
use autocall_core::{CampaignId, Millis, Timestamp};
use autocall_testkit::world::{Crew, Plan, World, ready};
use indicatif::{ProgressBar, ProgressStyle};
use list::List;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The list that is dialled where none is named.
const SAMPLE: &[u8] = include_bytes!("../../../examples/leads.csv");
/// The settings that hold where none are named.
const SETTINGS: &str = include_str!("../../../examples/campaign.toml");

/// Monday, 1 June 2026, 00:00 UTC: every simulation begins in the morning of that day, in the
/// campaign's own zone.
const MONDAY: Timestamp = Timestamp::from_secs(1_780_272_000);

/// The flags of `simulate`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The list of leads, a CSV file; a sample where none is named.
    leads: Option<PathBuf>,
    /// How many agents work, nine to five on weekdays, while there is somebody to call.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=2_000))]
    agents: u32,
    /// Decides everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The campaign's settings, a TOML file like examples/campaign.toml.
    #[arg(long, value_name = "FILE.toml")]
    settings: Option<PathBuf>,
    /// What things cost, a TOML file; see docs/simulate.md.
    #[arg(long, value_name = "FILE.toml")]
    prices: Option<PathBuf>,
    /// Ends the campaign after so many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=366))]
    days: i64,
    /// Writes every call to this file, as CSV.
    #[arg(long, value_name = "OUT.csv")]
    calls: Option<PathBuf>,
    /// Writes every rejected row to this file, as CSV.
    #[arg(long, value_name = "OUT.csv")]
    rejected: Option<PathBuf>,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the simulation and prints the report.
pub fn run(args: Args) -> Outcome {
    let settings = settings(args.settings.as_deref())?;
    let prices = prices(args.prices.as_deref())?;
    let list = match &args.leads {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
            list::read(file, &settings).map_err(|e| format!("{}: {e}", path.display()))?
        }
        None => list::read(SAMPLE, &settings)?,
    };
    let bar = ProgressBar::new(list.leads.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} leads done, {msg}") {
        bar.set_style(style);
    }
    let (report, world) = simulate(&args, settings, &prices, list, &bar)?;
    bar.finish_and_clear();
    if let Some(path) = &args.calls {
        write(path, &calls(&world))?;
    }
    if let Some(path) = &args.rejected {
        write(path, &rejections(&report.rejections))?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        println!("{json}");
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads settings, gives them the simulated agents, and lints them.
fn settings(path: Option<&Path>) -> Result<Settings, String> {
    let (name, text) = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            (path.display().to_string(), text)
        }
        None => ("examples/campaign.toml".to_owned(), SETTINGS.to_owned()),
    };
    let mut settings: Settings = toml::from_str(&text).map_err(|e| format!("{name}: {e}"))?;
    settings.transfer.pools = vec![World::pool()];
    let problems = settings.check();
    if problems.is_empty() {
        return Ok(settings);
    }
    let lines: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
    Err(format!("{name}: {} setting(s) must be mended:{}", problems.len(), lines.concat()))
}

fn prices(path: Option<&Path>) -> Result<Prices, String> {
    let Some(path) = path else { return Ok(Prices::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn simulate(
    args: &Args,
    settings: Settings,
    prices: &Prices,
    list: List,
    bar: &ProgressBar,
) -> Result<(Report, World), String> {
    let offset_min = settings.zone().to_offset(MONDAY.to_jiff()).seconds() / 60;
    let starts_at = MONDAY + Millis::from_mins(8 * 60 + 55 - i64::from(offset_min));
    let mut plan = Plan::new(args.seed, starts_at, args.agents);
    plan.profile.utc_offset_min = offset_min;
    plan.crew = Crew { utc_offset_min: offset_min, ..plan.crew };
    plan.manners.calls_per_second = settings.caps.calls_per_second_max;
    let mut world = World::new(&plan);
    let listings = list.do_not_call.iter().map(|&phone| Listing {
        phone,
        campaign: None,
        reason: "upload".into(),
        source: "the list itself".into(),
        until: None,
    });
    let tasks = ready(world.engine().suppress(autocall_testkit::world::TENANT, listings.collect()));
    world.perform(tasks.map_err(|e| e.to_string())?);
    let campaign =
        world.start("simulation", settings.clone(), list.leads.iter().cloned()).map_err(|e| e.to_string())?;
    let until = starts_at + Millis::from_days(args.days);
    world.run(campaign, until, |world| show(bar, world, campaign, starts_at));
    let report = Report::of(&world, campaign, &settings, &list, prices, args.agents, args.seed, starts_at);
    Ok((report, world))
}

fn show(bar: &ProgressBar, world: &World, campaign: CampaignId, starts_at: Timestamp) {
    let Ok(view) = ready(world.store().campaign(campaign)) else { return };
    bar.set_position(view.leads.closed.max(0) as u64);
    let day = (world.now() - starts_at).ms() / 86_400_000 + 1;
    bar.set_message(format!("day {day}, {} calls, {} talking", world.store().settled(), view.load.bridged));
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Every call as a row. Formulas are neutralised, as in every export.
fn calls(world: &World) -> String {
    let mut csv = CsvText::new();
    csv.row([
        "call",
        "lead",
        "attempt",
        "to",
        "from",
        "outcome",
        "dialled_at",
        "answered_at",
        "connected_at",
        "ended_at",
        "wait_ms",
        "talk_ms",
        "agent",
    ]);
    for r in world.store().records() {
        let at = |t: Option<Timestamp>| t.map(|t| t.to_string()).unwrap_or_default();
        csv.row([
            r.call.key().to_string(),
            r.lead.key().as_u128().to_string(),
            r.attempt.to_string(),
            r.to.e164(),
            r.from.e164(),
            r.outcome.to_string(),
            r.dialled_at.to_string(),
            at(r.answered_at),
            at(r.connected_at),
            r.ended_at.to_string(),
            r.wait_ms().map(|ms| ms.to_string()).unwrap_or_default(),
            r.talk_ms().to_string(),
            r.agent.map(|a| a.key().as_u128().to_string()).unwrap_or_default(),
        ]);
    }
    csv.into_string()
}
