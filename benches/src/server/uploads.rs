//! A long list, from the first byte of the upload to the last lead in the database, beside the
//! baseline stack with the same file.

use super::place::{Client, Server, psql, text};
use super::webhooks::{baseline_folder, start_baseline};
use crate::lists::{Mix, long};
use crate::{Measurement, Opts};
use autocall_testkit::postgres::Cluster;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// The project's goal over the baseline stack.
const OVER_BASELINE: f64 = 3.0;

/// Runs the case.
pub(super) async fn run(opts: &Opts, binary: &Path, cluster: &Cluster) -> Vec<Measurement> {
    let rows: usize = opts.get("rows", opts.pick(5_000, 200_000, 1_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let file = long(opts.seed, rows, Mix::Nanp);
    let case = format!("upload of {rows} leads");
    let server = Server::trial(binary, &cluster.database()).await;
    let campaign = server.owner.post("/api/campaigns", &json!({ "name": "upload" })).await;
    let campaign = text(&campaign["id"]).to_owned();
    let begun = Instant::now();
    let added = server.owner.import(&campaign, &file).await;
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    let view = server.owner.get(&format!("/api/campaigns/{campaign}")).await;
    assert_eq!(view["leads"]["open"].as_u64(), Some(added), "every lead is there");
    assert!(added as usize > rows * 9 / 10, "{added} of {rows}");
    let mut found = vec![Measurement::higher("server", &*case, "rows_per_s", rate, "rows/s")];
    if let Some(bytes) = server.process.resident() {
        found.push(Measurement::lower("server", &*case, "resident_mb", bytes / 1e6, "MB"));
    }
    drop(server);
    if let Some(folder) = baseline_folder(opts) {
        let (_running, address, database) = start_baseline(&folder, cluster);
        let client = Client::nobody(&format!("http://{address}"));
        let begun = Instant::now();
        let answer = client.upload("campaign_id", "2", &file).await;
        let peer = rows as f64 / begun.elapsed().as_secs_f64();
        let stored = psql(cluster, &database, &["-c", "SELECT count(*) FROM leads WHERE campaign_id = 2"]);
        let stored: usize = stored.expect("counted").parse().expect("a number");
        assert!(stored > rows * 9 / 10, "the baseline stored {stored} of {rows}: {answer}");
        found.push(Measurement::higher("server", format!("baseline, {case}"), "rows_per_s", peer, "rows/s"));
        found.push(Measurement::higher("server", &*case, "over_baseline", rate / peer, "").goal(OVER_BASELINE));
    }
    found
}
