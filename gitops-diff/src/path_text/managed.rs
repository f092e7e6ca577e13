//! The element strings of managedFields.

use super::PathError;
use crate::{PathElement, go_json};

impl PathElement {
    /// The spelling in a managedFields entry: `f:NAME`, `k:{…}` with the key fields by name, `v:JSON`, `i:NUMBER`.
    ///
    /// To the letter that of structured-merge-diff (`fieldpath/serialize-pe.go`), escapes included.
    pub fn to_managed(&self) -> String {
        let mut text = String::new();
        self.write_managed(&mut text);
        text
    }

    /// Appends the spelling in a managedFields entry.
    pub(crate) fn write_managed(&self, text: &mut String) {
        match self {
            Self::Field(name) => {
                text.reserve(2 + name.len());
                text.push_str("f:");
                text.push_str(name);
            }
            Self::Key(key) => {
                text.push_str("k:{");
                for (at, (name, value)) in key.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    go_json::write_name(name, text);
                    text.push(':');
                    go_json::write(value, text);
                }
                text.push('}');
            }
            Self::Value(value) => {
                text.push_str("v:");
                go_json::write(value, text);
            }
            Self::Index(index) => {
                text.push_str("i:");
                text.push_str(&index.to_string());
            }
        }
    }

    /// Reads the spelling in a managedFields entry.
    pub fn from_managed(text: &str) -> Result<Self, PathError> {
        let bad = || PathError::Element(text.to_owned());
        match text.split_at_checked(2).ok_or_else(bad)? {
            ("f:", name) => Ok(Self::field(name)),
            ("k:", json) => go_json::read_key(json).map(Self::Key).ok_or_else(bad),
            ("v:", json) => go_json::read(json).map(Self::Value).ok_or_else(bad),
            ("i:", index) => Ok(Self::Index(index.parse().map_err(|_| bad())?)),
            _ => Err(bad()),
        }
    }
}
