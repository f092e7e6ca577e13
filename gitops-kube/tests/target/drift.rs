//! What counts as drift, and what does not.

use gitops_core::{Class, Comparison, Done, IgnoreRule, IgnoreRules, Live, Observe, Target};
use gitops_diff::schema::BuiltIn;
use gitops_kube::KubeTarget;
use serde_json::{Value, json};

use crate::support::{Cluster, app, cluster, config_map, cx, deployment, paths};

const WEB: &str = "/apis/apps/v1/namespaces/drift/deployments/web";

async fn fresh_compare(cluster: &Cluster, name: &str, object: &Value) -> (Comparison, Live) {
    // A target that has just been started remembers nothing.
    let target = KubeTarget::new(cluster.client.clone());
    let desired = cluster.place(std::slice::from_ref(object)).await.remove(0);
    let what = Observe::Everything { also: vec![desired.id.clone()] };
    let seen = target.observe(&cx(), &app(name), &what).await.unwrap();
    let live = seen.live.into_iter().find(|live| live.id == desired.id).unwrap();
    (target.compare(&desired, &live, &IgnoreRules::default()), live)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_git_states_is_drift_and_the_rest_is_not() {
    let (cluster, name) = (cluster().await, app("drift"));
    cluster.namespace("drift").await;
    let git = deployment("drift", 2);
    cluster.create(&name, std::slice::from_ref(&git)).await;
    let desired = cluster.place(std::slice::from_ref(&git)).await.remove(0);
    let settled = || async { cluster.compare(&name, &desired).await };
    assert_eq!(settled().await, Comparison::InSync);

    // Of others, and so no drift.
    for body in [
        json!({"metadata": {"annotations": {"team": "a"}, "labels": {"tier": "web"}}}),
        json!({"spec": {"minReadySeconds": 1}}),
        json!({"spec": {"replicas": 2}}),
        json!({"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}}}),
    ] {
        cluster.merge_as("somebody", WEB, &body).await;
        assert_eq!(settled().await, Comparison::InSync, "{body}");
        assert_eq!(fresh_compare(&cluster, "drift", &git).await.0, Comparison::InSync, "{body}");
    }
    cluster.merge_as("status", &format!("{WEB}/status"), &json!({"status": {"conditions": []}})).await;
    assert_eq!(settled().await, Comparison::InSync);

    // Of Git, and so drift, which an update puts back; with the memory of the apply and without.
    let containers = |container: Value| json!({"spec": {"template": {"spec": {"containers": [container]}}}});
    let base = json!({"name": "web", "image": "registry.example/web:1"});
    for (body, path) in [
        (json!({"spec": {"replicas": 5}}), ".spec.replicas"),
        (json!({"spec": {"template": {"metadata": {"labels": {"app": "web", "x": "y"}}}}}), ""),
        (
            containers(json!({"name": "web", "image": "evil:2", "env": [{"name": "A", "value": "1"}]})),
            ".image",
        ),
        (containers(base), ".env"),
        (json!({"metadata": {"managedFields": [{}]}}), "managedFields"),
    ] {
        cluster.merge_as("kubectl-edit", WEB, &body).await;
        if path.is_empty() {
            assert_eq!(settled().await, Comparison::InSync, "{body}");
            continue;
        }
        let (here, (there, live)) = (settled().await, fresh_compare(&cluster, "drift", &git).await);
        for comparison in [&here, &there] {
            assert!(matches!(comparison, Comparison::Differs(_)), "{body}: {comparison:?}");
            assert!(paths(comparison).iter().any(|p| p.contains(path)), "{body}: {comparison:?}");
        }
        if path == ".spec.replicas" {
            let Comparison::Differs(all) = &here else { unreachable!() };
            assert_eq!(all[0].writer.as_deref(), Some("kubectl-edit"), "{all:?}");
        }
        let healed = cluster.update(&name, &desired, &live).await.unwrap();
        assert!(healed.wrote && healed.overruled.is_empty(), "{body}: {healed:?}");
        assert_eq!(settled().await, Comparison::InSync, "{body}");
        assert_eq!(fresh_compare(&cluster, "drift", &git).await.0, Comparison::InSync, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_git_no_longer_states_is_removed() {
    let (cluster, name) = (cluster().await, app("removed"));
    cluster.namespace("removed").await;
    let mut git = config_map("removed", "settings", "v");
    git["data"]["old"] = "x".into();
    cluster.create(&name, std::slice::from_ref(&git)).await;
    git["data"].as_object_mut().unwrap().remove("old");
    let desired = cluster.place(std::slice::from_ref(&git)).await.remove(0);
    // Both the key and, since the map was created by us alone, nothing else.
    let comparison = cluster.compare(&name, &desired).await;
    assert_eq!(paths(&comparison), [".data.old"], "{comparison:?}");
    let live = cluster.look(&name, &desired.id).await.unwrap();
    let done = cluster.update(&name, &desired, &live).await.unwrap();
    let object = done.live.unwrap().object.unwrap();
    assert_eq!(object["data"], json!({"k": "v"}));
    assert_eq!(cluster.compare(&name, &desired).await, Comparison::InSync);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_admission_changes_is_overruled_and_not_drift() {
    let (cluster, name) = (cluster().await, app("overruled"));
    cluster.namespace("overruled").await;
    let admission = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "five"}, "spec": {"reinvocationPolicy": "Never", "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["configmaps"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "overruled"}}},
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration":
                {"expression": "Object{data: {\"k\": \"forced\"}}"}}]}});
    cluster
        .apply_as("test", &format!("{admission}/mutatingadmissionpolicies"), "five", &policy)
        .await
        .unwrap();
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "five"}, "spec": {"policyName": "five"}});
    cluster
        .apply_as("test", &format!("{admission}/mutatingadmissionpolicybindings"), "five", &binding)
        .await
        .unwrap();
    // The policy takes effect a moment after it is stored.
    let probe = "/api/v1/namespaces/overruled/configmaps";
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}, "data": {"k": "v"}});
    for _ in 0..100 {
        let stored = cluster.apply_as("probe", probe, "probe", &body).await.unwrap();
        if stored["data"]["k"] == "forced" {
            break;
        }
        cluster.delete(&format!("{probe}/probe")).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    let git = config_map("overruled", "settings", "v");
    let done = cluster.create(&name, std::slice::from_ref(&git)).await.remove(0);
    assert_eq!(done.overruled.len(), 1, "{done:?}");
    assert_eq!(
        done.overruled[0].to_string().split(", by").next(),
        Some(r#".data.k  Git "v", live "forced""#)
    );
    let desired = cluster.place(std::slice::from_ref(&git)).await.remove(0);
    let (there, live) = fresh_compare(&cluster, "overruled", &git).await;
    for comparison in [cluster.compare(&name, &desired).await, there] {
        assert!(matches!(&comparison, Comparison::Overruled(all) if all.len() == 1), "{comparison:?}");
    }
    let again = cluster.update(&name, &desired, &live).await.unwrap();
    assert!(!again.wrote, "{again:?}");
    for kind in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
        cluster.delete(&format!("{admission}/{kind}/five")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn values_that_the_server_leaves_out_are_no_drift() {
    let (cluster, name) = (cluster().await, app("zeros"));
    cluster.namespace("zeros").await;
    let mut git = deployment("zeros", 1);
    git["spec"]["template"]["spec"]["hostNetwork"] = false.into();
    git["spec"]["template"]["metadata"]["annotations"] = json!({});
    git["spec"]["template"]["spec"]["containers"][0]["args"] = json!([]);
    let done: Vec<Done> = cluster.create(&name, std::slice::from_ref(&git)).await;
    assert!(done[0].overruled.is_empty(), "{done:?}");
    let desired = cluster.place(std::slice::from_ref(&git)).await.remove(0);
    assert_eq!(cluster.compare(&name, &desired).await, Comparison::InSync);
    // Without memory only the API server can tell; asking it by an apply changes nothing.
    let (there, live) = fresh_compare(&cluster, "zeros", &git).await;
    assert!(matches!(there, Comparison::Unsure | Comparison::InSync), "{there:?}");
    assert!(!cluster.update(&name, &desired, &live).await.unwrap().wrote);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn secrets_are_compared_but_not_shown() {
    let (cluster, name) = (cluster().await, app("secrets"));
    cluster.namespace("secrets").await;
    let git = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "secrets"},
        "stringData": {"password": "hunter2"}});
    cluster.create(&name, std::slice::from_ref(&git)).await;
    let desired = cluster.place(std::slice::from_ref(&git)).await.remove(0);
    assert_eq!(cluster.compare(&name, &desired).await, Comparison::InSync);
    let uri = "/api/v1/namespaces/secrets/secrets/db";
    cluster.merge_as("thief", uri, &json!({"stringData": {"password": "letmein"}})).await;
    let live = cluster.look(&name, &desired.id).await.unwrap();
    let comparison = cluster.target.compare(&desired, &live, &IgnoreRules::default());
    assert_eq!(paths(&comparison), [".data.password"], "{comparison:?}");
    let shown = format!("{comparison:?} {live:?} {desired:?} {:?}", cluster.target);
    for secret in ["hunter2", "letmein", "aHVudGVyMg==", "bGV0bWVpbg=="] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // An invalid Secret is echoed by the API server, and not by us.
    let bad = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "secrets"},
        "data": {"password": "hunter2!"}});
    let bad = cluster.place(&[bad]).await.remove(0);
    let fault = cluster.update(&name, &bad, &live).await.unwrap_err();
    assert!(matches!(fault.class, Class::Invalid), "{fault:?}");
    assert!(!format!("{fault} {fault:?}").contains("hunter2"), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn mistakes_are_told_apart() {
    let (cluster, name) = (cluster().await, app("mistakes"));
    cluster.namespace("mistakes").await;
    let git = deployment("mistakes", 1);
    cluster.create(&name, std::slice::from_ref(&git)).await;
    let class = async |change: fn(&mut Value)| {
        let mut object = git.clone();
        change(&mut object);
        let desired = cluster.place(&[object]).await.remove(0);
        let live = cluster.look(&name, &desired.id).await.unwrap();
        let fault = cluster.update(&name, &desired, &live).await.unwrap_err();
        assert!(fault.to_string().starts_with("Deployment.apps/mistakes/web: "), "{fault}");
        fault.class
    };
    assert_eq!(class(|o| o["spec"]["foo"] = 1.into()).await, Class::Invalid);
    assert_eq!(class(|o| o["spec"]["replicas"] = "many".into()).await, Class::Invalid);
    assert_eq!(class(|o| o["spec"]["replicas"] = (-1).into()).await, Class::Invalid);
    assert_eq!(
        class(|o| {
            o["spec"]["selector"]["matchLabels"]["app"] = "other".into();
            o["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
        })
        .await,
        Class::Immutable
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn ignored_fields_are_left_alone() {
    let (cluster, name) = (cluster().await, app("ignored"));
    cluster.namespace("ignored").await;
    let git = deployment("ignored", 2);
    cluster.create(&name, std::slice::from_ref(&git)).await;
    let web = "/apis/apps/v1/namespaces/ignored/deployments/web";
    let rules = IgnoreRules::new([IgnoreRule::new([".spec.replicas".parse().unwrap()])]);

    // Nobody has taken the field over yet: an update that does not state it must not remove it.
    let mut next = git.clone();
    next["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:2".into();
    let next = cluster.place(&[next]).await.remove(0);
    let live = cluster.look(&name, &next.id).await.unwrap();
    assert!(matches!(cluster.target.compare(&next, &live, &rules), Comparison::Differs(_)));
    let stripped = rules.strip(&next.manifest.object(), live.object.as_deref(), &BuiltIn).unwrap();
    // As the planner does it.
    let left = rules.paths(&next.manifest.object(), live.object.as_deref(), &BuiltIn);
    let stripped = std::sync::Arc::new((*next).clone().with_object(&stripped).with_left(left));
    let done = cluster.update(&name, &stripped, &live).await.unwrap();
    let object = done.live.unwrap().object.unwrap();
    assert_eq!(object["spec"]["replicas"], 2, "{object}");
    let live = cluster.look(&name, &next.id).await.unwrap();
    assert_eq!(cluster.target.compare(&next, &live, &rules), Comparison::InSync);
    let desired = next;

    cluster.merge_as("autoscaler", web, &json!({"spec": {"replicas": 7}})).await;
    let live = cluster.look(&name, &desired.id).await.unwrap();
    assert_eq!(cluster.target.compare(&desired, &live, &rules), Comparison::InSync);
    assert!(matches!(
        cluster.target.compare(&desired, &live, &IgnoreRules::default()),
        Comparison::Differs(_)
    ));
}

/// A kind whose lists have keys, which only its CustomResourceDefinition says.
fn mesh_definition() -> Value {
    let route = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "to": {"type": "string"}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "meshes.drift.example.com"}, "spec": {"group": "drift.example.com", "scope": "Namespaced",
            "names": {"kind": "Mesh", "plural": "meshes", "singular": "mesh", "listKind": "MeshList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {
                    "hosts": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "routes": {"type": "array", "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"], "items": route}}}}}}}]}})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn lists_of_custom_kinds_are_compared_as_their_definition_says() {
    let (cluster, name) = (cluster().await, app("mesh"));
    cluster.namespace("mesh").await;
    cluster.create(&name, &[mesh_definition()]).await;
    let git = json!({"apiVersion": "drift.example.com/v1", "kind": "Mesh",
        "metadata": {"name": "m", "namespace": "mesh"},
        "spec": {"hosts": ["b", "a"], "routes": [{"name": "one", "to": "x"}]}});
    cluster.create(&name, std::slice::from_ref(&git)).await;
    let meshes = "/apis/drift.example.com/v1/namespaces/mesh/meshes";
    let theirs = json!({"apiVersion": "drift.example.com/v1", "kind": "Mesh", "metadata": {"name": "m"},
        "spec": {"hosts": ["c"], "routes": [{"name": "two", "to": "y"}]}});
    cluster.apply_as("controller", meshes, "m", &theirs).await.unwrap();

    // Started anew, as after a crash: what the controller added to the lists is its own.
    let target = KubeTarget::new(cluster.client.clone());
    let manifest = || {
        let file = gitops_core::Place::file(gitops_core::RepoPath::new("mesh.yaml").unwrap());
        gitops_core::Manifest::new(&git.clone(), file).unwrap()
    };
    // The API server publishes a new kind a moment after it serves it.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut known = KubeTarget::new(cluster.client.clone());
    let comparison = loop {
        let desired = known.place(&cx(), vec![manifest()]).await.unwrap().remove(0);
        let what = Observe::Everything { also: vec![desired.id.clone()] };
        let seen = known.observe(&cx(), &name, &what).await.unwrap();
        let live = seen.live.iter().find(|live| live.id == desired.id).unwrap();
        let comparison = known.compare(&desired, live, &IgnoreRules::default());
        // A target that was not told of the kind takes its lists for one value each.
        target.observe(&cx(), &name, &what).await.unwrap();
        let untold = target.compare(&desired, live, &IgnoreRules::default());
        assert_eq!(paths(&untold), [".spec.hosts", r#".spec.routes[name="two"]"#], "{untold:?}");
        if comparison == Comparison::InSync || std::time::Instant::now() > deadline {
            break comparison;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        known = KubeTarget::new(cluster.client.clone());
    };
    assert_eq!(comparison, Comparison::InSync);

    // And a change of what Git states is seen where it is.
    let edit = json!({"apiVersion": "drift.example.com/v1", "kind": "Mesh", "metadata": {"name": "m"},
        "spec": {"routes": [{"name": "one", "to": "z"}]}});
    cluster.apply_as("hand", meshes, "m", &edit).await.unwrap();
    let desired = known.place(&cx(), vec![manifest()]).await.unwrap().remove(0);
    let what = Observe::Everything { also: vec![desired.id.clone()] };
    let seen = known.observe(&cx(), &name, &what).await.unwrap();
    let live = seen.live.iter().find(|live| live.id == desired.id).unwrap();
    let comparison = known.compare(&desired, live, &IgnoreRules::default());
    assert_eq!(paths(&comparison), [r#".spec.routes[name="one"].to"#], "{comparison:?}");
}
