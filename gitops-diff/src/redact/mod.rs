//! Masking of what must not be shown.
//!
//! [`marks`] finds the values, [`masker`] replaces them, [`names`] does so in what names list items, [`words`] in texts.

mod marks;
mod masker;
mod names;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::marks::Marked;
pub(crate) use self::masker::Masker;
use self::masker::copy;
use crate::FieldPath;
use crate::text::json_text;

/// The annotation in which kubectl keeps a copy of the whole object, values of Secrets included.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const MASK: &str = "<redacted>";

/// What to mask before anything is shown: by default the values of Secrets, and the copies of objects in kubectl's
/// last-applied annotation.
///
/// A masked value is the text `<redacted>`. Where two objects are masked [together](Self::redact_pair), or
/// [compared](crate::compare), the masks are stable: equal values have the same mask, plain or in base64, and different
/// ones different masks (`<redacted 2>`), so that a change is still seen, and nothing of the value or its length is.
///
/// ```
/// use gitops_diff::Redaction;
/// use serde_json::json;
///
/// let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
/// assert_eq!(Redaction::default().redact(&secret).as_value()["data"]["password"], "<redacted>");
/// ```
///
/// Its `Debug` does not show the paths, which may name a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Redaction {
    secrets: bool,
    paths: Vec<FieldPath>,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("secrets", &self.secrets).field("paths", &self.paths.len()).finish()
    }
}

/// A tree in which what must not be shown is masked.
///
/// Everything of this crate that prints takes or makes these, and only a [`Redaction`] makes them: to print a tree as it
/// is, one has to say [`Redaction::reveal_everything`]. Reading one back gives what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(Value);

impl Redacted {
    /// The tree.
    pub const fn as_value(&self) -> &Value {
        &self.0
    }

    /// The tree.
    pub fn into_value(self) -> Value {
        self.0
    }

    /// A position in a list, which tells nothing of a value.
    pub(crate) fn position(at: usize) -> Self {
        Self(at.into())
    }

    /// The tree without these fields.
    #[cfg(feature = "text")]
    pub(crate) fn without(mut self, fields: &[FieldPath]) -> Self {
        for field in fields {
            field.remove(&mut self.0);
        }
        self
    }
}

/// Compact JSON on one line, in which nothing can steer a terminal.
impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json_text(&self.0))
    }
}

impl Default for Redaction {
    fn default() -> Self {
        Self { secrets: true, paths: Vec::new() }
    }
}

impl Redaction {
    /// Masks nothing: for people who asked to see the values of Secrets.
    pub const fn reveal_everything() -> Self {
        Self { secrets: false, paths: Vec::new() }
    }

    /// Also masks what is at this path, as a whole, in objects of every kind.
    ///
    /// kubectl's last-applied annotation is masked too where the object, another version of it, or the copy in the annotation
    /// has something at the path; so is what names the value in managedFields, in paths and in errors, as an item of a set or
    /// a key of a list has it in its name.
    #[must_use]
    pub fn with_path(mut self, path: FieldPath) -> Self {
        self.paths.push(path);
        self
    }

    /// The object with masks.
    ///
    /// Works on malformed Secrets too: `data` that is no map, and values that are no text, are masked. Secrets are found
    /// wherever they are in the tree, such as in a `List`. Annotations of a Secret that are JSON texts, or
    /// compressed, are masked: they may be copies of it.
    #[must_use]
    pub fn redact(&self, object: &Value) -> Redacted {
        Redacted(copy(object, &Marked::new(self, &[object]), &mut |_, _| MASK.to_owned()))
    }

    /// Two versions of an object with masks that tell whether a value is another one.
    #[must_use]
    pub fn redact_pair(&self, from: &Value, to: &Value) -> (Redacted, Redacted) {
        let mut masker = Masker::new(self, &[from, to]);
        (masker.redact(from), masker.redact(to))
    }

    /// A text from outside, such as an error of the API server that echoes an invalid Secret, without the values that
    /// [`redact`](Self::redact) masks in the object it is about: neither as written, nor in base64, nor decoded.
    #[must_use]
    pub fn scrub(&self, text: &str, object: &Value) -> String {
        words::scrub(text, Marked::new(self, &[object]).values())
    }
}

#[cfg(test)]
mod tests;
