//! Every released schema, with data in it, becomes the present one. A fixture is a file of its time; once
//! committed it never changes, and neither does any migration before it.
//!
//! For a release: `AUTOCALL_FIXTURE=0.2.0 cargo test -p autocall-store-sqlite --test upgrade` adds one.

use autocall_core::TenantId;
use autocall_core::ports::Store;
use autocall_core::ports::catalog::{LeadBook, LeadFilter, PageAsk};
use autocall_store_sqlite::{Sealing, open};
use autocall_testkit::conformance::build::{self, NOW};
use std::path::PathBuf;

const T: TenantId = TenantId(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_released_schema_is_brought_up_to_date_with_its_data() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = tempfile::tempdir().expect("a folder");
    if let Ok(version) = std::env::var("AUTOCALL_FIXTURE") {
        let store = open(&folder.path().join("new.db"), Sealing::with(1, [7; 32])).await.expect("opens");
        let leads = build::seed(&store, T, 30).await;
        let (_, mut c) = build::dial(&leads[0], 1, 1);
        c.agents.push(build::new(build::agent(T, 1, NOW)));
        build::commit(&store, &c).await;
        std::fs::create_dir_all(&fixtures).expect("a folder");
        let file = fixtures.join(format!("{version}.db"));
        store.backend().back_up(&file).await.expect("written");
    }
    let mut read = 0;
    for entry in std::fs::read_dir(fixtures).expect("fixtures") {
        let file = entry.expect("readable").path();
        let copy = folder.path().join(file.file_name().expect("a name"));
        std::fs::copy(&file, &copy).expect("copied");
        let store = open(&copy, Sealing::with(1, [7; 32])).await.expect("opens, and brings the schema up to date");
        let found = store.leads(T, &LeadFilter::default(), &PageAsk::default()).await.expect("a page").items;
        assert_eq!(found.len(), 30, "{}", file.display());
        assert_eq!(found[1].row.person.name().expose(), "Ada Lovelace 1");
        let call = store.call(build::call_id(T, 1)).await.expect("the call that lived");
        assert_eq!((call.call.row.plan.to, call.agents.len()), (build::phone(0), 1));
        let view = store.campaign(build::campaign_id(T, 1)).await.expect("there");
        assert_eq!((view.leads.open, view.leads.calling, view.load.dialing), (29, 1, 1));
        let next = store.candidates(build::campaign_id(T, 1), NOW, 5).await.expect("found").remove(0);
        let (_, c) = build::dial(&next.lead.row, next.lead.version, 2);
        build::commit(&store, &c).await;
        read += 1;
    }
    assert!(read > 0, "there is no fixture");
}
