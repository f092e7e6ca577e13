//! The files of the tip that a commit is made on, as an edit sees and changes them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use gitops_core::{Entry, EntryKind, Fault, RepoPath};
use gix::bstr::ByteSlice as _;
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::error::damaged;
use super::search::Silent;
use crate::GitError;

/// A change of files, which is made again on the new tip when somebody else was faster. So it says what is to be the case
/// ("the image is 1.2"), from what it reads, and nothing that it remembers of an earlier call.
///
/// Functions and closures are edits. It runs on a thread for blocking work, and is not stopped while it runs: it should do
/// no more than to read and to change files.
///
/// ```
/// use gitops_core::{Fault, RepoPath};
/// use gitops_git::write::{Edit, Files};
///
/// fn raise(files: &mut Files<'_>) -> Result<(), Fault> {
///     let path = RepoPath::new("version").map_err(Fault::invalid)?;
///     let number: u64 = match files.read(&path)? {
///         Some(content) => String::from_utf8_lossy(&content).trim().parse().map_err(Fault::invalid)?,
///         None => 0,
///     };
///     files.write(&path, format!("{}\n", number + 1))
/// }
/// # fn is_one(_: impl Edit) {}
/// # is_one(raise);
/// ```
pub trait Edit: Send + Sync {
    /// Makes the change. If it fails, nothing is committed, and its fault is what the caller gets.
    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault>;

    /// The first line of the message, where nobody gives one; its [notes](Files::note) follow. Without, it is the notes, or the
    /// changed files.
    fn subject(&self) -> Option<String> {
        None
    }
}

impl<F: Fn(&mut Files<'_>) -> Result<(), Fault> + Send + Sync> Edit for F {
    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        self(files)
    }
}

/// The files of a tree, with the changes that were made to them. Files are read when they are asked for.
///
/// Symbolic links are not followed: what is behind one has another path. Submodules cannot be changed.
pub struct Files<'a> {
    pub(super) repo: &'a gix::Repository,
    root: gix::ObjectId,
    changes: BTreeMap<RepoPath, Option<Content>>,
    notes: Vec<String>,
    bytes: u64,
    pub(super) limits: FileLimits,
    pub(super) silent: Silent,
    /// Whether whoever waits for it has gone.
    stop: &'a AtomicBool,
}

/// How much an edit may read and write.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileLimits {
    /// One file.
    pub(super) file: u64,
    /// All files that are written.
    pub(super) written: u64,
}

impl FileLimits {
    fn check_size(&self, path: &RepoPath, size: u64) -> Result<(), WriteError> {
        if size > self.file {
            return Err(GitError::FileTooLarge { path: path.to_string(), size, limit: self.file }.into());
        }
        Ok(())
    }

    /// Whether a file may be used that has been read.
    pub(super) fn check(&self, path: &RepoPath, content: &[u8]) -> Result<(), WriteError> {
        self.check_size(path, content.len() as u64)?;
        if crate::snapshot::is_lfs_pointer(content) {
            return Err(GitError::LfsPointer { path: path.to_string() }.into());
        }
        Ok(())
    }
}

struct Content {
    bytes: Vec<u8>,
    mode: Mode,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("root", &self.root).finish_non_exhaustive()
    }
}

impl<'a> Files<'a> {
    pub(super) fn new(
        repo: &'a gix::Repository,
        root: gix::ObjectId,
        limits: FileLimits,
        silent: Silent,
        stop: &'a AtomicBool,
    ) -> Self {
        Self { repo, root, changes: BTreeMap::new(), notes: Vec::new(), bytes: 0, limits, silent, stop }
    }

    /// The content of a file, with what was changed; `None` if there is no such file.
    pub fn read(&self, path: &RepoPath) -> Result<Option<Vec<u8>>, Fault> {
        self.content(path).map_err(|error| error.at(path))
    }

    fn content(&self, path: &RepoPath) -> Result<Option<Vec<u8>>, WriteError> {
        if let Some(changed) = self.changes.get(path) {
            return Ok(changed.as_ref().map(|content| content.bytes.clone()));
        }
        let Some((id, mode)) = self.entry(path)? else { return Ok(None) };
        file_mode(path, mode)?;
        let size = self.repo.find_header(id).map_err(|error| damaged(&error))?.size();
        self.limits.check_size(path, size)?;
        let content = self.repo.find_blob(id).map_err(|error| damaged(&error))?.take_data();
        self.limits.check(path, &content)?;
        Ok(Some(content))
    }

    /// What is directly in a directory, by name, with what was changed; nothing if there is no such directory. What has a name
    /// that no path can spell is left out; a symbolic link is a [`EntryKind::BrokenLink`], wherever it leads.
    pub fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.entries(dir).map(|(entries, _)| entries).map_err(|error| error.at(dir))
    }

    /// The entries that have a usable name, and whether there are others.
    fn entries(&self, dir: &RepoPath) -> Result<(Vec<Entry>, bool), WriteError> {
        let (mut found, mut has_others) = (BTreeMap::new(), false);
        if let Some((id, Mode::Tree)) = self.entry(dir)? {
            let tree = self.repo.find_tree(id).map_err(|error| damaged(&error))?;
            for entry in tree.iter() {
                let entry = entry.map_err(|error| damaged(&error))?;
                let Some(name) = entry.filename().to_str().ok().filter(|name| is_name(name)) else {
                    has_others = true;
                    continue;
                };
                let kind = match entry.mode().kind() {
                    Mode::Tree => EntryKind::Directory,
                    Mode::Commit => EntryKind::Submodule,
                    Mode::Blob | Mode::BlobExecutable => EntryKind::File,
                    Mode::Link => EntryKind::BrokenLink,
                };
                let below = dir.join(name).map_err(|error| invalid(dir, &error.to_string()))?;
                // A directory of which every file was removed is one no more; that is rare, and found out by looking.
                let is_gone = kind == EntryKind::Directory
                    && self.changes.keys().any(|path| path.is_within(&below))
                    && self.is_empty(&below)?;
                if !is_gone {
                    found.insert(name.to_owned(), kind);
                }
            }
        }
        for (path, change) in self.changes.iter().filter(|(path, _)| path.is_within(dir) && *path != dir) {
            let rest = path.as_str()[dir.as_str().len()..].trim_start_matches('/');
            match (rest.split_once('/'), change) {
                (None, None) => drop(found.remove(rest)),
                (None, Some(_)) => drop(found.insert(rest.to_owned(), EntryKind::File)),
                (Some((name, _)), Some(_)) => drop(found.insert(name.to_owned(), EntryKind::Directory)),
                (Some(_), None) => {}
            }
        }
        Ok((found.into_iter().map(|(name, kind)| Entry { name, kind }).collect(), has_others))
    }

    fn is_empty(&self, dir: &RepoPath) -> Result<bool, WriteError> {
        let (entries, has_others) = self.entries(dir)?;
        Ok(entries.is_empty() && !has_others)
    }

    /// Writes a file: one that is there keeps whether it is executable; a new one is not.
    pub fn write(&mut self, path: &RepoPath, content: impl Into<Vec<u8>>) -> Result<(), Fault> {
        let bytes = content.into();
        self.put(path, bytes).map_err(|error| error.at(path))
    }

    fn put(&mut self, path: &RepoPath, bytes: Vec<u8>) -> Result<(), WriteError> {
        self.limits.check_size(path, bytes.len() as u64)?;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limits.written {
            let reason = format!("the edit writes more than {} bytes", self.limits.written);
            return Err(invalid(path, &reason));
        }
        if path.is_root() {
            return Err(invalid(path, "the root of the tree is no file"));
        }
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            match self.mode(&dir)? {
                None | Some(Mode::Tree) => {}
                Some(Mode::Link) => {
                    return Err(invalid(path, "it is behind a symbolic link: change what that leads to"));
                }
                Some(Mode::Commit) => return Err(invalid(path, "it is in a submodule")),
                Some(Mode::Blob | Mode::BlobExecutable) => {
                    return Err(invalid(path, "a part of the path is a file"));
                }
            }
            above = dir.parent();
        }
        let mode = match self.mode(path)? {
            None => Mode::Blob,
            Some(Mode::Tree) if self.is_empty(path)? => Mode::Blob,
            Some(mode) => file_mode(path, mode)?,
        };
        self.changes.insert(path.clone(), Some(Content { bytes, mode }));
        Ok(())
    }

    /// Removes a file, or a symbolic link; whether there was one.
    pub fn remove(&mut self, path: &RepoPath) -> Result<bool, Fault> {
        let removed = match self.mode(path) {
            Ok(None | Some(Mode::Tree)) => Ok(false),
            Ok(Some(Mode::Commit)) => Err(invalid(path, "it is a submodule")),
            Ok(Some(_)) => {
                self.changes.insert(path.clone(), None);
                Ok(true)
            }
            Err(error) => Err(error),
        };
        removed.map_err(|error| error.at(path))
    }

    /// Says what was done, for the message: one of the `{changes}`.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What is at a path now.
    fn mode(&self, path: &RepoPath) -> Result<Option<Mode>, WriteError> {
        if let Some(changed) = self.changes.get(path) {
            return Ok(changed.as_ref().map(|content| content.mode));
        }
        let is_above =
            |(below, change): (&RepoPath, &Option<Content>)| change.is_some() && below.is_within(path);
        if self.changes.iter().any(is_above) {
            return Ok(Some(Mode::Tree));
        }
        Ok(self.entry(path)?.map(|(_, mode)| mode))
    }

    /// Fails when nobody waits for it any more.
    pub(super) fn check_wanted(&self) -> Result<(), WriteError> {
        if self.stop.load(Ordering::Relaxed) { Err(GitError::Cancelled.into()) } else { Ok(()) }
    }

    pub(super) fn is_changed(&self, path: &RepoPath) -> bool {
        self.changes.contains_key(path)
    }

    /// The files at and below a path that were changed or removed.
    pub(super) fn changed_within(&self, path: &RepoPath) -> impl Iterator<Item = &RepoPath> {
        self.changes.keys().filter(|changed| changed.is_within(path))
    }

    /// What the tree has at a path. Nothing is below what is no directory.
    pub(super) fn entry(&self, path: &RepoPath) -> Result<Option<(gix::ObjectId, Mode)>, WriteError> {
        entry_at(self.repo, self.root, path)
    }

    /// Writes the tree with the changes. Returns its id, and the notes.
    pub(super) fn finish(self) -> Result<(gix::ObjectId, Vec<String>), WriteError> {
        let mut editor = self.repo.edit_tree(self.root).map_err(|error| damaged(&error))?;
        // What goes away first: a file may take the place of a directory.
        for (path, _) in self.changes.iter().filter(|(_, change)| change.is_none()) {
            editor.remove(path.as_str()).map_err(|error| damaged(&error))?;
        }
        for (path, change) in &self.changes {
            if let Some(content) = change {
                let blob = self.repo.write_blob(&content.bytes).map_err(|error| damaged(&error))?;
                editor.upsert(path.as_str(), content.mode, blob).map_err(|error| damaged(&error))?;
            }
        }
        let tree = editor.write().map_err(|error| damaged(&error))?.detach();
        Ok((tree, self.notes))
    }
}

/// What a tree has at a path.
pub(super) fn entry_at(
    repo: &gix::Repository,
    root: gix::ObjectId,
    path: &RepoPath,
) -> Result<Option<(gix::ObjectId, Mode)>, WriteError> {
    let mut at = (root, Mode::Tree);
    for part in path.parts() {
        if at.1 != Mode::Tree {
            return Ok(None);
        }
        let tree = repo.find_tree(at.0).map_err(|error| damaged(&error))?;
        match tree.find_entry(part) {
            Some(entry) => at = (entry.object_id(), entry.mode().kind()),
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

pub(super) fn is_name(name: &str) -> bool {
    RepoPath::new(name).is_ok_and(|path| path.as_str() == name && !name.contains('/') && !name.is_empty())
}

/// The mode of a file that is written again.
fn file_mode(path: &RepoPath, mode: Mode) -> Result<Mode, WriteError> {
    match mode {
        Mode::Blob | Mode::BlobExecutable => Ok(mode),
        Mode::Tree => Err(invalid(path, "it is a directory")),
        Mode::Link => Err(invalid(path, "it is a symbolic link: change what it leads to")),
        Mode::Commit => Err(invalid(path, "it is a submodule")),
    }
}

pub(super) fn invalid(path: &RepoPath, reason: &str) -> WriteError {
    WriteError::InvalidEdit { path: path.to_string(), reason: reason.into() }
}
