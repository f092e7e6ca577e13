//! JSON Pointers.

use serde_json::Value;

use super::PathError;
use crate::{FieldPath, PathElement};

impl FieldPath {
    /// The JSON Pointer (RFC 6901) to the same place in `root`; `None` where there is nothing.
    pub fn to_json_pointer(&self, root: &Value) -> Option<String> {
        let mut pointer = String::new();
        let mut at = root;
        for element in self.elements() {
            pointer.push('/');
            match (element, at) {
                (PathElement::Field(name), _) => {
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                (PathElement::Index(index), _) => pointer.push_str(&index.to_string()),
                (_, Value::Array(items)) => pointer.push_str(&element.position(items)?.to_string()),
                _ => return None,
            }
            at = element.of(at)?;
        }
        Some(pointer)
    }

    /// Reads a JSON Pointer without a tree: parts that are numbers become positions, all others fields.
    ///
    /// A position finds the field of that name where the tree has a map, so the path still leads to the same place.
    pub fn from_json_pointer(pointer: &str) -> Result<Self, PathError> {
        pointer_parts(pointer)?
            .map(|part| {
                part.map(|part| index_of(&part).map_or_else(|| PathElement::field(part), PathElement::Index))
            })
            .collect()
    }

    /// Reads a JSON Pointer against a tree, so that each part is known to be a field or a position.
    pub fn from_json_pointer_in(pointer: &str, root: &Value) -> Result<Self, PathError> {
        let nowhere = || PathError::Nowhere(pointer.to_owned());
        let mut path = Self::root();
        let mut at = root;
        for part in pointer_parts(pointer)? {
            let part = part?;
            let element = match at {
                Value::Array(_) => PathElement::Index(index_of(&part).ok_or_else(nowhere)?),
                _ => PathElement::field(part),
            };
            at = element.of(at).ok_or_else(nowhere)?;
            path.push(element);
        }
        Ok(path)
    }
}

/// The decoded parts of a JSON Pointer.
fn pointer_parts(pointer: &str) -> Result<impl Iterator<Item = Result<String, PathError>>, PathError> {
    let bad = || PathError::Pointer(pointer.to_owned());
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(bad());
    }
    Ok(pointer.split('/').skip(1).map(move |part| {
        let valid = part.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if valid { Ok(part.replace("~1", "/").replace("~0", "~")) } else { Err(bad()) }
    }))
}

/// A position as RFC 6901 writes it: without leading zeros.
fn index_of(part: &str) -> Option<usize> {
    let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
    if plain { part.parse().ok() } else { None }
}
