//! What was deployed, and when: the memory of a target, kept small.

mod bounds;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{Action, Counts, Item, Outcome, ResourceId, Revision, Timestamp, Verdict};

/// What was deployed of an application: which revision was attempted, applied, Healthy, when, and what it changed; and
/// what drifted and was put back. It is part of the [record](crate::AppRecord) that a target keeps.
///
/// Its size is bounded: up to [`RECENT`](Self::RECENT) deployments, [`HEALED`](Self::HEALED) healed objects and
/// [`BYTES`](Self::BYTES) in JSON. What is older is summarised. [`crate::AppRecord::begin`] and [`crate::AppRecord::end`]
/// write it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deployments {
    /// The last deployments, the newest last. Sessions for one revision that follow each other are one deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Deployment>,
    /// Drift that was put back, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub healed: Vec<Healed>,
    /// What is left of all that is older.
    #[serde(default, skip_serializing_if = "Older::is_empty")]
    pub older: Older,
}

/// One revision's time of being in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deployment {
    /// The revision, with the first line of its message.
    pub revision: Revision,
    /// When its first session began: before anything was written.
    pub attempted: Timestamp,
    /// When all of it was first in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Timestamp>,
    /// When all of it was in force and every object of it was first seen Healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<Timestamp>,
    /// What it changed, each object once; cut to what fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How many changes it made: created, changed, pruned and released objects.
    #[serde(default)]
    pub counts: Counts,
}

/// An object that a deployment changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// The object.
    pub id: ResourceId,
    /// What was done to it.
    pub action: Action,
}

/// Fields of one object that somebody changed and that were put back, in one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drift {
    /// The object.
    pub id: ResourceId,
    /// The other field manager, if the target knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The paths of the fields, without their values; empty where the object was gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// The same drift, however often it came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Healed {
    /// What it was. Fields of all times; cut to what fits.
    #[serde(flatten)]
    pub drift: Drift,
    /// When it was first put back.
    pub first: Timestamp,
    /// When it was last put back.
    pub last: Timestamp,
    /// How often.
    pub times: u64,
}

/// A summary of what is too old to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Older {
    /// How many deployments.
    #[serde(default)]
    pub deployments: u64,
    /// When the first of them was attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The newest of them that was Healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Good>,
    /// How often drift was put back.
    #[serde(default)]
    pub healed: u64,
}

impl Older {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A revision that was wholly in force and Healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Good {
    /// The revision.
    pub revision: Revision,
    /// When it was first seen Healthy.
    pub healthy: Timestamp,
}

impl Change {
    /// A change of an object.
    pub fn new(id: ResourceId, action: Action) -> Self {
        Self { id, action }
    }

    /// The change that an outcome tells of; none if nothing was written.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let wrote = matches!(outcome.verdict, Verdict::Changed | Verdict::Overruled { .. });
        outcome.action.filter(|_| wrote).map(|action| Self::new(outcome.id.clone(), action))
    }
}

impl Drift {
    /// Drift of some fields of an object, or of a whole object that is gone.
    pub fn new(id: ResourceId, by: Option<String>, fields: Vec<String>) -> Self {
        Self { id, by, fields }
    }

    /// What differs in an item of a plan, by who wrote it. An item without differences is an object that is gone.
    pub fn of(item: &Item) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for difference in &item.differences {
            let path = difference.path.to_string();
            match all.iter_mut().find(|drift| drift.by == difference.writer) {
                Some(drift) => drift.fields.push(path),
                None => all.push(Self::new(item.id.clone(), difference.writer.clone(), vec![path])),
            }
        }
        if all.is_empty() {
            all.push(Self::new(item.id.clone(), None, Vec::new()));
        }
        all
    }
}

impl Deployments {
    /// So many deployments are kept one by one.
    pub const RECENT: usize = 20;
    /// So many healed objects are kept one by one; an object that several managers changed counts for each.
    pub const HEALED: usize = 50;
    /// So many changes of a deployment are kept one by one.
    pub const CHANGES: usize = 50;
    /// So many fields of a healed object are kept.
    pub const FIELDS: usize = 10;
    /// No more bytes than these are kept, written as JSON; first what was changed is let go, of the oldest deployment
    /// first. One deployment is always kept, with up to a few KiB about its revision.
    pub const BYTES: usize = 128 * 1024;

    /// Whether nothing was ever deployed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The newest deployment.
    pub fn current(&self) -> Option<&Deployment> {
        self.recent.last()
    }

    /// The newest revision that was Healthy, never one that was merely applied, and when it was first seen so.
    pub fn last_good(&self) -> Option<(&Revision, Timestamp)> {
        let recent = self.recent.iter().rev().find_map(|one| Some((&one.revision, one.healthy?)));
        recent.or_else(|| self.older.last_good.as_ref().map(|good| (&good.revision, good.healthy)))
    }

    /// A session for a revision begins.
    pub(super) fn attempt(&mut self, revision: &Revision, at: Timestamp) {
        if self.current().is_some_and(|current| current.revision == *revision) {
            return;
        }
        self.recent.push(Deployment {
            revision: bounds::brief(revision),
            attempted: at,
            applied: None,
            healthy: None,
            changes: Vec::new(),
            counts: Counts::default(),
        });
        self.bound();
    }

    /// The current deployment changed objects. [`bound`](Self::bound) it afterwards.
    pub(super) fn changed(&mut self, changes: &[Change]) {
        let Some(current) = self.recent.last_mut() else { return };
        for change in changes {
            current.note(change);
        }
    }

    /// All of a revision is in force, if it is the current one.
    pub(super) fn applied(&mut self, revision: &Revision, at: Timestamp) {
        if let Some(current) = self.recent.last_mut().filter(|current| current.revision == *revision) {
            current.applied.get_or_insert(at);
        }
    }

    /// All objects of a revision are Healthy, if it is the current one and all of it is in force.
    pub(super) fn healthy(&mut self, revision: &Revision, at: Timestamp) {
        let current = self.recent.last_mut().filter(|current| current.revision == *revision);
        if let Some(current) = current.filter(|current| current.applied.is_some()) {
            current.healthy.get_or_insert(at);
        }
    }

    /// Drift was put back. [`bound`](Self::bound) it afterwards.
    pub(super) fn heal(&mut self, drifts: &[Drift], at: Timestamp) {
        for drift in drifts {
            let drift = bounds::short(drift);
            let is_same = |known: &Healed| {
                let known = &known.drift;
                known.id == drift.id
                    && known.by == drift.by
                    && known.fields.is_empty() == drift.fields.is_empty()
            };
            let known = self.healed.iter().position(is_same).map(|index| self.healed.remove(index));
            let mut healed = known.unwrap_or(Healed { drift: drift.clone(), first: at, last: at, times: 0 });
            (healed.last, healed.times) = (at, healed.times.saturating_add(1));
            for field in drift.fields {
                if !healed.drift.fields.contains(&field) && healed.drift.fields.len() < Self::FIELDS {
                    healed.drift.fields.push(field);
                }
            }
            self.healed.push(healed);
            self.bound_healed();
        }
    }
}

impl Deployment {
    fn note(&mut self, change: &Change) {
        *match change.action {
            Action::Create => &mut self.counts.created,
            Action::Update | Action::Adopt => &mut self.counts.changed,
            Action::Prune => &mut self.counts.pruned,
            Action::Release => &mut self.counts.released,
        } += 1;
        let has_room = self.changes.len() < Deployments::CHANGES;
        match self.changes.iter_mut().find(|known| known.id == change.id) {
            // What it made is still new when it is written once more.
            Some(known) if known.action == Action::Create && change.action == Action::Update => {}
            Some(known) => known.action = change.action,
            None if has_room => self.changes.push(change.clone()),
            None => {}
        }
    }
}
