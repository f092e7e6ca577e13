//! `HorizontalPodAutoscaler` and `PodDisruptionBudget`.

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

use super::read::{Condition, condition, conditions_of, healthy, progressing};

/// Where `autoscaling/v1` keeps the conditions that its schema has no field for.
const V1_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Reasons of the autoscaler's controller that somebody has to act on (its source, `horizontal.go`); it gives some of
/// them with a status that does not look like a failure.
const FAILURES: [&str; 10] = [
    "FailedGetScale",
    "FailedUpdateScale",
    "FailedGetResourceMetric",
    "FailedGetContainerResourceMetric",
    "FailedGetPodsMetric",
    "FailedGetObjectMetric",
    "FailedGetExternalMetric",
    "InvalidMetricSourceType",
    "InvalidSelector",
    "AmbiguousSelector",
];

pub(super) fn autoscaler(object: &Value, _now: Timestamp) -> Assessment {
    let annotated = object.pointer("/metadata/annotations").and_then(|all| all.get(V1_CONDITIONS));
    let parsed: Value = annotated
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let conditions: Vec<Condition<'_>> = match object.pointer("/status/conditions") {
        Some(list) => conditions_of(list).collect(),
        None => conditions_of(&parsed).collect(),
    };
    if let Some(failure) = conditions.iter().find(|it| FAILURES.contains(&it.reason())) {
        return failure.assess(Health::Degraded, "Failed");
    }
    match conditions.iter().find(|it| it.name() == "AbleToScale") {
        Some(able) if able.is("True") => able.assess(Health::Healthy, "AbleToScale"),
        Some(unable) => unable.assess(Health::Progressing, "NotAbleToScale"),
        None => progressing("NotAbleToScale", "its controller has not looked at what it scales yet"),
    }
}

pub(super) fn disruption_budget(object: &Value, _now: Timestamp) -> Assessment {
    // Too few Pods for a disruption is what a budget is there to say, and no fault of it.
    match condition(object, "DisruptionAllowed").filter(|it| it.reason() == "SyncFailed") {
        Some(failed) => failed.assess(Health::Degraded, "SyncFailed"),
        None => healthy("Computed", "its controller has computed the allowed disruptions"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::{check, with};

    fn scaler(conditions: &Value) -> Value {
        json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "status": { "conditions": conditions } })
    }

    #[test]
    fn an_autoscaler_is_healthy_when_it_can_scale() {
        let able = json!({ "type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale" });
        let limited = json!({ "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas" });
        check(&scaler(&json!([able, limited])), Health::Healthy, "ReadyForNewScale");
        check(&scaler(&json!([limited])), Health::Progressing, "NotAbleToScale");
        check(&scaler(&json!([])), Health::Progressing, "NotAbleToScale");
        let unable = json!({ "type": "AbleToScale", "status": "False", "reason": "BackoffBoth" });
        check(&scaler(&json!([limited, unable])), Health::Progressing, "BackoffBoth");
        let blind =
            json!({ "type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric" });
        check(&scaler(&json!([able, blind])), Health::Degraded, "FailedGetResourceMetric");
    }

    #[test]
    fn version_one_keeps_its_conditions_in_an_annotation() {
        let old = |text: &str| {
            json!({ "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "status": {},
                "metadata": { "annotations": { V1_CONDITIONS: text } } })
        };
        check(
            &old(r#"[{"type":"AbleToScale","status":"True","message":"it can"}]"#),
            Health::Healthy,
            "AbleToScale",
        );
        check(
            &old(
                r#"[{"type":"AbleToScale","status":"True","reason":"FailedGetScale","message":"it cannot"}]"#,
            ),
            Health::Degraded,
            "FailedGetScale",
        );
        check(&old("not JSON"), Health::Progressing, "NotAbleToScale");
    }

    #[test]
    fn a_budget_is_healthy_once_it_is_computed() {
        let budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "generation": 1 },
            "status": { "observedGeneration": 1, "conditions": [{ "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods" }] } });
        check(&budget, Health::Healthy, "Computed");
        check(
            &with(&budget, "/status/conditions/0/reason", json!("SyncFailed")),
            Health::Degraded,
            "SyncFailed",
        );
        check(
            &with(&budget, "/metadata/generation", json!(2)),
            Health::Progressing,
            "LatestGenerationNotObserved",
        );
    }
}
