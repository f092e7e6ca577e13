//! Which commit gave a field its present value.

use std::sync::Arc;

use gitops_core::diff::{FieldPath, Redacted, Redaction};
use gitops_core::{Place, RepoPath, ResourceId};
use serde_json::Value;

use super::commit::Commit;
use super::history::Limits;
use super::node::Node;
use super::object::{Found, Object};
use super::options::HistoryOptions;
use super::stream::Stream;
use crate::GitError;
use crate::snapshot::GitSnapshot;
use crate::stop::Stop;

/// How to look for who set a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlameOptions {
    pub(super) history: HistoryOptions,
}

impl BlameOptions {
    /// All parents of merges.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows only the first parent of each merge: the merge is found that brought the value in, not the commit on the
    /// branch.
    #[must_use]
    pub fn with_first_parent(mut self, first_parent: bool) -> Self {
        self.history = self.history.with_first_parent(first_parent);
        self
    }

    /// As in [`HistoryOptions::with_max_commits`].
    #[must_use]
    pub fn with_max_commits(mut self, max_commits: usize) -> Self {
        self.history = self.history.with_max_commits(max_commits);
        self
    }
}

/// The commit that last set a field's value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Blame {
    /// The commit. If it is a [boundary](Commit::boundary), the value is as old as that or older: the mirror does not have
    /// what was before.
    pub commit: Commit,
    /// Where the object was written then; none if that commit took the object away.
    pub place: Option<Place>,
    field: FieldPath,
    object: Option<Arc<Redacted>>,
}

impl Blame {
    /// The value, with what must not be shown masked; none if the commit took the field away.
    pub fn value(&self) -> Option<&Value> {
        self.field.get(self.object.as_ref()?.as_value())
    }
}

pub(super) fn blame(
    snapshot: &GitSnapshot,
    path: RepoPath,
    id: ResourceId,
    field: FieldPath,
    options: &BlameOptions,
    stop: &Stop,
) -> Result<Option<Blame>, GitError> {
    let reader = snapshot.reader()?;
    let mut object = Object::new(path, id, field.clone());
    let limits = Limits::of(&options.history);
    let mut stream = Stream::new(reader.node(snapshot.commit())?);
    let node = loop {
        match stream.step(&reader, Some(&mut object), &limits, stop)? {
            None => return Ok(None),
            Some((node, true)) => break node,
            Some(_) => {}
        }
    };
    let commit = Commit::read(&reader.repo, node.id, node.boundary)?;
    let parent: Option<Node> = reader.parents(&mut node.clone(), 1)?.into_iter().next();
    let [_, mut found] = object.pair(&reader, parent.as_ref(), &node, stop)?;
    if !matches!(found, Found::Here(_)) {
        // It may be in a file that the parent has as well.
        [_, found] = object.pair(&reader, None, &node, stop)?;
    }
    let (place, object) = match found {
        Found::Here(manifest) => {
            let shown = Redaction::default().redact(&manifest.object());
            (Some(manifest.place), Some(Arc::new(shown)))
        }
        Found::Absent | Found::Unknown => (None, None),
    };
    Ok(Some(Blame { commit, place, field, object }))
}
