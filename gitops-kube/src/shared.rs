//! What a target, its sessions and its watches share.

use std::sync::Arc;

use gitops_core::{AppId, Reach};
use gitops_diff::Redaction;
use tokio::sync::Semaphore;

use crate::compare::Context;
use crate::discovery::Discovery;
use crate::hub::Hub;
use crate::lock::Locks;
use crate::membership::{manager, managing_app, part_of};
use crate::record::{Records, Stored};
use crate::rest::Rest;
use crate::schemas::Schemas;
use crate::view::View;

/// Watches hold it weakly, and end when it goes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) rest: Rest,
    pub(crate) records: Records,
    pub(crate) discovery: Discovery,
    pub(crate) schemas: Schemas,
    pub(crate) view: View,
    pub(crate) hub: Hub,
    pub(crate) locks: Arc<Locks>,
    pub(crate) redaction: Redaction,
    /// Objects per page of a list.
    pub(crate) page: u32,
    /// So many watches may list at once.
    pub(crate) relists: Arc<Semaphore>,
    pub(crate) default_namespace: Option<String>,
    /// Deletions wait for dependents.
    pub(crate) foreground: bool,
}

impl Shared {
    /// Takes note of an application's record, and watches where it reaches.
    pub(crate) fn know(self: &Arc<Self>, stored: &Stored) {
        if self.note(stored) {
            self.hub.reach_changed(self);
        }
    }

    /// Takes note of an application's record. Says whether that is news, after which [`Hub::reach_changed`] is due.
    pub(crate) fn note(&self, stored: &Stored) -> bool {
        let known = self.view.cache.known(&stored.app);
        let same =
            known.is_some_and(|k| k.key.as_ref() == Some(&stored.key) && *k.reach == stored.record.reach);
        if !same {
            let (key, reach): (_, Reach) = (stored.key.clone(), stored.record.reach.clone());
            self.view.cache.know(&stored.app, &self.records.namespace, key, reach);
        }
        !same
    }

    /// Whose object is compared, as far as that is known.
    pub(crate) fn context(&self, object: Option<&serde_json::Value>) -> Context {
        let by_label = object.and_then(part_of).and_then(|label| self.view.cache.by_label(label));
        // Without the label, whoever applied the object is the one whose label was taken away.
        let by_manager = || {
            let app = managing_app(object?)?;
            let key = self.view.cache.known(&app)?.key;
            Some((app, key))
        };
        let (app, key) = by_label.or_else(by_manager).unzip();
        Context { app, key: key.flatten(), redaction: self.redaction.clone(), schema: self.schemas.known() }
    }
}

/// A name for this process and target, for locks: what it is called does not matter, only that no two are the same.
pub(crate) fn holder() -> String {
    let mut bytes = [0_u8; 8];
    // Without randomness the process id has to do.
    let _ = getrandom::fill(&mut bytes);
    format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(bytes))
}

/// The name under which an application writes, for people who look at `managedFields`.
pub fn field_manager(app: &AppId) -> String {
    manager(app)
}
