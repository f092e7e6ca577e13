use gitops_core::{Health, HealthRule, Timestamp, assess};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// The built-in assessment, which must be this.
pub(super) fn check(object: &Value, health: Health, reason: &str) -> Assessment {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    let assessment = BuiltInHealth.assess(object, now).expect("the kind is known");
    assert_eq!(
        (assessment.health, assessment.reason.as_str()),
        (health, reason),
        "{assessment} for {object:#}"
    );
    assert!(
        !assessment.message.is_empty() || object.pointer("/status/conditions").is_some(),
        "no message: {object:#}"
    );
    assessment
}

/// A copy with another value at a JSON pointer, whose last part may be new.
pub(super) fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(old) = object.pointer_mut(pointer) {
        *old = value;
        return object;
    }
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    parent.as_object_mut().unwrap().insert(name.replace("~1", "/"), value);
    object
}

#[test]
fn an_unknown_kind_gets_no_answer_unless_it_is_being_deleted() {
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
    assert_eq!(BuiltInHealth.assess(&map, Timestamp::UNIX_EPOCH), None);
    assert_eq!(assess(&rules(), &map, Timestamp::UNIX_EPOCH).health, Health::Healthy);
    // A Service of another group is another kind.
    let knative = json!({ "apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": { "type": "LoadBalancer" } });
    assert_eq!(BuiltInHealth.assess(&knative, Timestamp::UNIX_EPOCH), None);
    let going = with(&map, "/metadata/deletionTimestamp", json!("2026-03-01T12:00:00Z"));
    assert_eq!(assess(&rules(), &going, Timestamp::UNIX_EPOCH).reason, "Terminating");
}

const KINDS: [(&str, &str); 17] = [
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Namespace"),
    ("v1", "Secret"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("example.com/v1", "Widget"),
];

/// Names and words that the rules look for, so that arbitrary objects reach far into them.
const NAMES: [&str; 24] = [
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "currentReplicas",
    "fullyLabeledReplicas",
    "observedGeneration",
    "generation",
    "phase",
    "conditions",
    "type",
    "status",
    "reason",
    "message",
    "containerStatuses",
    "state",
    "waiting",
    "terminated",
    "lastState",
    "desiredNumberScheduled",
    "paused",
    "loadBalancer",
    "ingress",
    "creationTimestamp",
];
const WORDS: [&str; 14] = [
    "Running",
    "Pending",
    "True",
    "False",
    "Ready",
    "Stalled",
    "Available",
    "Progressing",
    "PodScheduled",
    "Unschedulable",
    "CrashLoopBackOff",
    "LoadBalancer",
    "2026-03-01T12:00:00Z",
    "-009999-01-01T00:00:00Z",
];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![any::<i64>(), -1_i64..4].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let name = prop_oneof![6 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|it| Value::Object(it.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object of a known kind with arbitrary contents.
fn object() -> impl Strategy<Value = Value> {
    (prop::sample::select(&KINDS[..]), anything(), anything(), anything()).prop_map(
        |((version, kind), metadata, spec, status)| {
            json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "status": status })
        },
    )
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second())
        .prop_map(|it| Timestamp::from_second(it).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_panics_and_the_answer_is_repeatable(object in prop_oneof![object(), anything()], now in moment()) {
        for rule in rules() {
            let first = rule.assess(&object, now);
            prop_assert_eq!(&first, &rule.assess(&object, now));
            if let Some(first) = first {
                prop_assert!(first.message.chars().count() < 1400, "{}", first.message);
                prop_assert!(first.recheck_after.is_none_or(|it| !it.is_zero()));
            }
        }
    }

    /// Numbers that no controller would write must not overflow either.
    #[test]
    fn a_status_of_another_generation_is_never_healthy(object in object(), generation in any::<i64>(), now in moment()) {
        let mut object = object;
        object["metadata"] = json!({ "generation": generation });
        if !object["status"].is_object() {
            object["status"] = json!({});
        }
        object["status"]["observedGeneration"] = json!(generation.wrapping_add(1));
        if let Some(assessment) = BuiltInHealth.assess(&object, now) {
            prop_assert_eq!(assessment.health, Health::Progressing);
        }
    }

    #[test]
    fn no_message_holds_a_field_of_a_secret(deleted in any::<bool>(), place in 0_usize..6, now in moment()) {
        const PLANTED: &str = "cGxhbnRlZC12YWx1ZQ";
        let condition = json!({ "type": PLANTED, "status": "True", "reason": PLANTED, "message": PLANTED });
        let mut secret = json!({ "apiVersion": "v1", "kind": "Secret", "type": PLANTED, "metadata": {} });
        match place {
            0 => secret["data"] = json!({ PLANTED: PLANTED }),
            1 => secret["stringData"] = json!({ "password": PLANTED }),
            2 => secret["status"] = json!({ "phase": PLANTED, "conditions": [condition] }),
            3 => secret["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": PLANTED }),
            4 => secret["metadata"]["labels"] = json!({ "a": PLANTED }),
            _ => secret["status"] = json!({ "conditions": [{ "type": "Stalled", "status": "True", "message": PLANTED }] }),
        }
        if deleted {
            secret["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
        }
        let assessment = assess(&rules(), &secret, now);
        let shown = format!("{assessment} {assessment:?}");
        prop_assert!(!shown.contains(PLANTED), "{shown}");
    }
}
