//! JSON merge patch (RFC 7386), as the standard has it and as Kubernetes does it.
//!
//! - [`apply`] and [`create`] follow the standard.
//! - [`apply_as_kubernetes`], [`create_as_kubernetes`] and [`three_way`] do what the API server and `kubectl` do, with the
//!   ways of the library they use (`gopkg.in/evanphx/json-patch.v4`).
//!
//! Use it for custom kinds: lists are replaced as a whole, and no schema is needed. For built-in kinds
//! [`strategic`](crate::strategic) knows which lists are merged.
//!
//! ```
//! use gitops_diff::merge_patch;
//! use serde_json::json;
//!
//! let original = json!({"spec": {"size": 1, "colour": "red"}});
//! let modified = json!({"spec": {"size": 2}});
//! let patch = merge_patch::create(&original, &modified);
//! assert_eq!(patch, json!({"spec": {"size": 2, "colour": null}}));
//! assert_eq!(merge_patch::apply(&original, &patch), modified);
//! ```

mod kubernetes;
mod three_way;

use serde_json::{Map, Value};

pub(crate) use self::kubernetes::matches;
pub use self::kubernetes::{apply_as_kubernetes, create_as_kubernetes};
pub use self::three_way::three_way;
use crate::FieldPath;

/// A merge patch that is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergePatchError {
    /// The document is of a type that cannot be patched, or lists of documents have different lengths.
    #[error("the document must be a map, or a list of maps as long as the other list")]
    BadDocument,
    /// The patch is neither a map nor a list.
    #[error("the patch must be a map or a list")]
    BadPatch,
    /// One document is a list and the other is none.
    #[error("both documents must be maps, or both lists of maps")]
    Mismatched,
    /// The patch would change a field that was to stay as it is.
    #[error("the patch would change {0}, which must not change: delete the object and create it anew")]
    Precondition(FieldPath),
    /// What was removed and what was added cannot be put into one patch.
    #[error("{0}: what was removed here and what was added do not fit together")]
    Conflict(FieldPath),
}

impl MergePatchError {
    /// A word for the class of the error, as conformance vectors have it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::BadDocument | Self::BadPatch => "bad_json",
            Self::Mismatched => "other",
            Self::Precondition(_) => "precondition",
            Self::Conflict(_) => "conflict",
        }
    }
}

/// The document with the patch merged in, as RFC 7386 says: maps are merged key by key, a null takes a key away, and
/// everything else, lists included, replaces what was there.
pub fn apply(original: &Value, patch: &Value) -> Value {
    let mut result = original.clone();
    apply_to(&mut result, patch);
    result
}

/// As [`apply`], in place.
pub fn apply_to(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            apply_to(map.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// The patch that makes `modified` out of `original`; an empty map if both are equal maps.
///
/// Nulls in maps of `modified` cannot be expressed: the keys are absent afterwards. Values compare exactly, `1` is not
/// `1.0`.
pub fn create(original: &Value, modified: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (original, modified) else { return modified.clone() };
    let mut patch = Map::new();
    for (key, to) in to {
        match from.get(key) {
            Some(from) if from == to => {}
            Some(from @ Value::Object(_)) if to.is_object() => {
                let inner = create(from, to);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    patch.insert(key.clone(), inner);
                }
            }
            _ => {
                patch.insert(key.clone(), to.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests;
