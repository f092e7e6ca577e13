//! What a target records of an application.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, Deployments, Drift};
use crate::{Outcome, Placed, ResourceId, Revision, Timestamp};

/// Kinds and namespaces in which an application has, or may have, members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(pub BTreeSet<ReachEntry>);

/// One kind in one namespace, at the version in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReachEntry {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The version at which its objects are read.
    pub version: String,
    /// The namespace; none for a kind without namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl ReachEntry {
    /// Where an object lies.
    pub fn of(placed: &Placed) -> Self {
        Self {
            group: placed.id.group.clone(),
            kind: placed.id.kind.clone(),
            version: placed.manifest.version.clone(),
            namespace: placed.id.namespace.clone(),
        }
    }

    /// Whether an object lies here.
    pub fn holds(&self, id: &ResourceId) -> bool {
        self.group == id.group && self.kind == id.kind && self.namespace == id.namespace
    }
}

/// What is about to be done to an application, recorded before the first write.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Intent {
    /// When.
    pub at: Timestamp,
    /// [`crate::Source::identity`].
    pub source: String,
    /// The revision that is attempted; none to remove the application, or only to note how it is doing.
    pub revision: Option<Revision>,
    /// Where members will be. The target records this together with what it had recorded already.
    pub reach: Reach,
}

impl Intent {
    /// An intent to bring a revision of a source in force.
    pub fn new(at: Timestamp, source: impl Into<String>, revision: Option<Revision>, reach: Reach) -> Self {
        Self { at, source: source.into(), revision, reach }
    }

    /// An intent to note something of an application, and to write to none of its objects.
    pub fn to_note(at: Timestamp, source: impl Into<String>) -> Self {
        Self::new(at, source, None, Reach::default())
    }
}

/// How a session ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct End {
    /// The revision that is now wholly in force, if one is. None leaves recorded what was in force last.
    pub applied: Option<Revision>,
    /// The revision of which every object is Healthy now, if one is. It counts if it is the last one that was attempted,
    /// and is wholly in force.
    pub healthy: Option<Revision>,
    /// What the attempted revision changed.
    pub changes: Vec<Change>,
    /// Drift that was put back.
    pub healed: Vec<Drift>,
    /// Where members may be from now on; the target replaces what it had recorded. None leaves it wide.
    pub reach: Option<Reach>,
    /// How each object ended. None, of a session that looked at none, leaves recorded how and when the last one ended.
    pub outcomes: Option<Vec<Outcome>>,
    /// When.
    pub at: Timestamp,
    /// The application has no members any more: forget it.
    pub forget: bool,
}

impl End {
    /// An end at a time, with the outcomes of the objects.
    pub fn new(at: Timestamp, outcomes: Vec<Outcome>) -> Self {
        Self { outcomes: Some(outcomes), ..Self::noting(at) }
    }

    /// The end of a session that only notes something: what was recorded stays.
    pub fn noting(at: Timestamp) -> Self {
        Self {
            applied: None,
            healthy: None,
            changes: Vec::new(),
            healed: Vec::new(),
            reach: None,
            outcomes: None,
            at,
            forget: false,
        }
    }
}

/// What a target has recorded of an application.
///
/// A target stores it as JSON, or as it likes, and leaves what is in it to [`begin`](Self::begin) and [`end`](Self::end).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppRecord {
    /// The source it belongs to.
    pub source: String,
    /// The revision of the last session, whether or not all of it could be applied: it is what is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<Revision>,
    /// The revision that was last wholly in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Revision>,
    /// Where its members may be.
    pub reach: Reach,
    /// How each object of the last session ended; may be cut to what fits.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// When the last session ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// What was deployed, and when. Records of older versions have none.
    #[serde(default, skip_serializing_if = "Deployments::is_empty")]
    pub deployments: Deployments,
}

impl AppRecord {
    /// The record of an application of which nothing is known yet.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            attempted: None,
            applied: None,
            reach: Reach::default(),
            outcomes: Vec::new(),
            finished: None,
            deployments: Deployments::default(),
        }
    }

    /// What it becomes when a session begins, before anything is written: for [`crate::Target::begin`], which has seen
    /// that the source is the same. The reach only grows here.
    pub fn begin(&mut self, intent: &Intent) {
        self.reach.0.extend(intent.reach.0.iter().cloned());
        if let Some(revision) = &intent.revision {
            self.attempted = Some(revision.clone());
            self.deployments.attempt(revision, intent.at);
        }
    }

    /// What it becomes when a session ends that is not to be [forgotten](End::forget): for [`crate::Session::finish`].
    pub fn end(&mut self, end: &End) {
        self.deployments.changed(&end.changes);
        self.deployments.heal(&end.healed, end.at);
        self.deployments.bound();
        if let Some(applied) = &end.applied {
            self.applied = Some(applied.clone());
            self.deployments.applied(applied, end.at);
        }
        if let Some(healthy) = &end.healthy {
            self.know_deployment(healthy, end.at);
            self.deployments.healthy(healthy, end.at);
        }
        if let Some(reach) = &end.reach {
            self.reach = reach.clone();
        }
        if let Some(outcomes) = &end.outcomes {
            self.outcomes.clone_from(outcomes);
            self.finished = Some(end.at);
        }
    }

    /// A record of an older version says what is wholly in force, and knows of no deployments.
    fn know_deployment(&mut self, revision: &Revision, at: Timestamp) {
        let is_in_force =
            [&self.attempted, &self.applied].into_iter().all(|known| known.as_ref() == Some(revision));
        if self.deployments.current().is_none() && is_in_force {
            let since = self.finished.unwrap_or(at);
            self.deployments.attempt(revision, since);
            self.deployments.applied(revision, since);
        }
    }
}
