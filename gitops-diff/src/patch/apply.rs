//! Carrying operations out, within limits.

use json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchErrorKind, PatchOperation, ReplaceOperation,
    TestOperation,
};
use serde_json::Value;

use super::PatchErrorReason;
use crate::canonical;

pub(super) fn carry_out(
    operation: &PatchOperation,
    document: &mut Value,
    limits: &mut Limits,
) -> Result<(), PatchErrorReason> {
    if let PatchOperation::Test(TestOperation { path, value }) = operation {
        let found = document.pointer(path.as_str()).ok_or(PatchErrorReason::NoSuchPath)?;
        return if canonical::same(found, value) { Ok(()) } else { Err(PatchErrorReason::TestFailed) };
    }
    limits.permit(operation, document)?;
    json_patch::patch_unsafe(document, std::slice::from_ref(operation)).map_err(|error| match error.kind {
        PatchErrorKind::InvalidPointer => PatchErrorReason::NoSuchPath,
        PatchErrorKind::InvalidFromPointer => PatchErrorReason::NoSuchFrom,
        PatchErrorKind::CannotMoveInsideItself => PatchErrorReason::IntoItself,
        _ => PatchErrorReason::Other,
    })
}

/// What one patch has done so far.
pub(super) struct Limits {
    /// How many bytes were copied, roughly.
    copied: usize,
    /// How deep the document is at most.
    depth: usize,
}

impl Limits {
    pub(super) fn of(document: &Value) -> Self {
        Self { copied: 0, depth: depth(document) }
    }

    const COPIED: usize = 3 << 20;
    const DEPTH: usize = 512;

    fn permit(&mut self, operation: &PatchOperation, document: &Value) -> Result<(), PatchErrorReason> {
        if let PatchOperation::Copy(CopyOperation { from, .. }) = operation
            && let Some(source) = document.pointer(from.as_str())
        {
            self.copied = weight(source, self.copied);
            if self.copied > Self::COPIED {
                return Err(PatchErrorReason::TooMuch);
            }
        }
        let mut deepest = self.after(operation, document);
        if deepest > Self::DEPTH && deepest > self.depth {
            // The document is looked at only when much of the patch was spent on getting here.
            self.depth = depth(document);
            deepest = self.after(operation, document);
            if deepest > Self::DEPTH || self.depth > Self::DEPTH / 2 {
                return Err(PatchErrorReason::TooDeep);
            }
        }
        self.depth = self.depth.max(deepest);
        Ok(())
    }

    /// How deep what the operation puts somewhere reaches at most.
    fn after(&self, operation: &PatchOperation, document: &Value) -> usize {
        match operation {
            PatchOperation::Add(AddOperation { path, value })
            | PatchOperation::Replace(ReplaceOperation { path, value }) => path.count() + depth(value),
            PatchOperation::Copy(CopyOperation { from, path }) => {
                path.count() + document.pointer(from.as_str()).map_or(0, depth)
            }
            // How deep the moved value is would take a look at all of it, each time.
            PatchOperation::Move(MoveOperation { from, path }) => {
                path.count() + self.depth.saturating_sub(from.count())
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => 0,
        }
    }
}

/// How many levels of maps and lists a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Adds the rough size of a value to a sum; stops once that is more than may be copied.
fn weight(value: &Value, sum: usize) -> usize {
    if sum > Limits::COPIED {
        return sum;
    }
    let sum = sum + 8;
    match value {
        Value::String(text) => sum + text.len(),
        Value::Array(items) => items.iter().fold(sum, |sum, item| weight(item, sum)),
        Value::Object(map) => map.iter().fold(sum, |sum, (name, item)| weight(item, sum + name.len())),
        _ => sum,
    }
}
