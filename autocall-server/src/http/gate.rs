//! How much is worked on at once, and how much may wait for its turn. What finds no place is
//! refused at once: a refusal that comes late costs as much as an answer.

use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A bounded number of places, and a bounded number of those who wait for one.
pub struct Gate {
    places: Semaphore,
    waiting: Semaphore,
    most: usize,
    line: usize,
}

impl Gate {
    /// So many places, and so many who wait.
    pub fn new(places: usize, waiting: usize) -> Gate {
        let most = places.max(1);
        Gate { places: Semaphore::new(most), waiting: Semaphore::new(waiting), most, line: waiting }
    }

    /// A place, if one is free now.
    pub fn try_enter(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// A place, waiting for it no longer than this; at once `None` where too many wait already.
    pub async fn enter(&self, at_most: Duration) -> Option<SemaphorePermit<'_>> {
        if let Some(place) = self.try_enter() {
            return Some(place);
        }
        let _waits = self.waiting.try_acquire().ok()?;
        tokio::time::timeout(at_most, self.places.acquire()).await.ok()?.ok()
    }

    /// Whether somebody waits for a place.
    pub fn is_crowded(&self) -> bool {
        self.waiting.available_permits() < self.line
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.most - self.places.available_permits().min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_wait_and_the_rest_is_refused_at_once() {
        let gate = Gate::new(1, 1);
        let first = gate.enter(Duration::from_secs(4)).await.expect("a place");
        assert_eq!((gate.taken(), gate.try_enter().is_none()), (1, true));
        let begun = tokio::time::Instant::now();
        let (second, third) = tokio::join!(gate.enter(Duration::from_secs(4)), async {
            tokio::task::yield_now().await;
            let third = gate.enter(Duration::from_secs(4)).await.is_some();
            assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits to be refused");
            assert!(gate.is_crowded());
            drop(first);
            third
        });
        assert_eq!((second.is_some(), third, gate.is_crowded()), (true, false, false));
        drop(second);
        assert_eq!(gate.taken(), 0);
    }
}
