//! The narrow waist between the shared statements and a database: values in, rows out.
//!
//! Statements are written once, in the SQL that both databases understand, with `$1`, `$2`, …
//! Where they differ, [`Dialect`] says how.

use async_trait::async_trait;
use autocall_core::TenantId;
use autocall_core::ports::StoreError;
use uuid::Uuid;

/// A value to bind. `None` is NULL, of the type that it would have.
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
    /// JSON as text.
    Json(Option<String>),
    /// Lists, for [`Dialect::any`] and [`Conn::put`].
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
    Uuids(Vec<Option<Uuid>>),
    Jsons(Vec<Option<String>>),
}

impl std::fmt::Debug for Value {
    /// Only the type: a value may be personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Value::Int(_) => "Int",
            Value::Text(_) => "Text",
            Value::Blob(_) => "Blob",
            Value::Uuid(_) => "Uuid",
            Value::Json(_) => "Json",
            _ => "List",
        })
    }
}

macro_rules! from {
    ($($t:ty => |$v:ident| $e:expr),* $(,)?) => { $(impl From<$t> for Value { fn from($v: $t) -> Value { $e } })* };
}
from! {
    i64 => |v| Value::Int(Some(v)),
    u32 => |v| Value::Int(Some(i64::from(v))),
    u64 => |v| Value::Int(Some(v as i64)),
    bool => |v| Value::Int(Some(i64::from(v))),
    Option<i64> => |v| Value::Int(v),
    TenantId => |v| Value::Int(Some(i64::from(v.0))),
    autocall_core::Timestamp => |v| Value::Int(Some(v.ms())),
    Option<autocall_core::Timestamp> => |v| Value::Int(v.map(|t| t.ms())),
    &str => |v| Value::Text(Some(v.to_owned())),
    String => |v| Value::Text(Some(v)),
    Option<String> => |v| Value::Text(v),
    Vec<u8> => |v| Value::Blob(Some(v)),
    Option<Vec<u8>> => |v| Value::Blob(v),
    Uuid => |v| Value::Uuid(Some(v)),
    Option<Uuid> => |v| Value::Uuid(v),
}

/// One column of an answer.
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Cell {
    Null,
    Int(i64),
    /// Text and JSON.
    Text(String),
    /// Bytes; SQLite also gives UUIDs like this.
    Blob(Vec<u8>),
    Uuid(Uuid),
}

/// One row of an answer.
pub struct Row(pub Vec<Cell>);

fn unreadable(column: usize, what: &str) -> SqlError {
    SqlError::Unreadable(format!("column {column} is not {what}"))
}

impl Row {
    fn cell(&self, i: usize) -> &Cell {
        self.0.get(i).unwrap_or(&Cell::Null)
    }
    /// An integer, or NULL.
    pub fn int_opt(&self, i: usize) -> Result<Option<i64>, SqlError> {
        match self.cell(i) {
            Cell::Int(v) => Ok(Some(*v)),
            Cell::Null => Ok(None),
            _ => Err(unreadable(i, "an integer")),
        }
    }
    /// An integer.
    pub fn int(&self, i: usize) -> Result<i64, SqlError> {
        self.int_opt(i)?.ok_or_else(|| unreadable(i, "an integer"))
    }
    /// A version, a count.
    pub fn count(&self, i: usize) -> Result<u64, SqlError> {
        Ok(self.int_opt(i)?.unwrap_or(0).max(0) as u64)
    }
    /// An instant, or NULL.
    pub fn at_opt(&self, i: usize) -> Result<Option<autocall_core::Timestamp>, SqlError> {
        Ok(self.int_opt(i)?.map(autocall_core::Timestamp::from_ms))
    }
    /// An instant.
    pub fn at(&self, i: usize) -> Result<autocall_core::Timestamp, SqlError> {
        self.int(i).map(autocall_core::Timestamp::from_ms)
    }
    /// Text, or NULL.
    pub fn text_opt(&self, i: usize) -> Result<Option<&str>, SqlError> {
        match self.cell(i) {
            Cell::Text(v) => Ok(Some(v)),
            Cell::Null => Ok(None),
            _ => Err(unreadable(i, "text")),
        }
    }
    /// Text.
    pub fn text(&self, i: usize) -> Result<&str, SqlError> {
        self.text_opt(i)?.ok_or_else(|| unreadable(i, "text"))
    }
    /// Bytes, or NULL.
    pub fn blob_opt(&self, i: usize) -> Result<Option<&[u8]>, SqlError> {
        match self.cell(i) {
            Cell::Blob(v) => Ok(Some(v)),
            Cell::Null => Ok(None),
            _ => Err(unreadable(i, "bytes")),
        }
    }
    /// Bytes.
    pub fn blob(&self, i: usize) -> Result<&[u8], SqlError> {
        self.blob_opt(i)?.ok_or_else(|| unreadable(i, "bytes"))
    }
    /// A UUID, or NULL.
    pub fn uuid_opt(&self, i: usize) -> Result<Option<Uuid>, SqlError> {
        match self.cell(i) {
            Cell::Uuid(v) => Ok(Some(*v)),
            Cell::Blob(v) => Uuid::from_slice(v).map(Some).map_err(|_| unreadable(i, "a UUID")),
            Cell::Null => Ok(None),
            _ => Err(unreadable(i, "a UUID")),
        }
    }
    /// A UUID.
    pub fn uuid(&self, i: usize) -> Result<Uuid, SqlError> {
        self.uuid_opt(i)?.ok_or_else(|| unreadable(i, "a UUID"))
    }
    /// JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, i: usize) -> Result<T, SqlError> {
        serde_json::from_str(self.text(i)?).map_err(|e| SqlError::Unreadable(format!("column {i}: {}", brief(&e))))
    }
}

/// What is wrong with JSON, without any of its content.
pub(crate) fn brief(e: &serde_json::Error) -> String {
    format!("{:?} error in JSON, line {} column {}", e.classify(), e.line(), e.column())
}

/// Why a statement failed. Texts name codes and constraints, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The database cannot be reached, took too long, or has no room.
    #[error("{0}")]
    Gone(String),
    /// Somebody else was there at the same time: unique key, deadlock, serialisation. Try again.
    #[error("{0}")]
    Clash(String),
    /// A row that was referred to is not there.
    #[error("{0}")]
    Missing(String),
    /// What is stored, or was asked, cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl From<SqlError> for StoreError {
    fn from(e: SqlError) -> StoreError {
        match e {
            SqlError::Gone(why) | SqlError::Clash(why) => StoreError::Unavailable(why),
            SqlError::Missing(_) => StoreError::NotFound,
            SqlError::Unreadable(why) => StoreError::Corrupt(why),
        }
    }
}
impl From<SqlError> for autocall_core::ports::catalog::CatalogError {
    fn from(e: SqlError) -> Self {
        match e {
            SqlError::Missing(_) => Self::NotFound,
            e => Self::Store(e.into()),
        }
    }
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// `column` is one of the list bound as parameter `n`. `kind`: `uuid`, `bytea`, `text` or
    /// `bigint`.
    pub fn any(self, column: &str, n: usize, kind: &str) -> String {
        match self {
            Dialect::Postgres => format!("{column} = ANY(${n}::{kind}[])"),
            Dialect::Sqlite if matches!(kind, "uuid" | "bytea") => {
                format!("{column} IN (SELECT unhex(value) FROM json_each(${n}))")
            }
            Dialect::Sqlite => format!("{column} IN (SELECT value FROM json_each(${n}))"),
        }
    }
    /// How many groups of one tenant's reads, or commits, are worth having under way: SQLite has one
    /// writer.
    pub fn groups_max(self) -> usize {
        match self {
            Dialect::Postgres => 2,
            Dialect::Sqlite => 1,
        }
    }
    /// Locks the rows of a SELECT against other writers until the transaction ends.
    pub fn lock(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR NO KEY UPDATE",
            Dialect::Sqlite => "",
        }
    }
    /// Locks the rows of a SELECT against change, and lets others do the same.
    pub fn lock_share(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR SHARE",
            Dialect::Sqlite => "",
        }
    }
    /// Locks the rows of a table `q` in a join.
    pub fn lock_q(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR NO KEY UPDATE OF q",
            Dialect::Sqlite => "",
        }
    }
    /// A query that waits until nobody else has passed it with the same number, and holds it until
    /// the transaction ends; `None` where writers take turns anyway.
    pub fn turnstile(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some("SELECT 1 WHERE pg_advisory_xact_lock($1) IS NOT NULL"),
            Dialect::Sqlite => None,
        }
    }
    /// The same, skipping rows that somebody else holds.
    pub fn lock_skip(self) -> &'static str {
        match self {
            Dialect::Postgres => " FOR NO KEY UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        }
    }
}

/// A table, as [`Conn::put`] must know it.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns with their types; `version` is set and checked by `put`, and not named here.
    pub columns: &'static [(&'static str, &'static str)],
    /// How many of the first columns are the key.
    pub key: usize,
    /// Whether rows carry a version.
    pub versioned: bool,
}

/// A row to write: its columns, and for versioned tables its present and its new version.
pub struct PutRow {
    /// In the order of the table's columns.
    pub values: Vec<Value>,
    /// The version that it must have now (0: none) and has afterwards.
    pub version: (u64, u64),
}

/// A connection in a transaction.
#[async_trait]
pub trait Conn: Send {
    /// Runs a query.
    async fn rows(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError>;

    /// Runs a statement; how many rows it changed.
    async fn run(&mut self, sql: &str, args: &[Value]) -> Result<u64, SqlError>;

    /// Writes rows: inserts those whose present version is 0, changes the others. All of them, or
    /// [`SqlError::Clash`]. An unversioned row is inserted or changed.
    async fn put(&mut self, table: &Table, rows: Vec<PutRow>) -> Result<(), SqlError>;

    /// Adds rows that nobody else can have, fast.
    async fn load(&mut self, table: &Table, rows: Vec<PutRow>) -> Result<(), SqlError> {
        self.put(table, rows).await
    }

    /// At most one row.
    async fn row(&mut self, sql: &str, args: &[Value]) -> Result<Option<Row>, SqlError> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }
}

/// A transaction. Dropping it rolls back.
#[async_trait]
pub trait Tx: Conn {
    /// Makes it durable.
    async fn commit(self: Box<Self>) -> Result<(), SqlError>;
}

/// Whose rows a transaction may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant's.
    Tenant(TenantId),
    /// One tenant's, found by key or by a small index: the same few statements each time, whose plans may
    /// be kept.
    /// Planning each anew was a third of what a small commit cost the database. Nothing here is
    /// limited by a parameter: a plan that does not know the limit reads all and sorts.
    Keyed(TenantId),
    /// The directory, which no tenant owns.
    Directory,
}

/// A database.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Begins a transaction that only reads.
    async fn read(&self, scope: Scope) -> Result<Box<dyn Tx>, SqlError>;

    /// Begins a transaction that writes.
    async fn write(&self, scope: Scope) -> Result<Box<dyn Tx>, SqlError>;

    /// Some tenants that may have something due, and the place after them for the next call: a
    /// tenant is never passed over for ever.
    async fn due_tenants(&self, now: i64, limit: u32) -> Result<Vec<TenantId>, SqlError>;

    /// Before a commit that sets something due at `at`: makes sure that every node will look at
    /// the tenant.
    async fn will_wake(&self, tenant: TenantId, at: i64) -> Result<(), SqlError>;

    /// After that commit: looks that begin now find it.
    fn woke(&self, _tenant: TenantId, _at: i64) {}

    /// A tenant's share was taken, and it may have more: others come first at the next look.
    fn took(&self, _tenant: TenantId, _now: i64) {}

    /// After a look: when the tenant's next thing is due (`i64::MAX`: nothing is).
    async fn looked(&self, tenant: TenantId, now: i64, next: i64) -> Result<(), SqlError>;
}
