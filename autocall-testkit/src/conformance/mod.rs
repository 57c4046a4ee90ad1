//! Conformance: the laws that every store keeps, whatever it is made of.
//!
//! A store's tests call [`store_laws!`](crate::store_laws) (and [`catalog_laws!`](crate::catalog_laws)) with an expression that
//! makes a store; each law becomes a test of its own. Laws use tenants of their own, so they may
//! share a store.

pub mod build;
pub mod catalog;
pub mod listings;
pub mod planning;
pub mod races;
pub mod store;

/// What a law's maker gives: a store, or nothing where a tool is missing.
pub trait Made {
    /// The pointer to the store.
    type Store;
    /// The store, if there is one.
    fn made(self) -> Option<Self::Store>;
}
impl<T> Made for Option<T> {
    type Store = Box<T>;
    fn made(self) -> Option<Box<T>> {
        self.map(Box::new)
    }
}
/// A store with what must outlive it: a folder, say.
#[derive(Debug)]
pub struct Held<S, G>(S, G);
impl<S, G> std::ops::Deref for Held<S, G> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}
impl<S, G> Made for (S, G) {
    type Store = Held<S, G>;
    fn made(self) -> Option<Held<S, G>> {
        Some(Held(self.0, self.1))
    }
}
impl<T> Made for std::sync::Arc<T> {
    type Store = std::sync::Arc<T>;
    fn made(self) -> Option<std::sync::Arc<T>> {
        Some(self)
    }
}

/// One test for each law of [`autocall_core::ports::Store`]. The expression is evaluated in an
/// async context, and gives an `Arc` of a store, a store with what must outlive it, or an `Option` of one (`None`, noted, where a tool
/// is missing).
#[macro_export]
macro_rules! store_laws {
    ($make:expr) => {
        $crate::store_laws!(@ $make, store:
            versions_guard_every_kind_of_row, a_commit_is_all_or_nothing, permits_come_only_with_a_commit,
            a_snapshot_holds_what_the_call_needs, a_settled_call_can_be_read_and_is_not_due,
            candidates_come_in_order_and_no_more_than_asked, candidates_bring_guards_and_lists,
            what_is_due_is_hidden_until_its_time, wakes_carry_no_version, tallies_commute,
            one_record_per_call, a_campaign_view_counts, a_sharer_counts_every_line, lessons_are_kept_by_version, an_agents_view_finds_who_waits, tenants_never_meet,
            anothers_row_is_refused, personal_data_comes_back_whole);
        $crate::store_laws!(@ $make, listings:
            listing_advances_the_guard_and_names_the_live_call, a_listing_ends_only_the_calls_it_covers);
        $crate::store_laws!(@ $make, planning:
            a_lead_is_a_candidate_by_itself, lanes_share_and_the_parked_are_left_alone,
            the_last_of_many_lanes_is_found, quotas_and_numbers_shown_add_up);
        $crate::store_laws!(@ $make, races:
            one_of_many_wins_a_version, unrelated_commits_all_succeed, a_new_row_is_made_once, a_new_guard_is_made_once,
            tallies_of_many_add_up, no_due_item_is_handed_out_twice);
    };
    (@ $make:expr, $module:ident: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                // Nothing to test: what is missing was noted.
                let Some(store) = $crate::conformance::Made::made($make.await) else { return };
                $crate::conformance::$module::$law(&*store).await;
            }
        )*
    };
}

/// One test for each law of [`autocall_core::ports::catalog::Catalog`] and of the directory. The
/// expression gives something that derefs to a type that is a `Store`, a `Catalog` and a
/// `Directory`.
#[macro_export]
macro_rules! catalog_laws {
    ($make:expr) => {
        $crate::store_laws!(@ $make, catalog:
            counters_equal_a_recount, a_prefix_ends_live_calls, leads_are_added_once, leads_are_found_by_what_is_declared, pages_cover_everything_once,
            imports_resume_where_they_stopped, calls_and_details_are_listed, the_feed_has_no_gap_and_no_duplicate,
            suppressions_stop_candidates, suppressing_ends_the_call_that_lives, prefixes_move_the_epoch, reports_add_up, documents_and_audio_keep_their_versions,
            the_audit_log_only_grows, retention_sweeps_and_spares, a_person_can_be_exported_and_erased,
            erasures_replay, what_must_be_kept_is_kept_and_then_goes, agents_and_pools_are_kept, keys_rotate,
            the_directory_finds_before_the_tenant_is_known, no_catalog_method_crosses_tenants);
    };
}
