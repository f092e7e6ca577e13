//! What is live in a target.

use std::fmt::{self, Debug};
use std::sync::Arc;

use gitops_diff::{Difference, Fingerprint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AppId, AppRecord, Assessment, Digest, FaultNote, GroupKind, ResourceId};

/// What to read of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observe {
    /// All members of the application, in every kind and namespace of its recorded reach, and these objects, whoever
    /// owns them.
    Everything {
        /// Objects that are desired.
        also: Vec<ResourceId>,
    },
    /// These objects only, whoever owns them. The answer says nothing about other members. An object of which a watch
    /// would have told is answered from memory, without its content, where that is what the last apply left.
    Objects(Vec<ResourceId>),
    /// The same, read from the target itself, with their content.
    Anew(Vec<ResourceId>),
}

/// What was read of a target.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The objects, each once. An id that was asked for and is not here does not exist, unless it is covered by
    /// `unseen`.
    pub live: Vec<Live>,
    /// What could not be read. There, absence means nothing: nothing is created, pruned or narrowed.
    pub unseen: Vec<Unseen>,
    /// What is recorded of the application, where the target has read that for this answer: then nobody needs to
    /// [recall](crate::Target::recall) it. None says nothing.
    pub record: Option<AppRecord>,
}

/// Objects that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// Their kind.
    pub kind: GroupKind,
    /// Their namespace; none for all of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Why.
    pub fault: FaultNote,
}

impl Unseen {
    /// Whether an object is among those that could not be read.
    pub fn covers(&self, id: &ResourceId) -> bool {
        self.kind == id.group_kind() && (self.namespace.is_none() || self.namespace == id.namespace)
    }
}

/// A live object, as far as planning needs it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Live {
    /// The canonical id.
    pub id: ResourceId,
    /// Which object, and which state of it.
    pub token: Token,
    /// Whose it is.
    pub owner: Owner,
    /// How it is doing.
    pub health: Assessment,
    /// Its content, where the target has it at hand.
    pub object: Option<Arc<Value>>,
    /// What is remembered of our last apply of it.
    pub memo: Option<Arc<Memo>>,
    /// Somebody marked it to stay: it is never pruned.
    pub keep: bool,
    /// Deleting it destroys more than itself (a namespace, a type definition, a volume): it is pruned only when the
    /// policy names its kind.
    pub precious: bool,
    /// What its deletion takes along: it is not pruned while any of that is desired, or is a member that stays.
    pub holds: Option<Holds>,
    /// It is being deleted already.
    pub terminating: bool,
    /// Its place in the order of deletions: objects of a higher rank go first.
    pub rank: i32,
}

impl Live {
    /// A healthy object that belongs to nobody.
    pub fn new(id: ResourceId, token: Token) -> Self {
        Self {
            id,
            token,
            owner: Owner::Nobody,
            health: Assessment::new(crate::Health::Healthy),
            object: None,
            memo: None,
            keep: false,
            precious: false,
            holds: None,
            terminating: false,
            rank: 0,
        }
    }
}

/// Objects that are deleted with another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Holds {
    /// Those in this namespace.
    Namespace(String),
    /// Those of this kind.
    Kind(GroupKind),
}

impl Holds {
    /// Whether an object is among them.
    pub fn includes(&self, id: &ResourceId) -> bool {
        match self {
            Self::Namespace(name) => id.namespace.as_ref() == Some(name),
            Self::Kind(kind) => id.group == kind.group && id.kind == kind.kind,
        }
    }

    /// Whether objects that could not be read may be among them.
    pub fn may_include(&self, unseen: &Unseen) -> bool {
        match self {
            Self::Namespace(name) => unseen.namespace.as_ref().is_none_or(|namespace| namespace == name),
            Self::Kind(kind) => unseen.kind == *kind,
        }
    }
}

impl Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("id", &format_args!("{:#}", self.id))
            .field("token", &self.token)
            .field("owner", &self.owner)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// What a target remembers of the last apply of an object, and what the object is now: enough to see drift without the
/// object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memo {
    /// The digest of the desired object that was applied ([`crate::Placed::digest`]).
    pub desired: Digest,
    /// The fields we own, as they were stored by that apply.
    pub applied: Fingerprint,
    /// The fields we own, as they are now.
    pub now: Fingerprint,
    /// Fields that were stored otherwise than stated (by admission, for example).
    pub overruled: Vec<Difference>,
}

/// Which object, and which state of it. Compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token {
    /// Changes when the object is deleted and created again (a UID), and not when it is changed in place.
    pub incarnation: Arc<str>,
    /// Changes with every write (a resourceVersion), whoever writes, and with nothing else: a restart leaves it as it is.
    pub version: Arc<str>,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Owner {
    /// The application that asks.
    This,
    /// Another application.
    Other(AppId),
    /// No application.
    Nobody,
    /// It bears an application's mark, but not the proof: somebody copied a label. It belongs to nobody, and is never
    /// pruned.
    Unproven,
}
