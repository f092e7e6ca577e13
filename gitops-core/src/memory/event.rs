//! Changes of single objects, in the words of a watch.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::store::{Change, Store};

/// What a watch of an API server tells about one object. `Debug` shows no values.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum ObjectEvent {
    /// It exists now.
    Added(Arc<Value>),
    /// It is another now.
    Modified(Arc<Value>),
    /// It is gone. This is its last state, with the resource version of its end.
    Deleted(Arc<Value>),
}

impl ObjectEvent {
    /// The object.
    pub fn object(&self) -> &Arc<Value> {
        match self {
            Self::Added(object) | Self::Modified(object) | Self::Deleted(object) => object,
        }
    }

    /// The word for it: `ADDED`, `MODIFIED` or `DELETED`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added(_) => "ADDED",
            Self::Modified(_) => "MODIFIED",
            Self::Deleted(_) => "DELETED",
        }
    }
}

impl fmt::Debug for ObjectEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.word(), self.object()["kind"], self.object()["metadata"]["name"])
    }
}

/// What changed after a version, in order; none if some of that is forgotten.
pub(super) fn since(store: &Store, version: u64) -> Option<Vec<ObjectEvent>> {
    if version >= store.version {
        return Some(Vec::new());
    }
    let oldest = store.log.front()?.version;
    (oldest <= version + 1).then(|| {
        let news = store.log.iter().filter(|change| change.version > version);
        news.filter_map(event).collect()
    })
}

fn event(change: &Change) -> Option<ObjectEvent> {
    match (&change.before, &change.after) {
        (None, Some(after)) => Some(ObjectEvent::Added(after.clone())),
        (Some(_), Some(after)) => Some(ObjectEvent::Modified(after.clone())),
        (Some(before), None) => {
            let mut last = (**before).clone();
            last["metadata"]["resourceVersion"] = change.version.to_string().into();
            Some(ObjectEvent::Deleted(Arc::new(last)))
        }
        (None, None) => None,
    }
}
