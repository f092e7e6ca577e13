//! How an application stands: what the status is made from.

use std::collections::BTreeMap;

use crate::{FaultNote, Outcome, Plan, ResourceId, SyncState, Verdict};

/// What is known of how the target stands to what Git wants. Each kind of trouble is kept apart, so that the end of one
/// does not hide another.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Everything was compared with what is in force.
    is_compared: bool,
    /// Objects that are not as desired.
    unsettled: BTreeMap<ResourceId, Unsettled>,
    /// What could not be read of the target.
    unseen: Vec<FaultNote>,
    /// Why the last pass could not be made, or not be recorded.
    failure: Option<Failure>,
    /// Why the source, or what it has, cannot be used.
    source: Option<SourceFailure>,
}

/// Why an object is not as desired.
#[derive(Debug)]
enum Unsettled {
    /// It could not be written.
    Failed(FaultNote),
    /// It differs, and is left so for now.
    Drifted,
}

#[derive(Debug)]
struct Failure {
    note: FaultNote,
    /// Whether the live state is unknown since.
    is_blind: bool,
}

#[derive(Debug)]
struct SourceFailure {
    note: FaultNote,
    /// Whether the source has a revision that is not in force.
    is_revision: bool,
}

impl Standing {
    /// Another desired state is in force: nothing is known of it yet.
    pub(super) fn begin(&mut self) {
        let source = self.source.take();
        *self = Self { source, ..Self::default() };
    }

    /// Notes how the objects of a plan ended.
    pub(super) fn note(&mut self, plan: &Plan, outcomes: &[Outcome]) {
        if plan.complete {
            self.unsettled.clear();
            self.unseen.clear();
            self.is_compared = true;
            self.failure = None;
        }
        for unseen in &plan.unseen {
            if !self.unseen.contains(&unseen.fault) {
                self.unseen.push(unseen.fault.clone());
            }
        }
        for outcome in outcomes {
            let trouble = match &outcome.verdict {
                Verdict::Failed { fault } => Some(Unsettled::Failed(fault.clone())),
                Verdict::Blocked { cause } => {
                    let mut note = FaultNote::new(crate::Class::RETRY, cause.clone());
                    note.at = Some(outcome.id.to_string());
                    Some(Unsettled::Failed(note))
                }
                _ => None,
            };
            match trouble {
                Some(trouble) => self.unsettled.insert(outcome.id.clone(), trouble),
                None => self.unsettled.remove(&outcome.id),
            };
        }
    }

    /// An object differs, and is left so for now.
    pub(super) fn drifted(&mut self, id: &ResourceId) {
        self.unsettled.insert(id.clone(), Unsettled::Drifted);
    }

    /// Whether an object could not be written, so that its difference is no drift.
    pub(super) fn is_failed(&self, id: &ResourceId) -> bool {
        matches!(self.unsettled.get(id), Some(Unsettled::Failed(_)))
    }

    /// Whether the drift of an object is known, and left.
    pub(super) fn is_drifted(&self, id: &ResourceId) -> bool {
        matches!(self.unsettled.get(id), Some(Unsettled::Drifted))
    }

    /// A pass failed as a whole; `is_blind` if nothing is known of the live state since.
    pub(super) fn failed(&mut self, note: FaultNote, is_blind: bool) {
        self.failure = Some(Failure { note, is_blind });
    }

    /// The source failed, or the revision that it has cannot be used.
    pub(super) fn source_failed(&mut self, note: FaultNote, is_revision: bool) {
        self.source = Some(SourceFailure { note, is_revision });
    }

    /// What the source has is what is worked with.
    pub(super) fn source_works(&mut self) {
        self.source = None;
    }

    /// Whether all is known to be as desired.
    pub(super) fn is_settled(&self) -> bool {
        self.is_compared && self.unsettled.is_empty() && self.unseen.is_empty() && self.failure.is_none()
    }

    pub(super) fn sync(&self, is_held: bool) -> SyncState {
        let has_other_revision = self.source.as_ref().is_some_and(|source| source.is_revision);
        let is_blind = self.failure.as_ref().is_some_and(|failure| failure.is_blind);
        if is_held || has_other_revision {
            SyncState::OutOfSync
        } else if self.source.is_some() || !self.is_compared || !self.unseen.is_empty() || is_blind {
            SyncState::Unknown
        } else if self.unsettled.is_empty() {
            SyncState::Synced
        } else {
            SyncState::OutOfSync
        }
    }

    /// What people must see first: what does not pass by itself comes before what may.
    pub(super) fn error(&self) -> Option<FaultNote> {
        let objects = self.unsettled.values().filter_map(|trouble| match trouble {
            Unsettled::Failed(note) => Some(note),
            Unsettled::Drifted => None,
        });
        let whole = self.source.iter().map(|source| &source.note);
        let whole = whole.chain(self.failure.iter().map(|failure| &failure.note));
        whole
            .clone()
            .next()
            .or_else(|| objects.chain(&self.unseen).min_by_key(|note| note.class.is_transient()))
            .cloned()
    }
}
