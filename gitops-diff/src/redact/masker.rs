//! Masks that are the same for the same value.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::marks::Marked;
use super::{MASK, Redacted, Redaction};
use crate::difference::Shown;
use crate::path_index::PathIndex;
use crate::{FieldPath, PathElement, base64, canonical};

/// Masks the values of trees that are read together: versions of one object.
#[derive(Debug)]
pub(crate) struct Masker<'v> {
    versions: Vec<&'v Value>,
    marked: Marked<'v>,
    /// The masks that were given out, by value.
    given: HashMap<Vec<u8>, usize>,
}

impl<'v> Masker<'v> {
    pub(crate) fn new(redaction: &Redaction, versions: &[&'v Value]) -> Self {
        Self { versions: versions.to_vec(), marked: Marked::new(redaction, versions), given: HashMap::new() }
    }

    /// Whether a node of one of the trees is masked as a whole.
    pub(crate) fn masks(&self, node: &Value) -> bool {
        self.marked.contains(node)
    }

    /// Whether what is inside a node must not be named: it is masked, or has names that tell something masked.
    pub(crate) fn hides_names_in(&self, node: &Value) -> bool {
        self.masks(node) || self.marked.owner_of(node).is_some()
    }

    /// Whether there is nothing to mask in the trees.
    pub(crate) fn is_idle(&self) -> bool {
        self.marked.is_empty()
    }

    /// Whether there is nothing to mask, not even in what names fields that the trees do not have.
    pub(crate) fn shows_all(&self) -> bool {
        self.is_idle() && !self.may_mask_names()
    }

    /// Whether names of fields and items of the trees may be masked.
    pub(crate) fn may_mask_names(&self) -> bool {
        self.marked.secret || !self.marked.paths.is_empty()
    }

    /// A node of one of the trees, with masks at and below it.
    pub(crate) fn redact(&mut self, node: &Value) -> Redacted {
        let given = &mut self.given;
        Redacted(copy(node, &self.marked, &mut |value, encoded| {
            let next = given.len() + 1;
            match *given.entry(identity(value, encoded)).or_insert(next) {
                1 => MASK.to_owned(),
                number => format!("<redacted {number}>"),
            }
        }))
    }

    /// What may be shown of the value at a path.
    pub(crate) fn shown_at(&mut self, version: &mut PathIndex<'_>, path: &FieldPath) -> Shown {
        let way = version.way(path);
        if way.iter().take(path.len()).any(|node| self.hides_names_in(node)) {
            return Shown::Redacted;
        }
        self.shown(way.get(path.len()).copied())
    }

    /// The way to a field of the versions, as it may be told: what is inside something masked is not, and an item that
    /// is masked, or has a masked key field, is named by its mask.
    ///
    /// All masks in paths are one, so that a path is the same whoever masks it.
    pub(crate) fn way_to(&self, path: FieldPath) -> FieldPath {
        if self.shows_all() {
            return path;
        }
        let secret = self.marked.secret;
        let mut found = self.versions.clone();
        let mut told = Vec::with_capacity(path.len());
        for (depth, element) in path.elements().iter().enumerate() {
            let (way, next) = path.elements().split_at(depth);
            let is_hidden = found.iter().any(|node| self.hides_names_in(node))
                || depth > 0 && self.marked.hides(way, &found, secret);
            if is_hidden {
                break;
            }
            found = found.into_iter().filter_map(|node| element.of(node)).collect();
            let way: Vec<_> = way.iter().chain(next.first()).cloned().collect();
            let masked = self.marked.masked(&way, &found, secret, &mut |_| MASK.to_owned());
            told.push(masked.unwrap_or_else(|| element.clone()));
        }
        FieldPath::from(told)
    }

    /// An item of the list at a path, as it may be named.
    pub(crate) fn item_of(&self, list: &FieldPath, item: PathElement) -> PathElement {
        let mut told = self.way_to(list.child(item));
        let masked = || PathElement::Value(MASK.into());
        if told.len() > list.len() { told.pop().unwrap_or_else(masked) } else { masked() }
    }

    /// What may be shown of a node that is in nothing masked.
    pub(crate) fn shown(&mut self, node: Option<&Value>) -> Shown {
        match node {
            None => Shown::Absent,
            Some(node) if !node.is_null() && self.masks(node) => Shown::Redacted,
            Some(node) => Shown::Value(self.redact(node)),
        }
    }
}

/// What makes two masked values one: their bytes, where they are texts.
fn identity(value: &Value, encoded: bool) -> Vec<u8> {
    match value {
        Value::String(text) if encoded => base64::decode(text).unwrap_or_else(|| text.clone().into_bytes()),
        Value::String(text) => text.clone().into_bytes(),
        other => format!("\0{}", canonical_text(other)).into_bytes(),
    }
}

/// JSON that does not depend on the order of maps.
pub(super) fn canonical_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = canonical::sorted(map);
            let texts: Vec<_> = entries
                .into_iter()
                .map(|(key, child)| format!("{}:{}", Value::from(key.as_str()), canonical_text(child)))
                .collect();
            format!("{{{}}}", texts.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical_text).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// A node of a tree, with masks at and below it; `mask` is told whether a value is in base64.
pub(super) fn copy(
    value: &Value,
    marked: &Marked<'_>,
    mask: &mut impl FnMut(&Value, bool) -> String,
) -> Value {
    // A null is no value: it says that there is none.
    if !value.is_null() && marked.contains(value) {
        return Value::String(mask(value, marked.is_encoded(value)));
    }
    if let Some(object) = marked.owner_of(value) {
        return marked.fields(value, object, &mut |value| mask(value, false));
    }
    match value {
        Value::Object(map) => {
            let mut copied = Map::new();
            // In one order, so that the numbers of masks do not depend on how a map is kept.
            for (key, child) in canonical::sorted(map) {
                copied.insert(key.clone(), copy(child, marked, mask));
            }
            Value::Object(copied)
        }
        Value::Array(items) => items.iter().map(|item| copy(item, marked, mask)).collect(),
        scalar => scalar.clone(),
    }
}
