//! What autocall's SQL stores share: rows, sealing at rest, group commit, and the catalog.
//!
//! A store is a [`Backend`] (how to reach one database: pools, transactions, bulk writes) under a
//! [`SqlStore`] (every statement, written once). The Postgres and the SQLite crate each bring a
//! backend, a schema, and what only their database can do.
//!
//! Architecture invariant: every statement names its tenant, in its key, its join or its insert,
//! but those on the directory's tables. A test reads them all.

mod catalog;
mod commit;
mod counts;
pub mod db;
mod due;
mod find;
mod floor;
pub mod fold;
mod keys;
mod lanes;
mod lessons;
mod rates;
pub mod seal;
mod snapshots;
pub mod tables;
mod turns;

pub use catalog::reseal::sealed_tables;
pub use db::{Backend, Cell, Conn, Dialect, PutRow, Row, Scope, SqlError, Table, Tx, Value};
pub use keys::SqlStore;
pub use rates::SharedRates;
pub use seal::Sealing;
