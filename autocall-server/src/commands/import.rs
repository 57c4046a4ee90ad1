//! `autocall import`: the same import as an upload, from a file at hand.

use crate::cli::Outcome;
use crate::config::{Config, Flags};
use crate::http::problem::Problem;
use crate::http::values::Key;
use crate::jobs;
use crate::node::Node;
use autocall_core::id::ImportId;
use autocall_core::import::write;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{ImportJob, ImportState, PageAsk};
use autocall_core::{CampaignId, Private};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The flags of `import`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The CSV file.
    pub file: PathBuf,
    /// The campaign: tenant number, a dash, and its id.
    #[arg(long)]
    pub campaign: String,
    /// Where to write the rows that were not accepted, each with line, column and reason.
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Configuration.
    #[command(flatten)]
    pub config: Flags,
}

/// Imports the file.
pub fn run(args: Args) -> Outcome {
    let config = super::configure(&args.config)?;
    crate::ops::log::start(&config);
    crate::cli::block_on(import(config, &args))?
}

fn say(problem: Problem) -> String {
    problem.title.into_owned()
}

async fn import(config: Config, args: &Args) -> Outcome {
    let campaign: CampaignId =
        args.campaign.parse().map_err(|_| "--campaign: expected <tenant>-<id>, as in 1-0198…".to_owned())?;
    let node = Node::quiet(config).await?;
    let app = &node.app;
    app.catalog.campaign_item(campaign).await.map_err(|_| "--campaign: there is no such campaign".to_owned())?;
    let id: ImportId = app.new_id(campaign.tenant());
    let bytes = tokio::fs::copy(&args.file, jobs::import::file(app, id))
        .await
        .map_err(|error| format!("{}: {error}", args.file.display()))?;
    let name = args.file.file_name().map_or_else(|| "leads.csv".to_owned(), |n| n.to_string_lossy().into_owned());
    let row = ImportJob {
        id,
        campaign,
        list: Some(app.new_id(campaign.tenant())),
        name: Private::new(name),
        bytes: Some(bytes),
        digest: None,
        state: ImportState::Running,
        problem: None,
        bytes_done: 0,
        line_done: 0,
        added: 0,
        duplicates: 0,
        rejected: 0,
        started_at: app.clock.now(),
        ended_at: None,
    };
    app.catalog.put_import(&Put { row, expected: 0 }).await.map_err(|e| e.to_string())?;
    jobs::import::start(app, id);
    let job = watch(&node, id, bytes).await?;
    println!("{} added, {} duplicates, {} rejected", job.added, job.duplicates, job.rejected);
    if let Some(path) = &args.rejected {
        write_rejected(&node, id, path).await?;
    }
    let fine = job.state == ImportState::Done;
    if let Some(problem) = &job.problem {
        eprintln!("autocall: {problem}");
    }
    node.stop().await;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn watch(node: &Node, id: ImportId, bytes: u64) -> Result<ImportJob, String> {
    let bar = indicatif::ProgressBar::new(bytes);
    loop {
        let job = node.app.catalog.import(id).await.map_err(|e| say(e.into()))?.row;
        bar.set_position(job.bytes_done);
        if job.state != ImportState::Running {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn write_rejected(node: &Node, id: ImportId, path: &Path) -> Result<(), String> {
    let mut ask = PageAsk::first(500);
    let mut all = Vec::new();
    loop {
        let page = node.app.catalog.rejections(id, &ask).await.map_err(|e| say(e.into()))?;
        all.extend(page.items.into_iter().map(|r| r.rejection));
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    let text = write::rejections(&all);
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("rejected rows of import {} are in {}", Key::from(id), path.display());
    Ok(())
}
