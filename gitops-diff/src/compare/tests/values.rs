//! Spellings of one value.

use serde_json::json;

use super::*;

#[test]
fn spellings_of_one_value_are_equal() {
    for (git, live) in [
        (
            json!({"resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}),
            json!({"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}),
        ),
        (json!({"resources": {"limits": {"cpu": 1}}}), json!({"resources": {"limits": {"cpu": "1"}}})),
        (json!({"env": [], "resources": {"limits": {}}, "x": {"y": null}}), json!({})),
        (json!({"securityContext": {}}), json!({"securityContext": {"runAsUser": 1}})),
        (json!({"env": [{"name": "A"}, {"name": "B"}]}), json!({"env": [{"name": "B"}, {"name": "A"}]})),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}]}),
        ),
        (json!({"weight": 1.0}), json!({"weight": 1})),
        (json!({"tty": false, "env": [{"name": "A", "value": ""}]}), json!({"env": [{"name": "A"}]})),
    ] {
        assert_eq!(drift(&web(&git), &web(&live)), Vec::<String>::new());
    }
    for (git, live) in [
        (json!({"port": 80}), json!({"port": "80"})),
        (json!({"args": ["a", "b"]}), json!({"args": ["b", "a"]})),
        (json!({"args": []}), json!({"args": ["b"]})),
        (json!({"securityContext": {"privileged": false}}), json!({"securityContext": {}})),
        (json!({"securityContext": {}}), json!({})),
        (json!({"tty": false}), json!({"tty": true})),
        (json!({"value": ""}), json!({})),
        (json!({"image": "1000m"}), json!({"image": "1"})),
    ] {
        assert_eq!(drift(&web(&git), &web(&live)).len(), 1, "{git} {live}");
    }
}

#[test]
fn autoscalers_of_two_versions() {
    let hpa = |version: &str, spec: Value| json!({"apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler", "spec": spec});
    let v1 = |percent: u8| hpa("v1", json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": percent}));
    let v2 = hpa(
        "v2",
        json!({"maxReplicas": 3, "minReplicas": 1, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
        ]}),
    );
    assert_eq!(drift(&v1(70), &v2), Vec::<String>::new());
    assert_eq!(drift(&v1(80), &v2).len(), 1);
    assert_eq!(drift(&hpa("v2", json!({"metrics": v2["spec"]["metrics"]})), &v1(70)), Vec::<String>::new());
    assert_eq!(drift(&hpa("v2", json!({"metrics": v2["spec"]["metrics"]})), &v1(80)).len(), 1);
}

#[test]
fn values_of_known_formats() {
    use crate::schema::{FieldSpec, Format, MapSpec, Scalar, TypeGraph, TypeSpec};

    let mut builder = TypeGraph::builder();
    let formats = [
        ("duration", Format::Duration),
        ("time", Format::Time),
        ("micro", Format::MicroTime),
        ("bytes", Format::Bytes),
        ("quantity", Format::Quantity),
        ("port", Format::IntOrString),
    ];
    let fields = formats.map(|(name, format)| {
        FieldSpec::new(name, builder.add(TypeSpec::formatted(Scalar::Untyped, format)))
    });
    let object = builder.add(TypeSpec::map(MapSpec { fields: fields.into(), ..MapSpec::default() }));
    let kind = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };
    builder.kind(&kind, object);
    let graph = builder.build().unwrap();
    let object =
        |field: &str, value: &Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", field: value});
    let same = |field: &str, a: Value, b: Value| {
        compare(&object(field, &a), &object(field, &b), &graph, &DiffOptions::default()).is_empty()
    };
    assert!(same("duration", json!("8760h"), json!("8760h0m0s")));
    assert!(!same("duration", json!("1h"), json!("1h1s")));
    assert!(same("time", json!("2026-01-01T01:00:00.7+01:00"), json!("2026-01-01T00:00:00Z")));
    assert!(!same("time", json!("2026-01-01T00:00:01Z"), json!("2026-01-01T00:00:00Z")));
    assert!(same("micro", json!("2026-01-01T00:00:00.5Z"), json!("2026-01-01T00:00:00.500000Z")));
    assert!(!same("micro", json!("2026-01-01T00:00:00.5Z"), json!("2026-01-01T00:00:00Z")));
    assert!(same("bytes", json!("aGk=\n"), json!("aGk=")));
    assert!(!same("bytes", json!("aGk="), json!("aGs=")));
    assert!(same("quantity", json!(0.5), json!("500m")));
    assert!(same("quantity", json!(" 1Gi "), json!("1024Mi")));
    assert!(!same("quantity", json!("x"), json!("y")));
    assert!(!same("port", json!(80), json!("80")));
    assert!(!same("unknown", json!("1h"), json!("60m")));
}
