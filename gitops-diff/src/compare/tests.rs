use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::BuiltIn;
use crate::testing::{deployment, small_value};

fn lines(found: &[Difference]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn exact() -> DiffOptions {
    DiffOptions::default().with_ignore_status(false)
}

fn drift(desired: &Value, live: &Value) -> Vec<String> {
    lines(&compare(desired, live, &BuiltIn, &DiffOptions::default()))
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
fn what_was_given_up_inside_a_mask_is_not_shown() {
    let gadget = |creds: Value| json!({"kind": "Gadget", "spec": {"creds": creds}});
    let (git, mut live) = (gadget(json!({"u": "a"})), gadget(json!({"u": "b", "p": "hunter2"})));
    let last = live.to_string();
    live["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": last}});
    let redaction = Redaction::default().with_path(".spec.creds".parse().unwrap());
    let options = DiffOptions::default().with_last_applied(true).with_redaction(redaction);
    let drift = compare(&git, &live, &crate::schema::Deduced, &options);
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].to_string(), ".spec.creds  Git <redacted>, live <redacted> (another value)");
}

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
fn an_empty_structure_says_something_on_either_side() {
    let labels = json!({"matchLabels": {"a": "b"}});
    let policy = |peer: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"ingress": [{"from": [peer]}]}});
    let affinity = |more: Value| {
        let mut term = json!({"labelSelector": labels, "topologyKey": "host"});
        term.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let terms = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"affinity": {"podAntiAffinity": terms}}})
    };
    let crd = |subresources: Value| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"versions": [{"name": "v1", "subresources": subresources}]},
        })
    };
    let scale = json!({"specReplicasPath": ".a", "statusReplicasPath": ".b"});
    let custom = |rule: Value| json!({"apiVersion": "x.io/v1", "kind": "X", "spec": {"rules": [rule]}});
    for (without, with) in [
        (
            policy(json!({"podSelector": labels})),
            policy(json!({"podSelector": labels, "namespaceSelector": {}})),
        ),
        (affinity(json!({})), affinity(json!({"namespaceSelector": {}}))),
        (crd(json!({"scale": scale})), crd(json!({"scale": scale, "status": {}}))),
        (crd(json!({})), crd(json!({"status": {}}))),
        (custom(json!({})), custom(json!({"allow": {}}))),
    ] {
        assert_eq!(drift(&without, &with).len(), 1, "{with}");
        assert_eq!(drift(&with, &without).len(), 1, "{with}");
    }
}

#[test]
fn what_git_states_is_compared() {
    let git =
        web(&json!({"image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}));
    let live = web(&json!({"image": "web:2", "env": [{"name": "B", "value": "3"}]}));
    assert_eq!(
        drift(&git, &live),
        [
            r#".spec.template.spec.containers[name="web"].env[name="A"]  Git {"name":"A","value":"1"}, live absent"#,
            r#".spec.template.spec.containers[name="web"].env[name="B"].value  Git "2", live "3""#,
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
    let found = compare(&git, &live("b3RoZXI="), &BuiltIn, &DiffOptions::default());
    assert_eq!(lines(&found), [".data.password  Git <redacted>, live <redacted> (another value)"]);
    let all = diff(&git, &live("b3RoZXI="), &BuiltIn, &DiffOptions::default());
    for found in [&found, &all] {
        let everything = format!("{found:?} {}", serde_json::to_string(found).unwrap());
        for secret in ["hunter2", "aHVudGVyMg", "b3RoZXI", "other", "d3Jh"] {
            assert!(!everything.contains(secret), "{secret}: {everything}");
        }
    }
    // A Secret that is only on one side is shown with masks inside.
    let none = diff(&json!({}), &json!({"s": git}), &BuiltIn, &DiffOptions::default());
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
    let found = compare(&git, &live, &BuiltIn, &DiffOptions::default().with_manager("gitops"));
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
    assert_eq!(lines(&diff(&a, &b, &BuiltIn, &options)), [".spec.a  Git 2, live 1"]);
    assert_eq!(diff(&a, &b, &BuiltIn, &options.with_ignore_status(false)).len(), 2);
}

proptest! {
    #[test]
    fn only_equal_trees_have_no_difference(a in small_value(), b in small_value()) {
        prop_assert_eq!(diff(&a, &b, &BuiltIn, &exact()).is_empty(), a == b);
        prop_assert!(diff(&a, &a, &BuiltIn, &exact()).is_empty());
    }

    #[test]
    fn every_difference_is_where_it_says(a in deployment(), b in deployment()) {
        for found in diff(&a, &b, &BuiltIn, &exact()) {
            let (from, to) = (found.path.get(&a), found.path.get(&b));
            prop_assert_eq!(from.is_some(), found.kind != DifferenceKind::Added, "{}", found);
            prop_assert_eq!(to.is_some(), found.kind != DifferenceKind::Removed, "{}", found);
            if found.kind != DifferenceKind::Moved {
                prop_assert_eq!(found.live.value(), from);
                prop_assert_eq!(found.desired.value(), to);
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
        let all: Vec<_> = diff(&live, &git, &BuiltIn, &exact()).into_iter().map(|d| d.path).collect();
        for found in compare(&git, &live, &BuiltIn, &exact()) {
            prop_assert!(all.iter().any(|path| found.path.starts_with(path)), "{}", found);
        }
    }

    #[test]
    fn no_tree_is_too_strange(a in small_value(), b in small_value()) {
        let _ = lines(&compare(&a, &b, &BuiltIn, &exact()));
    }
}

/// What the API server stores for each of these is no difference.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one place a row")]
fn defaults_inside_atomic_values() {
    let pod = |volume: Value, container: Value| {
        let mut volumes = volume;
        volumes["name"] = json!("v");
        let mut containers = container;
        containers["name"] = json!("c");
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [volumes], "containers": [containers]}})
    };
    let of = |api: &str, kind: &str, mut fields: Value| {
        fields["apiVersion"] = json!(api);
        fields["kind"] = json!(kind);
        fields
    };
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let mut stored = claim.clone();
    stored["apiVersion"] = json!("v1");
    stored["kind"] = json!("PersistentVolumeClaim");
    stored["metadata"]["creationTimestamp"] = json!(null);
    stored["spec"]["volumeMode"] = json!("Filesystem");
    stored["spec"]["resources"]["requests"]["storage"] = json!("1024Mi");
    stored["status"] = json!({"phase": "Pending"});
    let devices = |request: Value| {
        of("resource.k8s.io/v1", "ResourceClaim", json!({"spec": {"devices": {"requests": [request]}}}))
    };
    let webhook = |rule: Value| {
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            json!({"webhooks": [{"name": "w", "rules": [rule]}]}),
        )
    };
    let rule =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let with = |value: &Value, field: &str, more: Value| {
        let mut value = value.clone();
        value[field] = more;
        value
    };
    let policy = |rules: Value| {
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            json!({"spec": {"matchConstraints": rules}}),
        )
    };
    let subject = |subject: Value| {
        of(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"subjects": [subject], "roleRef": {"kind": "Role", "name": "r"}}),
        )
    };
    let role_ref = |group: Option<&str>| {
        let mut reference = json!({"kind": "Role", "name": "r"});
        if let Some(group) = group {
            reference["apiGroup"] = json!(group);
        }
        of("rbac.authorization.k8s.io/v1", "RoleBinding", json!({"roleRef": reference}))
    };
    for (git, live) in [
        (
            pod(
                json!({"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}, {"path": "c", "resourceFieldRef": {"resource": "limits.cpu", "containerName": "c"}}]}}),
                json!({}),
            ),
            pod(
                json!({"downwardAPI": {"defaultMode": 420, "items": [{"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}, {"path": "c", "resourceFieldRef": {"resource": "limits.cpu", "containerName": "c", "divisor": "0"}}]}}),
                json!({}),
            ),
        ),
        (
            pod(
                json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}}),
                json!({}),
            ),
            pod(
                json!({"projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}]}}]}}),
                json!({}),
            ),
        ),
        (
            pod(
                json!({"emptyDir": {}}),
                json!({"livenessProbe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "Host"}]}}}),
            ),
            pod(
                json!({"emptyDir": {}}),
                json!({"livenessProbe": {"periodSeconds": 10, "httpGet": {"port": 80, "path": "/", "scheme": "HTTP", "httpHeaders": [{"name": "Host", "value": ""}]}}}),
            ),
        ),
        (
            of("apps/v1", "StatefulSet", json!({"spec": {"volumeClaimTemplates": [claim]}})),
            of("apps/v1", "StatefulSet", json!({"spec": {"volumeClaimTemplates": [stored]}})),
        ),
        (
            of(
                "batch/v1",
                "Job",
                json!({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}}}),
            ),
            of(
                "batch/v1",
                "Job",
                json!({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}}}),
            ),
        ),
        (
            of(
                "v1",
                "Endpoints",
                json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
            ),
            of(
                "v1",
                "Endpoints",
                json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80, "protocol": "TCP"}]}]}),
            ),
        ),
        (
            of(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({"ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}),
            ),
            of(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({"ports": [{"port": 80, "name": "", "protocol": "TCP"}], "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]}),
            ),
        ),
        (webhook(rule.clone()), webhook(with(&rule, "scope", json!("*")))),
        (
            policy(json!({"resourceRules": [rule]})),
            policy(
                json!({"resourceRules": [with(&rule, "scope", json!("*"))], "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}),
            ),
        ),
        (
            subject(json!({"kind": "User", "name": "ada"})),
            subject(json!({"kind": "User", "name": "ada", "apiGroup": "rbac.authorization.k8s.io"})),
        ),
        (
            subject(json!({"kind": "ServiceAccount", "name": "a", "namespace": "n", "apiGroup": ""})),
            subject(json!({"kind": "ServiceAccount", "name": "a", "namespace": "n"})),
        ),
        (role_ref(None), role_ref(Some("rbac.authorization.k8s.io"))),
        (
            devices(
                json!({"name": "gpu", "exactly": {"deviceClassName": "g", "tolerations": [{"key": "k"}]}}),
            ),
            devices(
                json!({"name": "gpu", "exactly": {"deviceClassName": "g", "allocationMode": "ExactCount", "count": 1, "tolerations": [{"key": "k", "operator": "Equal"}]}}),
            ),
        ),
        (
            of(
                "resource.k8s.io/v1",
                "ResourceClaimTemplate",
                json!({"spec": {"spec": {"devices": {"requests": [{"name": "g", "firstAvailable": [{"name": "a", "deviceClassName": "g"}]}]}}}}),
            ),
            of(
                "resource.k8s.io/v1",
                "ResourceClaimTemplate",
                json!({"spec": {"spec": {"devices": {"requests": [{"name": "g", "firstAvailable": [{"name": "a", "deviceClassName": "g", "allocationMode": "ExactCount", "count": 1}]}]}}}}),
            ),
        ),
        (
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1000m"}, "min": {"memory": "1Gi"}}]}}),
            ),
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Gi"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1", "memory": "1Gi"}}]}}),
            ),
        ),
        (
            of("v1", "Pod", json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})),
            of(
                "v1",
                "Pod",
                json!({"spec": {"tolerations": [
                    {"key": "a", "operator": "Exists"},
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                ]}}),
            ),
        ),
        (
            of(
                "networking.k8s.io/v1beta1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}}),
            ),
            of(
                "networking.k8s.io/v1beta1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific"}]}}]}}),
            ),
        ),
    ] {
        assert_eq!(drift(&git, &live), Vec::<String>::new(), "{git}");
    }
    // Another value in the same place is one, and so is the same value where it is no default.
    for (git, live) in [
        (webhook(rule.clone()), webhook(with(&rule, "scope", json!("Namespaced")))),
        (
            subject(json!({"kind": "User", "name": "ada"})),
            subject(json!({"kind": "User", "name": "ada", "apiGroup": "x"})),
        ),
        (
            of("v1", "LimitRange", json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}})),
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}}]}}),
            ),
        ),
        (
            of(
                "networking.k8s.io/v1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}}),
            ),
            of(
                "networking.k8s.io/v1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific"}]}}]}}),
            ),
        ),
        (
            of("example.com/v1", "Gadget", json!({"spec": {"ports": [{"port": 1}]}})),
            of("example.com/v1", "Gadget", json!({"spec": {"ports": [{"port": 1, "protocol": "TCP"}]}})),
        ),
        (
            of(
                "apps/v1",
                "Deployment",
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "a"}]}}}}),
            ),
            of(
                "apps/v1",
                "Deployment",
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "a"}, {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]}}}}),
            ),
        ),
    ] {
        assert_ne!(drift(&git, &live), Vec::<String>::new(), "{git} {live}");
    }
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

#[test]
fn what_is_in_an_empty_structure_is_not_stated_but_that_it_is_there() {
    let pod = |volume: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [volume]}});
    let git = pod(json!({"name": "v", "emptyDir": {}}));
    assert_eq!(
        drift(&git, &pod(json!({"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}))),
        Vec::<String>::new()
    );
    assert_eq!(drift(&git, &pod(json!({"name": "v", "hostPath": {"path": "/"}}))).len(), 1);
    let issuer = |spec: Value| json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "spec": spec});
    assert_eq!(drift(&issuer(json!({"selfSigned": {}})), &issuer(json!({"ca": {}}))).len(), 1);
    let policy = |peer: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}, "ingress": [{"from": [peer]}]}});
    assert_eq!(
        drift(&policy(json!({"podSelector": {}})), &policy(json!({"namespaceSelector": {}}))).len(),
        1
    );
}

#[test]
fn what_kubectl_applied_and_git_dropped() {
    let last = json!({"metadata": {"annotations": {}, "labels": {"a": "1"}}, "spec": {"template": {"spec": {"containers": [{"name": "x"}, {"name": "y"}]}}}});
    let live = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last.to_string()}},
        "spec": {"template": {"spec": {"containers": [{"name": "x"}, {"name": "y"}, {"name": "z"}]}}},
    });
    let git = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}});
    assert_eq!(drift(&git, &live), Vec::<String>::new());
    let found = compare(&git, &live, &BuiltIn, &DiffOptions::default().with_last_applied(true));
    assert_eq!(
        lines(&found),
        [
            r#".metadata.labels.a  Git absent, live "1""#,
            r#".spec.template.spec.containers[name="y"]  Git absent, live {"name":"y"}"#,
        ]
    );
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

/// Reverses what has no order, and respells quantities.
fn respelt(value: &mut Value) {
    if let Some(containers) =
        value.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut)
    {
        containers.reverse();
        for container in containers {
            for list in ["env", "ports", "volumeMounts"] {
                if let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) {
                    items.reverse();
                }
            }
            container["resources"] = json!({"limits": {"cpu": "0.5", "memory": "512Mi"}, "requests": {}});
        }
    }
    if let Some(finalizers) = value.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
        finalizers.reverse();
    }
}

/// The places of all texts, numbers and flags.
fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, child)| scalars(child, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| scalars(item, &format!("{at}/{n}"), found));
        }
        Value::Null => {}
        _ => found.push(at.to_owned()),
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(tree in prop_oneof![small_value(), crate::testing::any_value(), deployment()], kind in "(Pod|Secret|Gadget|LimitRange)") {
        let mut tree = tree;
        if let Value::Object(map) = &mut tree {
            map.insert("kind".into(), kind.into());
            map.insert("apiVersion".into(), "v1".into());
        }
        prop_assert_eq!(compare(&tree, &tree, &BuiltIn, &DiffOptions::default()), vec![]);
        prop_assert_eq!(compare(&Value::Null, &tree, &BuiltIn, &DiffOptions::default()), vec![]);
    }

    #[test]
    fn what_was_applied_does_not_differ(git in deployment(), before in deployment(), by in deployment()) {
        let options = |manager: &str| crate::WriteOptions::new(manager).with_force(true);
        let mut live = crate::apply(None, &before, &BuiltIn, &options("us")).unwrap().object.into_owned();
        live = crate::apply(Some(&live), &by, &BuiltIn, &options("them")).unwrap().object.into_owned();
        live = crate::apply(Some(&live), &git, &BuiltIn, &options("us")).unwrap().object.into_owned();
        prop_assert_eq!(compare(&git, &live, &BuiltIn, &DiffOptions::default()), vec![]);
        let verdict = crate::judge(&git, &live, crate::Applier::new("us"), &BuiltIn, &DiffOptions::default());
        prop_assert_eq!(verdict, crate::Verdict::InSync);
    }

    #[test]
    fn another_spelling_is_no_difference(git in deployment()) {
        let mut git = git;
        for container in git["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
            container["resources"] = json!({"limits": {"cpu": "500m", "memory": "0.5Gi"}});
        }
        let mut live = git.clone();
        respelt(&mut live);
        prop_assert_eq!(drift(&git, &live), Vec::<String>::new());
    }

    #[test]
    fn another_value_is_a_difference(git in deployment(), pick: prop::sample::Index) {
        let mut places = Vec::new();
        scalars(&git, "", &mut places);
        let not_compared = ["/apiVersion", "/kind", "/metadata/namespace"];
        places.retain(|place| !not_compared.contains(&place.as_str()));
        let place = pick.get(&places);
        let mut live = git.clone();
        let value = live.pointer_mut(place).unwrap();
        *value = match value.take() {
            Value::String(text) => format!("{text}x").into(),
            Value::Number(number) => (number.as_i64().unwrap_or_default() + 1).into(),
            Value::Bool(flag) => (!flag).into(),
            other => other,
        };
        prop_assert_ne!(drift(&git, &live), Vec::<String>::new(), "{}", place);
    }

    #[test]
    fn no_secret_is_ever_shown(
        old in "[a-zA-Z0-9]{12,20}",
        new in "[a-zA-Z0-9]{12,20}",
        plain: bool,
        kept: bool,
        nested: bool,
    ) {
        let secret = |value: &str, plain: bool| {
            let write = |text: &str| if plain { text.to_owned() } else { crate::base64::encode(text.as_bytes()) };
            let field = if plain { "stringData" } else { "data" };
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                field: {"password": write(value), "user": write("x")},
            })
        };
        let mut live = secret(&old, false);
        live["metadata"]["annotations"] = json!({crate::redact::LAST_APPLIED: secret(&old, plain).to_string()});
        let mut git = secret(&new, plain);
        if kept {
            git = secret(&old, plain);
        }
        if nested {
            live = json!({"apiVersion": "v1", "kind": "List", "items": [live]});
            git = json!({"apiVersion": "v1", "kind": "List", "items": [git]});
        }
        let options = DiffOptions::default().with_last_applied(true).with_manager("us");
        let differences = [compare(&git, &live, &BuiltIn, &options), diff(&live, &git, &BuiltIn, &options)].concat();
        let verdict = crate::judge(&git, &live, crate::Applier::new("us").with_taken_reported(true), &BuiltIn, &options);
        let redacted = Redaction::default().redact(&live);
        let mut shown = format!("{differences:?}{verdict:?}{redacted:?}{redacted}");
        shown += &serde_json::to_string(&differences).unwrap();
        for difference in &differences {
            shown += &difference.to_string();
        }
        #[cfg(feature = "text")]
        {
            shown += &crate::unified(&live, &git, &crate::UnifiedOptions::default());
            shown += &crate::yaml(&redacted);
        }
        for secret in [&old, &new] {
            for form in [secret.clone(), crate::base64::encode(secret.as_bytes())] {
                prop_assert!(!shown.contains(form.trim_end_matches('=')), "{form}: {shown}");
            }
        }
        if !nested {
            prop_assert_eq!(compare(&git, &live, &BuiltIn, &DiffOptions::default()).is_empty(), kept || old == new);
        }
    }
}
