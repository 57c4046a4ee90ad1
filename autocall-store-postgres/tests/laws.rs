//! The laws that every store keeps, on Postgres, sealed.

use autocall_store_postgres::{Options, PostgresStore, Sealing, open};
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;

/// A store in a database of its own; `None`, noted, where Postgres is not installed.
async fn fresh() -> Option<PostgresStore> {
    let Some(cluster) = Cluster::shared() else {
        need::left_out("the store laws on Postgres", "a Postgres server");
        return None;
    };
    let url = tokio::task::spawn_blocking(move || cluster.database()).await.expect("a database");
    let options = Options { connections_max: 6, ..Options::new(url) };
    Some(open(&options, Sealing::with(1, [7; 32])).await.expect("opens"))
}

autocall_testkit::store_laws!(fresh());
autocall_testkit::catalog_laws!(fresh());
