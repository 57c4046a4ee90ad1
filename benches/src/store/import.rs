//! A list of leads into the database, with all reading, validation, duplicate checks and sealing,
//! against a bare `COPY` of the very rows that came of it into the same tables, with their indexes,
//! keys and constraints.

use super::rig::{self, NOW, Rig, T, campaign};
use super::{higher, lower};
use crate::lists::{Mix, long};
use crate::probe::rss_bytes;
use crate::{Measurement, Opts};
use autocall_core::id::ImportId;
use autocall_core::import::{Check, ImportRules, Importer, Row, Verdict};
use autocall_core::lead::Lead;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{
    Added, ImportBook, ImportJob, ImportState, ImportStep, LeadBatch, LeadBook, SuppressionBook,
};
use autocall_core::{Id, LeadId};
use autocall_store_postgres::PostgresStore;
use futures::stream::StreamExt;
use std::time::Instant;
use tokio::sync::mpsc;

/// Rows per second against a bare `COPY`.
const COPY_GOAL: f64 = 0.5;
/// Rows of one batch.
const BATCH: usize = 2_000;
/// Memory that an import may take, however long its list: rows in flight, not the file.
const MEMORY_GOAL_MIB: f64 = 64.0;

/// Reads on a thread of its own, as the server does: parsing is work for a processor.
fn read(list: &[u8], parts: &mpsc::Sender<Vec<Row>>) {
    let mut importer = Importer::new(ImportRules::default());
    let mut rows = Vec::with_capacity(BATCH);
    let mut chunks = list.chunks(128 << 10);
    loop {
        let chunk = chunks.next();
        match chunk {
            Some(chunk) => importer.feed(chunk),
            None => importer.finish(),
        }
        while let Some(row) = importer.next_row().expect("a clean list") {
            rows.push(row);
            if rows.len() == BATCH {
                let full = std::mem::replace(&mut rows, Vec::with_capacity(BATCH));
                parts.blocking_send(full).expect("a reader");
            }
        }
        if chunk.is_none() {
            return parts.blocking_send(rows).expect("a reader");
        }
    }
}

fn job(id: ImportId) -> ImportJob {
    ImportJob {
        id,
        campaign: campaign(T, 1),
        list: None,
        name: "list.csv".into(),
        bytes: None,
        digest: None,
        state: ImportState::Running,
        problem: None,
        bytes_done: 0,
        line_done: 0,
        added: 0,
        duplicates: 0,
        rejected: 0,
        started_at: NOW,
        ended_at: None,
    }
}

/// Imports a list. How many leads were added, how many rows were refused, and the memory that it took
/// at most beyond what there was.
async fn import(store: &PostgresStore, list: Vec<u8>) -> (u64, u64, u64) {
    let id: ImportId = Id::small(T, 1);
    store.put_import(&Put { row: job(id), expected: 0 }).await.expect("a job");
    let before = rss_bytes().unwrap_or(0);
    let (give, mut take) = mpsc::channel(2);
    let reader = tokio::task::spawn_blocking(move || read(&list, &give));
    let (mut check, mut done) = (Check::new(BATCH), 0u64);
    let mut steps = futures::stream::FuturesOrdered::new();
    let (mut added, mut refused, mut most) = (0, 0, 0);
    let mut count = |found: Vec<Added>| {
        let new = found.iter().filter(|a| **a == Added::New).count() as u64;
        (added, refused) = (added + new, refused + found.len() as u64 - new);
    };
    while let Some(rows) = take.recv().await {
        let (mut rejected, mut last) = (Vec::new(), done);
        for row in rows {
            let Row::Lead(lead) = row else { continue };
            last = last.max(lead.line);
            rejected.extend(check.push(*lead));
        }
        let phones = check.phones().to_vec();
        let lists = store.suppressed(T, Some(campaign(T, 1)), &phones, NOW).await.expect("lists");
        let verdicts: Vec<Verdict> = lists.iter().map(|_| Verdict::Clear).collect();
        let checked = check.answer(&verdicts);
        rejected.extend(checked.rejected);
        let lead = |d: &autocall_core::import::LeadDraft| {
            let id = LeadId::v7(T, NOW, u128::from(d.line) << 40 | u128::from(d.line.wrapping_mul(0x9E37_79B9)));
            Lead::from_draft(id, campaign(T, 1), None, d, d.line as i64, NOW)
        };
        let leads = checked.accepted.iter().map(lead).collect();
        let lines = checked.accepted.iter().map(|d| d.line).collect();
        let step = ImportStep { import: id, from_line: done, to_line: last, bytes_done: last, rejected, lines };
        done = last;
        let batch = LeadBatch { campaign: campaign(T, 1), leads, step: Some(step), at: NOW };
        // One batch is written while the next is read and sealed.
        steps.push_back(async move { store.add_leads(&batch).await.expect("a step") });
        while steps.len() >= 3 {
            count(steps.next().await.expect("a step"));
        }
        most = most.max(rss_bytes().unwrap_or(0));
    }
    while let Some(found) = steps.next().await {
        count(found);
    }
    reader.await.expect("read");
    (added, refused, most.saturating_sub(before))
}

/// Runs the case.
pub(super) fn run(rig: &Rig, opts: &Opts) -> Vec<Measurement> {
    let rows: usize = opts.get("rows", opts.pick(10_000, 200_000, 1_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let (database, url) = rig.database();
    let store = rig.store(&url, 6);
    rig.runtime.block_on(rig::furnish(&store, campaign(T, 1), 0, 0));
    let list = long(opts.seed, rows, Mix::NanpWritten);
    let begun = Instant::now();
    let (added, duplicates, memory) = rig.runtime.block_on(import(&store, list));
    let spent = begun.elapsed().as_secs_f64();
    let there: u64 = rig.psql(&database, "SELECT count(*) FROM call_queue").parse().expect("a number");
    assert_eq!(there, added, "every lead is there");
    let told = rig.psql(&database, "SELECT added || ' ' || duplicates || ' ' || rejected FROM imports");
    let told: Vec<u64> = told.split(' ').map(|n| n.parse().expect("a number")).collect();
    assert_eq!((told[0], told[1]), (added, duplicates), "the job says what was done");
    assert_eq!(told.iter().sum::<u64>() as usize, rows, "every row is accounted for");
    let bare = copy(rig, &database, added);
    let (ours, bare) = (added as f64 / spent, added as f64 / bare);
    vec![
        higher("import, all checks, sealed", "leads_per_s", ours, "leads/s"),
        higher("bare COPY of the sealed rows", "leads_per_s", bare, "leads/s"),
        higher("import / COPY", "ratio", ours / bare, "").goal(COPY_GOAL),
        lower("import, memory beyond the list", "mib", memory as f64 / f64::from(1 << 20), "MiB").goal(MEMORY_GOAL_MIB),
    ]
}

/// Seconds for `COPY` to put the same rows into the same, emptied tables.
fn copy(rig: &Rig, database: &str, leads: u64) -> f64 {
    let folder = rig.cluster.dir().join("copy");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::process::Command::new("chmod").arg("777").arg(&folder).status().expect("chmod");
    let file = |table: &str| folder.join(format!("{table}.bin"));
    let tables = ["leads", "lead_numbers", "call_queue"];
    for table in tables {
        rig.psql(database, &format!("COPY {table} TO '{}' (FORMAT binary)", file(table).display()));
    }
    rig.psql(database, "TRUNCATE leads, lead_numbers, call_queue, calls_live; CHECKPOINT");
    let begun = Instant::now();
    for table in tables {
        rig.psql(database, &format!("COPY {table} FROM '{}' (FORMAT binary)", file(table).display()));
    }
    let spent = begun.elapsed().as_secs_f64();
    assert_eq!(rig.psql(database, "SELECT count(*) FROM call_queue"), leads.to_string(), "copied");
    spent
}
