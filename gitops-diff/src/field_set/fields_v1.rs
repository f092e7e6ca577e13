//! Sets as they are written in managedFields entries (`fieldsV1`).

use serde_json::{Map, Value};

use super::{FieldSet, Node};
use crate::redact::Masker;
use crate::{FieldPath, PathElement, PathError};

/// A field set that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldSetError {
    /// An element has a spelling that is none.
    #[error("field set, below {at}: {source}")]
    Element {
        /// The path of the map that holds the element.
        at: FieldPath,
        /// What is wrong with it.
        source: PathError,
    },
    /// Something else than a map of elements.
    #[error("field set, at {at}: expected a map of elements")]
    NotAMap {
        /// Where.
        at: FieldPath,
    },
}

impl FieldSetError {
    /// The same of an object's managedFields, without what must not be told of the object.
    pub(crate) fn masked(self, masker: &Masker<'_>) -> Self {
        if !masker.may_mask_names() {
            return self;
        }
        match self {
            // What cannot be read may be anything.
            Self::Element { at, .. } => {
                Self::Element { at: masker.way_to(at), source: PathError::Element("<redacted>".to_owned()) }
            }
            Self::NotAMap { at } => Self::NotAMap { at: masker.way_to(at) },
        }
    }

    /// The same, seen from one step further up.
    pub(crate) fn below(self, element: PathElement) -> Self {
        let prefix = |at: FieldPath| {
            let mut path = FieldPath::from(vec![element]);
            path.extend(at.into_elements());
            path
        };
        match self {
            Self::Element { at, source } => Self::Element { at: prefix(at), source },
            Self::NotAMap { at } => Self::NotAMap { at: prefix(at) },
        }
    }
}

/// The entries of a map of elements. `null` is an empty map, as for the API server.
pub(crate) fn entries(fields: &Value) -> Result<Option<&Map<String, Value>>, FieldSetError> {
    match fields {
        Value::Object(map) => Ok(Some(map)),
        Value::Null => Ok(None),
        _ => Err(FieldSetError::NotAMap { at: FieldPath::root() }),
    }
}

/// An element; `None` for a kind of element that a later version of the API server may know: it is left out.
pub(crate) fn element(text: &str) -> Result<Option<PathElement>, FieldSetError> {
    match PathElement::from_managed(text) {
        Ok(element) => Ok(Some(element)),
        Err(_) if is_of_unknown_kind(text) => Ok(None),
        Err(source) => Err(FieldSetError::Element { at: FieldPath::root(), source }),
    }
}

fn is_of_unknown_kind(text: &str) -> bool {
    matches!(text.as_bytes(), [kind, b':', ..] if !b"fkvi".contains(kind))
}

impl FieldSet {
    /// Reads the `fieldsV1` of a managedFields entry.
    ///
    /// As structured-merge-diff does (`fieldpath/serialize.go`, `FromJSON`): elements of unknown kinds are left out.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldSetError> {
        // The root itself is no field: a `.` there says nothing.
        Self::read(fields).map(|(_, children)| children)
    }

    fn read(fields: &Value) -> Result<(bool, Self), FieldSetError> {
        let mut nodes = Vec::new();
        let mut member = false;
        let map = entries(fields)?;
        nodes.reserve_exact(map.map_or(0, Map::len));
        for (text, below) in map.into_iter().flatten() {
            if text == "." {
                member = true;
                continue;
            }
            let Some(element) = element(text)? else { continue };
            match Self::read(below) {
                Ok((member, children)) => nodes.push(Node { element, member, children }),
                Err(error) => return Err(error.below(element)),
            }
        }
        // A leaf is written without its dot.
        Ok((member || nodes.is_empty(), Self::of_nodes(nodes)))
    }

    /// The `fieldsV1` of a managedFields entry.
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        self.write(false, &mut map);
        Value::Object(map)
    }

    /// Whether the set is written just so. May fail to see that it is where maps are not in order.
    pub(crate) fn is_written_as(&self, fields: &Value) -> bool {
        fields.as_object().is_some_and(|map| self.is_level_written_as(false, map))
    }

    fn is_level_written_as(&self, is_member: bool, map: &Map<String, Value>) -> bool {
        let has_dot = is_member && !self.is_empty();
        let is_leaf = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        if map.len() != self.nodes.len() + usize::from(has_dot)
            || (has_dot && !map.get(".").is_some_and(is_leaf))
        {
            return false;
        }
        let mut fields = map.iter().filter_map(|(text, child)| Some((text.strip_prefix("f:")?, child)));
        self.nodes.iter().all(|node| {
            let child = match &node.element {
                PathElement::Field(name) => {
                    fields.next().filter(|(text, _)| **name == **text).map(|(_, child)| child)
                }
                other => map.get(&other.to_managed()),
            };
            let Some(Value::Object(child)) = child else { return false };
            node.children.is_level_written_as(node.member, child)
        })
    }

    fn write(&self, is_member: bool, map: &mut Map<String, Value>) {
        if is_member && !self.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for node in &self.nodes {
            let mut below = Map::new();
            node.children.write(node.member, &mut below);
            map.insert(node.element.to_managed(), Value::Object(below));
        }
    }
}
