//! The laws that every store keeps, on the reference store.

use autocall_core::memory::MemoryStore;
use std::sync::Arc;

async fn fresh() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new())
}

autocall_testkit::store_laws!(fresh());
