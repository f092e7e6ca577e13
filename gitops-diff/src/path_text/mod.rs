//! The spellings of a path: the readable form, JSON Pointer, and the element strings of managedFields.

mod managed;
mod pointer;
mod readable;
#[cfg(test)]
mod tests;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::FieldPath;

/// A path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The readable form has a mistake.
    #[error("path {text:?}, byte {at}: expected {expected}")]
    Syntax {
        /// The whole text.
        text: String,
        /// The offset in bytes from its start.
        at: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// A JSON Pointer is neither empty nor begins with `/`, or has a `~` that is not `~0` or `~1` (RFC 6901).
    #[error("{0:?} is no JSON Pointer: it must be empty or begin with \"/\", and \"~\" is written \"~0\"")]
    Pointer(String),
    /// A JSON Pointer leads nowhere in the given tree.
    #[error("{0:?} leads nowhere in this object")]
    Nowhere(String),
    /// An element of a managedFields entry has none of the forms `f:NAME`, `k:{…}`, `v:…`, `i:N`.
    #[error("{0:?} is no element of a field set: expected f:NAME, k:{{…}}, v:JSON or i:NUMBER")]
    Element(String),
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
