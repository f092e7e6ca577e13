//! Git's default simplification of histories: which parents matter, and whether a commit changed anything.
//!
//! Source of the rules: git-log(1), "History Simplification", default mode; to the letter, `try_to_simplify_commit` in
//! Git's `revision.c`.

use super::node::{Node, Reader};
use crate::GitError;
use crate::stop::Stop;

/// What a history is about: when have two commits the same of it?
pub(super) trait Same: Send {
    /// Whether two commits do not differ in it.
    fn same(&mut self, reader: &Reader, parent: &Node, commit: &Node, stop: &Stop) -> Result<bool, GitError>;

    /// Whether there is nothing of it in a commit.
    fn absent(&mut self, reader: &Reader, commit: &Node, stop: &Stop) -> Result<bool, GitError>;
}

/// What is left of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Simplified {
    /// It changed nothing, and is not shown.
    pub(super) treesame: bool,
    /// The one parent that is followed, where the others do not matter.
    pub(super) only: Option<usize>,
    /// How many of the parents were looked at.
    pub(super) compared: usize,
}

/// Simplifies a commit. A parent is relevant unless the walk excludes it; irrelevant ones cannot stand for the others.
pub(super) fn simplify(
    same: &mut dyn Same,
    reader: &Reader,
    commit: &Node,
    parents: &[(&Node, bool)],
    first_parent: bool,
    stop: &Stop,
) -> Result<Simplified, GitError> {
    if parents.is_empty() {
        return Ok(Simplified { treesame: same.absent(reader, commit, stop)?, only: None, compared: 0 });
    }
    let (mut any_relevant, mut relevant_change, mut irrelevant_change) = (false, false, false);
    let mut compared = 0;
    for (nth, (parent, relevant)) in parents.iter().enumerate() {
        any_relevant |= relevant;
        if nth == 1 && first_parent {
            break;
        }
        compared = nth + 1;
        match (same.same(reader, parent, commit, stop)?, relevant) {
            (true, true) => return Ok(Simplified { treesame: true, only: Some(nth), compared }),
            (true, false) => {}
            (false, true) => relevant_change = true,
            (false, false) => irrelevant_change = true,
        }
    }
    let changed = if any_relevant { relevant_change } else { irrelevant_change };
    Ok(Simplified { treesame: !changed, only: None, compared })
}
