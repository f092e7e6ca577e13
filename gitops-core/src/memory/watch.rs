//! Changes of a cluster as hints for one application.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;

use super::cluster::MemoryCluster;
use super::membership::{manager, marked_for};
use super::store::{Change, Store};
use crate::{AppId, Dirty, Events, Fault, ResourceId};

struct Watch {
    cluster: MemoryCluster,
    app: AppId,
    manager: String,
    changed: watch::Receiver<u64>,
    seen: u64,
    is_blind: bool,
}

/// Hints about members of an application that others changed, and about objects that began or ceased to be members.
pub(super) fn watch(cluster: &MemoryCluster, app: &AppId) -> Events<Dirty> {
    let changed = cluster.inner.changed.subscribe();
    let seen = cluster.store().version;
    let watch = Watch {
        cluster: cluster.clone(),
        app: app.clone(),
        manager: manager(app),
        changed,
        seen,
        is_blind: false,
    };
    Box::pin(stream::unfold(watch, |mut watch| async move {
        loop {
            if let Some(dirty) = watch.look() {
                return Some((dirty, watch));
            }
            // The cluster holds the sender, and this holds the cluster: it cannot end.
            watch.changed.changed().await.ok()?;
        }
    }))
}

/// The ids of objects as they change.
pub(super) fn changes(cluster: &MemoryCluster) -> Events<ResourceId> {
    let (seen, changed) = (cluster.store().version, cluster.inner.changed.subscribe());
    let batches =
        stream::unfold((cluster.clone(), changed, seen), |(cluster, mut changed, seen)| async move {
            changed.wait_for(|version| *version > seen).await.ok()?;
            let (ids, version) = {
                let store = cluster.store();
                let ids: BTreeSet<ResourceId> = match store.log.front() {
                    Some(oldest) if oldest.version <= seen + 1 => store
                        .log
                        .iter()
                        .filter(|change| change.version > seen)
                        .map(|change| change.id.clone())
                        .collect(),
                    _ => store.objects.keys().cloned().collect(),
                };
                (ids, store.version)
            };
            Some((stream::iter(ids), (cluster, changed, version)))
        });
    Box::pin(batches.flatten())
}

impl Watch {
    fn look(&mut self) -> Option<Dirty> {
        self.changed.borrow_and_update();
        let cluster = self.cluster.clone();
        let store = cluster.store();
        if store.watch_is_down {
            let is_new = !std::mem::replace(&mut self.is_blind, true);
            return is_new.then(|| Dirty::Blind(Fault::retry("the watch was interrupted")));
        }
        let was_blind = std::mem::replace(&mut self.is_blind, false);
        if self.seen == store.version && !was_blind {
            return None;
        }
        let dirty = self.changes(&store);
        self.seen = store.version;
        // Whoever was told of an interruption is told of its end.
        dirty.or_else(|| was_blind.then(|| Dirty::Objects(Vec::new())))
    }

    fn changes(&self, store: &Store) -> Option<Dirty> {
        let oldest = store.log.front().map_or(store.version + 1, |change| change.version);
        if oldest > self.seen + 1 {
            return Some(Dirty::Everything);
        }
        let ids: BTreeSet<&ResourceId> = store
            .log
            .iter()
            .filter(|change| change.version > self.seen && self.concerns(change))
            .map(|c| &c.id)
            .collect();
        (!ids.is_empty()).then(|| Dirty::Objects(ids.into_iter().cloned().collect()))
    }

    fn concerns(&self, change: &Change) -> bool {
        let is_ours = |object: &Option<std::sync::Arc<serde_json::Value>>| {
            object.as_deref().and_then(marked_for).is_some_and(|app| app == self.app)
        };
        change.manager != self.manager && (is_ours(&change.before) || is_ours(&change.after))
    }
}
