//! What every route shares: the table, its guard, problems, paging, versions, idempotency.

pub mod etag;
pub mod fallback;
pub mod gate;
pub mod guard;
pub mod idempotency;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod secure;
pub mod serve;
pub mod table;
pub mod take;
pub mod values;
