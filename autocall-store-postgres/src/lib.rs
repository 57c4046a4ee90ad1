//! Postgres store for autocall: several server processes on one database share every campaign,
//! with no leader.
//!
//! Architecture invariant: the server works as roles that cannot bypass row-level security; a
//! transaction sees the tenant that it named, and no other.

mod bus;
mod conn;
mod pool;
mod wakes;

use async_trait::async_trait;
use autocall_core::{TenantId, Timestamp};
use autocall_sql::{Backend, Dialect, Scope, SqlError, SqlStore, Tx};
use conn::bound;
use pool::Pool;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::str::FromStr;
use wakes::{LOOK_MS, QUIET_LOOKS, Wakes};

pub use autocall_sql::Sealing;
pub use bus::PostgresBus;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// A Postgres store: [`autocall_core::ports::Store`], the catalog and the directory.
pub type PostgresStore = SqlStore<Postgres>;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where: `postgres://user@host/database`. The user must be a member of the roles
    /// `autocall_app` and `autocall_directory`; the first start makes them if it may.
    pub url: String,
    /// Most connections for tenants' work.
    pub connections_max: u32,
    /// Whether to bring the schema up to date at the start.
    pub migrate: bool,
}

impl Options {
    /// The usual options.
    pub fn new(url: impl Into<String>) -> Options {
        Options { url: url.into(), connections_max: 16, migrate: true }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database cannot be reached, or the address is wrong.
    #[error("the Postgres database cannot be used")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's tables could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The role that the server works as is too powerful.
    #[error("the role {0} can bypass row-level security; the server does not work with it")]
    TooPowerful(&'static str),
}

/// A Postgres database.
pub struct Postgres {
    app: Pool,
    directory: Pool,
    wakes: Wakes,
}

/// How long a statement, and a transaction that idles, may take. No commit takes longer.
const TIMEOUTS: [(&str, &str); 3] =
    [("statement_timeout", "15s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "30s")];

async fn pool(options: &PgConnectOptions, max: u32, role: &'static str) -> Result<Pool, OpenError> {
    let pool = Pool::new(options.clone(), max, role);
    let mut conn = pool.connect().await?;
    let sql = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    let powerful: bool = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
    conn.close().await?;
    if powerful { Err(OpenError::TooPowerful(role)) } else { Ok(pool) }
}

/// Opens a store.
pub async fn open(options: &Options, sealing: Sealing) -> Result<PostgresStore, OpenError> {
    let at = PgConnectOptions::from_str(&options.url)?.application_name("autocall");
    if options.migrate {
        migrate(&at).await?;
    }
    let at = at.options(TIMEOUTS).statement_cache_capacity(512);
    let app = pool(&at, options.connections_max, "autocall_app").await?;
    let directory = pool(&at, 4, "autocall_directory").await?;
    Ok(SqlStore::new(Postgres { app, directory, wakes: Wakes::default() }, sealing))
}

async fn migrate(at: &PgConnectOptions) -> Result<(), OpenError> {
    // A start must not wait for ever behind a long transaction, nor make others wait behind it.
    let mut conn = PgConnection::connect_with(&at.clone().options([("lock_timeout", "5s")])).await?;
    MIGRATIONS.run(&mut conn).await?;
    let now = jiff::Timestamp::now().as_millisecond();
    for month in 0..4 {
        make_month(&mut conn, Timestamp::from_ms(now), month).await?;
    }
    conn.close().await?;
    Ok(())
}

/// Makes the partitions of the month that is `ahead` months after `now`.
async fn make_month(conn: &mut PgConnection, now: Timestamp, ahead: i32) -> Result<(), sqlx::Error> {
    let today = now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    let month = |n: i32| today.saturating_add(jiff::Span::new().months(n));
    let ms =
        |d: jiff::civil::Date| d.to_zoned(jiff::tz::TimeZone::UTC).map_or(i64::MAX, |z| z.timestamp().as_millisecond());
    let (from, to) = (month(ahead), month(ahead + 1));
    for table in ["calls_done", "records"] {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table}_{:04}_{:02} PARTITION OF {table} FOR VALUES FROM ('{}') TO ('{}')",
            from.year(),
            from.month(),
            bound(ms(from)),
            bound(ms(to))
        );
        conn.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

/// Makes the next months' partitions, and drops those that end before `before` (the end of the
/// longest retention of any tenant), if it is given. Run it daily, as the owner of the tables.
pub async fn keep_partitions(url: &str, now: Timestamp, before: Option<Timestamp>) -> Result<Vec<String>, OpenError> {
    let at = PgConnectOptions::from_str(url)?.options([("lock_timeout", "5s")]);
    let mut conn = PgConnection::connect_with(&at).await?;
    for month in 0..4 {
        make_month(&mut conn, now, month).await?;
    }
    let mut dropped = Vec::new();
    if let Some(before) = before {
        let end = before.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
        let (y, m) = (i64::from(end.year()), i64::from(end.month()));
        let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                   JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname IN ('calls_done', 'records')";
        let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await?;
        for name in names {
            let mut parts = name.rsplit('_').map(str::parse::<i64>);
            let (Some(Ok(month)), Some(Ok(year))) = (parts.next(), parts.next()) else { continue };
            if (year, month) < (y, m) {
                conn.execute(AssertSqlSafe(format!("DROP TABLE {name}"))).await?;
                dropped.push(name);
            }
        }
    }
    conn.close().await?;
    Ok(dropped)
}

impl Postgres {
    /// Closes every connection.
    pub async fn close(&self) {
        self.app.close().await;
        self.directory.close().await;
    }

    async fn begin(&self, scope: Scope, how: &str) -> Result<Box<dyn Tx>, SqlError> {
        let tx = match scope {
            // One round trip: a simple query of two statements.
            Scope::Tenant(tenant) => {
                self.app.begin(&format!("BEGIN {how}; SET LOCAL autocall.tenant = '{tenant}'")).await?
            }
            Scope::Keyed(tenant) => {
                let local = format!("SET LOCAL autocall.tenant = '{tenant}'");
                self.app.begin(&format!("BEGIN {how}; {local}; SET LOCAL plan_cache_mode = force_generic_plan")).await?
            }
            Scope::Directory => self.directory.begin(&format!("BEGIN {how}")).await?,
        };
        Ok(Box::new(tx))
    }
}

#[async_trait]
impl Backend for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
    async fn read(&self, scope: Scope) -> Result<Box<dyn Tx>, SqlError> {
        self.begin(scope, "ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }
    async fn write(&self, scope: Scope) -> Result<Box<dyn Tx>, SqlError> {
        self.begin(scope, "ISOLATION LEVEL READ COMMITTED").await
    }
    async fn due_tenants(&self, now: i64, limit: u32) -> Result<Vec<TenantId>, SqlError> {
        let mut tenants = self.wakes.due(now, limit as usize);
        let mut tx = self.read(Scope::Directory).await?;
        let sql = "SELECT tenant FROM directory_wakes WHERE look_at <= $1 ORDER BY look_at LIMIT $2";
        for row in tx.rows(sql, &[now.into(), limit.into()]).await? {
            let tenant = TenantId(row.int(0)? as u32);
            if !tenants.contains(&tenant) {
                tenants.push(tenant);
            }
        }
        tx.commit().await?;
        Ok(tenants)
    }
    async fn will_wake(&self, tenant: TenantId, at: i64) -> Result<(), SqlError> {
        if self.wakes.will(tenant, at) {
            let mut tx = self.write(Scope::Directory).await?;
            let sql = "INSERT INTO directory_wakes (tenant, look_at) VALUES ($1, $2) \
                       ON CONFLICT (tenant) DO UPDATE SET quiet = 0, \
                       look_at = LEAST(directory_wakes.look_at, excluded.look_at)";
            tx.run(sql, &[tenant.into(), at.into()]).await?;
            tx.commit().await?;
            self.wakes.told(tenant);
        }
        Ok(())
    }
    fn woke(&self, tenant: TenantId, at: i64) {
        self.wakes.written(tenant, at);
    }
    fn took(&self, tenant: TenantId, now: i64) {
        self.wakes.took(tenant, now);
    }
    async fn looked(&self, tenant: TenantId, now: i64, next: i64) -> Result<(), SqlError> {
        self.wakes.looked(tenant, now, next);
        let mut tx = self.write(Scope::Directory).await?;
        // Only the first look of a round counts and moves the row; quiet ones add up to sleep.
        let sql = "UPDATE directory_wakes SET quiet = CASE WHEN $3 = 1 THEN quiet + 1 ELSE 0 END, \
                   look_at = CASE WHEN $3 = 1 AND quiet >= $5 THEN 9223372036854775807 ELSE $4 END \
                   WHERE tenant = $1 AND look_at <= $2";
        let look_at = next.min(now + LOOK_MS);
        let args = [tenant.into(), now.into(), (next == i64::MAX).into(), look_at.into(), QUIET_LOOKS.into()];
        tx.run(sql, &args).await?;
        tx.commit().await
    }
}
