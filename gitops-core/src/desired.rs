//! The desired state of an application at one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::{DecodeError, DecodeErrors, DecodeProblem};
use crate::{Placed, Reach, ReachEntry, ResourceId, Revision};

/// The desired state of an application at one revision, with canonical ids.
#[derive(Debug, Clone)]
pub struct Desired {
    revision: Revision,
    objects: BTreeMap<ResourceId, Arc<Placed>>,
}

impl Desired {
    /// Puts placed manifests together. Two with one id are an error at the place of the second.
    pub fn new(revision: Revision, placed: Vec<Placed>) -> Result<Self, DecodeErrors> {
        let mut objects: BTreeMap<ResourceId, Arc<Placed>> = BTreeMap::new();
        let mut errors = Vec::new();
        for placed in placed {
            if let Some(first) = objects.get(&placed.id) {
                errors.push(DecodeError {
                    place: placed.manifest.place.clone(),
                    problem: DecodeProblem::Duplicate { id: placed.id, first: first.manifest.place.clone() },
                });
            } else {
                objects.insert(placed.id.clone(), Arc::new(placed));
            }
        }
        DecodeErrors::new(errors).map_or(Ok(Self { revision, objects }), Err)
    }

    /// The same objects, at a revision in which nothing of them changed.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Whether another one holds the very same objects: one was made of the other by [`at`](Self::at).
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.objects.len() == other.objects.len()
            && self.objects.values().zip(other.objects.values()).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// The revision.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The objects by their canonical ids.
    pub fn objects(&self) -> &BTreeMap<ResourceId, Arc<Placed>> {
        &self.objects
    }

    /// Where the objects will be.
    pub fn reach(&self) -> Reach {
        Reach(self.objects.values().filter(|p| p.unresolved.is_none()).map(|p| ReachEntry::of(p)).collect())
    }
}
