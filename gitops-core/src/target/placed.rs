//! A manifest as a target places it.

use std::fmt::{self, Debug};

use gitops_diff::FieldPath;
use serde_json::Value;

use crate::{Digest, FaultNote, Manifest, ResourceId};

/// A manifest with its canonical id and its place in the order.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Placed {
    /// The manifest; its object is as it will be applied.
    pub manifest: Manifest,
    /// The canonical id.
    pub id: ResourceId,
    /// Objects of a lower rank go first; deletions in reverse.
    pub rank: i32,
    /// Objects that must be there first. Those that are not in the desired set count for nothing.
    pub requires: Vec<ResourceId>,
    /// Why the target cannot say what this is: its kind is unknown, or is not served. It is not applied, and nothing of
    /// its kind is pruned.
    pub unresolved: Option<FaultNote>,
    /// Fields that are stated in Git and not here, because the policy leaves them to others ([`crate::Policy::ignore`]): an
    /// update leaves them as they are. A target that takes away what is no longer stated must see to that.
    pub left: Vec<FieldPath>,
    /// The digest of the object. Not shown to people: of a short Secret it is a guessing oracle.
    pub digest: Digest,
}

impl Placed {
    /// A manifest whose id is canonical as written, in rank 0.
    pub fn new(manifest: Manifest) -> Self {
        let (id, digest) = (manifest.id.clone(), manifest.digest());
        Self { manifest, id, rank: 0, requires: Vec::new(), unresolved: None, left: Vec::new(), digest }
    }

    /// Sets the canonical id.
    #[must_use]
    pub fn with_id(mut self, id: ResourceId) -> Self {
        self.id = id;
        self
    }

    /// Sets the place in the order.
    #[must_use]
    pub fn with_rank(mut self, rank: i32) -> Self {
        self.rank = rank;
        self
    }

    /// Names what must be there first.
    #[must_use]
    pub fn with_requires(mut self, requires: Vec<ResourceId>) -> Self {
        self.requires = requires;
        self
    }

    /// Says why the target cannot place it.
    #[must_use]
    pub fn with_unresolved(mut self, why: FaultNote) -> Self {
        self.unresolved = Some(why);
        self
    }

    /// Names fields that an update leaves as they are.
    #[must_use]
    pub fn with_left(mut self, left: Vec<FieldPath>) -> Self {
        self.left = left;
        self
    }

    /// Replaces the object by the form in which it will be applied.
    #[must_use]
    pub fn with_object(mut self, object: &Value) -> Self {
        self.manifest.set_object(object);
        self.digest = self.manifest.digest();
        self
    }
}

impl Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("id", &format_args!("{:#}", self.id))
            .field("place", &format_args!("{}", self.manifest.place))
            .field("rank", &self.rank)
            .field("requires", &self.requires)
            .field("unresolved", &self.unresolved)
            .finish_non_exhaustive()
    }
}
