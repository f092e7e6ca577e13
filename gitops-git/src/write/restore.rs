//! Putting a path back to what it was at a revision.

use gitops_core::RepoPath;
use gix::bstr::ByteSlice as _;
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::error::damaged;
use super::files::entry_at;
use super::work::{Made, tree_of};
use crate::GitError;
use crate::explain::subject;

/// What to put back.
#[derive(Debug, Clone)]
pub(super) struct Restore {
    /// A file, or a directory with all that is in it; the root is everything.
    pub(super) path: RepoPath,
    pub(super) from: gix::ObjectId,
    /// How the message says it.
    pub(super) verb: &'static str,
}

impl Restore {
    /// The tree with what the revision has at the path.
    pub(super) fn make(&self, repo: &gix::Repository, tree: gix::ObjectId) -> Result<Made, WriteError> {
        let kind = repo.find_header(self.from).map_err(|error| damaged(&error))?.kind();
        if kind != gix::objs::Kind::Commit {
            return Err(GitError::NotACommit { id: self.from.to_string() }.into());
        }
        let there = tree_of(repo, self.from)?;
        let restored = if self.path.is_root() {
            there
        } else {
            let Some(entry) = entry_at(repo, there, &self.path)? else {
                // It would be deleted: by somebody who wrote the wrong path, more likely than not.
                let (path, commit) = (self.path.to_string(), self.from.to_hex_with_len(7).to_string());
                return Err(GitError::PathNotFound { path, commit }.into());
            };
            with_entry(repo, tree, &self.path, Some(entry))?
        };
        let commit = repo.find_commit(self.from).map_err(|error| damaged(&error))?;
        let message = commit.message_raw().map_err(|error| damaged(&error))?.to_str_lossy();
        let (short, what) = (self.from.to_hex_with_len(7), self.path.as_str());
        let what = if what.is_empty() { "everything" } else { what };
        let note = format!("{} {what} to {short}", self.verb);
        let message =
            format!("{note}\n\nThe files are those of commit {}, \"{}\".\n", self.from, subject(&message));
        Ok(Made { tree: restored, notes: vec![note], message: Some(message) })
    }
}

/// A tree with another file or directory at a path, or with none.
pub(super) fn with_entry(
    repo: &gix::Repository,
    tree: gix::ObjectId,
    path: &RepoPath,
    entry: Option<(gix::ObjectId, Mode)>,
) -> Result<gix::ObjectId, WriteError> {
    let mut above = path.parent();
    while let Some(dir) = above.filter(|dir| !dir.is_root()) {
        if entry_at(repo, tree, &dir)?.is_some_and(|(_, mode)| mode != Mode::Tree) {
            let reason = format!("{dir} is no directory any more");
            return Err(WriteError::InvalidEdit { path: path.to_string(), reason });
        }
        above = dir.parent();
    }
    let mut editor = repo.edit_tree(tree).map_err(|error| damaged(&error))?;
    match entry {
        Some((id, mode)) => editor.upsert(path.as_str(), mode, id),
        None => editor.remove(path.as_str()),
    }
    .map_err(|error| damaged(&error))?;
    editor.write().map(gix::Id::detach).map_err(|error| damaged(&error))
}
