//! What a walk knows of a commit.

use std::collections::HashSet;
use std::sync::Arc;

use gix::ObjectId;

use crate::GitError;
use crate::mirror::damaged;
use crate::remote::Limits;
use crate::snapshot::LinkIndex;

/// A commit without what it says.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
    /// None behind the end of a shallow history.
    pub(super) parents: Vec<ObjectId>,
    /// The committer's time, in seconds since 1970; 0 where it cannot be read, as in Git.
    pub(super) date: i64,
    /// Whether there are parents that the repository does not have.
    pub(super) boundary: bool,
}

/// Reads commits of one repository.
pub(crate) struct Reader {
    pub(crate) repo: gix::Repository,
    pub(crate) links: Arc<LinkIndex>,
    pub(crate) limits: Limits,
    /// Commits whose parents are left out on purpose.
    shallow: HashSet<ObjectId>,
}

impl Reader {
    pub(crate) fn new(
        repo: gix::Repository,
        links: Arc<LinkIndex>,
        limits: Limits,
    ) -> Result<Self, GitError> {
        let shallow = repo.shallow_commits().map_err(|error| damaged(&error))?;
        let shallow = shallow.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
        Ok(Self { repo, links, limits, shallow })
    }

    /// A commit that must be there.
    pub(super) fn node(&self, id: ObjectId) -> Result<Node, GitError> {
        self.find(id)?.ok_or_else(|| GitError::Damaged { detail: format!("commit {id} is missing") })
    }

    /// A commit, if it is there.
    pub(super) fn find(&self, id: ObjectId) -> Result<Option<Node>, GitError> {
        let Some(object) = self.repo.try_find_object(id).map_err(|error| damaged(&error))? else {
            return Ok(None);
        };
        if object.kind != gix::objs::Kind::Commit {
            return Err(GitError::NotACommit { id: id.to_string() });
        }
        let commit = gix::objs::CommitRefIter::from_bytes(&object.data, id.kind());
        let broken =
            |error: &dyn std::fmt::Display| GitError::Damaged { detail: format!("commit {id}: {error}") };
        let tree = commit.clone().tree_id().map_err(|error| broken(&error))?;
        let boundary = self.shallow.contains(&id);
        let parents = if boundary { Vec::new() } else { commit.parent_ids().collect() };
        // Git's dates are not negative.
        let date = commit.committer().map_or(0, |committer| committer.seconds().max(0));
        Ok(Some(Node { id, tree, parents, date, boundary }))
    }

    /// The parents of a commit that are there. The commit is told of those that are not.
    pub(super) fn parents(&self, node: &mut Node, most: usize) -> Result<Vec<Node>, GitError> {
        let mut parents = Vec::with_capacity(node.parents.len().min(most));
        for id in std::mem::take(&mut node.parents) {
            if parents.len() >= most {
                // Not looked at, and so not known to be missing.
                node.parents.push(id);
                continue;
            }
            match self.find(id)? {
                Some(parent) => {
                    node.parents.push(id);
                    parents.push(parent);
                }
                None => node.boundary = true,
            }
        }
        Ok(parents)
    }
}
