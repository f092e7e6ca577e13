//! Fields that are null.

use serde_json::Value;

/// Takes all nulls out of the maps of a tree, at any depth. Those that are items of lists stay, and so do maps that become
/// empty.
///
/// A null in a manifest states nothing; applied as it is, it would reset what others have set.
///
/// ```
/// use gitops_diff::drop_nulls;
/// use serde_json::json;
///
/// let mut spec = json!({"replicas": null, "strategy": {"type": null}, "list": [null, {"a": null, "b": 1}]});
/// drop_nulls(&mut spec);
/// assert_eq!(spec, json!({"strategy": {}, "list": [null, {"b": 1}]}));
/// ```
pub fn drop_nulls(tree: &mut Value) {
    match tree {
        Value::Object(map) => map.retain(|_, value| {
            drop_nulls(value);
            !value.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Whether a map of the tree has a null.
pub(crate) fn has_nulls(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|value| value.is_null() || has_nulls(value)),
        Value::Array(items) => items.iter().any(has_nulls),
        _ => false,
    }
}
