//! What a target records of an application.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

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
    /// [`crate::Source::identity`].
    pub source: String,
    /// The revision that is attempted; none to remove the application.
    pub revision: Option<Revision>,
    /// Where members will be. The target records this together with what it had recorded already.
    pub reach: Reach,
}

impl Intent {
    /// An intent to bring a revision of a source in force.
    pub fn new(source: impl Into<String>, revision: Option<Revision>, reach: Reach) -> Self {
        Self { source: source.into(), revision, reach }
    }
}

/// How a session ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct End {
    /// The revision that is now wholly in force, if one is. None leaves recorded what was in force last.
    pub applied: Option<Revision>,
    /// Where members may be from now on; the target replaces what it had recorded. None leaves it wide.
    pub reach: Option<Reach>,
    /// How each object ended.
    pub outcomes: Vec<Outcome>,
    /// When.
    pub at: Timestamp,
    /// The application has no members any more: forget it.
    pub forget: bool,
}

impl End {
    /// An end at a time, with the outcomes of the objects.
    pub fn new(at: Timestamp, outcomes: Vec<Outcome>) -> Self {
        Self { applied: None, reach: None, outcomes, at, forget: false }
    }
}

/// What a target has recorded of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}
