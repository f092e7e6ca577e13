//! What a patch adds, without its directives: the `clean` option.

use serde_json::{Map, Value};

use super::{DELETE, DELETE_FROM, DIRECTIVE, RETAIN_KEYS, SET_ORDER};

/// A value of a patch as it would be had it been merged into an empty object; `None` if there is nothing of it.
pub(super) fn tidy(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(mut map) => {
            let directive = map.remove(DIRECTIVE);
            if directive.is_some_and(|directive| directive == DELETE) {
                return None;
            }
            Value::Object(tidy_map(map))
        }
        Value::Array(items) => Value::Array(tidy_list(items)),
        scalar => scalar,
    })
}

/// A map without nulls and directives.
pub(super) fn tidy_map(map: Map<String, Value>) -> Map<String, Value> {
    let keep = |key: &str| key != RETAIN_KEYS && !key.starts_with(SET_ORDER) && !key.starts_with(DELETE_FROM);
    map.into_iter()
        .filter(|(key, value)| keep(key) && !value.is_null())
        .filter_map(|(key, value)| tidy(value).map(|value| (key, value)))
        .collect()
}

/// A list without directives.
pub(super) fn tidy_list(items: Vec<Value>) -> Vec<Value> {
    let directive =
        |item: &Value| item.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(DIRECTIVE));
    items.into_iter().filter(|item| !directive(item)).filter_map(tidy).collect()
}
