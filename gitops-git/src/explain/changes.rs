//! What changed between two revisions, object by object.

use std::collections::BTreeMap;

use gitops_core::diff::schema::BuiltIn;
use gitops_core::diff::{DiffOptions, Difference, diff};
use gitops_core::{Manifest, Place, RepoPath, ResourceId};

use super::manifests::{read, size};
use super::node::{Node, Reader};
use crate::GitError;
use crate::snapshot::{Content, Root, differing};
use crate::stop::Stop;

/// The objects in which two revisions differ, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Changes {
    /// Objects that were added, removed or changed.
    pub objects: Vec<Change>,
    /// Files that differ and cannot be read in one of the revisions, in the order of their paths.
    pub unreadable: Vec<Unreadable>,
}

impl Changes {
    /// Whether nothing differs, as far as can be told.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.unreadable.is_empty()
    }
}

/// An object in which two revisions differ.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The object, as it is written: where no namespace is, none is here.
    pub id: ResourceId,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Where it was written.
    pub from: Option<Place>,
    /// Where it is written.
    pub to: Option<Place>,
    /// The fields that differ, by path: of an object that changed. The live side of each is the older revision, the
    /// desired side the newer. Values of Secrets are masked.
    pub differences: Vec<Difference>,
}

/// What happened to an object between two revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// Only the newer revision has it.
    Added,
    /// Only the older revision has it.
    Removed,
    /// Both have it, with different content.
    Changed,
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

/// A file that cannot be read in one of two revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The file.
    pub file: RepoPath,
    /// In which of the two.
    pub side: Side,
    /// What is wrong.
    pub problem: String,
    /// Objects that the other revision has in this file, and that were not found elsewhere: whether they changed cannot be
    /// told.
    pub objects: Vec<ResourceId>,
}

/// One of two revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The older one.
    From,
    /// The newer one.
    To,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::From => "from",
            Self::To => "to",
        })
    }
}

/// Bytes of all files that are read of two revisions: far above what clusters hold.
const MAX_TOTAL: u64 = 128 << 20;

/// The objects of the files that differ.
struct Objects {
    /// Bytes that may still be read.
    left: u64,
    read: BTreeMap<ResourceId, [Option<Manifest>; 2]>,
    unreadable: Vec<Unreadable>,
}

const SIDES: [Side; 2] = [Side::From, Side::To];

pub(super) fn changes(
    reader: &Reader,
    from: &Node,
    to: &Node,
    path: &RepoPath,
    stop: &Stop,
) -> Result<Changes, GitError> {
    let root = |node: &Node| Some(Root { commit: node.id, tree: node.tree });
    let files = differing(reader, root(from), root(to), path, stop)?.ok_or_else(|| {
        GitError::PathNotFound { path: path.to_string(), commit: to.id.to_hex_with_len(7).to_string() }
    })?;
    let mut objects = Objects { left: MAX_TOTAL, read: BTreeMap::new(), unreadable: Vec::new() };
    for file in files {
        stop.check()?;
        for (side, content) in SIDES.into_iter().zip([&file.old, &file.new]) {
            if let Some(content) = content {
                objects.add(reader, &file.path, side, content)?;
            }
        }
    }
    Ok(objects.compared())
}

impl Objects {
    fn add(
        &mut self,
        reader: &Reader,
        file: &RepoPath,
        side: Side,
        content: &Content,
    ) -> Result<(), GitError> {
        let unreadable = |problem| Unreadable { file: file.clone(), side, problem, objects: Vec::new() };
        let Some(left) = self.left.checked_sub(size(reader, content)?) else {
            let problem = format!("more than {MAX_TOTAL} bytes of manifests differ: ask for less of them");
            self.unreadable.push(unreadable(problem));
            return Ok(());
        };
        self.left = left;
        match read(reader, file, content)? {
            Err(problem) => self.unreadable.push(unreadable(problem)),
            Ok(manifests) => {
                for manifest in manifests.iter() {
                    let place = &mut self.read.entry(manifest.id.clone()).or_default()[side as usize];
                    match place {
                        None => *place = Some(manifest.clone()),
                        Some(first) => {
                            let at = (&manifest.place, &manifest.id, &first.place);
                            let problem = format!("{}: {} is already written at {}", at.0, at.1, at.2);
                            self.unreadable.push(unreadable(problem));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn compared(mut self) -> Changes {
        let mut objects = Vec::new();
        for (id, [from, to]) in self.read {
            let side = if from.is_none() { Side::From } else { Side::To };
            let there = from.as_ref().or(to.as_ref()).map(|manifest| &manifest.place.file);
            // What is missing may be in what cannot be read.
            let hidden =
                self.unreadable.iter_mut().find(|file| file.side == side && Some(&file.file) == there);
            match (hidden, &from, &to) {
                (Some(file), Some(_), None) | (Some(file), None, Some(_)) => file.objects.push(id),
                _ => objects.extend(change(id, from.as_ref(), to.as_ref())),
            }
        }
        Changes { objects, unreadable: self.unreadable }
    }
}

fn change(id: ResourceId, from: Option<&Manifest>, to: Option<&Manifest>) -> Option<Change> {
    let (kind, differences) = match (from, to) {
        (None, None) => return None,
        (None, Some(_)) => (ChangeKind::Added, Vec::new()),
        (Some(_), None) => (ChangeKind::Removed, Vec::new()),
        (Some(from), Some(to)) => {
            // Nothing is left out: neither side is a cluster's.
            let options = DiffOptions::default().with_ignore_status(false).with_aggregated_rules(true);
            let differences = diff(&from.object(), &to.object(), &BuiltIn, &options);
            if differences.is_empty() {
                return None;
            }
            (ChangeKind::Changed, differences)
        }
    };
    let place = |manifest: Option<&Manifest>| manifest.map(|manifest| manifest.place.clone());
    Some(Change { id, kind, from: place(from), to: place(to), differences })
}
