//! Whether two trees differ at a set of paths, as `git diff` would tell.

use std::collections::HashMap;

use gitops_core::RepoPath;
use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryKind as Mode;

use super::node::{Node, Reader};
use super::simplify::Same;
use crate::GitError;
use crate::snapshot;
use crate::stop::Stop;

/// Trees of which it is remembered what is at the paths.
const MAX_REMEMBERED: usize = 1024;

/// Nobody nests directories deeper; each level takes stack.
const MAX_DEPTH: usize = 256;

/// What is at a path.
type Entry = (Mode, ObjectId);

/// Files and directories.
pub(super) struct Paths {
    paths: Vec<RepoPath>,
    known: HashMap<ObjectId, Vec<Option<Entry>>>,
}

impl Paths {
    pub(super) fn new(paths: Vec<RepoPath>) -> Self {
        Self { paths, known: HashMap::new() }
    }

    /// What is at each path of a tree.
    fn entries(&mut self, reader: &Reader, tree: ObjectId) -> Result<Vec<Option<Entry>>, GitError> {
        if let Some(known) = self.known.get(&tree) {
            return Ok(known.clone());
        }
        let entries: Result<Vec<_>, _> = self.paths.iter().map(|path| find(reader, tree, path)).collect();
        let entries = entries?;
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(tree, entries.clone());
        Ok(entries)
    }
}

impl Same for Paths {
    fn same(&mut self, reader: &Reader, parent: &Node, commit: &Node, stop: &Stop) -> Result<bool, GitError> {
        if parent.tree == commit.tree {
            return Ok(true);
        }
        let (old, new) = (self.entries(reader, parent.tree)?, self.entries(reader, commit.tree)?);
        for (old, new) in old.into_iter().zip(new) {
            if differ(reader, old, new, 0, stop)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn absent(&mut self, reader: &Reader, commit: &Node, stop: &Stop) -> Result<bool, GitError> {
        for entry in self.entries(reader, commit.tree)? {
            if differ(reader, None, entry, 0, stop)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Follows a path through directories only.
fn find(reader: &Reader, root: ObjectId, path: &RepoPath) -> Result<Option<Entry>, GitError> {
    let mut at = (Mode::Tree, root);
    for part in path.parts() {
        if at.0 != Mode::Tree {
            return Ok(None);
        }
        let Some(next) = snapshot::entry(reader, at.1, part.as_bytes())? else { return Ok(None) };
        at = (next.mode, next.id);
    }
    Ok(Some(at))
}

/// Whether two entries differ in some file. Directories by themselves do not count, so that an empty one is nothing.
fn differ(
    reader: &Reader,
    old: Option<Entry>,
    new: Option<Entry>,
    depth: usize,
    stop: &Stop,
) -> Result<bool, GitError> {
    if old == new {
        return Ok(false);
    }
    stop.check()?;
    if depth > MAX_DEPTH {
        return Err(GitError::Damaged { detail: format!("a tree has more than {MAX_DEPTH} levels") });
    }
    let is_file = |entry: Option<Entry>| entry.is_some_and(|(mode, _)| mode != Mode::Tree);
    if is_file(old) || is_file(new) {
        return Ok(true);
    }
    let mut olds = entries(reader, old)?;
    let mut pairs = Vec::new();
    for (name, entry) in entries(reader, new)? {
        let before = olds.remove(&name);
        if before != Some(entry) {
            pairs.push((before, Some(entry)));
        }
    }
    pairs.extend(olds.into_values().map(|entry| (Some(entry), None)));
    // A file tells at once.
    if pairs.iter().any(|(old, new)| is_file(*old) || is_file(*new)) {
        return Ok(true);
    }
    for (old, new) in pairs {
        if differ(reader, old, new, depth + 1, stop)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn entries(reader: &Reader, tree: Option<Entry>) -> Result<HashMap<BString, Entry>, GitError> {
    let Some((_, id)) = tree else { return Ok(HashMap::new()) };
    let entries = snapshot::entries(reader, id)?.into_iter();
    Ok(entries.map(|entry| (entry.name, (entry.mode, entry.id))).collect())
}
