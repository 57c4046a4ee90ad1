//! The reference server as a process on a Postgres that writes through to the disk: signed
//! webhooks, uploads, consoles; and what it does when three times too much comes.
//!
//! Load, server and database share the machine, so figures are compared within one run.

mod consoles;
mod load;
mod overload;
mod place;
mod uploads;
mod webhooks;

use crate::{Measurement, Opts};
use autocall_testkit::postgres::Cluster;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The database of one case; a message where there is none.
fn cluster(name: &str) -> Option<Cluster> {
    let cluster = Cluster::own(name);
    if cluster.is_none() {
        println!("server: Postgres is not installed (Debian package postgresql)");
    }
    cluster
}

/// Runs the bench.
///
/// # Panics
/// If the timed work was not done.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let Some(binary) = place::binary() else { return Vec::new() };
    let wanted = |case: &str| opts.set.get("case").is_none_or(|only| only.split(',').any(|o| o == case));
    let mut found = Vec::new();
    if wanted("webhooks")
        && let Some(cluster) = cluster("bench-webhooks")
    {
        found.extend(runtime().block_on(webhooks::run(opts, &binary, &cluster)));
    }
    if wanted("uploads")
        && let Some(cluster) = cluster("bench-uploads")
    {
        found.extend(runtime().block_on(uploads::run(opts, &binary, &cluster)));
    }
    if wanted("consoles")
        && let Some(cluster) = cluster("bench-consoles")
    {
        found.extend(runtime().block_on(consoles::run(opts, &binary, &cluster)));
    }
    found
}

/// Runs the overload: ten minutes at full scale.
///
/// # Panics
/// If something was lost.
pub fn run_overload(opts: &Opts) -> Vec<Measurement> {
    let Some(binary) = place::binary() else { return Vec::new() };
    let Some(cluster) = cluster("bench-overload") else { return Vec::new() };
    runtime().block_on(overload::run(opts, &binary, &cluster))
}
