//! Cursor paging: every list is read in bounded parts, each naming where the next one begins.

use super::problem::Problem;
use autocall_core::ports::catalog::{self, Cursor, PAGE_MAX, PageAsk};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Where the page begins: `next` of the page before. Without it, the first page.
    pub after: Option<String>,
    /// How many items at most, 1 to 500; 50 where nothing is said.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

impl Paging {
    /// As the catalog asks.
    pub fn ask(&self) -> Result<PageAsk, Problem> {
        let limit = self.limit.unwrap_or(50);
        if limit == 0 || limit > PAGE_MAX {
            return Err(Problem::bad_request("limit must be 1 to 500"));
        }
        Ok(PageAsk { after: self.after.clone().map(Cursor), limit })
    }
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// From the catalog's page.
    pub fn from<U>(page: catalog::Page<U>, f: impl FnMut(U) -> T) -> Page<T> {
        Page { items: page.items.into_iter().map(f).collect(), next: page.next.map(|c| c.0) }
    }
    /// A list that is whole.
    pub fn whole(items: Vec<T>) -> Page<T> {
        Page { items, next: None }
    }
}
