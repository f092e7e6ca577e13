//! What to ask a history for.

use gitops_core::diff::FieldPath;
use gitops_core::{RepoPath, ResourceId, Timestamp};

/// The commits that one history may look at, if nothing else is said.
const MAX_COMMITS: usize = 1_000_000;

/// Which commits of a history are wanted. By default, all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryOptions {
    pub(super) paths: Vec<RepoPath>,
    pub(super) object: Option<(RepoPath, ResourceId, FieldPath)>,
    pub(super) from: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) first_parent: bool,
    pub(super) max_commits: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            object: None,
            from: None,
            since: None,
            until: None,
            first_parent: false,
            max_commits: MAX_COMMITS,
        }
    }
}

impl HistoryOptions {
    /// Every commit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only commits that touched this file, or something below this directory; called again, this or the others.
    ///
    /// The root stands for every commit, as `git log` without a path: also for those that changed nothing. Symbolic links
    /// are not followed, nor are renames.
    #[must_use]
    pub fn with_path(mut self, path: RepoPath) -> Self {
        self.paths.push(path);
        self
    }

    /// Only commits that changed this object, whichever file at or below `path` it is written in. It takes the place of
    /// [`with_path`](Self::with_path).
    ///
    /// Two revisions have the same object if its manifests decode to equal values: moving it to another file changes
    /// nothing. The id is compared as it is written. What files say that cannot be decoded is as in
    /// [`GitSource::blame`](crate::GitSource::blame).
    #[must_use]
    pub fn with_object(self, path: RepoPath, id: ResourceId) -> Self {
        self.with_field(path, id, FieldPath::root())
    }

    /// The same for one field of the object: only commits that changed its value.
    #[must_use]
    pub fn with_field(mut self, path: RepoPath, id: ResourceId, field: FieldPath) -> Self {
        self.object = Some((path, id, field));
        self
    }

    /// Leaves out this commit and all that it descends from: `git log FROM..TO`. A full commit id.
    ///
    /// Like Git, this goes by dates, and looks at a few commits more: where clocks were far off, commits may be shown
    /// that `from` descends from.
    #[must_use]
    pub fn with_from(mut self, from: impl Into<String>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Only commits of this time or later, by the committer's time. As in Git, the walk ends at a commit that is older:
    /// one before it with a later time is not found.
    #[must_use]
    pub fn with_since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// Only commits of this time or earlier, by the committer's time.
    #[must_use]
    pub fn with_until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Follows only the first parent of each merge: the merge is shown that brought a change in, not the commit on the
    /// branch. On a branch that is merged into, that is when it arrived.
    #[must_use]
    pub fn with_first_parent(mut self, first_parent: bool) -> Self {
        self.first_parent = first_parent;
        self
    }

    /// How many commits may be looked at before the history fails with
    /// [`GitError::HistoryTooLong`](crate::GitError::HistoryTooLong); 1,000,000 by default, for which it takes some 50 MB.
    #[must_use]
    pub fn with_max_commits(mut self, max_commits: usize) -> Self {
        self.max_commits = max_commits;
        self
    }
}
