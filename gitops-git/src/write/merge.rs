//! A three-way merge of trees, as Git's `ort` makes it: by file, with renames followed on both sides.
//!
//! Two things are left to people that Git would do, or ask about: a directory that was renamed takes no files with it, and
//! different files that would be at one path are a conflict.

use std::collections::{BTreeMap, BTreeSet};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::diff::blob::InternedInput;
use gix::diff::tree_with_rewrites::Change;
use gix::merge::blob::Resolution;
use gix::merge::blob::builtin_driver::text;
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::differing::Leaf;
use super::error::damaged;
use crate::stop::Stop;

/// Files that are larger are not merged line by line.
const MAX_MERGED_BYTES: u64 = 16 * 1024 * 1024;

/// `ours` with the changes from `base` to `theirs`; or the files in which that conflicts, by where they would be, or by
/// their path in `ours` where that is not certain.
pub(super) fn merge(
    repo: &gix::Repository,
    base: gix::ObjectId,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
    stop: &Stop,
) -> Result<Result<gix::ObjectId, BTreeSet<BString>>, WriteError> {
    let (our, their) = (Side::new(repo, base, ours)?, Side::new(repo, base, theirs)?);
    let mut plan = Plan::default();
    for (path, there) in &their.changed {
        stop.check()?;
        let here = our.changed.get(path);
        plan.take(repo, path, there, here)?;
    }
    for (path, leaf) in &their.added {
        match our.added.get(path) {
            Some(same) if same == leaf => {}
            Some(_) => _ = plan.conflicts.insert(path.clone()),
            None => plan.put(path.clone(), *leaf),
        }
    }
    plan.carry_out(repo, ours)
}

/// What one side made of the base.
#[derive(Default)]
struct Side {
    /// By the path in the base.
    changed: BTreeMap<BString, Changed>,
    added: BTreeMap<BString, Leaf>,
}

struct Changed {
    before: Leaf,
    /// Where it is now, and what.
    now: Option<(BString, Leaf)>,
}

impl Side {
    fn new(repo: &gix::Repository, base: gix::ObjectId, tree: gix::ObjectId) -> Result<Self, WriteError> {
        let find = |id| repo.find_tree(id).map_err(|error| damaged(&error));
        let (base, tree) = (find(base)?, find(tree)?);
        let mut options = gix::diff::Options::default();
        options.track_path().track_rewrites(Some(gix::diff::Rewrites::default()));
        let changes = repo.diff_tree_to_tree(&base, &tree, options).map_err(|error| damaged(&error))?;
        let mut side = Self::default();
        for change in changes {
            side.note(change);
        }
        Ok(side)
    }

    fn note(&mut self, change: Change) {
        let leaf =
            |id, mode: gix::objs::tree::EntryMode| (mode.kind() != Mode::Tree).then_some((id, mode.kind()));
        let (path, before, now) = match change {
            Change::Deletion { location, entry_mode, id, .. } => (location, leaf(id, entry_mode), None),
            Change::Modification { location, previous_entry_mode, previous_id, entry_mode, id } => (
                location.clone(),
                leaf(previous_id, previous_entry_mode),
                Some((location, leaf(id, entry_mode))),
            ),
            Change::Addition { location, entry_mode, id, .. }
            | Change::Rewrite { location, entry_mode, id, copy: true, .. } => {
                (location.clone(), None, Some((location, leaf(id, entry_mode))))
            }
            Change::Rewrite {
                source_location,
                source_entry_mode,
                source_id,
                location,
                entry_mode,
                id,
                ..
            } => {
                (source_location, leaf(source_id, source_entry_mode), Some((location, leaf(id, entry_mode))))
            }
        };
        // Directories are what their files make of them.
        let now = now.and_then(|(path, leaf)| Some((path, leaf?)));
        match (before, now) {
            (Some(before), now) => drop(self.changed.insert(path, Changed { before, now })),
            (None, Some((path, leaf))) => drop(self.added.insert(path, leaf)),
            (None, None) => {}
        }
    }
}

/// What to do with our tree.
#[derive(Default)]
struct Plan {
    removed: BTreeSet<BString>,
    put: BTreeMap<BString, Leaf>,
    conflicts: BTreeSet<BString>,
}

impl Plan {
    /// Takes their change of a file of the base.
    fn take(
        &mut self,
        repo: &gix::Repository,
        path: &BString,
        there: &Changed,
        here: Option<&Changed>,
    ) -> Result<(), WriteError> {
        let unchanged = Changed { before: there.before, now: Some((path.clone(), there.before)) };
        let here = here.unwrap_or(&unchanged);
        match (&here.now, &there.now) {
            (None, None) => {}
            (Some((at, leaf)), None) if at == path && *leaf == there.before => {
                self.removed.insert(at.clone());
            }
            (Some((our_path, ours)), Some((their_path, theirs))) => {
                let place = merged_place(path, our_path, their_path);
                match (place, merged_leaf(repo, there.before, *ours, *theirs)?) {
                    (Some(place), Some(leaf)) => {
                        self.removed.insert(our_path.clone());
                        self.put(place.clone(), leaf);
                    }
                    (place, _) => _ = self.conflicts.insert(place.unwrap_or(our_path).clone()),
                }
            }
            // One side has deleted what the other has changed.
            (None, Some((at, _))) | (Some((at, _)), None) => _ = self.conflicts.insert(at.clone()),
        }
        Ok(())
    }

    fn put(&mut self, path: BString, leaf: Leaf) {
        if self.put.insert(path.clone(), leaf).is_some_and(|other| other != leaf) {
            self.conflicts.insert(path);
        }
    }

    fn carry_out(
        mut self,
        repo: &gix::Repository,
        ours: gix::ObjectId,
    ) -> Result<Result<gix::ObjectId, BTreeSet<BString>>, WriteError> {
        let mut editor = repo.edit_tree(ours).map_err(|error| damaged(&error))?;
        for path in &self.removed {
            editor.remove(path.as_bstr()).map_err(|error| damaged(&error))?;
        }
        let cleared = editor.write().map_err(|error| damaged(&error))?.detach();
        for (path, leaf) in &self.put {
            if !takes(repo, cleared, path.as_bstr(), *leaf)? {
                self.conflicts.insert(path.clone());
                continue;
            }
            editor.upsert(path.as_bstr(), leaf.1, leaf.0).map_err(|error| damaged(&error))?;
        }
        // Of what is put, a file may be where another has a directory.
        let is_above = |path: &BString| {
            let mut below = path.clone();
            below.push(b'/');
            self.put.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below))
        };
        let clashing: Vec<_> = self.put.keys().filter(|path| is_above(path)).cloned().collect();
        self.conflicts.extend(clashing);
        if !self.conflicts.is_empty() {
            return Ok(Err(self.conflicts));
        }
        Ok(Ok(editor.write().map_err(|error| damaged(&error))?.detach()))
    }
}

/// Where a file is that each side may have renamed.
fn merged_place<'a>(base: &BString, ours: &'a BString, theirs: &'a BString) -> Option<&'a BString> {
    if ours == theirs || theirs == base {
        Some(ours)
    } else if ours == base {
        Some(theirs)
    } else {
        None
    }
}

fn merged_leaf(
    repo: &gix::Repository,
    base: Leaf,
    ours: Leaf,
    theirs: Leaf,
) -> Result<Option<Leaf>, WriteError> {
    if ours == theirs || theirs == base {
        return Ok(Some(ours));
    }
    if ours == base {
        return Ok(Some(theirs));
    }
    let is_file = |leaf: Leaf| matches!(leaf.1, Mode::Blob | Mode::BlobExecutable);
    if ![base, ours, theirs].into_iter().all(is_file) {
        return Ok(None);
    }
    // Of two values, one that differs from the base is what counts.
    let mode = if ours.1 == base.1 { theirs.1 } else { ours.1 };
    let content = merged_content(repo, base.0, ours.0, theirs.0)?;
    Ok(content.map(|id| (id, mode)))
}

fn merged_content(
    repo: &gix::Repository,
    base: gix::ObjectId,
    ours: gix::ObjectId,
    theirs: gix::ObjectId,
) -> Result<Option<gix::ObjectId>, WriteError> {
    if ours == theirs || theirs == base {
        return Ok(Some(ours));
    }
    if ours == base {
        return Ok(Some(theirs));
    }
    let mut contents = Vec::new();
    for id in [base, ours, theirs] {
        if repo.find_header(id).map_err(|error| damaged(&error))?.size() > MAX_MERGED_BYTES {
            return Ok(None);
        }
        let content = repo.find_blob(id).map_err(|error| damaged(&error))?.take_data();
        if super::diff::is_binary(&content) {
            return Ok(None);
        }
        contents.push(content);
    }
    let [base, ours, theirs] = &*contents else { return Ok(None) };
    let mut merged = Vec::new();
    let mut input = InternedInput::default();
    let labels = text::Labels { ancestor: None, current: None, other: None };
    let options = text::Options::default();
    match gix::merge::blob::builtin_driver::text(&mut merged, &mut input, labels, ours, base, theirs, options)
    {
        Resolution::Complete => {
            repo.write_blob(&merged).map(|id| Some(id.detach())).map_err(|error| damaged(&error))
        }
        _ => Ok(None),
    }
}

/// Whether a file can be put at a path of a tree, or is there.
fn takes(repo: &gix::Repository, tree: gix::ObjectId, path: &BStr, leaf: Leaf) -> Result<bool, WriteError> {
    let mut at = tree;
    let mut parts = path.split_str("/");
    while let Some(part) = parts.next() {
        let tree = repo.find_tree(at).map_err(|error| damaged(&error))?;
        match tree.find_entry(part) {
            None => return Ok(true),
            Some(entry) if entry.mode().is_tree() => at = entry.object_id(),
            Some(entry) => {
                let there = (entry.object_id(), entry.mode().kind());
                return Ok(parts.next().is_none() && there == leaf);
            }
        }
    }
    Ok(false)
}
