//! The Postgres store, beside the same Postgres doing the bare minimum, in one run.
//!
//! The server is started from the installed binaries, writes through to the disk (`fsync` on), and
//! goes when the bench goes. Client, server and whatever is compared with share the machine's cores.

mod claim;
mod commits;
mod dispatch;
mod due;
mod fleet;
mod import;
mod peers;
mod rig;

use crate::{Measurement, Opts};
use rig::Rig;

/// A case of the bench.
type Case = fn(&Rig, &Opts) -> Vec<Measurement>;

/// The cases, in the order in which they run.
const CASES: [(&str, Case); 7] = [
    ("dispatch", dispatch::run),
    ("commits", commits::run),
    ("claim", claim::run),
    ("due", due::run),
    ("fleet", fleet::run),
    ("import", import::run),
    ("big", claim::big),
];

/// Runs the bench.
///
/// # Panics
/// If work was not done.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let Some(rig) = Rig::start() else {
        eprintln!("store: left out, Postgres' programs are not installed");
        return Vec::new();
    };
    let only: Option<Vec<&str>> = opts.set.get("only").map(|names| names.split(',').collect());
    let mut found = Vec::new();
    for (name, case) in CASES {
        // Ten million leads take a quarter of an hour to make.
        let wanted = only.as_ref().map_or(name != "big" || opts.scale == crate::Scale::Full, |o| o.contains(&name));
        if wanted {
            eprintln!("store: {name}");
            found.extend(case(&rig, opts));
        }
    }
    found
}

/// A figure of this bench of which more is better.
fn higher(case: impl Into<String>, metric: &str, value: f64, unit: &str) -> Measurement {
    Measurement::higher("store", case, metric, value, unit)
}

/// One of which less is better.
fn lower(case: impl Into<String>, metric: &str, value: f64, unit: &str) -> Measurement {
    Measurement::lower("store", case, metric, value, unit)
}
