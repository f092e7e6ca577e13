//! Secrets as the API server stores them.

use serde_json::Value;

use crate::{FieldPath, PathElement, base64};

/// A `v1` Secret as the API server stores it: `stringData` moved into `data`, line breaks taken out of the base64.
/// `None` for every other object, for a `stringData` of values that are no texts, and where there is nothing to do.
///
/// Apply this form: whoever applies `stringData` owns that name, while it is `data` that changes.
pub fn stored_secret(object: &Value) -> Option<Value> {
    if object.get("kind")? != "Secret" || object.get("apiVersion")? != "v1" {
        return None;
    }
    let broken = |data: &Value| {
        data.as_object()
            .is_some_and(|d| d.values().any(|v| v.as_str().is_some_and(|s| s.contains(['\r', '\n']))))
    };
    let plain = object.get("stringData").and_then(Value::as_object);
    if plain.is_some_and(|plain| plain.values().any(|value| !value.is_string() && !value.is_null())) {
        // Not for us to mend: the API server says what is wrong with it.
        return None;
    }
    if plain.is_none() && !object.get("data").is_some_and(broken) {
        return None;
    }
    let mut stored = object.clone();
    if let Some(plain) = plain {
        FieldPath::of_fields(["stringData"]).remove(&mut stored);
        for (name, value) in plain.iter().filter(|(_, value)| !value.is_null()) {
            let value = Value::from(base64::encode(value.as_str().unwrap_or_default().as_bytes()));
            FieldPath::of_fields(["data"]).child(PathElement::field(name.as_str())).set(&mut stored, value);
        }
    }
    if let Some(Value::Object(data)) = stored.get_mut("data") {
        for (_, value) in data.iter_mut() {
            if let Value::String(text) = value {
                text.retain(|c| !matches!(c, '\r' | '\n'));
            }
        }
    }
    Some(stored)
}

/// A live Secret with empty values for the nulls in its `data`: the API server takes and keeps both as no bytes.
pub(crate) fn without_null_data(object: &Value) -> Option<Value> {
    if object.get("kind")? != "Secret" || !object.get("data")?.as_object()?.values().any(Value::is_null) {
        return None;
    }
    let mut filled = object.clone();
    for (_, value) in filled.get_mut("data")?.as_object_mut()?.iter_mut().filter(|(_, value)| value.is_null())
    {
        *value = Value::String(String::new());
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_as_they_are_stored() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "Z\ng==", "b": "x"}, "stringData": {"b": "f"}});
        let stored = stored_secret(&secret).unwrap();
        assert_eq!(stored, json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "Zg==", "b": "Zg=="}}));
        assert_eq!(stored_secret(&stored), None);
    }
}
