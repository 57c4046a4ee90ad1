//! The copy that is in force, and its replacement.

use crate::error::OpenError;
use crate::set::Set;
use autocall_core::engine::Registry;
use autocall_core::{Phone, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A registry's file as a node serves it. Sets that [`Served::now`] hands out stay whole while a
/// newer one takes over.
pub struct Served {
    name: String,
    path: PathBuf,
    current: RwLock<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    set: Arc<Set>,
    version: Arc<str>,
}

impl Served {
    /// Opens the registry's file. If it is not there or broken nothing is served, which rules read
    /// as a copy that is too old: nobody is called. The second value says why.
    pub fn open(name: &str, path: &Path) -> (Served, Result<(), OpenError>) {
        let served = Served { name: name.to_owned(), path: path.to_owned(), current: RwLock::new(None) };
        let opened = served.reload();
        (served, opened)
    }
    /// Opens the file again. A file that is not there, not whole, of another registry, or older
    /// than the copy in force is refused, and that copy stays in force.
    pub fn reload(&self) -> Result<(), OpenError> {
        let new = Set::open(&self.path)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let older = current.as_ref().is_some_and(|old| old.set.about().as_of > new.about().as_of);
        if older || new.about().name != self.name {
            return Err(OpenError::NotNewer);
        }
        let version = Arc::from(new.about().version.as_str());
        *current = Some(Current { set: Arc::new(new), version });
        Ok(())
    }
    /// The set in force; `None` if there has never been a whole one.
    pub fn now(&self) -> Option<Arc<Set>> {
        self.current().map(|current| current.set)
    }
    fn current(&self) -> Option<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Registry for Served {
    fn name(&self) -> &str {
        &self.name
    }
    /// Before there has been a whole copy: version `none` of 1970, older than any law allows.
    fn version(&self) -> (Arc<str>, Timestamp) {
        match self.current() {
            Some(current) => (current.version, current.set.about().as_of),
            None => ("none".into(), Timestamp::EPOCH),
        }
    }
    fn contains(&self, phone: Phone) -> bool {
        self.now().is_none_or(|set| set.contains(phone))
    }
}
