//! A cluster in memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::event::ObjectEvent;
use super::faults::Faults;
use super::kinds::Scope;
use super::store::{Store, Write};
use crate::{Class, Clock, Events, Expect, Fault, GroupKind, ResourceId, SystemClock};

/// A cluster in memory that behaves like a Kubernetes API server where it matters here: resource versions, generations
/// and UIDs; namespaces that must exist; server-side apply with an owner for each field, and conflicts; finalizers;
/// definitions of custom kinds; watches that can be interrupted and can expire; faults on order.
///
/// It does not set defaults and runs no controllers: a Deployment has the status that somebody writes
/// ([`update_status`](Self::update_status)). Clones share the cluster. The methods here are what people and controllers
/// do by hand; an application deploys to it with [`super::MemoryTarget`].
#[derive(Clone)]
pub struct MemoryCluster {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Mutex<Store>,
    pub(super) faults: Faults,
    pub(super) requests: AtomicU64,
    pub(super) changed: watch::Sender<u64>,
    pub(super) clock: Arc<dyn Clock>,
}

impl MemoryCluster {
    /// A cluster with the common kinds and no object.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// A cluster whose times come from a clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: Mutex::new(Store::new()),
                faults: Faults::default(),
                requests: AtomicU64::new(0),
                changed: watch::Sender::new(0),
                clock: Arc::new(clock),
            }),
        }
    }

    /// Serves another kind, without a definition of it.
    pub fn serve(&self, group: &str, kind: &str, scope: Scope) {
        self.store().kinds.add(GroupKind::new(group, kind), scope);
    }

    /// Changes every object before it is stored: an admission webhook.
    pub fn set_admission(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.store().admission = Some(Arc::new(change));
    }

    /// Faults on order, for requests that applications make.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// How many requests applications have made.
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// An object as it is; none if it does not exist.
    pub fn get(&self, id: &ResourceId) -> Option<Value> {
        self.store().objects.get(id).map(|object| (**object).clone())
    }

    /// The ids of all objects.
    pub fn ids(&self) -> Vec<ResourceId> {
        self.store().objects.keys().cloned().collect()
    }

    /// Server-side apply, as `kubectl apply --server-side` does it.
    pub fn apply(&self, manager: &str, object: &Value, force: bool) -> Result<Value, Fault> {
        self.write(|store, at| {
            let (object, _) = store.apply(Write { manager, at, expect: None }, object, force)?;
            Ok((*object).clone())
        })
    }

    /// Reads an object, changes it and writes it back, as `kubectl edit` does it. What the object is called cannot be
    /// changed.
    pub fn update(
        &self,
        manager: &str,
        id: &ResourceId,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Fault> {
        self.write(|store, at| {
            let Some(live) = store.objects.get(id) else {
                return Err(Fault::new(Class::NotFound, "it does not exist").at(id));
            };
            let mut object = (**live).clone();
            change(&mut object);
            if store.canonical(&object)? != *id {
                return Err(Fault::invalid("kind, name and namespace cannot be changed").at(id));
            }
            Ok((*store.update(Write { manager, at, expect: None }, &object)?).clone())
        })
    }

    /// Creates an object, as `kubectl create` does it.
    pub fn create(&self, manager: &str, object: &Value) -> Result<Value, Fault> {
        let absent = Expect::Absent;
        self.write(|store, at| {
            Ok((*store.update(Write { manager, at, expect: Some(&absent) }, object)?).clone())
        })
    }

    /// Deletes an object, as `kubectl delete` does it.
    pub fn delete(&self, manager: &str, id: &ResourceId) -> Result<(), Fault> {
        self.write(|store, at| store.delete(Write { manager, at, expect: None }, id))
    }

    /// Deletes an object if it is as expected: another incarnation, or another state of it, is [`Class::Precondition`].
    pub fn delete_if(&self, manager: &str, id: &ResourceId, expect: &Expect) -> Result<(), Fault> {
        self.write(|store, at| {
            // Whoever asks for the end of what is gone is told so, whatever was expected.
            let expect = store.objects.contains_key(id).then_some(expect);
            store.delete(Write { manager, at, expect }, id)
        })
    }

    /// Writes an object's `status`, as its controller does it.
    pub fn update_status(&self, controller: &str, id: &ResourceId, status: Value) -> Result<Value, Fault> {
        self.write(|store, at| {
            let write = Write { manager: controller, at, expect: None };
            Ok((*store.update_status(write, id, status)?).clone())
        })
    }

    /// The ids of objects as they change, from now on: what a controller watches. A reader that is far behind is told of
    /// every object.
    pub fn changes(&self) -> Events<ResourceId> {
        super::watch::changes(self)
    }

    /// The version of the cluster's state, which every write moves: what a list of an API server has as its
    /// `resourceVersion`.
    pub fn version(&self) -> u64 {
        self.store().version
    }

    /// What changed after a [version](Self::version), in order: a watch of an API server that begins there. None if some
    /// of it is forgotten (there, `410 Gone`): then look at all objects, and begin anew.
    pub fn events_since(&self, version: u64) -> Option<Vec<ObjectEvent>> {
        super::event::since(&self.store(), version)
    }

    /// Watches see nothing until [`resume_watches`](Self::resume_watches); then they catch up.
    pub fn interrupt_watches(&self) {
        self.set_watches(true);
    }

    /// Ends an interruption.
    pub fn resume_watches(&self) {
        self.set_watches(false);
    }

    /// Forgets past changes: a watch that has not seen them yet cannot catch up, and must look at everything.
    pub fn expire_watches(&self) {
        self.store().log.clear();
    }

    fn set_watches(&self, down: bool) {
        let mut store = self.store();
        store.watch_is_down = down;
        self.inner.changed.send_replace(store.version);
    }

    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&mut Store, crate::Timestamp) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let at = self.inner.clock.now();
        let mut store = self.store();
        let done = change(&mut store, at);
        self.inner.changed.send_replace(store.version);
        done
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.inner.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryCluster {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCluster").field("objects", &self.store().objects.len()).finish_non_exhaustive()
    }
}
