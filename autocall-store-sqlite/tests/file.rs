//! What only a file can show: sealing in its bytes, back-ups, outages, and a process that dies.

use autocall_core::TenantId;
use autocall_core::ports::catalog::{LeadBatch, LeadBook, Lifecycle, PageAsk, Subject};
use autocall_core::ports::{Store, StoreError};
use autocall_store_sqlite::{Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};

const T: TenantId = TenantId(1);
const SECRETS: [&str; 4] = ["2025550", "Lovelace", "Hopper", "prefers mornings"];

fn shows(path: &std::path::Path, secret: &str) -> bool {
    let mut bytes = std::fs::read(path).expect("readable");
    let log = path.with_extension("db-wal");
    if log.exists() {
        bytes.extend(std::fs::read(log).expect("readable"));
    }
    bytes.windows(secret.len()).any(|w| w == secret.as_bytes())
}

async fn fill(store: &autocall_store_sqlite::SqliteStore) {
    build::seed(store, T, 0).await;
    let leads: Vec<_> = (0..30).map(|n| build::lead(T, n)).collect();
    let batch = LeadBatch { campaign: build::campaign_id(T, 1), leads: leads.clone(), step: None, at: NOW };
    store.add_leads(&batch).await.expect("added");
    let (_, mut c) = build::dial(&leads[0], 1, 1);
    c.agents.push(build::new(build::agent(T, 1, NOW)));
    build::commit(store, &c).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_file_shows_no_number_and_no_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (sealed, bare) = (folder.path().join("sealed.db"), folder.path().join("bare.db"));
    fill(&open(&sealed, Sealing::with(1, [7; 32])).await.expect("opens")).await;
    fill(&open(&bare, Sealing::off()).await.expect("opens")).await;
    for secret in SECRETS {
        assert!(shows(&bare, secret), "the scan is blind to {secret:?}");
        assert!(!shows(&sealed, secret), "the file shows {secret:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_up_is_whole_and_erasures_are_replayed_on_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let store = open(&path("live.db"), Sealing::with(1, [7; 32])).await.expect("opens");
    fill(&store).await;
    store.backend().back_up(&path("copy.db")).await.expect("backed up");
    let erasure = autocall_core::ports::catalog::Erasure {
        subject: Subject::Number(build::phone(5)),
        actor: "user 1".into(),
        at: NOW,
        keeps: vec![],
    };
    store.erase(T, &erasure).await.expect("erased");
    let tokens = store.erasures(T, &PageAsk::default()).await.expect("a page").items;
    let restored = open(&path("copy.db"), Sealing::with(1, [7; 32])).await.expect("opens");
    let lead = build::lead_id(T, 5);
    assert_eq!(LeadBook::lead(&restored, lead).await.expect("back again").row, build::lead(T, 5));
    for token in tokens {
        assert_eq!(restored.replay_erasure(T, &token, NOW).await.expect("replayed").leads, 1);
    }
    assert!(LeadBook::lead(&restored, lead).await.is_err());
    assert_eq!(restored.call(build::call_id(T, 1)).await.expect("there").call.row.plan.to, build::phone(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_store_is_unavailable_and_a_wrong_key_reads_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("autocall.db");
    let store = open(&path, Sealing::with(1, [7; 32])).await.expect("opens");
    let leads = build::seed(&store, T, 1).await;
    store.backend().close().await;
    let (_, c) = build::dial(&leads[0], 1, 1);
    assert!(matches!(store.commit(&c).await, Err(StoreError::Unavailable(_))));
    let answer = store.candidates(build::campaign_id(T, 1), NOW, 1).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let stranger = open(&path, Sealing::with(1, [8; 32])).await.expect("opens");
    let answer = stranger.candidates(build::campaign_id(T, 1), NOW, 1).await;
    assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
}
