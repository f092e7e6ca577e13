//! JSON Patch (RFC 6902): made from keyed lists, applied with errors that name the operation.

mod apply;
mod create;
mod moving;
#[cfg(test)]
mod tests;

use std::fmt;

use json_patch::{Patch, PatchOperation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::apply::{Limits, carry_out};
use self::create::operations;

/// A JSON Patch.
///
/// It serialises as RFC 6902 says, with the values it carries; its `Debug` and `Display` show operations and paths only,
/// because the values may be those of a Secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonPatch(Patch);

impl JsonPatch {
    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the patch does nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The operations, as the `json-patch` crate has them.
    pub fn operations(&self) -> &[PatchOperation] {
        &self.0
    }
}

impl From<Patch> for JsonPatch {
    fn from(patch: Patch) -> Self {
        Self(patch)
    }
}

impl From<JsonPatch> for Patch {
    fn from(patch: JsonPatch) -> Self {
        patch.0
    }
}

impl fmt::Debug for JsonPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|op| format!("{} {}", name(op), op.path()))).finish()
    }
}

/// One operation a line, without values.
impl fmt::Display for JsonPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| writeln!(f, "{} {:?}", name(op), op.path().as_str()))
    }
}

fn name(operation: &PatchOperation) -> &'static str {
    match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    }
}

/// A patch that does not fit the document, which stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {operation} ({op} {path:?}): {reason}")]
#[non_exhaustive]
pub struct PatchError {
    /// Which operation, counted from zero.
    pub operation: usize,
    /// What it is: `add`, `remove`, `replace`, `move`, `copy` or `test`.
    pub op: &'static str,
    /// The JSON Pointer that it is about.
    pub path: String,
    /// Why it failed.
    pub reason: PatchErrorReason,
}

/// Why an operation of a patch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchErrorReason {
    /// A `test` found another value.
    #[error("the value is another")]
    TestFailed,
    /// The path leads nowhere, or not to a place where the operation can act.
    #[error("the path leads nowhere in this document")]
    NoSuchPath,
    /// The `from` of a `move` or `copy` leads nowhere.
    #[error("\"from\" leads nowhere in this document")]
    NoSuchFrom,
    /// A `move` into a part of what is moved.
    #[error("a value cannot be moved into itself")]
    IntoItself,
    /// All copies together are more than may be copied.
    #[error("the patch copies more than three megabytes")]
    TooMuch,
    /// The document would become too deep.
    #[error("the document would be more than 512 levels deep")]
    TooDeep,
    /// Something that the `json-patch` crate found and this one has no name for.
    #[error("the operation cannot be applied")]
    Other,
}

/// The patch that makes `to` out of `from`, to the letter.
///
/// Items of lists are matched by a field such as `name` where that tells them apart, otherwise by their values; taking the
/// first of 2,000 items away is one operation.
///
/// ```
/// use gitops_diff::patch;
/// use serde_json::json;
///
/// let (from, to) = (json!({"l": ["a", "b", "c"], "n": 1}), json!({"l": ["b", "c"], "n": 2}));
/// let patch = patch::create(&from, &to);
/// assert_eq!(patch.to_string(), "remove \"/l/0\"\nreplace \"/n\"\n");
/// let mut document = from;
/// patch::apply(&patch, &mut document)?;
/// assert_eq!(document, to);
/// # Ok::<(), patch::PatchError>(())
/// ```
pub fn create(from: &Value, to: &Value) -> JsonPatch {
    JsonPatch(Patch(operations(from, to)))
}

/// Applies a patch: all of it, or none.
///
/// A `test` compares numbers by value, as RFC 6902 (section 4.6) wants it: `1` is `1.0`. What a patch may do to a document is
/// limited, because a short patch could otherwise make an endless document: all `copy` operations together may copy three
/// megabytes, as in an API server, and nothing may be put so that it ends up more than 512 levels deep.
///
/// ```
/// use gitops_diff::patch::{self, JsonPatch};
/// use serde_json::json;
///
/// let patch: JsonPatch = serde_json::from_value(json!([
///     {"op": "test", "path": "/spec/replicas", "value": 3},
///     {"op": "replace", "path": "/spec/replica", "value": 5},
/// ]))?;
/// let error = patch::apply(&patch, &mut json!({"spec": {"replicas": 3}})).unwrap_err();
/// assert_eq!(error.to_string(), r#"operation 1 (replace "/spec/replica"): the path leads nowhere in this document"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn apply(patch: &JsonPatch, document: &mut Value) -> Result<(), PatchError> {
    // A copy instead of the crate's own undo, which panics where undoing fails.
    let mut changed = document.clone();
    let mut limits = Limits::of(document);
    for (at, operation) in patch.0.iter().enumerate() {
        carry_out(operation, &mut changed, &mut limits).map_err(|reason| PatchError {
            operation: at,
            op: name(operation),
            path: operation.path().to_string(),
            reason,
        })?;
    }
    *document = changed;
    Ok(())
}
