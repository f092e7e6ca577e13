//! Reverting commits: a three-way merge of trees for each, as `git revert` does it.

use gitops_core::{RepoPath, Revision};
use gix::bstr::ByteSlice as _;
use gix::traverse::commit::topo;

use super::WriteError;
use super::error::damaged;
use super::files::entry_at;
use super::merge::merge;
use super::restore::with_entry;
use super::work::{Made, tree_of};
use crate::GitError;
use crate::explain::subject;
use crate::reference::commit_id;
use crate::stop::Stop;

/// The most commits that one commit reverts.
const MAX_COMMITS: usize = 1000;

/// Commits to revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revert {
    newest: gix::ObjectId,
    after: Option<gix::ObjectId>,
    mainline: Option<usize>,
    within: RepoPath,
}

impl Revert {
    /// One commit.
    ///
    /// # Errors
    /// [`GitError::InvalidReference`] if the revision is no full commit id.
    pub fn commit(revision: &Revision) -> Result<Self, GitError> {
        Ok(Self { newest: commit_id(&revision.id)?, after: None, mainline: None, within: RepoPath::root() })
    }

    /// All commits that `newest` has in its history, itself included, and `after` has not (`after..newest` for Git), from the
    /// newest to the oldest, in one commit.
    ///
    /// # Errors
    /// As for [`commit`](Self::commit).
    pub fn range(after: &Revision, newest: &Revision) -> Result<Self, GitError> {
        Ok(Self { after: Some(commit_id(&after.id)?), ..Self::commit(newest)? })
    }

    /// Which parent of a merge is what to go back to, counted from 1. Without, merges are not reverted. Commits with one parent
    /// do not need it.
    #[must_use]
    pub fn with_mainline(mut self, parent: usize) -> Self {
        self.mainline = Some(parent);
        self
    }

    /// Reverts what the commits changed at and below a path, and nothing else. Of a range, those that changed nothing there are
    /// left out. A file that was moved into the path, or out of it, is one that was added there, or removed.
    #[must_use]
    pub fn within(mut self, path: RepoPath) -> Self {
        self.within = path;
        self
    }

    pub(super) fn needs(&self) -> impl Iterator<Item = gix::ObjectId> {
        self.after.into_iter().chain([self.newest])
    }

    /// The tree without what the commits changed.
    pub(super) fn make(
        &self,
        repo: &gix::Repository,
        tree: gix::ObjectId,
        stop: &Stop,
    ) -> Result<Made, WriteError> {
        let commits = self.commits(repo)?;
        let mut tree = tree;
        let mut reverted = Vec::new();
        for id in commits {
            stop.check()?;
            let done = self.one(repo, id)?;
            let before = self.before_within(repo, &done)?;
            if before != done.tree || self.within.is_root() {
                tree = merged(repo, &done, tree, before, stop)?;
                reverted.push(done);
            }
        }
        if reverted.is_empty() {
            return Err(cannot(self.newest, format!("nothing was changed in {}", self.within)));
        }
        let notes: Vec<_> =
            reverted.iter().map(|done| format!("This reverts commit {}.", done.said)).collect();
        let within = match self.within.as_str() {
            "" => String::new(),
            path => format!("\nOnly what is in {path} is reverted.\n"),
        };
        let message = match &*reverted {
            [only] => format!("Revert \"{}\"\n\n{}\n{within}", only.subject, notes.join("\n")),
            several => {
                let lines = several
                    .iter()
                    .map(|done| format!("This reverts commit {}, \"{}\".\n", done.said, done.subject));
                format!("Revert {} commits\n\n{}{within}", several.len(), lines.collect::<String>())
            }
        };
        Ok(Made { tree, notes, message: Some(message) })
    }

    /// From the newest to the oldest.
    fn commits(&self, repo: &gix::Repository) -> Result<Vec<gix::ObjectId>, WriteError> {
        let Some(after) = self.after else { return Ok(vec![self.newest]) };
        if after == self.newest {
            return Err(cannot(self.newest, "the range holds no commit: both ends are the same".into()));
        }
        let walk = topo::Builder::from_iters(&repo.objects, [self.newest], Some([after]))
            .sorting(topo::Sorting::DateOrder)
            .build()
            .map_err(|error| damaged(&error))?;
        let mut commits = Vec::new();
        for info in walk {
            if commits.len() == MAX_COMMITS {
                return Err(GitError::HistoryTooLong { limit: MAX_COMMITS }.into());
            }
            commits.push(info.map_err(|error| damaged(&error))?.id);
        }
        if commits.is_empty() {
            return Err(cannot(self.newest, "the range holds no commit: the later one comes second".into()));
        }
        Ok(commits)
    }

    /// The tree of a commit without what it changed there.
    fn before_within(&self, repo: &gix::Repository, done: &Reverted) -> Result<gix::ObjectId, WriteError> {
        if self.within.is_root() {
            return Ok(done.before);
        }
        let was = entry_at(repo, done.before, &self.within)?;
        if was == entry_at(repo, done.tree, &self.within)? {
            return Ok(done.tree);
        }
        with_entry(repo, done.tree, &self.within, was)
    }

    fn one(&self, repo: &gix::Repository, id: gix::ObjectId) -> Result<Reverted, WriteError> {
        let kind = repo.find_header(id).map_err(|error| damaged(&error))?.kind();
        if kind != gix::objs::Kind::Commit {
            return Err(GitError::NotACommit { id: id.to_string() }.into());
        }
        let commit = repo.find_commit(id).map_err(|error| damaged(&error))?;
        let parents: Vec<_> = commit.parent_ids().map(gix::Id::detach).collect();
        let parent = match (&*parents, self.mainline) {
            ([], _) => None,
            ([only], _) => Some(*only),
            (_, None) => {
                let reason = "it is a merge: say with with_mainline() which of its parents to go back to";
                return Err(cannot(id, reason.into()));
            }
            (several, Some(mainline)) => {
                let Some(parent) = mainline.checked_sub(1).and_then(|at| several.get(at)) else {
                    return Err(cannot(id, format!("it has no parent {mainline}")));
                };
                Some(*parent)
            }
        };
        let said = match parent.filter(|_| parents.len() > 1) {
            Some(parent) => format!("{id}, reversing\nchanges made to {parent}"),
            None => id.to_string(),
        };
        let before = match parent {
            Some(parent) => tree_of(repo, parent)?,
            None => gix::ObjectId::empty_tree(id.kind()),
        };
        let message = commit.message_raw().map_err(|error| damaged(&error))?.to_str_lossy().into_owned();
        Ok(Reverted { id, tree: tree_of(repo, id)?, before, said, subject: subject(&message) })
    }
}

fn cannot(commit: gix::ObjectId, reason: String) -> WriteError {
    WriteError::CannotRevert { commit: commit.to_string(), reason }
}

struct Reverted {
    id: gix::ObjectId,
    tree: gix::ObjectId,
    /// The tree of the parent.
    before: gix::ObjectId,
    /// How the message names it.
    said: String,
    subject: String,
}

/// `ours` with the changes from a commit to what was before it.
fn merged(
    repo: &gix::Repository,
    commit: &Reverted,
    ours: gix::ObjectId,
    before: gix::ObjectId,
    stop: &Stop,
) -> Result<gix::ObjectId, WriteError> {
    merge(repo, commit.tree, ours, before, stop)?.map_err(|conflicts| WriteError::Conflict {
        commit: commit.id.to_string(),
        paths: conflicts.iter().map(|path| path.to_str_lossy().into_owned()).collect(),
    })
}
