//! The merge patch of the library that Kubernetes uses, `gopkg.in/evanphx/json-patch.v4` (`merge.go`).

use serde_json::{Map, Number, Value};

use super::MergePatchError;
use crate::strategic::go::float;

/// The document with the patch merged in, as the API server does it.
///
/// Unlike RFC 7386, nulls are taken out of maps inside lists where the list replaces anything but a map, and a patch must
/// be a map or a list.
///
/// Upstream: `evanphx/json-patch`, `MergePatch`.
///
/// ```
/// use gitops_diff::merge_patch;
/// use serde_json::json;
///
/// let patch = json!({"a": [{"b": null, "c": 1}]});
/// assert_eq!(merge_patch::apply_as_kubernetes(&json!({}), &patch)?, json!({"a": [{"c": 1}]}));
/// assert_eq!(merge_patch::apply(&json!({}), &patch), patch);
/// # Ok::<(), merge_patch::MergePatchError>(())
/// ```
pub fn apply_as_kubernetes(original: &Value, patch: &Value) -> Result<Value, MergePatchError> {
    merge_documents(original.clone(), patch.clone())
}

pub(super) fn merge_documents(original: Value, patch: Value) -> Result<Value, MergePatchError> {
    if original.is_null() {
        return Err(MergePatchError::BadDocument);
    }
    match (original, patch) {
        (Value::Object(mut map), Value::Object(patch)) => {
            merge_maps(&mut map, patch);
            Ok(Value::Object(map))
        }
        (_, mut patch @ (Value::Object(_) | Value::Array(_))) => {
            prune(&mut patch);
            Ok(patch)
        }
        _ => Err(MergePatchError::BadPatch),
    }
}

fn merge_maps(map: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, mut value) in patch {
        if value.is_null() {
            map.remove(&key);
            continue;
        }
        match (map.get_mut(&key), value) {
            (Some(Value::Object(map)), Value::Object(patch)) => merge_maps(map, patch),
            // What replaces a map stays as it is.
            (Some(at @ Value::Object(_)), value) => *at = value,
            (_, other) => {
                value = other;
                prune(&mut value);
                map.insert(key, value);
            }
        }
    }
}

/// Takes the nulls out of all maps; those in lists stay.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The patch that makes `modified` out of `original`, as `kubectl` does it.
///
/// All numbers are read as `float64`: integers that only differ beyond its precision are equal, and those in the patch are
/// rounded. Two lists of documents of one length give the list of their patches. A null in place of a map counts as an
/// empty one.
///
/// Upstream: `evanphx/json-patch`, `CreateMergePatch`.
pub fn create_as_kubernetes(original: &Value, modified: &Value) -> Result<Value, MergePatchError> {
    match (original, modified) {
        (Value::Array(original), Value::Array(modified)) => {
            if original.len() != modified.len() {
                return Err(MergePatchError::BadDocument);
            }
            let patches =
                original.iter().zip(modified).map(|(original, modified)| object_patch(original, modified));
            patches.collect()
        }
        (Value::Array(_), _) | (_, Value::Array(_)) => Err(MergePatchError::Mismatched),
        _ => object_patch(original, modified),
    }
}

fn object_patch(original: &Value, modified: &Value) -> Result<Value, MergePatchError> {
    let nothing = Map::new();
    let map = |value| object_or_null(value, &nothing);
    Ok(Value::Object(difference(map(original)?, map(modified)?)))
}

/// The map; an empty one in place of null.
pub(super) fn object_or_null<'v>(
    value: &'v Value,
    nothing: &'v Map<String, Value>,
) -> Result<&'v Map<String, Value>, MergePatchError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(nothing),
        _ => Err(MergePatchError::BadDocument),
    }
}

/// Upstream: `getDiff`.
fn difference(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, to) in to {
        match (from.get(key), to) {
            (Some(Value::Object(from)), Value::Object(to)) => {
                let inner = difference(from, to);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(from), to) if matches(from, to) => {}
            (_, to) => {
                patch.insert(key.clone(), rounded(to));
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// Upstream: `matchesValue`.
#[expect(clippy::float_cmp, reason = "equal floats are what the reference means by equal")]
pub(crate) fn matches(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => float(a) == float(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| matches(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| matches(a, b)))
        }
        _ => a == b,
    }
}

/// The value with all numbers rounded to `float64`, as they are after one trip through it.
pub(super) fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(round(number)),
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), rounded(value))).collect(),
        other => other.clone(),
    }
}

/// A number as `encoding/json` writes the `float64` and `sigs.k8s.io/json` reads that: whole numbers that fit become
/// integers.
fn round(number: &Number) -> Number {
    // 2^63 is exact.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let value = float(number);
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        return Number::from(value as i64);
    }
    Number::from_f64(value).unwrap_or_else(|| number.clone())
}
