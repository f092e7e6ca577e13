//! The `fieldsV1` of what a tree states, for the lists that occur in the workload.
//!
//! Not made by the crate that is measured, so that a mistake there cannot hide in the workload.

use serde_json::{Map, Value, json};

/// The key fields of a keyed list.
fn keys(list: &str, parent: &str) -> &'static [&'static str] {
    match list {
        "containers" | "initContainers" | "env" | "volumes" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ports" if parent == "containers" => &["containerPort", "protocol"],
        "ports" => &["port", "protocol"],
        "conditions" => &["type"],
        _ => &[],
    }
}

/// Maps that one manager owns as a whole.
fn is_atomic(map: &str) -> bool {
    matches!(map, "selector" | "secretKeyRef" | "configMapKeyRef" | "fieldRef" | "roleRef")
}

/// The fields that a tree states. In a custom kind nothing is known: maps are merged, lists are one value.
pub(super) fn of(tree: &Value, known: bool) -> Value {
    let mut fields = stated(tree, "", "", known);
    // What identifies an object is never owned.
    if let Some(map) = fields.as_object_mut() {
        map.remove("f:apiVersion");
        map.remove("f:kind");
        map.remove(".");
        if let Some(metadata) = map.get_mut("f:metadata").and_then(Value::as_object_mut) {
            for name in [".", "f:name", "f:namespace"] {
                metadata.remove(name);
            }
            if metadata.is_empty() {
                map.remove("f:metadata");
            }
        }
    }
    fields
}

fn stated(tree: &Value, name: &str, parent: &str, known: bool) -> Value {
    let mut fields = Map::new();
    match tree {
        Value::Object(map) if !(known && is_atomic(name)) => {
            for (field, child) in map {
                fields.insert(format!("f:{field}"), stated(child, field, name, known));
            }
            // Without a schema the maps themselves are owned, too.
            if !known && !fields.is_empty() {
                fields.insert(".".to_owned(), json!({}));
            }
        }
        Value::Array(items) => {
            let keys = if known { keys(name, parent) } else { &[] };
            if name == "finalizers" {
                for item in items {
                    fields.insert(format!("v:{item}"), json!({}));
                }
            } else if !keys.is_empty() {
                for item in items {
                    let key: Map<_, _> = keys.iter().filter_map(|key| key_field(item, key)).collect();
                    let mut below = stated(item, name, name, known);
                    if let Some(below) = below.as_object_mut() {
                        below.insert(".".to_owned(), json!({}));
                    }
                    fields.insert(format!("k:{}", Value::Object(key)), below);
                }
            }
        }
        _ => {}
    }
    Value::Object(fields)
}

fn key_field(item: &Value, key: &str) -> Option<(String, Value)> {
    let default = || (key == "protocol").then(|| json!("TCP"));
    Some((key.to_owned(), item.get(key).cloned().or_else(default)?))
}

/// The entries of `managedFields` with these fields taken out, for a manager that lost them.
pub(super) fn without(fields: &mut Value, path: &[&str]) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = &mut *fields;
    for step in way {
        match at.get_mut(*step) {
            Some(below) => at = below,
            None => return,
        }
    }
    if let Some(map) = at.as_object_mut() {
        map.remove(*last);
    }
    let emptied = at.as_object().is_some_and(Map::is_empty);
    if emptied {
        without(fields, way);
    }
}
