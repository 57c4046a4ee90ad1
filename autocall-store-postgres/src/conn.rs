//! Values in, rows out, over one Postgres transaction. Many rows go in one statement, as arrays.

use async_trait::async_trait;
use autocall_sql::{Cell, Conn, PutRow, Row, SqlError, Table, Tx, Value};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Encode, Executor, Postgres, Row as _, Type, TypeInfo, ValueRef};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

use crate::pool::Held;

/// How long a statement may go unanswered before the connection counts as lost. More than the
/// server's own time-outs: only a network that swallows packets gets here.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long a roll-back may take before the connection is closed instead.
const ROLLBACK_MAX: Duration = Duration::from_secs(5);

/// Where a transaction stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// In between statements.
    Rest,
    /// A statement is on its way, or got no answer: the connection's state is unknown.
    Under,
    /// A statement failed: only a roll-back can follow.
    Failed,
}

/// A transaction. Dropped, it is rolled back; dropped in the middle of a statement, its connection
/// is closed.
pub(crate) struct PgTx {
    held: Option<Held>,
    at: At,
}

impl PgTx {
    /// From a connection on which a transaction was begun.
    pub(crate) fn begun(held: Held) -> PgTx {
        PgTx { held: Some(held), at: At::Rest }
    }

    /// Does something with the connection, and remembers how that left it.
    async fn with<'s, T, F>(&'s mut self, what: impl FnOnce(&'s mut sqlx::PgConnection) -> F) -> Result<T, SqlError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let PgTx { held, at } = self;
        let Some(held) = held.as_mut().filter(|_| *at == At::Rest) else {
            return Err(SqlError::Unreadable("a statement after one that failed".into()));
        };
        *at = At::Under;
        match timeout(SILENCE_MAX, what(&mut held.conn)).await {
            Ok(Ok(value)) => {
                *at = At::Rest;
                Ok(value)
            }
            Ok(Err(error)) => {
                if matches!(error, sqlx::Error::Database(_)) {
                    *at = At::Failed;
                }
                Err(failed(error))
            }
            Err(_) => Err(SqlError::Gone("Postgres does not answer".into())),
        }
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take().filter(|_| self.at != At::Under) else { return };
        // Without a runtime the connection is closed, which rolls back as well.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(Ok(_)) = timeout(ROLLBACK_MAX, held.conn.execute("ROLLBACK")).await {
                held.give_back();
            }
        });
    }
}

/// What went wrong, by code and constraint: the server's texts could quote values.
pub(crate) fn failed(e: sqlx::Error) -> SqlError {
    let sqlx::Error::Database(db) = &e else {
        return match e {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                SqlError::Unreadable("Postgres gave a row of another shape".into())
            }
            _ => SqlError::Gone("Postgres cannot be reached".into()),
        };
    };
    let code = db.code().unwrap_or_default().into_owned();
    let text = match db.constraint() {
        Some(constraint) => format!("Postgres {code} ({constraint})"),
        None => format!("Postgres {code}"),
    };
    match code.as_str() {
        // unique_violation; serialization_failure, deadlock_detected; lock_not_available
        "23505" | "40001" | "40P01" | "55P03" => SqlError::Clash(text),
        "23503" => SqlError::Missing(text),
        // query_canceled (a timeout); read_only_sql_transaction (a standby after a failover)
        "57014" | "25006" | "25P03" => SqlError::Gone(text),
        c if c.starts_with("08") || c.starts_with("57P") || c.starts_with("53") || c.starts_with("58") => {
            SqlError::Gone(text)
        }
        _ => SqlError::Unreadable(text),
    }
}

/// JSON text as `jsonb`, without a detour over a tree.
struct Jsonb<'a>(&'a str);

impl Type<Postgres> for Jsonb<'_> {
    fn type_info() -> PgTypeInfo {
        <Json<()> as Type<Postgres>>::type_info()
    }
}
impl<'q> Encode<'q, Postgres> for Jsonb<'_> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The binary form of jsonb: a version byte, then text.
        buf.push(1);
        buf.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

fn bind<'q>(query: Query<'q>, value: &'q Value) -> Query<'q> {
    match value {
        Value::Int(v) => query.bind(v),
        Value::Text(v) => query.bind(v),
        Value::Blob(v) => query.bind(v),
        Value::Uuid(v) => query.bind(v),
        Value::Json(v) => query.bind(v.as_deref().map(Jsonb)),
        Value::Ints(v) => query.bind(v),
        Value::Texts(v) | Value::Jsons(v) => query.bind(v),
        Value::Blobs(v) => query.bind(v),
        Value::Uuids(v) => query.bind(v),
    }
}

fn cell(row: &PgRow, i: usize) -> Result<Cell, sqlx::Error> {
    let raw = row.try_get_raw(i)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let info = raw.type_info();
    Ok(match info.name() {
        "INT8" => Cell::Int(row.try_get(i)?),
        "INT4" => Cell::Int(i64::from(row.try_get::<i32, _>(i)?)),
        "UUID" => Cell::Uuid(row.try_get(i)?),
        "BYTEA" => Cell::Blob(row.try_get(i)?),
        "JSONB" => {
            let bytes = raw.as_bytes().map_err(sqlx::Error::Decode)?;
            let text = bytes.get(1..).unwrap_or_default().to_vec();
            Cell::Text(String::from_utf8(text).map_err(|e| sqlx::Error::Decode(e.into()))?)
        }
        _ => Cell::Text(row.try_get(i)?),
    })
}

fn read(row: &PgRow) -> Result<Row, SqlError> {
    (0..row.len()).map(|i| cell(row, i)).collect::<Result<_, _>>().map(Row).map_err(failed)
}

/// One column of many rows.
fn column(kind: &str, rows: &mut [PutRow], i: usize) -> Value {
    let take = |row: &mut PutRow| std::mem::replace(&mut row.values[i], Value::Int(None));
    macro_rules! of {
        ($($from:ident)|+ => $to:ident) => {
            Value::$to(rows.iter_mut().map(|r| match take(r) { $(Value::$from(v) => v,)+ _ => None }).collect())
        };
    }
    match kind {
        "uuid" => of!(Uuid => Uuids),
        "bytea" => of!(Blob => Blobs),
        "text" | "jsonb" => of!(Text | Json => Texts),
        _ => of!(Int => Ints),
    }
}

/// `unnest` of the columns' arrays, as `u(c0, c1, …)`; JSON travels as text.
fn unnest(table: &Table, more: &[&str]) -> String {
    let plain = |kind: &str| if kind == "jsonb" { "text" } else { kind }.to_owned();
    let kinds = table.columns.iter().map(|c| plain(c.1)).chain(more.iter().map(|k| plain(k)));
    let arrays: Vec<String> = kinds.enumerate().map(|(i, k)| format!("${}::{k}[]", i + 1)).collect();
    let names: Vec<String> = (0..arrays.len()).map(|i| format!("c{i}")).collect();
    format!("unnest({}) AS u({})", arrays.join(", "), names.join(", "))
}

fn from_u(table: &Table, i: usize) -> String {
    if table.columns[i].1 == "jsonb" { format!("u.c{i}::jsonb") } else { format!("u.c{i}") }
}

impl PgTx {
    async fn insert(&mut self, table: &Table, mut rows: Vec<PutRow>, fresh: bool) -> Result<(), SqlError> {
        let n = table.columns.len();
        let names: Vec<&str> = table.columns.iter().map(|c| c.0).collect();
        let mut args: Vec<Value> = table.columns.iter().enumerate().map(|(i, c)| column(c.1, &mut rows, i)).collect();
        let select: Vec<String> = (0..n).map(|i| from_u(table, i)).collect();
        let (list, selected) = (names.join(", "), select.join(", "));
        let sql = if table.versioned {
            args.push(Value::Ints(rows.iter().map(|r| Some(r.version.1 as i64)).collect()));
            let u = unnest(table, &["bigint"]);
            format!("INSERT INTO {} ({list}, version) SELECT {selected}, u.c{n} FROM {u}", table.name)
        } else if fresh {
            format!("INSERT INTO {} ({list}) SELECT {selected} FROM {}", table.name, unnest(table, &[]))
        } else {
            // When a row was made never changes.
            let rest = names[table.key..].iter().filter(|c| **c != "created_at");
            let sets: Vec<String> = rest.map(|c| format!("{c} = excluded.{c}")).collect();
            let on = if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
            format!(
                "INSERT INTO {} ({list}) SELECT {selected} FROM {} ON CONFLICT ({}) DO {on}",
                table.name,
                unnest(table, &[]),
                names[..table.key].join(", ")
            )
        };
        self.run(&sql, &args).await.map(drop)
    }

    async fn change(&mut self, table: &Table, mut rows: Vec<PutRow>) -> Result<(), SqlError> {
        let (n, count) = (table.columns.len(), rows.len() as u64);
        let tenant = rows[0].values[0].clone();
        let mut args: Vec<Value> = table.columns.iter().enumerate().map(|(i, c)| column(c.1, &mut rows, i)).collect();
        args.push(Value::Ints(rows.iter().map(|r| Some(r.version.0 as i64)).collect()));
        args.push(Value::Ints(rows.iter().map(|r| Some(r.version.1 as i64)).collect()));
        args.push(tenant);
        let rest = (table.key..n).filter(|&i| table.columns[i].0 != "created_at");
        let sets: Vec<String> = rest.map(|i| format!("{} = {}", table.columns[i].0, from_u(table, i))).collect();
        let keys: Vec<String> = (1..table.key).map(|i| format!("t.{} = u.c{i}", table.columns[i].0)).collect();
        let sql = format!(
            "UPDATE {} t SET {}, version = u.c{} FROM {} WHERE t.tenant = ${} AND {} AND t.version = u.c{n}",
            table.name,
            sets.join(", "),
            n + 1,
            unnest(table, &["bigint", "bigint"]),
            n + 3,
            keys.join(" AND ")
        );
        if self.run(&sql, &args).await? == count {
            Ok(())
        } else {
            Err(SqlError::Clash(format!("a row of {} has another version", table.name)))
        }
    }
}

#[async_trait]
impl Conn for PgTx {
    async fn rows(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        let query = args.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
        let rows = self.with(|conn| query.fetch_all(conn)).await?;
        rows.iter().map(read).collect()
    }

    async fn run(&mut self, sql: &str, args: &[Value]) -> Result<u64, SqlError> {
        let query = args.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
        Ok(self.with(|conn| query.execute(conn)).await?.rows_affected())
    }

    async fn put(&mut self, table: &Table, rows: Vec<PutRow>) -> Result<(), SqlError> {
        if !table.versioned {
            return self.insert(table, rows, false).await;
        }
        let (new, old): (Vec<PutRow>, Vec<PutRow>) = rows.into_iter().partition(|r| r.version.0 == 0);
        if !new.is_empty() {
            self.insert(table, new, true).await?;
        }
        if old.is_empty() { Ok(()) } else { self.change(table, old).await }
    }

    async fn load(&mut self, table: &Table, rows: Vec<PutRow>) -> Result<(), SqlError> {
        self.insert(table, rows, true).await
    }
}

#[async_trait]
impl Tx for PgTx {
    async fn commit(mut self: Box<Self>) -> Result<(), SqlError> {
        self.with(|conn| conn.execute("COMMIT")).await?;
        if let Some(held) = self.held.take() {
            held.give_back();
        }
        Ok(())
    }
}

/// The smallest UUID of version 7 of an instant: a bound between partitions.
pub(crate) fn bound(ms: i64) -> Uuid {
    Uuid::from_u128(((ms.max(0) as u128) & 0xFFFF_FFFF_FFFF) << 80)
}
