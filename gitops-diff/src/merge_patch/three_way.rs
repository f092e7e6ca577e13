//! The three-way merge of `kubectl` for custom kinds, `k8s.io/apimachinery/pkg/util/jsonmergepatch`.

use serde_json::{Map, Value};

use super::MergePatchError;
use super::kubernetes::{matches, merge_documents, object_or_null, rounded};
use crate::strategic::go::deep_equal;
use crate::strategic::touches;
use crate::{FieldPath, PathElement};

/// The merge patch for `live` that brings in what is desired and takes out what was last applied and is desired no more; an
/// empty map if nothing is to be done.
///
/// It fails if the patch touches one of the fields in `preconditions`; `kubectl` asks for `apiVersion`, `kind` and
/// `metadata.name` to stay. Nulls in `desired` take fields away only if they were applied last time with a value.
///
/// Upstream: `jsonmergepatch/patch.go`, `CreateThreeWayJSONMergePatch`.
///
/// ```
/// use gitops_diff::merge_patch;
/// use serde_json::json;
///
/// let last_applied = json!({"spec": {"size": 1, "colour": "red"}});
/// let desired = json!({"spec": {"size": 2}});
/// let live = json!({"spec": {"size": 1, "colour": "red", "weight": 3}});
/// let patch = merge_patch::three_way(&last_applied, &desired, &live, &[])?;
/// assert_eq!(patch, json!({"spec": {"size": 2, "colour": null}}));
/// # Ok::<(), merge_patch::MergePatchError>(())
/// ```
pub fn three_way(
    last_applied: &Value,
    desired: &Value,
    live: &Value,
    preconditions: &[FieldPath],
) -> Result<Value, MergePatchError> {
    if [last_applied, desired, live].into_iter().any(Value::is_array) {
        // Lists of documents have merge patches of their own, which cannot be put together.
        return Err(MergePatchError::Mismatched);
    }
    let nothing = Map::new();
    let map = |value| object_or_null(value, &nothing);
    let (last_applied, desired, live) = (map(last_applied)?, map(desired)?, map(live)?);
    let changes = changes(live, desired);
    let deletions = deletions(last_applied, desired);
    check(&changes, &deletions, &mut FieldPath::root())?;
    let patch = merge_documents(Value::Object(deletions), Value::Object(changes))?;
    if let Value::Object(patch) = &patch
        && let Some(path) = preconditions.iter().find(|path| touches(patch, path))
    {
        return Err(MergePatchError::Precondition(path.clone()));
    }
    Ok(patch)
}

/// What is desired and differs in the live object.
///
/// Upstream: `CreateMergePatch`, and `keepOrDeleteNullInObj` without nulls.
fn changes(live: &Map<String, Value>, desired: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, to) in desired {
        let change = match (live.get(key), to) {
            (Some(Value::Object(from)), Value::Object(to)) => {
                Some(changes(from, to)).filter(|inner| !inner.is_empty()).map(Value::Object)
            }
            (Some(from), to) if matches(from, to) => None,
            (_, to) => without_nulls(to),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    patch
}

/// A new value without nulls; a map that had nothing else is no value.
fn without_nulls(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(map) => {
            let kept: Map<_, _> =
                map.iter().filter_map(|(key, value)| Some((key.clone(), without_nulls(value)?))).collect();
            (map.is_empty() || !kept.is_empty()).then_some(Value::Object(kept))
        }
        other => Some(rounded(other)),
    }
}

/// What was applied and is desired no more, as nulls.
///
/// Upstream: `CreateMergePatch`, and `keepOrDeleteNullInObj` with nulls only.
fn deletions(last_applied: &Map<String, Value>, desired: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, to) in desired {
        let inner = match (last_applied.get(key), to) {
            (Some(Value::Null), Value::Null) => continue,
            (_, Value::Null) => {
                patch.insert(key.clone(), Value::Null);
                continue;
            }
            (Some(Value::Object(from)), Value::Object(to)) => deletions(from, to),
            // All that is in a new map is new.
            (_, Value::Object(to)) => deletions(&Map::new(), to),
            _ => continue,
        };
        if !inner.is_empty() {
            patch.insert(key.clone(), Value::Object(inner));
        }
    }
    for key in last_applied.keys().filter(|key| !desired.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// Fails where both patches have different values under one key.
///
/// Upstream: `mergepatch.HasConflicts`.
fn check(
    changes: &Map<String, Value>,
    deletions: &Map<String, Value>,
    path: &mut FieldPath,
) -> Result<(), MergePatchError> {
    for (key, change) in changes {
        let Some(deletion) = deletions.get(key) else { continue };
        path.push(PathElement::field(key.as_str()));
        match (change, deletion) {
            (Value::Object(change), Value::Object(deletion)) => check(change, deletion, path)?,
            (change, deletion) if deep_equal(change, deletion) => {}
            _ => return Err(MergePatchError::Conflict(path.clone())),
        }
        path.pop();
    }
    Ok(())
}
