//! Embedded SQLite store for autocall: one file, nothing to install. The default of a first hour,
//! and right for one node.
//!
//! Write-ahead log, one writer, several readers, full durability: a commit that returned survives
//! a power cut.

mod conn;

use async_trait::async_trait;
use autocall_core::TenantId;
use autocall_sql::{Backend, Dialect, Scope, SqlError, SqlStore, Tx};
use conn::{SqliteTx, failed};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use autocall_sql::Sealing;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// A SQLite store: [`autocall_core::ports::Store`], the catalog and the directory.
pub type SqliteStore = SqlStore<Sqlite>;

/// Why a store could not be opened, or backed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened or written.
    #[error("the database file {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the database's tables could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// A SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

/// How long a statement waits for a lock before the store counts as unavailable.
const BUSY: Duration = Duration::from_secs(5);

/// Opens a store in a file, which is made where it is not there, and brings its tables up to date.
pub async fn open(path: &Path, sealing: Sealing) -> Result<SqliteStore, OpenError> {
    let wrong = |source| OpenError::File { path: path.to_owned(), source };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("cache_size", "-32000")
        .statement_cache_capacity(256);
    let pool = |n| SqlitePoolOptions::new().max_connections(n).acquire_timeout(BUSY);
    let writer = pool(1).connect_with(options.clone()).await.map_err(wrong)?;
    MIGRATIONS.run(&writer).await?;
    let readers = pool(4).connect_with(options).await.map_err(wrong)?;
    Ok(SqlStore::new(Sqlite { path: path.to_owned(), writer, readers }, sealing))
}

impl Sqlite {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a back-up into a new file, while everything goes on.
    pub async fn back_up(&self, to: &Path) -> Result<(), OpenError> {
        let wrong = |source| OpenError::File { path: to.to_owned(), source };
        let mut conn = self.readers.acquire().await.map_err(wrong)?;
        sqlx::query("VACUUM INTO $1")
            .bind(to.to_string_lossy().into_owned())
            .execute(&mut *conn)
            .await
            .map_err(wrong)?;
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }
    async fn read(&self, _scope: Scope) -> Result<Box<dyn Tx>, SqlError> {
        Ok(Box::new(SqliteTx(self.readers.begin().await.map_err(failed)?)))
    }
    async fn write(&self, _scope: Scope) -> Result<Box<dyn Tx>, SqlError> {
        // Taking the write lock at once: a transaction that reads first could fail to get it later.
        Ok(Box::new(SqliteTx(self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)))
    }
    async fn due_tenants(&self, now: i64, limit: u32) -> Result<Vec<TenantId>, SqlError> {
        let mut tx = self.read(Scope::Directory).await?;
        // Three index probes for each tenant; one file has few.
        let due = |table: &str| {
            format!(
                "EXISTS (SELECT 1 FROM {table} d WHERE d.tenant = t.tenant AND d.due_at <= $1 AND d.due_at < {})",
                i64::MAX
            )
        };
        let sql = format!(
            "SELECT t.tenant FROM tenants t WHERE {} OR {} OR {} ORDER BY random() LIMIT $2",
            due("calls_live"),
            due("campaign_totals"),
            due("agents")
        );
        let rows = autocall_sql::Conn::rows(&mut *tx, &sql, &[now.into(), limit.into()]).await?;
        rows.iter().map(|r| Ok(TenantId(r.int(0)? as u32))).collect()
    }
    async fn will_wake(&self, _tenant: TenantId, _at: i64) -> Result<(), SqlError> {
        Ok(())
    }
    async fn looked(&self, _tenant: TenantId, _now: i64, _next: i64) -> Result<(), SqlError> {
        Ok(())
    }
}
