//! What is drift, and what only looks like it.

use std::time::Duration;

use gitops_core::{Decision, EventKind, ResourceId, Trigger, Verdict};
use serde_json::{Value, json};

use super::{App, object};
use crate::support::{Cluster, cluster, config_map, deployment};

fn deployment_path(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments/web")
}

fn web(namespace: &str) -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", namespace, "web")
}

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings";

/// Lets the API server store a value of its own for the maps of a namespace.
async fn force_value(cluster: &Cluster, namespace: &str) {
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": namespace}, "spec": {"reinvocationPolicy": "Never", "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["configmaps"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            "mutations": [{"patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": "Object{data: {\"k\": \"forced\"}}"}}]}});
    cluster.apply_as("test", POLICIES, namespace, &policy).await.unwrap();
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": namespace}, "spec": {"policyName": namespace}});
    cluster.apply_as("test", BINDINGS, namespace, &binding).await.unwrap();
    // The policy takes effect a moment after it is stored.
    let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
    for _ in 0..200 {
        let probe = config_map(namespace, "probe", "v");
        if cluster.apply_as("probe", &maps, "probe", &probe).await.unwrap()["data"]["k"] == "forced" {
            return;
        }
        cluster.delete(&format!("{maps}/probe")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the policy has no effect");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_admission_policy_that_overrules_git_is_reported_and_not_fought() {
    const NS: &str = "case-overruled";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    force_value(&cluster, NS).await;
    let app = App::new(&cluster, NS);
    app.commit(&[config_map(NS, "settings", "v")]);
    let id = ResourceId::namespaced("", "ConfigMap", NS, "settings");
    let uri = format!("/api/v1/namespaces/{NS}/configmaps/settings");

    // Reported with the field, by the engine that applied it and by one that was started later.
    let overruled = Verdict::Overruled { fields: vec![".data.k".into()] };
    assert_eq!(app.sync().await.verdict(&id), Some(&overruled));
    let before = cluster.get(&uri).await.unwrap();
    assert_eq!((&before["data"]["k"], app.decision(&id).await), (&json!("forced"), Decision::Overruled));
    assert_eq!(app.sync().await.verdict(&id), Some(&overruled));

    // An engine that runs does not fight: after its first look it writes nothing, though the watch tells of the object.
    let engine = app.engine();
    let (mut events, handle) = (engine.subscribe(), engine.handle());
    let running = tokio::spawn(async move { engine.run().await });
    let watching = async {
        let mut syncs = Vec::new();
        while let Some(event) = events.next().await {
            match event.kind {
                EventKind::SyncFinished { report } => syncs.push((report.trigger, report.counts.changed)),
                EventKind::Stopped => break,
                _ => {}
            }
        }
        syncs
    };
    let (syncs, ()) = tokio::join!(watching, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let label = json!({"metadata": {"labels": {"tier": "web"}}});
        cluster.merge_as("somebody", &uri, &label).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        handle.stop();
        running.await.unwrap().unwrap();
    });
    assert_eq!(syncs, [(Trigger::Revision, 0)]);
    let ours = |object: &Value| {
        let entries = object["metadata"]["managedFields"].as_array().unwrap().clone();
        entries.into_iter().find(|entry| entry["manager"] == "gitops/case-overruled").unwrap()
    };
    assert_eq!(ours(&cluster.get(&uri).await.unwrap()), ours(&before), "with the time of our last write");

    // When admission changes its mind, Git's value comes with the next change of the desired state.
    cluster.delete(&format!("{BINDINGS}/{NS}")).await;
    cluster.delete(&format!("{POLICIES}/{NS}")).await;
    let mut next = config_map(NS, "settings", "v");
    next["data"]["more"] = "x".into();
    app.commit(&[next]);
    for _ in 0..100 {
        app.sync().await;
        if cluster.get(&uri).await.unwrap()["data"]["k"] == "v" {
            break;
        }
        // It loses its effect a moment later.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let object = json!({"metadata": {"annotations": {"touched": null}}, "data": {"more": null}});
        cluster.merge_as("somebody", &uri, &object).await;
    }
    assert_eq!(cluster.get(&uri).await.unwrap()["data"], json!({"k": "v", "more": "x"}));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn empty_leaves_that_others_fill_are_no_drift() {
    const NS: &str = "case-empty";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    let mut git = deployment(NS, 1);
    let pod = &mut git["spec"]["template"]["spec"];
    pod["securityContext"] = json!({});
    pod["containers"][0]["resources"] = json!({});
    pod["containers"][0]["securityContext"] = json!({});
    assert_eq!(pod["volumes"][0]["emptyDir"], json!({}));
    app.commit(std::slice::from_ref(&git));
    assert_eq!(app.sync().await.report.counts.created, 1);
    assert_eq!(app.decision(&web(NS)).await, Decision::InSync);

    let filled = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"securityContext": {"runAsUser": 1000},
            "containers": [{"name": "web", "resources": {"limits": {"memory": "64Mi"}},
                "securityContext": {"runAsNonRoot": true}}],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}]}}}});
    let path = deployment_path(NS);
    cluster.apply_as("sizer", path.strip_suffix("/web").unwrap(), "web", &filled).await.unwrap();
    let before = cluster.get(&path).await.unwrap();
    assert_eq!(app.decision(&web(NS)).await, Decision::InSync);
    // Nor does a write for another reason take away what they filled in.
    git["spec"]["replicas"] = 2.into();
    app.commit(std::slice::from_ref(&git));
    assert_eq!(app.sync().await.report.counts.changed, 1);
    let after = cluster.get(&path).await.unwrap();
    assert_eq!(
        (&after["spec"]["replicas"], &after["spec"]["template"]),
        (&json!(2), &before["spec"]["template"])
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn nulls_reset_nothing_that_others_set() {
    const NS: &str = "case-nulls";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    let mut git = deployment(NS, 1);
    git["spec"]["replicas"] = Value::Null;
    git["spec"]["template"]["metadata"]["annotations"] = json!({"team": null, "tier": "web"});
    app.commit(std::slice::from_ref(&git));
    assert_eq!(app.sync().await.report.counts.created, 1);
    assert_eq!(app.decision(&web(NS)).await, Decision::InSync);

    let path = deployment_path(NS);
    let others = json!({"spec": {"replicas": 3, "template": {"metadata": {"annotations": {"team": "a"}}}}});
    cluster.merge_as("autoscaler", &path, &others).await;
    assert_eq!(app.decision(&web(NS)).await, Decision::InSync);
    git["spec"]["minReadySeconds"] = 1.into();
    app.commit(std::slice::from_ref(&git));
    assert_eq!(app.sync().await.report.counts.changed, 1);
    let spec = cluster.get(&path).await.unwrap()["spec"].clone();
    assert_eq!((&spec["replicas"], &spec["minReadySeconds"]), (&json!(3), &json!(1)));
    assert_eq!(spec["template"]["metadata"]["annotations"]["team"], "a");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn an_autoscaler_applied_as_v1_is_watched_and_compared_as_v1() {
    const NS: &str = "case-autoscaler";
    let cluster = cluster().await;
    cluster.namespace(NS).await;
    let app = App::new(&cluster, NS);
    let scaler = object(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        NS,
        "web",
        &json!({"spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 80,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
    );
    let id = ResourceId::namespaced("autoscaling", "HorizontalPodAutoscaler", NS, "web");
    app.commit(std::slice::from_ref(&scaler));
    assert_eq!(app.sync().await.report.counts.created, 1);
    assert_eq!(app.decision(&id).await, Decision::InSync);
    // It is stored in the form of v2, in which a field of v1 has another place.
    let v2 = format!("/apis/autoscaling/v2/namespaces/{NS}/horizontalpodautoscalers/web");
    let stored = cluster.get(&v2).await.unwrap();
    assert_eq!(stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80, "{stored:#}");

    // What v1 does not have is no drift; what it has is, whoever writes it in which version, and comes back.
    let behaviour = json!({"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}});
    cluster.merge_as("somebody", &v2, &behaviour).await;
    assert_eq!(app.decision(&id).await, Decision::InSync);
    let engine = app.engine();
    let (mut events, handle) = (engine.subscribe(), engine.handle());
    let running = tokio::spawn(async move { engine.run().await });
    let mut next = async |live: bool| loop {
        match events.next().await.unwrap().kind {
            EventKind::SyncFinished { report } if (report.trigger == Trigger::Live) == live => return report,
            _ => {}
        }
    };
    assert_eq!(next(false).await.counts.unchanged, 1);
    let metrics = json!({"spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50}}}]}});
    cluster.merge_as("kubectl-edit", &v2, &metrics).await;
    let healed = tokio::time::timeout(Duration::from_secs(30), next(true)).await.unwrap();
    assert_eq!(healed.counts.changed, 1, "{healed}");
    handle.stop();
    running.await.unwrap().unwrap();
    let stored = cluster.get(&v2).await.unwrap()["spec"].clone();
    assert_eq!(stored["metrics"][0]["resource"]["target"]["averageUtilization"], 80, "{stored:#}");
    assert_eq!(stored["behavior"]["scaleDown"]["stabilizationWindowSeconds"], 60, "{stored:#}");
    assert_eq!(app.decision(&id).await, Decision::InSync);
}
