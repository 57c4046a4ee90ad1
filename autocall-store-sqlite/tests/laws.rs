//! The laws that every store keeps, on SQLite files, sealed.

use autocall_store_sqlite::{Sealing, SqliteStore, open};

/// A store in a folder of its own, which goes with it.
async fn fresh() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("autocall.db"), Sealing::with(1, [7; 32])).await.expect("opens");
    (store, folder)
}

autocall_testkit::store_laws!(fresh());
autocall_testkit::catalog_laws!(fresh());
