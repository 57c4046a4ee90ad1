//! Memory-mapped do-not-call registries of hundreds of millions of numbers.
//!
//! One file a registry. North American numbers are a paged bitmap: a directory of exchanges
//! (area code and central office) leads to pages of 10,000 bits. All other numbers are in
//! containers of 65,536, each a sorted list or a bitmap, whichever is smaller. Both are exact:
//! a legal decision tolerates neither a false yes nor a false no.
//!
//! A file is written beside the old one, with a checksum for every block, synced, and put in its
//! place by rename; it is never changed in place. [`Set::open`] checks everything before it serves
//! anything, and [`Served`] keeps the old set in force when the new file is broken.

mod build;
mod delta;
mod error;
mod format;
mod import;
mod others;
mod served;
mod set;
mod write;

pub use build::Builder;
pub use delta::{Delta, read_delta};
pub use error::{ImportError, OpenError};
pub use format::About;
pub use import::{Column, Layout, Progress, Rejected, Sum, import};
pub use served::Served;
pub use set::Set;
