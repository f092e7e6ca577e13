//! Deployment and `ReplicaSet`.

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

use super::read::{condition, count, healthy, is_true, number, progressing, suspended};

/// What the API server takes for "no deadline" (the documentation of `progressDeadlineSeconds`).
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(super) fn deployment(object: &Value, _now: Timestamp) -> Assessment {
    if is_true(object, "/spec/paused") {
        return suspended("Paused", "its rollout is paused");
    }
    let rollout = condition(object, "Progressing");
    if let Some(rollout) = rollout.filter(|it| it.reason() == "ProgressDeadlineExceeded" && !it.is("True")) {
        return rollout.assess(Health::Degraded, "ProgressDeadlineExceeded");
    }
    if let Some(short) = shortage(object) {
        // Why Pods are missing is worth more than how many.
        return match condition(object, "ReplicaFailure").filter(|it| it.is("True")) {
            Some(failure) => failure.assess(Health::Progressing, "ReplicaFailure"),
            None => short,
        };
    }
    let has_deadline = number(object, "/spec/progressDeadlineSeconds").is_some_and(|it| it != NO_DEADLINE);
    if has_deadline && rollout.is_none_or(|it| it.reason() != "NewReplicaSetAvailable") {
        return progressing("ReplicaSetNotAvailable", "its new ReplicaSet has not completed its rollout");
    }
    if condition(object, "Available").is_none_or(|it| !it.is("True")) {
        return progressing(
            "NotAvailable",
            "it does not have the least number of available Pods for long enough",
        );
    }
    healthy("Available", format!("{} replicas are available", wanted(object)))
}

pub(super) fn replica_set(object: &Value, _now: Timestamp) -> Assessment {
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|it| it.is("True")) {
        return failure.assess(Health::Degraded, "ReplicaFailure");
    }
    let want = wanted(object);
    let labelled = count(object, "/status/fullyLabeledReplicas");
    if labelled < want {
        return few("LessLabelled", labelled, want, "have all labels of the template");
    }
    availability(object, want)
        .unwrap_or_else(|| healthy("Available", format!("{want} replicas are available")))
}

/// What of a Deployment's replicas is missing or too many.
fn shortage(object: &Value) -> Option<Assessment> {
    let want = wanted(object);
    let (updated, all) = (count(object, "/status/updatedReplicas"), count(object, "/status/replicas"));
    if all < want {
        return Some(few("LessReplicas", all, want, "exist"));
    }
    if updated < want {
        return Some(few("LessUpdated", updated, want, "are updated"));
    }
    if all > updated {
        let old = all.saturating_sub(updated);
        return Some(progressing("ExtraPods", format!("{old} old replicas have still to end")));
    }
    availability(object, want)
}

fn availability(object: &Value, want: i64) -> Option<Assessment> {
    let (available, ready) =
        (count(object, "/status/availableReplicas"), count(object, "/status/readyReplicas"));
    let all = count(object, "/status/replicas");
    if ready < want {
        return Some(few("LessReady", ready, want, "are ready"));
    }
    if available < want {
        return Some(few("LessAvailable", available, want, "are available"));
    }
    (all > want).then(|| {
        progressing("ExtraPods", format!("{} surplus replicas have still to end", all.saturating_sub(want)))
    })
}

fn few(reason: &str, have: i64, want: i64, what: &str) -> Assessment {
    progressing(reason, format!("{have} of {want} replicas {what}"))
}

/// The replicas that are asked for: one, where nobody says.
fn wanted(object: &Value) -> i64 {
    number(object, "/spec/replicas").unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::{check, with};

    fn done() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "shop", "generation": 7 },
            "spec": { "replicas": 3, "progressDeadlineSeconds": 600 },
            "status": {
                "observedGeneration": 7, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                "conditions": [
                    { "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable" },
                    { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
                ],
            },
        })
    }

    #[test]
    fn a_complete_rollout_is_healthy() {
        check(&done(), Health::Healthy, "Available");
        let none = with(&done(), "/spec/replicas", json!(0));
        let none = with(
            &none,
            "/status",
            json!({ "observedGeneration": 7, "conditions": done()["status"]["conditions"] }),
        );
        check(&none, Health::Healthy, "Available");
    }

    #[test]
    fn each_thing_that_is_missing_has_its_reason() {
        for (pointer, value, reason) in [
            ("/metadata/generation", json!(8), "LatestGenerationNotObserved"),
            ("/status/observedGeneration", Value::Null, "LatestGenerationNotObserved"),
            ("/status/replicas", json!(2), "LessReplicas"),
            ("/status/updatedReplicas", json!(1), "LessUpdated"),
            ("/status/replicas", json!(4), "ExtraPods"),
            ("/status/readyReplicas", json!(2), "LessReady"),
            ("/status/availableReplicas", json!(2), "LessAvailable"),
            ("/status/conditions/0/status", json!("False"), "NotAvailable"),
            ("/status/conditions/1/reason", json!("ReplicaSetUpdated"), "ReplicaSetNotAvailable"),
            ("/spec/replicas", json!(2), "ExtraPods"),
        ] {
            check(&with(&done(), pointer, value), Health::Progressing, reason);
        }
    }

    #[test]
    fn without_a_deadline_the_numbers_decide() {
        let object = with(&done(), "/status/conditions/1/reason", json!("ReplicaSetUpdated"));
        check(
            &with(&object, "/spec/progressDeadlineSeconds", json!(NO_DEADLINE)),
            Health::Healthy,
            "Available",
        );
        check(&with(&object, "/spec/progressDeadlineSeconds", Value::Null), Health::Healthy, "Available");
    }

    #[test]
    fn a_missed_deadline_is_degraded_also_while_old_pods_serve() {
        let late = json!({ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "it timed out" });
        let object = with(&done(), "/status/conditions/1", late);
        let assessment = check(&object, Health::Degraded, "ProgressDeadlineExceeded");
        assert_eq!(assessment.message, "it timed out");
        check(
            &with(&object, "/metadata/generation", json!(8)),
            Health::Progressing,
            "LatestGenerationNotObserved",
        );
    }

    #[test]
    fn a_pause_holds_once_it_is_seen() {
        let paused = with(&with(&done(), "/spec/paused", json!(true)), "/status/updatedReplicas", json!(1));
        check(&paused, Health::Suspended, "Paused");
        check(
            &with(&paused, "/metadata/generation", json!(8)),
            Health::Progressing,
            "LatestGenerationNotObserved",
        );
    }

    #[test]
    fn refused_pods_name_the_cause() {
        let refused = json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota" });
        let object = with(&done(), "/status/replicas", json!(1));
        let object = with(&object, "/status/conditions/1", refused.clone());
        assert_eq!(check(&object, Health::Progressing, "FailedCreate").message, "exceeded quota");

        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "generation": 1 }, "spec": { "replicas": 2 },
            "status": { "observedGeneration": 1, "replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2,
                "availableReplicas": 2, "conditions": [] },
        });
        check(&set, Health::Healthy, "Available");
        check(&with(&set, "/status/conditions", json!([refused])), Health::Degraded, "FailedCreate");
        check(&with(&set, "/status/fullyLabeledReplicas", json!(1)), Health::Progressing, "LessLabelled");
        check(&with(&set, "/status/readyReplicas", json!(1)), Health::Progressing, "LessReady");
        check(&with(&set, "/status/replicas", json!(5)), Health::Progressing, "ExtraPods");
    }
}
