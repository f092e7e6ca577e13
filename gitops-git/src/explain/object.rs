//! Whether two commits have the same object, or the same value in one of its fields.

use std::collections::VecDeque;

use gitops_core::diff::FieldPath;
use gitops_core::{Manifest, RepoPath, ResourceId};
use gix::ObjectId;

use super::manifests::read;
use super::node::{Node, Reader};
use super::simplify::Same;
use crate::GitError;
use crate::snapshot::{Content, Root, differing};
use crate::stop::Stop;

/// Files of which it is remembered whether they have the object: a commit's file is its child's old one.
const MAX_REMEMBERED: usize = 8;

/// An object, wherever it is written below a directory.
pub(super) struct Object {
    path: RepoPath,
    id: ResourceId,
    field: FieldPath,
    known: VecDeque<(ObjectId, RepoPath, Found)>,
}

/// What some files have of the object.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Absent,
    Here(Box<Manifest>),
    /// It was not found, and not everything could be read.
    Unknown,
}

impl Object {
    pub(super) fn new(path: RepoPath, id: ResourceId, field: FieldPath) -> Self {
        Self { path, id, field, known: VecDeque::new() }
    }

    /// What two trees have of the object in the files in which they differ.
    pub(super) fn pair(
        &mut self,
        reader: &Reader,
        old: Option<&Node>,
        new: &Node,
        stop: &Stop,
    ) -> Result<[Found; 2], GitError> {
        let root = |node: &Node| Root { commit: node.id, tree: node.tree };
        let files = differing(reader, old.map(root), Some(root(new)), &self.path, stop)?;
        let mut pair = [Found::Absent, Found::Absent];
        for file in files.unwrap_or_default() {
            stop.check()?;
            for (found, content) in pair.iter_mut().zip([&file.old, &file.new]) {
                if let (Some(content), Found::Absent | Found::Unknown) = (content, &*found) {
                    match self.look(reader, &file.path, content)? {
                        Found::Absent => {}
                        more => *found = more,
                    }
                }
            }
        }
        Ok(pair)
    }

    fn look(&mut self, reader: &Reader, path: &RepoPath, content: &Content) -> Result<Found, GitError> {
        let Content::File(id) = content else { return Ok(Found::Unknown) };
        if let Some((.., found)) = self.known.iter().find(|known| known.0 == *id && known.1 == *path) {
            return Ok(found.clone());
        }
        let found = match read(reader, path, content)? {
            Err(_) => Found::Unknown,
            Ok(manifests) => manifests
                .iter()
                .find(|manifest| manifest.id == self.id)
                .map_or(Found::Absent, |manifest| Found::Here(Box::new(manifest.clone()))),
        };
        if self.known.len() >= MAX_REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back((*id, path.clone(), found.clone()));
        Ok(found)
    }

    fn is_equal(&self, old: &Found, new: &Found) -> bool {
        let value = |found: &Found| match found {
            Found::Here(manifest) => self.field.get(&manifest.object()).cloned(),
            Found::Absent | Found::Unknown => None,
        };
        value(old) == value(new)
    }
}

impl Same for Object {
    fn same(&mut self, reader: &Reader, parent: &Node, commit: &Node, stop: &Stop) -> Result<bool, GitError> {
        let mut parent = parent.clone();
        loop {
            if parent.tree == commit.tree {
                return Ok(true);
            }
            let [old, new] = self.pair(reader, Some(&parent), commit, stop)?;
            match (&old, &new) {
                // It says nothing of the object: what was before counts on.
                (_, Found::Unknown) => return Ok(true),
                (Found::Unknown, _) => match reader.parents(&mut parent, 1)?.into_iter().next() {
                    Some(before) => parent = before,
                    None => return Ok(self.is_equal(&old, &new)),
                },
                _ => return Ok(self.is_equal(&old, &new)),
            }
        }
    }

    fn absent(&mut self, reader: &Reader, commit: &Node, stop: &Stop) -> Result<bool, GitError> {
        let [_, new] = self.pair(reader, None, commit, stop)?;
        Ok(self.is_equal(&Found::Absent, &new))
    }
}
