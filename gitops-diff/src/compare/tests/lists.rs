//! Items of lists: which is which, and what their order counts for.

use serde_json::json;

use super::*;

#[test]
fn lists_within_lists_are_walked_once() {
    // It doubled with each level.
    let nested = |leaf: &str, last: &str| {
        let list = |inner: Value| json!([{"name": "a", "l": inner}, {"name": last}, {"name": if last == "b" { "c" } else { "b" }}]);
        (0..60).fold(json!(leaf), |inner, _| list(inner))
    };
    let options = DiffOptions::default();
    let drift = compare(&nested("x", "b"), &nested("y", "b"), &crate::schema::Deduced, &options);
    assert_eq!(drift.len(), 1);
    assert!(drift[0].path.to_string().starts_with("[name=\"a\"].l[name=\"a\"].l"));
    assert!(!compare(&nested("x", "b"), &nested("y", "c"), &crate::schema::Deduced, &options).is_empty());
}

#[test]
fn the_first_of_2000_items_is_one_difference() {
    let items: Vec<_> = (0..2000).map(|i| json!({"name": format!("n{i}"), "value": i})).collect();
    for (api, kind) in [("example.com/v1", "Gadget"), ("v1", "Pod")] {
        let all = json!({"apiVersion": api, "kind": kind, "spec": {"volumes": items}});
        let fewer = json!({"apiVersion": api, "kind": kind, "spec": {"volumes": &items[1..]}});
        let found = diff(&all, &fewer, &BuiltIn, &DiffOptions::default());
        assert_eq!(lines(&found), [r#".spec.volumes[name="n0"]  Git absent, live {"name":"n0","value":0}"#]);
        assert_eq!(found[0].kind, DifferenceKind::Removed);
    }
}

#[test]
fn moved_items_are_the_fewest() {
    let list = |names: &[&str]| json!({"l": names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>()});
    let found =
        diff(&list(&["a", "b", "c", "d"]), &list(&["d", "a", "b", "c"]), &BuiltIn, &DiffOptions::default());
    assert_eq!(lines(&found), [r#".l[name="d"]  Git position 0, live position 3"#]);
    assert_eq!(found[0].kind, DifferenceKind::Moved);
}

#[test]
fn lists_without_keys_are_one_value() {
    let found = diff(
        &web(&json!({"args": ["a", "b"]})),
        &web(&json!({"args": ["b"]})),
        &BuiltIn,
        &DiffOptions::default(),
    );
    assert_eq!(
        lines(&found),
        [r#".spec.template.spec.containers[name="web"].args  Git ["b"], live ["a","b"]"#]
    );
}

#[test]
fn items_with_one_key_all_count() {
    let git = web(&json!({"env": [{"name": "A", "value": "1"}]}));
    let live = |first: &str, second: &str| {
        web(&json!({"env": [{"name": "A", "value": first}, {"name": "B"}, {"name": "A", "value": second}]}))
    };
    let told = |value: &str| {
        [format!(
            r#".spec.template.spec.containers[name="web"].env[name="A"].value  Git "1", live "{value}""#
        )]
    };
    assert_eq!(drift(&git, &live("1", "1")), Vec::<String>::new());
    assert_eq!(drift(&git, &live("2", "3")), told("2"));
    // The last one is what the container gets.
    assert_eq!(drift(&git, &live("1", "3")), told("3"));
}

#[test]
fn metrics_have_no_order() {
    let hpa = |metrics: Value| json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {"metrics": metrics}});
    let resource = |name: &str, percent: u32| json!({"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}});
    let pods = |value: &str| json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": value}}});
    let git = hpa(json!([resource("memory", 80), pods("1000"), resource("cpu", 50)]));
    assert_eq!(
        drift(&git, &hpa(json!([resource("cpu", 50), resource("memory", 80), pods("1k")]))),
        Vec::<String>::new()
    );
    assert_eq!(drift(&git, &hpa(json!([resource("cpu", 60), resource("memory", 80), pods("1k")]))).len(), 1);
    assert_eq!(drift(&git, &hpa(json!([resource("cpu", 50), resource("memory", 80)]))).len(), 1);
}

#[test]
fn huge_lists_take_no_longer_than_they_are() {
    let items = |range: std::ops::Range<u32>| {
        range.map(|n| json!({"name": format!("n{n}"), "value": n})).collect::<Vec<_>>()
    };
    let pod = |env: Vec<Value>| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "env": env}]}});
    let (mut a, b) = (items(0..50_000), items(0..50_000));
    a.reverse();
    assert_eq!(compare(&pod(a), &pod(b.clone()), &BuiltIn, &DiffOptions::default()), []);
    assert_eq!(
        compare(&pod(b), &pod(items(25_000..50_000)), &BuiltIn, &DiffOptions::default()).len(),
        25_000
    );
}
