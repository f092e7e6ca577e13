//! `StatefulSet` and `DaemonSet`.

use gitops_core::{Assessment, Timestamp};
use serde_json::Value;

use super::read::{count, healthy, number, progressing, text};

pub(super) fn stateful_set(object: &Value, _now: Timestamp) -> Assessment {
    let want = number(object, "/spec/replicas").unwrap_or(1);
    let all = count(object, "/status/replicas");
    let ready = count(object, "/status/readyReplicas");
    let updated = count(object, "/status/updatedReplicas");
    if all < want {
        return few("LessReplicas", all, want, "exist");
    }
    if ready < want {
        return few("LessReady", ready, want, "are ready");
    }
    if all > want {
        return progressing(
            "ExtraPods",
            format!("{} surplus replicas have still to end", all.saturating_sub(want)),
        );
    }
    // Without a minimum time, ready is available, and old API servers leave the number out.
    let available = count(object, "/status/availableReplicas");
    if count(object, "/spec/minReadySeconds") > 0 && available < want {
        return few("LessAvailable", available, want, "are available");
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return healthy("Ready", format!("{want} replicas are ready; updates wait for deletions by hand"));
    }
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition").max(0);
    if partition > 0 {
        let due = want.saturating_sub(partition).max(0);
        return if updated < due {
            few("PartitionRollout", updated, due, "above the partition are updated")
        } else {
            healthy(
                "Ready",
                format!("{want} replicas are ready, {updated} of them updated, above partition {partition}"),
            )
        };
    }
    let current = count(object, "/status/currentReplicas");
    if current < want {
        return few("LessCurrent", current, want, "are of the current revision");
    }
    if text(object, "/status/currentRevision") != text(object, "/status/updateRevision") {
        return few("RollingUpdate", updated, want, "are updated");
    }
    healthy("Ready", format!("{want} replicas are ready"))
}

pub(super) fn daemon_set(object: &Value, _now: Timestamp) -> Assessment {
    let Some(want) = number(object, "/status/desiredNumberScheduled") else {
        return progressing("NoDesiredNumber", "the controller has not counted the nodes for it yet");
    };
    let by_hand = text(object, "/spec/updateStrategy/type") == "OnDelete";
    let steps = [
        ("LessCurrent", "currentNumberScheduled", "are scheduled", true),
        ("LessUpdated", "updatedNumberScheduled", "are updated", !by_hand),
        ("LessReady", "numberReady", "are ready", true),
        ("LessAvailable", "numberAvailable", "are available", true),
    ];
    for (reason, field, what, counts) in steps {
        let have = object
            .pointer("/status")
            .map_or(0, |status| status.get(field).and_then(Value::as_i64).unwrap_or(0));
        if counts && have < want {
            return few(reason, have, want, what);
        }
    }
    healthy("Ready", format!("{want} Pods are available"))
}

fn few(reason: &str, have: i64, want: i64, what: &str) -> Assessment {
    progressing(reason, format!("{have} of {want} Pods {what}"))
}

#[cfg(test)]
mod tests {
    use gitops_core::Health;
    use serde_json::json;

    use super::*;
    use crate::health::tests::{check, with};

    fn database() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "generation": 2 },
            "spec": { "replicas": 3, "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } } },
            "status": { "observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "currentReplicas": 3,
                "updatedReplicas": 3, "currentRevision": "db-1", "updateRevision": "db-1" },
        })
    }

    #[test]
    fn a_stateful_set_needs_every_replica_of_one_revision() {
        check(&database(), Health::Healthy, "Ready");
        for (pointer, value, reason) in [
            ("/metadata/generation", json!(3), "LatestGenerationNotObserved"),
            ("/status/replicas", json!(2), "LessReplicas"),
            ("/status/readyReplicas", json!(2), "LessReady"),
            ("/status/replicas", json!(4), "ExtraPods"),
            ("/status/currentReplicas", json!(1), "LessCurrent"),
            ("/status/updateRevision", json!("db-2"), "RollingUpdate"),
            ("/spec/minReadySeconds", json!(5), "LessAvailable"),
        ] {
            check(&with(&database(), pointer, value), Health::Progressing, reason);
        }
    }

    #[test]
    fn a_partition_asks_only_for_what_is_above_it() {
        let object = with(&database(), "/spec/updateStrategy/rollingUpdate/partition", json!(2));
        let object = with(&object, "/status/updateRevision", json!("db-2"));
        check(&with(&object, "/status/updatedReplicas", json!(1)), Health::Healthy, "Ready");
        check(&with(&object, "/status/updatedReplicas", json!(0)), Health::Progressing, "PartitionRollout");
        let beyond = with(&object, "/spec/updateStrategy/rollingUpdate/partition", json!(9));
        check(&with(&beyond, "/status/updatedReplicas", json!(0)), Health::Healthy, "Ready");
    }

    #[test]
    fn updates_by_hand_still_need_ready_pods() {
        let object = with(&database(), "/spec/updateStrategy", json!({ "type": "OnDelete" }));
        let object = with(&object, "/status/updateRevision", json!("db-2"));
        check(&object, Health::Healthy, "Ready");
        check(&with(&object, "/status/readyReplicas", json!(0)), Health::Progressing, "LessReady");
    }

    #[test]
    fn a_daemon_set_needs_a_pod_on_every_node() {
        let agents = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "generation": 1 }, "spec": {},
            "status": { "observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2 },
        });
        check(&agents, Health::Healthy, "Ready");
        for (field, reason) in [
            ("currentNumberScheduled", "LessCurrent"),
            ("updatedNumberScheduled", "LessUpdated"),
            ("numberReady", "LessReady"),
            ("numberAvailable", "LessAvailable"),
        ] {
            check(&with(&agents, &format!("/status/{field}"), json!(1)), Health::Progressing, reason);
        }
        check(
            &with(&agents, "/status/desiredNumberScheduled", Value::Null),
            Health::Progressing,
            "NoDesiredNumber",
        );
        check(
            &with(&agents, "/status/observedGeneration", Value::Null),
            Health::Progressing,
            "LatestGenerationNotObserved",
        );
        let by_hand = with(&agents, "/spec", json!({ "updateStrategy": { "type": "OnDelete" } }));
        check(&with(&by_hand, "/status/updatedNumberScheduled", json!(0)), Health::Healthy, "Ready");
    }
}
