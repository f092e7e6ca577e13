//! What the program tells while it runs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::support::Running;

/// The events so far, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// How often each type came.
    pub(crate) events: BTreeMap<String, usize>,
    /// How objects ended, of all syncs together.
    pub(crate) objects: BTreeMap<String, u64>,
    /// The revision of the last sync in which all was well.
    pub(crate) revision: String,
}

impl Counts {
    fn note(&mut self, event: &Value) {
        let kind = event["type"].as_str().expect("an event has a type");
        *self.events.entry(kind.to_owned()).or_default() += 1;
        if kind != "sync_finished" {
            return;
        }
        for (how, many) in event["counts"].as_object().expect("a sync counts") {
            *self.objects.entry(how.clone()).or_default() += many.as_u64().unwrap();
        }
        let counts = &event["counts"];
        if counts["failed"] == 0 && counts["blocked"] == 0 {
            event["revision"]["id"].as_str().expect("of a revision").clone_into(&mut self.revision);
        }
    }

    pub(crate) fn of(&self, event: &str) -> usize {
        self.events.get(event).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events {:?}, objects {:?}", self.events, self.objects)
    }
}

/// What was heard, for everybody who wants to know.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Counts>);

impl Heard {
    /// Listens for as long as it is polled.
    pub(crate) async fn listen(&self, running: &mut Running) -> Infallible {
        loop {
            let event = running.until("any event", |event| Some(event.clone())).await;
            self.counts().note(&event);
        }
    }

    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
