//! Carrying an edit out: all patches in one pass, and then the proof that nothing else changed.

use std::collections::HashMap;
use std::fmt;

use gitops_core::{Place, ResourceId};
use serde_json::Value;

use crate::change::{Change, Masks, steps_beside};
use crate::data::{self, Intent, Intents};
use crate::entry;
use crate::steps::{Paths, Step, way};
use crate::tree::Id;
use crate::write::{self, Patch};
use crate::{EditError, YamlFile, locate, resolve};

/// A file after an edit.
///
/// Its `Debug` does not show the content.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// The new content: the old one, byte by byte, where nothing was to be changed.
    pub bytes: Vec<u8>,
    /// The values that changed, in the order of the file. Empty if all were as they should be.
    pub changes: Vec<Change>,
    /// How many places the edit is about: the markers of its policies, or 1. Those that had their value already count.
    pub places: usize,
}

impl Edited {
    /// Whether everything was as it should be, so that the bytes are the same.
    pub fn is_unchanged(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Debug for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edited")
            .field("bytes", &self.bytes.len())
            .field("changes", &self.changes)
            .field("places", &self.places)
            .finish()
    }
}

/// One thing to do.
pub(crate) enum Op {
    /// Another value in the place of a scalar or an alias; how it is spelled, if that is given.
    Set { at: Id, value: Value, spelling: Option<String> },
    /// A key behind the entry of this value.
    Insert { behind: Id, key: &'static str, value: Value },
    /// A mapping as another item of a list, behind its last one.
    Append { behind: Id, value: Value },
    /// The entry of this value goes.
    Remove { at: Id },
}

impl YamlFile<'_> {
    /// Does it all, or nothing.
    pub(crate) fn carry_out(&self, ops: Vec<Op>) -> Result<Edited, EditError> {
        let places = ops.len();
        let (tree, source) = (&self.tree, self.text);
        let data_index = self.data_indexes();
        let objects = if ops.is_empty() { HashMap::new() } else { self.object_roots() };
        if places > self.limits.max_places {
            return Err(self.too_much("values to change", self.limits.max_places));
        }
        let mut paths = Paths::default();
        let mut masks = Masks::new(tree, source);
        let (mut patches, mut intents, mut changes) = (Vec::new(), Intents::default(), Vec::new());
        let mut shared = None;
        for op in ops {
            let (at, key) = match &op {
                Op::Set { at, .. } | Op::Remove { at } => (*at, None),
                Op::Insert { behind, key, .. } => (*behind, Some(*key)),
                Op::Append { behind, .. } => (*behind, None),
            };
            let place = self.place(at);
            let mut steps = steps_beside(tree, at, key);
            let is_added = matches!(op, Op::Insert { .. } | Op::Append { .. });
            let document = tree.document_of(at);
            let way_to = |steps: &[_]| way(data_index.get(document).copied().unwrap_or_default(), steps);
            let old = if is_added { None } else { resolve::value(tree, source, at) };
            let new = match op {
                Op::Set { at, value, spelling } => {
                    if old.as_ref() == Some(&value) {
                        continue;
                    }
                    if !resolve::fits_tag(tree, source, at, &value) {
                        let problem =
                            "the tag in front of this value would make another one of it: remove the tag";
                        return Err(EditError::Unwritable { place, problem });
                    }
                    let no_place = EditError::Unwritable {
                        place: place.clone(),
                        problem: "there is no place for a value here: write one, to be changed from then on",
                    };
                    patches.extend(
                        write::replace(tree, source, at, self.context(at), &value, spelling.as_deref())
                            .ok_or(no_place)?,
                    );
                    intents.add(way_to(&steps), Intent::Set(value.clone()));
                    Some(value)
                }
                Op::Insert { behind, key, value } => {
                    patches.push(entry::insertion(self, behind, key, &value)?);
                    let way = way_to(&steps_beside(tree, behind, None));
                    intents.add(way, Intent::Follow(vec![(key.to_owned(), value.clone())]));
                    Some(value)
                }
                Op::Append { behind, value } => {
                    patches.push(entry::item(self, behind, &value)?);
                    let last = steps.pop();
                    intents.add(way_to(&steps), Intent::Append(value.clone()));
                    let next = if let Some(Step::Index(last)) = last { last + 1 } else { 0 };
                    steps.push(Step::Index(next));
                    Some(value)
                }
                Op::Remove { at } => {
                    patches.push(entry::removal(self, at)?);
                    intents.add(way_to(&steps), Intent::Remove);
                    None
                }
            };
            let path = paths.path(&steps);
            if shared.is_none() && tree.is_aliased(at) {
                shared = Some(EditError::Shared { place: place.clone(), path: path.to_string() });
            }
            let (old, new) = masks.show(at, key, old.as_ref(), new.as_ref());
            changes.push(Change { place, object: self.object_around(at, &objects), path, old, new });
        }
        changes.sort_by_key(|change| (change.place.line, change.place.column));
        let Some(first) = changes.first() else {
            return Ok(Edited { bytes: source.as_bytes().to_vec(), changes, places });
        };
        let unintended =
            || shared.clone().unwrap_or_else(|| EditError::Unintended { place: first.place.clone() });
        let edited = splice(source, patches).ok_or_else(unintended)?;
        if edited.len() > self.limits.max_bytes {
            return Err(self.too_much("bytes", self.limits.max_bytes));
        }
        let before = data::read(source, &self.limits).map_err(|problem| self.problem(problem))?;
        let expected = intents.apply(before);
        let after = data::read(&edited, &self.limits).map_err(|_| unintended())?;
        if after != expected {
            return Err(unintended());
        }
        Ok(Edited { bytes: edited.into_bytes(), changes, places })
    }

    /// Of each document, how many before it say something: the others are not among the data.
    fn data_indexes(&self) -> Vec<usize> {
        let mut count = 0;
        let says = |root| resolve::value(&self.tree, self.text, root) != Some(Value::Null);
        let documents = self.tree.documents.iter();
        let index = |root| {
            let before = count;
            count += usize::from(says(root));
            before
        };
        documents.map(|document| document.root).map(index).collect()
    }

    fn object_roots(&self) -> HashMap<Id, ResourceId> {
        let objects = locate::objects(&self.tree, self.text, &self.file);
        objects.into_iter().map(|(root, id, _)| (root.id, id)).collect()
    }

    fn object_around(&self, id: Id, objects: &HashMap<Id, ResourceId>) -> Option<ResourceId> {
        std::iter::successors(Some(id), |id| self.tree.parent(*id)).find_map(|id| objects.get(&id).cloned())
    }

    /// Where a value is, for people.
    pub(crate) fn place(&self, id: Id) -> Place {
        let node = self.tree.node(id);
        let document =
            self.tree.documents.get(self.tree.document_of(id)).map_or(0, |document| document.number);
        Place { file: self.file.clone(), line: node.line, column: node.column, document }
    }
}

/// The text with its patches; none if two of them are about the same bytes.
fn splice(source: &str, mut patches: Vec<Patch>) -> Option<String> {
    patches.sort_by_key(|patch| (patch.range.start, patch.range.end));
    let grown: usize = patches.iter().map(|patch| patch.text.len()).sum();
    let mut edited = String::with_capacity(source.len() + grown);
    let mut at = 0;
    for patch in patches {
        // Out of order: they overlap.
        edited.push_str(source.get(at..patch.range.start)?);
        edited.push_str(&patch.text);
        at = patch.range.end;
    }
    edited.push_str(source.get(at..)?);
    Some(edited)
}
