//! One commit's tree, read from the object database without a checkout.

mod differing;
mod links;
mod walk;

use std::fmt;
use std::sync::{Arc, Mutex};

use gitops_core::{Entry, EntryKind, Fault, RepoPath, Revision, Snapshot, TreeId};
use gix::objs::tree::EntryKind as Mode;

pub(crate) use differing::{Content, Root, blob, differing, entries, entry};
pub(crate) use links::LinkIndex;
#[cfg(feature = "write")]
pub(crate) use walk::is_lfs_pointer;
use walk::{Found, Tree};

use crate::GitError;
use crate::explain::Reader;
use crate::mirror::Repository;
use crate::remote::Limits;
use crate::stop::lock;

/// The files of one commit. Cheap to hold: files and directories are read when they are asked for.
///
/// All methods block on the disk, and may be called from many threads at once. The objects of the commit stay on disk as
/// long as a snapshot of it lives.
pub struct GitSnapshot {
    revision: Revision,
    root: gix::ObjectId,
    commit: gix::ObjectId,
    place: String,
    shared: gix::ThreadSafeRepository,
    /// Handles that nobody uses right now; each has caches that are worth keeping.
    idle: Mutex<Vec<gix::Repository>>,
    repository: Arc<Repository>,
    links: Arc<LinkIndex>,
    limits: Limits,
}

impl fmt::Debug for GitSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitSnapshot")
            .field("place", &self.place)
            .field("commit", &self.commit)
            .finish_non_exhaustive()
    }
}

impl GitSnapshot {
    /// A snapshot of a commit that is in the repository with all that it needs.
    pub(crate) fn new(
        repo: gix::Repository,
        repository: Arc<Repository>,
        revision: Revision,
        commit: gix::ObjectId,
        place: String,
        links: Arc<LinkIndex>,
        limits: Limits,
    ) -> Result<Self, GitError> {
        let root = repo
            .find_commit(commit)
            .and_then(|commit| commit.tree_id().map(gix::Id::detach))
            .and_then(|tree| repo.find_tree(tree).map(|tree| tree.id))
            .map_err(|error| crate::mirror::damaged(&error))?;
        Ok(Self {
            revision,
            root,
            commit,
            place,
            shared: repo.into_sync(),
            idle: Mutex::default(),
            repository,
            links,
            limits,
        })
    }

    /// A handle of somebody's own.
    fn handle(&self) -> gix::Repository {
        let mut repo = self.shared.to_thread_local();
        repo.object_cache_size_if_unset(4 * 1024 * 1024);
        // All that this commit needs is there already; what is missing stays missing.
        repo.objects.refresh_never();
        repo
    }

    /// What reads the history of this commit. The objects stay as long as the snapshot lives.
    pub(crate) fn reader(&self) -> Result<Reader, GitError> {
        Reader::new(self.handle(), self.links.clone(), self.limits)
    }

    pub(crate) fn commit(&self) -> gix::ObjectId {
        self.commit
    }

    /// Where errors happened: the repository and the commit.
    pub(crate) fn place(&self) -> String {
        format!("{}@{}", self.place, self.commit.to_hex_with_len(7))
    }

    /// A file at the root that is one itself, and no link to one.
    pub(crate) fn own_file(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, GitError> {
        let repo = self.handle();
        let tree = self.tree(&repo);
        let path = RepoPath::new(name).map_err(|error| GitError::Bug(error.to_string()))?;
        match tree.entry(self.root, name.as_bytes())? {
            Some(entry) if matches!(entry.mode, Mode::Blob | Mode::BlobExecutable) => {
                tree.content(&path, entry.id, max_bytes).map(Some)
            }
            Some(_) => Err(GitError::Submodules { at: name.into(), reason: "it is no file".into() }),
            None => Ok(None),
        }
    }

    /// The commit of the submodule at a path, if one is there.
    pub(crate) fn submodule(&self, path: &RepoPath) -> Result<Option<String>, GitError> {
        let repo = self.handle();
        let found = self.tree(&repo).find(path)?.0;
        Ok(if let Found::Submodule(commit) = found { Some(commit.to_string()) } else { None })
    }

    fn tree<'a>(&self, repo: &'a gix::Repository) -> Tree<'a> {
        Tree { repo, root: self.root, commit: self.commit, limits: self.limits }
    }

    /// Has the repository made anew if that is what an error asks for.
    pub(crate) fn suspect(&self, error: &GitError) {
        if matches!(error, GitError::Damaged { .. }) {
            self.repository.mark_damaged();
        }
    }

    /// Does something with a handle of this thread's own, and names the place of what goes wrong.
    fn with<T>(
        &self,
        path: &RepoPath,
        work: impl FnOnce(&Tree<'_>) -> Result<T, GitError>,
    ) -> Result<T, Fault> {
        let idle = lock(&self.idle).pop();
        let repo = idle.unwrap_or_else(|| self.handle());
        let done = work(&self.tree(&repo));
        lock(&self.idle).push(repo);
        done.map_err(|error| {
            self.suspect(&error);
            let short = self.commit.to_hex_with_len(7);
            error.at(format_args!("{}@{short}:/{path}", self.place))
        })
    }
}

impl Snapshot for GitSnapshot {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    /// `100644:<blob>` or `100755:<blob>` for files, `tree:<tree>` for directories; with a digest after it where links
    /// below the directory lead out of it.
    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        self.with(path, |tree| {
            let id = match tree.find(path)?.0 {
                Found::Directory(id, real) => self.links.directory_id(tree, id, &real)?,
                Found::File(id, mode) => walk::file_id(id, mode),
                Found::Submodule(id) => format!("160000:{id}"),
                Found::Nothing => return Ok(None),
            };
            Ok(Some(TreeId::new(id)))
        })
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.with(dir, |tree| {
            let (found, seen) = tree.find(dir)?;
            let Found::Directory(id, real) = found else {
                return Err(match found {
                    Found::Nothing => tree.nothing_at(dir),
                    other => wrong_kind(dir, &other, "a directory"),
                });
            };
            let mut entries = Vec::new();
            for entry in tree.entries(id)? {
                let kind = match entry.mode {
                    Mode::Tree => EntryKind::Directory,
                    Mode::Blob | Mode::BlobExecutable => EntryKind::File,
                    Mode::Commit => EntryKind::Submodule,
                    Mode::Link => match tree.follow(&real, &entry, &seen) {
                        Ok((Found::Directory(..), _)) => EntryKind::Directory,
                        Ok((Found::File(..), _)) => EntryKind::File,
                        Ok((Found::Submodule(_), _)) => EntryKind::Submodule,
                        Ok((Found::Nothing, _)) | Err(GitError::BrokenLink { .. }) => EntryKind::BrokenLink,
                        Err(error) => return Err(error),
                    },
                };
                entries.push(Entry { name: walk::usable_name(dir, &entry.name)?, kind });
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        self.with(file, |tree| {
            let id = match tree.find(file)?.0 {
                Found::File(id, _) => id,
                Found::Nothing => return Err(tree.nothing_at(file)),
                other => return Err(wrong_kind(file, &other, "a file")),
            };
            tree.content(file, id, max_bytes).map(Into::into)
        })
    }
}

fn wrong_kind(path: &RepoPath, found: &Found, wanted: &'static str) -> GitError {
    let found = match found {
        Found::Directory(..) => "a directory",
        Found::File(..) => "a file",
        Found::Submodule(_) => "a submodule, whose content is in another repository",
        Found::Nothing => "nothing",
    };
    GitError::WrongKind { path: path.to_string(), found, wanted }
}
