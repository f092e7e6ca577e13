//! Reading of fields that may be absent or of another type.

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

/// The most characters of a foreign text in a message.
const MAX_QUOTED: usize = 512;

/// The API group of the object; empty for the core group and where there is none.
pub(super) fn group(object: &Value) -> &str {
    text(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group)
}

pub(super) fn kind(object: &Value) -> &str {
    text(object, "/kind")
}

/// The string at a JSON pointer, or the empty one.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer.
pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A count of the status: absent means zero, because the API omits zeros.
pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    number(object, pointer).unwrap_or(0)
}

pub(super) fn is_true(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// The items of the list at a JSON pointer; none if there is no list.
pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// One condition of an object's status.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a>(&'a Value);

impl<'a> Condition<'a> {
    pub(super) fn is(self, status: &str) -> bool {
        text(self.0, "/status") == status
    }

    pub(super) fn name(self) -> &'a str {
        text(self.0, "/type")
    }

    pub(super) fn reason(self) -> &'a str {
        text(self.0, "/reason")
    }

    /// This health, for the reason that the condition gives, or for `otherwise` where it gives none.
    pub(super) fn assess(self, health: Health, otherwise: &str) -> Assessment {
        let reason = if self.reason().is_empty() { otherwise } else { self.reason() };
        Assessment::new(health).because(quote(reason), quote(text(self.0, "/message")))
    }

    /// Whether the condition itself says that it speaks of another generation.
    fn is_stale(self, object: &Value) -> bool {
        match (number(self.0, "/observedGeneration"), number(object, "/metadata/generation")) {
            (Some(observed), Some(generation)) => observed != generation,
            _ => false,
        }
    }
}

/// The condition of this type in `status.conditions`, unless it says that it speaks of another generation.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<Condition<'a>> {
    items(object, "/status/conditions").map(Condition).find(|it| it.name() == name && !it.is_stale(object))
}

/// The conditions of a list that is not at its usual place.
pub(super) fn conditions_of(list: &Value) -> impl Iterator<Item = Condition<'_>> {
    list.as_array().into_iter().flatten().map(Condition)
}

/// A foreign text, cut to a length that fits an event.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn healthy(reason: &str, message: impl Into<String>) -> Assessment {
    Assessment::new(Health::Healthy).because(reason, message)
}

pub(super) fn progressing(reason: &str, message: impl Into<String>) -> Assessment {
    Assessment::new(Health::Progressing).because(reason, message)
}

pub(super) fn degraded(reason: &str, message: impl Into<String>) -> Assessment {
    Assessment::new(Health::Degraded).because(reason, message)
}

pub(super) fn suspended(reason: &str, message: impl Into<String>) -> Assessment {
    Assessment::new(Health::Suspended).because(reason, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_another_type_count_as_absent() {
        let object = json!({ "apiVersion": 1, "spec": { "replicas": "3" }, "status": [] });
        assert_eq!(group(&object), "");
        assert_eq!(number(&object, "/spec/replicas"), None);
        assert_eq!(items(&object, "/status/conditions").count(), 0);
        assert_eq!(text(&Value::Null, "/kind"), "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = quote(&"ä".repeat(MAX_QUOTED + 1));
        assert_eq!(cut.chars().count(), MAX_QUOTED + 1);
        assert!(cut.ends_with("ä…"));
        assert_eq!(quote("short"), "short");
    }

    #[test]
    fn a_condition_of_another_generation_does_not_count() {
        let mut object = json!({
            "metadata": { "generation": 3 },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "observedGeneration": 2 }] },
        });
        assert!(condition(&object, "Ready").is_none());
        object["metadata"]["generation"] = json!(2);
        assert!(condition(&object, "Ready").is_some());
    }
}
