//! Sealing anew: after a key has rotated, or sealing was turned on or off, every sealed row is opened
//! and sealed with the active key, in batches, while everything goes on.

use super::invalid;
use crate::db::{Backend, Cell, Row, Scope, SqlError, Value};
use crate::keys::SqlStore;
use autocall_core::TenantId;
use autocall_core::ports::catalog::{CatalogError, Cursor};
use uuid::Uuid;

/// A table with a sealed column.
struct Place {
    table: &'static str,
    /// What its seals name.
    place: &'static str,
    /// Its key without the tenant, with the types.
    key: &'static [(&'static str, Kind)],
    /// The row as its seals name it, from the key's cells.
    row: fn(&[Cell]) -> Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Uuid,
    Blob,
    Text,
}

/// The first cell's bytes.
fn first(key: &[Cell]) -> Vec<u8> {
    match key.first() {
        Some(Cell::Uuid(id)) => id.as_bytes().to_vec(),
        Some(Cell::Blob(bytes)) => bytes.clone(),
        _ => Vec::new(),
    }
}

/// A document is named by kind and key.
fn joined(key: &[Cell]) -> Vec<u8> {
    let texts = key.iter().map(|cell| if let Cell::Text(text) = cell { &**text } else { "" });
    texts.collect::<Vec<_>>().join("/").into_bytes()
}

const fn by_uuid(table: &'static str, place: &'static str, column: &'static [(&'static str, Kind)]) -> Place {
    Place { table, place, key: column, row: first }
}

const ID: &[(&str, Kind)] = &[("id", Kind::Uuid)];

/// Every table that is sealed. A test holds it against the schema.
static PLACES: [Place; 11] = [
    by_uuid("leads", "leads", ID),
    by_uuid("calls_live", "calls", ID),
    by_uuid("calls_done", "calls", ID),
    by_uuid("records", "records", &[("call", Kind::Uuid)]),
    by_uuid("agents", "agents", ID),
    by_uuid("campaigns", "campaigns", ID),
    by_uuid("imports", "imports", ID),
    by_uuid("kept", "kept", ID),
    by_uuid("recordings", "recordings", &[("call", Kind::Uuid), ("provider", Kind::Text)]),
    Place {
        table: "dnc_list",
        place: "dnc_list",
        key: &[("number_bx", Kind::Blob), ("campaign", Kind::Uuid)],
        row: first,
    },
    Place { table: "documents", place: "documents", key: &[("kind", Kind::Text), ("key", Kind::Text)], row: joined },
];

/// The names of the tables that [`SqlStore`] seals anew, in its order.
pub fn sealed_tables() -> impl Iterator<Item = &'static str> {
    PLACES.iter().map(|p| p.table)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len().is_multiple_of(2).then_some(text.as_bytes())?;
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A key's cell as the database takes it back.
fn value(kind: Kind, cell: &Cell) -> Value {
    match (kind, cell) {
        (Kind::Uuid, Cell::Blob(bytes)) => Value::Uuid(Uuid::from_slice(bytes).ok()),
        (_, Cell::Uuid(id)) => (*id).into(),
        (_, Cell::Blob(bytes)) => bytes.clone().into(),
        (_, Cell::Text(text)) => (&**text).into(),
        _ => Value::Text(None),
    }
}

impl Place {
    fn cursor(&self, at: usize, row: &Row) -> Cursor {
        let cell = |i: usize| match row.0.get(i) {
            Some(Cell::Uuid(id)) => hex(id.as_bytes()),
            Some(Cell::Blob(bytes)) => hex(bytes),
            Some(Cell::Text(text)) => hex(text.as_bytes()),
            _ => String::new(),
        };
        let cells: Vec<String> = (0..self.key.len()).map(cell).collect();
        Cursor(format!("{at}.{}", cells.join(".")))
    }

    /// The key that a cursor names.
    fn after(&self, cells: &str) -> Option<Vec<Value>> {
        let parts: Vec<&str> = cells.split('.').collect();
        let value = |(part, (_, kind)): (&&str, &(&str, Kind))| {
            let bytes = unhex(part)?;
            Some(match kind {
                Kind::Uuid => Uuid::from_slice(&bytes).ok()?.into(),
                Kind::Blob => bytes.into(),
                Kind::Text => String::from_utf8(bytes).ok()?.into(),
            })
        };
        (parts.len() == self.key.len()).then_some(())?;
        parts.iter().zip(self.key).map(value).collect()
    }

    fn columns(&self) -> String {
        self.key.iter().map(|k| k.0).collect::<Vec<_>>().join(", ")
    }
}

impl<B: Backend> SqlStore<B> {
    /// Seals some rows anew, from a cursor on. `None` once every table is done.
    pub(crate) async fn reseal_some(
        &self,
        tenant: TenantId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Option<Cursor>, CatalogError> {
        let (mut at, mut key) = (0, None);
        if let Some(c) = &after {
            let bad = || invalid("the cursor is not one of this listing");
            let (table, cells) = c.0.split_once('.').ok_or_else(bad)?;
            at = table.parse().map_err(|_| bad())?;
            key = Some(PLACES.get(at).and_then(|p| p.after(cells)).ok_or_else(bad)?);
        }
        while let Some(place) = PLACES.get(at) {
            if let Some(last) = self.reseal_place(tenant, place, key.take(), limit).await? {
                return Ok(Some(place.cursor(at, &last)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// The last row that was sealed anew; `None` where none was left.
    async fn reseal_place(
        &self,
        tenant: TenantId,
        place: &Place,
        after: Option<Vec<Value>>,
        limit: u32,
    ) -> Result<Option<Row>, SqlError> {
        let keys = self.keys(tenant).await?;
        let (n, columns, table) = (place.key.len(), place.columns(), place.table);
        let mut args: Vec<Value> = vec![tenant.into(), keys.active().into(), limit.into()];
        let mut behind = String::new();
        if let Some(after) = after {
            let names: Vec<String> = (0..n).map(|i| format!("${}", i + 4)).collect();
            behind = format!(" AND ({columns}) > ({})", names.join(", "));
            args.extend(after);
        }
        let mut tx = self.inner.db.write(Scope::Tenant(tenant)).await?;
        let sql = format!(
            "SELECT {columns}, sealed FROM {table} WHERE tenant = $1 AND key_no <> $2 AND sealed IS NOT NULL{behind} \
             ORDER BY {columns} LIMIT $3{}",
            self.dialect().lock()
        );
        let rows = tx.rows(&sql, &args).await?;
        let of: Vec<String> = place.key.iter().enumerate().map(|(i, k)| format!("{} = ${}", k.0, i + 4)).collect();
        let sql = format!("UPDATE {table} SET sealed = $2, key_no = $3 WHERE tenant = $1 AND {}", of.join(" AND "));
        for row in &rows {
            let cells = row.0.get(..n).unwrap_or_default();
            let name = (place.row)(cells);
            let sealed = keys.seal(place.place, &name, &keys.open(place.place, &name, row.blob(n)?)?);
            let mut args: Vec<Value> = vec![tenant.into(), sealed.into(), keys.active().into()];
            args.extend(cells.iter().zip(place.key).map(|(cell, (_, kind))| value(*kind, cell)));
            tx.run(&sql, &args).await?;
        }
        tx.commit().await?;
        Ok(rows.into_iter().next_back())
    }
}
