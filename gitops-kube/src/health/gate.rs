//! What is asked of every object before its kind: is it going away, and does its status speak of this spec?

use gitops_core::Assessment;
use serde_json::Value;

use super::read::{items, kind, number, progressing, quote};

/// Whether the controller of a kind reports the generation that it has seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reports {
    /// Always: an absent report means that it has not seen the object yet.
    Always,
    /// Perhaps never: an absent report means nothing.
    Maybe,
}

/// Progressing, if the object is being deleted: it goes, and says what it waits for.
pub(super) fn terminating(object: &Value) -> Option<Assessment> {
    object.pointer("/metadata/deletionTimestamp").filter(|time| !time.is_null())?;
    let finalizers: Vec<&str> = items(object, "/metadata/finalizers").filter_map(Value::as_str).collect();
    Some(progressing(
        "Terminating",
        if finalizers.is_empty() {
            "it is being deleted".to_owned()
        } else {
            quote(&format!("it is being deleted, and waits for the finalizers {}", finalizers.join(", ")))
        },
    ))
}

/// Progressing, if the status speaks of another generation than the spec.
pub(super) fn not_observed(object: &Value, reports: Reports) -> Option<Assessment> {
    let generation = number(object, "/metadata/generation");
    let message = match (generation, number(object, "/status/observedGeneration")) {
        (Some(generation), Some(observed)) if observed != generation => {
            format!("the controller has seen generation {observed}, and this is generation {generation}")
        }
        (_, None) if reports == Reports::Always => "the controller has not seen it yet".to_owned(),
        _ => return None,
    };
    Some(progressing("LatestGenerationNotObserved", format!("{}: {message}", quote(kind(object)))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deletion_names_what_it_waits_for() {
        let mut object =
            json!({ "kind": "Widget", "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
        assert_eq!(terminating(&object).unwrap().message, "it is being deleted");
        object["metadata"]["finalizers"] = json!(["example.com/backup"]);
        assert!(terminating(&object).unwrap().message.contains("example.com/backup"));
        object["metadata"]["deletionTimestamp"] = Value::Null;
        assert_eq!(terminating(&object), None);
    }

    #[test]
    fn a_status_of_another_generation_says_nothing() {
        let seen = |generation: Value, observed: Value, reports| {
            let object = json!({ "metadata": { "generation": generation }, "status": { "observedGeneration": observed } });
            not_observed(&object, reports).is_none()
        };
        assert!(seen(json!(2), json!(2), Reports::Always));
        assert!(!seen(json!(2), json!(1), Reports::Maybe));
        assert!(!seen(json!(1), json!(2), Reports::Maybe));
        assert!(!seen(json!(1), Value::Null, Reports::Always));
        assert!(seen(json!(1), Value::Null, Reports::Maybe));
        assert!(seen(Value::Null, json!(4), Reports::Always));
    }
}
