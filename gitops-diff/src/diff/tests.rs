use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{deployment, small_value};

fn lines(found: &[Difference]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn exact() -> DiffOptions {
    DiffOptions::default().with_ignore_status(false)
}

fn drift(desired: &Value, live: &Value) -> Vec<String> {
    lines(&stated(desired, live, &DiffOptions::default()))
}

/// A Deployment whose one container has these fields besides its name.
fn web(container: &Value) -> Value {
    let mut item = json!({"name": "web"});
    if let (Some(item), Some(more)) = (item.as_object_mut(), container.as_object()) {
        item.extend(more.clone());
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [item]}}},
    })
}

#[test]
fn the_first_of_2000_items_is_one_difference() {
    let items: Vec<_> = (0..2000).map(|i| json!({"name": format!("n{i}"), "value": i})).collect();
    for (api, kind) in [("example.com/v1", "Gadget"), ("v1", "Pod")] {
        let all = json!({"apiVersion": api, "kind": kind, "spec": {"volumes": items}});
        let fewer = json!({"apiVersion": api, "kind": kind, "spec": {"volumes": &items[1..]}});
        let found = diff(&all, &fewer, &DiffOptions::default());
        assert_eq!(lines(&found), [r#".spec.volumes[name="n0"]  Git absent, live {"name":"n0","value":0}"#]);
        assert_eq!(found[0].kind, DifferenceKind::Removed);
    }
}

#[test]
fn moved_items_are_the_fewest() {
    let list = |names: &[&str]| json!({"l": names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>()});
    let found = diff(&list(&["a", "b", "c", "d"]), &list(&["d", "a", "b", "c"]), &DiffOptions::default());
    assert_eq!(lines(&found), [r#".l[name="d"]  Git position 0, live position 3"#]);
    assert_eq!(found[0].kind, DifferenceKind::Moved);
}

#[test]
fn lists_without_keys_are_one_value() {
    let found =
        diff(&web(&json!({"args": ["a", "b"]})), &web(&json!({"args": ["b"]})), &DiffOptions::default());
    assert_eq!(
        lines(&found),
        [r#".spec.template.spec.containers[name="web"].args  Git ["b"], live ["a","b"]"#]
    );
}

#[test]
fn what_git_does_not_state_is_not_compared() {
    let git = web(&json!({"image": "web:1", "ports": [{"containerPort": 80}], "resources": {}, "tty": null}));
    let mut live = web(&json!({
        "image": "web:1", "imagePullPolicy": "Always", "env": [{"name": "X"}],
        "ports": [{"containerPort": 9000, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP", "name": "http"}],
        "resources": {"limits": {"cpu": "1"}}, "tty": true,
    }));
    live["status"] = json!({"replicas": 1});
    live["spec"]["replicas"] = json!(4);
    live["metadata"]["annotations"] = json!({"a": "b"});
    if let Some(containers) = live["spec"]["template"]["spec"]["containers"].as_array_mut() {
        containers.insert(0, json!({"name": "sidecar"}));
    }
    assert_eq!(drift(&git, &live), Vec::<String>::new());
}

#[test]
fn of_items_with_one_key_the_first_counts() {
    let git = web(&json!({"env": [{"name": "A", "value": "1"}]}));
    let live = |first: &str| {
        web(&json!({"env": [{"name": "B"}, {"name": "A", "value": first}, {"name": "A", "value": "3"}]}))
    };
    assert_eq!(drift(&git, &live("1")), Vec::<String>::new());
    assert_eq!(
        drift(&git, &live("2")),
        [r#".spec.template.spec.containers[name="web"].env[name="A"].value  Git "1", live "2""#]
    );
}

#[test]
fn what_git_states_is_compared() {
    let git =
        web(&json!({"image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}));
    let live = web(&json!({"image": "web:2", "env": [{"name": "B", "value": "3"}]}));
    assert_eq!(
        drift(&git, &live),
        [
            r#".spec.template.spec.containers[name="web"].env[name="B"].value  Git "2", live "3""#,
            r#".spec.template.spec.containers[name="web"].env[name="A"]  Git {"name":"A","value":"1"}, live absent"#,
            r#".spec.template.spec.containers[name="web"].image  Git "web:1", live "web:2""#,
        ]
    );
}

#[test]
fn spellings_of_one_value_are_equal() {
    for (git, live) in [
        (
            json!({"resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}),
            json!({"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}),
        ),
        (json!({"resources": {"limits": {"cpu": 1}}}), json!({"resources": {"limits": {"cpu": "1"}}})),
        (json!({"env": [], "securityContext": {}, "x": {"y": null}}), json!({})),
        (json!({"securityContext": {}}), json!({"securityContext": {"runAsUser": 1}})),
        (json!({"env": [{"name": "A"}, {"name": "B"}]}), json!({"env": [{"name": "B"}, {"name": "A"}]})),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}]}),
        ),
        (json!({"weight": 1.0}), json!({"weight": 1})),
    ] {
        assert_eq!(drift(&web(&git), &web(&live)), Vec::<String>::new());
    }
    for (git, live) in [
        (json!({"port": 80}), json!({"port": "80"})),
        (json!({"args": ["a", "b"]}), json!({"args": ["b", "a"]})),
        (json!({"args": []}), json!({"args": ["b"]})),
        (json!({"tty": false}), json!({})),
        (json!({"value": ""}), json!({})),
        (json!({"image": "1000m"}), json!({"image": "1"})),
    ] {
        assert_eq!(drift(&web(&git), &web(&live)).len(), 1, "{git} {live}");
    }
}

#[test]
fn atomic_values_compare_whole_but_for_defaults() {
    let policy = |rules: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"ingress": rules}});
    let git = policy(json!([{"ports": [{"port": 80}]}]));
    assert_eq!(
        drift(&git, &policy(json!([{"ports": [{"port": 80, "protocol": "TCP"}]}]))),
        Vec::<String>::new()
    );
    assert_eq!(drift(&git, &policy(json!([{"ports": [{"port": 80, "protocol": "UDP"}]}]))).len(), 1);
    assert_eq!(drift(&git, &policy(json!([{"ports": [{"port": 80}]}, {}]))).len(), 1);
    let selector =
        |labels: Value| json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": labels}});
    assert_eq!(
        drift(&selector(json!({"a": "1"})), &selector(json!({"a": "1", "b": "2"}))),
        [r#".spec.selector.b  Git absent, live "2""#]
    );
    // Of an unknown kind, the item that was added to the list is named, and its order counts.
    let gadget =
        |items: Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": {"items": items}});
    let (a, b) = (json!({"name": "a"}), json!({"name": "b"}));
    assert_eq!(
        drift(&gadget(json!([a])), &gadget(json!([a, b]))),
        [r#".spec.items[name="b"]  Git absent, live {"name":"b"}"#]
    );
    assert_eq!(drift(&gadget(json!([a, b])), &gadget(json!([b, a]))).len(), 1);
}

#[test]
fn secrets_are_compared_as_stored_and_never_shown() {
    let git = json!({
        "apiVersion": "v1", "kind": "Secret",
        "data": {"same": "c2FtZQ==", "wrapped": "d3Jh\ncHBlZA==\n"}, "stringData": {"password": "hunter2"},
    });
    let live = |password: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "data": {"same": "c2FtZQ==", "wrapped": "d3JhcHBlZA==", "password": password},
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "b3RoZXI="}},
        })
    };
    assert_eq!(drift(&git, &live("aHVudGVyMg==")), Vec::<String>::new());
    let empty = |value: Value| json!({"apiVersion": "v1", "kind": "Secret", "data": {"k": value}});
    assert_eq!(drift(&empty(json!("")), &empty(Value::Null)), Vec::<String>::new());
    assert_eq!(drift(&empty(json!("eA==")), &empty(Value::Null)).len(), 1);
    let found = stated(&git, &live("b3RoZXI="), &DiffOptions::default());
    assert_eq!(lines(&found), [".data.password  Git <redacted>, live <redacted> (another value)"]);
    let all = diff(&git, &live("b3RoZXI="), &DiffOptions::default());
    for found in [&found, &all] {
        let everything = format!("{found:?} {}", serde_json::to_string(found).unwrap());
        for secret in ["hunter2", "aHVudGVyMg", "b3RoZXI", "other", "d3Jh"] {
            assert!(!everything.contains(secret), "{secret}: {everything}");
        }
    }
    // A Secret that is only on one side is shown with masks inside.
    let none = diff(&json!({}), &json!({"s": git}), &DiffOptions::default());
    assert!(!format!("{none:?}").contains("hunter2"));
}

#[test]
fn the_writer_is_named() {
    let git =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3, "paused": false}});
    let live = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2, "paused": true},
        "metadata": {"managedFields": [
            {"manager": "gitops", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": "kubectl-scale", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]},
    });
    let found = stated(&git, &live, &DiffOptions::default().with_manager("gitops"));
    assert_eq!(
        lines(&found),
        [".spec.paused  Git false, live true", r#".spec.replicas  Git 3, live 2, by "kubectl-scale""#]
    );
}

#[test]
fn fields_are_left_out() {
    let (a, b) =
        (json!({"spec": {"a": 1, "b": 1}, "status": 1}), json!({"spec": {"a": 2, "b": 2}, "status": 2}));
    let options = DiffOptions::default().with_ignored(".spec.b".parse().unwrap());
    assert_eq!(lines(&diff(&a, &b, &options)), [".spec.a  Git 2, live 1"]);
    assert_eq!(diff(&a, &b, &options.with_ignore_status(false)).len(), 2);
}

proptest! {
    #[test]
    fn only_equal_trees_have_no_difference(a in small_value(), b in small_value()) {
        prop_assert_eq!(diff(&a, &b, &exact()).is_empty(), a == b);
        prop_assert!(diff(&a, &a, &exact()).is_empty());
    }

    #[test]
    fn every_difference_is_where_it_says(a in deployment(), b in deployment()) {
        for found in diff(&a, &b, &exact()) {
            let (from, to) = (found.path.get(&a), found.path.get(&b));
            prop_assert_eq!(from.is_some(), found.kind != DifferenceKind::Added, "{}", found);
            prop_assert_eq!(to.is_some(), found.kind != DifferenceKind::Removed, "{}", found);
            if found.kind != DifferenceKind::Moved {
                prop_assert_eq!(&found.live, &Shown::of(from));
                prop_assert_eq!(&found.desired, &Shown::of(to));
            }
        }
    }

    #[test]
    fn what_is_stated_and_there_is_no_drift(git in deployment(), replicas: u8) {
        prop_assert_eq!(drift(&git, &git), Vec::<String>::new());
        let mut live = git.clone();
        live["metadata"]["annotations"] = json!({"x": "y"});
        live["spec"]["minReadySeconds"] = json!(replicas);
        prop_assert_eq!(drift(&git, &live), Vec::<String>::new());
        live["spec"]["template"]["spec"]["containers"][0]["image"] = json!("another");
        prop_assert_eq!(drift(&git, &live).len(), 1);
    }

    #[test]
    fn drift_is_a_part_of_the_difference(git in deployment(), live in deployment()) {
        let all: Vec<_> = diff(&live, &git, &exact()).into_iter().map(|d| d.path).collect();
        for found in stated(&git, &live, &exact()) {
            prop_assert!(all.iter().any(|path| found.path.starts_with(path)), "{}", found);
        }
    }

    #[test]
    fn no_tree_is_too_strange(a in small_value(), b in small_value()) {
        let _ = lines(&stated(&a, &b, &exact()));
    }
}
