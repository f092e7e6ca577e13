//! How two trees differ, entry by entry, as Git has them: no link is followed.

use std::cmp::Ordering;

use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::error::damaged;
use crate::GitError;
use crate::stop::Stop;

/// Files that one commit changes; more are no edit.
const MAX_ENTRIES: usize = 500_000;

/// Directories are not nested deeper in anything that is meant well. Each level takes stack.
const MAX_DEPTH: usize = 256;

/// What a tree has at a path that is no directory.
pub(super) type Leaf = (gix::ObjectId, Mode);

/// A path at which two trees differ.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    pub(super) path: BString,
    pub(super) old: Option<Leaf>,
    pub(super) new: Option<Leaf>,
}

/// How two trees differ.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// By path.
    pub(super) files: Vec<Difference>,
    /// The directories of the new tree that the old one does not have at the same path.
    pub(super) new_trees: Vec<gix::ObjectId>,
}

/// Compares two trees; what is the same in both is not read.
pub(super) fn differences(
    repo: &gix::Repository,
    old: gix::ObjectId,
    new: gix::ObjectId,
    stop: &Stop,
) -> Result<Differences, WriteError> {
    let mut walk = Walk { repo, stop, found: Differences::default() };
    if old != new {
        walk.trees(&BString::default(), Some(old), Some(new), 0)?;
    }
    walk.found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.found)
}

struct Walk<'a> {
    repo: &'a gix::Repository,
    stop: &'a Stop,
    found: Differences,
}

struct Named {
    name: BString,
    id: gix::ObjectId,
    mode: Mode,
}

impl Walk<'_> {
    fn trees(
        &mut self,
        dir: &BString,
        old: Option<gix::ObjectId>,
        new: Option<gix::ObjectId>,
        depth: usize,
    ) -> Result<(), WriteError> {
        self.stop.check()?;
        let too_many =
            |dir: &BString, limit| GitError::TooManyFiles { dir: dir.to_str_lossy().into_owned(), limit };
        if depth > MAX_DEPTH {
            return Err(too_many(dir, MAX_DEPTH).into());
        }
        self.found.new_trees.extend(new);
        let (old, new) = (self.entries(old)?, self.entries(new)?);
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.name.cmp(&new.name),
            };
            let before = if order.is_le() { old.next() } else { None };
            let after = if order.is_ge() { new.next() } else { None };
            if let (Some(before), Some(after)) = (&before, &after)
                && (before.id, before.mode) == (after.id, after.mode)
            {
                continue;
            }
            let Some(name) = before.as_ref().or(after.as_ref()).map(|entry| &entry.name) else { continue };
            let mut path = dir.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            let tree = |entry: &Option<Named>| entry.as_ref().filter(|e| e.mode == Mode::Tree).map(|e| e.id);
            let leaf = |entry: &Option<Named>| {
                entry.as_ref().filter(|e| e.mode != Mode::Tree).map(|e| (e.id, e.mode))
            };
            if tree(&before).is_some() || tree(&after).is_some() {
                self.trees(&path, tree(&before), tree(&after), depth + 1)?;
            }
            let (old, new) = (leaf(&before), leaf(&after));
            if old.is_some() || new.is_some() {
                self.found.files.push(Difference { path, old, new });
            }
            if self.found.files.len() > MAX_ENTRIES {
                return Err(too_many(dir, MAX_ENTRIES).into());
            }
        }
    }

    /// Sorted by name alone: Git sorts a directory as if its name ended in `/`.
    fn entries(&self, tree: Option<gix::ObjectId>) -> Result<Vec<Named>, WriteError> {
        let Some(tree) = tree else { return Ok(Vec::new()) };
        let tree = self.repo.find_tree(tree).map_err(|error| damaged(&error))?;
        let entries = tree.iter().map(|entry| {
            let entry = entry.map_err(|error| damaged(&error))?;
            Ok(Named { name: entry.filename().to_owned(), id: entry.object_id(), mode: entry.mode().kind() })
        });
        let mut entries = entries.collect::<Result<Vec<_>, WriteError>>()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}
