//! One thing to do to one object.

use std::fmt;
use std::sync::Arc;

use gitops_diff::Difference;
use serde::{Deserialize, Serialize};

use crate::{Live, Placed, ResourceId, Token};

/// What one step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Create what is absent.
    Create,
    /// Put back what differs in an object of ours.
    Update,
    /// Take over an object that exists and is not ours.
    Adopt,
    /// Delete a member that is no longer desired.
    Prune,
    /// Give a member up: remove our mark and our ownership, and leave the object as it is.
    Release,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Prune => "prune",
            Self::Release => "release",
        })
    }
}

/// What must be true of the live object for a step to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It is this incarnation, in whatever state.
    Same(Arc<str>),
    /// It is this incarnation in this state.
    Exactly(Token),
}

/// One thing to do to one object.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// The canonical id.
    pub id: ResourceId,
    /// What to do.
    pub action: Action,
    /// On which condition.
    pub expect: Expect,
    /// What to apply; none for [`Action::Prune`] and [`Action::Release`].
    pub desired: Option<Arc<Placed>>,
}

impl Step {
    /// A step to take.
    pub fn new(id: ResourceId, action: Action, expect: Expect, desired: Option<Arc<Placed>>) -> Self {
        Self { id, action, expect, desired }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Done {
    /// The object as it is now; none if it is gone.
    pub live: Option<Live>,
    /// Whether anything was changed.
    pub wrote: bool,
    /// Fields that were stored otherwise than stated.
    pub overruled: Vec<Difference>,
    /// What the target tells about it (warnings of the API server, for example), without Secrets.
    pub notes: Vec<String>,
}

impl Done {
    /// A step that left `live`, and `wrote` or not.
    pub fn new(live: Option<Live>, wrote: bool) -> Self {
        Self { live, wrote, ..Self::default() }
    }
}
