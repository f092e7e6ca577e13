//! JSON Pointers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FieldPath, PathError};

/// A JSON Pointer (RFC 6901) that leads to a field: `/spec/template/spec/containers/0/image`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPointer {
    text: String,
    path: FieldPath,
}

impl JsonPointer {
    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pointer as a path. Parts that are numbers are positions.
    pub(super) fn to_path(&self) -> &FieldPath {
        &self.path
    }

    pub(super) fn get<'v>(&self, tree: &'v Value) -> Option<&'v Value> {
        tree.pointer(&self.text)
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        let path = FieldPath::from_json_pointer(&text)?;
        // The empty pointer leads to the whole object, which is no field of it.
        if path.is_root() { Err(PathError::Pointer(text)) } else { Ok(Self { text, path }) }
    }
}

impl FromStr for JsonPointer {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        text.to_owned().try_into()
    }
}

impl From<JsonPointer> for String {
    fn from(pointer: JsonPointer) -> Self {
        pointer.text
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
