//! Imports: a spooled file becomes leads, in batches, resumable at the line where it stopped.

use crate::app::App;
use crate::http::problem::{Answer, Problem};
use crate::http::values::Key;
use autocall_core::id::ImportId;
use autocall_core::import::{Check, FileError, ImportRules, Importer, Rejection, Row, Verdict};
use autocall_core::lead::Lead;
use autocall_core::phone::Country;
use autocall_core::ports::Put;
use autocall_core::ports::catalog::{ImportJob, ImportState, ImportStep, LeadBatch, SuppressTarget, Suppression};
use autocall_core::{Id, LeadId, Timestamp};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Leads of one batch.
const BATCH: usize = 2_000;
/// Rows read ahead, in parts.
const PARTS_AHEAD: usize = 2;
/// Imports that run at once on this node.
static PLACES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// The folder in which uploads wait.
pub fn folder(app: &App) -> PathBuf {
    app.config.data_dir.join("uploads")
}

/// The file of an import.
pub fn file(app: &App, id: ImportId) -> PathBuf {
    folder(app).join(format!("{}-{}.csv", id.tenant(), Key::from(id)))
}

/// Starts an import in the background.
pub fn start(app: &App, id: ImportId) {
    let app = app.clone();
    app.clone().background.spawn(async move {
        let Ok(_place) = PLACES.acquire().await else { return };
        let path = file(&app, id);
        for attempt in 0u32.. {
            match run(&app, id, &path).await {
                Ok(()) => break,
                // The store is away: the import resumes where it stopped.
                Err(problem) if problem.status == 503 && attempt < 120 && !app.stopping.is_cancelled() => {
                    tokio::time::sleep(std::time::Duration::from_millis(500 * u64::from(attempt.min(10) + 1))).await;
                }
                Err(problem) => {
                    tracing::warn!(import = %id, problem = %problem.title, "an import was given up");
                    let _ = end(&app, id, ImportState::Failed, Some(problem.title.to_string())).await;
                    break;
                }
            }
        }
        if !app.stopping.is_cancelled() {
            let _ = tokio::fs::remove_file(&path).await;
        }
    });
}

/// Takes up imports that an earlier life of this node left behind.
pub async fn resume(app: &App) {
    let Ok(mut entries) = tokio::fs::read_dir(folder(app)).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let id = name.to_str().and_then(|n| n.strip_suffix(".csv")).and_then(|n| n.parse::<ImportId>().ok());
        let Some(id) = id else { continue };
        match app.catalog.import(id).await {
            Ok(job) if job.row.state == ImportState::Running => start(app, id),
            Ok(_) => {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
            Err(_) => {}
        }
    }
}

async fn end(app: &App, id: ImportId, state: ImportState, problem: Option<String>) -> Answer<()> {
    for _ in 0..8 {
        let mut found = app.catalog.import(id).await?;
        if found.row.state != ImportState::Running {
            return Ok(());
        }
        found.row.state = state;
        found.row.problem = problem.clone();
        found.row.ended_at = Some(app.clock.now());
        match app.catalog.put_import(&Put { row: found.row, expected: found.version }).await {
            Ok(()) => return Ok(()),
            Err(autocall_core::ports::catalog::CatalogError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable())
}

/// What the reading thread hands over.
struct Part {
    rows: Vec<Row>,
    /// Bytes of the file that are read.
    bytes: u64,
    /// The file ends here, well or badly.
    end: Option<Result<(), FileError>>,
}

/// Reads the file on a thread of its own: parsing is work for a processor, not for a waiter.
fn read(path: PathBuf, country: Country, parts: mpsc::Sender<Part>) -> std::io::Result<()> {
    let mut source = std::fs::File::open(path)?;
    let mut importer = Importer::new(ImportRules { country, ..ImportRules::default() });
    let mut chunk = vec![0; 128 << 10];
    let (mut rows, mut bytes) = (Vec::with_capacity(BATCH), 0);
    loop {
        let n = source.read(&mut chunk)?;
        bytes += n as u64;
        if n == 0 {
            importer.finish()
        } else {
            importer.feed(&chunk[..n])
        }
        loop {
            match importer.next_row() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => {
                    let _ = parts.blocking_send(Part { rows, bytes, end: Some(Err(error)) });
                    return Ok(());
                }
            }
            if rows.len() >= BATCH {
                let full = std::mem::replace(&mut rows, Vec::with_capacity(BATCH));
                if parts.blocking_send(Part { rows: full, bytes, end: None }).is_err() {
                    return Ok(());
                }
            }
        }
        if n == 0 {
            let _ = parts.blocking_send(Part { rows, bytes, end: Some(Ok(())) });
            return Ok(());
        }
    }
}

/// An import on its way.
struct Run<'a> {
    app: &'a App,
    job: ImportJob,
    check: Check,
    /// Rejections since the last batch.
    rejected: Vec<Rejection>,
    /// The last line seen, and the last one that is stored.
    line: u64,
    stored: u64,
}

async fn run(app: &App, id: ImportId, path: &Path) -> Answer<()> {
    let job = app.catalog.import(id).await?.row;
    if job.state != ImportState::Running {
        return Ok(());
    }
    let country = crate::routes::leads::country(app, job.campaign).await?;
    let (give, mut take) = mpsc::channel(PARTS_AHEAD);
    let reader = tokio::task::spawn_blocking({
        let path = path.to_owned();
        move || read(path, country, give)
    });
    let stored = job.line_done;
    let mut run = Run { app, job, check: Check::new(BATCH), rejected: Vec::new(), line: 0, stored };
    let mut ended = None;
    while let Some(part) = take.recv().await {
        if app.stopping.is_cancelled() || app.catalog.import(id).await?.row.state != ImportState::Running {
            return Ok(());
        }
        for row in part.rows {
            run.row(row);
        }
        run.store(part.bytes).await?;
        ended = part.end;
    }
    reader.await.map_err(Problem::internal)?.map_err(|_| Problem::internal("the spooled upload cannot be read"))?;
    match ended {
        Some(Ok(())) => end(app, id, ImportState::Done, None).await,
        Some(Err(error)) => end(app, id, ImportState::Failed, Some(error.to_string())).await,
        None => Err(Problem::internal("the upload was not read to its end")),
    }
}

impl Run<'_> {
    fn row(&mut self, row: Row) {
        let rejection = match row {
            Row::Lead(lead) => {
                self.line = self.line.max(lead.line);
                let line = lead.line;
                // What an earlier life stored is only remembered, to find its duplicates below.
                self.check.push(*lead).filter(|_| line > self.stored)
            }
            Row::Rejected(rejection) => {
                self.line = self.line.max(rejection.line);
                (rejection.line > self.stored).then_some(rejection)
            }
            Row::Warned(warning) => (warning.0.line > self.stored).then_some(warning.0),
        };
        self.rejected.extend(rejection);
    }

    /// Asks the lists, and stores what is accepted.
    async fn store(&mut self, bytes: u64) -> Answer<()> {
        let now = self.app.clock.now();
        let tenant = self.job.id.tenant();
        let mut verdicts = Vec::with_capacity(self.check.phones().len());
        for phones in self.check.phones().chunks(10_000) {
            let lists = self.app.catalog.suppressed(tenant, Some(self.job.campaign), phones, now).await?;
            verdicts.extend(lists.iter().map(|l| match (l.tenant, l.campaign) {
                (Some(_), _) => Verdict::DoNotCall { list: "tenant".into() },
                (_, Some(_)) => Verdict::DoNotCall { list: "campaign".into() },
                _ => Verdict::Clear,
            }));
        }
        let checked = self.check.answer(&verdicts);
        self.suppress(&checked.do_not_call).await?;
        let fresh = |line: u64| line > self.stored;
        self.rejected.extend(checked.rejected.into_iter().filter(|r| fresh(r.line)));
        self.rejected.extend(checked.warnings.into_iter().map(|w| w.0).filter(|r| fresh(r.line)));
        if self.line <= self.stored {
            self.rejected.clear();
            return Ok(());
        }
        let drafts: Vec<_> = checked.accepted.into_iter().filter(|d| fresh(d.line)).collect();
        let (campaign, filing) = crate::jobs::refile::filing(self.app, self.job.campaign).await?;
        let leads = drafts.iter().map(|draft| {
            let (id, order) = (lead_id(&self.job, draft.line), draft.line as i64);
            let mut lead = Lead::from_draft(id, self.job.campaign, self.job.list, draft, order, Timestamp::EPOCH);
            self.app.engine.file(&mut lead, &campaign, &filing, now);
            lead
        });
        let step = ImportStep {
            import: self.job.id,
            from_line: self.stored,
            to_line: self.line,
            bytes_done: bytes,
            rejected: std::mem::take(&mut self.rejected),
            lines: drafts.iter().map(|d| d.line).collect(),
        };
        let batch = LeadBatch { campaign: self.job.campaign, leads: leads.collect(), step: Some(step), at: now };
        self.app.catalog.add_leads(&batch).await?;
        self.stored = self.line;
        crate::ops::metrics::count("autocall_leads_imported_total", drafts.len() as u64);
        Ok(())
    }

    async fn suppress(&self, numbers: &[autocall_core::Phone]) -> Answer<()> {
        for numbers in numbers.chunks(10_000) {
            let entries: Vec<Suppression> = numbers
                .iter()
                .map(|phone| Suppression {
                    target: SuppressTarget::Number(*phone),
                    campaign: None,
                    reason: "upload".into(),
                    source: format!("import {}", Key::from(self.job.id)).into(),
                    until: None,
                })
                .collect();
            let done = self.app.catalog.suppress(self.job.id.tenant(), &entries, self.app.clock.now()).await?;
            let stop = |call: &autocall_core::CallId| {
                autocall_core::engine::Task::Stop(*call, autocall_core::call::Stop::Listed)
            };
            self.app.give(done.live.iter().map(stop).collect());
        }
        Ok(())
    }
}

/// The id of the lead of a line: the same whenever the line comes again.
fn lead_id(job: &ImportJob, line: u64) -> LeadId {
    let mut bytes = job.id.key().as_bytes().to_vec();
    bytes.extend(line.to_le_bytes());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_ref()[..16]);
    Id::v7(job.id.tenant(), job.started_at, u128::from_le_bytes(half))
}
