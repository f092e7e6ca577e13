//! What is stated on the desired side, and what is not.

use serde_json::json;

use super::*;

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
