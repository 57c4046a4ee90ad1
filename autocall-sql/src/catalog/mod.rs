//! The catalog and the directory, over shared statements.

mod book;
mod calls;
mod directory;
mod erase;
mod import;
mod keep;
mod life;
mod lists;
mod report;
pub(crate) mod reseal;
mod work;

use crate::db::{SqlError, Value};
use autocall_core::ports::catalog::{CatalogError, Cursor, Page, PageAsk};
use uuid::Uuid;

/// Most rows of one batch.
pub(crate) const BATCH_MAX: usize = 10_000;

pub(crate) fn invalid(what: &str) -> CatalogError {
    CatalogError::Invalid(what.to_owned())
}

/// The key after which a page begins; the nil key for the first page.
pub(crate) fn after_key(page: &PageAsk) -> Result<Uuid, CatalogError> {
    match &page.after {
        None => Ok(Uuid::nil()),
        Some(c) => Uuid::try_parse(&c.0).map_err(|_| invalid("the cursor is not one of this listing")),
    }
}

/// The time and key after which a page of newest-first rows begins.
pub(crate) fn after_time(page: &PageAsk) -> Result<(i64, Uuid), CatalogError> {
    let Some(c) = &page.after else { return Ok((i64::MAX, Uuid::max())) };
    let parsed = c.0.split_once('.').and_then(|(t, k)| Some((t.parse().ok()?, Uuid::try_parse(k).ok()?)));
    parsed.ok_or_else(|| invalid("the cursor is not one of this listing"))
}

/// The number after which a page begins.
pub(crate) fn after_number(page: &PageAsk, first: i64) -> Result<i64, CatalogError> {
    match &page.after {
        None => Ok(first),
        Some(c) => c.0.parse().map_err(|_| invalid("the cursor is not one of this listing")),
    }
}

/// A page from rows of which one more than asked for was read.
pub(crate) fn page_of<T>(mut items: Vec<T>, page: &PageAsk, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = page.limit() as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| Cursor(cursor(last)));
    Page { items, next }
}

/// One more than asked for, to know whether there is a next page.
pub(crate) fn one_more(page: &PageAsk) -> i64 {
    i64::from(page.limit()) + 1
}

/// A version was not the expected one, or a key was taken.
pub(crate) fn changed(e: SqlError) -> CatalogError {
    match e {
        SqlError::Clash(_) => CatalogError::Changed,
        e => e.into(),
    }
}

/// A `WHERE` clause that grows, with its parameters.
pub(crate) struct Where {
    pub(crate) sql: String,
    pub(crate) args: Vec<Value>,
}

impl Where {
    pub(crate) fn new(first: &str, value: impl Into<Value>) -> Where {
        Where { sql: format!("{first} = $1"), args: vec![value.into()] }
    }
    /// Adds a condition; `{}` in it is the parameter.
    pub(crate) fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.args.push(value.into());
        let parameter = format!("${}", self.args.len());
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("{}", &parameter));
    }
    pub(crate) fn and_some<V: Into<Value>>(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }
    /// Adds a parameter without a condition; its name.
    pub(crate) fn arg(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }
}
