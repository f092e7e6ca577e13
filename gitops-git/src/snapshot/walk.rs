//! Paths through a tree, with symbolic links followed inside it.

use gitops_core::RepoPath;
use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind as Mode;

use crate::GitError;
use crate::mirror::damaged;
use crate::remote::Limits;

/// The links that one path may lead through.
const MAX_HOPS: usize = 16;

/// A link's target is a path; nobody's are longer.
const MAX_TARGET_BYTES: u64 = 4096;

/// Entries of one directory. Whoever looks into it has all of them in memory.
const MAX_ENTRIES: usize = 100_000;
/// A Git LFS pointer begins with this line, and is small.
const LFS_HEADER: &[u8] = b"version https://git-lfs.github.com/spec/";
const LFS_MAX_BYTES: usize = 1024;

/// A commit's tree, with a handle to read it.
pub(super) struct Tree<'a> {
    pub(super) repo: &'a gix::Repository,
    pub(super) root: ObjectId,
    pub(super) commit: ObjectId,
    pub(super) limits: Limits,
}

/// An entry of a directory, as Git has it.
#[derive(Debug, Clone)]
pub(crate) struct RawEntry {
    pub(crate) name: BString,
    pub(crate) id: ObjectId,
    pub(crate) mode: Mode,
}

/// A directory's path without links in it.
pub(super) type RealPath = Vec<BString>;

/// What a path leads to.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Directory(ObjectId, RealPath),
    File(ObjectId, Mode),
    Submodule(ObjectId),
    Nothing,
}

/// The directories that a path has led through, without links: leading into one of them again would be a circle.
pub(super) type Seen = Vec<RealPath>;

/// The id of a file: content and mode.
pub(super) fn file_id(id: ObjectId, mode: Mode) -> String {
    format!("{}:{id}", if mode == Mode::BlobExecutable { "100755" } else { "100644" })
}

/// The name as text, if a [`RepoPath`] can spell it.
pub(super) fn usable_name(dir: &RepoPath, name: &BString) -> Result<String, GitError> {
    let fail = |reason: String| GitError::UnusableName {
        dir: dir.to_string(),
        name: name.as_bytes().escape_ascii().to_string(),
        reason,
    };
    let text = name.to_str().map_err(|_| fail("it is not UTF-8".into()))?;
    let path = RepoPath::new(text).map_err(|error| fail(error.to_string()))?;
    if path.as_str() != text || text.contains('/') || text.is_empty() {
        return Err(fail("no file system has such names".into()));
    }
    Ok(text.to_owned())
}

impl Tree<'_> {
    /// Follows a path from the root.
    pub(super) fn find(&self, path: &RepoPath) -> Result<(Found, Seen), GitError> {
        let mut walk = Walk { tree: self, hops: 0 };
        let mut seen = vec![RealPath::new()];
        let mut found = Found::Directory(self.root, RealPath::new());
        let mut walked = Vec::new();
        for part in path.parts() {
            let Found::Directory(id, real) = &found else { return Ok((Found::Nothing, seen)) };
            walked.push(part);
            let Some(entry) = self.entry(*id, part.as_bytes())? else { return Ok((Found::Nothing, seen)) };
            found = walk.enter(real, &entry, &seen).map_err(|error| name_link(error, &walked.join("/")))?;
            if let Found::Directory(_, real) = &found {
                seen.push(real.clone());
            }
        }
        Ok((found, seen))
    }

    /// What a link in the directory `real` leads to, for a path that has led through `seen`.
    pub(super) fn follow(
        &self,
        real: &RealPath,
        entry: &RawEntry,
        seen: &Seen,
    ) -> Result<(Found, Seen), GitError> {
        Walk { tree: self, hops: 0 }.enter(real, entry, seen).map(|found| (found, seen.clone()))
    }

    pub(super) fn nothing_at(&self, path: &RepoPath) -> GitError {
        GitError::PathNotFound { path: path.to_string(), commit: self.commit.to_hex_with_len(7).to_string() }
    }

    /// The entries of a directory, in Git's order.
    pub(super) fn entries(&self, id: ObjectId) -> Result<Vec<RawEntry>, GitError> {
        let tree = self.repo.find_tree(id).map_err(|error| damaged(&error))?;
        let entries = tree.iter().take(MAX_ENTRIES + 1);
        let entries: Vec<_> = entries
            .map(|entry| entry.map(|entry| raw(&entry)).map_err(|error| damaged_tree(id, &error)))
            .collect::<Result<_, _>>()?;
        if entries.len() > MAX_ENTRIES {
            Err(GitError::TooManyEntries { limit: MAX_ENTRIES })
        } else {
            Ok(entries)
        }
    }

    pub(super) fn entry(&self, dir: ObjectId, name: &[u8]) -> Result<Option<RawEntry>, GitError> {
        let tree = self.repo.find_tree(dir).map_err(|error| damaged(&error))?;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| damaged_tree(dir, &error))?;
            if entry.filename() == name {
                return Ok(Some(raw(&entry)));
            }
        }
        Ok(None)
    }

    /// The size of an object, which is not loaded for it.
    pub(super) fn size(&self, id: ObjectId) -> Result<u64, GitError> {
        self.repo.find_header(id).map(|header| header.size()).map_err(|error| damaged(&error))
    }

    /// The content of a file, if it is not larger than allowed.
    pub(super) fn content(&self, file: &RepoPath, id: ObjectId, max_bytes: u64) -> Result<Vec<u8>, GitError> {
        let size = self.size(id)?;
        if size > max_bytes {
            return Err(GitError::FileTooLarge { path: file.to_string(), size, limit: max_bytes });
        }
        let content = self.blob(id)?;
        if is_lfs_pointer(&content) {
            return Err(GitError::LfsPointer { path: file.to_string() });
        }
        Ok(content)
    }

    pub(super) fn blob(&self, id: ObjectId) -> Result<Vec<u8>, GitError> {
        self.repo.find_blob(id).map(|mut blob| blob.take_data()).map_err(|error| {
            let limit = self.limits.object_bytes;
            match GitError::from_gix("reading a file", &error, limit) {
                large @ GitError::ObjectTooLarge { .. } => large,
                _ => damaged(&error),
            }
        })
    }
}

/// Whether a file's content is in Git LFS.
pub(crate) fn is_lfs_pointer(content: &[u8]) -> bool {
    content.len() <= LFS_MAX_BYTES && content.starts_with(LFS_HEADER)
}

fn raw(entry: &gix::object::tree::EntryRef<'_, '_>) -> RawEntry {
    RawEntry { name: entry.filename().to_owned(), id: entry.object_id(), mode: entry.mode().kind() }
}

fn damaged_tree(id: ObjectId, error: &gix::Error) -> GitError {
    GitError::Damaged { detail: format!("tree {id}: {error}") }
}

/// One path's way, with what it has cost so far.
struct Walk<'a> {
    tree: &'a Tree<'a>,
    hops: usize,
}

impl Walk<'_> {
    /// Goes from a directory into one of its entries, and on, if that is a link.
    fn enter(&mut self, dir: &RealPath, entry: &RawEntry, seen: &Seen) -> Result<Found, GitError> {
        Ok(match entry.mode {
            Mode::Tree => Found::Directory(entry.id, below(dir, &entry.name)),
            Mode::Blob | Mode::BlobExecutable => Found::File(entry.id, entry.mode),
            Mode::Commit => Found::Submodule(entry.id),
            Mode::Link => {
                let (target, found) = self.link(dir, entry)?;
                if let Found::Directory(_, real) = &found
                    && seen.iter().any(|passed| passed.starts_with(real))
                {
                    return Err(broken(dir, entry, &target, "leads in a circle"));
                }
                found
            }
        })
    }

    fn link(&mut self, dir: &RealPath, link: &RawEntry) -> Result<(BString, Found), GitError> {
        if self.tree.size(link.id)? > MAX_TARGET_BYTES {
            return Err(broken(dir, link, "…", "is longer than any path"));
        }
        let target = BString::from(self.tree.blob(link.id)?);
        self.hops += 1;
        if self.hops > MAX_HOPS {
            return Err(broken(dir, link, &target, "leads in a circle, or through too many links"));
        }
        if target.starts_with(b"/") {
            return Err(broken(dir, link, &target, "leads out of the tree: it is absolute"));
        }
        let mut at = dir.clone();
        let mut found = None;
        for part in target.split(|byte| *byte == b'/') {
            if part.is_empty() || part == b"." {
                continue;
            }
            // Behind a file there is nothing, not even `..`.
            if matches!(found, Some(Found::File(..) | Found::Submodule(_) | Found::Nothing)) {
                return Ok((target, Found::Nothing));
            }
            if part == b".." {
                if at.pop().is_none() {
                    return Err(broken(dir, link, &target, "leads out of the tree"));
                }
                found = None;
                continue;
            }
            if !part.to_str().is_ok_and(|name| RepoPath::new(name).is_ok()) {
                return Err(broken(dir, link, &target, "leads through a name that no path can spell"));
            }
            let here = self.directory(&at)?;
            let Some(entry) = self.tree.entry(here, part)? else { return Ok((target, Found::Nothing)) };
            let next = match entry.mode {
                // A link on the way to somewhere may pass where we have been.
                Mode::Link => self.link(&at, &entry)?.1,
                _ => self.enter(&at, &entry, &Seen::new())?,
            };
            if let Found::Directory(_, real) = &next {
                at.clone_from(real);
            }
            found = Some(next);
        }
        let found = match found {
            Some(found) => found,
            None => Found::Directory(self.directory(&at)?, at),
        };
        Ok((target, found))
    }

    /// The id of a directory by its real path.
    fn directory(&self, path: &RealPath) -> Result<ObjectId, GitError> {
        let mut id = self.tree.root;
        for part in path {
            id = self
                .tree
                .entry(id, part)?
                .filter(|entry| entry.mode == Mode::Tree)
                .map(|entry| entry.id)
                .ok_or_else(|| GitError::Bug(format!("{part} was a directory a moment ago")))?;
        }
        Ok(id)
    }
}

fn below(dir: &RealPath, name: &BString) -> RealPath {
    let mut path = dir.clone();
    path.push(name.clone());
    path
}

fn broken(dir: &RealPath, link: &RawEntry, target: impl AsRef<[u8]>, reason: &'static str) -> GitError {
    let path = below(dir, &link.name);
    GitError::BrokenLink {
        path: gix::bstr::join("/", path).to_str_lossy().into_owned(),
        target: target.as_ref().to_str_lossy().into_owned(),
        reason,
    }
}

/// A link in a path is named as the path has it, which is what the asker knows.
fn name_link(error: GitError, asked: &str) -> GitError {
    match error {
        GitError::BrokenLink { path, target, reason } if path.is_empty() => {
            GitError::BrokenLink { path: asked.into(), target, reason }
        }
        other => other,
    }
}
