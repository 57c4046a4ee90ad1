//! Values in, rows out, over one SQLite transaction.

use async_trait::async_trait;
use autocall_sql::{Cell, Conn, PutRow, Row, SqlError, Table, Tx, Value};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction, TypeInfo, ValueRef};
use std::fmt::Write as _;

/// A transaction.
pub(crate) struct SqliteTx(pub(crate) Transaction<'static, Sqlite>);

/// What went wrong, by code: the database's texts could quote values.
pub(crate) fn failed(e: sqlx::Error) -> SqlError {
    match &e {
        sqlx::Error::Database(db) => {
            let code = db.code().unwrap_or_default();
            // The primary result code is the lowest byte of the extended one.
            let primary = code.parse::<u32>().unwrap_or(0) & 0xff;
            if db.is_unique_violation() {
                SqlError::Clash(format!("SQLite {code}: a key is taken"))
            } else if db.is_foreign_key_violation() {
                SqlError::Missing(format!("SQLite {code}: a row referred to is not there"))
            } else if matches!(primary, 5 | 6) {
                SqlError::Clash(format!("SQLite {code}: the database is locked"))
            } else if matches!(primary, 8 | 10 | 13 | 14) {
                SqlError::Gone(format!("SQLite {code}: the file cannot be written or read"))
            } else {
                SqlError::Unreadable(format!("SQLite {code}"))
            }
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
            SqlError::Gone("the SQLite file is not available".into())
        }
        _ => SqlError::Unreadable("SQLite gave an answer of another shape".into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02X}");
        out
    })
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(query: Query<'q>, value: &Value) -> Query<'q> {
    // Lists are JSON arrays; bytes in them are hexadecimal.
    let list = |items: Vec<Option<String>>| serde_json::to_string(&items).unwrap_or_default();
    match value {
        Value::Int(v) => query.bind(*v),
        Value::Text(v) | Value::Json(v) => query.bind(v.clone()),
        Value::Blob(v) => query.bind(v.clone()),
        Value::Uuid(v) => query.bind(v.map(|u| u.as_bytes().to_vec())),
        Value::Ints(v) => query.bind(serde_json::to_string(v).unwrap_or_default()),
        Value::Texts(v) | Value::Jsons(v) => query.bind(list(v.clone())),
        Value::Blobs(v) => query.bind(list(v.iter().map(|b| b.as_deref().map(hex)).collect())),
        Value::Uuids(v) => query.bind(list(v.iter().map(|u| u.map(|u| hex(u.as_bytes()))).collect())),
    }
}

fn read(row: &SqliteRow) -> Result<Row, SqlError> {
    let cell = |i: usize| -> Result<Cell, sqlx::Error> {
        let raw = row.try_get_raw(i)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let kind = raw.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "TEXT" => Cell::Text(row.try_get_unchecked(i)?),
            "BLOB" => Cell::Blob(row.try_get_unchecked(i)?),
            _ => Cell::Int(row.try_get_unchecked(i)?),
        })
    };
    (0..row.len()).map(cell).collect::<Result<_, _>>().map(Row).map_err(failed)
}

#[async_trait]
impl Conn for SqliteTx {
    async fn rows(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        let query = args.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
        let rows = query.fetch_all(&mut *self.0).await.map_err(failed)?;
        rows.iter().map(read).collect()
    }

    async fn run(&mut self, sql: &str, args: &[Value]) -> Result<u64, SqlError> {
        let query = args.iter().fold(sqlx::query(AssertSqlSafe(sql)), bind);
        Ok(query.execute(&mut *self.0).await.map_err(failed)?.rows_affected())
    }

    async fn put(&mut self, table: &Table, rows: Vec<PutRow>) -> Result<(), SqlError> {
        let (insert, update) = statements(table);
        for row in rows {
            let (from, to) = row.version;
            let mut args = row.values;
            if table.versioned {
                args.push(to.into());
            }
            let sql = if table.versioned && from > 0 {
                args.push(from.into());
                &update
            } else {
                &insert
            };
            if self.run(sql, &args).await? != 1 && table.versioned {
                return Err(SqlError::Clash(format!("a row of {} has another version", table.name)));
            }
        }
        Ok(())
    }
}

/// The statements that insert and that change one row of a table.
fn statements(table: &Table) -> (String, String) {
    let names: Vec<&str> = table.columns.iter().map(|c| c.0).collect();
    let n = names.len();
    let list = |range: std::ops::Range<usize>| range.map(|i| format!("${}", i + 1)).collect::<Vec<_>>().join(", ");
    // When a row was made never changes.
    let rest = || names[table.key..].iter().enumerate().filter(|(_, c)| **c != "created_at");
    if table.versioned {
        let insert = format!("INSERT INTO {} ({}, version) VALUES ({})", table.name, names.join(", "), list(0..n + 1));
        let sets: Vec<String> = rest().map(|(i, c)| format!("{c} = ${}", table.key + i + 1)).collect();
        let keys: Vec<String> =
            names[..table.key].iter().enumerate().map(|(i, c)| format!("{c} = ${}", i + 1)).collect();
        let update = format!(
            "UPDATE {} SET {}, version = ${} WHERE {} AND version = ${}",
            table.name,
            sets.join(", "),
            n + 1,
            keys.join(" AND "),
            n + 2
        );
        (insert, update)
    } else {
        let sets: Vec<String> = rest().map(|(_, c)| format!("{c} = excluded.{c}")).collect();
        let on = if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {on}",
            table.name,
            names.join(", "),
            list(0..n),
            names[..table.key].join(", ")
        );
        (insert, String::new())
    }
}

#[async_trait]
impl Tx for SqliteTx {
    async fn commit(self: Box<Self>) -> Result<(), SqlError> {
        self.0.commit().await.map_err(failed)
    }
}
