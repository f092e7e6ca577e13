//! What a watch has to tell, until somebody asks: coalesced and bounded.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use gitops_core::{Dirty, FaultNote, ResourceId};

/// More objects than this are not named one by one.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
struct Pending {
    objects: BTreeSet<ResourceId>,
    everything: bool,
    blind: Option<FaultNote>,
    waker: Option<Waker>,
}

/// Filled by watches, which never wait; emptied by one reader.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<Pending>);

impl Queue {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Pending)) {
        let waker = {
            let mut pending = self.pending();
            change(&mut pending);
            pending.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// An object may have changed.
    pub(crate) fn object(&self, id: &ResourceId) {
        self.change(|pending| {
            if pending.everything {
                return;
            }
            pending.objects.insert(id.clone());
            if pending.objects.len() > MOST {
                pending.objects.clear();
                pending.everything = true;
            }
        });
    }

    /// Changes can be seen again, or too many were.
    pub(crate) fn everything(&self) {
        self.change(|pending| {
            pending.objects.clear();
            pending.everything = true;
            pending.blind = None;
        });
    }

    /// Changes cannot be seen.
    pub(crate) fn blind(&self, why: FaultNote) {
        self.change(|pending| pending.blind = Some(why));
    }

    /// Whether there is something to tell; if not, the task is woken when there is.
    pub(crate) fn is_ready(&self, cx: &Context<'_>) -> bool {
        let mut pending = self.pending();
        let ready = pending.everything || pending.blind.is_some() || !pending.objects.is_empty();
        if !ready {
            pending.waker = Some(cx.waker().clone());
        }
        ready
    }

    /// The next thing to tell.
    pub(crate) fn take(&self) -> Option<Dirty> {
        let mut pending = self.pending();
        if let Some(why) = pending.blind.take() {
            return Some(Dirty::Blind(why.to_fault()));
        }
        if std::mem::take(&mut pending.everything) {
            return Some(Dirty::Everything);
        }
        let objects = std::mem::take(&mut pending.objects);
        (!objects.is_empty()).then(|| Dirty::Objects(objects.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gitops_core::Class;

    fn id(name: usize) -> ResourceId {
        ResourceId::namespaced("", "ConfigMap", "n", name.to_string())
    }

    #[test]
    fn many_events_are_one() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.object(&id(1));
        }
        queue.object(&id(2));
        assert!(matches!(queue.take(), Some(Dirty::Objects(ids)) if ids == [id(1), id(2)]));
        assert!(queue.take().is_none());
    }

    #[test]
    fn too_many_objects_are_everything() {
        let queue = Queue::default();
        (0..=MOST).for_each(|n| queue.object(&id(n)));
        assert!(matches!(queue.take(), Some(Dirty::Everything)));
        assert!(queue.take().is_none());
    }

    #[test]
    fn sight_that_came_back_is_told_instead_of_blindness() {
        let queue = Queue::default();
        queue.blind(FaultNote::new(Class::Denied, "no"));
        queue.object(&id(1));
        assert!(matches!(queue.take(), Some(Dirty::Blind(fault)) if fault.class == Class::Denied));
        queue.blind(FaultNote::new(Class::Denied, "no"));
        queue.everything();
        assert!(matches!(queue.take(), Some(Dirty::Everything)));
        assert!(queue.take().is_none());
    }
}
