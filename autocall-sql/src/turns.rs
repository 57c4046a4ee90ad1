//! Turns: batches of one campaign are written one after the other, in the order in which they were
//! handed in. A batch takes its place at once, is sealed while the one before it is written, and
//! then waits for its turn.

use autocall_core::CampaignId;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

/// Every campaign's queue.
#[derive(Default)]
pub(crate) struct Turns {
    of: Mutex<BTreeMap<CampaignId, Arc<Gate<()>>>>,
}

type Waiting = Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>;

/// A place in a queue.
pub(crate) enum Place {
    First(OwnedMutexGuard<()>),
    Behind(Waiting),
}

impl Turns {
    /// Takes a place. The gate lets pass in the order of asking, so the asking is begun here.
    pub(crate) async fn join(&self, campaign: CampaignId) -> Place {
        let gate = {
            let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            of.retain(|id, gate| *id == campaign || Arc::strong_count(gate) > 1);
            of.entry(campaign).or_default().clone()
        };
        let mut waiting: Waiting = Box::pin(gate.lock_owned());
        let mut first = None;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(guard) = waiting.as_mut().poll(cx) {
                first = Some(guard);
            }
            Poll::Ready(())
        })
        .await;
        first.map_or(Place::Behind(waiting), Place::First)
    }
}

impl Place {
    /// Waits until everybody before is done.
    pub(crate) async fn come(self) -> OwnedMutexGuard<()> {
        match self {
            Place::First(guard) => guard,
            Place::Behind(waiting) => waiting.await,
        }
    }
}

/// Work for a processor: other tasks of this thread are moved away where the runtime can do so.
pub(crate) fn heavy<T>(work: impl FnOnce() -> T) -> T {
    let many = tokio::runtime::Handle::try_current()
        .is_ok_and(|h| h.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if many { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::{Id, TenantId};

    #[tokio::test]
    async fn batches_come_in_the_order_in_which_they_were_handed_in() {
        let turns = Turns::default();
        let campaign = Id::small(TenantId(1), 1);
        let first = turns.join(campaign).await;
        let (second, third) = (turns.join(campaign).await, turns.join(campaign).await);
        let other = turns.join(Id::small(TenantId(1), 2)).await;
        drop(other.come().await);
        let order = Mutex::new(Vec::new());
        let note = |n: u8| order.lock().expect("no panic holds it").push(n);
        let late = async {
            drop(third.come().await);
            note(3);
        };
        let middle = async {
            let _turn = second.come().await;
            note(2);
        };
        let early = async {
            let _turn = first.come().await;
            tokio::task::yield_now().await;
            note(1);
        };
        tokio::join!(late, middle, early);
        assert_eq!(*order.lock().expect("no panic holds it"), [1, 2, 3]);
    }
}
